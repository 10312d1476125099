package intake

import (
	"context"
	"image"
	"strings"
)

// poor says whether what was recognised is no text: a page that was laid in sideways or upside down gives little, and
// tesseract is sure of none of it.
func poor(found []ocrWord) bool {
	sure := sureLetters(found)
	all := 0
	for _, f := range found {
		all += len([]rune(f.text))
	}
	return sure < 40 || sure*2 < all
}

// sureLetters counts the letters of words of which tesseract is sure and that run along the page: it also reads text that
// stands on its side.
func sureLetters(found []ocrWord) int {
	n := 0
	for _, f := range found {
		if f.conf >= 75 && f.width > f.height && strings.IndexFunc(f.text, isLetterOrDigit) >= 0 {
			n += len([]rune(f.text))
		}
	}
	return n
}

// quarters finds by how many quarter turns clockwise a page must be turned to be read, by reading it small in each way. A
// page that nothing is read from stays as it is.
func (r *Reader) quarters(ctx context.Context, g *image.Gray, dpi float64, found []ocrWord) (int, error) {
	const scale = 0.6
	small := shrink(g, scale)
	best, turns := max(40, 2*sureLetters(found)), 0
	for n := 1; n < 4; n++ {
		small = quarterTurn(small)
		read, err := r.tesseract(ctx, small, dpi*scale, 3)
		if err != nil {
			return 0, err
		}
		if sure := sureLetters(read); sure > best {
			best, turns = sure, n
		}
	}
	return turns, nil
}

// quarterTurn turns a picture by 90 degrees clockwise.
func quarterTurn(g *image.Gray) *image.Gray {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, h, w))
	for y := range h {
		for x := range w {
			out.Pix[x*out.Stride+h-1-y] = g.Pix[y*g.Stride+x]
		}
	}
	return out
}
