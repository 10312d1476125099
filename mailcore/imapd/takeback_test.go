package imapd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// A copy that is taken back vanishes from every session; one that is watching is told at once. Who fetches it by what it still
// believes gets no byte of it, and a copy that was fetched is not taken back.
func TestCopyTakenBackIsExpunged(t *testing.T) {
	ctx := context.Background()
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		for n := range 4 {
			h.deliver(mailcore.Inbox, letter("Thư", n), "Reply-To: <traloi@kontum.test>\r\n", fmt.Sprint("dispatch:", n+1))
		}
		take := func(n int) (taken bool) {
			t.Helper()
			err := db.Write(ctx, func(tx *sqldb.Tx) (err error) {
				taken, err = h.store.TakeBackTx(ctx, tx, fmt.Sprint("dispatch:", n))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return taken
		}
		idle, busy := h.session(), h.session()
		idle.command(t, "SELECT INBOX")
		busy.command(t, "SELECT INBOX")
		fmt.Fprint(idle, "i IDLE\r\n")
		idle.until(t, `\+ .*`)
		if !take(1) {
			t.Fatal("not taken back")
		}
		idle.until(t, `\* 1 EXPUNGE`)
		// The other session has not been told yet.
		if got := busy.command(t, "UID FETCH 1 (BODY.PEEK[])"); strings.Contains(got, "Thư") || strings.Contains(got, "BODY[]") {
			t.Errorf("bytes of a copy that was taken back: %s", got)
		}
		busy.command(t, "UID FETCH 2 (BODY.PEEK[])")
		busy.command(t, "UID FETCH 3 (BODY[])")
		busy.command(t, "UID FETCH 4 (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[]<0.10>)")
		for _, c := range []struct {
			n    int
			want bool
		}{{2, false}, {3, false}, {4, true}, {9, false}} {
			if got := take(c.n); got != c.want {
				t.Errorf("copy %d: taken back %t, want %t", c.n, got, c.want)
			}
		}
		if take(4) {
			t.Error("taken back twice")
		}
		if found, err := h.store.Check(ctx); err != nil || len(found) > 0 {
			t.Errorf("%v %v", found, err)
		}
	})
}
