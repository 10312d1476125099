package mailcore

import (
	"context"
	"fmt"
	"slices"

	"congvan/mailcore/blob"
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
func (s *Store) TriesOf(ctx context.Context, ids []OutboxID, by int64) (out []Try, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		out, err = s.TriesTx(ctx, tx, ids, by)
		return err
	})
	return out, err
}

// TriesTx is TriesOf in a transaction.
func (s *Store) TriesTx(ctx context.Context, tx *sqldb.Tx, ids []OutboxID, by int64) ([]Try, error) {
	out := []Try{}
	for some := range slices.Chunk(ids, 250) {
		query, args := anyOf(some)
		args = append(args, by)
		var found []Try
		err := tx.SelectContext(ctx, &found, fmt.Sprintf(`SELECT o.ref, a.outbox_id, o.rcpt, a.at, a.ended_at, a.host, a.phase, a.outcome, a.code, a.enhanced, a.dialogue
			FROM outbox o JOIN attempt a ON a.outbox_id = o.id WHERE o.id IN (%s) AND a.outcome <> '' AND a.ended_at <= $%d ORDER BY o.id, a.id`, query, len(args)), args...)
		if err != nil {
			return nil, fmt.Errorf("attempts of outbox rows: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// PendingRefsTx returns the refs of mail events that nobody has handled yet.
func (s *Store) PendingRefsTx(ctx context.Context, tx *sqldb.Tx) (map[string]bool, error) {
	var refs []string
	err := tx.SelectContext(ctx, &refs, `SELECT DISTINCT ref FROM mail_event WHERE handled_at IS NULL AND ref <> ''`)
	out := map[string]bool{}
	for _, r := range refs {
		out[r] = true
	}
	return out, wrap(err, "mail events that wait")
}

// UnpinnedTx returns those digests whose bytes are not kept for ever: the sweep might take them.
func (s *Store) UnpinnedTx(ctx context.Context, tx *sqldb.Tx, digests []blob.Digest) ([]blob.Digest, error) {
	kept := map[blob.Digest]bool{}
	for some := range slices.Chunk(digests, 250) {
		query, args := anyOf(some)
		var found []blob.Digest
		if err := tx.SelectContext(ctx, &found, `SELECT digest FROM blob WHERE pinned AND doomed_at IS NULL AND digest IN (`+query+`)`, args...); err != nil {
			return nil, fmt.Errorf("pinned blobs: %w", err)
		}
		for _, d := range found {
			kept[d] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(digests), func(d blob.Digest) bool { return kept[d] }), nil
}

// anyOf is the list of parameters of an IN.
func anyOf[T any](values []T) (string, []any) {
	var b []byte
	args := make([]any, len(values))
	for i, v := range values {
		if args[i] = v; i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "$%d", i+1)
	}
	return string(b), args
}
