package recipients_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

// A freshCase is one entry written and judged by hand: issuer | entry | outcome | what the document says besides, the last
// "KG block" or "BODY articles" with "//" for line ends.
type freshCase struct{ issuer, date, entry, want, extra string }

var freshDate = regexp.MustCompile(`^(\w+)@(\d{4}-\d\d-\d\d)$`)

func freshCases(t *testing.T, path string) []freshCase {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []freshCase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " | ", 4)
		if len(f) < 3 {
			t.Fatalf("%s: cannot read %q", path, line)
		}
		c := freshCase{issuer: f[0], date: "2009-06-01", entry: f[1], want: f[2]}
		if m := freshDate.FindStringSubmatch(f[0]); m != nil {
			c.issuer, c.date = m[1], m[2]
		}
		if len(f) == 4 {
			c.extra = strings.ReplaceAll(f[3], "//", "\n")
		}
		cases = append(cases, c)
	}
	return cases
}

func (c freshCase) request() recipients.Request {
	req := recipients.Request{Date: c.date, Issuer: recipients.UnitCode(c.issuer), NoiNhan: "Nơi nhận:\n- " + c.entry + ";\n- Lưu: VT."}
	if kg, ok := strings.CutPrefix(c.extra, "KG "); ok {
		req.KinhGui = kg
	}
	if body, ok := strings.CutPrefix(c.extra, "BODY "); ok {
		req.Body = body
	}
	return req
}

// A freshScore counts as the corpus does: copies to a wrong unit, units found, entries exact.
type freshScore struct{ units, found, wrong, entries, exact int }

func (s freshScore) String() string {
	return fmt.Sprintf("units found %d of %d (%.3f), wrong %d, entries exact %d of %d", s.found, s.units, float64(s.found)/float64(max(s.units, 1)), s.wrong, s.exact, s.entries)
}

func (s *freshScore) count(t *testing.T, d *recipients.Directory, c freshCase) {
	lines := d.Resolve(c.request())
	lines = lines[:len(lines)-1] // without the archive
	got, want := outcomeOf(lines, c.entry), expand(t, d, c.issuer, c.want)
	s.entries++
	gotCodes, wantCodes := outcomeCodes(got), outcomeCodes(want)
	s.units += len(wantCodes)
	wrong := 0
	for _, code := range gotCodes {
		if slices.Contains(wantCodes, code) {
			s.found++
		} else {
			wrong++
		}
	}
	s.wrong += wrong
	if got == want {
		s.exact++
		return
	}
	if wrong > 0 || os.Getenv("FRESH") != "" {
		t.Logf("%s%s | %s\n     got %s\n    want %s", map[bool]string{true: "WRONG UNIT "}[wrong > 0], c.issuer, cmp.Or(c.entry, c.extra), got, want)
	}
}

func outcomeCodes(outcome string) []string {
	codes, _, _ := strings.Cut(outcome, " + ")
	if codes == "open" || codes == "excused" {
		return nil
	}
	return strings.Fields(codes)
}

// TestResolveFreshEntries holds the floors on entries that were written before anybody looked at what the resolver makes of
// them, and on others written to break it.
func TestResolveFreshEntries(t *testing.T) {
	d := kontum(t)
	for _, path := range []string{"testdata/resolve-fresh-a.txt", "testdata/resolve-fresh-b.txt", "testdata/resolve-fresh-c.txt", "testdata/resolve-fresh-d.txt"} {
		var s freshScore
		for _, c := range freshCases(t, path) {
			s.count(t, d, c)
		}
		t.Logf("%s: %v", path, s)
		if s.wrong > 0 || float64(s.found) < 0.97*float64(s.units) || float64(s.exact) < 0.95*float64(s.entries) {
			t.Errorf("%s is below the floor: %v", path, s)
		}
	}
}
