package exchange

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// An asked is what an event keeps of the attempt that it came of.
type asked struct {
	mailcore.OutboxDetail
	outcome string
}

// askedOf reads it out of an event, nil where the event came of no attempt that ended for good: one that broke after the final
// dot may still end otherwise.
func askedOf(e Event) *asked {
	outcome := map[string]string{string(Relayed): mailcore.AttemptSent, EventLater: mailcore.AttemptLater, string(Exception): mailcore.AttemptFailed}[e.Kind]
	var a asked
	if outcome == "" || json.Unmarshal([]byte(e.Detail), &a.OutboxDetail) != nil || a.Outbox == 0 {
		return nil
	}
	a.outcome = outcome
	return &a
}

// take finds the attempt among those that no other event has taken yet, and takes it.
func (a *asked) take(tries *[]mailcore.Try) bool {
	i := slices.IndexFunc(*tries, a.is)
	if i < 0 {
		return false
	}
	*tries = slices.Delete(slices.Clone(*tries), i, i+1)
	return true
}

// is compares what the event keeps; of the dialogue that is its beginning.
func (a *asked) is(t mailcore.Try) bool {
	return t.Outbox == a.Outbox && t.Rcpt == a.Rcpt && (a.Host == "" || t.Host == a.Host) && t.Code == a.Code && t.Enhanced == a.Enhanced &&
		t.Outcome == a.outcome && sameWords(t.Dialogue, a.Text)
}

// cutText is the length from which on the text in an event may be the beginning of a longer dialogue, and may end in the middle
// of a secret.
const cutText = 1900

func sameWords(dialogue, text string) bool {
	if strings.Contains(dialogue, masked) && !strings.Contains(text, masked) {
		return true // an old event has the secret, which nobody can mask in it any more
	}
	if len(text) > cutText {
		return strings.HasPrefix(dialogue, text[:cutText])
	}
	return dialogue == text
}

// masked stands for the secret of a copy's token.
const masked = "***"

// attempts compares the attempts to send a document's copies with the events that tell of them.
func (c *checker) attempts(ctx context.Context, tx *sqldb.Tx, copies []Dispatch, journal map[int64][]Event) error {
	of := map[mailcore.OutboxID]*Dispatch{}
	for i := range copies {
		for _, e := range journal[int64(copies[i].ID)] {
			var v struct{ Outbox mailcore.OutboxID }
			if copies[i].Way == ByMail && json.Unmarshal([]byte(e.Detail), &v) == nil && v.Outbox != 0 {
				of[v.Outbox] = &copies[i]
			}
		}
	}
	if len(of) == 0 {
		return nil
	}
	tries, err := c.s.Mail.TriesTx(ctx, tx, slices.Sorted(maps.Keys(of)), tx.Now.UnixMicro())
	if err != nil {
		return err
	}
	byCopy := map[DispatchID][]mailcore.Try{}
	for _, t := range tries {
		d := of[t.Outbox]
		t.Dialogue = strings.ReplaceAll(t.Dialogue, d.Secret, masked)
		if t.Ref != refOf([]*Dispatch{d}) {
			c.sayf("outbox %d: is of %q, the events of dispatch %d say otherwise", t.Outbox, t.Ref, d.ID)
		}
		byCopy[d.ID] = append(byCopy[d.ID], t)
	}
	for _, d := range of {
		c.attemptsOf(d, journal[int64(d.ID)], byCopy[d.ID])
	}
	return nil
}

func (c *checker) attemptsOf(d *Dispatch, events []Event, tries []mailcore.Try) {
	sent := map[mailcore.OutboxID]int{}
	for _, t := range tries {
		if t.Outcome == mailcore.AttemptSent {
			sent[t.Outbox]++
		}
	}
	fold := Dispatch{ID: d.ID, Way: d.Way}
	states := []Dispatch{}
	for _, e := range events {
		if a := askedOf(e); a != nil {
			a.Text = strings.ReplaceAll(a.Text, d.Secret, masked)
			if !a.take(&tries) {
				c.sayf("attempt: the one that event %d of dispatch %d tells of (outbox %d, %s) was removed or changed", e.Ordinal, d.ID, a.Outbox, a.Host)
			}
		}
		if t, h, err := fold.moved(e.Kind); err == nil {
			fold.Transport, fold.Handling = t, h
		}
		states = append(states, fold)
	}
	for _, t := range tries {
		if sent[t.Outbox] > 1 && t.Outcome == mailcore.AttemptSent || !c.waiting[t.Ref] && !unheard(t, states) {
			c.sayf("attempt: of outbox %d at %s, dispatch %d: no event tells of it: the row was added or changed", t.Outbox, t.Host, d.ID)
		}
	}
}

// unheard reports whether an attempt may have left no event: it broke and may end otherwise, or by the time its end was heard
// more was known.
func unheard(t mailcore.Try, states []Dispatch) bool {
	kind := map[string]string{mailcore.AttemptSent: string(Relayed), mailcore.AttemptLater: EventLater, mailcore.AttemptFailed: string(Exception)}[t.Outcome]
	died := t.Outcome == mailcore.AttemptLater && t.Dialogue == "" && t.Code == 0 // the process, before the final dot
	return kind == "" || died || slices.ContainsFunc(states, func(d Dispatch) bool {
		_, _, err := d.moved(kind)
		return err != nil || d.Closed()
	})
}
