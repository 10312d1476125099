package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
)

// zone is a DNS of a few names.
type zone struct {
	mx    map[string][]*net.MX
	hosts map[string][]string
	down  map[string]bool
}

func (z zone) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if z.down[name] {
		return nil, &net.DNSError{Name: name, IsTimeout: true}
	}
	if r := z.mx[name]; r != nil {
		return r, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z zone) LookupHost(_ context.Context, name string) ([]string, error) {
	if z.down[name] {
		return nil, &net.DNSError{Name: name, IsTimeout: true}
	}
	if r := z.hosts[name]; r != nil {
		return r, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func TestEndpoints(t *testing.T) {
	z := zone{
		mx: map[string][]*net.MX{
			"two.test": {{Host: "b.two.test.", Pref: 20}, {Host: "a.two.test.", Pref: 10}}, "null.test": {{Host: ".", Pref: 0}},
			"loop.test":  {{Host: "mail.kontum.test.", Pref: 10}, {Host: "a.two.test.", Pref: 20}},
			"back.test":  {{Host: "a.two.test.", Pref: 5}, {Host: "MAIL.kontum.test.", Pref: 10}, {Host: "b.two.test.", Pref: 20}},
			"inner.test": {{Host: "inner.test.", Pref: 10}}, "half.test": {{Host: "gone.test.", Pref: 1}, {Host: "b.two.test.", Pref: 2}},
			"dead.test": {{Host: "gone.test.", Pref: 1}}, "slow.test": {{Host: "down.test.", Pref: 1}},
		},
		hosts: map[string][]string{"a.two.test": {"192.0.2.1", "2001:db8::1"}, "b.two.test": {"192.0.2.2"}, "plain.test": {"192.0.2.3"}, "inner.test": {"127.0.0.1", "0.0.0.0"}},
		down:  map[string]bool{"down.test": true},
	}
	q := &Queue{opt: Options{Domain: "kontum.test", Hostname: "mail.kontum.test", Resolver: z, Routes: map[string]string{"via.test": "127.0.0.1:2525"}}}
	for _, c := range []struct {
		rcpt mailcore.Address
		want string
	}{
		{"x@two.test", "192.0.2.1:25 [2001:db8::1]:25 192.0.2.2:25"},
		{"x@plain.test", "192.0.2.3:25"},
		{"x@via.test", "127.0.0.1:2525"},
		{"x@null.test", "never 5.1.10"},
		{"x@loop.test", "never 5.4.6"},
		{"x@back.test", "192.0.2.1:25 [2001:db8::1]:25"},
		{"x@inner.test", "never 5.4.4"},
		{"x@half.test", "192.0.2.2:25"},
		{"x@dead.test", "never 5.1.2"},
		{"x@nowhere.test", "never 5.1.2"},
		{"x@down.test", "later 4.4.3"},
		{"x@slow.test", "later 4.4.3"},
		{"x@kontum.test", "never 5.4.6"},
		{"x@[192.0.2.1]", "never 5.1.2"},
		{"x@[ipv6:::1]", "never 5.1.2"},
	} {
		found, err := q.endpoints(context.Background(), q.destination(c.rcpt))
		var got []string
		for _, e := range found {
			got = append(got, e.addr)
		}
		var r *refusal
		if errors.As(err, &r) {
			got = []string{map[bool]string{true: "never", false: "later"}[r.permanent], r.enhanced}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s (%v), want %s", c.rcpt, s, err, c.want)
		}
	}
}

func TestDestinationsOfDifferentProtectionAreApart(t *testing.T) {
	q := &Queue{opt: Options{SmartHost: "127.0.0.1:25", TLSModes: map[string]TLSMode{"mat.test": Required}}}
	if q.destination("x@mat.test") == q.destination("x@thuong.test") {
		t.Error("one lane for both")
	}
}

func TestDialerStaysOnLoopback(t *testing.T) {
	q := &Queue{opt: Options{LoopbackOnly: true, ConnectTimeout: time.Second}}
	if _, err := q.dialer().Dial("tcp", "192.0.2.1:25"); err == nil || !strings.Contains(err.Error(), "demonstration") {
		t.Errorf("dial: %v", err)
	}
}

// said is a connection whose other side says what it says, whatever it is told.
type said struct{ r io.Reader }

func (s *said) Read(p []byte) (int, error)       { return s.r.Read(p) }
func (s *said) Write(p []byte) (int, error)      { return len(p), nil }
func (s *said) Close() error                     { return nil }
func (s *said) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *said) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *said) SetDeadline(time.Time) error      { return nil }
func (s *said) SetReadDeadline(time.Time) error  { return nil }
func (s *said) SetWriteDeadline(time.Time) error { return nil }

func converse(text string) (answer, error, bool) {
	c := newClient(context.Background(), &said{strings.NewReader(text)}, "x", &dialogue{})
	defer c.close(true)
	if err := c.greet("mail.kontum.test"); err != nil {
		return answer{}, err, false
	}
	dotted := false
	a, err := c.send(&mail{from: "a@b.test", to: "c@d.test", envID: "e", notify: "NEVER",
		eightBit:     func() (bool, error) { return false, nil },
		open:         func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil },
		beforeTheDot: func() error { dotted = true; return nil }})
	return a, err, dotted
}

func FuzzAnswers(f *testing.F) {
	f.Add("220 x\r\n250-x\r\n250-SIZE 1000\r\n250 DSN\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 ok\r\n221 bye\r\n")
	f.Add("220 x\r\n500 what\r\n250 x\r\n550-5.1.1 a\r\n550 5.1.1 b\r\n")
	f.Add("220-x\n220 y\n250 \n250\n250\n354\n451 4.2.2.2\n")
	f.Add("554 " + strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		a, err, dotted := converse(text)
		o := outcome("x", a, err)
		if o.State == mailcore.AttemptSent && !(dotted && a.code/100 == 2) || o.State == mailcore.AttemptUncertain && !dotted {
			t.Errorf("%+v, dot %v, %v", o, dotted, err)
		}
		if strings.ContainsAny(a.text+o.Enhanced, "\r\n\x00") {
			t.Errorf("control characters: %+v", a)
		}
	})
}

// What somebody on the way says behind the answer to STARTTLS is not heard (RFC 3207 §4.2, CVE-2011-0411).
func TestAnswersInjectedBeforeTLS(t *testing.T) {
	c := newClient(context.Background(), &said{strings.NewReader("220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n250-evil\r\n250 SIZE 1\r\n")}, "x", &dialogue{})
	defer c.close(false)
	if err := c.greet("mail.kontum.test"); err != nil {
		t.Fatal(err)
	}
	err := c.startTLS(&tls.Config{InsecureSkipVerify: true}, "mail.kontum.test")
	var r *refusal
	if !errors.As(err, &r) || r.enhanced != "4.7.0" || r.permanent {
		t.Errorf("%v", err)
	}
}

func TestCutEnhanced(t *testing.T) {
	for in, want := range map[string]string{"5.1.1 no": "5.1.1|no", "2.0.0": "2.0.0|", "no": "|no", "3.1.1 x": "|3.1.1 x", "5.1 x": "|5.1 x", "5.1.1234 x": "|5.1.1234 x", "192.168.1.1 x": "|192.168.1.1 x"} {
		e, rest := cutEnhanced(in)
		if e+"|"+rest != want {
			t.Errorf("%q: %q %q", in, e, rest)
		}
	}
}

func TestDialogueIsBounded(t *testing.T) {
	var d dialogue
	for range 10000 {
		d.add("<", "%s", strings.Repeat("x", 2000))
	}
	if n := d.b.Len(); n > maxDialogue+1000 {
		t.Errorf("%d bytes", n)
	}
}
