package mailcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"congvan/mailcore/sqldb"

	"golang.org/x/text/unicode/norm"
)

// A DelegationID is the key of a delegation.
type DelegationID int64

// A Delegation (giấy ủy quyền) lets an officer open a unit's mailbox and act for the unit from one civil date to another,
// both included. It is kept here and not in the directory because every command on a mailbox asks for it.
type Delegation struct {
	ID        DelegationID
	Officer   Address
	Unit      Address   // of the unit's account
	UnitID    AccountID // likewise
	UnitCode  string    // in the directory
	UnitName  string
	Number    string // of the written delegation
	From, To  string // 2026-11-23
	RevokedAt time.Time
}

// Errors of delegations.
var (
	ErrNoDelegation  = errors.New("no such delegation")
	ErrBadDelegation = errors.New("not a delegation of an officer for a unit")
)

type delegationRow struct {
	ID        DelegationID `db:"id"`
	Officer   Address      `db:"officer"`
	Unit      Address      `db:"unit"`
	UnitID    AccountID    `db:"unit_id"`
	UnitCode  string       `db:"unit_code"`
	UnitName  string       `db:"unit_name"`
	Number    string       `db:"number"`
	From      string       `db:"valid_from"`
	To        string       `db:"valid_to"`
	RevokedAt int64        `db:"revoked_at"`
}

const (
	delegationColumns = `d.id, o.address AS officer, u.address AS unit, d.unit_id, u.unit AS unit_code, u.name AS unit_name, d.number,
		d.valid_from, d.valid_to, COALESCE(d.revoked_at, 0) AS revoked_at`
	delegationsThat = `delegation d JOIN account o ON o.id = d.officer_id JOIN account u ON u.id = d.unit_id WHERE TRUE`
)

// hold is the condition that a delegation is valid at a time.
func hold(a *args, now time.Time) string {
	day := a.add(CivilDate(now))
	return `d.revoked_at IS NULL AND d.valid_from <= ` + day + ` AND d.valid_to >= ` + day + ` AND o.closed_at IS NULL AND u.closed_at IS NULL`
}

// CivilDate is the day in Việt Nam, which is seven hours ahead of UTC all year.
func CivilDate(t time.Time) string {
	return t.In(time.FixedZone("Asia/Ho_Chi_Minh", 7*3600)).Format(time.DateOnly)
}

func (r *delegationRow) delegation() Delegation {
	d := Delegation{r.ID, r.Officer, r.Unit, r.UnitID, r.UnitCode, r.UnitName, r.Number, r.From, r.To, time.Time{}}
	if r.RevokedAt > 0 {
		d.RevokedAt = time.UnixMicro(r.RevokedAt).UTC()
	}
	return d
}

// Delegate records that an officer may act for a unit. number is that of the written delegation; from and to are civil dates.
func (s *Store) Delegate(ctx context.Context, officer, unit Address, number, from, to string) (Delegation, error) {
	number = clean(strings.TrimSpace(norm.NFC.String(number)), 200)
	_, err1 := time.Parse(time.DateOnly, from)
	_, err2 := time.Parse(time.DateOnly, to)
	if err1 != nil || err2 != nil || to < from || number == "" {
		return Delegation{}, fmt.Errorf("delegate %s to %s from %q to %q by %q: %w", unit, officer, from, to, number, ErrBadDelegation)
	}
	var d Delegation
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var rows []accountRow
		if err := tx.SelectContext(ctx, &rows, `SELECT `+accountColumns+` FROM account WHERE address IN ($1, $2) AND closed_at IS NULL`, officer, unit); err != nil {
			return err
		}
		ids := map[AccountKind]AccountID{}
		for _, r := range rows {
			if r.Address == officer && r.Kind == Officer || r.Address == unit && r.Kind == Unit {
				ids[r.Kind] = r.ID
			}
		}
		if len(ids) < 2 && len(rows) < 2 {
			return ErrNoAccount
		}
		if len(ids) < 2 {
			return ErrBadDelegation
		}
		var id DelegationID
		if err := tx.GetContext(ctx, &id, `INSERT INTO delegation (officer_id, unit_id, number, valid_from, valid_to, created_at)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`, ids[Officer], ids[Unit], number, from, to, tx.Now.UnixMicro()); err != nil {
			return err
		}
		tx.Wake(TopicLogins)
		found, err := delegations(ctx, tx, ` AND d.id = $1`, id)
		if err == nil {
			d = found[0]
		}
		return err
	})
	return d, wrap(err, "delegate %s to %s", unit, officer)
}

// RevokeDelegation ends a delegation at once, in open connections too.
func (s *Store) RevokeDelegation(ctx context.Context, id DelegationID) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		tx.Wake(TopicLogins)
		return changeOne(ctx, tx, ErrNoDelegation, `UPDATE delegation SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`, tx.Now.UnixMicro(), id)
	})
	return wrap(err, "revoke delegation %d", id)
}

// ActsFor lists the delegations of an officer that hold at the given time, one for each unit, by the unit's name.
func (s *Store) ActsFor(ctx context.Context, officer AccountID, at time.Time) ([]Delegation, error) {
	var out []Delegation
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		a := args{officer}
		out, err = delegations(ctx, tx, ` AND d.officer_id = $1 AND `+hold(&a, at)+` ORDER BY u.name, u.id, d.valid_to DESC, d.id`, a...)
		return err
	})
	once := out[:0]
	for i, d := range out {
		if i == 0 || d.UnitID != out[i-1].UnitID {
			once = append(once, d)
		}
	}
	return once, wrap(err, "delegations of account %d", officer)
}

// ListDelegations returns every delegation that was ever recorded, newest first.
func (s *Store) ListDelegations(ctx context.Context) ([]Delegation, error) {
	var out []Delegation
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		out, err = delegations(ctx, tx, ` ORDER BY d.id DESC`)
		return err
	})
	return out, wrap(err, "list delegations")
}

func delegations(ctx context.Context, tx *sqldb.Tx, condition string, a ...any) ([]Delegation, error) {
	var rows []delegationRow
	err := tx.SelectContext(ctx, &rows, `SELECT `+delegationColumns+` FROM `+delegationsThat+condition, a...)
	out := make([]Delegation, len(rows))
	for i := range rows {
		out[i] = rows[i].delegation()
	}
	return out, err
}
