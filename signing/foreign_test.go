package signing_test

import (
	"bytes"
	"strings"
	"testing"

	"congvan/signing"

	"github.com/digitorus/pdfsign"
)

// foreign runs github.com/digitorus/pdfsign, an independent producer.
func foreign(t *testing.T, in []byte, prepare func(*pdfsign.Document)) []byte {
	t.Helper()
	doc, err := pdfsign.Open(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	prepare(doc)
	var out bytes.Buffer
	if _, err := doc.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestForeignCertificationsAreObeyed(t *testing.T) {
	p := newPKI(t)
	own := p.sealer("unit", "signer", "p256")
	p.issue("other", "signer", "rsa:2048", 365)
	for _, c := range []struct {
		permission pdfsign.Permission
		name       string
	}{{1, "no changes"}, {2, "forms"}, {3, "comments"}} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []string{"letter.pdf", "objectstreams.pdf", "chromium.pdf"} {
				file := foreign(t, read(t, in), func(d *pdfsign.Document) {
					d.Sign(p.key("other"), p.cert("other"), p.root).Type(pdfsign.CertificationSignature).Permission(c.permission).SignerName("Van thu")
				})
				opt := signing.VerifyOptions{Roots: p.roots, TSARoots: p.roots}
				r := judge(t, file, opt, signing.Valid)
				if r.Signatures[0].Certified != int(c.permission) {
					t.Errorf("certified %d, want %d", r.Signatures[0].Certified, c.permission)
				}
				out, err := own.Seal(t.Context(), file, signing.SealOptions{Mark: marked().Mark})
				if c.permission == 1 {
					wantInputError(t, err, signing.ErrNoChanges, "no_changes")
				} else if err != nil {
					t.Fatal(err)
				} else if r := judge(t, out, opt, signing.Valid); len(r.Signatures) != 2 || r.Signatures[1].Certified != 0 {
					t.Errorf("%+v", r)
				}
				// Evidence and time stamps are allowed always.
				long, err := p.extend(file, signing.LevelLTA, "tsa")
				if err != nil {
					t.Fatal(err)
				}
				judge(t, long, p.offline(), signing.Valid)
			}
		})
	}
}

func TestForeignSignaturesInARow(t *testing.T) {
	p := newPKI(t)
	own := p.sealer("unit", "signer", "p256")
	p.issue("other", "signer", "rsa:2048", 365)
	file := read(t, "letter.pdf")
	for i := range 4 {
		file = foreign(t, file, func(d *pdfsign.Document) {
			s := d.Sign(p.key("other"), p.cert("other"), p.root).SignerName("Van thu")
			if i%2 == 1 {
				s.Timestamp(p.http.URL + "/tsa")
			}
		})
	}
	file = foreign(t, file, func(d *pdfsign.Document) { d.Timestamp(p.http.URL + "/tsa") })
	lax := p.offline()
	lax.Revocation = signing.RevocationIfKnown // answers about the signers are in Adobe's attribute, about the stamps nowhere
	r := judge(t, file, lax, signing.Valid)
	if len(r.Signatures) != 5 || r.Signatures[4].Kind != "timestamp" || r.Signatures[4].Status != signing.Valid {
		t.Fatalf("%s", explain(r))
	}
	for i, s := range r.Signatures[:4] {
		want := map[bool]signing.TimeSource{true: signing.TimeOfStamp, false: signing.TimeOfDocumentStamp}[i%2 == 1]
		if s.TimeSource != want || s.Level != "" || s.Revocation.Answer != signing.Passed {
			t.Errorf("signature %d: time by %s, level %q, %+v", i, s.TimeSource, s.Level, s.Revocation)
		}
	}
	out := seal(t, own, file, p.options(signing.LevelLTA))
	r = judge(t, out, lax, signing.Valid)
	if got := r.Signatures[5]; got.Level != signing.LevelLTA {
		t.Errorf("ours: %q", got.Level)
	}
	long := must(p.extend(file, signing.LevelLTA, "tsa"))
	judge(t, long, p.offline(), signing.Valid)
}

// The other way round: what we extend, another program signs again.
func TestExtendedFilesTakeForeignSignatures(t *testing.T) {
	p := newPKI(t)
	own := p.sealer("unit", "signer", "p256")
	p.issue("other", "signer", "rsa:2048", 365)
	for _, name := range []string{"letter.pdf", "libreoffice.pdf", "chromium-objstm.pdf"} {
		file := seal(t, own, read(t, name), p.options(signing.LevelLTA))
		file = foreign(t, file, func(d *pdfsign.Document) { d.Sign(p.key("other"), p.cert("other"), p.root).SignerName("Van thu") })
		r := judge(t, file, signing.VerifyOptions{Roots: p.roots, TSARoots: p.roots}, signing.Valid)
		if r.Signatures[0].Level != signing.LevelLTA || !strings.Contains(strings.Join(r.Signatures[0].Changes, ","), "signature") {
			t.Errorf("%s: %q %s", name, r.Signatures[0].Level, explain(r))
		}
	}
}
