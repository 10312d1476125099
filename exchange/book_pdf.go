package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"congvan/exchange/paper"
	"congvan/recipients"
)

// volumeRows is how many lines one volume (quyển) of a printed book has: some 200 pages, what is bound together, and what is held
// in memory at a time.
const volumeRows = 2000

// A BookVolume tells of a volume that was written.
type BookVolume struct {
	Number      int    `json:"volume"`
	Rows        int    `json:"rows"`
	Pages       int    `json:"pages"`
	First, Last string // numbers
}

// BookPDF prints a book as PDF, in volumes of 2,000 lines: write is called with each, and last says that no other follows. An
// empty book is one volume without lines.
func (s *Store) BookPDF(ctx context.Context, q BookRange, write func(volume int, last bool, pdf []byte) error) ([]BookVolume, error) {
	p := &bookPrinter{q: q, write: write, at: s.db.Now()}
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	p.unit, p.parent = unitAndParent(dir, q.Unit)
	if err := s.EachBookRow(ctx, q, p.take); err != nil {
		return nil, err
	}
	err = p.volume(true)
	return p.volumes, err
}

func unitAndParent(dir *recipients.Directory, code recipients.UnitCode) (name, parent string) {
	u, ok := dir.Unit(code)
	if !ok {
		return string(code), ""
	}
	if above, ok := dir.Unit(u.Parent); ok {
		parent = above.Name
	}
	return u.Name, parent
}

// A bookPrinter collects the lines of one volume at a time.
type bookPrinter struct {
	q            BookRange
	write        func(int, bool, []byte) error
	at           time.Time
	unit, parent string
	waiting      []BookRow
	volumes      []BookVolume
}

func (p *bookPrinter) take(r BookRow) error {
	if len(p.waiting) == volumeRows {
		if err := p.volume(false); err != nil {
			return err
		}
	}
	p.waiting = append(p.waiting, r)
	return nil
}

// volume writes the lines that wait.
func (p *bookPrinter) volume(last bool) error {
	v := BookVolume{Number: len(p.volumes) + 1, Rows: len(p.waiting)}
	for _, r := range p.waiting {
		if r.Note != rowWaiting && r.Note != rowMissing {
			if v.First == "" {
				v.First = r.Number
			}
			v.Last = r.Number
		}
	}
	s := paper.NewSheet("L", BookTitle(p.q.Book)+" "+p.unit, p.unit, p.at)
	p.cover(s, v)
	s.Foot = fmt.Sprintf("%s - %s - từ %s đến %s - quyển số %d", p.unit, BookTitle(p.q.Book), dayMonthYear(p.q.From), dayMonthYear(p.q.To), v.Number)
	s.Table(BookColumns(p.q.Book), true)
	s.AddPage()
	s.TableHead()
	for _, r := range p.waiting {
		style := ""
		if r.Note != "taken" {
			style = "I"
		}
		s.Row(style, r.Cells)
	}
	if len(p.waiting) == 0 {
		s.SetFont(paper.Serif, "I", 11)
		s.CellFormat(s.Width(), 10, "Không có văn bản nào trong thời gian này.", "", 0, "C", false, 0, "")
	}
	v.Pages = s.PageNo()
	pdf, err := s.Bytes()
	if err != nil {
		return fmt.Errorf("print volume %d: %w", v.Number, err)
	}
	if err := p.write(v.Number, last, pdf); err != nil {
		return fmt.Errorf("write volume %d: %w", v.Number, err)
	}
	p.volumes, p.waiting = append(p.volumes, v), p.waiting[:0]
	return nil
}

// cover is the first page of a bound book (NĐ 30/2020 Phụ lục IV).
func (p *bookPrinter) cover(s *paper.Sheet, v BookVolume) {
	s.AddPage()
	width, height := s.GetPageSize()
	s.SetLineWidth(0.6)
	s.Rect(14, 12, width-28, height-24, "D")
	x, w := 30.0, width-60
	y := 30.0
	if p.parent != "" {
		y = s.Middle(x, y, w, 14, "", strings.ToUpper(p.parent)) + 1
	}
	y = s.Middle(x, y, w, 15, "B", strings.ToUpper(p.unit)) + 1.5
	s.Under(x, y, w, 50)
	y = s.Middle(x, 82, w, 26, "B", strings.ToUpper(BookTitle(p.q.Book))) + 6
	year := p.q.From[:4]
	if to := p.q.To[:4]; to != year {
		year += " - " + to
	}
	y = s.Middle(x, y, w, 16, "B", "Năm: "+year) + 8
	y = s.Middle(x, y, w, 14, "", "Từ ngày "+dayMonthYear(p.q.From)+" đến ngày "+dayMonthYear(p.q.To)) + 2
	if v.First != "" {
		y = s.Middle(x, y, w, 14, "", "Từ số "+v.First+" đến số "+v.Last) + 2
	}
	s.Middle(x, y+6, w, 14, "B", fmt.Sprintf("Quyển số: %d", v.Number))
}
