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

var update = flag.Bool("update", false, "write testdata/resolve-judged.txt anew, to be read by eye before it is committed")

const judgedHead = `# Every entry of the corpus of collected blocks that the resolver dares to resolve in a paper of UBND tỉnh Kon Tum, with
# the codes it gives. Read by eye, one by one: a line that appears here newly is to be judged before it is committed.
`

// TestResolvesNothingThatWasNotJudged reads blocks from all over the country against Kon Tum's directory. Most of their
// entries are nobody there; what is resolved all the same must stand in the judged list, code for code.
func TestResolvesNothingThatWasNotJudged(t *testing.T) {
	d := kontum(t)
	got := map[string]string{}
	for _, text := range collectedEntries(t) {
		for _, l := range d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: "- " + text + ";"}) {
			if l.Result == recipients.Resolved {
				got[l.Text] = outcomeOf([]recipients.Line{l}, "")
			}
		}
	}
	const path = "testdata/resolve-judged.txt"
	if *update {
		var lines []string
		for text, codes := range got {
			lines = append(lines, text+" | "+codes+"\n")
		}
		slices.Sort(lines)
		if err := os.WriteFile(path, []byte(judgedHead+strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	judged := map[string]string{}
	for line := range strings.Lines(string(file)) {
		if text, codes, ok := strings.Cut(strings.TrimSpace(line), " | "); ok {
			judged[text] = codes
		}
	}
	for text, codes := range got {
		if judged[text] != codes {
			t.Errorf("%q resolves to %q, judged %q", text, codes, judged[text])
		}
	}
	if len(got) < 40 {
		t.Errorf("only %d entries resolved", len(got))
	}
}

// collectedEntries lists the different entries of the corpus of collected blocks, references and archives left out.
func collectedEntries(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("testdata/noi-nhan.dev.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var row struct {
			Entries []struct{ Text, Kind string }
		}
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		for _, e := range row.Entries {
			if e.Kind != "archive" && e.Kind != "reference" {
				texts = append(texts, e.Text)
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}
