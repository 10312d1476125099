package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// A network is the servers outside, as the simulation has them: a connection is a state machine that answers at once, so
// that nothing waits and one seed gives one run.
type network struct {
	w     *world
	got   map[string][]string // Message-IDs that a server took, by ENVID (the copy's token)
	tries map[string]map[string]bool
	quiet bool // no faults any more
}

// Faults of one connection, each as likely as its weight says.
var netFaults = []struct {
	name   string
	weight int
}{
	{"", 70}, {"no answer", 4}, {"421 greeting", 2}, {"451 mail", 2}, {"450 rcpt", 4}, {"550 rcpt", 2}, {"452 data", 2}, {"cut in body", 3},
	{"451 dot", 2}, {"554 dot", 1}, {"cut after dot, kept", 4}, {"cut after dot, lost", 2}, {"silent after dot, kept", 2},
}

func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	n.w.tick("dial")
	fault := ""
	if !n.quiet {
		fault = pickWeighted(n.w.random.Intn, netFaults)
	}
	n.w.count("net: " + fault)
	if fault == "no answer" {
		return nil, errors.New("connection refused")
	}
	c := &simConn{n: n, fault: fault}
	if fault == "421 greeting" {
		c.say("421 4.3.2 later")
	} else {
		c.say("220 " + address + " ESMTP")
	}
	return c, nil
}

// A simConn is one connection, seen from our side.
type simConn struct {
	n       *network
	fault   string
	in, out bytes.Buffer
	data    bool
	body    bytes.Buffer
	rcpt    string
	envid   string
	end     error // what Read says when nothing is left
}

func (c *simConn) say(line string) { c.out.WriteString(line + "\r\n") }

func (c *simConn) Read(b []byte) (int, error) {
	c.n.w.tick("read")
	if c.out.Len() == 0 {
		if c.end == nil {
			return 0, io.EOF
		}
		return 0, c.end
	}
	return c.out.Read(b)
}

func (c *simConn) Write(b []byte) (int, error) {
	c.n.w.tick("write")
	if c.end != nil {
		return 0, c.end
	}
	c.in.Write(b)
	for c.end == nil {
		line, err := c.in.ReadString('\n')
		if err != nil {
			rest := line
			c.in.Reset()
			c.in.WriteString(rest)
			break
		}
		c.line(line)
	}
	return len(b), nil
}

func (c *simConn) line(line string) {
	if c.data {
		c.bodyLine(line)
		return
	}
	verb, arg, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	switch verb {
	case "EHLO":
		c.out.WriteString("250-peer\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n")
	case "MAIL":
		_, id, _ := strings.Cut(arg, "ENVID=")
		c.envid, _, _ = strings.Cut(id, " ")
		c.answer("451 mail", "451 4.3.0 busy", "250 2.1.0 ok")
	case "RCPT":
		c.rcpt = arg
		if c.fault == "550 rcpt" {
			c.say("550 5.1.1 nobody here")
			return
		}
		c.answer("450 rcpt", "450 4.2.1 greylisted", "250 2.1.5 ok")
	case "DATA":
		if c.fault == "452 data" {
			c.say("452 4.3.1 full")
			return
		}
		c.data = true
		c.say("354 go on")
	case "RSET":
		c.say("250 2.0.0 ok")
	case "QUIT":
		c.say("221 2.0.0 bye")
		c.end = io.EOF
	default:
		c.say("500 5.5.2 what")
	}
}

func (c *simConn) answer(fault, bad, good string) {
	if c.fault == fault {
		c.say(bad)
		return
	}
	c.say(good)
}

func (c *simConn) bodyLine(line string) {
	if c.fault == "cut in body" && c.body.Len() > 2000 {
		c.end = io.EOF
		return
	}
	if line != ".\r\n" {
		c.body.WriteString(line)
		return
	}
	c.data = false
	id := messageID(c.body.String())
	c.body.Reset()
	if c.n.tries[c.envid] == nil {
		c.n.tries[c.envid] = map[string]bool{}
	}
	c.n.tries[c.envid][id] = true
	switch c.fault {
	case "451 dot":
		c.say("451 4.3.0 not now")
		return
	case "554 dot":
		c.say("554 5.7.1 no")
		return
	case "cut after dot, lost":
		c.end = io.EOF
		return
	}
	c.n.got[c.envid] = append(c.n.got[c.envid], id)
	c.n.w.outside(c.envid)
	switch c.fault {
	case "cut after dot, kept":
		c.end = io.EOF
	case "silent after dot, kept":
		c.end = os.ErrDeadlineExceeded
	default:
		c.say("250 2.0.0 taken")
	}
}

func messageID(mail string) string {
	for line := range strings.Lines(mail) {
		if strings.HasPrefix(strings.ToLower(line), "message-id:") {
			return strings.TrimSpace(line[11:])
		}
	}
	return ""
}

func (c *simConn) Close() error                     { return nil }
func (c *simConn) LocalAddr() net.Addr              { return simAddr("us") }
func (c *simConn) RemoteAddr() net.Addr             { return simAddr("peer") }
func (c *simConn) SetDeadline(time.Time) error      { return nil }
func (c *simConn) SetReadDeadline(time.Time) error  { return nil }
func (c *simConn) SetWriteDeadline(time.Time) error { return nil }

type simAddr string

func (simAddr) Network() string  { return "sim" }
func (a simAddr) String() string { return string(a) }

func pickWeighted(intn func(int) int, list []struct {
	name   string
	weight int
}) string {
	total := 0
	for _, f := range list {
		total += f.weight
	}
	n := intn(total)
	for _, f := range list {
		if n -= f.weight; n < 0 {
			return f.name
		}
	}
	return ""
}

// Mails that come from outside about a copy.
func dsnMail(action, rcpt string) string {
	return fmt.Sprintf("From: mailer-daemon@peer.test\nMime-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nok\n--b\n"+
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; peer.test\n\nFinal-Recipient: rfc822; %s\nAction: %s\nStatus: 2.0.0\n\n--b--\n", rcpt, action)
}

func mdnMail(from string) string {
	return fmt.Sprintf("From: %s\nMime-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nđã xem\n--b\n"+
		"Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; %s\nDisposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n", from, from)
}

func replyMail(from, to, line string) string {
	return fmt.Sprintf("From: %s\nTo: %s\nSubject: Re\nContent-Type: text/plain; charset=utf-8\n\n%s\n", from, to, line)
}
