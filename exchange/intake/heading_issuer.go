package intake

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// agencyHead finds the words with which the name of an agency begins.
var agencyHead = regexp.MustCompile(`^(chinh phu|thu tuong|chu tich nuoc|quoc hoi|uy ban|ubnd|hoi dong|hdnd|tong cuc|cuc |chi cuc|vu |bo |so |ban |phong |van phong|vp |thanh tra|cong an|toa an|tand|vien |vksnd|truong |hoc vien|dai hoc|trung tam|benh vien|` +
	`dai |bao |kho bac|ngan hang|bao hiem|buu dien|cong ty|tong cong ty|tap doan|hoi |lien |doan |tinh doan|tinh uy|thanh uy|huyen uy|quan uy|dang uy|dang bo|chi bo|mat tran|dien luc|tong lien doan|don vi|to cong tac|kiem toan|xi nghiep|nha may|nha xuat ban|quy |hat |doi |tram |lien doan|thi uy|uy ban)`)

// issuerLines finds the issuing agency and the one above it: the lines in capitals before the reference, in the order of
// the page. The last line that begins the name of an agency begins the issuer's.
func issuerLines(lines []headLine, title titleAt) (superior, issuer string) {
	var names []headLine
	for i, l := range lines {
		if l.numbered || i == title.at {
			if len(names) > 0 || i == title.at {
				break
			}
			continue
		}
		if !l.blank && likeIssuer(l) {
			names = append(names, l)
		}
	}
	start := -1
	for i, l := range names {
		if agencyHead.MatchString(l.low) && !continues(names, i) {
			start = i
		}
	}
	if start < 0 {
		return "", joinNames(names)
	}
	return joinNames(names[:start]), joinNames(names[start:])
}

// continues reports whether name i goes on with the one before: "BAN CHỈ ĐẠO PHÒNG CHỐNG / BÃO LỤT" does not, "ỦY BAN NHÂN
// DÂN / TỈNH" is no matter here because TỈNH begins no agency; "VĂN PHÒNG / HỘI ĐỒNG NHÂN DÂN" does.
func continues(names []headLine, i int) bool {
	if i == 0 {
		return false
	}
	before := names[i-1].low
	for _, end := range []string{" va", ",", " -", "van phong", " ve", " cua", " cac", "thuong truc", " phong", "chi dao", "doan dbqh", "phong chong"} {
		if before == strings.TrimSpace(end) || strings.HasSuffix(before, end) {
			return true
		}
	}
	return false
}

func joinNames(names []headLine) string {
	parts := make([]string, len(names))
	for i, l := range names {
		parts[i] = strings.Trim(l.text, " -–_*.:;,'\"")
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// likeIssuer reports whether a line may be part of an agency's name: mostly capitals, or an agency's first word.
func likeIssuer(l headLine) bool {
	upper, all := 0, 0
	for _, r := range l.text {
		if unicode.IsLetter(r) {
			all++
			if unicode.IsUpper(r) {
				upper++
			}
		}
	}
	if all < 2 || all > 250 || strings.HasPrefix(l.low, "mau so") || strings.HasPrefix(l.low, "phu luc") || strings.HasPrefix(l.low, "cong bao") {
		return false
	}
	return 10*upper >= 6*all || agencyHead.MatchString(l.low) && len(strings.Fields(l.text)) <= 14 && unicode.IsUpper([]rune(l.text)[0])
}

// canonicalIssuer writes the issuer's name as it is usually written. The symbol of a central body is surer than its
// printed name, which OCR spoils; local bodies bear the name of their place.
func canonicalIssuer(issuer, symbol, place string) string {
	if bodies, ok := strings.CutPrefix(symbol, "TTLT-"); ok { // the bodies of a joint circular
		names := strings.Split(bodies, "-")
		for i, abbr := range names {
			if names[i] = bodyBySymbol[abbr]; names[i] == "" {
				return issuer
			}
		}
		return strings.Join(names, " - ")
	}
	body := bodyOf(symbol, issuer)
	switch {
	case body != "":
		return body
	case issuer == "":
		return ""
	}
	if name := localBody(issuer); name != "" {
		return name
	}
	_, name := splitNames(joinBroken(issuer))
	out := writeName(name)
	if needsPlace(out) {
		out += " " + place
	}
	return strings.TrimSpace(out)
}

// bodyOf finds the central body whose abbreviation stands in the symbol: after the type (QĐ-TTg), or first in a công văn
// (VPCP-KGVX). An abbreviation that is a local body's as well counts only when the printed name agrees.
func bodyOf(symbol, printed string) string {
	groups := strings.FieldsFunc(symbol, func(r rune) bool { return r == '-' || r == '/' })
	if len(groups) > 1 && symbolTypes[groups[0]] != "" && (bodyBySymbol[groups[0]] == "" || bodyBySymbol[groups[1]] != "") {
		groups = groups[1:]
	}
	if len(groups) == 0 {
		return ""
	}
	abbr := strings.TrimRight(groups[0], "0123456789")
	abbr = strings.ReplaceAll(abbr, "&", "")
	if abbr == "TT" || abbr == "CT" {
		return ""
	}
	name := bodyBySymbol[abbr]
	if name == "" && !strings.HasPrefix(abbr, "B") {
		if n := bodyBySymbol["B"+abbr]; n != "" && strings.Contains(sound(printed), sound(n)[:8]) {
			name = n
		}
	}
	if localToo[abbr] && printed != "" && !agrees(printed, name) {
		return ""
	}
	return name
}

// localToo are abbreviations that provincial bodies share with central ones.
var localToo = map[string]bool{"BHXH": true, "KBNN": true, "NHNN": true, "LĐTBXH": true, "UBDT": true, "TCHQ": true, "KTNN": true}

// agrees reports whether the printed name, OCR noise allowed, has the words of name and no place behind them.
func agrees(printed, name string) bool {
	p, n := sound(printed), sound(name)
	return strings.Contains(p, n) && !strings.Contains(p, n+"tinh") && !strings.Contains(p, n+"thanhpho") || withinOne(p, n)
}

// splitNames parts two names that a table put into one cell, "BỘ TÀI CHÍNH TỔNG CỤC THUẾ", after a body that is known.
func splitNames(s string) (parent, name string) {
	words := strings.Fields(s)
	for n := len(words) - 1; n >= 2; n-- {
		head, tail := strings.Join(words[:n], " "), strings.Join(words[n:], " ")
		if !agencyHead.MatchString(foldASCII(tail)) {
			continue
		}
		if agencyBySound[sound(head)] != "" || localUnit(head) {
			return head, tail
		}
	}
	return "", s
}

// localLevels are the levels of local bodies by their sound, longer ones first, and how they are written before a name.
var localLevels = [][2]string{{"thanhpho", "thành phố"}, {"thitran", "thị trấn"}, {"thixa", "thị xã"}, {"huyen", "huyện"}, {"phuong", "phường"},
	{"quan", "quận"}, {"tinh", "tỉnh"}, {"tp", "TP"}, {"tx", "TX"}, {"xa", "xã"}}

// localBody writes UBND or HĐND of a known place, whose letters may stand apart in print.
func localBody(printed string) string {
	key := sound(printed)
	for _, body := range [][2]string{{"uybannhandan", "UBND"}, {"ubnd", "UBND"}, {"hoidongnhandan", "HĐND"}, {"hdnd", "HĐND"}} {
		rest, ok := strings.CutPrefix(key, body[0])
		if !ok {
			continue
		}
		for _, level := range localLevels {
			name, ok := strings.CutPrefix(rest, level[0])
			known := placeBySound[name]
			if !ok || known == "" {
				continue
			}
			if level[1] == "thành phố" && known == "Hồ Chí Minh" {
				level[1] = "Thành phố"
			}
			if strings.Contains(strings.ToLower(printed), "đắk") {
				known = strings.ReplaceAll(known, "Đăk", "Đắk")
			}
			return body[1] + " " + level[1] + " " + known
		}
	}
	return ""
}

// repairIssuer puts right a printed name in capitals whose marks OCR lost, when its letters are those of a known name.
func repairIssuer(printed string) string {
	if printed != strings.ToUpper(printed) {
		return printed
	}
	known := agencyBySound[sound(printed)]
	if known == "" {
		known = localBody(printed)
		for short, full := range map[string]string{"UBND ": "Ủy ban nhân dân ", "HĐND ": "Hội đồng nhân dân "} {
			if rest, ok := strings.CutPrefix(known, short); ok && len(sound(printed)) > len(sound(known)) {
				known = full + rest
			}
		}
	}
	if viettext.Fold(known) != viettext.Fold(printed) || viettext.Key(known) == viettext.Key(printed) {
		return printed
	}
	return strings.ToUpper(known)
}

var localHead = regexp.MustCompile(`^(uy ?ban nhan dan|ubnd|hoi dong nhan dan|hdnd) *(tinh|thanh pho|tp\.?|huyen|quan|thi xa|tx\.?|xa|phuong|thi tran) +`)

// localUnit reports whether s is UBND or HĐND of a province that is known.
func localUnit(s string) bool {
	low := foldASCII(s)
	m := localHead.FindStringIndex(low)
	return m != nil && placeBySound[sound(low[m[1]:])] != ""
}

// needsPlace reports whether a name is only the kind of a local body.
func needsPlace(name string) bool {
	switch name {
	case "UBND", "HĐND", "UBND tỉnh", "HĐND tỉnh", "UBND thành phố", "HĐND thành phố":
		return true
	}
	return false
}

// writeName writes a printed name in the usual way: UBND and HĐND short, the names of places and fields with capitals.
func writeName(s string) string {
	if name := agencyBySound[sound(s)]; name != "" {
		return name
	}
	low := foldASCII(s)
	if m := localHead.FindStringIndex(low); m != nil {
		return writeLocal(s, low, m[1])
	}
	switch {
	case strings.HasPrefix(low, "uy ban nhan dan"):
		return strings.TrimSpace("UBND " + properName(strings.TrimSpace(s[runeIndex(s, len("uy ban nhan dan")):])))
	case strings.HasPrefix(low, "hoi dong nhan dan"):
		return strings.TrimSpace("HĐND " + properName(strings.TrimSpace(s[runeIndex(s, len("hoi dong nhan dan")):])))
	}
	return sentenceName(s)
}

func runeIndex(s string, n int) int {
	i := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

func writeLocal(s, low string, end int) string {
	head := low[:end]
	body := "UBND "
	if strings.HasPrefix(head, "h") {
		body = "HĐND "
	}
	level := map[string]string{"tinh": "tỉnh", "thanh pho": "thành phố", "tp": "TP", "tp.": "TP.", "huyen": "huyện", "quan": "quận", "thi xa": "thị xã", "tx": "TX", "tx.": "TX.",
		"xa": "xã", "phuong": "phường", "thi tran": "thị trấn"}[strings.TrimSpace(localHead.FindStringSubmatch(low)[2])]
	name := properName(strings.TrimSpace(s[runeIndex(s, end):]))
	if level == "thành phố" && sound(name) == "hochiminh" {
		level = "Thành phố"
	}
	return strings.TrimSpace(body + level + " " + name)
}

// properName writes a place's name, known ones as they are known.
func properName(s string) string {
	if p := placeBySound[sound(s)]; p != "" && viettext.Fold(p) == viettext.Fold(s) && !strings.ContainsAny(strings.ToLower(s), "ăắ") {
		return p
	}
	return titleWords(s)
}

func titleWords(s string) string {
	words := strings.Fields(strings.ToLower(s))
	for i, w := range words {
		words[i] = capital(w)
	}
	return strings.Join(words, " ")
}

// capital raises the first letter, and the one after an apostrophe (Ia H'Drai).
func capital(w string) string {
	rs := []rune(w)
	for i := range rs {
		if i == 0 || (rs[i-1] == '\'' || rs[i-1] == '’') && i < len(rs)-1 || rs[i-1] == '-' {
			rs[i] = unicode.ToUpper(rs[i])
		}
	}
	return string(rs)
}

// placeHead are the words after which the name of a place follows to the end.
var placeHead = regexp.MustCompile(` (tinh|thanh pho|tp\.?|huyen|quan|thi xa|tx\.?|xa|phuong|thi tran) `)

// fixedCapitals are phrases that keep their capitals inside a name.
var fixedCapitals = []string{"Việt Nam", "Quốc hội", "Chính phủ", "Nhà nước", "Trung ương", "Mặt trận Tổ quốc", "Hồ Chí Minh", "Liên hiệp Phụ nữ", "Biên phòng"}

// sentenceName writes a name in capitals by the plain rule: the first word and the first word of what it is for have
// capitals, so has each field after a dash or "và" of a department, and so have places.
func sentenceName(s string) string {
	if s != strings.ToUpper(s) && s != strings.ToLower(s) {
		return s
	}
	words := strings.Fields(s)
	for n := len(words) - 1; n >= 2; n-- {
		if name := agencyBySound[sound(strings.Join(words[:n], ""))]; name != "" && tailIsPlace(words[n:]) {
			return name + " " + tailName(words[n:])
		}
	}
	rs := []rune(s)
	tail := ""
	if m := placeHead.FindAllStringIndex(foldASCII(s), -1); m != nil {
		if last := m[len(m)-1]; len(strings.Fields(string(rs[last[1]:]))) <= 5 {
			tail = " " + tailName(strings.Fields(string(rs[last[0]:])))
			words = strings.Fields(string(rs[:last[0]]))
		}
	}
	name := fieldName(words)
	for _, phrase := range fixedCapitals {
		name = replaceFold(name, phrase)
	}
	return name + tail
}

// tailIsPlace reports whether words name a place: a known one, or one with its level before it.
func tailIsPlace(words []string) bool {
	return placeBySound[sound(strings.Join(words, ""))] != "" || placeHead.MatchString(" "+foldASCII(strings.Join(words, " "))+" ")
}

// tailName writes "TỈNH KON TUM" or "KON TUM" at the end of a name.
func tailName(words []string) string {
	s := strings.Join(words, " ")
	level, name := "", s
	if m := placeHead.FindStringSubmatchIndex(" " + foldASCII(s) + " "); m != nil && m[0] == 0 {
		rs := []rune(s)
		level = strings.ToLower(string(rs[:m[3]-1])) + " "
		if strings.HasPrefix(level, "t") && len(level) < 5 { // TP. and TX.
			level = strings.ToUpper(level)
		}
		name = string(rs[min(m[1]-1, len(rs)):])
	}
	return level + properName(name)
}

// twoWordHeads begin names whose second word belongs to the kind of agency, not to what it is for.
var twoWordHeads = map[string]bool{"chi": true, "tổng": true, "văn": true, "trung": true, "thanh": true, "công": true, "bệnh": true, "học": true, "đại": true, "tòa": true, "toà": true}

// fieldName writes a name without its place.
func fieldName(words []string) string {
	heads := 1
	first := strings.ToLower(words[0])
	if len(words) > 2 && twoWordHeads[first] {
		heads = 2
	}
	department, school := first == "bộ" || first == "sở", first == "trường"
	out := make([]string, len(words))
	for i, w := range words {
		low := strings.ToLower(w)
		after := ""
		if i > 0 {
			after = strings.ToLower(words[i-1])
		}
		field := department && i > 1 && (after == "và" || after == "-" || strings.HasSuffix(after, ","))
		switch {
		case strings.ContainsAny(w, "&0123456789") || isCode(strings.Trim(w, ",.()")) && w == strings.ToUpper(w): // THCS, GD&ĐT
			out[i] = w
		case i == 0 || i == heads || field || school && i > 1 && !schoolWords[low]:
			out[i] = capital(low)
		default:
			out[i] = low
		}
	}
	return strings.Join(out, " ")
}

// schoolWords are the words of a school's name that are no part of whom it is named after.
var schoolWords = map[string]bool{"trung": true, "học": true, "phổ": true, "thông": true, "cơ": true, "sở": true, "tiểu": true, "mầm": true, "non": true, "dân": true, "tộc": true,
	"nội": true, "trú": true, "bán": true, "cao": true, "đẳng": true, "nghề": true, "đại": true, "và": true}

// replaceFold writes phrase as it is given wherever it stands in s in another case.
func replaceFold(s, phrase string) string {
	low, want := strings.ToLower(s), strings.ToLower(phrase)
	for i := 0; ; {
		k := strings.Index(low[i:], want)
		if k < 0 || len(low) != len(s) {
			return s
		}
		s = s[:i+k] + phrase + s[i+k+len(want):]
		i += k + len(want)
	}
}
