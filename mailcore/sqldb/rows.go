package sqldb

import (
	"context"
	"fmt"
	"strings"
)

// rowsPerStatement keeps multi-row statements under both databases' limits of parameters and worth their parsing.
const rowsPerStatement = 250

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
		if _, err := tx.ExecContext(ctx, head+" VALUES "+tx.places(n, len(rows[0]))+" "+tail, args...); err != nil {
			name, _, _ := strings.Cut(head, "(")
			return fmt.Errorf("%s: %w", strings.TrimSpace(name), err)
		}
		rows = rows[n:]
	}
	return nil
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
