package recipients

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

// A separator is what stands before a word; several may stand at once.
type separator uint8

const (
	sepComma separator = 1 << iota
	sepSemi
	sepColon
	sepAnd  // và, &
	sepDash // hyphen, slash
	sepDot  // full stop, which OCR makes of a comma, and the point of an abbreviation
	sepSpace

	sepStrong = sepComma | sepSemi
	sepWeak   = sepAnd | sepDash | sepDot
)

// A token is one word of an entry. Connectives are no words but separators; brackets are notes of the word before them.
type token struct {
	word   string    // folded, OCR's digits inside letters mended
	raw    string    // as written
	pos    int       // byte offset of raw in the entry's text
	before separator // what stands between this word and the one before
	dotted bool      // a full stop follows at once: "S. Tài chính"
	abbrev bool      // written like an abbreviation: TN, VPTU, S.
	notes  []note    // brackets that follow
}

// A note is the text of a bracket.
type note struct {
	text string
	pos  int // byte offset of the text in the entry's text
}

// end is the offset just behind the token, its notes not counted.
func (t token) end() int { return t.pos + len(t.raw) }

// scan cuts a text into tokens.
func scan(s string) []token {
	var toks []token
	var sep separator
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case isWordRune(r):
			j := wordEnd(s, i)
			raw := s[i:j]
			if word := foldWord(raw); word == "va" {
				sep |= sepAnd
			} else {
				toks = append(toks, token{word: word, raw: raw, pos: i, before: sep})
				sep = 0
			}
			i = j
			continue
		case r == '(' || r == '[':
			text, next := noteAt(s, i)
			if len(toks) > 0 {
				t := &toks[len(toks)-1]
				t.notes = append(t.notes, note{text: text, pos: i + 1})
			}
			i = next
			continue
		case r == '.':
			if sep == 0 && len(toks) > 0 && toks[len(toks)-1].end() == i {
				toks[len(toks)-1].dotted = true
			}
			sep |= sepDot
		default:
			sep |= separatorOf(r)
		}
		i += n
	}
	for i := range toks {
		toks[i].abbrev = looksAbbreviated(toks[i]) || i > 0 && afterInitial(toks[i-1], toks[i])
	}
	return toks
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

// wordEnd returns where the word that begins at i ends; an apostrophe between letters belongs to it (H'Drai).
func wordEnd(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isWordRune(r) {
			next, _ := utf8.DecodeRuneInString(s[i+n:])
			if (r != '\'' && r != '’' && r != 'ʼ') || !unicode.IsLetter(next) {
				return i
			}
		}
		i += n
	}
	return i
}

// noteAt returns the text inside the bracket that opens at i, and the offset behind it. One that is never closed ends
// with the text.
func noteAt(s string, i int) (text string, next int) {
	depth := 0
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return s[i+1 : j], j + 1
			}
		}
	}
	return s[i+1:], len(s)
}

func separatorOf(r rune) separator {
	switch r {
	case ',':
		return sepComma
	case ';':
		return sepSemi
	case ':':
		return sepColon
	case '&', '+':
		return sepAnd
	case '-', '–', '—', '‐', '‑', '−', '/', '_', '~':
		return sepDash
	}
	if unicode.IsSpace(r) {
		return sepSpace
	}
	return 0
}

var apostrophes = strings.NewReplacer("'", "", "’", "", "ʼ", "")

// foldWord folds one word and mends the digits that OCR puts for letters inside it (U8ND, N0i).
func foldWord(raw string) string {
	w := viettext.Fold(apostrophes.Replace(raw))
	letters := strings.IndexFunc(w, unicode.IsLetter)
	if letters < 0 || !strings.ContainsAny(w, "0158") {
		return w
	}
	if w == "s0" || w == "b0" {
		return w[:1] + "o" // Sở, Bộ
	}
	rs := []rune(w)
	for i := 1; i+1 < len(rs); i++ {
		if unicode.IsLetter(rs[i-1]) && unicode.IsLetter(rs[i+1]) {
			switch rs[i] {
			case '0':
				rs[i] = 'o'
			case '1':
				rs[i] = 'i'
			case '5':
				rs[i] = 's'
			case '8':
				rs[i] = 'b'
			}
		}
	}
	return string(rs)
}

// looksAbbreviated reports whether a word may stand for several by their initials: capitals without tone marks, or one or
// two letters with a full stop, or Tp and Tx.
func looksAbbreviated(t token) bool {
	switch t.word {
	case "tp", "tx", "tt", "ttr", "vp":
		return true
	}
	n := utf8.RuneCountInString(t.raw)
	if n == 1 {
		return t.dotted && unicode.IsLetter([]rune(t.raw)[0])
	}
	if n > 14 {
		return false
	}
	upper := 0
	for _, r := range t.raw {
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsDigit(r):
		default:
			if upper == 0 {
				return false
			}
		}
	}
	return upper >= 2 && !carriesTone(t.raw)
}

// afterInitial reports whether a letter stands behind another and its full stop: "T.T Tỉnh ủy".
func afterInitial(before, t token) bool {
	return before.abbrev && len(before.raw) == 1 && len(t.raw) == 1 && t.before == sepDot && upperFirst(t.raw)
}

// carriesTone reports whether a word carries one of the five tone marks.
func carriesTone(s string) bool {
	for _, r := range norm.NFD.String(s) {
		switch r {
		case '\u0300', '\u0301', '\u0303', '\u0309', '\u0323':
			return true
		}
	}
	return false
}
