package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/imapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

func forEachDB(b *testing.B, fn func(b *testing.B, db *sqldb.DB)) {
	b.Run("sqlite", func(b *testing.B) { fn(b, mailtest.Open(b, "sqlite:"+filepath.Join(b.TempDir(), "congvan.db"))) })
	b.Run("postgres", func(b *testing.B) { fn(b, mailtest.Open(b, mailtest.NewPostgres(b))) })
}

// What a client does with a mailbox of a thousand messages that it sees for the first time; and what is asked each time a
// known mailbox is opened.
func BenchmarkThousandMessages(b *testing.B) {
	forEachDB(b, func(b *testing.B, db *sqldb.DB) {
		h := newHouse(b, db)
		fill(h, 1000)
		p := h.session()
		p.SetDeadline(time.Time{})
		for _, c := range []struct{ name, fetch string }{
			{"select", ""},
			{"flags", "UID FETCH 1:* (FLAGS)"},
			{"list", "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"},
			{"thunderbird", "UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"},
			{"whole", "UID FETCH 1:* (BODY.PEEK[])"},
			{"search", `SEARCH SUBJECT "cong van 17"`},
			{"search-body", `SEARCH BODY "thu so 17"`},
		} {
			b.Run(c.name, func(b *testing.B) {
				for b.Loop() {
					p.command(b, "SELECT INBOX")
					if c.fetch == "" {
						continue
					}
					if lines := p.command(b, c.fetch); len(lines) < 50 {
						b.Fatalf("too little came: %q", lines)
					}
				}
			})
		}
	})
}

// idlers is how many connections the benchmark holds open, as many for each account as one may have.
const (
	idlers       = 5000
	idleAccounts = 50
)

func idleAccount(i int) string { return fmt.Sprintf("cho%02d@kontum.test", i%idleAccounts) }

// BenchmarkIdleConnections tells what an idling connection costs the server, and how long it takes to wake all of them by one
// delivery: the clients are another process.
func BenchmarkIdleConnections(b *testing.B) {
	h := newHouse(b, sqlite(b), func(o *imapd.Options) { o.MaxPerAddress = idlers })
	h.store.SetHashCost(mailcore.HashCost{Time: 1, Memory: 8})
	var copies []mailcore.Copy
	for i := range idleAccounts {
		copies = append(copies, mailcore.Copy{Account: h.newAccount(idleAccount(i), mailcore.Unit, false).ID})
	}
	for i := range 100 {
		h.deliverTo(letter("Thư", i), copies)
	}
	for b.Loop() {
		before := memory()
		start := time.Now()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestIdlersProcess$")
		cmd.Env = append(os.Environ(), "IDLERS_ADDR="+h.tls, "IDLERS_CA="+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.leaf})))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewReader(out)
		expectLine(b, lines, "idling")
		ready := time.Since(start)
		after := memory()
		start = time.Now()
		h.deliverTo(letter("Mới", 1), copies)
		expectLine(b, lines, "woken")
		b.ReportMetric(float64(after-before)/idlers/1024, "KiB/conn")
		b.ReportMetric(ready.Seconds(), "s/to-idle")
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/to-wake-all")
		in.Close()
		cmd.Wait()
	}
}

// deliverTo puts a message into several inboxes at once.
func (h *house) deliverTo(data []byte, copies []mailcore.Copy) {
	h.t.Helper()
	body, err := h.store.SaveBody(context.Background(), bytes.NewReader(data), 0)
	if err == nil {
		_, err = h.store.Deliver(context.Background(), body, copies)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func expectLine(b *testing.B, in *bufio.Reader, want string) {
	b.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			b.Fatalf("want %q: %q, %v", want, line, err)
		}
		if strings.TrimSpace(line) == want {
			return
		}
	}
}

// memory is what the runtime holds for live objects and stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// TestIdlersProcess is the clients' half of BenchmarkIdleConnections.
func TestIdlersProcess(t *testing.T) {
	addr := os.Getenv("IDLERS_ADDR")
	if addr == "" {
		t.Skip("only for the benchmark")
	}
	block, _ := pem.Decode([]byte(os.Getenv("IDLERS_CA")))
	h := &house{t: t, tls: addr, roots: pool(t, block.Bytes)}
	conns := make([]*peer, idlers)
	for i := range conns {
		p := h.sessionOf(idleAccount(i))
		p.SetDeadline(time.Now().Add(5 * time.Minute))
		p.command(t, "SELECT INBOX")
		fmt.Fprint(p, "i IDLE\r\n")
		p.until(t, `\+ .*`)
		conns[i] = p
	}
	fmt.Println("idling")
	for _, p := range conns {
		p.until(t, `\* [0-9]+ EXISTS`)
	}
	fmt.Println("woken")
	io.Copy(io.Discard, os.Stdin)
}

// BenchmarkHundredThousand is what a client asks first of a very large mailbox.
func BenchmarkHundredThousand(b *testing.B) {
	forEachDB(b, func(b *testing.B, db *sqldb.DB) {
		h := newHouse(b, db)
		for range 20 {
			fill(h, 5000)
		}
		p := h.session()
		p.SetDeadline(time.Time{})
		start := time.Now()
		p.command(b, "SELECT INBOX")
		first := time.Since(start) // nobody had it open before
		b.Run("sessions", func(b *testing.B) {
			b.ReportMetric(float64(first.Milliseconds()), "ms/first-select")
			before, peers := memory(), make([]*peer, 20)
			for i := range peers {
				peers[i] = h.session()
				peers[i].command(b, "SELECT INBOX")
			}
			b.ReportMetric(float64(memory()-before)/float64(len(peers))/1024, "KiB/session")
			h.deliver(mailcore.Inbox, letter("Thư", 1), "", "") // each now has a picture of its own
			for _, q := range peers {
				q.command(b, "NOOP")
			}
			b.ReportMetric(float64(memory()-before)/float64(len(peers))/1024, "KiB/session-of-its-own")
			for _, q := range peers {
				q.Close()
			}
		})
		for _, c := range []struct{ name, command string }{
			{"select", "SELECT INBOX"},
			{"status", "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)"},
			{"status-changed", "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)"},
			{"list-status", `LIST "" * RETURN (STATUS (MESSAGES UNSEEN SIZE))`},
			{"search-unseen", "SEARCH RETURN (COUNT) UNSEEN"},
			{"search-day", "SEARCH RETURN (COUNT) SINCE 1-Jan-2020"},
			{"search-subject", `SEARCH RETURN (COUNT) SUBJECT "cong van 17"`},
			{"search-from", `SEARCH RETURN (COUNT) FROM "ubnd"`},
			{"search-text", `SEARCH RETURN (COUNT) UID 1:10000 TEXT "thu so 17"`},
			{"flags", "UID FETCH 99900:* (FLAGS)"},
		} {
			b.Run(c.name, func(b *testing.B) {
				p.command(b, "SELECT INBOX")
				b.ReportAllocs()
				for b.Loop() {
					if c.name == "status-changed" {
						b.StopTimer()
						h.deliver(mailcore.Inbox, letter("Thư", 1), "", "")
						b.StartTimer()
					}
					p.command(b, c.command)
				}
			})
		}
	})
}
