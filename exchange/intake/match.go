package intake

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"congvan/mailcore/viettext"
)

// fold is the key by which printed words are recognised: small letters without marks, punctuation at the ends cut off.
func fold(s string) string {
	return strings.Trim(viettext.Fold(s), " \t.,:;-–—_*|•·“”\"'`~")
}

// squeeze is fold without any space: titles are often letter-spaced.
func squeeze(s string) string { return strings.ReplaceAll(fold(s), " ", "") }

// hasWords says whether at least need of the words stand in s, in their order. OCR loses one or two of a known sentence.
func hasWords(s string, need int, words ...string) bool {
	at, found := 0, 0
	fields := strings.FieldsFunc(viettext.Fold(s), func(r rune) bool { return !unicode.IsLetter(r) })
	for _, f := range fields {
		for i := at; i < len(words); i++ {
			if f == words[i] {
				found++
				at = i + 1
				break
			}
		}
	}
	return found >= need
}

func isNation(s string) bool {
	return hasWords(s, 5, "cong", "hoa", "xa", "hoi", "chu", "nghia", "viet", "nam") || hasWords(s, 5, "dang", "cong", "san", "viet", "nam")
}

func isMotto(s string) bool { return hasWords(s, 4, "doc", "lap", "tu", "do", "hanh", "phuc") }

var (
	datePhrase    = regexp.MustCompile(`(?i)ng[aà]y\s.{0,12}th[aá]ng\s.{0,8}n[aă]m`)
	numberLine    = regexp.MustCompile(`^s[o0]\s*([:.;]|\d)|^s[o0]$`)
	referenceText = regexp.MustCompile(`\d+\s*[/-]\s*(\d{4}\s*/\s*)?\p{L}[\p{L}&]*([-/.]\p{L}[\p{L}\d&.]*)+`)
	aboutLine     = regexp.MustCompile(`(?i)^\(?\s*(v\s*/\s*v|v\.v|[vV][ềeê]\s+vi[ệeê]c)\b\s*[:.]?\s*`)
	articleRef    = regexp.MustCompile(`^Đi[ềêế]u\s+(\d{1,3})\s*[.:\s]`)
	ruleLine      = regexp.MustCompile(`^[\s\-_–—=*~.·•|\[\]]+$`)
)

// upperShare is the share of the letters of s that are capitals.
func upperShare(s string) float64 {
	upper, letters := 0, 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
			if unicode.IsUpper(r) {
				upper++
			}
		}
	}
	if letters == 0 {
		return 0
	}
	return float64(upper) / float64(letters)
}

func startsUpper(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}

// bullets are the signs that office programs and OCR leave at the start of an entry.
const bullets = "-–—−+*•·◦▪■●~"

// bulleted line: a bullet, then text.
func cutBullet(s string) (rest string, ok bool) {
	t := strings.TrimLeft(s, " ")
	r, n := utf8.DecodeRuneInString(t)
	if n == 0 || !strings.ContainsRune(bullets, r) {
		return t, false
	}
	return strings.TrimLeft(t[n:], " "+bullets), true
}

// plainRune is the base letter of a letter with marks.
func plainRune(r rune) rune {
	b, _ := utf8.DecodeRuneInString(viettext.Fold(string(r)))
	return b
}

// accents counts the marks that stand above a small letter: one for â or á, two for ấ.
func accents(r rune) int {
	n := 0
	for _, m := range norm.NFD.String(string(r)) {
		if m == '\u0302' || m == '\u0306' || m == '\u0301' || m == '\u0300' || m == '\u0309' || m == '\u0303' {
			n++
		}
	}
	return n
}
