package portal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"congvan/mailcore"
)

type passwordPage struct {
	page
	Issued bool
	Least  int
}

func (s *Server) passwordPage(v *visit) error { return s.showPassword(v, http.StatusOK, "") }

func (s *Server) showPassword(v *visit, status int, problem string) error {
	p := passwordPage{s.page(v, "Đổi mật khẩu"), v.session.Issued, mailcore.MinPassword}
	p.Problem = problem
	return s.render(v, status, "password.html", p)
}

// passwordProblems says why a new password was not taken, and what to do.
var passwordProblems = map[error]string{
	mailcore.ErrPasswordShort:   fmt.Sprintf("Mật khẩu mới ngắn quá: cần từ %d ký tự trở lên.", mailcore.MinPassword),
	mailcore.ErrPasswordLong:    "Mật khẩu mới dài quá 200 ký tự.",
	mailcore.ErrPasswordOld:     "Mật khẩu mới trùng mật khẩu cũ. Hãy đặt mật khẩu khác.",
	mailcore.ErrPasswordAddress: "Mật khẩu mới gần như chỉ có tên hoặc địa chỉ thư của bạn. Hãy thêm vài từ khác.",
	mailcore.ErrPasswordWeak:    "Mật khẩu mới dễ đoán. Hãy dùng một câu dài hơn, ít lặp lại.",
}

// changePassword checks the current password as a login is checked, so that guessing here is counted like guessing anywhere.
func (s *Server) changePassword(v *visit) error {
	form, account := v.r.PostForm, v.session.Account
	current, next := form.Get("current"), form.Get("next")
	if next != form.Get("again") {
		return s.showPassword(v, http.StatusUnprocessableEntity, "Hai lần gõ mật khẩu mới không giống nhau. Hãy gõ lại.")
	}
	if _, err := s.attempt(v, string(account.Address), current); err != nil && !errors.Is(err, mailcore.ErrMustChange) {
		text, err := s.refusal(v, string(account.Address), err)
		if err != nil {
			return err
		}
		if errors.Is(err, mailcore.ErrBadCredentials) || text != "" {
			text = "Chưa đổi được: mật khẩu hiện nay không đúng, hoặc đã thử sai quá nhiều lần."
		}
		return s.showPassword(v, http.StatusUnprocessableEntity, text)
	}
	err := s.opt.Store.ChangePassword(v.r.Context(), account, current, next)
	for known, text := range passwordProblems {
		if errors.Is(err, known) {
			return s.showPassword(v, http.StatusUnprocessableEntity, text)
		}
	}
	if err != nil {
		return err
	}
	s.log.Info("password changed", "account", account.Address, "remote", v.remote())
	l, err := s.attempt(v, string(account.Address), next) // all sessions ended, this one too
	if err != nil {
		return err
	}
	if err := s.begin(v, l); err != nil {
		return err
	}
	strength, _ := mailcore.JudgePassword(account, next)
	v.redirect("?" + url.Values{"done": {map[mailcore.Strength]string{mailcore.Fair: "fair", mailcore.Strong: "strong"}[strength]}}.Encode())
	return nil
}

// notices are what the home page says after something was done; the query names one, and nothing else of it is shown.
var notices = map[string]string{
	"fair":    "Đã đặt mật khẩu mới. Độ mạnh: khá. Giờ hãy đăng nhập lại trong ứng dụng thư.",
	"strong":  "Đã đặt mật khẩu mới. Độ mạnh: tốt. Giờ hãy đăng nhập lại trong ứng dụng thư.",
	"revoked": "Đã hủy mật khẩu ứng dụng. Máy dùng mật khẩu đó bị đăng xuất ngay.",
	"closed":  "Đã đăng xuất phiên đó.",
	"away":    "Đã đặt lời báo vắng mặt.",
	"back":    "Đã bỏ lời báo vắng mặt.",
	"told":    "Đã gửi báo. Bộ phận phụ trách trả lời vào hộp thư của bạn.",
}
