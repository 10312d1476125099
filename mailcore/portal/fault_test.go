package portal_test

import (
	"slices"
	"testing"
)

func TestFaultIsToldByTheForm(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.browser()
		b.login(issued)
		b.post("/account/password", "current", issued, "next", chosen, "again", chosen)
		b.want(200, "/account", "Báo sự cố, lộ mật khẩu, thư rác", "Gửi báo")
		for _, bad := range [][2]string{{"spam", " \n"}, {"khác", "Có <b>thư lạ</b>"}} {
			b.post("/account/fault", "kind", bad[0], "words", bad[1])
			b.want(422, "/account/fault", "role=\"alert\"", "Hãy kể chuyện gì xảy ra")
		}
		b.post("/account/fault", "kind", "spam", "words", "Có thư lạ đòi mật khẩu")
		b.want(200, "/account", "Đã gửi báo.")
		if !slices.Equal(h.faults, []string{address + " spam: Có thư lạ đòi mật khẩu"}) {
			t.Errorf("told %q", h.faults)
		}
	})
}
