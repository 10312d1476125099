package imapd_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/imapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

func TestEndlessLineEndsTheConnection(t *testing.T) {
	h := newHouse(t, sqlite(t))
	for _, p := range []*peer{h.session()} {
		go io.Copy(p, io.LimitReader(endless{}, 10<<20))
		rest, _ := io.ReadAll(p.in)
		if !strings.HasPrefix(string(rest), "* BYE [TOOBIG] Command line too long") {
			t.Errorf("got %.100q", rest)
		}
	}
	c := mustDial(t, h.plain)
	c.SetDeadline(time.Now().Add(deadline))
	go io.Copy(c, io.LimitReader(endless{}, 10<<20))
	rest, _ := io.ReadAll(c)
	if len(rest) > 1000 {
		t.Errorf("a client without TLS got %d bytes", len(rest))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// A message that breaks off is not there, and the mailbox is as before.
func TestHalfAMessageIsNotAppended(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		p := h.session()
		fmt.Fprint(p, "a APPEND INBOX {1000}\r\n")
		p.until(t, `\+ .*`)
		fmt.Fprint(p, "Subject: half\r\n\r\n")
		p.Close()
		h.stop()
		if s := h.status(mailcore.Inbox); s.Messages != 0 || s.UIDNext != 1 {
			t.Errorf("%d messages, next UID %d", s.Messages, s.UIDNext)
		}
	})
}

// A client that reads nothing of what it asked for does not hold up another one, nor a delivery to the same mailbox.
func TestSlowReaderDelaysNobody(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		h.deliver(mailcore.Inbox, append(letter("Lớn", 0), bytes.Repeat([]byte("z\r\n"), 8<<20/3)...), "", "")
		var slow []*peer
		for range 3 {
			p := h.session()
			p.command(t, "SELECT INBOX")
			fmt.Fprint(p, "s FETCH 1 BODY.PEEK[]\r\n")
			p.until(t, `\* 1 FETCH .*`)
			slow = append(slow, p)
		}
		start := time.Now()
		h.deliver(mailcore.Inbox, letter("Nhỏ", 1), "", "")
		p := h.session()
		p.command(t, "SELECT INBOX")
		p.command(t, `STORE 1 +FLAGS (\Deleted)`)
		p.command(t, "EXPUNGE")
		if d := time.Since(start); d > deadline {
			t.Errorf("the other client took %v", d)
		}
		for _, p := range slow { // what was begun is delivered to the end, though the message is expunged
			rest := p.until(t, "s (OK|NO) .*")
			if len(rest) < 8<<20 {
				t.Errorf("%d bytes came", len(rest))
			}
			p.Close()
		}
	})
}

// A thousand commands in one write are answered in order.
func TestPipelinedCommandsAreAnsweredInOrder(t *testing.T) {
	h := newHouse(t, sqlite(t))
	p := h.session()
	p.command(t, "SELECT INBOX")
	var all bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&all, "c%d NOOP\r\nd%d APPEND INBOX (bad {3+}\r\nabc\r\n", i, i)
	}
	go p.Write(all.Bytes())
	for i := range 1000 {
		p.until(t, fmt.Sprintf("c%d OK .*", i))
		p.until(t, fmt.Sprintf("d%d BAD .*", i))
	}
}

func TestMessageOverTheLimitIsRefusedBeforeItIsSent(t *testing.T) {
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.MaxMessage = 5000 })
	p := h.session()
	fmt.Fprint(p, "a APPEND INBOX {5001}\r\n")
	if before := p.until(t, `a NO \[TOOBIG\] .*`); before != "" {
		t.Errorf("was told %q", before)
	}
	fmt.Fprintf(p, "b APPEND INBOX {5000}\r\n")
	p.until(t, `\+ .*`)
	p.Write(bytes.Repeat([]byte("a"), 5000))
	fmt.Fprint(p, "\r\n")
	p.until(t, "b OK .*")
	if caps := p.command(t, "CAPABILITY"); !strings.Contains(caps, "APPENDLIMIT=5000") {
		t.Errorf("capabilities %q", caps)
	}
}

// An account has so many connections and no more; another account at the same address is not kept out, and who hangs up makes room.
func TestConnectionsOfOneAccountAreBounded(t *testing.T) {
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.MaxPerAccount = 2 })
	h.newAccount("stc@kontum.test", mailcore.Unit, false)
	first := h.session()
	h.session()
	p := &peer{Conn: h.dialTLS()}
	p.in = bufio.NewReader(p)
	p.SetDeadline(time.Now().Add(deadline))
	p.until(t, `\* OK .*`)
	fmt.Fprintf(p, "a LOGIN %s %q\r\n", unitAddress, password)
	p.until(t, `a NO \[LIMIT\] .*`)
	p.until(t, `\* BYE .*`)
	h.sessionOf("stc@kontum.test")
	first.Close()
	waitFor(t, "room for another connection", func() bool {
		p := &peer{Conn: h.dialTLS()}
		p.in = bufio.NewReader(p)
		p.SetDeadline(time.Now().Add(deadline))
		fmt.Fprintf(p, "a LOGIN %s %q\r\n", unitAddress, password)
		line := ""
		for err := error(nil); err == nil && !strings.HasPrefix(line, "a "); {
			line, err = p.in.ReadString('\n')
		}
		return strings.HasPrefix(line, "a OK")
	})
}
