package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// opened opens an installation for looking into it.
func opened(t *testing.T, dir string) *installation {
	t.Helper()
	cfg, err := loadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	in, err := openInstallation(context.Background(), cfg, mailtest.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.close() })
	return in
}

// Each thing that was typed otherwise than the page says it is refused with both texts and its place, until it is confirmed.
func TestWhatWasTypedIsComparedWithThePage(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	main := put(t, tmp, "van-ban.pdf", letter77(t))
	said := put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n"))
	for _, c := range []struct {
		args        []string
		code, field string
		said, found string
		place       string
	}{
		{[]string{"--reference", "78/TB-SNV"}, exchange.CodeDiffers, "reference", "78/TB-SNV", "77/TB-SNV", "trang 1, phần trên, bên trái"},
		{[]string{"--date", "13/5/2009"}, exchange.CodeDiffers, "date", "2009-05-13", "2009-05-12", "trang 1, phần trên, bên phải"},
		{[]string{"--abstract", "Về việc khác hẳn"}, exchange.CodeDiffers, "subject", "Về việc khác hẳn", "thử nghiệm", "trang 1, phần trên, ở giữa"},
		{[]string{"--type", "Quyết định"}, exchange.CodeDiffers, "type", "Quyết định", "Thông báo", "trang 1, phần trên, ở giữa"},
		{[]string{"--urgency", "Khẩn"}, exchange.CodeDiffers, "urgency", "Khẩn", "", ""},
		{[]string{"--issuer", "stc"}, exchange.CodeIssuerDiffers, "", "", "", ""},
		{[]string{"--issuer", "Sở Hư Cấu"}, exchange.CodeUnknownUnit, "", "", "", ""},
	} {
		code, res := issued(t, append([]string{"--data", dir, "--decisions", said, main}, c.args...)...)
		if code != 1 || res.Code != c.code {
			t.Errorf("%v: exit %d, %s %s", c.args, code, res.Code, res.Error)
			continue
		}
		if c.field != "" {
			if len(res.Differences) != 1 {
				t.Errorf("%v: %+v", c.args, res.Differences)
				continue
			}
			d := res.Differences[0]
			if d.Field != c.field || d.Said != c.said || !strings.Contains(d.Found, c.found) || d.Place != c.place || d.Confirmed || !strings.Contains(res.Error, d.Message) {
				t.Errorf("%v: %+v\n%s", c.args, d, res.Error)
			}
		}
		mustRun(t, "", "spool", "drop", "--data", dir, res.Spool)
	}
	if code, _, errOut := congvan(t, "", "issue", "--data", dir, main, "--date", "31/2/2009"); code != 2 || !strings.Contains(errOut, "không phải là ngày") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	nothingStored(t, dir)

	// The same in another spelling, or where the page has nothing to read, is no difference.
	code, res := issued(t, "--data", dir, "--decisions", said, main, "--reference", "77 / TB-SNV", "--date", "12.5.2009", "--abstract", "V/v thử nghiệm",
		"--issuer", "Sở Nội vụ", "--type", "TB", "--signer", "Nguyễn Hư Cấu")
	if code != 0 || len(res.Differences) > 0 || res.Reference != "77/TB-SNV" || !strings.Contains(strings.Join(res.Warnings, "\n"), "Nguyễn Hư Cấu") {
		t.Errorf("exit %d, %+v", code, res)
	}
	mustRun(t, "", "check", "--data", dir)
}

// What was confirmed goes into the register as it was typed, and stands in the event with who and when; on both databases.
func TestConfirmedDifferenceIsKeptWithWhoAndWhen(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		tmp := t.TempDir()
		main := put(t, tmp, "van-ban.pdf", letter77(t))
		confirm := func(names string) string {
			return put(t, tmp, "a.toml", fmt.Appendf(nil, "[[document]]\nfile = \"van-ban.pdf\"\nreference = \"78/TB-SNV\"\ndate = \"13/5/2009\"\nnot_secret = true\nconfirm_difference = %s\n", names))
		}
		if code, res := issued(t, "--data", dir, "--decisions", confirm(`["date"]`), main); code != 1 || res.Code != exchange.CodeDiffers || !strings.Contains(res.Error, "78/TB-SNV") {
			t.Fatalf("half confirmed: exit %d, %+v", code, res)
		}
		code, res := issued(t, "--data", dir, "--decisions", confirm(`["date", "reference"]`), "--as", "Chị Hoa", main)
		if code != 0 || res.Reference != "78/TB-SNV" {
			t.Fatalf("exit %d, %+v", code, res)
		}
		var events []exchange.Event
		in := opened(t, dir)
		err := in.db.Read(context.Background(), func(tx *sqldb.Tx) error {
			return tx.SelectContext(context.Background(), &events, `SELECT at, actor, detail FROM event WHERE kind = 'registered'`)
		})
		if err != nil || len(events) != 1 || events[0].At == 0 || events[0].Actor != "Chị Hoa" {
			t.Fatalf("%v, %+v", err, events)
		}
		var detail struct{ Confirmed []exchange.Difference }
		if err := json.Unmarshal([]byte(events[0].Detail), &detail); err != nil || len(detail.Confirmed) != 2 || !detail.Confirmed[0].Confirmed || detail.Confirmed[1].Found != "2009-05-12" {
			t.Errorf("%v, %s", err, events[0].Detail)
		}
		docs, err := in.exchange.ListDocuments(context.Background(), "snv", "78/TB-SNV")
		if err != nil || len(docs) != 1 || docs[0].IssuedOn != "2009-05-13" || docs[0].Number != "78" || docs[0].Symbol != "TB-SNV" {
			t.Errorf("%v, %+v", err, docs)
		}
	})
}

// The trích yếu that was told when the number was taken is compared with the page, too.
func TestReservationIsComparedWithThePage(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	main := put(t, tmp, "van-ban.pdf", letter77(t))
	said := put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\n"))
	of := []string{"--data", dir, "--unit", "snv", "--year", "2009"}
	mustRun(t, "", append([]string{"register", "mode", "here"}, of...)...)
	if code, res := issued(t, "--data", dir, "--decisions", said, main); code != 1 || res.Code != exchange.CodeNotTakenHere {
		t.Errorf("a number that nobody took: exit %d, %+v", code, res)
	}
	in := opened(t, dir)
	for range 76 {
		if _, err := in.exchange.TakeNumber(context.Background(), exchange.Gateway, "snv", 2009, "", "TB-SNV"); err != nil {
			t.Fatal(err)
		}
	}
	// Typed in TCVN3: "Về việc bổ nhiệm".
	if out := mustRun(t, "", append([]string{"register", "take", "TB-SNV", "--abstract", "VÒ viÖc bæ nhiÖm"}, of...)...); out != "77/TB-SNV\n" {
		t.Fatal(out)
	}
	code, res := issued(t, "--data", dir, "--decisions", said, main)
	if code != 1 || res.Code != exchange.CodeDiffers || len(res.Differences) != 1 || res.Differences[0].Said != "Về việc bổ nhiệm" {
		t.Fatalf("exit %d, %+v", code, res)
	}
	put(t, tmp, "a.toml", []byte("[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\nconfirm_difference = true\n"))
	if code, res = issued(t, "--data", dir, "--decisions", said, "--spool", res.Spool); code != 0 {
		t.Errorf("exit %d, %+v", code, res)
	}
	mustRun(t, "", "check", "--data", dir)
}
