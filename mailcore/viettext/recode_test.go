package viettext_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

type legacyRow struct {
	ID, Encoding, Raw, Unicode string
	Lossy                      bool
}

func legacyRows(t testing.TB) []legacyRow {
	t.Helper()
	data, err := os.ReadFile("testdata/legacy-encodings.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var rows []legacyRow
	for line := range strings.Lines(string(data)) {
		var r legacyRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

func TestRecodeReadsRealStringsOfOldEncodings(t *testing.T) {
	right, syllables := 0, 0
	for _, row := range legacyRows(t) {
		got, enc := viettext.Recode(row.Raw)
		if !row.Lossy {
			if got != row.Unicode || !strings.HasPrefix(row.Encoding, string(enc)) {
				t.Errorf("%s: Recode(%q) = %q as %s, want %q", row.ID, row.Raw, got, enc, row.Unicode)
			}
			continue
		}
		g, w := strings.Fields(got), strings.Fields(row.Unicode)
		syllables += len(w)
		for i := range w {
			if i < len(g) && g[i] == w[i] {
				right++
			}
		}
	}
	if float64(right) < 0.95*float64(syllables) {
		t.Errorf("%d of %d syllables of lossy strings right", right, syllables)
	}
}

func unicodeLines(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/unicode.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		lines = append(lines, sc.Text())
	}
	return lines
}

func TestRecodeLeavesUnicodeAlone(t *testing.T) {
	for _, s := range unicodeLines(t) {
		if got, enc := viettext.Recode(s); got != norm.NFC.String(s) || enc != viettext.Unicode {
			t.Errorf("Recode(%q) = %q as %s", s, got, enc)
		}
	}
}

// encodings has, for each old encoding, how text gets into it; built from the decoder by trying every byte, so the tests
// of TestDecodeAgreesWithTheStandards must hold first.
func encode(t testing.TB, enc viettext.Encoding, s string) (string, bool) {
	t.Helper()
	table := encoders[enc]
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 || strings.ContainsRune("–—“”‘’…•", r) {
			b.WriteRune(r)
			continue
		}
		e, ok := table[r]
		if !ok {
			return "", false
		}
		b.WriteString(e)
	}
	return b.String(), true
}

var encoders = func() map[viettext.Encoding]map[rune]string {
	all := make(map[viettext.Encoding]map[rune]string)
	for _, enc := range []viettext.Encoding{viettext.TCVN3, viettext.VNI, viettext.VISCII, viettext.VPS, viettext.Windows1258} {
		m := make(map[rune]string)
		try := func(in string) {
			out := []rune(viettext.Decode(enc, in))
			if len(out) == 1 && out[0] >= 0x80 && string(out) != in {
				if old, ok := m[out[0]]; !ok || len(in) < len(old) || len(in) == len(old) && unicode.IsLower(out[0]) {
					m[out[0]] = in
				}
			}
		}
		for b := rune(1); b < 0x100; b++ {
			try(string(b))
			if b < 0xA0 && enc != viettext.VISCII && enc != viettext.VPS {
				continue
			}
			for _, base := range "aeouyAEOUYiIôÔöÖêÊâÂõÕýÝãÃ" {
				if enc == viettext.VNI || enc == viettext.Windows1258 {
					try(string(base) + string(b))
				}
			}
		}
		for b := rune(0xC0); b < 0x100; b++ { // letters that are the same in Latin-1
			if viettext.Decode(enc, string(b)) == string(b) && strings.ContainsRune("àáâãèéêìíòóôõùúýÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ", b) {
				if _, ok := m[b]; !ok && enc != viettext.VNI && enc != viettext.TCVN3 {
					m[b] = string(b)
				}
			}
		}
		all[enc] = m
	}
	return all
}()

// TestRecodeFindsTheEncoding puts the real Unicode entries into each old encoding and asks for them back. Short strings
// whose every word is also good in another reading cannot all be told apart; the floors are what was reached, rounded down.
func TestRecodeFindsTheEncoding(t *testing.T) {
	for _, c := range []struct {
		enc          viettext.Encoding
		floor, short float64
	}{
		{viettext.TCVN3, 0.99, 0.98}, {viettext.VNI, 0.99, 0.98}, {viettext.VISCII, 0.98, 0.98}, {viettext.VPS, 0.98, 0.98}, {viettext.Windows1258, 0.98, 0.98},
	} {
		var n, right [2]int
		for _, s := range unicodeLines(t) {
			s = norm.NFC.String(s)
			if viettext.Plausible(s) < 0.9 {
				continue // OCR noise
			}
			e, ok := encode(t, c.enc, s)
			if !ok || e == s {
				continue
			}
			k := 0
			if len([]rune(s)) < 25 {
				k = 1
			}
			n[k]++
			if got, _ := viettext.Recode(e); got == s {
				right[k]++
			} else if testing.Verbose() {
				t.Logf("%s %q: %q, want %q", c.enc, e, got, s)
			}
		}
		t.Logf("%s: %d of %d; under 25 letters %d of %d", c.enc, right[0], n[0], right[1], n[1])
		if n[0] < 100 || float64(right[0]) < c.floor*float64(n[0]) || float64(right[1]) < c.short*float64(n[1]) {
			t.Errorf("%s: %d of %d; under 25 letters %d of %d", c.enc, right[0], n[0], right[1], n[1])
		}
	}
}

func TestRecode(t *testing.T) {
	for _, c := range []struct {
		in, want string
		enc      viettext.Encoding
	}{
		// as editors, extractors and other code pages left it
		{"V/v ®¨ng ký cÊp míi hép th\u00ad®iÖn tö c«ng", "V/v đăng ký cấp mới hộp thư điện tử công", viettext.TCVN3},
		{"- Nh\u00adtrªn;", "- Như trên;", viettext.TCVN3},
		{"- \ufffdy ban nh©n d©n c¸c huyÖn, thÞ x·.", "- Ủy ban nhân dân các huyện, thị xã.", viettext.TCVN3},
		{"y ban nh©n d©n tØnh Kon Tum", "Ủy ban nhân dân tỉnh Kon Tum", viettext.TCVN3},
		{"Số: 146/stttt-cntt  Kon Tum, ngµy 12 th¸ng 5 n¨m 2009", "Số: 146/stttt-cntt  Kon Tum, ngày 12 tháng 5 năm 2009", viettext.TCVN3},
		{"CéNG HOµ X· HéI CHñ NGHÜA VIÖT NAM", "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM", viettext.TCVN3},
		{"Së TT&TT, Së TC, Bé L§TB&XH", "Sở TT&TT, Sở TC, Bộ LĐTB&XH", viettext.TCVN3},
		{"Kİnh göi: Bé tµi chİnh", "Kính gửi: Bộ tài chính", viettext.TCVN3},                   // through windows-1254
		{"chƯnh phñ, viÖc, h\u00adíng d\u1eabn", "chính phủ, việc, hướng dẫn", viettext.TCVN3}, // through windows-1258
		{"Ðôn vò: Sôû Taøi chính", "Ðôn vị: Sở Tài chính", viettext.VNI},
		{"NÆ¡i nháº\u00adn: Cá»™ng hÃ²a xÃ£ há»™i", "Nơi nhận: Cộng hòa xã hội", viettext.UTF8},
		{"lÃ  viá»‡c cá»§a", "là việc của", viettext.UTF8},
		{norm.NFD.String("Ủy ban nhân dân"), "Ủy ban nhân dân", viettext.Unicode},
		{"N\xaci nh\xcbn", "Nơi nhận", viettext.TCVN3}, // bytes
		// nothing to do
		{"", "", viettext.Unicode}, {"plain ASCII", "plain ASCII", viettext.Unicode},
		{"Y H'Lim, Ia H'Drai, A Ƀok, Hơ Ñŏ, Ĕa Sŭp, Y Ĭč", "Y H'Lim, Ia H'Drai, A Ƀok, Hơ Ñŏ, Ĕa Sŭp, Y Ĭč", viettext.Unicode},
		{"Ia Ñih, Y Blăñ", "Ia Ñih, Y Blăñ", viettext.Unicode},
		{"Café René, Noël à la Côte d'Ivoire, Müller, São Tomé, français", "Café René, Noël à la Côte d'Ivoire, Müller, São Tomé, français", viettext.Unicode},
		{"Bà Lê Bé, Hà Bình", "Bà Lê Bé, Hà Bình", viettext.Unicode}, {"Bé", "Bé", viettext.Unicode},
		{"25°C ± 2, § 5, 10 m², © 2009, «Báo cáo», XÃ\u00a0HỘI, “XÃ”", "25°C ± 2, § 5, 10 m², © 2009, «Báo cáo», XÃ\u00a0HỘI, “XÃ”", viettext.Unicode},
		{"nghi\u00adệm, hành chính\u00a0– tổng hợp", "nghi\u00adệm, hành chính\u00a0– tổng hợp", viettext.Unicode},
		{"日本語 и русский", "日本語 и русский", viettext.Unicode},
	} {
		got, enc := viettext.Recode(c.in)
		if got != c.want || enc != c.enc {
			t.Errorf("Recode(%q) = %q as %s, want %q as %s", c.in, got, enc, c.want, c.enc)
		}
	}
}

func TestRecodeRestoresTheLostHorn(t *testing.T) {
	right, all := 0, 0
	for _, s := range unicodeLines(t) {
		s = norm.NFC.String(s)
		e, ok := encode(t, viettext.TCVN3, s)
		if viettext.Plausible(s) < 0.9 || !ok || !strings.Contains(e, "\u00ad") {
			continue
		}
		got, _ := viettext.Recode(strings.ReplaceAll(e, "\u00ad", ""))
		g, w := strings.Fields(got), strings.Fields(s)
		for i := range w {
			all++
			if len(g) == len(w) && g[i] == w[i] {
				right++
			}
		}
		if got != s && testing.Verbose() {
			t.Logf("%q, want %q", got, s)
		}
	}
	t.Logf("%d of %d syllables", right, all)
	if all < 500 || float64(right) < 0.95*float64(all) {
		t.Errorf("%d of %d syllables", right, all)
	}
}

func FuzzRecode(f *testing.F) {
	for _, s := range []string{"", "N¬i nhËn", "Nôi nhaän", "lÃ ", "\xff\xfe", "á»™", "\u00ad", "y ban", "CéNG §", "\ufffdy ban nh©n", "L\u00adu\u0323\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, _ := viettext.Recode(s)
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) {
			t.Errorf("Recode(%q) = %q, no NFC", s, got)
		}
		for _, enc := range []viettext.Encoding{viettext.TCVN3, viettext.VNI, viettext.VISCII, viettext.VPS, viettext.Windows1258} {
			if d := viettext.Decode(enc, s); !utf8.ValidString(d) {
				t.Errorf("Decode(%s, %q) = %q", enc, s, d)
			}
		}
		if p := viettext.Plausible(s); p < 0 || p > 1 {
			t.Errorf("Plausible(%q) = %f", s, p)
		}
	})
}

func BenchmarkRecodeUnicode(b *testing.B) {
	s := strings.Repeat("Ủy ban nhân dân tỉnh Kon Tum đề nghị các đơn vị thực hiện. ", 20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		viettext.Recode(s)
	}
}

func BenchmarkRecodeTCVN3(b *testing.B) {
	s := strings.Repeat("ñy ban nh©n d©n tØnh Kon Tum ®Ò nghÞ c¸c ®¬n vÞ thùc hiÖn. ", 20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		viettext.Recode(s)
	}
}

// A slip of the pen in a text that is Unicode is no old encoding, however well it would read in one.
func TestSlipsAreLeftAlone(t *testing.T) {
	for _, text := range []string{"Ban Dân tôc tỉnh", "Sở Kê hoạch và Đầu tư", "Văn phòng Tỉnh ủy, Ban Dân vân", "Quyết định vê viêc ban hành", "Uỷ ban; Bộ Nôi vu"} {
		if got, enc := viettext.Recode(text); got != text || enc != viettext.Unicode {
			t.Errorf("%q becomes %q (%s)", text, got, enc)
		}
	}
	for text, want := range map[string]string{"Ủy ban nh©n d©n tØnh, Héi n«ng d©n": "Ủy ban nhân dân tỉnh, Hội nông dân",
		"V/v Héi nghÞ tæng kÕt của Sở Nội vụ": "V/v Hội nghị tổng kết của Sở Nội vụ"} {
		if got, _ := viettext.Recode(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
