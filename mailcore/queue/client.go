package queue

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"congvan/mailcore/dsn"
)

// The client of go-smtp cannot take STARTTLS on a connection that it has greeted under a chosen name, so these are the few
// steps of SMTP that a queue needs, with the moment of the final dot in plain sight.

// Bounds of what a server may say.
const (
	maxAnswerLines = 100
	maxAnswerLine  = 2048
	maxAnswerText  = 1000 // of what is kept of an answer
	maxDialogue    = 16 << 10
)

// An answer is a server's reply.
type answer struct {
	code     int
	enhanced string // "" when it gave none
	text     string // lines joined by a space, without codes
}

func (a answer) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.code, strings.TrimSpace(a.enhanced+" "+a.text)))
}

// An answerError is a reply that is not the one wanted.
type answerError struct {
	answer
	phase string
}

func (e *answerError) Error() string { return e.phase + ": " + e.answer.String() }

// errAnswer is what cannot be a reply.
var errAnswer = errors.New("the server's answer makes no sense")

// A dialogue is the record of one try: what was said, without the body.
type dialogue struct{ b strings.Builder }

func (d *dialogue) add(mark, format string, args ...any) {
	if d.b.Len() < maxDialogue {
		fmt.Fprintf(&d.b, "%s %s\n", mark, dsn.Printable(fmt.Sprintf(format, args...), 512))
	}
}

// A client is one connection to a server.
type client struct {
	conn  net.Conn // TLS once it is on
	raw   net.Conn
	br    *bufio.Reader
	name  string
	ext   map[string]string // upper case
	log   *dialogue         // of the try under way
	limit time.Duration     // for one answer, and for each piece of a body
	dot   time.Duration     // for the answer to the final dot
	used  int               // mails sent over it
	tls   bool
	stop  func() bool // ends the watch over the context
}

func newClient(ctx context.Context, conn net.Conn, name string, log *dialogue) *client {
	return &client{conn: conn, raw: conn, br: bufio.NewReaderSize(conn, maxAnswerLine), name: name, log: log,
		stop: context.AfterFunc(ctx, func() { conn.Close() })}
}

// close leaves politely when it can, and at once.
func (c *client) close(polite bool) {
	if polite {
		c.log = &dialogue{}
		c.limit = min(c.limit, 5*time.Second)
		c.cmd("quit", 2, "QUIT")
		c.conn.Close()
	}
	c.stop()
	c.raw.Close()
}

// greet reads the greeting and says EHLO, or HELO to an old server.
func (c *client) greet(hostname string) error {
	if _, err := c.read("connect", 2, c.limit); err != nil {
		return err
	}
	return c.hello(hostname)
}

func (c *client) hello(hostname string) error {
	c.ext = map[string]string{}
	_, lines, err := c.exchange("connect", 2, "EHLO "+hostname)
	var refused *answerError
	if errors.As(err, &refused) && (refused.code == 500 || refused.code == 502) {
		_, err = c.cmd("connect", 2, "HELO %s", hostname)
		return err
	}
	if err != nil {
		return err
	}
	for _, l := range lines[1:] {
		name, param, _ := strings.Cut(l, " ")
		c.ext[strings.ToUpper(name)] = param
	}
	return nil
}

// startTLS turns TLS on and greets again, since nothing that was said in the clear counts (RFC 3207 §4.2).
func (c *client) startTLS(config *tls.Config, hostname string) error {
	if _, err := c.cmd("starttls", 2, "STARTTLS"); err != nil {
		return err
	}
	if c.br.Buffered() > 0 { // somebody on the way put commands or answers in
		return &refusal{false, "starttls", "4.7.0", "the server went on in the clear after STARTTLS"}
	}
	t := tls.Client(c.raw, config)
	c.raw.SetDeadline(time.Now().Add(c.limit))
	if err := t.Handshake(); err != nil {
		c.log.add("*", "TLS: %v", err)
		return &refusal{false, "starttls", "4.7.5", "TLS could not be agreed on: " + err.Error()}
	}
	c.conn, c.br, c.tls = t, bufio.NewReaderSize(t, maxAnswerLine), true
	state := t.ConnectionState()
	c.log.add("*", "TLS %s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	return c.hello(hostname)
}

// cmd sends one line and reads the answer, whose first digit must be want.
func (c *client) cmd(phase string, want int, format string, args ...any) (answer, error) {
	a, _, err := c.exchange(phase, want, fmt.Sprintf(format, args...))
	return a, err
}

func (c *client) exchange(phase string, want int, line string) (answer, []string, error) {
	if strings.ContainsAny(line, "\r\n\x00") {
		return answer{}, nil, fmt.Errorf("%s: a command would break its line", phase)
	}
	c.log.add(">", "%s", line)
	c.raw.SetDeadline(time.Now().Add(c.limit))
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return answer{}, nil, c.broken(phase, err)
	}
	return c.readLines(phase, want)
}

func (c *client) read(phase string, want int, limit time.Duration) (answer, error) {
	c.raw.SetDeadline(time.Now().Add(limit))
	a, _, err := c.readLines(phase, want)
	return a, err
}

// A lineError is a connection that broke.
type lineError struct {
	phase string
	err   error
}

func (e *lineError) Error() string { return e.phase + ": " + e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

func (c *client) broken(phase string, err error) error {
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		err = errors.New("no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the line was cut")
	}
	c.log.add("*", "%v", err)
	return &lineError{phase, err}
}

func (c *client) readLines(phase string, want int) (answer, []string, error) {
	var a answer
	var lines []string
	for {
		code, more, text, err := c.readLine()
		if err == nil && (len(lines) == maxAnswerLines || a.code != 0 && code != a.code) {
			err = errAnswer
		}
		if err != nil {
			return a, nil, c.broken(phase, err)
		}
		c.log.add("<", "%d%s%s", code, map[bool]string{true: "-", false: " "}[more], text)
		a.code = code
		if code >= 400 || code/100 == 2 && phase != "connect" { // the lines of EHLO carry none
			if e, rest := cutEnhanced(text); e != "" {
				a.enhanced, text = e, rest
			}
		}
		lines = append(lines, text)
		if !more {
			break
		}
	}
	a.text = dsn.Printable(strings.Join(lines, " "), maxAnswerText)
	if a.code/100 != want {
		return a, lines, &answerError{a, phase}
	}
	return a, lines, nil
}

func (c *client) readLine() (code int, more bool, text string, err error) {
	raw, err := c.br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, false, "", errAnswer
	}
	if err != nil {
		return 0, false, "", err
	}
	line := strings.TrimRight(string(raw), "\r\n")
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false, "", errAnswer
	}
	if code, err = strconv.Atoi(line[:3]); err != nil || code < 200 {
		return 0, false, "", errAnswer
	}
	if len(line) > 4 {
		text = dsn.Printable(line[4:], maxAnswerLine)
	}
	return code, len(line) > 3 && line[3] == '-', text, nil
}

// cutEnhanced takes "5.1.1" off the front (RFC 2034 §4).
func cutEnhanced(text string) (enhanced, rest string) {
	first, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(first, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || strings.IndexByte("245", first[0]) < 0 {
		return "", text
	}
	for _, p := range parts[1:] {
		if n, err := strconv.Atoi(p); err != nil || n < 0 || n > 999 || len(p) > 3 {
			return "", text
		}
	}
	return first, rest
}

// A mail is what one transaction sends.
type mail struct {
	from, to     string
	envID        string
	notify       string
	ret          string
	original     string // ORCPT, decoded: "rfc822;a@b"
	size         int64
	utf8         bool                 // the header has letters that are not ASCII
	eightBit     func() (bool, error) // asked when the server takes no 8-bit lines
	open         func() (io.ReadCloser, error)
	beforeTheDot func() error // makes it durable that the dot leaves now
}

// errDotGone is the mark that the final dot may have left.
var errDotGone = errors.New("the line broke after the final dot")

// send runs one mail transaction. The error tells how far it came; an error that wraps errDotGone means "uncertain".
func (c *client) send(m *mail) (answer, error) {
	if err := c.fits(m); err != nil {
		return answer{}, err
	}
	if _, err := c.cmd("mail", 2, "MAIL FROM:<%s>%s", m.from, c.mailArgs(m)); err != nil {
		return answer{}, err
	}
	if _, err := c.cmd("rcpt", 2, "RCPT TO:<%s>%s", m.to, c.rcptArgs(m)); err != nil {
		return answer{}, err
	}
	if _, err := c.cmd("data", 3, "DATA"); err != nil {
		return answer{}, err
	}
	return c.body(m)
}

// fits refuses what this server said it cannot take.
func (c *client) fits(m *mail) error {
	refuse := func(enhanced, text string) error { return &refusal{true, "mail", enhanced, text} }
	if limit, _ := strconv.ParseInt(c.ext["SIZE"], 10, 64); limit > 0 && m.size > limit {
		return refuse("5.3.4", fmt.Sprintf("the message has %d bytes and the server takes %d", m.size, limit))
	}
	if _, ok := c.ext["SMTPUTF8"]; !ok && !(isASCII(m.from) && isASCII(m.to)) {
		return refuse("5.6.7", "the address is not ASCII and the server does not take such")
	}
	if _, ok := c.ext["8BITMIME"]; ok {
		return nil
	}
	eightBit, err := m.eightBit()
	if err == nil && eightBit {
		err = refuse("5.6.3", "the message has 8-bit lines and the server takes none")
	}
	return err
}

func (c *client) mailArgs(m *mail) string {
	var b strings.Builder
	if _, ok := c.ext["SIZE"]; ok {
		fmt.Fprintf(&b, " SIZE=%d", m.size)
	}
	if _, ok := c.ext["8BITMIME"]; ok {
		b.WriteString(" BODY=8BITMIME")
	}
	if _, ok := c.ext["SMTPUTF8"]; ok && (m.utf8 || !isASCII(m.from) || !isASCII(m.to)) {
		b.WriteString(" SMTPUTF8")
	}
	if _, ok := c.ext["DSN"]; ok {
		b.WriteString(" RET=" + m.ret)
		if m.envID != "" {
			b.WriteString(" ENVID=" + xtext(m.envID))
		}
	}
	return b.String()
}

func (c *client) rcptArgs(m *mail) string {
	if _, ok := c.ext["DSN"]; !ok {
		return ""
	}
	kind, address, ok := strings.Cut(m.original, ";")
	if !ok {
		kind, address = "rfc822", m.to
	}
	if strings.EqualFold(kind, "utf-8") || !isASCII(address) {
		return " NOTIFY=" + m.notify + " ORCPT=utf-8;" + dsn.EscapeAddress(address)
	}
	return " NOTIFY=" + m.notify + " ORCPT=" + kind + ";" + xtext(address)
}

// body sends the content, then makes the dot durable, then sends the dot.
func (c *client) body(m *mail) (answer, error) {
	r, err := m.open()
	if err != nil {
		return answer{}, err
	}
	defer r.Close()
	bw := bufio.NewWriterSize(deadlineWriter{c}, 32<<10)
	dots := textproto.NewWriter(bw).DotWriter() // also makes lone LF into CRLF
	in := &source{r: r}
	n, err := io.Copy(dots, in)
	if err == nil {
		err = bw.Flush()
	}
	c.log.add("*", "%d bytes of the message", n)
	if in.err != nil {
		return answer{}, in.err
	}
	if err != nil {
		return c.lastWords(err)
	}
	if err := m.beforeTheDot(); err != nil {
		return answer{}, err
	}
	c.log.add(">", ".")
	if err := dots.Close(); err != nil {
		return answer{}, fmt.Errorf("%w: %w", errDotGone, c.broken("dot", err))
	}
	a, err := c.read("dot", 2, c.dot)
	var said *answerError
	if err != nil && !errors.As(err, &said) {
		return a, fmt.Errorf("%w: %w", errDotGone, err)
	}
	return a, err
}

// lastWords asks why the line broke inside the body: a server that has enough may have said so.
func (c *client) lastWords(err error) (answer, error) {
	c.raw.SetReadDeadline(time.Now().Add(min(c.limit, 2*time.Second)))
	a, _, readErr := c.readLines("data", 2)
	var said *answerError
	if errors.As(readErr, &said) && said.code >= 400 {
		return a, said
	}
	return answer{}, c.broken("data", err)
}

// A source tells errors of our own file from those of the line.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = fmt.Errorf("read the stored message: %w", err)
	}
	return n, err
}

// deadlineWriter gives each piece of a body its own time.
type deadlineWriter struct{ c *client }

func (w deadlineWriter) Write(p []byte) (int, error) {
	w.c.raw.SetWriteDeadline(time.Now().Add(w.c.limit))
	return w.c.conn.Write(p)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// xtext writes a parameter (RFC 3461 §4).
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '+' && c != '=' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "+%02X", c)
		}
	}
	return b.String()
}
