package mailcore

import (
	"context"

	"congvan/mailcore/sqldb"
)

// A Copy is one row to be written: a body shown in a mailbox.
type Copy struct {
	Account AccountID // into its INBOX …
	Mailbox MailboxID // … unless a mailbox is named
	Prefix  []byte    // header lines of this copy alone, each ended by CRLF
	Ref     string    // what this copy is to the room above, at most once an account
	Flags   []string
	Arrived *Arrival // not nil: also tell the room above that this mail arrived
}

// An Arrival is how a mail came; it becomes the detail of the event "arrived".
type Arrival struct {
	Sender Address `json:"sender"`
	Rcpt   Address `json:"rcpt"`              // as the envelope had it, token of a reply address included
	AuthAs Address `json:"auth_as,omitempty"` // account that submitted it, "" from outside
	Remote string  `json:"remote,omitempty"`
}

// Placed is where a copy went.
type Placed struct {
	Mailbox MailboxID
	UID     UID
}

// DeliverTx shows a saved body in every mailbox named, as part of the caller's transaction: a handful of statements
// whatever the number of copies. The answer is in the order of copies. A mailbox that stands twice gets two copies.
func (s *Store) DeliverTx(ctx context.Context, tx *sqldb.Tx, b *Body, copies []Copy) ([]Placed, error) {
	return nil, errStub
}

// Deliver is DeliverTx in a transaction of its own.
func (s *Store) Deliver(ctx context.Context, b *Body, copies []Copy) ([]Placed, error) {
	return nil, errStub
}
