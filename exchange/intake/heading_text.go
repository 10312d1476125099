package intake

import (
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

// hardBreak parts the cells of a table: what stands in two cells never is one line. cut stands for text that was taken out.
const (
	hardBreak = '\x1d'
	cut       = '\x01'
)

// A headText is the text of a head twice, rune by rune: as it is, and folded to ASCII for patterns, so that an index into
// one is an index into the other.
type headText struct {
	raw   []rune
	low   string
	noisy bool // Quốc hiệu or Tiêu ngữ is misspelt: the text comes from OCR
}

// A headLine is one line of the head, or one cell of a table.
type headLine struct {
	text, low string // without spaces at the ends; low folded to ASCII
	blank     bool   // an empty line in the source
	hard      bool   // a cell ends here: what follows does not go on
	numbered  bool   // the reference stood here
}

var (
	tagBreak  = regexp.MustCompile(`(?i)</?(p|div|tr|h[1-6]|li|ul|ol|table|tbody|thead|center)\b[^>]*>|<br[^>]*>`)
	tagCell   = regexp.MustCompile(`(?i)</?t[dh]\b[^>]*>`)
	tagOther  = regexp.MustCompile(`(?s)<!--.*?-->|<[/a-zA-Z!][^<>]*>`)
	mdRule    = regexp.MustCompile(`(?m)^[ \t]*\|?([ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*(:?-{2,}:?)?[ \t]*$`)
	rules     = regexp.MustCompile(`[-–—_=*~.…]{4,}|[*_~]{2,}|[─━═―]+|—{2,}`)
	mdHeading = regexp.MustCompile(`(?m)^[ \t]*(#+|>)[ \t]+`)
)

// maxHead bounds the work on a text that is no head; real ones have some hundred letters, with HTML some thousand.
const maxHead = 1 << 15

// newHeadText takes the markup off and folds.
func newHeadText(s string) *headText {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ", "\u2028", "\n", "\u00ad", "", "\ufeff", "", "\u200b", "",
		string(hardBreak), " ", string(cut), " ").Replace(s)
	if strings.ContainsRune(s, '<') {
		s = tagCell.ReplaceAllString(s, string(hardBreak))
		s = tagBreak.ReplaceAllString(s, "\n")
		s = tagOther.ReplaceAllString(s, "")
	}
	s = html.UnescapeString(s)
	s = strings.ReplaceAll(s, "\u00a0", " ")
	s = mdRule.ReplaceAllString(s, "")
	s = mdHeading.ReplaceAllString(s, "")
	s = rules.ReplaceAllStringFunc(s, func(run string) string {
		if strings.Trim(run, ".…") == "" {
			return run // dots are blanks to be filled in
		}
		return " "
	})
	s = splitTables(s)
	s = strings.NewReplacer("*", "", "`", "", "\\-", "-", "\\", "").Replace(s)
	t := &headText{raw: []rune(viettext.NFC(s))}
	t.fold()
	return t
}

// splitTables parts the cells of Markdown tables. A bar in other lines is what OCR makes of a stroke.
func splitTables(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "|") && strings.Count(l, "|") > 1 || strings.HasSuffix(trimmed, "|") && strings.Count(l, "|") > 1 {
			lines[i] = strings.ReplaceAll(strings.ReplaceAll(l, "|", string(hardBreak)), "<br>", "\n")
		}
	}
	return strings.Join(lines, "\n")
}

func (t *headText) fold() {
	b := make([]byte, len(t.raw))
	for i, r := range t.raw {
		b[i] = foldRune(r)
	}
	t.low = string(b)
}

// foldTable has foldRune for the runes up to the end of the Vietnamese letters.
var foldTable = func() (t [0x1F00]byte) {
	for r := range t {
		t[r] = foldSlow(rune(r))
	}
	return t
}()

// foldRune gives the small ASCII letter under a rune; signs have likenesses, and anything else is "~".
func foldRune(r rune) byte {
	if r >= 0 && int(r) < len(foldTable) {
		return foldTable[r]
	}
	return foldSlow(r)
}

func foldSlow(r rune) byte {
	switch r {
	case 'đ', 'Đ', 'ð', 'Ð':
		return 'd'
	case '–', '—', '−', '‐', '‑', '―':
		return '-'
	case '“', '”', '„', '«', '»':
		return '"'
	case '’', '‘', '´':
		return '\''
	case '…':
		return '.'
	case '⁄', '∕':
		return '/'
	case '：':
		return ':'
	}
	r = unicode.ToLower(r)
	if r < utf8.RuneSelf {
		return byte(r)
	}
	if unicode.IsSpace(r) {
		return ' '
	}
	if d, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r))); d < utf8.RuneSelf {
		return byte(d)
	}
	return '~'
}

// refMark stands where the reference was: it parts the issuer above from what is below.
const refMark = '\x02'

// take cuts runes i to j out and returns them.
func (t *headText) take(i, j int) string {
	s := string(t.raw[i:j])
	low := []byte(t.low)
	for k := i; k < j; k++ {
		if t.raw[k] != '\n' && t.raw[k] != hardBreak {
			t.raw[k], low[k] = cut, cut
		}
	}
	t.low = string(low)
	return s
}

// lines parts the text. A line that only held what was cut out is dropped, so what stands around it stays together.
func (t *headText) lines() []headLine {
	var out []headLine
	start := 0
	for i := 0; i <= len(t.raw); i++ {
		if i < len(t.raw) && t.raw[i] != '\n' && t.raw[i] != hardBreak {
			continue
		}
		piece := string(t.raw[start:i])
		hard := i < len(t.raw) && t.raw[i] == hardBreak
		for k, p := range strings.Split(piece, string(refMark)) {
			gone := strings.ContainsRune(p, cut)
			p = strings.Join(strings.Fields(strings.ReplaceAll(p, string(cut), " ")), " ")
			switch {
			case p == "" && hard && len(out) > 0:
				out[len(out)-1].hard = true
			case p == "" && (gone || k > 0 || strings.ContainsRune(piece, refMark)):
			default:
				out = append(out, headLine{text: p, low: foldASCII(p), blank: p == "", hard: hard})
			}
			if k == 0 && strings.ContainsRune(piece, refMark) {
				out = append(out, headLine{numbered: true})
			}
		}
		start = i + 1
	}
	return out
}

func foldASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(foldRune(r))
	}
	return b.String()
}

// spaced is a pattern for words whose letters OCR may have set apart.
func spaced(words string) string {
	var b strings.Builder
	for i, w := range strings.Fields(words) {
		if i > 0 {
			b.WriteString(`[^a-z\n\x1d]{0,5}`)
		}
		for k, r := range w {
			if k > 0 {
				b.WriteString(` ?`)
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

var mottos = []*regexp.Regexp{
	regexp.MustCompile(spaced("cong hoa xa hoi chu nghia viet nam")),
	regexp.MustCompile(`c.{0,2}ng *h.{1,2}a *x.{1,2} *h.{1,2}i *ch.{0,2} *n.{1,6} *v.{1,3}t *n.{1,2}m`),
	regexp.MustCompile(spaced("doc lap tu do hanh phuc")),
	regexp.MustCompile(`[dp].{1,2}c *l.{1,2}p\W{1,5}t.{1,2} *d.\W{1,5}h.{1,3}h *ph.{1,2}c`),
	regexp.MustCompile(`(?:\S{0,3}c *l.{1,2}p\b)?[^a-z0-9\n\x1d]{1,5}t.{1,2} *d.\W{1,5}h.{1,3}h *ph.{1,2}c`),
	regexp.MustCompile(spaced("dang cong san viet nam")),
}

// cutMotto takes out Quốc hiệu and Tiêu ngữ, and the Party's line in its place, wherever the columns left them.
func (t *headText) cutMotto() {
	for _, re := range mottos {
		if m := re.FindStringIndex(t.low); m != nil {
			shown := strings.Map(onlyLetters, viettext.Key(t.take(m[0], m[1])))
			t.noisy = t.noisy || !slices.Contains([]string{"cộnghòaxãhộichủnghĩaviệtnam", "độclậptựdohạnhphúc", "đảngcộngsảnviệtnam"}, shown) ||
				strings.HasPrefix(t.low[m[1]:], ".") // a speck
		}
	}
}

func onlyLetters(r rune) rune {
	if unicode.IsLetter(r) {
		return r
	}
	return -1
}

var markLine = regexp.MustCompile(`(?m)^[\W]*(toi mat|tuyet mat|mat|thuong khan|khan|hoa toc hen gio|hoa toc)\b([^\n\x1d]{0,30})$`)

// marks finds độ mật and độ khẩn that stand alone in capitals on a line or in a cell, and takes them out.
func (t *headText) marks() (secrecy, urgency string) {
	for _, part := range splitHard(t.low) {
		m := markLine.FindStringSubmatchIndex(t.low[part[0]:part[1]])
		if m == nil {
			continue
		}
		at, end := part[0]+m[2], part[0]+m[3]
		word, rest := t.low[at:end], t.low[end:part[0]+m[5]]
		if shown := string(t.raw[at:end]); shown != strings.ToUpper(shown) || strings.Contains(shown, "Ặ") || strings.Contains(shown, "Ắ") {
			continue
		}
		if strings.Trim(rest, " .!:\x01") != "" && !strings.Contains(rest, "gio") {
			continue
		}
		switch word {
		case "mat", "toi mat", "tuyet mat":
			secrecy = map[string]string{"mat": "Mật", "toi mat": "Tối mật", "tuyet mat": "Tuyệt mật"}[word]
		default:
			urgency = map[string]string{"khan": "Khẩn", "thuong khan": "Thượng khẩn", "hoa toc": "Hỏa tốc", "hoa toc hen gio": "Hỏa tốc hẹn giờ"}[word]
			if word == "hoa toc" && strings.Contains(rest, "gio") {
				urgency = "Hỏa tốc hẹn giờ"
			}
		}
		t.take(at, part[0]+m[5])
	}
	return secrecy, urgency
}

// splitHard gives the bounds of the lines and cells of low.
func splitHard(low string) [][2]int {
	var out [][2]int
	start := 0
	for i := 0; i <= len(low); i++ {
		if i == len(low) || low[i] == '\n' || low[i] == hardBreak {
			if i > start {
				out = append(out, [2]int{start, i})
			}
			start = i + 1
		}
	}
	return out
}

// The date in words, with blanks or noise where day and month should be; and in figures, after a place and a comma.
var (
	dateWords = regexp.MustCompile(`\bng[aeo] ?[yvj]\b([^a-z\n\x1d]{0,14}|[^\n\x1d]{0,8}?)\b ?th ?[ae] ?n ?[gqe]?\b([^\n\x1d]{0,10}?)\bn[ae]m\s{0,3}(\d ?\d ?\d ?\d)?`)
	dateShort = regexp.MustCompile(`,\s*(?:ngay)?\s*(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4})`)
)

// cutDate takes place and date out. The first date that follows a place and a comma counts, else one that begins a line:
// trích yếu and body name dates of other documents.
func (t *headText) cutDate() (place, date string) {
	best := []int(nil)
	for _, m := range dateWords.FindAllStringSubmatchIndex(t.low, 8) {
		if unicode.IsUpper(t.raw[m[0]+1]) { // NGÀY, in a title
			continue
		}
		if p, _ := t.placeBefore(m[0]); p != "" {
			best = m
			break
		}
		if best == nil && t.lineStart(m[0]) {
			best = m
		}
	}
	if best == nil {
		return t.cutShortDate()
	}
	place, from := t.placeBefore(best[0])
	group := func(i int) string {
		if best[i] < 0 {
			return ""
		}
		return t.low[best[i]:best[i+1]]
	}
	date = isoDate(group(2), group(4), group(6))
	t.take(from, best[1])
	return place, date
}

func (t *headText) cutShortDate() (place, date string) {
	for _, m := range dateShort.FindAllStringSubmatchIndex(t.low, 4) {
		place, from := t.placeBefore(m[0] + 1)
		if place == "" {
			continue
		}
		date = isoDate(t.low[m[2]:m[3]], t.low[m[4]:m[5]], t.low[m[6]:m[7]])
		t.take(from, m[1])
		return place, date
	}
	return "", ""
}

// isoDate puts a date together and leaves out from the day on what is no number in its range.
func isoDate(day, month, year string) string {
	y := number(year, 1900, 2200)
	m := number(month, 1, 12)
	d := number(day, 1, 31)
	switch {
	case y == 0:
		return ""
	case m == 0:
		return strconv.Itoa(y)
	}
	iso := strconv.Itoa(y) + "-" + twoDigits(m)
	if d == 0 || d > 30 && (m == 4 || m == 6 || m == 9 || m == 11) || d > 29 && m == 2 {
		return iso
	}
	return iso + "-" + twoDigits(d)
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// number reads digits with spaces, dots or cuts among and around them; 0 stands for none, or for one out of range.
func number(s string, low, high int) int {
	s = strings.NewReplacer(" ", "", ".", "", ",", "", "\x01", "", "_", "").Replace(s)
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0
	}
	return n
}

func (t *headText) lineStart(i int) bool {
	for i > 0 && strings.IndexByte(" \t\x01,.(", t.low[i-1]) >= 0 {
		i--
	}
	return i == 0 || t.low[i-1] == '\n' || t.low[i-1] == hardBreak
}

var lowerInPlace = map[string]bool{"phố": true, "xã": true, "trấn": true, "tỉnh": true, "huyện": true}

// placeBefore reads the địa danh that ends before position end, and where it begins. It is the words with capitals back
// to the edge of the line, a wide gap or a word of another kind.
func (t *headText) placeBefore(end int) (place string, from int) {
	i := end
	comma := false
	for i > 0 && strings.IndexByte(" \t,.;:'", t.low[i-1]) >= 0 {
		comma = comma || strings.IndexByte(",.;", t.low[i-1]) >= 0
		i--
	}
	stop := i
	edge := stop
	for edge > 0 && edge > stop-60 && t.low[edge-1] != '\n' && t.low[edge-1] != hardBreak && t.low[edge-1] != cut && t.low[edge-1] != '\t' &&
		!(t.low[edge-1] == ' ' && edge > 1 && t.low[edge-2] == ' ') {
		edge--
	}
	whole := strings.TrimSpace(string(t.raw[edge:stop]))
	if known := knownPlace(whole); known != "" && (comma || t.lineStart(edge)) {
		return known, edge
	}
	if !comma {
		return "", end
	}
	words := strings.Fields(whole)
	for j, w := range words {
		words[j] = strings.TrimLeft(w, ".,:;'`‘’“”\"_·") // specks
	}
	k := len(words)
	for k > 0 && len(words)-k < 6 && placeWord(words[k-1]) {
		k--
	}
	for k < len(words) && lowerInPlace[words[k]] { // a place begins with a capital
		k++
	}
	for j := max(0, len(words)-8); j < len(words); j++ { // the longest tail that is a known place: "BTC Hà Nội", "Qu ả ng Ngãi"
		tail := strings.Join(words[j:], " ")
		if j < k && placeBySound[sound(tail)] == "" || strings.ContainsAny(tail, ".;:0123456789") && !strings.HasPrefix(tail, "TP") {
			continue
		}
		if known := knownPlace(tail); known != "" && (j > k || known != tail) {
			return known, t.backOver(stop, edge, len(words)-j)
		}
	}
	for k < len(words)-1 && isCode(words[k]) {
		k++
	}
	if k == len(words) || isCode(words[k]) {
		return "", end
	}
	place = joinBroken(strings.Join(words[k:], " "))
	return place, t.backOver(stop, edge, len(words)-k)
}

// backOver returns where the last n words before stop begin, not before edge.
func (t *headText) backOver(stop, edge, n int) int {
	from := stop
	for range n {
		for from > edge && t.low[from-1] == ' ' {
			from--
		}
		for from > edge && t.low[from-1] != ' ' {
			from--
		}
	}
	return from
}

// placeWord reports whether w may stand in a địa danh: a capital first, no digits, or one of the few small words.
func placeWord(w string) bool {
	if lowerInPlace[w] {
		return true
	}
	r, _ := utf8.DecodeRuneInString(w)
	return unicode.IsUpper(r) && !strings.ContainsAny(w, "0123456789/:;,()")
}

// isCode reports whether w is an abbreviation such as a symbol ends in, not a name.
func isCode(w string) bool {
	return utf8.RuneCountInString(w) > 1 && w == strings.ToUpper(w) && !viettext.IsSyllable(w) && !strings.HasPrefix(w, "TP")
}

// joinBroken joins letters that OCR set apart ("Qu ả ng Ngãi") where that makes a syllable of what was none.
func joinBroken(s string) string {
	words := strings.Fields(s)
	var out []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		for n := 3; n >= 1; n-- {
			if i+n >= len(words) {
				continue
			}
			joined := strings.Join(words[i:i+n+1], "")
			if viettext.IsSyllable(joined) && brokenPiece(words[i:i+n+1]) {
				w = joined
				i += n
				break
			}
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// brokenPiece reports whether one of the pieces is no syllable, so that they cannot be words of their own.
func brokenPiece(pieces []string) bool {
	for _, p := range pieces {
		if !viettext.IsSyllable(p) {
			return true
		}
	}
	return false
}
