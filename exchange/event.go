package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// An Actor is who does something: a person through an account, or the gateway itself.
type Actor struct {
	Address mailcore.Address    // of the account; "" for the command line and the gateway
	Name    string              // shown where there is no address
	Unit    recipients.UnitCode // the unit that the actor acts for
}

// Gateway is the actor of what nobody did by hand.
var Gateway = Actor{Name: "congvan"}

func (a Actor) String() string {
	if a.Address != "" {
		return string(a.Address)
	}
	return a.Name
}

// Milestones: kinds of events that change no state.
const (
	EventOpened      = "opened"     // a person opened the copy
	EventDownloaded  = "downloaded" // a synchroniser fetched it
	EventLater       = "later"      // an attempt that will be repeated
	EventUnverified  = "unverified" // a reply from outside that nothing vouches for
	EventNumbered    = "numbered"   // số đến told after acceptance
	EventAskedReason = "asked"      // refusing needs a reason; the unit was asked
	EventDeleted     = "deleted"    // the copy was deleted from the mailbox
)

// An Event is one row of the journal of a document or of a dispatch. Events are chained: each digest covers the one
// before, and a dispatch's chain hangs on the document's event of issue.
type Event struct {
	Document DocumentID `db:"document_id"`
	Dispatch DispatchID `db:"dispatch_id"` // 0: the document's own
	Ordinal  int64      `db:"ordinal"`
	Kind     string     `db:"kind"`
	At       int64      `db:"at"`
	Actor    string     `db:"actor"`
	Detail   string     `db:"detail"` // JSON, by kind; "" for none
	Digest   []byte     `db:"digest"`
}

func newEvent(doc DocumentID, d DispatchID, ordinal int64, kind string, at time.Time, by Actor, detail any, prev []byte) (Event, error) {
	e := Event{Document: doc, Dispatch: d, Ordinal: ordinal, Kind: kind, At: at.UnixMicro(), Actor: by.String()}
	if detail != nil {
		text, err := json.Marshal(detail)
		if err != nil {
			return e, fmt.Errorf("event %s of document %d: %w", kind, doc, err)
		}
		e.Detail = string(text)
	}
	e.Digest = e.digest(prev)
	return e, nil
}

// digest covers every field, each with its length, after the digest before it.
func (e *Event) digest(prev []byte) []byte {
	h := sha256.New()
	put := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	put(prev)
	for _, n := range []int64{int64(e.Document), int64(e.Dispatch), e.Ordinal, e.At} {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		put(b[:])
	}
	for _, s := range []string{e.Kind, e.Actor, e.Detail} {
		put([]byte(s))
	}
	return h.Sum(nil)
}

// rowsPerStatement bounds multi-row statements under both databases' limits of parameters.
const rowsPerStatement = 500

// insertEvents writes many events in few statements.
func insertEvents(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{e.Document, e.Dispatch, e.Ordinal, e.Kind, e.At, e.Actor, e.Detail, e.Digest}
	}
	return insertRows(ctx, tx, `INSERT INTO event (document_id, dispatch_id, ordinal, kind, at, actor, detail, digest)`, rows)
}

// insertRows writes rows after the head of an INSERT, some hundred in a statement.
func insertRows(ctx context.Context, tx *sqldb.Tx, head string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(len(rows), rowsPerStatement)
		if _, err := tx.ExecContext(ctx, head+" VALUES "+places(n, len(rows[0])), flat(rows[:n])...); err != nil {
			return fmt.Errorf("%s: %w", head[:strings.IndexByte(head, '(')], err)
		}
		rows = rows[n:]
	}
	return nil
}

// places returns ($1,$2),($3,$4)… for n rows of width columns.
func places(n, width int) string {
	var b strings.Builder
	for i := range n {
		for j := range width {
			switch {
			case j > 0:
				b.WriteByte(',')
			case i > 0:
				b.WriteString(",(")
			default:
				b.WriteByte('(')
			}
			fmt.Fprintf(&b, "$%d", i*width+j+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func flat(rows [][]any) []any {
	out := make([]any, 0, len(rows)*len(rows[0]))
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}
