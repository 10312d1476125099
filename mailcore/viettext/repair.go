package viettext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// render writes the words as path reads them and returns the encoding that most of the changed ones were in.
func render(words []word, path []int) (string, Encoding) {
	out, enc, _ := renderWords(words, path)
	return out, enc
}

// renderWords is render; guessed tells that a letter was put in, or a word parted or could not be read.
func renderWords(words []word, path []int) (out string, enc Encoding, guessed bool) {
	votes := make(map[Encoding]int)
	read := make([][]rune, len(words))
	plainly := make([][]rune, len(words))
	for i, w := range words {
		read[i], plainly[i] = w.text, w.text
		r := readings[path[i]]
		if r.enc == Unicode || w.plain {
			continue
		}
		if d, ok := r.decode(w.text); ok {
			read[i], plainly[i] = d, d
			votes[r.enc]++
		} else {
			guessed = true
		}
	}
	inTCVN3 := func(i int) bool { return readings[path[i]].enc == TCVN3 }
	repairHorns(words, read, inTCVN3)
	repairCapitals(words, read, inTCVN3)
	var b strings.Builder
	for i, w := range words {
		rs := read[i]
		guessed = guessed || !sameLetters(rs, plainly[i])
		if inTCVN3(i) {
			if a, c := unglue(rs); a != nil {
				guessed = true
				rs = append(append(append([]rune{}, a...), ' '), c...)
			}
		}
		b.WriteString(string(rs))
		b.WriteString(w.after)
	}
	return b.String(), winner(votes), guessed
}

func winner(votes map[Encoding]int) Encoding {
	best := Unicode
	for _, r := range readings {
		if votes[r.enc] > votes[best] {
			best = r.enc
		}
	}
	return best
}

// repairHorns puts back the ư that was lost with the soft hyphen: everywhere where a word needs it to be a syllable, and
// where the text has no soft hyphen left, in unusual words that a ư makes usual ("ngời", "nh", "Bộ T pháp").
func repairHorns(words []word, read [][]rune, inTCVN3 func(int) bool) {
	kept := false
	for i := range words {
		if !inTCVN3(i) {
			continue
		}
		kept = kept || strings.ContainsRune(string(words[i].text), '\u00ad')
		if !words[i].plain {
			if fixed := restoreHorn(read[i]); fixed != nil {
				read[i] = fixed
			}
		}
	}
	if kept {
		return
	}
	for i := range words {
		if inTCVN3(i) {
			if fixed := doubtHorn(words, read, i); fixed != nil {
				read[i] = fixed
			}
		}
	}
}

// doubtHorn returns word i with a ư put in when that is more usual than the word as it is, and nil otherwise. A word that
// is in use as it stands changes only when it makes a known pair with a neighbour; an abbreviation never.
func doubtHorn(words []word, read [][]rune, i int) []rune {
	w := read[i]
	low := strings.ToLower(string(w))
	if len(w) > 1 && abbreviation(w) || len(w) > 6 {
		return nil
	}
	var best []rune
	value := 0.0
	for _, c := range withHorn(w) {
		if !isSyllable(c) {
			continue
		}
		lowC := strings.ToLower(string(c))
		v := 0.0
		if i > 0 && pairs[lowAt(read, i-1)+" "+lowC] || i+1 < len(read) && pairs[lowC+" "+lowAt(read, i+1)] {
			v = pairWeight
		}
		if len(w) > 1 && wordWeight[low] == 0 && (!words[i].plain || !isSyllable(w)) {
			v += wordWeight[lowC]
		}
		if low == "lu" && strings.HasPrefix(words[i].after, ":") {
			v += pairWeight
		}
		if v > value {
			best, value = c, v
		}
	}
	return best
}

// lowAt returns word i in lower case, abbreviations as one sign, as the list of pairs has them.
func lowAt(read [][]rune, i int) string {
	if w := read[i]; len(w) > 1 && abbreviation(w) && !isSyllable(w) {
		return anyAbbreviation
	}
	return strings.ToLower(string(read[i]))
}

// restoreHorn returns w with one ư put in, when w is no syllable and that makes it one; the usual word wins.
func restoreHorn(w []rune) []rune {
	if len(w) < 2 || isSyllable(w) || !regularCase(w) {
		return nil
	}
	var best []rune
	weight := -1.0
	for _, c := range withHorn(w) {
		if v := wordWeight[strings.ToLower(string(c))]; isSyllable(c) && v > weight {
			best, weight = c, v
		}
	}
	return best
}

// withHorn returns w with ư put in at each place where a rime could begin or go on.
func withHorn(w []rune) [][]rune {
	if len(w) == 0 || len(w) >= maxSyllable {
		return nil
	}
	var out [][]rune
	for i := 0; i <= len(w); i++ {
		horn := 'ư'
		if len(w) > 1 && unicode.IsUpper(w[1]) {
			horn = 'Ư'
		}
		c := append(append(append(make([]rune, 0, len(w)+1), w[:i]...), horn), w[i:]...)
		if i == 0 && !unicode.IsUpper(w[0]) || i > 0 {
			out = append(out, c)
		}
	}
	return out
}

// unglue parts two words that ran together after ư: extractors of PDF text take the soft hyphen for the end of a line and
// swallow the space behind it ("thưđiện").
func unglue(w []rune) (a, b []rune) {
	if isSyllable(w) {
		return nil, nil
	}
	for i := 1; i < len(w)-1; i++ {
		if (w[i] == 'ư' || w[i] == 'Ư') && isSyllable(w[:i+1]) && isSyllable(w[i+1:]) {
			return w[:i+1], w[i+1:]
		}
	}
	return nil, nil
}

// repairCapitals undoes what TCVN3 does to capitals. A word typed in capitals has them on its ASCII letters only ("CéNG");
// and Ủ in "Ủy ban", which has no byte of its own, is lost or became a replacement character.
func repairCapitals(words []word, read [][]rune, inTCVN3 func(int) bool) {
	for i := range words {
		if !inTCVN3(i) {
			continue
		}
		if up := raiseIfShouted(read[i]); isSyllable(up) {
			read[i] = up
		}
		if i+1 < len(words) && string(read[i]) == "y" && strings.EqualFold(string(words[i+1].text), "ban") {
			read[i] = []rune("Ủy")
			if i > 0 {
				words[i-1].after = strings.TrimRight(words[i-1].after, string(utf8.RuneError))
			}
		}
	}
	for i := range words { // a single capital goes with its neighbours: "X·" between words in capitals
		if inTCVN3(i) && !words[i].plain && len(read[i]) > 1 && oneBigLetter(words[i].text) && amongShouted(read, i) {
			read[i] = []rune(strings.ToUpper(string(read[i])))
		}
	}
}

// amongShouted reports whether the words around word i are syllables in capitals; one is enough at either end of the
// text. Abbreviations say nothing: "Sở TTTT".
func amongShouted(read [][]rune, i int) bool {
	shouted, there := 0, 0
	for _, j := range []int{i - 1, i + 1} {
		if j < 1 || j >= len(read) {
			continue
		}
		there++
		if len(read[j]) > 1 && isSyllable(read[j]) && abbreviation(read[j]) {
			shouted++
		}
	}
	return shouted > 0 && shouted == there
}

// raiseIfShouted returns w in capitals when two or more of its ASCII letters are capitals and none is small.
func raiseIfShouted(w []rune) []rune {
	big, mixed := 0, false
	for _, r := range w {
		if r < 0x80 && unicode.IsUpper(r) {
			big++
		}
		if r < 0x80 && unicode.IsLower(r) {
			return w
		}
		mixed = mixed || unicode.IsLower(r)
	}
	if big < 2 || !mixed {
		return w
	}
	return []rune(strings.ToUpper(string(w)))
}

// oneBigLetter reports whether the only ASCII letter of w is a capital at its front.
func oneBigLetter(w []rune) bool {
	ascii := 0
	for _, r := range w {
		if r < 0x80 {
			ascii++
		}
	}
	return ascii == 1 && unicode.IsUpper(w[0])
}
