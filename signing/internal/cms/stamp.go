package cms

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Errors of time stamps.
var (
	ErrRefused = errors.New("time stamp authority refuses")
	ErrReply   = errors.New("not a readable time stamp reply")
)

// maxTimestamps bounds the tokens looked at in one signature.
const maxTimestamps = 8

type (
	messageImprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	timeStampReq struct {
		Version int
		Imprint messageImprint
		Policy  asn1.ObjectIdentifier `asn1:"optional"`
		Nonce   *big.Int              `asn1:"optional"`
		CertReq bool                  `asn1:"optional"`
	}
	timeStampResp struct {
		Status pkiStatusInfo
		Token  asn1.RawValue `asn1:"optional"`
	}
	pkiStatusInfo struct {
		Status int
		Text   asn1.RawValue  `asn1:"optional"`
		Fail   asn1.BitString `asn1:"optional"`
	}
	accuracy struct {
		Seconds int `asn1:"optional"`
		Millis  int `asn1:"optional,tag:0"`
		Micros  int `asn1:"optional,tag:1"`
	}
	tstInfo struct {
		Version    int
		Policy     asn1.ObjectIdentifier
		Imprint    messageImprint
		Serial     *big.Int
		Time       time.Time     `asn1:"generalized"`
		Accuracy   accuracy      `asn1:"optional"`
		Ordering   bool          `asn1:"optional"`
		Nonce      *big.Int      `asn1:"optional"`
		TSA        asn1.RawValue `asn1:"optional,tag:0"`
		Extensions asn1.RawValue `asn1:"optional,tag:1"`
	}
)

// TimestampRequest encodes the request for a stamp over a SHA-256 digest (RFC 3161 §2.4.1). The authority is asked to send
// its certificate. policy may be nil.
func TimestampRequest(digest []byte, nonce *big.Int, policy asn1.ObjectIdentifier) ([]byte, error) {
	return asn1.Marshal(timeStampReq{
		Version: 1, Nonce: nonce, Policy: policy, CertReq: true,
		Imprint: messageImprint{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, digest},
	})
}

// TimestampToken takes the token out of a reply (RFC 3161 §2.4.2).
func TimestampToken(reply []byte) ([]byte, error) {
	var r timeStampResp
	if rest, err := asn1.Unmarshal(reply, &r); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: %v", ErrReply, err)
	}
	if r.Status.Status != 0 && r.Status.Status != 1 { // granted, granted with modifications
		return nil, fmt.Errorf("%w: status %d, failure bits %x %s", ErrRefused, r.Status.Status, r.Status.Fail.Bytes, r.Status.text())
	}
	if len(r.Token.FullBytes) == 0 {
		return nil, fmt.Errorf("%w: no token", ErrReply)
	}
	return r.Token.FullBytes, nil
}

// text is the first free text of a status, shortened.
func (s pkiStatusInfo) text() string {
	var texts []string
	if _, err := asn1.Unmarshal(s.Text.FullBytes, &texts); err != nil || len(texts) == 0 {
		return ""
	}
	return fmt.Sprintf("%.200q", texts[0])
}

// A Stamp is what a time stamp token says.
type Stamp struct {
	Time    time.Time
	Policy  asn1.ObjectIdentifier
	Nonce   *big.Int // nil when the request had none
	Hash    crypto.Hash
	Imprint []byte
}

// Stamp reads the encapsulated TSTInfo of a token.
func (s *Signature) Stamp() (*Stamp, error) {
	var info tstInfo
	if len(s.Content) == 0 {
		return nil, fmt.Errorf("%w: not a time stamp", ErrSyntax)
	}
	if rest, err := asn1.Unmarshal(s.Content, &info); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: time stamp: %v", ErrSyntax, err)
	}
	if info.Version != 1 {
		return nil, fmt.Errorf("%w: time stamp version %d", ErrUnsupported, info.Version)
	}
	h := hashOf(info.Imprint.Algorithm)
	if h == 0 {
		return nil, fmt.Errorf("%w: time stamp over %v", ErrUnsupported, info.Imprint.Algorithm.Algorithm)
	}
	return &Stamp{Time: info.Time.UTC(), Policy: info.Policy, Nonce: info.Nonce, Hash: h, Imprint: info.Imprint.Digest}, nil
}

// CheckImprint compares what an RFC 3161 token says about the bytes it was made for with their digest, and the token's
// own digest (RFC 3161 §2.4.2). digest is asked for the hash that the token names.
func (s *Signature) CheckImprint(digest func(Hash) []byte) error {
	t, err := s.Stamp()
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(t.Imprint, digest(t.Hash)) != 1 {
		return ErrDigest
	}
	return s.CheckDigest(digestOf(s.Hash, s.Content))
}

// ValueDigest hashes the signature value, which is what a signature time stamp is made for (RFC 5126 §6.1.1).
func (s *Signature) ValueDigest(h Hash) []byte { return digestOf(h, s.value) }

// timestamps takes the tokens out of an unsigned attribute.
func timestamps(values []byte) ([][]byte, error) {
	var out [][]byte
	for len(values) > 0 {
		var raw asn1.RawValue
		rest, err := asn1.Unmarshal(values, &raw)
		if err != nil || len(out) == maxTimestamps {
			return nil, fmt.Errorf("%w: time stamp attribute: %v", ErrSyntax, err)
		}
		out, values = append(out, bytes.Clone(raw.FullBytes)), rest
	}
	return out, nil
}

// Revocations are the lists and answers that a foreign signature carries in itself.
type Revocations struct{ CRLs, OCSPs [][]byte }

// adobeRevocation reads adbe-revocationInfoArchival (ISO 32000-1 §12.8.3.3.2).
func adobeRevocation(values []byte) (r Revocations, err error) {
	var v struct {
		CRL   []asn1.RawValue `asn1:"optional,explicit,tag:0"`
		OCSP  []asn1.RawValue `asn1:"optional,explicit,tag:1"`
		Other []asn1.RawValue `asn1:"optional,explicit,tag:2"`
	}
	if rest, err := asn1.Unmarshal(values, &v); err != nil || len(rest) != 0 {
		return r, fmt.Errorf("%w: revocation attribute: %v", ErrSyntax, err)
	}
	for _, c := range v.CRL[:min(len(v.CRL), maxCertificates)] {
		r.CRLs = append(r.CRLs, bytes.Clone(c.FullBytes))
	}
	for _, o := range v.OCSP[:min(len(v.OCSP), maxCertificates)] {
		r.OCSPs = append(r.OCSPs, bytes.Clone(o.FullBytes))
	}
	return r, nil
}
