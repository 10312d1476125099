package mailcore

import (
	"context"
	"fmt"

	"congvan/mailcore/sqldb"
)

// leap is how far ids are moved on after a restore: more than were given since any backup.
const leap = 10_000_000

// RestoredTx makes a restored backup safe to go on with: every mailbox gets a UIDVALIDITY that it has never had, since UIDs
// were given after the backup that stand for other mails now (RFC 9051 §2.3.1.1), and ids that letters and events are named by
// are not given again.
func (s *Store) RestoredTx(ctx context.Context, tx *sqldb.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE account SET uid_validity = CASE WHEN uid_validity < $1 THEN $1 ELSE uid_validity + 1000 END`, tx.Now.Unix())
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE mailbox SET uid_validity = (SELECT a.uid_validity FROM account a WHERE a.id = mailbox.account_id)`)
	}
	if err != nil {
		return fmt.Errorf("new UIDVALIDITY after a restore: %w", err)
	}
	for _, table := range []string{"mail_event", "outbox", "attempt"} {
		var last int64
		if err := tx.GetContext(ctx, &last, `SELECT coalesce(max(id), 0) FROM `+table); err != nil {
			return err
		}
		if err := tx.LeapIDs(ctx, table, last+leap); err != nil {
			return err
		}
	}
	return nil
}

// DotsTx returns for each row of the outbox that is still to be sent and means something to the room above, by its ref, how
// many of its attempts have come to the final dot.
func (s *Store) DotsTx(ctx context.Context, tx *sqldb.Tx) (map[string]int, error) {
	var rows []struct {
		Ref string `db:"ref"`
		N   int    `db:"n"`
	}
	err := tx.SelectContext(ctx, &rows, `SELECT o.ref, (SELECT count(*) FROM attempt t WHERE t.outbox_id = o.id AND t.dotted) AS n
		FROM outbox o WHERE o.`+openOutbox+` AND o.ref <> ''`)
	out := make(map[string]int, len(rows))
	for _, r := range rows {
		out[r.Ref] = r.N
	}
	return out, wrap(err, "attempts past the final dot")
}

// DoubtTx makes queued rows uncertain, as after a restore when they may have left since the backup: those with these refs, or
// all that have one where refs is nil. refs says how many attempts came to the final dot that nobody remembers. It leaves the
// events and returns how many rows there were.
func (s *Store) DoubtTx(ctx context.Context, tx *sqldb.Tx, refs map[string]int) (int, error) {
	if err := settleAll(ctx, tx); err != nil {
		return 0, wrap(err, "doubt what is being sent")
	}
	var rows []struct {
		ID  OutboxID `db:"id"`
		Ref string   `db:"ref"`
	}
	if err := tx.SelectContext(ctx, &rows, `SELECT id, ref FROM outbox WHERE `+openOutbox+` AND state = 'queued' AND ref <> '' ORDER BY id`); err != nil {
		return 0, err
	}
	n := 0
	for _, r := range rows {
		if refs != nil && refs[r.Ref] == 0 {
			continue
		}
		for range max(1, refs[r.Ref]) {
			if _, err := tx.ExecContext(ctx, `INSERT INTO attempt (outbox_id, at, ended_at, phase, outcome, dialogue, dotted)
				VALUES ($1, $2, $2, 'dot', 'uncertain', $3, TRUE)`, r.ID, tx.Now.UnixMicro(), "* a backup was restored; the mail may have left before"); err != nil {
				return 0, err
			}
		}
		if err := settle(ctx, tx, r.ID, Outcome{State: AttemptUncertain, Phase: phaseDot}, true); err != nil {
			return 0, fmt.Errorf("doubt outbox row %d: %w", r.ID, err)
		}
		n++
	}
	return n, nil
}

// settleAll takes back what was being sent when the backup was made.
func settleAll(ctx context.Context, tx *sqldb.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE outbox SET lease_until = 0, next_at = 0 WHERE `+openOutbox+` AND state = 'sending'`); err != nil {
		return err
	}
	return settleDead(ctx, tx)
}
