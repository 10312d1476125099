package cms

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// pssParams are the parameters of RSA-PSS with their defaults filled in (RFC 4055 §3.1).
type pssParams struct {
	hash crypto.Hash
	salt int
}

var oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// The ASN.1 shape of RSASSA-PSS-params.
type pssSyntax struct {
	Hash    pkix.AlgorithmIdentifier `asn1:"optional,explicit,tag:0"`
	MGF     pkix.AlgorithmIdentifier `asn1:"optional,explicit,tag:1"`
	Salt    int                      `asn1:"optional,explicit,tag:2,default:20"`
	Trailer int                      `asn1:"optional,explicit,tag:3,default:1"`
}

// readPSS takes parameters whose mask uses the same digest, which is what everybody writes.
func readPSS(alg pkix.AlgorithmIdentifier) (p pssParams, err error) {
	var v pssSyntax
	if rest, err := asn1.Unmarshal(alg.Parameters.FullBytes, &v); err != nil || len(rest) != 0 {
		return p, fmt.Errorf("%w: RSA-PSS parameters: %v", ErrUnsupported, err)
	}
	p = pssParams{crypto.SHA1, v.Salt}
	if len(v.Hash.Algorithm) > 0 {
		p.hash = hashOf(v.Hash)
	}
	mask := crypto.SHA1
	if len(v.MGF.Algorithm) > 0 {
		var mgf pkix.AlgorithmIdentifier
		if _, err := asn1.Unmarshal(v.MGF.Parameters.FullBytes, &mgf); err != nil || !v.MGF.Algorithm.Equal(oidMGF1) {
			return p, fmt.Errorf("%w: RSA-PSS mask", ErrUnsupported)
		}
		mask = hashOf(mgf)
	}
	if p.hash == 0 || mask != p.hash || v.Trailer != 1 || p.salt < 0 || p.salt > 1024 {
		return p, fmt.Errorf("%w: RSA-PSS parameters", ErrUnsupported)
	}
	return p, nil
}

// pssAlgorithm is RSA-PSS with one digest and a salt as long.
func pssAlgorithm(h crypto.Hash) (alg pkix.AlgorithmIdentifier, err error) {
	inner := pkix.AlgorithmIdentifier{Algorithm: oidOf(h), Parameters: asn1.NullRawValue}
	mask, err := asn1.Marshal(inner)
	if err != nil {
		return alg, fmt.Errorf("encode RSA-PSS: %w", err)
	}
	// Not pssSyntax: encoding/asn1 would leave out a salt of 20, and write a trailer.
	der, err := asn1.Marshal(struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
	}{inner, pkix.AlgorithmIdentifier{Algorithm: oidMGF1, Parameters: asn1.RawValue{FullBytes: mask}}, h.Size()})
	if err != nil {
		return alg, fmt.Errorf("encode RSA-PSS: %w", err)
	}
	return pkix.AlgorithmIdentifier{Algorithm: oidRSAPSS, Parameters: asn1.RawValue{FullBytes: der}}, nil
}

// ParseCertificate is x509.ParseCertificate that also reads keys which are for RSA-PSS alone (RFC 4055 §1.2): crypto/x509 leaves
// those out, and could not follow a chain through them.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil || c.PublicKey != nil || !pssOnly(c) {
		return c, err
	}
	var spki subjectKey
	if rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil || len(rest) != 0 {
		return c, nil
	}
	if pub, err := x509.ParsePKCS1PublicKey(spki.Key.RightAlign()); err == nil {
		c.PublicKey, c.PublicKeyAlgorithm = pub, x509.RSA
	}
	return c, nil
}

type subjectKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// pssOnly says that a certificate's key may sign by RSA-PSS only.
func pssOnly(c *x509.Certificate) bool {
	var spki subjectKey
	_, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki)
	return err == nil && spki.Algorithm.Algorithm.Equal(oidRSAPSS)
}

// permits says whether the parameters that a key of RSA-PSS is bound to, if any, allow a signature's (RFC 4055 §3.3).
func permits(c *x509.Certificate, alg pkix.AlgorithmIdentifier) bool {
	var spki subjectKey
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil || !spki.Algorithm.Algorithm.Equal(oidRSAPSS) || len(spki.Algorithm.Parameters.FullBytes) == 0 {
		return err == nil
	}
	bound, err := readPSS(spki.Algorithm)
	if err != nil {
		return false
	}
	p, err := readPSS(alg)
	return err == nil && p.hash == bound.hash && p.salt >= bound.salt
}

// FollowsPSS says whether a chain respects keys that are for RSA-PSS alone: what such a key has issued is signed so.
func FollowsPSS(chain []*x509.Certificate) bool {
	for i := range chain[:max(0, len(chain)-1)] {
		switch chain[i].SignatureAlgorithm {
		case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		default:
			if pssOnly(chain[i+1]) {
				return false
			}
		}
	}
	return true
}
