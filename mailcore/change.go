package mailcore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"congvan/mailcore/sqldb"
)

// A FlagOp is what ChangeFlags does with the flags given.
type FlagOp int

// The ways to change flags.
const (
	FlagsSet FlagOp = iota
	FlagsAdd
	FlagsRemove
)

// A UIDPair is where a message was and where it is now.
type UIDPair struct {
	From, To UID
}

// copyRow is what a change needs to know of a copy.
type copyRow struct {
	UID     UID       `db:"uid"`
	Message MessageID `db:"message_id"`
	Flags   string    `db:"flags"`
	Ref     string    `db:"ref"`
	Prefix  []byte    `db:"prefix"`
}

// isPerson reports whether an act by this account is somebody's: neither the gateway's own accounts nor its workers open mail.
func (a Account) isPerson() bool { return a.ID != 0 && a.Kind != System }

// A FlagChange is what ChangeFlags did.
type FlagChange struct {
	Rows   []Row  // of all messages that are there, changed or not, by UID
	ModSeq uint64 // the sequence that the change took, 0 when nothing was to be changed
}

// ChangeFlags changes the flags of the messages. \Seen newly set by a person on a copy with a Ref is the event "opened".
func (s *Store) ChangeFlags(ctx context.Context, by Account, id MailboxID, uids []UID, op FlagOp, flags []string) (FlagChange, error) {
	flags, err := parseFlags(flags)
	if err != nil {
		return FlagChange{}, fmt.Errorf("change flags: %w", err)
	}
	uids = sorted(uids)
	var rows []messageRow
	var modseq uint64
	nothing := false // to be changed: clients mark as read what a fetch has marked, and that costs no transaction
	err = s.db.Ask(ctx, func(tx *sqldb.Tx) error {
		rows, err = selectRows(ctx, tx, rowColumns, id, uids)
		nothing = len(rows) > 0 && !slices.ContainsFunc(rows, func(r messageRow) bool { return op.apply(r.Flags, flags) != r.Flags })
		return err
	})
	if err == nil && !nothing {
		err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
			rows, modseq, err = changeFlags(ctx, tx, by, id, uids, op, flags)
			return err
		})
	}
	return FlagChange{toRows(rows), modseq}, wrap(err, "change flags in mailbox %d", id)
}

// changeFlags returns the messages as they are afterwards, and the sequence of the change, 0 for none.
func changeFlags(ctx context.Context, tx *sqldb.Tx, by Account, id MailboxID, uids []UID, op FlagOp, flags []string) (rows []messageRow, modseq uint64, err error) {
	m, err := lockMailbox(ctx, tx, id)
	if err != nil {
		return nil, 0, err
	}
	if rows, err = selectRows(ctx, tx, rowColumns, id, uids); err != nil {
		return nil, 0, err
	}
	changed := map[string][]UID{} // by the flags they get
	var touched []int
	var opened []Event
	for i := range rows {
		r := &rows[i]
		before := r.Flags
		if r.Flags = op.apply(before, flags); r.Flags == before {
			continue
		}
		changed[r.Flags], touched = append(changed[r.Flags], r.UID), append(touched, i)
		if r.Ref != "" && by.isPerson() && hasFlag(r.Flags, FlagSeen) && !hasFlag(before, FlagSeen) {
			c := copyRow{UID: r.UID, Message: r.Message, Ref: r.Ref}
			opened = append(opened, c.event(EventOpened, by, m, ""))
		}
	}
	if len(changed) == 0 {
		return rows, 0, nil
	}
	if modseq, err = nextModSeq(ctx, tx, id, 0); err != nil {
		return nil, 0, err
	}
	for after, uids := range changed {
		for chunk := range slices.Chunk(uids, maxChunk) {
			a := args{after, modseq, id}
			if _, err := tx.ExecContext(ctx, `UPDATE mailbox_message SET flags = $1, modseq = $2 WHERE mailbox_id = $3 AND uid IN `+list(&a, chunk), a...); err != nil {
				return nil, 0, err
			}
		}
	}
	for _, i := range touched {
		rows[i].ModSeq = modseq
	}
	return rows, modseq, insertEvents(ctx, tx, opened)
}

func (c *copyRow) event(kind string, by Account, m Mailbox, detail string) Event {
	return Event{Kind: kind, Ref: c.Ref, Account: m.Account, Mailbox: m.ID, UID: c.UID, Message: c.Message, Actor: by.Address, Detail: detail, Delegation: by.Under}
}

// copiesOf returns the copies with these UIDs, by UID; all of the mailbox when uids is nil.
func copiesOf(ctx context.Context, tx *sqldb.Tx, id MailboxID, uids []UID) ([]copyRow, error) {
	var out []copyRow
	const from = `SELECT uid, message_id, flags, ref, prefix FROM mailbox_message WHERE mailbox_id = $1`
	if uids == nil {
		err := tx.SelectContext(ctx, &out, from+` ORDER BY uid`, id)
		return out, err
	}
	for chunk := range slices.Chunk(uids, maxChunk) {
		a := args{id}
		var some []copyRow
		if err := tx.SelectContext(ctx, &some, from+` AND uid IN `+list(&a, chunk)+` ORDER BY uid`, a...); err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// lockCopies locks the mailbox, see lockMailbox, and returns its copies with these UIDs, see copiesOf.
func lockCopies(ctx context.Context, tx *sqldb.Tx, id MailboxID, uids []UID) (Mailbox, []copyRow, error) {
	m, err := lockMailbox(ctx, tx, id)
	if err != nil {
		return m, nil, err
	}
	copies, err := copiesOf(ctx, tx, id, uids)
	return m, copies, err
}

// NoteFetched tells that bodies were fetched: with seen they get \Seen (and "opened"), else each copy with a Ref is
// "downloaded", once.
func (s *Store) NoteFetched(ctx context.Context, by Account, id MailboxID, uids []UID, seen bool) error {
	uids = sorted(uids)
	var err error
	if seen {
		err = s.noteSeen(ctx, by, id, uids)
	} else if by.isPerson() {
		err = s.noteDownloaded(ctx, by, id, uids)
	}
	return wrap(err, "note what was fetched of mailbox %d", id)
}

// noteSeen writes only when something is unseen: most fetches are of what was read before.
func (s *Store) noteSeen(ctx context.Context, by Account, id MailboxID, uids []UID) error {
	var unseen []UID
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		copies, err := copiesOf(ctx, tx, id, uids)
		for _, c := range copies {
			if !hasFlag(c.Flags, FlagSeen) {
				unseen = append(unseen, c.UID)
			}
		}
		return err
	})
	if err != nil || len(unseen) == 0 {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, _, err := changeFlags(ctx, tx, by, id, unseen, FlagsAdd, []string{FlagSeen})
		return err
	})
}

func (s *Store) noteDownloaded(ctx context.Context, by Account, id MailboxID, uids []UID) error {
	var events []Event
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		m, err := mailboxByID(ctx, tx, id)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(uids, maxChunk) {
			a := args{id, m.Account}
			var fresh []copyRow
			err := tx.SelectContext(ctx, &fresh, `SELECT c.uid, c.message_id, c.flags, c.ref FROM mailbox_message c
				WHERE c.mailbox_id = $1 AND c.ref <> '' AND NOT EXISTS (SELECT 1 FROM mail_event e
					WHERE e.ref = c.ref AND e.account_id = $2 AND e.kind = 'downloaded' AND e.ref <> '')
				AND c.uid IN `+list(&a, chunk), a...)
			if err != nil {
				return err
			}
			for _, c := range fresh {
				events = append(events, c.event(EventDownloaded, by, m, ""))
			}
		}
		return nil
	})
	if err != nil || len(events) == 0 {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return insertEvents(ctx, tx, events) })
}

// CopyMessages copies messages to another mailbox, Ref included; those that are not there are left out. For each copy with
// a Ref this is the event "moved" with "copy". ErrOverQuota, but never for what is there by a Ref: copying it may be an act.
func (s *Store) CopyMessages(ctx context.Context, by Account, from MailboxID, uids []UID, to MailboxID) ([]UIDPair, error) {
	pairs, err := s.transfer(ctx, transfer{store: s, by: by, from: from, to: to}, uids)
	return pairs, wrap(err, "copy from mailbox %d to %d", from, to)
}

// MoveMessages moves messages to another mailbox. For each copy with a Ref this is the event "moved". ErrOverQuota, when the
// mailbox is another account's.
func (s *Store) MoveMessages(ctx context.Context, by Account, from MailboxID, uids []UID, to MailboxID) ([]UIDPair, error) {
	pairs, err := s.transfer(ctx, transfer{store: s, by: by, from: from, to: to, move: true}, uids)
	return pairs, wrap(err, "move from mailbox %d to %d", from, to)
}

// A transfer is a copy or a move between two mailboxes, which may be one.
type transfer struct {
	store    *Store
	by       Account
	from, to MailboxID
	move     bool
	leaves   bool // from one account to another: there it means nothing to the room above, unless it is among twins
	twins    map[UID]*twin
}

func (s *Store) transfer(ctx context.Context, t transfer, uids []UID) ([]UIDPair, error) {
	uids = sorted(uids)
	var pairs []UIDPair
	var err error
	if t.twins, err = s.twinsAcross(ctx, t.from, t.to, uids); err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		pairs, err = t.run(ctx, tx, uids)
		return err
	})
	return pairs, err
}

func (t transfer) run(ctx context.Context, tx *sqldb.Tx, uids []UID) ([]UIDPair, error) {
	boxes := map[MailboxID]Mailbox{}
	for _, id := range []MailboxID{min(t.from, t.to), max(t.from, t.to)} {
		m, err := lockMailbox(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		boxes[id] = m
	}
	copies, err := copiesOf(ctx, tx, t.from, uids)
	if err != nil || len(copies) == 0 {
		return nil, err
	}
	t.leaves = boxes[t.from].Account != boxes[t.to].Account
	size, err := sizeOf(ctx, tx, t.from, copies)
	if err != nil {
		return nil, err
	}
	if needsRoom := slices.ContainsFunc(copies, func(c copyRow) bool { return c.Ref == "" }); t.leaves || needsRoom && !t.move {
		if err := t.store.makeRoom(ctx, tx, t.to, size); err != nil {
			return nil, err
		}
	}
	first, err := t.insert(ctx, tx, copies, size)
	if err != nil {
		return nil, err
	}
	if t.move {
		if err := removeCopies(ctx, tx, t.from, copies, size); err != nil {
			return nil, err
		}
	}
	pairs := make([]UIDPair, len(copies))
	for i := range copies {
		pairs[i] = UIDPair{copies[i].UID, first + UID(i)}
	}
	if err := t.adopt(ctx, tx, boxes[t.to], pairs); err != nil {
		return nil, err
	}
	return pairs, t.tell(ctx, tx, boxes[t.from], boxes[t.to], copies, first)
}

// insert writes the copies, whose bodies have size bytes together, into the target and returns the first of their UIDs.
func (t transfer) insert(ctx context.Context, tx *sqldb.Tx, copies []copyRow, size int64) (UID, error) {
	var got struct {
		UID    UID    `db:"uid"`
		ModSeq uint64 `db:"modseq"`
	}
	err := tx.GetContext(ctx, &got, `UPDATE mailbox SET uid_next = uid_next + $1, modseq = modseq + 1, bytes = bytes + $2 WHERE id = $3
		RETURNING uid_next - $1 AS uid, modseq`, len(copies), size, t.to)
	if err != nil {
		return 0, err
	}
	tx.Wake(MailboxTopic(t.to))
	next, ref := got.UID, "ref"
	if t.leaves {
		ref = "''"
	}
	for chunk := range slices.Chunk(copies, maxChunk) {
		a := args{t.to, next - 1, got.ModSeq, t.from}
		_, err := tx.ExecContext(ctx, `INSERT INTO mailbox_message (mailbox_id, uid, message_id, modseq, received_at, flags, prefix, ref)
			SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT) + ROW_NUMBER() OVER (ORDER BY uid), message_id, CAST($3 AS BIGINT), received_at, flags, prefix, `+ref+`
			FROM mailbox_message WHERE mailbox_id = $4 AND uid IN `+list(&a, uidsOf(chunk)), a...)
		if err != nil {
			return 0, err
		}
		next += UID(len(chunk))
	}
	return got.UID, nil
}

func (t transfer) tell(ctx context.Context, tx *sqldb.Tx, from, to Mailbox, copies []copyRow, first UID) error {
	switch {
	case from.ID == to.ID, t.leaves && !t.move:
		return nil
	case t.leaves: // it is gone from where it belongs
		return tellDeleted(ctx, tx, t.by, from, copies)
	}
	detail, err := json.Marshal(Move{From: from.Name, FromUse: from.SpecialUse, To: to.Name, ToUse: to.SpecialUse, Copy: !t.move})
	if err != nil {
		return err
	}
	var events []Event
	for i, c := range copies {
		if c.Ref != "" {
			e := c.event(EventMoved, t.by, to, string(detail))
			e.UID = first + UID(i)
			events = append(events, e)
		}
	}
	return insertEvents(ctx, tx, events)
}

func uidsOf(copies []copyRow) []UID {
	out := make([]UID, len(copies))
	for i, c := range copies {
		out[i] = c.UID
	}
	return out
}

// removeCopies takes copies, whose bodies have size bytes together, out of a locked mailbox and leaves word of it.
func removeCopies(ctx context.Context, tx *sqldb.Tx, id MailboxID, copies []copyRow, size int64) error {
	modseq, err := nextModSeq(ctx, tx, id, -size)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(uidsOf(copies), maxChunk) {
		a := args{id}
		if _, err := tx.ExecContext(ctx, `DELETE FROM mailbox_message WHERE mailbox_id = $1 AND uid IN `+list(&a, chunk), a...); err != nil {
			return err
		}
	}
	rows := make([][]any, len(copies))
	for i, c := range copies {
		rows[i] = []any{id, modseq, c.UID, tx.Now.UnixMicro()}
	}
	return tx.InsertRows(ctx, `INSERT INTO vanished (mailbox_id, modseq, uid, at)`, rows, "")
}

// Expunge removes the messages that bear \Deleted, of uids only (RFC 4315 §2.1) or, when uids is nil, of the whole mailbox,
// and returns the UIDs. A Ref of which no copy is left in the account is the event "deleted".
func (s *Store) Expunge(ctx context.Context, by Account, id MailboxID, uids []UID) ([]UID, error) {
	if uids != nil {
		uids = sorted(uids)
	}
	var out []UID
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		out = nil
		m, copies, err := lockCopies(ctx, tx, id, uids)
		if err != nil {
			return err
		}
		copies = slices.DeleteFunc(copies, func(c copyRow) bool { return !hasFlag(c.Flags, FlagDeleted) })
		if len(copies) == 0 {
			return nil
		}
		size, err := sizeOf(ctx, tx, id, copies)
		if err != nil {
			return err
		}
		if err := removeCopies(ctx, tx, id, copies, size); err != nil {
			return err
		}
		out = uidsOf(copies)
		return tellDeleted(ctx, tx, by, m, copies)
	})
	return out, wrap(err, "expunge mailbox %d", id)
}

// tellDeleted writes "deleted" for each Ref among the removed copies that is in no mailbox of the account any more. Whoever
// removes copies with a Ref waits for the others at the account's row: two that remove the last two at once would each see
// the other's still there.
func tellDeleted(ctx context.Context, tx *sqldb.Tx, by Account, m Mailbox, gone []copyRow) error {
	last := map[string]copyRow{}
	var refs []string
	for _, c := range gone {
		if _, seen := last[c.Ref]; c.Ref != "" && !seen {
			last[c.Ref] = c
			refs = append(refs, c.Ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET uid_validity = uid_validity WHERE id = $1`, m.Account); err != nil {
		return err
	}
	for chunk := range slices.Chunk(refs, maxChunk) {
		a := args{m.Account}
		var left []string
		err := tx.SelectContext(ctx, &left, `SELECT DISTINCT c.ref FROM mailbox_message c JOIN mailbox m ON m.id = c.mailbox_id
			WHERE m.account_id = $1 AND c.ref <> '' AND c.ref IN `+list(&a, chunk), a...)
		if err != nil {
			return err
		}
		for _, ref := range left {
			delete(last, ref)
		}
	}
	var events []Event
	for _, ref := range refs {
		if c, ok := last[ref]; ok {
			detail, err := json.Marshal(Deletion{m.Name, m.SpecialUse, c.Prefix})
			if err != nil {
				return err
			}
			events = append(events, c.event(EventDeleted, by, m, string(detail)))
		}
	}
	return insertEvents(ctx, tx, events)
}
