package recipients

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A verdict says what one piece of an entry is.
type verdict uint8

const (
	unknown verdict = iota
	known           // units of the directory
	inHouse         // people and rooms of the issuer, and what else needs no copy
	nobody          // words that name nobody: "các đơn vị có liên quan"
)

// A piece is one name, group or person in the list that an entry is.
type piece struct {
	verdict verdict
	text    string
	codes   []UnitCode
	why     string
	conf    float64
	loose   bool    // read as the beginning of a name, or without its tail: not certain enough to divide at a weak separator
	head    []token // the words of the unit's name, from which a following piece may take its first
	unit    *Unit   // when it is one unit
	lent    []token // the words that the name before lent to it
	from    int     // the tokens that it was read from
	to      int
	gone    []UnitCode // what an exception takes out of every group of the entry
	after   bool       // a semicolon stands before it
	said    bool       // needs no copy, but is a name that a line of its own is to account for
}

// A reader resolves the entries of one document.
type reader struct {
	d       *Directory
	issuer  *Unit
	article bool // reading a Điều: heads are their bodies
	report  bool // the entry is sent "để báo cáo": upwards

	ministries bool // the document goes to all ministries: a name that a central body has too is not the province's
}

func (r *reader) issuerKind() string {
	if r.issuer == nil {
		return ""
	}
	return r.issuer.Kind
}

// A lister reads the list in one entry.
type lister struct {
	r    *reader
	text string
	toks []token
	out  []piece
	seen map[int]piece // what peek read at a token
}

// list reads a text as a list of names.
func (r *reader) list(text string) []piece {
	l := &lister{r: r, text: text, toks: dropCounts(scan(text))}
	if len(l.toks) > maxWords {
		return []piece{{text: text}}
	}
	if l.generalProvinces() {
		return []piece{{text: text}}
	}
	for i := 0; i < len(l.toks); {
		i = l.next(i)
	}
	return oneName(text, l.settlePlaces(l.joinClasses(l.out)))
}

// joinClasses reads classes as one group that stand in several pieces: "Giám đốc các Sở; Thủ trưởng các ban, ngành".
func (l *lister) joinClasses(pieces []piece) []piece {
	for i := 0; i < len(pieces); i++ {
		var all classPhrase
		for j := i; j < min(len(pieces), i+4) && pieces[j].verdict == unknown; j++ {
			toks := l.toks[pieces[j].from:pieces[j].to]
			p := l.r.d.names.classes(toks)
			if len(p.atoms) == 0 || p.count > 0 || p.committee || !p.plural || slices.ContainsFunc(toks, func(t token) bool { return len(t.notes) > 0 }) {
				break
			}
			all.plural = true
			all.atoms = append(all.atoms, p.atoms...)
			slices.Sort(all.atoms)
			all.atoms = slices.Compact(all.atoms)
			if j == i {
				continue
			}
			if codes, why, ok := l.r.classCodes(all, false); ok {
				first, last := pieces[i], pieces[j]
				joined := piece{verdict: known, text: l.slice(first.from, last.to), codes: l.r.dropIssuer(codes), why: why, conf: sureGroup,
					from: first.from, to: last.to, after: first.after}
				pieces = slices.Replace(pieces, i, j+1, joined)
				break
			}
		}
	}
	return pieces
}

// generalProvinces reports whether an entry of one part speaks of provinces in general: "Sở Tài chính, Cục Thuế các tỉnh" names
// none of ours.
func (l *lister) generalProvinces() bool {
	level := l.r.d.names.level[0]
	many := false
	for i, t := range l.toks {
		if i > 0 && t.before&sepSemi != 0 {
			return false
		}
		if t.word == level {
			if !l.manyProvinces(i) {
				return false
			}
			many = true
		}
	}
	return many
}

// oneName finds lists that are one name of a body inside another ("Vụ Pháp chế, Bộ Nội vụ"; "VP HĐND, UBND huyện Đăk Tô"): what
// stands last is then no recipient.
func oneName(text string, pieces []piece) []piece {
	for i := 0; i+1 < len(pieces); i++ {
		p, q := pieces[i], pieces[i+1]
		if p.verdict != unknown || q.verdict != known || q.unit == nil || q.after {
			continue
		}
		toks := scan(p.text)
		inside := len(pieces) == 2 && (q.unit.Kind == KindCentral && foldWords(q.unit.Name)[0] == "bo" && longest(toks, centralParts) > 0 ||
			(q.unit.Kind == KindCentral && foldWords(q.unit.Name)[0] == "bo" || q.unit.Kind == "so" || q.unit.Kind == KindDistrict) && longest(toks, bodyParts) > 0)
		office := longest(toks, officeParts) > 0 && toks[len(toks)-1].word == "hdnd" && scan(q.text)[0].word == "ubnd"
		if inside || office {
			pieces[i] = piece{text: p.text + ", " + q.text, from: p.from, to: q.to}
			pieces = slices.Delete(pieces, i+1, i+2)
		}
	}
	if len(pieces) == 1 && pieces[0].verdict == unknown {
		pieces[0].text = text
	}
	return pieces
}

var (
	centralParts = [][]string{w("cuc"), w("vu"), w("tong cuc"), w("vien"), w("van phong"), w("vp"), w("thanh tra")}
	bodyParts    = [][]string{w("phong"), w("p"), w("thanh tra"), w("chi cuc"), w("khoa"), w("ban")}
	officeParts  = [][]string{w("van phong"), w("vp"), w("lanh dao"), w("chuyen vien")}
)

// slice is the text of tokens i to e, with the notes of the last one.
func (l *lister) slice(i, e int) string {
	if i >= e {
		return ""
	}
	end := l.toks[e-1].end()
	for _, n := range l.toks[e-1].notes {
		if !harmlessNote(n.text) {
			end = min(n.pos+len(n.text)+1, len(l.text))
		}
	}
	return strings.TrimSpace(l.text[l.toks[i].pos:end])
}

// before is the separator at a boundary; the end of the list is a strong one.
func (l *lister) before(e int) separator {
	if e >= len(l.toks) {
		return sepSemi
	}
	return l.toks[e].before
}

// maxName is the number of words that a name or a group with its exceptions may have, maxWords that of an entry. What is longer
// is no list of recipients, and would only cost time.
const (
	maxName  = 40
	maxWords = 600
)

// ends lists the boundaries behind token i, farthest first, not past a semicolon.
func (l *lister) ends(i int) []int {
	var ends []int
	for e := i + 1; e <= min(len(l.toks), i+maxName); e++ {
		sep := l.before(e)
		if sep&(sepStrong|sepWeak|sepColon) != 0 {
			ends = append(ends, e)
		}
		if sep&sepSemi != 0 || len(ends) > 24 {
			break
		}
	}
	slices.Reverse(ends)
	return ends
}

// strongEnd is the next comma, semicolon or colon behind token i.
func (l *lister) strongEnd(i int) int {
	e := i + 1
	for l.before(e)&(sepStrong|sepColon) == 0 {
		e++
	}
	return e
}

// unknownEnd is where a name ends that is not known: at the next strong separator, or in an article at an "và" behind which
// somebody else is named.
func (l *lister) unknownEnd(i int) int {
	end := l.classesEnd(i, l.strongEnd(i))
	if !l.r.article {
		return end
	}
	for e := i + 1; e < end; e++ {
		if l.before(e)&sepAnd == 0 {
			continue
		}
		rest := l.toks[e:]
		if right := l.peek(e); right.verdict != unknown || rest[0].word == "cac" || hasPhrase(rest, [][]string{w("ong"), w("ba")}) {
			return e
		}
		if _, ok := readOffices(rest); ok {
			return e
		}
	}
	return end
}

// classesEnd takes the classes that go on behind a comma to an unknown name that ends in one: "Phòng Nội vụ các huyện, thị xã".
func (l *lister) classesEnd(i, end int) int {
	if !slices.ContainsFunc(l.toks[i:end], func(t token) bool { return t.word == "cac" }) {
		return end
	}
	for end < len(l.toks) && l.before(end)&(sepComma|sepAnd) != 0 && l.before(end)&sepSemi == 0 {
		e := end + 1
		for l.before(e)&(sepStrong|sepAnd|sepColon) == 0 {
			e++
		}
		p := l.r.d.names.classes(l.toks[end:e])
		if len(p.atoms) == 0 || p.plural || p.committee || !allClasses(p.atoms) {
			break
		}
		end = e
	}
	return end
}

// peek reads the piece at i without adding it.
func (l *lister) peek(i int) piece {
	if p, ok := l.seen[i]; ok {
		return p
	}
	if l.seen == nil {
		l.seen = map[int]piece{}
	}
	rest := &lister{r: l.r, text: l.text, toks: l.toks, seen: l.seen}
	rest.next(i)
	l.seen[i] = rest.out[0]
	return rest.out[0]
}

// next reads the piece at token i and returns where the one after it begins.
func (l *lister) next(i int) int {
	for _, e := range l.ends(i) {
		p, ok := l.read(i, e)
		if !ok {
			continue
		}
		if l.before(e)&sepColon != 0 && e < len(l.toks) {
			if p.unit == nil && !(p.verdict == inHouse && l.houseBehind(e)) {
				continue // "Các Sở, ngành: …" is a list, not the group
			}
			if p.unit != nil && p.unit.Kind == KindCentral {
				return l.add(p, i, len(l.toks)) // "VPCP: BTCN, …; các Vụ, Công báo": all of it is that office's
			}
			return l.add(p, i, l.colonEnd(e))
		}
		if l.before(e)&sepStrong == 0 && !l.divides(&p, e) {
			continue
		}
		if p.verdict == known && p.unit != nil && l.before(e)&sepDash != 0 && e < len(l.toks) {
			if end, ok := l.parentBehind(p.unit, e); ok {
				return l.add(p, i, end)
			}
		}
		return l.add(p, i, e)
	}
	if end, ok := l.distribute(i); ok {
		return end
	}
	if p, e, ok := l.borrow(i); ok {
		return l.add(p, i, e)
	}
	e := l.unknownEnd(i)
	if e < len(l.toks) && l.before(e)&sepColon != 0 {
		e = l.colonEnd(e)
	}
	last := len(l.out) - 1
	end := l.add(piece{}, i, e)
	if last >= 0 && len(l.out[last].lent) > 0 && l.before(i)&sepComma != 0 {
		l.out[last+1].text = rawText(l.out[last].lent) + " " + l.out[last+1].text
	}
	if tail := l.councilTail(i, e); tail != "" {
		l.out[len(l.out)-1].text += " " + tail
	}
	return end
}

// rawText is the text of tokens as written, with plain spaces between.
func rawText(toks []token) string {
	words := make([]string, len(toks))
	for i, t := range toks {
		words[i] = t.raw
	}
	return strings.Join(words, " ")
}

// councilTail returns the districts that stand behind the name after an unknown one which ends in HĐND: in "TT HĐND, UBND các
// huyện" both are the districts'.
func (l *lister) councilTail(i, e int) string {
	if e >= len(l.toks) || l.toks[e-1].word != "hdnd" || longest(l.toks[i:], officeParts) > 0 || l.before(e)&(sepComma|sepAnd) == 0 || l.before(e)&sepSemi != 0 || l.toks[e].word != "ubnd" {
		return ""
	}
	for _, end := range l.ends(e) {
		if p, ok := l.group(e, end); ok && p.verdict == known {
			return l.slice(e+1, end)
		}
		if p, ok := l.unit(e, end); ok && p.unit.Kind == KindDistrict {
			return l.slice(e+1, end)
		}
	}
	return ""
}

func (l *lister) add(p piece, i, e int) int {
	p.text, p.from, p.to, p.after = l.slice(i, e), i, e, l.toks[i].before&sepSemi != 0
	if p.head == nil {
		p.head = l.toks[i:e]
	}
	l.out = append(l.out, p)
	return e
}

// houseBehind reports whether behind a colon stand the house's people, rooms or their marks.
func (l *lister) houseBehind(e int) bool {
	rest := l.toks[e:l.colonEnd(e)]
	return l.peek(e).verdict == inHouse || allCodes(rest) || allNames(rest)
}

// allNames reports whether words can only be people's: each with one capital in front.
func allNames(toks []token) bool {
	return !slices.ContainsFunc(toks, func(t token) bool { return !upperFirst(t.raw) || isCode(t.raw) && len(t.raw) > 1 })
}

// colonEnd is where the list behind a colon ends: the people and rooms of "VP UBND tỉnh: CVP, …" belong to it.
func (l *lister) colonEnd(e int) int {
	for l.before(e)&sepSemi == 0 || e == len(l.toks) {
		if e++; e >= len(l.toks) {
			return len(l.toks)
		}
	}
	return e
}

// read reads tokens i to e as one piece.
func (l *lister) read(i, e int) (piece, bool) {
	if p, ok := l.unit(i, e); ok {
		return p, true
	}
	if p, ok := l.ownCommittee(l.toks[i:e]); ok {
		return p, true
	}
	if p, ok := l.group(i, e); ok {
		return p, true
	}
	if p, ok := l.house(i, e); ok {
		return p, true
	}
	if l.r.article && isNobody(l.toks[i:e]) {
		return piece{verdict: nobody}, true
	}
	return l.publication(i, e)
}

// ownCommittee reads "UBND huyện" in that district's own papers.
func (l *lister) ownCommittee(toks []token) (piece, bool) {
	if l.r.issuerKind() != KindDistrict || toks[0].word != "ubnd" && !startsWith(toks, w("uy ban nhan dan")) {
		return piece{}, false
	}
	words := make([]string, len(toks))
	for i, t := range toks {
		words[i] = t.word
	}
	return piece{verdict: inHouse, why: "chính là cơ quan ban hành"}, ownDistrict(strings.Join(words, " "))
}

// divides reports whether the list may be cut at the weak separator before token e: both sides must be names. A name that
// was read loosely may only be its beginning.
func (l *lister) divides(p *piece, e int) bool {
	right := l.peek(e)
	if p.verdict == inHouse && p.unit == nil && right.verdict == known && l.before(e)&sepDash != 0 {
		return false // "Phòng Kế toán - KBNN tỉnh" is that body's room
	}
	if right.verdict != unknown {
		return true
	}
	if l.before(e)&(sepDash|sepDot) != 0 || p.loose {
		return false
	}
	if p.verdict == known && p.unit == nil && l.toks[e].word == "cac" && l.tailBehind(e) != tailLower {
		return true // one class and then another
	}
	first, _ := utf8.DecodeRuneInString(l.toks[e].raw)
	return unicode.IsUpper(first) && p.verdict == known || l.r.article
}

// parentBehind reports whether behind the dash stands only the body above the unit: "Chi cục Kiểm lâm - Sở NN&PTNT".
func (l *lister) parentBehind(u *Unit, e int) (int, bool) {
	for _, end := range l.ends(e) {
		if v, _, ok := l.r.decide(l.toks[e:end]); ok && v.Code == u.Parent {
			return end, true
		}
	}
	return 0, false
}

// borrow reads tokens at i with words of their neighbours: the head of the name before ("Hội Nông dân, Phụ nữ tỉnh"), the tail
// of the name behind ("Ban Pháp chế, Ban KT-NS HĐND tỉnh").
func (l *lister) borrow(i int) (piece, int, bool) {
	for _, e := range l.ends(i) {
		if l.before(e)&sepColon != 0 && e < len(l.toks) || l.before(e)&(sepStrong|sepAnd) == 0 {
			continue
		}
		toks := slices.Clone(l.toks[i:e])
		toks[0].before = sepSpace
		if len(toks) > 8 {
			continue
		}
		if l.elsewhere(nil, toks, true) {
			continue
		}
		tails := l.tails(i, e)
		for _, t := range tails {
			if p, ok := l.borrowed(slices.Concat(toks, t)); ok {
				return p, e, true
			}
		}
		for _, h := range l.heads(i) {
			for _, t := range append([][]token{nil}, tails...) {
				if p, ok := l.borrowed(slices.Concat(h, toks, t)); ok {
					p.head, p.lent = slices.Concat(h, toks), h
					return p, e, true
				}
			}
		}
	}
	return piece{}, 0, false
}

func (l *lister) borrowed(toks []token) (piece, bool) {
	u, m, ok := l.r.decide(toks)
	if !ok || m.partial || m.bare || m.fuzzy > 0 || u == l.r.issuer {
		return piece{}, false
	}
	p := l.r.named(u, m)
	p.why, p.conf = "hiểu là “"+u.Name+"” theo từ dùng chung trong dòng", sureShared
	return p, true
}

// heads returns the first word, and the first two, of the unit just before in the same part of the list.
func (l *lister) heads(i int) [][]token {
	if len(l.out) == 0 || l.toks[i].before&(sepComma|sepAnd|sepSemi) == 0 {
		return nil
	}
	last := l.out[len(l.out)-1]
	if last.unit == nil || len(last.head) < 2 {
		return nil
	}
	if l.toks[i].before&sepSemi != 0 && last.unit.Kind != KindDistrict && last.unit.Kind != "so" {
		return nil // a semicolon parts bodies, but not the members of these two classes: "UBND huyện Sa Thầy; Kon Rẫy"
	}
	head := last.head
	if _, n := longestOffice(head); n > 0 && n+2 < len(head) {
		head = head[n:]
	}
	heads := [][]token{head[:1]}
	if len(head) > 2 {
		heads = append(heads, head[:2])
	}
	if n := longest(head, districtHeads); n > 2 && n < len(head) {
		heads = append(heads, head[:n])
	}
	return heads
}

// districtHeads are the heads of more than two words that the names of districts share.
var districtHeads = [][]string{w("uy ban nhan dan huyen"), w("uy ban nhan dan thi xa"), w("uy ban nhan dan thanh pho"), w("uy ban nhan dan quan"), w("ubnd thi xa"),
	w("ubnd thanh pho")}

// tails returns the last words of the names behind e, longest first, when those are names themselves, with the first word of
// the name at i or without.
func (l *lister) tails(i, e int) [][]token {
	heads := append(l.heads(i), l.toks[i:i+1])
	end := e
	for n := 0; end < len(l.toks) && n < 4; n++ {
		if l.before(end)&(sepComma|sepAnd) == 0 || l.before(end)&sepSemi != 0 {
			break
		}
		start := end
		end = start + 1
		for l.before(end)&(sepStrong|sepAnd|sepColon) == 0 {
			end++
		}
		if !l.nameOf(l.toks[start:end], heads) {
			continue
		}
		var tails [][]token
		for k := 1; k < end-start && k <= 4; k++ {
			tails = append(tails, l.toks[end-k:end])
		}
		slices.Reverse(tails)
		return tails
	}
	return nil
}

// nameOf reports whether words are the full name of a body, as they stand or behind one of the heads.
func (l *lister) nameOf(toks []token, heads [][]token) bool {
	u, m, ok := l.r.decide(toks)
	if ok && !m.bare && !m.partial && u.Kind != KindDistrict {
		return true
	}
	return slices.ContainsFunc(heads, func(h []token) bool {
		u, m, ok := l.r.decide(slices.Concat(h, toks))
		return ok && !m.bare && !m.partial && u.Kind != KindDistrict
	})
}

// publication reads websites, gazettes, newspapers and broadcasters that have no entry: they need no copy.
func (l *lister) publication(i, e int) (piece, bool) {
	toks := l.toks[i:e]
	for _, t := range toks[1:] {
		if t.before&sepComma != 0 {
			return piece{}, false
		}
	}
	if toks[0].word == "dang" && len(toks) > 1 {
		toks = toks[1:]
	}
	if longest(toks, [][]string{w("bao hiem"), w("bao tang"), w("bao ve"), w("bao tro"), w("bao ton")}) > 0 {
		return piece{}, false // Bảo, not Báo
	}
	agency := slices.ContainsFunc(toks, func(t token) bool { return t.word == "ttxvn" })
	if !agency && longest(toks, publicationWords) == 0 || slices.ContainsFunc(toks, func(t token) bool { return t.word == "cac" || t.word == "huyen" }) {
		return piece{}, false
	}
	return piece{verdict: inHouse, why: "nơi đăng tải, không có hộp thư trong danh bạ", said: slices.ContainsFunc(toks, func(t token) bool { return upperFirst(t.raw) })}, true
}

var publicationWords = [][]string{w("website"), w("web"), w("trang web"), w("trang thong tin"), w("trang tin"), w("trang ttdt"), w("cong thong tin"),
	w("cong ttdt"), w("cong bao"), w("co so du lieu"), w("csdl"), w("ttxvn"), w("thong tan xa"), w("vtv"), w("vov"), w("bao"), w("tap chi"), w("dai truyen hinh"),
	w("dai tieng noi"), w("dai pt th"), w("dai ptth"), w("ban tin")}

// isNobody reports whether words name nobody in particular: "các tổ chức, cá nhân có liên quan".
func isNobody(toks []token) bool {
	related := false
	for _, t := range toks {
		switch t.word {
		case "lien", "quan":
			related = true
		case "cac", "to", "chuc", "ca", "nhan", "don", "vi", "co", "thu", "truong", "nganh", "tren", "dia", "ban", "tinh", "moi", "cong", "dan", "nguoi",
			"dung", "dau", "ho", "gia", "dinh", "doanh", "nghiep", "va":
		default:
			return false
		}
	}
	return related
}
