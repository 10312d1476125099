package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"congvan/mailcore/sqldb"

	"golang.org/x/mod/sumdb/tlog"
)

// The log of events is a Merkle tree (the hashes of RFC 6962 §2.1). Its leaf is an event under its id, which is the same
// whoever writes it: epoch, chain and ordinal. Leaf data are 56 bytes, numbers big-endian:
//
//	epoch (8) chain (8, two's complement) ordinal (8) digest of the event (32)
//
// A leaf's hash is SHA-256(0x00 ‖ data), a node's SHA-256(0x01 ‖ left ‖ right). Events of one chain stand in the log in the
// order of their ordinals, without a gap.

// leafHash is the hash of an event's leaf.
func leafHash(epoch, chain, ordinal int64, digest []byte) tlog.Hash {
	data := make([]byte, 0, 56)
	for _, n := range []int64{epoch, chain, ordinal} {
		data = binary.BigEndian.AppendUint64(data, uint64(n))
	}
	return tlog.RecordHash(append(data, digest...))
}

// A run is a rectangle of events: those of Chains chains from Chain on that have Ordinals ordinals from Ordinal on. Either
// count is 1. Events of a run go by chain, then by ordinal.
type run struct {
	Chain    int64 `db:"chain"`
	Chains   int64 `db:"chains"`
	Ordinal  int64 `db:"ordinal"`
	Ordinals int64 `db:"ordinals"`
}

func (r run) len() int64 { return r.Chains * r.Ordinals }

// each calls fn for every event of the run, in order.
func (r run) each(fn func(chain, ordinal int64) error) error {
	for chain := r.Chain; chain < r.Chain+r.Chains; chain++ {
		for ordinal := r.Ordinal; ordinal < r.Ordinal+r.Ordinals; ordinal++ {
			if err := fn(chain, ordinal); err != nil {
				return err
			}
		}
	}
	return nil
}

// sane bounds what a row of the database may claim.
func (r run) sane() bool {
	return r.Chains > 0 && r.Ordinals > 0 && r.Ordinal >= 0 && (r.Chains == 1 || r.Ordinals == 1) && r.Chains <= 1<<copyBits && r.Ordinals <= 1<<40
}

// runsOf packs events into runs without changing their order.
func runsOf(events []Event) []run {
	var runs []run
	for _, e := range events {
		if n := len(runs); n > 0 {
			switch r := &runs[n-1]; {
			case e.Chain == r.Chain && r.Chains == 1 && e.Ordinal == r.Ordinal+r.Ordinals:
				r.Ordinals++
				continue
			case e.Chain == r.Chain+r.Chains && r.Ordinals == 1 && e.Ordinal == r.Ordinal:
				r.Chains++
				continue
			}
		}
		runs = append(runs, run{e.Chain, 1, e.Ordinal, 1})
	}
	return runs
}

// enqueue leaves word for the log, in the transaction that writes the events.
func enqueue(tx *sqldb.Tx, events []Event) {
	runs := runsOf(events)
	rows := make([][]any, len(runs))
	for i, r := range runs {
		rows[i] = []any{r.Chain, r.Chains, r.Ordinal, r.Ordinals}
	}
	tx.InsertLater(`INSERT INTO log_queue (chain, chains, ordinal, ordinals)`, rows)
}

// encodeRuns writes four varints a run, chains as the difference to the run before.
func encodeRuns(runs []run) []byte {
	var b []byte
	var last int64
	for _, r := range runs {
		b = binary.AppendVarint(b, r.Chain-last)
		for _, n := range []int64{r.Chains, r.Ordinal, r.Ordinals} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		last = r.Chain
	}
	return b
}

var errRuns = errors.New("damaged list of leaves")

func decodeRuns(b []byte) ([]run, error) {
	var runs []run
	var last int64
	for len(b) > 0 {
		d, n := binary.Varint(b)
		if n <= 0 {
			return nil, errRuns
		}
		b = b[n:]
		var v [3]int64
		for i := range v {
			u, n := binary.Uvarint(b)
			if n <= 0 || u > 1<<62 {
				return nil, errRuns
			}
			v[i], b = int64(u), b[n:]
		}
		r := run{last + d, v[0], v[1], v[2]}
		if !r.sane() {
			return nil, errRuns
		}
		runs, last = append(runs, r), r.Chain
	}
	return runs, nil
}

// Bounds of one batch: it takes acts up to these, but at least one.
const (
	batchActs   = 512
	batchEvents = 4096
)

// A logHead is the state of the log.
type logHead struct {
	Epoch      int64  `db:"epoch"`
	Size       int64  `db:"size"`
	Checkpoint string `db:"checkpoint"`
	OldSeries  int64  `db:"old_series"`
}

// takeHead holds the log for this transaction: two nodes that append or sign do so one after the other.
func takeHead(ctx context.Context, tx *sqldb.Tx) (h logHead, err error) {
	err = tx.GetContext(ctx, &h, `UPDATE log_head SET size = size WHERE id = 1 RETURNING epoch, size, checkpoint`)
	if err != nil {
		return h, fmt.Errorf("take the head of the log: %w", err)
	}
	return h, nil
}

// Sequence takes all events that wait into the log and returns how many there were. Any number of nodes may do so at once;
// a crash leaves a batch either in the log or waiting.
func (s *Store) Sequence(ctx context.Context) (int, error) {
	total := 0
	for {
		n := 0
		err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
			n, err = appendBatch(ctx, tx)
			return err
		})
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

func appendBatch(ctx context.Context, tx *sqldb.Tx) (int, error) {
	head, err := takeHead(ctx, tx)
	if err != nil {
		return 0, err
	}
	ids, runs, err := waiting(ctx, tx)
	if err != nil || len(runs) == 0 {
		return 0, err
	}
	leaves, err := leafHashes(ctx, tx, head.Epoch, runs)
	if err != nil {
		return 0, err
	}
	t := newTiles(tx)
	for i, leaf := range leaves {
		if err := t.add(ctx, head.Size+int64(i), leaf); err != nil {
			return 0, err
		}
	}
	if err := t.save(ctx); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO log_batch (first, leaves, epoch, runs) VALUES ($1, $2, $3, $4)`,
		head.Size, len(leaves), head.Epoch, encodeRuns(runs)); err != nil {
		return 0, fmt.Errorf("append to the log: %w", err)
	}
	if err := dequeue(ctx, tx, ids); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE log_head SET size = $1 WHERE id = 1`, head.Size+int64(len(leaves)))
	return len(leaves), err
}

// waiting returns acts that are not in the log. What committed late is found like the rest: nobody remembers how far it came.
func waiting(ctx context.Context, tx *sqldb.Tx) (ids []int64, runs []run, err error) {
	var rows []struct {
		ID int64 `db:"id"`
		run
	}
	err = tx.SelectContext(ctx, &rows, `SELECT id, chain, chains, ordinal, ordinals FROM log_queue ORDER BY id LIMIT $1`, batchActs)
	if err != nil {
		return nil, nil, fmt.Errorf("events that wait for the log: %w", err)
	}
	var events int64
	for _, r := range rows {
		if !r.sane() {
			return nil, nil, fmt.Errorf("log_queue %d is damaged: chain %d, %d chains, ordinal %d, %d ordinals", r.ID, r.Chain, r.Chains, r.Ordinal, r.Ordinals)
		}
		if events += r.len(); events > batchEvents && len(ids) > 0 {
			break
		}
		ids, runs = append(ids, r.ID), append(runs, r.run)
	}
	return ids, runs, nil
}

func dequeue(ctx context.Context, tx *sqldb.Tx, ids []int64) error {
	for some := range slices.Chunk(ids, 250) {
		query, args := inList(`DELETE FROM log_queue WHERE id IN (`, some)
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("take from the log's queue: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n != int64(len(some)) {
			return errors.Join(ErrStale, err)
		}
	}
	return nil
}

func inList(head string, ids []int64) (string, []any) {
	args := make([]any, len(ids))
	b := []byte(head)
	for i, id := range ids {
		if args[i] = id; i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "$%d", i+1)
	}
	return string(append(b, ')')), args
}

// An eventKey names an event.
type eventKey struct {
	Chain   int64 `db:"chain"`
	Ordinal int64 `db:"ordinal"`
}

// leafHashes reads the events of the runs; one that is not there is an error.
func leafHashes(ctx context.Context, tx *sqldb.Tx, epoch int64, runs []run) ([]tlog.Hash, error) {
	digests, err := eventDigests(ctx, tx, runs)
	if err != nil {
		return nil, err
	}
	var out []tlog.Hash
	for _, r := range runs {
		err := r.each(func(chain, ordinal int64) error {
			d := digests[eventKey{chain, ordinal}]
			if len(d) != 32 {
				return fmt.Errorf("event %d of chain %d waits for the log and is not there", ordinal, chain)
			}
			out = append(out, leafHash(epoch, chain, ordinal, d))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eventDigests reads the digests of the runs' events, single ones many in a statement.
func eventDigests(ctx context.Context, tx *sqldb.Tx, runs []run) (map[eventKey][]byte, error) {
	found := map[eventKey][]byte{}
	read := func(query string, args ...any) error {
		var rows []struct {
			eventKey
			Digest []byte `db:"digest"`
		}
		if err := tx.SelectContext(ctx, &rows, `SELECT chain, ordinal, digest FROM event WHERE `+query, args...); err != nil {
			return fmt.Errorf("events for the log: %w", err)
		}
		for _, r := range rows {
			found[r.eventKey] = r.Digest
		}
		return nil
	}
	var single []run
	for _, r := range runs {
		if r.len() <= 4 {
			single = append(single, r)
			continue
		}
		if err := read(`chain BETWEEN $1 AND $2 AND ordinal BETWEEN $3 AND $4`, r.Chain, r.Chain+r.Chains-1, r.Ordinal, r.Ordinal+r.Ordinals-1); err != nil {
			return nil, err
		}
	}
	for some := range slices.Chunk(single, 100) {
		var query []byte
		var args []any
		for _, r := range some {
			r.each(func(chain, ordinal int64) error {
				if args != nil {
					query = append(query, ',')
				}
				query = fmt.Appendf(query, "(CAST($%d AS BIGINT), CAST($%d AS BIGINT))", len(args)+1, len(args)+2)
				args = append(args, chain, ordinal)
				return nil
			})
		}
		if err := read(`(chain, ordinal) IN (VALUES `+string(query)+`)`, args...); err != nil {
			return nil, err
		}
	}
	return found, nil
}
