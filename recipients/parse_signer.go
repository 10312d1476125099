package recipients

import (
	"regexp"
	"strings"
)

var (
	// signFor begins the signer's column: TM., KT., TL., TUQ., Q. before a title in capitals.
	signFor = regexp.MustCompile(`(?:^|[\s_;.,|])(?:TM|KT|TL|TUQ|TUN|T/M|K/T|T/L|Q)\s?[./]\s?(?:[A-ZĐÀ-Ỹ]{2,}|Bộ|Chủ|Giám|Phó|Thủ|Cục|Vụ|Tổng)`)
	// signerTitle is a title that stands in the signer's column also in small letters, as a whole line.
	signerTitle = regexp.MustCompile(`^(?:(?:tm|kt|tl|tuq|q|k/t|t/m)[./ ]|\(?(?:da|đa) k[yi]\)?|(?:pho )?(?:chu tich|giam doc|hieu truong|bo truong|thu truong|cuc truong|vu truong|chanh van phong|truong ban|truong phong|tong giam doc|thu tuong|chu nhiem|vien truong|chanh an|thong doc|tong cuc truong)$|(?:dai|thuong|trung|thieu) (?:tuong|ta)\b|ngay \d|ha noi, ngay|\[?signature|tai bieu mau|phu luc|mau so|noi nhan)`)
	junkRune    = regexp.MustCompile("[^\\pL\\pN\\s,;:.()/&'’\"“”+\\-–—]")
)

// cutSigner cuts off a line what a merged column put after the entry: the signer's title or name, or scraps that OCR made
// of them. shouting says that the block itself is in capitals.
func cutSigner(s string, shouting bool) string {
	return cutSignerIn(s, shouting, false)
}

// cutSignerIn is cutSigner for a line that may go on with a list of members.
func cutSignerIn(s string, shouting, members bool) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if m := signedEnd.FindStringIndex(s); m != nil {
		s = s[:m[0]]
	}
	if refHead.MatchString(plainOf(firstBytes(s, 40))) {
		s = cutReference(s)
	}
	if m := signFor.FindStringIndex(s); m != nil && !shouting {
		s = strings.TrimSpace(s[:m[0]])
	}
	if !isArchive(s) { // its codes look like scraps
		s = cutScraps(s, shouting, members)
	}
	if !shouting {
		s = cutShouting(s)
	}
	return s
}

// cutReference ends "Như trên" where it ends; only a bracket, a list or more Điều follow it.
func cutReference(s string) string {
	sh := newShadow(firstBytes(s, 400))
	m := referenceText.FindStringIndex(sh.ascii)
	if m == nil || len(sh.ascii) < m[1] {
		return s
	}
	end := sh.at[m[1]]
	rest := strings.TrimLeft(s[end:], " ")
	if strings.HasPrefix(rest, "(") {
		inside, after := cutBracket(rest)
		if _, _, ok := readBracket(inside); ok || len(after) < 3 {
			return strings.TrimSpace(s[:len(s)-len(after)])
		}
	}
	if rest == "" || strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, ";") || strings.HasPrefix(rest, "và") || strings.HasPrefix(rest, "-") {
		return s
	}
	if startsLower(rest) && !strings.HasPrefix(s[end:], ":") {
		return s
	}
	return strings.TrimSpace(s[:end])
}

var referenceText = regexp.MustCompile(`^nh[uir]{1,2} ?(?:tr[a-z]{1,2}\b|(?:tai )?(?:khoan \d+,? ?)?d[a-z]{2,3}u \d+[a-z]?(?: ?(?:,|va|-) ?(?:dieu )?\d+)*(?: (?:qd|quyet dinh|nq|tt)\w*)?|kinh g[a-z]{1,2}|muc \w+|danh sach\w*|thanh phan(?: kinh moi| moi)?)`)

// cutShouting cuts the line where a signer's title in capitals begins.
func cutShouting(s string) string {
	if len(s) > maxEntry {
		return s
	}
	ws := lineWords(s)
	if len(ws) < 2 {
		return s
	}
	if k := (&column{titled: true}).titleTail(s, ws, 1); k > 0 {
		return strings.TrimSpace(s[:ws[k].from])
	}
	return s
}

// signLead is the abbreviation before a signer's title.
var signLead = regexp.MustCompile(`^(?:TM|KT|TL|TUQ|Q)[./]`)

// isTitleWord reports whether w may belong to a title in capitals: a syllable, a dash or KT., not an abbreviation (HĐND).
func isTitleWord(w string) bool {
	l := lettersOnly(w)
	return l == "" || signLead.MatchString(w) || syllable.MatchString(l)
}

var syllable = regexp.MustCompile(`^(?:ngh?|[bcdghklmnpqrstvx]{0,2})[aeiouy]{1,3}(?:ch|ng|nh|[cmnpt])?$`)

// isCapitals reports whether w has only capitals and signs.
func isCapitals(w string) bool {
	up := false
	for _, r := range w {
		c := plainByte(r)
		if 'a' <= c && c <= 'z' {
			if startsLower(string(r)) {
				return false
			}
			up = true
		}
	}
	return up || strings.Trim(w, "-–_~.,:;") == ""
}

// cutScraps drops what follows a ";" of a line unless it is a note in brackets or another recipient, and scraps after a
// comma, colon or stop that are no words. What stands between two recipients is kept unless it is plainly the signer's.
func cutScraps(s string, shouting, members bool) string {
	pieces := cutSemicolons(s)
	if len(pieces) == 0 {
		return ""
	}
	kept, sure := []string{pieces[0]}, 1 // sure of them are wanted
	dropped := strings.HasSuffix(s, ";")
	for _, p := range pieces[1:] {
		if note, after := leadingNote(p); note != "" {
			if !signedNote.MatchString(plainOf(note)) && len(kept[len(kept)-1]) < maxEntry {
				kept[len(kept)-1] += " " + note
			}
			if p = strings.Trim(after, " ;.,"); p == "" {
				continue
			}
		}
		small := p
		if shouting {
			small = inSmall(p)
		}
		if looksRecipient(small) || isNamedPlace(small, plainOf(small)) && isPlaceOnly(small) || members && isMember(small) || len(kept) < 30 && goesOn(strings.Join(kept, "; "), small) {
			kept = append(kept, p)
			sure = len(kept)
		} else {
			dropped = true
			if !isSignerLine(p, false) {
				kept = append(kept, p)
			}
		}
	}
	out := strings.Join(kept[:sure], "; ")
	if !dropped && len(pieces) == 1 && !endsEntry(s) {
		out = strayEnd.ReplaceAllString(out, "")
	}
	switch {
	case dropped:
		return out + ";"
	case isArchive(s):
		return out
	}
	return cutLoose(out)
}

// inSmall writes a text in capitals as it would stand in small letters.
func inSmall(s string) string {
	if !allCapitals(s) {
		return s
	}
	return capital(strings.ToLower(s))
}

// strayEnd is a lone scrap at the end of a broken line: "Thường trực k" before "HĐND tỉnh;".
var strayEnd = regexp.MustCompile("\\s+(?:[a-xzđ]|['\"`´’‘~^_|*=<>«»¬!?])$")

// signedEnd is such a note at the end of a line.
var signedEnd = regexp.MustCompile(`(?i)[;.,]?\s*\(\s*(?:đã )?ký(?:[\s,;]+(?:tên|và|đóng|[dđ][aáâấầ]u|ghi|rõ|họ))*\s*\)\s*\.?$`)

// signedNote is what a typist puts for the signature.
var signedNote = regexp.MustCompile(`^\((?:da )?k[yi]|^\(signed`)

// leadingNote returns the bracket that s begins with, when it is a short closed one.
func leadingNote(s string) (note, after string) {
	if !strings.HasPrefix(s, "(") {
		return "", s
	}
	inside, after := cutBracket(s)
	if len(inside) > 80 || !strings.HasPrefix(s[1+len(inside):], ")") && !strings.Contains(s, ")") {
		return "", s
	}
	return "(" + inside + ")", after
}

// cutLoose drops scraps at the end of a line after a comma, colon or stop. Where they held letters or digits the entry
// ended before them.
func cutLoose(s string) string {
	if m := signAfterStop.FindStringIndex(s); m != nil && m[0] > 0 {
		return s[:m[0]] + ";"
	}
	t, scraps := s, ""
	for range 16 { // scraps are few
		i := strings.LastIndexAny(t, ",:.")
		if i <= 0 || len(t)-i > 60 || !isScrap(t[i+1:]) || isNumbered(t[:i], t[i+1:]) {
			break
		}
		scraps = t[i+1:] + scraps
		t = strings.TrimRight(t[:i], " ")
	}
	switch {
	case lettersOnly(scraps) != "":
		return t + ";"
	case len(s) <= len(t)+1:
		return s
	}
	return s[:len(t)+1]
}

// signAfterStop is a sign that no text has, right after a separator.
var signAfterStop = regexp.MustCompile(`[:,.]\s*[¬<>|~_=«»¡¿£¥€©®°\\{}\[\]^%#@$]`)

// isNumbered reports whether tail is one more number of a list of numbers: "Các phòng 1, 2, 3".
func isNumbered(before, tail string) bool {
	tail = strings.TrimSpace(tail)
	if tail == "" || before == "" || !strings.ContainsAny(tail[:1], "0123456789") {
		return false
	}
	return strings.ContainsAny(before[max(0, len(before)-8):], "0123456789")
}

// isScrap reports whether s, the tail of a line, holds no word: single characters, digits, signs.
func isScrap(s string) bool {
	for _, w := range strings.Fields(s) {
		w = strings.Trim(w, ",.;:-_'\"`´~|¬?!<>…")
		if n := len([]rune(w)); n > 1 && !(n < 4 && startsLower(w) && upperInside.MatchString(w)) && !junkRune.MatchString(w) {
			return false
		}
	}
	return !strings.ContainsAny(s, "()")
}

// looksRecipient reports whether s may be a recipient beside another in one line, not a scrap of the signer's column.
func looksRecipient(s string) bool {
	s = unspace(strings.Trim(firstBytes(s, 300), " -–—,"))
	f := plainOf(s)
	first := strings.Trim(firstWord(s), ",.;:")
	if f == "" || isPerson(s) || signFor.MatchString(" "+s) {
		return false
	}
	for _, w := range strings.Fields(strings.TrimPrefix(firstItem(s), "CÁC ")) {
		if shouts(strings.Trim(w, ",.;:()")) || junkRune.MatchString(w) {
			return false
		}
	}
	switch {
	case memberLead.MatchString(f), refHead.MatchString(f), archiveHead.MatchString(f), countHead.MatchString(f):
		return true
	case pressHead.MatchString(f), bodyHead.MatchString(f), titleHead.MatchString(f), groupHead.MatchString(f):
		return startsUpper(s) || len(strings.Fields(s)) > 1 && startsLower(s) && memberLead.MatchString(f) || isLowerHead(s, f)
	case comrade.MatchString(f) && (startsUpper(s) || strings.HasPrefix(f, "d")), agency.MatchString(f), placeAlone.MatchString(f), holdsBody(s):
		return true
	case isAbbreviation(first) && startsUpper(first) && (len(lettersOnly(first)) > 2 || selfStanding.MatchString(f)) && !hasSpeck(s) && !strings.ContainsFunc(first, isToned):
		return true
	}
	return sectors[lettersOnly(firstItem(s))] || startsUpper(s) && len(strings.Fields(s)) == 1 && len([]rune(first)) > 4
}

// placeAlone is a class of places that a misread comma cut off: "các tỉnh; thành phố".
var placeAlone = regexp.MustCompile(`^` + placeWord + `(?: truc thuoc.*)?$`)

// holdsBody reports whether a text whose beginning was misread names a body all the same: it ends with a purpose, or has the
// abbreviation of one inside.
func holdsBody(s string) bool {
	if endsWithPurpose(strings.TrimRight(s, " .,;")) {
		return true
	}
	for _, w := range strings.Fields(s) {
		if w = strings.Trim(w, specks); len(w) > 3 && isCapitals(w) && selfStanding.MatchString(plainOf(w)) && bodyHead.MatchString(plainOf(w)) {
			return true
		}
	}
	return false
}

// hasSpeck reports whether a single letter or a sign stands among the words of a text.
func hasSpeck(s string) bool {
	for _, w := range lineWords(s) {
		if isSpeck(w.core) && w.core != "&" {
			return true
		}
	}
	return false
}

// isLowerHead allows a class word in small letters ("sở Tài chính") when the rest is clean.
func isLowerHead(s, f string) bool { return startsLower(s) && !strings.ContainsAny(f, "0123456789?_") }

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
}

// firstItem returns s up to its first comma or semicolon.
func firstItem(s string) string {
	if i := strings.IndexAny(s, ",;("); i >= 0 {
		return s[:i]
	}
	return s
}

// isSignerLine reports whether a line without a bullet belongs to the signer's column or to what follows the block.
func isSignerLine(s string, shouting bool) bool {
	listed := strings.HasSuffix(s, ";") && strings.ToUpper(s) != s // "Bộ trưởng;" is one of a list
	s = strings.Trim(s, " *_.,:;-–'\"|")
	f := plainOf(firstBytes(s, 200))
	if s == "" || signerTitle.MatchString(f) && !(listed && titleHead.MatchString(f)) || signFor.MatchString(" "+s) || isPerson(s) {
		return true
	}
	ws := strings.Fields(firstBytes(s, 200))
	loud, junk := 0, 0
	for _, w := range ws {
		switch {
		case shouts(strings.Trim(w, ",.;:()")):
			loud++
		case len([]rune(w)) < 2 || junkRune.MatchString(w):
			junk++
		}
	}
	return !shouting && loud > 0 && (beginsTitle(lineWords(s)) || loud*2 >= len(ws) && !looksRecipient(firstItem(s))) || junk*2 >= len(ws) || len(ws) == 1 && !looksRecipient(s) && !startsLower(s) && len([]rune(s)) < 4
}
