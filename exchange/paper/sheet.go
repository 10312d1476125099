// Package paper draws what the gateway prints: pages with tables and the paragraphs of a letter as PDF, and the same tables as
// workbooks, after NĐ 30/2020 Phụ lục I. It knows no document: it is handed titles, columns and words.
package paper

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

// A Column is one of a table. Its Width, in mm, is a share: columns are made as wide together as the text of their page.
type Column struct {
	Title  string
	Width  float64
	Centre bool
}

// A Sheet is a PDF with a table whose header is repeated on every page. Pages are A4, numbered in the middle of the top
// margin from the second on (NĐ 30/2020 Phụ lục I mục II).
type Sheet struct {
	*fpdf.Fpdf
	Left, Top, PageEnd float64 // where text begins and ends, in mm
	Size, LineHeight   float64 // of the letters of a cell in points, of a line in mm
	Foot               string  // at the foot of every page

	columns       []Column
	right, bottom float64
	numbered      bool // a line under the header numbers the columns: (1), (2), …
	headHeight    float64
}

// Serif is the font of a Sheet, plain, "B", "I" and "BI".
const Serif = "serif"

// cellGap is between the rule and the text of a cell, in mm.
const cellGap = 1.0

// NewSheet begins a file; orientation is P or L. at is written as its time of making: the same content gives the same bytes.
func NewSheet(orientation, title, author string, at time.Time) *Sheet {
	s := &Sheet{Fpdf: fpdf.New(orientation, "mm", "A4", ""), Left: 25, right: 12, Top: 18, bottom: 15, Size: 10, LineHeight: 4.4}
	s.AddUTF8FontFromBytes(Serif, "", liberationserifregular.TTF)
	s.AddUTF8FontFromBytes(Serif, "B", liberationserifbold.TTF)
	s.AddUTF8FontFromBytes(Serif, "I", liberationserifitalic.TTF)
	s.AddUTF8FontFromBytes(Serif, "BI", liberationserifbolditalic.TTF)
	if orientation == "P" { // as a letter (NĐ 30/2020 Phụ lục I mục I)
		s.Left, s.right, s.Top, s.bottom, s.Size = 30, 15, 20, 20, 9.5
	}
	s.SetMargins(s.Left, s.Top, s.right)
	s.SetCellMargin(0)
	s.SetAutoPageBreak(false, s.bottom)
	s.SetCatalogSort(true)
	s.SetCreationDate(at.UTC())
	s.SetModificationDate(at.UTC())
	s.SetLang("vi-VN")
	s.SetTitle(Printable(title), true)
	s.SetAuthor(Printable(author), true)
	s.AliasNbPages("{nb}")
	width, height := s.GetPageSize()
	s.PageEnd = height - s.bottom
	s.SetHeaderFuncMode(func() {
		if s.PageNo() > 1 {
			s.SetFont(Serif, "", 13)
			s.SetXY(0, 8)
			s.CellFormat(width, 6, fmt.Sprint(s.PageNo()), "", 0, "C", false, 0, "")
		}
		s.SetXY(s.Left, s.Top)
	}, false)
	s.SetFooterFunc(func() {
		s.SetFont(Serif, "I", 9)
		s.SetXY(s.Left, height-11)
		s.CellFormat(s.Width()-30, 4, Printable(s.Foot), "", 0, "L", false, 0, "")
		if orientation == "P" {
			return // a letter has its number above alone
		}
		s.CellFormat(30, 4, fmt.Sprintf("Trang %d/{nb}", s.PageNo()), "", 0, "R", false, 0, "")
	})
	return s
}

// Width is that of the text between the margins.
func (s *Sheet) Width() float64 {
	w, _ := s.GetPageSize()
	return w - s.Left - s.right
}

// Table begins a table. TableHead writes its header, which every further page has too.
func (s *Sheet) Table(columns []Column, numbered bool) {
	total := 0.0
	for _, c := range columns {
		total += c.Width
	}
	s.columns = make([]Column, len(columns))
	s.headHeight = s.LineHeight
	for i, c := range columns {
		c.Width *= s.Width() / total
		s.columns[i] = c
	}
	s.numbered = numbered
	s.SetFont(Serif, "B", s.Size)
	for _, c := range s.columns {
		n := float64(len(WrapWords(s.Fpdf, Printable(c.Title), c.Width-2*cellGap, 0)))
		s.headHeight = max(s.headHeight, n*s.LineHeight+2*cellGap)
	}
}

// Caption writes the title of the table and its header, together with the first rows on one page.
func (s *Sheet) Caption(text string) {
	s.Needs(BodyLine + s.headHeight + 3*s.LineHeight)
	s.SetFont(Serif, "I", 12)
	s.SetX(s.Left)
	s.CellFormat(s.Width(), BodyLine+1, text, "", 1, "C", false, 0, "")
	s.TableHead()
}

// TableHead writes the header of the table.
func (s *Sheet) TableHead() {
	s.SetLineWidth(0.2)
	s.SetFont(Serif, "B", s.Size)
	x, y := s.Left, s.GetY()
	for _, c := range s.columns {
		lines := WrapWords(s.Fpdf, Printable(c.Title), c.Width-2*cellGap, 0)
		s.Rect(x, y, c.Width, s.headHeight, "D")
		from := y + (s.headHeight-float64(len(lines))*s.LineHeight)/2
		for i, text := range lines {
			s.SetXY(x+cellGap, from+float64(i)*s.LineHeight)
			s.CellFormat(c.Width-2*cellGap, s.LineHeight, text, "", 0, "C", false, 0, "")
		}
		x += c.Width
	}
	s.SetXY(s.Left, y+s.headHeight)
	if s.numbered {
		s.SetFont(Serif, "I", s.Size-1)
		for i, c := range s.columns {
			s.CellFormat(c.Width, s.LineHeight, fmt.Sprintf("(%d)", i+1), "1", 0, "C", false, 0, "")
		}
		s.SetXY(s.Left, s.GetY()+s.LineHeight)
	}
}

// Row prints a row whole on its page; only one that is longer than a page goes on over several. style is that of its letters.
func (s *Sheet) Row(style string, cells []string) {
	s.SetFont(Serif, style, s.Size)
	lines, most := make([][]string, len(cells)), 1
	for i, c := range cells {
		width := s.columns[i].Width - 2*cellGap
		lines[i] = WrapWords(s.Fpdf, s.hyphened(Printable(c), width), width, 0)
		most = max(most, len(lines[i]))
	}
	fresh := int((s.PageEnd - s.Top - s.headHeight - s.LineHeight - 2*cellGap) / s.LineHeight) // lines that an empty page has room for
	for from := 0; from < most; {
		left := int((s.PageEnd - s.GetY() - 2*cellGap) / s.LineHeight)
		if n := most - from; n > left && (n <= fresh || left < 4) {
			s.AddPage()
			s.TableHead()
			s.SetFont(Serif, style, s.Size)
			continue
		}
		to := min(most, from+left)
		s.boxes(lines, from, to)
		from = to
	}
}

// hyphened lets words that are wider than their column break after a hyphen or a stroke: 22/2009/QĐ-UBND.
func (s *Sheet) hyphened(text string, width float64) string {
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

func (s *Sheet) boxes(lines [][]string, from, to int) {
	x, y := s.Left, s.GetY()
	height := float64(to-from)*s.LineHeight + 2*cellGap
	for i, c := range s.columns {
		s.Rect(x, y, c.Width, height, "D")
		align := "L"
		if c.Centre {
			align = "C"
		}
		for n := from; n < min(to, len(lines[i])); n++ {
			s.SetXY(x+cellGap, y+cellGap+float64(n-from)*s.LineHeight)
			s.CellFormat(c.Width-2*cellGap, s.LineHeight, lines[i][n], "", 0, align, false, 0, "")
		}
		x += c.Width
	}
	s.SetXY(s.Left, y+height)
}

// Middle writes a text in the middle of a column of the page, wrapped, and returns where it ends.
func (s *Sheet) Middle(x, y, width, size float64, style, text string) float64 {
	s.SetFont(Serif, style, size)
	height := size * 0.45
	for _, line := range balanced(s.Fpdf, Printable(text), width) {
		s.SetXY(x, y)
		s.CellFormat(width, height, line, "", 0, "C", false, 0, "")
		y += height
	}
	return y
}

// balanced breaks a text into lines of which none is much shorter than the others.
func balanced(pdf *fpdf.Fpdf, text string, width float64) []string {
	lines := WrapWords(pdf, text, width, 0)
	for w := width - 1; w > width/2; w-- {
		narrower := WrapWords(pdf, text, w, 0)
		if len(narrower) > len(lines) {
			break
		}
		lines = narrower
	}
	return lines
}

// Under draws a line under a text in the middle of a column.
func (s *Sheet) Under(x, y, width, length float64) {
	s.SetLineWidth(0.25)
	s.Line(x+(width-length)/2, y, x+(width+length)/2, y)
}

// Bytes is the finished file.
func (s *Sheet) Bytes() ([]byte, error) {
	var out bytes.Buffer
	err := s.Output(&out)
	return out.Bytes(), err
}

// BodySize and BodyLine are the letters of a paragraph, in points, and its lines, in mm.
const (
	BodySize = 13.0
	BodyLine = 6.0
)

// Paragraph writes a paragraph whose first line is set in by 10 mm.
func (s *Sheet) Paragraph(text string) {
	const indent = 10.0
	s.SetFont(Serif, "", BodySize)
	for i, line := range WrapWords(s.Fpdf, Printable(text), s.Width(), indent) {
		s.Needs(BodyLine)
		dx := 0.0
		if i == 0 {
			dx = indent
		}
		s.SetX(s.Left + dx)
		s.CellFormat(s.Width()-dx, BodyLine, line, "", 1, "L", false, 0, "")
	}
	s.SetY(s.GetY() + 1.5)
}

// Heading writes the title of a part.
func (s *Sheet) Heading(text string) {
	s.Needs(4 * BodyLine)
	s.SetFont(Serif, "B", BodySize)
	s.SetX(s.Left)
	s.CellFormat(s.Width(), BodyLine+1, text, "", 1, "L", false, 0, "")
	s.SetFont(Serif, "", BodySize)
}

// Needs begins a new page where less than h is left.
func (s *Sheet) Needs(h float64) {
	if s.GetY()+h > s.PageEnd {
		s.AddPage()
	}
}
