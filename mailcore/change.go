package mailcore

import (
	"context"
	"time"
)

// A FlagOp is what ChangeFlags does with the flags given.
type FlagOp int

// The ways to change flags.
const (
	FlagsSet FlagOp = iota
	FlagsAdd
	FlagsRemove
)

// A UIDPair is where a message was and where it is now.
type UIDPair struct {
	From, To UID
}

// ChangeFlags changes the flags of the messages and returns the rows of all that are there, changed or not, by UID. \Seen
// newly set by a person on a copy with a Ref is the event "opened".
func (s *Store) ChangeFlags(ctx context.Context, by Account, id MailboxID, uids []UID, op FlagOp, flags []string) ([]Row, error) {
	return nil, errStub
}

// NoteFetched tells that bodies were fetched: with seen they get \Seen (and "opened"), else each copy with a Ref is
// "downloaded", once.
func (s *Store) NoteFetched(ctx context.Context, by Account, id MailboxID, uids []UID, seen bool) error {
	return errStub
}

// Append adds a saved body to a mailbox. at is its INTERNALDATE, now when zero.
func (s *Store) Append(ctx context.Context, by Account, id MailboxID, b *Body, flags []string, at time.Time) (UID, error) {
	return 0, errStub
}

// CopyMessages copies messages to another mailbox, Ref included; those that are not there are left out.
func (s *Store) CopyMessages(ctx context.Context, by Account, from MailboxID, uids []UID, to MailboxID) ([]UIDPair, error) {
	return nil, errStub
}

// MoveMessages moves messages to another mailbox. For each copy with a Ref this is the event "moved".
func (s *Store) MoveMessages(ctx context.Context, by Account, from MailboxID, uids []UID, to MailboxID) ([]UIDPair, error) {
	return nil, errStub
}

// Expunge removes the messages that bear \Deleted, of uids only (RFC 4315 §2.1) or, when uids is nil, of the whole mailbox,
// and returns the UIDs. A Ref of which no copy is left in the account is the event "deleted".
func (s *Store) Expunge(ctx context.Context, by Account, id MailboxID, uids []UID) ([]UID, error) {
	return nil, errStub
}
