package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"congvan/exchange"
	"congvan/signing"
)

// waitingEvery is how often the seals of waiting documents are tried again.
const waitingEvery = 30 * time.Second

// waitWords say for what a seal waits.
var waitWords = map[string]string{
	exchange.WaitToken:   "thiết bị ký số chưa kết nối, hoặc chưa có người nhập mã PIN",
	exchange.WaitPIN:     "thiết bị ký số không nhận mã PIN, hoặc đã bị khóa",
	exchange.WaitClock:   "chứng thư số chưa có hiệu lực theo đồng hồ của máy chủ",
	exchange.WaitFault:   "khóa hoặc chứng thư số có lỗi, phải có người sửa (xem congvan check và nhật ký của máy chủ)",
	exchange.WaitService: "dịch vụ dấu thời gian hoặc dịch vụ kiểm tra chứng thư chưa trả lời",
}

func waitLine(n *exchange.WaitNote) string {
	return fmt.Sprintf("chờ đóng dấu: %s (từ %s); hệ thống tự ký và phát hành khi được.", waitWords[n.Code], n.Since.Format("15:04 02/01/2006"))
}

// showSeal prints what a document's seal is, or what it waits for.
func showSeal(w io.Writer, st *exchange.Status) {
	switch n := st.Seal; {
	case st.Waiting != nil:
		fmt.Fprintln(w, waitLine(st.Waiting))
	case n != nil:
		fmt.Fprintf(w, "Dấu: %s, mức %s", n.Holder, n.Level)
		if n.Wanted != "" {
			fmt.Fprintf(w, " (THẤP HƠN mức %s đã đặt: dịch vụ dấu thời gian hoặc kiểm tra chứng thư không trả lời lúc ký)", n.Wanted)
		}
		if n.Decision != "" {
			fmt.Fprintf(w, "; máy chủ tự ký theo Quyết định số %s ngày %s", n.Decision, civil(n.DecidedOn))
		}
		fmt.Fprintln(w)
	}
	showRaised(w, st)
	fmt.Fprintln(w)
}

// showRaised prints what was added to the seals after the issue, and what keeps the rest from being added.
func showRaised(w io.Writer, st *exchange.Status) {
	for _, n := range st.Raised {
		fmt.Fprintf(w, "Đã nâng chữ ký số lên mức %s lúc %s", n.Level, n.At.Format("15:04 02/01/2006"))
		if n.RenewBy != nil {
			fmt.Fprintf(w, "; dấu thời gian lưu trữ có hiệu lực đến %s, máy tự gia hạn trước ngày đó", n.RenewBy.In(vietnamTime).Format("02/01/2006"))
		}
		fmt.Fprintln(w)
	}
	if st.SealWaits != "" {
		fmt.Fprintf(w, "Chưa nâng hoặc gia hạn được chữ ký số: %s; máy tự làm lại khi được.\n", waitWords[st.SealWaits])
	}
}

// civil writes a date the Vietnamese way.
func civil(date string) string {
	if d, err := time.Parse(time.DateOnly, date); err == nil {
		return d.Format("02/01/2006")
	}
	return date
}

// A trouble is a fault of a key as a clerk or administrator reads it, and what to do.
type trouble struct{ text, hint string }

// keyTroubles are tried in order: what is said of a token also holds of a service.
var keyTroubles = []struct {
	is error
	trouble
}{
	{signing.ErrLocked, trouble{"Thiết bị ký số đã bị khóa vì nhập sai mã PIN nhiều lần.", "Mang thiết bị tới nơi cấp để mở khóa."}},
	{signing.ErrPIN, trouble{"Mã PIN của thiết bị ký số không đúng; máy không tự thử lại để thiết bị không bị khóa.", "Nhập lại đúng mã PIN; với khóa trên máy chủ, sửa mã PIN rồi đăng nhập thiết bị một lần bằng tay."}},
	{signing.ErrToken, trouble{"Chưa dùng được thiết bị ký số.", "Cắm thiết bị vào máy, hoặc mở congvan token ở máy của văn thư."}},
	{signing.ErrFlavour, trouble{"Bản congvan này không dùng được thiết bị PKCS#11.", "Dùng bản có PKCS#11: make pkcs11 tạo bin/congvan-pkcs11."}},
	{signing.ErrPassword, trouble{"Mật khẩu của tệp khóa không đúng.", "Sửa mật khẩu ở nơi mà password trong [[seal.agency]] chỉ tới (mặc định keys/password)."}},
	{signing.ErrPermissions, trouble{"Tệp khóa hoặc tệp mật khẩu để người khác đọc được.", "chmod 600 TỆP, và để chủ tệp là người chạy congvan."}},
	{signing.ErrRevoked, trouble{"Chứng thư số của cơ quan đã bị thu hồi, không đóng dấu được.", "Xin cấp chứng thư số mới; báo ngay cho đơn vị công nghệ thông tin của tỉnh nếu không rõ vì sao bị thu hồi."}},
	{signing.ErrClock, trouble{"Chứng thư số chưa có hiệu lực, hoặc đồng hồ của máy chủ sai.", "Kiểm tra ngày giờ của máy chủ (timedatectl)."}},
	{signing.ErrEnded, trouble{"Chứng thư số của cơ quan đã hết hạn, không đóng dấu được.", "Gia hạn hoặc xin cấp chứng thư số mới; nếu ngày giờ của máy chủ sai thì chỉnh lại."}},
	{signing.ErrCertificate, trouble{"Chứng thư số không dùng để đóng dấu văn bản được (sai mục đích, hoặc không phải của khóa này).", "Dùng chứng thư số của cơ quan, có mục đích ký số."}},
	{signing.ErrTimestamp, trouble{"Dịch vụ dấu thời gian trả lời sai.", "Kiểm tra seal.timestamp trong congvan.toml và đồng hồ của máy chủ."}},
	{signing.ErrUnavailable, trouble{"Dịch vụ dấu thời gian hoặc kiểm tra chứng thư không trả lời.", "Kiểm tra mạng và địa chỉ trong [seal] của congvan.toml."}},
	{signing.ErrLevel, trouble{"Chứng thư số này không đạt được mức chữ ký đã đặt.", "Đặt level thấp hơn, hoặc bổ sung chuỗi chứng thư và địa chỉ OCSP, CRL trong [seal]."}},
	{signing.ErrKey, trouble{"Không dùng được khóa của cơ quan.", "Kiểm tra key trong [[seal.agency]] của congvan.toml."}},
}

// keyTrouble words an error about a key; nil for other errors.
func keyTrouble(err error) *trouble {
	for i := range keyTroubles {
		if errors.Is(err, keyTroubles[i].is) {
			return &keyTroubles[i].trouble
		}
	}
	return nil
}
