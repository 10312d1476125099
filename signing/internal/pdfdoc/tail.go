package pdfdoc

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// checkTail wants what stands behind a signed revision to be well-formed increments and nothing else: objects, cross
// reference sections, trailers. Every object in it must be the one that the cross reference names, and the other way
// round. Otherwise a reader that rebuilds the cross reference by scanning the file would show something else than what
// was compared here.
func checkTail(d *Doc, from int) error {
	l := &lexer{data: d.Data, at: from}
	last := map[int]int64{} // object number to its last place
	places := map[int64]bool{}
	for {
		l.skipSpace()
		if l.at >= len(l.data) {
			break
		}
		at := int64(l.at)
		if l.has("xref") {
			l.at += 4
			if err := checkTable(l); err != nil {
				return modified("structure", "%v", err)
			}
			if _, err := l.dict(); err != nil {
				return modified("structure", "%v", err)
			}
			continue
		}
		if l.has("startxref") {
			l.at += len("startxref")
			if _, err := strconv.ParseInt(l.word(), 10, 64); err != nil {
				return modified("structure", "startxref without a number")
			}
			continue
		}
		n, err := d.skipObject(l)
		if err != nil {
			return err
		}
		last[n], places[at] = at, true
	}
	return d.checkPlaces(last, places, int64(from))
}

func (d *Doc) checkPlaces(last map[int]int64, places map[int64]bool, from int64) error {
	for n, e := range d.x.Table {
		if e.Offset == nil || e.Free || e.Compressed || *e.Offset < from {
			continue
		}
		if !places[*e.Offset] && !places[skipSpaceAt(d.Data, *e.Offset)] {
			return modified("structure", "object %d hides inside another", n)
		}
	}
	for n, at := range last {
		e := d.x.Table[n]
		if e != nil && !e.Free && e.Offset != nil && skipSpaceAt(d.Data, *e.Offset) == at {
			continue
		}
		if at == d.xrefAt {
			continue // a cross reference stream need not name itself
		}
		if sd, ok := d.streamType(at); ok && sd == "XRef" {
			continue
		}
		return modified("structure", "object %d is not in the cross reference", n)
	}
	return nil
}

func skipSpaceAt(data []byte, at int64) int64 {
	for at >= 0 && at < int64(len(data)) && isSpace(data[at]) {
		at++
	}
	return at
}

// streamType looks for /Type in the dictionary of the object at a place.
func (d *Doc) streamType(at int64) (string, bool) {
	head := d.Data[at:min(len(d.Data), int(at)+2048)]
	if end := bytes.Index(head, []byte("stream")); end >= 0 {
		head = head[:end]
	}
	i := bytes.Index(head, []byte("/Type"))
	if i < 0 {
		return "", false
	}
	l := lexer{data: head, at: i + len("/Type")}
	t := l.token()
	return t[min(len(t), 1):], t != ""
}

// skipObject passes one indirect object and returns its number.
func (d *Doc) skipObject(l *lexer) (int, error) {
	bad := modified("structure", "stray bytes at %d", l.at)
	n, err1 := strconv.Atoi(l.word())
	_, err2 := strconv.Atoi(l.word())
	if err1 != nil || err2 != nil || l.word() != "obj" {
		return 0, bad
	}
	var entries map[string]entry
	l.skipSpace()
	if l.has("<<") {
		var err error
		if entries, err = l.dict(); err != nil {
			return 0, bad
		}
	}
	for steps := 0; ; steps++ {
		switch t := l.token(); {
		case t == "endobj":
			return n, nil
		case t == "" || steps > maxObjects || t == "obj":
			return 0, bad
		case t == "stream":
			if err := d.skipStream(l, entries); err != nil {
				return 0, err
			}
			if l.word() != "endstream" || l.word() != "endobj" {
				return 0, bad
			}
			return n, nil
		}
	}
}

func (d *Doc) skipStream(l *lexer, entries map[string]entry) error {
	length, ok := entries["/Length"]
	if !ok {
		return modified("structure", "stream without a length")
	}
	size := length.number
	if length.ref {
		if size, ok = d.integer(*types.NewIndirectRef(int(length.number), 0)); !ok {
			return modified("structure", "stream without a length")
		}
	}
	if l.has("\r\n") {
		l.at += 2
	} else if l.has("\n") || l.has("\r") {
		l.at++
	}
	if size < 0 || size > int64(len(l.data)-l.at) {
		return fmt.Errorf("%w: stream length", ErrDamaged)
	}
	l.at += int(size)
	return nil
}
