package intake

import (
	"context"
	"image"
	"strings"
)

// maxStamps bounds how many parts of the pages of one document are recognised by themselves. Those beyond are doubted.
const maxStamps = 60

// stampAngles are the degrees by which a picture is turned back before it is recognised: stamps are set askew.
var stampAngles = []float64{0, 12, -12, 24, -24}

// readStamps looks for marks of secrecy that are pictures or drawings on pages whose text is in the text layer otherwise. A
// page that cannot be looked at is a doubt: nothing that may be a mark passes unseen.
func (j *job) readStamps(ctx context.Context) error {
	left := maxStamps
	for k := range j.pages {
		p := &j.pages[k]
		if p.unread || !p.drawn {
			continue
		}
		found, err := j.examine(ctx, k, &left)
		p.stamps = append(p.stamps, found...)
		if err != nil {
			p.stamps = append(p.stamps, mark{line: line{page: p.number}, doubt: true})
		}
	}
	return ctx.Err()
}

// examine recognises what may be a mark on one page; left is how many parts may still be.
func (j *job) examine(ctx context.Context, k int, left *int) (out []mark, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	suspects, err := j.file.suspects(j.list[k])
	if err != nil || len(suspects) == 0 {
		return nil, err
	}
	if j.reader.haveOCR(ctx) != nil {
		for _, s := range suspects {
			if s.stamp && s.wide {
				out = append(out, mark{line: s.line, doubt: true})
			}
		}
		return out, ctx.Err()
	}
	img, dpi, err := j.file.drawings(j.list[k], ocrDPI)
	if err != nil {
		return nil, err
	}
	select {
	case j.reader.slots <- struct{}{}:
		defer func() { <-j.reader.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	inks := []*image.Gray{darkest(img)}
	if _, red := greyPage(img); red != nil {
		inks = []*image.Gray{red, inks[0]}
	}
	for _, s := range suspects {
		if *left--; *left < 0 {
			return append(out, mark{line: s.line, doubt: true}), nil
		}
		m, err := j.reader.readStamp(ctx, inks, dpi, s)
		if err != nil {
			return out, err
		}
		out = append(out, m...)
	}
	return out, nil
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

// readStamp recognises a part of a page: first what is red there, apart from what is around it, then all. What looks like a
// stamp is turned and tried again; when even then nobody can read it, it is a doubt.
func (r *Reader) readStamp(ctx context.Context, inks []*image.Gray, dpi float64, s suspect) (doubts []mark, err error) {
	dots := dpi / 72
	turns := stampAngles
	if !s.stamp {
		turns = turns[:1]
	}
	legible, sure := false, false
	for _, ink := range inks {
		area := image.Rect(int(s.x0*dots), int(s.y0*dots), int(s.x1*dots)+1, int(s.y1*dots)+1).Inset(-4).Intersect(ink.Rect)
		if inkBox(ink, area).Empty() {
			continue
		}
		picture := crop(ink, area)
		eraseFrames(picture, int(18*dots), int(9*dots))
		if s.stamp { // room to be turned in
			picture = framed(picture, picture.Rect.Dx()/12, picture.Rect.Dx()/5)
		}
		for _, angle := range turns {
			g, modes := picture, []int{11} // scattered words
			if angle != 0 {
				g = straighten(picture, newTurn(picture, angle))
			} else if s.stamp {
				modes = []int{7, 11} // one line first
			}
			for _, mode := range modes {
				found, err := r.tesseract(ctx, g, dpi, mode)
				if err != nil {
					return nil, err
				}
				m, ok := stampMark(found, s.line)
				if ok && !m.doubt {
					return []mark{m}, nil
				}
				if ok {
					doubts = []mark{m}
				}
				legible = legible || readable(found, 60)
				sure = sure || angle == 0 && readable(found, 80)
			}
			if s.stamp && sure && doubts == nil {
				return nil, nil // other words than a mark's: a name, a stamp of the incoming mail
			}
		}
		turns = turns[:1]
	}
	if s.stamp && !legible && doubts == nil {
		doubts = []mark{{line: s.line, doubt: true}}
	}
	return doubts, nil
}

// framed sets white around a picture.
func framed(g *image.Gray, dx, dy int) *image.Gray {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, w+2*dx, h+2*dy))
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	for y := range h {
		copy(out.Pix[(y+dy)*out.Stride+dx:], g.Pix[y*g.Stride:y*g.Stride+w])
	}
	return out
}

// readable says whether what was recognised is some other text than a mark: several letters of which tesseract is as sure as
// conf says.
func readable(found []ocrWord, conf float64) bool {
	letters := 0
	for _, f := range found {
		if f.conf < conf {
			continue
		}
		for _, r := range f.text {
			if isLetterOrDigit(r) {
				letters++
			}
		}
	}
	return letters >= 5
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
	if nearMark(whole) {
		return mark{line: box, doubt: true}, true
	}
	return mark{}, false
}

// nearMark says whether a text that stands alone is a mark but for a letter or two, as worn stamps are read: "TRỐI MIẬT".
// MẶT and MẮT are no words to see on a stamp, so here they are suspects too.
func nearMark(text string) bool {
	key := []rune(frameSigns.Replace(squeeze(text)))
	for _, m := range secrecyMarks {
		limit := max(1, len(m[0])/3)
		if distance(key, []rune(m[0]), limit) <= limit {
			return true
		}
	}
	return false
}
