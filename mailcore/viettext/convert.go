package viettext

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Convert is Recode for who replaces the original: it changes a text only as a whole and says whether that loses nothing.
//
// enc is Unicode, and the text as it came, where the text is Unicode already: when nothing in it is of an old encoding, and also
// when it has letters that only Unicode has, or more words beside the strange ones that are good as they stand; then somebody
// writes Unicode and quotes what is not. Otherwise out is the text in Unicode NFC. lossless says that every changed
// word is its bytes read by the encoding and nothing else: no letter was lost before (ư with the soft hyphen, what became
// U+FFFD) and guessed back, none is left over. Capitals that the encoding does not have are not counted as lost.
func Convert(text string) (out string, enc Encoding, lossless bool) {
	if !utf8.ValidString(text) {
		text = fromBytes(text)
	}
	in := NFC(text)
	if isASCII(in) && !hasControls(in) || strings.ContainsFunc(in, onlyUnicode) {
		return text, Unicode, true
	}
	fixed, misread := undoUTF8(in)
	words := split(fixed)
	path := choose(words)
	if path == nil {
		if misread {
			return fixed, UTF8, !strings.ContainsRune(in, utf8.RuneError) && fullyRead(fixed)
		}
		return text, Unicode, true
	}
	if changed, good := census(words, path); changed <= good && !misread {
		return text, Unicode, true
	}
	out, enc, guessed := renderWords(words, path)
	out = NFC(out)
	return out, enc, !guessed && !strings.ContainsRune(in, utf8.RuneError) && fullyRead(out)
}

// onlyUnicode reports whether r is a letter that no byte gives through a code page: ạ, ế.
func onlyUnicode(r rune) bool { return r >= 0x1EA0 && r <= 0x1EF9 }

// census counts the words that an old encoding explains, and the others with letters above ASCII that are good as they stand.
func census(words []word, path []int) (changed, good int) {
	for i, w := range words {
		switch {
		case w.plain:
		case path[i] != 0:
			changed++
		case isSyllable(trimSigns(w.text)):
			good++
		}
	}
	return changed, good
}

// fullyRead reports whether nothing of an old encoding is left in a text that was read, and nearly all of its words with marks
// are Vietnamese.
func fullyRead(text string) bool {
	if again, enc := Recode(text); enc != Unicode || again != text {
		return false
	}
	strange, marked := 0, 0
	for _, w := range split(text) {
		core := trimSigns(w.text)
		if w.plain || len(core) == 0 {
			continue
		}
		marked++
		if slices.ContainsFunc(w.text, legacySign) || !isSyllable(core) && !abbreviation(core) && !nameLike(core) {
			strange++
		}
	}
	return strange*10 <= marked
}

// sameLetters reports whether two words differ in nothing but capitals.
func sameLetters(a, b []rune) bool {
	return slices.EqualFunc(a, b, func(x, y rune) bool { return unicode.ToLower(x) == unicode.ToLower(y) })
}
