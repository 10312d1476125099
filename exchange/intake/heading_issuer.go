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
	if all < 2 || strings.HasPrefix(l.low, "mau so") || strings.HasPrefix(l.low, "phu luc") || strings.HasPrefix(l.low, "cong bao") {
		return false
	}
	return 10*upper >= 6*all || agencyHead.MatchString(l.low) && len(strings.Fields(l.text)) <= 14 && unicode.IsUpper([]rune(l.text)[0])
}

// canonicalIssuer writes the issuer's name as it is usually written. The symbol of a central body is surer than its
// printed name, which OCR spoils; local bodies bear the name of their place.
func canonicalIssuer(superior, issuer, symbol, place, kind string) string {
	body := bodyOf(symbol, issuer)
	switch {
	case body != "" && !strings.HasPrefix(sound(issuer), "lien"):
		return body
	case issuer == "":
		return ""
	}
	parent, name := splitNames(joinBroken(issuer))
	if parent != "" {
		superior = parent
	}
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

var localHead = regexp.MustCompile(`^(uy ?ban nhan dan|ubnd|hoi dong nhan dan|hdnd) *(tinh|thanh pho|tp\.?|huyen|quan|thi xa|tx\.?|xa|phuong|thi tran) *`)

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
var placeHead = regexp.MustCompile(`\b(tinh|thanh pho|tp\.?|huyen|quan|thi xa|tx\.?|xa|phuong|thi tran) `)

// fixedCapitals are phrases that keep their capitals inside a name.
var fixedCapitals = []string{"Việt Nam", "Quốc hội", "Chính phủ", "Nhà nước", "Trung ương", "Mặt trận Tổ quốc", "Hồ Chí Minh", "Liên hiệp Phụ nữ", "Biên phòng", "UBND", "HĐND", "ĐBQH"}

// sentenceName writes a name by the plain rule: the first word and the first word of what it is for have capitals, so has
// each field after a dash or "và" of a department, and so have places.
func sentenceName(s string) string {
	if s != strings.ToUpper(s) {
		return s
	}
	place := ""
	low := foldASCII(s)
	if m := placeHead.FindAllStringSubmatchIndex(low, -1); m != nil && agencyHead.MatchString(low) {
		last := m[len(m)-1]
		level := strings.ToLower(string([]rune(s)[last[2]:last[3]]))
		if name := string([]rune(s)[last[1]:]); len(strings.Fields(name)) <= 5 {
			place = " " + strings.TrimSuffix(strings.Replace(level, "tp", "TP", 1), " ") + " " + properName(name)
			s = strings.TrimSpace(string([]rune(s)[:last[0]]))
		}
	}
	if name := agencyBySound[sound(s)]; name != "" {
		return name + place
	}
	words := strings.Fields(strings.ToLower(s))
	heads := 1
	if len(words) > 2 && (words[0] == "chi" || words[0] == "tổng" || words[0] == "văn" || words[0] == "trung" || words[0] == "thanh" || words[0] == "công") {
		heads = 2
	}
	department := words[0] == "bộ" || words[0] == "sở"
	for i, w := range words {
		if i == 0 || i == heads && words[0] != "ban" || department && i > 1 && (words[i-1] == "và" || words[i-1] == "-" || strings.HasSuffix(words[i-1], ",")) {
			words[i] = capital(w)
		}
	}
	name := strings.Join(words, " ")
	if words[0] == "Ban" && len(words) > 2 {
		rest := words[1:]
		rest[0] = capital(rest[0])
		name = "Ban " + strings.Join(rest, " ")
	}
	for _, phrase := range fixedCapitals {
		name = replaceFold(name, phrase)
	}
	return name + place
}

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
