package exchange

import (
	"context"
	"fmt"

	"congvan/mailcore/sqldb"
)

// Replace puts another issued document of the agency in a document's place (thay thế), for a reason: every open copy is closed as
// superseded, those that have not left stay, and whoever has one is told which document replaces which. A second call changes nothing.
func (s *Store) Replace(ctx context.Context, by Actor, old, successor DocumentID, reason string) (*RecallMap, error) {
	l := &link{by: by, here: EventReplaced, there: EventReplaces}
	if err := s.newLink(ctx, l, old, successor, reason, "replaced.txt", "Đã thay thế"); err != nil {
		return nil, err
	}
	if err := s.insist(ctx, func(tx *sqldb.Tx) error { return s.replace(ctx, tx, l) }); err != nil {
		return nil, fmt.Errorf("replace document %d by %d: %w", old, successor, err)
	}
	s.Log.Info("document replaced", "document", old, "reference", l.doc.Reference, "by_document", successor, "by", by.String())
	return s.RecallMap(ctx, old)
}

// Correct links an issued document that corrects another one (đính chính), for a reason: whoever has a copy is told; nothing closes.
// A second call changes nothing.
func (s *Store) Correct(ctx context.Context, by Actor, wrong, right DocumentID, reason string) error {
	l := &link{by: by, here: EventCorrected, there: EventCorrects}
	if err := s.newLink(ctx, l, wrong, right, reason, "corrected.txt", "Đính chính"); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		fresh, err := l.record(ctx, tx)
		if err != nil || !fresh {
			return err
		}
		copies, err := copiesOf(ctx, tx, wrong)
		if err != nil {
			return err
		}
		return l.tell(ctx, tx, holders(copies))
	})
	if err != nil {
		return fmt.Errorf("correct document %d by %d: %w", wrong, right, err)
	}
	s.Log.Info("document corrected", "document", wrong, "reference", l.doc.Reference, "by_document", right, "by", by.String())
	return nil
}

// A link joins a document to another one that stands in its place, or beside it.
type link struct {
	by          Actor
	doc, other  *Document
	reason      string
	letter      *circular // to holders of the document
	both        *circular // to those who have the other document, too
	here, there string    // kinds of the two documents' events
}

func (s *Store) newLink(ctx context.Context, l *link, id, other DocumentID, reason, template, head string) (err error) {
	if l.reason = oneLine(reason); l.reason == "" {
		return &Error{Invalid, CodeNoReason, ""}
	}
	if l.doc, err = s.issuedBy(ctx, l.by, id); err != nil {
		return err
	}
	if l.other, err = s.issuedBy(ctx, l.by, other); err != nil {
		return err
	}
	if id == other {
		return &Error{Conflict, CodeSameDocument, l.doc.Reference}
	}
	data := circularData{Reason: l.reason, Other: l.other.Reference, OtherDate: vietnameseDate(l.other.IssuedOn)}
	return s.linkLetters(ctx, l, template, head, data)
}

// linkLetters composes what holders of the document are told, and their calendars: whoever has the other document too has its event by
// now, so the old one is off; for the others the old event is at the other's time. Replaced by what tells no time, it is off.
func (s *Store) linkLetters(ctx context.Context, l *link, template, head string, data circularData) (err error) {
	off := data
	off.calendar = s.calledOff
	switch {
	case l.other.Meeting() != nil:
		data.calendar = func(ctx context.Context, doc *Document, agency string) ([]attached, error) {
			return s.changedTo(ctx, doc, l.other, agency)
		}
	case l.here == EventReplaced:
		data.calendar = s.calledOff
	}
	if l.letter, err = s.circular(ctx, l.doc, template, head, data); err != nil {
		return err
	}
	l.both = l.letter
	if l.doc.Meeting() != nil && l.other.Meeting() != nil {
		l.both, err = s.circular(ctx, l.doc, template, head, off)
	}
	return err
}

// tell writes to holders of the document.
func (l *link) tell(ctx context.Context, tx *sqldb.Tx, all []*Dispatch) error {
	others, err := copiesOf(ctx, tx, l.other.ID)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, d := range holders(others) {
		have[d.Address] = true
	}
	var both, only []*Dispatch
	for _, d := range all {
		if have[d.Address] {
			both = append(both, d)
		} else {
			only = append(only, d)
		}
	}
	if err := l.both.send(ctx, tx, both); err != nil {
		return err
	}
	return l.letter.send(ctx, tx, only)
}

// record writes the link into both documents' chains; fresh is false where it stands there already.
func (l *link) record(ctx context.Context, tx *sqldb.Tx) (fresh bool, err error) {
	for _, id := range []DocumentID{min(l.doc.ID, l.other.ID), max(l.doc.ID, l.other.ID)} {
		if err := holdDocument(ctx, tx, id); err != nil {
			return false, err
		}
	}
	known, err := documentRecords(ctx, tx, l.doc.ID, l.here)
	if err != nil {
		return false, err
	}
	for _, k := range known {
		if k.Other == l.other.ID {
			return false, nil
		}
		if l.here == EventReplaced {
			return false, &Error{Conflict, CodeTakenBack, l.doc.Reference}
		}
	}
	for _, kind := range []string{EventReplaced, EventRecalled} { // what was taken away replaces and corrects nothing
		gone, err := documentRecords(ctx, tx, l.other.ID, kind)
		if err != nil {
			return false, err
		}
		if len(gone) > 0 {
			return false, &Error{Conflict, CodeTakenBack, l.other.Reference}
		}
	}
	detail := recallDetail{Reason: l.reason, Other: l.other.ID, Reference: l.other.Reference}
	if _, err := recordDocument(ctx, tx, l.doc.ID, l.here, l.by, detail); err != nil {
		return false, err
	}
	detail.Other, detail.Reference = l.doc.ID, l.doc.Reference
	_, err = recordDocument(ctx, tx, l.other.ID, l.there, l.by, detail)
	return true, err
}

func documentRecords(ctx context.Context, tx *sqldb.Tx, id DocumentID, kind string) ([]recallDetail, error) {
	var events []Event
	if err := tx.SelectContext(ctx, &events, `SELECT detail FROM event WHERE chain = $1 AND kind = $2 ORDER BY ordinal`, id.chain(), kind); err != nil {
		return nil, fmt.Errorf("records of document %d: %w", id, err)
	}
	out := make([]recallDetail, len(events))
	for i, e := range events {
		out[i] = *recallOf(e.Detail)
	}
	return out, nil
}

// holders are the copies whose recipients may have them.
func holders(copies []Dispatch) []*Dispatch {
	var out []*Dispatch
	for i := range copies {
		switch copies[i].Transport {
		case Relayed, Uncertain, Delivered, Settled:
			out = append(out, &copies[i])
		}
	}
	return out
}

func (s *Store) replace(ctx context.Context, tx *sqldb.Tx, l *link) error {
	fresh, err := l.record(ctx, tx)
	if err != nil {
		return err
	}
	copies, err := copiesOf(ctx, tx, l.doc.ID)
	if err != nil {
		return err
	}
	tell := []*Dispatch{}
	if fresh {
		tell = holders(copies)
	}
	for i := range copies {
		d := &copies[i]
		if d.Closed() {
			continue
		}
		if d.Transport == Queued { // what is on the wire just now cannot be stopped; it is closed all the same
			if _, _, err := s.Mail.CancelRefTx(ctx, tx, refOf([]*Dispatch{d})); err != nil {
				return err
			}
		}
		detail := recallDetail{Reason: "thay bằng " + l.other.Reference + ": " + l.reason, Other: l.other.ID, Reference: l.other.Reference}
		if err := act(ctx, tx, d, l.doc, string(Superseded), l.by, detail, nil); err != nil {
			return err
		}
	}
	return l.tell(ctx, tx, tell)
}
