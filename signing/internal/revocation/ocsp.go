package revocation

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // names certificates in OCSP, secures nothing
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"congvan/signing/internal/cms"
)

// rsaPSS stands for RSA-PSS of any strong digest, which its parameters name.
const rsaPSS = x509.SHA256WithRSAPSS

// Bounds on an answer from outside.
const (
	maxOCSP      = 1 << 20
	maxResponses = 256
	maxResponder = 16
)

var (
	oidBasic   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	hashesByID = []struct {
		oid  asn1.ObjectIdentifier
		hash crypto.Hash
	}{
		{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
	}
	algorithms = map[string]x509.SignatureAlgorithm{
		"1.2.840.113549.1.1.11": x509.SHA256WithRSA, "1.2.840.113549.1.1.12": x509.SHA384WithRSA,
		"1.2.840.113549.1.1.13": x509.SHA512WithRSA, "1.2.840.10045.4.3.2": x509.ECDSAWithSHA256,
		"1.2.840.10045.4.3.3": x509.ECDSAWithSHA384, "1.2.840.10045.4.3.4": x509.ECDSAWithSHA512,
		"1.2.840.113549.1.1.10": rsaPSS,
	}
)

// The ASN.1 shapes of RFC 6960 §4.2.
type (
	ocspResponse struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type     asn1.ObjectIdentifier
			Response []byte
		} `asn1:"optional,explicit,tag:0"`
	}
	basicResponse struct {
		TBS          responseData
		Algorithm    pkix.AlgorithmIdentifier
		Signature    asn1.BitString
		Certificates []asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}
	responseData struct {
		Raw        asn1.RawContent
		Version    int `asn1:"optional,explicit,tag:0"`
		Responder  asn1.RawValue
		ProducedAt time.Time `asn1:"generalized"`
		Responses  []singleResponse
		Extensions []pkix.Extension `asn1:"optional,explicit,tag:1"`
	}
	singleResponse struct {
		ID struct {
			Hash     pkix.AlgorithmIdentifier
			NameHash []byte
			KeyHash  []byte
			Serial   *big.Int
		}
		Status     asn1.RawValue    // CHOICE of three implicit tags
		This       time.Time        `asn1:"generalized"`
		Next       time.Time        `asn1:"optional,generalized,explicit,tag:0"`
		Extensions []pkix.Extension `asn1:"optional,explicit,tag:1"`
	}
	revokedInfo struct {
		At     time.Time       `asn1:"generalized"`
		Reason asn1.Enumerated `asn1:"optional,explicit,tag:0"`
	}
)

// OCSP is a parsed answer of a responder.
type OCSP struct {
	der          []byte
	tbs          responseData
	algorithm    pkix.AlgorithmIdentifier
	signature    []byte
	certificates []*x509.Certificate
}

// ParseOCSP reads one OCSP answer.
func ParseOCSP(der []byte) (*OCSP, error) {
	if len(der) > maxOCSP {
		return nil, fmt.Errorf("%w: %d bytes", ErrSyntax, len(der))
	}
	var r ocspResponse
	if rest, err := asn1.Unmarshal(der, &r); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: OCSP: %v", ErrSyntax, err)
	}
	if r.Status != 0 {
		return nil, fmt.Errorf("%w: OCSP status %d", ErrRefused, r.Status)
	}
	var b basicResponse
	if !r.Bytes.Type.Equal(oidBasic) {
		return nil, fmt.Errorf("%w: OCSP type %v", ErrSyntax, r.Bytes.Type)
	}
	if rest, err := asn1.Unmarshal(r.Bytes.Response, &b); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: OCSP: %v", ErrSyntax, err)
	}
	if len(b.TBS.Responses) > maxResponses || len(b.Certificates) > maxResponder {
		return nil, fmt.Errorf("%w: OCSP: too many parts", ErrSyntax)
	}
	o := &OCSP{der: der, tbs: b.TBS, algorithm: b.Algorithm, signature: b.Signature.RightAlign()}
	for _, raw := range b.Certificates {
		c, err := cms.ParseCertificate(raw.FullBytes)
		if err != nil {
			return nil, fmt.Errorf("%w: OCSP: certificate: %v", ErrSyntax, err)
		}
		o.certificates = append(o.certificates, c)
	}
	return o, nil
}

// DER is the answer as it came.
func (o *OCSP) DER() []byte { return o.der }

// Answer finds what is said about the certificate.
func (o *OCSP) Answer(cert, issuer *x509.Certificate) (*Answer, error) {
	i := slices.IndexFunc(o.tbs.Responses, func(s singleResponse) bool { return s.names(cert, issuer) })
	if i < 0 {
		return nil, ErrOther
	}
	s := o.tbs.Responses[i]
	for _, e := range slices.Concat(s.Extensions, o.tbs.Extensions) {
		if e.Critical {
			return nil, fmt.Errorf("%w: critical extension %v", ErrScope, e.Id)
		}
	}
	if err := o.checkSigner(issuer); err != nil {
		return nil, err
	}
	a := &Answer{This: s.This.UTC(), Next: s.Next.UTC()}
	if s.Next.IsZero() {
		a.Next = time.Time{}
	}
	if s.Status.Class != asn1.ClassContextSpecific {
		return nil, fmt.Errorf("%w: OCSP: status", ErrSyntax)
	}
	switch s.Status.Tag {
	case 0:
		a.Status = Good
	case 1:
		var r revokedInfo
		der := append([]byte{}, s.Status.FullBytes...)
		der[0] = 0x30 // implicit tag back to SEQUENCE
		if rest, err := asn1.Unmarshal(der, &r); err != nil || len(rest) != 0 {
			return nil, fmt.Errorf("%w: OCSP: revocation: %v", ErrSyntax, err)
		}
		a.Status, a.RevokedAt, a.Reason = Revoked, r.At.UTC(), int(r.Reason)
	case 2:
		a.Status = Unknown
	default:
		return nil, fmt.Errorf("%w: OCSP: status", ErrSyntax)
	}
	return a, nil
}

// names says whether the answer is about this certificate of this issuer.
func (s *singleResponse) names(cert, issuer *x509.Certificate) bool {
	if s.ID.Serial == nil || s.ID.Serial.Cmp(cert.SerialNumber) != 0 {
		return false
	}
	for _, h := range hashesByID {
		if h.oid.Equal(s.ID.Hash.Algorithm) {
			return bytes.Equal(s.ID.NameHash, sum(h.hash, cert.RawIssuer)) && bytes.Equal(s.ID.KeyHash, sum(h.hash, publicKey(issuer)))
		}
	}
	return false
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// publicKey are the bits of the key without its algorithm, which OCSP takes the digest of.
func publicKey(c *x509.Certificate) []byte {
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil {
		return nil
	}
	return spki.Key.RightAlign()
}

// checkSigner wants the answer signed by the issuer, or by a responder that the issuer itself has appointed (RFC 6960
// §4.2.2.2). A responder is not asked about in turn; authorities mark theirs with ocsp-nocheck or give them short lives.
func (o *OCSP) checkSigner(issuer *x509.Certificate) error {
	if _, known := algorithms[o.algorithm.Algorithm.String()]; !known {
		return fmt.Errorf("%w: weak or unknown algorithm %v", ErrForged, o.algorithm.Algorithm)
	}
	for _, c := range append([]*x509.Certificate{issuer}, o.certificates...) {
		if !o.responder(c) || !o.signedBy(c) {
			continue
		}
		if bytes.Equal(c.RawSubject, issuer.RawSubject) && bytes.Equal(c.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) {
			return nil
		}
		if err := issued(c, issuer); err != nil {
			return err
		}
		if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) || o.tbs.ProducedAt.Before(c.NotBefore) || o.tbs.ProducedAt.After(c.NotAfter) {
			return fmt.Errorf("%w: responder was not appointed at that time", ErrForged)
		}
		return nil
	}
	return ErrForged
}

// signedBy verifies the answer's signature with the key of a certificate.
func (o *OCSP) signedBy(c *x509.Certificate) bool {
	alg := algorithms[o.algorithm.Algorithm.String()]
	if alg != rsaPSS {
		return c.CheckSignature(alg, o.tbs.Raw, o.signature) == nil
	}
	return cms.CheckPSS(c, o.algorithm, o.tbs.Raw, o.signature) == nil
}

// responder says whether the answer names this certificate as its signer's.
func (o *OCSP) responder(c *x509.Certificate) bool {
	id := o.tbs.Responder
	if id.Class != asn1.ClassContextSpecific {
		return false
	}
	switch id.Tag {
	case 1:
		return bytes.Equal(id.Bytes, c.RawSubject)
	case 2:
		var key []byte
		_, err := asn1.Unmarshal(id.Bytes, &key)
		return err == nil && bytes.Equal(key, sum(crypto.SHA1, publicKey(c)))
	}
	return false
}
