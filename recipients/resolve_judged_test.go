package recipients_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

var update = flag.Bool("update", false, "add to testdata/resolve-judged.txt what is resolved now, marked \"?\" for a reader to judge")

const judgedHead = `# Everything that the resolver dares to resolve of the corpora and samples: document | entry | codes. Each line was read by eye.
# Documents of the collected blocks (noi-nhan) come from all over the country; they are read as papers of UBND tỉnh Kon Tum,
# "?": as papers of nobody known. Every legacy string is read as an entry. A line that begins with "? " is not judged yet: read it,
# then take the mark away, or mend the resolver.
`

const judgedPath = "testdata/resolve-judged.txt"

// TestResolvesNothingThatWasNotJudged resolves every block at hand. Most entries of the collected ones are nobody in Kon Tum's
// directory; what is resolved all the same must stand in the judged list, code for code.
func TestResolvesNothingThatWasNotJudged(t *testing.T) {
	got := resolvedLines(t)
	if *update {
		updateJudged(t, got)
	}
	judged := readJudged(t)
	for line := range judged {
		if strings.HasPrefix(line, "? ") {
			t.Errorf("not judged yet: %s", line)
		}
	}
	for line := range got {
		if !judged[line] {
			t.Errorf("resolves otherwise than judged: %s", line)
		}
	}
	if len(got) < 400 {
		t.Errorf("only %d lines resolved", len(got))
	}
}

// readJudged reads the lines of the list.
func readJudged(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.ReadFile(judgedPath)
	if err != nil {
		t.Fatal(err)
	}
	judged := map[string]bool{}
	for line := range strings.Lines(string(file)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			judged[line] = true
		}
	}
	return judged
}

// updateJudged writes the list anew: judged lines that still come stay, new ones are marked, others go.
func updateJudged(t *testing.T, got map[string]bool) {
	t.Helper()
	judged := readJudged(t)
	var lines []string
	for line := range got {
		if !judged[line] {
			line = "? " + line
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	if err := os.WriteFile(judgedPath, []byte(judgedHead+strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A judgedRow is a row of any of the corpora.
type judgedRow struct {
	ID      string
	Date    *string
	Issuer  string
	KinhGui *string `json:"kinh_gui"`
	NoiNhan string  `json:"noi_nhan"`
	Body    *string
	Raw     string
	Unicode string
}

// resolvedLines resolves all corpora and writes what is resolved in the form of the list.
func resolvedLines(t *testing.T) map[string]bool {
	t.Helper()
	d := kontum(t)
	got := map[string]bool{}
	add := func(document string, req recipients.Request) {
		for _, l := range d.Resolve(req) {
			if l.Result == recipients.Resolved {
				got[document+" | "+l.Text+" | "+outcomeOf([]recipients.Line{l}, "")] = true
			}
		}
	}
	for _, row := range judgedRows(t, "testdata/noi-nhan.dev.jsonl") {
		add("noi-nhan", recipients.Request{Issuer: "ubndtinh", KinhGui: text(row.KinhGui), NoiNhan: row.Raw})
		add("noi-nhan?", recipients.Request{KinhGui: text(row.KinhGui), NoiNhan: row.Raw})
	}
	for _, path := range []string{"testdata/resolve.dev.jsonl", "testdata/resolve-samples.jsonl"} {
		for _, row := range judgedRows(t, path) {
			add(row.ID, recipients.Request{Date: text(row.Date), Issuer: recipients.UnitCode(row.Issuer), KinhGui: text(row.KinhGui), NoiNhan: row.NoiNhan, Body: text(row.Body)})
		}
	}
	for _, row := range judgedRows(t, "../mailcore/viettext/testdata/legacy-encodings.jsonl") {
		add(row.ID, recipients.Request{Issuer: "ubndtinh", NoiNhan: "- " + strings.ReplaceAll(row.Unicode, "\n", " ")})
	}
	return got
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func judgedRows(t *testing.T, path string) []judgedRow {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []judgedRow
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var row judgedRow
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, row)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}
