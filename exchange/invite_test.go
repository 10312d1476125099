package exchange_test

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	whenmeet "congvan/exchange/meeting"
	"congvan/mailcore"
	"congvan/mailcore/mailtest"

	"github.com/emersion/go-ical"
)

// invites makes a proposal a giấy mời.
func invites(p *exchange.Proposal, when, place string) *exchange.Proposal {
	p.Kind = "Giấy mời"
	if m, err := whenmeet.When(when, p.IssuedOn); err == nil {
		m.Place = place
		p.Meeting = m
	}
	return p
}

// calendarsOf lists what a unit's calendar was told: method, UID, sequence, start and place, in order.
func (h *house) calendarsOf(t testing.TB, unit string) (out []string) {
	t.Helper()
	all, _ := h.letters(t, mailcore.Address(unit+"@"+domain))
	for _, m := range all {
		for {
			p, err := m.NextPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if kind, _, _ := p.Header.(interface {
				ContentType() (string, map[string]string, error)
			}).ContentType(); kind != "text/calendar" {
				continue
			}
			c, err := ical.NewDecoder(p.Body).Decode()
			if err != nil {
				t.Fatal(err)
			}
			e := c.Children[len(c.Children)-1]
			uid, _ := e.Props.Text(ical.PropUID)
			place, _ := e.Props.Text(ical.PropLocation)
			method, _ := c.Props.Text(ical.PropMethod)
			out = append(out, strings.TrimSpace(strings.Join([]string{method, uid[:strings.Index(uid, "@")], e.Props.Get(ical.PropSequence).Value, e.Props.Get(ical.PropDateTimeStart).Value, place}, " ")))
		}
	}
	return out
}

func TestInvitationCarriesTheTime(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, invites(proposal("01/GM-SNV", "Sở Y tế=syt", "Sở Tài chính=stc"), "từ 14h00 đến 16h30, ngày 25/3/2009 (thứ Tư)", "Phòng họp số 1"))
		h.issue(t, invites(proposal("02/GM-SNV", "Sở Y tế=syt"), "lúc nào đó", ""))
		h.issue(t, invites(proposal("03/GM-SNV", "Sở Y tế=syt"), "02 ngày 5 và 6/4/2009", ""))
		if got := h.calendarsOf(t, "syt"); !slices.Equal(got, []string{"PUBLISH hop-1 0 20090325T140000 Phòng họp số 1", "PUBLISH hop-3 0 20090405"}) {
			t.Errorf("syt was told %q", got)
		}
		_, raw := h.letters(t, "syt@"+domain)
		pythonEvent(t, raw[0], "DTEND;TZID=Asia/Ho_Chi_Minh:20090325T163000", "TZOFFSETTO:+0700", "BEGIN:VTIMEZONE", "SUMMARY:về việc thử nghiệm")
		pythonEvent(t, raw[2], "DTSTART;VALUE=DATE:20090405", "DTEND;VALUE=DATE:20090407")
		if bytes.Contains(raw[1], []byte("lich-hop")) {
			t.Error("an invitation whose time nobody knows carries a calendar")
		}
		h.Forward(context.Background(), as("syt"), copyTo(t, st, "syt").Dispatch.ID, "ubnd", "")
		if got := h.calendarsOf(t, "ubnd"); !slices.Equal(got, []string{"PUBLISH hop-1 0 20090325T140000 Phòng họp số 1"}) {
			t.Errorf("a unit that joined later was told %q", got)
		}
	})
}

// pythonEvent has another program read the mail: lines are folded to 75 octets, every one that is wanted stands there, and what
// RFC 5546 §3.2.1 forbids does not.
func pythonEvent(t *testing.T, raw []byte, want ...string) {
	t.Helper()
	const script = `
import email, email.policy, sys
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
part = [p for p in m.walk() if p.get_content_type() == "text/calendar"]
assert len(part) == 1 and part[0].get_param("method") == "PUBLISH", part
data = part[0].get_payload(decode=True)
assert all(len(l) <= 75 for l in data.split(b"\r\n")), data
text = data.replace(b"\r\n ", b"").decode("utf-8").split("\r\n")
assert text[0] == "BEGIN:VCALENDAR" and text.count("BEGIN:VEVENT") == 1 and not any(l.startswith("ATTENDEE") for l in text), text
assert any(l.startswith("ORGANIZER") for l in text), text
for want in sys.argv[1:]:
    assert want in text, (want, text)
print("ok")
`
	c := exec.Command(mailtest.Program(t, "python3"), append([]string{"-c", script}, want...)...)
	c.Stdin = bytes.NewReader(raw)
	if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v: %s", err, out)
	}
}

// A giấy mời that is changed moves the event, one that is taken back calls it off; nobody has two events for one meeting.
func TestChangedInvitationChangesTheEvent(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		first := h.issue(t, invites(proposal("11/GM-SNV", "Sở Y tế=syt", "Sở Tài chính=stc"), "8h00 ngày 25/3/2009", "Phòng 1"))
		second := h.issue(t, invites(proposal("12/GM-SNV", "Sở Y tế=syt"), "9h00 ngày 26/3/2009", "Phòng 2"))
		if err := h.Correct(ctx, clerk, first.Document.ID, second.Document.ID, "đổi giờ"); err != nil {
			t.Fatal(err)
		}
		if got := h.calendarsOf(t, "syt"); !slices.Equal(got, []string{"PUBLISH hop-1 0 20090325T080000 Phòng 1", "PUBLISH hop-2 0 20090326T090000 Phòng 2", "CANCEL hop-1 1 20090325T080000"}) {
			t.Errorf("syt, who has both, was told %q", got)
		}
		if got := h.calendarsOf(t, "stc"); !slices.Equal(got, []string{"PUBLISH hop-1 0 20090325T080000 Phòng 1", "PUBLISH hop-1 1 20090326T090000 Phòng 2"}) {
			t.Errorf("stc, who has the first, was told %q", got)
		}
		plain := h.issue(t, proposal("13/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc"))
		if err := h.Correct(ctx, clerk, first.Document.ID, plain.Document.ID, "sai tên"); err != nil {
			t.Fatal(err)
		}
		if got := h.calendarsOf(t, "stc"); len(got) != 2 {
			t.Errorf("a correction that tells no time told %q", got)
		}
		if _, err := h.Replace(ctx, clerk, first.Document.ID, plain.Document.ID, "không họp nữa"); err != nil {
			t.Fatal(err)
		}
		if got := h.calendarsOf(t, "stc"); len(got) != 3 || got[2] != "CANCEL hop-1 3 20090325T080000" {
			t.Errorf("replaced by what tells no time: %q", got)
		}
		h.Accept(ctx, as("syt"), copyTo(t, second, "syt").Dispatch.ID, "")
		if _, err := h.Recall(ctx, clerk, second.Document.ID, "hoãn", true); err != nil {
			t.Fatal(err)
		}
		got := h.calendarsOf(t, "syt")
		if got[len(got)-1] != "CANCEL hop-2 1 20090326T090000" {
			t.Errorf("recalled: %q", got)
		}
	})
}

func TestKindsThatInvite(t *testing.T) {
	for kind, want := range map[string]bool{"Giấy mời": true, "giấy mời": true, "Lịch công tác": true, "Công văn": false, "": false, "Giấy phép": false} {
		if got := exchange.Invites(kind); got != want {
			t.Errorf("%q: %t", kind, got)
		}
	}
}
