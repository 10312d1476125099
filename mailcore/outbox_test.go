package mailcore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
)

// A clock is moved by the test.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(d.Microseconds()) }

// forEachClock is forEach with a clock.
func forEachClock(t *testing.T, fn func(t *testing.T, s *mailcore.Store, c *clock)) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
			if name == "postgres" {
				dsn = mailtest.NewPostgres(t)
			}
			c := newClock()
			db := must[*sqldb.DB](t)(sqldb.Open(ctx, dsn, sqldb.Options{Now: c.now, Logger: mailtest.Quiet}))
			t.Cleanup(func() { db.Close() })
			if err := db.Migrate(ctx, migrations.Files); err != nil {
				t.Fatal(err)
			}
			s := newStore(t, db)
			fn(t, s, c)
			checkStore(t, s)
		})
	}
}

func enqueue(t testing.TB, s *mailcore.Store, out ...mailcore.Outgoing) []mailcore.OutboxID {
	t.Helper()
	saved := body(t, s, letter)
	var ids []mailcore.OutboxID
	err := s.DB().Write(ctx, func(tx *sqldb.Tx) (err error) {
		ids, err = s.EnqueueTx(ctx, tx, saved, out)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func outgoing(i int) mailcore.Outgoing {
	return mailcore.Outgoing{Sender: "vanthu@kontum.test", Rcpt: mailcore.Address(fmt.Sprintf("r%d@bo.test", i)), Ref: fmt.Sprint("d:", i)}
}

func claimAll(t testing.TB, s *mailcore.Store) []mailcore.Job {
	t.Helper()
	return must[[]mailcore.Job](t)(s.ClaimOutbox(ctx, 100, time.Minute))
}

// begin claims the one row that is due and begins an attempt.
func begin(t testing.TB, s *mailcore.Store) (mailcore.Job, int64) {
	t.Helper()
	jobs := claimAll(t, s)
	if len(jobs) != 1 {
		t.Fatalf("%d jobs", len(jobs))
	}
	return jobs[0], must[int64](t)(s.BeginAttempt(ctx, jobs[0].ID, "mx.bo.test"))
}

func stateOf(t testing.TB, s *mailcore.Store, id mailcore.OutboxID) string {
	t.Helper()
	var state string
	err := s.DB().Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &state, `SELECT state FROM outbox WHERE id = $1`, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// txErr runs one step that joins a transaction.
func txErr(s *mailcore.Store, fn func(tx *sqldb.Tx) error) error { return s.DB().Write(ctx, fn) }

func TestEnqueueGivesIDsInOrderAndKeepsWhatItWasTold(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		var out []mailcore.Outgoing
		for i := range 900 {
			out = append(out, outgoing(i))
		}
		out[1].EnvID, out[1].Prefix, out[1].Life, out[1].Urgency = "env-1", []byte("X: y\r\n"), time.Hour, 9
		ids := enqueue(t, s, out...)
		if len(ids) != len(out) || !slices.IsSorted(ids) {
			t.Fatalf("%d ids", len(ids))
		}
		if n := count(t, s, "message"); n != 1 {
			t.Errorf("%d message rows", n)
		}
		job := must[[]mailcore.Job](t)(s.ClaimOutbox(ctx, 1, time.Minute))[0]
		want := mailcore.Job{ID: ids[1], Message: job.Message, Digest: body(t, s, letter).Digest, BodySize: int64(len(letter)), Prefix: []byte("X: y\r\n"),
			Sender: "vanthu@kontum.test", Rcpt: "r1@bo.test", EnvID: "env-1", Urgency: 3, Ref: "d:1", Tries: 1, CreatedAt: c.now(), ExpiresAt: c.now().Add(time.Hour)}
		if fmt.Sprintf("%+v", job) != fmt.Sprintf("%+v", want) {
			t.Errorf("got  %+v\nwant %+v", job, want)
		}
		seen := map[string]bool{}
		for {
			jobs := claimAll(t, s)
			if len(jobs) == 0 {
				break
			}
			for _, j := range jobs {
				var i int
				if _, err := fmt.Sscanf(string(j.Rcpt), "r%d@bo.test", &i); err != nil || j.ID != ids[i] || j.Ref != out[i].Ref || j.EnvID == "" || seen[j.EnvID] {
					t.Errorf("job %+v", j)
				}
				seen[j.EnvID] = true
			}
		}
		if len(seen) != len(out)-1 {
			t.Errorf("%d claimed", len(seen))
		}
	})
}

func TestEnqueueRefusesAnAddressWithoutADomain(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		saved := body(t, s, letter)
		err := txErr(s, func(tx *sqldb.Tx) error {
			_, err := s.EnqueueTx(ctx, tx, saved, []mailcore.Outgoing{outgoing(1), {Rcpt: "x"}})
			return err
		})
		var bad *mailcore.AddressError
		if !errors.As(err, &bad) || count(t, s, "outbox") != 0 {
			t.Errorf("got %v, %d rows", err, count(t, s, "outbox"))
		}
	})
}

func TestUrgentRowsAreClaimedFirst(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		for i, urgency := range []int{0, 2, 0, 3} {
			o := outgoing(i)
			o.Urgency = urgency
			enqueue(t, s, o)
			c.advance(time.Second)
		}
		var got []mailcore.Address
		for range 2 {
			for _, j := range must[[]mailcore.Job](t)(s.ClaimOutbox(ctx, 2, time.Minute)) {
				got = append(got, j.Rcpt)
			}
		}
		if !slices.Equal(got, []mailcore.Address{"r3@bo.test", "r1@bo.test", "r0@bo.test", "r2@bo.test"}) {
			t.Errorf("order %v", got)
		}
	})
}

func TestNoRowIsClaimedTwice(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		var out []mailcore.Outgoing
		for i := range 300 {
			out = append(out, outgoing(i))
		}
		enqueue(t, s, out...)
		var mu sync.Mutex
		claimed := map[mailcore.OutboxID]int{}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for empty := 0; empty < 3; {
					jobs, err := s.ClaimOutbox(ctx, 7, time.Hour)
					if err != nil {
						t.Error(err)
						return
					}
					if len(jobs) == 0 {
						empty++
					}
					mu.Lock()
					for _, j := range jobs {
						claimed[j.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, n := range claimed {
			if n != 1 {
				t.Errorf("row %d was claimed %d times", id, n)
			}
		}
		for _, j := range must[[]mailcore.Job](t)(s.ClaimOutbox(ctx, 300, time.Hour)) { // rounds that lost every race
			claimed[j.ID]++
		}
		if len(claimed) != len(out) {
			t.Errorf("%d of %d claimed", len(claimed), len(out))
		}
	})
}

func TestOutcomesMoveTheRowAndTellIt(t *testing.T) {
	for outcome, want := range map[string]struct{ state, event string }{
		mailcore.AttemptSent:      {mailcore.OutboxSent, mailcore.EventRelayed},
		mailcore.AttemptLater:     {mailcore.OutboxQueued, mailcore.EventLater},
		mailcore.AttemptFailed:    {mailcore.OutboxFailed, mailcore.EventFailed},
		mailcore.AttemptUncertain: {mailcore.OutboxUncertain, mailcore.EventUncertain},
	} {
		t.Run(outcome, func(t *testing.T) {
			forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
				enqueue(t, s, outgoing(1))
				job, attempt := begin(t, s)
				err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: outcome, Host: "mx2.bo.test", Phase: "data", Code: 451, Enhanced: "4.3.0",
					Dialogue: "451 4.3.0 bận\xff\x00", NextAt: c.now().Add(time.Hour)})
				if err != nil {
					t.Fatal(err)
				}
				if got := stateOf(t, s, job.ID); got != want.state {
					t.Errorf("state %s", got)
				}
				pending := must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10))
				if len(pending) != 1 || pending[0].Kind != want.event || pending[0].Ref != "d:1" || pending[0].Message != job.Message {
					t.Fatalf("events %+v", pending)
				}
				var d mailcore.OutboxDetail
				if err := json.Unmarshal([]byte(pending[0].Detail), &d); err != nil {
					t.Fatal(err)
				}
				if d != (mailcore.OutboxDetail{Outbox: job.ID, Rcpt: "r1@bo.test", Host: "mx2.bo.test", Code: 451, Enhanced: "4.3.0", Text: "451 4.3.0 bận\uFFFD"}) {
					t.Errorf("detail %+v", d)
				}
				if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptLater}); !errors.Is(err, mailcore.ErrStale) {
					t.Errorf("finished twice: %v", err)
				}
				due, any, err := s.NextDue(ctx)
				if err != nil || any != (outcome == mailcore.AttemptLater) || any && !due.Equal(c.now().Add(time.Hour)) {
					t.Errorf("next due %v %v %v", due, any, err)
				}
				if jobs := claimAll(t, s); len(jobs) != 0 {
					t.Errorf("claimed before its time: %+v", jobs)
				}
				c.advance(time.Hour)
				if jobs := claimAll(t, s); len(jobs) != map[bool]int{true: 1}[any] || any && (jobs[0].Tries != 2 || jobs[0].EnvID != job.EnvID) {
					t.Errorf("claimed after its time: %+v", jobs)
				}
			})
		})
	}
}

func TestOutcomeThatIsNone(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		enqueue(t, s, outgoing(1))
		job, attempt := begin(t, s)
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: "done"}); err == nil || errors.Is(err, mailcore.ErrStale) {
			t.Errorf("got %v", err)
		}
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptSent}); err != nil {
			t.Error(err)
		}
	})
}

func TestDeathBeforeTheDotQueuesAgain(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		enqueue(t, s, outgoing(1))
		job, attempt := begin(t, s)
		if due, any, err := s.NextDue(ctx); err != nil || !any || !due.Equal(c.now().Add(time.Minute)) {
			t.Errorf("next due %v %v %v", due, any, err)
		}
		c.advance(2 * time.Minute)
		again, _ := begin(t, s)
		if again.ID != job.ID || again.EnvID != job.EnvID || again.Tries != 2 {
			t.Errorf("claimed %+v", again)
		}
		// The late worker finds out before its dot leaves.
		if err := s.MarkDot(ctx, attempt); !errors.Is(err, mailcore.ErrStale) {
			t.Errorf("mark: %v", err)
		}
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptSent}); !errors.Is(err, mailcore.ErrStale) {
			t.Errorf("finish: %v", err)
		}
		if got := events(t, s); len(got) != 0 {
			t.Errorf("events %q", got)
		}
	})
}

func TestDeathPastTheDotIsUncertainAndNotSentAgain(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		enqueue(t, s, outgoing(1))
		job, attempt := begin(t, s)
		if err := s.MarkDot(ctx, attempt); err != nil {
			t.Fatal(err)
		}
		c.advance(2 * time.Minute)
		if jobs := claimAll(t, s); len(jobs) != 0 {
			t.Fatalf("claimed again: %+v", jobs)
		}
		if got := stateOf(t, s, job.ID); got != mailcore.OutboxUncertain {
			t.Errorf("state %s", got)
		}
		if got := events(t, s); len(got) != 1 || !strings.HasPrefix(got[0], "uncertain d:1") {
			t.Errorf("events %q", got)
		}
		c.advance(1000 * time.Hour)
		if jobs := claimAll(t, s); len(jobs) != 0 {
			t.Errorf("one with a ref is for the room above: %+v", jobs)
		}
		// A worker that was only slow may still say how it ended.
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptLater}); !errors.Is(err, mailcore.ErrStale) {
			t.Errorf("later: %v", err)
		}
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptSent, Phase: "done", Code: 250}); err != nil {
			t.Fatal(err)
		}
		if got := stateOf(t, s, job.ID); got != mailcore.OutboxSent {
			t.Errorf("state %s", got)
		}
		if got := events(t, s); len(got) != 1 || !strings.HasPrefix(got[0], "relayed d:1") {
			t.Errorf("events %q", got)
		}
	})
}

func TestUncertainMailWithoutARefIsTriedAgainAfterItsTime(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		o := outgoing(1)
		o.Ref = ""
		enqueue(t, s, o)
		job, attempt := begin(t, s)
		err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptUncertain, NextAt: c.now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if jobs := claimAll(t, s); len(jobs) != 0 {
			t.Errorf("sent again blindly: %+v", jobs)
		}
		if due, any, err := s.NextDue(ctx); err != nil || !any || !due.Equal(c.now().Add(time.Hour)) {
			t.Errorf("next due %v %v %v", due, any, err)
		}
		c.advance(time.Hour)
		if jobs := claimAll(t, s); len(jobs) != 1 || jobs[0].EnvID != job.EnvID {
			t.Errorf("claimed %+v", jobs)
		}
	})
}

func TestLeaseCanBeRenewedWhileItLasts(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		enqueue(t, s, outgoing(1))
		job, attempt := begin(t, s)
		for range 3 {
			c.advance(50 * time.Second)
			if err := s.RenewLease(ctx, job.ID, time.Minute); err != nil {
				t.Fatal(err)
			}
			if jobs := claimAll(t, s); len(jobs) != 0 {
				t.Fatalf("claimed: %+v", jobs)
			}
		}
		c.advance(61 * time.Second)
		for what, err := range map[string]error{
			"renew": s.RenewLease(ctx, job.ID, time.Minute), "mark": s.MarkDot(ctx, attempt),
			"begin":           func() error { _, err := s.BeginAttempt(ctx, job.ID, ""); return err }(),
			"mark of nothing": s.MarkDot(ctx, 999), "finish of nothing": s.FinishAttempt(ctx, 999, 999, mailcore.Outcome{State: mailcore.AttemptSent}),
		} {
			if !errors.Is(err, mailcore.ErrStale) {
				t.Errorf("%s: %v", what, err)
			}
		}
		// Nobody has claimed it since: the answer still counts.
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptSent}); err != nil {
			t.Error(err)
		}
	})
}

// Every step of the room above is tried from every state against what it may do.
func TestMovesOfTheRoomAbove(t *testing.T) {
	allowed := map[string]string{ // step from state → state
		"requeue uncertain": "queued", "requeue failed": "queued", "cancel queued": "cancelled",
		"sent uncertain": "sent", "sent failed": "sent", "sent queued": "sent", "failed uncertain": "failed", "failed sent": "failed",
	}
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		steps := map[string]func(tx *sqldb.Tx, id mailcore.OutboxID) error{
			"requeue": func(tx *sqldb.Tx, id mailcore.OutboxID) error { return s.RequeueTx(ctx, tx, id) },
			"cancel":  func(tx *sqldb.Tx, id mailcore.OutboxID) error { return s.CancelTx(ctx, tx, id) },
			"sent":    func(tx *sqldb.Tx, id mailcore.OutboxID) error { return s.SettleTx(ctx, tx, id, mailcore.OutboxSent) },
			"failed":  func(tx *sqldb.Tx, id mailcore.OutboxID) error { return s.SettleTx(ctx, tx, id, mailcore.OutboxFailed) },
		}
		for _, from := range []string{"queued", "sending", "sent", "failed", "uncertain", "cancelled"} {
			for _, name := range slices.Sorted(maps.Keys(steps)) {
				id := inState(t, s, from)
				err := txErr(s, func(tx *sqldb.Tx) error { return steps[name](tx, id) })
				want, ok := allowed[name+" "+from]
				if !ok {
					want = from
				}
				if got := stateOf(t, s, id); got != want || ok != (err == nil) || !ok && !errors.Is(err, mailcore.ErrStale) {
					t.Errorf("%s from %s: state %s, %v", name, from, got, err)
				}
				retire(t, s, id)
			}
		}
		if err := txErr(s, func(tx *sqldb.Tx) error { return s.SettleTx(ctx, tx, 1, "queued") }); err == nil || errors.Is(err, mailcore.ErrStale) {
			t.Errorf("settle to queued: %v", err)
		}
		if err := txErr(s, func(tx *sqldb.Tx) error { return s.SettleTx(ctx, tx, 9999, "sent") }); !errors.Is(err, mailcore.ErrStale) {
			t.Errorf("settle of nothing: %v", err)
		}
	})
}

// inState makes a row in a state by the steps that lead there.
func inState(t *testing.T, s *mailcore.Store, state string) mailcore.OutboxID {
	t.Helper()
	id := enqueue(t, s, outgoing(1))[0]
	switch state {
	case "queued":
	case "cancelled":
		if err := txErr(s, func(tx *sqldb.Tx) error { return s.CancelTx(ctx, tx, id) }); err != nil {
			t.Fatal(err)
		}
	default:
		_, attempt := begin(t, s)
		if state != "sending" {
			if err := s.FinishAttempt(ctx, id, attempt, mailcore.Outcome{State: state}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return id
}

// retire makes sure that no later claim finds the row.
func retire(t *testing.T, s *mailcore.Store, id mailcore.OutboxID) {
	t.Helper()
	err := txErr(s, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'cancelled', lease_until = 0 WHERE id = $1`, id)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE attempt SET outcome = 'later' WHERE outbox_id = $1 AND outcome = ''`, id)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRequeueGivesAnExpiredRowANewLife(t *testing.T) {
	forEachClock(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		o := outgoing(1)
		o.Life = time.Hour
		enqueue(t, s, o)
		c.advance(2 * time.Hour)
		job, attempt := begin(t, s)
		if err := s.FinishAttempt(ctx, job.ID, attempt, mailcore.Outcome{State: mailcore.AttemptFailed}); err != nil {
			t.Fatal(err)
		}
		if err := txErr(s, func(tx *sqldb.Tx) error { return s.RequeueTx(ctx, tx, job.ID) }); err != nil {
			t.Fatal(err)
		}
		again := claimAll(t, s)
		if len(again) != 1 || !again[0].ExpiresAt.Equal(c.now().Add(time.Hour)) || again[0].EnvID != job.EnvID {
			t.Errorf("claimed %+v", again)
		}
	})
}

func TestEmptyOutbox(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		if _, any, err := s.NextDue(ctx); any || err != nil {
			t.Errorf("next due: %v %v", any, err)
		}
		if jobs := claimAll(t, s); len(jobs) != 0 {
			t.Errorf("claimed %+v", jobs)
		}
		if ids := enqueue(t, s); len(ids) != 0 {
			t.Errorf("ids %v", ids)
		}
	})
}

func TestEnqueueWakesTheQueue(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		c, end := s.DB().Listen(mailcore.TopicOutbox)
		defer end()
		enqueue(t, s, outgoing(1))
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Error("not woken")
		}
	})
}
