package portal

import (
	"errors"
	"net/http"
	"time"

	"congvan/mailcore"
)

type loginPage struct {
	page
	Address string
}

func (s *Server) loginPage(v *visit) error {
	return s.render(v, http.StatusOK, "login.html", loginPage{page: s.page(v, "Đăng nhập")})
}

func (s *Server) login(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return errors.Join(errForm, err)
	}
	address := v.r.PostForm.Get("address")
	l, err := s.attempt(v, address, v.r.PostForm.Get("password"))
	if err != nil && !errors.Is(err, mailcore.ErrMustChange) {
		text, err := s.refusal(v, address, err)
		if err != nil {
			return err
		}
		p := loginPage{s.page(v, "Đăng nhập"), address}
		p.Problem = text
		return s.render(v, http.StatusUnauthorized, "login.html", p)
	}
	if err := s.begin(v, l); err != nil {
		return err
	}
	v.redirect("")
	return nil
}

func (s *Server) attempt(v *visit, address, password string) (mailcore.Login, error) {
	return s.opt.Store.LogIn(v.r.Context(), mailcore.Attempt{Address: address, Domain: s.opt.Domain, Password: password, Service: mailcore.ServiceWeb,
		Remote: v.remote()})
}

// begin opens a session.
func (s *Server) begin(v *visit, l mailcore.Login) error {
	token, err := s.opt.Store.OpenWebSession(v.r.Context(), l, v.r.UserAgent())
	if err != nil {
		return err
	}
	v.setCookie(token)
	s.log.Info("login", "account", l.Address, "remote", v.remote())
	return nil
}

// refusal words a refused login; what is nobody's fault but ours is an error.
func (s *Server) refusal(v *visit, address string, err error) (string, error) {
	var refused *mailcore.LoginError
	log := s.log.With("account", address, "remote", v.remote())
	switch {
	case errors.Is(err, mailcore.ErrThrottled):
		log.Warn("login refused unchecked")
		return "Đăng nhập sai quá nhiều lần. Hãy đợi 10 phút rồi thử lại, hoặc thử từ máy bạn vẫn dùng.", nil
	case errors.Is(err, mailcore.ErrBusy):
		return "Máy chủ đang bận. Hãy thử lại sau ít phút.", nil
	case errors.As(err, &refused):
		log.Warn("login failed", "why", err, "lately", refused.Lately)
		select {
		case <-time.After(time.Duration(min(max(refused.Lately, 1), 5)) * s.opt.FailDelay):
		case <-v.r.Context().Done():
		}
		return "Sai địa chỉ hoặc mật khẩu. Kiểm tra phím Caps Lock và bộ gõ tiếng Việt rồi thử lại.", nil
	}
	return "", err
}

func (s *Server) logout(v *visit) error {
	if err := s.opt.Store.CloseWebSession(v.r.Context(), v.session.Account.ID, v.session.ID); err != nil && !errors.Is(err, mailcore.ErrNoSession) {
		return err
	}
	v.setCookie("")
	v.redirect("/login")
	return nil
}
