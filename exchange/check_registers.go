package exchange

import (
	"context"
	"strconv"

	"congvan/mailcore/sqldb"
)

// entered expects the number of a document on paper, and its entry.
func (c *checker) entered(id int64, e Event, s said) {
	n, _ := strconv.ParseInt(s.number(), 10, 64)
	c.take(id, s.Reference, numberRow{Number: n, Owner: onPaper, State: "taken", TakenAt: e.At, TakenBy: e.Actor})
	if s.Entry != nil {
		c.entries[numberKey{id, s.Reference}] = *s.Entry
	}
}

// entryRows compares what was entered by hand with its events.
func (c *checker) entryRows(ctx context.Context, tx *sqldb.Tx) error {
	var rows []struct {
		Series int64  `db:"series_id"`
		Search string `db:"search"`
		Entry
	}
	err := tx.SelectContext(ctx, &rows, `SELECT series_id, search, `+entryColumns+` FROM register_entry`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		k := numberKey{r.Series, r.Reference}
		switch want, ok := c.entries[k]; {
		case !ok:
			c.sayf("register_entry %q of series %d: no event tells of it: the row was added or moved", r.Reference, r.Series)
		case want != r.Entry:
			c.sayf("register_entry %q of series %d: is %+v, its event says %+v", r.Reference, r.Series, r.Entry, want)
		case r.Search != want.searchText():
			c.sayf("register_entry %q of series %d: search does not say what the entry says", r.Reference, r.Series)
		}
		delete(c.entries, k)
	}
	for k := range c.entries {
		c.sayf("register_entry %q of series %d: the row was removed or moved", k.Reference, k.Series)
	}
	return nil
}

// folded: a document is found by what its rows say. Documents older than the column have none until they are folded.
func (c *checker) folded(ctx context.Context, tx *sqldb.Tx, doc *Document, all []Line) error {
	var search string
	if err := tx.GetContext(ctx, &search, `SELECT search FROM document WHERE id = $1`, doc.ID); err != nil {
		return err
	}
	if search != doc.searchText(all) {
		c.sayf("document %d: search does not say what the document and its lines say", doc.ID)
	}
	return nil
}
