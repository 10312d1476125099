package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/recipients"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-message/mail"
)

// officers gives a unit some officers; their addresses follow QĐ 22/2009 Điều 4.
func (h *house) officers(t testing.TB, unit string, names ...string) (all []mailcore.Address) {
	t.Helper()
	for _, n := range names {
		local, name, _ := strings.Cut(n, "=")
		a := mailcore.Address(local + "." + unit + "@" + domain)
		if _, err := h.mail.CreateAccounts(context.Background(), []mailcore.NewAccount{{Address: a, Kind: mailcore.Officer, Name: name, Unit: unit}}); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// handOut leaves rows of every table that handling a copy writes.
func (h *house) handOut(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	p := h.officers(t, "ubnd", "an=Nguyễn Thế An", "binh=Lê Bình", "chi=Trần Chi")
	for i, a := range []exchange.Assignment{{Lead: p[0], Support: p[1:2], DueOn: "2126-11-20"}, {Lead: p[2], Support: p[:1], DueOn: "2126-11-21", Note: "làm sớm"}} {
		st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 300+i), "UBND tỉnh=ubnd"))
		d := copyTo(t, st, "ubnd").Dispatch
		if _, err := h.Assign(ctx, as("ubnd"), d.ID, a); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Answer(ctx, as("ubnd"), d.ID, h.answering(t, "ubnd", fmt.Sprintf("%d/UBND-VP", 300+i)).ID); err != nil {
			t.Fatal(err)
		}
	}
}

// answering issues a document of a unit.
func (h *house) answering(t testing.TB, unit, reference string) *exchange.Document {
	t.Helper()
	return h.answeringTo(t, unit, reference, exchange.Issued)
}

func (h *house) answeringTo(t testing.TB, unit, reference string, state exchange.State) *exchange.Document {
	t.Helper()
	ctx, by := context.Background(), as(unit)
	p := proposal(reference, "Sở Nội vụ=snv")
	p.Agency = recipients.UnitCode(unit)
	doc, err := h.Register(ctx, by, p, pdfOf(reference))
	if err == nil && state != exchange.Registered {
		if doc, err = h.Seal(ctx, by, doc.ID); err == nil && state == exchange.Issued {
			doc, err = h.Issue(ctx, by, doc.ID)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// letters returns the mails in an inbox, whole.
func (h *house) letters(t testing.TB, address mailcore.Address) (all []*mail.Reader, raw [][]byte) {
	t.Helper()
	ctx := context.Background()
	a, err := h.mail.Account(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	box, err := h.mail.Mailbox(ctx, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := h.mail.Rows(ctx, box.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		stored, err := h.mail.Load(ctx, box.ID, []mailcore.UID{r.UID})
		if err != nil {
			t.Fatal(err)
		}
		f, err := h.mail.Blobs().Open(stored[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		b = append(slices.Clone(stored[0].Prefix), b...)
		m, err := mail.CreateReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		all, raw = append(all, m), append(raw, b)
	}
	return all, raw
}

// subjectsOf lists the subjects of the mails in an inbox.
func (h *house) subjectsOf(t testing.TB, address mailcore.Address) (out []string) {
	t.Helper()
	all, _ := h.letters(t, address)
	for _, m := range all {
		s, _ := m.Header.Subject()
		out = append(out, s)
	}
	return out
}

// task finds the calendar part of a mail.
func taskIn(t testing.TB, m *mail.Reader) (method string, todo *ical.Component) {
	t.Helper()
	for {
		p, err := m.NextPart()
		if err != nil {
			t.Fatal("no calendar part")
		}
		h, ok := p.Header.(*mail.AttachmentHeader)
		if !ok {
			continue
		}
		kind, params, _ := h.ContentType()
		if kind != "text/calendar" {
			continue
		}
		c, err := ical.NewDecoder(p.Body).Decode()
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := c.Props.Text(ical.PropMethod); v != params["method"] {
			t.Errorf("the part says %q, the calendar %q", params["method"], v)
		}
		return params["method"], c.Children[0]
	}
}

func TestAssignmentReachesTheOfficersWithATask(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := h.officers(t, "syt", "an=Nguyễn Thế An", "binh=Lê, \"Bình\"", "chi=Trần Chi")
		st := h.issue(t, proposal("200/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, st, "syt").Dispatch.ID
		for i := range 2 {
			r, err := h.Assign(ctx, as("syt"), id, exchange.Assignment{Lead: p[0], Support: p[1:2], DueOn: "2126-11-20", Note: "Báo cáo trước 15/11"})
			if err != nil || r.Changed != (i == 0) {
				t.Fatal(r, err)
			}
		}
		d := copyTo(t, h.status(t, st.Document.ID), "syt")
		if d.Handling != exchange.Assigned || d.ArrivalNumber != "1" || len(d.Tasks) != 2 || d.Tasks[0].Role != exchange.Lead || d.Deadline.Format("2006-01-02") != "2126-11-20" {
			t.Errorf("%+v", d)
		}
		for _, officer := range p[:2] {
			if got := h.subjectsOf(t, officer); !slices.Equal(got, []string{"200/SNV-VP: về việc thử nghiệm", "Phân công: 200/SNV-VP: về việc thử nghiệm"}) {
				t.Fatalf("%s has %q", officer, got)
			}
		}
		all, raw := h.letters(t, p[1])
		from, _ := all[1].Header.AddressList("From")
		to, _ := all[1].Header.AddressList("Reply-To")
		if from[0].Address != "syt@"+domain || len(to) != 1 || !strings.HasPrefix(to[0].Address, exchange.ReplyMailbox+"+") {
			t.Errorf("from %v, reply to %v", from, to)
		}
		method, todo := taskIn(t, all[1])
		due, _ := todo.Props.DateTime(ical.PropDue, time.UTC)
		summary, _ := todo.Props.Text(ical.PropSummary)
		if method != "REQUEST" || todo.Name != ical.CompToDo || due.Format("2006-01-02") != "2126-11-20" || summary != "Xử lý văn bản 200/SNV-VP: về việc thử nghiệm" {
			t.Errorf("%s %s due %v %q", method, todo.Name, due, summary)
		}
		if a := todo.Props.Values(ical.PropAttendee); len(a) != 2 || a[0].Value != "mailto:"+string(p[0]) || a[0].Params.Get("ROLE") != "CHAIR" || a[1].Params.Get("CN") != "Lê,  Bình" {
			t.Errorf("attendees %+v", a)
		}
		python(t, raw[1])
	})
}

// python has the mail library that half of the world's programs are made with look at the mail: the task is a part with its
// method, its lines are folded to 75 octets, and unfolded they say what was meant.
func python(t *testing.T, raw []byte) {
	t.Helper()
	const script = `
import email, email.policy, sys
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
part = [p for p in m.walk() if p.get_content_type() == "text/calendar"]
assert len(part) == 1 and part[0].get_param("method") == "REQUEST" and part[0].get_filename() == "cong-viec.ics", part
data = part[0].get_payload(decode=True)
lines = data.split(b"\r\n")
assert lines[-1] == b"" and all(len(l) <= 75 for l in lines), lines
text = data.replace(b"\r\n ", b"").decode("utf-8").split("\r\n")
assert text[0] == "BEGIN:VCALENDAR" and "BEGIN:VTODO" in text and "DUE;VALUE=DATE:21261120" in text, text
assert any(l.startswith("DESCRIPTION:") and "Báo cáo trước 15/11" in l for l in text), text
print("ok")
`
	c := exec.Command(mailtest.Program(t, "python3"), "-c", script)
	c.Stdin = bytes.NewReader(raw)
	if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReassigningReleasesTheFirst(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := h.officers(t, "syt", "an=An", "binh=Bình", "chi=Chi")
		st := h.issue(t, proposal("201/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, st, "syt").Dispatch.ID
		give := func(lead mailcore.Address, support ...mailcore.Address) {
			t.Helper()
			if _, err := h.Assign(ctx, as("syt"), id, exchange.Assignment{Lead: lead, Support: support, DueOn: "2126-11-20"}); err != nil {
				t.Fatal(err)
			}
		}
		give(p[0], p[1])
		if _, err := h.AdvanceTask(ctx, exchange.Actor{Address: p[0]}, id, exchange.InProgress); err != nil {
			t.Fatal(err)
		}
		give(p[1], p[2]) // Bình leads, An is released, Chi joins
		give(p[0], p[1]) // and An is back
		d := copyTo(t, h.status(t, st.Document.ID), "syt")
		got := map[mailcore.Address]string{}
		for _, task := range d.Tasks {
			got[task.Officer] = string(task.Role) + " " + string(task.State)
		}
		if d.Handling != exchange.InProgress || got[p[0]] != "lead assigned" || got[p[1]] != "support assigned" || got[p[2]] != "support withdrawn" {
			t.Errorf("%s %v", d.Handling, got)
		}
		all, _ := h.letters(t, p[0])
		var methods []string
		for _, m := range all {
			if s, _ := m.Header.Subject(); strings.Contains(s, "hân công") {
				method, todo := taskIn(t, m)
				methods = append(methods, method+" "+todo.Props.Get(ical.PropSequence).Value)
			}
		}
		if !slices.Equal(methods, []string{"REQUEST 0", "CANCEL 1", "REQUEST 2"}) {
			t.Errorf("An's calendar was told %q", methods)
		}
	})
}

// An officer's own reply moves the officer's part; what the lead says holds for the whole.
func TestOfficersReplyMovesTheirPart(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p := h.officers(t, "syt", "an=An", "binh=Bình", "xa=Xa")
		st := h.issue(t, proposal("202/SNV-VP", "Sở Y tế=syt"))
		d := copyTo(t, st, "syt")
		if _, err := h.Assign(ctx, as("syt"), d.Dispatch.ID, exchange.Assignment{Lead: p[0], Support: p[1:2]}); err != nil {
			t.Fatal(err)
		}
		say := func(officer mailcore.Address, line, want string) {
			t.Helper()
			h.submit(t, string(officer), string(officer), exchange.ReplyMailbox+"+"+d.Dispatch.Token(), "From: "+string(officer)+"\n\n"+line+"\n")
			now := copyTo(t, h.status(t, st.Document.ID), "syt")
			got := string(now.Handling)
			for _, task := range now.Tasks {
				got += " " + string(task.State)
			}
			if got != want {
				t.Errorf("after %s says %q: %s, want %s", officer, line, got, want)
			}
		}
		say(p[1], "Đang xử lý", "assigned assigned in_progress")
		say(p[1], "Hoàn thành", "assigned assigned completed")
		say(p[2], "Hoàn thành", "assigned assigned completed") // nobody gave it to Xa
		say(p[0], "Từ chối: không phải việc của tôi", "assigned assigned completed")
		say(p[0], "Đang xử lý", "in_progress in_progress completed")
		say(p[0], "Hoàn thành", "completed completed completed")
		say(p[0], "Hoàn thành", "completed completed completed")
		if got := h.subjectsOf(t, p[1]); !slices.Contains(got, "Hoàn thành: 202/SNV-VP") {
			t.Errorf("Bình was answered %q", got)
		}
		now := copyTo(t, h.status(t, st.Document.ID), "syt")
		if e := now.Events[len(now.Events)-1]; e.Event != "completed" || e.Actor != string(p[0]) {
			t.Errorf("completed by %+v", e)
		}
	})
}

func TestOnlyOfficersOfTheUnitGetATask(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p, q := h.officers(t, "syt", "an=An", "binh=Bình"), h.officers(t, "stc", "chi=Chi")
		st := h.issue(t, proposal("203/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, st, "syt").Dispatch.ID
		for _, c := range []struct {
			code string
			a    exchange.Assignment
		}{
			{exchange.CodeNoOfficer, exchange.Assignment{Lead: q[0]}}, {exchange.CodeNoLead, exchange.Assignment{Support: p[:1]}}, {exchange.CodeBadDeadline, exchange.Assignment{Lead: p[0], DueOn: "2009-01-31"}},
		} {
			if _, err := h.Assign(ctx, as("syt"), id, c.a); !exchange.IsCode(err, c.code) {
				t.Errorf("%s: %v", c.code, err)
			}
		}
		for _, a := range []exchange.Assignment{{Lead: "syt@" + domain}, {Lead: "ai@" + domain}, {Lead: p[0], Support: []mailcore.Address{p[0]}}, {Lead: p[0], DueOn: "20/11"}} {
			if _, err := h.Assign(ctx, as("syt"), id, a); err == nil {
				t.Errorf("%+v was taken", a)
			}
		}
		if _, err := h.Assign(ctx, as("stc"), id, exchange.Assignment{Lead: q[0]}); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("another unit: %v", err)
		}
		if d := copyTo(t, h.status(t, st.Document.ID), "syt"); d.Handling != exchange.Received || len(d.Tasks) != 0 {
			t.Errorf("%+v", d)
		}
		if got := h.subjectsOf(t, q[0]); len(got) != 0 {
			t.Errorf("Chi got %q", got)
		}
	})
}

func TestTaskIsOverdueTheDayAfter(t *testing.T) {
	for _, c := range []struct {
		task exchange.Task
		want bool
	}{
		{exchange.Task{State: exchange.TaskAssigned, DueOn: "2009-11-20"}, true}, {exchange.Task{State: exchange.TaskInProgress, DueOn: "2009-11-20"}, true},
		{exchange.Task{State: exchange.TaskAssigned, DueOn: "2009-11-21"}, false}, {exchange.Task{State: exchange.TaskCompleted, DueOn: "2009-11-20"}, false},
		{exchange.Task{State: exchange.TaskAssigned}, false}, {exchange.Task{State: exchange.TaskWithdrawn, DueOn: "2009-11-20"}, false},
	} {
		if got := c.task.Overdue("2009-11-21"); got != c.want {
			t.Errorf("%+v: %t", c.task, got)
		}
	}
}

func TestAddresseesAreRead(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.officers(t, "syt", "an=Nguyễn Thế An", "binh=Lê Bình")
		for text, want := range map[string]string{
			"an.syt": "an.syt []", "an.syt@tinh.test": "an.syt []", "an.syt, binh.syt": "an.syt [binh.syt]", "an.syt (phối hợp), binh.syt (chủ trì)": "binh.syt [an.syt]",
			"chủ trì: binh.syt; phối hợp: an.syt": "binh.syt [an.syt]", "đ/c Nguyễn Thế An": "an.syt []", "nguyen the an và Lê Bình": "an.syt [binh.syt]",
			"stc": "unit stc", "stc@tinh.test": "unit stc", "Sở Tài chính": "unit stc", "UBND tỉnh": "unit ubnd", "vanthu@bo.test": "unit bo",
			"chi.stc": exchange.CodeNoOfficer, "Nguyễn Lạ": exchange.CodeVague, "": exchange.CodeNoOfficer,
		} {
			a, unit, err := h.Addressees(context.Background(), "syt", text)
			got := ""
			switch {
			case err != nil:
				if !exchange.IsCode(err, want) && !exchange.IsCode(err, exchange.CodeNoLead) {
					t.Errorf("%q: %v, want %s", text, err, want)
				}
				continue
			case unit != "":
				got = "unit " + string(unit)
			default:
				var support []string
				for _, s := range a.Support {
					support = append(support, s.Local())
				}
				got = fmt.Sprintf("%s %v", a.Lead.Local(), support)
			}
			if got != want {
				t.Errorf("%q: %s, want %s", text, got, want)
			}
		}
	})
}

func TestAnswerByADocumentCompletes(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("210/SNV-VP", "Sở Tài chính=stc", "Sở Y tế=syt"))
		id := copyTo(t, st, "stc").Dispatch.ID
		pending := h.answeringTo(t, "stc", "12/STC-VP", exchange.Registered)
		for i := range 2 { // a document that is not out yet answers nothing until it is
			r, err := h.Answer(ctx, as("stc"), id, pending.ID)
			if err != nil || r.Changed != (i == 0) || r.Dispatch.Handling != exchange.Received {
				t.Fatalf("%+v %v", r, err)
			}
		}
		h.answering(t, "stc", "12/STC-VP")
		d := copyTo(t, h.status(t, st.Document.ID), "stc")
		if d.Handling != exchange.Completed || d.ArrivalNumber != "1" || len(d.Answers) != 1 || d.Answers[0].Reference != "12/STC-VP" {
			t.Errorf("%+v", d)
		}
		if _, err := h.Answer(ctx, as("syt"), copyTo(t, st, "syt").Dispatch.ID, pending.ID); !exchange.IsCode(err, exchange.CodeBadAnswer) {
			t.Errorf("another unit's document: %v", err)
		}
		second := h.issue(t, proposal("211/SNV-VP", "Sở Tài chính=stc"))
		h.reply(t, copyTo(t, second, "stc"), "stc", "Hoàn thành, đã trả lời bằng công văn số 12/STC-VP ngày 18/3/2010")
		if d := copyTo(t, h.status(t, second.Document.ID), "stc"); d.Handling != exchange.Completed || len(d.Answers) != 1 {
			t.Errorf("by mail: %s %+v", d.Handling, d.Answers)
		}
		third := h.issue(t, proposal("212/SNV-VP", "Sở Tài chính=stc"))
		h.reply(t, copyTo(t, third, "stc"), "stc", "Hoàn thành, đã trả lời bằng công văn số 99/STC-VP")
		if d := copyTo(t, h.status(t, third.Document.ID), "stc"); d.Handling != exchange.Received {
			t.Errorf("by a document that is not there: %s", d.Handling)
		}
	})
}

func TestDamageBringsTheSameBytesOnceMore(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("220/SNV-VP", "Sở Y tế=syt", "Bộ Thử=bo", "TT, VP HĐND=tthd vphd"))
		d := copyTo(t, st, "syt")
		for i := range 2 {
			if r, err := h.ReportDamage(ctx, as("syt"), d.Dispatch.ID, "tệp bị hỏng, không mở được"); err != nil || r.Changed != (i == 0) {
				t.Fatalf("%+v %v", r, err)
			}
		}
		_, raw := h.letters(t, "syt@"+domain)
		if len(raw) != 2 || !bytes.Equal(raw[0], raw[1]) {
			t.Errorf("%d mails, alike %t", len(raw), len(raw) == 2 && bytes.Equal(raw[0], raw[1]))
		}
		now := copyTo(t, h.status(t, st.Document.ID), "syt")
		if !now.Happened(exchange.EventDamaged) || !now.Happened(exchange.EventResent) || now.Handling != exchange.Received {
			t.Errorf("%+v", now.Events)
		}
		if e := now.Events[len(now.Events)-1]; !strings.Contains(e.Detail, string(st.Document.SealedPDF)) {
			t.Errorf("resent without its digest: %s", e.Detail)
		}
		h.reply(t, copyTo(t, st, "vphd"), "vphd", "Báo hỏng tệp, không đọc được phụ lục")
		if got := h.subjects(t, "vphd"); !slices.Equal(got, []string{"220/SNV-VP: về việc thử nghiệm", "220/SNV-VP: về việc thử nghiệm", "Đã gửi lại: 220/SNV-VP"}) {
			t.Errorf("by mail: %q", got)
		}
		if r, err := h.ReportDamage(ctx, as("snv"), copyTo(t, st, "bo").Dispatch.ID, "Bộ báo hỏng"); err != nil || !r.Changed {
			t.Error(err)
		}
		jobs, err := h.mail.ClaimOutbox(ctx, 10, time.Minute)
		if err != nil || len(jobs) != 2 || jobs[0].EnvID != jobs[1].EnvID || !bytes.Equal(jobs[0].Prefix, jobs[1].Prefix) || jobs[0].Digest != jobs[1].Digest {
			t.Errorf("outbox %+v %v", jobs, err)
		}
		if got := h.subjects(t, "snv"); !slices.Equal(got, []string{"Báo hỏng tệp: 220/SNV-VP", "Báo hỏng tệp: 220/SNV-VP", "Báo hỏng tệp: 220/SNV-VP"}) {
			t.Errorf("the issuer was told %q", got)
		}
	})
}

// What a head writes under a copy hands it on: an officer gets a task, another unit a copy.
func TestReplyHandsOn(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		p := h.officers(t, "syt", "an=Nguyễn Thế An", "binh=Lê Bình")
		st := h.issue(t, proposal("230/SNV-VP", "Sở Y tế=syt"))
		ev := func(line reply.Reply) exchange.Handling {
			t.Helper()
			if err := h.ActByReply(context.Background(), copyTo(t, st, "syt").Dispatch.ID, exchange.Actor{Address: "syt@" + domain, Unit: "syt"}, line); err != nil {
				t.Fatal(err)
			}
			return copyTo(t, h.status(t, st.Document.ID), "syt").Handling
		}
		if got := ev(reply.Reply{Act: reply.Assign, To: "an.syt, binh.syt", Deadline: "2126-11-20"}); got != exchange.Assigned {
			t.Errorf("assigned: %s", got)
		}
		if got := h.subjectsOf(t, p[1]); len(got) != 2 {
			t.Errorf("Bình has %q", got)
		}
		st = h.issue(t, proposal("231/SNV-VP", "Sở Y tế=syt"))
		if got := ev(reply.Reply{Act: reply.Assign, To: "Sở Tài chính"}); got != exchange.Forwarded {
			t.Errorf("a unit's name: %s", got)
		}
		st = h.issue(t, proposal("232/SNV-VP", "Sở Y tế=syt"))
		if got := ev(reply.Reply{Act: reply.Forward, To: "ai.do"}); got != exchange.Received {
			t.Errorf("nobody: %s", got)
		}
		if got := h.subjects(t, "syt"); got[len(got)-1] != "Chưa ghi nhận: 232/SNV-VP" {
			t.Errorf("answers %q", got)
		}
	})
}

// One line of a head's reply gives a copy to several: one leads, the others support, until a day.
func TestReplyAssignsSeveral(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.officers(t, "syt", "an=Nguyễn Thế An", "binh=Lê Bình", "chi=Trần Chi")
		for i, x := range []struct{ line, want string }{
			{"Giao đ/c Nguyễn Thế An chủ trì, đ/c Lê Bình, Trần Chi phối hợp", "assigned an.syt lead, binh.syt support, chi.syt support"},
			{"Chuyển chi.syt chủ trì, phối hợp: an.syt", "assigned chi.syt lead, an.syt support"},
			{"Giao đ/c Lê Bình chủ trì, đ/c Lạ phối hợp", "received "}, // nobody knows who that is: asked back
			{"Giao an.syt chủ trì, binh.syt chủ trì", "received "},
		} {
			st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 270+i), "Sở Y tế=syt"))
			h.reply(t, copyTo(t, st, "syt"), "syt", x.line)
			got := string(copyTo(t, h.status(t, st.Document.ID), "syt").Handling) + " " + strings.Join(h.tasksNow(t, st, "syt"), ", ")
			if got != x.want {
				t.Errorf("%q: %s, want %s", x.line, got, x.want)
			}
		}
	})
}
