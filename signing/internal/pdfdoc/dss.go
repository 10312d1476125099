package pdfdoc

import (
	"bytes"
	"crypto/sha1" // names entries of the VRI, secures nothing
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds on the evidence in one file.
const (
	maxEvidence       = 1024
	maxEvidenceBytes  = 64 << 20
	maxEvidenceStream = 33 << 20
)

// Evidence is what is kept in a file so that its signatures can be judged later: certificates, OCSP answers and
// revocation lists in DER.
type Evidence struct{ Certs, OCSPs, CRLs [][]byte }

// lists are the three kinds with their names in the DSS and in the VRI (ETSI EN 319 142-1 §5.4.2).
func (e *Evidence) lists() [3]evidenceList {
	return [3]evidenceList{{"Certs", "Cert", &e.Certs}, {"OCSPs", "OCSP", &e.OCSPs}, {"CRLs", "CRL", &e.CRLs}}
}

type evidenceList struct {
	dss, vri string
	items    *[][]byte
}

// DSS is the document security store of a revision.
type DSS struct {
	Evidence
	VRI     map[string]bool // keys of the entries that name at least one piece of evidence
	Damaged error           // something in it cannot be read, or has no business there
}

// VRIKey is the name under which the evidence of a signature is listed: the digest of the bytes in /Contents.
func (s *Signature) VRIKey() string { return vriKey(s.Contents) }

// Listed says whether the VRI has evidence for the signature. Some writers leave out the zeros that fill up /Contents.
func (s *Signature) Listed(vri map[string]bool) bool {
	return vri[s.VRIKey()] || vri[s.vriKeyShort()]
}

// Owns says whether a VRI entry is the signature's.
func (s *Signature) Owns(key string) bool { return key == s.VRIKey() || key == s.vriKeyShort() }

func (s *Signature) vriKeyShort() string {
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(s.Contents, &raw); err != nil {
		return ""
	}
	return vriKey(raw.FullBytes)
}

func vriKey(b []byte) string {
	sum := sha1.Sum(b)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// DSS reads the document security store; nil when there is none. What is wrong in it is reported in Damaged, because
// nothing of it is signed before the next time stamp.
func (d *Doc) DSS() *DSS {
	root := d.catalog()["DSS"]
	if root == nil {
		return nil
	}
	r := &evidenceReader{d: d, dss: &DSS{VRI: map[string]bool{}}, seen: map[[32]byte]bool{}}
	r.dss.Damaged = r.read(root)
	return r.dss
}

type evidenceReader struct {
	d     *Doc
	dss   *DSS
	seen  map[[32]byte]bool
	count int
	bytes int
}

func (r *evidenceReader) read(o types.Object) error {
	dict, err := r.d.dict(o)
	if err != nil || dict == nil {
		return errors.Join(err, errors.New("document security store is empty"))
	}
	var problem error
	for _, l := range r.dss.lists() {
		_, err := r.streams(dict[l.dss], l.items)
		problem = errors.Join(problem, err)
	}
	vri, err := r.d.dict(dict["VRI"])
	problem = errors.Join(problem, err)
	for key, o := range vri {
		if key == "Type" {
			continue
		}
		if len(r.dss.VRI) > MaxSignatures*2 {
			return fmt.Errorf("%w: too many VRI entries", ErrDamaged)
		}
		problem = errors.Join(problem, r.entry(key, o))
	}
	return errors.Join(problem, unknownKey(dict, "Type", "Certs", "OCSPs", "CRLs", "VRI"))
}

// entry reads one VRI dictionary. Its evidence should stand in the store as well; older writers leave it out there.
func (r *evidenceReader) entry(key string, o types.Object) error {
	dict, err := r.d.dict(o)
	if err != nil || dict == nil {
		return errors.Join(err, fmt.Errorf("VRI entry %.50q is empty", key))
	}
	var problem error
	for _, l := range r.dss.lists() {
		n, err := r.streams(dict[l.vri], l.items)
		problem = errors.Join(problem, err)
		if n > 0 {
			r.dss.VRI[key] = true
		}
	}
	return errors.Join(problem, unknownKey(dict, "Type", "Cert", "OCSP", "CRL", "TU", "TS"))
}

func unknownKey(d types.Dict, known ...string) error {
	for _, k := range slices.Sorted(maps.Keys(d)) {
		if !slices.Contains(known, k) {
			return fmt.Errorf("unknown key %.50q in the document security store", k)
		}
	}
	return nil
}

// streams adds the contents of an array of streams to items, each once.
func (r *evidenceReader) streams(o types.Object, items *[][]byte) (n int, problem error) {
	list, err := r.d.array(o)
	if err != nil {
		return 0, err
	}
	for _, o := range list {
		if r.count++; r.count > maxEvidence*4 || r.bytes > maxEvidenceBytes {
			return n, fmt.Errorf("%w: document security store too large", ErrDamaged)
		}
		b, err := r.d.streamContent(o, maxEvidenceStream)
		if err != nil {
			problem = errors.Join(problem, err)
			continue
		}
		n++
		sum := sha256.Sum256(b)
		if !r.seen[sum] {
			r.seen[sum] = true
			*items = append(*items, b)
			r.bytes += len(b)
		}
	}
	return n, problem
}

// streamContent reads a stream that is plain or compressed by deflate.
func (d *Doc) streamContent(o types.Object, limit int64) ([]byte, error) {
	o, err := d.resolve(o)
	if err != nil {
		return nil, err
	}
	sd, ok := o.(types.StreamDict)
	if !ok || int64(len(sd.Raw)) > limit {
		return nil, fmt.Errorf("%w: %T where a stream belongs", ErrDamaged, o)
	}
	if len(sd.FilterPipeline) == 0 {
		return sd.Raw, nil
	}
	if len(sd.FilterPipeline) > 1 || sd.FilterPipeline[0].Name != filter.Flate {
		return nil, fmt.Errorf("%w: stream with other filters", ErrDamaged)
	}
	b, err := inflate(sd.Raw, limit)
	if err != nil {
		return nil, fmt.Errorf("%w: stream: %v", ErrDamaged, err)
	}
	return b, nil
}

// AddEvidence appends an increment with a document security store that holds the old evidence and the new. keys says which
// evidence belongs to which signature, by VRIKey.
func (d *Doc) AddEvidence(keys map[string]Evidence) ([]byte, error) {
	in := d.begin()
	root := d.catalog()
	old, err := d.dict(root["DSS"])
	if err != nil {
		return nil, err
	}
	dss := types.Dict{"Type": types.Name("DSS")}
	maps.Copy(dss, old)
	w := evidenceWriter{in: in, refs: map[[32]byte]types.IndirectRef{}}
	if err := w.index(dss); err != nil {
		return nil, err
	}
	vri, err := d.dict(dss["VRI"])
	if err != nil {
		return nil, err
	}
	entries := types.Dict{}
	maps.Copy(entries, vri)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		e := keys[key]
		entry := types.Dict{"Type": types.Name("VRI")}
		for _, l := range e.lists() {
			refs, err := w.add(dss, l)
			if err != nil {
				return nil, err
			}
			if len(refs) > 0 {
				entry[l.vri] = refs
			}
		}
		entries[key] = entry
	}
	dss["VRI"] = entries
	root["DSS"] = in.add(dss)
	if root["Extensions"] == nil { // ETSI EN 319 142-1 §5.6: announces the store to readers of PDF 1.7
		root["Extensions"] = types.Dict{"ESIC": types.Dict{"BaseVersion": types.Name("1.7"), "ExtensionLevel": types.Integer(5)}}
	}
	if err := in.change(d.x.Root.ObjectNumber.Value(), root); err != nil {
		return nil, err
	}
	out, _, err := in.write()
	return out, err
}

// An evidenceWriter puts each piece of evidence into a file once.
type evidenceWriter struct {
	in   *increment
	refs map[[32]byte]types.IndirectRef
}

// index notes what the store has already.
func (w *evidenceWriter) index(dss types.Dict) error {
	var e Evidence
	for _, l := range e.lists() {
		list, err := w.in.d.array(dss[l.dss])
		if err != nil {
			return err
		}
		for _, o := range list[:min(len(list), maxEvidence)] {
			ref, ok := o.(types.IndirectRef)
			if !ok {
				continue
			}
			if b, err := w.in.d.streamContent(o, maxEvidenceStream); err == nil {
				w.refs[sha256.Sum256(b)] = ref
			}
		}
	}
	return nil
}

// add puts the items of one kind into the store and returns references to them.
func (w *evidenceWriter) add(dss types.Dict, l evidenceList) (refs types.Array, err error) {
	list, err := w.in.d.array(dss[l.dss])
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	for _, b := range *l.items {
		sum := sha256.Sum256(b)
		ref, ok := w.refs[sum]
		if !ok {
			sd, err := stream(b, types.Dict{})
			if err != nil {
				return nil, err
			}
			ref = w.in.add(*sd)
			w.refs[sum] = ref
			list = append(list, ref)
		}
		refs = append(refs, ref)
	}
	if len(list) > 0 {
		dss[l.dss] = list
	}
	return refs, nil
}

// Has says whether the store has all of the evidence already.
func (s *DSS) Has(e Evidence) bool {
	if s == nil {
		return len(e.Certs)+len(e.OCSPs)+len(e.CRLs) == 0
	}
	own, other := s.lists(), e.lists()
	for i := range own {
		for _, b := range *other[i].items {
			if !slices.ContainsFunc(*own[i].items, func(o []byte) bool { return bytes.Equal(o, b) }) {
				return false
			}
		}
	}
	return true
}
