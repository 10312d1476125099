package mailcore_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

const named = "From: a@b.test\r\nSubject: =?utf-8?q?C=C3=B4ng_v=C4=83n?=\r\nMessage-ID: <vb-1@kontum.test>\r\nMIME-Version: 1.0\r\n\r\nToàn văn\r\n"

// official puts a copy with a Ref into an account's INBOX.
func official(t *testing.T, s *mailcore.Store, a mailcore.Account, ref string) {
	t.Helper()
	must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, named), []mailcore.Copy{{Account: a.ID, Ref: ref, Prefix: []byte("Reply-To: <" + ref + "@kontum.test>\r\n")}}))
}

// What a client brings back is the account's own copy exactly when it says so and has the same bytes.
func TestAppendedBytesOfACopyAreThatCopy(t *testing.T) {
	prefix := "Reply-To: <d:1@kontum.test>\r\n"
	for name, c := range map[string]struct {
		text string
		want string // ref of the row, and the event
	}{
		"body":               {named, `d:1 moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true}`},
		"as it was shown":    {prefix + named, `d:1 moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true}`},
		"with a client's":    {"X-Mozilla-Status: 0001\r\n" + prefix + "X-TUID: abc\r\n" + named + "\r\n", `d:1 moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true}`},
		"other text":         {strings.Replace(named, "Toàn văn", "Toàn vẹn", 1), ` moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true,"altered":true}`},
		"more text":          {named + "và nữa", ` moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true,"altered":true}`},
		"less text":          {strings.Replace(named, "Toàn văn\r\n", "", 1), ` moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true,"altered":true}`},
		"another subject":    {strings.Replace(named, "C=C3=B4ng", "Cong", 1), ` moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true,"altered":true}`},
		"fields in disorder": {strings.Replace(strings.Replace(named, "MIME-Version: 1.0\r\n", "", 1), "From:", "MIME-Version: 1.0\r\nFrom:", 1), ` moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true,"altered":true}`},
		"endless header":     {"Message-ID: <vb-1@kontum.test>\r\n" + strings.Repeat("X-Y: z\r\n", 50_000) + named, ` moved d:1 a1@kontum.test {"from":"","to":"Đã tiếp nhận","append":true,"altered":true}`},
		"another id":         {strings.Replace(named, "vb-1", "vb-2", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, func(t *testing.T, s *mailcore.Store) {
				all := accounts(t, s, 2)
				a, other := all[0], all[1]
				official(t, s, a, "d:1")
				if err := s.SetQuota(ctx, a.Address, 1<<20); err != nil {
					t.Fatal(err)
				}
				to := mailbox(t, s, a, "Đã tiếp nhận")
				uid := must[mailcore.UID](t)(s.Append(ctx, a, to.ID, body(t, s, c.text), []string{`\Seen`}, time.Time{}))
				row := must[[]mailcore.Stored](t)(s.Load(ctx, to.ID, []mailcore.UID{uid}))[0]
				ref, want, _ := strings.Cut(c.want, " ")
				if row.Ref != ref || ref != "" && string(row.Prefix) != prefix || !slices.Contains(row.Flags, `\Seen`) {
					t.Errorf("row %+v, prefix %q", row.Row, row.Prefix)
				}
				if got := strings.Join(events(t, s), "|"); got != want {
					t.Errorf("events %q", got)
				}
				// In the mailbox of another account the same bytes are any mail.
				to = mailbox(t, s, other, "Đã tiếp nhận")
				must[mailcore.UID](t)(s.Append(ctx, a, to.ID, body(t, s, c.text), nil, time.Time{}))
				if rows, _, err := s.Rows(ctx, to.ID); err != nil || len(rows) != 1 || rows[0].Ref != "" || len(must[[]mailcore.Event](t)(s.PendingEvents(ctx, 9))) > 0 {
					t.Errorf("elsewhere: %+v %v", rows, err)
				}
			})
		})
	}
}

// Of two copies of one mail, closed and sent again, a client brings back the one whose lines it shows.
func TestAppendedBytesTellWhichCopyTheyWere(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		for _, ref := range []string{"d:9", "d:10", "d:11"} {
			official(t, s, a, ref)
		}
		to := mailbox(t, s, a, "Đã tiếp nhận")
		for _, c := range []struct{ brought, want string }{{"Reply-To: <d:9@kontum.test>\r\n" + named, "d:9"}, {"Reply-To: <d:10@kontum.test>\r\n" + named, "d:10"}, {"X-A: b\r\n" + named, "d:11"}, {named, "d:11"}} {
			uid := must[mailcore.UID](t)(s.Append(ctx, a, to.ID, body(t, s, c.brought), nil, time.Time{}))
			if row := must[[]mailcore.Stored](t)(s.Load(ctx, to.ID, []mailcore.UID{uid}))[0]; row.Ref != c.want {
				t.Errorf("%q is %s, want %s", c.brought[:20], row.Ref, c.want)
			}
		}
	})
}

// A copy is recognised also between its deletion and the moment that the room above hears of it.
func TestAppendedBytesOfACopyThatWasJustDeleted(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		official(t, s, a, "d:1")
		box := inbox(t, s, a)
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}))
		must[[]mailcore.UID](t)(s.Expunge(ctx, a, box.ID, nil))
		to := mailbox(t, s, a, "Đã tiếp nhận")
		must[mailcore.UID](t)(s.Append(ctx, a, to.ID, body(t, s, named), nil, time.Time{}))
		row := must[[]mailcore.Stored](t)(s.Load(ctx, to.ID, []mailcore.UID{1}))[0]
		if row.Ref != "d:1" || string(row.Prefix) != "Reply-To: <d:1@kontum.test>\r\n" {
			t.Errorf("row %+v, prefix %q", row.Row, row.Prefix)
		}
	})
}

// Two accounts in one client: what comes back from the other one is the copy again; the other's own stays the other's.
func TestCopyThatComesBackFromAnotherAccount(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		all := accounts(t, s, 2)
		a, b := all[0], all[1]
		official(t, s, a, "d:1")
		official(t, s, b, "d:2") // the same document to another unit
		from, back := inbox(t, s, a), mailbox(t, s, a, "Đã tiếp nhận")
		there := mailbox(t, s, b, "Thư nháp")
		must[[]mailcore.UIDPair](t)(s.CopyMessages(ctx, a, from.ID, []mailcore.UID{1}, there.ID))
		row := must[[]mailcore.Stored](t)(s.Load(ctx, there.ID, []mailcore.UID{1}))[0]
		if row.Ref != "d:2" || string(row.Prefix) != "Reply-To: <d:2@kontum.test>\r\n" {
			t.Errorf("in the other account: %+v, prefix %q", row.Row, row.Prefix)
		}
		// Brought there with a client's header, it is a row of another message.
		must[mailcore.UID](t)(s.Append(ctx, b, there.ID, body(t, s, "X-Mozilla-Status: 1\r\n"+strings.Replace(named, "vb-1", "vb-3", 1)), nil, time.Time{}))
		must[[]mailcore.UIDPair](t)(s.MoveMessages(ctx, b, there.ID, []mailcore.UID{1, 2}, back.ID))
		rows, _, err := s.Rows(ctx, back.ID)
		if err != nil || len(rows) != 2 || rows[0].Ref != "d:1" || rows[1].Ref != "" {
			t.Errorf("back: %+v, %v", rows, err)
		}
		want := []string{`moved d:2 a1@kontum.test {"from":"","to":"Thư nháp","to_use":"\\Drafts","copy":true}`, `moved d:1 a2@kontum.test {"from":"","to":"Đã tiếp nhận"}`}
		if got := events(t, s); !slices.Equal(got, want) {
			t.Errorf("events %q", got)
		}
	})
}

// Of two that delete the last two copies at the same moment one must see that it is the last. On PostgreSQL both are held between
// removing their copy and looking for others; SQLite has one writer.
func TestLastCopiesDeletedAtTheSameMomentAreMissed(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		for i, a := range accounts(t, s, 8) {
			official(t, s, a, "d:1")
			boxes := []mailcore.Mailbox{inbox(t, s, a), mailbox(t, s, a, "Thùng rác")}
			must[[]mailcore.UIDPair](t)(s.CopyMessages(ctx, a, boxes[0].ID, []mailcore.UID{1}, boxes[1].ID))
			for _, box := range boxes {
				must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}))
			}
			var wg sync.WaitGroup
			expunge := func() {
				for _, box := range boxes {
					wg.Go(func() { must[[]mailcore.UID](t)(s.Expunge(ctx, a, box.ID, nil)) })
				}
			}
			if s.DB().Dialect() == sqldb.Postgres {
				holdVanished(t, s, expunge)
			} else {
				expunge()
			}
			wg.Wait()
			got := events(t, s)
			if len(got) != 2 || !strings.HasPrefix(got[1], "deleted d:1 ") {
				t.Fatalf("account %d: events %q", i, got)
			}
		}
	})
}

// holdVanished lets two transactions of PostgreSQL wait for the table in which they note what they removed.
func holdVanished(t *testing.T, s *mailcore.Store, begin func()) {
	t.Helper()
	err := s.DB().Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, `LOCK TABLE vanished IN EXCLUSIVE MODE`); err != nil {
			return err
		}
		begin()
		for waiting, end := 0, time.Now().Add(2*time.Minute); waiting < 2; time.Sleep(2 * time.Millisecond) {
			err := s.DB().Read(ctx, func(r *sqldb.Tx) error {
				return r.GetContext(ctx, &waiting, `SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'vanished' AND NOT l.granted
					AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
			})
			if err != nil || time.Now().After(end) {
				return fmt.Errorf("%d wait: %w", waiting, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
