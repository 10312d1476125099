package exchange_test

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// Rows of a program that wrote no events yet are held from the first event on; those of several clerks at once each have theirs.
func TestRefusalsOfSecretDocumentsAreChained(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.exec(t, `INSERT INTO refusal (at, agency, actor, secrecy) VALUES (1, 'snv', 'văn thư', 'MẬT'), (2, 'snv', 'văn thư', 'TỐI MẬT')`)
		h.mustBeSound(t)
		var all errgroup.Group
		for range 8 {
			all.Go(func() error { return h.RefuseSecret(ctx, clerk, "snv", "MẬT") })
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		if n := h.one(t, `SELECT count(*) FROM event WHERE kind = 'secret_refused'`); n != 8 {
			t.Errorf("%d events", n)
		}
		h.mustBeSound(t)
		h.exec(t, `DELETE FROM refusal WHERE secrecy = 'TỐI MẬT'`)
		if found, err := h.Check(ctx); err != nil || !strings.Contains(strings.Join(found, "\n"), "refusal: of the rows up to") {
			t.Errorf("an old row was removed: %q %v", found, err)
		}
		h.exec(t, `INSERT INTO refusal (id, at, agency, actor, secrecy) VALUES (2, 2, 'snv', 'văn thư', 'TỐI MẬT')`)
	})
}
