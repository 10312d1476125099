package intake_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/exchange/intake"
)

// scriptPDF is a PDF of one page whose catalog has these entries besides.
func scriptPDF(catalog string) []byte {
	return writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R" + catalog + ">>"), []byte("<</Type/Pages/Count 1/Kids[3 0 R]>>"),
		[]byte("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>")})
}

// objectStream is a PDF object that holds the objects in a compressed stream.
func objectStream(objects string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte("9 0 " + objects))
	w.Close()
	return fmt.Appendf(nil, "<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream", b.Len(), b.Bytes())
}

func TestWhatAPDFHides(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want []intake.FindingCode
	}{
		"nothing":          {scriptPDF(""), nil},
		"script":           {scriptPDF("/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"), []intake.FindingCode{intake.FoundScript}},
		"script by number": {scriptPDF("/OpenAction<</S/URI/JS 9 0 R>>"), []intake.FindingCode{intake.FoundScript}},
		"hidden name":      {scriptPDF("/OpenAction<</S/J#61vaScript>>"), []intake.FindingCode{intake.FoundScript}},
		"launch":           {scriptPDF("/OpenAction<</S/Launch/F(cmd.exe)>>"), []intake.FindingCode{intake.FoundScript}},
		"attachment":       {scriptPDF("/Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F(a.exe)/EF<</F 9 0 R>>>>]>>>>"), []intake.FindingCode{intake.FoundAttachment}},
		"in a stream":      {append(writePDF([][]byte{[]byte("<</Type/Catalog>>"), objectStream("<</S/JavaScript/JS(x)>>")}), '\n'), []intake.FindingCode{intake.FoundScript}},
		"words in a text":  {scriptPDF("/Title(/S/JavaScript /JS (x) /EF<<>> /Encrypt)/URI(http://x/JS)/A/JS"), nil},
		"form":             {scriptPDF("/AcroForm<</XFA 9 0 R>>"), []intake.FindingCode{intake.FoundScript}},
	} {
		it := inspect(t, name, c.data)
		if it.Format != intake.FormatPDF {
			t.Errorf("%s: format is %s", name, it.Format)
		}
		wantCodes(t, it, c.want...)
	}
}

func TestSamplesHideNothing(t *testing.T) {
	r := openReader(t)
	files, _ := filepath.Glob("testdata/*/*.pdf")
	if len(files) < 20 {
		t.Fatalf("only %d files", len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(file, "broken") {
			continue
		}
		it, err := r.Inspect(t.Context(), file, data)
		if err != nil || it.Pages == 0 || len(it.Findings) > 0 || it.Name != filepath.Base(file) {
			t.Errorf("%s: %+v, %v", file, it, err)
		}
	}
}

// TestPDFsOfQPDF takes a sample through a tool that encrypts it and puts files into it.
func TestPDFsOfQPDF(t *testing.T) {
	needTool(t, "qpdf", "qpdf")
	r := openReader(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bảng.txt"), []byte("số liệu"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs("testdata/samples/02-cong-van-stttt.pdf")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code intake.FindingCode
		says string
	}{
		{"plain", []string{"--object-streams=generate"}, "", ""},
		{"linear", []string{"--linearize"}, "", ""},
		{"password", []string{"--encrypt", "mo", "chu", "256", "--"}, intake.FoundEncryption, "mật khẩu"},
		{"permission", []string{"--encrypt", "", "chu", "256", "--print=none", "--"}, intake.FoundEncryption, "hạn chế quyền"},
		{"attachment", []string{"--object-streams=generate", "--add-attachment", "bảng.txt", "--"}, intake.FoundAttachment, "bảng.txt"},
	} {
		cmd := exec.Command("qpdf", append(append([]string{source}, c.args...), c.name+".pdf")...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("qpdf: %v: %s", err, out)
		}
		data, err := os.ReadFile(filepath.Join(dir, c.name+".pdf"))
		if err != nil {
			t.Fatal(err)
		}
		it, err := r.Inspect(t.Context(), c.name+".pdf", data)
		if err != nil {
			t.Fatal(err)
		}
		if c.code == "" {
			wantCodes(t, it)
			continue
		}
		wantCodes(t, it, c.code)
		if !strings.Contains(it.Findings[0].Message, c.says) {
			t.Errorf("%s: %s", c.name, it.Findings[0].Message)
		}
		if plain := inspect(t, c.name+".pdf", data); !plain.Has(c.code) {
			t.Errorf("%s: not found without opening: %v", c.name, plain.Findings)
		}
	}
}

func TestHostilePDFsAreSearchedInBoundedTime(t *testing.T) {
	many := bytes.Repeat([]byte("1 0 obj\n("), 1<<18)
	deep := append([]byte("%PDF-1.4\n1 0 obj\n"), bytes.Repeat([]byte("["), 8<<20)...)
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	w.Write(make([]byte, 200<<20))
	w.Close()
	packedBomb := fmt.Appendf([]byte("%PDF-1.5\n"), "1 0 obj\n<</Type/ObjStm/Filter/FlateDecode>>\nstream\n%s\nendstream\n%%%%EOF\n", bomb.Bytes())
	for name, data := range map[string][]byte{"many": append([]byte("%PDF-1.4\n"), many...), "deep": deep, "bomb": packedBomb} {
		start := time.Now()
		it := inspect(t, name, data)
		if took := time.Since(start); it.Format != intake.FormatPDF || took > time.Minute {
			t.Errorf("%s: %s in %s", name, it.Format, took)
		}
	}
}

// annexHTML is a decision with three annexes behind it: two called so, one a regulation put into force.
const annexHTML = `<html><head><style>@page{size:A4;margin:20mm} body{font-family:'Liberation Serif';font-size:13pt} .c{text-align:center} .b{font-weight:bold}</style></head><body>
<table width="100%"><tr><td class="c">ỦY BAN NHÂN DÂN<br><b>TỈNH KON TUM</b></td><td class="c b">CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM<br>Độc lập - Tự do - Hạnh phúc</td></tr>
<tr><td class="c">Số: 12/2019/QĐ-UBND</td><td class="c"><i>Kon Tum, ngày 12 tháng 4 năm 2019</i></td></tr></table>
<p class="c b">QUYẾT ĐỊNH<br>Ban hành Quy định quản lý tài sản công</p>
<p>Điều 1. Ban hành kèm theo Quyết định này Quy định, Phụ lục I và Phụ lục II.</p><p>Điều 2. Giám đốc Sở Tài chính chịu trách nhiệm thi hành Quyết định này./.</p>
<table width="100%"><tr><td><b><i>Nơi nhận:</i></b><br>- Như Điều 2;<br>- Lưu: VT, TH.</td><td class="c b">TM. ỦY BAN NHÂN DÂN<br>CHỦ TỊCH<br><br><br><br>Nguyễn Văn Hùng</td></tr></table>
<p align="center" style="page-break-before: always"><b>QUY ĐỊNH<br>VỀ QUẢN LÝ TÀI SẢN CÔNG</b></p><p class="c"><i>(Ban hành kèm theo Quyết định số 12/2019/QĐ-UBND)</i></p>
<p>Điều 1. Phạm vi điều chỉnh của quy định này.</p><p>Phụ lục I của Quy định này là danh mục, đọc cùng với các điều khoản trên và được cập nhật hằng năm theo hướng dẫn.</p>
<p align="center" style="page-break-before: always"><b>Phụ lục I<br>DANH MỤC TÀI SẢN</b></p><p class="c"><i>(Kèm theo Quyết định số 12/2019/QĐ-UBND ngày 12 tháng 4 năm 2019 của Ủy ban nhân dân tỉnh Kon Tum về quản lý)</i></p>
<table border="1" width="100%"><tr><td>STT</td><td>Tên tài sản</td></tr><tr><td>1</td><td>Xe ô tô</td></tr></table>
<p style="page-break-before: always">1. Danh mục tiếp theo, xem Phụ lục I ở trên.</p>
<p align="center" style="page-break-before: always"><b>PHỤ LỤC II: MẪU BÁO CÁO</b></p><p>Nội dung mẫu báo cáo của các đơn vị.</p></body></html>`

func TestAnnexesInTheSameFile(t *testing.T) {
	needTool(t, "soffice", "libreoffice-writer-nogui")
	dir := t.TempDir()
	source := filepath.Join(dir, "quyet-dinh.html")
	if err := os.WriteFile(source, []byte(annexHTML), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("soffice", "-env:UserInstallation=file://"+filepath.Join(dir, "profile"), "--headless", "--infilter=HTML (StarWriter)", "--convert-to", "pdf:writer_pdf_Export", "--outdir", dir, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("soffice: %v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "quyet-dinh.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	r := openReader(t)
	d, err := r.Read(t.Context(), "quyet-dinh.pdf", data)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Annexes(t.Context(), d, data)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, a := range list {
		got = append(got, fmt.Sprintf("%s|%s|%d-%d", a.Number, a.Title, a.Page, a.LastPage))
		if !a.Marked || a.Place.Page != a.Page || a.Place.Y0 > 300 {
			t.Errorf("annex %+v", a)
		}
	}
	want := []string{"|QUY ĐỊNH VỀ QUẢN LÝ TÀI SẢN CÔNG|2-2", "I|DANH MỤC TÀI SẢN|3-4", "II|MẪU BÁO CÁO|5-5"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d pages, annexes are\n%s\nwant\n%s", d.Pages, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	s := intake.Said{Reference: "12/2019/QĐ-UBND", Found: list, Annexes: []string{"Phụ lục 1", "Phụ lục 2", "Quy định về quản lý tài sản công"}}
	if diffs := intake.Compare(d, s); len(diffs) != 0 {
		t.Errorf("differences are %+v", diffs)
	}
}

func TestAnnexesOfSamples(t *testing.T) {
	r := openReader(t)
	for name, want := range map[string]string{"samples/01-quyet-dinh-22-2009": "QUY ĐỊNH VỀ VIỆC QUẢN LÝ, SỬ DỤNG", "samples/02-cong-van-stttt": "",
		"layouts/c-annex-form.writer": "Phụ lục", "layouts/e-page-break.writer": "", "layouts/e-page-break.chromium": ""} {
		data, err := os.ReadFile("testdata/" + name + ".pdf")
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Read(t.Context(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		list, err := r.Annexes(t.Context(), d, data)
		if err != nil {
			t.Fatal(err)
		}
		if (want != "") != (len(list) == 1) || len(list) == 1 && (!strings.HasPrefix(list[0].Name(), want) || list[0].LastPage != d.Pages) {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestPagesThatNobodyReadAreTold has scanned pages after the signature and nothing to recognise them with.
func TestPagesThatNobodyReadAreTold(t *testing.T) {
	r, err := intake.Open(t.Context(), intake.Options{CacheDir: filepath.Join(os.TempDir(), "congvan-test-wasm"), Tesseract: "/nonexistent/tesseract"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pic := scanned(t, 1654, 2339, false)
	data := picturePDF([]scannedPage{{jpeg: pic, w: 1654, h: 2339, dpi: 200}, {jpeg: pic, w: 1654, h: 2339, dpi: 200}, {jpeg: pic, w: 1654, h: 2339, dpi: 200}})
	d := &intake.Draft{Name: "quét.pdf", Pages: 3, Places: map[intake.FieldName][]intake.Place{intake.FieldSigner: {{Page: 1}}}}
	list, err := r.Annexes(t.Context(), d, data)
	var p *intake.Problem
	if !errors.As(err, &p) || p.Code != intake.UnreadPages || len(list) != 0 || !strings.Contains(p.Message, "2, 3") {
		t.Errorf("annexes are %v, %v", list, err)
	}
}
