package exchange

import (
	"fmt"
	"strings"
	"time"

	"congvan/exchange/paper"
)

// PDF prints the record of a handover (biên bản bàn giao) for the hands that sign it. The same handover gives the same bytes.
func (h *Handover) PDF() ([]byte, error) {
	s := paper.NewSheet("P", "Biên bản bàn giao hộp thư điện tử "+h.UnitName, h.UnitName, h.At)
	s.Foot = fmt.Sprintf("Biên bản bàn giao %s - số thứ tự %d", h.Mailbox, h.Number)
	s.AddPage()
	h.head(s)
	h.parties(s)
	h.box(s)
	h.duties(s)
	h.signatures(s)
	return s.Bytes()
}

// head is the heading of a biên bản (NĐ 30/2020 Phụ lục III mẫu 1.10): agency, quốc hiệu, title.
func (h *Handover) head(s *paper.Sheet) {
	const left, gap = 68.0, 4.0
	right := s.Width() - left - gap
	y := s.Top
	if h.Parent != "" {
		y = s.Middle(s.Left, y, left, 12, "", strings.ToUpper(h.Parent))
	}
	y = s.Middle(s.Left, y, left, 12, "B", strings.ToUpper(h.UnitName)) + 1
	s.Under(s.Left, y, left, 25)
	x := s.Left + left + gap
	e := s.Middle(x, s.Top, right, 12, "B", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
	e = s.Middle(x, e, right, 13, "B", "Độc lập - Tự do - Hạnh phúc") + 1
	s.Under(x, e, right, 55)
	y = s.Middle(s.Left, max(y, e)+9, s.Width(), 14, "B", "BIÊN BẢN")
	y = s.Middle(s.Left, y+0.5, s.Width(), 14, "B", "Bàn giao hộp thư điện tử và văn bản của đơn vị")
	s.SetXY(s.Left, y+5)
}

func (h *Handover) parties(s *paper.Sheet) {
	at := h.At.In(hanoi)
	from := "(danh bạ chưa ghi người đứng đầu trước)"
	if len(h.From) > 0 {
		from = strings.Join(h.From, ", ")
	}
	to := h.To
	if h.ToAddress != "" {
		to += " (" + h.ToAddress + ")"
	}
	s.Paragraph(fmt.Sprintf("Hồi %02d giờ %02d phút, ngày %02d tháng %d năm %d, theo %s và Điều 8 Quy định ban hành kèm theo Quyết định số 22/2009/QĐ-UBND, đã bàn giao hộp thư %s của %s:",
		at.Hour(), at.Minute(), at.Day(), int(at.Month()), at.Year(), h.Request, h.Mailbox, h.UnitName))
	s.Paragraph("Bên giao: " + from + ".")
	s.Paragraph("Bên nhận: " + to + ".")
	s.Paragraph("Người thực hiện trên hệ thống: " + h.By + ".")
}

func (h *Handover) box(s *paper.Sheet) {
	s.Heading(fmt.Sprintf("1. Nội dung hộp thư: %d thư, %s", h.Messages, bytesText(h.Bytes)))
	if len(h.Folders) == 0 {
		s.Paragraph("Hộp thư không có thư nào.")
	} else {
		s.Size, s.LineHeight = 11, 5
		s.Table([]paper.Column{{Title: "Thư mục", Width: 60}, {Title: "Số thư", Width: 20, Centre: true}, {Title: "Dung lượng", Width: 28, Centre: true},
			{Title: "Thư cũ nhất", Width: 28, Centre: true}, {Title: "Thư mới nhất", Width: 28, Centre: true}}, false)
		s.TableHead()
		for _, f := range h.Folders {
			name := f.Name
			if name == "INBOX" {
				name = "Hộp thư đến"
			}
			s.Row("", []string{name, fmt.Sprint(f.Messages), bytesText(f.Bytes), writtenDay(f.Oldest), writtenDay(f.Newest)})
		}
		s.SetY(s.GetY() + 2)
	}
	s.Paragraph("Bảng kê từng thư kèm theo biên bản này có mã băm SHA-256:")
	s.SetFont(paper.Serif, "", 10)
	s.CellFormat(s.Width(), 5, string(h.Inventory), "", 2, "C", false, 0, "")
	s.SetY(s.GetY() + 2)
}

func (h *Handover) duties(s *paper.Sheet) {
	s.Heading(fmt.Sprintf("2. Văn bản đơn vị còn phải xử lý: %d", len(h.Duties)))
	if len(h.Duties) > 0 {
		s.Size, s.LineHeight = 10, 4.4
		s.Table([]paper.Column{{Title: "Số, ký hiệu", Width: 32}, {Title: "Trích yếu", Width: 62}, {Title: "Số đến", Width: 14, Centre: true}, {Title: "Tình trạng", Width: 40}, {Title: "Hạn", Width: 24, Centre: true}}, false)
		s.TableHead()
		for _, d := range h.Duties {
			due := writtenDay(time.UnixMicro(d.Deadline))
			if d.Deadline < h.At.UnixMicro() {
				due += "\n(quá hạn)"
			}
			s.Row("", []string{d.Reference, d.Abstract, d.Arrival, d.State(), due})
		}
		s.SetY(s.GetY() + 2)
	}
	s.Heading("3. Quyền truy cập")
	s.Paragraph("Mật khẩu cũ, mật khẩu ứng dụng, mọi phiên và kết nối đang mở của hộp thư đã chấm dứt. Mật khẩu mới giao riêng cho bên nhận, phải đổi trước khi dùng (Điều 7).")
	if len(h.Ended) == 0 {
		s.Paragraph("Không có ủy quyền nào đang hiệu lực.")
		return
	}
	s.Paragraph("Các ủy quyền chấm dứt từ thời điểm bàn giao; bên nhận ủy quyền lại bằng văn bản nếu cần:")
	for _, d := range h.Ended {
		s.Paragraph("- " + d + ";")
	}
}

func (h *Handover) signatures(s *paper.Sheet) {
	if s.GetY() > s.PageEnd-55 {
		s.AddPage()
	}
	s.Paragraph("Biên bản lập thành 03 bản: mỗi bên giữ 01 bản, 01 bản gửi Sở Thông tin và Truyền thông.")
	y, third := s.GetY()+4, s.Width()/3
	for i, title := range []string{"BÊN GIAO", "BÊN NHẬN", "NGƯỜI CHỨNG KIẾN"} {
		x := s.Left + float64(i)*third
		e := s.Middle(x, y, third, 12, "B", title)
		s.Middle(x, e, third, 11, "I", "(Ký, ghi rõ họ tên)")
	}
}

// bytesText is a size as people read it, with a decimal comma.
func bytesText(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d byte", n)
	case n < unit*unit:
		return fmt.Sprintf("%d KB", n/unit)
	case n < unit*unit*unit:
		return strings.Replace(fmt.Sprintf("%.1f MB", float64(n)/unit/unit), ".", ",", 1)
	}
	return strings.Replace(fmt.Sprintf("%.1f GB", float64(n)/unit/unit/unit), ".", ",", 1)
}
