package smtpd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/filter"
	"congvan/mailcore/mailauth"

	"github.com/emersion/go-smtp"
)

// A Mode is whom a server takes mail from.
type Mode int

// The two modes.
const (
	MX         Mode = iota // other servers, for our domain only
	Submission             // our accounts, for everybody
)

func (m Mode) String() string { return [...]string{"mx", "submission"}[m] }

// Options is what a server needs; zero fields that name a default may stay zero.
type Options struct {
	Store    *mailcore.Store
	Router   mailcore.Router
	Mode     Mode
	Domain   string            // of our accounts; a login without @ gets it
	Hostname string            // in the greeting and in Received
	TLS      *tls.Config       // nil: no STARTTLS, and so no AUTH
	Origin   *mailauth.Checker // of mail from outside; nil: nobody asks whose it is
	Filter   *filter.Filter    // for malware and junk; nil: nobody looks
	Divert   Diverter          // of addresses whose mail must not be stored; nil: none
	Trusted  []netip.Prefix    // networks whose mail nobody asks about: relays and filters of the house
	Logger   *slog.Logger      // slog.Default

	// PlainFromLoopback lets programs on this machine log in without TLS: one that ends TLS itself, or a measuring one.
	PlainFromLoopback bool

	// AccountURL is the page where an issued password is changed; whoever logs in with one is told.
	AccountURL string

	MaxMessage     int64         // bytes; 50 MiB
	MaxRcpt        int           // recipients of one message; 1000
	MaxConns       int           // at one time; 2000
	MaxConnsOfAddr int           // at one time from one address; 250
	IdleTimeout    time.Duration // between commands; 5 min (RFC 5321 §4.5.3.2.7)
	BodyIdle       time.Duration // between two pieces of a body; 2 min
	BodyTimeout    time.Duration // for a whole body; 30 min
	Grace          time.Duration // for bodies under way when the server stops; 20 s
	FailDelay      time.Duration // before a failed login is answered, grows to five times; 1 s
	Life           time.Duration // how long mail to other domains is tried; 24 h
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	set(&o.MaxMessage, 50<<20)
	set(&o.MaxRcpt, 1000)
	set(&o.MaxConns, 2000)
	set(&o.MaxConnsOfAddr, 250)
	set(&o.IdleTimeout, 5*time.Minute)
	set(&o.BodyIdle, 2*time.Minute)
	set(&o.BodyTimeout, 30*time.Minute)
	set(&o.Grace, 20*time.Second)
	set(&o.FailDelay, time.Second)
	set(&o.Life, 24*time.Hour)
	o.Domain = strings.ToLower(o.Domain)
}

func set[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// A Server takes mail in on any number of listeners; its limits hold over all of them.
type Server struct {
	opt   Options
	log   *slog.Logger
	conns *counter
}

// New returns a server of the given kind.
func New(opt Options) *Server {
	opt.setDefaults()
	return &Server{
		opt: opt, log: opt.Logger.With("smtpd", opt.Mode.String()),
		conns: &counter{of: map[string]int{}, limit: opt.MaxConns, each: opt.MaxConnsOfAddr},
	}
}

// Serve answers on ln until ctx ends and returns nil after every session has ended. Sessions between two commands are told
// at once; a body that is being received has the grace time to finish.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error { return s.serve(ctx, ln, false) }

// ServeTLS is Serve with TLS from the first byte (RFC 8314 §3.3).
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener) error {
	if s.opt.TLS == nil {
		ln.Close()
		return fmt.Errorf("serve mail on %s: TLS is not configured", ln.Addr())
	}
	return s.serve(ctx, ln, true)
}

// A run is one call of Serve.
type run struct {
	*Server
	hard   context.Context // ends when patience does: what still waits for the store gives up
	bodies sync.WaitGroup  // go-smtp receives BDAT in a goroutine of its own

	diverted chan struct{} // a place for each body that a Diverter has in memory
}

func (s *Server) serve(ctx context.Context, ln net.Listener, implicit bool) error {
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	r := &run{Server: s, hard: hard, diverted: make(chan struct{}, divertedAtOnce)}
	wires := newListener(s, ln)
	srv := r.smtpServer()
	var l net.Listener = wires
	if implicit {
		l = tls.NewListener(wires, s.opt.TLS)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("accept mail on %s: %w", ln.Addr(), err)
		served <- nil
	}
	wires.stop()
	grace, cancel := context.WithTimeout(hard, s.opt.Grace)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		cut()
		wires.cut()
	}
	<-served
	wires.ended.Wait()
	r.bodies.Wait()
	return err
}

// smtpServer is the library's half. By itself it offers PIPELINING (RFC 2920), 8BITMIME (RFC 6152), ENHANCEDSTATUSCODES (RFC 2034)
// and CHUNKING (RFC 3030); BINARYMIME stays off, since a body that is kept as lines can be passed on to every server.
func (r *run) smtpServer() *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(r.newSession))
	srv.Domain = r.opt.Hostname
	srv.TLSConfig = r.opt.TLS
	srv.AllowInsecureAuth = r.opt.PlainFromLoopback // a session knows whose it is
	srv.MaxRecipients = r.opt.MaxRcpt               // LIMITS RCPTMAX (RFC 9422)
	srv.MaxMessageBytes = r.opt.MaxMessage          // SIZE (RFC 1870)
	srv.MaxLineLength = 0                           // it would cut bodies with long lines; a wire bounds command lines instead
	srv.ReadTimeout = r.opt.IdleTimeout
	srv.WriteTimeout = time.Minute
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	srv.ErrorLog = libraryLog{r.log}
	return srv
}

// libraryLog passes on what go-smtp reports: lines that broke, and panics, which it survives.
type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Printf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.HasPrefix(text, "panic") {
		l.log.Error("session", "err", text)
		return
	}
	l.log.Debug("session", "err", text)
}

func (l libraryLog) Println(v ...any) { l.Printf("%s", fmt.Sprintln(v...)) }
