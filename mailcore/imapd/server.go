package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// Options are what New needs; Store and TLS must be set, everything else has a default.
type Options struct {
	Store  *mailcore.Store
	TLS    *tls.Config  // for STARTTLS and for implicit TLS; nobody from outside logs in without it
	Logger *slog.Logger // slog.Default when nil

	MaxMessage    int64         // bytes of one appended message; 64 MiB when 0
	MaxConns      int           // open connections in all; 10,000 when 0
	MaxPerAddress int           // open connections from one address that have not logged in yet; 300 when 0
	MaxPerAccount int           // open connections of one account (each of its programs keeps some); 100 when 0
	LoginTimeout  time.Duration // from connecting to being logged in; 2 min when 0
	FailureDelay  time.Duration // before the first wrong password is answered, doubled up to eightfold; 1 s when 0
	Grace         time.Duration // what commands that still run get when the server stops; 5 s when 0

	Domain string // of our accounts; a login without @ gets it
	// Junk is told what a person moved or copied into the folder for unwanted mail, or out of it (junk is false). It must not wait.
	Junk func(junk bool, at mailcore.MailboxID, uids []mailcore.UID)

	// PlainFromLoopback lets programs on this machine log in without TLS: one that ends TLS itself, or a measuring one.
	PlainFromLoopback bool

	AccountURL string // the page where an issued password is changed; whoever logs in with one is told
}

// A Server serves IMAP on any number of listeners. Make one with New.
type Server struct {
	opt   Options
	store *mailcore.Store
	log   *slog.Logger

	mu      sync.Mutex
	open    int
	perAddr map[netip.Addr]int
	tenants map[mailcore.AccountID]*tenant

	company company
	shelf   shelf
}

// New returns a server that listens nowhere yet.
func New(opt Options) *Server {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	orDefault(&opt.MaxMessage, 64<<20)
	opt.MaxMessage = min(opt.MaxMessage, 1<<32-1) // APPENDLIMIT has 32 bits
	orDefault(&opt.MaxConns, 10_000)
	orDefault(&opt.MaxPerAddress, 300)
	orDefault(&opt.MaxPerAccount, 100)
	orDefault(&opt.LoginTimeout, 2*time.Minute)
	orDefault(&opt.FailureDelay, time.Second)
	orDefault(&opt.Grace, 5*time.Second)
	return &Server{opt: opt, store: opt.Store, log: opt.Logger, perAddr: map[netip.Addr]int{},
		tenants: map[mailcore.AccountID]*tenant{}, shelf: shelf{kept: map[mailcore.MailboxID]*shelved{}}}
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Serve accepts plain connections that must go over to TLS by STARTTLS (port 143). It returns after ctx ends, every client
// has been told BYE and everything it started has ended; it closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error { return s.serve(ctx, ln, false) }

// ServeTLS accepts connections that begin with TLS (port 993); otherwise it is like Serve.
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener) error { return s.serve(ctx, ln, true) }

// A listening is one call of Serve or ServeTLS: its listener, the library's server and the connections between them.
type listening struct {
	*Server
	implicit bool
	queue    *queue
	ended    sync.WaitGroup // one for each connection
	stopping chan struct{}

	mu     sync.Mutex
	fronts map[*front]struct{}
}

func (s *Server) serve(ctx context.Context, ln net.Listener, implicit bool) error {
	if s.opt.TLS == nil {
		ln.Close()
		return errors.New("serve imap: no TLS certificate configured")
	}
	l := &listening{Server: s, implicit: implicit, queue: newQueue(ln.Addr()), fronts: map[*front]struct{}{}, stopping: make(chan struct{})}
	lib := imapserver.New(&imapserver.Options{
		NewSession:   l.newSession,
		Caps:         capabilities(),
		Logger:       libLogger{s.log},
		InsecureAuth: true, // the library looks for a *tls.Conn; it only ever gets connections that may log in
	})
	served := make(chan error, 1)
	go func() { served <- lib.Serve(l.queue) }()

	stop := context.AfterFunc(ctx, func() { ln.Close() })
	err := l.accept(ctx, ln)
	stop()
	ln.Close()
	l.shutdown()
	l.queue.Close()
	return errors.Join(err, <-served)
}

// capabilities are those that the library does not announce by itself, as it does SASL-IR (RFC 4959), ENABLE (RFC 5161) and
// UTF8=ACCEPT (RFC 6855). LITERAL+ stays out: a refused one would leave the message's text behind as commands (front.go).
func capabilities() imap.CapSet {
	return imap.CapSet{
		imap.CapIMAP4rev1:        {}, // RFC 3501
		imap.CapIMAP4rev2:        {}, // RFC 9051
		imap.CapNamespace:        {}, // RFC 2342
		imap.CapUIDPlus:          {}, // RFC 4315
		imap.CapESearch:          {}, // RFC 4731
		imap.CapSearchRes:        {}, // RFC 5182
		imap.CapListExtended:     {}, // RFC 5258
		imap.CapListStatus:       {}, // RFC 5819
		imap.CapMove:             {}, // RFC 6851
		imap.CapStatusSize:       {}, // RFC 8438
		imap.CapChildren:         {}, // RFC 3348
		imap.CapSpecialUse:       {}, // RFC 6154
		imap.CapCreateSpecialUse: {}, // RFC 6154
		imap.CapBinary:           {}, // RFC 3516
	}
}

func (l *listening) accept(ctx context.Context, ln net.Listener) error {
	for delay := time.Duration(0); ; {
		c, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil && errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept imap: %w", err)
		case err != nil: // too many open files, a peer gone before we took it: wait and go on
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.log.Warn("accept imap", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(delay):
			}
			continue
		}
		delay = 0
		l.admit(c)
	}
}

// admit takes a connection in, or turns it away when there are too many.
func (l *listening) admit(c net.Conn) {
	addr := remoteAddr(c)
	l.Server.mu.Lock()
	full := l.open >= l.opt.MaxConns || l.perAddr[addr] >= l.opt.MaxPerAddress
	if !full {
		l.open++
		l.perAddr[addr]++
	}
	l.Server.mu.Unlock()
	if full {
		l.log.Warn("imap connection refused: too many", "remote", addr)
		if !l.implicit {
			c.SetWriteDeadline(time.Now().Add(time.Second))
			c.Write([]byte("* BYE [UNAVAILABLE] Too many connections, try again later\r\n"))
		}
		c.Close()
		return
	}
	l.company.meet(nil, time.Now())
	f := newFront(l, c, addr)
	l.mu.Lock()
	l.fronts[f] = struct{}{}
	l.mu.Unlock()
	l.ended.Add(1)
	go f.begin()
}

// forget is the end of a connection; nothing of it runs any more.
func (l *listening) forget(f *front) {
	l.mu.Lock()
	delete(l.fronts, f)
	l.mu.Unlock()
	l.Server.mu.Lock()
	l.open--
	if !f.known {
		l.leaveAddress(f.addr)
	}
	l.Server.mu.Unlock()
	l.ended.Done()
}

// leaveAddress gives back the place that a connection without a login has among those of its address. Server.mu is held.
func (s *Server) leaveAddress(addr netip.Addr) {
	if s.perAddr[addr]--; s.perAddr[addr] == 0 {
		delete(s.perAddr, addr)
	}
}

// shutdown tells every client BYE: those that wait for a command at once, the others when theirs is done or Grace is over.
func (l *listening) shutdown() {
	close(l.stopping)
	l.each(func(f *front) { f.stop("Server is shutting down") })
	done := make(chan struct{})
	go func() { l.ended.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(l.opt.Grace):
		l.each((*front).cut)
		<-done
	}
}

func (l *listening) each(do func(*front)) {
	l.mu.Lock()
	fronts := make([]*front, 0, len(l.fronts))
	for f := range l.fronts {
		fronts = append(fronts, f)
	}
	l.mu.Unlock()
	for _, f := range fronts {
		do(f)
	}
}

func remoteAddr(c net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// A queue is the listener that the library accepts from: connections that have passed the plain phase and the TLS
// handshake.
type queue struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	shut  chan struct{}
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), shut: make(chan struct{})}
}

func (q *queue) push(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.shut:
		return false
	}
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.shut:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.shut) })
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.addr }

// libLogger takes what the library prints. Peers that hang up are daily bread; the rest is worth a line.
type libLogger struct{ log *slog.Logger }

// Printf implements imapserver.Logger.
func (l libLogger) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	level := slog.LevelWarn
	for _, usual := range []string{"connection reset", "broken pipe", "i/o timeout", "unexpected EOF", "use of closed", "too few bytes"} {
		if strings.Contains(text, usual) {
			level = slog.LevelDebug
		}
	}
	l.log.Log(context.Background(), level, "imap library", "text", text)
}
