package recipients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
)

// A Role is what somebody is in a unit.
type Role string

// The roles that reminders know.
const (
	HeadRole   Role = "head"   // thủ trưởng
	DeputyRole Role = "deputy" // cấp phó
	ClerkRole  Role = "clerk"  // văn thư
)

var roleNames = map[Role]string{HeadRole: "cấp trưởng", DeputyRole: "cấp phó", ClerkRole: "văn thư"}

// Vietnamese names the role.
func (r Role) Vietnamese() string { return roleNames[r] }

// A Post is who holds a position in a unit (chức vụ), for reminders that its mailbox does not answer.
type Post struct {
	Unit    UnitCode `db:"unit" json:"unit"`
	Role    Role     `db:"role" json:"role"`
	Name    string   `db:"name" json:"name"`
	Address string   `db:"address" json:"address"` // of a mailbox here, "" for none
	Phone   string   `db:"phone" json:"phone"`
	From    string   `db:"valid_from" json:"from"` // civil dates; "" is open
	To      string   `db:"valid_to" json:"to"`
}

// ReadPosts reads a file of posts: columns unit, role (head, deputy, clerk, or cấp trưởng, cấp phó, văn thư), name and,
// where wanted, address, phone, from, to. Errors are told by line, together.
func ReadPosts(in io.Reader) ([]Post, error) {
	r := &directoryReader{}
	const file = "posts"
	var out []Post
	for _, row := range r.rows(file, in, []string{"unit", "role", "name"}, []string{"address", "phone", "from", "to"}) {
		p := Post{Unit: UnitCode(row.cells["unit"]), Role: Role(strings.ToLower(row.cells["role"])), Name: row.cells["name"],
			Address: strings.ToLower(row.cells["address"]), Phone: row.cells["phone"], From: row.cells["from"], To: row.cells["to"]}
		for role, name := range roleNames {
			if string(p.Role) == name {
				p.Role = role
			}
		}
		if roleNames[p.Role] == "" {
			r.bad(file, row.line, "role", "không có vai trò %q; ghi head, deputy hoặc clerk", row.cells["role"])
		}
		if p.Unit == "" || p.Name == "" {
			r.bad(file, row.line, "name", "thiếu mã đơn vị hoặc họ tên")
		}
		if p.Address != "" && !strings.Contains(p.Address, "@") {
			r.bad(file, row.line, "address", "%q không phải địa chỉ thư", p.Address)
		}
		for column, day := range map[string]string{"from": p.From, "to": p.To} {
			if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
				r.bad(file, row.line, column, "ngày %q phải ghi như 2026-02-16", day)
			}
		}
		out = append(out, p)
	}
	return out, errors.Join(r.errs...)
}

// ImportPosts makes the posts of the directory those of the list. by is who did it, request the number and date of the
// written request (QĐ 22/2009 Điều 6).
func (s *Store) ImportPosts(ctx context.Context, posts []Post, by, request string) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		before, err := allPosts(ctx, tx)
		if err != nil {
			return err
		}
		after := slices.Clone(posts)
		slices.SortFunc(after, comparePosts)
		if slices.Equal(before, after) {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM post`); err != nil {
			return err
		}
		rows := make([][]any, len(after))
		for i, p := range after {
			rows[i] = []any{p.Unit, p.Role, p.Name, p.Address, p.Phone, p.From, p.To}
		}
		if err := tx.InsertRows(ctx, `INSERT INTO post (unit, role, name, address, phone, valid_from, valid_to)`, rows, ""); err != nil {
			return err
		}
		return record(ctx, tx, by, request, map[string]any{"posts": after})
	})
	if err != nil {
		return fmt.Errorf("import posts: %w", err)
	}
	return nil
}

// Posts lists who holds the posts of a unit today, the head first; those of all units for "".
func (s *Store) Posts(ctx context.Context, unit UnitCode) (out []Post, err error) {
	var all []Post
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		all, err = allPosts(ctx, tx)
		return err
	})
	today := civilDate(s.db.Now())
	for _, p := range all {
		if (unit == "" || p.Unit == unit) && validOn(p.From, p.To, today) {
			out = append(out, p)
		}
	}
	return out, err
}

// ChangeHeadTx makes somebody the head of a unit from today on, and ends the post of whoever was; they are returned. by is who did it,
// request the number and date of the written request (QĐ 22/2009 Điều 6).
func ChangeHeadTx(ctx context.Context, tx *sqldb.Tx, next Post, by, request string) ([]Post, error) {
	all, err := allPosts(ctx, tx)
	if err != nil {
		return nil, err
	}
	today := civilDate(tx.Now)
	var before []Post
	for _, p := range all {
		if p.Unit != next.Unit || p.Role != HeadRole || !validOn(p.From, p.To, today) {
			continue
		}
		before = append(before, p)
		if err := endPost(ctx, tx, p); err != nil {
			return nil, err
		}
	}
	next.Role, next.From, next.To = HeadRole, today, ""
	if _, err := tx.ExecContext(ctx, `INSERT INTO post (unit, role, name, address, phone, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		next.Unit, next.Role, next.Name, next.Address, next.Phone, next.From, next.To); err != nil {
		return nil, fmt.Errorf("post of %s: %w", next.Name, err)
	}
	return before, record(ctx, tx, by, request, map[string]any{"head": next, "before": before})
}

// EndPostsTx ends the posts of who leaves from today on: those with this address or, of a unit that ends, all of it. They are
// returned. by is who did it, request the number and date of the written request (QĐ 22/2009 Điều 6).
func EndPostsTx(ctx context.Context, tx *sqldb.Tx, unit UnitCode, address, by, request string) ([]Post, error) {
	all, err := allPosts(ctx, tx)
	if err != nil {
		return nil, err
	}
	today := civilDate(tx.Now)
	var ended []Post
	for _, p := range all {
		if p.Unit != unit || address != "" && p.Address != address || !validOn(p.From, p.To, today) {
			continue
		}
		ended = append(ended, p)
		if err := endPost(ctx, tx, p); err != nil {
			return nil, err
		}
	}
	if len(ended) == 0 {
		return nil, nil
	}
	return ended, record(ctx, tx, by, request, map[string]any{"ended": ended})
}

// endPost ends a post yesterday; one that began today never was.
func endPost(ctx context.Context, tx *sqldb.Tx, p Post) error {
	query, args := `UPDATE post SET valid_to = $1 WHERE unit = $2 AND role = $3 AND name = $4 AND valid_from = $5`,
		[]any{civilDate(tx.Now.AddDate(0, 0, -1)), p.Unit, p.Role, p.Name, p.From}
	if p.From == civilDate(tx.Now) {
		query, args = `DELETE FROM post WHERE unit = $1 AND role = $2 AND name = $3 AND valid_from = $4`, args[1:]
	}
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("end post of %s: %w", p.Name, err)
	}
	return nil
}

// EndUnitTx ends a unit of the directory (giải thể, sáp nhập) from today on; what names it later is its successor's, "" for nobody. A
// unit that the tables do not have, or that has ended, stays as it is.
func EndUnitTx(ctx context.Context, tx *sqldb.Tx, unit, successor UnitCode, by, request string) error {
	ok, err := tx.ExecOne(ctx, `UPDATE unit SET valid_to = $1, successor = $2 WHERE code = $3 AND (valid_to = '' OR valid_to > $1)`,
		civilDate(tx.Now.AddDate(0, 0, -1)), successor, unit)
	if err != nil || !ok {
		return err
	}
	return record(ctx, tx, by, request, map[string]any{"unit": unit, "ends": civilDate(tx.Now), "successor": successor})
}

func allPosts(ctx context.Context, tx *sqldb.Tx) (out []Post, err error) {
	if err := tx.SelectContext(ctx, &out, `SELECT unit, role, name, address, phone, valid_from, valid_to FROM post`); err != nil {
		return nil, fmt.Errorf("posts: %w", err)
	}
	slices.SortFunc(out, comparePosts)
	return out, nil
}

func comparePosts(a, b Post) int {
	rank := map[Role]int{HeadRole: 0, DeputyRole: 1, ClerkRole: 2}
	return slices.Compare([]string{string(a.Unit), fmt.Sprint(rank[a.Role]), a.Name, a.From}, []string{string(b.Unit), fmt.Sprint(rank[b.Role]), b.Name, b.From})
}
