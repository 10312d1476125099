package pdfdoc

import (
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// root compares trailers and catalogs. A catalog may move to another object, which some signers do, if it says the same.
func (d *differ) root() error {
	ea, eb := d.a.x.Encrypt, d.b.x.Encrypt
	if (ea == nil) != (eb == nil) || ea != nil && *ea != *eb {
		return modified("structure", "another encryption")
	}
	if err := d.info(); err != nil {
		return err
	}
	err := d.dicts(d.a.catalog(), d.b.catalog(), func(key string, oa, ob types.Object) (bool, error) {
		switch key {
		case "AcroForm":
			return true, d.form(oa, ob)
		case "DSS":
			if !d.equal(oa, ob) {
				d.changes[AddedEvidence] = true
			}
			return true, nil
		case "Metadata":
			return true, d.metadata(oa, ob)
		case "Extensions": // announces the developer extensions that signatures use
			return true, nil
		case "Version":
			_, ok := ob.(types.Name)
			return ok, nil
		}
		return false, nil
	})
	if m, ok := err.(*ModifiedError); ok && m.Part == "" {
		m.Part = "catalog"
	}
	return err
}

// info allows new dates and a new producer in the document information, nothing a reader is shown as the content.
func (d *differ) info() error {
	var ia, ib types.Dict
	var err error
	if d.a.x.Info != nil {
		if ia, err = d.a.dict(*d.a.x.Info); err != nil {
			return err
		}
	}
	if d.b.x.Info != nil {
		if ib, err = d.b.dict(*d.b.x.Info); err != nil {
			return err
		}
	}
	if ia == nil && ib == nil {
		return nil
	}
	err = d.dicts(ia, ib, func(key string, oa, ob types.Object) (bool, error) {
		switch key {
		case "ModDate", "Producer":
		case "CreationDate", "Creator":
			if oa != nil {
				return false, nil
			}
		default:
			return false, nil
		}
		if !d.equal(oa, ob) {
			d.changes[NewMetadata] = true
		}
		return true, nil
	})
	if m, ok := err.(*ModifiedError); ok && m.Part == "" {
		m.Part = "metadata"
	}
	return err
}

// form compares the interactive forms: only new signature fields may be added to it.
func (d *differ) form(oa, ob types.Object) error {
	fa, err := d.a.dict(oa)
	if err != nil {
		return err
	}
	fb, err := d.b.dict(ob)
	if err != nil {
		return err
	}
	if fa != nil && fb == nil {
		return modified("form", "form removed")
	}
	err = d.dicts(fa, fb, func(key string, oa, ob types.Object) (bool, error) {
		switch key {
		case "Fields":
			return true, d.fields(oa, ob)
		case "SigFlags":
			return true, nil
		case "DA", "DR": // defaults that writers add with the first signature field
			return oa == nil, nil
		case "NeedAppearances":
			return ob == nil || ob == types.Boolean(false), nil
		}
		return false, nil
	})
	if m, ok := err.(*ModifiedError); ok && m.Part == "" {
		m.Part = "form"
	}
	return err
}

func (d *differ) fields(oa, ob types.Object) error {
	la, err := d.a.array(oa)
	if err != nil {
		return err
	}
	lb, err := d.b.array(ob)
	if err != nil {
		return err
	}
	added, err := d.additions(la, lb)
	if err != nil {
		return err
	}
	for _, o := range added {
		if err := d.newField(o); err != nil {
			return err
		}
	}
	return nil
}

// additions wants every element of la in lb, in the same order, and returns the others of lb.
func (d *differ) additions(la, lb types.Array) (types.Array, error) {
	var added types.Array
	i := 0
	for _, o := range lb {
		if i < len(la) {
			va, isRefA := la[i].(types.IndirectRef)
			vb, isRefB := o.(types.IndirectRef)
			if isRefA && isRefB && va == vb || !isRefA && !isRefB && d.equal(la[i], o) {
				if isRefA {
					d.push(va)
				}
				i++
				continue
			}
		}
		added = append(added, o)
	}
	if i < len(la) {
		return nil, &ModifiedError{Detail: "an element was removed or moved"}
	}
	return added, nil
}

// newField allows a field that did not exist before: a signature that is there, or an invisible place for one.
func (d *differ) newField(o types.Object) error {
	ref, ok := o.(types.IndirectRef)
	if !ok {
		return modified("form", "a field was added")
	}
	i, ok := d.fb.byNumber[ref.ObjectNumber.Value()]
	if _, old := d.fa.byNumber[ref.ObjectNumber.Value()]; !ok || old {
		return modified("form", "a field was added")
	}
	f := &d.fb.fields[i]
	if f.kind != "Sig" || !f.terminal {
		return modified("form", "a field %q was added", f.name)
	}
	if f.dict["V"] == nil {
		if f.dict["AP"] != nil || d.b.rect(f.dict["Rect"]) != nil {
			return modified("form", "a visible field %q was added without a signature", f.name)
		}
		return nil
	}
	return d.newSignature(f.dict)
}

// newSignature looks at a field that has become a signature. A time stamp must not be seen: nobody's name answers for
// what it draws over the page.
func (d *differ) newSignature(field types.Dict) error {
	v, err := d.b.dict(field["V"])
	if err != nil {
		return err
	}
	if v == nil || v["ByteRange"] == nil || v["Contents"] == nil {
		return modified("signature", "a field was filled with what is no signature")
	}
	if d.b.name(v["Type"]) == "DocTimeStamp" {
		if field["AP"] != nil && d.b.rect(field["Rect"]) != nil {
			return modified("annotation", "a time stamp draws on the page")
		}
		d.changes[AddedTimestamp] = true
	} else {
		d.changes[AddedSignature] = true
	}
	return nil
}

// page wants a page unchanged but for the widgets of new signatures.
func (d *differ) page(da, db types.Dict) error {
	err := d.dicts(da, db, func(key string, oa, ob types.Object) (bool, error) {
		if key != "Annots" {
			return false, nil
		}
		la, err := d.a.array(oa)
		if err != nil {
			return true, err
		}
		lb, err := d.b.array(ob)
		if err != nil {
			return true, err
		}
		added, err := d.additions(la, lb)
		if m, ok := err.(*ModifiedError); ok {
			m.Part = "annotation"
		}
		if err != nil {
			return true, err
		}
		for _, o := range added {
			if d.permission == 3 && d.comment(o) {
				d.changes[AddedComment] = true
				continue
			}
			if err := d.newWidget(o); err != nil {
				return true, err
			}
		}
		return true, nil
	})
	if m, ok := err.(*ModifiedError); ok && m.Part == "" {
		m.Part = "page"
	}
	return err
}

func (d *differ) newWidget(o types.Object) error {
	ref, ok := o.(types.IndirectRef)
	if !ok {
		return modified("annotation", "an annotation was added")
	}
	if _, known := d.fb.byNumber[ref.ObjectNumber.Value()]; !known {
		return modified("annotation", "an annotation was added")
	}
	return d.newField(o)
}

// comments are the annotations that readers write (ISO 32000-1 §12.5.6.2).
var comments = []string{"Text", "FreeText", "Line", "Square", "Circle", "Polygon", "PolyLine", "Highlight", "Underline",
	"Squiggly", "StrikeOut", "Stamp", "Caret", "Ink", "Popup"}

// comment says whether an added annotation is a new object of such a kind.
func (d *differ) comment(o types.Object) bool {
	ref, ok := o.(types.IndirectRef)
	if !ok {
		return false
	}
	if old := d.a.x.Table[ref.ObjectNumber.Value()]; old != nil && !old.Free {
		return false
	}
	annot, err := d.b.dict(o)
	return err == nil && annot != nil && slices.Contains(comments, d.b.name(annot["Subtype"]))
}

// fillable are the entries of a field that filling it in changes.
var fillable = []string{"V", "AP", "AS", "I", "M", "RV"}

// field compares a field that was there at signing.
func (d *differ) field(f *field, da, db types.Dict) error {
	signed := f.kind == "Sig" && da["V"] != nil
	changed := false
	err := d.dicts(da, db, func(key string, oa, ob types.Object) (bool, error) {
		if signed || !slices.Contains(fillable, key) {
			return false, nil
		}
		changed = changed || !d.equal(oa, ob)
		return true, nil
	})
	if m, ok := err.(*ModifiedError); ok && m.Part == "" {
		m.Part, m.Detail = "form", "field "+f.name+": "+m.Detail
	}
	if err != nil || !changed {
		return err
	}
	if f.kind == "Sig" {
		return d.newSignature(db)
	}
	if f.kind == "" {
		return modified("form", "field %q of no kind", f.name)
	}
	for _, l := range d.locks {
		if l.covers(f.name) {
			return modified("form", "field %q is locked by the signature", f.name)
		}
	}
	d.changes[FilledForm] = true
	return nil
}

// A fieldLock is what a signature says about fields that must not be filled in later (ISO 32000-1 §12.8.2.4).
type fieldLock struct {
	action string // All, Include, Exclude
	fields []string
}

func (l fieldLock) covers(name string) bool {
	named := slices.ContainsFunc(l.fields, func(f string) bool { return f == name || strings.HasPrefix(name, f+".") })
	switch l.action {
	case "Include":
		return named
	case "Exclude":
		return !named
	}
	return true
}

// fieldLocks reads the locks of the signature dictionary with object number n.
func (d *Doc) fieldLocks(n int) ([]fieldLock, error) {
	e := d.x.Table[n]
	if n == 0 || e == nil {
		return nil, nil
	}
	sig, ok := e.Object.(types.Dict)
	if !ok {
		return nil, nil
	}
	refs, err := d.array(sig["Reference"])
	if err != nil {
		return nil, err
	}
	var locks []fieldLock
	for _, o := range refs[:min(len(refs), 16)] {
		ref, err := d.dict(o)
		if err != nil {
			return nil, err
		}
		if d.name(ref["TransformMethod"]) != "FieldMDP" {
			continue
		}
		params, err := d.dict(ref["TransformParams"])
		if err != nil {
			return nil, err
		}
		lock := fieldLock{action: d.name(params["Action"])}
		names, err := d.array(params["Fields"])
		if err != nil {
			return nil, err
		}
		for _, o := range names[:min(len(names), maxFields)] {
			lock.fields = append(lock.fields, d.text(o))
		}
		locks = append(locks, lock)
	}
	return locks, nil
}
