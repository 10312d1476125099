package recipients

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// A shadow is a text beside a copy of it in plain lower-case ASCII, one byte for each character, so that rules about words
// are written once and hold for every spelling: with diacritics, without, and with those that OCR got wrong.
type shadow struct {
	text  string
	ascii string
	at    []int // at[i] is where byte i of ascii begins in text; at[len(ascii)] is len(text)
}

// newShadow makes the shadow of s. Combining marks that stand alone get no byte of their own.
func newShadow(s string) shadow {
	var b strings.Builder
	b.Grow(len(s))
	at := make([]int, 0, len(s)+1)
	for i, r := range s {
		c := plainByte(r)
		if c == 0 {
			continue
		}
		b.WriteByte(c)
		at = append(at, i)
	}
	return shadow{text: s, ascii: mendOCR(b.String(), s, at), at: append(at, len(s))}
}

// mendOCR puts right, in the ASCII shadow of text, what a reader without Vietnamese makes of marked vowels: digits inside
// words in small letters (ph6 for phố), and d where no syllable can have it (cdc for các, trudng for trưởng).
func mendOCR(ascii, text string, at []int) string {
	var mended []byte
	for i := 1; i < len(ascii); i++ {
		c := ascii[i]
		if c != 'd' && c != '6' && c != '0' && c != '4' || !isSmall(ascii[i-1], text[at[i-1]]) || c == 'd' && text[at[i]] != 'd' {
			continue
		}
		if mended == nil {
			mended = []byte(ascii)
		}
		mended[i] = 'o'
		if c == '4' || c == 'd' && ascii[i-1] == 'c' && i+1 < len(ascii) && ascii[i+1] == 'c' {
			mended[i] = 'a'
		}
	}
	if mended == nil {
		return ascii
	}
	return string(mended)
}

// isSmall reports whether the letter plain, written with the first byte raw, is a small one.
func isSmall(plain, raw byte) bool {
	return 'a' <= plain && plain <= 'z' && (raw == plain || raw >= 0x80)
}

// cut returns the characters i to j of the text.
func (s shadow) cut(i, j int) string { return s.text[s.at[i]:s.at[j]] }

// plainLetters holds the ASCII letter of every precomposed Latin letter.
var plainLetters = plainTable()

func plainTable() map[rune]byte {
	m := map[rune]byte{}
	for _, span := range [][2]rune{{0xC0, 0x24F}, {0x1E00, 0x1EFF}} {
		for r := span[0]; r <= span[1]; r++ {
			if f := viettext.Fold(string(r)); len(f) == 1 {
				m[r] = f[0]
			}
		}
	}
	return m
}

// plainByte returns the byte that stands for r in a shadow, 0 for a mark that stands for nothing.
func plainByte(r rune) byte {
	switch {
	case 'A' <= r && r <= 'Z':
		return byte(r) + 'a' - 'A'
	case r < utf8.RuneSelf:
		return byte(r)
	}
	if c, ok := plainLetters[r]; ok {
		return c
	}
	switch r {
	case '–', '—', '−', '‐', '‑', '‒', '―':
		return '-'
	case '’', '‘', 'ʼ':
		return '\''
	}
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsLetter(r):
		return 'z'
	}
	return '?'
}

// plainOf returns the ASCII shadow of s alone.
func plainOf(s string) string { return newShadow(s).ascii }

// lettersOnly returns only the letters and digits of the ASCII shadow of s: what is left when spaces, dashes and signs do not
// count.
func lettersOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		if c := plainByte(r); 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// startsUpper reports whether the first letter of s is a capital. Scans give Ia, with which many names of the Central Highlands
// begin, as "la" or "lA".
func startsUpper(s string) bool {
	for i, r := range s {
		if unicode.IsLetter(r) {
			return unicode.IsUpper(r) || r == 'l' && misreadIa.MatchString(s[i:])
		}
		if unicode.IsDigit(r) {
			return false
		}
	}
	return false
}

var misreadIa = regexp.MustCompile(`^l[aA][ '-]*\p{Lu}`)

// startsLower reports whether s begins with a small letter.
func startsLower(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(r)
}

// shouts reports whether word is written in capitals and is a word, not an abbreviation: it has a tone mark, or it is the
// capital form of a syllable that no abbreviation spells (TRƯỞNG, GIÁM, TRUONG).
func shouts(word string) bool {
	n := 0
	for _, r := range word {
		if unicode.IsLower(r) {
			return false
		}
		if unicode.IsLetter(r) {
			n++
		}
	}
	if n < 2 {
		return false
	}
	if signerSyllables[lettersOnly(word)] && n > 2 {
		return true
	}
	for _, r := range word {
		if toneMarked(r) {
			return true
		}
	}
	return false
}

// tones are the letters that carry a tone mark; abbreviations (TƯ, HĐND, LĐTBXH) never do.
const tones = "ÀÁẢÃẠẰẮẲẴẶẦẤẨẪẬÈÉẺẼẸỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌỒỐỔỖỘỜỚỞỠỢÙÚỦŨỤỪỨỬỮỰỲÝỶỸỴ"

// isToned is toneMarked for small letters only.
func isToned(r rune) bool { return unicode.IsLower(r) && toneMarked(r) }

func toneMarked(r rune) bool {
	return r >= utf8.RuneSelf && strings.ContainsRune(tones, unicode.ToUpper(r))
}

// collapse returns s with every run of spaces as one space, none at the ends and none before ; , or a closing bracket.
func collapse(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for _, p := range []string{";", ",", ":", ")"} {
		s = strings.ReplaceAll(s, " "+p, p)
	}
	return s
}
