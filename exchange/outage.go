package exchange

import (
	"context"
	"fmt"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
)

// An Outage is a time in which no node of the gateway ran.
type Outage struct{ From, To time.Time }

// beat notes that the gateway runs now, and since when it had not.
func (s *Store) beat(ctx context.Context) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var last []int64
		if err := tx.SelectContext(ctx, &last, `SELECT last_at FROM heartbeat WHERE id = 1`); err != nil {
			return err
		}
		now := tx.Now.UnixMicro()
		if len(last) == 0 {
			_, err := tx.ExecContext(ctx, `INSERT INTO heartbeat (id, last_at) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, now)
			return err
		}
		ok, err := tx.ExecOne(ctx, `UPDATE heartbeat SET last_at = $1 WHERE id = 1 AND last_at = $2 AND last_at < $1`, now, last[0])
		if err != nil || !ok || now-last[0] <= beatMissing.Microseconds() {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO outage (from_at, to_at) VALUES ($1, $2) ON CONFLICT (from_at) DO NOTHING`, last[0], now)
		return err
	})
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

// Outages lists the times in which the gateway did not run that fall, at least in part, into a time.
func (s *Store) Outages(ctx context.Context, from, to time.Time) ([]Outage, error) {
	var rows []struct {
		From int64 `db:"from_at"`
		To   int64 `db:"to_at"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT from_at, to_at FROM outage WHERE to_at > $1 AND from_at < $2 ORDER BY from_at`, from.UnixMicro(), to.UnixMicro())
	})
	if err != nil {
		return nil, fmt.Errorf("outages: %w", err)
	}
	out := make([]Outage, len(rows))
	for i, r := range rows {
		out[i] = Outage{time.UnixMicro(r.From).In(hanoi), time.UnixMicro(r.To).In(hanoi)}
	}
	return out, nil
}

// Uptime returns how much of a half-day's working time the gateway ran, given the outages of that time.
func Uptime(h worktime.HalfDay, outages []Outage) time.Duration {
	up := h.End.Sub(h.Start)
	for _, o := range outages {
		from, to := o.From, o.To
		if from.Before(h.Start) {
			from = h.Start
		}
		if to.After(h.End) {
			to = h.End
		}
		up -= max(0, to.Sub(from))
	}
	return max(0, up)
}
