package exchange_test

import (
	"context"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
)

// An officer acts for the unit under a written delegation and not otherwise; the act says who, and by which paper.
func TestOfficerActsForTheUnitUnderADelegation(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		const officer = "an.syt@tinh.test"
		if _, err := h.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: officer, Kind: mailcore.Officer, Name: "An", Unit: "syt"}}); err != nil {
			t.Fatal(err)
		}
		st := h.issue(t, proposal("52/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc"))
		say := func(unit, line string) *exchange.StatusDispatch {
			t.Helper()
			d := copyTo(t, st, unit)
			h.submit(t, officer, officer, exchange.ReplyMailbox+"+"+d.Dispatch.Token(), "From: "+officer+"\n\n"+line+"\n")
			return copyTo(t, h.status(t, st.Document.ID), unit)
		}
		if d := say("syt", "Đã tiếp nhận, số đến 4"); d.Handling != exchange.Received || !d.Happened(exchange.EventUnverified) {
			t.Errorf("without a delegation: %s", d.Handling)
		}
		today := mailcore.CivilDate(time.Now().Add(-24 * time.Hour))
		if _, err := h.mail.Delegate(ctx, officer, "syt@tinh.test", "12/GUQ-SYT", today, "2126-12-31"); err != nil {
			t.Fatal(err)
		}
		d := say("syt", "Đã tiếp nhận, số đến 5")
		if d.Handling != exchange.Accepted || d.ArrivalNumber != "5" {
			t.Errorf("under a delegation: %s %q", d.Handling, d.ArrivalNumber)
		}
		var by string
		for _, e := range d.Events {
			if e.Event == string(exchange.Accepted) {
				by = e.Actor
			}
		}
		if by != officer+" (12/GUQ-SYT)" {
			t.Errorf("accepted by %q", by)
		}
		if d := say("stc", "Đã tiếp nhận, số đến 1"); d.Handling != exchange.Received {
			t.Errorf("for another unit: %s", d.Handling)
		}
	})
}
