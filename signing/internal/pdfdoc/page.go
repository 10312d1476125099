package pdfdoc

import (
	"fmt"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// A Rect is a rectangle with its lower left corner first.
type Rect struct{ X0, Y0, X1, Y1 float64 }

func (r Rect) overlaps(o Rect) bool {
	return r.X0 < o.X1 && o.X0 < r.X1 && r.Y0 < o.Y1 && o.Y0 < r.Y1
}

// A page is a page as a reader shows it: visible box and rotation.
type page struct {
	dict   types.Dict
	number int // of its object
	box    Rect
	rotate int     // 0, 90, 180 or 270, clockwise
	unit   float64 // points in one unit of the page (UserUnit)

	resources types.Dict // its own or inherited ones
}

// a4 is the page size of official documents, taken when a file gives none.
var a4 = Rect{0, 0, 595.28, 841.89}

// page returns a page by its number, counted from 1.
func (d *Doc) page(number int) (*page, error) {
	if err := d.x.EnsurePageCount(); err != nil {
		return nil, fmt.Errorf("%w: page count: %v", ErrDamaged, err)
	}
	if number < 1 || number > d.x.PageCount && number != 1 {
		return nil, fmt.Errorf("%w: page %d of %d", ErrNoPlace, number, d.x.PageCount)
	}
	dict, ref, inherited, err := d.x.PageDict(number, false)
	if err != nil {
		return nil, fmt.Errorf("%w: page %d: %v", ErrDamaged, number, err)
	}
	if dict == nil || ref == nil {
		return nil, fmt.Errorf("%w: page %d is missing", ErrDamaged, number)
	}
	p := &page{dict: dict, number: ref.ObjectNumber.Value(), box: a4, unit: 1, resources: inherited.Resources}
	if own, err := d.dict(dict["Resources"]); err == nil && own != nil {
		p.resources = own
	}
	if u, ok := d.number(dict["UserUnit"]); ok && u >= 0.01 && u <= 1000 {
		p.unit = u
	}
	media := d.rect(dict["MediaBox"])
	if media == nil && inherited.MediaBox != nil {
		media = fromPDF(inherited.MediaBox)
	}
	if media != nil {
		p.box = *media
	}
	crop := d.rect(dict["CropBox"])
	if crop == nil && inherited.CropBox != nil {
		crop = fromPDF(inherited.CropBox)
	}
	if crop != nil {
		cut := Rect{max(p.box.X0, crop.X0), max(p.box.Y0, crop.Y0), min(p.box.X1, crop.X1), min(p.box.Y1, crop.Y1)}
		if cut.X0 < cut.X1 && cut.Y0 < cut.Y1 {
			p.box = cut
		}
	}
	rotate := int64(inherited.Rotate)
	if own, ok := d.integer(dict["Rotate"]); ok {
		rotate = own
	}
	p.rotate = int(((rotate/90)%4 + 4) % 4 * 90)
	return p, nil
}

func fromPDF(r *types.Rectangle) *Rect { return normal(r.LL.X, r.LL.Y, r.UR.X, r.UR.Y) }

func normal(x0, y0, x1, y1 float64) *Rect {
	r := &Rect{min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)}
	for _, v := range []float64{r.X0, r.Y0, r.X1, r.Y1} {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return nil
		}
	}
	if r.X0 == r.X1 || r.Y0 == r.Y1 {
		return nil
	}
	return r
}

// rect reads a rectangle; nil when there is none or it has no area.
func (d *Doc) rect(o types.Object) *Rect {
	a, err := d.array(o)
	if err != nil || len(a) != 4 {
		return nil
	}
	var v [4]float64
	for i := range v {
		n, ok := d.number(a[i])
		if !ok {
			return nil
		}
		v[i] = n
	}
	return normal(v[0], v[1], v[2], v[3])
}

// size is the page as displayed, rotation applied.
func (p *page) size() (w, h float64) {
	w, h = p.box.X1-p.box.X0, p.box.Y1-p.box.Y0
	if p.rotate%180 != 0 {
		w, h = h, w
	}
	return w, h
}

// toPage turns a rectangle of the displayed page into the page's own coordinates.
func (p *page) toPage(r Rect) Rect {
	w, h := p.box.X1-p.box.X0, p.box.Y1-p.box.Y0
	point := func(x, y float64) (float64, float64) {
		switch p.rotate {
		case 90:
			x, y = w-y, x
		case 180:
			x, y = w-x, h-y
		case 270:
			x, y = y, h-x
		}
		return p.box.X0 + x, p.box.Y0 + y
	}
	x0, y0 := point(r.X0, r.Y0)
	x1, y1 := point(r.X1, r.Y1)
	return Rect{min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)}
}

// matrix turns an appearance so that it stands upright on the displayed page (ISO 32000-1 §12.5.5).
func (p *page) matrix() types.Array {
	m := map[int][4]int{0: {1, 0, 0, 1}, 90: {0, 1, -1, 0}, 180: {-1, 0, 0, -1}, 270: {0, -1, 1, 0}}[p.rotate]
	return types.Array{types.Integer(m[0]), types.Integer(m[1]), types.Integer(m[2]), types.Integer(m[3]),
		types.Integer(0), types.Integer(0)}
}

// annotations are the rectangles of what already lies on the page, in its own coordinates.
func (d *Doc) annotations(p *page) []Rect {
	list, err := d.array(p.dict["Annots"])
	if err != nil {
		return nil
	}
	var out []Rect
	for _, o := range list[:min(len(list), 10000)] {
		a, err := d.dict(o)
		if err != nil || a == nil {
			continue
		}
		if r := d.rect(a["Rect"]); r != nil {
			out = append(out, *r)
		}
	}
	return out
}
