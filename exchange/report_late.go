package exchange

import (
	"context"
	"fmt"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A LateCopy is an open copy whose deadline has passed, and whose it is.
type LateCopy struct {
	Owner     recipients.UnitCode `db:"owner" json:"owner"` // who must act
	OwnerName string              `db:"-" json:"owner_name"`
	Reference string              `db:"reference" json:"reference"`
	Abstract  string              `db:"abstract" json:"abstract"`
	Urgency   string              `db:"urgency" json:"urgency"`
	Issuer    recipients.UnitCode `db:"agency" json:"issuer"`
	Unit      recipients.UnitCode `db:"unit" json:"unit"` // recipient, "" for one outside the directory
	Name      string              `db:"name" json:"name"`
	Transport Transport           `db:"transport" json:"transport"`
	Handling  Handling            `db:"handling" json:"handling"`
	Number    string              `db:"arrival_number" json:"arrival_number"`
	What      string              `db:"-" json:"what"` // Vietnamese: what has to be done
	Deadline  time.Time           `db:"-" json:"deadline"`
	LateHours float64             `db:"-" json:"late_hours"` // of working time since then
	Dispatch  DispatchID          `db:"id" json:"dispatch"`
	Document  DocumentID          `db:"document_id" json:"document"`

	DeadlineAt int64  `db:"deadline" json:"-"`
	OpenedAt   *int64 `db:"opened_at" json:"-"`
}

// maxLate bounds a list of late copies: whoever has more begins with these.
const maxLate = 10_000

// ListLate lists what is late and whose it is, by owner and then by deadline; of one owner where a unit is named. more says that
// there is yet more than the list may hold.
func (s *Store) ListLate(ctx context.Context, owner recipients.UnitCode) (late []LateCopy, more bool, err error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, false, err
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		late = []LateCopy{}
		err = tx.SelectContext(ctx, &late, `SELECT p.owner, d.reference, d.abstract, d.urgency, d.agency, p.unit, p.name, p.transport, p.handling, p.arrival_number, p.id, p.document_id,
			p.deadline, p.opened_at FROM dispatch p JOIN document d ON d.id = p.document_id
			WHERE p.deadline > 0 AND p.deadline < $1 AND ($2 = '' OR p.owner = $2) ORDER BY p.owner, p.deadline, p.id LIMIT $3`, tx.Now.UnixMicro(), owner, maxLate+1)
		for i := range late {
			late[i].tell(dir, cal, tx.Now)
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("late copies: %w", err)
	}
	if len(late) > maxLate {
		return late[:maxLate], true, nil
	}
	return late, false, nil
}

func (l *LateCopy) tell(dir *recipients.Directory, cal *worktime.Calendar, now time.Time) {
	l.OwnerName = string(l.Owner)
	if u, ok := dir.Unit(l.Owner); ok {
		l.OwnerName = u.Name
	}
	l.Deadline = time.UnixMicro(l.DeadlineAt).In(hanoi)
	l.LateHours = float64(cal.Between(l.Deadline, now).Round(time.Minute*6)) / float64(time.Hour)
	l.What = l.duty()
}

// duty words what the owner has to do.
func (l *LateCopy) duty() string {
	switch {
	case l.Transport == Queued:
		return "đang chờ gửi: kiểm tra đường truyền"
	case l.Transport == Relayed:
		return "máy chủ bên nhận đã lấy, chưa có hồi âm: hỏi nơi nhận"
	case l.Transport == Uncertain:
		return "có thể đã đến: hỏi nơi nhận"
	case l.Transport == Exception:
		return "chưa đến: gửi lại hoặc gửi cách khác"
	case l.Handling == Received && l.OpenedAt == nil:
		return "mở và tiếp nhận"
	case l.Handling == Received:
		return "tiếp nhận, cho số đến"
	case l.Handling == Accepted:
		return "phân công và giải quyết"
	default:
		return "giải quyết xong"
	}
}
