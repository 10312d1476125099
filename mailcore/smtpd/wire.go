package smtpd

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// maxUnanswered bounds what may arrive between two answers outside a body. The library reads 4 KiB at a time and answers
// each line, so more than this is one endless line, or a chunk that was refused.
const maxUnanswered = 64 << 10

var errEndless = errors.New("too much without a line end")

// long ago: a read with this deadline ends at once.
var past = time.Unix(1, 0)

// A wire is the TCP connection below TLS and below go-smtp. It makes up for what the library leaves open:
//   - the read deadline is renewed while a body arrives, under a deadline for the whole body;
//   - once a read has failed, every later one fails. The library would go on after a timeout in the middle of a body and
//     run the rest of the body as commands;
//   - a line that ends inside a body is an error and not the body's end, which it would be inside a BDAT chunk;
//   - command lines are bounded, and come one at a time, so that what is behind DATA is not in the library's buffer;
//   - a stopping server ends sessions that wait for a command, and leaves those alone that receive a body.
type wire struct {
	net.Conn
	list *listener
	addr string

	mu       sync.Mutex
	dead     error     // of the first read that failed
	ahead    []byte    // read and not yet asked for
	stopping bool      // no more commands
	hungUp   bool      // the answer under way is the last
	silent   bool      // and it has been given
	body     bool      // Data runs
	tail     bool      // Data has ended, and what is left of the body is read
	chunked  bool      // there was a BDAT: its chunks were read together with what is behind them
	until    time.Time // for the whole body
	waiting  int       // bytes since the last answer, outside a body
	closing  sync.Once
}

func (w *wire) Read(b []byte) (int, error) {
	if n, err, done := w.beforeRead(b); done {
		return n, err
	}
	n, err := w.Conn.Read(b)
	return w.afterRead(b[:n], err)
}

// line is what of b a Read hands out: outside a body no more than a line.
func (w *wire) line(b []byte) int {
	if w.body {
		return len(b)
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

// unread puts back what belongs before everything that was not asked for yet.
func (w *wire) unread(parts ...[]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = slices.Concat(append(parts, w.ahead)...)
}

func (w *wire) beforeRead(b []byte) (int, error, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ahead) > 0 {
		n := copy(b, w.ahead[:w.line(w.ahead)])
		w.ahead = w.ahead[n:]
		return n, nil, true
	}
	if w.dead != nil {
		return 0, w.dead, true
	}
	if w.hungUp {
		return 0, io.EOF, true
	}
	if w.body || w.tail {
		w.Conn.SetReadDeadline(earlier(time.Now().Add(w.list.srv.opt.BodyIdle), w.until))
	}
	return 0, nil, false
}

func (w *wire) afterRead(b []byte, err error) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	inBody, n := w.body || w.tail, w.line(b)
	if n < len(b) {
		w.ahead = bytes.Clone(b[n:])
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.dead = os.ErrDeadlineExceeded // without our addresses in its text; still a net.Error that timed out
	case err == io.EOF && inBody:
		w.dead = io.ErrUnexpectedEOF
	case err != nil:
		w.dead = err
	case !inBody:
		if w.waiting += len(b); w.waiting > maxUnanswered {
			w.dead = errEndless
		}
	}
	return n, w.dead
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.waiting, w.tail = 0, false
	silent := w.silent
	w.silent = w.hungUp
	w.mu.Unlock()
	if silent {
		return 0, net.ErrClosed
	}
	return w.Conn.Write(b)
}

// SetReadDeadline is what go-smtp calls before each command line.
func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping && !w.body {
		t = past
	}
	return w.Conn.SetReadDeadline(t)
}

// beginBody makes reads renew their deadline, until endBody and the answer after it.
func (w *wire) beginBody(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body, w.until = true, until
}

// bare reports whether a body can be read from the wire itself. Once chunks came, what the library has read is not known.
func (w *wire) bare(chunked bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chunked = w.chunked || chunked
	return !w.chunked
}

func (w *wire) endBody() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body, w.tail = false, true
}

// closed reports whether the other side has gone. It is asked when a body seems complete: go-smtp takes the end of a TLS
// stream inside a BDAT chunk for the end of the body. What it reads to find out is kept for the next Read.
func (w *wire) closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead != nil {
		return true
	}
	if len(w.ahead) > 0 {
		return false
	}
	b := make([]byte, 4096)
	w.Conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, err := w.Conn.Read(b)
	w.ahead = b[:n]
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		w.dead = err
	}
	return n == 0 && w.dead != nil
}

// hangUp lets the answer under way be the last.
func (w *wire) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hungUp = true
}

func (w *wire) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	if !w.body {
		w.Conn.SetReadDeadline(past)
	}
}

// end ends the session now: what waits for a command with a word, what receives a body without.
func (w *wire) end() {
	w.stop()
	w.mu.Lock()
	body := w.body
	w.mu.Unlock()
	if body {
		w.Conn.Close()
		return
	}
	time.AfterFunc(time.Second, func() { w.Conn.Close() })
}

func (w *wire) Close() error {
	err := w.Conn.Close()
	w.closing.Do(func() { w.list.remove(w) })
	return err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// A listener hands out wires and knows the open ones.
type listener struct {
	net.Listener
	srv   *Server
	ended sync.WaitGroup // one for each open wire

	mu       sync.Mutex
	wires    map[*wire]struct{}
	stopping bool
}

func newListener(s *Server, ln net.Listener) *listener {
	return &listener{Listener: ln, srv: s, wires: map[*wire]struct{}{}}
}

// Accept waits for a connection within the limits; others are told to come back later.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := addrOf(c)
		if !l.srv.conns.take(addr) {
			l.srv.log.Warn("too many connections", "addr", addr)
			c.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(c, "421 4.7.0 Too many connections, try again later\r\n")
			c.Close()
			continue
		}
		return l.add(c, addr), nil
	}
}

func (l *listener) add(c net.Conn, addr string) *wire {
	w := &wire{Conn: c, list: l, addr: addr}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended.Add(1)
	l.wires[w] = struct{}{}
	if l.stopping {
		w.stop()
	}
	return w
}

func (l *listener) remove(w *wire) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wires, w)
	l.srv.conns.give(w.addr)
	l.ended.Done()
}

// stop takes no more connections and ends sessions that wait for a command.
func (l *listener) stop() {
	l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	for w := range l.wires {
		w.stop()
	}
}

// cut ends every session where it stands.
func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.wires {
		w.Conn.Close() // the session's own Close takes it off the list
	}
}

func addrOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

// A counter bounds what is taken at one time, altogether and by one key.
type counter struct {
	mu          sync.Mutex
	of          map[string]int
	all         int
	limit, each int
}

func (c *counter) take(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.limit || c.of[key] >= c.each {
		return false
	}
	c.all++
	c.of[key]++
	return true
}

func (c *counter) give(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[key]--; c.of[key] <= 0 {
		delete(c.of, key)
	}
}
