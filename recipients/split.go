package recipients

import (
	"regexp"
	"strings"
)

// splitNames splits the text of an entry, purpose taken out, into the names it lists, with a distributed head or a shared
// tail given to each: "Các Sở: Nội vụ, Tài chính" is Sở Nội vụ and Sở Tài chính, "HĐND, UBND tỉnh" is HĐND tỉnh and UBND
// tỉnh. Names that contain commas or "và" stay whole, "Cục X, Bộ Y" is one name, what follows "VPCP:" is inside VPCP.
// Groups among the items ("và các đoàn thể") are left out. A text without a list is its own only name.
func splitNames(text string) []string {
	text = strings.Trim(collapse(text), " ;,.")
	if text == "" {
		return []string{}
	}
	if len(text) > maxEntry {
		return []string{text}
	}
	if i := topColon(text); i > 0 && !(bareOffice.MatchString(plainOf(text[:i])) && council.MatchString(strings.TrimSpace(plainOf(text[i+1:])))) { // not "TT: HĐND tỉnh"
		if head, list := listHead(text); len(list) > 0 {
			return distribute(head, list)
		}
		if names := mixedPlaces(text, i); names != nil {
			return names
		}
		if !bringHeads(text[:i]) {
			return splitNames(text[:i])
		}
		return splitNames(text[i+1:])
	}
	if head, list := listHead(text); len(list) > 0 {
		return distribute(head, list)
	}
	return splitPlain(text)
}

// mixedPlaces splits "UBND thành phố Vinh, thị xã Cửa Lò và các huyện: Diễn Châu, Yên Thành": named places, then a class of
// places with its members, all of the body that the first one names.
func mixedPlaces(text string, colon int) []string {
	sh := newShadow(text[:colon])
	m := placesAtEnd.FindStringSubmatchIndex(sh.ascii)
	if m == nil || m[0] == 0 {
		return nil
	}
	first := splitNames(sh.cut(0, m[0]))
	if len(first) == 0 {
		return nil
	}
	fs := newShadow(first[0])
	body := beforePlace.FindStringSubmatchIndex(fs.ascii)
	if body == nil {
		return nil
	}
	return append(first, splitNames(fs.cut(0, body[3])+sh.cut(m[2], m[3])+text[colon:])...)
}

var placesAtEnd = regexp.MustCompile(`(?:[,;] ?| va )((?:cac|nhung) ` + placeWord + `(?:(?:, | va )` + placeWord + `)*)$`)

// bringHeads reports whether head is a bare class ("Các đơn vị:") whose members bring their own heads.
func bringHeads(head string) bool {
	return headless.MatchString(plainOf(head))
}

var headless = regexp.MustCompile(`^(?:cac |nhung )(?:don vi|co quan|doan the|to chuc|doanh nghiep|co quan, don vi)[a-z, ]*$`)

// topColon returns where the first colon outside brackets stands, -1 when there is none.
func topColon(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ':':
			if depth <= 0 {
				return i
			}
		}
	}
	return -1
}

// A listPiece is a part of a list with the separator that stood before it.
type listPiece struct {
	sep  string // "", ",", ";", "." or "va"
	text string
	and  string // how "và" is spelt
}

// cutPieces cuts s at the commas, semicolons and words "và" that stand outside brackets.
func cutPieces(s string) []listPiece {
	sh := newShadow(s)
	var out []listPiece
	depth, from, sep := 0, 0, ""
	and := ""
	add := func(to int) {
		out = append(out, listPiece{sep, strings.TrimSpace(sh.cut(from, to)), and})
	}
	for i := 0; i < len(sh.ascii); i++ {
		switch c := sh.ascii[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == ',' || c == ';':
			add(i)
			from, sep = i+1, string(c)
		case c == '.' && stopsItem(sh.ascii, i):
			add(i)
			from, sep = i+1, "."
		case c == ' ' && strings.HasPrefix(sh.ascii[i:], " va "):
			add(i)
			from, sep, and = i+4, "va", sh.cut(i, i+4)
			i += 3
		}
	}
	add(len(sh.ascii))
	return out
}

// stopsItem reports whether the stop at a[i] stands for a comma between bodies: "Sở Y tế. Sở Tài chính".
func stopsItem(a string, i int) bool {
	if i+2 >= len(a) || a[i+1] != ' ' || !bodyHead.MatchString(a[i+2:]) {
		return false
	}
	j := strings.LastIndexByte(a[:i], ' ') + 1
	return i-j > 2 || i-j == 2 && !shortened.MatchString(a[j:i])
}

// shortened are class words that are written with a stop.
var shortened = regexp.MustCompile(`^(?:tp|tt|tx|vp|ub|ts|gs)$`)

// gluePieces puts pieces together again as they stood.
func gluePieces(ps []listPiece) string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			switch p.sep {
			case "va":
				b.WriteString(p.and)
			default:
				b.WriteString(p.sep + " ")
			}
		}
		b.WriteString(p.text)
	}
	return b.String()
}

var (
	placeTail   = regexp.MustCompile(` (?:(?:(?:hdnd|ubnd|dang uy|hoi dong nhan dan) )?(?:cua )?` + placeWord + `|tinh uy|thanh uy|huyen uy|quoc hoi)(?: [a-z' ]*)?$`)
	tailName    = regexp.MustCompile(`( ` + placeWord + `| (?:tinh|thanh|huyen|thi|quan) (?:uy|doan)| cua quoc hoi)((?: [a-z']+){0,4})$`)
	boardTail   = regexp.MustCompile(` (?:hdnd|ubnd|hoi dong nhan dan) ` + placeWord + `(?: [a-z']+){0,4}$`)
	notPlace    = regexp.MustCompile(`(?i)^ (?:quân|quản|quan ly|xã hội)`) // not quận, not xã
	hasPlace    = regexp.MustCompile(`\b(?:tinh|huyen|phuong|thi tran|thanh pho|tp|quan|thi xa|(?:tinh|thanh|huyen|thi|quan|h\.?|t\.?) ?uy|tw|trung uong|viet nam|vn|quoc hoi|chinh phu|khu vuc|tttu|vptu|nha nuoc)\b`)
	jointOffice = regexp.MustCompile(`^(?:van phong|vp)\b.*\b(?:dbqh|dai bieu quoc hoi|hdnd|hoi dong nhan dan)$`)
	subUnit     = regexp.MustCompile(`^(?:cuc|vu|tong cuc|thanh tra|vien|hoc vien|phong|p\.|trung tam|truong|bo tu lenh|bo tham muu|tap chi)\b`)
	topUnit     = regexp.MustCompile(`^(?:bo [a-z]|bca\b|bqp\b|btp\b|vpcp\b|qdndvn|quan doi|bo$)`)
	midUnit     = regexp.MustCompile(`^(?:so [a-z]|cong an |ubnd |cuc [a-z])`)
)

// splitPlain splits a list that announces no head.
func splitPlain(text string) []string {
	if head, list := sectorList(newShadow(text)); len(list) > 1 {
		return distribute(head, list)
	}
	var items [][]listPiece
	for _, p := range wholeNames(cutPieces(text)) {
		if n := len(items); n > 0 && !opensItem(items[n-1], p) {
			items[n-1] = append(items[n-1], p)
			continue
		}
		items = append(items, []listPiece{p})
	}
	names := []string{}
	for _, it := range items {
		name := strings.TrimSpace(gluePieces(it))
		f := plainOf(name)
		if name == "" || len(items) > 1 && (memberLead.MatchString(f) || agency.MatchString(f) || groupHead.MatchString(f) && !isPress(newShadow(name))) {
			continue
		}
		if i := topColon(name); i > 0 {
			name = strings.TrimSpace(name[:i])
		}
		names = append(names, name)
	}
	names = shareHead(names)
	return shareTail(names)
}

// wholeNames puts a class word and a field name that contains separators back together: "Sở VH, TT và DL".
func wholeNames(ps []listPiece) []listPiece {
	var out []listPiece
	for i := 0; i < len(ps); {
		n := 1
		if m := bareClass.FindString(plainOf(ps[i].text)); m != "" {
			for j := min(len(ps), i+4); j > i+1; j-- {
				if sectors[lettersOnly(dropTail(gluePieces(ps[i:j])))[len(lettersOnly(m)):]] {
					n = j - i
					break
				}
			}
		}
		out = append(out, listPiece{ps[i].sep, gluePieces(ps[i : i+n]), ps[i].and})
		i += n
	}
	return out
}

// opensItem reports whether piece p begins a new item after the pieces of item.
func opensItem(item []listPiece, p listPiece) bool {
	f, before := plainOf(p.text), plainOf(gluePieces(item))
	if p.text == "" {
		return false
	}
	if topColon(gluePieces(item)) > 0 { // the rooms of a body follow its colon, whatever separates them
		return false
	}
	if p.sep == ";" || p.sep == "." {
		return true
	}
	if memberLead.MatchString(f) || agency.MatchString(f) || groupHead.MatchString(f) && startsUpper(p.text) && !isAbbreviation(p.text) {
		return true
	}
	if jointOffice.MatchString(before) && council.MatchString(f) {
		return false
	}
	if p.sep == "," && isOwner(before, f) {
		return false
	}
	if before == "van phong" || before == "tt" && council.MatchString(f) { // "Văn phòng, Quốc hội": a stray comma
		return false
	}
	switch {
	case notBody.MatchString(f):
		return false
	case isPress(newShadow(p.text)):
		return true
	case p.sep == "va":
		return opensAfterAnd(f, p.text)
	case isNamedPlace(p.text, f):
		return true
	case bodyHead.MatchString(f) && startsBody(p.text):
		return !sectors[lettersOnly(joinedWith(item, p))]
	case isAbbreviation(withoutBracket(p.text)):
		return onlyAbbreviations(item) || isAbbreviation(lastWord(item)) || selfStanding.MatchString(f)
	}
	return placeListed(item, p)
}

// isOwner reports whether f, after a comma, is the body that the sub-unit before belongs to: "Cục X, Bộ Y" is one name.
func isOwner(before, f string) bool {
	switch {
	case strings.HasPrefix(f, "qdndvn"):
		return true
	case strings.HasPrefix(before, "phong ") && midUnit.MatchString(f):
		return true
	}
	return subUnit.MatchString(before) && !strings.Contains(before, ",") && topUnit.MatchString(f)
}

// isNamedPlace reports whether text is a class of place and a name: "thị xã Cửa Lò".
func isNamedPlace(text, f string) bool {
	m := ownPlace.FindString(f)
	if m == "" {
		return false
	}
	sh := newShadow(text)
	return startsUpper(sh.text[sh.at[len(m)]:])
}

// opensAfterAnd reports whether what follows "và" is a body of its own; abbreviations of fields are not.
func opensAfterAnd(f, text string) bool {
	return bodyHead.MatchString(f) && startsWithCapital(text) && (strings.Contains(f, " ") || selfStanding.MatchString(f)) && !sectors[lettersOnly(text)]
}

// startsBody reports whether the class word or the word after it is a capital: "Phòng Nội vụ", "tổ Văn phòng".
func startsBody(s string) bool {
	_, second, _ := strings.Cut(s, " ")
	return startsWithCapital(s) || startsUpper(second)
}

func startsWithCapital(s string) bool { return startsUpper(s) || selfStanding.MatchString(plainOf(s)) }

// joinedWith returns the field name that p would complete: the item without its class word, and p.
func joinedWith(item []listPiece, p listPiece) string {
	s := gluePieces(append(append([]listPiece{}, item...), p))
	if m := bareClass.FindString(plainOf(s)); m != "" {
		sh := newShadow(s)
		return sh.text[sh.at[len(m)]:]
	}
	return s
}

// onlyAbbreviations reports whether the item so far is abbreviations only.
func onlyAbbreviations(item []listPiece) bool {
	for _, p := range item {
		if !isAbbreviation(p.text) {
			return false
		}
	}
	return true
}

func lastWord(item []listPiece) string {
	ws := strings.Fields(item[len(item)-1].text)
	if len(ws) < 2 || len(ws) > 2 {
		return " "
	}
	return ws[1]
}

// placeListed reports whether p is one more place after "UBND tỉnh Lào Cai, …".
func placeListed(item []listPiece, p listPiece) bool {
	if len(item) != 1 || !startsUpper(p.text) || len(strings.Fields(p.text)) > 4 {
		return false
	}
	m := namedPlace.FindStringSubmatch(plainOf(item[0].text))
	if m == nil {
		return false
	}
	for _, w := range strings.Fields(p.text) {
		if !startsUpper(w) {
			return false
		}
	}
	return true
}
