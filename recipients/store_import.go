package recipients

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"congvan/mailcore/sqldb"
)

// An ImportResult counts what an import changed; all zero when the file says what the directory already knew.
type ImportResult struct {
	Added   []UnitCode `json:"added,omitempty"`   // new units and group phrases
	Changed []UnitCode `json:"changed,omitempty"` // another name, kind, parent, address, alias or member
	Ended   []UnitCode `json:"ended,omitempty"`   // not in the file any more: they end the day before the import
	Total   int        `json:"total"`

	Warnings []string `json:"-"` // Vietnamese: names that a clerk's decision gave one unit and the file another
}

// Empty reports whether nothing changed.
func (r ImportResult) Empty() bool { return len(r.Added)+len(r.Changed)+len(r.Ended) == 0 }

// Import makes the stored directory say what d says, in one transaction. by is who did it, request the number and date of
// the written request (QĐ 22/2009 Điều 6). Units that d lacks end, and never come free for others; learned aliases stay.
func (s *Store) Import(ctx context.Context, d *Directory, by, request string) (ImportResult, error) {
	var res ImportResult
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		res = ImportResult{Total: len(d.units)}
		old, err := load(ctx, tx)
		if err != nil {
			return err
		}
		for i := range d.units {
			if err := importUnit(ctx, tx, old, d, i, &res); err != nil {
				return fmt.Errorf("unit %s: %w", d.units[i].Code, err)
			}
		}
		if err := endMissing(ctx, tx, old, d, &res); err != nil {
			return err
		}
		if res.Empty() {
			return nil
		}
		slices.Sort(res.Changed)
		after, err := load(ctx, tx)
		if err != nil {
			return err
		}
		for _, w := range after.Warnings {
			if !slices.Contains(d.Warnings, w) {
				res.Warnings = append(res.Warnings, w)
			}
		}
		return record(ctx, tx, by, request, map[string]any{"import": res})
	})
	if err != nil {
		return ImportResult{}, fmt.Errorf("import directory: %w", err)
	}
	return res, nil
}

// importUnit writes one unit if it is new or differs.
func importUnit(ctx context.Context, tx *sqldb.Tx, old, d *Directory, position int, res *ImportResult) error {
	u := &d.units[position]
	before := old.unit(u.Code)
	changed := before == nil || !sameUnit(before, u)
	if changed || old.byCode[u.Code] != position {
		if _, err := tx.ExecContext(ctx, `INSERT INTO unit (code, kind, parent, address, has_mailbox, valid_from, valid_to, successor, position)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (code) DO UPDATE SET kind = excluded.kind, parent = excluded.parent,
			address = excluded.address, has_mailbox = excluded.has_mailbox, valid_from = excluded.valid_from,
			valid_to = excluded.valid_to, successor = excluded.successor, position = excluded.position`,
			u.Code, u.Kind, u.Parent, u.Address, u.Mailbox, u.From, u.To, u.Successor, position); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context, *sqldb.Tx, *Directory, *Directory, *Unit) (bool, error){importNames, importAliases, importMembers} {
		more, err := part(ctx, tx, old, d, u)
		if err != nil {
			return err
		}
		changed = changed || more
	}
	switch {
	case before == nil:
		res.Added = append(res.Added, u.Code)
	case changed:
		res.Changed = append(res.Changed, u.Code)
	}
	return nil
}

// sameUnit compares what stands in the table unit.
func sameUnit(a, b *Unit) bool {
	return a.Kind == b.Kind && a.Parent == b.Parent && a.Address == b.Address && a.Mailbox == b.Mailbox && a.From == b.From && a.To == b.To &&
		a.Successor == b.Successor
}

// importNames replaces the names of a unit when they differ.
func importNames(ctx context.Context, tx *sqldb.Tx, old, d *Directory, u *Unit) (bool, error) {
	if before := old.unit(u.Code); before != nil && before.Name == u.Name && sameNames(before.Names, u.Names) {
		return false, nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM unit_name WHERE code = $1`, u.Code); err != nil {
		return false, err
	}
	for _, n := range append([]DatedName{{Text: u.Name}}, u.Names...) {
		if _, err := tx.ExecContext(ctx, `INSERT INTO unit_name (code, name, valid_from, valid_to) VALUES ($1, $2, $3, $4)
			ON CONFLICT (code, name) DO NOTHING`, u.Code, n.Text, n.From, n.To); err != nil {
			return false, err
		}
	}
	return true, nil
}

func sameNames(a, b []DatedName) bool {
	if len(a) != len(b) {
		return false
	}
	for _, n := range a {
		if !slices.Contains(b, n) {
			return false
		}
	}
	return true
}

// importAliases adds the aliases of the file and takes those out that an earlier file brought; a clerk's stay.
func importAliases(ctx context.Context, tx *sqldb.Tx, old, d *Directory, u *Unit) (bool, error) {
	var rows []aliasRow
	if err := tx.SelectContext(ctx, &rows, `SELECT code, alias, valid_from, valid_to, learned_at, learned_by FROM unit_alias
		WHERE code = $1 AND forgotten_at IS NULL ORDER BY alias`, u.Code); err != nil {
		return false, err
	}
	changed := false
	have := map[DatedName]bool{}
	for _, r := range rows {
		n := DatedName{r.Alias, r.ValidFrom, r.ValidTo}
		have[n] = true
		if r.LearnedAt > 0 || slices.Contains(u.Aliases, n) {
			continue
		}
		changed = true
		if _, err := tx.ExecContext(ctx, `DELETE FROM unit_alias WHERE code = $1 AND alias = $2`, u.Code, r.Alias); err != nil {
			return false, err
		}
	}
	for _, n := range u.Aliases {
		if have[n] {
			continue
		}
		changed = true
		if _, err := tx.ExecContext(ctx, `INSERT INTO unit_alias (code, alias, valid_from, valid_to) VALUES ($1, $2, $3, $4)
			ON CONFLICT (code, alias) DO UPDATE SET valid_from = excluded.valid_from, valid_to = excluded.valid_to, learned_at = 0,
			learned_by = '', forgotten_at = NULL`, u.Code, n.Text, n.From, n.To); err != nil {
			return false, err
		}
	}
	return changed, nil
}

// importMembers replaces the members of a group phrase when they differ.
func importMembers(ctx context.Context, tx *sqldb.Tx, old, d *Directory, u *Unit) (bool, error) {
	want, have := memberRows(d, u.Code), memberRows(old, u.Code)
	if slices.Equal(want, have) {
		return false, nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM group_member WHERE group_code = $1`, u.Code); err != nil {
		return false, err
	}
	for _, m := range want {
		if _, err := tx.ExecContext(ctx, `INSERT INTO group_member (group_code, member, valid_from, valid_to) VALUES ($1, $2, $3, $4)`,
			u.Code, m.Member, m.ValidFrom, m.ValidTo); err != nil {
			return false, err
		}
	}
	return true, nil
}

// memberRows lists the members of a group as they stand in the table, sorted.
func memberRows(d *Directory, group UnitCode) []memberRow {
	var rows []memberRow
	for _, g := range d.groups {
		if g.Code != group {
			continue
		}
		for _, m := range g.Members {
			text := "code:" + string(m.Code)
			if m.Kind != "" {
				text = "kind:" + m.Kind
			}
			rows = append(rows, memberRow{string(group), text, m.From, m.To})
		}
	}
	slices.SortFunc(rows, func(a, b memberRow) int { return cmp.Compare(a.Member, b.Member) })
	return slices.CompactFunc(rows, func(a, b memberRow) bool { return a.Member == b.Member })
}

// endMissing ends the units that the file does not name any more.
func endMissing(ctx context.Context, tx *sqldb.Tx, old, d *Directory, res *ImportResult) error {
	yesterday := civilDate(tx.Now.AddDate(0, 0, -1))
	for i := range old.units {
		u := &old.units[i]
		if d.unit(u.Code) != nil || u.To != "" && u.To <= yesterday {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE unit SET valid_to = $1, position = $2 WHERE code = $3`, yesterday, len(d.units)+i, u.Code); err != nil {
			return err
		}
		res.Ended = append(res.Ended, u.Code)
	}
	return nil
}
