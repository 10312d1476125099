package signing_test

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/signing"

	"github.com/digitorus/pdfsign"
	"github.com/digitorus/pdfsign/revocation"
)

// nssDatabase makes a certificate store for pdfsig that trusts the test authority.
func nssDatabase(t *testing.T) (dir, rootPEM string) {
	t.Helper()
	tool(t, "certutil")
	tool(t, "pdfsig")
	dir = t.TempDir()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: theIssuer().authority.Certificate().Raw})
	rootPEM = write(t, "root.pem", root)
	mustRun(t, "certutil", "-N", "-d", "sql:"+dir, "--empty-password")
	mustRun(t, "certutil", "-A", "-d", "sql:"+dir, "-n", "root", "-t", "CT,C,C", "-i", rootPEM)
	return dir, rootPEM
}

// variants are the shapes, and those that qpdf makes of one of them, sealed once and twice.
func variants(t *testing.T) map[string][]byte {
	files := map[string][]byte{"tiny": tiny(), "form": build(withForm()), "rotated": build(onePage("/Rotate 90"))}
	for _, name := range shapes {
		files[name] = read(t, name)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"qpdf-objstm", []string{"--object-streams=generate"}},
		{"qpdf-linear", []string{"--linearize"}},
		{"qpdf-both", []string{"--object-streams=generate", "--linearize"}},
		{"qpdf-encrypt", []string{"--encrypt", "", "owner", "256", "--"}},
	} {
		out := filepath.Join(t.TempDir(), "x.pdf")
		mustRun(t, "qpdf", append(c.args, filepath.Join("testdata", "libreoffice.pdf"), out)...)
		files[c.name] = must(os.ReadFile(out))
	}
	return files
}

func TestOtherProgramsAcceptTheSeals(t *testing.T) {
	nss, root := nssDatabase(t)
	is := theIssuer()
	for name, in := range variants(t) {
		t.Run(name, func(t *testing.T) {
			once := seal(t, is.sealers[signing.RSA3072], in, marked())
			twice := seal(t, is.sealers[signing.P256], once, marked())
			for _, file := range [][]byte{once, twice} {
				wantStatus(t, file, signing.Valid)
				path := write(t, "sealed.pdf", file)
				count := bytes.Count(file, []byte("ETSI.CAdES.detached"))
				checkPdfsig(t, mustRun(t, "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, path), count)
				if out := mustRun(t, "qpdf", "--check", path); strings.Contains(strings.ToLower(out), "warning") {
					t.Errorf("qpdf: %s", out)
				}
				// mutool does not know our root and exits with 1 for that; what counts is its word on the bytes.
				if out, _ := run(t, "mutool", "sign", "-v", path); !strings.Contains(out, "The document is unchanged since signing.") {
					t.Errorf("mutool: %s", out)
				}
				checkOpenSSL(t, file, root)
			}
		})
	}
}

func checkPdfsig(t *testing.T, out string, count int) {
	t.Helper()
	for _, want := range []string{"Signature is Valid.", "Certificate is Trusted."} {
		if got := strings.Count(out, want); got != count {
			t.Errorf("pdfsig says %q %d times, want %d:\n%s", want, got, count, out)
		}
	}
	if !strings.Contains(out, "Total document signed") {
		t.Errorf("pdfsig: the last signature does not cover the file:\n%s", out)
	}
}

// checkOpenSSL hands the newest signature and its bytes to openssl.
func checkOpenSSL(t *testing.T, file []byte, root string) {
	t.Helper()
	r := byteRange(file)
	der := must(hex.DecodeString(string(file[r[1]+1 : r[2]-1])))
	sig := write(t, "sig.p7", der)
	ranges := write(t, "ranges.bin", append(bytes.Clone(file[:r[1]]), file[r[2]:]...))
	out := mustRun(t, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", sig, "-content", ranges,
		"-CAfile", root, "-purpose", "any", "-out", os.DevNull)
	if !strings.Contains(out, "successful") {
		t.Errorf("openssl: %s", out)
	}
}

func TestOtherProgramsNoticeAFlippedByteToo(t *testing.T) {
	nss, _ := nssDatabase(t)
	file := seal(t, theIssuer().sealers[signing.P256], read(t, "letter.pdf"), marked())
	file[len(file)/3] ^= 1
	out, _ := run(t, "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, write(t, "bad.pdf", file))
	if strings.Contains(out, "Signature is Valid.") {
		t.Errorf("pdfsig: %s", out)
	}
	wantStatus(t, file, signing.Invalid)
}

// foreignSignature signs with github.com/digitorus/pdfsign, an independent producer.
func foreignSignature(t *testing.T, in []byte) []byte {
	t.Helper()
	id := theIssuer().ids[signing.P256]
	doc, err := pdfsign.Open(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	doc.Sign(id.Key, id.Chain[0], id.Chain[1:]...).SignerName("Van thu").
		RevocationFunction(func(_, _ *x509.Certificate, _ *revocation.InfoArchival) error { return nil }) // no network
	var out bytes.Buffer
	if _, err := doc.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestForeignSignatureIsVerifiedAndKept(t *testing.T) {
	for _, name := range []string{"letter.pdf", "objectstreams.pdf", "libreoffice.pdf", "chromium.pdf", "chromium-objstm.pdf"} {
		t.Run(name, func(t *testing.T) {
			foreign := foreignSignature(t, read(t, name))
			r := wantStatus(t, foreign, signing.Valid)
			if r.Signatures[0].SubFilter == "ETSI.CAdES.detached" {
				t.Error("the foreign producer makes PAdES now; look for one that does not")
			}
			both := seal(t, theIssuer().sealers[signing.RSA3072], foreign, marked())
			if r := wantStatus(t, both, signing.Valid); len(r.Signatures) != 2 {
				t.Errorf("%d signatures", len(r.Signatures))
			}
			nss, _ := nssDatabase(t)
			checkPdfsig(t, mustRun(t, "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, write(t, "both.pdf", both)), 2)
			// And the other way round: ours first, theirs behind.
			ours := seal(t, theIssuer().sealers[signing.RSA3072], read(t, name), marked())
			wantStatus(t, foreignSignature(t, ours), signing.Valid)
		})
	}
}

func TestMarkIsRealTextAtTheTopRight(t *testing.T) {
	tool(t, "pdftotext")
	tool(t, "pdftoppm")
	at := time.Date(2009, 3, 18, 1, 5, 30, 0, time.UTC)
	mark := signing.MarkText(signing.Extract, "Ủy ban nhân dân huyện Đắk Glei, tỉnh Kon Tum", at)
	is := must(newIssuerAt(at))
	for name, page := range map[string]string{
		"upright": "", "rotated 90": "/Rotate 90", "rotated 180": "/Rotate 180", "rotated 270": "/Rotate -90",
		"crop": "/CropBox [50 60 400 500]", "origin": "/CropBox [-100 -200 495 642]",
	} {
		t.Run(name, func(t *testing.T) {
			o := onePage(page)
			if name == "origin" {
				o[3] = strings.Replace(o[3], "/MediaBox [0 0 595 842]", "/MediaBox [-100 -200 495 642]", 1)
			}
			out := seal(t, is, build(o), signing.SealOptions{Mark: mark, At: at})
			path := write(t, "mark.pdf", out)
			text := strings.Join(strings.Fields(mustRun(t, "pdftotext", "-raw", path, "-")), " ")
			if !strings.Contains(text, mark) {
				t.Errorf("text of the page: %q", text)
			}
			mustRun(t, "pdftoppm", "-png", "-r", "72", "-cropbox", path, strings.TrimSuffix(path, ".pdf"))
			found, _ := filepath.Glob(strings.TrimSuffix(path, ".pdf") + "*.png")
			wantInkTopRight(t, found[0])
		})
	}
}

// newIssuerAt makes a sealer whose certificate was in force at a time long past.
func newIssuerAt(at time.Time) (*signing.Sealer, error) {
	a, err := signing.NewAuthority(signing.Subject{Name: "CA", From: at.AddDate(-1, 0, 0)}, signing.P256)
	if err != nil {
		return nil, err
	}
	id, err := a.Issue(signing.Subject{Name: agency, From: at.AddDate(0, -1, 0)}, signing.P256)
	if err != nil {
		return nil, err
	}
	return id.Sealer()
}

// wantInkTopRight looks for dark pixels in the strip of the mark: some on the right, next to none in the left quarter: a long mark may reach it.
func wantInkTopRight(t *testing.T, path string) {
	t.Helper()
	f := must(os.Open(path))
	defer f.Close()
	img := must(png.Decode(f))
	b := img.Bounds()
	left, right := 0, 0
	for y := b.Min.Y + 15; y < b.Min.Y+50; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y > 128 {
				continue
			}
			if x < b.Min.X+b.Dx()/4 {
				left++
			} else {
				right++
			}
		}
	}
	if right < 100 || left*5 > right {
		t.Errorf("%s: %d dark pixels on the right, %d on the left", path, right, left)
	}
	if keep := os.Getenv("KEEP_PAGES"); keep != "" { // for looking at them
		b := must(os.ReadFile(path))
		os.WriteFile(filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "_")+".png"), b, 0o600)
	}
}

// The roots decide, not the names: the other authority is called alike.
func TestOtherRootIsNotTrusted(t *testing.T) {
	other := must(signing.NewAuthority(signing.Subject{Name: "CA"}, signing.P256))
	pool := x509.NewCertPool()
	pool.AddCert(other.Certificate())
	r, err := signing.Verify(t.Context(), sealedTiny(t), signing.VerifyOptions{Roots: pool})
	if err != nil || r.Status != signing.Indeterminate {
		t.Errorf("%+v, %v", r, err)
	}
}
