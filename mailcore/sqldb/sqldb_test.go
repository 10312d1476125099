package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

func insertBlob(ctx context.Context, tx *sqldb.Tx, digest string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO blob (digest, size, touched_at) VALUES ($1, $2, $3)`, digest, 1, tx.Now.UnixMicro())
	return err
}

func count(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	ctx := context.Background()
	if err := db.Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &n, `SELECT count(*) FROM blob`) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFailedClosureTakesNobodyWithIt(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		boom := errors.New("boom")
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				err := db.Write(ctx, func(tx *sqldb.Tx) error {
					if err := insertBlob(ctx, tx, fmt.Sprint("d", i)); err != nil {
						return err
					}
					if i%3 == 0 {
						return boom
					}
					return nil
				})
				if want := i%3 == 0; errors.Is(err, boom) != want {
					t.Errorf("write %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := count(t, db); n != 40 {
			t.Errorf("%d rows, want 40", n)
		}
	})
}

func TestUniqueViolationIsToldAndHarmsNobody(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		var mu sync.Mutex
		ok, taken := 0, 0
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "same") })
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					ok++
				case sqldb.IsUnique(err):
					taken++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if ok != 1 || taken != 19 {
			t.Errorf("%d wrote, %d were told", ok, taken)
		}
	})
}

func TestPanicReachesItsCallerOnly(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("panic was swallowed")
				}
			}()
			db.Write(ctx, func(tx *sqldb.Tx) error { insertBlob(ctx, tx, "lost"); panic("bug") })
		}()
		if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "kept") }); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestCommitWakesListenersAndRollbackDoesNot(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		c, end := db.Listen("x")
		defer end()
		db.Write(ctx, func(tx *sqldb.Tx) error { tx.Wake("x"); return errors.New("no") })
		if err := db.Write(ctx, func(tx *sqldb.Tx) error { tx.Wake("y"); return nil }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c:
			if db.Dialect() == sqldb.SQLite {
				t.Error("woken by a rollback")
			} // PostgreSQL's listener wakes everybody once when it connects
		default:
		}
		if err := db.Write(ctx, func(tx *sqldb.Tx) error { tx.Wake("x"); return nil }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Error("not woken")
		}
	})
}

// Two processes share one file (the command line beside the server), two nodes one PostgreSQL.
func TestCommitOfAnotherProcessWakes(t *testing.T) {
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "a ?#.db") },
		"postgres": func() string { return mailtest.NewPostgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			address := dsn()
			one, two := mailtest.Open(t, address), mailtest.Open(t, address)
			c, end := one.Listen("x")
			defer end()
			deadline := time.After(time.Minute)
			for { // until the other side listens, too
				err := two.Write(ctx, func(tx *sqldb.Tx) error {
					tx.Wake("x")
					return insertBlob(ctx, tx, fmt.Sprint(time.Now().UnixNano()))
				})
				if err != nil {
					t.Fatal(err)
				}
				select {
				case <-c:
					return
				case <-deadline:
					t.Fatal("not woken")
				case <-time.After(600 * time.Millisecond):
				}
			}
		})
	}
}

func TestReadCannotWrite(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		if err := db.Read(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "x") }); err == nil {
			t.Error("a read wrote")
		}
	})
}

func TestCancelledCallerDoesNotCutTheSharedCommit(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, "x") }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// Statements stay prepared on their connection; both must survive errors, many texts and a server that hangs up.
func TestConnectionsAreReplacedAndStatementsForgotten(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		for i := range 900 {
			err := db.Write(ctx, func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(ctx, fmt.Sprintf(`INSERT INTO blob (digest, size, touched_at) VALUES ($1, %d, $2)`, i), fmt.Sprint("d", i%890), 0)
				return err
			})
			if (err != nil) != (i >= 890) || err != nil && !sqldb.IsUnique(err) {
				t.Fatalf("write %d: %v", i, err)
			}
		}
		if n := count(t, db); n != 890 {
			t.Errorf("%d rows, want 890", n)
		}
		if db.Dialect() != sqldb.Postgres {
			return
		}
		for _, q := range []string{`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
			`SELECT count(pg_terminate_backend(pg_backend_pid()))`} {
			var n int
			db.Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &n, q) })
			if n := count(t, db); n != 890 {
				t.Errorf("%d rows after the server hung up, want 890", n)
			}
			if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, q[:30]) }); err != nil {
				t.Errorf("write after the server hung up: %v", err)
			}
			if err := db.Write(ctx, func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(ctx, `DELETE FROM blob WHERE digest = $1`, q[:30])
				return err
			}); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestManyReadersAtTheSameTime(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for range 20 {
					var n int
					if err := db.Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &n, `SELECT count(*) FROM blob`) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestNewerDatabaseStopsTheStart(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		old := fstest.MapFS{"0001_a.sql": {Data: []byte("CREATE TABLE a (id {{id}}, b {{bytes}});")}}
		if err := db.Migrate(context.Background(), old); err == nil {
			t.Error("an old program opened a newer database")
		}
	})
}

func TestHalfOfAPairIsAnError(t *testing.T) {
	db := mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	half := fstest.MapFS{"0001_a.sqlite.sql": {Data: []byte("SELECT 1;")}}
	if err := db.Migrate(context.Background(), half); err == nil {
		t.Error("a pair with one half was taken")
	}
}

func BenchmarkSmallTransactions(b *testing.B) {
	for _, writers := range []int{1, 16} {
		for _, name := range []string{"sqlite", "postgres"} {
			b.Run(fmt.Sprintf("%s/writers=%d", name, writers), func(b *testing.B) {
				dsn := "sqlite:" + filepath.Join(b.TempDir(), "x.db")
				if name == "postgres" {
					dsn = mailtest.NewPostgres(b)
				}
				db := mailtest.Open(b, dsn)
				ctx := context.Background()
				next := make(chan int)
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for i := range next {
							if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insertBlob(ctx, tx, fmt.Sprint("b", i)) }); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ResetTimer()
				for i := range b.N {
					next <- i
				}
				close(next)
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
			})
		}
	}
}
