package mailtest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Eicar is the text that every malware scanner knows, in two parts so that this file is not found by one.
const Eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR` + `-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// Program finds a program of Debian's. Where it is missing the test is skipped out loud, or fails when CI is set.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if sbin := "/usr/sbin/" + name; err != nil {
		if _, e := os.Stat(sbin); e == nil {
			path, err = sbin, nil
		}
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("SKIPPED: %s is missing", name)
	}
	return path
}

// Start runs a program until the test ends, and waits for its address to answer.
func Start(t testing.TB, address string, path string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	})
	for range 1800 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", path, err, out.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not answer\n%s", path, out.String())
}

// FreePort is a loopback address that nobody listens on and that no other test takes until this one ends. Ports that the kernel
// hands out by itself would not do: between the asking and the listening another process, or a mere outgoing connection, gets
// the same one. So it lies below theirs, and the UDP socket of the same number, which ends with the process, keeps it.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprint("127.0.0.1:", 20_000+rand.IntN(12_000))
		keep, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			t.Cleanup(func() { keep.Close() })
			return address
		}
		keep.Close()
	}
	t.Fatal("no free port")
	return ""
}

// StartClamd runs ClamAV's daemon with a database of its own that knows Eicar, and returns its address. It takes up to 1 MiB.
func StartClamd(t testing.TB) string {
	t.Helper()
	path := Program(t, "clamd")
	dir := t.TempDir()
	db := filepath.Join(dir, "db")
	if err := os.Mkdir(db, 0o755); err != nil {
		t.Fatal(err)
	}
	address := FreePort(t)
	_, port, _ := net.SplitHostPort(address)
	conf := filepath.Join(dir, "clamd.conf")
	for file, text := range map[string]string{
		filepath.Join(db, "test.ndb"): "Thu-Nghiem:0:0:" + hex.EncodeToString([]byte(Eicar)) + "\n",
		conf:                          fmt.Sprintf("DatabaseDirectory %s\nTCPSocket %s\nTCPAddr 127.0.0.1\nForeground yes\nStreamMaxLength 1M\nTemporaryDirectory %s\n", db, port, dir),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	Start(t, address, path, "--config-file="+conf)
	return address
}
