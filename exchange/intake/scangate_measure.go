package intake

import (
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/structs"
)

// How pictures are told from illustrations. A signature mark and a stamp of arrival have under visibleText characters.
const (
	scanCover   = 0.5 // of the page
	visibleText = 250
	gridSize    = 64
	formDepth   = 3
	tintDPI     = 40
)

// A placedPicture is a picture as it lies on the page.
type placedPicture struct {
	x0, y0, x1, y1 float64 // points, origin bottom left
	across, down   float64 // dpi
	colour         bool
}

// A pageContent is what of a page decides whether it is a scan.
type pageContent struct {
	pictures []placedPicture
	text     int // characters that show
	left     int // objects that may still be looked at
}

// version is the version in the file's header.
func (f *pdfFile) version() string {
	v, err := f.pdf.FPDF_GetFileVersion(&requests.FPDF_GetFileVersion{Document: f.doc})
	if err != nil || v.FileVersion < 10 || v.FileVersion > 99 {
		return ""
	}
	return fmt.Sprintf("%d.%d", v.FileVersion/10, v.FileVersion%10)
}

// measure measures page i, from 0, and says whether it is a scan. A page that does not load is none.
func (f *pdfFile) measure(i int) (p ScanPage, scan bool) {
	h, err := f.load(i)
	if err != nil {
		return ScanPage{}, false
	}
	defer h.free()
	w, ht := h.geom.size()
	const mm = 25.4 / 72
	p = ScanPage{Page: i + 1, Width: round1(w * mm), Height: round1(ht * mm), wide: 1}
	c := f.content(h)
	if len(c.pictures) == 0 {
		return p, false
	}
	p.Cover = math.Round(1000*c.cover(h.geom)) / 1000
	if scan := p.Cover >= scanCover && c.text < visibleText || p.Cover >= 0.1 && c.text == 0; !scan {
		return p, false
	}
	p.dots(c.pictures, w*ht, h.geom.rotation%2 == 1)
	return p, true
}

// dots takes resolution and colour from the pictures that make up the page. Scanners lay a sharp picture of the letters over
// a coarse one of the paper, or cut a page into strips: the sharpest of the large ones counts, of many small ones the middle.
func (p *ScanPage) dots(pictures []placedPicture, area float64, turned bool) {
	var large, all []placedPicture
	for _, x := range pictures {
		share := (x.x1 - x.x0) * (x.y1 - x.y0) / area
		if share > 0.25 {
			large = append(large, x)
		}
		if share > 0.01 {
			p.Colour = p.Colour || x.colour
		}
		all = append(all, x)
	}
	dpi := func(x placedPicture) float64 { return min(x.across, x.down) }
	slices.SortFunc(all, func(a, b placedPicture) int { return cmpFloat(dpi(a), dpi(b)) })
	best := all[len(all)/2]
	for i, x := range large {
		if i == 0 || dpi(x) > dpi(best) {
			best = x
		}
	}
	p.DPI = int(math.Round(dpi(best)))
	if best.down > 0 {
		p.wide = best.across / best.down
	}
	if turned && p.wide > 0 {
		p.wide = 1 / p.wide
	}
}

// cover is the share of the page that lies under pictures, however many and however they overlap.
func (c *pageContent) cover(g geometry) float64 {
	n := 0
	for y := range gridSize {
		for x := range gridSize {
			px := g.left + (g.right-g.left)*(float64(x)+0.5)/gridSize
			py := g.bottom + (g.top-g.bottom)*(float64(y)+0.5)/gridSize
			if slices.ContainsFunc(c.pictures, func(p placedPicture) bool { return px > p.x0 && px < p.x1 && py > p.y0 && py < p.y1 }) {
				n++
			}
		}
	}
	return float64(n) / (gridSize * gridSize)
}

// content looks at the objects of a page in the order in which they are drawn.
func (f *pdfFile) content(h *pageHandle) pageContent {
	c := pageContent{left: maxObjects}
	n, err := f.pdf.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: h.ref})
	if err != nil {
		return c
	}
	one := structs.FPDF_FS_MATRIX{A: 1, D: 1}
	for i := range n.Count {
		if c.left <= 0 {
			break
		}
		if obj, err := f.pdf.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: h.ref, Index: i}); err == nil {
			f.object(h, &c, obj.PageObject, one, 0)
		}
	}
	return c
}

// object takes one object, with what is inside it when it is a form. Text under a picture that covers the page does not
// show: programs for recognition put it there.
func (f *pdfFile) object(h *pageHandle, c *pageContent, obj references.FPDF_PAGEOBJECT, ctm structs.FPDF_FS_MATRIX, depth int) {
	if c.left--; c.left < 0 {
		return
	}
	kind, err := f.pdf.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: obj})
	if err != nil {
		return
	}
	switch kind.Type {
	case enums.FPDF_PAGEOBJ_TEXT:
		mode, err := f.pdf.FPDFTextObj_GetTextRenderMode(&requests.FPDFTextObj_GetTextRenderMode{PageObject: obj})
		if err == nil && mode.TextRenderMode != enums.FPDF_TEXTRENDERMODE_INVISIBLE {
			c.text += f.textLength(obj)
		}
	case enums.FPDF_PAGEOBJ_IMAGE:
		if p, ok := f.placed(h, obj, ctm); ok {
			c.pictures = append(c.pictures, p)
			if w, ht := h.geom.size(); (p.x1-p.x0)*(p.y1-p.y0) > scanCover*w*ht {
				c.text = 0
			}
		}
	case enums.FPDF_PAGEOBJ_FORM:
		if depth < formDepth {
			f.form(h, c, obj, ctm, depth)
		}
	}
}

func (f *pdfFile) form(h *pageHandle, c *pageContent, obj references.FPDF_PAGEOBJECT, ctm structs.FPDF_FS_MATRIX, depth int) {
	m, err := f.pdf.FPDFPageObj_GetMatrix(&requests.FPDFPageObj_GetMatrix{PageObject: obj})
	if err != nil {
		return
	}
	n, err := f.pdf.FPDFFormObj_CountObjects(&requests.FPDFFormObj_CountObjects{PageObject: obj})
	if err != nil {
		return
	}
	inner := multiply(m.Matrix, ctm)
	for i := range n.Count {
		if c.left <= 0 {
			return
		}
		if sub, err := f.pdf.FPDFFormObj_GetObject(&requests.FPDFFormObj_GetObject{PageObject: obj, Index: uint64(i)}); err == nil {
			f.object(h, c, sub.PageObject, inner, depth+1)
		}
	}
}

// textLength estimates the characters of a text object by its shape, which needs no text page: half as wide as high.
func (f *pdfFile) textLength(obj references.FPDF_PAGEOBJECT) int {
	b, err := f.pdf.FPDFPageObj_GetBounds(&requests.FPDFPageObj_GetBounds{PageObject: obj})
	if err != nil {
		return 1
	}
	w, ht := math.Abs(float64(b.Right-b.Left)), math.Abs(float64(b.Top-b.Bottom))
	if ht < 0.5 || math.IsNaN(w/ht) {
		return 1
	}
	return int(max(1, min(500, 2*w/ht)))
}

// placed reads a picture's dots and where its unit square comes to lie.
func (f *pdfFile) placed(h *pageHandle, obj references.FPDF_PAGEOBJECT, ctm structs.FPDF_FS_MATRIX) (placedPicture, bool) {
	size, err := f.pdf.FPDFImageObj_GetImagePixelSize(&requests.FPDFImageObj_GetImagePixelSize{ImageObject: obj})
	if err != nil || size.Width < 2 || size.Height < 2 {
		return placedPicture{}, false
	}
	own, err := f.pdf.FPDFPageObj_GetMatrix(&requests.FPDFPageObj_GetMatrix{PageObject: obj})
	if err != nil {
		return placedPicture{}, false
	}
	m := multiply(own.Matrix, ctm)
	a, b, c, d, e, g := float64(m.A), float64(m.B), float64(m.C), float64(m.D), float64(m.E), float64(m.F)
	p := placedPicture{x0: e + min(0, a, c, a+c), x1: e + max(0, a, c, a+c), y0: g + min(0, b, d, b+d), y1: g + max(0, b, d, b+d)}
	along, up := math.Hypot(a, b), math.Hypot(c, d)
	if !(along > 0.5 && up > 0.5 && along < 1e6 && up < 1e6) {
		return placedPicture{}, false
	}
	p.across, p.down = float64(size.Width)*72/along, float64(size.Height)*72/up
	if meta, err := f.pdf.FPDFImageObj_GetImageMetadata(&requests.FPDFImageObj_GetImageMetadata{ImageObject: obj, Page: h.ref}); err == nil {
		p.colour = hasColour(meta.ImageMetadata)
	}
	// clipped to the page, so that a picture larger than the page covers it once
	p.x0, p.x1 = max(p.x0, h.geom.left), min(p.x1, h.geom.right)
	p.y0, p.y1 = max(p.y0, h.geom.bottom), min(p.y1, h.geom.top)
	return p, p.x1 > p.x0 && p.y1 > p.y0
}

// hasColour says whether a picture's data can show colours. A palette may be of greys; tinted tells.
func hasColour(m structs.FPDF_IMAGEOBJ_METADATA) bool {
	switch m.Colorspace {
	case enums.FPDF_COLORSPACE_DEVICEGRAY, enums.FPDF_COLORSPACE_CALGRAY, enums.FPDF_COLORSPACE_SEPARATION:
		return false
	case enums.FPDF_COLORSPACE_DEVICERGB, enums.FPDF_COLORSPACE_DEVICECMYK, enums.FPDF_COLORSPACE_CALRGB, enums.FPDF_COLORSPACE_LAB:
		return true
	case enums.FPDF_COLORSPACE_INDEXED:
		return m.BitsPerPixel > 1
	}
	return m.BitsPerPixel >= 24
}

// multiply gives the matrix that applies m, then n.
func multiply(m, n structs.FPDF_FS_MATRIX) structs.FPDF_FS_MATRIX {
	return structs.FPDF_FS_MATRIX{
		A: m.A*n.A + m.B*n.C, B: m.A*n.B + m.B*n.D,
		C: m.C*n.A + m.D*n.C, D: m.C*n.B + m.D*n.D,
		E: m.E*n.A + m.F*n.C + n.E, F: m.E*n.B + m.F*n.D + n.F,
	}
}

// tinted draws up to three of the pages small, the first and the last before others, and says whether any shows colour.
func (d *document) tinted(pages []ScanPage) bool {
	if len(pages) == 0 {
		return false
	}
	tries := []int{0, len(pages) - 1, len(pages) / 2}
	for k, i := range tries {
		if slices.Contains(tries[:k], i) || !pages[i].Colour {
			continue
		}
		img, _, err := d.picture(pages[i].Page-1, &page{}, tintDPI)
		if err == nil && showsColour(img) {
			return true
		}
	}
	return false
}

// showsColour counts dots that are plainly no grey: a seal or a signature makes hundreds of them at this size, yellowed
// paper and the noise of JPEG none.
func showsColour(img *image.RGBA) bool {
	n := 0
	for i := 0; i+3 < len(img.Pix); i += 4 {
		r, g, b := img.Pix[i], img.Pix[i+1], img.Pix[i+2]
		if max(r, g, b)-min(r, g, b) > 60 {
			n++
		}
	}
	return n*4000 > len(img.Pix)/4
}
