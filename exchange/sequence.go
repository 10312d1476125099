package exchange

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// recipient is the name of the row that a copy has its place in: the unit's code, else the address, else the name.
func (d *Dispatch) recipient() string { return cmp.Or(string(d.Unit), d.Address, d.Name) }

// takePlaces gives each copy without one the next place in the row of copies from the agency to its recipient. It is one
// statement for some hundred copies. The rows are taken in order, so that two issues do not wait for each other in a knot.
func takePlaces(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, all []Dispatch) error {
	wait := map[string][]*Dispatch{}
	for i := range all {
		if d := &all[i]; d.Sequence == 0 {
			wait[d.recipient()] = append(wait[d.recipient()], d)
		}
	}
	for len(wait) > 0 {
		names := make([]string, 0, len(wait))
		for name := range wait {
			names = append(names, name)
		}
		slices.Sort(names)
		for chunk := range slices.Chunk(names, maxPlaces) {
			last, err := nextPlaces(ctx, tx, agency, chunk)
			if err != nil {
				return fmt.Errorf("places of the copies of %s: %w", agency, err)
			}
			for _, name := range chunk {
				wait[name][0].Sequence = last[name]
				if wait[name] = wait[name][1:]; len(wait[name]) == 0 { // two lines may name one address
					delete(wait, name)
				}
			}
		}
	}
	return nil
}

// maxPlaces bounds the rows of one statement: SQLite looks each $n up in a list.
const maxPlaces = 400

func nextPlaces(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, names []string) (map[string]int64, error) {
	var query strings.Builder
	query.WriteString(`INSERT INTO copy_sequence (agency, recipient, last) VALUES `)
	args := []any{agency}
	for i, name := range names {
		if i > 0 {
			query.WriteString(", ")
		}
		query.WriteString("($1, $" + strconv.Itoa(i+2) + ", 1)")
		args = append(args, name)
	}
	query.WriteString(` ON CONFLICT (agency, recipient) DO UPDATE SET last = copy_sequence.last + 1 RETURNING recipient, last`)
	var rows []struct {
		Recipient string `db:"recipient"`
		Last      int64  `db:"last"`
	}
	if err := tx.SelectContext(ctx, &rows, query.String(), args...); err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.Recipient] = r.Last
	}
	return out, nil
}

// sequenceHeader tells a copy's place in the mail itself, so that a recipient can prove from its mailbox alone that none is
// missing.
func (d *Dispatch) sequenceHeader() string {
	if d.Sequence == 0 {
		return ""
	}
	return fmt.Sprintf("X-CongVan-Sequence: n=%d; to=%s\r\n", d.Sequence, d.recipient())
}

// A Sequence is the row of copies from one issuer to one unit.
type Sequence struct {
	Agency  recipients.UnitCode `json:"issuer"`
	Unit    recipients.UnitCode `json:"unit"`
	Last    int64               `json:"last"`    // the highest place given
	Held    int64               `json:"held"`    // copies that lie in the unit's mailbox, were taken back, or were deleted after they were dealt with
	Missing []MissingCopy       `json:"missing"` // what the unit should hold and does not
}

// A MissingCopy is a place in a row that is not proven to be held.
type MissingCopy struct {
	Place     int64      `json:"place"`
	Dispatch  DispatchID `json:"dispatch,omitempty"` // 0: the place was given, and no copy is known that has it
	Reference string     `json:"reference,omitempty"`
	IssuedOn  string     `json:"issued_on,omitempty"`
}

// Sequences returns the rows of copies to a unit, from one issuer or, where from is "", from each. Nothing missing proves that
// the unit holds every copy that was addressed to it.
func (s *Store) Sequences(ctx context.Context, unit, from recipients.UnitCode) ([]Sequence, error) {
	var out []Sequence
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var rows []struct {
			Agency recipients.UnitCode `db:"agency"`
			Last   int64               `db:"last"`
		}
		if err := tx.SelectContext(ctx, &rows, `SELECT agency, last FROM copy_sequence WHERE recipient = $1 AND ($2 = '' OR agency = $2) ORDER BY agency`, unit, from); err != nil {
			return err
		}
		out = nil
		for _, r := range rows {
			q := Sequence{Agency: r.Agency, Unit: unit, Last: r.Last, Missing: []MissingCopy{}}
			if err := s.gaps(ctx, tx, &q); err != nil {
				return err
			}
			out = append(out, q)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("copies addressed to %s: %w", unit, err)
	}
	return out, nil
}

// gaps fills in what is held and what is missing.
func (s *Store) gaps(ctx context.Context, tx *sqldb.Tx, q *Sequence) error {
	var copies []struct {
		Dispatch
		Reference string `db:"reference"`
		IssuedOn  string `db:"issued_on"`
		Gone      bool   `db:"gone"`
	}
	err := tx.SelectContext(ctx, &copies, `SELECT d.id, d.document_id, d.way, d.transport, d.handling, d.sequence, o.reference, o.issued_on,
		EXISTS (SELECT 1 FROM event e WHERE e.chain = d.id AND e.kind = $1) AS gone
		FROM dispatch d JOIN document o ON o.id = d.document_id WHERE d.unit = $2 AND o.agency = $3 ORDER BY d.sequence`, EventDeleted, q.Unit, q.Agency)
	if err != nil {
		return err
	}
	lie, err := s.lying(ctx, tx, q.Unit)
	if err != nil {
		return err
	}
	next := int64(1)
	for i := range copies {
		c := &copies[i]
		for ; next < c.Sequence; next++ {
			q.Missing = append(q.Missing, MissingCopy{Place: next})
		}
		next = c.Sequence + 1
		if c.Way == ByMailbox && !lie[c.ID] && !c.Gone && c.Transport != Recalled {
			q.Missing = append(q.Missing, MissingCopy{c.Sequence, c.ID, c.Reference, c.IssuedOn})
			continue
		}
		q.Held++
	}
	for ; next <= q.Last; next++ {
		q.Missing = append(q.Missing, MissingCopy{Place: next})
	}
	return nil
}

// lying returns the copies to a unit whose mail lies in some mailbox.
func (s *Store) lying(ctx context.Context, tx *sqldb.Tx, unit recipients.UnitCode) (map[DispatchID]bool, error) {
	var addresses []mailcore.Address
	if err := tx.SelectContext(ctx, &addresses, `SELECT DISTINCT address FROM dispatch WHERE unit = $1 AND way = 'mailbox'`, unit); err != nil {
		return nil, err
	}
	out := map[DispatchID]bool{}
	for _, a := range addresses {
		refs, err := s.Mail.RefsOfTx(ctx, tx, a)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			for _, id := range refIDs(ref) {
				out[id] = true
			}
		}
	}
	return out, nil
}

// Heal delivers once more, with the same ids and the same bytes, the copies that a unit should hold and does not, as after its
// mailbox was restored from an old backup. It returns those that it delivered; run again, it finds nothing.
func (s *Store) Heal(ctx context.Context, by Actor, unit, from recipients.UnitCode) ([]MissingCopy, error) {
	rows, err := s.Sequences(ctx, unit, from)
	if err != nil {
		return nil, err
	}
	var healed []MissingCopy
	for _, q := range rows {
		for _, m := range q.Missing {
			if m.Dispatch == 0 {
				continue
			}
			if err := s.deliverAgain(ctx, by, m.Dispatch); err != nil {
				return healed, fmt.Errorf("deliver dispatch %d again: %w", m.Dispatch, err)
			}
			healed = append(healed, m)
		}
	}
	return healed, nil
}

func (s *Store) deliverAgain(ctx context.Context, by Actor, id DispatchID) error {
	r, err := s.receiptOf(ctx, id)
	if err != nil {
		return err
	}
	account, err := s.Mail.Account(ctx, mailcore.Address(r.Dispatch.Address))
	if err != nil {
		return err
	}
	body, err := s.compose(ctx, r.Document)
	if err != nil {
		return err
	}
	var group []DispatchID
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if group, err = peers(ctx, tx, r.Dispatch); err != nil {
			return err
		}
		lie, err := s.lying(ctx, tx, r.Dispatch.Unit)
		if err != nil || lie[id] {
			return err // somebody else was first
		}
		shared := make([]*Dispatch, len(group))
		for i, peer := range group {
			r, err := receipt(ctx, tx, peer)
			if err != nil || peer == id && r.Dispatch.Transport == Recalled {
				return err // taken back meanwhile: it is not missing
			}
			if err := r.act(ctx, tx, EventRestored, by, map[string]any{"reason": "sequence", "place": r.Dispatch.Sequence}, nil); err != nil {
				return err
			}
			shared[i] = r.Dispatch
		}
		_, err = s.Mail.DeliverTx(ctx, tx, body, []mailcore.Copy{{Account: account.ID, Prefix: s.prefix(shared...), Ref: refOf(shared)}})
		return err
	})
}

func (s *Store) receiptOf(ctx context.Context, id DispatchID) (r *Receipt, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error { r, err = receipt(ctx, tx, id); return err })
	return r, err
}

// sequences proves that the copies from each issuer to each recipient have the places 1 to last, each once.
func (c *checker) sequences(ctx context.Context, tx *sqldb.Tx) error {
	var rows []struct {
		Agency    string `db:"agency"`
		Recipient string `db:"recipient"`
		Last      int64  `db:"last"`
		N         int64  `db:"n"`
		Kinds     int64  `db:"kinds"`
		Highest   int64  `db:"highest"`
	}
	err := tx.SelectContext(ctx, &rows, `SELECT coalesce(s.agency, g.agency) AS agency, coalesce(s.recipient, g.recipient) AS recipient, coalesce(s.last, 0) AS last,
		coalesce(g.n, 0) AS n, coalesce(g.kinds, 0) AS kinds, coalesce(g.highest, 0) AS highest
		FROM copy_sequence s FULL JOIN (SELECT o.agency, CASE WHEN d.unit <> '' THEN d.unit WHEN d.address <> '' THEN d.address ELSE d.name END AS recipient,
			count(*) AS n, count(DISTINCT d.sequence) AS kinds, max(d.sequence) AS highest FROM dispatch d JOIN document o ON o.id = d.document_id GROUP BY 1, 2) AS g
		ON g.agency = s.agency AND g.recipient = s.recipient
		WHERE s.last IS NULL OR g.n IS NULL OR g.n <> s.last OR g.kinds <> s.last OR g.highest <> s.last`)
	if err != nil {
		return err
	}
	waiting, err := restoredPlaces(ctx, tx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if back := waiting[r.Agency+" "+r.Recipient]; back > 0 && r.N == r.Kinds && r.N+back == r.Last {
			continue // the documents of the others have not been registered again since a restore
		}
		c.sayf("copy_sequence: from %s to %q %d places were given, %d copies have %d different ones up to %d", r.Agency, r.Recipient, r.Last, r.N, r.Kinds, r.Highest)
	}
	return nil
}
