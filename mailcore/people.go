package mailcore

import (
	"strings"
)

// parsePeople reads an address list as far as it can be read: a bad entry costs itself, not the list. Groups are flattened.
// It is for showing and searching, never for an envelope.
func parsePeople(s string) []Person {
	l := peopleLexer{s: s}
	for l.i < len(l.s) && len(l.out) < maxPeople {
		l.step()
	}
	l.end(false)
	return l.out
}

// A peopleLexer collects one entry at a time.
type peopleLexer struct {
	s   string
	i   int
	out []Person

	text, raw strings.Builder // the words outside <>, without and with their quotes
	comment   string
	angle     string
	hasAngle  bool
	held      string // words that a comma ended before an address came: "Nguyễn, Văn A <a@b>"
}

func (l *peopleLexer) step() {
	rest := l.s[l.i:]
	switch c := rest[0]; {
	case c == ',' || c == ';':
		l.end(c == ',')
		l.i++
	case c == ':' && !l.hasAngle && !strings.Contains(l.raw.String(), "@"):
		l.reset() // the name of a group
		l.i++
	case c == '"':
		l.quoted(rest)
	case c == '(':
		if text, n := comment(rest); n > 0 {
			l.comment = text
			l.i += n
		} else {
			l.put(" ", 1)
		}
	case c == '<':
		l.angled(rest)
	case strings.HasPrefix(rest, "=?"):
		if _, _, n, ok := encodedWord(rest); ok {
			l.put(rest[:n], n)
		} else {
			l.put("=?", 2)
		}
	default:
		l.put(rest[:1], 1)
	}
}

func (l *peopleLexer) put(s string, n int) {
	l.text.WriteString(s)
	l.raw.WriteString(s)
	l.i += n
}

// quoted takes a quoted string; a quote that is never closed is a letter like others.
func (l *peopleLexer) quoted(rest string) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteByte(rest[i])
		case c == '"':
			l.text.WriteString(b.String())
			l.raw.WriteString(rest[:i+1])
			l.i += i + 1
			return
		default:
			b.WriteByte(c)
		}
	}
	l.put("", 1)
}

// comment takes a comment with those inside it; n is 0 when it is never closed.
func comment(rest string) (text string, n int) {
	depth := 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return rest[1:i], i + 1
			}
		}
	}
	return "", 0
}

// angled takes <…>; without its end it reaches to the next comma.
func (l *peopleLexer) angled(rest string) {
	inQuotes := false
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			inQuotes = !inQuotes
		case c == '>' && !inQuotes:
			l.angle, l.hasAngle = rest[1:i], true
			l.i += i + 1
			return
		}
	}
	n := strings.IndexByte(rest, ',')
	if n < 0 {
		n = len(rest)
	}
	l.angle, l.hasAngle = rest[1:n], true
	l.i += n
}

func (l *peopleLexer) reset() {
	l.text.Reset()
	l.raw.Reset()
	l.comment, l.angle, l.hasAngle, l.held = "", "", false, ""
}

// end makes a Person of what was collected. With more to come, bare words wait: they may be the first half of a name.
func (l *peopleLexer) end(more bool) {
	name := strings.TrimSpace(l.text.String())
	raw := strings.TrimSpace(l.raw.String())
	held := l.held
	switch {
	case l.hasAngle:
		if held != "" {
			name = held + ", " + name
		}
		if name == "" {
			name = l.comment
		}
		l.add(name, l.angle)
	case strings.Contains(raw, "@"):
		if held != "" {
			l.add("", held)
		}
		l.add(l.comment, raw)
	case raw != "" && more:
		if held != "" {
			raw = held + ", " + raw
		}
		l.reset()
		l.held = raw
		return
	default:
		if held != "" {
			l.add("", held)
		}
		if raw != "" {
			l.add(l.comment, raw)
		}
	}
	l.reset()
}

func (l *peopleLexer) add(name, address string) {
	p := Person{Name: cut(decodeText(name), maxName)}
	address = strings.TrimSpace(address)
	if strings.HasPrefix(address, "@") { // a source route (RFC 5322 §4.4)
		if _, after, ok := strings.Cut(address, ":"); ok {
			address = after
		}
	}
	local, host := address, ""
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		local, host = address[:at], address[at+1:]
	}
	local = strings.TrimSpace(local)
	if len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"' && isDotAtom(local[1:len(local)-1]) {
		local = local[1 : len(local)-1]
	}
	p.Mailbox = cut(decodeText(local), maxName)
	p.Host = cut(strings.ToLower(decodeText(strings.Join(strings.Fields(host), ""))), 255)
	if p.Host == "" {
		p.Host = NoHost
	}
	if p.Mailbox == "" {
		if p.Name == "" && p.Host == NoHost {
			return
		}
		p.Mailbox = "missing"
	}
	l.out = append(l.out, p)
}
