package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// said is what events tell about rows.
type said struct {
	Record    record            `json:"record"`
	Lines     json.RawMessage   `json:"line_digests"`
	Items     map[string]string `json:"items"`
	Series    int64             `json:"series"`
	Number    json.RawMessage   `json:"number"`
	Reference string            `json:"reference"`
	SHA256    string            `json:"sha256"`
	On        string            `json:"on"`
	Opened    int64             `json:"opened"`
	Reason    string            `json:"reason"`
	Abstract  string            `json:"abstract"`
	Key       string            `json:"key"`
	Mode      Mode              `json:"mode"`
	Agency    string            `json:"agency"`
	Year      int64             `json:"year"`
	Book      Book              `json:"book"`
	Name      string            `json:"name"`
	DueOn     string            `json:"due_on"`
	Version   int64             `json:"version"`
	Sequence  int64             `json:"sequence"`
	Scheme    Scheme            `json:"scheme"`
	Entry     *Entry            `json:"entry"`
	Voided    string            `json:"voided"` // the số đến that a refusal gave up
}

func saidBy(e Event) (s said) {
	json.Unmarshal([]byte(e.Detail), &s) // details of other shapes say nothing here
	return s
}

// number is a number as text, whether it was written as a number or as text.
func (s said) number() string { return strings.Trim(string(s.Number), `"`) }

// documentRows compares a document's row, lines and files with what its events kept of them.
func (c *checker) documentRows(ctx context.Context, tx *sqldb.Tx, doc *Document, events []Event) error {
	changed, sealed := int64(0), ""
	for _, e := range events {
		s := saidBy(e)
		switch {
		case e.Kind == string(Draft) && (e.At != doc.CreatedAt || e.Actor != doc.CreatedBy):
			c.sayf("document %d: created_at or created_by is not that of its first event", doc.ID)
		case e.Kind == string(Sealed):
			sealed = s.SHA256
		case e.Kind == string(Issued) && (doc.IssuedAt == nil || *doc.IssuedAt != e.At):
			c.sayf("document %d: issued_at is not that of its event", doc.ID)
		}
		if isState(e.Kind) {
			changed = e.At
		}
		if s.Record != nil {
			if err := c.registration(ctx, tx, doc, e, s); err != nil {
				return err
			}
		}
		if s.Items != nil {
			have, err := itemDigests(ctx, tx, doc.ID)
			if err != nil {
				return err
			}
			c.rows("package_item", doc.ID, s.Items, have)
		}
		if e.Kind == string(Withdrawn) {
			c.withdrawn(doc, s)
		}
	}
	if changed != doc.ChangedAt {
		c.sayf("document %d: changed_at is not that of its last event", doc.ID)
	}
	if sealed != string(doc.SealedPDF) {
		c.sayf("document %d: sealed is %q, its event says %q", doc.ID, doc.SealedPDF, sealed)
	}
	if doc.State != Issued && doc.IssuedAt != nil {
		c.sayf("document %d: issued_at without an event of issue", doc.ID)
	}
	return nil
}

func isState(kind string) bool {
	switch State(kind) {
	case Draft, Registered, Sealed, Issued, Withdrawn:
		return true
	}
	return false
}

func (c *checker) registration(ctx context.Context, tx *sqldb.Tx, doc *Document, e Event, s said) error {
	rows, err := records(ctx, tx, documentMoves, `SELECT * FROM document WHERE id = $1`, doc.ID)
	if err != nil || len(rows) != 1 {
		return fmt.Errorf("%d rows: %w", len(rows), err)
	}
	names := maps.Clone(s.Record)
	maps.Copy(names, rows[0])
	for _, column := range slices.Sorted(maps.Keys(names)) {
		if rows[0][column] != s.Record[column] {
			c.sayf("document %d: %s is %q, its event says %q", doc.ID, column, rows[0][column], s.Record[column])
		}
	}
	have, err := lineDigests(ctx, tx, doc.ID)
	if err != nil {
		return err
	}
	want := map[string]string{}
	json.Unmarshal(s.Lines, &want)
	c.rows("recipient_line", doc.ID, want, have)
	if s.Series != 0 {
		n, _ := strconv.ParseInt(s.number(), 10, 64)
		c.take(s.Series, s.Reference, numberRow{Number: n, Owner: fmt.Sprint("document:", doc.ID), State: "taken", TakenAt: e.At, TakenBy: e.Actor})
	}
	return nil
}

// rows compares rows of a document with their digests, by ordinal.
func (c *checker) rows(table string, id DocumentID, want, have map[string]string) {
	all := maps.Clone(want)
	maps.Copy(all, have)
	for _, ordinal := range slices.Sorted(maps.Keys(all)) {
		switch w, h := want[ordinal], have[ordinal]; {
		case h == "":
			c.sayf("%s: ordinal %s of document %d was removed or moved", table, ordinal, id)
		case w == "":
			c.sayf("%s: ordinal %s of document %d was added", table, ordinal, id)
		case w != h:
			c.sayf("%s: ordinal %s of document %d was changed", table, ordinal, id)
		}
	}
}

// An arrivalRow is a row of incoming.
type arrivalRow struct {
	ID       int64      `db:"id"`
	Unit     string     `db:"unit"`
	Dispatch DispatchID `db:"dispatch_id"`
	Number   string     `db:"arrival_number"`
	On       string     `db:"arrived_on"`
	State    Handling   `db:"state"`
	By       string     `db:"accepted_by"`
	Changed  int64      `db:"changed_at"`
}

func arrivals(ctx context.Context, tx *sqldb.Tx, id DocumentID) (map[DispatchID]arrivalRow, error) {
	var rows []arrivalRow
	least, greatest := id.span()
	err := tx.SelectContext(ctx, &rows, `SELECT id, unit, dispatch_id, arrival_number, arrived_on, state, accepted_by, changed_at
		FROM incoming WHERE dispatch_id BETWEEN $1 AND $2`, least, greatest)
	out := map[DispatchID]arrivalRow{}
	for _, r := range rows {
		out[r.Dispatch] = r
	}
	return out, err
}

// toldDispatch is what events tell about a dispatch and its row in the register of arrivals.
type toldDispatch struct {
	arrival        arrivalRow
	accepted       bool
	opened         *int64
	changed, since int64
	due            string
}

// dispatchRows compares a dispatch, its row in the register of arrivals and the numbers it took with its events.
func (c *checker) dispatchRows(d *Dispatch, events []Event, incoming map[DispatchID]arrivalRow) {
	t := c.toldDispatch(d, events)
	if (t.opened == nil) != (d.OpenedAt == nil) || t.opened != nil && *t.opened != *d.OpenedAt {
		c.sayf("dispatch %d: opened_at is not that of its event", d.ID)
	}
	if d.ChangedAt != t.changed {
		c.sayf("dispatch %d: changed_at is not that of its last event", d.ID)
	}
	if d.Since != t.since || d.DueOn != t.due {
		c.sayf("dispatch %d: since is %d, due_on %q, its events say %d, %q", d.ID, d.Since, d.DueOn, t.since, t.due)
	}
	if w := t.arrival; d.ArrivalNumber != w.Number || d.ArrivedOn != w.On {
		c.sayf("dispatch %d: số đến %q of %q, its events say %q of %q", d.ID, d.ArrivalNumber, d.ArrivedOn, w.Number, w.On)
	}
	if least, greatest := d.Document.span(); int64(d.ID) < least || int64(d.ID) > greatest {
		c.sayf("dispatch %d: does not belong to document %d", d.ID, d.Document)
	}
	c.arrival(d, t.arrival, t.accepted, incoming)
}

// toldDispatch folds the events of a dispatch and notes the numbers that it took and gave up.
func (c *checker) toldDispatch(d *Dispatch, events []Event) toldDispatch {
	t := toldDispatch{arrival: arrivalRow{Unit: string(d.Unit), Dispatch: d.ID}}
	want, fold := &t.arrival, Dispatch{}
	for _, e := range events {
		s := saidBy(e)
		if e.Ordinal == 0 && s.Sequence != 0 && s.Sequence != d.Sequence {
			c.sayf("dispatch %d: sequence is %d, its first event says %d", d.ID, d.Sequence, s.Sequence)
		}
		t.changed, t.due = e.At, cmp.Or(s.DueOn, t.due)
		was := fold.stage()
		if transport, handling, err := fold.moved(e.Kind); err == nil {
			fold.Transport, fold.Handling = transport, handling
		}
		if fold.stage() != was {
			t.since = e.At
		}
		switch e.Kind {
		case string(Accepted), EventNumbered:
			if e.Kind == string(Accepted) {
				t.accepted, want.By, want.On = true, e.Actor, s.On
			}
			want.Number = s.number()
			want.Changed = e.At
			if s.Series != 0 && want.Number != "" {
				n, _ := strconv.ParseInt(want.Number, 10, 64)
				c.take(s.Series, want.Number, numberRow{Number: n, Owner: fmt.Sprint(refKind, int64(d.ID)), State: "taken", TakenAt: e.At, TakenBy: e.Actor})
			}
		case string(Refused):
			if k := (numberKey{s.Series, s.Voided}); s.Voided != "" {
				row := c.numbers[k]
				row.State, row.Reason = "voided", s.Reason
				c.numbers[k] = row
			}
		case EventOpened:
			if t.opened == nil && s.Opened != 0 {
				t.opened = &s.Opened
			} else if t.opened == nil {
				t.opened = d.OpenedAt // from before the event told
			}
		}
		if h := Handling(e.Kind); isHandling(h) {
			want.State, want.Changed = h, e.At
		}
	}
	return t
}

// arrival compares the row of the register of arrivals with what the events say of it.
func (c *checker) arrival(d *Dispatch, want arrivalRow, accepted bool, incoming map[DispatchID]arrivalRow) {
	have, there := incoming[d.ID]
	if !accepted || d.Unit == "" {
		if there {
			c.sayf("incoming %d: dispatch %d was not accepted: the row was added", have.ID, d.ID)
		}
		return
	}
	if !there {
		c.sayf("incoming: the row of dispatch %d was removed", d.ID)
		return
	}
	if want.ID = have.ID; have != want {
		c.sayf("incoming %d: is %+v, the events of dispatch %d say %+v", have.ID, have, d.ID, want)
	}
}

// strays finds rows that belong to no document, which the walk over documents does not meet.
func (c *checker) strays(ctx context.Context, tx *sqldb.Tx) error {
	for _, q := range []struct{ table, query string }{
		{"dispatch", `SELECT id FROM dispatch WHERE NOT EXISTS (SELECT 1 FROM document d WHERE d.id = dispatch.id / 1048576 AND d.id = dispatch.document_id)`},
		{"incoming", `SELECT id FROM incoming WHERE NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.id = incoming.dispatch_id)`},
		{"recipient_line", `SELECT id FROM recipient_line l WHERE NOT EXISTS (SELECT 1 FROM document d WHERE d.id = l.document_id)`},
		{"package_item of document", `SELECT document_id FROM package_item p WHERE NOT EXISTS (SELECT 1 FROM document d WHERE d.id = p.document_id)`},
		{"document", `SELECT DISTINCT chain / 1048576 FROM event WHERE chain >= 1048576 AND NOT EXISTS (SELECT 1 FROM document d WHERE d.id = event.chain / 1048576)`},
	} {
		var ids []int64
		if err := tx.SelectContext(ctx, &ids, q.query); err != nil {
			return err
		}
		for _, id := range ids {
			c.sayf("%s %d: belongs to nothing that is there: a row was removed, added or moved", q.table, id)
		}
	}
	return nil
}

type numberKey struct {
	Series    int64
	Reference string
}

// A numberRow is a row of register_number.
type numberRow struct {
	Number  int64  `db:"number"`
	Owner   string `db:"owner"`
	State   string `db:"state"`
	Reason  string `db:"reason"`
	TakenAt int64  `db:"taken_at"`
	TakenBy string `db:"taken_by"`
	What    string `db:"abstract"` // told when it was taken before its paper was stamped
	extra   bool   // voided without having been taken: does not count as the highest
}

// take expects a number; one that was reserved keeps when and by whom.
func (c *checker) take(series int64, reference string, row numberRow) {
	k := numberKey{series, reference}
	if was, ok := c.numbers[k]; ok && was.State == "reserved" {
		row.TakenAt, row.TakenBy, row.Number, row.What = was.TakenAt, was.TakenBy, was.Number, was.What
	}
	c.numbers[k] = row
}

func (c *checker) withdrawn(doc *Document, s said) {
	for k, row := range c.numbers {
		if row.Owner == fmt.Sprint("document:", doc.ID) {
			row.State, row.Reason = "voided", s.Reason
			c.numbers[k] = row
		}
	}
}

// series compares the registers with their chains, which also tell of numbers reserved and voided.
func (c *checker) series(ctx context.Context, tx *sqldb.Tx) error {
	var events []Event
	err := tx.SelectContext(ctx, &events, `SELECT chain, ordinal, kind, at, actor, detail, digest FROM event WHERE chain < 0 ORDER BY chain DESC, ordinal`)
	if err != nil {
		return err
	}
	var rows []Series
	if err := tx.SelectContext(ctx, &rows, `SELECT id, agency, year, book, name, mode, last, scheme FROM register_series`); err != nil {
		return err
	}
	var olds []int64
	if err := tx.SelectContext(ctx, &olds, `SELECT old_series FROM log_head`); err != nil {
		return err
	}
	if len(olds) == 1 {
		c.old = olds[0]
	}
	want := c.toldSeries(events)
	for _, r := range rows {
		w, ok := want[r.ID]
		w.Last = r.Last
		if ok && w.Agency != "" && r.ID <= c.old {
			c.sayf("log_head: old_series is %d, yet series %d has its events", c.old, r.ID)
		}
		if !ok && r.ID > c.old {
			c.sayf("register_series %d: no event tells of it: the row was added", r.ID)
		} else if ok && w.Agency != "" && w != r {
			c.sayf("register_series %d: is %+v, its events say %+v", r.ID, r, w)
		}
		delete(want, r.ID)
		c.last = append(c.last, r)
	}
	for id := range want {
		c.sayf("register_series %d: was removed", id)
	}
	return nil
}

// toldSeries reads the chains of the registers.
func (c *checker) toldSeries(events []Event) map[int64]Series {
	want := map[int64]Series{}
	prev := make([]byte, 32)
	for _, e := range events {
		s, id := saidBy(e), -e.Chain
		if e.Ordinal == 0 {
			prev = make([]byte, 32)
		}
		if string(e.digest(prev)) != string(e.Digest) {
			c.sayf("register_series %d: event %d does not follow from the one before", id, e.Ordinal)
		}
		prev = e.Digest
		w := want[id]
		switch e.Kind {
		case SeriesOpened:
			w = Series{id, recipients.UnitCode(s.Agency), int(s.Year), s.Book, s.Name, s.Mode, 0, cmp.Or(s.Scheme, OneSeries)}
		case SeriesMode:
			w.Mode = s.Mode
		case SeriesScheme:
			w.Scheme = s.Scheme
		case SeriesEntered:
			c.entered(id, e, s)
		case SeriesReserved:
			n, _ := strconv.ParseInt(s.number(), 10, 64)
			c.numbers[numberKey{id, s.Reference}] = numberRow{Number: n, State: "reserved", TakenAt: e.At, TakenBy: e.Actor, What: s.Abstract}
		case SeriesVoided:
			c.void(id, e, s)
		}
		want[id] = w
	}
	return want
}

func (c *checker) void(id int64, e Event, s said) {
	k := numberKey{id, s.Reference}
	row, ok := c.numbers[k]
	if !ok {
		n, _ := strconv.ParseInt(s.number(), 10, 64)
		row = numberRow{Number: n, TakenAt: e.At, TakenBy: e.Actor, extra: true}
	}
	row.State, row.Reason = "voided", s.Reason
	c.numbers[k] = row
}

// numberRows compares the registers with what all events together say.
func (c *checker) numberRows(ctx context.Context, tx *sqldb.Tx) error {
	var rows []struct {
		Series    int64  `db:"series_id"`
		Reference string `db:"reference"`
		numberRow
	}
	err := tx.SelectContext(ctx, &rows, `SELECT series_id, reference, number, owner, state, reason, taken_at, taken_by, abstract FROM register_number`)
	if err != nil {
		return err
	}
	highest := map[int64]int64{}
	for _, r := range rows {
		k := numberKey{r.Series, r.Reference}
		want, ok := c.numbers[k]
		extra := want.extra
		want.extra = false
		switch {
		case !ok && r.Series > c.old:
			c.sayf("register_number %q of series %d: no event tells of it: the row was added or moved", r.Reference, r.Series)
		case ok && want != r.numberRow:
			c.sayf("register_number %q of series %d: is %+v, the events say %+v", r.Reference, r.Series, r.numberRow, want)
		}
		if !extra {
			highest[r.Series] = max(highest[r.Series], r.Number)
		}
		delete(c.numbers, k)
	}
	for k := range c.numbers {
		c.sayf("register_number %q of series %d: the row was removed or moved", k.Reference, k.Series)
	}
	for _, r := range c.last {
		if r.ID > c.old && r.Last != highest[r.ID] {
			c.sayf("register_series %d: last is %d, the highest number is %d", r.ID, r.Last, highest[r.ID])
		}
	}
	return nil
}
