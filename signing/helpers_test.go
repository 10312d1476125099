package signing_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/signing"
)

const agency = "Ủy ban nhân dân tỉnh Kon Tum"

// An issuer is a test authority with one sealer for each kind of key.
type issuer struct {
	authority *signing.Authority
	roots     *x509.CertPool
	ids       map[signing.KeyKind]*signing.Identity
	sealers   map[signing.KeyKind]*signing.Sealer
}

var theIssuer = sync.OnceValue(func() *issuer { return must(newIssuer("Trung tâm chứng thực thử nghiệm tỉnh Kon Tum")) })

func newIssuer(name string) (*issuer, error) {
	a, err := signing.NewAuthority(signing.Subject{Name: name, Province: "Kon Tum"}, signing.P256)
	if err != nil {
		return nil, err
	}
	is := &issuer{a, x509.NewCertPool(), map[signing.KeyKind]*signing.Identity{}, map[signing.KeyKind]*signing.Sealer{}}
	is.roots.AddCert(a.Certificate())
	for _, kind := range []signing.KeyKind{signing.P256, signing.P384, signing.RSA3072} {
		subject := signing.Subject{Name: agency, Parent: "Nguyễn Trọng Nghĩa", CRL: "http://ca.kontum.test/root.crl"}
		id, err := a.Issue(subject, kind)
		if err != nil {
			return nil, err
		}
		is.ids[kind] = id
		if is.sealers[kind], err = id.Sealer(); err != nil {
			return nil, err
		}
	}
	return is, nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func seal(t testing.TB, s *signing.Sealer, in []byte, opt signing.SealOptions) []byte {
	t.Helper()
	out, err := s.Seal(context.Background(), in, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(out, in) {
		t.Fatal("sealing changed the bytes before the increment")
	}
	return out
}

func marked() signing.SealOptions {
	return signing.SealOptions{Mark: signing.MarkText(signing.FullCopy, agency, time.Now()), Reason: "Sao y (bản chính)"}
}

func verify(t testing.TB, in []byte) *signing.Report {
	t.Helper()
	r, err := signing.Verify(context.Background(), in, signing.VerifyOptions{Roots: theIssuer().roots})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantStatus verifies and compares the outcome of the file.
func wantStatus(t testing.TB, in []byte, want signing.Status) *signing.Report {
	t.Helper()
	r := verify(t, in)
	if r.Status != want || r.Overall() != want {
		t.Fatalf("status %s, want %s: %s", r.Status, want, explain(r))
	}
	return r
}

func explain(r *signing.Report) string {
	var b strings.Builder
	for _, s := range r.Signatures {
		for _, c := range []signing.Check{s.Intact, s.Coverage, s.Signer, s.Chain, s.Time, s.Revocation, s.Timestamp} {
			fmt.Fprintf(&b, "\n  %s: %s %s (%s) %s", s.Field, c.Answer, c.Code, c.Reason, c.Detail)
		}
	}
	return b.String()
}

// tool finds a program. Without it the test is skipped aloud, in CI it fails: a check that never runs proves nothing.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("SKIPPED: %s is not installed", name)
	}
	return path
}

// run starts a program and returns what it prints.
func run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool(t, name), args...).CombinedOutput()
	return string(out), err
}

func mustRun(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := run(t, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func atoi(b []byte) int {
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// trimDER cuts off what stands behind the first DER value.
func trimDER(b []byte) []byte {
	var raw asn1.RawValue
	must(asn1.Unmarshal(b, &raw))
	return raw.FullBytes
}

// signatureValue reads the value of the only signer, by openssl's own description of the structure.
func signatureValue(t testing.TB, der []byte) []byte {
	t.Helper()
	out := mustRun(t, "openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", write(t, "sig.der", trimDER(der)))
	from := strings.LastIndex(out[:strings.Index(out, "unsignedAttrs:")], "signature:")
	var digits strings.Builder
	for _, line := range strings.Split(out[from:strings.Index(out, "unsignedAttrs:")], "\n")[1:] {
		_, line, ok := strings.Cut(line, " - ")
		if !ok {
			continue
		}
		line, _, _ = strings.Cut(line, "   ")
		digits.WriteString(strings.NewReplacer(" ", "", "-", "").Replace(line))
	}
	return must(hex.DecodeString(digits.String()))
}

func theChain(p *pki, name string) []*x509.Certificate { return []*x509.Certificate{p.cert(name)} }

func extension(id asn1.ObjectIdentifier, value []byte) pkix.Extension {
	return pkix.Extension{Id: id, Critical: true, Value: value}
}
