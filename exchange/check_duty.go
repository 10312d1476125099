package exchange

import (
	"context"
	"encoding/json"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
)

// reminders: each has the event that its row names, and each event of a half-day's chain has its row, so that nobody is told
// twice and nobody can say that somebody was told who was not.
func (c *checker) reminders(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	type place struct{ chain, ordinal int64 }
	said := map[place]Event{}
	for _, e := range events {
		if e.Chain != gatewayChain {
			said[place{e.Chain, e.Ordinal}] = e
		}
	}
	var rows []struct {
		Name string `db:"name"`
		Kind string `db:"kind"`
		At   int64  `db:"at"`
		Event
	}
	err := tx.SelectContext(ctx, &rows, `SELECT r.name, r.kind, r.at, r.chain, r.ordinal, COALESCE(e.detail, '') AS detail, COALESCE(e.actor, '') AS actor
		FROM reminder r LEFT JOIN event e ON e.chain = r.chain AND e.ordinal = r.ordinal AND e.kind = r.kind AND e.at = r.at`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		var told struct{ Name string }
		json.Unmarshal([]byte(r.Detail), &told) // what cannot be read names nothing
		if told.Name != r.Name {
			c.sayf("reminder %q: no event tells of it: the row was added or changed", r.Name)
		}
		delete(said, place{r.Chain, r.Ordinal})
	}
	for at := range said {
		c.sayf("reminder of event %d of chain %d: the row was removed or changed", at.ordinal, at.chain)
	}
	return nil
}

// calendar: the table is what its last change made it, and each change is an event of the gateway.
func (c *checker) calendar(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	now, err := readCalendar(ctx, tx)
	if err != nil {
		return err
	}
	var changes []struct {
		ID     int64  `db:"id"`
		Digest string `db:"digest"`
	}
	if err := tx.SelectContext(ctx, &changes, `SELECT id, digest FROM calendar_change ORDER BY id`); err != nil {
		return err
	}
	want := map[int64]string{}
	for _, e := range events {
		if s := saidBy(e); e.Kind == EventCalendar && e.Chain == gatewayChain {
			want[s.Version] = s.SHA256
		}
	}
	last := worktime.New(nil, nil).Digest()
	for _, ch := range changes {
		if last = ch.Digest; want[ch.ID] != ch.Digest {
			c.sayf("calendar_change %d: is not what its event says", ch.ID)
		}
		delete(want, ch.ID)
	}
	for id := range want {
		c.sayf("calendar_change %d: the row was removed", id)
	}
	if now.Digest() != last {
		c.sayf("calendar_day, office_hours: are not as the last change of the calendar left them")
	}
	return nil
}

// calls: whom an agency has to call is what the copy's events say.
func (c *checker) calls(ctx context.Context, tx *sqldb.Tx, id DocumentID, agency string, journal []Event) error {
	type row struct {
		ID      int64  `db:"dispatch_id"`
		Agency  string `db:"agency"`
		Listed  int64  `db:"listed_at"`
		Calls   int64  `db:"calls"`
		Called  int64  `db:"called_at"`
		Reached bool   `db:"reached"`
	}
	var rows []row
	least, greatest := id.span()
	err := tx.SelectContext(ctx, &rows, `SELECT dispatch_id, agency, listed_at, calls, called_at, reached FROM call_item WHERE dispatch_id BETWEEN $1 AND $2`, least, greatest)
	if err != nil {
		return err
	}
	want := map[int64]row{}
	for _, e := range journal {
		switch w := want[e.Chain]; e.Kind {
		case EventListed:
			want[e.Chain] = row{e.Chain, agency, e.At, 0, 0, false}
		case EventCalled:
			var said struct{ Reached bool }
			json.Unmarshal([]byte(e.Detail), &said) // our own
			w.Calls, w.Called, w.Reached = w.Calls+1, e.At, said.Reached
			want[e.Chain] = w
		}
	}
	for _, r := range rows {
		if want[r.ID] != r {
			c.sayf("call_item of dispatch %d: is %+v, its events say %+v", r.ID, r, want[r.ID])
		}
		delete(want, r.ID)
	}
	for chain := range want {
		c.sayf("call_item of dispatch %d: the row was removed", chain)
	}
	return nil
}
