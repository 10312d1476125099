// Package viettext is what this project knows about Vietnamese text as bytes and letters: keys to compare and to search
// by, and the encodings that stood before Unicode (TCVN 6909:2001). It imports nothing of the project.
package viettext

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// NFC returns s in the composed form in which the project stores all text.
func NFC(s string) string { return norm.NFC.String(s) }

// Fold returns the key that search compares: lower case, without tone and vowel marks, đ as d, spaces collapsed. "Ủy ban
// nhân dân" and "uy ban nhan dan" fold to the same key.
func Fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'đ':
			b.WriteByte('d')
		case r == 'ƀ':
			b.WriteByte('b')
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
