// Package typeface sets short texts in Liberation Serif, whose metrics are those of Times New Roman (NĐ 30/2020 Phụ lục
// I), and cuts the font down to the glyphs used, so that a visible mark costs a file a few kilobytes and not 200.
package typeface

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-fonts/liberation/liberationserifregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// ErrGlyph means that the font has no glyph for a character of the text.
var ErrGlyph = errors.New("no glyph")

// Name is the PostScript name of the font.
const Name = "LiberationSerif"

// A Face is the parsed font. It is read-only and safe for concurrent use.
type Face struct {
	font   *sfnt.Font
	tables map[string][]byte

	unitsPerEm int
	glyphs     int
	longLoca   bool
	hMetrics   int

	// In thousandths of an em, as PDF wants them.
	Ascent, Descent, CapHeight int
	BBox                       [4]int
}

// Load returns the face; the font is parsed once per process.
var Load = sync.OnceValues(func() (*Face, error) { return parse(liberationserifregular.TTF) })

func parse(ttf []byte) (*Face, error) {
	sf, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("parse font: %w", err)
	}
	f := &Face{font: sf, tables: map[string][]byte{}}
	if len(ttf) < 12 {
		return nil, errors.New("parse font: too short")
	}
	be := binary.BigEndian
	for i := range int(be.Uint16(ttf[4:])) {
		rec := ttf[12+16*i:]
		off, n := int(be.Uint32(rec[8:])), int(be.Uint32(rec[12:]))
		f.tables[string(rec[:4])] = ttf[off : off+n]
	}
	head, hhea, maxp := f.tables["head"], f.tables["hhea"], f.tables["maxp"]
	if len(head) < 54 || len(hhea) < 36 || len(maxp) < 6 || f.tables["glyf"] == nil {
		return nil, errors.New("parse font: no TrueType outlines")
	}
	f.unitsPerEm = int(be.Uint16(head[18:]))
	f.longLoca = be.Uint16(head[50:]) != 0
	f.glyphs = int(be.Uint16(maxp[4:]))
	f.hMetrics = int(be.Uint16(hhea[34:]))
	signed := func(b []byte) int { return f.perMille(int(int16(be.Uint16(b)))) }
	f.Ascent, f.Descent = signed(hhea[4:]), signed(hhea[6:])
	f.BBox = [4]int{signed(head[36:]), signed(head[38:]), signed(head[40:]), signed(head[42:])}
	f.CapHeight = f.Ascent * 3 / 4
	if os2 := f.tables["OS/2"]; len(os2) >= 90 && be.Uint16(os2) >= 2 {
		f.CapHeight = signed(os2[88:])
	}
	return f, nil
}

func (f *Face) perMille(units int) int { return units * 1000 / f.unitsPerEm }

// advance is the width of a glyph in font units.
func (f *Face) advance(g sfnt.GlyphIndex) int {
	i := min(int(g), f.hMetrics-1)
	return int(binary.BigEndian.Uint16(f.tables["hmtx"][4*i:]))
}

// Width is the length of a text at one point, in points. Unknown characters count nothing; Set reports them.
func (f *Face) Width(text string) float64 {
	var buf sfnt.Buffer
	var units int
	for _, r := range norm.NFC.String(text) {
		if g, err := f.font.GlyphIndex(&buf, r); err == nil && g != 0 {
			units += f.advance(g)
		}
	}
	return float64(units) / float64(f.unitsPerEm)
}

// Wrap breaks a text into lines no wider than limit (points at the given size), as few and as even as can be.
func (f *Face) Wrap(text string, size, limit float64) []string {
	lines := f.wrap(text, size, limit)
	narrow, wide := limit/float64(len(lines)+1), limit
	for len(lines) > 1 && wide-narrow > size {
		middle := (narrow + wide) / 2
		if even := f.wrap(text, size, middle); len(even) == len(lines) && f.widest(even)*size <= limit {
			lines, wide = even, middle
		} else {
			narrow = middle
		}
	}
	return lines
}

func (f *Face) widest(lines []string) (w float64) {
	for _, l := range lines {
		w = max(w, f.Width(l))
	}
	return w
}

// wrap fills lines in turn. It breaks after ";" where it can, because the parts of a mark belong together, otherwise at
// spaces; a single longer word stands alone.
func (f *Face) wrap(text string, size, limit float64) []string {
	fits := func(s string) bool { return f.Width(s)*size <= limit }
	text = norm.NFC.String(strings.Join(strings.Fields(text), " "))
	if fits(text) {
		return []string{text}
	}
	var lines []string
	add := func(part string) {
		if n := len(lines); n > 0 && fits(lines[n-1]+" "+part) {
			lines[n-1] += " " + part
			return
		}
		lines = append(lines, part)
	}
	for part := range strings.SplitAfterSeq(text, "; ") {
		if part = strings.TrimSpace(part); fits(part) {
			add(part)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			add(word)
		}
	}
	return lines
}

// A Text is lines set in a subset of the font.
type Text struct {
	Lines     []Line
	Font      []byte // a TrueType file with the digits and the glyphs of the lines, numbered from 0
	Packed    []byte // the same, compressed (RFC 1950); neither may be changed
	Widths    []int  // of those glyphs, in thousandths of an em
	Runes     []rune // the character of each glyph, 0 where there is none
	Face      *Face
	SubsetTag string // six capitals that PDF wants before the name of a subset
}

// A Line is one line as glyph numbers of the subset.
type Line struct {
	Glyphs []uint16
	Width  float64 // at one point
}

// always are characters that every subset has: the time of a mark changes from seal to seal, its subset need not.
const always = "0123456789"

// Set maps lines to glyphs and cuts the font.
func (f *Face) Set(lines []string) (*Text, error) {
	var buf sfnt.Buffer
	t := &Text{Face: f}
	s := subset{face: f, number: map[sfnt.GlyphIndex]uint16{}}
	s.add(0)
	t.Runes = []rune{0}
	glyph := func(r rune) (uint16, error) {
		g, err := f.font.GlyphIndex(&buf, r)
		if err != nil || g == 0 {
			return 0, fmt.Errorf("%w for %q", ErrGlyph, r)
		}
		n := s.add(g)
		if int(n) == len(t.Runes) {
			t.Runes = append(t.Runes, r)
		}
		return n, nil
	}
	for _, r := range always {
		if _, err := glyph(r); err != nil {
			return nil, err
		}
	}
	for _, line := range lines {
		var out Line
		for _, r := range norm.NFC.String(line) {
			n, err := glyph(r)
			if err != nil {
				return nil, err
			}
			out.Glyphs = append(out.Glyphs, n)
		}
		out.Width = f.Width(line)
		t.Lines = append(t.Lines, out)
	}
	c, err := s.cut()
	if err != nil {
		return nil, err
	}
	t.Font, t.Packed, t.Widths, t.SubsetTag = c.font, c.packed, c.widths, c.tag
	t.Runes = append(t.Runes, make([]rune, len(c.widths)-len(t.Runes))...) // parts of composite glyphs
	return t, nil
}

// tag derives the six capitals from the glyphs, so that equal subsets have equal names and others most likely not.
func tag(order []sfnt.GlyphIndex) string {
	h := uint64(14695981039346656037)
	for _, g := range slices.Sorted(slices.Values(order)) {
		h = (h ^ uint64(g)) * 1099511628211
	}
	b := make([]byte, 6)
	for i := range b {
		b[i] = 'A' + byte(h%26)
		h /= 26
	}
	return string(b)
}
