package ldapd_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"congvan/mailcore/ldapd"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// tlv is one element.
func tlv(tag byte, content string) string {
	n := len(content)
	return string([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + content
}

func request(op string) string { return tlv(0x30, "\x02\x01\x01"+op) }

// searchFor is a search of everything with a filter.
func searchFor(filter string) string {
	return request(tlv(0x63, "\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00"+filter+"\x30\x00"))
}

// talk sends bytes in clear and returns all that comes back until the server ends the session.
func (h *house) talk(text string) string {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.plain)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	go conn.Write([]byte(text))
	out, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		h.t.Errorf("the session goes on after %.60q", text)
	}
	return string(out)
}

// What is no LDAP is answered by the notice of disconnection, before anything is built of it.
func TestMalformedRequestsEndTheSession(t *testing.T) {
	h := newHouse(t, one(t), func(o *ldapd.Options) { o.Anonymous, o.IOTimeout = true, 3*time.Second })
	deep := strings.Repeat("\xa2\x80", 100)
	nested := "\x87\x02cn"
	for range 60 {
		nested = tlv(0xa2, nested)
	}
	for _, c := range []struct{ name, text string }{
		{"text", "GET / HTTP/1.1\r\n\r\n"},
		{"huge length", "\x30\x84\x7f\xff\xff\xff"},
		{"longest length", "\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"indefinite", "\x30\x80\x02\x01\x01\x42\x00\x00\x00"},
		{"indefinite inside", request(deep)},
		{"empty", "\x30\x00"},
		{"no operation", tlv(0x30, "\x02\x01\x01")},
		{"other operation", request(tlv(0x7e, ""))},
		{"negative ID", tlv(0x30, "\x02\x01\xff\x42\x00")},
		{"long integer", tlv(0x30, "\x02\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01\x42\x00")},
		{"child too long", tlv(0x30, "\x02\x7f\x01")},
		{"long tag", request("\x7f\x81\x01\x00")},
		{"real", request(tlv(0x63, "\x09\x01\x40"))},
		{"deep filter", searchFor(nested)},
		{"wide filter", searchFor(tlv(0xa0, strings.Repeat("\x87\x02cn", 3000)))},
		{"bad filter", searchFor(tlv(0xbd, ""))},
		{"not of two", searchFor(tlv(0xa2, "\x87\x02cn\x87\x02cn"))},
		{"no substrings", searchFor(tlv(0xa4, "\x04\x02cn\x30\x00"))},
		{"substring order", searchFor(tlv(0xa4, "\x04\x02cn"+tlv(0x30, "\x82\x01a\x80\x01b")))},
		{"search of nothing", request(tlv(0x63, ""))},
		{"bind of nothing", request(tlv(0x60, ""))},
		{"extended", request(tlv(0x77, ""))},
		{"bad controls", tlv(0x30, "\x02\x01\x01\x42\x00"+tlv(0xa0, "\x04\x00"))},
		{"STARTTLS injection", request(tlv(0x77, tlv(0x80, "1.3.6.1.4.1.1466.20037"))) + searchFor("\x87\x02cn")},
	} {
		out := h.talk(c.text)
		p, err := ber.DecodePacketErr([]byte(out))
		if err != nil || len(p.Children) < 2 || p.Children[1].Tag != 24 || p.Children[1].Children[0].Value != int64(2) || !strings.Contains(out, "1.3.6.1.4.1.1466.20036") {
			t.Errorf("%s: %v\n%q", c.name, err, out)
		}
	}
	for _, c := range []struct{ name, text string }{{"half", request("\x42\x00")[:5]}, {"nothing but a length", "\x30\x84\x00"}} {
		if out := h.talk(c.text); out != "" { // the rest does not come in time
			t.Errorf("%s: %q", c.name, out)
		}
	}
	if out := h.talk(request("\x42\x00")); out != "" {
		t.Errorf("unbind: %q", out)
	}
	if out := h.talk(request("\x50\x01\x05") + searchFor("\x87\x02cn") + request("\x42\x00")); strings.Count(out, "mail=") != len(people) {
		t.Errorf("abandon, search, unbind: %q", out)
	}
}

// A client that asks without end and never reads is let go; others are answered meanwhile.
func TestSlowReaderIsLetGo(t *testing.T) {
	h := newHouse(t, one(t), func(o *ldapd.Options) {
		o.People, o.Anonymous, o.IOTimeout, o.MaxEntries = many(5000), true, time.Second, 5000
	})
	conn, err := net.Dial("tcp", h.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gone := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Write([]byte(searchFor("\x87\x04mail"))); err != nil {
				gone <- err
				return
			}
		}
	}()
	for range 5 {
		c := h.dial()
		if res, err := c.Search(ldap.NewSearchRequest(base, 2, 0, 10, 0, false, "(cn=*4999)", nil, nil)); err != nil || len(res.Entries) != 1 {
			t.Errorf("%v", err)
		}
	}
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("still there")
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	h := newHouse(t, one(t), func(o *ldapd.Options) { o.MaxPerAddress = 3 })
	for range 3 {
		h.bound()
	}
	if c, err := tls.Dial("tcp", h.secure, &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}); err == nil {
		c.Close()
		t.Error("a fourth connection from one address")
	}
}

// A handshake that never comes ends by itself.
func TestSilentClientIsLetGo(t *testing.T) {
	h := newHouse(t, one(t), func(o *ldapd.Options) { o.IOTimeout, o.IdleTimeout = 300*time.Millisecond, 300*time.Millisecond })
	for _, address := range []string{h.plain, h.secure} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(fmt.Sprint(err), "timeout") {
			t.Errorf("%d, %v", n, err)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	dir := ldapd.NewTestDirectory(b, many(20000))
	for _, filter := range []string{"(|(mail=*19999*)(cn=*19999*)(sn=*19999*)(givenName=*19999*))", "(&(mail=*)(|(mail=u1999*)(cn=u1999*)(sn=u1999*)))"} {
		p, err := ldap.CompileFilter(filter)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filter[:12], func(b *testing.B) {
			for b.Loop() {
				if dir(bytes.Clone(p.Bytes())) == 0 {
					b.Fatal("found nothing")
				}
			}
		})
	}
}
