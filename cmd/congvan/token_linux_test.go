package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/signing"

	"golang.org/x/sys/unix"
)

// A screen collects what a process or a log writes.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen int // up to here it has been expected
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// expect waits until the text appears after what was expected before.
func (s *screen) expect(t *testing.T, text string) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		i := strings.Index(s.text.String()[s.seen:], text)
		if i >= 0 {
			s.seen += i + len(text)
		}
		s.mu.Unlock()
		if i >= 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%q does not appear in\n%s", text, s)
		}
	}
}

// A terminal is a process with a pseudo-terminal, as a clerk has it before him.
type terminal struct {
	screen
	master *os.File
	cmd    *exec.Cmd
	done   chan error
}

// testBinary builds the program as its own process will run it, with the tags of this test run.
var testBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "congvan-token-test")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "congvan")
	args := []string{"build", "-o", bin}
	if signing.HasTokens {
		args = append(args, "-tags", "pkcs11")
	}
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return bin, err
})

func startTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	bin, err := testBinary()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	p := &terminal{master: os.NewFile(uintptr(fd), "ptmx"), cmd: exec.Command(bin, args...), done: make(chan error, 1)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := p.master.Read(b)
			p.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		err := p.cmd.Wait()
		<-read
		p.done <- err
	}()
	t.Cleanup(func() { p.cmd.Process.Kill(); p.master.Close() })
	return p
}

// typed answers a prompt.
func (p *terminal) typed(t *testing.T, line string) {
	t.Helper()
	if _, err := p.master.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
}

// left waits for the end of the process.
func (p *terminal) left(t *testing.T, code int) {
	t.Helper()
	select {
	case <-p.done:
		if got := p.cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("exit %d, want %d:\n%s", got, code, p)
		}
	case <-time.After(time.Minute):
		t.Fatalf("still runs:\n%s", p)
	}
}

// A tokenHouse is an installation whose agency stttt signs at the clerk's desk.
type tokenHouse struct {
	dir, home, address string
	log                screen
	stop               func()
}

func newTokenHouse(t *testing.T) *tokenHouse {
	t.Helper()
	h := &tokenHouse{dir: newInstallation(t), home: filepath.Join(t.TempDir(), "desk"), address: mailtest.FreePort(t)}
	path := filepath.Join(h.dir, configFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^(smtp|submission|imap|web) .*$`).ReplaceAllString(string(b), `$1 = ""`)
	text = regexp.MustCompile(`(?m)^token .*$`).ReplaceAllString(text, `token = "`+h.address+`"`)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	withSeal(t, h.dir, "[[seal.agency]]\nunit = \"stttt\"\nkey = \"token\"\npolicy = { oid = \"1.3.6.1.4.1.99999.7\", sha256 = \""+strings.Repeat("ab", 32)+"\" }\n")
	t.Cleanup(func() {
		if h.stop != nil {
			h.stop()
		}
	})
	return h
}

// serve starts the gateway; h.stop ends it.
func (h *tokenHouse) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"serve", "--data", h.dir}, strings.NewReader(""), &h.log, &h.log) }()
	h.stop = func() {
		h.stop = nil
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve: exit %d\n%s", code, &h.log)
		}
	}
	h.log.expect(t, "service=token")
}

// identity is a certificate of the installation's own authority.
func (h *tokenHouse) identity(t *testing.T, kind signing.KeyKind) *signing.Identity {
	t.Helper()
	password, err := signing.ReadSecret(filepath.Join(h.dir, "keys", "password"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := signing.LoadAuthority(filepath.Join(h.dir, "keys", "authority.p12"), password)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(signing.Subject{Name: "Sở Thông tin và Truyền thông"}, kind)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h *tokenHouse) pairingCode(t *testing.T) string {
	t.Helper()
	out := mustRun(t, "", "token", "pair", "--data", h.dir, "--unit", "stttt")
	code := regexp.MustCompile(`Mã ghép đôi: (\S+)`).FindStringSubmatch(out)
	if code == nil {
		t.Fatal(out)
	}
	return code[1]
}

// issued waits until serve has issued the document.
func (h *tokenHouse) issued(t *testing.T) {
	t.Helper()
	h.log.expect(t, "document issued")
	if st := statusOf(t, h.dir, "145/STTTT-CNTT"); st.State != exchange.Issued || st.Seal == nil || st.Seal.Decision != "" || st.Seal.Policy != "1.3.6.1.4.1.99999.7" {
		t.Errorf("%+v, %+v", st, st.Seal)
	}
}

// A clerk signs with a PKCS#12 file at the desk: paired by a code, wrong password, gateway stopped midway, and at last sealed.
func TestTokenDeskSigns(t *testing.T) {
	const secret = "mật-khẩu-8642"
	h := newTokenHouse(t)
	key := filepath.Join(t.TempDir(), "dau.p12")
	if err := h.identity(t, signing.RSA3072).Save(key, secret); err != nil {
		t.Fatal(err)
	}
	if code, res, errOut := issue145(t, h.dir); code != 0 || res.State != exchange.Registered || !strings.Contains(res.Waiting, "thiết bị ký số") {
		t.Fatalf("exit %d: %+v\n%s", code, res, errOut)
	}
	h.serve(t)
	code := h.pairingCode(t)
	join := startTerminal(t, "token", "join", h.address, "--home", h.home, "--key", key, "--code", code)
	join.expect(t, "Mã PIN")
	join.typed(t, secret)
	join.left(t, 0)
	if !strings.Contains(join.String(), "Đã ghép đôi") {
		t.Error(join.String())
	}
	again := startTerminal(t, "token", "join", h.address, "--home", filepath.Join(t.TempDir(), "other"), "--key", key, "--code", code)
	again.expect(t, "Mã PIN")
	again.typed(t, secret)
	again.left(t, 1)
	if !strings.Contains(again.String(), "mã ghép đôi sai, đã dùng") {
		t.Errorf("the code is good twice:\n%s", again)
	}

	desk := startTerminal(t, "token", "--home", h.home)
	for _, want := range []string{"145/STTTT-CNTT", "Trích yếu", "SHA-256", "Mã PIN"} {
		desk.expect(t, want)
	}
	desk.typed(t, "sai")
	desk.expect(t, "Mật khẩu của tệp khóa không đúng")
	desk.expect(t, "Mã PIN")
	h.stop() // the clerk still has the document before him
	if st := statusOf(t, h.dir, "145/STTTT-CNTT"); st.State != exchange.Registered || st.Waiting == nil || st.Waiting.Code != exchange.WaitToken {
		t.Errorf("%+v", st)
	}
	desk.typed(t, secret)
	desk.expect(t, "chưa ký gì")
	mustRun(t, "", "check", "--data", h.dir)
	h.serve(t)
	desk.expect(t, "145/STTTT-CNTT")
	desk.expect(t, "Mã PIN")
	desk.typed(t, secret)
	desk.expect(t, "Đã ký")
	h.issued(t)
	mustRun(t, "", "check", "--data", h.dir)
	if out := mustRun(t, "", "token", "list", "--data", h.dir); !strings.Contains(out, "Sở Thông tin và Truyền thông") {
		t.Error(out)
	}

	listed := mustRun(t, "", "token", "list", "--data", h.dir)
	fields := strings.Fields(listed)
	mustRun(t, "", "token", "unpair", "--data", h.dir, fields[len(fields)-1])
	desk.cmd.Process.Signal(os.Interrupt)
	desk.left(t, 0)
	stranger := startTerminal(t, "token", "--home", h.home)
	stranger.left(t, 1)
	if !strings.Contains(stranger.String(), "chưa ghép đôi") {
		t.Errorf("an unpaired desk is let in:\n%s", stranger)
	}
	for _, text := range []string{h.log.String(), desk.String(), join.String()} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in\n%s", text)
		}
	}
	mustNotContain(t, h.dir, secret)
	mustNotContain(t, h.home, secret)
}
