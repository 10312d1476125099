package smtpd

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// pieces is a connection that gives what was sent in pieces of any size.
type pieces struct {
	net.Conn
	rest string
	rng  *rand.Rand
}

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

func (p *pieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1+p.rng.IntN(7))], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func wireOf(sent string, seed uint64) *wire {
	return &wire{Conn: &pieces{rest: sent, rng: rand.New(rand.NewPCG(seed, 0))}, list: &listener{srv: New(Options{})}, until: time.Now().Add(time.Hour)}
}

// plainly reads a body one byte after the other: content, what is behind it, and whether it came to its end.
func plainly(sent string) (content, behind string, whole bool) {
	var out strings.Builder
	for i, start := 0, true; i < len(sent); i++ {
		if start && strings.HasPrefix(sent[i:], ".\r\n") {
			return out.String(), sent[i+3:], true
		}
		if dot := start && sent[i] == '.'; !dot {
			out.WriteByte(sent[i])
		}
		s := out.String()
		start = sent[i] == '\n' && strings.HasSuffix(s, "\r\n") && !strings.HasSuffix(s, "\r\r\n")
	}
	return out.String(), "", false
}

func FuzzDots(f *testing.F) {
	for _, s := range []string{".\r\n", "a\r\n.\r\n", "..a\r\n..\r\n.\r\nQUIT\r\n", "a\r\r\n.\r\nb\r\n.\r\n", "a\n.\n.\r\n\r\n.\r\nDATA\r\n.\r\n", ".\r.\r\n.\r\n.x", "\r\n.\r", "a\r\n.\r\r\n.\r\n"} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, sent string, seed uint64) {
		w := wireOf(sent, seed)
		w.body = true
		d := newDotReader(w, 1<<20)
		got, err := io.ReadAll(d)
		content, behind, whole := plainly(sent)
		if !whole {
			if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(content, string(got)) {
				t.Errorf("%q breaks off: %q, %v", sent, got, err)
			}
			return
		}
		if err != nil || string(got) != content {
			t.Errorf("%q: content %q, %v; want %q", sent, got, err, content)
		}
		d.close()
		w.body, w.tail = false, true
		var lines []string
		for b := make([]byte, 100); ; {
			n, err := w.Read(b)
			if err != nil {
				break
			}
			if lines = append(lines, string(b[:n])); strings.Count(lines[len(lines)-1], "\n") > 1 {
				t.Errorf("%q: %q came at once", sent, b[:n])
			}
		}
		if rest := strings.Join(lines, ""); rest != ".\r\n"+behind || lines[0] != ".\r\n" {
			t.Errorf("%q: behind it %q, want %q", sent, rest, behind)
		}
	})
}

// A refused body is skipped to its end, and the commands behind it are the next to be read.
func TestRestOfARefusedBodyIsSkipped(t *testing.T) {
	long := strings.Repeat("a line of the body\r\n..\r\n", 5000)
	w := wireOf(long+".\r\nNOOP\r\n", 7)
	w.body = true
	d := newDotReader(w, 40_000)
	got, err := io.ReadAll(d)
	if err != error(errTooLarge) || len(got) > 40_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	w.body, w.tail = false, true
	d.close()
	rest, _ := io.ReadAll(w)
	if string(rest) != ".\r\nNOOP\r\n" {
		t.Errorf("then %.60q", rest)
	}
}
