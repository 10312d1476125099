package exchange

import (
	"fmt"
	"io"
	"strings"
	"time"

	"congvan/exchange/paper"
)

// PDF writes the report in the form of a báo cáo (NĐ 30/2020 Phụ lục I, III), without number, day and signature, which whoever
// signs it gives. The same report gives the same bytes.
func (r *Report) PDF(w io.Writer) error {
	at, err := time.ParseInLocation(time.DateOnly, r.To, hanoi)
	if err != nil {
		return fmt.Errorf("report to %q: %w", r.To, err)
	}
	s := paper.NewSheet("P", "Báo cáo "+r.Title()[0], r.Reporter.Name, at)
	s.Foot = "Mã số liệu: " + r.Digest
	s.AddPage()
	r.head(s)
	s.Paragraph(r.Opening())
	s.Heading("1. Kết quả chung")
	for _, f := range r.Findings() {
		s.Paragraph("- " + f)
	}
	s.Heading("2. Số liệu của từng đơn vị")
	for _, t := range r.Tables() {
		t.print(s)
	}
	s.Heading("3. Thời gian hệ thống ngừng hoạt động")
	if len(r.Outages) == 0 {
		s.Paragraph("Không có.")
	}
	for _, o := range r.Outages {
		s.Paragraph("- Từ " + o.From + " đến " + o.To + ".")
	}
	s.Heading("4. Ghi chú")
	for _, n := range r.Notes() {
		s.Paragraph(n)
	}
	s.Paragraph("Trên đây là báo cáo tình hình sử dụng hệ thống thư điện tử trong trao đổi văn bản của " + r.Reporter.Name + "./.")
	r.sign(s)
	pdf, err := s.Bytes()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_, err = w.Write(pdf)
	return err
}

// head is everything above the text: agency and quốc hiệu, số and date, title, kính gửi.
func (r *Report) head(s *paper.Sheet) {
	const left = 68.0
	x, right := s.Left+left+4, s.Width()-left-4
	y := s.GetY()
	ly := y
	if r.Reporter.Parent != "" {
		ly = s.Middle(s.Left, ly, left, 12, "", strings.ToUpper(r.Reporter.Parent))
	}
	ly = s.Middle(s.Left, ly, left, 12, "B", strings.ToUpper(r.Reporter.Name)) + 1
	s.Under(s.Left, ly, left, left*0.4)
	ry := s.Middle(x, y, right, 12, "B", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
	ry = s.Middle(x, ry, right, 13, "B", "Độc lập - Tự do - Hạnh phúc") + 1
	s.SetFont(paper.Serif, "B", 13)
	s.Under(x, ry, right, s.GetStringWidth("Độc lập - Tự do - Hạnh phúc"))
	y = max(ly, ry) + 4
	s.Middle(s.Left, y, left, 13, "", "Số: ......../BC-"+strings.ToUpper(string(r.Reporter.Code)))
	y = s.Middle(x, y, right, 13, "I", r.date()) + 8
	y = s.Middle(s.Left, y, s.Width(), 14, "B", "BÁO CÁO")
	y = s.Middle(s.Left, y, s.Width(), 14, "B", r.Title()[0])
	y = s.Middle(s.Left, y, s.Width(), 13, "I", r.Title()[1]) + 1.5
	s.Under(s.Left, y, s.Width(), 30)
	s.SetXY(s.Left, y+5)
	if len(r.Reporter.To) == 1 {
		s.Middle(s.Left, s.GetY(), s.Width(), paper.BodySize, "", "Kính gửi: "+r.Reporter.To[0])
		s.SetXY(s.Left, s.GetY()+paper.BodyLine+3)
	} else if len(r.Reporter.To) > 1 {
		s.SetFont(paper.Serif, "", paper.BodySize)
		label := s.GetStringWidth("Kính gửi:  ")
		at := s.Left + 30
		for i, to := range r.Reporter.To {
			if i == 0 {
				s.SetX(at)
				s.CellFormat(label, paper.BodyLine, "Kính gửi:", "", 0, "L", false, 0, "")
			}
			end := ";"
			if i == len(r.Reporter.To)-1 {
				end = "."
			}
			for _, line := range paper.WrapWords(s.Fpdf, paper.Printable("- "+to+end), s.Width()-30-label, 0) {
				s.SetX(at + label)
				s.CellFormat(0, paper.BodyLine, line, "", 1, "L", false, 0, "")
			}
		}
		s.SetXY(s.Left, s.GetY()+3)
	}
}

// date is địa danh with room for the day, which whoever signs gives.
func (r *Report) date() string {
	text := fmt.Sprintf("ngày ..... tháng ..... năm %d", civilYear(r.To))
	if strings.HasSuffix(r.To, "-12-31") { // signed in the next year
		text = fmt.Sprintf("ngày ..... tháng ..... năm %d", civilYear(r.To)+1)
	}
	if r.Reporter.Place != "" {
		text = r.Reporter.Place + ", " + text
	}
	return text
}

func (t *ReportTable) print(s *paper.Sheet) {
	s.Table(t.Columns, false)
	s.Caption(t.Title)
	for i, row := range t.Rows {
		style := ""
		if i == len(t.Rows)-1 {
			style = "B"
		}
		s.Row(style, cellTexts(row))
	}
	s.SetY(s.GetY() + 4)
}

// sign is nơi nhận on the left and room for the signature on the right.
func (r *Report) sign(s *paper.Sheet) {
	s.Needs(9 * paper.BodyLine)
	y := s.GetY() + 2
	half := s.Width() / 2
	s.SetXY(s.Left, y)
	s.SetFont(paper.Serif, "BI", 12)
	s.CellFormat(half, 5, "Nơi nhận:", "", 1, "L", false, 0, "")
	s.SetFont(paper.Serif, "", 11)
	for _, line := range r.recipients() {
		for _, part := range paper.WrapWords(s.Fpdf, paper.Printable(line), half-6, 0) {
			s.SetX(s.Left)
			s.CellFormat(half, 4.6, part, "", 1, "L", false, 0, "")
		}
	}
	end := s.Middle(s.Left+half, y, half, paper.BodySize, "B", strings.ToUpper("Thủ trưởng cơ quan"))
	s.Middle(s.Left+half, end, half, paper.BodySize, "I", "(Chữ ký, ghi rõ họ tên, đóng dấu)")
}

// recipients are the lines of nơi nhận.
func (r *Report) recipients() []string {
	lines := []string{}
	if len(r.Reporter.To) > 0 {
		lines = append(lines, "- Như trên;")
	}
	if !r.Only {
		lines = append(lines, "- Các đơn vị trong báo cáo;")
	}
	return append(lines, "- Lưu: VT.")
}
