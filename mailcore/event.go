package mailcore

import (
	"context"
	"time"

	"congvan/mailcore/sqldb"
)

// The kinds of events.
const (
	EventArrived    = "arrived"    // a mail came in; Detail is an Arrival
	EventDownloaded = "downloaded" // a client fetched a copy without opening it; once a copy
	EventOpened     = "opened"     // a person read a copy; once a copy
	EventMoved      = "moved"      // {"from":…,"to":…,"copy":true when it was copied}; Mailbox and UID are the new ones
	EventDeleted    = "deleted"    // the last copy in the account is gone; {"from":mailbox}
	EventRelayed    = "relayed"    // outbox: the other server took it; {"outbox","host","code","enhanced","text","rcpt"}
	EventLater      = "later"      // outbox: to be tried again; likewise
	EventFailed     = "failed"     // outbox: refused for good; likewise
	EventUncertain  = "uncertain"  // outbox: the line broke after the final dot; likewise
)

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
}

// PendingEvents returns events that nobody has handled, oldest first.
func (s *Store) PendingEvents(ctx context.Context, limit int) ([]Event, error) { return nil, errStub }

// HandledTx marks an event as handled, as part of the transaction that acts on it; false when somebody else did.
func (s *Store) HandledTx(ctx context.Context, tx *sqldb.Tx, id EventID) (bool, error) {
	return false, errStub
}
