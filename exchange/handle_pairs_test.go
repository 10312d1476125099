package exchange_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
)

// A pairing is a verb of a recipient and where the table of moves says that it leads.
type pairing struct {
	name string
	to   exchange.Handling   // "" for a milestone
	also []exchange.Handling // closed states in which it may be said, and changes no state
	not  []exchange.Handling // states beyond its own in which it may not be said again
	do   func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error)
}

// A scene is a copy in some state and whoever acts on it.
type scene struct {
	by     exchange.Actor
	id     exchange.DispatchID
	people []mailcore.Address
	answer exchange.DocumentID
}

var pairings = []pairing{
	{"accept", exchange.Accepted, nil, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Accept(ctx, w.by, w.id, "")
	}},
	{"refuse", exchange.Refused, nil, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Refuse(ctx, w.by, w.id, "duplicate")
	}},
	{"forward", exchange.Forwarded, nil, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Forward(ctx, w.by, w.id, "vphd", "việc của Văn phòng")
	}},
	{"assign", exchange.Assigned, nil, []exchange.Handling{exchange.Completed}, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Assign(ctx, w.by, w.id, exchange.Assignment{Lead: w.people[1], Support: w.people[:1], DueOn: "2126-12-01"})
	}},
	{"progress", exchange.InProgress, nil, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Advance(ctx, w.by, w.id, exchange.InProgress)
	}},
	{"complete", exchange.Completed, nil, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Advance(ctx, w.by, w.id, exchange.Completed)
	}},
	{"answer", exchange.Completed, []exchange.Handling{exchange.Noted}, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.Answer(ctx, w.by, w.id, w.answer)
	}},
	{"damage", "", []exchange.Handling{exchange.Noted, exchange.Completed}, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		return h.ReportDamage(ctx, w.by, w.id, "không mở được")
	}},
	{"inspect", "", []exchange.Handling{exchange.Noted, exchange.Completed, exchange.Refused, exchange.Forwarded}, nil, func(ctx context.Context, h *house, w *scene) (*exchange.Receipt, error) {
		_, r, err := h.Inspect(ctx, w.by, w.id, "")
		return r, err
	}},
}

// leads reports whether the table of moves has a way from one state to another.
func leads(from, to exchange.Handling) bool {
	for _, next := range exchange.Handlings[from] {
		if next == to || leads(next, to) {
			return true
		}
	}
	return false
}

func in(list []exchange.Handling, h exchange.Handling) bool {
	for _, x := range list {
		if x == h {
			return true
		}
	}
	return false
}

// outcome is what the tables say of a verb in a state: the state after it, and whether it may be said at all. A verb leads on where
// the table has a way; said of what is beyond it already it changes nothing.
func (p *pairing) outcome(from exchange.Handling) (exchange.Handling, bool) {
	closed := exchange.Dispatch{Transport: exchange.Delivered, Handling: from}
	switch {
	case p.to == "":
		if from == "" && p.name == "damage" {
			return exchange.Received, true // who can tell that it is damaged has got it
		}
		return from, !closed.Closed() || in(p.also, from)
	case in(p.also, from) || from == p.to:
		return from, true
	case leads(from, p.to):
		return p.to, true
	case leads(p.to, from) && from != exchange.Refused && from != exchange.Forwarded && !in(p.not, from):
		return from, true
	}
	return from, false
}

// Every verb in every state, as the tables say: what may not be said changes nothing, and what was said is said again in vain.
func TestEveryPairOfStateAndVerb(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		people := h.officers(t, "stc", "an=An", "binh=Bình")
		answer := h.answering(t, "stc", "1/STC-VP").ID
		n := 400
		for _, state := range []exchange.Handling{"", exchange.Received, exchange.Accepted, exchange.Assigned, exchange.InProgress, exchange.Completed, exchange.Noted,
			exchange.Refused, exchange.Forwarded} {
			for i := range pairings {
				p := &pairings[i]
				if state == "" && (p.name == "assign" || p.name == "answer") {
					continue // an outside recipient has no officers and issues nothing here
				}
				n++
				w := h.scene(t, fmt.Sprintf("%d/SNV-VP", n), state, people)
				w.answer = answer
				want, may := p.outcome(state)
				before := h.chain(t, w.id)
				_, err := p.do(ctx, h, w)
				if got := h.chain(t, w.id); (err == nil) != may || got.Handling != want || err != nil && len(got.Events) != len(before.Events) {
					t.Errorf("%s in %q: %q, %v; the tables say %q, %t", p.name, state, got.Handling, err, want, may)
					continue
				}
				if err != nil {
					continue
				}
				once := h.everything(t, w.id)
				if r, err := p.do(ctx, h, w); err != nil || r.Changed {
					t.Errorf("%s in %q said again: %+v %v", p.name, state, r, err)
				}
				if again := h.everything(t, w.id); again != once {
					t.Errorf("%s in %q said again: %s, then %s", p.name, state, once, again)
				}
			}
		}
	})
}

// scene makes a copy that is in a state.
func (h *house) scene(t *testing.T, reference string, state exchange.Handling, people []mailcore.Address) *scene {
	t.Helper()
	ctx := context.Background()
	if state == "" {
		return &scene{by: as("snv"), id: copyTo(t, h.issue(t, proposal(reference, "Bộ Thử=bo")), "bo").Dispatch.ID}
	}
	line := "Sở Tài chính=stc"
	if state == exchange.Noted {
		line = "Sở Tài chính (để biết)=stc"
	}
	st := h.issue(t, proposal(reference, line))
	w := &scene{by: as("stc"), id: copyTo(t, st, "stc").Dispatch.ID, people: people}
	var err error
	switch state {
	case exchange.Accepted:
		_, err = h.Accept(ctx, w.by, w.id, "")
	case exchange.Assigned:
		_, err = h.Assign(ctx, w.by, w.id, exchange.Assignment{Lead: people[0]})
	case exchange.InProgress, exchange.Completed:
		_, err = h.Advance(ctx, w.by, w.id, state)
	case exchange.Noted:
		a, box, rows := h.inbox(t, "stc")
		err = h.mail.NoteFetched(ctx, a, box.ID, []mailcore.UID{rows[len(rows)-1].UID}, true)
		h.handle(t)
	case exchange.Refused:
		_, err = h.Refuse(ctx, w.by, w.id, "duplicate")
	case exchange.Forwarded:
		_, err = h.Forward(ctx, w.by, w.id, "vphd", "")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := h.chain(t, w.id); got.Handling != state {
		t.Fatalf("the scene is %s, not %s", got.Handling, state)
	}
	return w
}

func (h *house) chain(t *testing.T, id exchange.DispatchID) *exchange.StatusDispatch {
	t.Helper()
	st := h.status(t, id.Document())
	for i := range st.Dispatches {
		if st.Dispatches[i].Dispatch.ID == id {
			return &st.Dispatches[i]
		}
	}
	t.Fatalf("no copy %d", id)
	return nil
}

// everything counts what acts leave behind: events of the document's copies, mails, rows of the outbox, numbers, tasks.
func (h *house) everything(t *testing.T, id exchange.DispatchID) string {
	t.Helper()
	out := ""
	for _, table := range []string{"event", "dispatch", "mailbox_message", "outbox", "register_number", "incoming", "assignment", "answer"} {
		var n int
		h.get(t, &n, "SELECT count(*) FROM "+table)
		out += fmt.Sprintf("%s %d, ", table, n)
	}
	return out
}

// A crash between an act and the answer to the mail that it came by: the mail is handled again, the act is not done twice, and the
// answer is written.
func TestActByMailIsNotDoneTwiceAfterACrash(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		people := h.officers(t, "syt", "an=An", "binh=Bình")
		for i, line := range []string{"Đã tiếp nhận", "Từ chối: gửi nhầm đơn vị", "Chuyển Sở Tài chính", "Chuyển an.syt, hạn 20/12", "Báo hỏng tệp, không mở được", "Hoàn thành"} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 600+i), "Sở Y tế=syt"))
			d := copyTo(t, st, "syt")
			h.reply(t, d, "syt", line)
			got, officer := h.chain(t, d.Dispatch.ID), len(h.subjectsOf(t, people[0]))
			if len(got.Events) < 2 {
				t.Errorf("%q did nothing", line)
			}
			h.exec(t, `UPDATE mail_event SET handled_at = NULL WHERE id = (SELECT MAX(id) FROM mail_event WHERE kind = 'arrived')`)
			h.handle(t)
			again := h.chain(t, d.Dispatch.ID)
			if len(again.Events) != len(got.Events) || again.Handling != got.Handling || len(h.subjectsOf(t, people[0])) != officer {
				t.Errorf("%q handled again: %s with %d events, before %s with %d", line, again.Handling, len(again.Events), got.Handling, len(got.Events))
			}
			if n := len(h.status(t, st.Document.ID).Dispatches); n > 2 {
				t.Errorf("%q handled again: %d copies", line, n)
			}
		}
	})
}

// Two officers of a unit hand the same copy to different people at the same moment: one of them is the last word, and nobody is
// left with a task that the table does not have.
func TestTwoAssignmentsAtOnce(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		people := h.officers(t, "syt", "an=An", "binh=Bình")
		id := copyTo(t, h.issue(t, proposal("620/SNV-VP", "Sở Y tế=syt")), "syt").Dispatch.ID
		done := make(chan error, 2)
		for i := range 2 {
			go func() {
				_, err := h.Assign(ctx, as("syt"), id, exchange.Assignment{Lead: people[i]})
				done <- err
			}()
		}
		for range 2 {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("still waiting")
			}
		}
		leads := 0
		for _, task := range h.chain(t, id).Tasks {
			if task.Role == exchange.Lead && task.State != exchange.TaskWithdrawn {
				leads++
			}
		}
		if leads != 1 {
			t.Errorf("%d leads", leads)
		}
	})
}
