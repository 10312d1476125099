package imapd

import (
	"fmt"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/viettext"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

const (
	maxSearchBytes = 512 << 20        // of bodies read for one SEARCH
	maxSearchTime  = 25 * time.Second // clients wait thirty or more
	maxCriteria    = 1000             // keys in one SEARCH
)

var errSearchLimit = no(imap.ResponseCodeLimit, "The search reads too much; narrow it by date or sender")

// Search implements imapserver.Session, for ESEARCH too (RFC 4731): the library writes what was asked for.
func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, options *imap.SearchOptions) (*imap.SearchData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.selected(false)
	if err != nil {
		return nil, err
	}
	if err := v.refresh(s.ctx); err != nil {
		return nil, s.problem("search", err)
	}
	keys := 0
	c, err := v.compile(criteria, &keys)
	if err != nil {
		return nil, err
	}
	q := &searching{s: s, v: v, deadline: time.Now().Add(maxSearchTime), bytes: maxSearchBytes}
	found, err := q.run(c)
	if err != nil {
		return nil, err
	}
	if options.ReturnSave {
		v.saved = saveResult(v, found, options)
	}
	return v.searchData(kind, found), nil
}

// saveResult is what $ stands for later: with MIN or MAX alone only those (RFC 5182 §2.4).
func saveResult(v *view, found []int, o *imap.SearchOptions) []mailcore.UID {
	if n := len(found); n > 1 && (o.ReturnMin || o.ReturnMax) && !o.ReturnAll && !o.ReturnCount {
		switch {
		case o.ReturnMin && o.ReturnMax:
			found = []int{found[0], found[n-1]}
		case o.ReturnMin:
			found = found[:1]
		default:
			found = found[n-1:]
		}
	}
	return v.uids(found)
}

func (v *view) searchData(kind imapserver.NumKind, found []int) *imap.SearchData {
	data := &imap.SearchData{Count: uint32(len(found))}
	number := func(i int) uint32 { return uint32(i + 1) }
	if kind == imapserver.NumKindUID {
		number = func(i int) uint32 { return uint32(v.msgs[i].uid) }
		set := imap.UIDSet{}
		for _, i := range found {
			set = appendUID(set, imap.UID(number(i)))
		}
		data.All = set
	} else {
		set := imap.SeqSet{}
		for _, i := range found {
			if n := len(set); n > 0 && set[n-1].Stop+1 == number(i) {
				set[n-1].Stop++
				continue
			}
			set = append(set, imap.SeqRange{Start: number(i), Stop: number(i)})
		}
		data.All = set
	}
	if len(found) > 0 {
		data.Min, data.Max = number(found[0]), number(found[len(found)-1])
	}
	return data
}

// A criterion is a compiled SearchCriteria: sets are resolved, texts folded. What the view answers comes first, then what
// needs the summary, then what needs the body, so that most messages are decided early.
type criterion struct {
	sets                  []func(i int) bool
	sentSince, sentBefore time.Time
	from, until           int64 // of since and before, the days of Hanoi in microseconds; 0 is none
	larger, smaller       int64
	flags, notFlags       []*flagTest
	headers               []headerKey
	body, text            []string
	not                   []*criterion
	or                    [][2]*criterion
	summary               bool // whether anything in it needs more than the row
}

type headerKey struct{ name, value string }

func (v *view) compile(in *imap.SearchCriteria, keys *int) (*criterion, error) {
	if *keys++; *keys > maxCriteria {
		return nil, no(imap.ResponseCodeLimit, "Too many search keys")
	}
	c := &criterion{
		from: dayBegins(in.Since), until: dayBegins(in.Before), sentSince: in.SentSince, sentBefore: in.SentBefore,
		larger: in.Larger, smaller: in.Smaller, flags: flagTests(in.Flag), notFlags: flagTests(in.NotFlag),
		body: foldAll(in.Body), text: foldAll(in.Text),
	}
	for _, set := range in.SeqNum {
		test, err := v.membership(set)
		if err != nil {
			return nil, err
		}
		c.sets = append(c.sets, test)
	}
	for _, set := range in.UID {
		test, err := v.uidTest(set)
		if err != nil {
			return nil, err
		}
		c.sets = append(c.sets, test)
	}
	for _, h := range in.Header {
		c.headers = append(c.headers, headerKey{strings.ToLower(h.Key), viettext.Fold(h.Value)})
		c.summary = true
	}
	c.summary = c.summary || !c.sentSince.IsZero() || !c.sentBefore.IsZero() || len(c.body)+len(c.text) > 0
	for i := range in.Not {
		sub, err := v.compileInto(c, &in.Not[i], keys)
		if err != nil {
			return nil, err
		}
		c.not = append(c.not, sub)
	}
	for i := range in.Or {
		var pair [2]*criterion
		for k := range pair {
			sub, err := v.compileInto(c, &in.Or[i][k], keys)
			if err != nil {
				return nil, err
			}
			pair[k] = sub
		}
		c.or = append(c.or, pair)
	}
	return c, nil
}

func (v *view) compileInto(c *criterion, in *imap.SearchCriteria, keys *int) (*criterion, error) {
	sub, err := v.compile(in, keys)
	if err == nil {
		c.summary = c.summary || sub.summary
	}
	return sub, err
}

func (v *view) uidTest(set imap.UIDSet) (func(i int) bool, error) {
	if !imap.IsSearchRes(set) {
		return v.membership(set)
	}
	saved := make(map[mailcore.UID]bool, len(v.saved))
	for _, uid := range v.saved {
		saved[uid] = true
	}
	return func(i int) bool { return saved[v.msgs[i].uid] }, nil
}

func foldAll(texts []string) []string {
	var out []string
	for _, t := range texts {
		out = append(out, viettext.Fold(t))
	}
	return out
}

// searching is one SEARCH command.
type searching struct {
	s        *session
	v        *view
	deadline time.Time
	bytes    int64 // that may still be read
}

// run returns the places of the messages that match, in order.
func (q *searching) run(c *criterion) ([]int, error) {
	var candidates, found []int
	for i := range q.v.msgs[:q.v.told] {
		switch {
		case q.v.msgs[i].is(gone):
		case c.summary:
			if c.rowMay(q.v, i) {
				candidates = append(candidates, i)
			}
		default:
			if ok, err := c.matches(q, i, nil); err != nil {
				return nil, err
			} else if ok {
				found = append(found, i)
			}
		}
	}
	for len(candidates) > 0 {
		n := min(len(candidates), loadChunk)
		loaded, err := q.s.l.store.Load(q.s.ctx, q.v.mailbox.ID, q.v.uids(candidates[:n]))
		if err != nil {
			return nil, q.s.problem("search", err)
		}
		for k := range loaded {
			i, ok := q.v.find(loaded[k].UID)
			if !ok {
				continue
			}
			if ok, err = q.one(c, i, &loaded[k]); err != nil {
				return nil, err
			} else if ok {
				found = append(found, i)
			}
		}
		candidates = candidates[n:]
	}
	return found, nil
}

func (q *searching) one(c *criterion, i int, m *mailcore.Stored) (bool, error) {
	if time.Now().After(q.deadline) {
		return false, errSearchLimit
	}
	t := &target{q: q, stored: m}
	defer t.close()
	return c.matches(q, i, t)
}

// rowMay reports whether the row alone does not rule a message out.
func (c *criterion) rowMay(v *view, i int) bool {
	m := &v.msgs[i]
	for _, in := range c.sets {
		if !in(i) {
			return false
		}
	}
	for _, f := range c.flags {
		if !f.in(m.flags) {
			return false
		}
	}
	for _, f := range c.notFlags {
		if f.in(m.flags) {
			return false
		}
	}
	if c.larger > 0 && m.size <= c.larger || c.smaller > 0 && m.size >= c.smaller {
		return false
	}
	return (c.from == 0 || m.received >= c.from) && (c.until == 0 || m.received < c.until)
}

// dayBegins is the moment when the day that a SEARCH names begins in Hanoi; 0 when it names none.
func dayBegins(day time.Time) int64 {
	if day.IsZero() {
		return 0
	}
	y, m, d := day.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, hanoi).UnixMicro()
}

// inDays compares days and disregards time and zone (RFC 9051 §6.4.4).
func inDays(t, since, before time.Time) bool {
	y, m, d := t.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

// matches decides a message. t is nil only when nothing in c needs its content.
func (c *criterion) matches(q *searching, i int, t *target) (bool, error) {
	if !c.rowMay(q.v, i) {
		return false, nil
	}
	if !c.sentSince.IsZero() || !c.sentBefore.IsZero() {
		date := t.stored.Summary.Envelope.Date
		if date.IsZero() || !inDays(date, c.sentSince, c.sentBefore) {
			return false, nil
		}
	}
	for _, sub := range c.not {
		if ok, err := sub.matches(q, i, t); err != nil || ok {
			return false, err
		}
	}
	for _, pair := range c.or {
		ok, err := pair[0].matches(q, i, t)
		if err == nil && !ok {
			ok, err = pair[1].matches(q, i, t)
		}
		if err != nil || !ok {
			return false, err
		}
	}
	return c.contentMatches(t)
}

func (c *criterion) contentMatches(t *target) (bool, error) {
	for _, h := range c.headers {
		if ok, err := t.hasHeader(h); err != nil || !ok {
			return false, err
		}
	}
	for _, text := range c.text {
		if ok, err := t.hasText(text, true); err != nil || !ok {
			return false, err
		}
	}
	for _, text := range c.body {
		if ok, err := t.hasText(text, false); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (q *searching) readError(err error) error {
	if err == errSearchLimit {
		return err
	}
	return q.s.problem("search", fmt.Errorf("read body: %w", err))
}
