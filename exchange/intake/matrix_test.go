package intake_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"congvan/exchange/intake"
	"congvan/recipients"
)

var scansFlag = flag.String("scans", "", `read the whole matrix of scans ("all"), or the documents whose name contains this`)

var scansDiffs = flag.Bool("scans.diffs", false, "show what was read otherwise")

var scansRows = flag.String("scans.rows", "", `only the rows of the matrix whose description contains this, such as "200 dpi +0.4"`)

var scansKeep = flag.String("scans.keep", "", "a folder that the documents and scans are kept in")

// A verdict is how one reading came out.
type verdict struct {
	document, producer, how string
	missing, wrong          []string // unit codes
	unknown                 bool     // the lines left open are exact
	reference, date         bool
	other                   []string // other fields that differ
	diffs                   []string // what was to be found and what was
}

// exact says whether everything that must be exact from 200 dpi on is.
func (v verdict) exact() bool {
	return len(v.missing)+len(v.wrong) == 0 && v.unknown && v.reference && v.date
}

func (v verdict) row() string {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "NO"
	}
	units := "exact"
	if len(v.missing)+len(v.wrong) > 0 {
		units = fmt.Sprintf("-%d +%d", len(v.missing), len(v.wrong))
	}
	return fmt.Sprintf("| %-28s | %-8s | %-26s | %-8s | %-7s | %-9s | %-4s | %s |", v.document, v.producer, v.how, units, yes(v.unknown), yes(v.reference), yes(v.date),
		strings.Join(v.other, ", "))
}

const verdictHead = "| document                     | producer | how                        | units    | unknown | reference | date | other fields that differ |"

// kontum is the directory that the truth of the samples is about.
func kontum(t testing.TB) *recipients.Directory {
	t.Helper()
	var files [2]*os.File
	for i, name := range []string{"units", "groups"} {
		f, err := os.Open("../../recipients/testdata/kontum-2009-" + name + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	d, err := recipients.ReadDirectory(files[0], files[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fullTruth reads a truth with its units and open lines.
func fullTruth(t testing.TB, path string) intake.Record {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rec intake.Record
	if err := json.Unmarshal(b, &rec); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return rec
}

// resolved is what "congvan read" makes of a draft: its record with units and open lines.
func resolved(dir *recipients.Directory, d *intake.Draft) intake.Record {
	rec := d.Record()
	if rec.Secrecy != nil {
		return rec // nothing of it goes anywhere
	}
	units := map[string]bool{}
	for _, l := range dir.Resolve(d.Request(dir.Issuer(d.Heading.Issuer))) {
		for _, c := range l.Codes {
			units[string(c)] = true
		}
		if l.Result == recipients.Open {
			rec.Unknown = append(rec.Unknown, l.Text)
		}
	}
	rec.Units = slices.Sorted(maps.Keys(units))
	return rec
}

// judge compares a reading with the truth.
func judge(want, got intake.Record) verdict {
	v := verdict{reference: want.Reference == got.Reference && want.Number == got.Number && want.Symbol == got.Symbol, date: text(want.Date) == text(got.Date)}
	for _, u := range want.Units {
		if !slices.Contains(got.Units, u) {
			v.missing = append(v.missing, u)
		}
	}
	for _, u := range got.Units {
		if !slices.Contains(want.Units, u) {
			v.wrong = append(v.wrong, u)
		}
	}
	open := func(r intake.Record) string { return strings.Join(slices.Sorted(slices.Values(r.Unknown)), "|") }
	v.unknown = open(want) == open(got)
	for _, f := range []struct {
		name, want, got string
		judged          bool
	}{{"reference", want.Reference, got.Reference, true}, {"date", text(want.Date), text(got.Date), true}, {"unknown", open(want), open(got), true},
		{"type", want.Type, got.Type, false}, {"place", text(want.Place), text(got.Place), false}, {"issuer", want.Issuer, got.Issuer, false},
		{"subject", want.Subject, got.Subject, false}, {"signer", text(want.Signer), text(got.Signer), false}, {"secrecy", text(want.Secrecy), text(got.Secrecy), false},
		{"urgency", text(want.Urgency), text(got.Urgency), false}, {"Kính gửi", strings.Join(want.KinhGui, "|"), strings.Join(got.KinhGui, "|"), false},
		{"Nơi nhận", strings.Join(want.NoiNhan, "|"), strings.Join(got.NoiNhan, "|"), false}} {
		if f.want == f.got {
			continue
		}
		if !f.judged {
			v.other = append(v.other, f.name)
		}
		v.diffs = append(v.diffs, fmt.Sprintf("      %s: %s\n      %s  %s", f.name, f.want, strings.Repeat(" ", len([]rune(f.name))), f.got))
	}
	return v
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// A printed document is one PDF of a producer with what must be found in it.
type printed struct {
	name, producer, file string
	want                 intake.Record
	open                 bool // old fonts, see prints
}

// prints are the samples as they came and as two other producers set them, and a second time through cairo with object
// streams.
func prints(t testing.TB, only string, from ...string) []printed {
	t.Helper()
	var out []printed
	var docs []*typeset
	truths := map[string]intake.Record{}
	for _, dir := range from {
		files, err := filepath.Glob(dir + "/*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			if !strings.Contains(name, only) {
				continue
			}
			_, known := truths[name]
			truths[name] = fullTruth(t, file) // the last folder has what our typing of a sample says, where that differs
			if known {
				continue
			}
			if pdf := strings.TrimSuffix(file, ".json") + ".pdf"; exists(pdf) {
				out = append(out, printed{name: name, producer: "original", file: pdf, want: truths[name]})
			}
			docs = append(docs, readTypeset(t, "testdata/typeset/"+name+".txt"))
		}
	}
	if len(docs) == 0 {
		t.Fatalf("no document is called %q", only)
	}
	written := printWriter(t, docs)
	for _, d := range docs {
		out = append(out, printed{name: d.name, producer: "writer", file: written[d.name]}, printed{name: d.name, producer: "chromium", file: printChromium(t, d)})
	}
	for i := range out {
		if out[i].producer != "original" {
			out[i].want = truths[out[i].name]
		}
		// This sample shows the codes of TCVN3 in a font that has none of its letters: as a PDF its text is read, but the printed
		// page bears "th«ng" for "thông", and what nobody can read on paper is no test of reading scans.
		out[i].open = strings.HasPrefix(out[i].name, "11-")
	}
	return out
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// distilled is the file again as another program rewrites it: through cairo, with object streams.
func distilled(t testing.TB, file string) string {
	t.Helper()
	needTool(t, "pdftocairo", "poppler-utils")
	needTool(t, "qpdf", "qpdf")
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.pdf"), filepath.Join(dir, "b.pdf")
	for _, c := range [][]string{{"pdftocairo", "-pdf", file, first}, {"qpdf", "--object-streams=generate", "--linearize", first, second}} {
		if said, err := exec.CommandContext(t.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c[0], err, said)
		}
	}
	return second
}

// The matrix: what a scan may be. At 150 dpi no wrong unit is asked for, from 200 on everything.
var matrix = []scanner{
	{dpi: 300, degrees: 1.5, noise: 6, quality: 85},
	{dpi: 300, degrees: -1.5, grey: true, light: side, noise: 10, paper: 0.9},
	{dpi: 300, degrees: 0.7, bilevel: true, noise: 4},
	{dpi: 200, degrees: 1.5, grey: true, noise: 8, light: fold},
	{dpi: 200, degrees: -1.5, noise: 8, light: side, quality: 75},
	{dpi: 200, degrees: -0.7, noise: 6, paper: 0.88, bleed: 0.12, light: corner},
	{dpi: 200, degrees: 0.4, bilevel: true},
	{dpi: 200, degrees: 1.5, blur: 1, noise: 5, grey: true, quality: 60},
	{dpi: 150, degrees: -1.5, noise: 6, light: side},
	{dpi: 150, degrees: 1.5, grey: true, noise: 8, blur: 1, light: corner},
}

// TestScanMatrix is the long run of "make scans": every sample and every other document, from three producers, in every row
// of the matrix. It prints the table of all scores.
func TestScanMatrix(t *testing.T) {
	if *scansFlag == "" {
		t.Skip("a long run: make scans")
	}
	needOCR(t)
	only, dirs := *scansFlag, []string{"testdata/samples", "testdata/typeset"}
	if only == "all" {
		only = ""
	}
	r, dir := openReader(t), kontum(t)
	fmt.Println(verdictHead)
	for _, p := range prints(t, only, dirs...) {
		rows := []scanner{{}} // as it is
		if !p.open {
			rows = append(rows, matrix...)
		}
		for _, how := range rows {
			if !strings.Contains(how.String(), *scansRows) {
				continue
			}
			v, err := p.read(t, r, dir, how)
			if err != nil {
				t.Errorf("%s %s %s: %v", p.name, p.producer, how, err)
				continue
			}
			fmt.Println(v.row())
			if *scansDiffs && len(v.diffs) > 0 {
				fmt.Println(strings.Join(v.diffs, "\n"))
			}
			p.demand(t, v, how)
		}
	}
}

// read reads a document as it is, or as a scan of it.
func (p printed) read(t testing.TB, r *intake.Reader, dir *recipients.Directory, how scanner) (verdict, error) {
	var data []byte
	label := how.String()
	if how.dpi == 0 {
		b, err := os.ReadFile(p.file)
		if err != nil {
			return verdict{}, err
		}
		data, label = b, "as it is"
	} else {
		data = how.scan(t, p.file)
	}
	if *scansKeep != "" {
		if err := os.WriteFile(filepath.Join(*scansKeep, fmt.Sprintf("%s %s %s.pdf", p.name, p.producer, label)), data, 0o600); err != nil {
			return verdict{}, err
		}
	}
	d, err := r.Read(context.WithoutCancel(t.Context()), p.name, data)
	if err != nil {
		return verdict{}, err
	}
	got := resolved(dir, d)
	v := judge(p.want, got)
	v.document, v.producer, v.how = p.name, p.producer, label
	return v, nil
}

// demand fails the test where the reading is worse than it may be.
func (p printed) demand(t testing.TB, v verdict, how scanner) {
	t.Helper()
	switch {
	case len(v.wrong) > 0:
		t.Errorf("%s: wrong units %v", v.row(), v.wrong)
	case how.dpi == 150:
	case !v.exact():
		t.Errorf("%s: not exact; missing %v", v.row(), v.missing)
	}
}
