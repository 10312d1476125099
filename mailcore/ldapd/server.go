package ldapd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"congvan/mailcore"
)

// Options are what New needs; Store, TLS, Domain and People must be set, everything else has a default.
type Options struct {
	Store  *mailcore.Store
	TLS    *tls.Config  // for STARTTLS and for implicit TLS; no password is taken without it
	Logger *slog.Logger // slog.Default when nil
	Domain string       // of our accounts: the base, and what a login without @ is of

	People     func(ctx context.Context) ([]Person, error) // the directory of today
	Fresh      time.Duration                               // how long what People said holds; 30 s when 0
	Anonymous  bool                                        // everybody may search, who has not logged in and in clear, too
	AccountURL string                                      // the page where an issued password is changed

	MaxEntries    int           // of one answer, or of one of its pages; 500 when 0
	MaxTime       time.Duration // of one search; 10 s when 0
	MaxConns      int           // open connections in all; 2,000 when 0
	MaxPerAddress int           // open connections from one address (a whole agency may share one); 200 when 0
	IdleTimeout   time.Duration // between two requests; 5 min when 0, 1 min before a login
	IOTimeout     time.Duration // for a request to come in, and for a part of an answer to be taken; 30 s when 0
	FailDelay     time.Duration // before a wrong password is answered, grows to five times; 1 s when 0
}

// A Server answers on any number of listeners; its limits hold over all of them. Make one with New.
type Server struct {
	opt  Options
	log  *slog.Logger
	base string

	mu    sync.Mutex
	conns map[*session]struct{}
	from  map[netip.Addr]int

	dirMu sync.Mutex // one reads the directory, the others wait for it
	dir   *snapshot
	until time.Time
}

// New returns a server that listens nowhere yet.
func New(opt Options) *Server {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	orDefault(&opt.Fresh, 30*time.Second)
	orDefault(&opt.MaxEntries, 500)
	orDefault(&opt.MaxTime, 10*time.Second)
	orDefault(&opt.MaxConns, 2000)
	orDefault(&opt.MaxPerAddress, 200)
	orDefault(&opt.IdleTimeout, 5*time.Minute)
	orDefault(&opt.IOTimeout, 30*time.Second)
	orDefault(&opt.FailDelay, time.Second)
	return &Server{opt: opt, log: opt.Logger.With("service", "ldap"), base: baseDN(opt.Domain), conns: map[*session]struct{}{}, from: map[netip.Addr]int{}}
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Serve answers on ln until ctx ends and every session has ended; clients may go over to TLS by STARTTLS (port 389).
func (s *Server) Serve(ctx context.Context, ln net.Listener) error { return s.serve(ctx, ln, false) }

// ServeTLS is Serve with TLS from the first byte (port 636).
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener) error { return s.serve(ctx, ln, true) }

func (s *Server) serve(ctx context.Context, ln net.Listener, implicit bool) error {
	if s.opt.TLS == nil {
		ln.Close()
		return fmt.Errorf("serve ldap on %s: TLS is not configured", ln.Addr())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ended sync.WaitGroup
	defer ended.Wait()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	defer ln.Close()
	for pause := time.Duration(0); ; {
		conn, err := ln.Accept()
		var passing interface{ Timeout() bool }
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed), err != nil && pause > time.Minute:
			cancel()
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		case err != nil: // no more files, perhaps
			pause = min(2*pause+10*time.Millisecond, 2*time.Minute)
			s.log.Warn("accept", "err", err, "passing", errors.As(err, &passing))
			wait(ctx, pause)
			continue
		}
		pause = 0
		x := newSession(s, conn)
		if !s.admit(x) {
			conn.Close()
			continue
		}
		ended.Add(1)
		go func() {
			defer ended.Done()
			defer s.leave(x)
			stop := context.AfterFunc(ctx, x.end)
			defer stop()
			x.run(ctx, implicit)
		}()
	}
}

// admit counts a session in, if there is room.
func (s *Server) admit(x *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.opt.MaxConns || s.from[x.remote] >= s.opt.MaxPerAddress {
		s.log.Warn("too many connections", "remote", x.remote, "open", len(s.conns), "from_there", s.from[x.remote])
		return false
	}
	s.conns[x] = struct{}{}
	s.from[x.remote]++
	return true
}

func (s *Server) leave(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, x)
	if s.from[x.remote]--; s.from[x.remote] == 0 {
		delete(s.from, x.remote)
	}
}

// directory is the directory of now, or of a moment ago.
func (s *Server) directory(ctx context.Context) (*snapshot, error) {
	s.dirMu.Lock()
	defer s.dirMu.Unlock()
	if s.dir != nil && time.Now().Before(s.until) {
		return s.dir, nil
	}
	people, err := s.opt.People(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the directory: %w", err)
	}
	s.dir, s.until = newSnapshot(s.base, people), time.Now().Add(s.opt.Fresh)
	return s.dir, nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
