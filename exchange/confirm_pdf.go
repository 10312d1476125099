package exchange

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"congvan/exchange/paper"
	"congvan/templates"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/liberation/liberationserifbold"
	"github.com/go-fonts/liberation/liberationserifitalic"
	"github.com/go-fonts/liberation/liberationserifregular"
)

// Sizes of the page (NĐ 30/2020 Phụ lục I mục I): A4, margins left 30 mm, right 15 mm, top and bottom 20 mm; head 12 to 13,
// body 13, table smaller so that it stays a table.
const (
	pageLeft, pageRight, pageTop, pageBottom = 30.0, 15.0, 20.0, 20.0
	pageWidth, pageHeight                    = 210.0, 297.0
	textWidth                                = pageWidth - pageLeft - pageRight
	bodySize, bodyLine                       = 13.0, 6.0
	tableSize, tableLine                     = 9.0, 4.0
	cellPad                                  = 1.2
)

// A sheet is a confirmation while it is written.
type sheet struct {
	*fpdf.Fpdf
	c   *confirmation
	err error // of the first paragraph that could not be rendered
}

// pdf writes the confirmation. The same one gives the same bytes.
func (c *confirmation) pdf() ([]byte, error) {
	facts, err := c.facts()
	if err != nil {
		return nil, err
	}
	s := &sheet{Fpdf: fpdf.New("P", "mm", "A4", ""), c: c}
	s.AddUTF8FontFromBytes("serif", "", liberationserifregular.TTF)
	s.AddUTF8FontFromBytes("serif", "B", liberationserifbold.TTF)
	s.AddUTF8FontFromBytes("serif", "I", liberationserifitalic.TTF)
	s.SetMargins(pageLeft, pageTop, pageRight)
	s.SetCellMargin(0)
	s.SetAutoPageBreak(true, pageBottom)
	s.SetCatalogSort(true)
	at := time.UnixMicro(c.At).UTC()
	s.SetCreationDate(at)
	s.SetModificationDate(at)
	s.SetLang("vi-VN")
	s.SetTitle("Giấy xác nhận gửi, nhận văn bản điện tử "+paper.Printable(c.Reference), true)
	s.SetAuthor(paper.Printable(c.Agency), true)
	s.SetXmpMetadata(xmp(confirmOpen, fmt.Sprintf("%d %s", c.Layout, facts), confirmClose))
	s.AliasNbPages("{nb}")
	s.SetHeaderFuncMode(s.pageNumber, true)
	s.SetFooterFunc(s.footer)
	s.AddPage()
	s.head()
	s.document()
	s.copies()
	s.basis()
	var out bytes.Buffer
	if err := s.Output(&out); err != nil || s.err != nil {
		return nil, fmt.Errorf("write confirmation of %q: %w", c.Reference, firstError(s.err, err))
	}
	return out.Bytes(), nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

const (
	confirmOpen  = "<congvan:confirmation>"
	confirmClose = "</congvan:confirmation>"
)

// xmp is a packet of metadata with one element of ours, for programs.
func xmp(open, text, end string) []byte {
	return []byte(`<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:congvan="urn:congvan:1">` +
		open + text + end + `</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`)
}

// pageNumber stands in the middle of the top margin from page 2 on.
func (s *sheet) pageNumber() {
	if s.PageNo() == 1 {
		return
	}
	s.SetFont("serif", "", 13)
	s.SetXY(pageLeft, 10)
	s.CellFormat(textWidth, 6, fmt.Sprint(s.PageNo()), "", 0, "C", false, 0, "")
}

func (s *sheet) footer() {
	s.SetFont("serif", "I", 9)
	s.SetXY(pageLeft, pageHeight-13)
	s.CellFormat(textWidth, 4, fmt.Sprintf("Mã xác nhận %s - văn bản %s - trang %d/{nb}", s.c.Code, paper.Printable(s.c.Reference), s.PageNo()), "", 0, "L", false, 0, "")
}

// head is quốc hiệu, tiêu ngữ, the agency, place and date, and the title.
func (s *sheet) head() {
	const left, gap = 70.0, 3.0
	const right = textWidth - left - gap
	x := pageLeft + left + gap
	s.SetFont("serif", "B", 12)
	s.SetXY(x, pageTop+4)
	s.CellFormat(right, 5.5, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "", 2, "C", false, 0, "")
	s.SetFont("serif", "B", 13)
	const motto = "Độc lập - Tự do - Hạnh phúc"
	s.CellFormat(right, 6, motto, "", 2, "C", false, 0, "")
	s.rule(x+right/2, s.GetY()+0.6, s.GetStringWidth(motto))
	dateY := s.GetY() + 5

	s.SetXY(pageLeft, pageTop+4)
	if s.c.Parent != "" {
		s.centred(left, 12, "", strings.ToUpper(s.c.Parent))
	}
	s.centred(left, 12, "B", strings.ToUpper(s.c.Agency))
	s.rule(pageLeft+left/2, s.GetY()+0.8, left*0.4)
	y := max(dateY, s.GetY()+4)
	s.SetXY(pageLeft, y)
	s.SetFont("serif", "", 12)
	s.CellFormat(left, 6, "Mã xác nhận: "+s.c.Code, "", 0, "C", false, 0, "")
	s.SetXY(x, y)
	s.SetFont("serif", "I", 13)
	date := vietnameseDate(CivilDate(time.UnixMicro(s.c.At)))
	if s.c.Place != "" {
		date = paper.Printable(s.c.Place) + ", " + date
	}
	s.CellFormat(right, 6, date, "", 1, "C", false, 0, "")
	s.Ln(6)
	s.SetFont("serif", "B", 14)
	s.CellFormat(textWidth, 7, "GIẤY XÁC NHẬN", "", 1, "C", false, 0, "")
	s.CellFormat(textWidth, 7, "Gửi, nhận văn bản điện tử", "", 1, "C", false, 0, "")
	s.rule(pageLeft+textWidth/2, s.GetY()+0.6, 28)
	s.Ln(5)
}

// centred writes a text in lines of a width, each in the middle and none much shorter than the others.
func (s *sheet) centred(width, size float64, style, text string) {
	s.SetFont("serif", style, size)
	lines := s.lines(text, width)
	for w := width - 1; w > width/2; w-- {
		narrower := s.lines(text, w)
		if len(narrower) > len(lines) {
			break
		}
		lines = narrower
	}
	for _, line := range lines {
		s.CellFormat(width, 5.5, line, "", 2, "C", false, 0, "")
	}
}

func (s *sheet) rule(middle, y, length float64) {
	s.SetLineWidth(0.25)
	s.Line(middle-length/2, y, middle+length/2, y)
}

// paragraph writes a paragraph of the form's texts.
func (s *sheet) paragraph(name string) {
	text, err := templates.Form(name, s.c)
	s.err = firstError(s.err, err)
	s.text(text)
}

// text writes a paragraph whose first line is set in by 10 mm.
func (s *sheet) text(text string) {
	const indent = 10.0
	s.SetFont("serif", "", bodySize)
	lines := paper.WrapWords(s.Fpdf, paper.Printable(text), textWidth, indent)
	for i, line := range lines {
		s.room(bodyLine)
		dx := 0.0
		if i == 0 {
			dx = indent
		}
		s.SetX(pageLeft + dx)
		if i < len(lines)-1 {
			s.justify(line, textWidth-dx)
		} else {
			s.CellFormat(textWidth-dx, bodyLine, line, "", 1, "L", false, 0, "")
		}
	}
	s.Ln(1.5)
}

// justify spreads the words of a line over its width (NĐ 30/2020 Phụ lục I mục II.6).
func (s *sheet) justify(line string, width float64) {
	words := strings.Fields(line)
	gap := width
	for _, w := range words {
		gap -= s.GetStringWidth(w)
	}
	gap /= float64(max(1, len(words)-1))
	for i, w := range words {
		if i > 0 && gap < 8 { // a word too long for the next line leaves wide gaps: then as it is
			s.SetX(s.GetX() + gap - s.GetStringWidth(" "))
		}
		if i < len(words)-1 {
			w += " "
		}
		s.CellFormat(s.GetStringWidth(w), bodyLine, w, "", 0, "L", false, 0, "")
	}
	s.Ln(bodyLine)
}

func (s *sheet) title(text string) {
	s.room(4 * bodyLine)
	s.SetFont("serif", "B", bodySize)
	s.Ln(1)
	s.CellFormat(textWidth, bodyLine+1, text, "", 1, "L", false, 0, "")
}

// room begins a new page where less than h is left.
func (s *sheet) room(h float64) {
	if s.GetY()+h > pageHeight-pageBottom {
		s.AddPage()
	}
}

func (s *sheet) lines(text string, width float64) []string {
	return paper.WrapWords(s.Fpdf, paper.Printable(text), width, 0)
}

// document says which document it is, with its files.
func (s *sheet) document() {
	c := s.c
	s.paragraph("opening")
	if c.Only != "" {
		s.paragraph("only")
	}
	s.title("1. Văn bản")
	s.field("Số, ký hiệu", c.Reference)
	s.field("Ngày văn bản", dayMonthYear(c.IssuedOn))
	s.field("Tên loại, trích yếu", strings.TrimSpace(c.Kind+" "+c.Abstract))
	s.field("Cơ quan ban hành", c.Issuer)
	s.field("Người ký", c.Signer)
	s.field("Phát hành lúc", c.IssuedAt)
	for i, f := range c.Files {
		name := "Tệp văn bản"
		if i > 0 {
			name = fmt.Sprintf("Tệp kèm theo %d", i)
		}
		s.field(name, f.Name)
		s.hash("Mã SHA-256", f.SHA256)
		if f.Raised != "" {
			s.field("Chữ ký số", f.Raised)
			s.hash("Mã SHA-256", f.RaisedSHA256)
		}
	}
	s.Ln(1)
}

// field writes a name and its value, which may take several lines.
func (s *sheet) field(name, value string) {
	if value == "" {
		return
	}
	const left = 42.0
	s.SetFont("serif", "", bodySize)
	for i, line := range s.lines(value, textWidth-left) {
		s.room(bodyLine)
		label := ""
		if i == 0 {
			label = name + ":"
		}
		s.SetX(pageLeft)
		s.CellFormat(left, bodyLine, label, "", 0, "L", false, 0, "")
		s.CellFormat(textWidth-left, bodyLine, line, "", 1, "L", false, 0, "")
	}
}

// hash writes a digest in letters so small that it stays on one line.
func (s *sheet) hash(name, value string) {
	const left = 42.0
	s.room(bodyLine)
	s.SetFont("serif", "", bodySize)
	s.SetX(pageLeft)
	s.CellFormat(left, bodyLine, name+":", "", 0, "L", false, 0, "")
	s.SetFont("serif", "", 11)
	s.CellFormat(textWidth-left, bodyLine, value, "", 1, "L", false, 0, "")
}

// basis says what the table rests on and how to check it, and who answers for the paper.
func (s *sheet) basis() {
	c := s.c
	s.title("3. Căn cứ và cách kiểm tra")
	s.paragraph("basis")
	s.field("Điểm chốt số", fmt.Sprintf("%d (số sự kiện trong nhật ký)", c.Size))
	s.hash("Mã gốc (SHA-256)", c.Root)
	s.field("Ký điểm chốt lúc", c.Until)
	s.Ln(1.5)
	s.paragraph("stamp")
	s.paragraph("howto")
	s.title("4. Không chứng minh được")
	for _, n := range notProven {
		s.text("- " + n)
	}
	s.paragraph("validity")
	const width = 85.0
	lines := s.lines(strings.ToUpper(c.Agency), width)
	s.room(float64(len(lines)+4) * bodyLine)
	s.Ln(3)
	x := pageWidth - pageRight - width
	s.SetFont("serif", "B", bodySize)
	for _, line := range paper.WrapWords(s.Fpdf, paper.Printable(strings.ToUpper(c.Agency)), width, 0) {
		s.SetX(x)
		s.CellFormat(width, bodyLine, line, "", 1, "C", false, 0, "")
	}
	s.SetFont("serif", "I", bodySize)
	s.SetX(x)
	s.CellFormat(width, bodyLine, "(ký số của cơ quan, trong tệp)", "", 1, "C", false, 0, "")
	if c.Decision != "" {
		for _, line := range s.lines(fmt.Sprintf("(khóa trên máy chủ tự ký theo Quyết định số %s ngày %s)", c.Decision, dayMonthYear(c.DecidedOn)), width) {
			s.SetX(x)
			s.CellFormat(width, bodyLine, line, "", 1, "C", false, 0, "")
		}
	}
}
