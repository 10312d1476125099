package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"congvan/signing"
)

// verifyTexts words why a PDF cannot be verified and what to do, by the code of a signing.InputError.
var verifyTexts = map[string][2]string{
	"encrypted": {"Tệp PDF có mật khẩu mở tệp, không kiểm tra được chữ ký số.", "Đề nghị nơi gửi gửi lại bản không đặt mật khẩu."},
	"damaged":   {"Tệp PDF bị hỏng, bị cắt bớt hoặc có cấu trúc bất thường, không kiểm tra được chữ ký số.", "Tải lại tệp; nếu vẫn vậy, đề nghị nơi gửi gửi lại. Không dùng tệp này thay bản giấy."},
	"too_large": {"Tệp PDF lớn hơn 100 MB, không kiểm tra được.", "Đề nghị nơi gửi chia nhỏ tệp hoặc quét lại ở độ phân giải thấp hơn."},
	"timeout":   {"Tệp PDF quá phức tạp, chưa kiểm tra xong trong thời gian cho phép.", "Thử lại khi máy rảnh; nếu vẫn vậy, đề nghị nơi gửi xuất lại tệp PDF."},
	"not_pdf":   {"Tệp không phải là PDF.", "Kiểm tra lại tên tệp; chữ ký số của văn bản nằm trong tệp PDF."},
	"empty":     {"Tệp rỗng.", "Tải lại tệp hoặc đề nghị nơi gửi gửi lại."},
}

// verifyTrouble words an error of reading or verifying a file.
func verifyTrouble(err error) (code, text, hint string) {
	var in *signing.InputError
	if errors.As(err, &in) {
		if t, ok := verifyTexts[in.Code]; ok {
			return in.Code, t[0], t[1]
		}
		code = in.Code
	}
	text, hint = explain(err)
	return code, text, hint
}

// verifyFile prints the verdict on one file and reports whether it is valid.
func verifyFile(ctx context.Context, s *streams, file string, opt signing.VerifyOptions, asJSON bool) bool {
	data, err := readFile(file)
	var report *signing.Report
	if err == nil {
		report, err = signing.Verify(ctx, data, opt)
	}
	if err != nil {
		code, text, hint := verifyTrouble(err)
		if asJSON {
			out := map[string]any{"file": filepath.Base(file), "status": signing.Indeterminate, "error": text}
			if code != "" {
				out["code"], out["hint"] = code, hint
			}
			writeJSON(s.out, out)
		} else {
			fmt.Fprintf(s.out, "%s: %s\n", file, text)
			if hint != "" {
				fmt.Fprintf(s.out, "  %s\n", hint)
			}
		}
		return false
	}
	if asJSON {
		writeJSON(s.out, struct {
			File string `json:"file"`
			*signing.Report
		}{filepath.Base(file), report})
	} else {
		showReport(s, file, report)
	}
	return report.Overall() == signing.Valid
}

func showReport(s *streams, file string, r *signing.Report) {
	fmt.Fprintf(s.out, "%s: %s. %s\n", file, r.Overall().Text(), r.Reason)
	for i := range r.Signatures {
		g := &r.Signatures[i]
		kind := "Chữ ký"
		if g.Kind == "timestamp" {
			kind = "Dấu thời gian của tệp"
		}
		fmt.Fprintf(s.out, "  %s %d: %s - %s\n", kind, i+1, g.Status.Text(), cmp.Or(g.SignerName, g.Organization, "không rõ người ký"))
		if g.Status != signing.Valid {
			fmt.Fprintf(s.out, "    %-14s %s\n", "Vì sao", g.Reason)
		}
		for _, q := range []struct {
			name  string
			check signing.Check
		}{{"Toàn vẹn", g.Intact}, {"Phạm vi", g.Coverage}, {"Người ký", g.Signer}, {"Chuỗi tin cậy", g.Chain}, {"Thời hạn", g.Time},
			{"Thu hồi", g.Revocation}, {"Dấu thời gian", g.Timestamp}} {
			fmt.Fprintf(s.out, "    %s %-14s %s\n", answerSign[q.check.Answer], q.name, q.check.Reason)
		}
		for _, line := range []string{addedText(g.Changes), certifiedTexts[g.Certified], timeText(g)} {
			if line != "" {
				fmt.Fprintf(s.out, "      %-14s %s\n", "", line)
			}
		}
	}
	if h := adviceFor(r); h != "" {
		fmt.Fprintf(s.out, "  %s\n", h)
	}
}

// answerSign marks an answer at the beginning of its line; it is readable without colours.
var answerSign = map[signing.Answer]string{signing.Passed: "+", signing.Failed: "✗", signing.Unknown: "?", signing.NotChecked: "-"}

// changeTexts name what came behind a signature.
var changeTexts = map[string]string{
	"signature": "chữ ký khác", "timestamp": "dấu thời gian", "dss": "chứng cứ kiểm tra lâu dài", "form_fill": "nội dung điền vào biểu mẫu",
	"metadata": "thông tin mô tả tệp", "comment": "chú thích",
}

func addedText(changes []string) string {
	var names []string
	for _, c := range changes {
		names = append(names, cmp.Or(changeTexts[c], c))
	}
	if len(names) == 0 {
		return ""
	}
	return "Bổ sung sau khi ký: " + strings.Join(names, ", ") + "."
}

// certifiedTexts say what a certifying signature allows.
var certifiedTexts = map[int]string{
	1: "Người ký không cho phép bổ sung gì sau khi ký.",
	2: "Người ký chỉ cho phép điền biểu mẫu và ký thêm.",
	3: "Người ký cho phép điền biểu mẫu, ký thêm và chú thích.",
}

// timeText says at which time the certificate was judged and who vouches for it.
func timeText(g *signing.SignatureReport) string {
	zone := time.FixedZone("+07", 7*60*60)
	show := func(t time.Time) string { return t.In(zone).Format("15:04:05 ngày 02/01/2006") }
	var parts []string
	switch g.TimeSource {
	case signing.TimeOfStamp, signing.TimeOfDocumentStamp:
		by := ""
		if g.StampedBy != "" {
			by = " của " + g.StampedBy
		}
		parts = append(parts, fmt.Sprintf("Đã ký trước %s, theo dấu thời gian%s.", show(g.UsedTime), by))
	default:
		parts = append(parts, fmt.Sprintf("Không có dấu thời gian tin cậy: chứng thư số được xét tại lúc kiểm tra (%s).", show(g.UsedTime)))
	}
	if g.ClaimedTime != nil {
		parts = append(parts, fmt.Sprintf("Người ký ghi: %s.", show(*g.ClaimedTime)))
	}
	return strings.Join(parts, " ")
}

// adviceFor tells a clerk what to do with a file that is not valid.
func adviceFor(r *signing.Report) string {
	switch {
	case r.Overall() == signing.Valid:
		return ""
	case len(r.Signatures) == 0:
		return "Tệp này không thay được bản giấy. Nếu nơi gửi nói đã ký số, hãy đề nghị gửi lại đúng tệp đã ký."
	case r.Overall() == signing.Invalid:
		return "Không tiếp nhận tệp này như văn bản đã ký; báo cho nơi gửi và đề nghị gửi lại."
	}
	return "Chưa được coi là hợp lệ: hãy hỏi lại nơi gửi, hoặc nhờ quản trị bổ sung chứng thư số gốc tin cậy rồi kiểm tra lại."
}
