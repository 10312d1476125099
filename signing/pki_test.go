package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"congvan/signing"
	"congvan/signing/internal/cms"
)

// A pki is a certificate authority of openssl with its OCSP responder, revocation list and time stamp authorities, all
// real and served on loopback.
type pki struct {
	t     testing.TB
	dir   string
	salt  []string // options for signatures of an authority whose key is for RSA-PSS alone
	md    string   // digest of the services' signatures
	http  *httptest.Server
	root  *x509.Certificate
	roots *x509.CertPool

	mu                         sync.Mutex
	ocspDown, crlDown, tsaDown atomic.Bool
	calls                      atomic.Int64
	mangle                     func(path string, body []byte) []byte // changes an answer on its way
}

const opensslConf = `
[ca]
default_ca = d
[d]
dir = DIR
database = DIR/index.txt
new_certs_dir = DIR
serial = DIR/serial
crlnumber = DIR/crlnumber
certificate = DIR/root.pem
private_key = DIR/root.key
default_md = sha256
policy = p
default_crl_days = 7
unique_subject = no
copy_extensions = none
[p]
commonName = supplied
[signer]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature,nonRepudiation
extendedKeyUsage = emailProtection
authorityInfoAccess = OCSP;URI:URL/ocsp
crlDistributionPoints = URI:URL/root.crl
[silent]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature,nonRepudiation
[server]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
[tsa]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
authorityInfoAccess = OCSP;URI:URL/ocsp
crlDistributionPoints = URI:URL/root.crl
[responder]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`

func newPKI(t testing.TB) *pki {
	t.Helper()
	tool(t, "openssl")
	p := &pki{t: t, md: "sha256", dir: t.TempDir(), roots: x509.NewCertPool()}
	p.http = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.http.Close)
	conf := strings.NewReplacer("DIR", p.dir, "URL", p.http.URL).Replace(opensslConf)
	p.write("ca.cnf", conf)
	p.write("index.txt", "")
	p.write("serial", "1000")
	p.write("crlnumber", "01")
	p.write("tsserial", "01")
	p.become("p256", "sha256")
	p.issue("responder", "responder", "rsa:2048", 700)
	p.issue("tsa", "tsa", "rsa:2048", 700)
	return p
}

// become makes the authority's key and certificate, and signs by a digest from now on.
func (p *pki) become(key, md string) {
	p.t.Helper()
	p.md = md
	if key == "pss" {
		p.salt = []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}
	}
	p.write("ca.cnf", strings.Replace(string(p.read("ca.cnf")), "default_md = sha256", "default_md = "+md, 1))
	p.openssl(slices.Concat([]string{"req", "-x509", "-nodes", "-keyout", p.file("root.key"), "-out", p.file("root.pem"), "-days", "7300", "-subj", "/CN=Root",
		"-config", p.config(), "-extensions", "root", "-" + md}, newKey(key), p.salt)...)
	p.root = p.cert("root")
	p.roots = x509.NewCertPool()
	p.roots.AddCert(p.root)
}

// newKey are openssl's options for a key: p256 and the like, pss for RSA-PSS alone, rsa:BITS.
func newKey(key string) []string {
	switch {
	case key == "pss":
		return []string{"-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"}
	case strings.HasPrefix(key, "p"):
		return []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-" + key[1:]}
	}
	return []string{"-newkey", key}
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.file(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pki) read(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(p.file(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// config is the configuration with a request section, which openssl wants though it is not used.
func (p *pki) config() string {
	if _, err := os.Stat(p.file("req.cnf")); err != nil {
		p.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n"+string(p.read("ca.cnf")))
	}
	return p.file("req.cnf")
}

func (p *pki) openssl(args ...string) string {
	p.t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// issue makes a key and a certificate with the extensions of a section.
func (p *pki) issue(name, section, key string, days int) {
	p.t.Helper()
	p.openssl(append([]string{"req", "-nodes", "-keyout", p.file(name + ".key"), "-out", p.file(name + ".csr"), "-subj", "/CN=" + name,
		"-config", p.config()}, newKey(key)...)...)
	p.openssl(append([]string{"ca", "-batch", "-notext", "-config", p.file("ca.cnf"), "-extensions", section, "-days", fmt.Sprint(days),
		"-in", p.file(name + ".csr"), "-out", p.file(name + ".pem")}, p.salt...)...)
}

func (p *pki) cert(name string) *x509.Certificate {
	p.t.Helper()
	b, _ := pem.Decode(p.read(name + ".pem"))
	return must(cms.ParseCertificate(b.Bytes))
}

func (p *pki) key(name string) crypto.Signer {
	p.t.Helper()
	b, _ := pem.Decode(p.read(name + ".key"))
	return must(x509.ParsePKCS8PrivateKey(b.Bytes)).(crypto.Signer)
}

// sealer issues a certificate and makes a sealer with it.
func (p *pki) sealer(name, section, key string) *signing.Sealer {
	p.t.Helper()
	p.issue(name, section, key, 365)
	return must(signing.NewSealer(p.key(name), []*x509.Certificate{p.cert(name), p.root}))
}

// revoke marks a certificate in the database of the authority.
func (p *pki) revoke(name string, at time.Time, reason string) {
	p.t.Helper()
	serial := strings.ToUpper(p.cert(name).SerialNumber.Text(16))
	line := regexp.MustCompile(`(?m)^V\t(\d+Z)\t\t(` + serial + `\t.*)$`)
	p.mu.Lock()
	defer p.mu.Unlock()
	index := p.read("index.txt")
	changed := line.ReplaceAll(index, fmt.Appendf(nil, "R\t${1}\t%s,%s\t${2}", at.UTC().Format("060102150405Z"), reason))
	if bytes.Equal(index, changed) {
		p.t.Fatalf("%s is not in the database:\n%s", name, index)
	}
	p.write("index.txt", string(changed))
}

// forget takes a certificate out of the database, so that the responder does not know it.
func (p *pki) forget(name string) {
	serial := strings.ToUpper(p.cert(name).SerialNumber.Text(16))
	p.write("index.txt", regexp.MustCompile(`(?m)^.*\t`+serial+`\t.*\n`).ReplaceAllString(string(p.read("index.txt")), ""))
}

func (p *pki) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls.Add(1)
	query, _ := io.ReadAll(r.Body)
	out, err := p.reply(r.URL.Path, query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if p.mangle != nil {
		out = p.mangle(r.URL.Path, out)
	}
	w.Write(out)
}

func (p *pki) reply(path string, query []byte) ([]byte, error) {
	in, out := p.file("query"), p.file("reply")
	if err := os.WriteFile(in, query, 0o600); err != nil {
		return nil, err
	}
	down := fmt.Errorf("out of order")
	var args []string
	switch path {
	case "/ocsp":
		if p.ocspDown.Load() {
			return nil, down
		}
		args = []string{"ocsp", "-index", p.file("index.txt"), "-CA", p.file("root.pem"), "-rsigner", p.file("responder.pem"),
			"-rkey", p.file("responder.key"), "-reqin", in, "-respout", out, "-ndays", "7", "-rmd", p.md}
	case "/root.crl":
		if p.crlDown.Load() {
			return nil, down
		}
		if b, err := exec.Command("openssl", append([]string{"ca", "-config", p.file("ca.cnf"), "-gencrl", "-out", p.file("crl.pem")}, p.salt...)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, b)
		}
		args = []string{"crl", "-in", p.file("crl.pem"), "-outform", "DER", "-out", out}
	default: // /tsa, or the name of another authority
		if p.tsaDown.Load() {
			return nil, down
		}
		name := strings.TrimPrefix(path, "/")
		conf := fmt.Sprintf("[tsa]\nserial=%s\nsigner_cert=%s\nsigner_key=%s\ndigests=sha256\ndefault_policy=1.2.3.4\n"+
			"signer_digest=%s\ness_cert_id_alg=sha256\n", p.file("tsserial"), p.file(name+".pem"), p.file(name+".key"), p.md)
		if err := os.WriteFile(p.file("tsa.cnf"), []byte(conf), 0o600); err != nil {
			return nil, err
		}
		args = []string{"ts", "-reply", "-config", p.file("tsa.cnf"), "-section", "tsa", "-queryfile", in, "-out", out}
	}
	if b, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, b)
	}
	return os.ReadFile(out)
}

func (p *pki) stamper(name string) *signing.Timestamper {
	return &signing.Timestamper{URL: p.http.URL + "/" + name, Roots: p.roots, Client: &http.Client{Timeout: time.Minute}}
}

// options are those to seal at a level.
func (p *pki) options(level signing.Level) signing.SealOptions {
	opt := signing.SealOptions{Level: level}
	if level.AtLeast(signing.LevelT) {
		opt.Timestamper = p.stamper("tsa")
	}
	if level.AtLeast(signing.LevelLT) {
		opt.Revocation = &signing.RevocationSource{}
	}
	return opt
}

// offline judges by what is in the file alone and wants everything known.
func (p *pki) offline() signing.VerifyOptions {
	return signing.VerifyOptions{Roots: p.roots, TSARoots: p.roots, Revocation: signing.RevocationRequired}
}

func (p *pki) online() signing.VerifyOptions {
	opt := p.offline()
	opt.Online = &signing.RevocationSource{}
	return opt
}

func (p *pki) extend(in []byte, level signing.Level, tsa string) ([]byte, error) {
	return signing.Extend(context.Background(), in, signing.ExtendOptions{
		Level: level, Timestamper: p.stamper(tsa), Revocation: &signing.RevocationSource{}, Roots: p.roots,
	})
}

// judge verifies and wants a status.
func judge(t testing.TB, in []byte, opt signing.VerifyOptions, want signing.Status) *signing.Report {
	t.Helper()
	r, err := signing.Verify(context.Background(), in, opt)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != want {
		t.Fatalf("status %s, want %s: %s", r.Status, want, explain(r))
	}
	return r
}
