package mailcore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
)

func textOf(size int) string { return "Subject: thư\r\n\r\n" + strings.Repeat("x", size-17) }

// The counters follow every way in and out of a mailbox; the invariants, checked at the end, compare them with the rows.
func TestQuotaCountsEveryWayInAndOut(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := accounts(t, s, 2)
		a, b := made[0], made[1]
		used := func(want int64) {
			t.Helper()
			q, err := s.Quota(ctx, a.ID)
			if err != nil || q.Used != want {
				t.Fatalf("quota %+v, %v; want %d used", q, err, want)
			}
		}
		box := func(who mailcore.Account, name string) mailcore.MailboxID {
			t.Helper()
			m, err := s.Mailbox(ctx, who.ID, name)
			if err != nil {
				t.Fatal(err)
			}
			return m.ID
		}
		inbox, sent, other := box(a, mailcore.Inbox), box(a, "Đã gửi"), box(b, mailcore.Inbox)
		body := save(t, s, textOf(1000))
		copies := []mailcore.Copy{{Account: a.ID}, {Account: a.ID, Prefix: []byte("X-A: b\r\n")}, {Account: b.ID}}
		if _, err := s.Deliver(ctx, body, copies); err != nil {
			t.Fatal(err)
		}
		used(2000)
		if _, err := s.Append(ctx, a, sent, save(t, s, textOf(300)), nil, time.Time{}); err != nil {
			t.Fatal(err)
		}
		used(2300)
		if _, err := s.CopyMessages(ctx, a, inbox, []mailcore.UID{1, 2}, sent); err != nil {
			t.Fatal(err)
		}
		used(4300)
		if _, err := s.MoveMessages(ctx, a, inbox, []mailcore.UID{1, 99}, sent); err != nil {
			t.Fatal(err)
		}
		used(4300)
		if _, err := s.MoveMessages(ctx, a, inbox, []mailcore.UID{2}, other); err != nil {
			t.Fatal(err)
		}
		used(3300)
		if _, err := s.ChangeFlags(ctx, a, sent, []mailcore.UID{1, 2}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err != nil {
			t.Fatal(err)
		}
		if st, err := s.MailboxStatus(ctx, sent); err != nil || st.DeletedSize != 1300 {
			t.Fatalf("status %+v, %v", st, err)
		}
		if _, err := s.Expunge(ctx, a, sent, nil); err != nil {
			t.Fatal(err)
		}
		used(2000)
		if _, err := s.CreateMailbox(ctx, a.ID, "Riêng", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.MoveMessages(ctx, a, sent, []mailcore.UID{3}, box(a, "Riêng")); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteMailbox(ctx, a, a.ID, "Riêng"); err != nil {
			t.Fatal(err)
		}
		used(1000)
	})
}

func TestQuotaBindsItsOwnersActsAndNothingElse(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		s.SetDefaultQuota(2500)
		made := accounts(t, s, 2)
		a := made[0]
		inbox := must[mailcore.Mailbox](t)(s.Mailbox(ctx, a.ID, mailcore.Inbox)).ID
		sent := must[mailcore.Mailbox](t)(s.Mailbox(ctx, a.ID, "Đã gửi")).ID
		body := save(t, s, textOf(1000))
		over := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, mailcore.ErrOverQuota) {
				t.Fatalf("%s over quota: %v", what, err)
			}
		}
		for i := range 3 { // the gateway's own delivery is always taken
			if _, err := s.Deliver(ctx, body, []mailcore.Copy{{Account: a.ID, Ref: fmt.Sprintf("dispatch:%d", i)}}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Append(ctx, a, inbox, body, nil, time.Time{})
		over("append", err)
		if _, err := s.CopyMessages(ctx, a, inbox, []mailcore.UID{1}, sent); err != nil {
			t.Errorf("copying an official copy: %v", err)
		}
		if err := s.SetQuota(ctx, a.Address, 5000); err != nil {
			t.Fatal(err)
		}
		if q, err := s.Quota(ctx, a.ID); err != nil || q.Limit != 5000 || !q.Fits(5000-q.Used) || q.Fits(5001-q.Used) {
			t.Fatalf("quota %+v, %v", q, err)
		}
		uid, err := s.Append(ctx, a, inbox, body, nil, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetQuota(ctx, a.Address, mailcore.DefaultQuota); err != nil {
			t.Fatal(err)
		}
		_, err = s.CopyMessages(ctx, a, inbox, []mailcore.UID{uid}, sent)
		over("copy", err)
		if _, err := s.MoveMessages(ctx, a, inbox, []mailcore.UID{uid}, sent); err != nil {
			t.Errorf("a move adds nothing: %v", err)
		}
		if err := s.SetQuota(ctx, a.Address, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(ctx, a, inbox, body, nil, time.Time{}); err != nil {
			t.Errorf("without a limit: %v", err)
		}
		if err := s.SetQuota(ctx, "ai@kontum.test", 1); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Errorf("nobody's quota: %v", err)
		}
	})
}

func TestOwnersAreWarnedOnceAtEachLevel(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		s.SetDefaultQuota(100_000)
		made := accounts(t, s, 2)
		a := made[0]
		inbox := must[mailcore.Mailbox](t)(s.Mailbox(ctx, a.ID, mailcore.Inbox)).ID
		add := func(bytes int) mailcore.UID {
			t.Helper()
			placed, err := s.Deliver(ctx, save(t, s, textOf(bytes)), []mailcore.Copy{{Account: a.ID}})
			if err != nil {
				t.Fatal(err)
			}
			return placed[0].UID
		}
		expect := func(levels ...int64) {
			t.Helper()
			var got []int64
			n, err := s.WarnQuotas(ctx, func(w mailcore.QuotaWarning) ([]byte, error) {
				if w.Account.ID != a.ID || w.Limit != 100_000 {
					t.Errorf("warning %+v", w)
				}
				got = append(got, w.Level)
				return []byte("Subject: Sắp đầy\r\n\r\nx\r\n"), nil
			})
			if err != nil || n != len(levels) || fmt.Sprint(got) != fmt.Sprint(levels) {
				t.Fatalf("warned %d times at %v, %v; want %v", n, got, err, levels)
			}
		}
		big := add(79_000)
		expect()
		add(2_000)
		expect(80)
		expect()
		add(15_000)
		expect(95)
		expect()
		remove := func(uid mailcore.UID) {
			t.Helper()
			if _, err := s.ChangeFlags(ctx, a, inbox, []mailcore.UID{uid}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Expunge(ctx, a, inbox, nil); err != nil {
				t.Fatal(err)
			}
		}
		remove(big)
		expect() // tidied up: the next time is a new one
		add(99_000)
		expect(95)
		rows, _, err := s.Rows(ctx, inbox)
		if err != nil || len(rows) != 6 {
			t.Errorf("%d messages with three letters, %v", len(rows), err)
		}
	})
}

func save(t *testing.T, s *mailcore.Store, text string) *mailcore.Body {
	t.Helper()
	return must[*mailcore.Body](t)(s.SaveBody(ctx, strings.NewReader(text), 0))
}
