package signing_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"congvan/signing"
)

// hostile are files made to make a reader loop, recurse or allocate.
func hostile() map[string][]byte {
	page := onePage("")
	with := func(change func(objects)) []byte {
		o := onePage("")
		change(o)
		return build(o)
	}
	return map[string][]byte{
		"xref points at itself": bytes.Replace(update(tiny(), objects{7: "null"}),
			fmt.Appendf(nil, "/Prev %d", lastXRefOf(tiny())), fmt.Appendf(nil, "/Prev %d", lastXRefOf(update(tiny(), objects{7: "null"}))), 1),
		"deep arrays": with(func(o objects) {
			o[7] = strings.Repeat("[", 1<<20)
			o[1] = "<< /Type /Catalog /Pages 2 0 R /X 7 0 R >>"
		}),
		"deep dictionaries": with(func(o objects) { o[7] = strings.Repeat("<< /A ", 1<<18) }),
		"page tree in a circle": with(func(o objects) {
			o[2] = "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"
		}),
		"page tree of itself twice": with(func(o objects) {
			o[2] = "<< /Type /Pages /Kids [7 0 R 7 0 R] /Count 9 >>"
			o[7] = "<< /Type /Pages /Kids [8 0 R 8 0 R] /Count 9 /Parent 2 0 R >>"
			o[8] = "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 /Parent 7 0 R >>"
		}),
		"fields in a circle": with(func(o objects) {
			o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [7 0 R] >> >>"
			o[7] = "<< /FT /Sig /T (a) /Kids [8 0 R] >>"
			o[8] = "<< /T (b) /Kids [7 0 R] >>"
		}),
		"references in a circle": with(func(o objects) {
			o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm 7 0 R >>"
			o[7], o[8] = "8 0 R", "7 0 R"
		}),
		"stream that is its own length": with(func(o objects) { o[4] = "<< /Length 4 0 R >>\nstream\nx\nendstream" }),
		"catalog is a number":           with(func(o objects) { o[1] = "42" }),
		"pages is a string":             with(func(o objects) { o[2] = "(x)" }),
		"annots is a name":              with(func(o objects) { o[3] = strings.Replace(page[3], "/Contents", "/Annots /X /Contents", 1) }),
		"media box of words":            with(func(o objects) { o[3] = strings.Replace(page[3], "[0 0 595 842]", "[/a (b) null 1]", 1) }),
		"media box without area":        with(func(o objects) { o[3] = strings.Replace(page[3], "[0 0 595 842]", "[0 0 0 0]", 1) }),
		"huge media box":                with(func(o objects) { o[3] = strings.Replace(page[3], "595", "99999999999999999999", 1) }),
		"form is an array":              with(func(o objects) { o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm [] >>" }),
		"fields is a number":            with(func(o objects) { o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields 7 >> >>" }),
		"rotate by a word":              with(func(o objects) { o[3] = strings.Replace(page[3], "/Contents", "/Rotate /X /Contents", 1) }),
		"many signature fields": with(func(o objects) {
			var refs strings.Builder
			for i := range 2000 {
				o[1000+i] = fmt.Sprintf("<< /FT /Sig /T (s%d) /V << /Type /Sig /ByteRange [0 1 2 3] /Contents <00> >> >>", i)
				fmt.Fprintf(&refs, "%d 0 R ", 1000+i)
			}
			o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [" + refs.String() + "] >> >>"
		}),
		"huge xref size": bytes.Replace(tiny(), []byte("/Size 7"), []byte("/Size 2147483647"), 1),
		"huge subsection": bytes.Replace(tiny(), []byte("xref\n0 1\n"),
			[]byte("xref\n0 99999999\n"), 1),
	}
}

// bounded fails when f takes longer than a clerk would wait.
func bounded(t *testing.T, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d > time.Minute {
		t.Errorf("took %v", d)
	}
}

func TestHostileFilesEndInAnAnswer(t *testing.T) {
	for name, in := range hostile() {
		t.Run(name, func(t *testing.T) {
			bounded(t, func() {
				out, err := theIssuer().sealers[signing.P256].Seal(context.Background(), in, marked())
				if err == nil {
					wantStatus(t, out, signing.Valid) // what was sealed must hold
				}
				r, err := signing.Verify(context.Background(), in, signing.VerifyOptions{Roots: theIssuer().roots})
				if err == nil && r.Status == signing.Valid {
					t.Error("valid")
				}
			})
		})
	}
}

func FuzzVerify(f *testing.F) {
	is := theIssuer()
	file := sealedTiny(f)
	f.Add(file)
	f.Add(seal(f, is.sealers[signing.P256], file, signing.SealOptions{}))
	f.Add(seal(f, is.sealers[signing.P256], build(withForm()), signing.SealOptions{}))
	for _, in := range hostile() {
		if len(in) < 1<<12 {
			f.Add(in)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		start := time.Now()
		r, err := signing.Verify(context.Background(), in, signing.VerifyOptions{Roots: is.roots})
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
		if err != nil || r.Status != signing.Valid {
			return
		}
		// Valid can only be what contains a seal of ours, whole and at the start.
		for _, s := range r.Signatures {
			if s.Serial != is.ids[signing.P256].Chain[0].SerialNumber.Text(16) {
				t.Error("valid without our seal")
			}
		}
	})
}

func FuzzSeal(f *testing.F) {
	f.Add(tiny())
	f.Add(build(withForm()))
	f.Add(build(onePage("/Rotate 270 /CropBox [1 2 3 4]")))
	for _, in := range hostile() {
		if len(in) < 1<<12 {
			f.Add(in)
		}
	}
	is := theIssuer()
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := is.sealers[signing.P256].Seal(context.Background(), in, marked())
		if err != nil {
			return
		}
		r, err := signing.Verify(context.Background(), out, signing.VerifyOptions{Roots: is.roots})
		if err != nil {
			t.Fatalf("sealed file cannot be read: %v", err)
		}
		last := r.Signatures[len(r.Signatures)-1]
		if last.Intact.Answer != signing.Passed || last.Coverage.Code != "whole_file" {
			t.Fatalf("sealed file does not verify: %s", explain(r))
		}
	})
}
