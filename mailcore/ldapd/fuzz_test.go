package ldapd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// FuzzRequest reads anything as a request and searches by what it says: an error or a bounded answer, never a panic.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{"(|(cn=*ubnd*)(mail=*ubnd*)(!(sn=a)))", "(&(cn>=a)(cn<=z)(o~=x)(title=*))", "(cn:dn:2.5.4.3:=x)", `(mail=a*b*\2a*c)`} {
		filter, err := ldap.CompileFilter(text)
		if err != nil {
			f.Fatal(err)
		}
		head := []byte("\x04\x12dc=kontum,dc=test \x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00")
		body := append(append(head, filter.Bytes()...), 0x30, 4, 4, 2, 'c', 'n')
		f.Add(append([]byte{0x30, byte(5 + len(body)), 2, 1, 1, 0x63, byte(len(body))}, body...))
	}
	f.Add([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"))
	dir := newSnapshot("dc=kontum,dc=test", []Person{{Address: "a.b@kontum.test", Name: "Nguyễn Văn A", Officer: true, Title: "x"}})
	s := New(Options{Domain: "kontum.test"})
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := readMessage(bufio.NewReader(bytes.NewReader(data)), func() {})
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return
		}
		m, err := decode(raw)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatal(err)
			}
			return
		}
		if m.op.Tag != opSearch {
			return
		}
		q, bad, err := parseSearch(m)
		if err != nil || bad {
			return
		}
		entries, _, _ := s.under(q, dir)
		for i := range entries {
			if v := q.filter.match(&entries[i]); v < no || v > yes {
				t.Fatalf("a filter says %d", v)
			}
			q.wants(&entries[i], "cn")
		}
	})
}

// FuzzName reads anything as a name; what can be read is read the same when it is written again.
func FuzzName(f *testing.F) {
	f.Add("mail=a@b,dc=x,dc=y")
	f.Add(`cn="a,b" ; dc=\C3\A9`)
	f.Fuzz(func(t *testing.T, s string) {
		steps, ok := parseDN(s)
		if !ok {
			return
		}
		for _, step := range steps {
			again, ok := parseDN(step.kind + "=" + escapeRDN(step.value))
			if !ok || len(again) != 1 || again[0].value != step.value {
				t.Errorf("%q: %q became %+v", s, step, again)
			}
		}
	})
}
