package exchange

import (
	"context"
	"encoding/json"
	"fmt"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// A circular is one letter about a document to many of its recipients. It is composed and stored before the transaction that sends
// it; each recipient's differs by its Reply-To alone.
type circular struct {
	s        *Store
	doc      *Document
	body     *mailcore.Body
	accounts map[mailcore.Address]mailcore.AccountID
}

// circularData is what the templates of circulars show.
type circularData struct {
	Agency, Reference, Date string // of the document
	Reason                  string
	Secret                  bool
	Other, OtherDate        string // the document that replaces or corrects it

	calendar func(ctx context.Context, doc *Document, agency string) ([]attached, error) // what calendars are told; nil for nothing
}

func (s *Store) circular(ctx context.Context, doc *Document, template, head string, data circularData) (*circular, error) {
	agency, err := s.unitName(ctx, doc.Agency)
	if err != nil {
		return nil, err
	}
	data.Agency, data.Reference, data.Date = agency, doc.Reference, vietnameseDate(doc.IssuedOn)
	text, err := templates.Mail(template, data)
	if err != nil {
		return nil, err
	}
	c := &circular{s: s, doc: doc}
	if c.accounts, err = s.accounts(ctx); err != nil {
		return nil, err
	}
	var files []attached
	if data.calendar != nil {
		if files, err = data.calendar(ctx, doc, agency); err != nil {
			return nil, err
		}
	}
	l := &letter{from: mail.Address{Name: agency, Address: s.clerkOf(doc.Agency)}, to: "Nơi nhận", subject: head + ": " + doc.Reference, text: text,
		date: s.db.Now(), id: newSecret() + "@" + s.Domain, inReplyTo: s.messageID(doc), urgency: doc.Urgency, automatic: true, files: files}
	c.body, err = s.saveLetter(ctx, l)
	return c, err
}

// accounts returns the accounts of this installation by address.
func (s *Store) accounts(ctx context.Context) (map[mailcore.Address]mailcore.AccountID, error) {
	all, err := s.Mail.ListAccounts(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[mailcore.Address]mailcore.AccountID, len(all))
	for _, a := range all {
		out[a.Address] = a.ID
	}
	return out, nil
}

// send delivers the letter to the recipients of these copies, one to each address. Whoever has no address is left to the issuer.
func (c *circular) send(ctx context.Context, tx *sqldb.Tx, ds []*Dispatch) error {
	var here []mailcore.Copy
	var outside []mailcore.Outgoing
	seen := map[string]bool{"": true}
	for _, d := range ds {
		if seen[d.Address] {
			continue
		}
		seen[d.Address] = true
		switch account, ours := c.accounts[mailcore.Address(d.Address)]; {
		case ours:
			here = append(here, mailcore.Copy{Account: account, Prefix: append(c.replyTo(d), "Return-Path: <>\r\n"...)})
		case d.Way == ByMail:
			// A report about this letter is not one about the copy: it goes to the agency to be read.
			outside = append(outside, mailcore.Outgoing{Sender: mailcore.Address(c.s.clerkOf(c.doc.Agency)), Rcpt: mailcore.Address(d.Address),
				Prefix: c.replyTo(d), Urgency: urgencyLane(c.doc.Urgency), Life: outboxLife})
		}
	}
	if len(here) > 0 {
		if _, err := c.s.Mail.DeliverTx(ctx, tx, c.body, here); err != nil {
			return err
		}
	}
	if len(outside) > 0 {
		if _, err := c.s.Mail.EnqueueTx(ctx, tx, c.body, outside); err != nil {
			return err
		}
	}
	return nil
}

// replyTo has an answer to the letter come in as one to the copy.
func (c *circular) replyTo(d *Dispatch) []byte {
	return []byte("Reply-To: <" + ReplyMailbox + "+" + d.Token() + "@" + c.s.Domain + ">\r\n")
}

// clerkOf is the agency's mailbox, whoever acts for it.
func (s *Store) clerkOf(agency recipients.UnitCode) string { return string(agency) + "@" + s.Domain }

// lastEvent returns a chain's newest event of a kind, nil when there is none.
func lastEvent(ctx context.Context, tx *sqldb.Tx, chain int64, kind string) (*Event, error) {
	var found []Event
	err := tx.SelectContext(ctx, &found, `SELECT chain, ordinal, kind, at, actor, detail, digest FROM event WHERE chain = $1 AND kind = $2
		ORDER BY ordinal DESC LIMIT 1`, chain, kind)
	if err != nil {
		return nil, fmt.Errorf("event %s of chain %d: %w", kind, chain, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

func recallOf(detail string) *recallDetail {
	var r recallDetail
	json.Unmarshal([]byte(detail), &r) // our own; what cannot be read says nothing
	return &r
}
