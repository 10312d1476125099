package intake

import "image"

// A blob is a connected group of dark dots.
type blob struct {
	box  image.Rectangle
	ink  int
	runs []run
}

// A run is a dark stretch of one row, from x0 up to x1.
type run struct {
	y, x0, x1 int
	root      int
}

// eraseFrames removes what is large and mostly empty inside: frames of stamps, rules of tables, round seals, signatures.
// None of it is text, and all of it keeps tesseract from the text inside. width and height are the least size, in dots.
func eraseFrames(g *image.Gray, width, height int) {
	for _, b := range blobs(g) {
		w, h := b.box.Dx(), b.box.Dy()
		if w < width || h < height || float64(b.ink) > 0.22*float64(w*h) {
			continue
		}
		for _, r := range b.runs { // with the grey seam of two dots that surrounds the dark ones
			for y := max(0, r.y-2); y < min(g.Rect.Dy(), r.y+3); y++ {
				for x := max(0, r.x0-2); x < min(g.Rect.Dx(), r.x1+2); x++ {
					g.Pix[y*g.Stride+x] = 255
				}
			}
		}
	}
}

// blobs groups the dark runs of a picture that touch.
func blobs(g *image.Gray) []*blob {
	runs := darkRuns(g)
	find := func(i int) int {
		for runs[i].root != i {
			runs[i].root = runs[runs[i].root].root
			i = runs[i].root
		}
		return i
	}
	above := 0
	for i := range runs {
		for above < i && runs[above].y < runs[i].y-1 {
			above++
		}
		for k := above; k < i && runs[k].y < runs[i].y && runs[k].x0 <= runs[i].x1; k++ {
			if runs[k].y == runs[i].y-1 && runs[k].x1 >= runs[i].x0 {
				runs[find(k)].root = find(i)
			}
		}
	}
	byRoot := make(map[int]*blob)
	var out []*blob
	for i, r := range runs {
		root := find(i)
		b := byRoot[root]
		if b == nil {
			b = &blob{}
			byRoot[root] = b
			out = append(out, b)
		}
		b.box = b.box.Union(image.Rect(r.x0, r.y, r.x1, r.y+1))
		b.ink += r.x1 - r.x0
		b.runs = append(b.runs, r)
	}
	return out
}

// maxRuns bounds the work on a picture of noise.
const maxRuns = 2_000_000

func darkRuns(g *image.Gray) []run {
	var out []run
	w, h := g.Rect.Dx(), g.Rect.Dy()
	for y := range h {
		row := g.Pix[y*g.Stride : y*g.Stride+w]
		for x := 0; x < w; x++ {
			if row[x] >= 150 {
				continue
			}
			start := x
			for x < w && row[x] < 150 {
				x++
			}
			out = append(out, run{y, start, x, len(out)})
		}
		if len(out) > maxRuns {
			break
		}
	}
	return out
}
