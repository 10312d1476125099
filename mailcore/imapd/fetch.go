package imapd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// loadChunk is how many messages' summaries are in memory at once.
const loadChunk = 100

// hanoi is Vietnam's time, without summer time since 1979: INTERNALDATE and the days of SEARCH are given in it.
var hanoi = time.FixedZone("+07", 7*3600)

// errExpunged answers a sequence number whose message another session removed (RFC 9051 §7.1, EXPUNGEISSUED).
var errExpunged = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "EXPUNGEISSUED", Text: "Some of the messages are gone"}

// Fetch implements imapserver.Session.
func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.selected(false)
	if err != nil {
		return err
	}
	if err := v.refresh(s.ctx); err != nil {
		return s.problem("fetch", err)
	}
	places, missing, err := v.resolve(set)
	if err != nil {
		return err
	}
	f := &fetching{s: s, v: v, w: w, options: options}
	defer f.note()
	if err := f.messages(places); err != nil {
		return err
	}
	if missing || f.missing && isSeqSet(set) {
		return errExpunged
	}
	return nil
}

func isSeqSet(set imap.NumSet) bool {
	_, ok := set.(imap.SeqSet)
	return ok
}

// fetching is one FETCH command.
type fetching struct {
	s       *session
	v       *view
	w       *imapserver.FetchWriter
	options *imap.FetchOptions
	missing bool // a message went away while we looked

	seen       []mailcore.UID // fetched without PEEK
	downloaded []mailcore.UID // whole body or attachment fetched to its end with PEEK
}

// needsSummary reports whether rows alone do not answer the command.
func (f *fetching) needsSummary() bool {
	o := f.options
	return o.Envelope || o.BodyStructure != nil || f.needsBytes()
}

func (f *fetching) needsBytes() bool {
	o := f.options
	return len(o.BodySection)+len(o.BinarySection)+len(o.BinarySectionSize) > 0
}

func (f *fetching) messages(places []int) error {
	if !f.needsSummary() {
		for _, i := range places {
			r := f.w.CreateMessage(uint32(i + 1))
			f.rowItems(r, i)
			if err := r.Close(); err != nil {
				return err
			}
		}
		return nil
	}
	for len(places) > 0 {
		n := min(len(places), loadChunk)
		loaded, err := f.s.l.store.Load(f.s.ctx, f.v.mailbox.ID, f.v.uids(places[:n]))
		if err != nil {
			return f.s.problem("load messages", err)
		}
		f.missing = f.missing || len(loaded) < n
		for k := range loaded {
			i, ok := f.v.find(loaded[k].UID)
			if !ok {
				continue
			}
			if err := f.message(i, &loaded[k]); err != nil {
				return err
			}
		}
		places = places[n:]
	}
	return nil
}

// rowItems writes what the view knows by itself.
func (f *fetching) rowItems(r *imapserver.FetchResponseWriter, i int) {
	m, o := &f.v.msgs[i], f.options
	if o.UID {
		r.WriteUID(imap.UID(m.uid))
	}
	if o.Flags {
		f.v.clean(i)
		r.WriteFlags(m.flags.list())
	}
	if o.InternalDate {
		r.WriteInternalDate(time.UnixMicro(m.received).In(hanoi))
	}
	if o.RFC822Size {
		r.WriteRFC822Size(m.size)
	}
}

// message answers for one message. All that may fail for good is found out before the first byte is written; an error in
// the middle of a literal can only end the connection.
func (f *fetching) message(i int, m *mailcore.Stored) error {
	var jobs []job
	if f.needsBytes() {
		c, err := f.s.openContent(m)
		if err != nil {
			return f.s.problem("open body", fmt.Errorf("message %d: %w", m.Message, err))
		}
		defer c.close()
		if jobs, err = f.jobs(c); err != nil {
			return err
		}
		if there, err := f.leaving(i, jobs); err != nil || !there {
			f.missing = f.missing || !there
			return err
		}
	}
	r := f.w.CreateMessage(uint32(i + 1))
	f.rowItems(r, i)
	if f.options.Envelope {
		r.WriteEnvelope(envelope(&m.Summary.Envelope))
	}
	if f.options.BodyStructure != nil {
		r.WriteBodyStructure(bodyStructure(m.Summary.Root, 0))
	}
	var failed error
	for _, j := range jobs {
		if failed = j.write(r); failed != nil {
			break
		}
	}
	if err := r.Close(); failed == nil {
		failed = err
	}
	if failed != nil {
		f.s.front.cut() // the client must not take half a literal for a whole one
		return fmt.Errorf("send message %d: %w", m.Message, failed)
	}
	f.remember(i, jobs)
	return nil
}

// leaving records what the fetch of an official copy means before its bytes leave: who takes the copy back must know. It reports
// whether the copy is still there.
func (f *fetching) leaving(i int, jobs []job) (there bool, err error) {
	m := &f.v.msgs[i]
	var seen, downloaded bool
	for _, j := range jobs {
		seen = seen || !j.peek && !f.v.readOnly
		downloaded = downloaded || j.downloaded
	}
	if !m.is(hasRef) || !seen && !downloaded {
		return true, nil
	}
	if there, err = f.s.l.store.NoteLeaving(f.s.ctx, f.v.by, f.v.mailbox.ID, m.uid, seen); err != nil {
		return true, f.s.problem("note a fetch", err)
	}
	return there, nil
}

// A job is one BODY[…] or BINARY[…] of one message, ready to be written.
type job struct {
	write      func(r *imapserver.FetchResponseWriter) error
	peek       bool
	downloaded bool // it carries the end of the whole body or of an attachment
}

func (f *fetching) jobs(c *content) ([]job, error) {
	var jobs []job
	for _, spec := range f.options.BodySection {
		j, err := f.bodyJob(c, spec)
		if err != nil {
			return nil, f.s.problem("read header", err)
		}
		jobs = append(jobs, j)
	}
	for _, spec := range f.options.BinarySection {
		j, err := f.binaryJob(c, spec)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	for _, spec := range f.options.BinarySectionSize {
		size, _, err := c.binarySize(spec.Part)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job{peek: true, write: func(r *imapserver.FetchResponseWriter) error {
			r.WriteBinarySectionSize(spec, uint32(size))
			return nil
		}})
	}
	return jobs, nil
}

func (f *fetching) bodyJob(c *content, spec *imap.FetchItemBodySection) (job, error) {
	x, err := c.section(spec)
	if err != nil {
		return job{}, err
	}
	toEnd := true
	if p := spec.Partial; p != nil {
		toEnd = p.Offset < x.size() && p.Size >= x.size()-p.Offset
		x = x.cut(p.Offset, p.Size)
	}
	j := job{peek: spec.Peek, downloaded: toEnd && c.matters(spec.Part, spec.Specifier)}
	j.write = func(r *imapserver.FetchResponseWriter) error {
		return copyAll(r.WriteBodySection(spec, x.size()), c.reader(x))
	}
	return j, nil
}

// copyAll writes a literal. A section that turns out shorter than promised is an error of Close.
func copyAll(w io.WriteCloser, r io.Reader) error {
	_, err := io.Copy(w, r)
	return errors.Join(err, w.Close())
}

// matters reports whether who fetched this part has the document: the whole, its text part as a whole, or an attachment.
func (c *content) matters(path []int, spec imap.PartSpecifier) bool {
	switch {
	case spec == imap.PartSpecifierHeader || spec == imap.PartSpecifierMIME:
		return false
	case len(path) == 0:
		return true
	}
	p := part(c.stored.Summary.Root, path)
	return p != nil && isAttachment(p)
}

func (f *fetching) binaryJob(c *content, spec *imap.FetchItemBinarySection) (job, error) {
	size, p, err := c.binarySize(spec.Part)
	if err != nil {
		return job{}, err
	}
	off, n := int64(0), size
	if spec.Partial != nil {
		off = min(spec.Partial.Offset, size)
		n = min(spec.Partial.Size, size-off)
	}
	j := job{peek: spec.Peek, downloaded: off+n == size && (p == nil || isAttachment(p))}
	j.write = func(r *imapserver.FetchResponseWriter) error {
		w := r.WriteBinarySection(spec, n)
		in := c.decoded(p)
		if _, err := io.CopyN(io.Discard, in, off); err != nil {
			return errors.Join(err, w.Close())
		}
		return copyAll(w, io.LimitReader(in, n))
	}
	return j, nil
}

// binarySize decodes a part to learn its size (RFC 3516 §4.3); part nil is the whole message, which has no encoding.
func (c *content) binarySize(path []int) (int64, *mailcore.Part, error) {
	if len(path) == 0 {
		return c.stored.Size, nil, nil
	}
	p := part(c.stored.Summary.Root, path)
	if p == nil {
		return 0, nil, no(imap.ResponseCodeNonExistent, "No such part")
	}
	n, err := io.Copy(io.Discard, c.decoded(p))
	if err != nil {
		return 0, nil, no(imap.ResponseCodeUnknownCTE, "This part cannot be decoded")
	}
	return n, p, nil
}

// decoded reads a part's content without its transfer encoding.
func (c *content) decoded(p *mailcore.Part) io.Reader {
	if p == nil {
		return c.reader(section{memory(c.stored.Prefix), {n: c.stored.BodySize}})
	}
	raw := c.reader(c.inBounds(p.BodyOffset(), p.BodySize))
	switch p.Encoding {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, raw)
	case "quoted-printable":
		return quotedprintable.NewReader(raw)
	case "", "7bit", "8bit", "binary":
		return raw
	}
	return failingReader{fmt.Errorf("transfer encoding %q", p.Encoding)}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// remember notes what the fetch of a message meant, once all of it was written.
func (f *fetching) remember(i int, jobs []job) {
	m := &f.v.msgs[i]
	var seen, downloaded bool
	for _, j := range jobs {
		seen = seen || !j.peek
		downloaded = downloaded || j.downloaded
	}
	switch {
	case seen && !f.v.readOnly:
		if !m.flags.has(imap.FlagSeen) {
			f.seen = append(f.seen, m.uid)
		}
	case downloaded && m.is(hasRef):
		f.downloaded = append(f.downloaded, m.uid)
	}
}

// note records what the whole command meant. The bytes have left, so it is recorded even when the client is gone by now;
// a failure is logged and does not take the fetched message back.
func (f *fetching) note() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.s.ctx), 30*time.Second)
	defer cancel()
	store, box := f.s.l.store, f.v.mailbox.ID
	var failed error
	if len(f.seen) > 0 {
		done, err := store.ChangeFlags(ctx, f.v.by, box, f.seen, mailcore.FlagsAdd, []string{mailcore.FlagSeen})
		failed = err
		for _, r := range done.Rows { // the client learns of it at the end of this command
			if i, ok := f.v.find(r.UID); ok {
				f.v.setFlags(i, internFlags(r.Flags))
			}
		}
		f.v.changed(done.ModSeq)
	}
	if len(f.downloaded) > 0 {
		failed = errors.Join(failed, store.NoteFetched(ctx, f.v.by, box, f.downloaded, false))
	}
	if failed != nil {
		f.s.l.log.Error("imap note fetched", "account", f.s.account.Address, "mailbox", box, "err", failed)
	}
}
