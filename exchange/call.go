package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A CallItem is a copy whose recipient the issuing unit shall call by telephone: nobody has opened it, and reminders by mail
// came to nothing. It leaves the list when somebody was reached, or when the copy is opened or closed.
type CallItem struct {
	Dispatch  DispatchID          `db:"dispatch_id" json:"dispatch"`
	Agency    recipients.UnitCode `db:"agency" json:"agency"`
	Unit      recipients.UnitCode `db:"unit" json:"unit"`
	Name      string              `db:"name" json:"name"`
	Reference string              `db:"reference" json:"reference"`
	Urgency   string              `db:"urgency" json:"urgency"`
	Since     int64               `db:"since" json:"-"`
	ListedAt  int64               `db:"listed_at" json:"-"`
	Calls     int64               `db:"calls" json:"calls"`
	CalledAt  int64               `db:"called_at" json:"-"`
	Phones    string              `db:"-" json:"phones"` // who can be called there, as the directory knows
}

// CallList lists whom an agency has to call, the most pressing first; of all agencies for "".
func (s *Store) CallList(ctx context.Context, agency recipients.UnitCode) (out []CallItem, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &out, `SELECT c.dispatch_id, c.agency, d.unit, d.name, o.reference, o.urgency, d.since, c.listed_at, c.calls, c.called_at
			FROM call_item c JOIN dispatch d ON d.id = c.dispatch_id JOIN document o ON o.id = d.document_id
			WHERE NOT c.reached AND d.deadline > 0 AND d.opened_at IS NULL AND d.handling = 'received' AND ($1 = '' OR c.agency = $1)
			ORDER BY c.agency, CASE WHEN o.urgency = '' THEN 1 ELSE 0 END, d.since, c.dispatch_id`, agency)
	})
	if err != nil {
		return nil, fmt.Errorf("call list of %s: %w", agency, err)
	}
	for i := range out {
		out[i].Phones = s.phones(ctx, out[i].Unit)
	}
	return out, nil
}

// Called records that the issuing agency called a recipient: whether somebody was reached, and what was said.
func (s *Store) Called(ctx context.Context, by Actor, id DispatchID, reached bool, note string) (*Receipt, error) {
	var r *Receipt
	err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		if r, err = receipt(ctx, tx, id); err != nil {
			return err
		}
		if by.Unit != r.Document.Agency {
			return &Error{Forbidden, CodeNotEntitled, by.String()}
		}
		var listed []int64
		if err := tx.SelectContext(ctx, &listed, `SELECT calls FROM call_item WHERE dispatch_id = $1`, id); err != nil {
			return err
		}
		if len(listed) == 0 {
			return &Error{Missing, CodeNotListed, r.Document.Reference}
		}
		if err := r.act(ctx, tx, EventCalled, by, map[string]any{"reached": reached, "note": note}, nil); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE call_item SET calls = calls + 1, called_at = $1, reached = $2 WHERE dispatch_id = $3`, tx.Now.UnixMicro(), reached, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Log.Info("recipient called", "dispatch", id, "reached", reached, "by", by.String())
	return r, nil
}

// listCall puts a copy on its agency's list, once.
func listCall(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
	ok, err := tx.ExecOne(ctx, `INSERT INTO call_item (dispatch_id, agency, listed_at) VALUES ($1, $2, $3) ON CONFLICT (dispatch_id) DO NOTHING`,
		r.Dispatch.ID, r.Document.Agency, tx.Now.UnixMicro())
	if err != nil || !ok {
		return err
	}
	return r.act(ctx, tx, EventListed, Gateway, nil, nil)
}

// callBatch is how many copies one transaction puts on lists.
const callBatch = 200

// listCalls is the last rung for copies that do not interrupt: over which four bells have rung unopened.
func (s *Store) listCalls(ctx context.Context, r *ringing) error {
	if len(r.bells) <= rungs {
		return nil
	}
	for {
		var ids []DispatchID
		err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &ids, `SELECT id FROM dispatch d WHERE deadline > 0 AND handling = 'received' AND opened_at IS NULL AND since < $1
				AND way = 'mailbox' AND unit <> '' AND NOT EXISTS (SELECT 1 FROM call_item c WHERE c.dispatch_id = d.id) ORDER BY since LIMIT $2`, r.bells[rungs], callBatch)
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
			for _, id := range ids {
				c, err := receipt(ctx, tx, id)
				if err != nil {
					return err
				}
				if c.Dispatch.unopened() {
					if err := listCall(ctx, tx, c); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("call lists: %w", err)
		}
	}
}

// callSection tells an agency whom it has to call.
func (s *Store) callSection(ctx context.Context, r *ringing, d *digest, agency recipients.UnitCode) error {
	list, err := s.CallList(ctx, agency)
	if err != nil {
		return err
	}
	for _, c := range list {
		line := c.Reference + " gửi " + c.Name + "; đến từ " + clockDate(c.Since) + ", chưa mở; " + c.Phones
		if c.Calls > 0 {
			line += "; đã gọi " + fmt.Sprint(c.Calls) + " lần, không gặp được"
		}
		d.calls.add(line + ".")
		if r.Half == worktime.Morning || len(r.bells) < 2 || c.ListedAt >= r.bells[0] {
			d.calls.tells = true
		}
	}
	return nil
}

// phones says who can be called in a unit.
func (s *Store) phones(ctx context.Context, unit recipients.UnitCode) string {
	const none = "danh bạ chưa có số điện thoại"
	if s.Posts == nil {
		return none
	}
	posts, err := s.Posts(ctx, unit)
	if err != nil {
		s.Log.Error("posts", "unit", unit, "err", err)
		return none
	}
	var out []string
	for _, p := range posts {
		if p.Phone != "" {
			out = append(out, p.Name+" ("+p.Role.Vietnamese()+") "+p.Phone)
		}
	}
	if len(out) == 0 {
		return none
	}
	return strings.Join(out, ", ")
}

func (s *Store) phoneText(ctx context.Context, unit recipients.UnitCode) string {
	return "Gọi điện cho đơn vị: " + s.phones(ctx, unit) + ".\nGọi xong, ghi lại: congvan call done."
}

// Times of a CallItem for those who show it.
func (c *CallItem) Times() (since, listed, called time.Time) {
	at := func(us int64) time.Time {
		if us == 0 {
			return time.Time{}
		}
		return time.UnixMicro(us).In(hanoi)
	}
	return at(c.Since), at(c.ListedAt), at(c.CalledAt)
}
