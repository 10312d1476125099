package mailcore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode"

	"congvan/mailcore/sqldb"

	"golang.org/x/text/unicode/norm"
)

// Errors of mailboxes.
var (
	ErrNoMailbox      = errors.New("no such mailbox")
	ErrMailboxExists  = errors.New("mailbox exists")
	ErrMailboxName    = errors.New("not a mailbox name")
	ErrMailboxIsFixed = errors.New("this mailbox can be neither deleted nor renamed")
)

// A Mailbox is a folder of an account. '/' parts levels of its name.
type Mailbox struct {
	ID          MailboxID `db:"id"`
	Account     AccountID `db:"account_id"`
	Name        string    `db:"name"`
	SpecialUse  string    `db:"special_use"` // RFC 6154, such as \Sent; "" for none
	UIDValidity uint32    `db:"uid_validity"`
	UIDNext     UID       `db:"uid_next"`
	ModSeq      uint64    `db:"modseq"` // of the last change in it
	Subscribed  bool      `db:"subscribed"`
}

// A MailboxStatus is a mailbox and what is in it.
type MailboxStatus struct {
	Mailbox
	Messages, Unseen, Deleted int
	Size, DeletedSize         int64 // of all, and of those with \Deleted
}

// Inbox is the name of the mailbox that every account has.
const Inbox = "INBOX"

// The folders of a unit into which a move is an act. They cannot be deleted or renamed.
const (
	FolderAccepted   = "Đã tiếp nhận"
	FolderInProgress = "Đang xử lý"
	FolderCompleted  = "Hoàn thành"
	FolderRefused    = "Từ chối"
)

// JunkUse marks the folder for unwanted mail (RFC 6154).
const JunkUse = `\Junk`

// defaults are the mailboxes of a new account. The names are what people here see; clients go by the special use.
var defaults = []struct{ name, specialUse string }{
	{Inbox, ""}, {"Đã gửi", `\Sent`}, {"Thư nháp", `\Drafts`}, {"Thư rác", JunkUse}, {"Thùng rác", `\Trash`},
}

// workflow are the mailboxes of a unit into which a move is an act.
var workflow = []string{FolderAccepted, FolderInProgress, FolderCompleted, FolderRefused}

// specialUses are the attributes that a client may give (RFC 6154 §2), in lower case.
var specialUses = map[string]string{"": "", `\all`: `\All`, `\archive`: `\Archive`, `\drafts`: `\Drafts`, `\flagged`: `\Flagged`,
	`\junk`: `\Junk`, `\sent`: `\Sent`, `\trash`: `\Trash`}

const mailboxColumns = `id, account_id, name, special_use, uid_validity, uid_next, modseq, subscribed`

func insertDefaultMailboxes(ctx context.Context, tx *sqldb.Tx, accounts []Account) error {
	var rows [][]any
	for _, account := range accounts {
		for _, d := range defaults {
			rows = append(rows, []any{account.ID, d.name, d.specialUse, tx.Now.Unix()})
		}
		if account.Kind == Unit {
			for _, name := range workflow {
				rows = append(rows, []any{account.ID, name, "", tx.Now.Unix()})
			}
		}
	}
	return tx.InsertRows(ctx, `INSERT INTO mailbox (account_id, name, special_use, uid_validity)`, rows, "")
}

// mailboxName returns the one spelling of a name: composed, INBOX in capitals.
func mailboxName(name string) (string, error) {
	name = norm.NFC.String(name)
	levels := strings.Split(name, "/")
	if strings.EqualFold(levels[0], Inbox) {
		levels[0] = Inbox
	}
	for _, level := range levels {
		if level == "" || level != strings.TrimSpace(level) {
			return "", fmt.Errorf("mailbox %q: %w", name, ErrMailboxName)
		}
	}
	bad := func(r rune) bool { return r == '%' || r == '*' || r == unicode.ReplacementChar || unicode.IsControl(r) }
	if len(name) > 500 || strings.ContainsFunc(name, bad) {
		return "", fmt.Errorf("mailbox %q: %w", name, ErrMailboxName)
	}
	return strings.Join(levels, "/"), nil
}

// Mailboxes returns an account's mailboxes by name, INBOX first.
func (s *Store) Mailboxes(ctx context.Context, account AccountID) ([]Mailbox, error) {
	var out []Mailbox
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &out, `SELECT `+mailboxColumns+` FROM mailbox WHERE account_id = $1`, account)
	})
	sort.Slice(out, func(i, j int) bool {
		if (out[i].Name == Inbox) != (out[j].Name == Inbox) {
			return out[i].Name == Inbox
		}
		return out[i].Name < out[j].Name
	})
	return out, wrap(err, "mailboxes of account %d", account)
}

// Mailbox returns one of them; ErrNoMailbox. INBOX counts in any case.
func (s *Store) Mailbox(ctx context.Context, account AccountID, name string) (Mailbox, error) {
	name, err := mailboxName(name)
	if err != nil {
		return Mailbox{}, errors.Join(ErrNoMailbox, err)
	}
	var m Mailbox
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) (err error) {
		m, err = mailboxNamed(ctx, tx, account, name)
		return err
	})
	return m, wrap(err, "mailbox %q of account %d", name, account)
}

// MailboxByID returns a mailbox; ErrNoMailbox.
func (s *Store) MailboxByID(ctx context.Context, id MailboxID) (Mailbox, error) {
	var m Mailbox
	err := s.db.Ask(ctx, func(tx *sqldb.Tx) (err error) {
		m, err = mailboxByID(ctx, tx, id)
		return err
	})
	return m, wrap(err, "mailbox %d", id)
}

func mailboxNamed(ctx context.Context, tx *sqldb.Tx, account AccountID, name string) (Mailbox, error) {
	var m Mailbox
	err := tx.GetContext(ctx, &m, `SELECT `+mailboxColumns+` FROM mailbox WHERE account_id = $1 AND name = $2`, account, name)
	return m, orNoMailbox(err)
}

func mailboxByID(ctx context.Context, tx *sqldb.Tx, id MailboxID) (Mailbox, error) {
	var m Mailbox
	err := tx.GetContext(ctx, &m, `SELECT `+mailboxColumns+` FROM mailbox WHERE id = $1`, id)
	return m, orNoMailbox(err)
}

// lockMailbox keeps every other change of the mailbox waiting until the transaction ends.
func lockMailbox(ctx context.Context, tx *sqldb.Tx, id MailboxID) (Mailbox, error) {
	var m Mailbox
	err := tx.GetContext(ctx, &m, `UPDATE mailbox SET modseq = modseq WHERE id = $1 RETURNING `+mailboxColumns, id)
	return m, orNoMailbox(err)
}

// nextModSeq takes the sequence of a change in a locked mailbox, which adds so many bytes, and wakes who watches it.
func nextModSeq(ctx context.Context, tx *sqldb.Tx, id MailboxID, bytes int64) (uint64, error) {
	var modseq uint64
	err := tx.GetContext(ctx, &modseq, `UPDATE mailbox SET modseq = modseq + 1, bytes = bytes + $1 WHERE id = $2 RETURNING modseq`, bytes, id)
	tx.Wake(MailboxTopic(id))
	return modseq, err
}

func orNoMailbox(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoMailbox
	}
	return err
}

// CreateMailbox creates a mailbox and the levels above it that are missing; ErrMailboxExists, ErrMailboxName.
func (s *Store) CreateMailbox(ctx context.Context, account AccountID, name, specialUse string) (Mailbox, error) {
	name, err := mailboxName(strings.TrimSuffix(name, "/")) // a client may end it so (RFC 9051 §6.3.4)
	if err != nil {
		return Mailbox{}, err
	}
	use, known := specialUses[strings.ToLower(specialUse)]
	if !known {
		return Mailbox{}, fmt.Errorf("create mailbox %q: special use %q is not known", name, specialUse)
	}
	var m Mailbox
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		validity, err := nextUIDValidity(ctx, tx, account)
		if err != nil {
			return err
		}
		switch _, err := mailboxNamed(ctx, tx, account, name); {
		case err == nil:
			return ErrMailboxExists
		case !errors.Is(err, ErrNoMailbox):
			return err
		}
		if err := createAbove(ctx, tx, account, name, validity); err != nil {
			return err
		}
		return tx.GetContext(ctx, &m, `INSERT INTO mailbox (account_id, name, special_use, uid_validity) VALUES ($1, $2, $3, $4)
			RETURNING `+mailboxColumns, account, name, use, validity)
	})
	return m, wrap(err, "create mailbox %q", name)
}

// nextUIDValidity takes a number that no mailbox of the account ever had, so that one made anew under an old name is not
// taken for it (RFC 9051 §2.3.1.1). It also keeps two sessions from changing the account's mailboxes at once.
func nextUIDValidity(ctx context.Context, tx *sqldb.Tx, account AccountID) (int64, error) {
	var v int64
	err := tx.GetContext(ctx, &v, `UPDATE account SET uid_validity = CASE WHEN uid_validity < $1 THEN $1 ELSE uid_validity + 1 END
		WHERE id = $2 RETURNING uid_validity`, tx.Now.Unix(), account)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoAccount
	}
	return v, err
}

// createAbove makes the missing levels above a name.
func createAbove(ctx context.Context, tx *sqldb.Tx, account AccountID, name string, validity int64) error {
	for i := range name {
		if name[i] != '/' {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO mailbox (account_id, name, uid_validity) VALUES ($1, $2, $3)
			ON CONFLICT (account_id, name) DO NOTHING`, account, name[:i], validity)
		if err != nil {
			return err
		}
	}
	return nil
}

// isFixed reports whether a mailbox must stay as it is.
func isFixed(kind AccountKind, name string) bool {
	if name == Inbox {
		return true
	}
	if kind == Unit {
		for _, w := range workflow {
			if name == w {
				return true
			}
		}
	}
	return false
}

// changeable returns a mailbox by name for a change of its name or existence.
func changeable(ctx context.Context, tx *sqldb.Tx, account AccountID, name string) (Mailbox, error) {
	if _, err := nextUIDValidity(ctx, tx, account); err != nil {
		return Mailbox{}, err
	}
	var kind AccountKind
	if err := tx.GetContext(ctx, &kind, `SELECT kind FROM account WHERE id = $1`, account); err != nil {
		return Mailbox{}, err
	}
	m, err := mailboxNamed(ctx, tx, account, name)
	if err == nil && isFixed(kind, name) {
		err = ErrMailboxIsFixed
	}
	return m, err
}

// DeleteMailbox deletes a mailbox with what is in it; mailboxes below it stay. ErrMailboxIsFixed for INBOX and a unit's
// folders that are acts.
func (s *Store) DeleteMailbox(ctx context.Context, by Account, account AccountID, name string) error {
	name, err := mailboxName(name)
	if err != nil {
		return errors.Join(ErrNoMailbox, err)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		m, err := changeable(ctx, tx, account, name)
		if err != nil {
			return err
		}
		if m, err = lockMailbox(ctx, tx, m.ID); err != nil {
			return err
		}
		var gone []copyRow
		if err := tx.SelectContext(ctx, &gone, `SELECT uid, message_id, flags, ref, prefix FROM mailbox_message
			WHERE mailbox_id = $1 AND ref <> ''`, m.ID); err != nil {
			return err
		}
		for _, table := range []string{"mailbox_message", "vanished"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE mailbox_id = $1`, m.ID); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM mailbox WHERE id = $1`, m.ID); err != nil {
			return err
		}
		tx.Wake(MailboxTopic(m.ID))
		return tellDeleted(ctx, tx, by, m, gone)
	})
	return wrap(err, "delete mailbox %q", name)
}

// RenameMailbox renames a mailbox and those below it; ErrMailboxIsFixed as for DeleteMailbox.
func (s *Store) RenameMailbox(ctx context.Context, account AccountID, from, to string) error {
	from, err := mailboxName(from)
	if err != nil {
		return errors.Join(ErrNoMailbox, err)
	}
	if to, err = mailboxName(strings.TrimSuffix(to, "/")); err != nil {
		return err
	}
	if strings.HasPrefix(to, from+"/") {
		return fmt.Errorf("rename mailbox %q into itself: %w", from, ErrMailboxName)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := changeable(ctx, tx, account, from); err != nil {
			return err
		}
		return rename(ctx, tx, account, from, to)
	})
	return wrap(err, "rename mailbox %q to %q", from, to)
}

func rename(ctx context.Context, tx *sqldb.Tx, account AccountID, from, to string) error {
	var boxes []Mailbox
	if err := tx.SelectContext(ctx, &boxes, `SELECT `+mailboxColumns+` FROM mailbox WHERE account_id = $1`, account); err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, m := range boxes {
		taken[m.Name] = true
	}
	if taken[to] {
		return ErrMailboxExists
	}
	var validity int64
	if err := tx.GetContext(ctx, &validity, `SELECT uid_validity FROM account WHERE id = $1`, account); err != nil {
		return err
	}
	if err := createAbove(ctx, tx, account, to, validity); err != nil {
		return err
	}
	for _, m := range boxes {
		rest, ok := strings.CutPrefix(m.Name, from)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		name := to + rest
		if taken[name] {
			return fmt.Errorf("%q: %w", name, ErrMailboxExists)
		}
		if len(name) > 500 {
			return fmt.Errorf("%q is too long: %w", name, ErrMailboxName)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE mailbox SET name = $1 WHERE id = $2`, name, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// SubscribeMailbox notes whether clients list it by default.
func (s *Store) SubscribeMailbox(ctx context.Context, account AccountID, name string, on bool) error {
	name, err := mailboxName(name)
	if err != nil {
		return errors.Join(ErrNoMailbox, err)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		return changeOne(ctx, tx, ErrNoMailbox, `UPDATE mailbox SET subscribed = $1 WHERE account_id = $2 AND name = $3`, on, account, name)
	})
	return wrap(err, "subscribe mailbox %q", name)
}
