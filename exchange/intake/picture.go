package intake

import (
	"image"
	"math"
	"slices"
)

// greyPage makes the picture that is recognised. The red channel is taken: red seals and stamps over black text fade, blue
// signatures stay dark but are no letters. The second picture holds what is red, dark on white, nil when little is: marks
// of độ mật and độ khẩn are red.
func greyPage(src *image.RGBA) (grey, red *image.Gray) {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	grey, red = image.NewGray(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h))
	count := 0
	for y := range h {
		row := src.Pix[y*src.Stride : y*src.Stride+4*w]
		for x := range w {
			r, g, bl := int(row[4*x]), int(row[4*x+1]), int(row[4*x+2])
			grey.Pix[y*grey.Stride+x] = row[4*x]
			v := byte(255)
			if r-max(g, bl) > 50 {
				v = byte(max(0, 200-2*(r-max(g, bl))))
				count++
			}
			red.Pix[y*red.Stride+x] = v
		}
	}
	if count < w*h/20000 {
		red = nil
	}
	return grey, red
}

// evenLight divides a picture by its background, which is estimated in squares, so that shadows and yellow paper do not
// pass for ink.
func evenLight(g *image.Gray) {
	const cell = 48
	w, h := g.Rect.Dx(), g.Rect.Dy()
	cw, ch := (w+cell-1)/cell, (h+cell-1)/cell
	back := make([]float64, cw*ch)
	darkest := 255.0
	for cy := range ch {
		for cx := range cw {
			var hist [256]int
			n := 0
			for y := cy * cell; y < min(h, (cy+1)*cell); y += 2 {
				for x := cx * cell; x < min(w, (cx+1)*cell); x += 2 {
					hist[g.Pix[y*g.Stride+x]]++
					n++
				}
			}
			back[cy*cw+cx] = percentile(&hist, n*4/5)
			darkest = min(darkest, back[cy*cw+cx])
		}
	}
	if darkest > 235 {
		return // even already
	}
	back = widen(back, cw, ch)
	for y := range h {
		for x := range w {
			bg := back[min(y/cell, ch-1)*cw+min(x/cell, cw-1)]
			if bg > 40 {
				i := y*g.Stride + x
				g.Pix[i] = byte(min(255, float64(g.Pix[i])*250/bg))
			}
		}
	}
}

func percentile(hist *[256]int, rank int) float64 {
	for v, n := range hist {
		if rank -= n; rank < 0 {
			return float64(v)
		}
	}
	return 255
}

// widen takes the median of each square and its neighbours, so that a square full of ink takes the paper of those around.
func widen(back []float64, cw, ch int) []float64 {
	out := make([]float64, len(back))
	var near []float64
	for cy := range ch {
		for cx := range cw {
			near = near[:0]
			for y := max(0, cy-2); y <= min(ch-1, cy+2); y++ {
				near = append(near, back[y*cw+max(0, cx-2):y*cw+min(cw-1, cx+2)+1]...)
			}
			slices.Sort(near)
			out[cy*cw+cx] = near[len(near)*2/3]
		}
	}
	return out
}

// A point is a dark dot of the picture, for finding its angle.
type point struct{ x, y float64 }

// skew estimates by how many degrees the lines of a picture are turned (clockwise is positive), within four degrees: at
// the right angle the rows of dots are the sharpest.
func skew(g *image.Gray) float64 {
	points := darkPoints(g)
	if len(points) < 200 {
		return 0
	}
	best, at := sharpness(points, 0), 0.0
	flat := best
	for a := -4.0; a <= 4.0; a += 0.25 {
		if s := sharpness(points, a); s > best {
			best, at = s, a
		}
	}
	for a, end := at-0.2, at+0.21; a < end; a += 0.05 {
		if s := sharpness(points, a); s > best {
			best, at = s, a
		}
	}
	if best < 1.02*flat {
		return 0
	}
	return at
}

// darkPoints samples the ink of a picture on a coarse grid.
func darkPoints(g *image.Gray) []point {
	const step = 3
	w, h := g.Rect.Dx(), g.Rect.Dy()
	var out []point
	margin := w / 40 // scanners leave dark edges
	for y := h / 40; y < h-h/40; y += step {
		for x := margin; x < w-margin; x += step {
			if g.Pix[y*g.Stride+x] < 110 {
				out = append(out, point{float64(x), float64(y)})
			}
		}
	}
	if len(out) > 60_000 {
		every := len(out)/60_000 + 1
		thin := out[:0]
		for i := 0; i < len(out); i += every {
			thin = append(thin, out[i])
		}
		out = thin
	}
	return out
}

// sharpness is the sum of squares of the row counts when the picture is turned back by degrees.
func sharpness(points []point, degrees float64) float64 {
	t := math.Tan(degrees * math.Pi / 180)
	rows := make(map[int]float64, 2048)
	for _, p := range points {
		rows[int(math.Floor((p.y-p.x*t)/4))]++
	}
	sum := 0.0
	for _, n := range rows {
		sum += n * n
	}
	return sum
}

// A turn is a rotation of a picture about its middle.
type turn struct {
	sin, cos, cx, cy float64
}

func newTurn(g *image.Gray, degrees float64) turn {
	a := degrees * math.Pi / 180
	return turn{math.Sin(a), math.Cos(a), float64(g.Rect.Dx()) / 2, float64(g.Rect.Dy()) / 2}
}

// source says where a dot of the straightened picture was in the picture as it came.
func (t turn) source(x, y float64) (sx, sy float64) {
	dx, dy := x-t.cx, y-t.cy
	return t.cx + dx*t.cos - dy*t.sin, t.cy + dx*t.sin + dy*t.cos
}

// straighten turns a picture back by the degrees it is turned; outside is white.
func straighten(g *image.Gray, t turn) *image.Gray {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := t.source(float64(x), float64(y))
			out.Pix[y*out.Stride+x] = sample(g, sx, sy)
		}
	}
	return out
}

// sample reads a picture between its dots.
func sample(g *image.Gray, x, y float64) byte {
	x0, y0 := int(math.Floor(x)), int(math.Floor(y))
	if x0 < 0 || y0 < 0 || x0+1 >= g.Rect.Dx() || y0+1 >= g.Rect.Dy() {
		return 255
	}
	fx, fy := x-float64(x0), y-float64(y0)
	i := y0*g.Stride + x0
	top := float64(g.Pix[i])*(1-fx) + float64(g.Pix[i+1])*fx
	bottom := float64(g.Pix[i+g.Stride])*(1-fx) + float64(g.Pix[i+g.Stride+1])*fx
	return byte(top*(1-fy) + bottom*fy + 0.5)
}

// eraseRules removes long thin lines: frames of stamps and tables keep tesseract from seeing the text inside. length and
// thickness are in dots.
func eraseRules(g *image.Gray, length, thickness int) {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	dark := func(x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h && g.Pix[y*g.Stride+x] < 150 }
	var wipe []image.Rectangle
	for y := range h {
		for x := 0; x < w; x++ {
			if !dark(x, y) {
				continue
			}
			start := x
			for x < w && dark(x, y) {
				x++
			}
			if x-start >= length && thin(start, x, func(p, d int) bool { return dark(p, y+d) }, thickness) {
				wipe = append(wipe, image.Rect(start, y, x, y+1))
			}
		}
	}
	for x := range w {
		for y := 0; y < h; y++ {
			if !dark(x, y) {
				continue
			}
			start := y
			for y < h && dark(x, y) {
				y++
			}
			if y-start >= length && thin(start, y, func(p, d int) bool { return dark(x+d, p) }, thickness) {
				wipe = append(wipe, image.Rect(x, start, x+1, y))
			}
		}
	}
	for _, r := range wipe {
		r = r.Inset(-1).Intersect(g.Rect)
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				g.Pix[y*g.Stride+x] = 255
			}
		}
	}
}

// thin says whether a dark run is part of a line no thicker than thickness at most of its places.
func thin(start, end int, darkAt func(p, d int) bool, thickness int) bool {
	thick, all := 0, 0
	for p := start; p < end; p += 4 {
		n := 1
		for d := 1; d <= thickness && darkAt(p, d); d++ {
			n++
		}
		for d := 1; d <= thickness && darkAt(p, -d); d++ {
			n++
		}
		all++
		if n > thickness {
			thick++
		}
	}
	return thick*4 < all
}

// border is the white edge, in dots, that tesseract wants around a part of a page.
const border = 12

// crop copies a part of a picture, with a border.
func crop(g *image.Gray, r image.Rectangle) *image.Gray {
	r = r.Intersect(g.Rect)
	out := image.NewGray(image.Rect(0, 0, r.Dx()+2*border, r.Dy()+2*border))
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	for y := range r.Dy() {
		from := (r.Min.Y+y)*g.Stride + r.Min.X
		copy(out.Pix[(y+border)*out.Stride+border:], g.Pix[from:from+r.Dx()])
	}
	return out
}
