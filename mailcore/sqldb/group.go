package sqldb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// maxBatch bounds how many closures share a commit, so that the first does not wait long for the last.
const maxBatch = 256

// lookAround is how often the writer asks whether another process has committed to the same file.
const lookAround = 250 * time.Millisecond

// A group is SQLite's one writer: it commits together as many closures as are waiting.
type group struct {
	db   *DB
	mu   sync.Mutex // over conn, between writing and looking around
	conn *sqlx.Conn
	seen int64 // PRAGMA data_version of the writing connection: moves only when somebody else commits
	stop context.CancelFunc
	done chan struct{}
}

func (db *DB) startWriter(ctx context.Context) error {
	conn, err := db.write.Connx(ctx)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := &group{db: db, conn: conn, stop: stop, done: make(chan struct{})}
	go g.lookAround(running)
	db.group, db.lines = g, newLines(maxBatch, g.runAll)
	return nil
}

// close is called when nothing is written any more.
func (g *group) close() {
	g.stop()
	<-g.done
	g.conn.Close()
}

func (g *group) lookAround(ctx context.Context) {
	defer close(g.done)
	tick := time.NewTicker(lookAround)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.lookForOthers()
		case <-ctx.Done():
			return
		}
	}
}

// runAll commits the batch together; when SQLite gave up the whole transaction on one closure's account, each runs alone.
func (g *group) runAll(batch []*job) {
	g.mu.Lock()
	defer g.mu.Unlock()
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
	tx := &Tx{Now: g.db.Now(), tx: t, pool: g.db.write, dialect: SQLite, shared: true}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	tx.fault = g.db.fault
	if j.call(tx, true) {
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
	g.mu.Lock()
	defer g.mu.Unlock()
	var v int64
	if err := g.conn.GetContext(context.Background(), &v, "PRAGMA data_version"); err != nil {
		return
	}
	if g.seen != 0 && v != g.seen {
		g.db.wakes.wakeAll()
	}
	g.seen = v
}
