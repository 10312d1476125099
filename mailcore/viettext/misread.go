package viettext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// undoUTF8 finds UTF-8 that was read as windows-1252 ("NÆ¡i nháº­n") and reads it as UTF-8, twice if it went wrong twice.
func undoUTF8(text string) (string, bool) {
	done := false
	for range 2 {
		next, n := undoUTF8Once(text)
		if n == 0 {
			break
		}
		text, done = NFC(next), true
	}
	return text, done
}

// undoUTF8Once replaces each sequence of code points whose bytes are the UTF-8 of a Vietnamese letter or of common
// punctuation, once there is a sequence that can be nothing else. "XÃ HỘI" with a no-break space and "XÃ”" before a closing
// quotation mark look like one and are good text.
func undoUTF8Once(text string) (string, int) {
	rs := []rune(text)
	var b strings.Builder
	proofs := 0
	for i := 0; i < len(rs); {
		r, n := sequence(rs[i:])
		if n == 0 {
			b.WriteRune(rs[i])
			i++
			continue
		}
		ambiguous := n == 2 && (unicode.IsSpace(rs[i+1]) || rs[i+1] >= 0x2010 && (i+2 >= len(rs) || !unicode.IsLetter(rs[i+2])))
		if isVietnamese(r) && !ambiguous {
			proofs++
		}
		b.WriteRune(r)
		i += n
	}
	if proofs == 0 {
		return text, 0
	}
	return b.String(), proofs
}

// sequence decodes the UTF-8 sequence at the front of rs and returns how many code points it took, 0 when there is none.
func sequence(rs []rune) (rune, int) {
	lead, ok := carrier1252(rs[0])
	if !ok || lead < 0xC3 || lead > 0xE2 {
		return 0, 0
	}
	size := 2
	if lead >= 0xE0 {
		size = 3
	}
	var buf [3]byte
	buf[0] = lead
	for i := 1; i < size; i++ {
		if i >= len(rs) {
			return 0, 0
		}
		c, ok := carrier1252(rs[i])
		if i == 1 && lead == 0xC3 && rs[i] == ' ' { // à is C3 A0, and editors make the no-break space a space
			c, ok = 0xA0, true
		}
		if !ok || c&0xC0 != 0x80 {
			return 0, 0
		}
		buf[i] = c
	}
	r, n := utf8.DecodeRune(buf[:size])
	if n != size || !(isVietnamese(r) || r >= 0x2010 && r <= 0x2026 || r >= 0x300 && r <= 0x323) {
		return 0, 0
	}
	return r, size
}

// isVietnamese reports whether r is one of the Vietnamese letters above ASCII.
func isVietnamese(r rune) bool {
	return r >= 0xC0 && strings.ContainsRune(vietnameseLetters, r)
}

var vietnameseLetters = letters + strings.ToUpper(letters)
