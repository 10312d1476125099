package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"

	"github.com/emersion/go-message/mail"
)

// Events about reminders. Those of the bells stand in a chain of the gateway for each half-day.
const (
	EventDigest    = "digest"      // a unit got the letter of a half-day
	EventEscalated = "escalated"   // deputy and head were told of a unit's unopened copies
	EventWarned    = "warned"      // of a copy: its deadline comes near, or an urgent one went up the ladder
	EventListed    = "call_listed" // of a copy: the issuing unit shall call its recipient
	EventCalled    = "called"      // of a copy: it did
)

// topicDuty wakes whoever tends the clock.
const topicDuty = "duty"

// dutyRef begins the ref of a reminder in a mailbox: opening one shows that the unit looks after its mail.
const dutyRef = "duty:"

// How the clock is tended.
const (
	bellLease   = time.Minute      // of a bell that a node rings
	beatEvery   = 30 * time.Second // the gateway notes that it runs
	beatMissing = 2 * time.Minute  // from then on it did not run
	visitsEvery = time.Minute      // visits to mailboxes are taken over
	alarmGrace  = 2 * time.Minute  // after a half-day in which its last alarms are told
)

// tended is what a node remembers of its own looks at the clock; a row decides wherever it matters.
type tended struct {
	sync.Mutex
	beat, visits time.Time
}

// due reports whether a thing that is done every so often is to be done now.
func (t *tended) due(last *time.Time, now time.Time, every time.Duration) (since time.Time, ok bool) {
	t.Lock()
	defer t.Unlock()
	if since = *last; !since.IsZero() && now.Sub(since) < every {
		return since, false
	}
	*last = now
	return since, true
}

// runClock tends the clock until ctx ends.
func (s *Store) runClock(ctx context.Context) {
	wake, end := s.db.Listen(topicDuty)
	defer end()
	for {
		if err := s.Tend(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("bells and reminders", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-time.After(pollMail):
		}
	}
}

// Tend does what the clock asks for: notes that the gateway runs, reckons deadlines again after a change of the calendar, notes
// who looked after its mail, rings the bell of a half-day once, and takes urgent copies up the ladder. Run calls it all the
// time, on every node; what one has done another does not repeat.
func (s *Store) Tend(ctx context.Context) error {
	now := s.db.Now()
	var errs []error
	if _, ok := s.clock.due(&s.clock.beat, now, beatEvery); ok {
		errs = append(errs, s.beat(ctx))
	}
	if _, err := s.Reckon(ctx); err != nil {
		errs = append(errs, err)
	}
	if last, ok := s.clock.due(&s.clock.visits, now, visitsEvery); ok {
		if last.IsZero() {
			last = now.Add(-12 * time.Hour)
		}
		errs = append(errs, s.noteVisits(ctx, last.Add(-visitsEvery)))
	}
	cal, err := s.Calendar(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	if h, ok := cal.At(now); ok {
		errs = append(errs, s.ring(ctx, cal, h), s.climb(ctx, cal, h))
	} else if h, ok := cal.At(now.Add(-alarmGrace)); ok { // what ends just as a half-day closes is told as it closes
		errs = append(errs, s.climb(ctx, cal, h))
	}
	return errors.Join(errs...)
}

// A ringing is the bell of one half-day.
type ringing struct {
	worktime.HalfDay
	cal   *worktime.Calendar
	dir   *recipients.Directory
	now   time.Time
	bells []int64 // when the latest bells were rung, this one first
}

// halfChain is the gateway's chain of events for a half-day, below those of documents.
func halfChain(h worktime.HalfDay) int64 { return h.Number() }

// ring tells each unit once in a half-day what it has to know. A node that dies leaves the rest to the next that looks.
func (s *Store) ring(ctx context.Context, cal *worktime.Calendar, h worktime.HalfDay) error {
	mine, err := s.holdBell(ctx, h)
	if err != nil || !mine {
		return err
	}
	r := &ringing{HalfDay: h, cal: cal, now: s.db.Now()}
	if r.dir, err = s.Directory(ctx, ""); err != nil {
		return err
	}
	var owners []string
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &r.bells, `SELECT at FROM bell ORDER BY at DESC LIMIT 8`)
	})
	if err != nil {
		return fmt.Errorf("bell of %s %s: %w", h.Day, h.Half, err)
	}
	if err := s.listCalls(ctx, r); err != nil {
		return err
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &owners, `SELECT owner FROM dispatch WHERE deadline > 0 GROUP BY owner
			UNION SELECT agency FROM call_item WHERE NOT reached ORDER BY 1`)
	})
	if err != nil {
		return fmt.Errorf("bell of %s %s: %w", h.Day, h.Half, err)
	}
	var errs []error
	held := r.now
	for _, unit := range owners {
		if s.db.Now().Sub(held) > bellLease/3 {
			held = s.db.Now()
			if err := s.extendBell(ctx, h); err != nil {
				return err
			}
		}
		if err := s.tellUnit(ctx, r, recipients.UnitCode(unit)); err != nil {
			errs = append(errs, fmt.Errorf("bell of %s %s for %s: %w", h.Day, h.Half, unit, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // the rest was told; these are tried again when the lease ends
	}
	s.Log.Info("bell rung", "day", h.Day, "half", h.Half, "units", len(owners))
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE bell SET done_at = $1 WHERE day = $2 AND half = $3`, tx.Now.UnixMicro(), h.Day, h.Half)
		return err
	})
}

// holdBell takes the bell of a half-day for this node, unless it was rung or another node holds it.
func (s *Store) holdBell(ctx context.Context, h worktime.HalfDay) (mine bool, err error) {
	var rung []int64
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rung, `SELECT at FROM bell WHERE day = $1 AND half = $2 AND (done_at > 0 OR lease_until >= $3)`, h.Day, h.Half, tx.Now.UnixMicro())
	})
	if err != nil || len(rung) > 0 {
		return false, err
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO bell (day, half, at) VALUES ($1, $2, $3) ON CONFLICT (day, half) DO NOTHING`, h.Day, h.Half, tx.Now.UnixMicro())
		if err != nil {
			return err
		}
		mine, err = tx.ExecOne(ctx, `UPDATE bell SET lease_until = $1 WHERE day = $2 AND half = $3 AND done_at = 0 AND lease_until < $4`,
			tx.Now.Add(bellLease).UnixMicro(), h.Day, h.Half, tx.Now.UnixMicro())
		return err
	})
	return mine, err
}

func (s *Store) extendBell(ctx context.Context, h worktime.HalfDay) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE bell SET lease_until = $1 WHERE day = $2 AND half = $3`, tx.Now.Add(bellLease).UnixMicro(), h.Day, h.Half)
		return err
	})
}

// heard is how many bells were rung while a copy lay there since a time. Half-days in which the gateway did not run rang none.
func (r *ringing) heard(since int64) (n int) {
	for _, at := range r.bells {
		if at > since {
			n++
		}
	}
	return n
}

// A reminder is a letter that somebody gets once.
type reminder struct {
	Name    string   `json:"name"` // the same name is the same reminder
	Kind    string   `json:"-"`    // of its event
	Unit    string   `json:"unit"` // whose duty it is about
	Told    []string `json:"told"` // addresses of mailboxes here that got it
	Subject string   `json:"subject,omitempty"`

	half worktime.HalfDay
	text string
}

// remind delivers a reminder, unless it was told before. Its row, its event and the letter stand in one transaction; more is
// what else belongs into it, and may write the event into another chain than the half-day's.
func (s *Store) remind(ctx context.Context, m *reminder, more func(context.Context, *sqldb.Tx) (*Event, error)) (told bool, err error) {
	if known, err := s.reminded(ctx, m.Name); err != nil || known {
		return false, err
	}
	var copies []mailcore.Copy
	once := map[string]bool{"": true}
	m.Told = slices.DeleteFunc(slices.Clone(m.Told), func(address string) bool {
		if once[address] {
			return true
		}
		once[address] = true
		account, e := s.Mail.Account(ctx, mailcore.Address(address))
		switch {
		case e == nil:
			copies = append(copies, mailcore.Copy{Account: account.ID, Prefix: []byte("Return-Path: <>\r\n"), Ref: dutyRef + m.Name})
		case !errors.Is(e, mailcore.ErrNoAccount):
			err = errors.Join(err, e)
		}
		return e != nil
	})
	if err != nil {
		return false, err
	}
	var body *mailcore.Body
	if len(copies) > 0 {
		l := &letter{from: mail.Address{Name: "Công Văn", Address: ReplyMailbox + "@" + s.Domain}, to: m.Told[0], subject: m.Subject, text: m.text,
			id: newSecret() + "@" + s.Domain, date: s.db.Now(), automatic: true}
		if len(m.Told) > 1 {
			l.to = "Cấp trưởng, cấp phó"
		}
		if body, err = s.saveLetter(ctx, l); err != nil {
			return false, err
		}
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		told, err = s.remindTx(ctx, tx, m, body, copies, more)
		return err
	})
	if sqldb.IsUnique(err) || errors.Is(err, ErrStale) { // another node was there at the same moment; the next look comes soon
		return false, errLookAgain
	}
	return told, err
}

// errLookAgain ends an attempt that another node crossed.
var errLookAgain = errors.New("another node was there at the same moment")

func (s *Store) remindTx(ctx context.Context, tx *sqldb.Tx, m *reminder, body *mailcore.Body, copies []mailcore.Copy, more func(context.Context, *sqldb.Tx) (*Event, error)) (bool, error) {
	var known []string
	if err := tx.SelectContext(ctx, &known, `SELECT name FROM reminder WHERE name = $1`, m.Name); err != nil || len(known) > 0 {
		return false, err
	}
	var e *Event
	if more != nil {
		var err error
		if e, err = more(ctx, tx); err != nil {
			return false, err
		}
	}
	if e == nil {
		written, err := recordChain(ctx, tx, halfChain(m.half), m.Kind, Gateway, m)
		if err != nil {
			return false, err
		}
		e = &written
	}
	if body != nil {
		if _, err := s.Mail.DeliverTx(ctx, tx, body, copies); err != nil {
			return false, err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO reminder (name, kind, unit, day, half, told, at, chain, ordinal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		m.Name, m.Kind, m.Unit, m.half.Day, m.half.Half, strings.Join(m.Told, " "), tx.Now.UnixMicro(), e.Chain, e.Ordinal)
	return err == nil, err
}

func (s *Store) reminded(ctx context.Context, name string) (bool, error) {
	var known []string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &known, `SELECT name FROM reminder WHERE name = $1`, name)
	})
	return len(known) > 0, err
}

// handleDutyMail acts on what happens to a reminder in a mailbox: who opens one looks after the mail.
func (s *Store) handleDutyMail(ctx context.Context, ev mailcore.Event) error {
	if ev.Kind != mailcore.EventOpened {
		return s.finish(ctx, ev, nil)
	}
	account, err := s.Mail.AccountByID(ctx, ev.Account)
	if err != nil {
		return err
	}
	units, err := s.unitsByAddress(ctx)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if ok, err := s.Mail.HandledTx(ctx, tx, ev.ID); err != nil || !ok {
			return err
		}
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		for _, unit := range units[account.Address] {
			if err := noteCheck(ctx, tx, cal, unit, CheckedOpened, ev.At, Actor{Address: ev.Actor, Delegation: ev.Delegation}.String()); err != nil {
				return err
			}
		}
		return nil
	})
}
