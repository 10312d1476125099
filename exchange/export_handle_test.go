package exchange

import (
	"context"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// Handlings is the table of moves, for tests over every pair.
var Handlings = handlings

// ActByReply does what a reply says and delivers the answer, as handling the mail would.
func (s *Store) ActByReply(ctx context.Context, id DispatchID, by Actor, said reply.Reply) error {
	l, err := s.actOne(ctx, mailcore.Event{}, id, by, said)
	if err != nil || l == nil {
		return err
	}
	l.id, l.automatic = s.actID("thu", &Dispatch{ID: id}), true
	p, err := s.parcel(ctx, l, nil, mailcore.Address(l.to))
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return s.post(ctx, tx, p) })
}

// ParseTaskAnswer reports whether a calendar is read as an answer to a task.
func ParseTaskAnswer(data []byte, domain string) bool { return parseTaskAnswer(data, domain) != nil }
