package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// pollMail is how often the events of mail are looked at when no wake-up comes.
const pollMail = 5 * time.Second

// Run acts on what happens to mail, and on what the clock asks for, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	var clock sync.WaitGroup
	defer clock.Wait()
	clock.Go(func() { s.runClock(ctx) })
	wake, end := s.db.Listen("mail_event")
	defer end()
	for {
		if _, err := s.HandleMail(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("handle mail events", "err", err)
		}
		if err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("end timers", "err", err)
		}
		if err := s.tellFaults(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("tell of faults", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-time.After(pollMail):
		}
	}
}

// HandleMail acts on every mail event that waits and returns how many there were. An event that cannot be handled is left
// waiting and logged; it stops no other.
func (s *Store) HandleMail(ctx context.Context) (int, error) {
	handled, skipped := 0, map[mailcore.EventID]bool{}
	for {
		events, err := s.Mail.PendingEvents(ctx, 200+len(skipped))
		if err != nil {
			return handled, err
		}
		progress := false
		for _, ev := range events {
			if skipped[ev.ID] {
				continue
			}
			progress = true
			if err := s.handleEvent(ctx, ev); err != nil {
				if ctx.Err() != nil {
					return handled, ctx.Err()
				}
				s.Log.Error("handle mail event", "event", ev.ID, "kind", ev.Kind, "ref", ev.Ref, "err", err)
				skipped[ev.ID] = true
				continue
			}
			handled++
		}
		if !progress {
			return handled, nil
		}
	}
}

func (s *Store) handleEvent(ctx context.Context, ev mailcore.Event) error {
	if strings.HasPrefix(ev.Ref, dutyRef) {
		return s.handleDutyMail(ctx, ev)
	}
	if id, ok := outsideRef(ev.Ref); ok {
		return s.handleOutsideMail(ctx, ev, id)
	}
	switch ev.Kind {
	case mailcore.EventArrived:
		return s.handleArrival(ctx, ev)
	case mailcore.EventMoved:
		return s.handleMove(ctx, ev)
	case mailcore.EventDeleted:
		return s.handleDeletion(ctx, ev)
	case mailcore.EventOpened, mailcore.EventDownloaded:
		return s.each(ctx, ev, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error { return milestone(ctx, tx, r, ev) })
	default:
		return s.each(ctx, ev, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error { return s.delivery(ctx, tx, r, ev) })
	}
}

// each runs fn for every dispatch that the event's ref names and marks the event handled, in one transaction.
func (s *Store) each(ctx context.Context, ev mailcore.Event, fn func(context.Context, *sqldb.Tx, *Receipt) error) error {
	ids := refIDs(ev.Ref)
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if ok, err := s.Mail.HandledTx(ctx, tx, ev.ID); err != nil || !ok {
			return err
		}
		for _, id := range ids {
			r, err := receipt(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := fn(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func refIDs(ref string) []DispatchID {
	list, ok := strings.CutPrefix(ref, refKind)
	if !ok {
		return nil
	}
	var ids []DispatchID
	for _, f := range strings.Split(list, ",") {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			ids = append(ids, DispatchID(n))
		}
	}
	return ids
}

func milestone(ctx context.Context, tx *sqldb.Tx, r *Receipt, ev mailcore.Event) error {
	by := Actor{Address: ev.Actor, Delegation: ev.Delegation}
	if ev.Kind == mailcore.EventOpened {
		return opened(ctx, tx, r, by, ev.At)
	}
	return r.act(ctx, tx, ev.Kind, by, nil, nil)
}

// delivery moves the transport of an outside copy by what the queue saw. The detail of the mail event goes along: it holds
// the other server and its words.
func (s *Store) delivery(ctx context.Context, tx *sqldb.Tx, r *Receipt, ev mailcore.Event) error {
	to := map[string]Transport{mailcore.EventRelayed: Relayed, mailcore.EventFailed: Exception, mailcore.EventUncertain: Uncertain}[ev.Kind]
	kind := string(to)
	if ev.Kind == mailcore.EventLater {
		kind = EventLater
	}
	d := r.Dispatch
	if _, _, err := d.moved(kind); err != nil || d.Closed() {
		return nil // a late word about what is known better by now
	}
	// The other server is told the copy's token; whoever is shown the events later must not learn it.
	if err := r.act(ctx, tx, kind, Gateway, json.RawMessage(orNull(strings.ReplaceAll(ev.Detail, d.Secret, masked))), nil); err != nil || kind != EventLater {
		return err
	}
	return s.unsent(ctx, tx, r)
}

func orNull(detail string) string {
	if !json.Valid([]byte(detail)) {
		return "null"
	}
	return detail
}

// actAndAnswer does what a reply says for each dispatch and answers by mail. The act is one transaction, the
// answer with the event's end another: a crash between them repeats the act, which then changes nothing, and answers.
func (s *Store) actAndAnswer(ctx context.Context, ev mailcore.Event, ids []DispatchID, by Actor, said reply.Reply) error {
	var answers []*letter
	for _, id := range ids {
		answer, err := s.actOne(ctx, ev, id, by, said)
		if err != nil {
			return err
		}
		if answer != nil {
			answers = append(answers, answer)
		}
	}
	return s.finish(ctx, ev, answers)
}

// cameBy reports whether one of the dispatch's events was written on account of this mail event: before a crash.
func (s *Store) cameBy(ctx context.Context, id DispatchID, mailEvent mailcore.EventID) (bool, error) {
	var details []string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &details, `SELECT detail FROM event WHERE chain = $1 AND detail <> ''`, id)
	})
	for _, text := range details {
		var d struct{ Mail int64 }
		if json.Unmarshal([]byte(text), &d) == nil && d.Mail == int64(mailEvent) {
			return true, err
		}
	}
	return false, err
}

// finish marks the event handled and delivers the answers, together.
func (s *Store) finish(ctx context.Context, ev mailcore.Event, answers []*letter) error {
	bodies := make([]*mailcore.Body, len(answers))
	for i, l := range answers {
		s.addressLetter(l, fmt.Sprintf("tl-%d-%d@%s", ev.ID, i, s.Domain), ev.At)
		var err error
		if bodies[i], err = s.saveLetter(ctx, l); err != nil {
			return err
		}
	}
	accounts, err := s.answerAccounts(ctx, answers)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if ok, err := s.Mail.HandledTx(ctx, tx, ev.ID); err != nil || !ok {
			return err
		}
		for i, body := range bodies {
			if accounts[i] == 0 {
				continue
			}
			c := mailcore.Copy{Account: accounts[i], Prefix: []byte("Return-Path: <>\r\n")}
			if _, err := s.Mail.DeliverTx(ctx, tx, body, []mailcore.Copy{c}); err != nil {
				return err
			}
		}
		return nil
	})
}

// addressLetter makes a letter an answer of the gateway.
func (s *Store) addressLetter(l *letter, id string, at time.Time) {
	l.id, l.date, l.automatic = id, at, true
	if l.from.Address == "" {
		l.from = mail.Address{Name: "Công Văn", Address: ReplyMailbox + "@" + s.Domain}
	}
}

// answerAccounts finds where answers go. Only mailboxes of ours are answered: an outside sender gets no mail that a forged
// reply could call forth.
func (s *Store) answerAccounts(ctx context.Context, answers []*letter) ([]mailcore.AccountID, error) {
	ids := make([]mailcore.AccountID, len(answers))
	for i, l := range answers {
		a, err := s.Mail.Account(ctx, mailcore.Address(l.to))
		if errors.Is(err, mailcore.ErrNoAccount) || err == nil && !a.ClosedAt.IsZero() {
			s.Log.Info("answer not sent: no open mailbox here", "to", l.to)
			continue
		}
		if err != nil {
			return nil, err
		}
		ids[i] = a.ID
	}
	return ids, nil
}

// letterData is what the templates of answers show.
type letterData struct {
	Unit, Agency, Reference, Date, Number, ArrivedOn, Note, What, Reason, Problem, Sender, Verdict, Text, Todo, To, Deadline, SHA256 string
}

func (s *Store) letterData(ctx context.Context, r *Receipt) letterData {
	agency, err := s.unitName(ctx, r.Document.Agency)
	if err != nil {
		agency = string(r.Document.Agency)
	}
	return letterData{Unit: r.Dispatch.Name, Agency: agency, Reference: r.Document.Reference, Date: vietnameseDate(r.Document.IssuedOn),
		Number: r.Dispatch.ArrivalNumber, ArrivedOn: vietnameseDate(r.Dispatch.ArrivedOn), Note: r.Note}
}

// answer is a letter to the recipient of a copy; replying to it is replying to the copy.
func (s *Store) answer(r *Receipt, template, head string, data letterData) (*letter, error) {
	text, err := templates.Mail(template, data)
	return &letter{to: r.Dispatch.Address, subject: head + ": " + r.Document.Reference, text: text, inReplyTo: s.messageID(r.Document),
		replyTo: ReplyMailbox + "+" + r.Dispatch.Token() + "@" + s.Domain}, err
}

// Expire ends timers that ran out: an uncertain copy is sent again with the same ids.
func (s *Store) Expire(ctx context.Context) error {
	var ids []DispatchID
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &ids, `SELECT id FROM dispatch WHERE transport = $1 AND deadline > 0 AND changed_at < $2 AND recall <> $3 LIMIT 100`,
			Uncertain, tx.Now.Add(-s.Doubt).UnixMicro(), RecallAsked)
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
			r, err := receipt(ctx, tx, id)
			if err != nil || r.Dispatch.Transport != Uncertain || r.Dispatch.Recall == RecallAsked {
				return err
			}
			outbox, err := lastOutbox(ctx, tx, r.Dispatch)
			if err != nil {
				return err
			}
			if err := s.Mail.RequeueTx(ctx, tx, outbox); err != nil {
				return err
			}
			return r.act(ctx, tx, string(Queued), Gateway, map[string]string{"reason": "timer"}, nil)
		})
		if err != nil {
			return fmt.Errorf("send dispatch %d again: %w", id, err)
		}
	}
	return nil
}

// lastOutbox finds the outbox row of a copy in the events that the queue wrote about it.
func lastOutbox(ctx context.Context, tx *sqldb.Tx, d *Dispatch) (mailcore.OutboxID, error) {
	var details []string
	err := tx.SelectContext(ctx, &details, `SELECT detail FROM event WHERE chain = $1 AND detail <> '' ORDER BY ordinal DESC`, d.ID)
	for _, text := range details {
		var v struct{ Outbox int64 }
		if json.Unmarshal([]byte(text), &v) == nil && v.Outbox != 0 {
			return mailcore.OutboxID(v.Outbox), err
		}
	}
	return 0, errors.Join(err, &Error{Missing, CodeNoDispatch, "outbox"})
}
