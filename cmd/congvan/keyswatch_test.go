package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/signing"
)

// letters counts the mails in the inbox of an address.
func letters(t *testing.T, in *installation, address mailcore.Address) int {
	t.Helper()
	account, err := in.mail.Account(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	box, err := in.mail.Mailbox(t.Context(), account.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := in.mail.Rows(t.Context(), box.ID)
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

func TestEndOfCertificatesIsToldOnceAtEachThreshold(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		mustRun(t, "", "account", "add", "--data", dir, "--unit", "stttt")
		password, err := signing.ReadSecret(filepath.Join(dir, "keys", "password"))
		if err != nil {
			t.Fatal(err)
		}
		ca, err := signing.LoadAuthority(filepath.Join(dir, "keys", "authority.p12"), password)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		end := now.AddDate(0, 6, 0)
		id, err := ca.Issue(signing.Subject{Name: "Sở Thông tin và Truyền thông", Until: end}, signing.P256)
		if err != nil {
			t.Fatal(err)
		}
		if err := id.Save(filepath.Join(dir, "keys", "stttt.p12"), password); err != nil {
			t.Fatal(err)
		}
		cfg, err := loadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		in, err := openInstallation(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer in.close()
		for _, c := range []struct{ days, told int }{{61, 0}, {60, 1}, {59, 1}, {31, 1}, {30, 2}, {8, 2}, {7, 3}, {1, 3}, {-1, 4}, {-9, 4}} {
			log.Reset()
			for range 2 {
				if err := in.tellEndings(t.Context(), end.AddDate(0, 0, -c.days).Add(-time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			unit, it := letters(t, in, "stttt@kontum.test"), letters(t, in, "postmaster@kontum.test")
			if unit != c.told || it != c.told {
				t.Errorf("%d days before the end: %d letters to the unit, %d to IT, want %d", c.days, unit, it, c.told)
			}
			if logged := strings.Contains(log.String(), "certificate ends"); logged != (c.told > 0) {
				t.Errorf("%d days before the end the log says %q", c.days, &log)
			}
		}
		found, err := in.exchange.Check(t.Context())
		if err != nil || len(found) > 0 {
			t.Errorf("%v, %v", found, err)
		}
		early, _, err := in.lookAtCertificates(t.Context(), now.AddDate(0, 0, -1))
		if err != nil || len(early) == 0 || !strings.Contains(early[0].line(), "chưa có hiệu lực") {
			t.Errorf("before the certificate begins: %v, %v", early, err)
		}
	})
}

func TestCheckAndStatusTellOfCertificates(t *testing.T) {
	dir := newInstallation(t)
	password, err := signing.ReadSecret(filepath.Join(dir, "keys", "password"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := signing.LoadAuthority(filepath.Join(dir, "keys", "authority.p12"), password)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "keys", "stttt.p12")
	now := time.Now()
	for _, c := range []struct {
		from, until time.Time
		told        string // by check and status
		code        int    // of issue,
		says        string // and what it says
	}{
		{now.AddDate(-1, 0, 0), now.AddDate(0, 0, -3), "ĐÃ HẾT HẠN", 1, "đã hết hạn, không đóng dấu được"},
		{now.AddDate(0, 0, 3), now.AddDate(1, 0, 0), "chưa có hiệu lực", 0, "chưa có hiệu lực theo đồng hồ"},
		{now.AddDate(-1, 0, 0), now.AddDate(0, 0, 20).Add(-time.Hour), "còn 19 ngày", 0, ""},
	} {
		id, err := ca.Issue(signing.Subject{Name: "Sở Thông tin và Truyền thông", From: c.from, Until: c.until}, signing.P256)
		if err != nil {
			t.Fatal(err)
		}
		if err := id.Save(key, password); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"check", "status"} {
			if out := mustRun(t, "", command, "--data", dir); !strings.Contains(out, "lưu ý: Chứng thư số đóng dấu của Sở Thông tin và Truyền thông") || !strings.Contains(out, c.told) {
				t.Errorf("%s: %s says\n%s", c.told, command, out)
			}
		}
		code, res, _ := issue145(t, dir)
		if code != c.code || !strings.Contains(res.Error+res.Waiting, c.says) || c.says == "" && res.State != exchange.Issued {
			t.Errorf("%s: exit %d: %+v", c.told, code, res)
		}
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "", "check", "--data", dir); !strings.Contains(out, "người khác đọc được") {
		t.Errorf("check says\n%s", out)
	}
}
