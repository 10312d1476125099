package mailcore

import (
	"context"
	"errors"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// The states of an outbox row.
const (
	OutboxQueued    = "queued"    // waits for its time; ClaimOutbox moves it on
	OutboxSending   = "sending"   // a worker has it until its lease runs out
	OutboxSent      = "sent"      // the other server took it
	OutboxFailed    = "failed"    // refused for good, or its life is over
	OutboxUncertain = "uncertain" // it may have arrived: the line broke, or we died, after the final dot
	OutboxCancelled = "cancelled" // taken back before it left
)

// What an attempt may end as.
const (
	AttemptSent      = "sent"
	AttemptLater     = "later"
	AttemptFailed    = "failed"
	AttemptUncertain = "uncertain"
)

// An Outgoing is one recipient outside to whom a body goes.
type Outgoing struct {
	Sender  Address // envelope sender, "" for a bounce
	Rcpt    Address
	EnvID   string // the same at every try (RFC 3461 §4.4); one is made when empty
	Prefix  []byte // header lines before the body
	Urgency int    // 0 thường, 1 Khẩn, 2 Thượng khẩn, 3 Hỏa tốc
	Ref     string
	Life    time.Duration // how long it is tried; five days when zero (RFC 5321 §4.5.4.1)
}

// A Job is a claimed outbox row.
type Job struct {
	ID           OutboxID
	Message      MessageID
	Digest       blob.Digest
	BodySize     int64
	Prefix       []byte
	Sender, Rcpt Address
	EnvID        string
	Urgency      int
	Ref          string
	Tries        int // how often it was claimed, this time included
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

// An Outcome is how an attempt ended.
type Outcome struct {
	State    string // AttemptSent, AttemptLater, AttemptFailed, AttemptUncertain
	Host     string
	Phase    string // connect, starttls, mail, rcpt, data, dot, done
	Code     int
	Enhanced string
	Dialogue string
	NextAt   time.Time // later: when to try again; uncertain: when to look again
}

// ErrNoAttempt says that there is no such attempt.
var ErrNoAttempt = errors.New("no such attempt")

// EnqueueTx puts a saved body into the outbox, one row a recipient, as part of the caller's transaction.
func (s *Store) EnqueueTx(ctx context.Context, tx *sqldb.Tx, b *Body, out []Outgoing) ([]OutboxID, error) {
	return nil, errStub
}

// ClaimOutbox gives up to n rows that are due to the caller until the lease ends: the most urgent first, then the oldest.
// Before that it settles rows whose worker died: past the final dot they become uncertain (with the event), else queued.
func (s *Store) ClaimOutbox(ctx context.Context, n int, lease time.Duration) ([]Job, error) {
	return nil, errStub
}

// BeginAttempt notes that a claimed row is being tried; ErrStale when the lease is over.
func (s *Store) BeginAttempt(ctx context.Context, id OutboxID, host string) (attemptID int64, err error) {
	return 0, errStub
}

// MarkDot is called before the final dot leaves: a death after it is "uncertain". ErrStale when the lease is over; then the
// dot must not leave.
func (s *Store) MarkDot(ctx context.Context, attemptID int64) error { return errStub }

// FinishAttempt notes how an attempt ended and moves the row, with the event, in one transaction. ErrStale when somebody
// else has the row by now.
func (s *Store) FinishAttempt(ctx context.Context, id OutboxID, attemptID int64, o Outcome) error {
	return errStub
}

// RenewLease keeps a claimed row for that long from now; ErrStale when the lease is over.
func (s *Store) RenewLease(ctx context.Context, id OutboxID, lease time.Duration) error {
	return errStub
}

// RequeueTx sends an uncertain or failed row again, with the same ids; ErrStale for any other.
func (s *Store) RequeueTx(ctx context.Context, tx *sqldb.Tx, id OutboxID) error { return errStub }

// CancelTx takes back a queued row; ErrStale for any other.
func (s *Store) CancelTx(ctx context.Context, tx *sqldb.Tx, id OutboxID) error { return errStub }

// SettleTx ends a row by what was learned elsewhere (a DSN, a receipt): state is OutboxSent or OutboxFailed.
func (s *Store) SettleTx(ctx context.Context, tx *sqldb.Tx, id OutboxID, state string) error {
	return errStub
}

// NextDue is when ClaimOutbox may next find something; false when the outbox is empty.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	return time.Time{}, false, errStub
}
