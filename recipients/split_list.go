package recipients

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	bareClass   = regexp.MustCompile(`^(?:(?:cac|nhung) )?(` + phrases(`bo so ban vu cuc tong_cuc chi_cuc phong p\. vien trung_tam benh_vien hoi doan quan_khu cong_ty tap_doan khoa hat truong truong_thpt truong_thcs truong_tieu_hoc truong_mam_non truong_dai_hoc truong_cao_dang`) + `) `)
	placesOf    = regexp.MustCompile(`^(.*?)\b(?:cac|nhung) (` + placeWord + `)((?:(?: ?, ?| va )` + placeWord + `)*)\s*[:;]?\s*`)
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
		if m == nil || after == "" || memberLead.MatchString(plainOf(after)) || !pressHead.MatchString(m[1]) && isInside(after) && !namedFields(before, after) {
			return "", nil
		}
		if bringHeads(before) {
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

// namedFields reports whether a list after "Các Cục:" is of fields, though the first begins like people: "Người có công".
func namedFields(before, after string) bool {
	return memberLead.MatchString(plainOf(before)) && strings.HasPrefix(plainOf(after), "nguoi ") && startsUpper(after)
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
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + s[n:]
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
			if ps[j-1].sep != ";" && sectors[lettersOnly(dropTail(gluePieces(ps[i:j])))] && !partsBetter(ps[i:], j-i) {
				n = j - i
				break
			}
		}
		out = append(out, listPiece{ps[i].sep, gluePieces(ps[i : i+n]), ps[i].and})
		i += n
	}
	return out
}

// partsBetter reports whether the first n pieces are no one field: the first is one, and the next with one more is another, as in
// "Tài chính, Kế hoạch và Đầu tư".
func partsBetter(ps []listPiece, n int) bool {
	return n == 2 && len(ps) > n && sectors[lettersOnly(ps[0].text)] && ps[1].sep == "," && ps[2].sep == "va" && sectors[lettersOnly(dropTail(gluePieces(ps[1:3])))]
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
	f := plainOf(right)
	switch {
	case bodyHead.MatchString(f) && !sectors[lettersOnly(right)], memberLead.MatchString(f):
		return true
	case isAbbreviation(left) && isAbbreviation(right):
		return true
	}
	return sectors[lettersOnly(left)] && sectors[lettersOnly(dropTail(right))]
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
	if strings.HasPrefix(f, "bao ") && !strings.HasPrefix(strings.ToLower(member), "báo ") && !strings.HasPrefix(f, "bao hiem") { // Bảo trợ, no newspaper
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
