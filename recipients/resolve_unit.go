package recipients

import "slices"

// unit reads tokens i to e as the name of one unit.
func (l *lister) unit(i, e int) (piece, bool) {
	toks := l.toks[i:e]
	if notes := toks[len(toks)-1].notes; len(notes) > 0 {
		long := slices.Concat(toks, scan(notes[0].text))
		if u, m, ok := l.r.decide(long); ok && !m.bare && !m.partial {
			return l.r.named(u, m), true
		}
		if exceptionOf(notes) != "" {
			return piece{}, false
		}
		if u, _, ok := l.r.decide(toks); ok && l.likeAChild(u, long) {
			return piece{}, false
		}
	}
	u, m, ok := l.r.decide(toks)
	if v := l.houseBoard(toks); v != nil && v != u {
		return l.r.named(v, nameMatch{unit: v, bare: true}), true
	}
	if !ok {
		return l.press(toks, e)
	}
	if l.elsewhere(u, toks, m.bare) {
		return piece{}, false
	}
	if m.bare {
		peopleBehind := u == l.r.issuer && e < len(l.toks) && l.before(e)&sepColon != 0
		if !peopleBehind && (u == l.r.issuer || !l.bareOK(u, toks, e)) {
			return piece{}, false
		}
	}
	return l.r.named(u, m), true
}

// likeAChild reports whether a name with its bracket is nearly that of a unit below the one it begins with: "Bộ Tư pháp (Cụe Kiểm tra
// văn bản)" is hardly the ministry.
func (l *lister) likeAChild(u *Unit, long []token) bool {
	want := bigrams(rawText(long))
	for i := range l.r.d.units {
		if l.r.d.units[i].Parent != u.Code {
			continue
		}
		for j, words := range l.r.d.names.words[i] {
			if len(words) > 0 && words[0] == long[0].word && dice(want, l.r.d.names.grams[i][j]) >= 0.78 {
				return true
			}
		}
	}
	return false
}

// houseBoard returns the one board of the issuer's house whose name begins so: "Ban Dân tộc" in papers of the council is its own and
// not that of the administration.
func (l *lister) houseBoard(toks []token) *Unit {
	if toks[0].word != "ban" || syllables(toks) < 3 || l.r.issuer == nil || len(toks[len(toks)-1].notes) > 0 || l.saysLevel(toks) {
		return nil
	}
	var one *Unit
	for _, m := range l.r.d.names.find(toks, 0) {
		u := m.unit
		if !m.partial || m.abbrev || u.Parent == "" || u.Parent != l.r.issuer.Code && u.Parent != l.r.issuer.Parent {
			continue
		}
		if one != nil && one != u {
			return nil
		}
		one = u
	}
	return one
}

// press reads "Đài tỉnh" and, beside it, "Báo": the province's one broadcaster and newspaper.
func (l *lister) press(toks []token, e int) (piece, bool) {
	first := toks[0].word
	if first != "bao" && first != "dai" || !(len(toks) == 1 && l.tailBehind(e) == tailProvince || len(toks) == 2 && toks[1].word == l.r.d.names.level[0]) {
		return piece{}, false
	}
	var one *Unit
	for i := range l.r.d.units {
		u := &l.r.d.units[i]
		if u.Kind != KindPress || foldWords(u.Name)[0] != first {
			continue
		}
		if one != nil {
			return piece{}, false
		}
		one = u
	}
	if one == nil {
		return piece{}, false
	}
	return l.r.named(one, nameMatch{made: true}), true
}

// How sure a reading is, by what it rests on. A line is as sure as the least sure of its names.
const (
	sureName    = 1.00 // the name as it stands in the directory
	sureAlias   = 0.98 // an alias of the directory
	sureLearned = 0.97 // an alias that a clerk decided
	sureMade    = 0.96 // a form of a name with the province behind it or not
	sureAbbrev  = 0.95 // read by its initials
	surePerson  = 0.94 // by those who lead it
	sureBare    = 0.92 // without its level
	sureShared  = 0.91 // with words that its neighbours lend
	surePartial = 0.88 // the beginning of its name
	sureFuzzy   = 0.85 // a letter corrected
	sureGroup   = 0.80 // a member of a group
)

// named is the piece for a unit that a name was read as.
func (r *reader) named(u *Unit, m nameMatch) piece {
	p := piece{verdict: known, codes: []UnitCode{u.Code}, unit: u, loose: m.partial || m.bare}
	switch {
	case u == r.issuer:
		return piece{verdict: inHouse, why: "chính là cơ quan ban hành", unit: u}
	case m.fuzzy > 0:
		p.why, p.conf = "gần đúng tên “"+u.Name+"”, có lỗi nhận dạng chữ", sureFuzzy
	case m.partial:
		p.why, p.conf = "tên rút gọn, chỉ một đơn vị có tên bắt đầu như vậy: “"+u.Name+"”", surePartial
	case m.bare:
		p.why, p.conf = "tên không ghi “tỉnh” của “"+u.Name+"”", sureBare
	case m.abbrev:
		p.why, p.conf = "viết tắt của “"+u.Name+"”", sureAbbrev
	case m.made:
		p.why, p.conf = "cách viết khác của “"+u.Name+"”", sureMade
	case m.learned != nil:
		p.why, p.conf = "tên gọi đã học từ "+m.learned.By+" ngày "+m.learned.day()+" cho “"+u.Name+"”", sureLearned
	case m.alias:
		p.why, p.conf = "tên gọi khác trong danh bạ của “"+u.Name+"”", sureAlias
	default:
		p.why, p.conf = "đúng tên trong danh bạ: “"+u.Name+"”", sureName
	}
	return p
}

// decide returns the one unit that the tokens name, if a careful reader would be certain of it.
func (r *reader) decide(toks []token) (*Unit, nameMatch, bool) {
	for _, t := range toks[min(1, len(toks)):] {
		if t.before&(sepColon|sepSemi) != 0 {
			return nil, nameMatch{}, false
		}
	}
	matches := r.d.names.find(toks, 0)
	for budget := 1; len(matches) == 0 && letterCount(toks) >= 10*budget && budget <= 2; budget++ {
		matches = slices.DeleteFunc(r.d.names.find(toks, budget), func(m nameMatch) bool { return m.partial })
	}
	var best []nameMatch
	for _, m := range matches {
		switch {
		case m.partial:
		case len(best) == 0 || m.tier() < best[0].tier():
			best = []nameMatch{m}
		case m.tier() == best[0].tier():
			best = append(best, m)
		}
	}
	if len(best) == 0 {
		return r.department(toks, matches)
	}
	if len(best) > 1 {
		return nil, nameMatch{}, false
	}
	if best[0].tier() >= 2 && rivals(matches, best[0].unit) {
		return nil, nameMatch{}, false
	}
	if best[0].abbrev && len(toks) == 1 && best[0].unit.Kind == KindCentral {
		return nil, nameMatch{}, false // there are many more central bodies than the directory has: TTCP is two of them
	}
	return best[0].unit, best[0], true
}

// rivals reports whether the words are also the beginning of another unit's name: "BTG" is Tuyên giáo or Tôn giáo.
func rivals(matches []nameMatch, u *Unit) bool {
	return slices.ContainsFunc(matches, func(m nameMatch) bool { return m.partial && m.unit != u })
}

// department accepts the beginning of the name of a department (sở), of which the law makes one of each: "Sở Nông nghiệp".
// The beginning must hold two words and fit only one.
func (r *reader) department(toks []token, matches []nameMatch) (*Unit, nameMatch, bool) {
	if len(toks) < 2 || (toks[0].word != "so" && toks[0].word != "s") {
		return nil, nameMatch{}, false
	}
	var one *nameMatch
	for i, m := range matches {
		if !m.partial || foldWords(m.unit.Name)[0] != "so" {
			continue
		}
		if one != nil && one.unit != m.unit {
			return nil, nameMatch{}, false
		}
		one = &matches[i]
	}
	if one == nil || syllables(toks[1:]) < 2 || len(toks) == 2 && toks[1].word == "tt" { // TT stands for too much
		return nil, nameMatch{}, false
	}
	return one.unit, *one, true
}

// syllables counts the words that tokens stand for, an abbreviation's letters each as one.
func syllables(toks []token) int {
	n := 0
	for _, t := range toks {
		if t.abbrev {
			n += len(t.word)
		} else {
			n++
		}
	}
	return n
}

func letterCount(toks []token) int {
	n := 0
	for _, t := range toks {
		n += len(t.word)
	}
	return n
}

// bareOK reports whether a name without "tỉnh" is certain to mean the province's own body. A later name in the list that
// ends in "tỉnh" says so for all; one that ends in a district's name says the opposite.
func (l *lister) bareOK(u *Unit, toks []token, e int) bool {
	if startsWith(toks, w("cong bao")) {
		// Only the State and the province have one.
		return l.r.issuer != nil && l.r.issuerKind() != KindCentral && !l.speaksOf("chinh", "phu") && !l.centralBeside()
	}
	if longest(toks, publicationWords) > 0 && u.Kind != KindPress {
		own := l.r.issuerKind() == KindProvince || l.r.issuerKind() == KindOffice
		return l.tailBehind(e) == tailProvince || own && !l.centralBeside()
	}
	switch l.tailBehind(e) {
	case tailProvince:
		return true
	case tailLower:
		return false
	}
	if toks[0].word == "so" {
		return true // only a province has them
	}
	if k := l.r.issuerKind(); k == "" || k == KindDistrict || k == KindCentral || u.Kind == KindProvince || u.Kind == "hdnd" && u.Parent == "" {
		return false
	}
	if (l.r.report || l.centralBeside()) && hasNamesake(u) {
		return false // its head office in Hà Nội has the same name
	}
	if toks[0].word == "doan" && (u.Kind == "doan-the") {
		return false
	}
	return syllables(toks) >= 3
}

// hasNamesake reports whether the unit is a branch of a central body, which without its level has the same name.
func hasNamesake(u *Unit) bool {
	return slices.Contains([]string{"nganh-doc", "tu-phap", "luc-luong"}, u.Kind)
}

// centralBeside reports whether a central body stands in the entry too, or the block goes to all ministries.
func (l *lister) centralBeside() bool {
	if l.r.ministries || l.speaksOf("cac", "vu") || slices.ContainsFunc(l.out, func(p piece) bool { return p.unit != nil && p.unit.Kind == KindCentral }) {
		return true
	}
	for i, t := range l.toks {
		if t.raw == "Bộ" && i+1 < len(l.toks) && longest(l.toks[i+1:], [][]string{w("chi huy"), w("ch"), w("chqs"), w("chbp"), w("doi")}) == 0 {
			return true
		}
	}
	return false
}

// speaksOf reports whether words stand in the entry one behind the other.
func (l *lister) speaksOf(words ...string) bool {
	for i := range l.toks {
		if startsWith(l.toks[i:], words) {
			return true
		}
	}
	return false
}

type tail uint8

const (
	tailNone tail = iota
	tailProvince
	tailLower
)

// tailBehind looks at the next name in the list for the level it speaks of.
func (l *lister) tailBehind(e int) tail {
	level := l.r.d.names.level
	for ; e < len(l.toks) && l.toks[e].before&(sepSemi|sepColon) == 0; e++ {
		t := l.toks[e]
		switch {
		case t.word == level[0] && l.manyProvinces(e):
			return tailLower
		case t.word == level[0] && (e+1 == len(l.toks) || l.toks[e+1].before&(sepStrong|sepAnd) != 0):
			return tailProvince
		case slices.Contains([]string{"huyen", "phuong", "tp", "tx"}, t.word), t.word == "xa" && slices.Contains([]string{"cac", "thi", "ubnd", "dan"}, l.toks[e-1].word):
			return tailLower
		}
	}
	return tailNone
}

// manyProvinces reports whether the word for the province's level at e means provinces in general: "các tỉnh", "tỉnh, thành phố
// trực thuộc Trung ương", "Tỉnh ủy, Thành ủy".
func (l *lister) manyProvinces(e int) bool {
	if e > 0 && (l.toks[e-1].word == "cac" || l.toks[e-1].word == "lien") {
		return true
	}
	rest := l.toks[e+1:]
	if startsWith(rest, w("uy thanh uy")) {
		return true
	}
	n := longest(rest, [][]string{w("tp"), w("thanh pho")})
	return n > 0 && rest[0].before&(sepComma|sepAnd|sepDash) != 0 && (n == len(rest) || startsWith(rest[n:], w("truc thuoc")) || rest[n].before&(sepStrong|sepColon) != 0)
}
