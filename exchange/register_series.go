package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A Scheme says how an agency numbers its documents; its head decides (NĐ 30/2020 Điều 15.1).
type Scheme string

// The schemes.
const (
	OneSeries     Scheme = "one"  // one series for all kinds
	SeriesPerKind Scheme = "kind" // one for each kind: QĐ, TB, …, and CV for what bears no kind
)

// Names of series that do not follow from a kind alone.
const (
	CopySeries   = "Bản sao" // sao y, sao lục, trích sao: one series for all of them, whatever the scheme
	LetterSeries = "CV"      // công văn, whose symbol names no kind
	legalSuffix  = " QPPL"   // each kind of văn bản quy phạm pháp luật has its own: 22/2009/QĐ-UBND
)

// kindSymbols are the kinds of documents as symbols write them (NĐ 30/2020 Phụ lục III; the last ones by older rules).
var kindSymbols = []string{"NQ", "QĐ", "CT", "QC", "QyĐ", "TC", "TB", "HD", "CTr", "KH", "PA", "ĐA", "DA", "BC", "BB", "TTr", "HĐ", "CĐ",
	"BGN", "BTT", "GUQ", "GM", "GGT", "GNP", "PG", "PC", "PB", "GT", "NP"}

var copySymbols = []string{"SY", "SL", "TrS", "TS"}

// told is the scheme as events tell it: the usual one goes without saying, as in events from before there were others.
func (s Scheme) told() Scheme {
	if s == OneSeries {
		return ""
	}
	return s
}

// Name returns the series that the scheme puts a document into, by its số, ký hiệu.
func (s Scheme) Name(reference string) string {
	parts := strings.Split(reference, "/")
	symbol := parts[len(parts)-1]
	kind, _, _ := strings.Cut(symbol, "-")
	kind = strings.TrimSpace(kind)
	legal := len(parts) == 3 && len(parts[1]) == 4 && leadingDigits(parts[1]) == parts[1]
	switch {
	case slices.Contains(copySymbols, kind):
		return CopySeries
	case legal && slices.Contains(kindSymbols, kind):
		return kind + legalSuffix
	case s != SeriesPerKind:
		return ""
	case slices.Contains(kindSymbols, kind):
		return kind
	default:
		return LetterSeries
	}
}

// forNumber returns the series that a document's number belongs to: the one that the number stands in already, reserved or
// taken, else the one of the agency's scheme. So a number is never taken in two series of an agency in a year.
func forNumber(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, year int, reference string) (Series, error) {
	name, found, err := seriesOfNumber(ctx, tx, agency, year, reference)
	if err != nil || found {
		if err != nil {
			return Series{}, err
		}
		return series(ctx, tx, agency, year, OutgoingBook, name)
	}
	main, err := series(ctx, tx, agency, year, OutgoingBook, "")
	if err != nil {
		return main, err
	}
	if name := main.Scheme.Name(reference); name != "" {
		return series(ctx, tx, agency, year, OutgoingBook, name)
	}
	return main, nil
}

func seriesOfNumber(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, year int, reference string) (string, bool, error) {
	var names []string
	err := tx.SelectContext(ctx, &names, `SELECT r.name FROM register_series r JOIN register_number n ON n.series_id = r.id
		WHERE r.agency = $1 AND r.year = $2 AND r.book = $3 AND n.reference = $4 ORDER BY r.id`, agency, year, OutgoingBook, reference)
	if err != nil {
		return "", false, fmt.Errorf("series of number %q: %w", reference, err)
	}
	if len(names) == 0 {
		return "", false, nil
	}
	return names[0], true, nil
}

// SetScheme says how an agency numbers its outgoing documents from a year on. A year that has numbers keeps its scheme.
func (s *Store) SetScheme(ctx context.Context, by Actor, agency recipients.UnitCode, year int, scheme Scheme) error {
	if scheme != OneSeries && scheme != SeriesPerKind {
		return &Error{Invalid, CodeWrongState, string(scheme)}
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		main, err := series(ctx, tx, agency, year, OutgoingBook, "")
		if err != nil || main.Scheme == scheme {
			return err
		}
		ok, err := tx.ExecOne(ctx, `UPDATE register_series SET scheme = $1 WHERE id = $2 AND NOT EXISTS (SELECT 1 FROM register_number n
			JOIN register_series r ON r.id = n.series_id WHERE r.agency = $3 AND r.year = $4 AND r.book = $5)`, scheme, main.ID, agency, year, OutgoingBook)
		if err != nil {
			return fmt.Errorf("scheme of %s %d: %w", agency, year, err)
		}
		if !ok {
			return &Error{Conflict, CodeHasNumbers, fmt.Sprint(year)}
		}
		return recordSeries(ctx, tx, main.ID, SeriesScheme, by, seriesDetail{Scheme: scheme})
	})
}

// ListSeries returns the series of an agency's book in a year, in the order of their names.
func (s *Store) ListSeries(ctx context.Context, agency recipients.UnitCode, year int, book Book) (all []Series, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &all, `SELECT id, agency, year, book, name, mode, last, scheme FROM register_series
			WHERE agency = $1 AND year = $2 AND book = $3 ORDER BY name`, agency, year, book)
	})
	return all, err
}

// SeriesFor returns the name of the series that a document with this symbol is numbered in: QĐ-UBND, or 2009/QĐ-UBND for a
// văn bản quy phạm pháp luật.
func (s *Store) SeriesFor(ctx context.Context, agency recipients.UnitCode, year int, symbol string) (string, error) {
	var found []Scheme
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &found, `SELECT scheme FROM register_series WHERE agency = $1 AND book = $2 AND name = '' AND year <= $3
			ORDER BY year DESC LIMIT 1`, agency, OutgoingBook, year)
	})
	if err != nil {
		return "", fmt.Errorf("scheme of %s: %w", agency, err)
	}
	scheme := OneSeries
	if len(found) > 0 {
		scheme = found[0]
	}
	return scheme.Name("01/" + symbol), nil
}

// inherited returns how a series begins: as the same one of the year before, else as the agency's series without a name.
func inherited(ctx context.Context, tx *sqldb.Tx, agency recipients.UnitCode, year int, book Book, name string) (Mode, Scheme, error) {
	mode := TakenFromPaper
	if book == IncomingBook {
		mode = IssuedHere
	}
	var before []Series
	err := tx.SelectContext(ctx, &before, `SELECT name, mode, scheme FROM register_series WHERE agency = $1 AND book = $2 AND name IN ($3, '')
		AND year <= $4 ORDER BY CASE WHEN name = $3 THEN 0 ELSE 1 END, year DESC LIMIT 1`, agency, book, name, year)
	if err != nil || len(before) == 0 {
		return mode, OneSeries, err
	}
	scheme := OneSeries
	if name == "" {
		scheme = before[0].Scheme
	}
	return before[0].Mode, scheme, nil
}
