package imapd

import (
	"io"
	"net"
	"testing"
	"time"
)

// An account that never pauses has worked for free a while, then owes three times what it works; one that pauses owes nothing.
func TestWorkWithoutPauseIsPaidForByRest(t *testing.T) {
	var busy, calm tenant
	now := time.Unix(1_700_000_000, 0)
	if rest := busy.rest(now); rest != 0 {
		t.Fatalf("rest %v before any work", rest)
	}
	for range 100 {
		now = now.Add(10 * time.Millisecond)
		busy.charge(10*time.Millisecond, now)
	}
	if rest := busy.rest(now); rest < 2*time.Second || rest > 3*time.Second {
		t.Errorf("after a second of work it should rest %v", rest)
	}
	for range 10_000 {
		now = now.Add(time.Millisecond)
		busy.charge(time.Second, now)
	}
	if rest := busy.rest(now); rest > restFree+restLongest {
		t.Errorf("it should rest %v", rest)
	}
	for range 100 {
		now = now.Add(time.Second)
		calm.charge(100*time.Millisecond, now)
		if rest := calm.rest(now); rest > restFree {
			t.Fatalf("who pauses should rest %v", rest)
		}
	}
	calm.charge(0, now)
	if calm.rest(now) < restPerWork*leastWork {
		t.Error("a command costs nothing")
	}
}

func TestCompanyIsMoreThanOneAccount(t *testing.T) {
	var c company
	a, b := new(tenant), new(tenant)
	now := time.Unix(1_700_000_000, 0)
	for i, step := range []struct {
		who   *tenant
		after time.Duration
		want  bool
	}{
		{a, 0, false}, {a, time.Second, false}, {b, time.Second, true}, {b, companyFor - 1, true}, {b, 1, false},
		{a, time.Second, true}, {a, companyFor, false}, {nil, 0, true}, {a, time.Second, true}, {a, companyFor, false},
	} {
		now = now.Add(step.after)
		if got := c.meet(step.who, now); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}

// A client that does not read keeps no turn: the other connections of its account go on, and what it was to get is whole.
func TestWriteThatWaitsGivesItsTurnBack(t *testing.T) {
	s := New(Options{})
	near, far := net.Pipe() // a write waits for its reader
	f := newFront(&listening{Server: s, stopping: make(chan struct{})}, near, remoteAddr(near))
	account := s.moveIn(1, f)
	f.tenant.Store(account)
	f.takeTurn()
	written := make(chan error)
	go func() {
		_, err := f.raw.Write([]byte("* OK a line\r\n"))
		written <- err
	}()
	for range cap(account.turns) { // every turn can be had
		select {
		case account.turns <- struct{}{}:
		case <-time.After(time.Minute):
			t.Fatal("a turn is kept by who waits")
		}
	}
	text := make([]byte, len("* OK a line\r\n"))
	if _, err := io.ReadFull(far, text); err != nil || string(text) != "* OK a line\r\n" {
		t.Errorf("%q, %v", text, err)
	}
	select {
	case <-written:
		t.Error("the work went on without a turn")
	case <-time.After(50 * time.Millisecond):
	}
	<-account.turns
	if err := <-written; err != nil {
		t.Error(err)
	}
	if !f.endTurn() {
		t.Error("the turn was not taken again")
	}
}

func TestAccountThatOwesIsRemembered(t *testing.T) {
	s := New(Options{})
	near, _ := net.Pipe()
	f := newFront(&listening{Server: s}, near, remoteAddr(near))
	account := s.moveIn(1, f)
	account.charge(time.Hour, time.Now())
	s.moveOut(1)
	if s.moveIn(1, f) != account {
		t.Error("its debt is forgotten with its last connection")
	}
	s.moveOut(1)
	s.moveIn(2, f)
	s.moveOut(2)
	if s.tenants[2] != nil {
		t.Error("who owes nothing is remembered")
	}
}
