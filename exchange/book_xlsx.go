package exchange

import (
	"context"
	"fmt"
	"io"
	"strings"

	"congvan/exchange/paper"
)

// BookXLSX writes a book as a workbook, one sheet, made to be printed: A4 landscape, the header on every page. Rows are streamed.
// Text stays text, whatever letter it begins with: no cell has a formula.
func (s *Store) BookXLSX(ctx context.Context, q BookRange, w io.Writer) (rows int, err error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return 0, err
	}
	unit, parent := unitAndParent(dir, q.Unit)
	f, err := paper.NewWorkbook(BookTitle(q.Book)+" - "+unit, unit)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	t, err := f.Grid("So dang ky", BookColumns(q.Book), paper.GridForm{Numbered: true, Frozen: 7})
	if err != nil {
		return 0, err
	}
	for _, line := range []struct {
		text  string
		style paper.Style
	}{{strings.ToUpper(parent), paper.PlainTitle}, {strings.ToUpper(unit), paper.BoldTitle}, {strings.ToUpper(BookTitle(q.Book)), paper.BigTitle},
		{"Từ ngày " + dayMonthYear(q.From) + " đến ngày " + dayMonthYear(q.To), paper.PlainTitle}, {"", paper.PlainTitle}} {
		if err := t.Title(line.text, line.style); err != nil {
			return 0, err
		}
	}
	if err := t.Header(); err != nil {
		return 0, err
	}
	err = s.EachBookRow(ctx, q, func(r BookRow) error {
		rows++
		return t.Row(r.Cells, r.Note != "taken")
	})
	if err != nil {
		return 0, err
	}
	if err := t.End(); err != nil {
		return 0, fmt.Errorf("write workbook: %w", err)
	}
	return rows, f.Write(w)
}
