package exchange

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/signing"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"
)

// Replies from outside that count, besides the act itself.
const (
	EventSigned  = "signed_reply"  // its S/MIME signature vouches for the recipient
	EventAligned = "aligned_reply" // the recipient's domain does (DMARC)
)

// clockDoubt is how far the clock of a signer may be off.
const clockDoubt = 24 * time.Hour

// judgeReply verifies the signature of a reply from outside. nil: nothing here judges mail. What an opaque mail says is its
// content, so the text of the reply comes from there.
func (s *Store) judgeReply(ctx context.Context, ev mailcore.Event) (*signing.MailReport, error) {
	if s.VerifyMail == nil {
		return nil, nil
	}
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return s.VerifyMail(f)
}

// signedText is the text of a reply whose signature holds its content.
func signedText(report *signing.MailReport, text string) string {
	if report == nil || report.Content == nil {
		return text
	}
	inner, automatic := reply.Text(bytes.NewReader(report.Content))
	if automatic {
		return ""
	}
	return inner
}

// vouched reports whether a valid signature says that the recipient of the copy wrote the reply, and that it wrote after the
// document was issued: an older mail of the recipient, sent again by somebody else, answers nothing.
func (r *Receipt) vouched(report *signing.MailReport) bool {
	if report == nil || report.Status != signing.Valid || r.Dispatch.Address == "" || !sameAddress(report.From, r.Dispatch.Address) {
		return false
	}
	issued := r.Document.IssuedAt
	return report.SignedAt != nil && issued != nil && report.SignedAt.After(time.UnixMicro(*issued).Add(-clockDoubt))
}

func sameAddress(a, b string) bool {
	x, errX := mailcore.ParseAddress(a)
	y, errY := mailcore.ParseAddress(b)
	return errX == nil && errY == nil && x == y
}

// noteSigned keeps on the copy's journal by whose signature a reply counted.
func (s *Store) noteSigned(ctx context.Context, ev mailcore.Event, id DispatchID, report *signing.MailReport) error {
	detail := map[string]any{"from": report.From, "signer": report.SignerName, "issuer": report.Issuer, "serial": report.Serial,
		"signed_at": report.SignedAt, "status": report.Reason, "message": ev.Message, "mail": ev.ID}
	return s.noteVouched(ctx, ev, id, EventSigned, mailcore.Address(report.From), detail)
}

func (s *Store) noteVouched(ctx context.Context, ev mailcore.Event, id DispatchID, kind string, from mailcore.Address, detail map[string]any) error {
	if done, err := s.cameBy(ctx, id, ev.ID); done || err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return err
		}
		return r.act(ctx, tx, kind, Actor{Address: from}, detail, nil)
	})
	if err != nil {
		return fmt.Errorf("note reply on dispatch %d: %w", id, err)
	}
	return nil
}

// aligned reports whether the domain of the recipient stands behind a reply that comes from the recipient's address and was written
// to this copy's token: an older mail of the recipient, sent again to another token by somebody else, names the old one. It keeps
// that on the copy's journal.
func (s *Store) aligned(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival, r *Receipt) (bool, error) {
	if arrival.From == "" || !sameAddress(string(arrival.From), r.Dispatch.Address) {
		return false, nil
	}
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if !writtenTo(f, arrival.Rcpt) {
		return false, nil
	}
	detail := map[string]any{"from": arrival.From, "remote": arrival.Remote, "message": ev.Message, "mail": ev.ID}
	return true, s.noteVouched(ctx, ev, r.Dispatch.ID, EventAligned, arrival.From, detail)
}

// writtenTo says whether a mail's To or Cc names the address.
func writtenTo(mail io.Reader, address mailcore.Address) bool {
	m, err := message.Read(mail)
	if m == nil || err != nil && !message.IsUnknownCharset(err) {
		return false
	}
	h := gomail.Header{Header: m.Header}
	for _, field := range []string{"To", "Cc"} {
		list, err := h.AddressList(field)
		if err == nil && slices.ContainsFunc(list, func(a *gomail.Address) bool { return sameAddress(a.Address, string(address)) }) {
			return true
		}
	}
	return false
}

// unverifiedVerdict tells a clerk why a reply changed nothing.
func unverifiedVerdict(report *signing.MailReport) string {
	text := "Chưa xác thực được người gửi thuộc đơn vị nhận: thư này không làm thay đổi trạng thái."
	if report == nil || report.Form == signing.MailUnsigned {
		return text
	}
	if report.Status == signing.Valid {
		return text + " Thư có chữ ký số hợp lệ của " + report.From + ", nhưng không phải chữ ký mới của nơi nhận văn bản này."
	}
	return text + " Chữ ký số trong thư: " + report.Status.Text() + ". " + report.Reason
}
