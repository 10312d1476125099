package mailcore

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
)

// Bounds of what is read of one message, so that memory stays small whatever was sent.
const (
	maxDepth     = 50      // levels of multiparts and enclosed messages; what lies deeper is one part
	maxParts     = 1000    // what follows them is not shown as parts
	maxHeader    = 1 << 20 // bytes of one header that are read; the rest is skipped
	maxHeaders   = 4 << 20 // bytes of all headers
	maxPeople    = 5000
	maxIDs       = 200
	maxName      = 1000
	maxSubject   = 8 << 10
	maxMessageID = 500 // stays under what an index entry of PostgreSQL may have (2704 bytes)
	maxParams    = 64
	maxParam     = 4 << 10
)

// A scanner walks through lines of any length and knows where it is.
type scanner struct {
	r     *bufio.Reader
	off   int64 // of the next unread byte
	lines int64 // begun so far

	line   []byte // the current line, or a piece of a very long one, with its end
	start  int64  // where it begins
	isHead bool   // it is the beginning of a line
	term   int    // length of its line end: 0, 1 or 2
	whole  bool   // the line before the next one has ended (or nothing was read yet)

	prevTerm  int  // of the line before the current one
	prevEmpty bool // that line had nothing but its end
}

// readers are used again: one is larger than most messages.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

func newScanner(r io.Reader) *scanner {
	in := readers.Get().(*bufio.Reader)
	in.Reset(r)
	return &scanner{r: in, whole: true}
}

// end gives the reader back; s is of no use any more.
func (s *scanner) end() {
	s.r.Reset(nil)
	readers.Put(s.r)
	s.r, s.line = nil, nil
}

// next reads the next line or piece of one; io.EOF at the end.
func (s *scanner) next() error {
	if len(s.line) > 0 && s.term > 0 {
		s.prevTerm, s.prevEmpty = s.term, s.isHead && len(s.line) == s.term
	}
	lastCR := !s.whole && len(s.line) > 0 && s.line[len(s.line)-1] == '\r'
	line, err := s.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil
	}
	if err != nil {
		s.line = nil
		return err
	}
	s.line, s.start, s.isHead = line, s.off, s.whole
	s.off += int64(len(line))
	if s.isHead {
		s.lines++
	}
	s.term = 0
	if line[len(line)-1] == '\n' {
		s.term = 1
		if len(line) > 1 && line[len(line)-2] == '\r' || len(line) == 1 && lastCR {
			s.term = 2
		}
	}
	s.whole = s.term > 0
	return nil
}

// A stop is where a part ended: at a boundary line of the multipart at that level, or (level −1) at the end of the bytes.
type stop struct {
	level     int
	final     bool
	at        int64 // offset of the boundary line, or of the end
	lines     int64 // begun before it
	prevTerm  int
	prevEmpty bool
}

// A builder reads the structure of one message in one pass.
type builder struct {
	sc     *scanner
	bounds []string // of the multiparts that are open, outermost first
	depth  int
	parts  int
	spent  int // bytes of headers kept so far
	err    error
}

// parseMessage reads a summary from the bytes of a message. Only r's own errors are errors.
func parseMessage(r io.Reader) (*Summary, error) {
	b := &builder{sc: newScanner(r)}
	defer b.sc.end()
	sum, _ := b.message()
	return sum, b.err
}

func (b *builder) message() (*Summary, stop) {
	root, fields, end := b.part("text/plain")
	return &Summary{Envelope: envelope(fields), Root: root, HeaderSize: root.HeaderSize}, end
}

// advance reads a line. When that is a boundary, or there is none, it returns the stop.
func (b *builder) advance() (stop, bool) {
	err := b.sc.next()
	if err != nil {
		if !errors.Is(err, io.EOF) && b.err == nil {
			b.err = err
		}
		return stop{level: -1, final: true, at: b.sc.off, lines: b.sc.lines}, true
	}
	line := b.sc.line
	if !b.sc.isHead || len(b.bounds) == 0 || !bytes.HasPrefix(line, []byte("--")) {
		return stop{}, false
	}
	text := strings.TrimRight(string(line[2:min(len(line), 1024)]), " \t\r\n")
	for i := len(b.bounds) - 1; i >= 0; i-- {
		final := text == b.bounds[i]+"--"
		if final || text == b.bounds[i] {
			return stop{i, final, b.sc.start, b.sc.lines - 1, b.sc.prevTerm, b.sc.prevEmpty}, true
		}
	}
	return stop{}, false
}

// skip reads to where the open part ends.
func (b *builder) skip() stop {
	for {
		if end, ok := b.advance(); ok {
			return end
		}
	}
}

// header reads to the empty line. ended is true when a boundary or the end came first.
func (b *builder) header() (raw []byte, end stop, ended bool) {
	room := min(maxHeader, maxHeaders-b.spent)
	for {
		if end, ended = b.advance(); ended {
			break
		}
		if b.sc.isHead && len(b.sc.line) == b.sc.term {
			break
		}
		if len(raw)+len(b.sc.line) > room {
			room = 0 // nor what follows: it would continue the wrong field
			continue
		}
		raw = append(raw, b.sc.line...)
	}
	b.spent += len(raw)
	return raw, end, ended
}

// part reads one part with what lies in it.
func (b *builder) part(defaultType string) (*Part, []field, stop) {
	b.parts++
	p := &Part{Offset: b.sc.off}
	raw, end, ended := b.header()
	fields := parseFields(raw)
	boundary := describe(p, fields, defaultType)
	if ended {
		p.HeaderSize = end.last(p.Offset) - p.Offset
		flatten(p)
		return p, fields, end
	}
	p.HeaderSize = b.sc.off - p.Offset
	begin, lines := b.sc.off, b.sc.lines
	b.depth++
	switch {
	case p.Type == "multipart" && boundary != "" && b.depth <= maxDepth:
		end = b.children(p, boundary)
	case isMessage(p) && b.depth <= maxDepth && b.parts < maxParts:
		p.Message, end = b.message()
	default:
		end = b.skip()
	}
	b.depth--
	p.measure(begin, lines, end)
	flatten(p)
	return p, fields, end
}

// last is where the bytes from begin to the stop end: the line end before a boundary belongs to the boundary (RFC 2046
// §5.1.1), unless it stands before begin.
func (s stop) last(begin int64) int64 {
	if s.level < 0 {
		return s.at
	}
	return max(begin, s.at-int64(s.prevTerm))
}

// measure sets size and lines of the body.
func (p *Part) measure(begin, lines int64, end stop) {
	n := end.lines - lines
	if end.level >= 0 && end.prevEmpty {
		n--
	}
	if p.BodySize = end.last(begin) - begin; p.BodySize > 0 {
		p.Lines = n
	}
}

// children reads the parts of a multipart and what follows them.
func (b *builder) children(p *Part, boundary string) stop {
	level := len(b.bounds)
	b.bounds = append(b.bounds, boundary)
	child := "text/plain"
	if p.Subtype == "digest" {
		child = "message/rfc822"
	}
	end := b.skip()
	for end.level == level && !end.final {
		if b.parts >= maxParts {
			end = b.skip()
			continue
		}
		var c *Part
		c, _, end = b.part(child)
		p.Children = append(p.Children, c)
	}
	b.bounds = b.bounds[:level]
	if end.level == level {
		return b.skip()
	}
	return end
}

// isMessage reports whether the part's body is a message whose structure can be seen.
func isMessage(p *Part) bool {
	return p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && p.Encoding != "base64" && p.Encoding != "quoted-printable"
}

// flatten gives a part that has no structure of its own a type that needs none: IMAP servers and clients trust a multipart
// to have parts and a message to have an envelope.
func flatten(p *Part) {
	switch {
	case p.Type == "multipart" && len(p.Children) == 0:
		p.Type, p.Subtype, p.Params = "text", "plain", nil
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && p.Message == nil:
		p.Type, p.Subtype, p.Params = "application", "octet-stream", nil
	}
}

// describe fills a part from its header and returns the boundary of a multipart.
func describe(p *Part, fields []field, defaultType string) (boundary string) {
	value, params := parseParams(first(fields, "content-type"))
	p.Type, p.Subtype, _ = strings.Cut(strings.ToLower(value), "/")
	p.Type, p.Subtype = mediaToken(p.Type), mediaToken(p.Subtype)
	switch {
	case p.Type == "":
		p.Type, p.Subtype, _ = strings.Cut(defaultType, "/")
	case p.Subtype == "" && p.Type == "text":
		p.Subtype = "plain"
	case p.Subtype == "" && p.Type == "multipart":
		p.Subtype = "mixed"
	case p.Subtype == "":
		p.Type, p.Subtype = "application", "octet-stream"
	}
	if p.Type == "multipart" {
		boundary = strings.TrimRight(params["boundary"], " \t")
	}
	p.Params = decodeParams(params)
	p.Encoding = mediaToken(strings.ToLower(dropComments(first(fields, "content-transfer-encoding"))))
	p.ID = cut(tidy(guess8bit(first(fields, "content-id"))), maxName)
	p.Description = cut(decodeText(first(fields, "content-description")), maxName)
	disposition, params := parseParams(first(fields, "content-disposition"))
	if p.Disposition = mediaToken(strings.ToLower(disposition)); p.Disposition != "" {
		p.DispositionParams = decodeParams(params)
	}
	for _, tag := range strings.FieldsFunc(dropComments(first(fields, "content-language")), func(r rune) bool { return r == ',' || r == ' ' }) {
		if tag = mediaToken(tag); tag != "" && len(p.Language) < 20 {
			p.Language = append(p.Language, tag)
		}
	}
	return boundary
}

// mediaToken returns the token that s begins with (RFC 2045 §5.1).
func mediaToken(s string) string {
	s = strings.TrimSpace(s)
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return s[:i]
		}
	}
	return cut(s, 127)
}
