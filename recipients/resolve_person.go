package recipients

import (
	"slices"
	"strings"
	"unicode"
)

// An office is a word for a holder of an office and what it says of the body that follows: "Chánh Văn phòng UBND tỉnh" heads
// "Văn phòng UBND tỉnh", "Trưởng ban Dân vận Tỉnh ủy" heads "Ban Dân vận Tỉnh ủy", "CVP UBND tỉnh" heads the office.
type office struct {
	words  []string
	absorb string // class words of the body that the office's own words hold: "van phong", "ban"
	room   bool   // head or member of a room, never of a body of its own
	member bool   // a member of a body who sits elsewhere
	party  bool   // an organ that every body has of its own; never the body itself
}

// offices is ordered by hand only for reading; the longest that fits is taken.
var offices = []office{
	{words: w("chu tich")}, {words: w("pho chu tich")}, {words: w("ct")}, {words: w("pct")},
	{words: w("giam doc")}, {words: w("pho giam doc")}, {words: w("gd")}, {words: w("pgd")},
	{words: w("p gd")}, {words: w("p giam doc")}, {words: w("tong giam doc")}, {words: w("pho tong giam doc")},
	{words: w("ban giam doc")}, {words: w("b giam doc")}, {words: w("bgd")}, {words: w("bld")},
	{words: w("ban lanh dao")}, {words: w("lanh dao")}, {words: w("ld")}, {words: w("tap the lanh dao")},
	{words: w("ban giam hieu")}, {words: w("bgh")},
	{words: w("hieu truong"), absorb: "truong"}, {words: w("pho hieu truong"), absorb: "truong"},
	{words: w("thu truong")}, {words: w("thu truong co quan")}, {words: w("nguoi dung dau")},
	{words: w("chanh van phong"), absorb: "van phong"}, {words: w("pho chanh van phong"), absorb: "van phong"},
	{words: w("pho van phong"), absorb: "van phong"}, {words: w("chanh vp"), absorb: "van phong"},
	{words: w("pho chanh vp"), absorb: "van phong"}, {words: w("pho vp"), absorb: "van phong"},
	{words: w("cvp"), absorb: "van phong"}, {words: w("pvp"), absorb: "van phong"}, {words: w("pcvp"), absorb: "van phong"},
	{words: w("cpvp"), absorb: "van phong"}, {words: w("pho cvp"), absorb: "van phong"}, {words: w("ldvp"), absorb: "van phong"},
	{words: w("lanh dao van phong"), absorb: "van phong"}, {words: w("lanh dao vp"), absorb: "van phong"},
	{words: w("chanh thanh tra"), absorb: "thanh tra"}, {words: w("pho chanh thanh tra"), absorb: "thanh tra"},
	{words: w("chanh")}, {words: w("pho chanh")},
	{words: w("truong ban"), absorb: "ban"}, {words: w("pho truong ban"), absorb: "ban"}, {words: w("pho ban"), absorb: "ban"},
	{words: w("tb"), absorb: "ban"}, {words: w("ptb"), absorb: "ban"},
	{words: w("cuc truong"), absorb: "cuc"}, {words: w("pho cuc truong"), absorb: "cuc"},
	{words: w("chi cuc truong"), absorb: "chi cuc"}, {words: w("pho chi cuc truong"), absorb: "chi cuc"},
	{words: w("vien truong"), absorb: "vien"}, {words: w("pho vien truong"), absorb: "vien"},
	{words: w("chanh an")}, {words: w("pho chanh an")},
	{words: w("chi huy truong")}, {words: w("pho chi huy truong")}, {words: w("chinh uy")},
	{words: w("pho chinh uy")}, {words: w("tham muu truong")}, {words: w("thu truong bo chi huy")},
	{words: w("bi thu")}, {words: w("pho bi thu")}, {words: w("bi thu thuong truc")},
	{words: w("btv"), party: true}, {words: w("ban thuong vu"), party: true}, {words: w("thuong vu"), party: true}, {words: w("thuong truc"), party: true},
	{words: w("tt"), party: true}, {words: w("ban thuong truc"), party: true}, {words: w("uy vien"), member: true}, {words: w("tinh uy vien"), member: true},
	{words: w("ban chap hanh"), party: true}, {words: w("bch"), party: true},
	{words: w("tong bien tap"), absorb: "bao"}, {words: w("pho tong bien tap"), absorb: "bao"}, {words: w("ban bien tap"), absorb: "bao"},
	{words: w("chu nhiem")}, {words: w("pho chu nhiem")}, {words: w("truong doan"), absorb: "doan"},
	{words: w("pho truong doan"), absorb: "doan"}, {words: w("chi cuc pho")},
	{words: w("dang uy"), party: true}, {words: w("chi bo"), party: true}, {words: w("chi uy"), party: true}, {words: w("cong doan"), party: true},
	{words: w("doan thanh nien"), party: true}, {words: w("bch cong doan"), party: true}, {words: w("doan tn"), party: true},
	{words: w("thanh vien"), member: true}, {words: w("dai bieu"), member: true},
	{words: w("truong phong"), room: true}, {words: w("pho truong phong"), room: true}, {words: w("pho phong"), room: true},
	{words: w("truong cac phong"), room: true}, {words: w("truong khoa"), room: true},
	{words: w("chuyen vien"), room: true}, {words: w("can bo"), room: true}, {words: w("cong chuc"), room: true}, {words: w("cv"), room: true},
	{words: w("van thu"), room: true}, {words: w("ke toan"), room: true}, {words: w("ke toan truong"), room: true}, {words: w("thu ky"), room: true},
	{words: w("thu quy"), room: true},
	{words: w("pho"), party: true}, {words: w("pho chu tich thuong truc")}, {words: w("pho bi thu thuong truc")}, {words: w("pct thuong truc")}, {words: w("pct tt")},
	{words: w("pho giam doc thuong truc")}, {words: w("pho truong ban thuong truc"), absorb: "ban"},
}

// politeWords stand before or between holders of offices and say nothing.
var politeWords = [][]string{w("cac dong chi"), w("dong chi"), w("cac d c"), w("d c"), w("cac ong ba"), w("cac ong"), w("cac ba"), w("ong ba"), w("ong"), w("ba"), w("cac vi"), w("vi"),
	w("cac"), w("trong"), w("phu trach"), w("toan the"), w("tat ca"), w("co lien quan")}

// roomWords begin a room of the issuer's house.
var roomWords = [][]string{w("phong"), w("p"), w("khoa"), w("to"), w("bo phan"), w("doi"), w("phong ban"), w("phong khoa"), w("phong ban")}

func w(s string) []string { return strings.Fields(s) }

// A personPhrase is what stands before a body: who of it.
type personPhrase struct {
	absorb string
	member bool
	room   bool
	party  bool
	body   []token // what follows
	bodies []int   // how many of the tokens are taken where a body may begin
	joined bool    // the body follows without a comma
}

// readOffices takes holders of offices off the front of tokens. ok is false when there is none.
func readOffices(toks []token) (p personPhrase, ok bool) {
	i := 0
	for i < len(toks) {
		if n := longest(toks[i:], politeWords); n > 0 && !classFollows(toks[i:], n) {
			i += n
			continue
		}
		o, n := longestOffice(toks[i:])
		if n == 0 {
			break
		}
		if ok {
			p.bodies = append(p.bodies, i)
		}
		ok = true
		p.absorb, p.member, p.room, p.party = o.absorb, p.member || o.member, o.room, p.party || o.party
		i += n
	}
	p.body = toks[min(i, len(toks)):]
	p.joined = len(p.body) == 0 || p.body[0].before&(sepStrong|sepColon) == 0
	return p, ok
}

// classFollows reports whether the "các" that ends polite words of length n stands before a class and not before people:
// "Giám đốc các Sở" is no one body's.
func classFollows(toks []token, n int) bool {
	if toks[n-1].word != "cac" || n >= len(toks) {
		return false
	}
	_, k := longestOffice(toks[n:])
	return k == 0 && longest(toks[n:], politeWords) == 0
}

func longest(toks []token, phrases [][]string) int {
	n := 0
	for _, ph := range phrases {
		if len(ph) > n && startsWith(toks, ph) {
			n = len(ph)
		}
	}
	return n
}

func longestOffice(toks []token) (best office, n int) {
	if len(toks) == 0 {
		return best, 0
	}
	first := toks[0]
	trimmed := strings.TrimRightFunc(first.word, unicode.IsDigit)
	for _, o := range offices {
		if len(o.words) > n && (startsWith(toks, o.words) || len(o.words) == 1 && trimmed == o.words[0]) {
			best, n = o, len(o.words)
		}
	}
	return best, n
}

// house reads a run of words as people, rooms or bodies of the issuing house, or as people who stand for another body.
func (l *lister) house(i, e int) (piece, bool) {
	toks := l.behindName(l.inCharge(l.toks[i:e]))
	if p, ok := l.rooms(toks); ok {
		return p, true
	}
	if p, ok := l.deputed(toks); ok {
		return p, true
	}
	ph, ok := readOffices(toks)
	if !ok {
		return piece{}, false
	}
	if !ph.joined {
		return piece{}, false
	}
	if len(ph.body) == 0 && ph.member {
		if l.r.issuerKind() == "dang" {
			return piece{verdict: inHouse, why: "người của cơ quan ban hành"}, true
		}
		return piece{}, false
	}
	if ph.absorb != "" && len(ph.body) > 0 {
		if u, m, ok := l.r.decide(slices.Concat(made(ph.absorb), ph.body)); ok && !m.bare {
			return l.r.leadersOf(u), true
		}
	}
	if l.ownBody(ph.body, e) || (ph.absorb == "van phong" || ph.room) && l.r.marks(ph.body) {
		return piece{verdict: inHouse, why: "người của cơ quan ban hành"}, true
	}
	if ph.room && l.staff(ph.body) {
		return piece{verdict: inHouse, why: "người của phòng, bộ phận thuộc cơ quan ban hành"}, true
	}
	for _, k := range ph.bodies {
		if p, ok := l.leaders(personPhrase{body: toks[k:]}, e); ok && p.unit != nil {
			return p, true
		}
	}
	if ph.member || ph.room || ph.party {
		return piece{}, false
	}
	return l.leaders(ph, e)
}

// ownBody is own for a body in a list: a name without its level that is followed by the districts' is theirs.
func (l *lister) ownBody(body []token, e int) bool {
	if len(body) > 0 && l.tailBehind(e) == tailLower {
		if u, m, ok := l.r.decide(body); ok && m.bare && u == l.r.issuer {
			return false
		}
	}
	return l.r.own(body)
}

// staff reports whether what follows "Trưởng phòng" or "chuyên viên" is a room of the house: a name without another body's.
func (l *lister) staff(body []token) bool {
	if l.r.issuerKind() == KindDistrict || len(body) == 0 {
		return false
	}
	if n := longest(body, roomWords); n > 0 {
		body = body[n:]
	}
	return len(body) > 0 && len(body) < 12 && l.r.roomList(body)
}

// inCharge takes "phụ trách VX" off the end of a person.
func (l *lister) inCharge(toks []token) []token {
	for k := 1; k+1 < len(toks); k++ {
		if toks[k].before&(sepStrong|sepColon) == 0 && startsWith(toks[k:], w("phu trach")) && allCodes(toks[k+2:]) {
			return toks[:k]
		}
	}
	return toks
}

// behindName takes the name of the holder off in front of the office: "Đ/c Nguyễn Văn A - PCT UBND tỉnh". In an article the name may
// be another's than the office.
func (l *lister) behindName(toks []token) []token {
	n := longest(toks, honorifics)
	if n == 0 || l.r.article {
		return toks
	}
	for k := n + 1; k < min(len(toks), n+6); k++ {
		if !upperFirst(toks[k-1].raw) || looksAbbreviated(toks[k-1]) {
			return toks
		}
		if _, office := longestOffice(toks[k:]); office > 0 && toks[k].before&(sepDash|sepComma) != 0 && toks[k].before&sepSemi == 0 {
			return toks[k:]
		}
	}
	return toks
}

// honorifics stand before the name of one person.
var honorifics = [][]string{w("dong chi"), w("d c"), w("ong"), w("ba")}

// deputed reads "các đ/c Thường trực Tỉnh ủy": polite words before a body.
func (l *lister) deputed(toks []token) (piece, bool) {
	n := 0
	for {
		k := longest(toks[n:], politeWords)
		if k == 0 || n+k >= len(toks) {
			break
		}
		n += k
	}
	if n == 0 || n == 1 && toks[0].word == "cac" {
		return piece{}, false
	}
	u, _, ok := l.r.decide(toks[n:])
	if !ok {
		return piece{}, false
	}
	return l.r.leadersOf(u), true
}

// leaders resolves the body whose leaders are named.
func (l *lister) leaders(ph personPhrase, e int) (piece, bool) {
	var tries [][]token
	if ph.absorb != "" {
		tries = append(tries, slices.Concat(made(ph.absorb), ph.body))
	}
	tries = append(tries, ph.body)
	for _, body := range tries {
		u, m, ok := l.r.decide(body)
		if !ok || m.bare && u != l.r.issuer && (hasNamesake(u) || !l.bareOK(u, body, e)) {
			continue
		}
		return l.r.leadersOf(u), true
	}
	return piece{}, false
}

// made makes tokens of folded words.
func made(words string) []token {
	var toks []token
	for _, word := range strings.Fields(words) {
		toks = append(toks, token{word: word, raw: word, before: sepSpace})
	}
	return toks
}

// leadersOf says what naming the leaders of a unit means: the unit, or nobody when they sit in the issuer's house.
func (r *reader) leadersOf(u *Unit) piece {
	if u == r.issuer {
		return piece{verdict: inHouse, unit: u, why: "lãnh đạo của cơ quan ban hành"}
	}
	if r.issuer == nil && (u.Kind == KindProvince || u.Kind == KindOffice) {
		return piece{} // nobody knows whether they are the issuer's own
	}
	if !r.article && r.issuer != nil && u.Parent == r.issuer.Code && isOffice(u) {
		return piece{verdict: inHouse, why: "lãnh đạo văn phòng của cơ quan ban hành"}
	}
	return piece{verdict: known, codes: []UnitCode{u.Code}, unit: u, why: "lãnh đạo của “" + u.Name + "”", conf: surePerson}
}

// isOffice reports whether a unit is the office of the unit above it.
func isOffice(u *Unit) bool { return startsWithWords(foldWords(u.Name), "van", "phong") }

// own reports whether the words behind a person or a room mean the issuer itself: nothing, "Sở", "cơ quan", its own name.
func (r *reader) own(body []token) bool {
	under := len(body) > 0 && (body[0].word == "truc" || body[0].word == "thuoc")
	for len(body) > 0 && slices.Contains([]string{"thuoc", "truc", "cua", "cac", "trong"}, body[0].word) {
		if body[0].word == "cac" && longest(body[1:], manyBodies) > 0 {
			return false
		}
		body = body[1:]
	}
	if len(body) == 0 {
		return !under // "đảng ủy trực thuộc" are other bodies
	}
	if r.issuer != nil {
		for _, m := range r.d.names.find(body, 0) {
			if !m.partial && m.unit == r.issuer {
				return true
			}
		}
	}
	words := make([]string, len(body))
	for i, t := range body {
		words[i] = t.word
	}
	return r.selfWord(strings.Join(words, " "))
}

// manyBodies are the classes of which no one body has several: "các Sở" are others.
var manyBodies = [][]string{w("so"), w("cuc"), w("chi cuc"), w("bo"), w("huyen"), w("thi xa"), w("thanh pho"), w("tinh"), w("ubnd"), w("uy ban"), w("truong"), w("vien"), w("hoi"),
	w("kho bac"), w("ngan hang"), w("cong an"), w("benh vien"), w("toa an"), w("cong ty")}

// selfWord reports whether a common noun means the issuer in its own papers.
func (r *reader) selfWord(s string) bool {
	switch s {
	case "co quan", "don vi", "van phong", "vp", "phu trach", "nghiep vu", "chuyen mon", "co lien quan", "lien quan":
		return true
	}
	if rest, ok := strings.CutPrefix(s, "van phong "); ok {
		return r.selfWord(rest)
	}
	if rest, ok := strings.CutPrefix(s, "vp "); ok {
		return r.selfWord(rest)
	}
	if r.issuer == nil {
		return slices.Contains([]string{"so", "cuc", "ban", "nha truong", "truong", "vien", "dai", "hoi"}, s)
	}
	name := strings.Join(foldWords(r.issuer.Name), " ")
	switch s {
	case "so", "cuc", "chi cuc", "ban", "truong", "vien", "dai", "hoi", "lien minh", "lien doan", "kho bac", "ngan hang", "bo chi huy", "cong an",
		"trung tam", "benh vien", "thanh tra", "bao", "toa soan", "toa an", "toa", "buu dien", "vien thong", "dien luc", "cong ty", "tinh doan":
		return strings.HasPrefix(name, s) || s == "toa soan" && strings.HasPrefix(name, "bao")
	case "nha truong":
		return strings.HasPrefix(name, "truong")
	case "tinh hoi":
		return strings.HasPrefix(name, "hoi")
	case "ubnd", "uy ban":
		return r.issuer.Kind == KindProvince || r.issuer.Kind == KindDistrict
	}
	return r.issuer.Kind == KindDistrict && ownDistrict(s)
}

// ownDistrict reports whether words mean the committee of a district in its own papers: "huyện", "UBND TP", "HĐND và UBND".
func ownDistrict(s string) bool {
	for _, committee := range []string{"hdnd ubnd", "hdnd uy ban nhan dan", "hoi dong nhan dan uy ban nhan dan", "ubnd", "uy ban nhan dan"} {
		rest, ok := strings.CutPrefix(s, committee)
		if ok {
			s = strings.TrimSpace(rest)
			break
		}
	}
	switch s {
	case "", "huyen", "thi xa", "thanh pho", "tp", "tx", "quan":
		return true
	}
	return false
}

// marks reports whether words are marks of rooms and desks and not a body's initials.
func (r *reader) marks(toks []token) bool {
	return allCodes(toks) && !slices.ContainsFunc(r.d.names.find(toks, 0), func(m nameMatch) bool { return !m.partial })
}

// allCodes reports whether all words are short marks of rooms and desks: KTN, TH2, 1A.
func allCodes(toks []token) bool {
	for _, t := range toks {
		if len(t.word) > 6 || !isCode(t.raw) {
			return false
		}
	}
	return len(toks) > 0
}

func isCode(s string) bool {
	for _, r := range s {
		if !unicode.IsUpper(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// rooms reads rooms of the house: "Các phòng CM thuộc Sở", "P. HC-TC", "Các phòng, khoa, tổ", "Các Ban Tỉnh đoàn".
func (l *lister) rooms(toks []token) (piece, bool) {
	r := l.r
	if n := longest(toks, roomHeads); n > 0 && n+1 < len(toks) && toks[n].word == "cac" && longest(toks[n+1:], roomWords) > 0 {
		toks = toks[n:]
	}
	rest := toks
	if len(rest) > 1 && rest[0].word == "cac" {
		rest = rest[1:]
	}
	inHousePiece := piece{verdict: inHouse, why: "phòng, bộ phận của cơ quan ban hành"}
	if len(rest) > 1 && len(rest) < len(toks) && rest[0].word == "ban" && r.own(rest[1:]) && !r.hasBoards() {
		return inHousePiece, true
	}
	for _, self := range [][]string{w("van phong"), w("vp"), w("thanh tra"), w("ttr"), w("ttra")} {
		if startsWith(rest, self) && (len(rest) == len(self) && self[0] != "thanh" && self[0] != "ttr" && self[0] != "ttra" || len(rest) > len(self) && r.own(rest[len(self):])) {
			return inHousePiece, true
		}
	}
	n := longest(rest, roomWords)
	if n > 0 && !r.houseRoom(rest, n, len(rest) < len(toks)) {
		return piece{}, false
	}
	if n == 0 || r.issuerKind() == KindDistrict || rest[0].word == "p" && !rest[0].dotted && !rest[0].abbrev && len(rest) > 1 && rest[1].before&sepSpace == 0 {
		return piece{}, false
	}
	if !r.roomList(rest[n:]) {
		return piece{}, false
	}
	return inHousePiece, true
}

// roomHeads are those who stand for their rooms: "Trưởng các phòng, đơn vị thuộc Sở".
var roomHeads = [][]string{w("truong"), w("thu truong"), w("lanh dao"), w("truong pho"), w("phu trach")}

// houseRoom reports whether a room may be the issuer's. Teams and wards stand with "các" or the issuer's name, or they may be
// anybody's; the rooms of the province's own office go by marks; some agencies are called Phòng.
func (r *reader) houseRoom(rest []token, n int, plural bool) bool {
	name := rest[n:]
	if longest(rest, [][]string{w("phong cong chung"), w("phong kham"), w("phong thuong mai"), w("phong giao dich"),
		w("to chuc"), w("to hop tac"), w("to dan pho"), w("doi tuong"), w("doi tac")}) > 0 {
		return false
	}
	switch rest[0].word {
	case "to", "doi", "khoa":
		return plural || len(name) > 0 && r.own(name)
	}
	if k := r.issuerKind(); k != KindProvince || len(name) == 0 || r.own(name) {
		return true
	}
	return allCodes(name) || longest(name, [][]string{w("cm"), w("cv"), w("chuyen mon"), w("chuyen vien"), w("nghiep vu"), w("truc thuoc"), w("thuoc"), w("ban"),
		w("hanh chinh"), w("quan tri"), w("tong hop"), w("don vi"), w("tiep dan")}) > 0
}

// hasBoards reports whether boards under the issuer, or under the body it belongs to, have their own entries: then "các Ban"
// are those and no rooms.
func (r *reader) hasBoards() bool {
	if r.issuer == nil {
		return true
	}
	return slices.ContainsFunc(r.d.units, func(u Unit) bool {
		return (u.Parent == r.issuer.Code || u.Parent != "" && u.Parent == r.issuer.Parent) && foldWords(u.Name)[0] == "ban"
	})
}

// roomList checks what follows a room word: nothing that names a place, another body, or a piece that is no room.
func (r *reader) roomList(toks []token) bool {
	for i, t := range toks {
		switch t.word {
		case "bo":
			if i == 0 || toks[i-1].word != "can" { // cán bộ
				return false
			}
		case "huyen", "xa", "phuong", "tp", "tx", "tinh", "tw":
			return false
		}
		if t.before&sepSemi != 0 {
			return false
		}
		if t.before&(sepComma|sepAnd) != 0 && !r.roomPiece(toks[i:]) {
			return false
		}
		if (t.before&sepDash != 0 || t.word == "so" || i > 0 && (toks[i-1].word == "thuoc" || toks[i-1].word == "cua")) && !r.tailIsOwn(toks[i:]) {
			return false
		}
	}
	return true
}

// tailIsOwn reports whether the end of a room's name is no other body.
func (r *reader) tailIsOwn(toks []token) bool {
	for _, m := range r.d.names.find(toks, 0) {
		if !m.partial && m.unit != r.issuer && !m.abbrev {
			return false
		}
	}
	return toks[0].word != "so" || r.own(toks)
}

// roomPiece reports whether a piece of a list of rooms goes on with rooms, marks or staff.
func (r *reader) roomPiece(toks []token) bool {
	end := 1
	for end < len(toks) && toks[end].before&(sepStrong|sepAnd) == 0 {
		end++
	}
	piece := toks[:end]
	if piece[0].word == "cac" && len(piece) > 1 {
		piece = piece[1:]
	}
	if allCodes(piece) || longest(piece, roomWords) > 0 || startsWith(piece, w("don vi")) || startsWith(piece, w("ban")) && len(piece) == 1 ||
		startsWith(piece, w("don vi thuoc")) || startsWith(piece, w("van phong")) && len(piece) <= 3 {
		return true
	}
	if len(piece) == 1 && len(piece[0].word) <= 2 {
		return true
	}
	_, n := longestOffice(piece)
	return n == len(piece)
}
