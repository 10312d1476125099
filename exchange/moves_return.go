package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/templates"
)

// A restoration is an open copy that was deleted, made ready to come back.
type restoration struct {
	least   *Receipt // of the dispatches of the copy the one that is least far
	told    bool     // on this day already
	body    *mailcore.Body
	mailbox mailcore.MailboxID // 0 for the inbox
	prefix  []byte
}

// restorePlaces says where a copy comes back to; else the inbox.
var restorePlaces = map[Handling]folder{Accepted: inAccepted, Assigned: inAccepted, InProgress: inProgress}

// handleDeletion does what the table says of the last copies in a mailbox that are gone. What somebody still has to deal with
// comes back, with the same bytes. All that went at one stroke comes back at one stroke, and one letter says why.
func (s *Store) handleDeletion(ctx context.Context, ev mailcore.Event) error {
	stroke, err := s.Mail.PendingWith(ctx, ev)
	if err != nil || len(stroke) == 0 {
		return err
	}
	if err := s.bringBack(ctx, stroke); err == nil || len(stroke) == 1 || ctx.Err() != nil {
		return err
	}
	return s.bringBack(ctx, []mailcore.Event{ev}) // one that cannot be handled stops no other
}

func (s *Store) bringBack(ctx context.Context, stroke []mailcore.Event) (err error) {
	backs := make([]*restoration, len(stroke))
	var tell []*Receipt
	for i, ev := range stroke {
		if backs[i], err = s.prepareReturn(ctx, ev); err != nil {
			return err
		}
		if back := backs[i]; back != nil && !back.told {
			tell = append(tell, back.least)
		}
	}
	notice, err := s.restoredLetter(ctx, stroke[0], tell)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		told := true
		for i, ev := range stroke {
			came, err := s.returnTx(ctx, tx, ev, backs[i])
			if err != nil {
				return err
			}
			told = told && (!came || backs[i].told)
		}
		if told {
			return nil
		}
		_, err := s.Mail.DeliverTx(ctx, tx, notice, []mailcore.Copy{{Account: stroke[0].Account, Prefix: []byte("Return-Path: <>\r\n")}})
		return err
	})
}

// deletionOf is the cell of the table that a deletion falls under, as far as its event tells.
func deletionOf(ev mailcore.Event) (mailMove, mailcore.Deletion, error) {
	var gone mailcore.Deletion
	if err := json.Unmarshal([]byte(ev.Detail), &gone); err != nil {
		return mailMove{}, gone, fmt.Errorf("detail of a deletion: %w", err)
	}
	return mailMove{way: byExpunge, from: folderOf(gone.From, gone.FromUse), to: nowhere}, gone, nil
}

// prepareReturn makes ready what may have to come back; nil when nobody needs the copy any more.
func (s *Store) prepareReturn(ctx context.Context, ev mailcore.Event) (*restoration, error) {
	cell, gone, err := deletionOf(ev)
	if err != nil {
		return nil, err
	}
	back := &restoration{told: true}
	var all []*Dispatch
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		for _, id := range refIDs(ev.Ref) {
			r, err := receipt(ctx, tx, id)
			if err != nil {
				return err
			}
			all = append(all, r.Dispatch)
			c := cell
			if c.state = standing(r.Dispatch); ruleFor(c).do != isRestored {
				continue
			}
			history, err := chainOf(ctx, tx, id)
			if err != nil {
				return err
			}
			back.told = back.told && toldToday(history, EventRestored, "", tx.Now)
			if back.least == nil || further(back.least, r) {
				back.least = r
			}
		}
		return nil
	})
	if err != nil || back.least == nil {
		return nil, err
	}
	back.body, err = s.Mail.StoredBody(ctx, ev.Message) // the same bytes and the same signature
	if errors.Is(err, mailcore.ErrNoMessage) {
		back.body, err = s.compose(ctx, back.least.Document)
	}
	if err != nil {
		return nil, err
	}
	if back.prefix = gone.Prefix; len(back.prefix) == 0 {
		back.prefix = s.prefix(all...)
	}
	if place := restorePlaces[back.least.Dispatch.Handling]; place != "" {
		box, err := s.Mail.Mailbox(ctx, ev.Account, string(place))
		if err != nil && !errors.Is(err, mailcore.ErrNoMailbox) {
			return nil, err
		}
		back.mailbox = box.ID
	}
	return back, nil
}

func further(a, b *Receipt) bool {
	return slices.Index(openStates, a.Dispatch.Handling) > slices.Index(openStates, b.Dispatch.Handling)
}

// maxRestored bounds how many documents the letter lists.
const maxRestored = 100

// restoredLetter tells of copies that come back; nil for none.
func (s *Store) restoredLetter(ctx context.Context, ev mailcore.Event, all []*Receipt) (*mailcore.Body, error) {
	if len(all) == 0 {
		return nil, nil
	}
	r := all[0]
	state := r.Dispatch.Handling
	data := keptData{letterData: s.letterData(ctx, r), Who: string(ev.Actor), State: stateWords[state], To: mailcore.Inbox,
		Unaccepted: state == Received, Refusable: slices.Contains(refusable, state), More: max(0, len(all)-maxRestored)}
	if place := restorePlaces[state]; place != "" {
		data.To = string(place)
	}
	head, template := "Chưa tiếp nhận", "restored.txt"
	if state != Received {
		head = "Chưa hoàn thành"
	}
	if len(all) > 1 {
		template = "restoredmany.txt"
		for _, r := range all[:min(len(all), maxRestored)] {
			d := s.letterData(ctx, r)
			data.List = append(data.List, fmt.Sprintf("số %s %s của %s (%s)", d.Reference, d.Date, d.Agency, stateWords[r.Dispatch.Handling]))
		}
	}
	text, err := templates.Mail(template, data)
	if err != nil {
		return nil, err
	}
	l, err := s.answer(r, "asked.txt", head, data.letterData)
	if err != nil {
		return nil, err
	}
	if l.text = text; len(all) > 1 { // an answer could mean any of them
		l.subject, l.inReplyTo, l.replyTo = fmt.Sprintf("%d văn bản bị xóa đã được đưa trở lại hộp thư", len(all)), "", ""
	}
	s.addressLetter(l, fmt.Sprintf("tl-%d@%s", ev.ID, s.Domain), ev.At)
	return s.saveLetter(ctx, l)
}

// returnTx records the deletion for each dispatch of the copy and, if one of them is open, has the copy come back.
func (s *Store) returnTx(ctx context.Context, tx *sqldb.Tx, ev mailcore.Event, back *restoration) (came bool, err error) {
	if ok, err := s.Mail.HandledTx(ctx, tx, ev.ID); err != nil || !ok {
		return false, err
	}
	cell, _, err := deletionOf(ev)
	if err != nil {
		return false, err
	}
	if cell.spare, err = s.Mail.HasRefTx(ctx, tx, ev.Account, ev.Ref); err != nil {
		return false, err
	}
	var all []*Receipt
	for _, id := range refIDs(ev.Ref) {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return false, err
		}
		c := cell
		c.state = standing(r.Dispatch)
		came = came || back != nil && ruleFor(c).do == isRestored
		all = append(all, r)
	}
	for _, r := range all {
		c := cell
		c.state = standing(r.Dispatch)
		kind := ""
		switch do := ruleFor(c).do; {
		case do == isRestored && came:
			kind = EventRestored
		case do == isGone && !came:
			kind = EventDeleted
		default:
			continue
		}
		by := Actor{Address: ev.Actor, Unit: r.Dispatch.Unit, Delegation: ev.Delegation}
		if err := r.act(ctx, tx, kind, by, moveNote{Mail: int64(ev.ID), From: string(cell.from)}, nil); err != nil {
			return false, err
		}
	}
	if came {
		_, err = s.Mail.DeliverTx(ctx, tx, back.body, []mailcore.Copy{{Account: ev.Account, Mailbox: back.mailbox, Prefix: back.prefix, Ref: ev.Ref}})
	}
	return came, err
}
