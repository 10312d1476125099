package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"congvan/mailcore/mailtest"
)

// A policyHost is a domain that publishes a policy.
type policyHost struct {
	texts   []string
	dnsErr  error
	body    string
	kind    string
	status  int
	asked   string // the last host and path
	fetches int
}

func (p *policyHost) LookupTXT(_ context.Context, name string) ([]string, error) {
	if name != "_mta-sts.bo.test" || p.texts == nil && p.dnsErr == nil {
		return nil, &net.DNSError{Name: name, IsNotFound: true}
	}
	return p.texts, p.dnsErr
}

func (p *policyHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.fetches++
	p.asked = r.Host + r.URL.Path
	w.Header().Set("Content-Type", p.kind)
	if p.status/100 == 3 {
		w.Header().Set("Location", "https://mta-sts.bo.test/other")
	}
	w.WriteHeader(p.status)
	w.Write([]byte(p.body))
}

// newSTS gives a memory that reaches the host by its own name, with a clock that the test sets.
func newSTS(t *testing.T, p *policyHost, now *time.Time) *STS {
	t.Helper()
	srv := httptest.NewTLSServer(p)
	t.Cleanup(srv.Close)
	transport := srv.Client().Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.TLSClientConfig.ServerName = "example.com" // the name in the certificate of httptest
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	return NewSTS(p, &http.Client{Transport: transport}, func() time.Time { return *now })
}

const enforced = "version: STSv1\r\nmode: enforce\r\nmx: MX.bo.test\r\nmx: *.du-phong.test\r\nmax_age: 86400\r\n"

func TestSTSPolicyIsFetchedOnceAndKept(t *testing.T) {
	now := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	p := &policyHost{texts: []string{"v=spf1 -all", "v=STSv1; id=1;"}, body: enforced, kind: "text/plain; charset=utf-8", status: 200}
	s := newSTS(t, p, &now)
	want := func(what, mode string, fetches int) {
		t.Helper()
		got, _ := s.policy(context.Background(), "bo.test")
		if got.mode != mode || p.fetches != fetches {
			t.Errorf("%s: mode %q after %d fetches, want %q, %d", what, got.mode, p.fetches, mode, fetches)
		}
	}
	want("first", stsEnforce, 1)
	if p.asked != "mta-sts.bo.test/.well-known/mta-sts.txt" {
		t.Errorf("asked for %s", p.asked)
	}
	want("again", stsEnforce, 1)
	p.dnsErr = errors.New("no answer")
	want("the DNS is down", stsEnforce, 1)
	p.dnsErr, p.texts = nil, nil
	want("the record is gone: an attacker may have taken it away", stsEnforce, 1)
	p.texts = []string{"v=STSv1; id=2"}
	p.status = 500
	want("a newer one that cannot be fetched", stsEnforce, 2)
	want("and not at every mail", stsEnforce, 2)
	now = now.Add(stsRetry + time.Second)
	p.status, p.body = 200, strings.Replace(enforced, "enforce", "none", 1)
	want("taken back", stsNone, 3)
	now = now.Add(25 * time.Hour)
	p.texts = nil
	want("over", stsNone, 3)
	if got, _ := s.policy(context.Background(), "khac.test"); got.mode != stsNone {
		t.Errorf("another domain: %+v", got)
	}
}

func TestSTSPolicyThatMakesNoSenseIsNone(t *testing.T) {
	now := time.Now()
	good := policyHost{texts: []string{"v=STSv1; id=1"}, body: enforced, kind: "text/plain", status: 200}
	for _, c := range []struct {
		name   string
		change func(p *policyHost)
	}{
		{"redirect", func(p *policyHost) { p.status = 302 }},
		{"page", func(p *policyHost) { p.kind = "text/html" }},
		{"two records", func(p *policyHost) { p.texts = append(p.texts, "v=STSv1; id=2") }},
		{"no id", func(p *policyHost) { p.texts = []string{"v=STSv1;"} }},
		{"version", func(p *policyHost) { p.body = strings.Replace(p.body, "STSv1", "STSv2", 1) }},
		{"mode", func(p *policyHost) { p.body = strings.Replace(p.body, "enforce", "force", 1) }},
		{"age", func(p *policyHost) { p.body = strings.Replace(p.body, "86400", "-1", 1) }},
		{"no mx", func(p *policyHost) { p.body = strings.ReplaceAll(p.body, "mx:", "xx:") }},
		{"too long", func(p *policyHost) { p.body += strings.Repeat("x: y\n", 20000) }},
	} {
		p := good
		c.change(&p)
		s := newSTS(t, &p, &now)
		for range 2 {
			if got, _ := s.policy(context.Background(), "bo.test"); got.mode != stsNone {
				t.Errorf("%s: %+v", c.name, got)
			}
		}
		if p.fetches > 1 {
			t.Errorf("%s: fetched %d times", c.name, p.fetches)
		}
	}
}

func TestSTSPolicyNamesServers(t *testing.T) {
	p, err := parseSTS(enforced, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"mx.bo.test": true, "MX.BO.TEST.": true, "a.du-phong.test": true, "a.b.du-phong.test": false, "du-phong.test": false,
		"mx.bo.test.ke-xau.test": false, "xmx.bo.test": false, "": false} {
		if p.allows(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

// Under an enforced policy mail leaves over verified TLS to a named server, or not at all.
func TestSTSDecidesWhoGetsTheMail(t *testing.T) {
	server, roots := mailtest.ServerTLS(t, "mx.bo.test")
	other, _ := mailtest.ServerTLS(t, "khac.test")
	var log strings.Builder
	for _, c := range []struct {
		name, mode, host string
		tls              *tls.Config
		wantTLS          bool
		refused          string // enhanced code
		logged           string
	}{
		{"enforced", stsEnforce, "mx.bo.test", server, true, "", ""},
		{"enforced, not named", stsEnforce, "mx.ke-xau.test", server, false, "4.7.0", ""},
		{"enforced, no TLS", stsEnforce, "mx.bo.test", nil, false, "4.7.4", ""},
		{"enforced, another's certificate", stsEnforce, "mx.bo.test", other, false, "4.7.5", ""},
		{"tested", stsTesting, "mx.bo.test", server, true, "", ""},
		{"tested, not named", stsTesting, "mx.ke-xau.test", server, true, "", "does not name the server"},
		{"tested, another's certificate", stsTesting, "mx.bo.test", other, true, "", "would be refused"},
		{"tested, no TLS", stsTesting, "mx.bo.test", nil, false, "", "would be refused"},
		{"none", stsNone, "mx.bo.test", nil, false, "", ""},
	} {
		log.Reset()
		peer := mailtest.NewPeer(t, mailtest.PeerScript{TLS: c.tls})
		q := &Queue{opt: Options{Hostname: "mail.kontum.test", LoopbackOnly: true, TLS: &tls.Config{RootCAs: roots}, CommandTimeout: time.Minute, ConnectTimeout: time.Minute},
			log: slog.New(slog.NewTextHandler(&log, nil))}
		w := &worker{q: q, lane: &lane{destination: destination{key: "bo.test", domain: "bo.test"}}}
		client, err := w.connectUnder(context.Background(), stsPolicy{mode: c.mode, mx: []string{"mx.bo.test"}}, endpoint{c.host, peer.Addr}, &dialogue{})
		var r *refusal
		switch {
		case c.refused == "" && (err != nil || client.tls != c.wantTLS):
			t.Errorf("%s: %+v, %v", c.name, client, err)
		case c.refused != "" && (!errors.As(err, &r) || r.enhanced != c.refused || r.permanent):
			t.Errorf("%s: %v, want %s", c.name, err, c.refused)
		}
		if client != nil {
			client.close(true)
		}
		if !strings.Contains(log.String(), c.logged) || c.logged == "" && log.Len() > 0 {
			t.Errorf("%s: log %q", c.name, log.String())
		}
	}
}
