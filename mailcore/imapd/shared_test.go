package imapd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const (
	officerAddress = "an.snv@kontum.test"
	unitBox        = "Hộp thư đơn vị/Sở Nội vụ"
	unitBoxUTF7    = "H&Htk-p th&AbA- &AREBoQ-n v&Hss-/S&Ht8- N&Htk-i v&HuU-"
)

// delegated is a house with an officer who acts for the unit today.
func delegated(t *testing.T, db *sqldb.DB) (*house, mailcore.Account, mailcore.Delegation) {
	t.Helper()
	h := newHouse(t, db)
	officer := h.newAccount(officerAddress, mailcore.Officer, false)
	today := mailcore.CivilDate(time.Now())
	d, err := h.store.Delegate(context.Background(), officerAddress, unitAddress, "12/GUQ-SNV", today, "2126-12-31")
	if err != nil {
		t.Fatal(err)
	}
	return h, officer, d
}

func (h *house) sessionOf(address string) *peer {
	h.t.Helper()
	c := h.dialTLS()
	p := &peer{c, bufio.NewReader(c)}
	p.SetDeadline(time.Now().Add(10 * deadline))
	p.until(h.t, `\* OK .*`)
	p.command(h.t, fmt.Sprintf("LOGIN %s %q", address, password))
	return p
}

func TestOfficerWorksInTheUnitsMailboxByDelegation(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h, _, _ := delegated(t, db)
		h.deliver(mailcore.Inbox, letter("Công văn", 1), "", "dispatch:7")
		h.deliver(mailcore.Inbox, letter("Công văn", 2), "", "dispatch:8")
		p := h.sessionOf(officerAddress)
		list := p.command(t, `LIST "" "*"`)
		for _, want := range []string{`"` + unitBoxUTF7 + `"`, "/&ARAA4w- ti&Hr8-p nh&Hq0-n", "INBOX"} {
			if !strings.Contains(list, want) {
				t.Errorf("LIST lacks %s:\n%s", want, list)
			}
		}
		if strings.Count(list, `\Sent`) != 1 {
			t.Errorf("more than one sent folder:\n%s", list)
		}
		if got := p.command(t, "NAMESPACE"); got != "* NAMESPACE ((\"\" \"/\")) NIL ((\"H&Htk-p th&AbA- &AREBoQ-n v&Hss-/\" \"/\"))\r\n" {
			t.Errorf("NAMESPACE %q", got)
		}
		if got := p.command(t, `STATUS "`+unitBoxUTF7+`" (MESSAGES)`); !strings.Contains(got, "(MESSAGES 2)") {
			t.Errorf("STATUS %q", got)
		}
		if got := p.command(t, `LSUB "" "*"`); !strings.Contains(got, unitBoxUTF7) {
			t.Errorf("LSUB %q", got)
		}
		p.command(t, `SELECT "`+unitBoxUTF7+`"`)
		p.command(t, "FETCH 1 BODY[]")
		p.command(t, `MOVE 1 "`+unitBoxUTF7+`/&ARAA4w- ti&Hr8-p nh&Hq0-n"`)
		events, err := h.store.PendingEvents(context.Background(), 100)
		if err != nil || len(events) != 2 {
			t.Fatalf("events %+v, %v", events, err)
		}
		for i, kind := range []string{mailcore.EventOpened, mailcore.EventMoved} {
			if e := events[i]; e.Kind != kind || e.Ref != "dispatch:7" || e.Actor != officerAddress || e.Delegation != "12/GUQ-SNV" || e.Account != h.account.ID {
				t.Errorf("event %+v", e)
			}
		}
		var move struct{ From, To string }
		if err := json.Unmarshal([]byte(events[1].Detail), &move); err != nil || move.From != "INBOX" || move.To != "Đã tiếp nhận" {
			t.Errorf("move %+v, %v", move, err)
		}
		for _, c := range []string{`CREATE "` + unitBoxUTF7 + `/x"`, `DELETE "` + unitBoxUTF7 + `/Th&AbA- r&AOE-c"`, `RENAME "` + unitBoxUTF7 + `" y`,
			`RENAME INBOX "` + unitBoxUTF7 + `/z"`, `CREATE "H&Htk-p th&AbA- &AREBoQ-n v&Hss-"`} {
			fmt.Fprintf(p, "x %s\r\n", c)
			p.until(t, `x NO \[NOPERM\] .*`)
		}
		// A copy that leaves the unit's mailbox means nothing elsewhere, and is missed where it was.
		p.command(t, "MOVE 1 INBOX")
		if got := h.events("dispatch:8"); got != "deleted" {
			t.Errorf("moved out of the unit's mailbox: %q", got)
		}
	})
}

func TestOtherOfficersAndOtherDaysSeeNoUnit(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h, officer, _ := delegated(t, db)
		h.newAccount("binh.snv@kontum.test", mailcore.Officer, false)
		for _, dates := range [][2]string{{"2020-01-01", "2020-12-31"}, {"2126-01-01", "2126-12-31"}} {
			if _, err := h.store.Delegate(context.Background(), "binh.snv@kontum.test", unitAddress, "9/GUQ", dates[0], dates[1]); err != nil {
				t.Fatal(err)
			}
		}
		p := h.sessionOf("binh.snv@kontum.test")
		if list := p.command(t, `LIST "" "*"`); strings.Contains(list, "H&Htk-p") {
			t.Errorf("LIST of a stranger:\n%s", list)
		}
		for _, command := range []string{"SELECT", "EXAMINE", "DELETE"} {
			fmt.Fprintf(p, "x %s \"%s\"\r\n", command, unitBoxUTF7)
			p.until(t, `x NO .*`)
		}
		_ = officer
	})
}

// A delegation that is ended is gone at once, from a client that idles in the unit's mailbox too.
func TestEndedDelegationEndsItsConnections(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h, _, d := delegated(t, db)
		inUnit, elsewhere := h.sessionOf(officerAddress), h.sessionOf(officerAddress)
		inUnit.command(t, `SELECT "`+unitBoxUTF7+`"`)
		fmt.Fprint(inUnit, "i IDLE\r\n")
		inUnit.until(t, `\+ .*`)
		elsewhere.command(t, "SELECT INBOX")
		if err := h.store.RevokeDelegation(context.Background(), d.ID); err != nil {
			t.Fatal(err)
		}
		inUnit.until(t, `\* BYE The delegation for this mailbox has ended`)
		if line, err := inUnit.in.ReadString('\n'); err == nil {
			t.Errorf("and then %q", line)
		}
		if list := elsewhere.command(t, `LIST "" "*"`); strings.Contains(list, "H&Htk-p") {
			t.Errorf("LIST afterwards:\n%s", list)
		}
	})
}

// By rev2 and UTF8=ACCEPT names travel as they are.
func TestSharedNamesInUTF8(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h, _, _ := delegated(t, db)
		h.deliver(mailcore.Inbox, letter("Công văn", 1), "", "")
		c, err := imapclient.DialTLS(h.tls, &imapclient.Options{TLSConfig: h.config()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Login(officerAddress, password).Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Enable(imap.CapIMAP4rev2).Wait(); err != nil {
			t.Fatal(err)
		}
		data, err := c.Select(unitBox, nil).Wait()
		if err != nil || data.NumMessages != 1 {
			t.Fatalf("select: %+v, %v", data, err)
		}
		ns, err := c.Namespace().Wait()
		if err != nil || len(ns.Shared) != 1 || ns.Shared[0].Prefix != "Hộp thư đơn vị/" {
			t.Errorf("namespace %+v, %v", ns, err)
		}
	})
}

// Looking into an inbox that holds nothing new is a visit; what a program polls without selecting is not.
func TestSelectOfAnInboxWithNothingNewIsAVisit(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h, _, _ := delegated(t, db)
		visits := func() (looked []mailcore.Address) {
			if err := h.store.FlushLogins(context.Background()); err != nil {
				t.Fatal(err)
			}
			list, err := h.store.Visits(context.Background(), h.account.ID, time.Now().Add(-time.Minute), time.Now().Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range list {
				if v.Kind == mailcore.VisitLooked {
					looked = append(looked, v.Actor)
				}
			}
			return looked
		}
		unit := h.session()
		unit.command(t, "STATUS INBOX (UNSEEN)")
		unit.command(t, "EXAMINE INBOX")
		h.deliver(mailcore.Inbox, letter("Công văn", 1), "", "")
		unit.command(t, "SELECT INBOX")
		if got := visits(); len(got) != 0 {
			t.Errorf("visits %q with unread mail, or by EXAMINE", got)
		}
		unit.command(t, `STORE 1 +FLAGS.SILENT (\Seen)`)
		h.sessionOf(officerAddress).command(t, `SELECT "`+unitBoxUTF7+`"`)
		if got := visits(); len(got) != 1 || got[0] != officerAddress {
			t.Errorf("visits %q", got)
		}
	})
}
