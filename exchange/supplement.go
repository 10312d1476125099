package exchange

import (
	"context"
	"errors"
	"fmt"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// supplementLine is the line of a copy that no line of the document names.
const supplementLine = 0

// A Forgotten is a recipient whom a document should have named: a unit of the directory, or a name with or without a mail address.
type Forgotten struct {
	Unit    recipients.UnitCode
	Name    string
	Address string
	Purpose string
}

// Supplement sends an issued document to a recipient that was forgotten (gửi bổ sung), for a reason. What was issued stays as it was:
// the copy belongs to no line and no other copy, and the document's event says who added it and why. A recipient that has a copy
// gets no other; a second call with the same reason returns the copy that is there.
func (s *Store) Supplement(ctx context.Context, by Actor, id DocumentID, to Forgotten, reason string) (*Dispatch, error) {
	reason = oneLine(reason)
	if reason == "" {
		return nil, &Error{Invalid, CodeNoReason, ""}
	}
	doc, err := s.issuedBy(ctx, by, id)
	if err != nil {
		return nil, err
	}
	p, err := s.planSupplement(ctx, doc, to)
	if err != nil {
		return nil, err
	}
	var d *Dispatch
	fresh := false
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		again := *p // the closure may run again
		again.dispatches = []Dispatch{p.dispatches[0]}
		var err error
		d, fresh, err = s.supplement(ctx, tx, by, doc, &again, reason)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("supplement document %d: %w", id, err)
	}
	if fresh {
		s.Log.Info("copy added", "document", id, "reference", doc.Reference, "dispatch", d.ID, "unit", d.Unit, "by", by.String())
	}
	return d, nil
}

func (s *Store) planSupplement(ctx context.Context, doc *Document, to Forgotten) (*plan, error) {
	d := Dispatch{Line: supplementLine, Purpose: oneLine(to.Purpose)}
	switch {
	case to.Unit == doc.Agency:
		return nil, &Error{Conflict, CodeHasCopy, string(to.Unit)}
	case to.Unit != "":
		dir, err := s.Directory(ctx, "")
		if err != nil {
			return nil, err
		}
		u, ok := dir.Unit(to.Unit)
		if !ok || u.Kind == recipients.KindGroup {
			return nil, &Error{Missing, CodeUnknownUnit, string(to.Unit)}
		}
		d.Unit, d.Name, d.Address = u.Code, u.Name, string(s.address(u))
	default:
		if d.Name = oneLine(to.Name); d.Name == "" {
			return nil, &Error{Missing, CodeUnknownUnit, ""}
		}
		if to.Address != "" {
			address, err := mailcore.ParseAddress(to.Address)
			if err != nil {
				return nil, errors.Join(&Error{Invalid, CodeBadAddress, to.Address}, err)
			}
			d.Address = string(address)
		}
	}
	return s.planCopy(ctx, doc, d)
}

func (s *Store) supplement(ctx context.Context, tx *sqldb.Tx, by Actor, doc *Document, p *plan, reason string) (d *Dispatch, fresh bool, err error) {
	if err := holdDocument(ctx, tx, doc.ID); err != nil {
		return nil, false, err
	}
	d = &p.dispatches[0]
	copies, err := copiesOf(ctx, tx, doc.ID)
	if err != nil {
		return nil, false, err
	}
	added, err := documentRecords(ctx, tx, doc.ID, EventSupplemented)
	if err != nil {
		return nil, false, err
	}
	for i := range copies {
		c := &copies[i]
		if c.Unit != d.Unit || d.Unit == "" && (c.Name != d.Name || c.Address != d.Address) {
			continue
		}
		for _, a := range added {
			if a.Copy == c.ID && a.Reason == reason {
				return c, false, nil
			}
		}
		return nil, false, &Error{Conflict, CodeHasCopy, c.Name}
	}
	for _, kind := range []string{EventRecalled, EventReplaced} {
		if gone, err := documentRecords(ctx, tx, doc.ID, kind); err != nil || len(gone) > 0 {
			return nil, false, errors.Join(err, &Error{Conflict, CodeTakenBack, doc.Reference})
		}
	}
	if err := s.addCopies(ctx, tx, doc, p, by, reason); err != nil {
		return nil, false, err
	}
	_, err = recordDocument(ctx, tx, doc.ID, EventSupplemented, by, recallDetail{Reason: reason, Copy: d.ID, Name: d.Name})
	return d, true, err
}

// supplements proves that each copy beyond the lines was added by an event of its document, with a reason, and each of these is there.
func (c *checker) supplements(doc *Document, copies []Dispatch, events []Event) {
	added := map[DispatchID]bool{}
	for _, e := range events {
		if e.Kind != EventSupplemented {
			continue
		}
		r := recallOf(e.Detail)
		added[r.Copy] = true
		if r.Reason == "" || e.Actor == "" {
			c.sayf("document %d: dispatch %d was added without a reason or an actor", doc.ID, r.Copy)
		}
	}
	for i := range copies {
		d := &copies[i]
		if d.supplement() && !added[d.ID] {
			c.sayf("dispatch %d: no line and no event names it: the row was added", d.ID)
		}
		if d.supplement() {
			delete(added, d.ID)
		}
	}
	for id := range added {
		c.sayf("dispatch %d: was added to document %d and is not there", id, doc.ID)
	}
}

// supplement reports whether the copy was added after the issue.
func (d *Dispatch) supplement() bool { return d.Parent == nil && d.Line == supplementLine }
