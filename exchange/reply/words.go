package reply

import (
	"slices"
	"strings"
	"unicode"

	"congvan/mailcore/viettext"
)

// A word is a word or a sign of a reply.
type word struct {
	text string // as written
	fold string // lower case without diacritics; of a sign one of . , ; : ! ? ( ) - and "\n"
	glue bool   // no space before it
}

func (w word) isSign() bool { return len(w.fold) == 1 && strings.Contains(signRunes, w.fold) }

const signRunes = ".,;:!?()-\n"

// maxWords bounds what is read of a reply: nobody says an act after so many words.
const maxWords = 400

// cut cuts lines into words and signs. Dots, slashes and hyphens inside a word stay: nvan.stttt, 20/11, VP-TH.
func cut(lines []string) []word {
	var out []word
	for i, line := range lines {
		if i > 0 {
			out = append(out, word{"\n", "\n", true})
		}
		for _, field := range strings.Fields(line) {
			out = appendWords(out, field)
			if len(out) > maxWords {
				return out[:maxWords]
			}
		}
	}
	return out
}

// asSign says which sign a rune counts as; 0 for one that is part of a word.
func asSign(r rune) rune {
	switch r {
	case '.', ',', ';', ':', '!', '?', '(', ')', '-':
		return r
	case '[', '{', '"', '“', '«', '<':
		return '('
	case ']', '}', '”', '»', '>':
		return ')'
	case '–', '—', '•', '*', '|', '+', '=':
		return '-'
	case '…':
		return '.'
	case '？':
		return '?'
	}
	return 0
}

func appendWords(out []word, field string) []word {
	field = strings.TrimSuffix(field, "./.")
	runes, first := []rune(field), true
	add := func(s string, sign rune) {
		w := word{text: s, fold: viettext.Fold(s), glue: !first}
		if sign != 0 {
			w.fold = string(sign)
		}
		if w.fold != "" {
			out = append(out, w)
			first = false
		}
	}
	start := 0
	for i, r := range runes {
		sign := asSign(r)
		if sign == 0 || sign == r && insideWord(runes, i) {
			continue
		}
		add(string(runes[start:i]), 0)
		add(string(r), sign)
		start = i + 1
	}
	add(string(runes[start:]), 0)
	return out
}

// insideWord reports whether the sign at i has letters or digits on both sides and is one that words have: a dot, a hyphen,
// the colon of a time.
func insideWord(runes []rune, i int) bool {
	if i == 0 || i == len(runes)-1 {
		return false
	}
	before, after := runes[i-1], runes[i+1]
	switch runes[i] {
	case '.', '-':
		return isAlnum(before) && isAlnum(after)
	case ':':
		return unicode.IsDigit(before) && unicode.IsDigit(after)
	}
	return false
}

func isAlnum(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// joinWords writes words as they were, lines joined.
func joinWords(words []word) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && !w.glue {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return strings.TrimSpace(b.String())
}

// phrases splits "a b|c" into phrases, the longest first.
func phrases(list string) [][]string {
	var out [][]string
	for p := range strings.SplitSeq(list, "|") {
		out = append(out, strings.Fields(p))
	}
	slices.SortStableFunc(out, func(a, b []string) int { return len(b) - len(a) })
	return out
}

// A markedSet holds words with their diacritics and, for who types without, their folded forms.
type markedSet map[string]bool

func wordSet(list string) markedSet {
	set := markedSet{}
	for w := range strings.SplitSeq(list, "|") {
		set[w], set[viettext.Fold(w)] = true, true
	}
	return set
}

// in reports whether the word is in the set: "Hồng" is not "hỏng", but "hong" may be.
func (w word) in(set markedSet) bool {
	lower := strings.ToLower(viettext.NFC(w.text))
	return set[lower] || lower == w.fold && set[w.fold]
}

func containsAny(words []word, set markedSet) bool {
	return slices.ContainsFunc(words, func(w word) bool { return w.in(set) })
}

func (p *parser) done() bool { return p.at >= len(p.words) }

// any reads the longest of the phrases that stands here.
func (p *parser) any(list [][]string) bool {
	for _, phrase := range list {
		if p.match(phrase) {
			p.at += len(phrase)
			return true
		}
	}
	return false
}

func (p *parser) match(phrase []string) bool {
	if p.at+len(phrase) > len(p.words) {
		return false
	}
	for i, w := range phrase {
		if p.words[p.at+i].fold != w {
			return false
		}
	}
	return true
}

// word reads one phrase.
func (p *parser) word(phrase string) bool { return p.any([][]string{strings.Fields(phrase)}) }

// run reads as many of the phrases as stand here.
func (p *parser) run(list [][]string) {
	for p.any(list) {
	}
}

func (p *parser) sign(signs ...string) bool {
	if !p.done() && p.words[p.at].isSign() && slices.Contains(signs, p.words[p.at].fold) {
		p.at++
		return true
	}
	return false
}

// signs passes over signs and line ends.
func (p *parser) signs() (some bool) {
	for !p.done() && p.words[p.at].isSign() {
		p.at++
		some = true
	}
	return some
}

// end reports whether a clause ends here.
func (p *parser) end() bool { return p.done() || p.words[p.at].isSign() }

// typo reads a word or two that differ from the phrase, written without spaces, by one slip of a finger.
func (p *parser) typo(phrase string) bool {
	for n := 2; n >= 1; n-- {
		if p.at+n > len(p.words) {
			continue
		}
		var got string
		for _, w := range p.words[p.at : p.at+n] {
			got += w.fold
		}
		if oneSlip(got, phrase) {
			p.at += n
			return true
		}
	}
	return false
}

// oneSlip reports whether a became b by one letter lost, added, changed or swapped with the next.
func oneSlip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == "" {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i == len(a) || a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
