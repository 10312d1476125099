package recipients_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

// habac is another province's directory of few units and hardly an alias: nothing in the resolver may lean on Kon Tum.
func habac(t *testing.T) *recipients.Directory {
	t.Helper()
	d, err := recipients.ReadDirectory(strings.NewReader("code,name,kind,parent,aliases\n"+
		"ubnd,Ủy ban nhân dân tỉnh Hà Bắc,uy-ban-tinh,,UBND tỉnh\n"+
		"vp,Văn phòng Ủy ban nhân dân tỉnh Hà Bắc,van-phong,ubnd,\n"+
		"sotc,Sở Tài chính tỉnh Hà Bắc,so,ubnd,\n"+
		"sokh,Sở Kế hoạch và Đầu tư tỉnh Hà Bắc,so,ubnd,\n"+
		"lucngan,Ủy ban nhân dân huyện Lục Ngạn,huyen,ubnd,\n"+
		"yendung,Ủy ban nhân dân huyện Yên Dũng,huyen,ubnd,\n"+
		"tpbg,Ủy ban nhân dân thành phố Bắc Giang,huyen,ubnd,\n"+
		"congan,Công an tỉnh Hà Bắc,luc-luong,,\n"+
		"n-huyen,\"Ủy ban nhân dân các huyện, thành phố\",nhom,ubnd,\n"), strings.NewReader("code,member_kinds,member_codes\nn-huyen,huyen,\n"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestResolveInAnotherProvince(t *testing.T) {
	d := habac(t)
	for _, c := range []struct{ issuer, entry, want string }{
		{"ubnd", "Sở Tài chính", "sotc"},
		{"ubnd", "Các Sở: TC, KH&ĐT", "sokh sotc"},
		{"ubnd", "STC; Sở KHĐT tỉnh Hà Bắc", "sokh sotc"},
		{"ubnd", "UBND các huyện, TP", "lucngan tpbg yendung"},
		{"ubnd", "UBND các huyện (trừ Lục Ngạn)", "yendung"},
		{"ubnd", "UBND huyện Lục Ngạn, UBND TP Bắc Giang", "lucngan tpbg"},
		{"ubnd", "UBND thành phố", "tpbg"},
		{"sotc", "VP UBND tỉnh, CA tỉnh", "congan vp"},
		{"sotc", "Đ/c Chủ tịch UBND tỉnh", "ubnd"},
		{"sotc", "Các Sở, ban, ngành", "open"}, // no such group here
		{"sotc", "Công an tỉnh Kon Tum", "open"},
		{"sotc", "UBND huyện Sa Thầy", "open"},
		{"lucngan", "CT, các PCT UBND huyện", "excused"},
		{"", "Sở Tài chính", "sotc"},
		{"", "Công an", "open"},
	} {
		lines := d.Resolve(recipients.Request{Issuer: recipients.UnitCode(c.issuer), NoiNhan: "- " + c.entry})
		if got := outcomeOf(lines, c.entry); got != c.want {
			t.Errorf("%s | %s: got %s, want %s", c.issuer, c.entry, got, c.want)
		}
	}
}

func TestOpenLinesOfferCandidates(t *testing.T) {
	d := kontum(t)
	for entry, want := range map[string]recipients.UnitCode{"Sở Y tá": "syt", "Bảo hiểm xã hội VN": "bhxh", "BQL khu KT": "bqlkktboy"} {
		l := d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: "- " + entry})[0]
		if l.Result == recipients.Resolved && len(l.Codes) == 1 && l.Codes[0] == want {
			continue
		}
		found := false
		for _, c := range l.Candidates {
			found = found || c.Code == want && c.Why != "" && c.Name != ""
		}
		if l.Result != recipients.Open || !found {
			t.Errorf("%s: %+v", entry, l)
		}
	}
}

// TestTheRightUnitIsAmongTheCandidates reads lines that were judged by hand.
func TestTheRightUnitIsAmongTheCandidates(t *testing.T) {
	d := kontum(t)
	file, err := os.ReadFile("testdata/resolve-candidates.txt")
	if err != nil {
		t.Fatal(err)
	}
	n, found := 0, 0
	for line := range strings.Lines(string(file)) {
		entry, want, ok := strings.Cut(strings.TrimSpace(line), " | ")
		if !ok || line[0] == '#' {
			continue
		}
		n++
		l := d.Resolve(recipients.Request{Date: "2009-06-01", Issuer: "ubndtinh", NoiNhan: "- " + entry + ";"})[0]
		if l.Result != recipients.Open || len(l.Candidates) > 3 {
			t.Errorf("%s: %s with %d candidates", entry, l.Result, len(l.Candidates))
		}
		if slices.ContainsFunc(l.Candidates, func(c recipients.Candidate) bool { return string(c.Code) == want }) {
			found++
		} else {
			t.Logf("%s: no %s among %v", entry, want, l.Candidates)
		}
	}
	if n < 40 || 10*found < 9*n {
		t.Errorf("the right unit is among the candidates of %d of %d", found, n)
	}
}

func TestKinhGuiStandsForItselfWithoutAReference(t *testing.T) {
	d := kontum(t)
	lines := d.Resolve(recipients.Request{Issuer: "stc", KinhGui: "Kính gửi: UBND tỉnh", NoiNhan: "Nơi nhận:\n- Sở Nội vụ;\n- Lưu: VT."})
	if len(lines) != 3 || lines[0].Block != "kinh_gui" || lines[0].Codes[0] != "ubndtinh" || lines[1].Block != "noi_nhan" || lines[2].Result != recipients.Excused {
		t.Errorf("%+v", lines)
	}
	lines = d.Resolve(recipients.Request{Issuer: "stc", NoiNhan: "- Như trên;"})
	if len(lines) != 1 || lines[0].Result != recipients.Open || !strings.Contains(lines[0].Why, "Kính gửi") {
		t.Errorf("Như trên above nothing: %+v", lines)
	}
	if lines := d.Resolve(recipients.Request{}); len(lines) != 0 {
		t.Errorf("nothing gives %+v", lines)
	}
}

func TestArticlesAreReadByNumber(t *testing.T) {
	d := kontum(t)
	body := "Điều 1. Ban hành quy chế.\nĐiều 2. Quyết định này có hiệu lực từ ngày ký.\n" +
		"Điều 3. Quyết định có hiệu lực kể từ ngày ký. Giám đốc Sở Y tế, Trưởng Ban Dân tộc và Thủ trưởng các đơn vị có liên quan chịu trách nhiệm thi hành./."
	for entry, want := range map[string]string{"Như Điều 3": "bdt syt", "Như điều 3 (t/h)": "bdt syt", "Như Điều 2": "open", "Như Điều 7": "open"} {
		lines := d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: "- " + entry, Body: body})
		if got := outcomeOf(lines, entry); got != want {
			t.Errorf("%s: %s, want %s", entry, got, want)
		}
	}
	lines := d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: "- Như Điều 3", Body: body, Articles: map[int]string{3: "Giám đốc Sở Nội vụ chịu trách nhiệm thi hành."}})
	if got := outcomeOf(lines, "Như Điều 3"); got != "snv" {
		t.Errorf("a given article does not come first: %s", got)
	}
	articles := recipients.Articles(body)
	if len(articles) != 3 || !strings.HasPrefix(articles[1], "Ban hành") {
		t.Errorf("articles %v", articles)
	}
}
