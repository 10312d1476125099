package signing

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"software.sslmate.com/src/go-pkcs12"
)

// An Identity is a private key with its certificate chain, the key's own certificate first.
type Identity struct {
	Key   crypto.Signer
	Chain []*x509.Certificate
}

// maxKeyFile bounds a PKCS#12 file: a key and a handful of certificates.
const maxKeyFile = 1 << 20

// LoadIdentity reads a PKCS#12 file (.p12, .pfx). It refuses a file that others than its owner may read or change, as
// ssh does: a copied key seals documents in the agency's name.
func LoadIdentity(path, password string) (*Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	defer f.Close()
	if err := private(f, maxKeyFile); err != nil {
		return nil, fmt.Errorf("load key %q: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	id, err := ParseIdentity(b, password)
	if err != nil {
		return nil, fmt.Errorf("load key %q: %w", path, err)
	}
	return id, nil
}

// private wants a file that only its owner may read or change, of at most limit bytes. Windows keeps rights elsewhere, and
// its mode says nothing.
func private(f *os.File, limit int64) error {
	info, err := f.Stat() // of the open file, so that it cannot be exchanged in between
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a file")
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return fmt.Errorf("%w: mode %04o, want 0600", ErrPermissions, info.Mode().Perm())
	case foreign(info):
		return fmt.Errorf("%w: it belongs to another user", ErrPermissions)
	case info.Size() > limit:
		return ErrTooLarge
	}
	return nil
}

// ParseIdentity reads the bytes of a PKCS#12 file.
func ParseIdentity(p12 []byte, password string) (id *Identity, err error) {
	defer func() {
		if p := recover(); p != nil {
			id, err = nil, fmt.Errorf("%w: not a PKCS#12 file: %v", ErrKey, p)
		}
	}()
	key, cert, others, err := pkcs12.DecodeChain(p12, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, ErrPassword
	case err != nil:
		return nil, fmt.Errorf("%w: not a usable PKCS#12 file: %w", ErrKey, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: key of type %T", ErrKey, key)
	}
	return &Identity{Key: signer, Chain: chainOf(cert, others)}, nil
}

// chainOf puts the certificates in order, each followed by its issuer; what does not belong is left out.
func chainOf(leaf *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for range others {
		last := chain[len(chain)-1]
		if last.CheckSignatureFrom(last) == nil {
			break // a root
		}
		for _, c := range others {
			if !c.Equal(last) && last.CheckSignatureFrom(c) == nil {
				chain = append(chain, c)
				break
			}
		}
		if chain[len(chain)-1].Equal(last) {
			break
		}
	}
	return chain
}

// Sealer makes a sealer with this key.
func (id *Identity) Sealer() (*Sealer, error) { return NewSealer(id.Key, id.Chain) }

// Save writes the identity as a PKCS#12 file that only its owner can read.
func (id *Identity) Save(path, password string) error {
	b, err := encodeP12(id, password)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	if err := writeFile(path, b, 0o600); err != nil {
		return fmt.Errorf("save key: %w", err)
	}
	return nil
}

// writeFile writes all or nothing: beside the file first, synced, then renamed.
func writeFile(path string, b []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
