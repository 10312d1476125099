package exchange

import (
	"context"
	"fmt"
	"slices"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A DispatchID names one document on its way to one recipient: the document's id and the copy's number in one.
type DispatchID int64

// A Transport is how far one dispatch has come on its way.
type Transport string

// Transports, each with who moves it out of there.
const (
	Queued      Transport = "queued"      // in the outbox; a delivery result moves it on
	Relayed     Transport = "relayed"     // the other server took it; a DSN or an act says delivered
	Uncertain   Transport = "uncertain"   // "có thể đã đến": the line broke after the final dot; proof or a timer moves it
	Exception   Transport = "exception"   // it did not get there; a person owns it
	Delivered   Transport = "delivered"   // in the recipient's mailbox
	Settled     Transport = "settled"     // got there another way; closed
	Undelivered Transport = "undelivered" // given up by a person; closed
	Cancelled   Transport = "cancelled"   // before the first attempt; closed
	Recalled    Transport = "recalled"    // taken back (thu hồi); closed
	Superseded  Transport = "superseded"  // replaced by another document; closed
)

// transports lists every move a dispatch may make on its way. Nothing else decides this.
var transports = map[Transport][]Transport{
	"":        {Queued, Delivered, Exception},
	Queued:    {Relayed, Uncertain, Exception, Cancelled, Delivered, Recalled, Superseded},
	Relayed:   {Delivered, Exception, Recalled, Superseded},
	Uncertain: {Relayed, Delivered, Queued, Exception, Recalled, Superseded},
	Exception: {Queued, Delivered, Settled, Undelivered, Recalled, Superseded},
	Delivered: {Recalled, Superseded},
}

// A Handling is what the recipient did with its copy, with the codes of QĐ 28/2018 and QCVN 102:2016.
type Handling string

// Handlings. The empty one is a copy that has not arrived.
const (
	Received   Handling = "received"    // 01 đã đến
	Refused    Handling = "refused"     // 02 từ chối; closed
	Accepted   Handling = "accepted"    // 03 đã tiếp nhận
	Assigned   Handling = "assigned"    // 04 phân công
	InProgress Handling = "in_progress" // 05 đang xử lý
	Completed  Handling = "completed"   // 06 hoàn thành; closed
	Noted      Handling = "noted"       // a copy "để biết", by opening; closed
	Forwarded  Handling = "forwarded"   // to the right unit, as a child; closed
)

// handlings lists every move of handling.
var handlings = map[Handling][]Handling{
	"":         {Received},
	Received:   {Accepted, Noted, Refused, Forwarded},
	Accepted:   {Assigned, InProgress, Refused, Forwarded},
	Assigned:   {InProgress, Forwarded}, // a unit that ends hands on what it works on, too
	InProgress: {Completed, Forwarded},
}

// A Way is how a copy travels.
type Way string

// The ways.
const (
	ByMailbox Way = "mailbox" // a mailbox of this installation
	ByMail    Way = "mail"    // SMTP to an outside address
	ByOther   Way = "other"   // no address: pick-up or paper, tracked until settled
)

// A Dispatch is one document on its way to one recipient.
type Dispatch struct {
	ID            DispatchID          `db:"id"`
	Document      DocumentID          `db:"document_id"`
	Unit          recipients.UnitCode `db:"unit"`    // "" for an agency outside the directory
	Name          string              `db:"name"`    // of the recipient, as the directory or the clerk has it
	Address       string              `db:"address"` // "" for ByOther
	Way           Way                 `db:"way"`
	Line          int                 `db:"line"` // ordinal of the line that named it first
	Purpose       string              `db:"purpose"`
	Parent        *DispatchID         `db:"parent"`
	Secret        string              `db:"token"` // vouches for this copy in reply and bounce addresses
	Transport     Transport           `db:"transport"`
	Handling      Handling            `db:"handling"`
	ArrivalNumber string              `db:"arrival_number"` // số đến
	ArrivedOn     string              `db:"arrived_on"`     // ngày đến
	OpenedAt      *int64              `db:"opened_at"`      // first opened by a person, microseconds
	Owner         string              `db:"owner"`          // who must do something next; "" iff closed
	Deadline      int64               `db:"deadline"`       // by when, microseconds; 0 iff closed
	Events        int64               `db:"events"`
	Head          []byte              `db:"head"`
	ChangedAt     int64               `db:"changed_at"`
	DueOn         string              `db:"due_on"`   // hạn giải quyết, civil; "" where nobody set one
	Since         int64               `db:"since"`    // when the state changed last, microseconds
	Calendar      int64               `db:"calendar"` // the calendar that Deadline was reckoned by
	Rung          int64               `db:"rung"`     // how far an urgent copy has been told up the ladder
	Alarm         int64               `db:"alarm"`    // when an urgent copy is told next, microseconds; 0 for never
	Sequence      int64               `db:"sequence"` // its place, from 1, among the issuer's copies to this recipient
	Recall        RecallState         `db:"recall"`   // whether the recipient was asked to give it back, and its answer
}

const dispatchColumns = `id, document_id, unit, name, address, way, line, purpose, parent, token, transport, handling,
	arrival_number, arrived_on, opened_at, owner, deadline, events, head, changed_at, due_on, since, calendar, rung, alarm, sequence, recall`

// Closed reports whether nobody has to do anything more about the dispatch.
func (d *Dispatch) Closed() bool {
	switch d.Transport {
	case Settled, Undelivered, Cancelled, Recalled, Superseded:
		return true
	}
	switch d.Handling {
	case Completed, Noted, Refused, Forwarded:
		return true
	}
	return false
}

// moved returns the state after an event of this kind, or a MoveError. Kinds that are no state are milestones.
func (d *Dispatch) moved(kind string) (Transport, Handling, error) {
	transport, handling := d.Transport, d.Handling
	if to := Transport(kind); isTransport(to) {
		if !slices.Contains(transports[transport], to) {
			return "", "", &MoveError{string(transport), kind}
		}
		transport = to
		if to == Delivered && handling == "" {
			handling = Received
		}
	}
	if to := Handling(kind); isHandling(to) {
		switch transport {
		case Cancelled, Recalled, Superseded: // nobody handles what was taken back
			return "", "", &MoveError{string(transport), kind}
		}
		if !slices.Contains(handlings[handling], to) {
			return "", "", &MoveError{string(handling), kind}
		}
		handling = to
	}
	return transport, handling, nil
}

func isTransport(t Transport) bool {
	switch t {
	case Queued, Relayed, Uncertain, Exception, Delivered, Settled, Undelivered, Cancelled, Recalled, Superseded:
		return true
	}
	return false
}

func isHandling(h Handling) bool {
	switch h {
	case Received, Refused, Accepted, Assigned, InProgress, Completed, Noted, Forwarded:
		return true
	}
	return false
}

// act is the one function that changes a dispatch: the table of moves, one guarded UPDATE, one event. change sets what
// the event brings besides the state (arrival number, opened).
func act(ctx context.Context, tx *sqldb.Tx, d *Dispatch, doc *Document, kind string, by Actor, detail any, change func(*Dispatch)) error {
	transport, handling, err := d.moved(kind)
	if err != nil {
		return fmt.Errorf("dispatch %d: %w", d.ID, err)
	}
	recall, err := d.recallAfter(kind)
	if err != nil {
		return fmt.Errorf("dispatch %d: %w", d.ID, err)
	}
	was := *d
	d.Transport, d.Handling, d.Recall = transport, handling, recall
	if change != nil {
		change(d)
	}
	if d.stage() != was.stage() {
		d.Since, d.Rung = tx.Now.UnixMicro(), 0
	}
	person := by != Gateway && (kind == EventOpened || by.Unit == d.Unit && isWork(kind))
	if d.Transport != was.Transport || d.Handling != was.Handling || d.DueOn != was.DueOn || d.OpenedAt != was.OpenedAt || d.Rung != was.Rung || person {
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		d.duty(doc, cal, time.UnixMicro(d.Since))
		if person {
			if err := noteWork(ctx, tx, d, cal, kind, by); err != nil {
				return err
			}
		}
	}
	return d.save(ctx, tx, was.Events, kind, by, detail)
}

// save writes the changed dispatch and its next event.
func (d *Dispatch) save(ctx context.Context, tx *sqldb.Tx, was int64, kind string, by Actor, detail any) error {
	e, err := newEvent(int64(d.ID), was, kind, tx.Now, by, detail, d.Head)
	if err != nil {
		return err
	}
	d.Events, d.Head, d.ChangedAt = was+1, e.Digest, tx.Now.UnixMicro()
	ok, err := tx.ExecOne(ctx, `UPDATE dispatch SET transport = $1, handling = $2, arrival_number = $3, arrived_on = $4, opened_at = $5,
		owner = $6, deadline = $7, events = $8, head = $9, changed_at = $10, due_on = $11, since = $12, calendar = $13, rung = $14, alarm = $15,
		recall = $16 WHERE id = $17 AND events = $18`, d.Transport, d.Handling, d.ArrivalNumber, d.ArrivedOn, d.OpenedAt, d.Owner, d.Deadline, d.Events, d.Head,
		d.ChangedAt, d.DueOn, d.Since, d.Calendar, d.Rung, d.Alarm, d.Recall, d.ID, was)
	if err != nil {
		return fmt.Errorf("dispatch %d %s: %w", d.ID, kind, err)
	}
	if !ok {
		return ErrStale
	}
	return insertEvents(ctx, tx, []Event{e})
}

func dispatch(ctx context.Context, tx *sqldb.Tx, id DispatchID) (*Dispatch, error) {
	var found []Dispatch
	if err := tx.SelectContext(ctx, &found, `SELECT `+dispatchColumns+` FROM dispatch WHERE id = $1`, id); err != nil {
		return nil, fmt.Errorf("dispatch %d: %w", id, err)
	}
	if len(found) == 0 {
		return nil, &Error{Missing, CodeNoDispatch, fmt.Sprint(id)}
	}
	return &found[0], nil
}
