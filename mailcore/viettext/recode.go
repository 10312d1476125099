package viettext

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A reading is one way to understand the words of a text: as they stand, or as bytes of an old encoding that came through
// some code page.
type reading struct {
	enc   Encoding
	from  carrier
	prior float64 // how much less evidence it needs; the common encodings have more
}

// readings lists what Recode tries; the first is the text as it stands. TCVN3 and VNI are what offices wrote in.
var readings = []reading{
	{Unicode, nil, 0},
	{TCVN3, carrier1252, 0.4},
	{VNI, carrier1252, 0.4},
	{VISCII, carrier1252, 0.1},
	{Windows1258, carrier1252, 0.1},
	{VPS, carrier1252, 0},
	{TCVN3, carrier1258, 0},
	{VNI, carrier1258, 0},
}

// Costs on the way through the words of a text, in units of one well-formed syllable. A lone short word has to gain more
// than it costs to leave Unicode, so "Bé" stays "Bé" although its TCVN3 reading "Bộ" is the commoner word.
const (
	leaveCost  = 2.0 // to begin reading in an old encoding
	returnCost = 1.0 // to go back to Unicode
	symbolCost = 2.5 // a sign such as ¬ or µ inside a word that is read as it stands
	brokenCost = 2.5 // decoded, and no syllable
	alienCost  = 4.0 // a code point that the encoding does not have
	nameCost   = 0.3 // Latin letters that are no Vietnamese syllable: names, other languages
	caseCost   = 1.0 // a capital inside a word
	typoCost   = 1.5 // decoded, in a text that is Unicode elsewhere, though nothing but Vietnamese letters stand in it: "tôc" is a slip

	abbreviationGain = 0.5 // for one with Đ in it: such is nearly every abbreviation that is not ASCII
)

// Recode returns text in Unicode NFC and the encoding that it, or the larger part of what had to be changed, was in:
// Unicode when nothing but its normal form changed. It decides word by word with its neighbours in view, by which reading
// gives the more well-formed and the more usual syllables, so a text may be part Unicode and part old. Good Vietnamese,
// other languages in Latin letters and the names of minorities come back unchanged. It understands bytes as well as
// code points: what is no UTF-8 is taken for Latin-1. A soft hyphen that was lost from TCVN3 (ư) is put back where only
// that gives a word.
func Recode(text string) (string, Encoding) {
	if !utf8.ValidString(text) {
		text = fromBytes(text)
	}
	text = NFC(text)
	if isASCII(text) && !hasControls(text) {
		return text, Unicode
	}
	text, misread := undoUTF8(text)
	words := split(text)
	path := choose(words)
	if path == nil {
		if misread {
			return text, UTF8
		}
		return text, Unicode
	}
	out, enc := render(words, path)
	return NFC(out), enc
}

// fromBytes reads the bytes of s that are no UTF-8 as Latin-1.
func fromBytes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = rune(s[i])
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

func hasControls(s string) bool {
	return strings.IndexFunc(s, isControlLetter) >= 0
}

// isControlLetter reports whether r is a control character that is a letter in VISCII, VPS or VN1.
func isControlLetter(r rune) bool {
	return r >= 1 && r <= 6 || r >= 0x10 && r <= 0x1E
}

// A word is a run of letters, or of signs that may stand for letters, and what follows it up to the next.
type word struct {
	text  []rune
	after string
	plain bool // ASCII letters only: the same in every reading
}

// split parts text into words. The first may be empty, with what stands before the first letter after it.
func split(text string) []word {
	words := []word{{plain: true}}
	start := 0
	in := false
	for i, r := range text {
		letter := !notLetter(r)
		switch {
		case letter && !in:
			words[len(words)-1].after = text[start:i]
			words = append(words, word{})
			start, in = i, true
		case !letter && in:
			words[len(words)-1].set(text[start:i])
			start, in = i, false
		}
	}
	if in {
		words[len(words)-1].set(text[start:])
	} else {
		words[len(words)-1].after = text[start:]
	}
	return words
}

func (w *word) set(s string) {
	w.text = []rune(s)
	w.plain = isASCII(s) && !hasControls(s)
}

// notLetter reports whether r parts words in every encoding. The no-break space parts them too, although it is a rare
// capital of VISCII.
func notLetter(r rune) bool {
	if r < 0x80 {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || isControlLetter(r))
	}
	return unicode.IsSpace(r) || r == '\u0085' || r == utf8.RuneError ||
		r > 0x2122 && !unicode.IsLetter(r) && !unicode.IsMark(r)
}

// choose returns for each word the index of the reading in which it is best understood, or nil when that is Unicode for
// all. It is the cheapest path through the readings (Viterbi), so a word that is possible in two goes with its neighbours.
func choose(words []word) []int {
	doubtful, proof := suspicious(words)
	if !doubtful {
		return nil
	}
	score := make([]float64, len(readings))
	for s := 1; s < len(readings); s++ {
		score[s] = readings[s].prior - leaveCost
	}
	back := make([][]int, len(words))
	next := make([]float64, len(readings))
	before, now := make([]string, len(readings)), make([]string, len(readings))
	for i, w := range words {
		back[i] = make([]int, len(readings))
		for s := range readings {
			gain, low := understand(w, readings[s])
			if s > 0 && proof && w.slip() {
				gain -= typoCost
			}
			now[s] = low
			best, from := score[s], s
			if before[s] != "" && low != "" && pairs[before[s]+" "+low] {
				best += pairWeight
			}
			for p := range readings {
				if p != s && score[p]-moveCost(p, s) > best {
					best, from = score[p]-moveCost(p, s), p
				}
			}
			next[s], back[i][s] = best+gain, from
		}
		score, next, before, now = next, score, now, before
	}
	return trace(back, score)
}

// moveCost is what it costs to change the reading between two words.
func moveCost(from, to int) float64 {
	cost := 0.0
	if from != 0 {
		cost += returnCost
	}
	if to != 0 {
		cost += leaveCost - readings[to].prior
	}
	return cost
}

// trace follows the best path back, and returns nil when it never leaves Unicode.
func trace(back [][]int, score []float64) []int {
	s := 0
	for i := range score {
		if score[i] > score[s] {
			s = i
		}
	}
	path := make([]int, len(back))
	changed := false
	for i := len(back) - 1; i >= 0; i-- {
		path[i] = s
		changed = changed || s != 0
		s = back[i][s]
	}
	if !changed {
		return nil
	}
	return path
}

// suspicious reports whether any word could be of an old encoding: most texts have none and need no more work. A letter
// that no code page of the carriers gives (ạ, ế) proves its word to be Unicode; once a text has one, words that are good as
// they stand are believed too.
func suspicious(words []word) (doubtful, proof bool) {
	bad := false
	for _, w := range words {
		switch {
		case w.plain:
		case slices.ContainsFunc(w.text, func(r rune) bool { return r >= 0x1EA0 && r <= 0x1EF9 }):
			proof = true
		case isSyllable(trimSigns(w.text)) && !slices.ContainsFunc(w.text, legacySign):
			doubtful = true
		default:
			bad = true
		}
	}
	return bad || doubtful && !proof, proof
}

// slip reports whether a word has marks, and no letter or sign that is not Vietnamese.
func (w word) slip() bool {
	return !w.plain && !slices.ContainsFunc(trimSigns(w.text), func(r rune) bool { return !isASCIILetter(r) && !isVietnamese(r) })
}

func isASCIILetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// understand returns how well w makes sense in reading r, and the word so read in lower case.
func understand(w word, r reading) (gain float64, low string) {
	if w.plain {
		if len(w.text) > 1 && abbreviation(w.text) && !isSyllable(w.text) {
			return 0, anyAbbreviation
		}
		return 0, strings.ToLower(string(w.text))
	}
	if r.enc == Unicode {
		return asItStands(w.text)
	}
	decoded, ok := r.decode(w.text)
	switch {
	case !ok:
		return -alienCost, ""
	case !slices.ContainsFunc(w.text, unicode.IsLetter): // a lone sign proves nothing in any reading
		return 0, ""
	}
	if gain, low = syllableGain(decoded); gain > 0 {
		return gain, low
	}
	if r.enc == TCVN3 {
		if fixed := restoreHorn(decoded); fixed != nil {
			gain, low = syllableGain(fixed)
			return gain / 2, low
		}
		if a, b := unglue(decoded); a != nil {
			gain, low = syllableGain(b)
			return gain, low
		}
	}
	if !regularCase(decoded) {
		return -brokenCost - caseCost, ""
	}
	if abbreviation(decoded) || nameLike(decoded) { // VPTƯ; Pắk
		return -nameCost, ""
	}
	return -brokenCost, ""
}

// syllableGain values a word that should be Vietnamese; 0 means that it is none.
func syllableGain(w []rune) (float64, string) {
	core := trimSigns(w)
	low := strings.ToLower(string(core))
	switch {
	case isSyllable(core), isSyllable(raiseIfShouted(core)):
		return 1 + wordWeight[low], low
	case regularCase(core) && wordWeight[low] > 0: // Đăk, Lắk
		return 1, low
	case strings.ContainsRune(string(core), 'Đ') && abbreviation(core): // HĐND, TTĐT
		return abbreviationGain, anyAbbreviation
	}
	return 0, ""
}

// asItStands values a word as Unicode text.
func asItStands(w []rune) (float64, string) {
	gain := 0.0
	if bare, odd := withoutSoftHyphens(w); bare != nil {
		w = bare
		if odd {
			gain -= symbolCost
		}
	}
	core := trimSigns(w)
	for i, r := range w {
		if legacySign(r) && !(i == len(w)-1 && strings.ContainsRune("°²³¹", r)) {
			gain -= symbolCost
			break
		}
	}
	if len(core) == 0 {
		return 0, ""
	}
	switch {
	case isSyllable(core):
		low := strings.ToLower(string(core))
		gain += 1 + wordWeight[low]
		return gain, low
	case strings.ContainsRune(string(core), 'Đ') && abbreviation(core):
		return gain + abbreviationGain, anyAbbreviation
	case !regularCase(core):
		gain -= caseCost
	default:
		gain -= nameCost
	}
	return gain, ""
}

// withoutSoftHyphens returns w without its soft hyphens, nil when it has none. odd tells that one stands where no word is
// parted, before the first vowel or at the end: there it is the ư of TCVN3.
func withoutSoftHyphens(w []rune) (bare []rune, odd bool) {
	vowel := false
	for i, r := range w {
		if r != '\u00ad' {
			vowel = vowel || isVowel(unicode.ToLower(r))
			continue
		}
		if bare == nil {
			bare = make([]rune, 0, len(w))
			bare = append(bare, w[:i]...)
		}
		odd = odd || !vowel || i == len(w)-1
	}
	if bare == nil {
		return nil, false
	}
	bare = bare[:0]
	for _, r := range w {
		if r != '\u00ad' {
			bare = append(bare, r)
		}
	}
	return bare, odd
}

// legacySign reports whether r is a sign of Latin-1 that is a letter in TCVN3, VISCII or VPS and has no business in a word.
func legacySign(r rune) bool {
	return r >= 0x80 && r <= 0xBF && r != '«' && r != '»' && r != '·' && r != '\u00ad' || r == 'μ' || isControlLetter(r)
}

// trimSigns cuts quotation marks, dashes and other signs off both ends.
func trimSigns(w []rune) []rune {
	for len(w) > 0 && !unicode.IsLetter(w[0]) {
		w = w[1:]
	}
	for len(w) > 0 && !unicode.IsLetter(w[len(w)-1]) && !unicode.IsMark(w[len(w)-1]) {
		w = w[:len(w)-1]
	}
	return w
}

// decode reads w as r does, typographic signs at its ends left alone.
func (r reading) decode(w []rune) ([]rune, bool) {
	from := w
	if r.from != nil {
		if _, ok := r.from(0x110); ok { // windows-1258 knows Đ
			from = undo1258(w)
		}
	}
	out, ok := decodeRunes(r.enc, from, r.from)
	if ok {
		return out, true
	}
	i, j := 0, len(from)
	for i < j && from[i] >= 0x2010 && from[i] <= 0x203A {
		i++
	}
	for j > i && from[j-1] >= 0x2010 && from[j-1] <= 0x203A {
		j--
	}
	if i == 0 && j == len(from) {
		return w, false
	}
	core, ok := decodeRunes(r.enc, from[i:j], r.from)
	if !ok {
		return w, false
	}
	return append(append(append([]rune{}, from[:i]...), core...), from[j:]...), true
}
