package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"congvan/mailcore/portal"
)

// accountURL is where people reach the account pages, "" when they are not served.
func (c *config) accountURL() string {
	if c.Accounts.URL != "" {
		return c.Accounts.URL
	}
	host, port, err := net.SplitHostPort(c.Listen.Web)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		host = c.Hostname
	}
	if port == "443" {
		return "https://" + host + portal.Path
	}
	return "https://" + net.JoinHostPort(host, port) + portal.Path
}

// serveWeb answers for the web pages until ctx ends.
func (g *gateway) serveWeb(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	account := portal.New(portal.Options{Store: g.in.mail, Domain: g.in.cfg.Domain, Settings: g.mailSettings(), Logger: g.in.log})
	mux.Handle(portal.Path, account)
	mux.Handle(portal.Path+"/", account)
	mux.Handle("GET /{$}", http.RedirectHandler(portal.Path, http.StatusSeeOther))
	srv := &http.Server{Handler: mux, TLSConfig: g.tls.Clone(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(g.in.log.Handler(), slog.LevelDebug)}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.ServeTLS(ln, "", "")
	if !stop() {
		<-ended
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}

// mailSettings is what a mail client must be told.
func (g *gateway) mailSettings() []portal.Setting {
	var out []portal.Setting
	for _, s := range []struct{ listener, label, how string }{{"imaps", "Nhận thư (IMAP)", "SSL/TLS"}, {"imap", "Nhận thư (IMAP)", "STARTTLS"},
		{"submissions", "Gửi thư (SMTP)", "SSL/TLS"}, {"submission", "Gửi thư (SMTP)", "STARTTLS"}} {
		ln := g.listeners[s.listener]
		if ln == nil || len(out) > 0 && out[len(out)-1].Label == s.label {
			continue
		}
		host, port, _ := net.SplitHostPort(ln.Addr().String())
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			host = g.in.cfg.Hostname
		}
		out = append(out, portal.Setting{Label: s.label, Value: fmt.Sprintf("%s, cổng %s, %s", host, port, s.how)})
	}
	return out
}
