package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A TXTResolver answers TXT questions; *net.Resolver is one.
type TXTResolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// STS knows the policies by which domains ask for protected delivery (MTA-STS, RFC 8461). Policies live in memory as long as
// they say; a restart asks again. What cannot be fetched, or makes no sense, is as if there were none, unless an older policy
// still holds.
type STS struct {
	dns    TXTResolver
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	cached map[string]stsPolicy // by domain
}

// Bounds of what a domain may say.
const (
	maxSTSPolicy   = 64 << 10               // RFC 8461 §3.3
	maxSTSAge      = 31557600 * time.Second // a year, RFC 8461 §3.2
	stsTimeout     = 30 * time.Second
	stsRetry       = 5 * time.Minute // after a policy could not be fetched
	maxSTSPolicies = 10000
)

// The modes of a policy.
const (
	stsEnforce = "enforce"
	stsTesting = "testing"
	stsNone    = "none"
)

// An stsPolicy is what a domain wants; one without a mode stands for a failure that is not repeated before until.
type stsPolicy struct {
	id    string
	mode  string
	mx    []string
	until time.Time
	retry time.Time // a newer one could not be fetched: not asked for before
}

// NewSTS returns an empty memory of policies. The client must not follow redirects (RFC 8461 §3.3); nil is one of our own.
func NewSTS(dns TXTResolver, client *http.Client, now func() time.Time) *STS {
	if client == nil {
		dialer := &net.Dialer{Timeout: 10 * time.Second}
		if r, ok := dns.(*net.Resolver); ok {
			dialer.Resolver = r
		}
		client = &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}}
	}
	own := *client
	own.Timeout = stsTimeout
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if now == nil {
		now = time.Now
	}
	return &STS{dns: dns, client: &own, now: now, cached: map[string]stsPolicy{}}
}

// policy is what holds for a domain now; its mode is stsNone when nothing does. The error tells why a newer one could not be
// had, for the log: what is returned holds all the same.
func (s *STS) policy(ctx context.Context, domain string) (stsPolicy, error) {
	s.mu.Lock()
	old, known := s.cached[domain]
	s.mu.Unlock()
	if known && !s.now().Before(old.until) {
		old, known = stsPolicy{}, false
	}
	holds := old
	if !known || old.mode == "" {
		holds = stsPolicy{mode: stsNone}
	}
	id, err := s.lookup(ctx, domain)
	if err != nil || id == "" || known && (id == old.id || s.now().Before(old.retry)) {
		return holds, err
	}
	fresh, err := s.fetch(ctx, domain)
	if err != nil {
		old.retry = s.now().Add(stsRetry) // not at every mail again
		if !known {
			old.until = old.retry
		}
		s.keep(domain, old)
		return holds, fmt.Errorf("MTA-STS policy of %s: %w", domain, err)
	}
	fresh.id = id
	s.keep(domain, fresh)
	return fresh, nil
}

func (s *STS) keep(domain string, p stsPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, old := range s.cached {
		if len(s.cached) < maxSTSPolicies {
			break
		}
		if d != domain && (!s.now().Before(old.until) || len(s.cached) >= maxSTSPolicies) {
			delete(s.cached, d)
		}
	}
	s.cached[domain] = p
}

// lookup is the id of the domain's policy, "" when it has none (RFC 8461 §3.1).
func (s *STS) lookup(ctx context.Context, domain string) (string, error) {
	texts, err := s.dns.LookupTXT(ctx, "_mta-sts."+domain)
	if err != nil {
		if notFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("look up the MTA-STS record of %s: %w", domain, err)
	}
	id := ""
	for _, text := range texts {
		version, rest, _ := strings.Cut(text, ";")
		if strings.TrimSpace(version) != "v=STSv1" {
			continue
		}
		if id != "" {
			return "", nil // more than one is none
		}
		for _, field := range strings.Split(rest, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(field), "id="); ok && v != "" && len(v) <= 32 {
				id = v
			}
		}
	}
	return id, nil
}

func (s *STS) fetch(ctx context.Context, domain string) (stsPolicy, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return stsPolicy{}, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return stsPolicy{}, err
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "text/plain" {
		return stsPolicy{}, fmt.Errorf("answer %s of type %q", resp.Status, kind)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxSTSPolicy+1))
	if err != nil {
		return stsPolicy{}, err
	}
	if len(text) > maxSTSPolicy {
		return stsPolicy{}, errors.New("it is too long")
	}
	return parseSTS(string(text), s.now())
}

// parseSTS reads a policy (RFC 8461 §3.2).
func parseSTS(text string, now time.Time) (stsPolicy, error) {
	var p stsPolicy
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			continue
		}
		if key == "mx" {
			p.mx = append(p.mx, strings.ToLower(strings.TrimSuffix(value, ".")))
		} else if _, seen := fields[key]; !seen {
			fields[key] = value
		}
	}
	age, err := strconv.ParseUint(fields["max_age"], 10, 31)
	p.mode = fields["mode"]
	switch {
	case fields["version"] != "STSv1":
		return p, fmt.Errorf("version %.40q", fields["version"])
	case p.mode != stsEnforce && p.mode != stsTesting && p.mode != stsNone:
		return p, fmt.Errorf("mode %.40q", p.mode)
	case err != nil:
		return p, fmt.Errorf("max_age %.40q", fields["max_age"])
	case p.mode != stsNone && len(p.mx) == 0:
		return p, errors.New("it names no mail server")
	}
	p.until = now.Add(min(time.Duration(age)*time.Second, maxSTSAge))
	return p, nil
}

// allows reports whether the policy names the server; a star stands for one label (RFC 8461 §4.1).
func (p stsPolicy) allows(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, parent, _ := strings.Cut(host, ".")
	for _, mx := range p.mx {
		if rest, star := strings.CutPrefix(mx, "*."); mx == host || star && parent != "" && rest == parent {
			return true
		}
	}
	return false
}

// sts is the policy of a destination. A route or a smart host is the administrator's own word.
func (q *Queue) sts(ctx context.Context, d destination) stsPolicy {
	if q.opt.STS == nil || d.domain == "" {
		return stsPolicy{mode: stsNone}
	}
	p, err := q.opt.STS.policy(ctx, d.domain)
	if err != nil {
		q.log.Warn("MTA-STS", "domain", d.domain, "mode", p.mode, "err", err)
	}
	return p
}
