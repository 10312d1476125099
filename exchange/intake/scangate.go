package intake

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// What NĐ 30/2020 Phụ lục I phần III mục II wants of the scan of a paper document: PDF 1.4 or later, colour, 200 dpi or
// more, true to size; and Phụ lục I phần I mục I.1: paper of format A4.
const (
	leastVersion = "1.4"
	leastDPI     = 200
	dpiSlack     = 4   // scanners count in whole dots, crops are rounded
	paperWidth   = 210 // mm
	paperHeight  = 297
	paperSlack   = 6    // mm that scanners cut off at the edges
	leastCover   = 0.88 // of the page
)

// A ScanCode names one way in which a scan falls short.
type ScanCode string

// The codes of warnings.
const (
	ScanVersion  ScanCode = "version"
	ScanColour   ScanCode = "colour"
	ScanNoColour ScanCode = "no_colour" // in colour by its data, but no page shows any: no red seal
	ScanDPI      ScanCode = "dpi"
	ScanScale    ScanCode = "scale" // the shape of A4, but not its size; or stretched
	ScanSize     ScanCode = "size"  // other paper
	ScanFill     ScanCode = "fill"  // the picture leaves much of the page empty
	ScanRotated  ScanCode = "rotated"
	ScanMixed    ScanCode = "mixed" // scanned pages between pages of text
)

// A ScanWarning is one shortcoming of a scan, worded for the clerk at the scanner. It warns; it forbids nothing.
type ScanWarning struct {
	Code    ScanCode `json:"code"`
	Pages   []int    `json:"pages,omitempty"` // nil when it is of the file
	Message string   `json:"message"`         // Vietnamese: what is wrong
	Hint    string   `json:"hint"`            // Vietnamese: which setting to choose
}

// A ScanPage is what was measured of one scanned page.
type ScanPage struct {
	Page   int     `json:"page"`
	Width  float64 `json:"width"` // of the page as shown, in mm
	Height float64 `json:"height"`
	DPI    int     `json:"dpi"`    // of the picture as it lies on the page
	Colour bool    `json:"colour"` // the picture has colours by its data
	Cover  float64 `json:"cover"`  // share of the page that pictures cover
	wide   float64 // horizontal dpi over vertical dpi
}

// A ScanReport is what the scan gate found. Without a scanned page it has no warnings.
type ScanReport struct {
	Version  string        `json:"version"` // of the PDF
	Pages    []ScanPage    `json:"pages"`   // the scanned ones
	Warnings []ScanWarning `json:"warnings"`
}

// CheckScan measures the scanned pages of a PDF against the standard for digitised documents. Pages that were never paper
// are not judged. An error that is a *Problem is worded for the clerk.
func (r *Reader) CheckScan(ctx context.Context, data []byte) (*ScanReport, error) {
	if int64(len(data)) > r.opt.MaxBytes {
		return nil, tooLarge(r.opt.MaxBytes)
	}
	rep := &ScanReport{Pages: []ScanPage{}}
	tinted, total := false, 0
	err := r.withPDF(ctx, data, func(ctx context.Context, f *document) error {
		facts, err := f.facts()
		if err != nil {
			return err
		}
		rep.Version = facts.version
		list := choosePages(&Draft{Pages: f.pages}, r.opt.MaxPages)
		total = len(list)
		for _, i := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, scan, err := f.measure(i)
			if err != nil {
				return err
			}
			if scan {
				rep.Pages = append(rep.Pages, p)
			}
		}
		tinted = f.tinted(rep.Pages)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check scan: %w", err)
	}
	if len(rep.Pages) == 0 {
		return rep, nil
	}
	if v := searchPDF(data).version; v > rep.Version {
		rep.Version = v // the catalog may raise what the header says (ISO 32000-1 §7.2.2)
	}
	rep.judge(total, tinted)
	return rep, nil
}

// judge turns the measures into warnings, the most serious first.
func (rep *ScanReport) judge(total int, tinted bool) {
	if rep.Version < leastVersion {
		rep.warn(ScanVersion, nil, fmt.Sprintf("Tệp là PDF phiên bản %s; quy định từ %s trở lên.", rep.Version, leastVersion),
			"Trong phần mềm quét, chọn lưu PDF phiên bản 1.4 trở lên (hoặc PDF/A), rồi quét lại.")
	}
	grey := rep.pages(func(p ScanPage) bool { return !p.Colour })
	if len(grey) > 0 {
		rep.warn(ScanColour, grey, pagesText(grey, len(rep.Pages))+" quét đen trắng hoặc thang xám; quy định là ảnh màu.",
			"Trên máy quét, chọn chế độ Màu (Color, 24 bit), không chọn Đen trắng, Thang xám hay Tự động.")
	} else if !tinted {
		rep.warn(ScanNoColour, nil, "Bản quét không thấy màu nào, kể cả dấu đỏ.",
			"Hãy kiểm tra đã quét đúng bản có dấu chưa, và máy quét đang ở chế độ Màu (Color).")
	}
	rep.judgeDots()
	rep.judgePaper()
	if n := len(rep.Pages); n < total {
		list := rep.pages(func(ScanPage) bool { return true })
		rep.warn(ScanMixed, list, fmt.Sprintf("%s là ảnh quét, %d trang còn lại là văn bản điện tử.", pagesText(list, 0), total-n),
			"Hãy kiểm tra các trang ghép có đúng của văn bản này không; tốt nhất quét lại cả văn bản một lần.")
	}
}

// judgeDots judges resolution, scale and fill.
func (rep *ScanReport) judgeDots() {
	low := rep.pages(func(p ScanPage) bool { return p.effectiveDPI() < leastDPI-dpiSlack })
	if len(low) > 0 {
		least := math.MaxInt
		for _, p := range rep.Pages {
			least = min(least, p.effectiveDPI())
		}
		rep.warn(ScanDPI, low, fmt.Sprintf("%s có độ phân giải thấp (thấp nhất %d dpi); quy định từ %d dpi.", pagesText(low, len(rep.Pages)), least, leastDPI),
			"Trên máy quét, chọn độ phân giải (Resolution) 300 dpi; thấp nhất là 200 dpi.")
	}
	scale := rep.pages(func(p ScanPage) bool { return p.paper() == paperScaled })
	if len(scale) > 0 {
		p := rep.page(scale[0])
		rep.warn(ScanScale, scale, fmt.Sprintf("%s không đúng tỷ lệ 100%%: trang %.0f × %.0f mm thay vì khổ A4 210 × 297 mm.", pagesText(scale, len(rep.Pages)), p.Width, p.Height),
			"Trên máy quét, chọn tỷ lệ (Scale) 100% và khổ giấy A4; không chọn Vừa trang (Fit to page), không quét qua ứng dụng chụp ảnh.")
	}
	if bent := rep.pages(func(p ScanPage) bool { return math.Abs(p.wide-1) > 0.05 }); len(bent) > 0 {
		rep.warn(ScanScale, bent, pagesText(bent, len(rep.Pages))+" bị kéo giãn: tỷ lệ ngang và dọc khác nhau.",
			"Trên máy quét, chọn cùng một độ phân giải cho hai chiều và tỷ lệ (Scale) 100%.")
	}
	if bare := rep.pages(func(p ScanPage) bool { return p.Cover < leastCover }); len(bare) > 0 {
		rep.warn(ScanFill, bare, fmt.Sprintf("%s: ảnh quét không phủ kín trang (chỉ %.0f%% ở trang %d).", pagesText(bare, len(rep.Pages)),
			100*rep.page(bare[0]).Cover, bare[0]), "Trên máy quét, chọn khổ giấy A4 và tỷ lệ (Scale) 100%; không thêm lề, không chèn ảnh vào tệp Word.")
	}
}

// judgePaper judges the size of pages and how they lie.
func (rep *ScanReport) judgePaper() {
	if other := rep.pages(func(p ScanPage) bool { return p.paper() == paperOther }); len(other) > 0 {
		p := rep.page(other[0])
		rep.warn(ScanSize, other, fmt.Sprintf("%s không phải khổ A4 (trang %d: %s).", pagesText(other, len(rep.Pages)), other[0], paperName(p.Width, p.Height)),
			"Văn bản hành chính dùng giấy A4: trên máy quét, chọn khổ giấy (Paper size) A4 thay vì Tự động. Nếu bản giấy đúng là khổ khác thì bỏ qua.")
	}
	if lying := rep.pages(func(p ScanPage) bool { return p.Width > p.Height*1.05 }); len(lying) > 0 {
		hint := "Nếu là bảng biểu in ngang thì bỏ qua; nếu chữ bị xoay, hãy xoay lại trang hoặc đặt giấy đúng chiều rồi quét lại."
		if len(lying) == len(rep.Pages) || lying[0] == 1 {
			hint = "Hãy đặt giấy đúng chiều dọc (Portrait) rồi quét lại, hoặc xoay trang cho chữ đứng thẳng trước khi ký số."
		}
		rep.warn(ScanRotated, lying, pagesText(lying, len(rep.Pages))+" nằm ngang.", hint)
	}
}

func (rep *ScanReport) warn(code ScanCode, pages []int, message, hint string) {
	rep.Warnings = append(rep.Warnings, ScanWarning{code, pages, message, hint})
}

func (rep *ScanReport) pages(bad func(ScanPage) bool) []int {
	var out []int
	for _, p := range rep.Pages {
		if bad(p) {
			out = append(out, p.Page)
		}
	}
	return out
}

func (rep *ScanReport) page(n int) ScanPage {
	for _, p := range rep.Pages {
		if p.Page == n {
			return p
		}
	}
	return ScanPage{}
}

// A paperKind is what the size of a page is to A4.
type paperKind int

const (
	paperA4 paperKind = iota
	paperScaled
	paperOther
)

// paper compares the page with A4, upright or lying. A page of A4's shape in another size was scaled, unless the size is
// that of another paper of the series.
func (p ScanPage) paper() paperKind {
	short, long := min(p.Width, p.Height), max(p.Width, p.Height)
	if math.Abs(short-paperWidth) <= paperSlack && math.Abs(long-paperHeight) <= paperSlack {
		return paperA4
	}
	ratio := long / short
	if math.Abs(ratio-math.Sqrt2) > 0.05 {
		return paperOther
	}
	for _, w := range []float64{148, 297, 420, 594, 841} { // A5, A3, A2, A1, A0
		if math.Abs(short-w) <= paperSlack {
			return paperOther
		}
	}
	return paperScaled
}

// effectiveDPI is the resolution that the paper was scanned with: of a page that was only scaled, measured against A4.
func (p ScanPage) effectiveDPI() int {
	if p.paper() != paperScaled {
		return p.DPI
	}
	return int(math.Round(float64(p.DPI) * min(p.Width, p.Height) / paperWidth))
}

// paperName names a size of paper.
func paperName(w, h float64) string {
	short, long := min(w, h), max(w, h)
	for _, s := range []struct {
		name        string
		short, long float64
	}{{"A5", 148, 210}, {"A3", 297, 420}, {"A2", 420, 594}, {"Letter", 216, 279}, {"Legal", 216, 356}, {"F4", 210, 330}, {"B5", 176, 250}} {
		if math.Abs(short-s.short) <= 3 && math.Abs(long-s.long) <= 3 {
			return fmt.Sprintf("%s, %.0f × %.0f mm", s.name, w, h)
		}
	}
	return fmt.Sprintf("%.0f × %.0f mm", w, h)
}

// pagesText names pages; all of them, when there are several, as such.
func pagesText(pages []int, all int) string {
	if len(pages) == all && all > 1 {
		return "Tất cả các trang"
	}
	parts := make([]string, 0, 12)
	for i, p := range pages {
		if i == 10 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprint(p))
	}
	return "Trang " + strings.Join(parts, ", ")
}
