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
	for text, want := range map[string]bool{"Trung tâm CNTT (để thư/h)": true, "TRUNG TÂM CNTT (để th/h)": true, "Ban A": true, "Ban ưA": false, "Ban": false, "": false} {
		err := p.Decide(dir, clerk, []exchange.Decision{{Text: text, Excused: "thử"}})
		if (err == nil) != want || err != nil && !exchange.IsCode(err, exchange.CodeNoSuchLine) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
