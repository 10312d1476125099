package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/imapd"
	"congvan/mailcore/sqldb"
)

const herdAccounts = 400

// BenchmarkHerd is a morning: every unit logs in, opens its inbox, lists it, reads a document of 300 KB and marks it read, so many
// connections at a time. One iteration is one session.
func BenchmarkHerd(b *testing.B) {
	for _, way := range []string{"starttls", "plain"} {
		for _, conns := range []int{50, 200} {
			b.Run(fmt.Sprintf("%s/%d", way, conns), func(b *testing.B) {
				forEachDB(b, func(b *testing.B, db *sqldb.DB) { benchHerd(b, db, way == "starttls", conns) })
			})
		}
	}
}

func benchHerd(b *testing.B, db *sqldb.DB, encrypted bool, conns int) {
	h := newHouse(b, db, func(o *imapd.Options) { o.MaxPerAddress, o.PlainFromLoopback = 1000, true })
	h.store.SetHashCost(mailcore.HashCost{Time: 1, Memory: 8})
	names := h.herd(herdAccounts)
	conf := h.config()
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(herdAccounts)
	for _, n := range names { // so that every login is a remembered one
		if _, err := herdSession(h.plain, n, nil); err != nil {
			b.Fatal(err)
		}
	}
	if !encrypted {
		conf = nil
	}
	took, statements := make([]time.Duration, 0, b.N), int64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= len(names) { // each morning everything is unread
		b.StopTimer()
		err := db.Write(context.Background(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(context.Background(), `UPDATE mailbox_message SET flags = ''`)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		before := db.Statements()
		b.StartTimer()
		took = append(took, h.morning(names[:min(left, len(names))], conns, conf)...)
		statements += db.Statements() - before
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(float64(statements)/float64(b.N), "statements/session")
}

// morning runs a session for each name, so many at a time, and returns how long each took.
func (h *house) morning(names []string, conns int, conf *tls.Config) []time.Duration {
	next, took := make(chan string), make([]time.Duration, 0, len(names))
	var mu sync.Mutex
	var all sync.WaitGroup
	for range conns {
		all.Go(func() {
			for name := range next {
				d, err := herdSession(h.plain, name, conf)
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
				if err != nil {
					h.t.Error(err)
				}
			}
		})
	}
	for _, n := range names {
		next <- n
	}
	close(next)
	all.Wait()
	return took
}

// herd makes accounts with a document of 300 KB each.
func (h *house) herd(n int) []string {
	h.t.Helper()
	ctx := context.Background()
	var wanted []mailcore.NewAccount
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("bay%04d@kontum.test", i))
		wanted = append(wanted, mailcore.NewAccount{Address: mailcore.Address(names[i]), Kind: mailcore.Unit, Name: "Đơn vị", Unit: "X", Password: "Mật khẩu của bầy"})
	}
	made, err := h.store.CreateAccounts(ctx, wanted)
	if err != nil {
		h.t.Fatal(err)
	}
	text := append(letter("Công văn", 1), bytes.Repeat([]byte(strings.Repeat("x", 76)+"\r\n"), 300<<10/78)...)
	body, err := h.store.SaveBody(ctx, bytes.NewReader(text), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	var copies []mailcore.Copy
	for i, a := range made {
		copies = append(copies, mailcore.Copy{Account: a.ID, Prefix: []byte("Return-Path: <>\r\n"), Ref: fmt.Sprintf("dispatch:%d", i)})
	}
	if _, err := h.store.Deliver(ctx, body, copies); err != nil {
		h.t.Fatal(err)
	}
	return names
}

// herdSession is what one client does, over STARTTLS where there is a configuration for it.
func herdSession(addr, name string, conf *tls.Config) (time.Duration, error) {
	start := time.Now()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { c.Close() }()
	c.SetDeadline(start.Add(time.Minute))
	in := bufio.NewReaderSize(c, 16<<10)
	if _, err := in.ReadSlice('\n'); err != nil {
		return 0, err
	}
	run := func(command string) error {
		if _, err := fmt.Fprintf(c, "x %s\r\n", command); err != nil {
			return err
		}
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
			if at := bytes.LastIndexByte(line, '{'); at > 0 && bytes.HasSuffix(line, []byte("}\r\n")) {
				var n int64
				fmt.Sscanf(string(line[at:]), "{%d}", &n)
				if _, err := io.CopyN(io.Discard, in, n); err != nil {
					return err
				}
			}
			if bytes.HasPrefix(line, []byte("x OK")) {
				return nil
			}
			if bytes.HasPrefix(line, []byte("x ")) {
				return fmt.Errorf("%s: %s", command, line)
			}
		}
	}
	if conf != nil {
		if err := run("STARTTLS"); err != nil {
			return 0, err
		}
		c = tls.Client(c, conf)
		in.Reset(c)
	}
	for _, command := range []string{"LOGIN " + name + ` "Mật khẩu của bầy"`, "SELECT INBOX", "FETCH 1:* (UID FLAGS ENVELOPE)", "FETCH 1 (BODY[])",
		`STORE 1 +FLAGS (\Seen)`, "LOGOUT"} {
		if err := run(command); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}
