package pdfdoc

import (
	"bytes"
	"context"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// hiddenPrev is what pdfcpu sees instead of the key Prev.
const hiddenPrev = "Base"

// Reopen reads a file to which an increment was added. before is the reading it was made with. If the file still begins
// with the same bytes and its last cross reference leads straight back to theirs, only what stands behind them is read: the
// objects that the increment does not name are those of before, which must not be used afterwards. Whatever the increment
// was to change has to be found in it. Every other file is read like one that nobody has seen yet.
func Reopen(ctx context.Context, data []byte, before *Doc) (*Doc, error) {
	return open(ctx, data, before)
}

// beginsIn says whether d is this revision with something behind it.
func (before *Doc) beginsIn(d *Doc) bool {
	return d.xrefAt >= int64(len(before.Data)) && bytes.HasPrefix(d.Data, before.Data) &&
		before.x.Encrypt == nil && before.free != nil && before.xrefStream == d.xrefStream
}

// loadIncrement reads the last increment by itself and puts it over the reading before. An error says that the file is not
// one to be read so.
func (d *Doc) loadIncrement(ctx context.Context, before *Doc) (*model.Context, error) {
	v := newView(ctx, d.Data, true)
	var ok bool
	if v.prev, ok = d.leadsTo(before.xrefAt); !ok {
		return nil, errPlain
	}
	x, err := pdfcpu.ReadWithContext(ctx, struct{ io.ReadSeeker }{v}, configuration(d.Data[len(before.Data):]))
	if err != nil {
		return nil, err
	}
	if !v.hiding || x.Encrypt != nil || x.Read.Hybrid || x.Root == nil || *x.Root != *before.x.Root {
		return nil, errPlain
	}
	if err := v.restore(x); err != nil {
		return nil, err
	}
	if !standsAlone(x, int64(len(before.Data))) {
		return nil, errPlain
	}
	for _, e := range x.Table {
		if xs, ok := e.Object.(types.XRefStreamDict); ok {
			delete(xs.Dict, hiddenPrev)
			xs.Dict["Prev"], xs.PreviousOffset = types.Integer(before.xrefAt), new(before.xrefAt)
			e.Object = xs
		}
	}
	return x, putOver(x, before)
}

// leadsTo finds the key /Prev of the last cross reference section, which must name the section at base.
func (d *Doc) leadsTo(base int64) (at int, ok bool) {
	l := lexer{data: d.Data, at: int(d.xrefAt)}
	if d.xrefStream {
		l.word()
		l.word()
		l.word()
	} else {
		l.at += len("xref")
		if checkTable(&l) != nil {
			return 0, false
		}
	}
	from := l.at
	v, err := l.value(0)
	t, isDict := v.(types.Dict)
	if err != nil || !isDict || t["Prev"] != types.Integer(base) || t["XRefStm"] != nil {
		return 0, false
	}
	section, key := d.Data[from:l.at], []byte("/Prev")
	if bytes.Count(section, key) != 1 {
		return 0, false
	}
	return from + bytes.Index(section, key), true
}

// standsAlone wants the objects of an increment to lie in it, and its streams to be readable without any other object.
func standsAlone(x *model.Context, base int64) bool {
	for n, e := range x.Table {
		if e.Free {
			if n != 0 {
				return false
			}
			continue
		}
		if e.Compressed || e.Offset == nil || *e.Offset < base {
			return false
		}
		if sd, ok := e.Object.(types.StreamDict); ok {
			_, length := sd.Dict["Length"].(types.Integer)
			_, filter := sd.Dict["Filter"].(types.Name)
			if !length || !filter && sd.Dict["Filter"] != nil || sd.Dict["DecodeParms"] != nil {
				return false
			}
		}
	}
	return true
}

// putOver adds the objects of the reading before that the increment x leaves as they were.
func putOver(x *model.Context, before *Doc) error {
	for _, n := range before.x.Write.ObjNrs {
		if x.Table[n] == nil {
			return errPlain // before has what was to be written
		}
	}
	size := x.MaxObjNr
	if head := x.Table[0]; head.Incr == 0 { // it is not from the file
		delete(x.Table, 0)
		before.x.Table[0] = before.free
	}
	for n, e := range before.x.Table {
		size = max(size, n)
		if x.Table[n] != nil {
			continue
		}
		if n >= before.size {
			return errPlain // it was made for the increment
		}
		e.Incr++
		x.Table[n] = e
	}
	x.MaxObjNr = size
	x.Size = new(size + 1)
	if x.Info == nil {
		x.Info = before.x.Info
	}
	return x.EnsureValidFreeList()
}
