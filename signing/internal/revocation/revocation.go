// Package revocation reads what authorities say about their certificates: OCSP answers (RFC 6960) and revocation lists
// (RFC 5280 §5). It knows no network and no clock. An answer counts only when it is about the certificate asked for and
// signed by its issuer or by whom the issuer has appointed for it.
package revocation

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Errors of reading and asking.
var (
	ErrSyntax  = errors.New("not a readable revocation answer")
	ErrOther   = errors.New("answer is about other certificates")
	ErrRefused = errors.New("responder refuses")
	ErrForged  = errors.New("answer is not signed by the issuer of the certificate")
	ErrScope   = errors.New("answer of an unsupported kind")
)

// A Status is what an authority says about a certificate.
type Status int

// The statuses of RFC 6960 §2.2.
const (
	Unknown Status = iota
	Good
	Revoked
)

// certificateHold is the reason of a revocation that may be lifted (RFC 5280 §5.3.1).
const certificateHold = 6

// noNextUpdate is how long an answer without a next update stands for the time after it.
const noNextUpdate = time.Hour

// An Answer is what one OCSP answer or one list says about one certificate. Its signature has been checked.
type Answer struct {
	Status    Status
	This      time.Time // the status is known to be correct at this time
	Next      time.Time // zero when there is none
	RevokedAt time.Time
	Reason    int
}

// A Source is a parsed OCSP answer or revocation list.
type Source interface {
	// Answer says what it knows about a certificate, whose issuer must be given. ErrOther means nothing.
	Answer(cert, issuer *x509.Certificate) (*Answer, error)
	// DER is what it was parsed from.
	DER() []byte
}

// At says what the answer means for a certificate at a time. An answer made later speaks for the past as long as the
// certificate had not run out, after which authorities may forget it; an older one speaks until its next update.
func (a *Answer) At(t time.Time, cert *x509.Certificate) (Status, bool) {
	if a.Status == Revoked {
		if a.RevokedAt.After(t) {
			return Good, true // it was revoked afterwards
		}
		return Revoked, true
	}
	until := a.Next
	if until.IsZero() {
		until = a.This.Add(noNextUpdate)
	}
	if t.After(until) || a.This.After(cert.NotAfter) {
		return Unknown, false
	}
	return a.Status, true
}

// Decide joins what several answers say about a certificate at a time. chosen is the answer that decided, nil when none
// speaks for that time. A revocation stands whatever others say, unless it was a hold that a later answer no longer knows.
func Decide(answers []*Answer, t time.Time, cert *x509.Certificate) (status Status, chosen *Answer) {
	for _, a := range answers {
		s, ok := a.At(t, cert)
		if !ok {
			continue
		}
		switch {
		case chosen == nil, rank(s, a) > rank(status, chosen), rank(s, a) == rank(status, chosen) && a.This.After(chosen.This):
			status, chosen = s, a
		}
	}
	return status, chosen
}

// rank orders answers: a final revocation first, then what is newest of hold and good, then unknown.
func rank(s Status, a *Answer) int {
	switch {
	case s == Revoked && a.Reason != certificateHold:
		return 2
	case s == Unknown:
		return 0
	}
	return 1
}

// weak are signature algorithms under which an answer can be forged.
func weak(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.DSAWithSHA256:
		return true
	}
	return false
}

// issued says whether a certificate names the issuer and is signed by it.
func issued(cert, issuer *x509.Certificate) error {
	if !bytes.Equal(cert.RawIssuer, issuer.RawSubject) {
		return fmt.Errorf("%w: issued by another", ErrForged)
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		return fmt.Errorf("%w: %v", ErrForged, err)
	}
	return nil
}
