package intake_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

// needTool skips out loud without the program, and fails in CI, where everything is installed.
func needTool(t testing.TB, name, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: apt-get install %s", name, pkg)
	}
	t.Skipf("SKIPPED, %s is missing: apt-get install %s", name, pkg)
}

func needOCR(t testing.TB) {
	t.Helper()
	needTool(t, "tesseract", "tesseract-ocr tesseract-ocr-vie")
	needTool(t, "pdftoppm", "poppler-utils")
	if out, _ := exec.Command("tesseract", "--list-langs").CombinedOutput(); !bytes.Contains(out, []byte("vie")) {
		needTool(t, "the Vietnamese model of tesseract", "tesseract-ocr-vie")
	}
}

// A scanner says how a paper page becomes a picture.
type scanner struct {
	dpi     int
	degrees float64 // turned on the glass
	grey    bool
	noise   int  // strength of the noise of each dot
	shadow  bool // light falls off to one side
	quality int  // of the JPEG
}

func (s scanner) String() string {
	return fmt.Sprintf("%ddpi%+.1f°grey=%t,noise=%d,shadow=%t", s.dpi, s.degrees, s.grey, s.noise, s.shadow)
}

// scan prints a PDF and scans the paper: every page becomes a picture without a text layer.
func (s scanner) scan(t testing.TB, file string) []byte {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("pdftoppm", "-r", fmt.Sprint(s.dpi), "-png", file, filepath.Join(dir, "p")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v: %s", err, out)
	}
	pictures, _ := filepath.Glob(filepath.Join(dir, "*.png"))
	slices.Sort(pictures)
	random := rand.New(rand.NewSource(int64(s.dpi)*1000 + int64(s.degrees*10)))
	var pages []scannedPage
	for _, name := range pictures {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, s.expose(img, random), &jpeg.Options{Quality: s.quality}); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, scannedPage{out.Bytes(), img.Bounds().Dx(), img.Bounds().Dy(), s.dpi, s.grey})
	}
	return picturePDF(pages)
}

// expose turns, shades and roughens a picture.
func (s scanner) expose(src image.Image, random *rand.Rand) image.Image {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	sin, cos := math.Sincos(s.degrees * math.Pi / 180)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	grey := image.NewGray(out.Rect)
	at := func(x, y int) [3]float64 {
		if x < 0 || y < 0 || x >= w || y >= h {
			return [3]float64{255, 255, 255}
		}
		r, g, bl, _ := src.At(x, y).RGBA()
		return [3]float64{float64(r >> 8), float64(g >> 8), float64(bl >> 8)}
	}
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-float64(w)/2, float64(y)-float64(h)/2
			sx, sy := float64(w)/2+dx*cos+dy*sin, float64(h)/2-dx*sin+dy*cos
			x0, y0 := int(math.Floor(sx)), int(math.Floor(sy))
			fx, fy := sx-float64(x0), sy-float64(y0)
			a, c, d, e := at(x0, y0), at(x0+1, y0), at(x0, y0+1), at(x0+1, y0+1)
			light := 1.0
			if s.shadow {
				light = 1 - 0.35*float64(x)/float64(w) - 0.1*float64(y)/float64(h)
			}
			jitter := 0.0
			if s.noise > 0 {
				jitter = float64(random.Intn(2*s.noise+1) - s.noise)
			}
			var v [3]uint8
			for i := range v {
				p := (a[i]*(1-fx)+c[i]*fx)*(1-fy) + (d[i]*(1-fx)+e[i]*fx)*fy
				v[i] = uint8(max(0, min(255, p*light+jitter)))
			}
			out.SetRGBA(x, y, color.RGBA{v[0], v[1], v[2], 255})
			grey.SetGray(x, y, color.Gray{uint8((int(v[0])*299 + int(v[1])*587 + int(v[2])*114) / 1000)})
		}
	}
	if s.grey {
		return grey
	}
	return out
}

type scannedPage struct {
	jpeg []byte
	w, h int
	dpi  int
	grey bool
}

// picturePDF writes a PDF of one picture a page, as scanners do.
func picturePDF(pages []scannedPage) []byte {
	var objects [][]byte
	kids := ""
	for i, p := range pages {
		n := 3 + 3*i
		kids += fmt.Sprintf("%d 0 R ", n)
		w, h := float64(p.w)*72/float64(p.dpi), float64(p.h)*72/float64(p.dpi)
		space := "/DeviceRGB"
		if p.grey {
			space = "/DeviceGray"
		}
		draw := fmt.Sprintf("q %.2f 0 0 %.2f 0 0 cm /I Do Q", w, h)
		objects = append(objects,
			[]byte(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %.2f %.2f]/Resources<</XObject<</I %d 0 R>>>>/Contents %d 0 R>>", w, h, n+1, n+2)),
			fmt.Appendf(nil, "<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace%s/BitsPerComponent 8/Filter/DCTDecode/Length %d>>\nstream\n%s\nendstream",
				p.w, p.h, space, len(p.jpeg), p.jpeg),
			fmt.Appendf(nil, "<</Length %d>>\nstream\n%s\nendstream", len(draw), draw))
	}
	head := [][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), fmt.Appendf(nil, "<</Type/Pages/Count %d/Kids[%s]>>", len(pages), kids)}
	return writePDF(append(head, objects...))
}

// writePDF numbers the objects from 1, the first being the catalog.
func writePDF(objects [][]byte) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}

// TestSamplesScanned reads samples again as scans: turned, noisy, grey, with light that falls off to one side.
func TestSamplesScanned(t *testing.T) {
	needOCR(t)
	r := openReader(t)
	fine := scanner{dpi: 300, degrees: 1.5, quality: 85, noise: 6}
	coarse := scanner{dpi: 200, degrees: -1.5, grey: true, quality: 80, noise: 8}
	shaded := scanner{dpi: 200, degrees: 1.2, shadow: true, quality: 75, noise: 8}
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

func compareScan(t *testing.T, want intake.Record, d *intake.Draft) {
	t.Helper()
	got := d.Record()
	want.Scan, got.File = true, ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scan differs (-want +got):\n%s", diff)
	}
}
