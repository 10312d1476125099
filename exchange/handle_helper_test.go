package exchange_test

import (
	"context"
	"testing"

	"congvan/mailcore/sqldb"
)

// get reads one row.
func (h *house) get(t testing.TB, dest any, query string, args ...any) {
	t.Helper()
	ctx := context.Background()
	if err := h.db.Read(ctx, func(tx *sqldb.Tx) error { return tx.GetContext(ctx, dest, query, args...) }); err != nil {
		t.Fatal(err)
	}
}
