package signing_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A small writer of PDF files for the tests, so that what is tested does not make its own input.

type objects map[int]string

func content(text string) string {
	ops := "BT /F1 12 Tf 72 700 Td (" + text + ") Tj ET"
	return fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(ops), ops)
}

// onePage is the smallest document with a line of text; extra goes into the page dictionary.
func onePage(extra string) objects {
	return objects{
		1: "<< /Type /Catalog /Pages 2 0 R >>",
		2: "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		3: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R " +
			"/Resources << /Font << /F1 5 0 R >> >> " + extra + " >>",
		4: content("Pay 100"),
		5: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		6: "<< /Title (Letter) /Producer (test) >>",
	}
}

func build(o objects) []byte {
	return appendObjects([]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), o, "/Root 1 0 R /Info 6 0 R", 0)
}

func tiny() []byte { return build(onePage("")) }

var trailerSize = regexp.MustCompile(`/Size (\d+)`)

// update appends an increment with a cross reference table.
func update(in []byte, o objects) []byte { return updateWith(in, o, "/Root 1 0 R /Info 6 0 R") }

func updateWith(in []byte, o objects, trailer string) []byte {
	return appendObjects(in, o, trailer, lastXRefOf(in))
}

func lastXRefOf(in []byte) int {
	all := regexp.MustCompile(`startxref\s+(\d+)`).FindAllSubmatch(in, -1)
	n, _ := strconv.Atoi(string(all[len(all)-1][1]))
	return n
}

func appendObjects(in []byte, o objects, trailer string, prev int) []byte {
	var b bytes.Buffer
	b.Write(in)
	if len(in) > 0 && in[len(in)-1] != '\n' {
		b.WriteByte('\n')
	}
	size := 0
	for _, m := range trailerSize.FindAllSubmatch(in, -1) {
		n, _ := strconv.Atoi(string(m[1]))
		size = max(size, n)
	}
	var xref strings.Builder
	xref.WriteString("xref\n")
	if prev == 0 {
		xref.WriteString("0 1\n0000000000 65535 f \n")
	}
	for _, n := range slices.Sorted(maps.Keys(o)) {
		fmt.Fprintf(&xref, "%d 1\n%010d 00000 n \n", n, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n, o[n])
		size = max(size, n+1)
	}
	at := b.Len()
	b.WriteString(xref.String())
	fmt.Fprintf(&b, "trailer\n<< /Size %d %s", size, trailer)
	if prev != 0 {
		fmt.Fprintf(&b, " /Prev %d", prev)
	}
	fmt.Fprintf(&b, " >>\nstartxref\n%d\n%%%%EOF\n", at)
	return b.Bytes()
}

// object returns the newest text of an object in a file written by hand or by Seal.
func object(in []byte, n int) string {
	all := regexp.MustCompile(fmt.Sprintf(`(?s)(?:^|\n)%d 0 obj\s*(.*?)\s*endobj`, n)).FindAllSubmatch(in, -1)
	if len(all) == 0 {
		return ""
	}
	return string(all[len(all)-1][1])
}

// objectWith returns the number of the newest object whose text contains s.
func objectWith(in []byte, s string) int {
	found := 0
	for _, m := range regexp.MustCompile(`(?s)(?:^|\n)(\d+) 0 obj\s*(.*?)\s*endobj`).FindAllSubmatch(in, -1) {
		if bytes.Contains(m[2], []byte(s)) {
			found, _ = strconv.Atoi(string(m[1]))
		}
	}
	return found
}

// withForm is a document with a text field "name" and an empty signature field "place".
func withForm() objects {
	o := onePage("/Annots [7 0 R 8 0 R]")
	o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm 9 0 R >>"
	o[7] = "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (old) /Rect [72 600 200 620] /P 3 0 R /DA (/F1 12 Tf) >>"
	o[8] = "<< /Type /Annot /Subtype /Widget /FT /Sig /T (place) /Rect [72 500 200 550] /P 3 0 R >>"
	o[9] = "<< /Fields [7 0 R 8 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 5 0 R >> >> >>"
	return o
}

// appendWithStream appends objects with a cross reference stream. Entries of move replace the place of an object.
func appendWithStream(in []byte, parts []string, size, self, prev int, move map[int]int) []byte {
	b := bytes.Clone(in)
	places := map[int]int{}
	for _, p := range parts {
		n, _ := strconv.Atoi(p[:strings.IndexByte(p, ' ')])
		places[n] = len(b)
		b = append(b, p...)
	}
	at := len(b)
	places[self] = at
	maps.Copy(places, move)
	var index, rows strings.Builder
	for _, n := range slices.Sorted(maps.Keys(places)) {
		fmt.Fprintf(&index, "%d 1 ", n)
		rows.Write([]byte{1, byte(places[n] >> 16), byte(places[n] >> 8), byte(places[n]), 0})
	}
	link := ""
	if prev != 0 {
		link = fmt.Sprintf(" /Prev %d", prev)
	}
	return fmt.Appendf(b, "%d 0 obj\n<< /Type /XRef /Size %d /W [1 3 1] /Index [%s] /Root 1 0 R%s /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		self, size, strings.TrimSpace(index.String()), link, rows.Len(), rows.String(), at)
}

// tinyWithStream is tiny with a cross reference stream.
func tinyWithStream() []byte {
	o := onePage("")
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(o)) {
		parts = append(parts, fmt.Sprintf("%d 0 obj\n%s\nendobj\n", n, o[n]))
	}
	return appendWithStream([]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), parts, 8, 7, 0, nil)
}
