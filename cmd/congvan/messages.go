package main

import (
	"errors"
	"fmt"
	"strings"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore"
	"congvan/recipients"
	"congvan/signing"
)

// A hintError is an error with what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// codeOf is the word by which programs know an error that a clerk can mend; "" for others.
func codeOf(err error) string {
	var e *exchange.Error
	var p *intake.Problem
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &p):
		return string(p.Code)
	}
	return ""
}

// clerkTexts words the errors that a clerk can mend: what happened, and what to do. %s is the error's detail.
var clerkTexts = map[string][2]string{
	exchange.CodeSecret:          {"Văn bản có dấu độ mật \"%s\": không được phát hành qua hệ thống này (Điều 10, Quyết định 22/2009/QĐ-UBND).", "Gửi theo quy định về bảo vệ bí mật nhà nước. Hệ thống không lưu nội dung văn bản."},
	exchange.CodeSecrecyAsked:    {"Chưa trả lời độ mật của văn bản %s.", "Trả lời \"độ mật: không\", hoặc ghi not_secret = true trong tệp quyết định."},
	exchange.CodeUnreadPages:     {"Trang %s máy chưa đọc được hoặc có thể có dấu mật, và chưa ai xem.", "Xem các trang đó rồi trả lời, hoặc ghi seen_pages = true trong tệp quyết định; bản quét: cài tesseract-ocr tesseract-ocr-vie."},
	exchange.CodeOpenLines:       {"Còn nơi nhận chưa xác định: %s.", "Chọn đơn vị, ghi địa chỉ ngoài hệ thống, hoặc ghi lý do không gửi."},
	exchange.CodeNoRecipients:    {"Không tìm thấy Kính gửi và Nơi nhận trong %s.", "Kiểm tra tệp có đủ trang cuối; nếu là bản quét mờ, hãy quét lại ở 300 dpi."},
	exchange.CodeNoUnits:         {"Không có đơn vị nào phải nhận bản điện tử của %s.", "Kiểm tra lại các nơi nhận đã bỏ qua."},
	exchange.CodeUnknownIssuer:   {"Cơ quan ban hành không có trong danh bạ: %s.", "Thêm cơ quan vào danh bạ, hoặc chỉ rõ bằng --issuer MÃ."},
	exchange.CodeIssuerDiffers:   {"Trang giấy ghi cơ quan ban hành là %s, không phải đơn vị đã chỉ ra.", "Bỏ --issuer; nếu máy đọc sai, hãy báo để sửa danh bạ."},
	exchange.CodeSameFile:        {"Chính tệp này đã được phát hành: %s.", "Một văn bản chỉ do một cơ quan phát hành."},
	exchange.CodeNoReference:     {"Không đọc được số, ký hiệu hoặc ngày của văn bản %s.", "Chỉ rõ bằng --reference và --date, hoặc quét lại trang đầu."},
	exchange.CodeNumberTaken:     {"Số %s đã cấp cho văn bản khác của cơ quan trong năm này.", "Kiểm tra sổ đăng ký văn bản đi; nếu đúng là văn bản mới, hãy sửa số trên bản giấy."},
	exchange.CodeSeriesBlocked:   {"Sổ của %s chưa cấp số: bản sao lưu vừa được khôi phục và chưa ai cho biết số cuối cùng.", "Đối chiếu sổ giấy rồi cho biết số cuối cùng đã cấp: congvan restored last SỐ --unit MÃ --book di."},
	exchange.CodeNotTakenHere:    {"Sổ này do hệ thống cấp số, số %s chưa được cấp.", "Lấy số trước khi đóng dấu."},
	exchange.CodeNoFault:         {"Không có báo sự cố số %s.", "Xem: congvan fault list --all."},
	exchange.CodeFaultNoAnswer:   {"Chưa ghi câu trả lời%s.", "Ghi: congvan fault answer SỐ --text \"câu trả lời\"."},
	exchange.CodeFaultEmpty:      {"Thư báo sự cố không có nội dung%s.", "Ghi chuyện gì xảy ra, từ khi nào, với địa chỉ nào."},
	exchange.CodeNoHandover:      {"Không có lần bàn giao số %s.", "Xem: congvan handover list."},
	exchange.CodeUnknownUnit:     {"Không có đơn vị mã \"%s\" trong danh bạ.", "Xem danh bạ: congvan directory export."},
	exchange.CodeBadAddress:      {"\"%s\" không phải địa chỉ thư.", "Ghi dạng tendonvi@tên-miền."},
	exchange.CodeNoSuchLine:      {"Văn bản không có dòng nơi nhận \"%s\".", "Ghi đúng dòng như congvan read in ra."},
	exchange.CodeNotOnPage:       {"Nơi nhận \"%s\" không có trên trang giấy, mà trang giấy đã đọc được: không gửi thêm.", "Bỏ add = true ở dòng đó; gửi cho đơn vị khác thì chuyển tiếp văn bản sau khi phát hành."},
	exchange.CodeUnseenFiles:     {"Chưa ai xem: %s", "Xem các tệp đó; nếu không có dấu mật thì trả lời có, hoặc ghi seen_pages = true trong tệp quyết định."},
	exchange.CodeDiffers:         {"Nội dung đã ghi khác với trang giấy: %s", "Sửa lại cho khớp; nếu trang giấy đúng là khác, trả lời có hoặc ghi confirm_difference = true trong tệp quyết định."},
	exchange.CodeFlagged:         {"Tệp cần văn thư quyết định: %s", "Thay bằng tệp khác; nếu vẫn gửi, trả lời có hoặc ghi accept_flags = [\"tên tệp\"] trong tệp quyết định."},
	exchange.CodeDoubleFile:      {"Một tệp được kèm hai lần: %s.", "Bỏ bớt một tệp."},
	exchange.CodeTooManyFiles:    {"Văn bản kèm tới %s tệp, nhiều hơn mức cho phép (50).", "Nén các tệp vào một tệp ZIP."},
	exchange.CodeNotLearnt:       {"Không ghi nhớ được \"%s\": dòng này không phải tên của đúng một đơn vị.", "Bỏ learn = true ở dòng đó, hoặc thêm tên viết tắt vào danh bạ."},
	exchange.CodePackageDiffers:  {"Chính văn bản này đã vào sổ với các tệp kèm theo khác: %s.", "Kèm đúng các tệp lần trước; nếu phải gửi thêm phụ lục, hãy phát hành văn bản mới."},
	exchange.CodePackageTooLarge: {"Văn bản và các tệp kèm theo quá lớn để gửi qua thư: %s.", "Quét lại ở 200-300 dpi, bỏ bớt tệp, hoặc tăng max_message trong congvan.toml."},
	exchange.CodeNoDocument:      {"Không có văn bản %s.", "Xem danh sách: congvan status."},
	exchange.CodeNoKey:           {"Chưa có chứng thư số của cơ quan %s.", "Đặt tệp PKCS#12 của cơ quan vào thư mục keys."},
	exchange.CodeNoLogKey:        {"Máy này không có khóa riêng của nhật ký (keys/log.key), không lập được chứng cứ.", "Chạy lệnh trên máy đang phục vụ, hoặc chép keys/log.key từ đó sang."},
	exchange.CodeNotIssued:       {"Văn bản %s chưa phát hành: chưa có bản gửi nào để xác nhận.", "Phát hành văn bản rồi lập giấy xác nhận."},
	exchange.CodeNoDispatch:      {"Văn bản không có bản gửi nào như vậy: %s.", "Xem các bản gửi: congvan status SỐ-KÝ-HIỆU."},
	exchange.CodeNoDecision:      {"Khóa của %s ở trên máy chủ, chưa có quyết định của người đứng đầu cho phép tự ký.", "Ghi số và ngày của quyết định vào congvan.toml: [seal.unattended] decision = \"12/QĐ-STTTT\", date = \"2026-01-05\"; hoặc để văn thư ký bằng thiết bị: key = \"token\"."},
	exchange.CodeBadDay:          {"\"%s\" không phải ngày, hoặc loại ngày không đúng.", "Ghi ngày như 16/02/2026; loại là nghỉ, làm việc, nửa ngày hoặc bỏ."},
	exchange.CodeBadHours:        {"Giờ làm việc \"%s\" không đúng.", "Ghi như 07:30-11:30 13:30-17:00; mỗi tuần phải có ít nhất một ngày làm việc."},
	exchange.CodeNoSource:        {"Chưa ghi căn cứ của %s.", "Ghi số, ngày của văn bản cho nghỉ hoặc làm bù."},
	exchange.CodeNotListed:       {"Văn bản %s không có trong danh sách cần gọi điện.", "Xem danh sách: congvan call list."},
	exchange.CodeNotEntitled:     {"%s không được thao tác thay đơn vị này.", ""},
	exchange.CodeNoReason:        {"Thiếu lý do hoặc quyết định: %s.", "Ghi lý do; ở nơi nhận thì chọn đơn vị, ghi địa chỉ ngoài hệ thống, hoặc ghi lý do không gửi."},
	exchange.CodeHasNumbers:      {"Sổ văn bản đi năm %s đã có số: không đổi cách đánh số giữa năm.", "Đặt cho năm sau: --year."},
	exchange.CodeNumberNeeded:    {"Đơn vị %s tự cấp số trong sổ của mình: phải ghi số đến.", "Ghi số bằng --reference; muốn hệ thống cấp số: congvan register mode here --book den."},
	exchange.CodeBadDate:         {"Không có ngày %s.", "Ghi ngày như 2026-03-18."},
	exchange.CodeNoRecallReason:  {"Không đồng ý thu hồi thì phải ghi lý do.", "Ghi lý do bằng --reason."},
	exchange.CodeHasCopy:         {"Nơi nhận %s đã có bản gửi của văn bản này.", "Xem: congvan status SỐ-KÝ-HIỆU."},
	exchange.CodeNotAsked:        {"Nơi nhận này chưa được hỏi về việc thu hồi %s, hoặc đã trả lời rồi.", "Xem: congvan recall SỐ-KÝ-HIỆU --map."},
	exchange.CodeTakenBack:       {"Văn bản %s đã thu hồi hoặc đã được thay thế.", "Xem: congvan recall SỐ-KÝ-HIỆU --map."},
	exchange.CodeSameDocument:    {"Văn bản %s không thể tự thay thế hay đính chính chính nó.", "Ghi số, ký hiệu của văn bản kia ở --by."},
	exchange.CodeNotDue:          {"Văn bản %s không có gì để hoàn tác: chưa cho phát hành, hoặc đã gửi đi.", "Đã gửi đi thì thu hồi: congvan recall SỐ-KÝ-HIỆU --reason \"lý do\"."},
	exchange.CodePickup:          {"Không lập được địa chỉ nhận cho bản gửi này: %s.", "Chỉ bản gửi ngoài hệ thống, chưa giao xong, mới có địa chỉ nhận."},
	exchange.CodeLeft:            {"%s đã đóng từ trước.", "Địa chỉ đã đóng không mở lại và không cấp lại (Điều 6)."},
	exchange.CodeNoHeir:          {"%s không nhận việc được.", "--to là CBCC đang dùng hộp thư, cùng đơn vị với người thôi; đơn vị thôi thì --to là đơn vị kế nhiệm có hộp thư ở đây."},
	exchange.CodeStillBusy:       {"Chưa làm được: %s.", "Xem trước: congvan account leave ĐỊACHỈ --dry-run."},
	exchange.CodeArrivalTaken:    {"Số đến %s đã dùng cho văn bản khác.", ""},
	exchange.CodeWrongState:      {"Văn bản đang ở trạng thái \"%s\", chưa làm được việc này.", ""},
}

// sealTexts words why a PDF cannot bear a seal, by the code of a signing.InputError.
var sealTexts = map[string]string{
	"encrypted":  "Tệp PDF có mật khẩu hoặc hạn chế quyền, không ký số được.",
	"damaged":    "Tệp PDF bị hỏng hoặc có cấu trúc bất thường, không ký số được.",
	"xfa":        "Tệp PDF là biểu mẫu động (XFA), mỗi máy hiện một khác, không ký số được.",
	"no_changes": "Tệp PDF đã được khóa không cho sửa, không ký số thêm được.",
	"too_large":  "Tệp PDF lớn hơn 100 MB, không ký số được; hãy quét lại ở 200-300 dpi hoặc tách phụ lục ra tệp riêng.",
	"timeout":    "Tệp PDF quá phức tạp, không ký số được.",
	"not_pdf":    "Tệp không phải là PDF, không ký số được.",
	"empty":      "Tệp rỗng, không ký số được.",
	"mark":       "Trang đầu của tệp PDF không đặt được dòng ký số.",
}

// explain returns the text and the hint for an error: Vietnamese where a clerk can mend it, else the English chain.
func explain(err error) (text, hint string) {
	var h *hintError
	var e *exchange.Error
	var move *exchange.MoveError
	var p *intake.Problem
	var in *signing.InputError
	var taken *recipients.AliasTakenError
	var vague *recipients.VagueAliasError
	var row *rowError
	switch {
	case errors.As(err, &row):
		return row.Error(), row.hint
	case errors.As(err, &h):
		return err.Error(), h.hint
	case errors.As(err, &e):
		if t, ok := clerkTexts[e.Code]; ok {
			text = t[0]
			if strings.Contains(text, "%s") {
				text = fmt.Sprintf(text, e.Detail)
			}
			return text, t[1]
		}
		if text := exchange.Words(err); text != "" {
			return text, ""
		}
	case errors.As(err, &move):
		return exchange.Words(err) + ": " + handlingWords[exchange.Handling(move.From)], "xem: congvan status SỐ-KÝ-HIỆU"
	case errors.As(err, &in) && sealTexts[in.Code] != "":
		return sealTexts[in.Code], "Hãy in hoặc quét lại thành PDF mới rồi chọn lại tệp."
	case errors.As(err, &p):
		return p.Message, p.Hint
	case keyTrouble(err) != nil:
		t := keyTrouble(err)
		return t.text + " (" + err.Error() + ")", t.hint
	case errors.Is(err, mailcore.ErrAddressTaken):
		return "địa chỉ này đang hoặc đã từng có người dùng, không cấp lại (Điều 6): " + err.Error(), "thêm số vào phần họ tên, như nvan2.stc"
	case errors.As(err, &taken):
		return takenText(taken), "xem: congvan directory alias list; tên có sẵn trong danh bạ thì sửa ở tệp danh bạ"
	case errors.As(err, &vague):
		return fmt.Sprintf("\"%s\" không phải tên riêng của một đơn vị, ghi nhớ thì văn bản sau sẽ gửi nhầm", vague.Alias), "hãy ghi đúng tên gọi của đơn vị đó"
	case errors.Is(err, recipients.ErrNoUnit):
		return "danh bạ không có đơn vị này: " + err.Error(), "xem mã đơn vị: congvan directory export"
	case errors.Is(err, recipients.ErrNoAlias):
		return "không có tên nào như vậy đã được ghi nhớ cho đơn vị này", "xem: congvan directory alias list"
	case errors.Is(err, mailcore.ErrChanged):
		return "thư đến liên tục trong lúc kiểm kê, chưa bàn giao gì", "chạy lại lệnh bàn giao sau ít phút"
	case errors.Is(err, mailcore.ErrNoAccount):
		return "không có tài khoản này: " + err.Error(), "xem: congvan account list"
	}
	return err.Error(), ""
}

// takenText says whose name an alias already is.
func takenText(e *recipients.AliasTakenError) string {
	what := "đơn vị"
	if e.Group {
		what = "nhóm nơi nhận"
	}
	text := fmt.Sprintf("tên \"%s\" đã là của %s %s", e.Alias, what, e.Unit)
	if e.Days != "" {
		text += " (" + e.Days + ")"
	}
	return text
}
