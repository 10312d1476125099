package intake

import (
	"fmt"
	"slices"
	"strings"
)

// A ProblemCode names one way in which a file cannot be read, or not wholly.
type ProblemCode string

// The codes of problems.
const (
	NotPDF       ProblemCode = "not_pdf"       // the bytes are another format
	EmptyFile    ProblemCode = "empty"         // no bytes at all
	Truncated    ProblemCode = "truncated"     // the end of the file is missing
	Damaged      ProblemCode = "damaged"       // PDFium cannot make pages of it
	Encrypted    ProblemCode = "encrypted"     // a password is needed to open it
	TooLarge     ProblemCode = "too_large"     // over the limit of bytes
	NoPages      ProblemCode = "no_pages"      // a PDF without a page
	TooSlow      ProblemCode = "too_slow"      // the time limit ended first
	TooComplex   ProblemCode = "too_complex"   // it wants more memory than a document may
	NeedsManual  ProblemCode = "needs_manual"  // a scan, and there is nothing to read it with
	TooManyPages ProblemCode = "too_many"      // only the first and last pages were read
	NoRecipients ProblemCode = "no_recipients" // no Nơi nhận block was found
	UnreadPages  ProblemCode = "unread_pages"  // some pages gave no text
	MaybeSecret  ProblemCode = "maybe_secret"  // something looks like a mark of secrecy, and may be none
)

// A Problem is what went wrong with a file, worded for the clerk who gave it.
type Problem struct {
	Code    ProblemCode `json:"code"`
	Message string      `json:"message"`        // Vietnamese: what happened
	Hint    string      `json:"hint,omitempty"` // Vietnamese: what to do
	err     error
}

// Error gives the message and the hint; the cause is found by errors.Unwrap.
func (p *Problem) Error() string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + " " + p.Hint
}

// Unwrap gives the technical cause, which may be nil.
func (p *Problem) Unwrap() error { return p.err }

// problemTexts holds the message and the hint of each code that needs no figures.
var problemTexts = map[ProblemCode][2]string{
	NotPDF:    {"Tệp không phải là văn bản PDF.", "Hãy xuất hoặc quét văn bản thành PDF rồi chọn lại."},
	EmptyFile: {"Tệp rỗng, không có nội dung.", "Hãy chọn lại tệp văn bản."},
	Truncated: {"Tệp PDF bị cụt, thiếu phần cuối.", "Hãy chép hoặc tải lại tệp; nếu vẫn vậy, hãy quét hoặc xuất lại văn bản."},
	Damaged:   {"Tệp PDF bị hỏng, không mở được.", "Hãy quét hoặc xuất lại văn bản."},
	Encrypted: {"Tệp PDF có mật khẩu, không đọc được.", "Hãy gỡ mật khẩu rồi chọn lại tệp."},
	NoPages:   {"Tệp PDF không có trang nào.", "Hãy quét hoặc xuất lại văn bản."},
	TooSlow:   {"Đọc văn bản quá lâu nên đã dừng.", "Hãy thử lại; nếu vẫn vậy, hãy nhập tay hoặc quét lại với độ phân giải thấp hơn."},
	TooComplex: {"Tệp PDF quá phức tạp, cần nhiều bộ nhớ hơn mức cho phép.",
		"Hãy quét lại văn bản hoặc in ra PDF mới."},
	NeedsManual: {"Văn bản là bản quét, máy chưa có chương trình nhận dạng chữ: cần nhập tay.",
		"Để máy tự đọc, hãy cài đặt: apt-get install tesseract-ocr tesseract-ocr-vie"},
	MaybeSecret:  {"", "Hãy kiểm tra bằng mắt; nếu văn bản có độ mật thì không gửi qua hệ thống này."},
	NoRecipients: {"Không tìm thấy phần Nơi nhận trong văn bản.", "Hãy kiểm tra văn bản và nhập nơi nhận bằng tay."},
}

// problem makes the problem of a code, with its cause.
func problem(code ProblemCode, cause error) *Problem {
	t := problemTexts[code]
	return &Problem{Code: code, Message: t[0], Hint: t[1], err: cause}
}

func tooLarge(limit int64) *Problem {
	return &Problem{Code: TooLarge, Message: fmt.Sprintf("Tệp lớn hơn mức cho phép (%s MB).", strings.Replace(fmt.Sprintf("%.4g",
		float64(limit)/(1<<20)), ".", ",", 1)), Hint: "Hãy quét lại với dung lượng nhỏ hơn, hoặc tách phụ lục thành tệp riêng."}
}

func tooManyPages(pages, first, last int) *Problem {
	return &Problem{Code: TooManyPages, Message: fmt.Sprintf("Văn bản có %d trang; chỉ đọc %d trang đầu và %d trang cuối.",
		pages, first, last), Hint: "Hãy kiểm tra độ mật và nơi nhận ở các trang còn lại."}
}

func unreadPages(pages []int, cause error) *Problem {
	return &Problem{Code: UnreadPages, Message: "Chưa đọc được chữ ở trang " + pageList(pages) + ".",
		Hint: "Hãy kiểm tra các trang này bằng mắt.", err: cause}
}

// maybeSecret says on which pages something looks like a mark of secrecy.
func maybeSecret(pages []int) *Problem {
	pages = slices.Clone(pages)
	slices.Sort(pages)
	return &Problem{Code: MaybeSecret, Message: "Có thể có dấu mật ở trang " + pageList(slices.Compact(pages)) + ".",
		Hint: problemTexts[MaybeSecret][1]}
}

// pageList names pages, the first dozen of many.
func pageList(pages []int) string {
	list := make([]string, 0, len(pages))
	for i, p := range pages {
		if i == 12 {
			list = append(list, "…")
			break
		}
		list = append(list, fmt.Sprint(p))
	}
	return strings.Join(list, ", ")
}
