package imapd_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// Sessions of a large mailbox begin with what an earlier one has read. Whatever happens to it, each of them shows what the
// database has, and what one changes in its picture changes no other's.
func TestSessionsOfALargeMailboxAgree(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		h.deliver(mailcore.Inbox, letter("Thư", 1), "Reply-To: <traloi@kontum.test>\r\n", "dispatch:1")
		fill(h, 1200)
		r := rand.New(rand.NewPCG(4, 100_000))
		sessions := []*peer{h.session(), h.session(), h.session()}
		for _, p := range sessions {
			p.command(t, "SELECT INBOX")
		}
		for step := range 12 {
			p := sessions[r.IntN(len(sessions))]
			n := 1 + r.IntN(1000)
			switch step % 4 {
			case 0:
				p.command(t, fmt.Sprintf(`STORE %d:%d +FLAGS (\Flagged moi%d)`, n, n+20, r.IntN(3)))
			case 1:
				h.deliver(mailcore.Inbox, letter("Mới", step), "", "")
			case 2:
				p.command(t, fmt.Sprintf(`STORE %d:%d +FLAGS.SILENT (\Deleted)`, n, n+5))
				p.command(t, "EXPUNGE")
			case 3:
				p.command(t, fmt.Sprintf("UID FETCH %d BODY[]", n)) // makes it seen, if it is there
			}
			again := r.IntN(len(sessions))
			if r.IntN(2) == 0 {
				sessions[again] = h.session()
			}
			sessions[again].command(t, "SELECT INBOX")
			want := h.shown(t)
			for i, p := range sessions {
				p.command(t, "NOOP")
				got := p.command(t, "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
				if got != want {
					t.Fatalf("step %d: session %d shows\n%.600s\nthe database has\n%.600s", step, i, got, want)
				}
			}
		}
	})
}

// shown is what a client must see of the inbox.
func (h *house) shown(t *testing.T) string {
	t.Helper()
	mb, err := h.store.Mailbox(t.Context(), h.account.ID, mailcore.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := h.store.Rows(t.Context(), mb.ID)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, r := range rows {
		fmt.Fprintf(&b, "* %d FETCH (UID %d FLAGS (%s) INTERNALDATE %q RFC822.SIZE %d)\r\n", i+1, r.UID, strings.Join(r.Flags, " "),
			r.ReceivedAt.In(time.FixedZone("+07", 7*3600)).Format("_2-Jan-2006 15:04:05 -0700"), r.Size)
	}
	return b.String()
}
