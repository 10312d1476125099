package cms

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"time"
)

// leastRSA is the shortest RSA key that is looked at.
const leastRSA = 1024

// A Weakness is the weakest part of a signature that can be forged today. What is proven to be older than Ended was made when
// nobody could.
type Weakness struct {
	Name  string // "SHA-1"; "" for none
	Ended time.Time
}

func endOf(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

var (
	// Collisions of MD5 were shown in August 2004. SHA-1 and RSA under 2048 bits were given up for signatures at the end of
	// 2013 (NIST SP 800-131A).
	endOfMD5      = endOf(2004, time.August, 1)
	endOfSHA1     = endOf(2014, time.January, 1)
	endOfShortRSA = endOf(2014, time.January, 1)
	// endOf112Bits is when RSA under 3000 bits is given up (NIST SP 800-57): what has to hold longer is renewed before.
	endOf112Bits = endOf(2031, time.January, 1)
)

func weakHash(h crypto.Hash) Weakness {
	switch h {
	case crypto.MD5:
		return Weakness{"MD5", endOfMD5}
	case crypto.SHA1:
		return Weakness{"SHA-1", endOfSHA1}
	}
	return Weakness{}
}

// worse is the one that ended first.
func (w Weakness) worse(o Weakness) Weakness {
	if w.Name == "" || o.Name != "" && o.Ended.Before(w.Ended) {
		return o
	}
	return w
}

// Weakness is the weakest of the digests and of the key that the signature rests on, a stamp's digest of what it stamps
// included. Only a signature that passed CheckSignature is asked.
func (s *Signature) Weakness() Weakness {
	w := weakHash(s.Hash)
	if h, err := s.signatureHash(); err == nil {
		w = w.worse(weakHash(h))
	}
	if s.boundWeakly() {
		w = w.worse(weakHash(crypto.SHA1))
	}
	if s.Content != nil {
		if t, err := s.Stamp(); err == nil {
			w = w.worse(weakHash(t.Hash))
		}
	}
	if pub, ok := s.Signer.PublicKey.(*rsa.PublicKey); ok && pub.N.BitLen() < 2048 {
		w = w.worse(Weakness{fmt.Sprintf("RSA %d bit", pub.N.BitLen()), endOfShortRSA})
	}
	return w
}

// CheckStrong refuses what can be forged today, whatever its age.
func (s *Signature) CheckStrong() error {
	if s.Signer == nil {
		return ErrNoSigner
	}
	if w := s.Weakness(); w.Name != "" {
		return fmt.Errorf("%w: %s", ErrWeak, w.Name)
	}
	return nil
}

// Until is when the signature's certificate or its algorithm ends, whichever comes first.
func (s *Signature) Until() time.Time {
	until := s.Signer.NotAfter
	if pub, ok := s.Signer.PublicKey.(*rsa.PublicKey); ok && pub.N.BitLen() < 3000 && endOf112Bits.Before(until) {
		until = endOf112Bits
	}
	return until
}
