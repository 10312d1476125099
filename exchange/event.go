package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
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
	EventRestored    = "restored"   // it was deleted while still open, and came back
)

// An Event is one row of the journal of a document or of a dispatch. Events are chained: each digest covers the one
// before, and a dispatch's chain hangs on the document's event of issue.
type Event struct {
	Chain   int64  `db:"chain"` // of a document or a dispatch
	Ordinal int64  `db:"ordinal"`
	Kind    string `db:"kind"`
	At      int64  `db:"at"`
	Actor   string `db:"actor"`
	Detail  string `db:"detail"` // JSON, by kind; "" for none
	Digest  []byte `db:"digest"`
}

// copyBits is how many bits of a DispatchID number the copies of one document.
const copyBits = 20

// chain is the document's own chain of events. Chains of its dispatches are the ids between it and the next document's.
func (id DocumentID) chain() int64 { return int64(id) << copyBits }

// span returns the least and the greatest id that dispatches of the document may have.
func (id DocumentID) span() (least, greatest int64) { return id.chain() + 1, (id + 1).chain() - 1 }

// copyID is the id of the n-th copy of the document, from 1.
func (id DocumentID) copyID(n int) DispatchID { return DispatchID(id.chain() + int64(n)) }

func newEvent(chain, ordinal int64, kind string, at time.Time, by Actor, detail any, prev []byte) (Event, error) {
	e := Event{Chain: chain, Ordinal: ordinal, Kind: kind, At: at.UnixMicro(), Actor: by.String()}
	if detail != nil {
		text, err := json.Marshal(detail)
		if err != nil {
			return e, fmt.Errorf("event %s of chain %d: %w", kind, chain, err)
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
	for _, n := range []int64{e.Chain, e.Ordinal, e.At} {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		put(b[:])
	}
	for _, s := range []string{e.Kind, e.Actor, e.Detail} {
		put([]byte(s))
	}
	return h.Sum(nil)
}

// insertEvents writes many events in few statements, and that they wait for the log.
func insertEvents(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{e.Chain, e.Ordinal, e.Kind, e.At, e.Actor, e.Detail, e.Digest}
	}
	if err := tx.InsertRows(ctx, `INSERT INTO event (chain, ordinal, kind, at, actor, detail, digest)`, rows, ""); err != nil {
		return err
	}
	return enqueue(ctx, tx, events)
}
