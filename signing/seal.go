package signing

import (
	"context"
	"crypto"
	"crypto/sha256" // the digest of every seal
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
	"congvan/signing/internal/revocation"

	"golang.org/x/text/unicode/norm"
)

// MaxFileSize is the largest file that Seal takes. Beside the file itself and the sealed one, which share their memory with
// SealOptions.InPlace, little is needed, but for encrypted files and those with many short streams.
const MaxFileSize = 100 << 20

// MaxSealedSize is the largest file that Verify and Extend take: one of MaxFileSize with many seals and their evidence.
const MaxSealedSize = MaxFileSize + 16<<20

const (
	markSize = 10 // points, NĐ 30/2020 Phụ lục I mục II.14
	// spare is kept beyond the computed size of a signature, for keys outside (HSM) that encode less tightly than Go.
	spare = 64
	// largeFile is the size from which memory matters more than the time of a garbage collection.
	largeFile = 16 << 20
	// sealRoom is what a seal with its time stamp and its appearance needs, generously.
	sealRoom = 128 << 10
	// clockSkew is how far the clock of whoever made the certificate may be ahead of ours.
	clockSkew = 5 * time.Minute
)

// A Sealer puts one agency's seal on documents. It is safe for concurrent use if its key is.
type Sealer struct {
	signer  crypto.Signer
	chain   []*x509.Certificate // as given
	carried []*x509.Certificate // put into every seal
	reserve int
	use     Use
	attrs   []cms.Attribute // signed ones that use asks for
}

// NewSealer makes a sealer of a key and its certificate chain, the key's own certificate first. The chain is put into
// every seal, so that a verifier who knows only the root can follow it. The root itself stays out: whoever trusts it has
// it, and nothing would protect the copy.
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
	carried := slices.Clone(chain)
	if top := carried[len(carried)-1]; len(carried) > 1 && top.CheckSignatureFrom(top) == nil {
		carried = carried[:len(carried)-1]
	}
	n, err := cms.MaxLen(carried)
	if err != nil {
		return nil, inputError(err)
	}
	return &Sealer{signer: signer, chain: slices.Clone(chain), carried: carried, reserve: n + spare}, nil
}

// maySign reads the key usage and the extended one (RFC 5280 §4.2.1.3, §4.2.1.12). A certificate without them may do
// everything; one that is for servers, programs, time stamps or OCSP alone may not sign documents.
func maySign(c *x509.Certificate) bool {
	const signing = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if c.IsCA || c.KeyUsage != 0 && c.KeyUsage&signing == 0 {
		return false
	}
	other := func(u x509.ExtKeyUsage) bool {
		switch u {
		case x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageOCSPSigning:
			return false
		}
		return true
	}
	return len(c.ExtKeyUsage) == 0 || len(c.UnknownExtKeyUsage) > 0 || slices.ContainsFunc(c.ExtKeyUsage, other)
}

// Certificate is the certificate that the seals are made with.
func (s *Sealer) Certificate() *x509.Certificate { return s.chain[0] }

// Chain is a copy of the certificate chain, the key's own certificate first.
func (s *Sealer) Chain() []*x509.Certificate { return slices.Clone(s.chain) }

// SealOptions says how one document is sealed. All texts may be in any script.
type SealOptions struct {
	Mark      string    // shown at the top right of page 1, see MarkText; empty for an invisible seal
	Name      string    // who seals; the certificate's common name when empty
	Reason    string    // optional
	Location  string    // optional
	At        time.Time // the claimed time of signing, now when zero
	FieldName string    // name of the new signature field, chosen when empty
	Picture   *Picture  // shown instead of a mark

	// InPlace lets the seal stand in the room behind the given bytes (ReadFile leaves some), as append does: the sealed
	// file then begins with the very bytes that were given, and a large file is in memory once.
	InPlace bool

	// Level is the level to reach, B-B when empty and without a Timestamper, else B-T. B-T and above need a Timestamper,
	// B-LT and above also Revocation, and a chain that goes up to the root.
	Level       Level
	Timestamper *Timestamper
	Revocation  *RevocationSource
}

func (o *SealOptions) level() (Level, error) {
	l := o.Level
	switch {
	case l == "" && o.Timestamper == nil:
		return LevelB, nil
	case l == "":
		return LevelT, nil
	case l.rank() == 0:
		return "", fmt.Errorf("%w: unknown level %q", ErrLevel, l)
	case l.AtLeast(LevelT) && o.Timestamper == nil:
		return "", fmt.Errorf("%w: %s needs a time stamp authority", ErrLevel, l)
	case l.AtLeast(LevelLT) && o.Revocation == nil:
		return "", fmt.Errorf("%w: %s needs a source of revocation answers", ErrLevel, l)
	}
	return l, nil
}

// Seal returns the PDF with a seal added at the wanted level, read back and checked, or nothing. in is not changed. Bad
// input gives an *InputError. When a time stamp or revocation authority is out of reach the error wraps ErrUnavailable;
// that is found out before the key is used wherever it can be.
func (s *Sealer) Seal(ctx context.Context, in []byte, opt SealOptions) ([]byte, error) {
	if opt.At.IsZero() {
		opt.At = time.Now()
	}
	if err := s.checkClock(opt.At); err != nil {
		return nil, err
	}
	if len(in) > MaxFileSize {
		return nil, &InputError{"too_large", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(in))}
	}
	if !opt.InPlace {
		in = slices.Clip(in)
	}
	out, err := s.seal(ctx, in, opt)
	if err != nil { // out may be a file that did not pass, which nobody must get
		return nil, inputError(fmt.Errorf("seal PDF: %w", err))
	}
	return out, nil
}

// ReadFile reads a file of the given size into memory and leaves room behind it for a seal, see SealOptions.InPlace.
func ReadFile(r io.Reader, size int64) ([]byte, error) {
	if size < 0 || size > MaxSealedSize {
		return nil, &InputError{"too_large", fmt.Errorf("%w: %d bytes", ErrTooLarge, size)}
	}
	b := make([]byte, size, size+size/32+sealRoom)
	if _, err := io.ReadFull(r, b); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return b, nil
}

func (s *Sealer) seal(ctx context.Context, in []byte, opt SealOptions) (out []byte, err error) {
	// pdfcpu panics on objects it did not expect; whatever they are, the file cannot be sealed.
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("%w: %v", pdfdoc.ErrDamaged, p)
		}
	}()
	level, err := opt.level()
	if err != nil {
		return nil, err
	}
	if level.AtLeast(LevelLT) {
		if err := s.checkRevocation(ctx, opt.Revocation); err != nil {
			return nil, err
		}
	}
	var ts *Timestamper
	if level.AtLeast(LevelT) {
		ts = opt.Timestamper
	}
	out, doc, err := s.sign(ctx, in, opt, ts)
	if errors.Is(err, errNoRoom) && ts != nil { // the authority's tokens have grown: by now it is known how much
		out, doc, err = s.sign(ctx, in, opt, ts)
	}
	if err != nil {
		return nil, err
	}
	if len(out) > largeFile {
		debug.FreeOSMemory() // what the first reading left would lie beside the second one
	}
	if err := proofread(ctx, out, doc); err != nil || !level.AtLeast(LevelLT) {
		return out, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.chain[len(s.chain)-1])
	size := len(out)
	return extend(ctx, out, ExtendOptions{
		Level: level, Timestamper: ts, Revocation: opt.Revocation, Roots: roots, TSARoots: ts.Roots, Intermediates: s.chain,
	}, func(sig *pdfdoc.Signature, _ *SignatureReport) bool { return sig.End == size })
}

// errNoRoom means that a signature came out longer than the room kept for it.
var errNoRoom = errors.New("signature is longer than the room kept for it")

// sign adds one signature, with a time stamp in it when ts is given. It returns the reading of the input, too.
func (s *Sealer) sign(ctx context.Context, in []byte, opt SealOptions, ts *Timestamper) ([]byte, *pdfdoc.Doc, error) {
	doc, err := pdfdoc.Open(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	field, err := s.field(opt)
	if err != nil {
		return nil, nil, err
	}
	var stamp func([]byte) ([]byte, error)
	if ts != nil {
		n, err := ts.size(ctx)
		if err != nil {
			return nil, nil, err
		}
		field.Reserve += n + cms.StampOverhead
		stamp = func(value []byte) ([]byte, error) {
			digest := sha256.Sum256(value)
			return ts.Timestamp(ctx, digest[:])
		}
	}
	file, err := doc.AddSignature(field)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	der, err := cms.BuildAs(s.use.Scheme, s.keyFor(ctx, file), s.carried, file.Digest(s.use.Scheme.Digest()), stamp, s.attrs...)
	if err != nil {
		return nil, nil, err
	}
	if len(der) > field.Reserve {
		return nil, nil, errNoRoom
	}
	out, err := file.Fill(der)
	return out, doc, err
}

// checkRevocation asks about the own chain before the key is used.
func (s *Sealer) checkRevocation(ctx context.Context, source *RevocationSource) error {
	top := s.chain[len(s.chain)-1]
	if top.CheckSignatureFrom(top) != nil {
		return fmt.Errorf("%w: the chain ends at %q before its root", ErrLevel, top.Subject.CommonName)
	}
	for i := range s.chain[:len(s.chain)-1] {
		cert, issuer := s.chain[i], s.chain[i+1]
		src, err := source.ask(ctx, cert, issuer)
		if errors.Is(err, errNoAddress) {
			return fmt.Errorf("%w: certificate %q: %w", ErrLevel, cert.Subject.CommonName, err)
		}
		if err != nil {
			return fmt.Errorf("ask about certificate %q: %w", cert.Subject.CommonName, err)
		}
		if a, err := src.Answer(cert, issuer); err != nil || a.Status == revocation.Revoked {
			return errors.Join(fmt.Errorf("%w: %q", ErrRevoked, cert.Subject.CommonName), err)
		}
	}
	return nil
}

// proofread opens the sealed file as a stranger would and wants the seal found, intact and over the whole file. An input
// on which this fails is one that readers do not agree about, and no seal may stand on it. What the seal did not touch is
// not read a second time.
func proofread(ctx context.Context, out []byte, before *pdfdoc.Doc) error {
	doc, err := pdfdoc.Reopen(ctx, out, before)
	if err != nil {
		return fmt.Errorf("read sealed file: %w", err)
	}
	list, err := doc.Signatures()
	if err != nil {
		return fmt.Errorf("read sealed file: %w", err)
	}
	v := newVerifier(ctx, doc, nil, VerifyOptions{})
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

func (s *Sealer) field(opt SealOptions) (pdfdoc.SignatureField, error) {
	f := pdfdoc.SignatureField{
		Field: opt.FieldName, Reserve: s.reserve, At: opt.At.In(vietnam),
		Name:     norm.NFC.String(opt.Name),
		Reason:   norm.NFC.String(opt.Reason),
		Location: norm.NFC.String(opt.Location),
	}
	if f.Name == "" {
		f.Name = s.chain[0].Subject.CommonName
	}
	switch {
	case opt.Mark != "" && opt.Picture != nil:
		return f, &InputError{"mark", fmt.Errorf("%w: both a text and a picture", ErrMark)}
	case opt.Mark != "":
		f.Mark = &pdfdoc.Mark{Text: opt.Mark, Size: markSize}
	case opt.Picture != nil:
		p, err := opt.Picture.decode()
		if err != nil {
			return f, &InputError{"mark", fmt.Errorf("%w: %w", ErrMark, err)}
		}
		f.Picture = p
	}
	return f, nil
}
