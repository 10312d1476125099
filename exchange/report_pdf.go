package exchange

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// PDF writes the report in the form of a báo cáo (NĐ 30/2020 Phụ lục I, III), without number, day and signature, which whoever
// signs it gives. The same report gives the same bytes.
func (r *Report) PDF(w io.Writer) error {
	at, err := time.ParseInLocation(time.DateOnly, r.To, hanoi)
	if err != nil {
		return fmt.Errorf("report to %q: %w", r.To, err)
	}
	s := newTableSheet("P", "Báo cáo "+r.Title()[0], r.Reporter.Name, at)
	s.foot = "Mã số liệu: " + r.Digest
	s.AddPage()
	r.head(s)
	s.paragraph(r.Opening())
	s.heading("1. Kết quả chung")
	for _, f := range r.Findings() {
		s.paragraph("- " + f)
	}
	s.heading("2. Số liệu của từng đơn vị")
	for _, t := range r.Tables() {
		s.reportTable(&t)
	}
	s.heading("3. Thời gian hệ thống ngừng hoạt động")
	if len(r.Outages) == 0 {
		s.paragraph("Không có.")
	}
	for _, o := range r.Outages {
		s.paragraph("- Từ " + o.From + " đến " + o.To + ".")
	}
	s.heading("4. Ghi chú")
	for _, n := range r.Notes() {
		s.paragraph(n)
	}
	s.paragraph("Trên đây là báo cáo tình hình sử dụng hệ thống thư điện tử trong trao đổi văn bản của " + r.Reporter.Name + "./.")
	r.sign(s)
	pdf, err := s.bytes()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_, err = w.Write(pdf)
	return err
}

const (
	reportSize = 13.0 // points
	reportLine = 6.0  // mm
)

// head is everything above the text: agency and quốc hiệu, số and date, title, kính gửi.
func (r *Report) head(s *tableSheet) {
	const left = 68.0
	x, right := s.left+left+4, s.width()-left-4
	y := s.GetY()
	ly := y
	if r.Reporter.Parent != "" {
		ly = s.middle(s.left, ly, left, 12, "", upper(r.Reporter.Parent))
	}
	ly = s.middle(s.left, ly, left, 12, "B", upper(r.Reporter.Name)) + 1
	s.under(s.left, ly, left, left*0.4)
	ry := s.middle(x, y, right, 12, "B", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
	ry = s.middle(x, ry, right, 13, "B", "Độc lập - Tự do - Hạnh phúc") + 1
	s.SetFont(serif, "B", 13)
	s.under(x, ry, right, s.GetStringWidth("Độc lập - Tự do - Hạnh phúc"))
	y = max(ly, ry) + 4
	s.middle(s.left, y, left, 13, "", "Số: ......../BC-"+upper(string(r.Reporter.Code)))
	y = s.middle(x, y, right, 13, "I", r.date()) + 8
	y = s.middle(s.left, y, s.width(), 14, "B", "BÁO CÁO")
	y = s.middle(s.left, y, s.width(), 14, "B", r.Title()[0])
	y = s.middle(s.left, y, s.width(), 13, "I", r.Title()[1]) + 1.5
	s.under(s.left, y, s.width(), 30)
	s.SetXY(s.left, y+5)
	if len(r.Reporter.To) == 1 {
		s.middle(s.left, s.GetY(), s.width(), reportSize, "", "Kính gửi: "+r.Reporter.To[0])
		s.SetXY(s.left, s.GetY()+reportLine+3)
	} else if len(r.Reporter.To) > 1 {
		s.SetFont(serif, "", reportSize)
		label := s.GetStringWidth("Kính gửi:  ")
		at := s.left + 30
		for i, to := range r.Reporter.To {
			if i == 0 {
				s.SetX(at)
				s.CellFormat(label, reportLine, "Kính gửi:", "", 0, "L", false, 0, "")
			}
			end := ";"
			if i == len(r.Reporter.To)-1 {
				end = "."
			}
			for _, line := range wrapWords(s.Fpdf, printable("- "+to+end), s.width()-30-label, 0) {
				s.SetX(at + label)
				s.CellFormat(0, reportLine, line, "", 1, "L", false, 0, "")
			}
		}
		s.SetXY(s.left, s.GetY()+3)
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

// paragraph writes a paragraph whose first line is set in by 10 mm.
func (s *tableSheet) paragraph(text string) {
	const indent = 10.0
	s.SetFont(serif, "", reportSize)
	for i, line := range wrapWords(s.Fpdf, printable(text), s.width(), indent) {
		s.needs(reportLine)
		dx := 0.0
		if i == 0 {
			dx = indent
		}
		s.SetX(s.left + dx)
		s.CellFormat(s.width()-dx, reportLine, line, "", 1, "L", false, 0, "")
	}
	s.SetY(s.GetY() + 1.5)
}

func (s *tableSheet) heading(text string) {
	s.needs(4 * reportLine)
	s.SetFont(serif, "B", reportSize)
	s.SetX(s.left)
	s.CellFormat(s.width(), reportLine+1, text, "", 1, "L", false, 0, "")
	s.SetFont(serif, "", reportSize)
}

// needs begins a new page where less than h is left.
func (s *tableSheet) needs(h float64) {
	if s.GetY()+h > s.pageEnd {
		s.AddPage()
	}
}

func (s *tableSheet) reportTable(t *ReportTable) {
	s.table(t.Columns, false)
	s.needs(reportLine + s.headHeight + 3*s.line)
	s.SetFont(serif, "I", 12)
	s.SetX(s.left)
	s.CellFormat(s.width(), reportLine+1, t.Title, "", 1, "C", false, 0, "")
	s.tableHead()
	for i, row := range t.Rows {
		cells := make([]string, len(row))
		for k, v := range row {
			cells[k] = cellText(v)
		}
		style := ""
		if i == len(t.Rows)-1 {
			style = "B"
		}
		s.row(style, cells)
	}
	s.SetY(s.GetY() + 4)
}

// sign is nơi nhận on the left and room for the signature on the right.
func (r *Report) sign(s *tableSheet) {
	s.needs(9 * reportLine)
	y := s.GetY() + 2
	half := s.width() / 2
	s.SetXY(s.left, y)
	s.SetFont(serif, "BI", 12)
	s.CellFormat(half, 5, "Nơi nhận:", "", 1, "L", false, 0, "")
	s.SetFont(serif, "", 11)
	for _, line := range r.recipients() {
		for _, part := range wrapWords(s.Fpdf, printable(line), half-6, 0) {
			s.SetX(s.left)
			s.CellFormat(half, 4.6, part, "", 1, "L", false, 0, "")
		}
	}
	end := s.middle(s.left+half, y, half, reportSize, "B", upper("Thủ trưởng cơ quan"))
	s.middle(s.left+half, end, half, reportSize, "I", "(Chữ ký, ghi rõ họ tên, đóng dấu)")
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
