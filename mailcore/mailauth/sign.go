package mailauth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-msgauth/dkim"
)

// signed are the header fields that a signature covers. Those that stand twice may not be added later either (RFC 6376 §8.15).
var signed = []string{"From", "From", "Sender", "Reply-To", "Reply-To", "To", "To", "Cc", "Cc", "Subject", "Subject", "Date", "Date", "Message-ID",
	"In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Type", "Content-Transfer-Encoding"}

// minRSA is the shortest key that receivers accept gladly (RFC 8301 §3.2).
const minRSA = 2048

// A Signer signs what leaves in the name of a domain.
type Signer struct {
	Domain, Selector string
	key              crypto.Signer
}

// NewSigner takes a private key in PEM (PKCS #8): RSA of 2048 bits or more, or Ed25519.
func NewSigner(domain, selector string, keyPEM []byte) (*Signer, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, errors.New("DKIM key: no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("DKIM key: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSA {
			return nil, fmt.Errorf("DKIM key: %d bits, at least %d are needed", k.N.BitLen(), minRSA)
		}
		return &Signer{domain, selector, k}, nil
	case ed25519.PrivateKey:
		return &Signer{domain, selector, k}, nil
	}
	return nil, fmt.Errorf("DKIM key: %T is neither RSA nor Ed25519", key)
}

// Sign reads a whole message and returns its DKIM-Signature field, ended by CRLF.
func (s *Signer) Sign(message io.Reader) ([]byte, error) {
	w, err := dkim.NewSigner(&dkim.SignOptions{Domain: s.Domain, Selector: s.Selector, Signer: s.key, Hash: crypto.SHA256, HeaderKeys: signed,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed})
	if err != nil {
		return nil, fmt.Errorf("sign by DKIM: %w", err)
	}
	if _, err := io.Copy(w, message); err != nil {
		w.Close()
		return nil, fmt.Errorf("sign by DKIM: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("sign by DKIM: %w", err)
	}
	return []byte(w.Signature()), nil
}

// Record is the TXT record that publishes the key, and the name that it stands at.
func (s *Signer) Record() (name, text string, err error) {
	name = s.Selector + "._domainkey." + s.Domain
	if pub, ok := s.key.Public().(ed25519.PublicKey); ok {
		return name, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub), nil
	}
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		return "", "", fmt.Errorf("DKIM record: %w", err)
	}
	return name, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
}
