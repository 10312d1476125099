package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

// MaxCRL is the longest list that is read. Public authorities have lists of a few megabytes.
const MaxCRL = 32 << 20

var (
	oidDelta = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidScope = asn1.ObjectIdentifier{2, 5, 29, 28}
)

// CRL is a parsed revocation list.
type CRL struct{ list *x509.RevocationList }

// ParseCRL reads one list in DER.
func ParseCRL(der []byte) (*CRL, error) {
	if len(der) > MaxCRL {
		return nil, fmt.Errorf("%w: list of %d bytes", ErrSyntax, len(der))
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("%w: list: %v", ErrSyntax, err)
	}
	return &CRL{l}, nil
}

// DER is the list as it came.
func (c *CRL) DER() []byte { return c.list.Raw }

// Answer looks a certificate up. Only complete lists signed by the issuer itself are taken: delta lists and lists for
// other issuers (indirect) say too little.
func (c *CRL) Answer(cert, issuer *x509.Certificate) (*Answer, error) {
	if !bytes.Equal(c.list.RawIssuer, cert.RawIssuer) {
		return nil, ErrOther
	}
	if weak(c.list.SignatureAlgorithm) {
		return nil, fmt.Errorf("%w: weak algorithm", ErrForged)
	}
	if err := c.list.CheckSignatureFrom(issuer); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrForged, err)
	}
	for _, e := range c.list.Extensions {
		switch {
		case e.Id.Equal(oidScope):
			if err := inScope(e.Value, cert); err != nil {
				return nil, err
			}
		case e.Id.Equal(oidDelta) || e.Critical:
			return nil, fmt.Errorf("%w: extension %v", ErrScope, e.Id)
		}
	}
	a := &Answer{Status: Good, This: c.list.ThisUpdate.UTC(), Next: c.list.NextUpdate.UTC()}
	if c.list.NextUpdate.IsZero() {
		a.Next = time.Time{}
	}
	for i := range c.list.RevokedCertificateEntries {
		e := &c.list.RevokedCertificateEntries[i]
		if e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			a.Status, a.RevokedAt, a.Reason = Revoked, e.RevocationTime.UTC(), e.ReasonCode
			break
		}
	}
	return a, nil
}

// inScope reads the issuing distribution point (RFC 5280 §5.2.5), by which a list covers some certificates only.
func inScope(der []byte, cert *x509.Certificate) error {
	var p struct {
		Point     asn1.RawValue  `asn1:"optional,tag:0"`
		OnlyUser  bool           `asn1:"optional,tag:1"`
		OnlyCA    bool           `asn1:"optional,tag:2"`
		Reasons   asn1.BitString `asn1:"optional,tag:3"`
		Indirect  bool           `asn1:"optional,tag:4"`
		OnlyAttrs bool           `asn1:"optional,tag:5"`
	}
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) != 0 {
		return fmt.Errorf("%w: list: distribution point: %v", ErrSyntax, err)
	}
	switch {
	case p.Reasons.BitLength > 0 || p.Indirect || p.OnlyAttrs:
		return fmt.Errorf("%w: partial or indirect list", ErrScope)
	case p.OnlyUser && cert.IsCA, p.OnlyCA && !cert.IsCA:
		return ErrOther
	case len(p.Point.Bytes) > 0 && !slices.ContainsFunc(cert.CRLDistributionPoints, func(url string) bool {
		return slices.Contains(fullName(p.Point.Bytes), url)
	}):
		return ErrOther
	}
	return nil
}

// fullName are the addresses of a DistributionPointName.
func fullName(der []byte) (urls []string) {
	var full asn1.RawValue
	if _, err := asn1.Unmarshal(der, &full); err != nil || full.Class != asn1.ClassContextSpecific || full.Tag != 0 {
		return nil
	}
	for rest := full.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return urls
		}
		if name.Class == asn1.ClassContextSpecific && name.Tag == 6 { // uniformResourceIdentifier
			urls = append(urls, string(name.Bytes))
		}
	}
	return urls
}
