package mailcore

import (
	"context"
	"slices"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// maxSmall is up to which size a body lies in the database. There the commit that its message waits for anyway makes it durable;
// a file of its own takes two syncs more, an object another trip to the bucket. SQLite reads and writes larger ones slower
// than files.
const maxSmall = 64 << 10

// lookLimit bounds a question for bytes that nobody's context bounds.
const lookLimit = 30 * time.Second

// A bodyStore is the blob store with the small bodies of the database before it. What is put into it goes to the blob store: only
// upsertMessage writes small ones.
type bodyStore struct {
	blob.Store
	db *sqldb.DB
}

// Open implements blob.Store.
func (b *bodyStore) Open(digest blob.Digest) (*blob.File, error) {
	var found [][]byte
	if err := b.ask(&found, `SELECT bytes FROM blob_bytes WHERE digest = $1`, digest); err != nil {
		return nil, wrap(err, "open blob %s", digest)
	}
	if len(found) == 0 {
		return b.Store.Open(digest)
	}
	return blob.InMemory(found[0]), nil
}

// SmallBodies returns the bytes of the bodies that lie in the database, asked for together; the others are left out.
func (s *Store) SmallBodies(ctx context.Context, digests []blob.Digest) (map[blob.Digest][]byte, error) {
	out := make(map[blob.Digest][]byte, len(digests))
	for chunk := range slices.Chunk(digests, maxChunk) {
		var a args
		var rows []struct {
			Digest blob.Digest `db:"digest"`
			Bytes  []byte      `db:"bytes"`
		}
		err := s.db.Ask(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &rows, `SELECT digest, bytes FROM blob_bytes WHERE digest IN `+list(&a, chunk), a...)
		})
		if err != nil {
			return nil, wrap(err, "read %d small bodies", len(digests))
		}
		for _, r := range rows {
			out[r.Digest] = r.Bytes
		}
	}
	return out, nil
}

// Size implements blob.Store.
func (b *bodyStore) Size(digest blob.Digest) (int64, error) {
	var found []int64
	if err := b.ask(&found, `SELECT length(bytes) FROM blob_bytes WHERE digest = $1`, digest); err != nil {
		return 0, wrap(err, "size of blob %s", digest)
	}
	if len(found) == 0 {
		return b.Store.Size(digest)
	}
	return found[0], nil
}

func (b *bodyStore) ask(dest any, query string, digest blob.Digest) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	return b.db.Ask(ctx, func(tx *sqldb.Tx) error { return tx.SelectContext(ctx, dest, query, digest) })
}

// Remove implements blob.Store.
func (b *bodyStore) Remove(digest blob.Digest) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	err := b.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM blob_bytes WHERE digest = $1`, digest)
		return err
	})
	if err != nil {
		return wrap(err, "remove blob %s", digest)
	}
	return b.Store.Remove(digest)
}

// Walk implements blob.Store. Bytes that lie in both places are told twice.
func (b *bodyStore) Walk(ctx context.Context, fn func(blob.Info) error) error {
	for after := blob.Digest(""); ; {
		var rows []struct {
			Digest  blob.Digest `db:"digest"`
			Size    int64       `db:"size"`
			Touched int64       `db:"touched_at"`
		}
		err := b.db.Read(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &rows, `SELECT y.digest, length(y.bytes) AS size, b.touched_at FROM blob_bytes y JOIN blob b ON b.digest = y.digest
				WHERE y.digest > $1 ORDER BY y.digest LIMIT $2`, after, sweepWindow)
		})
		if err != nil {
			return wrap(err, "list small bodies")
		}
		for _, r := range rows {
			if err := fn(blob.Info{Digest: r.Digest, Size: r.Size, Modified: time.UnixMicro(r.Touched).UTC()}); err != nil {
				return err
			}
		}
		if len(rows) < sweepWindow {
			return b.Store.Walk(ctx, fn)
		}
		after = rows[len(rows)-1].Digest
	}
}

// OpenBody opens a body, named by rows already or not.
func (s *Store) OpenBody(b *Body) (*blob.File, error) {
	switch {
	case b.bytes != nil:
		return blob.InMemory(b.bytes), nil
	case b.Size > maxSmall:
		return s.files.Open(b.Digest)
	}
	return s.blobs.Open(b.Digest)
}
