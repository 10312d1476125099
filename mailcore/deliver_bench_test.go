package mailcore_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// BenchmarkDeliverToThousand delivers a new body of 300 KB to a thousand mailboxes in one transaction, each copy with a
// prefix of its own. bytes/copy is what database and blob store grow by, the body shared by all included.
func BenchmarkDeliverToThousand(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			dsn := "sqlite:" + filepath.Join(dir, "congvan.db")
			if name == "postgres" {
				dsn = mailtest.NewPostgres(b)
			}
			db := mailtest.Open(b, dsn)
			blobs, err := blob.OpenDir(filepath.Join(dir, "blobs"))
			if err != nil {
				b.Fatal(err)
			}
			s := mailcore.NewStore(db, blobs, mailtest.Quiet)
			boxes := accounts(b, s, 1000)
			const size = 300 << 10
			before := used(b, db, dir)
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				text := fmt.Appendf(nil, "Subject: %d\r\nMessage-ID: <%d@kontum.test>\r\n\r\n", i, i)
				text = append(text, bytes.Repeat([]byte(strings.Repeat("x", 74)+"\r\n"), size/76)...)
				saved := must[*mailcore.Body](b)(s.SaveBody(ctx, bytes.NewReader(text), 0))
				copies := make([]mailcore.Copy, len(boxes))
				for j, a := range boxes {
					ref := fmt.Sprintf("dispatch:%d", i*len(boxes)+j)
					copies[j] = mailcore.Copy{Account: a.ID, Ref: ref, Prefix: []byte("X-CongVan-Dispatch: " + ref + "\r\n")}
				}
				b.StartTimer()
				if _, err := s.Deliver(ctx, saved, copies); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			n := float64(b.N * len(boxes))
			b.ReportMetric(n/b.Elapsed().Seconds(), "copies/s")
			b.ReportMetric(float64(used(b, db, dir)-before)/n, "bytes/copy")
			checkStore(b, s)
		})
	}
}

// used returns the bytes of the database, write-ahead log emptied, and of the blob store.
func used(b *testing.B, db *sqldb.DB, dir string) int64 {
	var total int64
	if db.Dialect() == sqldb.Postgres {
		err := db.Read(context.Background(), func(tx *sqldb.Tx) error {
			return tx.GetContext(ctx, &total, `SELECT pg_database_size(current_database())`)
		})
		if err != nil {
			b.Fatal(err)
		}
	} else {
		var pages, pageSize int64
		err := db.Read(context.Background(), func(tx *sqldb.Tx) error {
			if err := tx.GetContext(ctx, &pages, `PRAGMA page_count`); err != nil {
				return err
			}
			return tx.GetContext(ctx, &pageSize, `PRAGMA page_size`)
		})
		if err != nil {
			b.Fatal(err)
		}
		total = pages * pageSize
	}
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}
