package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"congvan/mailcore"
)

// A Resolver answers from the DNS; *net.Resolver is one.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// A TLSMode is how much a connection must be protected.
type TLSMode int

// The modes.
const (
	Opportunistic TLSMode = iota // TLS when offered, whoever's certificate; in the clear otherwise (RFC 7435)
	Required                     // TLS, whoever's certificate
	Verified                     // TLS with a certificate for the server's name
)

// maxTried bounds the addresses that one try connects to.
const maxTried = 6

// A refusal is why a try ends before or beside what a server says.
type refusal struct {
	permanent bool
	phase     string
	enhanced  string
	text      string
}

func (r *refusal) Error() string { return r.enhanced + " " + r.text }

func never(enhanced, format string, args ...any) error {
	return &refusal{true, "connect", enhanced, fmt.Sprintf(format, args...)}
}

func notNow(enhanced, format string, args ...any) error {
	return &refusal{false, "connect", enhanced, fmt.Sprintf(format, args...)}
}

// A destination is where mail for some domains goes: the key that limits and breakers are kept by.
type destination struct {
	key    string // host:port of a route, else the domain
	domain string // "" for a route
	mode   TLSMode
}

// destination tells where mail for the address goes, without asking anybody.
func (q *Queue) destination(rcpt mailcore.Address) destination {
	domain := rcpt.Domain()
	mode, ok := q.opt.TLSModes[domain]
	if !ok {
		mode = q.opt.TLSMode
	}
	if via := q.opt.Routes[domain]; via != "" {
		return destination{key: via, mode: mode}
	}
	if q.opt.SmartHost != "" {
		return destination{key: q.opt.SmartHost, mode: mode}
	}
	return destination{key: domain, domain: domain, mode: mode}
}

// An endpoint is one address of one server.
type endpoint struct {
	name string // for TLS and the records
	addr string // IP:port
}

// endpoints finds the servers of a destination, best first.
func (q *Queue) endpoints(ctx context.Context, d destination) ([]endpoint, error) {
	if d.domain == "" {
		host, port, err := net.SplitHostPort(d.key)
		if err != nil {
			return nil, notNow("4.3.5", "the route %q is not host:port", d.key)
		}
		return q.hostEndpoints(ctx, host, port, false)
	}
	if q.opt.LoopbackOnly {
		return nil, never("5.7.1", "this gateway runs as a demonstration and sends nothing out of this machine (chế độ trình diễn: không gửi thư ra ngoài máy này)")
	}
	if d.domain == q.opt.Domain {
		return nil, never("5.4.6", "mail for %s belongs on this server", d.domain)
	}
	if strings.HasPrefix(d.domain, "[") {
		return nil, never("5.1.2", "mail to an address literal is not sent")
	}
	hosts, err := q.mailHosts(ctx, d.domain)
	if err != nil {
		return nil, err
	}
	var all []endpoint
	var last error
	for _, h := range hosts {
		found, err := q.hostEndpoints(ctx, h, "25", true)
		if err != nil {
			last = err
			continue
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, last
	}
	return all, nil
}

// mailHosts are the names of a domain's servers (RFC 5321 §5.1).
func (q *Queue) mailHosts(ctx context.Context, domain string) ([]string, error) {
	records, err := q.opt.Resolver.LookupMX(ctx, domain)
	if len(records) == 0 && err != nil {
		if !notFound(err) {
			return nil, notNow("4.4.3", "look up the mail servers of %s: no answer from the DNS", domain)
		}
		return []string{domain}, nil // no MX: the domain itself, when it has an address
	}
	slices.SortStableFunc(records, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	var hosts []string
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Host, "."))
		if host == "" { // RFC 7505 §3
			return nil, never("5.1.10", "%s accepts no mail (null MX)", domain)
		}
		if host == strings.ToLower(q.opt.Hostname) {
			break // servers that are worse than us would only send it back (RFC 5321 §5.1)
		}
		hosts = append(hosts, host)
	}
	if len(hosts) == 0 {
		return nil, never("5.4.6", "the mail server of %s is this one, and the domain is not ours", domain)
	}
	return hosts, nil
}

func notFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// hostEndpoints finds a server's addresses. Names from the DNS of strangers may not lead back into this machine.
func (q *Queue) hostEndpoints(ctx context.Context, host, port string, fromDNS bool) ([]endpoint, error) {
	var addrs []string
	switch ip, err := netip.ParseAddr(host); {
	case err == nil:
		addrs = []string{ip.String()}
	case strings.EqualFold(host, "localhost") && !fromDNS:
		addrs = []string{"127.0.0.1", "::1"}
	case q.opt.LoopbackOnly:
		return nil, never("5.7.1", "this gateway runs as a demonstration and does not send to %s (chế độ trình diễn: không gửi thư ra ngoài máy này)", host)
	default:
		if addrs, err = q.opt.Resolver.LookupHost(ctx, host); err != nil && notFound(err) {
			if fromDNS {
				return nil, never("5.1.2", "%s does not exist, or takes no mail", host)
			}
			return nil, notNow("4.4.3", "the route to %s leads nowhere: no such name", host)
		} else if err != nil {
			return nil, notNow("4.4.3", "look up %s: no answer from the DNS", host)
		}
	}
	var found []endpoint
	for _, a := range addrs {
		ip, err := netip.ParseAddr(a)
		if err != nil || fromDNS && (ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast()) {
			continue
		}
		if q.opt.LoopbackOnly && !ip.Unmap().IsLoopback() {
			return nil, never("5.7.1", "this gateway runs as a demonstration and does not send to %s (chế độ trình diễn: không gửi thư ra ngoài máy này)", host)
		}
		found = append(found, endpoint{host, net.JoinHostPort(a, port)})
	}
	if len(found) == 0 {
		return nil, never("5.4.4", "the addresses of %s lead nowhere", host)
	}
	return found, nil
}

func (q *Queue) dial(ctx context.Context, address string) (net.Conn, error) {
	if q.opt.Dial != nil {
		return q.opt.Dial(ctx, "tcp", address)
	}
	return q.dialer().DialContext(ctx, "tcp", address)
}

// dialer connects; in a demonstration the very last check is on the address that the socket gets.
func (q *Queue) dialer() *net.Dialer {
	d := &net.Dialer{Timeout: q.opt.ConnectTimeout}
	if q.opt.LoopbackOnly {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			if ap, err := netip.ParseAddrPort(address); err != nil || !ap.Addr().Unmap().IsLoopback() {
				return never("5.7.1", "this gateway runs as a demonstration and does not send to %s", address)
			}
			return nil
		}
	}
	return d
}
