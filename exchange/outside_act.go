package exchange

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/templates"
)

// handleOutsideMail takes the move of a proposed mail, or of the letter about it, to "Đã tiếp nhận" as its acceptance, and to "Từ
// chối" as the word that it is none of the unit's. Everything else that people do with their mail is nothing here.
func (s *Store) handleOutsideMail(ctx context.Context, ev mailcore.Event, id int64) error {
	var m mailcore.Move
	if ev.Kind != mailcore.EventMoved || json.Unmarshal([]byte(ev.Detail), &m) != nil {
		return s.finish(ctx, ev, nil)
	}
	said := reply.Reply{Act: reply.Accept}
	switch folderOf(m.To, m.ToUse) {
	case inAccepted:
	case inRefused:
		said.Act = reply.Refuse
	default:
		return s.finish(ctx, ev, nil)
	}
	a, err := s.Mail.AccountByID(ctx, ev.Account)
	if err != nil {
		return err
	}
	return s.settleOutside(ctx, ev, id, Actor{Address: ev.Actor, Unit: recipients.UnitCode(a.Unit), Delegation: ev.Delegation}, said)
}

// handleOutsideReply takes a reply to the letter about a proposal; is is false when the token is none of a proposal. Only the unit
// itself may answer, through our own AUTH.
func (s *Store) handleOutsideReply(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival, token string) (is bool, err error) {
	rest, ok := strings.CutPrefix(token, outsideTag)
	number, secret, _ := strings.Cut(rest, ".")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return false, nil
	}
	var o *outsideMail
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { o, err = outsideByID(ctx, tx, id); return err })
	if IsCode(err, CodeNoDispatch) || err == nil && subtle.ConstantTimeCompare([]byte(secret), []byte(o.Secret)) != 1 {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return true, err
	}
	defer f.Close()
	text, automatic := reply.Text(f)
	by, known, err := s.sender(ctx, arrival)
	if err != nil || automatic || !known {
		return true, errors.Join(err, s.finish(ctx, ev, nil))
	}
	if by, err = s.actingFor(ctx, by, o.Unit, ev.At); err != nil {
		return true, err
	}
	if by.Unit != o.Unit {
		return true, s.finish(ctx, ev, nil)
	}
	said := reply.Parse(text, ev.At)
	if d, err := o.draft(); err != nil || !said.About(d.Entry.Document) {
		said = reply.Reply{Act: reply.None}
	}
	return true, s.settleOutside(ctx, ev, id, by, said)
}

// settleOutside enters a proposal into the register, or sets it aside, and answers. The act is one transaction, the answer with
// the event's end another: a crash between them finds the proposal settled and answers.
func (s *Store) settleOutside(ctx context.Context, ev mailcore.Event, id int64, by Actor, said reply.Reply) error {
	word, err := s.proofOf(ctx, ev)
	if err != nil {
		return err
	}
	var o *outsideMail
	var data proposalData
	var taken JournalEntry
	body, err := s.outsideBody(ctx, id)
	if IsCode(err, CodeNoDispatch) {
		return s.finish(ctx, ev, nil)
	}
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		taken = JournalEntry{}
		if o, err = outsideByID(ctx, tx, id); err != nil {
			return err
		}
		d, err := o.draft()
		if err != nil {
			return err
		}
		data = proposalData{Entry: d.Entry, Number: o.Number, Date: vietnameseDate(CivilDate(tx.Now))}
		switch {
		case o.State != outsideProposed:
			return nil // done before
		case said.Act == reply.Refuse:
			return closeOutside(ctx, tx, o, outsideDismissed, "", by)
		case said.Act != reply.Accept:
			return &Error{Invalid, CodeWrongState, ""}
		}
		e := d.Entry
		e.Reference, e.EnteredOn = said.Number, CivilDate(tx.Now)
		if data.Number, err = enter(ctx, tx, by, o.Unit, IncomingBook, e); err != nil {
			return err
		}
		if n, _ := strconv.ParseInt(data.Number, 10, 64); said.Number == "" {
			taken = JournalEntry{Kind: journalNumber, Agency: o.Unit, Year: civilYear(e.EnteredOn), Book: IncomingBook, Mode: IssuedHere, Reference: data.Number, Number: n}
		}
		for _, kept := range []proof{word, body} { // the mail that brought the document, and the reply
			if kept.digest == "" {
				continue
			}
			if err := s.Mail.PinTx(ctx, tx, kept.digest, kept.size); err != nil {
				return err
			}
		}
		return closeOutside(ctx, tx, o, outsideAccepted, data.Number, by)
	})
	if err == nil && taken.Kind != "" {
		s.journal(taken)
	}
	if err != nil {
		if data.Problem = outsideProblem(err); data.Problem == "" || o == nil {
			return err
		}
	}
	return s.answerOutside(ctx, ev, o, data)
}

// closeOutside settles a proposal.
func closeOutside(ctx context.Context, tx *sqldb.Tx, o *outsideMail, state, number string, by Actor) error {
	res, err := tx.ExecContext(ctx, `UPDATE outside_mail SET state = $1, number = $2, decided_by = $3, changed_at = $4 WHERE id = $5 AND state = 'proposed'`,
		state, number, by.String(), tx.Now.UnixMicro(), o.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(ErrStale, err)
	}
	return nil
}

// outsideBody is the mail that brought the document; none where somebody has deleted it: what was read of it is entered all the
// same.
func (s *Store) outsideBody(ctx context.Context, id int64) (proof, error) {
	var o *outsideMail
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { o, err = outsideByID(ctx, tx, id); return err })
	if err != nil {
		return proof{}, err
	}
	body, err := s.Mail.StoredBody(ctx, o.Message)
	if errors.Is(err, mailcore.ErrNoMessage) {
		return proof{}, nil
	}
	if err != nil {
		return proof{}, err
	}
	return proof{body.Digest, body.Size}, nil
}

// outsideProblem words why an entry was not made; "" for faults of ours.
func outsideProblem(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Code {
	case CodeNoReference:
		return "sổ văn bản đến của đơn vị do đơn vị tự ghi số, cần số đến"
	case CodeArrivalTaken, CodeNumberTaken:
		return "số đến " + e.Detail + " đã dùng cho văn bản khác trong sổ của đơn vị"
	case CodeWrongState:
		return "chưa hiểu thư trả lời"
	case CodeSeriesBlocked:
		return "sổ đang chờ văn thư cho biết số cuối cùng sau khi khôi phục"
	}
	return "không ghi được số đến này"
}

func (s *Store) answerOutside(ctx context.Context, ev mailcore.Event, o *outsideMail, data proposalData) error {
	text, err := templates.Mail("entered.txt", data)
	if err != nil {
		return err
	}
	a, err := s.Mail.AccountByID(ctx, o.Account)
	if err != nil {
		return err
	}
	head := "Không vào sổ"
	switch {
	case data.Problem != "":
		head = "Chưa vào sổ"
	case data.Number != "":
		head = "Đã vào sổ, số đến " + data.Number
	}
	l := &letter{to: string(a.Address), subject: head + ": " + data.Document, text: text,
		replyTo: ReplyMailbox + "+" + outsideTag + fmt.Sprint(o.ID) + "." + o.Secret + "@" + s.Domain}
	return s.finish(ctx, ev, []*letter{l})
}
