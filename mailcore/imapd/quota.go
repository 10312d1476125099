package imapd

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
)

// answerQuota answers the commands of RFC 9208, which the library does not know. Each account is one quota root, named by its
// address; limits are set by the administrator alone.
func (f *front) answerQuota(tag, name string, line []byte) error {
	words, ok, err := f.words(line, maxLiteral)
	if err != nil {
		return err
	}
	f.mu.Lock()
	s, authed := f.session, f.authed
	f.mu.Unlock()
	switch {
	case !authed || s == nil:
		return f.say("%s BAD Log in first", tag)
	case name == "SETQUOTA":
		return f.say("%s NO [NOPERM] Quotas are set by the administrator", tag)
	case !ok || len(words) != 3:
		return f.say("%s BAD Expected %s and one name", tag, name)
	}
	var answer string
	if name == "GETQUOTA" {
		answer, err = s.quota(words[2])
	} else {
		answer, err = s.quotaRoot(words[2])
	}
	var refused *imap.Error
	if errors.As(err, &refused) {
		return f.say("%s %s", tag, refusal(refused))
	}
	return f.say("%s%s OK %s completed", answer, tag, name)
}

func refusal(e *imap.Error) string {
	if e.Code == "" {
		return fmt.Sprintf("%s %s", e.Type, e.Text)
	}
	return fmt.Sprintf("%s [%s] %s", e.Type, e.Code, e.Text)
}

// quotaRoot answers which root a mailbox belongs to, and what is in it.
func (s *session) quotaRoot(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	decoded, ok := name, true
	if !s.utf8() {
		decoded, ok = decodeUTF7(name)
	}
	if !ok {
		return "", &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Not a mailbox name"}
	}
	p, err := s.mailbox(decoded)
	if err != nil {
		return "", err
	}
	root := s.account.Address
	if p.under != nil {
		root = p.under.Unit
	}
	answer, err := s.quotaOf(p.Account, root)
	if err != nil {
		return "", err
	}
	if answer == "" { // no limit, no root
		return fmt.Sprintf("* QUOTAROOT %s\r\n", s.quote(name)), nil
	}
	return fmt.Sprintf("* QUOTAROOT %s %s\r\n%s", s.quote(name), s.quote(string(root)), answer), nil
}

// quota answers what is in a root.
func (s *session) quota(root string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := mailcore.AccountID(0)
	if strings.EqualFold(root, string(s.account.Address)) {
		root, account = string(s.account.Address), s.account.ID
	}
	units, err := s.sharedUnits()
	if err != nil {
		return "", err
	}
	for _, u := range units {
		if strings.EqualFold(root, string(u.Unit)) {
			root, account = string(u.Unit), u.UnitID
		}
	}
	answer := ""
	if account != 0 {
		answer, err = s.quotaOf(account, mailcore.Address(root))
	}
	if err == nil && answer == "" {
		err = no(imap.ResponseCodeNonExistent, "No such quota root")
	}
	return answer, err
}

// quotaOf is the line about a root, "" where there is no limit. Storage counts in units of 1024 octets (RFC 9208 §5.1).
func (s *session) quotaOf(account mailcore.AccountID, root mailcore.Address) (string, error) {
	q, err := s.l.store.Quota(s.ctx, account)
	if err != nil {
		return "", s.problem("quota", err)
	}
	if q.Limit == 0 {
		return "", nil
	}
	return fmt.Sprintf("* QUOTA %s (STORAGE %d %d)\r\n", s.quote(string(root)), (q.Used+1023)/1024, max(q.Limit/1024, 1)), nil
}

// utf8 reports whether the client reads and writes names in UTF-8.
func (s *session) utf8() bool {
	caps := s.conn.EnabledCaps()
	return caps.Has(imap.CapIMAP4rev2) || caps.Has(imap.CapUTF8Accept)
}

// quote writes a string as this client can read it.
func (s *session) quote(text string) string {
	plain := true
	for i := range len(text) {
		c := text[i]
		plain = plain && c >= ' ' && c != 0x7f && (c < 0x80 || s.utf8())
	}
	if !plain || !utf8.ValidString(text) {
		return fmt.Sprintf("{%d}\r\n%s", len(text), text)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// words reads what belongs to a command that is answered here, to its end, and takes it apart: atoms, quoted strings and literals,
// the tag and the command's name among them. Not ok: it is neither.
func (f *front) words(line []byte, limit int64) (words []string, ok bool, err error) {
	ok = true
	for n := 0; ; n++ {
		h := parseHeader(line)
		if h != nil {
			line = line[:bytes.LastIndexByte(line, '{')]
		}
		some, fine := cutWords(line)
		words, ok = append(words, some...), ok && fine
		if h == nil {
			return words, ok, nil
		}
		if h.size > limit || n == 60 { // RFC 2971 §3.3: thirty pairs
			return nil, false, f.leave("[TOOBIG] Command too long")
		}
		if !h.nonSync {
			if err := f.say("+ Go on"); err != nil {
				return nil, false, err
			}
		}
		literal := make([]byte, h.size)
		if _, err := io.ReadFull(f.in, literal); err != nil {
			return nil, false, f.ended(err)
		}
		words = append(words, string(literal))
		if line, err = f.readLine(); err != nil {
			return nil, false, err
		}
	}
}

// cutWords takes a line apart at its spaces; a quoted string is one word. Parentheses stay where they are.
func cutWords(line []byte) (words []string, ok bool) {
	text := strings.TrimRight(string(line), "\r\n")
	for {
		text = strings.TrimLeft(text, " ")
		if text == "" {
			return words, true
		}
		if text[0] != '"' {
			word, rest, _ := strings.Cut(text, " ")
			words, text = append(words, word), rest
			continue
		}
		var b strings.Builder
		i := 1
		for ; i < len(text) && text[i] != '"'; i++ {
			if text[i] == '\\' {
				i++
			}
			if i < len(text) {
				b.WriteByte(text[i])
			}
		}
		if i >= len(text) || i+1 < len(text) && text[i+1] != ' ' && text[i+1] != ')' {
			return words, false
		}
		words, text = append(words, b.String()), text[i+1:]
	}
}

// base64UTF7 is what stands between "&" and "-" in a mailbox's name (RFC 3501 §5.1.3).
var base64UTF7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// decodeUTF7 decodes a mailbox's name as IMAP4rev1 writes it.
func decodeUTF7(name string) (string, bool) {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(name, "&")
		b.WriteString(plain)
		if !found {
			return b.String(), utf8.ValidString(b.String())
		}
		code, after, closed := strings.Cut(rest, "-")
		if !closed {
			return "", false
		}
		name = after
		if code == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := base64UTF7.DecodeString(code)
		if err != nil || len(raw)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
}
