package recipients

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// accountedTexts are the entries of every corpus at hand.
func accountedTexts(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, path := range []string{"testdata/noi-nhan.dev.jsonl", "testdata/resolve.dev.jsonl", "testdata/resolve-samples.jsonl"} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			var row struct {
				Entries []struct{ Text string }
				Expect  []struct{ Text string }
			}
			if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			for _, e := range slices.Concat(row.Entries, row.Expect) {
				texts = append(texts, e.Text)
			}
		}
	}
	judged, err := os.ReadFile("testdata/resolve-entries.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(judged)) {
		if f := strings.Split(strings.TrimSpace(line), " | "); len(f) == 3 {
			texts = append(texts, f[1])
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func accountDirectory(t *testing.T) *Directory {
	t.Helper()
	units, err := os.Open("testdata/kontum-2009-units.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer units.Close()
	groups, err := os.Open("testdata/kontum-2009-groups.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	d, err := ReadDirectory(units, groups)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryWordBelongsToAPiece counts the words of each entry: each stands in exactly one piece, and each piece ends as units,
// as needing no copy, or open.
func TestEveryWordBelongsToAPiece(t *testing.T) {
	d := accountDirectory(t)
	n := 0
	for _, text := range accountedTexts(t) {
		for _, issuer := range []UnitCode{"", "ubndtinh", "snv", "dakha"} {
			r := &reader{d: d, issuer: d.unit(issuer)}
			name := nameIn(text)
			words := len(dropCounts(scan(name)))
			pieces := r.list(name)
			if len(pieces) == 1 && pieces[0].text == name {
				n++
				continue // open as a whole
			}
			at := 0
			for _, p := range pieces {
				if p.from != at || p.to <= p.from || p.verdict == nobody || p.verdict == known && len(p.codes) == 0 || p.verdict == unknown && p.text == "" {
					t.Errorf("%s | %s: piece %q of words %d to %d behind word %d", issuer, text, p.text, p.from, p.to, at)
				}
				at = p.to
			}
			if at != words {
				t.Errorf("%s | %s: %d of %d words read", issuer, text, at, words)
			}
			n++
		}
	}
	if n < 2000 {
		t.Errorf("only %d readings", n)
	}
}

// TestNoSplitNameIsLost resolves each name that an entry is split into by itself: the unit that it certainly is stands among
// the entry's, or the entry is open, or has an open line with the name.
func TestNoSplitNameIsLost(t *testing.T) {
	d := accountDirectory(t)
	names := 0
	for _, text := range accountedTexts(t) {
		for _, issuer := range []UnitCode{"", "ubndtinh", "snv"} {
			lines := d.Resolve(Request{Issuer: issuer, NoiNhan: "- " + text + ";\n- Lưu: VT."})
			if len(lines) < 2 && !strings.HasPrefix(text, "Lưu") {
				t.Errorf("%q gives %d lines", text, len(lines))
			}
			var codes []UnitCode
			open := ""
			for _, l := range lines {
				codes = append(codes, l.Codes...)
				if l.Result == Open {
					open += lettersOnly(l.Text)
				}
			}
			for _, e := range ParseBlock("- " + text + ";\n- Lưu: VT.") {
				for _, name := range e.Units {
					alone := (&reader{d: d, issuer: d.unit(issuer)}).list(name)
					if e.Kind == EntryArchive || len(alone) != 1 || alone[0].unit == nil || alone[0].conf < sureMade || alone[0].verdict != known {
						continue
					}
					if strings.HasSuffix(text, ", tỉnh Kon Tum") {
						continue // an address, which the splitting takes for one more committee
					}
					names++
					words := strings.Fields(name)
					if !slices.Contains(codes, alone[0].unit.Code) && !strings.Contains(open, lettersOnly(words[len(words)-1])) {
						t.Errorf("%s | %s: %q is lost", issuer, text, name)
					}
				}
			}
		}
	}
	if names < 500 {
		t.Errorf("only %d names", names)
	}
}
