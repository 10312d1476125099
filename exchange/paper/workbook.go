package paper

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// A Workbook is a file of sheets for a spreadsheet program, made to be printed. Its times are fixed: the same content gives the
// same bytes where WriteSorted writes it.
type Workbook struct {
	file *excelize.File
	used bool // the sheet that every new file has
}

// NewWorkbook begins a workbook; Close it.
func NewWorkbook(title, author string) (*Workbook, error) {
	f := excelize.NewFile()
	err := f.SetDocProps(&excelize.DocProperties{Title: title, Creator: author, LastModifiedBy: author, Created: "2009-03-18T00:00:00Z", Modified: "2009-03-18T00:00:00Z", Language: "vi-VN"})
	if err == nil {
		err = f.SetDefaultFont("Times New Roman")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("make workbook: %w", err)
	}
	return &Workbook{file: f}, nil
}

// Close lets go of what the workbook holds.
func (w *Workbook) Close() error { return w.file.Close() }

// Write writes the finished workbook.
func (w *Workbook) Write(out io.Writer) error { return w.file.Write(out) }

// WriteSorted writes the finished workbook with its parts in the order of their names: the library writes streamed sheets in any
// order. It holds the whole file in memory.
func (w *Workbook) WriteSorted(to io.Writer) error {
	plain, err := w.file.WriteToBuffer()
	if err != nil {
		return err
	}
	parts, err := zip.NewReader(bytes.NewReader(plain.Bytes()), int64(plain.Len()))
	if err != nil {
		return err
	}
	slices.SortFunc(parts.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	out := zip.NewWriter(to)
	for _, part := range parts.File {
		if err := out.Copy(part); err != nil {
			return err
		}
	}
	return out.Close()
}

// A Grid streams the rows of one sheet: A4, as wide as the paper. Text stays text, whatever letter it begins with: no cell has a
// formula.
type Grid struct {
	stream  *excelize.StreamWriter
	file    *excelize.File
	sheet   string
	columns []Column
	styles  [styleCount]int
	form    GridForm
	next    int // row
	from    int // row of the header, 0 for none
	merged  [][2]string
}

// A GridForm says how a Grid is laid out.
type GridForm struct {
	Numbered bool // a line under the header numbers the columns
	Upright  bool // the paper stands upright
	Frozen   int  // how many rows stay in sight: titles and header
}

// Grid begins the next sheet. Sheets are written one after the other, each ended before the next begins.
func (w *Workbook) Grid(sheet string, columns []Column, form GridForm) (*Grid, error) {
	var err error
	if w.used {
		_, err = w.file.NewSheet(sheet)
	} else {
		err = w.file.SetSheetName("Sheet1", sheet)
	}
	if err != nil {
		return nil, err
	}
	w.used = true
	t := &Grid{file: w.file, sheet: sheet, columns: columns, next: 1, form: form}
	if err := t.makeStyles(); err != nil {
		return nil, err
	}
	if err := t.page(); err != nil {
		return nil, err
	}
	if t.stream, err = w.file.NewStreamWriter(sheet); err != nil {
		return nil, err
	}
	for i, c := range columns {
		if err := t.stream.SetColWidth(i+1, i+1, c.Width*0.54); err != nil { // mm to letters of 10 points
			return nil, err
		}
	}
	if form.Frozen > 0 {
		err = t.stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: form.Frozen, TopLeftCell: fmt.Sprintf("A%d", form.Frozen+1), ActivePane: "bottomLeft"})
	}
	return t, err
}

// A Style is how a line of text is written.
type Style int

// The styles of lines; those of cells follow from their columns.
const (
	PlainTitle Style = iota
	BoldTitle
	BigTitle
	UnderTitle
	Italic
	Text
	BoldText
	Small
	SmallBold
	headerCell
	numberCell
	leftCell
	centreCell
	leftMinorCell
	centreMinorCell
	boldLeftCell
	figureCell
	boldFigureCell
	styleCount
)

func (t *Grid) makeStyles() error {
	border := []excelize.Border{{Type: "left", Color: "000000", Style: 1}, {Type: "right", Color: "000000", Style: 1}, {Type: "top", Color: "000000", Style: 1}, {Type: "bottom", Color: "000000", Style: 1}}
	font := func(size float64, bold, italic bool) *excelize.Font {
		return &excelize.Font{Family: "Times New Roman", Size: size, Bold: bold, Italic: italic}
	}
	at := func(horizontal string) *excelize.Alignment {
		return &excelize.Alignment{Horizontal: horizontal, Vertical: "center", WrapText: true}
	}
	const asText, digits = 49, 3 // number formats "@" and "#,##0"
	styles := [styleCount]excelize.Style{
		PlainTitle:      {Font: font(12, false, false), Alignment: at("center")},
		BoldTitle:       {Font: font(12, true, false), Alignment: at("center")},
		BigTitle:        {Font: font(15, true, false), Alignment: at("center")},
		Italic:          {Font: font(12, false, true), Alignment: at("center")},
		headerCell:      {Font: font(10, true, false), Alignment: at("center"), Border: border},
		numberCell:      {Font: font(9, false, true), Alignment: at("center"), Border: border, NumFmt: asText},
		leftCell:        {Font: font(10, false, false), Alignment: at("left"), Border: border, NumFmt: asText},
		centreCell:      {Font: font(10, false, false), Alignment: at("center"), Border: border, NumFmt: asText},
		leftMinorCell:   {Font: font(10, false, true), Alignment: at("left"), Border: border, NumFmt: asText},
		centreMinorCell: {Font: font(10, false, true), Alignment: at("center"), Border: border, NumFmt: asText},
		boldLeftCell:    {Font: font(10, true, false), Alignment: at("left"), Border: border},
		figureCell:      {Font: font(10, false, false), Alignment: at("center"), Border: border, NumFmt: digits},
		boldFigureCell:  {Font: font(10, true, false), Alignment: at("center"), Border: border, NumFmt: digits},
		UnderTitle:      {Font: &excelize.Font{Family: "Times New Roman", Size: 13, Bold: true, Underline: "single"}, Alignment: at("center")},
		Text:            {Font: font(13, false, false), Alignment: &excelize.Alignment{Horizontal: "left", Vertical: "top", WrapText: true}},
		BoldText:        {Font: font(13, true, false), Alignment: at("left")},
		Small:           {Font: font(11, false, false), Alignment: at("left")},
		SmallBold:       {Font: font(12, true, true), Alignment: at("left")},
	}
	for i := range styles {
		id, err := t.file.NewStyle(&styles[i])
		if err != nil {
			return fmt.Errorf("style of a workbook: %w", err)
		}
		t.styles[i] = id
	}
	return nil
}

// page makes the sheet A4, as wide as the paper, with page numbers.
func (t *Grid) page() error {
	paper, orientation, wide, high := 9, "landscape", 1, 0
	if t.form.Upright {
		orientation = "portrait"
	}
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

func (t *Grid) cell(column int) string {
	name, _ := excelize.CoordinatesToCellName(column, t.next)
	return name
}

// Title writes a line over the whole width.
func (t *Grid) Title(text string, style Style) error {
	t.merged = append(t.merged, [2]string{t.cell(1), t.cell(len(t.columns))})
	err := t.stream.SetRow(t.cell(1), []any{excelize.Cell{StyleID: t.styles[style], Value: text}})
	t.next++
	return err
}

// Header writes the titles of the columns, which every printed page repeats.
func (t *Grid) Header() error {
	t.from = t.next
	names, numbers := make([]any, len(t.columns)), make([]any, len(t.columns))
	for i, c := range t.columns {
		names[i] = excelize.Cell{StyleID: t.styles[headerCell], Value: c.Title}
		numbers[i] = excelize.Cell{StyleID: t.styles[numberCell], Value: fmt.Sprintf("(%d)", i+1)}
	}
	err := t.stream.SetRow(t.cell(1), names, excelize.RowOpts{Height: t.height(headTitles(t.columns), 13)})
	t.next++
	if err == nil && t.form.Numbered {
		err = t.stream.SetRow(t.cell(1), numbers)
		t.next++
	}
	return err
}

func headTitles(columns []Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Title
	}
	return out
}

// Row writes a row of text.
func (t *Grid) Row(cells []string, minor bool) error {
	values := make([]any, len(cells))
	for i, text := range cells {
		style := t.styles[leftCell]
		switch {
		case t.columns[i].Centre && minor:
			style = t.styles[centreMinorCell]
		case t.columns[i].Centre:
			style = t.styles[centreCell]
		case minor:
			style = t.styles[leftMinorCell]
		}
		values[i] = excelize.Cell{StyleID: style, Value: cellValue(text)}
	}
	err := t.stream.SetRow(t.cell(1), values, excelize.RowOpts{Height: t.height(cells, 13)})
	t.next++
	return err
}

// height of a row: programs do not reckon it for rows that they have not written.
func (t *Grid) height(cells []string, line float64) float64 {
	most := 1
	for i, c := range cells {
		width := t.columns[i].Width*0.54 - 1
		most = max(most, lines(c, width*1.2))
	}
	return min(409, float64(most)*line+3)
}

// lines is how many lines a text takes in a column of so many letters, broken at spaces.
func lines(text string, width float64) int {
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

// cellValue leaves out what a workbook cannot hold.
func cellValue(text string) string {
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

// Figures writes a row whose numbers are numbers; shown is how programs show it.
func (t *Grid) Figures(row []any, shown []string, total bool) error {
	values := make([]any, len(row))
	for i, v := range row {
		style := t.styles[figureCell]
		switch {
		case total && !t.columns[i].Centre:
			style = t.styles[boldLeftCell]
		case total:
			style = t.styles[boldFigureCell]
		case !t.columns[i].Centre:
			style = t.styles[leftCell]
		}
		if text, ok := v.(string); ok {
			v = cellValue(text)
		}
		values[i] = excelize.Cell{StyleID: style, Value: v}
	}
	err := t.stream.SetRow(t.cell(1), values, excelize.RowOpts{Height: t.height(shown, 13)})
	t.next++
	return err
}

// Line writes a paragraph over the whole width, in a row as high as it needs; width is how many letters a line has.
func (t *Grid) Line(text string, style Style, width float64) error {
	t.merged = append(t.merged, [2]string{t.cell(1), t.cell(len(t.columns))})
	err := t.stream.SetRow(t.cell(1), []any{excelize.Cell{StyleID: t.styles[style], Value: text}}, excelize.RowOpts{Height: float64(lines(text, width))*16.5 + 3})
	t.next++
	return err
}

// Pair writes two texts side by side: the heads and feet of letters.
func (t *Grid) Pair(a string, styleA Style, b string, styleB Style) error {
	high := max(lines(a, t.columns[0].Width*0.35), lines(b, t.columns[1].Width*4/9)) // letters of 12 points; on the left they are capitals
	err := t.stream.SetRow(t.cell(1), []any{excelize.Cell{StyleID: t.styles[styleA], Value: a}, excelize.Cell{StyleID: t.styles[styleB], Value: b}}, excelize.RowOpts{Height: float64(high)*16.5 + 1})
	t.next++
	return err
}

// End finishes the sheet; every printed page of one with a header repeats it.
func (t *Grid) End() error {
	if t.from > 0 {
		last := t.from
		if t.form.Numbered {
			last++
		}
		err := t.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$%d:$%d", t.sheet, t.from, last), Scope: t.sheet})
		if err != nil {
			return err
		}
	}
	for _, m := range t.merged {
		if err := t.stream.MergeCell(m[0], m[1]); err != nil {
			return err
		}
	}
	return t.stream.Flush()
}
