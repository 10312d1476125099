package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// UndoTime is how long a sealed document waits before it goes out, so that who sent it can still take it back ("hoàn tác").
const UndoTime = 30 * time.Second

// Events of a sealed document: when it is to go out, and that it was taken back before.
const (
	EventDue    = "due"
	EventUndone = "undone"
)

// topicDue wakes who issues documents that are due.
const topicDue = "document_due"

// pollDue is how often due documents are looked for when no wake-up comes.
const pollDue = 5 * time.Second

// waits reports whether a document waits before it goes out: Hỏa tốc does not.
func (doc *Document) waits() bool {
	return !strings.HasPrefix(strings.ToLower(doc.Urgency), "hỏa tốc")
}

// Schedule has a sealed document issued after UndoTime, by RunDue on whatever node or by Issue of whoever waits. A document that need
// not wait is issued at once. One that is due, or issued, is returned as it is.
func (s *Store) Schedule(ctx context.Context, by Actor, id DocumentID) (*Document, error) {
	doc, err := s.Document(ctx, id)
	switch {
	case err != nil, doc.State == Issued, doc.DueAt != 0:
		return doc, err
	case doc.State != Sealed:
		return nil, &Error{Conflict, CodeWrongState, string(doc.State)}
	case !doc.waits():
		return s.Issue(ctx, by, id)
	}
	if _, err := s.plan(ctx, doc); err != nil { // what keeps it from going out is told now
		return nil, err
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		due := tx.Now.Add(UndoTime).UnixMicro()
		ok, err := tx.ExecOne(ctx, `UPDATE document SET due_at = $1 WHERE id = $2 AND state = $3 AND due_at = 0`, due, id, Sealed)
		if err != nil || !ok {
			return err // somebody else did meanwhile
		}
		tx.Wake(topicDue)
		_, err = recordDocument(ctx, tx, id, EventDue, by, map[string]any{"due": due, "by": by})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("schedule document %d: %w", id, err)
	}
	return s.Document(ctx, id)
}

// Undo takes back a document that is due and has not gone out yet. It stays sealed and can be issued again.
func (s *Store) Undo(ctx context.Context, by Actor, id DocumentID) (*Document, error) {
	doc, err := s.Document(ctx, id)
	if err != nil {
		return nil, err
	}
	if by.Unit != doc.Agency {
		return nil, &Error{Forbidden, CodeNotEntitled, by.String()}
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		ok, err := tx.ExecOne(ctx, `UPDATE document SET due_at = 0 WHERE id = $1 AND state = $2 AND due_at > 0`, id, Sealed)
		if err != nil {
			return err
		}
		if !ok {
			return &Error{Conflict, CodeNotDue, doc.Reference}
		}
		_, err = recordDocument(ctx, tx, id, EventUndone, by, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("undo document %d: %w", id, err)
	}
	s.Log.Info("document taken back before it went out", "document", id, "reference", doc.Reference, "by", by.String())
	return s.Document(ctx, id)
}

// IssueDue issues every document whose time has come and returns how many went out. One that cannot go out stops no other.
func (s *Store) IssueDue(ctx context.Context) (int, error) {
	var rows []struct {
		ID     DocumentID          `db:"id"`
		Agency recipients.UnitCode `db:"agency"`
		Due    int64               `db:"due_at"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT id, agency, due_at FROM document WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at, id LIMIT 100`, tx.Now.UnixMicro())
	})
	if err != nil {
		return 0, fmt.Errorf("documents that are due: %w", err)
	}
	n := 0
	for _, r := range rows {
		var e *Event
		if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { e, err = lastEvent(ctx, tx, r.ID.chain(), EventDue); return err }); err != nil {
			return n, err
		}
		doc, err := s.issueWhen(ctx, scheduler(e, r.Agency), r.ID, r.Due)
		switch {
		case ctx.Err() != nil:
			return n, ctx.Err()
		case err != nil:
			s.Log.Error("a document that is due cannot go out", "document", r.ID, "err", err)
		case doc.State == Issued:
			n++
		}
	}
	return n, nil
}

// scheduler is who said that the document be issued.
func scheduler(e *Event, agency recipients.UnitCode) Actor {
	if e == nil {
		return Actor{Name: Gateway.Name, Unit: agency}
	}
	var d struct{ By Actor }
	if json.Unmarshal([]byte(e.Detail), &d) == nil && d.By.String() == e.Actor {
		return d.By
	}
	if strings.Contains(e.Actor, "@") {
		return Actor{Address: mailcore.Address(e.Actor), Unit: agency}
	}
	return Actor{Name: e.Actor, Unit: agency}
}

// RunDue issues documents as they become due, until ctx ends. Any number of nodes may run it.
func (s *Store) RunDue(ctx context.Context) error {
	wake, end := s.db.Listen(topicDue)
	defer end()
	for {
		if _, err := s.IssueDue(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("issue what is due", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-time.After(s.untilDue(ctx)):
		}
	}
}

// untilDue is how long nothing becomes due, at most pollDue.
func (s *Store) untilDue(ctx context.Context) time.Duration {
	var next []int64
	var now time.Time
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		now = tx.Now
		return tx.SelectContext(ctx, &next, `SELECT due_at FROM document WHERE due_at > $1 ORDER BY due_at LIMIT 1`, now.UnixMicro())
	})
	if err != nil || len(next) == 0 {
		return pollDue
	}
	return max(10*time.Millisecond, min(pollDue, time.UnixMicro(next[0]).Sub(now)))
}

// holdDue makes sure, in the transaction of the issue, that nobody has taken the document back.
func holdDue(ctx context.Context, tx *sqldb.Tx, id DocumentID, due int64) error {
	ok, err := tx.ExecOne(ctx, `UPDATE document SET due_at = 0 WHERE id = $1 AND state = $2 AND due_at = $3`, id, Sealed, due)
	if err != nil {
		return err
	}
	if !ok {
		return ErrStale
	}
	return nil
}

// due checks that a document is due exactly when its events say so.
func (c *checker) due(doc *Document, events []Event) {
	var due int64
	for _, e := range events {
		switch e.Kind {
		case EventDue:
			var d struct{ Due int64 }
			if err := json.Unmarshal([]byte(e.Detail), &d); err != nil {
				c.sayf("document %d: event %d: %v", doc.ID, e.Ordinal, errors.Unwrap(err))
			}
			due = d.Due
		case EventUndone, string(Issued):
			due = 0
		}
	}
	if due != doc.DueAt {
		c.sayf("document %d: due_at is %d, its events say %d", doc.ID, doc.DueAt, due)
	}
}
