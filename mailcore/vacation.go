package mailcore

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode/utf8"

	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
)

// Bounds of notices of absence, which are no scripts as in RFC 5230.
const (
	vacationEvery = 7 * 24 * time.Hour // one sender is told so often (RFC 3834 §2)
	maxVacations  = 20                 // answers to one message
	MaxVacation   = 2000               // letters of a notice's text
)

// Errors of notices of absence.
var (
	ErrVacationDays = errors.New("the days of absence are no days, in the wrong order, or over")
	ErrVacationText = errors.New("the notice of absence is empty or too long")
	ErrVacationWho  = errors.New("only officers have a notice of absence: a unit's mail is looked at every half-day")
)

// A Vacation is an officer's notice of absence (báo vắng mặt).
type Vacation struct {
	Text string `db:"text"`
	From string `db:"from_day"` // civil dates, first and last day
	To   string `db:"to_day"`
}

// Vacation returns the notice of absence of an account, whether its days have come or not; false when there is none.
func (s *Store) Vacation(ctx context.Context, id AccountID) (v Vacation, ok bool, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &v, `SELECT text, from_day, to_day FROM vacation WHERE account_id = $1`, id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, wrap(err, "notice of absence of account %d", id)
}

// SetVacation keeps an officer's notice of absence in the place of an earlier one; everybody may be told anew.
func (s *Store) SetVacation(ctx context.Context, a Account, v Vacation) error {
	if a.Kind != Officer {
		return ErrVacationWho // QĐ 22/2009 Điều 11
	}
	v.Text = strings.TrimSpace(viettext.NFC(strings.ToValidUTF8(v.Text, "\uFFFD")))
	if n := utf8.RuneCountInString(v.Text); n == 0 || n > MaxVacation {
		return ErrVacationText
	}
	for _, day := range []string{v.From, v.To} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return ErrVacationDays
		}
	}
	return wrap(s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if v.From > v.To || v.To < civilDay(tx.Now) {
			return ErrVacationDays
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO vacation (account_id, text, from_day, to_day) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account_id) DO UPDATE SET text = excluded.text, from_day = excluded.from_day, to_day = excluded.to_day`, a.ID, v.Text, v.From, v.To); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM vacation_reply WHERE account_id = $1`, a.ID)
		return err
	}), "notice of absence of %s", a.Address)
}

// EndVacation takes a notice of absence back.
func (s *Store) EndVacation(ctx context.Context, id AccountID) error {
	return wrap(s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM vacation_reply WHERE account_id = $1`, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM vacation WHERE account_id = $1`, id)
		return err
	}), "end notice of absence of account %d", id)
}

// civilDay is the day in Việt Nam.
func civilDay(t time.Time) string {
	return t.In(time.FixedZone("+07", 7*3600)).Format(time.DateOnly)
}

// A VacationReply is an answer that waits to be sent.
type VacationReply struct {
	Body *Body

	account AccountID
	sender  Address
}

// VacationReplies writes the answers to a message that was just received for accounts: for those of them that are away and are
// named in To or Cc, unless the message is automatic, from a list, or its sender takes no answers (RFC 3834 §2). They are
// sent only by who then calls ClaimReplyTx.
func (s *Store) VacationReplies(ctx context.Context, b *Body, sender Address, accounts []AccountID) ([]VacationReply, error) {
	if len(accounts) == 0 || !takesAnswers(sender) {
		return nil, nil
	}
	away, err := s.away(ctx, accounts)
	if err != nil || len(away) == 0 {
		return nil, wrap(err, "who is away")
	}
	fields, sum, err := s.headerOf(b)
	if err != nil || isAutomatic(fields) {
		return nil, wrap(err, "header of %s", b.Digest)
	}
	named := map[Address]bool{}
	for _, p := range append(sum.Envelope.To, sum.Envelope.Cc...) {
		if a, err := ParseAddress(p.Mailbox + "@" + p.Host); err == nil {
			named[a] = true
		}
	}
	var out []VacationReply
	for _, v := range away {
		if !named[v.Address] || v.Address == sender || len(out) == maxVacations {
			continue
		}
		body, err := s.SaveBody(ctx, bytes.NewReader(v.compose(sender, sum, s.db.Now())), 0)
		if err != nil {
			return nil, fmt.Errorf("answer for %s: %w", v.Address, err)
		}
		out = append(out, VacationReply{body, v.ID, sender})
	}
	return out, nil
}

// ClaimReplyTx says whether the sender is to get the answer: once in seven days. What follows stands in the same transaction.
func (s *Store) ClaimReplyTx(ctx context.Context, tx *sqldb.Tx, r VacationReply) (bool, error) {
	n, err := tx.ExecContext(ctx, `INSERT INTO vacation_reply (account_id, sender, sent_at) VALUES ($1, $2, $3)
		ON CONFLICT (account_id, sender) DO UPDATE SET sent_at = excluded.sent_at WHERE vacation_reply.sent_at <= $4`,
		r.account, r.sender, tx.Now.UnixMicro(), tx.Now.Add(-vacationEvery).UnixMicro())
	if err != nil {
		return false, wrap(err, "note the answer to %s", r.sender)
	}
	rows, err := n.RowsAffected()
	return rows == 1, err
}

// An absence is somebody who is away today.
type absence struct {
	ID      AccountID `db:"id"`
	Address Address   `db:"address"`
	Name    string    `db:"name"`
	Vacation
}

func (s *Store) away(ctx context.Context, accounts []AccountID) (out []absence, err error) {
	wanted := map[AccountID]bool{}
	for _, id := range accounts {
		wanted[id] = true
	}
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		var all []absence // few: the table has only who is away
		err := tx.SelectContext(ctx, &all, `SELECT a.id, a.address, a.name, v.text, v.from_day, v.to_day FROM vacation v JOIN account a ON a.id = v.account_id
			WHERE v.from_day <= $1 AND v.to_day >= $1 AND a.closed_at IS NULL ORDER BY a.id`, civilDay(tx.Now))
		out = nil
		for _, v := range all {
			if wanted[v.ID] {
				out = append(out, v)
			}
		}
		return err
	})
	return out, err
}

func (s *Store) headerOf(b *Body) ([]field, *Summary, error) {
	sum, err := ParseSummary(b.Summary)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.OpenBody(b)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, min(sum.HeaderSize, maxHeader)))
	return parseFields(raw), sum, err
}

// takesAnswers reports whether an envelope sender is somebody who reads (RFC 3834 §2).
func takesAnswers(a Address) bool {
	local, _, tagged := strings.Cut(a.Local(), "+")
	switch {
	case a == "", tagged && (local == "traloi" || local == "tralai"): // the gateway's own
		return false
	case strings.HasPrefix(local, "owner-"), strings.HasSuffix(local, "-request"), strings.HasSuffix(local, "-owner"), strings.HasSuffix(local, "-bounces"):
		return false
	}
	switch strings.NewReplacer("-", "", "_", "", ".", "").Replace(local) {
	case "mailerdaemon", "postmaster", "noreply", "donotreply", "bounce", "bounces", "listserv", "majordomo", "nobody", "root":
		return false
	}
	return true
}

// isAutomatic reports whether a program or a list sent a message.
func isAutomatic(fields []field) bool {
	for _, f := range fields {
		value := strings.ToLower(strings.TrimSpace(f.value))
		switch {
		case f.name == "auto-submitted" && value != "no", strings.HasPrefix(f.name, "list-"), f.name == "x-auto-response-suppress", f.name == "feedback-id":
			return true
		case f.name == "precedence" && (value == "bulk" || value == "junk" || value == "list"):
			return true
		}
	}
	return false
}

// compose writes the answer (RFC 3834 §3); its envelope sender is the null one.
func (v absence) compose(to Address, sum *Summary, now time.Time) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	subject := "Trả lời tự động"
	if s := sum.Envelope.Subject; s != "" {
		subject += ": " + cut(s, 200)
	}
	line("From: %s <%s>", mime.BEncoding.Encode("UTF-8", viettext.NFC(v.Name)), v.Address)
	line("To: <%s>", to)
	line("Subject: %s", mime.BEncoding.Encode("UTF-8", viettext.NFC(subject)))
	line("Date: %s", now.In(time.FixedZone("+07", 7*3600)).Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	line("Message-ID: <%s@%s>", strings.ToLower(rand.Text()), v.Address.Domain())
	if id := sum.Envelope.MessageID; id != "" && utf8.RuneCountInString(id) == len(id) && !strings.ContainsAny(id, "<> ") {
		line("In-Reply-To: <%s>\r\nReferences: <%s>", id, id)
	}
	line("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n")
	w := quotedprintable.NewWriter(&b)
	text := strings.ReplaceAll(strings.ReplaceAll(v.Text, "\r\n", "\n"), "\n", "\r\n")
	fmt.Fprintf(w, "%s\r\n\r\n-- \r\n%s vắng mặt đến hết ngày %s. Thư trả lời tự động.\r\n", text, viettext.NFC(v.Name), vietnameseDay(v.To))
	w.Close()
	return b.Bytes()
}

func vietnameseDay(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	return t.Format("02/01/2006")
}
