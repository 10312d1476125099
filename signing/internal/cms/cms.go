// Package cms builds and reads the detached CMS of a PAdES signature.
//
// Build makes a CAdES baseline SignedData (ETSI EN 319 122-1, RFC 5652): no encapsulated content, the signed
// attributes contentType, messageDigest and signing-certificate-v2 (RFC 5035), and no signing-time, which PAdES forbids
// (ETSI EN 319 142-1 §6.2.1). Parse reads what other producers make: DER only, one signer, bounded sizes. Time stamps
// (RFC 3161) are signatures of the same form with the stamp inside; requests for them and the replies are here too.
// Nothing panics on hostile input, and nothing decides about trust.
package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
)

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

	oidContentType     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCert     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidAdobeRevocation = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 8}
	oidTimestamp       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}

	oidMD5    = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 5}
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}

	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAMD5      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}
	oidRSASHA1     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	oidRSAPSS      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidRSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidECDSASHA1   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
	oidECDSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
)

// The ASN.1 shapes of RFC 5652. Raw values keep the exact bytes where a digest is taken over them.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	encapContent struct {
		Raw     asn1.RawContent
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}
	signedData struct {
		Raw              asn1.RawContent
		Version          int
		DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
		Encap            encapContent
		Certificates     asn1.RawValue   `asn1:"optional,tag:0"`
		CRLs             asn1.RawValue   `asn1:"optional,tag:1"`
		Signers          []asn1.RawValue `asn1:"set"`
	}
	signerInfo struct {
		Version         int
		SID             asn1.RawValue
		DigestAlgorithm pkix.AlgorithmIdentifier
		SignedAttrs     asn1.RawValue `asn1:"optional,tag:0"`
		SigAlgorithm    pkix.AlgorithmIdentifier
		Signature       []byte
		UnsignedAttrs   asn1.RawValue `asn1:"optional,tag:1"`
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue // SET OF
	}
	issuerSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	generalIssuerSerial struct {
		Issuer asn1.RawValue // GeneralNames
		Serial *big.Int
	}
	essCertIDv2 struct {
		Hash         pkix.AlgorithmIdentifier `asn1:"optional"`
		CertHash     []byte
		IssuerSerial generalIssuerSerial `asn1:"optional"`
	}
	essCertID struct {
		CertHash     []byte
		IssuerSerial generalIssuerSerial `asn1:"optional"`
	}
)

// hashes maps digest algorithms this package takes. MD5 and SHA-1 are known for what is proven to be older than their end.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{oidSHA256, crypto.SHA256}, {oidSHA384, crypto.SHA384}, {oidSHA512, crypto.SHA512}, {oidSHA1, crypto.SHA1}, {oidMD5, crypto.MD5},
}

func oidOf(h crypto.Hash) asn1.ObjectIdentifier {
	for _, known := range hashes {
		if known.hash == h {
			return known.oid
		}
	}
	return nil
}

func noParameters(alg pkix.AlgorithmIdentifier) bool {
	p := alg.Parameters.FullBytes
	return len(p) == 0 || bytes.Equal(p, asn1.NullBytes)
}

// unsignedAttributes and all below unsignedArcs may stand in a signature.
var unsignedAttributes = []asn1.ObjectIdentifier{
	{1, 2, 840, 113549, 1, 9, 6}, // countersignature
	oidTimestamp,
	{1, 2, 840, 113549, 1, 9, 16, 2, 21}, {1, 2, 840, 113549, 1, 9, 16, 2, 22}, {1, 2, 840, 113549, 1, 9, 16, 2, 23},
	{1, 2, 840, 113549, 1, 9, 16, 2, 24}, {1, 2, 840, 113549, 1, 9, 16, 2, 25}, {1, 2, 840, 113549, 1, 9, 16, 2, 26},
	{1, 2, 840, 113549, 1, 9, 16, 2, 27}, {1, 2, 840, 113549, 1, 9, 16, 2, 48},
	oidAdobeRevocation,
}

var unsignedArcs = []asn1.ObjectIdentifier{
	{0, 4, 0, 1733, 2}, {0, 4, 0, 19122, 1}, // ETSI
	{1, 3, 6, 1, 4, 1, 311}, // Microsoft
}

// hashOf returns 0 for what it does not know. The parameters must be absent or NULL (RFC 5754 §2).
func hashOf(alg pkix.AlgorithmIdentifier) crypto.Hash {
	if !noParameters(alg) {
		return 0
	}
	for _, h := range hashes {
		if h.oid.Equal(alg.Algorithm) {
			return h.hash
		}
	}
	return 0
}

// digestOf hashes b in one go.
func digestOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// rawIssuer is the issuer of a certificate as it stands in it.
func rawIssuer(c *x509.Certificate) asn1.RawValue { return asn1.RawValue{FullBytes: c.RawIssuer} }
