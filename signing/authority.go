package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
	"software.sslmate.com/src/go-pkcs12"
)

// A KeyKind is a kind of key that an Authority makes.
type KeyKind string

// The kinds of keys. P256 is quicker and makes smaller seals; RSA3072 is what older readers expect.
const (
	P256    KeyKind = "p256"
	P384    KeyKind = "p384"
	P521    KeyKind = "p521"
	RSA3072 KeyKind = "rsa3072"
)

// GenerateKey makes a new private key.
func GenerateKey(kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("%w: unknown kind %q", ErrKey, kind)
}

// An Authority issues certificates to the agencies of a province that has no better authority at hand, or to a demo.
// It is no substitute for the government's own (chữ ký số chuyên dùng công vụ).
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// oidDocumentSigning is id-kp-documentSigning (RFC 9336).
var oidDocumentSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 36}

// Lifetimes of certificates when the caller gives none.
const (
	authorityYears = 20
	agencyYears    = 5
)

// A Subject names the holder of a certificate.
type Subject struct {
	Name     string    // of the agency, in Vietnamese
	Parent   string    // agency above it, optional
	Province string    // optional
	CRL      string    // URL of the issuer's revocation list, optional; poppler's pdfsig reports trust only with one
	From     time.Time // start of validity, now when zero
	Until    time.Time // end of validity, five years later when zero (an authority: twenty)
}

func (s Subject) name() pkix.Name {
	n := pkix.Name{Country: []string{"VN"}, CommonName: norm.NFC.String(s.Name)}
	if s.Province != "" {
		n.Province = []string{norm.NFC.String(s.Province)}
	}
	if s.Parent != "" {
		n.Organization = []string{norm.NFC.String(s.Parent)}
	}
	return n
}

func (s Subject) validity(years int) (from, until time.Time) {
	from, until = s.From, s.Until
	if from.IsZero() {
		from = time.Now()
	}
	if until.IsZero() {
		until = from.AddDate(years, 0, 0)
	}
	return from.Add(-clockSkew).UTC(), until.UTC()
}

// NewAuthority makes a root key and its self-signed certificate.
func NewAuthority(subject Subject, kind KeyKind) (*Authority, error) {
	key, err := GenerateKey(kind)
	if err != nil {
		return nil, fmt.Errorf("make authority key: %w", err)
	}
	from, until := subject.validity(authorityYears)
	template := &x509.Certificate{
		Subject: subject.name(), NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 0, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := issue(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return &Authority{cert, key}, nil
}

// Certificate is the root certificate, which verifiers must trust.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Issue makes a key and a certificate for an agency.
func (a *Authority) Issue(subject Subject, kind KeyKind) (*Identity, error) {
	key, err := GenerateKey(kind)
	if err != nil {
		return nil, fmt.Errorf("make key of %q: %w", subject.Name, err)
	}
	from, until := subject.validity(agencyYears)
	if from.Before(a.cert.NotBefore) {
		from = a.cert.NotBefore
	}
	template := &x509.Certificate{
		Subject: subject.name(), NotBefore: from, NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		// NSS, and so poppler's pdfsig, trusts signers only with e-mail protection; Acrobat takes either.
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{oidDocumentSigning},
	}
	if subject.CRL != "" {
		template.CRLDistributionPoints = []string{subject.CRL}
	}
	cert, err := issue(template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate of %q: %w", subject.Name, err)
	}
	return &Identity{Key: key, Chain: []*x509.Certificate{cert, a.cert}}, nil
}

func issue(template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	rand.Read(serial) // never fails (crypto/rand)
	serial[0] = serial[0]&0x7F | 0x40
	template.SerialNumber = new(big.Int).SetBytes(serial)
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	id := sha256.Sum256(spki)
	template.SubjectKeyId = id[:20] // RFC 7093 §2
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Save writes the authority into dir: root.pem for verifiers and authority.p12, protected by the password.
func (a *Authority) Save(dir, password string) error {
	pemBytes := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := writeFile(filepath.Join(dir, "root.pem"), pemBytes, 0o644); err != nil {
		return fmt.Errorf("save root certificate: %w", err)
	}
	id := Identity{Key: a.key, Chain: []*x509.Certificate{a.cert}}
	return id.Save(filepath.Join(dir, "authority.p12"), password)
}

// LoadAuthority reads the authority.p12 that Save wrote.
func LoadAuthority(path, password string) (*Authority, error) {
	id, err := LoadIdentity(path, password)
	if err != nil {
		return nil, err
	}
	if !id.Chain[0].IsCA {
		return nil, fmt.Errorf("load authority %q: %w: not an authority's", path, ErrCertificate)
	}
	return &Authority{id.Chain[0], id.Key}, nil
}

// LoadRoots reads trusted root certificates from PEM files and from folders of such files (*.pem, *.crt).
func LoadRoots(paths ...string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("load roots: %w", err)
		} else if info.IsDir() {
			if files, err = rootFiles(path); err != nil {
				return nil, fmt.Errorf("load roots: %w", err)
			}
		}
		for _, file := range files {
			certs, err := LoadChain(file)
			if err != nil {
				return nil, fmt.Errorf("load roots: %w", err)
			}
			for _, c := range certs {
				pool.AddCert(c)
			}
		}
	}
	return pool, nil
}

func rootFiles(dir string) (out []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if ext := strings.ToLower(filepath.Ext(e.Name())); !e.IsDir() && (ext == ".pem" || ext == ".crt") {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, err
}

// encodeP12 uses the strong algorithms of PKCS#12 (PBES2, AES-256, SHA-256).
func encodeP12(id *Identity, password string) ([]byte, error) {
	return pkcs12.Modern2023.Encode(id.Key, id.Chain[0], id.Chain[1:], password)
}
