package imapd

import (
	"runtime"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
)

// penalty is how many times Options.FailureDelay a connection waits before it is ended for what no client does: whoever comes again
// at once would cost the others a TLS handshake each time.
const penalty = 5

// A tenant is what the connections of one account share. A hundred of them that never pause get no more of the machine than a few:
// their commands take turns, while those of other accounts go on.
type tenant struct {
	conns int           // under Server.mu
	turns chan struct{} // a place for each command at work
}

// turnsOfAccount is how many commands of one account are at work at one time: half of the machine, but never one alone, since a long
// search must not hold up the window beside it.
func turnsOfAccount() int { return max(2, runtime.GOMAXPROCS(0)/2) }

// moveIn counts a connection of an account, or returns nil when it has too many.
func (s *Server) moveIn(id mailcore.AccountID) *tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[id]
	if t == nil {
		t = &tenant{turns: make(chan struct{}, turnsOfAccount())}
		s.tenants[id] = t
	}
	if t.conns >= s.opt.MaxPerAccount {
		return nil
	}
	t.conns++
	return t
}

func (s *Server) moveOut(id mailcore.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tenants[id]; t != nil {
		if t.conns--; t.conns == 0 {
			delete(s.tenants, id)
		}
	}
}

// takeTurn waits until a command of this account may work. It is given back before anything that waits for the client, so that
// one that reads slowly keeps nobody waiting.
func (f *front) takeTurn() {
	if t := f.tenant.Load(); t != nil && !f.atWork.Load() {
		t.turns <- struct{}{}
		f.atWork.Store(true)
	}
}

// endTurn reports whether there was one to give back.
func (f *front) endTurn() bool {
	if !f.atWork.CompareAndSwap(true, false) {
		return false
	}
	<-f.tenant.Load().turns
	return true
}

// punish is leave for what no client does: the connection stays shut in for a while.
func (f *front) punish(text string) error {
	err := f.leave(text)
	f.wait(penalty * f.l.opt.FailureDelay)
	return err
}

// wait waits, less when the server stops.
func (f *front) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.l.stopping:
	}
}

// errTooManyOfAccount answers a login too many (RFC 5530 §3, LIMIT).
var errTooManyOfAccount = no(imap.ResponseCodeLimit, "Too many connections of this account, close some of its programs")
