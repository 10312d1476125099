package mailcore_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"

	"golang.org/x/text/unicode/norm"
)

func TestUnitsGetTheFoldersWhoseMovesAreActs(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
			{Address: "stttt@kontum.test", Kind: mailcore.Unit, Name: "Sở Thông tin và Truyền thông", Unit: "stttt"},
			{Address: "nva.stttt@kontum.test", Kind: mailcore.Officer, Name: "Nguyễn Văn A", Unit: "stttt"}}))
		names := func(a mailcore.Account) (out []string) {
			for _, m := range must[[]mailcore.Mailbox](t)(s.Mailboxes(ctx, a.ID)) {
				out = append(out, m.Name+m.SpecialUse)
			}
			return out
		}
		common := []string{"INBOX", "Thùng rác\\Trash", "Thư nháp\\Drafts", "Thư rác\\Junk", "Đã gửi\\Sent"}
		unit := append(slices.Clone(common), "Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Từ chối")
		got := names(made[0])
		if got[0] != "INBOX" {
			t.Errorf("INBOX is not first: %q", got)
		}
		slices.Sort(got)
		slices.Sort(unit)
		if !slices.Equal(got, unit) {
			t.Errorf("unit: %q", got)
		}
		got = names(made[1])
		slices.Sort(got)
		slices.Sort(common)
		if !slices.Equal(got, common) {
			t.Errorf("officer: %q", got)
		}
		again := must[mailcore.Account](t)(s.Account(ctx, "stttt@kontum.test"))
		if again != made[0] || again.Name != "Sở Thông tin và Truyền thông" || again.Unit != "stttt" {
			t.Errorf("read again: %+v", again)
		}
		if byID := must[mailcore.Account](t)(s.AccountByID(ctx, made[1].ID)); byID != made[1] {
			t.Errorf("by id: %+v", byID)
		}
		if list := must[[]mailcore.Account](t)(s.ListAccounts(ctx)); len(list) != 2 || list[0].Address != "nva.stttt@kontum.test" {
			t.Errorf("list: %+v", list)
		}
	})
}

func TestTakenAddressCreatesNoAccountAtAll(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		accounts(t, s, 1)
		for _, list := range [][]mailcore.NewAccount{
			{{Address: "b@kontum.test", Kind: mailcore.Unit}, {Address: "a1@kontum.test", Kind: mailcore.Unit}},
			{{Address: "b@kontum.test", Kind: mailcore.Unit}, {Address: "b@kontum.test", Kind: mailcore.Unit}},
		} {
			if _, err := s.CreateAccounts(ctx, list); !errors.Is(err, mailcore.ErrAddressTaken) {
				t.Errorf("got %v", err)
			}
		}
		if err := s.CloseAccount(ctx, "a1@kontum.test"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateAccounts(ctx, []mailcore.NewAccount{{Address: "a1@kontum.test", Kind: mailcore.Unit}}); !errors.Is(err, mailcore.ErrAddressTaken) {
			t.Errorf("closed address was given again: %v", err)
		}
		for _, bad := range []mailcore.NewAccount{{Address: "B@kontum.test", Kind: mailcore.Unit}, {Address: "b", Kind: mailcore.Unit}, {Address: "b@kontum.test", Kind: "clerk"}} {
			if _, err := s.CreateAccounts(ctx, []mailcore.NewAccount{bad}); err == nil {
				t.Errorf("%+v was created", bad)
			}
		}
		if list := must[[]mailcore.Account](t)(s.ListAccounts(ctx)); len(list) != 1 {
			t.Errorf("%d accounts", len(list))
		}
	})
}

func TestAuthenticate(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		const password = "Mật khẩu rất dài, hơn bảy mươi hai byte để bcrypt phải từ chối nó đi"
		must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
			{Address: "a@kontum.test", Kind: mailcore.Unit, Password: password},
			{Address: "first@kontum.test", Kind: mailcore.Officer, Password: "issued", MustChange: true},
			{Address: "none@kontum.test", Kind: mailcore.System}}))
		for _, c := range []struct {
			address  mailcore.Address
			password string
			want     error
		}{
			{"a@kontum.test", password, nil},
			{"a@kontum.test", norm.NFD.String(password), nil},
			{"a@kontum.test", password + "x", mailcore.ErrBadCredentials},
			{"a@kontum.test", "", mailcore.ErrBadCredentials},
			{"nobody@kontum.test", password, mailcore.ErrBadCredentials},
			{"none@kontum.test", "", mailcore.ErrBadCredentials},
			{"a", password, mailcore.ErrBadCredentials},
			{"a@kontum.test\x00\xff", password, mailcore.ErrBadCredentials},
			{"first@kontum.test", "issued", mailcore.ErrMustChange},
			{"first@kontum.test", "other", mailcore.ErrBadCredentials},
		} {
			got, err := s.Authenticate(ctx, c.address, c.password)
			if !errors.Is(err, c.want) || (err == nil || c.want == mailcore.ErrMustChange) != (got.Address == c.address) {
				t.Errorf("%s %q: %+v, %v", c.address, c.password, got, err)
			}
		}
		if got, err := s.Authenticate(ctx, " A@KonTum.test", password); err != nil || got.Address != "a@kontum.test" {
			t.Errorf("in capitals: %+v, %v", got, err)
		}
		if err := s.SetPassword(ctx, "first@kontum.test", "own", false); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, "first@kontum.test", "own"); err != nil {
			t.Errorf("after the change: %v", err)
		}
		if err := s.SetPassword(ctx, "nobody@kontum.test", "x", false); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Errorf("got %v", err)
		}
		if err := s.CloseAccount(ctx, "a@kontum.test"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, "a@kontum.test", password); !errors.Is(err, mailcore.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if _, err := s.Authenticate(ctx, "a@kontum.test", "guess"); !errors.Is(err, mailcore.ErrBadCredentials) {
			t.Errorf("closed, wrong password: %v", err)
		}
	})
}

func TestPasswordIsStoredAsArgon2id(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
			{Address: "a@kontum.test", Kind: mailcore.Unit, Password: "x"}, {Address: "b@kontum.test", Kind: mailcore.Unit, Password: "x"}}))
		var hashes []string
		err := s.DB().Read(ctx, func(tx *sqldb.Tx) error {
			return tx.SelectContext(ctx, &hashes, `SELECT password_hash FROM account ORDER BY id`)
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hashes[0], "$argon2id$v=19$m=19456,t=2,p=1$") || hashes[0] == hashes[1] {
			t.Errorf("hashes %q", hashes)
		}
	})
}

func TestNewPasswordEndsRememberedLogins(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{{Address: "a@kontum.test", Kind: mailcore.Unit, Password: "old"}}))
		login := func(password string) (time.Duration, error) {
			begin := time.Now()
			_, err := s.Authenticate(ctx, "a@kontum.test", password)
			return time.Since(begin), err
		}
		slow, err := login("old")
		if err != nil {
			t.Fatal(err)
		}
		fastest := slow
		for try := 0; try < 50 && fastest > slow/2; try++ { // a busy machine slows single ones down
			d, err := login("old")
			if err != nil {
				t.Fatal(err)
			}
			fastest = min(fastest, d)
		}
		if fastest > slow/2 {
			t.Errorf("first login took %v, later ones %v: nothing is remembered", slow, fastest)
		}
		// Another node changes it: only the database knows.
		other := newStore(t, s.DB())
		if err := other.SetPassword(ctx, "a@kontum.test", "new", false); err != nil {
			t.Fatal(err)
		}
		if _, err := login("old"); !errors.Is(err, mailcore.ErrBadCredentials) {
			t.Errorf("old password still works: %v", err)
		}
		if _, err := login("new"); err != nil {
			t.Errorf("new password: %v", err)
		}
	})
}

func TestUnknownAddressCostsAsMuchAsAWrongPassword(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{{Address: "a@kontum.test", Kind: mailcore.Unit, Password: "old"}}))
		took := func(a mailcore.Address) time.Duration {
			begin := time.Now()
			if _, err := s.Authenticate(ctx, a, "wrong"); !errors.Is(err, mailcore.ErrBadCredentials) {
				t.Fatal(err)
			}
			return time.Since(begin)
		}
		known, unknown := time.Hour, time.Hour // the shortest of each: a busy machine slows single ones down, never all of one kind
		apart := func() bool { return unknown < known/3 || known < unknown/3 }
		for try := 0; try < 4 || try < 60 && apart(); try++ {
			known, unknown = min(known, took("a@kontum.test")), min(unknown, took("b@kontum.test"))
		}
		if apart() {
			t.Errorf("known %v, unknown %v", known, unknown)
		}
	})
}

func TestManyLoginsAtOnce(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{{Address: "a@kontum.test", Kind: mailcore.Unit, Password: "p"}}))
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				password, want := "p", error(nil)
				if i%2 == 0 {
					password, want = "q", mailcore.ErrBadCredentials
				}
				if _, err := s.Authenticate(ctx, "a@kontum.test", password); !errors.Is(err, want) {
					t.Errorf("%s: %v", password, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestRouter(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		made := must[[]mailcore.Account](t)(s.CreateAccounts(ctx, []mailcore.NewAccount{
			{Address: "stttt@kontum.test", Kind: mailcore.Unit}, {Address: "traloi@kontum.test", Kind: mailcore.System},
			{Address: "cu@kontum.test", Kind: mailcore.Unit}}))
		if err := s.CloseAccount(ctx, "cu@kontum.test"); err != nil {
			t.Fatal(err)
		}
		r := s.LocalRouter("kontum.test", map[string]mailcore.Address{"postmaster": "traloi@kontum.test", "phathanh": "traloi@kontum.test"})
		for in, want := range map[mailcore.Address]mailcore.Route{
			"stttt@kontum.test":           {Account: made[0].ID, Canonical: "stttt@kontum.test"},
			"traloi+tok-1@kontum.test":    {Account: made[1].ID, Canonical: "traloi@kontum.test", Ref: "tok-1"},
			"phathanh+tok-1@kontum.test":  {Account: made[1].ID, Canonical: "traloi@kontum.test", Ref: "tok-1"},
			"postmaster@kontum.test":      {Account: made[1].ID, Canonical: "traloi@kontum.test"},
			"vanthu@bo.test":              {Relay: true, Canonical: "vanthu@bo.test"},
			"stttt@stttt.kontum.test":     {Relay: true, Canonical: "stttt@stttt.kontum.test"},
			"stttt+a+b@kontum.test":       {Account: made[0].ID, Canonical: "stttt@kontum.test", Ref: "a+b"},
			"nobody@notkontum.kontum.org": {Relay: true, Canonical: "nobody@notkontum.kontum.org"},
		} {
			if got, err := r.Route(ctx, in); err != nil || got != want {
				t.Errorf("%s: %+v, %v", in, got, err)
			}
		}
		for _, in := range []mailcore.Address{"nobody@kontum.test", "nobody+stttt@kontum.test", "+stttt@kontum.test", "cu@kontum.test", "cu+x@kontum.test"} {
			if got, err := r.Route(ctx, in); !errors.Is(err, mailcore.ErrNoRecipient) {
				t.Errorf("%s: %+v, %v", in, got, err)
			}
		}
	})
}
