package mailcore

import (
	"context"
	"slices"

	"congvan/mailcore/sqldb"
)

// MailboxStatus counts what is in a mailbox; ErrNoMailbox.
func (s *Store) MailboxStatus(ctx context.Context, id MailboxID) (MailboxStatus, error) {
	found, err := s.MailboxStatuses(ctx, []MailboxID{id})
	if err == nil && len(found) == 0 {
		err = ErrNoMailbox
	}
	if err != nil {
		return MailboxStatus{}, wrap(err, "status of mailbox %d", id)
	}
	return found[0], nil
}

// MailboxStatuses counts what is in mailboxes, some hundred by one question; those that are gone are left out.
func (s *Store) MailboxStatuses(ctx context.Context, ids []MailboxID) ([]MailboxStatus, error) {
	var out []MailboxStatus
	for chunk := range slices.Chunk(ids, maxChunk) {
		err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
			found, err := statuses(ctx, tx, chunk)
			out = append(out, found...)
			return err
		})
		if err != nil {
			return nil, wrap(err, "status of %d mailboxes", len(ids))
		}
	}
	return out, nil
}

// A flagGroup is the messages of a mailbox that have the same flags.
type flagGroup struct {
	Mailbox MailboxID `db:"mailbox_id"`
	Flags   string    `db:"flags"`
	N       int       `db:"n"`
	Size    int64     `db:"size"`
}

func statuses(ctx context.Context, tx *sqldb.Tx, ids []MailboxID) ([]MailboxStatus, error) {
	var a args
	in := list(&a, ids)
	var boxes []struct {
		Mailbox
		Bytes int64 `db:"bytes"`
	}
	if err := tx.SelectContext(ctx, &boxes, `SELECT `+mailboxColumns+`, bytes FROM mailbox WHERE id IN `+in+` ORDER BY id`, a...); err != nil {
		return nil, err
	}
	out, at := make([]MailboxStatus, len(boxes)), map[MailboxID]*MailboxStatus{}
	for i, b := range boxes {
		out[i] = MailboxStatus{Mailbox: b.Mailbox, Size: b.Bytes} // of the bodies
		at[b.ID] = &out[i]
	}
	var groups []flagGroup
	if err := tx.SelectContext(ctx, &groups, `SELECT mailbox_id, flags, COUNT(*) AS n, CAST(SUM(length(prefix)) AS BIGINT) AS size
		FROM mailbox_message WHERE mailbox_id IN `+in+` GROUP BY mailbox_id, flags`, a...); err != nil {
		return nil, err
	}
	deleted := 0
	for _, g := range groups {
		st := at[g.Mailbox]
		st.Messages += g.N
		st.Size += g.Size
		if !hasFlag(g.Flags, FlagSeen) {
			st.Unseen += g.N
		}
		if hasFlag(g.Flags, FlagDeleted) {
			st.Deleted += g.N
			deleted += g.N
		}
	}
	if deleted == 0 {
		return out, nil
	}
	// Only few are to be expunged, so that only few bodies are looked up. LIKE finds more than the flag on either database.
	var some []flagGroup
	if err := tx.SelectContext(ctx, &some, `SELECT c.mailbox_id, c.flags, COUNT(*) AS n, CAST(SUM(length(c.prefix) + m.size) AS BIGINT) AS size
		FROM mailbox_message c JOIN message m ON m.id = c.message_id WHERE c.mailbox_id IN `+in+` AND c.flags LIKE '%Deleted%'
		GROUP BY c.mailbox_id, c.flags`, a...); err != nil {
		return nil, err
	}
	for _, g := range some {
		if hasFlag(g.Flags, FlagDeleted) {
			at[g.Mailbox].DeletedSize += g.Size
		}
	}
	return out, nil
}
