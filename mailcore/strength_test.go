package mailcore_test

import (
	"errors"
	"testing"

	"congvan/mailcore"
)

func TestJudgePassword(t *testing.T) {
	a := mailcore.Account{Address: "an.snv@kontum.test", Name: "Nguyễn Văn An"}
	for password, want := range map[string]error{
		"":                             mailcore.ErrPasswordShort,
		"Ngắn quá 1!":                  mailcore.ErrPasswordShort,
		"an.snv@kontum.test":           mailcore.ErrPasswordAddress,
		"Nguyễn Văn An 1990":           mailcore.ErrPasswordAddress,
		"nguyenvanan123":               mailcore.ErrPasswordAddress,
		"aaaaaaaaaaaaaaaa":             mailcore.ErrPasswordWeak,
		"abcdefghijklmnop":             mailcore.ErrPasswordWeak,
		"123456789012":                 mailcore.ErrPasswordWeak,
		"Matkhau123456":                mailcore.ErrPasswordWeak,
		"Mật khẩu 123456":              mailcore.ErrPasswordWeak,
		"Password@123456":              mailcore.ErrPasswordWeak,
		"111111222222":                 mailcore.ErrPasswordWeak,
		"con ngựa đúng cái pin":        nil,
		"trưa nay ăn cơm gà":           nil,
		"K7#vq2Lm9!xT":                 nil,
		"hoa ban nở trắng trên đồi xa": nil,
	} {
		if strength, err := mailcore.JudgePassword(a, password); !errors.Is(err, want) || (err == nil) != (strength > mailcore.Weak) {
			t.Errorf("%q: %v, %v; want %v", password, strength, err, want)
		}
	}
	if s, _ := mailcore.JudgePassword(a, "hoa ban nở trắng trên đồi xa"); s != mailcore.Strong {
		t.Errorf("a long sentence is %v", s)
	}
	if s, _ := mailcore.JudgePassword(a, "K7#vq2Lm9!xT"); s != mailcore.Fair {
		t.Errorf("twelve random letters are %v", s)
	}
}

func TestChangePasswordByItsOwner(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		officer, _ := withOfficer(t, s)
		if err := s.SetPassword(ctx, officer.Address, "duoc-cap-lan-dau", true); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			current, next string
			want          error
		}{
			{"khong phai", "trưa nay ăn cơm gà", mailcore.ErrBadCredentials}, {"duoc-cap-lan-dau", "duoc-cap-lan-dau", mailcore.ErrPasswordOld},
			{"duoc-cap-lan-dau", "ngắn", mailcore.ErrPasswordShort}, {"duoc-cap-lan-dau", "trưa nay ăn cơm gà", nil},
		} {
			if err := s.ChangePassword(ctx, officer, c.current, c.next); !errors.Is(err, c.want) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		must[mailcore.Login](t)(s.LogIn(ctx, from("an.snv@kontum.test", "trưa nay ăn cơm gà", "198.51.100.7")))
	})
}
