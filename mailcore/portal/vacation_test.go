package portal_test

import (
	"testing"
	"time"

	"congvan/mailcore"
)

func TestOfficerGivesNoticeOfAbsence(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.browser()
		b.login(issued)
		b.post("/account/password", "current", issued, "next", chosen, "again", chosen)
		today, later := mailcore.CivilDate(time.Now()), mailcore.CivilDate(time.Now().AddDate(0, 0, 9))
		b.want(200, "/account", "Báo vắng mặt", "Đặt lời báo")
		for _, bad := range [][3]string{{later, today, "Tôi đi công tác <b>xa</b>"}, {"2020-01-01", "2020-01-02", "Tôi đi công tác"}, {"x", later, "Tôi đi công tác"}, {today, later, " "}} {
			b.post("/account/vacation", "from", bad[0], "to", bad[1], "text", bad[2])
			b.want(422, "/account/vacation", "role=\"alert\"", bad[2]+"</textarea>")
		}
		b.post("/account/vacation", "from", today, "to", later, "text", "Tôi đi công tác.")
		b.want(200, "/account", "Đã đặt lời báo vắng mặt.", "Tôi đi công tác.</textarea>", "Bỏ báo vắng mặt")
		a, err := h.store.Account(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok, err := h.store.Vacation(ctx, a.ID); err != nil || !ok || v != (mailcore.Vacation{Text: "Tôi đi công tác.", From: today, To: later}) {
			t.Errorf("%+v, %t, %v", v, ok, err)
		}
		b.post("/account/vacation/end")
		b.want(200, "/account", "Đã bỏ lời báo vắng mặt.", "Đặt lời báo")
		unit, err := h.store.Account(ctx, "snv@kontum.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.store.SetVacation(ctx, unit, mailcore.Vacation{Text: "x", From: today, To: later}); err != mailcore.ErrVacationWho {
			t.Errorf("a unit is away: %v", err)
		}
	})
}
