package pdfdoc

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// ErrNoPlace means that a picture cannot stand where it was wanted.
var ErrNoPlace = errors.New("no place for the picture")

// A Picture is the image of a handwritten signature or of a seal (NĐ 30/2020 Phụ lục I, ô 7c and 8).
type Picture struct {
	Image image.Image
	Page  int  // counted from 1, from the end when negative; not used with Over
	Box   Rect // on the page as displayed, lower left corner of the visible page at 0, 0
	// Over is the name of a signature field with a picture, whose left third is covered instead: Box gives the size only.
	Over string
}

// picturePage finds the page of a picture.
func (d *Doc) picturePage(p *Picture, form *form) (*page, error) {
	if p.Over == "" {
		n := p.Page
		if err := d.x.EnsurePageCount(); err != nil {
			return nil, fmt.Errorf("%w: page count: %v", ErrDamaged, err)
		}
		if n < 0 {
			n += d.x.PageCount + 1
		}
		return d.page(n)
	}
	f, err := form.named(p.Over)
	if err != nil {
		return nil, err
	}
	ref, ok := f.dict["P"].(types.IndirectRef)
	if !ok {
		return nil, fmt.Errorf("%w: field %q does not name its page", ErrNoPlace, p.Over)
	}
	if err := d.x.EnsurePageCount(); err != nil {
		return nil, fmt.Errorf("%w: page count: %v", ErrDamaged, err)
	}
	for n := 1; n <= d.x.PageCount; n++ {
		pg, err := d.page(n)
		if err != nil {
			return nil, err
		}
		if pg.number == ref.ObjectNumber.Value() {
			return pg, nil
		}
	}
	return nil, fmt.Errorf("%w: field %q is on no page", ErrNoPlace, p.Over)
}

func (f *form) named(name string) (*field, error) {
	for i := range f.fields {
		if f.fields[i].name == name && f.fields[i].terminal && f.fields[i].kind == "Sig" {
			return &f.fields[i], nil
		}
	}
	return nil, fmt.Errorf("%w: no signature field %q", ErrNoPlace, name)
}

// drawPicture gives a widget its place and an appearance with the picture, fitted into the box and not distorted.
func (in *increment) drawPicture(widget types.Dict, pg *page, p *Picture, form *form) error {
	box := Rect{p.Box.X0 / pg.unit, p.Box.Y0 / pg.unit, p.Box.X1 / pg.unit, p.Box.Y1 / pg.unit}
	if p.Over != "" {
		f, err := form.named(p.Over)
		if err != nil {
			return err
		}
		r := in.d.rect(f.dict["Rect"])
		if r == nil {
			return fmt.Errorf("%w: field %q is not visible", ErrNoPlace, p.Over)
		}
		under := pg.toDisplay(*r)
		// The seal covers about a third of the signature, on its left (NĐ 30/2020 Phụ lục I, mục II.8).
		right, middle := under.X0+(under.X1-under.X0)/3, (under.Y0+under.Y1)/2
		w, h := box.X1-box.X0, box.Y1-box.Y0
		box = Rect{right - w, middle - h/2, right, middle + h/2}
	}
	size := p.Image.Bounds()
	box = fit(box, float64(size.Dx()), float64(size.Dy()))
	w, h := pg.size()
	if !(box.X0 >= 0 && box.Y0 >= 0 && box.X1 <= w && box.Y1 <= h) || !(box.X1-box.X0 >= 1 && box.Y1-box.Y0 >= 1) {
		return fmt.Errorf("%w: %.0f,%.0f–%.0f,%.0f is not on the page of %.0f × %.0f points", ErrNoPlace, box.X0, box.Y0, box.X1, box.Y1, w, h)
	}
	img, err := in.image(p.Image)
	if err != nil {
		return err
	}
	width, height := box.X1-box.X0, box.Y1-box.Y0
	ap, err := stream(fmt.Appendf(nil, "q %.3f 0 0 %.3f 0 0 cm /I Do Q\n", width, height), types.Dict{
		"Type": types.Name("XObject"), "Subtype": types.Name("Form"),
		"BBox": rectangle(Rect{0, 0, width, height}), "Matrix": pg.matrix(),
		"Resources": types.Dict{"XObject": types.Dict{"I": img}},
	})
	if err != nil {
		return err
	}
	widget["Rect"] = rectangle(pg.toPage(box))
	widget["AP"] = types.Dict{"N": in.add(*ap)}
	return nil
}

// fit centres the largest rectangle of the given proportions in a box.
func fit(box Rect, w, h float64) Rect {
	bw, bh := box.X1-box.X0, box.Y1-box.Y0
	scale := math.Min(bw/w, bh/h)
	x, y := (box.X0+box.X1)/2, (box.Y0+box.Y1)/2
	return Rect{x - w*scale/2, y - h*scale/2, x + w*scale/2, y + h*scale/2}
}

// image embeds a picture with its transparency as a soft mask. Colours are taken as they are without transparency:
// multiplied ones would turn a half transparent red into a dark one.
func (in *increment) image(m image.Image) (types.IndirectRef, error) {
	var none types.IndirectRef
	b := m.Bounds()
	rgb, alpha := make([]byte, 0, 3*b.Dx()*b.Dy()), make([]byte, 0, b.Dx()*b.Dy())
	opaque := true
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			rgb, alpha = append(rgb, c.R, c.G, c.B), append(alpha, c.A)
			opaque = opaque && c.A == 255
		}
	}
	d := imageDict(b, "DeviceRGB")
	if !opaque {
		mask, err := stream(alpha, imageDict(b, "DeviceGray"))
		if err != nil {
			return none, err
		}
		d["SMask"] = in.add(*mask)
	}
	sd, err := stream(rgb, d)
	if err != nil {
		return none, err
	}
	return in.add(*sd), nil
}

func imageDict(b image.Rectangle, space string) types.Dict {
	return types.Dict{
		"Type": types.Name("XObject"), "Subtype": types.Name("Image"), "Width": types.Integer(b.Dx()), "Height": types.Integer(b.Dy()),
		"ColorSpace": types.Name(space), "BitsPerComponent": types.Integer(8),
	}
}
