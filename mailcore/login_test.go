package mailcore_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/xdg-go/scram"
)

// quick makes hashing cheap where it is not what is tested.
var quick = mailcore.HashCost{Time: 1, Memory: 64}

const ownSecret = "con ngựa đúng cái pin"

// withOfficer is a store with one officer and one unit, both with ownSecret.
func withOfficer(t *testing.T, s *mailcore.Store) (officer, unit mailcore.Account) {
	t.Helper()
	s.SetHashCost(quick)
	made := must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
		{Address: "an.snv@kontum.test", Kind: mailcore.Officer, Name: "Nguyễn Văn An", Unit: "snv", Password: ownSecret},
		{Address: "snv@kontum.test", Kind: mailcore.Unit, Name: "Sở Nội vụ", Unit: "snv", Password: ownSecret}}))
	return made[0], made[1]
}

func from(address, password, remote string) mailcore.Attempt {
	return mailcore.Attempt{Address: address, Password: password, Service: mailcore.ServiceIMAP, Remote: netip.MustParseAddr(remote)}
}

func TestAThousandWrongTriesLockOutNobodyElse(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		const home, away, guesser = "198.51.100.7", "198.51.100.8", "203.0.113.9"
		must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, home)))
		checked, unchecked := 0, 0
		for i := range 1000 {
			_, err := s.LogIn(ctx, from("an.snv@kontum.test", fmt.Sprint("guess ", i), guesser))
			switch {
			case errors.Is(err, mailcore.ErrBadCredentials):
				checked++
			case errors.Is(err, mailcore.ErrThrottled):
				unchecked++
			default:
				t.Fatal(err)
			}
		}
		t.Logf("of 1,000 wrong tries %d were checked, %d refused unchecked", checked, unchecked)
		if checked != 10 {
			t.Errorf("%d tries were checked", checked)
		}
		for _, place := range []string{home, away} {
			if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, place)); err != nil {
				t.Errorf("the right user from %s: %v", place, err)
			}
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, guesser)); !errors.Is(err, mailcore.ErrThrottled) {
			t.Errorf("the guesser's lucky try: %v", err)
		}
		other := newStore(t, s.DB()) // another node, or this one after a restart
		if _, err := other.LogIn(ctx, from("an.snv@kontum.test", ownSecret, guesser)); !errors.Is(err, mailcore.ErrThrottled) {
			t.Errorf("the guesser at another node: %v", err)
		}
		if _, err := other.LogIn(ctx, from("an.snv@kontum.test", ownSecret, home)); err != nil {
			t.Errorf("the right user at another node: %v", err)
		}
	})
}

func TestManyGuessersSlowOnlyStrangersDown(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		const home = "198.51.100.7"
		must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, home)))
		if err := s.FlushLogins(ctx); err != nil {
			t.Fatal(err)
		}
		checked := 0
		for i := range 1000 {
			_, err := s.LogIn(ctx, from("an.snv@kontum.test", fmt.Sprint("guess ", i), fmt.Sprintf("203.0.%d.%d", i/250, i%250+1)))
			if errors.Is(err, mailcore.ErrBadCredentials) {
				checked++
			}
			if i%100 == 0 {
				if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, home)); err != nil {
					t.Fatalf("the right user during the attack: %v", err)
				}
			}
		}
		t.Logf("of 1,000 wrong tries from 1,000 addresses %d were checked", checked)
		if checked < 100 || checked > 150 {
			t.Errorf("%d tries were checked", checked)
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, home)); err != nil {
			t.Errorf("the right user: %v", err)
		}
	})
}

func TestAnOldPasswordInATelephoneIsNoGuessing(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		for range 50 {
			if _, err := s.LogIn(ctx, from("an.snv@kontum.test", "mật khẩu cũ", "198.51.100.7")); !errors.Is(err, mailcore.ErrBadCredentials) {
				t.Fatal(err)
			}
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")); err != nil {
			t.Errorf("the right password behind the same address: %v", err)
		}
	})
}

func TestOneGuesserInTheOfficeLocksNoColleagueOut(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		const office = "198.51.100.7"
		must[mailcore.Login](t)(s.LogIn(ctx, from("snv@kontum.test", ownSecret, office)))
		for i := range 300 {
			s.LogIn(ctx, from(fmt.Sprintf("a%d@kontum.test", i), fmt.Sprint("guess ", i), office))
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, office)); !errors.Is(err, mailcore.ErrThrottled) {
			t.Errorf("who never logged in from there: %v", err)
		}
		if _, err := s.LogIn(ctx, from("snv@kontum.test", ownSecret, office)); err != nil {
			t.Errorf("who did: %v", err)
		}
	})
}

func TestHashIsMadeAnewWhenItsCostChanges(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		hash := func() (out string) {
			err := s.DB().Read(ctx, func(tx *sqldb.Tx) error {
				return tx.GetContext(ctx, &out, `SELECT password_hash FROM account WHERE address = $1`, "an.snv@kontum.test")
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if got := hash(); !strings.HasPrefix(got, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Fatalf("hash %s", got)
		}
		s.SetHashCost(mailcore.HashCost{Time: 2, Memory: 128})
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", "wrong", "198.51.100.7")); !errors.Is(err, mailcore.ErrBadCredentials) {
			t.Fatal(err)
		}
		if got := hash(); !strings.HasPrefix(got, "$argon2id$v=19$m=64,") {
			t.Fatalf("a wrong password made the hash %s", got)
		}
		for range 2 {
			must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")))
		}
		if got := hash(); !strings.HasPrefix(got, "$argon2id$v=19$m=128,t=2,p=1$") {
			t.Errorf("hash %s", got)
		}
		must[mailcore.Login](t)(newStore(t, s.DB()).LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")))
	})
}

func TestAppPasswordOpensMailUntilItIsRevoked(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		officer, _ := withOfficer(t, s)
		phone := must[string](t)(s.CreateAppPassword(ctx, officer.ID, "Điện thoại"))
		tablet := must[string](t)(s.CreateAppPassword(ctx, officer.ID, "Máy tính bảng"))
		if len(phone) != 27 || phone == tablet {
			t.Fatalf("%q, %q", phone, tablet)
		}
		l := must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", strings.ToUpper(strings.ReplaceAll(tablet, "-", " ")), "198.51.100.7")))
		if l.App == 0 || l.Address != officer.Address {
			t.Errorf("login %+v", l)
		}
		if err := s.FlushLogins(ctx); err != nil {
			t.Fatal(err)
		}
		list := must[[]mailcore.AppPassword](t)(s.AppPasswords(ctx, officer.ID))
		if len(list) != 2 || list[1].ID != l.App || list[1].Name != "Máy tính bảng" || list[1].LastPlace != "198.51.100.7" || !list[0].LastAt.IsZero() {
			t.Errorf("list %+v", list)
		}
		if err := s.RevokeAppPassword(ctx, officer.ID+1, l.App); !errors.Is(err, mailcore.ErrStale) {
			t.Errorf("somebody else revokes it: %v", err)
		}
		if err := s.RevokeAppPassword(ctx, officer.ID, l.App); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", tablet, "198.51.100.7")); !errors.Is(err, mailcore.ErrBadCredentials) {
			t.Errorf("revoked: %v", err)
		}
		must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", phone, "198.51.100.7")))
		if err := s.SetPassword(ctx, "an.snv@kontum.test", "một mật khẩu mới", false); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", phone, "198.51.100.7")); !errors.Is(err, mailcore.ErrBadCredentials) {
			t.Errorf("after a change of the password: %v", err)
		}
		for i := range mailcore.MaxAppPasswords {
			must[string](t)(s.CreateAppPassword(ctx, officer.ID, fmt.Sprint("Máy ", i)))
		}
		if _, err := s.CreateAppPassword(ctx, officer.ID, "Thừa"); !errors.Is(err, mailcore.ErrAppPasswords) {
			t.Errorf("one too many: %v", err)
		}
	})
}

// scramLogin speaks both sides.
func scramLogin(s *mailcore.Store, user, secret, remote string) (mailcore.Login, error) {
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil {
		return mailcore.Login{}, err
	}
	c := client.NewConversation()
	x := s.NewScram(mailcore.Attempt{Service: mailcore.ServiceSMTP, Remote: netip.MustParseAddr(remote), Domain: "kontum.test"}, nil, false)
	for said := ""; ; {
		if said, err = c.Step(said); err != nil {
			return mailcore.Login{}, err
		}
		answer, done, err := x.Next(ctx, []byte(said))
		if err != nil || done {
			return x.Login(), err
		}
		said = string(answer)
	}
}

func TestScramFindsTheAppPassword(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		officer, _ := withOfficer(t, s)
		var secrets []string
		for i := range 3 {
			secrets = append(secrets, must[string](t)(s.CreateAppPassword(ctx, officer.ID, fmt.Sprint("Máy ", i))))
		}
		list := must[[]mailcore.AppPassword](t)(s.AppPasswords(ctx, officer.ID))
		for i, secret := range secrets {
			l, err := scramLogin(s, "an.snv", secret, "198.51.100.7")
			if err != nil || l.Address != officer.Address || l.App != list[i].ID {
				t.Errorf("%d: %+v, %v", i, l, err)
			}
		}
		for _, c := range [][2]string{{"an.snv@kontum.test", ownSecret}, {"an.snv@kontum.test", secrets[0] + "x"}, {"nobody@kontum.test", secrets[0]},
			{"snv@kontum.test", secrets[0]}, {"snv@kontum.test", ownSecret}} {
			if l, err := scramLogin(s, c[0], c[1], "198.51.100.7"); !errors.Is(err, mailcore.ErrBadCredentials) || l.ID != 0 {
				t.Errorf("%q: %+v, %v", c, l, err)
			}
		}
		for range 20 {
			scramLogin(s, "an.snv@kontum.test", "wrong", "203.0.113.9")
		}
		if _, err := scramLogin(s, "an.snv@kontum.test", secrets[0], "203.0.113.9"); !errors.Is(err, mailcore.ErrThrottled) {
			t.Errorf("guessing by SCRAM: %v", err)
		}
	})
}

// nodes opens the same database twice, as two processes would.
func nodes(t *testing.T, fn func(t *testing.T, a, b *mailcore.Store)) {
	each := func(dsn string) func(t *testing.T) {
		return func(t *testing.T) {
			if dsn == "" {
				dsn = mailtest.NewPostgres(t)
			}
			fn(t, newStore(t, mailtest.Open(t, dsn)), newStore(t, mailtest.Open(t, dsn)))
		}
	}
	t.Run("sqlite", each("sqlite:"+filepath.Join(t.TempDir(), "congvan.db")))
	t.Run("postgres", each(""))
}

func TestWhatIsOpenEndsOnEveryNode(t *testing.T) {
	nodes(t, func(t *testing.T, a, b *mailcore.Store) {
		officer, unit := withOfficer(t, a)
		b.SetHashCost(quick)
		secret := must[string](t)(a.CreateAppPassword(ctx, officer.ID, "Điện thoại"))
		list := must[[]mailcore.AppPassword](t)(a.AppPasswords(ctx, officer.ID))
		watch := func(password string) (mailcore.Login, <-chan error) {
			l := must[mailcore.Login](t)(b.LogIn(ctx, from("an.snv@kontum.test", password, "198.51.100.7")))
			over := make(chan error, 1)
			w := b.Watch(l, func(err error) { over <- err })
			t.Cleanup(w.End)
			return l, over
		}
		want := func(what string, over <-chan error, err error) {
			t.Helper()
			select {
			case got := <-over:
				if !errors.Is(got, err) {
					t.Errorf("%s: %v", what, got)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s: still open", what)
			}
		}
		_, own := watch(ownSecret)
		_, app := watch(secret)
		if err := a.RevokeAppPassword(ctx, officer.ID, list[0].ID); err != nil {
			t.Fatal(err)
		}
		want("revoked app password", app, mailcore.ErrLoginOver)
		token := must[string](t)(b.OpenWebSession(ctx, must[mailcore.Login](t)(b.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7"))), "trình duyệt"))
		must[mailcore.WebSession](t)(a.WebSession(ctx, token))
		if err := a.CutAccount(ctx, officer.Address); err != nil {
			t.Fatal(err)
		}
		want("cut account", own, mailcore.ErrLoginOver)
		if _, err := b.WebSession(ctx, token); !errors.Is(err, mailcore.ErrNoSession) {
			t.Errorf("web session of a cut account: %v", err)
		}
		if _, err := b.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")); !errors.Is(err, mailcore.ErrBadCredentials) {
			t.Errorf("password of a cut account: %v", err)
		}
		if err := a.SetPassword(ctx, officer.Address, ownSecret, false); err != nil {
			t.Fatal(err)
		}
		today := mailcore.CivilDate(time.Now())
		d := must[mailcore.Delegation](t)(a.Delegate(ctx, officer.Address, unit.Address, "12/GUQ-SNV", today, mailcore.CivilDate(time.Now().Add(24*time.Hour))))
		l := must[mailcore.Login](t)(b.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")))
		over := make(chan error, 1)
		w := b.Watch(l, func(err error) { over <- err })
		t.Cleanup(w.End)
		w.ActUnder(d.ID)
		if err := a.RevokeDelegation(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		want("revoked delegation", over, mailcore.ErrDelegationOver)
		_, own = watch(ownSecret)
		if err := a.CloseAccount(ctx, officer.Address); err != nil {
			t.Fatal(err)
		}
		want("closed account", own, mailcore.ErrLoginOver)
	})
}

// A login that was checked before a cut and is watched only after it ends too.
func TestLoginThatMeetsACutEnds(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		l := must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")))
		if err := s.CutAccount(ctx, l.Address); err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		w := s.Watch(l, func(err error) { over <- err })
		defer w.End()
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Fatal("still open")
		}
	})
}

func TestDelegationHoldsFromDayToDay(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		officer, unit := withOfficer(t, s)
		for _, bad := range [][5]string{
			{string(officer.Address), string(unit.Address), "", "2026-11-01", "2026-11-30"}, {string(officer.Address), string(unit.Address), "1", "2026-11-30", "2026-11-01"},
			{string(officer.Address), string(unit.Address), "1", "1/11/2026", "2026-11-30"}, {string(unit.Address), string(officer.Address), "1", "2026-11-01", "2026-11-30"},
		} {
			if _, err := s.Delegate(ctx, mailcore.Address(bad[0]), mailcore.Address(bad[1]), bad[2], bad[3], bad[4]); !errors.Is(err, mailcore.ErrBadDelegation) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		if _, err := s.Delegate(ctx, officer.Address, "khong@kontum.test", "1", "2026-11-01", "2026-11-30"); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Errorf("no such unit: %v", err)
		}
		d := must[mailcore.Delegation](t)(s.Delegate(ctx, officer.Address, unit.Address, " 12/GUQ-SNV ", "2026-11-02", "2026-11-03"))
		if d.Number != "12/GUQ-SNV" || d.UnitID != unit.ID || d.UnitName != "Sở Nội vụ" || d.UnitCode != "snv" {
			t.Errorf("%+v", d)
		}
		hanoi := time.FixedZone("", 7*3600)
		for at, want := range map[time.Time]int{
			time.Date(2026, 11, 1, 23, 59, 59, 0, hanoi): 0, time.Date(2026, 11, 2, 0, 0, 0, 0, hanoi): 1,
			time.Date(2026, 11, 3, 23, 59, 59, 0, hanoi): 1, time.Date(2026, 11, 4, 0, 0, 0, 0, hanoi): 0,
		} {
			if got := must[[]mailcore.Delegation](t)(s.ActsFor(ctx, officer.ID, at)); len(got) != want {
				t.Errorf("%v: %+v", at, got)
			}
		}
		if got := must[[]mailcore.Delegation](t)(s.ActsFor(ctx, unit.ID, time.Date(2026, 11, 2, 9, 0, 0, 0, hanoi))); len(got) != 0 {
			t.Errorf("the unit acts for itself: %+v", got)
		}
	})
}

func TestVisitsAreKeptByTheHour(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		_, unit := withOfficer(t, s)
		l := must[mailcore.Login](t)(s.LogIn(ctx, from("snv@kontum.test", ownSecret, "198.51.100.7")))
		for range 3 {
			s.NoteVisit(l, unit.ID, mailcore.VisitLooked)
		}
		for range 2 {
			if err := s.FlushLogins(ctx); err != nil {
				t.Fatal(err)
			}
			s.NoteVisit(l, unit.ID, mailcore.VisitLooked)
		}
		now := time.Now()
		got := must[[]mailcore.Visit](t)(s.Visits(ctx, unit.ID, now.Add(-time.Hour), now.Add(time.Minute)))
		kinds := map[string]int{}
		for _, v := range got {
			kinds[v.Kind]++
		}
		if kinds[mailcore.VisitConnected] < 1 || kinds[mailcore.VisitLooked] < 1 || len(got) > 4 { // four when the hour turns meanwhile
			t.Errorf("%+v", got)
		}
		if got := must[[]mailcore.Visit](t)(s.Visits(ctx, unit.ID, now.Add(time.Hour), now.Add(2*time.Hour))); len(got) != 0 {
			t.Errorf("later: %+v", got)
		}
		places := must[[]mailcore.LoginPlace](t)(s.LoginPlaces(ctx, unit.ID))
		if len(places) != 1 || places[0].Place != "198.51.100.7" || places[0].Service != mailcore.ServiceIMAP || places[0].Logins != 1 {
			t.Errorf("%+v", places)
		}
	})
}

// However many strangers try at once, few hashes run, few wait, and who is known gets in.
func TestFloodOfStrangersKeepsNobodyOut(t *testing.T) {
	s := newStore(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db")))
	withOfficer(t, s)
	s.SetHashCost(mailcore.HashCost{Time: 1, Memory: 8 << 10})
	must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")))
	if err := s.FlushLogins(ctx); err != nil {
		t.Fatal(err)
	}
	fresh := newStore(t, s.DB()) // remembers no good login: it has to hash
	fresh.SetHashCost(mailcore.HashCost{Time: 1, Memory: 8 << 10})
	var wg sync.WaitGroup
	var busy, wrong atomic.Int64
	for i := range 600 {
		wg.Go(func() {
			_, err := fresh.LogIn(ctx, from(fmt.Sprintf("a%d@kontum.test", i), "guess", fmt.Sprintf("203.0.%d.%d", i/250, i%250+1)))
			switch {
			case errors.Is(err, mailcore.ErrBusy):
				busy.Add(1)
			case errors.Is(err, mailcore.ErrBadCredentials):
				wrong.Add(1)
			default:
				t.Errorf("stranger %d: %v", i, err)
			}
		})
	}
	if _, err := fresh.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")); err != nil {
		t.Errorf("the right user: %v", err)
	}
	wg.Wait()
	t.Logf("of 600 at once %d were checked, %d told to come back", wrong.Load(), busy.Load())
	if busy.Load() == 0 {
		t.Error("all of them were let in")
	}
}
