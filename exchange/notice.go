package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-message/mail"
)

// gatewayChain is the chain of events of the gateway itself: documents, and so their chains, begin at 1.
const gatewayChain = 0

// writeGateway is Write for closures that record in the gateway's chain, whose next place two nodes may want at the same moment:
// then one of them begins again.
func (s *Store) writeGateway(ctx context.Context, fn func(tx *sqldb.Tx) error) error {
	for try := 1; ; try++ {
		if err := s.db.Write(ctx, fn); !sqldb.IsUnique(err) || try == 20 {
			return err
		}
	}
}

// EventNotice tells that the gateway wrote a letter about itself.
const EventNotice = "notice"

// A Notice is a letter that the gateway writes once, about itself: that a certificate is about to end.
type Notice struct {
	Key     string             `json:"key"` // the same key is the same notice
	To      []mailcore.Address `json:"to"`  // of mailboxes here
	Subject string             `json:"subject"`
	Text    string             `json:"-"`
}

// Tell delivers a notice, unless it was told before: the letter and the event stand in one transaction, so that of several
// nodes one tells. Addresses that have no mailbox here are left out; the event is written all the same.
func (s *Store) Tell(ctx context.Context, n Notice) (told bool, err error) {
	if known, err := s.told(ctx, n.Key); err != nil || known {
		return false, err
	}
	var copies []mailcore.Copy
	n.To = slices.DeleteFunc(slices.Clone(n.To), func(a mailcore.Address) bool {
		account, e := s.Mail.Account(ctx, a)
		switch {
		case e == nil:
			copies = append(copies, mailcore.Copy{Account: account.ID, Prefix: []byte("Return-Path: <>\r\n")})
		case !errors.Is(e, mailcore.ErrNoAccount):
			err = errors.Join(err, e)
		}
		return e != nil
	})
	if err != nil {
		return false, fmt.Errorf("notice %q: %w", n.Key, err)
	}
	var body *mailcore.Body
	if len(copies) > 0 {
		l := &letter{from: mail.Address{Name: "Công Văn", Address: "postmaster@" + s.Domain}, to: "Người quản lý khóa và chứng thư số", subject: n.Subject, text: n.Text,
			id: newSecret() + "@" + s.Domain, date: s.db.Now(), automatic: true}
		if body, err = s.saveLetter(ctx, l); err != nil {
			return false, fmt.Errorf("notice %q: %w", n.Key, err)
		}
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		told = false
		if known, err := toldTx(ctx, tx, n.Key); err != nil || known {
			return err
		}
		if body != nil {
			if _, err := s.Mail.DeliverTx(ctx, tx, body, copies); err != nil {
				return err
			}
		}
		told = true
		_, err := recordChain(ctx, tx, gatewayChain, EventNotice, Gateway, n)
		return err
	})
	if sqldb.IsUnique(err) { // another node wrote an event at the same moment; the next look comes soon
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("notice %q: %w", n.Key, err)
	}
	return told, nil
}

func (s *Store) told(ctx context.Context, key string) (known bool, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		known, err = toldTx(ctx, tx, key)
		return err
	})
	return known, err
}

// toldTx looks among the gateway's events: a few each year.
func toldTx(ctx context.Context, tx *sqldb.Tx, key string) (bool, error) {
	var events []Event
	if err := tx.SelectContext(ctx, &events, `SELECT detail FROM event WHERE chain = $1 AND kind = $2`, gatewayChain, EventNotice); err != nil {
		return false, fmt.Errorf("notices: %w", err)
	}
	return slices.ContainsFunc(events, func(e Event) bool { return saidBy(e).Key == key }), nil
}

// gateway checks the gateway's own chains: that of itself, and those of half-days.
func (c *checker) gateway(ctx context.Context, tx *sqldb.Tx) error {
	var events []Event
	err := tx.SelectContext(ctx, &events, `SELECT chain, ordinal, kind, at, actor, detail, digest FROM event WHERE chain >= $1 AND chain < $2 ORDER BY chain, ordinal`,
		gatewayChain, DocumentID(1).chain())
	if err != nil {
		return err
	}
	var last Event
	prev := make([]byte, 32)
	for i, e := range events {
		ordinal := last.Ordinal + 1
		if i == 0 || e.Chain != last.Chain {
			ordinal, prev = 0, make([]byte, 32)
		}
		if e.Ordinal != ordinal || !bytes.Equal(e.digest(prev), e.Digest) {
			c.sayf("gateway: event %d of chain %d does not follow from the one before", e.Ordinal, e.Chain)
		}
		prev, last = e.Digest, e
	}
	if err := c.reminders(ctx, tx, events); err != nil {
		return err
	}
	if err := c.faults(ctx, tx, events); err != nil {
		return err
	}
	if err := c.refusals(ctx, tx, events); err != nil {
		return err
	}
	return c.calendar(ctx, tx, events)
}
