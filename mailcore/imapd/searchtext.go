package imapd

import (
	"bytes"
	"html"
	"io"
	"mime"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/viettext"

	"github.com/emersion/go-message/charset"
)

// maxPartText is how much of one text part SEARCH looks at: letters are shorter, and a log file in the mail is not what
// people search for.
const maxPartText = 2 << 20

// A target is one message that a SEARCH looks into. What was read once is kept for the command's other keys.
type target struct {
	q       *searching
	stored  *mailcore.Stored
	body    []byte // when it was read ahead
	content *content
	header  []field // decoded and folded, nil before it was read
	texts   []string
	read    bool // texts
}

type field struct{ name, value string }

func (t *target) open() (*content, error) {
	if t.content == nil && t.body != nil {
		t.content = &content{t.stored, blob.InMemory(t.body)}
	}
	if t.content == nil {
		c, err := t.q.s.openContent(t.stored)
		if err != nil {
			return nil, t.q.readError(err)
		}
		t.content = c
	}
	return t.content, nil
}

func (t *target) close() {
	if t.content != nil {
		t.content.close()
	}
}

// spend takes n bytes from what the command may read.
func (t *target) spend(n int64) error {
	if t.q.bytes -= n; t.q.bytes < 0 || time.Now().After(t.q.deadline) {
		return errSearchLimit
	}
	return nil
}

// hasHeader reports whether a header field contains a folded text.
func (t *target) hasHeader(k headerKey) (bool, error) {
	fields, err := t.fields()
	if err != nil {
		return false, err
	}
	for _, f := range fields {
		if strings.EqualFold(f.name, k.name) && strings.Contains(f.value, string(k.value)) {
			return true, nil
		}
	}
	return false, nil
}

// words decodes encoded words of any charset that we know; others stay as they are.
var words = mime.WordDecoder{CharsetReader: charset.Reader}

// fields reads the message's header, prefix included.
func (t *target) fields() ([]field, error) {
	if t.header != nil {
		return t.header, nil
	}
	c, err := t.open()
	if err != nil {
		return nil, err
	}
	h := c.header()
	if err := t.spend(min(h.size(), maxHeader)); err != nil {
		return nil, err
	}
	t.header = []field{}
	err = c.eachField(h, func(name string, raw []byte) bool {
		_, value, _ := bytes.Cut(raw, []byte(":"))
		text := string(value)
		if decoded, err := words.DecodeHeader(strings.ReplaceAll(strings.ReplaceAll(text, "\r", ""), "\n", "")); err == nil {
			text = decoded
		}
		t.header = append(t.header, field{name, viettext.Fold(text)})
		return true
	})
	if err != nil {
		return nil, t.q.readError(err)
	}
	return t.header, nil
}

// hasText reports whether the text parts, or where they count any header field, contain a text.
func (t *target) hasText(k textKey) (bool, error) {
	folded := string(k.text)
	if k.header {
		fields, err := t.fields()
		if err != nil {
			return false, err
		}
		for _, f := range fields {
			if strings.Contains(viettext.Fold(f.name)+": "+f.value, folded) {
				return true, nil
			}
		}
	}
	if err := t.readTexts(); err != nil {
		return false, err
	}
	for _, text := range t.texts {
		if strings.Contains(text, folded) {
			return true, nil
		}
	}
	return false, nil
}

func (t *target) readTexts() error {
	if t.read {
		return nil
	}
	c, err := t.open()
	if err != nil {
		return err
	}
	if err := t.collect(c, t.stored.Summary.Root, 0); err != nil {
		return err
	}
	t.read = true
	return nil
}

// collect reads the text parts and the names of the files below p, those of enclosed messages too. One that cannot be decoded is read as far as it
// can be.
func (t *target) collect(c *content, p *mailcore.Part, depth int) error {
	if depth > maxDepth {
		return nil
	}
	for _, name := range []string{p.Params["name"], p.DispositionParams["filename"]} {
		if name != "" { // people look for an attachment by its name
			t.texts = append(t.texts, viettext.Fold(name))
		}
	}
	for _, child := range p.Children {
		if err := t.collect(c, child, depth+1); err != nil {
			return err
		}
	}
	if p.Message != nil && p.Message.Root != nil {
		return t.collect(c, p.Message.Root, depth+1)
	}
	if p.IsMultipart() || p.Type != "text" && p.Type != "multipart" || p.BodySize == 0 {
		return nil
	}
	if err := t.spend(min(p.BodySize, 2*maxPartText)); err != nil {
		return err
	}
	in := c.decoded(p)
	if p.Type == "multipart" { // one without parts is text
		in = c.reader(c.inBounds(p.BodyOffset(), p.BodySize))
	}
	if name := p.Params["charset"]; name != "" {
		if r, err := charset.Reader(name, in); err == nil {
			in = r
		}
	}
	data, _ := io.ReadAll(io.LimitReader(in, maxPartText))
	text := strings.ToValidUTF8(string(data), " ")
	if p.Subtype == "html" {
		text = plain(text)
	}
	t.texts = append(t.texts, viettext.Fold(text))
	return nil
}

// plain leaves the tags of HTML out, so that a search finds what is read across <b> and not what only the markup says. A
// tag that begins a new line or cell parts words.
func plain(text string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "<")
		b.WriteString(before)
		if !ok {
			break
		}
		tag, after, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		name, _, _ := strings.Cut(strings.ToLower(strings.Trim(tag, "/ \r\n\t")), " ")
		switch name {
		case "a", "b", "i", "u", "em", "font", "span", "strong", "sub", "sup":
		default:
			b.WriteByte(' ')
		}
		text = after
	}
	return html.UnescapeString(b.String())
}
