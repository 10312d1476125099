package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-smtp"
)

// outsideServer stands in for the mail servers outside the province: it takes mail for any domain, keeps it as files, and
// reports delivery when asked to (RFC 3461), as a ministry's server would.
type outsideServer struct {
	dir     string          // mail goes to dir/ADDRESS/DIGEST.eml
	refuses map[string]bool // addresses that it answers 550
	gateway string          // address of our SMTP, for its reports
	domain  string          // of the province
	log     *slog.Logger
	reports chan report
}

type report struct{ to, rcpt, envid string }

// run serves until ctx ends.
func (o *outsideServer) run(ctx context.Context, ln net.Listener) error {
	o.reports = make(chan report, 100)
	s := smtp.NewServer(o)
	s.Domain, s.EnableDSN, s.EnableSMTPUTF8 = "mail.trung-uong.test", true, true
	s.ReadTimeout, s.WriteTimeout, s.MaxMessageBytes, s.MaxLineLength = time.Minute, time.Minute, 100<<20, 0
	s.ErrorLog = slog.NewLogLogger(o.log.Handler(), slog.LevelDebug)
	done := make(chan struct{})
	go func() { defer close(done); o.sendReports(ctx) }()
	go func() { <-ctx.Done(); s.Close() }()
	err := s.Serve(ln)
	<-done
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (o *outsideServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &outsideSession{o: o}, nil
}

type outsideSession struct {
	o     *outsideServer
	from  string
	envid string
	rcpts []string
	wants map[string]bool // who is to be reported
}

func (s *outsideSession) Mail(from string, opts *smtp.MailOptions) error {
	s.Reset()
	s.from = from
	if opts != nil {
		s.envid = opts.EnvelopeID
	}
	return nil
}

func (s *outsideSession) Rcpt(to string, opts *smtp.RcptOptions) error {
	to = strings.ToLower(to)
	if s.o.refuses[to] {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here"}
	}
	s.rcpts = append(s.rcpts, to)
	if opts != nil {
		for _, n := range opts.Notify {
			s.wants[to] = s.wants[to] || n == smtp.DSNNotifySuccess
		}
	}
	return nil
}

func (s *outsideSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	for _, to := range s.rcpts {
		path := filepath.Join(s.o.dir, filepath.Base(to), hex.EncodeToString(sum[:8])+".eml")
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = writeFile(path, body, 0o644)
		}
		if err != nil {
			s.o.log.Error("outside server: store", "err", err)
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Cannot store"}
		}
		if s.wants[to] {
			select {
			case s.o.reports <- report{s.from, to, s.envid}:
			default:
			}
		}
	}
	return nil
}

func (s *outsideSession) Reset() {
	s.from, s.envid, s.rcpts, s.wants = "", "", nil, map[string]bool{}
}

func (s *outsideSession) Logout() error { return nil }

func (o *outsideServer) sendReports(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-o.reports:
			if !strings.HasSuffix(r.to, "@"+o.domain) {
				continue
			}
			for try := range 5 {
				if err := o.sendReport(r); err == nil || ctx.Err() != nil {
					break
				} else if try == 4 {
					o.log.Warn("outside server: report", "to", r.to, "err", err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
	}
}

func (o *outsideServer) sendReport(r report) error {
	body, err := r.bytes()
	if err != nil {
		return err
	}
	return smtpSend(o.gateway, "", []string{r.to}, body)
}

// smtpSend hands a message to a server without login.
func smtpSend(addr, from string, to []string, body []byte) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SendMail(from, to, bytes.NewReader(body)); err != nil {
		return err
	}
	return c.Quit()
}

// bytes is a report of success (RFC 3464).
func (r report) bytes() ([]byte, error) {
	var b bytes.Buffer
	var h message.Header
	h.Set("From", "Mail Delivery System <mailer-daemon@trung-uong.test>")
	h.Set("To", "<"+r.to+">")
	h.Set("Subject", "Delivered: "+r.rcpt)
	h.Set("Date", time.Now().Format(time.RFC1123Z))
	h.Set("Message-Id", fmt.Sprintf("<dsn-%d@trung-uong.test>", time.Now().UnixNano()))
	h.Set("Auto-Submitted", "auto-replied")
	h.Set("Mime-Version", "1.0")
	h.SetContentType("multipart/report", map[string]string{"report-type": "delivery-status"})
	w, err := message.CreateWriter(&b, h)
	if err != nil {
		return nil, err
	}
	for _, part := range [][2]string{{"text/plain", "The message was delivered to " + r.rcpt + ".\r\n"},
		{"message/delivery-status", "Reporting-MTA: dns; mail.trung-uong.test\r\nOriginal-Envelope-Id: " + r.envid + "\r\n\r\nFinal-Recipient: rfc822; " + r.rcpt +
			"\r\nAction: delivered\r\nStatus: 2.0.0\r\n"}} {
		var ph message.Header
		ph.SetContentType(part[0], nil)
		pw, err := w.CreatePart(ph)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(pw, part[1]); err != nil {
			return nil, err
		}
		if err := pw.Close(); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}
