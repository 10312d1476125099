package signing

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
	"congvan/signing/internal/revocation"
)

// A witness is one OCSP answer or list, and since when it is proven to exist.
type witness struct {
	revocation.Source
	seen     time.Time
	stamped  bool // seen comes from a document time stamp
	embedded bool
}

// maxWitnesses bounds the signatures that are checked for each certificate.
const maxWitnesses = 512

// evidence is what a file carries to judge its signatures by.
type evidence struct {
	witnesses []*witness
	certs     []*x509.Certificate
	vri       map[string]bool
	damaged   error // something in the file's store cannot be read
}

// readEvidence takes the store of the newest revision. Until a time stamp proves more, it exists since now.
func (v *verifier) readEvidence(signatures []*pdfdoc.Signature) *evidence {
	e := &evidence{}
	dss := v.doc.DSS()
	if dss == nil {
		return e
	}
	e.vri, e.damaged = dss.VRI, dss.Damaged
	for _, der := range dss.Certs {
		c, err := cms.ParseCertificate(der)
		if err != nil {
			e.damaged = err
			continue
		}
		e.certs = append(e.certs, c)
	}
	for _, der := range dss.OCSPs {
		e.add(revocationSource(revocation.ParseOCSP(der)))(v.opt.At)
	}
	for _, der := range dss.CRLs {
		e.add(revocationSource(revocation.ParseCRL(der)))(v.opt.At)
	}
	for key := range e.vri {
		// Nothing signs the store before the next time stamp: an entry for no signature of the file has been tampered with.
		if !slices.ContainsFunc(signatures, func(s *pdfdoc.Signature) bool { return s.Owns(key) }) {
			e.damaged = fmt.Errorf("evidence is listed for an unknown signature %.50q", key)
		}
	}
	return e
}

func revocationSource[T revocation.Source](s T, err error) (revocation.Source, error) { return s, err }

func (e *evidence) add(s revocation.Source, err error) func(time.Time) {
	return func(seen time.Time) {
		switch {
		case err != nil:
			e.damaged = err
			return
		case len(e.witnesses) >= maxWitnesses:
			e.damaged = fmt.Errorf("more than %d pieces of evidence", maxWitnesses)
			return
		}
		e.witnesses = append(e.witnesses, &witness{Source: s, seen: seen, embedded: true})
	}
}

// addCarried takes what a foreign signature carries inside itself (adbe-revocationInfoArchival).
func (e *evidence) addCarried(r cms.Revocations, seen time.Time, stamped bool) {
	have := func(der []byte) bool {
		return slices.ContainsFunc(e.witnesses, func(w *witness) bool { return bytes.Equal(w.DER(), der) })
	}
	add := func(s revocation.Source, err error) {
		if err == nil && !have(s.DER()) {
			e.witnesses = append(e.witnesses, &witness{Source: s, seen: seen, stamped: stamped, embedded: true})
		}
	}
	for _, der := range r.OCSPs {
		add(revocationSource(revocation.ParseOCSP(der)))
	}
	for _, der := range r.CRLs {
		add(revocationSource(revocation.ParseCRL(der)))
	}
}

// prove notes that everything in the store of a stamped revision existed at the time of the stamp.
func (e *evidence) prove(dss *pdfdoc.DSS, at time.Time) {
	if dss == nil {
		return
	}
	there := map[[32]byte]bool{}
	for _, list := range [][][]byte{dss.OCSPs, dss.CRLs} {
		for _, der := range list {
			there[sha256.Sum256(der)] = true
		}
	}
	for _, w := range e.witnesses {
		if there[sha256.Sum256(w.DER())] && at.Before(w.seen) {
			w.seen, w.stamped = at, true
		}
	}
}

// answers are what trustworthy witnesses say about a certificate. The issuer must have been in force when a witness is
// proven to exist: an authority's old key could be anybody's today. An appointed responder needs to have been in force
// only when it answered, because authorities give theirs a few weeks.
func (e *evidence) answers(cert, issuer *x509.Certificate) (list []*revocation.Answer, from map[*revocation.Answer]*witness) {
	from = map[*revocation.Answer]*witness{}
	for _, w := range e.witnesses {
		a, err := w.Answer(cert, issuer)
		if err != nil || a.This.After(w.seen.Add(clockSkew)) || w.seen.After(issuer.NotAfter) || a.This.Before(issuer.NotBefore) {
			continue
		}
		list = append(list, a)
		from[a] = w
	}
	return list, from
}
