package mailcore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"congvan/mailcore/sqldb"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"
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
	Name       string    // shown to people
	Unit       string    // directory code of the unit it belongs to
	MustChange bool      // the issued password must be changed before anything else works
	PasswordAt time.Time // when the password was set, zero when that is not known
	CreatedAt  time.Time
	ClosedAt   time.Time // zero while it is open; a closed address is never given out again
	MovedTo    Address   // of a closed one: whom senders are told about, "" for nobody
	Quota      int64     // bytes that it may keep; 0: no limit; DefaultQuota: as configured

	// Under is the number of the written delegation under which an officer acts on a unit's mailbox just now, "" for acts of
	// an account's own. Events bear it.
	Under string
}

// A NewAccount is an account to be created. An empty password lets nobody in.
type NewAccount struct {
	Address    Address
	Kind       AccountKind
	Name, Unit string
	Password   string
	MustChange bool
}

// accountRow is an account as its table has it.
type accountRow struct {
	ID         AccountID     `db:"id"`
	Address    Address       `db:"address"`
	Kind       AccountKind   `db:"kind"`
	Name       string        `db:"name"`
	Unit       string        `db:"unit"`
	Hash       string        `db:"password_hash"`
	Epoch      int64         `db:"epoch"`
	Salt       string        `db:"scram_salt"`
	MustChange bool          `db:"must_change"`
	PasswordAt int64         `db:"password_at"`
	CreatedAt  int64         `db:"created_at"`
	ClosedAt   sql.NullInt64 `db:"closed_at"`
	MovedTo    Address       `db:"moved_to"`
	Quota      int64         `db:"quota"`
}

const accountColumns = `id, address, kind, name, unit, password_hash, epoch, scram_salt, must_change, password_at, created_at, closed_at, moved_to, quota`

func (r *accountRow) account() Account {
	a := Account{ID: r.ID, Address: r.Address, Kind: r.Kind, Name: r.Name, Unit: r.Unit, MustChange: r.MustChange, Quota: r.Quota, MovedTo: r.MovedTo,
		CreatedAt: time.UnixMicro(r.CreatedAt).UTC()}
	if r.PasswordAt > 0 {
		a.PasswordAt = time.UnixMicro(r.PasswordAt).UTC()
	}
	if r.ClosedAt.Valid {
		a.ClosedAt = time.UnixMicro(r.ClosedAt.Int64).UTC()
	}
	return a
}

// CreateAccounts creates the accounts and their mailboxes, all or none: INBOX, the folders that clients expect and, for a
// unit, those whose moves are acts. An address that is or was in use gives ErrAddressTaken. The answer is in the order asked.
func (s *Store) CreateAccounts(ctx context.Context, accounts []NewAccount) ([]Account, error) {
	hashes, err := s.hashAll(ctx, accounts)
	if err != nil {
		return nil, fmt.Errorf("create accounts: %w", err)
	}
	var out []Account
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		out = out[:0]
		byAddress := map[Address]Account{}
		for i := 0; i < len(accounts); i += maxChunk {
			end := min(i+maxChunk, len(accounts))
			if err := insertAccounts(ctx, tx, accounts[i:end], hashes[i:end], byAddress); err != nil {
				return err
			}
		}
		for _, n := range accounts {
			out = append(out, byAddress[n.Address])
		}
		return insertDefaultMailboxes(ctx, tx, out)
	})
	if err != nil {
		return nil, fmt.Errorf("create accounts: %w", err)
	}
	return out, nil
}

func insertAccounts(ctx context.Context, tx *sqldb.Tx, accounts []NewAccount, hashes []string, out map[Address]Account) error {
	var a args
	var rows []string
	for i, n := range accounts {
		rows = append(rows, a.row(n.Address, n.Kind, clean(norm.NFC.String(n.Name), 1000), n.Unit, hashes[i], n.MustChange,
			passwordAt(hashes[i], tx.Now), tx.Now.UnixMicro(), tx.Now.Unix()))
	}
	var made []accountRow
	err := tx.SelectContext(ctx, &made, `INSERT INTO account (address, kind, name, unit, password_hash, must_change, password_at, created_at, uid_validity)
		VALUES `+strings.Join(rows, ", ")+` ON CONFLICT (address) DO NOTHING RETURNING `+accountColumns, a...)
	if err != nil {
		return err
	}
	for i := range made {
		out[made[i].Address] = made[i].account()
	}
	if len(made) == len(accounts) {
		return nil
	}
	for _, n := range accounts {
		if _, ok := out[n.Address]; !ok {
			return fmt.Errorf("%s: %w", n.Address, ErrAddressTaken)
		}
	}
	return fmt.Errorf("one address stands twice: %w", ErrAddressTaken)
}

// passwordAt is when an account that begins with this hash got its password.
func passwordAt(hash string, now time.Time) int64 {
	if hash == "" {
		return 0
	}
	return now.UnixMicro()
}

// hashAll checks the accounts and hashes their passwords, on every core.
func (s *Store) hashAll(ctx context.Context, accounts []NewAccount) ([]string, error) {
	hashes := make([]string, len(accounts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for i, n := range accounts {
		if a, err := ParseAddress(string(n.Address)); err != nil || a != n.Address {
			return nil, errors.Join(fmt.Errorf("%q is not the form of an address that ParseAddress gives", n.Address), err)
		}
		switch n.Kind {
		case Unit, Officer, System:
		default:
			return nil, fmt.Errorf("%s: %q is no kind of account", n.Address, n.Kind)
		}
		if n.Password == "" {
			continue
		}
		g.Go(func() (err error) {
			hashes[i], err = hashPassword(ctx, n.Password, s.cost)
			return err
		})
	}
	return hashes, g.Wait()
}

// SetPassword replaces the password. Everything that is logged in, remembered or open by the old one ends at once, on every
// node, and so do the account's app passwords: whoever changes a password may have lost the old one.
func (s *Store) SetPassword(ctx context.Context, address Address, password string, mustChange bool) error {
	hash, err := hashPassword(ctx, password, s.cost)
	if err != nil {
		return fmt.Errorf("set password of %s: %w", address, err)
	}
	return wrap(s.cut(ctx, address, hash, mustChange), "set password of %s", address)
}

// CutAccount ends everything that is logged in as the account, at once and on every node: sessions, app passwords, open
// connections, and the password itself. Nobody gets in until SetPassword gives a new one.
func (s *Store) CutAccount(ctx context.Context, address Address) error {
	return wrap(s.cut(ctx, address, "", true), "cut account %s", address)
}

func (s *Store) cut(ctx context.Context, address Address, hash string, mustChange bool) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var id AccountID
		err := tx.GetContext(ctx, &id, `UPDATE account SET password_hash = $1, must_change = $2, password_at = $3 WHERE address = $4 RETURNING id`,
			hash, mustChange, tx.Now.UnixMicro(), address)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoAccount
		}
		if err != nil {
			return err
		}
		if err := errors.Join(unlockAccount(ctx, tx, address), revokeApps(ctx, tx, id)); err != nil {
			return err
		}
		return endLogins(ctx, tx, id)
	})
}

// endLogins ends what is logged in as the account.
func endLogins(ctx context.Context, tx *sqldb.Tx, id AccountID) error {
	tx.Wake(TopicLogins)
	for _, query := range []string{`UPDATE account SET epoch = epoch + 1 WHERE id = $1`, `DELETE FROM web_session WHERE account_id = $1`} {
		if _, err := tx.ExecContext(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

// revokeApps ends every app password of the account.
func revokeApps(ctx context.Context, tx *sqldb.Tx, id AccountID) error {
	_, err := tx.ExecContext(ctx, `UPDATE app_password SET revoked_at = $1 WHERE account_id = $2 AND revoked_at IS NULL`, tx.Now.UnixMicro(), id)
	return err
}

// CloseAccount lets nobody in any more, ends what is logged in, and takes no more mail. What is in its mailboxes stays.
func (s *Store) CloseAccount(ctx context.Context, address Address) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var id AccountID
		err := tx.GetContext(ctx, &id, `UPDATE account SET closed_at = COALESCE(closed_at, $1) WHERE address = $2 RETURNING id`, tx.Now.UnixMicro(), address)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoAccount
		}
		if err != nil {
			return err
		}
		if err := revokeApps(ctx, tx, id); err != nil {
			return err
		}
		return endLogins(ctx, tx, id)
	})
	return wrap(err, "close account %s", address)
}

// Account returns the account of exactly this address, closed or not; ErrNoAccount.
func (s *Store) Account(ctx context.Context, address Address) (Account, error) {
	row, err := s.accountWhere(ctx, `address = $1`, address)
	if err != nil {
		return Account{}, fmt.Errorf("account %s: %w", address, err)
	}
	return row.account(), nil
}

// AccountByID returns the account; ErrNoAccount.
func (s *Store) AccountByID(ctx context.Context, id AccountID) (Account, error) {
	row, err := s.accountWhere(ctx, `id = $1`, id)
	if err != nil {
		return Account{}, fmt.Errorf("account %d: %w", id, err)
	}
	return row.account(), nil
}

func (s *Store) accountWhere(ctx context.Context, condition string, arg any) (accountRow, error) {
	var row accountRow
	err := s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &row, `SELECT `+accountColumns+` FROM account WHERE `+condition, arg)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoAccount
	}
	return row, err
}

// ListAccounts returns all accounts by address.
func (s *Store) ListAccounts(ctx context.Context) ([]Account, error) {
	var rows []accountRow
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT `+accountColumns+` FROM account ORDER BY address`)
	})
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	out := make([]Account, len(rows))
	for i := range rows {
		out[i] = rows[i].account()
	}
	return out, nil
}
