package exchange

import (
	"context"
	"fmt"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// planUnitLeave hands every open copy of a unit that ends to the one that takes over. A copy that has not been worked on and that the
// other has already, or issued, is returned to its issuer.
func (s *Store) planUnitLeave(ctx context.Context, by Actor, d *departure, ids []DispatchID) error {
	obstacle, err := s.unitObstacle(ctx, d, len(ids))
	if err != nil {
		return err
	}
	d.Obstacle = obstacle
	if d.To == "" {
		return nil
	}
	heir, err := s.Mail.Account(ctx, d.To)
	if err != nil {
		return err
	}
	to := recipients.UnitCode(heir.Unit)
	by.Unit = d.Unit
	why := d.UnitName + " thôi hoạt động"
	if d.Because != "" {
		why += " theo " + d.Because
	}
	for _, id := range ids {
		r, _, err := s.worked(ctx, id)
		if err != nil {
			return err
		}
		left := LeftTask{Dispatch: id, Reference: r.Document.Reference, Abstract: r.Document.Abstract, DueOn: r.Dispatch.DueOn, To: d.To}
		o := s.forwarding(by, to, why)
		err = s.db.Read(ctx, func(tx *sqldb.Tx) error { return mayGet(ctx, tx, r, to) })
		switch {
		case err == nil:
		case !IsCode(err, CodeHasCopy) && !IsCode(err, CodeForwardLoop) && !IsCode(err, CodeForwardToIssuer):
			return err
		case r.Dispatch.Handling == Received || r.Dispatch.Handling == Accepted:
			o, left.To, left.Returned = s.refusing(by, why+"; "+string(to)+" đã có bản"), "", true
		case d.Obstacle == "":
			d.Obstacle = fmt.Sprintf("%s đang được xử lý mà đơn vị kế nhiệm đã có bản: hoàn thành trước (congvan act complete)", r.Document.Reference)
		}
		if d.Obstacle == "" {
			if err := o.prepare(ctx, r); err != nil {
				return err
			}
		}
		d.Tasks = append(d.Tasks, left)
		d.steps = append(d.steps, departStep{id, r.Dispatch.Events, o})
	}
	return nil
}

// unitObstacle says in Vietnamese what must be done before a unit can end, "" for nothing.
func (s *Store) unitObstacle(ctx context.Context, d *departure, open int) (string, error) {
	accounts, err := s.Mail.ListAccounts(ctx)
	if err != nil {
		return "", err
	}
	var still []string
	for _, a := range accounts {
		if a.Kind == mailcore.Officer && a.Unit == string(d.Unit) && a.ClosedAt.IsZero() {
			still = append(still, string(a.Address))
		}
	}
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return "", err
	}
	var shares []string
	for _, u := range dir.Units() {
		if u.Code != d.Unit && s.address(u) == d.Address {
			shares = append(shares, u.Name)
		}
	}
	var outgoing, drafts int
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		if err := tx.GetContext(ctx, &outgoing, `SELECT count(*) FROM dispatch WHERE owner = $1 AND unit <> $1 AND deadline > 0`, d.Unit); err != nil {
			return err
		}
		return tx.GetContext(ctx, &drafts, `SELECT count(*) FROM document WHERE agency = $1 AND state IN ('registered', 'sealed')`, d.Unit)
	})
	switch {
	case err != nil:
		return "", err
	case len(still) > 0:
		return fmt.Sprintf("còn %d tài khoản cán bộ đang mở, cho từng người thôi trước: %s", len(still), strings.Join(still, ", ")), nil
	case len(shares) > 0:
		return "hộp thư này dùng chung với " + strings.Join(shares, ", ") + ": đổi địa chỉ của họ trong danh bạ trước", nil
	case outgoing > 0:
		return fmt.Sprintf("còn %d bản gửi của đơn vị chưa tới nơi nhận: xử lý xong trước (congvan status --late)", outgoing), nil
	case drafts > 0:
		return fmt.Sprintf("còn %d văn bản của đơn vị đã vào sổ mà chưa phát hành: phát hành trước", drafts), nil
	case open > 0 && d.To == "":
		return fmt.Sprintf("còn %d văn bản đến chưa xử lý xong: ghi đơn vị kế nhiệm (--to)", open), nil
	}
	return "", nil
}
