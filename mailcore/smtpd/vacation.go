package smtpd

import (
	"context"
	"errors"
	"fmt"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// vacations prepares the answers of officers who are away, and returns what sends them as part of the delivery. Mail that is
// unwanted, or of which nobody knows whose it is, gets none: the answer would go to somebody who did not write.
func (s *session) vacations(ctx context.Context, e *envelope, m *message, copies []mailcore.Copy) (func(tx *sqldb.Tx) error, error) {
	nothing := func(*sqldb.Tx) error { return nil }
	var accounts []mailcore.AccountID
	for _, c := range copies {
		if !c.Junk {
			accounts = append(accounts, c.Account)
		}
	}
	if m.origin != nil && !m.origin.Aligned() {
		return nothing, nil
	}
	store := s.run.opt.Store
	replies, err := store.VacationReplies(ctx, m.body, e.sender, accounts)
	if err != nil || len(replies) == 0 {
		return nothing, err
	}
	route, err := s.run.opt.Router.Route(ctx, e.sender)
	if errors.Is(err, mailcore.ErrNoRecipient) {
		return nothing, nil
	}
	if err != nil {
		return nil, fmt.Errorf("route answer to %s: %w", e.sender, err)
	}
	return func(tx *sqldb.Tx) error {
		for _, r := range replies {
			due, err := store.ClaimReplyTx(ctx, tx, r)
			switch {
			case err != nil:
			case !due:
			case route.Relay:
				_, err = store.EnqueueTx(ctx, tx, r.Body, []mailcore.Outgoing{{Rcpt: e.sender, Life: s.run.opt.Life}})
			default:
				_, err = store.DeliverTx(ctx, tx, r.Body, []mailcore.Copy{{Account: route.Account, Prefix: []byte("Return-Path: <>\r\n")}})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}
