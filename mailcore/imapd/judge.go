package imapd

import (
	"bytes"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/viettext"
)

// A verdict is what is known of whether a message matches. Both must hold is the smaller one, one of them the larger.
type verdict int8

const (
	never verdict = iota
	maybe
	yes
)

func verdictOf(ok bool) verdict {
	if ok {
		return yes
	}
	return never
}

// evidence is what a verdict may go by beside the message's row: nothing, its heading, or its content too.
type evidence struct {
	heading *mailcore.Heading
	target  *target
}

// judge decides a message as far as the evidence goes: with a target it is never maybe. What costs nothing comes first.
func (c *criterion) judge(q *searching, i int, e evidence) (verdict, error) {
	if !c.rowMatches(q.v, i) {
		return never, nil
	}
	v := c.sent(e)
	for _, sub := range c.not {
		w, err := sub.judge(q, i, e)
		if v = min(v, yes-w); err != nil || v == never {
			return never, err
		}
	}
	for _, pair := range c.or {
		w, err := pair[0].judge(q, i, e)
		if err == nil && w != yes {
			var other verdict
			other, err = pair[1].judge(q, i, e)
			w = max(w, other)
		}
		if v = min(v, w); err != nil || v == never {
			return never, err
		}
	}
	w, err := c.words(q, e, v)
	return min(v, w), err
}

// words decides the keys that look for a text, unless v says that they do not matter.
func (c *criterion) words(q *searching, e evidence, v verdict) (verdict, error) {
	for _, k := range c.headers {
		if v == never {
			break
		}
		w, err := q.header(k, e)
		if v = min(v, w); err != nil {
			return never, err
		}
	}
	for _, k := range c.texts {
		if v == never {
			break
		}
		w, err := q.text(k, e)
		if v = min(v, w); err != nil {
			return never, err
		}
	}
	return v, nil
}

// rowMatches reports whether the row alone does not rule a message out.
func (c *criterion) rowMatches(v *view, i int) bool {
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

// sent decides by the Date header.
func (c *criterion) sent(e evidence) verdict {
	switch {
	case c.sentSince.IsZero() && c.sentBefore.IsZero():
		return yes
	case e.heading == nil || e.heading.Envelope == nil:
		return maybe
	}
	date := e.heading.Envelope.Date
	return verdictOf(!date.IsZero() && inDays(date, c.sentSince, c.sentBefore))
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

// asks reports whether headings can help to decide, and whether that takes their envelopes.
func (c *criterion) asks() (heading, envelope bool) {
	for _, k := range c.headers {
		heading = heading || k.inEnvelope()
		envelope = envelope || k.inEnvelope() && k.name != "subject"
	}
	envelope = envelope || !c.sentSince.IsZero() || !c.sentBefore.IsZero()
	for _, k := range c.texts {
		heading = heading || k.header
	}
	subs := c.not
	for _, pair := range c.or {
		subs = append(subs[:len(subs):len(subs)], pair[0], pair[1])
	}
	for _, sub := range subs {
		h, e := sub.asks()
		heading, envelope = heading || h, envelope || e
	}
	return heading || envelope, envelope
}

// inEnvelope reports whether the stored envelope answers a header key. An empty value asks whether the field is there.
func (k headerKey) inEnvelope() bool {
	switch k.name {
	case "subject", "from", "to", "cc", "bcc", "message-id":
		return len(k.value) > 0
	}
	return false
}

// header decides whether a header field contains a text.
func (q *searching) header(k headerKey, e evidence) (verdict, error) {
	if !k.inEnvelope() {
		if e.target == nil {
			return maybe, nil
		}
		ok, err := e.target.hasHeader(k)
		return verdictOf(ok), err
	}
	h := e.heading
	switch {
	case h == nil || h.Envelope == nil && k.name != "subject":
		return maybe, nil
	case k.name == "subject":
		return verdictOf(q.contains(h.Subject, k.value)), nil
	case k.name == "message-id":
		return verdictOf(q.contains("<"+h.Envelope.MessageID+">", k.value)), nil
	}
	for _, p := range people(h.Envelope, k.name) {
		if q.contains(p.Name+" <"+p.Mailbox+"@"+p.Host+">", k.value) {
			return yes, nil
		}
	}
	return never, nil
}

func people(e *mailcore.Envelope, field string) []mailcore.Person {
	switch field {
	case "from":
		return e.From
	case "to":
		return e.To
	case "cc":
		return e.Cc
	}
	return e.Bcc
}

// text decides whether a message contains a text. Where header fields count, the subject is the likeliest.
func (q *searching) text(k textKey, e evidence) (verdict, error) {
	if k.header && e.heading != nil && q.contains(e.heading.Subject, k.text) {
		return yes, nil
	}
	if e.target == nil {
		return maybe, nil
	}
	ok, err := e.target.hasText(k)
	return verdictOf(ok), err
}

// contains reports whether text, folded, contains what is folded already.
func (q *searching) contains(text string, folded []byte) bool {
	q.folded = viettext.AppendFold(q.folded[:0], text)
	return bytes.Contains(q.folded, folded)
}
