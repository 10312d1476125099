package imapd

import (
	"context"
	"slices"
	"sort"
	"sync/atomic"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A view is one session's picture of its selected mailbox. Message n of the client is msgs[n-1]; the first told of them
// are known to it, the rest came since. What the database has changed is noted here at once and told when the protocol
// allows it. Methods are called with the session's lock held.
type view struct {
	store    *mailcore.Store
	mailbox  mailcore.Mailbox
	readOnly bool
	by       mailcore.Account     // who acts on it
	under    *mailcore.Delegation // by which it is open, nil for a mailbox of the account's own

	msgs   []message // by UID
	shared bool      // msgs are the shelf's too: copied before they are changed
	told   int
	modseq uint64
	clock  *atomic.Uint64 // counts the commands of the connection
	fresh  uint64         // the command that has looked: its end need not look again
	gone   int            // of msgs that left the mailbox and are not told yet
	dirty  int            // of msgs whose flags changed and are not told yet
	saved  []mailcore.UID
}

// A message is what the view knows of one, small because a mailbox may hold a hundred thousand: 24 bytes.
type message struct {
	received int64 // microseconds
	size     int64
	uid      mailcore.UID
	flags    flagSet
	marks    marks
}

// marks are what else is known of a message.
type marks uint8

const (
	hasRef marks = 1 << iota // means something to the room above: fetches of it are noted
	gone                     // left the mailbox
	dirty                    // its flags are not told yet
)

func (m *message) is(k marks) bool { return m.marks&k != 0 }

// openView looks into a mailbox, from what is on the shelf where there is something.
func (s *Server) openView(ctx context.Context, mb mailcore.Mailbox, readOnly bool, clock *atomic.Uint64) (*view, error) {
	v := &view{store: s.store, mailbox: mb, readOnly: readOnly, clock: clock}
	now := s.store.DB().Now()
	kept := s.shelf.take(&mb, now)
	var err error
	if kept == nil {
		err = v.read(ctx)
	} else if v.msgs, v.shared, v.modseq = kept.msgs, true, kept.modseq; kept.modseq != mb.ModSeq {
		err = v.refresh(ctx)
	}
	if err != nil {
		return nil, err
	}
	if v.gone > 0 { // nobody was told of them
		v.tellGone(func(uint32) error { return nil })
	}
	v.told, v.fresh = len(v.msgs), clock.Load()
	if kept == nil || kept.modseq != v.modseq {
		fresh := &shelved{validity: mb.UIDValidity, modseq: v.modseq, msgs: v.msgs, at: now, used: now}
		v.shared = s.shelf.put(mb.ID, fresh) || v.shared
	}
	return v, nil
}

// read reads all of the mailbox's rows.
func (v *view) read(ctx context.Context) (err error) {
	v.modseq, err = v.store.Outlines(ctx, v.mailbox.ID, func(o mailcore.Outline) {
		m := message{received: o.ReceivedAt, size: o.Size, uid: o.UID, flags: internText(o.Flags)}
		if o.HasRef {
			m.marks = hasRef
		}
		v.msgs = append(v.msgs, m)
	})
	v.msgs = slices.Clip(v.msgs)
	return err
}

func newMessage(r mailcore.Row) message {
	m := message{received: r.ReceivedAt.UnixMicro(), size: r.Size, uid: r.UID, flags: internFlags(r.Flags)}
	if r.Ref != "" {
		m.marks = hasRef
	}
	return m
}

// own makes msgs the view's alone.
func (v *view) own() {
	if v.shared {
		v.msgs, v.shared = slices.Clone(v.msgs), false
	}
}

// at returns a message that is going to be changed.
func (v *view) at(i int) *message {
	v.own()
	return &v.msgs[i]
}

// find returns the place of a UID in msgs.
func (v *view) find(uid mailcore.UID) (int, bool) {
	i := sort.Search(len(v.msgs), func(i int) bool { return v.msgs[i].uid >= uid })
	return i, i < len(v.msgs) && v.msgs[i].uid == uid
}

// refresh notes what the database has changed since the last look.
func (v *view) refresh(ctx context.Context) error {
	rows, vanished, modseq, err := v.store.Changes(ctx, v.mailbox.ID, v.modseq)
	if err != nil {
		return err
	}
	for _, uid := range vanished {
		v.lose(uid)
	}
	for _, r := range rows {
		i, ok := v.find(r.UID)
		switch {
		case ok:
			v.setFlags(i, internFlags(r.Flags))
		case i == len(v.msgs): // UIDs only grow, so what is new stands behind everything
			v.own()
			v.msgs = append(v.msgs, newMessage(r))
		}
	}
	v.modseq, v.fresh = modseq, v.clock.Load()
	return nil
}

// changed notes the sequence of a change of our own, whose rows the view has: if it is the next one, nobody else changed anything.
func (v *view) changed(modseq uint64) {
	if modseq == v.modseq+1 {
		v.modseq = modseq
	}
}

// setFlags notes flags that the client has not been told.
func (v *view) setFlags(i int, flags flagSet) {
	if v.msgs[i].flags == flags {
		return
	}
	v.at(i).flags = flags
	if i < v.told {
		v.soil(i)
	}
}

// soil notes that the client does not know the flags of msgs[i].
func (v *view) soil(i int) {
	if !v.msgs[i].is(dirty) {
		v.at(i).marks |= dirty
		v.dirty++
	}
}

// clean notes that the client knows the flags of msgs[i].
func (v *view) clean(i int) {
	if v.msgs[i].is(dirty) {
		v.at(i).marks &^= dirty
		v.dirty--
	}
}

// lose notes that a message is no longer in the mailbox.
func (v *view) lose(uid mailcore.UID) {
	i, ok := v.find(uid)
	if ok && !v.msgs[i].is(gone) {
		v.at(i).marks |= gone
		v.gone++
	}
}

// tell writes what the client does not know yet; messages that left only where their numbers may change.
func (v *view) tell(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if v.dirty > 0 {
		for i := range v.msgs[:v.told] {
			m := &v.msgs[i]
			if !m.is(dirty) || m.is(gone) {
				continue
			}
			v.clean(i)
			if err := w.WriteMessageFlags(uint32(i+1), imap.UID(m.uid), m.flags.list()); err != nil {
				return err
			}
		}
	}
	if v.gone > 0 && allowExpunge {
		if err := v.tellGone(w.WriteExpunge); err != nil {
			return err
		}
	}
	if len(v.msgs) > v.told {
		v.told = len(v.msgs)
		return w.WriteNumMessages(uint32(v.told))
	}
	return nil
}

// tellGone takes the messages that left out of the view and writes an EXPUNGE for each the client knew.
func (v *view) tellGone(write func(seq uint32) error) error {
	v.own()
	kept, told, seq := v.msgs[:0], v.told, uint32(1)
	var err error
	for i, m := range v.msgs {
		if !m.is(gone) {
			kept = append(kept, m)
			seq++
			continue
		}
		if m.is(dirty) {
			v.dirty--
		}
		if i < v.told {
			told--
			if err == nil {
				err = write(seq)
			}
		}
	}
	v.msgs, v.told, v.gone = kept, told, 0
	return err
}

// uids returns the UIDs of msgs at the places given.
func (v *view) uids(places []int) []mailcore.UID {
	out := make([]mailcore.UID, len(places))
	for k, i := range places {
		out[k] = v.msgs[i].uid
	}
	return out
}

// resolve returns the places of the messages in a set, in order, of those the client knows. missing tells that a sequence
// number named one that is gone.
func (v *view) resolve(set imap.NumSet) (places []int, missing bool, err error) {
	if set == nil {
		return nil, false, nil
	}
	if imap.IsSearchRes(set) {
		for _, uid := range v.saved {
			if i, ok := v.find(uid); ok && !v.msgs[i].is(gone) {
				places = append(places, i)
			}
		}
		return places, false, nil
	}
	in, err := v.membership(set)
	if err != nil {
		return nil, false, err
	}
	_, bySeq := set.(imap.SeqSet)
	for i := range v.msgs[:v.told] {
		if !in(i) {
			continue
		}
		if v.msgs[i].is(gone) {
			missing = missing || bySeq
			continue
		}
		places = append(places, i)
	}
	return places, missing, nil
}

// membership returns a test whether msgs[i] is in the set. "*" is the last message that the client knows, and a range
// that ends in it holds at least that one (RFC 9051 §9, seq-range). A sequence number that does not exist is a mistake of
// the client's; a UID that does not exist is none.
func (v *view) membership(set imap.NumSet) (func(i int) bool, error) {
	type span struct{ from, to uint32 }
	var spans []span
	last := uint32(0)
	add := func(from, to uint32) {
		if from == 0 {
			from = last
		}
		if to == 0 {
			to = last
		}
		spans = append(spans, span{min(from, to), max(from, to)})
	}
	number := func(i int) uint32 { return uint32(i + 1) }
	switch set := set.(type) {
	case imap.SeqSet:
		last = uint32(v.told)
		for _, r := range set {
			add(r.Start, r.Stop)
		}
		for _, s := range spans {
			if s.to > last || s.from == 0 {
				return nil, &imap.Error{Type: imap.StatusResponseTypeBad, Text: "No message with this number"}
			}
		}
	case imap.UIDSet:
		if v.told > 0 {
			last = uint32(v.msgs[v.told-1].uid)
		}
		number = func(i int) uint32 { return uint32(v.msgs[i].uid) }
		for _, r := range set {
			add(uint32(r.Start), uint32(r.Stop))
		}
	}
	sort.Slice(spans, func(a, b int) bool { return spans[a].from < spans[b].from })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return func(i int) bool {
		n := number(i)
		k := sort.Search(len(merged), func(k int) bool { return merged[k].to >= n })
		return k < len(merged) && merged[k].from <= n
	}, nil
}
