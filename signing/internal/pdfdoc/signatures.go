package pdfdoc

import (
	"bytes"
	"cmp"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// MaxSignatures bounds the signatures looked at in one file.
const MaxSignatures = 64

// Errors of a signature's place in the file.
var (
	ErrByteRange = errors.New("byte range is not what a signature covers")
	ErrOrphan    = errors.New("signature belongs to no form field")
)

// A Signature is a signature dictionary as it stands in the file. Nothing in it is proven yet.
type Signature struct {
	Field     string
	SubFilter string
	Timestamp bool // a document time stamp, not a signature of somebody
	Name      string
	Reason    string
	Location  string
	Claimed   time.Time // /M, the signer's own claim
	Certified int       // the P of a certification signature, 0 for others
	Malformed error     // set when the byte range is wrong; nothing below is then usable

	Contents []byte // the DER in /Contents, with the zeros that fill it up
	Start    int    // the gap between the signed ranges, angle brackets included
	Stop     int
	End      int // of the signed revision

	number int // of the dictionary's object
}

// Signatures lists all signatures of the file, oldest revision first. A dictionary that looks like one but hangs on no
// field is listed too, as malformed: otherwise cutting a field would make its signature vanish.
func (d *Doc) Signatures() ([]*Signature, error) {
	form, err := d.formFields()
	if err != nil {
		return nil, err
	}
	var out []*Signature
	seen := map[int]bool{}
	for _, f := range form.fields {
		if f.kind != "Sig" || f.dict["V"] == nil {
			continue
		}
		v, err := d.dict(f.dict["V"])
		if err != nil {
			return nil, err
		}
		ref, indirect := f.dict["V"].(types.IndirectRef)
		if v == nil || indirect && seen[ref.ObjectNumber.Value()] {
			continue
		}
		s := d.signature(f.name, v)
		if indirect {
			s.number = ref.ObjectNumber.Value()
			seen[s.number] = true
		}
		out = append(out, s)
	}
	out = append(out, d.orphans(seen)...)
	if len(out) > MaxSignatures {
		return nil, fmt.Errorf("%w: %d signatures", ErrDamaged, len(out))
	}
	slices.SortStableFunc(out, func(a, b *Signature) int { return cmp.Compare(a.End, b.End) })
	overlap(out)
	return out, nil
}

// orphans finds signature dictionaries outside the form. Usage rights (/Perms /UR3) are no signature of a person.
func (d *Doc) orphans(seen map[int]bool) []*Signature {
	if perms, err := d.dict(d.catalog()["Perms"]); err == nil {
		for _, key := range []string{"UR", "UR3"} {
			if ref, ok := perms[key].(types.IndirectRef); ok {
				seen[ref.ObjectNumber.Value()] = true
			}
		}
	}
	var out []*Signature
	for n, e := range d.x.Table {
		v, ok := e.Object.(types.Dict)
		if !ok || e.Free || seen[n] || v["ByteRange"] == nil || v["Contents"] == nil {
			continue
		}
		s := d.signature("", v)
		s.number, s.Malformed = n, ErrOrphan
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Signature) int { return cmp.Compare(a.number, b.number) })
	return out
}

func (d *Doc) signature(field string, v types.Dict) *Signature {
	s := &Signature{
		Field: field, SubFilter: d.name(v["SubFilter"]), Timestamp: d.name(v["Type"]) == "DocTimeStamp",
		Certified: d.certifies(v),
		Name:      d.text(v["Name"]), Reason: d.text(v["Reason"]), Location: d.text(v["Location"]),
	}
	if t, ok := types.DateTime(d.text(v["M"]), true); ok {
		s.Claimed = t
	}
	s.Malformed = d.place(s, v)
	return s
}

// place reads the byte range and wants it to be [0 a b c] with nothing but the /Contents string of this dictionary
// between a and b, and b+c at the end of a revision.
func (d *Doc) place(s *Signature, v types.Dict) error {
	r, err := d.array(v["ByteRange"])
	if err != nil || len(r) != 4 {
		return fmt.Errorf("%w: not four numbers", ErrByteRange)
	}
	var n [4]int64
	size := int64(len(d.Data))
	for i, o := range r {
		value, ok := o.(types.Integer)
		if n[i] = int64(value); !ok || n[i] < 0 || n[i] > size {
			return fmt.Errorf("%w: numbers outside the file", ErrByteRange)
		}
	}
	end := n[2] + n[3]
	if n[0] != 0 || n[1] == 0 || n[2] <= n[1]+1 || n[3] == 0 || end > size {
		return fmt.Errorf("%w: ranges overlap, leave a hole or go beyond the file", ErrByteRange)
	}
	s.Start, s.Stop, s.End = int(n[1]), int(n[2]), int(end)
	gap := d.Data[s.Start:s.Stop]
	if gap[0] != '<' || gap[len(gap)-1] != '>' {
		return fmt.Errorf("%w: the gap is not a string", ErrByteRange)
	}
	s.Contents = make([]byte, len(gap)/2-1)
	if _, err := hex.Decode(s.Contents, gap[1:len(gap)-1]); err != nil {
		return fmt.Errorf("%w: the gap is not a hex string", ErrByteRange)
	}
	// Hex digits of both cases in one string come from no writer, but from whoever wants another file with the same seal.
	if bytes.ContainsAny(gap, "abcdef") && bytes.ContainsAny(gap, "ABCDEF") {
		return fmt.Errorf("%w: hex digits of both cases", ErrByteRange)
	}
	before := bytes.TrimRight(d.Data[max(0, s.Start-64):s.Start], " \t\r\n")
	if !bytes.HasSuffix(before, []byte("/Contents")) {
		return fmt.Errorf("%w: the gap is not at /Contents", ErrByteRange)
	}
	contents, ok := v["Contents"].(types.HexLiteral)
	if own, err := contents.Bytes(); !ok || err != nil || !bytes.Equal(own, s.Contents) {
		return fmt.Errorf("%w: the gap holds another signature", ErrByteRange)
	}
	if !bytes.HasSuffix(bytes.TrimRight(d.Data[:s.End], " \t\r\n"), []byte("%%EOF")) {
		return fmt.Errorf("%w: it does not end at the end of a revision", ErrByteRange)
	}
	return nil
}

// overlap marks signatures that claim the same revision end or a gap inside another's unsigned bytes. Each signature
// has its own increment, so the next one's gap lies behind the end of the one before.
func overlap(list []*Signature) {
	last := 0
	for _, s := range list {
		if s.Malformed != nil {
			continue
		}
		if s.Start < last {
			s.Malformed = fmt.Errorf("%w: it overlaps with another signature", ErrByteRange)
			continue
		}
		last = s.End
	}
}

// A hashed start of a file need not be hashed once more.
type hashed struct {
	by    crypto.Hash
	size  int
	begun hash.Cloner
}

// Digest hashes the signed ranges.
func (d *Doc) Digest(s *Signature, by crypto.Hash) []byte {
	sum, from := hash.Hash(nil), 0
	if k := d.hashed; k != nil && k.by == by && k.size <= s.Start {
		if c, err := k.begun.Clone(); err == nil {
			sum, from = c, k.size
		}
	}
	if sum == nil {
		sum = by.New()
	}
	sum.Write(d.Data[from:s.Start])
	sum.Write(d.Data[s.Stop:s.End])
	return sum.Sum(nil)
}
