package exchange

import (
	"slices"
	"strings"

	"congvan/mailcore/viettext"
)

// A RefusalCode says for which of the listed reasons a copy was refused.
type RefusalCode string

// Codes of refusals.
const (
	Misdirected  RefusalCode = "misdirected"   // it is not this unit's: the copy goes back to whoever sent it
	Duplicate    RefusalCode = "duplicate"     // the unit has the document already
	Incomplete   RefusalCode = "incomplete"    // pages or annexes are missing
	BadForm      RefusalCode = "bad_form"      // thể thức
	Unreadable   RefusalCode = "unreadable"    // the file is damaged
	BadSignature RefusalCode = "bad_signature" // the seal does not verify
	OtherReason  RefusalCode = "other"         // as written
)

// A Refusal is one reason of the list.
type Refusal struct {
	Code RefusalCode
	Text string // Vietnamese, for people
	Todo string // Vietnamese: what the issuing agency does about it

	words []string // folded; a text that has one of them gives this reason
}

// Refusals is the list of reasons that a copy may be refused for (QĐ 28/2018 Điều 5, NĐ 30/2020 Điều 21), in the order in
// which a text is compared with them.
var Refusals = []Refusal{
	{Misdirected, "gửi nhầm đơn vị", "Kiểm tra nơi nhận và gửi bổ sung cho đúng đơn vị.",
		[]string{"nham don vi", "nham noi", "gui nham", "chuyen nham", "nham co quan", "khong dung noi nhan", "khong phai noi nhan", "khong thuoc tham quyen", "khong thuoc chuc nang",
			"khong phai viec", "khong thuoc trach nhiem", "khong thuoc linh vuc", "khong lien quan", "sai noi nhan", "sai don vi", "khong dung don vi", "nham dia chi", "sai dia chi"}},
	{Duplicate, "trùng văn bản đã nhận", "Không cần gửi lại; nếu là văn bản khác, kiểm tra số, ký hiệu.",
		[]string{"trung van ban", "trung lap", "bi trung", "gui trung", "trung voi", "trung so", "da nhan roi", "da nhan ban", "nhan hai lan", "nhan 2 lan"}},
	{Incomplete, "thiếu trang hoặc phụ lục", "Phát hành lại bản đủ trang, đủ phụ lục.",
		[]string{"thieu trang", "thieu phu luc", "thieu tep", "thieu file", "thieu bieu", "khong du trang", "khong day du", "khong kem", "thieu dinh kem", "khong co phu luc", "mat trang"}},
	{BadSignature, "chữ ký số không hợp lệ", "Kiểm tra chữ ký số, ký lại rồi phát hành lại.",
		[]string{"chu ky so", "chu ky khong", "ky so", "chung thu so", "khong co chu ky", "chua ky", "chua dong dau"}},
	{BadForm, "sai thể thức", "Sửa thể thức theo Nghị định 30/2020/NĐ-CP rồi phát hành lại.",
		[]string{"the thuc", "sai mau", "sai so ky hieu", "khong dung mau", "ky thuat trinh bay"}},
	{Unreadable, "hỏng tệp, không đọc được", "Kiểm tra tệp và gửi lại.",
		[]string{"hong tep", "tep hong", "tep bi hong", "file hong", "file bi hong", "hong file", "loi tep", "tep loi", "tep bi loi", "loi file", "file loi", "file bi loi", "khong mo duoc",
			"khong doc duoc", "bi loi font", "loi phong", "mo khong ro", "khong xem duoc"}},
	{OtherReason, "lý do khác", "Xem lý do và trao đổi với đơn vị nhận.", nil},
}

// RefusalOf reads a reason: a code of the list, or whatever somebody wrote, which is kept as written and compared with the list.
func RefusalOf(reason string) (code RefusalCode, text string) {
	text = strings.Join(strings.Fields(viettext.NFC(reason)), " ")
	folded := " " + strings.Join(strings.FieldsFunc(viettext.Fold(text), func(r rune) bool { return strings.ContainsRune(" ,.;:()!-–", r) }), " ") + " "
	for _, r := range Refusals {
		if string(r.Code) == text {
			return r.Code, r.Text
		}
	}
	for _, r := range Refusals {
		if slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(folded, " "+w+" ") }) {
			return r.Code, text
		}
	}
	if folded == " nham " {
		return Misdirected, text
	}
	return OtherReason, text
}

// refusalOf returns the entry of the list.
func refusalOf(code RefusalCode) Refusal {
	for _, r := range Refusals {
		if r.Code == code {
			return r
		}
	}
	return Refusals[len(Refusals)-1]
}
