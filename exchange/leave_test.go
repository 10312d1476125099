package exchange_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"

	"github.com/emersion/go-ical"
)

var admin = exchange.Actor{Name: "quản trị"}

// tasksNow lists who works on a unit's copy, withdrawn parts left out.
func (h *house) tasksNow(t testing.TB, st *exchange.Status, unit string) (out []string) {
	t.Helper()
	for _, task := range copyTo(t, h.status(t, st.Document.ID), unit).Tasks {
		if task.State != exchange.TaskWithdrawn {
			out = append(out, task.Officer.Local()+" "+string(task.Role))
		}
	}
	return out
}

// tasksTold lists what a mailbox's calendar was told: method and sequence, in order.
func (h *house) tasksTold(t testing.TB, address mailcore.Address) (out []string) {
	t.Helper()
	all, _ := h.letters(t, address)
	for _, m := range all {
		if s, _ := m.Header.Subject(); strings.Contains(s, "hân công") {
			method, todo := taskIn(t, m)
			out = append(out, method+" "+todo.Props.Get(ical.PropSequence).Value)
		}
	}
	return out
}

func TestLeavingOfficerHandsOnAllAtOnce(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		units := recipients.NewStore(h.db, domain)
		h.Posts = units.Posts
		p := h.officers(t, "syt", "an=Nguyễn Thế An", "binh=Lê Bình", "chi=Trần Chi")
		if err := h.mail.SetPassword(ctx, p[0], "mật khẩu của An", false); err != nil {
			t.Fatal(err)
		}
		if err := units.ImportPosts(ctx, []recipients.Post{{Unit: "syt", Role: recipients.DeputyRole, Name: "Nguyễn Thế An", Address: string(p[0])}}, "quản trị", "01"); err != nil {
			t.Fatal(err)
		}
		today := exchange.CivilDate(h.db.Now())
		if _, err := h.mail.Delegate(ctx, p[0], "syt@"+domain, "07/GUQ-SYT", today, "2126-01-01"); err != nil {
			t.Fatal(err)
		}
		lead := h.issue(t, proposal("301/SNV-VP", "Sở Y tế=syt"))
		part := h.issue(t, proposal("302/SNV-VP", "Sở Y tế=syt"))
		done := h.issue(t, proposal("303/SNV-VP", "Sở Y tế=syt"))
		for _, c := range []struct {
			st *exchange.Status
			a  exchange.Assignment
		}{{lead, exchange.Assignment{Lead: p[0], Support: p[1:2], DueOn: "2126-11-20", Note: "làm sớm"}}, {part, exchange.Assignment{Lead: p[2], Support: p[:1]}}, {done, exchange.Assignment{Lead: p[0]}}} {
			if _, err := h.Assign(ctx, as("syt"), copyTo(t, c.st, "syt").Dispatch.ID, c.a); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Advance(ctx, as("syt"), copyTo(t, done, "syt").Dispatch.ID, exchange.Completed); err != nil {
			t.Fatal(err)
		}
		login, err := h.mail.LogIn(ctx, mailcore.Attempt{Address: string(p[0]), Password: "mật khẩu của An", Remote: netip.MustParseAddr("127.0.0.1")})
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		watch := h.mail.Watch(login, func(err error) { over <- err })
		defer watch.End()

		order := exchange.LeaveOrder{Address: p[0], To: p[1], Because: "12/QĐ-SYT ngày 20/11/2026", Tell: true}
		plan, err := h.PlanLeave(ctx, order)
		if err != nil || plan.Number != 0 || len(plan.Tasks) != 2 || len(plan.Ended) != 1 || len(plan.Posts) != 1 || plan.Messages != len(h.subjectsOf(t, p[0])) {
			t.Fatalf("plan %+v, %v", plan, err)
		}
		if got := h.tasksNow(t, lead, "syt"); !slices.Equal(got, []string{"an.syt lead", "binh.syt support"}) {
			t.Errorf("planning changed something: %q", got)
		}
		l, err := h.Leave(ctx, admin, order)
		if err != nil || l.Number == 0 || len(l.Tasks) != 2 || len(l.Ended) != 1 || !strings.HasPrefix(l.Ended[0], "07/GUQ-SYT, an.syt@") || len(l.Posts) != 1 {
			t.Fatalf("%+v, %v", l, err)
		}
		if got := h.tasksNow(t, lead, "syt"); !slices.Equal(got, []string{"binh.syt lead"}) {
			t.Errorf("led by %q", got)
		}
		if got := h.tasksNow(t, part, "syt"); !slices.Equal(got, []string{"chi.syt lead", "binh.syt support"}) {
			t.Errorf("supported by %q", got)
		}
		d := copyTo(t, h.status(t, lead.Document.ID), "syt")
		if d.Handling != exchange.Assigned || d.Owner != "syt" || d.Deadline.Format(time.DateOnly) != "2126-11-20" {
			t.Errorf("%+v", d)
		}
		if got := h.tasksTold(t, p[1]); !slices.Equal(got, []string{"REQUEST 0", "REQUEST 1", "REQUEST 1"}) {
			t.Errorf("Bình's calendar was told %q", got)
		}
		if got := h.tasksTold(t, p[0]); len(got) != 5 || !slices.Contains(got, "CANCEL 1") {
			t.Errorf("An's calendar was told %q", got)
		}
		if got := h.subjects(t, "syt"); !slices.Contains(got, "Thôi việc, chuyển đi: Nguyễn Thế An") {
			t.Errorf("the unit was told %q", got)
		}
		h.isClosed(t, p[0], p[1])
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Error("the open login was not ended")
		}
		if posts, err := units.Posts(ctx, "syt"); err != nil || len(posts) != 0 {
			t.Errorf("posts %+v, %v", posts, err)
		}
		if _, err := h.Leave(ctx, admin, order); !exchange.IsCode(err, exchange.CodeLeft) {
			t.Errorf("leaving twice: %v", err)
		}
	})
}

// isClosed makes sure that an account is closed for good.
func (h *house) isClosed(t *testing.T, address, movedTo mailcore.Address) {
	t.Helper()
	ctx := context.Background()
	if _, err := h.mail.LogIn(ctx, mailcore.Attempt{Address: string(address), Password: "mật khẩu của An", Remote: netip.MustParseAddr("127.0.0.1")}); err == nil {
		t.Error("logs in still")
	}
	var moved *mailcore.MovedError
	for _, to := range []mailcore.Address{address, mailcore.Address(address.Local() + "+x@" + domain)} {
		if _, err := h.mail.LocalRouter(domain, map[string]mailcore.Address{address.Local(): "snv@" + domain}).Route(ctx, to); !errors.As(err, &moved) || moved.To != movedTo || !errors.Is(err, mailcore.ErrNoRecipient) {
			t.Errorf("mail to %s: %v", to, err)
		}
	}
	for _, kind := range []mailcore.AccountKind{mailcore.Officer, mailcore.Unit} {
		if _, err := h.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: address, Kind: kind}}); !errors.Is(err, mailcore.ErrAddressTaken) {
			t.Errorf("given out again: %v", err)
		}
	}
	if held, err := h.mail.ActsFor(ctx, accountOf(t, h, address).ID, h.db.Now()); err != nil || len(held) != 0 {
		t.Errorf("delegations still hold: %v, %v", held, err)
	}
}

// Without a successor the head has the work; without a head's mailbox it is the unit's to give out.
func TestWorkComesBackToTheHead(t *testing.T) {
	for name, head := range map[string]string{"head": "binh.syt@" + domain, "nobody": ""} {
		t.Run(name, func(t *testing.T) {
			forEachHouse(t, func(t *testing.T, h *house) {
				ctx := context.Background()
				p := h.officers(t, "syt", "an=An", "binh=Bình", "chi=Chi")
				h.Posts = func(context.Context, recipients.UnitCode) ([]recipients.Post, error) {
					return []recipients.Post{{Unit: "syt", Role: recipients.HeadRole, Name: "Bình", Address: head}}, nil
				}
				st := h.issue(t, proposal("304/SNV-VP", "Sở Y tế=syt"))
				id := copyTo(t, st, "syt").Dispatch.ID
				if _, err := h.Assign(ctx, as("syt"), id, exchange.Assignment{Lead: p[0], Support: p[2:]}); err != nil {
					t.Fatal(err)
				}
				if _, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: p[0]}); err != nil {
					t.Fatal(err)
				}
				want := []string{"binh.syt lead", "chi.syt support"}
				if head == "" {
					want = want[1:]
				}
				if got := h.tasksNow(t, st, "syt"); !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
				if _, err := h.Assign(ctx, as("syt"), id, exchange.Assignment{Lead: p[2]}); err != nil {
					t.Error(err)
				}
				if _, err := h.Assign(ctx, as("syt"), id, exchange.Assignment{Lead: p[0]}); !exchange.IsCode(err, exchange.CodeNoOfficer) {
					t.Errorf("work for somebody who left: %v", err)
				}
				h.isClosed(t, p[0], "")
			})
		})
	}
}

func TestLeavingIsRefused(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		p, q := h.officers(t, "syt", "an=An"), h.officers(t, "stc", "chi=Chi")
		for _, o := range []exchange.LeaveOrder{{Address: p[0], To: p[0]}, {Address: p[0], To: q[0]}, {Address: p[0], To: "syt@" + domain}, {Address: p[0], To: "ai.syt@" + domain}, {Address: "syt@" + domain, To: p[0]}} {
			if _, err := h.Leave(ctx, admin, o); !exchange.IsCode(err, exchange.CodeNoHeir) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if _, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: "ai@" + domain}); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Error(err)
		}
		if _, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: exchange.ReplyMailbox + "@" + domain}); !exchange.IsCode(err, exchange.CodeNoOfficer) {
			t.Error(err)
		}
		for _, c := range []struct{ unit, why string }{{"syt", "an.syt@"}, {"vphd", "dùng chung"}} {
			if _, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: mailcore.Address(c.unit + "@" + domain), To: "snv@" + domain}); !exchange.IsCode(err, exchange.CodeStillBusy) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: %v", c.unit, err)
			}
		}
	})
}

// A unit that is merged into another hands on what is open, whatever was done with it, and its later mail finds nobody.
func TestMergedUnitHandsItsCopiesOn(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		units := recipients.NewStore(h.db, domain)
		if _, err := units.Import(ctx, h.dir, "quản trị", "01"); err != nil {
			t.Fatal(err)
		}
		p := h.officers(t, "stc", "an=An")
		fresh := h.issue(t, proposal("310/SNV-VP", "Sở Tài chính=stc"))
		worked := h.issue(t, proposal("311/SNV-VP", "Sở Tài chính=stc"))
		both := h.issue(t, proposal("312/SNV-VP", "Sở Tài chính=stc", "Sở Y tế=syt"))
		ended := h.issue(t, proposal("313/SNV-VP", "Sở Tài chính=stc"))
		if _, err := h.Assign(ctx, as("stc"), copyTo(t, worked, "stc").Dispatch.ID, exchange.Assignment{Lead: p[0], DueOn: "2126-11-20"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Advance(ctx, as("stc"), copyTo(t, ended, "stc").Dispatch.ID, exchange.Completed); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: p[0]}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: "stc@" + domain}); !exchange.IsCode(err, exchange.CodeStillBusy) {
			t.Errorf("without a successor: %v", err)
		}
		l, err := h.Leave(ctx, admin, exchange.LeaveOrder{Address: "stc@" + domain, To: "syt@" + domain, Because: "05/NQ-HĐND"})
		if err != nil || len(l.Tasks) != 3 || !l.IsUnit {
			t.Fatalf("%+v, %v", l, err)
		}
		for _, st := range []*exchange.Status{fresh, worked} {
			now := h.status(t, st.Document.ID)
			if got := copyTo(t, now, "stc"); got.Handling != exchange.Forwarded {
				t.Errorf("%s: %s", st.Document.Reference, got.Handling)
			}
			if got := copyTo(t, now, "syt"); got.Handling != exchange.Received || got.Owner != "syt" || got.Parent == 0 {
				t.Errorf("%s: %+v", st.Document.Reference, got)
			}
		}
		if got := copyTo(t, h.status(t, both.Document.ID), "stc"); got.Handling != exchange.Refused {
			t.Errorf("a copy that the successor has: %s", got.Handling)
		}
		if got := copyTo(t, h.status(t, ended.Document.ID), "stc"); got.Handling != exchange.Completed {
			t.Errorf("what was done: %s", got.Handling)
		}
		h.isClosed(t, "stc@"+domain, "")
		if dir, err := units.Directory(ctx, ""); err != nil {
			t.Fatal(err)
		} else if _, ok := dir.Unit("stc"); ok {
			t.Error("it stands in the directory of today")
		}
		dir, err := units.Directory(ctx, "2009-03-18")
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := dir.Unit("stc"); !ok || u.To == "" || u.Successor != "syt" {
			t.Errorf("in the directory of its time: %+v", u)
		}
		later := h.issue(t, proposal("314/SNV-VP", "Sở Tài chính=stc"))
		if d := copyTo(t, later, "stc"); d.Transport != exchange.Exception || d.Owner != "snv" {
			t.Errorf("a copy to a closed mailbox: %s, owner %s", d.Transport, d.Owner)
		}
	})
}

func TestUnlockIsAnEvent(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		at := mailcore.Attempt{Address: "syt@" + domain, Remote: netip.MustParseAddr("192.0.2.1")}
		for i := range 12 {
			at.Password = strings.Repeat("x", i+1)
			h.mail.LogIn(ctx, at)
		}
		at.Password = "mật khẩu syt"
		if _, err := h.mail.LogIn(ctx, at); !errors.Is(err, mailcore.ErrThrottled) {
			t.Fatal(err)
		}
		if held, err := h.Unlock(ctx, admin, "syt@"+domain, "gọi điện xác nhận"); err != nil || held != 1 {
			t.Fatal(held, err)
		}
		if _, err := h.mail.LogIn(ctx, at); err != nil {
			t.Error(err)
		}
		if _, err := h.Unlock(ctx, admin, "ai@"+domain, ""); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Error(err)
		}
	})
}
