package signing

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
)

// Errors about keys that lie in tokens or with people.
var (
	ErrPIN    = errors.New("wrong PIN")
	ErrLocked = errors.New("PIN is locked")
	ErrToken  = errors.New("token cannot be reached") // pulled out, not connected; trying again later may help
	ErrClock  = errors.New("clock is wrong")
	ErrEnded  = errors.New("certificate has ended") // beside ErrCertificate
)

// A Decision is the decision of an agency's head by which a key may sign unattended on a server.
type Decision struct {
	Number string // "12/QĐ-STTTT"
	Date   string // "2026-01-05"
}

// A SignaturePolicy is the policy that a signature names (RFC 5126 §5.8.1): a document that says what the signature means,
// found by its identifier and known by its digest.
type SignaturePolicy struct {
	ID     asn1.ObjectIdentifier
	SHA256 [32]byte // of the policy document
	URI    string   // where it can be read, optional
}

func (p *SignaturePolicy) attributes() ([]cms.Attribute, error) {
	if p == nil {
		return nil, nil
	}
	a, err := cms.PolicyAttribute(p.ID, p.SHA256[:], p.URI)
	if err != nil {
		return nil, fmt.Errorf("signature policy: %w", err)
	}
	return []cms.Attribute{a}, nil
}

// A Use says how one key is used: what is prescribed for every seal made with it. The zero value asks for B-B.
type Use struct {
	Level       Level
	Lower       bool // when an authority is out of reach, seal at the level below instead of failing
	Timestamper *Timestamper
	Revocation  *RevocationSource
	Policy      *SignaturePolicy
	Scheme      Scheme   // digest and padding of the signatures
	Kind        CopyKind // in the mark; SAO Y when empty
	Picture     *Picture // of an electronic original (case A), instead of the mark
	Decision    Decision // for a key that signs unattended
}

// A Scheme says how the value of a signature is made: its digest, SHA-256 when zero, and for RSA keys whether by RSA-PSS (RFC
// 4056) instead of PKCS #1 v1.5.
type Scheme = cms.Scheme

// With returns a sealer with the same key that is used as given.
func (s *Sealer) With(u Use) (*Sealer, error) {
	if u.Kind == "" {
		u.Kind = FullCopy
	}
	if u.Level != "" && u.Level.rank() == 0 {
		return nil, fmt.Errorf("%w: unknown level %q", ErrLevel, u.Level)
	}
	attrs, err := u.Policy.attributes()
	if err != nil {
		return nil, err
	}
	if err := s.maySignBy(u.Scheme); err != nil {
		return nil, err
	}
	out := *s
	out.use, out.attrs = u, attrs
	n, err := u.Scheme.MaxLen(s.carried)
	if err != nil {
		return nil, inputError(err)
	}
	out.reserve = n + spare
	for _, a := range attrs {
		out.reserve += len(a.Values.FullBytes) + 32 // its identifier, and longer length fields further out
	}
	return &out, nil
}

// maySignBy says whether the key can make signatures of the scheme. Keys in tokens and on desks sign SHA-256 by PKCS #1 alone.
func (s *Sealer) maySignBy(c Scheme) error {
	switch _, isRSA := s.chain[0].PublicKey.(*rsa.PublicKey); {
	case c.Digest() != crypto.SHA256 && c.Digest() != crypto.SHA384 && c.Digest() != crypto.SHA512:
		return fmt.Errorf("%w: digest %v", ErrKey, c.Digest())
	case c.PSS && !isRSA:
		return fmt.Errorf("%w: RSA-PSS is for RSA keys", ErrKey)
	case c.PSS || c.Digest() != crypto.SHA256:
		_, software := s.signer.(interface{ Equal(crypto.PrivateKey) bool })
		if _, file := s.signer.(FileKey); file || !software {
			return fmt.Errorf("%w: a token signs by SHA-256 and PKCS #1 alone", ErrKey)
		}
	}
	return nil
}

// Use says how the key is used.
func (s *Sealer) Use() Use { return s.use }

// SealAsUsed seals as Use prescribes and says which level was reached: a lower one only where Use allows it and an authority
// is out of reach. Extend raises such a file later.
func (s *Sealer) SealAsUsed(ctx context.Context, in []byte, opt SealOptions) ([]byte, Level, error) {
	opt.Level, opt.Timestamper, opt.Revocation = s.use.Level, s.use.Timestamper, s.use.Revocation
	level, err := opt.level()
	if err != nil {
		return nil, "", err
	}
	for {
		opt.Level = level
		out, err := s.Seal(ctx, in, opt)
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrToken) || !s.use.Lower || level == LevelB || ctx.Err() != nil {
			return out, level, err
		}
		level = level.Below()
	}
}

// checkClock refuses to sign at a time at which the certificate is not in force: it has ended, it has not begun, or our
// own clock is wrong.
func (s *Sealer) checkClock(at time.Time) error {
	leaf := s.chain[0]
	day := func(t time.Time) string { return t.In(vietnam).Format(time.DateOnly) }
	switch {
	case at.Add(clockSkew).Before(leaf.NotBefore):
		return fmt.Errorf("%w: valid from %s only, and this machine's clock says %s: %w", ErrCertificate, day(leaf.NotBefore), day(at), ErrClock)
	case at.After(leaf.NotAfter):
		return fmt.Errorf("%w: %w: valid until %s, and this machine's clock says %s", ErrCertificate, ErrEnded, day(leaf.NotAfter), day(at))
	}
	return nil
}

// A FileKey is a key whose holder sees the whole file before it signs: one in a token on a clerk's desk. For its signatures
// Sealer calls SignFile instead of Sign.
type FileKey interface {
	crypto.Signer
	// SignFile gets the file as it will be, with an empty signature, and the policy that the signature names. It returns
	// the signature over the attributes that follow from both, as Prepared.Sign makes it.
	SignFile(ctx context.Context, prepared []byte, policy *SignaturePolicy) ([]byte, error)
}

// A Paper says what a file is that is being sealed, for the person who is asked to sign it.
type Paper struct {
	Agency    string `json:"agency"`
	Reference string `json:"reference"` // số, ký hiệu
	Abstract  string `json:"abstract"`  // trích yếu
}

type paperKey struct{}

// WithPaper tells FileKeys below what is being sealed.
func WithPaper(ctx context.Context, p Paper) context.Context {
	return context.WithValue(ctx, paperKey{}, p)
}

// PaperOf returns what WithPaper told.
func PaperOf(ctx context.Context) Paper {
	p, _ := ctx.Value(paperKey{}).(Paper)
	return p
}

// keyFor returns the key that signs this one file.
func (s *Sealer) keyFor(ctx context.Context, file *pdfdoc.Unsigned) crypto.Signer {
	if k, ok := s.signer.(FileKey); ok {
		return &fileSigner{k, ctx, file.Prepared(), s.use.Policy}
	}
	return s.signer
}

// A fileSigner is a FileKey while it signs one file.
type fileSigner struct {
	FileKey
	ctx    context.Context
	file   []byte
	policy *SignaturePolicy
}

// Sign does not use the digest: the key's holder works it out from the file. The sealed file is read back afterwards, so a
// signature over anything else is found.
func (f *fileSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return f.SignFile(f.ctx, f.file, f.policy)
}
