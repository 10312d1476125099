package imapd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"congvan/mailcore"
)

const (
	maxLine       = 48 << 10         // one line of a command; the library gives up at 50 KiB
	maxLiteral    = 4096             // of a literal that is no message: what the library buffers, and RFC 7888 §5 for LITERAL-
	literalIdle   = 2 * time.Minute  // between two reads of a message that is being appended
	writeIdle     = 2 * time.Minute  // for one write; a client that takes nothing for so long is gone
	handshakeTime = 30 * time.Second // of TLS
	maxBadLines   = 10               // lines that are no commands, before the connection is closed
)

// A front is one connection: the net.Conn that the library talks through. Its reading half understands commands and
// literals (reader.go). The library writes whole lines, so the writing half can see the few that matter.
type front struct {
	l    *listening
	raw  net.Conn // TCP
	addr netip.Addr

	known bool // has been logged in, under Server.mu

	// The reading half: used by the goroutine that reads, see reader.go.
	in       *bufio.Reader
	line     []byte // of the command being handed on, what the library has not taken yet
	buf      []byte // storage of line
	literal  int64  // of the literal being handed on
	header   *header
	appended bool // the literal of an APPEND was handed on; only its end may follow
	inside   bool // the last line ended in a literal that the library took: the next one goes on with the same command
	bad      int
	commands atomic.Uint64 // begun; from 1
	local    bool          // may log in without TLS
	again    bool          // the line in buf, a login without TLS, is still to be handed on
	over     bool          // BYE is said: the library, which may ask again, reads nothing more

	tenant atomic.Pointer[tenant] // of the account, once logged in
	wants  bool                   // the line is a command that needs a turn; IDLE works beside the reading half
	atWork atomic.Bool            // a command has its turn
	began  time.Time              // that turn

	wmu      sync.Mutex // held while bytes are written; taken before mu
	mu       sync.Mutex // the fields below
	net.Conn            // TLS, or TCP before it
	cmd      string     // the last command handed on
	asked    bool       // the library has written a continuation request since then
	stopText string     // not empty: say BYE with it at the next chance
	muted    bool       // BYE is said, nothing may follow (under wmu)
	out      []byte     // written by the library and not sent yet (under wmu)
	skipLine bool       // swallow the library's greeting: after STARTTLS there is none
	authed   bool
	session  *session // once the library has begun it
	closed   bool     // by the library, after the session's end

	expire *time.Timer
	once   sync.Once
}

func newFront(l *listening, c net.Conn, addr netip.Addr) *front {
	f := &front{l: l, addr: addr, cmd: "greeting"}
	f.raw = &easing{Conn: c, front: f}
	f.Conn = f.raw
	f.in = bufio.NewReaderSize(c, 2048)
	f.local = l.opt.PlainFromLoopback && !l.implicit && mailcore.FromThisMachine(c)
	f.expire = time.AfterFunc(l.opt.LoginTimeout, func() {
		f.mu.Lock()
		authed := f.authed
		f.mu.Unlock()
		if !authed {
			f.stop("Too long without a login")
			time.AfterFunc(time.Second, f.cutUnlessAuthed)
		}
	})
	return f
}

func (f *front) cutUnlessAuthed() {
	f.mu.Lock()
	authed := f.authed
	f.mu.Unlock()
	if !authed {
		f.cut()
	}
}

// begin leads the connection to TLS, or past it, and hands it to the library.
func (f *front) begin() {
	err := f.toTLS()
	if err == nil && f.l.queue.push(f) {
		return // the library closes it
	}
	if err != nil && !errors.Is(err, errLoggedOut) {
		f.l.log.Debug("imap connection ended before login", "remote", f.addr, "err", err)
	}
	f.finish()
}

func (f *front) toTLS() error {
	if !f.l.implicit {
		if err := f.plainPhase(); err != nil {
			return err
		}
	}
	if f.local {
		f.skipLine = true
		f.raw.SetDeadline(time.Time{})
		return nil
	}
	t := tls.Server(f.raw, f.l.opt.TLS)
	f.raw.SetDeadline(time.Now().Add(handshakeTime))
	if err := t.Handshake(); err != nil {
		return fmt.Errorf("tls handshake: %w", err)
	}
	f.raw.SetDeadline(time.Time{})
	f.mu.Lock()
	f.Conn = t
	f.skipLine = !f.l.implicit
	f.mu.Unlock()
	f.in.Reset(t)
	return nil
}

// begun notes the session that the library has begun.
func (f *front) begun(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = s
}

// loggedIn ends the time limit for logging in.
func (f *front) loggedIn() {
	f.mu.Lock()
	f.authed = true
	f.mu.Unlock()
	f.expire.Stop()
}

// stop asks the client to go: with BYE at once when we wait for its next command, else after the one that runs.
func (f *front) stop(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopText == "" {
		f.stopText = text
		f.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// cut ends the connection without a word.
func (f *front) cut() { f.raw.Close() }

// sayBye writes BYE, once, and mutes the connection: the library may want to finish its sentence.
func (f *front) sayBye(text string) {
	f.wmu.Lock()
	defer f.wmu.Unlock()
	if f.muted {
		return
	}
	f.muted = true
	c := f.conn()
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write(fmt.Appendf(f.out, "* BYE %s\r\n", text))
	f.out = nil
}

// leave says BYE and ends the library's reading.
func (f *front) leave(text string) error {
	f.sayBye(text)
	f.over = true
	return io.EOF
}

// say writes lines of our own. The library is waiting for us to read, so nothing of its output is cut in two.
func (f *front) say(format string, args ...any) error {
	f.wmu.Lock()
	defer f.wmu.Unlock()
	if f.muted {
		return net.ErrClosed
	}
	f.conn().SetWriteDeadline(time.Now().Add(writeIdle))
	_, err := fmt.Fprintf(f.conn(), format+"\r\n", args...)
	return err
}

func (f *front) conn() net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Conn
}

// Write implements net.Conn for the library.
func (f *front) Write(p []byte) (int, error) {
	f.wmu.Lock()
	defer f.wmu.Unlock()
	if f.muted {
		return 0, net.ErrClosed
	}
	out := f.watch(p)
	f.mu.Lock()
	idling := f.cmd == "IDLE"
	f.mu.Unlock()
	if f.out == nil && len(out) > 0 && len(out) < maxOut && !idling {
		f.out = outs.Get().(*[maxOut]byte)[:0]
	}
	if len(f.out)+len(out) < maxOut && !idling { // sent by the time the library waits for the client
		f.out = append(f.out, out...)
		return len(p), nil
	}
	if err := f.send(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// The library sends every line by itself. What it writes is collected instead until it reads again, so that the answer to a
// command is one packet, and one TLS record, instead of ten.
const maxOut = 16 << 10

var outs = sync.Pool{New: func() any { return new([maxOut]byte) }}

// flush sends what was collected.
func (f *front) flush() error {
	f.wmu.Lock()
	defer f.wmu.Unlock()
	if f.muted {
		return nil
	}
	return f.send(nil)
}

// send sends what was collected, and more. wmu is held.
func (f *front) send(more []byte) error {
	first := f.out
	f.out = nil
	if first != nil {
		defer outs.Put((*[maxOut]byte)(first[:maxOut]))
		if len(first)+len(more) <= cap(first) {
			first, more = append(first, more...), nil
		}
	}
	for _, b := range [][]byte{first, more} {
		if len(b) == 0 {
			continue
		}
		f.Conn.SetWriteDeadline(time.Now().Add(writeIdle))
		if _, err := f.Conn.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// watch sees what the library writes and returns what of it the client gets.
func (f *front) watch(p []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.skipLine {
		f.skipLine, f.cmd = false, ""
		return nil
	}
	switch f.cmd {
	case "greeting", "CAPABILITY", "LOGIN", "AUTHENTICATE":
		more := " SASL-IR ID QUOTA QUOTA=RES-STORAGE "
		if !f.authed { // Python's imaplib never asks again after the login
			more = " SASL-IR ID QUOTA QUOTA=RES-STORAGE ENABLE IDLE "
		}
		p = bytes.Replace(p, []byte(" SASL-IR "), []byte(more), 1)
	}
	if h := f.header; bytes.HasPrefix(p, []byte("+ ")) && (h != nil || f.cmd == "IDLE" || f.cmd == "AUTHENTICATE") {
		f.asked = true
		if h != nil && h.nonSync {
			return nil // the client sends it anyway
		}
	}
	return p
}

// SetReadDeadline implements net.Conn. A connection that was told to stop keeps its past deadline.
func (f *front) SetReadDeadline(t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopText != "" {
		return nil
	}
	return f.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn. The library allows a message five minutes as a whole, too little for a telephone on
// a bad line; Write sets one for each piece instead.
func (f *front) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.Conn. The library calls it last of all, after the session's Close.
func (f *front) Close() error {
	f.mu.Lock()
	closed, c := f.closed, f.Conn
	f.mu.Unlock()
	if f.wmu.TryLock() {
		if len(f.out) > 0 && !f.muted {
			c.SetWriteDeadline(time.Now().Add(time.Second))
			c.Write(f.out)
			f.out = nil
		}
		f.wmu.Unlock()
	}
	c.SetWriteDeadline(time.Now().Add(time.Second)) // for TLS's own goodbye
	err := c.Close()
	if closed {
		f.finish()
	}
	return err
}

// sessionEnded is called by the session's Close.
func (f *front) sessionEnded() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
}

func (f *front) finish() {
	f.once.Do(func() {
		f.endTurn()
		f.expire.Stop()
		f.raw.Close()
		f.l.forget(f)
	})
}

// ended turns what reading came back with into the end of the connection: with a BYE when it is us who end it.
func (f *front) ended(err error) error {
	f.mu.Lock()
	text, authed := f.stopText, f.authed
	f.mu.Unlock()
	switch {
	case text != "":
		return f.leave(text)
	case errors.Is(err, os.ErrDeadlineExceeded) && authed:
		return f.leave("Nothing heard for too long")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return f.leave("Too long without a login")
	}
	return err
}
