package pdfdoc

import (
	"cmp"
	"math"
	"slices"
)

// Distances that a mark keeps, in points.
const (
	markEdge  = 8.0 // from the edge of the page, which printers leave white
	markAside = 4.0 // beside a text
	maxPlaces = 120 // edges looked at in each direction
)

// obstacles are what a mark should not cover in the upper quarter of the displayed page, each with the room it wants.
func (in *increment) obstacles(p *page) []Rect {
	_, h := p.size()
	var others []Rect
	keep := func(r Rect, beside float64) {
		r = p.toDisplay(r)
		r = Rect{r.X0 - beside/p.unit, r.Y0 - markGap/p.unit, r.X1 + beside/p.unit, r.Y1 + markGap/p.unit}
		if r.Y1 > h*3/4 {
			others = append(others, r)
		}
	}
	for _, r := range in.d.annotations(p) {
		keep(r, markBeside)
	}
	for _, r := range in.d.ink(p, p.resources) {
		keep(r, markAside)
	}
	return others
}

// freePlace finds the place of a mark: the wanted one at the top right if nothing stands there, else the nearest in the
// upper quarter of the page where it covers nothing (up into the margin, to the left, below), else where it covers least.
// The mark is never made smaller. over is the area that it covers.
func freePlace(p *page, want Rect, others []Rect) (place Rect, over float64) {
	if covered(want, others) == 0 {
		return want, 0
	}
	w, h := p.size()
	edge := min(markEdge/p.unit, w/40, h/40)
	place = choose(places(want, others, Rect{edge, h * 3 / 4, w - edge, h - edge}), want, others)
	return place, covered(place, others)
}

// covered is the area of a box that obstacles share with it; one that lies under two counts twice.
func covered(box Rect, others []Rect) float64 {
	var sum float64
	for _, o := range others {
		if box.overlaps(o) {
			sum += Rect{max(box.X0, o.X0), max(box.Y0, o.Y0), min(box.X1, o.X1), min(box.Y1, o.Y1)}.area()
		}
	}
	return sum
}

// places are the boxes of the wanted size inside the limits that touch an obstacle, the limits or the wanted place.
func places(want Rect, others []Rect, limits Rect) []Rect {
	width, height := want.X1-want.X0, want.Y1-want.Y0
	rights, tops := []float64{want.X1, limits.X1}, []float64{want.Y1, limits.Y1}
	for _, o := range others {
		rights = append(rights, o.X0, o.X1+width)
		tops = append(tops, o.Y0, o.Y1+height)
	}
	rights, tops = nearest(rights, want.X1), nearest(tops, want.Y1)
	var out []Rect
	for _, x := range rights {
		for _, y := range tops {
			r := Rect{x - width, y - height, x, y}
			if r.X0 >= limits.X0 && r.X1 <= limits.X1 && r.Y0 >= limits.Y0 && r.Y1 <= limits.Y1 {
				out = append(out, r)
			}
		}
	}
	return out
}

// nearest drops doubles and, of many, the ones far away.
func nearest(v []float64, from float64) []float64 {
	slices.SortFunc(v, func(a, b float64) int { return cmp.Compare(math.Abs(a-from), math.Abs(b-from)) })
	v = slices.CompactFunc(v, func(a, b float64) bool { return math.Abs(a-b) < 0.01 })
	return v[:min(len(v), maxPlaces)]
}

// choose takes the nearest place that covers nothing, else the one that covers least.
func choose(list []Rect, want Rect, others []Rect) Rect {
	// The mark belongs to the right of the page: a step down is worth three to the left.
	cost := func(r Rect) float64 { return math.Abs(r.X1-want.X1)/3 + math.Abs(r.Y1-want.Y1) }
	slices.SortStableFunc(list, func(a, b Rect) int { return cmp.Compare(cost(a), cost(b)) })
	best, least := want, covered(want, others)
	for _, r := range list {
		if c := covered(r, others); c < least-0.01 {
			if best, least = r, c; c == 0 {
				break
			}
		}
	}
	return best
}
