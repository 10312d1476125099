package pdfdoc

import (
	"fmt"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds on a form: a questionnaire of the state has hundreds of fields, not these.
const (
	maxFields     = 20000
	maxFieldDepth = 32
)

// A form is the tree of fields, flattened to the nodes that are objects of their own.
type form struct {
	fields   []field
	byNumber map[int]int // object number to index in fields
}

// A field is one node of the tree: a field, or a widget of one.
type field struct {
	name     string // full name
	number   int    // of its object, 0 when it is a direct object
	kind     string // FT, inherited
	dict     types.Dict
	terminal bool // has no children that are fields
}

// formFields walks the tree of the interactive form.
func (d *Doc) formFields() (*form, error) {
	f := &form{byNumber: map[int]int{}}
	acro, err := d.dict(d.catalog()["AcroForm"])
	if err != nil || acro == nil {
		return f, err
	}
	list, err := d.array(acro["Fields"])
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if err := d.walkField(f, o, "", "", 0); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (d *Doc) walkField(f *form, o types.Object, prefix, kind string, depth int) error {
	if depth > maxFieldDepth || len(f.fields) >= maxFields {
		return fmt.Errorf("%w: form too large", ErrDamaged)
	}
	n := 0
	if ref, ok := o.(types.IndirectRef); ok {
		n = ref.ObjectNumber.Value()
		if _, seen := f.byNumber[n]; seen {
			return fmt.Errorf("%w: field %d occurs twice", ErrDamaged, n)
		}
	}
	dict, err := d.dict(o)
	if err != nil || dict == nil {
		return err
	}
	if t := d.text(dict["T"]); t != "" {
		if prefix != "" {
			prefix += "."
		}
		prefix += t
	}
	if ft := d.name(dict["FT"]); ft != "" {
		kind = ft
	}
	kids, err := d.array(dict["Kids"])
	if err != nil {
		return err
	}
	if n != 0 {
		f.byNumber[n] = len(f.fields)
	}
	f.fields = append(f.fields, field{name: prefix, number: n, kind: kind, dict: dict, terminal: len(kids) == 0})
	for _, k := range kids {
		if err := d.walkField(f, k, prefix, kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// permission is the P of a certification signature (ISO 32000-1 §12.8.2.2): 1 no changes, 2 forms and signatures,
// 3 comments too; 0 when the document is not certified. It should stand in the catalog; writers forget that, so a field's
// signature that certifies counts as well, and the strictest of all.
func (d *Doc) permission() int {
	p := 0
	stricter := func(q int) {
		if q != 0 && (p == 0 || q < p) {
			p = q
		}
	}
	perms, err := d.dict(d.catalog()["Perms"])
	if err == nil && perms != nil {
		if sig, err := d.dict(perms["DocMDP"]); err == nil && sig != nil {
			q := d.certifies(sig)
			if q == 0 {
				q = 2 // one that cannot be read must not allow more than the default
			}
			stricter(q)
		}
	}
	form, err := d.formFields()
	if err != nil {
		return p
	}
	for _, f := range form.fields {
		if f.kind != "Sig" || f.dict["V"] == nil {
			continue
		}
		if v, err := d.dict(f.dict["V"]); err == nil && v != nil {
			stricter(d.certifies(v))
		}
	}
	return p
}

// certifies is the P of a signature dictionary with a DocMDP transform, 0 without one.
func (d *Doc) certifies(sig types.Dict) int {
	refs, _ := d.array(sig["Reference"])
	for _, o := range refs[:min(len(refs), 16)] {
		ref, _ := d.dict(o)
		if d.name(ref["TransformMethod"]) != "DocMDP" {
			continue
		}
		params, _ := d.dict(ref["TransformParams"])
		if p, ok := d.integer(params["P"]); ok && p >= 1 && p <= 3 {
			return int(p)
		}
		return 2
	}
	return 0
}

// hasXFA says whether the form is also kept as XFA, which some readers show in place of the pages and others do not: what
// a seal would stand on is not the same for everybody (ISO 32000-2 §12.7.8).
func (d *Doc) hasXFA() bool {
	form, err := d.dict(d.catalog()["AcroForm"])
	if err != nil || form == nil {
		return false
	}
	xfa, err := d.resolve(form["XFA"])
	return err == nil && xfa != nil
}
