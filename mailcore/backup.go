package mailcore

import (
	"context"
	"errors"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// CopyBlobs puts every blob that rows name into another store and calls fn for each. What it holds already is not copied
// again; bytes that are not their digest's are an error. Called after a dump of the database it copies all that the dump names,
// since bytes go no sooner than a day after their row was doomed. Small bodies are in the dump; those touched lately are copied all
// the same, since one that was a file when the dump was made may have come again meanwhile.
func (s *Store) CopyBlobs(ctx context.Context, to blob.Store, fn func(blob.Info) error) error {
	for after := blob.Digest(""); ; {
		var rows []struct {
			Digest blob.Digest `db:"digest"`
			Size   int64       `db:"size"`
			Doomed bool        `db:"doomed"`
		}
		err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &rows, `SELECT digest, size, doomed_at IS NOT NULL AS doomed FROM blob WHERE digest > $1
				AND (touched_at >= $2 OR NOT EXISTS (SELECT 1 FROM blob_bytes y WHERE y.digest = blob.digest)) ORDER BY digest LIMIT $3`,
				after, tx.Now.Add(-sweepAge).UnixMicro(), sweepWindow)
		})
		if err != nil {
			return wrap(err, "list blobs")
		}
		for _, r := range rows {
			err := blob.Copy(ctx, s.blobs, to, r.Digest)
			if r.Doomed && errors.Is(err, blob.ErrNotFound) {
				continue
			}
			if err == nil {
				err = fn(blob.Info{Digest: r.Digest, Size: r.Size})
			}
			if err != nil {
				return wrap(err, "copy blobs")
			}
		}
		if len(rows) < sweepWindow {
			return nil
		}
		after = rows[len(rows)-1].Digest
	}
}
