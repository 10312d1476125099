package exchange

import (
	"fmt"
	"strings"
)

// columns of the table of copies; the widths make up the width of the text.
var columns = []struct {
	name  string
	width float64
}{{"STT", 9}, {"Nơi nhận, địa chỉ", 37.5}, {"Gửi lúc", 26}, {"Đến, và căn cứ", 45}, {"Tiếp nhận, xử lý", 47.5}}

// freshLines is how many lines of a row there is room for on a new page.
const freshLines = 62

// copies is the table, its head repeated on every page.
func (s *sheet) copies() {
	s.title("2. Các bản gửi")
	s.text("Cộng: " + strings.Join(s.c.Counts, "; ") + ".")
	s.room(30)
	s.tableHead()
	for i, c := range s.c.Copies {
		s.row(fmt.Sprint(i+1), c.Name+"\n"+c.Address, strings.Join(c.Sent, "\n"), strings.Join(c.Arrived, "\n"), strings.Join(c.Handled, "\n"))
	}
	s.Ln(2)
	s.paragraph("legend")
}

func (s *sheet) tableHead() {
	s.SetLineWidth(0.2)
	s.SetFont("serif", "B", tableSize)
	s.SetX(pageLeft)
	for _, col := range columns {
		s.CellFormat(col.width, tableLine+2*cellPad, col.name, "1", 0, "C", false, 0, "")
	}
	s.Ln(tableLine + 2*cellPad)
}

// row prints a row whole on its page; only one that is longer than a page goes on over several.
func (s *sheet) row(cells ...string) {
	s.SetFont("serif", "", tableSize)
	lines, most := make([][]string, len(cells)), 1
	for i, c := range cells {
		lines[i] = s.lines(c, columns[i].width-2*cellPad)
		most = max(most, len(lines[i]))
	}
	for from := 0; from < most; {
		left := int((pageHeight - pageBottom - s.GetY() - 2*cellPad) / tableLine)
		if n := most - from; n > left && (n < freshLines || left < 4) {
			s.AddPage()
			s.tableHead()
			s.SetFont("serif", "", tableSize)
			continue
		}
		to := min(most, from+left)
		s.slice(lines, from, to)
		from = to
	}
}

// slice prints some lines of a row in boxes.
func (s *sheet) slice(lines [][]string, from, to int) {
	x, y := pageLeft, s.GetY()
	height := float64(to-from)*tableLine + 2*cellPad
	for i, col := range columns {
		s.Rect(x, y, col.width, height, "D")
		for n := from; n < min(to, len(lines[i])); n++ {
			align := "L"
			if i == 0 {
				align = "C"
			}
			s.SetXY(x+cellPad, y+cellPad+float64(n-from)*tableLine)
			s.CellFormat(col.width-2*cellPad, tableLine, lines[i][n], "", 0, align, false, 0, "")
		}
		x += col.width
	}
	s.SetXY(pageLeft, y+height)
}
