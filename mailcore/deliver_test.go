package mailcore_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

func count(t testing.TB, s *mailcore.Store, table string) int {
	t.Helper()
	var n int
	err := s.DB().Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, &n, `SELECT COUNT(*) FROM `+table) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBodyIsStoredOnceForAllMailboxes(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := accounts(t, s, 1100) // more than two statements take
		var copies []mailcore.Copy
		for i, a := range made {
			copies = append(copies, mailcore.Copy{Account: a.ID, Ref: fmt.Sprint("dispatch:", i), Prefix: fmt.Appendf(nil, "X-Copy: %d\r\n", i), Flags: []string{`\flagged`, "$x"}})
		}
		placed := must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), copies))
		if len(placed) != len(copies) {
			t.Fatalf("%d placed", len(placed))
		}
		for _, table := range []string{"blob", "message"} {
			if n := count(t, s, table); n != 1 {
				t.Errorf("%d rows of %s", n, table)
			}
		}
		for i, a := range made {
			if i%100 != 0 {
				continue
			}
			box := inbox(t, s, a)
			if placed[i] != (mailcore.Placed{Mailbox: box.ID, UID: 1}) || box.UIDNext != 2 {
				t.Errorf("copy %d: %+v, mailbox %+v", i, placed[i], box)
			}
			stored := must[[]mailcore.Stored](t)(s.Load(ctx, box.ID, []mailcore.UID{1, 2}))
			if len(stored) != 1 || string(stored[0].Prefix) != fmt.Sprintf("X-Copy: %d\r\n", i) || stored[0].Ref != fmt.Sprint("dispatch:", i) ||
				stored[0].Size != int64(len(letter)+len(stored[0].Prefix)) || strings.Join(stored[0].Flags, " ") != `$x \Flagged` ||
				stored[0].Summary.Envelope.Subject != "Công văn" || stored[0].BodySize != int64(len(letter)) {
				t.Fatalf("stored %+v", stored)
			}
			f, err := s.Blobs().Open(stored[0].Digest)
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := io.ReadAll(f); string(data) != letter {
				t.Errorf("body %q", data)
			}
			f.Close()
		}
	})
}

func TestMailboxThatStandsTwiceGetsTwoCopies(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := accounts(t, s, 2)
		one, two := inbox(t, s, made[0]), inbox(t, s, made[1])
		placed := must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), []mailcore.Copy{
			{Account: made[1].ID, Ref: "d:1"}, {Mailbox: one.ID, Ref: "d:2"}, {Account: made[0].ID, Ref: "d:3"}, {Mailbox: one.ID, Ref: "d:4"}}))
		want := []mailcore.Placed{{Mailbox: two.ID, UID: 1}, {Mailbox: one.ID, UID: 1}, {Mailbox: one.ID, UID: 2}, {Mailbox: one.ID, UID: 3}}
		if !slices.Equal(placed, want) {
			t.Errorf("placed %+v", placed)
		}
		rows, _, err := s.Rows(ctx, one.ID)
		if err != nil || len(rows) != 3 || rows[0].Ref != "d:2" || rows[1].Ref != "d:3" || rows[2].Ref != "d:4" || rows[2].ModSeq <= rows[0].ModSeq {
			t.Errorf("rows %+v, %v", rows, err)
		}
		counts, err := s.RefCounts(ctx)
		if err != nil || len(counts) != 4 || counts["d:4"] != 1 {
			t.Errorf("refs %v, %v", counts, err)
		}
	})
}

func TestDeliveryThatFailsLeavesNothing(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		saved := body(t, s, letter)
		for _, c := range []struct {
			copy mailcore.Copy
			want error
		}{
			{mailcore.Copy{Account: 999}, mailcore.ErrNoMailbox},
			{mailcore.Copy{Mailbox: 999}, mailcore.ErrNoMailbox},
			{mailcore.Copy{Account: a.ID, Prefix: []byte("X: y")}, mailcore.ErrBadPrefix},
			{mailcore.Copy{Account: a.ID, Prefix: []byte("X: y\r\n\r\n")}, mailcore.ErrBadPrefix},
			{mailcore.Copy{Account: a.ID, Flags: []string{"a b"}}, mailcore.ErrBadFlag},
		} {
			if _, err := s.Deliver(ctx, saved, []mailcore.Copy{{Account: a.ID}, c.copy}); !errors.Is(err, c.want) {
				t.Errorf("%+v: %v", c.copy, err)
			}
		}
		failed := errors.New("the caller's own step failed")
		err := s.DB().Write(ctx, func(tx *sqldb.Tx) error {
			if _, err := s.DeliverTx(ctx, tx, saved, []mailcore.Copy{{Account: a.ID, Arrived: &mailcore.Arrival{}}}); err != nil {
				t.Error(err)
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("got %v", err)
		}
		for _, table := range []string{"mailbox_message", "message", "blob", "mail_event"} {
			if n := count(t, s, table); n != 0 {
				t.Errorf("%d rows of %s", n, table)
			}
		}
		if box := inbox(t, s, a); box.UIDNext != 1 {
			t.Errorf("uid_next %d", box.UIDNext)
		}
	})
}

func TestArrivalIsToldInTheTransactionOfTheDelivery(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := accounts(t, s, 2)
		must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), []mailcore.Copy{
			{Account: made[0].ID, Arrived: &mailcore.Arrival{Sender: "x@bo.test", Rcpt: "a1+tok@kontum.test", Remote: "192.0.2.1"}}, {Account: made[1].ID},
			{Mailbox: inbox(t, s, made[1]).ID, Arrived: &mailcore.Arrival{Sender: "a1@kontum.test", Rcpt: "a2@kontum.test", AuthAs: "a1@kontum.test"}}}))
		pending := must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10))
		if len(pending) != 2 || pending[0].Account != made[0].ID || pending[1].Account != made[1].ID || pending[1].UID != 2 || pending[0].Message == 0 {
			t.Errorf("events %+v", pending)
		}
		want := []string{`arrived   {"sender":"x@bo.test","rcpt":"a1+tok@kontum.test","remote":"192.0.2.1"}`,
			`arrived  a1@kontum.test {"sender":"a1@kontum.test","rcpt":"a2@kontum.test","auth_as":"a1@kontum.test"}`}
		if got := events(t, s); !slices.Equal(got, want) {
			t.Errorf("events %q", got)
		}
		if got := events(t, s); len(got) != 0 {
			t.Errorf("handled events came again: %q", got)
		}
	})
}

// The transaction that wrote its event first commits last. Who reads between the two, and again afterwards, is told of both: nobody
// keeps a high-water mark over ids. In a mailbox that both deliver to, the later commit has the later change. SQLite has one
// writer and cannot do this.
func TestCommitsInReverseOrderLoseNoEvent(t *testing.T) {
	s := newStore(t, mailtest.Open(t, mailtest.NewPostgres(t)))
	made := accounts(t, s, 2)
	saved, other := body(t, s, letter), body(t, s, letter+"khác\r\n") // of one body, the second to come waits
	arrival := func(a mailcore.Account) mailcore.Copy {
		return mailcore.Copy{Account: a.ID, Arrived: &mailcore.Arrival{Sender: "x@bo.test", Rcpt: a.Address}}
	}
	written, commit, first := make(chan bool), make(chan bool), make(chan error, 1)
	go func() {
		var once sync.Once
		first <- txErr(s, func(tx *sqldb.Tx) error {
			_, err := s.DeliverTx(ctx, tx, saved, []mailcore.Copy{arrival(made[0])})
			once.Do(func() { close(written) })
			<-commit
			return err
		})
	}()
	<-written
	must[[]mailcore.Placed](t)(s.Deliver(ctx, other, []mailcore.Copy{arrival(made[1])}))
	between := must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10))
	if len(between) != 1 || between[0].Account != made[1].ID {
		t.Fatalf("between the commits: %+v", between)
	}
	if _, _, seen, err := s.Changes(ctx, inbox(t, s, made[0]).ID, 0); err != nil || seen > 1 {
		t.Errorf("a change of what is not committed: %d, %v", seen, err)
	}
	if got := events(t, s); len(got) != 1 {
		t.Errorf("handled between the commits: %q", got)
	}
	later := make(chan error, 1)
	go func() { // waits for the mailbox's row, so that it is the later change there
		_, err := s.Deliver(ctx, other, []mailcore.Copy{{Account: made[0].ID, Ref: "later"}})
		later <- err
	}()
	close(commit)
	if err := errors.Join(<-first, <-later); err != nil {
		t.Fatal(err)
	}
	after := must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10))
	if len(after) != 1 || after[0].Account != made[0].ID || after[0].ID >= between[0].ID {
		t.Errorf("after both commits: %+v; an event with a lower id than %d is still to come", after, between[0].ID)
	}
	rows, _, err := s.Rows(ctx, inbox(t, s, made[0]).ID)
	if err != nil || len(rows) != 2 || rows[1].Ref != "later" || rows[1].ModSeq <= rows[0].ModSeq {
		t.Errorf("rows %+v, %v", rows, err)
	}
}

// Eight nodes deliver to the same mailboxes in different orders while a reader follows each: UIDs ascend without doubles,
// and who applies the changes in turn ends with what is there.
func TestConcurrentDeliveriesKeepUIDsAndChangesWhole(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		const writers, rounds, boxes = 8, 6, 5
		made := accounts(t, s, boxes)
		ids := make([]mailcore.MailboxID, boxes)
		for i, a := range made {
			ids[i] = inbox(t, s, a).ID
		}
		stop := make(chan struct{})
		var readers, wg sync.WaitGroup
		for _, id := range ids {
			readers.Go(func() { followChanges(t, s, id, stop) })
		}
		saved := body(t, s, letter)
		for w := range writers {
			wg.Go(func() {
				for r := range rounds {
					var copies []mailcore.Copy
					for i := range ids {
						copies = append(copies, mailcore.Copy{Mailbox: ids[(i+w)%boxes], Ref: fmt.Sprintf("d:%d.%d.%d", w, r, i)})
					}
					placed, err := s.Deliver(ctx, saved, copies)
					if err != nil {
						t.Error(err)
						return
					}
					id, uid := placed[0].Mailbox, placed[0].UID
					if _, err := s.ChangeFlags(ctx, made[0], id, []mailcore.UID{uid}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err != nil {
						t.Error(err)
					}
					if r%3 == 0 {
						if _, err := s.Expunge(ctx, made[0], id, []mailcore.UID{uid}); err != nil {
							t.Error(err)
						}
					} else if r%3 == 1 {
						if _, err := s.MoveMessages(ctx, made[0], id, []mailcore.UID{uid}, ids[(w+1)%boxes]); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		close(stop)
		readers.Wait()
		total := 0
		for _, id := range ids {
			rows, _, err := s.Rows(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			total += len(rows)
		}
		if want := writers * rounds * boxes; total != want-writers*rounds/3 {
			t.Errorf("%d copies are left of %d", total, want)
		}
	})
}

// followChanges applies changes from the beginning until stop, then compares with the mailbox.
func followChanges(t *testing.T, s *mailcore.Store, id mailcore.MailboxID, stop chan struct{}) {
	c, end := s.DB().Listen(mailcore.MailboxTopic(id))
	defer end()
	view := map[mailcore.UID]mailcore.Row{}
	var at uint64
	last := mailcore.UID(0)
	for stopped := false; ; {
		changed, vanished, modseq, err := s.Changes(ctx, id, at)
		if err != nil {
			t.Error(err)
			return
		}
		if modseq < at {
			t.Errorf("sequence went back from %d to %d", at, modseq)
		}
		newest := last
		for _, r := range changed {
			if _, known := view[r.UID]; !known && r.UID <= last {
				t.Errorf("mailbox %d: uid %d appeared after %d", id, r.UID, last)
			}
			view[r.UID] = r
			newest = max(newest, r.UID)
		}
		last, at = newest, modseq
		for _, uid := range vanished {
			delete(view, uid)
		}
		if stopped {
			break
		}
		select {
		case <-stop:
			stopped = true
		case <-c:
		case <-time.After(20 * time.Millisecond):
		}
	}
	rows, _, err := s.Rows(ctx, id)
	if err != nil || len(rows) != len(view) {
		t.Errorf("mailbox %d has %d rows, the changes gave %d, %v", id, len(rows), len(view), err)
	}
	for _, r := range rows {
		if v := view[r.UID]; v.ModSeq != r.ModSeq || !slices.Equal(v.Flags, r.Flags) {
			t.Errorf("mailbox %d: row %+v, the changes gave %+v", id, r, v)
		}
	}
}

func TestDeliveryWakesTheMailbox(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		c, end := s.DB().Listen(mailcore.MailboxTopic(box.ID))
		defer end()
		time.Sleep(50 * time.Millisecond) // PostgreSQL's listener wakes everybody when it connects
		for len(c) > 0 {
			<-c
		}
		deliver(t, s, a, "d:1")
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Error("not woken")
		}
	})
}

func TestReplyToOfTheCopyStandsInTheEnvelope(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		for _, tok := range []string{"a", "b"} {
			must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), []mailcore.Copy{{Account: a.ID,
				Prefix: []byte("Return-Path: <x@kontum.test>\r\nReply-To: Trả lời <traloi+" + tok + "@kontum.test>\r\n")}}))
		}
		must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), []mailcore.Copy{{Account: a.ID}}))
		for range 2 { // the body's summary is read once
			copies := must[[]mailcore.Stored](t)(s.Load(ctx, inbox(t, s, a).ID, []mailcore.UID{1, 2, 3}))
			for i, mailbox := range []string{"traloi+a", "traloi+b"} {
				e := copies[i].Summary.Envelope
				if len(e.ReplyTo) != 1 || e.ReplyTo[0] != (mailcore.Person{Name: "Trả lời", Mailbox: mailbox, Host: "kontum.test"}) {
					t.Errorf("reply to %+v", e.ReplyTo)
				}
			}
			if e := copies[2].Summary.Envelope; len(e.ReplyTo) != 0 || e.Subject != "Công văn" {
				t.Errorf("without a prefix: %+v", e)
			}
		}
	})
}

func TestStoredBodyCanBeDeliveredAgain(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		deliver(t, s, a, "d:1")
		box := inbox(t, s, a)
		rows, _, err := s.Rows(ctx, box.ID)
		if err != nil {
			t.Fatal(err)
		}
		again := must[*mailcore.Body](t)(s.StoredBody(ctx, rows[0].Message))
		if again.MessageID != "1@kontum.test" || again.Subject != "Công văn" || again.SentAt.IsZero() || again.Size != int64(len(letter)) {
			t.Errorf("body %+v", again)
		}
		must[[]mailcore.Placed](t)(s.Deliver(ctx, again, []mailcore.Copy{{Account: a.ID, Ref: "d:2"}}))
		if n := count(t, s, "message"); n != 1 {
			t.Errorf("%d message rows", n)
		}
		if _, err := s.StoredBody(ctx, 999); !errors.Is(err, mailcore.ErrNoMessage) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBodyOverTheLimit(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		if _, err := s.SaveBody(ctx, strings.NewReader(letter), 10); !errors.Is(err, blob.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPinnedBytesStayPinned(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		digest := must[blob.Digest](t)(s.SaveBytes(ctx, []byte("%PDF-1.7")))
		err := s.DB().Write(ctx, func(tx *sqldb.Tx) error {
			for range 2 {
				if err := s.PinTx(ctx, tx, digest, 8); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// The same bytes as a mail's body do not unpin them.
		must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, "%PDF-1.7"), []mailcore.Copy{{Account: accounts(t, s, 1)[0].ID}}))
		if n := count(t, s, "blob WHERE pinned"); n != 1 {
			t.Errorf("%d pinned", n)
		}
	})
}

// What Check is for: each kind of damage is found.
func TestCheckFindsDamage(t *testing.T) {
	for _, c := range []struct{ damage, want string }{
		{`UPDATE mailbox SET uid_next = 1`, "not below uid_next"},
		{`UPDATE mailbox_message SET modseq = 99`, "modseq above"},
		{`INSERT INTO vanished (mailbox_id, modseq, uid) SELECT mailbox_id, 1, uid FROM mailbox_message`, "vanished and is there"},
		{`UPDATE blob SET size = size + 1`, "bytes in the store"},
		{`UPDATE blob SET doomed_at = 1`, "doomed"},
		{`UPDATE message SET size = size + 1`, "its size is not"},
		{`UPDATE mailbox_message SET flags = '\seen'`, "stored form"},
		{`UPDATE mailbox SET uid_validity = uid_validity + 5`, "uid_validity"},
		{`UPDATE mailbox SET name = 'x' WHERE name = 'INBOX'`, "no INBOX"},
		{`INSERT INTO outbox (message_id, prefix, sender, rcpt, domain, envid, state, created_at, next_at, expires_at)
			SELECT id, summary, '', 'a@b.test', 'b.test', 'e', 'uncertain', 1, 1, 1 FROM message`, "no attempt says so"},
	} {
		mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
			s := newStore(t, db)
			deliver(t, s, accounts(t, s, 1)[0], "d:1")
			checkStore(t, s)
			if err := db.Write(ctx, func(tx *sqldb.Tx) error { _, err := tx.ExecContext(ctx, c.damage); return err }); err != nil {
				t.Fatal(err)
			}
			found := must[[]string](t)(s.Check(ctx))
			if !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("%s: found %q", c.damage, found)
			}
		})
	}
}

func TestCheckFindsAMissingBlob(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		s := newStore(t, db)
		saved := body(t, s, letter)
		must[[]mailcore.Placed](t)(s.Deliver(ctx, saved, []mailcore.Copy{{Account: accounts(t, s, 1)[0].ID}}))
		if err := s.Blobs().Remove(saved.Digest); err != nil {
			t.Fatal(err)
		}
		if found := must[[]string](t)(s.Check(ctx)); len(found) != 1 || !strings.Contains(found[0], "is not in the store") {
			t.Errorf("found %q", found)
		}
	})
}

// Whatever a header holds, the row of the body can be written, and what cannot be read costs only itself.
func TestUglyMailIsStored(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		ugly := []string{"", "\x00", "\xff\xfe", "no header at all", "Subject: a\x00b\xff\r\nMessage-ID: <\x00\xff@x>\r\n\r\n",
			"Message-ID: <" + strings.Repeat("x", 5000) + ">\r\n\r\n", "Subject: " + strings.Repeat("=?utf-8?b?w7TDtMO0?= ", 5000) + "\r\n\r\n",
			"Date: Mon, 23 Nov 9999999 08:00:00 +0700\r\n\r\n", "To: " + strings.Repeat("a@b.test, ", 20000) + "\r\n\r\n",
			"Content-Type: multipart/mixed; boundary=x\r\n\r\n", "Content-Type: " + strings.Repeat("x", 3000) + "/" + strings.Repeat("y", 3000) + "\r\n\r\n"}
		var uids []mailcore.UID
		for i, text := range ugly {
			placed, err := s.Deliver(ctx, body(t, s, text), []mailcore.Copy{{Account: a.ID}})
			if err != nil {
				t.Fatalf("%.40q: %v", text, err)
			}
			if placed[0].UID != mailcore.UID(i+1) {
				t.Errorf("uid %d", placed[0].UID)
			}
			uids = append(uids, placed[0].UID)
		}
		stored := must[[]mailcore.Stored](t)(s.Load(ctx, box.ID, uids))
		if len(stored) != len(ugly) {
			t.Fatalf("%d stored", len(stored))
		}
		for i, m := range stored {
			if m.BodySize != int64(len(ugly[i])) || m.Summary.Root.HeaderSize+m.Summary.Root.BodySize != m.BodySize {
				t.Errorf("%.40q: %+v", ugly[i], m.Summary.Root)
			}
		}
	})
}
