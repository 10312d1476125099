package intake_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
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

// A shade is how the light falls on the glass.
type shade int

const (
	even   shade = iota
	side         // darker to the right and below
	fold         // dark along the left edge, where a bound paper bends
	corner       // a shadow over the lower left, where Nơi nhận stands
)

// A scanner says how a paper page becomes a picture.
type scanner struct {
	dpi     int
	degrees float64 // turned on the glass
	grey    bool    // no colours
	bilevel bool    // black and white only
	noise   int     // strength of the noise of each dot
	light   shade
	paper   float64 // how bright the paper is, 1 for white; 0 means 1
	bleed   float64 // how much the other side shines through
	blur    int     // passes of a blur of one dot
	quality int     // of the JPEG; default 80
	quarter int     // quarter turns clockwise: laid in sideways, upside down
}

func (s scanner) String() string {
	out := fmt.Sprintf("%d dpi %+.1f°", s.dpi, s.degrees)
	for _, p := range []struct {
		on   bool
		text string
	}{{s.bilevel, "bilevel"}, {s.grey && !s.bilevel, "grey"}, {s.light == side, "shadow"}, {s.light == fold, "fold"}, {s.light == corner, "corner"},
		{s.paper != 0, "dull paper"}, {s.bleed > 0, "bleed"}, {s.blur > 0, "blur"}, {s.quarter > 0, fmt.Sprint(90*s.quarter, "°")}} {
		if p.on {
			out += " " + p.text
		}
	}
	return out
}

// scan prints a PDF and scans the paper: every page becomes a picture without a text layer.
func (s scanner) scan(t testing.TB, file string) []byte {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "pdftoppm", "-r", fmt.Sprint(s.dpi), file, filepath.Join(dir, "p")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v: %s", err, out)
	}
	pictures, _ := filepath.Glob(filepath.Join(dir, "*.ppm"))
	slices.Sort(pictures)
	random := dice(s.dpi*1000 + int(s.degrees*10) + 7)
	var pages []scannedPage
	for _, name := range pictures {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var w, h int
		if _, err := fmt.Sscanf(string(b[:min(len(b), 40)]), "P6\n%d %d\n255\n", &w, &h); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pages = append(pages, s.page(t, paper{w, h, b[len(b)-3*w*h:]}, &random))
	}
	return picturePDF(pages)
}

// dice are random numbers that are the same in each run, and fast.
type dice uint64

func (d *dice) upTo(n int) int {
	*d ^= *d << 13
	*d ^= *d >> 7
	*d ^= *d << 17
	return int(uint64(*d) >> 33 % uint64(n))
}

// A paper is a printed page: three bytes a dot.
type paper struct {
	w, h int
	rgb  []byte
}

func (p paper) at(x, y, c int) float64 {
	if x < 0 || y < 0 || x >= p.w || y >= p.h {
		return 255
	}
	return float64(p.rgb[3*(y*p.w+x)+c])
}

// page turns, shades and roughens a page and packs it.
func (s scanner) page(t testing.TB, src paper, random *dice) scannedPage {
	t.Helper()
	out := s.expose(src, random)
	for range s.blur {
		out = blurred(out)
	}
	for range s.quarter {
		out = quarterTurn(out)
	}
	img := image.NewRGBA(image.Rect(0, 0, out.w, out.h))
	grey := image.NewGray(img.Rect)
	for i := range out.w * out.h {
		r, g, b := out.rgb[3*i], out.rgb[3*i+1], out.rgb[3*i+2]
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = r, g, b, 255
		grey.Pix[i] = byte((int(r)*299 + int(g)*587 + int(b)*114) / 1000)
	}
	p := scannedPage{w: out.w, h: out.h, dpi: s.dpi, grey: s.grey || s.bilevel}
	if s.bilevel {
		p.bits = bilevel(grey)
		return p
	}
	var packed bytes.Buffer
	var picture image.Image = img
	if s.grey {
		picture = grey
	}
	quality := s.quality
	if quality == 0 {
		quality = 80
	}
	if err := jpeg.Encode(&packed, picture, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	p.jpeg = packed.Bytes()
	return p
}

func (s scanner) expose(src paper, random *dice) paper {
	out := paper{src.w, src.h, make([]byte, len(src.rgb))}
	sin, cos := math.Sincos(s.degrees * math.Pi / 180)
	w, h := float64(src.w), float64(src.h)
	white := 1.0
	if s.paper > 0 {
		white = s.paper
	}
	for y := range src.h {
		for x := range src.w {
			dx, dy := float64(x)-w/2, float64(y)-h/2
			sx, sy := w/2+dx*cos+dy*sin, h/2-dx*sin+dy*cos
			x0, y0 := int(math.Floor(sx)), int(math.Floor(sy))
			fx, fy := sx-float64(x0), sy-float64(y0)
			light := white * s.light.at(float64(x)/w, float64(y)/h)
			if s.bleed > 0 {
				light *= 1 - s.bleed*(1-src.at(src.w-1-x, min(y+src.h/90, src.h-1), 1)/255)
			}
			jitter := 0.0
			if s.noise > 0 {
				jitter = float64(random.upTo(2*s.noise+1) - s.noise)
			}
			for c := range 3 {
				v := (src.at(x0, y0, c)*(1-fx)+src.at(x0+1, y0, c)*fx)*(1-fy) + (src.at(x0, y0+1, c)*(1-fx)+src.at(x0+1, y0+1, c)*fx)*fy
				if c == 2 && white < 1 {
					v *= 0.94 // old paper is yellow
				}
				out.rgb[3*(y*src.w+x)+c] = byte(max(0, min(255, v*light+jitter)))
			}
		}
	}
	return out
}

// at is how much light there is at a place, in parts of the width and height.
func (s shade) at(x, y float64) float64 {
	switch s {
	case side:
		return 1 - 0.35*x - 0.1*y
	case fold:
		return 1 - 0.6*math.Exp(-x*14)
	case corner:
		return 1 - 0.45*math.Exp(-(x*x+(1-y)*(1-y))*4)
	}
	return 1
}

// blurred is the picture with each dot mixed with those beside, above and below.
func blurred(p paper) paper {
	out := paper{p.w, p.h, make([]byte, len(p.rgb))}
	for y := range p.h {
		for x := range p.w {
			for c := range 3 {
				v := 4*p.at(x, y, c) + p.at(x-1, y, c) + p.at(x+1, y, c) + p.at(x, y-1, c) + p.at(x, y+1, c)
				out.rgb[3*(y*p.w+x)+c] = byte(v / 8)
			}
		}
	}
	return out
}

func quarterTurn(p paper) paper {
	out := paper{p.h, p.w, make([]byte, len(p.rgb))}
	for y := range p.h {
		for x := range p.w {
			copy(out.rgb[3*(x*p.h+p.h-1-y):][:3], p.rgb[3*(y*p.w+x):][:3])
		}
	}
	return out
}

func bilevel(g *image.Gray) []byte {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	stride := (w + 7) / 8
	out := make([]byte, stride*h)
	for y := range h {
		for x := range w {
			if g.Pix[y*g.Stride+x] > 150 {
				out[y*stride+x/8] |= 0x80 >> (x % 8)
			}
		}
	}
	return out
}

type scannedPage struct {
	jpeg []byte
	w, h int
	dpi  int
	grey bool
	bits []byte // one bit a dot, instead of jpeg
}

// picturePDF writes a PDF of one picture a page, as scanners do.
func picturePDF(pages []scannedPage) []byte {
	var objects [][]byte
	kids := ""
	for i, p := range pages {
		n := 3 + 3*i
		kids += fmt.Sprintf("%d 0 R ", n)
		w, h := float64(p.w)*72/float64(p.dpi), float64(p.h)*72/float64(p.dpi)
		space, depth, filter, data := "/DeviceRGB", 8, "DCTDecode", p.jpeg
		if p.grey {
			space = "/DeviceGray"
		}
		if p.bits != nil {
			var z bytes.Buffer
			zw := zlib.NewWriter(&z)
			zw.Write(p.bits)
			zw.Close()
			depth, filter, data = 1, "FlateDecode", z.Bytes()
		}
		draw := fmt.Sprintf("q %.2f 0 0 %.2f 0 0 cm /I Do Q", w, h)
		objects = append(objects,
			[]byte(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %.2f %.2f]/Resources<</XObject<</I %d 0 R>>>>/Contents %d 0 R>>", w, h, n+1, n+2)),
			fmt.Appendf(nil, "<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace%s/BitsPerComponent %d/Filter/%s/Length %d>>\nstream\n%s\nendstream",
				p.w, p.h, space, depth, filter, len(data), data),
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
