package intake

import (
	"regexp"
	"strings"

	"congvan/mailcore/viettext"
)

// decodePage turns the words of a page that were set in fonts from before Unicode into Unicode NFC, and returns the
// encoding that was found ("" for none). The name of a font decides where it tells; else the text itself does, all the
// words of the page together, because a single word says too little.
func decodePage(words []word) string {
	found := ""
	for i, w := range words {
		enc, capitals := viettext.FontEncoding(w.font)
		if enc == viettext.Unicode {
			continue
		}
		found = string(enc)
		text := viettext.Decode(enc, w.text)
		if enc == viettext.TCVN3 {
			text = hyphenHorn(text)
		}
		if capitals {
			text = strings.ToUpper(text)
		}
		words[i].set(text)
	}
	if enc := recodeWords(words); found == "" {
		found = enc
	}
	return found
}

// hyphenHorn gives back the ư of TCVN3 where it came as a hyphen: its code is that of the soft hyphen, which the encodings of
// PDF show as one. It is a ư where only that makes a syllable: "đ-ợc", "L-u:", "Nh-", but not "PT-TH" or "Tài chính-Kế".
func hyphenHorn(s string) string {
	return wordWithHyphen.ReplaceAllStringFunc(s, func(run string) string {
		horn := "ư"
		if strings.ToUpper(run) == run && len(run) > 3 {
			horn = "Ư"
		}
		if fixed := viettext.NFC(strings.ReplaceAll(run, "-", horn)); viettext.IsSyllable(fixed) {
			return fixed
		}
		return run
	})
}

var wordWithHyphen = regexp.MustCompile(`[\p{L}-]*\p{L}[\p{L}-]*`)

// recodeWords lets the content of the page decide, and puts what was decoded back word by word.
func recodeWords(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		if texts[i] = w.text; slashed(w.text) {
			texts[i] = "0"
		}
	}
	joined := strings.Join(texts, "\n")
	recoded, enc := viettext.Recode(joined)
	if recoded == joined {
		return ""
	}
	parts := strings.Split(recoded, "\n")
	if len(parts) != len(words) {
		return ""
	}
	for i, p := range parts {
		if p != texts[i] {
			words[i].set(p)
		}
	}
	if enc == viettext.Unicode {
		return "" // only the normal form changed
	}
	return string(enc)
}

// slashed says whether a word is an abbreviation such as (b/c) or th/h. It is the same in every encoding, and the pieces of
// it are no syllables that lost a letter.
func slashed(s string) bool {
	return strings.Contains(s, "/") && strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// set gives a word its decoded text and keeps the original. A change of the normal form alone is no decoding.
func (w *word) set(text string) {
	if w.raw == "" && viettext.NFC(w.text) != text {
		w.raw = w.text
	}
	w.text = text
}

// plain says whether the words are good Unicode Vietnamese as they stand, so that their fonts need not be asked.
func plain(words []word) bool {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w.text)
		b.WriteByte(' ')
	}
	return viettext.Plausible(b.String()) >= 0.9
}

// needsPlaces finds what makes the places of a page's words matter: the label of the block
// or a word of ô 10a in capitals, on a line of its own or letter by letter.
var needsPlaces = regexp.MustCompile(`(?i:n[ơo]i\s+nh[ậâa]n)|M\s*[ẬÂA]\s*T\b|(?m:^\s*([Ậậ]|((Tuyệt|Tối) )?[Mm]ật)\s*$)|(?i:thu\s+h[ồô]i|bóc\s+bì)`)

// ordinary says whether the plain text of a page is good Vietnamese in which nothing is to be looked for.
func ordinary(text string) bool {
	return !needsPlaces.MatchString(text) && viettext.Plausible(text) >= 0.9
}

// usable counts the characters of a text layer and says whether it can be taken: enough of its words are Vietnamese, or look like words of
// some language. A broken ToUnicode table or the hidden text of a bad OCR gives fewer.
func usable(words []word) (letters int, good bool) {
	unknown := 0
	var b strings.Builder
	for _, w := range words {
		for _, r := range w.text {
			letters++
			if r == unknownRune {
				unknown++
			}
		}
		b.WriteString(w.text)
		b.WriteByte(' ')
	}
	if letters < 20 || unknown*10 > letters {
		return letters, false
	}
	return letters, viettext.Plausible(b.String()) >= 0.55
}
