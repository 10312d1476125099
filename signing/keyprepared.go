package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
)

// A Prepared file waits for its signature: the holder of the key has been sent it, and looks at it here. All of it is read
// from the file, nothing is believed.
type Prepared struct {
	Field   string    // name of the signature field
	Name    string    // who is said to seal
	Claimed time.Time // the time of sealing that the file claims
	Earlier int       // signatures that the file has already
	SHA256  [32]byte  // of the document as it was before the increment with the empty signature
	Digest  [32]byte  // of what is signed: the file but for the empty signature
}

// errPrepared says that a file is not one that waits for exactly one signature.
var errPrepared = errors.New("file is not prepared for one signature")

// ReadPrepared opens a file that is to be signed. It must end in one increment that adds a signature with an empty value
// which covers the whole file; what is signed is then what the file shows.
func ReadPrepared(ctx context.Context, pdf []byte) (p *Prepared, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("read prepared file: %w: %v", ErrDamaged, r)
		}
	}()
	if len(pdf) > MaxSealedSize {
		return nil, &InputError{"too_large", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(pdf))}
	}
	doc, err := pdfdoc.Open(ctx, pdf)
	if err != nil {
		return nil, inputError(fmt.Errorf("read prepared file: %w", err))
	}
	list, err := doc.Signatures()
	if err != nil {
		return nil, inputError(fmt.Errorf("read prepared file: %w", err))
	}
	var own *pdfdoc.Signature
	earlier := 0
	for _, s := range list {
		switch {
		case s.Malformed != nil:
			return nil, fmt.Errorf("%w: field %q: %w", errPrepared, s.Field, s.Malformed)
		case s.End == len(pdf) && own == nil && !s.Timestamp && s.Empty():
			own = s
		case s.End == len(pdf) || s.Empty():
			return nil, fmt.Errorf("%w: field %q", errPrepared, s.Field)
		default:
			earlier++
		}
	}
	if own == nil {
		return nil, fmt.Errorf("%w: none that covers the whole file", errPrepared)
	}
	before, err := doc.Before()
	if err != nil {
		return nil, inputError(fmt.Errorf("read prepared file: %w", err))
	}
	return &Prepared{Field: own.Field, Name: own.Name, Claimed: own.Claimed, Earlier: earlier, SHA256: sha256.Sum256(before),
		Digest: [32]byte(hashRanges(crypto.SHA256, pdf[:own.Start], pdf[own.Stop:]))}, nil
}

func hashRanges(by crypto.Hash, before, after []byte) []byte {
	h := by.New()
	h.Write(before)
	h.Write(after)
	return h.Sum(nil)
}

// Sign makes the signed attributes for the file and signs them. The result is for FileKey.SignFile to return.
func (p *Prepared) Sign(id *Identity, policy *SignaturePolicy) ([]byte, error) {
	attrs, err := policy.attributes()
	if err != nil {
		return nil, err
	}
	sig, err := cms.SignAttributes(id.Key, id.Chain[0], p.Digest[:], attrs...)
	if err != nil {
		return nil, inputError(fmt.Errorf("sign prepared file: %w", err))
	}
	return sig, nil
}
