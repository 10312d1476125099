package exchange

import (
	"context"
	"time"

	"congvan/mailcore/sqldb"
)

// A RecallMap shows where the copies of a document are that is to be taken back, or was; its JSON is the contract of
// "congvan recall --json".
type RecallMap struct {
	Reference string       `json:"reference"`
	Issuer    string       `json:"issuer"`
	Recalled  bool         `json:"recalled"`
	At        *time.Time   `json:"at,omitempty"`
	Actor     string       `json:"actor,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Secret    bool         `json:"secret"`
	Copies    []RecallCopy `json:"copies"`
}

// A RecallCopy is what became of one copy. Reached is how far it got to people: "" where neither opened nor downloaded.
type RecallCopy struct {
	ID            DispatchID     `json:"id"`
	Unit          string         `json:"unit"` // code, or the name of an off-system recipient
	Name          string         `json:"name"`
	Address       string         `json:"address"`
	Way           Way            `json:"way"`
	From          *DispatchID    `json:"from,omitempty"` // the copy that it was forwarded from
	Transport     Transport      `json:"transport"`
	Handling      Handling       `json:"handling"`
	Opened        []RecallAct    `json:"opened"`
	Downloaded    []RecallAct    `json:"downloaded"`
	Fetched       []RecallAct    `json:"fetched"` // from a pick-up address
	ArrivalNumber string         `json:"arrival_number"`
	ArrivedOn     string         `json:"arrived_on,omitempty"`
	Forwarded     []RecallTarget `json:"forwarded"`
	Answer        RecallState    `json:"answer"`        // "" where nobody was asked
	How           string         `json:"how,omitempty"` // how it was taken back without asking
	AnswerReason  string         `json:"answer_reason,omitempty"`
	AnsweredBy    string         `json:"answered_by,omitempty"`
}

// A RecallAct is when somebody did something with a copy, and who.
type RecallAct struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
}

// A RecallTarget is where a copy was forwarded.
type RecallTarget struct {
	ID   DispatchID `json:"id"`
	Unit string     `json:"unit"`
	Name string     `json:"name"`
}

// RecallMap returns the map of one document, whether or not it was taken back.
func (s *Store) RecallMap(ctx context.Context, id DocumentID) (*RecallMap, error) {
	st, err := s.Status(ctx, id)
	if err != nil {
		return nil, err
	}
	m := &RecallMap{Reference: st.Reference, Issuer: st.Issuer, Copies: []RecallCopy{}}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		e, err := lastEvent(ctx, tx, id.chain(), EventRecalled)
		if err == nil && e != nil {
			at, detail := time.UnixMicro(e.At).In(hanoi), recallOf(e.Detail)
			m.Recalled, m.At, m.Actor, m.Reason, m.Secret = true, &at, e.Actor, detail.Reason, detail.Secret
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	children := map[DispatchID][]RecallTarget{}
	for i := range st.Dispatches {
		d := &st.Dispatches[i]
		if p := d.Dispatch.Parent; p != nil {
			children[*p] = append(children[*p], RecallTarget{d.Dispatch.ID, d.Unit, d.Name})
		}
	}
	for i := range st.Dispatches {
		c := recallCopy(&st.Dispatches[i])
		c.Forwarded = append(c.Forwarded, children[c.ID]...)
		m.Copies = append(m.Copies, c)
	}
	return m, nil
}

func recallCopy(v *StatusDispatch) RecallCopy {
	d := v.Dispatch
	c := RecallCopy{ID: d.ID, Unit: v.Unit, Name: d.Name, Address: d.Address, Way: d.Way, From: d.Parent, Transport: d.Transport, Handling: d.Handling,
		Opened: []RecallAct{}, Downloaded: []RecallAct{}, Fetched: []RecallAct{}, ArrivalNumber: d.ArrivalNumber, ArrivedOn: d.ArrivedOn,
		Forwarded: []RecallTarget{}, Answer: d.Recall}
	for _, e := range v.Events {
		act := RecallAct{e.At, e.Actor}
		switch e.Event {
		case EventOpened:
			c.Opened = append(c.Opened, act)
		case EventDownloaded:
			c.Downloaded = append(c.Downloaded, act)
		case EventFetched:
			c.Fetched = append(c.Fetched, act)
		case string(Recalled), string(Cancelled), EventRecallRefused, EventRecallAgreed:
			detail := recallOf(e.Detail)
			if c.How = detail.How; c.How == "" {
				c.AnswerReason, c.AnsweredBy = detail.Reason, e.Actor
			}
		}
	}
	return c
}
