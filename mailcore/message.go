package mailcore

import (
	"context"
	"time"

	"congvan/mailcore/blob"
)

// A Row is a message as it lies in a mailbox.
type Row struct {
	UID        UID
	Message    MessageID
	ModSeq     uint64
	ReceivedAt time.Time // INTERNALDATE
	Flags      []string  // sorted, system flags spelled as in RFC 9051
	Size       int64     // prefix and body
	Ref        string
}

// A Stored is a Row and what is needed to show its content: prefix, then the blob.
type Stored struct {
	Row
	Prefix   []byte
	Digest   blob.Digest
	Summary  *Summary // of the body; a Reply-To in the prefix stands in the envelope
	BodySize int64
}

// Rows returns everything in a mailbox by UID and the sequence that it was current at; ErrNoMailbox.
func (s *Store) Rows(ctx context.Context, id MailboxID) ([]Row, uint64, error) {
	return nil, 0, errStub
}

// Changes returns what was added or changed, and what left, after the sequence since, and the sequence that the answer is
// current at. It costs one look-up when there is nothing new. ErrNoMailbox when the mailbox is gone.
func (s *Store) Changes(ctx context.Context, id MailboxID, since uint64) (changed []Row, vanished []UID, modseq uint64, err error) {
	return nil, nil, 0, errStub
}

// Load returns the messages with these UIDs, by UID; those that are not there are left out.
func (s *Store) Load(ctx context.Context, id MailboxID, uids []UID) ([]Stored, error) {
	return nil, errStub
}
