package ldapd

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/viettext"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// oidPaged names the control of paged results (RFC 2696).
const oidPaged = "1.2.840.113556.1.4.319"

// Scopes of a search.
const (
	scopeBase = iota
	scopeOne
	scopeSub
)

// A search is what was asked for.
type search struct {
	base      []rdn
	scope     int64
	size      int // most entries, 0 for no wish
	time      time.Duration
	typesOnly bool
	filter    filter
	attrs     []string

	paged bool
	page  int
	sent  int    // entries of earlier pages
	after string // the last of them
}

// parseSearch reads a search request (RFC 4511 §4.5.1). A base that is no name is told by badBase.
func parseSearch(m *message) (q *search, badBase bool, err error) {
	c := m.op.Children
	if len(c) != 8 {
		return nil, false, malformed("a search of %d parts", len(c))
	}
	base, ok1 := octets(c[0])
	scope, ok2 := number(c[1], ber.TagEnumerated)
	aliases, ok3 := number(c[2], ber.TagEnumerated)
	size, ok4 := number(c[3], ber.TagInteger)
	seconds, ok5 := number(c[4], ber.TagInteger)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || !isKind(c[5], ber.TagBoolean) || !isSequence(c[7]) || scope < scopeBase || scope > scopeSub ||
		aliases < 0 || aliases > 3 || size < 0 || size > 1<<31-1 || seconds < 0 || seconds > 1<<31-1 {
		return nil, false, malformed("no search")
	}
	q = &search{scope: scope, size: int(size), time: time.Duration(seconds) * time.Second, typesOnly: c[5].Data.Bytes()[0] != 0}
	if q.filter, err = parseFilter(c[6]); err != nil {
		return nil, false, err
	}
	for _, a := range c[7].Children {
		name, ok := octets(a)
		if !ok {
			return nil, false, malformed("no attribute")
		}
		q.attrs = append(q.attrs, string(name))
	}
	for _, x := range m.controls {
		if x.oid == oidPaged {
			if err := q.parsePage(x.value); err != nil {
				return nil, false, err
			}
		}
	}
	q.base, ok1 = parseDN(string(base))
	return q, !ok1, nil
}

// parsePage reads the control of paged results. Its cookie is where the last page ended, so that nothing is kept for a client
// that never comes back; it gives no right that the search does not.
func (q *search) parsePage(value []byte) error {
	if inspect(value) != nil {
		return malformed("no paged results")
	}
	p, err := ber.DecodePacketErr(value)
	if err != nil || !isSequence(p) || len(p.Children) != 2 {
		return malformed("no paged results")
	}
	size, ok1 := number(p.Children[0], ber.TagInteger)
	cookie, ok2 := octets(p.Children[1])
	if !ok1 || !ok2 || size < 0 || size > 1<<31-1 {
		return malformed("no paged results")
	}
	q.paged, q.page = true, int(size)
	if len(cookie) > 0 {
		sent, after, ok := strings.Cut(string(cookie), " ")
		if q.sent, err = strconv.Atoi(sent); err != nil || !ok || q.sent < 0 {
			return malformed("a cookie that is none of ours")
		}
		q.after = after
	}
	return nil
}

// pageControl says where a page ended; "" when it was the last.
func pageControl(cookie string) *ber.Packet {
	value := sequence(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(0), ""), octetString(cookie))
	return sequence(octetString(oidPaged), octetString(string(value.Bytes())))
}

func (x *session) search(ctx context.Context, m *message) error {
	q, badBase, err := parseSearch(m)
	if err != nil {
		return err
	}
	done := func(r result) error { return x.reply(m, opSearchDone, r) }
	if badBase {
		return done(result{code: invalidDNSyntax, text: "the base is no name"})
	}
	if len(q.base) == 0 && q.scope == scopeBase {
		if root := x.rootDSE(); q.filter.match(&root) == yes {
			if err := x.writeEntry(m.id, q, &root); err != nil {
				return err
			}
		}
		return done(result{})
	}
	if !x.maySearch() {
		return done(result{code: insufficientAccess, text: "bind with an address and its password first"})
	}
	limit := x.s.opt.MaxTime
	if q.time > 0 {
		limit = min(limit, q.time)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := x.s.directory(ctx)
	if err != nil {
		x.log.Error("search", "err", err)
		return done(result{code: unavailable, text: "try again later"})
	}
	r, err := x.find(ctx, m, q, dir)
	if err != nil {
		return err
	}
	return done(r)
}

func (x *session) maySearch() bool { return x.login != nil || x.s.opt.Anonymous }

// find writes what the search finds and returns its result; an error is one of the connection.
func (x *session) find(ctx context.Context, m *message, q *search, dir *snapshot) (result, error) {
	candidates, root, ok := x.s.under(q, dir)
	if !ok {
		return result{code: noSuchObject, matched: x.s.matched(q.base)}, nil
	}
	most := x.s.opt.MaxEntries
	if q.size > 0 {
		most = min(most, q.size)
	}
	if q.paged {
		if most = min(x.s.opt.MaxEntries, q.page); q.page == 0 { // the client wants no more
			return result{controls: []*ber.Packet{pageControl("")}}, nil
		}
	}
	w := &findings{x: x, m: m, q: q, most: most, sent: q.sent}
	if root != nil && q.after == "" {
		if over, err := w.take(root); over != nil || err != nil {
			return w.end(over), err
		}
	}
	start := 0
	if q.after != "" {
		start, ok = slices.BinarySearchFunc(candidates, q.after, func(e entry, key string) int { return strings.Compare(e.key, key) })
		if ok {
			start++
		}
	}
	for i := start; i < len(candidates); i++ {
		if i%64 == 0 && ctx.Err() != nil {
			return result{code: timeLimitExceeded}, nil
		}
		if over, err := w.take(&candidates[i]); over != nil || err != nil {
			return w.end(over), err
		}
	}
	return w.end(&result{}), nil
}

// findings are the entries of one answer.
type findings struct {
	x       *session
	m       *message
	q       *search
	most    int
	here    int // in this answer
	sent    int // in this and earlier pages
	last    string
	another bool // there is more for the next page
}

// take writes an entry that the filter finds, or says why no more of them are written.
func (w *findings) take(e *entry) (over *result, err error) {
	if w.q.filter.match(e) != yes {
		return nil, nil
	}
	if w.q.paged && w.q.size > 0 && w.sent >= w.q.size || !w.q.paged && w.here >= w.most {
		return &result{code: sizeLimitExceeded, text: "type more letters"}, nil
	}
	if w.q.paged && w.here >= w.most {
		w.another = true
		return &result{}, nil
	}
	w.here, w.sent, w.last = w.here+1, w.sent+1, e.key
	return nil, w.x.writeEntry(w.m.id, w.q, e)
}

func (w *findings) end(over *result) result {
	if over == nil {
		return result{}
	}
	if w.q.paged {
		cookie := ""
		if w.another {
			cookie = strconv.Itoa(w.sent) + " " + w.last
		}
		over.controls = []*ber.Packet{pageControl(cookie)}
	}
	return *over
}

// under returns the entries that a search is about, the base's own where it is one of them apart; not ok: there is no such base.
// Of an empty base everything is under, as clients without a configured one want it.
func (s *Server) under(q *search, dir *snapshot) (entries []entry, root *entry, ok bool) {
	base, _ := parseDN(s.base)
	switch up := len(q.base) - len(base); {
	case len(q.base) == 0 && q.scope == scopeOne:
		e := s.baseEntry()
		return nil, &e, true
	case len(q.base) == 0 || slices.Equal(q.base, base):
		e := s.baseEntry()
		switch q.scope {
		case scopeBase:
			return nil, &e, true
		case scopeOne:
			return dir.entries, nil, true
		}
		return dir.entries, &e, true
	case up == 1 && slices.Equal(q.base[1:], base) && q.base[0].kind == "mail":
		i, found := dir.byKey[q.base[0].value]
		if !found {
			return nil, nil, false
		}
		if q.scope == scopeOne {
			return nil, nil, true
		}
		return dir.entries[i : i+1], nil, true
	}
	return nil, nil, false
}

// matched is the part of a base that does exist.
func (s *Server) matched(steps []rdn) string {
	base, _ := parseDN(s.base)
	if n := len(steps) - len(base); n > 0 && slices.Equal(steps[n:], base) {
		return s.base
	}
	return ""
}

func (s *Server) baseEntry() entry {
	e := entry{dn: s.base}
	dc, _, _ := strings.Cut(s.opt.Domain, ".")
	e.add("objectClass", false, "top", "dcObject", "organization")
	e.add("o", true, s.opt.Domain)
	e.add("dc", false, dc)
	return e
}

// rootDSE says what the server can (RFC 4512 §5.1). Everybody may read it.
func (x *session) rootDSE() entry {
	e := entry{}
	e.add("objectClass", false, "top")
	e.add("namingContexts", false, x.s.base)
	e.add("supportedLDAPVersion", false, "3")
	e.add("supportedControl", false, oidPaged)
	if x.secure {
		e.add("supportedExtension", false, oidWhoAmI)
	} else {
		e.add("supportedExtension", false, oidStartTLS, oidWhoAmI)
	}
	e.add("supportedFeatures", false, "1.3.6.1.4.1.4203.1.5.3") // filters that are always true or false (RFC 4526)
	e.add("vendorName", false, "Công Văn")
	return e
}

// writeEntry writes what was asked for of an entry.
func (x *session) writeEntry(id int64, q *search, e *entry) error {
	list := sequence()
	for _, a := range e.attrs {
		if !q.wants(e, a.name) {
			continue
		}
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		if !q.typesOnly {
			for _, v := range a.values {
				values.AppendChild(octetString(v))
			}
		}
		list.AppendChild(sequence(octetString(a.name), values))
	}
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, opSearchEntry, nil, "")
	p.AppendChild(octetString(e.dn))
	p.AppendChild(list)
	x.conn.SetWriteDeadline(time.Now().Add(x.s.opt.IOTimeout)) // the client has to take each part in time
	return x.write(id, p)
}

// wants says whether an attribute was asked for: by any of its names, by "*", or by naming none.
func (q *search) wants(e *entry, name string) bool {
	if len(q.attrs) == 0 || e.dn == "" && slices.Contains(q.attrs, "+") { // of the root all are operational
		return true
	}
	return slices.ContainsFunc(q.attrs, func(asked string) bool {
		if asked == "*" {
			return true
		}
		a := e.attribute(asked)
		return a != nil && a.name == name
	})
}

// compare says whether an entry has a value (RFC 4511 §4.10).
func (x *session) compare(ctx context.Context, m *message) error {
	if len(m.op.Children) != 2 || !isSequence(m.op.Children[1]) {
		return malformed("no comparison")
	}
	name, ok := octets(m.op.Children[0])
	kind, value, err := assertion(m.op.Children[1])
	if err != nil || !ok {
		return malformed("no comparison")
	}
	done := func(r result) error { return x.reply(m, opCompareResponse, r) }
	steps, ok := parseDN(string(bytes.TrimSpace(name)))
	if !ok {
		return done(result{code: invalidDNSyntax})
	}
	if !x.maySearch() {
		return done(result{code: insufficientAccess, text: "bind with an address and its password first"})
	}
	dir, err := x.s.directory(ctx)
	if err != nil {
		x.log.Error("compare", "err", err)
		return done(result{code: unavailable})
	}
	entries, root, ok := x.s.under(&search{base: steps, scope: scopeBase}, dir)
	if len(entries) > 0 {
		root = &entries[0]
	}
	switch {
	case !ok || len(steps) == 0:
		return done(result{code: noSuchObject, matched: x.s.matched(steps)})
	case root.attribute(kind) == nil:
		return done(result{code: noSuchAttribute})
	case equalFilter{kind, viettext.Fold(value)}.match(root) == yes:
		return done(result{code: compareTrue})
	}
	return done(result{code: compareFalse})
}
