package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// maxTogether bounds how many closures hold a row of PostgreSQL until their common commit: other nodes wait for it.
const maxTogether = 64

// WriteTogether is Write for closures that all take the same row, such as the counter of a register, which key names. On PostgreSQL
// the first would hold it until its commit is durable and the next wait, one commit each; so those of one key that wait in this
// process run one after the other in one transaction, as all do on SQLite. One that fails takes nobody with it. A key that
// is wrong costs time and nothing else.
func (db *DB) WriteTogether(ctx context.Context, key string, fn func(tx *Tx) error) error {
	if db.dialect == SQLite {
		key = "" // it has one writer
	}
	return db.tellAfter(ctx, fn, func(ctx context.Context, fn func(*Tx) error) error { return db.lines.do(ctx, key, fn) })
}

// runPostgres commits closures of one key. There are no savepoints, which would cost each closure as much as two of its statements: when one
// fails nothing of its transaction is kept, and those before it run again without it.
func (db *DB) runPostgres(batch []*job) {
	switch len(batch) {
	case 0:
		return
	case 1:
		db.runAlone(batch[0])
		return
	}
	n, err := db.together(batch)
	switch {
	case err == nil:
	case isTransient(err), errors.Is(err, pq.ErrInFailedTransaction), errors.Is(err, errLater): // alone each holds no more rows than it needs itself
		for _, j := range batch {
			db.runAlone(j)
		}
	case n == len(batch): // the transaction could not begin, or it is not known whether it was committed
		for _, j := range batch {
			j.err = err
		}
	default:
		db.runPostgres(batch[:n])
		db.runAlone(batch[n])
		db.runPostgres(batch[n+1:])
	}
}

func (db *DB) runAlone(j *job) {
	defer func() { j.panicked = recover() }()
	j.err = db.writePostgres(j.ctx, j.fn)
}

var (
	errPanicked = errors.New("closure panicked")
	errLater    = errors.New("rows left for later") // of some closure: nobody knows which
)

// together runs the closures in one transaction. After an error nothing was kept, unless the commit brought it; the number says which
// closure failed, and is theirs all when it was none.
func (db *DB) together(batch []*job) (int, error) {
	ctx := context.Background() // one caller that goes away must not cut the others short
	t, end, err := db.write.begin(ctx, nil)
	if err != nil {
		return len(batch), fmt.Errorf("begin to write: %w", err)
	}
	defer end()
	tx := &Tx{}
	for i, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		tx = &Tx{Now: db.Now(), tx: t, pool: db.write, dialect: Postgres, fault: db.fault, shared: true, later: tx.later, known: tx.known}
		if !j.call(tx, false) {
			if j.panicked != nil {
				return i, errPanicked
			}
			return i, j.err
		}
	}
	if err := tx.catchUp(ctx, ""); err != nil {
		return len(batch), errors.Join(errLater, err)
	}
	if err := t.Commit(); err != nil {
		return len(batch), fmt.Errorf("commit: %w", err)
	}
	for _, j := range batch {
		if j.err == nil {
			db.wakes.wake(j.topics)
		}
	}
	return len(batch), nil
}
