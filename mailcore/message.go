package mailcore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// A Row is a message as it lies in a mailbox.
type Row struct {
	UID        UID
	Message    MessageID
	ModSeq     uint64
	ReceivedAt time.Time // INTERNALDATE
	Flags      []string  // sorted, system flags spelled as in RFC 9051
	Size       int64     // prefix and body
	Ref        string
}

// A Stored is a Row and what is needed to show its content: prefix, then the blob.
type Stored struct {
	Row
	Prefix   []byte
	Digest   blob.Digest
	Summary  *Summary // of the body; a Reply-To in the prefix stands in the envelope
	BodySize int64
}

// messageRow is a Row, or a Stored, as the tables have it.
type messageRow struct {
	UID        UID         `db:"uid"`
	Message    MessageID   `db:"message_id"`
	ModSeq     uint64      `db:"modseq"`
	ReceivedAt int64       `db:"received_at"`
	Flags      string      `db:"flags"`
	PrefixSize int64       `db:"prefix_size"`
	BodySize   int64       `db:"size"`
	Ref        string      `db:"ref"`
	Prefix     []byte      `db:"prefix"`
	Digest     blob.Digest `db:"digest"`
	Summary    []byte      `db:"summary"`
}

const (
	rowColumns    = `c.uid, c.message_id, c.modseq, c.received_at, c.flags, length(c.prefix) AS prefix_size, m.size, c.ref`
	storedColumns = rowColumns + `, c.prefix, m.digest, m.summary`
	copyAndBody   = ` FROM mailbox_message c JOIN message m ON m.id = c.message_id WHERE c.mailbox_id = $1`
)

func (r *messageRow) row() Row {
	return Row{r.UID, r.Message, r.ModSeq, time.UnixMicro(r.ReceivedAt).UTC(), strings.Fields(r.Flags), r.PrefixSize + r.BodySize, r.Ref}
}

func toRows(from []messageRow) []Row {
	out := make([]Row, len(from))
	for i := range from {
		out[i] = from[i].row()
	}
	return out
}

// Rows returns everything in a mailbox by UID and the sequence that it was current at; ErrNoMailbox.
func (s *Store) Rows(ctx context.Context, id MailboxID) ([]Row, uint64, error) {
	var m Mailbox
	var rows []messageRow
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		if m, err = mailboxByID(ctx, tx, id); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &rows, `SELECT `+rowColumns+copyAndBody+` ORDER BY c.uid`, id)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("rows of mailbox %d: %w", id, err)
	}
	return toRows(rows), m.ModSeq, nil
}

// Changes returns what was added or changed, and what left, after the sequence since, and the sequence that the answer is
// current at. It costs one look-up when there is nothing new. What is committed while it asks may be in this answer and again in the
// next one. ErrNoMailbox when the mailbox is gone.
func (s *Store) Changes(ctx context.Context, id MailboxID, since uint64) (changed []Row, vanished []UID, modseq uint64, err error) {
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		if err := tx.GetContext(ctx, &modseq, `SELECT modseq FROM mailbox WHERE id = $1`, id); err != nil || modseq <= since {
			return orNoMailbox(err)
		}
		var rows []messageRow
		if err := tx.SelectContext(ctx, &rows, `SELECT `+rowColumns+copyAndBody+` AND c.modseq > $2 ORDER BY c.uid`, id, since); err != nil {
			return err
		}
		changed = toRows(rows)
		return tx.SelectContext(ctx, &vanished, `SELECT uid FROM vanished WHERE mailbox_id = $1 AND modseq > $2 ORDER BY uid`, id, since)
	})
	return changed, vanished, modseq, wrap(err, "changes of mailbox %d", id)
}

// Load returns the messages with these UIDs, by UID; those that are not there are left out.
func (s *Store) Load(ctx context.Context, id MailboxID, uids []UID) ([]Stored, error) {
	var rows []messageRow
	uids = sorted(uids)
	look := s.db.Read
	if len(uids) <= maxChunk {
		look = s.db.Ask
	}
	err := look(ctx, func(tx *sqldb.Tx) (err error) {
		rows, err = selectRows(ctx, tx, storedColumns, id, uids)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load from mailbox %d: %w", id, err)
	}
	out := make([]Stored, len(rows))
	for i := range rows {
		r := &rows[i]
		sum, err := s.parsed.summary(r.Summary)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", r.Message, err)
		}
		addPrefix(&sum.Envelope, r.Prefix)
		out[i] = Stored{Row: r.row(), Prefix: r.Prefix, Digest: r.Digest, Summary: sum, BodySize: r.BodySize}
	}
	return out, nil
}

// selectRows returns the columns of the messages with these UIDs, which are in order.
func selectRows(ctx context.Context, tx *sqldb.Tx, columns string, id MailboxID, uids []UID) ([]messageRow, error) {
	var rows []messageRow
	for chunk := range slices.Chunk(uids, maxChunk) {
		a := args{id}
		where := ` AND c.uid IN ` + list(&a, chunk)
		if first, last := chunk[0], chunk[len(chunk)-1]; int(last-first) < 4*len(chunk) {
			// PostgreSQL, before it knows how large a mailbox has become, reads all of it for a long list; never for a range.
			where += ` AND c.uid BETWEEN ` + a.add(first) + ` AND ` + a.add(last)
		}
		var some []messageRow
		err := tx.SelectContext(ctx, &some, `SELECT `+columns+copyAndBody+where+` ORDER BY c.uid`, a...)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// addPrefix lets a Reply-To of this copy alone count before the body's.
func addPrefix(e *Envelope, prefix []byte) {
	if !bytes.Contains(bytes.ToLower(prefix), []byte("reply-to:")) {
		return
	}
	if people := parsePeople(first(parseFields(prefix), "reply-to")); len(people) > 0 {
		e.ReplyTo = people
	}
}

// sorted returns the distinct UIDs in order, in a slice of its own.
func sorted(uids []UID) []UID {
	out := append([]UID{}, uids...) // never nil, which means all to copiesOf
	slices.Sort(out)
	return slices.Compact(out)
}
