package filter_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"congvan/mailcore/filter"
	"congvan/mailcore/mailtest"
)

// gtube is the text that every spam filter knows.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

func startClamd(t *testing.T) *filter.Clamd {
	t.Helper()
	return &filter.Clamd{Address: mailtest.StartClamd(t), Timeout: time.Minute}
}

func TestClamdFindsWhatItKnows(t *testing.T) {
	c := startClamd(t)
	ctx := context.Background()
	for name, mail := range map[string]string{"clean": "From: a@b.test\r\n\r\nVăn bản\r\n", "empty": "", "large": strings.Repeat("x\r\n", 200_000)} {
		if found, err := c.Scan(ctx, iotest.HalfReader(strings.NewReader(mail))); found != "" || err != nil {
			t.Errorf("%s: %q, %v", name, found, err)
		}
	}
	encoded := "From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	for name, mail := range map[string]string{"bare": mailtest.Eicar, "in a mail": "From: a@b.test\r\n\r\n" + mailtest.Eicar + "\r\n", "attached": encoded + base64Of(mailtest.Eicar)} {
		if found, err := c.Scan(ctx, strings.NewReader(mail)); !strings.HasPrefix(found, "Thu-Nghiem") || err != nil {
			t.Errorf("%s: %q, %v", name, found, err)
		}
	}
	if found, err := c.Scan(ctx, strings.NewReader(strings.Repeat("x", 2<<20)+mailtest.Eicar)); found != "" || !errors.Is(err, filter.ErrTooLarge) {
		t.Errorf("over StreamMaxLength: %q, %v", found, err)
	}
	broken := errors.New("disk")
	if _, err := c.Scan(ctx, io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken))); !errors.Is(err, broken) || errors.Is(err, filter.ErrNotJudged) {
		t.Errorf("broken store: %v", err)
	}
}

// A scanner that is down, silent, cut or mad never makes a mail clean.
func TestDoubtfulScannersJudgeNothing(t *testing.T) {
	for _, tc := range []struct{ name, answer string }{{"silence", ""}, {"cut", "stream: O"}, {"nonsense", "hello\x00"}, {"error", "stream: Can't allocate memory ERROR\x00"}, {"endless", strings.Repeat("x", 1<<20)}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					go io.Copy(io.Discard, conn)
					if tc.answer == "" {
						time.Sleep(2 * time.Second)
					}
					time.Sleep(50 * time.Millisecond)
					io.WriteString(conn, tc.answer)
				}()
			}
		}()
		c := &filter.Clamd{Address: ln.Addr().String(), Timeout: 500 * time.Millisecond}
		if found, err := c.Scan(context.Background(), strings.NewReader("x")); found != "" || !errors.Is(err, filter.ErrNotJudged) {
			t.Errorf("%s: %q, %v", tc.name, found, err)
		}
		ln.Close()
		if found, err := c.Scan(context.Background(), strings.NewReader("x")); found != "" || !errors.Is(err, filter.ErrNotJudged) {
			t.Errorf("down: %q, %v", found, err)
		}
	}
}

func TestRspamdFindsWhatItKnows(t *testing.T) {
	path := mailtest.Program(t, "rspamd")
	dir := t.TempDir()
	for p := dir; p != "/"; p = filepath.Dir(p) { // it drops its rights
		os.Chmod(p, 0o777|os.ModeSticky)
		if filepath.Dir(p) == os.TempDir() {
			break
		}
	}
	address := mailtest.FreePort(t)
	conf := fmt.Sprintf(`options { pidfile = "%[1]s/pid"; filters = ""; dns { nameserver = ["127.0.0.1:1:1"]; timeout = 0.2s; retransmits = 1; } gtube_patterns = "all"; }
logging { type = "console"; level = "warning"; }
worker "normal" { bind_socket = "%[2]s"; count = 1; }
actions { reject = 15; add_header = 6; greylist = 4; }
`, dir, address)
	if err := os.WriteFile(filepath.Join(dir, "rspamd.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	mailtest.Start(t, address, path, "-f", "--insecure", "-c", filepath.Join(dir, "rspamd.conf"))
	c := &filter.Rspamd{URL: "http://" + address}
	who := filter.Envelope{Remote: "192.0.2.1", Helo: "x", Sender: "a@b.test", Rcpts: []string{"b@c.test", "d@c.test"}}
	good, err := c.Check(context.Background(), who, strings.NewReader("From: a@b.test\r\nSubject: x\r\n\r\nVăn bản\r\n"))
	if err != nil || good.Junk() {
		t.Errorf("%+v, %v", good, err)
	}
	bad, err := c.Check(context.Background(), who, strings.NewReader("From: a@b.test\r\nSubject: x\r\n\r\n"+gtube+"\r\n"))
	if err != nil || !bad.Junk() || bad.Action != "reject" {
		t.Errorf("%+v, %v", bad, err)
	}
}

func TestDoubtfulSpamFiltersJudgeNothing(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"error":    func(w http.ResponseWriter) { w.WriteHeader(500) },
		"nonsense": func(w http.ResponseWriter) { io.WriteString(w, "<html>") },
		"empty":    func(w http.ResponseWriter) { io.WriteString(w, "{}") },
		"endless":  func(w http.ResponseWriter) { io.WriteString(w, `{"action":"`+strings.Repeat("x", 2<<20)+`"}`) },
		"slow":     func(http.ResponseWriter) { time.Sleep(time.Second) },
	}
	for name, answer := range answers {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Evil") != "" {
				t.Error("a mail's sender added a field")
			}
			io.Copy(io.Discard, r.Body)
			answer(w)
		}))
		c := &filter.Rspamd{URL: srv.URL, Timeout: 300 * time.Millisecond}
		if s, err := c.Check(context.Background(), filter.Envelope{Sender: "a\r\nX-Evil: 1"}, strings.NewReader("x")); !errors.Is(err, filter.ErrNotJudged) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		srv.Close()
	}
}

func TestWhatIsNotJudgedWaitsOrIsMarked(t *testing.T) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	down := &filter.Clamd{Address: mailtest.FreePort(t), Timeout: time.Second}
	f := &filter.Filter{Clamd: down, Rspamd: &filter.Rspamd{URL: "http://" + mailtest.FreePort(t)}, Wait: true, Log: slog.New(slog.DiscardHandler)}
	if _, err := f.Ask(context.Background(), filter.Envelope{}, true, open); !errors.Is(err, filter.ErrNotJudged) {
		t.Errorf("wait: %v", err)
	}
	f.Wait = false
	found, err := f.Ask(context.Background(), filter.Envelope{}, true, open)
	if err != nil || !found.Unscanned || found.Judged || found.Junk || string(found.Field()) != "X-Virus-Status: not scanned\r\n" {
		t.Errorf("mark: %+v, %v", found, err)
	}
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
