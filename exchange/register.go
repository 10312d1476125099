package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// A Book is one of an agency's registers.
type Book string

// The books.
const (
	OutgoingBook Book = "outgoing" // sổ đăng ký văn bản đi
	IncomingBook Book = "incoming" // sổ đăng ký văn bản đến
)

// A Mode says who numbers a series.
type Mode string

// The modes. An outgoing series is taken from paper unless set otherwise, an incoming one is issued here.
const (
	IssuedHere     Mode = "issued" // a counter without gap; the number is taken before the paper is stamped
	TakenFromPaper Mode = "paper"  // numbers come from outside: unique, and the missing ones can be listed
)

// A Series is one run of numbers of an agency in a year (NĐ 30/2020 Điều 15).
type Series struct {
	ID     int64               `db:"id"`
	Agency recipients.UnitCode `db:"agency"`
	Year   int                 `db:"year"`
	Book   Book                `db:"book"`
	Name   string              `db:"name"` // "" where the agency has one series
	Mode   Mode                `db:"mode"`
	Last   int64               `db:"last"`
	Scheme Scheme              `db:"scheme"` // of the series "" of outgoing documents: says which others there are
}

// hanoi is the zone that civil dates and the year of a register are taken in.
var hanoi = time.FixedZone("+07", 7*3600)

// CivilDate returns the date in Việt Nam at an instant.
func CivilDate(t time.Time) string { return t.In(hanoi).Format(time.DateOnly) }

// series returns the row of a series, made when it is first asked for.
func series(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, year int, book Book, name string) (Series, error) {
	s, ok, err := findSeries(ctx, tx, agency, year, book, name)
	if err == nil && !ok {
		s, err = openSeries(ctx, tx, agency, year, book, name)
	}
	if err != nil {
		return s, fmt.Errorf("series %s %d of %s: %w", book, year, agency, err)
	}
	return s, nil
}

func findSeries(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, year int, book Book, name string) (s Series, ok bool, err error) {
	var found []Series
	err = tx.SelectContext(ctx, &found, `SELECT id, agency, year, book, name, mode, last, scheme FROM register_series
		WHERE agency = $1 AND year = $2 AND book = $3 AND name = $4`, agency, year, book, name)
	if err != nil || len(found) == 0 {
		return s, false, err
	}
	return found[0], true, nil
}

func openSeries(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, year int, book Book, name string) (s Series, err error) {
	mode, scheme, err := inherited(ctx, tx, agency, year, book, name)
	if err != nil {
		return s, err
	}
	made, err := tx.ExecOne(ctx, `INSERT INTO register_series (agency, year, book, name, mode, scheme) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (agency, year, book, name) DO NOTHING`, agency, year, book, name, mode, scheme)
	if err != nil {
		return s, err
	}
	s, ok, err := findSeries(ctx, tx, agency, year, book, name)
	if err == nil && !ok {
		err = ErrStale
	}
	if err == nil && made {
		err = recordSeries(ctx, tx, s.ID, SeriesOpened, Gateway, seriesDetail{Agency: agency, Year: year, Book: book, Name: name, Mode: mode, Scheme: scheme.told()})
	}
	return s, err
}

// Kinds of events of a series, whose chain is its id, negative. Numbers of documents and of arrivals stand in the events of
// these.
const (
	SeriesOpened   = "opened"
	SeriesMode     = "mode"     // who numbers it was set
	SeriesReserved = "reserved" // a number was taken before its paper was stamped
	SeriesVoided   = "voided"   // a number was given up
	SeriesScheme   = "scheme"   // how the agency numbers was set
	SeriesEntered  = "entered"  // a document on paper alone was entered
)

// seriesDetail is the detail of these events.
type seriesDetail struct {
	Agency    recipients.UnitCode `json:"agency,omitempty"`
	Year      int                 `json:"year,omitempty"`
	Book      Book                `json:"book,omitempty"`
	Name      string              `json:"name,omitempty"`
	Mode      Mode                `json:"mode,omitempty"`
	Number    int64               `json:"number,omitempty"`
	Reference string              `json:"reference,omitempty"`
	Reason    string              `json:"reason,omitempty"`
	Abstract  string              `json:"abstract,omitempty"`
	Scheme    Scheme              `json:"scheme,omitempty"`
	Entry     *Entry              `json:"entry,omitempty"`
}

// recordSeries appends an event to the chain of a series, holding its row so that two do so one after the other.
func recordSeries(ctx context.Context, tx *sqldb.Tx, id int64, kind string, by Actor, detail seriesDetail) error {
	if _, err := tx.ExecContext(ctx, `UPDATE register_series SET last = last WHERE id = $1`, id); err != nil {
		return err
	}
	_, err := recordChain(ctx, tx, -id, kind, by, detail)
	return err
}

// SetMode says who numbers a series. A series that has numbers keeps its mode.
func (s *Store) SetMode(ctx context.Context, agency recipients.UnitCode, year int, book Book, name string, mode Mode) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := series(ctx, tx, agency, year, book, name)
		if err != nil {
			return err
		}
		return setMode(ctx, tx, r, mode)
	})
}

func setMode(ctx context.Context, tx *sqldb.Tx, r Series, mode Mode) error {
	ok, err := tx.ExecOne(ctx, `UPDATE register_series SET mode = $1 WHERE id = $2
		AND (mode = $1 OR NOT EXISTS (SELECT 1 FROM register_number WHERE series_id = $2))`, mode, r.ID)
	if err != nil {
		return fmt.Errorf("mode of series %d: %w", r.ID, err)
	}
	if !ok {
		return &Error{Conflict, CodeWrongState, string(r.Mode)}
	}
	if mode == r.Mode {
		return nil
	}
	return recordSeries(ctx, tx, r.ID, SeriesMode, Gateway, seriesDetail{Mode: mode})
}

// writer returns Write for steps that take numbers in registers of a unit. They hold its series until they are durable, so that those of
// one unit that wait share a commit.
func (s *Store) writer(unit recipients.UnitCode) func(context.Context, func(*sqldb.Tx) error) error {
	if unit == "" {
		return s.db.Write
	}
	return func(ctx context.Context, fn func(*sqldb.Tx) error) error {
		return s.db.WriteTogether(ctx, "unit "+string(unit), fn)
	}
}

// takeNext takes the next number of a series issued here. A rollback gives it back.
func takeNext(ctx context.Context, tx *sqldb.Tx, r Series, reference func(int64) string, owner string, state string, by Actor) (int64, error) {
	var n int64
	err := tx.GetContext(ctx, &n, `UPDATE register_series SET last = last + 1 WHERE id = $1
		AND NOT EXISTS (SELECT 1 FROM series_blocked b WHERE b.series_id = register_series.id) RETURNING last`, r.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, &Error{Conflict, CodeSeriesBlocked, string(r.Agency)}
	}
	if err != nil {
		return 0, fmt.Errorf("next number of series %d: %w", r.ID, err)
	}
	return n, insertNumber(ctx, tx, r, n, reference(n), owner, state, by)
}

// takeArrival takes the next số đến of a unit in one statement, where its series is there, is issued here and not blocked.
func takeArrival(ctx context.Context, tx *sqldb.Tx, unit recipients.UnitCode, year int, owner string, by Actor) (r Series, ok bool, err error) {
	var found []Series
	err = tx.SelectContext(ctx, &found, `UPDATE register_series SET last = last + 1 WHERE agency = $1 AND year = $2 AND book = $3 AND name = ''
		AND mode = $4 AND NOT EXISTS (SELECT 1 FROM series_blocked b WHERE b.series_id = register_series.id)
		RETURNING id, agency, year, book, name, mode, last, scheme`, unit, year, IncomingBook, IssuedHere)
	if err != nil {
		return r, false, fmt.Errorf("next arrival of %s %d: %w", unit, year, err)
	}
	if len(found) == 0 {
		return r, false, nil
	}
	r = found[0]
	return r, true, insertNumber(ctx, tx, r, r.Last, fmt.Sprint(r.Last), owner, "taken", by)
}

func insertNumber(ctx context.Context, tx *sqldb.Tx, r Series, n int64, reference, owner, state string, by Actor) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO register_number (series_id, number, reference, owner, state, taken_at, taken_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (series_id, reference) DO NOTHING`,
		r.ID, n, reference, owner, state, tx.Now.UnixMicro(), by.String())
	if err != nil {
		return fmt.Errorf("take number %q: %w", reference, err)
	}
	if k, err := res.RowsAffected(); err != nil || k == 0 {
		if err != nil {
			return err
		}
		return &Error{Conflict, CodeNumberTaken, reference}
	}
	return nil
}

// takeFromPaper records a number that the paper bears.
func takeFromPaper(ctx context.Context, tx *sqldb.Tx, r Series, number, reference, owner string, by Actor) error {
	n, _ := strconv.ParseInt(number, 10, 64) // 12a and 01-BN exist: they count as 0 and are unique by their reference
	if r.Mode == IssuedHere {
		return claimReserved(ctx, tx, r, reference, owner)
	}
	if err := insertNumber(ctx, tx, r, n, reference, owner, "taken", by); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE register_series SET last = $1 WHERE id = $2 AND last < $1`, n, r.ID)
	return err
}

// claimReserved joins a document to the number that was taken for it before its paper was stamped.
func claimReserved(ctx context.Context, tx *sqldb.Tx, r Series, reference, owner string) error {
	ok, err := tx.ExecOne(ctx, `UPDATE register_number SET owner = $1, state = 'taken' WHERE series_id = $2 AND reference = $3
		AND state = 'reserved'`, owner, r.ID, reference)
	if err != nil {
		return fmt.Errorf("claim number %q: %w", reference, err)
	}
	if ok {
		return nil
	}
	var n int
	if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM register_number WHERE series_id = $1 AND reference = $2`, r.ID, reference); err != nil {
		return err
	}
	if n > 0 {
		return &Error{Conflict, CodeNumberTaken, reference}
	}
	return &Error{Conflict, CodeNotTakenHere, reference}
}

// TakeNumber reserves the next number of an outgoing series that is issued here, before the paper is stamped. It returns
// the reference, such as 05/QĐ-UBND: numbers under 10 have a leading zero (NĐ 30/2020 Phụ lục I II.3).
func (s *Store) TakeNumber(ctx context.Context, by Actor, agency recipients.UnitCode, year int, name, symbol string) (string, error) {
	return s.TakeNumberFor(ctx, by, agency, year, name, symbol, "")
}

// TakeNumberFor does the same for a document whose trích yếu is known already; it is compared with the page at issue.
func (s *Store) TakeNumberFor(ctx context.Context, by Actor, agency recipients.UnitCode, year int, name, symbol, abstract string) (string, error) {
	var reference string
	var number int64
	err := s.writer(agency)(ctx, func(tx *sqldb.Tx) error {
		r, err := series(ctx, tx, agency, year, OutgoingBook, name)
		if err != nil {
			return err
		}
		if r.Mode != IssuedHere {
			return &Error{Conflict, CodeWrongState, string(r.Mode)}
		}
		n, err := takeNext(ctx, tx, r, func(n int64) string {
			reference = fmt.Sprintf("%02d/%s", n, symbol)
			return reference
		}, "", "reserved", by)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE register_number SET abstract = $1 WHERE series_id = $2 AND reference = $3`, viettext.NFC(abstract), r.ID, reference); err != nil {
			return fmt.Errorf("abstract of number %q: %w", reference, err)
		}
		number = n
		return recordSeries(ctx, tx, r.ID, SeriesReserved, by, seriesDetail{Number: n, Reference: reference, Abstract: viettext.NFC(abstract)})
	})
	if err == nil {
		s.journal(JournalEntry{Kind: journalNumber, Agency: agency, Year: year, Book: OutgoingBook, Name: name, Mode: IssuedHere, Reference: reference, Number: number})
	}
	return reference, err
}

// ReservedAbstract returns the trích yếu that was told when a number was taken, "" for none.
func (s *Store) ReservedAbstract(ctx context.Context, agency recipients.UnitCode, year int, reference string) (string, error) {
	var found []string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &found, `SELECT n.abstract FROM register_number n JOIN register_series r ON r.id = n.series_id
			WHERE r.agency = $1 AND r.year = $2 AND r.book = $3 AND n.reference = $4 AND n.abstract <> ''`, agency, year, OutgoingBook, reference)
	})
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

// VoidNumber gives up a reserved or missing number, with a reason that stays in the register. name is the series of a number that
// is not in the register yet; "" leaves it to the agency's scheme.
func (s *Store) VoidNumber(ctx context.Context, by Actor, agency recipients.UnitCode, year int, name, reference, reason string) error {
	return s.void(ctx, by, reference, reason, func(tx *sqldb.Tx) (Series, error) {
		if name != "" {
			return series(ctx, tx, agency, year, OutgoingBook, name)
		}
		return forNumber(ctx, tx, agency, year, reference)
	})
}

// VoidArrival gives up a số đến that is missing in the unit's own bound book.
func (s *Store) VoidArrival(ctx context.Context, by Actor, unit recipients.UnitCode, year int, number, reason string) error {
	return s.void(ctx, by, number, reason, func(tx *sqldb.Tx) (Series, error) { return series(ctx, tx, unit, year, IncomingBook, "") })
}

func (s *Store) void(ctx context.Context, by Actor, reference, reason string, which func(*sqldb.Tx) (Series, error)) error {
	if strings.TrimSpace(reason) == "" {
		return &Error{Invalid, CodeNoReason, reference}
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := which(tx)
		if err != nil {
			return err
		}
		ok, err := tx.ExecOne(ctx, `UPDATE register_number SET state = 'voided', reason = $1 WHERE series_id = $2 AND reference = $3
			AND state = 'reserved'`, reason, r.ID, reference)
		if err != nil {
			return err
		}
		if ok {
			return recordSeries(ctx, tx, r.ID, SeriesVoided, by, seriesDetail{Reference: reference, Reason: reason})
		}
		n, _ := strconv.ParseInt(leadingDigits(reference), 10, 64)
		if r.Mode == IssuedHere {
			return &Error{Conflict, CodeWrongState, reference}
		}
		if err := insertNumber(ctx, tx, r, n, reference, "", "voided", by); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE register_number SET reason = $1 WHERE series_id = $2 AND reference = $3`, reason, r.ID, reference)
		if err != nil {
			return err
		}
		return recordSeries(ctx, tx, r.ID, SeriesVoided, by, seriesDetail{Number: n, Reference: reference, Reason: reason})
	})
}

func leadingDigits(s string) string {
	for i, r := range s {
		if r < '0' || r > '9' {
			return s[:i]
		}
	}
	return s
}

// Gaps lists the numbers below the highest one that nobody has registered ("chưa vào sổ"), at most 1,000 of them.
func (s *Store) Gaps(ctx context.Context, agency recipients.UnitCode, year int, book Book, name string) ([]int64, error) {
	var gaps []int64
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var taken []int64
		if err := tx.SelectContext(ctx, &taken, `SELECT DISTINCT n.number FROM register_number n JOIN register_series r ON r.id = n.series_id
			WHERE r.agency = $1 AND r.year = $2 AND r.book = $3 AND r.name = $4 AND n.number > 0 ORDER BY n.number`, agency, year, book, name); err != nil {
			return fmt.Errorf("gaps of %s %d: %w", agency, year, err)
		}
		next := int64(1)
		for _, n := range taken {
			for ; next < n && len(gaps) < 1000; next++ {
				gaps = append(gaps, next)
			}
			next = n + 1
		}
		return nil
	})
	return gaps, err
}

// Ranges writes ascending numbers as people do: 1-9, 12, 15-16.
func Ranges[T int | int64](numbers []T) string {
	var out []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		text := fmt.Sprint(numbers[i])
		if j > i {
			text += fmt.Sprintf("-%d", numbers[j])
		}
		out, i = append(out, text), j+1
	}
	return strings.Join(out, ", ")
}
