package portal

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"
)

type homePage struct {
	page
	PasswordAt  time.Time
	Settings    []setting
	Profile     bool // there are servers for one
	Apps        []mailcore.AppPassword
	Delegations []mailcore.Delegation
	Absence     *absence
	Fault       bool   // there is a form to tell of one
	FaultWords  string // what was typed and not taken
	Sessions    []sessionLine
	Logins      []loginLine
}

type sessionLine struct {
	mailcore.WebSession
	Browser string
	This    bool
}

type loginLine struct {
	mailcore.LoginPlace
	What string
}

func (s *Server) home(v *visit) error { return s.showHome(v, http.StatusOK, "") }

func (s *Server) showHome(v *visit, status int, problem string) error {
	ctx, store, account := v.r.Context(), s.opt.Store, v.session.Account
	p := homePage{page: s.page(v, "Tài khoản"), PasswordAt: account.PasswordAt, Settings: s.settings(),
		Profile: len(s.servers(IMAP)) > 0 && len(s.servers(SMTP)) > 0}
	p.Notice, p.Problem = notices[v.r.URL.Query().Get("done")], problem
	err := store.FlushLogins(ctx) // who looks here wants to see the last minute, too
	if err != nil {
		return err
	}
	if p.Apps, err = store.AppPasswords(ctx, account.ID); err != nil {
		return err
	}
	if p.Absence, err = s.absence(v); err != nil {
		return err
	}
	if p.Delegations, err = store.ActsFor(ctx, account.ID, time.Now()); err != nil {
		return err
	}
	for i := range p.Delegations {
		p.Delegations[i].From, p.Delegations[i].To = day(p.Delegations[i].From), day(p.Delegations[i].To)
	}
	p.Fault, p.FaultWords = s.opt.Report != nil, v.r.PostForm.Get("words")
	sessions, err := store.WebSessions(ctx, account.ID)
	if err != nil {
		return err
	}
	for _, x := range sessions {
		p.Sessions = append(p.Sessions, sessionLine{x, browser(x.Agent), x.ID == v.session.ID})
	}
	places, err := store.LoginPlaces(ctx, account.ID)
	if err != nil {
		return err
	}
	for _, x := range places[:min(len(places), 20)] {
		p.Logins = append(p.Logins, loginLine{x, services[x.Service]})
	}
	return s.render(v, status, "home.html", p)
}

var services = map[string]string{mailcore.ServiceIMAP: "Đọc thư (IMAP)", mailcore.ServiceSMTP: "Gửi thư (SMTP)", mailcore.ServiceWeb: "Trang tài khoản",
	mailcore.ServiceLDAP: "Danh bạ (LDAP)"}

// day is a civil date as people here write it.
func day(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	return t.Format("02/01/2006")
}

// browser names a browser and its system, as far as what it calls itself tells.
func browser(agent string) string {
	name := "Trình duyệt khác"
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"coc_coc", "Cốc Cốc"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, b[0]) {
			name = b[1]
			break
		}
	}
	for _, system := range [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, system[0]) {
			return name + " trên " + system[1]
		}
	}
	return name
}

// createApp makes an app password and shows it, this once.
func (s *Server) createApp(v *visit) error {
	name := strings.Join(strings.Fields(v.r.PostForm.Get("name")), " ")
	if name == "" || len([]rune(name)) > 60 {
		return s.showHome(v, http.StatusUnprocessableEntity, "Hãy ghi tên máy hoặc phần mềm, dài không quá 60 ký tự.")
	}
	secret, err := s.opt.Store.CreateAppPassword(v.r.Context(), v.session.Account.ID, name)
	if errors.Is(err, mailcore.ErrAppPasswords) {
		return s.showHome(v, http.StatusUnprocessableEntity, "Đã có "+strconv.Itoa(mailcore.MaxAppPasswords)+" mật khẩu ứng dụng. Hãy hủy cái không dùng nữa.")
	}
	if err != nil {
		return err
	}
	s.log.Info("app password made", "account", v.session.Account.Address, "name", name)
	return s.render(v, http.StatusOK, "secret.html", struct {
		page
		Name, Secret string
		Settings     []setting
	}{s.page(v, "Mật khẩu ứng dụng"), name, secret, s.settings()})
}

func (s *Server) revokeApp(v *visit) error {
	id, err := strconv.ParseInt(v.r.PostForm.Get("id"), 10, 64)
	if err != nil {
		return errForm
	}
	err = s.opt.Store.RevokeAppPassword(v.r.Context(), v.session.Account.ID, mailcore.AppPasswordID(id))
	if err != nil && !errors.Is(err, mailcore.ErrStale) { // revoked before is as good
		return err
	}
	s.log.Info("app password revoked", "account", v.session.Account.Address, "id", id)
	v.redirect("?done=revoked")
	return nil
}

func (s *Server) closeSession(v *visit) error {
	err := s.opt.Store.CloseWebSession(v.r.Context(), v.session.Account.ID, v.r.PostForm.Get("id"))
	if err != nil && !errors.Is(err, mailcore.ErrNoSession) {
		return err
	}
	v.redirect("?done=closed")
	return nil
}

func (s *Server) endSessions(v *visit) error {
	if err := s.opt.Store.EndLogins(v.r.Context(), v.session.Account.ID); err != nil {
		return err
	}
	s.log.Info("logged out everywhere", "account", v.session.Account.Address)
	v.setCookie("")
	v.redirect("/login")
	return nil
}
