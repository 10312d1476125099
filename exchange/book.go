package exchange

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"congvan/exchange/paper"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// TrackingBook is the book of how incoming documents are dealt with (sổ theo dõi giải quyết văn bản đến): the incoming book read
// by what became of its entries.
const TrackingBook Book = "tracking"

// Titles and columns of the books, in the order of NĐ 30/2020 Phụ lục IV. They may not be left out when the book is printed
// from a system (NĐ 30/2020 Điều 16.2, 22.3).
var books = map[Book]struct {
	title   string
	columns []paper.Column
}{
	OutgoingBook: {"Sổ đăng ký văn bản đi", []paper.Column{{Title: "Số, ký hiệu văn bản", Width: 26}, {Title: "Ngày tháng văn bản", Width: 20, Centre: true}, {Title: "Tên loại và trích yếu nội dung văn bản", Width: 62},
		{Title: "Người ký", Width: 24}, {Title: "Nơi nhận văn bản", Width: 44}, {Title: "Đơn vị, người nhận bản lưu", Width: 19}, {Title: "Số lượng bản", Width: 13, Centre: true}, {Title: "Ngày chuyển", Width: 20, Centre: true},
		{Title: "Ký nhận", Width: 14, Centre: true}, {Title: "Ghi chú", Width: 18}}},
	IncomingBook: {"Sổ đăng ký văn bản đến", []paper.Column{{Title: "Ngày đến", Width: 20, Centre: true}, {Title: "Số đến", Width: 14, Centre: true}, {Title: "Tác giả", Width: 34}, {Title: "Số, ký hiệu văn bản", Width: 26},
		{Title: "Ngày tháng văn bản", Width: 20, Centre: true}, {Title: "Tên loại và trích yếu nội dung văn bản", Width: 66}, {Title: "Đơn vị hoặc người nhận", Width: 28}, {Title: "Ngày chuyển", Width: 20, Centre: true},
		{Title: "Ký nhận", Width: 14, Centre: true}, {Title: "Ghi chú", Width: 18}}},
	TrackingBook: {"Sổ theo dõi giải quyết văn bản đến", []paper.Column{{Title: "Số đến", Width: 16, Centre: true}, {Title: "Tên loại, số, ký hiệu, ngày, tháng và tên cơ quan ban hành văn bản", Width: 84},
		{Title: "Đơn vị hoặc người nhận", Width: 38}, {Title: "Thời hạn giải quyết", Width: 22, Centre: true}, {Title: "Tiến độ giải quyết", Width: 42}, {Title: "Số, ký hiệu văn bản trả lời", Width: 30}, {Title: "Ghi chú", Width: 28}}},
}

// BookTitle returns the title of a book: Sổ đăng ký văn bản đi.
func BookTitle(b Book) string { return books[b].title }

// BookColumns returns the columns of a book, nil for none that is printed.
func BookColumns(b Book) []paper.Column { return books[b].columns }

// A BookRange says which part of which agency's book is printed.
type BookRange struct {
	Unit     recipients.UnitCode
	Book     Book
	From, To string // civil dates, both included: of the document; in the incoming books ngày đến
}

// A BookRow is a line of a book: its cells in the order of the columns.
type BookRow struct {
	Number string   `json:"number"` // as it stands in the book; of missing ones the range: 3-7
	On     string   `json:"on"`     // the civil date that the range of the book goes by
	Cells  []string `json:"cells"`
	Note   string   `json:"state"` // taken, reserved, voided, missing (chưa vào sổ) or waiting (chờ số đến)
}

// States of a BookRow that is no registered document.
const (
	rowMissing = "missing"
	rowWaiting = "waiting"
)

// bookPage is how many rows are read at a time: a book is printed in memory that does not grow with it.
const bookPage = 500

// EachBookRow calls fn with every line of a book in the order of its numbers, series by series, and with those that are missing
// among them (chưa vào sổ). All of it is one snapshot.
func (s *Store) EachBookRow(ctx context.Context, q BookRange, fn func(BookRow) error) error {
	if BookColumns(q.Book) == nil {
		return &Error{Invalid, CodeWrongState, string(q.Book)}
	}
	for _, d := range []string{q.From, q.To} {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return &Error{Invalid, CodeBadDate, d}
		}
	}
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return err
	}
	names := map[string]string{}
	if q.Book != OutgoingBook {
		accounts, err := s.Mail.ListAccounts(ctx)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			names[string(a.Address)] = a.Name
		}
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		b := &bookReader{tx: tx, q: q, dir: dir, fn: fn, names: names}
		return b.read(ctx)
	})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", q.Book, q.Unit, err)
	}
	return nil
}

// A bookReader goes through a book.
type bookReader struct {
	tx  *sqldb.Tx
	q   BookRange
	dir *recipients.Directory
	fn  func(BookRow) error

	names map[string]string // of officers, by address

	next int64  // the number that should come next in the series
	in   bool   // the row before was inside the range
	on   string // its date
}

// kept is the book whose series are read.
func (b *bookReader) kept() Book {
	if b.q.Book == TrackingBook {
		return IncomingBook
	}
	return b.q.Book
}

func (b *bookReader) read(ctx context.Context) error {
	var all []Series
	err := b.tx.SelectContext(ctx, &all, `SELECT id, agency, year, book, name, mode, last, scheme FROM register_series
		WHERE agency = $1 AND book = $2 AND year BETWEEN $3 AND $4 ORDER BY year, name`, b.q.Unit, b.kept(), civilYear(b.q.From), civilYear(b.q.To))
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := b.series(ctx, r); err != nil {
			return err
		}
	}
	if b.q.Book == OutgoingBook {
		return nil
	}
	return b.unnumbered(ctx)
}

func (b *bookReader) series(ctx context.Context, r Series) error {
	b.next, b.in, b.on = 1, false, ""
	number, reference := int64(-1), ""
	for {
		page, err := b.page(ctx, r, number, reference)
		if err != nil {
			return err
		}
		rows, err := b.rows(ctx, page)
		if err != nil {
			return err
		}
		for i, row := range rows {
			if err := b.emit(page[i].Number, row, r); err != nil {
				return err
			}
		}
		if len(page) < bookPage {
			return nil
		}
		last := page[len(page)-1]
		number, reference = last.Number, last.Reference
	}
}

// emit passes on a row that the range holds, after a line for the numbers missing before it. Missing numbers have no date: they
// belong to the range where a row beside them does.
func (b *bookReader) emit(number int64, row BookRow, r Series) error {
	if civilYear(row.On) != r.Year { // reserved or voided afterwards: it has no date but that of its neighbour
		row.On = cmp.Or(b.on, fmt.Sprintf("%04d-01-01", r.Year))
	}
	b.on = row.On
	in := row.On >= b.q.From && row.On <= b.q.To
	first := b.next
	b.next = max(b.next, number+1)
	if number > first && (in || b.in) {
		if err := b.fn(b.missing(first, number-1, r)); err != nil {
			return err
		}
	}
	if number > 0 {
		b.in = in
	}
	if !in {
		return nil
	}
	return b.fn(row)
}

func (b *bookReader) missing(first, last int64, r Series) BookRow {
	number := fmt.Sprint(first)
	if last > first {
		number = fmt.Sprintf("%d-%d", first, last)
	}
	row := BookRow{Number: number, Cells: make([]string, len(BookColumns(b.q.Book))), Note: rowMissing}
	at := 0
	if b.q.Book == IncomingBook {
		at = 1
	}
	row.Cells[at] = number
	if r.Name != "" {
		row.Cells[at] += " (" + r.Name + ")"
	}
	row.Cells[len(row.Cells)-1] = "Chưa vào sổ"
	return row
}

// A bookLine is a number of a book with whatever it was given to.
type bookLine struct {
	Number    int64  `db:"number"`
	Reference string `db:"reference"`
	State     string `db:"state"`
	Reason    string `db:"reason"`
	TakenAt   int64  `db:"taken_at"`
	Told      string `db:"told"` // trích yếu told when the number was reserved
	Owner     string `db:"owner"`

	Document   DocumentID `db:"document"`
	DocRef     string     `db:"doc_reference"`
	Agency     string     `db:"doc_agency"`
	Kind       string     `db:"kind"`
	Abstract   string     `db:"abstract"`
	IssuedOn   string     `db:"issued_on"`
	Signer     string     `db:"signer"`
	Urgency    string     `db:"urgency"`
	DocState   State      `db:"doc_state"`
	IssuedAt   int64      `db:"issued_at"`
	Dispatch   DispatchID `db:"dispatch"`
	ArrivedOn  string     `db:"arrived_on"`
	Handling   Handling   `db:"handling"`
	Transport  Transport  `db:"transport"`
	Since      int64      `db:"since"`
	DueOn      string     `db:"due_on"`
	Deadline   int64      `db:"deadline"`
	EntryOn    string     `db:"entered_on"`
	Author     string     `db:"author"`
	Recipients string     `db:"recipients"`
	Filed      string     `db:"filed"`
	Copies     int64      `db:"copies"`
	Note       string     `db:"note"`
}

const (
	docColumns = `coalesce(d.id, 0) AS document, coalesce(d.reference, e.document, '') AS doc_reference, coalesce(d.agency, '') AS doc_agency, coalesce(d.kind, e.kind, '') AS kind,
		coalesce(d.abstract, e.abstract, '') AS abstract, coalesce(d.issued_on, e.dated_on, '') AS issued_on, coalesce(d.signer, e.signer, '') AS signer,
		coalesce(d.urgency, '') AS urgency, coalesce(d.state, '') AS doc_state, coalesce(d.issued_at, 0) AS issued_at, coalesce(e.entered_on, '') AS entered_on,
		coalesce(e.author, '') AS author, coalesce(e.recipients, '') AS recipients, coalesce(e.filed, '') AS filed, coalesce(e.copies, 0) AS copies, coalesce(e.note, '') AS note`
	numberColumns  = `n.number, n.reference, n.state, n.reason, n.taken_at, n.abstract AS told, n.owner`
	arrivalColumns = `coalesce(i.dispatch_id, 0) AS dispatch, coalesce(i.arrived_on, '') AS arrived_on, coalesce(p.handling, '') AS handling, coalesce(p.transport, '') AS transport,
		coalesce(p.since, 0) AS since, coalesce(p.due_on, e.due_on, '') AS due_on, coalesce(p.deadline, 0) AS deadline`
	noArrival = `0 AS dispatch, '' AS arrived_on, '' AS handling, '' AS transport, 0 AS since, '' AS due_on, 0 AS deadline`
)

// page reads the numbers of a series after one of them.
func (b *bookReader) page(ctx context.Context, r Series, number int64, reference string) ([]bookLine, error) {
	const after = ` WHERE n.series_id = $1 AND (n.number > $2 OR n.number = $2 AND n.reference > $3) ORDER BY n.number, n.reference LIMIT $4`
	query := `SELECT ` + numberColumns + `, ` + docColumns + `, ` + noArrival + ` FROM register_number n JOIN register_series r ON r.id = n.series_id
		LEFT JOIN document d ON d.agency = r.agency AND d.year = r.year AND d.reference = n.reference AND n.owner = 'document:' || CAST(d.id AS TEXT)
		LEFT JOIN register_entry e ON e.series_id = n.series_id AND e.reference = n.reference` + after
	if b.kept() == IncomingBook {
		query = `SELECT ` + numberColumns + `, ` + docColumns + `, ` + arrivalColumns + ` FROM register_number n JOIN register_series r ON r.id = n.series_id
			LEFT JOIN incoming i ON i.unit = r.agency AND i.arrival_number = n.reference AND n.owner = '` + refKind + `' || CAST(i.dispatch_id AS TEXT)
			LEFT JOIN dispatch p ON p.id = i.dispatch_id LEFT JOIN document d ON d.id = p.document_id
			LEFT JOIN register_entry e ON e.series_id = n.series_id AND e.reference = n.reference` + after
	}
	var page []bookLine
	err := b.tx.SelectContext(ctx, &page, query, r.ID, number, reference, bookPage)
	return page, err
}

// unnumbered are copies that were accepted and wait for their số đến from the unit's own book.
func (b *bookReader) unnumbered(ctx context.Context) error {
	const none = `SELECT 0 AS number, '' AS reference, 'waiting' AS state, '' AS reason, 0 AS taken_at, '' AS told, '' AS owner, `
	last := DispatchID(0)
	for {
		var page []bookLine
		err := b.tx.SelectContext(ctx, &page, none+docColumns+`, `+arrivalColumns+` FROM incoming i JOIN dispatch p ON p.id = i.dispatch_id
			JOIN document d ON d.id = p.document_id LEFT JOIN register_entry e ON e.series_id = 0 WHERE i.unit = $1 AND i.arrival_number = ''
			AND i.arrived_on BETWEEN $2 AND $3 AND i.dispatch_id > $4 ORDER BY i.dispatch_id LIMIT $5`, b.q.Unit, b.q.From, b.q.To, last, bookPage)
		if err != nil {
			return err
		}
		rows, err := b.rows(ctx, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := b.fn(row); err != nil {
				return err
			}
		}
		if len(page) < bookPage {
			return nil
		}
		last = page[len(page)-1].Dispatch
	}
}

// on is the date that a row stands under in the book.
func (n *bookLine) on(book Book) string {
	taken := CivilDate(time.UnixMicro(n.TakenAt))
	if book == OutgoingBook {
		return cmp.Or(n.IssuedOn, taken)
	}
	return cmp.Or(n.ArrivedOn, n.EntryOn, taken)
}

// title is tên loại và trích yếu as a book writes it. A công văn bears no name of its kind on the page, but does in the book.
func (n *bookLine) title() string {
	return strings.TrimSpace(n.Kind + " " + cmp.Or(n.Abstract, n.Told))
}
