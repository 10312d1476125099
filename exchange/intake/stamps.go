package intake

import (
	"context"
	"image"
	"strings"
)

// maxStamps bounds how many pictures of a page with a text layer are recognised by themselves.
const maxStamps = 3

// stampAngles are the degrees by which a picture is turned back before it is recognised: stamps are set askew.
var stampAngles = []float64{0, 12, -12, 24, -24}

// readStamps looks for a mark of secrecy that is a picture on the first page, whose text is in the text layer otherwise.
func (j *job) readStamps(ctx context.Context) error {
	k := headPage(j.pages)
	if k >= len(j.pages) || j.pages[k].unread || len(j.pages[k].words) == 0 {
		return nil
	}
	p := &j.pages[k]
	h, err := j.file.load(j.list[k])
	if err != nil {
		return nil // what is known of the page stands
	}
	defer h.free()
	boxes := j.file.stampBoxes(h, p.number)
	if len(boxes) == 0 {
		return nil
	}
	if j.reader.haveOCR(ctx) != nil {
		for _, b := range boxes {
			if b.x1-b.x0 > 1.5*(b.y1-b.y0) { // a logo is round or square, mostly
				p.stamps = append(p.stamps, mark{line: b, doubt: true})
			}
		}
		return ctx.Err()
	}
	img, dpi, err := j.file.render(h, ocrDPI)
	if err != nil {
		return ctx.Err()
	}
	select {
	case j.reader.slots <- struct{}{}:
		defer func() { <-j.reader.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	inks := []*image.Gray{darkest(img)}
	if _, red := greyPage(img); red != nil {
		inks = []*image.Gray{red, inks[0]}
	}
	for _, b := range boxes {
		m, err := j.reader.readStamp(ctx, inks, dpi, b)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		p.stamps = append(p.stamps, m...)
	}
	return nil
}

// stampBoxes gives the places of the pictures in the upper half of the page that are as large as a stamp, no hairlines and
// no letterhead from edge to edge.
func (f *pdfFile) stampBoxes(h *pageHandle, number int) []line {
	width, height := h.geom.size()
	var out []line
	for b := range f.pictures(h, 10*maxObjects) {
		if len(out) == maxStamps {
			break
		}
		l := line{page: number}
		l.x0, l.y0, l.x1, l.y1 = h.geom.box(float64(b.Left), float64(b.Bottom), float64(b.Right), float64(b.Top))
		w, ht := l.x1-l.x0, l.y1-l.y0
		if w < 20 || ht < 9 || w > 0.6*width || ht > 0.25*height || w < 0.6*ht || w > 12*ht || (l.y0+l.y1)/2 > 0.5*height {
			continue
		}
		out = append(out, l)
	}
	return out
}

// darkest makes a grey picture in which ink of any colour is dark.
func darkest(src *image.RGBA) *image.Gray {
	b := src.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		row := src.Pix[y*src.Stride : y*src.Stride+4*b.Dx()]
		for x := range b.Dx() {
			out.Pix[y*out.Stride+x] = min(row[4*x], row[4*x+1], row[4*x+2])
		}
	}
	return out
}

// readStamp recognises the part of a page on which a picture stands: first what is red there, apart from the text around it,
// then all.
func (r *Reader) readStamp(ctx context.Context, inks []*image.Gray, dpi float64, box line) (doubts []mark, err error) {
	dots := dpi / 72
	turns := stampAngles
	for _, ink := range inks {
		area := image.Rect(int(box.x0*dots), int(box.y0*dots), int(box.x1*dots)+1, int(box.y1*dots)+1).Inset(-4).Intersect(ink.Rect)
		if inkBox(ink, area).Empty() {
			continue
		}
		picture := crop(ink, area)
		eraseFrames(picture, int(18*dots), int(9*dots))
		for _, angle := range turns {
			g, modes := picture, []int{7, 11} // one line, scattered words
			if angle != 0 {
				g, modes = straighten(picture, newTurn(picture, angle)), []int{11}
			}
			for _, mode := range modes {
				found, err := r.tesseract(ctx, g, dpi, mode)
				if err != nil {
					return nil, err
				}
				m, ok := stampMark(found, box)
				if ok && !m.doubt {
					return []mark{m}, nil
				}
				if ok {
					doubts = []mark{m}
				}
			}
		}
		turns = stampAngles[:1]
	}
	return doubts, nil
}

// stampMark reads what was recognised in a picture as a mark. Words around a mark leave a doubt.
func stampMark(found []ocrWord, box line) (mark, bool) {
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = f.text
	}
	whole := strings.ToUpper(strings.Join(texts, " "))
	if s, u := markOf(whole, false); s != "" || u != "" {
		return mark{line: box, secrecy: s, urgency: u}, true
	}
	if halfMark(whole) {
		return mark{line: box, doubt: true}, true
	}
	for _, t := range texts {
		if s, _ := markOf(strings.ToUpper(t), false); s != "" && len([]rune(t)) >= 3 {
			return mark{line: box, doubt: true}, true
		}
	}
	return mark{}, false
}
