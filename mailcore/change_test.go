package mailcore_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
)

// flagsOf returns "uid flags" of every row.
func flagsOf(t testing.TB, s *mailcore.Store, id mailcore.MailboxID) []string {
	t.Helper()
	rows, _, err := s.Rows(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, r := range rows {
		out = append(out, strings.TrimSpace(fmt.Sprint(r.UID, " ", strings.Join(r.Flags, " "))))
	}
	return out
}

func TestFlags(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		for range 3 {
			deliver(t, s, a, "")
		}
		box := inbox(t, s, a)
		before := box.ModSeq
		for _, c := range []struct {
			uids  []mailcore.UID
			op    mailcore.FlagOp
			flags []string
			want  []string
		}{
			{[]mailcore.UID{1, 3, 9}, mailcore.FlagsAdd, []string{`\SEEN`, "Xong", `\Recent`}, []string{`1 Xong \Seen`, "2", `3 Xong \Seen`}},
			{[]mailcore.UID{1}, mailcore.FlagsAdd, []string{"xong", `\seen`}, []string{`1 Xong \Seen`, "2", `3 Xong \Seen`}},
			{[]mailcore.UID{3}, mailcore.FlagsRemove, []string{"XONG", `\Flagged`}, []string{`1 Xong \Seen`, "2", `3 \Seen`}},
			{[]mailcore.UID{2, 3}, mailcore.FlagsSet, []string{`\Draft`, "b", "a", "A"}, []string{`1 Xong \Seen`, `2 \Draft a b`, `3 \Draft a b`}},
			{[]mailcore.UID{2}, mailcore.FlagsSet, nil, []string{`1 Xong \Seen`, "2", `3 \Draft a b`}},
			{nil, mailcore.FlagsSet, []string{"all"}, []string{`1 Xong \Seen`, "2", `3 \Draft a b`}},
		} {
			done, err := s.ChangeFlags(ctx, a, box.ID, c.uids, c.op, c.flags)
			if err != nil {
				t.Fatal(err)
			}
			if got := flagsOf(t, s, box.ID); !slices.Equal(normal(got), normal(c.want)) {
				t.Errorf("%v %d %q: got %q, want %q", c.uids, c.op, c.flags, got, c.want)
			}
			stored, now, err := s.Rows(ctx, box.ID)
			if err != nil {
				t.Fatal(err)
			}
			stored = slices.DeleteFunc(stored, func(r mailcore.Row) bool { return !slices.Contains(c.uids, r.UID) })
			if !reflect.DeepEqual(done.Rows, stored) && len(stored)+len(done.Rows) > 0 {
				t.Errorf("answer %+v, there is %+v", done.Rows, stored)
			}
			if changed := now != before; changed && done.ModSeq != now || !changed && done.ModSeq != 0 {
				t.Errorf("sequence %d of a change from %d to %d", done.ModSeq, before, now)
			}
			before = now
		}
		for _, bad := range []string{`\Other`, "", "a b", "a(", "ă", `a"`, strings.Repeat("x", 101), "*"} {
			if _, err := s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsAdd, []string{bad}); !errors.Is(err, mailcore.ErrBadFlag) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		if _, err := s.ChangeFlags(ctx, a, 999, []mailcore.UID{1}, mailcore.FlagsAdd, nil); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("got %v", err)
		}
	})
}

// normal sorts the flags of each line.
func normal(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		words := strings.Fields(l)
		slices.Sort(words[1:])
		out[i] = strings.Join(words, " ")
	}
	return out
}

func TestChangeThatChangesNothingTakesNoSequence(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		deliver(t, s, a, "")
		box := inbox(t, s, a)
		change := func(op mailcore.FlagOp) uint64 {
			must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, op, []string{`\Seen`}))
			return inbox(t, s, a).ModSeq
		}
		first, second, third := change(mailcore.FlagsAdd), change(mailcore.FlagsAdd), change(mailcore.FlagsRemove)
		if first != box.ModSeq+1 || second != first || third != first+1 {
			t.Errorf("sequences %d, %d, %d, %d", box.ModSeq, first, second, third)
		}
		changed, vanished, modseq, err := s.Changes(ctx, box.ID, third)
		if len(changed) != 0 || len(vanished) != 0 || modseq != third || err != nil {
			t.Errorf("changes %v %v %d %v", changed, vanished, modseq, err)
		}
	})
}

func TestOpenedIsToldOnceAndOnlyOfPersons(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
			{Address: "a1@kontum.test", Kind: mailcore.Unit}, {Address: "he-thong@kontum.test", Kind: mailcore.System}}))
		unit, system := made[0], made[1]
		box := inbox(t, s, unit)
		for i := range 4 {
			deliver(t, s, unit, []string{"d:1", "d:2", "d:3", ""}[i])
		}
		seen := func(by mailcore.Account, op mailcore.FlagOp, uids ...mailcore.UID) {
			t.Helper()
			must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, by, box.ID, uids, op, []string{`\Seen`}))
		}
		seen(system, mailcore.FlagsAdd, 3)
		seen(mailcore.Account{}, mailcore.FlagsRemove, 3)
		seen(mailcore.Account{}, mailcore.FlagsAdd, 3)
		if got := events(t, s); len(got) != 0 {
			t.Errorf("by the system: %q", got)
		}
		seen(unit, mailcore.FlagsAdd, 1, 4)
		if got := events(t, s); !slices.Equal(got, []string{"opened d:1 a1@kontum.test"}) {
			t.Errorf("by the unit: %q", got)
		}
		seen(unit, mailcore.FlagsRemove, 1)
		seen(unit, mailcore.FlagsAdd, 1)
		if err := s.NoteFetched(ctx, unit, box.ID, []mailcore.UID{1, 2, 4}, true); err != nil {
			t.Fatal(err)
		}
		if got := events(t, s); !slices.Equal(got, []string{"opened d:2 a1@kontum.test"}) {
			t.Errorf("again, and another by fetch: %q", got)
		}
		before := inbox(t, s, unit).ModSeq
		if err := s.NoteFetched(ctx, unit, box.ID, []mailcore.UID{1, 2, 4}, true); err != nil {
			t.Fatal(err)
		}
		if now := inbox(t, s, unit).ModSeq; now != before {
			t.Errorf("a fetch of what was seen took sequence %d", now)
		}
	})
}

func TestDownloadedIsToldOnceAndShowsNothing(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		deliver(t, s, a, "d:1")
		deliver(t, s, a, "")
		deliver(t, s, a, "d:2")
		before := flagsOf(t, s, box.ID)
		var wg sync.WaitGroup
		for range 6 { // sessions that synchronise at once
			wg.Go(func() {
				if err := s.NoteFetched(ctx, a, box.ID, []mailcore.UID{1, 2, 3, 9}, false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got := events(t, s)
		slices.Sort(got)
		if !slices.Equal(got, []string{"downloaded d:1 a1@kontum.test", "downloaded d:2 a1@kontum.test"}) {
			t.Errorf("events %q", got)
		}
		if after := flagsOf(t, s, box.ID); !slices.Equal(after, before) {
			t.Errorf("flags %q", after)
		}
	})
}

func TestMoveTellsFromAndToAndKeepsTheCopy(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		from, to := inbox(t, s, a), mailbox(t, s, a, mailcore.FolderAccepted)
		for i := range 5 {
			deliver(t, s, a, fmt.Sprint("d:", i+1))
		}
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, from.ID, []mailcore.UID{2}, mailcore.FlagsAdd, []string{`\Flagged`, "x"}))
		before := must[[]mailcore.Stored](t)(s.Load(ctx, from.ID, []mailcore.UID{2}))[0]
		_, at, err := s.Rows(ctx, from.ID)
		if err != nil {
			t.Fatal(err)
		}
		pairs := must[[]mailcore.UIDPair](t)(s.MoveMessages(ctx, a, from.ID, []mailcore.UID{4, 2, 2, 77}, to.ID))
		if !slices.Equal(pairs, []mailcore.UIDPair{{From: 2, To: 1}, {From: 4, To: 2}}) {
			t.Errorf("pairs %v", pairs)
		}
		after := must[[]mailcore.Stored](t)(s.Load(ctx, to.ID, []mailcore.UID{1}))[0]
		if after.Ref != "d:2" || string(after.Prefix) != string(before.Prefix) || !after.ReceivedAt.Equal(before.ReceivedAt) ||
			!slices.Equal(after.Flags, before.Flags) || after.Message != before.Message {
			t.Errorf("before %+v\nafter %+v", before.Row, after.Row)
		}
		changed, vanished, _, err := s.Changes(ctx, from.ID, at)
		if err != nil || len(changed) != 0 || !slices.Equal(vanished, []mailcore.UID{2, 4}) {
			t.Errorf("changes %v %v %v", changed, vanished, err)
		}
		want := []string{`moved d:2 a1@kontum.test {"from":"INBOX","to":"Đã tiếp nhận"}`, `moved d:4 a1@kontum.test {"from":"INBOX","to":"Đã tiếp nhận"}`}
		pending := must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10))
		if pending[1].Mailbox != to.ID || pending[1].UID != 2 {
			t.Errorf("event %+v", pending[1])
		}
		if got := events(t, s); !slices.Equal(got, want) {
			t.Errorf("events %q", got)
		}
		if pairs := must[[]mailcore.UIDPair](t)(s.MoveMessages(ctx, a, from.ID, nil, to.ID)); len(pairs) != 0 || len(flagsOf(t, s, from.ID)) != 3 {
			t.Errorf("a move of nothing moved %v", pairs)
		}
		if _, err := s.MoveMessages(ctx, a, from.ID, []mailcore.UID{1}, 999); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("to nowhere: %v", err)
		}
	})
}

func TestMoveWithinOneMailboxGivesNewUIDs(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		deliver(t, s, a, "d:1")
		deliver(t, s, a, "d:2")
		pairs := must[[]mailcore.UIDPair](t)(s.MoveMessages(ctx, a, box.ID, []mailcore.UID{1}, box.ID))
		if !slices.Equal(pairs, []mailcore.UIDPair{{From: 1, To: 3}}) || !slices.Equal(flagsOf(t, s, box.ID), []string{"2", "3"}) {
			t.Errorf("pairs %v, rows %q", pairs, flagsOf(t, s, box.ID))
		}
		if got := events(t, s); len(got) != 0 {
			t.Errorf("events %q", got)
		}
	})
}

func TestLargeMoveKeepsOrder(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		from, to := inbox(t, s, a), mailbox(t, s, a, "Thùng rác")
		var copies []mailcore.Copy
		var uids []mailcore.UID
		for i := range 950 {
			copies = append(copies, mailcore.Copy{Mailbox: from.ID, Ref: fmt.Sprint("d:", i+1)})
			uids = append(uids, mailcore.UID(i+1))
		}
		err := func() error { _, err := s.Deliver(ctx, body(t, s, letter), copies[:3]); return err }()
		if err != nil {
			t.Fatal(err)
		}
		for i := 3; i < len(copies); i += 100 {
			must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), copies[i:min(i+100, len(copies))]))
		}
		pairs := must[[]mailcore.UIDPair](t)(s.MoveMessages(ctx, a, from.ID, uids, to.ID))
		rows, _, err := s.Rows(ctx, to.ID)
		if err != nil || len(rows) != len(uids) || len(pairs) != len(uids) {
			t.Fatalf("%d rows, %d pairs, %v", len(rows), len(pairs), err)
		}
		for i, r := range rows {
			if r.Ref != fmt.Sprint("d:", i+1) || pairs[i] != (mailcore.UIDPair{From: uids[i], To: r.UID}) {
				t.Fatalf("row %d: %+v, pair %v", i, r, pairs[i])
			}
		}
	})
}

func TestCopyThenExpungeIsAMoveInTwoSteps(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		from, to := inbox(t, s, a), mailbox(t, s, a, mailcore.FolderAccepted)
		deliver(t, s, a, "d:1")
		deliver(t, s, a, "d:2")
		must[[]mailcore.UIDPair](t)(s.CopyMessages(ctx, a, from.ID, []mailcore.UID{1}, to.ID))
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, from.ID, []mailcore.UID{1, 2}, mailcore.FlagsAdd, []string{`\Deleted`}))
		if got := must[[]mailcore.UID](t)(s.Expunge(ctx, a, from.ID, []mailcore.UID{1})); !slices.Equal(got, []mailcore.UID{1}) {
			t.Errorf("expunged %v", got)
		}
		if got := events(t, s); !slices.Equal(got, []string{`moved d:1 a1@kontum.test {"from":"INBOX","to":"Đã tiếp nhận","copy":true}`}) {
			t.Errorf("events %q: a copy is left, nothing is deleted", got)
		}
		if got := must[[]mailcore.UID](t)(s.Expunge(ctx, a, from.ID, nil)); !slices.Equal(got, []mailcore.UID{2}) {
			t.Errorf("expunged %v", got)
		}
		if got := events(t, s); !slices.Equal(got, []string{`deleted d:2 a1@kontum.test {"from":"INBOX","prefix":"WC1Db3B5OiBkOjINCg=="}`}) {
			t.Errorf("events %q", got)
		}
		if got := must[[]mailcore.UID](t)(s.Expunge(ctx, a, from.ID, nil)); len(got) != 0 {
			t.Errorf("expunged %v", got)
		}
	})
}

func TestExpungeTakesOnlyWhatIsMarked(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		for range 3 {
			deliver(t, s, a, "")
		}
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1, 2}, mailcore.FlagsAdd, []string{`\Deleted`}))
		if got := must[[]mailcore.UID](t)(s.Expunge(ctx, a, box.ID, []mailcore.UID{2, 3})); !slices.Equal(got, []mailcore.UID{2}) {
			t.Errorf("expunged %v", got)
		}
		if got := must[[]mailcore.UID](t)(s.Expunge(ctx, a, box.ID, []mailcore.UID{})); len(got) != 0 {
			t.Errorf("an empty list expunged %v", got)
		}
		if got := flagsOf(t, s, box.ID); !slices.Equal(got, []string{`1 \Deleted`, "3"}) {
			t.Errorf("left %q", got)
		}
	})
}

func TestAppend(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := mailbox(t, s, a, "Đã gửi")
		at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
		uid := must[mailcore.UID](t)(s.Append(ctx, a, box.ID, body(t, s, letter), []string{`\Seen`}, at))
		now := must[mailcore.UID](t)(s.Append(ctx, a, box.ID, body(t, s, letter), nil, time.Time{}))
		rows, _, err := s.Rows(ctx, box.ID)
		if err != nil || len(rows) != 2 || uid != 1 || now != 2 || !rows[0].ReceivedAt.Equal(at) || time.Since(rows[1].ReceivedAt) > time.Minute ||
			rows[0].Size != int64(len(letter)) {
			t.Errorf("rows %+v, %v", rows, err)
		}
		if _, err := s.Append(ctx, a, 999, body(t, s, letter), nil, at); !errors.Is(err, mailcore.ErrNoMailbox) {
			t.Errorf("got %v", err)
		}
	})
}
