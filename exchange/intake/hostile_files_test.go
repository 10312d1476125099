package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"congvan/exchange/intake"
)

// onePage makes a PDF of one page out of the entries of its catalog and page, and objects from 3 on.
func onePage(catalog, entries string, objects ...[]byte) []byte {
	all := [][]byte{[]byte("<</Type/Catalog/Pages<</Type/Pages/Count 1/Kids[2 0 R]>>" + catalog + ">>"),
		[]byte("<</Type/Page/MediaBox[0 0 595 842]" + entries + ">>")}
	return writePDF(append(all, objects...))
}

// TestHostileFilesEndInTime: each gives a draft or a problem worded for the clerk, within the time limit, and the reader goes on.
func TestHostileFilesEndInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("two of the files take ten seconds and more")
	}
	r := openReader(t)
	good := sample(t, "02-cong-van-stttt")
	text := []byte("<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>")
	bomb := deflated(bytes.Repeat([]byte("q Q "), 8<<20)) // 32 MB of operators
	var nest [][]byte
	for i := range 60 {
		nest = append(nest, stream(fmt.Sprintf("/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</A %d 0 R>>>>", min(i+4, 62)), []byte("/A Do /A Do")))
	}
	for name, data := range map[string][]byte{
		"a wrong place of the table": bytes.Replace(textPDF(1, plainText), []byte("startxref\n"), []byte("startxref\n9"), 1),
		"a table of junk":            bytes.Replace(textPDF(1, plainText), []byte("0000000000 65535 f"), []byte("zzzzzzzzzz 65535 q"), 1),
		"a circle of pages":          writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]/Parent 2 0 R>>")}),
		"forms in forms, doubling":   onePage("", "/Resources<</XObject<</A 3 0 R>>>>/Contents 63 0 R", append(nest, stream("", []byte("/A Do")))...),
		"a stream of 32 MB":          onePage("", "/Contents 3 0 R", stream("/Filter/FlateDecode", bomb)),
		"a picture of huge size":     onePage("", "/Resources<</XObject<</I 3 0 R>>>>/Contents 4 0 R", stream("/Type/XObject/Subtype/Image/Width 60000/Height 60000/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode", deflated(make([]byte, 1<<20))), stream("", []byte("500 0 0 500 0 0 cm /I Do"))),
		"scripts and launching":      onePage("/OpenAction<</S/Launch/F(/bin/sh)/Next<</S/JavaScript/JS(while\\(1\\);)>>>>/AcroForm<</XFA(<xdp/>)>>", "/Resources<</Font<</F 3 0 R>>>>/Contents 4 0 R", text, stream("", []byte(plainText))),
		"the header in the middle":   append(bytes.Repeat([]byte("x"), 900), good...),
		"cut and ended":              append(bytes.Clone(good[:len(good)*2/3]), "\n%%EOF\n"...),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			d, err := r.Read(ctx, "x.pdf", data)
			var p *intake.Problem
			if err != nil && (!errors.As(err, &p) || !strings.ContainsAny(p.Error(), "ệăơưđảấậếộ")) {
				t.Errorf("error without a wording for the clerk: %v", err)
			}
			if err == nil && d.Pages < 1 {
				t.Errorf("draft %+v", d)
			}
			if d, err := r.Read(t.Context(), "next.pdf", textPDF(1, plainText)); err != nil || d.Pages != 1 {
				t.Errorf("the next document: %v", err)
			}
			t.Logf("ends as: %v", err)
		})
	}
}
