package exchange_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
)

// complain leaves faults of several kinds and states.
func (h *house) complain(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	a := accountOf(t, h, "stc@"+domain)
	for i, words := range []string{"Không gửi được thư từ sáng nay", "Nghi bị lộ mật khẩu", "Nhiều thư quảng cáo"} {
		f, err := h.ReportFault(ctx, a, "", "", words)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if _, err := h.AnswerFault(ctx, exchange.Actor{Name: "quản trị"}, f.ID, []exchange.FaultState{"", exchange.FaultInProgress, exchange.FaultAnswered}[i], "Đã chặn"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFaultIsToldAndAnsweredByMail(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.FaultUnit = "snv"
		if _, err := h.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: exchange.FaultMailbox + "@" + domain, Kind: mailcore.System, Name: "Báo sự cố"}}); err != nil {
			t.Fatal(err)
		}
		mailTo := func(from, to, subject, body string) {
			t.Helper()
			h.arrive(t, "From: "+from+"@"+domain+"\nTo: "+to+"\nSubject: "+subject+"\nContent-Type: text/plain; charset=utf-8\n\n"+body+"\n",
				mailcore.Arrival{Sender: mailcore.Address(from + "@" + domain), From: mailcore.Address(from + "@" + domain), Rcpt: mailcore.Address(to), AuthAs: mailcore.Address(from + "@" + domain)})
		}
		mailTo("stc", exchange.FaultMailbox+"@"+domain, "Bao mat khau", "Từ hôm qua có người lạ đăng nhập, nghi lộ mật khẩu.\n\nTrân trọng\nVăn thư")
		h.arrive(t, "From: x@y.test\nSubject: khuyen mai\n\nmua ngay\n", mailcore.Arrival{Sender: "x@y.test", From: "x@y.test", Rcpt: exchange.FaultMailbox + "@" + domain})
		all, err := h.FaultReports(ctx, true, 10)
		if err != nil || len(all) != 1 || all[0].Kind != exchange.Leak || all[0].State != exchange.FaultNew || all[0].Unit != "stc" || all[0].Words != "Từ hôm qua có người lạ đăng nhập, nghi lộ mật khẩu." {
			t.Fatalf("%+v, %v", all, err)
		}
		if got := h.subjectsOf(t, "stc@"+domain); !slices.Equal(got, []string{"Đã nhận báo (SC-1): Bao mat khau"}) {
			t.Errorf("the reporter was told %q", got)
		}
		told, raw := h.letters(t, "snv@"+domain)
		if len(told) != 1 || !strings.Contains(string(raw[0]), "Reply-To") {
			t.Fatalf("%d letters to the desk", len(told))
		}
		list, err := told[0].Header.AddressList("Reply-To")
		if err != nil || len(list) != 1 {
			t.Fatal(err)
		}
		answer := list[0].Address
		mailTo("syt", answer, "Re", "Đổi mật khẩu đi") // not the desk
		mailTo("snv", strings.Replace(answer, ".", ".x", 1), "Re", "Đã xong")
		if f, _ := h.FaultReport(ctx, all[0].ID); f.State != exchange.FaultNew {
			t.Errorf("moved by somebody else: %+v", f)
		}
		mailTo("stc", exchange.FaultMailbox+"@"+domain, "", "")
		if got := h.subjectsOf(t, "syt@"+domain); !slices.Equal(got, []string{"Chưa ghi nhận thư báo sự cố"}) {
			t.Errorf("who may not answer was told %q", got)
		}
		if got := h.subjectsOf(t, "stc@"+domain); !slices.Contains(got, "Chưa ghi nhận thư báo sự cố") {
			t.Errorf("an empty complaint was answered by %q", got)
		}
		mailTo("snv", answer, "Re", "Đang xử lý")
		if f, _ := h.FaultReport(ctx, all[0].ID); f.State != exchange.FaultInProgress {
			t.Errorf("%+v", f)
		}
		mailTo("snv", answer, "Re", "Đã ngắt mọi phiên.\nMời văn thư nhận mật khẩu mới.\n\n> trích")
		f, err := h.FaultReport(ctx, all[0].ID)
		if err != nil || f.State != exchange.FaultAnswered || f.Answer != "Đã ngắt mọi phiên.\nMời văn thư nhận mật khẩu mới." {
			t.Errorf("%+v, %v", f, err)
		}
		if got := h.subjectsOf(t, "stc@"+domain); !slices.Contains(got, "Trả lời (SC-1): Bao mat khau") {
			t.Errorf("the reporter was told %q", got)
		}
		mailTo("snv", answer, "Re", "Đang xử lý") // too late: told so, and the event does not come again
		if pending, err := h.mail.PendingEvents(ctx, 10); err != nil || len(pending) != 0 {
			t.Errorf("%d events wait, %v", len(pending), err)
		}
		if _, err := h.AnswerFault(ctx, exchange.Actor{Name: "quản trị"}, f.ID, exchange.FaultInProgress, ""); err == nil {
			t.Error("an answered fault went back")
		}
		if _, err := h.AnswerFault(ctx, exchange.Actor{Name: "quản trị"}, f.ID, exchange.FaultAnswered, " "); !exchange.IsCode(err, exchange.CodeFaultNoAnswer) {
			t.Errorf("an empty answer: %v", err)
		}
	})
}
