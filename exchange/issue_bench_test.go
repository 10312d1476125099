package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"

	"codeberg.org/go-pdf/fpdf"
)

// BenchmarkIssue is one document of 300 KB to 1,000 mailboxes: wall time of the issuing step, and what each copy beyond the
// first costs in the database, the log included, and in the blob store.
func BenchmarkIssue(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "x.db")
			if dialect == sqldb.Postgres {
				dsn = mailtest.NewPostgres(b)
			}
			const copies = 1000
			h := manyUnits(b, mailtest.Open(b, dsn), copies+1)
			h.prepareAndIssue(b, 0, 1) // pages and plans that the first document makes once
			h.log(b)
			var wall float64
			var oneDB, oneBlobs, manyDB, manyBlobs int64
			for i := range b.N {
				db, blobs := h.size(b)
				h.prepareAndIssue(b, 2*i+1, 1)
				h.log(b)
				db1, blobs1 := h.size(b)
				wall += h.prepareAndIssue(b, 2*i+2, copies+1)
				h.log(b)
				db2, blobs2 := h.size(b)
				oneDB, oneBlobs, manyDB, manyBlobs = oneDB+db1-db, oneBlobs+blobs1-blobs, manyDB+db2-db1, manyBlobs+blobs2-blobs1
			}
			n := float64(b.N)
			b.ReportMetric(wall/n*1000, "ms/issue")
			b.ReportMetric(float64(copies+1)*n/wall, "copies/s")
			b.ReportMetric(float64(manyDB-oneDB)/n/copies, "dbB/copy")
			b.ReportMetric(float64(manyBlobs-oneBlobs)/n/copies, "blobB/copy")
		})
	}
}

// manyUnits is a house whose directory has n departments with a mailbox each.
func manyUnits(b *testing.B, db *sqldb.DB, n int) *house {
	b.Helper()
	var csv strings.Builder
	csv.WriteString("code,name,kind,parent,aliases\nsnv,Sở Nội vụ tỉnh Thử,so,,\n")
	accounts := []mailcore.NewAccount{{Address: "snv@" + domain, Kind: mailcore.Unit, Name: "Sở Nội vụ", Unit: "snv"}}
	for i := range n {
		code := fmt.Sprintf("u%04d", i)
		fmt.Fprintf(&csv, "%s,Đơn vị thử nghiệm số %d,su-nghiep,,\n", code, i)
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: code, Unit: code})
	}
	dir, err := recipients.ReadDirectory(strings.NewReader(csv.String()), nil)
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := blob.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	h := &house{db: db, dir: dir, mail: mailcore.NewStore(db, blobs, mailtest.Quiet)}
	if _, err := h.mail.CreateAccounts(context.Background(), accounts); err != nil {
		b.Fatal(err)
	}
	h.Store = exchange.NewStore(exchange.Options{DB: db, Mail: h.mail, Domain: domain, Log: mailtest.Quiet,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return dir, nil },
		Sealer:    func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return testKey() }, LogKey: testLogKey})
	h.withMail(b)
	return h
}

// prepareAndIssue issues document i to the first n units and returns how long the issuing step took, in seconds.
func (h *house) prepareAndIssue(b *testing.B, i, n int) float64 {
	b.Helper()
	ctx := context.Background()
	codes := make([]string, n)
	for k := range codes {
		codes[k] = fmt.Sprintf("u%04d", k)
	}
	doc, err := h.Register(ctx, clerk, proposal(fmt.Sprintf("%d/SNV-VP", i+1), "Các đơn vị="+strings.Join(codes, " ")), bigPDF(b, int64(i)))
	if err != nil {
		b.Fatal(err)
	}
	if doc, err = h.Seal(ctx, clerk, doc.ID); err != nil {
		b.Fatal(err)
	}
	before := b.Elapsed()
	if _, err := h.Issue(ctx, clerk, doc.ID); err != nil {
		b.Fatal(err)
	}
	return (b.Elapsed() - before).Seconds()
}

// bigPDF is a page with noise, about 300 KB.
func bigPDF(b *testing.B, seed int64) []byte {
	b.Helper()
	noise := rand.New(rand.NewSource(seed))
	img := image.NewGray(image.Rect(0, 0, 550, 550))
	for i := range img.Pix {
		img.Pix[i] = uint8(noise.Intn(256))
	}
	img.SetGray(0, 0, color.Gray{})
	var picture, out bytes.Buffer
	if err := png.Encode(&picture, img); err != nil {
		b.Fatal(err)
	}
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.AddPage()
	pdf.RegisterImageOptionsReader("noise", fpdf.ImageOptions{ImageType: "PNG"}, &picture)
	pdf.ImageOptions("noise", 20, 40, 160, 160, false, fpdf.ImageOptions{}, 0, "")
	if err := pdf.Output(&out); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// size returns the bytes of the database's pages and of the blob store.
func (h *house) size(b *testing.B) (db, blobs int64) {
	b.Helper()
	ctx := context.Background()
	query := `SELECT pg_database_size(current_database())`
	if h.db.Dialect() == sqldb.SQLite {
		query = `SELECT (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size())`
	}
	if err := h.db.Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &db, query) }); err != nil {
		b.Fatal(err)
	}
	if err := h.mail.Blobs().Walk(ctx, func(i blob.Info) error { blobs += i.Size; return nil }); err != nil {
		b.Fatal(err)
	}
	return db, blobs
}
