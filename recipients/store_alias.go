package recipients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
)

// ErrNoAlias says that there is no such learned alias to forget.
var ErrNoAlias = errors.New("no such learned alias")

// An AliasTakenError says that a name already stands for another unit, or for a group.
type AliasTakenError struct {
	Alias string
	Unit  UnitCode
	Group bool   // Unit is a group phrase
	Days  string // "2009-01-01..2009-04-12" when the name is that unit's on these days alone
}

func (e *AliasTakenError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("alias %q already names %s %s", e.Alias, e.Unit, e.Days))
}

// A VagueAliasError says that a text can be no unit's alias, since other documents mean others by it: "Các Sở", "Như trên".
type VagueAliasError struct{ Alias string }

func (e *VagueAliasError) Error() string { return fmt.Sprintf("alias %q may mean anybody", e.Alias) }

// A LearnedAlias is a clerk's decision that the directory keeps. It says what words mean, and so holds for documents of any day on
// which the unit exists, older ones too.
type LearnedAlias struct {
	Code  UnitCode
	Alias string
	By    string
	At    time.Time
}

// day is the civil date of the decision as clerks write it.
func (a *LearnedAlias) day() string { return a.At.In(vietnam).Format("02/01/2006") }

func (r aliasRow) decision() LearnedAlias {
	return LearnedAlias{UnitCode(r.Code), r.Alias, r.LearnedBy, time.UnixMicro(r.LearnedAt).UTC()}
}

// LearnAlias keeps a clerk's decision that a text means a unit, so that the next document resolves by itself. A text that already
// stands for another unit or a group is refused by an *AliasTakenError, one that may mean anybody by a *VagueAliasError.
func (s *Store) LearnAlias(ctx context.Context, code UnitCode, alias, by string) error {
	alias = strings.Join(strings.Fields(viettext.NFC(alias)), " ")
	if len(foldWords(alias)) == 0 || vague(alias) {
		return fmt.Errorf("learn alias of %s: %w", code, &VagueAliasError{alias})
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		d, err := load(ctx, tx)
		if err != nil {
			return err
		}
		if u := d.unit(code); u == nil || u.Kind == KindGroup {
			return ErrNoUnit
		}
		if already, err := d.mayLearn(code, alias, civilDate(tx.Now)); already || err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO unit_alias (code, alias, learned_at, learned_by) VALUES ($1, $2, $3, $4)
			ON CONFLICT (code, alias) DO UPDATE SET valid_from = '', valid_to = '', learned_at = excluded.learned_at,
			learned_by = excluded.learned_by, forgotten_at = NULL`,
			code, alias, tx.Now.UnixMicro(), by); err != nil {
			return err
		}
		return record(ctx, tx, by, "", map[string]any{"learned": alias, "unit": code})
	})
	if err != nil {
		return fmt.Errorf("learn alias %q of %s: %w", alias, code, err)
	}
	return nil
}

// mayLearn reports whether an alias is the unit's already, and refuses one that means others: word for word on any day, or as the
// directory reads it today.
func (d *Directory) mayLearn(code UnitCode, alias, today string) (already bool, err error) {
	for i := range d.units {
		u := &d.units[i]
		for _, n := range u.datedNames() {
			if viettext.Key(n.Text) != viettext.Key(alias) {
				continue
			}
			if u.Code != code {
				return false, &AliasTakenError{alias, u.Code, u.Kind == KindGroup, n.days()}
			}
			already = already || n.days() == ""
		}
	}
	if already {
		return true, nil
	}
	on := d.At(today)
	if p := on.names.classes(scan(alias)); len(p.atoms) > 0 {
		if m, ok := on.matchGroups(p); ok && (p.plural || len(p.atoms) > 1) {
			return false, &AliasTakenError{alias, m.groups[0].Code, true, ""}
		}
	}
	r := &reader{d: on}
	for _, p := range r.list(nameIn(alias)) {
		if p.verdict == known && p.unit != nil && p.unit.Code != code && p.conf >= sureAbbrev {
			return false, &AliasTakenError{alias, p.unit.Code, false, ""}
		}
	}
	return false, nil
}

// datedNames lists every name of a unit with its days.
func (u *Unit) datedNames() []DatedName {
	return slices.Concat([]DatedName{{Text: u.Name}}, u.Names, u.Aliases)
}

// days writes the days of a name as the files do, "" for all days.
func (n DatedName) days() string {
	if n.From == "" && n.To == "" {
		return ""
	}
	return n.From + ".." + n.To
}

// vague reports whether a text is a class, a reference, an exception or the archive: nothing that is one unit's name.
func vague(alias string) bool {
	toks := scan(alias)
	if len(toks) == 0 || len(toks) > maxName || toks[0].word == "cac" || isAbove(alias) || isArticle(alias) || leadsException(alias) ||
		archiveHead.MatchString(plainOf(firstBytes(alias, 60))) || isNobody(toks) {
		return true
	}
	return !slices.ContainsFunc(toks, func(t token) bool { return !slices.Contains(classWords, t.word) && len(t.word) > 1 })
}

// classWords say what kind of body is meant and not which.
var classWords = w("so ban nganh doan the cuc chi vu vien bo phong ubnd uy nhan dan hdnd hoi dong huyen tinh thi xa thanh pho tp tx phuong quan cap co don vi to chuc " +
	"truong trung tam cong ty van vp lanh dao chu tich giam doc thu ct pct cvp pvp thuong truc tt dia thuoc truc")

// ForgetAlias takes a learned alias back; code may be "" since a name is one unit's. Imported aliases are changed in the file they
// came from.
func (s *Store) ForgetAlias(ctx context.Context, code UnitCode, alias, by string) error {
	alias = strings.Join(strings.Fields(viettext.NFC(alias)), " ")
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		rows, err := learnedRows(ctx, tx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rows, func(r aliasRow) bool {
			return (code == "" || r.Code == string(code)) && viettext.Key(r.Alias) == viettext.Key(alias)
		})
		if i < 0 {
			return ErrNoAlias
		}
		ok, err := tx.ExecOne(ctx, `UPDATE unit_alias SET forgotten_at = $1 WHERE code = $2 AND alias = $3 AND learned_at > 0 AND forgotten_at IS NULL`,
			tx.Now.UnixMicro(), rows[i].Code, rows[i].Alias)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNoAlias
		}
		return record(ctx, tx, by, "", map[string]any{"forgotten": rows[i].Alias, "unit": rows[i].Code})
	})
	if err != nil {
		return fmt.Errorf("forget alias %q of %s: %w", alias, code, err)
	}
	return nil
}

// LearnedAliases lists the learned aliases that are not forgotten, newest first.
func (s *Store) LearnedAliases(ctx context.Context) ([]LearnedAlias, error) {
	var rows []aliasRow
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		rows, err = learnedRows(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list learned aliases: %w", err)
	}
	list := make([]LearnedAlias, len(rows))
	for i, r := range rows {
		list[i] = r.decision()
	}
	return list, nil
}

func learnedRows(ctx context.Context, tx *sqldb.Tx) ([]aliasRow, error) {
	var rows []aliasRow
	err := tx.SelectContext(ctx, &rows, `SELECT code, alias, valid_from, valid_to, learned_at, learned_by FROM unit_alias
		WHERE learned_at > 0 AND forgotten_at IS NULL ORDER BY learned_at DESC, code, alias`)
	return rows, err
}
