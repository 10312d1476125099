package recipients

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// ParseBlock reads a Kính gửi or Nơi nhận block, with or without its label, into its entries in their order. Lines may be
// broken as printed, stand in one line, in a Markdown table or in HTML, lack bullets or separators, and have fragments of
// the signer's column beside them; those fragments, and what follows the block, are left out. Texts come back in NFC. Old
// encodings are the caller's to decode. A block has a few kilobytes; of a text longer than 256 KiB, which is none, only the
// beginning is read.
func ParseBlock(raw string) []Entry {
	lines, kind := blockLines(viettext.NFC(strings.ToValidUTF8(firstBytes(raw, maxBlock), " ")))
	texts := gather(lines, kind)
	entries := make([]Entry, 0, len(texts))
	for _, t := range texts {
		if e, ok := makeEntry(t); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// maxBlock bounds the bytes that are read.
const maxBlock = 256 << 10

// makeEntry reads the text of one entry.
func makeEntry(text string) (Entry, bool) {
	text = tidyEntry(text)
	if lettersOnly(text) == "" {
		return Entry{}, false
	}
	e := Entry{Units: []string{}}
	if archiveHead.MatchString(plainOf(firstBytes(text, 60))) || isSpacedArchive(text) {
		e.Kind = EntryArchive
		e.Text, e.Units, e.Copies = readArchive(text)
		return e, true
	}
	e.Text = text
	var name string
	name, e.Purpose = stripPurpose(text)
	e.Kind = classify(name)
	e.Copies = copiesOf(text)
	if e.Kind == EntryUnit || e.Kind == EntryPublication {
		short, _ := stripAnnotation(name)
		e.Units = splitNames(short)
	}
	return e, true
}

// tidyEntry collapses the spaces of an entry and drops separators and scraps at its ends.
func tidyEntry(s string) string {
	s = collapse(s)
	s = strings.TrimLeftFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("([“", r)
	})
	for {
		t := strings.TrimRightFunc(s, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(")]”", r)
		})
		if rest := s[len(t):]; strings.Contains(rest, "...") || strings.Contains(rest, ". . .") { // illegible or left blank
			return t + " ..."
		}
		if t == s {
			return t
		}
		s = t
	}
}

func isSpacedArchive(text string) bool {
	return strings.HasPrefix(lettersOnly(firstBytes(text, 40)), "luuv") && strings.HasPrefix(strings.ToUpper(text), "L")
}

// A gatherer puts the lines of a block together into the texts of entries.
type gatherer struct {
	kind       blockKind
	bullets    bool // the block has bullets
	separators bool // most entries end with a separator
	shouting   bool // the block is written in capitals
	texts      []string
	closed     bool // the last entry ended with a separator
	width      int  // characters in the longest line
	lastWidth  int  // characters in the last line that went into an entry
	gapAfter   bool // an empty line or a line of the signer's column came after the last entry
	done       bool
}

// gather returns the texts of the entries of a block, with notes after the separator joined to the entry before.
func gather(lines []string, kind blockKind) []string {
	g := &gatherer{kind: kind}
	g.survey(lines)
	for _, l := range lines {
		if g.done {
			break
		}
		g.line(l)
	}
	return g.texts
}

// survey looks at the whole block once: whether it has bullets, whether separators are usual, whether it shouts.
func (g *gatherer) survey(lines []string) {
	ended, tails, bulleted, plainLines, plainEnded := 0, 0, 0, 0, 0
	upper, lower, small := 0, 0, 0
	for _, l := range lines {
		t := strings.TrimSpace(l)
		if t == "" {
			continue
		}
		isEnd := strings.ContainsAny(t[len(t)-1:], ";,.") || strings.Contains(t, ";")
		if len(t) < 400 {
			g.width = max(g.width, utf8.RuneCountInString(strings.TrimSpace(beforeGap(l))))
		}
		if bulletMark.MatchString(l) || numbered.MatchString(l) {
			bulleted++
			if startsLower(strings.TrimLeft(t, " -–+*")) {
				small++
			}
			if isEnd {
				ended++
			}
			for _, r := range firstBytes(t, 120) {
				if startsLower(string(r)) {
					lower++
				} else if startsUpper(string(r)) {
					upper++
				}
			}
		} else {
			plainLines++
			if isEnd {
				plainEnded++
			}
			if strings.HasSuffix(t, ";") {
				tails++
			}
		}
	}
	g.bullets = bulleted > 0 && (small < bulleted || bulleted*3 > plainLines) // lines that begin "- xã hội" are halves
	if g.bullets {
		g.separators = (ended+tails)*2 >= bulleted
	} else {
		g.separators = plainEnded*2 >= plainLines
	}
	g.shouting = g.bullets && lower*4 < upper
}

// line takes one line of the block.
func (g *gatherer) line(l string) {
	if strings.TrimSpace(l) == "" {
		g.gapAfter = len(g.texts) > 0
		return
	}
	text, bulleted := cutBullet(beforeGap(l))
	if g.archived() && numbered.MatchString(l) { // the body of an annex
		g.done = true
		return
	}
	if !bulleted && farRight.MatchString(l) && g.bullets {
		g.gapAfter = true
		return
	}
	parts := cutInline(text)
	for i, p := range parts {
		if i > 0 {
			p, _ = cutBullet(p)
			bulleted = true
		}
		if g.done {
			return
		}
		g.part(p, bulleted)
	}
	g.gapAfter = false
	g.lastWidth = utf8.RuneCountInString(strings.TrimSpace(beforeGap(l)))
}

// farRight is a line that begins in the right half of the page.
var farRight = regexp.MustCompile(`^(?:\s{18,}|\t{3,})\S`)

// part takes one piece of a line that may be an entry, the rest of one, or none.
func (g *gatherer) part(p string, bulleted bool) {
	p = strings.TrimSpace(p)
	if bulleted {
		g.bullet(p)
		return
	}
	if f := plainOf(firstBytes(p, 60)); metadata.MatchString(f) || signedNote.MatchString(f) {
		return
	}
	if note, after := leadingNote(p); note != "" && len(g.texts) > 0 && strings.Trim(after, " ;.,") == "" {
		g.join(note)
		g.closed = true
		return
	}
	if g.bullets {
		g.loose(p)
		return
	}
	g.bare(p)
}

// metadata are lines under an addressee that name no recipient.
var metadata = regexp.MustCompile(`^\(?(?:d/?c|dia chi|p/c|p/e|mst|ma so thue|ma so|dt|dien thoai|email|e-mail|fax|sdt|cmnd|so cmnd|cccd|tel|website) ?:`)

// bullet takes the text behind a bullet.
func (g *gatherer) bullet(p string) {
	if g.separators && !g.closed && len(g.texts) > 0 && startsLower(p) && !g.archived() && !endsEntry(g.texts[len(g.texts)-1]) && !looksRecipient(p) {
		g.join("- " + cutSigner(p, g.shouting)) // "chính trị" and "- xã hội" on two lines
		return
	}
	if g.archived() && !(looksRecipient(p) && !g.gapAfter) && !refHead.MatchString(plainOf(firstBytes(p, 40))) {
		g.done = true
		return
	}
	t := cutSigner(p, g.shouting)
	if lettersOnly(t) == "" {
		return
	}
	if note, after := leadingNote(t); note != "" && strings.Trim(after, " ;.,") == "" && len(g.texts) > 0 {
		g.join(note)
		return
	}
	g.open(t)
}

// loose takes a line without a bullet in a block that has bullets: the rest of a broken line, an entry whose bullet was
// lost, or the signer's column.
func (g *gatherer) loose(p string) {
	f := plainOf(firstBytes(p, 60))
	starts := refHead.MatchString(f) || archiveHead.MatchString(f) && !strings.HasPrefix(f, "ho so")
	switch {
	case len(g.texts) == 0:
		if starts || looksRecipient(p) && !isSignerLine(p, g.shouting) {
			g.open(cutSigner(p, g.shouting))
		}
	case starts && !g.archived():
		g.open(cutSigner(p, g.shouting))
	case g.archived():
		if g.continues() && !g.gapAfter && !isSignerLine(p, false) {
			g.join(cutSigner(p, g.shouting))
			return
		}
		g.done = !isSignerLine(p, false) || true
	case isSignerLine(p, g.shouting) && !g.continuesWith(p):
		return
	case !g.closed && (g.separators || startsLower(p) || g.continues() || strings.HasPrefix(p, "(") || g.wraps(p)),
		g.closed && g.wraps(p) && g.listsRooms():
		g.join(cutSigner(p, g.shouting))
	case looksRecipient(p) && !startsLower(p):
		g.open(cutSigner(p, g.shouting))
	case !g.closed && !looksRecipient(p):
		g.join(cutSigner(p, g.shouting))
	}
}

// wraps reports whether the last line was full, so that the first word of p had no room on it.
func (g *gatherer) wraps(p string) bool {
	return g.width > 24 && g.lastWidth+1+utf8.RuneCountInString(firstWord(p)) >= g.width-1
}

// listsRooms reports whether the last entry is a body with its rooms after a colon, which ";" may divide.
func (g *gatherer) listsRooms() bool {
	return len(g.texts) > 0 && topColon(g.texts[len(g.texts)-1]) > 0 && !g.archived()
}

// continuesWith reports whether p can only be the rest of the open entry: it closes its bracket or begins small.
func (g *gatherer) continuesWith(p string) bool {
	if g.closed || len(g.texts) == 0 {
		return false
	}
	last := g.texts[len(g.texts)-1]
	return strings.Count(last, "(") > strings.Count(last, ")") && strings.Contains(p, ")") || startsLower(p) && len([]rune(p)) > 3 && strings.HasSuffix(strings.TrimSpace(p), ";") ||
		(g.continues() || g.separators && g.wraps(p)) && strings.HasSuffix(strings.TrimSpace(p), ";")
}

// bare takes a line of a block without bullets.
func (g *gatherer) bare(p string) {
	if g.archived() {
		if !g.continues() || g.gapAfter || isSignerLine(p, false) {
			g.done = true
			return
		}
		g.join(cutSigner(p, false))
		return
	}
	if len(g.texts) > 0 && isSignerLine(p, g.shouting) && !g.continuesWith(p) {
		return
	}
	if len(g.texts) == 0 && g.kind != kinhGui && isSignerLine(p, g.shouting) && !looksRecipient(p) {
		return
	}
	for i, s := range cutSemicolons(p) {
		f := plainOf(firstBytes(s, 60))
		starts := refHead.MatchString(f) || archiveHead.MatchString(f)
		if note, after := leadingNote(s); note != "" && strings.Trim(after, " .,") == "" && len(g.texts) > 0 {
			g.join(note)
			g.closed = strings.HasSuffix(p, ";")
			continue
		}
		if i == 0 && len(g.texts) > 0 && !g.closed && !starts && (startsLower(s) || strings.HasPrefix(s, "(") || g.continues() || g.separators && !g.gapAfter) {
			g.join(cutSigner(s, g.shouting))
		} else {
			g.open(cutSigner(s, g.shouting))
		}
	}
	g.closed = strings.ContainsAny(p[len(p)-1:], ";.") || strings.HasSuffix(p, ",") && g.commaEnds()
}

func (g *gatherer) commaEnds() bool { return false }

// cutSemicolons divides a line without bullets at the semicolons outside brackets.
func cutSemicolons(p string) []string {
	var out []string
	depth := depths(p)
	from := 0
	for i := 0; i < len(p); i++ {
		if p[i] == ';' && depth[i] == 0 {
			if s := strings.TrimSpace(p[from:i]); s != "" {
				out = append(out, s)
			}
			from = i + 1
		}
	}
	if s := strings.TrimSpace(p[from:]); s != "" {
		out = append(out, s)
	}
	return out
}

// open begins a new entry.
func (g *gatherer) open(t string) {
	if lettersOnly(t) == "" {
		return
	}
	g.texts = append(g.texts, t)
	g.closed = endsEntry(t)
}

// join adds the rest of a broken line or a note to the last entry.
func (g *gatherer) join(t string) {
	n := len(g.texts) - 1
	last := strings.TrimRight(g.texts[n], " ")
	if strings.HasPrefix(t, "(") {
		last = strings.TrimRight(last, " ;.")
	}
	if len(last) > 4*maxEntry {
		g.open(t)
		return
	}
	g.texts[n] = last + " " + t
	g.closed = endsEntry(t)
}

func endsEntry(t string) bool {
	t = strings.TrimRight(t, " '\"`")
	return strings.HasSuffix(t, ";") || strings.HasSuffix(t, ".") && !strings.HasSuffix(t, "..")
}

// continues reports whether the last entry is unfinished: it ends with a comma, a dash, an open bracket or a word that
// wants another.
func (g *gatherer) continues() bool {
	if len(g.texts) == 0 {
		return false
	}
	last := strings.TrimSpace(g.texts[len(g.texts)-1])
	if strings.Count(last, "(") > strings.Count(last, ")") {
		return true
	}
	return unfinished.MatchString(plainOf(tailOf(last, 40)))
}

var unfinished = regexp.MustCompile(`(?:[,:&/(-]|\b(?:va|cac|thuoc|cua|truc thuoc|voi|tai|ve|cho|uy ban|hoi dong)|` +
	`(?:^|[,;] |va )(?:thuong truc|ban thuong vu|van phong|vp|tt|so|bo|ban|cuc|vu|phong|hoi))$`)

// tailOf returns at most the last n bytes of s, from the beginning of a word.
func tailOf(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[i:]
	}
	return ""
}

// archived reports whether the last entry is the archive line, which ends a block.
func (g *gatherer) archived() bool {
	if len(g.texts) == 0 {
		return false
	}
	last := g.texts[len(g.texts)-1]
	return archiveHead.MatchString(plainOf(firstBytes(last, 60))) || isSpacedArchive(last)
}

var (
	copyCount   = regexp.MustCompile(`\(\s*(?:[^()]{0,30}?[, -])?(\d{1,4})\s*\.?\s*(?:b|bản|ban|bộ|bo)?\.?\s*\)`)
	anyCount    = regexp.MustCompile(`(?i)\(\s*(?:\.*\s*b(?:ản|an)?|[\d][^() ]{0,2}|b|\.{2,}\s*(?:b|bản)?)\s*\)`)
	openCount   = regexp.MustCompile(`\s(\d{1,3})\s*b?\)`)
	bareCount   = regexp.MustCompile(`([\pL\s(,])(\d{1,4})\s*(?:b|bản)(?:\s+[\pL\pN]{1,2})?$`)
	drafterMark = regexp.MustCompile(`^\s*[,.;]?\s*\p{Lu}[\pL]*(?:[ .]\p{Lu}[\pL]*)*\s*\.?$`)
)

// readArchive reads the archive line: its text without junk after the copy count, the codes of who keeps a copy, and how
// many copies.
func readArchive(text string) (string, []string, *int) {
	if i := strings.LastIndexAny(text, ".;"); i > 0 && isPerson(strings.TrimSpace(text[i+1:])) { // the signer's name
		text = text[:i]
	}
	text, copies := cutCount(text)
	list := archiveLead.ReplaceAllString(text, "")
	if copies != nil || anyCount.MatchString(list) {
		list = codesBefore(list)
	}
	units := []string{}
	for _, p := range strings.FieldsFunc(maskBrackets(list), func(r rune) bool { return r == ',' || r == ';' }) {
		p = strings.Trim(strings.NewReplacer("\x01", ",", "\x02", ";").Replace(p), " .:;-")
		if m := clerkFirst.FindString(p); m != "" {
			units, p = append(units, strings.Trim(m, " .")), strings.TrimSpace(p[len(m):])
		}
		if code := archiveCode(p); code != "" {
			units = append(units, code)
		}
	}
	return text, units, copies
}

var archiveLead = regexp.MustCompile(`^[Ll]\s?[ưuƯUữứùú]\s?[uưnUƯ]?\s?(?:trữ)?\s*[:;.,]?\s*`)

// clerkFirst is the văn thư before a stop that stands for a comma: "VT. QLBVR".
var clerkFirst = regexp.MustCompile(`^(?:VT|VP|HC|HCTH|HC-TH)\.\s*`)

// codesBefore cuts a list of codes at its copy count.
func codesBefore(list string) string {
	for _, re := range []*regexp.Regexp{copyCount, anyCount, openCount} {
		if m := re.FindStringSubmatchIndex(list); m != nil {
			return list[:m[0]]
		}
	}
	if m := bareCount.FindStringSubmatchIndex(list); m != nil {
		return list[:m[3]]
	}
	return list
}

// cutCount finds the copy count of an archive line and cuts junk after it; a drafter's mark after it stays.
func cutCount(text string) (string, *int) {
	for _, re := range []*regexp.Regexp{copyCount, anyCount, openCount} {
		m := re.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		rest := text[m[1]:]
		if !drafterMark.MatchString(rest) || strings.ContainsAny(rest, "fFjJwWzZ") || len(rest) > 40 || strings.TrimLeft(rest, " ,.;") == "" || !strings.ContainsAny(rest[:1], ",.; ") {
			text = text[:m[1]]
		}
		if len(m) > 3 && m[2] >= 0 {
			return text, numberOf(text[m[2]:m[3]])
		}
		return text, nil
	}
	if m := bareCount.FindStringSubmatchIndex(text); m != nil {
		end := m[5] + strings.Index(text[m[5]:], "b") + 1
		if strings.HasPrefix(text[end:], "ản") {
			end += len("ản")
		}
		return text[:end], numberOf(text[m[4]:m[5]])
	}
	return text, nil
}

// copiesOf returns the copies printed for an entry that is not archive: "Sở Tài chính (02 bản)".
func copiesOf(text string) *int {
	if len(text) > maxEntry {
		return nil
	}
	if m := copyWords.FindStringSubmatch(text); m != nil {
		return numberOf(m[1])
	}
	return nil
}

var copyWords = regexp.MustCompile(`\(\s*(\d{1,4})\s*(?:b|bản|ban|bộ)\.?\s*\)`)

func numberOf(s string) *int {
	n, err := strconv.Atoi(s)
	if err != nil || n == 0 {
		return nil
	}
	return &n
}

// maskBrackets hides the separators inside brackets.
func maskBrackets(s string) string {
	b := []byte(s)
	depth := depths(s)
	for i, c := range b {
		if depth[i] > 0 && c == ',' {
			b[i] = 1
		} else if depth[i] > 0 && c == ';' {
			b[i] = 2
		}
	}
	return string(b)
}

// archiveCode drops the drafter's mark after a stop ("TTHC.PHD") and a bracket around the whole code.
func archiveCode(p string) string {
	if strings.HasPrefix(p, "(") && strings.HasSuffix(p, ")") && strings.Count(p, "(") == 1 {
		p = strings.Trim(p, "() ")
		return p
	}
	if i := strings.IndexByte(p, '.'); i > 1 && !strings.Contains(p[:i], "(") && p[i+1:] != "" && !strings.HasPrefix(p, "P.") {
		p = p[:i]
	}
	if i := strings.IndexByte(p, '{'); i > 0 {
		p = p[:i]
	}
	if m := trailingNumber.FindStringIndex(p); m != nil {
		p = p[:m[0]]
	}
	return strings.TrimSpace(p)
}

var trailingNumber = regexp.MustCompile(` \d{1,4}$`)
