package mailcore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// ErrChanged says that a mailbox is no longer what was listed.
var ErrChanged = errors.New("the mailbox has changed meanwhile")

// A Holding is one message of an account, as an inventory lists it.
type Holding struct {
	Folder        string
	UID           UID
	ReceivedAt    time.Time
	Size          int64
	Digest        blob.Digest // of the body as it is stored
	From, Subject string
}

// A Listed is the state of the mailboxes that an inventory was made of: the sequence number of each.
type Listed map[MailboxID]uint64

// Inventory calls fn for every message of an account, folder by folder.
func (s *Store) Inventory(ctx context.Context, account AccountID, fn func(Holding) error) (Listed, error) {
	boxes, err := s.Mailboxes(ctx, account)
	if err != nil {
		return nil, err
	}
	seen := Listed{}
	for _, box := range boxes {
		rows, modseq, err := s.Rows(ctx, box.ID)
		if err != nil {
			return nil, err
		}
		seen[box.ID] = modseq
		for len(rows) > 0 {
			n := min(len(rows), 200)
			if err := s.holdings(ctx, box, rows[:n], fn); err != nil {
				return nil, err
			}
			rows = rows[n:]
		}
	}
	return seen, nil
}

func (s *Store) holdings(ctx context.Context, box Mailbox, rows []Row, fn func(Holding) error) error {
	uids := make([]UID, len(rows))
	for i, r := range rows {
		uids[i] = r.UID
	}
	stored, err := s.Load(ctx, box.ID, uids)
	if err != nil {
		return err
	}
	for _, m := range stored {
		h := Holding{Folder: box.Name, UID: m.UID, ReceivedAt: m.ReceivedAt, Size: m.Size, Digest: m.Digest, Subject: m.Summary.Envelope.Subject}
		if from := m.Summary.Envelope.From; len(from) > 0 {
			h.From = from[0].Mailbox + "@" + from[0].Host
		}
		if err := fn(h); err != nil {
			return err
		}
	}
	return nil
}

// A PasswordHash is a password made ready for HandOverTx.
type PasswordHash string

// HashPassword makes a password ready, which takes a while.
func (s *Store) HashPassword(ctx context.Context, password string) (PasswordHash, error) {
	hash, err := hashPassword(ctx, password, s.cost)
	return PasswordHash(hash), wrap(err, "hash password")
}

// HandOverTx gives a unit's mailbox to whoever gets the new password, which must be changed before anything else: sessions, app
// passwords, open connections and delegations of the one before end (QĐ 22/2009 Điều 8). It returns the delegations that it ended.
// ErrChanged: the mailbox is not what was listed.
func (s *Store) HandOverTx(ctx context.Context, tx *sqldb.Tx, address Address, hash PasswordHash, listed Listed) ([]Delegation, error) {
	var id AccountID
	err := tx.GetContext(ctx, &id, `UPDATE account SET password_hash = $1, must_change = $2, password_at = $3
		WHERE address = $4 AND kind = $5 AND closed_at IS NULL RETURNING id`, hash, true, tx.Now.UnixMicro(), address, Unit)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoAccount
	}
	if err != nil {
		return nil, fmt.Errorf("hand over %s: %w", address, err)
	}
	if err := unchanged(ctx, tx, id, listed); err != nil {
		return nil, fmt.Errorf("hand over %s: %w", address, err)
	}
	a := args{id}
	ended, err := delegations(ctx, tx, ` AND d.unit_id = $1 AND `+hold(&a, tx.Now)+` ORDER BY d.id`, a...)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE delegation SET revoked_at = $1 WHERE unit_id = $2 AND revoked_at IS NULL`, tx.Now.UnixMicro(), id)
	}
	err = errors.Join(err, unlockAccount(ctx, tx, address), revokeApps(ctx, tx, id), endLogins(ctx, tx, id))
	return ended, wrap(err, "hand over %s", address)
}

// unchanged holds the mailboxes of an account until the transaction ends.
func unchanged(ctx context.Context, tx *sqldb.Tx, account AccountID, listed Listed) error {
	var boxes []struct {
		ID     MailboxID `db:"id"`
		ModSeq uint64    `db:"modseq"`
	}
	if err := tx.SelectContext(ctx, &boxes, `UPDATE mailbox SET modseq = modseq WHERE account_id = $1 RETURNING id, modseq`, account); err != nil {
		return err
	}
	for _, b := range boxes {
		if at, ok := listed[b.ID]; !ok || at != b.ModSeq {
			return ErrChanged
		}
	}
	if len(boxes) != len(listed) {
		return ErrChanged
	}
	return nil
}
