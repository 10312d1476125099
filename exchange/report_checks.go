package exchange

import (
	"context"
	"strings"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// mailboxesSince says when each mailbox of a unit was opened.
func (s *Store) mailboxesSince(ctx context.Context) (map[mailcore.Address]time.Time, error) {
	accounts, err := s.Mail.ListAccounts(ctx)
	if err != nil {
		return nil, err
	}
	since := map[mailcore.Address]time.Time{}
	for _, a := range accounts {
		if a.Kind == mailcore.Unit {
			since[a.Address] = a.CreatedAt
		}
	}
	return since, nil
}

// beginnings says from when on a unit had a mailbox to look after.
func (s *Store) beginnings(dir *recipients.Directory, since map[mailcore.Address]time.Time) func(recipients.UnitCode) time.Time {
	return func(code recipients.UnitCode) time.Time {
		u, _ := dir.Unit(code)
		return since[s.address(u)]
	}
}

// excusedBelow is how much of a half-day the gateway must have run for a unit to answer for not having looked.
const excusedBelow = 0.5

// checks compares the half-days of the report with those in which units looked after their mail. Where the gateway did not run
// for most of a half-day, nobody is blamed.
func (r *reporter) checks(ctx context.Context, tx *sqldb.Tx, cal *worktime.Calendar, outages []Outage, since func(recipients.UnitCode) time.Time) error {
	var all []Check
	err := tx.SelectContext(ctx, &all, `SELECT unit, day, half, how, at, actor FROM checked WHERE day BETWEEN $1 AND $2`, r.rep.From, r.rep.To)
	if err != nil {
		return err
	}
	type window struct {
		unit recipients.UnitCode
		day  string
		half worktime.Half
	}
	how := map[window]string{}
	for _, c := range all {
		how[window{c.Unit, c.Day, c.Half}] = c.How
	}
	for _, h := range cal.HalfDays(r.rep.From, r.rep.To) {
		if h.End.After(r.span.end) {
			break // not over yet
		}
		r.rep.HalfDays++
		excused := float64(Uptime(h, outages)) < excusedBelow*float64(h.End.Sub(h.Start))
		for _, code := range r.order {
			if since(code).After(h.Start) {
				continue
			}
			f := r.figures[code]
			f.HalfDays++
			switch done := how[window{code, h.Day, h.Half}]; {
			case done == CheckedLooked:
				f.Checked++
				f.Weak++
			case done != "":
				f.Checked++
			case excused:
				f.Excused++
			default:
				f.Missed++
			}
		}
	}
	return nil
}

// reportedBy finds who reports to whom: a unit to Ủy ban nhân dân tỉnh through Sở Thông tin và Truyền thông, which reports for
// the province (QĐ 22/2009 Điều 12).
func reportedBy(dir *recipients.Directory, q ReportQuery) (by ReportedBy, err error) {
	var province, office *recipients.Unit
	for _, u := range dir.Units() {
		switch {
		case u.Kind == recipients.KindProvince && province == nil:
			province = &u
		case office == nil && strings.HasPrefix(viettext.Fold(u.Name), "so thong tin va truyen thong"):
			office = &u
		}
	}
	code := q.By
	switch {
	case code != "":
	case q.Unit != "":
		code = q.Unit
	case office != nil:
		code = office.Code
	case province != nil:
		code = province.Code
	}
	u, ok := dir.Unit(code)
	if !ok && code != "" {
		return by, &Error{Missing, CodeUnknownUnit, string(code)}
	}
	by = ReportedBy{Code: u.Code, Name: u.Name, To: []string{}}
	if above, ok := dir.Unit(u.Parent); ok {
		by.Parent = above.Name
	}
	if province != nil {
		by.Place = placeOf(province.Name)
		if province.Code != u.Code {
			by.To = append(by.To, province.Name)
		}
	}
	if office != nil && office.Code != u.Code {
		by.To = append(by.To, office.Name)
	}
	return by, nil
}

// placeOf is địa danh of a province's offices: the name of the province (NĐ 30/2020 Phụ lục I mục II.4).
func placeOf(name string) string {
	for _, level := range []string{"tỉnh ", "thành phố "} {
		if _, place, ok := strings.Cut(name, level); ok {
			return place
		}
	}
	return ""
}
