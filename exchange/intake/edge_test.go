package intake

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDropEdge drops what was read into the dark edge of the sheet, and keeps what is sure or stands further in.
func TestDropEdge(t *testing.T) {
	at := func(text string, x0, x1, base, conf float64) word {
		return word{text: text, x0: x0, x1: x1, y0: base - 9, y1: base, base: base, size: 12, conf: conf, apart: true}
	}
	p := page{number: 1, width: 595, height: 842, words: []word{
		at("6n", 0, 9, 100, 33), at("Kính", 140, 165, 100, 97), at("gửi:", 168, 190, 100, 90),
		at("CỐ", 0, 12, 120, 28), at("VY.", 30, 60, 120, 31), at("Thương", 200, 240, 120, 96),
		at("Phụ", 3, 30, 140, 92), at("rnờ", 90, 120, 160, 30), at("hơn", 125, 150, 160, 95),
	}}
	p.dropEdge()
	var got []string
	for _, w := range p.words {
		got = append(got, w.text)
	}
	if diff := cmp.Diff([]string{"Kính", "gửi:", "Thương", "Phụ", "rnờ", "hơn"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestMendStandingCommittee gives "TT" its letters back before HĐND, and before nothing else.
func TestMendStandingCommittee(t *testing.T) {
	for _, c := range [][3]string{{"FT", "HĐND,", "TT"}, {"T", "HĐND", "TT"}, {"TT", "HĐND", "TT"}, {"VP", "HĐND", "VP"}, {"T", "UBND", "T"}, {"FT", "Sở", "FT"}} {
		words := []word{{text: c[0], apart: true}, {text: c[1], apart: true}}
		if got := mendWords(words)[0].text; got != c[2] {
			t.Errorf("%s %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
