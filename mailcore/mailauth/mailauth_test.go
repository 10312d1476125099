package mailauth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"congvan/mailcore/mailauth"

	"github.com/emersion/go-msgauth/authres"
)

// A zone is a DNS in memory. A name that is not there does not exist; a text "fail" stands for a server that does not answer.
type zone map[string][]string

func (z zone) ask(kind, name string) ([]string, error) {
	texts := z[kind+" "+strings.TrimSuffix(strings.ToLower(name), ".")]
	if len(texts) == 0 {
		return nil, &net.DNSError{Name: name, IsNotFound: true}
	}
	if texts[0] == "fail" {
		return nil, &net.DNSError{Name: name, IsTimeout: true, IsTemporary: true}
	}
	return texts, nil
}

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error)  { return z.ask("TXT", name) }
func (z zone) LookupAddr(_ context.Context, addr string) ([]string, error) { return z.ask("PTR", addr) }

func (z zone) LookupMX(_ context.Context, name string) (out []*net.MX, err error) {
	list, err := z.ask("MX", name)
	for _, host := range list {
		out = append(out, &net.MX{Host: host, Pref: 10})
	}
	return out, err
}

func (z zone) LookupIPAddr(_ context.Context, host string) (out []net.IPAddr, err error) {
	list, err := z.ask("A", host)
	for _, a := range list {
		out = append(out, net.IPAddr{IP: net.ParseIP(a)})
	}
	return out, err
}

func keyPEM(t testing.TB, kind string) []byte {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "short":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

const letter = "From: =?utf-8?q?V=C4=83n_th=C6=B0?= <vanthu@so.tinh.gov.vn>\r\nTo: a@tinh.test\r\nSubject: x\r\nDate: Wed, 25 Nov 2026 08:00:00 +0700\r\n" +
	"Message-ID: <1@so.tinh.gov.vn>\r\n\r\nVăn bản.\r\n"

func signer(t testing.TB, z zone, domain, kind string) *mailauth.Signer {
	t.Helper()
	s, err := mailauth.NewSigner(domain, "s1", keyPEM(t, kind))
	if err != nil {
		t.Fatal(err)
	}
	name, text, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	z["TXT "+name] = []string{text}
	return s
}

func sign(t testing.TB, s *mailauth.Signer, mail string) string {
	t.Helper()
	field, err := s.Sign(strings.NewReader(mail))
	if err != nil {
		t.Fatal(err)
	}
	return string(field) + mail
}

func TestWhoseMailItIs(t *testing.T) {
	z := zone{
		"TXT so.tinh.gov.vn":     {"v=spf1 ip4:192.0.2.1 -all"},
		"TXT _dmarc.tinh.gov.vn": {"v=DMARC1; p=reject; sp=quarantine"},
		"TXT khac.test":          {"v=spf1 ip4:192.0.2.9 -all"},
		"TXT _dmarc.chat.test":   {"v=DMARC1; p=none; aspf=s; adkim=s"},
		"TXT chat.test":          {"v=spf1 ip4:192.0.2.1 -all"},
		"TXT m.chat.test":        {"v=spf1 ip4:192.0.2.1 -all"},
		"TXT cam.test":           {"fail"},
		"TXT _dmarc.cam.test":    {"fail"},
		"TXT _dmarc.hong.test":   {"v=DMARC1; p=whatever"},
	}
	own, org, other, strict := signer(t, z, "so.tinh.gov.vn", "rsa"), signer(t, z, "tinh.gov.vn", "ed25519"), signer(t, z, "khac.test", "rsa"), signer(t, z, "m.chat.test", "rsa")
	from := func(value string) string {
		return strings.Replace(letter, letter[:strings.Index(letter, "\r\n")], "From: "+value, 1)
	}
	good, bad := "192.0.2.1", "198.51.100.7"
	for name, c := range map[string]struct {
		remote, sender, mail string
		spf, dmarc           mailauth.Verdict
		junk                 bool
	}{
		"host named by SPF":                     {good, "vanthu@so.tinh.gov.vn", letter, "pass", "pass", false},
		"other host":                            {bad, "vanthu@so.tinh.gov.vn", letter, "fail", "fail", true},
		"other host, own signature":             {bad, "vanthu@so.tinh.gov.vn", sign(t, own, letter), "fail", "pass", false},
		"signature of the organisation":         {bad, "", sign(t, org, letter), "none", "pass", false},
		"signature of somebody else":            {bad, "x@khac.test", sign(t, other, letter), "fail", "fail", true},
		"both signatures":                       {bad, "", sign(t, other, sign(t, own, letter)), "none", "pass", false},
		"body changed":                          {bad, "", sign(t, own, letter) + "thêm\r\n", "none", "fail", true},
		"subject changed":                       {bad, "", strings.Replace(sign(t, own, letter), "Subject: x", "Subject: y", 1), "none", "fail", true},
		"second From":                           {bad, "", "From: x@khac.test\r\n" + sign(t, own, letter), "none", "permerror", true},
		"SPF of another domain":                 {"192.0.2.9", "x@khac.test", letter, "pass", "fail", true},
		"nobody's policy":                       {bad, "x@khac.test", from("x@khac.test"), "fail", "none", false},
		"strict, sender of a sub-domain":        {good, "a@m.chat.test", from("a@chat.test"), "pass", "fail", false},
		"strict, signature of a sub-domain":     {bad, "", sign(t, strict, from("a@chat.test")), "none", "fail", false},
		"strict, same domain":                   {good, "a@chat.test", from("a@chat.test"), "pass", "pass", false},
		"DNS does not answer":                   {good, "a@cam.test", from("a@cam.test"), "temperror", "temperror", false},
		"unreadable policy":                     {good, "", from("a@hong.test"), "none", "permerror", false},
		"From with two addresses of one domain": {good, "vanthu@so.tinh.gov.vn", from("a@so.tinh.gov.vn, b@so.tinh.gov.vn"), "pass", "pass", false},
		"From with two domains":                 {good, "vanthu@so.tinh.gov.vn", from("a@so.tinh.gov.vn, b@khac.test"), "pass", "permerror", true},
		"no From":                               {good, "vanthu@so.tinh.gov.vn", "Subject: x\r\n\r\n", "pass", "permerror", false},
		"empty":                                 {good, "", "", "none", "permerror", false},
		"unreadable From":                       {good, "", from("<<<"), "none", "permerror", true},
		"no header":                             {good, "", "chỉ có chữ", "none", "permerror", false},
		"signature with a length":               {bad, "", strings.Replace(sign(t, own, letter), "v=1;", "v=1; l=3;", 1), "none", "fail", true},
		"hostile field":                         {bad, "", "DKIM-Signature: v=1; a=\"\x01;<>\r\n x\r\n" + letter, "none", "fail", true},
	} {
		t.Run(name, func(t *testing.T) {
			check := mailauth.Checker{Resolver: z, Hostname: "mail.tinh.test"}
			res, err := check.Check(context.Background(), mailauth.Origin{Remote: netip.MustParseAddr(c.remote), Helo: "h", Sender: c.sender, From: fromOf(c.mail)}, iotest.HalfReader(strings.NewReader(c.mail)))
			if err != nil {
				t.Fatal(err)
			}
			if res.SPF != c.spf || res.DMARC != c.dmarc || res.Junk() != c.junk || res.Aligned() != (c.dmarc == "pass") {
				t.Errorf("SPF %s, DKIM %v, DMARC %s, junk %v", res.SPF, res.DKIM, res.DMARC, res.Junk())
			}
			checkField(t, res, c.spf, c.dmarc)
		})
	}
}

// checkField reads the field back: what a client sees must be what was found, on lines that end well.
func checkField(t *testing.T, res *mailauth.Result, spf, dmarc mailauth.Verdict) {
	t.Helper()
	field := string(res.Field())
	value, ok := strings.CutPrefix(field, "Authentication-Results: ")
	if !ok || !strings.HasSuffix(field, "\r\n") || strings.Count(field, "\n") != strings.Count(field, "\r\n") || strings.Contains(field, "\r\n\r\n") {
		t.Fatalf("field %q", field)
	}
	for _, line := range strings.Split(strings.TrimSuffix(value, "\r\n"), "\r\n")[1:] {
		if !strings.HasPrefix(line, "\t") {
			t.Errorf("field goes on without folding: %q", field)
		}
	}
	id, results, err := authres.Parse(strings.NewReplacer("\r\n\t", " ").Replace(strings.TrimSuffix(value, "\r\n")))
	if err != nil || id != "mail.tinh.test" {
		t.Fatalf("%q: %v", value, err)
	}
	for _, r := range results {
		switch r := r.(type) {
		case *authres.SPFResult:
			if r.Value != spf {
				t.Errorf("field says SPF %s", r.Value)
			}
		case *authres.DMARCResult:
			if r.Value != dmarc {
				t.Errorf("field says DMARC %s", r.Value)
			}
		}
	}
}

func TestBrokenStoreIsAnError(t *testing.T) {
	check := mailauth.Checker{Resolver: zone{}, Hostname: "mail.tinh.test"}
	broken := errors.New("disk")
	for _, at := range []int{0, 20, len(letter)} {
		r := io.MultiReader(strings.NewReader(letter[:at]), iotest.ErrReader(broken))
		if _, err := check.Check(context.Background(), mailauth.Origin{}, r); !errors.Is(err, broken) {
			t.Errorf("broken after %d bytes: %v", at, err)
		}
	}
}

func TestSilentDNSEndsInTime(t *testing.T) {
	check := mailauth.Checker{Resolver: silent{}, Hostname: "mail.tinh.test", Timeout: 50 * time.Millisecond}
	mail := sign(t, signer(t, zone{}, "so.tinh.gov.vn", "ed25519"), letter)
	res, err := check.Check(context.Background(), mailauth.Origin{Remote: netip.MustParseAddr("192.0.2.1"), Sender: "a@so.tinh.gov.vn", From: fromOf(mail)}, strings.NewReader(mail))
	if err != nil || res.DMARC != "temperror" || res.Junk() || res.Aligned() {
		t.Errorf("%+v, %v", res, err)
	}
}

// silent never answers.
type silent struct{ zone }

func (silent) LookupTXT(ctx context.Context, name string) ([]string, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTimeout: true, IsTemporary: true}
}

func TestForgedResultsAreKnown(t *testing.T) {
	check := mailauth.Checker{Hostname: "mail.tinh.test"}
	for value, want := range map[string]bool{
		" mail.tinh.test; dmarc=pass": true, "\r\n\tMAIL.tinh.test 1; spf=pass": true, ` "mail.tinh.test"; none`: true, " (x) mail.tinh.test (y (z)) ; none": true,
		" ; dmarc=pass": true, "": true, " mail.khac.test; dmarc=pass": false, " mail.tinh.test.khac.test; none": false,
	} {
		if got := check.IsOurs(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestKeysThatServe(t *testing.T) {
	for kind, want := range map[string]bool{"rsa": true, "ed25519": true, "short": false} {
		if _, err := mailauth.NewSigner("a.test", "s", keyPEM(t, kind)); (err == nil) != want {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := mailauth.NewSigner("a.test", "s", []byte("nothing")); err == nil {
		t.Error("no PEM was taken")
	}
}

// OpenSSL judges the signature's bytes: a receiver that shares no code with us must accept them.
func TestOpenSSLAcceptsTheSignature(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is missing")
		}
		t.Skip("SKIPPED: openssl is missing")
	}
	z := zone{}
	s := signer(t, z, "so.tinh.gov.vn", "rsa")
	mail := sign(t, s, letter)
	signature, signed := dkimInput(t, mail)
	dir := t.TempDir()
	name, text, _ := s.Record()
	pub := "-----BEGIN PUBLIC KEY-----\n" + text[strings.Index(text, "p=")+2:] + "\n-----END PUBLIC KEY-----\n"
	for file, data := range map[string][]byte{"pub.pem": []byte(pub), "sig": signature, "data": []byte(signed)} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("openssl", "dgst", "-sha256", "-verify", filepath.Join(dir, "pub.pem"), "-signature", filepath.Join(dir, "sig"), filepath.Join(dir, "data")).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Verified OK")) {
		t.Errorf("%s: %s %v\n%s", name, out, err, signed)
	}
}

func BenchmarkCheck(b *testing.B) {
	z := zone{"TXT so.tinh.gov.vn": {"v=spf1 ip4:192.0.2.1 -all"}, "TXT _dmarc.tinh.gov.vn": {"v=DMARC1; p=reject"}}
	mail := sign(b, signer(b, z, "so.tinh.gov.vn", "rsa"), letter+strings.Repeat(strings.Repeat("x", 76)+"\r\n", 420_000/78))
	check := mailauth.Checker{Resolver: z, Hostname: "mail.tinh.test"}
	b.SetBytes(int64(len(mail)))
	for b.Loop() {
		res, err := check.Check(context.Background(), mailauth.Origin{Remote: netip.MustParseAddr("192.0.2.1"), Sender: "a@so.tinh.gov.vn", From: fromOf(mail)}, strings.NewReader(mail))
		if err != nil || !res.Aligned() {
			b.Fatal(fmt.Sprint(res, err))
		}
	}
}

func BenchmarkSign(b *testing.B) {
	s := signer(b, zone{}, "so.tinh.gov.vn", "rsa")
	mail := letter + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 420_000/78)
	b.SetBytes(int64(len(mail)))
	for b.Loop() {
		if _, err := s.Sign(strings.NewReader(mail)); err != nil {
			b.Fatal(err)
		}
	}
}
