package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/smtpd"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"
)

// A mailHouse is an opened installation whose units snv and stc have mailboxes, with the desk that takes papers by mail.
type mailHouse struct {
	dir  string
	in   *installation
	desk *mailDesk
	n    int
}

func newMailHouse(t *testing.T, dir string) *mailHouse {
	t.Helper()
	for _, unit := range []string{"snv", "stc"} {
		mustRun(t, "", "account", "add", "--data", dir, "--unit", unit)
	}
	h := &mailHouse{dir: dir}
	h.open(t)
	t.Cleanup(func() { h.in.close() })
	return h
}

// open opens the installation again, as after a crash.
func (h *mailHouse) open(t *testing.T) {
	t.Helper()
	if h.in != nil {
		h.in.close()
	}
	cfg, err := loadConfig(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.in, err = openInstallation(context.Background(), cfg, mailtest.Quiet); err != nil {
		t.Fatal(err)
	}
	h.desk = h.in.newMailDesk()
}

// A part is an attached file.
type part struct {
	name string
	data []byte
}

func (h *mailHouse) send(t *testing.T, from, to, text string, parts ...part) error {
	t.Helper()
	h.n++
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nMessage-ID: <m%d@kontum.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=ranh\r\n\r\n", from, to, h.n)
	fmt.Fprintf(&b, "--ranh\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", text)
	for _, p := range parts {
		fmt.Fprintf(&b, "--ranh\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=%q\r\n\r\n%s\r\n",
			mime.BEncoding.Encode("utf-8", p.name), base64.StdEncoding.EncodeToString(p.data))
	}
	b.WriteString("--ranh--\r\n")
	return h.desk.Take(t.Context(), smtpd.Diverted{AuthAs: mailcore.Address(from), Rcpt: mailcore.Address(to), MessageID: fmt.Sprintf("m%d@kontum.test", h.n), Data: b.Bytes()})
}

// A told is one letter of the gateway.
type told struct{ subject, text, replyTo string }

func (h *mailHouse) letters(t *testing.T, address string) (out []told) {
	t.Helper()
	account, err := h.in.mail.Account(t.Context(), mailcore.Address(address))
	if err != nil {
		t.Fatal(err)
	}
	box, err := h.in.mail.Mailbox(t.Context(), account.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := h.in.mail.Rows(t.Context(), box.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		stored, err := h.in.mail.Load(t.Context(), box.ID, []mailcore.UID{row.UID})
		if err != nil {
			t.Fatal(err)
		}
		f, err := h.in.mail.Blobs().Open(stored[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := mail.CreateReader(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p.Body)
		subject, _ := r.Header.Subject()
		var replyTo string
		if list, _ := r.Header.AddressList("Reply-To"); len(list) > 0 {
			replyTo = list[0].Address
		}
		out = append(out, told{subject, strings.ReplaceAll(string(text), "\r\n", "\n"), replyTo})
	}
	return out
}

// last is the newest letter, which must be the nth.
func (h *mailHouse) last(t *testing.T, address string, n int) told {
	t.Helper()
	list := h.letters(t, address)
	if len(list) != n {
		for _, l := range list {
			t.Logf("letter %q\n%s", l.subject, l.text)
		}
		t.Fatalf("%d letters, want %d", len(list), n)
	}
	return list[n-1]
}

func (l told) want(t *testing.T, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(l.subject+"\n"+l.text, p) {
			t.Errorf("the letter does not say %q:\n%s\n%s", p, l.subject, l.text)
		}
	}
}

// noTrace fails when these words stand in any file of the installation.
func (h *mailHouse) noTrace(t *testing.T, words ...string) {
	t.Helper()
	filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, w := range words {
			if bytes.Contains(data, []byte(w)) {
				t.Errorf("%q stands in %s", w, path)
			}
		}
		return nil
	})
}

const (
	deskAddress = "phathanh@kontum.test"
	snvAddress  = "snv@kontum.test"
)

// A clerk mails a paper with an annex, is told what was read, mends a line, and says the word.
func TestPaperIsIssuedByMail(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		h := newMailHouse(t, dir)
		pdf := page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Tổ chức hư cấu X;", "- Lưu: VT.")
		if err := h.send(t, snvAddress, deskAddress, "Nhờ phát hành.", part{"biểu mẫu.docx", wordFile(t, "Biểu mẫu")}, part{"thông báo.pdf", pdf}); err != nil {
			t.Fatal(err)
		}
		h.desk.pass(t.Context())
		asked := h.last(t, snvAddress, 1)
		asked.want(t, "Chờ xác nhận phát hành: 77/TB-SNV", "2009-05-12", "Về việc thử nghiệm", "biểu mẫu.docx", "Dòng 1: Sở Tài chính\n          → Sở Tài chính tỉnh Kon Tum [stc]",
			"Dòng 2: Tổ chức hư cấu X\n          CHƯA RÕ", "Phát hành")
		if !strings.HasPrefix(asked.replyTo, "phathanh+") {
			t.Fatalf("Reply-To %q", asked.replyTo)
		}
		h.desk.pass(t.Context()) // nothing more to do
		h.last(t, snvAddress, 1)

		say := func(from, text string) {
			t.Helper()
			if err := h.send(t, from, asked.replyTo, text); err != nil {
				t.Fatal(err)
			}
			h.desk.pass(t.Context())
		}
		say(snvAddress, "Phát hành") // with an open line it cannot
		h.last(t, snvAddress, 2).want(t, "CHƯA PHÁT HÀNH ĐƯỢC", "Tổ chức hư cấu X")
		say(snvAddress, "Phát hành nhưng đợi đến chiều")
		h.last(t, snvAddress, 3).want(t, "Chưa hiểu trả lời", "Phát hành nhưng đợi đến chiều")
		say(snvAddress, "dòng 2: khongco")
		h.last(t, snvAddress, 4).want(t, "khongco")
		say("stc@kontum.test", "Phát hành") // somebody else
		h.last(t, "stc@kontum.test", 1).want(t, "Không còn văn bản")
		say(snvAddress, "Chào anh,\n\ndòng 2: bỏ tổ chức không có thật\nĐộ mật: không\n\nVào ngày 1/1/2026, Công Văn đã viết:\n> Hủy\n")
		h.last(t, snvAddress, 5).want(t, "không gửi: tổ chức không có thật", "Một câu hỏi")
		if st := mustRun(t, "", "status", "--data", dir, "--json"); st != "" {
			t.Fatalf("issued without the word: %s", st)
		}
		say(snvAddress, "Đồng ý")
		h.last(t, snvAddress, 6).want(t, "Đã phát hành: 77/TB-SNV", "1 bản")
		if st := mustRun(t, "", "status", "--data", dir, "--json", "77/TB-SNV"); !strings.Contains(st, `"issued"`) || !strings.Contains(st, `"unit":"stc"`) {
			t.Errorf("status: %s", st)
		}
		if notes := spooled(t, dir); len(notes) > 0 {
			t.Errorf("still in the spool: %+v", notes)
		}
		say(snvAddress, "Đồng ý") // once more
		if h.send(t, snvAddress, deskAddress, "", part{"thông báo.pdf", pdf}, part{"biểu mẫu.docx", wordFile(t, "Biểu mẫu")}) != nil {
			t.Error("the same paper again")
		}
		h.desk.pass(t.Context())
		list := h.letters(t, snvAddress)
		list[len(list)-1].want(t, "Đã phát hành: 77/TB-SNV", "từ trước")
		mustRun(t, "", "check", "--data", dir)
	})
}

// Of a secret paper nothing stays, whoever found out: the guard, or the clerk who is asked.
func TestSecretPaperByMailLeavesNothing(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		h := newMailHouse(t, dir)
		secret := demoFile("08-cong-van-mat.pdf")
		var issuer string
		for _, unit := range []string{"stttt", "vpubnd", "ubndtinh"} {
			mustRun(t, "", "account", "add", "--data", dir, "--unit", unit)
			issuer = unit
		}
		if err := h.send(t, issuer+"@kontum.test", deskAddress, "", part{"tuyệt đối.pdf", secret}); err != nil {
			t.Fatal(err)
		}
		h.desk.pass(t.Context())
		h.last(t, issuer+"@kontum.test", 1).want(t, "Không nhận văn bản mật", "Điều 10")
		if notes := spooled(t, dir); len(notes) > 0 {
			t.Errorf("in the spool: %+v", notes)
		}
		h.noTrace(t, "tuyệt đối.pdf", string(secret[:64]))

		pdf := page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT.")
		if err := h.send(t, snvAddress, deskAddress, "", part{"a.pdf", pdf}); err != nil {
			t.Fatal(err)
		}
		h.desk.pass(t.Context())
		asked := h.last(t, snvAddress, 1)
		if err := h.send(t, snvAddress, asked.replyTo, "Độ mật: mật"); err != nil {
			t.Fatal(err)
		}
		h.desk.pass(t.Context())
		h.last(t, snvAddress, 1).want(t, "Không phát hành", "mật") // the question, which told of the paper, is gone
		if notes := spooled(t, dir); len(notes) > 0 {
			t.Errorf("in the spool: %+v", notes)
		}
		if st := mustRun(t, "", "status", "--data", dir, "--json"); st != "" {
			t.Errorf("documents: %s", st)
		}
	})
}

func TestPaperByMailIsRefusedWithAReason(t *testing.T) {
	h := newMailHouse(t, newInstallation(t))
	stc := page(t, "SỞ TÀI CHÍNH", "Nội dung.", "Nơi nhận:", "- Sở Y tế;", "- Lưu: VT.")
	for i, c := range []struct {
		parts []part
		want  string
	}{
		{nil, "Thư không có tệp PDF"},
		{[]part{{"a.docx", wordFile(t, "x")}}, "Thư không có tệp PDF"},
		{[]part{{"a.pdf", stc}, {"b.pdf", stc}}, "a.pdf"},
		{[]part{{"hỏng.pdf", stc[:len(stc)/2]}}, "PDF"},
		{[]part{{"của sở khác.pdf", stc}}, "không"},
	} {
		if err := h.send(t, snvAddress, deskAddress, "", c.parts...); err != nil {
			t.Fatal(i, err)
		}
		h.desk.pass(t.Context())
		h.last(t, snvAddress, i+1).want(t, c.want)
	}
	if notes := spooled(t, h.dir); len(notes) > 0 {
		t.Errorf("in the spool: %+v", notes)
	}
	mustRun(t, "", "account", "add", "nvan.snv@kontum.test", "--data", h.dir, "--unit", "snv", "--name", "Nguyễn Văn An")
	var refused *smtp.SMTPError
	if err := h.send(t, "nvan.snv@kontum.test", deskAddress, "", part{"a.pdf", stc}); !errors.As(err, &refused) || refused.Code != 550 {
		t.Errorf("an officer without a delegation: %v", err)
	}
}

// A process that dies anywhere between the 250 and the last letter is followed by one that ends the same way, telling and issuing
// once.
func TestPaperByMailSurvivesCrashes(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		h := newMailHouse(t, dir)
		pdf := page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT.")
		if err := h.send(t, snvAddress, deskAddress, "", part{"a.pdf", pdf}); err != nil {
			t.Fatal(err)
		}
		h.open(t) // died before reading
		if _, err := h.in.spool().sweep(); err != nil {
			t.Fatal(err)
		}
		h.desk.pass(t.Context())
		asked := h.last(t, snvAddress, 1)
		id := regexp.MustCompile(`\+(\w+)\.`).FindStringSubmatch(asked.replyTo)[1]
		setState(t, h, id, spoolMailed) // died after the letter, before the note
		h.desk.pass(t.Context())
		h.last(t, snvAddress, 1)

		kept := filepath.Join(t.TempDir(), id)
		if err := os.CopyFS(kept, os.DirFS(filepath.Join(dir, "spool", id))); err != nil {
			t.Fatal(err)
		}
		answer := func() {
			t.Helper()
			h.n = 10 // the same Message-ID: the same answer
			if err := h.send(t, snvAddress, asked.replyTo, "Phát hành"); err != nil {
				t.Fatal(err)
			}
		}
		answer()
		h.open(t)
		h.desk.pass(t.Context())
		h.last(t, snvAddress, 2).want(t, "Đã phát hành")
		answer() // died before the answer was taken away
		h.desk.pass(t.Context())
		h.last(t, snvAddress, 2)
		if err := os.CopyFS(filepath.Join(dir, "spool", id), os.DirFS(kept)); err != nil { // died before the paper was
			t.Fatal(err)
		}
		answer()
		h.desk.pass(t.Context())
		h.last(t, snvAddress, 2)
		if got := h.letters(t, "stc@kontum.test"); len(got) != 1 {
			t.Errorf("the recipient got %d mails", len(got))
		}
		if notes := spooled(t, dir); len(notes) > 0 {
			t.Errorf("in the spool: %+v", notes)
		}
		mustRun(t, "", "check", "--data", dir)
	})
}

func setState(t *testing.T, h *mailHouse, id, state string) {
	t.Helper()
	e, err := h.in.spool().open(id)
	if err != nil {
		t.Fatal(err)
	}
	e.note.State = state
	if err := e.write(); err != nil {
		t.Fatal(err)
	}
	e.lock.Close()
}

func TestAnswersAreReadAsAWhole(t *testing.T) {
	for text, want := range map[string]string{
		"Phát hành":  "yes",
		"phat hanh.": "yes",
		"Đồng ý":     "yes",
		"Kính gửi,\n\nĐồng ý\n\nTrân trọng": "yes",
		"Huỷ":                                "drop",
		"hủy bỏ":                             "drop",
		"Không phát hành":                    "drop",
		"Chưa phát hành":                     "?",
		"Phát hành sau":                      "?",
		"Đồng ý\nHủy":                        "?",
		"":                                   "?",
		"> Phát hành":                        "?",
		"Độ mật: không\nPhát hành":           "yes độ mật: không",
		"Độ mật: tối mật":                    "Tối mật",
		"Độ mật: chưa rõ":                    "?",
		"dong 3: stttt snv\nphat hanh":       "yes dong 3: stttt snv",
		"Dòng 2: ngoài Công ty X <a@b.test>": "Dòng 2: ngoài Công ty X <a@b.test>",
		"Số: 12/TB-SNV\nNgày: 18/3/2009":     "Số: 12/TB-SNV Ngày: 18/3/2009",
		"Phát hành?":                         "?",
	} {
		a := readAnswer(text)
		var got []string
		switch {
		case a.problem() != "":
			got = append(got, "?")
		case a.yes:
			got = append(got, "yes")
		case a.drop:
			got = append(got, "drop")
		case a.secrecy != "" && a.secrecy != "không":
			got = append(got, a.secrecy)
		}
		if a.problem() == "" {
			got = append(got, a.lines...)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzReadMailed(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n%PDF-1.4\r\n--x--\r\n"))
	f.Add([]byte("Subject: x\r\n\r\nPhát hành"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readMailed(data)
		if err != nil {
			return
		}
		readAnswer(m.text)
		if files, err := m.paper(); err == nil && len(files) == 0 {
			t.Error("a paper without files")
		}
	})
}
