package pdfdoc

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Errors of AddSignature.
var (
	ErrNoChanges = errors.New("document is certified against changes")
	ErrXFA       = errors.New("form of the XFA kind")
	ErrFieldName = errors.New("signature field name is in use")
)

// A SignatureField is what AddSignature puts into a file. Texts may be in any script.
type SignatureField struct {
	Field     string // name of the new field, chosen when empty
	Timestamp bool   // a document time stamp: nothing below but Reserve is used
	Name      string
	Reason    string
	Location  string
	At        time.Time
	Reserve   int      // bytes kept for the CMS
	Mark      *Mark    // a text on page 1
	Picture   *Picture // a picture instead of a text; an invisible signature has neither
}

// An Unsigned file ends in an increment with a signature whose /Contents is still empty.
type Unsigned struct {
	doc        *Doc // the reading it was made with
	data       []byte
	start, end int // of the hex string of /Contents, angle brackets included
}

const (
	byteRangePlaceholder = "[0 9999999999 9999999999 9999999999]"
	maxFileSize          = 9_999_999_999 // what the placeholder has room for
)

// AddSignature appends an increment with a new signature field. The file's own bytes stay as they are, and so do its
// form fields and the kind of its cross reference. d must not be used afterwards.
func (d *Doc) AddSignature(f SignatureField) (*Unsigned, error) {
	// A time stamp is never forbidden (ISO 32000-2 §12.8.2.2.2).
	if d.permission() == 1 && !f.Timestamp {
		return nil, ErrNoChanges
	}
	if d.hasXFA() && !f.Timestamp {
		return nil, ErrXFA
	}
	form, err := d.formFields()
	if err != nil {
		return nil, err
	}
	if f.Field, err = fieldName(f.Field, form); err != nil {
		return nil, err
	}
	pg, err := d.pageOf(f, form)
	if err != nil {
		return nil, err
	}
	in := d.begin()
	value := in.add(signatureValue(f))
	widget := types.Dict{
		"Type": types.Name("Annot"), "Subtype": types.Name("Widget"), "FT": types.Name("Sig"),
		"T": text(f.Field), "V": value, "F": types.Integer(4 | 128), // print, locked
		"P": *types.NewIndirectRef(pg.number, in.generation(pg.number)), "Rect": rectangle(Rect{}),
	}
	switch {
	case f.Picture != nil:
		err = in.drawPicture(widget, pg, f.Picture, form)
	case f.Mark != nil:
		err = in.draw(widget, pg, f.Mark)
	}
	if err != nil {
		return nil, err
	}
	ref := in.add(widget)
	if err := in.addToForm(ref); err != nil {
		return nil, err
	}
	if err := in.addToPage(pg, ref); err != nil {
		return nil, err
	}
	return in.finish(f.Reserve)
}

// pageOf is the page that a signature stands on: page 1, or the one of its picture.
func (d *Doc) pageOf(f SignatureField, form *form) (*page, error) {
	if f.Picture == nil {
		return d.page(1)
	}
	return d.picturePage(f.Picture, form)
}

func signatureValue(f SignatureField) types.Dict {
	v := types.Dict{
		"Type": types.Name("Sig"), "Filter": types.Name("Adobe.PPKLite"), "SubFilter": types.Name("ETSI.CAdES.detached"),
		"Contents": types.HexLiteral(strings.Repeat("0", 2*f.Reserve)),
		"ByteRange": types.Array{types.Integer(0), types.Integer(9999999999), types.Integer(9999999999),
			types.Integer(9999999999)},
	}
	if f.Timestamp {
		v["Type"], v["SubFilter"] = types.Name("DocTimeStamp"), types.Name("ETSI.RFC3161")
		return v
	}
	v["M"] = types.StringLiteral(types.DateString(f.At))
	for key, s := range map[string]string{"Name": f.Name, "Reason": f.Reason, "Location": f.Location} {
		if s != "" {
			v[key] = text(s)
		}
	}
	return v
}

// text encodes any text as UTF-16 in hex. A literal string would need escapes for the bytes of "ĩ" (0x0129), which
// writers forget.
func text(s string) types.Object { return types.NewHexLiteral([]byte(types.EncodeUTF16String(s))) }

func rectangle(r Rect) types.Array {
	return types.Array{types.Float(r.X0), types.Float(r.Y0), types.Float(r.X1), types.Float(r.Y1)}
}

// fieldName returns a name that no field has yet.
func fieldName(want string, form *form) (string, error) {
	taken := map[string]bool{}
	for _, f := range form.fields {
		top, _, _ := strings.Cut(f.name, ".")
		taken[top] = true
	}
	if want != "" {
		if taken[want] || strings.Contains(want, ".") {
			return "", fmt.Errorf("%w: %q", ErrFieldName, want)
		}
		return want, nil
	}
	for i := 1; ; i++ {
		if name := fmt.Sprintf("Signature%d", i); !taken[name] {
			return name, nil
		}
	}
}

// An increment collects new and changed objects.
type increment struct {
	d    *Doc
	base int64 // file size before, with the line end that may be added
}

func (d *Doc) begin() *increment {
	base := int64(len(d.Data))
	if last := d.Data[len(d.Data)-1]; last != '\n' && last != '\r' {
		base++
	}
	d.x.Configuration.WriteXRefStream = d.xrefStream
	d.x.Write.Increment, d.x.Write.Offset = true, base
	d.x.Write.OffsetPrevXRef = &d.xrefAt
	// Numbers from the free list are not used again: a signed revision may hold references to nothing with these numbers,
	// and they would come alive. An empty list makes pdfcpu count on.
	none := int64(0)
	if head := d.x.Table[0]; head != nil {
		d.free, d.size = head, *d.x.Size
		d.x.Table[0] = &model.XRefTableEntry{Free: true, Offset: &none, Generation: head.Generation}
	}
	return &increment{d: d, base: base}
}

func (in *increment) add(o types.Object) types.IndirectRef {
	n := in.d.x.InsertNew(*model.NewXRefTableEntryGen0(o))
	in.d.x.Write.IncrementWithObjNr(n)
	return *types.NewIndirectRef(n, 0)
}

func (in *increment) generation(n int) int {
	if e := in.d.x.Table[n]; e != nil && e.Generation != nil && !e.Compressed {
		return *e.Generation
	}
	return 0
}

// change replaces an existing object.
func (in *increment) change(n int, o types.Object) error {
	e := in.d.x.Table[n]
	if e == nil || e.Free {
		return fmt.Errorf("%w: object %d is missing", ErrDamaged, n)
	}
	e.Object = o
	in.d.x.Write.IncrementWithObjNr(n)
	return nil
}

// addToForm appends the field to the form and keeps everything else of it.
func (in *increment) addToForm(field types.IndirectRef) error {
	root := in.d.catalog()
	form, err := in.d.dict(root["AcroForm"])
	if err != nil {
		return err
	}
	if form == nil {
		form = types.Dict{}
	}
	fields, err := in.d.array(form["Fields"])
	if err != nil {
		return err
	}
	fields = append(slices.Clone(fields), field)
	if ref, ok := form["Fields"].(types.IndirectRef); ok {
		if err := in.change(ref.ObjectNumber.Value(), fields); err != nil {
			return err
		}
	} else {
		form["Fields"] = fields
	}
	flags, _ := in.d.integer(form["SigFlags"])
	form["SigFlags"] = types.Integer(flags | 3) // SignaturesExist, AppendOnly
	if ref, ok := root["AcroForm"].(types.IndirectRef); ok && in.d.x.Table[ref.ObjectNumber.Value()] != nil {
		return in.change(ref.ObjectNumber.Value(), form)
	}
	root["AcroForm"] = form
	return in.change(in.d.x.Root.ObjectNumber.Value(), root)
}

func (in *increment) addToPage(p *page, widget types.IndirectRef) error {
	annots, err := in.d.array(p.dict["Annots"])
	if err != nil {
		return err
	}
	list := append(slices.Clone(annots), widget)
	if ref, ok := p.dict["Annots"].(types.IndirectRef); ok && annots != nil {
		return in.change(ref.ObjectNumber.Value(), list)
	}
	p.dict["Annots"] = list
	return in.change(p.number, p.dict)
}

// write appends the increment to the file, in place if there is room. base is where it begins.
func (in *increment) write() (out []byte, base int, err error) {
	var tail bytes.Buffer
	if err := api.WriteIncrement(in.d.x, &tail); err != nil {
		return nil, 0, fmt.Errorf("write increment: %w", err)
	}
	size := in.base + int64(tail.Len())
	if size > maxFileSize {
		return nil, 0, fmt.Errorf("write increment: file of %d bytes", size)
	}
	out = in.d.Data
	if int64(cap(out)) < size { // with some room for the increments that follow at the higher levels
		out = append(make([]byte, 0, size+size/64), out...)
	}
	if int64(len(out)) < in.base {
		out = append(out, '\n')
	}
	return append(out, tail.Bytes()...), int(in.base), nil
}

// finish writes the increment and finds the placeholders in it, nowhere else.
func (in *increment) finish(reserve int) (*Unsigned, error) {
	out, base, err := in.write()
	if err != nil {
		return nil, err
	}
	u := &Unsigned{doc: in.d, data: out, start: int(in.d.x.Write.OffsetSigContents)}
	u.end = u.start + 2*reserve + 2
	at := int(in.d.x.Write.OffsetSigByteRange)
	if at < base || u.start < base || u.end > len(out) ||
		!bytes.HasPrefix(out[at:], []byte(byteRangePlaceholder)) || out[u.start] != '<' || out[u.end-1] != '>' ||
		len(bytes.Trim(out[u.start+1:u.end-1], "0")) != 0 {
		return nil, errors.New("write increment: placeholders are not where they were put")
	}
	ranges := fmt.Sprintf("[0 %d %d %d]", u.start, u.end, len(out)-u.end)
	copy(out[at:], ranges+strings.Repeat(" ", len(byteRangePlaceholder)-len(ranges)))
	return u, nil
}

// Ranges are the two pieces of the file that are signed.
func (u *Unsigned) Ranges() (before, after []byte) { return u.data[:u.start], u.data[u.end:] }

// Digest hashes them. The part of it that Reopen would have to hash again is kept.
func (u *Unsigned) Digest(by crypto.Hash) []byte {
	h, base := by.New(), len(u.doc.Data)
	h.Write(u.data[:base])
	if c, ok := h.(hash.Cloner); ok {
		if begun, err := c.Clone(); err == nil {
			u.doc.hashed = &hashed{by: by, size: base, begun: begun}
		}
	}
	h.Write(u.data[base:u.start])
	h.Write(u.data[u.end:])
	return h.Sum(nil)
}

// Fill puts the CMS in and returns the finished file.
func (u *Unsigned) Fill(der []byte) ([]byte, error) {
	room := u.data[u.start+1 : u.end-1]
	if 2*len(der) > len(room) {
		return nil, fmt.Errorf("signature of %d bytes does not fit into %d", len(der), len(room)/2)
	}
	const digits = "0123456789abcdef"
	for i, b := range der {
		room[2*i], room[2*i+1] = digits[b>>4], digits[b&15]
	}
	return u.data, nil
}
