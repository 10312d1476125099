package recipients_test

import (
	"strings"
	"testing"

	"congvan/recipients"
)

// TestSurenessFollowsFromWhatALineRestsOn: exact name, alias, abbreviation, corrected spelling, member of a group, each less sure than the
// one before, and each says so in Vietnamese.
func TestSurenessFollowsFromWhatALineRestsOn(t *testing.T) {
	d := kontum(t)
	last := 2.0
	for _, c := range []struct{ entry, why string }{
		{"Ủy ban nhân dân huyện Sa Thầy", "đúng tên trong danh bạ"},
		{"UBND huyện Sa Thầy", "tên gọi khác trong danh bạ"},
		{"Sở Y tế Kon Tum", "cách viết khác"},
		{"LMHTX tỉnh", "viết tắt"},
		{"Giám đốc Sở Y tế", "lãnh đạo của"},
		{"Ngân hàng Chính sách xã hội", "không ghi “tỉnh”"},
		{"Sở Nông nghiệp", "tên rút gọn"},
		{"Sở Tài nguvên và Môi trường", "lỗi nhận dạng chữ"},
		{"UBND các huyện, thị xã", "nhóm"},
	} {
		l := d.Resolve(recipients.Request{Date: "2009-06-01", Issuer: "ubndtinh", NoiNhan: "- " + c.entry + ";"})[0]
		if l.Result != recipients.Resolved || !strings.Contains(l.Why, c.why) || l.Confidence >= last || l.Confidence < 0.5 {
			t.Errorf("%s: %s %v, %q, before it %.2f", c.entry, l.Result, l.Confidence, l.Why, last)
		}
		last = l.Confidence
	}
}
