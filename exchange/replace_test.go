package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/signing"
)

func TestReplaceClosesWhatIsOpenAndTellsWhoHasIt(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		old := h.issue(t, proposal("300/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc", "UBND=ubnd", "Hội NCT=giay", "Bộ Thử=bo", "X>Trạm X <vt@x.test>"))
		for _, c := range []struct{ unit, folder string }{{"stc", "Đã tiếp nhận"}, {"ubnd", "Hoàn thành"}} {
			h.move(t, c.unit, c.folder)
		}
		jobs, err := h.mail.ClaimOutbox(ctx, 1, 60e9)
		if err != nil || len(jobs) != 1 {
			t.Fatal(err)
		}
		fresh := h.issue(t, proposal("301/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc"))
		m, err := h.Replace(ctx, clerk, old.Document.ID, fresh.Document.ID, "bổ sung phụ lục")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range m.Copies {
			got[c.Unit] = fmt.Sprintf("%s %s", c.Transport, c.Handling)
		}
		for unit, want := range map[string]string{"syt": "superseded received", "stc": "superseded accepted", "ubnd": "delivered completed", "giay": "superseded ",
			"bo": "superseded ", "Trạm X": "superseded "} {
			if got[unit] != want {
				t.Errorf("%s: %s, want %s", unit, got[unit], want)
			}
		}
		for _, unit := range []string{"syt", "stc", "ubnd"} {
			if s := h.lying(t, unit); !strings.Contains(s, "Đã thay thế: 300/SNV-VP") {
				t.Errorf("%s was not told: %q", unit, s)
			}
		}
		if n := h.one(t, `SELECT count(*) FROM outbox WHERE state = 'queued' AND ref <> ''`); n != 0 {
			t.Errorf("%d copies of what was replaced still wait", n)
		}
		told := h.lying(t, "ubnd")
		if _, err := h.Replace(ctx, clerk, old.Document.ID, fresh.Document.ID, "bổ sung phụ lục"); err != nil || h.lying(t, "ubnd") != told {
			t.Errorf("again: %v, %q", err, h.lying(t, "ubnd"))
		}
		for _, c := range []struct {
			name string
			err  error
		}{
			{"itself", errOf(h.Replace(ctx, clerk, old.Document.ID, old.Document.ID, "x"))},
			{"backwards", errOf(h.Replace(ctx, clerk, fresh.Document.ID, old.Document.ID, "x"))},
			{"no reason", errOf(h.Replace(ctx, clerk, fresh.Document.ID, old.Document.ID, " "))},
			{"not theirs", errOf(h.Replace(ctx, exchange.Actor{Unit: "stc"}, fresh.Document.ID, old.Document.ID, "x"))},
			{"accept", errOf(h.Accept(ctx, exchange.Actor{Unit: "syt"}, copyTo(t, old, "syt").Dispatch.ID, ""))},
			{"correct one", h.Correct(ctx, clerk, fresh.Document.ID, old.Document.ID, "x")},
		} {
			if c.err == nil {
				t.Errorf("%s: nobody minded", c.name)
			}
		}
		// What was on the wire arrives; nothing opens again.
		attempt, err := h.mail.BeginAttempt(ctx, jobs[0].ID, "mx.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.mail.FinishAttempt(ctx, jobs[0].ID, attempt, mailcore.Outcome{State: mailcore.AttemptSent, Host: "mx.test", Phase: "done", Code: 250}); err != nil {
			t.Fatal(err)
		}
		h.handle(t)
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestCorrectTellsAndClosesNothing(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		wrong := h.issue(t, proposal("310/SNV-VP", "Sở Y tế=syt", "X>Trạm X <vt@x.test>"))
		h.try(t, mailcore.Outcome{State: mailcore.AttemptSent, Host: "mx.x.test", Phase: "done", Code: 250})
		h.handle(t)
		right := h.issue(t, proposal("311/SNV-VP", "Sở Y tế=syt"))
		for range 2 {
			if err := h.Correct(ctx, clerk, wrong.Document.ID, right.Document.ID, "sửa ngày họp"); err != nil {
				t.Fatal(err)
			}
		}
		if s := h.lying(t, "syt"); strings.Count(s, "Đính chính: 310/SNV-VP") != 1 {
			t.Errorf("syt has %q", s)
		}
		if n := h.one(t, `SELECT count(*) FROM outbox WHERE state = 'queued' AND rcpt = 'vt@x.test'`); n != 1 {
			t.Errorf("%d letters to the outside", n)
		}
		if d := copyTo(t, h.status(t, wrong.Document.ID), "syt"); d.Dispatch.Closed() {
			t.Error("it closed")
		}
	})
}

func TestSupplementAddsACopyAndChangesNothingThatWasIssued(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("320/SNV-VP", "Sở Y tế=syt", "VP HĐND=vphd"))
		id := st.Document.ID
		for range 2 { // said again after a crash
			d, err := h.Supplement(ctx, clerk, id, exchange.Forgotten{Unit: "stc"}, "bỏ sót khi soạn")
			if err != nil || d.Transport != exchange.Delivered || d.Parent != nil {
				t.Fatalf("%+v %v", d, err)
			}
		}
		outside, err := h.Supplement(ctx, clerk, id, exchange.Forgotten{Name: "Công ty Z", Address: "z@z.test"}, "có đề nghị")
		if err != nil || outside.Way != exchange.ByMail {
			t.Fatalf("%+v %v", outside, err)
		}
		if d, err := h.Supplement(ctx, clerk, id, exchange.Forgotten{Name: "Bà Thử"}, "có đề nghị"); err != nil || d.Way != exchange.ByOther {
			t.Fatalf("%+v %v", d, err)
		}
		if d, err := h.Supplement(ctx, clerk, id, exchange.Forgotten{Unit: "tthd"}, "chung hộp thư"); err != nil || d.Way != exchange.ByMailbox {
			t.Fatalf("%+v %v", d, err)
		}
		for _, c := range []struct {
			name string
			to   exchange.Forgotten
		}{{"has one", exchange.Forgotten{Unit: "syt"}}, {"was added", exchange.Forgotten{Unit: "stc"}}, {"issuer", exchange.Forgotten{Unit: "snv"}}, {"unknown", exchange.Forgotten{Unit: "khong"}},
			{"nobody", exchange.Forgotten{}}, {"bad address", exchange.Forgotten{Name: "Y", Address: "khong phai"}}} {
			if _, err := h.Supplement(ctx, clerk, id, c.to, "lý do khác"); err == nil {
				t.Errorf("%s: got a copy", c.name)
			}
		}
		if _, err := h.Supplement(ctx, exchange.Actor{Unit: "stc"}, id, exchange.Forgotten{Unit: "ubnd"}, "x"); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("another agency: %v", err)
		}
		h.move(t, "stc", "Đã tiếp nhận")
		now := h.status(t, id)
		if d := copyTo(t, now, "stc"); len(now.Dispatches) != 6 || d.Handling != exchange.Accepted || d.Dispatch.Line != 0 {
			t.Errorf("%d copies, %+v", len(now.Dispatches), d)
		}
		if r := exchange.VerifyBundle(ctx, h.export(t, id, exchange.ExportOptions{}), bundleTrust(t)); r.Status != signing.Valid || len(r.Copies) != 6 {
			t.Errorf("%s %s", r.Status, r.Reason)
		}
		// Added copies are taken back like any other.
		got := h.recall(t, id)
		for unit, want := range map[string]exchange.Transport{"stc": exchange.Delivered, "Công ty Z": exchange.Cancelled, "Bà Thử": exchange.Recalled, "tthd": exchange.Recalled} {
			if got[unit].Transport != want {
				t.Errorf("%s: %s", unit, got[unit].Transport)
			}
		}
		if _, err := h.Supplement(ctx, clerk, id, exchange.Forgotten{Unit: "ubnd"}, "x"); !exchange.IsCode(err, exchange.CodeTakenBack) {
			t.Errorf("added to what was taken back: %v", err)
		}
		if r := exchange.VerifyBundle(ctx, h.export(t, id, exchange.ExportOptions{Confirm: true}), bundleTrust(t)); r.Status != signing.Valid {
			t.Errorf("after the recall: %s %s", r.Status, r.Reason)
		}
	})
}

func TestRecallIncludesForwardedCopies(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("330/SNV-VP", "Sở Y tế=syt", "UBND=ubnd"))
		parent := copyTo(t, st, "syt").Dispatch.ID
		h.fetch(t, "syt", false)
		h.fetch(t, "ubnd", false)
		h.handle(t)
		if _, err := h.Forward(ctx, exchange.Actor{Unit: "syt"}, parent, "stc", "đúng việc của sở"); err != nil {
			t.Fatal(err)
		}
		got := h.recall(t, st.Document.ID)
		if c := got["stc"]; c.Transport != exchange.Recalled || c.How != exchange.TakenUnread || c.From == nil || *c.From != parent {
			t.Errorf("the child: %+v", c)
		}
		if c := got["syt"]; c.Answer != exchange.RecallAsked || len(c.Forwarded) != 1 || c.Forwarded[0].Unit != "stc" {
			t.Errorf("the parent: %+v", c)
		}
		// While a copy is asked back it is not handed on.
		if _, err := h.Forward(ctx, exchange.Actor{Unit: "ubnd"}, copyTo(t, st, "ubnd").Dispatch.ID, "vphd", "x"); err == nil {
			t.Error("handed on while it is asked back")
		}
		if st := h.status(t, st.Document.ID); len(st.Dispatches) != 3 {
			t.Errorf("%d copies", len(st.Dispatches))
		}
	})
}
