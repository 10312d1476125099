package signing_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"congvan/signing"
	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"

	"github.com/digitorus/timestamp"
	"golang.org/x/crypto/ocsp"
)

// tamperStep is how many bytes are left out between two flips; in CI none.
func tamperStep(local int) int {
	if os.Getenv("CI") != "" && !testing.Short() {
		return 1
	}
	return local
}

func TestNoFlippedByteInAnExtendedFileIsMissed(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	for level, step := range map[signing.Level]int{signing.LevelB: 1, signing.LevelT: 3, signing.LevelLT: 5, signing.LevelLTA: 7} {
		t.Run(string(level), func(t *testing.T) {
			file := seal(t, s, tiny(), p.options(level))
			sealed := byteRange(file)
			opt := p.offline()
			if !level.AtLeast(signing.LevelLT) {
				opt.Revocation = signing.RevocationIfKnown
			}
			judge(t, file, opt, signing.Valid)
			bad := bytes.Clone(file)
			valid := 0
			for i := 0; i < len(file); i += tamperStep(step) {
				bad[i] ^= 1 << (i % 8)
				r, err := signing.Verify(t.Context(), bad, opt)
				bad[i] = file[i]
				if err != nil || r.Status != signing.Valid {
					continue
				}
				// Behind the last signature nothing is signed: B-LT ends with evidence of which not every byte is needed.
				if valid++; i < sealed[2]+sealed[3] {
					t.Fatalf("byte %d of %d flipped: still valid", i, len(file))
				}
			}
			t.Logf("%s: %d bytes, %d flips behind the last signature do not matter", level, len(file), valid)
		})
	}
}

// resealed makes a new CMS for the only signature of a file, with a token of somebody's choice.
func resealed(t *testing.T, p *pki, file []byte, token func(value []byte) []byte) []byte {
	t.Helper()
	r := byteRange(file)
	h := sha256.New()
	h.Write(file[:r[1]])
	h.Write(file[r[2]:])
	der := must(cms.Build(p.key("unit"), theChain(p, "unit"), h.Sum(nil), func(value []byte) ([]byte, error) { return token(value), nil }))
	room := r[2] - r[1] - 2
	if 2*len(der) > room {
		t.Fatalf("token does not fit: %d of %d", 2*len(der), room)
	}
	out := bytes.Clone(file)
	copy(out[r[1]+1:], bytes.Repeat([]byte("0"), room))
	copy(out[r[1]+1:], hex.EncodeToString(der))
	return out
}

// rogueToken is made by another program's library, with whatever key, certificate and time.
func rogueToken(cert *x509.Certificate, key crypto.Signer, at time.Time, value []byte) []byte {
	digest := sha256.Sum256(value)
	reply := must((&timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Time: at, Policy: asn1.ObjectIdentifier{1, 2, 3},
		AddTSACertificate: true}).CreateResponseWithOpts(cert, key, crypto.SHA256))
	return must(cms.TimestampToken(reply))
}

func TestFalseTimesAreNotBelieved(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	p.issue("small", "tsa", "p256", 700)
	opt := p.offline()
	opt.Revocation = signing.RevocationIfKnown
	base := seal(t, s, tiny(), p.options(signing.LevelT))
	mallory := selfMadeTSA(t)
	past := time.Now().AddDate(0, -6, 0)
	stolen := must(cms.Parse(byteRangeContents(base))).Timestamps[0]
	for name, c := range map[string]struct {
		token func(value []byte) []byte
		want  signing.Status
		code  string
	}{
		"honest": {func(v []byte) []byte { return rogueToken(p.cert("small"), p.key("small"), time.Now(), v) }, signing.Valid, "timestamp_trusted"},
		"back-dated by an own authority": {func(v []byte) []byte { return rogueToken(mallory.cert, mallory.key, past, v) },
			signing.Indeterminate, "timestamp_untrusted"},
		"before the authority existed": {func(v []byte) []byte { return rogueToken(p.cert("small"), p.key("small"), past, v) },
			signing.Indeterminate, "timestamp_out_of_force"},
		"in the future": {func(v []byte) []byte {
			return rogueToken(p.cert("small"), p.key("small"), time.Now().AddDate(0, 1, 0), v)
		},
			signing.Indeterminate, "timestamp_order"},
		"by a certificate to sign with": {func(v []byte) []byte { return rogueToken(p.cert("unit"), p.key("unit"), time.Now(), v) },
			signing.Indeterminate, "timestamp_purpose"},
		"of another signature": {func([]byte) []byte { return stolen }, signing.Invalid, "timestamp_mismatch"},
		"not a token":          {func([]byte) []byte { return []byte{4, 1, 0} }, signing.Invalid, "timestamp_broken"},
		"damaged": {func(v []byte) []byte {
			token := rogueToken(p.cert("small"), p.key("small"), time.Now(), v)
			token[len(token)-5] ^= 1
			return token
		}, signing.Invalid, "timestamp_broken"},
	} {
		t.Run(name, func(t *testing.T) {
			r := judge(t, resealed(t, p, base, c.token), opt, c.want)
			if r.Signatures[0].Timestamp.Code != c.code {
				t.Errorf("code %q, want %q: %s", r.Signatures[0].Timestamp.Code, c.code, explain(r))
			}
			if c.want != signing.Valid && r.Signatures[0].TimeSource != signing.TimeOfCheck {
				t.Errorf("time by %s", r.Signatures[0].TimeSource)
			}
		})
	}
	// Without roots for time stamps none of them moves the time.
	opt.TSARoots = nil
	r := judge(t, resealed(t, p, base, func(v []byte) []byte { return rogueToken(mallory.cert, mallory.key, past, v) }), opt, signing.Valid)
	if r.Signatures[0].TimeSource != signing.TimeOfCheck || r.Signatures[0].StampedTime != nil {
		t.Errorf("%+v", r.Signatures[0])
	}
}

type keyed struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// selfMadeTSA has all the marks of an authority but nobody who vouches for it.
func selfMadeTSA(t *testing.T) keyed {
	t.Helper()
	key := must(signing.GenerateKey(signing.P256))
	usage := must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	c := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature}
	c.Subject.CommonName = "tsa"
	c.ExtraExtensions = append(c.ExtraExtensions, extension(asn1.ObjectIdentifier{2, 5, 29, 37}, usage))
	der := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))
	return keyed{must(x509.ParseCertificate(der)), key}
}

func byteRangeContents(file []byte) []byte {
	r := byteRange(file)
	return must(hex.DecodeString(string(file[r[1]+1 : r[2]-1])))
}

func TestForgedEvidenceIsNotBelieved(t *testing.T) {
	p, fake := newPKI(t), newPKI(t) // both authorities are called Root
	s := p.sealer("unit", "signer", "p256")
	file := seal(t, s, tiny(), p.options(signing.LevelB))
	unit := p.cert("unit")
	answer := func(issuer *x509.Certificate, responder keyed, status int, this time.Time) []byte {
		return must(ocsp.CreateResponse(issuer, responder.cert, ocsp.Response{Status: status, SerialNumber: unit.SerialNumber,
			ThisUpdate: this, NextUpdate: this.AddDate(0, 0, 7), RevokedAt: time.Now().AddDate(0, -1, 0), Certificate: responder.cert,
			IssuerHash: crypto.SHA256}, responder.key))
	}
	root := keyed{p.root, p.key("root")}
	fakeRoot := keyed{fake.root, fake.key("root")}
	now := time.Now()
	for name, c := range map[string]struct {
		der  []byte
		want signing.Status
	}{
		"honest":               {answer(p.root, root, ocsp.Good, now), signing.Valid},
		"namesake":             {answer(p.root, fakeRoot, ocsp.Good, now), signing.Indeterminate},
		"the signer about it":  {answer(p.root, keyed{unit, p.key("unit")}, ocsp.Good, now), signing.Indeterminate},
		"old":                  {answer(p.root, root, ocsp.Good, now.AddDate(0, -2, 0)), signing.Indeterminate},
		"from the future":      {answer(p.root, root, ocsp.Good, now.AddDate(0, 2, 0)), signing.Indeterminate},
		"revoked, by the root": {answer(p.root, root, ocsp.Revoked, now), signing.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			out := withEvidence(t, file, pdfdoc.Evidence{OCSPs: [][]byte{c.der}})
			r, err := signing.Verify(t.Context(), out, p.offline())
			if err != nil || r.Status == signing.Valid && c.want != signing.Valid {
				t.Fatalf("%v, %v", r, err)
			}
			lax := p.offline()
			lax.Revocation = signing.RevocationIfKnown
			if r := judge(t, out, lax, c.want); len(r.Signatures[0].Changes) != 1 || r.Signatures[0].Changes[0] != "dss" {
				t.Errorf("changes %q", r.Signatures[0].Changes)
			}
		})
	}
	r := judge(t, withEvidence(t, file, pdfdoc.Evidence{CRLs: [][]byte{[]byte("noise")}}), p.offline(), signing.Indeterminate)
	if r.Signatures[0].Revocation.Code != "evidence_damaged" {
		t.Errorf("%+v", r.Signatures[0].Revocation)
	}
}

// withEvidence lists evidence of anybody's making for the only signature of a file.
func withEvidence(t *testing.T, file []byte, e pdfdoc.Evidence) []byte {
	t.Helper()
	doc := must(pdfdoc.Open(t.Context(), file))
	sig := must(doc.Signatures())[0]
	return must(doc.AddEvidence(map[string]pdfdoc.Evidence{sig.VRIKey(): e}))
}

// A time stamp says that bytes existed, not that they are right.
func TestStampsDoNotHealChanges(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	file := seal(t, s, tiny(), p.options(signing.LevelLTA))
	for name, bad := range map[string][]byte{
		"content":            update(file, objects{4: content("Pay 900")}),
		"content with store": update(file, objects{4: content("Pay 900"), 1: strings.Replace(object(file, 1), "/DSS ", "/DSS 100 0 R /X ", 1), 100: "<< /Type /DSS >>"}),
		"annotation":         update(file, objects{3: strings.Replace(object(file, 3), "/Annots[", "/Annots[100 0 R ", 1), 100: "<< /Type /Annot /Subtype /FreeText /Rect [0 0 500 800] /Contents (Pay 900) >>"}),
	} {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal(bad, file) {
				t.Fatal("the attack changed nothing")
			}
			judge(t, bad, p.offline(), signing.Invalid)
			// Nobody extends it, and a stamp set by hand does not help.
			if out, err := p.extend(bad, signing.LevelLTA, "tsa"); err == nil {
				t.Errorf("extended to %d bytes", len(out))
			}
			doc := must(pdfdoc.Open(t.Context(), bad))
			u := must(doc.AddSignature(pdfdoc.SignatureField{Timestamp: true, Reserve: 6000}))
			before, after := u.Ranges()
			digest := sha256.Sum256(slicesConcat(before, after))
			stamped := must(u.Fill(must(p.stamper("tsa").Timestamp(t.Context(), digest[:]))))
			judge(t, stamped, p.offline(), signing.Invalid)
		})
	}
	// The stamp's contents in a second field prove nothing about other bytes.
	r := byteRange(file)
	stampNumber := objectWith(file, "/ByteRange")
	copied := strings.Replace(object(file, stampNumber), fmt.Sprintf("[%d %d %d %d", r[0], r[1], r[2], r[3]), "[0 1 2 3", 1)
	twice := update(file, objects{
		1:   strings.Replace(object(file, 1), "/Fields[", "/Fields[100 0 R ", 1),
		100: "<< /Type /Annot /Subtype /Widget /FT /Sig /T (again) /Rect [0 0 0 0] /V 101 0 R >>", 101: copied,
	})
	judge(t, twice, p.offline(), signing.Invalid)
	// Cut off, a seal falls back to what is left, and the file is whole again.
	cut := file[:bytes.LastIndex(file[:r[1]], []byte("%%EOF"))+len("%%EOF\n")]
	if got := judge(t, cut, p.offline(), signing.Valid).Signatures[0].Level; got != signing.LevelLT {
		t.Errorf("level %q", got)
	}
}

func slicesConcat(a, b []byte) []byte { return append(bytes.Clone(a), b...) }
