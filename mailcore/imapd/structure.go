package imapd

import (
	"math"
	"mime"
	"strings"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
)

// envelope turns a stored envelope into the library's.
func envelope(e *mailcore.Envelope) *imap.Envelope {
	return &imap.Envelope{
		Date: e.Date, Subject: oneLine(e.Subject),
		From: persons(e.From), Sender: persons(e.Sender), ReplyTo: persons(e.ReplyTo),
		To: persons(e.To), Cc: persons(e.Cc), Bcc: persons(e.Bcc),
		InReplyTo: e.InReplyTo, MessageID: e.MessageID,
	}
}

// persons never returns an entry without mailbox or host, which would be read as the beginning or end of a group
// (RFC 9051 §7.5.2), and nil for none, so that Sender and Reply-To fall back to From.
func persons(list []mailcore.Person) []imap.Address {
	var out []imap.Address
	for _, p := range list {
		a := imap.Address{Name: oneLine(p.Name), Mailbox: p.Mailbox, Host: p.Host}
		if a.Mailbox == "" {
			a.Mailbox = "missing"
		}
		if a.Host == "" {
			a.Host = mailcore.NoHost
		}
		out = append(out, a)
	}
	return out
}

// oneLine keeps control characters out of what is shown in one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// maxDepth bounds the structure that is shown; deeper parts become opaque. Clients of this protocol recurse as well.
const maxDepth = 50

// bodyStructure turns the stored structure into the library's, with nothing in it that the library or a client chokes on:
// a multipart has children, a message/rfc822 has an envelope, a subtype is never empty.
func bodyStructure(p *mailcore.Part, depth int) imap.BodyStructure {
	if p.IsMultipart() && depth < maxDepth {
		multi := &imap.BodyStructureMultiPart{
			Subtype:  orText(p.Subtype, "mixed"),
			Extended: &imap.BodyStructureMultiPartExt{Params: params(p.Params), Disposition: disposition(p), Language: p.Language},
		}
		for _, c := range p.Children {
			multi.Children = append(multi.Children, bodyStructure(c, depth+1))
		}
		return multi
	}
	single := &imap.BodyStructureSinglePart{
		Type: orText(p.Type, "text"), Subtype: orText(p.Subtype, "plain"), Params: params(p.Params),
		ID: oneLine(p.ID), Description: encodeWord(p.Description), Encoding: oneLine(p.Encoding),
		Size:     uint32(min(p.BodySize, math.MaxUint32)),
		Extended: &imap.BodyStructureSinglePartExt{Disposition: disposition(p), Language: p.Language},
	}
	switch {
	case single.Type == "multipart" && depth < maxDepth: // without parts
		single.Type, single.Subtype, single.Params = "text", "plain", nil
		single.Text = &imap.BodyStructureText{NumLines: p.Lines}
	case single.Type == "multipart":
		single.Type, single.Subtype = "application", "octet-stream"
	case single.Type == "text":
		single.Text = &imap.BodyStructureText{NumLines: p.Lines}
	case isMessage(single) && p.Message != nil && p.Message.Root != nil && depth < maxDepth:
		single.MessageRFC822 = &imap.BodyStructureMessageRFC822{
			Envelope: envelope(&p.Message.Envelope), BodyStructure: bodyStructure(p.Message.Root, depth+1), NumLines: p.Lines,
		}
	case isMessage(single):
		single.Type, single.Subtype = "application", "octet-stream"
	}
	return single
}

// isMessage tells whether clients expect an envelope here (RFC 9051 §7.5.2: also of a message/global).
func isMessage(p *imap.BodyStructureSinglePart) bool {
	return strings.EqualFold(p.MediaType(), "message/rfc822") || strings.EqualFold(p.MediaType(), "message/global")
}

func orText(s, def string) string {
	if s == "" {
		return def
	}
	return oneLine(s)
}

func disposition(p *mailcore.Part) *imap.BodyStructureDisposition {
	if p.Disposition == "" {
		return nil
	}
	return &imap.BodyStructureDisposition{Value: oneLine(p.Disposition), Params: params(p.DispositionParams)}
}

// params writes values beyond ASCII, file names above all, as encoded words: what clients decode wherever it stands.
func params(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[oneLine(k)] = encodeWord(v)
	}
	return out
}

func encodeWord(s string) string { return mime.BEncoding.Encode("utf-8", oneLine(s)) }

// part returns the part that a section's numbers name, nil when there is none (RFC 9051 §6.4.5.1). A message that is no
// multipart has one part, 1.
func part(root *mailcore.Part, path []int) *mailcore.Part {
	level, p := root, root
	for i, n := range path {
		if i > 0 {
			switch {
			case p.IsMultipart():
				level = p
			case p.Message != nil && p.Message.Root != nil:
				level = p.Message.Root
			default:
				return nil
			}
		}
		switch {
		case level.IsMultipart() && n >= 1 && n <= len(level.Children):
			p = level.Children[n-1]
		case !level.IsMultipart() && n == 1:
			p = level
		default:
			return nil
		}
	}
	return p
}

// isAttachment reports whether fetching this part means taking a document along rather than looking at a letter.
func isAttachment(p *mailcore.Part) bool {
	if p.IsMultipart() {
		return false
	}
	named := p.Params["name"] != "" || p.DispositionParams["filename"] != ""
	return p.Disposition == "attachment" || named || p.Type != "text"
}
