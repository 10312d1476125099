package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore/mailtest"

	"codeberg.org/go-pdf/fpdf"
	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/mail"
	"github.com/go-fonts/liberation/liberationserifregular"
)

// zipOf makes a ZIP of names and texts by turns; Office files are ZIPs.
func zipOf(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		f, err := w.Create(parts[i])
		if err == nil {
			_, err = io.WriteString(f, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func contentType(part, kind string) string {
	return `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="` + part + `" ContentType="` + kind + `"/></Types>`
}

func wordFile(t testing.TB, paragraphs ...string) []byte {
	text := "<document>"
	for _, p := range paragraphs {
		text += "<p><r><t>" + p + "</t></r></p>"
	}
	return zipOf(t, "[Content_Types].xml", contentType("/word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"),
		"word/document.xml", text+"</document>")
}

func macroSheet(t testing.TB, cell string) []byte {
	return zipOf(t, "[Content_Types].xml", contentType("/xl/workbook.xml", "application/vnd.ms-excel.sheet.macroEnabled.main+xml"),
		"xl/workbook.xml", "<workbook/>", "xl/vbaProject.bin", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 VBA", "xl/sharedStrings.xml", "<sst><si><t>"+cell+"</t></si></sst>")
}

// leaf is a PDF page that is no document of its own.
func leaf(t testing.TB, lines ...string) []byte {
	t.Helper()
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.AddUTF8FontFromBytes("serif", "", liberationserifregular.TTF)
	pdf.AddPage()
	pdf.SetFont("serif", "", 13)
	for _, l := range lines {
		pdf.CellFormat(0, 8, l, "", 1, "L", false, 0, "")
	}
	var b bytes.Buffer
	if err := pdf.Output(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes a file into dir and returns its path.
func put(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// letter77 is 77/TB-SNV of 12/5/2009 to Sở Tài chính.
func letter77(t *testing.T, more ...string) []byte {
	return page(t, "SỞ NỘI VỤ", append(append([]string{"Nội dung."}, more...), "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT.")...)
}

// issued runs issue --json and returns its one object.
func issued(t *testing.T, args ...string) (int, issueResult) {
	t.Helper()
	code, out, errOut := congvan(t, "", append([]string{"issue", "--json"}, args...)...)
	var res issueResult
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, errOut)
	}
	return code, res
}

// nothingStored fails when a byte of a document or a row of one is there.
func nothingStored(t *testing.T, dir string) {
	t.Helper()
	if files := holding(t, filepath.Join(dir, "blobs"), nil); len(files) > 0 {
		t.Errorf("stored %v", files)
	}
	if out := mustRun(t, "", "status", "--data", dir, "--json"); out != "" {
		t.Errorf("documents: %s", out)
	}
}

// spooled lists what waits.
func spooled(t *testing.T, dir string) (notes []spoolNote) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(mustRun(t, "", "spool", "list", "--json", "--data", dir)))
	for d.More() {
		var n spoolNote
		if err := d.Decode(&n); err != nil {
			t.Fatal(err)
		}
		notes = append(notes, n)
	}
	return notes
}

// serveHere runs the gateway in process and returns the address of IMAP with what a client needs to trust it.
func serveHere(t *testing.T, dir, imap string) *tls.Config {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var log bytes.Buffer
	go func() { ended <- run(ctx, []string{"serve", "--data", dir}, strings.NewReader(""), io.Discard, &log) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("serve: exit %d\n%s", code, log.String())
		}
	})
	for {
		if c, err := net.Dial("tcp", imap); err == nil {
			c.Close()
			break
		}
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("serve ended: %d\n%s", code, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return &tls.Config{InsecureSkipVerify: true} // the certificate is tried by the e2e tests
}

// received logs in by IMAP and returns the files of the newest mail in the inbox.
func received(t *testing.T, server string, conf *tls.Config, address, password string) (names []string, files map[string][]byte) {
	t.Helper()
	c, err := imapclient.DialStartTLS(server, &imapclient.Options{TLSConfig: conf})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(address, password).Wait(); err != nil {
		t.Fatal(err)
	}
	box, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || box.NumMessages == 0 {
		t.Fatalf("inbox: %+v, %v", box, err)
	}
	section := &imap.FetchItemBodySection{}
	msgs, err := c.Fetch(imap.SeqSetNum(box.NumMessages), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(msgs) != 1 {
		t.Fatalf("fetch: %d, %v", len(msgs), err)
	}
	r, err := mail.CreateReader(bytes.NewReader(msgs[0].FindBodySection(section)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return names, files
		}
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := p.Header.(*mail.AttachmentHeader); ok {
			name, _ := a.Filename()
			if files[name], err = io.ReadAll(p.Body); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(name, ".p7s") {
				names = append(names, name)
			}
		}
	}
}

// A main PDF with a PDF annex, a workbook with macros and a Word file: refused, decided, issued, received, verified.
func TestPackageFromTheDeskToTheRecipient(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { packageAllTheWay(t, "sqlite:congvan.db") })
	t.Run("postgres", func(t *testing.T) { packageAllTheWay(t, mailtest.NewPostgres(t)) })
}

func packageAllTheWay(t *testing.T, database string) {
	tmp, imapAt := t.TempDir(), mailtest.FreePort(t)
	dir := newInstallationOn(t, database, "--imap", imapAt, "--smtp", mailtest.FreePort(t), "--submission", mailtest.FreePort(t))
	const password = "một câu dễ nhớ của văn thư"
	mustRun(t, "", "account", "add", "--data", dir, "--unit", "stc", "--password", password)

	sheet, word := macroSheet(t, "Danh sách"), wordFile(t, "Biểu mẫu báo cáo")
	files := []string{put(t, tmp, "van-ban.pdf", letter77(t)), put(t, tmp, "Phụ lục.pdf", leaf(t, "PHỤ LỤC I", "DANH SÁCH")),
		put(t, tmp, "bieu-mau.xlsm", sheet), put(t, tmp, "mau.docx", word)}
	said := put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n"))
	code, res := issued(t, append([]string{"--data", dir, "--decisions", said}, files...)...)
	if code != 1 || res.Code != exchange.CodeFlagged || res.Spool == "" || len(res.Package) != 4 || res.Package[2].Format != "xlsm" || !res.Package[2].Has("macros") {
		t.Fatalf("exit %d, %+v", code, res)
	}
	nothingStored(t, dir)

	put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\naccept_flags = [\"bieu-mau.xlsm\"]\n"))
	if code, res = issued(t, "--data", dir, "--spool", res.Spool, "--decisions", said); code != 0 || res.State != exchange.Issued || res.Copies != 1 {
		t.Fatalf("exit %d, %+v", code, res)
	}
	if left := spooled(t, dir); len(left) > 0 {
		t.Errorf("left in the spool: %+v", left)
	}
	if code, res = issued(t, append([]string{"--data", dir}, files...)...); code != 0 || !res.Again || res.Copies != 1 {
		t.Errorf("the same again: exit %d, %+v", code, res)
	}
	if code, res = issued(t, append([]string{"--data", dir}, files[:3]...)...); code != 1 || res.Code != exchange.CodePackageDiffers {
		t.Errorf("with an annex missing: exit %d, %+v", code, res)
	}

	conf := serveHere(t, dir, imapAt)
	names, got := received(t, imapAt, conf, "stc@kontum.test", password)
	if want := []string{"77-TB-SNV.pdf", "Phụ lục.pdf", "bieu-mau.xlsm", "mau.docx", "Danh mục tệp kèm theo.pdf"}; !slices.Equal(names, want) {
		t.Fatalf("received %q", names)
	}
	if !bytes.Equal(got["bieu-mau.xlsm"], sheet) || !bytes.Equal(got["mau.docx"], word) {
		t.Error("a file was changed on the way")
	}
	desk := t.TempDir() // the recipient's, with nothing else in it
	var saved []string
	for _, name := range names {
		saved = append(saved, put(t, desk, name, got[name]))
	}
	for _, path := range saved {
		if out := mustRun(t, "", "verify", "--data", dir, path); !strings.Contains(out, "Hợp lệ") {
			t.Errorf("verify %s:\n%s", path, out)
		}
	}
	sheet[len(sheet)-30] ^= 1
	if code, out, _ := congvan(t, "", "verify", "--data", dir, put(t, desk, "doi.xlsm", sheet)); code != 1 || strings.Contains(out, ": Hợp lệ") {
		t.Errorf("a changed file: exit %d\n%s", code, out)
	}
	mustRun(t, "", "check", "--data", dir)
}

// What is in an annex decides, not its name; and the guard looks through every file of the package.
func TestAnnexesAreGuardedByTheirContent(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	main := put(t, tmp, "van-ban.pdf", letter77(t))
	secret := demoFile("08-cong-van-mat.pdf")
	said := put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n"))
	for _, c := range []struct {
		name string
		file string
		data []byte
		code string
		want string
	}{
		{"a stamp in a Word file", "mau.docx", wordFile(t, "TỐI MẬT", "Nội dung"), exchange.CodeUnseenFiles, "TỐI MẬT"},
		{"a stamp in a package", "goi.zip", zipOf(t, "ho-so/mau.docx", string(wordFile(t, "MẬT"))), exchange.CodeUnseenFiles, "mau.docx"},
		{"what nobody can read", "anh.png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), exchange.CodeUnseenFiles, "anh.png"},
		{"a script in a PDF", "a.pdf", leafWith(t, "/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>"), exchange.CodeFlagged, "JavaScript"},
		{"a PDF with a password", "b.pdf", encrypted(t, leaf(t, "Phụ lục")), exchange.CodeUnseenFiles, "mật khẩu"},
		{"another document", "c.pdf", demoFile("04-to-trinh-82-stttt.pdf"), exchange.CodeFlagged, "82/TTr-STTTT"},
		{"a secret document", "d.pdf", secret, exchange.CodeSecret, ""},
		{"a secret document, zipped", "e.zip", zipOf(t, "d.pdf", string(secret)), exchange.CodeSecret, ""},
		{"a program with a good name", "f.xlsx", append([]byte("MZ\x90\x00"), make([]byte, 200)...), exchange.CodeUnseenFiles, "f.xlsx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			annex := put(t, t.TempDir(), c.file, c.data)
			code, res := issued(t, "--data", dir, "--decisions", said, main, annex)
			if code != 1 || res.Code != c.code || !strings.Contains(res.Error, c.want) {
				t.Fatalf("exit %d, %s: %s", code, res.Code, res.Error)
			}
			nothingStored(t, dir)
			if c.code == exchange.CodeSecret {
				if left, _ := filepath.Glob(filepath.Join(dir, "spool", "*")); len(left) > 0 || res.Reference != "" {
					t.Errorf("of a secret document there stays %v, %+v", left, res)
				}
				return
			}
			mustRun(t, "", "spool", "drop", "--data", dir, res.Spool)
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "spool", "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	annex := put(t, tmp, "b.pdf", encrypted(t, leaf(t, "Phụ lục")))
	put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\nseen_pages = true\naccept_flags = true\n"))
	if code, res := issued(t, "--data", dir, "--decisions", said, main, annex); code != 0 {
		t.Fatalf("let go: exit %d, %+v", code, res)
	}
	var st exchange.Status
	if err := json.Unmarshal([]byte(mustRun(t, "", "status", "--data", dir, "--json", "77/TB-SNV")), &st); err != nil {
		t.Fatal(err)
	}
	if it := st.Package[1]; it.Sealed != "" || it.AcceptedBy == "" || !slices.Contains(it.Flags, "encryption") || st.Package[2].Kind != exchange.ListItem {
		t.Errorf("%+v", st.Package)
	}
	mustRun(t, "", "check", "--data", dir)
}

// leafWith is a small PDF whose catalogue says more.
func leafWith(t testing.TB, catalogue string) []byte {
	t.Helper()
	var b bytes.Buffer
	var at []int
	add := func(s string) { at = append(at, b.Len()); fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), s) }
	b.WriteString("%PDF-1.5\n")
	add("<< /Type /Catalog /Pages 2 0 R " + catalogue + " >>")
	add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> /Contents 4 0 R >>")
	add("<< /Length 45 >>\nstream\nBT /F 14 Tf 70 700 Td (Annex one two) Tj ET \nendstream")
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}
