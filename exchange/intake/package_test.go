package intake_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"congvan/exchange/intake"
)

// A packed is one entry of a test's zip.
type packed struct {
	name string
	data []byte
}

func zipOf(t testing.TB, entries ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compoundOf writes a compound file whose directory has these streams; names ending in / are storages. All streams are
// filled up to 4096 bytes, so that none is small.
func compoundOf(streams ...packed) []byte {
	const sector = 512
	le := binary.LittleEndian
	var body []byte
	var fat []uint32
	add := func(data []byte) uint32 {
		start := uint32(len(fat))
		n := (len(data) + sector - 1) / sector
		for i := range n {
			next := start + uint32(i) + 1
			if i == n-1 {
				next = 0xFFFFFFFE
			}
			fat = append(fat, next)
		}
		body = append(body, data...)
		body = append(body, make([]byte, n*sector-len(data))...)
		return start
	}
	entry := func(name string, kind byte, start uint32, size int) []byte {
		e := make([]byte, 128)
		for i, u := range utf16.Encode([]rune(name)) {
			le.PutUint16(e[2*i:], u)
		}
		le.PutUint16(e[64:], uint16(2*len([]rune(name))+2))
		e[66] = kind
		le.PutUint32(e[116:], start)
		le.PutUint32(e[120:], uint32(size))
		return e
	}
	dir := entry("Root Entry", 5, 0xFFFFFFFE, 0)
	for _, s := range streams {
		if name, storage := strings.CutSuffix(s.name, "/"); storage {
			dir = append(dir, entry(name, 1, 0, 0)...)
			continue
		}
		data := append(slices.Clone(s.data), make([]byte, max(0, 4096-len(s.data)))...)
		dir = append(dir, entry(s.name, 2, add(data), len(data))...)
	}
	first := add(dir)
	own := uint32(len(fat))
	fat = append(fat, 0xFFFFFFFD)
	table := bytes.Repeat([]byte{0xFF}, sector)
	for i, v := range fat {
		le.PutUint32(table[4*i:], v)
	}
	head := make([]byte, sector)
	copy(head, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	le.PutUint16(head[26:], 3)
	le.PutUint16(head[28:], 0xFFFE)
	le.PutUint16(head[30:], 9)
	le.PutUint16(head[32:], 6)
	le.PutUint32(head[44:], 1)
	le.PutUint32(head[48:], first)
	le.PutUint32(head[56:], 4096)
	le.PutUint32(head[60:], 0xFFFFFFFE)
	le.PutUint32(head[68:], 0xFFFFFFFE)
	for i := 76; i < sector; i += 4 {
		le.PutUint32(head[i:], 0xFFFFFFFF)
	}
	le.PutUint32(head[76:], own)
	return append(append(head, body...), table...)
}

func inspect(t testing.TB, name string, data []byte) *intake.Item {
	t.Helper()
	it, err := intake.Inspect(name, data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return it
}

func codes(it *intake.Item) []intake.FindingCode {
	var out []intake.FindingCode
	for _, f := range it.Findings {
		out = append(out, f.Code)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func wantCodes(t testing.TB, it *intake.Item, want ...intake.FindingCode) {
	t.Helper()
	slices.Sort(want)
	if got := codes(it); !slices.Equal(got, want) {
		t.Errorf("%s: findings are %v, want %v", it.Name, it.Findings, want)
	}
}

const wordTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`

func wordFile(t testing.TB, more ...packed) []byte {
	return zipOf(t, append([]packed{{"[Content_Types].xml", []byte(wordTypes)}, {"word/document.xml", []byte("<w:document/>")}}, more...)...)
}

func picturePNG(t testing.TB) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 20, 20))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormatsAreToldByTheBytes(t *testing.T) {
	workbook := []byte{9, 8, 4, 0, 0, 6, 5, 0, 10, 0, 0, 0}
	for _, c := range []struct {
		name   string
		data   []byte
		format intake.Format
		codes  []intake.FindingCode
	}{
		{"văn bản.pdf", sample(t, "02-cong-van-stttt"), intake.FormatPDF, nil},
		{"văn bản.docx", sample(t, "02-cong-van-stttt"), intake.FormatPDF, []intake.FindingCode{intake.FoundMisnamed}},
		{"phụ lục.docx", wordFile(t), intake.FormatDOCX, nil},
		{"phụ lục.zip", wordFile(t), intake.FormatDOCX, []intake.FindingCode{intake.FoundMisnamed}},
		{"phụ lục.doc", compoundOf(packed{"WordDocument", make([]byte, 40)}), intake.FormatDOC, nil},
		{"phụ lục.xls", compoundOf(packed{"Workbook", workbook}), intake.FormatXLS, nil},
		{"ảnh.png", picturePNG(t), intake.FormatPNG, nil},
		{"ảnh.jpg", picturePNG(t), intake.FormatPNG, []intake.FindingCode{intake.FoundMisnamed}},
		{"ảnh.png", picturePNG(t)[:20], intake.FormatPNG, []intake.FindingCode{intake.FoundDamage}},
		{"ghi chú.txt", []byte("Nơi nhận:\r\n- Như trên;\r\n"), intake.FormatText, nil},
		{"cũ.txt", []byte("N\xacI NH\xcbN: C\xb8c S\xeb, Ban, Ng\xb5nh"), intake.FormatText, nil},
		{"utf16.csv", []byte("\xff\xfea\x00,\x00b\x00\r\x00\n\x00"), intake.FormatText, nil},
		{"trang.html", []byte("<!DOCTYPE html><html><script>x()</script></html>"), intake.FormatHTML, []intake.FindingCode{intake.FoundScript}},
		{"a.rtf", []byte(`{\rtf1\ansi xin chào}`), intake.FormatRTF, nil},
		{"báo cáo.pdf.exe", []byte("MZ\x90\x00\x03\x00"), intake.FormatProgram, []intake.FindingCode{intake.FoundProgram}},
		{"báo cáo.pdf", []byte("MZ\x90\x00\x03\x00 %PDF-1.4"), intake.FormatProgram, []intake.FindingCode{intake.FoundProgram, intake.FoundMisnamed}},
		{"chạy.bat", []byte("del /q *.*\r\n"), intake.FormatText, []intake.FindingCode{intake.FoundProgram}},
		{"x.rar", []byte("Rar!\x1a\x07\x01\x00 and more"), intake.FormatRAR, []intake.FindingCode{intake.FoundClosed}},
		{"x.bin", []byte{1, 2, 3, 4, 5}, intake.FormatUnknown, []intake.FindingCode{intake.FoundUnknown}},
		{"báo cáo\u202efdp.txt", []byte("chữ"), intake.FormatText, []intake.FindingCode{intake.FoundBadName}},
		{"x.zip", []byte("PK\x03\x04 cut off"), intake.FormatZIP, []intake.FindingCode{intake.FoundDamage}},
	} {
		it := inspect(t, c.name, c.data)
		if it.Format != c.format {
			t.Errorf("%s: format is %s, want %s", c.name, it.Format, c.format)
		}
		wantCodes(t, it, c.codes...)
		sum := sha256.Sum256(c.data)
		if it.Size != int64(len(c.data)) || it.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: size %d, digest %s", c.name, it.Size, it.SHA256)
		}
	}
	if _, err := intake.Inspect("rỗng.pdf", nil); err == nil {
		t.Error("an empty file is taken")
	}
}

func TestMacrosAreFoundWhateverTheirName(t *testing.T) {
	vba := compoundOf(packed{"VBA/", nil}, packed{"_VBA_PROJECT", nil}, packed{"dir", nil})
	macroTypes := strings.Replace(wordTypes, "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml", "application/vnd.ms-word.document.macroEnabled.main+xml", 1)
	wide := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(macroTypes)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	sheet := []byte{9, 8, 4, 0, 0, 6, 5, 0, 0x85, 0, 8, 0, 0, 0, 0, 0, 0, 1, 1, 'M', 10, 0, 0, 0}
	plain := []byte{9, 8, 4, 0, 0, 6, 5, 0, 0x85, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 'S', 10, 0, 0, 0}
	for name, c := range map[string]struct {
		data   []byte
		format intake.Format
		macros bool
	}{
		"a.docm":       {zipOf(t, packed{"[Content_Types].xml", []byte(macroTypes)}, packed{"word/vbaProject.bin", vba}), intake.FormatDOCM, true},
		"type.docm":    {zipOf(t, packed{"[Content_Types].xml", []byte(macroTypes)}), intake.FormatDOCM, true},
		"utf16.docm":   {zipOf(t, packed{"[Content_Types].xml", wide}), intake.FormatDOCM, true},
		"named.docx":   {wordFile(t, packed{"word/vbaProject.bin", vba}), intake.FormatDOCX, true},
		"renamed.docx": {wordFile(t, packed{"word/media/image1.png", vba}), intake.FormatDOCX, true},
		"old.doc":      {compoundOf(packed{"WordDocument", make([]byte, 40)}, packed{"Macros/", nil}, packed{"VBA/", nil}, packed{"_VBA_PROJECT", nil}), intake.FormatDOC, true},
		"old.xls":      {compoundOf(packed{"Workbook", plain}, packed{"_VBA_PROJECT_CUR/", nil}), intake.FormatXLS, true},
		"excel4.xls":   {compoundOf(packed{"Workbook", sheet}), intake.FormatXLS, true},
		"plain.xls":    {compoundOf(packed{"Workbook", plain}), intake.FormatXLS, false},
		"plain.docx":   {wordFile(t, packed{"word/media/image1.png", picturePNG(t)}), intake.FormatDOCX, false},
	} {
		it := inspect(t, name, c.data)
		if it.Format != c.format || it.Has(intake.FoundMacros) != c.macros || it.Dangerous() != c.macros {
			t.Errorf("%s: %s, %v", name, it.Format, it.Findings)
		}
	}
}

func TestEncryptionAndEmbeddedFilesAreFound(t *testing.T) {
	fib := make([]byte, 40)
	fib[11] = 1
	rels := `<Relationships><Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="http://x/y.dotm" TargetMode="External"/></Relationships>`
	for name, c := range map[string]struct {
		data []byte
		want intake.FindingCode
	}{
		"locked.docx": {compoundOf(packed{"EncryptionInfo", nil}, packed{"EncryptedPackage", nil}), intake.FoundEncryption},
		"locked.doc":  {compoundOf(packed{"WordDocument", fib}), intake.FoundEncryption},
		"locked.xls":  {compoundOf(packed{"Workbook", []byte{9, 8, 4, 0, 0, 6, 5, 0, 0x2F, 0, 2, 0, 1, 0}}), intake.FoundEncryption},
		"remote.docx": {wordFile(t, packed{"word/_rels/settings.xml.rels", []byte(rels)}), intake.FoundRemote},
		"packed.docx": {wordFile(t, packed{"word/embeddings/oleObject1.bin", compoundOf(packed{"\x01Ole10Native", nil})}), intake.FoundEmbedded},
		"sheet.docx":  {wordFile(t, packed{"word/embeddings/Bang.xlsx", []byte("PK")}), intake.FoundEmbedded},
		"msi.doc":     {compoundOf(packed{"Property", nil}), intake.FoundUnknown},
		"cut.doc":     {compoundOf(packed{"WordDocument", fib})[:600], intake.FoundDamage},
	} {
		it := inspect(t, name, c.data)
		if !it.Has(c.want) {
			t.Errorf("%s: %s, %v, want %s", name, it.Format, it.Findings, c.want)
		}
	}
}

func TestAZipIsListedWithWhatIsInside(t *testing.T) {
	inner := zipOf(t, packed{"sâu.pdf", sample(t, "03-giay-moi-ubnd")}, packed{"lồng.zip", zipOf(t, packed{"x.txt", []byte("x")})})
	data := zipOf(t, packed{"Phụ lục I.docx", wordFile(t)}, packed{"thư mục/", nil}, packed{"thư mục/ảnh.png", picturePNG(t)}, packed{"gói.zip", inner},
		packed{"../../etc/cron", []byte("x")}, packed{"chạy.js", []byte("x()")}, packed{"Chạy.JS", []byte("y()")})
	it := inspect(t, "phụ lục.zip", data)
	got := []string{}
	for _, e := range it.Entries {
		got = append(got, fmt.Sprintf("%s %s %t", e.Path, e.Format, e.SHA256 != ""))
	}
	want := []string{"Phụ lục I.docx docx true", "thư mục/ảnh.png png true", "gói.zip!sâu.pdf pdf true", "gói.zip!lồng.zip zip true", "gói.zip zip true",
		"../../etc/cron text true", "chạy.js text true", "Chạy.JS text true"}
	if !slices.Equal(got, want) {
		t.Errorf("entries are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	wantCodes(t, it, intake.FoundBomb, intake.FoundBadName, intake.FoundProgram)
	for _, f := range it.Findings {
		if f.Path == "" || f.Message == "" || !f.Danger {
			t.Errorf("finding %+v", f)
		}
	}
}

func TestBombsAreNotUnpacked(t *testing.T) {
	zeros := make([]byte, 100<<20)
	big := zipOf(t, packed{"số 0.txt", zeros})
	many := make([]packed, 6000)
	for i := range many {
		many[i] = packed{fmt.Sprintf("%d.txt", i), nil}
	}
	for name, data := range map[string][]byte{"ratio.zip": big, "many.zip": zipOf(t, many...), "lying.zip": lyingZip(t, 700<<20),
		"nested.zip": zipOf(t, packed{"a.zip", big}), "bomb.docx": wordFile(t, packed{"word/media/x.bin", zeros})} {
		start := time.Now()
		it := inspect(t, name, data)
		if !it.Dangerous() || !it.Has(intake.FoundBomb) && name != "lying.zip" {
			t.Errorf("%s: %v", name, it.Findings)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// lyingZip says of an entry that it unpacks to ten bytes, which it does not.
func lyingZip(t testing.TB, size int64) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	var packedBytes bytes.Buffer
	fw, err := flate.NewWriter(&packedBytes, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(fw, zeroReader{}, size); err != nil {
		t.Fatal(err)
	}
	fw.Close()
	f, err := w.CreateRaw(&zip.FileHeader{Name: "x.txt", Method: zip.Deflate, CompressedSize64: uint64(packedBytes.Len()), UncompressedSize64: 10})
	if err != nil {
		t.Fatal(err)
	}
	f.Write(packedBytes.Bytes())
	w.Close()
	return b.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEntriesWithPasswordsAreFlagged(t *testing.T) {
	needTool(t, "zip", "zip")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Phụ lục I.txt"), []byte("nội dung"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		locked bool
	}{{[]string{"-P", "matkhau"}, true}, {nil, false}} {
		file := filepath.Join(dir, fmt.Sprintf("%t.zip", c.locked))
		cmd := exec.Command("zip", append(c.args, "-q", file, "Phụ lục I.txt")...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("zip: %v: %s", err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		it := inspect(t, file, data)
		if it.Has(intake.FoundEncryption) != c.locked || len(it.Entries) != 1 || it.Entries[0].Path != "Phụ lục I.txt" {
			t.Errorf("locked %t: %+v", c.locked, it)
		}
	}
}

func TestNamesOfOldProgramsAreDecoded(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range []string{"Phô lôc b\xb8o c\xb8o.txt"} {
		raw := strings.NewReplacer("ô", "\xf4").Replace(n)
		f, err := w.CreateHeader(&zip.FileHeader{Name: raw, NonUTF8: true})
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("x"))
	}
	w.Close()
	it := inspect(t, "cũ.zip", b.Bytes())
	if it.Entries[0].Path != "Phụ lục báo cáo.txt" {
		t.Errorf("name is %q", it.Entries[0].Path)
	}
}

// TestOfficeFilesOfLibreOffice looks into files that an office program wrote.
func TestOfficeFilesOfLibreOffice(t *testing.T) {
	needTool(t, "soffice", "libreoffice-writer-nogui libreoffice-calc-nogui")
	dir := t.TempDir()
	doc := filepath.Join(dir, "van-ban.fodt")
	if err := os.WriteFile(doc, []byte(fmt.Sprintf(flatODT, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	basic := filepath.Join(dir, "macro.fodt")
	if err := os.WriteFile(basic, []byte(fmt.Sprintf(flatODT, flatBasic)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source, ext string
		format      intake.Format
		macros      bool
	}{{doc, "docx", intake.FormatDOCX, false}, {doc, "doc", intake.FormatDOC, false}, {doc, "odt", intake.FormatODT, false}, {doc, "rtf", intake.FormatRTF, false},
		{basic, "odt", intake.FormatODT, true}} {
		out := filepath.Join(dir, "out"+fmt.Sprint(c.macros))
		cmd := exec.Command("soffice", "-env:UserInstallation=file://"+filepath.Join(dir, "profile"), "--headless", "--convert-to", c.ext, "--outdir", out, c.source)
		if log, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("soffice: %v: %s", err, log)
		}
		name := strings.TrimSuffix(filepath.Base(c.source), ".fodt") + "." + c.ext
		data, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		it := inspect(t, name, data)
		if it.Format != c.format || it.Has(intake.FoundMacros) != c.macros || it.Dangerous() != c.macros {
			t.Errorf("%s: %s, %v", name, it.Format, it.Findings)
		}
	}
}

const flatODT = `<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:script="urn:oasis:names:tc:opendocument:xmlns:script:1.0" xmlns:ooo="http://openoffice.org/2004/office" xmlns:xlink="http://www.w3.org/1999/xlink"
 office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text">%s<office:body><office:text><text:p>Phụ lục I</text:p></office:text></office:body></office:document>`

const flatBasic = `<office:scripts><office:script script:language="ooo:Basic"><ooo:libraries><ooo:library-embedded ooo:name="Standard">
<ooo:module ooo:name="Module1"><ooo:source-code>Sub Main
MsgBox "chào"
End Sub</ooo:source-code></ooo:module></ooo:library-embedded></ooo:libraries></office:script></office:scripts>`

// FuzzInspect: no file of any kind may panic, hang, or come back without format and digest.
func FuzzInspect(f *testing.F) {
	f.Add("a.zip", zipOf(f, packed{"x.docx", wordFile(f)}, packed{"y.zip", zipOf(f, packed{"z", []byte("z")})}))
	f.Add("b.docx", wordFile(f, packed{"word/vbaProject.bin", compoundOf(packed{"VBA/", nil})}))
	f.Add("c.doc", compoundOf(packed{"WordDocument", make([]byte, 40)}, packed{"Macros/", nil}))
	f.Add("d.xls", compoundOf(packed{"Workbook", []byte{9, 8, 4, 0, 0, 6, 5, 0, 0x85, 0, 8, 0, 0, 0, 0, 0, 0, 1, 1, 'M'}}))
	f.Add("e.pdf", scriptPDF("/OpenAction<</S/JavaScript/JS(app.alert(1))>>"))
	f.Add("f.png", picturePNG(f))
	f.Add("g.txt", []byte("Nơi nhận:"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		it, err := intake.Inspect(name, data)
		if err != nil {
			if len(data) != 0 {
				t.Errorf("error for bytes: %v", err)
			}
			return
		}
		if it.Format == "" || len(it.SHA256) != 64 || len(it.Entries) > 5000 {
			t.Errorf("item %+v", it)
		}
		for _, x := range it.Findings {
			if x.Code == "" || x.Message == "" {
				t.Errorf("finding %+v", x)
			}
		}
	})
}
