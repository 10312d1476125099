package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/liberation/liberationserifregular"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// congvan runs one command line in process.
func congvan(t *testing.T, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

// mustRun is congvan that has to succeed.
func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, out, errOut := congvan(t, stdin, args...)
	if code != 0 {
		t.Fatalf("congvan %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// newInstallation is the directory of 2009 without mailboxes, in a new folder.
func newInstallation(t *testing.T) string {
	t.Helper()
	return newInstallationOn(t, "sqlite:congvan.db")
}

// forEachInstallation runs fn with an installation on SQLite and one on PostgreSQL.
func forEachInstallation(t *testing.T, fn func(t *testing.T, dir string)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newInstallation(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, newInstallationOn(t, mailtest.NewPostgres(t))) })
}

// newInstallationOn is newInstallation with its database there; more are arguments of init.
func newInstallationOn(t *testing.T, database string, more ...string) string {
	t.Helper()
	mailtest.StayInOneDay(t)
	dir := filepath.Join(t.TempDir(), "tinh")
	mustRun(t, "", append([]string{"init", "--data", dir, "--domain", "kontum.test", "--loopback-only", "--database", database}, more...)...)
	mustRun(t, "", "directory", "import", "--data", dir, "testdata/demo/kontum-2009-units.csv", "--groups", "testdata/demo/kontum-2009-groups.csv")
	if err := os.Symlink(sharedCache(t), filepath.Join(dir, "cache")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sharedCache keeps compiled code between tests: it takes seconds to make.
func sharedCache(t *testing.T) string {
	t.Helper()
	cache := filepath.Join(os.TempDir(), "congvan-test-cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	return cache
}

// page makes an official document with a Unicode font: the two columns of a head, and these lines below it.
func page(t *testing.T, issuer string, lines ...string) []byte {
	t.Helper()
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.AddUTF8FontFromBytes("serif", "", liberationserifregular.TTF)
	pdf.AddPage()
	row := func(left, right string) {
		pdf.CellFormat(75, 6, left, "", 0, "C", false, 0, "")
		pdf.CellFormat(110, 6, right, "", 1, "C", false, 0, "")
	}
	pdf.SetFont("serif", "", 12)
	row("ỦY BAN NHÂN DÂN", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
	row("TỈNH KON TUM", "Độc lập - Tự do - Hạnh phúc")
	row(issuer, "")
	row("Số: 77/TB-SNV", "Kon Tum, ngày 12 tháng 5 năm 2009")
	pdf.SetFont("serif", "", 14)
	pdf.Ln(8)
	for _, l := range []string{"THÔNG BÁO", "Về việc thử nghiệm"} {
		pdf.CellFormat(0, 7, l, "", 1, "C", false, 0, "")
	}
	for _, l := range lines {
		pdf.CellFormat(0, 7, l, "", 1, "L", false, 0, "")
	}
	var b bytes.Buffer
	if err := pdf.Output(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encrypted(t *testing.T, pdf []byte) []byte {
	t.Helper()
	api.DisableConfigDir()
	conf := model.NewAESConfiguration("mở", "chủ", 256)
	var b bytes.Buffer
	if err := api.Encrypt(bytes.NewReader(pdf), &b, conf); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What a clerk may drop in by mistake gets a clear Vietnamese answer, and nothing of it is stored.
func TestIssueTellsWhatIsWrongAndStoresNothing(t *testing.T) {
	dir := newInstallation(t)
	sample := demoFile("02-cong-van-stttt.pdf")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "rỗng"},
		{"not a PDF", []byte("Kính gửi các đơn vị"), "PDF"},
		{"truncated", sample[:len(sample)/2], "PDF"},
		{"encrypted", encrypted(t, sample), "mật khẩu"},
		{"no recipients", page(t, "SỞ NỘI VỤ", "Nội dung.", "GIÁM ĐỐC", "Nguyễn Hư Cấu"), "Nơi nhận"},
		{"unknown issuer", page(t, "SỞ HƯ CẤU", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT."),
			"Cơ quan ban hành không có trong danh bạ: SỞ HƯ CẤU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "van-ban.pdf")
			if err := os.WriteFile(file, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errOut := congvan(t, "", "issue", "--data", dir, "--json", file)
			var res issueResult
			if err := json.Unmarshal([]byte(out), &res); err != nil {
				t.Fatalf("%v\n%s%s", err, out, errOut)
			}
			if code != 1 || !strings.Contains(res.Error, c.want) {
				t.Errorf("exit %d, %q, want %q", code, res.Error, c.want)
			}
		})
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "blobs", "*", "*")); len(files) > 0 {
		t.Errorf("stored %v", files)
	}
	if out := mustRun(t, "", "status", "--data", dir, "--json"); out != "" {
		t.Errorf("documents: %s", out)
	}
}

const settle145 = `[[document]]
reference = "145/STTTT-CNTT"
not_secret = true
[[document.line]]
text = "Trung tâm CNTT&TT (để th/h)"
excused = "trực thuộc Sở"
`

func TestIssueWithDecisionsAndWhatTheyMayGetWrong(t *testing.T) {
	dir := newInstallation(t)
	file, tmp := "testdata/demo/02-cong-van-stttt.pdf", t.TempDir()
	said := func(text string) string {
		path := filepath.Join(tmp, "said.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name            string
		decisions, want string
	}{
		{"nothing said", "", "open_lines"},
		{"unknown unit", strings.Replace(settle145, `excused = "trực thuộc Sở"`, `units = ["khongco"]`, 1), "unknown_unit"},
		{"line not there", strings.Replace(settle145, "Trung tâm CNTT&TT", "Trung tâm khác", 1), "no_such_line"},
		{"no reason", strings.Replace(settle145, "trực thuộc Sở", "", 1), "no_reason"},
		{"secrecy", strings.Replace(settle145, "not_secret = true", "", 1), "secrecy_unasked"},
	} {
		code, out, _ := congvan(t, "", "issue", "--data", dir, "--json", "--decisions", said(c.decisions), file)
		var res issueResult
		if err := json.Unmarshal([]byte(out), &res); err != nil || code != 1 || res.Code != c.want {
			t.Errorf("%s: exit %d, %v\n%s", c.name, code, err, out)
		}
	}
	if code, _, errOut := congvan(t, "", "issue", "--data", dir, "--json", "--decisions", said("[[document]]\nreferense = 1\n"), file); code != 1 || !strings.Contains(errOut, "referense") {
		t.Errorf("a misspelt key: exit %d, %s", code, errOut)
	}

	var res issueResult
	out := mustRun(t, "", "issue", "--data", dir, "--json", "--decisions", said(settle145), file)
	if err := json.Unmarshal([]byte(out), &res); err != nil || res.State != "issued" || res.Copies != 35 {
		t.Fatalf("%v\n%s", err, out)
	}
	// No unit has a mailbox here: each copy is an exception that somebody owns.
	var st statusJSONForTest
	if err := json.Unmarshal([]byte(mustRun(t, "", "status", "--data", dir, "--json", "145/STTTT-CNTT")), &st); err != nil {
		t.Fatal(err)
	}
	for _, d := range st.Dispatches {
		if d.Transport != "exception" || d.Owner != "stttt" || d.Deadline == "" || len(d.Events) != 1 {
			t.Errorf("%+v", d)
		}
	}
	// The same number on another paper.
	other := filepath.Join(tmp, "khac.pdf")
	if err := os.WriteFile(other, append(demoFile("02-cong-van-stttt.pdf"), "\n% bản khác\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := congvan(t, "", "issue", "--data", dir, "--json", "--decisions", said(settle145), other)
	if code != 1 || !strings.Contains(out, `"code":"number_taken"`) {
		t.Errorf("exit %d\n%s", code, out)
	}
	mustRun(t, "", "check", "--data", dir)
}

type statusJSONForTest struct {
	Reference, Issuer, State string
	Lines                    []json.RawMessage
	Dispatches               []struct {
		Unit, Address, Transport, Handling, Owner, Deadline string
		Events                                              []struct{ At, Event, Actor string }
	}
}

func TestSecretDocumentIsRefused(t *testing.T) {
	dir := newInstallation(t)
	code, out, _ := congvan(t, "", "issue", "--data", dir, "--json", "testdata/demo/08-cong-van-mat.pdf")
	if code != 1 || !strings.Contains(out, `"code":"secret"`) || strings.Contains(out, "17/UBND") {
		t.Errorf("exit %d\n%s", code, out)
	}
	// A clerk who says so is believed, whatever the page shows.
	code, out, errOut := congvan(t, "bỏ trực thuộc\nmật\n", "issue", "--data", dir, "testdata/demo/02-cong-van-stttt.pdf")
	if code != 1 || !strings.Contains(errOut, "độ mật") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "blobs", "*", "*")); len(files) > 0 {
		t.Errorf("stored %v", files)
	}
}

func TestReadGivesWhatTheSamplesSay(t *testing.T) {
	file := "testdata/demo/04-to-trinh-82-stttt.pdf"
	var got struct {
		File, Reference, Date, Issuer string
		Units, Unknown                []string
	}
	if err := json.Unmarshal([]byte(mustRun(t, "", "read", "--json", file)), &got); err != nil {
		t.Fatal(err)
	}
	if got.File != "04-to-trinh-82-stttt.pdf" || got.Reference != "82/TTr-STTTT" || got.Date != "2009-03-05" || strings.Join(got.Units, " ") != "stp ubndtinh" {
		t.Errorf("%+v", got)
	}
	code, out, _ := congvan(t, "", "read", "--json", "testdata/demo/decisions.toml", file)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 1 || len(lines) != 2 || !strings.Contains(lines[0], `"error"`) || !strings.Contains(lines[1], "82/TTr-STTTT") {
		t.Errorf("one bad file must not stop the others: exit %d\n%s", code, out)
	}
}

func TestLinesOfJSON(t *testing.T) {
	for _, c := range []struct {
		args     []string
		in, want string
	}{
		{[]string{"recipients", "parse"}, `{"id":"a","raw":"Nơi nhận:\n- Như trên;\n- Lưu: VT (3)."}`, `"text":"Như trên","kind":"reference"`},
		{[]string{"recipients", "resolve", "--jsonl"}, `{"id":"b","date":"2009-03-18","issuer":"snv","kinh_gui":null,"noi_nhan":"Nơi nhận:\n- Sở Tài chính;\n- Lưu: VT.","body":null}`, `"units":["stc"],"unknown":[]`},
		{[]string{"recode", "--jsonl"}, `{"id":1,"text":"C«ng v¨n ®Õn"}`, `"text":"Công văn đến"`},
		{[]string{"heading", "parse", "--jsonl"}, `{"id":"h","raw_header":"Số: 22/2009/QĐ-UBND\nKon Tum, ngày 18 tháng 3 năm 2009\nQUYẾT ĐỊNH\nVề việc thử"}`, `"year":"2009"`},
	} {
		out := mustRun(t, c.in+"\n\n", c.args...)
		if !strings.Contains(out, c.want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: %s", c.args, out)
		}
	}
	if code, _, errOut := congvan(t, "{}\nkhông phải JSON\n", "recode"); code != 1 || !strings.Contains(errOut, "line 2") {
		t.Errorf("exit %d, %s", code, errOut)
	}
}

func TestWrongUsageIsTwoAndSaysHow(t *testing.T) {
	for _, args := range [][]string{{"issue"}, {"--nein"}, {"status", "a", "b"}, {"init"}, {"khong-co"}, {"account", "add", "a", "b"}} {
		if code, _, errOut := congvan(t, "", args...); code != 2 || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%v: exit %d, %s", args, code, errOut)
		}
	}
	if code, _, errOut := congvan(t, "", "status", "--data", t.TempDir()); code != 1 || !strings.Contains(errOut, "congvan init") {
		t.Errorf("no installation: exit %d, %s", code, errOut)
	}
}

func TestBadConfigurationIsExplainedByLine(t *testing.T) {
	dir := newInstallation(t)
	path := filepath.Join(dir, configFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{string(good) + "\n[ocr2]\nx = 1\n", "unknown key"},
		{strings.Replace(string(good), "smtp        = ", "smpt        = ", 1), "line 8"},
		{strings.Replace(string(good), `"127.0.0.1:2525"`, `"127.0.0.1"`, 1), "listen.smtp"},
		{strings.Replace(string(good), "max_message   = 52428800", "max_message = ", 1), "line"},
		{"database = \"sqlite:congvan.db\"\n", "domain is missing"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errOut := congvan(t, "", "check", "--data", dir); code != 1 || !strings.Contains(errOut, c.want) || !strings.Contains(errOut, "hint: ") {
			t.Errorf("want %q, exit %d: %s", c.want, code, errOut)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "check", "--data", dir)
}

func TestDirectoryGoesOutAsItCameInAndBadOnesChangeNothing(t *testing.T) {
	dir := newInstallation(t)
	first := mustRun(t, "", "directory", "export", "--data", dir)
	file := filepath.Join(t.TempDir(), "units.csv")
	if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "", "directory", "import", "--data", dir, file, "--groups", "testdata/demo/kontum-2009-groups.csv"); !strings.Contains(out, "thêm 0, đổi 0, thôi 0") {
		t.Errorf("the same directory again: %s", out)
	}
	if err := os.WriteFile(file, []byte("code,name,kind,parent,aliases\na,Đơn vị A,so,khongco,\na,Đơn vị A,so,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := congvan(t, "", "directory", "import", "--data", dir, file); code != 1 || !strings.Contains(errOut, "dòng 2") || !strings.Contains(errOut, "dòng 3") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if second := mustRun(t, "", "directory", "export", "--data", dir); second != first {
		t.Error("a refused import changed the directory")
	}
}

func TestAccountsAreOpenedOnceAndPasswordsChanged(t *testing.T) {
	dir := newInstallation(t)
	if out := mustRun(t, "", "account", "add", "--data", dir, "--unit", "snv"); !strings.Contains(out, "snv@kontum.test") {
		t.Error(out)
	}
	if code, _, errOut := congvan(t, "", "account", "add", "--data", dir, "--unit", "snv"); code != 1 || !strings.Contains(errOut, "không cấp lại") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	mustRun(t, "", "account", "add", "nvan.snv@kontum.test", "--data", dir, "--unit", "snv", "--name", "Nguyễn Văn Ẩn Danh")
	mustRun(t, "một câu dễ nhớ\n", "account", "passwd", "--data", dir, "nvan.snv@kontum.test")
	if code, _, errOut := congvan(t, "ngắn\n", "account", "passwd", "--data", dir, "nvan.snv@kontum.test"); code != 1 || !strings.Contains(errOut, "12 ký tự") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if code, _, errOut := congvan(t, "một câu dễ nhớ\n", "account", "passwd", "--data", dir, "khong@kontum.test"); code != 1 || !strings.Contains(errOut, "không có tài khoản") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if out := mustRun(t, "", "account", "list", "--data", dir); !strings.Contains(out, "Nguyễn Văn Ẩn Danh") {
		t.Error(out)
	}
}

func TestAccountIsCutDelegatedShownAndClosed(t *testing.T) {
	dir := newInstallation(t)
	mustRun(t, "", "account", "add", "--data", dir, "--unit", "snv")
	mustRun(t, "", "account", "add", "nvan.snv@kontum.test", "--data", dir, "--unit", "snv", "--name", "Nguyễn Văn Ẩn")
	if out := mustRun(t, "", "account", "list", "--data", dir); strings.Count(out, "chờ đổi mật khẩu") != 2 {
		t.Errorf("issued passwords need no change: %s", out)
	}
	mustRun(t, "một câu dễ nhớ\n", "account", "passwd", "--data", dir, "nvan.snv@kontum.test")
	if code, _, errOut := congvan(t, "nvan.snv@kontum.test\n", "account", "passwd", "--data", dir, "nvan.snv@kontum.test"); code != 1 || !strings.Contains(errOut, "dễ đoán") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if out := mustRun(t, "", "account", "cut", "--data", dir, "nvan.snv@kontum.test"); !strings.Contains(out, "Đã ngắt mọi phiên") || !strings.Contains(out, "https://") {
		t.Error(out)
	}
	if out := mustRun(t, "", "account", "cut", "--lock", "--data", dir, "snv@kontum.test"); !strings.Contains(out, "Không ai vào được") {
		t.Error(out)
	}
	out := mustRun(t, "", "account", "delegate", "nvan.snv@kontum.test", "--data", dir, "--unit", "snv", "--number", "12/GUQ-SNV", "--from", "2026-01-01", "--to", "2126-12-31")
	if !strings.Contains(out, "12/GUQ-SNV") || !strings.Contains(out, "Hộp thư đơn vị/") {
		t.Error(out)
	}
	if code, _, errOut := congvan(t, "", "account", "delegate", "nvan.snv@kontum.test", "--data", dir, "--unit", "snv", "--number", "1", "--from", "2026-02-30", "--to", "2026-03-01"); code != 1 || !strings.Contains(errOut, "hint: ") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if code, _, _ := congvan(t, "", "account", "delegate", "nvan.snv@kontum.test", "--data", dir); code != 2 {
		t.Errorf("exit %d", code)
	}
	if out := mustRun(t, "", "account", "show", "--data", dir, "nvan.snv@kontum.test"); !strings.Contains(out, "12/GUQ-SNV") {
		t.Error(out)
	}
	if out := mustRun(t, "", "account", "undelegate", "--data", dir, "1"); !strings.Contains(out, "Đã chấm dứt") {
		t.Error(out)
	}
	if out := mustRun(t, "", "account", "delegations", "--data", dir); !strings.Contains(out, "đã chấm dứt") {
		t.Error(out)
	}
	if code, _, errOut := congvan(t, "", "account", "undelegate", "--data", dir, "1"); code != 1 || !strings.Contains(errOut, "không có ủy quyền") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	mustRun(t, "", "account", "close", "--data", dir, "nvan.snv@kontum.test")
	if out := mustRun(t, "", "account", "list", "--data", dir); !strings.Contains(out, "đã đóng") {
		t.Error(out)
	}
}

func TestRegisterIsTakenVoidedAndItsGapsListed(t *testing.T) {
	dir := newInstallation(t)
	of := func(args ...string) []string {
		return append(append([]string{"register"}, args...), "--data", dir, "--unit", "stttt", "--year", "2009")
	}
	mustRun(t, "", of("mode", "here")...)
	for _, want := range []string{"01/STTTT-VP\n", "02/STTTT-VP\n"} {
		if out := mustRun(t, "", of("take", "STTTT-VP")...); out != want {
			t.Errorf("took %q, want %q", out, want)
		}
	}
	if code, _, errOut := congvan(t, "", of("void", "02/STTTT-VP")...); code != 1 || !strings.Contains(errOut, "lý do") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	mustRun(t, "", append(of("void", "02/STTTT-VP"), "--reason", "in hỏng")...)
	if out := mustRun(t, "", of("gaps")...); out != "Không thiếu số nào.\n" {
		t.Error(out)
	}
	if code, _, errOut := congvan(t, "", of("mode", "paper")...); code != 1 || errOut == "" {
		t.Errorf("a register with numbers changed its mode: exit %d", code)
	}
	mustRun(t, "", "check", "--data", dir)
	if got := exchange.Ranges([]int64{1, 2, 3, 7, 9, 10}); got != "1-3, 7, 9-10" {
		t.Error(got)
	}
}

func TestPageThatMayBearAMarkOfSecrecyWaitsForAPerson(t *testing.T) {
	dir := newInstallation(t)
	file, said := filepath.Join(t.TempDir(), "a.pdf"), filepath.Join(t.TempDir(), "said.toml")
	if err := os.WriteFile(file, page(t, "SỞ NỘI VỤ", "TÀI LIỆU THU HỒI", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT."), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, turn := range []struct{ more, want string }{{"", `"code":"unread_pages"`}, {"seen_pages = true\n", `"state":"issued"`}} {
		if err := os.WriteFile(said, []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n"+turn.more), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, out, errOut := congvan(t, "", "issue", "--data", dir, "--json", "--decisions", said, file); !strings.Contains(out, turn.want) {
			t.Errorf("%q: want %s\n%s%s", turn.more, turn.want, out, errOut)
		}
	}
}
