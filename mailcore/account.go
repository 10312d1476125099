package mailcore

import (
	"context"
	"errors"
	"time"
)

// An AccountKind says whose an account is.
type AccountKind string

// The kinds of accounts.
const (
	Unit    AccountKind = "unit"    // a unit's mailbox (đơn vị)
	Officer AccountKind = "officer" // an officer's (CBCC)
	System  AccountKind = "system"  // the gateway's own, such as the one that takes replies; nobody's act
)

// Errors of accounts.
var (
	ErrNoAccount      = errors.New("no such account")
	ErrAddressTaken   = errors.New("address is taken")
	ErrBadCredentials = errors.New("wrong address or password")
	ErrMustChange     = errors.New("the issued password must be changed first") // QĐ 22/2009 Điều 7
	ErrClosed         = errors.New("account is closed")
)

// An Account is somebody who has mailboxes here.
type Account struct {
	ID         AccountID
	Address    Address
	Kind       AccountKind
	Name       string // shown to people
	Unit       string // directory code of the unit it belongs to
	MustChange bool   // the issued password must be changed before anything else works
	CreatedAt  time.Time
	ClosedAt   time.Time // zero while it is open; a closed address is never given out again
}

// A NewAccount is an account to be created. An empty password lets nobody in.
type NewAccount struct {
	Address    Address
	Kind       AccountKind
	Name, Unit string
	Password   string
	MustChange bool
}

// CreateAccounts creates the accounts and their mailboxes, all or none: INBOX, the folders that clients expect and, for a
// unit, those whose moves are acts. An address that is or was in use gives ErrAddressTaken.
func (s *Store) CreateAccounts(ctx context.Context, accounts []NewAccount) ([]Account, error) {
	return nil, errStub
}

// SetPassword replaces the password; logins remembered with the old one end at once.
func (s *Store) SetPassword(ctx context.Context, address Address, password string, mustChange bool) error {
	return errStub
}

// CloseAccount lets nobody in any more and takes no more mail. What is in its mailboxes stays.
func (s *Store) CloseAccount(ctx context.Context, address Address) error { return errStub }

// Authenticate checks a password. ErrBadCredentials stands for a wrong password and an unknown address, and costs the same
// time. With the right password a closed account gives ErrClosed and one that has still the issued password the account and
// ErrMustChange.
func (s *Store) Authenticate(ctx context.Context, address Address, password string) (Account, error) {
	return Account{}, errStub
}

// Account returns the account of exactly this address, closed or not; ErrNoAccount.
func (s *Store) Account(ctx context.Context, address Address) (Account, error) {
	return Account{}, errStub
}

// AccountByID returns the account; ErrNoAccount.
func (s *Store) AccountByID(ctx context.Context, id AccountID) (Account, error) {
	return Account{}, errStub
}

// ListAccounts returns all accounts by address.
func (s *Store) ListAccounts(ctx context.Context) ([]Account, error) { return nil, errStub }
