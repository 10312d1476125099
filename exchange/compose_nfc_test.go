package exchange

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"
	"golang.org/x/text/unicode/norm"
)

// A letter is UTF-8 NFC whatever form names, abstracts and file names came in (TCVN 6909:2001).
func TestLettersAreComposed(t *testing.T) {
	nfd := norm.NFD.String
	l := &letter{from: mail.Address{Name: nfd("Sở Nội vụ"), Address: "snv@kontum.test"}, to: nfd("Các đơn vị có tên ở Nơi nhận"), subject: nfd("Về việc tổ chức lễ kỷ niệm"),
		text: nfd("Kính gửi: Ủy ban nhân dân các huyện.\r\n"), id: "1@kontum.test", date: time.Unix(1e9, 0), files: []attached{{Name: nfd("Báo cáo.pdf"), MediaType: "application/pdf"}}}
	var b bytes.Buffer
	if err := l.write(&b, nil); err != nil {
		t.Fatal(err)
	}
	r, err := mail.CreateReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := r.Header.Subject()
	if err != nil {
		t.Fatal(err)
	}
	from, err := r.Header.AddressList("From")
	if err != nil {
		t.Fatal(err)
	}
	to, err := r.Header.Text("To")
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	file, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	name, err := file.Header.(*mail.AttachmentHeader).Filename()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{subject, from[0].Name, strings.TrimSuffix(to, ":;"), strings.TrimSpace(string(body)), name}
	for i, want := range []string{"Về việc tổ chức lễ kỷ niệm", "Sở Nội vụ", "Các đơn vị có tên ở Nơi nhận", "Kính gửi: Ủy ban nhân dân các huyện.", "Báo cáo.pdf"} {
		if got[i] != norm.NFC.String(want) {
			t.Errorf("%q, want %q", got[i], want)
		}
	}
}
