package imapd

import (
	"errors"
	"io"
	"slices"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/blob"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// maxKeywords bounds the flags of one STORE or APPEND.
const maxKeywords = 64

// flagTexts checks flags that a client wants set. \Recent is the server's alone and is passed over, as \* is.
func flagTexts(flags []imap.Flag) ([]string, error) {
	if len(flags) > maxKeywords {
		return nil, no(imap.ResponseCodeLimit, "Too many flags")
	}
	out := make([]string, 0, len(flags))
	for _, f := range flags {
		s := string(f)
		if f == imap.FlagWildcard || strings.EqualFold(s, `\Recent`) {
			continue
		}
		system := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}
		if !validFlag(s) || strings.HasPrefix(s, `\`) && !slices.Contains(system, f) {
			return nil, no(imap.ResponseCodeCannot, "Unknown flag")
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Store implements imapserver.Session.
func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, places, missing, err := s.chosen(set, true)
	if err != nil {
		return err
	}
	flags, err := flagTexts(change.Flags)
	if err != nil {
		return err
	}
	op := map[imap.StoreFlagsOp]mailcore.FlagOp{
		imap.StoreFlagsSet: mailcore.FlagsSet, imap.StoreFlagsAdd: mailcore.FlagsAdd, imap.StoreFlagsDel: mailcore.FlagsRemove,
	}[change.Op]
	if len(places) > 0 {
		done, err := s.l.store.ChangeFlags(s.ctx, v.by, v.mailbox.ID, v.uids(places), op, flags)
		if err != nil {
			return s.problem("store flags", err)
		}
		missing = missing || isSeqSet(set) && len(done.Rows) < len(places)
		if err := v.stored(w, done.Rows, change, flags); err != nil {
			return err
		}
		v.changed(done.ModSeq)
	}
	if missing {
		return errExpunged
	}
	return nil
}

// stored notes the outcome of a STORE and writes it, or, when it was silent, only what the client could not foresee.
func (v *view) stored(w *imapserver.FetchWriter, rows []mailcore.Row, change *imap.StoreFlags, flags []string) error {
	for _, r := range rows {
		i, ok := v.find(r.UID)
		if !ok {
			continue
		}
		m := v.at(i)
		now := internFlags(r.Flags)
		if change.Silent {
			foreseen := !m.is(dirty) && sameFlags(now, applied(m.flags, change.Op, flags))
			if m.flags = now; !foreseen {
				v.soil(i)
			}
			continue
		}
		m.flags = now
		v.clean(i)
		resp := w.CreateMessage(uint32(i + 1))
		resp.WriteUID(imap.UID(m.uid))
		resp.WriteFlags(now.list())
		if err := resp.Close(); err != nil {
			return err
		}
	}
	return nil
}

// applied returns the flags that a client expects after its change.
func applied(before flagSet, op imap.StoreFlagsOp, flags []string) []string {
	var out []string
	if op != imap.StoreFlagsSet {
		for _, f := range before.list() {
			if op == imap.StoreFlagsAdd || !slices.ContainsFunc(flags, func(x string) bool { return strings.EqualFold(x, string(f)) }) {
				out = append(out, string(f))
			}
		}
	}
	if op != imap.StoreFlagsDel {
		out = append(out, flags...)
	}
	return out
}

func sameFlags(got flagSet, want []string) bool {
	for _, f := range want {
		if !got.has(imap.Flag(f)) {
			return false
		}
	}
	for _, f := range got.list() {
		if !slices.ContainsFunc(want, func(x string) bool { return strings.EqualFold(x, string(f)) }) {
			return false
		}
	}
	return true
}

// chosen refreshes the view and resolves the set of a command that reads or, with write, changes the mailbox.
func (s *session) chosen(set imap.NumSet, write bool) (v *view, places []int, missing bool, err error) {
	if v, err = s.selected(write); err != nil {
		return nil, nil, false, err
	}
	if err = v.refresh(s.ctx); err != nil {
		return nil, nil, false, s.problem("refresh", err)
	}
	places, missing, err = v.resolve(set)
	return v, places, missing, err
}

// Expunge implements imapserver.Session, for CLOSE too: there w writes nothing, and a mailbox that was opened with EXAMINE
// is left as it is (RFC 9051 §6.4.1).
func (s *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view != nil && s.view.readOnly && *w == (imapserver.ExpungeWriter{}) {
		return nil
	}
	v, err := s.selected(true)
	if err != nil {
		return err
	}
	if err := v.refresh(s.ctx); err != nil {
		return s.problem("expunge", err)
	}
	var only []mailcore.UID
	if uids != nil {
		places, _, err := v.resolve(*uids)
		if err != nil {
			return err
		}
		if only = v.uids(places); len(only) == 0 {
			return v.tellGone(w.WriteExpunge)
		}
	}
	gone, err := s.l.store.Expunge(s.ctx, v.by, v.mailbox.ID, only)
	if err != nil {
		return s.problem("expunge", err)
	}
	for _, uid := range gone {
		v.lose(uid)
	}
	return v.tellGone(w.WriteExpunge)
}

// Copy implements imapserver.Session.
func (s *session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, places, missing, err := s.chosen(set, false)
	if err != nil {
		return nil, err
	}
	to, err := s.target(dest)
	if err != nil {
		return nil, err
	}
	if missing { // all or nothing (RFC 9051 §6.4.7)
		return nil, errExpunged
	}
	if len(places) == 0 {
		return nil, nil
	}
	pairs, err := s.l.store.CopyMessages(s.ctx, v.actor(to), v.mailbox.ID, v.uids(places), to.ID)
	if err != nil {
		return nil, s.problem("copy", err)
	}
	if to.ID == v.mailbox.ID {
		v.fresh = 0
	}
	s.tellJunk(v.mailbox, to.Mailbox, pairs)
	return copyData(to.Mailbox, pairs), nil
}

// Move implements imapserver.SessionMove (RFC 6851).
func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, places, missing, err := s.chosen(set, true)
	if err != nil {
		return err
	}
	to, err := s.target(dest)
	switch {
	case err != nil:
		return err
	case missing:
		return errExpunged
	case to.ID == v.mailbox.ID:
		return no(imap.ResponseCodeCannot, "The messages are in this mailbox already")
	case len(places) == 0:
		return nil
	}
	pairs, err := s.l.store.MoveMessages(s.ctx, v.actor(to), v.mailbox.ID, v.uids(places), to.ID)
	if err != nil {
		return s.problem("move", err)
	}
	s.tellJunk(v.mailbox, to.Mailbox, pairs)
	for _, p := range pairs {
		v.lose(p.From)
	}
	if data := copyData(to.Mailbox, pairs); data != nil {
		if err := w.WriteCopyData(data); err != nil {
			return err
		}
	}
	return v.tellGone(w.WriteExpunge)
}

// tellJunk passes on that a person found mail to be junk, or not to be.
func (s *session) tellJunk(from, to mailcore.Mailbox, pairs []mailcore.UIDPair) {
	was, is := from.SpecialUse == mailcore.JunkUse, to.SpecialUse == mailcore.JunkUse
	if s.l.opt.Junk == nil || was == is || !is && to.SpecialUse != "" {
		return // what goes from the junk to the bin is junk still
	}
	uids := make([]mailcore.UID, len(pairs))
	for i, p := range pairs {
		uids[i] = p.To
	}
	s.l.opt.Junk(is, to.ID, uids)
}

// actor is who copies or moves from the view to a place: when one of the two is a unit's, under the delegation for it.
func (v *view) actor(to place) mailcore.Account {
	by := v.by
	if v.under == nil && to.under != nil {
		by.Under = to.under.Number
	}
	return by
}

// copyData lists what went where, the nth of the one set to the nth of the other (RFC 4315 §3), so neither is sorted anew.
func copyData(to mailcore.Mailbox, pairs []mailcore.UIDPair) *imap.CopyData {
	if len(pairs) == 0 {
		return nil
	}
	data := &imap.CopyData{UIDValidity: to.UIDValidity}
	for _, p := range pairs {
		data.SourceUIDs = appendUID(data.SourceUIDs, imap.UID(p.From))
		data.DestUIDs = appendUID(data.DestUIDs, imap.UID(p.To))
	}
	return data
}

func appendUID(set imap.UIDSet, uid imap.UID) imap.UIDSet {
	if n := len(set); n > 0 && set[n-1].Stop+1 == uid {
		set[n-1].Stop = uid
		return set
	}
	return append(set, imap.UIDRange{Start: uid, Stop: uid})
}

// Append implements imapserver.Session. The message goes from the wire to the blob store in one stream.
func (s *session) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mb, err := s.target(name)
	if err != nil {
		return nil, err
	}
	flags, err := flagTexts(options.Flags)
	if err != nil {
		return nil, err
	}
	if r.Size() == 0 {
		return nil, no(imap.ResponseCodeCannot, "The message is empty")
	}
	q, err := s.l.store.Quota(s.ctx, mb.Account)
	if err == nil && !q.Fits(r.Size()) { // before it is stored for nothing
		err = mailcore.ErrOverQuota
	}
	if err != nil {
		return nil, s.problem("append", err)
	}
	body, err := s.l.store.SaveBody(s.ctx, &wholeReader{r: r, left: r.Size()}, s.l.opt.MaxMessage)
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return nil, no(imap.ResponseCodeTooBig, "The message is too large")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, no(imap.ResponseCodeUnavailable, "The message did not arrive as a whole")
	case err != nil:
		return nil, s.problem("save appended message", err)
	}
	uid, err := s.l.store.Append(s.ctx, s.by(mb.under), mb.ID, body, flags, options.Time)
	if err != nil {
		return nil, s.problem("append", err)
	}
	return &imap.AppendData{UID: imap.UID(uid), UIDValidity: mb.UIDValidity}, nil
}

// wholeReader fails where a literal ends early: the library's reader calls that the end.
type wholeReader struct {
	r    io.Reader
	left int64
}

func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.left -= int64(n)
	if err == io.EOF && w.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
