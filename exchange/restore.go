package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A RestoredDocument is one that was registered, and perhaps issued, after the backup that the database was restored from. Its
// paper must be taken in again; it gets its old id and number, and its copies theirs.
type RestoredDocument struct {
	ID        DocumentID          `db:"id" json:"id"`
	Agency    recipients.UnitCode `db:"agency" json:"issuer"`
	Reference string              `db:"reference" json:"reference"`
	Original  blob.Digest         `db:"original" json:"sha256"` // of its file
	Copies    string              `db:"copies" json:"-"`        // of an issued one
}

// A journalCopy is one copy of an issued document: enough to send it again under the same ids.
type journalCopy struct {
	Number    int64  `json:"n"`
	Recipient string `json:"to"`
	Secret    string `json:"s"`
	Sequence  int64  `json:"q"`
	Dots      int    `json:"dots,omitempty"` // how often it had gone past DATA
}

func (d *RestoredDocument) list() (copies []journalCopy, err error) {
	if d.Copies != "" {
		err = json.Unmarshal([]byte(d.Copies), &copies)
	}
	return copies, err
}

// Restored lists the documents that still have to be taken in again after a restore.
func (s *Store) Restored(ctx context.Context) (list []RestoredDocument, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error { list, err = restoredDocuments(ctx, tx); return err })
	return list, err
}

func restoredDocuments(ctx context.Context, tx *sqldb.Tx) (list []RestoredDocument, err error) {
	if err := tx.SelectContext(ctx, &list, `SELECT id, agency, reference, original, copies FROM restored_document WHERE again_at IS NULL ORDER BY id`); err != nil {
		return nil, fmt.Errorf("documents known from the journal: %w", err)
	}
	return list, nil
}

// restoredPlaces counts the places that such documents hold in the rows of copies, by issuer and recipient.
func restoredPlaces(ctx context.Context, tx *sqldb.Tx) (map[string]int64, error) {
	list, err := restoredDocuments(ctx, tx)
	out := map[string]int64{}
	for i := range list {
		copies, err := list[i].list()
		if err != nil {
			return nil, err
		}
		for _, c := range copies {
			out[string(list[i].Agency)+" "+c.Recipient]++
		}
	}
	var copies []struct {
		Agency, Recipient string
		N                 int64
	}
	err = errors.Join(err, tx.SelectContext(ctx, &copies, `SELECT agency, recipient, count(*) AS n FROM restored_copy WHERE again_at IS NULL GROUP BY agency, recipient`))
	for _, c := range copies {
		out[c.Agency+" "+c.Recipient] += c.N
	}
	return out, err
}

// numberCopies gives ids to copies that are added to an issued document: those that they had before a backup was restored, else the next.
func (s *Store) numberCopies(ctx context.Context, tx *sqldb.Tx, doc *Document, p *plan, next int) error {
	least, greatest := doc.ID.span()
	p.dots = map[string]int{}
	for i := range p.dispatches {
		d := &p.dispatches[i]
		parent := DispatchID(0)
		if d.Parent != nil {
			parent = *d.Parent
		}
		var had []struct {
			ID       DispatchID `db:"dispatch_id"`
			Secret   string     `db:"token"`
			Sequence int64      `db:"sequence"`
			Dots     int        `db:"dots"`
		}
		if err := tx.SelectContext(ctx, &had, `SELECT dispatch_id, token, sequence, dots FROM restored_copy WHERE dispatch_id BETWEEN $1 AND $2 AND parent = $3
			AND recipient = $4 AND again_at IS NULL ORDER BY dispatch_id`, least, greatest, parent, d.recipient()); err != nil {
			return fmt.Errorf("copies that document %d had: %w", doc.ID, err)
		}
		if len(had) == 0 {
			d.ID, next = doc.ID.copyID(next), next+1
			continue
		}
		d.ID, d.Secret, d.Sequence = had[0].ID, had[0].Secret, had[0].Sequence
		if _, err := tx.ExecContext(ctx, `UPDATE restored_copy SET again_at = $1 WHERE dispatch_id = $2`, tx.Now.UnixMicro(), d.ID); err != nil {
			return err
		}
		if had[0].Dots > 0 && d.Way == ByMail {
			p.dots[fmt.Sprint(refKind, int64(d.ID))] = had[0].Dots
		}
	}
	return nil
}

// replay does again what was done before a backup was restored, as far as the journal knows and the documents are there: arrivals
// and forwards, one after the other, since copies that were forwarded were accepted, too. doc 0 is all documents.
func (s *Store) replay(ctx context.Context, doc DocumentID) (int, error) {
	if err := s.replaySupplements(ctx, doc); err != nil {
		return 0, err
	}
	total := 0
	for {
		n, err := s.replayArrivals(ctx, doc)
		if err != nil {
			return total, err
		}
		total += n
		forwards, err := s.replayForwards(ctx, doc)
		if err != nil || forwards == 0 {
			return total, err
		}
	}
}

// replaySupplements adds again the copies that units of the directory were sent after the issue. Of anybody else the journal has no more
// than a name or an address: the log names these, and the issuer's clerk sends them again.
func (s *Store) replaySupplements(ctx context.Context, doc DocumentID) error {
	least, greatest := int64(0), int64(math.MaxInt64)
	if doc != 0 {
		least, greatest = doc.span()
	}
	var list []struct {
		ID       DispatchID          `db:"dispatch_id"`
		Document DocumentID          `db:"id"`
		Agency   recipients.UnitCode `db:"agency"`
		To       recipients.UnitCode `db:"recipient"`
		By       string              `db:"actor"`
		Why      string              `db:"reason"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &list, `SELECT c.dispatch_id, d.id, c.agency, c.recipient, c.actor, c.reason FROM restored_copy c
			JOIN document d ON d.id = c.dispatch_id / 1048576 AND d.state = 'issued'
			WHERE c.again_at IS NULL AND c.parent = 0 AND c.dispatch_id BETWEEN $1 AND $2 ORDER BY c.dispatch_id`, least, greatest)
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		_, err := s.Supplement(ctx, Actor{Name: c.By, Unit: c.Agency}, c.Document, Forgotten{Unit: c.To}, cmp.Or(c.Why, "gửi bổ sung"))
		var e *Error
		switch {
		case errors.As(err, &e):
			s.Log.Warn("a copy that was added before the restore cannot be added again", "dispatch", c.ID, "to", c.To, "err", err)
		case err != nil:
			return fmt.Errorf("add dispatch %d again: %w", c.ID, err)
		}
	}
	return nil
}

// replayForwards forwards again to units. What is no forward, or cannot be forwarded any more, is left to people.
func (s *Store) replayForwards(ctx context.Context, doc DocumentID) (int, error) {
	least, greatest := int64(0), int64(math.MaxInt64)
	if doc != 0 {
		least, greatest = doc.span()
	}
	var list []struct {
		ID     DispatchID          `db:"dispatch_id"`
		Parent DispatchID          `db:"parent"`
		To     recipients.UnitCode `db:"recipient"`
		By     string              `db:"actor"`
		Why    string              `db:"reason"`
		Unit   recipients.UnitCode `db:"unit"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &list, `SELECT c.dispatch_id, c.parent, c.recipient, c.actor, c.reason, d.unit FROM restored_copy c JOIN dispatch d ON d.id = c.parent
			WHERE c.again_at IS NULL AND c.dispatch_id BETWEEN $1 AND $2 ORDER BY c.dispatch_id`, least, greatest)
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range list {
		_, err := s.Forward(ctx, Actor{Name: c.By, Unit: c.Unit}, c.Parent, c.To, c.Why)
		var e *Error
		var m *MoveError
		if errors.As(err, &e) || errors.As(err, &m) {
			s.Log.Warn("a forward of before the restore cannot be repeated", "dispatch", c.ID, "to", c.To, "err", err)
			continue
		}
		if err != nil {
			return n, fmt.Errorf("forward dispatch %d again: %w", c.Parent, err)
		}
		n++
	}
	return n, nil
}

// restoredID finds the id that a document had before a backup was restored: "" where it had none.
func restoredID(ctx context.Context, tx *sqldb.Tx, doc *Document) (column, value string, err error) {
	var ids []int64
	err = tx.SelectContext(ctx, &ids, `SELECT id FROM restored_document r WHERE agency = $1 AND original = $2 AND again_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM document d WHERE d.id = r.id) ORDER BY id`, doc.Agency, doc.Original)
	if err != nil || len(ids) == 0 {
		return "", "", err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE restored_document SET again_at = $1 WHERE id = $2 AND copies = ''`, tx.Now.UnixMicro(), ids[0]); err != nil {
		return "", "", err
	}
	return ", id", fmt.Sprint(", ", ids[0]), nil
}

// keepIDs gives the copies of a document that was issued before a backup was restored the numbers, secrets and places that
// they had.
func (s *Store) keepIDs(ctx context.Context, doc *Document, p *plan) error {
	var had []RestoredDocument
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &had, `SELECT id, agency, reference, original, copies FROM restored_document WHERE id = $1 AND again_at IS NULL AND copies <> ''`, doc.ID)
	})
	if err != nil || len(had) == 0 {
		return err
	}
	copies, err := had[0].list()
	if err != nil {
		return fmt.Errorf("copies that document %d had: %w", doc.ID, err)
	}
	p.again, p.dots = true, map[string]int{}
	highest := int64(0)
	by := map[string][]journalCopy{}
	for _, c := range copies {
		by[c.Recipient] = append(by[c.Recipient], c)
		highest = max(highest, c.Number)
	}
	for i := range p.dispatches {
		d := &p.dispatches[i]
		if was := by[d.recipient()]; len(was) > 0 {
			d.ID, d.Secret, d.Sequence = doc.ID.copyID(int(was[0].Number)), was[0].Secret, was[0].Sequence
			if was[0].Dots > 0 {
				p.dots[fmt.Sprint(refKind, int64(d.ID))] = was[0].Dots
			}
			by[d.recipient()] = was[1:]
		} else {
			highest++
			d.ID = doc.ID.copyID(int(highest))
		}
	}
	slices.SortFunc(p.dispatches, func(a, b Dispatch) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// issuedAgain ends the waiting of a document that was issued before a backup was restored. What may have left then is not sent
// blindly.
func (s *Store) issuedAgain(ctx context.Context, tx *sqldb.Tx, doc *Document, p *plan) error {
	if _, err := tx.ExecContext(ctx, `UPDATE restored_document SET again_at = $1 WHERE id = $2`, tx.Now.UnixMicro(), doc.ID); err != nil {
		return err
	}
	if len(p.dots) == 0 {
		return nil
	}
	_, err := s.Mail.DoubtTx(ctx, tx, p.dots)
	return err
}

// An arrival is what the journal knows of a copy that was accepted.
type arrival struct {
	Dispatch DispatchID `db:"dispatch_id"`
	Number   string     `db:"number"`
	On       string     `db:"arrived_on"`
	By       string     `db:"actor"`
}

// noneRestored is what a transaction knows by that no backup was restored.
type noneRestored struct{}

func restoredArrival(ctx context.Context, tx *sqldb.Tx, d *Dispatch) (*arrival, error) {
	if tx.Known(noneRestored{}) != nil {
		return nil, nil
	}
	var some []int
	if err := tx.SelectContext(ctx, &some, `SELECT 1 FROM restored_arrival LIMIT 1`); err != nil {
		return nil, err
	}
	if len(some) == 0 {
		tx.Know(noneRestored{}, true)
		return nil, nil
	}
	var found []arrival
	err := tx.SelectContext(ctx, &found, `SELECT dispatch_id, number, arrived_on, actor FROM restored_arrival WHERE dispatch_id = $1 AND unit = $2`, d.ID, d.Unit)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// replayArrivals accepts again what had been accepted before a backup was restored, with the same number and day; doc 0 is all documents.
func (s *Store) replayArrivals(ctx context.Context, doc DocumentID) (int, error) {
	least, greatest := int64(0), int64(math.MaxInt64)
	if doc != 0 {
		least, greatest = doc.span()
	}
	var list []arrival
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &list, `SELECT a.dispatch_id, a.number, a.arrived_on, a.actor FROM restored_arrival a JOIN dispatch d ON d.id = a.dispatch_id AND d.unit = a.unit
			WHERE (d.arrived_on = '' OR d.arrival_number = '' AND a.number <> '') AND a.dispatch_id BETWEEN $1 AND $2 ORDER BY a.dispatch_id`, least, greatest)
	})
	if err != nil {
		return 0, err
	}
	for _, a := range list {
		err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
			r, err := receipt(ctx, tx, a.Dispatch)
			if err != nil || r.Dispatch.ArrivalNumber != "" || r.Dispatch.Closed() && r.Dispatch.Handling != Completed {
				return err
			}
			return accept(ctx, tx, r, Actor{Name: a.By}, a.Number, 0)
		})
		if err != nil {
			return 0, fmt.Errorf("accept dispatch %d again: %w", a.Dispatch, err)
		}
	}
	return len(list), nil
}
