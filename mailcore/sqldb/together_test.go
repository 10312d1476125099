package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// A queue is closures that are all in line before the second of them runs.
type queue struct {
	t    *testing.T
	db   *sqldb.DB
	goOn chan struct{}
	all  sync.WaitGroup
}

// newQueue has a closure of the key hold up the others until run.
func newQueue(t *testing.T, db *sqldb.DB, key string) *queue {
	q := &queue{t: t, db: db, goOn: make(chan struct{})}
	begun := make(chan struct{})
	q.all.Go(func() {
		if err := db.WriteTogether(context.Background(), key, func(*sqldb.Tx) error { close(begun); <-q.goOn; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	return q
}

// add puts a closure into line and hands its error to want.
func (q *queue) add(ctx context.Context, key string, want func(error), fn func(*sqldb.Tx) error) {
	before := q.db.Waiting()
	q.all.Go(func() { want(q.db.WriteTogether(ctx, key, fn)) })
	for deadline := time.Now().Add(2 * time.Minute); q.db.Waiting() == before; {
		if time.Now().After(deadline) {
			q.t.Fatal("a closure does not get into line")
		}
		time.Sleep(time.Millisecond)
	}
}

func (q *queue) run() { close(q.goOn); q.all.Wait() }

func (q *queue) want(what string, is error) func(error) {
	return func(err error) {
		if !errors.Is(err, is) || (err == nil) != (is == nil) {
			q.t.Errorf("%s: %v, want %v", what, err, is)
		}
	}
}

// Closures of one key share a commit: on PostgreSQL their rows bear one transaction's number.
func TestClosuresOfOneKeyShareACommit(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		q := newQueue(t, db, "k")
		for i := range 40 {
			q.add(ctx, "k", q.want("write", nil), func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, fmt.Sprint("d", i)) })
		}
		q.run()
		if n := count(t, db); n != 40 {
			t.Errorf("%d rows, want 40", n)
		}
		if db.Dialect() != sqldb.Postgres {
			return
		}
		var n int
		if err := db.Ask(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &n, `SELECT count(DISTINCT xmin::text) FROM blob`) }); err != nil || n != 1 {
			t.Errorf("%d transactions, %v", n, err)
		}
	})
}

// Whatever one closure of a batch does, the others are kept and hear of nothing.
func TestOneOfABatchFailsAndTheOthersStand(t *testing.T) {
	boom := errors.New("boom")
	for name, bad := range map[string]func(context.Context, *sqldb.Tx) error{
		"error": func(ctx context.Context, tx *sqldb.Tx) error {
			insertBlob(ctx, tx, "lost")
			return boom
		},
		"statement refused": func(ctx context.Context, tx *sqldb.Tx) error { return errors.Join(boom, insertBlob(ctx, tx, "d0")) },
		"dead transaction": func(ctx context.Context, tx *sqldb.Tx) error {
			insertBlob(ctx, tx, "d0")
			insertBlob(ctx, tx, "lost")
			return boom
		},
	} {
		for _, at := range []int{0, 1, 5, 9} {
			t.Run(fmt.Sprint(name, " at ", at), func(t *testing.T) {
				mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
					ctx := context.Background()
					if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "d0") }); err != nil {
						t.Fatal(err)
					}
					q := newQueue(t, db, "k")
					for i := range 10 {
						if i == at {
							q.add(ctx, "k", q.want("the bad one", boom), func(tx *sqldb.Tx) error { return bad(ctx, tx) })
							continue
						}
						q.add(ctx, "k", q.want("another", nil), func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, fmt.Sprint("k", i)) })
					}
					q.run()
					if n := count(t, db); n != 10 {
						t.Errorf("%d rows, want 10", n)
					}
				})
			})
		}
	}
}

// A closure that swallows the error of a statement leaves PostgreSQL's transaction dead: that is its own error alone.
func TestSwallowedErrorTakesNobodyWithIt(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		q := newQueue(t, db, "k")
		for i := range 6 {
			q.add(ctx, "k", q.want("another", nil), func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, fmt.Sprint("k", i)) })
			if i == 2 || i == 5 {
				q.add(ctx, "k", func(err error) {
					if (err == nil) != (db.Dialect() == sqldb.SQLite) {
						t.Errorf("who swallowed an error got %v", err)
					}
				}, func(tx *sqldb.Tx) error { insertBlob(ctx, tx, "k0"); return nil })
			}
		}
		q.run()
		if n := count(t, db); n != 6 {
			t.Errorf("%d rows, want 6", n)
		}
	})
}

func TestPanicInABatchReachesItsCallerOnly(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		q := newQueue(t, db, "k")
		add := func(name string) {
			q.add(ctx, "k", q.want(name, nil), func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, name) })
		}
		add("before")
		before := db.Waiting()
		q.all.Go(func() {
			defer func() {
				if p := recover(); p != "bug" {
					t.Errorf("recovered %v", p)
				}
			}()
			db.WriteTogether(ctx, "k", func(tx *sqldb.Tx) error { insertBlob(ctx, tx, "lost"); panic("bug") })
		})
		for db.Waiting() == before {
			time.Sleep(time.Millisecond)
		}
		add("after")
		q.run()
		if n := count(t, db); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

// Who goes away while waiting leaves the line at once; who goes away while his closure runs with others hears what became of it.
func TestCancelledCallersDoNotCutABatch(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		q := newQueue(t, db, "k")
		waiting, goAway := context.WithCancel(ctx)
		running, cutShort := context.WithCancel(ctx)
		left := make(chan struct{})
		q.add(ctx, "k", q.want("first", nil), func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "first") })
		q.add(waiting, "k", func(err error) { q.want("who left", context.Canceled)(err); close(left) }, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "left") })
		q.add(running, "k", q.want("cancelled while running", nil), func(tx *sqldb.Tx) error {
			cutShort()
			return insertBlob(running, tx, "second")
		})
		q.add(ctx, "k", q.want("last", nil), func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "third") })
		goAway()
		<-left // before anything ran
		q.run()
		if n := count(t, db); n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
	})
}

// Wake-ups and what is told follow the commit, and only of closures that were kept.
func TestBatchWakesAndTellsWhatWasKept(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		var mu sync.Mutex
		told := map[any]bool{}
		db.OnTold(func(all []any) {
			mu.Lock()
			defer mu.Unlock()
			for _, what := range all {
				told[what] = true
			}
		})
		c, end := db.Listen("kept")
		defer end()
		boom := errors.New("boom")
		q := newQueue(t, db, "k")
		for i := range 6 {
			var is error
			if i%2 == 1 {
				is = boom
			}
			q.add(ctx, "k", q.want("write", is), func(tx *sqldb.Tx) error {
				tx.Tell(i)
				tx.Wake("kept")
				return is
			})
		}
		q.run()
		select {
		case <-c:
		case <-time.After(2 * time.Minute):
			t.Error("not woken")
		}
		if len(told) != 3 || !told[0] || !told[2] || !told[4] {
			t.Errorf("told %v", told)
		}
	})
}

// Two batches that take the same rows in another order end in a deadlock, which the database finds: then each closure runs alone.
func TestDeadlockOfTwoBatchesEnds(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		for _, row := range []string{"a", "b"} {
			if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, row) }); err != nil {
				t.Fatal(err)
			}
		}
		grow := func(row string) func(*sqldb.Tx) error {
			return func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(ctx, `UPDATE blob SET size = size + 1 WHERE digest = $1`, row)
				return err
			}
		}
		keys := []string{"k", "l"}
		if db.Dialect() == sqldb.SQLite {
			keys[1] = "k" // there is one line
		}
		one := newQueue(t, db, keys[0])
		two := one
		if keys[1] != keys[0] {
			two = newQueue(t, db, keys[1])
		}
		var both sync.WaitGroup // the first closures of both batches hold their rows before the second ones ask
		both.Add(2)
		meet := func(fn func(*sqldb.Tx) error) func(*sqldb.Tx) error {
			once := sync.OnceFunc(both.Done)
			return func(tx *sqldb.Tx) error {
				err := fn(tx)
				once()
				if db.Dialect() == sqldb.Postgres {
					both.Wait()
				}
				return err
			}
		}
		one.add(ctx, keys[0], one.want("1a", nil), meet(grow("a")))
		one.add(ctx, keys[0], one.want("1b", nil), grow("b"))
		two.add(ctx, keys[1], two.want("2b", nil), meet(grow("b")))
		two.add(ctx, keys[1], two.want("2a", nil), grow("a"))
		close(one.goOn)
		if two != one {
			close(two.goOn)
		}
		one.all.Wait()
		two.all.Wait()
		var sizes []int
		if err := db.Ask(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &sizes, `SELECT size FROM blob ORDER BY digest`)
		}); err != nil || len(sizes) != 2 || sizes[0] != 3 || sizes[1] != 3 {
			t.Errorf("sizes %v, %v", sizes, err)
		}
	})
}

// A server that hangs up in the middle of a batch costs the closure that it met, at most.
func TestServerHangsUpInABatch(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		if db.Dialect() != sqldb.Postgres {
			t.Skip("there is no server")
		}
		ctx := context.Background()
		q := newQueue(t, db, "k")
		once := false
		for i := range 6 {
			q.add(ctx, "k", q.want("write", nil), func(tx *sqldb.Tx) error {
				if err := insertBlob(ctx, tx, fmt.Sprint("k", i)); err != nil || i != 3 || once {
					return err
				}
				once = true
				_, err := tx.ExecContext(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
				return err
			})
		}
		q.run()
		if n := count(t, db); n != 6 {
			t.Errorf("%d rows, want 6", n)
		}
	})
}

// Lines end with the database: what waits is turned away, what runs comes to its end.
func TestCloseTurnsAwayWhoWaits(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		q := newQueue(t, db, "k")
		q.add(ctx, "k", q.want("who waits", sqldb.ErrClosed), func(*sqldb.Tx) error { return nil })
		closed := make(chan error)
		go func() { closed <- db.Close() }()
		for db.Waiting() > 0 {
			time.Sleep(time.Millisecond)
		}
		q.run()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := db.WriteTogether(ctx, "k", func(*sqldb.Tx) error { return nil }); !errors.Is(err, sqldb.ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
	})
}

const laterBlob = `INSERT INTO blob (digest, size, touched_at)`

// Rows left for later are there for whoever asks, and a refused one is the error of the closure that left it.
func TestRowsLeftForLater(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			tx.InsertLater(laterBlob, [][]any{{"d0", 1, 0}, {"d1", 1, 0}})
			var n int
			if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM blob`); err != nil || n != 2 {
				t.Errorf("%d rows in the transaction, %v", n, err)
			}
			tx.InsertLater(laterBlob, [][]any{{"d2", 1, 0}})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(ctx, func(tx *sqldb.Tx) error { tx.InsertLater(laterBlob, [][]any{{"d0", 1, 0}}); return nil }); !sqldb.IsUnique(err) {
			t.Errorf("a row that is there: %v", err)
		}
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			tx.InsertLater(laterBlob, [][]any{{"lost", 1, 0}})
			return errors.New("boom")
		}); err == nil {
			t.Error("no error")
		}
		q := newQueue(t, db, "k")
		for i := range 12 {
			if i == 7 {
				q.add(ctx, "k", func(err error) {
					if !sqldb.IsUnique(err) {
						t.Errorf("a row that is there, in a batch: %v", err)
					}
				}, func(tx *sqldb.Tx) error { tx.InsertLater(laterBlob, [][]any{{"d1", 1, 0}}); return nil })
				continue
			}
			q.add(ctx, "k", q.want("write", nil), func(tx *sqldb.Tx) error {
				tx.InsertLater(laterBlob, [][]any{{fmt.Sprint("k", i), 1, 0}})
				return nil
			})
		}
		q.run()
		if n := count(t, db); n != 14 {
			t.Errorf("%d rows, want 14", n)
		}
	})
}
