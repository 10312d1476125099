package mailcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// Keys of the tables. UID is a message's number in its mailbox (RFC 9051 §2.3.1.1).
type (
	AccountID int64
	MailboxID int64
	MessageID int64
	OutboxID  int64
	EventID   int64
	UID       uint32
)

// Topics that listeners of the database wait on; a mailbox has its own, see MailboxTopic.
const (
	TopicOutbox = "outbox"
	TopicEvents = "mail_event"
	TopicLogins = "login" // what somebody is logged in by has ended
)

// MailboxTopic is what a committed change of the mailbox wakes.
func MailboxTopic(id MailboxID) string { return "mailbox:" + strconv.FormatInt(int64(id), 10) }

// ErrStale says that somebody else moved the row first, or that the lease on it ran out.
var ErrStale = errors.New("somebody else was first")

// A Store is the mail store of an installation. It is safe for concurrent use.
type Store struct {
	db    *sqldb.DB
	files blob.Store // documents and large bodies
	blobs *bodyStore // those, and small bodies
	log   *slog.Logger

	pastData func(ref string)

	cost   HashCost
	quota  int64 // of accounts without one of their own, 0 for none
	logins *logins
	tries  *throttle
	seen   *seen
	watch  *watcher
	parsed parsed
}

// NewStore returns the store over a migrated database and a store of blobs.
func NewStore(db *sqldb.DB, blobs blob.Store, log *slog.Logger) *Store {
	if log == nil {
		log = slog.Default()
	}
	s := &Store{db: db, files: blobs, blobs: &bodyStore{blobs, db}, log: log, cost: DefaultHashCost, logins: newLogins(), tries: newThrottle()}
	s.seen, s.watch = newSeen(s), newWatcher(s)
	return s
}

// SetHashCost sets what new hashes of passwords cost; call it before the store is used.
func (s *Store) SetHashCost(c HashCost) { s.cost = c }

// SetPastData has a function told, before each final dot leaves, which copies leave; call it before the store is used.
func (s *Store) SetPastData(tell func(ref string)) { s.pastData = tell }

// DB is the database that the store's transactions run on.
func (s *Store) DB() *sqldb.DB { return s.db }

// Blobs is where the bytes lie.
func (s *Store) Blobs() blob.Store { return s.blobs }

// maxChunk bounds the rows of one statement: far below the 32,766 parameters of SQLite and the 65,535 of PostgreSQL, and
// large enough that a thousand copies cost a handful of statements.
const maxChunk = 400

// args collects the parameters of one statement.
type args []any

// add appends v and returns its place as $n.
func (a *args) add(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

// list appends every value and returns ($n, $n+1, …) for IN.
func list[T any](a *args, values []T) string {
	var b strings.Builder
	for i, v := range values {
		b.WriteByte("(,"[min(i, 1)])
		b.WriteString(a.add(v))
	}
	b.WriteByte(')')
	return b.String()
}

// row appends the values of one row and returns ($n, …) for VALUES.
func (a *args) row(values ...any) string { return list(a, values) }

// clean makes text from outside fit a TEXT column: PostgreSQL takes neither invalid UTF-8 nor NUL.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// changeOne runs a guarded statement; none is the error when it finds no row that it may change.
func changeOne(ctx context.Context, tx *sqldb.Tx, none error, query string, a ...any) error {
	ok, err := tx.ExecOne(ctx, query, a...)
	if err == nil && !ok {
		err = none
	}
	return err
}

func wrap(err error, format string, a ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(a, err)...)
}
