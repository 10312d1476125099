package recipients

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A noise prints the entries of a block in one of the forms in which blocks are found.
type noise struct {
	name  string
	bare  bool    // the form has no bullets, so that ";" divides
	floor float64 // entry F1 that reading it must reach
	print func(texts []string, r *rand.Rand) string
}

func ends(i, n int) string {
	if i == n-1 {
		return "."
	}
	return ";"
}

// wrapAt breaks a line at the last space before the given width.
func wrapAt(s string, width int) string {
	var out []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
			out = append(out, line)
			line = w
			continue
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return strings.Join(append(out, line), "\n")
}

func eachLine(format func(i int, text, end string) string) func([]string, *rand.Rand) string {
	return func(texts []string, _ *rand.Rand) string {
		var b strings.Builder
		b.WriteString("Nơi nhận:\n")
		for i, t := range texts {
			b.WriteString(format(i, t, ends(i, len(texts))) + "\n")
		}
		return b.String()
	}
}

// pageBreak prints a block of which the second half stands on another page.
func pageBreak(between string) func([]string, *rand.Rand) string {
	return func(texts []string, _ *rand.Rand) string {
		var b strings.Builder
		b.WriteString("Nơi nhận:\n")
		for i, t := range texts {
			if i > 0 && i == len(texts)/2 {
				b.WriteString(between)
			}
			b.WriteString("- " + t + ends(i, len(texts)) + "\n")
		}
		return b.String()
	}
}

// unmarked takes the diacritics off, case kept.
func unmarked(s string) string {
	s = strings.NewReplacer("đ", "d", "Đ", "D").Replace(s)
	return strings.Map(func(r rune) rune {
		if r >= 0x300 && r < 0x370 {
			return -1
		}
		return r
	}, norm.NFD.String(s))
}

func noises() []noise {
	signer := []string{"TM. ỦY BAN NHÂN DÂN", "KT. CHỦ TỊCH", "PHÓ CHỦ TỊCH", "", "", "(đã ký)", "", "Nguyễn Hữu Thắng"}
	return []noise{
		{"printed", false, 0.99, eachLine(func(_ int, t, end string) string { return "- " + t + end })},
		{"wrapped at 40", false, 0.98, eachLine(func(_ int, t, end string) string { return wrapAt("- "+t+end, 40) })},
		{"wrapped at 28, indented", false, 0.98, eachLine(func(_ int, t, end string) string {
			return strings.ReplaceAll(wrapAt("- "+t+end, 28), "\n", "\n  ")
		})},
		{"blank lines between", false, 0.98, eachLine(func(_ int, t, end string) string { return wrapAt("- "+t+end, 45) + "\n" })},
		{"no separators", false, 0.98, eachLine(func(_ int, t, _ string) string { return "- " + t })},
		{"no separators, wrapped", false, 0.93, eachLine(func(_ int, t, _ string) string { return wrapAt("- "+t, 45) })},
		{"commas for separators", false, 0.98, eachLine(func(i int, t, end string) string { return "- " + t + strings.ReplaceAll(end, ";", ",") })},
		{"no bullets", true, 0.98, eachLine(func(_ int, t, end string) string { return t + end })},
		{"no bullets, wrapped", true, 0.96, eachLine(func(_ int, t, end string) string { return wrapAt(t+end, 45) })},
		{"no bullets, no separators", true, 0.96, eachLine(func(_ int, t, _ string) string { return t })},
		{"plus signs", false, 0.98, eachLine(func(_ int, t, end string) string { return "+ " + t + " " + end })},
		{"one line", false, 0.98, func(ts []string, _ *rand.Rand) string { return "Nơi nhận: - " + strings.Join(ts, "; - ") + "." }},
		{"one line, semicolons", true, 0.97, func(ts []string, _ *rand.Rand) string { return "Nơi nhận: " + strings.Join(ts, "; ") + "." }},
		{"table", false, 0.98, func(ts []string, _ *rand.Rand) string {
			return "| Nơi nhận: - " + strings.Join(ts, "; - ") + ". | TM. CHÍNH PHỦ THỦ TƯỚNG Nguyễn Văn An |\n|---|---|"
		}},
		{"table with breaks", false, 0.98, func(ts []string, _ *rand.Rand) string {
			return "| **Nơi nhận:**<br>- " + strings.Join(ts, ";<br>- ") + ". | **BỘ TRƯỞNG**<br><br>**Nguyễn Văn An** |\n| --- | --- |"
		}},
		{"HTML", false, 0.98, func(ts []string, _ *rand.Rand) string {
			return "<td><p><b>Nơi nhận:</b><br/>- " + strings.Join(ts, ";<br/>\n- ") + ".</p></td><td><p>KT. BỘ TRƯỞNG</p></td>"
		}},
		{"signer beside", false, 0.98, eachLine(func(i int, t, end string) string { return "- " + t + end + " " + signer[i%len(signer)] })},
		{"signer in a wide column", false, 0.98, eachLine(func(i int, t, end string) string {
			return fmt.Sprintf("- %s%s%s%s", t, end, strings.Repeat(" ", max(4, 60-utf8.RuneCountInString(t))), signer[i%len(signer)])
		})},
		{"signer between", false, 0.98, eachLine(func(i int, t, end string) string { return "- " + t + end + "\n" + signer[i%len(signer)] })},
		{"page break", false, 0.97, pageBreak("\n2\n\n")},
		{"page break with a footer", false, 0.97, pageBreak("\f\nTrang 2/3\n\n")},
		{"page break with dashes", false, 0.97, pageBreak("\n- 2 -\n")},
		{"signer beside, no bullets", true, 0.96, eachLine(func(i int, t, end string) string { return t + end + " " + signer[i%len(signer)] })},
		{"signer beside, commas", false, 0.96, eachLine(func(i int, t, end string) string {
			return "- " + t + strings.ReplaceAll(end, ";", ",") + " " + signer[i%len(signer)]
		})},
		{"quotes before lines", true, 0.96, eachLine(func(i int, t, end string) string { return []string{"'", "“", "", ".", ": "}[i%5] + t + end })},
		{"commas, no bullets", true, 0.90, eachLine(func(i int, t, end string) string { return t + strings.ReplaceAll(end, ";", ",") })},
		{"two columns", false, 0.97, func(ts []string, _ *rand.Rand) string {
			var b strings.Builder
			b.WriteString("Nơi nhận:\n")
			for i := 0; i < len(ts); i += 2 {
				b.WriteString("- " + ts[i] + ends(i, len(ts)))
				if i+1 < len(ts) {
					b.WriteString(strings.Repeat(" ", max(5, 50-utf8.RuneCountInString(ts[i]))) + "- " + ts[i+1] + ends(i+1, len(ts)))
				}
				b.WriteString("\n")
			}
			return b.String()
		}},
		{"scraps", false, 0.96, func(ts []string, r *rand.Rand) string {
			bullets, scraps := []string{"- ", "~ ", "_ ", "– ", "| - ", "= "}, []string{";", "; '", ";", "; .", ": ", "; _", ";  |", "; »", ", 4", "; Ì"}
			var b strings.Builder
			b.WriteString("Noi nhận: „ KT. BỘ TRUONG\n")
			for _, t := range ts {
				b.WriteString(bullets[r.IntN(len(bullets))] + t + scraps[r.IntN(len(scraps))] + "\n")
			}
			return b.String()
		}},
		{"some bullets lost", true, 0.97, func(ts []string, r *rand.Rand) string {
			var b strings.Builder
			b.WriteString("Nơi nhận:\n")
			for i, t := range ts {
				if i == 0 || r.IntN(4) > 0 {
					b.WriteString("- ")
				}
				b.WriteString(t + ";\n")
			}
			return b.String()
		}},
	}
}

// TestParseBlockReadsTheSameEntriesInEveryForm prints the entries of the clean blocks of the corpus in other forms and
// reads them again.
func TestParseBlockReadsTheSameEntriesInEveryForm(t *testing.T) {
	blocks := loadBlocks(t, "testdata/noi-nhan.dev.jsonl")
	for _, n := range noises() {
		t.Run(n.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var total score
			for _, b := range blocks {
				if b.hard() || len(b.Entries) == 0 {
					continue
				}
				var texts []string
				var gold []goldEntry
				for _, e := range b.Entries {
					if n.bare && strings.Contains(e.Text, ";") { // without bullets its parts are entries
						continue
					}
					texts, gold = append(texts, e.Text), append(gold, e)
				}
				report := func(format string, args ...any) {
					if testing.Verbose() {
						t.Logf(b.ID+format, args...)
					}
				}
				total.add(scoreEntries(gold, ParseBlock(n.print(texts, r)), report))
			}
			if total.entries.f1() < n.floor {
				t.Errorf("%v is below %.2f", total, n.floor)
			}
		})
	}
}

// TestParseBlockReadsBlocksWithoutDiacritics compares kinds and texts with those of the block as it was.
func TestParseBlockReadsBlocksWithoutDiacritics(t *testing.T) {
	var c tally
	for _, b := range loadBlocks(t, "testdata/noi-nhan.dev.jsonl") {
		if b.hard() {
			continue
		}
		with, without := ParseBlock(b.Raw), ParseBlock(unmarked(b.Raw))
		left := map[string]int{}
		for _, e := range with {
			left[string(e.Kind)+"|"+scoreNorm(unmarked(e.Text))]++
		}
		for _, e := range without {
			if k := string(e.Kind) + "|" + scoreNorm(e.Text); left[k] > 0 {
				left[k]--
				c.hit++
			} else if testing.Verbose() {
				t.Logf("%s: %s %q", b.ID, e.Kind, e.Text)
			}
		}
		c.gold, c.found = c.gold+len(with), c.found+len(without)
	}
	if c.f1() < 0.98 {
		t.Errorf("F1 %.4f (%+v)", c.f1(), c)
	}
}
