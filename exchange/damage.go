package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
)

// Milestones of a copy that came damaged.
const (
	EventDamaged = "damaged" // the recipient cannot read it
	EventResent  = "resent"  // the same bytes went out once more, under the same ids
)

// damagePause is the time within which the same complaint is the same report: a step that is repeated sends nothing twice.
const damagePause = 15 * time.Minute

// ReportDamage tells that the recipient cannot read its copy. The stored files are compared with the digests that were issued, and
// the same mail is delivered once more, with the same ids and the same state. The issuing agency is told.
func (s *Store) ReportDamage(ctx context.Context, by Actor, id DispatchID, what string) (*Receipt, error) {
	return s.carryOut(ctx, by, id, s.reportingDamage(by, what))
}

func (s *Store) reportingDamage(by Actor, what string) order {
	what = strings.Join(strings.Fields(viettext.NFC(what)), " ")
	var body *mailcore.Body
	var copies []mailcore.Copy
	var told *parcel
	return order{
		prepare: func(ctx context.Context, r *Receipt) (err error) {
			if err := s.proveFiles(ctx, r.Document); err != nil {
				return err
			}
			if body, copies, err = s.mailOf(ctx, r); err != nil {
				return err
			}
			data := s.letterData(ctx, r)
			data.Reason, data.SHA256 = what, string(r.Document.SealedPDF)
			told, err = s.tell(ctx, r, "damaged", "Báo hỏng tệp", data, s.unitAddress(r.Document.Agency))
			return err
		},
		do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			changed, err := s.resend(ctx, tx, r, by, what, body, copies)
			if err != nil || !changed {
				return err
			}
			return s.post(ctx, tx, told)
		},
	}
}

// proveFiles compares every stored file of the document with the digest that its recipients were told.
func (s *Store) proveFiles(ctx context.Context, doc *Document) error {
	list, err := s.Package(ctx, doc.ID)
	if err != nil {
		return err
	}
	for _, it := range list {
		data, err := s.Bytes(it.Travels())
		if err != nil || blob.Of(data) != it.Travels() {
			return &Error{Conflict, CodeDamagedHere, it.FileName}
		}
	}
	return nil
}

// mailOf finds the mail that carried a copy: the very bytes where they still lie in the recipient's mailbox, else composed again.
// copies says where they go, for a mailbox of ours.
func (s *Store) mailOf(ctx context.Context, r *Receipt) (body *mailcore.Body, copies []mailcore.Copy, err error) {
	d := r.Dispatch
	if d.Way != ByMailbox {
		body, err = s.compose(ctx, r.Document)
		return body, nil, err
	}
	a, err := s.Mail.Account(ctx, mailcore.Address(d.Address))
	if err != nil {
		return nil, nil, err
	}
	var all []*Dispatch // which the mail stands for
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		ids, err := peers(ctx, tx, d)
		for _, id := range ids {
			p, e := dispatch(ctx, tx, id)
			if err = errors.Join(err, e); e == nil {
				all = append(all, p)
			}
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	copies = []mailcore.Copy{{Account: a.ID, Prefix: s.prefix(all...), Ref: refOf(all)}}
	lying, err := s.Mail.CopiesOf(ctx, copies[0].Ref)
	if err != nil {
		return nil, nil, err
	}
	if len(lying) > 0 {
		copies[0].Prefix = lying[0].Prefix
		body, err = s.Mail.StoredBody(ctx, lying[0].Message)
	} else {
		body, err = s.compose(ctx, r.Document)
	}
	return body, copies, err
}

// A resending is the detail of an event "resent".
type resending struct {
	SHA256  string             `json:"sha256"`         // of the document, compared with the stored bytes
	Body    string             `json:"body"`           // digest of the mail
	Mailbox mailcore.MailboxID `json:"into,omitempty"` // where it lies now …
	UID     mailcore.UID       `json:"uid,omitempty"`
	Outbox  mailcore.OutboxID  `json:"outbox,omitempty"` // … or waits to be sent
}

func (s *Store) resend(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, what string, body *mailcore.Body, copies []mailcore.Copy) (bool, error) {
	d := r.Dispatch
	if d.Closed() && d.Handling != Noted && d.Handling != Completed { // "để biết" is closed by opening, damaged or not
		return false, &Error{Conflict, CodeWrongState, string(d.Handling)}
	}
	if done, err := saidDamaged(ctx, tx, r, by, what); err != nil || done {
		return false, err
	}
	if err := r.arrive(ctx, tx, by); err != nil {
		return false, err
	}
	if err := r.act(ctx, tx, EventDamaged, by, cause(map[string]any{"what": what, "mail": r.mail}, r), nil); err != nil {
		return false, err
	}
	sent := resending{SHA256: string(r.Document.SealedPDF), Body: string(body.Digest)}
	switch d.Way {
	case ByMailbox:
		placed, err := s.Mail.DeliverTx(ctx, tx, body, copies)
		if err != nil {
			return false, err
		}
		sent.Mailbox, sent.UID = placed[0].Mailbox, placed[0].UID
	case ByMail:
		ids, err := s.Mail.EnqueueTx(ctx, tx, body, []mailcore.Outgoing{s.outgoing(d, r.Document)})
		if err != nil {
			return false, err
		}
		sent.Outbox = ids[0]
	default:
		return true, nil // on paper: the issuing agency sends it again, and was told
	}
	return true, r.act(ctx, tx, EventResent, Gateway, sent, nil)
}

// saidDamaged reports whether this very report was recorded: by the same mail, or in the same words a moment ago.
func saidDamaged(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, what string) (bool, error) {
	var events []Event
	if err := tx.SelectContext(ctx, &events, `SELECT at, actor, detail FROM event WHERE chain = $1 AND kind = $2`, r.Dispatch.ID, EventDamaged); err != nil {
		return false, fmt.Errorf("events of dispatch %d: %w", r.Dispatch.ID, err)
	}
	return slices.ContainsFunc(events, func(e Event) bool {
		var v struct {
			What string
			Mail int64
		}
		json.Unmarshal([]byte(e.Detail), &v)
		if r.mail != 0 && v.Mail == r.mail {
			return true
		}
		return v.Mail == r.mail && v.What == what && e.Actor == by.String() && tx.Now.Sub(time.UnixMicro(e.At)) < damagePause
	}), nil
}
