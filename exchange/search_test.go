package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// found lists the hits of a query as "book unit number".
func (h *house) found(t testing.TB, q exchange.Query) []string {
	t.Helper()
	hits, _, err := h.Search(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, x := range hits {
		out = append(out, fmt.Sprintf("%s %s %s", x.Book, x.Unit, x.Number))
	}
	return out
}

func TestSearchFindsEveryFieldWithAndWithoutDiacritics(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		p := proposal("05/SNV-VP", "Sở Y tế (để biết)=syt", "Trung tâm Đào tạo>Trung tâm Đào tạo <vt@x.test>")
		p.Abstract, p.Urgency = "Về việc nghỉ lễ Quốc khánh", "Hỏa tốc"
		h.issue(t, p)
		other := proposal("15/QĐ-SNV", "Sở Tài chính=stc", "Sở Y tế=syt")
		other.Kind, other.IssuedOn, other.Signer = "Quyết định", "2009-04-20", "Trần Thị Bích"
		h.issue(t, other)
		h.move(t, "syt", "Đã tiếp nhận")
		if _, err := h.Enter(context.Background(), clerk, "snv", exchange.OutgoingBook, exchange.Entry{Reference: "06/SNV-TCCB", DatedOn: "2009-03-20",
			Kind: "Công văn", Abstract: "Về việc nghỉ hưu của ông Đạt", Recipients: "Bảo hiểm xã hội"}); err != nil {
			t.Fatal(err)
		}
		five, fifteen, paper := "outgoing snv 05/SNV-VP", "outgoing snv 15/QĐ-SNV", "outgoing snv 06/SNV-TCCB"
		for _, c := range []struct {
			q    exchange.Query
			want []string
		}{
			{exchange.Query{Words: []string{"nghỉ lễ"}}, []string{five}},
			{exchange.Query{Words: []string{"NGHI LE"}}, []string{five}},
			{exchange.Query{Words: []string{"nghi\u0309 le\u0302\u0303"}}, []string{five}}, // NFD
			{exchange.Query{Words: []string{"le nghi"}}, []string{}},                       // a phrase has an order
			{exchange.Query{Words: []string{"le", "nghi"}}, []string{five}},
			{exchange.Query{Words: []string{"hoa toc"}}, []string{five}},
			{exchange.Query{Words: []string{"đào tạo"}}, []string{five}},
			{exchange.Query{Words: []string{"vt@x.test"}}, []string{five}},
			{exchange.Query{Words: []string{"5/SNV"}}, []string{five}}, // and not 15/…
			{exchange.Query{Words: []string{"15/QĐ-SNV"}}, []string{fifteen}},
			{exchange.Query{Words: []string{"bích"}}, []string{fifteen}},
			{exchange.Query{Words: []string{"18/3/2009"}}, []string{five}},
			{exchange.Query{Words: []string{"18/03/2009"}}, []string{five}},
			{exchange.Query{Words: []string{"bao hiem"}}, []string{paper}},
			{exchange.Query{Words: []string{"dat"}}, []string{paper}},
			{exchange.Query{Words: []string{"ghi"}}, []string{}}, // the middle of a word
			{exchange.Query{Words: []string{"100%"}}, []string{}},
			{exchange.Query{Words: []string{"%", "_", "'"}, Kind: "quyet dinh"}, []string{fifteen}},
			{exchange.Query{Kind: "quyết định"}, []string{fifteen}},
			{exchange.Query{Kind: "Quyết"}, []string{}},
			{exchange.Query{From: "2009-04-01"}, []string{fifteen}},
			{exchange.Query{To: "2009-03-19"}, []string{five}},
			{exchange.Query{Unit: "syt"}, []string{"incoming syt 2", "incoming syt 1"}},
			{exchange.Query{Unit: "syt", Words: []string{"2"}}, []string{"incoming syt 2"}}, // số đến
			{exchange.Query{Unit: "syt", Book: exchange.OutgoingBook}, []string{}},
			{exchange.Query{Unit: "snv", Book: exchange.OutgoingBook}, []string{fifteen, five, paper}},
			{exchange.Query{Book: exchange.IncomingBook, Words: []string{"le"}}, []string{"incoming syt 1"}},
		} {
			got := h.found(t, c.q)
			slices.Sort(got)
			want := slices.Clone(c.want)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			}
		}
		hits, more, err := h.Search(context.Background(), exchange.Query{Unit: "snv", Limit: 1})
		if err != nil || len(hits) != 1 || !more || hits[0].Number != "15/QĐ-SNV" {
			t.Errorf("one of several: %+v %t %v", hits, more, err)
		}
	})
}

// Documents registered before there was a search column are folded once.
func TestOldDocumentsAreFolded(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		for i := range 3 {
			h.issue(t, proposal(fmt.Sprintf("%02d/SNV-VP", i+1), "Sở Y tế=syt"))
		}
		h.exec(t, `UPDATE document SET search = '' WHERE id < 3`)
		problems, err := h.Check(context.Background())
		if err != nil || !strings.Contains(strings.Join(problems, "\n"), "search") {
			t.Errorf("not told: %v %v", problems, err)
		}
		for _, want := range []int{2, 0} {
			if n, err := h.FoldDocuments(context.Background()); n != want || err != nil {
				t.Errorf("folded %d, %v", n, err)
			}
		}
		if got := h.found(t, exchange.Query{Words: []string{"thu nghiem"}}); len(got) != 3 {
			t.Errorf("%v", got)
		}
	})
}

// BenchmarkSearch looks through 100,000 documents: for a word of one of them, two words of some, and words of all.
func BenchmarkSearch(b *testing.B) {
	const documents = 100_000
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			dsn := "sqlite:" + b.TempDir() + "/x.db"
			if dialect == sqldb.Postgres {
				dsn = mailtest.NewPostgres(b)
			}
			h := newHouse(b, mailtest.Open(b, dsn))
			h.issue(b, proposal("01/SNV-VP", "Sở Y tế=syt"))
			h.copyDocuments(b, documents)
			for _, c := range []struct {
				name string
				q    exchange.Query
				want int
			}{
				{"one", exchange.Query{Words: []string{"số riêng 77777"}}, 1},
				{"some", exchange.Query{Words: []string{"rà soát", "đợt 99"}}, 100},
				{"all", exchange.Query{Words: []string{"thử nghiệm"}}, 100},
				{"none", exchange.Query{Words: []string{"không có chữ này"}}, 0},
			} {
				b.Run(c.name, func(b *testing.B) {
					for range b.N {
						if hits, _, err := h.Search(context.Background(), c.q); err != nil || len(hits) != c.want {
							b.Fatal(len(hits), err)
						}
					}
				})
			}
		})
	}
}

// copyDocuments makes many documents of the first, each with a text of its own.
func (h *house) copyDocuments(t testing.TB, n int) {
	t.Helper()
	ctx := context.Background()
	for from := 2; from <= n; from += 5000 {
		err := h.db.Write(ctx, func(tx *sqldb.Tx) error {
			var rows [][]any
			for i := from; i < min(from+5000, n+1); i++ {
				text := fmt.Sprintf(" %d snv vp cong van ve viec ra soat he thong hoa van ban quy pham phap luat thu nghiem so rieng %d dot %d tinh thu ngay 18 03 2009 nguyen thu nghia "+
					"so y te so tai chinh so noi vu so thong tin va truyen thong uy ban nhan dan cac huyen thi xa van phong luu vt ", i, i, i%1000)
				rows = append(rows, []any{i, "snv", fmt.Sprintf("%d/SNV-VP", i), fmt.Sprint(i), 2009, "SNV-VP", "Công văn", "về việc rà soát, hệ thống hóa văn bản quy phạm pháp luật", "2009-03-18",
					"Nguyễn Thử Nghĩa", "registered", tx.Now.UnixMicro(), "văn thư", tx.Now.UnixMicro(), text})
			}
			return tx.InsertRows(ctx, `INSERT INTO document (id, agency, reference, number, year, symbol, kind, abstract, issued_on, signer, state, created_at, created_by, changed_at, search)`, rows, "")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
