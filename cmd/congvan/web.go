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
	host = c.publicHost(host)
	if port == "443" {
		return "https://" + host + portal.Path
	}
	return "https://" + net.JoinHostPort(host, port) + portal.Path
}

// serveWeb answers for the web pages until ctx ends.
func (g *gateway) serveWeb(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	account := portal.New(portal.Options{Store: g.in.mail, Domain: g.in.cfg.Domain, Servers: g.mailServers(),
		AccountURL: g.in.cfg.accountURL(), Logger: g.in.log, Report: g.in.reportFault})
	mux.Handle(portal.Path, account)
	mux.Handle(portal.Path+"/", account)
	for _, path := range portal.ClientPaths {
		mux.Handle(path, account)
	}
	mux.Handle(pickupPath, g.in.newPickupDesk().handler())
	mux.HandleFunc("GET "+stsPath, g.in.cfg.serveSTS)
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
