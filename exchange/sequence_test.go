package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/recipients"
)

func TestCopiesToOneRecipientStandInARow(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		for n := range 4 {
			lines := []string{"Sở Y tế=syt", "TT, VP HĐND=tthd vphd", "X>X <vt@x.test>"}
			if n%2 == 0 {
				lines = append(lines, "Sở Tài chính=stc")
			}
			h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", n+1), lines...))
		}
		for unit, last := range map[string]int64{"syt": 4, "stc": 2, "tthd": 4, "vphd": 4} {
			rows, err := h.Sequences(ctx, exchangeUnit(unit), "")
			if err != nil || len(rows) != 1 || rows[0].Last != last || rows[0].Held != last || len(rows[0].Missing) != 0 {
				t.Errorf("%s: %+v, %v", unit, rows, err)
			}
		}
		_, box, rows := h.inbox(t, "vphd")
		for i, r := range rows {
			stored, err := h.mail.Load(ctx, box.ID, []mailcore.UID{r.UID})
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{"tthd", "vphd"} {
				if want := fmt.Sprintf("X-CongVan-Sequence: n=%d; to=%s\r\n", i+1, to); !strings.Contains(string(stored[0].Prefix), want) {
					t.Errorf("mail %d has no %q in %q", i, want, stored[0].Prefix)
				}
			}
		}
	})
}

// A mailbox that lost mail, as by a backup restored into it, is found out and healed with the same ids; twice is once.
func TestGapsOfAMailboxAreFoundAndHealed(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		var refs []string
		for n := range 3 {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", n+1), "TT, VP HĐND=tthd vphd", "Sở Y tế=syt"))
			refs = append(refs, fmt.Sprint("dispatch:", int64(copyTo(t, st, "tthd").Dispatch.ID), ",", int64(copyTo(t, st, "vphd").Dispatch.ID)))
		}
		before, err := h.mail.CopiesOf(ctx, refs[1])
		if err != nil || len(before) != 1 {
			t.Fatal(before, err)
		}
		for _, ref := range refs[1:] {
			h.exec(t, `UPDATE mailbox SET bytes = bytes - (SELECT m.size FROM mailbox_message c JOIN message m ON m.id = c.message_id WHERE c.ref = '`+ref+`')
				WHERE id IN (SELECT mailbox_id FROM mailbox_message WHERE ref = '`+ref+`')`)
			h.exec(t, `DELETE FROM mailbox_message WHERE ref = '`+ref+`'`)
		}
		rows, err := h.Sequences(ctx, "vphd", "snv")
		if err != nil || len(rows) != 1 || rows[0].Held != 1 || len(rows[0].Missing) != 2 || rows[0].Missing[0].Reference != "2/SNV-VP" || rows[0].Missing[0].Place != 2 {
			t.Fatalf("%+v, %v", rows, err)
		}
		healed, err := h.Heal(ctx, clerk, "vphd", "")
		if err != nil || len(healed) != 2 {
			t.Fatalf("%+v, %v", healed, err)
		}
		for _, unit := range []string{"vphd", "tthd"} {
			if healed, err := h.Heal(ctx, clerk, exchangeUnit(unit), ""); err != nil || len(healed) != 0 {
				t.Errorf("%s again: %+v, %v", unit, healed, err)
			}
		}
		after, err := h.mail.CopiesOf(ctx, refs[1])
		if err != nil || len(after) != 1 || after[0].Digest != before[0].Digest || string(after[0].Prefix) != string(before[0].Prefix) || after[0].UID <= before[0].UID {
			t.Errorf("before %+v\nafter %+v, %v", before, after, err)
		}
	})
}

func exchangeUnit(code string) recipients.UnitCode { return recipients.UnitCode(code) }
