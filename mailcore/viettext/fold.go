package viettext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NFC returns s in the composed form in which the project stores all text. Text that is composed already comes back as it
// is, without a copy.
func NFC(s string) string {
	if isASCII(s) {
		return s
	}
	return norm.NFC.String(s)
}

// Fold returns the key that search compares: lower case, without tone and vowel marks, đ as d, spaces collapsed. "Ủy ban
// nhân dân" and "uy ban nhan dan" fold to the same key.
func Fold(s string) string {
	return string(AppendFold(make([]byte, 0, len(s)), s))
}

// AppendFold appends Fold(s) to dst, for whoever folds a hundred thousand texts one after the other: Latin text, composed or
// not, costs no memory beyond dst.
func AppendFold(dst []byte, s string) []byte {
	begin, space := len(dst), false
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		i += size
		if unicode.IsSpace(r) {
			space = len(dst) > begin
			continue
		}
		if r < utf8.RuneSelf {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			if space {
				dst, space = append(dst, ' '), false
			}
			dst = append(dst, byte(r))
			continue
		}
		key, known := foldKey(r)
		if !known { // another script, whose marks may have to be put in order first
			return append(dst[:begin], foldAny(s)...)
		}
		if space && key != "" {
			dst, space = append(dst, ' '), false
		}
		dst = append(dst, key...)
	}
	return dst
}

// The keys of single letters and marks, by block. Those of a text of them follow one another: marks are left out, so that their
// order does not matter.
var (
	latin       = foldKeys(0x80, 0x370)    // with the marks that combine
	vietnamese  = foldKeys(0x1e00, 0x1f00) // Latin Extended Additional: the letters with two marks
	punctuation = foldKeys(0x2010, 0x2070) // dashes and quotation marks
)

// foldKey returns the key of r, "" when it is left out.
func foldKey(r rune) (key string, known bool) {
	switch {
	case r < 0x370:
		return latin[r-0x80], true
	case r >= 0x1e00 && r < 0x1f00:
		return vietnamese[r-0x1e00], true
	case r >= 0x2010 && r < 0x2070:
		return punctuation[r-0x2010], true
	}
	return "", false
}

func foldKeys(from, to rune) []string {
	keys := make([]string, to-from)
	for r := from; r < to; r++ {
		keys[r-from] = foldAny(string(r))
	}
	return keys
}

// foldAny is Fold for any script.
func foldAny(s string) string {
	s = norm.NFD.String(strings.ToLower(s))
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.Is(unicode.Mn, r) || invisible(r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		switch r {
		case 'đ', 'ð':
			b.WriteByte('d')
		case 'ƀ':
			b.WriteByte('b')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isASCII reports whether every byte of s is below 80 hex: such text is its own normal form.
func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// invisible reports whether r is one of the characters that print nothing and that editors and PDF extractors leave in
// the middle of words: soft hyphen, zero-width space and joiners, word joiner, byte order mark.
func invisible(r rune) bool {
	switch r {
	case '\u00ad', '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u2060', '\ufeff':
		return true
	}
	return false
}
