package dsn

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"regexp"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // old charsets in the text part must not make a report unreadable
)

// An Action is what became of one recipient (RFC 3464 §2.3.3).
type Action string

// The actions. Expanded means a list took it, which says nothing about its members.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed"
	Expanded  Action = "expanded"
)

// A Report is a delivery status notification (RFC 3464): one that came in, or one to be composed.
type Report struct {
	EnvID        string    // as the original's MAIL had it, "" when it had none
	ReportingMTA string    // who says so
	ArrivedAt    time.Time // of the original at that server; zero when not told
	Recipients   []Recipient
	MessageID    string // of the original, without <>
	Subject      string // of the original, decoded
	Headers      []byte // of the original, as far as they came back
	Whole        []byte // to be composed: the whole original, which then goes back instead of its header
}

// A Recipient is what became of one recipient.
type Recipient struct {
	Original   string           // ORCPT, "rfc822;a@b", "" when not told
	Final      mailcore.Address // "" when it cannot be read
	Action     Action
	Status     string // "5.1.1"
	Diagnostic string // "smtp; 550 5.1.1 no such user"
	RemoteMTA  string
	RetryUntil time.Time // of a delay: when it is given up; zero when not told
}

// OriginalAddress is the address in Original, or "" when there is none that can be read.
func (r Recipient) OriginalAddress() mailcore.Address { return typedAddress(r.Original) }

// ErrNone says that a message is no delivery status notification.
var ErrNone = errors.New("not a delivery report")

// Bounds of what is read of a report. It comes from anybody.
const (
	maxReport     = 32 << 20
	maxStatusPart = 512 << 10
	maxOriginal   = 1 << 20 // of the returned header
	maxParts      = 20
	maxNesting    = 3
	maxReported   = 1000 // recipients
	maxText       = 1000 // of one diagnostic
)

// Parse reads a delivery status notification. A message that is none gives ErrNone; nothing in it is believed
// beyond what it says: whoever acts on it must know the envelope id or the address it came to.
func Parse(r io.Reader) (*Report, error) {
	e, err := message.ReadWithOptions(io.LimitReader(r, maxReport), &message.ReadOptions{MaxHeaderBytes: maxOriginal})
	if e == nil || err != nil && !tolerable(err) {
		return nil, fmt.Errorf("read report: %w", errors.Join(ErrNone, err))
	}
	var rep Report
	parts := 0
	if err := walk(e, 0, &parts, rep.take); err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	if len(rep.Recipients) == 0 {
		return nil, fmt.Errorf("read report: %w", ErrNone)
	}
	return &rep, nil
}

func tolerable(err error) bool {
	return message.IsUnknownCharset(err) || message.IsUnknownEncoding(err)
}

// walk shows take the parts of multiparts, of the types that it wants. It does not look into attached messages: a report that
// somebody forwards is no report to us.
func walk(e *message.Entity, depth int, parts *int, take func(kind string, body io.Reader) (taken bool, err error)) error {
	mr := e.MultipartReader()
	if mr == nil || depth > maxNesting {
		return nil
	}
	for {
		p, err := mr.NextPart()
		if err == io.EOF || p == nil {
			return nil // also a multipart that breaks off: what came before counts
		}
		if err != nil && !tolerable(err) {
			return nil
		}
		if *parts++; *parts > maxParts {
			return nil
		}
		kind, _, _ := p.Header.ContentType()
		taken, err := take(strings.ToLower(kind), p.Body)
		if err == nil && !taken {
			err = walk(p, depth+1, parts, take)
		}
		if err != nil {
			return err
		}
	}
}

func (rep *Report) take(kind string, body io.Reader) (bool, error) {
	switch kind {
	case "message/delivery-status", "message/global-delivery-status": // RFC 6533 §4
		text, err := io.ReadAll(io.LimitReader(body, maxStatusPart))
		if err == nil || len(text) > 0 {
			rep.readStatus(text)
		}
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers":
		if rep.Headers == nil {
			rep.readOriginal(body)
		}
	default:
		return false, nil
	}
	return true, nil
}

// readStatus reads the groups of fields: one about the message, then one for each recipient.
func (rep *Report) readStatus(text []byte) {
	for _, group := range groups(text) {
		f := fieldsOf(group)
		if f["final-recipient"] == "" && f["action"] == "" {
			if v := f["original-envelope-id"]; v != "" {
				rep.EnvID = v
			}
			if v := typedText(f["reporting-mta"]); v != "" {
				rep.ReportingMTA = v
			}
			rep.ArrivedAt = parseDate(f["arrival-date"])
			continue
		}
		action := Action(strings.ToLower(word(f["action"])))
		switch action {
		case Failed, Delayed, Delivered, Relayed, Expanded:
		default:
			continue // nobody can act on it
		}
		if len(rep.Recipients) == maxReported {
			return
		}
		rep.Recipients = append(rep.Recipients, Recipient{
			Original: f["original-recipient"], Final: typedAddress(f["final-recipient"]), Action: action,
			Status: word(f["status"]), Diagnostic: f["diagnostic-code"], RemoteMTA: typedText(f["remote-mta"]),
			RetryUntil: parseDate(f["will-retry-until"]),
		})
	}
}

// readOriginal keeps the header of the returned message and what identifies it.
func (rep *Report) readOriginal(r io.Reader) {
	br := bufio.NewReader(io.LimitReader(r, maxOriginal))
	for {
		line, err := br.ReadSlice('\n')
		if len(bytes.TrimRight(line, "\r\n")) == 0 && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		rep.Headers = append(rep.Headers, line...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	f := fieldsOf(rep.Headers)
	rep.MessageID = strings.Trim(f["message-id"], " <>")
	subject, err := (&mime.WordDecoder{}).DecodeHeader(f["subject"])
	if err != nil {
		subject = f["subject"]
	}
	rep.Subject = Printable(subject, maxText)
}

// groups splits at empty lines.
func groups(text []byte) [][]byte {
	var out [][]byte
	var group []byte
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) > 0 {
			group = append(group, line...)
		} else if group != nil {
			out, group = append(out, group), nil
		}
	}
	if group != nil {
		out = append(out, group)
	}
	return out
}

// fieldsOf reads "Name: value" lines with their continuations; the first of a name counts, whatever is no field is skipped.
func fieldsOf(block []byte) map[string]string {
	fields := map[string]string{}
	var name, value string
	keep := func() {
		if _, seen := fields[name]; name != "" && !seen {
			fields[name] = Printable(value, maxText)
		}
	}
	for line := range bytes.Lines(block) {
		text := strings.TrimRight(string(line), "\r\n")
		if text != "" && (text[0] == ' ' || text[0] == '\t') {
			if len(value) < 2*maxText {
				value += " " + strings.TrimSpace(text)
			}
			continue
		}
		keep()
		n, v, ok := strings.Cut(text, ":")
		name, value = strings.ToLower(strings.TrimSpace(n)), strings.TrimSpace(v)
		if !ok {
			name = ""
		}
	}
	keep()
	return fields
}

// Printable makes text of unknown origin fit a log, a page and a database.
func Printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return strings.TrimSpace(s)
}

func word(s string) string {
	s, _, _ = strings.Cut(s, " ")
	s, _, _ = strings.Cut(s, "(")
	return s
}

func typedText(s string) string {
	if _, v, ok := strings.Cut(s, ";"); ok {
		s = v
	}
	return strings.TrimSpace(s)
}

var escapedRune = regexp.MustCompile(`\\x\{[0-9A-Fa-f]{1,6}\}|\+[0-9A-F]{2}`)

// typedAddress reads "rfc822; a@b" and "utf-8; vănthư@b" with the escapes of RFC 3461 §4 and RFC 6533 §3.
func typedAddress(s string) mailcore.Address {
	text := strings.Trim(typedText(s), "<>")
	if a, err := mailcore.ParseAddress(text); err == nil && !strings.Contains(text, `\x{`) {
		return a
	}
	text = escapedRune.ReplaceAllStringFunc(text, func(e string) string {
		n, err := strconv.ParseInt(strings.Trim(e, `\x{}+`), 16, 32)
		if err != nil {
			return e
		}
		return string(rune(n))
	})
	a, err := mailcore.ParseAddress(text)
	if err != nil {
		return ""
	}
	return a
}

func parseDate(s string) time.Time {
	for _, layout := range []string{time.RFC1123Z, dateLayout, "2 Jan 2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
