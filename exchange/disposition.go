package exchange

import (
	"context"
	"errors"
	"fmt"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
	"congvan/mailcore/sqldb"
)

// askReceipt asks whoever opens an outside copy to say so (RFC 8098 §2.1): programs ask their user, and many do not answer.
// The answer comes to the address of replies, whose token only the recipient knows.
func (s *Store) askReceipt(d *Dispatch) []byte {
	return fmt.Appendf(nil, "Disposition-Notification-To: <%s+%s@%s>\r\n", ReplyMailbox, d.Token(), s.Domain)
}

// disposition reads a mail as a receipt; nil when it is none.
func (s *Store) disposition(ctx context.Context, ev mailcore.Event) (*dsn.Disposition, error) {
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mdn, err := dsn.ParseDisposition(f)
	if errors.Is(err, dsn.ErrNone) {
		return nil, nil
	}
	return mdn, err
}

// handleDisposition takes a receipt for what it proves: that the copy arrived and, when it says "displayed", that it was opened.
// A copy in a mailbox of ours needs none, and one that is closed stays closed.
func (s *Store) handleDisposition(ctx context.Context, ev mailcore.Event, d *Dispatch, mdn *dsn.Disposition) error {
	if mdn == nil {
		return nil // it could not be read, and is tried again
	}
	if d.Way != ByMail {
		return s.finish(ctx, ev, nil)
	}
	ev.Ref = refOf([]*Dispatch{d})
	proof, err := s.proofOf(ctx, ev)
	if err != nil {
		return err
	}
	return s.each(ctx, ev, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		if r.Dispatch.Closed() || r.Dispatch.OpenedAt != nil || !mdn.Arrived() {
			return nil
		}
		if err := proof.keepTx(ctx, tx, s, r); err != nil {
			return err
		}
		by := Actor{Address: mailcore.Address(r.Dispatch.Address)}
		if r.Dispatch.Handling == "" {
			detail := cause(map[string]any{"proof": "mdn", "disposition": mdn.Type}, r)
			if err := r.act(ctx, tx, string(Delivered), Gateway, detail, nil); err != nil {
				return err
			}
		}
		if !mdn.Displayed() {
			return nil
		}
		return opened(ctx, tx, r, by, ev.At)
	})
}
