package exchange

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/liberation/liberationserifbold"
	"github.com/go-fonts/liberation/liberationserifbolditalic"
	"github.com/go-fonts/liberation/liberationserifitalic"
	"github.com/go-fonts/liberation/liberationserifregular"
)

// A tableSheet is a PDF with a table whose header is repeated on every page. Pages are A4, numbered in the middle of the top
// margin from the second on (NĐ 30/2020 Phụ lục I mục II).
type tableSheet struct {
	*fpdf.Fpdf
	columns             []BookColumn
	left, right         float64
	top, bottom         float64
	size, line          float64 // of the letters of a cell in points, of a line in mm
	foot                string
	numbered            bool // a line under the header numbers the columns: (1), (2), …
	headHeight, pageEnd float64
}

const (
	serif   = "serif"
	cellGap = 1.0 // mm between the rule and the text of a cell
)

// newTableSheet begins a file; orientation is P or L. at is written as its time of making: the same content gives the same bytes.
func newTableSheet(orientation, title, author string, at time.Time) *tableSheet {
	s := &tableSheet{Fpdf: fpdf.New(orientation, "mm", "A4", ""), left: 25, right: 12, top: 18, bottom: 15, size: 10, line: 4.4}
	s.AddUTF8FontFromBytes(serif, "", liberationserifregular.TTF)
	s.AddUTF8FontFromBytes(serif, "B", liberationserifbold.TTF)
	s.AddUTF8FontFromBytes(serif, "I", liberationserifitalic.TTF)
	s.AddUTF8FontFromBytes(serif, "BI", liberationserifbolditalic.TTF)
	if orientation == "P" { // as a letter (NĐ 30/2020 Phụ lục I mục I)
		s.left, s.right, s.top, s.bottom, s.size = 30, 15, 20, 20, 9.5
	}
	s.SetMargins(s.left, s.top, s.right)
	s.SetCellMargin(0)
	s.SetAutoPageBreak(false, s.bottom)
	s.SetCatalogSort(true)
	s.SetCreationDate(at.UTC())
	s.SetModificationDate(at.UTC())
	s.SetLang("vi-VN")
	s.SetTitle(printable(title), true)
	s.SetAuthor(printable(author), true)
	s.AliasNbPages("{nb}")
	width, height := s.GetPageSize()
	s.pageEnd = height - s.bottom
	s.SetHeaderFuncMode(func() {
		if s.PageNo() > 1 {
			s.SetFont(serif, "", 13)
			s.SetXY(0, 8)
			s.CellFormat(width, 6, fmt.Sprint(s.PageNo()), "", 0, "C", false, 0, "")
		}
		s.SetXY(s.left, s.top)
	}, false)
	s.SetFooterFunc(func() {
		s.SetFont(serif, "I", 9)
		s.SetXY(s.left, height-11)
		s.CellFormat(s.width()-30, 4, printable(s.foot), "", 0, "L", false, 0, "")
		if orientation == "P" {
			return // a letter has its number above alone
		}
		s.CellFormat(30, 4, fmt.Sprintf("Trang %d/{nb}", s.PageNo()), "", 0, "R", false, 0, "")
	})
	return s
}

// width is that of the text between the margins.
func (s *tableSheet) width() float64 {
	w, _ := s.GetPageSize()
	return w - s.left - s.right
}

// table begins a table; its header is written with the first row and on every page.
func (s *tableSheet) table(columns []BookColumn, numbered bool) {
	total := 0.0
	for _, c := range columns {
		total += c.Width
	}
	s.columns = make([]BookColumn, len(columns))
	s.headHeight = s.line
	for i, c := range columns {
		c.Width *= s.width() / total
		s.columns[i] = c
	}
	s.numbered = numbered
	s.SetFont(serif, "B", s.size)
	for _, c := range s.columns {
		n := float64(len(wrapWords(s.Fpdf, printable(c.Title), c.Width-2*cellGap, 0)))
		s.headHeight = max(s.headHeight, n*s.line+2*cellGap)
	}
}

func (s *tableSheet) tableHead() {
	s.SetLineWidth(0.2)
	s.SetFont(serif, "B", s.size)
	x, y := s.left, s.GetY()
	for _, c := range s.columns {
		lines := wrapWords(s.Fpdf, printable(c.Title), c.Width-2*cellGap, 0)
		s.Rect(x, y, c.Width, s.headHeight, "D")
		from := y + (s.headHeight-float64(len(lines))*s.line)/2
		for i, text := range lines {
			s.SetXY(x+cellGap, from+float64(i)*s.line)
			s.CellFormat(c.Width-2*cellGap, s.line, text, "", 0, "C", false, 0, "")
		}
		x += c.Width
	}
	s.SetXY(s.left, y+s.headHeight)
	if s.numbered {
		s.SetFont(serif, "I", s.size-1)
		for i, c := range s.columns {
			s.CellFormat(c.Width, s.line, fmt.Sprintf("(%d)", i+1), "1", 0, "C", false, 0, "")
		}
		s.SetXY(s.left, s.GetY()+s.line)
	}
}

// row prints a row whole on its page; only one that is longer than a page goes on over several. style is that of its letters.
func (s *tableSheet) row(style string, cells []string) {
	s.SetFont(serif, style, s.size)
	lines, most := make([][]string, len(cells)), 1
	for i, c := range cells {
		width := s.columns[i].Width - 2*cellGap
		lines[i] = wrapWords(s.Fpdf, s.hyphened(printable(c), width), width, 0)
		most = max(most, len(lines[i]))
	}
	fresh := int((s.pageEnd - s.top - s.headHeight - s.line - 2*cellGap) / s.line) // lines that an empty page has room for
	for from := 0; from < most; {
		left := int((s.pageEnd - s.GetY() - 2*cellGap) / s.line)
		if n := most - from; n > left && (n <= fresh || left < 4) {
			s.AddPage()
			s.tableHead()
			s.SetFont(serif, style, s.size)
			continue
		}
		to := min(most, from+left)
		s.boxes(lines, from, to)
		from = to
	}
}

// hyphened lets words that are wider than their column break after a hyphen or a stroke: 22/2009/QĐ-UBND.
func (s *tableSheet) hyphened(text string, width float64) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		var parts []string
		for s.GetStringWidth(word) > width {
			cut := 0
			for at, r := range word {
				if end := at + 1; (r == '-' || r == '/') && end < len(word) && s.GetStringWidth(word[:end]) <= width {
					cut = end
				}
			}
			if cut == 0 {
				break
			}
			parts, word = append(parts, word[:cut]), word[cut:]
		}
		words[i] = strings.Join(append(parts, word), " ")
	}
	return strings.Join(words, " ")
}

func (s *tableSheet) boxes(lines [][]string, from, to int) {
	x, y := s.left, s.GetY()
	height := float64(to-from)*s.line + 2*cellGap
	for i, c := range s.columns {
		s.Rect(x, y, c.Width, height, "D")
		align := "L"
		if c.Centre {
			align = "C"
		}
		for n := from; n < min(to, len(lines[i])); n++ {
			s.SetXY(x+cellGap, y+cellGap+float64(n-from)*s.line)
			s.CellFormat(c.Width-2*cellGap, s.line, lines[i][n], "", 0, align, false, 0, "")
		}
		x += c.Width
	}
	s.SetXY(s.left, y+height)
}

// middle writes a text in the middle of a column of the page, wrapped, and returns where it ends.
func (s *tableSheet) middle(x, y, width, size float64, style, text string) float64 {
	s.SetFont(serif, style, size)
	height := size * 0.45
	for _, line := range balanced(s.Fpdf, printable(text), width) {
		s.SetXY(x, y)
		s.CellFormat(width, height, line, "", 0, "C", false, 0, "")
		y += height
	}
	return y
}

// balanced breaks a text into lines of which none is much shorter than the others.
func balanced(pdf *fpdf.Fpdf, text string, width float64) []string {
	lines := wrapWords(pdf, text, width, 0)
	for w := width - 1; w > width/2; w-- {
		narrower := wrapWords(pdf, text, w, 0)
		if len(narrower) > len(lines) {
			break
		}
		lines = narrower
	}
	return lines
}

// under draws a line under a text in the middle of a column.
func (s *tableSheet) under(x, y, width, length float64) {
	s.SetLineWidth(0.25)
	s.Line(x+(width-length)/2, y, x+(width+length)/2, y)
}

// bytes is the finished file.
func (s *tableSheet) bytes() ([]byte, error) {
	var out bytes.Buffer
	err := s.Output(&out)
	return out.Bytes(), err
}

// upper is a name in capitals, as headings have it.
func upper(s string) string { return strings.ToUpper(s) }
