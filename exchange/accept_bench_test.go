package exchange_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

var million = flag.Bool("million", false, "BenchmarkStatus among 1,000,000 dispatches, not 20,000")

// forEachBench runs fn on both databases; PostgreSQL syncs when CONGVAN_TEST_FSYNC is set.
func forEachBench(b *testing.B, fn func(*testing.B, *sqldb.DB)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "x.db")
			if dialect == sqldb.Postgres {
				dsn = mailtest.NewPostgres(b)
			}
			fn(b, mailtest.Open(b, dsn))
		})
	}
}

const acceptors = 32 // people and programs that accept at the same time

// BenchmarkAcceptOfOneDocument is 1,000 units that accept their copies of one document at once.
func BenchmarkAcceptOfOneDocument(b *testing.B) {
	forEachBench(b, func(b *testing.B, db *sqldb.DB) {
		const units = 1000
		h := manyUnits(b, db, units)
		for i := range b.N {
			b.StopTimer()
			ids := h.issueTo(b, i, units)
			b.StartTimer()
			h.acceptAll(b, ids, func(i int) recipients.UnitCode { return recipients.UnitCode(fmt.Sprintf("u%04d", i)) })
		}
		b.ReportMetric(float64(units*b.N)/b.Elapsed().Seconds(), "accepts/s")
	})
}

// BenchmarkAcceptOfManyDocuments is one unit that accepts 1,000 documents, each under the next number of its register.
func BenchmarkAcceptOfManyDocuments(b *testing.B) {
	forEachBench(b, func(b *testing.B, db *sqldb.DB) {
		const documents = 1000
		h := manyUnits(b, db, 1)
		h.issueTo(b, 0, 1)
		h.multiply(b, documents*b.N-1)
		ids := make([]exchange.DispatchID, documents*b.N)
		for i := range ids {
			ids[i] = exchange.DispatchID(1 + (1+i)<<20)
		}
		b.ResetTimer()
		h.acceptAll(b, ids, func(int) recipients.UnitCode { return "u0000" })
		b.ReportMetric(float64(documents*b.N)/b.Elapsed().Seconds(), "accepts/s")
	})
}

// issueTo issues a small document to the first n units and returns its copies, in the order of units.
func (h *house) issueTo(b *testing.B, i, n int) []exchange.DispatchID {
	b.Helper()
	codes := make([]string, n)
	for k := range codes {
		codes[k] = fmt.Sprintf("u%04d", k)
	}
	st := h.issue(b, proposal(fmt.Sprintf("%d/SNV-VP", i+1), "Các đơn vị="+strings.Join(codes, " ")))
	var ids []exchange.DispatchID
	for _, d := range st.Dispatches {
		ids = append(ids, d.Dispatch.ID)
	}
	return ids
}

func (h *house) acceptAll(b *testing.B, ids []exchange.DispatchID, unit func(int) recipients.UnitCode) {
	b.Helper()
	work := make(chan int)
	var wg sync.WaitGroup
	for range acceptors {
		wg.Go(func() {
			for i := range work {
				if _, err := h.Accept(context.Background(), exchange.Actor{Unit: unit(i), Name: "văn thư"}, ids[i], ""); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range ids {
		work <- i
	}
	close(work)
	wg.Wait()
}

// BenchmarkStatus is the map of a document of 1,000 copies among many others.
func BenchmarkStatus(b *testing.B) {
	forEachBench(b, func(b *testing.B, db *sqldb.DB) {
		const copies = 1000
		others := 19
		if *million {
			others = 999
		}
		h := manyUnits(b, db, copies)
		h.issueTo(b, 0, copies)
		h.multiply(b, others)
		b.ResetTimer()
		for i := range b.N {
			st, err := h.Status(context.Background(), exchange.DocumentID(1+i*7%(others+1)))
			if err != nil || len(st.Dispatches) != copies || len(st.Dispatches[copies/2].Events) == 0 {
				b.Fatal(len(st.Dispatches), err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/status")
		b.ReportMetric(float64((others+1)*copies), "dispatches")
	})
}

// multiply writes the first document, its copies and events n times more, under other ids.
func (h *house) multiply(b *testing.B, n int) {
	b.Helper()
	ctx := context.Background()
	columns := func(table string) []string {
		var all []string
		query := `SELECT name FROM pragma_table_info('` + table + `') ORDER BY cid`
		if h.db.Dialect() == sqldb.Postgres {
			query = `SELECT column_name FROM information_schema.columns WHERE table_name = '` + table + `' AND table_schema = 'public' ORDER BY ordinal_position`
		}
		if err := h.db.Read(ctx, func(tx *sqldb.Tx) error { return tx.SelectContext(ctx, &all, query) }); err != nil {
			b.Fatal(err)
		}
		return all
	}
	for _, t := range []struct {
		table, where string
		change       map[string]string
	}{
		{"document", "id = 1", map[string]string{"id": "id + k.k", "original": "original || k.k"}},
		{"package_item", "document_id = 1", map[string]string{"document_id": "document_id + k.k"}},
		{"recipient_line", "document_id = 1", map[string]string{"document_id": "document_id + k.k", "id": "id + k.k"}},
		{"dispatch", "document_id = 1", map[string]string{"id": "id + k.k * 1048576", "document_id": "document_id + k.k", "sequence": "sequence + k.k"}},
		{"event", "chain >= 1048576 AND chain < 2097152", map[string]string{"chain": "chain + k.k * 1048576"}},
	} {
		names := columns(t.table)
		values := make([]string, len(names))
		for i, name := range names {
			if values[i] = t.change[name]; values[i] == "" {
				values[i] = name
			}
		}
		query := fmt.Sprintf(`WITH RECURSIVE k(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM k WHERE k < %d) INSERT INTO %s (%s) SELECT %s FROM %s, k WHERE %s`,
			n, t.table, strings.Join(names, ", "), strings.Join(values, ", "), t.table, t.where)
		if err := h.db.Write(ctx, func(tx *sqldb.Tx) error { _, err := tx.ExecContext(ctx, query); return err }); err != nil {
			b.Fatalf("%s: %v", t.table, err)
		}
	}
	if h.db.Dialect() == sqldb.Postgres {
		h.exec(b, `ANALYZE`)
	}
}
