package exchange

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-message"
)

// EventTaskAnswered tells what an officer's calendar answered to a task: accepted, declined, tentative, delegated. It moves nothing: who
// works on a copy is what the unit said.
const EventTaskAnswered = "task_answered"

// Bounds of an answer of a calendar, and of the mail around it.
const (
	maxCalendar     = 64 << 10
	maxCalendarMail = 1 << 20
)

// A taskAnswer is what an officer's calendar says of a task (RFC 5546 §3.4.3).
type taskAnswer struct {
	dispatch DispatchID
	officer  mailcore.Address
	version  int    // SEQUENCE: of the assignment that is answered
	status   string // PARTSTAT, upper case; COMPLETED where the task itself is said to be
}

// act says what an answer does; none for one that moves nothing.
func (a *taskAnswer) act() reply.Act {
	switch a.status {
	case "COMPLETED":
		return reply.Complete
	case "IN-PROCESS":
		return reply.InProgress
	}
	return reply.None
}

// handleTaskAnswer takes the answer of an officer's calendar that came to the unit's mailbox, which is the organizer's; is reports whether
// the mail is one. It counts when the officer whom it speaks for sent it through our own AUTH. The mail stays where it lies.
func (s *Store) handleTaskAnswer(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival) (is bool, err error) {
	if arrival.AuthAs == "" {
		return false, nil
	}
	answer, err := s.taskAnswer(ctx, ev.Message)
	if err != nil {
		return false, err
	}
	if answer == nil || answer.officer != arrival.AuthAs {
		return false, nil
	}
	by, known, err := s.sender(ctx, arrival)
	if err != nil || !known {
		return false, err
	}
	current, err := s.answersCurrent(ctx, answer)
	if err != nil || !current {
		return current, err
	}
	by.Unit = "" // an officer's own part, nothing of the unit's
	if act := answer.act(); act != reply.None {
		return true, s.taskReply(ctx, ev, answer.dispatch, by, reply.Reply{Act: act})
	}
	return true, s.noteTaskAnswer(ctx, ev, by, answer)
}

// taskAnswer reads the answer to a task of ours from a mail; nil for none, as for nearly every mail: its structure says whether there is
// a calendar to be read.
func (s *Store) taskAnswer(ctx context.Context, id mailcore.MessageID) (*taskAnswer, error) {
	body, root, err := s.structure(ctx, id)
	if root == nil || err != nil || !hasPart(root, "text", "calendar") {
		return nil, err
	}
	f, err := s.Mail.OpenBody(body)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return s.taskAnswerIn(f), nil
}

// answersCurrent reports whether the officer works on the copy by the assignment that is answered: what is said of an older one no
// longer holds (RFC 5546 §2.1.5).
func (s *Store) answersCurrent(ctx context.Context, a *taskAnswer) (bool, error) {
	mine, err := s.hasTask(ctx, a.dispatch, a.officer)
	if err != nil || !mine {
		return false, err
	}
	handouts := 0
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &handouts, `SELECT count(*) FROM event WHERE chain = $1 AND kind IN ($2, $3)`, a.dispatch, Assigned, EventReassigned)
	})
	return a.version == handouts-1, err
}

func (s *Store) noteTaskAnswer(ctx context.Context, ev mailcore.Event, by Actor, a *taskAnswer) error {
	done, err := s.cameBy(ctx, a.dispatch, ev.ID)
	if err != nil || done {
		if err == nil {
			err = s.finish(ctx, ev, nil)
		}
		return err
	}
	proof, err := s.proofOf(ctx, ev)
	if err != nil {
		return err
	}
	ev.Ref = refOf([]*Dispatch{{ID: a.dispatch}})
	return s.each(ctx, ev, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		if r.Dispatch.Closed() {
			return nil
		}
		if err := proof.keepTx(ctx, tx, s, r); err != nil {
			return err
		}
		return r.act(ctx, tx, EventTaskAnswered, by, cause(map[string]any{"officer": a.officer, "answer": strings.ToLower(a.status), "mail": ev.ID}, r), nil)
	})
}

// taskAnswerIn finds the answer to a task of ours in a mail (RFC 6047); nil for none.
func (s *Store) taskAnswerIn(f io.Reader) *taskAnswer {
	e, err := message.Read(io.LimitReader(f, maxCalendarMail))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return nil
	}
	var found *taskAnswer
	e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil || found != nil {
			return nil
		}
		if kind, _, _ := part.Header.ContentType(); !strings.EqualFold(kind, "text/calendar") {
			return nil
		}
		data, err := io.ReadAll(io.LimitReader(part.Body, maxCalendar+1))
		if err == nil && len(data) <= maxCalendar {
			found = parseTaskAnswer(data, s.Domain)
		}
		return nil
	})
	return found
}

// answerStates are the PARTSTATs of a task that say something (RFC 5545 §3.2.12).
var answerStates = []string{"ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "COMPLETED", "IN-PROCESS"}

// decodeCalendar reads a calendar from outside: the library panics where a line ends within its parameters.
func decodeCalendar(data []byte) (c *ical.Calendar, err error) {
	defer func() {
		if bad := recover(); bad != nil {
			c, err = nil, fmt.Errorf("calendar: %v", bad)
		}
	}()
	return ical.NewDecoder(bytes.NewReader(data)).Decode()
}

// parseTaskAnswer reads a calendar as the answer of one attendee to one task of ours; nil for everything else.
func parseTaskAnswer(data []byte, domain string) *taskAnswer {
	c, err := decodeCalendar(data)
	if err != nil {
		return nil
	}
	if method, err := c.Props.Text(ical.PropMethod); err != nil || !strings.EqualFold(method, "REPLY") {
		return nil
	}
	todos := slices.DeleteFunc(slices.Clone(c.Children), func(k *ical.Component) bool { return k.Name != ical.CompToDo })
	if len(todos) != 1 {
		return nil
	}
	todo := todos[0]
	uid, err := todo.Props.Text(ical.PropUID)
	if err != nil {
		return nil
	}
	number, at, ok := strings.Cut(strings.TrimPrefix(uid, "viec-"), "@")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || at != domain || uid != fmt.Sprintf("viec-%d@%s", id, domain) {
		return nil
	}
	attendees := todo.Props.Values(ical.PropAttendee)
	if len(attendees) != 1 || len(attendees[0].Value) < len("mailto:") || !strings.EqualFold(attendees[0].Value[:len("mailto:")], "mailto:") {
		return nil
	}
	officer, err := mailcore.ParseAddress(attendees[0].Value[len("mailto:"):])
	if err != nil {
		return nil
	}
	a := &taskAnswer{dispatch: DispatchID(id), officer: officer, status: strings.ToUpper(attendees[0].Params.Get(ical.ParamParticipationStatus))}
	if p := todo.Props.Get(ical.PropSequence); p != nil {
		if a.version, err = strconv.Atoi(p.Value); err != nil {
			return nil
		}
	}
	if status, err := todo.Props.Text(ical.PropStatus); err == nil && strings.EqualFold(status, "COMPLETED") && a.status != "DECLINED" {
		a.status = "COMPLETED"
	}
	if !slices.Contains(answerStates, a.status) {
		return nil
	}
	return a
}
