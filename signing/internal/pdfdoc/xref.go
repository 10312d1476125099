package pdfdoc

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// checkTables follows the chain of cross reference tables from at and wants every entry to point at the object it
// names. pdfcpu would quietly rebuild a wrong table by scanning the file; a seal put on such a guess is not what another
// reader sees. The chain is followed as far as it consists of tables; streams are left to pdfcpu, which checks them. It need
// not be followed beyond checked.
func checkTables(data []byte, at, checked int64) error {
	seen := map[int64]bool{}
	for at != checked {
		if at < 0 || at >= int64(len(data)) || seen[at] || len(seen) > 1000 {
			return fmt.Errorf("%w: cross reference chain", ErrDamaged)
		}
		seen[at] = true
		if !bytes.HasPrefix(data[at:], []byte("xref")) {
			return nil
		}
		l := lexer{data: data, at: int(at) + 4}
		if err := checkTable(&l); err != nil {
			return err
		}
		prev, ok, err := l.trailerPrev()
		if err != nil || !ok {
			return err
		}
		at = prev
	}
	return nil
}

// checkTable reads the sub-sections up to the word "trailer".
func checkTable(l *lexer) error {
	for entries := 0; ; {
		word := l.word()
		if word == "trailer" {
			return nil
		}
		first, err1 := strconv.Atoi(word)
		count, err2 := strconv.Atoi(l.word())
		if err1 != nil || err2 != nil || count < 0 || first < 0 || count > maxObjects {
			return fmt.Errorf("%w: cross reference table", ErrDamaged)
		}
		for i := range count {
			off, err := strconv.ParseInt(l.word(), 10, 64)
			gen, kind := l.word(), l.word()
			if err != nil || kind != "n" && kind != "f" {
				return fmt.Errorf("%w: cross reference entry of object %d", ErrDamaged, first+i)
			}
			if kind == "n" && off != 0 && !pointsAt(l.data, off, first+i, gen) {
				return fmt.Errorf("%w: object %d is not where the cross reference table says", ErrDamaged, first+i)
			}
			if entries++; entries > maxObjects {
				return fmt.Errorf("%w: cross reference table too long", ErrDamaged)
			}
		}
	}
}

// pointsAt says whether "number generation obj" stands at off.
func pointsAt(data []byte, off int64, number int, gen string) bool {
	if off < 0 || off >= int64(len(data)) {
		return false
	}
	n, have, ok := objectHeader(data[off:])
	g, err := strconv.Atoi(gen)
	return ok && err == nil && n == number && g == have
}

// A lexer walks over PDF syntax without building objects.
type lexer struct {
	data []byte
	at   int
}

// Kinds of characters (ISO 32000-1 §7.2.2); all others are regular.
const (
	space = iota + 1
	delimiter
)

var kinds = [256]byte{
	' ': space, '\n': space, '\r': space, '\t': space, '\f': space, 0: space,
	'(': delimiter, ')': delimiter, '<': delimiter, '>': delimiter, '[': delimiter, ']': delimiter, '{': delimiter, '}': delimiter,
	'/': delimiter, '%': delimiter,
}

func isSpace(c byte) bool { return kinds[c] == space }

func isRegular(c byte) bool { return kinds[c] == 0 }

// skipSpace passes white space and comments.
func (l *lexer) skipSpace() {
	for l.at < len(l.data) {
		switch c := l.data[l.at]; {
		case isSpace(c):
			l.at++
		case c == '%':
			for l.at < len(l.data) && l.data[l.at] != '\n' && l.data[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

// word returns the next run of regular characters, "" at anything else.
func (l *lexer) word() string {
	l.skipSpace()
	from := l.at
	for l.at < len(l.data) && isRegular(l.data[l.at]) {
		l.at++
	}
	return string(l.data[from:min(l.at, from+64)])
}

// token returns the next token: a word, a name with its slash, "<<", ">>", "[", "]", "{", "}", or "(" and "<" for a
// whole string of either kind. "" is the end of the data or something that is no PDF.
func (l *lexer) token() string {
	l.skipSpace()
	if l.at >= len(l.data) {
		return ""
	}
	switch c := l.data[l.at]; c {
	case '/':
		l.at++
		return "/" + l.rest()
	case '(':
		return l.literal()
	case '<':
		if l.has("<<") {
			l.at += 2
			return "<<"
		}
		end := bytes.IndexByte(l.data[l.at:], '>')
		if end < 0 {
			return ""
		}
		l.at += end + 1
		return "<"
	case '>':
		if l.has(">>") {
			l.at += 2
			return ">>"
		}
		return ""
	case '[', ']', '{', '}':
		l.at++
		return string(c)
	case ')':
		return ""
	}
	return l.word()
}

func (l *lexer) has(s string) bool { return bytes.HasPrefix(l.data[l.at:], []byte(s)) }

// rest is word without skipping, for names.
func (l *lexer) rest() string {
	from := l.at
	for l.at < len(l.data) && isRegular(l.data[l.at]) {
		l.at++
	}
	return string(l.data[from:min(l.at, from+127)])
}

func (l *lexer) literal() string {
	depth := 0
	for ; l.at < len(l.data); l.at++ {
		switch l.data[l.at] {
		case '\\':
			l.at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.at++
				return "("
			}
		}
	}
	return ""
}

// trailerPrev reads the trailer dictionary after the word "trailer" and returns its /Prev.
func (l *lexer) trailerPrev() (int64, bool, error) {
	bad := fmt.Errorf("%w: trailer", ErrDamaged)
	v, err := l.value(0)
	if err != nil {
		return 0, false, fmt.Errorf("trailer: %w", err)
	}
	d, ok := v.(types.Dict)
	if !ok {
		return 0, false, bad
	}
	switch prev := d["Prev"].(type) {
	case nil:
		return 0, false, nil
	case types.Integer:
		return int64(prev), true, nil
	}
	return 0, false, bad
}
