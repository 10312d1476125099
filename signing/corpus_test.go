package signing_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"congvan/signing"
)

var corpusFlag = flag.String("corpus", "", `"all" seals every file of the corpus, not a sample of it`)

// A shape is one PDF file of the corpus: how it is made, and the code of the refusal when it cannot bear a seal.
type shape struct {
	name    string
	make    func(f *factory) []byte
	refused string
}

// A factory makes files with the programs that are installed and keeps them in a folder, because some take long.
type factory struct {
	t   testing.TB
	dir string
}

// newFactory keeps what it makes between runs on a desk; CI starts with an empty folder.
func newFactory(t testing.TB) *factory {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("congvan-test-pdf-%d-v1", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &factory{t, dir}
}

// file returns the path of a file that make writes at its first use.
func (f *factory) file(name string, make func(out string)) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	tmp := filepath.Join(f.t.TempDir(), name)
	if err := os.MkdirAll(filepath.Dir(tmp), 0o700); err != nil {
		f.t.Fatal(err)
	}
	make(tmp)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if b, err := os.ReadFile(tmp); err != nil || os.WriteFile(path+".tmp", b, 0o600) != nil || os.Rename(path+".tmp", path) != nil {
		f.t.Fatalf("make %s: %v", name, err)
	}
	return path
}

// source writes a text file that a producer reads.
func (f *factory) source(name, text string) string {
	return f.file(name, func(out string) { os.WriteFile(out, []byte(text), 0o600) })
}

// produce runs a program whose arguments hold OUT for the file to be written.
func (f *factory) produce(name, program string, args ...string) string {
	f.t.Helper()
	return f.file(name, func(out string) {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "OUT", out)
		}
		text, err := run(f.t, program, args...)
		if _, gone := os.Stat(out); gone != nil { // qpdf and others exit with 3 for a warning
			f.t.Fatalf("%s %q: %v\n%s", program, args, err, text)
		}
	})
}

const paragraph = "Căn cứ Luật Tổ chức chính quyền địa phương, theo đề nghị của ông Nguyễn Trọng Nghĩa, Giám đốc Sở, " +
	"Ủy ban nhân dân tỉnh yêu cầu các sở, ban, ngành, Ủy ban nhân dân các huyện, thành phố triển khai thực hiện."

// officeText is a flat OpenDocument text; page is the page's properties.
func officeText(page string, paragraphs int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text">
<office:meta><dc:title>Công văn</dc:title></office:meta>
<office:styles><style:default-style style:family="paragraph"><style:text-properties style:font-name="Liberation Serif" fo:font-size="13pt" fo:language="vi" fo:country="VN"/></style:default-style></office:styles>
<office:automatic-styles><style:style style:name="R" style:family="paragraph"><style:paragraph-properties fo:text-align="end"/></style:style><style:page-layout style:name="p"><style:page-layout-properties ` + page + `/></style:page-layout></office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="p"/></office:master-styles>
<office:body><office:text><text:p text:style-name="R">CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM</text:p><text:p text:style-name="R">Độc lập - Tự do - Hạnh phúc</text:p>
<text:h text:outline-level="1">CÔNG VĂN</text:h>`)
	for range paragraphs {
		b.WriteString("<text:p>" + paragraph + "</text:p>")
	}
	b.WriteString("</office:text></office:body></office:document>")
	return b.String()
}

const (
	a4Page  = `fo:page-width="210mm" fo:page-height="297mm" fo:margin-top="20mm" fo:margin-bottom="20mm" fo:margin-left="30mm" fo:margin-right="15mm"`
	a3Page  = `fo:page-width="420mm" fo:page-height="297mm" style:print-orientation="landscape" fo:margin="20mm"`
	topPage = `fo:page-width="210mm" fo:page-height="297mm" fo:margin-top="5mm" fo:margin-bottom="20mm" fo:margin-left="30mm" fo:margin-right="5mm"`
)

var officeTexts = map[string]string{"letter": officeText(a4Page, 3), "pages": officeText(a4Page, 60), "a3": officeText(a3Page, 4), "top": officeText(topPage, 3)}

// office converts with LibreOffice; filter are the options of its PDF export.
func (f *factory) office(doc, filter string) string {
	src := f.source("office-"+doc+".fodt", officeTexts[doc])
	tag := strings.NewReplacer(`"`, "", "{", "", "}", "", ":", "-", ",", "-", "type", "", "value", "", "long", "", "boolean", "").Replace(filter)
	return f.file("office-"+doc+tag+".pdf", func(out string) {
		to := "pdf"
		if filter != "" {
			to = "pdf:writer_pdf_Export:" + filter
		}
		profile := "-env:UserInstallation=file://" + filepath.Join(f.dir, "profile")
		text, err := run(f.t, "soffice", profile, "--headless", "--convert-to", to, "--outdir", filepath.Dir(out), src)
		made := filepath.Join(filepath.Dir(out), "office-"+doc+".pdf")
		if err != nil || made != out && os.Rename(made, out) != nil {
			f.t.Fatalf("soffice: %v %s", err, text)
		}
	})
}

func officeOption(name string, value any) string {
	kind := "long"
	if _, ok := value.(bool); ok {
		kind = "boolean"
	}
	return fmt.Sprintf(`{"%s":{"type":"%s","value":"%v"}}`, name, kind, value)
}

func htmlText(css string, paragraphs int) string {
	return "<!doctype html><html lang=vi><meta charset=utf-8><title>Công văn</title><style>" + css +
		"</style><h1>Công văn</h1>" + strings.Repeat("<p>"+paragraph+"</p>", paragraphs) + "</html>"
}

func (f *factory) chromium(name, html string, args ...string) string {
	src := f.source("chromium-"+name+".html", html)
	return f.produce("chromium-"+name+".pdf", "chromium", append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir=" + filepath.Join(f.dir, "chromium-profile"), "--print-to-pdf=OUT", "--no-pdf-header-footer"}, append(args, "file://"+src)...)...)
}

func (f *factory) svg() string {
	return f.source("drawing.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="297mm" viewBox="0 0 210 297"><rect x="10" y="10" width="100" height="60" fill="red" fill-opacity="0.4"/><text x="30" y="50" font-size="6" font-family="Liberation Serif">Nguyễn Trọng Nghĩa</text></svg>`)
}

// image is a page scanned at 100 dots an inch.
func (f *factory) image(kind string) string {
	base := f.office("letter", "")
	flags := map[string]string{"png": "-png", "jpg": "-jpeg", "tif": "-tiff", "gray": "-gray"}[kind]
	return f.file("scan."+kind, func(out string) {
		stem := strings.TrimSuffix(out, "."+kind)
		mustRun(f.t, "pdftoppm", flags, "-r", "100", "-f", "1", "-singlefile", base, stem)
		found, _ := filepath.Glob(stem + ".*")
		if len(found) == 1 && found[0] != out {
			os.Rename(found[0], out)
		}
	})
}

func (f *factory) bytes(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// by makes a shape of a program's output.
func by(name, program string, base func(*factory) string, args ...string) shape {
	return shape{name: name, make: func(f *factory) []byte {
		args := append([]string(nil), args...)
		for i := range args {
			if strings.Contains(args[i], "IN") {
				args[i] = strings.ReplaceAll(args[i], "IN", base(f))
			}
		}
		return f.bytes(f.produce(strings.ReplaceAll(name, "/", "-")+".pdf", program, args...))
	}}
}

func letterOf(f *factory) string { return f.office("letter", "") }
func pagesOf(f *factory) string  { return f.office("pages", "") }
func webOf(f *factory) string    { return f.chromium("letter", htmlText("", 5)) }

// sealOne seals a file twice, with two kinds of key, and lets four judges look at the result.
func sealOne(t *testing.T, s shape, in []byte, nss string) (result string) {
	is := theIssuer()
	once, err := is.sealers[signing.RSA3072].Seal(t.Context(), in, marked())
	var refused *signing.InputError
	switch {
	case s.refused != "" && err == nil:
		t.Fatalf("sealed, want it refused as %q", s.refused)
	case s.refused != "":
		if !asInput(err, &refused) || refused.Code != s.refused {
			t.Fatalf("refused with %v, want code %q", err, s.refused)
		}
		return "refused: " + refused.Code + " (" + refused.Error() + ")"
	case err != nil:
		t.Fatal(err)
	case !bytes.HasPrefix(once, in):
		t.Fatal("the file's own bytes were changed")
	}
	twice := seal(t, is.sealers[signing.P256], once, marked())
	if r := wantStatus(t, twice, signing.Valid); len(r.Signatures) != 2 {
		t.Fatalf("%d signatures", len(r.Signatures))
	}
	path := write(t, "sealed.pdf", twice)
	checkPdfsig(t, mustRun(t, "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, path), 2)
	before, _ := run(t, "qpdf", "--check", write(t, "in.pdf", in))
	after, _ := run(t, "qpdf", "--check", path)
	if warnings(after) > warnings(before) {
		t.Errorf("qpdf: %s", after)
	}
	// mutool does not know our root and exits with 1 for that; what counts is its word on the bytes.
	if out, _ := run(t, "mutool", "sign", "-v", path); !strings.Contains(out, "The document is unchanged since signing.") {
		t.Errorf("mutool: %s", out)
	}
	return "sealed twice; pdfsig, mutool, qpdf and congvan agree"
}

func asInput(err error, to **signing.InputError) bool {
	e, ok := err.(*signing.InputError)
	*to = e
	return ok
}

func warnings(out string) int { return strings.Count(strings.ToLower(out), "warning") }

func TestCorpusIsSealedAndOthersAgree(t *testing.T) {
	for _, program := range []string{"soffice", "chromium", "gs", "rsvg-convert", "img2pdf", "mutool", "qpdf", "pdftocairo", "tesseract"} {
		tool(t, program)
	}
	nss, _ := nssDatabase(t)
	f := newFactory(t)
	shapes := corpus()
	if len(shapes) < 120 {
		t.Fatalf("%d files, want 120", len(shapes))
	}
	var mu sync.Mutex
	table := map[string]string{}
	taken := 0
	for i, s := range shapes {
		if *corpusFlag != "all" && i%6 != 0 {
			continue
		}
		taken++
		t.Run(s.name, func(t *testing.T) {
			in := s.make(&factory{t, f.dir})
			result := sealOne(t, s, in, nss)
			mu.Lock()
			defer mu.Unlock()
			table[s.name] = result
		})
	}
	sealed := 0
	for _, s := range shapes {
		if r := table[s.name]; strings.HasPrefix(r, "sealed") {
			sealed++
		} else if r != "" {
			t.Logf("%-34s %s", s.name, r)
		}
	}
	t.Logf("%d files in the corpus, %d taken, %d sealed twice with all judges agreeing, %d refused", len(shapes), taken, sealed, len(table)-sealed)
}
