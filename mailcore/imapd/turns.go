package imapd

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
)

// penalty is how many times Options.FailureDelay a connection waits before it is ended for what no client does: whoever comes again
// at once would cost the others a TLS handshake each time.
const penalty = 5

// A tenant is what the connections of one account share. A hundred of them that never pause get no more of the machine than a few:
// their commands take turns, and while other accounts are at work too, the turns of one account come with rests.
type tenant struct {
	conns int           // under Server.mu
	turns chan struct{} // a place for each command at work

	mu   sync.Mutex
	paid time.Time // until then the account has had its share
}

// The share of an account that does not pause, beside others.
const (
	restPerWork = 3                     // of one processor: it works a quarter of the time
	restFree    = 2 * time.Second       // rest that is owed before any is taken: a client that opens its windows never does
	restLongest = 2 * time.Second       // at one time
	leastWork   = 50 * time.Microsecond // of a command, with what reads and answers it
	companyFor  = 5 * time.Second       // that others count as present after their last command or new connection
)

// turnsOfAccount is how many commands of one account are at work at one time: half of the machine, but never one alone, since a long
// search must not hold up the window beside it.
func turnsOfAccount() int { return max(2, runtime.GOMAXPROCS(0)/2) }

// moveIn counts a connection of an account, or returns nil when it has too many. From then on it is one of the account's and no more
// of its address's: behind one address sits a whole agency.
func (s *Server) moveIn(id mailcore.AccountID, f *front) *tenant {
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
	if !f.known {
		f.known = true
		s.leaveAddress(f.addr)
	}
	return t
}

func (s *Server) moveOut(id mailcore.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[id]
	if t.conns--; t.conns > 0 {
		return
	}
	if rest := t.rest(time.Now()); rest > 0 { // who comes again at once owes it still
		time.AfterFunc(rest, func() { s.forgetTenant(id) })
		return
	}
	delete(s.tenants, id)
}

func (s *Server) forgetTenant(id mailcore.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tenants[id]; t != nil && t.conns == 0 {
		delete(s.tenants, id)
	}
}

// charge notes work that an account has done.
func (t *tenant) charge(work time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paid.Before(now) {
		t.paid = now
	}
	t.paid = t.paid.Add(restPerWork * max(work, leastWork))
	if most := now.Add(restFree + restLongest); t.paid.After(most) {
		t.paid = most
	}
}

// rest is how long the account should rest before its next turn; of that, restFree is let off.
func (t *tenant) rest(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.paid.Sub(now))
}

// A company knows whether more than one account is at work.
type company struct {
	mu   sync.Mutex
	last *tenant
	came time.Time // when a tenant came after another one
}

// meet notes that a tenant, nil for a new connection, is here, and reports whether there is anybody beside it.
func (c *company) meet(t *tenant, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == nil || c.last != nil && c.last != t {
		c.came = now
	}
	if t != nil {
		c.last = t
	}
	return now.Sub(c.came) < companyFor
}

// takeTurn waits until a command of this account may work.
func (f *front) takeTurn() {
	t := f.tenant.Load()
	if t == nil || f.atWork.Load() {
		return
	}
	t.turns <- struct{}{}
	now := time.Now()
	if f.l.company.meet(t, now) {
		if rest := t.rest(now) - restFree; rest > 0 {
			f.wait(rest)
			now = time.Now()
		}
	}
	f.began = now
	f.atWork.Store(true)
}

// endTurn gives the turn back, if there is one, before anything that waits for the client: one that reads slowly keeps nobody waiting.
func (f *front) endTurn() bool {
	if !f.atWork.CompareAndSwap(true, false) {
		return false
	}
	t, now := f.tenant.Load(), time.Now()
	t.charge(now.Sub(f.began), now)
	<-t.turns
	return true
}

// An easing connection is TCP below TLS. A write that cannot be done at once, since the client does not read, gives the turn back
// meanwhile; what encrypts and sends belongs to the command's work.
type easing struct {
	net.Conn
	front *front
	until atomic.Pointer[time.Time] // the deadline of writes
}

// atOnce is how long a write keeps its turn.
const atOnce = time.Millisecond

// SetWriteDeadline implements net.Conn.
func (e *easing) SetWriteDeadline(t time.Time) error {
	e.until.Store(&t)
	return e.Conn.SetWriteDeadline(t)
}

// Write implements net.Conn.
func (e *easing) Write(p []byte) (int, error) {
	if !e.front.atWork.Load() {
		return e.Conn.Write(p)
	}
	e.Conn.SetWriteDeadline(time.Now().Add(atOnce))
	n, err := e.Conn.Write(p)
	var until time.Time
	if t := e.until.Load(); t != nil {
		until = *t
	}
	e.Conn.SetWriteDeadline(until)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if e.front.endTurn() {
		defer e.front.takeTurn()
	}
	more, err := e.Conn.Write(p[n:])
	return n + more, err
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
