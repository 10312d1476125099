package smtpd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/blob"

	"github.com/emersion/go-smtp"
)

// reply is an answer as RFC 2034 shapes it. Whatever else a session returned, go-smtp would show the other side its text.
func reply(code int, enhanced smtp.EnhancedCode, format string, args ...any) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: fmt.Sprintf(format, args...)}
}

// Answers that say nothing about the one message. Those that a person at a mail client may see are Vietnamese first.
var (
	errNotNow     = reply(451, smtp.EnhancedCode{4, 3, 0}, "Temporary failure, try again later")
	errStopping   = reply(421, smtp.EnhancedCode{4, 3, 2}, "Service is closing, try again later")
	errBroken     = reply(451, smtp.EnhancedCode{4, 4, 2}, "The message did not arrive whole")
	errTooSlow    = reply(451, smtp.EnhancedCode{4, 4, 2}, "The message took too long")
	errUnscanned  = reply(451, smtp.EnhancedCode{4, 7, 1}, "Chưa quét được mã độc, hãy gửi lại sau / The malware scanner does not answer, try again later")
	errNested     = reply(503, smtp.EnhancedCode{5, 5, 1}, "A message is under way already")
	errNoLogin    = reply(530, smtp.EnhancedCode{5, 7, 0}, "Cần đăng nhập trước khi gửi thư / Authentication required")
	errTooMany    = reply(421, smtp.EnhancedCode{4, 7, 0}, "Too many errors")
	errNoRelay    = reply(550, smtp.EnhancedCode{5, 7, 1}, "Not for us, and we do not relay")
	errTooLarge   = reply(552, smtp.EnhancedCode{5, 3, 4}, "Thư lớn quá giới hạn / Message is too large")
	errBigHeader  = reply(552, smtp.EnhancedCode{5, 3, 4}, "Message header is too large")
	errBareLine   = reply(550, smtp.EnhancedCode{5, 6, 0}, "A line does not end in CRLF")
	errNul        = reply(550, smtp.EnhancedCode{5, 6, 0}, "The message contains a NUL")
	errLoop       = reply(554, smtp.EnhancedCode{5, 4, 6}, "Too many Received lines: the message runs in a loop")
	errBadLogin   = reply(535, smtp.EnhancedCode{5, 7, 8}, "Sai địa chỉ hoặc mật khẩu / Wrong address or password")
	errLoginLimit = reply(454, smtp.EnhancedCode{4, 7, 0}, "Đăng nhập sai quá nhiều lần, hãy thử lại sau / "+
		"Too many failed logins, try again later")
	errLoginLater = reply(454, smtp.EnhancedCode{4, 7, 0}, "Chưa kiểm tra được mật khẩu, hãy thử lại sau / "+
		"Temporary authentication failure")
	errNeedsTLS    = reply(523, smtp.EnhancedCode{5, 7, 10}, "TLS is required")
	errNoMechanism = reply(504, smtp.EnhancedCode{5, 7, 4}, "This way of logging in is not offered")
)

// mustChange tells where to change the issued password (QĐ 22/2009 Điều 7). Without marks: a reply is ASCII (RFC 5321 §4.2), and
// clients show other bytes as they like.
func mustChange(url string) error {
	if url == "" {
		return reply(535, smtp.EnhancedCode{5, 7, 0}, "Phai doi mat khau duoc cap truoc khi dung hop thu / The issued password must be changed first")
	}
	return reply(535, smtp.EnhancedCode{5, 7, 0}, "Phai doi mat khau duoc cap truoc khi dung hop thu, tai: %s / Change the issued password there first", url)
}

func malware(name string) error {
	return reply(554, smtp.EnhancedCode{5, 7, 1}, "Thư có mã độc, không nhận / Malware found: %.100s", printable(name))
}

// printable keeps a name that a service gave to one line of ASCII.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// noRecipient refuses an address of ours that leads nowhere; of somebody who left it says so, and who took over where the sender
// may know (RFC 5321 §3.4).
func noRecipient(a string, cause error) error {
	var moved *mailcore.MovedError
	switch {
	case errors.As(cause, &moved) && moved.To != "":
		return reply(551, smtp.EnhancedCode{5, 1, 6}, "Địa chỉ đã thôi dùng, hãy gửi đến / No longer here, please try <%s>", moved.To)
	case errors.As(cause, &moved):
		return reply(550, smtp.EnhancedCode{5, 1, 6}, "Địa chỉ đã thôi dùng / Address is closed for good: <%s>", a)
	}
	return reply(550, smtp.EnhancedCode{5, 1, 1}, "Không có địa chỉ này / No such address here: <%s>", a)
}

func full(a mailcore.Address) error {
	return reply(452, smtp.EnhancedCode{4, 2, 2}, "Hộp thư đã đầy, hãy gửi lại sau / Mailbox is full: <%s>", a)
}

func badAddress(enhanced smtp.EnhancedCode, err error) error {
	var bad *mailcore.AddressError
	if errors.As(err, &bad) {
		return reply(553, enhanced, "The address %s", bad.Reason)
	}
	return reply(553, enhanced, "Bad address")
}

func needsUTF8(enhanced smtp.EnhancedCode) error {
	return reply(553, enhanced, "An address that is not ASCII needs SMTPUTF8 on MAIL")
}

func notYours(code int, what string, own mailcore.Address) error {
	return reply(code, smtp.EnhancedCode{5, 7, 1}, "%s phải là địa chỉ đã đăng nhập (%s) / must be the address that logged in", what, own)
}

// failure says what the other side is told when a step failed: the answers above as they are, our own faults as temporary.
func failure(err error) error {
	var known *smtp.SMTPError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, blob.ErrTooLarge):
		return errTooLarge
	case errors.Is(err, context.Canceled):
		return errStopping
	}
	return errNotNow
}
