package dsn

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"

	"congvan/mailcore"
)

const dateLayout = "Mon, 2 Jan 2006 15:04:05 -0700"

// hoChiMinh is the civil time of the province; it has no summer time.
var hoChiMinh = time.FixedZone("+07", 7*3600)

// A Letter is whom a report goes to.
type Letter struct {
	From, To mailcore.Address
	Now      time.Time
}

// Compose writes the report as a message with CRLF lines: a text for people, Vietnamese first, the fields for programs, and
// the original's header (RFC 3462, RFC 3464). Its envelope sender must be the null one.
func (rep *Report) Compose(l Letter) ([]byte, error) {
	if len(rep.Recipients) == 0 {
		return nil, errors.New("compose report: it names no recipient")
	}
	var b bytes.Buffer
	boundary := "=_" + strings.ToLower(rand.Text())
	now := l.Now.In(hoChiMinh)
	words := wordings[rep.Recipients[0].Action]
	if words == nil {
		return nil, fmt.Errorf("compose report: action %q", rep.Recipients[0].Action)
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("From: %s <%s>", encodedWords("Hệ thống thư công vụ"), l.From)
	line("To: <%s>", l.To)
	line("Subject: %s", encodedWords(words.subject+": "+shorten(rep.Subject, 120)))
	line("Date: %s", now.Format(dateLayout))
	line("Message-ID: <%s@%s>", strings.ToLower(rand.Text()), rep.ReportingMTA)
	if rep.MessageID != "" {
		line("In-Reply-To: <%s>", asciiOnly(rep.MessageID))
		line("References: <%s>", asciiOnly(rep.MessageID))
	}
	line("Auto-Submitted: auto-replied")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"", boundary)
	line("\r\n--%s", boundary)
	line("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
	rep.writeText(line, words, l)
	line("\r\n--%s\r\nContent-Type: message/delivery-status\r\n", boundary)
	rep.writeStatus(line, now)
	if len(rep.Whole) > 0 {
		line("\r\n--%s\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n", boundary)
		b.Write(crlf(rep.Whole))
	} else {
		line("\r\n--%s\r\nContent-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", boundary)
		b.Write(HeaderOf(rep.Headers))
	}
	line("\r\n--%s--", boundary)
	return b.Bytes(), nil
}

// crlf makes every line end as mail wants it: what is stored may have been brought by IMAP.
func crlf(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

func (rep *Report) writeText(line func(string, ...any), words *wording, l Letter) {
	line("Kính gửi %s,\r\n\r\n%s\r\n", l.To, words.vietnamese)
	for _, r := range rep.Recipients {
		line("  %s", r.Final)
		if r.Action == Failed || r.Action == Delayed {
			line("    Lý do: %s", reasonOf(r.Status))
		}
		if r.Diagnostic != "" {
			line("    Máy chủ bên nhận trả lời: %s", Printable(typedText(r.Diagnostic), 500))
		}
		if !r.RetryUntil.IsZero() {
			line("    Hệ thống còn thử đến %s.", r.RetryUntil.In(hoChiMinh).Format("15 giờ 04, ngày 02/01/2006"))
		}
	}
	line("\r\n%s", words.advice)
	if rep.Subject != "" {
		line("\r\nTrích yếu/tiêu đề thư gốc: %s", shorten(rep.Subject, 300))
	}
	line("\r\n-- \r\n%s\r\n", words.english)
	for _, r := range rep.Recipients {
		line("  %s (%s)", r.Final, r.Status)
	}
}

func (rep *Report) writeStatus(line func(string, ...any), now time.Time) {
	if rep.EnvID != "" {
		line("Original-Envelope-Id: %s", asciiOnly(rep.EnvID))
	}
	line("Reporting-MTA: dns; %s", rep.ReportingMTA)
	if !rep.ArrivedAt.IsZero() {
		line("Arrival-Date: %s", rep.ArrivedAt.In(hoChiMinh).Format(dateLayout))
	}
	for _, r := range rep.Recipients {
		line("")
		if r.Original != "" {
			original := r.Original
			if !isASCII(original) {
				original = EscapeAddress(original)
			}
			line("Original-Recipient: %s", original)
		}
		line("Final-Recipient: %s", typed(r.Final))
		line("Action: %s\r\nStatus: %s", r.Action, r.Status)
		if r.RemoteMTA != "" {
			line("Remote-MTA: dns; %s", asciiOnly(r.RemoteMTA))
		}
		if r.Diagnostic != "" {
			line("Diagnostic-Code: %s", asciiOnly(Printable(r.Diagnostic, 500)))
		}
		line("Last-Attempt-Date: %s", now.Format(dateLayout))
		if !r.RetryUntil.IsZero() {
			line("Will-Retry-Until: %s", r.RetryUntil.In(hoChiMinh).Format(dateLayout))
		}
	}
}

// A wording is what people read about one action.
type wording struct{ subject, vietnamese, advice, english string }

var wordings = map[Action]*wording{
	Failed: {"Thư không gửi được", "Thư sau đây không gửi được đến:",
		"Hệ thống không gửi lại thư này nữa. Hãy kiểm tra địa chỉ rồi gửi lại, hoặc hỏi người quản trị hệ thống thư.",
		"Your message could not be delivered to the recipients below. It will not be tried again."},
	Delayed: {"Thư chưa gửi được, hệ thống còn thử tiếp", "Thư sau đây chưa gửi được đến:",
		"Chưa cần làm gì: hệ thống tiếp tục gửi lại và sẽ báo nếu không gửi được.",
		"Your message has not been delivered yet to the recipients below. It will be tried again; you need not do anything."},
	Delivered: {"Thư đã vào hộp thư", "Thư sau đây đã vào hộp thư của:",
		"Thông báo này do phần mềm thư bên gửi yêu cầu; nó không có nghĩa là người nhận đã đọc thư.",
		"Your message was delivered to the mailboxes below. This does not mean that it has been read."},
	Relayed: {"Thư đã được chuyển tiếp", "Thư sau đây đã được chuyển sang hệ thống thư khác cho:",
		"Hệ thống kia không cho biết thư đã vào hộp thư hay chưa.",
		"Your message was relayed for the recipients below to a mail system that does not confirm delivery."},
}

// reasons are the enhanced codes (RFC 3463) that people meet, in their words; the longest match counts.
var reasons = []struct{ prefix, text string }{
	{"5.1.1", "địa chỉ không tồn tại"},
	{"5.1.2", "tên miền của địa chỉ không tồn tại"},
	{"5.1.10", "tên miền này không nhận thư"},
	{"5.1", "địa chỉ không đúng"},
	{"5.2.1", "hộp thư đã bị khóa"},
	{".2.2", "hộp thư của người nhận đã đầy"},
	{"5.3.4", "thư lớn hơn mức bên nhận cho phép"},
	{"5.2.3", "thư lớn hơn mức bên nhận cho phép"},
	{"5.4.6", "thư bị chuyển vòng quanh"},
	{"4.4.7", "đã hết thời hạn gửi mà máy chủ bên nhận vẫn chưa nhận thư"},
	{"4.4", "không liên lạc được với máy chủ bên nhận"},
	{"5.6", "bên nhận không nhận được kiểu thư này"},
	{"5.7.1", "bên nhận hoặc quy định của hệ thống không cho gửi thư này"},
	{"5.7", "bị từ chối vì lý do an toàn"},
	{"4.", "máy chủ bên nhận tạm thời chưa nhận"},
}

func reasonOf(status string) string {
	best, text := 0, "máy chủ bên nhận từ chối"
	for _, r := range reasons {
		match := strings.HasPrefix(status, r.prefix) || r.prefix[0] == '.' && strings.HasSuffix(status, r.prefix)
		if match && len(r.prefix) > best {
			best, text = len(r.prefix), r.text
		}
	}
	return fmt.Sprintf("%s (%s)", text, status)
}

// typed writes an address in ASCII (RFC 6533 §3).
func typed(a mailcore.Address) string {
	if isASCII(a.String()) {
		return "rfc822; " + a.String()
	}
	return "utf-8; " + EscapeAddress(a.String())
}

// EscapeAddress writes a UTF-8 address in ASCII, as it stands after "utf-8;" (RFC 6533 §3).
func EscapeAddress(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r > ' ' && r < 0x7f && r != '\\' && r != '+' && r != '=' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%X}`, r)
		}
	}
	return b.String()
}

// encodedWords is text for a header, folded between its words (RFC 2047).
func encodedWords(s string) string {
	return strings.ReplaceAll(mime.BEncoding.Encode("utf-8", Printable(s, 2*maxText)), "?= =?", "?=\r\n =?")
}

func shorten(s string, runes int) string {
	if r := []rune(Printable(s, 4*runes)); len(r) > runes {
		return string(r[:runes]) + "…"
	} else {
		return string(r)
	}
}

func asciiOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// HeaderOf returns the header lines of b without the empty line, bounded.
func HeaderOf(b []byte) []byte {
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		b = b[:i+2]
	}
	if len(b) > 64<<10 {
		b = b[:bytes.LastIndexByte(b[:64<<10], '\n')+1]
	}
	return bytes.TrimRight(b, "\r\n")
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > '~' && r != 0x7f }) < 0
}
