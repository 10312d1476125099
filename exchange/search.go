package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// searchWords makes folded words of a text, one space between and around them, so that a word or a phrase is found from its
// beginning: " 15 qd ubnd ve viec ".
func searchWords(text string) string {
	words := strings.FieldsFunc(viettext.Fold(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		return " "
	}
	return " " + strings.Join(words, " ") + " "
}

// searchText is what the document is found by: all that was read or typed of it, its lines, and the codes of its recipients.
func (doc *Document) searchText(lines []Line) string {
	parts := []string{doc.Reference, plainNumber(doc.Reference), string(doc.Agency), doc.Kind, doc.Abstract, searchDate(doc.IssuedOn), doc.Place, doc.Signer, doc.Urgency, doc.FileName}
	for _, l := range lines {
		parts = append(parts, l.Text, l.Purpose, l.Name, l.Address, l.Units)
	}
	return searchWords(strings.Join(parts, "\n"))
}

func (e *Entry) searchText() string {
	return searchWords(strings.Join([]string{e.Reference, plainNumber(e.Reference), e.Document, plainNumber(e.Document), e.Author, e.Kind, e.Abstract, searchDate(e.DatedOn),
		searchDate(e.EnteredOn), e.Signer, e.Recipients, e.Filed, searchDate(e.DueOn), e.Note}, "\n"))
}

// searchDate is a civil date in the three ways that people write it.
func searchDate(civil string) string {
	t, err := time.Parse(time.DateOnly, civil)
	if err != nil {
		return civil
	}
	return civil + t.Format("\n02/01/2006\n2/1/2006")
}

// plainNumber is a reference whose number has no leading zero, "" where it has none anyway.
func plainNumber(reference string) string {
	if plain := strings.TrimLeft(reference, "0"); plain != reference {
		return plain
	}
	return ""
}

// FoldDocuments writes the search column of documents that are older than it, and returns how many there were.
func (s *Store) FoldDocuments(ctx context.Context) (int, error) {
	done := 0
	for {
		var ids []DocumentID
		err := s.db.Ask(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &ids, `SELECT id FROM document WHERE search = '' ORDER BY id LIMIT 200`)
		})
		if err != nil || len(ids) == 0 {
			return done, err
		}
		err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
			for _, id := range ids {
				if err := foldDocument(ctx, tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return done, fmt.Errorf("fold documents for search: %w", err)
		}
		done += len(ids)
	}
}

func foldDocument(ctx context.Context, tx *sqldb.Tx, id DocumentID) error {
	doc, err := document(ctx, tx, id)
	if err != nil {
		return err
	}
	all, err := lines(ctx, tx, id)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE document SET search = $1 WHERE id = $2`, doc.searchText(all), id)
	return err
}

// A Query says what is looked for. All of its words must be found; the zero value of everything else excludes nothing.
type Query struct {
	Words    []string            // each a word or a phrase, with or without diacritics, from the beginning of a word
	Unit     recipients.UnitCode // whose registers; "" for documents of all agencies
	From, To string              // civil dates: of the document, in the incoming book ngày đến
	Kind     string              // loại văn bản
	Book     Book                // "" for both books of Unit
	Limit    int                 // 100 when zero
}

// A Hit is one entry of a register that was found.
type Hit struct {
	Book      Book                `db:"book" json:"book"`
	Unit      recipients.UnitCode `db:"unit" json:"unit"`     // whose register
	Number    string              `db:"number" json:"number"` // số đến; of an outgoing document its số, ký hiệu
	On        string              `db:"on_day" json:"on"`     // ngày đến; of an outgoing document its date
	Reference string              `db:"reference" json:"reference"`
	IssuedOn  string              `db:"issued_on" json:"issued_on"`
	Issuer    string              `db:"issuer" json:"issuer"` // code of the issuing unit, or tác giả as entered
	Kind      string              `db:"kind" json:"kind"`
	Abstract  string              `db:"abstract" json:"abstract"`
	Signer    string              `db:"signer" json:"signer"`
	State     string              `db:"state" json:"state"` // of the document or its handling; "paper" for an entry on paper
	Document  DocumentID          `db:"document" json:"document,omitempty"`
	Dispatch  DispatchID          `db:"dispatch" json:"dispatch,omitempty"`
}

const usualHits = 100

// Search finds entries of the registers, newest first, and reports whether there are more than the limit.
func (s *Store) Search(ctx context.Context, q Query) (hits []Hit, more bool, err error) {
	if q.Limit <= 0 {
		q.Limit = usualHits
	}
	var patterns []string
	for _, w := range q.Words {
		patterns = append(patterns, "%"+pattern(w)+"%")
	}
	if q.Kind != "" {
		patterns = append(patterns, "%"+searchWords(q.Kind)+"%")
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		hits = nil
		for _, part := range q.parts() {
			found, err := q.search(ctx, tx, part, patterns)
			if err != nil {
				return err
			}
			hits = append(hits, found...)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("search the registers: %w", err)
	}
	if len(hits) > q.Limit {
		return hits[:q.Limit], true, nil
	}
	return hits, false, nil
}

// pattern is a word or a phrase as it is looked for: from its beginning; a number is a whole one.
func pattern(word string) string {
	p := searchWords(word)
	last := p[strings.LastIndexByte(strings.TrimRight(p, " "), ' ')+1:]
	if leadingDigits(last)+" " == last {
		return p
	}
	return strings.TrimRight(p, " ")
}

// A searchPart is one table that is searched: columns of a Hit, the tables, the folded words, the date and what is newest.
type searchPart struct{ columns, from, words, number, date, unit, order string }

var (
	searchOutgoing = searchPart{`'outgoing' AS book, d.agency AS unit, d.reference AS number, d.issued_on AS on_day, d.reference, d.issued_on, d.agency AS issuer, d.kind, d.abstract,
		d.signer, d.state, d.id AS document, 0 AS dispatch`, `document d`, `d.search`, "", `d.issued_on`, `d.agency`, `d.id`}
	searchIncoming = searchPart{`'incoming' AS book, i.unit AS unit, i.arrival_number AS number, i.arrived_on AS on_day, d.reference, d.issued_on, d.agency AS issuer, d.kind, d.abstract,
		d.signer, i.state, d.id AS document, i.dispatch_id AS dispatch`, `incoming i JOIN dispatch p ON p.id = i.dispatch_id JOIN document d ON d.id = p.document_id`,
		`d.search`, `i.arrival_number`, `i.arrived_on`, `i.unit`, `i.dispatch_id`}
	searchPaper = searchPart{`r.book AS book, r.agency AS unit, e.reference AS number, CASE WHEN r.book = 'incoming' THEN e.entered_on ELSE e.dated_on END AS on_day,
		CASE WHEN r.book = 'incoming' THEN e.document ELSE e.reference END AS reference, e.dated_on AS issued_on, CASE WHEN r.book = 'incoming' THEN e.author ELSE r.agency END AS issuer,
		e.kind, e.abstract, e.signer, 'paper' AS state, 0 AS document, 0 AS dispatch`, `register_entry e JOIN register_series r ON r.id = e.series_id`, `e.search`, "",
		`CASE WHEN r.book = 'incoming' THEN e.entered_on ELSE e.dated_on END`, `r.agency`, `e.entered_on`}
)

// parts are what the query searches: an incoming book only for a unit that is named, since a document stands in many.
func (q *Query) parts() []searchPart {
	switch {
	case q.Book == OutgoingBook || q.Book == "" && q.Unit == "":
		return []searchPart{searchOutgoing, searchPaper}
	case q.Book == IncomingBook:
		return []searchPart{searchIncoming, searchPaper}
	default:
		return []searchPart{searchOutgoing, searchIncoming, searchPaper}
	}
}

// search asks one table. Whatever follows the first rows that suffice is not read: words that are everywhere cost least.
func (q *Query) search(ctx context.Context, tx *sqldb.Tx, part searchPart, patterns []string) ([]Hit, error) {
	var where []string
	var args []any
	arg := func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) }
	for i, p := range patterns {
		clause := part.words + " LIKE " + arg(p)
		if i < len(q.Words) && part.number != "" {
			clause = "(" + clause + " OR " + part.number + " = " + arg(strings.TrimSpace(q.Words[i])) + ")"
		}
		where = append(where, clause)
	}
	if q.Unit != "" {
		where = append(where, part.unit+" = "+arg(q.Unit))
	}
	if q.From != "" {
		where = append(where, part.date+" >= "+arg(q.From))
	}
	if q.To != "" {
		where = append(where, part.date+" <= "+arg(q.To))
	}
	if q.Book != "" && part.from == searchPaper.from {
		where = append(where, "r.book = "+arg(q.Book))
	}
	query := "SELECT " + part.columns + " FROM " + part.from
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY " + part.order + " DESC"
	if q.Kind == "" {
		query += " LIMIT " + arg(q.Limit+1)
	}
	return q.rows(ctx, tx, query, args)
}

// rows reads rows until there are enough; a kind is compared here, by its folded words.
func (q *Query) rows(ctx context.Context, tx *sqldb.Tx, query string, args []any) ([]Hit, error) {
	rows, err := tx.QueryxContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var hits []Hit
	for len(hits) <= q.Limit && rows.Next() {
		var h Hit
		if err := rows.StructScan(&h); err != nil {
			return nil, err
		}
		if q.Kind == "" || searchWords(h.Kind) == searchWords(q.Kind) {
			hits = append(hits, h)
		}
	}
	return hits, rows.Err()
}
