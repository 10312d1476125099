package intake_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"congvan/exchange/intake"
)

// A drawnWord is a word as outlines, which no text layer gives, set on the line that begins at x, y.
type drawnWord struct {
	text       string
	x, y, size float64
	degrees    float64
	colour     string // operands and operator; red when empty
	font       string
	frame      bool
	each       bool // a path for each letter, as print drivers write them; else one for all
	stroke     bool
}

func loadFont(t testing.TB, name string) *sfnt.Font {
	t.Helper()
	if name == "" {
		name = "LiberationSerif-Bold"
	}
	b, err := os.ReadFile("/usr/share/fonts/truetype/liberation2/" + name + ".ttf")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("install fonts-liberation: %v", err)
		}
		t.Skipf("install fonts-liberation: %v", err)
	}
	f, err := sfnt.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// outlines calls draw with the segments of each letter of a text, in points, y upwards, and gives the width.
func outlines(t testing.TB, f *sfnt.Font, text string, size float64, draw func(sfnt.Segments, func(fixed.Point26_6) (x, y float64))) float64 {
	t.Helper()
	var buf sfnt.Buffer
	ppem := fixed.I(1000)
	pen := 0.0
	for _, r := range text {
		g, err := f.GlyphIndex(&buf, r)
		if err != nil || g == 0 {
			t.Fatalf("no glyph for %q: %v", r, err)
		}
		segs, err := f.LoadGlyph(&buf, g, ppem, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := pen
		draw(segs, func(p fixed.Point26_6) (float64, float64) {
			return at + float64(p.X)/64000*size, -float64(p.Y) / 64000 * size
		})
		adv, err := f.GlyphAdvance(&buf, g, ppem, 0)
		if err != nil {
			t.Fatal(err)
		}
		pen += float64(adv) / 64000 * size
	}
	return pen
}

// content gives the operators that draw the word.
func (d drawnWord) content(t testing.TB) string {
	var b strings.Builder
	paint := "f\n"
	colour := d.colour
	if colour == "" {
		colour = "0.85 0 0 rg 0.85 0 0 RG"
	}
	if d.stroke {
		paint = "S\n"
	}
	a := d.degrees * math.Pi / 180
	fmt.Fprintf(&b, "q %s %.4f %.4f %.4f %.4f %.2f %.2f cm 0.7 w\n", colour, math.Cos(a), math.Sin(a), -math.Sin(a), math.Cos(a), d.x, d.y)
	width := outlines(t, loadFont(t, d.font), d.text, d.size, func(segs sfnt.Segments, at func(fixed.Point26_6) (float64, float64)) {
		var cx, cy float64
		for i, s := range segs {
			x, y := at(s.Args[0])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if i > 0 {
					b.WriteString("h ")
				}
				fmt.Fprintf(&b, "%.3f %.3f m ", x, y)
				cx, cy = x, y
			case sfnt.SegmentOpLineTo:
				fmt.Fprintf(&b, "%.3f %.3f l ", x, y)
				cx, cy = x, y
			case sfnt.SegmentOpQuadTo:
				ex, ey := at(s.Args[1])
				fmt.Fprintf(&b, "%.3f %.3f %.3f %.3f %.3f %.3f c ", cx+(x-cx)*2/3, cy+(y-cy)*2/3, ex+(x-ex)*2/3, ey+(y-ey)*2/3, ex, ey)
				cx, cy = ex, ey
			}
		}
		if len(segs) > 0 {
			b.WriteString("h ")
			if d.each {
				b.WriteString(paint)
			}
		}
	})
	if !d.each {
		b.WriteString(paint)
	}
	if d.frame {
		fmt.Fprintf(&b, "1.2 w %.2f %.2f %.2f %.2f re S\n", -6.0, -0.35*d.size, width+12, 1.6*d.size)
	}
	b.WriteString("Q\n")
	return b.String()
}

// raster paints the word into an RGB picture of dpi, red on white, with a frame.
func (d drawnWord) raster(t testing.TB, dpi float64) (pix []byte, w, h int) {
	f := loadFont(t, d.font)
	width := outlines(t, f, d.text, d.size, func(sfnt.Segments, func(fixed.Point26_6) (float64, float64)) {})
	k := dpi / 72
	w, h = int((width+16)*k), int(1.8*d.size*k)
	z := vector.NewRasterizer(w, h)
	at := func(x, y float64) (float32, float32) { return float32((x + 8) * k), float32((1.35*d.size - y) * k) }
	outlines(t, f, d.text, d.size, func(segs sfnt.Segments, place func(fixed.Point26_6) (float64, float64)) {
		for _, s := range segs {
			x, y := at(place(s.Args[0]))
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				z.MoveTo(x, y)
			case sfnt.SegmentOpLineTo:
				z.LineTo(x, y)
			case sfnt.SegmentOpQuadTo:
				ex, ey := at(place(s.Args[1]))
				z.QuadTo(x, y, ex, ey)
			}
		}
	})
	mask := image.NewAlpha(image.Rect(0, 0, w, h))
	z.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	pix = make([]byte, 0, 3*w*h)
	for y := range h {
		for x := range w {
			v := 255 - mask.Pix[y*mask.Stride+x]
			if d.frame && (x < 4 || y < 4 || x >= w-4 || y >= h-4) {
				v = 0
			}
			pix = append(pix, max(v, 210), v, v)
		}
	}
	return pix, w, h
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func stream(dict string, data []byte) []byte {
	return fmt.Appendf(nil, "<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

// letterText is the text of a page of plain Latin letters, which needs no font file.
func letterText() string {
	var b strings.Builder
	for y := 80; y < 780; y += 40 {
		fmt.Fprintf(&b, "BT /F 12 Tf 72 %d Td (Can cu Luat To chuc chinh quyen dia phuong va cac van ban khac co lien quan) Tj ET\n", y)
	}
	return b.String()
}

// pagesPDF makes a PDF of pages with text and what each of draws draws on its page; extra are objects from 4 on, which the
// pages name X4, X5 …
func pagesPDF(draws []string, extra ...[]byte) []byte {
	objects := [][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), nil,
		[]byte("<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding>>")}
	names := ""
	for _, x := range extra {
		objects = append(objects, x)
		names += fmt.Sprintf("/X%d %d 0 R", len(objects), len(objects))
	}
	kids := ""
	for _, d := range draws {
		objects = append(objects, stream("/Filter/FlateDecode", deflated([]byte(letterText()+d))))
		objects = append(objects, fmt.Appendf(nil, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>/XObject<<%s>>>>/Contents %d 0 R>>", names, len(objects)))
		kids += fmt.Sprintf("%d 0 R ", len(objects))
	}
	objects[1] = fmt.Appendf(nil, "<</Type/Pages/Count %d/Kids[%s]>>", len(draws), kids)
	return writePDF(objects)
}

func formOf(content string, inner string) []byte {
	return stream("/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<<"+inner+">>>>", []byte(content))
}

func imageOf(pix []byte, w, h int) []byte {
	return stream(fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode", w, h), deflated(pix))
}

// TestMarksThatAreNoText draws marks that no text layer gives, between lines of text, and wants each found or doubted.
func TestMarksThatAreNoText(t *testing.T) {
	needOCR(t)
	one := func(d drawnWord) []byte { return pagesPDF([]string{d.content(t)}) }
	picture := func(d drawnWord, dpi float64, page int, cm string) []byte {
		pix, w, h := d.raster(t, dpi)
		draws := make([]string, page)
		draws[page-1] = "q " + cm + " cm /X4 Do Q"
		return pagesPDF(draws, imageOf(pix, w, h))
	}
	black := "0 g 0 G"
	for name, c := range map[string]struct {
		data  []byte
		level string // "" where a doubt is enough
		page  int    // where it stands; the first when 0
	}{
		"outlines at the top":          {one(drawnWord{text: "TỐI MẬT", x: 80, y: 805, size: 16, frame: true}), "Tối mật", 0},
		"a path each":                  {one(drawnWord{text: "TUYỆT MẬT", x: 80, y: 805, size: 16, each: true}), "Tuyệt mật", 0},
		"the short one":                {one(drawnWord{text: "MẬT", x: 80, y: 805, size: 18, each: true, frame: true}), "Mật", 0},
		"black in the lower half":      {one(drawnWord{text: "MẬT", x: 300, y: 175 - 70, size: 20, colour: black, each: true}), "", 0},
		"red over the text":            {one(drawnWord{text: "TỐI MẬT", x: 200, y: 398, size: 22, frame: true}), "Tối mật", 0},
		"without serifs":               {one(drawnWord{text: "TUYỆT MẬT", x: 90, y: 50, size: 15, font: "LiberationSans-Bold", frame: true}), "Tuyệt mật", 0},
		"askew by 15":                  {one(drawnWord{text: "TỐI MẬT", x: 250, y: 300, size: 24, degrees: 15, frame: true, each: true}), "", 0},
		"askew by -28":                 {one(drawnWord{text: "TUYỆT MẬT", x: 250, y: 500, size: 24, degrees: -28}), "", 0},
		"askew on the second page":     {pagesPDF([]string{"", drawnWord{text: "TỐI MẬT", x: 250, y: 300, size: 24, degrees: 15, frame: true, each: true}.content(t)}), "", 2},
		"only the lines of letters":    {one(drawnWord{text: "TỐI MẬT", x: 90, y: 800, size: 22, stroke: true, each: true}), "", 0},
		"outlines on the third page":   {pagesPDF([]string{"", "", drawnWord{text: "TỐI MẬT", x: 80, y: 45, size: 18, frame: true, each: true}.content(t)}), "Tối mật", 3},
		"a form in the lower half":     {pagesPDF([]string{"q 1 0 0 1 0 -700 cm /X4 Do Q"}, formOf(drawnWord{text: "TỐI MẬT", x: 80, y: 745, size: 18, frame: true}.content(t), "")), "Tối mật", 0},
		"a form in a form":             {pagesPDF([]string{"", "/X5 Do"}, formOf(drawnWord{text: "TUYỆT MẬT", x: 80, y: 45, size: 18, frame: true}.content(t), ""), formOf("/I Do", "/I 4 0 R")), "Tuyệt mật", 2},
		"a picture in the lower half":  {picture(drawnWord{text: "TỐI MẬT", size: 18, frame: true}, 200, 1, "110 0 0 32 300 40"), "Tối mật", 0},
		"a picture on the second page": {picture(drawnWord{text: "TUYỆT MẬT", size: 18, frame: true}, 200, 2, "150 0 0 34 80 790"), "Tuyệt mật", 2},
		"a picture askew":              {picture(drawnWord{text: "MẬT", size: 18, frame: true}, 200, 1, "70 18 -9 36 300 600"), "", 0},
		"a small picture, coarse":      {picture(drawnWord{text: "MẬT", size: 14, frame: true}, 72, 1, "50 0 0 25 300 40"), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := openReader(t).Read(t.Context(), "x.pdf", c.data)
			if err != nil {
				t.Fatal(err)
			}
			if d.Scan {
				t.Fatal("the page was taken for a scan, so the test shows nothing")
			}
			if d.Secrecy != c.level && !(c.level == "" && d.Secrecy != "") || d.Secrecy == "" && d.Problem(intake.MaybeSecret) == nil {
				t.Errorf("secrecy %q, problems %v", d.Secrecy, d.Problems)
			}
			if p := d.Problem(intake.MaybeSecret); p != nil {
				if want := fmt.Sprintf("ở trang %d.", max(1, c.page)); !strings.Contains(p.Message, want) {
					t.Errorf("the clerk is told %q, want %q", p.Message, want)
				}
			}
			t.Logf("%s: %q, doubt %t", name, d.Secrecy, d.Problem(intake.MaybeSecret) != nil)
		})
	}
}

// ring is a round seal: two circles, a star and letters that run around.
func ring(t testing.TB, x, y, r float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "q 0.9 0 0 RG 0.9 0 0 rg 1.5 w\n")
	for _, k := range []float64{1, 0.62} {
		c := 0.5523 * r * k
		k *= r
		fmt.Fprintf(&b, "%f %f m %f %f %f %f %f %f c %f %f %f %f %f %f c %f %f %f %f %f %f c %f %f %f %f %f %f c S\n", x+k, y,
			x+k, y+c, x+c, y+k, x, y+k, x-c, y+k, x-k, y+c, x-k, y, x-k, y-c, x-c, y-k, x, y-k, x+c, y-k, x+k, y-c, x+k, y)
	}
	for i, letter := range "ỦYBANNHÂNDÂNTỈNHKONTUM" {
		a := math.Pi*1.15 - float64(i)*2*math.Pi/26
		b.WriteString(drawnWord{text: string(letter), x: x + 0.7*r*math.Cos(a), y: y + 0.7*r*math.Sin(a), size: 0.24 * r, degrees: a*180/math.Pi - 90, each: true}.content(t))
	}
	for i := range 5 {
		a := math.Pi/2 + float64(i)*4*math.Pi/5
		fmt.Fprintf(&b, "%f %f %c ", x+0.4*r*math.Cos(a), y+0.4*r*math.Sin(a), "mllll"[i])
	}
	b.WriteString("f Q\n")
	return b.String()
}

// scrawl is a signature: one line of a pen with loops.
func scrawl(x, y, w float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "q 0 0 0.6 RG 1.4 w %f %f m ", x, y)
	for i := range 9 {
		at := x + w*float64(i)/9
		fmt.Fprintf(&b, "%f %f %f %f %f %f c ", at+30, y+float64(25+13*(i%3)), at-22, y+float64(34-9*(i%4)), at+w/9, y+float64(4*(i%3)-4))
	}
	b.WriteString("S Q\n")
	return b.String()
}

// TestDrawingsThatAreNoMarks: what ordinary documents bear is neither a mark nor a doubt.
func TestDrawingsThatAreNoMarks(t *testing.T) {
	needOCR(t)
	photo := make([]byte, 3*300*200)
	for i := range photo {
		x, y := i/3%300, i/900
		photo[i] = byte(110 + 70*math.Sin(float64(x)/17)*math.Cos(float64(y)/23) + float64(i%3*25))
	}
	chart := "q 0.2 0.4 0.8 rg "
	for i := range 9 {
		chart += fmt.Sprintf("%d 100 28 %d re f ", 90+40*i, 30+i*53%140)
	}
	chart += "0 0 0.5 RG 2 w 90 120 m 130 160 l 170 140 l 210 210 l 250 180 l 290 230 l S Q"
	table := "q 0.7 w "
	for i := range 9 {
		table += fmt.Sprintf("70 %d 450 20 re S %d 300 m %d 480 l S ", 300+20*i, 100+40*i, 100+40*i)
	}
	boxes := "q 0.8 w "
	for i := range 8 {
		boxes += fmt.Sprintf("80 %d 10 10 re S ", 90+40*i)
	}
	for name, draw := range map[string]string{
		"a round seal":              ring(t, 420, 150, 50),
		"a signature":               scrawl(360, 110, 120),
		"a seal over a signature":   ring(t, 380, 130, 48) + scrawl(370, 105, 130),
		"a photograph":              "q 300 0 0 200 120 300 cm /X4 Do Q",
		"a chart":                   chart + " Q",
		"a table":                   table + "Q",
		"boxes to tick":             boxes + "Q",
		"a framed stamp of arrival": drawnWord{text: "CÔNG VĂN ĐẾN", x: 80, y: 800, size: 13, frame: true, each: true}.content(t),
		"a stamp of urgency":        drawnWord{text: "HỎA TỐC", x: 80, y: 800, size: 16, frame: true, each: true}.content(t),
		"a stamp of the copy":       drawnWord{text: "BẢN SAO", x: 420, y: 40, size: 14, frame: true}.content(t),
		"a logo of circles":         strings.ReplaceAll(ring(t, 100, 780, 30), "0.9 0 0", "0 0.3 0.8"),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := openReader(t).Read(t.Context(), "x.pdf", pagesPDF([]string{"", draw}, imageOf(photo, 300, 200)))
			if err != nil {
				t.Fatal(err)
			}
			if d.Scan || d.Secrecy != "" || d.Problem(intake.MaybeSecret) != nil {
				t.Errorf("scan %t, secrecy %q, problems %v", d.Scan, d.Secrecy, d.Problems)
			}
		})
	}
}
