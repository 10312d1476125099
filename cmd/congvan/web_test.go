package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"congvan/mailcore/mailtest"
)

// A mail program that looks for its settings at autoconfig.DOMAIN meets a certificate of that name, and is told the hosts and
// ports that people reach, not those that we listen on.
func TestMailProgramsAreToldPublicServers(t *testing.T) {
	cfg := defaults(t.TempDir())
	cfg.Domain = "tinh.test"
	cfg.Listen.SMTP, cfg.Listen.Submission, cfg.Listen.IMAP, cfg.Listen.IMAPS, cfg.Listen.Web = "", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Public = map[string]string{"imaps": "thu.tinh.test:993"}
	if err := cfg.validate("congvan.toml"); err != nil {
		t.Fatal(err)
	}
	in, err := openInstallation(t.Context(), cfg, mailtest.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	g, err := in.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.serveWeb(ctx, g.listeners["web"]) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	pem, err := os.ReadFile(cfg.path("tls", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", g.listeners["web"].Addr().String())
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://autoconfig.tinh.test/mail/config-v1.1.xml?emailaddress=an.snv@tinh.test")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp.Status, err)
	}
	_, port, _ := net.SplitHostPort(g.listeners["submission"].Addr().String())
	for _, want := range []string{"<hostname>thu.tinh.test</hostname>\n      <port>993</port>\n      <socketType>SSL<", "<hostname>127.0.0.1</hostname>\n      <port>" + port + "</port>\n      <socketType>STARTTLS<"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("lacks %s:\n%s", want, text)
		}
	}
}

func TestPublicServersAreValidated(t *testing.T) {
	for name, public := range map[string]map[string]string{"unknown": {"pop3": "a:110"}, "no port": {"imap": "thu.tinh.test"}, "no host": {"imap": ":143"},
		"port 0": {"imap": "a:0"}, "port too high": {"imap": "a:65536"}, "not open": {"imaps": "a:993"}} {
		cfg := defaults(t.TempDir())
		cfg.Domain, cfg.Public = "tinh.test", public
		if err := cfg.validate("congvan.toml"); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
