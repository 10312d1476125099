package exchange

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/signing"
)

// EventSigned is a reply from outside whose S/MIME signature vouches for the recipient.
const EventSigned = "signed_reply"

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
	inner, automatic := replyText(bytes.NewReader(report.Content))
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
	if done, err := s.cameBy(ctx, id, ev.ID); done || err != nil {
		return err
	}
	detail := map[string]any{"from": report.From, "signer": report.SignerName, "issuer": report.Issuer, "serial": report.Serial,
		"signed_at": report.SignedAt, "status": report.Reason, "message": ev.Message, "mail": ev.ID}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return err
		}
		return r.act(ctx, tx, EventSigned, Actor{Address: mailcore.Address(report.From)}, detail, nil)
	})
	if err != nil {
		return fmt.Errorf("note signed reply on dispatch %d: %w", id, err)
	}
	return nil
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
