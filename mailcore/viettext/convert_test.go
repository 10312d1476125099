package viettext_test

import (
	"strings"
	"testing"

	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

func TestConvertChangesWholeTextsOrNothing(t *testing.T) {
	for _, c := range []struct {
		in, want string
		enc      viettext.Encoding
		lossless bool
	}{
		{"V/v h\u00adíng dÉn thùc hiÖn chÕ ®é b¸o c¸o", "V/v hướng dẫn thực hiện chế độ báo cáo", viettext.TCVN3, true},
		{"ñy ban nh©n d©n tØnh Kon Tum", "ủy ban nhân dân tỉnh Kon Tum", viettext.TCVN3, true},
		{"CéNG HOµ X· HéI CHñ NGHÜA VIÖT NAM", "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM", viettext.TCVN3, true},
		{"Kính göûi: UÛy ban nhaân daân tænh", "Kính gửi: Ủy ban nhân dân tỉnh", viettext.VNI, true},
		{"NÆ¡i nháº\u00adn: Cá»™ng hÃ²a xÃ£ há»™i", "Nơi nhận: Cộng hòa xã hội", viettext.UTF8, true},
		// letters that are gone
		{"Bé tr\ufffdëng Bé T\ufffd ph¸p ký quyÕt ®Þnh", "", viettext.TCVN3, false},
		{"V/v híng dÉn thùc hiÖn chÕ ®é b¸o c¸o", "", viettext.TCVN3, false}, // the ư went with its soft hyphen
		// nothing to convert
		{"Kính gửi Sở Nội vụ, anh viết là “N¬i nhËn” phải không?", "", viettext.Unicode, true},
		{"Y Bình Niê Kđăm, Hơ Ñŏ, A Ƀok, Ia H'Drai, Đăk Tô, Y Blăñ", "", viettext.Unicode, true},
		{"Café René, Noël à la Côte d'Ivoire, Müller, São Tomé", "", viettext.Unicode, true},
		{norm.NFD.String("Ủy ban nhân dân"), "", viettext.Unicode, true},
		{"25°C ± 2, § 5, «Báo cáo», © 2009", "", viettext.Unicode, true},
		{"", "", viettext.Unicode, true}, {"báo cáo", "", viettext.Unicode, true}, {"Hà Nội", "", viettext.Unicode, true}, {"Bé", "", viettext.Unicode, true},
	} {
		got, enc, lossless := viettext.Convert(c.in)
		want := c.want
		if c.enc == viettext.Unicode {
			want = c.in
		}
		if enc != c.enc || lossless != c.lossless || got != want && lossless {
			t.Errorf("Convert(%q) = %q as %s, %t; want %q as %s, %t", c.in, got, enc, lossless, want, c.enc, c.lossless)
		}
	}
}

// No text that is Unicode is ever touched; texts put into an old encoding come back whole or are said to be lossy.
func TestConvertLeavesUnicodeAloneAndLosesNothing(t *testing.T) {
	said, whole, all := 0, 0, 0
	for _, s := range unicodeLines(t) {
		if got, enc, lossless := viettext.Convert(s); got != s || enc != viettext.Unicode || !lossless {
			t.Errorf("Convert(%q) = %q as %s", s, got, enc)
		}
		s = norm.NFC.String(s)
		for _, e := range []viettext.Encoding{viettext.TCVN3, viettext.VNI} {
			old, ok := encode(t, e, s)
			if !ok || old == s || viettext.Plausible(s) < 0.9 || len([]rune(s)) < 25 {
				continue
			}
			all++
			got, enc, lossless := viettext.Convert(old)
			switch {
			case lossless && enc != viettext.Unicode && strings.EqualFold(got, s):
				whole++
			case lossless && enc != viettext.Unicode:
				t.Logf("Convert(%q) = %q", old, got)
				said++
			}
		}
	}
	t.Logf("%d of %d whole, %d other than they were", whole, all, said)
	if all < 200 || float64(whole) < 0.93*float64(all) || said*100 > all {
		t.Errorf("%d of %d whole, %d other than they were", whole, all, said)
	}
}
