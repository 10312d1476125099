package mailcore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"congvan/mailcore/sqldb"
)

// TakeBackTx takes every copy with this ref out of its mailboxes, in the caller's transaction, unless somebody has touched one:
// read or downloaded it, or moved or deleted it without the room above having looked at that yet. Sessions see EXPUNGE. taken is
// false, and nothing has changed, where somebody did, or where no copy is there. The mailboxes are locked before anything is looked
// at, as they are by whoever opens a copy: of the two, one comes first and the other sees what it did.
func (s *Store) TakeBackTx(ctx context.Context, tx *sqldb.Tx, ref string) (taken bool, err error) {
	taken, err = takeBack(ctx, tx, ref, false)
	return taken, wrap(err, "take back %s", ref)
}

// RemoveTx takes every copy with this ref out of its mailboxes, read or not: its owner has agreed.
func (s *Store) RemoveTx(ctx context.Context, tx *sqldb.Tx, ref string) error {
	_, err := takeBack(ctx, tx, ref, true)
	return wrap(err, "remove %s", ref)
}

func takeBack(ctx context.Context, tx *sqldb.Tx, ref string, whatever bool) (bool, error) {
	if ref == "" {
		return false, nil
	}
	rows, err := heldCopies(ctx, tx, ref)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	byBox := map[MailboxID][]copyRow{}
	touched := false
	for _, r := range rows {
		touched = touched || hasFlag(r.Flags, FlagSeen)
		byBox[r.Mailbox] = append(byBox[r.Mailbox], r.copyRow)
	}
	if !touched && !whatever {
		if touched, err = touchedRef(ctx, tx, ref); err == nil && !touched {
			touched, err = copiedElsewhere(ctx, tx, rows[0])
		}
	}
	if err != nil || touched && !whatever {
		return false, err
	}
	for _, id := range slices.Sorted(maps.Keys(byBox)) {
		copies := byBox[id]
		size, err := sizeOf(ctx, tx, id, copies)
		if err != nil {
			return false, err
		}
		if err := removeCopies(ctx, tx, id, copies, size); err != nil {
			return false, err
		}
	}
	return true, nil
}

// A heldCopy is a copy whose mailbox the transaction holds.
type heldCopy struct {
	Mailbox MailboxID `db:"mailbox_id"`
	copyRow
}

// heldCopies locks the mailboxes with copies of this ref, and returns the copies. One that moves meanwhile is followed.
func heldCopies(ctx context.Context, tx *sqldb.Tx, ref string) ([]heldCopy, error) {
	held := map[MailboxID]bool{}
	for {
		var rows []heldCopy
		err := tx.SelectContext(ctx, &rows, `SELECT mailbox_id, uid, message_id, flags, ref FROM mailbox_message WHERE ref = $1 AND ref <> '' ORDER BY mailbox_id, uid`, ref)
		if err != nil {
			return nil, err
		}
		all := true
		for _, r := range rows {
			if held[r.Mailbox] {
				continue
			}
			if _, err := lockMailbox(ctx, tx, r.Mailbox); err != nil {
				return nil, err
			}
			held[r.Mailbox], all = true, false
		}
		if all {
			return rows, nil
		}
	}
}

// touchedRef reports whether somebody read or downloaded a copy with this ref, or did with it what nobody has looked at yet.
func touchedRef(ctx context.Context, tx *sqldb.Tx, ref string) (bool, error) {
	var n int
	err := tx.GetContext(ctx, &n, `SELECT (SELECT count(*) FROM mail_event WHERE ref = $1 AND ref <> '' AND kind = 'opened')
		+ (SELECT count(*) FROM mail_event WHERE ref = $1 AND ref <> '' AND kind = 'downloaded')
		+ (SELECT count(*) FROM mail_event WHERE ref = $1 AND handled_at IS NULL AND kind IN ('moved', 'deleted'))`, ref)
	return n > 0, err
}

// copiedElsewhere reports whether another account has a copy of this very one, with its header lines: an officer took it out of the
// unit's mailbox without reading it there.
func copiedElsewhere(ctx context.Context, tx *sqldb.Tx, c heldCopy) (bool, error) {
	var n int
	err := tx.GetContext(ctx, &n, `SELECT count(*) FROM delegation d JOIN mailbox m ON m.account_id = d.unit_id WHERE m.id = $1`, c.Mailbox)
	if err != nil || n == 0 {
		return false, err // nobody else was ever let in
	}
	err = tx.GetContext(ctx, &n, `SELECT count(*) FROM mailbox_message o JOIN mailbox_message c ON c.message_id = o.message_id
		WHERE c.mailbox_id = $1 AND c.uid = $2 AND o.message_id = $3 AND o.ref = '' AND o.prefix = c.prefix`, c.Mailbox, c.UID, c.Message)
	return n > 0, err
}

// NoteLeaving records that a copy with a Ref was opened (seen) or downloaded, before its bytes leave for the client. there is
// false where it has gone meanwhile: then its bytes must not leave either.
func (s *Store) NoteLeaving(ctx context.Context, by Account, id MailboxID, uid UID, seen bool) (there bool, err error) {
	known := false // most fetches are of what was fetched before: no transaction then
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		copies, err := copiesOf(ctx, tx, id, []UID{uid})
		if err != nil || len(copies) == 0 {
			return err
		}
		there = true
		if !by.isPerson() || copies[0].Ref == "" || seen && hasFlag(copies[0].Flags, FlagSeen) {
			known = true
			return nil
		}
		if seen {
			return nil
		}
		var n int
		err = tx.GetContext(ctx, &n, `SELECT count(*) FROM mail_event e JOIN mailbox m ON m.account_id = e.account_id
			WHERE m.id = $1 AND e.ref = $2 AND e.ref <> '' AND e.kind = 'downloaded'`, id, copies[0].Ref)
		known = n > 0
		return err
	})
	if err != nil || known || !there {
		return there, wrap(err, "note the fetch of message %d of mailbox %d", uid, id)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		m, copies, err := lockCopies(ctx, tx, id, []UID{uid})
		if there = len(copies) > 0; err != nil || !there {
			return err
		}
		if seen {
			_, _, err := changeFlags(ctx, tx, by, id, []UID{uid}, FlagsAdd, []string{FlagSeen})
			return err
		}
		return insertEvents(ctx, tx, []Event{copies[0].event(EventDownloaded, by, m, "")})
	})
	return there, wrap(err, "note the fetch of message %d of mailbox %d", uid, id)
}

// CancelRefTx takes back what waits in the outbox under this ref, in the caller's transaction. cancelled is false where it is on
// its way just now, has gone, or was never there; tried says that at least one attempt to send it was made.
func (s *Store) CancelRefTx(ctx context.Context, tx *sqldb.Tx, ref string) (cancelled, tried bool, err error) {
	var tries []int
	err = tx.SelectContext(ctx, &tries, `UPDATE outbox SET state = 'cancelled', lease_until = 0 WHERE ref = $1 AND ref <> '' AND state = 'queued' RETURNING tries`, ref)
	if err != nil {
		return false, false, fmt.Errorf("cancel %s in the outbox: %w", ref, err)
	}
	return len(tries) > 0, slices.ContainsFunc(tries, func(n int) bool { return n > 0 }), nil
}
