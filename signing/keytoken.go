package signing

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"congvan/signing/internal/cms"
)

// ErrFlavour means that this program was built without PKCS#11.
var ErrFlavour = errors.New("this program was built without PKCS#11 (build it with cgo: go build -tags pkcs11)")

// A PINRequest tells whoever gives a PIN how its token stands. PKCS#11 knows no number of tries, only these signs.
type PINRequest struct {
	Token string // its label
	Low   bool   // a wrong PIN was given since the last right one
	Last  bool   // one more wrong PIN locks the token
}

// A PINError says that a token did not take a PIN. It wraps ErrPIN or ErrLocked. Nothing tries again by itself, for that
// would lock the token.
type PINError struct {
	PINRequest // as the token stands now
	Locked     bool
	Untried    bool // the token was not asked: it had refused a PIN before, and nobody is there to look at it
}

// Error never contains the PIN.
func (e *PINError) Error() string {
	switch {
	case e.Locked:
		return fmt.Sprintf("token %q: %v", e.Token, ErrLocked)
	case e.Untried:
		return fmt.Sprintf("token %q: %v was given before; not tried again unattended", e.Token, ErrPIN)
	case e.Last:
		return fmt.Sprintf("token %q: %v, one try is left", e.Token, ErrPIN)
	}
	return fmt.Sprintf("token %q: %v", e.Token, ErrPIN)
}

// Unwrap leads to ErrPIN or ErrLocked.
func (e *PINError) Unwrap() error {
	if e.Locked {
		return ErrLocked
	}
	return ErrPIN
}

// TokenOptions say how a token's key is used.
type TokenOptions struct {
	// PIN is asked for the PIN of each signature.
	PIN func(PINRequest) (string, error)
	// Unattended: nobody is there. A token that has refused a PIN is not tried again until somebody logged in to it.
	Unattended bool
	// Chain is the certificate chain; nil for the certificates in the token.
	Chain []*x509.Certificate
}

// A TokenURI names a key in a PKCS#11 token (RFC 7512): "pkcs11:token=LABEL;object=LABEL;id=%01?module-path=/usr/lib/x.so".
// A PIN in it is refused: configurations are copied and shown.
type TokenURI struct {
	Module string // path of the token's library
	Token  string // label
	Serial string // instead of the label
	Object string // label of the key
	ID     []byte // of the key, beside or instead of its label
}

// ParseTokenURI reads a pkcs11: URI.
func ParseTokenURI(s string) (*TokenURI, error) {
	rest, ok := strings.CutPrefix(s, "pkcs11:")
	if !ok {
		return nil, fmt.Errorf("%w: no pkcs11: address", ErrKey)
	}
	path, query, _ := strings.Cut(rest, "?")
	u := &TokenURI{}
	for _, part := range append(strings.Split(path, ";"), strings.Split(query, "&")...) {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("%w: pkcs11 address: attribute %q is badly encoded", ErrKey, name)
		}
		switch name {
		case "token":
			u.Token = value
		case "serial":
			u.Serial = value
		case "object":
			u.Object = value
		case "id":
			u.ID = []byte(value)
		case "module-path":
			u.Module = value
		case "type", "manufacturer", "model", "library-manufacturer", "library-version", "library-description", "slot-id":
		case "pin-value", "pin-source":
			return nil, fmt.Errorf("%w: pkcs11 address with a PIN: put it into a file of its own", ErrKey)
		default:
			return nil, fmt.Errorf("%w: pkcs11 address: unknown attribute %q", ErrKey, name)
		}
	}
	switch {
	case u.Module == "":
		return nil, fmt.Errorf("%w: pkcs11 address without module-path", ErrKey)
	case u.Token == "" && u.Serial == "":
		return nil, fmt.Errorf("%w: pkcs11 address without token or serial", ErrKey)
	case u.Object == "" && len(u.ID) == 0:
		return nil, fmt.Errorf("%w: pkcs11 address without object or id", ErrKey)
	}
	return u, nil
}

// maxSecretFile bounds the file of a PIN or password.
const maxSecretFile = 4096

// ReadSecret reads a PIN or password from the first line of a file that only its owner may read.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	if err := private(f, maxSecretFile); err != nil {
		return "", fmt.Errorf("read secret %q: %w", path, err)
	}
	b := make([]byte, maxSecretFile)
	n, err := f.Read(b)
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", errors.Join(fmt.Errorf("read secret %q: nothing in it", path), err)
	}
	return line, nil
}

// LoadChain reads certificates from a PEM file, in their order.
func LoadChain(path string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load certificates: %w", err)
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := cms.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("load certificates %q: %w", path, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("load certificates %q: none in it", path)
	}
	return out, nil
}
