package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore"
	"congvan/signing"
	"congvan/templates"
)

// submitKey begins the keys of the letters of this desk.
const submitKey = "submit-"

// letterKey names the letter that one step about one paper is told by.
func letterKey(entry, token, step string) string { return entry + token + "-" + step }

// A letterEnd is a short letter: what happened, why, what to do.
type letterEnd struct{ Head, Reason, Hint, Note string }

// submitLetter is the letter that tells what was read and asks.
type submitLetter struct {
	Files, Problem           string
	Hidden, Flagged, Differs bool
	Fields                   [][2]string
	Package, Doubts          []string
	Lines                    []submitLine
}

type submitLine struct {
	Ordinal  int
	Text, To string
}

// mendable words an error that the sender can do something about.
func mendable(err error) (text, hint string, ok bool) {
	var e *exchange.Error
	var h *hintError
	var b *badLine
	unread := unreadable(err)
	if !errors.As(err, &e) && !errors.As(err, &h) && !errors.As(err, &b) && !unread {
		return "", "", false
	}
	if errors.As(err, &b) {
		_, hint = explain(b.err)
		return b.Error(), hint, true
	}
	text, hint = explain(err)
	return capital(strings.TrimSuffix(text, ".")), hint, true
}

// capital begins a sentence.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// unreadable reports a file that cannot be read or sealed.
func unreadable(err error) bool {
	var p *intake.Problem
	var in *signing.InputError
	return errors.As(err, &p) || errors.As(err, &in)
}

// told tells what came of a step: the paper was issued, refused, or waits for an answer.
func (m *mailDesk) told(ctx context.Context, e *spoolEntry, step string, res *issueResult, err error) error {
	note := e.note.Mail
	key := letterKey(e.note.ID, note.Token, step)
	text, hint, known := mendable(err)
	switch {
	case err != nil && (!known || ctx.Err() != nil):
		return err // a fault of ours: it is tried again
	case err == nil && res.Waiting != "":
		return m.tell(ctx, key, *note, "Đã vào sổ: "+res.Reference, letterEnd{Head: fmt.Sprintf("Văn bản %s đã vào sổ và chờ đóng dấu: %s.", res.Reference, res.Waiting), Hint: "Hệ thống tự ký số và phát hành khi được. Không cần làm gì thêm."})
	case err == nil:
		return m.tell(ctx, key, *note, "Đã phát hành: "+res.Reference, letterEnd{Head: issuedHead(res), Hint: "Theo dõi: congvan status " + res.Reference + ".", Note: strings.Join(res.Warnings, "\n")})
	case exchange.IsCode(err, exchange.CodeSecret):
		return errors.Join(m.tell(ctx, key, *note, "Không nhận văn bản mật", letterEnd{Head: "Văn bản gửi tới để phát hành có dấu độ mật.", Reason: text + ".", Hint: hint}),
			m.in.exchange.Unpost(ctx, note.Letters...))
	case final(err):
		return m.tellFinal(ctx, e, key, text, hint)
	}
	return m.ask(ctx, e, key, res, err)
}

// tellFinal tells of a paper that does not wait: whoever mailed it has it, and a scan goes back beside the others.
func (m *mailDesk) tellFinal(ctx context.Context, e *spoolEntry, key, text, hint string) error {
	end := "tệp trong hệ thống đã bị xóa"
	if e.note.Mail.Folder != "" {
		files, err := e.files()
		if err != nil {
			return err
		}
		where, err := e.note.Mail.putBack(e.note.ID, files)
		if err != nil {
			return err
		}
		end = "tệp nằm trong thư mục " + where
	}
	return m.tell(ctx, key, *e.note.Mail, "Chưa phát hành được", letterEnd{Head: "Chưa phát hành văn bản gửi tới (" + e.note.names() + "); " + end + ".", Reason: text + ".", Hint: hint})
}

func issuedHead(res *issueResult) string {
	if res.Again {
		return fmt.Sprintf("Văn bản %s đã được phát hành từ trước: %d bản. Không gửi thêm bản nào.", res.Reference, res.Copies)
	}
	return fmt.Sprintf("Đã ký số và phát hành văn bản %s: %d bản.", res.Reference, res.Copies)
}

// ask sends the letter with what was read and the question. Where the guard is in doubt it tells nothing of the paper.
func (m *mailDesk) ask(ctx context.Context, e *spoolEntry, key string, res *issueResult, cause error) error {
	data := m.letterOf(e, res, cause)
	body, err := templates.Mail("submit.txt", data)
	if err != nil {
		return err
	}
	subject := "Chờ xác nhận phát hành"
	if res.Reference != "" && !data.Hidden {
		subject += ": " + res.Reference
	}
	e.note.Mail.Letters = appendOnce(e.note.Mail.Letters, submitKey+key)
	if err := e.write(); err != nil {
		return err
	}
	note := *e.note.Mail
	note.For = e.note.ID
	return m.post(ctx, key, note, subject, body)
}

func appendOnce(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

func (m *mailDesk) letterOf(e *spoolEntry, res *issueResult, cause error) submitLetter {
	data := submitLetter{Files: e.note.names()}
	if !errors.Is(cause, errUnconfirmed) {
		text, hint, _ := mendable(cause)
		data.Problem = strings.TrimSpace(text + ". " + hint)
	}
	c := res.read
	if c == nil {
		return data
	}
	p := c.p
	if len(p.Unread) > 0 {
		data.Doubts = append(data.Doubts, "Trang "+exchange.Ranges(p.Unread)+": máy chưa đọc được hoặc có thể có dấu mật.")
	}
	data.Doubts = append(data.Doubts, p.Suspects...)
	if data.Hidden = len(data.Doubts) > 0 && !p.Seen; data.Hidden {
		return data
	}
	if p.Seen {
		data.Doubts = nil
	}
	h := c.r.draft
	unit, _ := c.r.dir.Unit(p.Agency)
	for _, f := range [][2]string{{"Cơ quan ban hành", withCode(orElse(unit.Name, h.Heading.Issuer), p.Agency)}, {"Số, ký hiệu", p.Reference}, {"Ngày", p.IssuedOn}, {"Loại", p.Kind},
		{"Trích yếu", p.Abstract}, {"Người ký", p.Signer}, {"Độ khẩn", p.Urgency}, {"Số trang", fmt.Sprint(p.Pages)}} {
		if f[1] != "" {
			data.Fields = append(data.Fields, f)
		}
	}
	for _, f := range packageOf(p)[min(1, len(packageOf(p))):] {
		data.Package = append(data.Package, fmt.Sprintf("%s (%s, %s)", f.Name, formatWord(f.Format), sizeWord(f.Size)))
	}
	for _, l := range p.Lines {
		data.Lines = append(data.Lines, submitLine{l.Ordinal, l.Text, m.leads(c, l)})
	}
	for _, d := range p.Differences {
		if !d.Confirmed {
			data.Doubts, data.Differs = append(data.Doubts, d.Message), true
		}
	}
	for _, f := range append([]*exchange.File{p.Main}, p.Annexes...) {
		if f != nil && !f.Accepted && len(f.Doubts()) > 0 {
			data.Doubts, data.Flagged = append(data.Doubts, f.Info.Name+": "+strings.Join(f.Doubts(), " ")), true
		}
	}
	data.Doubts = append(data.Doubts, c.warnings...)
	return data
}

// leads words where a line leads to.
func (m *mailDesk) leads(c *candidate, l exchange.Line) string {
	switch l.Outcome {
	case exchange.Excused:
		return "không gửi: " + l.Why
	case exchange.OffSystem:
		return strings.TrimSpace("ngoài hệ thống: " + l.Name + " " + l.Address)
	case exchange.Open:
		text := "CHƯA RÕ gửi cho ai."
		for i, one := range l.Candidates {
			text += fmt.Sprintf(" %d. %s [%s]", i+1, one.Name, one.Code)
		}
		return text
	}
	var names []string
	for _, code := range l.Codes() {
		u, _ := c.r.dir.Unit(code)
		names = append(names, fmt.Sprintf("%s [%s]", u.Name, code))
	}
	if len(names) == 0 {
		return "không gửi: " + l.Why
	}
	return "→ " + strings.Join(names, "; ")
}

// tell sends a short letter.
func (m *mailDesk) tell(ctx context.Context, key string, note spoolMail, subject string, data letterEnd) error {
	body, err := templates.Mail("submitend.txt", data)
	if err != nil {
		return err
	}
	return m.post(ctx, key, note, subject, body)
}

func (m *mailDesk) post(ctx context.Context, key string, note spoolMail, subject, body string) error {
	p := exchange.Post{Key: submitKey + key, To: note.From, From: exchange.SubmitMailbox, Subject: subject, Text: body, InReplyTo: note.ID}
	if note.For != "" {
		p.ReplyTo = exchange.SubmitMailbox + "+" + note.For + "." + note.Token
	}
	if _, err := m.in.mail.Account(ctx, note.From); errors.Is(err, mailcore.ErrNoAccount) {
		return nil
	}
	_, err := m.in.exchange.Post(ctx, p)
	return err
}
