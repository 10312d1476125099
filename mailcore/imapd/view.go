package imapd

import (
	"context"
	"sort"
	"strings"
	"sync"
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
	told   int
	modseq uint64
	clock  *atomic.Uint64 // counts the commands of the connection
	fresh  uint64         // the command that has looked: its end need not look again
	gone   int            // of msgs that left the mailbox and are not told yet
	dirty  int            // of msgs whose flags changed and are not told yet
	saved  []mailcore.UID
}

// A message is what the view knows of one, small because a mailbox may hold a hundred thousand.
type message struct {
	received int64 // microseconds
	size     int64
	uid      mailcore.UID
	flags    flagSet
	hasRef   bool // means something to the room above: fetches of it are noted
	gone     bool
	dirty    bool
}

// openView reads the mailbox's rows.
func openView(ctx context.Context, store *mailcore.Store, mb mailcore.Mailbox, readOnly bool, clock *atomic.Uint64) (*view, error) {
	rows, modseq, err := store.Rows(ctx, mb.ID)
	if err != nil {
		return nil, err
	}
	v := &view{store: store, mailbox: mb, readOnly: readOnly, modseq: modseq, clock: clock, msgs: make([]message, 0, len(rows))}
	for _, r := range rows {
		v.msgs = append(v.msgs, newMessage(r))
	}
	v.told = len(v.msgs)
	return v, nil
}

func newMessage(r mailcore.Row) message {
	return message{received: r.ReceivedAt.UnixMicro(), size: r.Size, uid: r.UID, flags: internFlags(r.Flags), hasRef: r.Ref != ""}
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
			v.msgs = append(v.msgs, newMessage(r))
		}
	}
	v.modseq, v.fresh = modseq, v.clock.Load()
	return nil
}

// setFlags notes flags that the client has not been told.
func (v *view) setFlags(i int, flags flagSet) {
	m := &v.msgs[i]
	if m.flags == flags {
		return
	}
	m.flags = flags
	if i < v.told && !m.dirty {
		m.dirty = true
		v.dirty++
	}
}

// clean notes that the client knows the flags of msgs[i].
func (v *view) clean(i int) {
	if v.msgs[i].dirty {
		v.msgs[i].dirty = false
		v.dirty--
	}
}

// lose notes that a message is no longer in the mailbox.
func (v *view) lose(uid mailcore.UID) {
	i, ok := v.find(uid)
	if ok && !v.msgs[i].gone {
		v.msgs[i].gone = true
		v.gone++
	}
}

// tell writes what the client does not know yet; messages that left only where their numbers may change.
func (v *view) tell(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if v.dirty > 0 {
		for i := range v.msgs[:v.told] {
			m := &v.msgs[i]
			if !m.dirty || m.gone {
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
	kept, told, seq := v.msgs[:0], v.told, uint32(1)
	var err error
	for i, m := range v.msgs {
		if !m.gone {
			kept = append(kept, m)
			seq++
			continue
		}
		if m.dirty {
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
			if i, ok := v.find(uid); ok && !v.msgs[i].gone {
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
		if v.msgs[i].gone {
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

// A flagSet is a set of flags by its place in a table that all sessions share: mailboxes have few different ones.
type flagSet uint32

// maxFlagSets bounds the table; sets beyond it are shown with their system flags only.
const maxFlagSets = 1 << 16

var flagSets = struct {
	sync.RWMutex
	byText map[string]flagSet
	lists  [][]imap.Flag
}{byText: map[string]flagSet{"": 0}, lists: [][]imap.Flag{{}}}

// internFlags returns the set of flags, which are sorted. Those that cannot be written to a client are left out.
func internFlags(flags []string) flagSet {
	if len(flags) == 0 {
		return 0
	}
	key := strings.Join(flags, " ")
	t := &flagSets
	t.RLock()
	f, ok := t.byText[key]
	t.RUnlock()
	if ok {
		return f
	}
	t.Lock()
	defer t.Unlock()
	if f, ok := t.byText[key]; ok {
		return f
	}
	if len(t.lists) >= maxFlagSets {
		return t.byText[systemOnly(flags)]
	}
	list := make([]imap.Flag, 0, len(flags))
	for _, s := range flags {
		if validFlag(s) {
			list = append(list, imap.Flag(s))
		}
	}
	f = flagSet(len(t.lists))
	t.byText[key], t.lists = f, append(t.lists, list)
	return f
}

func systemOnly(flags []string) string {
	var kept []string
	for _, s := range flags {
		if strings.HasPrefix(s, `\`) {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}

// list returns the flags; it must not be changed.
func (f flagSet) list() []imap.Flag {
	flagSets.RLock()
	defer flagSets.RUnlock()
	return flagSets.lists[f]
}

// has reports whether a flag is set; keywords compare without case (RFC 9051 §2.3.2).
func (f flagSet) has(flag imap.Flag) bool {
	for _, x := range f.list() {
		if strings.EqualFold(string(x), string(flag)) {
			return true
		}
	}
	return false
}

// validFlag reports whether s can stand on the wire as a flag.
func validFlag(s string) bool {
	name := strings.TrimPrefix(s, `\`)
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return name != "" && len(s) <= 100
}
