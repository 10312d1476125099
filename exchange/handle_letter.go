package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// A parcel is a mail for mailboxes of ours, stored and ready to be shown by the transaction of an act.
type parcel struct {
	body   *mailcore.Body
	copies []mailcore.Copy
}

// parcel stores a letter for those of the addresses that have a mailbox here; nil when none has.
func (s *Store) parcel(ctx context.Context, l *letter, prefix []byte, to ...mailcore.Address) (*parcel, error) {
	p := &parcel{}
	for _, address := range to {
		a, err := s.Mail.Account(ctx, address)
		if errors.Is(err, mailcore.ErrNoAccount) || err == nil && !a.ClosedAt.IsZero() {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.copies = append(p.copies, mailcore.Copy{Account: a.ID, Prefix: append([]byte("Return-Path: <>\r\n"), prefix...)})
	}
	if len(p.copies) == 0 {
		return nil, nil
	}
	if l.from.Address == "" {
		l.from = mail.Address{Name: "Công Văn", Address: ReplyMailbox + "@" + s.Domain}
	}
	if l.date.IsZero() {
		l.date = s.db.Now()
	}
	var err error
	p.body, err = s.saveLetter(ctx, l)
	return p, err
}

// with returns the parcel with further header lines before each copy; nil of nil.
func (p *parcel) with(prefix []byte) *parcel {
	if p == nil {
		return nil
	}
	out := &parcel{body: p.body, copies: slices.Clone(p.copies)}
	for i := range out.copies {
		out.copies[i].Prefix = append(slices.Clone(out.copies[i].Prefix), prefix...)
	}
	return out
}

// post delivers parcels in the transaction of the act that they tell of.
func (s *Store) post(ctx context.Context, tx *sqldb.Tx, parcels ...*parcel) error {
	for _, p := range parcels {
		if p == nil {
			continue
		}
		if _, err := s.Mail.DeliverTx(ctx, tx, p.body, p.copies); err != nil {
			return err
		}
	}
	return nil
}

// actID names the letter about the next act on a copy: an act that is begun again writes the same.
func (s *Store) actID(kind string, d *Dispatch) string {
	return fmt.Sprintf("%s-%d-%d@%s", kind, d.ID, d.Events, s.Domain)
}

// tell makes the parcel of a letter that a template words, for a unit's mailbox.
func (s *Store) tell(ctx context.Context, r *Receipt, kind, head string, data letterData, to mailcore.Address) (*parcel, error) {
	text, err := templates.Mail(kind+".txt", data)
	if err != nil {
		return nil, err
	}
	local, _, _ := strings.Cut(string(to), "@")
	l := &letter{to: string(to), subject: head + ": " + r.Document.Reference, text: text, inReplyTo: s.messageID(r.Document),
		id: s.actID(kind+"-"+local, r.Dispatch), automatic: true}
	return s.parcel(ctx, l, nil, to)
}

func (s *Store) unitAddress(code recipients.UnitCode) mailcore.Address {
	return mailcore.Address(string(code) + "@" + s.Domain)
}

// refusalLetters tell the issuing agency, and the unit that forwarded the copy, that it came back and what to do now.
func (s *Store) refusalLetters(ctx context.Context, r *Receipt, reason string) ([]*parcel, error) {
	code, text := RefusalOf(reason)
	data := s.letterData(ctx, r)
	data.Reason, data.Todo = text, refusalOf(code).Todo
	if d := r.Dispatch; d.ArrivalNumber != "" && d.Unit != "" {
		data.Note = "Đơn vị đã tiếp nhận nhầm: số đến " + d.ArrivalNumber + " bị hủy, không dùng lại."
	}
	to := []mailcore.Address{s.unitAddress(r.Document.Agency)}
	if r.Dispatch.Parent != nil {
		var from *Dispatch
		if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { from, err = dispatch(ctx, tx, *r.Dispatch.Parent); return err }); err != nil {
			return nil, err
		}
		if from.Way == ByMailbox && from.Address != string(to[0]) {
			to = append(to, mailcore.Address(from.Address))
		}
	}
	var out []*parcel
	for _, address := range to {
		p, err := s.tell(ctx, r, "refused", "Trả lại", data, address)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
