package imapd_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// STATUS and LIST tell what the database has, whoever changed it, in small mailboxes and in those whose changes are counted.
func TestStatusIsWhatTheDatabaseHas(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		fill(h, 1100)
		if _, err := h.store.CreateMailbox(t.Context(), h.account.ID, "Nhỏ", ""); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			h.deliver("Nhỏ", letter("Thư", i), "Reply-To: <x@kontum.test>\r\n", "")
		}
		r := rand.New(rand.NewPCG(5, 5))
		p, other := h.session(), h.session()
		for step := range 40 {
			name := []string{mailcore.Inbox, "Nhỏ"}[r.IntN(2)]
			other.command(t, "SELECT "+utf7(name))
			n := 1 + r.IntN(5)
			switch r.IntN(6) {
			case 0:
				other.command(t, fmt.Sprintf(`STORE %d +FLAGS (\Seen)`, n))
			case 1:
				other.command(t, fmt.Sprintf(`STORE %d +FLAGS (\Deleted DeletedNot)`, n))
			case 2:
				h.deliver(name, letter("Mới", step), "", "")
			case 3:
				if name == mailcore.Inbox {
					other.command(t, "EXPUNGE")
				}
			case 4:
				other.command(t, fmt.Sprintf(`STORE %d -FLAGS (\Deleted \Seen)`, n))
			}
			want := map[string]string{}
			for _, box := range []string{mailcore.Inbox, "Nhỏ"} {
				want[box] = h.counted(t, box)
				if got := p.command(t, "STATUS "+utf7(box)+" (MESSAGES UIDNEXT UNSEEN DELETED SIZE)"); !strings.Contains(got, want[box]) {
					t.Fatalf("step %d: %s: %q, want %q", step, box, got, want[box])
				}
			}
			list := p.command(t, `LIST "" * RETURN (STATUS (MESSAGES UIDNEXT UNSEEN DELETED SIZE))`)
			for box, s := range want {
				if !strings.Contains(list, utf7(box)+`" (`+s) && !strings.Contains(list, utf7(box)+` (`+s) {
					t.Fatalf("step %d: %s in %q, want %q", step, box, list, s)
				}
			}
		}
	})
}

// counted is what STATUS must tell, of all the mailbox's rows.
func (h *house) counted(t *testing.T, name string) string {
	t.Helper()
	mb, err := h.store.Mailbox(t.Context(), h.account.ID, name)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := h.store.Rows(t.Context(), mb.ID)
	if err != nil {
		t.Fatal(err)
	}
	unseen, deleted, size := 0, 0, int64(0)
	for _, r := range rows {
		flags := " " + strings.Join(r.Flags, " ") + " "
		if !strings.Contains(flags, ` \Seen `) {
			unseen++
		}
		if strings.Contains(flags, ` \Deleted `) {
			deleted++
		}
		size += r.Size
	}
	return fmt.Sprintf("MESSAGES %d UIDNEXT %d UNSEEN %d DELETED %d SIZE %d", len(rows), mb.UIDNext, unseen, deleted, size)
}

func utf7(name string) string { return strings.ReplaceAll(name, "Nhỏ", "Nh&Hs8-") }

// A LIST with STATUS costs no more statements for thirty mailboxes than for one, and the second time none of counting.
func TestListWithStatusAsksOnce(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		p := h.session()
		list := func() int64 {
			before := db.Statements()
			p.command(t, `LIST "" * RETURN (STATUS (MESSAGES UNSEEN SIZE))`)
			return db.Statements() - before
		}
		for i := range 30 {
			if _, err := h.store.CreateMailbox(t.Context(), h.account.ID, fmt.Sprintf("Hồ sơ %d", i), ""); err != nil {
				t.Fatal(err)
			}
		}
		if first := list(); first > 12 {
			t.Errorf("%d statements", first)
		}
		if again := list(); again > 6 {
			t.Errorf("%d statements the second time", again)
		}
	})
}
