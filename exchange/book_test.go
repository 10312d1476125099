package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/recipients"

	"github.com/xuri/excelize/v2"
)

// book returns the lines of a book.
func (h *house) book(t testing.TB, unit recipients.UnitCode, book exchange.Book, from, to string) []exchange.BookRow {
	t.Helper()
	var rows []exchange.BookRow
	err := h.EachBookRow(context.Background(), exchange.BookRange{Unit: unit, Book: book, From: from, To: to}, func(r exchange.BookRow) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func plainRows(rows []exchange.BookRow) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s: %s\n", r.Note, strings.Join(r.Cells, "|"))
	}
	return b.String()
}

// fillBooks leaves something of every kind in the books of snv and syt.
func (h *house) fillBooks(t testing.TB) {
	ctx := context.Background()
	p := proposal("01/SNV-VP", "Sở Y tế (để biết)=syt", "Sở Tài chính=stc", "Như trên=stc", "Lưu: VT, TCCB (3).!lưu", "X>Trạm X <vt@x.test>")
	p.Lines[0].Block, p.Lines[2].Kind, p.Lines[3].Kind, p.Lines[0].Purpose = "kinh_gui", "reference", "archive", ""
	h.issue(t, p)
	h.move(t, "stc", "Đã tiếp nhận")
	q := proposal("05/QĐ-SNV", "Sở Y tế=syt")
	q.Kind, q.Abstract, q.Urgency = "Quyết định", `=HYPERLINK("http://x.test";"bấm") ban hành Quy chế`, "Khẩn"
	h.issue(t, q)
	h.move(t, "syt", "Hoàn thành")
	if _, err := h.Enter(ctx, clerk, "snv", exchange.OutgoingBook, exchange.Entry{Reference: "02/SNV-VP", DatedOn: "2009-03-17", EnteredOn: "2009-03-18", Kind: "Công văn", Abstract: "Về việc gửi giấy",
		Recipients: "Bộ Thử", Signer: "Nguyễn Thử", Filed: "VT", Copies: 3, Note: "gửi bưu điện"}); err != nil {
		t.Fatal(err)
	}
	if err := h.VoidNumber(ctx, clerk, "snv", 2009, "", "04/SNV-VP", "in hỏng"); err != nil {
		t.Fatal(err)
	}
}

func today(h *house) string { return exchange.CivilDate(h.db.Now()) }

func written(h *house) string { d := today(h); return d[8:] + "/" + d[5:7] + "/" + d[:4] }

func TestBookOfOutgoingDocumentsHasAllColumnsAndMissingNumbers(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.fillBooks(t)
		got := plainRows(h.book(t, "snv", exchange.OutgoingBook, "2009-01-01", "2026-12-31"))
		want := strings.NewReplacer("TODAY", written(h)).Replace(`taken: 01/SNV-VP|18/03/2009|Công văn về việc thử nghiệm|Nguyễn Thử Nghĩa|Sở Y tế (để biết); Sở Tài chính; X|VT, TCCB (3)|3|TODAY|2/3|
taken: 02/SNV-VP|17/03/2009|Công văn Về việc gửi giấy|Nguyễn Thử|Bộ Thử|VT|3|18/03/2009||Bản giấy; gửi bưu điện
missing: 3|||||||||Chưa vào sổ
voided: 04/SNV-VP||||||||` + `|Bỏ số: in hỏng
taken: 05/QĐ-SNV|18/03/2009|Quyết định =HYPERLINK("http://x.test";"bấm") ban hành Quy chế|Nguyễn Thử Nghĩa|Sở Y tế||1|TODAY|1/1|Khẩn
`)
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if rows := h.book(t, "snv", exchange.OutgoingBook, "2009-03-18", "2009-03-18"); len(rows) != 2 {
			t.Errorf("one day:\n%s", plainRows(rows))
		}
		if rows := h.book(t, "snv", exchange.OutgoingBook, "2009-05-01", "2009-12-31"); len(rows) != 0 {
			t.Errorf("no day:\n%s", plainRows(rows))
		}
	})
}

func TestBooksOfIncomingDocuments(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.fillBooks(t)
		if _, err := h.Enter(ctx, clerk, "syt", exchange.IncomingBook, exchange.Entry{Author: "Bộ Thử", Document: "12/BT-VP", Kind: "Công văn", Abstract: "Về việc mời họp", DatedOn: "2009-03-10",
			DueOn: "2009-04-01", Recipients: "Phòng Nghiệp vụ"}); err != nil {
			t.Fatal(err)
		}
		day := today(h)
		if err := h.SetMode(ctx, "stc", 2030, exchange.IncomingBook, "", exchange.TakenFromPaper); err != nil {
			t.Fatal(err)
		}
		from, to := day[:4]+"-01-01", day[:4]+"-12-31"
		in := strings.NewReplacer("TODAY", written(h))
		got := plainRows(h.book(t, "syt", exchange.IncomingBook, from, to))
		want := in.Replace(`taken: TODAY|1|Sở Nội vụ tỉnh Thử|01/SNV-VP|18/03/2009|Công văn về việc thử nghiệm||||
taken: TODAY|2|Sở Nội vụ tỉnh Thử|05/QĐ-SNV|18/03/2009|Quyết định =HYPERLINK("http://x.test";"bấm") ban hành Quy chế|||Đã nhận|Khẩn
taken: TODAY|3|Bộ Thử|12/BT-VP|10/03/2009|Công văn Về việc mời họp|Phòng Nghiệp vụ|TODAY||Bản giấy
`)
		if strings.Contains(got, "Đã nhận|\n") {
			want = strings.Replace(want, "thử nghiệm||||", "thử nghiệm|||Đã nhận|", 1)
		}
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		tracking := h.book(t, "syt", exchange.TrackingBook, from, to)
		if len(tracking) != 3 || !slices.Equal(tracking[1].Cells, []string{"2", `Quyết định số 05/QĐ-SNV ngày 18/03/2009 của Sở Nội vụ tỉnh Thử: =HYPERLINK("http://x.test";"bấm") ban hành Quy chế`, "", "",
			"Đã hoàn thành, " + written(h), "", "Khẩn"}) || tracking[2].Cells[3] != "01/04/2009" {
			t.Errorf("%s", plainRows(tracking))
		}
	})
}

// A unit with a bound book of its own has copies that wait for their number.
func TestCopiesThatWaitForTheirNumberStandInTheBook(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		year := 0
		fmt.Sscan(today(h)[:4], &year)
		if err := h.SetMode(ctx, "syt", year, exchange.IncomingBook, "", exchange.TakenFromPaper); err != nil {
			t.Fatal(err)
		}
		st := h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt"))
		h.issue(t, proposal("02/SNV-VP", "Sở Y tế=syt"))
		h.move(t, "syt", "Đã tiếp nhận")
		who := exchange.Actor{Name: "văn thư", Unit: "syt"}
		if _, err := h.Accept(ctx, who, copyTo(t, st, "syt").Dispatch.ID, "3"); err != nil {
			t.Fatal(err)
		}
		if err := h.VoidArrival(ctx, who, "syt", year, "2", "nhảy số"); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range h.book(t, "syt", exchange.IncomingBook, today(h), today(h)) {
			got += fmt.Sprintf("%s %s %s; ", r.Note, r.Cells[1], r.Cells[9])
		}
		if want := "missing 1 Chưa vào sổ; voided 2 Bỏ số: nhảy số; taken 3 ; waiting (chờ số) Chờ số đến; "; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestWorkbookOfABookHoldsItsTextAndNoFormula(t *testing.T) {
	h := newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db")))
	h.fillBooks(t)
	q := exchange.BookRange{Unit: "snv", Book: exchange.OutgoingBook, From: "2009-01-01", To: "2009-12-31"}
	var one, two bytes.Buffer
	n, err := h.BookXLSX(context.Background(), q, &one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.BookXLSX(context.Background(), q, &two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("written again it is another file: %v", err)
	}
	f, err := excelize.OpenReader(&one)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sheet := f.GetSheetName(0)
	rows, err := f.GetRows(sheet)
	if err != nil || n != 5 || len(rows) != 7+n {
		t.Fatalf("%d lines, %d rows, %v", n, len(rows), err)
	}
	want := h.book(t, "snv", exchange.OutgoingBook, q.From, q.To)
	for i, c := range exchange.BookColumns(exchange.OutgoingBook) {
		if rows[5][i] != c.Title {
			t.Errorf("column %d is %q", i, rows[5][i])
		}
	}
	for i, r := range want {
		for c, text := range r.Cells {
			name, _ := excelize.CoordinatesToCellName(c+1, 8+i)
			got, err := f.GetCellValue(sheet, name)
			formula, err2 := f.GetCellFormula(sheet, name)
			kind, err3 := f.GetCellType(sheet, name)
			if got != text || formula != "" || err != nil || err2 != nil || err3 != nil || text != "" && kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
				t.Errorf("%s is %q (formula %q, type %v), want %q", name, got, formula, kind, text)
			}
		}
	}
}

func TestPrintedBookRepeatsItsHeaderAndNumbersItsPages(t *testing.T) {
	pdftotext := mailtest.Program(t, "pdftotext")
	h := newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db")))
	h.fillBooks(t)
	for i := range 60 {
		e := exchange.Entry{Reference: fmt.Sprintf("%02d/SNV-VP", i+6), DatedOn: "2009-04-01", Kind: "Công văn", Abstract: strings.Repeat("về việc rà soát văn bản quy phạm pháp luật ", 1+i%5)}
		if i == 30 {
			e.Abstract = strings.Repeat("một trích yếu dài hơn một trang giấy ", 400) + "hết."
		}
		if _, err := h.Enter(context.Background(), clerk, "snv", exchange.OutgoingBook, e); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "so.pdf")
	volumes, err := h.BookPDF(context.Background(), exchange.BookRange{Unit: "snv", Book: exchange.OutgoingBook, From: "2009-01-01", To: "2009-12-31"}, func(n int, last bool, pdf []byte) error {
		if n != 1 || !last {
			t.Errorf("volume %d, last %t", n, last)
		}
		return os.WriteFile(path, pdf, 0o600)
	})
	if err != nil || len(volumes) != 1 || volumes[0].Rows != 65 || volumes[0].Pages < 5 {
		t.Fatalf("%+v %v", volumes, err)
	}
	out, err := exec.Command(pdftotext, "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	pages := strings.Split(strings.TrimSuffix(text, "\f"), "\f")
	if len(pages) != volumes[0].Pages {
		t.Fatalf("%d pages, %d told", len(pages), volumes[0].Pages)
	}
	for _, want := range []string{"SỞ NỘI VỤ TỈNH THỬ", "SỔ ĐĂNG KÝ VĂN BẢN ĐI", "Năm: 2009", "Từ ngày 01/01/2009 đến ngày 31/12/2009", "Từ số 01/SNV-VP đến số 65/SNV-VP", "Quyển số: 1"} {
		if !strings.Contains(pages[0], want) {
			t.Errorf("the cover lacks %q:\n%s", want, pages[0])
		}
	}
	for i, p := range pages[1:] {
		if !strings.Contains(p, "Tên loại và trích yếu nội dung văn bản") || !strings.Contains(p, "(10)") || !strings.Contains(p, fmt.Sprintf("Trang %d/%d", i+2, len(pages))) {
			t.Errorf("page %d has no header or number:\n%s", i+2, p)
		}
	}
	if !strings.Contains(text, "hết.") || !strings.Contains(text, "HYPERLINK") {
		t.Error("text is missing")
	}
}

// manyEntries fills the outgoing register of snv without the cost of a verb for each.
func (h *house) manyEntries(t testing.TB, n int) {
	t.Helper()
	ctx := context.Background()
	if _, err := h.Enter(ctx, clerk, "snv", exchange.OutgoingBook, exchange.Entry{Reference: "01/SNV-VP", DatedOn: "2009-03-17"}); err != nil {
		t.Fatal(err)
	}
	err := h.db.Write(ctx, func(tx *sqldb.Tx) error {
		var series int64
		if err := tx.GetContext(ctx, &series, `SELECT id FROM register_series WHERE agency = 'snv' AND year = 2009`); err != nil {
			return err
		}
		var numbers, entries [][]any
		for i := 2; i <= n; i++ {
			ref := fmt.Sprintf("%02d/SNV-VP", i)
			numbers = append(numbers, []any{series, i, ref, "paper", "taken", tx.Now.UnixMicro(), "văn thư"})
			entries = append(entries, []any{series, ref, "Công văn", fmt.Sprintf("Về việc rà soát, hệ thống hóa văn bản quy phạm pháp luật lần thứ %d", i), "2009-03-18", "2009-03-18", "Nguyễn Thử Nghĩa", "Các sở, ban, ngành; UBND các huyện, thị xã"})
		}
		if err := tx.InsertRows(ctx, `INSERT INTO register_number (series_id, number, reference, owner, state, taken_at, taken_by)`, numbers, ""); err != nil {
			return err
		}
		return tx.InsertRows(ctx, `INSERT INTO register_entry (series_id, reference, kind, abstract, dated_on, entered_on, signer, recipients)`, entries, "")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkBook prints a register of 50,000 lines and tells the memory that it held at most.
func BenchmarkBook(b *testing.B) {
	const rows = 50_000
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			dsn := "sqlite:" + b.TempDir() + "/x.db"
			if dialect == sqldb.Postgres {
				dsn = mailtest.NewPostgres(b)
			}
			h := newHouse(b, mailtest.Open(b, dsn))
			h.manyEntries(b, rows)
			q := exchange.BookRange{Unit: "snv", Book: exchange.OutgoingBook, From: "2009-01-01", To: "2009-12-31"}
			for _, c := range []struct {
				name  string
				print func() error
			}{
				{"xlsx", func() error { _, err := h.BookXLSX(context.Background(), q, &peak{}); return err }},
				{"pdf", func() error {
					_, err := h.BookPDF(context.Background(), q, func(int, bool, []byte) error { return nil })
					return err
				}},
				{"rows", func() error {
					return h.EachBookRow(context.Background(), q, func(exchange.BookRow) error { return nil })
				}},
			} {
				b.Run(c.name, func(b *testing.B) {
					for range b.N {
						if err := c.print(); err != nil {
							b.Fatal(err)
						}
					}
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					b.ReportMetric(float64(m.HeapSys)/1e6, "MBheap")
				})
			}
		})
	}
}

type peak struct{ n int }

func (p *peak) Write(b []byte) (int, error) { p.n += len(b); return len(b), nil }

// Whom a copy was given to, until when, what answers it and where it went stand in the books.
func TestBooksTellOfAssignmentsAnswersAndForwards(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.handOut(t)
		st := h.issue(t, proposal("09/SNV-VP", "UBND tỉnh=ubnd"))
		if _, err := h.Forward(context.Background(), as("ubnd"), copyTo(t, st, "ubnd").Dispatch.ID, "stc", "thuộc lĩnh vực tài chính"); err != nil {
			t.Fatal(err)
		}
		h.move(t, "stc", "Đã tiếp nhận")
		got := ""
		for _, r := range h.book(t, "ubnd", exchange.TrackingBook, today(h), today(h)) {
			got += strings.Join(append([]string{r.Cells[0]}, r.Cells[2:]...), "|") + "\n"
		}
		want := strings.ReplaceAll(`1|Nguyễn Thế An (phối hợp: Lê Bình)|20/11/2126|Đã hoàn thành, TODAY|300/UBND-VP|
2|Trần Chi (phối hợp: Nguyễn Thế An)|21/11/2126|Đã hoàn thành, TODAY|301/UBND-VP|
`, "TODAY", written(h))
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		rows := h.book(t, "ubnd", exchange.IncomingBook, today(h), today(h))
		if len(rows) != 2 || rows[0].Cells[6] != "Nguyễn Thế An (phối hợp: Lê Bình)" || rows[0].Cells[7] != written(h) || rows[0].Cells[8] != "Đã nhận" {
			t.Errorf("%s", plainRows(rows))
		}
	})
}
