package viettext

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// The way for Latin text gives what the way for any script gives, whatever stands beside what.
func TestFoldOfLatinTextIsFoldOfAnyText(t *testing.T) {
	some := []rune("aZ0 @~\t\n\u00a0\u0085đĐðƀỦyÝẫ\u0300\u0323\u0340\u0345\u00ad\u200b\ufeffßİıſK\u1e9eæﬁΣςά\u1b44한語\u302e\uFFFD–“”…\x00\x7f")
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20_000 {
		text := make([]rune, r.IntN(12))
		for i := range text {
			switch n % 3 {
			case 0:
				text[i] = some[r.IntN(len(some))]
			case 1:
				text[i] = rune(r.IntN(0x400))
			default:
				text[i] = []rune{0x1df8, 0x2008}[r.IntN(2)] + rune(r.IntN(0x110))
			}
		}
		s := string(text)
		if n%7 == 0 {
			s = norm.NFD.String(s) + "\xc3"
		}
		if got, want := Fold(s), foldAny(s); got != want {
			t.Fatalf("Fold(%q) is %q, want %q", s, got, want)
		}
		if got := string(AppendFold([]byte("trước "), s)); got != "trước "+Fold(s) {
			t.Fatalf("AppendFold of %q: %q", s, got)
		}
	}
}

func TestAppendFoldOfVietnameseTakesNoMemory(t *testing.T) {
	dst := make([]byte, 0, 200)
	text := "V/v “báo cáo” kết quả – thực hiện chế độ văn thư, lưu trữ của Sở Thông tin và Truyền thông"
	if n := testing.AllocsPerRun(100, func() { dst = AppendFold(dst[:0], text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFold(b *testing.B) {
	text := "V/v “báo cáo” kết quả – thực hiện chế độ văn thư, lưu trữ của Sở Thông tin và Truyền thông"
	dst := make([]byte, 0, 200)
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			dst = AppendFold(dst[:0], text)
		}
	})
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			foldAny(text)
		}
	})
}
