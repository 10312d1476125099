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
	s = strings.ToLower(s)
	if !isASCII(s) {
		s = norm.NFD.String(s)
	}
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
