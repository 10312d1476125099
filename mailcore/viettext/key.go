package viettext

import (
	"strings"
	"unicode"
)

// Key returns the form by which two Vietnamese texts are compared when spelling habits must not count: composed, lower
// case, the tone mark of each syllable in one place (Uỷ and Ủy, hoà and hòa, thuỷ and thủy), i for y where both are
// written (qui and quy, kí and ký), Đ for its double Ð, one space between words, none around a dash, one kind of dash and
// of apostrophe. Marks count: "Kon Tum" and "Kôn Tum" have different keys. It is for comparing, never for showing.
func Key(s string) string {
	rs := make([]rune, 0, len(s))
	space := false
	for _, r := range NFC(strings.Map(keyRune, NFC(s))) { // composing gives letters and marks that look alike too, and so does dropping
		if unicode.IsSpace(r) {
			space = len(rs) > 0
			continue
		}
		if space && r != '-' && rs[len(rs)-1] != '-' {
			rs = append(rs, ' ')
		}
		space = false
		rs = append(rs, r)
	}
	for i := 0; i < len(rs); {
		if !unicode.IsLetter(rs[i]) {
			i++
			continue
		}
		j := i
		for j < len(rs) && (unicode.IsLetter(rs[j]) || unicode.Is(unicode.Mn, rs[j])) {
			j++
		}
		if !loose(rs[i:j]) {
			keyWord(rs[i:j])
		}
		i = j
	}
	return string(rs)
}

// loose reports whether w has a mark that no letter composes with. Such a word is not Vietnamese and stays as it is: a
// letter that lost its tone would take the mark in the tone's place.
func loose(w []rune) bool {
	for _, r := range w {
		if unicode.Is(unicode.Mn, r) {
			return true
		}
	}
	return false
}

// keyRune lowers r, unifies the characters that look alike and drops the invisible ones.
func keyRune(r rune) rune {
	if invisible(r) {
		return -1
	}
	switch r {
	case '‐', '‑', '‒', '–', '—', '―', '−', '﹣', '－', '⁃':
		return '-'
	case '’', '‘', 'ʼ', '`', '´', '′':
		return '\''
	case '“', '”', '„', '″':
		return '"'
	case 'Ð', 'ð': // eth, which old keyboards gave for Đ
		return 'đ'
	}
	return unicode.ToLower(r)
}

// keyWord rewrites one lower-case word in place: the tone goes where the older spelling puts it (the first of two bare
// vowels in an open syllable), and a lone y after h k l m s t, or after qu, becomes i.
func keyWord(w []rune) {
	start, first, last := nucleus(w)
	if start < 0 {
		return
	}
	if at, tone := findTone(w[start:last]); tone != 0 {
		to := first + tonePlace(w[first:last], last < len(w))
		base, _ := splitTone(w[start+at])
		w[start+at] = base
		w[to] = joinTone(w[to], tone)
	}
	base, tone := splitTone(w[first])
	if base != 'y' || first == 0 {
		return
	}
	afterQu := w[first-1] == 'u' && first >= 2 && w[first-2] == 'q'
	alone := last == len(w) && last-first == 1
	if afterQu || alone && first == 1 && strings.ContainsRune("hklmst", w[0]) {
		w[first] = joinTone('i', tone)
	}
}

// nucleus returns the bounds of the first run of vowels in a lower-case word: where it starts, and where it starts when
// the u of qu and the i of gi are left to the onset. It returns -1 when there is none.
func nucleus(w []rune) (start, first, last int) {
	start = -1
	for i, r := range w {
		if isVowel(r) {
			start = i
			break
		}
	}
	if start < 0 {
		return -1, -1, -1
	}
	last = start
	for last < len(w) && isVowel(w[last]) {
		last++
	}
	first = start
	if start > 0 && last-start > 1 {
		base, _ := splitTone(w[start])
		if base == 'u' && w[start-1] == 'q' || base == 'i' && w[start-1] == 'g' && start == 1 {
			first++
		}
	}
	return start, first, last
}

// findTone returns where the one tone mark among vowels stands, and 0 when there is none or more than one: a word with
// two tones is not Vietnamese and stays as it is.
func findTone(vowels []rune) (at int, tone toneMark) {
	for i, r := range vowels {
		_, t := splitTone(r)
		if t == 0 {
			continue
		}
		if tone != 0 {
			return 0, 0
		}
		at, tone = i, t
	}
	return at, tone
}

// tonePlace returns which of the vowels carries the tone: the last one with a shape (ă â ê ô ơ ư), else the last before a
// final consonant, else the first of two and the middle of three.
func tonePlace(vowels []rune, closed bool) int {
	for i := len(vowels) - 1; i >= 0; i-- {
		if base, _ := splitTone(vowels[i]); strings.ContainsRune("ăâêôơư", base) {
			return i
		}
	}
	switch {
	case len(vowels) == 1:
		return 0
	case closed:
		return len(vowels) - 1
	case len(vowels) == 2:
		return 0
	}
	return 1
}
