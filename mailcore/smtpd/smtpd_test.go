package smtpd_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/smtpd"
	"congvan/mailcore/sqldb"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("congvan/mailcore/mailtest.startServer.func1")) // the throwaway PostgreSQL lives as long as the process
}

var ctx = context.Background()

const (
	domain   = "kontum.test"
	password = "mật khẩu Đúng 1"
)

// A house is a store with accounts a1@ … (only a1@ has a password), traloi@, and one server of each kind.
type house struct {
	store      *mailcore.Store
	blobs      string
	accounts   []mailcore.Account
	mx, submit string // addresses
	roots      *tls.Config
	leaf       []byte // the server's certificate
	stop       func()
}

func newHouse(t testing.TB, db *sqldb.DB, accounts int, change func(*smtpd.Options)) *house {
	t.Helper()
	h := &house{blobs: filepath.Join(t.TempDir(), "blobs")}
	dir, err := blob.OpenDir(h.blobs)
	if err != nil {
		t.Fatal(err)
	}
	h.store = mailcore.NewStore(db, dir, mailtest.Quiet)
	want := []mailcore.NewAccount{{Address: "traloi@" + domain, Kind: mailcore.System, Name: "Trả lời"},
		{Address: "moi@" + domain, Kind: mailcore.Officer, Name: "Mới", Password: password, MustChange: true},
		{Address: "vănthư@" + domain, Kind: mailcore.Officer, Name: "Văn thư"}}
	for i := range accounts {
		n := mailcore.NewAccount{Address: mailcore.Address(fmt.Sprintf("a%d@%s", i+1, domain)), Kind: mailcore.Unit, Name: fmt.Sprint("Đơn vị ", i+1)}
		if i == 0 {
			n.Password = password
		}
		want = append(want, n)
	}
	if h.accounts, err = h.store.CreateAccounts(ctx, want); err != nil {
		t.Fatal(err)
	}
	server, pool := mailtest.ServerTLS(t, "mail."+domain)
	h.leaf = server.Certificates[0].Certificate[0]
	h.roots = &tls.Config{RootCAs: pool, ServerName: "mail." + domain}
	run, cancel := context.WithCancel(ctx)
	ended := make(chan error, 2)
	serve := func(mode smtpd.Mode) string {
		opt := smtpd.Options{Store: h.store, Router: h.store.LocalRouter(domain, map[string]mailcore.Address{"postmaster": "a1@" + domain}),
			Mode: mode, Domain: domain, Hostname: "mail." + domain, TLS: server, Logger: mailtest.Quiet, FailDelay: time.Millisecond,
			MaxMessage: 1 << 20, Grace: 5 * time.Second}
		if change != nil {
			change(&opt)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- smtpd.New(opt).Serve(run, ln) }()
		return ln.Addr().String()
	}
	h.mx, h.submit = serve(smtpd.MX), serve(smtpd.Submission)
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("serve: %v", err)
			}
		}
	}
	t.Cleanup(h.stop)
	return h
}

func forEach(t *testing.T, accounts int, change func(*smtpd.Options), fn func(t *testing.T, h *house)) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db, accounts, change)
		fn(t, h)
		h.stop()
		h.check(t)
	})
}

func onSQLite(t testing.TB, accounts int, change func(*smtpd.Options)) *house {
	t.Helper()
	return newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db")), accounts, change)
}

func (h *house) check(t testing.TB) {
	t.Helper()
	found, err := h.store.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("invariant: %s", f)
	}
}

// inbox returns what lies in an account's INBOX, prefix and body apart.
func (h *house) inbox(t testing.TB, address string) (rows []mailcore.Stored, bodies []string) {
	t.Helper()
	account, err := h.store.Account(ctx, mailcore.Address(address))
	if err != nil {
		t.Fatal(err)
	}
	box, err := h.store.Mailbox(ctx, account.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := h.store.Rows(ctx, box.ID)
	if err != nil {
		t.Fatal(err)
	}
	var uids []mailcore.UID
	for _, r := range list {
		uids = append(uids, r.UID)
	}
	if len(uids) > 0 {
		if rows, err = h.store.Load(ctx, box.ID, uids); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range rows {
		bodies = append(bodies, h.bytes(t, r.Digest))
	}
	return rows, bodies
}

func (h *house) bytes(t testing.TB, d blob.Digest) string {
	t.Helper()
	f, err := h.store.Blobs().Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (h *house) outbox(t testing.TB) []mailcore.Job {
	t.Helper()
	jobs, err := h.store.ClaimOutbox(ctx, 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func (h *house) arrivals(t testing.TB) []mailcore.Arrival {
	t.Helper()
	events, err := h.store.PendingEvents(ctx, 5000)
	if err != nil {
		t.Fatal(err)
	}
	var out []mailcore.Arrival
	for _, e := range events {
		var a mailcore.Arrival
		if e.Kind != mailcore.EventArrived {
			continue
		}
		if err := json.Unmarshal([]byte(e.Detail), &a); err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// A caller speaks SMTP by hand.
type caller struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func call(t testing.TB, addr string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &caller{t, conn, bufio.NewReader(conn)}
	c.expect("220")
	return c
}

func (c *caller) send(raw string) {
	c.t.Helper()
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c.conn, raw); err != nil {
		c.t.Fatalf("send %.60q: %v", raw, err)
	}
}

// reply reads one answer, its lines joined by "\n".
func (c *caller) reply() (string, error) {
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	var lines []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return strings.Join(lines, "\n"), err
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n"), nil
		}
	}
}

func (c *caller) expect(want string) string {
	c.t.Helper()
	got, err := c.reply()
	if err != nil || !matches(got, want) {
		c.t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	return got
}

// matches reports whether an answer begins with the first word of want and has the others in it.
func matches(got, want string) bool {
	last := got[strings.LastIndexByte(got, '\n')+1:]
	for i, w := range strings.Fields(want) {
		if i == 0 && !strings.HasPrefix(last, w) || !strings.Contains(got, w) {
			return false
		}
	}
	return true
}

func (c *caller) do(line, want string) string {
	c.t.Helper()
	c.send(line + "\r\n")
	got, err := c.reply()
	if err != nil || !matches(got, want) {
		c.t.Fatalf("%.80q: got %q, %v; want %q", line, got, err, want)
	}
	return got
}

func (c *caller) startTLS(config *tls.Config) {
	c.t.Helper()
	c.do("STARTTLS", "220")
	t := tls.Client(c.conn, config)
	if err := t.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = t, bufio.NewReader(t)
}

// login returns a session of a1@ on the submission port.
func (h *house) login(t testing.TB) *caller {
	t.Helper()
	c := call(t, h.submit)
	c.do("EHLO may.tram.test", "250")
	c.startTLS(h.roots)
	c.do("EHLO may.tram.test", "250 AUTH")
	c.do("AUTH PLAIN "+plain("a1@"+domain, password), "235")
	return c
}

// TestDialogues runs testdata/*.txt. Lines: "> text" is sent with CRLF, ">> "go string"" as it is, "< 250 words" expects an
// answer, "-" the end of the connection, "tls" does STARTTLS; "= address n" expects n messages in an INBOX afterwards,
// "~ n" n rows in the outbox. The first line names the server: mx or submission.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			h := onSQLite(t, 3, nil)
			runDialogue(t, h, string(text))
			h.check(t)
		})
	}
}

func runDialogue(t *testing.T, h *house, text string) {
	var c *caller
	for n, line := range strings.Split(text, "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		at := func(format string, args ...any) { t.Fatalf("line %d: %s: %s", n+1, line, fmt.Sprintf(format, args...)) }
		switch mark {
		case "", "#":
		case "mx":
			c = call(t, h.mx)
		case "submission":
			c = call(t, h.submit)
		case "tls":
			c.startTLS(h.roots)
		case ">":
			c.send(rest + "\r\n")
		case ">>":
			raw, err := strconv.Unquote(rest)
			if err != nil {
				at("%v", err)
			}
			c.send(raw)
		case "<":
			if got, err := c.reply(); err != nil || !matches(got, rest) {
				at("got %q, %v", got, err)
			}
		case "-":
			if got, err := c.reply(); err == nil {
				at("got %q", got)
			}
		case "=":
			address, count, _ := strings.Cut(rest, " ")
			if rows, _ := h.inbox(t, address); strconv.Itoa(len(rows)) != count {
				at("%d messages", len(rows))
			}
		case "~":
			if jobs := h.outbox(t); strconv.Itoa(len(jobs)) != rest {
				at("%d rows", len(jobs))
			}
		default:
			at("what is this?")
		}
	}
}

func plain(user, pass string) string { return b64("\x00" + user + "\x00" + pass) }

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func writePEM(t testing.TB, path string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
