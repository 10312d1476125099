package exchange

import (
	"context"
	"fmt"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// How a unit looked after its mail in a half-day (QĐ 22/2009 Điều 11), the strongest first.
const (
	CheckedOpened  = "opened"  // opened a copy
	CheckedActed   = "acted"   // did something about one
	CheckedConsole = "console" // looked at its inbox in the console
	CheckedLooked  = "looked"  // weak: a mail client selected an inbox that held nothing new
)

// early is how long before a half-day begins a look counts for it.
const early = time.Hour

// A Check is that a unit looked after its mail in a half-day.
type Check struct {
	Unit  recipients.UnitCode `db:"unit" json:"unit"`
	Day   string              `db:"day" json:"day"`
	Half  worktime.Half       `db:"half" json:"half"`
	How   string              `db:"how" json:"how"`
	At    int64               `db:"at" json:"-"`
	Actor string              `db:"actor" json:"actor"`
}

// Weak reports whether nothing more is known than that a client selected an inbox with nothing new in it.
func (c *Check) Weak() bool { return c.How == CheckedLooked }

// isWork reports whether an event of this kind, done by the recipient, shows that it looks after its mail.
func isWork(kind string) bool {
	switch kind {
	case EventDownloaded, EventUnverified, EventWarned, EventListed, EventCalled:
		return false
	}
	return true
}

// noteWork notes that a unit opened a copy or did something about it.
func noteWork(ctx context.Context, tx *sqldb.Tx, d *Dispatch, cal *worktime.Calendar, kind string, by Actor) error {
	if d.Way != ByMailbox || d.Unit == "" {
		return nil
	}
	at, how := tx.Now, CheckedActed
	if kind == EventOpened {
		how = CheckedOpened
		if d.OpenedAt != nil {
			at = time.UnixMicro(*d.OpenedAt)
		}
	}
	return noteCheck(ctx, tx, cal, d.Unit, how, at, by.String())
}

// checkedKey is what a transaction knows a unit's look of a half-day by.
type checkedKey struct {
	unit recipients.UnitCode
	day  string
	half worktime.Half
}

// noteCheck keeps the first look of a half-day; a weak one gives way to a stronger. Out of hours it counts for nothing.
func noteCheck(ctx context.Context, tx *sqldb.Tx, cal *worktime.Calendar, unit recipients.UnitCode, how string, at time.Time, actor string) error {
	h, ok := cal.At(at.Add(early))
	if now, works := cal.At(at); works {
		h, ok = now, true
	}
	if !ok {
		return nil
	}
	key := checkedKey{unit, h.Day, h.Half}
	if how, ok := tx.Known(key).(string); ok && how != CheckedLooked {
		return nil
	}
	var known []string // read first: of thousand acts in a half-day one writes
	if err := tx.SelectContext(ctx, &known, `SELECT how FROM checked WHERE unit = $1 AND day = $2 AND half = $3`, unit, h.Day, h.Half); err != nil {
		return fmt.Errorf("looks of %s: %w", unit, err)
	}
	if len(known) > 0 {
		tx.Know(key, known[0])
	}
	if len(known) > 0 && (known[0] != CheckedLooked || how == CheckedLooked) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO checked (unit, day, half, how, at, actor) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (unit, day, half) DO UPDATE SET how = excluded.how, at = excluded.at, actor = excluded.actor
		WHERE checked.how = 'looked' AND excluded.how <> 'looked'`, unit, h.Day, h.Half, how, at.UnixMicro(), actor)
	if err != nil {
		return fmt.Errorf("note that %s looked: %w", unit, err)
	}
	return nil
}

// Look notes that somebody looked at the inbox of a unit in the console.
func (s *Store) Look(ctx context.Context, by Actor, unit recipients.UnitCode) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		return noteCheck(ctx, tx, cal, unit, CheckedConsole, tx.Now, by.String())
	})
}

// ListChecks lists which units looked after their mail in the half-days of a time, both days included.
func (s *Store) ListChecks(ctx context.Context, from, to string) (out []Check, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &out, `SELECT unit, day, half, how, at, actor FROM checked WHERE day BETWEEN $1 AND $2 ORDER BY day, half, unit`, from, to)
	})
	if err != nil {
		return nil, fmt.Errorf("checks: %w", err)
	}
	return out, nil
}

// noteVisits takes over what the mailboxes noted of clients that selected an inbox with nothing new, since a while ago.
func (s *Store) noteVisits(ctx context.Context, since time.Time) error {
	visits, err := s.Mail.Looks(ctx, since, s.db.Now())
	if err != nil || len(visits) == 0 {
		return err
	}
	units, err := s.unitsByAddress(ctx)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		for _, v := range visits {
			for _, unit := range units[v.Mailbox] {
				for _, at := range []time.Time{v.FirstAt, v.LastAt} {
					if err := noteCheck(ctx, tx, cal, unit, CheckedLooked, at, string(v.Actor)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// unitsByAddress says whose mail lies in which mailbox: units may share one.
func (s *Store) unitsByAddress(ctx context.Context) (map[mailcore.Address][]recipients.UnitCode, error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	units := map[mailcore.Address][]recipients.UnitCode{}
	for _, u := range dir.Units() {
		if a := s.address(u); a != "" {
			units[a] = append(units[a], u.Code)
		}
	}
	return units, nil
}
