package signing_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/signing"
	"congvan/signing/internal/cms"

	"github.com/digitorus/pdfsign"
)

// tampered verifies a changed file and says whether it passes for valid.
func tampered(t *testing.T, file []byte, opt signing.VerifyOptions) bool {
	r, err := signing.Verify(t.Context(), file, opt)
	return err == nil && r.Status == signing.Valid
}

// Every byte of a small file takes several other values, and bytes are put in, taken out and cut off. go test does a part
// of it, make tamper all.
func TestNoTamperedByteIsMissed(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	bb, lta := p.offline(), p.offline()
	bb.Revocation = signing.RevocationIfKnown
	for _, c := range []struct {
		name       string
		level      signing.Level
		mark       string
		opt        signing.VerifyOptions
		full, some int // steps
	}{
		{"B-B", signing.LevelB, "", bb, 1, 23}, {"B-B marked", signing.LevelB, marked().Mark, bb, 97, 397},
		{"B-LTA", signing.LevelLTA, "", lta, 1, 397}, {"B-LTA marked", signing.LevelLTA, marked().Mark, lta, 97, 997},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := p.options(c.level)
			o.Mark = c.mark
			file := seal(t, s, tiny(), o)
			judge(t, file, c.opt, signing.Valid)
			step, places := c.some, 25
			if *corpusFlag == "all" {
				step, places = c.full, 300
			}
			flips := flipBytes(t, file, step, c.opt)
			moves := moveBytes(t, file, places, c.opt)
			t.Logf("%s: %d bytes, %d values changed, %d insertions, deletions and cuts: none valid", c.name, len(file), flips, moves)
		})
	}
}

func flipBytes(t *testing.T, file []byte, step int, opt signing.VerifyOptions) (n int) {
	bad := bytes.Clone(file)
	for i := 0; i < len(file); i += step {
		for _, v := range []byte{file[i] ^ 1, file[i] ^ 0x80, file[i] + 1, file[i] ^ 0x10, ' ', 0} {
			if v == file[i] {
				continue
			}
			bad[i] = v
			if n++; tampered(t, bad, opt) {
				t.Errorf("byte %d of %d: %q for %q is still valid", i, len(file), v, file[i])
			}
		}
		bad[i] = file[i]
	}
	return n
}

func moveBytes(t *testing.T, file []byte, places int, opt signing.VerifyOptions) (n int) {
	for k := range places {
		i := 1 + k*(len(file)-2)/places
		for name, bad := range map[string][]byte{
			"a space put in":    slices.Concat(file[:i], []byte(" "), file[i:]),
			"a line put in":     slices.Concat(file[:i], []byte("\n% x\n"), file[i:]),
			"a byte repeated":   slices.Concat(file[:i], file[i-1:]),
			"a byte taken out":  slices.Concat(file[:i], file[i+1:]),
			"ten taken out":     slices.Concat(file[:i], file[min(len(file), i+10):]),
			"cut off":           file[:i],
			"the rest repeated": slices.Concat(file, file[i:]),
		} {
			if n++; tampered(t, bad, opt) && !cutToARevision(bad, file) {
				t.Errorf("%s at %d of %d: still valid", name, i, len(file))
			}
		}
	}
	return n
}

// cutToARevision allows for a file that was cut back to an earlier sealed state, which is a whole file again.
func cutToARevision(bad, file []byte) bool {
	return bytes.HasPrefix(file, bad) && bytes.HasSuffix(bytes.TrimSpace(bad), []byte("%%EOF"))
}

// anAttack is a file that must not pass for valid.
type anAttack struct {
	name string
	file []byte
	opt  signing.VerifyOptions
}

func TestPublishedAttacksAreRefused(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	opt := p.offline()
	opt.Revocation = signing.RevocationIfKnown
	var attacks []anAttack
	for _, group := range []map[string][]byte{shadowAttacks(t, s), savingAttacks(t, s), forgeryAttacks(t, s), wrappingAttacks(t, s), certifiedAttacks(t, p), libraryForgeries(t, p, s)} {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			attacks = append(attacks, anAttack{name, group[name], opt})
		}
	}
	if len(attacks) < 45 {
		t.Errorf("%d attacks", len(attacks))
	}
	for _, a := range attacks {
		r, err := signing.Verify(t.Context(), a.file, a.opt)
		answer := "refused: " + fmt.Sprint(err)
		if err == nil {
			answer = string(r.Status) + ": " + firstFailure(r)
			if r.Status == signing.Valid {
				t.Errorf("%s passes for valid: %s", a.name, explain(r))
			}
		}
		t.Logf("%-58s %s", a.name, answer)
	}
}

func firstFailure(r *signing.Report) string {
	for _, s := range r.Signatures {
		for _, c := range []signing.Check{s.Intact, s.Coverage, s.Signer, s.Chain, s.Time, s.Timestamp} {
			if c.Answer == signing.Failed || c.Answer == signing.Unknown {
				return c.Code
			}
		}
	}
	return r.Code
}

func sealed(t *testing.T, s *signing.Sealer, o objects) []byte {
	return seal(t, s, build(o), signing.SealOptions{})
}

// shadowAttacks prepare a file before it is sealed and turn it afterwards.
func shadowAttacks(t *testing.T, s *signing.Sealer) map[string][]byte {
	overlay := "<< /Type /Annot /Subtype /Stamp /Rect [0 600 595 842] /F 4 /AP << /N 11 0 R >> >>"
	form := "<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Length 0 >>\nstream\n\nendstream"
	hide := onePage("/Annots [10 0 R]")
	hide[10], hide[11] = overlay, form
	hidden := sealed(t, s, hide)
	image := onePage("")
	image[4] = strings.Replace(content("Pay 900"), "ET", "ET /X Do", 1)
	image[4] = strings.Replace(image[4], "/Length 39", "/Length 45", 1)
	image[3] = strings.Replace(image[3], "/Font <<", "/XObject << /X 11 0 R >> /Font <<", 1)
	image[11] = form
	covered := sealed(t, s, image)
	twin := onePage("")
	twin[20] = "<< /Type /Catalog /Pages 21 0 R >>"
	twin[21] = "<< /Type /Pages /Kids [22 0 R] /Count 1 >>"
	twin[22] = strings.NewReplacer("/Parent 2 0 R", "/Parent 21 0 R", "/Contents 4 0 R", "/Contents 23 0 R").Replace(twin[3])
	twin[23] = content("Pay 900")
	twins := sealed(t, s, twin)
	place := func(n int) int { return bytes.Index(twins, fmt.Appendf(nil, "\n%d 0 obj", n)) + 1 }
	filled := withForm()
	fields := sealed(t, s, filled)
	return map[string][]byte{
		"shadow, hide: annotation freed":                      freed(hidden, 10),
		"shadow, hide: annotation emptied":                    update(hidden, objects{10: "<< /Type /Annot /Subtype /Stamp /Rect [0 0 0 0] >>"}),
		"shadow, hide: annotation taken from the page":        update(hidden, objects{3: strings.Replace(object(hidden, 3), "10 0 R", "", 1)}),
		"shadow, hide: covering form replaced by null":        update(covered, objects{11: "null"}),
		"shadow, hide: covering form turned to another kind":  update(covered, objects{11: strings.Replace(form, "/Subtype /Form", "/Subtype /PS", 1)}),
		"shadow, replace: font of the amount":                 update(sealed(t, s, onePage("")), objects{5: "<< /Type /Font /Subtype /Type3 /FontMatrix [1 0 0 1 0 0] /CharProcs << >> /Encoding << >> /FontBBox [0 0 1 1] >>"}),
		"shadow, replace: look of a field, value kept":        update(fields, objects{7: strings.Replace(filled[7], "[72 600 200 620]", "[72 100 500 842]", 1)}),
		"shadow, hide and replace: hidden catalog":            updateWith(twins, objects{30: "null"}, "/Root 20 0 R /Info 6 0 R"),
		"shadow, hide and replace: table leads to hidden one": redirected(twins, 4, place(23)),
		"shadow, hide and replace: page tree of the twin":     update(twins, objects{1: strings.Replace(object(twins, 1), "/Pages 2 0 R", "/Pages 21 0 R", 1)}),
		"shadow, hide and replace: content reference turned":  update(twins, objects{3: strings.Replace(object(twins, 3), "/Contents 4 0 R", "/Contents 23 0 R", 1)}),
	}
}

// freed adds nothing but a table that frees an object.
func freed(file []byte, n int) []byte {
	return bytes.Replace(redirected(file, n, 0), []byte("0000000000 00000 n \ntrailer"), []byte("0000000000 00001 f \ntrailer"), 1)
}

// redirected adds nothing but a cross reference table in which an object has another place.
func redirected(file []byte, n, at int) []byte {
	start := len(file)
	return fmt.Appendf(bytes.Clone(file), "xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size 100 /Root 1 0 R /Info 6 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n", n, at, lastXRefOf(file), start)
}

// savingAttacks append to a sealed file as editors do, more or less completely.
func savingAttacks(t *testing.T, s *signing.Sealer) map[string][]byte {
	file := sealed(t, s, onePage(""))
	evil := "4 0 obj\n" + content("Pay 900") + "\nendobj\n"
	whole := update(file, objects{4: content("Pay 900")})
	from := len(file)
	n := objectWith(file, "/ByteRange")
	cut := func(word string) []byte { return bytes.Clone(whole[:from+bytes.Index(whole[from:], []byte(word))]) }
	return map[string][]byte{
		"ISA: content replaced":                           whole,
		"ISA: body alone, without table and trailer":      append(bytes.Clone(file), evil...),
		"ISA: without startxref and end":                  cut("startxref"),
		"ISA: without trailer":                            cut("trailer"),
		"ISA: without table":                              append(append(bytes.Clone(file), evil...), "trailer\n<< /Root 1 0 R /Size 20 >>\n"...),
		"ISA: without table, with the old start":          append(append(bytes.Clone(file), evil...), fmt.Appendf(nil, "trailer\n<< /Root 1 0 R /Size 20 /Prev %d >>\nstartxref\n%d\n%%%%EOF\n", lastXRefOf(file), lastXRefOf(file))...),
		"ISA: with a copy of the signature":               update(file, objects{4: content("Pay 900"), n: object(file, n)}),
		"ISA: copy of the signature alone, then the rest": update(update(file, objects{n: object(file, n)}), objects{4: content("Pay 900")}),
		"ISA: new page":                                   update(file, objects{2: "<< /Type /Pages /Kids [3 0 R 40 0 R] /Count 2 >>", 40: strings.Replace(onePage("")[3], "/Contents 4 0 R", "/Contents 41 0 R", 1), 41: content("Pay 900")}),
		"ISA: table without its end mark":                 bytes.TrimSuffix(whole, []byte("%%EOF\n")),
		"ISA: comment hides the object":                   append(append(bytes.Clone(file), "%%EOF % "...), evil...),
		"ISA: by a cross reference stream":                appendWithStream(file, []string{evil}, 60, 50, lastXRefOf(file), nil),
	}
}

// forgeryAttacks leave out or break what a verifier must read (universal signature forgery).
func forgeryAttacks(t *testing.T, s *signing.Sealer) map[string][]byte {
	file := sealed(t, s, onePage(""))
	n := objectWith(file, "/ByteRange")
	value := object(file, n)
	contents := regexp.MustCompile(`/Contents\s*<[0-9a-f]*>`)
	ranges := regexp.MustCompile(`/ByteRange\s*\[[^\]]*\]`)
	out := map[string][]byte{}
	for name, with := range map[string]string{"missing": "", "null": "/Contents null", "empty": "/Contents <>", "zero": "/Contents <00>", "zeros": "/Contents <0000000000>", "a string": "/Contents ()"} {
		changed := contents.ReplaceAllString(value, with)
		out["USF: contents "+name+", in place"] = bytes.Replace(file, []byte(value), []byte(changed), 1)
		out["USF: contents "+name+", page replaced"] = update(file, objects{4: content("Pay 900"), n: changed})
	}
	for name, with := range map[string]string{"missing": "", "null": "/ByteRange null", "empty": "/ByteRange []", "zeros": "/ByteRange [0 0 0 0]", "negative": "/ByteRange [0 -1 -1 -1]",
		"huge": "/ByteRange [0 99999999999 99999999999 99999999999]", "one number": "/ByteRange [0]", "names": "/ByteRange [/a /b /c /d]", "the old one": ranges.FindString(value)} {
		out["USF: byte range "+name+", page replaced"] = update(file, objects{4: content("Pay 900"), n: ranges.ReplaceAllString(value, with)})
	}
	out["USF: no signature dictionary"] = update(file, objects{4: content("Pay 900"), n: "<< /Type /Sig >>"})
	out["USF: another sub filter"] = update(file, objects{4: content("Pay 900"), n: strings.Replace(value, "ETSI.CAdES.detached", "adbe.x509.rsa_sha1", 1)})
	return out
}

// wrappingAttacks move the second signed range and put something into the gap (signature wrapping).
func wrappingAttacks(t *testing.T, s *signing.Sealer) map[string][]byte {
	file := sealed(t, s, onePage(""))
	r := byteRange(file)
	n := objectWith(file, "/ByteRange")
	head, sig, rest := file[:r[1]], file[r[1]:r[2]], file[r[2]:]
	evil := "\nendobj\n4 0 obj\n" + content("Pay 900") + "\nendobj\n"
	at := len(head) + len(sig) + len(evil)
	moved := strings.Replace(object(file, n), fmt.Sprintf("[%d %d %d %d", r[0], r[1], r[2], r[3]), fmt.Sprintf("[%d %d %d %d", r[0], r[1], at, r[3]), 1)
	wrapped := slices.Concat(head, sig, []byte(evil), rest)
	padded := bytes.Clone(file) // the gap's unused zeros hold an object
	copy(padded[r[2]-40:], "> 4 0 obj (x) endobj <")
	return map[string][]byte{
		"SWA: object in the gap, ranges as signed":      wrapped,
		"SWA: object in the gap, moved range by update": update(wrapped, objects{n: moved}),
		"SWA: with an end of its own":                   slices.Concat(head, sig, []byte(evil), []byte(fmt.Sprintf("startxref\n%d\n%%%%EOF\n", lastXRefOf(file))), rest),
		"SWA: object in the padding of the signature":   padded,
		"SWA: second dictionary with a moved range":     slices.Concat(head, sig, []byte(">>\nendobj\n90 0 obj\n"+moved+evil), rest),
		"SWA: signed part repeated behind an evil one":  slices.Concat(file, []byte(evil), rest),
		"SWA: evil file with the signed one inside it":  slices.Concat(build(objects{1: onePage("")[1], 2: onePage("")[2], 3: onePage("")[3], 4: content("Pay 900"), 5: onePage("")[5]}), file),
		"SWA: signed one with an evil file behind":      slices.Concat(file, build(onePage(""))),
		"SWA: white space in the gap behind the value":  slices.Concat(head, sig, []byte(strings.Repeat(" ", 50)), rest),
		"SWA: signature value moved within a wider gap": resign(t, file, [4]int{0, r[1] - 10, r[2] + 10, r[3] - 10}),
		"SWA: value written twice":                      slices.Concat(head, sig, sig, rest),
	}
}

// certifiedAttacks use what a certification allows (evil annotation, sneaky signature).
func certifiedAttacks(t *testing.T, p *pki) map[string][]byte {
	p.issue("certifier", "signer", "rsa:2048", 365)
	out := map[string][]byte{}
	for permission := pdfsign.Permission(1); permission <= 3; permission++ {
		file := foreign(t, tiny(), func(d *pdfsign.Document) {
			d.Sign(p.key("certifier"), p.cert("certifier"), p.root).Type(pdfsign.CertificationSignature).Permission(permission).SignerName("Van thu")
		})
		page := objectWith(file, "/MediaBox")
		body := object(file, page)
		annots := regexp.MustCompile(`/Annots\s*\[`)
		if annots.MatchString(body) {
			body = annots.ReplaceAllString(body, "/Annots [100 0 R ")
		} else {
			body = strings.Replace(body, "/MediaBox", "/Annots [100 0 R] /MediaBox", 1)
		}
		trailer := regexp.MustCompile(`/Root \d+ 0 R`).FindAllString(string(file), -1)
		add := func(annotation string) []byte {
			return updateWith(file, objects{page: body, 100: annotation, 101: "<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Length 0 >>\nstream\n\nendstream"}, trailer[len(trailer)-1])
		}
		for _, kind := range []string{"FreeText", "Stamp", "Redact", "Ink", "Link", "Screen"} {
			out[fmt.Sprintf("EAA: %s over the text, P=%d", kind, permission)] = add("<< /Type /Annot /Subtype /" + kind + " /Rect [0 600 595 842] /AP << /N 101 0 R >> /Contents (Pay 900) >>")
		}
		out[fmt.Sprintf("SSA: visible signature field without signature, P=%d", permission)] = add("<< /Type /Annot /Subtype /Widget /FT /Sig /T (s) /Rect [0 600 595 842] /AP << /N 101 0 R >> >>")
		own := must(must(signing.NewAuthority(signing.Subject{Name: agency}, signing.P256)).Issue(signing.Subject{Name: agency}, signing.P256))
		if signed, err := must(own.Sealer()).Seal(t.Context(), file, signing.SealOptions{Picture: &signing.Picture{PNG: redSeal(false), Page: 1, Box: signing.Box{Left: 60, Bottom: 680, Width: 400, Height: 100}}}); err == nil {
			out[fmt.Sprintf("SSA: stranger's signature drawn over the text, P=%d", permission)] = signed
		}
	}
	return out
}

// libraryForgeries passed the verifier of a well-known Go library.
func libraryForgeries(t *testing.T, p *pki, s *signing.Sealer) map[string][]byte {
	file := sealed(t, s, onePage(""))
	r := byteRange(file)
	zeros := bytes.Clone(file)
	copy(zeros[r[1]+1:r[2]-1], bytes.Repeat([]byte("5a"), (r[2]-r[1]-2)/2))
	own := must(must(signing.NewAuthority(signing.Subject{Name: agency}, signing.P256)).Issue(signing.Subject{Name: agency}, signing.P256))
	room := seal(t, s, tiny(), p.options(signing.LevelT))
	beside := must(cms.Build(own.Key, append(own.Chain[:1:1], p.cert("unit"), p.root), rangesDigest(room), nil))
	under := must(cms.Build(own.Key, theChain(p, "unit"), rangesDigest(file), nil))
	put := func(file, der []byte) []byte {
		r, out := byteRange(file), bytes.Clone(file)
		if 2*len(der) > r[2]-r[1]-2 {
			t.Fatal("no room for the forged CMS")
		}
		copy(out[r[1]+1:r[2]-1], bytes.Repeat([]byte("0"), r[2]-r[1]-2))
		copy(out[r[1]+1:], hex.EncodeToString(der))
		return out
	}
	backdated := resealed(t, p, room, func(v []byte) []byte {
		return rogueToken(own.Chain[0], own.Key, time.Now().AddDate(-5, 0, 0), v)
	})
	second := seal(t, s, file, signing.SealOptions{})
	over := bytes.Clone(second) // a later signature written into the room of the first
	r2 := byteRange(second)
	copy(over[r[1]+1:r[2]-1], second[r2[1]+1:r2[2]-1])
	return map[string][]byte{
		"library: CMS that cannot be read":                        zeros,
		"library: attacker's key, genuine certificates beside it": put(room, beside),
		"library: genuine certificate, attacker's key":            put(file, under),
		"library: page replaced after signing":                    update(file, objects{4: content("Pay 900")}),
		"library: self-made time stamp, years back":               backdated,
		"library: second signature written into the first":        over,
		"library: self-signed certificate of the same name":       seal(t, must(own.Sealer()), tiny(), signing.SealOptions{}),
	}
}

// rangesDigest is the SHA-256 digest of what the newest signature covers.
func rangesDigest(file []byte) []byte {
	r := byteRange(file)
	h := sha256.New()
	h.Write(file[:r[1]])
	h.Write(file[r[2]:])
	return h.Sum(nil)
}
