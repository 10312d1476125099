package cms

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"
)

// MaxMail bounds the CMS of a mail with its content inside; what is longer is not read.
const MaxMail = 32 << 20

// maxDepth bounds how deep BER may nest: SignedData with a chain of certificates stays under 20.
const maxDepth = 32

// BuildMail signs the SHA-256 digest of a mail's entity (RFC 8551 §3.5.3). Unlike a PAdES signature it tells the time, which
// mail clients show. It offers no capabilities: the gateway decrypts nothing.
func BuildMail(signer crypto.Signer, chain []*x509.Certificate, digest []byte, at time.Time) ([]byte, error) {
	when, err := asn1.Marshal(at.UTC().Truncate(time.Second))
	if err != nil {
		return nil, fmt.Errorf("encode signing time: %w", err)
	}
	set := asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: when}
	return Build(signer, chain, digest, nil, Attribute{Type: oidSigningTime, Values: set})
}

// ParseMail reads the SignedData of a mail, DER or BER, and returns the content that it carries, nil when it is detached.
func ParseMail(der []byte) (s *Signature, content []byte, err error) {
	if len(der) > MaxMail {
		return nil, nil, fmt.Errorf("%w: %d bytes", ErrUnsupported, len(der))
	}
	if len(der) > 1 && der[1] == 0x80 {
		if der, _, err = definite(der, 0); err != nil {
			return nil, nil, err
		}
	}
	var ci contentInfo
	rest, err := asn1.Unmarshal(der, &ci)
	if err != nil || len(rest) != 0 || !holds(der, 2) {
		return nil, nil, fmt.Errorf("%w: content info: %v", ErrSyntax, err)
	}
	if !ci.Type.Equal(oidSignedData) {
		return nil, nil, fmt.Errorf("%w: content type %v", ErrUnsupported, ci.Type)
	}
	var sd signedData
	if rest, err = asn1.Unmarshal(ci.Content.FullBytes, &sd); err != nil {
		rest, err = asn1.Unmarshal(ci.Content.Bytes, &sd) // as in Parse
	}
	switch {
	case err != nil, len(rest) != 0, !holds(sd.Raw, 4+present(sd.Certificates, sd.CRLs)), !holds(sd.Encap.Raw, 1+present(sd.Encap.Content)):
		return nil, nil, fmt.Errorf("%w: signed data: %v", ErrSyntax, err)
	case !sd.Encap.Type.Equal(oidData):
		return nil, nil, fmt.Errorf("%w: content type %v", ErrUnsupported, sd.Encap.Type)
	}
	if len(sd.Encap.Content.FullBytes) > 0 {
		var inner Signature
		if err := inner.readContent(sd.Encap.Content); err != nil {
			return nil, nil, err
		}
		content = append([]byte{}, inner.Content...)
		sd.Encap.Content = asn1.RawValue{}
	}
	s, err = fromSignedData(&sd)
	return s, content, err
}

// definite rewrites one BER element with definite lengths, and an octet string in pieces as one: mail programs write both,
// because they do not know the length beforehand. What is signed inside is DER already (RFC 5652 §5.4) and stays the same.
func definite(in []byte, depth int) (out, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, fmt.Errorf("%w: nested too deep", ErrSyntax)
	}
	if len(in) < 2 || in[0]&0x1F == 0x1F {
		return nil, nil, fmt.Errorf("%w: tag", ErrSyntax)
	}
	tag := in[0]
	body, rest, indefinite, err := body(in)
	if err != nil {
		return nil, nil, err
	}
	if tag&0x20 == 0 {
		return encode(tag, body), rest, nil
	}
	var inside []byte
	for len(body) > 0 {
		if indefinite && len(body) > 1 && body[0] == 0 && body[1] == 0 {
			rest, indefinite = body[2:], false
			break
		}
		var piece []byte
		if piece, body, err = definite(body, depth+1); err != nil {
			return nil, nil, err
		}
		if tag == 0x24 {
			if piece, err = octets(piece); err != nil {
				return nil, nil, err
			}
		}
		inside = append(inside, piece...)
	}
	if indefinite {
		return nil, nil, fmt.Errorf("%w: cut short", ErrSyntax)
	}
	if tag == 0x24 {
		tag = 0x04
	}
	return encode(tag, inside), rest, nil
}

// octets is the inside of a primitive octet string, a piece of a longer one.
func octets(der []byte) (b []byte, err error) {
	if _, err = asn1.Unmarshal(der, &b); err != nil {
		err = fmt.Errorf("%w: octet string in pieces: %v", ErrSyntax, err)
	}
	return b, err
}

// body splits an element at its length. With an indefinite one the body is all that follows.
func body(in []byte) (body, rest []byte, indefinite bool, err error) {
	n, at := int(in[1]), 2
	switch {
	case n == 0x80 && in[0]&0x20 != 0:
		return in[2:], nil, true, nil
	case n >= 0x80:
		size := n - 0x80
		if size == 0 || size > 4 || len(in) < 2+size {
			return nil, nil, false, fmt.Errorf("%w: length", ErrSyntax)
		}
		n = 0
		for _, b := range in[2 : 2+size] {
			n = n<<8 | int(b)
		}
		at += size
	}
	if n < 0 || n > len(in)-at {
		return nil, nil, false, fmt.Errorf("%w: cut short", ErrSyntax)
	}
	return in[at : at+n], in[at+n:], false, nil
}

func encode(tag byte, inside []byte) []byte {
	n := len(inside)
	out := make([]byte, 0, n+6)
	switch {
	case n < 0x80:
		out = append(out, tag, byte(n))
	case n < 1<<8:
		out = append(out, tag, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, tag, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, tag, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, inside...)
}

// Bound says whether the signed attributes name a certificate at all.
func (s *Signature) Bound() bool { return len(s.bindings) > 0 }
