package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"regexp"
	"testing"
	"time"

	"congvan/signing"
)

func TestSignaturePolicyIsNamedAndAccepted(t *testing.T) {
	p := newPKI(t)
	s, err := p.sealer("unit", "signer", "p256").With(signing.Use{Policy: &signing.SignaturePolicy{
		ID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 7}, SHA256: sha256.Sum256([]byte("chính sách")), URI: "http://ca.test/policy.pdf"}})
	if err != nil {
		t.Fatal(err)
	}
	out, level, err := s.SealAsUsed(t.Context(), read(t, "letter.pdf"), signing.SealOptions{})
	if err != nil || level != signing.LevelB {
		t.Fatal(level, err)
	}
	lax := p.offline()
	lax.Revocation = signing.RevocationIfKnown
	judge(t, out, lax, signing.Valid)
	der := must(hex.DecodeString(string(regexp.MustCompile(`/Contents ?<([0-9a-f]+)>`).FindSubmatch(out)[1])))
	printed := mustRun(t, "openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", write(t, "sig.der", trimDER(der)))
	for _, want := range []string{"id-smime-aa-ets-sigPolicyId", "1.3.6.1.4.1.99999.7", "http://ca.test/policy.pdf", "id-smime-spq-ets-sqt-uri"} {
		if !bytes.Contains([]byte(printed), []byte(want)) {
			t.Errorf("openssl does not see %q in\n%s", want, printed)
		}
	}
}

func TestLowerLevelOnlyWhereAllowed(t *testing.T) {
	p := newPKI(t)
	base := p.sealer("unit", "signer", "p256")
	opt := p.options(signing.LevelLT)
	use := signing.Use{Level: signing.LevelLT, Timestamper: opt.Timestamper, Revocation: opt.Revocation}
	waits := must(base.With(use))
	use.Lower = true
	lowers := must(base.With(use))
	in := read(t, "letter.pdf")
	p.tsaDown.Store(true)
	if out, _, err := waits.SealAsUsed(t.Context(), in, signing.SealOptions{}); out != nil || !errors.Is(err, signing.ErrUnavailable) {
		t.Errorf("waiting: %d bytes, %v", len(out), err)
	}
	out, level, err := lowers.SealAsUsed(t.Context(), in, signing.SealOptions{})
	if err != nil || level != signing.LevelB {
		t.Fatalf("level %q: %v", level, err)
	}
	p.tsaDown.Store(false)
	if _, err := p.extend(out, signing.LevelLT, "tsa"); err != nil {
		t.Errorf("extended later: %v", err)
	}
	p.ocspDown.Store(true)
	p.crlDown.Store(true)
	fresh := must(base.With(signing.Use{Level: signing.LevelLTA, Lower: true, Timestamper: opt.Timestamper, Revocation: &signing.RevocationSource{}}))
	if _, level, err = fresh.SealAsUsed(t.Context(), in, signing.SealOptions{}); err != nil || level != signing.LevelT {
		t.Errorf("without OCSP and lists: level %q, %v", level, err)
	}
}

func TestWrongClockIsSaid(t *testing.T) {
	a := must(signing.NewAuthority(signing.Subject{Name: "Tỉnh"}, signing.P256))
	id := must(a.Issue(signing.Subject{Name: "Sở Nội vụ", Until: time.Now().Add(time.Hour)}, signing.P256))
	s := must(id.Sealer())
	for _, c := range []struct {
		at   time.Time
		want error
	}{
		{time.Now().AddDate(-3, 0, 0), signing.ErrClock},
		{time.Now().Add(30 * time.Hour), signing.ErrCertificate},
		{time.Now(), nil},
	} {
		out, err := s.Seal(t.Context(), read(t, "letter.pdf"), signing.SealOptions{At: c.at})
		if !errors.Is(err, c.want) || (err != nil) != (out == nil) {
			t.Errorf("at %s: %d bytes, %v", c.at, len(out), err)
		}
	}
}

// A remoteKey is the token's side in this process.
type remoteKey struct {
	crypto.Signer
	id     *signing.Identity
	seen   *signing.Prepared
	change func([]byte) []byte
}

func (r *remoteKey) SignFile(ctx context.Context, prepared []byte, policy *signing.SignaturePolicy) ([]byte, error) {
	if r.change != nil {
		prepared = r.change(bytes.Clone(prepared))
	}
	p, err := signing.ReadPrepared(ctx, prepared)
	if err != nil {
		return nil, err
	}
	r.seen = p
	return p.Sign(r.id, policy)
}

func remoteSealer(t *testing.T, change func([]byte) []byte) (*signing.Sealer, *remoteKey, *x509.CertPool) {
	a := must(signing.NewAuthority(signing.Subject{Name: "Tỉnh"}, signing.P256))
	id := must(a.Issue(signing.Subject{Name: "Sở Nội vụ"}, signing.RSA3072))
	r := &remoteKey{Signer: id.Key, id: id, change: change}
	s := must(signing.NewSealer(r, id.Chain))
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	return must(s.With(signing.Use{Policy: &signing.SignaturePolicy{ID: asn1.ObjectIdentifier{1, 2, 3}}})), r, roots
}

func TestHolderOfTheKeySeesTheFileItSigns(t *testing.T) {
	for _, name := range []string{"letter.pdf", "chromium-objstm.pdf", "encrypted-aes256.pdf", "scan.pdf"} {
		s, key, roots := remoteSealer(t, nil)
		in := read(t, name)
		once := seal(t, s, in, marked())
		if key.seen.Earlier != 0 || key.seen.Name != "Sở Nội vụ" {
			t.Errorf("%s: %+v", name, key.seen)
		}
		if sum := sha256.Sum256(bytes.TrimRight(in, "\r\n ")); key.seen.SHA256 != sum {
			t.Errorf("%s: the document before the seal is another", name)
		}
		judge(t, once, signing.VerifyOptions{Roots: roots}, signing.Valid)
		seal(t, s, once, marked())
		if key.seen.Earlier != 1 {
			t.Errorf("%s: %d earlier signatures", name, key.seen.Earlier)
		}
		if _, err := signing.ReadPrepared(t.Context(), once); err == nil {
			t.Error("a sealed file is taken for a prepared one")
		}
	}
}

func TestChangedOnItsWayToTheKey(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func([]byte) []byte
	}{
		{"a byte of the text", func(b []byte) []byte { b[len(b)/4] ^= 1; return b }},
		{"bytes added", func(b []byte) []byte { return append(b, "\n% more\n"...) }},
		{"cut", func(b []byte) []byte { return b[:len(b)-20] }},
		{"nothing", func([]byte) []byte { return nil }},
	} {
		s, _, _ := remoteSealer(t, c.change)
		if out, err := s.Seal(t.Context(), read(t, "letter.pdf"), marked()); err == nil || out != nil {
			t.Errorf("%s: sealed all the same", c.what)
		}
	}
}

func TestSecondAuthorityIsAskedWhenTheFirstIsDown(t *testing.T) {
	p := newPKI(t)
	ts := p.stamper("tsa")
	ts.Others, ts.URL = []string{"http://127.0.0.1:1/second", ts.URL}, "http://127.0.0.1:1/first"
	s := must(p.sealer("unit", "signer", "p256").With(signing.Use{Level: signing.LevelT, Timestamper: ts}))
	out, level, err := s.SealAsUsed(t.Context(), read(t, "letter.pdf"), signing.SealOptions{})
	if err != nil || level != signing.LevelT {
		t.Fatal(level, err)
	}
	lax := p.offline()
	lax.Revocation = signing.RevocationIfKnown
	judge(t, out, lax, signing.Valid)
	p.tsaDown.Store(true)
	if _, _, err := s.SealAsUsed(t.Context(), read(t, "letter.pdf"), signing.SealOptions{}); !errors.Is(err, signing.ErrUnavailable) {
		t.Errorf("all of them down: %v", err)
	}
}

func TestRevocationServiceBySetting(t *testing.T) {
	p := newPKI(t)
	base := p.sealer("unit", "silent", "p256")
	in := read(t, "letter.pdf")
	for _, c := range []struct {
		name   string
		source *signing.RevocationSource
	}{{"OCSP", &signing.RevocationSource{OCSP: []string{p.http.URL + "/ocsp"}}}, {"list", &signing.RevocationSource{CRL: []string{p.http.URL + "/root.crl"}}}} {
		s := must(base.With(signing.Use{Level: signing.LevelLT, Timestamper: p.stamper("tsa"), Revocation: c.source}))
		out, level, err := s.SealAsUsed(t.Context(), in, signing.SealOptions{})
		if err != nil || level != signing.LevelLT {
			t.Fatalf("%s: level %q: %v", c.name, level, err)
		}
		judge(t, out, p.offline(), signing.Valid)
	}
	none := must(base.With(signing.Use{Level: signing.LevelLT, Lower: true, Timestamper: p.stamper("tsa"), Revocation: &signing.RevocationSource{}}))
	if out, _, err := none.SealAsUsed(t.Context(), in, signing.SealOptions{}); out != nil || !errors.Is(err, signing.ErrLevel) {
		t.Errorf("nobody to ask: %d bytes, %v", len(out), err)
	}
	p.revoke("unit", time.Now(), "keyCompromise")
	s := must(base.With(signing.Use{Level: signing.LevelLT, Lower: true, Timestamper: p.stamper("tsa"), Revocation: &signing.RevocationSource{OCSP: []string{p.http.URL + "/ocsp"}}}))
	if out, _, err := s.SealAsUsed(t.Context(), in, signing.SealOptions{}); out != nil || !errors.Is(err, signing.ErrRevoked) {
		t.Errorf("revoked: %d bytes, %v", len(out), err)
	}
}
