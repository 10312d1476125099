package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
)

// bounce reports a failed mail of an account of ours to its mailbox. Rows that mean something to the room above are its
// business, and a bounce is never bounced.
func (q *Queue) bounce(ctx context.Context, j mailcore.Job, out mailcore.Outcome) error {
	if j.Ref != "" || j.Sender == "" {
		return nil
	}
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	account, err := q.store.Account(store, j.Sender)
	if errors.Is(err, mailcore.ErrNoAccount) || err == nil && !account.ClosedAt.IsZero() {
		q.log.Info("nobody to report a failure to", "outbox", j.ID, "sender", j.Sender)
		return nil
	}
	if err != nil {
		return err
	}
	body, err := q.store.StoredBody(store, j.Message)
	if err != nil {
		return err
	}
	header, err := q.header(j)
	if err != nil { // the bytes are lost: all the more the sender must know
		q.log.Error("read the header for a report", "outbox", j.ID, "err", err)
	}
	report := dsn.Report{
		EnvID: j.EnvID, ReportingMTA: q.opt.Hostname, ArrivedAt: j.CreatedAt, MessageID: body.MessageID, Subject: body.Subject, Headers: header,
		Recipients: []dsn.Recipient{{Final: j.Rcpt, Action: dsn.Failed, Status: status(out), Diagnostic: diagnostic(out), RemoteMTA: out.Host}},
	}
	text, err := report.Compose(dsn.Letter{From: mailcore.Address("postmaster@" + q.opt.Domain), To: j.Sender, Now: q.opt.Now()})
	if err != nil {
		return err
	}
	saved, err := q.store.SaveBody(store, bytes.NewReader(text), 0)
	if err != nil {
		return err
	}
	_, err = q.store.Deliver(store, saved, []mailcore.Copy{{Account: account.ID, Prefix: []byte("Return-Path: <>\r\n")}})
	return err
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

// status is the enhanced code of a failure; servers that give none get the class of their answer.
func status(out mailcore.Outcome) string {
	if out.Enhanced != "" {
		return out.Enhanced
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
