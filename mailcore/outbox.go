package mailcore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// The states of an outbox row.
const (
	OutboxQueued    = "queued"    // waits for its time; ClaimOutbox moves it on
	OutboxSending   = "sending"   // a worker has it until its lease runs out
	OutboxSent      = "sent"      // the other server took it
	OutboxFailed    = "failed"    // refused for good, or its life is over
	OutboxUncertain = "uncertain" // it may have arrived: the line broke, or we died, after the final dot
	OutboxCancelled = "cancelled" // taken back before it left
)

// What an attempt may end as.
const (
	AttemptSent      = "sent"
	AttemptLater     = "later"
	AttemptFailed    = "failed"
	AttemptUncertain = "uncertain"
)

// An Outgoing is one recipient outside to whom a body goes.
type Outgoing struct {
	Sender  Address // envelope sender, "" for a bounce
	Rcpt    Address
	EnvID   string // the same at every try (RFC 3461 §4.4); one is made when empty
	Prefix  []byte // header lines before the body
	Urgency int    // 0 thường, 1 Khẩn, 2 Thượng khẩn, 3 Hỏa tốc
	Ref     string
	Life    time.Duration // how long it is tried; a day when zero
	Wishes  Wishes
}

// Wishes are what a sender asked to be told of its mail (RFC 3461 §4).
type Wishes struct {
	Notify   string // NEVER, or some of SUCCESS, FAILURE and DELAY with commas between; "" when it did not say
	Ret      string // FULL, HDRS, or ""
	Original string // ORCPT, decoded: "rfc822;a@b"
}

// What Wishes.Notify may name.
const (
	NotifySuccess = "SUCCESS"
	NotifyFailure = "FAILURE"
	NotifyDelay   = "DELAY"
)

// Wants reports whether the sender is to be told. Who did not say is told of failures and delays.
func (w Wishes) Wants(what string) bool {
	if w.Notify == "" {
		return what != NotifySuccess
	}
	return slices.Contains(strings.Split(w.Notify, ","), what)
}

// A Job is a claimed outbox row.
type Job struct {
	ID           OutboxID
	Message      MessageID
	Digest       blob.Digest
	BodySize     int64
	Prefix       []byte
	Sender, Rcpt Address
	EnvID        string
	Urgency      int
	Ref          string
	Tries        int // how often it was claimed, this time included
	CreatedAt    time.Time
	ExpiresAt    time.Time
	Wishes       Wishes
	Warned       bool // the sender was told of the delay
}

// An Outcome is how an attempt ended.
type Outcome struct {
	State    string // AttemptSent, AttemptLater, AttemptFailed, AttemptUncertain
	Host     string
	Phase    string // connect, starttls, mail, rcpt, data, dot, done
	Code     int
	Enhanced string
	Dialogue string
	NextAt   time.Time // later: when to try again; uncertain: when to look again
}

// outboxMoves lists every move of an outbox row. Nothing else decides this.
var outboxMoves = map[string][]string{
	OutboxQueued:    {OutboxSending, OutboxCancelled, OutboxSent, OutboxUncertain}, // sent: a receipt proves an earlier try; uncertain: a restored backup does not know of one
	OutboxSending:   {OutboxSent, OutboxQueued, OutboxFailed, OutboxUncertain},
	OutboxUncertain: {OutboxQueued, OutboxSent, OutboxFailed},
	OutboxFailed:    {OutboxQueued, OutboxSent}, // sent again by a person; rescued by a late receipt
	OutboxSent:      {OutboxFailed},             // the other side took it and bounced it afterwards
	OutboxCancelled: {},
}

// sourcesOf returns the states that may move to a state.
func sourcesOf(to string) []string {
	var out []string
	for from, targets := range outboxMoves {
		if slices.Contains(targets, to) {
			out = append(out, from)
		}
	}
	slices.Sort(out)
	return out
}

const (
	// defaultLife is how long a mail is tried. RFC 5321 §4.5.4.1 has four to five days; official mail that has not arrived
	// within a day must go another way, and its sender must know.
	defaultLife = 24 * time.Hour
	// uncertainTime is how long a mail that may have arrived waits for a sign before it is looked at again.
	uncertainTime = 4 * time.Hour
	maxDialogue   = 16 << 10
)

// openOutbox is the condition of the index of rows that somebody still looks at, word for word: SQLite uses the index only
// when it finds the same words.
const openOutbox = `state IN ('queued', 'sending', 'uncertain')`

// EnqueueTx puts a saved body into the outbox, one row a recipient, as part of the caller's transaction.
func (s *Store) EnqueueTx(ctx context.Context, tx *sqldb.Tx, b *Body, out []Outgoing) ([]OutboxID, error) {
	if len(out) == 0 {
		return nil, nil
	}
	message, err := upsertMessage(ctx, tx, b)
	if err != nil {
		return nil, fmt.Errorf("enqueue %s: %w", b.Digest, err)
	}
	var ids []OutboxID
	for chunk := range slices.Chunk(out, maxChunk) {
		some, err := enqueue(ctx, tx, message, chunk)
		if err != nil {
			return nil, fmt.Errorf("enqueue %s: %w", b.Digest, err)
		}
		ids = append(ids, some...)
	}
	tx.Wake(TopicOutbox)
	return ids, nil
}

func enqueue(ctx context.Context, tx *sqldb.Tx, message MessageID, out []Outgoing) ([]OutboxID, error) {
	a := args{message, tx.Now.UnixMicro()}
	values := make([]string, len(out))
	for i, o := range out {
		if o.Rcpt.Domain() == "" {
			return nil, &AddressError{string(o.Rcpt), "has no domain to send to"}
		}
		if o.EnvID = clean(o.EnvID, 200); o.EnvID == "" {
			o.EnvID = rand.Text()
		}
		if o.Life <= 0 {
			o.Life = defaultLife
		}
		values[i] = "($1, $2, $2, 'queued', " + a.row(append([]byte{}, o.Prefix...), o.Sender, o.Rcpt, o.Rcpt.Domain(), o.EnvID,
			max(0, min(o.Urgency, 3)), o.Ref, tx.Now.Add(o.Life).UnixMicro(), clean(o.Wishes.Notify, 50), clean(o.Wishes.Ret, 10), clean(o.Wishes.Original, 600))[1:]
	}
	var ids []OutboxID
	err := tx.SelectContext(ctx, &ids, `INSERT INTO outbox (message_id, created_at, next_at, state, prefix, sender, rcpt, domain, envid, urgency,
		ref, expires_at, notify, ret, orcpt) VALUES `+strings.Join(values, ", ")+` RETURNING id`, a...)
	slices.Sort(ids) // numbered in the order of the rows; the answer may come in another
	return ids, err
}

// jobRow is a claimed row as the tables have it.
type jobRow struct {
	ID        OutboxID    `db:"id"`
	Message   MessageID   `db:"message_id"`
	Digest    blob.Digest `db:"digest"`
	BodySize  int64       `db:"size"`
	Prefix    []byte      `db:"prefix"`
	Sender    Address     `db:"sender"`
	Rcpt      Address     `db:"rcpt"`
	EnvID     string      `db:"envid"`
	Urgency   int         `db:"urgency"`
	Ref       string      `db:"ref"`
	Tries     int         `db:"tries"`
	CreatedAt int64       `db:"created_at"`
	ExpiresAt int64       `db:"expires_at"`
	Notify    string      `db:"notify"`
	Ret       string      `db:"ret"`
	ORcpt     string      `db:"orcpt"`
	WarnedAt  int64       `db:"warned_at"`
}

// ClaimOutbox gives up to n rows that are due to the caller until the lease ends: the most urgent first, then the oldest.
// Before that it settles rows whose worker died: past the final dot they become uncertain (with the event), else queued. A
// row that is uncertain and means nothing to the room above (no Ref) is queued again when its time is over; for one with a
// Ref that room decides.
func (s *Store) ClaimOutbox(ctx context.Context, n int, lease time.Duration) ([]Job, error) {
	var rows []jobRow
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		rows = nil
		if err := settleDead(ctx, tx); err != nil {
			return err
		}
		now := tx.Now.UnixMicro()
		if _, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'queued' WHERE `+openOutbox+` AND state = 'uncertain' AND ref = ''
			AND next_at <= $1`, now); err != nil {
			return err
		}
		ids, err := claim(ctx, tx, n, lease)
		if err != nil || len(ids) == 0 {
			return err
		}
		var a args
		return tx.SelectContext(ctx, &rows, `SELECT o.id, o.message_id, m.digest, m.size, o.prefix, o.sender, o.rcpt, o.envid, o.urgency, o.ref, o.tries,
			o.created_at, o.expires_at, o.notify, o.ret, o.orcpt, o.warned_at FROM outbox o JOIN message m ON m.id = o.message_id WHERE o.id IN `+list(&a, ids)+`
			ORDER BY o.urgency DESC, o.created_at, o.id`, a...)
	})
	if err != nil {
		return nil, fmt.Errorf("claim from the outbox: %w", err)
	}
	jobs := make([]Job, len(rows))
	for i, r := range rows {
		jobs[i] = Job{r.ID, r.Message, r.Digest, r.BodySize, r.Prefix, r.Sender, r.Rcpt, r.EnvID, r.Urgency, r.Ref, r.Tries,
			time.UnixMicro(r.CreatedAt).UTC(), time.UnixMicro(r.ExpiresAt).UTC(), Wishes{r.Notify, r.Ret, r.ORcpt}, r.WarnedAt != 0}
	}
	return jobs, nil
}

// claim takes the rows. The condition stands inside and outside: two nodes that chose the same rows do not both get them.
func claim(ctx context.Context, tx *sqldb.Tx, n int, lease time.Duration) ([]OutboxID, error) {
	until := tx.Now.Add(lease).UnixMicro()
	var ids []OutboxID
	err := tx.SelectContext(ctx, &ids, `UPDATE outbox SET state = 'sending', tries = tries + 1, lease_until = $1, next_at = $1
		WHERE id IN (SELECT id FROM outbox WHERE `+openOutbox+` AND state = 'queued' AND next_at <= $2
			ORDER BY urgency DESC, next_at, id LIMIT $3)
		AND state = 'queued' AND next_at <= $2 RETURNING id`, until, tx.Now.UnixMicro(), min(n, maxChunk))
	return ids, err
}

// settleDead takes the rows back whose lease is over. It first ends the lease: from then on a worker that is late cannot
// mark the dot any more, so what the attempts say is final.
func settleDead(ctx context.Context, tx *sqldb.Tx) error {
	var ids []OutboxID
	if err := tx.SelectContext(ctx, &ids, `UPDATE outbox SET lease_until = 0 WHERE `+openOutbox+` AND state = 'sending' AND next_at <= $1
		AND lease_until <= $1 RETURNING id`, tx.Now.UnixMicro()); err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, maxChunk) {
		var a args
		var open []struct {
			ID     int64    `db:"id"`
			Outbox OutboxID `db:"outbox_id"`
			Host   string   `db:"host"`
			Phase  string   `db:"phase"`
		}
		if err := tx.SelectContext(ctx, &open, `SELECT id, outbox_id, host, phase FROM attempt WHERE outcome = '' AND outbox_id IN `+list(&a, chunk)+
			` ORDER BY id`, a...); err != nil {
			return err
		}
		past := map[OutboxID]Outcome{}
		for _, at := range open {
			outcome := AttemptLater
			if at.Phase == phaseDot {
				outcome = AttemptUncertain
				past[at.Outbox] = Outcome{State: AttemptUncertain, Host: at.Host, Phase: phaseDot, Dialogue: "the gateway stopped after the final dot"}
			}
			if _, err := tx.ExecContext(ctx, `UPDATE attempt SET outcome = $1, ended_at = $2 WHERE id = $3`, outcome, tx.Now.UnixMicro(), at.ID); err != nil {
				return err
			}
		}
		for _, id := range chunk {
			o, dead := past[id]
			if !dead {
				o = Outcome{State: AttemptLater, NextAt: tx.Now}
			}
			if err := settle(ctx, tx, id, o, dead); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveOutbox moves one row if the table of moves allows it from the state that it is in; ErrStale otherwise.
func moveOutbox(ctx context.Context, tx *sqldb.Tx, id OutboxID, to string, nextAt time.Time) error {
	a := args{to, nextAt.UnixMicro(), id}
	err := changeOne(ctx, tx, ErrStale, `UPDATE outbox SET state = $1, next_at = $2, lease_until = 0 WHERE id = $3 AND state IN `+list(&a, sourcesOf(to)), a...)
	if to == OutboxQueued {
		tx.Wake(TopicOutbox)
	}
	return err
}

// RequeueTx sends an uncertain or failed row again, with the same ids; ErrStale for any other. One whose life is over gets
// another of the same length.
func (s *Store) RequeueTx(ctx context.Context, tx *sqldb.Tx, id OutboxID) error {
	err := changeOne(ctx, tx, ErrStale, `UPDATE outbox SET expires_at = CASE WHEN expires_at <= $1 THEN $1 + (expires_at - created_at) ELSE expires_at END
		WHERE id = $2 AND state IN ('uncertain', 'failed')`, tx.Now.UnixMicro(), id)
	if err == nil {
		err = moveOutbox(ctx, tx, id, OutboxQueued, tx.Now)
	}
	return wrap(err, "requeue outbox row %d", id)
}

// WarnTx notes that the sender of a row is told of its delay, in the caller's transaction; ErrStale when it was told before.
func (s *Store) WarnTx(ctx context.Context, tx *sqldb.Tx, id OutboxID) error {
	return wrap(changeOne(ctx, tx, ErrStale, `UPDATE outbox SET warned_at = $1 WHERE id = $2 AND warned_at = 0`, tx.Now.UnixMicro(), id),
		"note the warning about outbox row %d", id)
}

// CancelTx takes back a queued row; ErrStale for any other.
func (s *Store) CancelTx(ctx context.Context, tx *sqldb.Tx, id OutboxID) error {
	return wrap(moveOutbox(ctx, tx, id, OutboxCancelled, tx.Now), "cancel outbox row %d", id)
}

// SettleTx ends a row by what was learned elsewhere (a DSN, a receipt): state is OutboxSent or OutboxFailed. ErrStale when
// it is so already, is being sent just now, or was cancelled.
func (s *Store) SettleTx(ctx context.Context, tx *sqldb.Tx, id OutboxID, state string) error {
	if state != OutboxSent && state != OutboxFailed {
		return fmt.Errorf("settle outbox row %d: %q is not an end", id, state)
	}
	var now string
	if err := tx.GetContext(ctx, &now, `UPDATE outbox SET next_at = next_at WHERE id = $1 RETURNING state`, id); err != nil {
		return fmt.Errorf("settle outbox row %d: %w", id, errors.Join(ErrStale, err))
	}
	if now == OutboxSending {
		return fmt.Errorf("settle outbox row %d: %w", id, ErrStale)
	}
	return wrap(moveOutbox(ctx, tx, id, state, tx.Now), "settle outbox row %d", id)
}

// NextDue is when ClaimOutbox may next find something; false when the outbox is empty.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var at []int64
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &at, `SELECT next_at FROM outbox WHERE `+openOutbox+` AND (state <> 'uncertain' OR ref = '')
			ORDER BY next_at LIMIT 1`)
	})
	if err != nil || len(at) == 0 {
		return time.Time{}, false, wrap(err, "next due of the outbox")
	}
	return time.UnixMicro(at[0]).UTC(), true, nil
}
