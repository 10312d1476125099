package signing

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"congvan/signing/internal/cms"
)

// Lifetimes of mail certificates. A gateway key is renewed a while before its end, so that no copy goes out with a
// certificate that is over before it is read.
const (
	mailYears  = 2
	mailRenew  = 60 * 24 * time.Hour
	mailLine   = 998 // RFC 5322 §2.1.1
	mailRSA    = 2048
	mailCARSA  = 3072
	mailFolded = 76
)

// A MailSigner signs mails from one address (S/MIME, RFC 8551) with a key of the gateway. It is never the key of a seal: a
// seal binds the agency, this one only says that the mail came from its mailbox as it is.
type MailSigner struct {
	id      *Identity
	address string
}

// NewMailAuthority makes the authority that certifies the mail addresses of one domain and of nothing else: its own
// certificate says so (RFC 5280 §4.2.1.10), so that whoever trusts it for mail trusts it for no more.
func NewMailAuthority(subject Subject, domain string) (*Authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, mailCARSA)
	if err != nil {
		return nil, fmt.Errorf("make mail authority key: %w", err)
	}
	from, until := subject.validity(authorityYears)
	template := &x509.Certificate{
		Subject: subject.name(), NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 0, MaxPathLenZero: true,
		KeyUsage:                x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedEmailAddresses: []string{strings.ToLower(domain)}, PermittedDNSDomainsCritical: true,
	}
	cert, err := issue(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make mail authority: %w", err)
	}
	return &Authority{cert, key}, nil
}

// Identity is the authority's own key and certificate, to be saved.
func (a *Authority) Identity() *Identity {
	return &Identity{Key: a.key, Chain: []*x509.Certificate{a.cert}}
}

// IssueMail makes a key and a certificate for one mail address. The key is RSA of 2048 bits: Outlook, Thunderbird and iOS
// all take it, and its signatures come out the same each time, so a letter composed again has the same bytes.
func (a *Authority) IssueMail(subject Subject, address string) (*Identity, error) {
	address = strings.ToLower(address)
	for _, r := range address {
		if r <= ' ' || r > '~' {
			return nil, fmt.Errorf("issue mail certificate: %w: address %q is not ASCII", ErrCertificate, address)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, mailRSA)
	if err != nil {
		return nil, fmt.Errorf("make mail key of %q: %w", address, err)
	}
	from, until := subject.validity(mailYears)
	if from.Before(a.cert.NotBefore) {
		from = a.cert.NotBefore
	}
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template := &x509.Certificate{
		Subject: subject.name(), NotBefore: from, NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		EmailAddresses: []string{address},
	}
	if subject.CRL != "" {
		template.CRLDistributionPoints = []string{subject.CRL}
	}
	cert, err := issue(template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("issue mail certificate of %q: %w", address, err)
	}
	return &Identity{Key: key, Chain: []*x509.Certificate{cert, a.cert}}, nil
}

// NewMailSigner makes a signer for mails from this address, which must stand in the certificate.
func NewMailSigner(id *Identity, address string) (*MailSigner, error) {
	cert := id.Chain[0]
	if err := mailCertificate(cert); err != nil {
		return nil, fmt.Errorf("mail signer: %w: %w", ErrCertificate, err)
	}
	if !hasAddress(cert, address) {
		return nil, fmt.Errorf("mail signer: %w: it is not for %q", ErrCertificate, address)
	}
	if _, err := cms.MaxSignatureLen(cert.PublicKey); err != nil {
		return nil, fmt.Errorf("mail signer: %w: %w", ErrKey, err)
	}
	return &MailSigner{id, strings.ToLower(address)}, nil
}

// Address is the one that mails must come from.
func (m *MailSigner) Address() string { return m.address }

// RenewAt is when a new certificate should take the place of this one.
func (m *MailSigner) RenewAt() time.Time { return m.id.Chain[0].NotAfter.Add(-mailRenew) }

// SignDigest signs the SHA-256 digest of a canonical entity and returns the DER of the detached signature.
func (m *MailSigner) SignDigest(digest [sha256.Size]byte, at time.Time) ([]byte, error) {
	der, err := cms.BuildMail(m.id.Key, m.id.Chain, digest[:], at)
	if err != nil {
		return nil, fmt.Errorf("sign mail from %q: %w", m.address, err)
	}
	return der, nil
}

// Write writes the body of a multipart/signed mail (RFC 8551 §3.5.3): the entity that fn writes, and the signature. ContentType
// with the same boundary must stand in the header before it. The entity streams through: only its digest is kept. One that a
// relay might change on the way (bytes over 126, long lines, bare CR or LF) is refused, because its signature would break.
func (m *MailSigner) Write(w io.Writer, boundary string, at time.Time, fn func(io.Writer) error) error {
	if _, err := fmt.Fprintf(w, "--%s\r\n", boundary); err != nil {
		return err
	}
	tee := &canonical{w: w, sum: sha256.New(), delimiter: []byte("--" + boundary)}
	if err := fn(tee); err != nil {
		return err
	}
	if err := tee.end(); err != nil {
		return err
	}
	der, err := m.SignDigest([sha256.Size]byte(tee.sum.Sum(nil)), at)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\r\n--%s\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\n"+
		"Content-Disposition: attachment; filename=\"smime.p7s\"\r\nContent-Description: S/MIME\r\n\r\n%s\r\n--%s--\r\n", boundary, folded(der), boundary)
	return err
}

// ContentType is the header field value of a mail that Write makes.
func (m *MailSigner) ContentType(boundary string) string {
	return fmt.Sprintf(`multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=%q`, boundary)
}

func folded(der []byte) string {
	text := base64.StdEncoding.EncodeToString(der)
	var b strings.Builder
	for len(text) > mailFolded {
		b.WriteString(text[:mailFolded] + "\r\n")
		text = text[mailFolded:]
	}
	return b.String() + text
}

var errNotCanonical = errors.New("entity is not safe to sign")

// canonical passes an entity on, hashes it, and refuses what would not reach the other side byte for byte.
type canonical struct {
	w         io.Writer
	sum       hash.Hash
	delimiter []byte
	line      []byte // start of the current line, as far as the delimiter is long
	length    int
	last      byte
}

func (c *canonical) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n' && c.last != '\r', c.last == '\r' && b != '\n':
			return 0, fmt.Errorf("%w: bare CR or LF", errNotCanonical)
		case b == '\n':
			c.length, c.line = 0, c.line[:0]
		case b >= 0x7F, b == 0:
			return 0, fmt.Errorf("%w: byte %#x", errNotCanonical, b)
		case b != '\r':
			if c.length++; c.length > mailLine {
				return 0, fmt.Errorf("%w: line over %d bytes", errNotCanonical, mailLine)
			}
			if len(c.line) < len(c.delimiter) {
				if c.line = append(c.line, b); bytes.Equal(c.line, c.delimiter) {
					return 0, fmt.Errorf("%w: boundary inside", errNotCanonical)
				}
			}
		}
		c.last = b
	}
	c.sum.Write(p)
	return c.w.Write(p)
}

func (c *canonical) end() error {
	if c.last == '\r' {
		return fmt.Errorf("%w: bare CR", errNotCanonical)
	}
	return nil
}

// mailCertificate says whether a certificate is one for signing mail (RFC 8550 §4.4).
func mailCertificate(c *x509.Certificate) error {
	if c.IsCA || c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return errors.New("key usage is not signing")
	}
	for _, u := range c.ExtKeyUsage {
		if u == x509.ExtKeyUsageEmailProtection || u == x509.ExtKeyUsageAny {
			return nil
		}
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 {
		return errors.New("extended key usage is not e-mail protection")
	}
	return nil
}

// hasAddress looks for an address among those that the certificate names (RFC 8550 §3). Letters of either case are the same:
// no server here or in the agencies tells them apart.
func hasAddress(c *x509.Certificate, address string) bool {
	for _, a := range certAddresses(c) {
		if strings.EqualFold(a, address) {
			return true
		}
	}
	return false
}

// oidEmail is emailAddress in a subject, from before rfc822Name.
const oidEmail = "1.2.840.113549.1.9.1"

func certAddresses(c *x509.Certificate) []string {
	if len(c.EmailAddresses) > 0 {
		return c.EmailAddresses
	}
	var out []string
	for _, n := range c.Subject.Names {
		if v, ok := n.Value.(string); ok && n.Type.String() == oidEmail {
			out = append(out, v)
		}
	}
	return out
}
