package mailcore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

const (
	// sweepAge is how long bytes must be untouched before they are doomed, and doomed before they go: far longer than
	// anybody needs from storing bytes to naming them, or from reading a row to opening what it names.
	sweepAge = 24 * time.Hour
	// vanishedAge is how long it is kept that a message left a mailbox: no session lasts that long without looking.
	vanishedAge = 30 * 24 * time.Hour
	// eventAge is how long a handled event is kept, for whoever asks what happened.
	eventAge = 90 * 24 * time.Hour
	// sweepWindow is how many rows one look takes in, sweepChunk how many one transaction changes: others wait for it.
	sweepWindow, sweepChunk = 5000, 200
	// folderEvery is how often SweepEvery compares the folder of blobs with the rows, which reads all its names.
	folderEvery = 24 * time.Hour
)

// A SweepResult is what a sweep found to be of no use.
type SweepResult struct {
	Messages int // bodies' rows that no mailbox and no outbox row shows any more
	Doomed   int // blobs that nothing names; their bytes go a day later
	Strays   int // files without a row, doomed likewise
	Removed  int // blobs that are gone, bytes and row
	Vanished int // old word of expunges
	Events   int // old handled events; opened and downloaded stay, since they are told only once
}

// Sweep takes away what nothing needs: rows of bodies without copies, then blobs that no row names, each after a day in
// which nobody touched it, and the bytes a day after that. Meanwhile whoever names the bytes again revives them. It works in
// small transactions beside everything else, on any number of nodes at once, and may be cut short anywhere. A step that
// fails does not stop the others.
func (s *Store) Sweep(ctx context.Context) (SweepResult, error) { return s.sweep(ctx, true) }

// SweepEvery sweeps now and then every interval until ctx ends. The folder of blobs is read through once a day only.
func (s *Store) SweepEvery(ctx context.Context, interval time.Duration) error {
	var walked time.Time
	for {
		now := s.db.Now()
		folder := now.Sub(walked) >= folderEvery
		r, err := s.sweep(ctx, folder)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.log.Error("sweep the mail store", "err", err)
		} else if folder {
			walked = now
		}
		if r != (SweepResult{}) {
			s.log.Info("mail store swept", "messages", r.Messages, "doomed", r.Doomed, "strays", r.Strays, "removed", r.Removed,
				"vanished", r.Vanished, "events", r.Events)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func (s *Store) sweep(ctx context.Context, folder bool) (SweepResult, error) {
	var r SweepResult
	var errs []error
	now := s.db.Now()
	before := func(age time.Duration) int64 { return now.Add(-age).UnixMicro() }
	step := func(what string, count *int, run func(context.Context, int64) (int, error), before int64) {
		n, err := run(ctx, before)
		*count = n
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	step("remove doomed blobs", &r.Removed, s.removeDoomed, before(sweepAge))
	step("forget messages without copies", &r.Messages, s.forgetMessages, before(sweepAge))
	step("doom blobs", &r.Doomed, s.doomBlobs, before(sweepAge))
	if folder {
		step("look for files without a row", &r.Strays, s.doomStrays, before(sweepAge))
	}
	step("trim vanished", &r.Vanished, s.trimVanished, before(vanishedAge))
	step("trim mail events", &r.Events, s.trimEvents, before(eventAge))
	return r, wrap(errors.Join(errs...), "sweep")
}

// forIdle looks through a table by digest and hands those of its rows on, some at a time, that the query calls idle. The
// query answers with (digest, idle) in order for digests above $2; $1 is the age that counts, $3 how many rows.
func (s *Store) forIdle(ctx context.Context, query string, before int64, take func([]blob.Digest) error) error {
	for after := blob.Digest(""); ; {
		var rows []struct {
			Digest blob.Digest `db:"digest"`
			Idle   bool        `db:"idle"`
		}
		err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &rows, query, before, after, sweepWindow)
		})
		if err != nil {
			return err
		}
		var idle []blob.Digest
		for _, r := range rows {
			if r.Idle {
				idle = append(idle, r.Digest)
			}
		}
		for chunk := range slices.Chunk(idle, sweepChunk) {
			if err := take(chunk); err != nil {
				return err
			}
		}
		if len(rows) < sweepWindow {
			return nil
		}
		after = rows[len(rows)-1].Digest
	}
}

// change runs one statement in a transaction of its own and returns how many rows it changed.
func (s *Store) change(ctx context.Context, query string, a ...any) (int, error) {
	var n int64
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		res, err := tx.ExecContext(ctx, query, a...)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// forgetMessages deletes the rows of bodies that nothing shows.
func (s *Store) forgetMessages(ctx context.Context, before int64) (int, error) {
	total := 0
	err := s.forIdle(ctx, `SELECT m.digest, b.touched_at <= $1 AND NOT EXISTS (SELECT 1 FROM mailbox_message c WHERE c.message_id = m.id)
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = m.id) AS idle
		FROM message m JOIN blob b ON b.digest = m.digest WHERE m.digest > $2 ORDER BY m.digest LIMIT $3`, before,
		func(idle []blob.Digest) error {
			n := 0
			err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
				n, err = forgetIdle(ctx, tx, idle, before)
				return err
			})
			if err == nil {
				total += n
			}
			return err
		})
	return total, err
}

// forgetIdle first takes the blobs' rows, as whoever shows a body does: when the second statement looks, nobody else is
// half-way to showing one of them. (PostgreSQL would evaluate NOT EXISTS on what it saw before it waited.)
func forgetIdle(ctx context.Context, tx *sqldb.Tx, idle []blob.Digest, before int64) (int, error) {
	a := args{before}
	var held []blob.Digest
	err := tx.SelectContext(ctx, &held, `UPDATE blob SET touched_at = touched_at WHERE touched_at <= $1 AND digest IN `+list(&a, idle)+` RETURNING digest`, a...)
	if err != nil || len(held) == 0 {
		return 0, err
	}
	a = nil
	res, err := tx.ExecContext(ctx, `DELETE FROM message WHERE digest IN `+list(&a, held)+`
		AND NOT EXISTS (SELECT 1 FROM mailbox_message c WHERE c.message_id = message.id)
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = message.id)`, a...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// doomBlobs marks what no row names. Whoever names one of them meanwhile has touched it, so the guard sees that.
func (s *Store) doomBlobs(ctx context.Context, before int64) (int, error) {
	const unnamed = `NOT b.pinned AND b.doomed_at IS NULL AND NOT EXISTS (SELECT 1 FROM message m WHERE m.digest = b.digest)`
	total := 0
	err := s.forIdle(ctx, `SELECT b.digest, b.touched_at <= $1 AND `+unnamed+` AS idle FROM blob b WHERE b.digest > $2 ORDER BY b.digest LIMIT $3`, before,
		func(idle []blob.Digest) error {
			a := args{s.db.Now().UnixMicro(), before}
			n, err := s.change(ctx, `UPDATE blob AS b SET doomed_at = $1 WHERE b.touched_at <= $2 AND `+unnamed+` AND b.digest IN `+list(&a, idle), a...)
			total += n
			return err
		})
	return total, err
}

// doomStrays gives files that have no row, since somebody died before naming them, one that is doomed: so they go the way
// of all others, and whoever is about to name one revives it.
func (s *Store) doomStrays(ctx context.Context, before int64) (int, error) {
	total := 0
	var files []blob.Info
	flush := func() error {
		n, err := s.adopt(ctx, files)
		total, files = total+n, nil
		return err
	}
	err := s.files.Walk(ctx, func(i blob.Info) error {
		if i.Modified.UnixMicro() > before {
			return nil
		}
		if files = append(files, i); len(files) < maxChunk {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return total, err
}

func (s *Store) adopt(ctx context.Context, files []blob.Info) (int, error) {
	if len(files) == 0 {
		return 0, nil
	}
	digests := make([]blob.Digest, len(files))
	for i, f := range files {
		digests[i] = f.Digest
	}
	var named []blob.Digest
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var a args
		return tx.SelectContext(ctx, &named, `SELECT digest FROM blob WHERE digest IN `+list(&a, digests), a...)
	})
	if err != nil {
		return 0, err
	}
	strays := slices.DeleteFunc(files, func(f blob.Info) bool { return slices.Contains(named, f.Digest) })
	if len(strays) == 0 {
		return 0, nil
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		rows := make([][]any, len(strays))
		for i, f := range strays {
			rows[i] = []any{f.Digest, f.Size, f.Modified.UnixMicro(), tx.Now.UnixMicro()}
		}
		return tx.InsertRows(ctx, `INSERT INTO blob (digest, size, touched_at, doomed_at)`, rows, `ON CONFLICT (digest) DO NOTHING`)
	})
	if err != nil {
		return 0, err
	}
	return len(strays), nil
}

// removeDoomed removes what was doomed long enough. One that cannot be removed does not keep the others.
func (s *Store) removeDoomed(ctx context.Context, before int64) (int, error) {
	total := 0
	var failed error
	err := s.forIdle(ctx, `WITH due AS MATERIALIZED (SELECT digest FROM blob WHERE doomed_at <= $1)
		SELECT digest, TRUE AS idle FROM due WHERE digest > $2 ORDER BY digest LIMIT $3`, before,
		func(due []blob.Digest) error {
			for _, digest := range due {
				gone, err := s.removeBlob(ctx, digest, before)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if gone {
					total++
				}
				if failed == nil {
					failed = wrap(err, "blob %s", digest)
				}
			}
			return nil
		})
	return total, errors.Join(err, failed)
}

// removeBlob forgets the row, a small body with it, and deletes the file in one transaction: whoever stores the same bytes
// meanwhile either revived the row before, or waits and then finds neither, see holdBlob. Deleting one file is no file sync, and
// a file that is gone although the commit failed harms nobody, because the row is doomed.
func (s *Store) removeBlob(ctx context.Context, digest blob.Digest, before int64) (gone bool, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		gone, err = tx.ExecOne(ctx, `DELETE FROM blob WHERE digest = $1 AND doomed_at <= $2 AND NOT pinned
			AND NOT EXISTS (SELECT 1 FROM message m WHERE m.digest = blob.digest)`, digest, before)
		if err != nil || !gone {
			return err
		}
		return s.files.Remove(digest)
	})
	return gone && err == nil, err
}

func (s *Store) trimVanished(ctx context.Context, before int64) (int, error) {
	return s.trim(ctx, `DELETE FROM vanished WHERE (mailbox_id, modseq, uid) IN
		(SELECT mailbox_id, modseq, uid FROM vanished WHERE at <= $1 ORDER BY at LIMIT $2)`, before)
}

// trimEvents has the condition of the index mail_event_done word for word: SQLite uses it only then.
func (s *Store) trimEvents(ctx context.Context, before int64) (int, error) {
	return s.trim(ctx, `DELETE FROM mail_event WHERE id IN (SELECT id FROM mail_event
		WHERE handled_at IS NOT NULL AND kind NOT IN ('opened', 'downloaded') AND handled_at <= $1 ORDER BY handled_at LIMIT $2)`, before)
}

// trim repeats a bounded DELETE until it finds less than it may take.
func (s *Store) trim(ctx context.Context, query string, before int64) (total int, err error) {
	for {
		n, err := s.change(ctx, query, before, sweepChunk)
		total += n
		if err != nil || n < sweepChunk {
			return total, err
		}
	}
}
