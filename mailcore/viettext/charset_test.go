package viettext_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"congvan/mailcore/viettext"
)

// TestDecodeAgreesWithTheStandards compares each byte with what glibc's iconv makes of it (TCVN5712-1, VISCII, CP1258).
func TestDecodeAgreesWithTheStandards(t *testing.T) {
	data, err := os.ReadFile("testdata/bytes.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		var enc, want string
		var b rune
		if _, err := fmt.Sscanf(line, "%s %X %s", &enc, &b, &want); err != nil {
			t.Fatal(line, err)
		}
		n++
		if got := viettext.Decode(viettext.Encoding(enc), string(b)); got != want {
			t.Errorf("%s %02X = %q, want %q", enc, b, got, want)
		}
	}
	if n < 300 {
		t.Errorf("only %d bytes compared", n)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		enc      viettext.Encoding
		in, want string
	}{
		{viettext.TCVN3, "N¬i nhËn: Céng hoµ, l\u00adu", "Nơi nhận: Cộng hoà, lưu"},
		{viettext.TCVN3, "“C«ng v¨n” – sè 5", "“Công văn” – số 5"},
		{viettext.VNI, "Nôi nhaän, Ñoäc laäp, ÖÙng, yù kieán, kyø, TÆNH", "Nơi nhận, Độc lập, Ứng, ý kiến, kỳ, TỈNH"},
		{viettext.VISCII, "N½i nh§n", "Nơi nhận"},
		{viettext.VPS, "NÖi nhÆn, B\u0012", "Nơi nhận, BỘ"},
		{viettext.Windows1258, "Nõi nhâòn", "Nơi nhận"},
		{viettext.Unicode, "Nơi nhận ¬", "Nơi nhận ¬"},
	} {
		if got := viettext.Decode(c.enc, c.in); got != c.want {
			t.Errorf("Decode(%s, %q) = %q, want %q", c.enc, c.in, got, c.want)
		}
	}
}

func TestFontEncoding(t *testing.T) {
	for _, c := range []struct {
		font     string
		enc      viettext.Encoding
		capitals bool
	}{
		{".VnTime", viettext.TCVN3, false}, {"AAAAAA+.VnTimeH", viettext.TCVN3, true}, {"ABCDEF+.VnTimeH,Bold", viettext.TCVN3, true},
		{".VnTimeH-Bold", viettext.TCVN3, true}, {".VnArial-BoldItalic", viettext.TCVN3, false}, {".VnArialH-BoldItalic", viettext.TCVN3, true},
		{"#2EVnTimeH", viettext.TCVN3, true}, {".VnCentury Schoolbook", viettext.TCVN3, false}, {".VnCentury SchoolbookH", viettext.TCVN3, true},
		{"BCDEEE+VNI-Times", viettext.VNI, false}, {"VNI-Times,Bold", viettext.VNI, false}, {"VNI-Helve-Condense", viettext.VNI, false},
		{"VPS Times", viettext.VPS, false}, {"TimesNewRomanPSMT", viettext.Unicode, false}, {"ABCDEF+Vni", viettext.VNI, false},
		{"AAAAAA+LiberationSerif", viettext.Unicode, false}, {"", viettext.Unicode, false}, {"VnTime-H", viettext.TCVN3, true},
	} {
		enc, capitals := viettext.FontEncoding(c.font)
		if enc != c.enc || capitals != c.capitals {
			t.Errorf("FontEncoding(%q) = %s, %v, want %s, %v", c.font, enc, capitals, c.enc, c.capitals)
		}
	}
}
