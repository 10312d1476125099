package recipients_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

// checkLines holds what is true of any input: no code that the directory lacks, no group, not the issuer; candidates only on
// open lines, three at most; a reason on each.
func checkLines(t *testing.T, d *recipients.Directory, issuer recipients.UnitCode, lines []recipients.Line) {
	t.Helper()
	for _, l := range lines {
		if l.Why == "" || (len(l.Codes) > 0) != (l.Result == recipients.Resolved) || len(l.Candidates) > 3 ||
			len(l.Candidates) > 0 && l.Result != recipients.Open || l.Confidence < 0 || l.Confidence > 1 {
			t.Errorf("line %+v", l)
		}
		if !slices.IsSorted(l.Codes) {
			t.Errorf("codes of %q are not sorted: %v", l.Text, l.Codes)
		}
		for _, c := range l.Codes {
			if u, ok := d.Unit(c); !ok || u.Kind == recipients.KindGroup || c == issuer {
				t.Errorf("%q gives %q", l.Text, c)
			}
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, row := range readRows(f, "testdata/resolve.dev.jsonl") {
		f.Add(string(row.Issuer), row.KinhGui, row.NoiNhan, row.Body)
	}
	d := kontum(f)
	f.Fuzz(func(t *testing.T, issuer, to, block, body string) {
		if len(to)+len(block)+len(body) > 20000 {
			return
		}
		code := recipients.UnitCode(issuer)
		checkLines(t, d, code, d.Resolve(recipients.Request{Issuer: code, KinhGui: to, NoiNhan: block, Body: body}))
	})
}

func TestHostileBlocksEndSoon(t *testing.T) {
	d := kontum(t)
	for name, entry := range map[string]string{
		"and":                  "Các Sở: " + strings.Repeat("Y tế và ", 400),
		"dash":                 strings.Repeat("Sở Y tế - ", 400),
		"commas":               strings.Repeat("Sở Y tế, ", 400),
		"brackets":             strings.Repeat("(", 4000) + "Sở Y tế",
		"letters":              strings.Repeat("S", 4000),
		"classes":              strings.Repeat("các Sở, ban, ngành: ", 200),
		"people":               strings.Repeat("Giám đốc các ", 400) + "Sở Y tế",
		"initials":             strings.Repeat("T.", 1000),
		"dashes within bounds": strings.Repeat("Sở Y tế - ", 190),
		"and within bounds":    "Các Sở: " + strings.Repeat("Y tế và ", 190),
		"unknown members":      "Các Sở: " + strings.Repeat("Y tá và Nội vu, ", 110),
		"unknown names":        strings.Repeat("Ban Y tá - Nội vu và ", 100),
		"tails":                strings.Repeat("Ban, ", 200) + "HĐND tỉnh",
	} {
		t.Run(name, func(t *testing.T) { // what is not linear here runs into the time limit of the tests
			checkLines(t, d, "stc", d.Resolve(recipients.Request{Issuer: "stc", KinhGui: "- " + entry, NoiNhan: "- Như trên;\n- " + entry}))
		})
	}
}

// hostile are entries of n repeated parts, among the worst for the resolver, and articles of n sentences.
var hostile = map[string]func(n int) recipients.Request{
	"and":     func(n int) recipients.Request { return hostileEntry("Các Sở: " + strings.Repeat("Y tế và ", n)) },
	"dash":    func(n int) recipients.Request { return hostileEntry(strings.Repeat("Sở Y tế - ", n)) },
	"unknown": func(n int) recipients.Request { return hostileEntry(strings.Repeat("Ban Y tá - Nội vu và ", n)) },
	"exceptions": func(n int) recipients.Request {
		return hostileEntry("Các Sở, ban, ngành (trừ " + strings.Repeat("Sở Y tế, Sở Z và ", n) + ")")
	},
	"lines": func(n int) recipients.Request {
		return hostileEntry(strings.Repeat("Sở Y tế;\n- trừ Sở Nội vụ;\n- ", n))
	},
	"lost": func(n int) recipients.Request {
		return hostileEntry(strings.Repeat("sở y tế không gửi; trừ Sở Nội vụ; ", n))
	},
	"article": func(n int) recipients.Request {
		return recipients.Request{Issuer: "stc", NoiNhan: "- Như Điều 1;", Body: "Điều 1. Giao " + strings.Repeat("Sở Y tế phối hợp với Sở Nội vụ. ", n)}
	},
}

func hostileEntry(entry string) recipients.Request {
	return recipients.Request{Issuer: "stc", NoiNhan: "Nơi nhận:\n- " + entry}
}

// BenchmarkResolveHostile shows that the time grows with the input and no faster, up to the bounds where it stops.
func BenchmarkResolveHostile(b *testing.B) {
	d := kontum(b)
	for name, make := range hostile {
		for _, n := range []int{50, 100, 200, 2000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				req := make(n)
				for b.Loop() {
					d.Resolve(req)
				}
			})
		}
	}
}

func BenchmarkResolveBlock(b *testing.B) {
	d := kontum(b)
	rows := readRows(b, "testdata/resolve.dev.jsonl")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		row := rows[i%len(rows)]
		d.Resolve(recipients.Request{Issuer: row.Issuer, KinhGui: row.KinhGui, NoiNhan: row.NoiNhan, Body: row.Body})
	}
}
