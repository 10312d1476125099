package exchange

import (
	"context"
	"fmt"
	"slices"
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
	issued, err := moveDocument(ctx, tx, doc, Issued, by, map[string]any{"copies": len(p.dispatches), "sha256": doc.SealedPDF}, `, issued_at = $5`, at)
	if err != nil {
		return err
	}
	doc.IssuedAt = &at
	if err := insertDispatches(ctx, tx, doc, p.dispatches); err != nil {
		return err
	}
	places, err := s.deliverCopies(ctx, tx, p)
	if err != nil {
		return err
	}
	if err := s.enqueueCopies(ctx, tx, doc, p); err != nil {
		return err
	}
	events := make([]Event, len(p.dispatches))
	for i, d := range p.dispatches {
		if events[i], err = newEvent(doc.ID, d.ID, 0, string(d.Transport), tx.Now, by, places[d.ID], issued.Digest); err != nil {
			return err
		}
	}
	if err := insertEvents(ctx, tx, events); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE dispatch SET events = 1, head = e.digest FROM event e
		WHERE dispatch.document_id = $1 AND e.document_id = $1 AND e.dispatch_id = dispatch.id AND e.ordinal = 0`, doc.ID)
	return err
}

// insertDispatches writes the rows and fills in their ids, which RETURNING gives in no promised order: the token joins them.
func insertDispatches(ctx context.Context, tx *sqldb.Tx, doc *Document, all []Dispatch) error {
	byToken := make(map[string]*Dispatch, len(all))
	for i := range all {
		all[i].duty(doc.Agency, tx.Now)
		byToken[all[i].Token] = &all[i]
	}
	for chunk := range slices.Chunk(all, rowsPerStatement) {
		rows := make([][]any, len(chunk))
		for i, d := range chunk {
			rows[i] = []any{d.Document, d.Unit, d.Name, d.Address, d.Way, d.Line, d.Purpose, d.Parent, d.Token, d.Transport, d.Handling,
				d.Owner, d.Deadline, d.Head, tx.Now.UnixMicro()}
		}
		var ids []struct {
			ID    DispatchID `db:"id"`
			Token string     `db:"token"`
		}
		err := tx.SelectContext(ctx, &ids, `INSERT INTO dispatch (document_id, unit, name, address, way, line, purpose, parent, token, transport,
			handling, owner, deadline, head, changed_at) VALUES `+places(len(rows), len(rows[0]))+` RETURNING id, token`, flat(rows)...)
		if err != nil {
			return fmt.Errorf("dispatches of document %d: %w", doc.ID, err)
		}
		for _, r := range ids {
			byToken[r.Token].ID = r.ID
		}
	}
	return nil
}

// A place is the detail of a local copy's first event: where it lies.
type place struct {
	Mailbox mailcore.MailboxID `json:"mailbox,omitempty"`
	UID     mailcore.UID       `json:"uid,omitempty"`
	Reason  string             `json:"reason,omitempty"`
}

// deliverCopies puts one mail into each mailbox of ours. Units that share a mailbox get one mail; its ref names all.
func (s *Store) deliverCopies(ctx context.Context, tx *sqldb.Tx, p *plan) (map[DispatchID]any, error) {
	out := map[DispatchID]any{}
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
			out[d.ID] = place{Reason: "no mailbox"}
		}
	}
	if len(order) == 0 {
		return out, nil
	}
	copies := make([]mailcore.Copy, len(order))
	for i, id := range order {
		copies[i] = mailcore.Copy{Account: id, Prefix: s.prefix(shared[id][0].Token), Ref: refOf(shared[id])}
	}
	placed, err := s.Mail.DeliverTx(ctx, tx, p.body, copies)
	if err != nil {
		return nil, err
	}
	for i, id := range order {
		for _, d := range shared[id] {
			out[d.ID] = place{Mailbox: placed[i].Mailbox, UID: placed[i].UID}
		}
	}
	return out, nil
}

// prefix is what stands before the body in one copy alone: replies name their copy by the token.
func (s *Store) prefix(token string) []byte {
	return []byte("Reply-To: <" + ReplyMailbox + "+" + token + "@" + s.Domain + ">\r\n")
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
		out = append(out, mailcore.Outgoing{Sender: mailcore.Address(BounceMailbox + "+" + d.Token + "@" + s.Domain), Rcpt: mailcore.Address(d.Address),
			EnvID: d.Token, Prefix: s.prefix(d.Token), Urgency: urgencyLane(doc.Urgency), Ref: refOf([]*Dispatch{d}), Life: outboxLife})
	}
	if len(out) == 0 {
		return nil
	}
	_, err := s.Mail.EnqueueTx(ctx, tx, p.body, out)
	return err
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
