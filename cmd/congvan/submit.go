package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/smtpd"
	"congvan/recipients"

	"github.com/emersion/go-smtp"
)

// A mailDesk issues papers that clerks mail to phathanh@. A mail there goes past store and database into the spool (smtpd's
// Diverter), is read and guarded as "congvan issue" does it, and its sender is told what was read, with one question. An answer to
// that letter issues the paper, corrects what was read, or drops it. The spool is the only memory: an entry "mailed" is worked on
// again after a crash, letters have keys, and issuing goes on where it stopped, so that nothing is done or told twice.
type mailDesk struct {
	in   *installation
	log  *slog.Logger
	wake chan struct{}

	mu    sync.Mutex
	later map[string]time.Time // entries that failed for reasons of ours
}

// A spoolMail is what the note of an entry keeps of the mail that it came by.
type spoolMail struct {
	From    mailcore.Address `json:"from"` // the account that sent it, and that is asked
	ID      string           `json:"id,omitempty"`
	For     string           `json:"for,omitempty"`     // of an answer: the entry that it is about …
	Token   string           `json:"token,omitempty"`   // … and what only its letters tell
	Said    []string         `json:"said,omitempty"`    // corrections so far
	Letters []string         `json:"letters,omitempty"` // keys of letters that tell of the paper
	Folder  string           `json:"folder,omitempty"`  // of the scanner, where it did not come by mail
}

const (
	deskEvery   = 10 * time.Second
	deskPause   = time.Minute // before what failed is tried again
	deskWaiting = 500         // entries that may wait in all
)

func (in *installation) newMailDesk() *mailDesk {
	return &mailDesk{in: in, log: in.log, wake: make(chan struct{}, 1), later: map[string]time.Time{}}
}

// answers are the answers that nobody has read yet: they are no papers, and lie apart.
func (m *mailDesk) answers() spool { return spool{m.in.cfg.path("answers")} }

// Diverts is for smtpd.
func (m *mailDesk) Diverts(rcpt mailcore.Address) bool {
	local, _, _ := strings.Cut(rcpt.Local(), "+")
	return local == exchange.SubmitMailbox && strings.EqualFold(rcpt.Domain(), m.in.cfg.Domain)
}

// Take is for smtpd: nil once the mail lies in the spool, or its sender has a letter that says why not.
func (m *mailDesk) Take(ctx context.Context, d smtpd.Diverted) error {
	by, err := m.clerk(ctx, d.AuthAs)
	if err != nil {
		return err
	}
	if len(by) == 0 {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1},
			Message: "Tai khoan nay khong duoc phat hanh van ban cua don vi nao / This account may issue for no unit"}
	}
	if list, err := m.in.spool().list(); err != nil || len(list) >= deskWaiting {
		m.log.Warn("mail to be issued waits with its sender", "entries", len(list), "err", err)
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "Qua nhieu van ban dang cho / Too many papers are waiting"}
	}
	paper, err := readMailed(d.Data)
	if err == nil {
		_, tag, _ := strings.Cut(d.Rcpt.Local(), "+")
		if id, token, answer := strings.Cut(tag, "."); answer {
			err = m.takeAnswer(paper, spoolMail{From: d.AuthAs, ID: d.MessageID, For: id, Token: token})
		} else {
			err = m.takePaper(paper, spoolMail{From: d.AuthAs, ID: d.MessageID, Token: newToken()})
		}
	}
	if text, hint, known := mendable(err); known {
		return m.tell(ctx, "refused-"+spoolID([]uploaded{{data: d.Data}}), spoolMail{From: d.AuthAs, ID: d.MessageID}, "Chưa nhận văn bản để phát hành",
			letterEnd{Head: "Hệ thống chưa nhận văn bản gửi tới để phát hành, và không lưu gì của thư.", Reason: text + ".", Hint: hint})
	}
	if err != nil {
		return err
	}
	m.wakeUp()
	return nil
}

func newToken() string { return strings.ToLower(rand.Text()[:16]) }

func (m *mailDesk) wakeUp() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailDesk) takePaper(paper *mailedPaper, note spoolMail) error {
	files, err := paper.paper()
	if err != nil {
		return err
	}
	return m.takeFiles(files, note)
}

func (m *mailDesk) takeFiles(files []uploaded, note spoolMail) error {
	e, err := m.in.spool().take(files, spoolNote{State: spoolMailed, By: string(note.From), Mail: &note})
	if err != nil {
		if n, gone := m.in.spool().note(spoolID(files)); gone == nil && n.Mail != nil && n.Mail.From == note.From {
			return nil // mailed again, as when our 250 was lost, while it is worked on
		}
		return err
	}
	defer e.lock.Close()
	switch {
	case e.note.Mail == nil: // it waits from the command line: now by mail
		e.note.Mail, e.note.State = &note, spoolMailed
		return e.write()
	case e.note.Mail.From != note.From:
		return &hintError{fmt.Errorf("chính các tệp này đang chờ phát hành, do %s gửi", e.note.Mail.From), "Người đó trả lời thư hỏi của hệ thống, hoặc hủy rồi gửi lại."}
	}
	return nil
}

func (m *mailDesk) takeAnswer(paper *mailedPaper, note spoolMail) error {
	text := []byte(paper.text)
	e, err := m.answers().take([]uploaded{{"tra-loi.txt", append(text, note.ID...)}}, spoolNote{State: spoolMailed, By: string(note.From), Mail: &note})
	if err != nil {
		return err
	}
	return e.lock.Close()
}

// clerk lists the units that an account may issue for today, with the number of the delegation under which: a unit's own account,
// or an officer with a written delegation (QĐ 22/2009 Điều 8).
func (m *mailDesk) clerk(ctx context.Context, address mailcore.Address) (map[recipients.UnitCode]string, error) {
	a, err := m.in.mail.Account(ctx, address)
	if err != nil || !a.ClosedAt.IsZero() {
		return nil, err
	}
	if a.Kind == mailcore.Unit {
		return map[recipients.UnitCode]string{recipients.UnitCode(a.Unit): ""}, nil
	}
	acts, err := m.in.mail.ActsFor(ctx, a.ID, time.Now())
	out := map[recipients.UnitCode]string{}
	for _, d := range acts {
		out[recipients.UnitCode(d.UnitCode)] = d.Number
	}
	return out, err
}

// run works on what came until ctx ends.
func (m *mailDesk) run(ctx context.Context) error {
	tick := time.NewTicker(deskEvery)
	defer tick.Stop()
	if _, err := m.answers().sweep(); err != nil {
		m.log.Error("sweep answers", "err", err)
	}
	for {
		m.pass(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-m.wake:
		}
	}
}

// pass works once on everything that waits for the desk; what fails does not keep the others.
func (m *mailDesk) pass(ctx context.Context) {
	for _, s := range []struct {
		spool
		work func(context.Context, *spoolEntry) error
	}{{m.in.spool(), m.paper}, {m.answers(), m.answer}} {
		notes, err := s.list()
		if err != nil {
			m.log.Error("list what came by mail", "err", err)
		}
		for _, n := range notes {
			if n.State != spoolMailed || n.Mail == nil || ctx.Err() != nil || !m.due(n.ID) {
				continue
			}
			e, err := s.open(n.ID)
			if err == nil {
				err = s.work(ctx, e)
			}
			var locked *hintError
			if errors.As(err, &locked) && e == nil {
				continue // another process works on it
			}
			if err != nil && ctx.Err() == nil {
				m.log.Error("paper that came by mail", "entry", n.ID, "err", err)
				m.postpone(n.ID)
			}
		}
	}
}

func (m *mailDesk) due(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().After(m.later[id])
}

func (m *mailDesk) postpone(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.later) > 2*deskWaiting {
		clear(m.later)
	}
	m.later[id] = time.Now().Add(deskPause)
}

// paper reads a paper that just came, and asks.
func (m *mailDesk) paper(ctx context.Context, e *spoolEntry) error {
	return m.work(ctx, e, step{name: "new", who: e.note.Mail.From})
}

// A step is what makes a paper go on: that it came, or an answer.
type step struct {
	name  string // the same again is the same step
	who   mailcore.Address
	lines []string // corrections
	yes   bool     // the word to issue
}

// work takes a paper as far as the answers allow.
func (m *mailDesk) work(ctx context.Context, e *spoolEntry, st step) error {
	by, err := m.clerk(ctx, st.who)
	if err != nil {
		return errors.Join(err, e.lock.Close())
	}
	said := append(append([]string{}, e.note.Mail.Said...), st.lines...)
	typed, err := typedIn(said)
	if err != nil { // a date that is none
		return errors.Join(m.told(ctx, e, st.name, &issueResult{}, &badLine{strings.Join(st.lines, "; "), err}), e.keep())
	}
	id, gone := e.note.ID, false
	d := &desk{in: m.in, s: &streams{}, flags: issueFlags{json: true, said: typed}, said: &decisions{}}
	d.by = func(agency recipients.UnitCode) exchange.Actor {
		if _, ok := by[agency]; !ok {
			return exchange.Actor{Address: st.who} // entitled to nothing
		}
		return exchange.Actor{Address: st.who, Unit: agency, Delegation: by[agency]}
	}
	d.gate = func(ctx context.Context, c *candidate) error {
		if _, ok := by[c.p.Agency]; !ok {
			return &exchange.Error{Class: exchange.Forbidden, Code: exchange.CodeNotEntitled, Detail: string(c.p.Agency)}
		}
		if err := c.correct(ctx, d.by(c.p.Agency), said); err != nil {
			return err
		}
		c.p.NotSecret = c.p.NotSecret || st.yes && (c.p.Seen || len(c.p.Unread)+len(c.p.Suspects) == 0)
		if err := c.p.Ready(); err != nil && (st.yes || !exchange.IsCode(err, exchange.CodeSecrecyAsked)) {
			return err
		}
		if !st.yes {
			return errUnconfirmed
		}
		return nil
	}
	d.told = func(ctx context.Context, res *issueResult, err error) error {
		var bad *badLine
		if !errors.As(err, &bad) {
			e.note.Mail.Said = said
		}
		if err := m.told(ctx, e, st.name, res, err); err != nil {
			return err
		}
		gone = err != nil && final(err)
		return nil
	}
	_, err = d.work(ctx, e)
	if gone && !exchange.IsCode(err, exchange.CodeSecret) {
		return m.in.spool().drop(id) // its sender was told and has the files
	}
	if _, _, known := mendable(err); known {
		return nil // it was told
	}
	return err
}

// errUnconfirmed is what a paper waits for that lacks nothing else.
var errUnconfirmed = &hintError{errors.New("chưa có câu trả lời «Phát hành»"), ""}

// final reports errors after which the paper does not wait: no answer could mend them.
func final(err error) bool {
	return unreadable(err) || exchange.IsCode(err, exchange.CodeNotEntitled) || exchange.IsCode(err, exchange.CodeSameFile) || exchange.IsCode(err, exchange.CodeNumberTaken)
}

// answer does what somebody answered about a waiting paper.
func (m *mailDesk) answer(ctx context.Context, a *spoolEntry) error {
	note := a.note.Mail
	files, err := a.files()
	if err != nil {
		return errors.Join(err, a.erase())
	}
	text := strings.TrimSuffix(string(files[0].data), note.ID)
	e, err := m.in.spool().open(note.For)
	var missing *hintError
	switch {
	case errors.As(err, &missing) && m.exists(note.For):
		return errors.Join(err, a.lock.Close()) // somebody works on it just now
	case err != nil:
		return errors.Join(m.tellGone(ctx, a), a.erase())
	case e.note.Mail == nil || !m.mayAnswer(ctx, e.note.Mail.From, note.From) || subtle.ConstantTimeCompare([]byte(e.note.Mail.Token), []byte(note.Token)) != 1:
		m.log.Warn("answer about somebody else's paper", "entry", note.For, "from", note.From)
		return errors.Join(e.lock.Close(), m.tellGone(ctx, a), a.erase())
	}
	said := readAnswer(text)
	switch problem := said.problem(); {
	case problem != "":
		err = errors.Join(m.tell(ctx, "puzzled-"+a.note.ID, m.toldBy(e, note), "Chưa hiểu trả lời", letterEnd{
			Head: "Hệ thống chưa làm gì: " + problem + ".", Hint: "Văn bản vẫn chờ. Trả lời thư này với một dòng «Phát hành» hoặc «Hủy»; sửa thì mỗi dòng một việc, ví dụ «Dòng 3: stttt», «Độ mật: không»."}), e.lock.Close())
	case said.drop:
		err = m.away(ctx, e, note.From, "Đã hủy: không phát hành, mọi tệp của văn bản đã bị ghi đè và xóa.", "")
	case said.secrecy != "" && said.secrecy != "không":
		err = m.away(ctx, e, note.From, "Văn bản mật không phát hành qua hệ thống này (Điều 10, Quyết định 22/2009/QĐ-UBND). Mọi tệp và các thư hỏi về văn bản đã bị xóa.", said.secrecy)
	default:
		err = m.work(ctx, e, step{a.note.ID, note.From, said.lines, said.yes})
	}
	if err != nil {
		return errors.Join(err, a.lock.Close())
	}
	return a.erase()
}

// mayAnswer says whether who may answer what asked was asked: itself, or for a unit's mailbox an officer who acts for it today.
func (m *mailDesk) mayAnswer(ctx context.Context, asked, who mailcore.Address) bool {
	if asked == who {
		return true
	}
	a, err := m.in.mail.Account(ctx, asked)
	if err != nil || a.Kind != mailcore.Unit {
		return false
	}
	by, err := m.clerk(ctx, who)
	_, ok := by[recipients.UnitCode(a.Unit)]
	return err == nil && ok
}

func (m *mailDesk) exists(id string) bool {
	_, err := m.in.spool().note(id)
	return err == nil
}

// toldBy is the thread of a letter about an entry that answers a mail.
func (m *mailDesk) toldBy(e *spoolEntry, answer *spoolMail) spoolMail {
	out := *e.note.Mail
	out.ID, out.For = answer.ID, e.note.ID
	return out
}

// away ends an entry: dropped, or secret as its clerk said.
func (m *mailDesk) away(ctx context.Context, e *spoolEntry, who mailcore.Address, text, secrecy string) error {
	note, id := *e.note.Mail, e.note.ID
	if err := m.tell(ctx, "end-"+id+note.Token, note, "Không phát hành", letterEnd{Head: text}); err != nil {
		return errors.Join(err, e.lock.Close())
	}
	if secrecy != "" {
		by, err := m.clerk(ctx, who)
		if err == nil {
			err = m.in.exchange.Unpost(ctx, note.Letters...)
		}
		if err == nil {
			agency := recipients.UnitCode(e.note.Issuer)
			err = m.in.exchange.RefuseSecret(ctx, exchange.Actor{Address: who, Unit: agency, Delegation: by[agency]}, agency, secrecy)
		}
		if err != nil {
			return errors.Join(err, e.lock.Close())
		}
	}
	return e.erase()
}

// tellGone answers an answer about a paper that waits no more, unless this is the answer that ended it, read again after a crash.
func (m *mailDesk) tellGone(ctx context.Context, a *spoolEntry) error {
	note := a.note.Mail
	for _, key := range []string{"end-" + note.For + note.Token, letterKey(note.For, note.Token, a.note.ID)} {
		if known, err := m.in.exchange.Posted(ctx, submitKey+key); known || err != nil {
			return err
		}
	}
	return m.tell(ctx, "gone-"+a.note.ID, spoolMail{From: note.From, ID: note.ID}, "Không còn văn bản chờ", letterEnd{
		Head: "Không còn văn bản nào chờ trả lời này: văn bản đã được phát hành, đã hủy, hoặc thư trả lời không từ tài khoản đã gửi văn bản.",
		Hint: fmt.Sprintf("Muốn phát hành, gửi tệp PDF tới %s@%s.", exchange.SubmitMailbox, m.in.cfg.Domain)})
}
