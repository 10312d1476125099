package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// submit delivers a reply as smtpd would: from the account named, or from outside when as is "".
func (h *house) submit(t testing.TB, from, as, to, body string) {
	t.Helper()
	h.arrive(t, body, mailcore.Arrival{Sender: mailcore.Address(from), Rcpt: mailcore.Address(to + "@" + domain), AuthAs: mailcore.Address(as)})
}

// arrive has a mail come in as smtpd would, and be handled.
func (h *house) arrive(t testing.TB, body string, arrival mailcore.Arrival) {
	t.Helper()
	ctx := context.Background()
	b, err := h.mail.SaveBody(ctx, strings.NewReader(strings.ReplaceAll(body, "\n", "\r\n")), 0)
	if err != nil {
		t.Fatal(err)
	}
	local, _, _ := strings.Cut(string(arrival.Rcpt), "+")
	local, _, _ = strings.Cut(local, "@")
	a, err := h.mail.Account(ctx, mailcore.Address(local+"@"+domain))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.mail.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID, Arrived: &arrival}}); err != nil {
		t.Fatal(err)
	}
	h.handle(t)
}

// reply answers the copy of a unit from the unit's own account.
func (h *house) reply(t testing.TB, d *exchange.StatusDispatch, unit, line string) {
	t.Helper()
	address := unit + "@" + domain
	h.submit(t, address, address, exchange.ReplyMailbox+"+"+d.Dispatch.Token(),
		"From: "+address+"\nSubject: Re\nContent-Type: text/plain; charset=utf-8\n\n"+line+"\n\n> trích\n")
}

func (h *house) subjects(t testing.TB, unit string) (all []string) {
	t.Helper()
	_, box, rows := h.inbox(t, unit)
	for _, r := range rows {
		stored, err := h.mail.Load(context.Background(), box.ID, []mailcore.UID{r.UID})
		if err != nil || len(stored) != 1 {
			t.Fatal(err)
		}
		all = append(all, stored[0].Summary.Envelope.Subject)
	}
	return all
}

func TestMoveIntoAFolderIsTheAct(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		for i, c := range []struct {
			folder string
			want   exchange.Handling
			kinds  string
		}{
			{"Đã tiếp nhận", exchange.Accepted, "delivered accepted"},
			{"Đang xử lý", exchange.InProgress, "delivered accepted in_progress"},
			{"Hoàn thành", exchange.Completed, "delivered accepted in_progress completed"},
			{"Từ chối", exchange.Received, "delivered asked"}, // needs a reason
			{"Thùng rác", exchange.Received, "delivered"},
		} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 20+i), "Sở Y tế=syt"))
			h.move(t, "syt", c.folder)
			d := copyTo(t, h.status(t, st.Document.ID), "syt")
			var kinds []string
			for _, e := range d.Events {
				kinds = append(kinds, e.Event)
			}
			if d.Handling != c.want || strings.Join(kinds, " ") != c.kinds {
				t.Errorf("%s: %s, events %v", c.folder, d.Handling, kinds)
			}
			if c.want != exchange.Received && d.ArrivalNumber != fmt.Sprint(i+1) {
				t.Errorf("%s: số đến %q", c.folder, d.ArrivalNumber)
			}
		}
	})
}

func TestEveryActIsAnsweredOnce(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.issue(t, proposal("30/SNV-VP", "Sở Y tế=syt"))
		h.move(t, "syt", "Đã tiếp nhận")
		if got := h.subjects(t, "syt"); !slices.Equal(got, []string{"Đã tiếp nhận, số đến 1: 30/SNV-VP"}) {
			t.Errorf("answers %q", got)
		}
		st := h.issue(t, proposal("31/SNV-VP", "Sở Tài chính=stc"))
		h.move(t, "stc", "Từ chối")
		if got := h.subjects(t, "stc"); !slices.Equal(got, []string{"Cần lý do từ chối: 31/SNV-VP"}) {
			t.Errorf("answers %q", got)
		}
		h.reply(t, copyTo(t, st, "stc"), "stc", "Từ chối: gửi nhầm")
		if d := copyTo(t, h.status(t, st.Document.ID), "stc"); d.Handling != exchange.Refused || d.Owner != "" || d.Deadline != nil {
			t.Errorf("%+v", d)
		}
	})
}

func TestUnitThatTellsItsNumberKeepsItsOwnBook(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		one := h.issue(t, proposal("40/SNV-VP", "Sở Y tế=syt"))
		two := h.issue(t, proposal("41/SNV-VP", "Sở Y tế=syt"))
		three := h.issue(t, proposal("42/SNV-VP", "Sở Y tế=syt"))
		h.reply(t, copyTo(t, one, "syt"), "syt", "Đã tiếp nhận, số đến 123")
		h.reply(t, copyTo(t, two, "syt"), "syt", "Đã tiếp nhận, số đến 123") // a double: nothing changes
		h.reply(t, copyTo(t, three, "syt"), "syt", "Đã tiếp nhận")           // waits for its number
		for i, want := range []string{"accepted 123", "received ", "accepted "} {
			st := []*exchange.Status{one, two, three}[i]
			d := copyTo(t, h.status(t, st.Document.ID), "syt")
			if got := string(d.Handling) + " " + d.ArrivalNumber; got != want {
				t.Errorf("%s: %q, want %q", st.Reference, got, want)
			}
		}
		h.reply(t, copyTo(t, three, "syt"), "syt", "Số đến 125")
		if d := copyTo(t, h.status(t, three.Document.ID), "syt"); d.ArrivalNumber != "125" {
			t.Errorf("số đến %q", d.ArrivalNumber)
		}
	})
}

func TestOurNumberStandsWhereWeNumber(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.issue(t, proposal("43/SNV-VP", "Sở Y tế=syt"))
		h.move(t, "syt", "Đã tiếp nhận")
		st := h.issue(t, proposal("44/SNV-VP", "Sở Y tế=syt"))
		h.reply(t, copyTo(t, st, "syt"), "syt", "Đã tiếp nhận, số đến 77")
		if d := copyTo(t, h.status(t, st.Document.ID), "syt"); d.ArrivalNumber != "2" {
			t.Errorf("số đến %q", d.ArrivalNumber)
		}
	})
}

func TestReplyOfSomebodyElseChangesNothing(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("50/SNV-VP", "Sở Y tế=syt"))
		d := copyTo(t, st, "syt")
		h.reply(t, d, "stc", "Từ chối: không phải việc của đơn vị") // another unit's account
		h.submit(t, "syt@tinh.test", "", exchange.ReplyMailbox+"+"+d.Dispatch.Token(), "From: syt@tinh.test\n\nĐã tiếp nhận, số đến 1\n")
		h.submit(t, "x@y.test", "", exchange.ReplyMailbox+"+khong-co", "From: x@y.test\n\nĐã tiếp nhận\n")
		got := copyTo(t, h.status(t, st.Document.ID), "syt")
		if got.Handling != exchange.Received || !got.Happened(exchange.EventUnverified) {
			t.Errorf("%s, events %+v", got.Handling, got.Events)
		}
		if n := len(h.subjects(t, "snv")); n != 2 {
			t.Errorf("the issuer was handed %d replies, want 2", n)
		}
	})
}

func TestReplyThatIsNoActGoesToTheIssuer(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("51/SNV-VP", "Sở Y tế=syt"))
		h.reply(t, copyTo(t, st, "syt"), "syt", "Đề nghị gửi lại phụ lục 2")
		if got := h.subjects(t, "snv"); !slices.Equal(got, []string{"Trả lời về 51/SNV-VP"}) {
			t.Errorf("issuer has %q", got)
		}
		d := copyTo(t, st, "syt")
		h.submit(t, "syt@tinh.test", "syt@tinh.test", exchange.ReplyMailbox+"+"+d.Dispatch.Token(),
			"From: syt@tinh.test\nAuto-Submitted: auto-replied\n\nĐã tiếp nhận\n")
		if got := copyTo(t, h.status(t, st.Document.ID), "syt"); got.Handling != exchange.Received {
			t.Errorf("a vacation notice was an act")
		}
	})
}

func TestOpeningACopyForInformationIsAllItNeeds(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("60/SNV-VP", "Sở Y tế (để biết)=syt", "Sở Tài chính=stc"))
		for _, unit := range []string{"syt", "stc"} {
			a, box, rows := h.inbox(t, unit)
			if err := h.mail.NoteFetched(ctx, a, box.ID, []mailcore.UID{rows[0].UID}, true); err != nil {
				t.Fatal(err)
			}
		}
		h.handle(t)
		st = h.status(t, st.Document.ID)
		if d := copyTo(t, st, "syt"); d.Handling != exchange.Noted || d.Owner != "" {
			t.Errorf("để biết: %s, owner %q", d.Handling, d.Owner)
		}
		if d := copyTo(t, st, "stc"); d.Handling != exchange.Received || !d.Happened(exchange.EventOpened) || d.Owner != "stc" {
			t.Errorf("to act on: %s, owner %q", d.Handling, d.Owner)
		}
	})
}

func TestQueueAndReportsMoveAnOutsideCopy(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("70/SNV-VP", "Bộ Thử=bo", "Trung tâm X>Trung tâm X <vt@x.test>"))
		jobs, err := h.mail.ClaimOutbox(ctx, 10, 60_000_000_000)
		if err != nil || len(jobs) != 2 {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		for _, j := range jobs {
			attempt, err := h.mail.BeginAttempt(ctx, j.ID, "mx.test")
			if err != nil {
				t.Fatal(err)
			}
			o := mailcore.Outcome{State: "sent", Host: "mx.test", Phase: "done", Code: 250}
			if j.Rcpt == "vt@x.test" {
				o = mailcore.Outcome{State: "failed", Host: "mx.test", Phase: "rcpt", Code: 550, Enhanced: "5.1.1", Dialogue: "550 no such user"}
			}
			if err := h.mail.FinishAttempt(ctx, j.ID, attempt, o); err != nil {
				t.Fatal(err)
			}
		}
		h.handle(t)
		st = h.status(t, st.Document.ID)
		d := copyTo(t, st, "bo")
		if d.Transport != exchange.Relayed || d.Owner != "snv" {
			t.Errorf("after 250: %s, owner %q", d.Transport, d.Owner)
		}
		if x := copyTo(t, st, "Trung tâm X"); x.Transport != exchange.Exception || x.Owner != "snv" {
			t.Errorf("after 550: %s", x.Transport)
		}
		report := "From: mailer-daemon@bo.test\nMime-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nok\n--b\n" +
			"Content-Type: message/delivery-status\n\nReporting-MTA: dns; bo.test\n\nFinal-Recipient: rfc822; vanthu@bo.test\nAction: delivered\nStatus: 2.0.0\n\n--b--\n"
		for range 2 { // the second says nothing new
			h.submit(t, "", "", exchange.BounceMailbox+"+"+d.Dispatch.Token(), report)
		}
		if d := copyTo(t, h.status(t, st.Document.ID), "bo"); d.Transport != exchange.Delivered || d.Handling != exchange.Received {
			t.Errorf("after the report: %s %s", d.Transport, d.Handling)
		}
	})
}

// A receipt of an outside reader tells that the copy was opened, whether or not its server ever confirmed the arrival.
func TestReceiptTellsThatAnOutsideCopyWasOpened(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("71/SNV-VP", "Bộ Thử=bo", "Sở Y tế=syt"))
		jobs, err := h.mail.ClaimOutbox(context.Background(), 10, time.Minute)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		d := copyTo(t, st, "bo")
		address := exchange.ReplyMailbox + "+" + d.Dispatch.Token()
		if !strings.Contains(string(jobs[0].Prefix), "Disposition-Notification-To: <"+address+"@") {
			t.Errorf("the copy asks for no receipt: %q", jobs[0].Prefix)
		}
		mdn := func(disposition string) string {
			return "From: vanthu@bo.test\nMime-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nđã xem\n--b\n" +
				"Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; vanthu@bo.test\nDisposition: " + disposition + "\n\n--b--\n"
		}
		h.submit(t, "", "", address, mdn("manual-action/MDN-sent-manually; denied"))
		if d := copyTo(t, h.status(t, st.Document.ID), "bo"); d.Dispatch.OpenedAt != nil || d.Handling != "" {
			t.Errorf("a refusal to tell proves: %s %v", d.Handling, d.Dispatch.OpenedAt)
		}
		for range 2 { // the second says nothing new
			h.submit(t, "", "", address, mdn("manual-action/MDN-sent-manually; displayed"))
		}
		if d := copyTo(t, h.status(t, st.Document.ID), "bo"); d.Dispatch.OpenedAt == nil || d.Transport != exchange.Delivered || d.Handling != exchange.Received {
			t.Errorf("after the receipt: %s %s, opened %v", d.Transport, d.Handling, d.Dispatch.OpenedAt)
		}
		own := copyTo(t, st, "syt")
		h.submit(t, "", "", exchange.ReplyMailbox+"+"+own.Dispatch.Token(), mdn("manual-action/MDN-sent-manually; displayed"))
		if d := copyTo(t, h.status(t, st.Document.ID), "syt"); d.Dispatch.OpenedAt != nil {
			t.Error("a receipt opened a copy in a mailbox of ours")
		}
	})
}

func TestNobodyActsForAnotherUnit(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("80/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, st, "syt").Dispatch.ID
		for _, by := range []exchange.Actor{{Unit: "stc"}, {Unit: "snv"}, {Address: "x@y.test"}, {}} {
			if _, err := h.Accept(ctx, by, id, ""); !exchange.IsCode(err, exchange.CodeNotEntitled) {
				t.Errorf("%+v: %v", by, err)
			}
		}
		if _, err := h.Refuse(ctx, exchange.Actor{Unit: "syt"}, id, "  "); !exchange.IsCode(err, exchange.CodeNoReason) {
			t.Errorf("refusal without a reason: %v", err)
		}
		for range 2 {
			if r, err := h.Accept(ctx, exchange.Actor{Unit: "syt"}, id, ""); err != nil || r.Dispatch.ArrivalNumber != "1" {
				t.Errorf("%+v %v", r, err)
			}
		}
		var m *exchange.MoveError
		h.Refuse(ctx, exchange.Actor{Unit: "syt"}, id, "nhầm")
		if _, err := h.Advance(ctx, exchange.Actor{Unit: "syt"}, id, exchange.Completed); !exchange.IsCode(err, exchange.CodeWrongState) && !errors.As(err, &m) {
			t.Errorf("a closed copy opened again: %v", err)
		}
	})
}

func TestCheckNamesWhatWasTamperedWith(t *testing.T) {
	for name, sql := range map[string]string{
		"event changed":     `UPDATE event SET actor = 'x' WHERE chain % 1048576 > 0`,
		"event removed":     `DELETE FROM event WHERE chain % 1048576 > 0`,
		"state changed":     `UPDATE dispatch SET handling = 'accepted'`,
		"owner taken away":  `UPDATE dispatch SET owner = ''`,
		"copy removed":      `DELETE FROM mailbox_message`,
		"line opened":       `UPDATE recipient_line SET outcome = 'open'`,
		"unit added":        `UPDATE recipient_line SET units = 'syt stc'`,
		"document moved":    `UPDATE document SET state = 'sealed'`,
		"sealed file named": `UPDATE document SET sealed = original || 'x'`,
	} {
		t.Run(name, func(t *testing.T) {
			forEachHouseUnchecked(t, func(t *testing.T, h *house) {
				ctx := context.Background()
				h.issue(t, proposal("90/SNV-VP", "Sở Y tế=syt"))
				h.mustBeSound(t)
				err := h.db.Write(ctx, func(tx *sqldb.Tx) error { _, err := tx.ExecContext(ctx, sql); return err })
				if err != nil {
					t.Fatal(err)
				}
				if found, err := h.Check(ctx); err != nil || len(found) == 0 {
					t.Errorf("found %v, %v", found, err)
				}
			})
		})
	}
}

func TestOpenCopyIsNotLostByDeletingIt(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("95/SNV-VP", "Sở Y tế=syt"))
		remove := func() {
			a, box, rows := h.inbox(t, "syt")
			var uids []mailcore.UID
			for _, r := range rows {
				uids = append(uids, r.UID)
			}
			if _, err := h.mail.ChangeFlags(ctx, a, box.ID, uids, mailcore.FlagsAdd, []string{`\Deleted`}); err != nil {
				t.Fatal(err)
			}
			if _, err := h.mail.Expunge(ctx, a, box.ID, nil); err != nil {
				t.Fatal(err)
			}
			h.handle(t)
		}
		remove()
		if got := h.subjects(t, "syt"); !slices.Equal(got, []string{"95/SNV-VP: về việc thử nghiệm", "Chưa tiếp nhận: 95/SNV-VP"}) {
			t.Errorf("inbox has %q", got)
		}
		h.mustBeSound(t)
		h.reply(t, copyTo(t, st, "syt"), "syt", "Từ chối: nhầm")
		remove() // closed: nobody needs it any more
		if got := h.subjects(t, "syt"); len(got) != 0 {
			t.Errorf("inbox has %q", got)
		}
	})
}

func TestAnswerThatAsksForAReasonCanBeAnswered(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("96/SNV-VP", "Sở Y tế=syt"))
		h.move(t, "syt", "Từ chối")
		_, box, rows := h.inbox(t, "syt")
		stored, err := h.mail.Load(context.Background(), box.ID, []mailcore.UID{rows[0].UID})
		if err != nil || len(stored) != 1 || len(stored[0].Summary.Envelope.ReplyTo) != 1 {
			t.Fatalf("%+v, %v", stored, err)
		}
		to := stored[0].Summary.Envelope.ReplyTo[0].Mailbox
		h.submit(t, "syt@tinh.test", "syt@tinh.test", to, "From: syt@tinh.test\n\nTừ chối: gửi nhầm\n")
		if d := copyTo(t, h.status(t, st.Document.ID), "syt"); d.Handling != exchange.Refused {
			t.Errorf("handling is %s", d.Handling)
		}
	})
}
