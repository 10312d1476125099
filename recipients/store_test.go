package recipients_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

func TestImportTwiceChangesNothing(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		s := recipients.NewStore(db, "kontum.test")
		d := kontum(t)
		first, err := s.Import(ctx, d, "cntt", "12/STTTT ngày 3/3/2009")
		if err != nil || len(first.Added) != len(d.Units()) {
			t.Fatalf("first import: %+v, %v", first, err)
		}
		again, err := s.Import(ctx, d, "cntt", "")
		if err != nil || !again.Empty() || again.Total != len(d.Units()) {
			t.Fatalf("second import: %+v, %v", again, err)
		}
		var n int
		if err := db.Read(ctx, func(tx *sqldb.Tx) error {
			return tx.GetContext(ctx, &n, `SELECT COUNT(*) FROM directory_change`)
		}); err != nil || n != 1 {
			t.Errorf("%d changes recorded, %v", n, err)
		}
		stored, err := s.Directory(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		var all tally
		for _, row := range readRows(t, "testdata/resolve-samples.jsonl") {
			all.judge(stored, row)
		}
		if all.wrong != 0 || all.found != all.wanted || all.unknownRight != all.docs {
			t.Errorf("the stored directory reads otherwise: %s", all.String())
		}
	})
}

const threeUnits = "code,name,kind,parent,aliases,names,address,valid_from,valid_to,successor\n" +
	"ubnd,UBND tỉnh Hà Bắc,uy-ban-tinh,,,,,,,\n" +
	"kcn,Ban Quản lý các khu công nghiệp tỉnh,ban-quan-ly,ubnd,BQL các KCN,,,,2009-12-31,kkt\n" +
	"kkt,Ban Quản lý Khu kinh tế tỉnh,ban-quan-ly,ubnd,,,,2010-01-01,,\n" +
	"bnv,Bộ Nội vụ,trung-uong,,,,vanthu@bnv.test,,,\n"

func readUnits(t *testing.T, csv string) *recipients.Directory {
	t.Helper()
	d, err := recipients.ReadDirectory(strings.NewReader(csv), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDirectoryIsThatOfTheDay(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		s := recipients.NewStore(db, "habac.test")
		if _, err := s.Import(ctx, readUnits(t, threeUnits), "cntt", "1"); err != nil {
			t.Fatal(err)
		}
		for date, want := range map[string]recipients.UnitCode{"2009-12-31": "kcn", "2010-01-01": "kkt", "": "kkt"} {
			d, err := s.Directory(ctx, date)
			if err != nil {
				t.Fatal(err)
			}
			other := map[recipients.UnitCode]recipients.UnitCode{"kcn": "kkt", "kkt": "kcn"}[want]
			_, ok := d.Unit(want)
			if _, wrong := d.Unit(other); !ok || wrong {
				t.Errorf("on %q: %s %v, %s %v", date, want, ok, other, wrong)
			}
		}
		if _, err := s.Directory(ctx, "31/12/2009"); err == nil {
			t.Error("a date in another form was taken")
		}
		for address, want := range map[string]recipients.UnitCode{"KCN@habac.test": "kkt", "ubnd@habac.test": "ubnd", "vanthu@bnv.test": "bnv"} {
			if u, err := s.UnitByAddress(ctx, address); err != nil || u.Code != want {
				t.Errorf("%s: %s, %v, want %s", address, u.Code, err, want)
			}
		}
		for _, address := range []string{"khong@habac.test", "bnv@habac.test", "ubnd@khac.test", ""} {
			if u, err := s.UnitByAddress(ctx, address); !errors.Is(err, recipients.ErrNoUnit) {
				t.Errorf("%s: %s, %v", address, u.Code, err)
			}
		}
	})
}

func TestImportEndsUnitsThatAreGone(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		s := recipients.NewStore(db, "habac.test")
		if _, err := s.Import(ctx, readUnits(t, threeUnits), "cntt", "1"); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(threeUnits, "\n")
		without := strings.Join(lines[:4], "\n") + "\n"
		without = strings.Replace(without, "BQL các KCN", "BQL KCN", 1)
		res, err := s.Import(ctx, readUnits(t, without), "cntt", "2")
		if err != nil || !slices.Equal(res.Ended, []recipients.UnitCode{"bnv"}) || !slices.Equal(res.Changed, []recipients.UnitCode{"kcn"}) || len(res.Added) != 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		d, err := s.Directory(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := d.Unit("bnv"); ok {
			t.Error("the unit that left is still there today")
		}
		past, err := s.Directory(ctx, "2009-05-05")
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := past.Unit("kcn"); !ok || len(u.Aliases) != 1 || u.Aliases[0].Text != "BQL KCN" {
			t.Errorf("kcn: %+v", u)
		}
		if _, ok := past.Unit("bnv"); !ok {
			t.Error("a document of the past does not find the unit that left later")
		}
		if res, err = s.Import(ctx, readUnits(t, without), "cntt", "3"); err != nil || !res.Empty() {
			t.Errorf("again: %+v, %v", res, err)
		}
	})
}

func TestAliasIsLearnedAndForgotten(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		s := recipients.NewStore(db, "kontum.test")
		d := kontum(t)
		if _, err := s.Import(ctx, d, "cntt", "1"); err != nil {
			t.Fatal(err)
		}
		result := func() recipients.Result {
			d, err := s.Directory(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			return d.Resolve(recipients.Request{Issuer: "ubndtinh", NoiNhan: "- Nhà đèn tỉnh;"})[0].Result
		}
		if result() != recipients.Open {
			t.Fatal("known before it was learned")
		}
		before := time.Now().Add(-time.Minute)
		if err := s.LearnAlias(ctx, "dienluc", " Nhà  đèn tỉnh ", "vanthu"); err != nil {
			t.Fatal(err)
		}
		if result() != recipients.Resolved {
			t.Error("not known after it was learned")
		}
		// What the words mean was so before the clerk said it: a document of last month, or of last year, resolves as well.
		for _, date := range []string{"2009-02-01", time.Now().AddDate(0, -1, 0).Format(time.DateOnly)} {
			d, err := s.Directory(ctx, date)
			if err != nil {
				t.Fatal(err)
			}
			l := d.Resolve(recipients.Request{Date: date, Issuer: "ubndtinh", NoiNhan: "- Nhà đèn tỉnh (b/c);"})[0]
			if l.Result != recipients.Resolved || !strings.Contains(l.Why, "vanthu") || l.Confidence >= 0.98 {
				t.Errorf("of %s: %+v", date, l)
			}
		}
		if _, err := s.Import(ctx, d, "cntt", "2"); err != nil || result() != recipients.Resolved {
			t.Errorf("an import took what a clerk taught: %v", err)
		}
		learned, err := s.LearnedAliases(ctx)
		if err != nil || len(learned) != 1 || learned[0].By != "vanthu" || learned[0].Alias != "Nhà đèn tỉnh" || learned[0].At.Before(before) {
			t.Errorf("learned: %+v, %v", learned, err)
		}
		var taken *recipients.AliasTakenError
		if err := s.LearnAlias(ctx, "syt", "nhà đèn tỉnh", "vanthu"); !errors.As(err, &taken) || taken.Unit != "dienluc" {
			t.Errorf("learned for a second unit: %v", err)
		}
		if err := s.LearnAlias(ctx, "khong", "Gì đó", "vanthu"); !errors.Is(err, recipients.ErrNoUnit) {
			t.Errorf("learned for nobody: %v", err)
		}
		var vague *recipients.VagueAliasError
		for _, alias := range []string{" ;- ", "Các phòng", "Như trên", "Như Điều 3", "Lưu: VT", "UBND huyện", "Sở", "Trừ Sở Y tế", "các đơn vị liên quan", "Thủ trưởng đơn vị"} {
			if err := s.LearnAlias(ctx, "syt", alias, "vanthu"); !errors.As(err, &vague) {
				t.Errorf("learned %q: %v", alias, err)
			}
		}
		for _, c := range []struct {
			alias  string
			holder recipients.UnitCode
		}{{"Sở Tài chính", "stc"}, {"STC", "stc"}, {"Sở KH&ĐT tỉnh Kon Tum", "skhdt"}, {"UBND huyện Đăk Hà", "dakha"},
			{"UBND các huyện, thị xã", "nhom-huyen"}, {"Thủ trưởng các sở, ban, ngành", ""}, {"LĐVP", "nhom-cvp"}} {
			err := s.LearnAlias(ctx, "syt", c.alias, "vanthu")
			if errors.As(err, &taken) && taken.Unit == c.holder && taken.Group == strings.HasPrefix(string(c.holder), "nhom-") || c.holder == "" && errors.As(err, &taken) {
				continue
			}
			t.Errorf("%q is learned though it is %s's: %v", c.alias, c.holder, err)
		}
		if err := s.ForgetAlias(ctx, "", "nhà đèn  TỈNH", "vanthu"); err != nil || result() != recipients.Open {
			t.Errorf("not forgotten: %v", err)
		}
		if err := s.ForgetAlias(ctx, "dienluc", "Nhà đèn tỉnh", "vanthu"); !errors.Is(err, recipients.ErrNoAlias) {
			t.Errorf("forgotten twice: %v", err)
		}
		if err := s.ForgetAlias(ctx, "dienluc", "Điện lực tỉnh", "vanthu"); !errors.Is(err, recipients.ErrNoAlias) {
			t.Errorf("an imported alias was forgotten: %v", err)
		}
	})
}

func TestImportTellsOfNamesThatTheFileGivesToOthers(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		s := recipients.NewStore(db, "habac.test")
		if _, err := s.Import(ctx, readUnits(t, threeUnits), "cntt", "1"); err != nil {
			t.Fatal(err)
		}
		if err := s.LearnAlias(ctx, "kkt", "Ban Cụm Bắc", "vanthu"); err != nil {
			t.Fatal(err)
		}
		given := strings.Replace(threeUnits, "ubnd,UBND tỉnh Hà Bắc,uy-ban-tinh,,,", "ubnd,UBND tỉnh Hà Bắc,uy-ban-tinh,,Ban cụm Bắc,", 1)
		res, err := s.Import(ctx, readUnits(t, given), "cntt", "2")
		if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "kkt") {
			t.Fatalf("%+v, %v", res, err)
		}
		d, err := s.Directory(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if l := d.Resolve(recipients.Request{NoiNhan: "- Ban Cụm Bắc;"})[0]; l.Result != recipients.Open || len(l.Candidates) != 2 {
			t.Errorf("a name of two units: %+v", l)
		}
	})
}

func TestDatesOfNamesAndMembersAreStored(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		s := recipients.NewStore(db, "kontum.test")
		d := datedDirectory(t)
		for i := range 2 {
			if res, err := s.Import(ctx, d, "cntt", "1"); err != nil || i == 1 && !res.Empty() {
				t.Fatalf("import %d: %+v, %v", i, res, err)
			}
		}
		for date, want := range map[string]string{"2009-03-18": "hoicd mttq txkontum", "2010-12-31": "hoicd mttq", "2011-01-01": "mttq"} {
			on, err := s.Directory(ctx, date)
			if err != nil {
				t.Fatal(err)
			}
			lines := on.Resolve(recipients.Request{Date: date, Issuer: "ubndtinh", NoiNhan: "- Các đoàn thể tỉnh, UBND thị xã Kon Tum;"})
			if got, _, _ := strings.Cut(outcomeOf(lines, "x"), " + "); got != want {
				t.Errorf("on %s: %s, want %s", date, got, want)
			}
		}
	})
}
