// Package sqldb is the only package that names a database driver. It opens SQLite (embedded, the default) or PostgreSQL,
// runs the migrations over one SQL text, and hands out transactions.
//
// Terms. A closure is the function that Write runs inside a transaction; it may be run again, so it touches nothing but
// its Tx and variables that it sets anew each time. A topic is a name that a committed transaction wakes listeners by.
//
// Promises. Write returns nil only after the closure's rows are durable. On SQLite many closures share one commit, each
// under a savepoint, so that one that fails takes nobody with it. Reads see one snapshot. Wake-ups only make a poll come
// early: they may be lost or doubled, and nothing may depend on one.
//
// SQL rules for both databases: $1…$n in order, RETURNING, ON CONFLICT, BOOLEAN with TRUE and FALSE; instants are BIGINT
// microseconds UTC, civil dates are TEXT 2026-11-23; never FOR UPDATE, SERIAL, ILIKE, now() or JSON operators.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the pure-Go driver, registered as "sqlite"
)

// A Dialect is the kind of database.
type Dialect string

// The two databases that the one SQL text runs on.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Options are what a caller may set when opening; the zero value works.
type Options struct {
	Now    func() time.Time // the clock; time.Now when nil
	Logger *slog.Logger     // slog.Default when nil

	// Fault is asked before each statement that changes something ("statement"), and after each commit before its caller hears of it
	// ("committed"). What it returns is the statement's error; it may panic, as a process that dies there. For tests; nil asks nobody.
	Fault func(point string) error
}

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect Dialect
	dsn     string
	now     func() time.Time
	log     *slog.Logger
	fault   func(point string) error
	onTold  func([]any)
	read    *pool  // SQLite: connections that cannot write; PostgreSQL: the only pool
	write   *pool  // SQLite: the pool of the one writing connection; PostgreSQL: same as read
	lines   *lines // closures that wait to be committed together
	group   *group // SQLite only
	wakes   *wakes
}

// Open opens "sqlite:PATH" or a PostgreSQL address ("postgres://…" or lib/pq's "host=… user=…").
func Open(ctx context.Context, dsn string, opt Options) (*DB, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	db := &DB{dsn: dsn, now: opt.Now, log: opt.Logger, fault: opt.Fault, wakes: newWakes()}
	open := db.openPostgres
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		open = func(ctx context.Context) error { return db.openSQLite(ctx, path) }
	}
	if err := open(ctx); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// sqliteURI returns the address of a SQLite file. Pragmas stand in it because only there they reach every connection of
// the pool. FULL makes a commit survive a power cut; group commit pays for it.
func sqliteURI(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"cache_size(-16000)"}, pragmas...)}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
}

// Transactions of one process at the same time, besides SQLite's one writer.
const (
	maxReaders      = 8  // SQLite
	maxTransactions = 24 // PostgreSQL
)

func (db *DB) openSQLite(ctx context.Context, path string) error {
	db.dialect = SQLite
	write, err := sqlx.ConnectContext(ctx, "sqlite", sqliteURI(path)+"&_txlock=immediate")
	if err != nil {
		return err
	}
	db.write = newPool(write, 1, 1)
	read, err := sqlx.ConnectContext(ctx, "sqlite", sqliteURI(path, "query_only(1)"))
	if err != nil {
		write.Close()
		return err
	}
	db.read = newPool(read, maxReaders, 1)
	return db.startWriter(ctx)
}

func (db *DB) openPostgres(ctx context.Context) error {
	db.dialect = Postgres
	one, err := sqlx.ConnectContext(ctx, "postgres", db.dsn)
	if err != nil {
		return err
	}
	db.read = newPool(one, maxTransactions, 2) // the notifications need one, too
	db.write = db.read
	db.lines = newLines(maxTogether, db.runPostgres)
	db.wakes.startPostgres(db.dsn, one, db.log)
	return nil
}

// Close ends the writer and every connection. Writes that wait get an error.
func (db *DB) Close() error {
	db.lines.close()
	if db.group != nil {
		db.group.close()
	}
	db.wakes.close()
	err := db.read.Close()
	if db.write != db.read {
		if e := db.write.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Dialect says which database this is. Callers branch on it only where two texts stand side by side under one test.
func (db *DB) Dialect() Dialect { return db.dialect }

// Statements is how many statements transactions have run: for measuring.
func (db *DB) Statements() int64 {
	n := db.read.ran.Load()
	if db.write != db.read {
		n += db.write.ran.Load()
	}
	return n
}

// Now is the clock that transactions use, cut to microseconds UTC.
func (db *DB) Now() time.Time { return db.now().UTC().Truncate(time.Microsecond) }

// A Tx is one transaction, or one closure's part of it.
type Tx struct {
	Now     time.Time // fixed when the closure began: one step has one time
	tx      *sqlx.Tx  // nil for Ask
	pool    *pool
	fault   func(point string) error
	dialect Dialect // of a transaction that writes
	shared  bool    // with other closures, which a statement cut short would roll back, too
	topics  []string
	told    []any
	later   []laterRows // rows that InsertLater left
	known   map[any]any // what Know was told
}

// Know keeps a value until the end of the transaction, also for the closures that share it: what was asked and hardly changes, such as the
// calendar, is then asked once. Only what stays true when this closure fails may be kept.
func (tx *Tx) Know(key, value any) {
	if tx.known == nil {
		tx.known = map[any]any{}
	}
	tx.known[key] = value
}

// Known returns what Know kept, nil for nothing.
func (tx *Tx) Known(key any) any { return tx.known[key] }

func (tx *Tx) ctx(ctx context.Context) context.Context {
	if tx.shared {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// statement returns the prepared statement as this Tx runs it, or nil when the text is not worth keeping.
func (tx *Tx) statement(ctx context.Context, query string) (*sqlx.Stmt, error) {
	s, err := tx.pool.prepared(ctx, query)
	if err != nil || s == nil || tx.tx == nil {
		return s, err
	}
	return tx.tx.StmtxContext(ctx, s), nil
}

// plain asks what is not prepared.
func (tx *Tx) plain() sqlx.QueryerContext {
	if tx.tx == nil {
		return tx.pool
	}
	return tx.tx
}

// ExecContext runs a statement.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return tx.exec(ctx, true, query, args...)
}

func (tx *Tx) exec(ctx context.Context, keep bool, query string, args ...any) (sql.Result, error) {
	if tx.tx == nil {
		return nil, errors.New("a statement that changes something needs Read's or Write's transaction")
	}
	if err := tx.catchUp(ctx, query); err != nil {
		return nil, err
	}
	if tx.fault != nil {
		if err := tx.fault("statement"); err != nil {
			return nil, err
		}
	}
	ctx = tx.ctx(ctx)
	if !keep {
		tx.pool.ran.Add(1)
		return tx.tx.ExecContext(ctx, query, args...)
	}
	s, err := tx.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return tx.tx.ExecContext(ctx, query, args...)
	}
	return s.ExecContext(ctx, args...)
}

// GetContext scans one row into dest, sql.ErrNoRows when there is none.
func (tx *Tx) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	if err := tx.catchUp(ctx, query); err != nil {
		return err
	}
	ctx = tx.ctx(ctx)
	s, err := tx.statement(ctx, query)
	if err != nil {
		return err
	}
	if s == nil {
		return sqlx.GetContext(ctx, tx.plain(), dest, query, args...)
	}
	return s.GetContext(ctx, dest, args...)
}

// SelectContext scans all rows into the slice dest.
func (tx *Tx) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	if err := tx.catchUp(ctx, query); err != nil {
		return err
	}
	ctx = tx.ctx(ctx)
	s, err := tx.statement(ctx, query)
	if err != nil {
		return err
	}
	if s == nil {
		return sqlx.SelectContext(ctx, tx.plain(), dest, query, args...)
	}
	return s.SelectContext(ctx, dest, args...)
}

// QueryxContext returns rows for large results; the caller closes them before the next statement of this Tx.
func (tx *Tx) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	if err := tx.catchUp(ctx, query); err != nil {
		return nil, err
	}
	ctx = tx.ctx(ctx)
	s, err := tx.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return tx.plain().QueryxContext(ctx, query, args...)
	}
	return s.QueryxContext(ctx, args...)
}

// ExecOne runs a guarded statement and reports whether it changed exactly one row.
func (tx *Tx) ExecOne(ctx context.Context, query string, args ...any) (bool, error) {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Wake makes the listeners of topic poll once this transaction is committed.
func (tx *Tx) Wake(topic string) { tx.topics = append(tx.topics, topic) }

// Tell hands something to OnTold's function once this transaction is durable.
func (tx *Tx) Tell(what any) { tx.told = append(tx.told, what) }

// OnTold has a function called with what a transaction told, in the goroutine of Write's caller and before Write returns. Call it
// before the database is used.
func (db *DB) OnTold(fn func([]any)) { db.onTold = fn }

// Read runs fn in a transaction that sees one snapshot and cannot write.
func (db *DB) Read(ctx context.Context, fn func(tx *Tx) error) error {
	opt := &sql.TxOptions{ReadOnly: true}
	if db.dialect == Postgres {
		opt.Isolation = sql.LevelRepeatableRead
	} else {
		opt = nil // modernc knows no options; the connections of this pool are query_only
	}
	t, end, err := db.read.begin(ctx, opt)
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer end()
	return fn(&Tx{Now: db.Now(), tx: t, pool: db.read})
}

// Ask runs fn, which asks by GetContext, SelectContext and QueryxContext alone, without a transaction: each question sees what is committed just
// then. For one question that is all a transaction gives, and BEGIN and ROLLBACK cost as much as the question.
func (db *DB) Ask(ctx context.Context, fn func(tx *Tx) error) error {
	select {
	case db.read.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("begin to ask: %w", ctx.Err())
	}
	defer func() { <-db.read.slots }()
	return fn(&Tx{Now: db.Now(), pool: db.read})
}

// Write runs fn in a transaction and returns after its commit is durable, or with fn's error after nothing of it was kept.
// fn may be run again: it must not call Write, wait for anything outside, or change what it does not set anew.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	if db.dialect == SQLite {
		return db.WriteTogether(ctx, "", fn)
	}
	return db.tellAfter(ctx, fn, db.writePostgres)
}

// tellAfter has write run and commit the closure, and then tells what it told.
func (db *DB) tellAfter(ctx context.Context, fn func(*Tx) error, write func(context.Context, func(*Tx) error) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var told []any
	err := write(ctx, func(tx *Tx) error {
		err := fn(tx)
		told = tx.told
		return err
	})
	if err != nil {
		return err
	}
	if db.fault != nil {
		db.fault("committed")
	}
	if len(told) > 0 && db.onTold != nil {
		db.onTold(told)
	}
	return nil
}

func (db *DB) writePostgres(ctx context.Context, fn func(tx *Tx) error) error {
	for try := 1; ; try++ {
		topics, err := db.oncePostgres(ctx, fn)
		if err == nil {
			db.wakes.wake(topics)
			return nil
		}
		if !isTransient(err) || try == 20 {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

func (db *DB) oncePostgres(ctx context.Context, fn func(tx *Tx) error) ([]string, error) {
	t, end, err := db.write.begin(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin to write: %w", err)
	}
	defer end()
	tx := &Tx{Now: db.Now(), tx: t, pool: db.write, dialect: db.dialect, fault: db.fault}
	if err := fn(tx); err != nil {
		return nil, err
	}
	if err := tx.catchUp(ctx, ""); err != nil {
		return nil, err
	}
	if err := t.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return tx.topics, nil
}

// pause waits a little longer at every try, so that writers who collide spread out.
func pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(try*try) * time.Millisecond):
		return nil
	}
}
