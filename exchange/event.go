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

	Delegation string // number of the written delegation that an officer acts under; "" for a unit's own password
}

// Gateway is the actor of what nobody did by hand.
var Gateway = Actor{Name: "congvan"}

func (a Actor) String() string {
	if a.Address != "" && a.Delegation != "" {
		return string(a.Address) + " (" + a.Delegation + ")"
	}
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

// digest is SHA-256 over fields, each after its length in 8 bytes, big-endian: the digest before, then chain, ordinal and
// at (8 bytes each, big-endian), kind, actor and detail. Before the first event of a document or a register stand 32 zero
// bytes, before the first of a dispatch its genesis.
func (e *Event) digest(prev []byte) []byte {
	return fieldsDigest(prev, number(e.Chain), number(e.Ordinal), number(e.At), []byte(e.Kind), []byte(e.Actor), []byte(e.Detail))
}

func fieldsDigest(fields ...[]byte) []byte {
	h := sha256.New()
	for _, f := range fields {
		h.Write(number(int64(len(f))))
		h.Write(f)
	}
	return h.Sum(nil)
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// genesis joins a dispatch's chain to the document's event of issue and to what never changes of the dispatch. It is the
// digest of fields, as digest makes it: that event's digest, the word "dispatch", the document's id, unit, name, address,
// way, line, purpose, parent (0 for none), and SHA-256 of the secret of its token, which a bundle must not tell.
func (d *Dispatch) genesis(issue []byte) []byte {
	secret := sha256.Sum256([]byte(d.Secret))
	return d.genesisOf(issue, secret[:])
}

func (d *Dispatch) genesisOf(issue, secret []byte) []byte {
	parent := int64(0)
	if d.Parent != nil {
		parent = int64(*d.Parent)
	}
	return fieldsDigest(issue, []byte("dispatch"), number(int64(d.Document)), []byte(d.Unit), []byte(d.Name), []byte(d.Address),
		[]byte(d.Way), number(int64(d.Line)), []byte(d.Purpose), number(parent), secret)
}

// insertEvents writes many events in few statements, and that they wait for the log.
func insertEvents(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{e.Chain, e.Ordinal, e.Kind, e.At, e.Actor, e.Detail, e.Digest}
	}
	tx.InsertLater(`INSERT INTO event (chain, ordinal, kind, at, actor, detail, digest)`, rows)
	enqueue(tx, events)
	return nil
}
