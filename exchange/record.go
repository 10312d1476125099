package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"congvan/mailcore/sqldb"
)

// A record is a row as text by column, zero values left out: what events keep of rows that must not change any more. Columns
// that a later migration adds begin as zero values and so leave records as they are.
type record map[string]string

// records reads rows in order, without the columns named in but.
func records(ctx context.Context, tx *sqldb.Tx, but map[string]bool, query string, args ...any) ([]record, error) {
	rows, err := tx.QueryxContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []record
	for rows.Next() {
		m := map[string]any{}
		if err := rows.MapScan(m); err != nil {
			return nil, err
		}
		r := record{}
		for column, v := range m {
			if text := plainText(v); text != "" && !but[column] {
				r[column] = text
			}
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// plainText is a value in the one form that both databases give; "" for a zero value.
func plainText(v any) string {
	text := ""
	switch v := v.(type) {
	case nil:
	case []byte:
		text = string(v)
	case string:
		text = v
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		text = fmt.Sprint(v)
	}
	if text == "0" || text == "false" {
		return ""
	}
	return text
}

// digest is base64 SHA-256 of the record's JSON, keys in order.
func (r record) digest() string {
	text, _ := json.Marshal(r) // strings alone: cannot fail
	sum := sha256.Sum256(text)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Columns that records leave out, since events tell them otherwise or nobody does.
var (
	documentMoves = map[string]bool{"state": true, "sealed": true, "changed_at": true, "issued_at": true, "search": true, "due_at": true}
	itemKeys      = map[string]bool{"document_id": true}
	lineKeys      = map[string]bool{"id": true, "document_id": true}
)

// A registration is what a document's event "registered" keeps: the document's row, the digests of its lines by ordinal,
// and the series of its number.
type registration struct {
	Record record            `json:"record"`
	Lines  map[string]string `json:"line_digests"`
	Series int64             `json:"series"`
	Number int64             `json:"number"`
}

// withRecord adds to the detail of a move what the document's rows say by then.
func withRecord(ctx context.Context, tx *sqldb.Tx, id DocumentID, to State, detail any) (any, error) {
	m, ok := detail.(map[string]any)
	if ok && to == Issued {
		list, err := itemDigests(ctx, tx, id)
		if err != nil {
			return nil, fmt.Errorf("record package of document %d: %w", id, err)
		}
		m["items"] = list
	}
	if !ok || to != Registered {
		return detail, nil
	}
	r, err := registered(ctx, tx, id)
	if err != nil {
		return nil, fmt.Errorf("record document %d: %w", id, err)
	}
	m["record"], m["line_digests"], m["series"], m["number"] = r.Record, r.Lines, r.Series, r.Number
	return m, nil
}

func registered(ctx context.Context, tx *sqldb.Tx, id DocumentID) (*registration, error) {
	docs, err := records(ctx, tx, documentMoves, `SELECT * FROM document WHERE id = $1`, id)
	if err != nil || len(docs) != 1 {
		return nil, fmt.Errorf("%d rows: %w", len(docs), err)
	}
	r := &registration{Record: docs[0]}
	if r.Lines, err = lineDigests(ctx, tx, id); err != nil {
		return nil, err
	}
	var n []struct {
		Series int64 `db:"series_id"`
		Number int64 `db:"number"`
	}
	err = tx.SelectContext(ctx, &n, `SELECT n.series_id, n.number FROM register_number n JOIN register_series s ON s.id = n.series_id
		JOIN document d ON d.agency = s.agency AND d.year = s.year AND d.reference = n.reference
		WHERE d.id = $1 AND s.book = 'outgoing' AND n.owner = $2`, id, fmt.Sprint("document:", id))
	if err == nil && len(n) == 1 {
		r.Series, r.Number = n[0].Series, n[0].Number
	}
	return r, err
}

func lineDigests(ctx context.Context, tx *sqldb.Tx, id DocumentID) (map[string]string, error) {
	return digestsOf(ctx, tx, lineKeys, `SELECT * FROM recipient_line WHERE document_id = $1 ORDER BY ordinal`, id)
}

func itemDigests(ctx context.Context, tx *sqldb.Tx, id DocumentID) (map[string]string, error) {
	return digestsOf(ctx, tx, itemKeys, `SELECT * FROM package_item WHERE document_id = $1 ORDER BY ordinal`, id)
}

// digestsOf returns the digests of rows by their ordinal, "0" where it is zero.
func digestsOf(ctx context.Context, tx *sqldb.Tx, but map[string]bool, query string, id DocumentID) (map[string]string, error) {
	rows, err := records(ctx, tx, but, query, id)
	out := map[string]string{}
	for _, r := range rows {
		ordinal := r["ordinal"]
		if ordinal == "" {
			ordinal = "0"
		}
		out[ordinal] = r.digest()
	}
	return out, err
}
