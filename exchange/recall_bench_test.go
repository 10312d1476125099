package exchange_test

import (
	"context"
	"path/filepath"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// BenchmarkRecall is one document in 1,000 mailboxes, of which every fourth copy was opened, taken back.
func BenchmarkRecall(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "x.db")
			if dialect == sqldb.Postgres {
				dsn = mailtest.NewPostgres(b)
			}
			const copies = 1000
			h := manyUnits(b, mailtest.Open(b, dsn), copies)
			var wall float64
			for i := range b.N {
				h.prepareAndIssue(b, i, copies)
				docs, err := h.ListDocuments(context.Background(), "", "")
				if err != nil {
					b.Fatal(err)
				}
				st := h.status(b, docs[0].ID)
				for k := range st.Dispatches {
					if k%4 == 0 {
						h.fetch(b, st.Dispatches[k].Unit, true)
					}
				}
				h.handle(b)
				before := b.Elapsed()
				m, err := h.Recall(context.Background(), clerk, docs[0].ID, reason, false)
				if err != nil {
					b.Fatal(err)
				}
				wall += (b.Elapsed() - before).Seconds()
				asked := 0
				for _, c := range m.Copies {
					if c.Answer == exchange.RecallAsked {
						asked++
					}
				}
				if len(m.Copies) != copies || asked != copies/4 {
					b.Fatalf("%d copies, %d asked", len(m.Copies), asked)
				}
			}
			b.ReportMetric(wall/float64(b.N)*1000, "ms/recall")
		})
	}
}
