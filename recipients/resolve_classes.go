package recipients

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// group reads tokens i to e as a phrase of classes: a group of the directory, less what it leaves out.
func (l *lister) group(i, e int) (piece, bool) {
	toks := l.toks[i:e]
	except, cut := l.exception(toks)
	toks = toks[:cut]
	if len(toks) == 0 {
		return piece{}, false
	}
	p := l.r.d.names.classes(toks)
	codes, why, ok := l.r.classCodes(p, i == 0)
	if !ok {
		return piece{}, false
	}
	if p.count > 0 && p.count != len(codes) {
		return piece{}, false
	}
	left, gone, ok := l.r.without(codes, except, p)
	if !ok {
		return piece{}, true // the group less nobody knows whom: all of it is the clerk's
	}
	if except == "" {
		left, ok = l.r.restrict(left, toks, p)
		if !ok {
			return piece{}, false
		}
	}
	if len(left) < len(codes) {
		why += fmt.Sprintf(", bớt %d đơn vị", len(codes)-len(left))
	}
	left = l.r.dropIssuer(left)
	return piece{verdict: known, codes: left, why: why, conf: sureGroup, gone: gone}, true
}

// dropIssuer leaves the issuer out of what it sends to.
func (r *reader) dropIssuer(codes []UnitCode) []UnitCode {
	if r.issuer == nil {
		return codes
	}
	return slices.DeleteFunc(slices.Clone(codes), func(c UnitCode) bool { return c == r.issuer.Code })
}

// classCodes finds what a phrase of classes stands for. "Các huyện" are their committees where they open the entry, in papers of
// the administration.
func (r *reader) classCodes(p classPhrase, opens bool) ([]UnitCode, string, bool) {
	if len(p.atoms) == 0 {
		return nil, "", false
	}
	districts := p.committee || p.plural
	if m, ok := r.d.matchGroups(p); ok && !m.empty && (districts || len(p.atoms) > 1) {
		names := make([]string, len(m.groups))
		for i, g := range m.groups {
			names[i] = "“" + g.Name + "”"
		}
		return m.codes, "nhóm " + strings.Join(names, ", "), true
	}
	if !p.committee && !(opens && p.plural && slices.Contains([]string{KindProvince, KindOffice, "so"}, r.issuerKind())) {
		return nil, "", false
	}
	for _, a := range p.atoms {
		if leadingClass(strings.Fields(a)) != a {
			return nil, "", false
		}
	}
	codes := r.d.districtClass(p.atoms)
	switch {
	case len(codes) == 0:
		return nil, "", false
	case p.plural && (len(codes) > 1 || p.count > 0):
		return codes, "các đơn vị cấp huyện loại " + strings.Join(p.atoms, ", "), true
	case !p.plural && len(codes) == 1 && len(p.atoms) == 1 && r.issuer != nil && !r.report:
		return codes, "đơn vị cấp huyện duy nhất loại này", true
	}
	return nil, "", false
}

// exceptWords begin an exception.
var exceptWords = [][]string{w("ngoai tru"), w("tru"), w("khong gui"), w("khong ke"), w("khong bao gom"), w("khong gom"), w("tru cac don vi"), w("tru don vi"),
	w("loai tru"), w("khong gui cho"), w("khong gui den"), w("khong tinh")}

// exceptionOf returns what a note says is left out, "" when it is no exception.
func exceptionOf(notes []note) string {
	for _, n := range notes {
		if rest, ok := cutException(n.text); ok {
			return rest
		}
	}
	return ""
}

// cutException returns what a text leaves out: it begins with "trừ", or has it behind a separator ("để thực hiện, trừ …").
func cutException(text string) (string, bool) {
	toks := scan(text)
	for k, t := range toks {
		if k > 0 && t.before&(sepStrong|sepDash) == 0 {
			continue
		}
		switch n := longest(toks[k:], exceptWords); {
		case n == 0:
		case k+n == len(toks):
			return "?", true
		default:
			return text[toks[k+n].pos:], true
		}
	}
	return "", false
}

// exception finds what a group phrase leaves out, in brackets or behind "trừ", and where the phrase itself ends.
func (l *lister) exception(toks []token) (except string, cut int) {
	for k, t := range toks {
		if except = exceptionOf(t.notes); except != "" {
			return except, len(toks)
		}
		if k > 0 {
			if n := longest(toks[k:], exceptWords); n > 0 && (t.raw != "Trừ") {
				if k+n >= len(toks) {
					return "?", k
				}
				return l.text[toks[k+n].pos:toks[len(toks)-1].end()], k
			}
		}
	}
	return "", len(toks)
}

// without takes the units that an exception names out of a group. An exception that names nobody, or a name that may be one
// of the group's, leaves the whole line to the clerk.
func (r *reader) without(codes []UnitCode, except string, p classPhrase) (left, gone []UnitCode, ok bool) {
	if except == "" {
		return codes, nil, true
	}
	gone, rest := r.shortNames(except, p)
	for _, name := range rest {
		if !r.foreign(name, codes) {
			return nil, nil, false
		}
	}
	if len(gone) == 0 && len(rest) == 0 {
		return nil, nil, false
	}
	return slices.DeleteFunc(slices.Clone(codes), func(c UnitCode) bool { return slices.Contains(gone, c) }), gone, true
}

// foreign reports whether a name that the directory does not know is a proper one, and like none of the units: "huyện Ia
// H'Drai" was never in the group. A class ("các huyện phía Bắc") and a name that may be the beginning of a member's are not.
func (r *reader) foreign(name string, codes []UnitCode) bool {
	proper := false
	toks := scan(name)
	if len(toks) > 12 {
		return false
	}
	for i, t := range toks {
		proper = proper || i > 0 && upperFirst(t.raw)
		if t.word == "cac" || t.word == "nhung" || t.before&sepColon != 0 {
			return false
		}
	}
	if !proper {
		return false
	}
	for _, m := range r.d.names.find(toks, 1) {
		if slices.Contains(codes, m.unit.Code) {
			return false
		}
	}
	own := foldWords(name)
	for _, c := range codes {
		if slices.ContainsFunc(r.d.names.words[r.d.byCode[c]], func(words []string) bool { return nearName(own, words) }) {
			return false
		}
	}
	return true
}

// nearName reports whether two names have the same number of words and each pair of words is at most one letter apart.
func nearName(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !oneEdit("....."+a[i], "....."+b[i]) {
			return false
		}
	}
	return true
}

// restrict reads a bracket behind a group that names some of its members: "Các Sở (Tài chính, Y tế)". Any other bracket that
// is no purpose leaves the line to the clerk.
func (r *reader) restrict(codes []UnitCode, toks []token, p classPhrase) ([]UnitCode, bool) {
	for _, t := range toks {
		for _, n := range t.notes {
			if harmlessNote(n.text) || onlyOffices(n.text) {
				continue
			}
			some, rest := r.shortNames(n.text, p)
			if len(some) == 0 || len(rest) > 0 {
				return nil, false
			}
			for _, c := range some {
				if !slices.Contains(codes, c) {
					return nil, false
				}
			}
			codes = some
		}
	}
	return codes, true
}

// harmlessNote reports whether a bracket says nothing about who is meant: a purpose, a number of copies, the way of sending.
func harmlessNote(text string) bool {
	if namesList(text) {
		return false
	}
	if _, ok := readPurpose(text); ok {
		return true
	}
	return manner.MatchString(viettext.Fold(text)) || allCodes(scan(text))
}

// onlyOffices reports whether a bracket names but an office, as another word for the one before it: "Giám đốc (Thủ trưởng)".
func onlyOffices(text string) bool {
	p, ok := readOffices(scan(text))
	return ok && len(p.body) == 0 && !p.member && !p.party
}

// namesList reports whether a text sends the reader to a list of names: then the words before do not say who is meant.
func namesList(text string) bool {
	return strings.Contains(viettext.Fold(text), "danh sach")
}

// maxShort is the number of words that a bracket of members may have.
const maxShort = 150

// shortNames reads a list of members that may leave out the class: "Sa Thầy và Kon Plông", "Y tế". It returns the codes and
// the names that it does not know.
func (r *reader) shortNames(text string, p classPhrase) (codes []UnitCode, rest []string) {
	l := &lister{r: r, text: text, toks: scan(text)}
	if len(l.toks) > maxShort {
		return nil, []string{text}
	}
	m := l.roster(headsOf(p))
	for i := 0; i < len(l.toks); {
		if own, start, ok := l.classHead(i); ok { // "trừ các Sở: Y tế, Tư pháp"
			m, i = l.roster(headsOf(own)), start
		}
		pc, e := m.member(i)
		if pc.verdict == unknown {
			rest = append(rest, l.slice(i, e))
		}
		codes = append(codes, pc.codes...)
		i = e
	}
	return codes, rest
}

// headsOf returns the words that a member of the classes may have lost at its front.
func headsOf(p classPhrase) [][]token {
	var heads [][]token
	for _, a := range p.atoms {
		switch {
		case leadingClass(strings.Fields(a)) == a && a != "":
			heads = append(heads, made("uy ban nhan dan "+a))
		case classHeads[a]:
			heads = append(heads, made(a))
		}
	}
	if p.committee || slices.ContainsFunc(p.atoms, func(a string) bool { return leadingClass(strings.Fields(a)) == a }) {
		heads = append(heads, made("uy ban nhan dan"))
	}
	return heads
}

// classHeads are the classes whose word stands at the front of each member's name.
var classHeads = map[string]bool{"so": true, "bo": true, "ban": true, "hoi": true, "truong": true, "cuc": true, "chi cuc": true, "trung tam": true,
	"cong ty": true, "benh vien": true, "ngan hang": true, "dai": true, "bao": true, "lien minh": true, "ban quan ly": true, "bql": true, "vien": true,
	"van phong": true, "thuong truc": true}

// A roster is a list of members whose class stands in front of it.
type roster struct {
	*lister
	heads [][]token // what a member may have lost at its front
	known map[int]reading
}

// A reading is a piece and where it ends.
type reading struct {
	piece piece
	end   int
}

func (l *lister) roster(heads [][]token) *roster {
	return &roster{l, heads, map[int]reading{}}
}

// member reads the piece at i as a member that may have lost its head, else as any name.
func (m *roster) member(i int) (piece, int) {
	r, ok := m.known[i]
	if !ok {
		r.piece, r.end = m.readMember(i)
		r.piece.text = m.slice(i, r.end)
		m.known[i] = r
	}
	return r.piece, r.end
}

func (m *roster) readMember(i int) (piece, int) {
	for _, e := range m.ends(i) {
		for _, h := range m.heads {
			u, match, ok := m.headed(h, m.toks[i:e], e)
			if !ok {
				continue
			}
			p := m.r.named(u, match)
			p.loose = match.partial
			if m.divided(&p, e) {
				return p, e
			}
		}
		if officeHead(m.heads) {
			continue
		}
		if p, ok := m.read(i, e); ok && m.divided(&p, e) {
			return p, e
		}
	}
	e := i + 1
	for m.before(e)&sepStrong == 0 && !(m.before(e)&sepAnd != 0 && upperFirst(m.toks[e].raw)) {
		e++
	}
	return piece{}, e
}

// divided is divides for a list of members.
func (m *roster) divided(p *piece, e int) bool {
	if m.before(e)&sepStrong != 0 {
		return true
	}
	if right, _ := m.member(e); right.verdict != unknown {
		return true
	}
	return m.before(e)&(sepDash|sepDot) == 0 && !p.loose && upperFirst(m.toks[e].raw)
}

func upperFirst(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}

// headed reads a member behind its head: whole, with the tail of the names behind it, or as the one board of the issuer's
// house that begins so.
func (l *lister) headed(h, toks []token, e int) (*Unit, nameMatch, bool) {
	name := slices.Concat(h, toks)
	name[len(h)].before = sepSpace // the colon has done its work
	u, m, ok := l.r.decide(name)
	if ok && !m.bare || ok && l.tailBehind(e) == tailProvince {
		return u, m, true
	}
	for _, t := range l.lastTails() {
		if u, m, ok := l.r.decide(slices.Concat(name, t)); ok && !m.bare && !m.partial {
			return u, m, true
		}
	}
	var one *Unit
	for _, m := range l.r.d.names.find(name, 0) {
		if l.r.issuer == nil || !m.partial || m.unit.Parent != l.r.issuer.Code && m.unit.Parent != l.r.issuer.Parent || m.unit.Parent == "" {
			continue
		}
		if one != nil {
			return nil, nameMatch{}, false
		}
		one = m.unit
	}
	return one, nameMatch{unit: one, made: true}, one != nil
}

// lastTails returns the last one to four words of the entry.
func (l *lister) lastTails() [][]token {
	var tails [][]token
	n := len(l.toks)
	for k := 4; k > 0; k-- {
		if n > k && !slices.ContainsFunc(l.toks[n-k+1:], func(t token) bool { return t.before&(sepStrong|sepColon) != 0 }) {
			tails = append(tails, l.toks[n-k:])
		}
	}
	return tails
}

// officeHead reports whether the class is a part of bodies: "Văn phòng: Tỉnh ủy, UBND tỉnh" names no body but its office.
func officeHead(heads [][]token) bool {
	return len(heads) > 0 && (startsWith(heads[0], w("van phong")) || startsWith(heads[0], w("thuong truc")))
}

// distribute reads a list whose class stands once in front: "Các Sở: A, B", "UBND các huyện A, B và thành phố C", "Giám đốc
// các Sở: …". It adds its pieces and returns where it ends.
func (l *lister) distribute(i int) (int, bool) {
	p, start, ok := l.classHead(i)
	if !ok {
		return 0, false
	}
	m := l.roster(headsOf(p))
	heads := m.heads
	head := l.slice(i, start)
	var pieces []piece
	some := false
	at := start
	for at < len(l.toks) {
		if at == start && l.toks[at].before&sepColon == 0 && !l.headedAt(at, heads) {
			return 0, false // "Các Ban HĐND tỉnh" is a class of that body's
		}
		if at > start {
			if _, _, ok := l.classHead(at); ok && l.toks[at].word != "ban" {
				break
			}
			if l.toks[at].before&sepSemi != 0 && !l.membersFrom(at, heads) {
				break
			}
		}
		pc, e := m.member(at)
		pc.head, pc.from, pc.to = l.toks[at:e], at, e
		some = some || pc.verdict == known
		if pc.verdict == unknown {
			pc.text = l.slice(at, e)
			if _, office := longestOffice(l.toks[at:e]); len(p.atoms) == 1 && office == 0 {
				pc.text = pluralWord.ReplaceAllString(head, "") + " " + pc.text
			}
		}
		pieces = append(pieces, pc)
		at = e
	}
	if !some {
		return 0, false
	}
	pieces[0].from = i
	l.out = append(l.out, pieces...)
	return at, true
}

// headedAt reports whether the name at i is a member's without its head.
func (l *lister) headedAt(i int, heads [][]token) bool {
	for _, e := range l.ends(i) {
		for _, h := range heads {
			if _, _, ok := l.headed(h, l.toks[i:e], e); ok {
				return true
			}
		}
	}
	return false
}

// pluralWord is the "các" that a single member's name loses.
var pluralWord = regexp.MustCompile(`(?i)các\s+`)

// membersFrom reports whether the list of members goes on at i: with one, or with a name that is nobody else's and one further on.
func (l *lister) membersFrom(i int, heads [][]token) bool {
	for i < len(l.toks) {
		if l.bareMember(i, heads) {
			return true
		}
		if l.peek(i).verdict != unknown || longest(l.toks[i:], wholeHeads) > 0 {
			return false
		}
		for i++; i < len(l.toks) && l.toks[i].before&sepSemi == 0; i++ {
		}
	}
	return false
}

// wholeHeads begin names that bring their own class.
var wholeHeads = [][]string{w("cac"), w("so"), w("bo"), w("cuc"), w("chi cuc"), w("ubnd"), w("uy ban"), w("hdnd"), w("hoi"), w("cong an"), w("cong ty"), w("truong"), w("trung tam"),
	w("van phong"), w("vp"), w("thuong truc"), w("tt"), w("phong"), w("doan"), w("ong"), w("ba")}

// bareMember reports whether behind a semicolon the list of members goes on: a member's name without its head.
func (l *lister) bareMember(i int, heads [][]token) bool {
	for _, e := range l.ends(i) {
		if _, ok := l.read(i, e); ok {
			return false
		}
		for _, h := range heads {
			name := slices.Concat(h, l.toks[i:e])
			name[len(h)].before = sepSpace
			if _, m, ok := l.r.decide(name); ok && !m.bare && !m.partial {
				return true
			}
		}
	}
	return false
}

// classHead reads the class in front of a list of members: "Các Sở", "Các sở, ngành:", "UBND các huyện", "Sở:". start is the
// first token of the list.
func (l *lister) classHead(i int) (p classPhrase, start int, ok bool) {
	limit := min(len(l.toks), i+14)
	for e := i + 1; e < limit; e++ {
		if l.toks[e].before&sepSemi != 0 {
			break
		}
		colon := l.toks[e].before&sepColon != 0
		if !colon && l.toks[e].before&(sepStrong|sepWeak) != 0 {
			continue
		}
		cp := l.r.d.names.classes(l.toks[i:e])
		if len(cp.atoms) == 0 || !allClasses(cp.atoms) || !colon && !cp.plural {
			continue
		}
		if !colon && (len(cp.atoms) > 1 || !upperFirst(l.toks[e].raw)) {
			continue
		}
		p, start, ok = cp, e, true
		if colon {
			return p, start, true
		}
	}
	return p, start, ok
}

func allClasses(atoms []string) bool {
	for _, a := range atoms {
		if !classHeads[a] && a != "nganh" && a != "don vi" && a != "co quan" && a != "doan the" && a != "dia phuong" && (leadingClass(strings.Fields(a)) != a || a == "") && a != "xa" && a != "phuong" && a != "thi tran" {
			return false
		}
	}
	return true
}
