package mailcore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"congvan/mailcore/sqldb"
)

// A MovedError says that an address was somebody's who left: no mail comes there any more (RFC 3463 X.1.6). It is an
// ErrNoRecipient.
type MovedError struct {
	Address Address
	To      Address // whom senders may be told about, "" for nobody
}

func (e *MovedError) Error() string { return fmt.Sprintf("%s is closed for good", e.Address) }
func (e *MovedError) Unwrap() error { return ErrNoRecipient }

// LeaveTx closes an account for good, as part of the caller's transaction: whatever is logged in ends at once on every node, app
// passwords, locks and delegations end, no more mail comes. What its mailboxes hold stays, and so does the address, which nobody
// gets again. Senders are told movedTo unless it is "". The delegations that ended are returned; ErrNoAccount, ErrClosed.
func (s *Store) LeaveTx(ctx context.Context, tx *sqldb.Tx, address, movedTo Address) ([]Delegation, error) {
	ended, err := s.leave(ctx, tx, address, movedTo)
	return ended, wrap(err, "close account %s for good", address)
}

func (s *Store) leave(ctx context.Context, tx *sqldb.Tx, address, movedTo Address) ([]Delegation, error) {
	var row accountRow
	err := tx.GetContext(ctx, &row, `SELECT `+accountColumns+` FROM account WHERE address = $1`, address)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoAccount
	}
	if err != nil {
		return nil, err
	}
	ok, err := tx.ExecOne(ctx, `UPDATE account SET closed_at = $1, moved_to = $2, password_hash = '' WHERE id = $3 AND closed_at IS NULL`, tx.Now.UnixMicro(), movedTo, row.ID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrClosed
	}
	ended, err := delegations(ctx, tx, ` AND (d.officer_id = $1 OR d.unit_id = $1) AND d.revoked_at IS NULL AND d.valid_to >= $2 ORDER BY d.id`, row.ID, CivilDate(tx.Now))
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE delegation SET revoked_at = $1 WHERE (officer_id = $2 OR unit_id = $2) AND revoked_at IS NULL`, tx.Now.UnixMicro(), row.ID)
	}
	return ended, errors.Join(err, unlockAccount(ctx, tx, address), revokeApps(ctx, tx, row.ID), endLogins(ctx, tx, row.ID))
}
