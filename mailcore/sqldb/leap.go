package sqldb

import (
	"context"
	"fmt"
)

// LeapIDs makes the ids that a table gives itself go on beyond last, or from where they are when that is further.
func (tx *Tx) LeapIDs(ctx context.Context, table string, last int64) error {
	if last <= 0 {
		return nil
	}
	queries := []string{`SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2, nextval(pg_get_serial_sequence($1, 'id'))))`}
	if tx.dialect == SQLite { // SQLite: AUTOINCREMENT keeps its own table
		queries = []string{`INSERT INTO sqlite_sequence (name, seq) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)`,
			`UPDATE sqlite_sequence SET seq = $2 WHERE name = $1 AND seq < $2`}
	}
	for _, q := range queries {
		if _, err := tx.ExecContext(ctx, q, table, last); err != nil {
			return fmt.Errorf("leap over ids of %s: %w", table, err)
		}
	}
	return nil
}
