package mailcore

import (
	"context"
	"database/sql"
	"fmt"

	"congvan/mailcore/sqldb"
)

// An Outline is the little that whoever shows a mailbox keeps of each message in it.
type Outline struct {
	UID        UID
	ReceivedAt int64  // microseconds
	Size       int64  // prefix and body
	Flags      []byte // sorted, one space between; only until the next message
	HasRef     bool   // means something to the room above
}

// Outlines calls each for everything in a mailbox, by UID, and returns the sequence that it was current at; ErrNoMailbox. A
// mailbox may hold a hundred thousand messages, so the rows are never in memory together.
func (s *Store) Outlines(ctx context.Context, id MailboxID, each func(Outline)) (uint64, error) {
	var modseq uint64
	err := s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		if err := tx.GetContext(ctx, &modseq, `SELECT modseq FROM mailbox WHERE id = $1`, id); err != nil {
			return orNoMailbox(err)
		}
		rows, err := tx.QueryxContext(ctx, `SELECT c.uid, c.received_at, length(c.prefix) + m.size, c.flags, c.ref <> ''`+copyAndBody+
			` ORDER BY c.uid`, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var o Outline
			if err := rows.Scan(&o.UID, &o.ReceivedAt, &o.Size, (*sql.RawBytes)(&o.Flags), &o.HasRef); err != nil {
				return err
			}
			each(o)
		}
		return rows.Err()
	})
	if err != nil {
		return 0, fmt.Errorf("outlines of mailbox %d: %w", id, err)
	}
	return modseq, nil
}
