package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Hash is a digest algorithm, named here so that callers need not import crypto for it.
type Hash = crypto.Hash

// Bounds on what Parse takes from a stranger.
const (
	maxDER          = 1 << 20 // a signature with long chains and revocation data stays far below
	maxCertificates = 32
	maxAttributes   = 64
)

// Errors of Parse and of the questions asked of a parsed signature.
var (
	ErrSyntax      = errors.New("not a readable CMS signature")
	ErrUnsupported = errors.New("unsupported CMS signature")
	ErrWeak        = errors.New("algorithm or key too weak")
	ErrDigest      = errors.New("message digest does not match the document")
	ErrSignature   = errors.New("signature value does not match the signer's key")
	ErrNoSigner    = errors.New("signer's certificate is not in the signature")
	ErrBinding     = errors.New("signing-certificate attribute names another certificate")
	ErrUnbound     = errors.New("no signing-certificate attribute")
	// ErrWeakBinding is an ErrUnbound: the attribute is there and fits, by SHA-1 alone.
	ErrWeakBinding = fmt.Errorf("%w but one by SHA-1", ErrUnbound)
)

// A Signature is one parsed CMS SignedData with its only signer.
type Signature struct {
	Signer       *x509.Certificate   // chosen by sid; nil when it is not carried
	Certificates []*x509.Certificate // all that are carried, in file order
	Hash         crypto.Hash         // over the document
	SigningTime  time.Time           // the signer's own claim, zero when absent
	Timestamps   [][]byte            // signature time stamp tokens, not checked here
	Revocations  Revocations         // carried along, not checked here
	Content      []byte              // encapsulated TSTInfo of an RFC 3161 token, else nil

	attrs     []byte // SET OF, as signed
	digest    []byte
	value     []byte
	algorithm pkix.AlgorithmIdentifier
	bindings  []binding
	encap     asn1.ObjectIdentifier
}

// A binding is what a signing-certificate attribute says first: the digest of the signer's certificate.
type binding struct {
	hash   crypto.Hash
	digest []byte
	issuer *generalIssuerSerial
}

// Parse reads one DER encoded signature. Trailing zero bytes, the unused part of /Contents, are allowed.
func Parse(der []byte) (*Signature, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("%w: %d bytes", ErrSyntax, len(der))
	}
	if len(der) > 1 && der[0] == 0x30 && der[1] == 0x80 {
		return nil, fmt.Errorf("%w: indefinite lengths (BER)", ErrUnsupported)
	}
	var ci contentInfo
	rest, err := asn1.Unmarshal(der, &ci)
	if err != nil {
		return nil, fmt.Errorf("%w: content info: %v", ErrSyntax, err)
	}
	if !holds(der[:len(der)-len(rest)], 2) {
		return nil, fmt.Errorf("%w: content info with more in it", ErrSyntax)
	}
	if len(bytes.Trim(rest, "\x00")) != 0 {
		return nil, fmt.Errorf("%w: bytes after its end", ErrSyntax)
	}
	if !ci.Type.Equal(oidSignedData) {
		return nil, fmt.Errorf("%w: content type %v", ErrUnsupported, ci.Type)
	}
	var sd signedData
	if rest, err = asn1.Unmarshal(ci.Content.FullBytes, &sd); err != nil {
		// encoding/asn1 hands over the value inside [0] or the whole, depending on the form; take the inner one then.
		if rest, err = asn1.Unmarshal(ci.Content.Bytes, &sd); err != nil {
			return nil, fmt.Errorf("%w: signed data: %v", ErrSyntax, err)
		}
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: bytes after signed data", ErrSyntax)
	}
	if !holds(sd.Raw, 4+present(sd.Certificates, sd.CRLs)) || !holds(sd.Encap.Raw, 1+present(sd.Encap.Content)) {
		return nil, fmt.Errorf("%w: signed data with more in it", ErrSyntax)
	}
	return fromSignedData(&sd)
}

// holds says whether a SEQUENCE has n members: encoding/asn1 leaves what follows the last one it knows unread, and nobody
// signs it.
func holds(der []byte, n int) bool {
	var seq asn1.RawValue
	if _, err := asn1.Unmarshal(der, &seq); err != nil {
		return false
	}
	for rest := seq.Bytes; len(rest) > 0; n-- {
		var member asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &member); err != nil {
			return false
		}
	}
	return n == 0
}

func present(optional ...asn1.RawValue) (n int) {
	for _, o := range optional {
		if len(o.FullBytes) > 0 {
			n++
		}
	}
	return n
}

func fromSignedData(sd *signedData) (*Signature, error) {
	if len(sd.Signers) != 1 {
		return nil, fmt.Errorf("%w: %d signers", ErrUnsupported, len(sd.Signers))
	}
	if v := sd.Version; v != 1 && v != 3 && v != 4 && v != 5 {
		return nil, fmt.Errorf("%w: version %d", ErrSyntax, v)
	}
	s := &Signature{encap: sd.Encap.Type}
	switch {
	case sd.Encap.Type.Equal(oidData) && len(sd.Encap.Content.FullBytes) == 0:
	case sd.Encap.Type.Equal(oidTSTInfo):
		if err := s.readContent(sd.Encap.Content); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: not detached, or content type %v", ErrUnsupported, sd.Encap.Type)
	}
	if err := s.readCertificates(sd.Certificates.Bytes); err != nil {
		return nil, err
	}
	var si signerInfo
	if rest, err := asn1.Unmarshal(sd.Signers[0].FullBytes, &si); err != nil || len(rest) != 0 ||
		!holds(sd.Signers[0].FullBytes, 5+present(si.SignedAttrs, si.UnsignedAttrs)) {
		return nil, fmt.Errorf("%w: signer info: %v", ErrSyntax, err)
	}
	if !slices.ContainsFunc(sd.DigestAlgorithms, func(a pkix.AlgorithmIdentifier) bool {
		return a.Algorithm.Equal(si.DigestAlgorithm.Algorithm) && hashOf(a) != 0
	}) {
		return nil, fmt.Errorf("%w: digest algorithm is not announced", ErrSyntax)
	}
	// RFC 5652 §5.1: 3 goes with content that is no plain data and with subject key identifiers. Nothing signs this number,
	// so a file in which it is wrong has been touched.
	if want := max(si.Version, contentVersion(sd)); sd.Version != want && (sd.Version < 4 || !sd.modern()) {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrUnsupported, sd.Version, want)
	}
	if err := s.readSigner(&si); err != nil {
		return nil, err
	}
	return s, nil
}

// modern says whether something is carried that version 4 or 5 was made for: other certificates, revocation data.
func (sd *signedData) modern() bool {
	if len(sd.CRLs.FullBytes) > 0 {
		return true
	}
	for der := sd.Certificates.Bytes; len(der) > 0; {
		var raw asn1.RawValue
		var err error
		if der, err = asn1.Unmarshal(der, &raw); err != nil {
			return false
		}
		if raw.Class == asn1.ClassContextSpecific {
			return true
		}
	}
	return false
}

func contentVersion(sd *signedData) int {
	if sd.Encap.Type.Equal(oidData) {
		return 1
	}
	return 3
}

func (s *Signature) readContent(raw asn1.RawValue) error {
	der := raw.FullBytes
	if raw.Class == asn1.ClassContextSpecific {
		der = raw.Bytes
	}
	if rest, err := asn1.Unmarshal(der, &s.Content); err != nil || len(rest) != 0 {
		return fmt.Errorf("%w: encapsulated content: %v", ErrSyntax, err)
	}
	return nil
}

func (s *Signature) readCertificates(der []byte) error {
	for n := 0; len(der) > 0; n++ {
		var raw asn1.RawValue
		rest, err := asn1.Unmarshal(der, &raw)
		if err != nil || n == maxCertificates {
			return fmt.Errorf("%w: certificates: %v", ErrSyntax, err)
		}
		der = rest
		// What is not an X.509 certificate (attribute certificates, damaged extras) cannot be the signer and is left out.
		if c, err := ParseCertificate(raw.FullBytes); err == nil {
			s.Certificates = append(s.Certificates, c)
		}
	}
	return nil
}

func (s *Signature) readSigner(si *signerInfo) error {
	// RFC 5652 §5.3: 1 goes with issuer and serial, 3 with a subject key identifier.
	if want := map[bool]int{true: 3, false: 1}[si.SID.Class == asn1.ClassContextSpecific]; si.Version != want {
		return fmt.Errorf("%w: signer version %d", ErrSyntax, si.Version)
	}
	s.value, s.algorithm = si.Signature, si.SigAlgorithm
	if s.Hash = hashOf(si.DigestAlgorithm); s.Hash == 0 {
		return fmt.Errorf("%w: digest algorithm %v", ErrUnsupported, si.DigestAlgorithm.Algorithm)
	}
	if len(si.SignedAttrs.FullBytes) == 0 {
		return fmt.Errorf("%w: no signed attributes", ErrUnsupported)
	}
	s.attrs = bytes.Clone(si.SignedAttrs.FullBytes)
	s.attrs[0] = 0x31
	if err := s.readAttributes(si.SignedAttrs.Bytes); err != nil {
		return err
	}
	unsigned, err := attributes(si.UnsignedAttrs.Bytes)
	if err != nil {
		return err
	}
	for _, a := range unsigned {
		if !knownUnsigned(a.Type) {
			return fmt.Errorf("%w: unsigned attribute %v", ErrUnsupported, a.Type)
		}
		if !a.Type.Equal(oidTimestamp) {
			continue
		}
		if s.Timestamps != nil {
			return fmt.Errorf("%w: attribute %v twice", ErrSyntax, a.Type)
		}
		if s.Timestamps, err = timestamps(a.Values.Bytes); err != nil {
			return err
		}
	}
	return s.chooseSigner(si.SID)
}

// knownUnsigned names the unsigned attributes that are met: those of CAdES, of Microsoft and of Adobe. Nothing protects
// them, so another one may be a known one that somebody has spoilt, such as the time stamp.
func knownUnsigned(id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(unsignedAttributes, id.Equal) || slices.ContainsFunc(unsignedArcs, func(arc asn1.ObjectIdentifier) bool {
		return len(id) > len(arc) && arc.Equal(id[:len(arc)])
	})
}

// attributes splits the inside of a SET OF Attribute.
func attributes(der []byte) ([]attribute, error) {
	var out []attribute
	for len(der) > 0 {
		var a attribute
		rest, err := asn1.Unmarshal(der, &a)
		set := a.Values.Class == asn1.ClassUniversal && a.Values.Tag == asn1.TagSet && a.Values.IsCompound
		if err != nil || len(out) == maxAttributes || !set || !holds(der[:len(der)-len(rest)], 2) {
			return nil, fmt.Errorf("%w: attributes: %v", ErrSyntax, err)
		}
		out, der = append(out, a), rest
	}
	return out, nil
}

func (s *Signature) readAttributes(der []byte) error {
	attrs, err := attributes(der)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, a := range attrs {
		// RFC 5652 §5.3: none of those read here may occur twice.
		if seen[a.Type.String()] {
			return fmt.Errorf("%w: attribute %v twice", ErrSyntax, a.Type)
		}
		seen[a.Type.String()] = true
		if err := s.readAttribute(a); err != nil {
			return err
		}
	}
	if !seen[oidContentType.String()] || !seen[oidMessageDigest.String()] {
		return fmt.Errorf("%w: mandatory attribute missing", ErrSyntax)
	}
	return nil
}

func (s *Signature) readAttribute(a attribute) error {
	var err error
	var rest []byte
	switch {
	case a.Type.Equal(oidContentType):
		var t asn1.ObjectIdentifier
		if rest, err = asn1.Unmarshal(a.Values.Bytes, &t); err == nil && !t.Equal(s.encap) {
			err = errors.New("contradicts the content")
		}
	case a.Type.Equal(oidMessageDigest):
		rest, err = asn1.Unmarshal(a.Values.Bytes, &s.digest)
	case a.Type.Equal(oidSigningTime):
		rest, err = asn1.Unmarshal(a.Values.Bytes, &s.SigningTime)
	case a.Type.Equal(oidAdobeRevocation):
		// It proves something or nothing; what cannot be read there takes nothing from the signature.
		s.Revocations, _ = adobeRevocation(a.Values.Bytes)
	case a.Type.Equal(oidSigningCertV2):
		var v struct {
			Certs    []essCertIDv2
			Policies asn1.RawValue `asn1:"optional"`
		}
		if rest, err = asn1.Unmarshal(a.Values.Bytes, &v); err == nil && len(v.Certs) > 0 {
			h := crypto.SHA256 // RFC 5035 §4: the default
			if v.Certs[0].Hash.Algorithm != nil {
				h = hashOf(v.Certs[0].Hash)
			}
			s.bind(h, v.Certs[0].CertHash, v.Certs[0].IssuerSerial)
		}
	case a.Type.Equal(oidSigningCert):
		var v struct {
			Certs    []essCertID
			Policies asn1.RawValue `asn1:"optional"`
		}
		if rest, err = asn1.Unmarshal(a.Values.Bytes, &v); err == nil && len(v.Certs) > 0 {
			s.bind(crypto.SHA1, v.Certs[0].CertHash, v.Certs[0].IssuerSerial)
		}
	}
	if err != nil || len(rest) != 0 {
		return fmt.Errorf("%w: attribute %v: %v", ErrSyntax, a.Type, err)
	}
	return nil
}

func (s *Signature) bind(h crypto.Hash, digest []byte, is generalIssuerSerial) {
	b := binding{hash: h, digest: digest}
	if is.Serial != nil {
		b.issuer = &is
	}
	s.bindings = append(s.bindings, b)
}

// chooseSigner finds the certificate that sid names, by issuer and serial or by subject key identifier, and by
// nothing else: other certificates in the file are the attacker's to choose.
func (s *Signature) chooseSigner(sid asn1.RawValue) error {
	if sid.Class == asn1.ClassContextSpecific && sid.Tag == 0 {
		for _, c := range s.Certificates {
			if len(sid.Bytes) > 0 && bytes.Equal(c.SubjectKeyId, sid.Bytes) {
				s.Signer = c
				return nil
			}
		}
		return nil
	}
	var is issuerSerial
	if rest, err := asn1.Unmarshal(sid.FullBytes, &is); err != nil || len(rest) != 0 || is.Serial == nil {
		return fmt.Errorf("%w: signer id: %v", ErrSyntax, err)
	}
	for _, c := range s.Certificates {
		if bytes.Equal(c.RawIssuer, is.Issuer.FullBytes) && c.SerialNumber.Cmp(is.Serial) == 0 {
			s.Signer = c
			return nil
		}
	}
	return nil
}
