package signing_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"congvan/signing"
	"congvan/signing/internal/pdfdoc"
)

// withSignature puts another CMS into the place of a file's newest signature.
func withSignature(t *testing.T, file, der []byte) []byte {
	t.Helper()
	r := byteRange(file)
	room := r[2] - r[1] - 2
	value := hex.EncodeToString(der)
	if len(value) > room {
		t.Fatalf("%d digits do not fit into %d", len(value), room)
	}
	out := bytes.Clone(file)
	copy(out[r[1]+1:], value+strings.Repeat("0", room-len(value)))
	return out
}

// opensslSignature has openssl sign the ranges of a file's newest signature with a key of the authority.
func opensslSignature(t *testing.T, p *pki, file []byte, key string, args ...string) []byte {
	t.Helper()
	r := byteRange(file)
	ranges := write(t, "ranges.bin", append(bytes.Clone(file[:r[1]]), file[r[2]:]...))
	out := p.file("foreign.p7")
	p.openssl(append([]string{"cms", "-sign", "-binary", "-cades", "-nosmimecap", "-in", ranges, "-outform", "DER", "-out", out,
		"-signer", p.file(key + ".pem"), "-inkey", p.file(key + ".key"), "-certfile", p.file("root.pem")}, args...)...)
	return withSignature(t, file, must(os.ReadFile(out)))
}

// scheme is a way to sign and a key for it.
type scheme struct {
	key    string
	scheme signing.Scheme
}

var schemes = map[string]scheme{
	"rsa sha256":     {"rsa:2048", signing.Scheme{}},
	"rsa sha384":     {"rsa:3072", signing.Scheme{Hash: crypto.SHA384}},
	"rsa sha512":     {"rsa:4096", signing.Scheme{Hash: crypto.SHA512}},
	"rsa pss sha256": {"rsa:2048", signing.Scheme{PSS: true}},
	"rsa pss sha384": {"rsa:3072", signing.Scheme{Hash: crypto.SHA384, PSS: true}},
	"rsa pss sha512": {"rsa:2048", signing.Scheme{Hash: crypto.SHA512, PSS: true}},
	"p256 sha512":    {"p256", signing.Scheme{Hash: crypto.SHA512}},
	"p384 sha384":    {"p384", signing.Scheme{Hash: crypto.SHA384}},
	"p521 sha512":    {"p521", signing.Scheme{Hash: crypto.SHA512}},
	"p521 sha256":    {"p521", signing.Scheme{}},
}

func TestEachSchemeIsAcceptedByOthers(t *testing.T) {
	p := newPKI(t)
	nss := t.TempDir()
	tool(t, "certutil")
	mustRun(t, "certutil", "-N", "-d", "sql:"+nss, "--empty-password")
	mustRun(t, "certutil", "-A", "-d", "sql:"+nss, "-n", "root", "-t", "CT,C,C", "-i", p.file("root.pem"))
	for name, c := range schemes {
		t.Run(name, func(t *testing.T) {
			s := p.sealer("unit-"+strings.ReplaceAll(name, " ", "-"), "signer", c.key)
			s = must(s.With(signing.Use{Level: signing.LevelLTA, Scheme: c.scheme, Timestamper: p.stamper("tsa"), Revocation: &signing.RevocationSource{}}))
			for _, level := range []signing.Level{signing.LevelB, signing.LevelLTA} {
				out, err := s.Seal(t.Context(), read(t, "letter.pdf"), p.options(level))
				if err != nil {
					t.Fatal(err)
				}
				lax := p.offline()
				lax.Revocation = signing.RevocationIfKnown
				judge(t, out, lax, signing.Valid)
				flipped := bytes.Clone(out)
				flipped[len(flipped)/9] ^= 1
				if r, err := signing.Verify(t.Context(), flipped, lax); err == nil && r.Status == signing.Valid {
					t.Error("a flipped byte is valid")
				}
				if level != signing.LevelB {
					continue
				}
				checkOpenSSL(t, out, p.file("root.pem"))
				said := mustRun(t, "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, write(t, "x.pdf", out))
				switch valid := strings.Contains(said, "Signature is Valid."); {
				case !valid || !strings.Contains(said, "Certificate is Trusted."):
					t.Errorf("pdfsig: %s", said)
				}
			}
		})
	}
}

func TestSchemesThatAKeyCannotMake(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	for name, u := range map[string]signing.Use{"pss of an EC key": {Scheme: signing.Scheme{PSS: true}}, "sha-1": {Scheme: signing.Scheme{Hash: crypto.SHA1}}} {
		if _, err := s.With(u); !errors.Is(err, signing.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Signatures that openssl makes: RSA-PSS with odd salts, of keys that are for it alone, and by digests that are broken.
func TestForeignAlgorithmsAreJudged(t *testing.T) {
	p := newPKI(t)
	file := seal(t, p.sealer("room", "signer", "rsa:4096"), tiny(), p.options(signing.LevelT))
	p.issue("rsa", "signer", "rsa:2048", 365)
	p.issue("short", "signer", "rsa:1024", 365)
	p.issue("pss", "signer", "pss", 365)
	pss := func(salt string, md string) []string {
		return []string{"-md", md, "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:" + salt, "-keyopt", "rsa_mgf1_md:" + md}
	}
	lax := signing.VerifyOptions{Roots: p.roots}
	for _, c := range []struct {
		name, key string
		args      []string
		want      signing.Status
		code      string
	}{
		{"pss salt 32", "rsa", pss("32", "sha256"), signing.Valid, "intact"},
		{"pss salt 0", "rsa", pss("0", "sha256"), signing.Valid, "intact"},
		{"pss salt 20, sha512", "rsa", pss("20", "sha512"), signing.Valid, "intact"},
		{"pss longest salt", "rsa", pss("max", "sha384"), signing.Valid, "intact"},
		{"pss key", "pss", pss("32", "sha256"), signing.Valid, "intact"},
		{"sha384", "rsa", []string{"-md", "sha384"}, signing.Valid, "intact"},
		{"sha1", "rsa", []string{"-md", "sha1"}, signing.Indeterminate, "weak_algorithm"},
		{"pss sha1", "rsa", pss("20", "sha1"), signing.Indeterminate, "weak_algorithm"},
		{"md5", "rsa", []string{"-md", "md5"}, signing.Indeterminate, "weak_algorithm"},
		{"short key", "short", []string{"-md", "sha256"}, signing.Indeterminate, "weak_algorithm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := opensslSignature(t, p, file, c.key, c.args...)
			r := judge(t, out, lax, c.want)
			if got := r.Signatures[0].Intact; got.Code != c.code || c.want != signing.Valid && !strings.Contains(got.Reason, "không còn an toàn") {
				t.Errorf("%+v", got)
			}
			out[300] ^= 1
			if r, err := signing.Verify(t.Context(), out, lax); err == nil && r.Status != signing.Invalid {
				t.Errorf("changed: %s", r.Status)
			}
			// A time stamp of today does not help: the signature could have been forged yesterday.
			out[300] ^= 1
			if c.want == signing.Valid {
				return
			}
			if stamped, err := p.extend(out, signing.LevelT, "tsa"); err == nil {
				judge(t, stamped, p.offline(), signing.Indeterminate)
			}
		})
	}
}

// Everything around the signature by RSA-PSS and by P-521: the root, the responder, the time stamps.
func TestAlgorithmsOfTheChainAndTheServices(t *testing.T) {
	for _, key := range []string{"pss", "p521", "p384", "rsa:3072"} {
		t.Run(key, func(t *testing.T) {
			p := newPKI(t)
			p.become(key, "sha512")
			p.issue("responder", "responder", key, 700)
			p.issue("tsa", "tsa", strings.Replace(key, "pss", "rsa:3072", 1), 700) // openssl cannot stamp with a key for RSA-PSS alone
			s := p.sealer("unit", "signer", "rsa:2048")
			for _, level := range []signing.Level{signing.LevelT, signing.LevelLTA} {
				out := seal(t, s, read(t, "letter.pdf"), p.options(level))
				lax := p.offline()
				lax.Revocation = signing.RevocationIfKnown
				if r := judge(t, out, lax, signing.Valid); r.Signatures[0].Level != level {
					t.Errorf("level %s, want %s: %s", r.Signatures[0].Level, level, explain(r))
				}
			}
			p.crlDown.Store(true)
			judge(t, seal(t, s, tiny(), p.options(signing.LevelLT)), p.offline(), signing.Valid)
			p.crlDown.Store(false)
			p.ocspDown.Store(true)
			judge(t, seal(t, s, tiny(), p.options(signing.LevelLT)), p.offline(), signing.Valid)
		})
	}
}

// What was signed by SHA-1 while nobody could forge it stays valid when a strong stamp of that time proves it.
func TestWeakSignatureWithAnOldStampIsValid(t *testing.T) {
	p := newPKI(t)
	from := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	root := must(signing.NewAuthority(signing.Subject{Name: "Gốc cũ", From: from, Until: from.AddDate(40, 0, 0)}, signing.P256))
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate())
	old := must(root.Issue(signing.Subject{Name: "Sở cũ", From: from, Until: from.AddDate(4, 0, 0)}, signing.RSA3072))
	tsa := root.Identity()
	stamper := stampCertificate(t, tsa, from)
	p.write("old.pem", pemOf("CERTIFICATE", old.Chain[0].Raw))
	p.write("old.key", pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(old.Key))))
	file := opensslSignature(t, p, seal(t, p.sealer("room", "signer", "rsa:4096"), tiny(), p.options(signing.LevelT)), "old", "-md", "sha1")
	opt := signing.VerifyOptions{Roots: roots, TSARoots: roots}
	if r := judge(t, file, opt, signing.Indeterminate); r.Signatures[0].Intact.Code != "weak_algorithm" {
		t.Errorf("%+v", r.Signatures[0].Intact)
	}
	for year, want := range map[int]signing.Status{2012: signing.Valid, 2013: signing.Valid, 2015: signing.Indeterminate} {
		stamped := stampedAt(t, file, stamper, time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC))
		if r := judge(t, stamped, opt, want); r.Signatures[0].UsedTime.Year() != year {
			t.Errorf("%d: %s", year, explain(r))
		}
		stamped[300] ^= 1
		if r, err := signing.Verify(t.Context(), stamped, opt); err == nil && r.Status != signing.Invalid {
			t.Errorf("%d, changed: %s", year, r.Status)
		}
	}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// stampCertificate makes a time stamp authority under a root.
func stampCertificate(t *testing.T, root *signing.Identity, from time.Time) keyed {
	t.Helper()
	key := must(signing.GenerateKey(signing.P256))
	usage := must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Dấu thời gian cũ"}, NotBefore: from, NotAfter: from.AddDate(40, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}}
	der := must(x509.CreateCertificate(rand.Reader, template, root.Chain[0], key.Public(), root.Key))
	return keyed{must(x509.ParseCertificate(der)), key}
}

// stampedAt puts a document time stamp of any time behind a file.
func stampedAt(t *testing.T, file []byte, tsa keyed, at time.Time) []byte {
	t.Helper()
	doc := must(pdfdoc.Open(t.Context(), bytes.Clone(file)))
	u := must(doc.AddSignature(pdfdoc.SignatureField{Timestamp: true, Reserve: 6000}))
	before, after := u.Ranges()
	return must(u.Fill(rogueToken(tsa.cert, tsa.key, at, append(bytes.Clone(before), after...))))
}
