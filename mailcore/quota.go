package mailcore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"congvan/mailcore/sqldb"
)

// DefaultQuota, given to SetQuota, is what SetDefaultQuota says.
const DefaultQuota = -1

// ErrOverQuota says that an account may keep no more mail. What the gateway itself delivers is always taken.
var ErrOverQuota = errors.New("the account has no room for it")

// quotaLevels are the percentages at which an account's owner is warned, once each; below quotaCalm they are forgotten.
var quotaLevels = []int64{80, 95}

const quotaCalm = 70

// A Quota is how much an account may keep, and how much it keeps: the bodies of its messages. The few lines that each copy
// has of its own are not counted.
type Quota struct {
	Limit int64 `db:"quota"` // bytes, 0 for no limit
	Used  int64 `db:"used"`
}

// Fits reports whether a message of so many bytes has room.
func (q Quota) Fits(size int64) bool { return q.Limit == 0 || q.Used+size <= q.Limit }

// Percent is how much of the limit is used, 0 when there is none.
func (q Quota) Percent() int64 {
	if q.Limit == 0 {
		return 0
	}
	return int64(float64(q.Used) / float64(q.Limit) * 100)
}

// SetDefaultQuota gives accounts without a limit of their own one; 0 is none. Call it before the store is used.
func (s *Store) SetDefaultQuota(bytes int64) { s.quota = max(bytes, 0) }

// limit is how many bytes an account may keep, 0 for no limit. The gateway's own accounts have none.
func (s *Store) limit(kind AccountKind, own int64) int64 {
	switch {
	case kind == System:
		return 0
	case own == DefaultQuota:
		return s.quota
	}
	return own
}

// SetQuota limits what an account may keep: bytes, 0 for no limit, or DefaultQuota; ErrNoAccount. Nothing is deleted.
func (s *Store) SetQuota(ctx context.Context, address Address, bytes int64) error {
	if bytes < DefaultQuota {
		return fmt.Errorf("set quota of %s: %d bytes", address, bytes)
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		return changeOne(ctx, tx, ErrNoAccount, `UPDATE account SET quota = $1, quota_warned = 0 WHERE address = $2`, bytes, address)
	})
	return wrap(err, "set quota of %s", address)
}

// Quota returns what an account may keep and keeps, from the counters of its few mailboxes; ErrNoAccount.
func (s *Store) Quota(ctx context.Context, id AccountID) (q Quota, err error) {
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		q, err = s.quotaTx(ctx, tx, `$1`, id)
		return err
	})
	return q, wrap(err, "quota of account %d", id)
}

// quotaTx is Quota for the account that the query finds.
func (s *Store) quotaTx(ctx context.Context, tx *sqldb.Tx, query string, id any) (Quota, error) {
	var row struct {
		Quota
		Kind AccountKind `db:"kind"`
	}
	err := tx.GetContext(ctx, &row, `SELECT kind, quota, (SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM mailbox WHERE account_id = account.id) AS used
		FROM account WHERE id = `+query, id)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoAccount
	}
	row.Limit = s.limit(row.Kind, row.Limit)
	return row.Quota, err
}

// makeRoom refuses to add bytes to a mailbox whose account has no room for them. Two that ask at the same moment may both be let in.
func (s *Store) makeRoom(ctx context.Context, tx *sqldb.Tx, id MailboxID, bytes int64) error {
	q, err := s.quotaTx(ctx, tx, `(SELECT account_id FROM mailbox WHERE id = $1)`, id)
	switch {
	case errors.Is(err, ErrNoAccount):
		return ErrNoMailbox
	case err == nil && !q.Fits(bytes):
		return ErrOverQuota
	}
	return err
}

// sizeOf adds up the bodies of copies.
func sizeOf(ctx context.Context, tx *sqldb.Tx, id MailboxID, copies []copyRow) (int64, error) {
	var total int64
	for chunk := range slices.Chunk(uidsOf(copies), maxChunk) {
		a := args{id}
		var size int64
		err := tx.GetContext(ctx, &size, `SELECT CAST(COALESCE(SUM(m.size), 0) AS BIGINT)`+copyAndBody+` AND c.uid IN `+list(&a, chunk), a...)
		if err != nil {
			return 0, err
		}
		total += size
	}
	return total, nil
}

// A QuotaWarning is an account whose mail has come near to what it may keep.
type QuotaWarning struct {
	Account Account
	Level   int64 // percent that was reached
	Quota
}

// WatchQuotas warns the owners of accounts that fill up, looking every interval until ctx ends: write makes the letter.
func (s *Store) WatchQuotas(ctx context.Context, interval time.Duration, write func(QuotaWarning) ([]byte, error)) error {
	for {
		if n, err := s.WarnQuotas(ctx, write); err != nil && ctx.Err() == nil {
			s.log.Error("warn of full mailboxes", "err", err)
		} else if n > 0 {
			s.log.Info("accounts warned of full mailboxes", "accounts", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

// WarnQuotas delivers a letter to each account that has newly reached a level, and returns how many. The letter and the word
// that it was written stand in one transaction, so that of several nodes one warns.
func (s *Store) WarnQuotas(ctx context.Context, write func(QuotaWarning) ([]byte, error)) (int, error) {
	var rows []struct {
		accountRow
		Used   int64 `db:"used"`
		Warned int64 `db:"quota_warned"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `WITH used AS (SELECT account_id, SUM(bytes) AS used FROM mailbox GROUP BY account_id)
			SELECT `+accountColumns+`, quota_warned, CAST(used AS BIGINT) AS used FROM account JOIN used ON account_id = id
			WHERE kind <> 'system' AND closed_at IS NULL AND (quota_warned > 0
				OR used > 0 AND (quota > 0 AND used * 100 >= quota * $1 OR quota = -1 AND $2 > 0 AND used * 100 >= $2 * $1))`,
			quotaLevels[0], s.quota)
	})
	if err != nil {
		return 0, fmt.Errorf("look for full mailboxes: %w", err)
	}
	told := 0
	var failed []error
	for i := range rows {
		r := &rows[i]
		w := QuotaWarning{Account: r.account(), Quota: Quota{s.limit(r.Kind, r.Quota), r.Used}}
		for _, level := range quotaLevels {
			if w.Percent() >= level {
				w.Level = level
			}
		}
		calm := r.Warned > 0 && w.Percent() < quotaCalm
		if !calm && w.Level <= r.Warned {
			continue
		}
		done, err := s.warn(ctx, w, r.Warned, write)
		if done && w.Level > 0 {
			told++
		}
		failed = append(failed, wrap(err, "%s", r.Address))
	}
	return told, wrap(errors.Join(failed...), "warn of full mailboxes")
}

// warn notes the level and, unless it is none, delivers the letter.
func (s *Store) warn(ctx context.Context, w QuotaWarning, before int64, write func(QuotaWarning) ([]byte, error)) (done bool, err error) {
	var body *Body
	if w.Level > 0 {
		text, err := write(w)
		if err != nil {
			return false, err
		}
		if body, err = s.SaveBody(ctx, bytes.NewReader(text), 0); err != nil {
			return false, err
		}
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		done, err = tx.ExecOne(ctx, `UPDATE account SET quota_warned = $1 WHERE id = $2 AND quota_warned = $3`, w.Level, w.Account.ID, before)
		if err != nil || !done || body == nil {
			return err
		}
		_, err := s.DeliverTx(ctx, tx, body, []Copy{{Account: w.Account.ID, Prefix: []byte("Return-Path: <>\r\n")}})
		return err
	})
	return done && err == nil, err
}
