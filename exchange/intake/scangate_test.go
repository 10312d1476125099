package intake_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"congvan/exchange/intake"
)

// scanned is a picture of a page with lines of "text" and, in colour, a red seal.
func scanned(t testing.TB, w, h int, seal bool) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{250, 249, 245, 255}
			if y%60 < 12 && x%20 < 11 && x > w/8 && x < w-w/10 {
				c = color.RGBA{40, 40, 42, 255}
			}
			dx, dy := x-w*2/3, y-h*4/5
			if r := dx*dx + dy*dy; seal && r < w*w/60 && r > w*w/90 {
				c = color.RGBA{200, 30, 40, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func greyOf(t testing.TB, data []byte) []byte {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	grey := image.NewGray(img.Bounds())
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			grey.Set(x, y, img.At(x, y))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, grey, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A sheet is a page of a test's PDF: a picture of w × h dots drawn as draw says on paper of the size in points.
type sheet struct {
	jpeg       []byte
	w, h       int
	grey       bool
	paperW     float64
	paperH     float64
	draw, more string // content before and after; "" draws the picture over the whole page
	rotate     int
	noPicture  bool
}

func sheets(version string, list ...sheet) []byte {
	objects := [][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), nil}
	kids := ""
	for _, s := range list {
		n := len(objects) + 1
		kids += fmt.Sprintf("%d 0 R ", n)
		draw := s.draw
		if draw == "" && !s.noPicture {
			draw = fmt.Sprintf("q %.2f 0 0 %.2f 0 0 cm /I Do Q ", s.paperW, s.paperH)
		}
		draw += s.more
		space := "/DeviceRGB"
		if s.grey {
			space = "/DeviceGray"
		}
		objects = append(objects,
			fmt.Appendf(nil, "<</Type/Page/Parent 2 0 R/Rotate %d/MediaBox[0 0 %.2f %.2f]/Resources<</XObject<</I %d 0 R>>/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>>>>>/Contents %d 0 R>>",
				s.rotate, s.paperW, s.paperH, n+1, n+2),
			fmt.Appendf(nil, "<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace%s/BitsPerComponent 8/Filter/DCTDecode/Length %d>>\nstream\n%s\nendstream", s.w, s.h, space, len(s.jpeg), s.jpeg),
			fmt.Appendf(nil, "<</Length %d>>\nstream\n%s\nendstream", len(draw), draw))
	}
	objects[1] = fmt.Appendf(nil, "<</Type/Pages/Count %d/Kids[%s]>>", len(list), kids)
	return bytes.Replace(writePDF(objects), []byte("%PDF-1.4"), []byte("%PDF-"+version), 1)
}

func TestScansAreMeasured(t *testing.T) {
	r := openReader(t)
	colour, plain := scanned(t, 1654, 2339, true), scanned(t, 1654, 2339, false)
	grey, low, letter := greyOf(t, colour), scanned(t, 827, 1170, true), scanned(t, 1700, 2200, true)
	good := sheet{jpeg: colour, w: 1654, h: 2339, paperW: 595.3, paperH: 841.9}
	with := func(change func(*sheet)) sheet { s := good; change(&s); return s }
	lines := strings.Repeat("BT /F 11 Tf 72 %d Td (Cac so, ban, nganh va Uy ban nhan dan cac huyen, thi xa trong tinh thuc hien) Tj ET\n", 6)
	text := fmt.Sprintf(lines, 100, 150, 200, 250, 300, 350)
	hidden := strings.ReplaceAll(text, "BT ", "BT 3 Tr ")
	for name, c := range map[string]struct {
		data []byte
		want []intake.ScanCode
	}{
		"good":              {sheets("1.4", good), nil},
		"good of two":       {sheets("1.7", good, with(func(s *sheet) { s.jpeg = plain })), nil},
		"old version":       {sheets("1.3", good), []intake.ScanCode{intake.ScanVersion}},
		"raised by catalog": {bytes.Replace(sheets("1.3", good), []byte("<</Type/Catalog/Pages"), []byte("<</Type/Catalog/Version/1.6/Pages"), 1), nil},
		"grey":              {sheets("1.4", with(func(s *sheet) { s.jpeg, s.grey = grey, true })), []intake.ScanCode{intake.ScanColour}},
		"no colour at all":  {sheets("1.4", with(func(s *sheet) { s.jpeg = plain })), []intake.ScanCode{intake.ScanNoColour}},
		"100 dpi":           {sheets("1.4", with(func(s *sheet) { s.jpeg, s.w, s.h = low, 827, 1170 })), []intake.ScanCode{intake.ScanDPI}},
		"a dot a point":     {sheets("1.4", with(func(s *sheet) { s.paperW, s.paperH = 1654, 2339 })), []intake.ScanCode{intake.ScanScale}},
		"94 %":              {sheets("1.4", with(func(s *sheet) { s.paperW, s.paperH = 559, 791 })), []intake.ScanCode{intake.ScanScale}},
		"A5":                {sheets("1.4", with(func(s *sheet) { s.paperW, s.paperH = 420, 595 })), []intake.ScanCode{intake.ScanSize}},
		"Letter":            {sheets("1.4", with(func(s *sheet) { s.jpeg, s.w, s.h, s.paperW, s.paperH = letter, 1700, 2200, 612, 792 })), []intake.ScanCode{intake.ScanSize}},
		"small on the page": {sheets("1.4", with(func(s *sheet) { s.draw = "q 446 0 0 631 75 105 cm /I Do Q " })), []intake.ScanCode{intake.ScanFill}},
		"lying":             {sheets("1.4", with(func(s *sheet) { s.rotate = 90 })), []intake.ScanCode{intake.ScanRotated}},
		"set upright again": {sheets("1.4", with(func(s *sheet) {
			s.paperW, s.paperH, s.rotate, s.draw = 841.9, 595.3, 90, "q 0 595.3 -841.9 0 841.9 0 cm /I Do Q "
		})), nil},
		"in a form":         {formPDF(good), nil},
		"hidden text":       {sheets("1.4", with(func(s *sheet) { s.more = hidden })), nil},
		"text below it":     {sheets("1.4", with(func(s *sheet) { s.draw = text + "q 595.3 0 0 841.9 0 0 cm /I Do Q " })), nil},
		"a line of a stamp": {sheets("1.4", with(func(s *sheet) { s.more = text[:95] })), nil},
		"two strips": {sheets("1.4", with(func(s *sheet) {
			s.draw = "q 595.3 0 0 421 0 0 cm /I Do Q q 595.3 0 0 420.9 0 421 cm /I Do Q "
		})), []intake.ScanCode{intake.ScanScale}},
		"scan and text":        {sheets("1.4", good, with(func(s *sheet) { s.noPicture, s.more = true, text })), []intake.ScanCode{intake.ScanMixed}},
		"only text":            {sheets("1.3", with(func(s *sheet) { s.noPicture, s.more = true, text })), nil},
		"text on a background": {sheets("1.3", with(func(s *sheet) { s.more = text })), nil},
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := r.CheckScan(t.Context(), c.data)
			if err != nil {
				t.Fatal(err)
			}
			got := []intake.ScanCode{}
			for _, w := range rep.Warnings {
				got = append(got, w.Code)
				if w.Message == "" || w.Hint == "" {
					t.Errorf("warning %+v", w)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("warnings are %+v of %+v, want %v", rep.Warnings, rep.Pages, c.want)
			}
		})
	}
}

// formPDF draws the picture inside a form that is drawn half as large inside another, whose picture is twice the page.
func formPDF(s sheet) []byte {
	inner := fmt.Sprintf("q %.2f 0 0 %.2f 0 0 cm /I Do Q", 2*s.paperW, 2*s.paperH)
	draw := "q 0.5 0 0 0.5 0 0 cm /X Do Q"
	return writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 1/Kids[3 0 R]>>"),
		fmt.Appendf(nil, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 %.2f %.2f]/Resources<</XObject<</X 5 0 R>>>>/Contents 4 0 R>>", s.paperW, s.paperH),
		fmt.Appendf(nil, "<</Length %d>>\nstream\n%s\nendstream", len(draw), draw),
		fmt.Appendf(nil, "<</Type/XObject/Subtype/Form/BBox[0 0 2000 2000]/Resources<</XObject<</I 6 0 R>>>>/Length %d>>\nstream\n%s\nendstream", len(inner), inner),
		fmt.Appendf(nil, "<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode/Length %d>>\nstream\n%s\nendstream", s.w, s.h, len(s.jpeg), s.jpeg)})
}

func TestTheScanOfASampleIsMeasured(t *testing.T) {
	r := openReader(t)
	rep, err := r.CheckScan(t.Context(), sample(t, "06-thong-bao-scan"))
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Pages) != 1 || rep.Pages[0].DPI != 200 || rep.Pages[0].Colour || len(rep.Warnings) != 1 || rep.Warnings[0].Code != intake.ScanColour {
		t.Errorf("report %+v", rep)
	}
	for _, name := range []string{"01-quyet-dinh-22-2009", "09-quyet-dinh-2024", "11-tcvn3-font-cu"} {
		if rep, err := r.CheckScan(t.Context(), sample(t, name)); err != nil || len(rep.Pages)+len(rep.Warnings) > 0 {
			t.Errorf("%s, never scanned: %+v, %v", name, rep, err)
		}
	}
	if _, err := r.CheckScan(t.Context(), []byte("no PDF")); !errors.As(err, new(*intake.Problem)) {
		t.Errorf("no PDF: %v", err)
	}
}

// TestScansOfTools has other programs make the PDF: pictures by poppler, the PDF through qpdf's object streams.
func TestScansOfTools(t *testing.T) {
	needTool(t, "pdftoppm", "poppler-utils")
	needTool(t, "qpdf", "qpdf")
	r := openReader(t)
	dir := t.TempDir()
	for _, dpi := range []int{150, 200, 300} {
		s := scanner{dpi: dpi, quality: 80}
		file := filepath.Join(dir, fmt.Sprint(dpi, ".pdf"))
		if err := os.WriteFile(file, s.scan(t, "testdata/samples/02-cong-van-stttt.pdf"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("qpdf", "--object-streams=generate", "--replace-input", file).CombinedOutput(); err != nil {
			t.Fatalf("qpdf: %v: %s", err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := r.CheckScan(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		low := slices.ContainsFunc(rep.Warnings, func(w intake.ScanWarning) bool { return w.Code == intake.ScanDPI })
		if len(rep.Pages) != 1 || low != (dpi < 200) || rep.Pages[0].DPI != dpi || rep.Version < "1.5" {
			t.Errorf("%d dpi: %+v", dpi, rep)
		}
	}
}
