package reply_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/exchange/reply"
	"congvan/mailcore/viettext"
)

var zone = time.FixedZone("+07", 7*3600)

// A mailCase is one row of testdata/replies*.jsonl: a plain body or a whole mail, and what it says.
type mailCase struct {
	ID, Text, Mail, Sent, Act, Number, To, Deadline, Reason string
	Odd                                                     bool // reading it as none is right too: two acts, bad typing
}

func mailCases(t testing.TB, name string) (cases []mailCase) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c mailCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cases = append(cases, c)
	}
	return cases
}

func (c mailCase) read(t testing.TB) reply.Reply {
	sent, err := time.ParseInLocation(time.DateOnly, c.Sent, zone)
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	text, automatic := c.Text, false
	if c.Mail != "" {
		text, automatic = reply.Text(strings.NewReader(c.Mail))
	}
	if automatic {
		return reply.Reply{Act: reply.None}
	}
	return reply.Parse(text, sent.Add(9*time.Hour))
}

// A score counts how the replies of a file were read. A wrong reply is one whose act, number, recipient or deadline is
// other than what was written; "none" for an act is no mistake but a question back.
type score struct{ acts, plain, understood, nothing, wrong int }

func (s *score) add(t testing.TB, c mailCase) {
	got := c.read(t)
	want := reply.Reply{reply.Act(c.Act), c.Number, c.To, c.Deadline, c.Reason, got.Reference}
	same := viettext.NFC(fmt.Sprint(got)) == viettext.NFC(fmt.Sprint(want))
	switch {
	case want.Act == reply.None:
		s.nothing++
	case !c.Odd:
		s.plain++
		fallthrough
	default:
		s.acts++
	}
	switch {
	case got.Act != reply.None && !same:
		s.wrong++
		t.Errorf("%s %q: wrong\n got %+v\nwant %+v", c.ID, c.Text+c.Mail, got, want)
	case same && want.Act != reply.None && !c.Odd:
		s.understood++
	case !same && !c.Odd:
		t.Logf("%s not understood: %q", c.ID, c.Text)
	}
}

// TestRepliesOfOfficers holds the floors of the two halves of the corpus: no wrong act, nine of ten plain ones understood.
//
//	                            replies  plain  understood  wrong
//	replies-heldout, first sight    134     87   83  95.4%      1
//	replies-heldout, now            134     87   85  97.7%      0
//	replies                         271    136  135  99.3%      0
//
// The held-out half was written before the parser and nothing was fitted to it: what changed since came with mending the
// other half.
func TestRepliesOfOfficers(t *testing.T) {
	t.Logf("%-24s %8s %8s %12s %8s", "", "replies", "plain", "understood", "wrong")
	for _, name := range []string{"replies.jsonl", "replies-heldout.jsonl"} {
		var s score
		for _, c := range mailCases(t, name) {
			s.add(t, c)
		}
		t.Logf("%-24s %8d %8d %6d %4.1f%% %8d", name, s.acts+s.nothing, s.plain, s.understood, 100*float64(s.understood)/float64(s.plain), s.wrong)
		if s.wrong > 0 || 10*s.understood < 9*s.plain || s.nothing < 30 {
			t.Errorf("%s: %d wrong acts, %d of %d plain replies understood", name, s.wrong, s.understood, s.plain)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"replies.jsonl", "replies-heldout.jsonl"} {
		for _, c := range mailCases(f, name) {
			f.Add(c.Text)
		}
	}
	sent := time.Date(2009, 11, 16, 9, 0, 0, 0, zone)
	f.Fuzz(func(t *testing.T, text string) {
		r := reply.Parse(text, sent)
		switch r.Act {
		case reply.Accept, reply.InProgress, reply.Complete:
			if r.To != "" || r.Deadline != "" || r.Reason != "" {
				t.Errorf("%+v", r)
			}
		case reply.Forward, reply.Assign:
			if r.To == "" || strings.ContainsAny(r.To, "\n\r") {
				t.Errorf("to nobody: %+v", r)
			}
		case reply.Refuse:
		case reply.None:
			if r != (reply.Reply{Act: reply.None}) {
				t.Errorf("half an act: %+v", r)
			}
		default:
			t.Errorf("act %q", r.Act)
		}
		if r.Deadline != "" && r.Deadline < "2009-11-16" {
			t.Errorf("deadline %s has passed", r.Deadline)
		}
		if strings.Contains(text, "?") && r.Act != reply.None && r.Act != reply.Refuse && !strings.ContainsAny(text, ">\n") {
			t.Logf("a question: %q", text)
		}
	})
}

// Whatever can be put around a plain reply by mail programs leaves its act as it is.
func TestQuotedTextAndSignaturesAreNotRead(t *testing.T) {
	sent := time.Date(2009, 11, 16, 9, 0, 0, 0, zone)
	want := reply.Reply{Act: reply.Accept, Number: "12"}
	for _, form := range []string{"%s", "%s\n\nTrân trọng,\nHoàn thành", "%s\n-- \nTừ chối", "Kính gửi Văn phòng,\n\n%s", "%s\n\nSent from my iPhone",
		"%s\r\n\r\nOn Mon, 16 Nov 2009 at 08:00, VP <vp@kontum.test> wrote:\r\n> Từ chối\r\n", "%s\n-----Original Message-----\nFrom: x\nTừ chối",
		"On Mon, 16 Nov 2009 at 08:00, VP <vp@kontum.test>\nwrote:\n> Từ chối: gửi nhầm\n\n%s", "%s\n________________________________\nTừ chối",
		"%s\n\nVào 08:15 16 tháng 11 năm 2009, VP <vp@kontum.test> đã viết:\nTừ chối", "%s\n\nFrom: VP\nSent: Monday\nSubject: x\nHoàn thành"} {
		if got := reply.Parse(fmt.Sprintf(form, "Đã tiếp nhận, số đến 12"), sent); got != want {
			t.Errorf("%q\n got %+v", form, got)
		}
	}
}

func TestReplyAboutAnotherDocument(t *testing.T) {
	sent := time.Date(2009, 11, 16, 9, 0, 0, 0, zone)
	r := reply.Parse("Đã tiếp nhận văn bản số 074/ubnd-th, số đến 5", sent)
	if r.Act != reply.Accept || !r.About("74/UBND-TH") || r.About("75/UBND-TH") {
		t.Errorf("%+v", r)
	}
	if r := reply.Parse("Đã tiếp nhận", sent); !r.About("75/UBND-TH") {
		t.Errorf("%+v", r)
	}
}

// A body of any size ends in time that grows with its size.
func TestLongRepliesAreBounded(t *testing.T) {
	for _, text := range []string{strings.Repeat("sở ", 1<<18), strings.Repeat("đã ", 1<<18), strings.Repeat(">\n", 1<<18), strings.Repeat("Giao phòng và ", 1<<16)} {
		if r := reply.Parse(text, time.Now()); r.Act != reply.None {
			t.Errorf("%.20q…: %+v", text, r)
		}
	}
	var b bytes.Buffer
	b.WriteString("Content-Type: text/html\r\n\r\n" + strings.Repeat("<blockquote", 1<<16))
	if text, _ := reply.Text(&b); len(text) > 1<<20 {
		t.Error(len(text))
	}
}
