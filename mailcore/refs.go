package mailcore

import (
	"context"
	"fmt"

	"congvan/mailcore/sqldb"
)

// RefCounts returns how many copies lie in all mailboxes for each ref, so that the room above can prove that none of its
// copies is lost.
func (s *Store) RefCounts(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Ref string `db:"ref"`
		N   int    `db:"n"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT ref, count(*) AS n FROM mailbox_message WHERE ref <> '' GROUP BY ref`)
	})
	if err != nil {
		return nil, fmt.Errorf("count copies: %w", err)
	}
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		counts[r.Ref] = r.N
	}
	return counts, nil
}
