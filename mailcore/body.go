package mailcore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// A Body is a body that rows may now name: its bytes are stored, or so few that they travel in it, to be written by the transaction
// that names them.
type Body struct {
	Digest    blob.Digest
	Size      int64
	MessageID string // the header's, without <>
	Subject   string
	SentAt    time.Time // the Date header, zero when there is none
	Summary   []byte    // see ParseSummary

	bytes []byte // of a small body that just came; nil: they are stored
}

// ErrNoMessage says that no body has this id.
var ErrNoMessage = errors.New("no such message")

// SaveBody takes the bytes of a message and reads header and structure from them, outside any transaction; it is safe to repeat.
// Those of more than maxSmall bytes are durable when it returns, smaller ones once the Body was delivered or enqueued. limit bounds
// the size (blob.ErrTooLarge), 0 for none. Ugly MIME is never an error: what cannot be read is left out of the summary.
func (s *Store) SaveBody(ctx context.Context, r io.Reader, limit int64) (*Body, error) {
	st, err := s.files.Stage(ctx, r, limit)
	if err != nil {
		return nil, fmt.Errorf("save body: %w", err)
	}
	defer st.Discard()
	b, err := readBody(st)
	if err != nil {
		return nil, fmt.Errorf("read body %s: %w", st.Digest, err)
	}
	if b.Size > maxSmall {
		return b, wrap(s.keep(ctx, st), "save body")
	}
	b.bytes = make([]byte, b.Size)
	if _, err := io.ReadFull(st.Content(), b.bytes); err != nil {
		return nil, fmt.Errorf("save body: %w", err)
	}
	return b, nil
}

// readBody reads header and structure of a message.
func readBody(st *blob.Staged) (*Body, error) {
	sum, err := parseMessage(st.Content())
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(sum)
	if err != nil {
		return nil, err
	}
	e := &sum.Envelope
	return &Body{Digest: st.Digest, Size: st.Size, MessageID: e.MessageID, Subject: e.Subject, SentAt: e.Date, Summary: data}, nil
}

// StoredBody returns the body of a message row, to deliver or send it once more.
func (s *Store) StoredBody(ctx context.Context, id MessageID) (*Body, error) {
	var row struct {
		Digest    blob.Digest `db:"digest"`
		Size      int64       `db:"size"`
		MessageID string      `db:"message_id"`
		Subject   string      `db:"subject"`
		SentAt    int64       `db:"sent_at"`
		Summary   []byte      `db:"summary"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &row, `SELECT digest, size, message_id, subject, sent_at, summary FROM message WHERE id = $1`, id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoMessage
	}
	if err != nil {
		return nil, fmt.Errorf("body of message %d: %w", id, err)
	}
	b := &Body{Digest: row.Digest, Size: row.Size, MessageID: row.MessageID, Subject: row.Subject, Summary: row.Summary}
	if row.SentAt != 0 {
		b.SentAt = time.UnixMicro(row.SentAt).UTC()
	}
	return b, nil
}

// SaveBytes stores a document's bytes, outside any transaction. PinTx must follow in the transaction that names them.
func (s *Store) SaveBytes(ctx context.Context, data []byte) (blob.Digest, error) {
	st, err := s.files.Stage(ctx, bytes.NewReader(data), 0)
	if err != nil {
		return "", err
	}
	defer st.Discard()
	return st.Digest, s.keep(ctx, st)
}

// keep puts bytes into the blob store so that they stay until the caller can name them, a day at least.
func (s *Store) keep(ctx context.Context, st *blob.Staged) error {
	if err := s.holdBlob(ctx, st.Digest, st.Size); err != nil {
		return fmt.Errorf("hold blob %s: %w", st.Digest, err)
	}
	return st.Keep()
}

// holdBlob keeps the sweep from bytes that may be in the store already: a doomed row is revived, a file without a row gets
// one. A row that is not doomed needs nothing, since it takes a day from dooming to removal. After holdBlob a file that is
// there stays; one that is not will be put again.
func (s *Store) holdBlob(ctx context.Context, digest blob.Digest, size int64) error {
	var doomed []bool
	err := s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &doomed, `SELECT doomed_at IS NOT NULL FROM blob WHERE digest = $1`, digest)
	})
	if err != nil {
		return err
	}
	if len(doomed) == 0 {
		if _, err := s.files.Size(digest); errors.Is(err, blob.ErrNotFound) {
			return nil // whoever removed it is done: the row goes after the file
		} else if err != nil {
			return err
		}
	} else if !doomed[0] {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return upsertBlob(ctx, tx, digest, size, false) })
}

// PinTx keeps stored bytes for ever.
func (s *Store) PinTx(ctx context.Context, tx *sqldb.Tx, digest blob.Digest, size int64) error {
	return wrap(upsertBlob(ctx, tx, digest, size, true), "pin %s", digest)
}

// upsertBlob names stored bytes in the transaction of the row that needs them; touched and not doomed, the sweep leaves them
// alone. It comes before that row is written: the sweep takes the blob's row first, too.
func upsertBlob(ctx context.Context, tx *sqldb.Tx, digest blob.Digest, size int64, pinned bool) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO blob (digest, size, touched_at, pinned) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET size = excluded.size, touched_at = excluded.touched_at, pinned = blob.pinned OR excluded.pinned, doomed_at = NULL`,
		digest, size, tx.Now.UnixMicro(), pinned)
	return err
}

// upsertBytes writes a small body. It comes after the row of the blob, which keeps the sweep off.
func upsertBytes(ctx context.Context, tx *sqldb.Tx, b *Body) error {
	if b.bytes == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO blob_bytes (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`, b.Digest, b.bytes)
	return err
}

// upsertMessage returns the one row of a body, and makes it when this is its first use.
func upsertMessage(ctx context.Context, tx *sqldb.Tx, b *Body) (MessageID, error) {
	if err := upsertBlob(ctx, tx, b.Digest, b.Size, false); err != nil {
		return 0, err
	}
	if err := upsertBytes(ctx, tx, b); err != nil {
		return 0, err
	}
	sent := int64(0)
	if !b.SentAt.IsZero() {
		sent = b.SentAt.UnixMicro()
	}
	var id MessageID
	// The update changes nothing: it makes RETURNING answer for a row that was there. It names no key column: for one
	// PostgreSQL would take a lock that waits for every transaction which inserts a copy of this message.
	err := tx.GetContext(ctx, &id, `INSERT INTO message (digest, size, message_id, subject, sent_at, summary) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (digest) DO UPDATE SET size = excluded.size RETURNING id`,
		b.Digest, b.Size, clean(b.MessageID, maxMessageID), clean(b.Subject, maxSubject), sent, b.Summary)
	return id, err
}
