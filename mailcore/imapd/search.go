package imapd

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/viettext"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

const (
	maxSearchBytes = 512 << 20        // of bodies read for one SEARCH
	maxSearchTime  = 25 * time.Second // clients wait thirty or more
	maxCriteria    = 1000             // keys in one SEARCH
	maxAhead       = 512 << 10        // of small bodies read together
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

// A criterion is a compiled SearchCriteria: sets are resolved, texts folded.
type criterion struct {
	sets                  []func(i int) bool
	sentSince, sentBefore time.Time
	from, until           int64 // of since and before, the days of Hanoi in microseconds; 0 is none
	larger, smaller       int64
	flags, notFlags       []*flagTest
	headers               []headerKey
	texts                 []textKey
	not                   []*criterion
	or                    [][2]*criterion
}

type headerKey struct {
	name  string
	value []byte
}

type textKey struct {
	text   []byte
	header bool // of TEXT: any header field counts too
}

func (v *view) compile(in *imap.SearchCriteria, keys *int) (*criterion, error) {
	if *keys++; *keys > maxCriteria {
		return nil, no(imap.ResponseCodeLimit, "Too many search keys")
	}
	c := &criterion{
		from: dayBegins(in.Since), until: dayBegins(in.Before), sentSince: in.SentSince, sentBefore: in.SentBefore,
		larger: in.Larger, smaller: in.Smaller, flags: flagTests(in.Flag), notFlags: flagTests(in.NotFlag),
		texts: append(textKeys(in.Text, true), textKeys(in.Body, false)...),
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
		c.headers = append(c.headers, headerKey{strings.ToLower(h.Key), []byte(viettext.Fold(h.Value))})
	}
	for i := range in.Not {
		sub, err := v.compile(&in.Not[i], keys)
		if err != nil {
			return nil, err
		}
		c.not = append(c.not, sub)
	}
	for i := range in.Or {
		var pair [2]*criterion
		for k := range pair {
			sub, err := v.compile(&in.Or[i][k], keys)
			if err != nil {
				return nil, err
			}
			pair[k] = sub
		}
		c.or = append(c.or, pair)
	}
	return c, nil
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

func textKeys(texts []string, header bool) []textKey {
	var out []textKey
	for _, t := range texts {
		out = append(out, textKey{[]byte(viettext.Fold(t)), header})
	}
	return out
}

// searching is one SEARCH command.
type searching struct {
	s        *session
	v        *view
	deadline time.Time
	bytes    int64  // that may still be read
	folded   []byte // storage of fold
}

// run returns the places of the messages that match, in order. Those that their rows do not decide are looked at by their
// headings, and the few that are open then by their content: no more of them is in memory than one page.
func (q *searching) run(c *criterion) ([]int, error) {
	var found, open []int
	for i := range q.v.msgs[:q.v.told] {
		if q.v.msgs[i].is(gone) {
			continue
		}
		switch v, err := c.judge(q, i, evidence{}); {
		case err != nil:
			return nil, err
		case v == yes:
			found = append(found, i)
		case v == maybe:
			open = append(open, i)
		}
	}
	decided, open, err := q.byHeading(c, open)
	if err != nil {
		return nil, err
	}
	read, err := q.byContent(c, open)
	if err != nil {
		return nil, err
	}
	found = append(append(found, decided...), read...)
	slices.Sort(found)
	return found, nil
}

// byHeading returns which of some messages match by their headings, and of which those do not say.
func (q *searching) byHeading(c *criterion, places []int) (found, open []int, err error) {
	heading, envelope := c.asks()
	if !heading || len(places) == 0 {
		return nil, places, nil
	}
	err = q.s.l.store.Headings(q.s.ctx, q.v.mailbox.ID, q.v.uids(places), envelope, func(h mailcore.Heading) error {
		i, ok := q.v.find(h.UID)
		if !ok {
			return nil
		}
		if time.Now().After(q.deadline) {
			return errSearchLimit
		}
		v, err := c.judge(q, i, evidence{heading: &h})
		switch v {
		case yes:
			found = append(found, i)
		case maybe:
			open = append(open, i)
		}
		return err
	})
	return found, open, q.readError(err)
}

// byContent returns which of some messages match.
func (q *searching) byContent(c *criterion, places []int) (found []int, err error) {
	for chunk := range slices.Chunk(places, loadChunk) {
		loaded, err := q.s.l.store.Load(q.s.ctx, q.v.mailbox.ID, q.v.uids(chunk))
		if err != nil {
			return nil, q.s.problem("search", err)
		}
		var ahead int
		var bodies map[blob.Digest][]byte
		for k := range loaded {
			if k == ahead {
				if bodies, ahead, err = q.readAhead(loaded, k); err != nil {
					return nil, q.readError(err)
				}
			}
			i, ok := q.v.find(loaded[k].UID)
			if !ok {
				continue
			}
			if ok, err = q.one(c, i, &loaded[k], bodies[loaded[k].Digest]); err != nil {
				return nil, err
			} else if ok {
				found = append(found, i)
			}
		}
	}
	return found, nil
}

// readAhead reads the small bodies of the next messages together, of some hundred kilobytes in all, and returns before which
// message it is to be called again.
func (q *searching) readAhead(loaded []mailcore.Stored, from int) (bodies map[blob.Digest][]byte, to int, err error) {
	var digests []blob.Digest
	size := int64(0)
	for to = from; to < len(loaded) && size < maxAhead; to++ {
		digests = append(digests, loaded[to].Digest)
		size += min(loaded[to].BodySize, maxAhead/8) // larger ones are not small bodies
	}
	bodies, err = q.s.l.store.SmallBodies(q.s.ctx, digests)
	return bodies, to, err
}

// one decides a message by its content; body is its bytes when they are at hand.
func (q *searching) one(c *criterion, i int, m *mailcore.Stored, body []byte) (bool, error) {
	if time.Now().After(q.deadline) {
		return false, errSearchLimit
	}
	t := &target{q: q, stored: m, body: body}
	defer t.close()
	e := &m.Summary.Envelope
	v, err := c.judge(q, i, evidence{&mailcore.Heading{UID: m.UID, Subject: e.Subject, Envelope: e}, t})
	return v == yes, err
}

func (q *searching) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errSearchLimit):
		return errSearchLimit
	}
	return q.s.problem("search", fmt.Errorf("read messages: %w", err))
}
