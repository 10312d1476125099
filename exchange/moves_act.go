package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/exchange/reply"
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
	acts := map[Handling]reply.Act{Accepted: reply.Accept, InProgress: reply.InProgress, Completed: reply.Complete}
	act, ok := acts[Handling(done.Kind)]
	if !ok {
		return nil, nil
	}
	return s.receiptLetter(ctx, r, reply.Reply{Act: act})
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
	List       []string // where it is about several
	More       int      // that are not listed
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
