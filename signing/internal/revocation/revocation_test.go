package revocation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"congvan/signing/internal/revocation"

	"golang.org/x/crypto/ocsp"
)

var start = time.Date(2026, 3, 18, 8, 0, 0, 0, time.UTC)

type holder struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// certify issues a certificate; by itself when issuer is nil.
func certify(t testing.TB, name string, serial int64, issuer *holder, change func(*x509.Certificate)) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(-1, 0, 0),
		NotAfter: start.AddDate(1, 0, 0), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}
	if issuer == nil {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign|x509.KeyUsageDigitalSignature
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, crypto.Signer(key)
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{out, key}
}

func respond(t testing.TB, issuer, responder *holder, r ocsp.Response, embed bool) []byte {
	t.Helper()
	if embed {
		r.Certificate = responder.cert
	}
	der, err := ocsp.CreateResponse(issuer.cert, responder.cert, r, responder.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func responder(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }

func TestOnlyTheIssuerAndItsResponderAnswer(t *testing.T) {
	root := certify(t, "Root", 1, nil, nil)
	same := certify(t, "Root", 1, nil, nil) // another key under the same name
	unit := certify(t, "Unit", 7, root, nil)
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: unit.cert.SerialNumber, ThisUpdate: start, NextUpdate: start.AddDate(0, 0, 7),
		IssuerHash: crypto.SHA256}
	for name, c := range map[string]struct {
		der  []byte
		want error
	}{
		"issuer":                     {respond(t, root, root, good, false), nil},
		"issuer, its certificate in": {respond(t, root, root, good, true), nil},
		"appointed":                  {respond(t, root, certify(t, "R", 8, root, responder), good, true), nil},
		"appointed, not carried":     {respond(t, root, certify(t, "R", 8, root, responder), good, false), revocation.ErrForged},
		"not appointed":              {respond(t, root, certify(t, "R", 8, root, nil), good, true), revocation.ErrForged},
		"signed by itself":           {respond(t, root, certify(t, "R", 8, nil, responder), good, true), revocation.ErrForged},
		"the certificate asked for":  {respond(t, root, unit, good, true), revocation.ErrForged},
		"appointed by a namesake":    {respond(t, root, certify(t, "R", 8, same, responder), good, true), revocation.ErrForged},
		"namesake":                   {respond(t, root, same, good, true), revocation.ErrForged},
		"appointment over": {respond(t, root, certify(t, "R", 8, root, func(c *x509.Certificate) {
			responder(c)
			c.NotAfter = start.AddDate(0, -1, 0)
		}), good, true), revocation.ErrForged},
		"about another issuer": {respond(t, same, root, good, false), revocation.ErrOther},
		"about another serial": {respond(t, root, root, ocsp.Response{SerialNumber: big.NewInt(8), ThisUpdate: start, IssuerHash: crypto.SHA256}, false), revocation.ErrOther},
	} {
		o, err := revocation.ParseOCSP(c.der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, err := o.Answer(unit.cert, root.cert)
		if !errors.Is(err, c.want) || err == nil && a.Status != revocation.Good {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestNoFlippedByteChangesAnAnswer(t *testing.T) {
	root := certify(t, "Root", 1, nil, nil)
	unit := certify(t, "Unit", 7, root, nil)
	der := respond(t, root, root, ocsp.Response{Status: ocsp.Revoked, RevokedAt: start, SerialNumber: unit.cert.SerialNumber,
		ThisUpdate: start, NextUpdate: start.AddDate(0, 0, 7), RevocationReason: 1}, false)
	for i := range der {
		for bit := range 8 {
			bad := append([]byte{}, der...)
			bad[i] ^= 1 << bit
			o, err := revocation.ParseOCSP(bad)
			if err != nil {
				continue
			}
			if a, err := o.Answer(unit.cert, root.cert); err == nil && (a.Status != revocation.Revoked || !a.RevokedAt.Equal(start)) {
				t.Fatalf("byte %d, bit %d: %+v", i, bit, a)
			}
		}
	}
}

func list(t testing.TB, issuer *holder, l x509.RevocationList) []byte {
	t.Helper()
	l.Number, l.ThisUpdate, l.NextUpdate = big.NewInt(1), start, start.AddDate(0, 0, 7)
	der, err := x509.CreateRevocationList(rand.Reader, &l, issuer.cert, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestListsCountInTheirScope(t *testing.T) {
	root := certify(t, "Root", 1, nil, nil)
	same := certify(t, "Root", 1, nil, nil)
	unit := certify(t, "Unit", 7, root, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://a/1.crl"} })
	scope := func(hex ...byte) x509.RevocationList {
		return x509.RevocationList{ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: hex}}}
	}
	point := func(url string) x509.RevocationList {
		name := append([]byte{0xA0, byte(4 + len(url)), 0xA0, byte(2 + len(url)), 0x86, byte(len(url))}, url...)
		return scope(append([]byte{0x30, byte(len(name))}, name...)...)
	}
	revoked := x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: start, ReasonCode: 1}}}
	for name, c := range map[string]struct {
		der    []byte
		want   error
		status revocation.Status
	}{
		"empty":              {list(t, root, x509.RevocationList{}), nil, revocation.Good},
		"revoked":            {list(t, root, revoked), nil, revocation.Revoked},
		"namesake":           {list(t, same, x509.RevocationList{}), revocation.ErrForged, 0},
		"other":              {list(t, certify(t, "Other", 1, nil, nil), x509.RevocationList{}), revocation.ErrOther, 0},
		"users only":         {list(t, root, scope(0x30, 3, 0x81, 1, 0xff)), nil, revocation.Good},
		"authorities only":   {list(t, root, scope(0x30, 3, 0x82, 1, 0xff)), revocation.ErrOther, 0},
		"some reasons":       {list(t, root, scope(0x30, 4, 0x83, 2, 1, 0x40)), revocation.ErrScope, 0},
		"indirect":           {list(t, root, scope(0x30, 3, 0x84, 1, 0xff)), revocation.ErrScope, 0},
		"its point":          {list(t, root, point("http://a/1.crl")), nil, revocation.Good},
		"another point":      {list(t, root, point("http://a/2.crl")), revocation.ErrOther, 0},
		"delta":              {list(t, root, extended(asn1.ObjectIdentifier{2, 5, 29, 27})), revocation.ErrScope, 0},
		"unknown, must know": {list(t, root, extended(asn1.ObjectIdentifier{1, 2, 3})), revocation.ErrScope, 0},
	} {
		l, err := revocation.ParseCRL(c.der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, err := l.Answer(unit.cert, root.cert)
		if !errors.Is(err, c.want) || err == nil && a.Status != c.status {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func extended(id asn1.ObjectIdentifier) x509.RevocationList {
	return x509.RevocationList{ExtraExtensions: []pkix.Extension{{Id: id, Critical: true, Value: []byte{2, 1, 1}}}}
}

func TestWhatAnAnswerMeansAtATime(t *testing.T) {
	cert := &x509.Certificate{NotAfter: start.AddDate(1, 0, 0)}
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	good := &revocation.Answer{Status: revocation.Good, This: day(0), Next: day(7)}
	short := &revocation.Answer{Status: revocation.Good, This: day(0)}
	late := &revocation.Answer{Status: revocation.Good, This: day(400), Next: day(407)} // the certificate had ended
	gone := &revocation.Answer{Status: revocation.Revoked, This: day(5), RevokedAt: day(3), Reason: 1}
	hold := &revocation.Answer{Status: revocation.Revoked, This: day(5), RevokedAt: day(3), Reason: 6}
	lifted := &revocation.Answer{Status: revocation.Good, This: day(6), Next: day(13)}
	unknown := &revocation.Answer{Status: revocation.Unknown, This: day(6), Next: day(13)}
	for name, c := range map[string]struct {
		answers []*revocation.Answer
		at      time.Time
		want    revocation.Status
		known   bool
	}{
		"within":                    {[]*revocation.Answer{good}, day(3), revocation.Good, true},
		"made afterwards":           {[]*revocation.Answer{good}, day(-30), revocation.Good, true},
		"out of date":               {[]*revocation.Answer{good}, day(8), revocation.Unknown, false},
		"no next update, an hour":   {[]*revocation.Answer{short}, day(0).Add(time.Hour), revocation.Good, true},
		"no next update, a day":     {[]*revocation.Answer{short}, day(1), revocation.Unknown, false},
		"after the end":             {[]*revocation.Answer{late}, day(3), revocation.Unknown, false},
		"revoked before":            {[]*revocation.Answer{gone}, day(3), revocation.Revoked, true},
		"revoked afterwards":        {[]*revocation.Answer{gone}, day(2), revocation.Good, true},
		"revoked, long ago":         {[]*revocation.Answer{gone}, day(900), revocation.Revoked, true},
		"revoked beats newer":       {[]*revocation.Answer{gone, lifted}, day(6), revocation.Revoked, true},
		"hold":                      {[]*revocation.Answer{hold, good}, day(6), revocation.Revoked, true},
		"hold lifted":               {[]*revocation.Answer{hold, lifted}, day(6), revocation.Good, true},
		"unknown does not beat":     {[]*revocation.Answer{good, unknown}, day(6), revocation.Good, true},
		"unknown alone":             {[]*revocation.Answer{unknown}, day(6), revocation.Unknown, true},
		"nothing":                   {nil, day(0), revocation.Unknown, false},
		"unknown and revoked later": {[]*revocation.Answer{unknown, gone}, day(1), revocation.Good, true},
	} {
		got, chosen := revocation.Decide(c.answers, c.at, cert)
		if got != c.want || (chosen != nil) != c.known {
			t.Errorf("%s: %v, %+v", name, got, chosen)
		}
	}
}

func TestNoiseIsNoAnswer(t *testing.T) {
	refused, _ := asn1.Marshal(struct{ S asn1.Enumerated }{6})
	for name, der := range map[string][]byte{"nothing": nil, "text": []byte("<html>"), "refused": refused, "long": make([]byte, 2<<20)} {
		if _, err := revocation.ParseOCSP(der); err == nil {
			t.Errorf("OCSP: %s", name)
		}
		if _, err := revocation.ParseCRL(der); err == nil && name != "long" {
			t.Errorf("list: %s", name)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	root := certify(f, "Root", 1, nil, nil)
	unit := certify(f, "Unit", 7, root, nil)
	f.Add(respond(f, root, root, ocsp.Response{SerialNumber: unit.cert.SerialNumber, ThisUpdate: start, IssuerHash: crypto.SHA1}, true))
	f.Add(list(f, root, x509.RevocationList{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		if o, err := revocation.ParseOCSP(in); err == nil {
			_, _ = o.Answer(unit.cert, root.cert)
		}
		if c, err := revocation.ParseCRL(in); err == nil {
			_, _ = c.Answer(unit.cert, root.cert)
		}
	})
}
