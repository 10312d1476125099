package exchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// Check proves the invariants of the exchange and returns, in English, each one that does not hold: copies equal the units
// named, every open dispatch has an owner and a deadline, state is the fold of chained events, rows say what their events
// say, registers have no double and no unlisted gap, every event is in the log at its leaf or waits for it, checkpoints are
// signed heads of the log, every copy in a mailbox of ours is there once, and every issued document has a seal that verifies.
// What was removed, changed, moved or added is named by table and key.
func (s *Store) Check(ctx context.Context) ([]string, error) {
	c := &checker{s: s, refs: map[DispatchID]int{}, mails: map[blob.Digest]string{}, logged: map[int64]int64{}, offered: map[int64]pickupRow{}, numbers: map[numberKey]numberRow{},
		entries: map[numberKey]Entry{}, stories: map[DocumentID]sealStory{}}
	var docs []Document
	// One snapshot, so that what others do meanwhile is seen in all tables or in none.
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		if err := tx.SelectContext(ctx, &docs, `SELECT `+documentColumns+` FROM document ORDER BY id`); err != nil {
			return err
		}
		return c.tables(ctx, tx, docs)
	})
	if err == nil {
		err = c.mailboxes(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	c.mailBytes()
	for i := range docs {
		if err := c.pack(ctx, &docs[i]); err != nil {
			return nil, fmt.Errorf("check package of document %d: %w", docs[i].ID, err)
		}
	}
	return c.found, nil
}

// tables looks at every table. Those at the end compare with what the walk over documents expects of them.
func (c *checker) tables(ctx context.Context, tx *sqldb.Tx, docs []Document) (err error) {
	if c.waiting, err = c.s.Mail.PendingRefsTx(ctx, tx); err != nil {
		return err
	}
	documents := func(ctx context.Context, tx *sqldb.Tx) error {
		for i := range docs {
			if err := c.document(ctx, tx, &docs[i]); err != nil {
				return fmt.Errorf("%d: %w", docs[i].ID, err)
			}
		}
		return nil
	}
	for _, step := range []struct {
		name string
		look func(context.Context, *sqldb.Tx) error
	}{
		{"registers", c.registers}, {"log", c.log}, {"gateway", c.gateway}, {"series", c.series}, {"document", documents}, {"strays", c.strays}, {"handling", c.handling},
		{"sequences", c.sequences}, {"entries", c.entryRows}, {"pick-up addresses", c.pickupRows}, {"numbers", c.numberRows}, {"seals", c.cares},
	} {
		if err := step.look(ctx, tx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// mailboxes looks whether every open copy of ours lies in a mailbox.
func (c *checker) mailboxes(ctx context.Context) error {
	counts, err := c.s.Mail.RefCounts(ctx)
	if err != nil {
		return err
	}
	for ref, n := range counts {
		for _, id := range refIDs(ref) {
			c.refs[id] += n
		}
	}
	for ref := range c.waiting { // a deletion that nobody has heard of yet
		for _, id := range refIDs(ref) {
			c.refs[id]++
		}
	}
	for _, id := range c.lying {
		if c.refs[id] == 0 {
			c.sayf("dispatch %d: its mail is in no mailbox", id)
		}
	}
	return nil
}

// A checker collects what it finds and what it expects.
type checker struct {
	s       *Store
	refs    map[DispatchID]int     // copies in mailboxes
	lying   []DispatchID           // dispatches that must have one
	mails   map[blob.Digest]string // mails that acts came by, and whose
	waiting map[string]bool        // refs of mail events that nobody has handled yet
	logged  map[int64]int64        // events by chain, in the log or waiting
	epoch   int64
	offered map[int64]pickupRow     // pick-up addresses that events speak of
	numbers map[numberKey]numberRow // rows of the registers that events speak of
	entries map[numberKey]Entry     // of documents on paper
	old     int64                   // series up to this id are older than their events
	last    []Series
	stories map[DocumentID]sealStory // what events tell of the seals
	found   []string
}

// maxFound bounds what is said: one row too many or too few may bring forth thousands.
const maxFound = 1000

func (c *checker) sayf(format string, args ...any) {
	switch len(c.found) {
	case maxFound + 1:
	case maxFound:
		c.found = append(c.found, "more was found than is told here: mend this first")
	default:
		c.found = append(c.found, fmt.Sprintf(format, args...))
	}
}

// registers: a series issued here has the numbers 1 to last, each once.
func (c *checker) registers(ctx context.Context, tx *sqldb.Tx) error {
	var bad []struct {
		ID    int64 `db:"id"`
		Last  int64 `db:"last"`
		Count int64 `db:"n"`
		Sum   int64 `db:"total"`
	}
	err := tx.SelectContext(ctx, &bad, `SELECT r.id, r.last, count(n.number) AS n, CAST(coalesce(sum(n.number), 0) AS BIGINT) AS total
		FROM register_series r LEFT JOIN register_number n ON n.series_id = r.id WHERE r.mode = 'issued' GROUP BY r.id, r.last`)
	for _, r := range bad {
		if r.Count != r.Last || r.Sum != r.Last*(r.Last+1)/2 {
			c.sayf("series %d: last is %d but it holds %d numbers", r.ID, r.Last, r.Count)
		}
	}
	return err
}

func (c *checker) document(ctx context.Context, tx *sqldb.Tx, doc *Document) error {
	all, err := lines(ctx, tx, doc.ID)
	if err != nil {
		return err
	}
	copies, events, err := copiesAndEvents(ctx, tx, doc.ID)
	if err != nil {
		return err
	}
	journal := map[int64][]Event{}
	for _, e := range events {
		journal[e.Chain] = append(journal[e.Chain], e)
	}
	issue := c.documentEvents(doc, journal[doc.ID.chain()])
	if story := sealStoryOf(journal[doc.ID.chain()]); story.seal.kept() || len(story.raises) > 0 {
		c.stories[doc.ID] = story
	}
	if err := c.documentRows(ctx, tx, doc, journal[doc.ID.chain()]); err != nil {
		return err
	}
	if err := c.attempts(ctx, tx, copies, journal); err != nil {
		return err
	}
	if err := c.kept(ctx, tx, doc, events); err != nil {
		return err
	}
	if err := c.calls(ctx, tx, doc.ID, string(doc.Agency), events); err != nil {
		return err
	}
	incoming, err := arrivals(ctx, tx, doc.ID)
	if err != nil {
		return err
	}
	if err := c.folded(ctx, tx, doc, all); err != nil {
		return err
	}
	c.due(doc, journal[doc.ID.chain()])
	c.supplements(doc, copies, journal[doc.ID.chain()])
	c.coverage(doc, all, copies)
	c.children(copies, journal)
	if err := c.tasks(ctx, tx, doc.ID, copies, journal); err != nil {
		return err
	}
	for i := range copies {
		c.dispatch(doc, &copies[i], journal[int64(copies[i].ID)], issue)
		c.pickups(&copies[i], journal[int64(copies[i].ID)])
		c.dispatchRows(&copies[i], journal[int64(copies[i].ID)], incoming)
		delete(journal, int64(copies[i].ID))
	}
	delete(journal, doc.ID.chain())
	for id := range journal {
		c.sayf("document %d: events of dispatch %d, which is not there", doc.ID, id)
	}
	return nil
}

// copiesAndEvents reads the copies of a document, and all events of it and of them.
func copiesAndEvents(ctx context.Context, tx *sqldb.Tx, id DocumentID) (copies []Dispatch, events []Event, err error) {
	least, greatest := id.span()
	err = tx.SelectContext(ctx, &copies, `SELECT `+dispatchColumns+` FROM dispatch WHERE id BETWEEN $1 AND $2`, least, greatest)
	if err != nil {
		return nil, nil, err
	}
	err = tx.SelectContext(ctx, &events, `SELECT chain, ordinal, kind, at, actor, detail, digest FROM event
		WHERE chain BETWEEN $1 AND $2 ORDER BY chain, ordinal`, id.chain(), greatest)
	return copies, events, err
}

// documentEvents checks the document's own chain and returns the digest of its event of issue.
func (c *checker) documentEvents(doc *Document, events []Event) (issue []byte) {
	prev, state := make([]byte, 32), State("")
	for i, e := range events {
		if e.Ordinal != int64(i) || !bytes.Equal(e.digest(prev), e.Digest) {
			c.sayf("document %d: event %d does not follow from the one before", doc.ID, e.Ordinal)
		}
		if slices.Contains(milestones[state], e.Kind) {
			prev = e.Digest
			continue
		}
		if state != "" && !slices.Contains(states[state], State(e.Kind)) {
			c.sayf("document %d: no move from %s to %s", doc.ID, state, e.Kind)
		}
		prev, state = e.Digest, State(e.Kind)
		if state == Issued {
			issue = e.Digest
		}
	}
	if state != doc.State {
		c.sayf("document %d: state is %s, events say %s", doc.ID, doc.State, state)
	}
	return issue
}

// coverage: the first copies are the distinct units over the resolved lines and one for each off-system line, no more.
func (c *checker) coverage(doc *Document, all []Line, copies []Dispatch) {
	want, offSystem := map[recipients.UnitCode]bool{}, 0
	for _, l := range all {
		switch l.Outcome {
		case Open:
			if doc.State != Draft {
				c.sayf("document %d: line %d is open", doc.ID, l.Ordinal)
			}
		case OffSystem:
			offSystem++
		case Resolved:
			for _, code := range l.Codes() {
				if code != doc.Agency {
					want[code] = true
				}
			}
		}
	}
	if doc.State != Issued {
		want, offSystem = nil, 0
	}
	for _, d := range copies {
		switch {
		case d.Parent != nil, d.supplement():
		case d.Unit == "":
			offSystem--
		case !want[d.Unit]:
			c.sayf("document %d: copy to %s, which no line names", doc.ID, d.Unit)
		default:
			delete(want, d.Unit)
		}
	}
	for code := range want {
		c.sayf("document %d: no copy to %s", doc.ID, code)
	}
	if offSystem != 0 {
		c.sayf("document %d: off-system lines and copies differ by %d", doc.ID, offSystem)
	}
}

func (c *checker) dispatch(doc *Document, d *Dispatch, events []Event, issue []byte) {
	fold := Dispatch{ID: d.ID, Way: d.Way}
	prev := d.genesis(issue)
	if len(events) > 0 && bytes.Equal(events[0].digest(issue), events[0].Digest) {
		prev = issue // from before dispatches were part of their chains
	}
	for i, e := range events {
		if e.Ordinal != int64(i) || !bytes.Equal(e.digest(prev), e.Digest) {
			c.sayf("dispatch %d: event %d does not follow from the one before (for event 0: from the row of dispatch)", d.ID, e.Ordinal)
		}
		t, h, err := fold.moved(e.Kind)
		if err != nil {
			c.sayf("dispatch %d: event %d: %v", d.ID, e.Ordinal, err)
		}
		recall, err := fold.recallAfter(e.Kind)
		if err != nil {
			c.sayf("dispatch %d: event %d: %v", d.ID, e.Ordinal, err)
		}
		fold.Transport, fold.Handling, fold.Recall, prev = t, h, recall, e.Digest
	}
	if fold.Recall != d.Recall {
		c.sayf("dispatch %d: recall is %q, events say %q", d.ID, d.Recall, fold.Recall)
	}
	if fold.Transport != d.Transport || fold.Handling != d.Handling {
		c.sayf("dispatch %d: state is %s/%s, events say %s/%s", d.ID, d.Transport, d.Handling, fold.Transport, fold.Handling)
	}
	if int64(len(events)) != d.Events || !bytes.Equal(prev, d.Head) {
		c.sayf("dispatch %d: it knows %d events, there are %d, or its head is another", d.ID, d.Events, len(events))
	}
	if d.Closed() != (d.Owner == "") || d.Closed() != (d.Deadline == 0) {
		c.sayf("dispatch %d: closed is %t, owner %q, deadline %d", d.ID, d.Closed(), d.Owner, d.Deadline)
	}
	c.copies(d, events)
}

// copies: a mail of this dispatch lies in some mailbox, however often it was moved, unless somebody deleted it and nobody has to
// do anything more about it.
func (c *checker) copies(d *Dispatch, events []Event) {
	deleted := d.Closed() && slices.ContainsFunc(events, func(e Event) bool { return e.Kind == EventDeleted })
	if d.Way == ByMailbox && !deleted && d.Transport != Recalled {
		c.lying = append(c.lying, d.ID)
	}
}
