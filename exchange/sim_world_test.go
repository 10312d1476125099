package exchange_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// A crash is what a process dies of, anywhere: the machine restarts it.
type crash struct{ at string }

var errFull = errors.New("no space left on device")

// A world is one installation with its clock, network and disk, all of them ours: real code runs over a real database and
// real files, and only those three are made.
type world struct {
	t      testing.TB
	seed   int64
	random *rand.Rand
	dir    *recipients.Directory
	root   string
	dsn    string
	admin  string // of a PostgreSQL cluster

	clockMu sync.Mutex
	clock   time.Time
	dieIn   int  // ticks until the process dies; 0: it lives
	full    bool // the disk

	db      *sqldb.DB
	mail    *mailcore.Store
	store   *exchange.Store
	queue   *queue.Queue
	journal *exchange.Journal
	net     *network
	counts  map[string]int
	resumed []exchange.Resumed
	outside func(token string) // a server has taken a copy
}

const simUnits, simOutside = 40, 12

var simIssuers = []string{"snv", "stc", "syt"}

func simDirectory(t testing.TB) *recipients.Directory {
	var csv strings.Builder
	csv.WriteString("code,name,kind,parent,aliases,address,mailbox\n")
	for _, code := range simIssuers {
		fmt.Fprintf(&csv, "%s,Sở phát hành %s,so,,,,true\n", code, code)
	}
	for i := range simUnits {
		box := "" // the last two share a mailbox
		if i == simUnits-2 {
			box = fmt.Sprintf("u%02d@%s", simUnits-1, domain)
		}
		fmt.Fprintf(&csv, "u%02d,Đơn vị mô phỏng số %d,su-nghiep,,,%s,true\n", i, i, box)
	}
	for i := range simOutside {
		fmt.Fprintf(&csv, "o%02d,Cơ quan ngoài số %d,trung-uong,,,vanthu%d@ngoai%d.test,false\n", i, i, i, i%4)
	}
	csv.WriteString("giay,Hội không hộp thư,hoi,,,,true\n")
	dir, err := recipients.ReadDirectory(strings.NewReader(csv.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// newWorld makes an installation in a folder in memory where there is one: the simulation syncs as often as the real thing.
func newWorld(t testing.TB, dialect sqldb.Dialect, seed int64) *world {
	t.Helper()
	root, err := os.MkdirTemp("/dev/shm", "congvan-sim-")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	w := &world{t: t, seed: seed, random: rand.New(rand.NewSource(seed)), dir: simDirectory(t), root: root, counts: map[string]int{},
		clock: time.Date(time.Now().Year()+1, 12, 29, 1, 0, 0, 0, time.UTC), dsn: "sqlite:" + filepath.Join(root, "db")}
	if dialect == sqldb.Postgres {
		w.dsn = mailtest.NewPostgres(t)
		w.admin, _, _ = strings.Cut(w.dsn, " dbname=")
	}
	w.net = &network{w: w, got: map[string][]string{}, tries: map[string]map[string]bool{}}
	w.boot(true)
	t.Cleanup(w.halt)
	return w
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
}

func (w *world) count(what string) { w.counts[what]++ }

// now is the clock; every look at it takes a microsecond.
func (w *world) now() time.Time {
	w.clockMu.Lock()
	defer w.clockMu.Unlock()
	w.clock = w.clock.Add(time.Microsecond)
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.clockMu.Lock()
	defer w.clockMu.Unlock()
	w.clock = w.clock.Add(d)
}

// tick is a moment at which the process may die.
func (w *world) tick(at string) {
	if w.dieIn == 0 {
		return
	}
	if w.dieIn--; w.dieIn == 0 {
		panic(crash{at})
	}
}

// fault is asked by the database at each statement and after each commit.
func (w *world) fault(point string) error {
	w.tick(point)
	if w.full && point == "statement" {
		return errFull
	}
	return nil
}

// A simBlobs is the folder of bytes with a disk that can be full.
type simBlobs struct {
	*blob.Dir
	w *world
}

func (b simBlobs) Stage(ctx context.Context, r io.Reader, limit int64) (*blob.Staged, error) {
	b.w.tick("stage")
	if b.w.full {
		return nil, errFull
	}
	return b.Dir.Stage(ctx, r, limit)
}

func (b simBlobs) Open(d blob.Digest) (*blob.File, error) {
	b.w.tick("open")
	return b.Dir.Open(d)
}

// boot starts a process on what lies on the disks.
func (w *world) boot(first bool) {
	ctx := context.Background()
	var err error
	w.db, err = sqldb.Open(ctx, w.dsn, sqldb.Options{Now: w.now, Logger: mailtest.Quiet, Fault: w.fault})
	w.must(err)
	if first {
		w.must(w.db.Migrate(ctx, migrations.Files))
	}
	dir, err := blob.OpenDir(filepath.Join(w.root, "blobs"))
	w.must(err)
	w.mail = mailcore.NewStore(w.db, simBlobs{dir, w}, mailtest.Quiet)
	path := filepath.Join(w.root, "journal")
	w.journal, err = exchange.OpenJournal(path)
	w.must(err)
	entries, _, err := exchange.ReadJournal(path)
	w.must(err)
	w.store = exchange.NewStore(exchange.Options{DB: w.db, Mail: w.mail, Domain: domain, Log: mailtest.Quiet, Journal: w.journal,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return w.dir, nil },
		Sealer:    func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return testKey() }, LogKey: testLogKey})
	w.mail.SetPastData(w.store.PastData)
	routes := map[string]string{}
	for i := range 4 {
		routes[fmt.Sprintf("ngoai%d.test", i)] = fmt.Sprintf("10.0.0.%d:25", i+1)
	}
	w.queue = queue.New(queue.Options{Store: w.mail, Domain: domain, Hostname: "mx." + domain, Routes: routes, Logger: mailtest.Quiet, Dial: w.net.dial})
	if first {
		w.accounts()
	}
	r, err := w.store.Resume(ctx, entries, false)
	w.must(err)
	if r.Behind {
		w.resumed = append(w.resumed, *r)
	}
}

func (w *world) accounts() {
	var list []mailcore.NewAccount
	for _, code := range simIssuers {
		list = append(list, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: code, Unit: code})
	}
	for i := range simUnits {
		if i == simUnits-2 {
			continue
		}
		code := fmt.Sprintf("u%02d", i)
		list = append(list, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: code, Unit: code})
	}
	for _, local := range []string{exchange.ReplyMailbox, exchange.BounceMailbox} {
		list = append(list, mailcore.NewAccount{Address: mailcore.Address(local + "@" + domain), Kind: mailcore.System, Name: local})
	}
	_, err := w.mail.CreateAccounts(context.Background(), list)
	w.must(err)
}

// halt ends the process; what it had in memory is gone.
func (w *world) halt() {
	if w.db != nil {
		w.db.Close()
		w.journal.Close()
		w.db = nil
	}
}

// alive runs a part of the process and reports whether it lived to the end of it.
func (w *world) alive(fn func() error) (lived bool, err error) {
	defer func() {
		w.dieIn = 0
		if r := recover(); r != nil {
			c, ok := r.(crash)
			if !ok {
				panic(r)
			}
			w.count("died: " + c.at)
			lived = false
			w.halt()
			w.boot(false)
		}
	}()
	return true, fn()
}

// backup stops the installation, copies the database and the bytes, and goes on. The journal is on another path and stays.
func (w *world) backup() {
	w.halt()
	if w.admin == "" {
		w.copyTree("db", "backup-db")
		w.copyTree("db-wal", "backup-db-wal")
	} else {
		w.sql(`DROP DATABASE IF EXISTS backup_`+w.name(), `CREATE DATABASE backup_`+w.name()+` TEMPLATE `+w.name())
	}
	w.copyTree("blobs", "backup-blobs")
	w.boot(false)
}

// restore puts the last backup in the place of everything but the journal.
func (w *world) restore() {
	w.halt()
	if w.admin == "" {
		os.Remove(filepath.Join(w.root, "db-shm"))
		w.copyTree("backup-db", "db")
		w.copyTree("backup-db-wal", "db-wal")
	} else {
		w.sql(`DROP DATABASE `+w.name(), `CREATE DATABASE `+w.name()+` TEMPLATE backup_`+w.name())
	}
	w.copyTree("backup-blobs", "blobs")
	w.boot(false)
}

func (w *world) name() string { _, name, _ := strings.Cut(w.dsn, "dbname="); return name }

func (w *world) sql(queries ...string) {
	db, err := sql.Open("postgres", w.admin+" dbname=postgres")
	w.must(err)
	defer db.Close()
	for _, q := range queries {
		_, err := db.Exec(q)
		w.must(err)
	}
}

// copyTree makes to a copy of from: whole files of bytes never change, so they are linked.
func (w *world) copyTree(from, to string) {
	from, to = filepath.Join(w.root, from), filepath.Join(w.root, to)
	w.must(os.RemoveAll(to))
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		target := filepath.Join(to, rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.Contains(from, "blobs"):
			return os.Link(path, target)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		w.must(err)
	}
}
