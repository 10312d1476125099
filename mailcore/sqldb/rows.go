package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// rowsPerStatement keeps multi-row statements under both databases' limits of parameters and worth their parsing.
const rowsPerStatement = 250

// rowsPrepared is up to how many rows a statement is kept: more come in too many lengths to meet again.
const rowsPrepared = 4

// InsertRows writes rows of equal width in few statements: head is the INSERT up to VALUES, tail what follows the rows
// (ON CONFLICT …), without parameters.
//
// SQLite looks every $n up by name in a list, which makes thousands of them quadratic, so there it gets plain question
// marks.
func (tx *Tx) InsertRows(ctx context.Context, head string, rows [][]any, tail string) error {
	for len(rows) > 0 {
		n := min(len(rows), rowsPerStatement)
		args := make([]any, 0, n*len(rows[0]))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := tx.exec(ctx, n <= rowsPrepared, head+" VALUES "+tx.places(n, len(rows[0]))+" "+tail, args...); err != nil {
			name, _, _ := strings.Cut(head, "(")
			return fmt.Errorf("%s: %w", strings.TrimSpace(name), err)
		}
		rows = rows[n:]
	}
	return nil
}

// InsertLater is InsertRows for rows whose insertion nobody waits for: they are written before the next statement of this transaction
// that names their table, at the latest before the commit, together with those of other closures that share it. An error may so
// come from another statement, or from the commit.
func (tx *Tx) InsertLater(head string, rows [][]any) {
	for i := range tx.later {
		if tx.later[i].head == head {
			tx.later[i].rows = append(tx.later[i].rows, rows...)
			return
		}
	}
	into, _, _ := strings.Cut(head, "(")
	name := strings.Fields(into)
	tx.later = append(tx.later, laterRows{head, name[len(name)-1], rows})
}

// laterRows are rows that InsertLater left to be written.
type laterRows struct {
	head, table string
	rows        [][]any
}

// catchUp writes the rows that wait, if the query names a table of theirs; "" names all.
func (tx *Tx) catchUp(ctx context.Context, query string) error {
	if !slices.ContainsFunc(tx.later, func(l laterRows) bool { return query == "" || names(query, l.table) }) {
		return nil
	}
	later := tx.later
	tx.later = nil
	for _, l := range later {
		if err := tx.InsertRows(ctx, l.head, l.rows, ""); err != nil {
			return err
		}
	}
	return nil
}

// names reports whether a word stands in a query.
func names(query, word string) bool {
	part := func(c byte) bool { return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }
	for at := 0; ; {
		i := strings.Index(query[at:], word)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(word)
		if (from == 0 || !part(query[from-1])) && (to == len(query) || !part(query[to])) {
			return true
		}
		at = to
	}
}

// places returns the parameters of n rows: (?,?),(?,?)… or ($1,$2),($3,$4)….
func (tx *Tx) places(n, width int) string {
	if tx.dialect == SQLite {
		row := "(" + strings.TrimSuffix(strings.Repeat("?,", width), ",") + "),"
		return strings.TrimSuffix(strings.Repeat(row, n), ",")
	}
	var b strings.Builder
	for i := range n {
		for j := range width {
			switch {
			case j > 0:
				b.WriteByte(',')
			case i > 0:
				b.WriteString(",(")
			default:
				b.WriteByte('(')
			}
			fmt.Fprintf(&b, "$%d", i*width+j+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}
