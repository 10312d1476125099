package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
)

// answerTask has an officer's calendar answer a task as calendars do (RFC 6047): to the organizer, as a part of an alternative.
func (h *house) answerTask(t testing.TB, as, attendee mailcore.Address, id exchange.DispatchID, version int, partstat, more string) {
	t.Helper()
	h.submit(t, string(attendee), string(as), "syt", fmt.Sprintf(`From: %[1]s
To: syt@%[2]s
Subject: Accepted: task
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

%[1]s has answered.
--b
Content-Type: text/calendar; charset=utf-8; method=REPLY

BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Thu//Lich//VI
METHOD:REPLY
BEGIN:VTODO
UID:viec-%[3]d@%[2]s
DTSTAMP:20261125T010000Z
SEQUENCE:%[4]d
ORGANIZER:mailto:syt@%[2]s
ATTENDEE;PARTSTAT=%[5]s;CN=An:MAILTO:%[1]s
%[6]sEND:VTODO
END:VCALENDAR
--b--
`, attendee, domain, id, version, partstat, more))
}

// What an officer's calendar answers moves the officer's part, and only that.
func TestCalendarsAnswerMovesTheTask(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		p := h.officers(t, "syt", "an=An", "binh=Bình", "xa=Xa")
		st := h.issue(t, proposal("260/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, st, "syt").Dispatch.ID
		give := func(a exchange.Assignment) {
			t.Helper()
			if _, err := h.Assign(context.Background(), as("syt"), id, a); err != nil {
				t.Fatal(err)
			}
		}
		give(exchange.Assignment{Lead: p[0], Support: p[1:2]})
		say := func(as, attendee mailcore.Address, version int, partstat, more, want string) {
			t.Helper()
			h.answerTask(t, as, attendee, id, version, partstat, more)
			now := copyTo(t, h.status(t, st.Document.ID), "syt")
			got := string(now.Handling)
			for _, task := range now.Tasks {
				got += " " + string(task.State)
			}
			if got != want {
				t.Errorf("after %s as %s says %s: %s, want %s", attendee, as, partstat, got, want)
			}
		}
		say(p[1], p[1], 0, "ACCEPTED", "", "assigned assigned assigned")
		say(p[1], p[1], 0, "IN-PROCESS", "", "assigned assigned in_progress")
		say(p[2], p[2], 0, "COMPLETED", "", "assigned assigned in_progress") // nobody gave it to Xa
		say(p[1], p[0], 0, "COMPLETED", "", "assigned assigned in_progress") // Bình speaks for An
		say("", p[0], 0, "COMPLETED", "", "assigned assigned in_progress")   // from outside
		say(p[0], p[0], 0, "NEEDS-ACTION", "", "assigned assigned in_progress")
		say(p[0], p[0], 0, "DECLINED", "STATUS:COMPLETED\n", "assigned assigned in_progress")
		give(exchange.Assignment{Lead: p[0], Support: p[1:2], DueOn: "2126-11-20"})
		say(p[0], p[0], 0, "COMPLETED", "", "assigned assigned in_progress") // of what was asked before
		say(p[1], p[1], 1, "ACCEPTED", "STATUS:COMPLETED\nPERCENT-COMPLETE:100\n", "assigned assigned completed")
		say(p[0], p[0], 1, "COMPLETED", "", "completed completed completed")
		say(p[0], p[0], 1, "COMPLETED", "", "completed completed completed")
		now := copyTo(t, h.status(t, st.Document.ID), "syt")
		if e := now.Events[len(now.Events)-1]; e.Event != "completed" || e.Actor != string(p[0]) || !strings.Contains(e.Detail, "eml") {
			t.Errorf("completed by %+v", e)
		}
		answers := 0
		for _, e := range now.Events {
			if e.Event == exchange.EventTaskAnswered {
				answers++
			}
		}
		if answers != 2 {
			t.Errorf("%d answers were noted", answers)
		}
		if got := h.subjectsOf(t, p[0]); !slices.Contains(got, "Hoàn thành: 260/SNV-VP") {
			t.Errorf("An was answered %q", got)
		}
	})
}

func FuzzTaskAnswer(f *testing.F) {
	f.Add("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REPLY\r\nBEGIN:VTODO\r\nUID:viec-5@tinh.test\r\nDTSTAMP:20261125T010000Z\r\nATTENDEE;PARTSTAT=COMPLETED:mailto:a@tinh.test\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")
	f.Add("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
	f.Add("BEGIN:VTODO:x\r\nATTENDEE;=:\r\n")
	f.Fuzz(func(t *testing.T, text string) { exchange.ParseTaskAnswer([]byte(text), domain) })
}

// Internal mail that a quick reader moved or deleted before its arrival was looked at is no trouble.
func TestMailThatLeftBeforeItWasLookedAt(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		a, box, _ := h.inbox(t, "stc")
		trash, err := h.mail.Mailbox(ctx, a.ID, "Thùng rác")
		if err != nil {
			t.Fatal(err)
		}
		for n, leave := range []func(uid mailcore.UID) error{
			func(uid mailcore.UID) error {
				_, err := h.mail.MoveMessages(ctx, a, box.ID, []mailcore.UID{uid}, trash.ID)
				return err
			},
			func(uid mailcore.UID) error {
				_, err := h.mail.Expunge(ctx, a, box.ID, []mailcore.UID{uid})
				return err
			},
		} {
			b, err := h.mail.SaveBody(ctx, strings.NewReader(fmt.Sprintf("From: a@%s\r\nSubject: thu %d\r\n\r\nchao\r\n", domain, n)), 0)
			if err != nil {
				t.Fatal(err)
			}
			arrival := mailcore.Arrival{Sender: "snv@" + domain, Rcpt: "stc@" + domain, AuthAs: "snv@" + domain}
			placed, err := h.mail.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID, Arrived: &arrival}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.mail.ChangeFlags(ctx, a, box.ID, []mailcore.UID{placed[0].UID}, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err != nil {
				t.Fatal(err)
			}
			if err := leave(placed[0].UID); err != nil {
				t.Fatal(err)
			}
			h.handle(t)
		}
	})
}
