package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// Figures are what the report counts for one unit, or for the province.
type Figures struct {
	// As issuer: documents and copies that left in the time of the report.
	Documents  int `json:"documents"`  // văn bản phát hành: electronic, and entered on paper alone
	Electronic int `json:"electronic"` // of these sent electronically
	Copies     int `json:"copies"`     // copies sent to mailboxes and mail addresses
	Other      int `json:"other"`      // copies that had to go another way
	Recalled   int `json:"recalled"`   // copies taken back or replaced

	// As recipient: copies that arrived in the time of the report, and what became of them by its end.
	Received  int `json:"received"`
	Accepted  int `json:"accepted"`  // taken into the register of arrivals
	SameDay   int `json:"same_day"`  // of these on the working day that they arrived (NĐ 30/2020 Điều 21.2)
	Late      int `json:"late"`      // nobody had dealt with it before that day closed
	Noted     int `json:"noted"`     // "để biết", opened
	Refused   int `json:"refused"`   // returned, also after acceptance
	Forwarded int `json:"forwarded"` // handed on to the right unit

	// The mailbox of the unit (QĐ 22/2009 Điều 11).
	HalfDays int `json:"half_days"` // that had to be looked after
	Checked  int `json:"checked"`
	Weak     int `json:"weak"`    // of these known only from a connection with nothing new
	Excused  int `json:"excused"` // not checked, while the gateway did not run
	Missed   int `json:"missed"`
}

// add adds another's figures.
func (f *Figures) add(o *Figures) {
	for _, n := range []struct {
		to *int
		by int
	}{{&f.Documents, o.Documents}, {&f.Electronic, o.Electronic}, {&f.Copies, o.Copies}, {&f.Other, o.Other}, {&f.Recalled, o.Recalled},
		{&f.Received, o.Received}, {&f.Accepted, o.Accepted}, {&f.SameDay, o.SameDay}, {&f.Late, o.Late}, {&f.Noted, o.Noted}, {&f.Refused, o.Refused},
		{&f.Forwarded, o.Forwarded}, {&f.HalfDays, o.HalfDays}, {&f.Checked, o.Checked}, {&f.Weak, o.Weak}, {&f.Excused, o.Excused}, {&f.Missed, o.Missed}} {
		*n.to += n.by
	}
}

// A UnitFigures is one row of the report.
type UnitFigures struct {
	Unit recipients.UnitCode `json:"unit"`
	Name string              `json:"name"`
	Figures
}

// A Report is what QĐ 22/2009 Điều 12 asks for every six months: how units use the mail of the province. It follows from the events
// of its time alone, so that whoever makes it again gets the same one.
type Report struct {
	From     string         `json:"from"` // civil dates, both included
	To       string         `json:"to"`
	HalfDays int            `json:"half_days"` // of working time
	Units    []UnitFigures  `json:"units"`
	Total    Figures        `json:"total"`
	Outages  []ReportOutage `json:"outages"`
	Reporter ReportedBy     `json:"reporter"`
	Only     bool           `json:"only"`   // it tells of one unit
	Digest   string         `json:"digest"` // SHA-256 over all of the above
}

// A ReportOutage is a time in which the gateway did not run.
type ReportOutage struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// A ReportedBy is in whose name the report is written, and to whom.
type ReportedBy struct {
	Code   recipients.UnitCode `json:"code"`
	Name   string              `json:"name"`
	Parent string              `json:"parent"`
	Place  string              `json:"place"` // địa danh
	To     []string            `json:"to"`    // kính gửi
}

// A ReportQuery says what is reported.
type ReportQuery struct {
	From, To string              // civil dates, both included; To ends today at the latest
	Unit     recipients.UnitCode // "" for all units that have a mailbox
	By       recipients.UnitCode // who reports; the unit, or Sở Thông tin và Truyền thông (Điều 12), when ""
}

// Report counts from the events of a time.
func (s *Store) Report(ctx context.Context, q ReportQuery) (*Report, error) {
	span, err := s.reportSpan(q)
	if err != nil {
		return nil, err
	}
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	r := &reporter{span: span, figures: map[recipients.UnitCode]*UnitFigures{}, rep: &Report{From: q.From, To: span.to, Units: []UnitFigures{}, Outages: []ReportOutage{}, Only: q.Unit != ""}}
	if r.rep.Reporter, err = reportedBy(dir, q); err != nil {
		return nil, err
	}
	outages, err := s.Outages(ctx, span.start, span.end)
	if err != nil {
		return nil, err
	}
	since, err := s.mailboxesSince(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range dir.Units() {
		address := s.address(u)
		if _, ours := since[address]; u.Kind != recipients.KindGroup && ours && (q.Unit == "" || q.Unit == u.Code) {
			r.figures[u.Code] = &UnitFigures{Unit: u.Code, Name: u.Name}
			r.order = append(r.order, u.Code)
		}
	}
	if len(r.order) == 0 {
		return nil, &Error{Missing, CodeNoMailbox, string(q.Unit)}
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		cal, err := calendar(ctx, tx)
		if err != nil {
			return err
		}
		for _, count := range []func(context.Context, *sqldb.Tx) error{r.issued, r.entered, r.copies, r.recalled,
			func(ctx context.Context, tx *sqldb.Tx) error { return r.received(ctx, tx, cal) },
			func(ctx context.Context, tx *sqldb.Tx) error {
				return r.checks(ctx, tx, cal, outages, s.beginnings(dir, since))
			}} {
			if err := count(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return r.finish(outages)
}

// A reportSpan is the time of a report. now bounds it where it has not ended yet.
type reportSpan struct {
	to         string
	start, end time.Time // end excluded
}

func (s *Store) reportSpan(q ReportQuery) (sp reportSpan, err error) {
	if sp.start, err = time.ParseInLocation(time.DateOnly, q.From, hanoi); err != nil {
		return sp, &Error{Invalid, CodeBadDate, q.From}
	}
	last, err := time.ParseInLocation(time.DateOnly, q.To, hanoi)
	if err != nil || q.To < q.From {
		return sp, &Error{Invalid, CodeBadDate, q.To}
	}
	now := s.db.Now()
	sp.to, sp.end = q.To, last.AddDate(0, 0, 1)
	if sp.end.After(now) {
		sp.to, sp.end = CivilDate(now), now
	}
	if sp.end.Before(sp.start) {
		return sp, &Error{Invalid, CodeBadDate, q.From}
	}
	return sp, nil
}

// A reporter counts.
type reporter struct {
	span    reportSpan
	order   []recipients.UnitCode
	figures map[recipients.UnitCode]*UnitFigures
	rep     *Report
}

// counted reads rows of unit, number and adds them; units that are not reported are left out.
func (r *reporter) counted(ctx context.Context, tx *sqldb.Tx, add func(*Figures, int), query string, args ...any) error {
	var rows []struct {
		Unit  recipients.UnitCode `db:"unit"`
		Count int                 `db:"n"`
	}
	if err := tx.SelectContext(ctx, &rows, query, args...); err != nil {
		return err
	}
	for _, row := range rows {
		if f := r.figures[row.Unit]; f != nil {
			add(&f.Figures, row.Count)
		}
	}
	return nil
}

func (r *reporter) bounds() (from, to int64) { return r.span.start.UnixMicro(), r.span.end.UnixMicro() }

func (r *reporter) issued(ctx context.Context, tx *sqldb.Tx) error {
	from, to := r.bounds()
	return r.counted(ctx, tx, func(f *Figures, n int) { f.Documents += n; f.Electronic += n }, `SELECT d.agency AS unit, count(*) AS n
		FROM event e JOIN document d ON e.chain = d.id * 1048576 WHERE e.kind = 'issued' AND e.at >= $1 AND e.at < $2 GROUP BY d.agency`, from, to)
}

// entered are documents that left on paper alone.
func (r *reporter) entered(ctx context.Context, tx *sqldb.Tx) error {
	return r.counted(ctx, tx, func(f *Figures, n int) { f.Documents += n }, `SELECT s.agency AS unit, count(*) AS n FROM register_entry e
		JOIN register_series s ON s.id = e.series_id WHERE s.book = 'outgoing' AND e.dated_on BETWEEN $1 AND $2 GROUP BY s.agency`, r.rep.From, r.rep.To)
}

func (r *reporter) copies(ctx context.Context, tx *sqldb.Tx) error {
	from, to := r.bounds()
	const first = `SELECT d.agency AS unit, count(*) AS n FROM event e JOIN dispatch p ON p.id = e.chain JOIN document d ON d.id = p.document_id
		WHERE e.ordinal = 0 AND e.at >= $1 AND e.at < $2 AND (p.way = 'other') = $3 GROUP BY d.agency`
	if err := r.counted(ctx, tx, func(f *Figures, n int) { f.Copies += n }, first, from, to, false); err != nil {
		return err
	}
	return r.counted(ctx, tx, func(f *Figures, n int) { f.Other += n }, first, from, to, true)
}

func (r *reporter) recalled(ctx context.Context, tx *sqldb.Tx) error {
	from, to := r.bounds()
	return r.counted(ctx, tx, func(f *Figures, n int) { f.Recalled += n }, `SELECT d.agency AS unit, count(DISTINCT e.chain) AS n FROM event e
		JOIN dispatch p ON p.id = e.chain JOIN document d ON d.id = p.document_id
		WHERE e.kind IN ('recalled', 'superseded', 'recall_agreed') AND e.at >= $1 AND e.at < $2 GROUP BY d.agency`, from, to)
}

// An arrivalTime is when a copy arrived, and when each thing happened to it first; 0 for never.
type arrivalTime struct {
	Unit      recipients.UnitCode `db:"unit"`
	Delivered int64               `db:"delivered"`
	Accepted  int64               `db:"accepted"`
	Noted     int64               `db:"noted"`
	Refused   int64               `db:"refused"`
	Forwarded int64               `db:"forwarded"`
	TakenBack int64               `db:"taken_back"`
}

// received follows each copy that arrived in a mailbox of ours until the end of the report.
func (r *reporter) received(ctx context.Context, tx *sqldb.Tx, cal *worktime.Calendar) error {
	from, to := r.bounds()
	rows, err := tx.QueryxContext(ctx, `SELECT p.unit, e.at AS delivered, coalesce(min(CASE WHEN a.kind = 'accepted' THEN a.at END), 0) AS accepted,
		coalesce(min(CASE WHEN a.kind = 'noted' THEN a.at END), 0) AS noted, coalesce(min(CASE WHEN a.kind = 'refused' THEN a.at END), 0) AS refused,
		coalesce(min(CASE WHEN a.kind = 'forwarded' THEN a.at END), 0) AS forwarded, coalesce(min(CASE WHEN a.kind IN ('recalled', 'superseded') THEN a.at END), 0) AS taken_back
		FROM event e JOIN dispatch p ON p.id = e.chain
		LEFT JOIN event a ON a.chain = e.chain AND a.at < $2 AND a.kind IN ('accepted', 'noted', 'refused', 'forwarded', 'recalled', 'superseded')
		WHERE e.kind = 'delivered' AND e.at >= $1 AND e.at < $2 AND p.way = 'mailbox' AND p.unit <> '' GROUP BY p.id, p.unit, e.at`, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a arrivalTime
		if err := rows.StructScan(&a); err != nil {
			return err
		}
		if f := r.figures[a.Unit]; f != nil {
			a.count(&f.Figures, cal, to)
		}
	}
	return rows.Err()
}

// count adds what became of one copy by the end of the report.
func (a *arrivalTime) count(f *Figures, cal *worktime.Calendar, end int64) {
	day := cal.Close(time.UnixMicro(a.Delivered)).UnixMicro()
	f.Received++
	dealt := int64(0) // when somebody first dealt with it, or nobody had to any more
	for _, what := range []struct {
		at int64
		to *int
	}{{a.Accepted, &f.Accepted}, {a.Noted, &f.Noted}, {a.Refused, &f.Refused}, {a.Forwarded, &f.Forwarded}, {a.TakenBack, nil}} {
		if what.at == 0 {
			continue
		}
		if what.to != nil {
			*what.to++
		}
		if dealt == 0 || what.at < dealt {
			dealt = what.at
		}
	}
	if a.Accepted != 0 && a.Accepted <= day {
		f.SameDay++
	}
	if dealt > day || dealt == 0 && end > day {
		f.Late++
	}
}

// finish sums up, in the order of the directory.
func (r *reporter) finish(outages []Outage) (*Report, error) {
	for _, o := range outages {
		r.rep.Outages = append(r.rep.Outages, ReportOutage{confirmTime(o.From), confirmTime(o.To)})
	}
	for _, code := range r.order {
		f := r.figures[code]
		r.rep.Units = append(r.rep.Units, *f)
		r.rep.Total.add(&f.Figures)
	}
	text, err := json.Marshal(r.rep)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	r.rep.Digest = hex.EncodeToString(sum[:])
	return r.rep, nil
}
