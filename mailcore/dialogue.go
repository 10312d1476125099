package mailcore

import (
	"context"
	"fmt"

	"congvan/mailcore/sqldb"
)

// A Try is one ended attempt to send a copy out, with what both servers said.
type Try struct {
	Ref      string   `db:"ref" json:"ref"`
	Outbox   OutboxID `db:"outbox_id" json:"outbox"`
	Rcpt     Address  `db:"rcpt" json:"rcpt"`
	At       int64    `db:"at" json:"at"`
	EndedAt  int64    `db:"ended_at" json:"ended_at"`
	Host     string   `db:"host" json:"host"`
	Phase    string   `db:"phase" json:"phase"`
	Outcome  string   `db:"outcome" json:"outcome"`
	Code     int      `db:"code" json:"code"`
	Enhanced string   `db:"enhanced" json:"enhanced"`
	Dialogue string   `db:"dialogue" json:"dialogue"`
}

// TriesOf returns the attempts of outbox rows that had ended by then (microseconds), in the order of the rows.
func (s *Store) TriesOf(ctx context.Context, ids []OutboxID, by int64) ([]Try, error) {
	out := []Try{}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		for _, id := range ids {
			var some []Try
			err := tx.SelectContext(ctx, &some, `SELECT o.ref, a.outbox_id, o.rcpt, a.at, a.ended_at, a.host, a.phase, a.outcome, a.code, a.enhanced, a.dialogue
				FROM outbox o JOIN attempt a ON a.outbox_id = o.id WHERE o.id = $1 AND a.outcome <> '' AND a.ended_at <= $2 ORDER BY a.id`, id, by)
			if err != nil {
				return fmt.Errorf("attempts of outbox row %d: %w", id, err)
			}
			out = append(out, some...)
		}
		return nil
	})
	return out, err
}
