package smtpd

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/filter"

	"github.com/emersion/go-smtp"
)

// A Diverter takes the mail to some addresses itself, before a byte of it reaches store or database: papers that may be secret
// must not stay (QĐ 22/2009 Điều 10). Only our accounts may send there, and to nobody else with the same message.
type Diverter interface {
	Diverts(rcpt mailcore.Address) bool
	// Take returns nil once the mail is durable with the diverter; an *smtp.SMTPError is the answer to the sender.
	Take(ctx context.Context, m Diverted) error
}

// A Diverted is a mail to an address of a Diverter.
type Diverted struct {
	AuthAs, Rcpt mailcore.Address
	MessageID    string // without <>
	Data         []byte // header and body
}

// divertedAtOnce bounds how many such mails are held in memory at one time.
const divertedAtOnce = 2

var (
	errOwnOnly = reply(550, smtp.EnhancedCode{5, 7, 1}, "Địa chỉ này chỉ nhận thư của tài khoản trong hệ thống, gửi qua cổng gửi thư / Only our own accounts may send here, by submission")
	errAlone   = reply(550, smtp.EnhancedCode{5, 5, 3}, "Thư tới địa chỉ phát hành phải gửi riêng, không gửi kèm nơi khác / Mail to this address must have no other recipient")
)

// diverts decides about a recipient of the diverter, or of any other once there is one.
func (s *session) diverts(e *envelope, to mailcore.Address) (bool, error) {
	d := s.run.opt.Divert
	switch {
	case e.divert != "" && e.divert != to:
		return false, errAlone
	case d == nil || !d.Diverts(to):
		return false, nil
	case !s.submission() || s.account == nil:
		return false, errOwnOnly
	case len(e.rcpts) > 0:
		return false, errAlone
	}
	return true, nil
}

// divert receives the body into memory and hands it over.
func (s *session) divert(ctx context.Context, e *envelope, r io.Reader) error {
	select {
	case s.run.diverted <- struct{}{}:
		defer func() { <-s.run.diverted }()
	case <-ctx.Done():
		return errNotNow
	}
	br := bufio.NewReaderSize(&lineFix{r: &brokenReader{r: r}}, 32<<10)
	h, err := readHeader(br)
	if err != nil {
		return err
	}
	if err := h.speaksAs(s.account.Address, e.own); err != nil {
		return err
	}
	h.complete(time.Now().In(hoChiMinh), s.run.opt.Hostname)
	most := s.run.opt.MaxMessage + maxHeader
	body, err := io.ReadAll(io.LimitReader(br, most+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > most {
		return errTooLarge
	}
	if isChunked(r) && s.wire.closed() {
		return errBroken
	}
	data := append(h.raw, body...)
	if f := s.run.opt.Filter; f != nil {
		who := filter.Envelope{Remote: s.wire.addr, Helo: claimedName(s.conn.Hostname()), Sender: e.sender.String(), Rcpts: []string{e.divert.String()}}
		finding, err := f.Ask(ctx, who, false, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
		switch {
		case err != nil:
			s.log.Error("mail waits for the scanner", "err", err)
			return errUnscanned
		case finding.Malware != "":
			return malware(finding.Malware)
		}
	}
	return s.run.opt.Divert.Take(ctx, Diverted{AuthAs: s.account.Address, Rcpt: e.divert, MessageID: strings.Trim(h.messageID, "<> "), Data: data})
}
