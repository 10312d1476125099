package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
)

// Limits of what goes over a pipe. The text of a page is bounded by maxChars; the rest is small.
const (
	maxAnswer = 64 << 20
	maxBitmap = 4 * (maxPixels + maxPixels/8)
	maxQuery  = 1 << 10
)

var errWire = errors.New("what came over the pipe is cut or no answer")

// A wire turns what goes over the pipe into bytes and back: one description of each type serves both directions, so they
// cannot come apart. Reading, it stops at the first thing that does not fit, and never makes more than the bytes can hold.
type wire struct {
	b     []byte
	write bool
	bad   bool
	last  string // what same gave last
}

func (w *wire) take(n int) []byte {
	if w.bad || n < 0 || n > len(w.b) {
		w.bad = true
		return nil
	}
	out := w.b[:n]
	w.b = w.b[n:]
	return out
}

func (w *wire) count(n *int) {
	if w.write {
		w.b = binary.AppendVarint(w.b, int64(*n))
		return
	}
	v, size := binary.Varint(w.b)
	if size <= 0 || int64(int(v)) != v {
		w.bad = true
		return
	}
	*n, w.b = int(v), w.b[size:]
}

func (w *wire) flag(v *bool) {
	if w.write {
		b := byte(0)
		if *v {
			b = 1
		}
		w.b = append(w.b, b)
	} else if b := w.take(1); b != nil {
		*v = b[0] == 1
	}
}

func (w *wire) number(v *float64) {
	if w.write {
		w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(*v))
	} else if b := w.take(8); b != nil {
		*v = math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
}

func (w *wire) text(s *string) {
	n := len(*s)
	w.count(&n)
	if w.write {
		w.b = append(w.b, *s...)
		return
	}
	b := w.take(n)
	*s = string(b)
}

// same is text for what mostly repeats: the name of a font.
func (w *wire) same(s *string) {
	w.text(s)
	if *s == w.last {
		*s = w.last // one copy of it is enough
	}
	w.last = *s
}

// listOf codes a list by its length and the code of one element, which takes a byte at least.
func listOf[T any](w *wire, list *[]T, one func(*wire, *T)) {
	n := len(*list)
	w.count(&n)
	if w.bad || n < 0 || !w.write && n > len(w.b) {
		w.bad = true
		return
	}
	if !w.write {
		*list = nil
		if n > 0 {
			*list = make([]T, n)
		}
	}
	for i := range *list {
		one(w, &(*list)[i])
	}
}

func (w *wire) texts(list *[]string) { listOf(w, list, (*wire).text) }

func (w *wire) box(x0, y0, x1, y1 *float64) {
	w.number(x0)
	w.number(y0)
	w.number(x1)
	w.number(y1)
}

func (w *wire) word(v *word) {
	w.text(&v.text)
	w.text(&v.raw)
	w.same(&v.font)
	w.box(&v.x0, &v.y0, &v.x1, &v.y1)
	w.number(&v.base)
	w.number(&v.size)
	w.number(&v.conf)
	w.flag(&v.bold)
	w.flag(&v.unsure)
	w.flag(&v.apart)
}

// page leaves out stamps, which are found by those who ask.
func (w *wire) page(p *page) {
	w.count(&p.number)
	w.number(&p.width)
	w.number(&p.height)
	listOf(w, &p.words, (*wire).word)
	listOf(w, &p.turned, func(w *wire, t *turned) {
		w.texts(&t.readings)
		w.box(&t.x0, &t.y0, &t.x1, &t.y1)
	})
	w.text(&p.text)
	w.text(&p.encoding)
	w.flag(&p.drawn)
	w.flag(&p.ocr)
	w.flag(&p.unread)
}

func (w *wire) suspect(s *suspect) {
	w.box(&s.x0, &s.y0, &s.x1, &s.y1)
	w.count(&s.page)
	w.flag(&s.stamp)
	w.flag(&s.wide)
}

func (w *wire) measures(p *ScanPage) {
	w.count(&p.Page)
	w.number(&p.Width)
	w.number(&p.Height)
	w.count(&p.DPI)
	w.flag(&p.Colour)
	w.number(&p.Cover)
	w.number(&p.wide)
}

func (w *wire) facts(f *pdfFacts) {
	w.count(&f.pages)
	w.texts(&f.files)
	w.count(&f.scripts)
	w.flag(&f.security)
	w.text(&f.version)
}

func (w *wire) question(q *question) {
	about := int(q.about)
	w.count(&about)
	q.about = subject(about)
	w.count(&q.page)
	w.flag(&q.fonts)
	w.number(&q.dpi)
}

// answer codes an answer and what went wrong; the dots of a picture follow by themselves.
func (w *wire) answer(a *answer, code *ProblemCode, failure *string) {
	w.text((*string)(code))
	w.text(failure)
	w.count(&a.pages)
	w.page(&a.page)
	w.flag(&a.scan)
	var size image.Point
	if a.picture != nil {
		size = a.picture.Rect.Size()
	}
	w.count(&size.X)
	w.count(&size.Y)
	if !w.write && size != (image.Point{}) {
		if size.X <= 0 || size.Y <= 0 || size.X > maxBitmap/4 || size.Y > maxBitmap/4/size.X {
			w.bad = true
			return
		}
		a.picture = &image.RGBA{Stride: 4 * size.X, Rect: image.Rectangle{Max: size}}
	}
	w.number(&a.dpi)
	listOf(w, &a.suspects, (*wire).suspect)
	w.measures(&a.measures)
	w.facts(&a.facts)
}

// writeFrame sends bytes with their length before them.
func writeFrame(out io.Writer, b []byte) error {
	var head [4]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(b)))
	if _, err := out.Write(head[:]); err != nil {
		return err
	}
	_, err := out.Write(b)
	return err
}

// readFrame takes bytes that writeFrame sent; more than limit is an error, and nothing of it is read.
func readFrame(in io.Reader, limit int64) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if int64(n) > limit {
		return nil, fmt.Errorf("%d bytes over the pipe, at most %d are allowed: %w", n, limit, errWire)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	return b, nil
}

func sendQuestion(out io.Writer, q question) error {
	w := wire{write: true}
	w.question(&q)
	if err := writeFrame(out, w.b); err != nil || q.about != askOpen {
		return err
	}
	return writeFrame(out, q.data)
}

func receiveQuestion(in io.Reader, maxBytes int64) (q question, err error) {
	b, err := readFrame(in, maxQuery)
	if err != nil {
		return q, err
	}
	w := wire{b: b}
	if w.question(&q); w.bad {
		return q, errWire
	}
	if q.about == askOpen {
		q.data, err = readFrame(in, maxBytes)
	}
	return q, err
}

func sendAnswer(out io.Writer, a answer, failure error) error {
	var code ProblemCode
	text := ""
	if failure != nil {
		code, text = splitFailure(failure)
		a = answer{}
	}
	w := wire{write: true, b: make([]byte, 0, 1<<10+200*len(a.page.words))}
	w.answer(&a, &code, &text)
	if err := writeFrame(out, w.b); err != nil || a.picture == nil {
		return err
	}
	return writeFrame(out, a.picture.Pix)
}

// receiveAnswer gives the answer; failure is what the other side could not do, err what is wrong with the pipe.
func receiveAnswer(in io.Reader) (a answer, failure, err error) {
	b, err := readFrame(in, maxAnswer)
	if err != nil {
		return a, nil, err
	}
	w := wire{b: b}
	var code ProblemCode
	var text string
	if w.answer(&a, &code, &text); w.bad || len(w.b) > 0 {
		return answer{}, nil, errWire
	}
	if a.picture != nil {
		if a.picture.Pix, err = readFrame(in, maxBitmap); err != nil {
			return answer{}, nil, err
		}
		if len(a.picture.Pix) != a.picture.Stride*a.picture.Rect.Dy() {
			return answer{}, nil, errWire
		}
	}
	return a, joinFailure(code, text), nil
}

// splitFailure and joinFailure carry an error over the pipe: a problem keeps its code, from which its words are made again.
func splitFailure(err error) (ProblemCode, string) {
	var p *Problem
	if !errors.As(err, &p) {
		return "", shortened(err.Error())
	}
	if p.err == nil {
		return p.Code, ""
	}
	return p.Code, shortened(p.err.Error())
}

func joinFailure(code ProblemCode, text string) error {
	switch {
	case code == "" && text == "":
		return nil
	case code == "":
		return errors.New(text)
	case text == "":
		return problem(code, nil)
	}
	return problem(code, errors.New(text))
}

func shortened(s string) string { return s[:min(len(s), 300)] }
