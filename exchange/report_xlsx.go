package exchange

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

const reportSheet = "Bao cao"

// XLSX writes the report as a workbook: the báo cáo with its sentences on the first sheet, each table on one of its own. The same
// report gives the same bytes.
func (r *Report) XLSX(w io.Writer) error {
	f, err := newWorkbook("Báo cáo "+r.Title()[0], r.Reporter.Name, reportSheet)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.front(f); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	for _, t := range r.Tables() {
		if _, err := f.NewSheet(t.Sheet); err != nil {
			return err
		}
		if err := r.sheet(f, &t); err != nil {
			return fmt.Errorf("write report, %s: %w", t.Sheet, err)
		}
	}
	return writeSorted(f, w)
}

// writeSorted writes a workbook with its parts in the order of their names: the library writes streamed sheets in any order.
func writeSorted(f *excelize.File, w io.Writer) error {
	plain, err := f.WriteToBuffer()
	if err != nil {
		return err
	}
	parts, err := zip.NewReader(bytes.NewReader(plain.Bytes()), int64(plain.Len()))
	if err != nil {
		return err
	}
	slices.SortFunc(parts.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	for _, part := range parts.File {
		if err := out.Copy(part); err != nil {
			return err
		}
	}
	return out.Close()
}

// sheet writes one table, its figures as numbers.
func (r *Report) sheet(f *excelize.File, t *ReportTable) error {
	w, err := newTableWriter(f, t.Sheet, t.Columns, false, 4)
	if err != nil {
		return err
	}
	if err := w.letter(); err != nil {
		return err
	}
	for _, line := range []struct {
		text  string
		style int
	}{{t.Title, w.styles.boldTitle}, {r.Title()[1], w.styles.italic}, {"", w.styles.italic}} {
		if err := w.title(line.text, line.style); err != nil {
			return err
		}
	}
	if err := w.header(); err != nil {
		return err
	}
	for i, row := range t.Rows {
		if err := w.figures(row, i == len(t.Rows)-1); err != nil {
			return err
		}
	}
	return w.end()
}

// figures writes a row whose numbers are numbers.
func (t *tableWriter) figures(row []any, total bool) error {
	values, texts := make([]any, len(row)), make([]string, len(row))
	for i, v := range row {
		style := t.styles.figure
		switch {
		case total && !t.columns[i].Centre:
			style = t.styles.boldLeft
		case total:
			style = t.styles.boldFigure
		case !t.columns[i].Centre:
			style = t.styles.left
		}
		texts[i] = cellText(v)
		if text, ok := v.(string); ok {
			v = sheetText(text)
		}
		values[i] = excelize.Cell{StyleID: style, Value: v}
	}
	err := t.SetRow(t.cell(1), values, excelize.RowOpts{Height: t.height(texts, 13)})
	t.next++
	return err
}

// frontTexts are the paragraphs of the báo cáo.
func (r *Report) frontTexts() []string {
	texts := append([]string{r.Opening(), "1. Kết quả chung"}, r.Findings()...)
	texts = append(texts, "2. Số liệu của từng đơn vị: ở các trang sau của tệp này (Gửi, Nhận, Kiểm tra).", "3. Thời gian hệ thống ngừng hoạt động")
	for _, o := range r.Outages {
		texts = append(texts, "- Từ "+o.From+" đến "+o.To+".")
	}
	if len(r.Outages) == 0 {
		texts = append(texts, "Không có.")
	}
	return append(append(texts, "4. Ghi chú"), r.Notes()...)
}

// front is the báo cáo itself, on the paper of a letter.
func (r *Report) front(f *excelize.File) error {
	w, err := newTableWriter(f, reportSheet, []BookColumn{{"", 80, true}, {"", 90, true}}, false, 0)
	if err != nil {
		return err
	}
	if err := w.letter(); err != nil {
		return err
	}
	two := func(a string, styleA int, b string, styleB int) error {
		err := w.SetRow(w.cell(1), []any{excelize.Cell{StyleID: styleA, Value: a}, excelize.Cell{StyleID: styleB, Value: b}}, excelize.RowOpts{Height: float64(max(sheetLines(a, 28), sheetLines(b, 40)))*16.5 + 1})
		w.next++
		return err
	}
	line := func(text string, style int) error {
		w.merged = append(w.merged, [2]string{w.cell(1), w.cell(2)})
		err := w.SetRow(w.cell(1), []any{excelize.Cell{StyleID: style, Value: text}}, excelize.RowOpts{Height: float64(sheetLines(text, 86))*16.5 + 3})
		w.next++
		return err
	}
	st := &w.styles
	steps := []func() error{
		func() error {
			return two(upper(r.Reporter.Parent), st.plainTitle, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", st.boldTitle)
		},
		func() error {
			return two(upper(r.Reporter.Name), st.boldTitle, "Độc lập - Tự do - Hạnh phúc", st.underTitle)
		},
		func() error {
			return two("Số: ......../BC-"+upper(string(r.Reporter.Code)), st.plainTitle, r.date(), st.italic)
		},
		func() error { return line("", st.plainTitle) },
		func() error { return line("BÁO CÁO", st.bigTitle) },
		func() error { return line(r.Title()[0], st.boldTitle) },
		func() error { return line(r.Title()[1], st.italic) },
	}
	for i, to := range r.Reporter.To {
		steps = append(steps, func() error {
			if i == 0 {
				return line("Kính gửi: "+to, st.plainTitle)
			}
			return line(to, st.plainTitle)
		})
	}
	for _, text := range r.frontTexts() {
		style := st.text
		if len(text) > 2 && text[1] == '.' && text[0] >= '1' && text[0] <= '9' {
			style = st.boldText
		}
		steps = append(steps, func() error { return line(text, style) })
	}
	steps = append(steps, func() error { return line("", st.text) },
		func() error {
			return two("Nơi nhận:", st.smallBold, upper("Thủ trưởng cơ quan"), st.boldTitle)
		})
	for i, to := range r.recipients() {
		steps = append(steps, func() error {
			if i == 0 {
				return two(to, st.small, "(Chữ ký, ghi rõ họ tên, đóng dấu)", st.italic)
			}
			return two(to, st.small, "", st.small)
		})
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return w.finish()
}
