package intake

import (
	"context"
	"image"
	"math"
	"slices"
	"strings"
	"unicode"
)

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// ocrDPI is the resolution at which pages are rendered to be recognised; below 200 small type suffers, above 300 nothing is
// won.
const ocrDPI = 300

// A scanned page is what is kept of a page while it is recognised.
type scanned struct {
	grey  *image.Gray
	red   *image.Gray
	scale float64 // points for one dot
}

// recognise reads a page from its picture: straightened, with even light and without rules; then the Nơi nhận column and
// the marks once more by themselves.
func (r *Reader) recognise(ctx context.Context, p *page, img *image.RGBA, dpi float64) error {
	s := scanned{scale: 72 / dpi}
	s.grey, s.red = greyPage(img)
	evenLight(s.grey)
	found, err := r.straightened(ctx, &s, dpi)
	if err != nil {
		return err
	}
	if poor(found) {
		turns, err := r.quarters(ctx, s.grey, dpi, found)
		if err != nil {
			return err
		}
		if turns > 0 {
			s.turnQuarters(turns)
			if turns%2 == 1 {
				p.width, p.height = p.height, p.width
			}
			if found, err = r.straightened(ctx, &s, dpi); err != nil {
				return err
			}
		}
	}
	p.ocr = true
	p.words = s.words(found, 0, 0)
	p.dropEdge()
	if p.number == 1 {
		if err := r.headAgain(ctx, p, s, dpi); err != nil {
			return err
		}
	}
	if err := r.footAgain(ctx, p, s, dpi); err != nil {
		return err
	}
	p.dropEdge()
	p.mend()
	return r.redMarks(ctx, p, s, dpi)
}

// straightened turns the page so that its lines run level, takes frames and rules away and recognises it.
func (r *Reader) straightened(ctx context.Context, s *scanned, dpi float64) ([]ocrWord, error) {
	if angle := skew(s.grey); angle != 0 {
		t := newTurn(s.grey, angle)
		s.grey = straighten(s.grey, t)
		if s.red != nil {
			s.red = straighten(s.red, t)
		}
	}
	dot := int(dpi / 72)
	eraseFrames(s.grey, 18*dot, 11*dot)
	eraseRules(s.grey, 24*dot, 2*dot)
	return r.tesseract(ctx, s.grey, dpi, 3)
}

// turnQuarters turns the page by quarters. Places are then those of the page as it is read.
func (s *scanned) turnQuarters(n int) {
	for range n {
		s.grey = quarterTurn(s.grey)
		if s.red != nil {
			s.red = quarterTurn(s.red)
		}
	}
}

// words turns recognised words into words of the page. Boxes stay those of the straightened picture, in points; offset is
// where a cropped picture began.
func (s scanned) words(found []ocrWord, dx, dy float64) []word {
	out := make([]word, 0, len(found))
	for _, f := range found {
		w := word{text: f.text, conf: f.conf, apart: true, x0: (f.left + dx) * s.scale, y0: (f.top + dy) * s.scale}
		w.x1, w.y1 = w.x0+f.width*s.scale, w.y0+f.height*s.scale
		up, down := letterShape(f.text)
		w.size = (w.y1 - w.y0) / (up + down)
		w.base = w.y1 - down*w.size
		out = append(out, w)
	}
	typicalSizes(out)
	settle(out)
	evenSizes(out)
	return out
}

// settle puts a word whose box took in a bit of the line above or below onto the line of the words next to it.
func settle(words []word) {
	for i := range words {
		w := &words[i]
		var near []word
		for _, k := range []int{i - 1, i + 1} {
			if k < 0 || k >= len(words) || words[k].conf < 60 || strings.IndexFunc(words[k].text, isLetterOrDigit) < 0 {
				continue
			}
			n := words[k]
			gap := max(n.x0-w.x1, w.x0-n.x1)
			if gap > -2 && gap < 1.2*n.size && min(n.y1, w.y1)-max(n.y0, w.y0) > 0.3*(n.y1-n.y0) {
				near = append(near, n)
			}
		}
		if len(near) == 1 && level(*w, near[0]) {
			w.base, w.size = near[0].base, near[0].size
			continue
		}
		if len(near) == 0 || math.Abs(near[0].base-near[len(near)-1].base) > 0.15*near[0].size {
			continue
		}
		if math.Abs(w.base-near[0].base) > 0.25*near[0].size && (len(near) == 2 || w.size > 1.3*near[0].size) {
			w.base, w.size = near[0].base, near[0].size
		}
	}
}

// level says whether the boxes of two words cover nearly the same heights, though their shapes put them on two lines.
func level(a, b word) bool {
	shared := min(a.y1, b.y1) - max(a.y0, b.y0)
	off := math.Abs(a.base - b.base)
	return shared > 0.7*max(a.y1-a.y0, b.y1-b.y0) && off > 0.25*b.size && off < 0.6*b.size
}

// typicalSizes gives signs without letters, whose shape says nothing, and words whose box is no word's, the size that most
// words of the picture have.
func typicalSizes(words []word) {
	var sizes []float64
	for _, w := range words {
		if strings.IndexFunc(w.text, isLetterOrDigit) >= 0 {
			sizes = append(sizes, w.size)
		}
	}
	if len(sizes) == 0 {
		return
	}
	slices.Sort(sizes)
	typical := sizes[len(sizes)/2]
	for i := range words {
		w := &words[i]
		switch {
		case strings.IndexFunc(w.text, isLetterOrDigit) < 0:
			w.size = typical
			if strings.ContainsAny(w.text, floating) {
				w.base = (w.y0+w.y1)/2 + 0.25*typical
			}
		case w.size > 1.7*typical || w.size < 0.5*typical:
			w.size = typical
		}
	}
}

// letterShape gives how far the letters of a word reach above and below the line, in parts of the font size.
func letterShape(s string) (up, down float64) {
	up, down = 0.1, 0
	for _, r := range s {
		low := unicode.ToLower(r)
		base := plainRune(low)
		top := 0.46
		switch {
		case unicode.IsUpper(r) || unicode.IsDigit(r) || strings.ContainsRune("bdfhklđ()/&|[]", low):
			top = 0.67
		case base == 't' || base == 'i' || base == 'j':
			top = 0.63
		case strings.ContainsRune("-–—~=+", r):
			top = 0.3
		case strings.ContainsRune(".,;:_", r):
			top = 0.1
			if r == ':' || r == ';' {
				top = 0.46
			}
		}
		if accent := accents(low); accent > 0 {
			top += 0.1 + 0.1*float64(accent)
		}
		up = max(up, top)
		switch {
		case strings.ContainsRune("gpqyj()/[]|", base) || strings.ContainsRune(dotBelow, r):
			down = max(down, 0.21)
		case r == ',' || r == ';' || r == 'Q':
			down = max(down, 0.14)
		}
	}
	return up, down
}

// evenSizes gives the words of one height neighbourhood the same size: the shape of a single word says little.
func evenSizes(words []word) {
	for _, l := range linesOf(words, 0) {
		var sizes []float64
		for _, w := range l.words {
			if len([]rune(w.text)) > 1 {
				sizes = append(sizes, w.size)
			}
		}
		if len(sizes) == 0 {
			continue
		}
		slices.Sort(sizes)
		typical := sizes[len(sizes)/2]
		for i := range words {
			w := &words[i]
			if w.base > l.base-0.3*typical && w.base < l.base+0.3*typical && (w.size < 0.8*typical || w.size > 1.25*typical) && len([]rune(w.text)) < 3 {
				w.size = typical
			}
		}
	}
}

// redMarks looks for stamps of độ mật and độ khẩn in what is red in the upper half of the page.
func (r *Reader) redMarks(ctx context.Context, p *page, s scanned, dpi float64) error {
	if s.red == nil {
		return nil
	}
	area := inkBox(s.red, image.Rect(0, 0, s.red.Rect.Dx(), s.red.Rect.Dy()/2))
	if area.Empty() {
		return nil
	}
	picture := crop(s.red, area.Inset(-6))
	dot := int(dpi / 72)
	eraseFrames(picture, 18*dot, 11*dot)
	found, err := r.tesseract(ctx, picture, dpi, 11)
	if err != nil {
		return err
	}
	origin := area.Inset(-6).Intersect(s.red.Rect).Min
	for _, l := range linesOf(s.words(found, float64(origin.X-border), float64(origin.Y-border)), p.number) {
		for _, piece := range l.pieces(1.5 * l.size) {
			if sec, urg := markOf(strings.ToUpper(piece.text()), false); sec == "" && urg == "" {
				continue
			}
			p.words = append(withoutOverlap(p.words, piece), piece.words...)
		}
	}
	return nil
}

// withoutOverlap drops the words that stand where the line stands.
func withoutOverlap(words []word, l line) []word {
	return slices.DeleteFunc(words, func(w word) bool {
		mx, my := (w.x0+w.x1)/2, (w.y0+w.y1)/2
		return mx > l.x0 && mx < l.x1 && my > l.y0 && my < l.y1
	})
}

// inkBox is the box around the dark dots of a part of a picture.
func inkBox(g *image.Gray, within image.Rectangle) image.Rectangle {
	var out image.Rectangle
	for y := within.Min.Y; y < within.Max.Y; y++ {
		for x := within.Min.X; x < within.Max.X; x++ {
			if g.Pix[y*g.Stride+x] < 150 {
				out = out.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return out
}
