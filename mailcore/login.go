package mailcore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"congvan/mailcore/sqldb"
)

// The services that somebody logs in to.
const (
	ServiceIMAP = "imap"
	ServiceSMTP = "smtp"
	ServiceWeb  = "web"
	ServiceLDAP = "ldap"
)

// ErrThrottled says that no password is checked for a while: there were too many wrong ones.
var ErrThrottled = errors.New("too many failed logins")

// An Attempt is somebody who wants to log in.
type Attempt struct {
	Address  string // as it was typed
	Domain   string // that a name without one is of
	Password string
	Service  string
	Remote   netip.Addr
}

// A Login is an account that somebody is logged in as, and by what.
type Login struct {
	Account
	App     AppPasswordID // 0: by the account's own password
	Service string
	Place   string // where from: an address, the network for IPv6

	epoch int64
}

// A LoginError is a refused login. It unwraps to ErrBadCredentials, ErrClosed, ErrThrottled or ErrMustChange.
type LoginError struct {
	Err    error
	Lately int // wrong passwords of this address for this account, this one included: the more, the later the answer
}

func (e *LoginError) Error() string { return e.Err.Error() }
func (e *LoginError) Unwrap() error { return e.Err }

// LogIn checks a password, the account's own or one of its app passwords, and notes the outcome. ErrBadCredentials stands for
// a wrong password and an unknown address, and costs the same time. With the right password a closed account gives ErrClosed,
// and one that still has the issued password gives the Login and ErrMustChange. Too many wrong ones give ErrThrottled, too
// many at once ErrBusy; nothing is checked then.
func (s *Store) LogIn(ctx context.Context, at Attempt) (Login, error) {
	who, err := s.candidate(ctx, at)
	if err != nil {
		return Login{}, fmt.Errorf("log in %q: %w", at.Address, err)
	}
	if !s.tries.allow(who.suspect, who.locks, true) {
		return Login{}, &LoginError{ErrThrottled, failsOfPair}
	}
	app, ok, err := s.checkSecret(ctx, who, at.Password)
	if err != nil {
		return Login{}, fmt.Errorf("log in %q: %w", at.Address, err)
	}
	if !ok {
		return Login{}, s.refused(ctx, who, s.logins.id(who.account, who.row.Hash, at.Password))
	}
	return s.accepted(who, app, at.Service)
}

// A loginCandidate is an attempt with what the database knows of it.
type loginCandidate struct {
	suspect
	mail  bool // the service takes app passwords
	row   accountRow
	apps  []appRow
	locks []string // that hold

	lifted []liftedLock // by a person, or with a new password
}

func (s *Store) candidate(ctx context.Context, at Attempt) (*loginCandidate, error) {
	name := at.Address
	if at.Domain != "" && !strings.Contains(name, "@") {
		name += "@" + at.Domain
	}
	address, err := ParseAddress(name) // people type capitals, and clients send what is no address
	if err != nil {
		address = "?"
	}
	c := &loginCandidate{suspect: suspect{place: placeOf(at.Remote), account: address}, mail: at.Service != ServiceWeb}
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		c.apps, c.known = nil, false
		if err := c.readLocks(ctx, tx); err != nil {
			return err
		}
		var row struct {
			accountRow
			Known bool `db:"known"`
			Apps  bool `db:"apps"`
		}
		err := tx.GetContext(ctx, &row, `SELECT `+accountColumns+`,
			EXISTS (SELECT 1 FROM login_place p WHERE p.account_id = account.id AND p.place = $1) AS known,
			EXISTS (SELECT 1 FROM app_password p WHERE p.account_id = account.id AND p.revoked_at IS NULL) AS apps
			FROM account WHERE address = $2`, c.place, address)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if c.row, c.known = row.accountRow, row.Known; err != nil || !row.Apps {
			return err
		}
		c.apps, err = appPasswords(ctx, tx, c.row.ID)
		return err
	})
	c.known = c.known || s.seen.knows(c.row.ID, c.place)
	s.tries.lift(c.suspect, c.lifted)
	return c, err
}

func (c *loginCandidate) readLocks(ctx context.Context, tx *sqldb.Tx) error {
	var rows []liftedLock
	err := tx.SelectContext(ctx, &rows, `SELECT place, until_at, at FROM login_lock WHERE place IN ($1, $2, $3) AND (until_at > $4 OR until_at = 0)`,
		c.place, c.pair(), c.owner(), tx.Now.UnixMicro())
	c.locks, c.lifted = nil, nil
	for _, r := range rows {
		if r.Until == 0 {
			c.lifted = append(c.lifted, r)
		} else {
			c.locks = append(c.locks, r.Place)
		}
	}
	return err
}

// checkSecret finds out whether the password is the account's own or that of one of its apps.
func (s *Store) checkSecret(ctx context.Context, who *loginCandidate, password string) (app AppPasswordID, ok bool, err error) {
	if app, ok := s.matchApp(who, password); ok {
		return app, true, nil
	}
	id := s.logins.id(who.account, who.row.Hash, password)
	if who.row.Hash != "" && s.logins.known(id) {
		return 0, true, nil
	}
	if s.tries.wasWrong(who.suspect, id) {
		return 0, false, nil
	}
	limit := int64(maxStranger)
	if who.known {
		limit = maxWaiting
	}
	give, err := takeHashing(ctx, limit)
	if err != nil {
		return 0, false, err
	}
	defer give()
	if !s.tries.allow(who.suspect, nil, false) && !who.known {
		return 0, false, &LoginError{ErrThrottled, failsOfPair} // those that came with it have failed meanwhile
	}
	if !matchesHash(who.row.Hash, password, s.cost) {
		return 0, false, nil
	}
	if isOutdated(who.row.Hash, s.cost) {
		if err := s.rehash(ctx, who, password); err != nil {
			return 0, false, err
		}
		id = s.logins.id(who.account, who.row.Hash, password)
	}
	s.logins.remember(id)
	return 0, true, nil
}

// rehash stores a hash at today's cost, unless the password has been changed meanwhile.
func (s *Store) rehash(ctx context.Context, who *loginCandidate, password string) error {
	hash := newHash(password, s.cost)
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecOne(ctx, `UPDATE account SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, hash, who.row.ID, who.row.Hash)
		return err
	})
	who.row.Hash = hash
	return err
}

// refused counts a failure and locks what has failed too often. The same wrong password again is not counted.
func (s *Store) refused(ctx context.Context, who *loginCandidate, id [32]byte) error {
	if s.tries.wasWrong(who.suspect, id) {
		return &LoginError{ErrBadCredentials, 1}
	}
	lately, lock := s.tries.fail(who.suspect, id)
	if err := s.lockPlaces(ctx, lock); err != nil {
		s.log.Error("lock out", "places", lock, "err", err)
	} else if len(lock) > 0 {
		s.log.Warn("locked out", "places", lock)
	}
	return &LoginError{ErrBadCredentials, lately}
}

func (s *Store) accepted(who *loginCandidate, app AppPasswordID, service string) (Login, error) {
	s.tries.forget(who.suspect)
	l := Login{Account: who.row.account(), App: app, Service: service, Place: who.place, epoch: who.row.Epoch}
	switch {
	case who.row.ClosedAt.Valid:
		return Login{}, &LoginError{Err: ErrClosed}
	case who.row.MustChange:
		return l, &LoginError{Err: ErrMustChange}
	}
	s.seen.note(l, s.db.Now())
	return l, nil
}

// Authenticate is LogIn for who has no connection, such as a command: nothing is counted or noted.
func (s *Store) Authenticate(ctx context.Context, address Address, password string) (Account, error) {
	who, err := s.candidate(ctx, Attempt{Address: string(address)})
	if err != nil {
		return Account{}, fmt.Errorf("authenticate %s: %w", address, err)
	}
	who.suspect = suspect{place: "!", account: who.account, known: true}
	_, ok, err := s.checkSecret(ctx, who, password)
	switch {
	case err != nil:
		return Account{}, fmt.Errorf("authenticate %s: %w", address, err)
	case !ok:
		return Account{}, ErrBadCredentials
	case who.row.ClosedAt.Valid:
		return Account{}, ErrClosed
	case who.row.MustChange:
		return who.row.account(), ErrMustChange
	}
	return who.row.account(), nil
}
