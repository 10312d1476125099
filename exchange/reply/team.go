package reply

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	leading    = phrases("chu tri|lam chu tri|la chu tri|phu trach chinh")
	supporting = phrases("phoi hop|cung phoi hop|lam phoi hop|la phoi hop|phoi hop thuc hien|phoi hop xu ly|phoi hop giai quyet|phoi hop tham muu")
	along      = phrases("voi|cung|cung voi")
	leadWork   = phrases("xu ly|giai quyet|tham muu|thuc hien|tham muu giai quyet|tham muu van ban tra loi|xem xet")
)

// maxTeam bounds how many may work on one document.
const maxTeam = 12

// team reads several people of whom one leads: "đ/c An chủ trì, đ/c Bình, Chi phối hợp, hạn 20/11", "chủ trì: nvan.stttt; phối hợp:
// ltbinh.stttt". Who leads must be said, once, and everybody once; else it is nobody's assignment.
//
//	team    = lead sep ( "phối hợp" [ "với" ] [ ":" ] members | members "phối hợp" )
//	lead    = member "chủ trì" [ work ] | "chủ trì" [ ":" ] member
//	members = member { ( "," | "và" ) member }
func (p *parser) team() bool {
	lead, ok := p.lead()
	if !ok {
		return false
	}
	for p.sign(",", ";", "-", "\n", ".") || p.word("va") {
	}
	var support []string
	if p.role(supporting) {
		p.any(along)
		p.sign(":")
		support = p.members()
	} else if support = p.members(); !p.role(supporting) {
		return false
	}
	all := append([]string{lead}, support...)
	slices.Sort(all)
	if len(support) == 0 || len(support) > maxTeam || len(slices.Compact(all)) != len(support)+1 {
		return false
	}
	p.out.Act, p.out.To = Assign, "chủ trì: "+lead+"; phối hợp: "+strings.Join(support, ", ")
	return p.due()
}

// lead reads who is in charge.
func (p *parser) lead() (string, bool) {
	if p.role(leading) {
		p.sign(":", "-")
		return p.member(false)
	}
	who, ok := p.member(false)
	if !ok || !p.role(leading) {
		return "", false
	}
	p.any(leadWork)
	return who, true
}

// role reads what somebody does for the document, in brackets or not.
func (p *parser) role(words [][]string) bool {
	mark := p.at
	open := p.sign("(")
	if !p.any(words) || open && !p.sign(")") {
		p.at = mark
		return false
	}
	return true
}

// members reads people one after the other. Where the first bears a title, the others may go without.
func (p *parser) members() (all []string) {
	for len(all) <= maxTeam {
		mark := p.at
		if len(all) > 0 && !p.sign(",") && !p.word("va") {
			return all
		}
		who, ok := p.member(len(all) > 0)
		if !ok {
			p.at = mark
			return all
		}
		all = append(all, who)
	}
	return all
}

// member reads one person: an address, a name with a title, a full name; listed, a name alone.
func (p *parser) member(listed bool) (string, bool) {
	if p.done() {
		return "", false
	}
	mark, w := p.at, p.words[p.at]
	if officerForm.MatchString(w.fold) && plainASCII(w.text) {
		p.at++
		return strings.ToLower(w.text), true
	}
	if w.text != "A" && w.text != "C" && p.any(honorific) {
		p.sign(".")
		if who, ok := p.personName(true, true); ok {
			return who, true
		}
		p.at = mark // "Chi" is a name, too
	}
	who, ok := p.personName(false, listed)
	if !ok {
		p.at = mark
	}
	return who, ok
}

// personName reads the words of a name up to a role, a sign or what shall be done. Without a title it is in capitals and begins with a
// family's, unless others with a title stand before it.
func (p *parser) personName(titled, listed bool) (string, bool) {
	start := p.at
	for !p.done() && !p.words[p.at].isSign() && !p.memberEnds() {
		w := p.words[p.at]
		if p.at-start == 5 || w.in(inName) || w.in(past) || isNumber(w.fold) || !p.nameWord() || !capital(w.text) && (!titled || p.titleHere()) {
			return "", false
		}
		p.at++
	}
	n := p.at - start
	if n == 0 || !titled && !listed && (n == 1 || !p.words[start].in(families)) {
		return "", false
	}
	return joinWords(p.words[start:p.at]), true
}

func (p *parser) titleHere() bool {
	mark := p.at
	defer func() { p.at = mark }()
	return p.any(honorific)
}

// nameWord reports whether the word here may stand in a name: rooms and units are nobody's.
func (p *parser) nameWord() bool {
	switch p.words[p.at].fold {
	case "phong", "ban", "to", "so", "cac", "bo", "vp", "ubnd", "deu", "ca", "hai":
		return capital(p.words[p.at].text) && p.words[p.at].text != strings.ToUpper(p.words[p.at].text) && p.words[p.at].fold != "so" && p.words[p.at].fold != "cac"
	}
	return true
}

// memberEnds reports whether the name is over here: at a role, at "và", at what shall be done.
func (p *parser) memberEnds() bool {
	mark := p.at
	defer func() { p.at = mark }()
	return p.words[p.at].fold == "va" || p.any(leading) || p.any(supporting) || p.purposeHere()
}

func capital(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}
