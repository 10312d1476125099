package recipients

import (
	"regexp"
	"strings"
)

// maxEntry bounds the bytes of one entry that rules about words look at. No recipient is that long; a block that is no
// block must still be read in linear time.
const maxEntry = 4000

// classify says what kind of entry name is; name is the text without its purpose. An entry that mixes kinds takes the kind
// of its first item.
func classify(name string) EntryKind {
	if len(name) > maxEntry {
		return EntryUnit
	}
	if short, notes := stripAnnotation(name); len(notes) > 0 && short != "" {
		name = short
	}
	name = strings.TrimLeft(name, " .,:;'\"“”-")
	sh := newShadow(unspace(name))
	switch a := sh.ascii; {
	case archiveHead.MatchString(a):
		return EntryArchive
	case refHead.MatchString(a):
		return EntryReference
	case isPress(sh):
		if !namesBody(sh) {
			return EntryGroup
		}
		return EntryPublication
	case memberLead.MatchString(a):
		return classifyMembers(sh)
	case comrade.MatchString(a) && !bodyHead.MatchString(a):
		return EntryPerson
	case isTitle(sh):
		return classifyTitle(sh)
	case groupHead.MatchString(a), countHead.MatchString(a), bodyOffice.MatchString(a) && agency.MatchString(a):
		return EntryGroup
	case misreadDeputies.MatchString(sh.text):
		return EntryGroup
	case isPerson(name), abbreviatedTitle.MatchString(a) && isPerson(afterWord(name)):
		return EntryPerson
	case !namesBody(sh):
		return EntryGroup
	}
	return EntryUnit
}

// misreadDeputies is a head's abbreviation, whatever a scan made of it, and the class of the deputies: "GT, các PCT UBND xã".
var misreadDeputies = regexp.MustCompile(`^\p{Lu}{1,3}, các (?:PCT|PGĐ|PCVP|PVP|PHT)\b`)

// abbreviatedTitle is TT for Thứ trưởng, and the like, before a person's name.
var abbreviatedTitle = regexp.MustCompile(`^(?:tt|bt|pct|ct|gd|pgd|ts|pgs|gs|ths|bs|ks)\.? `)

// isPress reports whether the first item is a publication.
func isPress(sh shadow) bool {
	if m := publishing.FindString(sh.ascii); m != "" { // "Đăng Website"
		return pressHead.MatchString(sh.ascii[len(m):])
	}
	if notPress.MatchString(sh.ascii) || !pressHead.MatchString(sh.ascii) {
		return false
	}
	if strings.HasPrefix(sh.ascii, "bao ") || sh.ascii == "bao" { // Báo, not Ban Bảo …
		return !strings.HasPrefix(sh.text, "Bảo ") || !bodyHead.MatchString(sh.ascii[4:])
	}
	return true
}

// publishing is the verb before a publication.
var publishing = regexp.MustCompile(`^dang (?:tai |tin |tren |len )*`)

// isTitle reports whether the text begins with the office of one person. Trưởng (head) and Trường (school) have one shadow.
func isTitle(sh shadow) bool {
	m := titleHead.FindString(sh.ascii)
	if m == "" {
		return false
	}
	return !strings.HasPrefix(m, "truong") || !strings.HasPrefix(strings.ToLower(sh.text), "trường")
}

// classifyMembers reads an entry that begins with "các": a list of named bodies, named persons, or a class.
func classifyMembers(sh shadow) EntryKind {
	a := sh.ascii
	if head, list, ok := strings.Cut(a, ":"); ok && strings.TrimSpace(list) != "" {
		switch {
		case listClass.MatchString(strings.TrimSpace(head)):
			if pressHead.MatchString(head[len(memberLead.FindString(head)):]) {
				return EntryPublication
			}
			if memberLead.MatchString(strings.TrimSpace(list)) {
				return EntryGroup
			}
			return EntryUnit
		case comrade.MatchString(head) || titleHead.MatchString(strings.TrimSpace(head[len(memberLead.FindString(head)):])):
			return EntryPerson
		}
	}
	if comrade.MatchString(a) {
		if rest := sh.text[sh.at[len(comrade.FindString(a))]:]; isPerson(rest) {
			return EntryPerson
		}
		return EntryGroup
	}
	if _, list := listHead(sh.text); len(list) > 0 {
		return EntryUnit
	}
	return EntryGroup
}

// classifyTitle reads an entry that begins with an office: a single holder, or the holders of a class of offices.
func classifyTitle(sh shadow) EntryKind {
	a := sh.ascii
	first, _, _ := strings.Cut(a, ":")
	if deputies.MatchString(first) || !namesBody(sh) {
		return EntryGroup
	}
	if headsOfClass.MatchString(a) {
		return EntryGroup
	}
	return EntryPerson
}

// headsOfClass are the heads of unnamed bodies: "Thủ trưởng các cơ quan".
var headsOfClass = regexp.MustCompile(`^thu truong (?:cac|co quan|don vi|,|cua cac)`)

// namesBody reports whether the first item of a list of bodies (or of offices) is a named one: "UBND tỉnh" is, "UBND các
// tỉnh" and "UBND xã, thị trấn" are classes, "UBND các tỉnh Hưng Yên, Hà Nam" names its members.
func namesBody(sh shadow) bool {
	a, _, _ := strings.Cut(sh.ascii, ";")
	if i := strings.IndexByte(a, ':'); i > 0 && !listsPlaces(a[:i]) {
		a = a[:i]
	}
	if m := ownMembers.FindStringIndex(a); m != nil { // only the first item counts
		a = a[:m[0]]
	}
	counted := strings.Contains(a, "cac ") || strings.Contains(a, "nhung ") || strings.ContainsAny(a, "0123456789")
	if letterApart.MatchString(a) && spacedClass.MatchString(lettersOnly(a)) && !tailClass.MatchString(a) {
		return false
	}
	for _, re := range []*regexp.Regexp{tailClass, twoPlaces} {
		at := 0
		for at < len(a) && (counted || re == twoPlaces) {
			m := re.FindStringIndex(a[at:])
			if m == nil {
				break
			}
			from, to := at+m[0], at+m[1]
			at = to
			if re == tailClass && !isClassTail(a, from, to) {
				continue
			}
			if !namedAfter(sh, to) {
				return false
			}
		}
	}
	return !twoParties.MatchString(a) && !areaTail.MatchString(strings.TrimRight(a, " .,"))
}

// isClassTail reports whether the match a[from:to] of tailClass says that what stands before it is a class: it is no item
// of its own, and no part of a name.
func isClassTail(a string, from, to int) bool {
	match := a[from:to]
	switch {
	case from == 0 && strings.HasPrefix(a, "cac"), isOwnItem(a, from, to):
		return false
	case notClass.MatchString(beforeClass(match, a[:from])):
		return false
	}
	return !weakClass.MatchString(match) || !fieldWord.MatchString(a[to:])
}

// listsPlaces reports whether the head before a colon announces places: "UBND các huyện:".
func listsPlaces(head string) bool { return placeList.MatchString(head) }

var placeList = regexp.MustCompile(`\b(?:cac|nhung) ` + placeWord + `(?:(?:, | va )` + placeWord + `)*$`)

// beforeClass returns what stands before the "các" of a match of tailClass.
func beforeClass(match, before string) string {
	i := strings.Index(match, "cac ")
	if i < 0 {
		return ""
	}
	return strings.TrimRight(before+match[:i], " ")
}

// isOwnItem reports whether the class found at a[from:to] is an item of its own after a comma or "và": "Tỉnh ủy, các sở".
func isOwnItem(a string, from, to int) bool {
	lead := a[from:to]
	i := strings.Index(lead, "cac ")
	if i < 0 {
		i = 0
	}
	before := strings.TrimRight(a[:from+i], " ")
	return before == "" || strings.HasSuffix(before, ",") || strings.HasSuffix(before, " va") || strings.HasSuffix(before, "&") ||
		strings.HasSuffix(before, ";") || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "(")
}

// ownMembers is where a class begins as an item of its own; spacedClass finds classes whose letters stand apart.
var (
	letterApart = regexp.MustCompile(` [a-z] `)
	ownMembers  = regexp.MustCompile(`(?:[,;] ?| va | & ?)(?:cac|nhung) `)
	spacedClass = regexp.MustCompile(`cactinhthanhpho|cactinhtp|cachuyenth|cacsobannganh|cacxaphuong`)
)

// namedAfter reports whether a proper name follows position i: a capital that does not begin the name of a region.
func namedAfter(sh shadow, i int) bool {
	for i < len(sh.ascii) && (sh.ascii[i] == ' ' || sh.ascii[i] == ':') {
		i++
	}
	if i >= len(sh.ascii) || regionName.MatchString(sh.ascii[i:]) {
		return false
	}
	c := sh.ascii[i]
	return startsUpper(sh.text[sh.at[i]:]) && 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

// isPerson reports whether s is the name of a person: a family name and one to four more capitalised words.
func isPerson(s string) bool {
	s, _, _ = strings.Cut(s, ",")
	s, _, _ = strings.Cut(s, ";")
	s, _, _ = strings.Cut(s, "(")
	s, _, _ = strings.Cut(s, " - ")
	ws := strings.Fields(s)
	if len(ws) < 2 || len(ws) > 6 || !surnames[lettersOnly(ws[0])] {
		return false
	}
	loud := strings.ToUpper(s) == s
	for _, w := range ws {
		if !startsUpper(w) || strings.ContainsAny(w, "&/+0123456789:-") || lettersOnly(w) == "" || !loud && upperInside.MatchString(w) {
			return false
		}
	}
	if noSurname[strings.ToLower(ws[0])] {
		return false
	}
	return !bodyHead.MatchString(plainOf(s)) && !titleHead.MatchString(plainOf(s))
}

// noSurname are words that only without their marks are family names: a school, and the Chư ("mountain") of Chư Păh, Chư Sê, Chư Hreng.
var noSurname = map[string]bool{"trường": true, "đình": true, "chư": true}

// upperInside is a capital after the first letter, as in abbreviations.
var upperInside = regexp.MustCompile(`^..*\p{Lu}`)

// afterWord returns s without its first word.
func afterWord(s string) string {
	_, rest, _ := strings.Cut(s, " ")
	return rest
}

// unspace puts the head of a text together whose letters stand apart, as a bad extraction leaves them ("T hủ tướ ng"), so
// that it can be classified. Any other text comes back as it is.
func unspace(s string) string {
	ws := strings.Fields(s)
	single := 0
	for _, w := range ws {
		if r := []rune(w); len(r) == 1 && r[0] != '-' {
			single++
		}
	}
	if len(ws) < 4 || single*5 < len(ws)*2 {
		return s
	}
	joined := strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), ",", ", ")
	sh := newShadow(joined)
	for _, head := range apartHeads {
		if squashed := strings.ReplaceAll(head, " ", ""); strings.HasPrefix(sh.ascii, squashed) {
			return head + " " + sh.text[sh.at[len(squashed)]:]
		}
	}
	return joined
}

// apartHeads are the heads that unspace looks for, longer ones first.
var apartHeads = strings.Split(`van phong,thuong truc,thanh tra,thu tuong,pho thu tuong,pho chu tich,chu tich,bo truong,thu truong,giam doc,chanh van phong,`+
	`cong bao,cong thong tin,cong ttdt,website,bao hiem,bao,dai phat thanh,hoi dong,uy ban,mat tran,lien doan,tinh uy,thanh uy,huyen uy,tinh doan,thanh doan,`+
	`cac so,cac bo,cac phong,cac ban,cac huyen,cac,lanh dao,ban lanh dao,trung tam,tong cuc,chi cuc,cong an,kho bac,ngan hang,toa an,vien kiem sat,`+
	`nhu dieu,nhu tren,nhu kinh gui,luu,ubnd,hdnd,vpub,ttub,bo,so,hoi,doan,ban,cuc,vu,vien,phong`, ",")
