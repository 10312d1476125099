package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"

	"github.com/emersion/go-message/mail"
)

func TestSizesAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "500M": 500 << 20, "1,5g": 3 << 29, "2GB": 2 << 30, "1048576": 1 << 20, "10k": 10 << 10, "1T": 1 << 40,
		"macdinh": mailcore.DefaultQuota, "Mặc định": mailcore.DefaultQuota} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "nhiều", "1e30", "NaN", "Inf", "5X", "M"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	for n, want := range map[int64]string{0: "0 byte", 1023: "1023 byte", 1536: "1,5 KB", 500 << 20: "500 MB", 3 << 40: "3 TB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestQuotaIsSetShownAndWarnedOf(t *testing.T) {
	dir := newInstallation(t)
	mustRun(t, "", "account", "add", "--data", dir, "--unit", "snv", "--password", "Một mật khẩu dài")
	if out := mustRun(t, "", "account", "quota", "--data", dir, "snv@kontum.test"); !strings.Contains(out, "không giới hạn (theo cấu hình)") {
		t.Error(out)
	}
	if out := mustRun(t, "", "account", "quota", "--data", dir, "snv@kontum.test", "10K"); !strings.Contains(out, "trong 10 KB, 0% (đặt riêng)") {
		t.Error(out)
	}
	if code, _, errOut := congvan(t, "", "account", "quota", "--data", dir, "snv@kontum.test", "nhiều"); code != 1 || !strings.Contains(errOut, "hint:") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	cfg, err := loadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	in, err := openInstallation(t.Context(), cfg, mailtest.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	a, err := in.mail.Account(t.Context(), "snv@kontum.test")
	if err != nil {
		t.Fatal(err)
	}
	body, err := in.mail.SaveBody(t.Context(), strings.NewReader("Subject: x\r\n\r\n"+strings.Repeat("x", 9000)), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.mail.Deliver(t.Context(), body, []mailcore.Copy{{Account: a.ID}}); err != nil {
		t.Fatal(err)
	}
	if n, err := in.mail.WarnQuotas(t.Context(), in.fullLetter); n != 1 || err != nil {
		t.Fatalf("%d warned, %v", n, err)
	}
	inbox, err := in.mail.Mailbox(t.Context(), a.ID, mailcore.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := in.mail.Load(t.Context(), inbox.ID, []mailcore.UID{2})
	if err != nil || len(rows) != 1 {
		t.Fatalf("letter: %d, %v", len(rows), err)
	}
	f, err := in.mail.Blobs().Open(rows[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := mail.CreateReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(p.Body)
	if subject, _ := r.Header.Subject(); err != nil || subject != "Hộp thư đã dùng 88% dung lượng" || !strings.Contains(string(text), "8,8 KB") || !strings.Contains(string(text), "Việc cần làm") {
		t.Errorf("letter %q: %v\n%s", subject, err, text)
	}
	if bytes.ContainsFunc(data, func(r rune) bool { return r > 0x7e }) {
		t.Error("the letter is not ASCII on the wire")
	}
}
