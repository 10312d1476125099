package exchange

import (
	"context"
	"fmt"

	"congvan/mailcore/sqldb"

	"golang.org/x/mod/sumdb/tlog"
)

// tileBits is the height of a tile: it holds up to 256 hashes.
const tileBits = 8

const tileBytes = tlog.HashSize << tileBits

// tiles are the log's hashes as one transaction sees them; it can add leaves and read any hash of the tree.
type tiles struct {
	tx    *sqldb.Tx
	held  map[tileKey][]byte
	dirty map[tileKey]bool
}

type tileKey struct{ level, n int64 }

func newTiles(tx *sqldb.Tx) *tiles {
	return &tiles{tx, map[tileKey][]byte{}, map[tileKey]bool{}}
}

func (t *tiles) load(ctx context.Context, k tileKey) ([]byte, error) {
	if b, ok := t.held[k]; ok {
		return b, nil
	}
	var rows [][]byte
	err := t.tx.SelectContext(ctx, &rows, `SELECT hashes FROM log_tile WHERE level = $1 AND n = $2`, k.level, k.n)
	if err != nil {
		return nil, fmt.Errorf("tile %d/%d of the log: %w", k.level, k.n, err)
	}
	var b []byte
	if len(rows) > 0 {
		b = rows[0]
	}
	t.held[k] = b
	return b, nil
}

// add puts leaf n at the end of the tree. Only hashes at heights 0, 8, 16 … are kept; those between follow from them.
func (t *tiles) add(ctx context.Context, n int64, leaf tlog.Hash) error {
	for level := int64(0); ; level++ {
		k := tileKey{level, n >> tileBits}
		tile, err := t.load(ctx, k)
		if err != nil {
			return err
		}
		if int64(len(tile)) != n%(1<<tileBits)*tlog.HashSize {
			return fmt.Errorf("tile %d/%d of the log has %d bytes before hash %d: run congvan check", k.level, k.n, len(tile), n)
		}
		tile = append(tile, leaf[:]...)
		t.held[k], t.dirty[k] = tile, true
		if len(tile) < tileBytes {
			return nil
		}
		leaf, n = tileRoot(tile), k.n
	}
}

// tileRoot is the hash over a whole tile.
func tileRoot(tile []byte) (h tlog.Hash) {
	if len(tile) == tlog.HashSize {
		copy(h[:], tile)
		return h
	}
	half := len(tile) / 2
	return tlog.NodeHash(tileRoot(tile[:half]), tileRoot(tile[half:]))
}

func (t *tiles) save(ctx context.Context) error {
	for k := range t.dirty {
		_, err := t.tx.ExecContext(ctx, `INSERT INTO log_tile (level, n, hashes) VALUES ($1, $2, $3)
			ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes`, k.level, k.n, t.held[k])
		if err != nil {
			return fmt.Errorf("write tile %d/%d of the log: %w", k.level, k.n, err)
		}
	}
	clear(t.dirty)
	return nil
}

// reader gives the tree's hashes to tlog's proofs.
func (t *tiles) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			want := tlog.TileForIndex(tileBits, index)
			data, err := t.load(ctx, tileKey{int64(want.L), want.N})
			if err != nil {
				return nil, err
			}
			if out[i], err = tlog.HashFromTile(want, data, index); err != nil {
				return nil, fmt.Errorf("the log lacks a hash: %w", err)
			}
		}
		return out, nil
	})
}

// root is the head of the tree of the first size leaves.
func (t *tiles) root(ctx context.Context, size int64) (tlog.Hash, error) {
	h, err := tlog.TreeHash(size, t.reader(ctx))
	if err != nil {
		return h, fmt.Errorf("head of the log at %d: %w", size, err)
	}
	return h, nil
}
