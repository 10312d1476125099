package dsn_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/mailcore/dsn"
)

func receipt(disposition string) string {
	return "From: a@bo.test\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nđã xem\r\n--b\r\n" +
		"Content-Type: message/disposition-notification\r\n\r\nReporting-UA: bo.test; Thunderbird\r\nFinal-Recipient: rfc822; VanThu@bo.test\r\n" +
		"Original-Message-ID: <m1@kontum.test>\r\nDisposition: " + disposition + "\r\n\r\n--b--\r\n"
}

func TestParseDisposition(t *testing.T) {
	for in, want := range map[string]dsn.Disposition{
		"manual-action/MDN-sent-manually; displayed":                  {Type: "displayed"},
		"automatic-action/MDN-sent-automatically; displayed/error":    {Type: "displayed", Automatic: true},
		"automatic-action/MDN-sent-automatically;Deleted":             {Type: "deleted", Automatic: true},
		"manual-action/MDN-sent-manually;\r\n dispatched (forwarded)": {Type: "dispatched"},
		"manual-action/MDN-sent-manually; denied":                     {Type: "denied"},
	} {
		want.Final, want.MessageID = "vanthu@bo.test", "m1@kontum.test"
		got, err := dsn.ParseDisposition(strings.NewReader(receipt(in)))
		if err != nil || *got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
			continue
		}
		if got.Displayed() != (want.Type == "displayed") || got.Arrived() != (want.Type != "denied") {
			t.Errorf("%q: displayed %v, arrived %v", in, got.Displayed(), got.Arrived())
		}
	}
	for _, in := range []string{"", "Subject: x\r\n\r\nDisposition: a; displayed\r\n", receipt(""), receipt("displayed"),
		strings.Replace(receipt("a; displayed"), "multipart/report", "multipart/mixed", 1)} {
		if got, err := dsn.ParseDisposition(strings.NewReader(in)); !errors.Is(err, dsn.ErrNone) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	files, _ := filepath.Glob("testdata/reports/*.eml")
	for _, name := range files {
		if filepath.Base(name) == "not-receipt.eml" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dsn.ParseDisposition(strings.NewReader(string(text))); !errors.Is(err, dsn.ErrNone) {
			t.Errorf("%s: a delivery report is no receipt: %v", name, err)
		}
	}
}

func FuzzParseDisposition(f *testing.F) {
	f.Add(receipt("manual-action/MDN-sent-manually; displayed"))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := dsn.ParseDisposition(strings.NewReader(text))
		if err == nil && (d.Type == "" || strings.ContainsAny(d.Type+d.MessageID, "\r\n\x00")) {
			t.Errorf("%+v", d)
		}
	})
}
