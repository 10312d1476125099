package mailcore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// forEachSwept is forEachClock from the real time on: files bear that.
func forEachSwept(t *testing.T, fn func(t *testing.T, s *mailcore.Store, c *clock)) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		c.at.Store(time.Now().UnixMicro())
		fn(t, s, c)
	})
}

// pathOf is where the bytes of an odd text lie.
func pathOf(t testing.TB, s *mailcore.Store, digest blob.Digest) string {
	t.Helper()
	f := must[*blob.File](t)(s.Blobs().Open(digest))
	defer f.Close()
	if f.Path() == "" {
		t.Fatalf("%s is no file", digest)
	}
	return f.Path()
}

func wantSweep(t testing.TB, s *mailcore.Store, want mailcore.SweepResult) {
	t.Helper()
	if got := must[mailcore.SweepResult](t)(s.Sweep(ctx)); got != want {
		t.Errorf("swept %+v, want %+v", got, want)
	}
	checkStore(t, s)
}

// text is the nth of some texts: an odd one is so large that its body becomes a file.
func text(n int) string {
	return fmt.Sprintf("Subject: %d\r\nMessage-ID: <%d@kontum.test>\r\n\r\nKính gửi số %d\r\n", n, n, n) +
		strings.Repeat("Nơi nhận: như trên\r\n", n%2*4000)
}

// show delivers the nth text into the account's INBOX.
func show(t testing.TB, s *mailcore.Store, a mailcore.Account, n int) *mailcore.Body {
	t.Helper()
	b := body(t, s, text(n))
	must[[]mailcore.Placed](t)(s.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID}}))
	return b
}

// empty expunges all of a mailbox.
func empty(t testing.TB, s *mailcore.Store, a mailcore.Account, name string) {
	t.Helper()
	box := mailbox(t, s, a, name)
	rows, _, err := s.Rows(ctx, box.ID)
	if err != nil {
		t.Fatal(err)
	}
	var uids []mailcore.UID
	for _, r := range rows {
		uids = append(uids, r.UID)
	}
	must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, uids, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}))
	must[[]mailcore.UID](t)(s.Expunge(ctx, a, box.ID, nil))
}

func has(t testing.TB, s *mailcore.Store, digest blob.Digest) bool {
	t.Helper()
	_, err := s.Blobs().Size(digest)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func write(t testing.TB, s *mailcore.Store, fn func(tx *sqldb.Tx) error) {
	t.Helper()
	if err := s.DB().Write(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func TestSweepTakesOnlyWhatNothingNames(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		made := accounts(t, s, 2)
		pin := func(data string) blob.Digest {
			digest := must[blob.Digest](t)(s.SaveBytes(ctx, []byte(data)))
			write(t, s, func(tx *sqldb.Tx) error { return s.PinTx(ctx, tx, digest, int64(len(data))) })
			return digest
		}
		gone, goneButPinned := show(t, s, made[0], 1), show(t, s, made[0], 2)
		pin(text(2))
		empty(t, s, made[0], "INBOX")
		shown := show(t, s, made[1], 3)
		pinned := pin("văn bản")
		sent := body(t, s, text(4))
		write(t, s, func(tx *sqldb.Tx) error {
			_, err := s.EnqueueTx(ctx, tx, sent, []mailcore.Outgoing{{Rcpt: "x@danang.test"}})
			return err
		})
		stray := body(t, s, text(5)) // nobody came to name it
		half := filepath.Join(pathOf(t, s, stray.Digest), "../../.tmp-half")
		if err := errors.Join(os.WriteFile(half, []byte("half"), 0o600), os.Chtimes(half, time.Time{}, time.Now().Add(-25*time.Hour))); err != nil {
			t.Fatal(err)
		}
		keep := []blob.Digest{goneButPinned.Digest, shown.Digest, pinned, sent.Digest}

		wantSweep(t, s, mailcore.SweepResult{})
		if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a leftover of a crash is still there: %v", err)
		}
		c.advance(23 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{})
		c.advance(2 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Messages: 2, Doomed: 1, Strays: 1})
		c.advance(23 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{})
		if !has(t, s, gone.Digest) || !has(t, s, stray.Digest) {
			t.Error("bytes went before a day was over")
		}
		c.advance(2 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Removed: 2})
		if has(t, s, gone.Digest) || has(t, s, stray.Digest) {
			t.Error("bytes are still there")
		}
		for _, digest := range keep {
			if !has(t, s, digest) {
				t.Errorf("%s is gone", digest)
			}
		}
		if b, m := count(t, s, "blob"), count(t, s, "message"); b != len(keep) || m != 2 {
			t.Errorf("%d blobs and %d messages are left", b, m)
		}
		c.advance(20 * 24 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{})
	})
}

// Whoever stores or names doomed bytes again gets them whole, however far the sweep has come.
func TestDoomedBytesAreRevived(t *testing.T) {
	for name, again := range map[string]func(t *testing.T, s *mailcore.Store, a mailcore.Account, b *mailcore.Body, n int){
		"delivered once more": func(t *testing.T, s *mailcore.Store, a mailcore.Account, b *mailcore.Body, n int) { show(t, s, a, n) },
		"stored, not yet used": func(t *testing.T, s *mailcore.Store, a mailcore.Account, b *mailcore.Body, n int) {
			body(t, s, text(n))
		},
		"named without storing": func(t *testing.T, s *mailcore.Store, a mailcore.Account, b *mailcore.Body, n int) {
			must[[]mailcore.Placed](t)(s.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID}}))
		},
		"pinned": func(t *testing.T, s *mailcore.Store, a mailcore.Account, b *mailcore.Body, n int) {
			write(t, s, func(tx *sqldb.Tx) error { return s.PinTx(ctx, tx, b.Digest, b.Size) })
		},
		"the file went and the commit failed": func(t *testing.T, s *mailcore.Store, a mailcore.Account, b *mailcore.Body, n int) {
			if err := s.Blobs().Remove(b.Digest); err != nil {
				t.Fatal(err)
			}
			show(t, s, a, n)
		},
	} {
		for n, kind := range []string{"small", "large"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
					a := accounts(t, s, 1)[0]
					b := show(t, s, a, n)
					empty(t, s, a, "INBOX")
					c.advance(25 * time.Hour)
					wantSweep(t, s, mailcore.SweepResult{Messages: 1, Doomed: 1})
					c.advance(25 * time.Hour) // due
					again(t, s, a, b, n)
					if kind == "small" && name == "stored, not yet used" { // it is not stored before it is named
						wantSweep(t, s, mailcore.SweepResult{Removed: 1})
						return
					}
					wantSweep(t, s, mailcore.SweepResult{})
					if !has(t, s, b.Digest) {
						t.Error("revived bytes are gone")
					}
				})
			})
		}
	}
}

// A file without a row that is as old as can be is not what a new mail with the same bytes may rest on.
func TestStrayFileIsHeldByWhoeverStoresItAgain(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		a := accounts(t, s, 1)[0]
		body(t, s, text(1))
		c.advance(48 * time.Hour)
		b := body(t, s, text(1))
		wantSweep(t, s, mailcore.SweepResult{})
		c.advance(25 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Doomed: 1})
		must[[]mailcore.Placed](t)(s.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID}}))
		c.advance(25 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{})
	})
}

func TestBlobThatCannotBeRemovedKeepsNoOther(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		a := accounts(t, s, 1)[0]
		var bodies []*mailcore.Body
		for n := range 4 {
			bodies = append(bodies, show(t, s, a, n))
		}
		empty(t, s, a, "INBOX")
		c.advance(25 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Messages: 4, Doomed: 4})
		bad := string(bodies[1].Digest)
		path := pathOf(t, s, bodies[1].Digest)
		if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700)); err != nil {
			t.Fatal(err)
		}
		c.advance(25 * time.Hour)
		r, err := s.Sweep(ctx)
		if err == nil || !strings.Contains(err.Error(), bad) || r != (mailcore.SweepResult{Removed: 3}) {
			t.Errorf("swept %+v, %v", r, err)
		}
		if n := count(t, s, "blob"); n != 1 {
			t.Errorf("%d rows left", n)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		wantSweep(t, s, mailcore.SweepResult{Removed: 1})
	})
}

func TestSweepTrimsOldWordOfExpungesAndEvents(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		const n = 450 // more than two transactions take
		b := body(t, s, letter)
		var copies []mailcore.Copy
		for i := range n {
			copies = append(copies, mailcore.Copy{Account: a.ID, Ref: fmt.Sprint("d:", i), Arrived: &mailcore.Arrival{}})
		}
		must[[]mailcore.Placed](t)(s.Deliver(ctx, b, copies))
		if err := s.NoteFetched(ctx, a, box.ID, []mailcore.UID{1, 2}, false); err != nil {
			t.Fatal(err)
		}
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsAdd, []string{mailcore.FlagSeen}))
		if got := events(t, s); len(got) != n+3 { // arrived; downloaded twice, opened once
			t.Fatalf("%d events", len(got))
		}
		c.advance(2 * 24 * time.Hour)
		var uids []mailcore.UID
		for i := range n - 2 {
			uids = append(uids, mailcore.UID(i+3))
		}
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, uids, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}))
		must[[]mailcore.UID](t)(s.Expunge(ctx, a, box.ID, nil)) // n-2 events "deleted", which nobody handles
		c.advance(29 * 24 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{})
		if _, vanished, _, err := s.Changes(ctx, box.ID, box.ModSeq+1); err != nil || len(vanished) != n-2 {
			t.Errorf("%d vanished, %v", len(vanished), err)
		}
		c.advance(2 * 24 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Vanished: n - 2})
		c.advance(60 * 24 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Events: n})
		pending := must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10000))
		if left := count(t, s, "mail_event"); left != n+1 || len(pending) != n-2 {
			t.Errorf("%d events left, %d of them pending", left, len(pending))
		}
		// What was told once is not told again.
		if err := s.NoteFetched(ctx, a, box.ID, []mailcore.UID{1, 2}, false); err != nil {
			t.Fatal(err)
		}
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsSet, nil))
		must[mailcore.FlagChange](t)(s.ChangeFlags(ctx, a, box.ID, []mailcore.UID{1}, mailcore.FlagsAdd, []string{mailcore.FlagSeen}))
		if left := count(t, s, "mail_event"); left != n+1 {
			t.Errorf("%d events after looking again", left)
		}
	})
}

// A sweep of more blobs than one look takes in misses none.
func TestSweepGoesThroughAllWindows(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		const n = 12000
		write(t, s, func(tx *sqldb.Tx) error {
			rows := make([][]any, n)
			for i := range rows {
				rows[i] = []any{blob.Of(fmt.Append(nil, i)), 1, tx.Now.UnixMicro(), i%2 == 0}
			}
			return tx.InsertRows(ctx, `INSERT INTO blob (digest, size, touched_at, pinned)`, rows, "")
		})
		c.advance(25 * time.Hour)
		if r := must[mailcore.SweepResult](t)(s.Sweep(ctx)); r != (mailcore.SweepResult{Doomed: n / 2}) {
			t.Errorf("swept %+v", r)
		}
		write(t, s, func(tx *sqldb.Tx) error { _, err := tx.ExecContext(ctx, `DELETE FROM blob`); return err })
	})
}

func TestSweepEverySweepsUntilItsContextEnds(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		a := accounts(t, s, 1)[0]
		b := show(t, s, a, 1)
		empty(t, s, a, "INBOX")
		c.advance(25 * time.Hour)
		running, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		ended := make(chan error)
		go func() { ended <- s.SweepEvery(running, 5*time.Millisecond) }()
		for forward := true; has(t, s, b.Digest) && running.Err() == nil; time.Sleep(time.Millisecond) {
			var doomed int
			err := s.DB().Read(ctx, func(tx *sqldb.Tx) error {
				return tx.GetContext(ctx, &doomed, `SELECT COUNT(*) FROM blob WHERE doomed_at IS NOT NULL`)
			})
			if err != nil {
				t.Fatal(err)
			}
			if doomed > 0 && forward {
				c.advance(25 * time.Hour)
				forward = false
			}
		}
		if running.Err() != nil {
			t.Error("the bytes are still there")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Mail comes and goes while two nodes sweep what is due just now: every text is doomed in one round and stored again in the
// same or the next, when its removal is due. Nothing that is named is ever lost.
func TestNothingNamedIsLostWhileItIsSwept(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		const workers, texts, rounds = 6, 24, 8
		made := accounts(t, s, workers)
		var total mailcore.SweepResult
		for round := range rounds {
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := range texts {
						if n := (i + 5*w) % texts; n%2 == 0 || round%2 == 0 {
							comeAndGo(t, s, made[w], n)
						}
					}
				})
			}
			swept := make([]mailcore.SweepResult, 2)
			for i := range swept {
				wg.Go(func() {
					r, err := s.Sweep(ctx)
					if err != nil {
						t.Error(err)
					}
					swept[i] = r
				})
			}
			wg.Wait()
			for _, r := range swept {
				total.Messages, total.Doomed, total.Removed = total.Messages+r.Messages, total.Doomed+r.Doomed, total.Removed+r.Removed
			}
			checkStore(t, s)
			for _, a := range made {
				empty(t, s, a, "INBOX")
				empty(t, s, a, "Thùng rác")
			}
			if t.Failed() {
				t.Fatalf("round %d", round)
			}
			c.advance(25 * time.Hour)
		}
		if total.Messages == 0 || total.Doomed == 0 || total.Removed == 0 {
			t.Errorf("there was nothing to lose: %+v", total)
		}
		t.Logf("swept %+v", total)
	})
}

// comeAndGo delivers a text, reads it, moves it, and at times expunges it.
func comeAndGo(t *testing.T, s *mailcore.Store, a mailcore.Account, n int) {
	from, to := inbox(t, s, a), mailbox(t, s, a, "Thùng rác")
	b, err := s.SaveBody(ctx, strings.NewReader(text(n)), 0)
	if err != nil {
		t.Error(err)
		return
	}
	placed, err := s.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID}})
	if err != nil {
		t.Error(err)
		return
	}
	uid := []mailcore.UID{placed[0].UID}
	if !has(t, s, b.Digest) {
		t.Errorf("the bytes of text %d are gone", n)
	}
	if _, err := s.MoveMessages(ctx, a, from.ID, uid, to.ID); err != nil {
		t.Error(err)
	}
	if n%3 == 0 {
		_, err := s.ChangeFlags(ctx, a, to.ID, []mailcore.UID{uid[0]}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted})
		_, errExpunge := s.Expunge(ctx, a, to.ID, nil)
		if err := errors.Join(err, errExpunge); err != nil {
			t.Error(err)
		}
	}
}
