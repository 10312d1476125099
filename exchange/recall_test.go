package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
)

const reason = "Ban hành nhầm phụ lục"

func (h *house) recall(t testing.TB, id exchange.DocumentID) map[string]exchange.RecallCopy {
	t.Helper()
	m, err := h.Recall(context.Background(), clerk, id, reason, false)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]exchange.RecallCopy{}
	for _, c := range m.Copies {
		out[c.Unit] = c
	}
	return out
}

// lying is the subjects of what lies in a unit's inbox.
func (h *house) lying(t testing.TB, unit string) string {
	return strings.Join(h.subjects(t, unit), " | ")
}

// fetch is a client that fetches everything in the unit's inbox: with peek as a synchroniser does.
func (h *house) fetch(t testing.TB, unit string, peek bool) {
	t.Helper()
	a, box, rows := h.inbox(t, unit)
	for _, r := range rows {
		if there, err := h.mail.NoteLeaving(context.Background(), a, box.ID, r.UID, !peek); err != nil || !there {
			t.Fatal(there, err)
		}
	}
}

func TestRecallDecidesEachCopyForItself(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("20/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc", "UBND (để biết)=ubnd", "TT, VP HĐND=tthd vphd", "Hội NCT=giay",
			"Bộ Thử=bo", "X>Trạm X <vt@x.test>"))
		h.fetch(t, "stc", true)
		h.fetch(t, "ubnd", false)
		if st := h.status(t, st.Document.ID); copyTo(t, st, "ubnd").Handling != exchange.Received {
			t.Fatal("the exchange has not looked at the mail events yet, or this proves nothing")
		}
		got := h.recall(t, st.Document.ID)
		want := map[string]string{"syt": "recalled  unread", "stc": "delivered asked ", "ubnd": "delivered asked ", "tthd": "recalled  unread", "vphd": "recalled  unread",
			"giay": "recalled  undelivered", "bo": "cancelled  unsent", "Trạm X": "cancelled  unsent"}
		for unit, w := range want {
			if c := got[unit]; fmt.Sprintf("%s %s %s", c.Transport, c.Answer, c.How) != w {
				t.Errorf("%s: %s %s %s, want %s", unit, c.Transport, c.Answer, c.How, w)
			}
		}
		for unit, w := range map[string]string{"syt": "Đã thu hồi: 20/SNV-VP", "vphd": "Đã thu hồi: 20/SNV-VP",
			"stc": "20/SNV-VP: về việc thử nghiệm | Đề nghị thu hồi: 20/SNV-VP"} {
			if s := h.lying(t, unit); s != w {
				t.Errorf("%s has %q", unit, s)
			}
		}
		before := fmt.Sprintf("%+v", got)
		if again := h.recall(t, st.Document.ID); fmt.Sprintf("%+v", again) != before {
			t.Errorf("a second recall changed something:\n%s\n%+v", before, again)
		}
		if s := h.lying(t, "stc"); strings.Count(s, "Đề nghị thu hồi") != 1 {
			t.Errorf("asked more than once: %q", s)
		}
		h.handle(t)
		m, err := h.RecallMap(context.Background(), st.Document.ID)
		if err != nil || !m.Recalled || m.Reason != reason || m.Actor != "văn thư" {
			t.Errorf("%+v %v", m, err)
		}
		for _, c := range m.Copies {
			switch c.Unit {
			case "stc":
				if len(c.Downloaded) != 1 || len(c.Opened) != 0 || c.Downloaded[0].Actor != "stc@"+domain {
					t.Errorf("stc: %+v", c)
				}
			case "ubnd":
				if len(c.Opened) != 1 {
					t.Errorf("ubnd: %+v", c)
				}
			}
		}
	})
}

func TestRecallInEveryStateOfHandling(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		for i, c := range []struct {
			name   string
			do     func(id exchange.DispatchID, d *exchange.StatusDispatch)
			asked  bool
			after  exchange.Transport
			closed bool
		}{
			{"moved without opening", func(exchange.DispatchID, *exchange.StatusDispatch) { h.moveUnseen(t, "syt", "Đã tiếp nhận") }, true, exchange.Delivered, false},
			{"accepted", func(exchange.DispatchID, *exchange.StatusDispatch) { h.move(t, "syt", "Đã tiếp nhận") }, true, exchange.Delivered, false},
			{"in progress", func(exchange.DispatchID, *exchange.StatusDispatch) { h.move(t, "syt", "Đang xử lý") }, true, exchange.Delivered, false},
			{"completed", func(exchange.DispatchID, *exchange.StatusDispatch) { h.move(t, "syt", "Hoàn thành") }, true, exchange.Delivered, true},
			{"refused", func(id exchange.DispatchID, _ *exchange.StatusDispatch) {
				if _, err := h.Refuse(ctx, exchange.Actor{Unit: "syt"}, id, "nhầm"); err != nil {
					t.Fatal(err)
				}
			}, true, exchange.Delivered, true},
			{"archived unread", func(exchange.DispatchID, *exchange.StatusDispatch) { h.move(t, "syt", "Thư rác") }, false, exchange.Recalled, true},
		} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 30+i), "Sở Y tế=syt"))
			d := copyTo(t, st, "syt")
			c.do(d.Dispatch.ID, d)
			got := h.recall(t, st.Document.ID)["syt"]
			if (got.Answer == exchange.RecallAsked) != c.asked || got.Transport != c.after {
				t.Errorf("%s: %+v", c.name, got)
			}
			after := copyTo(t, h.status(t, st.Document.ID), "syt").Dispatch
			if after.Closed() != c.closed {
				t.Errorf("%s: closed %t", c.name, after.Closed())
			}
			h.handle(t)
			if c.asked {
				if _, err := h.AnswerRecall(ctx, exchange.Actor{Unit: "syt"}, d.Dispatch.ID, true, ""); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			if after := copyTo(t, h.status(t, st.Document.ID), "syt").Dispatch; after.Transport != exchange.Recalled || after.Owner != "" {
				t.Errorf("%s: in the end %+v", c.name, after)
			}
			h.mustBeSound(t)
		}
	})
}

// moveUnseen moves what is in the inbox before the exchange looks.
func (h *house) moveUnseen(t testing.TB, unit, folder string) {
	t.Helper()
	ctx := context.Background()
	a, box, rows := h.inbox(t, unit)
	to, err := h.mail.Mailbox(ctx, a.ID, folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if _, err := h.mail.MoveMessages(ctx, a, box.ID, []mailcore.UID{r.UID}, to.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecallOfCopiesOnTheirWay(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		for i, c := range []struct {
			outcome string
			want    string
		}{
			{mailcore.AttemptSent, "relayed asked "},
			{mailcore.AttemptUncertain, "uncertain asked "},
			{mailcore.AttemptFailed, "exception asked "},
			{mailcore.AttemptLater, "recalled  unsent"},
		} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 40+i), "X>Trạm X <vt@x.test>"))
			h.try(t, mailcore.Outcome{State: c.outcome, Host: "mx.x.test", Phase: "done", NextAt: h.db.Now()})
			h.handle(t)
			got := h.recall(t, st.Document.ID)["Trạm X"]
			if s := fmt.Sprintf("%s %s %s", got.Transport, got.Answer, got.How); s != c.want {
				t.Errorf("%s: %s, want %s", c.outcome, s, c.want)
			}
			h.exec(t, `UPDATE outbox SET state = 'cancelled' WHERE state = 'queued'`)
		}
		// On the wire at that moment: it is asked for, and taken back where the attempt fails.
		st := h.issue(t, proposal("49/SNV-VP", "X>Trạm X <vt@x.test>"))
		jobs, err := h.mail.ClaimOutbox(ctx, 1, 60e9)
		if err != nil || len(jobs) != 1 {
			t.Fatal(err)
		}
		if got := h.recall(t, st.Document.ID)["Trạm X"]; got.Answer != exchange.RecallAsked || got.Transport != exchange.Queued {
			t.Errorf("%+v", got)
		}
		attempt, err := h.mail.BeginAttempt(ctx, jobs[0].ID, "mx.x.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.mail.FinishAttempt(ctx, jobs[0].ID, attempt, mailcore.Outcome{State: mailcore.AttemptLater, Host: "mx.x.test", Phase: "rcpt", NextAt: h.db.Now()}); err != nil {
			t.Fatal(err)
		}
		h.handle(t)
		if d := copyTo(t, h.status(t, st.Document.ID), "Trạm X"); d.Transport != exchange.Recalled {
			t.Errorf("sent again after it was taken back: %s", d.Transport)
		}
	})
}

func TestAnswersToARecallByMail(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("50/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc", "UBND=ubnd"))
		for _, unit := range []string{"syt", "stc", "ubnd"} {
			h.fetch(t, unit, false)
		}
		h.handle(t)
		h.recall(t, st.Document.ID)
		h.reply(t, copyTo(t, st, "syt"), "syt", "Đồng ý thu hồi.")
		h.reply(t, copyTo(t, st, "stc"), "stc", "Không đồng ý")
		if d := copyTo(t, h.status(t, st.Document.ID), "stc"); d.Dispatch.Recall != exchange.RecallAsked {
			t.Errorf("refused without a reason: %s", d.Dispatch.Recall)
		}
		h.reply(t, copyTo(t, st, "stc"), "stc", "Không đồng ý: văn bản đã thi hành xong")
		h.reply(t, copyTo(t, st, "ubnd"), "ubnd", "Đồng ý nếu gửi bản khác")
		now := h.status(t, st.Document.ID)
		for unit, want := range map[string]string{"syt": "recalled agreed", "stc": "delivered refused", "ubnd": "delivered asked"} {
			d := copyTo(t, now, unit).Dispatch
			if s := fmt.Sprintf("%s %s", d.Transport, d.Recall); s != want {
				t.Errorf("%s: %s, want %s", unit, s, want)
			}
		}
		if s := h.lying(t, "syt"); strings.Contains(s, "về việc thử nghiệm") || !strings.Contains(s, "Đồng ý thu hồi") {
			t.Errorf("what was given back still lies there, or nobody said so: %q", s)
		}
		if s := h.lying(t, "stc"); !strings.Contains(s, "về việc thử nghiệm") || !strings.Contains(s, "Cần lý do") {
			t.Errorf("stc has %q", s)
		}
		m, err := h.RecallMap(context.Background(), st.Document.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Copies {
			if c.Unit == "stc" && (c.AnswerReason != "văn bản đã thi hành xong" || c.AnsweredBy != "stc@"+domain) {
				t.Errorf("%+v", c)
			}
		}
		// What was taken back is nobody's to accept; who tries is told.
		if _, err := h.Accept(context.Background(), exchange.Actor{Unit: "syt"}, copyTo(t, st, "syt").Dispatch.ID, ""); err == nil {
			t.Error("accepted after it was taken back")
		}
	})
}

// A client that opens a copy and a recall, in either order.
func TestRecallAgainstOpening(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		for i, peek := range []bool{true, false} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 60+i), "Sở Y tế=syt"))
			a, box, rows := h.inbox(t, "syt")
			uid := rows[len(rows)-1].UID
			h.recall(t, st.Document.ID)
			if there, err := h.mail.NoteLeaving(ctx, a, box.ID, uid, !peek); err != nil || there {
				t.Errorf("peek %t: the bytes would leave after the copy was taken back: %v", peek, err)
			}
			h.handle(t)
			if d := copyTo(t, h.status(t, st.Document.ID), "syt"); d.Happened(exchange.EventOpened) || d.Happened(exchange.EventDownloaded) {
				t.Error("opened after it was taken back")
			}
		}
		for i := range 20 { // both at once: one of them wins, and the other knows
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 70+i), "Sở Y tế=syt"))
			a, box, rows := h.inbox(t, "syt")
			uid := rows[len(rows)-1].UID
			var there bool
			var wg sync.WaitGroup
			wg.Go(func() {
				var err error
				if there, err = h.mail.NoteLeaving(ctx, a, box.ID, uid, i%2 == 0); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { h.recall(t, st.Document.ID) })
			wg.Wait()
			h.handle(t)
			d := copyTo(t, h.status(t, st.Document.ID), "syt")
			touched := d.Happened(exchange.EventOpened) || d.Happened(exchange.EventDownloaded)
			if there != touched || there != (d.Dispatch.Recall == exchange.RecallAsked) || there == (d.Transport == exchange.Recalled) {
				t.Errorf("bytes left: %t; touched %t, %s %s", there, touched, d.Transport, d.Dispatch.Recall)
			}
		}
	})
}

// A unit that accepts and a recall, at once and in both orders.
func TestRecallAgainstAccepting(t *testing.T) {
	ctx := context.Background()
	unit := exchange.Actor{Unit: "syt"}
	forEachHouse(t, func(t *testing.T, h *house) {
		for i := range 20 {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 100+i), "Sở Y tế=syt"))
			id := copyTo(t, st, "syt").Dispatch.ID
			var accepted error
			var wg sync.WaitGroup
			accept := func() { _, accepted = h.Accept(ctx, unit, id, "") }
			switch i {
			case 0:
				accept()
				h.recall(t, st.Document.ID)
			case 1:
				h.recall(t, st.Document.ID)
				accept()
			default:
				wg.Go(accept)
				wg.Go(func() { h.recall(t, st.Document.ID) })
				wg.Wait()
			}
			d := copyTo(t, h.status(t, st.Document.ID), "syt").Dispatch
			took := d.Handling == exchange.Accepted
			if took != (accepted == nil) || took != (d.Recall == exchange.RecallAsked) || took == (d.Transport == exchange.Recalled) {
				t.Errorf("%d: %s %s %s, accept said %v", i, d.Transport, d.Handling, d.Recall, accepted)
			}
		}
	})
}

// An officer who works in the unit's mailbox copies the document into his own, without reading it: it is not unread any more.
func TestRecallAsksForWhatWasCopiedOutUnread(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		ids, err := h.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: "nva.syt@" + domain, Kind: mailcore.Officer, Name: "Nguyễn Văn A", Unit: "syt", Password: "mật khẩu nva"}})
		if err != nil || len(ids) == 0 {
			t.Fatal(err)
		}
		st := h.issue(t, proposal("95/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc"))
		for _, unit := range []string{"syt", "stc"} {
			if _, err := h.mail.Delegate(ctx, "nva.syt@"+domain, mailcore.Address(unit+"@"+domain), "12/GUQ", exchange.CivilDate(h.db.Now()), "2126-12-31"); err != nil {
				t.Fatal(err)
			}
		}
		_, box, rows := h.inbox(t, "syt")
		officer, own, _ := h.inbox(t, "nva.syt")
		if pairs, err := h.mail.CopyMessages(ctx, officer, box.ID, []mailcore.UID{rows[0].UID}, own.ID); err != nil || len(pairs) != 1 {
			t.Fatal(pairs, err)
		}
		h.handle(t)
		got := h.recall(t, st.Document.ID)
		if got["syt"].Answer != exchange.RecallAsked || got["stc"].How != exchange.TakenUnread {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhoMayRecall(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("90/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, st, "syt").Dispatch.ID
		if _, err := h.Recall(ctx, exchange.Actor{Unit: "stc"}, st.Document.ID, reason, false); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("another agency: %v", err)
		}
		if _, err := h.Recall(ctx, clerk, st.Document.ID, "  ", false); !exchange.IsCode(err, exchange.CodeNoReason) {
			t.Errorf("no reason: %v", err)
		}
		if _, err := h.AnswerRecall(ctx, exchange.Actor{Unit: "syt"}, id, true, ""); !exchange.IsCode(err, exchange.CodeNotAsked) {
			t.Errorf("an answer that nobody asked for: %v", err)
		}
		doc, err := h.Register(ctx, clerk, proposal("91/SNV-VP", "Sở Y tế=syt"), pdfOf("91"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Recall(ctx, clerk, doc.ID, reason, false); !exchange.IsCode(err, exchange.CodeNotIssued) {
			t.Errorf("not issued: %v", err)
		}
		h.fetch(t, "syt", false)
		m, err := h.Recall(ctx, clerk, st.Document.ID, reason, true)
		if err != nil || !m.Secret {
			t.Fatalf("%+v %v", m, err)
		}
		if _, err := h.AnswerRecall(ctx, exchange.Actor{Unit: "stc"}, id, true, ""); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("another unit answers: %v", err)
		}
		h.handle(t)
	})
}
