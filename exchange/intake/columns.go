package intake

import (
	"context"
	"image"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Recognising a page as a whole mixes two columns whose lines stand at nearly the same height, and then loses words. The
// two places where official documents have columns are recognised again, each column by itself: the head of the first page,
// and the foot, where Nơi nhận stands beside the signer.

// headAgain recognises the columns above the title again.
func (r *Reader) headAgain(ctx context.Context, p *page, s scanned, dpi float64) error {
	h := readHead(*p, false)
	if h.date == nil && h.number == nil {
		return nil
	}
	bottom := 0.35 * p.height
	if len(h.rest) > 0 {
		bottom = min(bottom, h.rest[0].base-1.15*h.rest[0].size)
	} else if len(h.title) > 0 {
		bottom = min(bottom, h.title[0].base-1.15*h.title[0].size)
	}
	if len(h.title) > 0 {
		bottom = min(bottom, h.title[0].base-1.15*h.title[0].size)
	}
	if err := r.columnsAgain(ctx, p, s, dpi, 0, bottom); err != nil {
		return err
	}
	if err := r.numberAgain(ctx, p, s, dpi); err != nil {
		return err
	}
	return r.dateAgain(ctx, p, s, dpi)
}

// numberAgain recognises the line of the number by itself, in several sizes, when nothing but its label was read.
func (r *Reader) numberAgain(ctx context.Context, p *page, s scanned, dpi float64) error {
	h := readHead(*p, false)
	if h.number == nil || strings.ContainsAny(h.number.text(), "/") {
		return nil
	}
	n := *h.number
	left, right := n.x0, h.split
	if strings.ContainsAny(n.text(), "0123456789") {
		return nil // a number without a symbol, as registers have
	}
	n.x0, n.x1 = left, right-8*s.scale
	return r.lineAgain(ctx, p, s, dpi, n, referenceText.MatchString)
}

var dayWritten = regexp.MustCompile(`\bngay\s+\S{1,3}\s+thang\b`)

// dateAgain recognises the line of the date by itself when a day is written that no month has: tesseract is sure of its 37.
func (r *Reader) dateAgain(ctx context.Context, p *page, s scanned, dpi float64) error {
	whole := func(text string) bool { return len(ParseHeading(text).Date) == len("2006-01-02") }
	h := readHead(*p, false)
	if h.date == nil || whole(h.date.text()) || !dayWritten.MatchString(fold(h.date.text())) {
		return nil
	}
	return r.lineAgain(ctx, p, s, dpi, *h.date, whole)
}

// lineAgain recognises a line by itself in several sizes until what comes out is good.
func (r *Reader) lineAgain(ctx context.Context, p *page, s scanned, dpi float64, l line, good func(string) bool) error {
	area := image.Rect(int(l.x0/s.scale)-8, int((l.base-1.1*l.size)/s.scale), int(l.x1/s.scale)+8, int((l.base+0.4*l.size)/s.scale)).Intersect(s.grey.Rect)
	if area.Dx() < 20 || area.Dy() < 10 {
		return nil
	}
	picture := crop(s.grey, area)
	for _, scale := range []float64{0.8, 0.67, 0.9} {
		found, err := r.tesseract(ctx, shrink(picture, scale), dpi*scale, 7)
		if err != nil {
			return err
		}
		for i := range found {
			f := &found[i]
			f.left, f.top, f.width, f.height = f.left/scale, f.top/scale, f.width/scale, f.height/scale
		}
		words := s.words(found, float64(area.Min.X-border), float64(area.Min.Y-border))
		if lines := linesOf(words, p.number); len(lines) == 1 && good(lines[0].text()) {
			p.words = append(withoutOverlap(p.words, lines[0]), words...)
			return nil
		}
	}
	return nil
}

// footAgain recognises the block Nơi nhận and the signer beside it again.
func (r *Reader) footAgain(ctx context.Context, p *page, s scanned, dpi float64) error {
	top, ok := footTop(*p)
	if !ok {
		return nil
	}
	bottom := p.height
	for _, l := range linesOf(below(p.words, top+12), p.number) { // up to the next line that runs across, of an annex
		for _, piece := range l.pieces(1.2 * l.size) {
			if piece.x0 < 0.3*p.width && piece.x1 > 0.75*p.width && len(piece.words) > 5 {
				bottom = min(bottom, l.base-1.2*l.size)
			}
		}
	}
	return r.columnsAgain(ctx, p, s, dpi, top, bottom)
}

// footTop finds the height at which the foot begins: the label, or the first line of the signer when the label was lost.
func footTop(p page) (float64, bool) {
	if l := findLabel([]page{p}); l != nil && l.tail == "" {
		return min(l.at.base-14, l.at.y0-3), true
	}
	lines := linesOf(p.words, p.number)
	at := -1
	for i := len(lines) - 1; i >= 0; i-- {
		switch l := lines[i]; {
		case p.number == 1 && l.base < 0.25*p.height: // Quốc hiệu
			i = -1
		case signsAt(p, l):
			at = i
		case at >= 0 && lines[at].base-l.base > 2.5*l.size:
			i = -1
		}
	}
	if at < 0 {
		return 0, false
	}
	top := lines[at].base - 1.3*lines[at].size
	if at > 0 && lines[at-1].x1 > 0.7*p.width {
		top = max(top, lines[at-1].base+0.25*lines[at-1].size)
	}
	return top, true
}

// signsAt says whether a line has, in the right half, the capitals of a signer's post.
func signsAt(p page, l line) bool {
	pieces := l.pieces(0.85 * l.size)
	last := pieces[len(pieces)-1]
	return last.x0 > 0.42*p.width && len(last.words) >= 2 && upperShare(last.text()) > 0.85
}

// columnsAgain recognises a band of the page again, left and right of its gutter, and takes what comes out for what was
// there, unless much less comes out.
func (r *Reader) columnsAgain(ctx context.Context, p *page, s scanned, dpi float64, top, bottom float64) error {
	band := image.Rect(0, int(top/s.scale), s.grey.Rect.Dx(), int(bottom/s.scale)).Intersect(s.grey.Rect)
	x, ok := gutter(s.grey, band)
	if !ok || band.Dy() < 30 {
		return nil
	}
	for _, area := range []image.Rectangle{image.Rect(0, band.Min.Y, x, band.Max.Y), image.Rect(x, band.Min.Y, band.Max.X, band.Max.Y)} {
		ink := inkBox(s.grey, area)
		if ink.Dx() < 20 || ink.Dy() < 10 {
			continue
		}
		if err := r.areaAgain(ctx, p, s, dpi, ink.Inset(-8).Intersect(area), area); err != nil {
			return err
		}
	}
	return nil
}

// areaAgain recognises what stands in ink, and where tesseract is not sure of a word, once more at four fifths of the size,
// at which it reads other letters well. Of each line the surest reading stays.
func (r *Reader) areaAgain(ctx context.Context, p *page, s scanned, dpi float64, ink, area image.Rectangle) error {
	picture := crop(s.grey, ink)
	for _, scale := range []float64{1, 0.8} {
		found, err := r.tesseract(ctx, shrink(picture, scale), dpi*scale, 6)
		if err != nil {
			return err
		}
		for i := range found {
			f := &found[i]
			f.left, f.top, f.width, f.height = f.left/scale, f.top/scale, f.width/scale, f.height/scale
		}
		again := s.words(found, float64(ink.Min.X-border), float64(ink.Min.Y-border))
		p.replace(again, area, s.scale)
		if !slices.ContainsFunc(again, func(w word) bool { return w.conf < 80 }) {
			return nil
		}
	}
	return nil
}

// shrink makes a picture smaller: each dot is the mean of those it covers.
func shrink(g *image.Gray, scale float64) *image.Gray {
	if scale == 1 {
		return g
	}
	w, h := int(float64(g.Rect.Dx())*scale), int(float64(g.Rect.Dy())*scale)
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			fx, fy := (float64(x)+0.5)/scale-0.5, (float64(y)+0.5)/scale-0.5
			sum := int(sample(g, fx-0.2, fy-0.2)) + int(sample(g, fx+0.2, fy-0.2)) + int(sample(g, fx-0.2, fy+0.2)) + int(sample(g, fx+0.2, fy+0.2))
			out.Pix[y*out.Stride+x] = byte(sum / 4)
		}
	}
	return out
}

// replace puts words in the place of those that stand in an area of the picture. A line that was read whole the first time,
// and surer, stays.
func (p *page) replace(again []word, area image.Rectangle, scale float64) {
	var kept, first []word
	for _, w := range p.words {
		mx, my := int((w.x0+w.x1)/2/scale), int((w.base-0.3*min(w.size, 14))/scale)
		if (image.Point{mx, my}).In(area) {
			first = append(first, w)
			continue
		}
		kept = append(kept, w)
	}
	if letters(again)*10 < letters(first)*7 {
		return
	}
	before := linesOf(first, p.number)
	for _, n := range linesOf(again, p.number) {
		best := n.words
		for _, o := range before {
			same := letters(o.words) - letters(n.words)
			if math.Abs(o.base-n.base) < 0.4*n.size && same*same < 9 && o.x0 < n.x0+6 && alike(o.text(), n.text()) && o.sureness() > n.sureness()+1 {
				best = o.words
			}
			if math.Abs(o.base-n.base) < 0.4*n.size {
				doubtDifferent(n.words, o.words)
			}
		}
		kept = append(kept, best...)
	}
	p.words = kept
}

// doubtDifferent marks the words of two readings that stand at the same place and do not say the same.
func doubtDifferent(a, b []word) {
	for i := range a {
		for k := range b {
			shared := min(a[i].x1, b[k].x1) - max(a[i].x0, b[k].x0)
			if shared > 0.5*min(a[i].x1-a[i].x0, b[k].x1-b[k].x0) && a[i].text != b[k].text {
				a[i].unsure, b[k].unsure = true, true
			}
		}
	}
}

// alike says whether two readings may be of the same line: most letters of one are in the other.
func alike(a, b string) bool {
	count := make(map[rune]int)
	all, same := 0, 0
	for _, r := range fold(a) {
		count[r]++
		all++
	}
	for _, r := range fold(b) {
		all++
		if count[r] > 0 {
			count[r]--
			same += 2
		}
	}
	return same*10 >= all*6
}

// letters counts the characters of words.
func letters(words []word) int {
	n := 0
	for _, w := range words {
		n += len([]rune(w.text))
	}
	return n
}

// gutter finds the widest white stripe that runs through a band of the picture from top to bottom, in its middle part.
func gutter(g *image.Gray, band image.Rectangle) (x int, ok bool) {
	w := g.Rect.Dx()
	speck := band.Dy() / 150 // noise and dust
	bestStart, bestLen, start := 0, 0, -1
	for x := w / 5; x <= w*4/5; x++ {
		ink := 0
		for y := band.Min.Y; y < band.Max.Y; y++ {
			if g.Pix[y*g.Stride+x] < 140 {
				ink++
			}
		}
		switch {
		case ink > speck || x == w*4/5:
			if start >= 0 && x-start > bestLen {
				bestStart, bestLen = start, x-start
			}
			start = -1
		case start < 0:
			start = x
		}
	}
	if bestLen < w/90 {
		return 0, false
	}
	return bestStart + bestLen/2, true
}

// sureness is how sure tesseract is of a line, over its letters.
func (l line) sureness() float64 {
	sum, n := 0.0, 0.0
	for _, w := range l.words {
		k := float64(len([]rune(w.text)))
		sum += k * w.conf
		n += k
	}
	return sum / math.Max(n, 1)
}
