package exchange_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore"

	"github.com/emersion/go-message/mail"
)

func annex(t testing.TB, name string, data []byte) *exchange.File {
	t.Helper()
	info, err := intake.Inspect(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange.File{Info: info, Data: data}
}

// zipped makes a ZIP with these entries, name and text by turns.
func zipped(t testing.TB, parts ...string) []byte {
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

func sheet(t testing.TB, cells ...string) []byte {
	return zipped(t, "[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`,
		"xl/workbook.xml", "<workbook/>", "xl/sharedStrings.xml", "<sst><si><t>"+strings.Join(cells, "</t></si><si><t>")+"</t></si></sst>")
}

// mailFiles returns the attachments of the mail in a unit's inbox, by name.
func (h *house) mailFiles(t *testing.T, unit string) (names []string, files map[string][]byte) {
	t.Helper()
	ctx := context.Background()
	_, box, rows := h.inbox(t, unit)
	if len(rows) == 0 {
		t.Fatalf("%s has no mail", unit)
	}
	stored, err := h.mail.Load(ctx, box.ID, []mailcore.UID{rows[0].UID})
	if err != nil {
		t.Fatal(err)
	}
	f, err := h.mail.Blobs().Open(stored[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := mail.CreateReader(f)
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
			data, err := io.ReadAll(p.Body)
			if err != nil {
				t.Fatal(err)
			}
			names, files[name] = append(names, name), data
		}
	}
}

func TestPackageTravelsWholeAndEveryPDFIsSealed(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		xlsx := sheet(t, "Danh sách")
		p := proposal("21/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc")
		p.Annexes = []*exchange.File{annex(t, "Phụ lục.xlsx", xlsx), annex(t, "Biểu mẫu.pdf", pdfOf("biểu mẫu")), annex(t, "phụ lục.xlsx", sheet(t, "khác"))}
		st := h.issue(t, p)
		names, files := h.mailFiles(t, "syt")
		want := "21-SNV-VP.pdf|Phụ lục.xlsx|Biểu mẫu.pdf|phụ lục (2).xlsx|Danh mục tệp kèm theo.pdf"
		if strings.Join(names, "|") != want {
			t.Fatalf("files %q", names)
		}
		if !bytes.Equal(files["Phụ lục.xlsx"], xlsx) {
			t.Error("the sheet was changed on the way")
		}
		for _, name := range []string{"Biểu mẫu.pdf", "21-SNV-VP.pdf", "Danh mục tệp kèm theo.pdf"} {
			if !bytes.Contains(files[name], []byte("/ByteRange")) {
				t.Errorf("%s has no seal", name)
			}
		}
		l := exchange.FindPackageList(files["Danh mục tệp kèm theo.pdf"])
		if l == nil || len(l.Files) != 4 || l.Files[1].SHA256 != p.Annexes[0].Info.SHA256 || l.Files[1].Sealed || !l.Files[2].Sealed {
			t.Errorf("list %+v", l)
		}
		if len(st.Package) != 5 || st.Package[1].MediaType != "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" {
			t.Errorf("package %+v", st.Package)
		}
	})
}

func TestPackageOfPDFsNeedsNoList(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		p := proposal("22/SNV-VP", "Sở Y tế=syt")
		p.Annexes = []*exchange.File{annex(t, "a.pdf", pdfOf("a"))}
		if st := h.issue(t, p); len(st.Package) != 2 || st.Package[1].Sealed == "" {
			t.Errorf("%+v", st.Package)
		}
	})
}

func TestDeletedCopyComesBackWithItsWholePackage(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := proposal("23/SNV-VP", "Sở Y tế=syt")
		p.Annexes = []*exchange.File{annex(t, "a.xlsx", sheet(t, "a"))}
		h.issue(t, p)
		before, _ := h.mailFiles(t, "syt")
		a, box, rows := h.inbox(t, "syt")
		if _, err := h.mail.Expunge(ctx, a, box.ID, []mailcore.UID{rows[0].UID}); err != nil {
			t.Fatal(err)
		}
		h.handle(t)
		if after, _ := h.mailFiles(t, "syt"); strings.Join(after, "|") != strings.Join(before, "|") || len(after) != 3 {
			t.Errorf("came back with %q, had %q", after, before)
		}
	})
}

func TestSameMainFileWithOtherAnnexesIsRefused(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		with := func(name string) *exchange.Proposal {
			p := proposal("24/SNV-VP", "Sở Y tế=syt")
			p.Annexes = []*exchange.File{annex(t, "a.xlsx", sheet(t, name))}
			return p
		}
		first := h.issue(t, with("a"))
		again, err := h.Register(ctx, clerk, with("a"), pdfOf("24/SNV-VP"))
		if err != nil || again.ID != first.Document.ID {
			t.Errorf("the same package again: %v %v", again, err)
		}
		for _, p := range []*exchange.Proposal{with("b"), proposal("24/SNV-VP", "Sở Y tế=syt")} {
			if _, err := h.Register(ctx, clerk, p, pdfOf("24/SNV-VP")); !exchange.IsCode(err, exchange.CodePackageDiffers) {
				t.Errorf("other annexes: %v", err)
			}
		}
	})
}

func TestFilesThatWaitForAPerson(t *testing.T) {
	macros := zipped(t, "[Content_Types].xml", `<Types><Override PartName="/xl/workbook.xml" ContentType="application/vnd.ms-excel.sheet.macroEnabled.main+xml"/></Types>`,
		"xl/workbook.xml", "<workbook/>", "xl/vbaProject.bin", "x")
	broken := append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte("x"), 2000)...)
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := proposal("25/SNV-VP", "Sở Y tế=syt")
		p.Annexes = []*exchange.File{annex(t, "a.xlsm", macros)}
		if _, err := h.Register(ctx, clerk, p, pdfOf("25/SNV-VP")); !exchange.IsCode(err, exchange.CodeFlagged) {
			t.Errorf("macros: %v", err)
		}
		p.Annexes[0].Accepted = true
		st := h.issue(t, p)
		if it := st.Package[1]; it.AcceptedBy != "văn thư" || it.AcceptedAt == nil || !strings.Contains(it.Item.Flags, "macros") {
			t.Errorf("who accepted: %+v", it)
		}

		p = proposal("26/SNV-VP", "Sở Y tế=syt")
		p.Annexes = []*exchange.File{annex(t, "a.pdf", broken)}
		p.Annexes[0].Info.Findings = nil // as if nothing had been found: sealing must notice
		if _, err := h.Register(ctx, clerk, p, pdfOf("26/SNV-VP")); !exchange.IsCode(err, exchange.CodeFlagged) {
			t.Errorf("a PDF that takes no seal: %v", err)
		}
		p.Annexes[0].Accepted = true
		st = h.issue(t, p)
		if len(st.Package) != 3 || st.Package[1].Sealed != "" || st.Package[2].Kind != exchange.ListItem {
			t.Errorf("it must travel as it came, under the list: %+v", st.Package)
		}

		p = proposal("27/SNV-VP", "Sở Y tế=syt")
		p.Annexes = []*exchange.File{annex(t, "a.xlsx", sheet(t, "a")), annex(t, "b.xlsx", sheet(t, "a"))}
		if _, err := h.Register(ctx, clerk, p, pdfOf("27/SNV-VP")); !exchange.IsCode(err, exchange.CodeDoubleFile) {
			t.Errorf("twice: %v", err)
		}
		p.Annexes = p.Annexes[:1]
		p.Suspects = []string{"a.xlsx"}
		if _, err := h.Register(ctx, clerk, p, pdfOf("27/SNV-VP")); !exchange.IsCode(err, exchange.CodeUnseenFiles) {
			t.Errorf("unseen: %v", err)
		}
		p.Suspects, p.Differences = nil, []exchange.Difference{{Field: "date", Message: "khác"}}
		if _, err := h.Register(ctx, clerk, p, pdfOf("27/SNV-VP")); !exchange.IsCode(err, exchange.CodeDiffers) {
			t.Errorf("differs: %v", err)
		}
		p.Differences = nil
		h.Store.MaxMessage = 300 << 10
		if _, err := h.Register(ctx, clerk, p, pdfOf("27/SNV-VP")); !exchange.IsCode(err, exchange.CodePackageTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if _, err := h.Register(ctx, clerk, proposal("28/SNV-VP", "Sở Y tế=syt"), broken); err == nil {
			t.Error("a main file that takes no seal was registered")
		}
		if docs, err := h.ListDocuments(ctx, "", "28/SNV-VP"); err != nil || len(docs) != 0 {
			t.Errorf("%v %v", docs, err)
		}
	})
}

func TestMarksInOfficeFiles(t *testing.T) {
	word := func(text string) []byte {
		return zipped(t, "[Content_Types].xml", "x", "word/document.xml", `<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>`+text+`</w:t></w:r></w:p></w:body></w:document>`)
	}
	for name, c := range map[string]struct {
		format intake.Format
		data   []byte
		found  bool
		known  bool
	}{
		"stamp":          {intake.FormatDOCX, word("TỐI MẬT"), true, true},
		"over two runs":  {intake.FormatDOCX, word("Tuyệt</w:t></w:r><w:r><w:t> mật"), true, true},
		"grade in words": {intake.FormatDOCX, word("Độ mật: Mật"), true, true},
		"word of a text": {intake.FormatDOCX, word("Giữ bí mật theo quy định"), false, true},
		"another word":   {intake.FormatDOCX, word("MẶT"), false, true},
		"cell":           {intake.FormatXLSX, sheet(t, "STT", "MẬT"), true, true},
		"plain cell":     {intake.FormatXLSX, sheet(t, "STT", "Tên"), false, true},
		"no zip":         {intake.FormatDOCX, []byte("x"), false, false},
		"image":          {intake.FormatPNG, []byte("x"), false, false},
		"cut short":      {intake.FormatDOCX, word("<w:p>"), false, false},
	} {
		if found, known := exchange.GuardOffice(c.format, c.data); found != "" != c.found || known != c.known {
			t.Errorf("%s: found %q, known %t", name, found, known)
		}
	}
}
