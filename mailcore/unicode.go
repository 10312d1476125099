package mailcore

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// Bounds of the text that ToUnicode looks at, of one part and of a message; what is over them stays as it is.
const (
	maxTextPart = 1 << 20
	maxTexts    = 2 << 20
)

// An OldTextError says that a message is written in an old encoding and cannot be converted.
type OldTextError struct {
	Where    string // TextSubject, TextBody or TextFile
	Encoding viettext.Encoding
	Signed   bool // it must not be touched; else letters are lost already
}

func (e *OldTextError) Error() string {
	why := "letters of it are lost"
	if e.Signed {
		why = "the message is signed"
	}
	return fmt.Sprintf("the %s is in %s, and %s", e.Where, e.Encoding, why)
}

// The places of text in a message.
const (
	TextSubject = "subject"
	TextBody    = "text"
	TextFile    = "file name"
)

// Recoded says what ToUnicode converted.
type Recoded struct {
	Encoding viettext.Encoding
	Where    []string
}

// recodedField tells readers that the gateway has converted a message.
const recodedField = "X-CongVan-Recoded"

// ToUnicode converts subject, texts and file names of a message that are in an old encoding to UTF-8 NFC (TCVN 6909:2001), where
// that loses nothing, and returns the new body; the old one with a nil Recoded when there is nothing to convert. Enclosed
// messages and attached files are others' and stay; a signed or encrypted message is never changed. What should be
// converted and cannot be gives an *OldTextError.
func (s *Store) ToUnicode(ctx context.Context, b *Body, limit int64) (*Body, *Recoded, error) {
	sum, err := ParseSummary(b.Summary)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.OpenBody(b)
	if err != nil {
		return nil, nil, fmt.Errorf("convert body %s: %w", b.Digest, err)
	}
	defer f.Close()
	c := &converter{f: f, sealed: sealed(sum.Root)}
	if err := c.part(sum.Root, true); err != nil {
		return nil, nil, fmt.Errorf("convert body %s: %w", b.Digest, err)
	}
	if len(c.edits) == 0 {
		return b, nil, nil
	}
	if c.sealed {
		return nil, nil, &OldTextError{c.done.Where[0], c.done.Encoding, true}
	}
	slices.Sort(c.done.Where)
	c.done.Where = slices.Compact(c.done.Where)
	note := fmt.Sprintf("%s: %s (%s)\r\n", recodedField, c.done.Encoding, strings.Join(c.done.Where, ", "))
	body, err := s.SaveBody(ctx, io.MultiReader(strings.NewReader(note), c.reader(b.Size)), limit)
	return body, &c.done, err
}

// sealed reports whether a message bears a signature that a change would break, or is encrypted.
func sealed(p *Part) bool {
	switch p.Type + "/" + p.Subtype {
	case "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pkcs7-signature",
		"application/x-pkcs7-signature", "application/pgp-encrypted", "application/pgp-signature":
		return true
	}
	return slices.ContainsFunc(p.Children, sealed)
}

// An edit puts other bytes in the place of some.
type edit struct {
	at, until int64
	with      []byte
}

// A converter collects the edits of one message, in the order of its bytes.
type converter struct {
	f      io.ReaderAt
	sealed bool
	texts  int64 // bytes looked at
	edits  []edit
	done   Recoded
}

// reader gives the message with its edits.
func (c *converter) reader(size int64) io.Reader {
	var parts []io.Reader
	at := int64(0)
	for _, e := range c.edits {
		parts = append(parts, io.NewSectionReader(c.f, at, e.at-at), bytes.NewReader(e.with))
		at = e.until
	}
	return io.MultiReader(append(parts, io.NewSectionReader(c.f, at, size-at))...)
}

func (c *converter) note(where string, enc viettext.Encoding) {
	if c.done.Where = append(c.done.Where, where); c.done.Encoding == "" {
		c.done.Encoding = enc
	}
}

// part looks at a part and at those in it.
func (c *converter) part(p *Part, root bool) error {
	raw, err := c.read(p.Offset, p.HeaderSize)
	if err != nil {
		return err
	}
	h := &headerEdit{rest: raw}
	if err := h.texts(c, root); err != nil {
		return err
	}
	var body []byte
	if p.Type == "text" && (p.Subtype == "plain" || p.Subtype == "html") && p.Disposition != "attachment" && p.DispositionParams["filename"] == "" &&
		p.Params["name"] == "" && p.Message == nil && p.BodySize <= maxTextPart && c.texts+p.BodySize <= maxTexts {
		c.texts += p.BodySize
		if body, err = c.text(p); err != nil {
			return err
		}
	}
	if body != nil {
		h.set("Content-Type", contentType(p.Type+"/"+p.Subtype, p.Params, "charset", "UTF-8"))
		h.set("Content-Transfer-Encoding", "quoted-printable")
		if root {
			h.set("MIME-Version", "1.0")
		}
	}
	if h.changed {
		c.edits = append(c.edits, edit{p.Offset, p.Offset + p.HeaderSize, h.bytes()})
	}
	if body != nil {
		c.edits = append(c.edits, edit{p.BodyOffset(), p.BodyOffset() + p.BodySize, body})
	}
	for _, child := range p.Children {
		if err := c.part(child, false); err != nil {
			return err
		}
	}
	return nil
}

func (c *converter) read(at, size int64) ([]byte, error) {
	b := make([]byte, min(size, maxHeader+maxTextPart))
	_, err := c.f.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, err
}

// judge converts one text; ok is false when it stays as it is.
func (c *converter) judge(where, text string, labelled viettext.Encoding) (out string, ok bool, err error) {
	out, enc, lossless := viettext.Convert(text)
	if enc == viettext.Unicode {
		if labelled == viettext.Unicode || utf8.RuneCountInString(text) == len(text) {
			return "", false, nil
		}
		out, enc, lossless = viettext.NFC(text), labelled, !strings.ContainsRune(text, utf8.RuneError) // told truly what it is
	}
	switch {
	case !lossless && viettext.Plausible(out) < 0.5: // not Vietnamese at all
		return "", false, nil
	case !lossless:
		return "", false, &OldTextError{where, enc, c.sealed}
	}
	c.note(where, enc)
	return out, true, nil
}

// text converts the text of a part; nil when it stays.
func (c *converter) text(p *Part) ([]byte, error) {
	raw, err := c.read(p.BodyOffset(), p.BodySize)
	if err != nil {
		return nil, err
	}
	data, err := untransfer(p.Encoding, raw)
	if err != nil || bytes.Contains(data, []byte("-----BEGIN PGP ")) {
		return nil, nil // nobody knows what it says; or signed inside
	}
	text, labelled, known := oldText(p.Params["charset"], data)
	if !known {
		return nil, nil
	}
	var out string
	var ok bool
	if p.Subtype == "html" {
		out, ok, err = c.html(text, labelled)
	} else {
		out, ok, err = c.judge(TextBody, text, labelled)
	}
	if err != nil || !ok {
		return nil, err
	}
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	if _, err := io.WriteString(w, out); err != nil {
		return nil, err
	}
	err = w.Close() // writes the last line
	return b.Bytes(), err
}

// untransfer undoes a transfer encoding.
func untransfer(encoding string, raw []byte) ([]byte, error) {
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return raw, nil
	case "quoted-printable":
		return io.ReadAll(quotedprintable.NewReader(bytes.NewReader(raw)))
	case "base64":
		return base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(raw), nil)))
	}
	return nil, fmt.Errorf("transfer encoding %q", encoding)
}

// oldText reads bytes of a charset as code points that Convert understands; labelled is the old encoding that the charset names,
// Unicode for every other one. Bytes that are not what they are called are taken one by one.
func oldText(charset string, data []byte) (text string, labelled viettext.Encoding, known bool) {
	charset = strings.ToLower(charset)
	switch charset {
	case "", "us-ascii", "ascii", "utf-8", "utf8":
		return string(data), viettext.Unicode, true // Convert takes what is no UTF-8 for Latin-1
	}
	text, known = decodeCharset(charset, data)
	if labelled = oldCharsets[charset]; labelled == "" {
		labelled = viettext.Unicode
	}
	if charset == "windows-1258" || charset == "cp1258" {
		labelled = viettext.Windows1258
	}
	return text, labelled, known
}

// contentType writes a media type or disposition with its parameters, one of them set. File names are RFC 2231.
func contentType(value string, params map[string]string, name, text string) string {
	all := map[string]string{}
	for k, v := range params {
		all[k] = v
	}
	if all[name] = text; text == "" {
		delete(all, name)
	}
	out := mime.FormatMediaType(value, all)
	if out == "" { // a parameter whose name is none
		out = mime.FormatMediaType(value, map[string]string{name: text})
	}
	return strings.ReplaceAll(out, "; ", ";\r\n\t")
}
