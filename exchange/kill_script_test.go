package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/queue"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

// killEnv makes the test binary run the script of the kill tests in a process of its own, which kills itself: see killOrder.
const killEnv = "CONGVAN_TEST_KILL"

func init() {
	if v := os.Getenv(killEnv); v != "" {
		os.Exit(runScript(v))
	}
}

// A killPoint is a moment: the nth of its kind in a step.
type killPoint struct {
	step, kind string
	n          int
}

// A killOrder says where an installation lies and at which moment the process that runs the script on it dies.
type killOrder struct {
	dir, dsn, peer string
	start          time.Time // the clock of the script's first hour: nothing depends on the day or the hour of the test
	later          time.Duration
	die            killPoint
	meet           int // in a step where two meet: the moment of the first at which the second begins
}

func (o killOrder) String() string {
	return strings.Join([]string{o.dir, o.dsn, o.peer, strconv.FormatInt(o.start.Unix(), 10), o.later.String(), o.die.step, o.die.kind, strconv.Itoa(o.die.n),
		strconv.Itoa(o.meet)}, "\n")
}

func parseKillOrder(text string) killOrder {
	f := strings.Split(text, "\n")
	number := func(i int) int { n, _ := strconv.Atoi(f[i]); return n }
	later, _ := time.ParseDuration(f[4])
	return killOrder{dir: f[0], dsn: f[1], peer: f[2], start: time.Unix(int64(number(3)), 0), later: later, die: killPoint{f[5], f[6], number(7)}, meet: number(8)}
}

func runScript(order string) int {
	k, err := openScript(parseKillOrder(order))
	if err == nil {
		err = k.run("")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A script does one thing after the other; run again it goes on where it was.
type script struct {
	*exchange.Store
	mail    *mailcore.Store
	db      *sqldb.DB
	queue   *queue.Queue
	journal *exchange.Journal
	order   killOrder
	since   time.Time

	mu     sync.Mutex // the queue sends to several at one time
	step   string
	index  int // of the step: each has a minute of its own
	ticks  map[string]int
	seen   []killPoint
	second *meeting
}

// A meeting is the second of two who act at the same time: it begins at a moment of the first.
type meeting struct {
	at, n int
	begin func()
	done  chan struct{}
}

// tick is a moment at which the process may be killed. Moments are counted by kind: the queue's come in another order each time.
func (k *script) tick(kind string) {
	k.mu.Lock()
	if k.step == "" {
		k.mu.Unlock()
		return
	}
	k.ticks[kind]++
	at := killPoint{k.step, kind, k.ticks[kind]}
	k.seen = append(k.seen, at)
	var begins *meeting
	if m := k.second; m != nil && !strings.HasPrefix(kind, "second's ") {
		if m.n++; m.n == m.at {
			begins = m
		}
	}
	k.mu.Unlock()
	if begins != nil {
		go begins.begin()
		select { // until it is done, or waits for the first
		case <-begins.done:
		case <-time.After(100 * time.Millisecond):
		}
	}
	if at == k.order.die {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (k *script) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.order.start.Add(k.order.later + time.Duration(k.index)*time.Minute + time.Since(k.since))
}

func openScript(o killOrder) (*script, error) {
	k := &script{order: o, since: time.Now(), ticks: map[string]int{}}
	for k.kept("done "+killSteps[min(k.index, len(killSteps)-1)].name) != "" && k.index < len(killSteps) {
		k.index++
	}
	fault := func(kind string) error { k.tick(kind); return nil }
	if err := k.open(fault); err != nil {
		return nil, err
	}
	k.queue = queue.New(queue.Options{Store: k.mail, Domain: domain, Hostname: "mx." + domain, Routes: map[string]string{"bo.test": o.peer}, Logger: mailtest.Quiet,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			k.tick("connect")
			c, err := net.Dial(network, address)
			if err != nil {
				return nil, err
			}
			return &killConn{Conn: c, k: k}, nil
		}})
	return k, k.resume()
}

// open starts a process on what lies on the disk. Of two who meet each has a database, as two nodes have.
func (k *script) open(fault func(string) error) (err error) {
	ctx := context.Background()
	if k.db, err = sqldb.Open(ctx, k.order.dsn, sqldb.Options{Now: k.now, Logger: mailtest.Quiet, Fault: fault}); err != nil {
		return err
	}
	blobs, err := blob.OpenDir(filepath.Join(k.order.dir, "blobs"))
	if err != nil {
		return err
	}
	dir, err := recipients.ReadDirectory(strings.NewReader(testDirectory), nil)
	if err != nil {
		return err
	}
	if k.journal, err = exchange.OpenJournal(k.journalPath()); err != nil {
		return err
	}
	k.mail = mailcore.NewStore(k.db, blobs, mailtest.Quiet)
	k.Store = exchange.NewStore(exchange.Options{DB: k.db, Mail: k.mail, Domain: domain, Log: mailtest.Quiet, Journal: k.journal,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return dir, nil },
		Sealer:    func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return testKey() }})
	k.mail.SetPastData(k.PastData)
	return nil
}

func (k *script) journalPath() string { return filepath.Join(k.order.dir, "journal") }

// resume is what the gateway does when it starts. A process that was killed leaves no database that looks like an old backup.
func (k *script) resume() error {
	entries, _, err := exchange.ReadJournal(k.journalPath())
	if err != nil {
		return err
	}
	r, err := k.Resume(context.Background(), entries, false)
	if err == nil && r.Behind {
		err = fmt.Errorf("a killed process left what looks like an old backup: %+v", r)
	}
	return err
}

func (k *script) close() error { return errors.Join(k.db.Close(), k.journal.Close()) }

// A killConn names each phase of SMTP, before it is said and after its answer.
type killConn struct {
	net.Conn
	k    *script
	line []byte // of an answer that has not come whole
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
	c.line = append(c.line, b[:n]...)
	for { // an answer is counted once, in however many pieces it came, or together with others
		line, rest, whole := bytes.Cut(c.line, []byte("\n"))
		if !whole {
			return n, err
		}
		if c.line = rest; len(line) > 3 && line[3] == ' ' {
			c.k.tick("answer " + string(line[:3]))
		}
	}
}

// keep writes down what somebody was told, as a clerk would.
func (k *script) keep(name, text string) error {
	return os.WriteFile(filepath.Join(k.order.dir, name), []byte(text), 0o644)
}

func (k *script) kept(name string) string {
	b, _ := os.ReadFile(filepath.Join(k.order.dir, name))
	return string(b)
}

// run does the steps that are not done yet; only that one, where one is named.
func (k *script) run(only string) error {
	ctx := context.Background()
	k.step = ""
	if err := k.afterDeath(ctx); err != nil {
		return fmt.Errorf("after death: %w", err)
	}
	for i, s := range killSteps {
		if only != "" && s.name != only || k.kept("done "+s.name) != "" {
			continue
		}
		k.mu.Lock()
		k.step, k.index, k.ticks, k.seen = s.name, i, map[string]int{}, nil
		k.mu.Unlock()
		if err := s.do(k, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		k.mu.Lock()
		k.step = ""
		k.mu.Unlock()
		if under, err := k.underWay(ctx); s.name == "smtp" && (under || err != nil) {
			return err // the rest waits until the timers of these have ended
		}
		if err := k.keep("done "+s.name, "x"); err != nil {
			return err
		}
	}
	_, err := k.HandleMail(ctx)
	return err
}

// underWay reports whether a copy is still to be sent, or may have been.
func (k *script) underWay(ctx context.Context) (bool, error) {
	for i := range killDocs {
		st, err := k.Status(ctx, k.doc(fmt.Sprint(i)))
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
