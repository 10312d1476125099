package smtpd_test

import (
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"

	"golang.org/x/text/unicode/norm"
)

// Who writes to an officer who is away is told once; lists, programs, bounces and who wrote to somebody else are not.
func TestAbsenceIsToldOnce(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		officer := mailcore.Address("xa@" + domain)
		made, err := h.store.CreateAccounts(ctx, []mailcore.NewAccount{{Address: officer, Kind: mailcore.Officer, Name: norm.NFD.String("Trần Thị Xa")}})
		if err != nil {
			t.Fatal(err)
		}
		day := func(n int) string { return mailcore.CivilDate(time.Now().AddDate(0, 0, n)) }
		away := func(from, to int) {
			t.Helper()
			if err := h.store.SetVacation(ctx, made[0], mailcore.Vacation{Text: "Tôi đi công tác.\nViệc gấp xin gọi văn thư.", From: day(from), To: day(to)}); err != nil {
				t.Fatal(err)
			}
		}
		write := func(sender, header string) {
			t.Helper()
			c := call(t, h.mx)
			c.do("EHLO x", "250")
			c.do("MAIL FROM:<"+sender+">", "250")
			c.do("RCPT TO:<"+string(officer)+">", "250")
			c.do("DATA", "354")
			c.send("From: ai@bo.test\r\nMessage-ID: <1@bo.test>\r\nSubject: =?utf-8?Q?M=E1=BB=9Di_h=E1=BB=8Dp?=\r\n" + header + "\r\nx\r\n.\r\n")
			c.expect("250")
		}
		// told claims the answers that are new in the outbox
		told := func(want int) []mailcore.Job {
			t.Helper()
			jobs := h.outbox(t)
			if len(jobs) != want {
				t.Errorf("%d answers, want %d", len(jobs), want)
			}
			return jobs
		}
		to := "To: " + string(officer) + "\r\n"
		write("ai@bo.test", to)
		told(0) // nobody is away
		away(1, 3)
		write("ai@bo.test", to)
		told(0) // not yet
		away(-2, 3)
		for _, header := range []string{"To: all@bo.test\r\n", to + "List-Id: <a.bo.test>\r\n", to + "Precedence: bulk\r\n", to + "Auto-Submitted: auto-generated\r\n", to + "X-Auto-Response-Suppress: All\r\n"} {
			write("ai@bo.test", header)
		}
		for _, sender := range []string{"", "noreply@bo.test", "MAILER-DAEMON@bo.test", "ds-request@bo.test", "owner-ds@bo.test", string(officer)} {
			write(sender, to)
		}
		told(0)
		write("ai@bo.test", "Cc: Xa <"+string(officer)+">\r\nAuto-Submitted: no\r\n")
		write("ai@bo.test", to)
		jobs := told(1)
		if j := jobs[0]; j.Rcpt != "ai@bo.test" || j.Sender != "" {
			t.Errorf("%+v", j)
		}
		text := h.bytes(t, jobs[0].Digest)
		head, body, _ := strings.Cut(text, "\r\n\r\n")
		body = mailtest.QuotedPrintable(t, body)
		for _, want := range []string{"Auto-Submitted: auto-replied", "In-Reply-To: <1@bo.test>", "To: <ai@bo.test>", "charset=utf-8"} {
			if !strings.Contains(head, want) {
				t.Errorf("lacks %q:\n%s", want, text)
			}
		}
		if !strings.HasPrefix(body, "Tôi đi công tác.\r\nViệc gấp xin gọi văn thư.\r\n") || !strings.Contains(body, "Trần Thị Xa vắng mặt đến hết ngày ") || !norm.NFC.IsNormalString(body) {
			t.Errorf("%s", body)
		}
		write("khac@bo.test", to)
		told(1)
		away(-1, 1) // another notice: everybody is told anew
		write("ai@bo.test", to)
		told(1)
		c := h.login(t) // colleagues are told here, and the answer is not answered
		c.do("MAIL FROM:<a1@"+domain+">", "250")
		c.do("RCPT TO:<"+string(officer)+">", "250")
		c.do("DATA", "354")
		c.send("From: a1@" + domain + "\r\n" + to + "\r\nx\r\n.\r\n")
		c.expect("250")
		if rows, _ := h.inbox(t, "a1@"+domain); len(rows) != 1 {
			t.Errorf("a colleague got %d answers", len(rows))
		}
		if err := h.store.EndVacation(ctx, made[0].ID); err != nil {
			t.Fatal(err)
		}
		write("ba@bo.test", to)
		told(0)
	})
}
