package ldapd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"congvan/mailcore"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// The operations (RFC 4511 §4.2 and on), by their application tags.
const (
	opBind             = 0
	opBindResponse     = 1
	opUnbind           = 2
	opSearch           = 3
	opSearchEntry      = 4
	opSearchDone       = 5
	opModify           = 6
	opModifyResponse   = 7
	opAdd              = 8
	opAddResponse      = 9
	opDelete           = 10
	opDeleteResponse   = 11
	opRename           = 12
	opRenameResponse   = 13
	opCompare          = 14
	opCompareResponse  = 15
	opAbandon          = 16
	opExtended         = 23
	opExtendedResponse = 24
)

// Names of extended operations.
const (
	oidStartTLS      = "1.3.6.1.4.1.1466.20037"  // RFC 4511 §4.14
	oidDisconnection = "1.3.6.1.4.1.1466.20036"  // RFC 4511 §4.4.1
	oidWhoAmI        = "1.3.6.1.4.1.4203.1.11.3" // RFC 4532
)

// A session is one connection. Its requests are answered one after another, so that there is never anything to abandon.
type session struct {
	s      *Server
	remote netip.Addr
	log    *slog.Logger
	r      *bufio.Reader
	w      *bufio.Writer

	mu   sync.Mutex // conn changes when TLS begins
	conn net.Conn
	over bool

	secure bool
	login  *mailcore.Login // nil: anonymous
	watch  *mailcore.Watch
	failed int
}

// errEnd ends a session whose last word has been said.
var errEnd = errors.New("end of session")

func newSession(s *Server, conn net.Conn) *session {
	x := &session{s: s, conn: conn}
	if ap, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		x.remote = ap.Addr().Unmap()
	}
	x.log = s.log.With("remote", x.remote)
	return x
}

// end closes the connection, from any goroutine; run returns soon.
func (x *session) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.conn.Close()
}

func (x *session) run(ctx context.Context, implicit bool) {
	defer x.end()
	defer x.logOut()
	x.use(x.conn)
	if implicit {
		if err := x.startTLS(ctx); err != nil {
			x.log.Debug("handshake", "err", err)
			return
		}
	}
	for {
		err := x.next(ctx)
		if err == nil {
			continue
		}
		if errors.Is(err, errMalformed) {
			x.log.Warn("malformed request", "err", err)
			x.disconnect(protocolError, "malformed request")
		} else if !errors.Is(err, errEnd) && !errors.Is(err, io.EOF) {
			x.log.Debug("session", "err", err)
		}
		return
	}
}

// use reads and writes on conn from now on.
func (x *session) use(conn net.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conn = conn
	x.r, x.w = bufio.NewReaderSize(conn, 4096), bufio.NewWriterSize(conn, 4096)
	if x.over {
		conn.Close()
	}
}

// startTLS makes the connection secure. Nothing may have come in clear that would be read after it.
func (x *session) startTLS(ctx context.Context) error {
	if x.r.Buffered() > 0 {
		return errors.New("data before the handshake")
	}
	conn := tls.Server(x.conn, x.s.opt.TLS)
	ctx, cancel := context.WithTimeout(ctx, x.s.opt.IOTimeout)
	defer cancel()
	x.conn.SetDeadline(time.Now().Add(x.s.opt.IOTimeout))
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	conn.SetDeadline(time.Time{})
	x.use(conn)
	x.secure = true
	return nil
}

// next answers one request.
func (x *session) next(ctx context.Context) error {
	idle := x.s.opt.IdleTimeout
	if x.login == nil {
		idle = min(idle, time.Minute)
	}
	x.conn.SetReadDeadline(time.Now().Add(idle))
	data, err := readMessage(x.r, func() { x.conn.SetReadDeadline(time.Now().Add(x.s.opt.IOTimeout)) })
	if err != nil {
		return err
	}
	m, err := decode(data)
	if err != nil {
		return err
	}
	x.conn.SetWriteDeadline(time.Now().Add(x.s.opt.IOTimeout))
	if err := x.answer(ctx, m); err != nil {
		return err
	}
	return x.w.Flush()
}

// refusals are the answers to what would write, by operation.
var refusals = map[ber.Tag]ber.Tag{opModify: opModifyResponse, opAdd: opAddResponse, opDelete: opDeleteResponse, opRename: opRenameResponse}

func (x *session) answer(ctx context.Context, m *message) error {
	switch m.op.Tag {
	case opUnbind:
		return errEnd
	case opAbandon:
		return nil // what it names has been answered
	}
	for _, c := range m.controls {
		if c.critical && (c.oid != oidPaged || m.op.Tag != opSearch) {
			return x.reply(m, responseTo(m.op.Tag), result{code: unavailableCritical, text: "control " + printable(c.oid) + " is not supported"})
		}
	}
	switch m.op.Tag {
	case opBind:
		return x.bind(ctx, m)
	case opSearch:
		return x.search(ctx, m)
	case opCompare:
		return x.compare(ctx, m)
	case opExtended:
		return x.extended(ctx, m)
	case opModify, opAdd, opDelete, opRename:
		return x.reply(m, refusals[m.op.Tag], result{code: unwillingToPerform, text: "the directory is read-only"})
	}
	return malformed("operation %d", m.op.Tag)
}

func responseTo(op ber.Tag) ber.Tag {
	switch op {
	case opSearch:
		return opSearchDone
	case opExtended:
		return opExtendedResponse
	}
	return op + 1
}

// extended answers STARTTLS and "who am I".
func (x *session) extended(ctx context.Context, m *message) error {
	if len(m.op.Children) == 0 || m.op.Children[0].ClassType != ber.ClassContext || m.op.Children[0].Tag != 0 {
		return malformed("no extended operation")
	}
	switch oid := m.op.Children[0].Data.String(); oid {
	case oidStartTLS:
		if x.secure {
			return x.reply(m, opExtendedResponse, result{code: operationsError, text: "TLS is on already", name: oid})
		}
		if x.r.Buffered() > 0 { // somebody pushes in what should be read as if it had come over TLS
			x.disconnect(protocolError, "data after STARTTLS")
			return errEnd
		}
		if err := x.reply(m, opExtendedResponse, result{name: oid}); err != nil {
			return err
		}
		if err := x.w.Flush(); err != nil {
			return err
		}
		x.logOut()
		return x.startTLS(ctx)
	case oidWhoAmI:
		who := ""
		if x.login != nil {
			who = "u:" + string(x.login.Address)
		}
		return x.reply(m, opExtendedResponse, result{value: &who})
	default:
		return x.reply(m, opExtendedResponse, result{code: protocolError, text: "extended operation " + printable(oid) + " is not supported"})
	}
}

func (x *session) logOut() {
	if x.watch != nil {
		x.watch.End()
	}
	x.login, x.watch = nil, nil
}

// printable bounds what is said back of a client's words.
func printable(s string) string {
	b := []byte(s[:min(len(s), 60)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
