package intake_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"congvan/exchange/intake"

	"github.com/google/go-cmp/cmp"
)

type headerRow struct {
	ID        string `json:"id"`
	RawHeader string `json:"raw_header"`
	Fields    map[string]string
}

// headerFields are the fields that a row gives and that MarshalJSON writes.
var headerFields = []string{"number", "year", "symbol", "place", "date", "type", "subject", "issuer"}

func headerRows(t testing.TB, file string) []headerRow {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []headerRow
	for line := range strings.Lines(string(data)) {
		row := headerRow{Fields: fieldsOf(t, []byte(line))}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func fieldsOf(t testing.TB, data []byte) map[string]string {
	t.Helper()
	var all map[string]*string
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for _, f := range headerFields {
		v, ok := all[f]
		if !ok {
			t.Fatalf("no key %q in %s", f, data)
		}
		if v != nil {
			fields[f] = *v
		}
	}
	return fields
}

// ratio is the similarity of Python's difflib.SequenceMatcher over letters: twice the matched ones over both lengths, where
// the longest common run is matched first and then what is left and right of it. Its autojunk rule counts too: in a
// second text of 200 letters or more, a letter that makes up over one in a hundred starts no match.
func ratio(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	if len(x)+len(y) == 0 {
		return 1
	}
	where := make(map[rune][]int)
	for j, r := range y {
		where[r] = append(where[r], j)
	}
	if n := len(y); n >= 200 {
		for r, js := range where {
			if len(js) > n/100+1 {
				delete(where, r)
			}
		}
	}
	return 2 * float64(matched(x, y, where, 0, len(x), 0, len(y))) / float64(len(x)+len(y))
}

func matched(x, y []rune, where map[rune][]int, i0, i1, j0, j1 int) int {
	bi, bj, size := i0, j0, 0
	runs := make(map[int]int)
	for i := i0; i < i1; i++ {
		next := make(map[int]int)
		for _, j := range where[x[i]] {
			if j < j0 || j >= j1 {
				continue
			}
			k := runs[j-1] + 1
			next[j] = k
			if k > size {
				bi, bj, size = i-k+1, j-k+1, k
			}
		}
		runs = next
	}
	for bi > i0 && bj > j0 && x[bi-1] == y[bj-1] {
		bi, bj, size = bi-1, bj-1, size+1
	}
	for bi+size < i1 && bj+size < j1 && x[bi+size] == y[bj+size] {
		size++
	}
	if size == 0 {
		return 0
	}
	return size + matched(x, y, where, i0, bi, j0, bj) + matched(x, y, where, bi+size, i1, bj+size, j1)
}

func TestRatioIsDifflibs(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"", "", 1}, {"abcd", "bcde", 0.75}, {"tabcd", "tbcda", 0.8}, {"kính gửi", "kính göi", 0.875},
		{strings.Repeat("ab", 150), strings.Repeat("ba", 150), 0},
	} {
		if got := ratio(c.a, c.b); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("ratio(%.10q, %.10q) = %f, want %f", c.a, c.b, got, c.want)
		}
	}
}

// TestHeadingsOfRealDocuments holds the floors on real heads: each field exact in 95 of 100, trích yếu at a ratio of 0.97 in
// 90 of 100.
func TestHeadingsOfRealDocuments(t *testing.T) {
	scoreHeadings(t, headerRows(t, "headers.jsonl"), headerFields)
}

// TestHeadingsFromOCR holds the same floors on heads of 20 made-up documents that were rendered at 85 to 150 dpi, spoilt by
// noise and read by tesseract in four ways. Their issuers are not judged: at that noise the names come out broken.
func TestHeadingsFromOCR(t *testing.T) {
	scoreHeadings(t, headerRows(t, "headers_ocr.jsonl"), headerFields[:7])
}

func scoreHeadings(t *testing.T, rows []headerRow, fields []string) {
	right, judged := make(map[string]int), make(map[string]int)
	for _, row := range rows {
		data, err := json.Marshal(intake.ParseHeading(row.RawHeader))
		if err != nil {
			t.Fatal(err)
		}
		got := fieldsOf(t, data)
		for _, f := range fields {
			if f == "subject" && row.Fields[f] == "" {
				continue
			}
			judged[f]++
			ok := got[f] == row.Fields[f]
			if f == "subject" {
				ok = ratio(got[f], row.Fields[f]) >= 0.97
			}
			if ok {
				right[f]++
			} else {
				t.Logf("%s %s: %q, want %q", row.ID, f, got[f], row.Fields[f])
			}
		}
	}
	for _, f := range fields {
		floor := 0.95
		if f == "subject" || f == "issuer" {
			floor = 0.9
		}
		t.Logf("%s %d of %d", f, right[f], judged[f])
		if float64(right[f]) < floor*float64(judged[f]) {
			t.Errorf("%s right in %d of %d", f, right[f], judged[f])
		}
	}
}

func TestParseHeading(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      intake.Heading
	}{
		{"two columns run together by an extractor",
			"        UBND TỈNH KON TUM              CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM\n            SỞ NỘI VỤ                        Độc lập - Tự do - Hạnh phúc\n" +
				"            Số: 33/LCT-SNV                   Kon Tum, ngày 11 tháng 9 năm 2009\n\n                 LỊCH CÔNG TÁC\n      Tuần 38 (từ ngày 14/9 đến ngày 18/9/2009)\n\nThứ Hai (14/9): giao ban",
			intake.Heading{Type: "Lịch công tác", Reference: "33/LCT-SNV", Number: "33", Symbol: "LCT-SNV", Place: "Kon Tum", Date: "2009-09-11",
				Subject: "Tuần 38 (từ ngày 14/9 đến ngày 18/9/2009)", Issuer: "SỞ NỘI VỤ", Superior: "UBND TỈNH KON TUM", IssuerName: "Sở Nội vụ"}},
		{"công văn, V/v beside the date",
			"SỞ TÀI CHÍNH                 CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM\n                              Độc lập - Tự do - Hạnh phúc\nSố: 1302/STC-QLNS\nV/v báo cáo tình hình thực hiện dự       Kon Tum, ngày 16 tháng 11 năm 2009\ntoán ngân sách năm 2009\n\nKHẨN\n\nKính gửi: Sở Nội vụ",
			intake.Heading{Type: "Công văn", Reference: "1302/STC-QLNS", Number: "1302", Symbol: "STC-QLNS", Place: "Kon Tum", Date: "2009-11-16",
				Subject: "báo cáo tình hình thực hiện dự toán ngân sách năm 2009", Issuer: "SỞ TÀI CHÍNH", IssuerName: "Sở Tài chính", Urgency: "Khẩn"}},
		{"HTML",
			`<table><tr><td><b>HỘI ĐỒNG NHÂN DÂN<br/>TỈNH ĐẮK NÔNG</b><br>-------</td><td><p>CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM</p><p>Độc lập – Tự do – Hạnh phúc</p></td></tr><tr><td>Số: 05/2019/NQ-HĐND</td><td><i>Đắk Nông, ngày 01 tháng 8 năm 2019</i></td></tr></table><p style="x"><b>NGHỊ QUYẾT</b></p><p><b>Quy định mức chi &amp; chế độ</b><br/>trên địa bàn tỉnh Đắk Nông</p><p><b>HỘI ĐỒNG NHÂN DÂN TỈNH ĐẮK NÔNG<br/>KHÓA III, KỲ HỌP THỨ 8</b></p><p>Căn cứ Luật</p>`,
			intake.Heading{Type: "Nghị quyết", Reference: "05/2019/NQ-HĐND", Number: "05", Year: "2019", Symbol: "NQ-HĐND", Place: "Đắk Nông", Date: "2019-08-01",
				Subject: "Quy định mức chi & chế độ trên địa bàn tỉnh Đắk Nông", Issuer: "HỘI ĐỒNG NHÂN DÂN TỈNH ĐẮK NÔNG", IssuerName: "HĐND tỉnh Đắk Nông"}},
		{"Party document",
			"TỈNH ỦY KON TUM\n*\nSố: 212-KL/TU\nĐẢNG CỘNG SẢN VIỆT NAM\nKon Tum, ngày 5 tháng 6 năm 2018\n\nKẾT LUẬN\nvề công tác cán bộ\n\nCăn cứ",
			intake.Heading{Type: "Kết luận", Reference: "212-KL/TU", Number: "212", Symbol: "KL/TU", Place: "Kon Tum", Date: "2018-06-05",
				Subject: "về công tác cán bộ", Issuer: "TỈNH ỦY KON TUM", IssuerName: "Tỉnh ủy Kon Tum"}},
		{"law",
			"QUỐC HỘI\nCỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM\nĐộc lập - Tự do - Hạnh phúc\nLuật số: 51/2010/QH12\nHà Nội, ngày 17 tháng 6 năm 2010\n\nLUẬT\nNGƯỜI KHUYẾT TẬT\n\nCăn cứ Hiến pháp",
			intake.Heading{Type: "Luật", Reference: "51/2010/QH12", Number: "51", Year: "2010", Symbol: "QH12", Place: "Hà Nội", Date: "2010-06-17",
				Subject: "NGƯỜI KHUYẾT TẬT", Issuer: "QUỐC HỘI", IssuerName: "Quốc hội"}},
		{"OCR noise",
			"ÚY BAN NHÂN DÂN CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM\nTINH GIA LAI Độc lập - Tự do - Hạnh phúc\n\nS6: 1 592 /0Đ- UBND Gia Lai, ngày /8 tháng 7 năm 2018\n\nQUYÉT ĐỊNH\nVề việc phê duyệt quy hoạch\n\nCHỦ TỊCH ỦY BAN NHÂN DÂN TỈNH\n",
			intake.Heading{Type: "Quyết định", Reference: "1592/QĐ-UBND", Number: "1592", Symbol: "QĐ-UBND", Place: "Gia Lai", Date: "2018-07",
				Subject: "Về việc phê duyệt quy hoạch", Issuer: "ỦY BAN NHÂN DÂN TỈNH GIA LAI", IssuerName: "UBND tỉnh Gia Lai"}},
		{"no marks at all",
			"BO GIAO DUC VA DAO TAO   CONG HOA XA HOI CHU NGHIA VIET NAM\n   Doc lap - Tu do - Hanh phuc\nSo: 4712/BGDDT-GDTrH   Ha Noi, ngay 20 thang 8 nam 2012\nV/v huong dan thuc hien\nnhiem vu\n\nKinh gui: Cac so",
			intake.Heading{Type: "Công văn", Reference: "4712/BGDDT-GDTrH", Number: "4712", Symbol: "BGDDT-GDTrH", Place: "Hà Nội", Date: "2012-08-20",
				Subject: "hướng dẫn thực hiện nhiệm vụ", Issuer: "BỘ GIÁO DỤC VÀ ĐÀO TẠO", IssuerName: "Bộ Giáo dục và Đào tạo"}},
		{"blanks to be filled in",
			"**BỘ Y TẾ**\n\n**CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM**\n\n**Độc lập - Tự do - Hạnh phúc**\n\nSố: ....../2020/TT-BYT\n\n*Hà Nội, ngày … tháng … năm 2020*\n\n## THÔNG TƯ\n\n**Quy định về kê đơn thuốc**\n\n*Căn cứ Luật*",
			intake.Heading{Type: "Thông tư", Reference: "/2020/TT-BYT", Year: "2020", Symbol: "TT-BYT", Place: "Hà Nội", Date: "2020",
				Subject: "Quy định về kê đơn thuốc", Issuer: "BỘ Y TẾ", IssuerName: "Bộ Y tế"}},
		{"old font",
			"ubnd tØnh kon tum\nsë th«ng tin vµ truyÒn th«ng\nSè: 146/stttt-cntt\nV/v ®¨ng ký cÊp míi hép th\u00ad ®iÖn tö\nKon Tum, ngµy 12 th¸ng 5 n¨m 2009\n\nKÝnh göi: C¸c Së",
			intake.Heading{Type: "Công văn", Reference: "146/STTTT-CNTT", Number: "146", Symbol: "STTTT-CNTT", Place: "Kon Tum", Date: "2009-05-12",
				Subject: "đăng ký cấp mới hộp thư điện tử", Issuer: "SỞ THÔNG TIN VÀ TRUYỀN THÔNG", Superior: "UBND TỈNH KON TUM", IssuerName: "Sở Thông tin và Truyền thông"}},
		{"joint circular, date in figures, title and subject in one line",
			"BỘ TÀI CHÍNH - BỘ NỘI VỤ\nSố 03/2010/TTLT-BTC-BNV\nHà Nội, 15/01/2010\nTHÔNG TƯ LIÊN TỊCH Hướng dẫn quản lý kinh phí",
			intake.Heading{Type: "Thông tư liên tịch", Reference: "03/2010/TTLT-BTC-BNV", Number: "03", Year: "2010", Symbol: "TTLT-BTC-BNV", Place: "Hà Nội", Date: "2010-01-15",
				Subject: "Hướng dẫn quản lý kinh phí", Issuer: "BỘ TÀI CHÍNH - BỘ NỘI VỤ", IssuerName: "Bộ Tài chính - Bộ Nội vụ"}},
		{"a school", "PHÒNG GD&ĐT HUYỆN ĐĂK HÀ\nTRƯỜNG THCS NGUYỄN HUỆ\nSố: 12a/TTr-THCSNH\nCỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM\nĐộc lập - Tự do - Hạnh phúc\nĐăk Hà, ngày 3 tháng 10 năm 2011\nTỜ TRÌNH\nV/v xin cấp kinh phí sửa chữa\nKính gửi: UBND huyện Đăk Hà",
			intake.Heading{Type: "Tờ trình", Reference: "12a/TTr-THCSNH", Number: "12a", Symbol: "TTr-THCSNH", Place: "Đăk Hà", Date: "2011-10-03",
				Subject: "V/v xin cấp kinh phí sửa chữa", Issuer: "TRƯỜNG THCS NGUYỄN HUỆ", Superior: "PHÒNG GD&ĐT HUYỆN ĐĂK HÀ", IssuerName: "Trường THCS Nguyễn Huệ"}},
		{"nothing", "", intake.Heading{}},
		{"something else", "Dear Sir,\n\nplease find enclosed 3/4 of the report.", intake.Heading{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, intake.ParseHeading(c.raw)); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

// TestParseHeadingIsBounded feeds texts that repeat what the patterns look for; a slow one would take minutes.
func TestParseHeadingIsBounded(t *testing.T) {
	for _, s := range []string{"Số: ", "ngày ", "Hà Nội, ngày tháng năm ", "| ", "<td ", "V/v ", "MẬT\n", "Q U Y Ế T ", "-", "1/", "C Ộ NG HÒA XÃ ", "UBND TỈNH ", "\n\n", "\u0301"} {
		start := time.Now()
		intake.ParseHeading(strings.Repeat(s, 200_000/len(s)))
		if d := time.Since(start); d > time.Minute {
			t.Errorf("%q repeated took %v", s, d)
		} else if testing.Verbose() {
			t.Logf("%q: %v", s, d)
		}
	}
}

func FuzzParseHeading(f *testing.F) {
	for _, row := range headerRows(f, "headers.jsonl") {
		f.Add(row.RawHeader)
	}
	for _, s := range []string{"Số: /", "Số: I-", "V/v", ", ngày tháng năm", "|||\n|-|", "<td>Số:</td>", "LUẬT", "TM.\nBỘ", "UBND", "Số: 1-\u0110/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := intake.ParseHeading(s)
		if strings.ContainsAny(h.Reference+h.Place+h.Date+h.Subject+h.Issuer+h.Superior, "\x01\x02\x1d\n") {
			t.Errorf("ParseHeading(%q) = %+v: marks left in a field", s, h)
		}
	})
}

func BenchmarkParseHeading(b *testing.B) {
	rows := headerRows(b, "headers.jsonl")
	for i := 0; b.Loop(); i++ {
		intake.ParseHeading(rows[i%len(rows)].RawHeader)
	}
}
