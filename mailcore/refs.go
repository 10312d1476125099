package mailcore

import (
	"context"
	"fmt"

	"congvan/mailcore/sqldb"
)

// RefCounts returns how many copies lie in all mailboxes for each ref, so that the room above can prove that none of its
// copies is lost.
func (s *Store) RefCounts(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Ref string `db:"ref"`
		N   int    `db:"n"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT ref, count(*) AS n FROM mailbox_message WHERE ref <> '' GROUP BY ref`)
	})
	if err != nil {
		return nil, fmt.Errorf("count copies: %w", err)
	}
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		counts[r.Ref] = r.N
	}
	return counts, nil
}

// CopiesOf returns the copies with this ref, wherever they lie.
func (s *Store) CopiesOf(ctx context.Context, ref string) ([]Stored, error) {
	var at []struct {
		Mailbox MailboxID `db:"mailbox_id"`
		UID     UID       `db:"uid"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &at, `SELECT mailbox_id, uid FROM mailbox_message WHERE ref = $1 AND ref <> '' ORDER BY mailbox_id, uid`, ref)
	})
	if err != nil {
		return nil, fmt.Errorf("copies of %s: %w", ref, err)
	}
	var out []Stored
	for _, a := range at {
		found, err := s.Load(ctx, a.Mailbox, []UID{a.UID})
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// RefsOfTx returns the refs of the copies that lie in the mailboxes of an account, none where there is no such account.
func (s *Store) RefsOfTx(ctx context.Context, tx *sqldb.Tx, address Address) ([]string, error) {
	var refs []string
	err := tx.SelectContext(ctx, &refs, `SELECT DISTINCT c.ref FROM account a JOIN mailbox b ON b.account_id = a.id JOIN mailbox_message c ON c.mailbox_id = b.id
		WHERE a.address = $1 AND c.ref <> ''`, address)
	return refs, wrap(err, "copies in the mailboxes of %s", address)
}

// HasRefTx reports whether a copy with this ref lies in the account.
func (s *Store) HasRefTx(ctx context.Context, tx *sqldb.Tx, account AccountID, ref string) (bool, error) {
	var n int
	err := tx.GetContext(ctx, &n, `SELECT count(*) FROM mailbox_message c JOIN mailbox m ON m.id = c.mailbox_id
		WHERE c.ref = $1 AND c.ref <> '' AND m.account_id = $2`, ref, account)
	return n > 0, wrap(err, "look for %s in account %d", ref, account)
}

// SetRefTx gives the copies of a message in an account a ref, where they have none: the room above has found out later what the
// mail is to it. From then on what people do with them is told as events.
func (s *Store) SetRefTx(ctx context.Context, tx *sqldb.Tx, account AccountID, message MessageID, ref string) error {
	_, err := tx.ExecContext(ctx, `UPDATE mailbox_message SET ref = $1 WHERE message_id = $2 AND ref = ''
		AND mailbox_id IN (SELECT id FROM mailbox WHERE account_id = $3)`, ref, message, account)
	return wrap(err, "name message %d", message)
}
