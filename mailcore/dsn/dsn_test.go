package dsn_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/dsn"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestParseReport(t *testing.T) {
	want := map[string]*dsn.Report{
		"failed-two": {EnvID: "d7", ReportingMTA: "mx.bo.test", MessageID: "m1@kontum.test", Subject: "Báo cáo", Recipients: []dsn.Recipient{
			{Original: "rfc822;VanThu@bo.test", Final: "vanthu@bo.test", Action: dsn.Failed, Status: "5.1.1", RemoteMTA: "in.bo.test",
				Diagnostic: "smtp; 550 5.1.1 <vanthu@bo.test>: Recipient address rejected: User unknown"},
			{Final: "phong@bo.test", Action: dsn.Delayed, Status: "4.4.1"},
		}},
		"delivered-utf8": {EnvID: "d8", ReportingMTA: "mx.tinh.test", MessageID: "m2@kontum.test", Subject: "Báo cáo", Recipients: []dsn.Recipient{
			{Final: "vănthư@tinh.test", Action: dsn.Delivered, Status: "2.0.0"}}},
		"nested-mixed": {ReportingMTA: "cu.test", MessageID: "m3@kontum.test", Recipients: []dsn.Recipient{
			{Final: "x@cu.test", Action: dsn.Relayed, Status: "2.1.9"}}},
	}
	files, err := filepath.Glob("testdata/reports/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no reports", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".eml")
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dsn.Parse(bytes.NewReader(text))
		if strings.HasPrefix(name, "not-") {
			if !errors.Is(err, dsn.ErrNone) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(want[name], got, cmpopts.IgnoreFields(dsn.Report{}, "Headers", "ArrivedAt")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if len(got.Headers) == 0 {
			t.Errorf("%s: no header of the original", name)
		}
		// Servers that write LF only, or nothing after the last part, are read alike.
		lf, err := dsn.Parse(strings.NewReader(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n-")))
		if err != nil || len(lf.Recipients) != len(got.Recipients) || lf.EnvID != got.EnvID {
			t.Errorf("%s with bare line feeds: %+v, %v", name, lf, err)
		}
	}
}

func TestOriginalAddress(t *testing.T) {
	for in, want := range map[string]mailcore.Address{
		"rfc822;VanThu@bo.test": "vanthu@bo.test", "rfc822; a+2Bb@bo.test": "a+2bb@bo.test", `utf-8;v\x{103}n@bo.test`: "văn@bo.test",
		"utf-8;văn@bo.test": "văn@bo.test", "x400;/C=VN/": "", "": "",
	} {
		if got := (dsn.Recipient{Original: in}).OriginalAddress(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestReportOfManyRecipientsIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n")
	for i := range 20000 {
		fmt.Fprintf(&b, "\r\nFinal-Recipient: rfc822;a%d@b.test\r\nAction: failed\r\n", i)
	}
	b.WriteString("--x--\r\n")
	rep, err := dsn.Parse(strings.NewReader(b.String()))
	if err != nil || len(rep.Recipients) != 1000 {
		t.Errorf("%v, %v", rep, err)
	}
}

// What Compose writes, Parse reads.
func TestComposedReportReadsBack(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		actions := []dsn.Action{dsn.Failed, dsn.Delayed, dsn.Delivered, dsn.Relayed}
		action := rapid.SampledFrom(actions).Draw(t, "action")
		in := dsn.Report{EnvID: rapid.StringMatching(`[!-~]{1,40}`).Draw(t, "envid"), ReportingMTA: "mail.kontum.test", ArrivedAt: now,
			MessageID: "m@kontum.test", Subject: "Báo cáo"}
		in.Headers = []byte("Subject: =?utf-8?q?B=C3=A1o_c=C3=A1o?=\r\nMessage-ID: <m@kontum.test>\r\n\r\nthân thư")
		for range rapid.IntRange(1, 5).Draw(t, "n") {
			in.Recipients = append(in.Recipients, dsn.Recipient{
				Final:  mailcore.Address(rapid.StringMatching(`[a-z]{1,5}[ăâđêôơư]?[a-z0-9]{1,5}@[a-z]{2,8}\.test`).Draw(t, "rcpt")),
				Action: action, Status: rapid.SampledFrom([]string{"5.1.1", "4.4.7", "2.1.5"}).Draw(t, "status"),
				Diagnostic: rapid.StringMatching(`(smtp; 5[0-9][0-9] [ -~ăđ\n]{1,60})?`).Draw(t, "diagnostic"),
			})
		}
		text, err := in.Compose(dsn.Letter{From: "postmaster@kontum.test", To: "a1@kontum.test", Now: now})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("line %q", line)
			}
		}
		out, err := dsn.Parse(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if out.EnvID != in.EnvID || out.MessageID != in.MessageID || out.Subject != in.Subject || !out.ArrivedAt.Equal(now) || len(out.Recipients) != len(in.Recipients) {
			t.Fatalf("%+v\n%s", out, text)
		}
		for i, r := range out.Recipients {
			if r.Final != in.Recipients[i].Final || r.Action != action || r.Status != in.Recipients[i].Status {
				t.Fatalf("recipient %+v, was %+v", r, in.Recipients[i])
			}
		}
	})
}

func TestComposeNeedsARecipient(t *testing.T) {
	if _, err := (&dsn.Report{}).Compose(dsn.Letter{}); err == nil {
		t.Error("a report about nobody")
	}
}

func FuzzParseReport(f *testing.F) {
	files, _ := filepath.Glob("testdata/reports/*.eml")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rep, err := dsn.Parse(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range rep.Recipients {
			if a, err := mailcore.ParseAddress(r.Final.String()); r.Final != "" && (err != nil || a != r.Final) {
				t.Errorf("final recipient %q", r.Final)
			}
			if strings.ContainsAny(r.Diagnostic+r.Status+r.RemoteMTA+r.Original, "\r\n\x00") {
				t.Errorf("control characters in %+v", r)
			}
		}
		if strings.ContainsAny(rep.EnvID+rep.MessageID+rep.Subject, "\r\n\x00") {
			t.Errorf("control characters in %+v", rep)
		}
	})
}
