package imapd

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/blob"

	"github.com/emersion/go-imap/v2"
)

// maxHeader bounds the header that is held in memory to pick fields from it.
const maxHeader = 1 << 20

// content is one message's bytes: the prefix of this copy, then the stored body.
type content struct {
	stored *mailcore.Stored
	file   *blob.File
}

// openContent opens the blob; the caller closes it.
func (s *session) openContent(m *mailcore.Stored) (*content, error) {
	file, err := s.l.store.OpenBody(&mailcore.Body{Digest: m.Digest, Size: m.BodySize})
	if err != nil {
		return nil, err
	}
	return &content{m, file}, nil
}

func (c *content) close() { c.file.Close() }

// A piece is a run of bytes: some of memory, or of the body.
type piece struct {
	mem []byte
	off int64 // in the body, when mem is nil
	n   int64
}

func memory(b []byte) piece { return piece{mem: b, n: int64(len(b))} }

// A section is what BODY[…] names: pieces one after the other.
type section []piece

func (x section) size() (n int64) {
	for _, p := range x {
		n += p.n
	}
	return n
}

// cut returns the bytes from off on, at most n.
func (x section) cut(off, n int64) section {
	var out section
	for _, p := range x {
		switch {
		case n <= 0:
			return out
		case off >= p.n:
			off -= p.n
			continue
		}
		p.n -= off
		if p.mem != nil {
			p.mem = p.mem[off:]
		}
		p.off += off
		off = 0
		p.n = min(p.n, n)
		if p.mem != nil {
			p.mem = p.mem[:p.n]
		}
		n -= p.n
		out = append(out, p)
	}
	return out
}

// reader reads the section's bytes from the blob as they are asked for.
func (c *content) reader(x section) io.Reader {
	rs := make([]io.Reader, len(x))
	for i, p := range x {
		if p.mem != nil {
			rs[i] = bytes.NewReader(p.mem)
		} else {
			rs[i] = io.NewSectionReader(c.file, p.off, p.n)
		}
	}
	return io.MultiReader(rs...)
}

// header is the message's own: prefix and stored header.
func (c *content) header() section {
	return section{memory(c.stored.Prefix), {n: min(c.stored.Summary.HeaderSize, c.stored.BodySize)}}
}

// section returns what a section specification names, nil for what does not exist.
func (c *content) section(spec *imap.FetchItemBodySection) (section, error) {
	sum := c.stored.Summary
	if len(spec.Part) == 0 {
		switch spec.Specifier {
		case imap.PartSpecifierHeader, imap.PartSpecifierMIME:
			return c.fields(c.header(), spec)
		case imap.PartSpecifierText:
			return c.inBounds(sum.HeaderSize, c.stored.BodySize-sum.HeaderSize), nil
		}
		return section{memory(c.stored.Prefix), {n: c.stored.BodySize}}, nil
	}
	p := part(sum.Root, spec.Part)
	if p == nil {
		return nil, nil
	}
	switch spec.Specifier {
	case imap.PartSpecifierMIME:
		if p == sum.Root { // part 1 of a message that has only one: its header is the message's
			return c.header(), nil
		}
		return c.inBounds(p.Offset, p.HeaderSize), nil
	case imap.PartSpecifierHeader, imap.PartSpecifierText:
		if p.Message == nil || p.Message.Root == nil { // RFC 9051 §6.4.5.1: only of a message/rfc822
			return nil, nil
		}
		if spec.Specifier == imap.PartSpecifierHeader {
			return c.fields(c.inBounds(p.BodyOffset(), p.Message.HeaderSize), spec)
		}
		return c.inBounds(p.BodyOffset()+p.Message.HeaderSize, p.BodySize-p.Message.HeaderSize), nil
	}
	return c.inBounds(p.BodyOffset(), p.BodySize), nil
}

// inBounds is a run of the body, whatever a summary says never beyond it.
func (c *content) inBounds(off, n int64) section {
	off = min(max(off, 0), c.stored.BodySize)
	return section{{off: off, n: min(max(n, 0), c.stored.BodySize-off)}}
}

// fields picks the header fields that the specification names, and the empty line behind them.
func (c *content) fields(x section, spec *imap.FetchItemBodySection) (section, error) {
	if len(spec.HeaderFields) == 0 && len(spec.HeaderFieldsNot) == 0 {
		return x, nil
	}
	names, keep := spec.HeaderFields, true
	if len(names) == 0 {
		names, keep = spec.HeaderFieldsNot, false
	}
	var out []byte
	err := c.eachField(x, func(name string, raw []byte) bool {
		listed := false
		for _, n := range names {
			listed = listed || strings.EqualFold(n, name)
		}
		if listed == keep {
			out = append(out, raw...)
		}
		return true
	})
	return section{memory(append(out, "\r\n"...))}, err
}

// eachField calls fn with each field of a header, its lines as they are, until fn returns false.
func (c *content) eachField(x section, fn func(name string, raw []byte) bool) error {
	r := bufio.NewReader(io.LimitReader(c.reader(x), maxHeader))
	var field []byte
	flush := func() bool {
		name, _, ok := bytes.Cut(field, []byte(":"))
		goOn := !ok || fn(string(bytes.TrimSpace(name)), field)
		field = nil
		return goOn
	}
	for {
		line, err := r.ReadBytes('\n')
		if len(bytes.TrimRight(line, "\r\n")) > 0 {
			if line[0] != ' ' && line[0] != '\t' && !flush() {
				return nil
			}
			field = append(field, line...)
		} else if err == nil {
			err = io.EOF // the empty line
		}
		if err == io.EOF {
			flush()
			return nil
		}
		if err != nil {
			return err
		}
	}
}
