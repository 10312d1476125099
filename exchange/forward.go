package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// rightUnit is the reason of a forward that gives none.
const rightUnit = "chuyển đến đơn vị có trách nhiệm giải quyết"

// Forward hands a copy on to the unit whose matter it is (chuyển tiếp): the unit gets a copy of its own, whose parent is this one,
// and this one is closed. Nobody gets a second copy while it has an open one, and none comes back to where it came from.
func (s *Store) Forward(ctx context.Context, by Actor, id DispatchID, to recipients.UnitCode, reason string) (*Receipt, error) {
	return s.carryOut(ctx, by, id, s.forwarding(by, to, reason))
}

func (s *Store) forwarding(by Actor, to recipients.UnitCode, reason string) order {
	if reason = strings.Join(strings.Fields(viettext.NFC(reason)), " "); reason == "" {
		reason = rightUnit
	}
	var p *plan
	var told *parcel
	var released []*parcel
	return order{
		prepare: func(ctx context.Context, r *Receipt) (err error) {
			if r.Dispatch.Handling == Forwarded {
				return nil // nothing will be sent
			}
			if p, err = s.planForward(ctx, r, to); err == nil {
				told, err = s.forwardLetter(ctx, r, &p.dispatches[0], reason)
			}
			if err == nil {
				released, err = s.taskLetters(ctx, r, Assignment{})
			}
			return err
		},
		do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			if err := s.forward(ctx, tx, r, by, to, p, reason); err != nil || !r.Changed {
				return err
			}
			return s.post(ctx, tx, append(released, told.with(s.replyHeader(&p.dispatches[0])))...)
		},
	}
}

// planForward works out how the unit's copy travels, as at issue.
func (s *Store) planForward(ctx context.Context, r *Receipt, to recipients.UnitCode) (*plan, error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	u, ok := dir.Unit(to)
	if !ok || u.Kind == recipients.KindGroup {
		return nil, &Error{Missing, CodeUnknownUnit, string(to)}
	}
	parent := r.Dispatch.ID
	return s.planCopy(ctx, r.Document, Dispatch{Line: r.Dispatch.Line, Purpose: r.Dispatch.Purpose, DueOn: r.Dispatch.DueOn, Parent: &parent,
		Unit: to, Name: u.Name, Address: string(s.address(u))})
}

// planCopy prepares one more copy of an issued document.
func (s *Store) planCopy(ctx context.Context, doc *Document, d Dispatch) (*plan, error) {
	p := &plan{accounts: map[mailcore.Address]mailcore.AccountID{}, domain: s.Domain}
	if d.Address != "" {
		a, err := s.Mail.Account(ctx, mailcore.Address(d.Address))
		if err == nil && a.ClosedAt.IsZero() {
			p.accounts[a.Address] = a.ID
		} else if err != nil && !errors.Is(err, mailcore.ErrNoAccount) {
			return nil, err
		}
	}
	p.add(doc, d)
	var err error
	p.body, err = s.compose(ctx, doc)
	return p, err
}

// An origin is the detail of the first event of a copy that joined later: why, and through which copy.
type origin struct {
	place
	Parent DispatchID `json:"parent"`
	Why    string     `json:"why"` // reason in words
	DueOn  string     `json:"due_on,omitempty"`
}

// addCopies writes the copies of a plan for a document that is issued already, with mailbox rows, outbox rows and events. It
// holds the document's row, so that copies get their numbers one after the other.
func (s *Store) addCopies(ctx context.Context, tx *sqldb.Tx, doc *Document, p *plan, by Actor, why string) error {
	issue, next, err := lockCopies(ctx, tx, doc.ID)
	if err != nil {
		return err
	}
	if err := s.numberCopies(ctx, tx, doc, p, next); err != nil {
		return err
	}
	err = s.writeCopies(ctx, tx, doc, p, by, issue, func(d *Dispatch, at place) any {
		o := origin{place: at, Why: why, DueOn: d.DueOn}
		if d.Parent != nil {
			o.Parent = *d.Parent
		}
		return o
	})
	if err != nil {
		return err
	}
	for i := range p.dispatches {
		tx.Tell(p.dispatches[i].copied(doc.Agency, by.String(), why))
	}
	if len(p.dots) == 0 {
		return nil
	}
	_, err = s.Mail.DoubtTx(ctx, tx, p.dots)
	return err
}

// lockCopies holds the document's row and returns the digest of its event of issue and the number of the next copy.
func lockCopies(ctx context.Context, tx *sqldb.Tx, id DocumentID) (issue []byte, next int, err error) {
	ok, err := tx.ExecOne(ctx, `UPDATE document SET state = state WHERE id = $1 AND state = 'issued'`, id)
	if err != nil {
		return nil, 0, fmt.Errorf("hold document %d: %w", id, err)
	}
	if !ok {
		return nil, 0, &Error{Conflict, CodeNotIssued, fmt.Sprint(id)}
	}
	if err := tx.GetContext(ctx, &issue, `SELECT digest FROM event WHERE chain = $1 AND kind = 'issued'`, id.chain()); err != nil {
		return nil, 0, fmt.Errorf("issue of document %d: %w", id, err)
	}
	var last int64
	least, greatest := id.span()
	if err := tx.GetContext(ctx, &last, `SELECT COALESCE(MAX(id), 0) FROM (SELECT id FROM dispatch WHERE id BETWEEN $1 AND $2
		UNION ALL SELECT dispatch_id FROM restored_copy WHERE dispatch_id BETWEEN $1 AND $2) AS c`, least, greatest); err != nil {
		return nil, 0, fmt.Errorf("copies of document %d: %w", id, err)
	}
	if last == greatest {
		return nil, 0, fmt.Errorf("document %d has %d copies and can have no more", id, last-least+1)
	}
	return issue, int(max(last, least-1)-id.chain()) + 1, nil
}

func (s *Store) forward(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, to recipients.UnitCode, p *plan, reason string) error {
	d := r.Dispatch
	if d.Handling == Forwarded {
		return alreadyForwarded(ctx, tx, d, to)
	}
	if err := r.arrive(ctx, tx, by); err != nil {
		return err
	}
	if _, _, err := d.moved(string(Forwarded)); err != nil {
		return err
	}
	if p == nil {
		return ErrStale // it was forwarded when this began and is not any more: begin again
	}
	child := &p.dispatches[0]
	if _, _, err := lockCopies(ctx, tx, d.Document); err != nil {
		return err
	}
	if err := mayGet(ctx, tx, r, to); err != nil {
		return err
	}
	if err := release(ctx, tx, r, by); err != nil {
		return err
	}
	if err := s.addCopies(ctx, tx, r.Document, p, by, reason); err != nil {
		return err
	}
	detail := cause(map[string]any{"to": to, "child": child.ID, "reason": reason, "mail": r.mail}, r)
	if err := r.act(ctx, tx, string(Forwarded), by, detail, nil); err != nil {
		return err
	}
	return moveIncoming(ctx, tx, d)
}

// alreadyForwarded lets the same forward be said again, and no other.
func alreadyForwarded(ctx context.Context, tx *sqldb.Tx, d *Dispatch, to recipients.UnitCode) error {
	var n int
	least, greatest := d.Document.span()
	if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM dispatch WHERE id BETWEEN $1 AND $2 AND parent = $3 AND unit = $4`, least, greatest, d.ID, to); err != nil {
		return fmt.Errorf("children of dispatch %d: %w", d.ID, err)
	}
	if n == 0 {
		return &Error{Conflict, CodeWrongState, string(Forwarded)}
	}
	return nil
}

// maxForwards bounds how often one copy is handed on: by then somebody has to decide, not to forward.
const maxForwards = 8

// mayGet says whether a copy may be handed on to a unit. The transaction holds the document's row.
func mayGet(ctx context.Context, tx *sqldb.Tx, r *Receipt, to recipients.UnitCode) error {
	if to == r.Document.Agency {
		return &Error{Conflict, CodeForwardToIssuer, string(to)}
	}
	steps := 0
	for at := r.Dispatch; ; steps++ {
		if at.Unit == to {
			return &Error{Conflict, CodeForwardLoop, string(to)}
		}
		if at.Parent == nil {
			break
		}
		var err error
		if at, err = dispatch(ctx, tx, *at.Parent); err != nil {
			return err
		}
	}
	if steps >= maxForwards {
		return &Error{Conflict, CodeForwardLoop, string(to)}
	}
	var theirs []Dispatch
	least, greatest := r.Document.ID.span()
	if err := tx.SelectContext(ctx, &theirs, `SELECT `+dispatchColumns+` FROM dispatch WHERE id BETWEEN $1 AND $2 AND unit = $3`, least, greatest, to); err != nil {
		return fmt.Errorf("copies of %s: %w", to, err)
	}
	for _, d := range theirs {
		switch {
		case !d.Closed(), d.Handling == Completed:
			return &Error{Conflict, CodeHasCopy, string(to)}
		case d.Handling == Refused || d.Handling == Forwarded:
			return &Error{Conflict, CodeForwardLoop, string(to)}
		}
	}
	return nil
}

// forwardLetter tells the unit why it gets a document that does not name it; nil where it has no mailbox here.
func (s *Store) forwardLetter(ctx context.Context, r *Receipt, child *Dispatch, reason string) (*parcel, error) {
	if child.Way != ByMailbox {
		return nil, nil
	}
	data := s.letterData(ctx, r)
	data.To, data.Reason, data.Deadline = child.Name, reason, vietnameseDate(child.DueOn)
	text, err := templates.Mail("passed.txt", data)
	if err != nil {
		return nil, err
	}
	from := r.Dispatch.Address
	if r.Dispatch.Way != ByMailbox {
		from = ReplyMailbox + "@" + s.Domain
	}
	l := &letter{from: mail.Address{Name: r.Dispatch.Name, Address: from}, to: child.Address, subject: "Chuyển văn bản: " + documentSubject(r.Document), text: text,
		inReplyTo: s.messageID(r.Document), id: s.actID("chuyen", r.Dispatch), urgency: r.Document.Urgency}
	return s.parcel(ctx, l, nil, mailcore.Address(child.Address))
}
