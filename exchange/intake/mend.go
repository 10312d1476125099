package intake

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"congvan/mailcore/viettext"
)

// namePairs are pairs of syllables in the names of agencies, besides the compounds of trích yếu. Where OCR changed a mark in
// one of them, the pair tells what it was.
const namePairs = `nội vụ, ngoại vụ, công thương, công an, biên phòng, thường trực, thường vụ, điều hành, cổng thông, công báo, trang thông, đài phát, phát thanh, truyền hình, kho bạc, chi cục, tổng cục,
thanh tra, kiểm sát, viện kiểm, tòa án, toà án, nhân dân, liên minh, hợp tác, liên đoàn, liên hiệp, cựu chiến, chiến binh, nông dân, nông nghiệp, phát triển, giao thông, vận tải, tư pháp, kiểm tra,
chuyển đổi, chỉ huy, bộ chỉ, chủ tịch, chánh văn, giám đốc, thủ trưởng, trưởng các, trưởng phòng, phó chủ, lãnh đạo, thành phố, thị xã, thị trấn, các huyện, các sở, các xã, huyện ủy, thành ủy, thị ủy,
như trên, như điều, kính gửi, nơi nhận, đưa tin, báo cáo, thực hiện, phối hợp, chuẩn bị, thẩm định, chuyên viên, nghiên cứu, tổng hợp, cơ quan, mặt trận, tổ quốc, quốc gia, nội chính, dân vận, tuyên giáo`

// abbreviations are those of agencies and of their rooms that OCR spoils most: capitals alone, and the same one several times.
var abbreviations = []string{"CNTT", "CNTT&TT", "TT&TT", "STTTT", "TTTT", "UBND", "HĐND", "ĐBQH", "UBMTTQ", "UBMTTQVN", "MTTQ", "GD&ĐT", "GDĐT", "KH&ĐT", "KHĐT", "KH&CN",
	"KHCN", "TN&MT", "TNMT", "NN&PTNT", "NNPTNT", "LĐTBXH", "LĐTB&XH", "GTVT", "VHTTDL", "VHTT&DL", "PTTH", "KTTH", "KGVX", "KTTC", "BQLDA", "BHXH", "NHNN", "KBNN", "TAND", "VKSND"}

// mend corrects the words of a recognised page where their neighbours or the issuer tell what they were.
func (p *page) mend() {
	var out []word
	for _, row := range linesOf(p.words, p.number) {
		for _, piece := range row.pieces(0.85 * row.size) {
			out = append(out, mendWords(piece.words)...)
		}
	}
	mendColons(out)
	p.words = out
	if p.number == 1 {
		p.mendSymbol()
	}
}

// mendWords corrects the words of one column's line: signs in capitals that are none, then marks.
func mendWords(words []word) []word {
	words = joinLetters(words)
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = mendToken(w.text)
		if i > 0 && standingCommittee.MatchString(texts[i-1]) && strings.HasPrefix(texts[i], "HĐND") {
			texts[i-1] = "TT"
		}
	}
	for range 2 { // the first pass may make a word sound that the second needs
		mended := strings.Split(repairMarks(strings.Join(texts, " ")), " ")
		if len(mended) != len(texts) {
			break // a word with a space in it
		}
		texts = mended
	}
	for i := range words {
		words[i].unsure = words[i].unsure || words[i].text != texts[i]
		words[i].text = texts[i]
	}
	return words
}

// joinLetters puts a capital that OCR read as one of another language, and parted from its word, back: "Ñ gành".
func joinLetters(words []word) []word {
	var out []word
	for i := 0; i < len(words); i++ {
		w := words[i]
		if i+1 < len(words) && (w.text == "Ñ" || w.text == "Ð") && strings.ToLower(words[i+1].text) == words[i+1].text {
			next := words[i+1]
			w.text, w.x1, w.y1, w.conf = w.text+next.text, next.x1, max(w.y1, next.y1), min(w.conf, next.conf)
			i++
		}
		out = append(out, w)
	}
	return out
}

// posts are words that begin the title of a head: "Giám đốc Sở Nội vụ".
var posts = []string{"giam", "chu", "chanh", "truong", "thu", "cuc", "tong", "bo", "vien", "chi", "bi"}

// mendColons gives a list of heads its semicolons back, which OCR takes for colons: a colon between two of them announces
// nothing.
func mendColons(words []word) {
	isPost := func(w word) bool { return startsUpper(w.text) && slices.Contains(posts, fold(w.text)) }
	for i := 1; i+1 < len(words); i++ {
		w := &words[i]
		before, ok := strings.CutSuffix(w.text, ":")
		if !ok || !isPost(words[i+1]) || before == "" || strings.ContainsAny(before, ")0123456789") || slices.Contains([]string{"sau", "gom", "la", "ba", "ong"}, fold(before)) {
			continue
		}
		for k := i - 1; k >= max(0, i-12); k-- {
			if strings.HasSuffix(words[k].text, ":") || fold(words[k].text) == "nhan" {
				break
			}
			if isPost(words[k]) && !strings.HasSuffix(words[k].text, ".") {
				w.text = before + ";"
				break
			}
		}
	}
}

// standingCommittee is what OCR makes of "TT" where its two letters run together. Before HĐND no other abbreviation of such
// letters stands.
var standingCommittee = regexp.MustCompile(`^(['’‘]?T|[FI1l]T|T[FI1l])$`)

var (
	signInCapitals = regexp.MustCompile(`(\p{Lu})['’‘(\[|]+(\p{Lu})`)
	twiceD         = regexp.MustCompile(`ĐĐ+`)
)

var quoteBefore = regexp.MustCompile(`^['’‘]+(\p{L})`)

// mendToken corrects a word by itself; the parts of "BCVT-CNTT" are words, too.
func mendToken(s string) string {
	s = strings.NewReplacer("Ð", "Đ", "ð", "đ", "Ñ", "N", "ñ", "n").Replace(quoteBefore.ReplaceAllString(s, "$1"))
	parts := strings.Split(s, "-")
	for i, p := range parts {
		parts[i] = mendCapitals(p)
	}
	return strings.Join(parts, "-")
}

// mendCapitals drops what OCR puts between capitals ("CNT'T", "UBMTT(Q") and gives well-known abbreviations their letters.
func mendCapitals(s string) string {
	if upperShare(s) < 1 {
		return s
	}
	if !strings.ContainsAny(s, ")]") {
		s = signInCapitals.ReplaceAllString(s, "$1$2")
	}
	s = twiceD.ReplaceAllString(s, "Đ")
	core := strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	if len([]rune(core)) < 4 || slices.Contains(abbreviations, core) {
		return s
	}
	known := ""
	for _, a := range abbreviations {
		if len([]rune(a)) < 4 || !strokes(core, a) {
			continue
		}
		if known != "" {
			return s
		}
		known = a
	}
	if known == "" {
		return s
	}
	return strings.Replace(s, core, known, 1)
}

// strokes says whether a differs from the abbreviation b only in letters that look like T, or in one more letter next to T.
func strokes(a, b string) bool {
	if bars(a) == bars(b) {
		return true
	}
	ra, rb := []rune(a), []rune(b)
	if len(ra) != len(rb)+1 {
		return false
	}
	for i := 1; i < len(ra); i++ {
		if bar(ra[i-1]) == 'T' && strings.ContainsRune("KREFY", ra[i]) && string(ra[:i])+string(ra[i+1:]) == b {
			return true
		}
	}
	return false
}

// bar gives the letters that are a stroke with bars, which OCR takes for one another, one name.
func bar(r rune) rune {
	if strings.ContainsRune("TLIJFE1l|!", r) {
		return 'T'
	}
	return r
}

// bars is s with such letters by that name, and once where several stand together: OCR miscounts them, too.
func bars(s string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range s {
		if r = bar(r); r != 'T' || last != 'T' {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// mendSymbol corrects the symbol of a number by what it abbreviates: the type, and the first letters of the issuer's name.
func (p *page) mendSymbol() {
	h := readHead(*p, false)
	if h.number == nil {
		return
	}
	initials := initialsOf(joinLines(h.issuer))
	for i := range p.words {
		w := &p.words[i]
		for _, n := range h.number.words {
			if w.x0 == n.x0 && w.y0 == n.y0 && w.text == n.text {
				mended := mendReference(w.text, initials)
				w.unsure = w.unsure || mended != w.text
				w.text = mended
				break
			}
		}
	}
}

// initialsOf gives the first letters of a name in capitals: STTTT for SỞ THÔNG TIN VÀ TRUYỀN THÔNG.
func initialsOf(name string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if f := viettext.Fold(w); f == "va" || f == "cua" {
			continue
		}
		r := []rune(w)[0]
		if d := plainRune(r); r != 'Đ' && r != 'đ' {
			r = unicode.ToUpper(d)
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// mendReference corrects the parts of a symbol behind the number's slash.
func mendReference(s, initials string) string {
	head, symbol, ok := strings.Cut(s, "/")
	if !ok {
		return s
	}
	var parts []string
	start := 0
	for i, r := range symbol + "-" {
		if r != '-' && r != '/' {
			continue
		}
		part := mendPart(symbol[start:i], initials)
		if i < len(symbol) {
			part += string(r)
		}
		parts = append(parts, part)
		start = i + 1
	}
	return head + "/" + strings.Join(parts, "")
}

// mendPart takes a part of a symbol for the type or the issuer when it differs from it only in strokes.
func mendPart(part, initials string) string {
	if symbolTypes[part] != "" || strings.HasPrefix(initials, part) || len([]rune(part)) < 3 {
		return part
	}
	if kind := "TTr"; bars(part) == bars(kind) && len(part) <= len(kind)+1 {
		return kind
	}
	rs := []rune(initials)
	best := ""
	n := len([]rune(part))
	for end := 3; end <= len(rs); end++ {
		off := end - n
		if bars(string(rs[:end])) == bars(part) && off*off <= 1 && (best == "" || end == n || end == len(rs)) {
			best = string(rs[:end])
		}
	}
	if best == "" {
		return part
	}
	return best
}
