package viettext

import (
	"strings"
	"unicode"
)

// onsets are the consonants a Vietnamese syllable may begin with, longest first so that the first match is the right one.
var onsets = []string{
	"ngh", "ch", "gh", "gi", "kh", "ng", "nh", "ph", "qu", "th", "tr",
	"b", "c", "d", "đ", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "x",
}

// rimeList has every rime without its tone. A rime in -iê- is written -yê- after qu and where there is no onset.
const rimeList = `a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên ênh êp êt êu
i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
o oc oi om on ong op ot oong ooc oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oe oen oeo oet
ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uôc uôi uôm uôn uông uôt uơ
uy uya uych uyn uynh uyp uyt uyu uyên uyêt
ư ưa ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu
y yêm yên yêng yêt yêu ynh ych yt ym yn`

var rimes = func() map[string]bool {
	m := make(map[string]bool)
	for _, r := range strings.Fields(rimeList) {
		m[r] = true
	}
	return m
}()

// rimeVowels has every beginning of a rime that consists of vowels.
var rimeVowels = func() map[string]bool {
	m := make(map[string]bool)
	for r := range rimes {
		rs := []rune(r)
		for n := 1; n <= len(rs) && isVowel(rs[n-1]); n++ {
			m[string(rs[:n])] = true
		}
	}
	return m
}()

// nameLike reports whether word is built like the names of minorities written in Vietnamese letters: an onset, vowels and
// one more consonant, any tone (Đăk, Pắk).
func nameLike(word []rune) bool {
	_, rime, _, ok := parts(word)
	if !ok {
		return false
	}
	rs := []rune(rime)
	n := len(rs)
	for n > 0 && !isVowel(rs[n-1]) {
		n--
	}
	return n > 0 && len(rs)-n <= 2 && rimeVowels[string(rs[:n])]
}

// maxSyllable is the longest syllable in letters (nghiêng); nothing longer is looked at.
const maxSyllable = 7

// IsSyllable reports whether word is a well-formed Vietnamese syllable: onset, rime and at most one tone, in lower case, in
// capitals or with a capital at the front. Where the tone mark stands in the rime does not matter. It asks for the form
// only: "ngoét" is one although few people use it. NFC is expected.
func IsSyllable(word string) bool {
	var buf [maxSyllable]rune
	n := 0
	for _, r := range word {
		if n == maxSyllable {
			return false
		}
		buf[n] = r
		n++
	}
	return isSyllable(buf[:n])
}

func isSyllable(word []rune) bool {
	onset, rime, tone, ok := parts(word)
	if !ok || !rimes[rime] {
		return false
	}
	return agree(onset, rime) && toneFits(rime, tone)
}

// parts takes a word apart: onset, bare rime, tone.
func parts(word []rune) (onset, rime string, tone toneMark, ok bool) {
	if len(word) == 0 || len(word) > maxSyllable || !regularCase(word) {
		return "", "", 0, false
	}
	var bare [maxSyllable]rune
	for i, r := range word {
		b, t := splitTone(unicode.ToLower(r))
		if t != 0 && tone != 0 {
			return "", "", 0, false
		}
		if t != 0 {
			tone = t
		}
		bare[i] = b
	}
	s := string(bare[:len(word)])
	for _, o := range onsets {
		if rest, found := strings.CutPrefix(s, o); found {
			onset, s = o, rest
			break
		}
	}
	switch {
	case onset == "gi" && (s == "" || !isVowel([]rune(s)[0])): // gì, gìn: the i is the rime
		onset, s = "g", "i"+s
	case onset == "gi" && strings.HasPrefix(s, "ê"): // giếng, giết
		s = "i" + s
	}
	return onset, s, tone, s != ""
}

// regularCase reports whether word is in lower case, in capitals, or has only its first letter capital. Old encodings
// read wrongly give capitals inside words.
func regularCase(word []rune) bool {
	if len(word) < 2 {
		return true
	}
	upper := unicode.IsUpper(word[1])
	if upper && !unicode.IsUpper(word[0]) {
		return false
	}
	for _, r := range word[1:] {
		if unicode.IsUpper(r) != upper {
			return false
		}
	}
	return true
}

// agree holds the spelling rules between onset and rime: k, gh, ngh stand before e ê i y only, c, g, ng never do; qu takes
// only rimes without a rounded vowel of their own; p stands alone only in borrowed names (Pa, Pờ Ê).
func agree(onset, rime string) bool {
	first := []rune(rime)[0]
	front := strings.ContainsRune("eêiy", first)
	switch onset {
	case "k", "gh", "ngh":
		return front
	case "c", "ng":
		return !front
	case "g":
		return !front || first == 'i'
	case "qu":
		return !strings.ContainsRune("ouư", first) && !strings.HasPrefix(rime, "iê")
	case "":
		return !strings.HasPrefix(rime, "iê")
	}
	if first == 'y' {
		return rime == "y" && strings.Contains("h k l m s t v", onset)
	}
	return true
}

// toneFits holds the rule that a rime ending in a stop (c ch p t) bears only sắc or nặng.
func toneFits(rime string, tone toneMark) bool {
	switch {
	case strings.HasSuffix(rime, "c"), strings.HasSuffix(rime, "ch"), strings.HasSuffix(rime, "p"), strings.HasSuffix(rime, "t"):
		return tone == acute || tone == dot
	}
	return true
}

// Plausible returns the share of the words of text that are well-formed Vietnamese syllables, from 0 to 1. Words without a
// small letter and up to five letters long are not counted: they are abbreviations. It tells a usable text layer of a PDF
// from a garbled one: good Vietnamese has more than 0.9, letters that fell apart or an old encoding fewer than 0.6. A
// text without words has 0.
func Plausible(text string) float64 {
	good, all := 0, 0
	for _, w := range strings.FieldsFunc(NFC(text), notWordRune) {
		word := []rune(strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) }))
		if len(word) == 0 || len(word) <= 5 && abbreviation(word) && !isSyllable(word) {
			continue
		}
		all++
		if isSyllable(word) {
			good++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(good) / float64(all)
}

// notWordRune parts words: spaces, digits and ASCII punctuation, but not the symbols above it, which stand for letters
// where an old encoding was read as Latin-1.
func notWordRune(r rune) bool {
	if r < 0x80 {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	return unicode.IsSpace(r) || r >= 0x2000 && r < 0x2070
}

func abbreviation(word []rune) bool {
	for _, r := range word {
		if unicode.IsLower(r) {
			return false
		}
	}
	return true
}
