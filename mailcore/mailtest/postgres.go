package mailtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// cluster starts a private PostgreSQL server on a unix socket, once a process, and returns its folder. It dies with the
// process: the kernel sends the signal, so a test that crashes leaves no server behind.
var cluster = sync.OnceValues(startCluster)

func startCluster() (string, error) {
	removeStale()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		return "", errors.New("no server installed (apt-get install --no-install-recommends postgresql)")
	}
	sort.Strings(bins)
	bin := filepath.Dir(bins[len(bins)-1])
	dir, err := os.MkdirTemp("", fmt.Sprintf("cvpg-%d-", os.Getpid())) // short: a socket's path has 107 bytes at most
	if err != nil {
		return "", err
	}
	cred, err := ownTo(dir)
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: cred}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := startServer(bin, dir, data, cred); err != nil {
		return "", err
	}
	return dir, nil
}

// ownTo gives the folder to the user that the server runs as: initdb refuses root.
func ownTo(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

// startServer runs the server from a thread that lives as long as the process, because the death signal is tied to it.
func startServer(bin, dir, data string, cred *syscall.Credential) error {
	fsync := "off"
	if os.Getenv("CONGVAN_TEST_FSYNC") != "" {
		fsync = "on"
	}
	args := []string{"-D", data}
	for _, s := range []string{"listen_addresses=", "unix_socket_directories=" + dir, "unix_socket_permissions=0777", "fsync=" + fsync,
		"synchronous_commit=" + fsync, "full_page_writes=" + fsync, "max_connections=120", "shared_buffers=32MB", "autovacuum=off", "wal_level=minimal", "max_wal_senders=0", "logging_collector=off"} {
		args = append(args, "-c", s)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		server := exec.Command(filepath.Join(bin, "postgres"), args...)
		server.Dir, server.Stdout, server.Stderr = dir, log, log
		server.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGQUIT}
		started <- server.Start()
		server.Wait()
	}()
	if err := <-started; err != nil {
		return err
	}
	return waitReady(bin, dir)
}

func waitReady(bin, dir string) error {
	deadline := time.Now().Add(3 * time.Minute)
	for time.Now().Before(deadline) {
		if exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", dir).Run() == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	return fmt.Errorf("server did not start: %s", text)
}

// removeStale removes the folders of processes that are gone.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "cvpg-*"))
	for _, d := range dirs {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(d), "cvpg-%d-", &pid); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(d)
		}
	}
}
