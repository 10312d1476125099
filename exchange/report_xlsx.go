package exchange

import (
	"fmt"
	"io"
	"strings"

	"congvan/exchange/paper"
)

// XLSX writes the report as a workbook: the báo cáo with its sentences on the first sheet, each table on one of its own. The same
// report gives the same bytes.
func (r *Report) XLSX(w io.Writer) error {
	f, err := paper.NewWorkbook("Báo cáo "+r.Title()[0], r.Reporter.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.front(f); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	for _, t := range r.Tables() {
		if err := r.sheet(f, &t); err != nil {
			return fmt.Errorf("write report, %s: %w", t.Sheet, err)
		}
	}
	return f.WriteSorted(w)
}

// sheet writes one table, its figures as numbers.
func (r *Report) sheet(f *paper.Workbook, t *ReportTable) error {
	g, err := f.Grid(t.Sheet, t.Columns, paper.GridForm{Upright: true, Frozen: 4})
	if err != nil {
		return err
	}
	for _, line := range []struct {
		text  string
		style paper.Style
	}{{t.Title, paper.BoldTitle}, {r.Title()[1], paper.Italic}, {"", paper.Italic}} {
		if err := g.Title(line.text, line.style); err != nil {
			return err
		}
	}
	if err := g.Header(); err != nil {
		return err
	}
	for i, row := range t.Rows {
		if err := g.Figures(row, cellTexts(row), i == len(t.Rows)-1); err != nil {
			return err
		}
	}
	return g.End()
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
func (r *Report) front(f *paper.Workbook) error {
	g, err := f.Grid("Bao cao", []paper.Column{{Width: 80, Centre: true}, {Width: 90, Centre: true}}, paper.GridForm{Upright: true})
	if err != nil {
		return err
	}
	line := func(text string, style paper.Style) error { return g.Line(text, style, 86) }
	steps := []func() error{
		func() error {
			return g.Pair(strings.ToUpper(r.Reporter.Parent), paper.PlainTitle, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", paper.BoldTitle)
		},
		func() error {
			return g.Pair(strings.ToUpper(r.Reporter.Name), paper.BoldTitle, "Độc lập - Tự do - Hạnh phúc", paper.UnderTitle)
		},
		func() error {
			return g.Pair("Số: ......../BC-"+strings.ToUpper(string(r.Reporter.Code)), paper.PlainTitle, r.date(), paper.Italic)
		},
		func() error { return line("", paper.PlainTitle) },
		func() error { return line("BÁO CÁO", paper.BigTitle) },
		func() error { return line(r.Title()[0], paper.BoldTitle) },
		func() error { return line(r.Title()[1], paper.Italic) },
	}
	for i, to := range r.Reporter.To {
		steps = append(steps, func() error {
			if i == 0 {
				return line("Kính gửi: "+to, paper.PlainTitle)
			}
			return line(to, paper.PlainTitle)
		})
	}
	for _, text := range r.frontTexts() {
		style := paper.Text
		if len(text) > 2 && text[1] == '.' && text[0] >= '1' && text[0] <= '9' {
			style = paper.BoldText
		}
		steps = append(steps, func() error { return line(text, style) })
	}
	steps = append(steps, func() error { return line("", paper.Text) },
		func() error {
			return g.Pair("Nơi nhận:", paper.SmallBold, strings.ToUpper("Thủ trưởng cơ quan"), paper.BoldTitle)
		})
	for i, to := range r.recipients() {
		steps = append(steps, func() error {
			if i == 0 {
				return g.Pair(to, paper.Small, "(Chữ ký, ghi rõ họ tên, đóng dấu)", paper.Italic)
			}
			return g.Pair(to, paper.Small, "", paper.Small)
		})
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return g.End()
}
