package intake_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"congvan/exchange/intake"
)

type headerRow struct {
	ID        string `json:"id"`
	RawHeader string `json:"raw_header"`
	Fields    map[string]string
}

// headerFields are the fields that a row gives and that MarshalJSON writes.
var headerFields = []string{"number", "year", "symbol", "place", "date", "type", "subject", "issuer"}

func headerRows(t testing.TB) []headerRow {
	t.Helper()
	data, err := os.ReadFile("testdata/headers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var rows []headerRow
	for line := range strings.Lines(string(data)) {
		row := headerRow{Fields: fieldsOf(t, []byte(line))}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func fieldsOf(t testing.TB, data []byte) map[string]string {
	t.Helper()
	var all map[string]*string
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for _, f := range headerFields {
		v, ok := all[f]
		if !ok {
			t.Fatalf("no key %q in %s", f, data)
		}
		if v != nil {
			fields[f] = *v
		}
	}
	return fields
}

// ratio is the similarity of Python's difflib.SequenceMatcher over letters: twice the matched ones over both lengths, where
// the longest common run is matched first and then what is left and right of it. Its autojunk rule counts too: in a
// second text of 200 letters or more, a letter that makes up over one in a hundred starts no match.
func ratio(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	if len(x)+len(y) == 0 {
		return 1
	}
	where := make(map[rune][]int)
	for j, r := range y {
		where[r] = append(where[r], j)
	}
	if n := len(y); n >= 200 {
		for r, js := range where {
			if len(js) > n/100+1 {
				delete(where, r)
			}
		}
	}
	return 2 * float64(matched(x, y, where, 0, len(x), 0, len(y))) / float64(len(x)+len(y))
}

func matched(x, y []rune, where map[rune][]int, i0, i1, j0, j1 int) int {
	bi, bj, size := i0, j0, 0
	runs := make(map[int]int)
	for i := i0; i < i1; i++ {
		next := make(map[int]int)
		for _, j := range where[x[i]] {
			if j < j0 || j >= j1 {
				continue
			}
			k := runs[j-1] + 1
			next[j] = k
			if k > size {
				bi, bj, size = i-k+1, j-k+1, k
			}
		}
		runs = next
	}
	for bi > i0 && bj > j0 && x[bi-1] == y[bj-1] {
		bi, bj, size = bi-1, bj-1, size+1
	}
	for bi+size < i1 && bj+size < j1 && x[bi+size] == y[bj+size] {
		size++
	}
	if size == 0 {
		return 0
	}
	return size + matched(x, y, where, i0, bi, j0, bj) + matched(x, y, where, bi+size, i1, bj+size, j1)
}

func TestRatioIsDifflibs(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"", "", 1}, {"abcd", "bcde", 0.75}, {"tabcd", "tbcda", 0.8}, {"kính gửi", "kính göi", 0.875},
		{strings.Repeat("ab", 150), strings.Repeat("ba", 150), 0},
	} {
		if got := ratio(c.a, c.b); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("ratio(%.10q, %.10q) = %f, want %f", c.a, c.b, got, c.want)
		}
	}
}

// TestHeadingsOfRealDocuments holds the floors on real heads: each field exact in 95 of 100, trích yếu at a ratio of 0.97 in
// 90 of 100.
func TestHeadingsOfRealDocuments(t *testing.T) {
	rows := headerRows(t)
	right := make(map[string]int)
	for _, row := range rows {
		h := intake.ParseHeading(row.RawHeader)
		data, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		got := fieldsOf(t, data)
		for _, f := range headerFields {
			ok := got[f] == row.Fields[f]
			if f == "subject" {
				ok = ratio(got[f], row.Fields[f]) >= 0.97
			}
			if ok {
				right[f]++
			} else {
				t.Logf("%s %s: %q, want %q", row.ID, f, got[f], row.Fields[f])
			}
		}
	}
	for _, f := range headerFields {
		floor := 0.95
		if f == "subject" || f == "issuer" {
			floor = 0.9
		}
		t.Logf("%s %d of %d", f, right[f], len(rows))
		if float64(right[f]) < floor*float64(len(rows)) {
			t.Errorf("%s right in %d of %d", f, right[f], len(rows))
		}
	}
}
