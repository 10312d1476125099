package intake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"congvan/mailcore/viettext"
)

// lines compares two blocks line by line, in any order. A line that wraps or lists otherwise is the same block when the
// whole says the same.
func (t *twin) lines(field FieldName, label string, said, found []string) {
	mine, theirs := blockLines(said), blockLines(found)
	switch {
	case len(mine) == 0:
		return
	case len(theirs) == 0:
		t.add(field, strings.Join(mine, "; "), "", GraveDoubt, fmt.Sprintf("Phần %s đã ghi %d dòng, trên trang không đọc thấy phần này; hãy nhìn lại trang.", label, len(mine)))
		return
	}
	mine, theirs = t.matchLines(field, label, mine, theirs, sameText)
	mine, theirs = t.matchLines(field, label, mine, theirs, func(a, b string) bool {
		return spelledAlike(a, b) || writtenShort(a) == writtenShort(b) || unmarked(a) && viettext.Fold(a) == viettext.Fold(b)
	})
	if len(mine)+len(theirs) <= maxUnlike {
		mine, theirs = dropRuns(mine, theirs)
		theirs, mine = dropRuns(theirs, mine)
	}
	if sameBag(mine, theirs) {
		return
	}
	if len(mine)+len(theirs) <= maxUnlike {
		mine, theirs = t.pairLines(field, label, mine, theirs)
	}
	for _, m := range mine {
		t.add(field, m, "", GraveReal, fmt.Sprintf("%s ghi «%s», trên trang không có dòng này.", label, m))
	}
	for _, f := range theirs {
		t.add(field, "", f, GraveReal, fmt.Sprintf("%s trên trang có «%s» nhưng chưa ghi.", label, f))
	}
}

// blockLines parts what was given into lines without label, bullets and separators.
func blockLines(list []string) []string {
	var out []string
	for _, s := range list {
		for l := range strings.Lines(s) {
			text, _ := cutBullet(oneLine(l))
			text = strings.TrimSpace(strings.TrimRight(text, " ;.,"))
			if key := fold(text); key == "" || key == "noi nhan" || key == "kinh gui" {
				continue
			}
			out = append(out, text)
		}
	}
	return out
}

// matchLines takes out the lines that are the same by eq, and tells those that differ in spelling.
func (t *twin) matchLines(field FieldName, label string, mine, theirs []string, eq func(a, b string) bool) (left, right []string) {
	right = slices.Clone(theirs)
	for _, m := range mine {
		i := slices.IndexFunc(right, func(f string) bool { return eq(m, f) })
		if i < 0 {
			left = append(left, m)
			continue
		}
		if !sameText(m, right[i]) {
			t.differ(field, label, m, right[i], GraveSpelling)
		}
		right = slices.Delete(right, i, i+1)
	}
	return left, right
}

// maxUnlike is the most lines without a twin that are compared with one another, all pairs; more are another document.
const maxUnlike = 120

// maxRun is the most lines that are taken for one that was parted or wrapped.
const maxRun = 8

// dropRuns takes out the lines that are the same as several lines of the other side one after the other: "Báo Kon Tum, Đài
// PTTH tỉnh" typed as two.
func dropRuns(single, parts []string) (left, rest []string) {
	rest = slices.Clone(parts)
next:
	for _, s := range single {
		want := bag([]string{s})
		for i := range rest {
			for j := i + 2; j <= min(len(rest), i+maxRun); j++ {
				have := bag(rest[i:j])
				if len(have) > len(want) {
					break
				}
				if slices.Equal(have, want) {
					rest = slices.Delete(rest, i, j)
					continue next
				}
			}
		}
		left = append(left, s)
	}
	return left, rest
}

// sameBag says whether the lines that are left say the same names in all, parted otherwise.
func sameBag(mine, theirs []string) bool {
	if len(mine) == 0 || len(theirs) == 0 {
		return len(mine) == len(theirs)
	}
	return slices.Equal(bag(mine), bag(theirs))
}

var bagSigns = regexp.MustCompile(`[,;:.\s\-]+`)

func bag(lines []string) []string {
	var words []string
	for _, l := range lines {
		words = append(words, strings.Fields(bagSigns.ReplaceAllString(writtenShort(l), " "))...)
	}
	slices.Sort(words)
	return words
}

// pairLines tells lines that are mostly the same as differences of one line, so that the clerk sees both.
func (t *twin) pairLines(field FieldName, label string, mine, theirs []string) (left, right []string) {
	right = slices.Clone(theirs)
	for _, m := range mine {
		best, at := 0.62, -1
		for i, f := range right {
			if s := likeness(m, f); s > best {
				best, at = s, i
			}
		}
		if at < 0 {
			left = append(left, m)
			continue
		}
		g := GraveReal
		if t.scan && nearly(m, right[at]) {
			g = GraveDoubt
		}
		t.differ(field, label, m, right[at], g)
		right = slices.Delete(right, at, at+1)
	}
	return left, right
}

// likeness is the share of letters that two lines have in common, from 0 to 1.
func likeness(a, b string) float64 {
	x, y := []rune(clip(spellingKey(a))), []rune(clip(spellingKey(b)))
	n := max(len(x), len(y))
	if n == 0 {
		return 0
	}
	return 1 - float64(min(n, distance(x, y, n*2/5)))/float64(n)
}

// mentioned finds annexes that the text speaks of as its own.
var mentioned = regexp.MustCompile(`[Pp]hụ lục(?: số)?(?: ([IVXLC]{1,6}|\d{1,2}))?\b`)

// foreign are the words that make "Phụ lục I" one of another document.
var foreign = regexp.MustCompile(`(?i)(nghị định|thông tư|luật|quyết định|nghị quyết|công văn|kế hoạch|văn bản|chỉ thị)\s+(số|\d)`)

// annexes compares the annexes that were named, those that the text speaks of, and those that are there.
func (t *twin) annexes(said Said) {
	looked := said.Found != nil || said.Files != nil
	present := slices.Clone(said.Files)
	for _, a := range said.Found {
		present = append(present, strings.TrimSpace("Phụ lục "+a.Number+" "+a.Title))
	}
	used := make([]bool, len(present))
	for _, name := range said.Annexes {
		name = oneLine(name)
		if name == "" || !looked {
			continue
		}
		if i := findAnnex(name, present, used); i >= 0 {
			used[i] = true
			continue
		}
		t.add(FieldAnnex, name, "", GraveReal, fmt.Sprintf("Phụ lục ghi «%s» nhưng trong tệp và gói không thấy.", name))
	}
	t.unnamed(said, used)
	if looked {
		t.spokenOf(said, present)
	}
}

// unnamed tells the annexes in the file that nobody named, when any was named.
func (t *twin) unnamed(said Said, used []bool) {
	for i, a := range said.Found {
		if said.Annexes == nil || used[len(said.Files)+i] {
			continue
		}
		t.add(FieldAnnex, "", a.Name(), GraveReal, fmt.Sprintf("Tệp có «%s» từ trang %d nhưng chưa ghi.", a.Name(), a.Page))
		t.out[len(t.out)-1].Places = []Place{a.Place}
	}
}

// findAnnex finds the first annex there that the name may mean and that no other name took.
func findAnnex(name string, present []string, used []bool) int {
	want := annexWords(name)
	number := annexNumberOf(name)
	for i, p := range present {
		if used[i] {
			continue
		}
		if n := annexNumberOf(p); number != "" && n != "" {
			if sameNumber(n, number) {
				return i
			}
			continue
		}
		have := annexWords(p)
		if want == have || want != "" && have != "" && (strings.Contains(have, want) || strings.Contains(want, have)) {
			return i
		}
	}
	return -1
}

// annexWords is an annex's name without the word Phụ lục, its number, and the ending of a file.
func annexWords(name string) string {
	name = strings.NewReplacer("_", " ", "-", " ").Replace(viettext.Fold(cutEnding(name)))
	words := strings.Fields(name)
	if len(words) > 1 && words[0] == "phu" && words[1] == "luc" {
		words = words[2:]
		if len(words) > 0 && annexNumber.MatchString(strings.ToUpper(strings.Trim(words[0], ".:"))) {
			words = words[1:]
		}
	}
	return strings.Trim(strings.Join(words, " "), " .:")
}

func cutEnding(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 6 && !strings.Contains(name[i:], " ") {
		return name[:i]
	}
	return name
}

// annexNumberOf reads the number out of "Phụ lục 02", "phu_luc_II.xlsx".
func annexNumberOf(name string) string {
	words := strings.Fields(strings.NewReplacer("_", " ", "-", " ", ":", " ", ".", " ").Replace(cutEnding(name)))
	for i, w := range words {
		if fold(w) != "luc" || i == 0 || fold(words[i-1]) != "phu" || i+1 >= len(words) {
			continue
		}
		next := words[i+1]
		if fold(next) == "so" && i+2 < len(words) {
			next = words[i+2]
		}
		if up := strings.ToUpper(next); annexNumber.MatchString(up) {
			return up
		}
	}
	return ""
}

// sameNumber compares numbers of annexes: 2, 02 and II are one.
func sameNumber(a, b string) bool {
	norm := func(s string) string {
		s = strings.TrimLeft(s, "0")
		if v := roman(s); v > 0 {
			return fmt.Sprint(v)
		}
		return s
	}
	return norm(a) == norm(b)
}

// roman reads a Roman number; 0 when it is none.
func roman(s string) int {
	values := map[rune]int{'I': 1, 'V': 5, 'X': 10, 'L': 50, 'C': 100}
	sum, before := 0, 0
	for _, r := range s {
		v := values[r]
		if v == 0 {
			return 0
		}
		if sum += v; before < v {
			sum -= 2 * before
		}
		before = v
	}
	return sum
}

// restOfSentence is what follows up to the end of the sentence, as far as a reference goes.
func restOfSentence(s string) string {
	s = s[:min(len(s), 120)]
	s, _, _ = strings.Cut(s, ". ")
	s, _, _ = strings.Cut(s, ";")
	return s
}

// spokenOf tells annexes that the document's text speaks of and that are nowhere. It is a doubt: the text may mean those of
// another document.
func (t *twin) spokenOf(said Said, present []string) {
	body := oneLine(t.draft.Body)
	told := make(map[string]bool)
	for _, m := range mentioned.FindAllStringSubmatchIndex(body, 60) {
		number := ""
		if m[2] >= 0 {
			number = body[m[2]:m[3]]
		}
		if told[number] || foreign.MatchString(restOfSentence(body[m[1]:])) {
			continue
		}
		told[number] = true
		there := len(present) > 0
		if number != "" {
			there = slices.ContainsFunc(present, func(p string) bool { n := annexNumberOf(p); return n == "" || sameNumber(n, number) })
		}
		if !there {
			name := strings.TrimSpace("Phụ lục " + number)
			t.add(FieldAnnex, "", name, GraveDoubt, fmt.Sprintf("Văn bản nhắc «%s» nhưng trong tệp và gói không thấy; hãy kiểm tra đã kèm đủ chưa.", name))
		}
	}
}
