package intake_test

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Documents of testdata/typeset are written once, in a small markup, and set by two office programs. A line is a paragraph:
//
//	^13 **ỦY BAN NHÂN DÂN**    centred, 13 pt; also < left, > right, = justified with an indent; without size 14 pt
//	.                          an empty line
//	[[ 40 60                   a table whose columns have these widths in parts of a hundred; [[# has borders
//	[|]  [-]  ]]               the next cell, the next row, the end of the table
//	---                        a new page; "--- landscape" also turns it
//	~3                         3 cm of nothing
//
// Within a line **bold**, __slanted__, ⇥ a tab to the middle of the page, // a line break.
type typeset struct {
	name      string
	blocks    []block
	landscape bool
	font      string
	margins   [4]float64 // top, right, bottom, left in cm
	base      float64    // added to every size of type
}

// A block is a paragraph, a table, a page break or a gap.
type block struct {
	align     byte
	size      float64
	text      string
	table     *table
	breaks    bool
	landscape bool
	gap       float64
}

type table struct {
	widths []float64
	border bool
	rows   [][][]block
}

// readTypeset reads a source.
func readTypeset(t testing.TB, file string) *typeset {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := &typeset{name: strings.TrimSuffix(filepath.Base(file), ".txt"), font: "Liberation Serif", margins: [4]float64{2, 2, 2, 3}}
	var open *table
	for n, ln := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		into := &doc.blocks
		if open != nil {
			row := open.rows[len(open.rows)-1]
			into = &row[len(row)-1]
		}
		switch {
		case ln == "landscape":
			doc.landscape = true
		case strings.HasPrefix(ln, "[["):
			open = &table{border: strings.HasPrefix(ln, "[[#"), rows: [][][]block{{nil}}}
			for _, f := range strings.Fields(strings.TrimLeft(ln, "[#")) {
				w, err := strconv.ParseFloat(f, 64)
				if err != nil {
					t.Fatalf("%s:%d: %v", file, n+1, err)
				}
				open.widths = append(open.widths, w)
			}
		case ln == "]]":
			doc.blocks = append(doc.blocks, block{table: open})
			open = nil
		case ln == "[|]":
			open.rows[len(open.rows)-1] = append(open.rows[len(open.rows)-1], nil)
		case ln == "[-]":
			open.rows = append(open.rows, [][]block{nil})
		default:
			*into = append(*into, readBlock(t, fmt.Sprintf("%s:%d", file, n+1), ln))
		}
	}
	return doc
}

var paragraphStart = regexp.MustCompile(`^([<^>=])(\d+(?:\.\d+)?)? ?(.*)$`)

func readBlock(t testing.TB, at, ln string) block {
	t.Helper()
	switch {
	case strings.HasPrefix(ln, "---"):
		return block{breaks: true, landscape: strings.HasSuffix(ln, "landscape")}
	case ln == "." || ln == "":
		return block{align: '<', size: 14}
	case strings.HasPrefix(ln, "~"):
		cm, err := strconv.ParseFloat(ln[1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		return block{gap: cm}
	}
	m := paragraphStart.FindStringSubmatch(ln)
	if m == nil {
		t.Fatalf("%s: what is %q?", at, ln)
	}
	size := 14.0
	if m[2] != "" {
		size, _ = strconv.ParseFloat(m[2], 64)
	}
	return block{align: m[1][0], size: size, text: m[3]}
}

// spans marks up the text of a paragraph, escaped, with what the format has for each style.
func spans(text, boldOn, boldOff, slantOn, slantOff, tab, brk string) string {
	s := html.EscapeString(text)
	for _, r := range [][3]string{{"**", boldOn, boldOff}, {"__", slantOn, slantOff}} {
		parts := strings.Split(s, r[0])
		var b strings.Builder
		for i, p := range parts {
			switch {
			case i == 0:
			case i%2 == 1:
				b.WriteString(r[1])
			default:
				b.WriteString(r[2])
			}
			b.WriteString(p)
		}
		s = b.String()
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "⇥", tab), " // ", brk)
}

// html is the source for Chromium.
func (d *typeset) html() string {
	var b strings.Builder
	paper := "A4"
	if d.landscape {
		paper = "A4 landscape"
	}
	fmt.Fprintf(&b, `<!DOCTYPE html><html lang=vi><head><meta charset=utf-8><title>%s</title><style>@page{size:%s;margin:%gcm %gcm %gcm %gcm}`+
		`@page wide{size:A4 landscape}body{margin:0;font-family:'%s'}p{margin:2pt 0;line-height:1.2}table{width:100%%;border-collapse:collapse}`+
		`td{vertical-align:top;padding:0 2pt}td p{margin:0}table.b td{border:1px solid black;padding:2pt 4pt}.t{display:inline-block;width:55%%}</style></head><body>`,
		html.EscapeString(d.name), paper, d.margins[0], d.margins[1], d.margins[2], d.margins[3], d.font)
	wide := false
	for _, k := range d.blocks {
		switch {
		case k.breaks && k.landscape:
			b.WriteString(`<div style="page:wide">`)
			wide = true
		case k.breaks:
			b.WriteString(`<div style="break-before:page"></div>`)
		default:
			d.htmlBlock(&b, k)
		}
	}
	if wide {
		b.WriteString("</div>")
	}
	b.WriteString("</body></html>")
	return b.String()
}

func (d *typeset) htmlBlock(b *strings.Builder, k block) {
	if k.gap > 0 {
		fmt.Fprintf(b, `<div style="height:%gcm"></div>`, k.gap)
		return
	}
	if k.table == nil {
		d.htmlParagraph(b, k)
		return
	}
	class := ""
	if k.table.border {
		class = " class=b"
	}
	fmt.Fprintf(b, "<table%s>", class)
	for _, row := range k.table.rows {
		b.WriteString("<tr>")
		for i, cell := range row {
			fmt.Fprintf(b, `<td width="%g%%">`, k.table.widths[min(i, len(k.table.widths)-1)])
			for _, c := range cell {
				d.htmlBlock(b, c)
			}
			b.WriteString("</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table>")
}

func (d *typeset) htmlParagraph(b *strings.Builder, k block) {
	style := map[byte]string{'<': "left", '^': "center", '>': "right", '=': "justify;text-indent:1.27cm"}[k.align]
	text := spans(k.text, "<b>", "</b>", "<i>", "</i>", "⇥", "<br>")
	if left, right, ok := strings.Cut(text, "⇥"); ok {
		text = `<span class=t>` + left + `</span>` + right
	}
	if text == "" {
		text = "&nbsp;"
	}
	fmt.Fprintf(b, `<p style="text-align:%s;font-size:%gpt">%s</p>`, style, k.size+d.base, text)
}

// fodt is the source for LibreOffice Writer: one flat OpenDocument file.
func (d *typeset) fodt() string {
	var styles, body strings.Builder
	w := &fodtWriter{doc: d, styles: &styles, seen: map[string]bool{}, next: "Standard"}
	for _, k := range d.blocks {
		w.block(&body, k)
	}
	pw, ph := 21.0, 29.7
	if d.landscape {
		pw, ph = ph, pw
	}
	layout := func(name string, w, h float64) string {
		return fmt.Sprintf(`<style:page-layout style:name="%s"><style:page-layout-properties fo:page-width="%gcm" fo:page-height="%gcm" fo:margin-top="%gcm" `+
			`fo:margin-right="%gcm" fo:margin-bottom="%gcm" fo:margin-left="%gcm"/></style:page-layout>`, name, w, h, d.margins[0], d.margins[1], d.margins[2], d.margins[3])
	}
	return `<?xml version="1.0" encoding="UTF-8"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" ` +
		`xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" ` +
		`xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" ` +
		`xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text">` +
		`<office:font-face-decls><style:font-face style:name="F" svg:font-family="'` + d.font + `'"/></office:font-face-decls><office:styles>` +
		`<style:default-style style:family="paragraph"><style:text-properties style:font-name="F" fo:font-size="14pt" fo:language="vi" fo:country="VN"/></style:default-style>` +
		`<style:style style:name="Standard" style:family="paragraph"/></office:styles><office:automatic-styles>` + layout("L", pw, ph) + layout("W", 29.7, 21) +
		`<style:style style:name="B" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style>` +
		`<style:style style:name="I" style:family="text"><style:text-properties fo:font-style="italic"/></style:style>` + styles.String() +
		`</office:automatic-styles><office:master-styles><style:master-page style:name="Standard" style:page-layout-name="L"/>` +
		`<style:master-page style:name="Wide" style:page-layout-name="W"/></office:master-styles><office:body><office:text>` + body.String() +
		`</office:text></office:body></office:document>`
}

type fodtWriter struct {
	doc    *typeset
	styles *strings.Builder
	seen   map[string]bool
	tables int
	breaks bool   // the next paragraph begins a page
	next   string // the master page it then has
}

func (w *fodtWriter) block(b *strings.Builder, k block) {
	switch {
	case k.breaks:
		w.breaks = true
		if k.landscape {
			w.next = "Wide"
		}
	case k.gap > 0:
		fmt.Fprintf(b, `<text:p text:style-name="%s"/>`, w.style('<', 2, k.gap, 0))
	case k.table != nil:
		w.table(b, k.table)
	default:
		text := spans(k.text, `<text:span text:style-name="B">`, `</text:span>`, `<text:span text:style-name="I">`, `</text:span>`, `<text:tab/>`, `<text:line-break/>`)
		fmt.Fprintf(b, `<text:p text:style-name="%s">%s</text:p>`, w.style(k.align, k.size+w.doc.base, 0, 2), text)
	}
}

// style declares the paragraph style on its first use.
func (w *fodtWriter) style(align byte, size, above, between float64) string {
	name := strings.NewReplacer(".", "p", "<", "l", "^", "c", ">", "r", "=", "j").Replace(fmt.Sprintf("P%c%g_%g_%g", align, size, above, between))
	extra := ""
	if w.breaks {
		w.breaks = false
		name += "b" + w.next
		extra = ` fo:break-before="page"`
		if w.next == "Wide" {
			extra = ` style:master-page-name="Wide"`
		}
	}
	if w.seen[name] {
		return name
	}
	w.seen[name] = true
	how := map[byte]string{'<': `fo:text-align="left"`, '^': `fo:text-align="center"`, '>': `fo:text-align="right"`,
		'=': `fo:text-align="justify" fo:text-indent="1.27cm"`}[align]
	master, breaks := "", extra
	if strings.Contains(extra, "master") {
		master, breaks = extra, ""
	}
	fmt.Fprintf(w.styles, `<style:style style:name="%s" style:family="paragraph" style:parent-style-name="Standard"%s><style:paragraph-properties %s%s `+
		`fo:margin-top="%gpt" fo:margin-bottom="%gpt"><style:tab-stops><style:tab-stop style:position="9cm"/></style:tab-stops></style:paragraph-properties>`+
		`<style:text-properties fo:font-size="%gpt"/></style:style>`, name, master, how, breaks, above*72/2.54, between, size)
	return name
}

func (w *fodtWriter) table(b *strings.Builder, t *table) {
	w.tables++
	name := fmt.Sprintf("T%d", w.tables)
	width := 21 - w.doc.margins[1] - w.doc.margins[3]
	if w.doc.landscape || w.next == "Wide" {
		width = 29.7 - w.doc.margins[1] - w.doc.margins[3]
	}
	border := "none"
	if t.border {
		border = "0.5pt solid #000000"
	}
	brk := ""
	if w.breaks {
		w.breaks, brk = false, ` fo:break-before="page"`
	}
	fmt.Fprintf(w.styles, `<style:style style:name="%s" style:family="table"><style:table-properties style:width="%gcm" table:align="left"%s/></style:style>`, name, width, brk)
	fmt.Fprintf(w.styles, `<style:style style:name="%sc" style:family="table-cell"><style:table-cell-properties fo:border="%s" fo:padding="0.05cm"/></style:style>`, name, border)
	fmt.Fprintf(b, `<table:table table:name="%s" table:style-name="%s">`, name, name)
	for i, part := range t.widths {
		fmt.Fprintf(w.styles, `<style:style style:name="%s.%d" style:family="table-column"><style:table-column-properties style:column-width="%.2fcm"/></style:style>`, name, i, width*part/100)
		fmt.Fprintf(b, `<table:table-column table:style-name="%s.%d"/>`, name, i)
	}
	for _, row := range t.rows {
		b.WriteString("<table:table-row>")
		for _, cell := range row {
			fmt.Fprintf(b, `<table:table-cell table:style-name="%sc" office:value-type="string">`, name)
			for _, c := range cell {
				w.block(b, c)
			}
			b.WriteString("</table:table-cell>")
		}
		b.WriteString("</table:table-row>")
	}
	b.WriteString("</table:table>")
}

// printWriter sets documents with LibreOffice Writer, all in one run, and gives the PDF files by name.
func printWriter(t testing.TB, docs []*typeset) map[string]string {
	t.Helper()
	needTool(t, "soffice", "libreoffice-writer-nogui")
	dir := t.TempDir()
	args := []string{"-env:UserInstallation=file://" + filepath.Join(dir, "profile"), "--headless", "--convert-to", "pdf", "--outdir", dir}
	out := make(map[string]string)
	for _, d := range docs {
		src := filepath.Join(dir, d.name+".fodt")
		if err := os.WriteFile(src, []byte(d.fodt()), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, src)
		out[d.name] = filepath.Join(dir, d.name+".pdf")
	}
	if said, err := exec.CommandContext(t.Context(), "soffice", args...).CombinedOutput(); err != nil {
		t.Fatalf("soffice: %v: %s", err, said)
	}
	for name, file := range out {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("soffice did not print %s", name)
		}
	}
	return out
}

// printChromium sets a document with Chromium.
func printChromium(t testing.TB, d *typeset) string {
	t.Helper()
	needTool(t, "chromium", "chromium")
	dir := t.TempDir()
	src, dst := filepath.Join(dir, d.name+".html"), filepath.Join(dir, d.name+".pdf")
	if err := os.WriteFile(src, []byte(d.html()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+dir,
		"--no-pdf-header-footer", "--print-to-pdf="+dst, "file://"+src)
	said, err := cmd.CombinedOutput()
	if b, _ := os.ReadFile(dst); err != nil || !bytes.HasPrefix(b, []byte("%PDF-")) {
		t.Fatalf("chromium: %v: %s", err, said)
	}
	return dst
}
