package pdfdoc

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// A Change is something harmless that was added behind a signature.
type Change string

// The changes that leave a signature valid.
const (
	AddedEvidence  Change = "dss"       // validation data
	AddedTimestamp Change = "timestamp" // document time stamp
	AddedSignature Change = "signature" // a further signature
	FilledForm     Change = "form_fill" // form values, where the signers allow them
	NewMetadata    Change = "metadata"  // dates and producer of the file
	AddedComment   Change = "comment"   // an annotation, where the certifier allows them; it may hide what lies below
)

// A ModifiedError says which part of a document was changed after signing.
type ModifiedError struct {
	Part   string // "page", "annotation", "form", "catalog", "metadata", "signature", "structure"
	Detail string
}

// Error is for logs.
func (e *ModifiedError) Error() string {
	return fmt.Sprintf("%s changed after signing: %s", e.Part, e.Detail)
}

func modified(part, format string, args ...any) error {
	return &ModifiedError{part, fmt.Sprintf(format, args...)}
}

// Compare says what the file b has more than its signed revision a, whose signature sig is. It walks both object graphs
// from the catalog side by side and wants them equal, but for the places named in the Change values. Objects that
// nothing reaches do not matter; an object that only b reaches is caught at the place that leads to it. The comparison is
// with the end of the file, because that is what a reader sees.
func Compare(ctx context.Context, a, b *Doc, sig *Signature) ([]Change, error) {
	if b.rebuilt() {
		return nil, modified("structure", "the cross reference cannot be followed")
	}
	if err := checkTail(b, len(a.Data)); err != nil {
		return nil, err
	}
	d := &differ{ctx: ctx, a: a, b: b, pages: map[int]bool{}, seen: map[types.IndirectRef]bool{},
		proven: map[types.IndirectRef]bool{}, changes: map[Change]bool{}}
	if err := d.prepare(sig); err != nil {
		return nil, err
	}
	if err := d.root(); err != nil {
		return nil, err
	}
	if err := d.drain(); err != nil {
		return nil, err
	}
	if d.permission == 1 && (d.changes[AddedSignature] || d.changes[FilledForm]) {
		return nil, modified("form", "the document is certified against changes")
	}
	return slices.Sorted(maps.Keys(d.changes)), nil
}

// A differ walks two revisions.
type differ struct {
	ctx        context.Context
	a, b       *Doc
	fa, fb     *form
	pages      map[int]bool // object numbers of pages, the same in both
	permission int          // of the certification in force at a
	locks      []fieldLock  // of the signature
	queue      []types.IndirectRef
	seen       map[types.IndirectRef]bool
	proven     map[types.IndirectRef]bool // equal with everything below, by equal
	changes    map[Change]bool
}

func (d *differ) prepare(sig *Signature) (err error) {
	if d.fa, err = d.a.formFields(); err != nil {
		return err
	}
	if d.fb, err = d.b.formFields(); err != nil {
		return err
	}
	d.permission = d.a.permission()
	if d.locks, err = d.a.fieldLocks(sig.number); err != nil {
		return err
	}
	return d.a.walkPages(d.a.catalog()["Pages"], d.pages, 0)
}

// walkPages collects the object numbers of the pages.
func (d *Doc) walkPages(o types.Object, pages map[int]bool, depth int) error {
	node, err := d.dict(o)
	if err != nil || node == nil {
		return err
	}
	ref, ok := o.(types.IndirectRef)
	kids, err := d.array(node["Kids"])
	if err != nil {
		return err
	}
	if kids == nil && ok {
		pages[ref.ObjectNumber.Value()] = true
	}
	if depth > 64 || len(pages) > maxObjects/8 {
		return fmt.Errorf("%w: page tree", ErrDamaged)
	}
	for _, k := range kids {
		if r, ok := k.(types.IndirectRef); ok && pages[r.ObjectNumber.Value()] {
			continue
		}
		if err := d.walkPages(k, pages, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// drain compares every pair that was reached.
func (d *differ) drain() error {
	for steps := 0; len(d.queue) > 0; steps++ {
		if steps%1024 == 0 && d.ctx.Err() != nil {
			return ErrTimeout
		}
		ref := d.queue[len(d.queue)-1]
		d.queue = d.queue[:len(d.queue)-1]
		if err := d.object(ref); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) push(ref types.IndirectRef) {
	if !d.seen[ref] && !d.proven[ref] {
		d.seen[ref] = true
		d.queue = append(d.queue, ref)
	}
}

// object compares one object of both revisions by the rule of what it is.
func (d *differ) object(ref types.IndirectRef) error {
	n := ref.ObjectNumber.Value()
	oa, err := d.a.resolve(ref)
	if err != nil {
		return err
	}
	ob, err := d.b.resolve(ref)
	if err != nil {
		return err
	}
	if ref == *d.a.x.Root && ref == *d.b.x.Root {
		return nil // compared first, by root
	}
	da, okA := oa.(types.Dict)
	db, okB := ob.(types.Dict)
	if okA && okB {
		if d.pages[n] {
			return d.page(da, db)
		}
		if i, ok := d.fa.byNumber[n]; ok {
			return d.field(&d.fa.fields[i], da, db)
		}
	}
	if oa == nil && ob == nil {
		return d.unreadable(n)
	}
	if err := d.strict(oa, ob); err != nil {
		if m, ok := err.(*ModifiedError); ok && m.Part == "" {
			m.Part, m.Detail = "page", fmt.Sprintf("object %d: %s", n, m.Detail)
		}
		return err
	}
	return nil
}

// unreadable guards against objects that only this reader cannot read: both revisions must mean the same bytes.
func (d *differ) unreadable(n int) error {
	ea, eb := d.a.x.Table[n], d.b.x.Table[n]
	gone := func(i int, free bool) bool { return i < 0 || free }
	offset := func(e *int64) int64 {
		if e == nil {
			return -1
		}
		return *e
	}
	switch {
	case eb == nil || gone(n, eb.Free):
		return nil // null for everybody
	case ea == nil || ea.Free || offset(ea.Offset) != offset(eb.Offset) || ea.Compressed != eb.Compressed:
		return modified("structure", "object %d cannot be read", n)
	}
	return nil
}

// strict wants two objects equal and queues what they refer to.
func (d *differ) strict(oa, ob types.Object) error {
	differ := func() error { return &ModifiedError{Detail: fmt.Sprintf("%T", oa)} }
	switch va := oa.(type) {
	case types.IndirectRef:
		vb, ok := ob.(types.IndirectRef)
		if !ok || va != vb {
			return differ()
		}
		d.push(va)
		return nil
	case types.Dict:
		vb, ok := ob.(types.Dict)
		if !ok {
			return differ()
		}
		return d.dicts(va, vb, nil)
	case types.Array:
		vb, ok := ob.(types.Array)
		if !ok || len(va) != len(vb) {
			return differ()
		}
		for i := range va {
			if err := d.strict(va[i], vb[i]); err != nil {
				return err
			}
		}
		return nil
	case types.StreamDict:
		vb, ok := ob.(types.StreamDict)
		if !ok || !bytes.Equal(va.Raw, vb.Raw) {
			return differ()
		}
		return d.dicts(va.Dict, vb.Dict, nil)
	case types.ObjectStreamDict, types.XRefStreamDict, types.LazyObjectStreamObject:
		return differ() // never part of a document
	}
	switch ob.(type) {
	case types.ObjectStreamDict, types.XRefStreamDict, types.LazyObjectStreamObject, types.Dict, types.Array, types.StreamDict:
		return differ()
	}
	if oa != ob {
		return differ()
	}
	return nil
}

// dicts compares two dictionaries; special handles keys with rules of their own and returns true for them.
func (d *differ) dicts(da, db types.Dict, special func(key string, oa, ob types.Object) (bool, error)) error {
	keys := map[string]bool{}
	for k := range da {
		keys[k] = true
	}
	for k := range db {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		oa, ob := da[k], db[k]
		if special != nil {
			done, err := special(k, oa, ob)
			if err != nil {
				return err
			}
			if done {
				continue
			}
		}
		if err := d.strict(oa, ob); err != nil {
			if m, ok := err.(*ModifiedError); ok && m.Part == "" {
				m.Detail = "/" + k + " " + m.Detail
			}
			return err
		}
	}
	return nil
}

// equal asks whether two values are the same with everything below them, without leaving a trace if not.
func (d *differ) equal(oa, ob types.Object) bool {
	sub := *d
	sub.queue, sub.seen, sub.changes = nil, map[types.IndirectRef]bool{}, map[Change]bool{}
	if sub.strict(oa, ob) != nil || sub.drain() != nil || len(sub.changes) > 0 {
		return false
	}
	maps.Copy(d.proven, sub.seen)
	return true
}
