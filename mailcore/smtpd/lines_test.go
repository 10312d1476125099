package smtpd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-smtp"
)

func fixed(s string, slow bool) (string, error) {
	var r io.Reader = strings.NewReader(s)
	if slow {
		r = iotest.OneByteReader(r)
	}
	b, err := io.ReadAll(&lineFix{r: r})
	return string(b), err
}

func TestLineFix(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a\r\n", "a\n": "a\r\n", "a\r\n": "a\r\n", "a\rb": "a\r\nb\r\n", "a\r": "a\r\n", "\n\n": "\r\n\r\n", "a\r\r\nb\n\rc": "a\r\n\r\nb\r\n\r\nc\r\n",
	} {
		for _, slow := range []bool{false, true} {
			if got, err := fixed(in, slow); got != want || err != nil {
				t.Errorf("%q: %q, %v; want %q", in, got, err, want)
			}
		}
	}
	if _, err := fixed("a\x00b", false); !errors.Is(err, errNul) {
		t.Errorf("NUL: %v", err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("From: a\r\n\r\nx\r\n.\r\n")
	f.Add("a\n.\r\nb\r.\n\x00")
	f.Add(strings.Repeat("x", 40<<10) + "\r")
	f.Fuzz(func(t *testing.T, in string) {
		out, err := fixed(in, false)
		if strings.Contains(in, "\x00") {
			if !errors.Is(err, errNul) {
				t.Fatalf("NUL: %v", err)
			}
			return
		}
		if slow, _ := fixed(in, true); slow != out {
			t.Errorf("in small pieces: %q, at once: %q", slow, out)
		}
		if again, _ := fixed(out, false); again != out {
			t.Errorf("fixed twice: %q, once: %q", again, out)
		}
		checked, err := io.ReadAll(&lineCheck{r: strings.NewReader(out)})
		if err != nil || string(checked) != out {
			t.Errorf("what was fixed is refused: %v", err)
		}
		_, err = io.ReadAll(&lineCheck{r: iotest.HalfReader(strings.NewReader(in))})
		canonical := in == out || in+"\r\n" == out // the last line may lack its end
		if (err == nil) != canonical {
			t.Errorf("%q: %v, canonical %v", in, err, canonical)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("From: a@b.test\r\nReceived: x\r\n y\r\nSubject: z\r\n\r\nFrom: c@d.test\r\n")
	f.Add("From: =?x?q?a?= <a@b.test>,\r\n (c) \"d\" <a@b.test>\r\nSender : <a@b.test>\r\n\r\n")
	f.Add("From:\r\n")
	f.Add(strings.Repeat("Received: x\r\n", 60))
	f.Fuzz(func(t *testing.T, in string) {
		br := bufio.NewReader(strings.NewReader(in))
		h, err := readHeader(br)
		if err != nil {
			t.Fatalf("%v", err)
		}
		rest, _ := io.ReadAll(br)
		if string(h.raw)+string(rest) != in {
			t.Errorf("bytes were lost or made: %q + %q", h.raw, rest)
		}
		if i := strings.Index(in, "\r\n\r\n"); i >= 0 && len(h.raw) > i+4 {
			t.Errorf("the header goes on behind the empty line: %q", h.raw)
		}
		if h.speaksAs("a@b.test", []mailcore.Address{"a@b.test"}) == nil && h.speaksAs("c@d.test", []mailcore.Address{"c@d.test"}) == nil {
			t.Error("it speaks as two")
		}
		h.complete(time.Now(), "x")
		if !bytes.HasSuffix(h.raw, []byte(in[:len(in)-len(rest)])) {
			t.Error("the client's header was changed")
		}
	})
}

func TestClaimedName(t *testing.T) {
	for in, want := range map[string]string{"mx.bo.test": "mx.bo.test", "[192.0.2.1]": "[192.0.2.1]", "[IPv6:2001:db8::1]": "[IPv6:2001:db8::1]",
		"": "unknown", "a\rb": "unknown", "a(b": "unknown", "văn": "unknown", strings.Repeat("a", 300): "unknown"} {
		if got := claimedName(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestOnlyKnownAnswersLeave(t *testing.T) {
	for _, err := range []error{errors.New("pq: password authentication failed"), fmt.Errorf("deliver: %w", io.ErrUnexpectedEOF)} {
		if got := failure(err); got != error(errNotNow) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	wrapped := fmt.Errorf("store blob: %w", errNul)
	var said *smtp.SMTPError
	if got := failure(wrapped); !errors.As(got, &said) || said != errNul {
		t.Errorf("%v", got)
	}
}
