package imapd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
)

// maxTallies bounds what is kept of mailboxes for STATUS, some hundred bytes each.
const maxTallies = 50_000

// A tally is what STATUS tells of a mailbox, as it was at one sequence of it. Programs ask for that of every folder every few
// minutes, and hardly one has changed.
type tally struct {
	validity                  uint32
	modseq                    uint64
	uidNext                   mailcore.UID
	messages, unseen, deleted uint32
	size, deletedSize         int64
}

type tallies struct {
	mu   sync.Mutex
	kept map[mailcore.MailboxID]tally
}

// take returns what is kept of a mailbox and whether it still holds.
func (t *tallies) take(mb *mailcore.Mailbox) (kept tally, holds bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept = t.kept[mb.ID]
	return kept, kept.modseq == mb.ModSeq && kept.validity == mb.UIDValidity
}

func (t *tallies) put(id mailcore.MailboxID, x tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[mailcore.MailboxID]tally{}
	}
	if _, ok := t.kept[id]; !ok && len(t.kept) >= maxTallies {
		for other := range t.kept { // any: it is counted again when somebody asks
			delete(t.kept, other)
			break
		}
	}
	t.kept[id] = x
}

// count returns what is in mailboxes, whose rows were read just now; those that are gone are left out. What has changed since it was
// counted is counted by one question for all of them; a large mailbox by what changed in it, once somebody
// has opened it or asked twice.
func (s *Server) count(ctx context.Context, boxes []mailcore.Mailbox) (map[mailcore.MailboxID]tally, error) {
	out := make(map[mailcore.MailboxID]tally, len(boxes))
	var changed []mailcore.MailboxID
	for _, mb := range boxes {
		kept, holds := s.shelf.tallies.take(&mb)
		switch {
		case holds:
			out[mb.ID] = kept
		case kept.messages < shelfMin && s.shelf.take(&mb, s.store.DB().Now()) == nil:
			changed = append(changed, mb.ID)
		default:
			v, err := s.openView(ctx, mb, true, new(atomic.Uint64))
			if errors.Is(err, mailcore.ErrNoMailbox) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out[mb.ID] = v.tally()
			s.shelf.tallies.put(mb.ID, out[mb.ID])
		}
	}
	counted, err := s.store.MailboxStatuses(ctx, changed)
	if err != nil {
		return nil, err
	}
	for _, st := range counted {
		out[st.ID] = tally{st.UIDValidity, st.ModSeq, st.UIDNext, uint32(st.Messages), uint32(st.Unseen), uint32(st.Deleted), st.Size, st.DeletedSize}
		s.shelf.tallies.put(st.ID, out[st.ID])
	}
	return out, nil
}

// tally counts the messages of a view that nobody was told of.
func (v *view) tally() tally {
	t := tally{validity: v.mailbox.UIDValidity, modseq: v.modseq, uidNext: v.mailbox.UIDNext, messages: uint32(len(v.msgs))}
	seen, deleted := flagTest{flag: imap.FlagSeen}, flagTest{flag: imap.FlagDeleted}
	for i := range v.msgs {
		m := &v.msgs[i]
		t.size += m.size
		if !seen.in(m.flags) {
			t.unseen++
		}
		if deleted.in(m.flags) {
			t.deleted++
			t.deletedSize += m.size
		}
		t.uidNext = max(t.uidNext, m.uid+1)
	}
	return t
}

// statusData is the answer to STATUS of a mailbox.
func (s *session) statusData(mb *mailcore.Mailbox, t tally) *imap.StatusData {
	recent, limit := uint32(0), s.AppendLimit()
	return &imap.StatusData{
		Mailbox: mb.Name, UIDNext: imap.UID(max(mb.UIDNext, t.uidNext)), UIDValidity: mb.UIDValidity, AppendLimit: &limit,
		NumMessages: &t.messages, NumUnseen: &t.unseen, NumDeleted: &t.deleted, NumRecent: &recent, Size: &t.size, DeletedStorage: &t.deletedSize,
	}
}
