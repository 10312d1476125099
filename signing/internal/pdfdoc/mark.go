package pdfdoc

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"congvan/signing/internal/typeface"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// A Mark is a text at the top right of page 1 (NĐ 30/2020 Phụ lục I, ô 14).
type Mark struct {
	Text string
	Size float64 // points
}

// Places on the displayed page, in points. Texts begin 20 mm below the edge (NĐ 30/2020 Phụ lục I, mục I.3), so the mark
// has the margin above them.
const (
	markRight   = 42.5 // 15 mm, the smallest right margin the decree allows
	markTop     = 20.0
	markLeading = 1.15 // of the size
	markGap     = 2.0  // between two marks, one below the other
	markBeside  = 12.0 // between two marks side by side
)

// draw gives a widget its place and an appearance with real text.
func (in *increment) draw(widget types.Dict, p *page, m *Mark) error {
	face, err := typeface.Load()
	if err != nil {
		return err
	}
	size := m.Size / p.unit
	box, t, err := in.place(face, p, m.Text, size)
	if err != nil {
		return err
	}
	leading, width, height := size*markLeading, box.X1-box.X0, box.Y1-box.Y0
	widget["Rect"] = rectangle(p.toPage(box))
	form, err := in.appearance(t, size, leading, width, height)
	if err != nil {
		return err
	}
	form.Dict["Matrix"] = p.matrix()
	widget["AP"] = types.Dict{"N": in.add(*form)}
	return nil
}

func (p *page) toDisplay(r Rect) Rect {
	w, h := p.box.X1-p.box.X0, p.box.Y1-p.box.Y0
	point := func(x, y float64) (float64, float64) {
		x, y = x-p.box.X0, y-p.box.Y0
		switch p.rotate {
		case 90:
			return y, w - x
		case 180:
			return w - x, h - y
		case 270:
			return h - y, x
		}
		return x, y
	}
	x0, y0 := point(r.X0, r.Y0)
	x1, y1 := point(r.X1, r.Y1)
	return Rect{min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)}
}

// place sets the text in as few lines as the page allows, and in narrower ones when that is how it covers nothing.
func (in *increment) place(face *typeface.Face, p *page, text string, size float64) (best Rect, set *typeface.Text, err error) {
	w, h := p.size()
	margin := min(markRight/p.unit, w/20)
	room := max(w-2*margin, w/4)
	others := in.obstacles(p)
	least := math.Inf(1)
	for _, part := range []float64{1, 0.6, 0.4} {
		t, err := face.Set(face.Wrap(text, size, room*part))
		if err != nil {
			return best, nil, fmt.Errorf("set mark: %w", err)
		}
		var width float64
		for _, l := range t.Lines {
			width = max(width, l.Width*size)
		}
		height := size * markLeading * float64(len(t.Lines))
		right, top := w-margin, h-min(markTop/p.unit, max(h-height, 0))
		box, over := freePlace(p, Rect{right - width, top - height, right, top}, others)
		if over < least {
			best, set, least = box, t, over
		}
		if over == 0 {
			break
		}
	}
	return best, set, nil
}

// appearance is a form XObject with the lines set flush right.
func (in *increment) appearance(t *typeface.Text, size, leading, width, height float64) (*types.StreamDict, error) {
	font, err := in.font(t)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "0 g BT /F %.4f Tf\n", size)
	for i, line := range t.Lines {
		x := width - line.Width*size
		y := height - leading*float64(i) - size*float64(t.Face.Ascent)/1000
		fmt.Fprintf(&b, "1 0 0 1 %.3f %.3f Tm <", x, y)
		for _, g := range line.Glyphs {
			fmt.Fprintf(&b, "%04X", g)
		}
		b.WriteString("> Tj\n")
	}
	b.WriteString("ET\n")
	return stream([]byte(b.String()), types.Dict{
		"Type": types.Name("XObject"), "Subtype": types.Name("Form"),
		"BBox":      rectangle(Rect{0, 0, width, height}),
		"Resources": types.Dict{"Font": types.Dict{"F": font}},
	})
}

// font embeds the subset as a composite font with Unicode values, so that the text can be searched and copied.
func (in *increment) font(t *typeface.Text) (types.IndirectRef, error) {
	var none types.IndirectRef
	ttf := packed(bytes.Clone(t.Packed), types.Dict{"Length1": types.Integer(len(t.Font))})
	unicode, err := stream(toUnicode(t), types.Dict{})
	if err != nil {
		return none, err
	}
	// Of a subset for PDF/A-1 it must be said which glyphs it has (ISO 19005-1 §6.3.5): all of them.
	all := bytes.Repeat([]byte{0xff}, len(t.Widths)/8)
	if n := len(t.Widths) % 8; n > 0 {
		all = append(all, 0xff<<(8-n))
	}
	set, err := stream(all, types.Dict{})
	if err != nil {
		return none, err
	}
	name := types.Name(t.SubsetTag + "+" + typeface.Name)
	f := t.Face
	descriptor := in.add(types.Dict{
		"Type": types.Name("FontDescriptor"), "FontName": name, "Flags": types.Integer(4 | 2), // symbolic, serif
		"FontBBox": types.Array{types.Integer(f.BBox[0]), types.Integer(f.BBox[1]), types.Integer(f.BBox[2]), types.Integer(f.BBox[3])},
		"Ascent":   types.Integer(f.Ascent), "Descent": types.Integer(f.Descent), "CapHeight": types.Integer(f.CapHeight),
		"ItalicAngle": types.Integer(0), "StemV": types.Integer(80), "FontFile2": in.add(*ttf), "CIDSet": in.add(*set),
	})
	widths := make(types.Array, len(t.Widths))
	for i, w := range t.Widths {
		widths[i] = types.Integer(w)
	}
	descendant := in.add(types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("CIDFontType2"), "BaseFont": name, "FontDescriptor": descriptor,
		"CIDSystemInfo": types.Dict{"Registry": types.StringLiteral("Adobe"), "Ordering": types.StringLiteral("Identity"),
			"Supplement": types.Integer(0)},
		"CIDToGIDMap": types.Name("Identity"), "W": types.Array{types.Integer(0), widths},
	})
	return in.add(types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("Type0"), "BaseFont": name, "Encoding": types.Name("Identity-H"),
		"DescendantFonts": types.Array{descendant}, "ToUnicode": in.add(*unicode),
	}), nil
}

// toUnicode is the CMap from glyph numbers to characters (ISO 32000-1 §9.10.3).
func toUnicode(t *typeface.Text) []byte {
	var rows []string
	for g, r := range t.Runes {
		if r != 0 {
			rows = append(rows, fmt.Sprintf("<%04X> <%04X>", g, r)) // the font has no glyphs beyond U+FFFF
		}
	}
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n" +
		"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	for len(rows) > 0 {
		n := min(len(rows), 100) // the most that one section may have
		fmt.Fprintf(&b, "%d beginbfchar\n%s\nendbfchar\n", n, strings.Join(rows[:n], "\n"))
		rows = rows[n:]
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}

// shortStream is below which a stream is compressed the fast way: what that leaves out would save a few hundred bytes and
// take longer than the rest of a seal.
const shortStream = 64 << 10

// fastCompressors keeps a few, because a new one costs more memory than everything else of a mark, and a sync.Pool is
// emptied too often.
var fastCompressors = make(chan *zlib.Writer, 4)

func compressor(size int) (*zlib.Writer, error) {
	if size >= shortStream {
		return zlib.NewWriter(io.Discard), nil
	}
	select {
	case w := <-fastCompressors:
		return w, nil
	default:
		return zlib.NewWriterLevel(io.Discard, zlib.BestSpeed)
	}
}

// stream compresses data into a stream object.
func stream(data []byte, d types.Dict) (*types.StreamDict, error) {
	var b bytes.Buffer
	w, err := compressor(len(data))
	if err != nil {
		return nil, fmt.Errorf("compress stream: %w", err)
	}
	w.Reset(&b)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compress stream: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress stream: %w", err)
	}
	if len(data) < shortStream {
		w.Reset(io.Discard)
		select {
		case fastCompressors <- w:
		default:
		}
	}
	return packed(b.Bytes(), d), nil
}

// packed makes a stream object of compressed data.
func packed(data []byte, d types.Dict) *types.StreamDict {
	n := int64(len(data))
	d["Filter"], d["Length"] = types.Name(filter.Flate), types.Integer(n)
	sd := types.NewStreamDict(d, 0, &n, nil, []types.PDFFilter{{Name: filter.Flate}})
	sd.Raw = data
	return &sd
}

// inflate undoes the compression of a stream of at most limit bytes. The checksum at its end is checked.
func inflate(raw []byte, limit int64) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, errors.New("too long")
	}
	return b, r.Close()
}
