package mailcore_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"

	"golang.org/x/text/unicode/norm"
)

// own returns the names of an account's mailboxes beside those that it was made with.
func own(t testing.TB, s *mailcore.Store, a mailcore.Account) []string {
	t.Helper()
	var out []string
	fresh := []string{"INBOX", "Đã gửi", "Thư nháp", "Thư rác", "Thùng rác", "Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Từ chối"}
	for _, m := range must[[]mailcore.Mailbox](t)(s.Mailboxes(ctx, a.ID)) {
		if !slices.Contains(fresh, m.Name) {
			out = append(out, m.Name)
		}
	}
	return out
}

func TestCreateMailbox(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		m := must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, norm.NFD.String("Năm 2026/Quyết định/"), ""))
		if m.Name != "Năm 2026/Quyết định" || m.UIDNext != 1 || !m.Subscribed || m.Account != a.ID {
			t.Errorf("made %+v", m)
		}
		if got := own(t, s, a); !slices.Equal(got, []string{"Năm 2026", "Năm 2026/Quyết định"}) {
			t.Errorf("mailboxes %q", got)
		}
		if m := must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "Lưu", `\archive`)); m.SpecialUse != `\Archive` {
			t.Errorf("special use %q", m.SpecialUse)
		}
		for _, name := range []string{"inbox", "Năm 2026", "Đã gửi", norm.NFD.String("Đã gửi")} {
			if _, err := s.CreateMailbox(ctx, a.ID, name, ""); !errors.Is(err, mailcore.ErrMailboxExists) {
				t.Errorf("%q: %v", name, err)
			}
		}
		for _, name := range []string{"", "/", "a//b", "/a", "a\x00", "a\nb", "a%", "*", " a", "a/ ", "\xff", strings.Repeat("ă", 300)} {
			if _, err := s.CreateMailbox(ctx, a.ID, name, ""); !errors.Is(err, mailcore.ErrMailboxName) {
				t.Errorf("%q: %v", name, err)
			}
		}
		if _, err := s.CreateMailbox(ctx, a.ID, "x", `\Best`); err == nil {
			t.Error("an unknown special use was taken")
		}
		if _, err := s.CreateMailbox(ctx, 999, "x", ""); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMailboxMadeAnewHasAnotherUIDValidity(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		last := inbox(t, s, a).UIDValidity
		for range 5 {
			m := must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "x", ""))
			if m.UIDValidity <= last {
				t.Errorf("validity %d after %d", m.UIDValidity, last)
			}
			last = m.UIDValidity
			if err := s.DeleteMailbox(ctx, a, a.ID, "x"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestFixedMailboxesStay(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
			{Address: "a@kontum.test", Kind: mailcore.Unit}, {Address: "b@kontum.test", Kind: mailcore.Officer}}))
		for _, name := range []string{"INBOX", "inbox", "Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Từ chối", norm.NFD.String("Từ chối")} {
			if err := s.DeleteMailbox(ctx, made[0], made[0].ID, name); !errors.Is(err, mailcore.ErrMailboxIsFixed) {
				t.Errorf("delete %q: %v", name, err)
			}
			if err := s.RenameMailbox(ctx, made[0].ID, name, "khác"); !errors.Is(err, mailcore.ErrMailboxIsFixed) {
				t.Errorf("rename %q: %v", name, err)
			}
		}
		must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, made[1].ID, "Hoàn thành", ""))
		if err := s.DeleteMailbox(ctx, made[1], made[1].ID, "Hoàn thành"); err != nil {
			t.Errorf("an officer's own folder: %v", err)
		}
		if err := s.DeleteMailbox(ctx, made[1], made[1].ID, "none"); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDeleteMailboxTellsOfCopiesThatAreGone(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		from := inbox(t, s, a)
		m := must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "cũ", ""))
		must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "cũ/con", ""))
		deliver(t, s, a, "d:1")
		deliver(t, s, a, "d:2")
		deliver(t, s, a, "")
		must[[]mailcore.UIDPair](t)(s.CopyMessages(ctx, a, from.ID, []mailcore.UID{1}, m.ID))
		must[[]mailcore.UIDPair](t)(s.MoveMessages(ctx, a, from.ID, []mailcore.UID{2, 3}, m.ID))
		events(t, s)
		if err := s.DeleteMailbox(ctx, a, a.ID, "cũ"); err != nil {
			t.Fatal(err)
		}
		if got := events(t, s); !slices.Equal(got, []string{`deleted d:2 a1@kontum.test {"from":"cũ","prefix":"WC1Db3B5OiBkOjINCg=="}`}) {
			t.Errorf("events %q", got)
		}
		if got := own(t, s, a); !slices.Equal(got, []string{"cũ/con"}) {
			t.Errorf("mailboxes %q", got)
		}
		if _, _, _, err := s.Changes(ctx, m.ID, 0); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("a session in it: %v", err)
		}
		if _, err := s.MailboxByID(ctx, m.ID); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("by id: %v", err)
		}
	})
}

func TestRenameMovesChildrenAndKeepsUIDs(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		m := must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "a/b", ""))
		must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "a/b/c", ""))
		must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "ab", ""))
		must[mailcore.UID](t)(s.Append(ctx, a, m.ID, body(t, s, letter), nil, time.Time{}))
		if err := s.RenameMailbox(ctx, a.ID, "a", "Lưu/2026"); err != nil {
			t.Fatal(err)
		}
		if got := own(t, s, a); !slices.Equal(got, []string{"Lưu", "Lưu/2026", "Lưu/2026/b", "Lưu/2026/b/c", "ab"}) {
			t.Errorf("mailboxes %q", got)
		}
		now := mailbox(t, s, a, "Lưu/2026/b")
		if now.ID != m.ID || now.UIDValidity != m.UIDValidity || now.UIDNext != 2 {
			t.Errorf("now %+v", now)
		}
		must[mailcore.Mailbox](t)(s.CreateMailbox(ctx, a.ID, "x/b", ""))
		for _, c := range []struct {
			from, to string
			want     error
		}{
			{"none", "y", mailcore.ErrNoMailbox}, {"ab", "INBOX", mailcore.ErrMailboxExists}, {"ab", "Lưu", mailcore.ErrMailboxExists},
			{"Lưu", "Lưu/x", mailcore.ErrMailboxName}, {"ab", "a%", mailcore.ErrMailboxName}, {"ab", strings.Repeat("x", 501), mailcore.ErrMailboxName},
		} {
			if err := s.RenameMailbox(ctx, a.ID, c.from, c.to); !errors.Is(err, c.want) {
				t.Errorf("%q to %.20q: %v", c.from, c.to, err)
			}
		}
		if err := s.DeleteMailbox(ctx, a, a.ID, "x"); err != nil { // leaves x/b
			t.Fatal(err)
		}
		if err := s.RenameMailbox(ctx, a.ID, "Lưu/2026", "x"); !errors.Is(err, mailcore.ErrMailboxExists) {
			t.Errorf("over a child: %v", err)
		}
		if got := own(t, s, a); !slices.Equal(got, []string{"Lưu", "Lưu/2026", "Lưu/2026/b", "Lưu/2026/b/c", "ab", "x/b"}) {
			t.Errorf("after refused renames: %q", got)
		}
	})
}

func TestSubscribe(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		if err := s.SubscribeMailbox(ctx, a.ID, "Thư rác", false); err != nil {
			t.Fatal(err)
		}
		if mailbox(t, s, a, "Thư rác").Subscribed || !inbox(t, s, a).Subscribed {
			t.Error("the wrong mailbox")
		}
		if err := s.SubscribeMailbox(ctx, a.ID, "none", true); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMailboxStatus(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		empty := must[mailcore.MailboxStatus](t)(s.MailboxStatus(ctx, box.ID))
		if empty != (mailcore.MailboxStatus{Mailbox: box}) {
			t.Errorf("empty: %+v", empty)
		}
		for range 4 {
			deliver(t, s, a, "")
		}
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsAdd, []string{`\Seen`}))
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{2}, mailcore.FlagsAdd, []string{`\Deleted`, "SeenX"}))
		st := must[mailcore.MailboxStatus](t)(s.MailboxStatus(ctx, box.ID))
		if st.Messages != 4 || st.Unseen != 3 || st.Deleted != 1 || st.UIDNext != 5 || st.Size != 4*int64(len("X-Copy: \r\n")+len(letter)) {
			t.Errorf("status %+v", st)
		}
		prefix := int64(len("X-Copy: \r\n"))
		if st.DeletedSize != prefix+int64(len(letter)) {
			t.Errorf("bytes of what is deleted: %d", st.DeletedSize)
		}
		other := mailbox(t, s, a, mailcore.FolderAccepted)
		want := []mailcore.MailboxStatus{st, {Mailbox: other}}
		if got := must[[]mailcore.MailboxStatus](t)(s.MailboxStatuses(ctx, []mailcore.MailboxID{other.ID, 999, box.ID})); !slices.Equal(got, want) {
			t.Errorf("both: %+v", got)
		}
		if _, err := s.MailboxStatus(ctx, 999); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTwoSessionsCreateTheSameMailbox(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 6 {
			wg.Go(func() {
				switch _, err := s.CreateMailbox(ctx, a.ID, "a/b", ""); {
				case err == nil:
					mu.Lock()
					made++
					mu.Unlock()
				case !errors.Is(err, mailcore.ErrMailboxExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Errorf("%d sessions made it", made)
		}
	})
}
