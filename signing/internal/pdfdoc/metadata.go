package pdfdoc

import (
	"bytes"
	"encoding/xml"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// maxXMP bounds a metadata packet.
const maxXMP = 1 << 20

// metadata allows new dates, tools and identifiers in the XMP packet. Writers that sign an already signed file touch
// these; titles, authors and the rest must stay.
func (d *differ) metadata(oa, ob types.Object) error {
	if d.equal(oa, ob) {
		return nil
	}
	xa, okA := d.a.xmp(oa)
	xb, okB := d.b.xmp(ob)
	if !okA || !okB || !maps.Equal(xa, xb) {
		return modified("metadata", "XMP metadata")
	}
	d.changes[NewMetadata] = true
	return nil
}

// volatile are the properties that may differ, by local name.
var volatile = []string{"ModifyDate", "MetadataDate", "Producer", "CreatorTool", "InstanceID", "xmptk", "about"}

// xmp reads a packet as counted pairs of name and value, whichever of the RDF notations it uses.
func (d *Doc) xmp(o types.Object) (map[[2]string]int, bool) {
	o, err := d.resolve(o)
	sd, ok := o.(types.StreamDict)
	if err != nil || !ok || len(sd.Raw) > maxXMP {
		return nil, false
	}
	data := sd.Raw
	if len(sd.FilterPipeline) > 0 {
		if len(sd.FilterPipeline) > 1 || sd.FilterPipeline[0].Name != filter.Flate || sd.DecodeWithLimit(maxXMP) != nil {
			return nil, false
		}
		data = sd.Content
	}
	pairs := map[[2]string]int{}
	dec := xml.NewDecoder(bytes.NewReader(data))
	var path []string
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return pairs, true
		}
		if err != nil || len(path) > 64 {
			return nil, false
		}
		switch t := t.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Space+t.Name.Local)
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && !slices.Contains(volatile, a.Name.Local) {
					pairs[[2]string{a.Name.Space + a.Name.Local, a.Value}]++
				}
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			text := strings.TrimSpace(string(t))
			if text != "" && !slices.ContainsFunc(path, func(p string) bool {
				return slices.ContainsFunc(volatile, func(v string) bool { return strings.HasSuffix(p, "/"+v) })
			}) {
				pairs[[2]string{lastProperty(path), text}]++
			}
		}
	}
}

// lastProperty is the innermost element that is not RDF's own wrapping.
func lastProperty(path []string) string {
	for _, p := range slices.Backward(path) {
		if !strings.Contains(p, "rdf-syntax-ns#") {
			return p
		}
	}
	return ""
}
