package recipients

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A gatherer puts the lines of a block together into the texts of entries.
type gatherer struct {
	kind       blockKind
	bullets    bool // the block has bullets
	separators bool // most entries end with a separator
	commas     bool // most lines end with a comma
	wrapped    bool // the next line goes on in small letters
	merged     bool // the signer's column stood behind the entries
	shouting   bool // the block is written in capitals
	texts      []string
	closed     bool // the last entry ended with a separator
	width      int  // characters in the longest line
	lastWidth  int  // characters in the last line that went into an entry
	gapAfter   bool // an empty line or a line of the signer's column came after the last entry
	done       bool
	roster     bool // the members of the last entry stand behind bullets of their own
}

// gather returns the texts of the entries of a block, with notes after the separator joined to the entry before. titled says
// that the signer's title stood beside the label.
func gather(lines []string, kind blockKind, titled bool) []string {
	g := &gatherer{kind: kind, shouting: isShouting(lines)}
	if kind != kinhGui {
		c := column{titled: titled}
		lines = c.drop(lines, g.shouting)
		g.merged = c.titled
	}
	g.survey(lines)
	for i, l := range lines {
		if g.done {
			break
		}
		g.wrapped = wrapsInto(lines[i+1:])
		g.line(l)
	}
	return g.texts
}

// wrapsInto reports whether the next line of lines goes on in small letters, so that the end of the line before it is no scrap.
func wrapsInto(lines []string) bool {
	for i, l := range lines {
		if l = strings.TrimSpace(l); l != "" || i > 2 {
			return startsLower(l) && len(firstWord(l)) > 1
		}
	}
	return false
}

// survey looks at the whole block once: whether it has bullets, whether separators are usual, how wide its lines are.
func (g *gatherer) survey(lines []string) {
	var bulleted, plain, small, bulletEnds, plainEnds, tails, commas int
	for _, l := range lines {
		t := strings.TrimSpace(l)
		if t == "" {
			continue
		}
		ends := count(strings.ContainsAny(t[len(t)-1:], ";,.") || strings.Contains(t, ";"))
		commas += count(strings.HasSuffix(t, ","))
		if len(t) < 400 {
			g.width = max(g.width, utf8.RuneCountInString(strings.TrimSpace(beforeGap(l))))
		}
		if !bulletMark.MatchString(l) && !numbered.MatchString(l) {
			plain++
			plainEnds += ends
			tails += count(strings.HasSuffix(t, ";"))
			continue
		}
		bulleted++
		bulletEnds += ends
		small += count(startsLower(strings.TrimLeft(t, " -–+*")))
	}
	g.bullets = bulleted > 0 && (small < bulleted || bulleted*3 > plain) && // lines that begin "- xã hội" are halves
		(plain < 4*bulleted || plainEnds*3 < plain*2) // and one dash among many lines is a speck
	if g.bullets {
		g.separators = (bulletEnds+tails)*2 >= bulleted
	} else {
		g.separators = plainEnds*2 >= plain
	}
	g.commas = commas*2 > bulleted+plain
}

// isShouting reports whether a block is written in capitals.
func isShouting(lines []string) bool {
	var upper, lower int
	bullets := false
	first, all := "", ""
	for _, l := range lines {
		t := strings.TrimSpace(l)
		if t == "" {
			continue
		}
		if first == "" {
			first = t
		}
		if len(all) < maxEntry {
			all += firstBytes(t, maxEntry)
		}
		if !bulletMark.MatchString(l) && !numbered.MatchString(l) {
			continue
		}
		bullets = true
		for _, r := range firstBytes(t, 120) {
			upper += count(unicode.IsUpper(r))
			lower += count(unicode.IsLower(r))
		}
	}
	return bullets && lower*4 < upper || !bullets && len(all) < maxEntry && allCapitals(all) && bodyHead.MatchString(plainOf(firstBytes(first, 100)))
}

// count is 1 for true.
func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// line takes one line of the block.
func (g *gatherer) line(l string) {
	if strings.TrimSpace(l) == "" {
		g.gapAfter = len(g.texts) > 0
		return
	}
	if len(l) < 40 && pageMark.MatchString(plainOf(l)) {
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

// pageMark is the number of a page: "2", "- 2 -", "Trang 2/3".
var pageMark = regexp.MustCompile(`^[^a-z0-9]*(?:trang )?\d{1,3}(?: ?/ ?\d{1,3})?[^a-z0-9]*$`)

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
	if g.separators && !g.closed && len(g.texts) > 0 && startsLower(p) && !g.archived() && !isArchive(p) && !looksRecipient(p) {
		g.join("- " + cutSigner(p, g.shouting)) // "chính trị" and "- xã hội" on two lines
		return
	}
	if g.archived() && !(looksRecipient(p) && !g.gapAfter) && !refHead.MatchString(plainOf(firstBytes(p, 40))) {
		g.done = true
		return
	}
	t := g.keepNames(p, cutSignerIn(p, g.loud(p, true), g.wrapped && endsInWord(p)))
	if lettersOnly(t) == "" {
		return
	}
	if n := len(g.texts); n > 0 && (g.roster || strings.HasSuffix(strings.TrimSpace(g.texts[n-1]), ":")) && g.joinMember(t) {
		g.roster = true
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
	starts := refHead.MatchString(f) || isArchive(p) && !strings.HasPrefix(f, "ho so")
	loud := g.loud(p, false)
	switch {
	case g.closed && !starts && g.joinMember(g.cut(p, loud)):
	case len(g.texts) == 0:
		if starts || looksRecipient(p) && !isSignerLine(p, loud) {
			g.open(g.cut(p, loud))
		}
	case starts && !g.archived():
		g.open(g.cut(p, loud))
	case g.archived():
		if g.continues() && !isSignerLine(p, false) && (!g.gapAfter || isAbbreviation(strings.TrimRight(firstItem(p), ". "))) {
			g.join(g.cut(p, loud))
			return
		}
		g.done = true
	case isSignerLine(p, loud) && !g.continuesWith(g.cut(p, loud)):
		return
	case !g.closed && g.merged && g.lostBullet(p, loud):
		g.open(g.cut(p, loud))
	case g.stopped() && (startsLower(p) || g.wraps(p) && !looksRecipient(p)) && strings.Contains(p, ";"),
		g.closed && startsLower(p) && syllable.MatchString(lettersOnly(firstWord(p))) && len(firstWord(p)) > 1 && strings.HasSuffix(g.texts[len(g.texts)-1], "."):
		n := len(g.texts) - 1 // the stop was a speck
		g.texts[n] = strings.TrimRight(g.texts[n], ". ")
		g.join(g.cut(p, loud))
	case !g.closed && (g.separators || startsLower(p) || g.continues() || strings.HasPrefix(p, "(") || g.wraps(p)),
		g.closed && g.wraps(p) && g.listsRooms():
		g.join(g.cut(p, loud))
	case looksRecipient(p) && !startsLower(p), g.closed && (startsUpper(p) && strings.HasSuffix(p, ";") || readsOn(p)) && !isSignerLine(p, loud):
		g.open(g.cut(p, loud))
	case !g.closed && !looksRecipient(p):
		g.join(g.cut(p, loud))
	}
}

// readsOn reports whether a line has the words of an entry though its first was misread: most are syllables in small letters.
func readsOn(p string) bool {
	small, words := 0, strings.Fields(firstBytes(p, 200))
	for _, w := range words {
		if w = strings.Trim(w, specks); junkRune.MatchString(w) {
			return false
		}
		small += count(startsLower(w) && len([]rune(w)) > 1 && syllable.MatchString(lettersOnly(w)))
	}
	return len(words) > 3 && small*2 >= len(words) && startsUpper(p)
}

// lostBullet reports whether a line is an entry that lost its bullet, not the rest of the one before, in a block that has
// bullets: the line before was short, and was no list.
func (g *gatherer) lostBullet(p string, loud bool) bool {
	last := strings.TrimRight(g.texts[len(g.texts)-1], " ")
	limit := g.width * 8 / 10
	if strings.HasSuffix(last, ",") {
		limit = g.width * 6 / 10
	}
	if g.commas {
		limit = g.width - 1
	}
	first := strings.Trim(firstWord(p), ",;")
	return startsUpper(p) && (first == "CÁC" || !isAbbreviation(first)) && g.lastWidth+1+utf8.RuneCountInString(first) < limit &&
		looksRecipient(p) && !isSignerLine(p, loud) && !g.listsRooms() && g.begins(p)
}

// wraps reports whether the last line was full, so that the first word of p had no room on it.
func (g *gatherer) wraps(p string) bool {
	return g.width > 24 && g.lastWidth+1+utf8.RuneCountInString(firstWord(p)) >= g.width-1
}

// stopped reports whether the last entry ended with a stop in a block that ends its entries with semicolons.
func (g *gatherer) stopped() bool {
	return g.closed && g.separators && len(g.texts) > 0 && strings.HasSuffix(g.texts[len(g.texts)-1], ".")
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
	if strings.Count(last, "(") > strings.Count(last, ")") && strings.Contains(p, ")") {
		return true
	}
	if !strings.HasSuffix(strings.TrimSpace(p), ";") {
		return false
	}
	return startsLower(p) && len([]rune(p)) > 3 || g.continues() || g.separators && g.wraps(p)
}

// bare takes a line of a block without bullets.
func (g *gatherer) bare(p string) {
	loud := g.loud(p, false)
	if g.archived() {
		if !g.continues() || g.gapAfter || isSignerLine(p, false) {
			g.done = true
			return
		}
		g.join(cutSigner(p, false))
		return
	}
	if len(g.texts) > 0 && isSignerLine(p, loud) && !g.continuesWith(p) {
		return
	}
	if len(g.texts) == 0 && g.kind != kinhGui && isSignerLine(p, loud) && !looksRecipient(p) {
		return
	}
	whole := g.cut(p, loud) // what stands behind the last entry of the line is cut off at once
	pieces := []string{whole}
	if !isArchive(whole) {
		pieces = cutSemicolons(whole)
	}
	for i, s := range pieces {
		f := plainOf(firstBytes(s, 60))
		starts := refHead.MatchString(f) || isArchive(s)
		if note, after := leadingNote(s); note != "" && strings.Trim(after, " .,") == "" && len(g.texts) > 0 {
			g.join(note)
			g.closed = strings.HasSuffix(p, ";")
			continue
		}
		if (i > 0 || g.closed) && !starts && g.joinMember(s) {
			continue
		}
		if i == 0 && g.stopped() && startsLower(s) && !looksRecipient(s) { // the stop was a speck
			n := len(g.texts) - 1
			g.texts[n] = strings.TrimRight(g.texts[n], ". ")
			g.join(cutSigner(s, loud))
			continue
		}
		if i == 0 && len(g.texts) > 0 && !starts && !g.begins(s) {
			g.join(cutSigner(s, loud))
		} else {
			g.open(cutSigner(s, loud))
		}
	}
	if whole != "" {
		g.closed = strings.ContainsAny(whole[len(whole)-1:], ";.")
	}
}

// begins reports whether a line without a bullet begins an entry of its own, in a block that has none: the entry before it is
// closed, or the line begins like a recipient where the line before had room for its first word.
func (g *gatherer) begins(s string) bool {
	if g.closed {
		return true
	}
	last := strings.TrimRight(g.texts[len(g.texts)-1], " ")
	switch {
	case startsLower(s), strings.HasPrefix(s, "("), strings.Count(last, "(") > strings.Count(last, ")"):
		return false
	case strings.HasSuffix(last, ":") && announces(last):
		return false
	case strings.HasSuffix(last, ","), strings.HasSuffix(last, ":"):
		if g.commas && startsUpper(s) && (refHead.MatchString(plainOf(last)) || topColon(last) < 0 && len(strings.Fields(s)) > 1 && !g.wraps(s)) {
			return true
		}
		return looksRecipient(s) && (g.commas || !g.wraps(s) && (g.merged || opensBody(s) || opensFixed(s))) && !unfinished.MatchString(plainOf(tailOf(strings.TrimRight(last, " ,:"), 40)))
	case g.continues():
		return false
	}
	return !g.separators || g.gapAfter || looksRecipient(s) && !g.wraps(s)
}

// announces reports whether a text that ends with a colon is the head of a list.
func announces(text string) bool {
	head := plainOf(firstBytes(strings.TrimRight(text, " :"), 200))
	return listClass.MatchString(head) || membersHead.MatchString(head) || selfStanding.MatchString(head)
}

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
	g.roster = false
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
	if n := len(t); n < maxEntry && strings.HasSuffix(t, ".") && strings.Count(t, "(") > strings.Count(t, ")") { // a speck
		return false
	}
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

var unfinished = regexp.MustCompile(`(?:[,:&/(-]|(?:tgd|,) cong|\b(?:va|cac|thuoc|cua|truc thuoc|voi|tai|ve|cho|uy ban|hoi dong)|` +
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
	return isArchive(g.texts[len(g.texts)-1])
}
