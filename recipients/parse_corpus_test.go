package recipients

import (
	"os"
	"testing"
)

// TestParseBlockMeetsTheFloors holds the reading of real blocks above the floors that the gateway promises.
func TestParseBlockMeetsTheFloors(t *testing.T) {
	path := "testdata/noi-nhan.dev.jsonl"
	if p := os.Getenv("NOI_NHAN"); p != "" { // another corpus of the same form
		path = p
	}
	var clean, hard, heads score
	for _, b := range loadBlocks(t, path) {
		report := func(format string, args ...any) {
			if testing.Verbose() {
				t.Logf(b.ID+" "+format, args...)
			}
		}
		s := scoreEntries(b.Entries, ParseBlock(b.Raw), report)
		if b.hard() {
			hard.add(s)
		} else {
			clean.add(s)
		}
		if b.KinhGui != "" {
			heads.add(scoreEntries(b.KinhGuiEntries, ParseBlock(b.KinhGui), report))
		}
	}
	t.Logf("clean: %s", clean)
	t.Logf("hard:  %s", hard)
	t.Logf("Kính gửi: %s", heads)
	for _, f := range []struct {
		what       string
		got, floor float64
	}{
		{"entries of clean blocks", clean.entries.f1(), 0.98}, {"units of clean blocks", clean.units.f1(), 0.98},
		{"entries of hard blocks", hard.entries.f1(), 0.90}, {"units of hard blocks", hard.units.f1(), 0.90},
		{"purposes of clean blocks", clean.purpose.f1(), 0.97}, {"copies of clean blocks", clean.copies.f1(), 0.97},
		{"purposes of hard blocks", hard.purpose.f1(), 0.97}, {"copies of hard blocks", hard.copies.f1(), 0.97},
		{"entries of Kính gửi", heads.entries.f1(), 0.95}, {"units of Kính gửi", heads.units.f1(), 0.95},
	} {
		if f.got < f.floor {
			t.Errorf("%s: %.4f is below %.2f", f.what, f.got, f.floor)
		}
	}
}
