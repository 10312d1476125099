package recipients_test

import (
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

// outcomeOfBlock is outcomeOf for a whole block, the archive line left out.
func outcomeOfBlock(lines []recipients.Line) string {
	var codes, open []string
	for _, l := range lines {
		for _, c := range l.Codes {
			codes = append(codes, string(c))
		}
		if l.Result == recipients.Open {
			open = append(open, l.Text)
		}
	}
	slices.Sort(codes)
	return strings.TrimSpace(strings.Join(slices.Compact(codes), " ") + " + " + strings.Join(open, " + "))
}

func TestListsOfMembersStayWholeInBlocks(t *testing.T) {
	d := kontum(t)
	for _, c := range []struct{ to, block, want string }{
		{"Kính gửi: UBND các huyện: Sa Thầy; Kon Rẫy; Đăk Hà", "- Như trên;\n- Lưu: VT.", "dakha konray sathay +"},
		{"UBND các huyện: Sa Thầy;\nKon Rẫy; Đăk Hà.", "- Như trên;\n- Lưu: VT.", "dakha konray sathay +"},
		{"Giám đốc các Sở: Công Thương; Tài nguyên & Môi trường; Y tế", "", "sct stnmt syt +"},
		{"", "- UBND các huyện:\n + Sa Thầy;\n + Kon Rẫy;\n- Sở Y tế;\n- Lưu: VT.", "konray sathay syt +"},
		{"", "- UBND các huyện: Sa Thầy;\nKon Rẫy; Đăk Hà;\n- Sở Y tế;\n- Lưu: VT.", "dakha konray sathay syt +"},
		{"", "- UBND các huyện: Sa Thầy; Kon\nRẫy; Đăk Hà;\n- Sở Y tế;\n- Lưu: VT.", "dakha konray sathay syt +"},
		{"", "- UBND các huyện: Sa Thầy; Kon Rẫy; Nguyễn Văn An\n- Lưu: VT.", "konray sathay +"},
		{"KÍNH GỬI: ỦY BAN NHÂN DÂN CÁC HUYỆN: SA THẦY; KON RẪY; ĐĂK HÀ", "- NHƯ TRÊN;\n- LƯU: VT.", "dakha konray sathay +"},
		{"", "- Ông Trần A; huyện Sa Thầy;\n- Lưu: VT.", "sathay + Ông Trần A; huyện Sa Thầy: Ông Trần A"},
		{"Kính gửi: UBND các huyện Sa Thầy; Kon Rẫy; Đăk Hà.", "- Như trên;", "dakha konray sathay +"},
		{"", "- UBND các huyện Sa Thầy; Kon Rẫy; Đăk Hà;\n- Lưu: VT.", "dakha konray sathay +"},
		{"- UBND huyện, thị xã: Sa Thầy; Kon Tum;", "", "sathay txkontum +"},
		{"", "Nơi nhận:\nSỞ Y TẾ, BAN DÂN TỘC;\nSỞ TÀI CHÍNH;\nLƯU: VT.", "bdt stc syt +"},
		{"Kính gửi: SỞ Y TẾ, BAN DÂN TỘC", "- Như trên;\n- Lưu: VT.", "bdt syt +"},
		{"SỞ Y TẾ; BAN DÂN TỘC", "", "bdt syt +"},
		{"- SỞ Y TẾ; BAN DÂN TỘC;\n- UBND HUYỆN SA THẦY.", "- Như trên;", "bdt sathay syt +"},
		{"Kính gửi: Sở Tài chính, SỞ Y TẾ", "", "stc syt +"},
		{"", "- SỞ Y TẾ;\n- Sở Tài chính;\n- Lưu: VT.", "stc syt +"},
		{"", "- Sở Tài chính; CHỦ TỊCH\n- Sở Y tế; PHÓ CHỦ TỊCH\n- Lưu: VT.", "stc syt +"},
	} {
		got := outcomeOfBlock(d.Resolve(recipients.Request{KinhGui: c.to, NoiNhan: c.block}))
		if got != c.want {
			t.Errorf("%q %q: got %s, want %s", c.to, c.block, got, c.want)
		}
	}
}

func TestNamesThatNeedNoCopyAreSaid(t *testing.T) {
	d := kontum(t)
	lines := d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: "- Báo Gia Lai, Báo Kon Tum;\n- Lưu: VT."})
	said := slices.ContainsFunc(lines, func(l recipients.Line) bool {
		return l.Result == recipients.Excused && strings.HasSuffix(l.Text, ": Báo Gia Lai") && l.Why != ""
	})
	if !said || lines[0].Result != recipients.Resolved || len(lines) != 3 {
		t.Errorf("%+v", lines)
	}
}

// What the reading of a block leaves out as a scrap of another column is still said when it is a unit's name.
func TestNamesOutsideEntriesAreLeftOpen(t *testing.T) {
	d := kontum(t)
	block := "- Sở Y tế;\n- Sở Nội vụ;\n                              Sở Tài chính\n                              GIÁM ĐỐC SỞ XÂY DỰNG\n- Lưu: VT.\n    Sở Tư pháp"
	if got := outcomeOfBlock(d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: block})); got != "snv syt + Sở Tài chính" {
		t.Errorf("got %s", got)
	}
}
