package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Drop and Hang stand in a PeerScript where an answer would: close the line, or stay silent until the other side gives up.
const (
	Drop = "drop"
	Hang = "hang"
)

// A PeerScript says how a Peer answers. Every field is a whole reply ("451 4.3.0 later", lines of a longer one separated by
// "\n"), Drop or Hang; empty means the usual friendly answer.
type PeerScript struct {
	Greeting, Ehlo, StartTLS, Mail, Rcpt, Data string
	Body                                       string            // what happens after the first line of the body: only Drop and Hang have a meaning
	Dot                                        string            // the answer to the final dot; Drop dies there, the mail being kept or not is anybody's guess
	RcptFor                                    map[string]string // by address, before Rcpt
	Without                                    []string          // extensions that are not offered: "SIZE", "8BITMIME", "SMTPUTF8", "DSN", …
	TLS                                        *tls.Config       // nil: STARTTLS is not offered
	Slow                                       time.Duration     // before every answer
	AtDot                                      func(PeerMail)    // called when the final dot has arrived, before the answer
}

// A PeerMail is one mail whose final dot reached the peer.
type PeerMail struct {
	Helo, From string
	MailArgs   string   // what followed the address: "SIZE=12 RET=HDRS ENVID=x"
	Rcpts      []string // accepted ones
	RcptArgs   []string // beside each
	Data       string   // without the dots that SMTP adds
	TLS        bool
	Reply      string // the answer to the dot, "" when the line was dropped
}

// A Peer is a small SMTP server on loopback that answers as its script says and keeps what it got. It is nobody's example
// of a good server: it says what the test tells it, at the moment the test tells it.
type Peer struct {
	Addr string // host:port

	mu      sync.Mutex
	script  func(conn int) PeerScript
	conns   map[net.Conn]struct{}
	count   int
	open    int
	most    int
	mails   []PeerMail
	lines   []string
	changed chan struct{}
	ended   sync.WaitGroup
	ln      net.Listener
	closed  bool
}

// NewPeer starts a peer; it stops when the test ends.
func NewPeer(t testing.TB, script PeerScript) *Peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{Addr: ln.Addr().String(), ln: ln, conns: map[net.Conn]struct{}{}, changed: make(chan struct{})}
	p.SetScript(script)
	p.ended.Add(1)
	go p.serve()
	t.Cleanup(p.Close)
	return p
}

// SetScript changes the answers for connections that begin from now on.
func (p *Peer) SetScript(s PeerScript) { p.SetScripts(func(int) PeerScript { return s }) }

// SetScripts chooses the script by the number of the connection, from 1.
func (p *Peer) SetScripts(script func(conn int) PeerScript) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = script
}

// Close stops the peer and cuts its connections.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	p.ln.Close()
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.ended.Wait()
}

// Mails returns what reached its final dot so far.
func (p *Peer) Mails() []PeerMail {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails)
}

// Lines returns every command line the peer got, without bodies.
func (p *Peer) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// Connections returns how many there were and the most at one time.
func (p *Peer) Connections() (total, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.most
}

// WaitMails waits until n mails have reached their final dot and been answered.
func (p *Peer) WaitMails(t testing.TB, n int) []PeerMail {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		p.mu.Lock()
		got, changed := slices.Clone(p.mails), p.changed
		p.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("the peer got %d mails, want %d; lines: %q", len(got), n, p.Lines())
		}
	}
}

func (p *Peer) serve() {
	defer p.ended.Done()
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.count++
		p.open++
		p.most = max(p.most, p.open)
		script := p.script(p.count)
		if p.closed {
			c.Close()
		}
		p.conns[c] = struct{}{}
		p.ended.Add(1)
		p.mu.Unlock()
		go func() {
			defer p.ended.Done()
			(&peerConn{peer: p, script: script, conn: c, raw: c, r: bufio.NewReader(c)}).run()
			c.Close()
			p.mu.Lock()
			p.open--
			delete(p.conns, c)
			p.mu.Unlock()
		}()
	}
}

func (p *Peer) record(m PeerMail) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, m)
	close(p.changed)
	p.changed = make(chan struct{})
}

var errPeerDone = errors.New("the script ends here")

type peerConn struct {
	peer      *Peer
	script    PeerScript
	conn, raw net.Conn
	r         *bufio.Reader
	mail      PeerMail
	tls       bool
}

func (c *peerConn) run() {
	if c.answer(c.script.Greeting, "220 peer.test ESMTP") != nil {
		return
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		c.peer.mu.Lock()
		c.peer.lines = append(c.peer.lines, line)
		c.peer.mu.Unlock()
		if err := c.command(line); err != nil {
			return
		}
	}
}

// answer sends the scripted reply, else the usual one.
func (c *peerConn) answer(scripted, usual string) error {
	time.Sleep(c.script.Slow)
	switch scripted {
	case Drop:
		return errPeerDone
	case Hang:
		for {
			if _, err := c.r.ReadByte(); err != nil {
				return errPeerDone
			}
		}
	case "":
		scripted = usual
	}
	lines := strings.Split(scripted, "\n")
	for i, l := range lines {
		if i < len(lines)-1 && len(l) > 3 {
			l = l[:3] + "-" + l[4:]
		}
		if _, err := c.conn.Write([]byte(l + "\r\n")); err != nil {
			return err
		}
	}
	if strings.HasPrefix(scripted, "421") {
		return errPeerDone
	}
	return nil
}

func (c *peerConn) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO":
		c.mail = PeerMail{Helo: arg}
		return c.answer(c.script.Ehlo, c.hello(strings.ToUpper(verb) == "EHLO"))
	case "STARTTLS":
		return c.startTLS()
	case "MAIL":
		from, args := cutPath(arg)
		if err := c.answer(c.script.Mail, "250 2.1.0 ok"); err != nil || !friendly(c.script.Mail) {
			return err
		}
		c.mail = PeerMail{Helo: c.mail.Helo, From: from, MailArgs: args, TLS: c.tls}
	case "RCPT":
		rcpt, args := cutPath(arg)
		reply, ok := c.script.RcptFor[rcpt]
		if !ok {
			reply = c.script.Rcpt
		}
		if err := c.answer(reply, "250 2.1.5 ok"); err != nil || !friendly(reply) {
			return err
		}
		c.mail.Rcpts, c.mail.RcptArgs = append(c.mail.Rcpts, rcpt), append(c.mail.RcptArgs, args)
	case "DATA":
		return c.data()
	case "RSET", "NOOP":
		return c.answer("", "250 2.0.0 ok")
	case "QUIT":
		c.answer("", "221 2.0.0 bye")
		return errPeerDone
	default:
		return c.answer("", "500 5.5.2 what?")
	}
	return nil
}

func friendly(reply string) bool { return reply == "" || reply[0] == '2' || reply[0] == '3' }

// cutPath splits "FROM:<a@b> SIZE=1" into its address and its parameters.
func cutPath(arg string) (path, args string) {
	_, rest, _ := strings.Cut(arg, "<")
	path, args, _ = strings.Cut(rest, ">")
	return path, strings.TrimSpace(args)
}

func (c *peerConn) hello(extended bool) string {
	lines := []string{"250 peer.test"}
	exts := []string{"PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"}
	if c.script.TLS != nil && !c.tls {
		exts = append(exts, "STARTTLS")
	}
	for _, e := range exts {
		name, _, _ := strings.Cut(e, " ")
		if extended && !slices.Contains(c.script.Without, name) {
			lines = append(lines, "250 "+e)
		}
	}
	return strings.Join(lines, "\n")
}

func (c *peerConn) startTLS() error {
	if c.script.TLS == nil {
		return c.answer(c.script.StartTLS, "502 5.5.1 no")
	}
	if err := c.answer(c.script.StartTLS, "220 2.0.0 go on"); err != nil || !friendly(c.script.StartTLS) {
		return err
	}
	t := tls.Server(c.raw, c.script.TLS)
	if err := t.Handshake(); err != nil {
		return err
	}
	c.conn, c.r, c.tls = t, bufio.NewReader(t), true
	return nil
}

func (c *peerConn) data() error {
	if len(c.mail.Rcpts) == 0 {
		return c.answer("", "503 5.5.1 nobody to give it to")
	}
	if err := c.answer(c.script.Data, "354 go on"); err != nil || !friendly(c.script.Data) {
		return err
	}
	var body strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if line == ".\r\n" {
			break
		}
		body.WriteString(strings.TrimPrefix(line, "."))
		if c.script.Body != "" {
			return c.answer(c.script.Body, "")
		}
	}
	m := c.mail
	m.Data = body.String()
	c.mail = PeerMail{Helo: m.Helo}
	if c.script.AtDot != nil {
		c.script.AtDot(m)
	}
	err := c.answer(c.script.Dot, "250 2.0.0 taken")
	if m.Reply = c.script.Dot; m.Reply == "" {
		m.Reply = "250 2.0.0 taken"
	} else if m.Reply == Drop || m.Reply == Hang {
		m.Reply = ""
	}
	c.peer.record(m)
	return err
}

// ServerTLS makes a certificate for the names (always also for 127.0.0.1, ::1 and localhost) and returns the server's
// configuration and the roots that trust it.
func ServerTLS(t testing.TB, names ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: append(names, "localhost"), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}}}, pool
}
