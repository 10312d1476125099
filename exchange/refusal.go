package exchange

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// EventSecretRefused is the event of the gateway that a document with a mark of secrecy was refused. It tells what the row of
// refusal keeps, and no more: agency, time, actor and độ mật.
const EventSecretRefused = "secret_refused"

// A refusalRow is one row of refusal.
type refusalRow struct {
	ID      int64               `db:"id" json:"refusal"`
	At      int64               `db:"at" json:"-"` // of the event
	Agency  recipients.UnitCode `db:"agency" json:"agency"`
	Actor   string              `db:"actor" json:"-"` // of the event
	Secrecy string              `db:"secrecy" json:"secrecy"`
}

// A refusalNote is what EventSecretRefused tells. The first one keeps the digest of the rows that are older than these events.
type refusalNote struct {
	refusalRow
	Earlier string `json:"earlier,omitempty"`
}

const refusalColumns = `id, at, agency, actor, secrecy`

// RefuseSecret records that a document with a mark of secrecy was refused: agency, time, actor and độ mật, nothing else.
func (s *Store) RefuseSecret(ctx context.Context, by Actor, agency recipients.UnitCode, secrecy string) error {
	s.Log.Info("document refused", "reason", "secret", "agency", agency, "by", by.String())
	if err := s.writeGateway(ctx, func(tx *sqldb.Tx) error { return refuseSecret(ctx, tx, by, agency, secrecy) }); err != nil {
		return fmt.Errorf("record the refusal of a secret document of %s: %w", agency, err)
	}
	return nil
}

func refuseSecret(ctx context.Context, tx *sqldb.Tx, by Actor, agency recipients.UnitCode, secrecy string) error {
	note := refusalNote{refusalRow: refusalRow{Agency: agency, Secrecy: secrecy}}
	var known bool
	if err := tx.GetContext(ctx, &known, `SELECT EXISTS (SELECT 1 FROM event WHERE chain = $1 AND kind = $2)`, gatewayChain, EventSecretRefused); err != nil {
		return err
	}
	if !known {
		var rows []refusalRow
		if err := tx.SelectContext(ctx, &rows, `SELECT `+refusalColumns+` FROM refusal ORDER BY id`); err != nil {
			return err
		}
		note.Earlier = refusalsDigest(rows)
	}
	err := tx.GetContext(ctx, &note.ID, `INSERT INTO refusal (at, agency, actor, secrecy) VALUES ($1, $2, $3, $4) RETURNING id`, tx.Now.UnixMicro(), agency, by.String(), secrecy)
	if err != nil {
		return err
	}
	_, err = recordChain(ctx, tx, gatewayChain, EventSecretRefused, by, note)
	return err
}

// refusalsDigest is the digest of rows in the order of their ids; "" for none.
func refusalsDigest(rows []refusalRow) string {
	var fields [][]byte
	for _, r := range rows {
		fields = append(fields, number(r.ID), number(r.At), []byte(r.Agency), []byte(r.Actor), []byte(r.Secrecy))
	}
	if fields == nil {
		return ""
	}
	return hex.EncodeToString(fieldsDigest(fields...))
}

// refusals: each row is what its event tells, and each event has its row. Rows older than the events are known by the digest that
// the first event keeps of them.
func (c *checker) refusals(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	var rows []refusalRow
	if err := tx.SelectContext(ctx, &rows, `SELECT `+refusalColumns+` FROM refusal ORDER BY id`); err != nil {
		return err
	}
	told, first, earlier := map[int64]refusalRow{}, int64(0), ""
	for _, e := range events {
		if e.Chain != gatewayChain || e.Kind != EventSecretRefused {
			continue
		}
		var n refusalNote
		json.Unmarshal([]byte(e.Detail), &n) // our own; what cannot be read names no row
		n.At, n.Actor = e.At, e.Actor
		if told[n.ID] = n.refusalRow; first == 0 {
			first, earlier = n.ID, n.Earlier
		}
	}
	var old []refusalRow
	for _, r := range rows {
		want, ok := told[r.ID]
		delete(told, r.ID)
		switch {
		case ok && want != r:
			c.sayf("refusal %d: is %+v, its event says %+v", r.ID, r, want)
		case !ok && first != 0 && r.ID > first:
			c.sayf("refusal %d: no event tells of it: the row was added or moved", r.ID)
		case !ok:
			old = append(old, r)
		}
	}
	for id := range told {
		c.sayf("refusal %d: the row was removed or moved", id)
	}
	if first != 0 && refusalsDigest(old) != earlier {
		c.sayf("refusal: of the rows up to %d one was added, changed or removed", first)
	}
	return nil
}
