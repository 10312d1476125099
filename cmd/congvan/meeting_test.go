package main

import (
	"testing"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/exchange/meeting"
)

// What the clerk types about the time holds, and what differs from the page waits to be confirmed.
func TestClerkGivesTheTime(t *testing.T) {
	invite := func(body string) *candidate {
		r := &reading{draft: &intake.Draft{Heading: intake.Heading{Type: "Giấy mời", Date: "2026-11-18"}, Body: body}}
		m, _ := r.meeting()
		return &candidate{r: r, p: &exchange.Proposal{IssuedOn: "2026-11-18", Meeting: m}}
	}
	const sure = "Thời gian: 8h00 ngày 25/11/2026 (thứ Tư)\nĐịa điểm: Phòng 1"
	for _, x := range []struct {
		body  string
		typed said
		want  string
		wait  int
	}{
		{sure, said{}, "08:00, 25/11/2026; tại Phòng 1 (kèm lịch trong thư)", 0},
		{sure, said{At: "Phòng 2"}, "08:00, 25/11/2026; tại Phòng 2 (kèm lịch trong thư)", 0},
		{sure, said{Time: "không"}, "", 0},
		{sure, said{Time: "14h00 ngày 25/11/2026"}, "14:00, 25/11/2026; tại Phòng 1 (kèm lịch trong thư)", 1},
		{"Thời gian: sẽ báo sau", said{}, "", 0},
		{"Thời gian: sẽ báo sau", said{Time: "từ 8h00 đến 11h30, ngày 25/11/2026", At: "Hội trường"}, "08:00 đến 11:30, 25/11/2026; tại Hội trường (kèm lịch trong thư)", 0},
		{"", said{Time: "sáng ngày 25/11/2026"}, "buổi sáng, 25/11/2026 (kèm lịch trong thư)", 0},
	} {
		c := invite(x.body)
		if err := c.setMeeting(x.typed); err != nil {
			t.Errorf("%+v: %v", x.typed, err)
		}
		if got := meetingText(c.p.Meeting, nil); got != x.want || len(c.p.Differences) != x.wait {
			t.Errorf("%q, %+v: %q, %d differences", x.body, x.typed, got, len(c.p.Differences))
		}
	}
	for _, bad := range []string{"lúc nào đó", "8h00 ngày 1/1/2009", "8h00"} {
		if err := invite(sure).setMeeting(said{Time: bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	unread := invite(sure).r
	unread.draft.Unread = []int{2}
	if m, err := unread.meeting(); m != nil || err != meeting.ErrUnsure {
		t.Errorf("with a page that nobody could read: %v, %v", m, err)
	}
}
