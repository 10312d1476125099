package exchange_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/exchange/worktime"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
	"congvan/recipients"
	"congvan/signing"
)

// A turned clock stands where a test put it.
type turnedClock struct {
	sync.Mutex
	at time.Time
}

var zone = time.FixedZone("+07", 7*3600)

func local(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (c *turnedClock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.at
}

func (c *turnedClock) set(at time.Time) {
	c.Lock()
	defer c.Unlock()
	c.at = at
}

// oldKey is one that was good in 2010 already.
var oldKey = sync.OnceValues(func() (*signing.Sealer, error) {
	from := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := signing.NewAuthority(signing.Subject{Name: "Thử", From: from}, signing.P256)
	if err != nil {
		return nil, err
	}
	id, err := ca.Issue(signing.Subject{Name: "Sở Nội vụ", From: from, Until: from.AddDate(18, 0, 0)}, signing.P256)
	if err != nil {
		return nil, err
	}
	return id.Sealer()
})

// A province is a house of 43 units on a turned clock.
type province struct {
	*house
	clock *turnedClock
	posts []recipients.Post
	dsn   string
}

func forEachProvince(t *testing.T, start string, fn func(t *testing.T, p *province)) {
	t.Run("sqlite", func(t *testing.T) {
		fn(t, newProvince(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db"), t.TempDir(), &turnedClock{at: local(t, start)}, true))
	})
	t.Run("postgres", func(t *testing.T) {
		fn(t, newProvince(t, mailtest.NewPostgres(t), t.TempDir(), &turnedClock{at: local(t, start)}, true))
	})
}

// newProvince opens a node on a database; first makes the accounts.
func newProvince(t *testing.T, dsn, blobDir string, clock *turnedClock, first bool) *province {
	t.Helper()
	ctx := t.Context()
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Now: clock.now, Logger: mailtest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(ctx, migrations.Files); err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenDir(blobDir)
	if err != nil {
		t.Fatal(err)
	}
	p := &province{clock: clock, dsn: dsn, house: &house{db: db, mail: mailcore.NewStore(db, blobs, mailtest.Quiet), blobDir: blobDir}}
	units, posts := openTest(t, "units.csv"), openTest(t, "posts.csv")
	if p.dir, err = recipients.ReadDirectory(units, nil); err != nil {
		t.Fatal(err)
	}
	if p.posts, err = recipients.ReadPosts(posts); err != nil {
		t.Fatal(err)
	}
	if first {
		p.open(t)
	}
	p.Store = exchange.NewStore(exchange.Options{DB: db, Mail: p.mail, Domain: domain, Log: mailtest.Quiet,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return p.dir, nil },
		Posts: func(_ context.Context, unit recipients.UnitCode) (out []recipients.Post, err error) {
			for _, post := range p.posts {
				if post.Unit == unit {
					out = append(out, post)
				}
			}
			return out, nil
		},
		Sealer: func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return oldKey() },
		LogKey: testLogKey})
	return p
}

func openTest(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "week", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// open makes the accounts of units, heads and deputies.
func (p *province) open(t *testing.T) {
	t.Helper()
	var accounts []mailcore.NewAccount
	for _, u := range p.dir.Units() {
		if u.Address == "" {
			accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(string(u.Code) + "@" + domain), Kind: mailcore.Unit, Name: u.Name, Unit: string(u.Code)})
		}
	}
	for _, post := range p.posts {
		if post.Address != "" {
			accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(post.Address), Kind: mailcore.Officer, Name: post.Name, Unit: string(post.Unit)})
		}
	}
	for _, local := range []string{exchange.ReplyMailbox, exchange.BounceMailbox} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(local + "@" + domain), Kind: mailcore.System, Name: local})
	}
	for i := range accounts {
		accounts[i].Password = "mật khẩu của " + string(accounts[i].Address)
	}
	p.mail.SetHashCost(mailcore.HashCost{Time: 1, Memory: 8})
	if _, err := p.mail.CreateAccounts(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
}

// at turns the clock and lets the gateway do what is due. The gateway ran all the while, as its heartbeat says.
func (p *province) at(t *testing.T, when string) {
	t.Helper()
	p.tick(t, local(t, when), true)
}

func (p *province) tick(t *testing.T, at time.Time, ran bool) {
	t.Helper()
	p.clock.set(at)
	if ran {
		err := p.db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE heartbeat SET last_at = $1`, at.Add(-time.Second).UnixMicro())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.handle(t)
	if err := p.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// send issues a document of an agency.
func (p *province) send(t *testing.T, agency, reference, urgency, purpose string, units ...string) *exchange.Status {
	t.Helper()
	ctx := t.Context()
	prop := proposal(reference, "Như trên="+strings.Join(units, " "))
	prop.Agency, prop.Urgency, prop.IssuedOn, prop.Lines[0].Purpose = recipients.UnitCode(agency), urgency, p.clock.now().In(zone).Format(time.DateOnly), purpose
	by := exchange.Actor{Name: "văn thư", Unit: prop.Agency}
	doc, err := p.Register(ctx, by, prop, pdfOf(reference))
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = p.Seal(ctx, by, doc.ID); err != nil {
		t.Fatal(err)
	}
	if doc, err = p.Issue(ctx, by, doc.ID); err != nil {
		t.Fatal(err)
	}
	return p.status(t, doc.ID)
}

// letters lists the subjects in an inbox that the gateway wrote.
func (p *province) letters(t *testing.T, address string) (out []string) {
	t.Helper()
	ctx := t.Context()
	a, err := p.mail.Account(ctx, mailcore.Address(address+"@"+domain))
	if err != nil {
		t.Fatal(err)
	}
	box, err := p.mail.Mailbox(ctx, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := p.mail.Rows(ctx, box.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		stored, err := p.mail.Load(ctx, box.ID, []mailcore.UID{r.UID})
		if err != nil || len(stored) != 1 {
			t.Fatal(err)
		}
		if s := subjectOf(t, p, stored[0]); !strings.Contains(s, "về việc thử nghiệm") {
			out = append(out, s)
		}
	}
	return out
}

func wantLetters(t *testing.T, p *province, address string, want ...string) {
	t.Helper()
	if got := p.letters(t, address); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("letters to %s at %s\n got %q\nwant %q", address, p.clock.now().In(zone).Format("02/01 15:04"), got, want)
	}
}

func TestDigestOnceAHalfDayAndNothingWhenNothingIsToSay(t *testing.T) {
	forEachProvince(t, "2026-03-02 07:00", func(t *testing.T, p *province) {
		p.at(t, "2026-03-02 07:31")
		st := p.send(t, "ubnd", "01/UBND-TH", "", "", "stc", "syt")
		p.at(t, "2026-03-02 08:00")
		wantLetters(t, p, "stc")
		for range 3 {
			p.at(t, "2026-03-02 13:30")
		}
		wantLetters(t, p, "stc", "Sổ trực chiều thứ Hai, 02/03/2026: 1 mới")
		wantLetters(t, p, "sct")
		d := copyTo(t, st, "stc")
		if _, err := p.Accept(t.Context(), exchange.Actor{Unit: "stc"}, d.Dispatch.ID, ""); err != nil {
			t.Fatal(err)
		}
		p.at(t, "2026-03-02 16:00")
		p.at(t, "2026-03-03 07:30")
		wantLetters(t, p, "stc", "Sổ trực chiều thứ Hai, 02/03/2026: 1 mới")
		wantLetters(t, p, "syt", "Sổ trực chiều thứ Hai, 02/03/2026: 1 mới", "Sổ trực sáng thứ Ba, 03/03/2026: 1 chưa mở")
		p.mustBeSound(t)
	})
}

// Every rung for a copy that nobody opens: new, reminder, deputy and head, call list.
func TestLadderOfTheBells(t *testing.T) {
	forEachProvince(t, "2026-03-02 09:00", func(t *testing.T, p *province) {
		ctx := t.Context()
		st := p.send(t, "snv", "02/SNV-VP", "", "", "syt", "ttcntt")
		for _, at := range []string{"2026-03-02 13:30", "2026-03-03 07:30", "2026-03-03 08:00"} {
			p.at(t, at)
		}
		wantLetters(t, p, "truong.syt")
		p.at(t, "2026-03-03 13:30")
		wantLetters(t, p, "truong.syt", "Sở Y tế: còn 1 văn bản chưa mở")
		if list, err := p.CallList(ctx, "snv"); err != nil || len(list) != 0 {
			t.Errorf("too early on the list: %v, %v", list, err)
		}
		p.at(t, "2026-03-04 07:30")
		list, err := p.CallList(ctx, "snv")
		if err != nil || len(list) != 2 || list[0].Name != "Sở Y tế" || !strings.Contains(list[0].Phones, "0600") {
			t.Fatalf("call list %+v, %v", list, err)
		}
		wantLetters(t, p, "snv", "Sổ trực sáng thứ Tư, 04/03/2026: 2 cần gọi điện")
		id := copyTo(t, st, "syt").Dispatch.ID
		office := exchange.Actor{Name: "văn thư", Unit: "snv"}
		if _, err := p.Called(ctx, exchange.Actor{Unit: "stc"}, id, true, ""); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("somebody else calls: %v", err)
		}
		if _, err := p.Called(ctx, office, id, false, "máy bận"); err != nil {
			t.Fatal(err)
		}
		if list, _ := p.CallList(ctx, "snv"); len(list) != 2 || list[0].Calls+list[1].Calls != 1 {
			t.Errorf("not reached, yet the list is %+v", list)
		}
		if _, err := p.Called(ctx, office, id, true, "sẽ mở ngay"); err != nil {
			t.Fatal(err)
		}
		if list, _ := p.CallList(ctx, "snv"); len(list) != 1 || list[0].Unit != "ttcntt" {
			t.Errorf("reached, yet the list is %+v", list)
		}
		other := copyTo(t, p.send(t, "snv", "03/SNV-VP", "", "", "stc"), "stc").Dispatch.ID
		if _, err := p.Called(ctx, office, other, true, ""); !exchange.IsCode(err, exchange.CodeNotListed) {
			t.Errorf("a call that nobody asked for: %v", err)
		}
		p.mustBeSound(t)
	})
}

// Only Khẩn and above interrupt, each rung once, in working time.
func TestLadderOfUrgentCopies(t *testing.T) {
	for urgency, step := range map[string]time.Duration{"Khẩn": time.Hour, "Thượng khẩn": 30 * time.Minute, "Hỏa tốc": 15 * time.Minute, "Hỏa tốc hẹn giờ": 15 * time.Minute} {
		t.Run(urgency, func(t *testing.T) {
			forEachProvince(t, "2026-03-06 15:30", func(t *testing.T, p *province) {
				p.at(t, "2026-03-06 15:30")
				p.send(t, "ubnd", "04/UBND-NC", urgency, "", "syt")
				cal, err := p.Calendar(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				sent := p.clock.now()
				for rung := 1; rung <= 3; rung++ {
					due := cal.Add(sent, time.Duration(rung)*step)
					p.tick(t, due.Add(-time.Second), true)
					before := len(p.letters(t, "syt")) + len(p.letters(t, "truong.syt")) + len(p.letters(t, "ubnd"))
					for range 2 {
						p.tick(t, due, true)
					}
					if got := len(p.letters(t, "syt")) + len(p.letters(t, "truong.syt")) + len(p.letters(t, "ubnd")); got != before+1 {
						t.Errorf("rung %d at %s: %d letters more", rung, due, got-before)
					}
				}
				address := map[string]string{"unit": "syt", "head": "truong.syt", "issuer": "ubnd"}
				for who, want := range map[string]string{"unit": urgency + ": chưa mở 04/UBND-NC", "head": urgency + ": chưa mở 04/UBND-NC", "issuer": urgency + ": gọi điện cho Sở Y tế về 04/UBND-NC"} {
					if !strings.Contains(strings.Join(p.letters(t, address[who]), "\n"), want) {
						t.Errorf("%s got %q", who, p.letters(t, address[who]))
					}
				}
				if list, err := p.CallList(t.Context(), "ubnd"); err != nil || len(list) != 1 {
					t.Errorf("call list %v, %v", list, err)
				}
				p.mustBeSound(t)
			})
		})
	}
}

// Two nodes look at the same moment, and again after one died in the middle: everybody is told exactly once.
func TestTwoNodesTellOnce(t *testing.T) {
	forEachProvince(t, "2026-03-02 07:40", func(t *testing.T, p *province) {
		p.at(t, "2026-03-02 07:40")
		p.clock.set(local(t, "2026-03-02 08:00"))
		var units []string
		for _, u := range p.dir.Units() {
			if u.Code != "ubnd" {
				units = append(units, string(u.Code))
			}
		}
		p.send(t, "ubnd", "05/UBND-TH", "Khẩn", "", units...)
		nodes := []*province{p, newProvince(t, p.dsn, p.blobDir, p.clock, false), newProvince(t, p.dsn, p.blobDir, p.clock, false)}
		for _, at := range []string{"2026-03-02 09:30", "2026-03-02 10:00", "2026-03-02 10:00", "2026-03-02 11:20", "2026-03-02 13:30", "2026-03-02 13:32", "2026-03-02 13:34"} {
			p.clock.set(local(t, at))
			var all sync.WaitGroup
			for i, n := range nodes {
				all.Go(func() {
					ctx := t.Context()
					if i == 2 { // dies in the middle
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, 30*time.Millisecond)
						defer cancel()
					}
					for range 3 {
						n.Tend(ctx) //nolint: what one node could not do another does
					}
				})
			}
			all.Wait()
		}
		for range 3 {
			p.clock.set(p.clock.now().Add(2 * time.Minute))
			if err := p.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, u := range []string{"stc", "syt", "tinhdoan"} {
			wantLetters(t, p, u, "Khẩn: chưa mở 05/UBND-TH", "Sổ trực chiều thứ Hai, 02/03/2026: 1 mới")
			wantLetters(t, p, "truong."+u, "Khẩn: chưa mở 05/UBND-TH")
		}
		if list, err := p.CallList(t.Context(), "ubnd"); err != nil || len(list) != len(units) {
			t.Errorf("%d on the call list, want %d (%v)", len(list), len(units), err)
		}
		p.mustBeSound(t)
	})
}

// The calendar changes under open deadlines: those of open copies follow, those of closed ones do not, and the gateway says so.
func TestDeadlinesFollowTheCalendar(t *testing.T) {
	forEachProvince(t, "2026-02-12 09:00", func(t *testing.T, p *province) {
		ctx := t.Context()
		st := p.send(t, "ubnd", "06/UBND-TH", "", "", "stc", "syt", "sct")
		for _, unit := range []string{"stc", "syt"} {
			if _, err := p.Accept(ctx, exchange.Actor{Unit: recipients.UnitCode(unit)}, copyTo(t, st, unit).Dispatch.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Advance(ctx, exchange.Actor{Unit: "stc"}, copyTo(t, st, "stc").Dispatch.ID, exchange.Completed); err != nil {
			t.Fatal(err)
		}
		deadline := func(unit string) string {
			d := copyTo(t, p.status(t, st.Document.ID), unit)
			if d.Deadline == nil {
				return "không"
			}
			return d.Deadline.Format("02/01 15:04")
		}
		// Fifteen working days after 12/02, over Tết 16-20/02; unopened: the window of the afternoon.
		if got := []string{deadline("stc"), deadline("syt"), deadline("sct")}; strings.Join(got, " ") != "không 12/03 17:00 12/02 14:30" {
			t.Errorf("deadlines %q", got)
		}
		change := worktime.Change{Days: []worktime.Day{{Day: "2026-02-12", Kind: worktime.DayHalf, Source: "TB 1/TB-UBND"}, {Day: "2026-02-28", Kind: worktime.DayWorking, Source: "TB 2/TB-UBND"}},
			Hours: []worktime.Hours{{From: "2026-03-01", Morning: worktime.Span{From: 420, To: 690}, Afternoon: worktime.Span{From: 780, To: 990}, DaysOff: []time.Weekday{0, 6}, Source: "QĐ 3/QĐ-UBND"}}}
		by := exchange.Actor{Name: "quản trị"}
		e, err := p.ChangeCalendar(ctx, by, change)
		if err != nil || e.Version != 1 || len(e.What) != 3 {
			t.Fatalf("%+v, %v", e, err)
		}
		if e, err = p.ChangeCalendar(ctx, by, change); err != nil || len(e.What) != 0 || e.Version != 1 {
			t.Errorf("the same again: %+v, %v", e, err)
		}
		if moved, err := p.Reckon(ctx); err != nil || moved != 2 {
			t.Errorf("%d moved, %v", moved, err)
		}
		if moved, err := p.Reckon(ctx); err != nil || moved != 0 {
			t.Errorf("again: %d moved, %v", moved, err)
		}
		// One Saturday more is worked; the afternoon of 12/02 is off.
		if got := []string{deadline("stc"), deadline("syt"), deadline("sct")}; strings.Join(got, " ") != "không 11/03 16:30 12/02 11:30" {
			t.Errorf("deadlines %q", got)
		}
		if log, err := p.CalendarLog(ctx); err != nil || len(log) != 1 || log[0].By != "quản trị" {
			t.Errorf("journal %+v, %v", log, err)
		}
		for _, bad := range []worktime.Change{{Days: []worktime.Day{{Day: "2026-02-30", Kind: worktime.DayOff, Source: "x"}}}, {Days: []worktime.Day{{Day: "2026-02-20", Kind: worktime.DayOff}}},
			{Hours: []worktime.Hours{{From: "2026-03-01", Morning: worktime.Span{From: 600, To: 500}, Source: "x"}}}} {
			if _, err := p.ChangeCalendar(ctx, by, bad); err == nil {
				t.Errorf("taken: %+v", bad)
			}
		}
		p.mustBeSound(t)
	})
}

// Warnings at a half and at four fifths of the time, each once.
func TestWarningsBeforeTheDeadline(t *testing.T) {
	forEachProvince(t, "2026-03-02 08:00", func(t *testing.T, p *province) {
		st := p.send(t, "ubnd", "07/UBND-TH", "", "", "stc")
		id := copyTo(t, st, "stc").Dispatch.ID
		if _, err := p.Accept(t.Context(), exchange.Actor{Unit: "stc"}, id, ""); err != nil {
			t.Fatal(err)
		}
		shares := func() (out []string) {
			for _, e := range copyTo(t, p.status(t, st.Document.ID), "stc").Events {
				if e.Event == exchange.EventWarned {
					out = append(out, e.Detail[strings.Index(e.Detail, `"share"`):]+e.At.Format(" 02/01 15:04"))
				}
			}
			return out
		}
		for day := 2; day <= 24; day++ {
			for _, at := range []string{"07:30", "13:30"} {
				p.at(t, fmt.Sprintf("2026-03-%02d %s", day, at))
			}
		}
		// 15 working days from Monday 2/3 8:00 end on 23/3 17:00.
		if got := shares(); len(got) != 2 || !strings.HasPrefix(got[0], `"share":50} 12/03 13:30`) || !strings.HasPrefix(got[1], `"share":80} 19/03 07:30`) {
			t.Errorf("warned %q", got)
		}
		got := p.letters(t, "stc")
		want := []string{"Sổ trực chiều thứ Năm, 12/03/2026: 1 sắp đến hạn", "Sổ trực sáng thứ Năm, 19/03/2026: 1 sắp đến hạn",
			"Sổ trực sáng thứ Hai, 23/03/2026: 1 đến hạn hôm nay", "Sổ trực sáng thứ Ba, 24/03/2026: 1 quá hạn"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("letters %q", got)
		}
		p.mustBeSound(t)
	})
}

// What counts as looking after one's mail in a half-day, and that opening is more than a client's SELECT.
func TestChecksOfAHalfDay(t *testing.T) {
	forEachProvince(t, "2026-03-02 07:10", func(t *testing.T, p *province) {
		ctx := t.Context()
		p.at(t, "2026-03-02 07:10")
		visit := func(unit string) {
			a, err := p.mail.Account(ctx, mailcore.Address(unit+"@"+domain))
			if err != nil {
				t.Fatal(err)
			}
			p.mail.NoteVisit(mailcore.Login{Account: a}, a.ID, mailcore.VisitLooked)
			if err := p.mail.FlushLogins(ctx); err != nil {
				t.Fatal(err)
			}
		}
		visit("stc")
		visit("vphd") // two units share the mailbox
		st := p.send(t, "ubnd", "08/UBND-TH", "", "", "stc", "syt")
		p.at(t, "2026-03-02 07:40")
		p.openCopy(t, "stc", "08/UBND-TH")
		p.at(t, "2026-03-02 07:45")
		if err := p.Look(ctx, exchange.Actor{Name: "nguyen.van"}, "sct"); err != nil {
			t.Fatal(err)
		}
		p.at(t, "2026-03-02 12:40") // before the afternoon begins
		visit("sxd")
		p.at(t, "2026-03-02 13:35")
		if _, err := p.Accept(ctx, exchange.Actor{Unit: "syt"}, copyTo(t, st, "syt").Dispatch.ID, ""); err != nil {
			t.Fatal(err)
		}
		p.at(t, "2026-03-02 22:00")
		visit("sgtvt")
		p.at(t, "2026-03-02 22:05")
		checks, err := p.ListChecks(ctx, "2026-03-01", "2026-03-31")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range checks {
			got = append(got, fmt.Sprintf("%s %s %s %s", c.Unit, c.Half, c.How, time.UnixMicro(c.At).In(zone).Format("15:04")))
		}
		want := "sct am console 07:45|stc am opened 07:40|tthd am looked 07:10|vphd am looked 07:10|sxd pm looked 12:40|syt pm acted 13:35"
		if strings.Join(got, "|") != want {
			t.Errorf("checks\n got %s\nwant %s", strings.Join(got, "|"), want)
		}
		p.mustBeSound(t)
	})
}

// The gateway's own outages are known by the half-day.
func TestOutagesAreKnown(t *testing.T) {
	forEachProvince(t, "2026-03-02 07:00", func(t *testing.T, p *province) {
		p.tick(t, local(t, "2026-03-02 07:00"), false)
		p.tick(t, local(t, "2026-03-02 07:01"), false)
		p.tick(t, local(t, "2026-03-02 09:30"), false)
		p.tick(t, local(t, "2026-03-02 09:31"), false)
		out, err := p.Outages(t.Context(), local(t, "2026-03-02 00:00"), local(t, "2026-03-03 00:00"))
		if err != nil || len(out) != 1 || out[0].From.Format("15:04") != "07:01" || out[0].To.Format("15:04") != "09:30" {
			t.Fatalf("outages %v, %v", out, err)
		}
		cal, _ := p.Calendar(t.Context())
		halves := cal.HalfDays("2026-03-02", "2026-03-02")
		if am, pm := exchange.Uptime(halves[0], out), exchange.Uptime(halves[1], out); am != 2*time.Hour || pm != 3*time.Hour+30*time.Minute {
			t.Errorf("up for %s and %s", am, pm)
		}
	})
}
