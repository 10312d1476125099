package mailcore

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"congvan/mailcore/viettext"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// A field is one header field: name in lower case, value unfolded, bytes as they came.
type field struct {
	name, value string
}

// parseFields reads a header as far as it can be read: a line without a colon, or with a name that is none (mbox's "From "
// line), is left out with what continues it.
func parseFields(raw []byte) []field {
	var out []field
	open := false // the field before may be continued
	for len(raw) > 0 {
		var line []byte
		line, raw, _ = bytes.Cut(raw, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if open {
				out[len(out)-1].value += string(line)
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		open = ok && isFieldName(name)
		if open {
			out = append(out, field{strings.ToLower(string(name)), strings.TrimLeft(string(value), " \t")})
		}
	}
	return out
}

func isFieldName(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(name) > 0
}

// first returns the value of the first field of that name.
func first(fields []field, name string) string {
	for _, f := range fields {
		if f.name == name {
			return strings.TrimSpace(f.value)
		}
	}
	return ""
}

// all returns the values of every field of that name, joined as one list.
func all(fields []field, name string) string {
	var values []string
	for _, f := range fields {
		if f.name == name {
			values = append(values, f.value)
		}
	}
	return strings.Join(values, ",")
}

// decodeText turns an unstructured header value into composed text without control characters. Encoded words in a charset
// that nobody knows stay as they are; bytes that are not UTF-8 are read as windows-1258, which old mailers here sent bare.
func decodeText(raw string) string {
	var b strings.Builder
	for raw != "" {
		i := strings.Index(raw, "=?")
		if i < 0 {
			break
		}
		text, n := decodeWords(raw[i:])
		b.WriteString(guess8bit(raw[:i]))
		b.WriteString(text)
		raw = raw[i+n:]
	}
	b.WriteString(guess8bit(raw))
	return tidy(b.String())
}

// tidy composes text and drops what no line of text has.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(norm.NFC.String(s))
}

func guess8bit(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out, err := charmap.Windows1258.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return out
}

// decodeWords decodes the run of encoded words (RFC 2047) that s begins with and returns how much of s it took. Neighbours
// of one charset are joined before decoding: some mailers cut a letter in two.
func decodeWords(s string) (text string, n int) {
	var b strings.Builder
	var pending []byte
	name := ""
	flush := func() {
		if t, ok := decodeCharset(name, pending); ok {
			b.WriteString(t)
		}
		pending = nil
	}
	for {
		gap := 0
		if n > 0 {
			gap = len(s[n:]) - len(strings.TrimLeft(s[n:], " \t"))
		}
		cs, data, size, ok := encodedWord(s[n+gap:])
		if !ok {
			break
		}
		if _, known := decodeCharset(cs, nil); !known {
			if n == 0 {
				return s[:size], size
			}
			break
		}
		if cs != name {
			flush()
			name = cs
		}
		pending = append(pending, data...)
		n += gap + size
	}
	if n == 0 {
		return s[:2], 2 // "=?" that begins nothing
	}
	flush()
	return b.String(), n
}

// encodedWord splits =?charset?B|Q?data?= at the beginning of s.
func encodedWord(s string) (cs string, data []byte, size int, ok bool) {
	rest, found := strings.CutPrefix(s, "=?")
	if !found {
		return
	}
	cs, rest, found = strings.Cut(rest, "?")
	if !found || cs == "" || strings.ContainsAny(cs, " \t") || len(rest) < 2 || rest[1] != '?' {
		return
	}
	kind, rest := rest[0]|0x20, rest[2:]
	end := strings.Index(rest, "?=")
	if end < 0 {
		return
	}
	cs, _, _ = strings.Cut(strings.ToLower(cs), "*") // RFC 2231 §5: the language follows
	size = len(s) - len(rest) + end + 2
	switch kind {
	case 'b':
		return cs, looseBase64(rest[:end]), size, true
	case 'q':
		return cs, looseQ(rest[:end]), size, true
	}
	return
}

// looseBase64 decodes what it can: mailers forget the padding and fold inside the word.
func looseBase64(s string) []byte {
	s = strings.Map(func(r rune) rune {
		if r == '+' || r == '/' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, s)
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(s)))
	n, _ := base64.RawStdEncoding.Decode(out, []byte(s))
	return out[:n]
}

func looseQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// oldCharsets are the Vietnamese ones that the charset library does not know, by the names that mailers gave them.
var oldCharsets = map[string]viettext.Encoding{
	"viscii": viettext.VISCII, "csviscii": viettext.VISCII, "viscii1.1-1": viettext.VISCII,
	"tcvn": viettext.TCVN3, "tcvn3": viettext.TCVN3, "tcvn-5712": viettext.TCVN3, "tcvn5712-1": viettext.TCVN3,
	"x-viet-tcvn5712": viettext.TCVN3, "x-tcvn": viettext.TCVN3,
	"x-viet-vps": viettext.VPS, "vps": viettext.VPS, "x-viet-vni": viettext.VNI, "vni": viettext.VNI,
}

// decodeCharset turns bytes of a named charset into text; false when the name is not known.
func decodeCharset(name string, data []byte) (string, bool) {
	switch strings.ToLower(name) {
	case "", "us-ascii", "ascii", "utf-8", "utf8":
		return guess8bit(string(data)), true
	}
	if enc, ok := oldCharsets[strings.ToLower(name)]; ok {
		runes := make([]rune, len(data))
		for i, c := range data {
			runes[i] = rune(c)
		}
		return viettext.Decode(enc, string(runes)), true
	}
	r, err := charset.Reader(name, bytes.NewReader(data))
	if err != nil {
		return "", false
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\uFFFD"), true
	}
	return string(text), true
}

// parseIDs returns the message ids of a field without their <>.
func parseIDs(s string) []string {
	var out []string
	for rest := s; len(out) < maxIDs; {
		_, after, ok := strings.Cut(rest, "<")
		if !ok {
			break
		}
		id, next, ok := strings.Cut(after, ">")
		if !ok {
			break
		}
		if id = tidy(guess8bit(strings.Join(strings.Fields(id), ""))); id != "" {
			out = append(out, id)
		}
		rest = next
	}
	if out == nil {
		for _, id := range strings.Fields(s) {
			if len(out) < maxIDs && strings.Contains(id, "@") {
				out = append(out, tidy(guess8bit(strings.Trim(id, "<>,;"))))
			}
		}
	}
	return out
}

// dateLayouts are the forms that are met beside RFC 5322's.
var dateLayouts = []string{"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 2006 -0700", "Mon Jan _2 15:04:05 -0700 2006",
	"2 Jan 2006 15:04:05", "2 Jan 2006 15:04", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05",
	"2 January 2006 15:04:05 -0700"}

// parseDate reads a Date field; zero when it cannot be read or is no time that mail was sent at.
func parseDate(s string) time.Time {
	s = strings.Join(strings.Fields(dropComments(s)), " ")
	s = strings.NewReplacer("GMT+", "+", "UTC+", "+", "GMT-", "-", "UTC-", "-").Replace(s)
	t, err := mail.ParseDate(s)
	if err != nil {
		if _, rest, ok := strings.Cut(s, ", "); ok { // a weekday in another language
			t, err = mail.ParseDate(rest)
		}
	}
	for i := 0; err != nil && i < len(dateLayouts); i++ {
		t, err = time.Parse(dateLayouts[i], s)
	}
	if err != nil || t.Year() < 1971 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

func dropComments(s string) string {
	var b strings.Builder
	depth := 0
	for _, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// envelope reads the fields that IMAP shows.
func envelope(fields []field) Envelope {
	people := func(name string) []Person { return parsePeople(all(fields, name)) }
	e := Envelope{
		DateRaw: cut(tidy(guess8bit(first(fields, "date"))), 200), Subject: cut(decodeText(first(fields, "subject")), maxSubject),
		From: people("from"), Sender: people("sender"), ReplyTo: people("reply-to"),
		To: people("to"), Cc: people("cc"), Bcc: people("bcc"),
		InReplyTo: parseIDs(first(fields, "in-reply-to")), References: parseIDs(first(fields, "references")),
	}
	e.Date = parseDate(e.DateRaw)
	if ids := parseIDs(first(fields, "message-id")); len(ids) > 0 {
		e.MessageID = cut(ids[0], maxMessageID)
	}
	return e
}

// cut shortens text to a number of bytes at a letter.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
