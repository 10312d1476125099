package recipients

import (
	"regexp"
	"strings"
)

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
	if m := unionTail.FindStringSubmatchIndex(last.ascii); m != nil {
		for i, n := range names[:len(names)-1] {
			if unionHead.MatchString(plainOf(n)) {
				names[i] = n + last.cut(m[2], m[3])
			}
		}
		return names
	}
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

// unionTail is the house at the end of a list of its own organisations: "Đảng ủy, Công đoàn Công ty".
var (
	unionTail = regexp.MustCompile(`^(?:cong doan|doan thanh nien|doan tncs|hoi dong quan tri|hdqt)( (?:tong )?(?:cong ty|truong|benh vien|so|cuc|co quan|hoc vien|xi nghiep))$`)
	unionHead = regexp.MustCompile(`^(?:dang uy|chi bo|dang bo|cong doan|doan thanh nien|doan tncs|hdqt|hoi dong quan tri)$`)
)

// ownerTail is the abbreviation of the body that the sub-units before it belong to.
var ownerTail = regexp.MustCompile(`(?: \(| ?/ ?| - |-(?:B[A-ZĐ]|VPCP$|TCT$|VP[A-ZĐ]))[A-ZĐ]{0,5}\)?$`)

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
