package smtpd

import (
	"bufio"
	"context"
	"errors"

	"congvan/mailcore"

	"github.com/emersion/go-smtp"
)

// toUnicode converts what our own people wrote in an old encoding (QĐ 22/2009 Điều 10, TCVN 6909:2001), or says what to do.
func (s *session) toUnicode(ctx context.Context, h *header, b *mailcore.Body) (*header, *mailcore.Body, error) {
	body, recoded, err := s.run.opt.Store.ToUnicode(ctx, b, s.run.opt.MaxMessage+2*maxHeader)
	var old *mailcore.OldTextError
	if errors.As(err, &old) {
		return nil, nil, oldText(old)
	}
	if err != nil || recoded == nil {
		return h, body, err
	}
	s.log.Info("message converted to Unicode", "from", recoded.Encoding, "where", recoded.Where, "was", b.Digest, "is", body.Digest)
	f, err := s.run.opt.Store.OpenBody(body)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	h, err = readHeader(bufio.NewReaderSize(f, 32<<10))
	return h, body, err
}

// oldPlaces names the places of old text to people.
var oldPlaces = map[string]string{mailcore.TextSubject: "Tiêu đề", mailcore.TextBody: "Nội dung", mailcore.TextFile: "Tên tệp kèm theo"}

// oldText tells what to do about text in an old encoding.
func oldText(e *mailcore.OldTextError) error {
	what := "đã mất chữ, không chuyển được. Hãy chọn bảng mã Unicode trong bộ gõ, gõ lại rồi gửi"
	if e.Signed {
		what = "mà thư đã ký số nên không được sửa. Hãy gõ lại bằng bảng mã Unicode, ký lại rồi gửi"
	}
	return reply(554, smtp.EnhancedCode{5, 6, 3}, "%s dùng bảng mã cũ (%s) %s / The %s is in an old Vietnamese encoding, write it in Unicode",
		oldPlaces[e.Where], e.Encoding, what, e.Where)
}
