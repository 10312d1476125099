package signing_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/signing"
)

func encodePNG(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// handwriting is a wavy blue line on nothing.
func handwriting() []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 600, 240))
	for x := range 600 {
		y := 120 + 80*math.Sin(float64(x)/35)*math.Cos(float64(x)/200)
		for d := -6; d <= 6; d++ {
			m.SetNRGBA(x, int(y)+d, color.NRGBA{20, 40, 200, uint8(255 - 20*max(d, -d))})
		}
	}
	return encodePNG(m)
}

// redSeal is a ring and a star's place holder in half transparent red, in a palette if asked for.
func redSeal(paletted bool) []byte {
	red := color.NRGBA{220, 0, 0, 150}
	ring := func(set func(x, y int)) {
		for y := range 400 {
			for x := range 400 {
				r := math.Hypot(float64(x)-200, float64(y)-200)
				if r > 175 && r < 198 || r < 60 {
					set(x, y)
				}
			}
		}
	}
	if paletted {
		m := image.NewPaletted(image.Rect(0, 0, 400, 400), color.Palette{color.NRGBA{}, red})
		ring(func(x, y int) { m.SetColorIndex(x, y, 1) })
		return encodePNG(m)
	}
	m := image.NewNRGBA(image.Rect(0, 0, 400, 400))
	ring(func(x, y int) { m.SetNRGBA(x, y, red) })
	return encodePNG(m)
}

// original signs as a person and seals as an agency on the last page (case A).
func original(t *testing.T, in []byte, seal1, seal2 []byte) []byte {
	t.Helper()
	is := theIssuer()
	out := seal(t, is.sealers[signing.P384], in, signing.SealOptions{
		FieldName: "Chữ ký", Name: "Nguyễn Trọng Nghĩa",
		Picture: &signing.Picture{PNG: seal1, Page: -1, Box: signing.Box{Left: 320, Bottom: 150, Width: 150, Height: 60}},
	})
	return seal(t, is.sealers[signing.P256], out, signing.SealOptions{
		Picture: &signing.Picture{PNG: seal2, Over: "Chữ ký", Box: signing.Box{Width: 102, Height: 102}}, // 36 mm
	})
}

func TestOriginalShowsSignatureAndSeal(t *testing.T) {
	tool(t, "pdftoppm")
	files := map[string][]byte{
		"upright": build(onePage("")), "rotated 90": build(onePage("/Rotate 90")), "rotated 180": build(onePage("/Rotate 180")),
		"rotated 270": build(onePage("/Rotate 270")), "origin": build(shifted()), "libreoffice": read(t, "libreoffice.pdf"), "a3": build(a3()),
		"encrypted": read(t, "encrypted-aes256.pdf"), "objects in streams": read(t, "chromium-objstm.pdf"),
	}
	for name, in := range files {
		t.Run(name, func(t *testing.T) {
			for _, paletted := range []bool{false, true} {
				out := original(t, in, handwriting(), redSeal(paletted))
				r := wantStatus(t, out, signing.Valid)
				if len(r.Signatures) != 2 || r.Signatures[0].Coverage.Code != "allowed_changes" {
					t.Fatalf("%+v", r)
				}
				img, scale := render(t, out)
				// The seal's left edge is 68 points left of a third of the signature, and its middle on the same height.
				left, right, top, bottom := inkBox(img, isRed)
				x0, x1 := 320+50-102, 320+50
				h := float64(img.Bounds().Dy()) / scale
				for _, c := range []struct{ got, want float64 }{
					{left / scale, float64(x0) + 0.5}, {right / scale, float64(x1) - 0.5},
					{h - bottom/scale, 180 - 50.5}, {h - top/scale, 180 + 50.5},
				} {
					if math.Abs(c.got-c.want) > 2.5 {
						t.Errorf("red from %.0f to %.0f, %.0f to %.0f points (page %.0f)", left/scale, right/scale, h-bottom/scale, h-top/scale, h)
						break
					}
				}
				if l, r, _, _ := inkBox(img, isBlue); l/scale < 315 || r/scale > 475 || r-l < 60*scale {
					t.Errorf("blue from %.0f to %.0f", l/scale, r/scale)
				}
			}
		})
	}
}

func shifted() objects {
	o := onePage("/CropBox [-100 -200 495 642]")
	o[3] = strings.Replace(o[3], "/MediaBox [0 0 595 842]", "/MediaBox [-100 -200 495 642]", 1)
	return o
}

func a3() objects {
	o := onePage("")
	o[3] = strings.Replace(o[3], "/MediaBox [0 0 595 842]", "/MediaBox [0 0 1191 842]", 1)
	return o
}

// render draws the last page at 2 pixels a point.
func render(t *testing.T, in []byte) (image.Image, float64) {
	t.Helper()
	path := write(t, "page.pdf", in)
	mustRun(t, "pdftoppm", "-png", "-r", "144", "-cropbox", path, strings.TrimSuffix(path, ".pdf"))
	found, _ := filepath.Glob(strings.TrimSuffix(path, ".pdf") + "*.png")
	last := found[len(found)-1]
	if keep := os.Getenv("KEEP_PAGES"); keep != "" {
		os.WriteFile(filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "_")+".png"), must(os.ReadFile(last)), 0o600)
	}
	f := must(os.Open(last))
	defer f.Close()
	return must(png.Decode(f)), 2
}

// A half transparent red on white is light red; multiplied colours would give a dark one.
func isRed(r, g, b int) bool { return r > 200 && g < 170 && b < 170 }

func isBlue(r, g, b int) bool { return b > 150 && r < 120 }

func inkBox(m image.Image, is func(r, g, b int) bool) (left, right, top, bottom float64) {
	left, top = math.Inf(1), math.Inf(1)
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			if r, g, b, _ := m.At(x, y).RGBA(); is(int(r>>8), int(g>>8), int(b>>8)) {
				left, right = min(left, float64(x)), max(right, float64(x+1))
				top, bottom = min(top, float64(y)), max(bottom, float64(y+1))
			}
		}
	}
	return left, right, top, bottom
}

func TestPicturesThatCannotBeShown(t *testing.T) {
	bomb := bytes.Clone(handwriting())
	copy(bomb[16:], []byte{0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff}) // a size without the data; its checksum is wrong too
	box := signing.Box{Left: 100, Bottom: 100, Width: 50, Height: 50}
	for name, p := range map[string]*signing.Picture{
		"no picture":   {PNG: nil, Page: 1, Box: box},
		"not a PNG":    {PNG: []byte("GIF89a"), Page: 1, Box: box},
		"cut":          {PNG: handwriting()[:200], Page: 1, Box: box},
		"huge":         {PNG: bomb, Page: 1, Box: box},
		"no size":      {PNG: handwriting(), Page: 1},
		"not a number": {PNG: handwriting(), Page: 1, Box: signing.Box{Left: math.NaN(), Width: 5, Height: 5}},
		"off the page": {PNG: handwriting(), Page: 1, Box: signing.Box{Left: 580, Bottom: 100, Width: 50, Height: 50}},
		"page 0":       {PNG: handwriting(), Page: 0, Box: box},
		"page 2 of 1":  {PNG: handwriting(), Page: 2, Box: box},
		"no field":     {PNG: handwriting(), Over: "Chữ ký", Box: box},
	} {
		_, err := theIssuer().sealers[signing.P256].Seal(t.Context(), tiny(), signing.SealOptions{Picture: p})
		t.Run(name, func(t *testing.T) { wantInputError(t, err, signing.ErrMark, "mark") })
	}
	both := marked()
	both.Picture = &signing.Picture{PNG: handwriting(), Page: 1, Box: box}
	_, err := theIssuer().sealers[signing.P256].Seal(t.Context(), tiny(), both)
	wantInputError(t, err, signing.ErrMark, "mark")
}

func TestAnnexShowsItsReference(t *testing.T) {
	tool(t, "pdftotext")
	at := time.Date(2009, 3, 18, 1, 5, 30, 0, time.UTC)
	text := signing.AnnexText(" 22/2009/QĐ-UBND ", at)
	if want := "Số: 22/2009/QĐ-UBND; 18/03/2009; 08:05:30 +07:00"; text != want {
		t.Errorf("got %q", text)
	}
	out := seal(t, theIssuer().sealers[signing.P256], read(t, "letter.pdf"), signing.SealOptions{Mark: text})
	wantStatus(t, out, signing.Valid)
	if page := strings.Join(strings.Fields(mustRun(t, "pdftotext", "-raw", write(t, "a.pdf", out), "-")), " "); !strings.Contains(page, text) {
		t.Errorf("text of the page: %q", page)
	}
}
