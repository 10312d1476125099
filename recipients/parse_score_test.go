package recipients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// A goldEntry is one annotated entry of the corpus.
type goldEntry struct {
	Text       string   `json:"text"`
	Kind       string   `json:"kind"`
	Purpose    string   `json:"purpose"`
	Units      []string `json:"units"`
	UnitsClean []string `json:"units_clean"`
	Copies     *int     `json:"copies"`
}

// A goldBlock is one annotated block of the corpus.
type goldBlock struct {
	ID             string      `json:"id"`
	Raw            string      `json:"raw"`
	KinhGui        string      `json:"kinh_gui"`
	KinhGuiEntries []goldEntry `json:"kinh_gui_entries"`
	Entries        []goldEntry `json:"entries"`
	Flags          []string    `json:"flags"`
	Signer         []string    `json:"signer"` // of a made-up block, line by line
}

func loadBlocks(t testing.TB, path string) []goldBlock {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []goldBlock
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var b goldBlock
		if err := json.Unmarshal(sc.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	scoreDash  = regexp.MustCompile(`[–—−]`)
	scoreSpace = regexp.MustCompile(`\s+`)
	scorePunct = regexp.MustCompile(`\s*([-,;:.()/&])\s*`)
)

// scoreNorm is the comparison form of the corpus: composed, case folded, dashes unified, spaces dropped around signs.
func scoreNorm(s string) string {
	s = cases.Fold().String(norm.NFC.String(s))
	s = scoreSpace.ReplaceAllString(scoreDash.ReplaceAllString(s, "-"), " ")
	return strings.Trim(scorePunct.ReplaceAllString(s, "$1"), " -+*•;,.:")
}

// A tally counts hits for precision and recall.
type tally struct{ hit, gold, found int }

func (c tally) f1() float64 {
	if c.gold+c.found == 0 {
		return 1
	}
	return 2 * float64(c.hit) / float64(c.gold+c.found)
}

// A score is what the corpus measures of a set of blocks.
type score struct{ entries, units, purpose, copies tally }

func (s *score) add(o score) {
	for _, p := range []struct{ a, b *tally }{{&s.entries, &o.entries}, {&s.units, &o.units}, {&s.purpose, &o.purpose}, {&s.copies, &o.copies}} {
		p.a.hit += p.b.hit
		p.a.gold += p.b.gold
		p.a.found += p.b.found
	}
}

func (s score) String() string {
	return fmt.Sprintf("entries F1 %.4f (%d/%d/%d)  units F1 %.4f (%d/%d/%d)  purpose %.4f  copies %.4f", s.entries.f1(), s.entries.hit, s.entries.found, s.entries.gold,
		s.units.f1(), s.units.hit, s.units.found, s.units.gold, s.purpose.f1(), s.copies.f1())
}

// scoreEntries compares what was found with the annotation. report is told every difference.
func scoreEntries(gold []goldEntry, found []Entry, report func(string, ...any)) score {
	var s score
	key := func(kind, text string) string { return kind + "|" + scoreNorm(text) }
	left := map[string][]goldEntry{}
	for _, g := range gold {
		left[key(g.Kind, g.Text)] = append(left[key(g.Kind, g.Text)], g)
	}
	s.entries.gold, s.entries.found = len(gold), len(found)
	var names []string
	for _, e := range found {
		if e.Kind == EntryUnit || e.Kind == EntryPublication {
			names = append(names, e.Units...)
		}
		k := key(string(e.Kind), e.Text)
		if len(left[k]) == 0 {
			report("  + %-11s %q %q", e.Kind, e.Text, e.Units)
			continue
		}
		g := left[k][0]
		left[k] = left[k][1:]
		s.entries.hit++
		s.purpose.gold, s.purpose.found, s.copies.gold, s.copies.found = s.purpose.gold+1, s.purpose.found+1, s.copies.gold+1, s.copies.found+1
		if g.Purpose == e.Purpose {
			s.purpose.hit++
		} else {
			report("  purpose of %q: %q, want %q", e.Text, e.Purpose, g.Purpose)
		}
		if (g.Copies == nil) == (e.Copies == nil) && (g.Copies == nil || *g.Copies == *e.Copies) {
			s.copies.hit++
		} else {
			report("  copies of %q: %v", e.Text, e.Copies)
		}
		if g.Kind == "archive" && !slices.EqualFunc(g.Units, e.Units, func(a, b string) bool { return scoreNorm(a) == scoreNorm(b) }) {
			report("  archive codes of %q: %q, want %q", e.Text, e.Units, g.Units)
		}
	}
	for _, gs := range left {
		for _, g := range gs {
			report("  - %-11s %q %q", g.Kind, g.Text, g.Units)
		}
	}
	s.units = scoreNames(gold, names, report)
	return s
}

func scoreNames(gold []goldEntry, names []string, report func(string, ...any)) tally {
	var open [][2]string
	for _, g := range gold {
		if g.Kind != "unit" && g.Kind != "publication" {
			continue
		}
		for i, n := range g.Units {
			clean := n
			if i < len(g.UnitsClean) {
				clean = g.UnitsClean[i]
			}
			open = append(open, [2]string{scoreNorm(n), scoreNorm(clean)})
		}
	}
	c := tally{gold: len(open), found: len(names)}
	for _, n := range names {
		i := slices.IndexFunc(open, func(o [2]string) bool { return o[0] == scoreNorm(n) || o[1] == scoreNorm(n) })
		if i < 0 {
			report("  unit + %q", n)
			continue
		}
		c.hit++
		open = slices.Delete(open, i, i+1)
	}
	for _, o := range open {
		report("  unit - %q", o[0])
	}
	return c
}

// hard tells the blocks that the corpus reports apart.
func (b goldBlock) hard() bool {
	return slices.ContainsFunc(b.Flags, func(f string) bool { return f == "ocr" || f == "garbled" || f == "ambiguous" })
}
