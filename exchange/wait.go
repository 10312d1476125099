package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

// EventWaits is the milestone of a document whose seal waits for something that is out of reach. It is the only kind of
// event in a document's own chain that is no state.
const EventWaits = "waits"

// Codes of a WaitNote: what a seal waits for.
const (
	WaitToken   = "token"   // the clerk's token, or an HSM, is not connected, or nobody gives its PIN
	WaitPIN     = "pin"     // the token refused the PIN, or is locked
	WaitClock   = "clock"   // the certificate is not in force yet by this machine's clock
	WaitService = "service" // a time stamp or revocation service
	WaitFault   = "fault"   // while it waited something else went wrong, which somebody has to mend
)

// A WaitNote says since when a document waits for its seal, and for what.
type WaitNote struct {
	Since  time.Time `json:"since"`
	Code   string    `json:"code"`
	Detail string    `json:"detail"` // English, for the operator
}

// WaitsFor tells by an error of Seal what the document has to wait for; "" for an error that stays. A document that waits
// stays registered, and Run seals and issues it as soon as that can be done.
func WaitsFor(err error) string {
	switch {
	case errors.Is(err, signing.ErrPIN), errors.Is(err, signing.ErrLocked):
		return WaitPIN
	case errors.Is(err, signing.ErrToken):
		return WaitToken
	case errors.Is(err, signing.ErrClock):
		return WaitClock
	case errors.Is(err, signing.ErrUnavailable):
		return WaitService
	}
	return ""
}

// Await notes that a registered document waits for its seal, and in whose name it is to be issued then. The same reason is
// not noted twice.
func (s *Store) Await(ctx context.Context, by Actor, id DocumentID, reason error) error {
	note := map[string]any{"code": cmp.Or(WaitsFor(reason), WaitFault), "detail": reason.Error()}
	noted := false
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		noted = false
		ok, err := tx.ExecOne(ctx, `UPDATE document SET changed_at = changed_at WHERE id = $1 AND state = $2`, id, Registered)
		if err != nil || !ok {
			return err // somebody sealed or withdrew it meanwhile
		}
		var last []Event
		if err := tx.SelectContext(ctx, &last, `SELECT kind, detail FROM event WHERE chain = $1 ORDER BY ordinal DESC LIMIT 1`, id.chain()); err != nil {
			return err
		}
		if len(last) == 1 && last[0].Kind == EventWaits && waitNote(last[0]).Code == note["code"] {
			return nil
		}
		noted = true
		_, err = recordDocument(ctx, tx, id, EventWaits, by, note)
		return err
	})
	if err != nil {
		return fmt.Errorf("note that document %d waits: %w", id, err)
	}
	if noted {
		s.Log.Warn("document waits for its seal", "document", id, "for", note["code"], "err", reason, "by", by.String())
	}
	return nil
}

func waitNote(e Event) WaitNote {
	n := WaitNote{}
	json.Unmarshal([]byte(e.Detail), &n) // our own; what cannot be read says nothing
	n.Since = time.UnixMicro(e.At).In(hanoi)
	return n
}

// sealing reads from the document's own events how it was sealed, or what its seal waits for.
func (st *Status) sealing(ctx context.Context, tx *sqldb.Tx, id DocumentID) error {
	var events []Event
	var problems []string
	err := tx.SelectContext(ctx, &events, `SELECT kind, at, detail FROM event WHERE chain = $1 AND kind IN ($2, $3, $4) ORDER BY ordinal`, id.chain(), EventWaits, Sealed, EventSealRaised)
	if err != nil {
		return fmt.Errorf("seal of document %d: %w", id, err)
	}
	if err := tx.SelectContext(ctx, &problems, `SELECT problem FROM seal_care WHERE document_id = $1 AND problem <> ''`, id); err != nil {
		return fmt.Errorf("seal of document %d: %w", id, err)
	}
	for _, p := range problems {
		st.SealWaits = p
	}
	for _, e := range events {
		if e.Kind == EventSealRaised {
			st.Raised = append(st.Raised, raiseNote(e))
			continue
		}
		if e.Kind == string(Sealed) {
			detail := struct{ Seal *SealNote }{}
			json.Unmarshal([]byte(e.Detail), &detail) // events of earlier programs say nothing about it
			st.Seal, st.Waiting = detail.Seal, nil
			continue
		}
		n := waitNote(e)
		if st.Waiting != nil {
			n.Since = st.Waiting.Since
		}
		st.Waiting = &n
	}
	if st.Document.State != Registered {
		st.Waiting = nil
	}
	return nil
}

// A Waiting document is to be sealed and issued as soon as that can be done.
type Waiting struct {
	Document DocumentID
	By       Actor
	Since    time.Time
}

// ListWaiting lists the documents that wait, oldest first. One that somebody has scheduled waits for its time alone, and one that was
// taken back waits for its clerk.
func (s *Store) ListWaiting(ctx context.Context) ([]Waiting, error) {
	var rows []struct {
		ID     DocumentID          `db:"id"`
		Agency recipients.UnitCode `db:"agency"`
		Actor  string              `db:"actor"`
		At     int64               `db:"at"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT d.id, d.agency, e.actor, e.at FROM document d JOIN event e ON e.chain = d.id * 1048576
			WHERE d.state IN ('registered', 'sealed') AND e.kind = $1
			AND NOT EXISTS (SELECT 1 FROM event o WHERE o.chain = e.chain AND o.kind = $2) ORDER BY e.at, d.id`, EventWaits, EventDue)
	})
	if err != nil {
		return nil, fmt.Errorf("list waiting documents: %w", err)
	}
	var out []Waiting
	seen := map[DocumentID]bool{}
	for _, r := range rows {
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		by := Actor{Name: r.Actor, Unit: r.Agency}
		if strings.Contains(r.Actor, "@") {
			by = Actor{Address: mailcore.Address(r.Actor), Unit: r.Agency}
		}
		out = append(out, Waiting{r.ID, by, time.UnixMicro(r.At)})
	}
	return out, nil
}

// RunWaiting seals and issues waiting documents, looking every so often, and at once when woken. Agencies do not wait for
// each other: one may have to find its token.
func (s *Store) RunWaiting(ctx context.Context, every time.Duration, wake <-chan struct{}) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var mu sync.Mutex
	busy := map[recipients.UnitCode]bool{}
	var agencies sync.WaitGroup
	defer agencies.Wait()
	for {
		list, err := s.ListWaiting(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("waiting documents", "err", err)
		}
		byAgency := map[recipients.UnitCode][]Waiting{}
		for _, w := range list {
			byAgency[w.By.Unit] = append(byAgency[w.By.Unit], w)
		}
		for agency, docs := range byAgency {
			mu.Lock()
			taken := busy[agency]
			busy[agency] = true
			mu.Unlock()
			if taken {
				continue
			}
			agencies.Go(func() {
				for _, w := range docs {
					s.goOn(ctx, w)
				}
				mu.Lock()
				defer mu.Unlock()
				delete(busy, agency)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-wake:
		}
	}
}

// goOn takes one waiting document as far as it can go now. One that cannot go on stops no other.
func (s *Store) goOn(ctx context.Context, w Waiting) {
	_, err := s.Seal(ctx, w.By, w.Document)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		if err := s.Await(ctx, w.By, w.Document, err); err != nil && ctx.Err() == nil {
			s.Log.Error("waiting document", "document", w.Document, "err", err)
		}
	default:
		if _, err := s.Issue(ctx, w.By, w.Document); err != nil && ctx.Err() == nil {
			s.Log.Error("waiting document cannot be issued", "document", w.Document, "err", err)
		}
	}
}
