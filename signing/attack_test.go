package signing_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"congvan/signing"
	"congvan/signing/internal/cms"
)

func sealedTiny(t testing.TB) []byte {
	t.Helper()
	return seal(t, theIssuer().sealers[signing.P256], tiny(), signing.SealOptions{})
}

// byteRange reads the newest byte range of a file.
func byteRange(in []byte) (r [4]int) {
	all := regexp.MustCompile(`/ByteRange\s*\[(\d+) (\d+) (\d+) (\d+)\s*\]`).FindAllSubmatch(in, -1)
	for i := range r {
		r[i], _ = strconv.Atoi(string(all[len(all)-1][i+1]))
	}
	return r
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	files := map[string][]byte{
		"tiny":   sealedTiny(t),
		"marked": seal(t, theIssuer().sealers[signing.P256], tiny(), marked()),
		"stream": seal(t, theIssuer().sealers[signing.P256], read(t, "chromium-objstm.pdf"), signing.SealOptions{}),
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantStatus(t, file, signing.Valid)
			step := 1
			if testing.Short() {
				step = 37
			}
			r := byteRange(file)
			bad := bytes.Clone(file)
			for i := 0; i < len(file); i += step {
				if i >= r[1] && i < r[2] {
					continue // the signature itself: see TestDamagedSignatureIsNeverValid
				}
				bad[i] ^= 1 << (i % 8)
				report, err := signing.Verify(context.Background(), bad, signing.VerifyOptions{Roots: theIssuer().roots})
				if err == nil && report.Status == signing.Valid {
					t.Fatalf("byte %d of %d flipped: still valid", i, len(file))
				}
				bad[i] = file[i]
			}
		})
	}
}

func TestDamagedSignatureIsNeverValid(t *testing.T) {
	file := sealedTiny(t)
	r := byteRange(file)
	der := must(hex.DecodeString(string(file[r[1]+1 : r[2]-1])))
	for i := range der {
		bad := bytes.Clone(der)
		bad[i] ^= 1 << (i % 8)
		out := bytes.Clone(file)
		copy(out[r[1]+1:], hex.EncodeToString(bad))
		report, err := signing.Verify(context.Background(), out, signing.VerifyOptions{Roots: theIssuer().roots})
		if err == nil && report.Status == signing.Valid {
			t.Errorf("byte %d of the CMS flipped: still valid", i)
		}
	}
}

func TestChangesAfterSealingAreRefused(t *testing.T) {
	file := sealedTiny(t)
	page, catalog := object(file, 3), object(file, 1)
	widget := objectWith(file, "/Subtype/Widget")
	sigValue := objectWith(file, "/ByteRange")
	next := 100
	cases := map[string][]byte{
		"content replaced":   update(file, objects{4: content("Pay 900")}),
		"page points away":   update(file, objects{3: strings.Replace(page, "/Contents 4 0 R", "/Contents 100 0 R", 1), next: content("Pay 900")}),
		"font replaced":      update(file, objects{5: "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"}),
		"font freed":         bytes.Replace(update(file, objects{5: "null"}), []byte("00000 n"), []byte("00001 f"), 1),
		"font null":          update(file, objects{5: "null"}),
		"page tree":          update(file, objects{2: "<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>"}),
		"page tree replaced": update(file, objects{2: "<< /Type /Pages /Kids [100 0 R] /Count 1 >>", next: strings.Replace(page, "/Contents 4 0 R", "/Contents 101 0 R", 1), 101: content("Pay 900")}),
		"crop":               update(file, objects{3: strings.Replace(page, "/MediaBox", "/CropBox [0 0 10 10] /MediaBox", 1)}),
		"annotation": update(file, objects{
			3:    regexp.MustCompile(`/Annots\s*\[`).ReplaceAllString(page, "/Annots [100 0 R "),
			next: "<< /Type /Annot /Subtype /FreeText /Rect [0 0 500 800] /Contents (Pay 900) >>"}),
		"visible empty field": update(file, objects{
			1:    regexp.MustCompile(`/Fields\s*\[`).ReplaceAllString(catalog, "/Fields [100 0 R "),
			3:    regexp.MustCompile(`/Annots\s*\[`).ReplaceAllString(page, "/Annots [100 0 R "),
			next: "<< /Type /Annot /Subtype /Widget /FT /Sig /T (x) /Rect [0 0 500 800] /AP << /N 101 0 R >> >>",
			101:  "<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Length 0 >>\nstream\n\nendstream"}),
		"text field": update(file, objects{
			1:    regexp.MustCompile(`/Fields\s*\[`).ReplaceAllString(catalog, "/Fields [100 0 R "),
			3:    regexp.MustCompile(`/Annots\s*\[`).ReplaceAllString(page, "/Annots [100 0 R "),
			next: "<< /Type /Annot /Subtype /Widget /FT /Tx /T (x) /V (Pay 900) /Rect [0 0 500 800] >>"}),
		"fake signature field": update(file, objects{
			1:    regexp.MustCompile(`/Fields\s*\[`).ReplaceAllString(catalog, "/Fields [100 0 R "),
			next: "<< /FT /Sig /T (x) /V << /Type /Sig /Filter /X /ByteRange [0 0 0 0] /Contents <00> >> >>"}),
		"widget moved":       update(file, objects{widget: strings.Replace(object(file, widget), "/Rect[0.00", "/Rect[9.00", 1)}),
		"signature replaced": update(file, objects{sigValue: "<< /Type /Sig /ByteRange [0 1 2 3] /Contents <00> >>"}),
		"form removed":       update(file, objects{1: "<< /Type /Catalog /Pages 2 0 R >>"}),
		"field removed":      update(file, objects{1: regexp.MustCompile(`/Fields\s*\[[^]]*\]`).ReplaceAllString(catalog, "/Fields []")}),
		"open action":        update(file, objects{1: strings.Replace(catalog, "/Type", "/OpenAction << /S /JavaScript /JS (x) >> /Type", 1)}),
		"layers":             update(file, objects{1: strings.Replace(catalog, "/Type", "/OCProperties << >> /Type", 1)}),
		"key twice":          update(file, objects{3: strings.Replace(page, "/Contents 4 0 R", "/Contents 4 0 R /Contents 100 0 R", 1), next: content("Pay 900")}),
		"key twice, escaped": update(file, objects{3: strings.Replace(page, "/Contents 4 0 R", "/Contents 4 0 R /C#6fntents 100 0 R", 1), next: content("Pay 900")}),
		"key twice, hidden":  update(file, objects{3: strings.Replace(page, "/Contents 4 0 R", "/C#6fntents 100 0 R /Contents 4 0 R", 1), next: content("Pay 900")}),
		"junk in dictionary": update(file, objects{3: strings.Replace(page, "/Contents 4 0 R", "/Contents 4 0 R 100 0 R", 1), next: content("Pay 900")}),
		"object twice":       twice(file),
		"visible time stamp": update(file, objects{
			1:    regexp.MustCompile(`/Fields\s*\[`).ReplaceAllString(catalog, "/Fields [100 0 R "),
			3:    regexp.MustCompile(`/Annots\s*\[`).ReplaceAllString(page, "/Annots [100 0 R "),
			next: "<< /Type /Annot /Subtype /Widget /FT /Sig /T (x) /Rect [0 0 500 800] /AP << /N 101 0 R >> /V 102 0 R >>",
			101:  "<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Length 0 >>\nstream\n\nendstream",
			102:  "<< /Type /DocTimeStamp /SubFilter /ETSI.RFC3161 /ByteRange [0 1 2 3] /Contents <00> >>"}),
		"another catalog": updateWith(file, objects{next: strings.Replace(catalog, "/Type", "/OpenAction 101 0 R /Type", 1), 101: "<< >>"}, "/Root 100 0 R /Info 6 0 R"),
		"title":           update(file, objects{6: "<< /Title (Other) /Producer (test) >>"}),
		"trailing bytes":  append(bytes.Clone(file), "4 0 obj\n"+content("Pay 900")+"\nendobj\n%%EOF\n"...),
		"unlisted object": unlisted(file),
		"junk":            append(bytes.Clone(file), "hello"...),
	}
	for name, bad := range cases {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal(bad, file) {
				t.Fatal("the attack changed nothing")
			}
			report, err := signing.Verify(context.Background(), bad, signing.VerifyOptions{Roots: theIssuer().roots})
			if err != nil {
				return // damaged is refused as well
			}
			if report.Status != signing.Invalid {
				t.Errorf("status %s: %s", report.Status, explain(report))
			}
		})
	}
}

// unlisted adds an increment whose cross reference does not name one of its objects: a reader that rebuilds the table
// by scanning would show it.
func unlisted(file []byte) []byte {
	out := append(bytes.Clone(file), "4 0 obj\n"+content("Pay 900")+"\nendobj\n"...)
	return appendObjects(out, objects{100: "null"}, "/Root 1 0 R /Info 6 0 R", lastXRefOf(file))
}

// twice adds an increment in which the evil object stands behind the one that the cross reference names.
func twice(file []byte) []byte {
	out := update(file, objects{4: object(file, 4)})
	at := bytes.LastIndex(out, []byte("xref\n4 1"))
	evil := "4 0 obj\n" + content("Pay 900") + "\nendobj\n"
	moved := append(bytes.Clone(out[:at]), evil...)
	end := regexp.MustCompile(`startxref\n\d+`).ReplaceAll(out[at:], fmt.Appendf(nil, "startxref\n%d", at+len(evil)))
	return append(moved, end...)
}

// A wrong entry makes lenient readers rebuild the table by scanning, where the last object of a number wins; strict
// readers follow the table to another one.
func TestTwoReadersMustNotSeeDifferentObjects(t *testing.T) {
	file := seal(t, theIssuer().sealers[signing.P256], tinyWithStream(), signing.SealOptions{})
	wantStatus(t, file, signing.Valid)
	evil := "4 0 obj\n" + content("Pay 900") + "\nendobj\n"
	good := "4 0 obj\n" + object(file, 4) + "\nendobj\n"
	prev := lastXRefOf(file)
	wantStatus(t, appendWithStream(file, []string{good}, 201, 200, prev, nil), signing.Valid) // the same again: harmless
	for name, out := range map[string][]byte{
		"plain":         appendWithStream(file, []string{evil}, 201, 200, prev, nil),
		"table to evil": appendWithStream(file, []string{evil, good}, 201, 200, prev, map[int]int{4: len(file)}),
		"and broken":    appendWithStream(file, []string{evil, good}, 201, 200, prev, map[int]int{4: len(file), 5: 12}),
		"broken prev":   appendWithStream(file, []string{evil, good}, 201, 200, prev+7, map[int]int{4: len(file)}),
		"no prev":       appendWithStream(file, []string{evil, good}, 201, 200, 0, map[int]int{4: len(file)}),
	} {
		r, err := signing.Verify(context.Background(), out, signing.VerifyOptions{Roots: theIssuer().roots})
		if err == nil && r.Status == signing.Valid {
			t.Errorf("%s: %s %s", name, r.Status, explain(r))
		}
	}
}

func TestDanglingReferenceMustNotComeAlive(t *testing.T) {
	o := onePage("/Annots [50 0 R]") // object 50 does not exist: a shadow waiting for its body
	file := seal(t, theIssuer().sealers[signing.P256], build(o), marked())
	wantStatus(t, file, signing.Valid)
	wantStatus(t, update(file, objects{50: "<< /Type /Annot /Subtype /FreeText /Rect [0 0 500 800] >>"}), signing.Invalid)
}

func TestHarmlessAdditionsAreAllowed(t *testing.T) {
	file := sealedTiny(t)
	catalog := object(file, 1)
	cases := map[string]struct {
		file []byte
		code string
	}{
		"dss":      {update(file, objects{1: strings.Replace(catalog, "/Type", "/DSS 100 0 R /Type", 1), 100: "<< /Certs [] >>"}), "dss"},
		"dates":    {update(file, objects{6: "<< /Title (Letter) /Producer (other) /ModDate (D:20260101) >>"}), "metadata"},
		"orphan":   {update(file, objects{100: "(nobody refers to this)"}), ""},
		"moved":    {updateWith(file, objects{100: catalog}, "/Root 100 0 R /Info 6 0 R"), ""},
		"repeated": {update(file, objects{4: object(file, 4)}), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := wantStatus(t, c.file, signing.Valid)
			if got := strings.Join(r.Signatures[0].Changes, ","); got != c.code {
				t.Errorf("changes %q, want %q", got, c.code)
			}
		})
	}
}

func TestFormMayBeFilledUnlessForbidden(t *testing.T) {
	filled := objects{7: strings.Replace(withForm()[7], "(old)", "(new)", 1)}
	file := seal(t, theIssuer().sealers[signing.P256], build(withForm()), marked())
	r := wantStatus(t, update(file, filled), signing.Valid)
	if got := r.Signatures[0].Changes; len(got) != 1 || got[0] != "form_fill" {
		t.Errorf("changes %q", got)
	}
	moved := objects{7: strings.Replace(withForm()[7], "[72 600", "[72 100", 1)}
	wantStatus(t, update(file, moved), signing.Invalid)
}

func TestCertifiedDocumentKeepsItsPermissions(t *testing.T) {
	certified := func(p int) []byte {
		o := withForm()
		o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm 9 0 R /Perms << /DocMDP 10 0 R >> >>"
		o[10] = fmt.Sprintf("<< /Type /Sig /Reference [<< /TransformMethod /DocMDP /TransformParams << /P %d >> >>] >>", p)
		return build(o)
	}
	s := theIssuer().sealers[signing.P256]
	_, err := s.Seal(context.Background(), certified(1), signing.SealOptions{})
	wantInputError(t, err, signing.ErrNoChanges, "no_changes")
	wantStatus(t, seal(t, s, certified(2), signing.SealOptions{}), signing.Valid)
	// A comment is a change, and where it is allowed a person must look at what it covers.
	for p, want := range map[int]signing.Status{2: signing.Invalid, 3: signing.Indeterminate} {
		file := seal(t, s, certified(p), signing.SealOptions{})
		page := strings.Replace(object(file, 3), "/Annots[", "/Annots[100 0 R ", 1)
		comment := "<< /Type /Annot /Subtype /FreeText /Rect [0 0 500 800] /Contents (Pay 900) >>"
		r := wantStatus(t, update(file, objects{3: page, 100: comment}), want)
		if p == 3 && r.Signatures[0].Coverage.Code != "comments_added" {
			t.Errorf("%+v", r.Signatures[0].Coverage)
		}
		link := strings.Replace(comment, "FreeText", "Widget", 1)
		wantStatus(t, update(file, objects{3: page, 100: link}), signing.Invalid)
		wantStatus(t, update(file, objects{3: page, 100: comment, 4: content("Pay 900")}), signing.Invalid)
	}
}

// resign makes a seal over whatever ranges the attacker likes, with a key that is trusted: only structure can refuse it.
func resign(t *testing.T, file []byte, ranges [4]int) []byte {
	t.Helper()
	out := bytes.Clone(file)
	at := bytes.LastIndex(out, []byte("/ByteRange"))
	end := at + bytes.IndexByte(out[at:], ']') + 1
	text := fmt.Sprintf("/ByteRange[%d %d %d %d", ranges[0], ranges[1], ranges[2], ranges[3])
	if at+len(text) >= end {
		t.Fatal("no room for the numbers")
	}
	copy(out[at:end], text+strings.Repeat(" ", end-at-len(text)-1)+"]")
	h := sha256.New()
	for i := 0; i < 4; i += 2 {
		from, to := max(0, ranges[i]), min(len(out), ranges[i]+ranges[i+1])
		if from < to {
			h.Write(out[from:to])
		}
	}
	id := theIssuer().ids[signing.P256]
	der := must(cms.Build(id.Key, id.Chain[:1], h.Sum(nil), nil))
	r := byteRange(file)
	room := out[r[1]+1 : r[2]-1]
	copy(room, bytes.Repeat([]byte("0"), len(room)))
	copy(room, hex.EncodeToString(der))
	return out
}

func TestByteRangeMustCoverAllButTheSignature(t *testing.T) {
	file := sealedTiny(t)
	r := byteRange(file)
	wantStatus(t, resign(t, file, r), signing.Valid) // the trick itself works when nothing is wrong
	for name, bad := range map[string][4]int{
		"does not start at 0":     {1, r[1] - 1, r[2], r[3]},
		"wider gap before":        {0, r[1] - 20, r[2], r[3]},
		"wider gap behind":        {0, r[1], r[2] + 3, r[3] - 3},
		"gap shorter":             {0, r[1], r[2] - 10, r[3] + 10},
		"ends before the end":     {0, r[1], r[2], r[3] - 8},
		"empty second range":      {0, r[1], r[2], 0},
		"overlap":                 {0, r[2], r[1], r[3]},
		"beyond the file":         {0, r[1], r[2], r[3] + 1},
		"swapped":                 {r[2], r[3], 0, r[1]},
		"everything in one range": {0, len(file), len(file), 0},
	} {
		t.Run(name, func(t *testing.T) {
			report := wantStatus(t, resign(t, file, bad), signing.Invalid)
			if got := report.Signatures[0].Coverage.Code; got != "byte_range" {
				t.Errorf("code %q", got)
			}
		})
	}
}

func TestByteRangeOfAnotherShapeIsRefused(t *testing.T) {
	file := sealedTiny(t)
	for _, text := range []string{"[0 1 2]", "[]", "null", "(x)", "[0 1 2 3 4]", "[0 (a) 2 3]", "[0 -5 2 3]", "[0. 1. 2. 3.]"} {
		out := bytes.Clone(file)
		at := bytes.LastIndex(out, []byte("/ByteRange"))
		end := at + bytes.IndexByte(out[at:], ']') + 1
		copy(out[at:end], bytes.Repeat([]byte(" "), end-at))
		copy(out[at:end], "/ByteRange "+text)
		report, err := signing.Verify(context.Background(), out, signing.VerifyOptions{Roots: theIssuer().roots})
		if err == nil && report.Status == signing.Valid {
			t.Errorf("%s is valid", text)
		}
	}
}

func TestAttackersCertificateIsNotTrusted(t *testing.T) {
	genuine := theIssuer().ids[signing.P256]
	mallory := must(signing.NewAuthority(signing.Subject{Name: agency}, signing.P256))
	own := must(mallory.Issue(signing.Subject{Name: agency}, signing.P256))
	chains := map[string][]*x509.Certificate{
		"own authority":             own.Chain,
		"genuine certificate too":   append([]*x509.Certificate{own.Chain[0]}, genuine.Chain...),
		"only the genuine as extra": {own.Chain[0], genuine.Chain[0]},
	}
	for name, chain := range chains {
		t.Run(name, func(t *testing.T) {
			s := must(signing.NewSealer(own.Key, chain))
			r := wantStatus(t, seal(t, s, tiny(), signing.SealOptions{}), signing.Indeterminate)
			if r.Signatures[0].Chain.Code != "untrusted" {
				t.Errorf("chain: %+v", r.Signatures[0].Chain)
			}
		})
	}
}

func TestKeyOfAnotherIsNotTheSigners(t *testing.T) {
	genuine, file := theIssuer().ids[signing.P256], sealedTiny(t)
	mallory := must(signing.GenerateKey(signing.P256))
	r := byteRange(file)
	digest := sha256.New()
	digest.Write(file[:r[1]])
	digest.Write(file[r[2]:])
	der := must(cms.Build(mallory, genuine.Chain[:1], digest.Sum(nil), nil)) // names the genuine certificate, signed by another key
	out := bytes.Clone(file)
	copy(out[r[1]+1:r[2]-1], bytes.Repeat([]byte("0"), r[2]-r[1]-2))
	copy(out[r[1]+1:], hex.EncodeToString(der))
	report := wantStatus(t, out, signing.Invalid)
	if got := report.Signatures[0].Intact.Code; got != "signature_mismatch" {
		t.Errorf("code %q", got)
	}
}

func TestUnreadableCMSIsInvalid(t *testing.T) {
	file := sealedTiny(t)
	r := byteRange(file)
	n := r[2] - r[1] - 2
	for name, hexDigits := range map[string]string{
		"zeros":     strings.Repeat("0", n),
		"noise":     strings.Repeat("5a", n/2),
		"deep":      strings.Repeat("3080", n/4) + strings.Repeat("0", n%4),
		"huge":      "3084ffffffff" + strings.Repeat("0", n-12),
		"truncated": string(file[r[1]+1:r[1]+201]) + strings.Repeat("0", n-200),
	} {
		t.Run(name, func(t *testing.T) {
			out := bytes.Clone(file)
			copy(out[r[1]+1:], hexDigits)
			report := verify(t, out)
			if report.Status == signing.Valid {
				t.Error("valid")
			}
		})
	}
}

func TestNoSignatureIsNotValid(t *testing.T) {
	r := wantStatus(t, tiny(), signing.Indeterminate)
	if r.Code != "no_signature" || r.Reason == "" {
		t.Errorf("report %+v", r)
	}
}

func TestWithoutRootsNothingIsTrusted(t *testing.T) {
	for _, roots := range []*x509.CertPool{nil, x509.NewCertPool()} {
		r, err := signing.Verify(context.Background(), sealedTiny(t), signing.VerifyOptions{Roots: roots})
		if err != nil || r.Status != signing.Indeterminate {
			t.Errorf("status %v, %v", r, err)
		}
	}
}
