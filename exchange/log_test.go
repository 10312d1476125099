package exchange_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// testLogKey is one key for all tests; nothing depends on which.
var testLogKey = sync.OnceValues(func() (*exchange.LogKey, error) {
	private, public, err := exchange.NewLogKey(domain)
	if err != nil {
		return nil, err
	}
	testLogPublic = public
	return exchange.ParseLogKey(private, public)
})

func (h *house) one(t testing.TB, query string, args ...any) (n int64) {
	t.Helper()
	ctx := context.Background()
	if err := h.db.Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &n, query, args...) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func (h *house) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	ctx := context.Background()
	if err := h.db.Write(ctx, func(tx *sqldb.Tx) error { _, err := tx.ExecContext(ctx, query, args...); return err }); err != nil {
		t.Fatal(err)
	}
}

// log takes everything into the log and signs it.
func (h *house) log(t testing.TB) *exchange.Checkpoint {
	t.Helper()
	ctx := context.Background()
	if _, err := h.Sequence(ctx); err != nil {
		t.Fatal(err)
	}
	c, err := h.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnIssueLeavesTheLogFewRowsWhateverItsCopies(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.issue(t, proposal("70/SNV-VP", "Sở Y tế, Sở Tài chính, UBND=syt stc ubnd"))
		events, acts := h.one(t, `SELECT count(*) FROM event`), h.one(t, `SELECT count(*) FROM log_queue`)
		c := h.log(t)
		if c.Size != events || h.one(t, `SELECT count(*) FROM log_queue`) != 0 {
			t.Errorf("%d events, checkpoint over %d", events, c.Size)
		}
		h.issue(t, proposal("71/SNV-VP", "Sở Y tế=syt"))
		if again := h.one(t, `SELECT count(*) FROM log_queue`); again > acts {
			t.Errorf("one copy waits in %d rows, three in %d", again, acts)
		}
	})
}

// Two nodes take events into the log and sign while others go on acting: every event gets one leaf, and what was signed
// stays true.
func TestTwoNodesRaceForTheLog(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		stop := make(chan struct{})
		var nodes, acts sync.WaitGroup
		for range 2 {
			nodes.Go(func() {
				for {
					if _, err := h.Sequence(ctx); err != nil {
						t.Error(err)
						return
					}
					if _, err := h.Checkpoint(ctx); err != nil && !isStale(err) {
						t.Error(err)
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		for i := range 12 {
			acts.Go(func() { h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 200+i), "Sở Y tế, UBND=syt ubnd")) })
		}
		acts.Wait()
		close(stop)
		nodes.Wait()
		if c := h.log(t); c.Size != h.one(t, `SELECT count(*) FROM event`) {
			t.Errorf("checkpoint over %d", c.Size)
		}
	})
}

func isStale(err error) bool { return err != nil && errors.Is(err, exchange.ErrStale) }

// A node that is killed leaves its lease; the rows of a batch are in the log or wait.
func TestCrashWhileAppendingLeavesAllOrNothing(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.issue(t, proposal("72/SNV-VP", "Sở Y tế=syt"))
		h.exec(t, `DELETE FROM log_head`) // the batch fails at its first step
		if _, err := h.Sequence(ctx); err == nil {
			t.Error("appended to a log without a head")
		}
		h.exec(t, `INSERT INTO log_head (id, epoch, size, old_series, holder, lease_until) VALUES (1, 1, 0, 0, 'dead', 0)`)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- h.RunLog(ctx) }()
		for h.one(t, `SELECT count(*) FROM checkpoint`) == 0 {
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if h.one(t, `SELECT size FROM log_head`) != h.one(t, `SELECT count(*) FROM event`) {
			t.Error("the log is not whole")
		}
	})
}

func TestAnotherKeyDoesNotSign(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.issue(t, proposal("73/SNV-VP", "Sở Y tế=syt"))
		h.log(t)
		mine := h.LogKey
		h.LogKey = func() (*exchange.LogKey, error) {
			private, public, err := exchange.NewLogKey(domain)
			if err != nil {
				return nil, err
			}
			return exchange.ParseLogKey(private, public)
		}
		h.issue(t, proposal("74/SNV-VP", "Sở Y tế=syt"))
		if _, err := h.Sequence(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Checkpoint(ctx); err == nil {
			t.Error("a node with another key signed")
		}
		h.LogKey = mine
	})
}

// BenchmarkSequencer takes the events of documents with 1,000 copies and of single acts into the log.
func BenchmarkSequencer(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		for _, single := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/single=%t", dialect, single), func(b *testing.B) {
				h := benchHouse(b, dialect)
				events := 0
				for range b.N {
					b.StopTimer()
					h.fillEvents(b, 100, 100, single)
					b.StartTimer()
					n, err := h.Sequence(context.Background())
					if err != nil {
						b.Fatal(err)
					}
					events += n
				}
				b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func benchHouse(b *testing.B, dialect sqldb.Dialect) *house { return newHouse(b, benchDB(b, dialect)) }

func benchDB(b *testing.B, dialect sqldb.Dialect) *sqldb.DB {
	dsn := "sqlite:" + b.TempDir() + "/x.db"
	if dialect == sqldb.Postgres {
		dsn = mailtest.NewPostgres(b)
	}
	return mailtest.Open(b, dsn)
}

// fillEvents writes raw events as issues of many copies or as single acts leave them.
func (h *house) fillEvents(b *testing.B, docs, copies int, single bool) {
	ctx := context.Background()
	from := h.one(b, `SELECT coalesce(max(chain), 0) / 1048576 + 1 FROM event`)
	for d := range int64(docs) {
		err := h.db.Write(ctx, func(tx *sqldb.Tx) error {
			chain := (from + d) << 20
			rows, queue := [][]any{}, [][]any{{chain, copies, 0, 1}}
			if single {
				queue = nil
			}
			for i := range copies {
				rows = append(rows, []any{chain + int64(i), 0, "x", 1, "a", "", make([]byte, 32)})
				if single {
					queue = append(queue, []any{chain + int64(i), 1, 0, 1})
				}
			}
			if err := tx.InsertRows(ctx, `INSERT INTO event (chain, ordinal, kind, at, actor, detail, digest)`, rows, ""); err != nil {
				return err
			}
			return tx.InsertRows(ctx, `INSERT INTO log_queue (chain, chains, ordinal, ordinals)`, queue, "")
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// testRoots trusts the authority of testKey, testLogPublic is testLogKey's public half.
var (
	testRoots     = x509.NewCertPool()
	testLogPublic string
)

func newHouseAt(t *testing.T, dialect sqldb.Dialect) *house {
	t.Helper()
	dsn := "sqlite:" + t.TempDir() + "/x.db"
	if dialect == sqldb.Postgres {
		dsn = mailtest.NewPostgres(t)
	}
	return newHouse(t, mailtest.Open(t, dsn))
}
