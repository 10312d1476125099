package signing

import (
	"context"
	"crypto"
	_ "crypto/sha256" // the digest of every seal
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"

	"golang.org/x/text/unicode/norm"
)

// MaxFileSize is the largest file that Seal and Verify take. Reading needs about three times its size in memory.
const MaxFileSize = 256 << 20

const (
	markSize = 10 // points, NĐ 30/2020 Phụ lục I mục II.14
	// spare is kept beyond the computed size of a signature, for keys outside (HSM) that encode less tightly than Go.
	spare = 64
	// clockSkew is how far the clock of whoever made the certificate may be ahead of ours.
	clockSkew = 5 * time.Minute
)

// A Sealer puts one agency's seal on documents. It is safe for concurrent use if its key is.
type Sealer struct {
	signer  crypto.Signer
	chain   []*x509.Certificate
	reserve int
}

// NewSealer makes a sealer of a key and its certificate chain, the key's own certificate first. The chain is put into
// every seal, so that a verifier who knows only the root can follow it.
func NewSealer(signer crypto.Signer, chain []*x509.Certificate) (*Sealer, error) {
	if signer == nil || len(chain) == 0 || chain[0] == nil {
		return nil, fmt.Errorf("%w: key or certificate missing", ErrKey)
	}
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(chain[0].PublicKey) {
		return nil, fmt.Errorf("%w: it does not belong to the key", ErrCertificate)
	}
	if !maySign(chain[0]) {
		return nil, fmt.Errorf("%w: its key usage does not allow signatures", ErrCertificate)
	}
	n, err := cms.MaxLen(chain)
	if err != nil {
		return nil, inputError(err)
	}
	return &Sealer{signer: signer, chain: slices.Clone(chain), reserve: n + spare}, nil
}

// maySign reads the key usage (RFC 5280 §4.2.1.3). A certificate without one may do everything.
func maySign(c *x509.Certificate) bool {
	const signing = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	return !c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&signing != 0)
}

// Certificate is the certificate that the seals are made with.
func (s *Sealer) Certificate() *x509.Certificate { return s.chain[0] }

// SealOptions says how one document is sealed. All texts may be in any script.
type SealOptions struct {
	Mark      string    // shown at the top right of page 1, see MarkText; empty for an invisible seal
	Name      string    // who seals; the certificate's common name when empty
	Reason    string    // optional
	Location  string    // optional
	At        time.Time // the claimed time of signing, now when zero
	FieldName string    // name of the new signature field, chosen when empty
}

// Seal returns the PDF with a seal added, read back and checked. in is not changed. Bad input gives an *InputError.
func (s *Sealer) Seal(ctx context.Context, in []byte, opt SealOptions) ([]byte, error) {
	if opt.At.IsZero() {
		opt.At = time.Now()
	}
	leaf := s.chain[0]
	if opt.At.After(leaf.NotAfter) || opt.At.Add(clockSkew).Before(leaf.NotBefore) {
		return nil, fmt.Errorf("%w: valid from %s to %s only", ErrCertificate,
			leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
	if len(in) > MaxFileSize {
		return nil, &InputError{"too_large", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(in))}
	}
	out, err := s.seal(ctx, in, opt)
	if err != nil { // out may be a file that did not pass, which nobody must get
		return nil, inputError(fmt.Errorf("seal PDF: %w", err))
	}
	return out, nil
}

func (s *Sealer) seal(ctx context.Context, in []byte, opt SealOptions) (out []byte, err error) {
	// pdfcpu panics on objects it did not expect; whatever they are, the file cannot be sealed.
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("%w: %v", pdfdoc.ErrDamaged, p)
		}
	}()
	doc, err := pdfdoc.Open(ctx, in)
	if err != nil {
		return nil, err
	}
	file, err := doc.AddSignature(s.field(opt))
	if err != nil {
		return nil, err
	}
	before, after := file.Ranges()
	h := crypto.SHA256.New()
	h.Write(before)
	h.Write(after)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	der, err := cms.Build(s.signer, s.chain, h.Sum(nil))
	if err != nil {
		return nil, err
	}
	if len(der) > s.reserve {
		return nil, errors.New("signature is longer than a key of this kind may make")
	}
	if out, err = file.Fill(der); err != nil {
		return nil, err
	}
	return out, proofread(ctx, out)
}

// proofread opens the sealed file as a stranger would and wants the seal found, intact and over the whole file. An input
// on which this fails is one that readers do not agree about, and no seal may stand on it.
func proofread(ctx context.Context, out []byte) error {
	doc, err := pdfdoc.Open(ctx, out)
	if err != nil {
		return fmt.Errorf("read sealed file: %w", err)
	}
	list, err := doc.Signatures()
	if err != nil {
		return fmt.Errorf("read sealed file: %w", err)
	}
	v := verifier{ctx: ctx, doc: doc}
	for _, s := range list {
		if s.End != len(out) {
			continue
		}
		r := v.signature(s)
		if r.Intact.Answer == Passed && r.Signer.Answer == Passed && r.Coverage.Code == "whole_file" {
			return nil
		}
	}
	return fmt.Errorf("%w: the seal is not found in the sealed file", pdfdoc.ErrDamaged)
}

func (s *Sealer) field(opt SealOptions) pdfdoc.SignatureField {
	f := pdfdoc.SignatureField{
		Field: opt.FieldName, Reserve: s.reserve, At: opt.At.In(vietnam),
		Name:     norm.NFC.String(opt.Name),
		Reason:   norm.NFC.String(opt.Reason),
		Location: norm.NFC.String(opt.Location),
	}
	if f.Name == "" {
		f.Name = s.chain[0].Subject.CommonName
	}
	if opt.Mark != "" {
		f.Mark = &pdfdoc.Mark{Text: opt.Mark, Size: markSize}
	}
	return f
}
