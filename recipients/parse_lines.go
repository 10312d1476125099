package recipients

import (
	"html"
	"regexp"
	"strings"
	"unicode"
)

// A blockKind says which label a block carries.
type blockKind int

const (
	noLabel blockKind = iota
	kinhGui
	noiNhan
)

var (
	breakTag = regexp.MustCompile(`(?i)<\s*(?:br|/p|/div|/td|/th|/tr|/li|p|div|tr|td|th|li|table|ul)\b[^<>]{0,300}>`)
	anyTag   = regexp.MustCompile(`</?[a-zA-Z][^<>]{0,300}>|<!--[^<>]{0,300}-->`)
	stars    = regexp.MustCompile(`\*{2,}|_{2,}|~~`)
	ruleRow  = regexp.MustCompile(`^[|:\-+=\s]+$`)
	escaped  = regexp.MustCompile(`\\([\\*_\-+.()\[\]|>#!~])`)

	labelNoiNhan = regexp.MustCompile(`^[^a-z0-9(]{0,8}n[o0][il1j] ?nh[a-z]{1,3}\b[^a-z0-9(]{0,3}?[:;.*]*[^a-z0-9(\-+~]{0,2}`)
	labelKinhGui = regexp.MustCompile(`^[^a-z0-9(]{0,8}k[ilj1]nh ?g[uoa][il1j]\b\s*[:;.*]*\s*`)
	lateLabel    = regexp.MustCompile(`\bn[o0][il1j] ?nhan ?:`)
)

// blockLines turns the raw text of a block into its lines without markup, and says which label it had. What stands before
// the label and in other columns of a table is left out.
func blockLines(raw string) ([]string, blockKind) {
	lines, kind, _ := titledLines(raw)
	return lines, kind
}

// titledLines is blockLines that also says whether a signer's title stood beside the label.
func titledLines(raw string) (lines []string, kind blockKind, titled bool) {
	raw = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\f", "\n", "\v", "\n", "\u2028", "\n", "\u2029", "\n", "\u00a0", " ", "\u00ad", "", "\u200b", "",
		"\u200c", "", "\u200d", "", "\ufeff", "", "\u2060", "", "\u02c6", " ", "\u02c7", " ").Replace(raw)
	lines = firstColumn(strings.Split(raw, "\n"))
	text := strings.Join(lines, "\n")
	if strings.Contains(text, "<") {
		text = anyTag.ReplaceAllString(breakTag.ReplaceAllString(text, "\n"), "")
	}
	if strings.Contains(text, "&") {
		text = strings.ReplaceAll(html.UnescapeString(text), "\u00a0", " ")
	}
	if strings.Contains(text, `\`) {
		text = escaped.ReplaceAllString(text, "$1")
	}
	text = stars.ReplaceAllString(text, "")
	lines = strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = unmark(l)
	}
	return afterLabel(lines)
}

// unmark takes the marks of Markdown off the ends of a line: quotes, headings, single stars around the whole of it.
func unmark(l string) string {
	t := strings.TrimLeft(l, " \t")
	indent := l[:len(l)-len(t)]
	for strings.HasPrefix(t, "> ") || t == ">" || strings.HasPrefix(t, "# ") || strings.HasPrefix(t, "##") {
		t = strings.TrimLeft(t[1:], " ")
	}
	t = strings.TrimRightFunc(t, unicode.IsSpace)
	if n := len(t); n > 1 && t[0] == '*' && t[1] != ' ' && t[1] != '*' {
		t = strings.TrimSuffix(t[1:], "*")
	} else if n > 1 && t[n-1] == '*' {
		t = strings.TrimRight(t[:n-1], " ")
	}
	return indent + t
}

// firstColumn keeps, of the rows of a Markdown table, the column that holds the block.
func firstColumn(lines []string) []string {
	out := make([]string, 0, len(lines))
	column := -1
	for _, l := range lines {
		t := strings.TrimSpace(l)
		if strings.Count(t, "|") < 2 {
			out = append(out, l)
			continue
		}
		if ruleRow.MatchString(t) {
			continue
		}
		outer := strings.HasPrefix(t, "|")
		cells := strings.Split(strings.Trim(t, "|"), "|")
		if column < 0 || column >= len(cells) {
			column = blockColumn(cells)
		}
		if !outer && labelOf(cells[0]) != noLabel { // "Kính gửi: | - Bộ Tài chính; |"
			out = append(out, cells...)
			column = -1
			continue
		}
		out = append(out, cells[column])
		if labelOf(cells[column]) != noLabel && strings.TrimSpace(withoutLabel(cells[column])) == "" && column+1 < len(cells) && looksListed(cells[column+1]) {
			column++
			out = append(out, cells[column])
		}
	}
	return out
}

// blockColumn returns which cell of a row holds the block: the one with a label, else the one with bullets, else the first
// that has words.
func blockColumn(cells []string) int {
	for i, c := range cells {
		if labelOf(c) != noLabel {
			return i
		}
	}
	for i, c := range cells {
		if looksListed(c) {
			return i
		}
	}
	for i, c := range cells {
		if strings.TrimSpace(c) != "" {
			return i
		}
	}
	return 0
}

func looksListed(cell string) bool { return bulletMark.MatchString(strings.TrimLeft(cell, " *_")) }

// labelOf says which label a cell or line begins with, markup allowed.
func labelOf(s string) blockKind {
	k, _ := cutLabel(strings.TrimLeft(anyTag.ReplaceAllString(firstBytes(s, 200), ""), " *_#>"))
	return k
}

func withoutLabel(s string) string {
	_, rest := cutLabel(strings.TrimLeft(anyTag.ReplaceAllString(s, ""), " *_#>"))
	return strings.Trim(rest, " *_")
}

// firstBytes returns at most n bytes of s, not cutting a character.
func firstBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// cutLabel takes the label off the beginning of a line.
func cutLabel(line string) (blockKind, string) {
	sh := newShadow(firstBytes(line, 80))
	if m := labelNoiNhan.FindString(sh.ascii); m != "" {
		return noiNhan, line[sh.at[len(m)]:]
	}
	if m := labelKinhGui.FindString(sh.ascii); m != "" {
		return kinhGui, line[sh.at[len(m)]:]
	}
	return noLabel, line
}

// afterLabel returns the lines from the label on, the label itself taken off, and which one it was. Without a label all
// lines are the block.
func afterLabel(lines []string) (rest []string, kind blockKind, titled bool) {
	for i, l := range lines {
		if i > 12 {
			break
		}
		if kind, rest := cutLabel(strings.TrimSpace(l)); kind != noLabel {
			if kind == noiNhan {
				titled = isSignerLabel(rest)
				rest = labelRest(rest, lines[i+1:])
			}
			return append([]string{rest}, lines[i+1:]...), kind, titled
		}
		if sh := newShadow(firstBytes(l, 400)); lateLabel.MatchString(sh.ascii) {
			at := sh.at[lateLabel.FindStringIndex(sh.ascii)[1]]
			return append([]string{l[at:]}, lines[i+1:]...), noiNhan, false
		}
		if bulletMark.MatchString(l) {
			break
		}
	}
	return lines, noLabel, false
}

// labelRest decides what the rest of the label's line is: entries, when it is a list or the only text; otherwise the top of
// the signer's column.
func labelRest(rest string, following []string) string {
	t := strings.TrimSpace(rest)
	if len(following) > 2 && isSignerLabel(t) && !strings.Contains(t, ";") {
		return ""
	}
	if bulletMark.MatchString(t) && !strings.Contains(t, ";") && signFor.MatchString(t) { // "- _T/M TỈNH ỦY"
		return ""
	}
	if t == "" || bulletMark.MatchString(t) || strings.HasPrefix(t, "(") {
		return t
	}
	for _, l := range following {
		if bulletMark.MatchString(l) {
			t = strings.TrimSpace(cutSigner(beforeGap(rest), false))
			if archiveHead.MatchString(plainOf(t)) || refHead.MatchString(plainOf(t)) || strings.Contains(t, ";") && looksRecipient(t) {
				return t
			}
			return ""
		}
	}
	if strings.Contains(t, ";") { // all in one line
		return t
	}
	return strings.TrimSpace(cutSigner(beforeGap(rest), false))
}

// bulletMark is a bullet with the scraps that OCR puts before it.
var bulletMark = regexp.MustCompile(`^\s*(?:[^\pL\pN\s(\["“][\s]*|[lIiìịíÌỊÍjt1]\s+|[\pL]\s*:\s*){0,3}?(?:[-–—−‐‑~+•●▪■◦·*¬»►➢✓_=]|o\s){1,2}\s*(?:[\pL\pN("“.])`)

// numbered is a numbered or lettered item.
var numbered = regexp.MustCompile(`^\s*(?:\d{1,2}(?:[.)/]|\s?[-–])|[a-zđ]\))\s+\pL`)

// cutBullet takes the bullet off a line.
func cutBullet(line string) (text string, ok bool) {
	if m := bulletMark.FindStringIndex(line); m != nil {
		r := []rune(line[:m[1]])
		return string(r[len(r)-1]) + line[m[1]:], true
	}
	if m := numbered.FindStringIndex(line); m != nil {
		r := []rune(line[:m[1]])
		return string(r[len(r)-1]) + line[m[1]:], true
	}
	return strings.TrimSpace(line), false
}

// columnGap is the space between two columns.
var columnGap = regexp.MustCompile(`\S(\s{4,}|\t+\s*)\S`)

// beforeGap cuts what stands in another column off a line. A second column that is a list itself is kept: it is divided
// later at its bullet.
func beforeGap(line string) string {
	m := columnGap.FindStringSubmatchIndex(line)
	if m == nil {
		return line
	}
	left, right := line[:m[2]], line[m[3]:]
	if len(strings.Trim(left, " -–+*•~_")) < 2 || bulletMark.MatchString(right) {
		return line
	}
	return left
}

// inlineBullet divides entries that stand in one line: "…; - …".
var (
	afterSemi = regexp.MustCompile(`[;]\s*[^\pL\pN\s(]{0,2}[-–—~+•*]{1,2}\s*(?:\pL)`)
	afterStop = regexp.MustCompile(`[.,:]\s+[-–—~+•]\s*\p{Lu}`)
	afterNote = regexp.MustCompile(`\)\s*[-–—~+•]\s+\p{Lu}`)
	wideDash  = regexp.MustCompile(`\s{3,}[-–—~+•]\s*\pL`)
	plainDash = regexp.MustCompile(`\s[-–—~+•]\s+\pL`)
)

// cutInline divides a line at the bullets inside it, brackets left alone.
func cutInline(line string) []string {
	if len(line) < 4 {
		return []string{line}
	}
	cuts := map[int]bool{}
	mark := func(re *regexp.Regexp, ok func(before, after string) bool) {
		for _, m := range re.FindAllStringIndex(line, -1) {
			at := m[0] + strings.IndexAny(line[m[0]:m[1]], "-–—~+•*")
			if at > m[0]-1 && ok(line[:m[0]+1], line[at:]) {
				cuts[at] = true
			}
		}
	}
	depth := depths(line)
	mark(afterSemi, func(_, a string) bool {
		item, _, more := strings.Cut(strings.TrimLeft(firstBytes(a, 200), " -–—~+•*"), ";")
		return more || !isPerson(item) && !signerTitle.MatchString(plainOf(item))
	})
	mark(wideDash, func(b, _ string) bool { return depth[len(b)-1] == 0 })
	mark(afterStop, func(b, a string) bool {
		return depth[len(b)-1] == 0 && opensEntry(a) && (!strings.HasSuffix(b, ":") || opensBody(a))
	})
	mark(afterNote, func(b, a string) bool { return depth[len(b)] == 0 && endsWithPurpose(b) && opensEntry(a) })
	loose := !strings.Contains(line, ";") && strings.Count(line, " - ") > 1
	mark(plainDash, func(b, a string) bool {
		return depth[len(b)-1] == 0 && (opensFixed(a) || endsReference.MatchString(plainOf(tailOf(b, 40))) || loose && opensAfterDash(b, a))
	})
	if len(cuts) == 0 {
		return []string{line}
	}
	var out []string
	from := 0
	for i := range line {
		if cuts[i] {
			out = append(out, line[from:i])
			from = i
		}
	}
	return append(out, line[from:])
}

// archiveInline begins an archive line inside another line; "Lưu trữ" after a dash is the second half of a name.
var archiveInline = regexp.MustCompile(`^(?:l ?u ?u|luu|lun) ?(?:[:;.,]|v ?t\b|v ?p\b|van thu|van phong|hc\b|ho so|$)`)

// endsReference is a reference, complete, at the end of what stands before a dash.
var endsReference = regexp.MustCompile(`nhu (?:tren|kinh gui|dieu \d+)(?: ?\([^()]*\))? ?$`)

// opensAfterDash reports whether, in a line without separators, the dash before a divides entries and does not join a
// sub-unit to its body ("Cục X - Bộ Y") or two halves of a field ("Kinh tế - Kỹ thuật").
func opensAfterDash(before, a string) bool {
	f := plainOf(strings.TrimLeft(firstBytes(a, 100), " -–—~+•*"))
	if !bodyHead.MatchString(f) && !pressHead.MatchString(f) && !memberLead.MatchString(f) && !titleHead.MatchString(f) {
		return false
	}
	seg := tailOf(before, 200)
	if i := strings.LastIndex(seg, " - "); i >= 0 {
		seg = seg[i+3:]
	}
	return !(subUnit.MatchString(plainOf(strings.TrimLeft(seg, " -"))) && (topUnit.MatchString(f) || midUnit.MatchString(f)))
}

// depths returns for each byte of line how many brackets are open before it. A bracket that is never closed opens nothing.
func depths(line string) []int {
	out := make([]int, len(line)+1)
	var open []int
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '(':
			open = append(open, i)
		case ')':
			if n := len(open); n > 0 {
				if n == 1 {
					for j := open[0] + 1; j <= i; j++ {
						out[j] = 1
					}
				}
				open = open[:n-1]
			}
		}
	}
	return out
}

func opensEntry(s string) bool {
	return looksRecipient(strings.TrimLeft(firstBytes(s, 200), " -–—~+•*"))
}

// opensFixed reports whether s begins with the words that always begin an entry.
func opensFixed(s string) bool {
	f := plainOf(strings.TrimLeft(firstBytes(s, 60), " -–—~+•*"))
	return refHead.MatchString(f) || archiveInline.MatchString(f)
}

// opensBody reports whether s begins with a class word that is no field of a list: a colon before it then stands for ";".
func opensBody(s string) bool {
	s = strings.TrimLeft(firstBytes(s, 100), " -–—~+•*")
	return bodyHead.MatchString(plainOf(s)) && strings.Contains(s, " ") && !sectors[lettersOnly(firstItem(s))]
}

func endsWithPurpose(s string) bool {
	i := strings.LastIndexByte(s, '(')
	if i < 0 || len(s)-i > 120 {
		return false
	}
	_, _, ok := readBracket(strings.Trim(s[i:], "()"))
	return ok
}
