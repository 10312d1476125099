package main

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"congvan/mailcore/portal"
)

// A publicService is one that mail clients connect to.
type publicService struct {
	name     string // of the listener and in [public]
	protocol portal.Protocol
	tls      bool   // from the first byte
	record   string // of SRV (RFC 6186 §3.1, RFC 8314 §5.1)
}

// publicServices are all of them, of a protocol the best first.
var publicServices = []publicService{
	{"imaps", portal.IMAP, true, "_imaps"}, {"imap", portal.IMAP, false, "_imap"},
	{"submissions", portal.SMTP, true, "_submissions"}, {"submission", portal.SMTP, false, "_submission"},
	{"ldaps", portal.LDAP, true, "_ldaps"}, {"ldap", portal.LDAP, false, "_ldap"},
}

// listens is the address of a service's listener in the configuration.
func (c *config) listens(name string) string {
	l := c.Listen
	return map[string]string{"imaps": l.IMAPS, "imap": l.IMAP, "submissions": l.Submissions, "submission": l.Submission, "ldaps": l.LDAPS, "ldap": l.LDAP}[name]
}

func (c *config) validatePublic(path string) error {
	for _, name := range slices.Sorted(maps.Keys(c.Public)) {
		if !slices.ContainsFunc(publicServices, func(s publicService) bool { return s.name == name }) {
			return &hintError{fmt.Errorf("%s: unknown key %q under [public]", path, name), "remove it or mend its spelling"}
		}
		if _, _, err := splitServer(c.Public[name]); err != nil {
			return &hintError{fmt.Errorf("%s: public.%s: %w", path, name, err), `write it as "mail.tinh.gov.vn:993"`}
		}
		if c.listens(name) == "" {
			return &hintError{fmt.Errorf("%s: public.%s = %q, but listen.%s is empty", path, name, c.Public[name], name), "open the service, or take it out of [public]"}
		}
	}
	return nil
}

// splitServer reads "host:port" of a server as clients reach it.
func splitServer(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, fmt.Errorf("%q is no host with a port", address)
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), int(n), nil
}

// publicHost is the host that stands for a listening address: a loopback address for itself, or else our name.
func (c *config) publicHost(listening string) string {
	if ip := net.ParseIP(listening); ip != nil && ip.IsLoopback() {
		return listening
	}
	return c.Hostname
}

// mailServers is what mail clients are told: what is open, at the place where people reach it.
func (g *gateway) mailServers() (out []portal.MailServer) {
	for _, s := range publicServices {
		ln := g.listeners[s.name]
		if ln == nil {
			continue
		}
		host, port, err := splitServer(cmp.Or(g.in.cfg.Public[s.name], ln.Addr().String()))
		if err != nil {
			continue // validated at the start
		}
		if g.in.cfg.Public[s.name] == "" {
			host = g.in.cfg.publicHost(host)
		}
		out = append(out, portal.MailServer{Protocol: s.protocol, Host: host, Port: port, TLS: s.tls})
	}
	return out
}

// webHost is the host of the account pages as people reach them, "" when they are not served.
func (c *config) webHost() string {
	u, err := url.Parse(c.accountURL())
	if err != nil || u.Host == "" {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil {
		return c.Hostname
	}
	return u.Hostname()
}

// autoconfigNames are where mail programs look for settings (besides the domain itself).
func (c *config) autoconfigNames() []string {
	return []string{"autoconfig." + c.Domain, "autodiscover." + c.Domain}
}

// clientRecords help mail programs to find their servers.
func (c *config) clientRecords() (out []dnsRecord) {
	for _, s := range publicServices {
		host, port, err := splitServer(cmp.Or(c.Public[s.name], c.listens(s.name)))
		if err != nil {
			continue // not open
		}
		if c.Public[s.name] == "" {
			host = c.Hostname
		}
		out = append(out, dnsRecord{Name: s.record + "._tcp." + c.Domain, Type: "SRV", Value: fmt.Sprintf("0 1 %d %s.", port, host), Why: "chương trình thư tự tìm máy chủ"})
	}
	web := c.webHost()
	if web == "" {
		return out
	}
	for i, name := range c.autoconfigNames() {
		out = append(out, dnsRecord{Name: name, Type: "CNAME", Value: web + ".",
			Why: []string{"Thunderbird", "Outlook"}[i] + " tự lấy cài đặt: https://" + name + ", cổng 443 dẫn tới listen.web; chứng thư TLS phải có tên này"})
	}
	return append(out, dnsRecord{Name: "_autodiscover._tcp." + c.Domain, Type: "SRV", Value: "0 1 443 " + web + ".", Why: "như trên, cho Outlook"})
}
