package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"congvan/mailcore/viettext"
)

// tcvn3 encodes a text in TCVN3, small letters only, as the fonts of the family want it.
func tcvn3(s string) []byte {
	table := map[rune]byte{}
	for b := 0x80; b < 0x100; b++ {
		for _, r := range viettext.Decode(viettext.TCVN3, string(rune(b))) {
			if table[r] == 0 {
				table[r] = byte(b)
			}
		}
	}
	var out []byte
	for _, r := range s {
		b, ok := table[r]
		switch {
		case ok:
			out = append(out, b)
		case r < 0x80:
			out = append(out, byte(r))
		default:
			panic(fmt.Sprintf("no code for %c", r))
		}
	}
	return out
}

// A setLine is a line of text at a place: font 1 is .VnTime, font 2 .VnTimeH, which shows small letters as capitals.
type setLine struct {
	x, y, size float64
	font       int
	text       string
}

// oldFontPDF sets lines in fonts of before Unicode that are named but not embedded, as word processors of 2003 did.
func oldFontPDF(lines []setLine) []byte {
	var content strings.Builder
	for _, l := range lines {
		text := l.text
		if l.font == 2 {
			text = strings.Map(unicode.ToLower, text)
		}
		fmt.Fprintf(&content, "BT /F%d %g Tf %g %g Td <%x> Tj ET\n", l.font, l.size, l.x, 842-l.y, tcvn3(text))
	}
	font := func(name string) []byte {
		return []byte("<</Type/Font/Subtype/TrueType/BaseFont/" + name + "/Encoding/WinAnsiEncoding>>")
	}
	return writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 1/Kids[3 0 R]>>"),
		[]byte("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 4 0 R/F2 5 0 R>>>>/Contents 6 0 R>>"),
		font(".VnTime"), font(".VnTimeH"), fmt.Appendf(nil, "<</Length %d>>\nstream\n%s\nendstream", content.Len(), content.String())})
}

func TestFontsFromBeforeUnicode(t *testing.T) {
	data := oldFontPDF([]setLine{
		{100, 70, 13, 2, "UBND TỈNH KON TUM"}, {110, 86, 13, 2, "SỞ CÔNG THƯƠNG"}, {120, 106, 13, 1, "Số: 318/SCT-QLĐN"},
		{90, 122, 12, 1, "V/v tiết kiệm điện mùa khô năm 2010"},
		{300, 70, 12, 2, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"}, {350, 86, 13, 1, "Độc lập - Tự do - Hạnh phúc"},
		{340, 106, 13, 1, "Kon Tum, ngày 12 tháng 3 năm 2010"},
		{200, 170, 14, 1, "Kính gửi: Các doanh nghiệp trên địa bàn tỉnh."},
		{110, 210, 14, 1, "Sở Công Thương đề nghị các đơn vị thực hiện tiết kiệm điện, được ngành điện hướng dẫn"},
		{85, 228, 14, 1, "trước ngày 30 tháng 3 năm 2010."},
		{85, 280, 12, 1, "Nơi nhận:"}, {85, 294, 11, 1, "- Như trên;"}, {85, 307, 11, 1, "- UBND tỉnh (để báo cáo);"}, {85, 320, 11, 1, "- Lưu: VT, QLĐN."},
		{360, 280, 14, 2, "GIÁM ĐỐC"}, {360, 380, 14, 1, "Đỗ Văn Ngọ"},
	})
	d, err := openReader(t).Read(t.Context(), "cũ.pdf", data)
	if err != nil {
		t.Fatal(err)
	}
	if d.Encoding != "TCVN3" || d.Scan {
		t.Errorf("encoding %q, scan %t", d.Encoding, d.Scan)
	}
	h := d.Heading
	if h.Issuer != "SỞ CÔNG THƯƠNG" || h.Superior != "UBND TỈNH KON TUM" || h.Date != "2010-03-12" || h.Reference != "318/SCT-QLĐN" ||
		h.Subject != "tiết kiệm điện mùa khô năm 2010" || d.Signer != "Đỗ Văn Ngọ" {
		t.Errorf("heading %#v, signer %q", h, d.Signer)
	}
	if diff := cmp.Diff([]string{"Các doanh nghiệp trên địa bàn tỉnh."}, d.KinhGui); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"- Như trên;", "- UBND tỉnh (để báo cáo);", "- Lưu: VT, QLĐN."}, d.NoiNhan); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(d.Body, "đề nghị các đơn vị thực hiện tiết kiệm điện, được ngành điện hướng dẫn") {
		t.Errorf("body %q", d.Body)
	}
}
