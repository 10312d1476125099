package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"congvan/exchange"
	"congvan/recipients"
)

func as(unit string) exchange.Actor {
	return exchange.Actor{Name: "văn thư " + unit, Unit: recipients.UnitCode(unit)}
}

func (h *house) copies(t testing.TB, id exchange.DocumentID) string {
	t.Helper()
	var out []string
	for _, d := range h.status(t, id).Dispatches {
		out = append(out, fmt.Sprintf("%s %s/%s", d.Unit, d.Transport, d.Handling))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// A copy handed on is a copy of the right unit: delivered with the reason, its parent closed, all seen by the issuer.
func TestForwardGivesTheRightUnitACopyOfItsOwn(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("100/SNV-VP", "Sở Y tế=syt"))
		d := copyTo(t, st, "syt").Dispatch
		if _, err := h.Accept(ctx, as("syt"), d.ID, ""); err != nil {
			t.Fatal(err)
		}
		for i := range 3 { // the second and third time nothing is left to do
			r, err := h.Forward(ctx, as("syt"), d.ID, "stc", "không thuộc ngành y tế")
			if err != nil || r.Changed != (i == 0) {
				t.Fatalf("%+v %v", r, err)
			}
		}
		if got, want := h.copies(t, st.Document.ID), "stc delivered/received, syt delivered/forwarded"; got != want {
			t.Errorf("copies: %s", got)
		}
		if got := h.subjects(t, "stc"); !slices.Equal(got, []string{"100/SNV-VP: về việc thử nghiệm", "Chuyển văn bản: 100/SNV-VP: về việc thử nghiệm"}) {
			t.Errorf("mailbox of the right unit: %q", got)
		}
		child := copyTo(t, h.status(t, st.Document.ID), "stc")
		if child.Dispatch.Parent == nil || *child.Dispatch.Parent != d.ID || child.Owner != "stc" || !strings.Contains(child.Events[0].Detail, "không thuộc ngành y tế") ||
			child.Events[0].Actor != "văn thư syt" {
			t.Errorf("child: %+v", child)
		}
		h.reply(t, child, "stc", "Đã tiếp nhận, số đến 9")
		if got := copyTo(t, h.status(t, st.Document.ID), "stc"); got.Handling != exchange.Accepted || got.ArrivalNumber != "9" {
			t.Errorf("the child cannot be accepted: %s %q", got.Handling, got.ArrivalNumber)
		}
		if _, err := h.Forward(ctx, as("syt"), d.ID, "ubnd", "x"); !exchange.IsCode(err, exchange.CodeWrongState) {
			t.Errorf("forwarded twice: %v", err)
		}
	})
}

func TestForwardTravelsAsAtIssue(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		for i, c := range []struct {
			to   recipients.UnitCode
			want string
		}{{"bo", "bo queued/"}, {"giay", "giay exception/"}, {"tthd", "tthd delivered/received"}} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 110+i), "Sở Y tế=syt"))
			if _, err := h.Forward(ctx, as("syt"), copyTo(t, st, "syt").Dispatch.ID, c.to, ""); err != nil {
				t.Fatal(err)
			}
			if got := h.copies(t, st.Document.ID); !strings.Contains(got, c.want) {
				t.Errorf("to %s: %s", c.to, got)
			}
		}
		jobs, err := h.mail.ClaimOutbox(ctx, 10, 60_000_000_000)
		if err != nil || len(jobs) != 1 || jobs[0].Rcpt != "vanthu@bo.test" {
			t.Errorf("outbox: %+v %v", jobs, err)
		}
	})
}

func TestForwardNeverGoesInACircleNorToWhoHasItAlready(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("120/SNV-VP", "Sở Y tế=syt", "UBND tỉnh=ubnd", "VP HĐND (để biết)=vphd"))
		id := copyTo(t, st, "syt").Dispatch.ID
		refused := func(by string, id exchange.DispatchID, to recipients.UnitCode, code string) {
			t.Helper()
			if _, err := h.Forward(ctx, as(by), id, to, ""); !exchange.IsCode(err, code) {
				t.Errorf("%s to %s: %v, want %s", by, to, err, code)
			}
		}
		refused("syt", id, "syt", exchange.CodeForwardLoop)
		refused("syt", id, "snv", exchange.CodeForwardToIssuer)
		refused("syt", id, "ubnd", exchange.CodeHasCopy)
		refused("syt", id, "khong-co", exchange.CodeUnknownUnit)
		refused("stc", id, "ubnd", exchange.CodeNotEntitled)
		r, err := h.Forward(ctx, as("syt"), id, "stc", "")
		if err != nil || !r.Changed {
			t.Fatal(err)
		}
		child := copyTo(t, h.status(t, st.Document.ID), "stc").Dispatch.ID
		refused("stc", child, "syt", exchange.CodeForwardLoop)
		if _, err := h.Refuse(ctx, as("ubnd"), copyTo(t, st, "ubnd").Dispatch.ID, "misdirected"); err != nil {
			t.Fatal(err)
		}
		refused("stc", child, "ubnd", exchange.CodeForwardLoop) // it said no already
	})
}

// Two copies are forwarded to the same unit at the same moment: one arrives, the other forward is told so.
func TestTwoForwardsAtOnceMakeOneCopy(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("130/SNV-VP", "Sở Y tế=syt", "UBND tỉnh=ubnd"))
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, unit := range []string{"syt", "ubnd"} {
			id := copyTo(t, st, unit).Dispatch.ID
			wg.Go(func() { _, errs[i] = h.Forward(ctx, as(unit), id, "stc", "") })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !exchange.IsCode(err, exchange.CodeHasCopy) {
				t.Error(err)
			}
		}
		if won != 1 || strings.Count(h.copies(t, st.Document.ID), "stc") != 1 {
			t.Errorf("%d forwards, copies %s", won, h.copies(t, st.Document.ID))
		}
	})
}

func TestRefusalAfterAcceptingVoidsTheArrivalNumber(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		first := h.issue(t, proposal("140/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, first, "syt").Dispatch.ID
		if r, err := h.Accept(ctx, as("syt"), id, ""); err != nil || r.Dispatch.ArrivalNumber != "1" {
			t.Fatal(r, err)
		}
		for i := range 2 {
			if r, err := h.Refuse(ctx, as("syt"), id, "Văn bản gửi nhầm, đề nghị chuyển Sở Tài chính"); err != nil || r.Changed != (i == 0) {
				t.Fatal(r, err)
			}
		}
		second := h.issue(t, proposal("141/SNV-VP", "Sở Y tế=syt"))
		if r, err := h.Accept(ctx, as("syt"), copyTo(t, second, "syt").Dispatch.ID, ""); err != nil || r.Dispatch.ArrivalNumber != "2" {
			t.Errorf("a voided number is given again: %+v, %v", r, err)
		}
		if got := h.subjects(t, "snv"); !slices.Equal(got, []string{"Trả lại: 140/SNV-VP"}) {
			t.Errorf("the issuer was told %q", got)
		}
		var row struct {
			State  string `db:"state"`
			Reason string `db:"reason"`
		}
		h.get(t, &row, `SELECT state, reason FROM register_number WHERE owner = $1`, fmt.Sprint("dispatch:", int64(id)))
		if row.State != "voided" || !strings.HasPrefix(row.Reason, "Văn bản gửi nhầm") {
			t.Errorf("register: %+v", row)
		}
		last := copyTo(t, h.status(t, first.Document.ID), "syt")
		if e := last.Events[len(last.Events)-1]; !strings.Contains(e.Detail, `"code":"misdirected"`) {
			t.Errorf("refused for %s", e.Detail)
		}
	})
}

// A number told from the unit's own bound book that was voided is refused when it is told again.
func TestVoidedNumberOfABoundBookIsNotTakenAgain(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a, b := h.issue(t, proposal("142/SNV-VP", "Sở Y tế=syt")), h.issue(t, proposal("143/SNV-VP", "Sở Y tế=syt"))
		h.Accept(ctx, as("syt"), copyTo(t, a, "syt").Dispatch.ID, "77")
		h.Refuse(ctx, as("syt"), copyTo(t, a, "syt").Dispatch.ID, "duplicate")
		if _, err := h.Accept(ctx, as("syt"), copyTo(t, b, "syt").Dispatch.ID, "77"); !exchange.IsCode(err, exchange.CodeArrivalTaken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRefusalOfAForwardedCopyIsToldToBoth(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("144/SNV-VP", "Sở Y tế=syt"))
		if _, err := h.Forward(ctx, as("syt"), copyTo(t, st, "syt").Dispatch.ID, "stc", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Refuse(ctx, as("stc"), copyTo(t, h.status(t, st.Document.ID), "stc").Dispatch.ID, "cũng không phải việc của Sở"); err != nil {
			t.Fatal(err)
		}
		for unit, want := range map[string]int{"snv": 1, "syt": 1} {
			got := slices.DeleteFunc(h.subjects(t, unit), func(s string) bool { return s != "Trả lại: 144/SNV-VP" })
			if len(got) != want {
				t.Errorf("%s was told %d times", unit, len(got))
			}
		}
	})
}

func TestReasonsAreRecognised(t *testing.T) {
	for text, want := range map[string]exchange.RefusalCode{
		"gửi nhầm đơn vị": exchange.Misdirected, "Gui nham": exchange.Misdirected, "không thuộc thẩm quyền của Sở": exchange.Misdirected, "nhầm": exchange.Misdirected,
		"trùng văn bản đã nhận ngày 12/3": exchange.Duplicate, "thiếu phụ lục 2": exchange.Incomplete, "van ban thieu trang 3": exchange.Incomplete,
		"sai thể thức (thiếu ngày tháng)": exchange.BadForm, "tệp bị hỏng, không mở được": exchange.Unreadable, "Chữ ký số không hợp lệ": exchange.BadSignature,
		"đang sáp nhập đơn vị": exchange.OtherReason, "duplicate": exchange.Duplicate, "Sở đã có ý kiến bằng văn bản khác": exchange.OtherReason,
	} {
		if got, _ := exchange.RefusalOf(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, r := range exchange.Refusals {
		if code, text := exchange.RefusalOf(string(r.Code)); code != r.Code || text != r.Text {
			t.Errorf("%s: %s %q", r.Code, code, text)
		}
		if code, _ := exchange.RefusalOf(r.Text); code != r.Code {
			t.Errorf("%q: %s", r.Text, code)
		}
	}
}

// What became of a copy that was handed on is proven offline like any other.
func TestBundleProvesForwardsAndTasks(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := h.officers(t, "stc", "an=An")
		st := h.issue(t, proposal("150/SNV-VP", "Sở Y tế=syt", "UBND tỉnh=ubnd"))
		if _, _, err := h.Inspect(ctx, as("syt"), copyTo(t, st, "syt").Dispatch.ID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Forward(ctx, as("syt"), copyTo(t, st, "syt").Dispatch.ID, "stc", "việc của Sở Tài chính"); err != nil {
			t.Fatal(err)
		}
		child := copyTo(t, h.status(t, st.Document.ID), "stc").Dispatch.ID
		if _, err := h.ReportDamage(ctx, as("stc"), child, "không mở được"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Assign(ctx, as("stc"), child, exchange.Assignment{Lead: p[0], DueOn: "2126-11-20"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Answer(ctx, as("stc"), child, h.answering(t, "stc", "5/STC-VP").ID); err != nil {
			t.Fatal(err)
		}
		h.log(t)
		r := exchange.VerifyBundle(ctx, h.export(t, st.Document.ID, exchange.ExportOptions{Confirm: true}), bundleTrust(t))
		if len(checks(r)) > 0 {
			t.Errorf("not proven: %q", checks(r))
		}
	})
}
