package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/sqldb"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
)

// What is wrong in a file of decisions is told by line, in Vietnamese, before anything is read or stored.
func TestDecisionsTellTheirFaultsByLine(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	main := put(t, tmp, "van-ban.pdf", letter77(t))
	const head = "[[document]]\nreference = \"77/TB-SNV\"\n"
	for _, c := range []struct {
		name       string
		text, want string
	}{
		{"a misspelt key", head + "not_secrett = true\n", `dòng 3: không có khóa "not_secrett"`},
		{"a misspelt table", head + "[[document.lines]]\ntext = \"a\"\n", `dòng 3: không có khóa "lines"`},
		{"a quote left open", head + "file = \"a\n", "dòng 3: không hiểu: file = \"a"},
		{"a key twice", head + "reference = \"1/A\"\n", "dòng 3: không hiểu: reference = \"1/A\""},
		{"no quotes", "[[document]]\nreference = 77/TB-SNV\n", "dòng 2: không hiểu: reference = 77/TB-SNV"},
		{"a wrong kind", head + "not_secret = \"có\"\n", "dòng 3: giá trị của not_secret không đúng loại: not_secret = \"có\""},
		{"a wrong consent", head + "accept_flags = 3\n", "dòng 3: accept_flags phải là true, false"},
		{"a wrong consent list", head + "confirm_difference = [1]\n", "dòng 3: confirm_difference phải là true, false"},
		{"no document", "[[document]]\nnot_secret = true\n", "dòng 1: mục [[document]] chưa nói về văn bản nào"},
		{"no date", head + "date = \"31/2/2009\"\n", "dòng 1: date = \"31/2/2009\" không phải là ngày"},
		{"no line", head + "[[document.line]]\nunits = [\"stc\"]\n", "dòng 3: mục [[document.line]] chưa nói về nơi nhận nào"},
		{"two decisions", head + "\n[[document.line]]\ntext = \"Lưu: VT\"\nunits = [\"stc\"]\nexcused = \"lưu\"\n", "dòng 4: nơi nhận \"Lưu: VT\" có nhiều quyết định"},
		{"nothing to learn", head + "[[document.line]]\ntext = \"Như trên\"\nunits = [\"stc\", \"snv\"]\nlearn = true\n", "dòng 3: Không ghi nhớ được \"Như trên\""},
	} {
		code, _, errOut := congvan(t, "", "issue", "--json", "--data", dir, "--decisions", put(t, tmp, "a.toml", []byte(c.text)), main)
		if code != 1 || !strings.Contains(errOut, c.want) || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%s: exit %d, want %q\n%s", c.name, code, c.want, errOut)
		}
	}
	// These are found when the document is known.
	for _, c := range []struct {
		name             string
		text, code, want string
	}{
		{"unknown unit", head + "[[document.line]]\ntext = \"Lưu: VT\"\nunits = [\"khongco\"]\n", exchange.CodeUnknownUnit, "dòng 3: Không có đơn vị mã \"khongco\""},
		{"unknown line", head + "[[document.line]]\ntext = \"Sở Tài chính\"\nunits = [\"stc\"]\n[[document.line]]\ntext = \"Sở Y tế\"\nunits = [\"syt\"]\n", exchange.CodeNoSuchLine, "dòng 6: "},
		{"bad address", head + "[[document.line]]\ntext = \"Lưu: VT\"\noff_system = \"Cục A\"\naddress = \"khong phai\"\n", exchange.CodeBadAddress, "dòng 3: "},
		{"undecided", head + "[[document.line]]\ntext = \"Lưu: VT\"\n", exchange.CodeNoReason, "dòng 3: "},
	} {
		code, res := issued(t, "--data", dir, "--decisions", put(t, tmp, "a.toml", []byte(c.text)), main)
		if code != 1 || res.Code != c.code || !strings.Contains(res.Error, c.want) || res.Hint == "" {
			t.Errorf("%s: exit %d, %+v", c.name, code, res)
		}
	}
	// Decisions about another document are not passed over in silence.
	if _, res := issued(t, "--data", dir, "--decisions", put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"1/TB-SNV\"\nnot_secret = true\n")), main); res.Code != exchange.CodeSecrecyAsked ||
		!strings.Contains(strings.Join(res.Warnings, ""), "77/TB-SNV") {
		t.Errorf("%+v", res)
	}
	nothingStored(t, dir)
}

// A clerk's decisions of any encoding settle the same line.
func TestOldEncodingsAreUnderstoodInDecisionsArgumentsAndNames(t *testing.T) {
	const text = "[[document]]\nreference = \"145/STTTT-CNTT\"\nnot_secret = true\n[[document.line]]\ntext = \"Trung tâm CNTT&TT (để th/h)\"\nexcused = \"trực thuộc Sở\"\n"
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tcvn := strings.NewReplacer("Trung tâm", "Trung t\xa9m", "để", "\xae\xd3", "trực thuộc Sở", "tr\xf9c thu\xe9c S\xeb").Replace(text)
	vni := strings.NewReplacer("Trung tâm", "Trung taâm", "để", "ñeå", "trực thuộc Sở", "tröïc thuoäc Sôû").Replace(text)
	for name, data := range map[string][]byte{"UTF-8 with a mark": []byte("\ufeff" + text), "UTF-16": utf16, "NFD": norm.NFD.Bytes([]byte(text)),
		"TCVN3 bytes": []byte(tcvn), "VNI": []byte(vni), "CRLF": []byte(strings.ReplaceAll(text, "\n", "\r\n"))} {
		t.Run(name, func(t *testing.T) {
			dir := newInstallation(t)
			code, res := issued(t, "--data", dir, "--decisions", put(t, t.TempDir(), "a.toml", data), "testdata/demo/02-cong-van-stttt.pdf")
			if code != 0 {
				t.Fatalf("exit %d, %+v", code, res)
			}
			for _, l := range res.Lines {
				if l.DecidedBy != "" && l.Why != "trực thuộc Sở" {
					t.Errorf("%+v", l)
				}
			}
		})
	}
}

// A file name of an old encoding is decoded where recipients see it, and kept as it was given in the event.
func TestFileNamesAreDecodedAndKept(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	const given = "Phô lôc sè 1.docx" // TCVN3: Phụ lục số 1
	raw := "C\xabng v\xa8n.pdf"       // Công văn, as bytes
	main := put(t, tmp, raw, letter77(t))
	annex := put(t, tmp, given, wordFile(t, "Biểu"))
	said := put(t, tmp, "a.toml", []byte("[[document]]\nfile = \"Công văn.pdf\"\nnot_secret = true\n"))
	code, res := issued(t, "--data", dir, "--decisions", said, main, annex)
	if code != 0 || res.File != "Công văn.pdf" || res.Package[1].Name != "Phụ lục số 1.docx" {
		t.Fatalf("exit %d, %+v", code, res)
	}
	var detail []string
	in := opened(t, dir)
	err := in.db.Read(context.Background(), func(tx *sqldb.Tx) error {
		return tx.SelectContext(context.Background(), &detail, `SELECT detail FROM event WHERE kind = 'draft'`)
	})
	var d struct {
		Given map[string]string `json:"given_names"`
	}
	if err != nil || len(detail) != 1 || json.Unmarshal([]byte(detail[0]), &d) != nil || d.Given["1"] != given || d.Given["0"] != "C«ng v¨n.pdf" {
		t.Errorf("%v %q", err, detail)
	}
	st, err := in.exchange.Status(context.Background(), 1)
	if err != nil || st.Package[0].FileName != "Công văn.pdf" || st.Package[1].FileName != "Phụ lục số 1.docx" {
		t.Errorf("%v %+v", err, st.Package)
	}
}

// What a clerk wants remembered is an alias from then on, with who learned it.
func TestDecisionIsLearntWhenTheClerkWants(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		tmp := t.TempDir()
		first := put(t, tmp, "a.pdf", page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Trung tâm Hỏa Tốc (để t/h);", "- Lưu: VT."))
		said := func(learn string) string {
			return put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n[[document.line]]\ntext = \"Trung tâm Hỏa Tốc (để t/h)\"\nunits = [\"stc\"]\n"+learn))
		}
		code, res := issued(t, "--data", dir, "--decisions", said("learn = true\n"), "--as", "Chị Hoa", first)
		if code != 0 || strings.Join(res.Learnt, "") != "Trung tâm Hỏa Tốc = stc" {
			t.Fatalf("exit %d, %+v", code, res)
		}
		list, err := opened(t, dir).units.LearnedAliases(context.Background())
		if err != nil || len(list) != 1 || list[0].Code != "stc" || list[0].By != "Chị Hoa" || list[0].At.IsZero() {
			t.Errorf("%v %+v", err, list)
		}
		other := put(t, tmp, "b.pdf", page(t, "SỞ NỘI VỤ", "Nội dung khác.", "Nơi nhận:", "- Trung tâm Hỏa Tốc;", "- Lưu: VT."))
		out := mustRun(t, "", "read", "--json", "--data", dir, other)
		if !strings.Contains(out, `"units":["stc"]`) {
			t.Errorf("not remembered: %s", out)
		}
	})
}

// A clerk at the keyboard is asked about each thing, and about nothing else.
func TestClerkIsAskedOneThingAfterTheOther(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	main := put(t, tmp, "a.pdf", page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Trung tâm Hỏa Tốc (để t/h);", "- Lưu: VT."))
	annex := put(t, tmp, "mau.docx", wordFile(t, "MẬT"))
	macros := put(t, tmp, "bang.xlsm", macroSheet(t, "Danh sách"))
	args := []string{"issue", "--data", dir, "--date", "13/5/2009", main, annex, macros}

	// Somebody who leaves in the middle finds it again.
	code, out, errOut := congvan(t, "có\nstc\n", args...)
	if code != 1 || !strings.Contains(errOut, "congvan issue --data "+dir+" --spool ") {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	waiting := spooled(t, dir)
	if len(waiting) != 1 || len(waiting[0].Files) != 3 || waiting[0].Said.Date != "2009-05-13" {
		t.Fatalf("%+v", waiting)
	}
	for _, c := range []struct{ answers, want string }{
		{"không\n", "Nội dung đã ghi khác với trang giấy"},
		{"có\nstc\nkhông\nkhông\n", "Chưa ai xem: «mau.docx»"},
		{"có\nstc\nkhông\ncó\nkhông\n", "Tệp cần văn thư quyết định: bang.xlsm"},
		{"có\nkhongco\nbỏ\n", "không có câu trả lời"},
		{"có\nstc\nkhông\ncó\ncó\nkhông\n", "không có câu trả lời"}, // the last word is missing
	} {
		if code, _, errOut := congvan(t, c.answers, "issue", "--data", dir, "--spool", waiting[0].ID); code != 1 || !strings.Contains(errOut, c.want) {
			t.Errorf("%q: exit %d\n%s", c.answers, code, errOut)
		}
	}
	nothingStored(t, dir)
	out = mustRun(t, "có\nstc\ncó\ncó\ncó\nkhông\ncó\n", "issue", "--now", "--data", dir, "--spool", waiting[0].ID)
	for _, want := range []string{"Khác với trang giấy: Ngày văn bản ghi 13/05/2009, trên trang là 12/05/2009 (trang 1, phần trên, bên phải).", "3    bang.xlsm  Excel có macro",
		"«mau.docx»: có chỗ chỉ ghi «MẬT»", "Đã ghi nhớ: Trung tâm Hỏa Tốc = stc", "Đã phát hành 77/TB-SNV: 1 bản"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "spool")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	mustRun(t, "", "check", "--data", dir)
}

// A scan that nothing can read is typed by the clerk, recipients too; a page that was read gets no more recipients than it names.
func TestPageThatCannotBeReadIsTyped(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	empty := t.TempDir()
	t.Setenv("PATH", empty) // no tesseract
	scan := put(t, tmp, "ban-quet.pdf", demoFile("06-thong-bao-scan.pdf"))
	_, res := issued(t, "--data", dir, scan)
	if res.Code != "needs_manual" || res.Spool == "" {
		t.Fatalf("%+v", res)
	}
	model := mustRun(t, "", "spool", "show", "--toml", "--data", dir, res.Spool)
	for _, want := range []string{"# add = true", "# reference = ", "# issuer = "} {
		if !strings.Contains(model, want) {
			t.Errorf("the model has no %q:\n%s", want, model)
		}
	}
	const typed = `[[document]]
file = "ban-quet.pdf"
reference = "121/TB-UBND"
date = "20/8/2009"
issuer = "ubndtinh"
type = "Thông báo"
abstract = "Kết luận của Chủ tịch"
not_secret = true
%s
[[document.line]]
text = "Sở Y tế"
units = ["syt"]
add = true
`
	said := put(t, tmp, "a.toml", []byte(strings.Replace(typed, "%s", "", 1)))
	if _, got := issued(t, "--data", dir, "--spool", res.Spool, "--decisions", said); got.Code != exchange.CodeUnreadPages {
		t.Fatalf("nobody has looked: %+v", got)
	}
	put(t, tmp, "a.toml", []byte(strings.Replace(typed, "%s", "seen_pages = true", 1)))
	code, got := issued(t, "--data", dir, "--spool", res.Spool, "--decisions", said)
	if code != 0 || got.Reference != "121/TB-UBND" || got.Issuer != "ubndtinh" || got.Copies != 1 || got.Lines[0].DecidedBy == "" {
		t.Errorf("exit %d, %+v", code, got)
	}
	main := put(t, tmp, "b.pdf", letter77(t))
	put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n[[document.line]]\ntext = \"Sở Y tế\"\nunits = [\"syt\"]\nadd = true\n"))
	if code, got := issued(t, "--data", dir, "--decisions", said, main); code != 1 || got.Code != exchange.CodeNotOnPage || !strings.Contains(got.Error, "dòng 4") {
		t.Errorf("exit %d, %+v", code, got)
	}
	mustRun(t, "", "check", "--data", dir)
}
