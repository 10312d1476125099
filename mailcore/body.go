package mailcore

import (
	"context"
	"io"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// A Body is a stored body that rows may now name.
type Body struct {
	Digest    blob.Digest
	Size      int64
	MessageID string // the header's, without <>
	Subject   string
	SentAt    time.Time // the Date header, zero when there is none
	Summary   []byte    // see ParseSummary
}

// SaveBody stores the bytes of a message and reads header and structure from them, outside any transaction; it is safe to
// repeat. limit bounds the size (blob.ErrTooLarge), 0 for none. Ugly MIME is never an error: what cannot be read is left
// out of the summary.
func (s *Store) SaveBody(ctx context.Context, r io.Reader, limit int64) (*Body, error) {
	return nil, errStub
}

// StoredBody returns the body of a message row, to deliver or send it once more.
func (s *Store) StoredBody(ctx context.Context, id MessageID) (*Body, error) { return nil, errStub }

// SaveBytes stores a document's bytes, outside any transaction. PinTx must follow in the transaction that names them.
func (s *Store) SaveBytes(ctx context.Context, data []byte) (blob.Digest, error) {
	return "", errStub
}

// PinTx keeps stored bytes for ever.
func (s *Store) PinTx(ctx context.Context, tx *sqldb.Tx, digest blob.Digest, size int64) error {
	return errStub
}
