package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// CheckDigest compares the signed message digest with the one taken over the document by s.Hash. Whether that is strong enough
// is asked of Weakness.
func (s *Signature) CheckDigest(digest []byte) error {
	if subtle.ConstantTimeCompare(s.digest, digest) != 1 {
		return ErrDigest
	}
	return nil
}

// CheckBinding says whether the signed attributes name the certificate that sid chose (RFC 5035 §3).
func (s *Signature) CheckBinding() error {
	if s.Signer == nil {
		return ErrNoSigner
	}
	if len(s.bindings) == 0 {
		return ErrUnbound
	}
	for _, b := range s.bindings {
		if b.hash == 0 {
			return fmt.Errorf("%w: its digest algorithm is unknown", ErrBinding)
		}
		if !bytes.Equal(b.digest, digestOf(b.hash, s.Signer.Raw)) {
			return ErrBinding
		}
		if b.issuer != nil && b.issuer.Serial.Cmp(s.Signer.SerialNumber) != 0 {
			return ErrBinding
		}
	}
	if s.boundWeakly() {
		return ErrWeakBinding
	}
	return nil
}

// boundWeakly says that every attribute which names the certificate does so by a broken digest.
func (s *Signature) boundWeakly() bool {
	for _, b := range s.bindings {
		if weakHash(b.hash).Name == "" {
			return false
		}
	}
	return len(s.bindings) > 0
}

// CheckSignature verifies the signature value over the signed attributes with the signer's key. A value by a broken algorithm
// may pass: Weakness tells.
func (s *Signature) CheckSignature() error {
	if s.Signer == nil {
		return ErrNoSigner
	}
	h, err := s.signatureHash()
	if err != nil {
		return err
	}
	switch pub := s.Signer.PublicKey.(type) {
	case *rsa.PublicKey:
		if s.algorithm.Algorithm.Equal(oidRSAPSS) {
			return checkPSS(s.Signer, s.algorithm, s.attrs, s.value)
		}
		if pub.N.BitLen() < leastRSA {
			return fmt.Errorf("%w: RSA of %d bits", ErrWeak, pub.N.BitLen())
		}
		if pssOnly(s.Signer) || rsa.VerifyPKCS1v15(pub, h, digestOf(h, s.attrs), s.value) != nil {
			return ErrSignature
		}
		return nil
	case *ecdsa.PublicKey:
		if bits := pub.Curve.Params().BitSize; bits < 256 {
			return fmt.Errorf("%w: ECDSA of %d bits", ErrWeak, bits)
		}
		if !ecdsa.VerifyASN1(pub, digestOf(h, s.attrs), s.value) {
			return ErrSignature
		}
		return nil
	}
	return fmt.Errorf("%w: key of type %T", ErrUnsupported, s.Signer.PublicKey)
}

// signatureAlgorithms are those whose identifier names the digest; 0 is for those that leave it to the signer info.
var signatureAlgorithms = []struct {
	oid  asn1.ObjectIdentifier
	rsa  bool
	hash crypto.Hash
}{
	{oidRSA, true, 0}, {oidRSAMD5, true, crypto.MD5}, {oidRSASHA1, true, crypto.SHA1},
	{oidRSASHA256, true, crypto.SHA256}, {oidRSASHA384, true, crypto.SHA384}, {oidRSASHA512, true, crypto.SHA512},
	{oidECPublicKey, false, 0}, {oidECDSASHA1, false, crypto.SHA1},
	{oidECDSASHA256, false, crypto.SHA256}, {oidECDSASHA384, false, crypto.SHA384}, {oidECDSASHA512, false, crypto.SHA512},
}

// signatureHash is the digest that the signature value was made with.
func (s *Signature) signatureHash() (crypto.Hash, error) {
	_, isRSA := s.Signer.PublicKey.(*rsa.PublicKey)
	if isRSA && s.algorithm.Algorithm.Equal(oidRSAPSS) {
		p, err := readPSS(s.algorithm)
		if err == nil && p.hash != s.Hash { // RFC 4056 §3
			err = fmt.Errorf("%w: RSA-PSS over another digest", ErrUnsupported)
		}
		return p.hash, err
	}
	if !noParameters(s.algorithm) {
		return 0, fmt.Errorf("%w: signature algorithm parameters", ErrUnsupported)
	}
	for _, a := range signatureAlgorithms {
		if a.rsa == isRSA && a.oid.Equal(s.algorithm.Algorithm) {
			if a.hash == 0 {
				return s.Hash, nil
			}
			return a.hash, nil
		}
	}
	return 0, fmt.Errorf("%w: signature algorithm %v", ErrUnsupported, s.algorithm.Algorithm)
}

// CheckPSS verifies an RSA-PSS signature by a strong digest, with the parameters of its algorithm and those that the key is
// bound to.
func CheckPSS(c *x509.Certificate, alg pkix.AlgorithmIdentifier, signed, value []byte) error {
	p, err := readPSS(alg)
	if err != nil {
		return err
	}
	if w := weakHash(p.hash); w.Name != "" {
		return fmt.Errorf("%w: %s", ErrWeak, w.Name)
	}
	return checkPSS(c, alg, signed, value)
}

func checkPSS(c *x509.Certificate, alg pkix.AlgorithmIdentifier, signed, value []byte) error {
	p, err := readPSS(alg)
	if err != nil {
		return err
	}
	pub, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return fmt.Errorf("%w: key of type %T", ErrUnsupported, c.PublicKey)
	case pub.N.BitLen() < leastRSA:
		return fmt.Errorf("%w: RSA of %d bits", ErrWeak, pub.N.BitLen())
	case p.salt > pub.Size() || !permits(c, alg),
		rsa.VerifyPSS(pub, p.hash, digestOf(p.hash, signed), value, &rsa.PSSOptions{SaltLength: saltOption(p.salt)}) != nil:
		return ErrSignature
	}
	return nil
}

// saltOption keeps Go from taking a salt of no bytes for "any length".
func saltOption(n int) int {
	if n == 0 {
		return rsa.PSSSaltLengthAuto
	}
	return n
}
