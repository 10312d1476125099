package exchange

import (
	"context"
	"fmt"
	"slices"

	"congvan/mailcore/sqldb"
)

// EventAnswered tells by which document a copy is answered.
const EventAnswered = "answered"

// An Answer is a document of a unit that answers a copy it received.
type Answer struct {
	Dispatch  DispatchID `db:"dispatch_id" json:"-"`
	Document  DocumentID `db:"document_id" json:"-"`
	Reference string     `db:"reference" json:"reference"`
	State     State      `db:"state" json:"state"`
	LinkedAt  int64      `db:"linked_at" json:"-"`
	LinkedBy  string     `db:"linked_by" json:"linked_by"`
}

// Answer links a document of the unit to the copy that it answers. The copy is completed thereby, at once where the document is
// issued, else in the transaction that issues it.
func (s *Store) Answer(ctx context.Context, by Actor, id DispatchID, answer DocumentID) (*Receipt, error) {
	return s.carryOut(ctx, by, id, order{do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		doc, err := document(ctx, tx, answer)
		if err != nil {
			return err
		}
		return linkAnswer(ctx, tx, r, by, doc)
	}})
}

// answeringBy is the order to answer by the unit's document of this reference, the newest where several years have one.
func (s *Store) answeringBy(by Actor, reference string) order {
	return order{do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		var docs []Document
		err := tx.SelectContext(ctx, &docs, `SELECT `+documentColumns+` FROM document WHERE agency = $1 AND reference = $2 AND state <> 'withdrawn'
			ORDER BY year DESC, id DESC LIMIT 1`, r.Dispatch.Unit, reference)
		if err != nil {
			return fmt.Errorf("document %q: %w", reference, err)
		}
		if len(docs) == 0 {
			return &Error{Missing, CodeBadAnswer, reference}
		}
		return linkAnswer(ctx, tx, r, by, &docs[0])
	}}
}

func linkAnswer(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, doc *Document) error {
	d := r.Dispatch
	if doc.Agency != d.Unit || d.Unit == "" || doc.ID == d.Document || !slices.Contains([]State{Registered, Sealed, Issued}, doc.State) {
		return &Error{Invalid, CodeBadAnswer, doc.Reference}
	}
	if d.Closed() && d.Handling != Completed && d.Handling != Noted {
		return &Error{Conflict, CodeWrongState, string(d.Handling)}
	}
	made, err := tx.ExecOne(ctx, `INSERT INTO answer (dispatch_id, document_id, linked_at, linked_by) VALUES ($1, $2, $3, $4)
		ON CONFLICT (dispatch_id, document_id) DO NOTHING`, d.ID, doc.ID, tx.Now.UnixMicro(), by.String())
	if err != nil {
		return fmt.Errorf("answer dispatch %d by document %d: %w", d.ID, doc.ID, err)
	}
	if made {
		if err := r.arrive(ctx, tx, by); err != nil {
			return err
		}
		detail := map[string]any{"document": doc.ID, "reference": doc.Reference, "agency": doc.Agency, "mail": r.mail}
		if err := r.act(ctx, tx, EventAnswered, by, cause(detail, r), nil); err != nil {
			return err
		}
	}
	if doc.State != Issued || d.Closed() {
		return nil
	}
	return advance(ctx, tx, r, by, Completed, r.mail)
}

// answered completes the copies that a document answers, in the transaction that issues it.
func answered(ctx context.Context, tx *sqldb.Tx, doc *Document, by Actor) error {
	var ids []DispatchID
	if err := tx.SelectContext(ctx, &ids, `SELECT dispatch_id FROM answer WHERE document_id = $1 ORDER BY dispatch_id`, doc.ID); err != nil {
		return fmt.Errorf("copies that document %d answers: %w", doc.ID, err)
	}
	for _, id := range ids {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.Dispatch.Closed() {
			continue
		}
		if err := advance(ctx, tx, r, by, Completed, 0); err != nil {
			return err
		}
	}
	return nil
}

// answersOf lists the documents that answer the copies of one.
func answersOf(ctx context.Context, tx *sqldb.Tx, id DocumentID) (map[DispatchID][]Answer, error) {
	var all []Answer
	least, greatest := id.span()
	err := tx.SelectContext(ctx, &all, `SELECT a.dispatch_id, a.document_id, d.reference, d.state, a.linked_at, a.linked_by FROM answer a
		JOIN document d ON d.id = a.document_id WHERE a.dispatch_id BETWEEN $1 AND $2 ORDER BY a.dispatch_id, a.document_id`, least, greatest)
	if err != nil {
		return nil, fmt.Errorf("answers to document %d: %w", id, err)
	}
	out := map[DispatchID][]Answer{}
	for _, a := range all {
		out[a.Dispatch] = append(out[a.Dispatch], a)
	}
	return out, nil
}
