package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"time"
)

// A StampReport is what a time stamp token over a digest proves.
type StampReport struct {
	Time      time.Time // by the authority's clock
	Authority string    // common name in its certificate
	Trusted   bool      // its certificate leads to one of the roots and was in force at Time
}

// VerifyTimestamp reads a token (RFC 3161) over the SHA-256 digest. An error means that the token is damaged, is for
// something else, or is no time stamp; one that is intact but leads to none of the roots is returned as not trusted.
func VerifyTimestamp(token, digest []byte, roots *x509.CertPool) (r *StampReport, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("%w: %v", ErrTimestamp, p)
		}
	}()
	s, err := readStamp(token, func(h crypto.Hash) []byte {
		if h != crypto.SHA256 {
			return nil
		}
		return bytes.Clone(digest)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTimestamp, err)
	}
	if err := s.sig.CheckStrong(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTimestamp, err)
	}
	r = &StampReport{Time: s.Time, Authority: s.sig.Signer.Subject.CommonName}
	if roots != nil {
		_, err = paths(s.sig.Signer, s.sig.Certificates, roots, s.Time, x509.ExtKeyUsageTimeStamping)
		r.Trusted = err == nil
	}
	return r, nil
}
