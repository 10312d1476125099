package intake

import (
	"image"
	"math"
	"slices"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
)

// maxLooked bounds how many objects of a page are looked at before the page counts as drawn.
const maxLooked = 4000

// lookDPI is the resolution at which a page is searched for what may be a stamp.
const lookDPI = 100

// A suspect is a part of a page that is no text and may be a mark.
type suspect struct {
	line
	stamp bool // it looks like a row of letters or a framed word
	wide  bool // it is much wider than high, as logos are not
}

// pageObject gives object i of a page and its kind.
func (f *pdfFile) pageObject(h *pageHandle, i int) (references.FPDF_PAGEOBJECT, enums.FPDF_PAGEOBJ, error) {
	obj, err := f.pdf.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: h.ref, Index: i})
	if err != nil {
		return "", 0, err
	}
	kind, err := f.pdf.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: obj.PageObject})
	if err != nil {
		return "", 0, err
	}
	return obj.PageObject, kind.Type, nil
}

// draws says whether a page has pictures, forms or drawings in which a mark may stand: anything but text, rules and boxes.
func (f *pdfFile) draws(h *pageHandle) bool {
	n, err := f.pdf.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: h.ref})
	if err != nil || n.Count > maxLooked {
		return true
	}
	strips, shapes, bits := 0, 0, 0
	for i := range n.Count {
		obj, kind, err := f.pageObject(h, i)
		if err != nil {
			return true
		}
		if kind == enums.FPDF_PAGEOBJ_TEXT {
			continue
		}
		b, err := f.pdf.FPDFPageObj_GetBounds(&requests.FPDFPageObj_GetBounds{PageObject: obj})
		if err != nil {
			continue // an object without bounds shows nothing
		}
		w, ht := float64(b.Right-b.Left), float64(b.Top-b.Bottom)
		segments := 0
		if kind == enums.FPDF_PAGEOBJ_PATH {
			c, err := f.pdf.FPDFPath_CountSegments(&requests.FPDFPath_CountSegments{PageObject: obj})
			if err != nil {
				return true
			}
			segments = c.Count
		}
		switch {
		case kind != enums.FPDF_PAGEOBJ_PATH && min(w, ht) >= 6 && max(w, ht) >= 12, segments >= 24 && max(w, ht) >= 12:
			return true
		case kind != enums.FPDF_PAGEOBJ_PATH:
			strips++
		case max(w, ht) < 5:
			bits++
		case segments > 5 || min(w, ht) > 2.5 && max(w, ht) < 60: // a letter, or a slanting stroke or bar of one
			shapes++
		case max(w, ht) < 40:
			bits++ // an upright or level stroke, or a short rule
		}
		if strips >= 3 || shapes >= 3 || bits+4*shapes >= 24 {
			return true
		}
	}
	return false
}

// withoutText hides what the text layer gives, so that only pictures and drawings are rendered.
func (f *pdfFile) withoutText(h *pageHandle) {
	n, err := f.pdf.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: h.ref})
	if err != nil {
		return // then text is recognised with the rest
	}
	for i := range min(n.Count, 4*maxLooked) {
		if obj, kind, err := f.pageObject(h, i); err == nil && kind == enums.FPDF_PAGEOBJ_TEXT {
			f.pdf.FPDFPageObj_SetIsActive(&requests.FPDFPageObj_SetIsActive{PageObject: obj, Active: false})
		}
	}
}

// suspects looks for what may be a stamp among the ink of page i that is no text. Where text lies over a picture of the whole
// page, or in one form with it, the places of the letters are left out.
func (f *pdfFile) suspects(i int) ([]suspect, error) {
	h, err := f.load(i)
	if err != nil {
		return nil, err
	}
	defer h.free()
	var letters []glyph
	if f.pictureCover(h) > 0.5 {
		glyphs, _, err := f.glyphs(h)
		if err != nil {
			return nil, err
		}
		letters = glyphs
	}
	f.withoutText(h)
	img, dpi, err := f.render(h, lookDPI)
	if err != nil {
		return nil, err
	}
	dots := dpi / 72
	_, red := greyPage(img)
	out := suspectsIn(inkOf(darkest(img), letters, dots), dots, i+1)
	if red != nil { // a stamp over a photograph
		for _, s := range suspectsIn(inkOf(red, nil, dots), dots, i+1) {
			if s.stamp && !slices.ContainsFunc(out, func(o suspect) bool { return o.stamp && overlap(o.line, s.line) > 0.7 }) {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// overlap is the share of the larger of two places that both cover.
func overlap(a, b line) float64 {
	w, h := min(a.x1, b.x1)-max(a.x0, b.x0), min(a.y1, b.y1)-max(a.y0, b.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / max((a.x1-a.x0)*(a.y1-a.y0), (b.x1-b.x0)*(b.y1-b.y0))
}

// inkOf makes what is not nearly white black, pale stamps too, and takes out the places of letters.
func inkOf(g *image.Gray, letters []glyph, dots float64) *image.Gray {
	for i, v := range g.Pix {
		if v < 205 {
			g.Pix[i] = 0
		} else {
			g.Pix[i] = 255
		}
	}
	for _, l := range letters {
		for y := max(0, int(l.y0*dots)-1); y < min(g.Rect.Dy(), int(l.y1*dots)+2); y++ {
			for x := max(0, int(l.x0*dots)-1); x < min(g.Rect.Dx(), int(l.x1*dots)+2); x++ {
				g.Pix[y*g.Stride+x] = 255
			}
		}
	}
	return g
}

// maxPieces bounds how many pieces of ink are put together; a page with more is one picture.
const maxPieces = 2500

// suspectsIn parts the ink of a page into groups as large as a stamp or larger.
func suspectsIn(ink *image.Gray, dots float64, number int) []suspect {
	var pieces, frames []*blob
	for _, b := range blobs(ink) {
		w, h := float64(b.box.Dx())/dots, float64(b.box.Dy())/dots
		sparse := float64(b.ink) < 0.3*float64(b.box.Dx()*b.box.Dy())
		switch {
		case min(w, h) < 2.5 && max(w, h) > 40, sparse && (w > 330 || h > 250): // rules, tables, frames of pages
		case sparse && w > 30 && h > 14 && isFrame(b):
			frames = append(frames, b)
		default:
			pieces = append(pieces, b)
		}
	}
	var out []suspect
	for _, g := range gathered(pieces, dots) {
		if s, ok := suspectOf(g, frames, dots); ok {
			s.page = number
			out = append(out, s)
		}
	}
	return out
}

// isFrame says whether the ink of a group lies along the edges of its box.
func isFrame(b *blob) bool {
	edge := max(3, min(b.box.Dx(), b.box.Dy())/7)
	inner := b.box.Inset(edge)
	inside := 0
	for _, r := range b.runs {
		if r.y >= inner.Min.Y && r.y < inner.Max.Y {
			inside += max(0, min(r.x1, inner.Max.X)-max(r.x0, inner.Min.X))
		}
	}
	return inside*8 < b.ink
}

// gathered puts pieces together that stand as near as the letters and words of one stamp.
func gathered(pieces []*blob, dots float64) [][]*blob {
	if len(pieces) > maxPieces {
		return [][]*blob{pieces}
	}
	root := make([]int, len(pieces))
	for i := range root {
		root[i] = i
	}
	var find func(i int) int
	find = func(i int) int {
		if root[i] != i {
			root[i] = find(root[i])
		}
		return root[i]
	}
	reach := func(b *blob) int { return int(min(max(0.8*float64(b.box.Dy()), 2*dots), 16*dots)) }
	for i, a := range pieces {
		for k := range i {
			b := pieces[k]
			if near := max(reach(a), reach(b)); a.box.Inset(-near).Overlaps(b.box) {
				root[find(i)] = find(k)
			}
		}
	}
	groups := make(map[int][]*blob)
	var order []int
	for i, p := range pieces {
		r := find(i)
		if groups[r] == nil {
			order = append(order, r)
		}
		groups[r] = append(groups[r], p)
	}
	out := make([][]*blob, 0, len(order))
	for _, r := range order {
		out = append(out, groups[r])
	}
	return out
}

// suspectOf measures a group of ink. It is a suspect unless it is too small for a mark or a mere patch of colour.
func suspectOf(group, frames []*blob, dots float64) (suspect, bool) {
	var box image.Rectangle
	ink := 0
	for _, b := range group {
		box = box.Union(b.box)
		ink += b.ink
	}
	w, h := float64(box.Dx())/dots, float64(box.Dy())/dots
	if max(w, h) < 16 || min(w, h) < 6 || float64(ink) > 0.985*float64(box.Dx()*box.Dy()) {
		return suspect{}, false
	}
	s := suspect{wide: w > 1.5*h, stamp: max(w, h) < 330 && min(w, h) < 130 && (lettersIn(group, dots) || solidWord(group, w, h, ink, dots))}
	for _, f := range frames {
		fw, fh := float64(f.box.Dx())/dots, float64(f.box.Dy())/dots
		if box.In(f.box.Inset(-2)) && fw < 330 && fh < 110 && fw > 1.4*fh && fh < 3.2*h {
			s.stamp, box = true, f.box.Union(box)
		}
	}
	s.x0, s.y0, s.x1, s.y1 = float64(box.Min.X)/dots, float64(box.Min.Y)/dots, float64(box.Max.X)/dots, float64(box.Max.Y)/dots
	return s, true
}

// lettersIn says whether a group is a row of three to some twenty letters, level, askew or upright on its side: pieces of
// like size, along a line. Two or three letters that run into each other are one piece.
func lettersIn(group []*blob, dots float64) bool {
	size := func(b *blob) float64 { return float64(max(b.box.Dx(), b.box.Dy())) }
	var sizes []float64
	for _, b := range group {
		if s := size(b); s >= 6*dots && s <= 80*dots {
			sizes = append(sizes, s)
		}
	}
	if len(sizes) < 2 {
		return false
	}
	slices.Sort(sizes)
	typical, letters := sizes[len(sizes)/2], 0
	var xs, ys []float64
	for _, b := range group {
		s, flat := size(b), float64(min(b.box.Dx(), b.box.Dy()))
		if s < 0.6*typical || s > 3.3*typical || s > 4*flat {
			continue
		}
		letters++
		if s > 1.6*typical {
			letters++
		}
		xs, ys = append(xs, float64(b.box.Min.X+b.box.Max.X)/2), append(ys, float64(b.box.Min.Y+b.box.Max.Y)/2)
	}
	return letters >= 3 && letters <= 24 && straight(xs, ys, 0.45*typical)
}

// straight says whether points lie along a line, none further from it than off.
func straight(xs, ys []float64, off float64) bool {
	a, b := 0, 0
	far := -1.0
	for i := range xs {
		for k := range i {
			if d := math.Hypot(xs[i]-xs[k], ys[i]-ys[k]); d > far {
				a, b, far = i, k, d
			}
		}
	}
	if far < off {
		return false
	}
	dx, dy := (xs[b]-xs[a])/far, (ys[b]-ys[a])/far
	for i := range xs {
		if math.Abs((xs[i]-xs[a])*dy-(ys[i]-ys[a])*dx) > off {
			return false
		}
	}
	return true
}

// solidWord says whether a group may be a word whose letters run into each other: wide, low and neither a line of a pen nor
// a patch.
func solidWord(group []*blob, w, h float64, ink int, dots float64) bool {
	share := float64(ink) / (w * h * dots * dots)
	return len(group) <= 8 && h >= 8 && h <= 60 && w >= 1.7*h && w <= 9*h && share > 0.33 && share < 0.93
}
