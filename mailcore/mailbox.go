package mailcore

import (
	"context"
	"errors"
)

// Errors of mailboxes.
var (
	ErrNoMailbox      = errors.New("no such mailbox")
	ErrMailboxExists  = errors.New("mailbox exists")
	ErrMailboxName    = errors.New("not a mailbox name")
	ErrMailboxIsFixed = errors.New("this mailbox can be neither deleted nor renamed")
)

// A Mailbox is a folder of an account. '/' parts levels of its name.
type Mailbox struct {
	ID          MailboxID `db:"id"`
	Account     AccountID `db:"account_id"`
	Name        string    `db:"name"`
	SpecialUse  string    `db:"special_use"` // RFC 6154, such as \Sent; "" for none
	UIDValidity uint32    `db:"uid_validity"`
	UIDNext     UID       `db:"uid_next"`
	ModSeq      uint64    `db:"modseq"` // of the last change in it
	Subscribed  bool      `db:"subscribed"`
}

// A MailboxStatus is a mailbox and what is in it.
type MailboxStatus struct {
	Mailbox
	Messages, Unseen, Deleted int
	Size                      int64
}

// Inbox is the name of the mailbox that every account has.
const Inbox = "INBOX"

// The folders of a unit into which a move is an act. They cannot be deleted or renamed.
const (
	FolderAccepted   = "Đã tiếp nhận"
	FolderInProgress = "Đang xử lý"
	FolderCompleted  = "Hoàn thành"
	FolderRefused    = "Từ chối"
)

// Mailboxes returns an account's mailboxes by name, INBOX first.
func (s *Store) Mailboxes(ctx context.Context, account AccountID) ([]Mailbox, error) {
	return nil, errStub
}

// Mailbox returns one of them; ErrNoMailbox. INBOX counts in any case.
func (s *Store) Mailbox(ctx context.Context, account AccountID, name string) (Mailbox, error) {
	return Mailbox{}, errStub
}

// MailboxByID returns a mailbox; ErrNoMailbox.
func (s *Store) MailboxByID(ctx context.Context, id MailboxID) (Mailbox, error) {
	return Mailbox{}, errStub
}

// CreateMailbox creates a mailbox and the levels above it that are missing; ErrMailboxExists, ErrMailboxName.
func (s *Store) CreateMailbox(ctx context.Context, account AccountID, name, specialUse string) (Mailbox, error) {
	return Mailbox{}, errStub
}

// DeleteMailbox deletes a mailbox with what is in it; mailboxes below it stay. ErrMailboxIsFixed for INBOX and a unit's
// folders that are acts.
func (s *Store) DeleteMailbox(ctx context.Context, by Account, account AccountID, name string) error {
	return errStub
}

// RenameMailbox renames a mailbox and those below it; ErrMailboxIsFixed as for DeleteMailbox.
func (s *Store) RenameMailbox(ctx context.Context, account AccountID, from, to string) error {
	return errStub
}

// SubscribeMailbox notes whether clients list it by default.
func (s *Store) SubscribeMailbox(ctx context.Context, account AccountID, name string, on bool) error {
	return errStub
}

// MailboxStatus counts what is in a mailbox; ErrNoMailbox.
func (s *Store) MailboxStatus(ctx context.Context, id MailboxID) (MailboxStatus, error) {
	return MailboxStatus{}, errStub
}
