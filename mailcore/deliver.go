package mailcore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
)

// A Copy is one row to be written: a body shown in a mailbox.
type Copy struct {
	Account AccountID // into its INBOX …
	Mailbox MailboxID // … unless a mailbox is named …
	Junk    bool      // … or it belongs among the unwanted mail, where that exists
	Prefix  []byte    // header lines of this copy alone, each ended by CRLF
	Ref     string    // what this copy is to the room above, at most once an account
	Flags   []string
	Arrived *Arrival // not nil: also tell the room above that this mail arrived
}

// An Arrival is how a mail came; it becomes the detail of the event "arrived".
type Arrival struct {
	Sender Address `json:"sender"`
	Rcpt   Address `json:"rcpt"`              // as the envelope had it, token of a reply address included
	AuthAs Address `json:"auth_as,omitempty"` // account that submitted it, "" from outside
	Remote string  `json:"remote,omitempty"`
	From   Address `json:"from,omitempty"` // the address in the header, if its domain stands behind the mail (DMARC)
}

// Placed is where a copy went.
type Placed struct {
	Mailbox MailboxID
	UID     UID
}

// ErrBadPrefix says that a prefix is not whole header lines: the body's own header would not follow it.
var ErrBadPrefix = errors.New("prefix is not header lines that end in CRLF")

// DeliverTx shows a saved body in every mailbox named, as part of the caller's transaction: a handful of statements
// whatever the number of copies. The answer is in the order of copies. A mailbox that stands twice gets two copies.
func (s *Store) DeliverTx(ctx context.Context, tx *sqldb.Tx, b *Body, copies []Copy) ([]Placed, error) {
	placed, err := s.deliver(ctx, tx, b, copies, tx.Now)
	return placed, wrap(err, "deliver %s", b.Digest)
}

// Deliver is DeliverTx in a transaction of its own.
func (s *Store) Deliver(ctx context.Context, b *Body, copies []Copy) ([]Placed, error) {
	var placed []Placed
	err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		placed, err = s.DeliverTx(ctx, tx, b, copies)
		return err
	})
	return placed, err
}

// A placement is a copy on its way to its row.
type placement struct {
	Copy
	index  int // in the caller's list
	round  int // the nth copy for one mailbox goes in round n: a statement gives each mailbox one UID
	flags  string
	uid    UID
	modseq uint64
}

func (s *Store) deliver(ctx context.Context, tx *sqldb.Tx, b *Body, copies []Copy, at time.Time) ([]Placed, error) {
	if len(copies) == 0 {
		return nil, nil
	}
	rows, err := placements(ctx, tx, copies)
	if err != nil {
		return nil, err
	}
	message, err := upsertMessage(ctx, tx, b)
	if err != nil {
		return nil, err
	}
	for start := 0; start < len(rows); {
		end := start + 1
		for end < len(rows) && end < start+maxChunk && rows[end].round == rows[start].round {
			end++
		}
		if err := s.takeUIDs(ctx, tx, rows[start:end], b.Size); err != nil {
			return nil, err
		}
		if err := insertCopies(ctx, tx, message, at, rows[start:end]); err != nil {
			return nil, err
		}
		start = end
	}
	if err := tellArrived(ctx, tx, message, rows); err != nil {
		return nil, err
	}
	placed := make([]Placed, len(copies))
	for i := range rows {
		placed[rows[i].index] = Placed{rows[i].Mailbox, rows[i].uid}
		tx.Wake(MailboxTopic(rows[i].Mailbox))
	}
	return placed, nil
}

// placements finds every copy's mailbox and puts the copies into rounds, by mailbox inside: whoever locks several mailboxes
// does so in this order.
func placements(ctx context.Context, tx *sqldb.Tx, copies []Copy) ([]placement, error) {
	inbox, err := inboxes(ctx, tx, copies)
	if err != nil {
		return nil, err
	}
	rows := make([]placement, len(copies))
	rounds := map[MailboxID]int{}
	for i, c := range copies {
		if len(c.Prefix) > 0 && (!bytes.HasSuffix(c.Prefix, []byte("\r\n")) || bytes.HasPrefix(c.Prefix, []byte("\r\n")) || bytes.Contains(c.Prefix, []byte("\r\n\r\n"))) {
			return nil, ErrBadPrefix
		}
		flags, err := parseFlags(c.Flags)
		if err != nil {
			return nil, err
		}
		if c.Mailbox == 0 {
			if c.Mailbox = inbox[home{c.Account, c.Junk}]; c.Mailbox == 0 {
				c.Mailbox = inbox[home{c.Account, false}]
			}
			if c.Mailbox == 0 {
				return nil, fmt.Errorf("account %d: %w", c.Account, ErrNoMailbox)
			}
		}
		rows[i] = placement{Copy: c, index: i, round: rounds[c.Mailbox], flags: strings.Join(flags, " ")}
		rounds[c.Mailbox]++
	}
	slices.SortFunc(rows, func(a, b placement) int {
		return cmp.Or(cmp.Compare(a.round, b.round), cmp.Compare(a.Mailbox, b.Mailbox))
	})
	return rows, nil
}

// A home is where mail for an account arrives: its INBOX, or its folder for unwanted mail.
type home struct {
	account AccountID
	junk    bool
}

// inboxes returns the folders that mail arrives in, of each account that a copy names without a mailbox.
func inboxes(ctx context.Context, tx *sqldb.Tx, copies []Copy) (map[home]MailboxID, error) {
	out := map[home]MailboxID{}
	seen := map[AccountID]bool{}
	var accounts []AccountID
	for _, c := range copies {
		if c.Mailbox == 0 && !seen[c.Account] {
			seen[c.Account] = true
			accounts = append(accounts, c.Account)
		}
	}
	for chunk := range slices.Chunk(accounts, maxChunk) {
		a := args{Inbox, JunkUse}
		var found []Mailbox
		err := tx.SelectContext(ctx, &found, `SELECT id, account_id, name, special_use FROM mailbox WHERE (name = $1 OR special_use = $2) AND account_id IN `+list(&a, chunk), a...)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			out[home{m.Account, m.Name != Inbox}] = m.ID
		}
	}
	return out, nil
}

// takeUIDs takes a UID and a sequence for one copy, whose body has size bytes, in each of different mailboxes.
func (s *Store) takeUIDs(ctx context.Context, tx *sqldb.Tx, rows []placement, size int64) error {
	ids := make([]MailboxID, len(rows))
	for i := range rows {
		ids[i] = rows[i].Mailbox
	}
	if err := s.lockInOrder(ctx, tx, ids); err != nil {
		return err
	}
	a := args{size}
	var taken []struct {
		ID     MailboxID `db:"id"`
		UID    UID       `db:"uid"`
		ModSeq uint64    `db:"modseq"`
	}
	err := tx.SelectContext(ctx, &taken, `UPDATE mailbox SET uid_next = uid_next + 1, modseq = modseq + 1, bytes = bytes + $1 WHERE id IN `+list(&a, ids)+
		` RETURNING id, uid_next - 1 AS uid, modseq`, a...)
	if err != nil {
		return err
	}
	if len(taken) != len(rows) {
		return fmt.Errorf("%d of %d mailboxes: %w", len(rows)-len(taken), len(rows), ErrNoMailbox)
	}
	for _, t := range taken {
		i, _ := slices.BinarySearchFunc(rows, t.ID, func(p placement, id MailboxID) int { return cmp.Compare(p.Mailbox, id) })
		rows[i].uid, rows[i].modseq = t.UID, t.ModSeq
	}
	return nil
}

// lockInOrder locks several mailboxes by id before one UPDATE takes them in whatever order its plan has: on PostgreSQL two
// deliveries to the same mailboxes would wait for each other, and each such knot costs a second. SQLite has one writer.
func (s *Store) lockInOrder(ctx context.Context, tx *sqldb.Tx, ids []MailboxID) error {
	if s.db.Dialect() != sqldb.Postgres || len(ids) < 2 {
		return nil
	}
	var a args
	_, err := tx.ExecContext(ctx, `SELECT id FROM mailbox WHERE id IN `+list(&a, ids)+` ORDER BY id FOR NO KEY UPDATE`, a...)
	return err
}

func insertCopies(ctx context.Context, tx *sqldb.Tx, message MessageID, at time.Time, copies []placement) error {
	rows := make([][]any, len(copies))
	for i := range copies {
		c := &copies[i]
		rows[i] = []any{c.Mailbox, c.uid, message, c.modseq, at.UnixMicro(), c.flags, append([]byte{}, c.Prefix...), c.Ref}
	}
	return tx.InsertRows(ctx, `INSERT INTO mailbox_message (mailbox_id, uid, message_id, modseq, received_at, flags, prefix, ref)`, rows, "")
}

func tellArrived(ctx context.Context, tx *sqldb.Tx, message MessageID, rows []placement) error {
	var events []Event
	var owners map[MailboxID]AccountID
	for i := range rows {
		r := &rows[i]
		if r.Arrived == nil {
			continue
		}
		detail, err := json.Marshal(r.Arrived)
		if err != nil {
			return err
		}
		if r.Account == 0 && owners == nil {
			if owners, err = mailboxOwners(ctx, tx, rows); err != nil {
				return err
			}
		}
		events = append(events, Event{Kind: EventArrived, Ref: r.Ref, Account: cmp.Or(r.Account, owners[r.Mailbox]), Mailbox: r.Mailbox, UID: r.uid,
			Message: message, Actor: r.Arrived.AuthAs, Detail: string(detail)})
	}
	return insertEvents(ctx, tx, events)
}

// mailboxOwners returns the account of each mailbox that was named without one.
func mailboxOwners(ctx context.Context, tx *sqldb.Tx, rows []placement) (map[MailboxID]AccountID, error) {
	out := map[MailboxID]AccountID{}
	for chunk := range slices.Chunk(rows, maxChunk) {
		var a args
		ids := make([]MailboxID, len(chunk))
		for i := range chunk {
			ids[i] = chunk[i].Mailbox
		}
		var found []Mailbox
		if err := tx.SelectContext(ctx, &found, `SELECT id, account_id FROM mailbox WHERE id IN `+list(&a, ids), a...); err != nil {
			return nil, err
		}
		for _, m := range found {
			out[m.ID] = m.Account
		}
	}
	return out, nil
}
