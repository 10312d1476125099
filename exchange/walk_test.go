package exchange_test

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"
)

// A walk is many actors doing random things to a few documents; after each step every invariant must hold.
type walk struct {
	*house
	t      *testing.T
	random *rand.Rand
	docs   []exchange.DocumentID
	closed map[exchange.DispatchID]bool
	people []mailcore.Address // officers of Sở Y tế
	did    []string
}

func TestRandomWalksKeepEveryInvariant(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		people := h.officers(t, "syt", "an=An", "binh=Bình", "chi=Chi")
		for seed := range int64(3) {
			w := &walk{house: h, t: t, people: people, random: rand.New(rand.NewSource(seed)), closed: map[exchange.DispatchID]bool{}}
			for range 40 {
				w.step(int(seed))
				if t.Failed() {
					t.Fatalf("seed %d after %v", seed, w.did)
				}
			}
		}
	})
}

func (w *walk) pick(options ...string) string { return options[w.random.Intn(len(options))] }

func (w *walk) step(seed int) {
	unit := w.pick("syt", "stc", "ubnd", "vphd")
	verb := w.pick("issue", "move", "move", "reply", "reply", "open", "queue", "queue", "report", "accept", "refuse", "advance", "back", "forward", "forward", "assign", "task", "damage", "heal", "enter", "inspect", "called", "answer", "recall", "give back", "give back", "supplement", "replace", "pickup")
	if len(w.docs) == 0 {
		verb = "issue"
	}
	w.did = append(w.did, verb+" "+unit)
	ctx := context.Background()
	switch verb {
	case "issue":
		n := 1000*(seed+1) + len(w.docs)
		st := w.issue(w.t, proposal(fmt.Sprintf("%d/SNV-VP", n), "Sở Y tế, Sở Tài chính=syt stc", w.pick("UBND tỉnh (để biết)=ubnd", "UBND tỉnh=ubnd"),
			"TT, VP HĐND=tthd vphd", "Bộ Thử=bo", "X>X <vt@x.test>", "Hội NCT=giay", "Lưu: VT!lưu"))
		w.docs = append(w.docs, st.Document.ID)
	case "move":
		w.move(w.t, unit, w.pick("Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Từ chối", "Thùng rác"))
	case "back":
		w.moveBack(unit)
	case "reply":
		if d := w.anyCopy(); d != nil {
			w.reply(w.t, d, unit, w.pick("Đã tiếp nhận", fmt.Sprint("Đã tiếp nhận, số đến ", w.random.Intn(30)+1), "Từ chối: nhầm", "Từ chối", "Đang xử lý", "Hoàn thành", "Cảm ơn"))
		}
	case "open":
		a, box, rows := w.inbox(w.t, unit)
		for _, r := range rows {
			if err := w.mail.NoteFetched(ctx, a, box.ID, []mailcore.UID{r.UID}, w.random.Intn(2) == 0); err != nil {
				w.t.Fatal(err)
			}
		}
		w.handle(w.t)
	case "queue":
		w.sendOne()
	case "report":
		if d := w.anyCopy(); d != nil {
			w.submit(w.t, "", "", exchange.BounceMailbox+"+"+d.Dispatch.Token(), fmt.Sprintf("From: m@x.test\nMime-Version: 1.0\n"+
				"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nok\n--b\nContent-Type: message/delivery-status\n\n"+
				"Reporting-MTA: dns; x.test\n\nFinal-Recipient: rfc822; a@x.test\nAction: %s\nStatus: 2.0.0\n\n--b--\n", w.pick("delivered", "failed", "relayed", "delayed")))
		}
	default:
		w.direct(verb, unit)
	}
	w.mustBeSound(w.t)
	w.closedStaysClosed()
}

// direct calls a verb as the console will; whatever it answers, nothing may break.
func (w *walk) direct(verb, unit string) {
	d := w.anyCopy()
	if d == nil {
		return
	}
	ctx, by := context.Background(), exchange.Actor{Unit: "syt", Address: mailcore.Address(unit + "@" + domain)}
	switch verb {
	case "recall":
		w.Recall(ctx, clerk, d.Dispatch.Document, "nhầm", false)
	case "give back":
		by := exchange.Actor{Unit: recipients.UnitCode(unit)}
		if d.Dispatch.Way != exchange.ByMailbox {
			by = clerk
		}
		w.AnswerRecall(ctx, by, d.Dispatch.ID, w.random.Intn(2) == 0, w.pick("", "đã thi hành"))
	case "supplement":
		w.Supplement(ctx, clerk, d.Dispatch.Document, exchange.Forgotten{Name: w.pick("Ông A", "Bà B"), Address: w.pick("", "b@b.test")}, "bỏ sót")
	case "replace":
		if n := len(w.docs); n > 1 {
			w.Replace(ctx, clerk, d.Dispatch.Document, w.docs[n-1], "sửa")
		}
	case "pickup":
		if o, err := w.OfferPickup(ctx, clerk, d.Dispatch.ID, pickupBase, "", time.Hour); err == nil && w.random.Intn(2) == 0 {
			w.FetchPickup(ctx, strings.TrimPrefix(o.URL, pickupBase), 0, exchange.Visitor{Browser: "b", Remote: "192.0.2.1"})
		}
	case "accept":
		w.Accept(ctx, by, d.Dispatch.ID, w.pick("", "7", "8"))
	case "refuse":
		w.Refuse(ctx, by, d.Dispatch.ID, w.pick("", "nhầm"))
	case "advance":
		w.Advance(ctx, by, d.Dispatch.ID, []exchange.Handling{exchange.InProgress, exchange.Completed, exchange.Received}[w.random.Intn(3)])
	case "forward":
		w.Forward(ctx, as(string(d.Dispatch.Unit)), d.Dispatch.ID, recipients.UnitCode(w.pick("syt", "stc", "ubnd", "vphd", "bo", "giay", "snv")), "")
	case "assign":
		a := exchange.Assignment{Lead: w.people[w.random.Intn(3)], DueOn: w.pick("", "2126-01-01", "2126-01-02")}
		if helper := w.people[w.random.Intn(3)]; helper != a.Lead {
			a.Support = []mailcore.Address{helper}
		}
		w.Assign(ctx, as(string(d.Dispatch.Unit)), d.Dispatch.ID, a)
	case "task":
		w.AdvanceTask(ctx, exchange.Actor{Address: w.people[w.random.Intn(3)]}, d.Dispatch.ID, []exchange.Handling{exchange.InProgress, exchange.Completed}[w.random.Intn(2)])
	case "heal":
		w.Heal(ctx, as(string(d.Dispatch.Unit)), d.Dispatch.Unit, "")
	case "enter":
		w.Enter(ctx, as(unit), recipients.UnitCode(unit), exchange.IncomingBook, exchange.Entry{Reference: w.pick("", "7", "31"), Abstract: "giấy"})
	case "inspect":
		w.Inspect(ctx, as(string(d.Dispatch.Unit)), d.Dispatch.ID, "")
	case "called":
		w.Called(ctx, clerk, d.Dispatch.ID, w.random.Intn(2) == 0, "đã gọi")
	case "damage":
		w.ReportDamage(ctx, as(string(d.Dispatch.Unit)), d.Dispatch.ID, w.pick("hỏng", "không mở được"))
	case "answer":
		w.Answer(ctx, as(string(d.Dispatch.Unit)), d.Dispatch.ID, w.docs[w.random.Intn(len(w.docs))])
	}
}

func (w *walk) anyCopy() *exchange.StatusDispatch {
	st := w.status(w.t, w.docs[w.random.Intn(len(w.docs))])
	if len(st.Dispatches) == 0 {
		return nil
	}
	return &st.Dispatches[w.random.Intn(len(st.Dispatches))]
}

// moveBack drags mails from a workflow folder back to the inbox.
func (w *walk) moveBack(unit string) {
	ctx := context.Background()
	a, inbox, _ := w.inbox(w.t, unit)
	from, err := w.mail.Mailbox(ctx, a.ID, w.pick("Đã tiếp nhận", "Từ chối", "Thùng rác"))
	if err != nil {
		w.t.Fatal(err)
	}
	rows, _, err := w.mail.Rows(ctx, from.ID)
	if err != nil || len(rows) == 0 {
		return
	}
	if _, err := w.mail.MoveMessages(ctx, a, from.ID, []mailcore.UID{rows[0].UID}, inbox.ID); err != nil {
		w.t.Fatal(err)
	}
	w.handle(w.t)
}

// sendOne is the queue trying one outside copy, with a random outcome.
func (w *walk) sendOne() {
	ctx := context.Background()
	jobs, err := w.mail.ClaimOutbox(ctx, 1, time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, j := range jobs {
		attempt, err := w.mail.BeginAttempt(ctx, j.ID, "mx.test")
		if err != nil {
			w.t.Fatal(err)
		}
		o := mailcore.Outcome{State: w.pick(mailcore.OutboxSent, "later", mailcore.OutboxFailed, mailcore.OutboxUncertain), Host: "mx.test", Phase: "data", NextAt: time.Now()}
		if err := w.mail.FinishAttempt(ctx, j.ID, attempt, o); err != nil {
			w.t.Fatal(err)
		}
	}
	w.handle(w.t)
}

func (w *walk) closedStaysClosed() {
	for _, id := range w.docs {
		st := w.status(w.t, id)
		for i := range st.Dispatches {
			d := &st.Dispatches[i]
			if w.closed[d.Dispatch.ID] && !d.Dispatch.Closed() {
				w.t.Errorf("copy to %s of %s opened again", d.Unit, st.Reference)
			}
			w.closed[d.Dispatch.ID] = d.Dispatch.Closed()
			if slices.ContainsFunc(st.Dispatches[:i], func(o exchange.StatusDispatch) bool {
				return o.Unit == d.Unit && o.Address == d.Address && (!o.Dispatch.Closed() && !d.Dispatch.Closed() || o.Parent == 0 && d.Parent == 0)
			}) {
				w.t.Errorf("two copies to %s of %s", d.Unit, st.Reference)
			}
		}
	}
}
