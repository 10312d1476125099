package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// maxBatch bounds how many closures share a commit, so that the first does not wait long for the last.
const maxBatch = 256

// lookAround is how often the writer asks whether another process has committed to the same file.
const lookAround = 250 * time.Millisecond

// ErrClosed is returned to writers that wait while the database closes.
var ErrClosed = errors.New("database is closed")

// A group is SQLite's one writer. Callers hand it closures; it runs as many as are waiting and commits them together.
type group struct {
	db   *DB
	conn *sqlx.Conn
	jobs chan *job
	quit chan struct{}
	done chan struct{}
	seen int64 // PRAGMA data_version of the writing connection: moves only when somebody else commits
}

type job struct {
	ctx      context.Context
	fn       func(*Tx) error
	err      error
	topics   []string
	panicked any
	done     chan struct{}
}

func newGroup(ctx context.Context, db *DB) (*group, error) {
	conn, err := db.write.Connx(ctx)
	if err != nil {
		return nil, err
	}
	g := &group{db: db, conn: conn, jobs: make(chan *job, maxBatch), quit: make(chan struct{}), done: make(chan struct{})}
	go g.loop()
	return g, nil
}

func (g *group) close() {
	close(g.quit)
	<-g.done
	g.conn.Close()
}

func (g *group) do(ctx context.Context, fn func(*Tx) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case g.jobs <- j:
	case <-g.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-j.done: // not ctx.Done: whether it was committed is known only now
	case <-g.done:
		select {
		case <-j.done:
		default:
			return ErrClosed
		}
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

func (g *group) loop() {
	defer close(g.done)
	tick := time.NewTicker(lookAround)
	defer tick.Stop()
	for {
		select {
		case j := <-g.jobs:
			g.runAll(g.gather(j))
		case <-tick.C:
			g.lookForOthers()
		case <-g.quit:
			return
		}
	}
}

func (g *group) gather(first *job) []*job {
	batch := []*job{first}
	for len(batch) < maxBatch {
		select {
		case j := <-g.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// runAll commits the batch together; when SQLite gave up the whole transaction on one closure's account, each runs alone.
func (g *group) runAll(batch []*job) {
	if err := g.runRetrying(batch); err != nil {
		if len(batch) == 1 {
			batch[0].err = err
		} else {
			for _, j := range batch {
				if err := g.runRetrying([]*job{j}); err != nil {
					j.err = err
				}
			}
		}
	}
	for _, j := range batch {
		if j.err == nil && j.panicked == nil {
			g.db.wakes.wake(j.topics)
		}
		close(j.done)
	}
}

func (g *group) runRetrying(batch []*job) error {
	for try := 1; ; try++ {
		err := g.run(batch)
		if err == nil || !isTransient(err) || try == 20 {
			return err
		}
		if err := pause(context.Background(), try); err != nil {
			return err
		}
	}
}

// run makes one transaction of the batch. Its error means that nothing was committed; a closure's own error stands in
// its job and harms nobody.
func (g *group) run(batch []*job) error {
	ctx := context.Background()
	t, err := g.conn.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to write: %w", err)
	}
	defer t.Rollback()
	for _, j := range batch {
		if err := g.runOne(ctx, t, j); err != nil {
			return err
		}
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// runOne runs one closure under a savepoint.
func (g *group) runOne(ctx context.Context, t *sqlx.Tx, j *job) error {
	j.err, j.panicked, j.topics = j.ctx.Err(), nil, nil
	if j.err != nil {
		return nil
	}
	tx := &Tx{Now: g.db.Now(), tx: t, pool: g.db.write, keep: true}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	tx.fault = g.db.fault
	func() {
		defer func() { j.panicked, tx.fault = recover(), nil }()
		j.err = j.fn(tx)
	}()
	if j.err == nil && j.panicked == nil {
		j.topics = tx.topics
		_, err := tx.ExecContext(ctx, "RELEASE one")
		return err
	}
	if isTransient(j.err) {
		return j.err
	}
	if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
		// A full disk or an I/O error has ended the transaction under us.
		return errors.Join(j.err, err)
	}
	_, err := tx.ExecContext(ctx, "RELEASE one")
	return err
}

// lookForOthers wakes every listener when another process (the command line beside the server) has committed.
func (g *group) lookForOthers() {
	if !g.db.wakes.any() {
		return
	}
	var v int64
	if err := g.conn.GetContext(context.Background(), &v, "PRAGMA data_version"); err != nil {
		return
	}
	if g.seen != 0 && v != g.seen {
		g.db.wakes.wakeAll()
	}
	g.seen = v
}
