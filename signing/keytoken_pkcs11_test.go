//go:build pkcs11

package signing_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"congvan/signing"
)

const softhsm = "/usr/lib/softhsm/libsofthsm2.so"

// A softToken is a SoftHSM2 token with a key and its certificate.
type softToken struct {
	dir  string // of the tokens
	root *x509.CertPool
	uri  string
}

// newSoftToken makes a token with a key of this kind. The library reads its configuration once a process, so all tokens of a
// test run lie in one folder.
func newSoftToken(t *testing.T, label, pin string, kind signing.KeyKind) *softToken {
	t.Helper()
	tool(t, "softhsm2-util")
	tool(t, "pkcs11-tool")
	dir := os.Getenv("CONGVAN_TEST_TOKENS")
	if dir == "" {
		dir = must(os.MkdirTemp("", "tokens"))
		os.Setenv("CONGVAN_TEST_TOKENS", dir)
		conf := filepath.Join(dir, "softhsm2.conf")
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "tokens"), 0o700),
			os.WriteFile(conf, []byte("directories.tokendir = "+dir+"/tokens\nlog.level = ERROR\n"), 0o600), os.Setenv("SOFTHSM2_CONF", conf)); err != nil {
			t.Fatal(err)
		}
	}
	ca := must(signing.NewAuthority(signing.Subject{Name: "Tỉnh"}, signing.P256))
	id := must(ca.Issue(signing.Subject{Name: "Sở Nội vụ"}, kind))
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(id.Key))})
	mustRun(t, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "87654321")
	mustRun(t, "softhsm2-util", "--import", write(t, "key.pem", key), "--token", label, "--label", "dấu", "--id", "01", "--pin", pin)
	for i, c := range id.Chain {
		mustRun(t, "pkcs11-tool", "--module", softhsm, "--token-label", label, "--login", "--pin", pin, "--write-object", write(t, "c.der", c.Raw), "--type", "cert",
			"--label", []string{"dấu", "gốc"}[i], "--id", []string{"01", "02"}[i])
	}
	s := &softToken{dir: filepath.Join(dir, "tokens"), root: x509.NewCertPool(), uri: "pkcs11:token=" + label + ";id=%01?module-path=" + softhsm}
	s.root.AddCert(ca.Certificate())
	return s
}

func (s *softToken) sealer(t *testing.T, opt signing.TokenOptions) *signing.Sealer {
	t.Helper()
	id, err := signing.OpenToken(must(signing.ParseTokenURI(s.uri)), opt)
	if err != nil {
		t.Fatal(err)
	}
	return must(id.Sealer())
}

func givePIN(pin string) func(signing.PINRequest) (string, error) {
	return func(signing.PINRequest) (string, error) { return pin, nil }
}

func TestTokenSeals(t *testing.T) {
	for _, kind := range []signing.KeyKind{signing.P256, signing.P384, signing.RSA3072} {
		token := newSoftToken(t, "seal-"+string(kind), "4711", kind)
		asked := 0
		s := token.sealer(t, signing.TokenOptions{PIN: func(signing.PINRequest) (string, error) { asked++; return "4711", nil }})
		for range 2 {
			out := seal(t, s, read(t, "letter.pdf"), marked())
			report := must(signing.Verify(t.Context(), out, signing.VerifyOptions{Roots: token.root}))
			if report.Overall() != signing.Valid {
				t.Errorf("%s: %s", kind, explain(report))
			}
		}
		if asked != 2 {
			t.Errorf("%s: the PIN was asked for %d times for 2 signatures", kind, asked)
		}
	}
}

func TestWrongPINIsSaidAndNotRepeated(t *testing.T) {
	token := newSoftToken(t, "wrong", "4711", signing.P256)
	in := read(t, "letter.pdf")
	var log bytes.Buffer
	tries := 0
	wrong := token.sealer(t, signing.TokenOptions{PIN: func(signing.PINRequest) (string, error) { tries++; return "9999", nil }})
	out, err := wrong.Seal(t.Context(), in, marked())
	var p *signing.PINError
	if out != nil || !errors.Is(err, signing.ErrPIN) || !errors.As(err, &p) || !p.Low || tries != 1 {
		t.Fatalf("%d bytes after %d tries: %v", len(out), tries, err)
	}
	slog.New(slog.NewTextHandler(&log, nil)).Error("seal", "err", err)
	if bytes.Contains(log.Bytes(), []byte("9999")) {
		t.Errorf("the PIN is in the log: %s", &log)
	}
	unattended := token.sealer(t, signing.TokenOptions{Unattended: true, PIN: func(signing.PINRequest) (string, error) { tries++; return "4711", nil }})
	if _, err := unattended.Seal(t.Context(), in, marked()); !errors.As(err, &p) || !p.Untried || tries != 1 {
		t.Errorf("unattended after a wrong PIN, %d tries: %v", tries, err)
	}
	// A person who gives the right one frees it.
	low := false
	right := token.sealer(t, signing.TokenOptions{PIN: func(r signing.PINRequest) (string, error) { low = r.Low; return "4711", nil }})
	if _, err := right.Seal(t.Context(), in, marked()); err != nil || !low {
		t.Errorf("right PIN, warned %t: %v", low, err)
	}
	if _, err := unattended.Seal(t.Context(), in, marked()); err != nil {
		t.Errorf("unattended afterwards: %v", err)
	}
}

func TestTokenPulledOut(t *testing.T) {
	token := newSoftToken(t, "pulled", "4711", signing.P256)
	away := token.dir + ".away"
	pulled := token.sealer(t, signing.TokenOptions{PIN: func(signing.PINRequest) (string, error) {
		return "4711", os.Rename(token.dir, away) // while the PIN is typed
	}})
	out, err := pulled.Seal(t.Context(), read(t, "letter.pdf"), marked())
	if back := os.Rename(away, token.dir); back != nil {
		t.Fatal(back)
	}
	if out != nil || !errors.Is(err, signing.ErrToken) || !errors.Is(err, signing.ErrUnavailable) {
		t.Fatalf("%d bytes: %v", len(out), err)
	}
	seal(t, token.sealer(t, signing.TokenOptions{PIN: givePIN("4711")}), read(t, "letter.pdf"), marked()) // plugged in again
	u := must(signing.ParseTokenURI("pkcs11:token=none;id=%01?module-path=" + softhsm))
	if _, err := signing.OpenToken(u, signing.TokenOptions{}); !errors.Is(err, signing.ErrToken) {
		t.Errorf("no such token: %v", err)
	}
	u.Module = write(t, "none.so", []byte("x"))
	if _, err := signing.OpenToken(u, signing.TokenOptions{}); !errors.Is(err, signing.ErrKey) {
		t.Errorf("no library: %v", err)
	}
}
