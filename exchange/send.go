package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// outboxLife is how long an outside copy is tried.
const outboxLife = 24 * time.Hour

// issue is the one transaction. It costs a handful of statements whatever the number of copies: the body stands once, each
// copy is a row in its mailbox, a dispatch and an event.
func (s *Store) issue(ctx context.Context, tx *sqldb.Tx, by Actor, doc *Document, p *plan) error {
	at := tx.Now.UnixMicro()
	issued, err := moveDocument(ctx, tx, doc, Issued, by, map[string]any{"copies": len(p.dispatches), "sha256": doc.SealedPDF}, `, issued_at = $5, due_at = 0`, at)
	if err != nil {
		return err
	}
	doc.IssuedAt, doc.DueAt = &at, 0
	for i := range p.dispatches {
		if !p.again {
			p.dispatches[i].ID = doc.ID.copyID(i + 1)
		}
	}
	if err := s.writeCopies(ctx, tx, doc, p, by, issued.Digest, func(_ *Dispatch, at place) any { return at }); err != nil {
		return err
	}
	if p.again {
		if err := s.issuedAgain(ctx, tx, doc, p); err != nil {
			return err
		}
	}
	return answered(ctx, tx, doc, by)
}

// writeCopies writes copies that have their ids: their places, mailbox and outbox rows, themselves, and the first event of each,
// whose detail is that of first. issue is the digest of the document's event of issue.
func (s *Store) writeCopies(ctx context.Context, tx *sqldb.Tx, doc *Document, p *plan, by Actor, issue []byte, first func(*Dispatch, place) any) error {
	if err := takePlaces(ctx, tx, doc.Agency, p.dispatches); err != nil {
		return err
	}
	places, err := s.deliverCopies(ctx, tx, p)
	if err != nil {
		return err
	}
	if err := s.enqueueCopies(ctx, tx, doc, p); err != nil {
		return err
	}
	cal, err := calendar(ctx, tx)
	if err != nil {
		return err
	}
	events := make([]Event, len(p.dispatches))
	for i := range p.dispatches {
		d := &p.dispatches[i]
		d.duty(doc, cal, tx.Now)
		if events[i], err = newEvent(int64(d.ID), 0, string(d.Transport), tx.Now, by, first(d, places[d.ID]), d.genesis(issue)); err != nil {
			return err
		}
		d.Events, d.Head = 1, events[i].Digest
	}
	if err := insertDispatches(ctx, tx, p.dispatches); err != nil {
		return err
	}
	return insertEvents(ctx, tx, events)
}

// insertDispatches writes copies of one document.
func insertDispatches(ctx context.Context, tx *sqldb.Tx, all []Dispatch) error {
	rows := make([][]any, len(all))
	for i, d := range all {
		rows[i] = []any{d.ID, d.Document, d.Unit, d.Name, d.Address, d.Way, d.Line, d.Purpose, d.Parent, d.Secret, d.Transport, d.Handling,
			d.Owner, d.Deadline, d.Events, d.Head, tx.Now.UnixMicro(), tx.Now.UnixMicro(), d.DueOn, d.Calendar, d.Alarm, d.Sequence}
	}
	return tx.InsertRows(ctx, `INSERT INTO dispatch (id, document_id, unit, name, address, way, line, purpose, parent, token, transport, handling,
		owner, deadline, events, head, changed_at, since, due_on, calendar, alarm, sequence)`, rows, "")
}

// A place is the detail of a copy's first event: where it lies, and its place in the row of copies to the recipient.
type place struct {
	Sequence int64              `json:"sequence,omitempty"`
	Mailbox  mailcore.MailboxID `json:"mailbox,omitempty"`
	UID      mailcore.UID       `json:"uid,omitempty"`
	Reason   string             `json:"reason,omitempty"`
}

// deliverCopies puts one mail into each mailbox of ours. Units that share a mailbox get one mail; its ref names all.
func (s *Store) deliverCopies(ctx context.Context, tx *sqldb.Tx, p *plan) (map[DispatchID]place, error) {
	out := map[DispatchID]place{}
	shared := map[mailcore.AccountID][]*Dispatch{}
	var order []mailcore.AccountID
	for i := range p.dispatches {
		d := &p.dispatches[i]
		switch d.Way {
		case ByMailbox:
			id := p.accounts[mailcore.Address(d.Address)]
			if shared[id] == nil {
				order = append(order, id)
			}
			shared[id] = append(shared[id], d)
		case ByOther:
			out[d.ID] = place{Sequence: d.Sequence, Reason: "no mailbox"}
		case ByMail:
			out[d.ID] = place{Sequence: d.Sequence}
		}
	}
	if len(order) == 0 {
		return out, nil
	}
	copies := make([]mailcore.Copy, len(order))
	for i, id := range order {
		copies[i] = mailcore.Copy{Account: id, Prefix: s.prefix(shared[id]...), Ref: refOf(shared[id])}
	}
	placed, err := s.Mail.DeliverTx(ctx, tx, p.body, copies)
	if err != nil {
		return nil, err
	}
	for i, id := range order {
		for _, d := range shared[id] {
			out[d.ID] = place{Sequence: d.Sequence, Mailbox: placed[i].Mailbox, UID: placed[i].UID}
		}
	}
	return out, nil
}

// prefix is what stands before the body in one copy alone: replies name their copy by its token, and each unit that shares the
// mailbox finds its place in the row of copies to it.
func (s *Store) prefix(shared ...*Dispatch) []byte {
	b := s.replyHeader(shared[0])
	for _, d := range shared {
		b = append(b, d.sequenceHeader()...)
	}
	return b
}

// replyHeader has answers come to a copy's token.
func (s *Store) replyHeader(d *Dispatch) []byte {
	return []byte("Reply-To: <" + ReplyMailbox + "+" + d.Token() + "@" + s.Domain + ">\r\n")
}

const refKind = "dispatch:"

func refOf(ds []*Dispatch) string {
	ids := make([]string, len(ds))
	for i, d := range ds {
		ids[i] = fmt.Sprint(int64(d.ID))
	}
	return refKind + strings.Join(ids, ",")
}

func (s *Store) enqueueCopies(ctx context.Context, tx *sqldb.Tx, doc *Document, p *plan) error {
	var out []mailcore.Outgoing
	for i := range p.dispatches {
		d := &p.dispatches[i]
		if d.Way != ByMail {
			continue
		}
		out = append(out, s.outgoing(d, doc))
	}
	if len(out) == 0 {
		return nil
	}
	_, err := s.Mail.EnqueueTx(ctx, tx, p.body, out)
	return err
}

// outgoing is an outside copy's row in the outbox.
func (s *Store) outgoing(d *Dispatch, doc *Document) mailcore.Outgoing {
	return mailcore.Outgoing{Sender: mailcore.Address(BounceMailbox + "+" + d.Token() + "@" + s.Domain), Rcpt: mailcore.Address(d.Address),
		EnvID: d.Token(), Prefix: append(s.prefix(d), s.askReceipt(d)...), Urgency: urgencyLane(doc.Urgency), Ref: refOf([]*Dispatch{d}), Life: outboxLife}
}

// urgencyLane orders the outbox: độ khẩn of NĐ 30/2020 Phụ lục I II.10b.
func urgencyLane(urgency string) int {
	switch urgency {
	case "Khẩn":
		return 1
	case "Thượng khẩn":
		return 2
	case "Hỏa tốc":
		return 3
	}
	return 0
}
