package signing

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"congvan/signing/internal/pdfdoc"
)

// ExtendOptions says how far a signed file is to be extended and with whose help.
type ExtendOptions struct {
	Level         Level               // LevelT, LevelLT or LevelLTA
	Timestamper   *Timestamper        // needed where a time stamp is missing, and always for LevelLTA
	Revocation    *RevocationSource   // needed for LevelLT and LevelLTA
	Roots         *x509.CertPool      // of the signers
	TSARoots      *x509.CertPool      // of the time stamps; those of the Timestamper when nil
	Intermediates []*x509.Certificate // known in addition to those in the file
	Signer        string              // SHA-256 of a certificate, hexadecimal: only its signatures have to reach the level; "" for all
}

// Extend raises the signatures of a file to a level by adding to it; not a byte of it is changed. Signatures that are
// wrong, or whose certificate does not lead to one of the roots, stay as they are; it is an error when none is left.
//
// LevelT puts a time stamp over the file unless every signature has one already. LevelLT adds the certificates and
// revocation answers by which the signatures and time stamps can be judged later without the network. LevelLTA does
// both and ends with a time stamp over all of it. Called again on such a file it renews: evidence about the last time
// stamp is added and another put over everything, which must happen before Report.RenewBy.
func Extend(ctx context.Context, in []byte, opt ExtendOptions) (out []byte, err error) {
	switch {
	case !opt.Level.AtLeast(LevelT):
		return nil, fmt.Errorf("extend PDF: %w: %q is none to extend to", ErrLevel, opt.Level)
	case opt.Level.AtLeast(LevelLT) && opt.Revocation == nil:
		return nil, fmt.Errorf("extend PDF: %w: %s needs a source of revocation answers", ErrLevel, opt.Level)
	case opt.Level == LevelLTA && opt.Timestamper == nil:
		return nil, fmt.Errorf("extend PDF: %w: %s needs a time stamp authority", ErrLevel, opt.Level)
	case len(in) > MaxSealedSize:
		return nil, &InputError{"too_large", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(in))}
	}
	if opt.TSARoots == nil && opt.Timestamper != nil {
		opt.TSARoots = opt.Timestamper.Roots
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, inputError(fmt.Errorf("extend PDF: %w: %v", pdfdoc.ErrDamaged, p))
		}
	}()
	out, err = extend(ctx, slices.Clip(in), opt, func(_ *pdfdoc.Signature, r *SignatureReport) bool {
		return r.Status != Invalid && r.Chain.Answer == Passed && (opt.Signer == "" || opt.Signer == r.signer)
	})
	if err != nil {
		return nil, inputError(fmt.Errorf("extend PDF: %w", err))
	}
	return out, nil
}

// mustReach says of a signature whether it has to reach the level.
type mustReach func(*pdfdoc.Signature, *SignatureReport) bool

func extend(ctx context.Context, in []byte, opt ExtendOptions, must mustReach) ([]byte, error) {
	out, chosen, err := addTime(ctx, in, opt, must)
	if err != nil {
		return nil, err
	}
	if opt.Level.AtLeast(LevelLT) {
		if out, err = addEvidence(ctx, out, opt, chosen); err != nil {
			return nil, err
		}
	}
	if opt.Level == LevelLTA {
		if out, err = addStamp(ctx, out, opt.Timestamper); err != nil {
			return nil, err
		}
		if out, err = addEvidence(ctx, out, opt, chosen); err != nil { // about the new stamp, if it needs any
			return nil, err
		}
	}
	return out, checkLevel(ctx, out, opt, chosen)
}

// judged reads a file and its signatures' reports. needed collects the evidence that the reports rest on, unless nil.
func judged(ctx context.Context, in []byte, opt VerifyOptions, needed map[string]pdfdoc.Evidence) (*verifier, []*pdfdoc.Signature, *Report, error) {
	doc, err := pdfdoc.Open(ctx, in)
	if err != nil {
		return nil, nil, nil, err
	}
	list, err := doc.Signatures()
	if err != nil {
		return nil, nil, nil, err
	}
	v := newVerifier(ctx, doc, list, opt)
	v.needed = needed
	return v, list, v.report(list), nil
}

func (o *ExtendOptions) verify() VerifyOptions {
	return VerifyOptions{Roots: o.Roots, TSARoots: o.TSARoots, Intermediates: o.Intermediates, At: time.Now()}
}

// addTime chooses the signatures that have to reach the level, by the ends of their revisions, and puts a stamp over the
// file when one of them has no time that somebody answers for.
func addTime(ctx context.Context, in []byte, opt ExtendOptions, must mustReach) (out []byte, chosen map[int]bool, err error) {
	_, list, report, err := judged(ctx, in, opt.verify(), nil)
	if err != nil {
		return nil, nil, err
	}
	chosen = map[int]bool{}
	missing := false
	for i, s := range list {
		r := &report.Signatures[i]
		if r.Kind == "signature" && must(s, r) {
			chosen[s.End] = true
			missing = missing || r.TimeSource == TimeOfCheck
		}
	}
	switch {
	case len(chosen) == 0:
		return nil, nil, fmt.Errorf("%w: no signature that is intact and trusted", ErrLevel)
	case !missing:
		return in, chosen, nil
	case opt.Timestamper == nil:
		return nil, nil, fmt.Errorf("%w: a signature has no time stamp, and no authority is given", ErrLevel)
	}
	out, err = addStamp(ctx, in, opt.Timestamper)
	return out, chosen, err
}

// addStamp puts a time stamp over the whole file.
func addStamp(ctx context.Context, in []byte, ts *Timestamper) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		reserve, err := ts.size(ctx)
		if err != nil {
			return nil, err
		}
		doc, err := pdfdoc.Open(ctx, in)
		if err != nil {
			return nil, err
		}
		file, err := doc.AddSignature(pdfdoc.SignatureField{Timestamp: true, Reserve: reserve})
		if err != nil {
			return nil, err
		}
		before, after := file.Ranges()
		token, err := ts.Timestamp(ctx, hashRanges(crypto.SHA256, before, after))
		if err != nil {
			return nil, err
		}
		if len(token) <= reserve {
			return file.Fill(token)
		}
		if attempt > 0 {
			return nil, errNoRoom
		}
	}
}

// addEvidence adds what the reports rest on and the file does not have yet.
func addEvidence(ctx context.Context, in []byte, opt ExtendOptions, chosen map[int]bool) ([]byte, error) {
	ask := opt.verify()
	ask.Online, ask.Revocation = opt.Revocation, RevocationRequired
	v, list, report, err := judged(ctx, in, ask, map[string]pdfdoc.Evidence{})
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		r := &report.Signatures[i]
		if chosen[s.End] || r.Kind == "timestamp" && i == len(list)-1 {
			if err := refusal(r); err != nil {
				return nil, err
			}
		}
	}
	have := v.doc.DSS()
	for key, e := range v.needed {
		if have.Has(e) {
			delete(v.needed, key)
		}
	}
	if len(v.needed) == 0 {
		return in, nil
	}
	return v.doc.AddEvidence(v.needed)
}

// refusal turns a report that stands in the way of a level into an error.
func refusal(r *SignatureReport) error {
	checks := []*Check{&r.Revocation, &r.Timestamp}
	for _, c := range checks {
		switch c.Code {
		case "revoked", "revoked_unproven", "timestamp_revoked", "timestamp_revoked_unproven":
			return fmt.Errorf("%w: %s", ErrRevoked, c.Detail)
		case "revocation_unavailable", "timestamp_revocation_unavailable":
			return fmt.Errorf("%w: %s", ErrUnavailable, c.Detail)
		}
		if c.Answer == Failed || c.Answer == Unknown {
			return fmt.Errorf("%w: field %q: %s %s", ErrLevel, r.Field, c.Code, c.Detail)
		}
	}
	return nil
}

// checkLevel judges the result without the network, as somebody will years later.
func checkLevel(ctx context.Context, out []byte, opt ExtendOptions, chosen map[int]bool) error {
	later := opt.verify()
	if opt.Level.AtLeast(LevelLT) {
		later.Revocation = RevocationRequired
	}
	_, list, report, err := judged(ctx, out, later, nil)
	if err != nil {
		return err
	}
	for i, s := range list {
		r := &report.Signatures[i]
		if !chosen[s.End] {
			continue
		}
		if r.Status != Valid || r.Level != "" && !r.Level.AtLeast(opt.Level) {
			return errors.Join(fmt.Errorf("%w: field %q is at %q: %s", ErrLevel, r.Field, r.Level, r.Status), refusal(r))
		}
	}
	return nil
}
