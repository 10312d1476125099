package pdfdoc

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// pdfcpu copies every stream of a file into memory. A scan is nearly all streams, and nobody looks into them here, so it
// gets a view of the file in which an object with a long stream ends before it: "endobj" stands where "stream" stands in
// the file. The streams are put back afterwards as pieces of the file itself, without a copy.

// leanWindow is the length from which a stream is long. Its dictionary must fit in there too.
const leanWindow = 8 << 10

// errPlain says that a file is one to be read without hiding anything.
var errPlain = errors.New("file has streams that cannot be left where they are")

// A view is the file as pdfcpu sees it. Once the context has ended every access fails, which stops pdfcpu's loops.
type view struct {
	*bytes.Reader
	ctx  context.Context
	data []byte

	hiding bool
	at     int            // of the word "stream" that is hidden now, -1 for none
	hidden map[int64]bool // offsets of the objects whose stream was hidden
	prev   int            // of the key /Prev that is hidden, -1 for none
	moved  bool           // pdfcpu has left the start of the file; when it returns there it scans for objects
}

func newView(ctx context.Context, data []byte, hiding bool) *view {
	return &view{Reader: bytes.NewReader(data), ctx: ctx, data: data, hiding: hiding, at: -1, prev: -1, hidden: map[int64]bool{}}
}

// Read shows the file from where Seek went.
func (v *view) Read(p []byte) (int, error) {
	if err := v.ctx.Err(); err != nil {
		return 0, err
	}
	from := len(v.data) - v.Len()
	n, err := v.Reader.Read(p)
	show(p[:n], from, v.at, "endobj") // as long as "stream"
	show(p[:n], from, v.prev, "/"+hiddenPrev)
	return n, err
}

// show writes over what stands at a place of the file, as far as that is in p, the part of the file that begins at from.
func show(p []byte, from, at int, word string) {
	if at < 0 {
		return
	}
	for i := max(0, from-at); i < len(word) && at+i-from < len(p); i++ {
		p[at+i-from] = word[i]
	}
}

// Seek goes to an object, as a rule.
func (v *view) Seek(off int64, whence int) (int64, error) {
	if err := v.ctx.Err(); err != nil {
		return 0, err
	}
	at, err := v.Reader.Seek(off, whence)
	v.at = -1
	if err != nil || whence != io.SeekStart {
		return at, err
	}
	if at == 0 && v.moved {
		v.hiding = false
	}
	v.moved = v.moved || at > 0
	if !v.hiding {
		return at, nil
	}
	if v.at = longStream(v.data, at); v.at >= 0 {
		v.hidden[at] = true
	}
	return at, nil
}

// longStream finds the word "stream" of an object at this place, -1 when it has no long one or one that pdfcpu needs in
// order to read the file.
func longStream(data []byte, at int64) int {
	if at >= int64(len(data)) || int64(len(data))-at < leanWindow {
		return -1
	}
	data = data[:at+leanWindow]
	if bytes.Contains(data[at:], []byte("endobj")) || bytes.HasPrefix(data[at:], []byte("%PDF")) {
		return -1
	}
	l := lexer{data: data, at: int(at)}
	if number, generation := l.word(), l.word(); !isNumber(number) || !isNumber(generation) || l.word() != "obj" {
		return -1
	}
	v, err := l.value(0)
	d, ok := v.(types.Dict)
	if err != nil || !ok || d["Type"] == types.Name("XRef") || d["Type"] == types.Name("ObjStm") {
		return -1
	}
	if l.word() != "stream" {
		return -1
	}
	return l.at - len("stream")
}

func isNumber(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// load reads a file, at first without its long streams. What does not read well that way, and what is encrypted, is read
// again in full.
func load(ctx context.Context, data []byte) (*model.Context, error) {
	v := newView(ctx, data, true)
	x, err := pdfcpu.ReadWithContext(ctx, struct{ io.ReadSeeker }{v}, configuration(data))
	if len(v.hidden) == 0 || ctx.Err() != nil {
		return x, err
	}
	if err == nil && v.hiding && x.Encrypt == nil {
		if err = v.restore(x); err == nil {
			return x, nil
		}
	}
	return pdfcpu.ReadWithContext(ctx, struct{ io.ReadSeeker }{newView(ctx, data, false)}, configuration(data))
}

// restore puts back what was left out.
func (v *view) restore(x *model.Context) error {
	v.hiding = false
	for n, e := range x.Table {
		if e.Free || e.Compressed || e.Offset == nil {
			continue
		}
		if !v.hidden[*e.Offset] {
			continue
		}
		if _, ok := e.Object.(types.Dict); !ok || e.Generation == nil {
			return errPlain
		}
		o, err := pdfcpu.ParseObjectWithContext(v.ctx, x, *e.Offset, n, *e.Generation)
		sd, ok := o.(types.StreamDict)
		if err != nil || !ok {
			return errPlain
		}
		size := sd.StreamLength
		if size == nil && sd.StreamLengthObjNr != nil {
			o, _ := x.Dereference(*types.NewIndirectRef(*sd.StreamLengthObjNr, 0))
			if i, ok := o.(types.Integer); ok {
				size = new(int64(i))
			}
		}
		from := sd.StreamOffset
		if size == nil || *size <= 0 || *size > maxStream || from < 0 || *size > int64(len(v.data))-from {
			return errPlain // pdfcpu looks for the end of such a stream
		}
		sd.StreamLength, sd.Raw = size, v.data[from:from+*size:from+*size]
		e.Object = sd
	}
	return nil
}
