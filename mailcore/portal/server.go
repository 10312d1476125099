package portal

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/templates"
)

// Path is where the pages begin.
const Path = "/account"

// cookie holds the session's token. The prefix makes browsers refuse it but from this host over TLS.
const cookie = "__Host-account"

// maxForm bounds what a form may send.
const maxForm = 16 << 10

// Options is what New needs.
type Options struct {
	Store      *mailcore.Store
	Domain     string       // of our accounts; a login without @ gets it
	Servers    []MailServer // told to who sets up a mail client, and to mail clients; the best of a protocol first
	AccountURL string       // of these pages, as people reach them
	Logger     *slog.Logger // slog.Default when nil
	// Report takes what an account's owner tells of faults, leaks and spam; kind is fault, leak or spam. nil: there is no form.
	Report    func(ctx context.Context, account mailcore.Account, kind, words string) (string, error)
	FailDelay time.Duration // before a failed login is answered, grows to five times; 1 s
}

// A Server answers for the pages.
type Server struct {
	opt Options
	log *slog.Logger
	mux http.Handler
}

// New returns the pages' handler; mount it at Path and below, and at ClientPaths, behind TLS.
func New(opt Options) *Server {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.FailDelay == 0 {
		opt.FailDelay = time.Second
	}
	s := &Server{opt: opt, log: opt.Logger.With("service", "portal")}
	s.mux = s.routes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/style.css", style)
	open := func(pattern string, h handler) { mux.Handle(pattern, s.handle(h)) }
	open("GET "+Path+"/login", s.loginPage)
	open("POST "+Path+"/login", s.login)
	signed := func(pattern string, h signedHandler) { mux.Handle(pattern, s.handle(s.signedIn(h))) }
	signed("GET "+Path+"/{$}", s.home)
	signed("GET "+Path, s.home)
	signed("POST "+Path+"/logout", s.logout)
	signed("GET "+Path+"/profile.mobileconfig", s.profile)
	signed("GET "+Path+"/password", s.passwordPage)
	signed("POST "+Path+"/password", s.changePassword)
	signed("POST "+Path+"/apps", s.createApp)
	signed("POST "+Path+"/apps/revoke", s.revokeApp)
	signed("POST "+Path+"/vacation", s.setVacation)
	signed("POST "+Path+"/vacation/end", s.endVacation)
	signed("POST "+Path+"/fault", s.reportFault)
	signed("POST "+Path+"/sessions/close", s.closeSession)
	signed("POST "+Path+"/sessions/end", s.endSessions)
	mux.Handle(Path+"/", s.handle(func(*visit) error { return errNotFound }))
	s.clientRoutes(mux)
	guard := http.NewCrossOriginProtection()
	return Secure(guard.Handler(mux))
}

// Secure sets what browsers are to refuse, on every answer, and bounds what a form may send.
func Secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Write(templates.PortalStyle)
}

// A visit is one request.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	token   string
	session mailcore.WebSession
}

type (
	handler       func(v *visit) error
	signedHandler func(v *visit) error
)

// Errors that have a page of their own.
var (
	errNotFound = errors.New("no such page")
	errForm     = errors.New("a form that is none of ours")
)

// handle runs h and turns its error into a page.
func (s *Server) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		err := h(v)
		var large *http.MaxBytesError
		switch {
		case err == nil:
		case errors.Is(err, errNotFound):
			s.message(v, http.StatusNotFound, "Không có trang này", "Địa chỉ gõ sai, hoặc trang đã đổi chỗ.")
		case errors.Is(err, errForm), errors.As(err, &large):
			s.message(v, http.StatusForbidden, "Trang đã cũ", "Biểu mẫu này không còn dùng được. Hãy mở lại trang tài khoản rồi làm lại.")
		case r.Context().Err() != nil:
		default:
			code := strings.ToUpper(rand.Text()[:6])
			s.log.Error("page", "path", r.URL.Path, "code", code, "err", err)
			s.message(v, http.StatusInternalServerError, "Hệ thống gặp lỗi", "Hãy thử lại sau ít phút. Nếu vẫn lỗi, báo quản trị viên mã tra cứu "+code+".")
		}
	})
}

// signedIn lets nobody pass who is not signed in, sends who has the issued password to change it, and takes only our forms.
func (s *Server) signedIn(h signedHandler) handler {
	return func(v *visit) error {
		if c, err := v.r.Cookie(cookie); err == nil {
			v.token = c.Value
		}
		session, err := s.opt.Store.WebSession(v.r.Context(), v.token)
		if errors.Is(err, mailcore.ErrNoSession) {
			v.redirect("/login")
			return nil
		}
		if err != nil {
			return err
		}
		v.session = session
		if v.r.Method == http.MethodPost {
			if err := v.r.ParseForm(); err != nil {
				return errors.Join(errForm, err)
			}
			if !hmac.Equal([]byte(v.r.PostForm.Get("csrf")), []byte(v.csrf())) {
				return errForm
			}
		}
		if p := v.r.URL.Path; session.Issued && p != Path+"/password" && p != Path+"/logout" {
			v.redirect("/password")
			return nil
		}
		return h(v)
	}
}

// csrf is the token of this session's forms.
func (v *visit) csrf() string {
	mac := hmac.New(sha256.New, []byte(v.token))
	mac.Write([]byte("form"))
	return hex.EncodeToString(mac.Sum(nil))
}

func (v *visit) redirect(to string) { http.Redirect(v.w, v.r, Path+to, http.StatusSeeOther) }

// setCookie keeps a token in the browser, until it is closed; "" takes it away.
func (v *visit) setCookie(token string) {
	c := &http.Cookie{Name: cookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	v.token = token
	http.SetCookie(v.w, c)
}

func (v *visit) remote() netip.Addr {
	ap, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}

// A page is what every page shows.
type page struct {
	Title, Domain   string
	Who             *mailcore.Account // nil before the login
	CSRF            string
	Notice, Problem string
}

func (s *Server) page(v *visit, title string) page {
	p := page{Title: title, Domain: s.opt.Domain}
	if v.session.ID != "" {
		p.Who, p.CSRF = &v.session.Account, v.csrf()
	}
	return p
}

// render answers with a whole page or with an error, never with half a page.
func (s *Server) render(v *visit, status int, name string, data any) error {
	var b bytes.Buffer
	if err := templates.Portal(&b, name, data); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, err := b.WriteTo(v.w)
	if err != nil {
		s.log.Debug("page", "path", v.r.URL.Path, "err", err)
	}
	return nil
}

func (s *Server) message(v *visit, status int, title, text string) {
	err := s.render(v, status, "message.html", struct {
		page
		Text string
	}{s.page(v, title), text})
	if err != nil {
		s.log.Error("page", "err", err)
		http.Error(v.w, title, status)
	}
}
