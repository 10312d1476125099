package recipients_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

// outcomeOf writes lines in the form of the file: codes, then "+" and the names left open.
func outcomeOf(lines []recipients.Line, entry string) string {
	var codes, open []string
	result := ""
	for _, l := range lines {
		for _, c := range l.Codes {
			codes = append(codes, string(c))
		}
		if l.Result == recipients.Open {
			open = append(open, plain(strings.TrimPrefix(l.Text, entry+": ")))
		}
		result = string(l.Result)
	}
	slices.Sort(codes)
	switch s := strings.Join(codes, " "); {
	case s != "" && len(open) > 0:
		return s + " + " + strings.Join(open, " + ")
	case s != "":
		return s
	default:
		return result
	}
}

// expand writes ALL, HUYEN and DOANTHE and the codes behind a minus out.
func expand(t *testing.T, d *recipients.Directory, issuer, want string) string {
	codes, open, _ := strings.Cut(want, " + ")
	if codes == "open" || codes == "excused" {
		return codes
	}
	var all []string
	for word := range strings.FieldsSeq(codes) {
		group := map[string]recipients.UnitCode{"ALL": "nhom-so-ban-nganh", "HUYEN": "nhom-huyen", "DOANTHE": "nhom-doan-the"}[word]
		switch {
		case group != "":
			members, ok := d.Members(group)
			if !ok {
				t.Fatalf("group %s has no members", group)
			}
			for _, m := range members {
				all = append(all, string(m))
			}
		case word[0] == '-':
			all = slices.DeleteFunc(all, func(c string) bool { return c == word[1:] })
		default:
			all = append(all, word)
		}
	}
	all = slices.DeleteFunc(all, func(c string) bool { return c == issuer })
	slices.Sort(all)
	s := strings.Join(slices.Compact(all), " ")
	if open != "" {
		names := strings.Split(open, " + ")
		for i := range names {
			names[i] = plain(names[i])
		}
		s += " + " + strings.Join(names, " + ")
	}
	return s
}

func TestResolveJudgedEntries(t *testing.T) {
	text, err := os.ReadFile("testdata/resolve-entries.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := kontum(t)
	n := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), " | ")
		if len(f) != 3 || line[0] == '#' {
			continue
		}
		n++
		lines := d.Resolve(recipients.Request{Date: "2009-06-01", Issuer: recipients.UnitCode(strings.TrimSpace(f[0])), NoiNhan: "Nơi nhận:\n- " + f[1] + ";\n"})
		if got, want := outcomeOf(lines, f[1]), expand(t, d, f[0], f[2]); got != want {
			t.Errorf("%s | %s\n got %s\nwant %s", f[0], f[1], got, want)
		}
	}
	if n < 100 {
		t.Errorf("only %d entries read", n)
	}
}
