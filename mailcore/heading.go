package mailcore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"congvan/mailcore/sqldb"
)

// A Heading is the little of a message that most searches look at.
type Heading struct {
	UID      UID
	Subject  string    // as in the envelope
	Envelope *Envelope // nil when it was not asked for; only until the next message
}

// headingPage is how many UIDs one look at the database takes: a long one would hold up what SQLite wants to clear away.
const headingPage = 4000

// Headings calls each for the messages with these UIDs, which are in order; those that are not there are left out. A mailbox may
// hold a hundred thousand, so that the rows are never in memory together. each must not ask the database.
func (s *Store) Headings(ctx context.Context, id MailboxID, uids []UID, envelope bool, each func(Heading) error) error {
	columns := `c.uid, m.subject`
	if envelope {
		columns += `, m.summary`
	}
	for len(uids) > 0 {
		n := min(len(uids), headingPage)
		where, a := "", args{id}
		if first, last := uids[0], uids[n-1]; int(last-first) < 4*n { // few between them are not asked for
			where = ` AND c.uid BETWEEN ` + a.add(first) + ` AND ` + a.add(last)
		} else {
			n = min(n, maxChunk)
			where = ` AND c.uid IN ` + list(&a, uids[:n])
		}
		err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
			rows, err := tx.QueryxContext(ctx, `SELECT `+columns+copyAndBody+where+` ORDER BY c.uid`, a...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := scanHeading(rows.Rows, uids[:n], envelope, each); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		if err != nil {
			return fmt.Errorf("headings of mailbox %d: %w", id, err)
		}
		uids = uids[n:]
	}
	return nil
}

func scanHeading(rows *sql.Rows, wanted []UID, envelope bool, each func(Heading) error) error {
	var h Heading
	var summary sql.RawBytes
	into := []any{&h.UID, &h.Subject, &summary}
	if !envelope {
		into = into[:2]
	}
	if err := rows.Scan(into...); err != nil {
		return err
	}
	if _, ok := slices.BinarySearch(wanted, h.UID); !ok {
		return nil
	}
	if envelope {
		var err error
		if h.Envelope, err = parseEnvelope(summary); err != nil {
			return fmt.Errorf("uid %d: %w", h.UID, err)
		}
	}
	return each(h)
}

// parseEnvelope reads the envelope of what SaveBody wrote and passes over the structure, which is the larger part of it.
func parseEnvelope(summary []byte) (*Envelope, error) {
	const begin = `{"e":` // as a Summary is written
	if bytes.HasPrefix(summary, []byte(begin)) {
		rest := summary[len(begin):]
		if n := objectLen(rest); n > 0 {
			var e Envelope
			if err := json.Unmarshal(rest[:n], &e); err == nil {
				return &e, nil
			}
		}
	}
	s, err := ParseSummary(summary)
	if err != nil {
		return nil, err
	}
	return &s.Envelope, nil
}

// objectLen returns how long the JSON object is that data begins with, 0 when it does not end.
func objectLen(data []byte) int {
	depth, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if depth == 0 {
			return i + 1
		}
	}
	return 0
}
