package smtpd

import (
	"bytes"
	"errors"
	"io"
	"math"
	"sync"
)

// dotsBuffer is how much of a body is looked through at once.
const dotsBuffer = 32 << 10

var (
	endOfData   = []byte(".\r\n")
	dottedLine  = []byte("\r\n.")
	dotsBuffers = sync.Pool{New: func() any { return new([dotsBuffer]byte) }}
)

// A dotReader is the body behind DATA, read from the wire itself: go-smtp fetches each byte by a call, which is half of the work for
// a large message. It takes the dot off each line that begins with one, and ends at the line that is a dot alone. Only CRLF ends a
// line; CR CR LF, in which servers see different things, ends none (RFC 5321 §4.5.2, §2.3.8).
//
// It needs a wire without TLS of which the library has read nothing beyond the line DATA: outside a body a wire hands out one line
// at a time. After close the library finds the end of an empty body there, and the commands behind it.
type dotReader struct {
	wire  *wire
	left  int64 // bytes that the message may still have
	buf   *[dotsBuffer]byte
	next  []byte // of buf, not handed out yet
	prev  byte   // handed out last
	start bool   // next is the beginning of a line
	err   error
}

func newDotReader(w *wire, limit int64) *dotReader {
	return &dotReader{wire: w, left: limit, buf: dotsBuffers.Get().(*[dotsBuffer]byte), start: true}
}

// Read implements io.Reader. It refuses a message over the limit, of which close skips the rest.
func (d *dotReader) Read(p []byte) (int, error) {
	for len(p) > 0 && d.err == nil {
		if d.start && !d.begin() {
			d.fill()
			continue
		}
		n, dot := d.lines()
		if n == 0 {
			d.fill()
			continue
		}
		k := copy(p, d.next[:n])
		d.prev, d.next, d.start = d.next[k-1], d.next[k:], dot && k == n
		if d.left -= int64(k); d.left < 0 {
			return 0, errTooLarge
		}
		return k, nil
	}
	return 0, d.err
}

// begin reads the dot at the beginning of a line, if there is one; false says that more must come to tell what it is.
func (d *dotReader) begin() bool {
	switch {
	case len(d.next) < len(endOfData) && bytes.HasPrefix(endOfData, d.next):
		return false
	case bytes.HasPrefix(d.next, endOfData):
		d.next, d.err = d.next[len(endOfData):], io.EOF
	case d.next[0] == '.':
		d.next = d.next[1:]
	}
	d.start = false
	return true
}

// lines says how many bytes of next can be handed out, and whether a line that begins with a dot is behind them. What may be the
// end of a line before a dot waits for what follows.
func (d *dotReader) lines() (n int, dot bool) {
	if d.err != nil {
		return 0, false
	}
	for from := 0; ; {
		i := bytes.Index(d.next[from:], dottedLine)
		if i < 0 {
			break
		}
		at := from + i
		if at > 0 && d.next[at-1] != '\r' || at == 0 && d.prev != '\r' {
			return at + 2, true
		}
		from = at + 2
	}
	n = len(d.next)
	if bytes.HasSuffix(d.next, dottedLine[:2]) {
		return n - 2, false
	}
	return len(bytes.TrimSuffix(d.next, dottedLine[:1])), false
}

// fill reads more; at most two bytes are waiting then.
func (d *dotReader) fill() {
	if d.err != nil {
		return
	}
	held := copy(d.buf[:], d.next)
	n, err := d.wire.Read(d.buf[held:])
	d.next = d.buf[:held+n]
	switch {
	case n > 0: // a wire that has failed once fails again
	case errors.Is(err, io.EOF):
		d.err = io.ErrUnexpectedEOF
	default:
		d.err = err
	}
}

// close skips the rest of the body and leaves the wire to the library.
func (d *dotReader) close() {
	d.left = math.MaxInt64
	io.Copy(io.Discard, d) // an error stays with the wire
	if errors.Is(d.err, io.EOF) {
		d.wire.unread(endOfData, d.next)
	}
	dotsBuffers.Put(d.buf)
	d.buf, d.next, d.err = nil, nil, io.ErrClosedPipe
}
