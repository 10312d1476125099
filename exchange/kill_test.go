package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/queue"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
	"congvan/recipients"
	"congvan/signing"
)

var allKills = flag.Bool("allkills", false, "TestKilledAtEveryPoint kills at every moment, not at one of each kind")

// killEnv makes the test binary run the script of TestKilledAtEveryPoint in a process of its own: folder, address of the server
// outside, hours that the clock is ahead, and the step, the kind of moment and which of that kind at which it kills itself with SIGKILL.
const killEnv = "CONGVAN_TEST_KILL"

func init() {
	if v := os.Getenv(killEnv); v != "" {
		os.Exit(runScript(strings.Split(v, "\n")))
	}
}

// A script does one thing after the other; run again it goes on where it was.
type script struct {
	*exchange.Store
	mail  *mailcore.Store
	db    *sqldb.DB
	queue *queue.Queue

	dir, step        string
	dieStep, dieKind string
	dieTick          int

	mu    sync.Mutex // the queue sends to several at one time
	ticks map[string]int
	trace *os.File
}

// tick is a moment at which the process may be killed. Moments are counted by kind: the queue's come in another order each time.
func (k *script) tick(kind string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.step == "" {
		return
	}
	k.ticks[kind]++
	fmt.Fprintf(k.trace, "%s %d %s\n", k.step, k.ticks[kind], kind)
	if k.step == k.dieStep && kind == k.dieKind && k.ticks[kind] == k.dieTick {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func runScript(args []string) int {
	hours, _ := strconv.Atoi(args[2])
	tick, _ := strconv.Atoi(args[4])
	k := &script{dir: args[0], dieStep: args[3], dieTick: tick, dieKind: args[5]}
	var err error
	if k.trace, err = os.Create(filepath.Join(k.dir, "trace")); err == nil {
		err = k.open(args[1], time.Duration(hours)*time.Hour)
	}
	if err == nil {
		err = k.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, k.step, err)
		return 1
	}
	return 0
}

func (k *script) open(peer string, ahead time.Duration) (err error) {
	ctx := context.Background()
	now := func() time.Time { return time.Now().Add(ahead) }
	fault := func(kind string) error { k.tick(kind); return nil }
	if k.db, err = sqldb.Open(ctx, "sqlite:"+filepath.Join(k.dir, "db"), sqldb.Options{Now: now, Logger: mailtest.Quiet, Fault: fault}); err != nil {
		return err
	}
	if err := k.db.Migrate(ctx, migrations.Files); err != nil {
		return err
	}
	blobs, err := blob.OpenDir(filepath.Join(k.dir, "blobs"))
	if err != nil {
		return err
	}
	dir, err := recipients.ReadDirectory(strings.NewReader(testDirectory), nil)
	if err != nil {
		return err
	}
	k.mail = mailcore.NewStore(k.db, blobs, mailtest.Quiet)
	k.Store = exchange.NewStore(exchange.Options{DB: k.db, Mail: k.mail, Domain: domain, Log: mailtest.Quiet,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return dir, nil },
		Sealer:    func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return testKey() }})
	k.queue = queue.New(queue.Options{Store: k.mail, Domain: domain, Hostname: "mx." + domain, Routes: map[string]string{"bo.test": peer}, Logger: mailtest.Quiet,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			k.tick("connect")
			c, err := net.Dial(network, address)
			return &killConn{c, k}, err
		}})
	if _, err := k.mail.Account(ctx, "syt@"+domain); !errors.Is(err, mailcore.ErrNoAccount) {
		return err
	}
	var accounts []mailcore.NewAccount
	for _, code := range []string{"ubnd", "snv", "stc", "syt", "vphd"} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: code, Unit: code})
	}
	for _, local := range []string{exchange.ReplyMailbox, exchange.BounceMailbox} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(local + "@" + domain), Kind: mailcore.System, Name: local})
	}
	if _, err := k.mail.CreateAccounts(ctx, accounts); err != nil {
		return err
	}
	return k.SetMode(ctx, "snv", 2009, exchange.OutgoingBook, "", exchange.IssuedHere)
}

// A killConn names each phase of SMTP, before it is said and after its answer.
type killConn struct {
	net.Conn
	k *script
}

func (c *killConn) Write(b []byte) (int, error) {
	word, _, _ := strings.Cut(strings.TrimRight(string(b[:min(len(b), 20)]), "\r\n"), " ")
	if !slices.Contains([]string{"EHLO", "MAIL", "RCPT", "DATA", "QUIT", "RSET"}, word) {
		word = "body"
		if bytes.HasSuffix(b, []byte("\r\n.\r\n")) || bytes.Equal(b, []byte(".\r\n")) {
			word = "dot"
		}
	}
	c.k.tick("before " + word)
	n, err := c.Conn.Write(b)
	c.k.tick("after " + word)
	return n, err
}

func (c *killConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.k.tick("answer " + string(b[:min(3, n)]))
	return n, err
}

// keep writes down what somebody was told, as a clerk would.
func (k *script) keep(name, text string) error {
	return os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o644)
}

func (k *script) kept(name string) string {
	b, _ := os.ReadFile(filepath.Join(k.dir, name))
	return string(b)
}

var killSteps = []string{"number", "register", "seal", "issue", "smtp", "dsn", "accept", "recall after accept", "recall", "accept after recall", "forward"}

func (k *script) run() error {
	ctx := context.Background()
	k.step = ""
	if err := k.afterDeath(ctx); err != nil {
		return err
	}
	steps := map[string]func(context.Context) error{"number": k.numbers, "register": k.registers, "seal": k.seals, "issue": k.issues, "smtp": k.sends, "dsn": k.report,
		"accept":              func(ctx context.Context) error { return k.accepts(ctx, 1) },
		"recall after accept": func(ctx context.Context) error { return k.recalls(ctx, 1) },
		"recall":              func(ctx context.Context) error { return k.recalls(ctx, 2) },
		"accept after recall": func(ctx context.Context) error { return k.accepts(ctx, 2) },
		"forward": func(ctx context.Context) error {
			_, err := k.Forward(ctx, exchange.Actor{Unit: "syt", Address: "syt@" + domain}, copyOf(3, 1), "ubnd", "đúng việc của UBND")
			return err
		}}
	for _, name := range killSteps {
		if k.kept("done "+name) != "" {
			continue
		}
		k.step, k.ticks = name, map[string]int{}
		if err := steps[name](ctx); err != nil {
			return err
		}
		k.step = ""
		if under, err := k.underWay(ctx); name == "smtp" && (under || err != nil) {
			return err // the rest waits until the timers of these have ended
		}
		if err := k.keep("done "+name, "x"); err != nil {
			return err
		}
	}
	k.step = ""
	_, err := k.HandleMail(ctx)
	return err
}

// underWay reports whether a copy is still to be sent, or may have been.
func (k *script) underWay(ctx context.Context) (bool, error) {
	for i := range killDocs {
		st, err := k.Status(ctx, exchange.DocumentID(i+1))
		if err != nil {
			return false, nil // not issued yet
		}
		for _, d := range st.Dispatches {
			if d.Transport == exchange.Queued || d.Transport == exchange.Uncertain {
				return true, nil
			}
		}
	}
	return false, nil
}

// afterDeath is what the running gateway does by itself with time: leases end, uncertain copies are sent again.
func (k *script) afterDeath(ctx context.Context) error {
	if _, err := k.HandleMail(ctx); err != nil {
		return err
	}
	return k.Expire(ctx)
}

func copyOf(doc, n int64) exchange.DispatchID { return exchange.DispatchID(doc<<20 + n) }

const killDocs = 3

func (k *script) numbers(ctx context.Context) error {
	for i := range killDocs {
		name := fmt.Sprint("reference ", i)
		if k.kept(name) != "" {
			continue
		}
		text, err := k.TakeNumber(ctx, clerk, "snv", 2009, "", "SNV-VP")
		if err == nil {
			err = k.keep(name, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *script) registers(ctx context.Context) error {
	for i := range killDocs {
		reference := k.kept(fmt.Sprint("reference ", i))
		if _, err := k.Register(ctx, clerk, proposal(reference, "Sở Y tế=syt", "Sở Tài chính=stc", "Bộ Thử=bo"), pdfOf(fmt.Sprint("kill ", i))); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) seals(ctx context.Context) error {
	for i := range killDocs {
		if _, err := k.Seal(ctx, clerk, exchange.DocumentID(i+1)); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) issues(ctx context.Context) error {
	for i := range killDocs {
		if _, err := k.Issue(ctx, clerk, exchange.DocumentID(i+1)); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) sends(ctx context.Context) error {
	if _, err := k.queue.Drain(ctx); err != nil {
		return err
	}
	_, err := k.HandleMail(ctx)
	return err
}

func (k *script) report(ctx context.Context) error {
	st, err := k.Status(ctx, 3)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(st.Dispatches, func(d exchange.StatusDispatch) bool { return d.Unit == "bo" })
	token := st.Dispatches[i].Dispatch.Token()
	b, err := k.mail.SaveBody(ctx, strings.NewReader(strings.ReplaceAll(dsnMail("delivered", "vanthu@bo.test"), "\n", "\r\n")), 0)
	if err != nil {
		return err
	}
	a, err := k.mail.Account(ctx, exchange.BounceMailbox+"@"+domain)
	if err != nil {
		return err
	}
	arrival := mailcore.Arrival{Rcpt: mailcore.Address(exchange.BounceMailbox + "+" + token + "@" + domain)}
	if _, err := k.mail.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID, Arrived: &arrival}}); err != nil {
		return err
	}
	_, err = k.HandleMail(ctx)
	return err
}

// accepts by both units. After a recall there may be nothing left to accept, which is said.
func (k *script) accepts(ctx context.Context, doc int64) error {
	for n, unit := range []string{"syt", "stc"} {
		_, err := k.Accept(ctx, exchange.Actor{Unit: recipients.UnitCode(unit), Address: mailcore.Address(unit + "@" + domain)}, copyOf(doc, int64(n+1)), "")
		var e *exchange.Error
		var m *exchange.MoveError
		if err != nil && !errors.As(err, &e) && !errors.As(err, &m) {
			return err
		}
	}
	return nil
}

func (k *script) recalls(ctx context.Context, doc exchange.DocumentID) error {
	if _, err := k.Recall(ctx, clerk, doc, "ban hành nhầm", false); err != nil {
		return err
	}
	_, err := k.HandleMail(ctx)
	return err
}

// A real process is killed (SIGKILL) at every point: number taken, registered, sealed, issued, each phase of SMTP, report read,
// accept, recall against accept in both orders, forward. Started again it goes on, and in the end everything is as without the kill.
func TestKilledAtEveryPoint(t *testing.T) {
	peer := mailtest.NewPeer(t, mailtest.PeerScript{})
	whole := t.TempDir()
	if out, killed := script1(t, whole, peer.Addr, 0, "-", 0, ""); killed {
		t.Fatalf("without a kill: %s", out)
	}
	want := outcome(t, whole)
	trace, err := os.ReadFile(filepath.Join(whole, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	seen, points := map[string]bool{}, 0
	for line := range strings.Lines(string(trace)) {
		step, n, kind := cutTrace(t, line)
		if key := step + kind; seen[key] && !*allKills {
			continue
		} else {
			seen[key] = true
		}
		points++
		dir := t.TempDir()
		out, killed := script1(t, dir, peer.Addr, 0, step, n, kind)
		if !killed {
			t.Errorf("%s %d (%s): was not killed: %s", step, n, kind, out)
			continue
		}
		for hours := 5; hours <= 15; hours += 5 { // leases and timers end, whatever was under way
			if out, killed := script1(t, dir, peer.Addr, hours, "-", 0, ""); killed {
				t.Fatalf("after a kill at %s %d (%s): %s", step, n, kind, out)
			}
		}
		if got := outcome(t, dir); got != want {
			t.Errorf("killed at %s %d (%s)\n got %s\nwant %s", step, n, kind, got, want)
		}
	}
	for _, step := range killSteps {
		if !slices.ContainsFunc(slices.Collect(strings.Lines(string(trace))), func(l string) bool { return strings.HasPrefix(l, step+" ") }) {
			t.Errorf("no point in %q", step)
		}
	}
	sameIDs(t, peer)
	t.Logf("killed at %d points", points)
}

func cutTrace(t *testing.T, line string) (step string, n int, kind string) {
	t.Helper()
	for _, s := range killSteps {
		rest, ok := strings.CutPrefix(line, s+" ")
		number, k, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if v, err := strconv.Atoi(number); ok && err == nil {
			return s, v, k
		}
	}
	t.Fatalf("trace %q", line)
	return "", 0, ""
}

// script1 runs the script in a process of its own and reports whether it was killed.
func script1(t *testing.T, dir, peer string, hours int, step string, tick int, kind string) (out string, killed bool) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), killEnv+"="+strings.Join([]string{dir, peer, fmt.Sprint(hours), step, fmt.Sprint(tick), kind}, "\n"))
	b, err := c.CombinedOutput()
	if err == nil {
		return string(b), false
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
		return string(b), true
	}
	t.Fatalf("%s %d: %v: %s", step, tick, err, b)
	return "", false
}

// outcome proves the installation sound and tells what became of every copy. Numbers that a clerk never heard of stay reserved.
func outcome(t *testing.T, dir string) string {
	t.Helper()
	ctx := context.Background()
	k := &script{dir: dir}
	if err := k.open("127.0.0.1:1", 15*time.Hour); err != nil {
		t.Fatal(err)
	}
	defer k.db.Close()
	for name, check := range map[string]func(context.Context) ([]string, error){"exchange": k.Check, "mail": k.mail.Check} {
		if found, err := check(ctx); err != nil || len(found) > 0 {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
	counts, err := k.mail.RefCounts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for id := range exchange.DocumentID(killDocs) {
		st, err := k.Status(ctx, id+1)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range st.Dispatches {
			fmt.Fprintf(&b, "%d %s %s/%s số đến %q, %d mail; ", d.Dispatch.ID, d.Unit, d.Transport, d.Handling, d.ArrivalNumber, counts[ref(d.Dispatch.ID)])
		}
	}
	return b.String()
}

// sameIDs proves that every try of a copy carried the same ids. Tokens are each run's own.
func sameIDs(t *testing.T, peer *mailtest.Peer) {
	t.Helper()
	ids, tries := map[string]string{}, 0
	for _, m := range peer.Mails() {
		_, token, _ := strings.Cut(m.MailArgs, "ENVID=")
		token, _, _ = strings.Cut(token, " ")
		id := messageID(m.Data)
		if was := ids[token]; was != "" && was != id {
			t.Errorf("%s was sent as %s and %s", token, was, id)
		} else if was != "" {
			tries++
		}
		ids[token] = id
	}
	if tries == 0 {
		t.Error("no copy was sent a second time: nobody was killed after the final dot")
	}
}
