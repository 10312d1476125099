package smtpd_test

import (
	"strings"
	"testing"
)

// What our own people send in TCVN3 arrives in Unicode; what is signed, or has lost letters, is refused with what to do; what
// comes from outside is never touched.
func TestSubmissionsInOldEncodings(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		send := func(from, mail, want string) {
			t.Helper()
			var c *caller
			if from == "a1@"+domain {
				c = h.login(t)
			} else {
				c = call(t, h.mx)
				c.do("EHLO x", "250")
			}
			c.do("MAIL FROM:<"+from+"> BODY=8BITMIME", "250")
			c.do("RCPT TO:<a2@"+domain+">", "250")
			c.do("DATA", "354")
			c.send("From: " + from + "\r\n" + mail + "\r\n.\r\n")
			c.expect(want)
		}
		newest := func() string {
			_, bodies := h.inbox(t, "a2@"+domain)
			return bodies[len(bodies)-1]
		}
		own, outside := "a1@"+domain, "ai@khac.test"
		old := "Subject: N\xaci nh\xcbn b\xb8o c\xb8o\r\n\r\nK\xddnh g\xf6i: S\xeb N\xe9i v\xf4 t\xd8nh Kon Tum\r\n"
		send(own, old, "250")
		if got := newest(); !strings.Contains(got, "X-CongVan-Recoded: TCVN3 (subject, text)\r\n") || !strings.Contains(got, "K=C3=ADnh g=E1=BB=ADi") || !strings.Contains(got, "Message-ID: ") {
			t.Errorf("arrived:\n%s", got)
		}
		send(own, "Subject: V/v h\xedng d\xc9n th\xf9c hi\xd6n ch\xd5 \xae\xe9 b\xb8o c\xb8o\r\n\r\nx\r\n", "554 5.6.3 Tiêu đề dùng bảng mã cũ (TCVN3) đã mất chữ")
		signed := "Subject: x\r\nContent-Type: multipart/signed; boundary=z\r\n\r\n--z\r\n\r\nK\xddnh g\xf6i: S\xeb N\xe9i v\xf4 t\xd8nh Kon Tum\r\n--z\r\nContent-Type: application/pkcs7-signature\r\n\r\nAAAA\r\n--z--\r\n"
		send(own, signed, "554 5.6.3 Nội dung dùng bảng mã cũ (TCVN3) mà thư đã ký số")
		send(outside, old, "250")
		if got := newest(); !strings.HasSuffix(got, old+"\r\n") && !strings.HasSuffix(got, old) {
			t.Errorf("touched what came from outside:\n%q", got)
		}
	})
}
