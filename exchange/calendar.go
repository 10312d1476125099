package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
)

// Events of the gateway about working time.
const (
	EventCalendar  = "calendar"  // the table of working time was changed
	EventDeadlines = "deadlines" // deadlines of open copies were reckoned again on account of a change
)

// A CalendarEntry is one line of the calendar's journal.
type CalendarEntry struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	What    []string  `json:"what"` // Vietnamese, a line each
}

// Calendar returns the calendar in force.
func (s *Store) Calendar(ctx context.Context) (c *worktime.Calendar, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		c, err = calendar(ctx, tx)
		return err
	})
	return c, err
}

// calendars keeps calendars by the digest of their rows: what they say never changes.
var calendars struct {
	sync.Mutex
	known map[string]*worktime.Calendar
}

// calendar returns the calendar that the table makes, with the rules for what it leaves out.
func calendar(ctx context.Context, tx *sqldb.Tx) (*worktime.Calendar, error) {
	var last []struct {
		ID     int64  `db:"id"`
		Digest string `db:"digest"`
	}
	if err := tx.SelectContext(ctx, &last, `SELECT id, digest FROM calendar_change ORDER BY id DESC LIMIT 1`); err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	version, key := int64(0), ""
	if len(last) > 0 {
		version, key = last[0].ID, fmt.Sprint(last[0].ID, last[0].Digest)
	}
	calendars.Lock()
	c := calendars.known[key]
	calendars.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := readCalendar(ctx, tx)
	if err != nil {
		return nil, err
	}
	if c.Version = version; version > 0 && c.Digest() != last[0].Digest {
		return c, nil // the rows are not those of the last change: Check says so
	}
	calendars.Lock()
	defer calendars.Unlock()
	if len(calendars.known) > 16 {
		clear(calendars.known)
	}
	if calendars.known == nil {
		calendars.known = map[string]*worktime.Calendar{}
	}
	calendars.known[key] = c
	return c, nil
}

func readCalendar(ctx context.Context, tx *sqldb.Tx) (*worktime.Calendar, error) {
	var days []worktime.Day
	if err := tx.SelectContext(ctx, &days, `SELECT day, kind, source FROM calendar_day`); err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	var rows []struct {
		From      string `db:"from_day"`
		Yearly    bool   `db:"yearly"`
		Morning   string `db:"morning"`
		Afternoon string `db:"afternoon"`
		DaysOff   string `db:"days_off"`
		Source    string `db:"source"`
	}
	if err := tx.SelectContext(ctx, &rows, `SELECT from_day, yearly, morning, afternoon, days_off, source FROM office_hours`); err != nil {
		return nil, fmt.Errorf("office hours: %w", err)
	}
	var hours []worktime.Hours
	for _, h := range rows {
		morning, errM := worktime.ParseSpan(h.Morning)
		afternoon, errA := worktime.ParseSpan(h.Afternoon)
		if err := cmp.Or(errM, errA); err != nil {
			return nil, fmt.Errorf("office hours from %s: %w", h.From, err)
		}
		hours = append(hours, worktime.Hours{From: h.From, Yearly: h.Yearly, Morning: morning, Afternoon: afternoon,
			DaysOff: worktime.ParseWeekdays(h.DaysOff), Source: h.Source})
	}
	return worktime.New(days, hours), nil
}

func validChange(ch worktime.Change) error {
	for _, d := range ch.Days {
		if _, err := time.Parse(time.DateOnly, d.Day); err != nil || d.Kind != "" && d.Kind != worktime.DayOff && d.Kind != worktime.DayWorking && d.Kind != worktime.DayHalf {
			return &Error{Invalid, CodeBadDay, d.Day}
		}
		if d.Kind != "" && strings.TrimSpace(d.Source) == "" {
			return &Error{Invalid, CodeNoSource, d.Day}
		}
	}
	for _, h := range ch.Hours {
		_, err := time.Parse(time.DateOnly, h.From)
		noon := h.Afternoon == worktime.Span{} || h.Afternoon.From >= h.Morning.To && h.Afternoon.To > h.Afternoon.From
		if err != nil || h.Morning.From < 0 || h.Morning.To <= h.Morning.From || !noon || h.Afternoon.To > 24*60 || len(h.DaysOff.String()) > 6 {
			return &Error{Invalid, CodeBadHours, h.From + " " + h.Morning.String() + " " + h.Afternoon.String()}
		}
		if strings.TrimSpace(h.Source) == "" {
			return &Error{Invalid, CodeNoSource, h.From}
		}
	}
	return nil
}

// ChangeCalendar writes a change of working time into the table, its journal and the gateway's events, and returns the lines
// of the journal; none when everything had been so before. Deadlines follow by Reckon.
func (s *Store) ChangeCalendar(ctx context.Context, by Actor, ch worktime.Change) (*CalendarEntry, error) {
	if err := validChange(ch); err != nil {
		return nil, err
	}
	var e *CalendarEntry
	err := s.writeGateway(ctx, func(tx *sqldb.Tx) (err error) {
		e, err = changeCalendar(ctx, tx, by, ch)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("change the calendar: %w", err)
	}
	if len(e.What) > 0 {
		s.Log.Info("calendar changed", "version", e.Version, "lines", len(e.What), "by", by.String())
	}
	return e, nil
}

func changeCalendar(ctx context.Context, tx *sqldb.Tx, by Actor, ch worktime.Change) (*CalendarEntry, error) {
	was, err := calendar(ctx, tx)
	if err != nil {
		return nil, err
	}
	e := &CalendarEntry{Version: was.Version, At: tx.Now, By: by.String(), What: []string{}}
	for _, d := range ch.Days {
		what, err := putDay(ctx, tx, was, d)
		if err != nil {
			return nil, err
		}
		e.What = append(e.What, what...)
	}
	for _, h := range ch.Hours {
		what, err := putHours(ctx, tx, was, h)
		if err != nil {
			return nil, err
		}
		e.What = append(e.What, what...)
	}
	if len(e.What) == 0 {
		return e, nil
	}
	now, err := readCalendar(ctx, tx)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(e.What)
	if err != nil {
		return nil, err
	}
	e.Version++
	_, err = tx.ExecContext(ctx, `INSERT INTO calendar_change (id, at, by_whom, what, digest) VALUES ($1, $2, $3, $4, $5)`,
		e.Version, tx.Now.UnixMicro(), e.By, string(text), now.Digest())
	if err != nil {
		return nil, err
	}
	_, err = recordChain(ctx, tx, gatewayChain, EventCalendar, by, map[string]any{"version": e.Version, "what": e.What, "sha256": now.Digest()})
	tx.Wake(topicDuty)
	return e, err
}

// putDay writes a row and says what changed; nothing when it stands there so.
func putDay(ctx context.Context, tx *sqldb.Tx, table *worktime.Calendar, d worktime.Day) ([]string, error) {
	was, there := table.DayOn(d.Day)
	there = there && !was.Proposed
	d.Proposed = false
	var err error
	switch {
	case there && was == d, !there && d.Kind == "":
		return nil, nil
	case d.Kind == "":
		_, err = tx.ExecContext(ctx, `DELETE FROM calendar_day WHERE day = $1`, d.Day)
	default:
		_, err = tx.ExecContext(ctx, `INSERT INTO calendar_day (day, kind, source) VALUES ($1, $2, $3)
			ON CONFLICT (day) DO UPDATE SET kind = excluded.kind, source = excluded.source`, d.Day, d.Kind, d.Source)
	}
	return []string{d.Vietnamese()}, err
}

func putHours(ctx context.Context, tx *sqldb.Tx, table *worktime.Calendar, h worktime.Hours) ([]string, error) {
	for _, was := range table.Hours() {
		if was.From == h.From && was.Yearly == h.Yearly && was.Morning == h.Morning && was.Afternoon == h.Afternoon &&
			was.Source == h.Source && was.DaysOff.String() == h.DaysOff.String() {
			return nil, nil
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO office_hours (from_day, yearly, morning, afternoon, days_off, source) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (from_day, yearly) DO UPDATE SET morning = excluded.morning, afternoon = excluded.afternoon, days_off = excluded.days_off,
		source = excluded.source`, h.From, h.Yearly, h.Morning.String(), h.Afternoon.String(), h.DaysOff.String(), h.Source)
	return []string{h.Vietnamese() + " (" + h.Source + ")"}, err
}

// CalendarLog lists the changes of the calendar, newest first.
func (s *Store) CalendarLog(ctx context.Context) ([]CalendarEntry, error) {
	var rows []struct {
		ID   int64  `db:"id"`
		At   int64  `db:"at"`
		By   string `db:"by_whom"`
		What string `db:"what"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT id, at, by_whom, what FROM calendar_change ORDER BY id DESC`)
	})
	if err != nil {
		return nil, fmt.Errorf("journal of the calendar: %w", err)
	}
	out := make([]CalendarEntry, len(rows))
	for i, r := range rows {
		out[i] = CalendarEntry{Version: r.ID, At: time.UnixMicro(r.At).In(hanoi), By: r.By}
		if err := json.Unmarshal([]byte(r.What), &out[i].What); err != nil {
			return nil, fmt.Errorf("journal of the calendar, change %d: %w", r.ID, err)
		}
	}
	return out, nil
}

// reckonBatch is how many copies one transaction gives a new deadline.
const reckonBatch = 500

// Reckon gives open copies whose deadlines came from an earlier calendar those of the present one, in bounded batches, each
// with an event of the gateway, and returns how many moved. A crash leaves the rest for the next call.
func (s *Store) Reckon(ctx context.Context) (moved int, err error) {
	for {
		var n, m int
		behind, err := s.behind(ctx)
		if err != nil || !behind {
			return moved, err
		}
		err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
			n, m, err = reckon(ctx, tx)
			return err
		})
		if sqldb.IsUnique(err) { // another node reckons too
			return moved, nil
		}
		if err != nil {
			return moved, fmt.Errorf("reckon deadlines: %w", err)
		}
		if moved += m; n > 0 {
			s.Log.Info("deadlines reckoned again", "copies", n, "moved", m)
		}
		if n < reckonBatch {
			return moved, nil
		}
	}
}

// behind reports whether a deadline comes from an earlier calendar.
func (s *Store) behind(ctx context.Context) (behind bool, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		var ids []DispatchID
		err = tx.SelectContext(ctx, &ids, `SELECT id FROM dispatch WHERE deadline > 0 AND calendar < $1 LIMIT 1`, cal.Version)
		behind = len(ids) > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("deadlines of earlier calendars: %w", err)
	}
	return behind, nil
}

func reckon(ctx context.Context, tx *sqldb.Tx) (n, moved int, err error) {
	cal, err := calendar(ctx, tx)
	if err != nil {
		return 0, 0, err
	}
	var open []Dispatch
	err = tx.SelectContext(ctx, &open, `SELECT `+dispatchColumns+` FROM dispatch WHERE deadline > 0 AND calendar < $1 ORDER BY calendar, id LIMIT $2`, cal.Version, reckonBatch)
	if err != nil || len(open) == 0 {
		return 0, 0, err
	}
	docs := map[DocumentID]*Document{}
	for i := range open {
		d := &open[i]
		if docs[d.Document] == nil {
			if docs[d.Document], err = document(ctx, tx, d.Document); err != nil {
				return 0, 0, err
			}
		}
		was := d.Deadline
		d.duty(docs[d.Document], cal, time.UnixMicro(d.Since))
		ok, err := tx.ExecOne(ctx, `UPDATE dispatch SET owner = $1, deadline = $2, calendar = $3, alarm = $4 WHERE id = $5 AND events = $6`,
			d.Owner, d.Deadline, d.Calendar, d.Alarm, d.ID, d.Events)
		if err != nil {
			return 0, 0, err
		}
		if ok && was != d.Deadline {
			moved++
		}
	}
	_, err = recordChain(ctx, tx, gatewayChain, EventDeadlines, Gateway, map[string]any{"version": cal.Version, "copies": len(open), "moved": moved})
	return len(open), moved, err
}
