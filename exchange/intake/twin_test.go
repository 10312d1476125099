package intake_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"congvan/exchange/intake"
)

// page is a draft as it is read from a decision of the province.
func page() *intake.Draft {
	return &intake.Draft{
		Heading: intake.Heading{Type: "Quyết định", Reference: "05/2009/QĐ-UBND", Number: "05", Year: "2009", Symbol: "QĐ-UBND", Place: "Kon Tum",
			Date: "2009-03-18", Subject: "Về việc ban hành Qui định quản lý, sử dụng hệ thống thư điện tử – giai đoạn 2009-2012",
			Issuer: "ỦY BAN NHÂN DÂN TỈNH KON TUM", IssuerName: "UBND tỉnh Kon Tum"},
		NoiNhan: []string{"- Như Điều 3;", "- Văn phòng Chính phủ (b/c);", "- TT Tỉnh ủy, TT HĐND tỉnh;", "- Các Sở, Ban, Ngành;", "- Báo Kon Tum, Đài PTTH tỉnh;", "- Lưu: VT, TH2."},
		Signer:  "Nguyễn Thị Thuỷ",
		Pages:   7,
		Body:    "Ban hành kèm theo Quyết định này Quy định và Phụ lục II.\nThực hiện theo Phụ lục I ban hành kèm theo Nghị định số 30/2020/NĐ-CP.",
		Places: map[intake.FieldName][]intake.Place{intake.FieldNumber: {{Page: 1, X0: 80, Y0: 90, X1: 200, Y1: 104}},
			intake.FieldSubject: {{Page: 1, X0: 100, Y0: 140, X1: 500, Y1: 170}}, intake.FieldNoiNhan: {{Page: 2, X0: 80, Y0: 600, X1: 300, Y1: 750}},
			intake.FieldSigner: {{Page: 2, X0: 350, Y0: 700, X1: 480, Y1: 714}}, intake.FieldDate: {{Page: 1, X0: 300, Y0: 90, X1: 500, Y1: 104}}},
	}
}

// said is what a clerk types for that page, in habits of its own.
func said() intake.Said {
	return intake.Said{Reference: "05/2009/QĐ - UBND", Date: "18/3/2009", Type: "QUYẾT ĐỊNH",
		Abstract: "về việc ban hành  qui định quản lý, sử dụng hệ thống thư điện tử - giai đoạn 2009–2012.",
		Issuer:   "Uỷ ban nhân dân tỉnh Kon Tum", Signer: norm.NFD.String("Nguyễn Thị Thủy"), Secrecy: "Không", Urgency: "Thường", Pages: 7,
		NoiNhan: []string{"Các Sở, Ban, Ngành", "Như Điều 3", "Văn phòng Chính phủ (b/c)", "TT Tỉnh uỷ, TT HĐND tỉnh", "Báo Kon Tum", "Đài PTTH tỉnh", "Lưu: VT, TH2"}}
}

func TestHabitsOfWritingAreNoDifference(t *testing.T) {
	for _, d := range intake.Compare(page(), said()) {
		t.Errorf("false alarm: %+v", d)
	}
	for _, d := range intake.Compare(page(), intake.Said{}) {
		t.Errorf("nothing said, yet: %+v", d)
	}
}

func TestEveryOtherTextIsADifference(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*intake.Said)
		field  intake.FieldName
		grave  intake.Gravity
		says   string
	}{
		"another number":       {func(s *intake.Said) { s.Reference = "15/2009/QĐ-UBND" }, intake.FieldNumber, intake.GraveReal, "«05/2009/QĐ-UBND»"},
		"no year":              {func(s *intake.Said) { s.Reference = "05/QĐ-UBND" }, intake.FieldNumber, intake.GraveReal, "Số, ký hiệu"},
		"D for Đ":              {func(s *intake.Said) { s.Reference = "05/2009/QD-UBND" }, intake.FieldNumber, intake.GraveReal, "trên trang"},
		"no zero":              {func(s *intake.Said) { s.Reference = "5/2009/QĐ-UBND" }, intake.FieldNumber, intake.GraveSpelling, "cách viết"},
		"another day":          {func(s *intake.Said) { s.Date = "2009-03-19" }, intake.FieldDate, intake.GraveReal, "19/03/2009"},
		"no date":              {func(s *intake.Said) { s.Date = "31/2/2009" }, intake.FieldDate, intake.GraveDoubt, "không phải là ngày"},
		"another type":         {func(s *intake.Said) { s.Type = "Chỉ thị" }, intake.FieldType, intake.GraveReal, "«Quyết định»"},
		"a word less":          {func(s *intake.Said) { s.Abstract = strings.Replace(s.Abstract, "quản lý, ", "", 1) }, intake.FieldSubject, intake.GraveReal, "Trích yếu"},
		"i for y":              {func(s *intake.Said) { s.Abstract = strings.Replace(s.Abstract, "qui", "quy", 1) }, intake.FieldSubject, intake.GraveSpelling, "cách viết"},
		"a tone more":          {func(s *intake.Said) { s.Abstract = strings.Replace(s.Abstract, "thư", "thứ", 1) }, intake.FieldSubject, intake.GraveReal, "«"},
		"another year in it":   {func(s *intake.Said) { s.Abstract = strings.Replace(s.Abstract, "2012", "2013", 1) }, intake.FieldSubject, intake.GraveReal, "2013"},
		"another province":     {func(s *intake.Said) { s.Issuer = "UBND tỉnh Gia Lai" }, intake.FieldIssuer, intake.GraveReal, "Gia Lai"},
		"another name":         {func(s *intake.Said) { s.Signer = "Nguyễn Thị Thùy" }, intake.FieldSigner, intake.GraveReal, "Người ký"},
		"a name without marks": {func(s *intake.Said) { s.Signer = "Nguyen Thi Thuy" }, intake.FieldSigner, intake.GraveSpelling, "Người ký"},
		"a mark not there":     {func(s *intake.Said) { s.Secrecy = "Mật" }, intake.FieldSecrecy, intake.GraveReal, "Độ mật"},
		"pages":                {func(s *intake.Said) { s.Pages = 8 }, intake.FieldPages, intake.GraveReal, "tệp có 7 trang"},
		"a line less":          {func(s *intake.Said) { s.NoiNhan = s.NoiNhan[1:] }, intake.FieldNoiNhan, intake.GraveReal, "Các Sở, Ban, Ngành"},
		"a line more":          {func(s *intake.Said) { s.NoiNhan = append(s.NoiNhan, "Kho bạc Nhà nước tỉnh") }, intake.FieldNoiNhan, intake.GraveReal, "Kho bạc"},
		"an annex not there": {func(s *intake.Said) {
			s.Annexes, s.Found, s.Files = []string{"Danh sách thiết bị"}, []intake.Annex{}, []string{"Phụ lục II.xlsx"}
		}, intake.FieldAnnex, intake.GraveReal, "Danh sách thiết bị"},
		"an annex spoken of": {func(s *intake.Said) { s.Files = []string{} }, intake.FieldAnnex, intake.GraveDoubt, "«Phụ lục II»"},
	} {
		t.Run(name, func(t *testing.T) {
			s := said()
			c.change(&s)
			got := intake.Compare(page(), s)
			if len(got) != 1 || got[0].Field != c.field || got[0].Gravity != c.grave || !strings.Contains(got[0].Message, c.says) {
				t.Fatalf("differences are %+v, want one of %s, %s, with %q", got, c.field, c.grave, c.says)
			}
			if want := page().Places[c.field]; !slices.Equal(got[0].Places, want) && c.field != intake.FieldType {
				t.Errorf("place is %v, want %v", got[0].Places, want)
			}
			if alarms := intake.Alarms(got); (len(alarms) == 0) != (c.grave == intake.GraveSpelling) {
				t.Errorf("alarms are %v of %v", alarms, got)
			}
		})
	}
}

func TestALineChangedIsToldAsOneDifference(t *testing.T) {
	s := said()
	s.NoiNhan[2] = "Văn phòng Chủ tịch nước (b/c)"
	s.NoiNhan[1] = "Như Điều 4"
	got := intake.Compare(page(), s)
	found := []string{}
	for _, d := range got {
		found = append(found, d.Said+" | "+d.Found)
	}
	if !slices.Contains(found, "Như Điều 4 | Như Điều 3") {
		t.Errorf("differences are %q", found)
	}
}

func TestMarksOnThePageCountWhenNothingWasSaid(t *testing.T) {
	p := page()
	p.Secrecy, p.Urgency = "Mật", "Khẩn"
	got := intake.Compare(p, said())
	if len(got) != 2 || got[0].Found != "Mật" || got[1].Found != "Khẩn" || got[0].Gravity != intake.GraveReal {
		t.Errorf("differences are %+v", got)
	}
}

func TestWhatOCRMayHaveMisreadIsADoubt(t *testing.T) {
	p := page()
	p.Scan = true
	p.Heading.Subject = strings.Replace(p.Heading.Subject, "điện tử", "điện tư", 1)
	p.Heading.Date = "2009-03"
	p.Signer = ""
	got := intake.Compare(p, said())
	fields := []intake.FieldName{}
	for _, d := range got {
		fields = append(fields, d.Field)
		if d.Gravity != intake.GraveDoubt {
			t.Errorf("%s is %s: %s", d.Field, d.Gravity, d.Message)
		}
	}
	if !slices.Equal(fields, []intake.FieldName{intake.FieldDate, intake.FieldSubject, intake.FieldSigner}) {
		t.Errorf("fields are %v", fields)
	}
	s := said()
	s.Abstract = strings.Replace(s.Abstract, "2009–2012", "2009–2015", 1)
	for _, d := range intake.Compare(p, s) {
		if d.Field == intake.FieldSubject && d.Gravity != intake.GraveReal {
			t.Errorf("figures differ, yet %s", d.Gravity)
		}
	}
}

func TestIssuersAreTheSameInFullAndShort(t *testing.T) {
	for _, c := range []struct {
		said, issuer, superior, place, name string
		same                                bool
	}{
		{"Sở TT&TT tỉnh Kon Tum", "SỞ THÔNG TIN VÀ TRUYỀN THÔNG", "UBND TỈNH KON TUM", "Kon Tum", "Sở Thông tin và Truyền thông", true},
		{"Sở Thông tin và Truyền thông", "SỞ THÔNG TIN VÀ TRUYỀN THÔNG", "UBND TỈNH KON TUM", "Kon Tum", "Sở Thông tin và Truyền thông tỉnh Kon Tum", true},
		{"Sở Nội vụ", "SỞ TÀI CHÍNH", "UBND TỈNH KON TUM", "Kon Tum", "Sở Tài chính tỉnh Kon Tum", false},
		{"Sở Tài chính tỉnh Gia Lai", "SỞ TÀI CHÍNH", "UBND TỈNH KON TUM", "Kon Tum", "Sở Tài chính tỉnh Kon Tum", false},
		{"UBND huyện Đăk Hà", "ỦY BAN NHÂN DÂN HUYỆN ĐẮK HÀ", "", "Đắk Hà", "UBND huyện Đắk Hà", true},
		{"UBND huyện Đăk Tô", "ỦY BAN NHÂN DÂN HUYỆN ĐẮK HÀ", "", "Đắk Hà", "UBND huyện Đắk Hà", false},
	} {
		d := &intake.Draft{Heading: intake.Heading{Issuer: c.issuer, Superior: c.superior, Place: c.place, IssuerName: c.name}}
		got := intake.Alarms(intake.Compare(d, intake.Said{Issuer: c.said}))
		if (len(got) == 0) != c.same {
			t.Errorf("%s and %s: %+v", c.said, c.issuer, got)
		}
	}
}

func TestAnnexesAreMatchedByNumberAndTitle(t *testing.T) {
	p := page()
	p.Body = "Chi tiết tại Phụ lục I, Phụ lục số 02 và Phụ lục III kèm theo."
	s := said()
	s.Found = []intake.Annex{{Number: "I", Title: "DANH MỤC THIẾT BỊ", Page: 3, Marked: true}, {Number: "2", Title: "DỰ TOÁN", Page: 5, Marked: true}}
	s.Files = []string{"Phu_luc_III.xlsx", "Bảng tổng hợp kinh phí.docx"}
	s.Annexes = []string{"Phụ lục II: Dự toán", "Danh mục thiết bị", "phụ lục 3", "Bảng tổng hợp kinh phí"}
	if got := intake.Compare(p, s); len(got) != 0 {
		t.Errorf("all are there, yet %+v", got)
	}
	s.Annexes = s.Annexes[1:]
	got := intake.Compare(p, s)
	if len(got) != 1 || got[0].Found != "Phụ lục 2" || len(got[0].Places) != 1 {
		t.Errorf("one was not named, yet %+v", got)
	}
}

// TestSamplesAgreeWithTheirTruth compares each sample with what its truth says, which is how a clerk types it.
func TestSamplesAgreeWithTheirTruth(t *testing.T) {
	r := openReader(t)
	for _, name := range []string{"01-quyet-dinh-22-2009", "02-cong-van-stttt", "03-giay-moi-ubnd", "05-bao-cao-ubnd-huyen", "09-quyet-dinh-2024"} {
		data := sample(t, name)
		d, err := r.Read(t.Context(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		want := readTruth(t, "testdata/samples/"+name+".json")
		s := intake.Said{Reference: want.Reference, Date: *want.Date, Type: want.Type, Abstract: want.Subject, Issuer: want.Issuer, Signer: strings.ToUpper(*want.Signer),
			KinhGui: want.KinhGui, NoiNhan: want.NoiNhan, Pages: d.Pages}
		if want.Urgency != nil {
			s.Urgency = strings.ToUpper(*want.Urgency)
		}
		for _, diff := range intake.Compare(d, s) {
			t.Errorf("%s: %+v", name, diff)
		}
		s.Abstract += " (lần hai)"
		if got := intake.Compare(d, s); len(got) != 1 || len(got[0].Places) == 0 || got[0].Places[0].Page != 1 {
			t.Errorf("%s: a changed abstract is %+v", name, got)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("05/2009/QĐ-UBND", "18/3/2009", "Về việc", "- Lưu: VT;\nSở X")
	f.Add("", "", "\xff\xfe", ";;;;")
	f.Fuzz(func(t *testing.T, ref, date, text, lines string) {
		s := intake.Said{Reference: ref, Date: date, Type: text, Abstract: text, Issuer: text, Signer: text, Secrecy: text, Urgency: text,
			KinhGui: []string{lines}, NoiNhan: []string{lines, text}, Annexes: []string{text, lines}, Files: []string{ref}}
		for _, d := range intake.Compare(page(), s) {
			if d.Message == "" || utf8.ValidString(strings.Join([]string{ref, date, text, lines}, " ")) && !utf8.ValidString(d.Message) {
				t.Errorf("bad message in %+v", d)
			}
		}
		same := intake.Said{Abstract: text, NoiNhan: []string{lines}}
		p := &intake.Draft{Heading: intake.Heading{Subject: text}, NoiNhan: []string{lines}}
		if got := intake.Compare(p, same); len(got) > 0 && got[0].Gravity == intake.GraveReal && text != "" {
			t.Errorf("a text differs from itself: %+v", got)
		}
	})
}
