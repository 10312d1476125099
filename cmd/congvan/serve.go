package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/imapd"
	"congvan/mailcore/queue"
	"congvan/mailcore/smtpd"
	"congvan/recipients"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func serveCommand(s *streams) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway: SMTP in and out, IMAP, and what follows from them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(data)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(s.err, nil))
			unlock, err := lock(cfg)
			if err != nil {
				return err
			}
			defer unlock()
			in, err := openInstallation(c.Context(), cfg, log)
			if err != nil {
				return err
			}
			defer in.close()
			g, err := in.listen()
			if err != nil {
				return err
			}
			for name, l := range g.listeners {
				log.Info("listening", "service", name, "address", l.Addr().String())
			}
			return g.run(c.Context())
		},
	}
	dataFlag(c, &data, ".")
	return c
}

// A gateway is an installation with its sockets open.
type gateway struct {
	in        *installation
	tls       *tls.Config
	listeners map[string]net.Listener
}

// lock keeps a second server off the same data folder; the file's lock dies with the process.
func lock(cfg *config) (unlock func(), err error) {
	f, err := os.OpenFile(cfg.path("serve.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, false); err != nil {
		f.Close()
		return nil, &hintError{fmt.Errorf("thư mục %s đang được một congvan khác phục vụ", cfg.dir), "dừng chương trình kia, hoặc dùng thư mục khác"}
	}
	return func() { f.Close() }, nil
}

// listen opens every socket of the configuration, or none.
func (in *installation) listen() (*gateway, error) {
	conf, err := in.tlsConfig()
	if err != nil {
		return nil, err
	}
	g := &gateway{in: in, tls: conf, listeners: map[string]net.Listener{}}
	l := in.cfg.Listen
	for name, address := range map[string]string{"smtp": l.SMTP, "submission": l.Submission, "submissions": l.Submissions, "imap": l.IMAP, "imaps": l.IMAPS, "web": l.Web, "token": l.Token, "ldap": l.LDAP, "ldaps": l.LDAPS} {
		if address == "" {
			continue
		}
		ln, err := net.Listen("tcp", address)
		if err != nil {
			g.close()
			return nil, &hintError{fmt.Errorf("listen for %s: %w", name, err), fmt.Sprintf("another program has the port, or ports under 1024 need rights; change listen.%s in %s", name, in.cfg.path(configFile))}
		}
		g.listeners[name] = ln
	}
	return g, nil
}

func (g *gateway) close() {
	for _, l := range g.listeners {
		l.Close()
	}
}

// run serves until ctx ends and everything that it started has ended.
func (g *gateway) run(ctx context.Context) error {
	in, cfg := g.in, g.in.cfg
	router := in.mail.LocalRouter(cfg.Domain, nil)
	ask := cfg.filter(in.log)
	learns := newLearner(in, ask)
	signer, err := in.keys.dkim(cfg)
	if err != nil {
		return err
	}
	options := smtpd.Options{Store: in.mail, Router: router, Domain: cfg.Domain, Hostname: cfg.Hostname, TLS: g.tls, Logger: in.log, MaxMessage: cfg.Mail.MaxMessage,
		AccountURL: cfg.accountURL(), Origin: cfg.origin(), Filter: ask, Trusted: cfg.Mail.Trusted, PlainFromLoopback: cfg.Listen.PlainFromLoopback}
	papers := in.newMailDesk()
	options.Divert = papers
	options.Mode = smtpd.MX
	mx := smtpd.New(options)
	options.Mode = smtpd.Submission
	submission := smtpd.New(options)
	var junk func(bool, mailcore.MailboxID, []mailcore.UID)
	if learns != nil {
		junk = learns.hear
	}
	imap := imapd.New(imapd.Options{Junk: junk, Store: in.mail, TLS: g.tls, Logger: in.log, MaxMessage: cfg.Mail.MaxMessage, Domain: cfg.Domain,
		AccountURL: cfg.accountURL(), PlainFromLoopback: cfg.Listen.PlainFromLoopback})
	out := queue.New(queue.Options{Store: in.mail, Domain: cfg.Domain, Hostname: cfg.Hostname, Resolver: cfg.resolver(), STS: queue.NewSTS(cfg.resolver(), nil, nil), Signer: signer, Routes: cfg.Mail.Routes,
		SmartHost: cfg.Mail.SmartHost, LoopbackOnly: cfg.Mail.LoopbackOnly, Logger: in.log, Lease: cfg.lease})
	desks := in.newDeskGate()
	directory := g.newDirectoryServer()
	serve := map[string]func(context.Context, net.Listener) error{"smtp": mx.Serve, "submission": submission.Serve, "submissions": submission.ServeTLS,
		"imap": imap.Serve, "imaps": imap.ServeTLS, "web": g.serveWeb, "token": desks.serve,
		"ldap": directory.Serve, "ldaps": directory.ServeTLS}
	group, ctx := errgroup.WithContext(ctx)
	for name, l := range g.listeners {
		group.Go(func() error {
			if err := serve[name](ctx, l); err != nil && ctx.Err() == nil {
				return fmt.Errorf("serve %s: %w", name, err)
			}
			return nil
		})
	}
	group.Go(func() error { return out.Run(ctx) })
	if learns != nil {
		group.Go(func() error { return learns.run(ctx) })
	}
	group.Go(func() error { return in.exchange.Run(ctx) })
	group.Go(func() error { return in.exchange.RunLog(ctx) })
	group.Go(func() error { return in.exchange.RunDue(ctx) })
	group.Go(func() error { return in.exchange.RunWaiting(ctx, waitingEvery, desks.wake) })
	group.Go(func() error { return in.exchange.RunSeals(ctx) })
	group.Go(func() error { return in.watchCertificates(ctx) })
	group.Go(func() error { return in.mail.SweepEvery(ctx, time.Hour) })
	group.Go(func() error { return in.mail.WatchQuotas(ctx, quotaEvery, in.fullLetter) })
	group.Go(func() error { return in.watchSpool(ctx, time.Hour) })
	group.Go(func() error { return papers.run(ctx) })
	for unit, dir := range cfg.Hotfolder {
		group.Go(func() error { return newHotFolder(papers, cfg.path(dir), recipients.UnitCode(unit)).run(ctx) })
	}
	group.Go(func() error { return in.exchange.RunOutside(ctx) })
	err = group.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if e := in.mail.FlushLogins(last); e != nil {
		in.log.Warn("note the last logins", "err", e)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// tlsConfig loads the certificate of the configuration, or one that is made for this host and kept in the folder tls.
func (in *installation) tlsConfig() (*tls.Config, error) {
	cert, key := in.cfg.path(in.cfg.TLS.Certificate), in.cfg.path(in.cfg.TLS.Key)
	if in.cfg.TLS.Certificate == "" {
		cert, key = in.cfg.path("tls", "cert.pem"), in.cfg.path("tls", "key.pem")
		if err := makeCertificate(in.cfg.Hostname, in.cfg.autoconfigNames(), cert, key); err != nil {
			return nil, fmt.Errorf("make a TLS certificate: %w", err)
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, &hintError{fmt.Errorf("TLS certificate: %w", err), "check tls.certificate and tls.key"}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// makeCertificate makes a self-signed certificate for the host, its other names and for loopback, unless there is one.
func makeCertificate(host string, others []string, certFile, keyFile string) error {
	if _, err := os.Stat(certFile); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(certFile), 0o755); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: host}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(2, 0, 0),
		DNSNames: append([]string{host, "localhost"}, others...), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}
	return writeFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
