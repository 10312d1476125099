package exchange

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// An Entry is what a clerk enters by hand for a document that is not in this system: sent, or received, on paper. It shares the
// numbers of the register with electronic documents (NĐ 30/2020 Điều 15.1, 22.1).
type Entry struct {
	Reference  string `db:"reference" json:"reference"` // outgoing: số, ký hiệu; incoming: số đến; "" takes the next number where we number
	Document   string `db:"document" json:"document,omitempty"`
	Author     string `db:"author" json:"author,omitempty"`
	Kind       string `db:"kind" json:"kind,omitempty"`
	Abstract   string `db:"abstract" json:"abstract,omitempty"`
	DatedOn    string `db:"dated_on" json:"dated_on,omitempty"`     // ngày văn bản, civil date
	EnteredOn  string `db:"entered_on" json:"entered_on,omitempty"` // ngày đến, ngày chuyển; today when ""
	Signer     string `db:"signer" json:"signer,omitempty"`
	Recipients string `db:"recipients" json:"recipients,omitempty"` // nơi nhận; of an incoming document đơn vị hoặc người nhận
	Filed      string `db:"filed" json:"filed,omitempty"`           // đơn vị, người nhận bản lưu
	Copies     int64  `db:"copies" json:"copies,omitempty"`
	DueOn      string `db:"due_on" json:"due_on,omitempty"` // thời hạn giải quyết, civil date
	Note       string `db:"note" json:"note,omitempty"`
}

const entryColumns = `reference, document, author, kind, abstract, dated_on, entered_on, signer, recipients, filed, copies, due_on, note`

// onPaper is the owner of a number whose document is on paper alone.
const onPaper = "paper"

// Enter registers a document on paper and returns its number: for a missing or reserved number of the book, or, with no
// Reference in a book that we number, for the next one. Outgoing documents always tell theirs, since it stands on the paper.
func (s *Store) Enter(ctx context.Context, by Actor, unit recipients.UnitCode, book Book, e Entry) (string, error) {
	if err := e.clean(book); err != nil {
		return "", err
	}
	var reference string
	var year int
	err := s.writer(unit)(ctx, func(tx *sqldb.Tx) (err error) {
		e := e
		if e.EnteredOn == "" {
			e.EnteredOn = CivilDate(tx.Now)
		}
		year = civilYear(e.EnteredOn)
		reference, err = enter(ctx, tx, by, unit, book, e)
		return err
	})
	if n, _ := strconv.ParseInt(reference, 10, 64); err == nil && book == IncomingBook && e.Reference == "" {
		s.journal(JournalEntry{Kind: journalNumber, Agency: unit, Year: year, Book: book, Mode: IssuedHere, Reference: reference, Number: n})
	}
	return reference, err
}

// clean checks what was typed and puts it into the one form of Unicode.
func (e *Entry) clean(book Book) error {
	for _, f := range []*string{&e.Reference, &e.Document, &e.Author, &e.Kind, &e.Abstract, &e.Signer, &e.Recipients, &e.Filed, &e.Note} {
		*f = strings.TrimSpace(viettext.NFC(*f))
	}
	for _, d := range []string{e.DatedOn, e.EnteredOn, e.DueOn} {
		if _, err := time.Parse(time.DateOnly, d); d != "" && err != nil {
			return &Error{Invalid, CodeBadDate, d}
		}
	}
	if book == OutgoingBook && (e.Reference == "" || e.DatedOn == "") {
		return &Error{Invalid, CodeNoReference, e.Reference}
	}
	return nil
}

func enter(ctx context.Context, tx *sqldb.Tx, by Actor, unit recipients.UnitCode, book Book, e Entry) (string, error) {
	var r Series
	var err error
	if book == OutgoingBook {
		r, err = forNumber(ctx, tx, unit, civilYear(e.DatedOn), e.Reference)
	} else {
		r, err = series(ctx, tx, unit, civilYear(e.EnteredOn), IncomingBook, "")
	}
	if err != nil {
		return "", err
	}
	number, _, _ := strings.Cut(e.Reference, "/")
	if e.Reference == "" && r.Mode == IssuedHere {
		_, err = takeNext(ctx, tx, r, func(n int64) string { e.Reference = fmt.Sprint(n); return e.Reference }, onPaper, "taken", by)
	} else if e.Reference == "" {
		err = &Error{Invalid, CodeNumberNeeded, string(unit)}
	} else {
		err = takeFromPaper(ctx, tx, r, number, e.Reference, onPaper, by)
	}
	if err != nil {
		return "", err
	}
	if err := insertEntry(ctx, tx, r.ID, e); err != nil {
		return "", err
	}
	var n int64
	if err := tx.GetContext(ctx, &n, `SELECT number FROM register_number WHERE series_id = $1 AND reference = $2`, r.ID, e.Reference); err != nil {
		return "", err
	}
	return e.Reference, recordSeries(ctx, tx, r.ID, SeriesEntered, by, seriesDetail{Number: n, Reference: e.Reference, Entry: &e})
}

func insertEntry(ctx context.Context, tx *sqldb.Tx, series int64, e Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO register_entry (series_id, `+entryColumns+`, search)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`, series, e.Reference, e.Document, e.Author, e.Kind, e.Abstract,
		e.DatedOn, e.EnteredOn, e.Signer, e.Recipients, e.Filed, e.Copies, e.DueOn, e.Note, e.searchText())
	if err != nil {
		return fmt.Errorf("enter %q: %w", e.Reference, err)
	}
	return nil
}

func civilYear(date string) int {
	var year int
	fmt.Sscanf(date, "%4d", &year)
	return year
}
