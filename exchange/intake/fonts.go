package intake

import (
	"math"
	"strings"
	"unicode"

	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
)

// A fontUse is how a character is set.
type fontUse struct {
	name string
	bold bool
	size float64 // as rendered; 0 where PDFium does not know it
}

// A fontReader asks for the fonts of the characters of one page. Each question is ten calls into PDFium, so it asks at the
// first character of a word, and of all characters of a word only where the font changes before the next word begins.
type fontReader struct {
	file  *pdfFile
	text  references.FPDF_TEXTPAGE
	known map[int]fontUse
}

// set gives each glyph its font. chars are the characters of the page and glyphs those in the same order.
func (r *fontReader) set(glyphs []glyph) {
	r.known = make(map[int]fontUse)
	starts := wordStarts(glyphs)
	for k, from := range starts {
		to := len(glyphs)
		same := true
		if k+1 < len(starts) {
			to = starts[k+1]
			same = r.at(from) == r.at(to)
		}
		last := to - 1
		for last > from && blank(glyphs[last].r) {
			last--
		}
		same = same || r.at(from) == r.at(last)
		for i := from; i < to; i++ {
			use := r.known[from]
			if !same && i <= last {
				use = r.at(i)
			}
			g := &glyphs[i]
			g.font, g.bold = use.name, use.bold
			if use.size > 1 {
				g.size = use.size
			}
		}
	}
}

// wordStarts lists where words begin, and the first character.
func wordStarts(glyphs []glyph) []int {
	var out []int
	for i, g := range glyphs {
		if i == 0 || !blank(g.r) && blank(glyphs[i-1].r) {
			out = append(out, i)
		}
	}
	return out
}

func blank(r rune) bool { return r != 0 && unicode.IsSpace(r) }

// at is the font of character i.
func (r *fontReader) at(i int) fontUse {
	if use, ok := r.known[i]; ok {
		return use
	}
	use := r.ask(i)
	r.known[i] = use
	return use
}

func (r *fontReader) ask(i int) (use fontUse) {
	if info, err := r.file.pdf.FPDFText_GetFontInfo(&requests.FPDFText_GetFontInfo{TextPage: r.text, Index: i}); err == nil {
		use.name = info.FontName
		use.bold = info.Flags&(1<<18) != 0 || strings.Contains(strings.ToLower(info.FontName), "bold")
	}
	if weight, err := r.file.pdf.FPDFText_GetFontWeight(&requests.FPDFText_GetFontWeight{TextPage: r.text, Index: i}); err == nil {
		use.bold = use.bold || weight.FontWeight >= 600
	}
	size, err := r.file.pdf.FPDFText_GetFontSize(&requests.FPDFText_GetFontSize{TextPage: r.text, Index: i})
	if err != nil {
		return use
	}
	use.size = size.FontSize
	if m, err := r.file.pdf.FPDFText_GetMatrix(&requests.FPDFText_GetMatrix{TextPage: r.text, Index: i}); err == nil {
		use.size *= math.Hypot(float64(m.Matrix.C), float64(m.Matrix.D))
	}
	return use
}
