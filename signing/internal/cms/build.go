package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "crypto/md5" // recognised in foreign signatures, see Weakness
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // likewise
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// ErrKey means that a key is of a kind or size that may not sign.
var ErrKey = errors.New("unsupported signing key: need RSA of 2048 bits or more, or ECDSA on P-256, P-384 or P-521")

// MaxSignatureLen is the longest signature value that a key of this kind makes.
func MaxSignatureLen(pub crypto.PublicKey) (int, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if n := k.Size(); n >= 256 && n <= 1024 {
			return n, nil
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			n := (k.Curve.Params().BitSize + 7) / 8
			return 2*(n+3) + 4, nil // two INTEGERs with a sign byte each, one SEQUENCE header
		}
	}
	return 0, ErrKey
}

// A Scheme is how signatures are made. The zero value is SHA-256, and for RSA keys PKCS #1 v1.5.
type Scheme struct {
	Hash crypto.Hash // SHA-256, SHA-384 or SHA-512; 0 is SHA-256
	PSS  bool        // of RSA keys: RSA-PSS with a salt as long as the digest (RFC 4056)
}

// Digest is the digest algorithm.
func (c Scheme) Digest() crypto.Hash {
	if c.Hash == 0 {
		return crypto.SHA256
	}
	return c.Hash
}

// algorithm names the scheme as signatures of a key do.
func (c Scheme) algorithm(pub crypto.PublicKey) (pkix.AlgorithmIdentifier, error) {
	if _, ok := pub.(*rsa.PublicKey); !ok {
		return pkix.AlgorithmIdentifier{Algorithm: map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA256: oidECDSASHA256, crypto.SHA384: oidECDSASHA384,
			crypto.SHA512: oidECDSASHA512}[c.Digest()]}, nil
	}
	if c.PSS {
		return pssAlgorithm(c.Digest())
	}
	return pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}, nil
}

// sign signs the encoded attributes.
func (c Scheme) sign(signer crypto.Signer, attrs []byte) ([]byte, error) {
	h := c.Digest()
	var opts crypto.SignerOpts = h
	if _, ok := signer.Public().(*rsa.PublicKey); ok && c.PSS {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	sig, err := signer.Sign(rand.Reader, digestOf(h, attrs), opts)
	if err != nil {
		return nil, fmt.Errorf("sign attributes: %w", err)
	}
	return sig, nil
}

// Build signs by SHA-256 what BuildAs signs.
func Build(signer crypto.Signer, chain []*x509.Certificate, digest []byte,
	stamp func(value []byte) (token []byte, err error), extra ...Attribute) ([]byte, error) {
	return BuildAs(Scheme{}, signer, chain, digest, stamp, extra...)
}

// BuildAs signs a digest of the document and returns the DER of the whole ContentInfo. chain[0] is the signer's
// certificate; the others are carried along. stamp, unless nil, is asked for a time stamp token over the signature value,
// which goes along as an unsigned attribute (id-aa-timeStampToken). extra are further signed attributes.
func BuildAs(scheme Scheme, signer crypto.Signer, chain []*x509.Certificate, digest []byte,
	stamp func(value []byte) (token []byte, err error), extra ...Attribute) ([]byte, error) {
	attrs, err := signedAttributes(chain[0], digest, extra...)
	if err != nil {
		return nil, err
	}
	sig, err := scheme.sign(signer, attrs)
	if err != nil {
		return nil, err
	}
	if stamp == nil {
		return assemble(scheme, chain, attrs, sig, nil)
	}
	token, err := stamp(sig)
	if err != nil {
		return nil, err
	}
	return assemble(scheme, chain, attrs, sig, token)
}

// StampOverhead is the most that a token adds to a signature beyond its own length: the attribute around it, and longer
// length fields further out.
const StampOverhead = 64

// MaxLen is the longest DER that Build can return for this chain. Nothing is signed to find out.
func MaxLen(chain []*x509.Certificate) (int, error) { return Scheme{}.MaxLen(chain) }

// MaxLen is MaxLen for BuildAs.
func (c Scheme) MaxLen(chain []*x509.Certificate) (int, error) {
	n, err := MaxSignatureLen(chain[0].PublicKey)
	if err != nil {
		return 0, err
	}
	attrs, err := signedAttributes(chain[0], make([]byte, c.Digest().Size()))
	if err != nil {
		return 0, err
	}
	der, err := assemble(c, chain, attrs, make([]byte, n), nil)
	return len(der), err
}

// signedAttributes encodes the attributes as the SET OF that is hashed and signed (RFC 5652 §5.4).
func signedAttributes(leaf *x509.Certificate, digest []byte, extra ...Attribute) ([]byte, error) {
	// ESSCertIDv2 with the default algorithm, SHA-256, left out as DER wants. IssuerSerial is given for older readers.
	name, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: leaf.RawIssuer})
	if err != nil {
		return nil, fmt.Errorf("encode issuer: %w", err)
	}
	ess := struct{ Certs []any }{[]any{struct {
		Hash         []byte
		IssuerSerial any
	}{digestOf(crypto.SHA256, leaf.Raw), issuerSerial{
		Issuer: asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: name},
		Serial: leaf.SerialNumber,
	}}}}
	values := []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{{oidContentType, oidData}, {oidMessageDigest, digest}, {oidSigningCertV2, ess}}
	members := make([][]byte, len(values), len(values)+len(extra))
	for i, v := range values {
		b, err := asn1.Marshal(v.value)
		if err != nil {
			return nil, fmt.Errorf("encode attribute %v: %w", v.oid, err)
		}
		set := asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: b}
		if members[i], err = asn1.Marshal(attribute{v.oid, set}); err != nil {
			return nil, fmt.Errorf("encode attribute %v: %w", v.oid, err)
		}
	}
	for _, a := range extra {
		b, err := asn1.Marshal(a)
		if err != nil {
			return nil, fmt.Errorf("encode attribute %v: %w", a.Type, err)
		}
		members = append(members, b)
	}
	slices.SortFunc(members, bytes.Compare) // DER: the members of a SET OF stand in ascending order
	return asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: bytes.Join(members, nil)})
}

func assemble(scheme Scheme, chain []*x509.Certificate, attrs, sig, token []byte) ([]byte, error) {
	digest := pkix.AlgorithmIdentifier{Algorithm: oidOf(scheme.Digest())}
	alg, err := scheme.algorithm(chain[0].PublicKey)
	if err != nil {
		return nil, err
	}
	sid, err := asn1.Marshal(issuerSerial{rawIssuer(chain[0]), chain[0].SerialNumber})
	if err != nil {
		return nil, fmt.Errorf("encode signer id: %w", err)
	}
	implicit := slices.Clone(attrs)
	implicit[0] = 0xA0 // the same bytes, stored as [0] IMPLICIT
	info := signerInfo{
		Version: 1, SID: asn1.RawValue{FullBytes: sid}, DigestAlgorithm: digest,
		SignedAttrs: asn1.RawValue{FullBytes: implicit}, SigAlgorithm: alg, Signature: sig,
	}
	if token != nil {
		set := asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: token}
		a, err := asn1.Marshal(attribute{oidTimestamp, set})
		if err != nil {
			return nil, fmt.Errorf("encode time stamp: %w", err)
		}
		info.UnsignedAttrs = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: a}
	}
	si, err := asn1.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("encode signer info: %w", err)
	}
	var certs []byte
	for _, c := range chain {
		certs = append(certs, c.Raw...)
	}
	sd, err := asn1.Marshal(signedData{
		Version: 1, DigestAlgorithms: []pkix.AlgorithmIdentifier{digest}, Encap: encapContent{Type: oidData},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: certs},
		Signers:      []asn1.RawValue{{FullBytes: si}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode signed data: %w", err)
	}
	// An asn1.RawValue ignores "explicit" when it is marshalled, so the [0] is written by hand.
	return asn1.Marshal(contentInfo{oidSignedData,
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: sd}})
}
