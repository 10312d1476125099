package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
	"congvan/mailcore/sqldb"
)

// warnAt is when the sender of a mail that still waits is told.
func (q *Queue) warnAt(j mailcore.Job) time.Time {
	if j.Urgency >= Flash {
		return j.CreatedAt.Add(q.opt.FlashDelay)
	}
	return j.CreatedAt.Add(q.opt.Delay)
}

// tell reports to the mailbox of an account of ours what became of its mail, as far as it is to be told: a failure, a delay
// once, and that a server took the mail which will not confirm its arrival (RFC 3461 §5.2.2). Rows that mean something to the
// room above are its business, and a report is never reported on.
func (q *Queue) tell(ctx context.Context, j mailcore.Job, out mailcore.Outcome, c *client) error {
	if j.Ref != "" || j.Sender == "" {
		return nil
	}
	switch {
	case out.State == mailcore.AttemptFailed && j.Wishes.Wants(mailcore.NotifyFailure):
		return q.report(ctx, j, out, dsn.Failed, nil)
	case out.State == mailcore.AttemptLater && !j.Warned && !q.opt.Now().Before(q.warnAt(j)) && j.Wishes.Wants(mailcore.NotifyDelay):
		err := q.report(ctx, j, out, dsn.Delayed, func(ctx context.Context, tx *sqldb.Tx) error { return q.store.WarnTx(ctx, tx, j.ID) })
		if errors.Is(err, mailcore.ErrStale) {
			return nil // told by another worker
		}
		return err
	case out.State == mailcore.AttemptSent && j.Wishes.Wants(mailcore.NotifySuccess) && !c.confirms():
		return q.report(ctx, j, out, dsn.Relayed, nil)
	}
	return nil
}

// confirms reports whether the server takes over the duty to report (RFC 3461 §5.2.1). A connection that is gone by now is
// taken for one that does: two reports confuse more than none.
func (c *client) confirms() bool {
	if c == nil {
		return true
	}
	_, ok := c.ext["DSN"]
	return ok
}

// report puts a report into the sender's mailbox, in one transaction with what goes with it.
func (q *Queue) report(ctx context.Context, j mailcore.Job, out mailcore.Outcome, action dsn.Action, also func(context.Context, *sqldb.Tx) error) error {
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	account, err := q.store.Account(store, j.Sender)
	if errors.Is(err, mailcore.ErrNoAccount) || err == nil && !account.ClosedAt.IsZero() {
		q.log.Info("nobody to report to", "outbox", j.ID, "sender", j.Sender, "action", action)
		return nil
	}
	if err != nil {
		return err
	}
	text, err := q.compose(store, j, out, action)
	if err != nil {
		return err
	}
	saved, err := q.store.SaveBody(store, bytes.NewReader(text), 0)
	if err != nil {
		return err
	}
	return q.store.DB().Write(store, func(tx *sqldb.Tx) error {
		if also != nil {
			if err := also(store, tx); err != nil {
				return err
			}
		}
		_, err := q.store.DeliverTx(store, tx, saved, []mailcore.Copy{{Account: account.ID, Prefix: []byte("Return-Path: <>\r\n")}})
		return err
	})
}

// maxReturned bounds the mails that come back whole when RET=FULL asks for it; of longer ones the header does.
const maxReturned = 1 << 20

func (q *Queue) compose(ctx context.Context, j mailcore.Job, out mailcore.Outcome, action dsn.Action) ([]byte, error) {
	body, err := q.store.StoredBody(ctx, j.Message)
	if err != nil {
		return nil, err
	}
	header, err := q.header(j)
	if err != nil { // the bytes are lost: all the more the sender must know
		q.log.Error("read the header for a report", "outbox", j.ID, "err", err)
	}
	report := dsn.Report{
		EnvID: j.EnvID, ReportingMTA: q.opt.Hostname, ArrivedAt: j.CreatedAt, MessageID: body.MessageID, Subject: body.Subject, Headers: header,
		Recipients: []dsn.Recipient{{Original: j.Wishes.Original, Final: j.Rcpt, Action: action, Status: status(out), Diagnostic: diagnostic(out), RemoteMTA: out.Host}},
	}
	if action == dsn.Delayed {
		report.Recipients[0].RetryUntil = j.ExpiresAt
	}
	if action == dsn.Failed && j.Wishes.Ret == "FULL" && int64(len(j.Prefix))+j.BodySize <= maxReturned {
		if report.Whole, err = q.whole(j); err != nil {
			q.log.Error("read the mail for a report", "outbox", j.ID, "err", err)
		}
	}
	return report.Compose(dsn.Letter{From: mailcore.Address("postmaster@" + q.opt.Domain), To: j.Sender, Now: q.opt.Now()})
}

func (q *Queue) whole(j mailcore.Job) ([]byte, error) {
	r, err := q.content(j)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxReturned))
}

// header reads the header that goes out, without its empty line.
func (q *Queue) header(j mailcore.Job) ([]byte, error) {
	r, err := q.content(j)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 128<<10))
	if err != nil {
		return nil, fmt.Errorf("read the stored header: %w", err)
	}
	return dsn.HeaderOf(b), nil
}

// status is the enhanced code of an outcome; servers that give none get the class of their answer.
func status(out mailcore.Outcome) string {
	if out.Enhanced != "" {
		return out.Enhanced
	}
	if out.State == mailcore.AttemptSent {
		return "2.0.0"
	}
	if out.Code >= 400 {
		return fmt.Sprintf("%d.0.0", out.Code/100)
	}
	return "5.0.0"
}

// diagnostic is the last thing that the other side said, or that we found.
func diagnostic(out mailcore.Outcome) string {
	lines := strings.Split(strings.TrimSpace(out.Dialogue), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if text, ok := strings.CutPrefix(lines[i], "< "); ok {
			return "smtp; " + text
		}
		if text, ok := strings.CutPrefix(lines[i], "* "); ok {
			return "x-congvan; " + text
		}
	}
	return ""
}
