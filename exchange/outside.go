package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/templates"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// Official mail from outside. A mail that a stranger sent to a unit is noted in the transaction that handles its arrival; a worker
// reads what PDFs it has, and what looks like a document is proposed to the unit as an entry of its sổ văn bản đến (NĐ 30/2020
// Điều 22). The mail itself is never touched: junk and ordinary mail stay what they are. One step of a person makes the entry:
// moving the mail or the letter about it to "Đã tiếp nhận", or a reply.

// An ArrivalDraft is what a PDF from outside says of itself.
type ArrivalDraft struct {
	Entry   Entry  `json:"entry"`
	Secrecy string `json:"secrecy,omitempty"` // the mark of secrecy that stands on it
	Verdict string `json:"verdict"`           // Vietnamese: what its signature is worth
	File    string `json:"file"`
}

// States of a mail from outside.
const (
	outsideWaiting   = "waiting" // to be read
	outsideProposed  = "proposed"
	outsideAccepted  = "accepted"
	outsideDismissed = "dismissed"
)

const (
	outsideLease = 20 * time.Minute // a scan of many pages takes a while
	outsideTries = 4
	outsidePDFs  = 5         // of one mail are read …
	outsideBytes = 100 << 20 // … of this size together
	outsideEvery = 30 * time.Second
	outsideRest  = 5 * time.Second // at most, between two mails
	outsideTag   = "ngoai-"        // in reply addresses; no copy's token has a hyphen
	outsideKey   = "outside-"
)

// An outsideMail is one row.
type outsideMail struct {
	ID      int64               `db:"id"`
	Unit    recipients.UnitCode `db:"unit"`
	Account mailcore.AccountID  `db:"account_id"`
	Message mailcore.MessageID  `db:"message_id"`
	Sender  mailcore.Address    `db:"sender"`
	Vouched mailcore.Address    `db:"vouched"`
	Secret  string              `db:"secret"`
	State   string              `db:"state"`
	Entry   string              `db:"entry"`
	Number  string              `db:"number"`
	Tries   int                 `db:"tries"`
	Arrived int64               `db:"arrived_at"`
}

const outsideColumns = `id, unit, account_id, message_id, sender, vouched, secret, state, entry, number, tries, arrived_at`

func (o *outsideMail) draft() (d ArrivalDraft, err error) {
	err = json.Unmarshal([]byte(o.Entry), &d)
	return d, err
}

func (o *outsideMail) ref() string { return "outside:" + fmt.Sprint(o.ID) }
func (o *outsideMail) key() string { return outsideKey + fmt.Sprint(o.ID) }

// noteOutside notes a mail that came to a unit's inbox from outside, in the transaction that ends its event.
func (s *Store) noteOutside(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival) error {
	if s.ReadArrival == nil || arrival.AuthAs != "" {
		return s.finish(ctx, ev, nil)
	}
	a, err := s.Mail.AccountByID(ctx, ev.Account)
	if err != nil {
		return err
	}
	if a.Kind != mailcore.Unit {
		return s.finish(ctx, ev, nil)
	}
	inbox, err := s.Mail.Mailbox(ctx, a.ID, mailcore.Inbox)
	if err != nil {
		return err
	}
	if inbox.ID != ev.Mailbox { // among the junk
		return s.finish(ctx, ev, nil)
	}
	_, root, err := s.structure(ctx, ev.Message)
	if err != nil {
		return err
	}
	if root == nil || onlyWords(root) { // as most mail: it need be neither noted nor read
		return s.finish(ctx, ev, nil)
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if ok, err := s.Mail.HandledTx(ctx, tx, ev.ID); err != nil || !ok {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO outside_mail (unit, account_id, mailbox_id, uid, message_id, sender, vouched, secret, state, arrived_at, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
			a.Unit, a.ID, ev.Mailbox, ev.UID, ev.Message, arrival.Sender, arrival.From, newSecret(), outsideWaiting, ev.At.UnixMicro(), tx.Now.UnixMicro())
		return err
	})
}

// onlyWords reports whether every part is text as it is typed. A text in base64 may be anything.
func onlyWords(p *mailcore.Part) bool {
	if p.IsMultipart() {
		return !slices.ContainsFunc(p.Children, func(c *mailcore.Part) bool { return !onlyWords(c) })
	}
	return p.Type == "text" && (p.Subtype == "plain" || p.Subtype == "html") && p.Encoding != "base64" && p.Encoding != "binary"
}

// RunOutside reads mail from outside until ctx ends.
func (s *Store) RunOutside(ctx context.Context) error {
	wake, end := s.db.Listen("mail_event")
	defer end()
	for {
		began := time.Now()
		found, _, err := s.readNextOutside(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("read mail from outside", "err", err)
		}
		more, rest := wake, outsideEvery
		if found { // a heap of mail must not take the machine from those who read theirs: it works a quarter of the time
			more, rest = nil, min(3*time.Since(began), outsideRest)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		case <-time.After(rest):
		}
	}
}

// ReadOutside reads every mail from outside that waits and returns how many became proposals. One that fails waits for its lease
// to end and stops no other.
func (s *Store) ReadOutside(ctx context.Context) (proposed int, err error) {
	for ctx.Err() == nil {
		found, is, e := s.readNextOutside(ctx)
		err = errors.Join(err, e)
		if is {
			proposed++
		}
		if !found {
			break
		}
	}
	return proposed, err
}

// readNextOutside reads one mail that waits, if there is one.
func (s *Store) readNextOutside(ctx context.Context) (found, proposed bool, err error) {
	o, err := s.claimOutside(ctx)
	if o == nil || err != nil {
		return false, false, err
	}
	if proposed, err = s.readOutside(ctx, o); err != nil {
		err = fmt.Errorf("mail %d from outside: %w", o.ID, err)
	}
	return true, proposed, err
}

func (s *Store) claimOutside(ctx context.Context) (*outsideMail, error) {
	var rows []outsideMail
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		rows = nil
		return tx.SelectContext(ctx, &rows, `UPDATE outside_mail SET lease_until = $1, tries = tries + 1
			WHERE id IN (SELECT id FROM outside_mail WHERE state = 'waiting' AND lease_until < $2 ORDER BY id LIMIT 1) AND state = 'waiting' AND lease_until < $3
			RETURNING `+outsideColumns, tx.Now.Add(outsideLease).UnixMicro(), tx.Now.UnixMicro(), tx.Now.UnixMicro())
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// readOutside looks for a document in one mail. What is none leaves no row.
func (s *Store) readOutside(ctx context.Context, o *outsideMail) (proposed bool, err error) {
	if o.Tries > outsideTries {
		s.Log.Warn("mail from outside cannot be read", "unit", o.Unit, "message", o.Message)
		return false, s.forgetOutside(ctx, o)
	}
	body, err := s.Mail.StoredBody(ctx, o.Message)
	if errors.Is(err, mailcore.ErrNoMessage) {
		return false, s.forgetOutside(ctx, o)
	}
	if err != nil {
		return false, err
	}
	f, err := s.Mail.Blobs().Open(body.Digest)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for _, pdf := range attachedPDFs(f) {
		d, err := s.readArrival(ctx, pdf)
		if err != nil {
			return false, err
		}
		if d != nil {
			return true, s.propose(ctx, o, d, pdf.data)
		}
	}
	return false, s.forgetOutsideBody(ctx, o.Message)
}

func (s *Store) forgetOutside(ctx context.Context, o *outsideMail) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM outside_mail WHERE id = $1 AND state = 'waiting'`, o.ID)
		return err
	})
}

// forgetOutsideBody ends with every mail of a body in which there is no document: a bulletin goes to all units at once.
func (s *Store) forgetOutsideBody(ctx context.Context, body mailcore.MessageID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM outside_mail WHERE message_id = $1 AND state = 'waiting'`, body)
		return err
	})
}

// attachedPDFs returns the PDFs of a mail, by their content, in their order.
func attachedPDFs(r io.Reader) (out []attached) {
	e, err := message.Read(r)
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return nil
	}
	left := int64(outsideBytes)
	parts := mail.NewReader(e)
	for n := 0; n < 100 && len(out) < outsidePDFs; n++ {
		p, err := parts.NextPart()
		if p == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			break
		}
		head := make([]byte, 1024)
		k, _ := io.ReadFull(p.Body, head)
		if !bytes.Contains(head[:k], []byte("%PDF-")) {
			continue
		}
		rest, err := io.ReadAll(io.LimitReader(p.Body, left+1))
		if left -= int64(len(rest)); err != nil || left < 0 {
			break
		}
		name := "van-ban.pdf"
		if a, ok := p.Header.(*mail.AttachmentHeader); ok {
			if given, err := a.Filename(); err == nil && given != "" {
				name = given
			}
		}
		out = append(out, attached{Name: name, MediaType: "application/pdf", data: append(head[:k:k], rest...)})
	}
	return out
}

// propose tells the unit of a document and lets its mail be moved as an act. The letter comes after the row: a crash between them
// reads again.
func (s *Store) propose(ctx context.Context, o *outsideMail, d *ArrivalDraft, pdf []byte) error {
	a, err := s.Mail.AccountByID(ctx, o.Account)
	if err != nil {
		return err
	}
	if d.Secrecy != "" { // nobody may have sent it this way; nothing of it is written anywhere
		text, err := templates.Mail("secretmail.txt", struct{ Sender, Secrecy string }{string(o.Sender), d.Secrecy})
		if err == nil {
			_, err = s.Post(ctx, Post{Key: o.key(), To: a.Address, Subject: "Thư có văn bản mật", Text: text})
		}
		if err != nil {
			return err
		}
		return s.forgetOutside(ctx, o)
	}
	sum := sha256.Sum256(pdf)
	d.Entry.Note = fmt.Sprintf("Thư điện tử của %s đến lúc %s; tệp SHA-256 %x", orUnknown(string(o.Sender)), time.UnixMicro(o.Arrived).In(hanoi).Format("15:04 02/01/2006"), sum)
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := s.tellProposal(ctx, o, a.Address, d); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outside_mail SET state = 'proposed', entry = $1, digest = $2, changed_at = $3 WHERE id = $4 AND state = 'waiting'`,
			string(raw), hex.EncodeToString(sum[:]), tx.Now.UnixMicro(), o.ID)
		if err != nil {
			return err
		}
		return s.Mail.SetRefTx(ctx, tx, o.Account, o.Message, o.ref())
	})
}

func orUnknown(s string) string {
	if s == "" {
		return "(không có địa chỉ)"
	}
	return s
}

// proposalData is what the letters about a proposal show.
type proposalData struct {
	Entry
	Date, File, Verdict, Sender, Number, Problem string
	Vouched, Paper                               bool
}

func (s *Store) tellProposal(ctx context.Context, o *outsideMail, to mailcore.Address, d *ArrivalDraft) error {
	paper, err := s.arrivalsOnPaper(ctx, o.Unit)
	if err != nil {
		return err
	}
	data := proposalData{Entry: d.Entry, Date: vietnameseDate(d.Entry.DatedOn), File: d.File, Verdict: d.Verdict, Sender: orUnknown(string(o.Sender)), Vouched: o.Vouched != "", Paper: paper}
	text, err := templates.Mail("proposed.txt", data)
	if err != nil {
		return err
	}
	_, err = s.Post(ctx, Post{Key: o.key(), To: to, From: ReplyMailbox, Subject: "Đề xuất vào sổ đến: " + d.Entry.Document, Text: text,
		ReplyTo: ReplyMailbox + "+" + outsideTag + fmt.Sprint(o.ID) + "." + o.Secret})
	return err
}

// arrivalsOnPaper reports whether the unit writes its numbers of arrival into a book of its own.
func (s *Store) arrivalsOnPaper(ctx context.Context, unit recipients.UnitCode) (paper bool, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := series(ctx, tx, unit, civilYear(CivilDate(tx.Now)), IncomingBook, "")
		paper = r.Mode != IssuedHere
		return err
	})
	return paper, err
}

func outsideByID(ctx context.Context, tx *sqldb.Tx, id int64) (*outsideMail, error) {
	var o outsideMail
	err := tx.GetContext(ctx, &o, `SELECT `+outsideColumns+` FROM outside_mail WHERE id = $1`, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, &Error{Missing, CodeNoDispatch, "outside"}
	}
	return &o, err
}

// outsideRef finds the proposal that a copy in a mailbox is about: the mail itself, or the letter.
func outsideRef(ref string) (id int64, ok bool) {
	rest, ok := strings.CutPrefix(ref, "outside:")
	if !ok {
		rest, ok = strings.CutPrefix(ref, postRef(outsideKey))
	}
	if !ok {
		return 0, false
	}
	_, err := fmt.Sscan(rest, &id)
	return id, err == nil
}
