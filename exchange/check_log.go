package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"congvan/mailcore/sqldb"
	"congvan/signing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A logChecker builds the tree anew from the events and compares what is stored with it.
type logChecker struct {
	*checker
	tx      *sqldb.Tx
	size    int64                // leaves so far
	levels  [][]byte             // per level, the hashes of the tile being filled
	tilesOf map[tileKey]struct{} // seen
	marks   []Checkpoint         // still ahead, by size
	known   []note.Verifier
}

// log proves that every event has exactly one leaf or waits for one, that the tiles are the hashes of these leaves, and that
// every checkpoint is the signed head of the tree of its first leaves. It fills c.logged.
func (c *checker) log(ctx context.Context, tx *sqldb.Tx) error {
	l := &logChecker{checker: c, tx: tx, tilesOf: map[tileKey]struct{}{}}
	var heads []logHead
	if err := tx.SelectContext(ctx, &heads, `SELECT epoch, size, checkpoint, old_series FROM log_head`); err != nil {
		return err
	}
	if len(heads) != 1 {
		c.sayf("log_head: %d rows, not one", len(heads))
		heads = append(heads, logHead{})
	}
	if err := l.checkpoints(ctx, heads[0]); err != nil {
		return err
	}
	if err := l.batches(ctx, heads[0]); err != nil {
		return err
	}
	l.tail()
	var stored int
	if err := tx.GetContext(ctx, &stored, `SELECT count(*) FROM log_tile`); err != nil {
		return err
	}
	if err := l.partialTiles(ctx); err != nil {
		return err
	}
	if stored != len(l.tilesOf) {
		c.sayf("log_tile: %d rows, the tree has %d tiles", stored, len(l.tilesOf))
	}
	return l.queue(ctx)
}

// checkpoints verifies signatures, the order, and that each names the one before and the head names the last.
func (l *logChecker) checkpoints(ctx context.Context, head logHead) error {
	if err := l.tx.SelectContext(ctx, &l.marks, `SELECT `+checkpointColumns+` FROM checkpoint ORDER BY size, epoch`); err != nil {
		return err
	}
	if l.s.LogKey != nil {
		key, err := l.s.LogKey()
		if err != nil {
			return err
		}
		l.known = key.Known
	}
	previous, last := "-", ""
	for i := range l.marks {
		m := &l.marks[i]
		h, err := openCheckpoint(m.Note, l.known)
		if err != nil && (l.known != nil || h == nil || !errors.Is(err, errUnknownKey)) {
			l.sayf("checkpoint %d/%d: %v", m.Epoch, m.Size, err)
		}
		if h != nil && (h.size != m.Size || h.at.UnixMicro() != m.At || h.origin != fmt.Sprintf("%s/%d", LogName(l.s.Domain), m.Epoch)) {
			l.sayf("checkpoint %d/%d: the row says otherwise than its note", m.Epoch, m.Size)
		}
		if h != nil && h.previous != previous {
			l.sayf("checkpoint %d/%d: the one before it is missing, or another", m.Epoch, m.Size)
		}
		if m.Stamp != nil {
			digest := sha256.Sum256([]byte(m.Note))
			if r, err := signing.VerifyTimestamp(m.Stamp, digest[:], l.s.stampRoots()); err != nil {
				l.sayf("checkpoint %d/%d: time stamp: %v", m.Epoch, m.Size, err)
			} else if l.s.stampRoots() != nil && !r.Trusted {
				l.sayf("checkpoint %d/%d: time stamp of an authority that is not trusted: %s", m.Epoch, m.Size, r.Authority)
			}
		}
		previous, last = base64.StdEncoding.EncodeToString(m.digest()), hex.EncodeToString(m.digest())
		if m.Size > head.Size {
			l.sayf("checkpoint %d/%d: the log has %d leaves only", m.Epoch, m.Size, head.Size)
		}
	}
	if last != head.Checkpoint {
		l.sayf("checkpoint: the newest row is not the one that log_head names: removed, added or changed")
	}
	return nil
}

// batches goes through all leaves in order.
func (l *logChecker) batches(ctx context.Context, head logHead) error {
	const window = 64
	for after := int64(-1); ; {
		var rows []struct {
			First  int64  `db:"first"`
			Leaves int64  `db:"leaves"`
			Epoch  int64  `db:"epoch"`
			Runs   []byte `db:"runs"`
		}
		err := l.tx.SelectContext(ctx, &rows, `SELECT first, leaves, epoch, runs FROM log_batch WHERE first > $1 ORDER BY first LIMIT $2`, after, window)
		if err != nil {
			return err
		}
		for _, b := range rows {
			runs, err := decodeRuns(b.Runs)
			var n int64
			for _, r := range runs {
				n += r.len()
			}
			if err != nil || n != b.Leaves || n > batchEvents+1<<copyBits {
				l.sayf("log_batch %d: its %d bytes do not name %d events", b.First, len(b.Runs), b.Leaves)
				continue
			}
			if b.First != l.size {
				l.sayf("log_batch %d: the leaves before it end at %d: a row was removed, added or changed", b.First, l.size)
			}
			if b.Epoch < l.epoch || b.Epoch > head.Epoch {
				l.sayf("log_batch %d: epoch %d", b.First, b.Epoch)
			}
			l.epoch = b.Epoch
			if err := l.batch(ctx, b.Epoch, runs); err != nil {
				return err
			}
		}
		if len(rows) < window {
			break
		}
		after = rows[len(rows)-1].First
	}
	if l.size != head.Size {
		l.sayf("log_head: size %d, the rows of log_batch end at %d: one of them was removed, or the head was changed", head.Size, l.size)
	}
	return nil
}

func (l *logChecker) batch(ctx context.Context, epoch int64, runs []run) error {
	digests, err := eventDigests(ctx, l.tx, runs)
	if err != nil {
		return err
	}
	for _, r := range runs {
		err := r.each(func(chain, ordinal int64) error {
			if l.logged[chain] != ordinal {
				l.sayf("log: leaf %d is event %d of chain %d, expected %d", l.size, ordinal, chain, l.logged[chain])
			}
			l.logged[chain] = ordinal + 1
			d := digests[eventKey{chain, ordinal}]
			if d == nil {
				l.sayf("event %d of %s: is in the log (leaf %d) and was removed", ordinal, chainName(chain), l.size)
			}
			return l.leaf(ctx, leafHash(epoch, chain, ordinal, d), chain, ordinal)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf adds a leaf to the tree that is built anew, and compares full tiles and checkpoints with it as they are reached.
func (l *logChecker) leaf(ctx context.Context, h tlog.Hash, chain, ordinal int64) error {
	n := l.size
	l.size++
	for level := 0; ; level++ {
		if level == len(l.levels) {
			l.levels = append(l.levels, nil)
		}
		l.levels[level] = append(l.levels[level], h[:]...)
		tile := l.levels[level]
		if len(tile) < tileBytes {
			break
		}
		n >>= tileBits
		if err := l.compare(ctx, tileKey{int64(level), n}, tile); err != nil {
			return err
		}
		h, l.levels[level] = tileRoot(tile), tile[:0]
	}
	for len(l.marks) > 0 && l.marks[0].Size <= l.size {
		m := l.marks[0]
		l.marks = l.marks[1:]
		head, _ := openCheckpoint(m.Note, l.known)
		if head != nil && m.Size == l.size && head.root != l.root() {
			l.sayf("checkpoint %d/%d: is not the head of the first %d events: one of them was changed (see above), or the checkpoint", m.Epoch, m.Size, m.Size)
		}
	}
	return nil
}

// tail names what checkpoints speak of and is not there.
func (l *logChecker) tail() {
	for _, m := range l.marks {
		l.sayf("checkpoint %d/%d: there are only %d leaves", m.Epoch, m.Size, l.size)
	}
}

// root is the head of the tree of all leaves so far, from the unfinished tiles alone.
func (l *logChecker) root() tlog.Hash {
	var parts []tlog.Hash // complete subtrees from the right, small to large
	for _, tile := range l.levels {
		n := len(tile) / tlog.HashSize
		for bit := 1; bit <= n; bit <<= 1 {
			if n&bit != 0 {
				end := n &^ (bit - 1)
				parts = append(parts, tileRoot(tile[(end-bit)*tlog.HashSize:end*tlog.HashSize]))
			}
		}
	}
	root := parts[0]
	for _, p := range parts[1:] {
		root = tlog.NodeHash(p, root)
	}
	return root
}

func (l *logChecker) partialTiles(ctx context.Context) error {
	for level, tile := range l.levels {
		if len(tile) > 0 {
			if err := l.compare(ctx, tileKey{int64(level), l.size >> (tileBits * (level + 1))}, tile); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare says which hash of a stored tile is another. A leaf that differs names its event.
func (l *logChecker) compare(ctx context.Context, k tileKey, want []byte) error {
	l.tilesOf[k] = struct{}{}
	var rows [][]byte
	if err := l.tx.SelectContext(ctx, &rows, `SELECT hashes FROM log_tile WHERE level = $1 AND n = $2`, k.level, k.n); err != nil {
		return err
	}
	switch {
	case len(rows) == 0:
		l.sayf("log_tile %d/%d: is missing", k.level, k.n)
	case len(rows[0]) != len(want):
		l.sayf("log_tile %d/%d: %d bytes, not %d", k.level, k.n, len(rows[0]), len(want))
	case !bytes.Equal(rows[0], want):
		for i := 0; i < len(want); i += tlog.HashSize {
			if !bytes.Equal(rows[0][i:i+tlog.HashSize], want[i:i+tlog.HashSize]) {
				l.sayf("log_tile %d/%d: hash %d is not that of the event: one of the two was changed", k.level, k.n, k.n<<tileBits+int64(i/tlog.HashSize))
			}
		}
	}
	return nil
}

// queue adds the events that wait to those in the log, and finds what is in neither or in both.
func (l *logChecker) queue(ctx context.Context) error {
	var rows []struct {
		ID int64 `db:"id"`
		run
	}
	if err := l.tx.SelectContext(ctx, &rows, `SELECT id, chain, chains, ordinal, ordinals FROM log_queue ORDER BY id`); err != nil {
		return err
	}
	for _, r := range rows {
		if !r.sane() {
			l.sayf("log_queue %d: damaged", r.ID)
			continue
		}
		if there, err := eventDigests(ctx, l.tx, []run{r.run}); err != nil {
			return err
		} else if int64(len(there)) != r.len() {
			l.sayf("log_queue %d: waits for %d events from event %d of %s on, %d of them are there: they were removed, or the row was changed", r.ID, r.len(), r.Ordinal,
				chainName(r.Chain), len(there))
			continue
		}
		r.each(func(chain, ordinal int64) error {
			if l.logged[chain] != ordinal {
				l.sayf("log_queue %d: event %d of %s is in the log already, or one before it is neither there nor waiting", r.ID, ordinal, chainName(chain))
				return nil
			}
			l.logged[chain]++
			return nil
		})
	}
	var extra []Event
	err := l.tx.SelectContext(ctx, &extra, `SELECT chain, count(*) AS ordinal FROM event GROUP BY chain ORDER BY chain`)
	for _, e := range extra {
		if n := l.logged[e.Chain]; e.Ordinal > n {
			l.sayf("%s: %d events, %d in the log or waiting for it: events were added, or word of them removed", chainName(e.Chain), e.Ordinal, n)
		} else if e.Ordinal < n {
			l.sayf("%s: %d events, %d in the log or waiting for it: events were removed", chainName(e.Chain), e.Ordinal, n)
		}
		delete(l.logged, e.Chain)
	}
	for chain := range l.logged {
		l.sayf("%s: its events were removed", chainName(chain))
	}
	return err
}

// chainName tells an operator whose chain it is.
func chainName(chain int64) string {
	switch doc := chain >> copyBits; {
	case chain == gatewayChain:
		return "gateway"
	case chain < 0:
		return fmt.Sprintf("register_series %d", -chain)
	case chain == doc<<copyBits:
		return fmt.Sprintf("document %d", doc)
	default:
		return fmt.Sprintf("dispatch %d", chain)
	}
}
