package mailcore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// invariants are queries that find nothing when all is well: each answers with one text a violation, built of the columns in
// order. They run on one snapshot.
var invariants = []struct{ says, query string }{
	{"mailbox %s: uid %s is not below uid_next", `SELECT c.mailbox_id AS a, c.uid AS b FROM mailbox_message c
		JOIN mailbox m ON m.id = c.mailbox_id WHERE c.uid >= m.uid_next OR c.uid < 1`},
	{"mailbox %s: uid %s has a modseq above the mailbox's", `SELECT c.mailbox_id AS a, c.uid AS b FROM mailbox_message c
		JOIN mailbox m ON m.id = c.mailbox_id WHERE c.modseq > m.modseq`},
	{"mailbox %s: uid %s vanished at a modseq above the mailbox's", `SELECT v.mailbox_id AS a, v.uid AS b FROM vanished v
		JOIN mailbox m ON m.id = v.mailbox_id WHERE v.modseq > m.modseq`},
	{"mailbox %s: uid %s vanished and is there", `SELECT v.mailbox_id AS a, v.uid AS b FROM vanished v
		JOIN mailbox_message c ON c.mailbox_id = v.mailbox_id AND c.uid = v.uid`},
	{"mailbox %s: uid_validity is above the last of account %s", `SELECT m.id AS a, m.account_id AS b FROM mailbox m
		JOIN account o ON o.id = m.account_id WHERE m.uid_validity > o.uid_validity`},
	{"mailbox %s: its bytes are counted as %s, which is not their sum", `SELECT o.id AS a, o.bytes AS b FROM mailbox o WHERE o.bytes <>
		(SELECT COALESCE(SUM(m.size), 0) FROM mailbox_message c JOIN message m ON m.id = c.message_id WHERE c.mailbox_id = o.id)`},
	{"account %s (%s) has no INBOX", `SELECT o.id AS a, o.address AS b FROM account o
		WHERE NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.account_id = o.id AND m.name = 'INBOX')`},
	{"message %s: its size is not that of blob %s", `SELECT m.id AS a, m.digest AS b FROM message m
		JOIN blob b ON b.digest = m.digest WHERE b.size <> m.size`},
	{"message %s: blob %s is doomed", `SELECT m.id AS a, m.digest AS b FROM message m
		JOIN blob b ON b.digest = m.digest WHERE b.doomed_at IS NOT NULL`},
	{"outbox row %s: is %s, yet an attempt of it is running", `SELECT o.id AS a, o.state AS b FROM outbox o
		WHERE o.state <> 'sending' AND EXISTS (SELECT 1 FROM attempt t WHERE t.outbox_id = o.id AND t.outcome = '')`},
	{"outbox row %s: is %s without a lease", `SELECT id AS a, state AS b FROM outbox WHERE state = 'sending' AND lease_until <> next_at`},
	{"outbox row %s: is %s, yet has a lease", `SELECT id AS a, state AS b FROM outbox WHERE state <> 'sending' AND lease_until <> 0`},
	{"outbox row %s: is %s, yet no attempt says so", `SELECT o.id AS a, o.state AS b FROM outbox o
		WHERE o.state = 'uncertain' AND NOT EXISTS (SELECT 1 FROM attempt t WHERE t.outbox_id = o.id AND t.outcome = 'uncertain')`},
	{"ref %s: copies of it in account %s show different messages", `SELECT c.ref AS a, m.account_id AS b FROM mailbox_message c
		JOIN mailbox m ON m.id = c.mailbox_id WHERE c.ref <> '' GROUP BY c.ref, m.account_id HAVING COUNT(DISTINCT c.message_id) > 1`},
}

// maxViolations bounds what is said of one invariant.
const maxViolations = 20

// Check returns the invariants that do not hold, in English, one a line; none when all is well.
func (s *Store) Check(ctx context.Context) ([]string, error) {
	var out []string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		for _, inv := range invariants {
			var found []struct {
				A string `db:"a"`
				B string `db:"b"`
			}
			if err := tx.SelectContext(ctx, &found, inv.query+fmt.Sprintf(" LIMIT %d", maxViolations)); err != nil {
				return fmt.Errorf("%s: %w", inv.says, err)
			}
			for _, f := range found {
				out = append(out, fmt.Sprintf(inv.says, f.A, f.B))
			}
		}
		for _, check := range []func(context.Context, *sqldb.Tx) ([]string, error){s.checkBlobs, checkSummaries, checkFlags} {
			more, err := check(ctx, tx)
			if err != nil {
				return err
			}
			out = append(out, more...)
		}
		return nil
	})
	return out, wrap(err, "check the mail store")
}

// checkBlobs looks for the bytes of every blob that is not on its way out.
func (s *Store) checkBlobs(ctx context.Context, tx *sqldb.Tx) ([]string, error) {
	var out []string
	var rows []struct {
		Digest blob.Digest `db:"digest"`
		Size   int64       `db:"size"`
		Small  *int64      `db:"small"` // bytes in the database, NULL: they lie in the blob store
	}
	if err := tx.SelectContext(ctx, &rows, `SELECT b.digest, b.size, length(y.bytes) AS small FROM blob b LEFT JOIN blob_bytes y ON y.digest = b.digest
		WHERE b.doomed_at IS NULL ORDER BY b.digest`); err != nil {
		return nil, err
	}
	for _, r := range rows {
		size, err := int64(0), error(nil)
		if r.Small != nil {
			size = *r.Small
		} else {
			size, err = s.files.Size(r.Digest)
		}
		switch {
		case errors.Is(err, blob.ErrNotFound):
			out = append(out, fmt.Sprintf("blob %s is not in the store", r.Digest))
		case err != nil:
			return nil, err
		case size != r.Size:
			out = append(out, fmt.Sprintf("blob %s has %d bytes in the store, not %d", r.Digest, size, r.Size))
		}
	}
	return out, nil
}

// checkSummaries reads every summary and compares it with the size of its body.
func checkSummaries(ctx context.Context, tx *sqldb.Tx) ([]string, error) {
	rows, err := tx.QueryxContext(ctx, `SELECT id, size, summary FROM message ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var id MessageID
		var size int64
		var data []byte
		if err := rows.Scan(&id, &size, &data); err != nil {
			return nil, err
		}
		sum, err := ParseSummary(data)
		if err != nil {
			out = append(out, fmt.Sprintf("message %d: %v", id, err))
		} else if sum.Root.HeaderSize+sum.Root.BodySize != size {
			out = append(out, fmt.Sprintf("message %d: header and body of the summary are not its %d bytes", id, size))
		}
	}
	return out, rows.Err()
}

func checkFlags(ctx context.Context, tx *sqldb.Tx) ([]string, error) {
	var stored []string
	if err := tx.SelectContext(ctx, &stored, `SELECT DISTINCT flags FROM mailbox_message`); err != nil {
		return nil, err
	}
	var out []string
	for _, f := range stored {
		if flags, err := parseFlags(strings.Fields(f)); err != nil || strings.Join(flags, " ") != f {
			out = append(out, fmt.Sprintf("flags %q are not in their stored form", f))
		}
	}
	return out, nil
}
