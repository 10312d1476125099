package mailcore

import (
	"context"
	"fmt"
	"time"

	"congvan/mailcore/sqldb"
)

// The kinds of events.
const (
	EventArrived    = "arrived"    // a mail came in; Detail is an Arrival
	EventDownloaded = "downloaded" // a client fetched a copy without opening it; once a copy
	EventOpened     = "opened"     // a person read a copy; once a copy
	EventMoved      = "moved"      // Detail is a Move; Mailbox and UID are the new ones
	EventDeleted    = "deleted"    // the last copy in the account is gone; Detail is a Deletion
	EventRelayed    = "relayed"    // outbox: the other server took it; {"outbox","host","code","enhanced","text","rcpt"}
	EventLater      = "later"      // outbox: to be tried again; likewise
	EventFailed     = "failed"     // outbox: refused for good; likewise
	EventUncertain  = "uncertain"  // outbox: the line broke after the final dot; likewise
)

// A Move is how a copy came to lie in a mailbox; it becomes the detail of the event "moved". Names and special uses are those
// of that moment.
type Move struct {
	From    string `json:"from"` // name of the mailbox, "" when it came from outside the account
	FromUse string `json:"from_use,omitempty"`
	To      string `json:"to"`
	ToUse   string `json:"to_use,omitempty"`
	Copy    bool   `json:"copy,omitempty"`    // the one in From stays
	Append  bool   `json:"append,omitempty"`  // a client brought the bytes
	Altered bool   `json:"altered,omitempty"` // it bears the copy's Message-ID, but it is another mail: it has no Ref
}

// A Deletion is how the last copy left an account; it becomes the detail of the event "deleted".
type Deletion struct {
	From    string `json:"from"`
	FromUse string `json:"from_use,omitempty"`
	Prefix  []byte `json:"prefix,omitempty"` // of the copy
}

// An Event is something that happened to mail, for the room above.
type Event struct {
	ID      EventID
	At      time.Time
	Kind    string
	Ref     string // of the copy or the outbox row
	Account AccountID
	Mailbox MailboxID
	UID     UID
	Message MessageID
	Actor   Address // of the account that acted, "" for a server
	Detail  string  // JSON, by kind

	Delegation string // number of the delegation under which the actor acted, "" for none
}

// insertEvents writes what happened, at the transaction's time, in one statement for some hundred. One that may stand only
// once and does stand is left as it is.
func insertEvents(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{tx.Now.UnixMicro(), e.Kind, e.Ref, e.Account, e.Mailbox, e.UID, e.Message, e.Actor, e.Detail, e.Delegation}
	}
	tx.Wake(TopicEvents)
	return tx.InsertRows(ctx, `INSERT INTO mail_event (at, kind, ref, account_id, mailbox_id, uid, message_id, actor, detail, delegation)`, rows, `ON CONFLICT DO NOTHING`)
}

// PendingEvents returns events that nobody has handled, oldest first.
func (s *Store) PendingEvents(ctx context.Context, limit int) ([]Event, error) {
	return s.pending(ctx, `ORDER BY id LIMIT $1`, limit)
}

// PendingWith returns the events of the same kind that were written at one stroke with this one, in the same account, and that
// nobody has handled.
func (s *Store) PendingWith(ctx context.Context, e Event) ([]Event, error) {
	return s.pending(ctx, `AND kind = $1 AND account_id = $2 AND at = $3 ORDER BY id`, e.Kind, e.Account, e.At.UnixMicro())
}

func (s *Store) pending(ctx context.Context, which string, a ...any) ([]Event, error) {
	var rows []struct {
		ID      EventID   `db:"id"`
		At      int64     `db:"at"`
		Kind    string    `db:"kind"`
		Ref     string    `db:"ref"`
		Account AccountID `db:"account_id"`
		Mailbox MailboxID `db:"mailbox_id"`
		UID     UID       `db:"uid"`
		Message MessageID `db:"message_id"`
		Actor   Address   `db:"actor"`
		Detail  string    `db:"detail"`
		Under   string    `db:"delegation"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT id, at, kind, ref, account_id, mailbox_id, uid, message_id, actor, detail, delegation
			FROM mail_event WHERE handled_at IS NULL `+which, a...)
	})
	if err != nil {
		return nil, fmt.Errorf("pending mail events: %w", err)
	}
	out := make([]Event, len(rows))
	for i, r := range rows {
		out[i] = Event{r.ID, time.UnixMicro(r.At).UTC(), r.Kind, r.Ref, r.Account, r.Mailbox, r.UID, r.Message, r.Actor, r.Detail, r.Under}
	}
	return out, nil
}

// HandledTx marks an event as handled, as part of the transaction that acts on it; false when somebody else did.
func (s *Store) HandledTx(ctx context.Context, tx *sqldb.Tx, id EventID) (bool, error) {
	ok, err := tx.ExecOne(ctx, `UPDATE mail_event SET handled_at = $1 WHERE id = $2 AND handled_at IS NULL`, tx.Now.UnixMicro(), id)
	return ok, wrap(err, "handle mail event %d", id)
}
