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
	"congvan/mailcore/sqldb"
	"congvan/templates"
)

// EventKept is the milestone of a move that changed no state and was answered by a notice.
const EventKept = "kept"

// A moveNote is the detail of "asked" and "kept".
type moveNote struct {
	Mail int64  `json:"mail"` // the mail event that it came by
	Why  string `json:"why,omitempty"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"` // name of the mailbox
}

func readMove(ev mailcore.Event) (mailcore.Move, mailMove, error) {
	var m mailcore.Move
	if err := json.Unmarshal([]byte(ev.Detail), &m); err != nil {
		return m, mailMove{}, fmt.Errorf("detail of a move: %w", err)
	}
	cell := mailMove{way: byMove, from: folderOf(m.From, m.FromUse), to: folderOf(m.To, m.ToUse)}
	switch {
	case m.Altered:
		cell.way = byForgery
	case m.Append || m.From == "":
		cell.way = byAppend
	case m.Copy:
		cell.way = byCopy
	}
	return m, cell, nil
}

// handleMove does what the table says of a copy that came to lie in a folder.
func (s *Store) handleMove(ctx context.Context, ev mailcore.Event) error {
	m, cell, err := readMove(ev)
	if err != nil {
		return err
	}
	var answers []*letter
	for _, id := range refIDs(ev.Ref) {
		answer, err := s.moveOne(ctx, ev, m, cell, id)
		if err != nil {
			return err
		}
		if answer != nil {
			answers = append(answers, answer)
		}
	}
	return s.finish(ctx, ev, answers)
}

// moveOne does it for one dispatch and returns the answer. The act is one transaction, the answer with the event's end another: a
// crash between them finds the act's event and answers.
func (s *Store) moveOne(ctx context.Context, ev mailcore.Event, m mailcore.Move, cell mailMove, id DispatchID) (*letter, error) {
	var r *Receipt
	var history []Event
	var done *Event
	err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		if r, err = receipt(ctx, tx, id); err != nil {
			return err
		}
		if history, err = chainOf(ctx, tx, id); err != nil {
			return err
		}
		if done = causedBy(history, ev.ID); done != nil {
			return nil
		}
		c := cell
		c.state = standing(r.Dispatch)
		// The copy lies in this mailbox: who may open that acts for the unit it is addressed to.
		by := Actor{Address: ev.Actor, Unit: r.Dispatch.Unit, Delegation: ev.Delegation}
		if err := carryOut(ctx, tx, r, by, ruleFor(c), moveNote{Mail: int64(ev.ID), From: m.From, To: m.To}, history); err != nil {
			return err
		}
		history, err = chainOf(ctx, tx, id)
		done = causedBy(history, ev.ID)
		return err
	})
	if err != nil {
		return s.problemLetter(ctx, id, err)
	}
	if done == nil {
		return nil, nil
	}
	return s.moveLetter(ctx, ev, r, history, done)
}

// carryOut does what a row of the table says.
func carryOut(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, rule *moveRule, note moveNote, history []Event) error {
	switch rule.do {
	case isAccept:
		return accept(ctx, tx, r, by, "", note.Mail)
	case isProgress:
		return advance(ctx, tx, r, by, InProgress, note.Mail)
	case isComplete:
		return advance(ctx, tx, r, by, Completed, note.Mail)
	case isAsked, isKept:
		kind := EventAskedReason
		if note.Why = rule.notice; rule.do == isKept {
			kind = EventKept
		}
		if toldToday(history, kind, note.Why, tx.Now) {
			return nil
		}
		return r.act(ctx, tx, kind, by, note, nil)
	}
	return nil
}

func chainOf(ctx context.Context, tx *sqldb.Tx, id DispatchID) ([]Event, error) {
	var all []Event
	err := tx.SelectContext(ctx, &all, `SELECT chain, ordinal, kind, at, actor, detail, digest FROM event WHERE chain = $1 ORDER BY ordinal`, id)
	if err != nil {
		return nil, fmt.Errorf("events of dispatch %d: %w", id, err)
	}
	return all, nil
}

func noteOf(e *Event) moveNote {
	var n moveNote
	if e.Detail != "" {
		_ = json.Unmarshal([]byte(e.Detail), &n) // details of other kinds may have other types
	}
	return n
}

// causedBy finds the last event that was written on account of a mail event.
func causedBy(history []Event, id mailcore.EventID) *Event {
	for i := len(history) - 1; i >= 0; i-- {
		if noteOf(&history[i]).Mail == int64(id) {
			return &history[i]
		}
	}
	return nil
}

// toldToday reports whether the same was told on this day and in this state: clients that keep dragging, and filters that do,
// bring forth one letter a day.
func toldToday(history []Event, kind, why string, now time.Time) bool {
	for i := len(history) - 1; i >= 0; i-- {
		e := &history[i]
		if isHandling(Handling(e.Kind)) || CivilDate(time.UnixMicro(e.At)) != CivilDate(now) {
			return false
		}
		if e.Kind == kind && noteOf(e).Why == why {
			return true
		}
	}
	return false
}

// moveLetter is the answer to a move that left an event.
func (s *Store) moveLetter(ctx context.Context, ev mailcore.Event, r *Receipt, history []Event, done *Event) (*letter, error) {
	switch done.Kind {
	case EventAskedReason:
		return s.answer(r, "asked.txt", "Cần lý do từ chối", s.letterData(ctx, r))
	case EventKept:
		return s.keptLetter(ctx, ev, r, history, done)
	}
	acts := map[Handling]ReplyAct{Accepted: ReplyAccept, InProgress: ReplyInProgress, Completed: ReplyComplete}
	act, ok := acts[Handling(done.Kind)]
	if !ok {
		return nil, nil
	}
	return s.receiptLetter(ctx, r, Reply{Act: act})
}

// keptData is what the notice shows.
type keptData struct {
	letterData
	Who, To    string // who moved it, into which folder
	State      string
	By, When   string // who brought that state about
	Why        string // a notice
	Refusable  bool
	Closed     bool
	Unaccepted bool
}

// stateWords name the states in letters.
var stateWords = map[Handling]string{Received: "chưa tiếp nhận", Accepted: "đã tiếp nhận", Assigned: "đã phân công giải quyết", InProgress: "đang xử lý",
	Completed: "đã hoàn thành", Noted: "đã xem (văn bản gửi để biết, không phải tiếp nhận)", Refused: "đã từ chối", Forwarded: "đã chuyển tới đơn vị khác",
	ended: "đã thu hồi, thay thế hoặc kết thúc bằng cách khác"}

func (s *Store) keptLetter(ctx context.Context, ev mailcore.Event, r *Receipt, history []Event, done *Event) (*letter, error) {
	state, note := standing(r.Dispatch), noteOf(done)
	data := keptData{letterData: s.letterData(ctx, r), Who: done.Actor, To: note.To, State: stateWords[state], Why: note.Why,
		Refusable: slices.Contains(refusable, state), Closed: slices.Contains(closedStates, state), Unaccepted: state == Received}
	for _, e := range slices.Backward(history) {
		if k := Handling(e.Kind); k == state && state != Received || state == ended && isTransport(Transport(e.Kind)) {
			data.By, data.When = e.Actor, time.UnixMicro(e.At).In(hanoi).Format("15:04 ngày 02/01/2006")
			break
		}
	}
	text, err := templates.Mail("kept.txt", data)
	if err != nil {
		return nil, err
	}
	head := map[string]string{keptAltered: "Không phải bản chính thức", keptJunk: "Không phải thư rác"}[note.Why]
	if head == "" {
		head = "Trạng thái không đổi (" + strings.SplitN(data.State, " (", 2)[0] + ")"
	}
	l, err := s.answer(r, "asked.txt", head, data.letterData)
	if err != nil {
		return nil, err
	}
	l.text = text
	return l, nil
}

// A restoration is an open copy that was deleted, made ready to come back.
type restoration struct {
	body    *mailcore.Body
	mailbox mailcore.MailboxID // 0 for the inbox
	notice  *mailcore.Body
	prefix  []byte
}

// restorePlaces says where a copy comes back to; else the inbox.
var restorePlaces = map[Handling]folder{Accepted: inAccepted, Assigned: inAccepted, InProgress: inProgress}

// handleDeletion does what the table says of the last copy in a mailbox that is gone. One that somebody still has to deal with
// comes back, with the same bytes and a letter that says why.
func (s *Store) handleDeletion(ctx context.Context, ev mailcore.Event) error {
	var gone mailcore.Deletion
	if err := json.Unmarshal([]byte(ev.Detail), &gone); err != nil {
		return fmt.Errorf("detail of a deletion: %w", err)
	}
	cell := mailMove{way: byExpunge, from: folderOf(gone.From, gone.FromUse), to: nowhere}
	back, err := s.prepareReturn(ctx, ev, cell)
	if err != nil {
		return err
	}
	if back != nil && len(gone.Prefix) > 0 {
		back.prefix = gone.Prefix
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if ok, err := s.Mail.HandledTx(ctx, tx, ev.ID); err != nil || !ok {
			return err
		}
		if cell.spare, err = s.Mail.HasRefTx(ctx, tx, ev.Account, ev.Ref); err != nil {
			return err
		}
		return s.returnTx(ctx, tx, ev, cell, back)
	})
}

// prepareReturn makes ready what may have to come back; nil when nobody needs the copy any more.
func (s *Store) prepareReturn(ctx context.Context, ev mailcore.Event, cell mailMove) (*restoration, error) {
	var least *Receipt // the one that is least far is told
	var all []*Dispatch
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		for _, id := range refIDs(ev.Ref) {
			r, err := receipt(ctx, tx, id)
			if err != nil {
				return err
			}
			all = append(all, r.Dispatch)
			c := cell
			if c.state = standing(r.Dispatch); ruleFor(c).do == isRestored && (least == nil || further(least, r)) {
				least = r
			}
		}
		return nil
	})
	if err != nil || least == nil {
		return nil, err
	}
	back := &restoration{prefix: s.prefix(all...)}
	back.body, err = s.Mail.StoredBody(ctx, ev.Message) // the same bytes and the same signature
	if errors.Is(err, mailcore.ErrNoMessage) {
		back.body, err = s.compose(ctx, least.Document)
	}
	if err != nil {
		return nil, err
	}
	if place := restorePlaces[least.Dispatch.Handling]; place != "" {
		box, err := s.Mail.Mailbox(ctx, ev.Account, string(place))
		if err != nil && !errors.Is(err, mailcore.ErrNoMailbox) {
			return nil, err
		}
		back.mailbox = box.ID
	}
	back.notice, err = s.restoredLetter(ctx, ev, least)
	return back, err
}

func further(a, b *Receipt) bool {
	return slices.Index(openStates, a.Dispatch.Handling) > slices.Index(openStates, b.Dispatch.Handling)
}

func (s *Store) restoredLetter(ctx context.Context, ev mailcore.Event, r *Receipt) (*mailcore.Body, error) {
	state := r.Dispatch.Handling
	data := keptData{letterData: s.letterData(ctx, r), Who: string(ev.Actor), State: stateWords[state], To: mailcore.Inbox,
		Unaccepted: state == Received, Refusable: slices.Contains(refusable, state)}
	if place := restorePlaces[state]; place != "" {
		data.To = string(place)
	}
	text, err := templates.Mail("restored.txt", data)
	if err != nil {
		return nil, err
	}
	head := "Chưa tiếp nhận"
	if state != Received {
		head = "Chưa hoàn thành"
	}
	l, err := s.answer(r, "asked.txt", head, data.letterData)
	if err != nil {
		return nil, err
	}
	l.text = text
	s.addressLetter(l, fmt.Sprintf("tl-%d@%s", ev.ID, s.Domain), ev.At)
	return s.saveLetter(ctx, l)
}

// returnTx records the deletion for each dispatch of the copy and, if one of them is open, has the copy come back.
func (s *Store) returnTx(ctx context.Context, tx *sqldb.Tx, ev mailcore.Event, cell mailMove, back *restoration) error {
	var all []*Receipt
	comes, told := false, true
	for _, id := range refIDs(ev.Ref) {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return err
		}
		history, err := chainOf(ctx, tx, id)
		if err != nil {
			return err
		}
		c := cell
		if c.state = standing(r.Dispatch); ruleFor(c).do == isRestored && back != nil {
			comes, told = true, told && toldToday(history, EventRestored, "", tx.Now)
		}
		all = append(all, r)
	}
	for _, r := range all {
		c := cell
		c.state = standing(r.Dispatch)
		kind := ""
		switch do := ruleFor(c).do; {
		case do == isRestored && comes:
			kind = EventRestored
		case do == isGone && !comes:
			kind = EventDeleted
		default:
			continue
		}
		by := Actor{Address: ev.Actor, Unit: r.Dispatch.Unit, Delegation: ev.Delegation}
		if err := r.act(ctx, tx, kind, by, moveNote{Mail: int64(ev.ID), From: string(cell.from)}, nil); err != nil {
			return err
		}
	}
	if !comes {
		return nil
	}
	if _, err := s.Mail.DeliverTx(ctx, tx, back.body, []mailcore.Copy{{Account: ev.Account, Mailbox: back.mailbox, Prefix: back.prefix, Ref: ev.Ref}}); err != nil || told {
		return err
	}
	_, err := s.Mail.DeliverTx(ctx, tx, back.notice, []mailcore.Copy{{Account: ev.Account, Prefix: []byte("Return-Path: <>\r\n")}})
	return err
}
