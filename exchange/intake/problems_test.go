package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/exchange/intake"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/samples", name+".pdf"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// textPDF is a PDF of one page with plain Latin text, which needs no font file.
func textPDF(pages int, content string) []byte {
	kids := ""
	objects := [][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), nil, []byte("<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding>>"),
		fmt.Appendf(nil, "<</Length %d>>\nstream\n%s\nendstream", len(content), content)}
	for range pages {
		kids += fmt.Sprintf("%d 0 R ", len(objects)+1)
		objects = append(objects, []byte("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents 4 0 R>>"))
	}
	objects[1] = fmt.Appendf(nil, "<</Type/Pages/Count %d/Kids[%s]>>", pages, kids)
	return writePDF(objects)
}

const plainText = "BT /F 12 Tf 72 700 Td (Kinh gui anh em trong ban, nho cho toi xem lai cac trang nay) Tj ET"

func TestUnreadableFilesAreProblemsInVietnamese(t *testing.T) {
	r := openReader(t)
	whole := sample(t, "02-cong-van-stttt")
	broken := append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte("rác "), 500)...)
	locked, err := os.ReadFile("testdata/broken/password.pdf")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		code intake.ProblemCode
	}{
		"empty":             {nil, intake.EmptyFile},
		"zeros":             {make([]byte, 2000), intake.EmptyFile},
		"a picture":         {[]byte("\xff\xd8\xff\xe0 JFIF and more of it"), intake.NotPDF},
		"a web page":        {[]byte("<html><body>404</body></html>"), intake.NotPDF},
		"half a file":       {whole[:len(whole)/2], intake.Truncated},
		"without its end":   {whole[:len(whole)-200], intake.Truncated},
		"a header and junk": {append(broken, "\n%%EOF\n"...), intake.Damaged},
		"no pages":          {writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 0/Kids[]>>")}), intake.NoPages},
		"a password":        {locked, intake.Encrypted},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := r.Read(t.Context(), "tệp.pdf", c.data)
			var p *intake.Problem
			if !errors.As(err, &p) || p.Code != c.code {
				t.Fatalf("draft %v, error %v, want code %s", d, err, c.code)
			}
			if p.Message == "" || p.Hint == "" || !strings.ContainsAny(p.Error(), "ệăơưđảấậếộ") {
				t.Errorf("the clerk is told %q %q", p.Message, p.Hint)
			}
		})
	}
}

func TestLargeFileIsRefusedBeforeItIsRead(t *testing.T) {
	r, err := intake.Open(t.Context(), intake.Options{CacheDir: filepath.Join(os.TempDir(), "congvan-test-wasm"), MaxBytes: 1000, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	endless := &countingReader{}
	_, err = r.ReadFrom(t.Context(), "to.pdf", endless)
	var p *intake.Problem
	if !errors.As(err, &p) || p.Code != intake.TooLarge {
		t.Fatalf("error %v", err)
	}
	if endless.n > 64<<10 {
		t.Errorf("%d bytes were read of a file over the limit of 1000", endless.n)
	}
}

type countingReader struct{ n int }

func (c *countingReader) Read(b []byte) (int, error) {
	c.n += len(b)
	copy(b, "%PDF-1.4 ")
	return len(b), nil
}

func TestLongFileIsReadAtItsEnds(t *testing.T) {
	r := openReader(t)
	d, err := r.Read(t.Context(), "dài.pdf", textPDF(5000, plainText))
	if err != nil {
		t.Fatal(err)
	}
	if d.Pages != 5000 || d.Problem(intake.TooManyPages) == nil || len(d.Unread) != 4900 {
		t.Errorf("pages %d, unread %d, problems %v", d.Pages, len(d.Unread), d.Problems)
	}
}

func TestDocumentWithoutRecipientsIsADraftWithAProblem(t *testing.T) {
	d, err := openReader(t).Read(t.Context(), "x.pdf", textPDF(1, plainText))
	if err != nil {
		t.Fatal(err)
	}
	if d.Problem(intake.NoRecipients) == nil || d.NoiNhan != nil || d.Scan {
		t.Errorf("draft %+v", d)
	}
}

func TestTimeLimitKillsTheReading(t *testing.T) {
	r, err := intake.Open(t.Context(), intake.Options{CacheDir: filepath.Join(os.TempDir(), "congvan-test-wasm"), Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var content strings.Builder
	for y := 20; y < 800; y += 12 {
		fmt.Fprintf(&content, "BT /F 10 Tf 40 %d Td (%s) Tj ET\n", y, strings.Repeat("trang nay ", 9))
	}
	slow := textPDF(90, content.String())
	start := time.Now()
	_, err = r.ReadCall(t.Context(), "chậm.pdf", slow, intake.Call{Timeout: 40 * time.Millisecond})
	var p *intake.Problem
	if !errors.As(err, &p) || p.Code != intake.TooSlow {
		t.Fatalf("error %v", err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("stopped only after %s", took)
	}
	if d, err := r.Read(t.Context(), "sau.pdf", textPDF(1, plainText)); err != nil || d.Pages != 1 {
		t.Errorf("the next document: %v", err)
	}
}

func TestCancelledByTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := openReader(t).Read(ctx, "x.pdf", sample(t, "02-cong-van-stttt"))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

func TestClosedReaderSaysSo(t *testing.T) {
	r, err := intake.Open(t.Context(), intake.Options{CacheDir: filepath.Join(os.TempDir(), "congvan-test-wasm"), Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(t.Context(), "x.pdf", sample(t, "02-cong-van-stttt")); !errors.Is(err, intake.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestScanWithoutTesseractNeedsAClerk(t *testing.T) {
	r, err := intake.Open(t.Context(), intake.Options{CacheDir: filepath.Join(os.TempDir(), "congvan-test-wasm"), Workers: 1, Tesseract: "tesseract-that-is-not-there"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d, err := r.Read(t.Context(), "06.pdf", sample(t, "06-thong-bao-scan"))
	if err != nil {
		t.Fatal(err)
	}
	p := d.Problem(intake.NeedsManual)
	if !d.NeedsManual() || p == nil || !strings.Contains(p.Message, "cần nhập tay") || !strings.Contains(p.Hint, "apt-get install tesseract-ocr tesseract-ocr-vie") {
		t.Errorf("problems %v", d.Problems)
	}
	if !d.Scan || d.Pages != 1 || len(d.Unread) != 1 {
		t.Errorf("scan %t, %d pages, unread %v", d.Scan, d.Pages, d.Unread)
	}
}

// TestHugePageIsBounded: ten metres by ten, and nothing on it that a text layer gives.
func TestHugePageIsBounded(t *testing.T) {
	draw := "q 28000 0 0 28000 0 0 cm 0.5 g 0 0 1 1 re f Q"
	data := writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 1/Kids[3 0 R]>>"),
		[]byte("<</Type/Page/Parent 2 0 R/MediaBox[0 0 28346 28346]/Contents 4 0 R>>"), fmt.Appendf(nil, "<</Length %d>>\nstream\n%s\nendstream", len(draw), draw)})
	d, err := openReader(t).Read(t.Context(), "to.pdf", data)
	if err != nil && !errors.As(err, new(*intake.Problem)) {
		t.Fatal(err)
	}
	if err == nil && d.Pages != 1 {
		t.Errorf("draft %+v", d)
	}
}

// TestSpoiltFilesAreReadOrRefused changes bytes of good files at random places, which the fuzzer, slowed by its counters,
// does too seldom.
func TestSpoiltFilesAreReadOrRefused(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	r := openReader(t)
	random := rand.New(rand.NewSource(22))
	for i := range rounds {
		data := bytes.Clone(sample(t, []string{"09-quyet-dinh-2024", "11-tcvn3-font-cu", "02-cong-van-stttt"}[i%3]))
		for range 1 + random.Intn(40) {
			data[random.Intn(len(data)-8)] = byte(random.Intn(256))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		d, err := r.Read(ctx, "x.pdf", data)
		cancel()
		if err != nil && !errors.As(err, new(*intake.Problem)) {
			t.Errorf("round %d: error without a wording for the clerk: %v", i, err)
		}
		if err == nil && d.Pages < 1 {
			t.Errorf("round %d: draft of no pages", i)
		}
	}
}

// FuzzRead gives PDFium and everything behind it files that were changed at random. Only a *Problem may come back.
func FuzzRead(f *testing.F) {
	f.Add(sample(f, "02-cong-van-stttt"))
	f.Add(textPDF(2, plainText))
	f.Add([]byte("%PDF-1.7\n%%EOF"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := openReader(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // after 10 s the fuzzing engine takes a worker for dead and says no more
		defer cancel()
		d, err := r.Read(ctx, "x.pdf", data)
		if err != nil && !errors.As(err, new(*intake.Problem)) {
			t.Errorf("error without a wording for the clerk: %v", err)
		}
		if err == nil && d.Pages < 1 {
			t.Errorf("draft of no pages: %+v", d)
		}
	})
}

func BenchmarkReadBornDigital(b *testing.B) {
	r := openReader(b)
	data := sample(b, "01-quyet-dinh-22-2009")
	for b.Loop() {
		if _, err := r.Read(b.Context(), "01.pdf", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadScan(b *testing.B) {
	needOCR(b)
	r := openReader(b)
	data := sample(b, "06-thong-bao-scan")
	for b.Loop() {
		if err := r.Forget(data); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Read(b.Context(), "06.pdf", data); err != nil {
			b.Fatal(err)
		}
	}
}
