package smtpd_test

import (
	"strings"
	"testing"

	"congvan/mailcore/filter"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/smtpd"
)

func letter(body string) string {
	return "From: a@bo.test\r\nX-Virus-Status: clean\r\nSubject: x\r\n\r\n" + body + "\r\n.\r\n"
}

func (h *house) sendFromOutside(t *testing.T, mail, want string) {
	t.Helper()
	c := call(t, h.mx)
	c.do("EHLO x", "250")
	c.do("MAIL FROM:<a@bo.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send(mail)
	c.expect(want)
}

func TestMalwareIsRefused(t *testing.T) {
	address := mailtest.StartClamd(t)
	scan := func(o *smtpd.Options) {
		o.Filter = &filter.Filter{Clamd: &filter.Clamd{Address: address}, Wait: true, Log: mailtest.Quiet}
	}
	forEach(t, 1, scan, func(t *testing.T, h *house) {
		h.sendFromOutside(t, letter(mailtest.Eicar), "554 5.7.1 Thư có mã độc")
		h.sendFromOutside(t, letter("sạch"), "250 2.0.0 OK")
		c := h.login(t)
		c.do("MAIL FROM:<a1@kontum.test>", "250")
		c.do("RCPT TO:<a1@kontum.test>", "250")
		c.do("DATA", "354")
		c.send("From: a1@kontum.test\r\n\r\n" + mailtest.Eicar + "\r\n.\r\n")
		c.expect("554 5.7.1 Thư có mã độc")
		rows, bodies := h.inbox(t, "a1@kontum.test")
		if len(rows) != 1 || !strings.Contains(bodies[0], "sạch") || strings.Contains(bodies[0], "X-Virus-Status") {
			t.Errorf("inbox: %q", bodies)
		}
	})
}

func TestMailWaitsForAScannerThatIsDown(t *testing.T) {
	down := &filter.Clamd{Address: mailtest.FreePort(t)}
	waiting := onSQLite(t, 1, func(o *smtpd.Options) { o.Filter = &filter.Filter{Clamd: down, Wait: true, Log: mailtest.Quiet} })
	waiting.sendFromOutside(t, letter("x"), "451 4.7.1 Chưa quét được")
	if rows, _ := waiting.inbox(t, "a1@kontum.test"); len(rows) != 0 {
		t.Error("an unscanned mail was shown")
	}
	marking := onSQLite(t, 1, func(o *smtpd.Options) { o.Filter = &filter.Filter{Clamd: down, Log: mailtest.Quiet} })
	marking.sendFromOutside(t, letter("x"), "250 2.0.0 OK")
	if rows, _ := marking.inbox(t, "a1@kontum.test"); len(rows) != 1 || !strings.HasPrefix(string(rows[0].Prefix), "X-Virus-Status: not scanned\r\n") {
		t.Errorf("%+v", rows)
	}
}
