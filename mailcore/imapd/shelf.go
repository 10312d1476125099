package imapd

import (
	"sync"
	"time"

	"congvan/mailcore"
)

// Bounds of what is kept of mailboxes that nobody may have open.
const (
	shelfMin  = 1000           // messages: fewer are read as fast
	shelfSize = 2 << 20        // messages in all, 24 bytes each
	shelfAge  = 24 * time.Hour // mailcore forgets after a month what left a mailbox
)

// A shelf keeps the messages that large mailboxes were last opened with: the next SELECT reads only what changed since, and
// sessions share them as long as they look at the same.
type shelf struct {
	mu   sync.Mutex
	kept map[mailcore.MailboxID]*shelved
	all  int // messages

	tallies tallies
}

// A shelved is the messages of a mailbox at one moment. Nobody changes them.
type shelved struct {
	validity uint32
	modseq   uint64
	msgs     []message
	at, used time.Time
}

// take returns what is kept of a mailbox, or nil. A sequence or UIDVALIDITY that is not of its past is of another history.
func (s *shelf) take(mb *mailcore.Mailbox, now time.Time) *shelved {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[mb.ID]
	if k == nil || k.validity != mb.UIDValidity || k.modseq > mb.ModSeq || now.Sub(k.at) > shelfAge {
		return nil
	}
	k.used = now
	return k
}

// put keeps messages in the place of what was kept of that mailbox, and reports whether it did; whatever was not asked for longest
// goes.
func (s *shelf) put(id mailcore.MailboxID, k *shelved) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
	if len(k.msgs) < shelfMin || len(k.msgs) > shelfSize {
		return false
	}
	for s.all+len(k.msgs) > shelfSize {
		var oldest mailcore.MailboxID
		for other, x := range s.kept {
			if o := s.kept[oldest]; o == nil || x.used.Before(o.used) {
				oldest = other
			}
		}
		s.drop(oldest)
	}
	s.kept[id] = k
	s.all += len(k.msgs)
	return true
}

func (s *shelf) drop(id mailcore.MailboxID) {
	if k := s.kept[id]; k != nil {
		s.all -= len(k.msgs)
		delete(s.kept, id)
	}
}
