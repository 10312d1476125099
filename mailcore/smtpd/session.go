package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-smtp"
)

const (
	maxRefused  = 50               // recipients refused in one session: then it is guessing
	lookupLimit = 30 * time.Second // for one question to the store
)

// A session is one connection, from its EHLO or from STARTTLS on. go-smtp calls it from the connection's goroutine, and
// Data for BDAT from a second one, which an RSET leaves behind: mu guards what both see.
type session struct {
	run     *run
	conn    *smtp.Conn
	wire    *wire
	log     *slog.Logger
	account *mailcore.Account // who logged in
	watch   *mailcore.Watch   // ends this session when the login ends

	refused, failed int // recipients; logins
	gone            bool

	mu  sync.Mutex
	env *envelope // nil before MAIL
}

// An envelope is one message's MAIL and RCPT lines.
type envelope struct {
	sender mailcore.Address
	utf8   bool
	id     string // ENVID
	ret    string // RET
	size   int64  // as MAIL announced it, 0 when it did not
	rcpts  []rcpt
	divert mailcore.Address // the one recipient, when a Diverter takes the mail
	seen   map[string]bool
	own    []mailcore.Address // that the account may send as: its own, and those of units that it acts for today
}

// A rcpt is an accepted recipient and where it leads.
type rcpt struct {
	addr   mailcore.Address
	route  mailcore.Route
	wishes mailcore.Wishes
}

func (r *run) newSession(c *smtp.Conn) (smtp.Session, error) {
	var w *wire
	switch conn := c.Conn().(type) {
	case *wire:
		w = conn
	case *tls.Conn:
		w, _ = conn.NetConn().(*wire)
	}
	if w == nil {
		r.log.Error("session over an unknown kind of connection")
		return nil, errNotNow
	}
	return &session{run: r, conn: c, wire: w, log: r.log.With("addr", w.addr)}, nil
}

// Reset forgets the message under way.
func (s *session) Reset() { s.setEnvelope(nil) }

// Logout is the end of the connection.
func (s *session) Logout() error {
	if s.watch != nil {
		s.watch.End()
	}
	return nil
}

func (s *session) setEnvelope(e *envelope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env = e
}

func (s *session) envelope() *envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.env
}

func (s *session) submission() bool { return s.run.opt.Mode == Submission }

// lookup bounds one question to the store.
func (s *session) lookup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.run.hard, lookupLimit)
}

// hangUp makes err the last answer of this connection, whatever was pipelined behind.
func (s *session) hangUp(err error) error {
	s.gone = true
	s.wire.hangUp()
	return err
}

// Mail begins a message.
func (s *session) Mail(from string, opt *smtp.MailOptions) error {
	switch {
	case s.gone:
		return errTooMany
	case s.submission() && s.account == nil:
		return errNoLogin
	case s.envelope() != nil:
		return errNested
	}
	e := &envelope{utf8: opt.UTF8, id: opt.EnvelopeID, ret: string(opt.Return), size: opt.Size, seen: map[string]bool{}}
	if from != "" {
		var err error
		if e.sender, err = mailcore.ParseAddress(from); err != nil {
			return badAddress(smtp.EnhancedCode{5, 1, 7}, err)
		}
	}
	if !opt.UTF8 && !isASCII(from) {
		return needsUTF8(smtp.EnhancedCode{5, 6, 7})
	}
	if s.submission() {
		var err error
		if e.own, err = s.ownAddresses(); err != nil {
			s.log.Error("delegations", "err", err)
			return errNotNow
		}
	}
	if s.submission() && e.sender != "" && !slices.Contains(e.own, e.sender) {
		s.log.Info("sender refused", "account", s.account.Address, "sender", e.sender)
		return notYours(550, "Địa chỉ gửi", s.account.Address)
	}
	s.setEnvelope(e)
	return nil
}

// ownAddresses are what the account may send as.
func (s *session) ownAddresses() ([]mailcore.Address, error) {
	own := []mailcore.Address{s.account.Address}
	if s.account.Kind != mailcore.Officer {
		return own, nil
	}
	ctx, cancel := s.lookup()
	defer cancel()
	units, err := s.run.opt.Store.ActsFor(ctx, s.account.ID, time.Now())
	for _, d := range units {
		own = append(own, d.Unit)
	}
	return own, err
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, opt *smtp.RcptOptions) error {
	e := s.envelope()
	if s.gone || e == nil {
		return errTooMany
	}
	r, err := s.recipient(e, to, opt)
	if err != nil {
		return s.refuse(to, err)
	}
	if e.divert != "" {
		return nil
	}
	if key := r.key(); !e.seen[key] {
		e.seen[key] = true
		e.rcpts = append(e.rcpts, r)
	}
	return nil
}

func (s *session) recipient(e *envelope, to string, opt *smtp.RcptOptions) (r rcpt, err error) {
	if r.addr, err = mailcore.ParseAddress(to); err != nil {
		return r, badAddress(smtp.EnhancedCode{5, 1, 3}, err)
	}
	if !e.utf8 && !isASCII(to) {
		return r, needsUTF8(smtp.EnhancedCode{5, 6, 7})
	}
	if away, err := s.diverts(e, r.addr); away || err != nil {
		if away {
			e.divert = r.addr
		}
		return r, err
	}
	ctx, cancel := s.lookup()
	defer cancel()
	r.route, err = s.run.opt.Router.Route(ctx, r.addr)
	switch {
	case errors.Is(err, mailcore.ErrNoRecipient):
		return r, noRecipient(to, err)
	case err != nil:
		s.log.Error("route", "rcpt", r.addr, "err", err)
		return r, errNotNow
	case r.route.Relay && !s.submission():
		return r, errNoRelay
	}
	if err := s.hasRoom(ctx, e, r.route); err != nil {
		return r, err
	}
	notify := make([]string, len(opt.Notify))
	for i, n := range opt.Notify {
		notify[i] = string(n)
	}
	r.wishes = mailcore.Wishes{Notify: strings.Join(notify, ","), Ret: e.ret}
	if opt.OriginalRecipient != "" {
		r.wishes.Original = strings.ToLower(string(opt.OriginalRecipientType)) + ";" + opt.OriginalRecipient
	}
	return r, nil
}

// hasRoom refuses a recipient whose mailboxes are full: for now, since somebody may tidy up.
func (s *session) hasRoom(ctx context.Context, e *envelope, to mailcore.Route) error {
	if to.Limit == 0 {
		return nil
	}
	q, err := s.run.opt.Store.Quota(ctx, to.Account)
	switch {
	case err != nil:
		s.log.Error("quota", "rcpt", to.Canonical, "err", err)
		return errNotNow
	case !q.Fits(max(e.size, 1)):
		return full(to.Canonical)
	}
	return nil
}

// key is equal for recipients that need one copy: the same account, unless a token tells them apart.
func (r *rcpt) key() string {
	if r.route.Relay {
		return "out " + r.addr.String()
	}
	return r.route.Canonical.String() + " " + r.route.Ref
}

func (s *session) refuse(to string, err error) error {
	s.log.Info("recipient refused", "rcpt", to, "why", err)
	if known, ok := err.(*smtp.SMTPError); ok && known.Code == 452 {
		return err // a full mailbox is nobody's guess
	}
	if s.refused++; s.refused >= maxRefused {
		return s.hangUp(errTooMany)
	}
	return err
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
