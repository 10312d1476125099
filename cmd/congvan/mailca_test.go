package main

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/signing"
)

func testMailKeys(t *testing.T) *mailKeys {
	t.Helper()
	cfg := defaults(t.TempDir())
	cfg.Domain = "tinh.test"
	return newMailKeys(cfg)
}

// A key is made once and read again after a restart; a key near its end is renewed; nobody else's address gets one.
func TestMailKeysAreMadeOnceAndRenewed(t *testing.T) {
	m := testMailKeys(t)
	const address = mailcore.Address("snv@tinh.test")
	if _, err := m.signer(t.Context(), address, "Sở Nội vụ"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.dir, mailKeyPrefix+"snv.p12")
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again := &mailKeys{dir: m.dir, trust: m.trust, domain: m.domain, loaded: map[string]*signing.MailSigner{}}
	if _, err := again.signer(t.Context(), address, "Sở Nội vụ"); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(path); err != nil || !bytes.Equal(first, second) {
		t.Errorf("another key after a restart, %v", err)
	}
	ca, err := m.authority()
	if err != nil {
		t.Fatal(err)
	}
	password, err := m.password()
	if err != nil {
		t.Fatal(err)
	}
	old, err := ca.IssueMail(signing.Subject{Name: "Sở Nội vụ", Until: time.Now().Add(24 * time.Hour)}, string(address))
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Save(path, password); err != nil {
		t.Fatal(err)
	}
	fresh := &mailKeys{dir: m.dir, trust: m.trust, domain: m.domain, loaded: map[string]*signing.MailSigner{}}
	s, err := fresh.signer(t.Context(), address, "Sở Nội vụ")
	if err != nil || time.Now().After(s.RenewAt()) {
		t.Errorf("not renewed: %v", err)
	}
	if s, err := m.signer(t.Context(), "a@ngoai.test", ""); s != nil || err != nil {
		t.Errorf("a key for another domain: %v, %v", s, err)
	}
	opt, err := mailTrust(m.trust)
	if err != nil || opt.Roots.Equal(x509.NewCertPool()) {
		t.Errorf("trust: %v", err)
	}
}

func TestMailKeysMadeTwiceAtOnceAreTheSame(t *testing.T) {
	m := testMailKeys(t)
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.dir, "x")
	for _, text := range []string{"first", "second"} {
		if err := saveOnce(path, func(tmp string) error { return os.WriteFile(tmp, []byte(text), 0o600) }); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "first" {
		t.Errorf("%q, %v", b, err)
	}
	left, err := os.ReadDir(m.dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
