package smtpd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
	"congvan/mailcore/filter"
	"congvan/mailcore/mailauth"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-smtp"
)

// Data receives the body and delivers the message: a large body stored and synced first, then one transaction for all rows. The
// answer is a "250" only after both are durable.
func (s *session) Data(r io.Reader) error {
	s.run.bodies.Add(1)
	defer s.run.bodies.Done()
	e := s.envelope()
	if e == nil || s.gone {
		return errTooMany
	}
	until := time.Now().Add(s.run.opt.BodyTimeout)
	r, skip := s.body(r)
	defer skip()
	s.wire.beginBody(until)
	defer s.wire.endBody()
	ctx, cancel := context.WithDeadline(s.run.hard, until.Add(time.Minute))
	defer cancel()

	id := strings.ToLower(rand.Text()[:16])
	log := s.log.With("id", id, "sender", e.sender, "rcpts", len(e.rcpts))
	if e.divert != "" {
		if err := s.divert(ctx, e, r); err != nil {
			log.Info("message to be issued refused", "why", err)
			return failure(err)
		}
		log.Info("message taken to be issued", "account", s.account.Address)
		return reply(250, smtp.EnhancedCode{2, 0, 0}, "OK %s", id)
	}
	m, err := s.receive(ctx, e, r)
	if err == nil {
		err = s.judge(ctx, e, m)
	}
	if err == nil {
		err = s.deliver(ctx, e, m, id)
	}
	if err != nil {
		answer := failure(err)
		if errors.Is(answer, errNotNow) {
			log.Error("message", "err", err)
		} else {
			log.Info("message refused", "why", err)
		}
		return answer
	}
	log.Info("message accepted", "message_id", m.body.MessageID, "size", m.body.Size)
	return reply(250, smtp.EnhancedCode{2, 0, 0}, "OK %s", id) // go-smtp sends what it gets
}

// body is the reader for what the library gives as r, and what ends it after endBody.
func (s *session) body(r io.Reader) (io.Reader, func()) {
	if !s.wire.bare(isChunked(r)) || s.conn.Conn() != net.Conn(s.wire) { // with TLS, a wire carries something else
		return r, func() {}
	}
	d := newDotReader(s.wire, s.run.opt.MaxMessage)
	return d, d.close
}

// isChunked reports whether a body comes by BDAT.
func isChunked(r io.Reader) bool {
	_, is := r.(*io.PipeReader)
	return is
}

// A message is a received one, its bytes durable, or with the rows that deliver writes.
type message struct {
	header  *header
	body    *mailcore.Body
	origin  *mailauth.Result // nil: not asked
	finding *filter.Finding  // nil: not asked
}

// readers are used again: one is larger than most messages.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// receive streams the body into the store.
func (s *session) receive(ctx context.Context, e *envelope, r io.Reader) (*message, error) {
	broken := &brokenReader{r: r}
	var lines io.Reader = &lineCheck{r: broken}
	if s.submission() {
		lines = &lineFix{r: broken}
	}
	br := readers.Get().(*bufio.Reader)
	br.Reset(lines)
	defer func() { br.Reset(nil); readers.Put(br) }()
	h, err := readHeader(br)
	if err != nil {
		return nil, err
	}
	if h.received > maxReceived {
		return nil, errLoop
	}
	if s.submission() {
		if err := h.speaksAs(s.account.Address, e.own); err != nil {
			return nil, err
		}
		h.complete(time.Now().In(hoChiMinh), s.run.opt.Hostname)
	} else {
		if s.run.opt.Origin != nil {
			h.remove("Authentication-Results", s.run.opt.Origin.IsOurs)
		}
		if s.run.opt.Filter != nil { // what we will say ourselves
			h.remove("X-Virus-Status", func(string) bool { return true })
			h.remove("X-Spam-Status", func(string) bool { return true })
		}
	}
	body, err := s.run.opt.Store.SaveBody(ctx, io.MultiReader(bytes.NewReader(h.raw), br), s.run.opt.MaxMessage+maxHeader)
	if err != nil {
		return nil, err
	}
	if isChunked(r) && s.wire.closed() {
		return nil, errBroken
	}
	if s.submission() {
		if h, body, err = s.toUnicode(ctx, h, body); err != nil {
			return nil, err
		}
	}
	return &message{header: h, body: body}, nil
}

// judge finds out whose a mail from outside is, and whether a mail is unwanted. Malware is refused; everything else decides about
// the folder alone.
func (s *session) judge(ctx context.Context, e *envelope, m *message) (err error) {
	open := func() (io.ReadCloser, error) { return s.run.opt.Store.OpenBody(m.body) }
	remote, _ := netip.ParseAddr(s.wire.addr)
	trusted := slices.ContainsFunc(s.run.opt.Trusted, func(p netip.Prefix) bool { return p.Contains(remote) })
	helo, outside := claimedName(s.conn.Hostname()), !s.submission()
	if s.run.opt.Origin != nil && outside && !trusted {
		f, err := open()
		if err != nil {
			return err
		}
		defer f.Close()
		if m.origin, err = s.run.opt.Origin.Check(ctx, mailauth.Origin{Remote: remote, Helo: helo, Sender: e.sender.String(), From: m.header.from}, f); err != nil {
			return err
		}
	}
	if s.run.opt.Filter == nil {
		return nil
	}
	who := filter.Envelope{Remote: s.wire.addr, Helo: helo, Sender: e.sender.String()}
	for _, r := range e.rcpts {
		who.Rcpts = append(who.Rcpts, r.addr.String())
	}
	m.finding, err = s.run.opt.Filter.Ask(ctx, who, outside && !trusted, open)
	switch {
	case errors.Is(err, filter.ErrNotJudged):
		s.log.Error("mail waits for the scanner", "err", err)
		return errUnscanned
	case err != nil:
		return err
	case m.finding.Malware != "":
		return malware(m.finding.Malware)
	}
	return nil
}

// judged is what was found about a message, the same for all its copies: fields for their heads, whether they are unwanted, and the
// author if the domain stands behind the mail.
func (m *message) judged() (fields []byte, junk bool, from mailcore.Address) {
	if m.finding != nil {
		fields, junk = m.finding.Field(), m.finding.Junk
	}
	if m.origin != nil {
		fields, junk = append(fields, m.origin.Field()...), junk || m.origin.Junk()
		if m.origin.Aligned() {
			from = m.header.author()
		}
	}
	return fields, junk, from
}

// A brokenReader marks what breaks on the line, to tell it from what breaks in the store.
type brokenReader struct{ r io.Reader }

func (b *brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	var known *smtp.SMTPError
	var slow net.Error
	switch {
	case err == nil, err == io.EOF, errors.As(err, &known):
		return n, err
	case errors.As(err, &slow) && slow.Timeout():
		return n, errTooSlow
	}
	return n, errBroken
}

// deliver writes every row of the message in one transaction.
func (s *session) deliver(ctx context.Context, e *envelope, m *message, id string) error {
	now := time.Now()
	found, junk, from := m.judged()
	var copies []mailcore.Copy
	var out []mailcore.Outgoing
	for _, r := range e.rcpts {
		received := s.received(e, r.addr, id, now)
		if r.route.Relay {
			out = append(out, mailcore.Outgoing{Sender: e.sender, Rcpt: r.addr, EnvID: e.id, Prefix: received, Life: s.run.opt.Life, Wishes: r.wishes})
			continue
		}
		c := mailcore.Copy{
			Account: r.route.Account,
			Prefix:  fmt.Appendf(nil, "%sReturn-Path: <%s>\r\n%s", found, e.sender, received),
			Arrived: &mailcore.Arrival{Sender: e.sender, Rcpt: r.addr, AuthAs: s.authAs(), Remote: s.wire.addr, From: from},
			Junk:    junk,
		}
		copies = append(copies, c)
	}
	receipt, err := s.receipt(ctx, e, m, now)
	if err != nil {
		return err
	}
	answers, err := s.vacations(ctx, e, m, copies)
	if err != nil {
		return err
	}
	store := s.run.opt.Store
	return store.DB().Write(ctx, func(tx *sqldb.Tx) error {
		if len(copies) > 0 {
			if _, err := store.DeliverTx(ctx, tx, m.body, copies); err != nil {
				return err
			}
		}
		if len(out) > 0 {
			if _, err := store.EnqueueTx(ctx, tx, m.body, out); err != nil {
				return err
			}
		}
		if err := answers(tx); err != nil {
			return err
		}
		return receipt(tx)
	})
}

func (s *session) authAs() mailcore.Address {
	if s.account == nil {
		return ""
	}
	return s.account.Address
}

// received is the trace line of one copy (RFC 5321 §4.4). What the other side called itself is its claim: anything that
// could be read as more than a name is left out.
func (s *session) received(e *envelope, rcpt mailcore.Address, id string, now time.Time) []byte {
	with := "ESMTP"
	if e.utf8 {
		with = "UTF8SMTP" // RFC 6531 §4.3
	}
	if _, ok := s.conn.TLSConnectionState(); ok {
		with += "S"
	}
	if s.account != nil {
		with += "A"
	}
	literal := s.wire.addr
	if strings.Contains(literal, ":") {
		literal = "IPv6:" + literal
	}
	return fmt.Appendf(nil, "Received: from %s ([%s])\r\n\tby %s with %s id %s\r\n\tfor <%s>; %s\r\n",
		claimedName(s.conn.Hostname()), literal, s.run.opt.Hostname, with, id, rcpt, now.In(hoChiMinh).Format(dateLayout))
}

func claimedName(s string) string {
	ok := len(s) > 0 && len(s) <= 255
	for i := range len(s) {
		c := s[i]
		ok = ok && ('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(".-_:[]", c) >= 0)
	}
	if !ok {
		return "unknown"
	}
	return s
}

// receipt prepares the delivery report that NOTIFY=SUCCESS asks for, and returns what writes it as part of the delivery:
// into the sender's mailbox, or into the outbox. Nobody outside gets reports sent to an account of ours.
func (s *session) receipt(ctx context.Context, e *envelope, m *message, now time.Time) (func(tx *sqldb.Tx) error, error) {
	nothing := func(*sqldb.Tx) error { return nil }
	report := dsn.Report{
		EnvID: e.id, ReportingMTA: s.run.opt.Hostname, ArrivedAt: now, Headers: m.header.raw, MessageID: m.body.MessageID,
		Subject: m.body.Subject,
	}
	for _, r := range e.rcpts {
		if r.wishes.Wants(mailcore.NotifySuccess) && !r.route.Relay {
			report.Recipients = append(report.Recipients, dsn.Recipient{
				Original: r.wishes.Original, Final: r.addr, Action: dsn.Delivered, Status: "2.1.5"})
		}
	}
	if len(report.Recipients) == 0 || e.sender == "" {
		return nothing, nil
	}
	store := s.run.opt.Store
	route, err := s.run.opt.Router.Route(ctx, e.sender)
	if errors.Is(err, mailcore.ErrNoRecipient) || err == nil && !route.Relay && s.account == nil {
		return nothing, nil
	}
	if err != nil {
		return nil, fmt.Errorf("route report to %s: %w", e.sender, err)
	}
	text, err := report.Compose(dsn.Letter{From: mailcore.Address("postmaster@" + s.run.opt.Domain), To: e.sender, Now: now})
	if err != nil {
		return nil, err
	}
	body, err := store.SaveBody(ctx, bytes.NewReader(text), 0)
	if err != nil {
		return nil, err
	}
	return func(tx *sqldb.Tx) error {
		if route.Relay {
			_, err := store.EnqueueTx(ctx, tx, body, []mailcore.Outgoing{{Rcpt: e.sender, Life: s.run.opt.Life}})
			return err
		}
		_, err := store.DeliverTx(ctx, tx, body, []mailcore.Copy{{Account: route.Account, Prefix: []byte("Return-Path: <>\r\n")}})
		return err
	}, nil
}
