package smtpd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/smtpd"

	"github.com/emersion/go-smtp"
)

// A basket keeps what it is given; full makes it refuse.
type basket struct {
	mu   sync.Mutex
	got  []smtpd.Diverted
	full bool
}

func (b *basket) Diverts(a mailcore.Address) bool { return strings.HasPrefix(a.Local(), "phathanh") }

func (b *basket) Take(_ context.Context, m smtpd.Diverted) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "full"}
	}
	b.got = append(b.got, m)
	return nil
}

// Mail to an address of the diverter goes there whole, from our accounts alone, and leaves nothing in store and database.
func TestDivertedMailIsNeverStored(t *testing.T) {
	b := &basket{}
	forEach(t, 2, func(o *smtpd.Options) { o.Divert = b }, func(t *testing.T, h *house) {
		b.got, b.full = nil, false
		c := h.login(t)
		c.do("MAIL FROM:<a1@kontum.test>", "250")
		c.do("RCPT TO:<phathanh+x1@kontum.test>", "250")
		c.do("RCPT TO:<a2@kontum.test>", "550 5.5.3")
		c.do("DATA", "354")
		c.send("From: a1@kontum.test\r\nMessage-ID: <m1@kontum.test>\r\nSubject: x\r\n\r\nbí mật\r\n..hai chấm\r\n.\r\n")
		c.expect("250")
		if len(b.got) != 1 || b.got[0].AuthAs != "a1@kontum.test" || b.got[0].Rcpt != "phathanh+x1@kontum.test" || b.got[0].MessageID != "m1@kontum.test" ||
			!strings.HasSuffix(string(b.got[0].Data), "\r\n\r\nbí mật\r\n.hai chấm\r\n") {
			t.Fatalf("taken: %q", b.got)
		}
		for _, a := range []string{"a1@kontum.test", "a2@kontum.test"} {
			if rows, _ := h.inbox(t, a); len(rows) > 0 {
				t.Errorf("%s got mail", a)
			}
		}
		filepath.WalkDir(h.blobs, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				t.Errorf("a file of it: %s", path)
			}
			return err
		})

		c.do("MAIL FROM:<a1@kontum.test>", "250") // among others it is refused, too
		c.do("RCPT TO:<a2@kontum.test>", "250")
		c.do("RCPT TO:<phathanh@kontum.test>", "550 5.5.3")
		c.do("RSET", "250")
		c.do("MAIL FROM:<a1@kontum.test>", "250") // the author must be the account's
		c.do("RCPT TO:<phathanh@kontum.test>", "250")
		c.do("DATA", "354")
		c.send("From: a2@kontum.test\r\n\r\nx\r\n.\r\n")
		c.expect("550")
		b.full = true
		c.do("MAIL FROM:<a1@kontum.test>", "250")
		c.do("RCPT TO:<phathanh@kontum.test>", "250")
		c.do("DATA", "354")
		c.send("From: a1@kontum.test\r\n\r\nx\r\n.\r\n")
		c.expect("452 4.3.1")

		m := call(t, h.mx) // nobody from outside
		m.do("EHLO bo.test", "250")
		m.do("MAIL FROM:<x@bo.test>", "250")
		m.do("RCPT TO:<phathanh@kontum.test>", "550 5.7.1")
		if len(b.got) != 1 {
			t.Errorf("taken: %q", b.got)
		}
	})
}
