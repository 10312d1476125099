package imapd

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// idlePoll is how often IDLE looks by itself: a wake-up may be lost (package sqldb).
const idlePoll = 90 * time.Second

// A session is one client. Its methods are the commands, called one after the other by the library; only Idle runs beside
// another, when a client hangs up while idling.
type session struct {
	l      *listening
	front  *front
	conn   *imapserver.Conn
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex // the fields below
	account  mailcore.Account
	login    mailcore.Login
	watch    *mailcore.Watch // ends this connection when the login ends
	view     *view           // of the selected mailbox, or nil
	failures int
	closed   bool
	idling   chan struct{} // closed when the Idle that runs has ended
}

var (
	_ imapserver.SessionIMAP4rev2   = (*session)(nil)
	_ imapserver.SessionAppendLimit = (*session)(nil)
	_ imapserver.SessionSASL        = (*session)(nil)
)

func (l *listening) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{l: l, front: c.NetConn().(*front), conn: c, ctx: ctx, cancel: cancel}
	s.front.begun(s)
	return s, nil, nil
}

// Close implements imapserver.Session. A client may hang up while Idle still runs.
func (s *session) Close() error {
	s.cancel()
	s.front.raw.SetDeadline(time.Now().Add(time.Second)) // an Idle that is writing to nobody must not hold us
	s.mu.Lock()
	s.closed = true
	idling, watch, account := s.idling, s.watch, s.account.ID
	s.mu.Unlock()
	if watch != nil {
		watch.End()
		s.l.moveOut(account)
	}
	if idling != nil {
		<-idling
	}
	s.front.sessionEnded()
	return nil
}

// Namespace implements imapserver.SessionNamespace (RFC 2342).
func (s *session) Namespace() (*imap.NamespaceData, error) {
	return s.namespace(), nil
}

// AppendLimit implements imapserver.SessionAppendLimit (RFC 7889).
func (s *session) AppendLimit() uint32 { return uint32(s.l.opt.MaxMessage) }

// Select implements imapserver.Session, for EXAMINE too.
func (s *session) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mb, err := s.mailbox(name)
	if err != nil {
		return nil, err
	}
	v, err := s.l.openView(s.ctx, mb.Mailbox, options.ReadOnly, &s.front.commands)
	if err != nil {
		return nil, s.problem("open mailbox", err)
	}
	v.by, v.under = s.by(mb.under), mb.under
	s.view = v
	data := &imap.SelectData{
		Flags:       v.flagsInUse(),
		NumMessages: uint32(v.told),
		UIDNext:     imap.UID(mb.UIDNext),
		UIDValidity: mb.UIDValidity,
	}
	if n := len(v.msgs); n > 0 {
		data.UIDNext = max(data.UIDNext, imap.UID(v.msgs[n-1].uid)+1)
	}
	seen := flagTest{flag: imap.FlagSeen}
	for i := range v.msgs {
		if !seen.in(v.msgs[i].flags) {
			data.FirstUnseenSeqNum = uint32(i + 1)
			break
		}
	}
	s.opened(mb, v.readOnly, data.FirstUnseenSeqNum == 0)
	if !v.readOnly {
		data.PermanentFlags = append(append([]imap.Flag{}, data.Flags...), imap.FlagWildcard)
	}
	if s.conn.EnabledCaps().Has(imap.CapIMAP4rev2) {
		data.List = &imap.ListData{Mailbox: mb.Name, Delim: delim, Attrs: attrs(mb.Mailbox)}
	}
	return data, nil
}

// Unselect implements imapserver.Session (RFC 3691).
func (s *session) Unselect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = nil
	s.watch.ActUnder(0)
	return nil
}

// Poll implements imapserver.Session: it runs at the end of every command.
func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(w, allowExpunge)
}

func (s *session) update(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if s.view == nil {
		return nil
	}
	if s.view.expired(s.l.store.DB().Now()) {
		s.front.end(mailcore.ErrDelegationOver)
		return nil
	}
	var err error
	if s.view.fresh != s.front.commands.Load() {
		err = s.view.refresh(s.ctx)
	}
	s.view.fresh = 0
	switch {
	case err == nil:
		return s.view.tell(w, allowExpunge)
	case errors.Is(err, mailcore.ErrNoMailbox):
		s.front.stop("The selected mailbox was deleted")
	case s.ctx.Err() == nil:
		s.l.log.Error("imap poll", "account", s.account.Address, "mailbox", s.view.mailbox.ID, "err", err)
		s.front.stop("[UNAVAILABLE] Temporary failure, try again later")
	}
	return nil // BYE follows this command
}

// Idle implements imapserver.Session (RFC 2177).
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	done := make(chan struct{})
	defer close(done)
	s.mu.Lock()
	v, closed := s.view, s.closed
	s.idling = done
	s.mu.Unlock()
	if closed {
		return nil
	}
	if v == nil {
		<-stop
		return nil
	}
	wake, end := s.l.store.DB().Listen(mailcore.MailboxTopic(v.mailbox.ID))
	defer end()
	tick := time.NewTicker(idlePoll + rand.N(idlePoll/4))
	defer tick.Stop()
	for {
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

// no is a refusal as the client sees it.
func no(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// problem turns an error of the store into what the client may see; what is not the client's doing is logged.
func (s *session) problem(doing string, err error) error {
	switch {
	case errors.Is(err, mailcore.ErrNoMailbox):
		return no(imap.ResponseCodeNonExistent, "No such mailbox")
	case errors.Is(err, mailcore.ErrMailboxExists):
		return no(imap.ResponseCodeAlreadyExists, "Mailbox exists")
	case errors.Is(err, mailcore.ErrMailboxName):
		return no(imap.ResponseCodeCannot, "Not a mailbox name")
	case errors.Is(err, mailcore.ErrMailboxIsFixed):
		return no(imap.ResponseCodeCannot, "This mailbox can be neither deleted nor renamed")
	case errors.Is(err, mailcore.ErrOverQuota):
		return no(imap.ResponseCodeOverQuota, "Hop thu da day, hay xoa bot thu / The mailbox is full, delete something first")
	case s.ctx.Err() == nil:
		s.l.log.Error("imap", "doing", doing, "account", s.account.Address, "err", err)
	}
	return no(imap.ResponseCodeUnavailable, "Temporary failure, try again later")
}

// selected returns the view; write says that the command changes the mailbox, which EXAMINE forbids (RFC 9051 §6.3.3).
func (s *session) selected(write bool) (*view, error) {
	if s.view == nil {
		return nil, &imap.Error{Type: imap.StatusResponseTypeBad, Text: "No mailbox selected"}
	}
	if s.view.expired(s.l.store.DB().Now()) {
		s.front.end(mailcore.ErrDelegationOver)
		return nil, no("NOPERM", "The delegation for this mailbox has ended")
	}
	if write && s.view.readOnly {
		return nil, no("READ-ONLY", "Mailbox was opened with EXAMINE")
	}
	return s.view, nil
}
