package recipients

import (
	"regexp"
	"strings"
	"unicode"
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
	if i := topColon(text); i > 0 {
		if head, list := listHead(text); len(list) > 0 {
			return distribute(head, list)
		}
		if names := mixedPlaces(text, i); names != nil {
			return names
		}
		if !listHasHeads(text[:i], text[i+1:]) {
			before := splitNames(text[:i])
			return before
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

// listHasHeads reports whether head is a bare class ("Các đơn vị:") whose members bring their own heads.
func listHasHeads(head, list string) bool {
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
	bareClass   = regexp.MustCompile(`^(?:(?:cac|nhung) )?(` + phrases(`bo so ban vu cuc tong_cuc chi_cuc phong p\. vien trung_tam benh_vien hoi doan quan_khu cong_ty tap_doan khoa hat truong truong_thpt truong_thcs truong_tieu_hoc truong_mam_non truong_dai_hoc truong_cao_dang`) + `) `)
	placesOf    = regexp.MustCompile(`^(.*?)\b(?:cac|nhung) (` + placeWord + `)((?:(?: ?, ?| va )` + placeWord + `)*)\s*:?\s*`)
	placeEnd    = regexp.MustCompile(placeWord + `\.?$`)
	beforePlace = regexp.MustCompile(`^(.*?)\b` + placeWord + `\b`)
	council     = regexp.MustCompile(`^(?:hdnd|ubnd|hoi dong nhan dan|uy ban nhan dan)\b`)
	ownPlace    = regexp.MustCompile(`^(` + placeWord + `)\.? `)
	namedPlace  = regexp.MustCompile(`^(.*\b(?:` + placeWord + `)\.?) ([^ ].*)$`)
)

// listHead finds the head that the members of a list share, and the pieces of the list. The list is empty when text is no
// list of named members.
func listHead(text string) (head string, list []listPiece) {
	sh := newShadow(text)
	if m := placesOf.FindStringSubmatchIndex(sh.ascii); m != nil && m[1] < len(sh.ascii) && namedAfter(sh, m[1]) && !notClass.MatchString(strings.TrimSpace(sh.ascii[:m[3]])) {
		if before := sh.ascii[:m[3]]; !strings.ContainsAny(before, ",;(") || councils.MatchString(before) {
			return strings.TrimSpace(sh.cut(0, m[3]) + sh.cut(m[4], m[5])), cutPieces(sh.text[sh.at[m[1]]:])
		}
	}
	if i := topColon(text); i > 0 {
		before, after := strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
		m := listClass.FindStringSubmatch(plainOf(before))
		if m == nil || after == "" || memberLead.MatchString(plainOf(after)) || !pressHead.MatchString(m[1]) && isInside(after) {
			return "", nil
		}
		if listHasHeads(before, after) {
			return "", cutPieces(after)
		}
		bs := newShadow(before)
		n := len(bs.ascii) - len(strings.TrimPrefix(strings.TrimPrefix(bs.ascii, "cac "), "nhung "))
		h := bs.text[bs.at[n]:]
		if j := strings.IndexAny(h, ",/"); j > 0 {
			h = h[:j]
		}
		return capital(h), cutPieces(after)
	}
	return sectorList(sh)
}

// councils are bodies that every place has, so that a list of places is a list of each: "HĐND, UBND các tỉnh: A, B".
var councils = regexp.MustCompile(`^(?:hdnd|ubnd|hoi dong nhan dan|uy ban nhan dan|dang uy|doan dbqh)(?:(?:, | va )(?:hdnd|ubnd|hoi dong nhan dan|uy ban nhan dan|dang uy))+ $`)

// isInside reports whether the words after a colon are offices and rooms of the body before it.
func isInside(after string) bool {
	a := plainOf(after)
	return titleHead.MatchString(a) && !sectors[lettersOnly(cutPieces(after)[0].text)] || groupHead.MatchString(a)
}

// sectorList reads "Sở Nội vụ, Tài chính" and "các Sở Nội vụ, Tài chính": one class word before several fields.
func sectorList(sh shadow) (head string, list []listPiece) {
	m := bareClass.FindStringSubmatchIndex(sh.ascii)
	if m == nil {
		return "", nil
	}
	ps := cutPieces(sh.text[sh.at[m[1]]:])
	fields := joinFields(ps)
	plural := m[2] > 0
	if len(fields) < 2 {
		return "", nil
	}
	for _, p := range fields {
		known := sectors[lettersOnly(p.text)] || plural && isAbbreviation(p.text)
		if !known {
			return "", nil
		}
	}
	return capital(sh.cut(m[2], m[3])), fields
}

// capital returns s with its first letter large: the head of "các sở: …" is Sở.
func capital(s string) string {
	for i, r := range s {
		if i > 0 {
			return strings.ToUpper(s[:i]) + s[i:]
		}
		_ = r
	}
	return strings.ToUpper(s)
}

// isAbbreviation reports whether s is an abbreviation or a number, like TNMT, KH&ĐT, 1A.
func isAbbreviation(s string) bool {
	if s == "" || strings.ContainsAny(s, " (") {
		return false
	}
	small, large := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsLower(r):
			small++
		case unicode.IsUpper(r):
			large++
		}
	}
	return small == 0 || large > small || strings.ContainsAny(s, "&-0123456789") // "TTr", "Ch83"
}

// joinFields puts the pieces of one field name back together: Văn hóa, Thể thao và Du lịch.
func joinFields(ps []listPiece) []listPiece {
	var out []listPiece
	for i := 0; i < len(ps); {
		n := 1
		for j := min(len(ps), i+4); j > i+1; j-- {
			if ps[j-1].sep != ";" && sectors[lettersOnly(dropTail(gluePieces(ps[i:j])))] {
				n = j - i
				break
			}
		}
		out = append(out, listPiece{ps[i].sep, gluePieces(ps[i : i+n]), ps[i].and})
		i += n
	}
	return out
}

// dropTail takes a place off the end of a field name: "Văn hóa, Thể thao và Du lịch tỉnh".
func dropTail(s string) string {
	if t, ok := strings.CutSuffix(s, " TU"); ok {
		return t
	}
	sh := newShadow(s)
	if m := placeTail.FindStringIndex(sh.ascii); m != nil && !notPlace.MatchString(sh.text[sh.at[m[0]]:]) {
		return sh.cut(0, m[0])
	}
	return s
}

// staffHead is a head that every member of its list takes, though the members are bodies: "Văn phòng: Tỉnh ủy, UBND tỉnh".
var staffHead = regexp.MustCompile(`^(?:van phong|vp|thuong truc|ban thuong vu)$`)

// distribute gives head to each member of the list.
func distribute(head string, list []listPiece) []string {
	out := []string{}
	head = strings.TrimSpace(head)
	if hs := newShadow(head); strings.ContainsAny(head, ",") || strings.Contains(hs.ascii, " va ") {
		if m := placeEnd.FindStringIndex(hs.ascii); m != nil && councils.MatchString(hs.ascii[:m[0]]) {
			for _, p := range cutPieces(hs.cut(0, m[0])) {
				out = append(out, distribute(p.text+" "+hs.cut(m[0], m[1]), list)...)
			}
			return out
		}
	}
	place := namedPlace.MatchString(plainOf(head)+" x") && !sectors[lettersOnly(head)]
	fields := joinFields(list)
	if place {
		fields = list
	}
	for i := 0; i < len(fields); i++ {
		p := fields[i]
		for !place && i+1 < len(fields) && fields[i+1].sep == "va" && !splitsAtAnd(p.text, fields[i+1].text) {
			i++
			p.text = gluePieces([]listPiece{p, fields[i]})
		}
		switch f := plainOf(p.text); {
		case pressHead.MatchString(plainOf(head)) && !pressHead.MatchString(f) && p.text != "":
			out = append(out, strings.TrimSpace(head+" "+p.text))
		case p.text == "" || memberLead.MatchString(f) || f == "..." || groupHead.MatchString(f) && !sectors[lettersOnly(p.text)] && !isAbbreviation(p.text):
		case place:
			out = append(out, placed(head, p.text))
		case staffHead.MatchString(plainOf(head)):
			out = append(out, strings.TrimSpace(head+" "+p.text))
		case hasOwnHead(head, p.text):
			out = append(out, splitNames(p.text)...)
		default:
			out = append(out, strings.TrimSpace(head+" "+p.text))
		}
	}
	return shareTail(out)
}

// splitsAtAnd reports whether "left và right" are two members of a list.
func splitsAtAnd(left, right string) bool {
	if strings.HasSuffix(plainOf(left), "dbqh") || strings.HasSuffix(plainOf(left), "quoc hoi") {
		return false
	}
	return bodyHead.MatchString(plainOf(right)) && !sectors[lettersOnly(right)] || sectors[lettersOnly(left)] && sectors[lettersOnly(dropTail(right))] || isAbbreviation(left) && isAbbreviation(right) ||
		memberLead.MatchString(plainOf(right))
}

// hasOwnHead reports whether a member of a list brings its own class word: "Các Sở: Nội vụ, Tư pháp; Thanh tra tỉnh".
func hasOwnHead(head, member string) bool {
	f := plainOf(member)
	if head == "" {
		return true
	}
	if sectors[lettersOnly(member)] {
		return false
	}
	return memberHead.MatchString(f) && !notBody.MatchString(f) && (!isAbbreviation(member) || selfStanding.MatchString(f) && len(f) > 3) && startsWithHead(f)
}

// memberHead begins a member of a list that is no field of its head: narrower than bodyHead, because companies, unions and
// schools are named after fields that are bodies elsewhere ("Tập đoàn Điện lực").
var memberHead = regexp.MustCompile(`^(?:ubnd|hdnd|ubmt|uy ban|hoi dong|so|bo|cuc|vu|ban|van phong|vp|thanh tra|chi cuc|tong cuc|trung tam|cong an|kho bac|kbnn|` +
	`bao hiem xa hoi|bhxh|vien|vks|toa an|tand|ngan hang|hoi|doan|phong|ub|mttq|tinh uy|thanh uy|huyen uy|tinh doan|truong|benh vien|cong ty|tap doan|tong cong ty|kiem toan|lien doan|dai|bao)`)

// startsWithHead reports whether a class word is followed by more, or stands for itself.
func startsWithHead(f string) bool { return strings.Contains(f, " ") || selfStanding.MatchString(f) }

// ownBody begins a body in a list of places, where "Hội An" and "Phong Điền" are places.
var ownBody = regexp.MustCompile(`^(?:ubnd|hdnd|uy ban nhan dan|hoi dong nhan dan|so|bo|cong an|cuc|van phong|vp|thanh tra|dang uy|huyen uy|tinh uy|thanh uy|ban quan ly|bql|ttr?) `)

// placed gives the head "UBND huyện" to a place, which may bring its own class: "thành phố Kon Tum".
func placed(head, member string) string {
	hs := newShadow(head)
	m := namedPlace.FindStringSubmatchIndex(hs.ascii + " x")
	ms := newShadow(member)
	if ownBody.MatchString(ms.ascii) {
		return member
	}
	if m == nil {
		return head + " " + member
	}
	class := placeEnd.FindStringIndex(hs.ascii)
	if class == nil {
		return head + " " + member
	}
	body := strings.TrimSpace(hs.cut(0, class[0]))
	if ownPlace.MatchString(ms.ascii) {
		return strings.TrimSpace(body + " " + member)
	}
	if cities[lettersOnly(member)] && strings.HasPrefix(hs.ascii[class[0]:], "tinh") {
		return strings.TrimSpace(body + " thành phố " + member)
	}
	return head + " " + member
}

var (
	placeTail   = regexp.MustCompile(` (?:(?:(?:hdnd|ubnd|dang uy|hoi dong nhan dan) )?(?:cua )?` + placeWord + `|tinh uy|thanh uy|huyen uy|quoc hoi)(?: [a-z' ]*)?$`)
	tailName    = regexp.MustCompile(`( ` + placeWord + `| (?:tinh|thanh|huyen|thi|quan) (?:uy|doan)| cua quoc hoi)((?: [a-z']+){0,4})$`)
	boardTail   = regexp.MustCompile(` (?:hdnd|ubnd|hoi dong nhan dan) ` + placeWord + `(?: [a-z']+){0,4}$`)
	notPlace    = regexp.MustCompile(`(?i)^ (?:quân|xã hội)`) // not quận, not xã
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
	if p.sep == "," && (subUnit.MatchString(before) && !strings.Contains(before, ",") && topUnit.MatchString(f) || strings.HasPrefix(before, "phong ") && midUnit.MatchString(f) || strings.HasPrefix(f, "qdndvn")) {
		return false
	}
	if before == "van phong" { // "Văn phòng, Quốc hội": a stray comma
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
	return bodyHead.MatchString(f) && startsWithCapital(text) && (strings.Contains(f, " ") || selfStanding.MatchString(f)) && !sectors[lettersOnly(text)] ||
		titleHead.MatchString(f) && false
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

// shareHead gives the head of the name before to names that lack one: "UBND huyện Ngọc Hồi, huyện Đăk Tô", "Vụ TTr; TNCN".
func shareHead(names []string) []string {
	for i := 1; i < len(names); i++ {
		prev, f := newShadow(names[i-1]), plainOf(names[i])
		switch {
		case ownPlace.MatchString(f) && !strings.HasPrefix(f, "tt "):
			if m := beforePlace.FindStringSubmatchIndex(prev.ascii); m != nil && m[3] > 0 {
				names[i] = prev.cut(0, m[3]) + names[i]
			}
		case isAbbreviation(withoutBracket(names[i])) && !selfStanding.MatchString(f):
			if m := bareClass.FindStringIndex(prev.ascii); m != nil && isAbbreviation(withoutBracket(prev.text[prev.at[m[1]]:])) {
				names[i] = prev.cut(0, m[1]) + names[i]
			}
		case !bodyHead.MatchString(f) && placeListed([]listPiece{{text: names[i-1]}}, listPiece{sep: ",", text: names[i]}):
			if m := namedPlace.FindStringSubmatchIndex(prev.ascii); m != nil {
				names[i] = prev.cut(0, m[3]) + " " + names[i]
			}
		}
	}
	return names
}

// shareTail gives the place at the end of the last name to those of its kind before it that name none: "HĐND, UBND tỉnh".
func shareTail(names []string) []string {
	if len(names) < 2 {
		return names
	}
	if owner := ownerTail.FindString(names[len(names)-1]); owner != "" && sameClass(names) { // "Vụ PC, CST (BTC)"
		for i, n := range names[:len(names)-1] {
			names[i] = n + owner
		}
		return names
	}
	last := newShadow(names[len(names)-1])
	m := tailName.FindStringIndex(last.ascii)
	if m != nil && notPlace.MatchString(last.text[last.at[m[0]]:]) {
		return names
	}
	if b := boardTail.FindStringIndex(last.ascii); b != nil && strings.HasPrefix(last.ascii, "ban ") {
		m = b
	}
	if n := len(last.ascii) - 3; n > 0 && strings.HasSuffix(last.text, " TU") {
		m = []int{n, n + 3}
	}
	if m == nil || m[0] == 0 {
		return names
	}
	tail, kind := last.text[last.at[m[0]]:], kinshipOf(last.ascii[:m[0]])
	for i, n := range names[:len(names)-1] {
		f := plainOf(n)
		if bareOffice.MatchString(f) {
			names[i] = n + tail
			continue
		}
		if hasPlace.MatchString(f) || kind == "" || kinshipOf(f) != kind || strings.Contains(n, "(") || strings.HasSuffix(n, "TU") {
			continue
		}
		names[i] = n + tail
	}
	return names
}

// ownerTail is the abbreviation of the body that the sub-units before it belong to.
var ownerTail = regexp.MustCompile(`(?: \(| ?[-/] ?)[A-ZĐ]{2,6}\)?$`)

// withoutBracket returns s up to its first bracket.
func withoutBracket(s string) string {
	s, _, _ = strings.Cut(s, "(")
	return strings.TrimSpace(s)
}

// sameClass reports whether all names are abbreviations under one class word, the last one with an owner.
func sameClass(names []string) bool {
	class := ""
	for i, n := range names {
		if i == len(names)-1 {
			n = ownerTail.ReplaceAllString(n, "")
		}
		head, rest, ok := strings.Cut(n, " ")
		if !ok || !isAbbreviation(rest) || class != "" && head != class || !subUnit.MatchString(plainOf(head)) {
			return false
		}
		class = head
	}
	return true
}

// bareOffice is an office of whatever body the list ends with: "Thường trực, Ban Dân vận Tỉnh ủy".
var bareOffice = regexp.MustCompile(`^(?:thuong truc|ban thuong vu|van phong|vp|cac ban)$`)

// kinships are classes of bodies that share a tail when they stand in one list.
var kinships = []struct {
	kind string
	head *regexp.Regexp
}{
	{"power", regexp.MustCompile(`^(?:hdnd|ubnd|dang uy|tt\.? ?hdnd|thuong truc hdnd|uy ban nhan dan|hoi dong nhan dan|tt\.? ?dang uy|thuong truc dang uy|thuong truc hdnd|mttq|ubmttq)$`)},
	{"committee", regexp.MustCompile(`^(?:thuong truc )?uy ban [a-z]`)},
	{"mass", regexp.MustCompile(`^(?:hoi [a-z]|lien doan|ldld|doan t|ubmttq|mttq|mat tran|uy ban mttq|lien minh|uy ban mat tran)`)},
	{"line", regexp.MustCompile(`^(?:tand|toa an nhan dan|vksnd|vien kiem sat nhan dan|vien kiem sat|toa an|cong an|bch \w+|bch quan su|bo chi huy \w+|quan su|thi hanh an\w*|chi cuc|cuc|kbnn|kho bac|bhxh|bao hiem xa hoi|bo chi huy quan su|bo chi huy bo doi bien phong|bch bo doi bien phong|bch\w*|bo ch\w*)\b`)},
	{"so", regexp.MustCompile(`^so\b`)},
	{"ban", regexp.MustCompile(`^ban\b`)},
	{"press", regexp.MustCompile(`^(?:bao|dai|dai pt\w*|dai ptth|dai phat thanh.*)$`)},
	{"phong", regexp.MustCompile(`^phong\b`)},
	{"staff", regexp.MustCompile(`^(?:van phong|vp) (?:hdnd|ubnd|doan dbqh|dbqh)[a-z ]*$`)},
}

func kinshipOf(f string) string {
	f = strings.TrimSpace(f)
	for _, k := range kinships {
		if k.head.MatchString(f) {
			return k.kind
		}
	}
	return ""
}
