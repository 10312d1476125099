package imapd

import (
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"
)

const (
	maxFailures = 3 // wrong passwords before a connection is closed

	scramPlus = "SCRAM-SHA-256-PLUS"
	scramSHA  = "SCRAM-SHA-256"
)

// AuthenticateMechanisms implements imapserver.SessionSASL. SCRAM is for app passwords (RFC 7677).
func (s *session) AuthenticateMechanisms() []string {
	offered := []string{sasl.Plain, sasl.Login, scramSHA}
	if mailcore.CanBind(s.front.channel()) {
		offered = append(offered, scramPlus)
	}
	return offered
}

// channel is the TLS connection.
func (f *front) channel() *tls.ConnectionState {
	if t, ok := f.conn().(*tls.Conn); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}

// Authenticate implements imapserver.SessionSASL.
func (s *session) Authenticate(mech string) (sasl.Server, error) {
	switch {
	case mech == sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && !strings.EqualFold(identity, username) {
				return no(imap.ResponseCodeAuthorizationFailed, "Nobody logs in as somebody else")
			}
			return s.Login(username, password)
		}), nil
	case mech == sasl.Login:
		return mailcore.NewLoginServer(s.Login), nil
	case mech == scramSHA, mech == scramPlus && mailcore.CanBind(s.front.channel()):
		return &scramServer{s, s.l.store.NewScram(s.attempt("", ""), s.front.channel(), mech == scramPlus)}, nil
	}
	return nil, no("", "This way of logging in is not offered")
}

// A scramServer is a SCRAM login of this session.
type scramServer struct {
	s     *session
	scram *mailcore.Scram
}

// Next takes the client's next message and returns the answer.
func (x *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = x.scram.Next(x.s.ctx, response)
	if err != nil {
		return nil, false, x.s.refusedLogin("", err)
	}
	if done {
		if err := x.s.loggedIn(x.scram.Login()); err != nil {
			return nil, false, err
		}
	}
	return challenge, done, nil
}

func (s *session) attempt(username, password string) mailcore.Attempt {
	return mailcore.Attempt{Address: username, Domain: s.l.opt.Domain, Password: password, Service: mailcore.ServiceIMAP, Remote: s.front.addr}
}

// Login implements imapserver.Session. An unknown user and a wrong password are answered alike.
func (s *session) Login(username, password string) error {
	l, err := s.l.store.LogIn(s.ctx, s.attempt(username, password))
	if err != nil {
		return s.refusedLogin(username, err)
	}
	return s.loggedIn(l)
}

// loggedIn begins what an account may do, until its login ends: by the connection, or by a word from anywhere.
func (s *session) loggedIn(l mailcore.Login) error {
	t := s.l.moveIn(l.ID, s.front)
	if t == nil {
		s.l.log.Warn("imap login refused: too many connections", "account", l.Address, "remote", s.front.addr)
		s.front.wait(penalty * s.l.opt.FailureDelay)
		s.front.stop("Too many connections of this account")
		return errTooManyOfAccount
	}
	watch := s.l.store.Watch(l, func(why error) {
		s.l.log.Info("imap login ended", "account", l.Address, "remote", s.front.addr, "why", why)
		s.front.end(why)
	})
	s.mu.Lock()
	s.account, s.login, s.watch = l.Account, l, watch
	closed := s.closed
	s.mu.Unlock()
	if closed {
		watch.End()
		s.l.moveOut(l.ID)
	}
	s.front.tenant.Store(t)
	s.front.loggedIn()
	s.l.log.Info("imap login", "account", l.Address, "remote", s.front.addr, "app_password", l.App)
	return nil
}

// end tells the client BYE and cuts the connection soon after, whatever it is doing.
func (f *front) end(why error) {
	text := "Logged out: the password was changed, or the login ended elsewhere"
	if errors.Is(why, mailcore.ErrDelegationOver) {
		text = "The delegation for this mailbox has ended"
	}
	f.stop(text)
	time.AfterFunc(time.Second, f.cut)
}

// refusedLogin words the refusal of a login. Wrong passwords are answered late, and a few end the connection.
func (s *session) refusedLogin(username string, err error) error {
	log := s.l.log.With("account", username, "remote", s.front.addr)
	var refused *mailcore.LoginError
	switch {
	case errors.Is(err, mailcore.ErrMustChange):
		log.Info("imap login refused: issued password")
		return no(imap.ResponseCodeAlert, mustChange(s.l.opt.AccountURL))
	case errors.Is(err, mailcore.ErrThrottled):
		log.Warn("imap login refused unchecked")
		s.front.stop("Too many failed logins")
		return no(imap.ResponseCodeUnavailable, "Dang nhap sai qua nhieu lan, hay thu lai sau / Too many failed logins, try again later")
	case errors.As(err, &refused):
		log.Warn("imap login failed", "why", err, "lately", refused.Lately)
		select {
		case <-time.After(s.l.opt.FailureDelay << min(max(refused.Lately-1, 0), 3)):
		case <-s.ctx.Done():
		}
		if s.failures++; s.failures >= maxFailures {
			s.front.stop("Too many failed logins")
		}
		return imapserver.ErrAuthFailed
	case s.ctx.Err() != nil:
		return no(imap.ResponseCodeUnavailable, "Server is shutting down")
	case errors.Is(err, mailcore.ErrBusy):
		log.Warn("imap login refused unchecked", "why", err)
	default:
		log.Error("imap login", "err", err)
	}
	return no(imap.ResponseCodeUnavailable, "Temporary failure, try again later")
}

// mustChange tells where to change the issued password (QĐ 22/2009 Điều 7). Without marks: before the login a response is
// ASCII (RFC 9051 §9), and clients show other bytes as they like.
func mustChange(url string) string {
	if url == "" {
		return "Phai doi mat khau duoc cap truoc khi dung hop thu, hay hoi quan tri vien / The issued password must be changed first, ask your administrator"
	}
	return "Phai doi mat khau duoc cap truoc khi dung hop thu. Hay mo " + url + " / Change the issued password there first"
}
