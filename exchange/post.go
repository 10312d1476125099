package exchange

import (
	"context"
	"errors"
	"fmt"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-message/mail"
)

// SubmitMailbox is the local part of the address that papers are mailed to in order to be issued. Nothing mailed there is
// stored: it is no account.
const SubmitMailbox = "phathanh"

// A Post is a letter of the gateway to somebody with a mailbox here, told once.
type Post struct {
	Key           string // the same key is the same letter
	To            mailcore.Address
	From          string // local part; "postmaster" when ""
	Subject, Text string
	ReplyTo       string // local part with its token, "" for none
	InReplyTo     string // Message-ID without <>
}

// Ref is the reference of the letter's copies, by which Unpost finds them.
func (p Post) Ref() string { return postRef(p.Key) }

func postRef(key string) string { return "letter:" + key }

// Post delivers a letter unless it was told before; told is false then. Letter and mark stand in one transaction, so that a step
// repeated after a crash, or by another node, tells nobody twice.
func (s *Store) Post(ctx context.Context, p Post) (told bool, err error) {
	account, err := s.Mail.Account(ctx, p.To)
	if errors.Is(err, mailcore.ErrNoAccount) || err == nil && !account.ClosedAt.IsZero() {
		s.Log.Info("letter not sent: no mailbox here", "to", p.To)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("letter %q: %w", p.Key, err)
	}
	if known, err := s.Posted(ctx, p.Key); known || err != nil {
		return false, err
	}
	if p.From == "" {
		p.From = "postmaster"
	}
	l := &letter{from: mail.Address{Name: "Công Văn", Address: p.From + "@" + s.Domain}, to: string(p.To), subject: p.Subject, text: p.Text,
		id: newSecret() + "@" + s.Domain, date: s.db.Now(), automatic: true, inReplyTo: p.InReplyTo}
	if p.ReplyTo != "" {
		l.replyTo = p.ReplyTo + "@" + s.Domain
	}
	body, err := s.saveLetter(ctx, l)
	if err != nil {
		return false, fmt.Errorf("letter %q: %w", p.Key, err)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO posted (letter, at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, p.Key, tx.Now.UnixMicro())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if told = n == 1; err != nil || !told {
			return err
		}
		_, err = s.Mail.DeliverTx(ctx, tx, body, []mailcore.Copy{{Account: account.ID, Prefix: []byte("Return-Path: <>\r\n"), Ref: p.Ref()}})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("letter %q: %w", p.Key, err)
	}
	return told, nil
}

// Posted reports whether a letter was told.
func (s *Store) Posted(ctx context.Context, key string) (bool, error) {
	var n int
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &n, `SELECT count(*) FROM posted WHERE letter = $1`, key)
	})
	return n > 0, err
}

// Unpost takes letters out of their mailbox: they tell of a document that turned out to be secret, of which nothing may stay
// (QĐ 22/2009 Điều 10). That they were told stays known.
func (s *Store) Unpost(ctx context.Context, keys ...string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, key := range keys {
			if err := s.Mail.RemoveTx(ctx, tx, postRef(key)); err != nil {
				return err
			}
		}
		return nil
	})
}
