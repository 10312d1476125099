package exchange

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// BookXLSX writes a book as a workbook, one sheet, made to be printed: A4 landscape, the header on every page. Rows are streamed.
// Text stays text, whatever letter it begins with: no cell has a formula.
func (s *Store) BookXLSX(ctx context.Context, q BookRange, w io.Writer) (rows int, err error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return 0, err
	}
	unit, parent := unitAndParent(dir, q.Unit)
	sheet := "So dang ky"
	f, err := newWorkbook(BookTitle(q.Book)+" - "+unit, unit, sheet)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	t, err := newTableWriter(f, sheet, BookColumns(q.Book), true, 7)
	if err != nil {
		return 0, err
	}
	for _, line := range []struct {
		text  string
		style int
	}{{upper(parent), t.styles.plainTitle}, {upper(unit), t.styles.boldTitle}, {upper(BookTitle(q.Book)), t.styles.bigTitle},
		{"Từ ngày " + dayMonthYear(q.From) + " đến ngày " + dayMonthYear(q.To), t.styles.plainTitle}, {"", t.styles.plainTitle}} {
		if err := t.title(line.text, line.style); err != nil {
			return 0, err
		}
	}
	if err := t.header(); err != nil {
		return 0, err
	}
	err = s.EachBookRow(ctx, q, func(r BookRow) error {
		rows++
		return t.row(r.Cells, r.Note != "taken")
	})
	if err != nil {
		return 0, err
	}
	if err := t.end(); err != nil {
		return 0, fmt.Errorf("write workbook: %w", err)
	}
	return rows, f.Write(w)
}

// newWorkbook makes a workbook with one sheet. Its times are fixed: the same content gives the same bytes.
func newWorkbook(title, author, sheet string) (*excelize.File, error) {
	f := excelize.NewFile()
	err := f.SetSheetName("Sheet1", sheet)
	if err == nil {
		err = f.SetDocProps(&excelize.DocProperties{Title: title, Creator: author, LastModifiedBy: author, Created: "2009-03-18T00:00:00Z", Modified: "2009-03-18T00:00:00Z", Language: "vi-VN"})
	}
	if err == nil {
		err = f.SetDefaultFont("Times New Roman")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("make workbook: %w", err)
	}
	return f, nil
}

// A tableWriter streams a table into a sheet.
type tableWriter struct {
	*excelize.StreamWriter
	file    *excelize.File
	sheet   string
	columns []BookColumn
	styles  tableStyles
	next    int // row
	from    int // row of the header
	number  bool
	merged  [][2]string
}

type tableStyles struct {
	plainTitle, boldTitle, bigTitle, italic, header, number, left, centre, leftMinor, centreMinor, boldLeft, figure, boldFigure, underTitle, text, boldText, small, smallBold int
}

func newTableWriter(f *excelize.File, sheet string, columns []BookColumn, numbered bool, frozen int) (*tableWriter, error) {
	t := &tableWriter{file: f, sheet: sheet, columns: columns, next: 1, number: numbered}
	if err := t.makeStyles(); err != nil {
		return nil, err
	}
	if err := t.page(); err != nil {
		return nil, err
	}
	var err error
	if t.StreamWriter, err = f.NewStreamWriter(sheet); err != nil {
		return nil, err
	}
	for i, c := range columns {
		if err := t.SetColWidth(i+1, i+1, c.Width*0.54); err != nil { // mm to letters of 10 points
			return nil, err
		}
	}
	if frozen > 0 { // rows that stay in sight: titles and header
		err := t.SetPanes(&excelize.Panes{Freeze: true, YSplit: frozen, TopLeftCell: fmt.Sprintf("A%d", frozen+1), ActivePane: "bottomLeft"})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tableWriter) makeStyles() error {
	border := []excelize.Border{{Type: "left", Color: "000000", Style: 1}, {Type: "right", Color: "000000", Style: 1}, {Type: "top", Color: "000000", Style: 1}, {Type: "bottom", Color: "000000", Style: 1}}
	font := func(size float64, bold, italic bool) *excelize.Font {
		return &excelize.Font{Family: "Times New Roman", Size: size, Bold: bold, Italic: italic}
	}
	at := func(horizontal string) *excelize.Alignment {
		return &excelize.Alignment{Horizontal: horizontal, Vertical: "center", WrapText: true}
	}
	const text, digits = 49, 3 // number formats "@" and "#,##0"
	styles := []struct {
		to    *int
		style excelize.Style
	}{
		{&t.styles.plainTitle, excelize.Style{Font: font(12, false, false), Alignment: at("center")}},
		{&t.styles.boldTitle, excelize.Style{Font: font(12, true, false), Alignment: at("center")}},
		{&t.styles.bigTitle, excelize.Style{Font: font(15, true, false), Alignment: at("center")}},
		{&t.styles.italic, excelize.Style{Font: font(12, false, true), Alignment: at("center")}},
		{&t.styles.header, excelize.Style{Font: font(10, true, false), Alignment: at("center"), Border: border}},
		{&t.styles.number, excelize.Style{Font: font(9, false, true), Alignment: at("center"), Border: border, NumFmt: text}},
		{&t.styles.left, excelize.Style{Font: font(10, false, false), Alignment: at("left"), Border: border, NumFmt: text}},
		{&t.styles.centre, excelize.Style{Font: font(10, false, false), Alignment: at("center"), Border: border, NumFmt: text}},
		{&t.styles.leftMinor, excelize.Style{Font: font(10, false, true), Alignment: at("left"), Border: border, NumFmt: text}},
		{&t.styles.centreMinor, excelize.Style{Font: font(10, false, true), Alignment: at("center"), Border: border, NumFmt: text}},
		{&t.styles.boldLeft, excelize.Style{Font: font(10, true, false), Alignment: at("left"), Border: border}},
		{&t.styles.figure, excelize.Style{Font: font(10, false, false), Alignment: at("center"), Border: border, NumFmt: digits}},
		{&t.styles.boldFigure, excelize.Style{Font: font(10, true, false), Alignment: at("center"), Border: border, NumFmt: digits}},
		{&t.styles.underTitle, excelize.Style{Font: &excelize.Font{Family: "Times New Roman", Size: 13, Bold: true, Underline: "single"}, Alignment: at("center")}},
		{&t.styles.text, excelize.Style{Font: font(13, false, false), Alignment: &excelize.Alignment{Horizontal: "left", Vertical: "top", WrapText: true}}},
		{&t.styles.boldText, excelize.Style{Font: font(13, true, false), Alignment: at("left")}},
		{&t.styles.small, excelize.Style{Font: font(11, false, false), Alignment: at("left")}},
		{&t.styles.smallBold, excelize.Style{Font: font(12, true, true), Alignment: at("left")}},
	}
	for i := range styles {
		id, err := t.file.NewStyle(&styles[i].style)
		if err != nil {
			return fmt.Errorf("style of a workbook: %w", err)
		}
		*styles[i].to = id
	}
	return nil
}

// page makes the sheet A4 landscape, as wide as the paper, with page numbers.
func (t *tableWriter) page() error {
	paper, orientation, wide, high := 9, "landscape", 1, 0
	fit := true
	margin := func(mm float64) *float64 { v := mm / 25.4; return &v }
	if err := t.file.SetSheetProps(t.sheet, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	if err := t.file.SetPageLayout(t.sheet, &excelize.PageLayoutOptions{Size: &paper, Orientation: &orientation, FitToWidth: &wide, FitToHeight: &high}); err != nil {
		return err
	}
	if err := t.file.SetPageMargins(t.sheet, &excelize.PageLayoutMarginsOptions{Left: margin(25), Right: margin(12), Top: margin(18), Bottom: margin(15), Header: margin(8), Footer: margin(7)}); err != nil {
		return err
	}
	return t.file.SetHeaderFooter(t.sheet, &excelize.HeaderFooterOptions{OddFooter: "&RTrang &P/&N"})
}

func (t *tableWriter) cell(column int) string {
	name, _ := excelize.CoordinatesToCellName(column, t.next)
	return name
}

// title writes a line over the whole width.
func (t *tableWriter) title(text string, style int) error {
	t.merged = append(t.merged, [2]string{t.cell(1), t.cell(len(t.columns))})
	err := t.SetRow(t.cell(1), []any{excelize.Cell{StyleID: style, Value: text}})
	t.next++
	return err
}

// header writes the titles of the columns, which every printed page repeats.
func (t *tableWriter) header() error {
	t.from = t.next
	names, numbers := make([]any, len(t.columns)), make([]any, len(t.columns))
	for i, c := range t.columns {
		names[i] = excelize.Cell{StyleID: t.styles.header, Value: c.Title}
		numbers[i] = excelize.Cell{StyleID: t.styles.number, Value: fmt.Sprintf("(%d)", i+1)}
	}
	err := t.SetRow(t.cell(1), names, excelize.RowOpts{Height: t.height(headTitles(t.columns), 13)})
	t.next++
	if err == nil && t.number {
		err = t.SetRow(t.cell(1), numbers)
		t.next++
	}
	return err
}

func headTitles(columns []BookColumn) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Title
	}
	return out
}

// row writes a row of text.
func (t *tableWriter) row(cells []string, minor bool) error {
	values := make([]any, len(cells))
	for i, text := range cells {
		style := t.styles.left
		switch {
		case t.columns[i].Centre && minor:
			style = t.styles.centreMinor
		case t.columns[i].Centre:
			style = t.styles.centre
		case minor:
			style = t.styles.leftMinor
		}
		values[i] = excelize.Cell{StyleID: style, Value: sheetText(text)}
	}
	err := t.SetRow(t.cell(1), values, excelize.RowOpts{Height: t.height(cells, 13)})
	t.next++
	return err
}

// height of a row: programs do not reckon it for rows that they have not written.
func (t *tableWriter) height(cells []string, line float64) float64 {
	most := 1
	for i, c := range cells {
		width := t.columns[i].Width*0.54 - 1
		most = max(most, sheetLines(c, width*1.2))
	}
	return min(409, float64(most)*line+3)
}

// sheetLines is how many lines a text takes in a column of so many letters, broken at spaces.
func sheetLines(text string, width float64) int {
	lines, used := 1, 0.0
	for _, word := range strings.Fields(text) {
		n := float64(len([]rune(word)))
		switch {
		case used == 0:
			used = n
		case used+1+n <= width:
			used += 1 + n
		default:
			lines, used = lines+1, n
		}
		for used > width {
			lines, used = lines+1, used-width
		}
	}
	return lines
}

// maxCell is how many letters a cell may have.
const maxCell = 32767

// sheetText leaves out what a workbook cannot hold.
func sheetText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if r := []rune(text); len(r) > maxCell {
		return string(r[:maxCell-1]) + "…"
	}
	return text
}

// letter turns the sheet into an upright page.
func (t *tableWriter) letter() error {
	orientation := "portrait"
	return t.file.SetPageLayout(t.sheet, &excelize.PageLayoutOptions{Orientation: &orientation})
}

// finish ends a sheet that has no table.
func (t *tableWriter) finish() error {
	for _, m := range t.merged {
		if err := t.MergeCell(m[0], m[1]); err != nil {
			return err
		}
	}
	return t.Flush()
}

// end finishes a sheet with a table, whose header every printed page repeats.
func (t *tableWriter) end() error {
	last := t.from
	if t.number {
		last++
	}
	err := t.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$%d:$%d", t.sheet, t.from, last), Scope: t.sheet})
	if err != nil {
		return err
	}
	return t.finish()
}
