package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/dsn"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
	"congvan/templates"
)

// handleArrival acts on a mail to one of the gateway's own mailboxes: a reply to a copy, or a report about one. Mail to
// anybody else is theirs and of no concern here.
func (s *Store) handleArrival(ctx context.Context, ev mailcore.Event) error {
	var arrival mailcore.Arrival
	if err := json.Unmarshal([]byte(ev.Detail), &arrival); err != nil {
		return fmt.Errorf("detail of an arrival: %w", err)
	}
	local, token, _ := strings.Cut(arrival.Rcpt.Local(), "+")
	if local == FaultMailbox {
		return s.handleFault(ctx, ev, arrival, token)
	}
	if local != ReplyMailbox && local != BounceMailbox {
		if is, err := s.handleTaskAnswer(ctx, ev, arrival); is || err != nil {
			return err
		}
		return s.noteOutside(ctx, ev, arrival)
	}
	if local == ReplyMailbox && strings.HasPrefix(token, outsideTag) {
		if is, err := s.handleOutsideReply(ctx, ev, arrival, token); is || err != nil {
			return err
		}
	}
	var d *Dispatch
	var ids []DispatchID
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		if d, err = byToken(ctx, tx, token); err == nil {
			ids, err = peers(ctx, tx, d)
		}
		return err
	})
	if IsCode(err, CodeNoDispatch) {
		s.Log.Info("mail to no copy of ours", "mailbox", local, "from", arrival.Sender)
		return s.finish(ctx, ev, nil)
	}
	if err != nil {
		return err
	}
	if local == BounceMailbox {
		return s.handleReport(ctx, ev, d)
	}
	return s.handleReply(ctx, ev, arrival, d, ids)
}

func (s *Store) openMail(ctx context.Context, ev mailcore.Event) (io.ReadCloser, error) {
	stored, err := s.Mail.Load(ctx, ev.Mailbox, []mailcore.UID{ev.UID})
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		return nil, fmt.Errorf("mail %d of mailbox %d is gone", ev.UID, ev.Mailbox)
	}
	return s.Mail.Blobs().Open(stored[0].Digest)
}

// structure is the body of a mail and its parts, known since it came; nil when it is gone.
func (s *Store) structure(ctx context.Context, id mailcore.MessageID) (*mailcore.Body, *mailcore.Part, error) {
	body, err := s.Mail.StoredBody(ctx, id)
	if errors.Is(err, mailcore.ErrNoMessage) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	summary, err := mailcore.ParseSummary(body.Summary)
	if err != nil {
		return nil, nil, err
	}
	return body, summary.Root, nil
}

// hasPart reports whether a mail has a part of that type, at any depth but not within a mail that it brings along.
func hasPart(p *mailcore.Part, kind, subkind string) bool {
	return p.Type == kind && p.Subtype == subkind || slices.ContainsFunc(p.Children, func(c *mailcore.Part) bool { return hasPart(c, kind, subkind) })
}

// A proof is the mail that an act came by: its bytes are kept for ever, and the event names their digest.
type proof struct {
	digest blob.Digest
	size   int64
}

// proofOf finds the mail of an arrival; what was no arrival has none.
func (s *Store) proofOf(ctx context.Context, ev mailcore.Event) (proof, error) {
	if ev.Kind != mailcore.EventArrived {
		return proof{}, nil
	}
	stored, err := s.Mail.Load(ctx, ev.Mailbox, []mailcore.UID{ev.UID})
	if err != nil || len(stored) == 0 {
		return proof{}, err
	}
	size, err := s.Mail.Blobs().Size(stored[0].Digest)
	return proof{stored[0].Digest, size}, err
}

// keepTx keeps the mail in the transaction of the act and has the act's events name it.
func (p proof) keepTx(ctx context.Context, tx *sqldb.Tx, s *Store, r *Receipt) error {
	if p.digest == "" {
		return nil
	}
	r.eml = string(p.digest)
	return s.Mail.PinTx(ctx, tx, p.digest, p.size)
}

// handleReply takes the first line of a reply as an act when the recipient's own account sent it. Everything else changes
// nothing and goes to the issuing agency to be read.
func (s *Store) handleReply(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival, d *Dispatch, ids []DispatchID) error {
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return err
	}
	defer f.Close()
	if mdn, err := s.disposition(ctx, ev); err != nil || mdn != nil {
		return errors.Join(err, s.handleDisposition(ctx, ev, d, mdn))
	}
	text, automatic := reply.Text(f)
	if automatic {
		return s.finish(ctx, ev, nil) // a vacation notice is no act, and answering it would start a loop (RFC 3834 §2)
	}
	by, known, err := s.sender(ctx, arrival)
	if err != nil {
		return err
	}
	var r *Receipt
	if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { r, err = receipt(ctx, tx, d.ID); return err }); err != nil {
		return err
	}
	if known {
		if by, err = s.actingFor(ctx, by, r.Dispatch.Unit, ev.At); err != nil {
			return err
		}
	}
	var report *signing.MailReport
	if !known {
		if report, err = s.judgeReply(ctx, ev); err != nil {
			return err
		}
		text = signedText(report, text)
	}
	said := understand(r.Dispatch, text, ev.At)
	if !said.About(r.Document.Reference) {
		said = reply.Reply{Act: reply.None} // it speaks of another document
	}
	said = understood(said, text)
	if alone(said.Act) {
		ids = []DispatchID{d.ID}
	}
	if known && ofTask(said.Act) {
		if mine, err := s.hasTask(ctx, d.ID, by.Address); err != nil || mine {
			return errors.Join(err, s.taskReply(ctx, ev, d.ID, by, said))
		}
	}
	if said.Act != reply.None {
		if counts, err := s.counts(ctx, ev, arrival, r, &by, known, report); err != nil {
			return err
		} else if counts {
			return s.actAndAnswer(ctx, ev, ids, by, said)
		}
	}
	return s.passReply(ctx, ev, arrival, r, known && r.entitled(by), report, text)
}

// understand reads a reply to a copy, or to a letter about it.
func understand(d *Dispatch, text string, sent time.Time) reply.Reply {
	if d.Recall == RecallAsked {
		if said := reply.ParseRecall(text); said.Act != reply.None {
			return said
		}
	}
	return reply.Parse(text, sent)
}

// counts reports whether somebody wrote who may act for the recipient: one who logged in and is entitled, or an outsider whose
// signature or domain stands for the recipient, who then is the actor.
func (s *Store) counts(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival, r *Receipt, by *Actor, known bool, report *signing.MailReport) (ok bool, err error) {
	if known {
		return r.entitled(*by) && by.Unit != r.Document.Agency, nil
	}
	if ok = r.vouched(report); ok {
		err = s.noteSigned(ctx, ev, r.Dispatch.ID, report)
	} else {
		ok, err = s.aligned(ctx, ev, arrival, r)
	}
	if ok && err == nil {
		*by = Actor{Address: mailcore.Address(r.Dispatch.Address)}
	}
	return ok, err
}

// passReply hands a reply that is no act to the issuing agency.
func (s *Store) passReply(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival, r *Receipt, entitled bool, report *signing.MailReport, text string) error {
	verdict := "Người gửi đã đăng nhập bằng tài khoản của đơn vị nhận."
	if !entitled {
		verdict = unverifiedVerdict(report)
		if err := s.noteUnverified(ctx, ev, r.Dispatch.ID, arrival, text); err != nil {
			return err
		}
	}
	answers, err := s.passOn(ctx, r, arrival, verdict, text)
	if err != nil {
		return err
	}
	return s.finish(ctx, ev, answers)
}

// sender is who sent a mail: known only through our own AUTH.
func (s *Store) sender(ctx context.Context, arrival mailcore.Arrival) (Actor, bool, error) {
	if arrival.AuthAs == "" {
		return Actor{Address: arrival.Sender}, false, nil
	}
	a, err := s.Mail.Account(ctx, arrival.AuthAs)
	if errors.Is(err, mailcore.ErrNoAccount) {
		return Actor{Address: arrival.AuthAs}, false, nil
	}
	return Actor{Address: a.Address, Unit: recipients.UnitCode(a.Unit)}, err == nil, err
}

// actingFor says for which unit somebody who logged in acts: a unit's own account for the unit, an officer only under a
// delegation that was valid when the mail was sent, and then for the recipient if it is among those.
func (s *Store) actingFor(ctx context.Context, by Actor, recipient recipients.UnitCode, at time.Time) (Actor, error) {
	a, err := s.Mail.Account(ctx, by.Address)
	if err != nil || a.Kind == mailcore.Unit {
		return by, err
	}
	by.Unit = ""
	delegations, err := s.Mail.ActsFor(ctx, a.ID, at)
	for _, d := range delegations {
		if d.UnitCode == string(recipient) {
			by.Unit, by.Delegation = recipient, d.Number
		}
	}
	return by, err
}

// noteUnverified keeps on the copy's journal what an outsider wrote, for a clerk to see as "chưa xác thực".
func (s *Store) noteUnverified(ctx context.Context, ev mailcore.Event, id DispatchID, arrival mailcore.Arrival, text string) error {
	if done, err := s.cameBy(ctx, id, ev.ID); done || err != nil {
		return err
	}
	proof, err := s.proofOf(ctx, ev)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := proof.keepTx(ctx, tx, s, r); err != nil {
			return err
		}
		line := []rune(reply.FirstLine(text))
		detail := map[string]any{"from": arrival.Sender, "line": string(line[:min(len(line), 200)]), "mail": ev.ID}
		return r.act(ctx, tx, EventUnverified, Actor{Address: arrival.Sender}, cause(detail, r), nil)
	})
}

// passOn hands a reply that is no act to the issuing agency, and tells a sender of ours what would be understood.
func (s *Store) passOn(ctx context.Context, r *Receipt, arrival mailcore.Arrival, verdict, text string) ([]*letter, error) {
	data := s.letterData(ctx, r)
	data.Sender, data.Verdict, data.Text = string(arrival.Sender), verdict, text
	if data.Sender == "" {
		data.Sender = "(không có địa chỉ)"
	}
	forwarded, err := templates.Mail("forwarded.txt", data)
	if err != nil {
		return nil, err
	}
	letters := []*letter{{to: string(r.Document.Agency) + "@" + s.Domain, subject: "Trả lời về " + r.Document.Reference, text: forwarded}}
	if arrival.AuthAs != "" && string(arrival.AuthAs) != letters[0].to {
		if string(arrival.AuthAs) != r.Dispatch.Address {
			data.Problem = "tài khoản gửi không phải của đơn vị nhận"
		}
		puzzled, err := s.answer(r, "puzzled.txt", "Chưa ghi nhận", data)
		if err != nil {
			return nil, err
		}
		puzzled.to = string(arrival.AuthAs)
		letters = append(letters, puzzled)
	}
	return letters, nil
}

// handleReport moves a copy by a delivery report to its bounce address, whose token only the other server could know.
func (s *Store) handleReport(ctx context.Context, ev mailcore.Event, d *Dispatch) error {
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := dsn.Parse(f)
	if err != nil {
		s.Log.Warn("a report that is none", "dispatch", d.ID, "err", err)
		return s.finish(ctx, ev, nil)
	}
	ev.Ref = refOf([]*Dispatch{d})
	proof, err := s.proofOf(ctx, ev)
	if err != nil {
		return err
	}
	return s.each(ctx, ev, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		if err := proof.keepTx(ctx, tx, s, r); err != nil {
			return err
		}
		for _, rcpt := range report.Recipients {
			if err := reported(ctx, tx, r, rcpt); err != nil {
				return err
			}
		}
		return nil
	})
}

// reported acts on one recipient of a report (RFC 3464 §2.3.3).
func reported(ctx context.Context, tx *sqldb.Tx, r *Receipt, rcpt dsn.Recipient) error {
	to := map[dsn.Action]Transport{dsn.Delivered: Delivered, dsn.Failed: Exception, dsn.Relayed: Relayed,
		dsn.Expanded: Delivered}[rcpt.Action]
	d := r.Dispatch
	detail := map[string]string{"proof": "dsn", "status": rcpt.Status, "rcpt": string(rcpt.Final), "text": rcpt.Diagnostic}
	if r.eml != "" {
		detail["eml"] = r.eml
	}
	switch {
	case rcpt.Action == dsn.Delayed && !d.Closed():
		return r.act(ctx, tx, EventLater, Gateway, detail, nil)
	case to == "" || d.Closed():
		return nil
	}
	if _, _, err := d.moved(string(to)); err != nil {
		return nil // a report that comes too late to say anything
	}
	return r.act(ctx, tx, string(to), Gateway, detail, nil)
}
