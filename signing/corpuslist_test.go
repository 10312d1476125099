package signing_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// corpus lists the files: producers first, then what qpdf and mutool make of them, then shapes written by hand.
func corpus() []shape {
	return slices.Concat(officeShapes(), webShapes(), ghostscriptShapes(), cairoShapes(), scanShapes(), mupdfShapes(), qpdfShapes(),
		handShapes(), damagedShapes())
}

func officeShapes() []shape {
	var out []shape
	add := func(name, doc, filter string) {
		out = append(out, shape{name: "office/" + name, make: func(f *factory) []byte { return f.bytes(f.office(doc, filter)) }})
	}
	for _, doc := range []string{"letter", "pages", "a3", "top"} {
		add(doc, doc, "")
	}
	for _, c := range []struct {
		name string
		v    int
	}{{"pdfa1b", 1}, {"pdfa2b", 2}, {"pdfa3b", 3}, {"1.5", 15}, {"1.6", 16}, {"1.7", 17}} {
		add("letter "+c.name, "letter", officeOption("SelectPdfVersion", c.v))
	}
	add("pages pdfa1b", "pages", officeOption("SelectPdfVersion", 1))
	add("letter tagged", "letter", officeOption("UseTaggedPDF", true))
	add("letter ua", "letter", officeOption("PDFUACompliance", true))
	add("letter form", "letter", officeOption("ExportFormFields", true))
	slices.SortFunc(out, func(a, b shape) int { return strings.Compare(a.name, b.name) })
	return out
}

func webShapes() []shape {
	pages := map[string]string{"letter": htmlText("", 5), "landscape": htmlText("@page{size:A4 landscape}", 5), "a3": htmlText("@page{size:A3}", 9),
		"long": htmlText("", 120), "card": htmlText("@page{size:80mm 60mm;margin:2mm} body{font-size:6pt}", 1)}
	var out []shape
	for _, name := range []string{"letter", "landscape", "a3", "long", "card"} {
		out = append(out, shape{name: "chromium/" + name, make: func(f *factory) []byte { return f.bytes(f.chromium(name, pages[name])) }})
	}
	return append(out, shape{name: "chromium/tagged", make: func(f *factory) []byte {
		return f.bytes(f.chromium("tagged", htmlText("", 5), "--export-tagged-pdf"))
	}})
}

func ghostscriptShapes() []shape {
	common := []string{"-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=pdfwrite", "-sOutputFile=OUT"}
	gs := func(name string, base func(*factory) string, args ...string) shape {
		return by("ghostscript/"+name, "gs", base, slices.Concat(common, args, []string{"IN"})...)
	}
	var out []shape
	for _, v := range []string{"1.3", "1.4", "1.5", "1.6", "1.7", "2.0"} {
		out = append(out, gs(v, letterOf, "-dCompatibilityLevel="+v))
	}
	for _, v := range []string{"screen", "ebook", "printer", "prepress"} {
		out = append(out, gs(v, webOf, "-dPDFSETTINGS=/"+v))
	}
	out = append(out, gs("linear", letterOf, "-dFastWebView=true"), gs("many pages", pagesOf), gs("pdfa", letterOf, "-dPDFA=2", "-sColorConversionStrategy=RGB"),
		gs("no compression", letterOf, "-dCompressPages=false", "-dCompressFonts=false"))
	postscript := func(f *factory) string {
		base := letterOf(f)
		return f.file("letter.ps", func(out string) { mustRun(f.t, "pdftops", base, out) })
	}
	return append(out, by("ghostscript/ps2pdf", "ps2pdf", postscript, "IN", "OUT"), by("ghostscript/ps2pdf13", "ps2pdf13", postscript, "IN", "OUT"))
}

func cairoShapes() []shape {
	svg := func(f *factory) string { return f.svg() }
	two := func(name string, args ...string) shape {
		return shape{name: "poppler/" + name, make: func(f *factory) []byte {
			return f.bytes(f.produce(name+".pdf", "pdfunite", letterOf(f), webOf(f), "OUT"))
		}}
	}
	return []shape{
		by("cairo/letter", "pdftocairo", letterOf, "-pdf", "IN", "OUT"),
		by("cairo/pages", "pdftocairo", pagesOf, "-pdf", "IN", "OUT"),
		by("cairo/chromium", "pdftocairo", webOf, "-pdf", "IN", "OUT"),
		by("cairo/a4", "pdftocairo", webOf, "-pdf", "-paper", "A4", "IN", "OUT"),
		by("cairo/landscape", "pdftocairo", webOf, "-pdf", "-paperw", "842", "-paperh", "595", "IN", "OUT"),
		by("rsvg/drawing", "rsvg-convert", svg, "-f", "pdf", "-o", "OUT", "IN"),
		by("rsvg/zoomed", "rsvg-convert", svg, "-f", "pdf", "-z", "3", "-o", "OUT", "IN"),
		two("united"),
		by("poppler/page 2", "pdfseparate", pagesOf, "-f", "2", "-l", "2", "IN", "OUT"),
	}
}

func scanShapes() []shape {
	png := func(f *factory) string { return f.image("png") }
	jpg := func(f *factory) string { return f.image("jpg") }
	ocr := shape{name: "tesseract/searchable", make: func(f *factory) []byte {
		img := png(f)
		return f.bytes(f.file("tesseract.pdf", func(out string) {
			mustRun(f.t, "tesseract", img, strings.TrimSuffix(out, ".pdf"), "-l", "vie", "--psm", "6", "pdf")
		}))
	}}
	return []shape{
		by("img2pdf/png", "img2pdf", png, "IN", "-o", "OUT"), by("img2pdf/jpeg a4", "img2pdf", jpg, "--pagesize", "A4", "IN", "-o", "OUT"),
		by("img2pdf/landscape", "img2pdf", jpg, "--pagesize", "A4^T", "IN", "-o", "OUT"), ocr,
		by("gs/scan", "gs", func(f *factory) string { return f.produce("img.pdf", "img2pdf", jpg(f), "-o", "OUT") }, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", "-sOutputFile=OUT", "IN"),
		by("gs/fax", "gs", letterOf, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfimage8", "-r72", "-sOutputFile=OUT", "IN"),
		by("gs/colour scan", "gs", letterOf, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfimage24", "-r72", "-sOutputFile=OUT", "IN"),
	}
}

func mupdfShapes() []shape {
	var out []shape
	for _, c := range []struct{ name, flag string }{{"garbage", "-gggg"}, {"ascii", "-a"}, {"linear", "-l"}, {"sanitised", "-s"}, {"expanded", "-d"}, {"compressed", "-z"}} {
		if c.name == "linear" {
			c.flag = "-gg"
		}
		out = append(out, by("mutool/"+c.name, "mutool", letterOf, "clean", c.flag, "IN", "OUT"))
	}
	slices.SortFunc(out, func(a, b shape) int { return strings.Compare(a.name, b.name) })
	html := func(f *factory) string {
		return f.source("mupdf.xhtml", strings.Replace(htmlText("", 4), "<!doctype html>", "", 1))
	}
	create := func(f *factory) string {
		return f.source("create.txt", "%%MediaBox 0 0 595 842\n%%Font F Times-Roman\nBT /F 14 Tf 72 700 Td (Cong van) Tj ET\n")
	}
	return append(out, by("mutool/convert svg", "mutool", func(f *factory) string { return f.svg() }, "convert", "-o", "OUT", "IN"),
		by("mutool/convert html", "mutool", html, "convert", "-o", "OUT", "IN"),
		by("mutool/convert png", "mutool", func(f *factory) string { return f.image("png") }, "convert", "-o", "OUT", "IN"),
		by("mutool/create", "mutool", create, "create", "-o", "OUT", "IN"),
		by("mutool/poster", "mutool", letterOf, "poster", "-x", "2", "IN", "OUT"),
		by("mutool/merge", "mutool", pagesOf, "merge", "-o", "OUT", "IN", "1-2"))
}

func qpdfShapes() []shape {
	q := func(name string, base func(*factory) string, args ...string) shape {
		return by("qpdf/"+name, "qpdf", base, append([]string{"--deterministic-id", "IN", "OUT"}, args...)...)
	}
	var out []shape
	for _, v := range []string{"1.3", "1.4", "1.5", "1.6", "1.7", "2.0"} {
		out = append(out, q("version "+v, letterOf, "--force-version="+v))
	}
	for i, base := range []func(*factory) string{letterOf, webOf, pagesOf} {
		name := []string{"office", "chromium", "pages"}[i]
		for _, v := range []string{"generate", "preserve", "disable"} {
			out = append(out, q(name+" objects "+v, base, "--object-streams="+v))
		}
		out = append(out, q(name+" linear", base, "--linearize"), q(name+" linear objects", base, "--linearize", "--object-streams=generate"),
			q(name+" line ends", base, "--newline-before-endstream"), q(name+" uncompressed", base, "--stream-data=uncompress"),
			q(name+" qdf", base, "--qdf"), q(name+" recompressed", base, "--recompress-flate", "--compression-level=9"))
		for _, angle := range []string{"90", "180", "270"} {
			out = append(out, q(name+" rotated "+angle, base, "--rotate=+"+angle))
		}
	}
	out = append(out, q("pages 2 to 3", pagesOf, "--pages", ".", "2-3", "--"), q("reversed", pagesOf, "--pages", ".", "z-1", "--"),
		q("twice", letterOf, "--pages", ".", ".", "--"), q("flat", letterOf, "--flatten-annotations=all"), q("no metadata stream", letterOf, "--remove-page-labels"),
		q("coalesced", webOf, "--coalesce-contents"), q("overlay", func(f *factory) string { return letterOf(f) }, "--overlay", "IN", "--"))
	for _, e := range []struct{ name, bits, more string }{{"40", "40", ""}, {"128 rc4", "128", "--use-aes=n"}, {"128 aes", "128", "--use-aes=y"}, {"256", "256", ""}, {"256 objects", "256", ""}} {
		args := []string{"IN", "OUT", "--allow-weak-crypto", "--encrypt", "", "owner", e.bits}
		if e.more != "" {
			args = append(args, e.more)
		}
		args = append(args, "--")
		if strings.Contains(e.name, "objects") {
			args = append(args, "--object-streams=generate")
		}
		out = append(out, by("qpdf/encrypted "+e.name, "qpdf", letterOf, args...))
	}
	locked := by("qpdf/password", "qpdf", letterOf, "IN", "OUT", "--encrypt", "secret", "owner", "256", "--")
	locked.refused = "encrypted"
	return append(out, locked)
}

func fixed(name string, b func() []byte, refused string) shape {
	return shape{"hand/" + name, func(*factory) []byte { return b() }, refused}
}

// but is the same shape, refused with a code.
func (s shape) but(code string) shape {
	s.refused = code
	return s
}

func handShapes() []shape {
	page := func(name, extra string) shape { return fixed(name, func() []byte { return build(onePage(extra)) }, "") }
	with := func(name string, change func(o objects)) shape {
		return fixed(name, func() []byte {
			o := onePage("")
			change(o)
			return build(o)
		}, "")
	}
	media := func(name, box string) shape {
		return with(name, func(o objects) { o[3] = strings.Replace(o[3], "[0 0 595 842]", box, 1) })
	}
	out := []shape{
		page("plain", ""), page("rotated 90", "/Rotate 90"), page("rotated 180", "/Rotate 180"), page("rotated -90", "/Rotate -90"), page("rotated 450", "/Rotate 450"),
		page("cropped", "/CropBox [50 60 400 500]"), page("cropped beyond", "/CropBox [-50 -60 4000 5000]"), page("user unit", "/UserUnit 2.5"), page("empty annots", "/Annots []"),
		media("landscape", "[0 0 842 595]"), media("a3", "[0 0 842 1191]"), media("a0", "[0 0 2384 3370]"), media("tiny page", "[0 0 100 60]"), media("shifted", "[-300 -400 295 442]"),
		media("corners swapped", "[595 842 0 0]"), media("real numbers", "[0. 0. 595.276 841.89]"), media("very long", "[0 0 595 14400]"),
		with("inherited", func(o objects) {
			o[2] = "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 842] /Rotate 90 /CropBox [10 10 500 800] /Resources << /Font << /F1 5 0 R >> >> >>"
			o[3] = "<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>"
		}),
		with("no contents", func(o objects) { o[3] = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"; delete(o, 4) }),
		with("contents in pieces", func(o objects) {
			o[3] = strings.Replace(o[3], "/Contents 4 0 R", "/Contents [4 0 R 4 0 R]", 1)
		}),
		with("indirect media box", func(o objects) { o[3] = strings.Replace(o[3], "[0 0 595 842]", "7 0 R", 1); o[7] = "[0 0 595 842]" }),
		with("indirect annots", func(o objects) { o[3] = strings.Replace(o[3], "/Contents", "/Annots 7 0 R /Contents", 1); o[7] = "[]" }),
		with("deep page tree", func(o objects) {
			o[2] = "<< /Type /Pages /Kids [100 0 R] /Count 1 >>"
			for i := range 20 {
				o[100+i] = fmt.Sprintf("<< /Type /Pages /Parent %d 0 R /Kids [%d 0 R] /Count 1 >>", max(2, 99+i), 101+i)
			}
			o[100] = strings.Replace(o[100], "/Parent 99", "/Parent 2", 1)
			o[119] = "<< /Type /Pages /Parent 118 0 R /Kids [3 0 R] /Count 1 >>"
			o[3] = strings.Replace(o[3], "/Parent 2 0 R", "/Parent 119 0 R", 1)
		}),
		with("xfa", func(o objects) {
			o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [] /XFA 7 0 R >> >>"
			o[7] = "<< /Length 11 >>\nstream\n<xdp></xdp>\nendstream"
		}).but("xfa"),
		fixed("form", func() []byte { return build(withForm()) }, ""), fixed("cross reference stream", tinyWithStream, ""),
		fixed("updated twice", func() []byte { return update(update(tiny(), objects{4: content("Pay 200")}), objects{7: "(x)"}) }, ""),
		fixed("freed object", func() []byte {
			return bytes.Replace(update(tiny(), objects{6: "null"}), []byte("00000 n \ntrailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R /Prev"), []byte("00001 f \ntrailer\n<< /Size 7 /Root 1 0 R /Prev"), 1)
		}, ""),
		fixed("hybrid", hybrid, ""),
		fixed("no line end", func() []byte { return bytes.TrimRight(tiny(), "\n") }, ""), fixed("return line end", func() []byte { return append(bytes.TrimRight(tiny(), "\n"), '\r') }, ""),
		fixed("blank lines behind", func() []byte { return append(tiny(), "\r\n\r\n   \n"...) }, ""), fixed("zeros behind", func() []byte { return append(tiny(), make([]byte, 300)...) }, ""),
		fixed("comment behind", func() []byte { return append(tiny(), "% printed by hand\n"...) }, ""),
		fixed("certified 1", func() []byte { return certified(1) }, "no_changes"), fixed("certified 2", func() []byte { return certified(2) }, ""), fixed("certified 3", func() []byte { return certified(3) }, ""),
	}
	names, _ := filepath.Glob("testdata/*.pdf")
	for _, n := range names {
		s := shape{name: strings.TrimPrefix(n, "testdata/"), make: func(f *factory) []byte { return f.bytes(n) }}
		if n == "testdata/password.pdf" {
			s.refused = "encrypted"
		}
		out = append(out, s)
	}
	return out
}

func certified(p int) []byte {
	o := withForm()
	o[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm 9 0 R /Perms << /DocMDP 10 0 R >> >>"
	o[10] = fmt.Sprintf("<< /Type /Sig /Reference [<< /TransformMethod /DocMDP /TransformParams << /P %d >> >>] >>", p)
	return build(o)
}

// hybrid has a table for old readers that names a stream for new ones (ISO 32000-1 §7.5.8.4).
func hybrid() []byte {
	head := []byte("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
	o := onePage("")
	o[4] = content("Pay 100")
	var b bytes.Buffer
	b.Write(head)
	place := map[int]int{}
	for _, n := range []int{1, 2, 3, 4, 5, 6} {
		place[n] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n, o[n])
	}
	place[7] = b.Len()
	fmt.Fprintf(&b, "7 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Length 14 >>\nstream\n8 0 (hidden one)\nendstream\nendobj\n")
	stm := b.Len()
	row := []byte{2, 0, 0, 7, 0}
	fmt.Fprintf(&b, "9 0 obj\n<< /Type /XRef /Size 10 /W [1 3 1] /Index [8 1] /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(row), row)
	at := b.Len()
	b.WriteString("xref\n0 8\n0000000000 65535 f \n")
	for n := 1; n <= 7; n++ {
		fmt.Fprintf(&b, "%010d 00000 n \n", place[n])
	}
	fmt.Fprintf(&b, "trailer\n<< /Size 10 /Root 1 0 R /Info 6 0 R /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n", stm, at)
	return b.Bytes()
}

func damagedShapes() []shape {
	letter := func() []byte { b, _ := os.ReadFile("testdata/letter.pdf"); return b }
	cut := func(part, of int) func() []byte { return func() []byte { b := letter(); return b[:len(b)*part/of] } }
	replace := func(old, with string) func() []byte {
		return func() []byte { return bytes.Replace(tiny(), []byte(old), []byte(with), 1) }
	}
	return []shape{
		fixed("empty", func() []byte { return nil }, "empty"), fixed("text", func() []byte { return []byte("Công văn") }, "not_pdf"),
		fixed("zip", func() []byte { return []byte("PK\x03\x04aaaaaaaaaaaaaaaaaa") }, "not_pdf"),
		fixed("postscript", func() []byte { return []byte("%!PS-Adobe-3.0\nshowpage\n") }, "not_pdf"),
		fixed("cut to a half", cut(1, 2), "damaged"), fixed("cut near the end", cut(99, 100), "damaged"), fixed("header alone", func() []byte { return []byte("%PDF-1.7\n") }, "damaged"),
		fixed("junk before the header", func() []byte { return append([]byte("HTTP/1.1 200 OK\r\n\r\n"), tiny()...) }, "damaged"),
		fixed("long junk behind", func() []byte { return append(tiny(), bytes.Repeat([]byte("junk "), 1000)...) }, "damaged"),
		fixed("wrong startxref", func() []byte { return bytes.Replace(tiny(), []byte("startxref\n"), []byte("startxref\n1"), 1) }, "damaged"),
		fixed("wrong entry", replace("0000000015 00000 n", "0000000019 00000 n"), "damaged"),
		fixed("no catalog", replace("/Root 1 0 R", "/Roof 1 0 R"), "damaged"),
		fixed("no pages", replace("/Pages 2 0 R", "/Pagan 2 0 R"), "damaged"),
		fixed("line ends changed", func() []byte { return bytes.ReplaceAll(tiny(), []byte("\n"), []byte("\r\n")) }, "damaged"),
		fixed("two files in one", func() []byte { return append(letter(), tiny()...) }, "damaged"),
	}
}
