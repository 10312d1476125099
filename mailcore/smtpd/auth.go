package smtpd

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// maxFailed is how many wrong passwords one connection may give.
const maxFailed = 3

// AuthMechanisms are offered under TLS only: go-smtp asks just then.
func (s *session) AuthMechanisms() []string {
	if !s.submission() {
		return nil
	}
	return []string{sasl.Plain, sasl.Login}
}

// Auth begins a login (RFC 4954).
func (s *session) Auth(mech string) (sasl.Server, error) {
	switch {
	case s.gone:
		return nil, errTooMany
	case !s.submission():
		return nil, smtp.ErrAuthUnsupported
	case s.envelope() != nil:
		return nil, errNested
	}
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && !strings.EqualFold(identity, username) {
				return errBadLogin // nobody acts as somebody else by a password
			}
			return s.login(username, password)
		}), nil
	case sasl.Login:
		return &loginServer{check: s.login}, nil
	}
	return nil, errNoMechanism
}

// A loginServer speaks LOGIN, which has no RFC and which old Outlook asks for: two questions, two answers.
type loginServer struct {
	check    func(username, password string) error
	step     int
	username string
}

// Next takes an answer and returns the next question.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if l.step == 0 && response == nil { // no initial response
		return []byte("Username:"), false, nil
	}
	l.step++
	switch l.step {
	case 1:
		l.username = string(response)
		return []byte("Password:"), false, nil
	case 2:
		return nil, true, l.check(l.username, string(response))
	}
	return nil, false, sasl.ErrUnexpectedClientResponse
}

// login checks a password. Wrong ones are answered late, and after some no more are checked for a while.
func (s *session) login(username, password string) error {
	if !strings.Contains(username, "@") {
		username += "@" + s.run.opt.Domain
	}
	address, err := mailcore.ParseAddress(username)
	if err != nil {
		return s.failedLogin(mailcore.Address("?"), err)
	}
	if !s.run.logins.allow(s.wire.addr, address) {
		s.log.Warn("login refused unchecked", "account", address)
		return s.hangUp(errLoginLimit)
	}
	ctx, cancel := s.lookup()
	defer cancel()
	account, err := s.run.opt.Store.Authenticate(ctx, address, password)
	switch {
	case err == nil:
		s.run.logins.forget(s.wire.addr, address)
		s.account = &account
		s.log = s.log.With("account", account.Address)
		s.log.Info("login")
		return nil
	case errors.Is(err, mailcore.ErrMustChange):
		s.log.Info("login refused", "account", address, "why", err)
		return errMustChange
	case errors.Is(err, mailcore.ErrBadCredentials), errors.Is(err, mailcore.ErrClosed):
		return s.failedLogin(address, err)
	}
	s.log.Error("login", "account", address, "err", err)
	return errLoginLater
}

func (s *session) failedLogin(address mailcore.Address, why error) error {
	n := s.run.logins.fail(s.wire.addr, address)
	s.log.Warn("login failed", "account", address, "why", why, "in_a_row", n)
	wait(s.run.hard, time.Duration(min(n, 5))*s.run.opt.FailDelay)
	if s.failed++; s.failed >= maxFailed {
		return s.hangUp(errBadLogin)
	}
	return errBadLogin
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Bounds of failed logins. One address with one account is somebody guessing, or an old password in a phone; one address
// with many accounts may be the whole office behind one address, so it may fail more often.
const (
	failWindow   = 10 * time.Minute
	failsOfPair  = 10
	failsOfAddr  = 100
	maxThrottled = 20000
)

// A throttle counts failed logins by address, and by address and account. The account alone is never locked: nobody can
// lock out the right user by guessing from elsewhere.
type throttle struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*fails
}

type fails struct {
	count int
	last  time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, of: map[string]*fails{}}
}

func throttleKeys(addr string, account mailcore.Address) (pair, all string) {
	if ip, err := netip.ParseAddr(addr); err == nil && ip.Is6() && !ip.Is4In6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil { // one customer's network
			addr = p.String()
		}
	}
	return addr + " " + account.String(), addr
}

func (t *throttle) allow(addr string, account mailcore.Address) bool {
	pair, all := throttleKeys(addr, account)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count(pair) < failsOfPair && t.count(all) < failsOfAddr
}

// fail notes a wrong password and returns how many there were of this pair.
func (t *throttle) fail(addr string, account mailcore.Address) int {
	pair, all := throttleKeys(addr, account)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) >= maxThrottled {
		t.sweep()
	}
	for _, key := range []string{pair, all} {
		n := t.count(key)
		t.of[key] = &fails{n + 1, t.now()}
	}
	return t.of[pair].count
}

// forget clears a pair after a good login. The address keeps its count: a guesser may own one account.
func (t *throttle) forget(addr string, account mailcore.Address) {
	pair, _ := throttleKeys(addr, account)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, pair)
}

func (t *throttle) count(key string) int {
	if f := t.of[key]; f != nil && t.now().Sub(f.last) < failWindow {
		return f.count
	}
	return 0
}

// sweep makes room: what is over first, then whatever comes first, so that a flood of addresses costs no more memory.
func (t *throttle) sweep() {
	for key := range t.of {
		if t.count(key) == 0 {
			delete(t.of, key)
		}
	}
	for key := range t.of {
		if len(t.of) < maxThrottled/2 {
			break
		}
		delete(t.of, key)
	}
}
