package intake_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
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

// hostileFiles are made to keep a reader busy or to fill its memory.
func hostileFiles(t testing.TB) map[string][]byte {
	good := sample(t, "02-cong-van-stttt")
	text := []byte("<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>")
	bomb := deflated(bytes.Repeat([]byte("q Q "), 8<<20)) // 32 MB of operators
	var nest [][]byte
	for i := range 60 {
		nest = append(nest, stream(fmt.Sprintf("/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</A %d 0 R>>>>", min(i+4, 62)), []byte("/A Do /A Do")))
	}
	picture := func(dots int) []byte {
		return onePage("", "/Resources<</XObject<</I 3 0 R>>>>/Contents 4 0 R", stream(fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %[1]d/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode", dots),
			deflated(make([]byte, min(3*dots*dots, 64<<20)))), stream("", []byte("500 0 0 500 0 0 cm /I Do")))
	}
	return map[string][]byte{
		"a wrong place of the table": bytes.Replace(textPDF(1, plainText), []byte("startxref\n"), []byte("startxref\n9"), 1),
		"a table of junk":            bytes.Replace(textPDF(1, plainText), []byte("0000000000 65535 f"), []byte("zzzzzzzzzz 65535 q"), 1),
		"a circle of pages":          writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]/Parent 2 0 R>>")}),
		"forms in forms, doubling":   onePage("", "/Resources<</XObject<</A 3 0 R>>>>/Contents 63 0 R", append(nest, stream("", []byte("/A Do")))...),
		"a stream of 32 MB":          onePage("", "/Contents 3 0 R", stream("/Filter/FlateDecode", bomb)),
		"eight million texts":        endless(),
		"a picture of 60,000 dots":   picture(60_000),
		"a picture of 12,000 dots":   picture(12_000),
		"scripts and launching":      onePage("/OpenAction<</S/Launch/F(/bin/sh)/Next<</S/JavaScript/JS(while\\(1\\);)>>>>/AcroForm<</XFA(<xdp/>)>>", "/Resources<</Font<</F 3 0 R>>>>/Contents 4 0 R", text, stream("", []byte(plainText))),
		"the header in the middle":   append(bytes.Repeat([]byte("x"), 900), good...),
		"cut and ended":              append(bytes.Clone(good[:len(good)*2/3]), "\n%%EOF\n"...),
		"48 MB, most of it nothing":  append(bytes.Clone(textPDF(1, plainText)), append(bytes.Repeat([]byte("% nothing\n"), 48<<20/10), "%%EOF\n"...)...),
	}
}

// TestHostileFilesEndInTime: each gives a draft or a problem worded for the clerk, within the time limit and in bounded
// memory, and the reader goes on. Its log is the table of the memory that each file takes.
func TestHostileFilesEndInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("files that want all the time and memory there is")
	}
	const most = 512 + 768 // MB that a child may have
	for name, data := range hostileFiles(t) {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, intake.Options{Workers: 1})
			if _, err := r.Read(t.Context(), "warm.pdf", textPDF(1, plainText)); err != nil {
				t.Fatal(err)
			}
			forgetPeak(t)
			start := time.Now()
			d, err := r.ReadCall(t.Context(), "x.pdf", data, intake.Call{Timeout: 8 * time.Second})
			took, peak := time.Since(start), r.ChildPeak()
			var p *intake.Problem
			if err != nil && (!errors.As(err, &p) || !strings.ContainsAny(p.Error(), "ệăơưđảấậếộ")) {
				t.Errorf("error without a wording for the clerk: %v", err)
			}
			if err == nil && d.Pages < 1 {
				t.Errorf("draft %+v", d)
			}
			if peak > most {
				t.Errorf("the child took %.0f MB", peak)
			}
			if d, err := r.Read(t.Context(), "next.pdf", textPDF(1, plainText)); err != nil || d.Pages != 1 {
				t.Errorf("the next document: %v", err)
			}
			t.Logf("%-27s %5.1f s, child %4.0f MB, this process %4.0f MB, ends as: %v", name, took.Seconds(), peak, peakMemory(t), err)
		})
	}
}

// forgetPeak has the kernel begin anew with the most memory this process has had.
func forgetPeak(t testing.TB) {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Logf("peaks include those before: %v", err)
	}
}

// TestMemoryOfAChildIsBounded: what wants more than an instance may have is the problem of its file.
func TestMemoryOfAChildIsBounded(t *testing.T) {
	r := newReader(t, intake.Options{Workers: 1, MemoryPages: 32 << 4}) // 32 MB
	_, err := r.Read(t.Context(), "x.pdf", hostileFiles(t)["48 MB, most of it nothing"])
	var p *intake.Problem
	if !errors.As(err, &p) || p.Code != intake.TooComplex {
		t.Errorf("error %v", err)
	}
	if d, err := r.Read(t.Context(), "next.pdf", textPDF(1, plainText)); err != nil || d.Pages != 1 {
		t.Errorf("the next document: %v", err)
	}
}
