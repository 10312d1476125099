package cms

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

var (
	oidSigPolicy = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 15} // id-aa-ets-sigPolicyId
	oidPolicyURI = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 1}  // id-spq-ets-uri
)

// An Attribute is a signed attribute beside the three that every signature has.
type Attribute = attribute

// PolicyAttribute makes a signature-policy-identifier (RFC 5126 §5.8.1, ETSI EN 319 122-1 §5.2.9) from a policy's
// identifier, the SHA-256 of its text and the address of that, which may be empty.
func PolicyAttribute(id asn1.ObjectIdentifier, digest []byte, uri string) (Attribute, error) {
	if len(id) < 2 || len(digest) != crypto.SHA256.Size() {
		return Attribute{}, errors.New("policy without identifier or SHA-256 digest")
	}
	type qualifier struct {
		ID  asn1.ObjectIdentifier
		URI string `asn1:"ia5"`
	}
	type policyID struct {
		ID   asn1.ObjectIdentifier
		Hash struct {
			Algorithm pkix.AlgorithmIdentifier
			Value     []byte
		}
		Qualifiers []qualifier `asn1:"optional,omitempty"`
	}
	p := policyID{ID: id}
	p.Hash.Algorithm.Algorithm, p.Hash.Value = oidSHA256, digest
	if uri != "" {
		p.Qualifiers = []qualifier{{oidPolicyURI, uri}}
	}
	value, err := asn1.Marshal(p)
	if err != nil {
		return Attribute{}, fmt.Errorf("encode policy: %w", err)
	}
	set, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: value})
	if err != nil {
		return Attribute{}, fmt.Errorf("encode policy: %w", err)
	}
	return Attribute{oidSigPolicy, asn1.RawValue{FullBytes: set}}, nil
}

// SignAttributes signs what Build signs, without the rest of it: for a key that is elsewhere.
func SignAttributes(signer crypto.Signer, leaf *x509.Certificate, digest []byte, extra ...Attribute) ([]byte, error) {
	attrs, err := signedAttributes(leaf, digest, extra...)
	if err != nil {
		return nil, err
	}
	return Scheme{}.sign(signer, attrs)
}
