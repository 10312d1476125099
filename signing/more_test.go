package signing_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"congvan/signing"
)

// withTimestamp appends a document time stamp made by openssl, as an independent producer would.
func withTimestamp(t *testing.T, file []byte) []byte {
	t.Helper()
	const room = 12000
	catalog := object(file, 1)
	out := update(file, objects{
		1:   regexp.MustCompile(`/Fields\s*\[`).ReplaceAllString(catalog, "/Fields [100 0 R "),
		3:   regexp.MustCompile(`/Annots\s*\[`).ReplaceAllString(object(file, 3), "/Annots [100 0 R "),
		100: "<< /Type /Annot /Subtype /Widget /FT /Sig /T (time) /Rect [0 0 0 0] /V 101 0 R >>",
		101: "<< /Type /DocTimeStamp /Filter /Adobe.PPKLite /SubFilter /ETSI.RFC3161 " +
			"/ByteRange [0 1111111111 1111111111 1111111111] /Contents <" + strings.Repeat("0", room) + "> >>",
	})
	start := len(file) + bytes.Index(out[len(file):], []byte("/Contents <")) + len("/Contents ")
	end := start + room + 2
	ranges := fmt.Sprintf("[0 %d %d %d]", start, end, len(out)-end)
	placeholder := "[0 1111111111 1111111111 1111111111]"
	copy(out[len(file)+bytes.Index(out[len(file):], []byte(placeholder)):], ranges+strings.Repeat(" ", len(placeholder)-len(ranges)))
	token := timestampToken(t, append(bytes.Clone(out[:start]), out[end:]...))
	copy(out[start+1:], hex.EncodeToString(token))
	return out
}

// timestampToken asks a throwaway authority of openssl.
func timestampToken(t *testing.T, data []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(0, os.WriteFile(in("data"), data, 0o600))
	must(0, os.WriteFile(in("serial"), []byte("01"), 0o600))
	must(0, os.WriteFile(in("ext"), []byte("extendedKeyUsage=critical,timeStamping\n"), 0o600))
	must(0, os.WriteFile(in("tsa.cnf"), []byte("[tsa]\nserial="+in("serial")+"\nsigner_cert="+in("c.pem")+"\nsigner_key="+in("k.pem")+
		"\ncerts="+in("c.pem")+"\ndigests=sha256\ndefault_policy=1.2.3.4\nsigner_digest=sha256\ness_cert_id_alg=sha256\n"), 0o600))
	mustRun(t, "openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", in("k.pem"), "-out", in("r.pem"), "-subj", "/CN=TSA")
	mustRun(t, "openssl", "x509", "-req", "-in", in("r.pem"), "-signkey", in("k.pem"), "-extfile", in("ext"), "-out", in("c.pem"))
	mustRun(t, "openssl", "ts", "-query", "-data", in("data"), "-sha256", "-cert", "-out", in("q"))
	mustRun(t, "openssl", "ts", "-reply", "-config", in("tsa.cnf"), "-section", "tsa", "-queryfile", in("q"), "-token_out", "-out", in("t"))
	return must(os.ReadFile(in("t")))
}

func TestTimestampBehindTheSealIsAllowedButNotChecked(t *testing.T) {
	tool(t, "openssl")
	file := withTimestamp(t, sealedTiny(t))
	r := wantStatus(t, file, signing.Valid)
	if len(r.Signatures) != 2 || strings.Join(r.Signatures[0].Changes, ",") != "timestamp" {
		t.Fatalf("report %+v", r)
	}
	stamp := r.Signatures[1]
	if stamp.Kind != "timestamp" || stamp.Intact.Answer != signing.Passed || stamp.Status != signing.Indeterminate ||
		stamp.Timestamp.Answer != signing.NotChecked {
		t.Errorf("time stamp: %+v", stamp)
	}
	// The seal keeps its standing when we add another behind the time stamp, and a broken time stamp spoils the file.
	wantStatus(t, seal(t, theIssuer().sealers[signing.P256], file, marked()), signing.Valid)
	r2 := byteRange(file)
	bad := bytes.Clone(file)
	bad[r2[2]+20] ^= 1
	if rep, err := signing.Verify(t.Context(), bad, signing.VerifyOptions{Roots: theIssuer().roots}); err == nil && rep.Status == signing.Valid {
		t.Error("a broken time stamp is valid")
	}
}

func TestMetadataMayChangeItsDatesOnly(t *testing.T) {
	xmp := func(date, title string) string {
		x := `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
			`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:ModifyDate="` + date + `">` +
			`<dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt><rdf:li>` + title + `</rdf:li></rdf:Alt></dc:title>` +
			`</rdf:Description></rdf:RDF></x:xmpmeta>`
		return fmt.Sprintf("<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n%s\nendstream", len(x), x)
	}
	o := onePage("")
	o[1] = "<< /Type /Catalog /Pages 2 0 R /Metadata 7 0 R >>"
	o[7] = xmp("2026-01-01", "Công văn 12")
	file := seal(t, theIssuer().sealers[signing.P256], build(o), signing.SealOptions{})
	wantStatus(t, update(file, objects{7: xmp("2026-02-02", "Công văn 12")}), signing.Valid)
	wantStatus(t, update(file, objects{7: xmp("2026-01-01", "Công văn 13")}), signing.Invalid)
	wantStatus(t, update(file, objects{7: "<< /Length 0 >>\nstream\n\nendstream"}), signing.Invalid)
}

func TestEmptySignatureFieldTakesOnlySignatures(t *testing.T) {
	file := seal(t, theIssuer().sealers[signing.P256], build(withForm()), signing.SealOptions{})
	fake := strings.Replace(withForm()[8], "/FT", "/V << /Type /Sig /Filter /X >> /FT", 1)
	wantStatus(t, update(file, objects{8: fake}), signing.Invalid)
}

func TestMarksDoNotCoverEachOther(t *testing.T) {
	file := tiny()
	for _, kind := range []signing.CopyKind{signing.FullCopy, signing.CopyOfCopy, signing.Extract} {
		opt := marked()
		opt.Mark = strings.Replace(opt.Mark, string(signing.FullCopy), string(kind), 1)
		file = seal(t, theIssuer().sealers[signing.P256], file, opt)
	}
	var boxes [][4]float64
	for _, m := range regexp.MustCompile(`/Rect\s*\[([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)\]`).FindAllSubmatch(file, -1) {
		var b [4]float64
		for i := range b {
			fmt.Sscan(string(m[i+1]), &b[i])
		}
		for _, o := range boxes {
			if b[0] < o[2] && o[0] < b[2] && b[1] < o[3] && o[1] < b[3] {
				t.Errorf("%v lies over %v", b, o)
			}
		}
		boxes = append(boxes, b)
	}
	if len(boxes) != 3 {
		t.Errorf("%d marks", len(boxes))
	}
}

func TestSealsAtTheSameTime(t *testing.T) {
	in := read(t, "chromium-objstm.pdf")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				wantStatus(t, seal(t, theIssuer().sealers[signing.P256], in, marked()), signing.Valid)
			}
		})
	}
	wg.Wait()
}

func TestReportIsReadableByPrograms(t *testing.T) {
	var got struct {
		Status     string `json:"status"`
		Signatures []struct {
			Status   string                                `json:"status"`
			Intact   struct{ Answer, Code, Reason string } `json:"intact"`
			Coverage struct{ Answer, Code, Reason string } `json:"coverage"`
			Signer   string                                `json:"signer_name"`
		} `json:"signatures"`
	}
	b := must(json.Marshal(verify(t, sealedTiny(t))))
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Status != "valid" || len(got.Signatures) != 1 || got.Signatures[0].Coverage.Code != "whole_file" || got.Signatures[0].Signer != agency {
		t.Errorf("%s", b)
	}
	b = must(json.Marshal(verify(t, tiny())))
	if !bytes.Contains(b, []byte(`"signatures":[]`)) {
		t.Errorf("no signatures: %s", b)
	}
}
