package imapd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// script is a client whose bytes all arrive at once and that reads nothing.
type script struct {
	net.Conn // nil: nothing else may be called
	in       io.Reader
	out      bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) Close() error                     { return nil }

// library stands for go-imap's server: it takes lines, and takes or refuses each literal as decide says.
type library struct {
	front    *front
	in       *bufio.Reader
	decide   func() bool
	commands []string // first lines
	literals int64
}

func newLibrary(data []byte, decide func() bool) (*library, *script) {
	conn := &script{in: bytes.NewReader(data)}
	f := newFront(&listening{Server: New(Options{LoginTimeout: time.Hour, FailureDelay: 1})}, conn, netip.Addr{})
	f.expire.Stop()
	f.authed, f.cmd = true, ""
	return &library{front: f, in: bufio.NewReader(f), decide: decide}, conn
}

// run reads until the end. It fails when a line or a literal is larger than the library was promised.
func (l *library) run() error {
	inside := false
	for {
		line, err := l.in.ReadString('\n')
		if err != nil {
			return nil
		}
		if len(line) > maxLine+64 { // mendSearch may add a little
			return fmt.Errorf("a line of %d bytes", len(line))
		}
		if !inside {
			l.commands = append(l.commands, line)
		}
		inside = false
		h := parseHeader([]byte(line))
		switch {
		case h == nil && (l.front.cmd == "IDLE" || l.front.cmd == "AUTHENTICATE") && l.decide():
			fmt.Fprint(l.front, "+ idling\r\n")
			if _, err := l.in.ReadString('\n'); err != nil {
				return nil
			}
		case h == nil:
			fmt.Fprint(l.front, "x OK done\r\n")
		case h.nonSync:
			return fmt.Errorf("the library got %q", line)
		case l.decide():
			if h.size > maxLiteral && l.front.cmd != "APPEND" {
				return fmt.Errorf("%s got a literal of %d bytes", l.front.cmd, h.size)
			}
			fmt.Fprint(l.front, "+ Ready for literal data\r\n")
			n, err := io.CopyN(io.Discard, l.in, h.size)
			l.literals += n
			if err != nil {
				return nil
			}
			inside = true
		default:
			fmt.Fprint(l.front, "x NO refused\r\n")
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"a LOGIN x y\r\n", "a APPEND INBOX {3}\r\nabc\r\nb NOOP\r\n", "a APPEND INBOX {5+}\r\nabc\r\n\r\nb IDLE\r\nDONE\r\n",
		"a ID (\"x\" {3+}\r\nabc)\r\n", "a SEARCH SMALLER 5\r\n", "\r\n\r\n", "a LOGIN {5000}\r\n", "a APPEND {2+}\r\nIN {99999999999999999999}\r\n",
		"a AUTHENTICATE PLAIN\r\nAGEAYg==\r\n", "a x {9223372036854775807+}\r\n", "* BAD\r\n", "a \x00\r\n", "a UID SEARCH (NOT SMALLER 0) \"SMALLER 9\"\r\n"} {
		f.Add([]byte(s), uint64(0x5555))
	}
	f.Fuzz(func(t *testing.T, data []byte, bits uint64) {
		n := 0
		l, _ := newLibrary(data, func() bool { n++; return bits>>(n%64)&1 == 1 })
		if err := l.run(); err != nil {
			t.Error(err)
		}
		if l.literals > int64(len(data)) {
			t.Errorf("%d bytes of literals out of %d", l.literals, len(data))
		}
	})
}

// Whatever the library refuses, what a client sent in literals that it did not wait with is never taken for a command, and
// no command is lost over it.
func FuzzRefusedLiterals(f *testing.F) {
	f.Add(uint64(0), uint64(0x123456789), "APPEND INBOX")
	f.Add(^uint64(0), uint64(0xfedcba), "SEARCH BODY")
	f.Fuzz(func(t *testing.T, bits, shape uint64, verb string) {
		if strings.ContainsAny(verb, "\r\n\x00{}") || len(strings.Fields(verb)) == 0 || len(verb) > 100 {
			return
		}
		switch strings.ToUpper(strings.Fields(verb)[0]) {
		case "ID", "STARTTLS", "IDLE", "AUTHENTICATE": // not with literals, or answered by the reader itself
			return
		}
		var data bytes.Buffer
		commands := 1 + int(shape%7)
		for i := range commands {
			fmt.Fprintf(&data, "t%d %s", i, verb)
			literals := int(shape >> (8 + 2*i) & 3)
			if strings.HasPrefix(strings.ToUpper(verb), "APPEND") {
				literals = min(literals, 1) // more than one message ends the connection
			}
			for range literals {
				text := strings.Repeat("EVIL NOOP\r\n", int(shape>>40&31)) + "EVIL {3+}\r\n"
				fmt.Fprintf(&data, " {%d+}\r\n%s", len(text), text)
			}
			data.WriteString("\r\n")
		}
		n := 0
		l, conn := newLibrary(data.Bytes(), func() bool { n++; return bits>>(n%64)&1 == 1 })
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
		if len(l.commands) != commands && !strings.Contains(conn.out.String(), "BYE") {
			t.Errorf("%d commands sent, %q taken", commands, l.commands)
		}
		for _, c := range l.commands {
			if strings.HasPrefix(c, "EVIL") {
				t.Errorf("a literal was taken for the command %q", c)
			}
		}
	})
}

func TestSmallerIsMended(t *testing.T) {
	for in, want := range map[string]string{
		"a SEARCH SMALLER 100 SINCE 1-Jan-2020\r\n":   "a SEARCH NOT LARGER 99 SINCE 1-Jan-2020\r\n",
		"a UID SEARCH smaller 1\r\n":                  "a UID SEARCH NOT LARGER 0\r\n",
		"a SEARCH (SMALLER 5)\r\n":                    "a SEARCH (NOT LARGER 4)\r\n",
		"a SEARCH OR SMALLER 5 SMALLER 6\r\n":         "a SEARCH OR NOT LARGER 4 NOT LARGER 5\r\n",
		"a SEARCH SMALLER 0\r\n":                      "a SEARCH NOT ALL\r\n",
		"a SEARCH SUBJECT SMALLER 5\r\n":              "a SEARCH SUBJECT SMALLER 5\r\n",
		"a SEARCH SUBJECT \"x SMALLER 5\"\r\n":        "a SEARCH SUBJECT \"x SMALLER 5\"\r\n",
		"a SEARCH HEADER X SMALLER 5\r\n":             "a SEARCH HEADER X SMALLER 5\r\n",
		"a SEARCH SMALLER x\r\n":                      "a SEARCH SMALLER x\r\n",
		"a SEARCH RETURN (COUNT) SMALLER 9\r\n":       "a SEARCH RETURN (COUNT) NOT LARGER 8\r\n",
		"a SEARCH SUBJECT \"a \\\" b\" SMALLER 9\r\n": "a SEARCH SUBJECT \"a \\\" b\" NOT LARGER 8\r\n",
	} {
		if got := string(mendSearch([]byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestMatchName(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		want          bool
	}{
		{"INBOX", "*", true}, {"INBOX", "inbox", true}, {"INBOX", "%", true}, {"a/b", "%", false}, {"a/b", "*", true}, {"a/b", "a/%", true},
		{"a/b/c", "a/%", false}, {"a/b/c", "%/%/%", true}, {"Đã gửi", "Đã*", true}, {"Đã gửi", "%i", true}, {"a", "", false}, {"", "", true},
		{"abc", "a*c", true}, {"abc", "a%b", false}, {"aaa", "*a*a*a*", true}, {"aa", "*a*a*a*", false},
	} {
		if got := matchName(c.name, c.pattern); got != c.want {
			t.Errorf("%q and %q: %v", c.name, c.pattern, got)
		}
	}
	start := time.Now()
	matchName(strings.Repeat("a", 500), strings.Repeat("*a", 2000)+"b")
	if d := time.Since(start); d > time.Minute { // one that goes back would not end
		t.Errorf("a long pattern took %v", d)
	}
}
