package recipients

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// A handCase is one block of testdata/noi-nhan-viet-tay.txt and what it must be read as.
type handCase struct {
	name, raw string
	want      []Entry
}

var handKinds = map[string]EntryKind{"u": EntryUnit, "g": EntryGroup, "p": EntryPerson, "r": EntryReference, "a": EntryArchive, "b": EntryPublication}

// handEntry reads "kind | text | purpose | units | copies".
func handEntry(t *testing.T, line string) Entry {
	t.Helper()
	f := strings.Split(line, "|")
	for len(f) < 5 {
		f = append(f, "")
	}
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	e := Entry{Kind: handKinds[f[0]], Text: f[1], Purpose: f[2], Units: []string{}}
	if e.Kind == "" {
		t.Fatalf("unknown kind in %q", line)
	}
	switch {
	case f[3] != "":
		e.Units = strings.Split(f[3], " + ")
	case e.Kind == EntryUnit || e.Kind == EntryPublication:
		e.Units = []string{e.Text}
	}
	if f[4] != "" {
		n, err := strconv.Atoi(f[4])
		if err != nil {
			t.Fatal(err)
		}
		e.Copies = &n
	}
	return e
}

func handCases(t *testing.T) []handCase {
	t.Helper()
	return casesIn(t, "testdata/noi-nhan-viet-tay.txt")
}

// casesIn reads a file of cases.
func casesIn(t *testing.T, path string) []handCase {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []handCase
	for i, part := range strings.Split(string(data), "\n== ") {
		if i == 0 {
			continue
		}
		name, rest, _ := strings.Cut(part, "\n")
		raw, entries, ok := strings.Cut(rest, "\n--\n")
		if !ok {
			t.Fatalf("case %q has no answer", name)
		}
		c := handCase{name: name, raw: raw}
		for line := range strings.Lines(entries) {
			if strings.TrimSpace(line) != "" {
				c.want = append(c.want, handEntry(t, strings.TrimSpace(line)))
			}
		}
		out = append(out, c)
	}
	return out
}

// show prints an entry so that two can be compared.
func show(e Entry) string {
	copies := "-"
	if e.Copies != nil {
		copies = strconv.Itoa(*e.Copies)
	}
	return fmt.Sprintf("%s | %s | %s | %s | %s", e.Kind, e.Text, e.Purpose, strings.Join(e.Units, " + "), copies)
}

func showAll(es []Entry) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = show(e)
	}
	return out
}

func TestParseBlockReadsEveryIssuersForm(t *testing.T) {
	cases := handCases(t)
	if len(cases) < 40 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, want := showAll(ParseBlock(c.raw)), showAll(c.want)
			for i := range max(len(got), len(want)) {
				g, w := "(none)", "(none)"
				if i < len(got) {
					g = got[i]
				}
				if i < len(want) {
					w = want[i]
				}
				if g != w {
					t.Errorf("entry %d\n got %s\nwant %s", i+1, g, w)
				}
			}
		})
	}
}

func TestParseBlockReadsDecomposedTextLikeComposed(t *testing.T) {
	for _, c := range handCases(t) {
		composed, decomposed := showAll(ParseBlock(c.raw)), showAll(ParseBlock(norm.NFD.String(c.raw)))
		if !slices.Equal(composed, decomposed) {
			t.Errorf("%s:\nNFC %q\nNFD %q", c.name, composed, decomposed)
		}
	}
}

func TestParseBlockReadsTheSameWithoutItsLabel(t *testing.T) {
	for _, c := range handCases(t) {
		first, rest, ok := strings.Cut(c.raw, "\n")
		if !ok || strings.TrimSpace(first) != "Nơi nhận:" {
			continue
		}
		with, without := showAll(ParseBlock(c.raw)), showAll(ParseBlock(rest))
		if !slices.Equal(with, without) {
			t.Errorf("%s:\nwith label %q\nwithout    %q", c.name, with, without)
		}
	}
}
