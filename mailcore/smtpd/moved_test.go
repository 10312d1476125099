package smtpd_test

import (
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// Whoever writes to somebody who left is told so, and of the successor only where that was wanted (RFC 5321 §3.4).
func TestMailToWhoLeftIsRefused(t *testing.T) {
	forEach(t, 3, nil, func(t *testing.T, h *house) {
		for _, c := range []struct{ address, to mailcore.Address }{{"a2@" + domain, "a3@" + domain}, {"moi@" + domain, ""}} {
			if err := h.store.DB().Write(ctx, func(tx *sqldb.Tx) error { _, err := h.store.LeaveTx(ctx, tx, c.address, c.to); return err }); err != nil {
				t.Fatal(err)
			}
		}
		c := call(t, h.mx)
		c.do("EHLO x", "250")
		c.do("MAIL FROM:<ai@bo.test>", "250")
		c.do("RCPT TO:<a2@"+domain+">", "551 5.1.6")
		c.do("RCPT TO:<A2+x@"+domain+">", "551 5.1.6")
		c.do("RCPT TO:<moi@"+domain+">", "550 5.1.6")
		c.do("RCPT TO:<ai@"+domain+">", "550 5.1.1")
		c.do("RCPT TO:<a3@"+domain+">", "250")
	})
}
