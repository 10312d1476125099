package intake

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// A glyph is one character as PDFium reports it, in page coordinates (origin top left, y grows downwards).
type glyph struct {
	r              rune // 0 where the font has no Unicode for it
	x0, y0, x1, y1 float64
	size           float64 // rendered font size in points
	font           string
	bold           bool
}

// A word is a run of characters without white space between them.
type word struct {
	text           string // NFC, decoded
	raw            string // as it stood in the file when that was different, else ""
	x0, y0, x1, y1 float64
	base           float64 // the line it stands on
	size           float64 // font size in points
	font           string
	bold           bool
	conf           float64 // 0 to 100 from OCR; 100 from a text layer
	unsure         bool    // OCR read it differently at another time, or its letters were corrected
	apart          bool    // white space stands before it in the file
}

// A page is what is known of one page of the file.
type page struct {
	number        int // from 1
	width, height float64
	words         []word
	turned        []turned // texts that run across the lines
	stamps        []mark   // marks that were found in its pictures
	drawn         bool     // it has pictures or drawings that may hold a mark
	text          string   // instead of words, on pages where places do not matter
	ocr           bool     // the words were read from a picture
	unread        bool     // the page has content that could not be read
	encoding      string   // the old encoding its text layer was in, "" for Unicode
}

// A line is words that stand on one line, from left to right.
type line struct {
	words          []word
	x0, y0, x1, y1 float64
	base, size     float64
	page           int
}

// unknownRune stands for a character whose font does not say what it is.
const unknownRune = '\uFFFD'

// wordsOf builds words from characters in the order in which PDFium gives them, which is the order of the content.
func wordsOf(glyphs []glyph) []word {
	var words []word
	var run []glyph
	apart, broken := true, false
	flush := func() {
		if w, ok := makeWord(run); ok {
			w.apart = apart
			words = append(words, w)
			apart = false
		}
		run = run[:0]
	}
	for _, g := range glyphs {
		if g.r == '\r' || g.r == '\n' {
			broken = true
			continue
		}
		if g.r != 0 && (unicode.IsSpace(g.r) || g.r == '\u200b') {
			flush()
			apart, broken = true, false
			continue
		}
		if n := len(run); n > 0 && !adjacent(run[n-1], g, broken) {
			flush()
		}
		broken = false
		run = append(run, g)
	}
	flush()
	return words
}

// adjacent says whether b follows a in the same word. Boxes are of ink, so letters of one word leave up to an eighth of the
// size between them. PDFium puts line breaks where it lost the thread; some producers draw letter by letter, and it then
// breaks after each and finds no spaces, so there a narrower gap parts words.
func adjacent(a, b glyph, broken bool) bool {
	size := max(a.size, b.size)
	gap, limit := b.x0-a.x1, 0.3*size
	if broken {
		limit = 0.16 * size
	}
	if gap > limit || b.x1 < a.x0-0.3*size {
		return false
	}
	overlap := min(a.y1, b.y1) - max(a.y0, b.y0)
	return overlap > -0.6*size
}

func makeWord(run []glyph) (word, bool) {
	if len(run) == 0 {
		return word{}, false
	}
	w := word{x0: math.Inf(1), y0: math.Inf(1), x1: math.Inf(-1), y1: math.Inf(-1), font: run[0].font, conf: 100}
	var text strings.Builder
	bold := 0
	var sizes []float64
	for _, g := range run {
		r := g.r
		if r == 0x02 || r == 0xad { // PDFium's signs for a hyphen at the end of a line
			r = '-'
		}
		if r == 0 || r == '\ufffe' || r >= 0xE000 && r < 0xF900 && !symbolBullet(r) {
			r = unknownRune
		}
		if symbolBullet(r) {
			r = '-'
		}
		text.WriteRune(r)
		w.x0, w.y0 = min(w.x0, g.x0), min(w.y0, g.y0)
		w.x1, w.y1 = max(w.x1, g.x1), max(w.y1, g.y1)
		sizes = append(sizes, g.size)
		if g.bold {
			bold++
		}
	}
	slices.Sort(sizes)
	w.size = sizes[len(sizes)/2]
	w.text = text.String()
	w.bold = bold*2 > len(run)
	w.base = baseline(run)
	return w, true
}

// symbolBullet says whether r is a bullet of the Symbol or Wingdings fonts in the private area: Word lists use them.
func symbolBullet(r rune) bool {
	return r == '\uf0b7' || r == '\uf02d' || r == '\uf0a7' || r == '\uf0d8'
}

const (
	descending = "gjpqyýỳỷỹỵ,;()[]{}|/_QJ" // letters and marks that reach below the line
	dotBelow   = "ạặậẹệịọộợụựỵẠẶẬẸỆỊỌỘỢỤỰỴ"
	floating   = "-–—'\"“”‘’*·•+=~^°.:"
)

// baseline estimates the line on which a run stands from the letters that neither hang below nor float above it.
func baseline(run []glyph) float64 {
	var on []float64
	for _, g := range run {
		if g.r != 0 && !strings.ContainsRune(descending+dotBelow+floating, g.r) && g.y1 > g.y0 {
			on = append(on, g.y1)
		}
	}
	if len(on) > 0 {
		slices.Sort(on)
		return on[len(on)/2]
	}
	g := run[0]
	switch {
	case g.r == '.' || g.r == ':':
		return g.y1
	case strings.ContainsRune(floating, g.r):
		return (g.y0+g.y1)/2 + 0.25*g.size
	case strings.ContainsRune(descending+dotBelow, g.r) && g.y1 > g.y0:
		return g.y1 - 0.2*g.size
	}
	return g.y1
}

// linesOf groups words into lines by where they stand, whatever order they come in. Words far apart on the same height are
// one line: columns are cut before, by whoever knows them.
func linesOf(words []word, number int) []line {
	sorted := slices.Clone(words)
	slices.SortStableFunc(sorted, func(a, b word) int { return cmpFloat(a.base, b.base) })
	var lines []line
	for _, w := range sorted {
		n := len(lines) - 1
		if n >= 0 && w.base-lines[n].base <= 0.42*min(w.size, lines[n].size) {
			l := &lines[n]
			k := float64(len(l.words))
			l.base = (l.base*k + w.base) / (k + 1)
			l.size = max(l.size, w.size)
			l.words = append(l.words, w)
			continue
		}
		lines = append(lines, line{words: []word{w}, base: w.base, size: w.size})
	}
	for i := range lines {
		lines[i].finish(number)
	}
	return lines
}

// finish sorts a line's words and computes its box.
func (l *line) finish(number int) {
	slices.SortStableFunc(l.words, func(a, b word) int { return cmpFloat(a.x0, b.x0) })
	l.page = number
	l.x0, l.y0, l.x1, l.y1 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, w := range l.words {
		l.x0, l.y0 = min(l.x0, w.x0), min(l.y0, w.y0)
		l.x1, l.y1 = max(l.x1, w.x1), max(l.y1, w.y1)
	}
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// text joins the words of a line by single spaces; a bullet that touches its word stays as it is printed.
func (l line) text() string {
	var b strings.Builder
	for i, w := range l.words {
		if i > 0 && (w.apart || w.x0-l.words[i-1].x1 > 0.1*w.size) {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// raw is the text as it stood in the file; the same as text where nothing was decoded.
func (l line) raw() string {
	parts := make([]string, len(l.words))
	for i, w := range l.words {
		if parts[i] = w.raw; w.raw == "" {
			parts[i] = w.text
		}
	}
	return strings.Join(parts, " ")
}

// bold says whether most letters of the line are bold.
func (l line) bold() bool {
	bold, all := 0, 0
	for _, w := range l.words {
		n := len(w.text)
		all += n
		if w.bold {
			bold += n
		}
	}
	return bold*2 > all
}

func (l line) middle() float64 { return (l.x0 + l.x1) / 2 }

func (l line) place() Place {
	return Place{Page: l.page, X0: round1(l.x0), Y0: round1(l.y0), X1: round1(l.x1), Y1: round1(l.y1)}
}

func round1(x float64) float64 { return math.Round(x*10) / 10 }

// pieces cuts a line where the space between two words is wider than limit.
func (l line) pieces(limit float64) []line {
	var out []line
	start := 0
	for i := 1; i <= len(l.words); i++ {
		if i < len(l.words) && l.words[i].x0-l.words[i-1].x1 <= limit {
			continue
		}
		piece := line{words: l.words[start:i:i], base: l.base}
		for _, w := range piece.words {
			piece.size = max(piece.size, w.size)
		}
		piece.finish(l.page)
		out = append(out, piece)
		start = i
	}
	return out
}

// placesOf gives one rectangle a page around the lines.
func placesOf(lines []line) []Place {
	var out []Place
	for _, l := range lines {
		p := l.place()
		if n := len(out) - 1; n >= 0 && out[n].Page == p.Page {
			out[n].X0, out[n].Y0 = min(out[n].X0, p.X0), min(out[n].Y0, p.Y0)
			out[n].X1, out[n].Y1 = max(out[n].X1, p.X1), max(out[n].Y1, p.Y1)
			continue
		}
		out = append(out, p)
	}
	return out
}

// joinLines joins the texts of lines with a space.
func joinLines(lines []line) string {
	parts := make([]string, len(lines))
	for i, l := range lines {
		parts[i] = l.text()
	}
	return strings.Join(parts, " ")
}
