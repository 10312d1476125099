package recipients

import (
	"slices"
	"strings"
	"testing"
)

// testdata/noi-nhan-scans.jsonl holds made-up blocks that were set beside a made-up signer, printed, soiled, scanned at 95 to
// 200 dpi and read by Tesseract; the entries are those that were set. Only blocks whose every entry a person can still read were
// kept. Those with an id in "a" were made before the rules for such blocks were written, those in "d"
// with other words and signers, those in "e" to "g" of entries of the corpus.

const scans = "testdata/noi-nhan-scans.jsonl"

// letterDistance is how many letters must change to make b of a; with within, of the best part of a.
func letterDistance(a, b string, within bool) int {
	row := make([]int, len(a)+1)
	for j := range row {
		if !within {
			row[j] = j
		}
	}
	for i := range len(b) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(a) {
			cost := corner + count(a[j] != b[i])
			corner = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	if within {
		return slices.Min(row)
	}
	return row[len(a)]
}

// sameButScan reports whether two texts are one but for an eighth of their letters, which the scan got wrong.
func sameButScan(a, b string) bool {
	a, b = lettersOnly(a), lettersOnly(b)
	return letterDistance(a, b, false) <= max(1, max(len(a), len(b))/8)
}

// scoreScan is scoreEntries for entries whose spelling the scan changed.
func scoreScan(gold []goldEntry, found []Entry, report func(string, ...any)) score {
	var s score
	s.entries = tally{gold: len(gold), found: len(found)}
	left := slices.Clone(found)
	var want, got []string
	for _, e := range found {
		if e.Kind == EntryUnit || e.Kind == EntryPublication {
			got = append(got, e.Units...)
		}
	}
	for _, g := range gold {
		if g.Kind == "unit" || g.Kind == "publication" {
			want = append(want, g.Units...)
		}
		i := slices.IndexFunc(left, func(e Entry) bool { return string(e.Kind) == g.Kind && sameButScan(e.Text, g.Text) })
		if i < 0 {
			report("  - %-11s %q", g.Kind, g.Text)
			continue
		}
		e := left[i]
		left = slices.Delete(left, i, i+1)
		s.entries.hit++
		s.purpose.add(g.Purpose == e.Purpose)
		s.copies.add((g.Copies == nil) == (e.Copies == nil) && (g.Copies == nil || *g.Copies == *e.Copies))
	}
	for _, e := range left {
		report("  + %-11s %q", e.Kind, e.Text)
	}
	s.units = tally{gold: len(want), found: len(got)}
	for _, name := range want {
		if i := slices.IndexFunc(got, func(g string) bool { return sameButScan(g, name) }); i >= 0 {
			got = slices.Delete(got, i, i+1)
			s.units.hit++
		}
	}
	return s
}

// add counts one comparison.
func (c *tally) add(right bool) {
	c.gold++
	c.found++
	c.hit += count(right)
}

func TestParseBlockReadsScansBesideASigner(t *testing.T) {
	for _, half := range []struct{ id, what string }{{"a", "made before"}, {"c", "made after"}, {"d", "made later, with other words and signers"}, {"e", "of the corpus's own entries"}, {"f", "of those, soiled more"}, {"g", "the same, read once"}} {
		var total score
		blocks := 0
		for _, b := range loadBlocks(t, scans) {
			if !strings.HasPrefix(b.ID, half.id) {
				continue
			}
			blocks++
			total.add(scoreScan(b.Entries, ParseBlock(b.Raw), func(format string, args ...any) {
				if testing.Verbose() {
					t.Logf(b.ID+format, args...)
				}
			}))
		}
		t.Logf("%s: %d blocks, %s", half.what, blocks, total)
		if blocks < 60 || total.entries.f1() < 0.97 || total.units.f1() < 0.96 || total.purpose.f1() < 0.98 || total.copies.f1() < 0.98 {
			t.Errorf("%s: %s is below the floors", half.what, total)
		}
	}
}

// TestNoRecipientOfAScanIsLost looks for every recipient that was set in what was read, whatever entry it went into: a glued
// entry a clerk sees, a lost one nobody.
func TestNoRecipientOfAScanIsLost(t *testing.T) {
	n := 0
	for _, b := range loadBlocks(t, scans) {
		var read strings.Builder
		for _, e := range ParseBlock(b.Raw) {
			read.WriteString(lettersOnly(e.Text) + "|")
		}
		for _, g := range b.Entries {
			n++
			if want := lettersOnly(g.Text); letterDistance(read.String(), want, true) > max(1, len(want)/6) {
				t.Errorf("%s: %q is lost; read %q", b.ID, g.Text, read.String())
			}
		}
	}
	if n < 900 {
		t.Errorf("only %d recipients", n)
	}
}

// TestOnlyTheSignersColumnIsLeftOut looks at every word that went into no entry: it is a word of the label or of the signer, a
// speck, or stands behind the archive line.
func TestOnlyTheSignersColumnIsLeftOut(t *testing.T) {
	words, strange := 0, 0
	for _, b := range loadBlocks(t, scans) {
		entries := ParseBlock(b.Raw)
		read := ""
		for _, e := range entries {
			read += lettersOnly(e.Text) + "|"
		}
		known := strings.Fields(plainOf("Nơi nhận đã ký " + strings.Join(b.Signer, " ")))
		for line := range strings.Lines(b.Raw) {
			archive := isArchive(strings.TrimLeft(line, "-~+–— '_.=*"))
			for _, w := range strings.Fields(line) {
				w := lettersOnly(w)
				words++
				if archive || len(w) < 4 || strings.Contains(read, w) || slices.ContainsFunc(known, func(k string) bool {
					return letterDistance(lettersOnly(k), w, false) <= len(w)/3
				}) {
					continue
				}
				strange++
				if testing.Verbose() {
					t.Logf("%s: %q in %q", b.ID, w, strings.TrimSpace(line))
				}
			}
		}
	}
	if strange*200 > words {
		t.Errorf("%d of %d words are in no entry and are not the signer's", strange, words)
	}
}
