package recipients

import (
	"regexp"
	"strings"
	"unicode"
)

// membersHead is what stands before the colon of a list of members: "UBND các huyện", "Giám đốc các Sở", "UBND huyện".
var membersHead = regexp.MustCompile(`\b(?:cac|nhung|\d+) [a-z][a-z, /&-]{0,60}$|\b(?:ubnd|hdnd|uy ban nhan dan|hoi dong nhan dan) ` + placeWord + `(?:(?: ?, ?| va | & | ?/ ?| - )` + placeWord + `)*$`)

// placesHead begins a list of places without a colon: "UBND các huyện Sa Thầy", "UBND huyện Sa Thầy".
var placesHead = regexp.MustCompile(`^(?:(?:chu tich |lanh dao )?(?:ubnd|hdnd|uy ban nhan dan|hoi dong nhan dan) (?:cac |nhung )?|cac |nhung )` + placeWord + ` [a-z]`)

// classAlone is a class of places with nothing behind it.
var classAlone = regexp.MustCompile(`\b(?:ubnd|hdnd|uy ban nhan dan) (?:cac|nhung) ` + placeWord + `(?:(?: ?, ?| va )` + placeWord + `)*$`)

// goesOn reports whether a text may be one more member of the list that another is.
func goesOn(list, member string) bool {
	switch {
	case len(list) > maxEntry:
		return false
	case len(list) < 100 && topColon(list) < 0 && classAlone.MatchString(strings.Trim(plainOf(list), " ;")): // ";" misread for ":"
		return strings.Contains(member, ",") && isMember(member)
	case topColon(list) < 0:
		return placesHead.MatchString(plainOf(firstBytes(list, 100))) && !isPerson(member) && isMember(member)
	}
	return listsMembers(list) && isMember(member)
}

// listsMembers reports whether a text is a class with a colon behind it, whose members follow one by one.
func listsMembers(text string) bool {
	if len(text) > maxEntry {
		return false
	}
	i := topColon(text)
	if i <= 0 || archiveHead.MatchString(plainOf(firstBytes(text, 60))) {
		return false
	}
	head := strings.TrimSpace(plainOf(text[:i]))
	return len(head) < maxEntry && (listClass.MatchString(head) || membersHead.MatchString(head))
}

// isMember reports whether a text may be a member's name that has lost its class to the head of the list: "Kon Rẫy", "Tài
// nguyên & Môi trường". Three words and more that are somebody's name are the signer's.
func isMember(s string) bool {
	s = strings.Trim(firstItem(strings.TrimSpace(firstBytes(s, 300))), " -–—.:")
	f := plainOf(s)
	words := strings.Fields(s)
	if sectors[lettersOnly(s)] {
		return true
	}
	if len(words) == 0 || len(words) > 7 || !startsUpper(s) || len([]rune(s)) < 3 || isPerson(s) && len(words) > 2 {
		return false
	}
	if len(words) > 2 && middleName.MatchString(plainOf(words[1])) { // a person's
		return false
	}
	for _, w := range words {
		if shouts(strings.Trim(w, ",;:()")) || junkRune.MatchString(w) {
			return false
		}
	}
	for _, re := range []*regexp.Regexp{bodyHead, titleHead, groupHead, pressHead, memberLead, refHead, archiveHead, agency, comrade, signerTitle} {
		if re.MatchString(f) {
			return false
		}
	}
	return !signFor.MatchString(" " + s)
}

// isPlaceOnly reports whether a text is a place and nothing else: "huyện Sa Thầy".
func isPlaceOnly(s string) bool {
	s = strings.Trim(s, " ;,.")
	return len(strings.Fields(s)) <= 6 && !strings.ContainsAny(s, ":0123456789") && !signFor.MatchString(" "+s)
}

// joinMember adds one more member to the list that the last entry is.
func (g *gatherer) joinMember(t string) bool {
	n := len(g.texts) - 1
	if n < 0 || g.gapAfter || len(g.texts[n]) > maxEntry {
		return false
	}
	name := t
	if g.loud(t, false) {
		name = inSmall(t)
	}
	if !goesOn(g.texts[n], name) {
		return false
	}
	last := strings.TrimRight(g.texts[n], " ;,.")
	if strings.HasSuffix(last, ":") {
		g.texts[n] = last + " " + t
	} else {
		g.texts[n] = last + "; " + t
	}
	g.closed = endsEntry(t)
	return true
}

// cut is cutSigner for a line that may go on with the last entry's list of members.
func (g *gatherer) cut(p string, loud bool) string {
	n := len(g.texts)
	return g.keepNames(p, cutSignerIn(p, loud, n > 0 && listsMembers(g.texts[n-1]) || g.wrapped && endsInWord(p)))
}

// keepNames puts names back that were cut off the end of line p although nobody signed beside the block: "Hội LHPN; Cựu chiến binh".
func (g *gatherer) keepNames(p, cut string) string {
	if g.merged || cut == "" || len(p) > maxEntry || isArchive(cut) {
		return cut
	}
	pieces, kept := cutSemicolons(p), len(cutSemicolons(cut))
	if kept == 0 || kept >= len(pieces) {
		return cut
	}
	for _, s := range pieces[kept:] {
		s = strings.Trim(s, " .,")
		if !isMember(s) || isSignerLine(s, false) || len(lettersOnly(s)) < 5 {
			return cut
		}
		cut = strings.TrimRight(cut, " ;") + "; " + s + ";"
	}
	return cut
}

// endsInWord reports whether a line ends with a word of some letters, that may go on in the next.
func endsInWord(p string) bool {
	ws := strings.Fields(tailOf(p, 40))
	return len(ws) > 0 && len([]rune(ws[len(ws)-1])) > 2 && !strings.ContainsAny(p[len(p)-1:], ";,.:")
}

// loud reports whether capitals in a line are the recipients' own and no signer's title: the block is written so, or the line
// begins with a body in capitals. Beside Kính gửi stands no signer.
func (g *gatherer) loud(p string, bulleted bool) bool {
	if g.shouting || g.kind == kinhGui {
		return true
	}
	return bulleted && isCapitals(firstWord(p)) && syllable.MatchString(lettersOnly(firstWord(p))) && bodyHead.MatchString(plainOf(firstBytes(p, 100))) && allCapitals(p)
}

// allCapitals reports whether a text has no small letter outside brackets.
func allCapitals(s string) bool {
	depth := 0
	for _, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case depth <= 0 && unicode.IsLower(r):
			return false
		}
	}
	return true
}
