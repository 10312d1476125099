package signing_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"congvan/signing"
)

// A word is what pdftotext finds on the displayed page, y downwards.
type word struct {
	text           string
	x0, y0, x1, y1 float64
}

func (w word) overlaps(o word) bool {
	return w.x0 < o.x1-0.5 && o.x0 < w.x1-0.5 && w.y0 < o.y1-0.5 && o.y0 < w.y1-0.5
}

var (
	wordLine = regexp.MustCompile(`<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*)</word>`)
	pageLine = regexp.MustCompile(`<page width="([\d.]+)" height="([\d.]+)"`)
)

// wordsOf asks poppler for the words of page 1 and its size.
func wordsOf(t *testing.T, file []byte) (words []word, width, height float64) {
	t.Helper()
	path := write(t, "words.pdf", file)
	out := mustRun(t, "pdftotext", "-bbox", "-cropbox", "-f", "1", "-l", "1", path, "-")
	fmt.Sscan(pageLine.FindStringSubmatch(out)[1], &width)
	fmt.Sscan(pageLine.FindStringSubmatch(out)[2], &height)
	if regexp.MustCompile(`Page +(1 +)?rot: +(90|270)`).MatchString(mustRun(t, "pdfinfo", path)) {
		width, height = height, width // it turns the words, not the page
	}
	for _, m := range wordLine.FindAllStringSubmatch(out, -1) {
		w := word{text: m[5]}
		for i, to := range []*float64{&w.x0, &w.y0, &w.x1, &w.y1} {
			fmt.Sscan(m[i+1], to)
		}
		words = append(words, w)
	}
	return words, width, height
}

// newWords are those of the second list that are not in the first.
func newWords(before, after []word) []word {
	var out []word
	for _, w := range after {
		old := false
		for _, b := range before {
			old = old || b.text == w.text && math.Abs(b.x0-w.x0) < 0.1 && math.Abs(b.y0-w.y0) < 0.1
		}
		if !old {
			out = append(out, w)
		}
	}
	return out
}

// nameOfAll has every letter with its marks that Vietnamese knows, and a name that other programs stumble over.
const nameOfAll = "Nguyễn Trọng Nghĩa ĂÂĐÊÔƠƯ ẮẰẲẴẶ ẤẦẨẪẬ ẾỀỂỄỆ ỐỒỔỖỘ ỚỜỞỠỢ ỨỪỬỮỰ ỲÝỶỸỴ ĨỈỊ ũủụ"

func placed(name, base string, args ...string) shape {
	return by("placed/"+name, "qpdf", func(f *factory) string { return f.office(base, "") }, append([]string{"--deterministic-id", "IN", "OUT"}, args...)...)
}

// block is a page with words in the given region, which a mark must not cover.
func block(media string, x, y, w float64, lines int, extra string) func() []byte {
	return func() []byte {
		o := onePage(extra)
		o[3] = strings.Replace(o[3], "[0 0 595 842]", media, 1)
		var ops strings.Builder
		for i := range lines {
			fmt.Fprintf(&ops, "BT /F1 11 Tf 1 0 0 1 %.1f %.1f Tm [(%s) -250 (%s)] TJ ET\n", x, y-float64(i)*13, strings.Repeat("word ", int(w/52)), strings.Repeat("word ", int(w/52)))
		}
		o[4] = fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", ops.Len(), ops.String())
		// Without widths the standard ones hold; give the real ones of the letters used, as producers do.
		widths := make([]string, 0, 90)
		for c := 32; c < 122; c++ {
			widths = append(widths, fmt.Sprint(map[int]int{'w': 722, 'o': 556, 'r': 333, 'd': 556, ' ': 278}[c]))
		}
		o[5] = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /FirstChar 32 /LastChar 121 /Widths [" + strings.Join(widths, " ") + "] >>"
		return build(o)
	}
}

// placedShapes are pages whose top right corner is free, taken, or on another side of the sheet.
func placedShapes() []shape {
	out := []shape{
		{name: "portrait", make: func(f *factory) []byte { return f.bytes(f.office("letter", "")) }},
		{name: "heading in the corner", make: func(f *factory) []byte { return f.bytes(f.office("top", "")) }},
		{name: "a3", make: func(f *factory) []byte { return f.bytes(f.office("a3", "")) }},
		{name: "tagged", make: func(f *factory) []byte { return f.bytes(f.office("letter", officeOption("PDFUACompliance", true))) }},
		{name: "pdfa1", make: func(f *factory) []byte { return f.bytes(f.office("top", officeOption("SelectPdfVersion", 1))) }},
		{name: "landscape", make: func(f *factory) []byte {
			return f.bytes(f.chromium("corner", htmlText("@page{size:A4 landscape;margin:6mm} h1{text-align:right;font-size:12pt;margin:0}", 5)))
		}},
		{name: "scan", make: func(f *factory) []byte {
			return f.bytes(f.produce("scanned.pdf", "img2pdf", f.image("jpg"), "--pagesize", "A4", "-o", "OUT"))
		}},
		{name: "cairo", make: func(f *factory) []byte {
			return f.bytes(f.produce("cairo-top.pdf", "pdftocairo", "-pdf", f.office("top", ""), "OUT"))
		}},
		{name: "gs", make: func(f *factory) []byte {
			return f.bytes(f.produce("gs-top.pdf", "ps2pdf", f.office("top", ""), "OUT"))
		}},
		fixed("text under the mark", block("[0 0 595 842]", 200, 812, 360, 1, ""), ""),
		fixed("left block to the edge", block("[0 0 595 842]", 10, 830, 500, 2, ""), ""),
		fixed("six lines to the edge", block("[0 0 595 842]", 5, 832, 600, 6, ""), ""),
		fixed("cropped page", block("[0 0 595 842]", 120, 470, 250, 2, "/CropBox [100 100 480 500]"), ""),
		fixed("turned and cropped", block("[0 0 595 842]", 120, 470, 250, 30, "/CropBox [100 100 480 700] /Rotate 90"), ""),
		fixed("user unit", block("[0 0 298 421]", 100, 405, 180, 1, "/UserUnit 2"), ""),
		fixed("shifted origin", block("[-300 -400 295 442]", -100, 412, 360, 2, ""), ""),
		fixed("full page", block("[0 0 595 842]", 0, 836, 620, 64, ""), "no room"),
		fixed("small page", block("[0 0 200 120]", 10, 60, 150, 1, ""), "no room"),
	}
	for _, angle := range []string{"90", "180", "270"} {
		out = append(out, placed("rotated "+angle, "top", "--rotate=+"+angle))
	}
	return out
}

// The mark stands on the visible page, upright as it is read, and covers no word where there was room.
func TestMarkFindsRoom(t *testing.T) {
	for _, program := range []string{"pdftotext", "pdftoppm", "soffice", "chromium", "gs", "qpdf", "img2pdf"} {
		tool(t, program)
	}
	f := newFactory(t)
	mark := signing.MarkText(signing.FullCopy, nameOfAll, time.Now())
	short := signing.MarkText(signing.FullCopy, "Sở Văn hóa Nghĩa Hành", time.Now())
	for _, s := range placedShapes() {
		t.Run(s.name, func(t *testing.T) {
			in := s.make(&factory{t, f.dir})
			before, _, _ := wordsOf(t, in)
			for i, text := range []string{short, mark} {
				out := seal(t, theIssuer().sealers[signing.P256], in, signing.SealOptions{Mark: text})
				wantStatus(t, out, signing.Valid)
				after, width, height := wordsOf(t, out)
				checkMark(t, text, newWords(before, after), before, width, height, s.refused == "")
				keepPicture(t, out, i)
			}
		})
	}
}

func checkMark(t *testing.T, text string, added, before []word, width, height float64, room bool) {
	t.Helper()
	var got []string
	for i, w := range added {
		got = append(got, w.text)
		if w.x0 < 0 || w.y0 < 0 || w.x1 > width || w.y1 > height {
			t.Errorf("%q at %.0f,%.0f–%.0f,%.0f is not on the page of %.0f × %.0f", w.text, w.x0, w.y0, w.x1, w.y1, width, height)
		}
		if room && w.y0 > height/4+14 {
			t.Errorf("%q stands at %.0f of %.0f, too low", w.text, w.y0, height)
		}
		if room && i > 0 && w.x0 < added[i-1].x1 && w.y0 < added[i-1].y1-3 {
			t.Errorf("%q is not to the right of or below %q", w.text, added[i-1].text)
		}
		for _, b := range before {
			if room && w.overlaps(b) {
				t.Errorf("%q at %.0f,%.0f–%.0f,%.0f covers %q at %.0f,%.0f–%.0f,%.0f", w.text, w.x0, w.y0, w.x1, w.y1, b.text, b.x0, b.y0, b.x1, b.y1)
			}
		}
	}
	if room && strings.Join(got, " ") != text {
		t.Errorf("the mark reads %q", strings.Join(got, " "))
	}
}

// keepPicture draws page 1 for looking at it, into the folder that KEEP_PAGES names.
func keepPicture(t *testing.T, file []byte, i int) {
	keep := os.Getenv("KEEP_PAGES")
	if keep == "" {
		return
	}
	name := filepath.Join(keep, fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "_"), i))
	mustRun(t, "pdftoppm", "-png", "-r", "60", "-cropbox", "-singlefile", write(t, "p.pdf", file), name)
}
