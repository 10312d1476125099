package pdfdoc

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds on looking for the text of a page. Beyond them the rest of the page is not looked at: a mark is then set with
// what is known, never refused.
const (
	maxContent    = 8 << 20 // decoded bytes of one stream
	maxOperators  = 400000
	maxInk        = 20000
	maxFormDepth  = 6
	maxGraphics   = 64
	glyphAscent   = 0.95 // of the size: capitals with two marks of Vietnamese
	glyphDescent  = 0.25
	defaultWidth  = 0.55 // of the size, for the fonts that need not give widths
	paperFraction = 0.4  // of the page: a larger picture is the scanned paper, not something on it
)

// A matrix maps points (ISO 32000-1 §8.3.3).
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

// times applies m first, then n.
func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3], m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// box is the upright rectangle around a mapped one; nil when there is none.
func (m matrix) box(r Rect) *Rect {
	out := Rect{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, p := range [4][2]float64{{r.X0, r.Y0}, {r.X1, r.Y0}, {r.X0, r.Y1}, {r.X1, r.Y1}} {
		x, y := m[0]*p[0]+m[2]*p[1]+m[4], m[1]*p[0]+m[3]*p[1]+m[5]
		out = Rect{min(out.X0, x), min(out.Y0, y), max(out.X1, x), max(out.Y1, y)}
	}
	return normal(out.X0, out.Y0, out.X1, out.Y1)
}

// graphics is the part of the graphics state that places text.
type graphics struct {
	ctm                                  matrix
	font                                 *font
	size, char, word, scale, leading, up float64
}

// A font is what is needed to know how far a text reaches.
type font struct {
	wide     bool // codes of two bytes
	widths   map[int]float64
	standard float64
}

// An inker reads content streams for the places of texts and pictures.
type inker struct {
	d        *Doc
	page     *page
	found    []Rect
	ops      int
	fonts    map[types.Object]*font
	visiting map[int]bool
}

// ink is where text and pictures stand on the page, in its own coordinates. Text that is not drawn counts too: in a scan
// it says where the recognised words are.
func (d *Doc) ink(p *page, resources types.Dict) []Rect {
	k := &inker{d: d, page: p, fonts: map[types.Object]*font{}, visiting: map[int]bool{}}
	var all []byte
	list, err := d.array(p.dict["Contents"])
	if err != nil { // one stream
		list = types.Array{p.dict["Contents"]}
	}
	for _, o := range list[:min(len(list), 1000)] {
		all = append(append(all, k.decoded(o)...), '\n')
		if len(all) > maxContent {
			break
		}
	}
	k.run(all, resources, identity, 0)
	return k.found
}

func (k *inker) decoded(o types.Object) []byte {
	o, err := k.d.resolve(o)
	sd, ok := o.(types.StreamDict)
	if err != nil || !ok || sd.DecodeWithLimit(maxContent) != nil {
		return nil
	}
	return sd.Content
}

// An operand is a number, a string or a name.
type operand struct {
	number float64
	text   []byte
	name   string
}

// run reads one content stream.
func (k *inker) run(data []byte, resources types.Dict, ctm matrix, depth int) {
	s := &inkState{k: k, resources: resources, depth: depth, g: graphics{ctm: ctm, scale: 1}, tm: identity, line: identity}
	l := &lexer{data: data}
	for k.ops < maxOperators && len(k.found) < maxInk {
		l.skipSpace()
		from := l.at
		t := l.token()
		switch {
		case t == "" && l.at >= len(l.data):
			return
		case t == "": // a stray delimiter
			l.at = max(l.at, from+1)
		case t == "(":
			s.push(operand{text: unescape(l.data[from:l.at])})
		case t == "<":
			s.push(operand{text: unhex(l.data[from:l.at])})
		case t[0] == '/':
			s.push(operand{name: plainName(t[1:])})
		case t == "[" || t == "]" || t == "<<" || t == ">>" || t == "{" || t == "}":
		default:
			if c := t[0]; c >= '0' && c <= '9' || c == '-' || c == '.' || c == '+' {
				if n, err := strconv.ParseFloat(t, 64); err == nil {
					s.push(operand{number: n})
					continue
				}
			}
			k.ops++
			if t == "ID" {
				skipInlineImage(l)
				s.add(s.g.ctm.box(Rect{0, 0, 1, 1}), true)
			} else {
				s.operator(t)
			}
			s.args = s.args[:0]
		}
	}
}

func skipInlineImage(l *lexer) {
	for at := l.at; at+3 < len(l.data); at++ {
		if isSpace(l.data[at]) && l.data[at+1] == 'E' && l.data[at+2] == 'I' && isSpace(l.data[at+3]) {
			l.at = at + 3
			return
		}
	}
	l.at = len(l.data)
}

// inkState is one content stream being read.
type inkState struct {
	k         *inker
	resources types.Dict
	depth     int
	g         graphics
	saved     []graphics
	tm, line  matrix
	args      []operand
}

func (s *inkState) push(o operand) {
	if len(s.args) < 4096 {
		s.args = append(s.args, o)
	}
}

// last is the number of the nth operand from the end, counted from 1.
func (s *inkState) last(n int) float64 {
	if n > len(s.args) {
		return 0
	}
	return s.args[len(s.args)-n].number
}

func (s *inkState) matrix() matrix {
	return matrix{s.last(6), s.last(5), s.last(4), s.last(3), s.last(2), s.last(1)}
}

func (s *inkState) operator(op string) {
	switch op {
	case "q":
		if len(s.saved) < maxGraphics {
			s.saved = append(s.saved, s.g)
		}
	case "Q":
		if n := len(s.saved); n > 0 {
			s.g, s.saved = s.saved[n-1], s.saved[:n-1]
		}
	case "cm":
		s.g.ctm = s.matrix().times(s.g.ctm)
	case "BT":
		s.tm, s.line = identity, identity
	case "Tm":
		s.tm = s.matrix()
		s.line = s.tm
	case "Td", "TD":
		if op == "TD" {
			s.g.leading = -s.last(1)
		}
		s.move(s.last(2), s.last(1))
	case "T*":
		s.move(0, -s.g.leading)
	case "Tf":
		s.setFont()
	case "Tc":
		s.g.char = s.last(1)
	case "Tw":
		s.g.word = s.last(1)
	case "Tz":
		s.g.scale = s.last(1) / 100
	case "TL":
		s.g.leading = s.last(1)
	case "Ts":
		s.g.up = s.last(1)
	case "Tj", "TJ", "'", "\"":
		s.show(op)
	case "Do":
		s.object()
	}
}

func (s *inkState) move(x, y float64) {
	s.line = matrix{1, 0, 0, 1, x, y}.times(s.line)
	s.tm = s.line
}

// show places the strings of a text operator one by one.
func (s *inkState) show(op string) {
	args := s.args
	switch op {
	case "\"":
		s.g.word, s.g.char = s.last(3), s.last(2)
		args = args[max(0, len(args)-1):]
		fallthrough
	case "'":
		s.move(0, -s.g.leading)
	}
	for _, a := range args {
		if a.text == nil {
			s.advance(-a.number / 1000 * s.g.size * s.g.scale)
			continue
		}
		width, blank := s.g.width(a.text)
		if !blank {
			r := Rect{0, s.g.up - glyphDescent*s.g.size, width, s.g.up + glyphAscent*s.g.size}
			s.add(s.tm.times(s.g.ctm).box(r), false)
		}
		s.advance(width)
	}
}

func (s *inkState) advance(x float64) { s.tm = matrix{1, 0, 0, 1, x, 0}.times(s.tm) }

// width is how far a text reaches, and whether it is nothing but blanks.
func (g *graphics) width(text []byte) (w float64, blank bool) {
	f := g.font
	if f == nil {
		f = &font{standard: defaultWidth}
	}
	step := 1
	if f.wide {
		step = 2
	}
	blank = true
	for i := 0; i+step <= len(text); i += step {
		code := int(text[i])
		if f.wide {
			code = code<<8 | int(text[i+1])
		}
		one, ok := f.widths[code]
		if !ok {
			one = f.standard
		}
		w += one*g.size + g.char
		if !f.wide && code == ' ' {
			w += g.word
		} else {
			blank = false
		}
	}
	return w * g.scale, blank
}

// add takes what can be seen of a rectangle.
func (s *inkState) add(r *Rect, picture bool) {
	if r == nil || len(s.k.found) >= maxInk {
		return
	}
	b := s.k.page.box
	cut := Rect{max(r.X0, b.X0), max(r.Y0, b.Y0), min(r.X1, b.X1), min(r.Y1, b.Y1)}
	if cut.X0 >= cut.X1 || cut.Y0 >= cut.Y1 || picture && cut.area() > paperFraction*b.area() {
		return
	}
	s.k.found = append(s.k.found, cut)
}

func (r Rect) area() float64 { return (r.X1 - r.X0) * (r.Y1 - r.Y0) }

// object looks into a form, or takes the place of an image.
func (s *inkState) object() {
	if len(s.args) == 0 {
		return
	}
	d := s.k.d
	all, _ := d.dict(s.resources["XObject"])
	o := all[s.args[len(s.args)-1].name]
	form, err := d.dict(o)
	if err != nil || form == nil {
		return
	}
	if d.name(form["Subtype"]) == "Image" {
		s.add(s.g.ctm.box(Rect{0, 0, 1, 1}), true)
		return
	}
	ref, ok := o.(types.IndirectRef)
	n := ref.ObjectNumber.Value()
	if !ok || s.depth >= maxFormDepth || s.k.visiting[n] {
		return
	}
	s.k.visiting[n] = true
	defer delete(s.k.visiting, n)
	m := identity
	if a, err := d.array(form["Matrix"]); err == nil && len(a) == 6 {
		for i := range m {
			m[i], _ = d.number(a[i])
		}
	}
	resources, err := d.dict(form["Resources"])
	if err != nil || resources == nil {
		resources = s.resources
	}
	s.k.run(s.k.decoded(o), resources, m.times(s.g.ctm), s.depth+1)
}

func (s *inkState) setFont() {
	s.g.size, s.g.font = s.last(1), nil
	if len(s.args) < 2 {
		return
	}
	all, _ := s.k.d.dict(s.resources["Font"])
	o := all[s.args[len(s.args)-2].name]
	ref, isRef := o.(types.IndirectRef)
	if f, ok := s.k.fonts[ref]; isRef && ok {
		s.g.font = f
		return
	}
	dict, err := s.k.d.dict(o)
	if err != nil || dict == nil {
		return
	}
	s.g.font = s.k.d.font(dict)
	if isRef {
		s.k.fonts[ref] = s.g.font
	}
}

// font reads the widths of a font, in parts of its size.
func (d *Doc) font(dict types.Dict) *font {
	f := &font{widths: map[int]float64{}, standard: defaultWidth}
	if d.name(dict["Subtype"]) == "Type0" {
		f.wide, f.standard = true, 1
		if list, err := d.array(dict["DescendantFonts"]); err == nil && len(list) > 0 {
			d.wideWidths(f, list[0])
		}
		return f
	}
	unit := 0.001
	if d.name(dict["Subtype"]) == "Type3" {
		if m, err := d.array(dict["FontMatrix"]); err == nil && len(m) == 6 {
			unit, _ = d.number(m[0])
		}
	}
	first, _ := d.integer(dict["FirstChar"])
	list, err := d.array(dict["Widths"])
	if err != nil {
		return f
	}
	for i, o := range list[:min(len(list), 256)] {
		if w, ok := d.number(o); ok {
			f.widths[int(first)+i] = w * unit
		}
	}
	return f
}

// wideWidths reads /W of a CIDFont (ISO 32000-1 §9.7.4.3).
func (d *Doc) wideWidths(f *font, o types.Object) {
	dict, err := d.dict(o)
	if err != nil {
		return
	}
	if w, ok := d.number(dict["DW"]); ok {
		f.standard = w / 1000
	}
	list, err := d.array(dict["W"])
	if err != nil {
		return
	}
	for i := 0; i+1 < len(list) && len(f.widths) < 1<<16; {
		first, _ := d.integer(list[i])
		if each, err := d.array(list[i+1]); err == nil {
			for j, o := range each[:min(len(each), 1<<16)] {
				w, _ := d.number(o)
				f.widths[int(first)+j] = w / 1000
			}
			i += 2
			continue
		}
		if i+2 >= len(list) {
			return
		}
		end, _ := d.integer(list[i+1])
		w, _ := d.number(list[i+2])
		for c := first; c <= min(end, first+1<<16); c++ {
			f.widths[int(c)] = w / 1000
		}
		i += 3
	}
}

func unhex(raw []byte) []byte {
	digits := make([]byte, 0, len(raw))
	for _, c := range raw {
		if c != '<' && c != '>' && !isSpace(c) {
			digits = append(digits, c)
		}
	}
	if len(digits)%2 != 0 {
		digits = append(digits, '0')
	}
	out := make([]byte, len(digits)/2)
	n, _ := hex.Decode(out, digits)
	return out[:n]
}

// unescape reads a literal string with its brackets (ISO 32000-1 §7.3.4.2).
func unescape(raw []byte) []byte {
	out := []byte{}
	for i := 1; i < len(raw)-1; i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch c := raw[i]; {
		case c >= '0' && c <= '7':
			n, used := 0, 0
			for ; used < 3 && i+used < len(raw)-1 && raw[i+used] >= '0' && raw[i+used] <= '7'; used++ {
				n = n*8 + int(raw[i+used]-'0')
			}
			out, i = append(out, byte(n)), i+used-1
		case c == '\n':
		case c == '\r':
			if raw[i+1] == '\n' {
				i++
			}
		default: // control characters count as one byte like the others
			out = append(out, c)
		}
	}
	return out
}
