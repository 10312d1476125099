package intake_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

// TestSamplesScanned reads samples again as scans: turned, noisy, grey, with light that falls off to one side.
func TestSamplesScanned(t *testing.T) {
	needOCR(t)
	r := openReader(t)
	fine := scanner{dpi: 300, degrees: 1.5, quality: 85, noise: 6}
	coarse := scanner{dpi: 200, degrees: -1.5, grey: true, quality: 80, noise: 8}
	shaded := scanner{dpi: 200, degrees: 1.2, light: side, quality: 75, noise: 8}
	for _, c := range []struct {
		name string
		how  scanner
	}{{"02-cong-van-stttt", fine}, {"08-cong-van-mat", coarse}, {"10-cong-van-nhieu-don-vi", coarse}, {"03-giay-moi-ubnd", shaded}} {
		t.Run(fmt.Sprintf("%s/%s", c.name, c.how), func(t *testing.T) {
			d, err := r.Read(t.Context(), c.name, c.how.scan(t, "testdata/samples/"+c.name+".pdf"))
			if err != nil {
				t.Fatal(err)
			}
			compareScan(t, readTruth(t, "testdata/samples/"+c.name+".json"), d)
		})
	}
}

// TestTypesetByTwoProducers reads the samples and documents unlike them as LibreOffice Writer and Chromium set them: units,
// open lines and every field exact. Blocks in a table with borders, in two columns, over two page breaks, in one line with the
// signer, below two signers, before annexes that have tables and a block of their own; a calendar that lies crosswise.
func TestTypesetByTwoProducers(t *testing.T) {
	r, dir := openReader(t), kontum(t)
	for _, p := range prints(t, "", "testdata/samples", "testdata/typeset") {
		t.Run(p.name+"/"+p.producer, func(t *testing.T) {
			v, err := p.read(t, r, dir, scanner{})
			if err != nil {
				t.Fatal(err)
			}
			if !v.exact() || len(v.other) > 0 {
				t.Errorf("%s\n%s", v.row(), strings.Join(v.diffs, "\n"))
			}
		})
	}
}

// TestRewrittenByOtherPrograms reads samples again that cairo set anew and qpdf packed into object streams.
func TestRewrittenByOtherPrograms(t *testing.T) {
	r, dir := openReader(t), kontum(t)
	for _, name := range []string{"01-quyet-dinh-22-2009", "02-cong-van-stttt", "10-cong-van-nhieu-don-vi"} {
		p := printed{name: name, producer: "cairo", file: distilled(t, "testdata/samples/"+name+".pdf"), want: fullTruth(t, "testdata/samples/"+name+".json")}
		v, err := p.read(t, r, dir, scanner{})
		if err != nil {
			t.Fatal(err)
		}
		if !v.exact() || len(v.other) > 0 {
			t.Errorf("%s\n%s", v.row(), strings.Join(v.diffs, "\n"))
		}
	}
}

// TestScansThatLieWrong reads pages that were laid in upside down or sideways, and a symbol that tesseract spells SLLTI.
func TestScansThatLieWrong(t *testing.T) {
	needOCR(t)
	r, dir := openReader(t), kontum(t)
	for _, c := range []struct {
		name string
		how  scanner
	}{{"03-giay-moi-ubnd", scanner{dpi: 200, degrees: 0.5, quarter: 2}}, {"05-bao-cao-ubnd-huyen", scanner{dpi: 200, degrees: -1, noise: 5, quarter: 1}},
		{"02-cong-van-stttt", scanner{dpi: 200, degrees: 1.5, grey: true, noise: 8, light: fold}}} {
		p := printed{name: c.name, producer: "original", file: "testdata/samples/" + c.name + ".pdf", want: fullTruth(t, "testdata/samples/"+c.name+".json")}
		v, err := p.read(t, r, dir, c.how)
		if err != nil {
			t.Fatal(err)
		}
		if !v.exact() {
			t.Errorf("%s\n%s", v.row(), strings.Join(v.diffs, "\n"))
		}
	}
}

// TestHiddenTextUnderAScan reads scans whose copier put text under the picture: read as Vietnamese it is taken, read as
// English it is not.
func TestHiddenTextUnderAScan(t *testing.T) {
	needOCR(t)
	r, dir := openReader(t), kontum(t)
	folder := t.TempDir()
	picture := filepath.Join(folder, "p")
	sample := "testdata/samples/10-cong-van-nhieu-don-vi"
	run(t, "pdftoppm", "-r", "200", "-gray", "-png", "-singlefile", sample+".pdf", picture)
	for _, language := range []string{"vie", "eng"} {
		out := filepath.Join(folder, language)
		run(t, "tesseract", picture+".png", out, "-l", language, "pdf")
		p := printed{name: sample, producer: language, file: out + ".pdf", want: fullTruth(t, sample+".json")}
		v, err := p.read(t, r, dir, scanner{})
		if err != nil {
			t.Fatal(err)
		}
		if !v.exact() {
			t.Errorf("%s\n%s", v.row(), strings.Join(v.diffs, "\n"))
		}
	}
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "OMP_THREAD_LIMIT=1")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, said)
	}
}

func compareScan(t *testing.T, want intake.Record, d *intake.Draft) {
	t.Helper()
	got := d.Record()
	want.Scan, got.File = true, ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scan differs (-want +got):\n%s", diff)
	}
}
