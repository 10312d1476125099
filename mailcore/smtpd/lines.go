package smtpd

import (
	"bytes"
	"errors"
	"io"
)

// A lineCheck passes a body on and refuses a bare CR, a bare LF and a NUL: servers that disagree about where a line ends
// can be made to disagree about where a message ends (SMTP smuggling).
type lineCheck struct {
	r  io.Reader
	cr bool // the last byte was CR
}

func (c *lineCheck) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	switch {
	case !c.paired(p[:n]):
		return 0, errBareLine
	case bytes.IndexByte(p[:n], 0) >= 0:
		return 0, errNul
	case errors.Is(err, io.EOF) && c.cr:
		return n, errBareLine
	}
	return n, err
}

// paired says whether every LF follows a CR and every CR comes before an LF, or last.
func (c *lineCheck) paired(b []byte) bool {
	alone := bytes.Count(b, []byte{'\r'})
	if c.cr {
		alone++
	}
	for rest, cr := b, c.cr; ; alone-- {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i > 0 {
			cr = rest[i-1] == '\r'
		}
		if !cr {
			return false
		}
		rest, cr = rest[i+1:], false
	}
	if len(b) > 0 {
		c.cr = b[len(b)-1] == '\r'
	}
	if c.cr {
		alone--
	}
	return alone == 0
}

// A lineFix passes a body on with every line ended by CRLF, the last one too: what our own accounts submit is made
// canonical before it is stored, shown, signed or sent (RFC 6409 §8). A NUL is refused.
type lineFix struct {
	r    io.Reader
	in   [16 << 10]byte
	out  []byte // not yet asked for
	buf  []byte
	cr   bool
	open bool // the last line has no end yet
	err  error
}

func (f *lineFix) Read(p []byte) (int, error) {
	for len(f.out) == 0 && f.err == nil {
		f.fill()
	}
	if len(f.out) == 0 {
		return 0, f.err
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

func (f *lineFix) fill() {
	n, err := f.r.Read(f.in[:])
	out := f.buf[:0]
	for _, b := range f.in[:n] {
		switch b {
		case 0:
			f.err = errNul
			return
		case '\n':
			if !f.cr {
				out = append(out, '\r', '\n')
			}
			f.open = false
		case '\r': // alone it ends a line too
			out = append(out, '\r', '\n')
			f.open = false
		default:
			out = append(out, b)
			f.open = true
		}
		f.cr = b == '\r'
	}
	if errors.Is(err, io.EOF) && f.open {
		out = append(out, '\r', '\n')
	}
	f.buf, f.out, f.err = out, out, err
}
