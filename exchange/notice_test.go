package exchange_test

import (
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

func TestNoticeIsToldOnce(t *testing.T) {
	forEachHouseUnchecked(t, func(t *testing.T, h *house) {
		n := exchange.Notice{Key: "chứng thư 1/60", To: []mailcore.Address{"snv@" + domain, "khongco@" + domain}, Subject: "Chứng thư số sắp hết hạn", Text: "Gia hạn."}
		for i := range 3 {
			told, err := h.Tell(t.Context(), n)
			if err != nil || told != (i == 0) {
				t.Fatalf("time %d: told %t, %v", i, told, err)
			}
		}
		n.Key = "chứng thư 1/30"
		if told, err := h.Tell(t.Context(), n); err != nil || !told {
			t.Errorf("another notice: %t, %v", told, err)
		}
		n.Key, n.To = "nobody", nil
		if told, err := h.Tell(t.Context(), n); err != nil || !told {
			t.Errorf("to nobody: %t, %v", told, err)
		}
		if _, _, rows := h.inbox(t, "snv"); len(rows) != 2 {
			t.Errorf("%d letters", len(rows))
		}
		h.mustBeSound(t)
		err := h.db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE event SET actor = 'ai đó' WHERE chain = 0 AND ordinal = 1`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if found, err := h.Check(t.Context()); err != nil || len(found) == 0 {
			t.Errorf("a changed event of the gateway: %v, %v", found, err)
		}
	})
}
