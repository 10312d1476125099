package reply

import (
	"html"
	"io"
	"regexp"
	"strings"

	"congvan/mailcore/viettext"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // or every text that is not UTF-8 comes back raw
	"github.com/emersion/go-message/mail"
)

// Lines that begin what others wrote, and the signature, in folded text. After quoteHead, lines with ">" may follow and the
// officer's own words below them; after quoteBlock everything is quoted.
var (
	quoteHead  = regexp.MustCompile(`^(?:on .*(?:wrote|viet) ?:|(?:vao|ngay|luc) .*(?:da viet|viet) ?:|.{1,80}(?:wrote|da viet) ?:)$`)
	quoteOpens = regexp.MustCompile(`^(?:on|vao|luc) .{0,20}[0-9].*$`)
	quoteBlock = regexp.MustCompile(`^(?:-{2,} ?(?:original message|original appointment|thu goc|tin nhan goc|forwarded|tin nhan da chuyen tiep|thu da chuyen tiep|reply message)|_{5,}$|\*?(?:from|tu|nguoi gui|de|von) ?:)`)
	signature  = regexp.MustCompile(`^(?:-- ?$|--$|—$|sent from my|sent via|gui tu |duoc gui tu|get outlook|tran trong|xin tran trong|best regards|kind regards|regards|kinh thu|thong diep nay|luu y:? thu nay|confidential)`)
)

// maxText bounds in bytes how far somebody's own words are looked for, quoted text included.
const maxText = 64 << 10

// maxMail bounds how much of a mail is read to understand it.
const maxMail = 1 << 20

// OwnLines returns the lines that the sender wrote himself, without quoted text and signature.
func OwnLines(text string) []string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	text, _ = viettext.Recode(viettext.NFC(strings.ReplaceAll(text, "\u00a0", " ")))
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	var out []string
	for i := 0; i < len(lines) && len(out) < 100; i++ {
		line := strings.Join(strings.Fields(strings.Trim(lines[i], "\ufeff\u200b")), " ")
		folded := viettext.Fold(line)
		switch {
		case line == "", strings.HasPrefix(line, ">"):
		case quoteBlock.MatchString(folded):
			return out
		case quoteHead.MatchString(folded), quoteOpens.MatchString(folded) && i+1 < len(lines) && quoteHead.MatchString(folded+" "+strings.TrimSpace(viettext.Fold(lines[i+1]))):
			if !quoteHead.MatchString(folded) {
				i++ // the head goes over two lines
			}
			if !quotedByMarks(lines[i+1:]) {
				return out
			}
		case signature.MatchString(folded):
			return out
		default:
			out = append(out, line)
		}
	}
	return out
}

// quotedByMarks reports whether the next line with text is quoted with ">".
func quotedByMarks(lines []string) bool {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			return strings.HasPrefix(line, ">")
		}
	}
	return false
}

// Text returns the plain text of a mail, and whether a machine wrote it. What cannot be read is "".
func Text(f io.Reader) (text string, automatic bool) {
	e, err := message.Read(io.LimitReader(f, maxMail))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return "", false
	}
	if byMachine(&e.Header) {
		return "", true
	}
	var page string
	r := mail.NewReader(e)
	for {
		p, err := r.NextPart()
		if p == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			break
		}
		h, ok := p.Header.(*mail.InlineHeader)
		if !ok {
			continue
		}
		kind, _, _ := h.ContentType()
		b, _ := io.ReadAll(io.LimitReader(p.Body, maxMail))
		switch {
		case (kind == "text/plain" || kind == "") && len(strings.TrimSpace(string(b))) > 0:
			return string(b), false
		case kind == "text/html" && page == "":
			page = string(b)
		}
	}
	return PlainText(page), false
}

// byMachine reports an automatic answer (RFC 3834 §5), also by the marks of programs that do not know that header.
func byMachine(h *message.Header) bool {
	if v := strings.ToLower(h.Get("Auto-Submitted")); v != "" && v != "no" {
		return true
	}
	switch strings.ToLower(h.Get("Precedence")) {
	case "bulk", "junk", "list", "auto_reply":
		return true
	}
	return h.Get("X-Autoreply") != "" || h.Get("X-Autorespond") != "" || strings.Contains(strings.ToLower(h.Get("X-Auto-Response-Suppress")), "all") && h.Get("In-Reply-To") == ""
}

var (
	breaks = regexp.MustCompile(`(?i)<(?:br|p|/p|div|/div|/li|/tr|hr|blockquote|table)\b[^>]*>`)
	unseen = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>|<!--.*?-->`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	// quoted is where quoted text begins in the HTML of the usual programs.
	quoted = regexp.MustCompile(`(?is)<blockquote\b.*|<div[^>]*\bclass=["']?(?:gmail_quote|moz-cite-prefix|yahoo_quoted)\b.*|<div[^>]*\bid=["']?(?:divRplyFwdMsg|appendonsend)\b.*`)
)

// PlainText makes readable lines of HTML, which some phones send alone.
func PlainText(page string) string {
	text := quoted.ReplaceAllString(unseen.ReplaceAllString(page, ""), "")
	text = strings.Join(strings.Fields(text), " ") // line ends of HTML are spaces
	text = tags.ReplaceAllString(breaks.ReplaceAllString(text, "\n"), "")
	return html.UnescapeString(text)
}
