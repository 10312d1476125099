package typeface

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/image/font/sfnt"
)

// A subset collects glyphs of a face and numbers them anew from 0.
type subset struct {
	face   *Face
	order  []sfnt.GlyphIndex
	number map[sfnt.GlyphIndex]uint16
}

func (s *subset) add(g sfnt.GlyphIndex) uint16 {
	if n, ok := s.number[g]; ok {
		return n
	}
	n := uint16(len(s.order))
	s.order, s.number[g] = append(s.order, g), n
	return n
}

// A cutting is a subset that was cut. Agencies have few of them, so they are kept.
type cutting struct {
	font, packed []byte
	widths       []int
	tag          string
}

// cuttings keeps subsets by the glyphs that they were asked for, in their order; when there are many it begins anew.
var cuttings = struct {
	sync.Mutex
	known map[string]*cutting
}{known: map[string]*cutting{}}

const maxCuttings = 256

// cut returns the subset of the glyphs that were added.
func (s *subset) cut() (*cutting, error) {
	key := fmt.Sprint(s.order)
	cuttings.Lock()
	c := cuttings.known[key]
	cuttings.Unlock()
	if c != nil {
		return c, nil
	}
	font, err := s.build()
	if err != nil {
		return nil, err
	}
	c = &cutting{font: font, tag: tag(s.order)}
	for _, g := range s.order {
		c.widths = append(c.widths, s.face.perMille(s.face.advance(g)))
	}
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := w.Write(font); err != nil {
		return nil, fmt.Errorf("compress subset: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress subset: %w", err)
	}
	c.packed = packed.Bytes()
	cuttings.Lock()
	defer cuttings.Unlock()
	if len(cuttings.known) >= maxCuttings {
		clear(cuttings.known)
	}
	cuttings.known[key] = c
	return c, nil
}

// build writes a TrueType file with the tables a CIDFontType2 needs (ISO 32000-1 §9.9). Hinting is left out: it would
// be larger than the outlines, and no printer or screen of today needs it at size 10.
func (s *subset) build() ([]byte, error) {
	be := binary.BigEndian
	var glyf, loca, hmtx []byte
	for i := 0; i < len(s.order); i++ { // components are appended to the order while it is walked
		data, err := s.glyph(s.order[i])
		if err != nil {
			return nil, err
		}
		loca = be.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, data...)
		glyf = append(glyf, make([]byte, -len(glyf)&3)...)
		hmtx = be.AppendUint16(hmtx, uint16(s.face.advance(s.order[i])))
		hmtx = be.AppendUint16(hmtx, uint16(s.face.bearing(s.order[i])))
	}
	loca = be.AppendUint32(loca, uint32(len(glyf)))
	head, hhea := slices.Clone(s.face.tables["head"]), slices.Clone(s.face.tables["hhea"])
	maxp := slices.Clone(s.face.tables["maxp"])
	be.PutUint32(head[8:], 0)  // checkSumAdjustment, set at the end
	be.PutUint16(head[50:], 1) // long offsets
	be.PutUint16(hhea[34:], uint16(len(s.order)))
	be.PutUint16(maxp[4:], uint16(len(s.order)))
	if len(maxp) >= 32 {
		for _, off := range []int{18, 20, 22, 24, 26} { // storage, function, instruction and stack limits
			be.PutUint16(maxp[off:], 0)
		}
	}
	return file(map[string][]byte{"glyf": glyf, "loca": loca, "hmtx": hmtx, "head": head, "hhea": hhea, "maxp": maxp}), nil
}

func (f *Face) bearing(g sfnt.GlyphIndex) int16 {
	hmtx := f.tables["hmtx"]
	off := 4*int(g) + 2
	if int(g) >= f.hMetrics {
		off = 4*f.hMetrics + 2*(int(g)-f.hMetrics)
	}
	return int16(binary.BigEndian.Uint16(hmtx[off:]))
}

func (f *Face) outline(g sfnt.GlyphIndex) ([]byte, error) {
	be, loca := binary.BigEndian, f.tables["loca"]
	if int(g) >= f.glyphs {
		return nil, fmt.Errorf("glyph %d of %d", g, f.glyphs)
	}
	var from, to int
	if f.longLoca {
		from, to = int(be.Uint32(loca[4*int(g):])), int(be.Uint32(loca[4*int(g)+4:]))
	} else {
		from, to = 2*int(be.Uint16(loca[2*int(g):])), 2*int(be.Uint16(loca[2*int(g)+2:]))
	}
	return f.tables["glyf"][from:to], nil
}

var errOutline = errors.New("glyph outline too short")

// glyph returns an outline without instructions and with its components renumbered.
func (s *subset) glyph(g sfnt.GlyphIndex) ([]byte, error) {
	data, err := s.face.outline(g)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	if len(data) < 12 {
		return nil, errOutline
	}
	if contours := int16(binary.BigEndian.Uint16(data)); contours >= 0 {
		return withoutInstructions(data, int(contours))
	}
	return s.composite(slices.Clone(data))
}

func withoutInstructions(data []byte, contours int) ([]byte, error) {
	at := 10 + 2*contours
	if len(data) < at+2 {
		return nil, errOutline
	}
	n := int(binary.BigEndian.Uint16(data[at:]))
	if len(data) < at+2+n {
		return nil, errOutline
	}
	return slices.Concat(data[:at], []byte{0, 0}, data[at+2+n:]), nil
}

// Flags of a composite glyph's parts.
const (
	argsAreWords = 1 << 0
	haveScale    = 1 << 3
	moreParts    = 1 << 5
	haveXYScale  = 1 << 6
	haveTwoByTwo = 1 << 7
	instructions = 1 << 8
)

func (s *subset) composite(data []byte) ([]byte, error) {
	be := binary.BigEndian
	for at := 10; ; {
		if len(data) < at+6 {
			return nil, errOutline
		}
		flags := be.Uint16(data[at:])
		be.PutUint16(data[at:], flags&^instructions)
		be.PutUint16(data[at+2:], s.add(sfnt.GlyphIndex(be.Uint16(data[at+2:]))))
		at += 6
		if flags&argsAreWords != 0 {
			at += 2
		}
		switch {
		case flags&haveScale != 0:
			at += 2
		case flags&haveXYScale != 0:
			at += 4
		case flags&haveTwoByTwo != 0:
			at += 8
		}
		if len(data) < at {
			return nil, errOutline
		}
		if flags&moreParts == 0 {
			return data[:at], nil
		}
	}
}

// file puts tables together with directory, padding and checksums.
func file(tables map[string][]byte) []byte {
	be := binary.BigEndian
	tags := slices.Sorted(maps.Keys(tables))
	power := 1
	shift := 0
	for power*2 <= len(tags) {
		power, shift = power*2, shift+1
	}
	out := be.AppendUint32(nil, 0x00010000)
	for _, v := range []int{len(tags), power * 16, shift, (len(tags) - power) * 16} {
		out = be.AppendUint16(out, uint16(v))
	}
	offset, headAt := 12+16*len(tags), 0
	for _, tag := range tags {
		t := tables[tag]
		if tag == "head" {
			headAt = offset
		}
		out = append(out, tag...)
		out = be.AppendUint32(out, checksum(t))
		out = be.AppendUint32(out, uint32(offset))
		out = be.AppendUint32(out, uint32(len(t)))
		offset += (len(t) + 3) &^ 3
	}
	for _, tag := range tags {
		out = append(out, tables[tag]...)
		out = append(out, make([]byte, -len(out)&3)...)
	}
	be.PutUint32(out[headAt+8:], 0xB1B0AFBA-checksum(out))
	return out
}

func checksum(b []byte) (sum uint32) {
	for len(b) >= 4 {
		sum += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	if len(b) > 0 {
		var last [4]byte
		copy(last[:], b)
		sum += binary.BigEndian.Uint32(last[:])
	}
	return sum
}
