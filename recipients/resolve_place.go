package recipients

import (
	"slices"
	"strings"
	"unicode"
)

// settlePlaces finds the places that say where the name before the comma is, and are no recipients: "UBND xã Đăk Kôi, huyện Kon
// Rẫy"; "Ông A, xã B, huyện C". A place is one for itself beside its like: "UBND huyện Đăk Hà, huyện Sa Thầy".
func (l *lister) settlePlaces(pieces []piece) []piece {
	var out []piece
	for _, p := range pieces {
		n := len(out) - 1
		if n < 0 || !l.isPlace(p) || out[n].verdict == inHouse && !l.roomElsewhere(out[n]) || out[n].verdict == nobody || l.alike(&out[n], p) {
			out = append(out, p)
			continue
		}
		before := &out[n]
		switch {
		case before.verdict == known && l.ownProvince(p):
			before.to = p.to
		case before.verdict == known && !l.farPlace(p):
			// The body is certain; whether the place is a second recipient or its address is not.
			out = append(out, piece{text: p.text, from: p.from, to: p.to})
		default:
			*before = piece{text: before.text + ", " + p.text, from: before.from, to: p.to}
		}
	}
	return out
}

// isPlace reports whether a piece is a class of place and a name, behind a comma: "huyện Kon Rẫy".
func (l *lister) isPlace(p piece) bool {
	if p.from == 0 || p.to <= p.from || p.verdict == inHouse || p.verdict == known && (p.unit == nil || p.unit.Kind != KindDistrict && p.unit.Kind != KindProvince) {
		return false
	}
	toks := l.toks[p.from:p.to]
	sep := toks[0].before
	if sep&sepComma == 0 || sep&(sepSemi|sepColon|sepAnd) != 0 {
		return false
	}
	n := longest(toks, placeClasses)
	if n == 0 || n >= len(toks) || len(toks) > n+5 {
		return false
	}
	return !slices.Contains(organs, toks[n].word) && upperFirst(toks[n].raw) && !looksAbbreviated(toks[n]) && strings.IndexFunc(toks[n].raw, unicode.IsLetter) >= 0
}

// Places by their rank: what stands in an address goes up.
var (
	placeClasses = slices.Concat(lowPlaces, midPlaces, highPlaces)
	lowPlaces    = [][]string{w("xa"), w("phuong"), w("thi tran"), w("tt"), w("thon"), w("lang"), w("to dan pho"), w("khoi pho")}
	midPlaces    = [][]string{w("huyen"), w("thi xa"), w("thanh pho"), w("tp"), w("tx"), w("quan"), w("h")}
	highPlaces   = [][]string{w("tinh")}
	committees   = [][]string{w("uy ban nhan dan"), w("ubnd"), w("hoi dong nhan dan"), w("hdnd"), w("thuong truc hdnd"), w("tt hdnd"), w("hdnd ubnd")}
)

// organs make of a class of place the name of its party's or youth's committee: "Huyện ủy".
var organs = []string{"uy", "doan", "hoi"}

// rank is how high the place is that tokens begin with: 1 commune, 2 district, 3 province; 0 for none.
func rank(toks []token) int {
	for i, phrases := range [][][]string{midPlaces, lowPlaces, highPlaces} {
		n := longest(toks, phrases)
		if n > 0 && !(n < len(toks) && slices.Contains(organs, toks[n].word)) {
			return []int{2, 1, 3}[i]
		}
	}
	return 0
}

// alike reports whether the piece before names a place of the same rank, or its committee: then both stand in one list.
func (l *lister) alike(before *piece, p piece) bool {
	toks := l.toks[before.from:before.to]
	if k := longest(toks, [][]string{w("cac"), w("chu tich"), w("chu tich cac"), w("nhan dan")}); k > 0 && k < len(toks) {
		toks = toks[k:]
	}
	if k := longest(toks, committees); k > 0 {
		toks = toks[k:]
	}
	if k := longest(toks, [][]string{w("cac")}); k > 0 && k < len(toks) {
		toks = toks[k:]
	}
	at := rank(l.toks[p.from:p.to])
	switch {
	case rank(toks) == at:
		return true
	case before.verdict == known && before.unit != nil && before.unit.Kind == KindDistrict:
		return at == 2
	case before.verdict == known && before.unit != nil && before.unit.Kind == KindProvince:
		return at >= 2
	}
	// A body of the province, or a group, may stand in a list with a district. One that has an address may not.
	if before.verdict == known && before.unit != nil && at == 2 && l.seat(p) {
		return false
	}
	if before.verdict == known && at == 2 {
		return before.unit == nil || !slices.Contains([]string{"su-nghiep", "doanh-nghiep", "don-vi-thuoc", KindPress}, before.unit.Kind)
	}
	if at == 1 && before.verdict == unknown { // a commune behind a commune's member without its class
		return slices.ContainsFunc(l.toks[before.from:before.to], func(t token) bool { return t.word == "cac" })
	}
	return false
}

// roomElsewhere reports whether what was taken for a room of the house may be one of the place that follows: "Phòng Nội vụ, huyện
// Sa Thầy".
func (l *lister) roomElsewhere(p piece) bool {
	return p.unit == nil && p.to > p.from && longest(l.toks[p.from:p.to], roomWords) > 0
}

// seat reports whether a place bears the province's name: the town where its bodies have their address.
func (l *lister) seat(p piece) bool {
	toks := l.toks[p.from:p.to]
	n := longest(toks, midPlaces)
	prov := l.r.d.names.prov
	return n > 0 && len(prov) > 0 && len(toks) == n+len(prov) && startsWith(toks[n:], prov)
}

// ownProvince reports whether a place is the directory's own province.
func (l *lister) ownProvince(p piece) bool {
	var words []string
	for _, t := range l.toks[p.from:p.to] {
		words = append(words, t.word)
	}
	x := l.r.d.names
	return len(x.prov) > 0 && slices.Equal(words, slices.Concat(x.level, x.prov))
}

// farPlace reports whether a place is another province: a body there is none of ours.
func (l *lister) farPlace(p piece) bool {
	return rank(l.toks[p.from:p.to]) == 3 && !l.ownProvince(p)
}

// dropCounts takes the number of copies off the end of names: "Thanh tra tỉnh 1b", "Sở Nội vụ: 02 bản". Its notes go to the word
// before it.
func dropCounts(toks []token) []token {
	out := make([]token, 0, len(toks))
	for i := 0; i < len(toks); i++ {
		n := countLength(toks[i:])
		end := i + n
		if n == 0 || len(out) == 0 || end < len(toks) && toks[end].before&(sepStrong|sepAnd|sepDash) == 0 {
			out = append(out, toks[i])
			continue
		}
		last := &out[len(out)-1]
		for _, t := range toks[i:end] {
			last.notes = slices.Concat(last.notes, t.notes)
		}
		i = end - 1
	}
	return out
}

// countLength is how many tokens at the front are a number of copies: "1b", "02 bản".
func countLength(toks []token) int {
	digits := strings.TrimRightFunc(toks[0].raw, func(r rune) bool { return !unicode.IsDigit(r) })
	if digits == "" || len(digits) > 3 || strings.ContainsFunc(digits, func(r rune) bool { return !unicode.IsDigit(r) }) {
		return 0
	}
	switch rest := toks[0].raw[len(digits):]; {
	case rest == "b" || rest == "B" && digits[0] == '0':
		return 1
	case rest == "" && len(toks) > 1 && toks[1].before == sepSpace && (toks[1].raw == "b" || toks[1].raw == "bản"):
		return 2
	}
	return 0
}

// elsewhere reports whether the bracket behind a name says that the body is not the province's own: the body above it in the
// capital ("Kho bạc Nhà nước (Bộ Tài chính)", "Cục Thuế (Tổng cục Thuế)") when the name is written without its level, or another
// place ("Sở Y tế (tỉnh Gia Lai)").
func (l *lister) elsewhere(u *Unit, name []token, bare bool) bool {
	for _, n := range name[len(name)-1].notes {
		if harmlessNote(n.text) {
			continue
		}
		toks := scan(n.text)
		if len(toks) == 0 {
			continue
		}
		if bare && (u == nil || hasNamesake(u)) && longest(toks, roomWords) == 0 {
			if _, person := readOffices(toks); !person {
				return true
			}
		}
		if u != nil && hasNamesake(u) && longest(toks, centralHeads) > 0 && !l.saysLevel(name) {
			return true
		}
		k := longest(toks, slices.Concat(midPlaces, highPlaces))
		if k > 0 && k < len(toks) && upperFirst(toks[k].raw) && toks[k].word != "uy" && toks[k].word != "doan" && !l.ownNote(u, toks) {
			return true
		}
		if l.otherProvince(toks) {
			return true
		}
	}
	return false
}

// centralHeads begin the names of bodies of the capital.
var centralHeads = [][]string{w("tong cuc"), w("bo"), w("trung uong"), w("tw")}

// saysLevel reports whether a name as written has the word for the province's level or the province's name.
func (l *lister) saysLevel(name []token) bool {
	x := l.r.d.names
	for i, t := range name {
		if t.word == x.level[0] || len(x.prov) > 0 && startsWith(name[i:], x.prov) {
			return true
		}
	}
	return false
}

// otherProvince reports whether words begin with the name of a province that is not the directory's.
func (l *lister) otherProvince(toks []token) bool {
	n := longest(toks, provinces)
	return n > 0 && (n == len(toks) || toks[n].before&(sepStrong|sepAnd|sepDash) != 0) && upperFirst(toks[0].raw) && !startsWith(toks, l.r.d.names.prov)
}

// ownNote reports whether a bracket repeats the province or the unit's own place.
func (l *lister) ownNote(u *Unit, toks []token) bool {
	x := l.r.d.names
	if startsWith(toks, slices.Concat(x.level, x.prov)) {
		return true
	}
	v, _, ok := l.r.decide(toks)
	return ok && v == u
}

// provinces are the names of the country's provinces and cities, those of before the mergers of 2025 and of 2008 too.
var provinces = provinceWords("An Giang, Bà Rịa - Vũng Tàu, Bạc Liêu, Bắc Giang, Bắc Kạn, Bắc Cạn, Bắc Ninh, Bến Tre, Bình Dương, Bình Định, Bình Phước, Bình Thuận, " +
	"Cà Mau, Cao Bằng, Cần Thơ, Đà Nẵng, Đắk Lắk, Đắk Nông, Điện Biên, Đồng Nai, Đồng Tháp, Gia Lai, Hà Giang, Hà Nam, Hà Nội, Hà Tây, Hà Tĩnh, Hải Dương, Hải Phòng, " +
	"Hậu Giang, Hòa Bình, Hồ Chí Minh, Huế, Hưng Yên, Khánh Hòa, Kiên Giang, Kon Tum, Lai Châu, Lạng Sơn, Lào Cai, Lâm Đồng, Long An, Nam Định, Nghệ An, Ninh Bình, " +
	"Ninh Thuận, Phú Thọ, Phú Yên, Quảng Bình, Quảng Nam, Quảng Ngãi, Quảng Ninh, Quảng Trị, Sóc Trăng, Sơn La, Tây Ninh, Thái Bình, Thái Nguyên, Thanh Hóa, " +
	"Thừa Thiên Huế, Tiền Giang, Trà Vinh, Tuyên Quang, Vĩnh Long, Vĩnh Phúc, Yên Bái")

func provinceWords(list string) [][]string {
	var all [][]string
	for name := range strings.SplitSeq(list, ", ") {
		all = append(all, foldWords(name))
	}
	return all
}
