package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// maxFailed is how many wrong passwords one connection may give.
const maxFailed = 3

// The mechanisms for app passwords (RFC 7677). The one that binds to the TLS channel goes first: clients take the best.
const (
	scramPlus = "SCRAM-SHA-256-PLUS"
	scramSHA  = "SCRAM-SHA-256"
)

// AuthMechanisms are offered under TLS, and without it to programs on this machine where the configuration allows it.
func (s *session) AuthMechanisms() []string {
	if !s.submission() || !s.mayLogIn() {
		return nil
	}
	offered := []string{sasl.Plain, sasl.Login, scramSHA} // PLAIN is RFC 4616; LOGIN has no standard, and old Outlooks know no other
	if mailcore.CanBind(s.channel()) {
		offered = append(offered, scramPlus)
	}
	return offered
}

// mayLogIn reports whether nobody else hears the password.
func (s *session) mayLogIn() bool {
	return s.channel() != nil || s.run.opt.PlainFromLoopback && mailcore.FromThisMachine(s.wire)
}

// channel is the TLS connection.
func (s *session) channel() *tls.ConnectionState {
	if state, ok := s.conn.TLSConnectionState(); ok {
		return &state
	}
	return nil
}

// Auth begins a login (RFC 4954).
func (s *session) Auth(mech string) (sasl.Server, error) {
	switch {
	case s.gone:
		return nil, errTooMany
	case !s.submission():
		return nil, smtp.ErrAuthUnsupported
	case !s.mayLogIn():
		return nil, errNeedsTLS
	case s.envelope() != nil:
		return nil, errNested
	}
	switch {
	case mech == sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && !strings.EqualFold(identity, username) {
				return errBadLogin // nobody acts as somebody else by a password
			}
			return s.login(username, password)
		}), nil
	case mech == sasl.Login:
		return mailcore.NewLoginServer(s.login), nil
	case mech == scramSHA, mech == scramPlus && mailcore.CanBind(s.channel()):
		return &scramServer{s, s.run.opt.Store.NewScram(s.attempt("", ""), s.channel(), mech == scramPlus)}, nil
	}
	return nil, errNoMechanism
}

// A scramServer is a SCRAM login of this session.
type scramServer struct {
	s     *session
	scram *mailcore.Scram
}

// Next takes the client's next message and returns the answer.
func (x *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	ctx, cancel := x.s.lookup()
	defer cancel()
	challenge, done, err = x.scram.Next(ctx, response)
	if err != nil {
		return nil, false, x.s.refusedLogin(err)
	}
	if done {
		x.s.loggedIn(x.scram.Login())
	}
	return challenge, done, nil
}

func (s *session) attempt(username, password string) mailcore.Attempt {
	remote, _ := netip.ParseAddr(s.wire.addr)
	return mailcore.Attempt{Address: username, Domain: s.run.opt.Domain, Password: password, Service: mailcore.ServiceSMTP, Remote: remote}
}

// login checks a password.
func (s *session) login(username, password string) error {
	ctx, cancel := s.lookup()
	defer cancel()
	l, err := s.run.opt.Store.LogIn(ctx, s.attempt(username, password))
	if err != nil {
		s.log = s.log.With("account", username)
		return s.refusedLogin(err)
	}
	s.loggedIn(l)
	return nil
}

// loggedIn begins what an account may do, until its login ends: by the connection, or by a word from anywhere.
func (s *session) loggedIn(l mailcore.Login) {
	s.account = &l.Account
	s.log = s.log.With("account", l.Address)
	s.log.Info("login", "app_password", l.App)
	s.watch = s.run.opt.Store.Watch(l, func(why error) {
		s.log.Info("login ended", "why", why)
		s.wire.end()
	})
}

// refusedLogin words the refusal of a login. Wrong passwords are answered late, and a few end the connection.
func (s *session) refusedLogin(err error) error {
	var refused *mailcore.LoginError
	switch {
	case errors.Is(err, mailcore.ErrThrottled):
		s.log.Warn("login refused unchecked")
		return s.hangUp(errLoginLimit)
	case errors.Is(err, mailcore.ErrMustChange):
		s.log.Info("login refused", "why", err)
		return mustChange(s.run.opt.AccountURL)
	case errors.As(err, &refused):
		s.log.Warn("login failed", "why", err, "in_a_row", refused.Lately)
		wait(s.run.hard, time.Duration(min(max(refused.Lately, 1), 5))*s.run.opt.FailDelay)
		if s.failed++; s.failed >= maxFailed {
			return s.hangUp(errBadLogin)
		}
		return errBadLogin
	case errors.Is(err, mailcore.ErrBusy):
		s.log.Warn("login refused unchecked", "why", err)
		return errLoginLater
	}
	s.log.Error("login", "err", err)
	return errLoginLater
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
