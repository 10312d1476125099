package mailcore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// Mail clients bring a copy back that they have kept elsewhere: from a local folder by APPEND, from another account by COPY or
// MOVE. It counts as the copy that it was when it has the Message-ID of one with a Ref in that very account and the same
// bytes; header fields that a client adds on top are left out. Then the row shows the account's own copy, with its Ref.

// A twin is the copy with a Ref that a mail brought into an account claims to be.
type twin struct {
	Message   MessageID   `db:"message_id"`
	Digest    blob.Digest `db:"digest"`
	MessageID string      `db:"header"`
	Size      int64       `db:"size"`
	Ref       string      `db:"ref"`
	Prefix    []byte      `db:"prefix"`
	Detail    string      `db:"detail"` // of an event that nobody has handled, else ""

	came int64 // bytes of the mail that was brought
	same bool  // it is that copy
}

// A brought is a mail that comes into an account, as its twin is looked for.
type brought struct {
	UID       UID         `db:"uid"`
	MessageID string      `db:"header"`
	Digest    blob.Digest `db:"digest"`
	Size      int64       `db:"size"`
	bytes     []byte      // of a small body that no row names yet
}

// twins finds the twins in an account of mails that are brought to it, in the order of mails, nil where there is none. The
// bytes are read, so this stands outside any transaction.
func (s *Store) twins(ctx context.Context, account AccountID, mails []brought) ([]*twin, error) {
	var headers []string
	for _, c := range mails {
		if c.MessageID != "" && !slices.Contains(headers, c.MessageID) {
			headers = append(headers, c.MessageID)
		}
	}
	found := map[string][]twin{}
	for chunk := range slices.Chunk(headers, maxChunk) {
		list, err := s.copiesNamed(ctx, account, chunk)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			found[t.MessageID] = append(found[t.MessageID], t)
		}
	}
	out := make([]*twin, len(mails))
	for i, c := range mails {
		for _, t := range found[c.MessageID] {
			same, exact, err := s.sameMail(&t, &Body{Digest: c.Digest, Size: c.Size, bytes: c.bytes})
			if err != nil {
				return nil, err
			}
			if t.same, t.came = same, c.Size; out[i] == nil || same && !out[i].same || exact {
				out[i] = &t
			}
			if exact {
				break
			}
		}
	}
	return out, nil
}

// copiesNamed returns the copies with a Ref in an account that have one of these Message-IDs, and those whose deletion the room
// above has not heard of yet.
func (s *Store) copiesNamed(ctx context.Context, account AccountID, headers []string) ([]twin, error) {
	var out []twin
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		a := args{account}
		err := tx.SelectContext(ctx, &out, `SELECT c.message_id, b.digest, b.message_id AS header, b.size, c.ref, c.prefix, '' AS detail
			FROM message b JOIN mailbox_message c ON c.message_id = b.id JOIN mailbox m ON m.id = c.mailbox_id
			WHERE m.account_id = $1 AND c.ref <> '' AND b.message_id IN `+list(&a, headers)+` ORDER BY length(c.ref) DESC, c.ref DESC`, a...)
		if err != nil {
			return err
		}
		var gone []twin
		a = args{account}
		err = tx.SelectContext(ctx, &gone, `SELECT e.message_id, b.digest, b.message_id AS header, b.size, e.ref, e.detail
			FROM mail_event e JOIN message b ON b.id = e.message_id
			WHERE e.handled_at IS NULL AND e.kind = 'deleted' AND e.account_id = $1 AND b.message_id IN `+list(&a, headers)+` ORDER BY e.id DESC`, a...)
		out = append(out, gone...)
		return err
	})
	for i := range out {
		var d Deletion
		if out[i].Detail != "" && json.Unmarshal([]byte(out[i].Detail), &d) == nil {
			out[i].Prefix = d.Prefix
		}
	}
	return out, wrap(err, "copies in account %d by Message-ID", account)
}

// twinsAcross finds the twins of messages that are copied or moved into another account, by the UIDs they have now.
func (s *Store) twinsAcross(ctx context.Context, from, to MailboxID, uids []UID) (map[UID]*twin, error) {
	var mails []brought
	var target Mailbox
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		source, err := mailboxByID(ctx, tx, from)
		if err != nil {
			return err
		}
		if target, err = mailboxByID(ctx, tx, to); err != nil || target.Account == source.Account {
			return err
		}
		for chunk := range slices.Chunk(uids, maxChunk) {
			a := args{from}
			var some []brought
			if err := tx.SelectContext(ctx, &some, `SELECT c.uid, m.message_id AS header, m.digest, m.size`+copyAndBody+
				` AND m.message_id <> '' AND c.uid IN `+list(&a, chunk), a...); err != nil {
				return err
			}
			mails = append(mails, some...)
		}
		return nil
	})
	if err != nil || len(mails) == 0 {
		return nil, err
	}
	found, err := s.twins(ctx, target.Account, mails)
	out := map[UID]*twin{}
	for i, t := range found {
		if t != nil {
			out[mails[i].UID] = t
		}
	}
	return out, err
}

// adopt makes copies of the account's own of what was brought from another account, and tells of them.
func (t transfer) adopt(ctx context.Context, tx *sqldb.Tx, to Mailbox, pairs []UIDPair) error {
	var events []Event
	for _, p := range pairs {
		w := t.twins[p.From]
		if w == nil || !t.leaves {
			continue
		}
		if w.same {
			if _, err := tx.ExecContext(ctx, `UPDATE mailbox_message SET message_id = $1, prefix = $2, ref = $3 WHERE mailbox_id = $4 AND uid = $5`,
				w.Message, append([]byte{}, w.Prefix...), w.Ref, to.ID, p.To); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE mailbox SET bytes = bytes + $1 WHERE id = $2`, w.Size-w.came, to.ID); err != nil {
				return err
			}
		}
		e, err := w.event(t.by, to, p.To, Move{To: to.Name, ToUse: to.SpecialUse, Copy: !t.move, Altered: !w.same})
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return insertEvents(ctx, tx, events)
}

func (w *twin) event(by Account, to Mailbox, uid UID, move Move) (Event, error) {
	detail, err := json.Marshal(move)
	return Event{Kind: EventMoved, Ref: w.Ref, Account: to.Account, Mailbox: to.ID, UID: uid, Message: w.Message, Actor: by.Address,
		Detail: string(detail), Delegation: by.Under}, err
}

// Append adds a saved body to a mailbox. at is its INTERNALDATE, now when zero. Bytes of a copy with a Ref that lies in the
// account become that copy again: this is the event "moved" with "append", as it is, with "altered", for another mail under
// its Message-ID. ErrOverQuota, but never for a copy with a Ref: bringing it may be an act.
func (s *Store) Append(ctx context.Context, by Account, id MailboxID, b *Body, flags []string, at time.Time) (UID, error) {
	uid, err := s.append(ctx, by, id, b, Copy{Account: by.ID, Mailbox: id, Flags: flags}, at)
	return uid, wrap(err, "append to mailbox %d", id)
}

func (s *Store) append(ctx context.Context, by Account, id MailboxID, b *Body, c Copy, at time.Time) (UID, error) {
	to, err := s.MailboxByID(ctx, id)
	if err != nil {
		return 0, err
	}
	found, err := s.twins(ctx, to.Account, []brought{{MessageID: clean(b.MessageID, maxMessageID), Digest: b.Digest, Size: b.Size, bytes: b.bytes}})
	if err != nil {
		return 0, err
	}
	w := found[0]
	official := w != nil && w.same
	if official {
		if b, err = s.StoredBody(ctx, w.Message); err != nil {
			return 0, err
		}
		c.Prefix, c.Ref = w.Prefix, w.Ref
	}
	var placed []Placed
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		when := at
		if when.IsZero() {
			when = tx.Now
		}
		if !official {
			if err := s.makeRoom(ctx, tx, id, b.Size); err != nil {
				return err
			}
		}
		if placed, err = s.deliver(ctx, tx, b, []Copy{c}, when); err != nil || w == nil {
			return err
		}
		e, err := w.event(by, to, placed[0].UID, Move{To: to.Name, ToUse: to.SpecialUse, Append: true, Altered: !w.same})
		if err != nil {
			return err
		}
		return insertEvents(ctx, tx, []Event{e})
	})
	if err != nil {
		return 0, err
	}
	return placed[0].UID, nil
}

// sameMail reports whether a mail that was brought is a stored one, and whether it bears the lines of this very copy, too: an
// account may have had several of one mail. Clients that kept it meanwhile add fields to its header, and blank lines at its end.
func (s *Store) sameMail(t *twin, came *Body) (same, exact bool, err error) {
	if t.Digest == came.Digest {
		return true, len(t.Prefix) == 0, nil
	}
	a, err := s.blobs.Open(t.Digest)
	if err != nil {
		return false, false, fmt.Errorf("compare with %s: %w", t.Digest, err)
	}
	defer a.Close()
	b, err := s.OpenBody(came)
	if err != nil {
		return false, false, fmt.Errorf("compare %s: %w", came.Digest, err)
	}
	defer b.Close()
	return sameMail(a, b, t.Prefix)
}

// maxCompared bounds the header that is compared.
const maxCompared = 256 << 10

func sameMail(stored, came io.Reader, prefix []byte) (same, exact bool, err error) {
	a, b := bufio.NewReaderSize(stored, 32<<10), bufio.NewReaderSize(came, 32<<10)
	own, err := headerLines(a)
	if err != nil || own == nil {
		return false, false, err
	}
	got, err := headerLines(b)
	if err != nil || got == nil || !follow(own, got) {
		return false, false, err
	}
	same, err = sameRest(a, b)
	first := strings.Split(strings.TrimSuffix(string(prefix), "\r\n"), "\r\n")
	return same, same && follow(append(first, own...), got), err
}

// follow reports whether these lines stand among those, in their order.
func follow(these, those []string) bool {
	for _, l := range those {
		if len(these) > 0 && l == these[0] {
			these = these[1:]
		}
	}
	return len(these) == 0
}

// headerLines reads the lines of a header as they are written; nil when the header is too long or has no end.
func headerLines(r *bufio.Reader) ([]string, error) {
	out := []string{}
	for size := 0; ; {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return out, nil
		}
		if size += len(line); size > maxCompared {
			return nil, nil
		}
		out = append(out, text)
	}
}

func sameRest(a, b io.Reader) (bool, error) {
	bufA, bufB := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		least := min(n, m)
		if !bytes.Equal(bufA[:least], bufB[:least]) || !blank(bufA[least:n]) || !blank(bufB[least:m]) {
			return false, nil
		}
		if errA != nil && errB != nil {
			return true, nil
		}
	}
}

func blank(b []byte) bool { return len(bytes.Trim(b, "\r\n")) == 0 }
