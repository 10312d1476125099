package exchange_test

import (
	"context"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/recipients"
)

func TestReservedNumberKeepsItsAbstract(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		if err := h.SetMode(ctx, "snv", 2009, exchange.OutgoingBook, "", exchange.IssuedHere); err != nil {
			t.Fatal(err)
		}
		reference, err := h.TakeNumberFor(ctx, clerk, "snv", 2009, "", "TB-SNV", "Về việc nghi\u0309 lễ") // NFD
		if err != nil || reference != "01/TB-SNV" {
			t.Fatal(reference, err)
		}
		if _, err := h.TakeNumber(ctx, clerk, "snv", 2009, "", "TB-SNV"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			agency recipients.UnitCode
			year   int
			number string
			want   string
		}{{"snv", 2009, "01/TB-SNV", "Về việc nghỉ lễ"}, {"snv", 2009, "02/TB-SNV", ""}, {"snv", 2010, "01/TB-SNV", ""}, {"stc", 2009, "01/TB-SNV", ""}} {
			if got, err := h.ReservedAbstract(ctx, c.agency, c.year, c.number); err != nil || got != c.want {
				t.Errorf("%+v: %q, %v", c, got, err)
			}
		}
		// The number is claimed once, by the document that bears it.
		p := proposal("01/TB-SNV", "Sở Tài chính=stc")
		p.Number, p.Symbol = "01", "TB-SNV"
		if _, err := h.Register(ctx, clerk, p, pdfOf("nghỉ lễ")); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Register(ctx, clerk, p, pdfOf("bản khác")); !exchange.IsCode(err, exchange.CodeNumberTaken) {
			t.Errorf("taken twice: %v", err)
		}
	})
}

// A decision written in TCVN3 may have gained or lost a ư on its way; it counts where only one line can be meant.
func TestDecisionFindsItsLine(t *testing.T) {
	dir, err := recipients.ReadDirectory(strings.NewReader(testDirectory), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := proposal("9/SNV-VP", "Sở Tài chính=stc")
	p.Lines = []exchange.Line{{Ordinal: 1, Text: "Trung tâm CNTT (để th/h)", Outcome: exchange.Open}, {Ordinal: 2, Text: "Ban A", Outcome: exchange.Open}, {Ordinal: 3, Text: "Ban Aư", Outcome: exchange.Open}}
	for _, c := range []struct {
		text string
		want bool
	}{{"Trung tâm CNTT (để thư/h)", true}, {"TRUNG TÂM CNTT (để th/h)", true}, {"Ban A", true}, {"Ban ưA", false}, {"Ban", false}, {"", false}} {
		err := p.Decide(dir, clerk, []exchange.Decision{{Text: c.text, Excused: "thử"}})
		if (err == nil) != c.want || err != nil && !exchange.IsCode(err, exchange.CodeNoSuchLine) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestASchemePutsKindsIntoTheirSeries(t *testing.T) {
	for _, c := range []struct{ reference, one, kind string }{
		{"05/QĐ-SNV", "", "QĐ"}, {"05/SNV-VP", "", "CV"}, {"22/2009/QĐ-UBND", "QĐ QPPL", "QĐ QPPL"}, {"12/SY-UBND", "Bản sao", "Bản sao"},
		{"3/TrS-UBND", "Bản sao", "Bản sao"}, {"01/CTr-UBND", "", "CTr"}, {"01/CT-UBND", "", "CT"}, {"7", "", "CV"}, {"12/2009/X", "", "CV"}, {"1/QĐ", "", "QĐ"}, {"", "", "CV"},
	} {
		if got := exchange.OneSeries.Name(c.reference); got != c.one {
			t.Errorf("%s in one series: %q", c.reference, got)
		}
		if got := exchange.SeriesPerKind.Name(c.reference); got != c.kind {
			t.Errorf("%s by kind: %q", c.reference, got)
		}
	}
}

func TestSeriesPerKindAreNumberedEachByItself(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		if err := h.SetScheme(ctx, clerk, "snv", 2009, exchange.SeriesPerKind); err != nil {
			t.Fatal(err)
		}
		if err := h.SetMode(ctx, "snv", 2009, exchange.OutgoingBook, "", exchange.IssuedHere); err != nil {
			t.Fatal(err)
		}
		var taken []string
		for _, symbol := range []string{"QĐ-SNV", "SNV-VP", "QĐ-SNV", "SY-SNV"} {
			name, err := h.SeriesFor(ctx, "snv", 2009, symbol)
			if err != nil {
				t.Fatal(err)
			}
			n, err := h.TakeNumber(ctx, clerk, "snv", 2009, name, symbol)
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, n)
		}
		if got := strings.Join(taken, " "); got != "01/QĐ-SNV 01/SNV-VP 02/QĐ-SNV 01/SY-SNV" {
			t.Errorf("taken: %s", got)
		}
		h.issue(t, proposal("02/QĐ-SNV", "Sở Tài chính=stc"))
		h.issue(t, proposal("01/SNV-VP", "Sở Tài chính=stc"))
		if err := h.SetScheme(ctx, clerk, "snv", 2009, exchange.OneSeries); !exchange.IsCode(err, exchange.CodeHasNumbers) {
			t.Errorf("the scheme of a year with numbers: %v", err)
		}
		// The next year goes on in the same way, from 1.
		next, err := h.ListSeries(ctx, "snv", 2010, exchange.OutgoingBook)
		if err != nil || len(next) != 0 {
			t.Fatal(next, err)
		}
		if name, err := h.SeriesFor(ctx, "snv", 2010, "TB-SNV"); err != nil || name != "TB" {
			t.Errorf("next year: %q %v", name, err)
		}
		if n, err := h.TakeNumber(ctx, clerk, "snv", 2010, "QĐ", "QĐ-SNV"); err != nil || n != "01/QĐ-SNV" {
			t.Errorf("next year: %q %v", n, err)
		}
	})
}

// A number is never taken in two series of an agency in a year, and paper and electronic share one run of numbers.
func TestPaperAndElectronicShareTheirNumbers(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt"))
		paper := func(unit recipients.UnitCode, book exchange.Book, e exchange.Entry, code string) string {
			t.Helper()
			n, err := h.Enter(ctx, exchange.Actor{Name: "văn thư", Unit: unit}, unit, book, e)
			if code == "" && err != nil || code != "" && !exchange.IsCode(err, code) {
				t.Errorf("%+v: %v", e, err)
			}
			return n
		}
		paper("snv", exchange.OutgoingBook, exchange.Entry{Reference: "01/SNV-VP", DatedOn: "2009-03-18"}, exchange.CodeNumberTaken)
		paper("snv", exchange.OutgoingBook, exchange.Entry{Reference: "03/SNV-VP", DatedOn: "2009-03-18", Abstract: "chỉ có bản giấy"}, "")
		paper("snv", exchange.OutgoingBook, exchange.Entry{Reference: "04/SNV-VP", DatedOn: "2009-02-31"}, exchange.CodeBadDate)
		paper("snv", exchange.OutgoingBook, exchange.Entry{DatedOn: "2009-03-18"}, exchange.CodeNoReference)
		if _, err := h.Register(ctx, clerk, proposal("03/SNV-VP", "Sở Y tế=syt"), pdfOf("3")); !exchange.IsCode(err, exchange.CodeNumberTaken) {
			t.Errorf("the number of a paper again: %v", err)
		}
		if gaps, err := h.Gaps(ctx, "snv", 2009, exchange.OutgoingBook, ""); err != nil || exchange.Ranges(gaps) != "2" {
			t.Errorf("gaps %v %v", gaps, err)
		}
		// Sổ đến: one series for paper and electronic, numbered here.
		if n := paper("syt", exchange.IncomingBook, exchange.Entry{Author: "Bộ Thử", Document: "5/BT"}, ""); n != "1" {
			t.Errorf("số đến %s", n)
		}
		h.move(t, "syt", "Đã tiếp nhận")
		if n := paper("syt", exchange.IncomingBook, exchange.Entry{Author: "Bộ Thử", Document: "6/BT"}, ""); n != "3" {
			t.Errorf("số đến %s after an electronic one", n)
		}
	})
}
