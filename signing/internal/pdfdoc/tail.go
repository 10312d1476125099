package pdfdoc

import (
	"maps"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// A tail is what stands behind a signed revision.
type tail struct {
	d      *Doc
	from   int64
	last   map[int]int64          // object number to its last place
	values map[int64]types.Object // place to what stands there, by the strict reading
}

// checkTail wants the tail to be well-formed increments and nothing else: objects, cross reference sections, trailers.
// Every object in it must be the one that the cross reference names, and the other way round. Otherwise a reader that
// rebuilds the cross reference by scanning the file would show something else than what was compared here.
func checkTail(d *Doc, from int) error {
	t := &tail{d: d, from: int64(from), last: map[int]int64{}, values: map[int64]types.Object{}}
	l := &lexer{data: d.Data, at: from}
	for {
		l.skipSpace()
		if l.at >= len(l.data) {
			return t.compare()
		}
		if err := t.part(l); err != nil {
			return err
		}
	}
}

// part reads one object, cross reference section or end mark.
func (t *tail) part(l *lexer) error {
	at := int64(l.at)
	if t.d.xrefAt < t.from {
		return modified("structure", "bytes behind the signed revision that no cross reference of theirs names")
	}
	switch {
	case l.has("xref"):
		l.at += len("xref")
		if err := checkTable(l); err != nil {
			return modified("structure", "%v", err)
		}
		if v, err := l.value(0); err != nil {
			return modified("structure", "trailer: %v", err)
		} else if _, ok := v.(types.Dict); !ok {
			return modified("structure", "trailer is no dictionary")
		}
		return nil
	case l.has("startxref"):
		l.at += len("startxref")
		if _, err := strconv.ParseInt(l.word(), 10, 64); err != nil {
			return modified("structure", "startxref without a number")
		}
		return nil
	}
	n, v, err := t.object(l)
	if err != nil {
		return err
	}
	t.last[n], t.values[at] = at, v
	return nil
}

// object reads one indirect object.
func (t *tail) object(l *lexer) (int, types.Object, error) {
	bad := modified("structure", "stray bytes at %d", l.at)
	n, err1 := strconv.Atoi(l.word())
	_, err2 := strconv.Atoi(l.word())
	if err1 != nil || err2 != nil || l.word() != "obj" {
		return 0, nil, bad
	}
	v, err := l.value(0)
	if err != nil {
		return 0, nil, modified("structure", "%v", err)
	}
	switch l.word() {
	case "endobj":
		return n, v, nil
	case "stream":
		d, ok := v.(types.Dict)
		if !ok || !t.skipStream(l, d["Length"]) || l.word() != "endstream" || l.word() != "endobj" {
			return 0, nil, bad
		}
		return n, v, nil
	}
	return 0, nil, bad
}

func (t *tail) skipStream(l *lexer, length types.Object) bool {
	size, ok := t.d.integer(length)
	if l.has("\r\n") {
		l.at += 2
	} else if l.has("\n") || l.has("\r") {
		l.at++
	}
	if !ok || size < 0 || size > int64(len(l.data)-l.at) {
		return false
	}
	l.at += int(size)
	return true
}

// compare matches the objects of the tail with the cross reference, both ways, and the strict reading with pdfcpu's.
func (t *tail) compare() error {
	for n, e := range t.d.x.Table {
		if e.Offset == nil || e.Free || e.Compressed || *e.Offset < t.from {
			continue
		}
		at := skipSpaceAt(t.d.Data, *e.Offset)
		v, ok := t.values[at]
		if !ok {
			return modified("structure", "object %d hides inside another", n)
		}
		if t.last[n] != at {
			return modified("structure", "object %d is followed by another of its number", n)
		}
		if isCrossReference(v) {
			continue
		}
		if !agree(t.comparable(v, e.Object)) {
			return modified("structure", "object %d can be read in two ways", n)
		}
		if sd, ok := e.Object.(types.ObjectStreamDict); ok {
			if err := checkObjectStream(sd); err != nil {
				return err
			}
		}
	}
	for n, at := range t.last {
		e := t.d.x.Table[n]
		named := e != nil && !e.Free && e.Offset != nil && skipSpaceAt(t.d.Data, *e.Offset) == at
		if !named && !isCrossReference(t.values[at]) { // a cross reference stream need not name itself
			return modified("structure", "object %d is not in the cross reference", n)
		}
	}
	return nil
}

// comparable takes out of a stream's dictionary what pdfcpu rewrites when it decrypts it or expands filter names.
func (t *tail) comparable(strict, lenient types.Object) (_, _ types.Object) {
	var d types.Dict
	switch v := lenient.(type) {
	case types.StreamDict:
		d = v.Dict
	case types.ObjectStreamDict:
		d = v.Dict
	default:
		return strict, lenient
	}
	s, ok := strict.(types.Dict)
	if !ok {
		return strict, lenient
	}
	s, d = maps.Clone(s), maps.Clone(d)
	keys := []string{"Filter"}
	if t.d.x.Encrypt != nil {
		keys = append(keys, "Length")
	}
	for _, k := range keys {
		delete(s, k)
		delete(d, k)
	}
	return s, d
}

func isCrossReference(o types.Object) bool {
	d, ok := o.(types.Dict)
	return ok && d["Type"] == types.Name("XRef")
}

func skipSpaceAt(data []byte, at int64) int64 {
	for at >= 0 && at < int64(len(data)) && isSpace(data[at]) {
		at++
	}
	return at
}
