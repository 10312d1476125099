package signing

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"

	"congvan/signing/internal/pdfdoc"
)

// A Picture is the image of a handwritten signature or of a seal, shown on an electronic original (NĐ 30/2020 Phụ lục I
// mục II.7, II.8): the person's signature in blue between title and name, the agency's seal in red over its left third.
// Transparency is kept.
type Picture struct {
	PNG []byte
	// Page is where it stands, counted from 1; -1 is the last page.
	Page int
	// Box is the place in points on the page as displayed, from its lower left corner. The picture is fitted into it.
	Box Box
	// Over is the name of a visible signature field on whose left third the picture is laid; Page is not used then, and
	// Box gives the size only.
	Over string
}

// A Box is a rectangle on a page, in points from the lower left corner.
type Box struct{ Left, Bottom, Width, Height float64 }

// Bounds on a picture. A seal of 40 mm scanned at 600 dpi has 950 pixels across.
const (
	maxPNG    = 8 << 20
	maxPixels = 4 << 20
)

var errPicture = errors.New("not a usable PNG picture")

func (p *Picture) decode() (*pdfdoc.Picture, error) {
	if len(p.PNG) > maxPNG {
		return nil, fmt.Errorf("%w: %d bytes", errPicture, len(p.PNG))
	}
	c, err := png.DecodeConfig(bytes.NewReader(p.PNG))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPicture, err)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("%w: %d × %d pixels", errPicture, c.Width, c.Height)
	}
	m, err := png.Decode(bytes.NewReader(p.PNG))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPicture, err)
	}
	b := p.Box
	if !(b.Width > 0 && b.Height > 0) {
		return nil, fmt.Errorf("%w: no size", errPicture)
	}
	return &pdfdoc.Picture{
		Image: m, Page: p.Page, Over: p.Over, Box: pdfdoc.Rect{X0: b.Left, Y0: b.Bottom, X1: b.Left + b.Width, Y1: b.Bottom + b.Height},
	}, nil
}
