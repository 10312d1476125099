package recipients

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A column is what stands to the right of a block: title, signature, stamp and name of who signs. A reader that goes line by
// line puts its words behind the entries they stand beside.
type column struct {
	titled bool // a line of the block has a title behind its entry
	named  bool // the signer's name was found
}

// drop takes the signer's column and the specks of a scan off the lines of a block. What is left of a line keeps the
// bullet and the separator that it had. A block of one or two lines is left as it is.
func (c *column) drop(lines []string, shouting bool) []string {
	full, bulleted := 0, 0
	for _, l := range lines {
		words := lettersOnly(firstBytes(l, 80)) != ""
		full += count(words)
		bulleted += count(words && strings.ContainsAny(leadSpecks.FindString(l), bulletSigns))
	}
	if full < 3 {
		return lines
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		if len(l) > maxEntry {
			out[i] = l
			continue
		}
		l = strayComma.ReplaceAllString(l, ",$1")
		if strings.Count(l, "(") > strings.Count(l, ")") {
			l = strings.Replace(l, "}", ")", 1)
		}
		out[i] = c.cut(cutSpecks(l, bulleted*3 >= full), shouting)
	}
	for i, l := range out {
		if c.titled && !shouting && len(l) < maxEntry {
			l = strayLetter.ReplaceAllString(l, "")
			if strings.Contains(l, ";") && !(wrapsInto(out[i+1:]) && endsInWord(l)) {
				l = cutBehindEntry(l)
			}
			out[i] = l
		}
	}
	if c.titled && !c.named {
		for i, l := range out {
			if len(l) < maxEntry && !c.named {
				out[i] = c.cutNameAlone(l)
			}
		}
	}
	return out
}

// strayLetter is a lone small letter behind a line.
var strayLetter = regexp.MustCompile(`\s\p{Ll}$`)

// strayComma is a comma that a speck turned into two separators.
var strayComma = regexp.MustCompile(`;\s?,(\s*\p{Ll})`)

// leadSpecks are the signs before the first word of a line.
var leadSpecks = regexp.MustCompile(`^\s*[^\pL\pN\s(\["“‘|&/]*(?:[\s'"“”‘’.,:;` + "`" + `´^ˆ|\\-]|[^\pL\pN\s(\[&/])*`)

// bulletSigns are the signs that a bullet is printed as or read as; weakBullets are read as one where others are, and are
// specks elsewhere.
const (
	bulletSigns = "-–—−‐‑~+•●▪■◦·*»►➢✓"
	weakBullets = "=«¬_…"
)

// cutSpecks puts right the beginning of a line: one bullet in place of several signs, no quotes and stops that are specks,
// and no single letter before words that begin a recipient.
func cutSpecks(l string, bulleted bool) string {
	m := leadSpecks.FindString(l)
	rest := l[len(m):]
	signs := strings.TrimSpace(m)
	indent := m[:len(m)-len(strings.TrimLeft(m, " \t"))]
	if r, n := utf8.DecodeRuneInString(rest); n < len(rest) && strings.HasPrefix(strings.TrimLeft(rest[n:], `\|'"`), " ") {
		after := strings.TrimLeft(rest[n:], " +•"+specks)
		if startsUpper(after) && len(indent) < 18 && (unicode.IsLetter(r) && looksRecipient(after) || isArchive(after)) {
			rest, signs = after, signs+" '"
		}
	}
	if signs == "" || rest == "" {
		return l
	}
	if i := strings.IndexAny(signs, bulletSigns); i >= 0 {
		b, _ := utf8.DecodeRuneInString(signs[i:])
		return indent + string(b) + " " + rest
	}
	if bulleted && (strings.ContainsAny(signs, weakBullets) || strings.Contains(signs, "...")) {
		return indent + "- " + rest
	}
	if strings.ContainsAny(signs, `"“‘`) && strings.ContainsAny(rest, `"”’`) { // a quoted name
		return l
	}
	return indent + rest
}

// specks are the signs that a scan leaves beside words.
const specks = ",;:.'\"“”‘’`´|\\_~*-–—^ˆ¬°«»…<>=#!?"

// A lineWord is a word of a line with its place; core is the word without the signs around it.
type lineWord struct {
	from, to int
	core     string
}

func lineWords(l string) []lineWord {
	var out []lineWord
	from := -1
	for i, r := range l + " " {
		switch {
		case !unicode.IsSpace(r):
			if from < 0 {
				from = i
			}
		case from >= 0:
			out = append(out, lineWord{from, i, strings.Trim(l[from:i], specks)})
			from = -1
		}
	}
	return out
}

// cut takes a title, a name, the note of a signature and scraps off the end of a line.
func (c *column) cut(l string, shouting bool) string {
	ws := lineWords(l)
	n := len(ws)
	first := firstEntryWord(ws)
	if n-first < 2 {
		return l
	}
	if m := signedEnd.FindStringIndex(l); m != nil && m[0] > ws[first].from {
		l = keepSeparator(l[:m[0]], l[m[0]:])
		ws = lineWords(l)
	}
	if !shouting && beginsTitle(ws[first:]) { // a line of the column alone
		c.titled = true
		return l
	}
	if k := c.titleTail(l, ws, first+1); k > 0 && !shouting {
		c.titled = true
		tail := l[ws[k].from:]
		c.named = c.named || nameTail(tail, lineWords(tail), 0) >= 0
		return cutTailScraps(l[:ws[k].from])
	}
	if k := archiveName(l, ws, first); k > 0 {
		c.named = true
		return l[:ws[k].from]
	}
	if k := nameTail(l, ws, first+1); k > 0 && c.ownsName(l, ws, k) {
		c.named = true
		return cutTailScraps(l[:ws[k].from])
	}
	return cutTailScraps(l)
}

// firstEntryWord returns which word is the first behind the bullet.
func firstEntryWord(ws []lineWord) int {
	for i, w := range ws {
		if lettersOnly(w.core) != "" {
			return i
		}
	}
	return len(ws)
}

// keepSeparator gives the separator that tail begins with back to the entry before it.
func keepSeparator(entry, tail string) string {
	if t := strings.TrimLeft(tail, " "); t != "" && strings.ContainsAny(t[:1], ";.,") {
		return entry + t[:1]
	}
	return entry
}

// titleTail returns the word at which a signer's title begins, -1 when none stands in the line.
func (c *column) titleTail(l string, ws []lineWord, first int) int {
	from := -1
	for i := first; i < len(ws); i++ {
		if signLead.MatchString(ws[i].core+".") && i+1 < len(ws) && shouts(ws[i+1].core) || beginsSignFor(l[ws[i].from:]) {
			from = i
			break
		}
		if shouts(ws[i].core) {
			from = i
			for from > first && titleWord(ws[from-1].core) && !endsPiece(l[ws[from-1].from:ws[from-1].to]) {
				from--
			}
			break
		}
	}
	if from < 0 {
		return -1
	}
	tail := l[ws[from].from:]
	if before := strings.TrimRight(l[:ws[from].from], " "+strings.ReplaceAll(specks, ";", "")); !strings.HasSuffix(before, ";") && !postWord.MatchString(plainOf(firstBytes(tail, 200))) &&
		!(c.titled && behindEntry(l[:ws[from].from]) && allCapitals(tail)) && !(c.titled && len(ws)-from > 2 && isPerson(tail) &&
		!namedAfterPerson.MatchString(plainOf(tailOf(" "+strings.TrimRight(l[:ws[from].from], " "), 60)))) {
		return -1 // a name in capitals: "Công ty SÔNG ĐÀ"
	}
	if strings.HasSuffix(tail, ";") && strings.ToUpper(tail) != tail { // an entry ends here
		return -1
	}
	if pieces := cutSemicolons(tail); len(pieces) > 1 && looksRecipient(pieces[len(pieces)-1]) {
		return -1
	}
	return from
}

// beginsTitle reports whether words begin with a sign-for or a title in capitals.
func beginsTitle(ws []lineWord) bool {
	if shouts(ws[0].core) {
		return len(ws) == 1 || isCapitals(ws[1].core) || isSpeck(ws[1].core) || nameWord(ws[1].core)
	}
	return len(ws) > 1 && shouts(ws[1].core) && (titleWord(ws[0].core) || signLead.MatchString(ws[0].core+"."))
}

// beginsSignFor reports whether a text begins with TM., KT. … before a title.
func beginsSignFor(s string) bool {
	m := signFor.FindStringIndex(firstBytes(s, 40))
	return m != nil && m[0] == 0
}

// titleWord reports whether a word may stand in a title in capitals.
func titleWord(core string) bool {
	if core == "" {
		return false
	}
	return isCapitals(core) && isTitleWord(core) && len([]rune(core)) > 1
}

// postWord is a word that only titles have.
var postWord = regexp.MustCompile(`\b(?:truon?g|tru[a-z]{2}g|giam|doc|chu|tich|t[il]ch|pho|chanh|thu|thua|tuong|bi|hieu|vien|chap|thay|quyen|tham phan|nhan dan|tm|kt|tl|tuq|t/m|k/t|ky)\b`)

// endsPiece reports whether a word ends an item: its separator stands behind it. A sign-for (KT: for KT.) does not.
func endsPiece(word string) bool {
	return strings.ContainsAny(word[len(word)-1:], ";,:.)") && !signLead.MatchString(strings.TrimRight(word, ";,:.")+".")
}

// behindEntry reports whether what stands before the signer's words is a whole entry: a separator or a closing bracket ends it,
// or a sign that no text has.
func behindEntry(before string) bool {
	t := strings.TrimSpace(before)
	return t != "" && (strings.ContainsAny(t[len(t)-1:], ";,:.)_'\"`|*~-") || strings.HasSuffix(t, "“") || strings.HasSuffix(t, "‘") || junkRune.MatchString(t[lastRune(t):]))
}

func lastRune(s string) int {
	_, n := utf8.DecodeLastRuneInString(s)
	return len(s) - n
}

// rankWord is a degree or rank before a name.
var (
	rankWord = regexp.MustCompile(`^(?:` + ranks + `)(?:[. ]+(?:` + ranks + `))*$`)
	rankLead = regexp.MustCompile(`^(?:` + ranks + `)\b`)
)

const ranks = `ts|ths|gs|pgs|bs|ks|cn|ds|bsck[il1t]{1,3}|dsck[il1]{1,2}|luat su|dai ta|thuong ta|trung ta|thieu ta|dai uy|thuong uy|thieu tuong|trung tuong|dai tuong|thuong tuong|nsut|nsnd|nha giao|bac si`

// nameTail returns the word at which the name of a person begins that ends the line, specks left alone, with the rank before
// it; -1 when the line ends with none.
func nameTail(l string, ws []lineWord, first int) int {
	end := len(ws)
	for end > first && isSpeck(ws[end-1].core) {
		end--
	}
	if end <= first || strings.HasSuffix(l[ws[end-1].from:ws[end-1].to], ";") || strings.HasSuffix(l[ws[end-1].from:ws[end-1].to], ")") {
		return -1
	}
	from := end
	for from > first && end-from < 8 && nameWord(ws[from-1].core) && (from == end || !endsPiece(l[ws[from-1].from:ws[from-1].to])) {
		from--
	}
	if from > first && from < end-1 && middleName.MatchString(plainOf(ws[from].core)) && isSpeck(ws[from-1].core) && lettersOnly(ws[from-1].core) != "" {
		return from - 1 // what is left of the family name
	}
	if from > first && from < end-1 && (ws[from-1].core == "Y" || ws[from-1].core == "A") {
		return from - 1
	}
	best := -1
	for k := end - 2; k >= from; k-- {
		switch n := end - k; {
		case n > 5:
		case n > 2 && middleName.MatchString(plainOf(ws[k+1].core)) && !middleName.MatchString(plainOf(ws[k].core)):
			return withRank(ws, k, first)
		case isSurname(ws[k].core) && (n > 2 || ranked(ws, k)), n == 2 && gluedName.MatchString(ws[end-1].core):
			best = withRank(ws, k, first)
		}
	}
	return best
}

// archiveName returns the word at which a name of two words and more begins behind the archive line; whoever drafted signs with
// one.
func archiveName(l string, ws []lineWord, first int) int {
	if !isArchive(l[ws[first].from:]) {
		return -1
	}
	end := len(ws)
	for end > first && isSpeck(ws[end-1].core) {
		end--
	}
	k := end
	for k > first+2 && end-k < 4 && nameWord(ws[k-1].core) && (k == end || !endsPiece(l[ws[k-1].from:ws[k-1].to])) {
		k--
	}
	if n := end - k; n < 2 || strings.HasSuffix(l, ")") || !strings.ContainsAny(l[ws[k-1].to-1:ws[k-1].to], ".)") && (n < 3 || !behindEntry(l[:ws[k].from])) {
		return -1
	}
	return withRank(ws, k, first+2)
}

// isSurname reports whether a word is a family name; Trường and Đình are none, though Trương and Đinh are.
func isSurname(core string) bool {
	l := strings.ToLower(core)
	return surnames[lettersOnly(core)] && !noSurname[l]
}

// gluedName is a name whose middle part is written together with the last: "VănGiả".
var gluedName = regexp.MustCompile(`^(?:Văn|Thị|Đình|Quang|Minh|Ngọc|Xuân|Hữu)\p{Lu}\p{Ll}+$`)

// middleName is what stands in the middle of a name and in no name of a body.
var middleName = regexp.MustCompile(`^(?:van|thi)$`)

// isSpeck reports whether a word holds no more than one letter.
func isSpeck(core string) bool { return utf8.RuneCountInString(core) < 2 }

// isJunkWord reports whether a word is short and no syllable: "nh", "Nn", "sx1".
func isJunkWord(core string) bool {
	n := utf8.RuneCountInString(core)
	return n < 2 || n < 4 && strings.ToUpper(core) != core && !syllable.MatchString(lettersOnly(core))
}

// digitJunk is a digit run together with small letters.
var digitJunk = regexp.MustCompile(`^(?:\d\p{Ll}{1,2}|\p{Ll}{1,2}\d)$`)

func nameWord(core string) bool {
	r, n := utf8.DecodeRuneInString(core)
	if !unicode.IsUpper(r) || n == len(core) || junkRune.MatchString(core) {
		return false
	}
	for _, r := range core[n:] {
		if !unicode.IsLetter(r) || unicode.IsUpper(r) && !gluedName.MatchString(core) {
			return false
		}
	}
	return true
}

func ranked(ws []lineWord, from int) bool { return withRank(ws, from, 0) < from }

// withRank goes back from a name over the rank before it.
func withRank(ws []lineWord, from, first int) int {
	for n := 1; n <= 2 && from-n >= first; n++ {
		rank := ""
		for _, w := range ws[from-n : from] {
			rank += plainOf(w.core) + " "
		}
		if rank = strings.TrimSpace(rank); rankWord.MatchString(rank) && startsUpper(ws[from-n].core) {
			return withRank(ws, from-n, first)
		}
	}
	return from
}

// ownsName reports whether the name that begins with word k is the signer's: a separator stands before it and the entry is no
// list of persons.
func (c *column) ownsName(l string, ws []lineWord, k int) bool {
	before := strings.TrimRight(l[ws[firstEntryWord(ws)].from:ws[k].from], " ")
	if !behindEntry(before) {
		return false
	}
	if i := topColon(before); i > 0 && i < len(strings.TrimRight(before, " "+specks)) && personsHead.MatchString(plainOf(before[:i])) {
		return false
	}
	return !personsHead.MatchString(plainOf(lastItem(strings.TrimRight(before, " "+specks)))) || strings.HasSuffix(before, ";")
}

// lastItem returns s from its last separator on.
func lastItem(s string) string {
	if i := strings.LastIndexAny(s, ",;"); i >= 0 {
		return strings.TrimSpace(s[i+1:])
	}
	return strings.Trim(s, " "+specks)
}

// personsHead is what stands before names of people in an entry: "Các đ/c PVP: Lý Văn Giao".
var personsHead = regexp.MustCompile(`^(?:(?:cac|nhung) )?(?:d/ ?c|dong chi|ong|ba|ong,? ?\(?ba\)?|tt|ptt\w*|pvp|pct|cvp|(?:cac )?(?:dong chi|d/c)[a-z /]{0,40})\.?$`)

// cutNameAlone cuts a name off that no separator stands before, in a block that has the title of a signer but no name.
func (c *column) cutNameAlone(l string) string {
	ws := lineWords(l)
	first := firstEntryWord(ws)
	k := nameTail(l, ws, first+2)
	if k > 0 && strings.HasPrefix(l[ws[k].from:], "Hồ Chí Minh") {
		return l
	}
	if k > 0 && nameWord(ws[k-1].core) && !middleName.MatchString(plainOf(ws[k+1].core)) { // where does the name begin?
		return l
	}
	if k < 0 || !rankLead.MatchString(plainOf(ws[k].core)) && namedAfterPerson.MatchString(plainOf(tailOf(" "+strings.TrimRight(l[:ws[k].from], " "), 60))) {
		return l
	}
	if i := topColon(l[:ws[k].from]); i > 0 && personsHead.MatchString(plainOf(l[ws[first].from:i])) {
		return l
	}
	if plainOf(ws[k-1].core) == "huyen" && plainOf(ws[k+1].core) != "thi" { // huyện Trần Văn Thời
		return l
	}
	if titleHead.MatchString(plainOf(l[ws[first].from:])) && k-first < 4 || isArchive(l[ws[first].from:]) {
		return l
	}
	c.named = true
	return strings.TrimRight(l[:ws[k].from], " ")
}

// namedAfterPerson ends what may be named after a person, or stands before a person's name.
var namedAfterPerson = regexp.MustCompile(`(?:^|[ .,;:(])(?:truong|thpt|thcs|th|tieu hoc|mam non|mn|ptdtnt|phuong|xa|thon|duong|pho|to|khu pho|quan|cong ty|tnhh|cong ty cp|cty cp|dntn|mtv|benh vien|ong|ba|d/c|dong chi|tt|tctr|ptt\w*|pct|pvp|cvp|pcn|quy|va)\.?$`)

// spacedColon is a colon apart with scraps of letters behind it, or a dash with one letter.
var spacedColon = regexp.MustCompile(`\s[:*]\s+(?:\pL{1,3}[\s.,:*]*)*\p{Ll}{1,3}[\s.,:*]*$|\s-\s[\p{Ll}À-Ỹ][\s.,:]*$`)

// cutBehindEntry cuts what stands behind the last semicolon of a line and is no recipient, bullet or not.
func cutBehindEntry(l string) string {
	ws := lineWords(l)
	first := firstEntryWord(ws)
	if first == len(ws) || isArchive(l[ws[first].from:]) {
		return l
	}
	at := ws[first].from
	pieces := cutSemicolons(l[at:])
	last := strings.Trim(pieces[len(pieces)-1], " +"+specks)
	if len(pieces) < 2 || strings.HasSuffix(l, ";") || looksRecipient(last) && !rankLead.MatchString(plainOf(last)) || strings.HasPrefix(last, "(") || goesOn(strings.Join(pieces[:len(pieces)-1], "; "), last) {
		return l
	}
	return l[:at] + strings.Join(pieces[:len(pieces)-1], "; ") + ";"
}

// cutTailScraps takes specks off the end of a line behind a separator or a bracket, and specks that no entry ends with.
func cutTailScraps(l string) string {
	ws := lineWords(l)
	n := len(ws)
	for n > 1 && (isSpeck(ws[n-1].core) || digitJunk.MatchString(ws[n-1].core)) {
		n--
	}
	for k := n; k > 1 && len(ws)-k < 8 && isJunkWord(ws[k-1].core) && lettersOnly(l[ws[n-1].to:]) != ""; k-- {
		if behindEntry(l[:ws[k-1].from]) {
			n = k - 1
		}
	}
	first := firstEntryWord(ws)
	if m := spacedColon.FindStringIndex(l); m != nil && m[0] > ws[min(first, len(ws)-1)].from && !looksRecipient(l[m[0]+2:]) && !listClass.MatchString(plainOf(l[ws[first].from:m[0]])) {
		return l[:m[0]]
	}
	if n == len(ws) || n <= first {
		return strings.TrimRight(l, " ")
	}
	if isArchive(l[ws[first].from:]) {
		return strings.TrimRight(l, " -–—_")
	}
	head, tail := l[:ws[n-1].to], strings.TrimSpace(l[ws[n-1].to:])
	letters := lettersOnly(tail)
	if letters == "" {
		if i := strings.LastIndexByte(head, ';'); i > 0 && junkRune.MatchString(tail) && utf8.RuneCountInString(strings.TrimSpace(head[i+1:])) < 4 {
			return head[:i+1]
		}
		if strings.ContainsAny(tail, "()&") || strings.Contains(tail, "...") { // part of the entry, or left blank in it
			return strings.TrimRight(l, " ")
		}
		if strings.ContainsAny(tail[:1], ";,.") && !strings.ContainsAny(head[len(head)-1:], ";,:.") ||
			tail == ":" && (listClass.MatchString(plainOf(head[ws[first].from:])) || membersHead.MatchString(plainOf(head[ws[first].from:]))) {
			return head + tail[:1]
		}
		if (tail == "-" || tail == "–") && !strings.ContainsAny(head[len(head)-1:], ";,.") { // the dash of a broken name
			return strings.TrimRight(l, " ")
		}
		return head
	}
	if !behindEntry(head) || isNumbered(head, tail) {
		return strings.TrimRight(l, " ")
	}
	if strings.HasSuffix(head, ",") && isAbbreviation(lastItem(head)) && unicode.IsUpper([]rune(tail)[0]) { // "Phòng A, B"
		return strings.TrimRight(l, " ")
	}
	return head
}

// isSignerLabel reports whether what stands beside the label is the signer's name or title.
func isSignerLabel(l string) bool {
	ws := lineWords(l)
	for len(ws) > 0 && isSpeck(ws[0].core) {
		ws = ws[1:]
	}
	return isTitleLine(l) || len(ws) > 1 && nameTail(l, ws, 0) == 0
}

// isTitleLine reports whether a line holds a signer's title in capitals and nothing else.
func isTitleLine(l string) bool {
	ws := lineWords(l)
	for len(ws) > 0 && (isSpeck(ws[0].core) || !isCapitals(ws[0].core)) {
		ws = ws[1:]
	}
	return len(ws) > 0 && (beginsTitle(ws) || len(ws) > 1 && signLead.MatchString(ws[0].core+".")) && postWord.MatchString(plainOf(firstBytes(l, 200))) && allCapitals(l[ws[0].from:])
}
