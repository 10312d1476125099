package smtpd_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/smtpd"
	"congvan/mailcore/sqldb"
)

func TestBodyIsKeptAndTraceIsThePrefix(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		body := "Received: from x by y; Mon, 1 Jan 2026 00:00:00 +0700\r\nFrom: =?utf-8?q?Ng=C6=B0=E1=BB=9Di?= <n@bo.test>\r\n" +
			"Subject: th\u1eed\r\nMessage-ID: <m1@bo.test>\r\n\r\n.dot\r\n" + strings.Repeat("dài ", 2000) + "\r\n\xff\xfe 8-bit\r\n"
		c := call(t, h.mx)
		c.do("EHLO (evil) x\r", "250")
		c.do("MAIL FROM:<n@bo.test>", "250")
		c.do("RCPT TO:<a1@kontum.test>", "250")
		c.do("RCPT TO:<a2@kontum.test>", "250")
		c.do("DATA", "354")
		c.send(strings.ReplaceAll(body, "\r\n.", "\r\n..") + ".\r\n")
		c.expect("250 2.0.0 OK")

		for _, who := range []string{"a1@kontum.test", "a2@kontum.test"} {
			rows, bodies := h.inbox(t, who)
			if len(rows) != 1 || bodies[0] != body {
				t.Fatalf("%s has %d messages, body changed: %.200q", who, len(rows), bodies)
			}
			want := regexp.MustCompile(`^Return-Path: <n@bo\.test>\r\nReceived: from unknown \(\[127\.0\.0\.1\]\)\r\n\tby mail\.kontum\.test with ESMTP id \w{16}\r\n` +
				`\tfor <` + who + `>; \w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d \+0700\r\n$`)
			if !want.Match(rows[0].Prefix) {
				t.Errorf("prefix %q", rows[0].Prefix)
			}
			if rows[0].Ref != "" || rows[0].Summary.Envelope.MessageID != "m1@bo.test" {
				t.Errorf("row %+v", rows[0])
			}
		}
		arrived := h.arrivals(t)
		if len(arrived) != 2 || arrived[0] != (mailcore.Arrival{Sender: "n@bo.test", Rcpt: "a1@kontum.test", Remote: "127.0.0.1"}) {
			t.Errorf("arrivals %+v", arrived)
		}
	})
}

func TestSubmissionIsMadeCanonicalAndComplete(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		c := h.login(t)
		c.do("MAIL FROM:<a1@kontum.test> ENVID=toi-1", "250")
		c.do("RCPT TO:<a2@kontum.test>", "250")
		c.do("RCPT TO:<xa@bo.test>", "250")
		c.do("DATA", "354")
		c.send("From: a1@kontum.test\nSubject: x\r\n\nmột\nhai\rba\r\n.\r\n")
		c.expect("250")
		_, bodies := h.inbox(t, "a2@kontum.test")
		want := regexp.MustCompile(`^Date: [^\r\n]+ \+0700\r\nMessage-ID: <\w+@mail\.kontum\.test>\r\nFrom: a1@kontum\.test\r\nSubject: x\r\n\r\nmột\r\nhai\r\nba\r\n$`)
		if len(bodies) != 1 || !want.MatchString(bodies[0]) {
			t.Fatalf("body %q", bodies)
		}
		jobs := h.outbox(t)
		if len(jobs) != 1 || jobs[0].Sender != "a1@kontum.test" || jobs[0].Rcpt != "xa@bo.test" || jobs[0].EnvID != "toi-1" ||
			jobs[0].ExpiresAt.Sub(jobs[0].CreatedAt) != 24*time.Hour {
			t.Fatalf("outbox %+v", jobs)
		}
		if p := string(jobs[0].Prefix); !strings.HasPrefix(p, "Received: from may.tram.test") || strings.Contains(p, "Return-Path") || !strings.Contains(p, "ESMTPSA") {
			t.Errorf("prefix %q", p)
		}
		if got := h.bytes(t, jobs[0].Digest); got != bodies[0] {
			t.Error("local and outside recipients get different bodies")
		}
		if a := h.arrivals(t); len(a) != 1 || a[0].AuthAs != "a1@kontum.test" {
			t.Errorf("arrivals %+v", a)
		}
	})
}

func TestDateAndMessageIDOfTheClientStay(t *testing.T) {
	h := onSQLite(t, 2, nil)
	c := h.login(t)
	body := "From: a1@kontum.test\r\nDate: Mon, 2 Nov 2026 08:00:00 +0700\r\nMessage-Id: <toi@may>\r\n\r\nx\r\n"
	c.do("MAIL FROM:<a1@kontum.test>", "250")
	c.do("RCPT TO:<a2@kontum.test>", "250")
	c.do("DATA", "354")
	c.send(body + ".\r\n")
	c.expect("250")
	if _, bodies := h.inbox(t, "a2@kontum.test"); bodies[0] != body {
		t.Errorf("body %q", bodies[0])
	}
}

func TestSizeLimit(t *testing.T) {
	h := onSQLite(t, 1, nil)
	line := strings.Repeat("x", 98) + "\r\n"
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250 SIZE")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send("Subject: x\r\n\r\n" + strings.Repeat(line, 20000) + "MAIL FROM:<z@y.test>\r\n.\r\n") // 2 MB, the limit is 1 MiB
	c.expect("552 5.3.4")
	c.do("NOOP", "250 2.0.0") // still in step
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.send("BDAT 2000000 LAST\r\n")
	c.expect("552 5.3.4")
	c.conn.Close()

	c = call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send(strings.Repeat("X-Long: "+line, 9000) + "\r\nx\r\n.\r\n") // fits the limit, one header
	c.expect("250")
	if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != 1 {
		t.Errorf("%d messages", len(rows))
	}
}

func TestFullMailboxIsToldForItsRecipientAlone(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		if err := h.store.SetQuota(context.Background(), "a2@kontum.test", 5000); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*caller{call(t, h.mx), h.login(t)} {
			c.do("EHLO may.tram.test", "250")
			c.do("MAIL FROM:<a1@kontum.test> SIZE=5001", "250")
			c.do("RCPT TO:<a2@kontum.test>", "452 4.2.2")
			c.do("RCPT TO:<a1@kontum.test>", "250")
			for range 60 { // asking again is no guessing
				c.do("RCPT TO:<a2@kontum.test>", "452 4.2.2")
			}
			c.do("RSET", "250")
			c.do("MAIL FROM:<a1@kontum.test> SIZE=100", "250")
			c.do("RCPT TO:<a2@kontum.test>", "250")
			c.do("DATA", "354")
			c.send("From: a1@kontum.test\r\nSubject: x\r\n\r\n" + strings.Repeat("dài\r\n", 300) + ".\r\n")
			c.expect("250")
		}
		if err := h.store.SetQuota(context.Background(), "a2@kontum.test", 1000); err != nil {
			t.Fatal(err)
		}
		c := call(t, h.mx)
		c.do("EHLO may.tram.test", "250")
		c.do("MAIL FROM:<n@bo.test>", "250") // no word of the size: what is full stays full
		c.do("RCPT TO:<a2@kontum.test>", "452 4.2.2")
	})
}

func TestHugeHeaderIsRefused(t *testing.T) {
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.MaxMessage = 8 << 20 })
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send("X: " + strings.Repeat("y", 2<<20) + "\r\n\r\nx\r\n.\r\n")
	c.expect("552 5.3.4")
	c.do("NOOP", "250")
}

func TestManyRecipientsAreOneTransaction(t *testing.T) {
	forEach(t, 1001, nil, func(t *testing.T, h *house) {
		c := call(t, h.mx)
		c.do("EHLO bo.test", "250 RCPTMAX=1000")
		c.do("MAIL FROM:<x@y.test>", "250")
		var b strings.Builder
		for i := range 1001 {
			fmt.Fprintf(&b, "RCPT TO:<a%d@kontum.test>\r\n", i+1)
		}
		go c.send(b.String()) // pipelined: the server answers while it reads
		for i := range 1001 {
			if i < 1000 {
				c.expect("250")
			} else {
				c.expect("452 4.5.3")
			}
		}
		c.do("DATA", "354")
		c.send("Subject: toàn tỉnh\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 4000) + ".\r\n")
		start := time.Now()
		c.expect("250")
		t.Logf("1,000 recipients, 300 KB: 250 after %v", time.Since(start))
		// One transaction has one time: every row and every event has it.
		times := map[time.Time]int{}
		for i := range 1000 {
			rows, _, err := h.store.Rows(ctx, h.mailboxOf(t, i+1))
			if err != nil || len(rows) != 1 {
				t.Fatalf("a%d: %d rows, %v", i+1, len(rows), err)
			}
			times[rows[0].ReceivedAt]++
		}
		events, err := h.store.PendingEvents(ctx, 2000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			times[e.At]++
		}
		if len(times) != 1 || len(events) != 1000 {
			t.Errorf("%d transactions, %d events", len(times), len(events))
		}
	})
}

func (h *house) mailboxOf(t testing.TB, n int) mailcore.MailboxID {
	t.Helper()
	m, err := h.store.Mailbox(ctx, h.accounts[n+2].ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func TestStoreFailureIsTemporaryAndSaysNothing(t *testing.T) {
	h := onSQLite(t, 1, nil)
	if err := os.RemoveAll(h.blobs); err != nil { // a disk that went away
		t.Fatal(err)
	}
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	large := "Subject: x\r\n\r\n" + strings.Repeat("x\r\n", 30000) + ".\r\n" // a small body needs no file
	c.send(large)
	if got := c.expect("451 4.3.0"); strings.Contains(got, h.blobs) || strings.Contains(got, "blob") {
		t.Errorf("the answer tells our inside: %q", got)
	}
	os.MkdirAll(h.blobs, 0o750)
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send(large)
	c.expect("250")
}

type brokenRouter struct{}

func (brokenRouter) Route(context.Context, mailcore.Address) (mailcore.Route, error) {
	return mailcore.Route{}, errors.New("dial tcp 10.1.2.3:5432: connection refused")
}

func TestRouterFailureIsTemporary(t *testing.T) {
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.Router = brokenRouter{} })
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	if got := c.do("RCPT TO:<a1@kontum.test>", "451 4.3.0"); strings.Contains(got, "10.1.2.3") {
		t.Errorf("the answer tells our inside: %q", got)
	}
}

func TestSlowBodyMayTakeLongerThanACommand(t *testing.T) {
	const patience = 5 * time.Second // a loaded machine, too, sends the next command in less
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.BodyIdle, o.IdleTimeout = time.Minute, patience })
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	for range 6 { // each piece is in time, all of it takes longer than one command may
		c.send("X-A: b\r\n")
		time.Sleep(patience / 5)
	}
	c.send("\r\nx\r\n.\r\n")
	c.expect("250")
}

func TestSlowBodyTimesOutAndNothingOfItRuns(t *testing.T) {
	h := onSQLite(t, 2, func(o *smtpd.Options) { o.BodyIdle = 200 * time.Millisecond })
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send("Subject: x\r\n\r\n")
	c.expect("451 4.4.2")
	c.conn.Write([]byte("RSET\r\nMAIL FROM:<z@y.test>\r\nRCPT TO:<a2@kontum.test>\r\nDATA\r\nx\r\n.\r\n"))
	for {
		got, err := c.reply()
		if err != nil {
			break
		}
		if !strings.HasPrefix(got, "421") {
			t.Fatalf("the rest of a body ran as commands: %q", got)
		}
	}
	if rows, _ := h.inbox(t, "a2@kontum.test"); len(rows) != 0 {
		t.Error("a message was smuggled")
	}
}

func TestWholeBodyHasADeadline(t *testing.T) {
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.BodyTimeout = 300 * time.Millisecond })
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 100 {
			if _, err := c.conn.Write([]byte("X-A: b\r\n")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	c.expect("451 4.4.2")
	<-ended
}

// Ends inside a BDAT chunk: the library would take what came for the whole.
func TestCutChunkIsNoMessage(t *testing.T) {
	said := make(chan string, 100)
	h := onSQLite(t, 2, func(o *smtpd.Options) { o.Logger = slog.New(teller{slog.DiscardHandler, said}) })
	for _, withTLS := range []bool{false, true} {
		c := call(t, h.mx)
		c.do("EHLO bo.test", "250")
		if withTLS {
			c.startTLS(h.roots)
			c.do("EHLO bo.test", "250")
		}
		c.do("MAIL FROM:<x@y.test>", "250")
		c.do("RCPT TO:<a1@kontum.test>", "250")
		c.send("BDAT 5000 LAST\r\nSubject: x\r\n\r\nhalf of it\r\n")
		c.conn.Close() // over TLS this says so first
		if got := <-said; got != "message refused" {
			t.Errorf("TLS %v: a cut message: %q", withTLS, got)
		}
	}
	if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != 0 {
		t.Errorf("%d cut messages were delivered", len(rows))
	}
}

// A teller passes on what becomes of messages.
type teller struct {
	slog.Handler
	said chan string
}

func (t teller) Enabled(context.Context, slog.Level) bool { return true }
func (t teller) WithAttrs([]slog.Attr) slog.Handler       { return t }
func (t teller) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "message") {
		t.said <- r.Message
	}
	return nil
}

func TestEndlessLine(t *testing.T) {
	h := onSQLite(t, 1, nil)
	c := call(t, h.mx)
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	sent := 0
	for sent < 50<<20 {
		n, err := c.conn.Write([]byte(strings.Repeat("A", 32<<10)))
		sent += n
		if err != nil {
			break
		}
	}
	if sent >= 50<<20 {
		t.Error("50 MB without a line end were read")
	}
}

func TestConnectionLimits(t *testing.T) {
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.MaxConnsOfAddr = 3 })
	var open []*caller
	for range 3 {
		open = append(open, call(t, h.mx))
	}
	conn, err := net.Dial("tcp", h.mx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(got), "421 4.7.0") {
		t.Errorf("the fourth connection got %q", got)
	}
	open[0].do("QUIT", "221")
	io.ReadAll(open[0].conn)
	call(t, h.mx) // there is room again
}

func TestThrottleOfLogins(t *testing.T) {
	h := onSQLite(t, 1, nil)
	var last string
	for i := range 4 {
		c := call(t, h.submit)
		c.do("EHLO x", "250")
		c.startTLS(h.roots)
		c.do("EHLO x", "250")
		for j := range 3 {
			c.send("AUTH PLAIN " + plain("a1@kontum.test", fmt.Sprint("sai ", i, j)) + "\r\n")
			last, _ = c.reply()
		}
	}
	if !strings.HasPrefix(last, "454 4.7.0") && last != "" {
		t.Errorf("after 10 wrong passwords: %q", last)
	}
	c := call(t, h.submit)
	c.do("EHLO x", "250")
	c.startTLS(h.roots)
	c.do("EHLO x", "250")
	c.do("AUTH PLAIN "+plain("a1@kontum.test", password), "454 4.7.0")
	c = call(t, h.submit) // another account from the same address still gets in
	c.do("EHLO x", "250")
	c.startTLS(h.roots)
	c.do("EHLO x", "250")
	c.do("AUTH PLAIN "+plain("moi@kontum.test", password), "535 5.7.0")
}

func TestStopLetsABodyFinishAndEndsIdleSessions(t *testing.T) {
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.Grace = 2 * time.Minute })
	idle := call(t, h.mx)
	busy := call(t, h.mx)
	busy.do("EHLO bo.test", "250")
	busy.do("MAIL FROM:<x@y.test>", "250")
	busy.do("RCPT TO:<a1@kontum.test>", "250")
	busy.do("DATA", "354")
	busy.send("Subject: x\r\n\r\n")
	time.Sleep(50 * time.Millisecond) // the body has begun
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	idle.expect("421")
	busy.send("x\r\n.\r\n")
	busy.expect("250")
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Fatal("the server did not stop")
	}
	if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != 1 {
		t.Errorf("%d messages", len(rows))
	}
}

func TestStopCutsWhatDoesNotFinish(t *testing.T) {
	h := onSQLite(t, 1, func(o *smtpd.Options) { o.Grace = 100 * time.Millisecond })
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("MAIL FROM:<x@y.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	h.stop()
	if took := time.Since(start); took > time.Minute { // a body may take longer
		t.Errorf("stopping took %v", took)
	}
}

func TestImplicitTLS(t *testing.T) {
	db := mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db"))
	h := newHouse(t, db, 1, nil)
	server, pool := mailtest.ServerTLS(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	srv := smtpd.New(smtpd.Options{Store: h.store, Router: h.store.LocalRouter(domain, nil), Mode: smtpd.Submission, Domain: domain,
		Hostname: "mail." + domain, TLS: server, Logger: mailtest.Quiet})
	go func() { ended <- srv.ServeTLS(run, ln) }()
	conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &caller{t, conn, nil}
	c.r = newReader(conn)
	c.expect("220")
	if got := c.do("EHLO x", "250 AUTH"); strings.Contains(got, "STARTTLS") {
		t.Error("STARTTLS is offered inside TLS")
	}
	c.do("AUTH PLAIN "+plain("a1@kontum.test", password), "235")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Commands that somebody puts between STARTTLS and the handshake never run (CVE-2011-0411): they spoil the handshake.
func TestCommandsInjectedBeforeTLS(t *testing.T) {
	h := onSQLite(t, 1, nil)
	c := call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.send("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@y.test>\r\n")
	c.expect("220")
	if err := tls.Client(c.conn, h.roots).Handshake(); err == nil {
		t.Fatal("a session began")
	}
	c = call(t, h.mx)
	c.do("EHLO bo.test", "250")
	c.do("STARTTLS", "220")
	conn := tls.Client(c.conn, h.roots)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
}

func TestReceiptForNotifySuccess(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		c := call(t, h.mx)
		c.do("EHLO bo.test", "250 DSN")
		c.do("MAIL FROM:<vanthu+d7@bo.test> ENVID=d7 RET=HDRS", "250")
		c.do("RCPT TO:<a1@kontum.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;A1+2Bx@kontum.test", "250")
		c.do("RCPT TO:<a2@kontum.test> NOTIFY=FAILURE", "250")
		c.do("DATA", "354")
		c.send("Subject: =?utf-8?q?B=C3=A1o_c=C3=A1o?=\r\nMessage-ID: <m@bo.test>\r\n\r\nx\r\n.\r\n")
		c.expect("250")
		jobs := h.outbox(t)
		if len(jobs) != 1 || jobs[0].Sender != "" || jobs[0].Rcpt != "vanthu+d7@bo.test" {
			t.Fatalf("outbox %+v", jobs)
		}
		rep, err := dsn.Parse(strings.NewReader(h.bytes(t, jobs[0].Digest)))
		if err != nil {
			t.Fatal(err)
		}
		if rep.EnvID != "d7" || rep.MessageID != "m@bo.test" || rep.Subject != "Báo cáo" || len(rep.Recipients) != 1 || rep.Recipients[0].Action != dsn.Delivered ||
			rep.Recipients[0].Final != "a1@kontum.test" || rep.Recipients[0].Original != "rfc822;A1+x@kontum.test" {
			t.Errorf("report %+v", rep)
		}

		// a stranger cannot make us put reports into a mailbox of ours
		c.do("MAIL FROM:<a2@kontum.test>", "250")
		c.do("RCPT TO:<a1@kontum.test> NOTIFY=SUCCESS", "250")
		c.do("DATA", "354")
		c.send("Subject: x\r\n\r\nx\r\n.\r\n")
		c.expect("250")
		if rows, _ := h.inbox(t, "a2@kontum.test"); len(rows) != 1 {
			t.Errorf("a2 has %d messages, want the first one only", len(rows))
		}

		own := h.login(t)
		own.do("MAIL FROM:<a1@kontum.test>", "250")
		own.do("RCPT TO:<a2@kontum.test> NOTIFY=SUCCESS", "250")
		own.do("DATA", "354")
		own.send("From: a1@kontum.test\r\n\r\nx\r\n.\r\n")
		own.expect("250")
		rows, bodies := h.inbox(t, "a1@kontum.test")
		if len(rows) != 3 {
			t.Fatalf("a1 has %d messages", len(rows))
		}
		if _, err := dsn.Parse(strings.NewReader(bodies[2])); err != nil {
			t.Error(err)
		}
	})
}

func TestParallelSessions(t *testing.T) {
	forEach(t, 3, nil, func(t *testing.T, h *house) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Add(1)
			c := call(t, h.mx)
			go func() {
				defer wg.Done()
				c.do("EHLO bo.test", "250")
				for j := range 10 {
					c.do("MAIL FROM:<x@y.test>", "250")
					c.do("RCPT TO:<a1@kontum.test>", "250")
					c.do("RCPT TO:<a2@kontum.test>", "250")
					c.do("DATA", "354")
					c.send(fmt.Sprintf("Subject: %d\r\n\r\n%d\r\n.\r\n", i, j))
					c.expect("250")
				}
			}()
		}
		wg.Wait()
		for _, who := range []string{"a1@kontum.test", "a2@kontum.test"} {
			if rows, _ := h.inbox(t, who); len(rows) != 80 {
				t.Errorf("%s has %d messages", who, len(rows))
			}
		}
	})
}

func TestMsmtp(t *testing.T) {
	bin, err := exec.LookPath("msmtp")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("msmtp is not installed")
		}
		t.Skip("SKIPPED, nothing tested: msmtp is not installed")
	}
	h := onSQLite(t, 2, nil)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	conn := call(t, h.submit)
	conn.do("EHLO x", "250")
	conn.startTLS(&tls.Config{InsecureSkipVerify: true})
	writePEM(t, ca, conn.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	host, port, _ := net.SplitHostPort(h.submit)
	for _, method := range []string{"plain", "login"} {
		cmd := exec.Command(bin, "--host="+host, "--port="+port, "--tls=on", "--tls-starttls=on", "--tls-trust-file="+ca, "--tls-host-override=localhost",
			"--auth="+method, "--user=a1@kontum.test", "--passwordeval=printf '%s' '"+password+"'", "--from=a1@kontum.test", "--file=/dev/null", "a2@kontum.test", "ngoai@bo.test")
		cmd.Stdin = strings.NewReader("From: a1@kontum.test\nTo: a2@kontum.test\nSubject: =?utf-8?q?Th=E1=BB=AD?=\n\nĐã tiếp nhận, số đến 123\n.\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", method, err, out)
		}
	}
	if rows, bodies := h.inbox(t, "a2@kontum.test"); len(rows) != 2 || !strings.HasSuffix(bodies[0], "\r\n\r\nĐã tiếp nhận, số đến 123\r\n.\r\n") {
		t.Errorf("%d messages: %q", len(rows), bodies)
	}
	if jobs := h.outbox(t); len(jobs) != 2 {
		t.Errorf("%d rows in the outbox", len(jobs))
	}
}

// BenchmarkIngest is one message of 4 KB to one mailbox over one of 16 connections.
func BenchmarkIngest(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "congvan.db")
			if kind == "postgres" {
				dsn = mailtest.NewPostgres(b)
			}
			benchmarkIngest(b, mailtest.Open(b, dsn))
		})
	}
}

func benchmarkIngest(b *testing.B, db *sqldb.DB) {
	h := newHouse(b, db, 50, nil)
	text := "From: x@y.test\r\nSubject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 57)
	b.ResetTimer()
	var wg sync.WaitGroup
	work := make(chan int)
	for range 16 {
		wg.Add(1)
		c := call(b, h.mx)
		c.do("EHLO bo.test", "250")
		go func() {
			defer wg.Done()
			for n := range work {
				c.send(fmt.Sprintf("MAIL FROM:<x@y.test>\r\nRCPT TO:<a%d@kontum.test>\r\nDATA\r\n", n%50+1))
				c.expect("250")
				c.expect("250")
				c.expect("354")
				c.send(fmt.Sprintf("X-N: %d\r\n%s.\r\n", n, text))
				c.expect("250")
			}
		}()
	}
	for n := range b.N {
		work <- n
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	b.StopTimer()
	h.stop()
}
