// Package pdfdoc reads PDF files, appends increments to them and compares their revisions, all over pdfcpu.
//
// Everything that pdfcpu may do wrong with hostile input is fenced here: it runs with a deadline and bounded sizes, its
// panics become errors, and what it repairs silently is refused, because a repaired reading is not what other programs see.
package pdfdoc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Errors of Open. The caller branches on them; the chain says more.
var (
	ErrEmpty     = errors.New("empty file")
	ErrNotPDF    = errors.New("not a PDF file")
	ErrEncrypted = errors.New("PDF needs a password")
	ErrDamaged   = errors.New("damaged PDF file")
	ErrTimeout   = errors.New("reading the PDF takes too long")
)

// Bounds for one file. A scanned document of a few hundred pages stays far below all of them.
const (
	maxObjects     = 1 << 20
	decodeBudget   = 256 << 20 // all object streams together
	minDecodeLimit = 1 << 20
	maxStream      = 256 << 20
	headerWindow   = 1024 // where readers look for "%PDF-"
	tailWindow     = 1024 // where readers look for "startxref"
)

// readTimeout bounds one reading when the caller's context does not.
const readTimeout = 30 * time.Second

func init() { api.DisableConfigDir() } // otherwise pdfcpu writes a folder into $HOME at first use

// A Doc is one revision of a file, read and decrypted.
type Doc struct {
	Data []byte // the bytes of the revision, never changed; an increment is put into the room behind them
	x    *model.Context

	xrefAt     int64 // of the last cross reference section
	xrefStream bool  // its kind, which an increment must keep

	// Once an increment has been begun: the head of the free list and the first new number before it.
	free *model.XRefTableEntry
	size int

	hashed *hashed // the start of the file, nil when it has not been hashed
}

// Open reads data as one PDF file. The empty user password is tried, no other. Doc keeps data and pieces of it.
func Open(ctx context.Context, data []byte) (*Doc, error) { return open(ctx, data, nil) }

func open(ctx context.Context, data []byte, before *Doc) (*Doc, error) {
	if len(data) == 0 {
		return nil, ErrEmpty
	}
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	d := &Doc{Data: data}
	checked := int64(-1) // where the chain of cross references is known to be good
	var err error
	if d.xrefAt, d.xrefStream, err = lastXRef(data); err != nil {
		return nil, err
	}
	if before != nil && before.beginsIn(d) {
		checked, d.hashed = before.xrefAt, before.hashed
	} else {
		before = nil
	}
	if err := checkTables(data, d.xrefAt, checked); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if d.x, err = d.read(ctx, before); err != nil {
		return nil, classify(ctx, err)
	}
	if at := d.x.Write.OffsetPrevXRef; at == nil || *at != d.xrefAt {
		return nil, fmt.Errorf("%w: two ends of file", ErrDamaged)
	}
	if _, err := d.dict(*d.x.Root); err != nil {
		return nil, fmt.Errorf("%w: catalog: %v", ErrDamaged, err)
	}
	return d, nil
}

// rebuilt says whether pdfcpu has given up the cross reference of a file with several revisions and scanned for objects
// instead: then all of them seem to come from one revision.
func (d *Doc) rebuilt() bool {
	first := 0
	for n, e := range d.x.Table {
		switch {
		case n == 0 || e.Free || e.Incr == 0:
		case first == 0:
			first = e.Incr
		case e.Incr != first:
			return false
		}
	}
	return true
}

// checkHeader wants the header at the very start: bytes before it shift every offset, and readers disagree on how.
func checkHeader(data []byte) error {
	at := bytes.Index(data[:min(len(data), headerWindow)], []byte("%PDF-"))
	switch {
	case at < 0:
		return ErrNotPDF
	case at > 0:
		return fmt.Errorf("%w: %d bytes before the header", ErrDamaged, at)
	}
	return nil
}

var startXRef = regexp.MustCompile(`startxref[ \t\r\n]+([0-9]{1,12})[ \t\r\n]+%%EOF`)

// lastXRef finds the cross reference section that the end of the file names.
func lastXRef(data []byte) (at int64, stream bool, err error) {
	tail := data[max(0, len(data)-tailWindow):]
	all := startXRef.FindAllSubmatch(tail, -1)
	if len(all) == 0 {
		return 0, false, fmt.Errorf("%w: no end of file mark", ErrDamaged)
	}
	at, err = strconv.ParseInt(string(all[len(all)-1][1]), 10, 64)
	if err != nil || at <= 0 || at >= int64(len(data)) {
		return 0, false, fmt.Errorf("%w: startxref points outside", ErrDamaged)
	}
	switch {
	case bytes.HasPrefix(data[at:], []byte("xref")):
		return at, false, nil
	case isObject(data[at:]):
		return at, true, nil
	}
	return 0, false, fmt.Errorf("%w: startxref does not point at a cross reference section", ErrDamaged)
}

func isObject(data []byte) bool {
	_, _, ok := objectHeader(data)
	return ok
}

// objectHeader reads "12 0 obj" within the first 40 bytes, after white space but no comments.
func objectHeader(data []byte) (number, generation int, ok bool) {
	data = data[:min(len(data), 40)]
	at := 0
	space := func() bool {
		from := at
		for at < len(data) && isSpace(data[at]) {
			at++
		}
		return at > from
	}
	digits := func(most int) (n int, ok bool) {
		from := at
		for ; at < len(data) && data[at] >= '0' && data[at] <= '9'; at++ {
			n = n*10 + int(data[at]-'0')
		}
		return n, at > from && at-from <= most
	}
	space()
	if number, ok = digits(10); !ok || !space() {
		return 0, 0, false
	}
	if generation, ok = digits(5); !ok || !space() {
		return 0, 0, false
	}
	return number, generation, bytes.HasPrefix(data[at:], []byte("obj"))
}

func configuration(data []byte) *model.Configuration {
	conf := model.NewDefaultConfiguration()
	conf.Offline, conf.PostProcessValidate, conf.Optimize = true, false, false
	conf.WriteObjectStream = false
	conf.Limits.MaxObjectCount, conf.Limits.MaxXRefEntries = maxObjects, maxObjects
	conf.Limits.MaxStreamBytes = maxStream
	conf.Limits.MaxObjectStreamCount = 1 << 16
	// The limit holds for each stream, so a file with many small bombs gets a smaller one for each.
	streams := max(1, bytes.Count(data, []byte("/ObjStm"))+bytes.Count(data, []byte("#")))
	conf.Limits.MaxDecodeBytes = max(minDecodeLimit, decodeBudget/int64(streams))
	return conf
}

// read runs pdfcpu in a goroutine of its own: when it does not come back in time it is left behind, and its next
// access to the file ends it.
func (d *Doc) read(ctx context.Context, before *Doc) (*model.Context, error) {
	type result struct {
		x   *model.Context
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r = result{err: fmt.Errorf("%w: %v", ErrDamaged, p)}
			}
			done <- r
		}()
		if before != nil {
			r.x, r.err = d.loadIncrement(ctx, before)
		}
		if before == nil || r.err != nil {
			r.x, r.err = load(ctx, d.Data)
		}
		if r.err == nil && r.x.Root == nil {
			r.err = fmt.Errorf("%w: no catalog", ErrDamaged)
		}
	}()
	select {
	case r := <-done:
		return r.x, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func classify(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ErrTimeout
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, pdfcpu.ErrWrongPassword), errors.Is(err, pdfcpu.ErrEncrypted),
		errors.Is(err, pdfcpu.ErrOwnerPasswordRequired), errors.Is(err, pdfcpu.ErrPermissionDenied):
		return fmt.Errorf("%w: %v", ErrEncrypted, err)
	case errors.Is(err, pdfcpu.ErrCorruptHeader), errors.Is(err, pdfcpu.ErrPostScriptInput):
		return fmt.Errorf("%w: %v", ErrNotPDF, err)
	case errors.Is(err, ErrDamaged):
		return err
	}
	return fmt.Errorf("%w: %v", ErrDamaged, err)
}

// resolve follows references, a bounded number of times.
func (d *Doc) resolve(o types.Object) (types.Object, error) {
	for range 32 {
		ref, ok := o.(types.IndirectRef)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = d.x.Dereference(ref); err != nil {
			return nil, fmt.Errorf("%w: object %d: %v", ErrDamaged, ref.ObjectNumber, err)
		}
	}
	return nil, fmt.Errorf("%w: references in a circle", ErrDamaged)
}

func (d *Doc) dict(o types.Object) (types.Dict, error) {
	o, err := d.resolve(o)
	if err != nil {
		return nil, err
	}
	switch v := o.(type) {
	case nil:
		return nil, nil
	case types.Dict:
		return v, nil
	case types.StreamDict:
		return v.Dict, nil
	}
	return nil, fmt.Errorf("%w: %T where a dictionary belongs", ErrDamaged, o)
}

func (d *Doc) array(o types.Object) (types.Array, error) {
	o, err := d.resolve(o)
	if err != nil || o == nil {
		return nil, err
	}
	if a, ok := o.(types.Array); ok {
		return a, nil
	}
	return nil, fmt.Errorf("%w: %T where an array belongs", ErrDamaged, o)
}

func (d *Doc) name(o types.Object) string {
	o, _ = d.resolve(o)
	n, _ := o.(types.Name)
	return string(n)
}

func (d *Doc) text(o types.Object) string {
	o, _ = d.resolve(o)
	switch o.(type) {
	case types.StringLiteral, types.HexLiteral:
		if s, err := model.Text(o); err == nil {
			return s
		}
	}
	return ""
}

func (d *Doc) number(o types.Object) (float64, bool) {
	o, _ = d.resolve(o)
	switch v := o.(type) {
	case types.Integer:
		return float64(v), true
	case types.Float:
		return float64(v), true
	}
	return 0, false
}

func (d *Doc) integer(o types.Object) (int64, bool) {
	o, _ = d.resolve(o)
	v, ok := o.(types.Integer)
	return int64(v), ok
}

func (d *Doc) catalog() types.Dict {
	c, _ := d.dict(*d.x.Root)
	return c
}
