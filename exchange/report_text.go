package exchange

import (
	"fmt"

	"congvan/exchange/paper"
)

// A ReportTable is one table of a report. Values are text where Numbers says nothing, else numbers.
type ReportTable struct {
	Title   string
	Sheet   string // its name in a workbook
	Columns []paper.Column
	Rows    [][]any // the last one is the total
}

// Tables are the three tables of a report: sent, received, looked after.
func (r *Report) Tables() []ReportTable {
	return []ReportTable{
		r.table("Bảng 1. Phát hành và gửi văn bản", "Gui", []paper.Column{{Title: "STT", Width: 9, Centre: true}, {Title: "Đơn vị", Width: 60}, {Title: "Văn bản phát hành", Width: 17, Centre: true}, {Title: "Gửi điện tử", Width: 15, Centre: true}, {Title: "Tỷ lệ gửi điện tử", Width: 16, Centre: true},
			{Title: "Bản gửi qua thư điện tử", Width: 17, Centre: true}, {Title: "Bản gửi cách khác", Width: 16, Centre: true}, {Title: "Bản thu hồi, thay thế", Width: 17, Centre: true}},
			func(f *Figures) []any {
				return []any{f.Documents, f.Electronic, percent(f.Electronic, f.Documents), f.Copies, f.Other, f.Recalled}
			}),
		r.table("Bảng 2. Tiếp nhận văn bản", "Nhan", []paper.Column{{Title: "STT", Width: 9, Centre: true}, {Title: "Đơn vị", Width: 54}, {Title: "Bản đến", Width: 13, Centre: true}, {Title: "Đã tiếp nhận", Width: 14, Centre: true}, {Title: "Trong ngày", Width: 13, Centre: true}, {Title: "Tỷ lệ trong ngày", Width: 15, Centre: true},
			{Title: "Quá hạn", Width: 13, Centre: true}, {Title: "Đã xem, để biết", Width: 13, Centre: true}, {Title: "Trả lại", Width: 12, Centre: true}, {Title: "Chuyển tiếp", Width: 13, Centre: true}},
			func(f *Figures) []any {
				return []any{f.Received, f.Accepted, f.SameDay, percent(f.SameDay, f.Accepted), f.Late, f.Noted, f.Refused, f.Forwarded}
			}),
		r.table("Bảng 3. Kiểm tra hộp thư đơn vị, mỗi ngày làm việc hai buổi", "Kiem tra", []paper.Column{{Title: "STT", Width: 9, Centre: true}, {Title: "Đơn vị", Width: 60}, {Title: "Số buổi phải kiểm tra", Width: 17, Centre: true}, {Title: "Đã kiểm tra", Width: 15, Centre: true}, {Title: "Tỷ lệ", Width: 15, Centre: true},
			{Title: "Trong đó chỉ kết nối", Width: 17, Centre: true}, {Title: "Miễn do hệ thống ngừng", Width: 18, Centre: true}, {Title: "Không kiểm tra", Width: 16, Centre: true}},
			func(f *Figures) []any {
				return []any{f.HalfDays, f.Checked, percent(f.Checked, f.HalfDays-f.Excused), f.Weak, f.Excused, f.Missed}
			}),
	}
}

func (r *Report) table(title, sheet string, columns []paper.Column, cells func(*Figures) []any) ReportTable {
	t := ReportTable{Title: title, Sheet: sheet, Columns: columns}
	for i := range r.Units {
		t.Rows = append(t.Rows, append([]any{i + 1, r.Units[i].Name}, cells(&r.Units[i].Figures)...))
	}
	t.Rows = append(t.Rows, append([]any{"", "Cộng"}, cells(&r.Total)...))
	return t
}

// percent is a share as people read it: 66,7%; a dash where there is nothing to share.
func percent(part, whole int) string {
	if whole <= 0 {
		return "-"
	}
	tenths := (part*2000 + whole) / (2 * whole) // rounded
	return fmt.Sprintf("%d,%d%%", tenths/10, tenths%10)
}

// Title is what the report is about, in two lines.
func (r *Report) Title() [2]string {
	return [2]string{"Tình hình sử dụng hệ thống thư điện tử trong trao đổi văn bản", fmt.Sprintf("(Từ ngày %s đến ngày %s)", dayMonthYear(r.From), dayMonthYear(r.To))}
}

// Opening says on what the report rests.
func (r *Report) Opening() string {
	return fmt.Sprintf("Thực hiện Điều 12 của Quy định ban hành kèm theo Quyết định số 22/2009/QĐ-UBND, %s báo cáo tình hình sử dụng hệ thống thư điện tử "+
		"trong trao đổi văn bản từ ngày %s đến ngày %s như sau:", r.Reporter.Name, dayMonthYear(r.From), dayMonthYear(r.To))
}

// Findings sum up the figures in sentences.
func (r *Report) Findings() []string {
	t := &r.Total
	units := fmt.Sprintf("%d đơn vị có hộp thư", len(r.Units))
	if r.Only {
		units = "đơn vị"
	}
	out := []string{
		fmt.Sprintf("Phát hành: %s phát hành %s văn bản, trong đó %s văn bản gửi điện tử (%s); %s bản gửi qua thư điện tử, %s bản phải gửi cách khác; thu hồi, thay thế %s bản.",
			units, paper.Thousands(t.Documents), paper.Thousands(t.Electronic), percent(t.Electronic, t.Documents), paper.Thousands(t.Copies), paper.Thousands(t.Other), paper.Thousands(t.Recalled)),
		fmt.Sprintf("Tiếp nhận: %s bản đến; đã tiếp nhận %s bản, trong đó %s bản ngay trong ngày làm việc (%s); %s bản để biết đã xem; trả lại %s bản; chuyển tiếp %s bản; "+
			"%s bản không được xử lý trong ngày đến.", paper.Thousands(t.Received), paper.Thousands(t.Accepted), paper.Thousands(t.SameDay), percent(t.SameDay, t.Accepted), paper.Thousands(t.Noted),
			paper.Thousands(t.Refused), paper.Thousands(t.Forwarded), paper.Thousands(t.Late)),
		fmt.Sprintf("Kiểm tra hộp thư: %s buổi làm việc; %s lượt phải kiểm tra, đã kiểm tra %s lượt (%s), không kiểm tra %s lượt, được miễn do hệ thống ngừng %s lượt.",
			paper.Thousands(r.HalfDays), paper.Thousands(t.HalfDays), paper.Thousands(t.Checked), percent(t.Checked, t.HalfDays-t.Excused), paper.Thousands(t.Missed), paper.Thousands(t.Excused)),
	}
	if len(r.Outages) == 0 {
		return append(out, "Hệ thống hoạt động liên tục, không có thời gian ngừng.")
	}
	return append(out, fmt.Sprintf("Hệ thống ngừng %d lần (danh sách ở cuối báo cáo).", len(r.Outages)))
}

// Notes say how the figures were counted, and by what mark they are known.
func (r *Report) Notes() []string {
	return []string{"Cách tính: văn bản phát hành gồm văn bản điện tử và văn bản giấy đã vào sổ; \"trong ngày\" là trước khi hết giờ làm việc của ngày văn bản đến, văn bản đến ngoài giờ " +
		"tính vào ngày làm việc kế tiếp; \"quá hạn\" là chưa ai tiếp nhận, xem, trả lại hoặc chuyển tiếp trước lúc đó; \"chỉ kết nối\" là phần mềm thư có mở hộp thư mà không có thư mới; " +
		"buổi mà hệ thống ngừng quá nửa thời gian làm việc thì không tính là không kiểm tra.",
		"Số liệu lấy từ nhật ký sự kiện của hệ thống; lập lại từ cùng nhật ký sẽ ra cùng mã số liệu: " + r.Digest + "."}
}

// cellTexts are the cells of a row as text.
func cellTexts(row []any) []string {
	out := make([]string, len(row))
	for i, v := range row {
		if n, ok := v.(int); ok {
			out[i] = paper.Thousands(n)
		} else {
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}
