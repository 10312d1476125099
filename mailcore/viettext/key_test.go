package viettext_test

import (
	"testing"

	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

func TestKeyIsTheSameForSpellingsOfOneText(t *testing.T) {
	for _, same := range [][]string{
		{"Ủy ban nhân dân", "Uỷ ban nhân dân", "ỦY BAN NHÂN DÂN", "UỶ  BAN\u00a0NHÂN DÂN ", norm.NFD.String("Ủy ban nhân dân")},
		{"hòa", "hoà", "HOÀ"}, {"khỏe", "khoẻ"}, {"thủy", "thuỷ"}, {"tòa án", "toà án"}, {"hoàn", "hòan"}, {"toán", "tóan"},
		{"quy định", "qui định"}, {"Quý", "Quí"}, {"Quỳnh", "Quình"}, {"ký", "kí"}, {"kỹ thuật", "kĩ thuật"}, {"tỷ lệ", "tỉ lệ"}, {"Lý", "Lí"},
		{"giá", "gía"}, {"Thi đua - Khen thưởng", "Thi đua – Khen thưởng", "thi đua-khen thưởng"},
		{"Y H'Lim", "Y H’Lim", "Y Hʼlim"}, {"Đăk Hà", "Ðăk Hà"}, {"nghiệm thu", "nghi\u00adệm thu"}, {"khuỷu", "khủyu"},
	} {
		want := viettext.Key(same[0])
		for _, s := range same[1:] {
			if got := viettext.Key(s); got != want {
				t.Errorf("Key(%q) = %q, Key(%q) = %q", s, got, same[0], want)
			}
		}
	}
}

func TestKeyTellsDifferentTextsApart(t *testing.T) {
	for _, pair := range [][2]string{
		{"Đăk Hà", "Đắk Hà"}, {"thúy", "thúi"}, {"Kon Tum", "Kôn Tum"}, {"ba", "bá"}, {"y tế", "i tế"}, {"hỏa", "họa"},
		{"mua", "mùa"}, {"tay", "tai"}, {"lùi", "lủi"}, {"Ia H'Drai", "Ia Hdrai"}, {"a b", "ab"}, {"ƀok", "bok"},
	} {
		if a, b := viettext.Key(pair[0]), viettext.Key(pair[1]); a == b {
			t.Errorf("Key(%q) = Key(%q) = %q", pair[0], pair[1], a)
		}
	}
}

func TestKeyValues(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " - ": "-", "Uỷ ban": "ủy ban", "QUÝ": "quí", "già": "già", "gì": "gì", "  A\tB ": "a b", "nguyễn": "nguyễn", "người": "người",
		"Ngoài": "ngoài", "ŏ ĕ ñ č": "ŏ ĕ ñ č", "chịu trách nhiệm": "chịu trách nhiệm",
	} {
		if got := viettext.Key(in); got != want {
			t.Errorf("Key(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Ủy ban  nhân dân": "uy ban nhan dan", "ĐƠN VỊ": "don vi", "A Ƀok": "a bok", "Ð": "d", "\tx ": "x", "": "",
		norm.NFD.String("Đăk Glei"): "dak glei", "Chư Mom Ray": "chu mom ray",
	} {
		if got := viettext.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"Ủy ban", "qu", "gi", "quý", "gìn", "- -", "\u0301a", "ă\u0323\u0301", "ăã\u0301", "\u1fef"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k := viettext.Key(s)
		if again := viettext.Key(k); again != k {
			t.Errorf("Key(%q) = %q, and the key of that is %q", s, k, again)
		}
		_ = viettext.Fold(s)
	})
}

func BenchmarkKey(b *testing.B) {
	for b.Loop() {
		viettext.Key("Uỷ ban nhân dân các huyện, thị xã; Ban Thi đua – Khen thưởng tỉnh Kon Tum")
	}
}
