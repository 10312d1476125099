package intake

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// A turned text is characters that stand together at one angle, and not upright.
type turned struct {
	readings       []string // in the order of the file, and as the places tell
	x0, y0, x1, y1 float64
}

// A leaning is a character with its angle, in radians.
type leaning struct {
	glyph
	angle float64
}

// maxTurned bounds the characters at other angles that are looked at: a stamp or a watermark has few.
const maxTurned = 4000

// turnedTexts groups characters that are near each other and lean alike.
func turnedTexts(chars []leaning) []turned {
	var groups [][]leaning
	for _, c := range chars[:min(len(chars), maxTurned)] {
		if c.r == 0 || unicode.IsSpace(c.r) || unicode.IsControl(c.r) {
			continue
		}
		n := len(groups) - 1
		if n >= 0 && groups[n][0].angle-c.angle < 0.1 && c.angle-groups[n][0].angle < 0.1 && near(groups[n], c) {
			groups[n] = append(groups[n], c)
			continue
		}
		groups = append(groups, []leaning{c})
	}
	out := make([]turned, 0, len(groups))
	for _, g := range groups {
		out = append(out, turnedText(g))
	}
	return out
}

// near says whether a character is within two sizes of one of the last of a group.
func near(group []leaning, c leaning) bool {
	for _, o := range group[max(0, len(group)-8):] {
		size := max(o.size, c.size, o.y1-o.y0, c.y1-c.y0)
		if math.Hypot(o.x0+o.x1-c.x0-c.x1, o.y0+o.y1-c.y0-c.y1)/2 < 2*size {
			return true
		}
	}
	return false
}

// turnedText reads a group.
func turnedText(g []leaning) turned {
	t := turned{x0: math.Inf(1), y0: math.Inf(1), x1: math.Inf(-1), y1: math.Inf(-1)}
	var written strings.Builder
	for _, c := range g {
		written.WriteRune(c.r)
		t.x0, t.y0 = min(t.x0, c.x0), min(t.y0, c.y0)
		t.x1, t.y1 = max(t.x1, c.x1), max(t.y1, c.y1)
	}
	angle := g[0].angle // producers do not agree on its sign
	t.readings = []string{written.String(), readAlong(g, angle), readAlong(g, -angle)}
	return t
}

// readAlong orders characters by lines that run at an angle. Along and across are places in the direction of the lines and
// at right angles to it; marks above and below move the middle of a letter's box by less than half its size.
func readAlong(g []leaning, angle float64) string {
	sin, cos := math.Sincos(angle)
	along := func(c leaning) float64 { return (c.x0+c.x1)/2*cos + (c.y0+c.y1)/2*sin }
	across := func(c leaning) float64 { return (c.y0+c.y1)/2*cos - (c.x0+c.x1)/2*sin }
	sorted := slices.Clone(g)
	slices.SortStableFunc(sorted, func(a, b leaning) int { return cmpFloat(across(a), across(b)) })
	height := 0.0
	for _, c := range g {
		height = max(height, c.size)
	}
	var out strings.Builder
	for start, i := 0, 1; i <= len(sorted); i++ {
		if i < len(sorted) && across(sorted[i])-across(sorted[i-1]) < 0.4*height {
			continue
		}
		row := sorted[start:i]
		slices.SortStableFunc(row, func(a, b leaning) int { return cmpFloat(along(a), along(b)) })
		for _, c := range row {
			out.WriteRune(c.r)
		}
		start = i
	}
	return out.String()
}
