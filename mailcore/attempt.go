package mailcore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"congvan/mailcore/sqldb"
)

// phaseDot is how far an attempt has come when its final dot may have left.
const phaseDot = "dot"

// ends says what an outcome makes of the row and which event tells it.
var ends = map[string]struct{ state, event string }{
	AttemptSent:      {OutboxSent, EventRelayed},
	AttemptLater:     {OutboxQueued, EventLater},
	AttemptFailed:    {OutboxFailed, EventFailed},
	AttemptUncertain: {OutboxUncertain, EventUncertain},
}

// holdOutbox keeps a claimed row as it is until the transaction ends; ErrStale when its lease is over.
func holdOutbox(ctx context.Context, tx *sqldb.Tx, id OutboxID) error {
	return changeOne(ctx, tx, ErrStale, `UPDATE outbox SET lease_until = lease_until WHERE id = $1 AND state = 'sending' AND lease_until > $2`,
		id, tx.Now.UnixMicro())
}

// BeginAttempt notes that a claimed row is being tried; ErrStale when the lease is over.
func (s *Store) BeginAttempt(ctx context.Context, id OutboxID, host string) (attemptID int64, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := holdOutbox(ctx, tx, id); err != nil {
			return err
		}
		return tx.GetContext(ctx, &attemptID, `INSERT INTO attempt (outbox_id, at, host, phase) VALUES ($1, $2, $3, 'connect') RETURNING id`,
			id, tx.Now.UnixMicro(), clean(host, 255))
	})
	return attemptID, wrap(err, "begin attempt of outbox row %d", id)
}

// MarkDot is called before the final dot leaves: a death after it is "uncertain". ErrStale when the lease is over; then the
// dot must not leave.
func (s *Store) MarkDot(ctx context.Context, attemptID int64) error {
	var row struct {
		ID  OutboxID `db:"id"`
		Ref string   `db:"ref"`
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := tx.GetContext(ctx, &row, `SELECT o.id, o.ref FROM attempt t JOIN outbox o ON o.id = t.outbox_id WHERE t.id = $1`, attemptID); err != nil {
			return orStale(err)
		}
		if err := holdOutbox(ctx, tx, row.ID); err != nil {
			return err
		}
		return changeOne(ctx, tx, ErrStale, `UPDATE attempt SET phase = $1, dotted = TRUE WHERE id = $2 AND outcome = ''`, phaseDot, attemptID)
	})
	if err == nil && s.pastData != nil && row.Ref != "" {
		s.pastData(row.Ref)
	}
	return wrap(err, "mark the dot of attempt %d", attemptID)
}

func orStale(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrStale
	}
	return err
}

// FinishAttempt notes how an attempt ended and moves the row, with the event, in one transaction. ErrStale when somebody
// else has the row by now. A worker that was given up past the dot and yet hears the answer may still say how it ended.
func (s *Store) FinishAttempt(ctx context.Context, id OutboxID, attemptID int64, o Outcome) error {
	if _, ok := ends[o.State]; !ok {
		return fmt.Errorf("finish attempt %d: %q is no outcome", attemptID, o.State)
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var state string
		if err := tx.GetContext(ctx, &state, `UPDATE outbox SET lease_until = lease_until WHERE id = $1 RETURNING state`, id); err != nil {
			return orStale(err)
		}
		open := `outcome = ''`
		if state == OutboxUncertain && o.State != AttemptLater {
			open = `outcome = 'uncertain'`
		} else if state != OutboxSending {
			return ErrStale
		}
		err := changeOne(ctx, tx, ErrStale, `UPDATE attempt SET ended_at = $1, host = CASE WHEN $2 = '' THEN host ELSE $2 END, phase = $3, outcome = $4,
			code = $5, enhanced = $6, dialogue = $7 WHERE id = $8 AND outbox_id = $9 AND `+open,
			tx.Now.UnixMicro(), clean(o.Host, 255), clean(o.Phase, 50), o.State, o.Code, clean(o.Enhanced, 50), clean(o.Dialogue, maxDialogue),
			attemptID, id)
		if err != nil || state == OutboxUncertain && o.State == AttemptUncertain {
			return err
		}
		return settle(ctx, tx, id, o, true)
	})
	return wrap(err, "finish attempt %d of outbox row %d", attemptID, id)
}

// settle moves the row as the outcome says and, when tell is set, leaves the event.
func settle(ctx context.Context, tx *sqldb.Tx, id OutboxID, o Outcome, tell bool) error {
	end := ends[o.State]
	next := o.NextAt
	if next.IsZero() {
		next = tx.Now
		if o.State == AttemptUncertain {
			next = tx.Now.Add(uncertainTime)
		}
	}
	if err := moveOutbox(ctx, tx, id, end.state, next); err != nil || !tell {
		return err
	}
	var row struct {
		Ref     string    `db:"ref"`
		Message MessageID `db:"message_id"`
		Rcpt    Address   `db:"rcpt"`
	}
	if err := tx.GetContext(ctx, &row, `SELECT ref, message_id, rcpt FROM outbox WHERE id = $1`, id); err != nil {
		return err
	}
	detail, err := json.Marshal(OutboxDetail{id, row.Rcpt, clean(o.Host, 255), o.Code, clean(o.Enhanced, 50), clean(o.Dialogue, 2000)})
	if err != nil {
		return err
	}
	return insertEvents(ctx, tx, []Event{{Kind: end.event, Ref: row.Ref, Message: row.Message, Detail: string(detail)}})
}

// OutboxDetail is the detail of the events of an outbox row.
type OutboxDetail struct {
	Outbox   OutboxID `json:"outbox"`
	Rcpt     Address  `json:"rcpt"`
	Host     string   `json:"host"`
	Code     int      `json:"code"`
	Enhanced string   `json:"enhanced"`
	Text     string   `json:"text"`
}

// RenewLease keeps a claimed row for that long from now; ErrStale when the lease is over.
func (s *Store) RenewLease(ctx context.Context, id OutboxID, lease time.Duration) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		until := tx.Now.Add(lease).UnixMicro()
		return changeOne(ctx, tx, ErrStale, `UPDATE outbox SET lease_until = $1, next_at = $1 WHERE id = $2 AND state = 'sending' AND lease_until > $3`,
			until, id, tx.Now.UnixMicro())
	})
	return wrap(err, "renew lease of outbox row %d", id)
}
