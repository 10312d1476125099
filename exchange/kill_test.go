package exchange_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/migrations"

	"github.com/google/go-cmp/cmp"
)

var allKills = flag.Bool("allkills", false, "TestKilledAtEveryPoint kills at every moment, on both databases, not at one of each kind")

var killStepFlag = flag.String("killstep", "", "TestKilledAtEveryPoint kills in this step alone")

// A killRig keeps an installation as it was before each step of the script, and what the script comes to when nobody dies.
type killRig struct {
	t      testing.TB
	peer   *mailtest.Peer
	root   string
	admin  string // of a PostgreSQL cluster, "" for SQLite
	start  time.Time
	made   int
	before map[string]killOrder
	points []killPoint
	want   string
	killed map[string]int
}

// A real process is killed (SIGKILL) at every point: number taken, registered, sealed, issued, taken back before it goes out, each phase
// of SMTP, report read, and every act of issuer and recipient. What it leaves is sound; another process goes on, and in the end
// everything is as without the kill. Of what two do at the same time either may be first, and nothing else.
func TestKilledAtEveryPoint(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killEverywhere(t, sqldb.SQLite) })
	t.Run("postgres", func(t *testing.T) {
		if !*allKills {
			t.Skip("SQLite has one point of each kind; make kills has all of both")
		}
		killEverywhere(t, sqldb.Postgres)
	})
}

func killEverywhere(t *testing.T, dialect sqldb.Dialect) {
	r := newKillRig(t, dialect)
	for _, p := range r.chosen() {
		r.kill(p, 1)
	}
	for _, s := range killSteps {
		if strings.Contains(s.name, " meets ") && wantedStep(s.name) {
			r.killMeeting(s.name)
		}
	}
	if wantedStep("smtp") {
		sameIDs(t, r.peer)
	}
	total := 0
	for _, s := range killSteps {
		if !wantedStep(s.name) {
			continue
		}
		total += r.killed[s.name]
		if r.killed[s.name] == 0 {
			t.Errorf("nobody was killed in %q", s.name)
		}
		t.Logf("%-20s killed %4d times", s.name, r.killed[s.name])
	}
	t.Logf("%s: %d points in %d steps, killed at %d, gone on after each", dialect, len(r.points), len(killSteps), total)
}

func wantedStep(name string) bool { return *killStepFlag == "" || *killStepFlag == name }

func newKillRig(t testing.TB, dialect sqldb.Dialect) *killRig {
	root, err := os.MkdirTemp("/dev/shm", "congvan-kill-") // a killed process loses nothing that it has written, synced or not
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	r := &killRig{t: t, peer: mailtest.NewPeer(t, mailtest.PeerScript{}), root: root, before: map[string]killOrder{}, killed: map[string]int{},
		start: time.Date(time.Now().Year()+1, 3, 18, 1, 0, 0, 0, time.UTC)}
	if dialect == sqldb.Postgres {
		r.admin, _, _ = strings.Cut(mailtest.NewPostgres(t), " dbname=")
	}
	o := r.place()
	if r.admin != "" {
		r.sql("CREATE DATABASE " + nameOf(o.dsn))
	}
	ctx := context.Background()
	db, err := sqldb.Open(ctx, o.dsn, sqldb.Options{Logger: mailtest.Quiet})
	r.must(err)
	r.must(db.Migrate(ctx, migrations.Files))
	r.must(db.Close())
	r.with(o, func(k *script) error { return k.prepare(ctx) })
	for _, s := range killSteps {
		r.before[s.name] = r.copy(o)
		r.with(o, func(k *script) error {
			err := k.run(s.name)
			if len(k.seen) == 0 {
				t.Errorf("no point in %q", s.name)
			}
			r.points = append(r.points, k.seen...)
			return err
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	r.with(o, func(k *script) error { r.want = r.outcome(k, "nobody was killed"); return nil })
	return r
}

func (r *killRig) must(err error) {
	if err != nil {
		r.t.Helper()
		r.t.Fatal(err)
	}
}

// place is room for one more installation.
func (r *killRig) place() killOrder {
	r.made++
	o := killOrder{dir: filepath.Join(r.root, fmt.Sprint(r.made)), peer: r.peer.Addr, start: r.start}
	r.must(os.MkdirAll(o.dir, 0o755))
	o.dsn = "sqlite:" + filepath.Join(o.dir, "db")
	if r.admin != "" {
		o.dsn = fmt.Sprintf("%s dbname=kill_%d", r.admin, r.made)
	}
	return o
}

func nameOf(dsn string) string { _, name, _ := strings.Cut(dsn, " dbname="); return name }

func (r *killRig) sql(query string) {
	db, err := sql.Open("postgres", r.admin+" dbname=postgres")
	r.must(err)
	defer db.Close()
	_, err = db.Exec(query)
	r.must(err)
}

// copy makes another installation of one that nobody has open. Stored bytes never change, so they are linked.
func (r *killRig) copy(from killOrder) killOrder {
	to := r.place()
	r.must(filepath.WalkDir(from.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from.dir, path)
		target := filepath.Join(to.dir, rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasPrefix(rel, "blobs"):
			return os.Link(path, target)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	}))
	if r.admin != "" {
		r.sql("CREATE DATABASE " + nameOf(to.dsn) + " TEMPLATE " + nameOf(from.dsn))
	}
	return to
}

func (r *killRig) remove(o killOrder) {
	os.RemoveAll(o.dir)
	if r.admin != "" {
		r.sql("DROP DATABASE " + nameOf(o.dsn) + " WITH (FORCE)")
	}
}

// with runs a part of the script in this process.
func (r *killRig) with(o killOrder, fn func(*script) error) {
	r.t.Helper()
	k, err := openScript(o)
	r.must(err)
	err = fn(k)
	r.must(errors.Join(err, k.close()))
}

// chosen are the points to kill at, but for those of two who meet: all, or the middle one of each kind in each step.
func (r *killRig) chosen() []killPoint {
	all := slices.DeleteFunc(slices.Clone(r.points), func(p killPoint) bool { return strings.Contains(p.step, " meets ") || !wantedStep(p.step) })
	if *allKills {
		return all
	}
	last := map[killPoint]int{}
	for _, p := range all {
		last[killPoint{p.step, p.kind, 0}] = p.n
	}
	return slices.DeleteFunc(all, func(p killPoint) bool {
		few := testing.Short() && p.kind != "statement" && !strings.HasSuffix(p.kind, " dot") // under the race detector a process starts slowly
		return few || p.n != last[killPoint{p.step, p.kind, 0}]/2+1
	})
}

// kill kills a process at a point and has others go on. It reports whether the point came.
func (r *killRig) kill(p killPoint, meet int) bool {
	r.t.Helper()
	o := r.copy(r.before[p.step])
	defer r.remove(o)
	o.die, o.meet = p, meet
	out, killed := r.process(o)
	at := fmt.Sprintf("killed at %s, %s %d, second from %d", p.step, p.kind, p.n, meet)
	if met := strings.Contains(p.step, " meets "); !killed && !met { // who meets may take another way, with fewer moments
		r.t.Errorf("%s: was not killed: %s", at, out)
	}
	if killed {
		r.killed[p.step]++
	}
	o.die = killPoint{}
	if killed {
		o.later = time.Minute
		r.with(o, func(k *script) error { r.sound(k, at+", at once"); return nil })
	}
	for done := false; !done; o.later += 5 * time.Hour { // soon, and when leases and timers have ended
		if o.later += time.Minute; o.later > 20*time.Hour {
			r.t.Fatalf("%s: it never comes to an end", at)
		}
		r.with(o, func(k *script) error {
			err := k.run("")
			if done = k.kept("done "+killSteps[len(killSteps)-1].name) != ""; done && err == nil {
				if got := r.outcome(k, at); got != r.want {
					r.t.Errorf("%s: (-without a kill +with)\n%s", at, cmp.Diff(r.want, got))
				}
			}
			return err
		})
	}
	return killed
}

// killMeeting kills at the moments of two who act at once: for each moment of the first at which the second may begin at every third
// moment of both, from another one each time.
func (r *killRig) killMeeting(step string) {
	var all []killPoint
	first := 0
	for _, p := range r.points {
		if p.step == step {
			all = append(all, p)
		}
		if p.step == step && !strings.HasPrefix(p.kind, "second's ") {
			first++
		}
	}
	begins, stride := first, 3
	if !*allKills {
		begins, stride = 2, 7
	}
	if testing.Short() {
		stride = 20
	}
	for meet := range begins {
		for i := meet % stride; i < len(all); i += stride {
			r.kill(all[i], 1+meet*first/begins)
		}
	}
}

// process runs the script in a process of its own and reports whether it was killed.
func (r *killRig) process(o killOrder) (out string, killed bool) {
	r.t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), killEnv+"="+o.String())
	b, err := c.CombinedOutput()
	if err == nil {
		return string(b), false
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
		return string(b), true
	}
	r.t.Fatalf("%v: %v: %s", o.die, err, b)
	return "", false
}

// sound proves the invariants: what is there is whole, numbers have no gap, and each open copy has an owner and a deadline.
func (r *killRig) sound(k *script, when string) {
	r.t.Helper()
	ctx := context.Background()
	for name, check := range map[string]func(context.Context) ([]string, error){"exchange": k.Check, "mail": k.mail.Check} {
		if found, err := check(ctx); err != nil || len(found) > 0 {
			r.t.Errorf("%s: %s: %v %v", when, name, found, err)
		}
	}
	var lost int
	r.must(k.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &lost, `SELECT count(*) FROM dispatch WHERE transport NOT IN ('settled', 'undelivered', 'cancelled', 'recalled', 'superseded')
			AND handling NOT IN ('completed', 'noted', 'refused', 'forwarded') AND (owner = '' OR deadline = 0)`)
	}))
	if lost > 0 {
		r.t.Errorf("%s: %d open copies have no owner or no deadline", when, lost)
	}
}

// outcome proves the installation sound and tells what became of every copy and what lies in every mailbox. Numbers that a clerk never
// heard of stay reserved. What became of a copy that two met over is judged, not told.
func (r *killRig) outcome(k *script, when string) string {
	r.t.Helper()
	ctx := context.Background()
	r.sound(k, when)
	counts, err := k.mail.RefCounts(ctx)
	r.must(err)
	var b strings.Builder
	var names, met []string // references, and the names for them; numbers that nobody heard of make references differ
	for _, name := range []string{"0", "1", "2", "due", "answer", "old", "new", "tasks", "race 1", "race 2"} {
		st, err := k.Status(ctx, k.doc(name))
		r.must(err)
		fmt.Fprintf(&b, "%s is %s\n", name, st.State)
		if strings.HasPrefix(name, "race") {
			met = append(met, st.Reference)
		}
		names = append(names, st.Reference, "["+name+"]")
		for _, d := range st.Dispatches {
			mails := counts[ref(d.Dispatch.ID)]
			if strings.HasPrefix(name, "race") {
				r.oneOfTwo(d, mails, when)
				continue
			}
			fmt.Fprintf(&b, "  %s %s/%s, recall %q, số đến %q, %d mail", d.Unit, d.Transport, d.Handling, d.Recall, d.ArrivalNumber, mails)
			for _, t := range d.Tasks {
				fmt.Fprintf(&b, ", %s %s %s", t.Officer, t.Role, t.State)
			}
			for _, a := range d.Answers {
				fmt.Fprintf(&b, ", answered by %d %s", a.Document, a.State)
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String() + strings.NewReplacer(names...).Replace(r.letters(k, met))
}

// letters tells which mails lie in which mailboxes, but for those about documents that two met over: no step that was repeated may have told anybody twice.
func (r *killRig) letters(k *script, but []string) string {
	ctx := context.Background()
	var rows []struct {
		Address, Subject string
		N                int
	}
	r.must(k.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT a.address, m.subject, count(*) AS n FROM mailbox_message mm JOIN mailbox b ON b.id = mm.mailbox_id
			JOIN account a ON a.id = b.account_id JOIN message m ON m.id = mm.message_id WHERE a.kind <> 'system' GROUP BY a.address, m.subject ORDER BY a.address, m.subject`)
	}))
	var b strings.Builder
	for _, row := range rows {
		if slices.ContainsFunc(but, func(reference string) bool { return strings.Contains(row.Subject, reference) }) {
			continue
		}
		fmt.Fprintf(&b, "%s %q %d\n", row.Address, row.Subject, row.N)
	}
	return b.String()
}

// oneOfTwo judges a copy that was accepted and recalled at the same time: accepted, and then its recipient was asked; or taken out of the
// mailbox, and there was nothing to accept.
func (r *killRig) oneOfTwo(d exchange.StatusDispatch, mails int, when string) {
	r.t.Helper()
	asked := d.Transport == exchange.Delivered && d.Handling == exchange.Accepted && d.Recall == exchange.RecallAsked && d.ArrivalNumber != "" && mails == 1
	taken := d.Transport == exchange.Recalled && d.Handling == exchange.Received && d.Recall == "" && d.ArrivalNumber == "" && mails == 0
	if asked == taken {
		r.t.Errorf("%s: accept and recall left %s %s/%s, recall %q, số đến %q, %d mail", when, d.Unit, d.Transport, d.Handling, d.Recall, d.ArrivalNumber, mails)
	}
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
