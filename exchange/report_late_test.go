package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
)

func TestLateSaysWhatAndWhose(t *testing.T) {
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		ctx := context.Background()
		h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc", "Hội NCT=giay", "UBND=ubnd"))
		h.move(t, "stc", "Đã tiếp nhận")
		h.move(t, "ubnd", "Hoàn thành")
		if late, _, err := h.ListLate(ctx, ""); err != nil || len(late) != 0 {
			t.Fatalf("at once: %+v %v", late, err)
		}
		h.ahead.Add(int64(10 * 24 * time.Hour)) // stc has fifteen working days
		late, more, err := h.ListLate(ctx, "")
		if err != nil || more {
			t.Fatal(err)
		}
		got := ""
		for _, l := range late {
			got += fmt.Sprintf("%s: %s %s, %s; ", l.Owner, l.Reference, l.Name, l.What)
			if l.LateHours <= 0 || l.Deadline.IsZero() || l.OwnerName == string(l.Owner) {
				t.Errorf("%+v", l)
			}
		}
		want := "snv: 01/SNV-VP Hội Người cao tuổi tỉnh Thử, chưa đến: gửi lại hoặc gửi cách khác; syt: 01/SNV-VP Sở Y tế tỉnh Thử, mở và tiếp nhận; "
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		h.ahead.Add(int64(30 * 24 * time.Hour))
		late, _, err = h.ListLate(ctx, "stc")
		if err != nil || len(late) != 1 || late[0].Handling != exchange.Accepted || !strings.Contains(late[0].What, "giải quyết") {
			t.Errorf("%+v %v", late, err)
		}
	})
}
