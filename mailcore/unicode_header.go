package mailcore

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// A headerEdit replaces fields of one header.
type headerEdit struct {
	rest    []byte // what has not been replaced, the empty line included
	changed bool
}

func (h *headerEdit) bytes() []byte { return h.rest }

// texts converts subject and file names.
func (h *headerEdit) texts(c *converter, root bool) error {
	for _, f := range parseFields(h.rest) {
		var err error
		switch {
		case f.name == "subject" && root:
			text, labelled := oldHeaderText(f.value)
			out, ok, e := c.judge(TextSubject, text, labelled)
			if err = e; ok {
				h.set("Subject", mime.BEncoding.Encode("UTF-8", tidy(out)))
			}
		case f.name == "content-type":
			err = h.fileName(c, "Content-Type", "name", f.value)
		case f.name == "content-disposition":
			err = h.fileName(c, "Content-Disposition", "filename", f.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileName converts the file name in a field.
func (h *headerEdit) fileName(c *converter, field, param, value string) error {
	kind, raw := parseParams(value)
	labelled := viettext.Unicode
	for k, v := range raw {
		if strings.HasPrefix(k, param) {
			var enc viettext.Encoding
			if raw[k], enc = latin(v), labelOf(v); enc != viettext.Unicode {
				labelled = enc
			}
		}
	}
	params := decodeParams(raw)
	out, ok, err := c.judge(TextFile, params[param], labelled)
	if err != nil || !ok {
		return err
	}
	h.set(field, contentType(strings.ToLower(kind), params, param, out))
	return nil
}

// latin makes code points of bytes that are no UTF-8, one by one.
func latin(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

// labelOf is the old encoding that a field's encoded words, or its RFC 2231 value, say that they are in.
func labelOf(value string) viettext.Encoding {
	label := viettext.Unicode
	note := func(charset string) {
		if _, enc, _ := oldText(charset, nil); enc != viettext.Unicode {
			label = enc
		}
	}
	for rest := value; ; {
		i := strings.Index(rest, "=?")
		if i < 0 {
			break
		}
		rest = rest[i:]
		cs, _, n, ok := encodedWord(rest)
		if !ok {
			n = 2
		}
		note(cs)
		rest = rest[n:]
	}
	if parts := strings.SplitN(value, "'", 3); len(parts) == 3 {
		note(parts[0])
	}
	return label
}

// oldHeaderText reads an unstructured value as code points that Convert understands.
func oldHeaderText(value string) (text string, labelled viettext.Encoding) {
	labelled = labelOf(value)
	return decodeText(latin(value)), labelled
}

// set replaces the fields of a name by one, in the place of the first, or adds it at the end.
func (h *headerEdit) set(name, value string) {
	field := []byte(name + ": " + value + "\r\n")
	var out []byte
	written := false
	for rest := h.rest; len(rest) > 0; {
		n := FieldLength(rest)
		one := rest[:n]
		rest = rest[n:]
		got, _, isField := bytes.Cut(one, []byte(":"))
		switch {
		case isField && strings.EqualFold(strings.TrimRight(string(got), " \t"), name):
			if !written {
				out, written = append(out, field...), true
			}
		case len(bytes.TrimRight(one, "\r\n")) == 0 && !written: // the end of the header
			out, written = append(append(out, field...), one...), true
		default:
			out = append(out, one...)
		}
	}
	if !written {
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, "\r\n"...)
		}
		out = append(out, field...)
	}
	h.rest, h.changed = out, true
}

// FieldLength is the length of the first field of a header, with the lines that continue it (RFC 5322 §2.2.3).
func FieldLength(b []byte) int {
	for n := 0; ; {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return len(b)
		}
		if n += i + 1; n == len(b) || b[n] != ' ' && b[n] != '\t' {
			return n
		}
	}
}
