package viettext

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// An Encoding is one of the ways in which Vietnamese text was stored before Unicode (bảng mã), by its usual name.
type Encoding string

// The encodings that Recode tells apart. Unicode stands for text that was Unicode already.
const (
	Unicode     Encoding = "Unicode"
	TCVN3       Encoding = "TCVN3"        // ABC; fonts .VnTime, .VnArial …; one byte a letter
	VNI         Encoding = "VNI"          // VNI-Windows; fonts VNI-Times …; letter and mark
	VISCII      Encoding = "VISCII"       // RFC 1456; one byte a letter
	VPS         Encoding = "VPS"          // overseas software; one byte a letter
	Windows1258 Encoding = "windows-1258" // one byte a letter, tone marks apart
	UTF8        Encoding = "UTF-8"        // UTF-8 that was read as windows-1252
)

// letters are the 67 small Vietnamese letters above ASCII, in the order of the byte tables below.
const letters = "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ"

// Byte tables: the small letters, then the capitals, as hex bytes in the order of letters; 00 where there is none. The
// capitals of TCVN3 with a tone come from TCVN 5712:1993 VN1; most ABC text has none and takes them from other fonts.
var byteTables = map[Encoding][2]string{
	TCVN3: {
		"B5B6B7B8B9 A8BBBCBDBEC6 A9C7C8C9CACB AE CCCECFD0D1 AAD2D3D4D5D6 D7D8DCDDDE" +
			"DFE1E2E3E4 ABE5E6E7E8E9 ACEAEBECEDEE EFF1F2F3F4 ADF5F6F7F8F9 FAFBFCFDFE",
		"8081828384 A1AFBABFC085 A2C1C2C3C486 A7 8788898A8B A3C5CDD9DA8C 8D8E8F9091" +
			"9293949596 A4DBE0F0FF97 A598999A9B9C 9D9E9F0102 A60405061112 1314151617",
	},
	VISCII: {
		"E0E4E3E1D5 E5A2C6C7A1A3 E2A5A6E7A4A7 F0 E8EBA8E9A9 EAABACADAAAE ECEFEEEDB8" +
			"F2F6F5F3F7 F4B0B1B2AFB5 BDB6B7DEBEFE F9FCFBFAF8 DFD7D8E6D1F1 CFD6DBFDDC",
		"C0C4C3C180 C58202058183 C285 86068487 D0 C8CB88C989 CA8B8C8D8A8E CC9BCECD98" +
			"D299A0D39A D49091928F93 B49697B39594 D99C9DDA9E BFBBBCFFBAB9 9F1419DD1E",
	},
	VPS: {
		"E0E4E3E1E5 E6A2A3A4A1A5 E2C0C4C5C3C6 C7 E8C8EBE9CB EA8A8BCD898C ECCCEFEDCE" +
			"F2D5F5F386 F4D2B087D3B6 D6A9AAABA7AE F9FBDBFAF8 DCD8BABBD9BF FF9BCF9A9C",
		"80818200 02 888E8FF08D04 C284851C8303 F1 D7DEFEC905 CA93949590 06 B5B7B8B410" +
			"BCBDBEB911 D49798999612 F79E9FA69D13 A8D1ACDA14 D0AFB11DAD15 B2FDB3DD19",
	},
}

// singleByte has the decoded table of each encoding in byteTables.
var singleByte = func() map[Encoding]*[256]rune {
	tables := make(map[Encoding]*[256]rune)
	for enc, rows := range byteTables {
		table := new([256]rune)
		for capital, row := range rows {
			bytes, err := hex.DecodeString(strings.ReplaceAll(row, " ", ""))
			if err != nil || len(bytes) != len([]rune(letters)) {
				panic(fmt.Sprintf("viettext: table of %s, row %d: %d bytes, %v", enc, capital, len(bytes), err))
			}
			i := 0
			for _, r := range letters {
				if b := bytes[i]; b != 0 && table[b] == 0 {
					if capital == 1 {
						r = unicode.ToUpper(r)
					}
					table[b] = r
				}
				i++
			}
		}
		tables[enc] = table
	}
	tables[VISCII][0xF5], tables[VISCII][0xA0] = 'õ', 'Õ'
	return tables
}()

// The codes of VNI: letters that stand alone, and marks that follow their letter. Capitals lie 20 hex lower.
var (
	vniAlone = map[byte]rune{
		0xED: 'í', 0xEC: 'ì', 0xE6: 'ỉ', 0xF3: 'ĩ', 0xF2: 'ị', 0xEE: 'ỵ', 0xF1: 'đ', 0xF4: 'ơ', 0xF6: 'ư',
	}
	vniTone       = map[byte]toneMark{0xF9: acute, 0xF8: grave, 0xFB: hook, 0xF5: tilde, 0xEF: dot}
	vniCircumflex = map[byte]toneMark{0xE2: 0, 0xE1: acute, 0xE0: grave, 0xE5: hook, 0xE3: tilde, 0xE4: dot}
	vniBreve      = map[byte]toneMark{0xEA: 0, 0xE9: acute, 0xE8: grave, 0xFA: hook, 0xFC: tilde, 0xEB: dot}
)

// Decode returns s, which holds one code point for each byte of enc as Latin-1 or windows-1252 gives it, in Unicode NFC.
// What enc does not know stays. Capitals of TCVN3 that come from an H font (FontEncoding) are for the caller to make.
func Decode(enc Encoding, s string) string {
	if isASCII(s) && !hasControls(s) {
		return s
	}
	out, _ := decodeRunes(enc, []rune(s), carrier1252)
	return NFC(string(out))
}

// A carrier is the code page through which bytes became code points.
type carrier func(r rune) (b byte, ok bool)

// carrier1252 turns a code point back into its byte: Latin-1 as it is, else windows-1252, else the six letters in which
// windows-1254 differs.
func carrier1252(r rune) (byte, bool) {
	switch {
	case r < 0x100:
		return byte(r), true
	case r == 'μ': // Greek mu for the micro sign
		return 0xB5, true
	}
	if b, ok := charmap.Windows1252.EncodeRune(r); ok {
		return b, true
	}
	return charmap.Windows1254.EncodeRune(r)
}

// carrier1258 is the code page that Vietnamese Windows took for "ANSI".
func carrier1258(r rune) (byte, bool) {
	if b, ok := charmap.Windows1258.EncodeRune(r); ok {
		return b, true
	}
	return byte(r), r < 0x100
}

// undo1258 takes apart the letters that windows-1258 has as letter and mark, so that each code point is one byte again.
func undo1258(rs []rune) []rune {
	out := make([]rune, 0, len(rs)+4)
	for _, r := range rs {
		if _, ok := carrier1258(r); ok {
			out = append(out, r)
			continue
		}
		if base, tone := splitTone(unicode.ToLower(r)); tone != 0 {
			if unicode.IsUpper(r) {
				base = unicode.ToUpper(base)
			}
			out = append(out, base, rune(tone))
			continue
		}
		out = append(out, []rune(norm.NFD.String(string(r)))...)
	}
	return out
}

// decodeRunes decodes one text. It reports false when a code point above ASCII has no meaning in enc.
func decodeRunes(enc Encoding, rs []rune, from carrier) ([]rune, bool) {
	switch enc {
	case VNI:
		return decodeVNI(rs, from)
	case Windows1258:
		return decode1258(rs, from)
	}
	table, known := singleByte[enc]
	if !known {
		return rs, true
	}
	out, ok := make([]rune, len(rs)), true
	for i, r := range rs {
		out[i] = r
		b, fits := from(r)
		switch {
		case fits && table[b] != 0 && !typographic(enc, r):
			out[i] = table[b]
		case r >= 0x80 && !typographic(enc, r):
			ok = false
		}
	}
	return out, ok
}

// typographic reports whether r is a quotation mark, dash or dots of windows-1252 that people put into TCVN3 text; as a
// byte it would be one of the rare capitals of VN1.
func typographic(enc Encoding, r rune) bool {
	return enc == TCVN3 && r >= 0x2010 && r <= 0x203A
}

// decode1258 decodes windows-1258: the letters have their shape, tone marks follow.
func decode1258(rs []rune, from carrier) ([]rune, bool) {
	var out []rune
	ok := true
	for _, r := range rs {
		b, fits := from(r)
		if r < 0x80 || !fits {
			out = append(out, r)
			ok = ok && r < 0x80
			continue
		}
		d := charmap.Windows1258.DecodeByte(b)
		if unicode.Is(unicode.Mn, d) {
			if len(out) == 0 || !isVowel(unicode.ToLower(out[len(out)-1])) {
				ok = false
				out = append(out, r)
				continue
			}
			out[len(out)-1] = withTone(out[len(out)-1], toneMark(d))
			continue
		}
		ok = ok && unicode.IsLetter(d)
		out = append(out, d)
	}
	return out, ok
}

// decodeVNI decodes VNI-Windows: a letter, then perhaps its mark; the mark's case follows the letter's.
func decodeVNI(rs []rune, from carrier) ([]rune, bool) {
	var out []rune
	ok := true
	for _, r := range rs {
		b, fits := from(r)
		if r < 0x80 || !fits {
			out = append(out, r)
			ok = ok && r < 0x80
			continue
		}
		small := b
		if b >= 0xC0 && b < 0xE0 {
			small = b + 0x20
		}
		if len(out) > 0 {
			if d, hit := vniMark(out[len(out)-1], small); hit {
				out[len(out)-1] = d
				continue
			}
		}
		d, hit := vniAlone[small]
		if !hit {
			ok = false
			d = r
		} else if small != b {
			d = unicode.ToUpper(d)
		}
		out = append(out, d)
	}
	return out, ok
}

// vniMark puts the VNI mark on base.
func vniMark(base rune, mark byte) (rune, bool) {
	low := unicode.ToLower(base)
	shaped := rune(0)
	tone, ok := vniTone[mark]
	switch {
	case ok && strings.ContainsRune("aeouyơư", low):
		shaped = low
	case strings.ContainsRune("aeo", low):
		if tone, ok = vniCircumflex[mark]; ok {
			shaped = []rune("âêô")[strings.IndexRune("aeo", low)]
		} else if tone, ok = vniBreve[mark]; ok && low == 'a' {
			shaped = 'ă'
		}
	}
	if shaped == 0 {
		return 0, false
	}
	shaped = joinTone(shaped, tone)
	if unicode.IsUpper(base) {
		shaped = unicode.ToUpper(shaped)
	}
	return shaped, true
}

// withTone puts tone on a vowel of either case.
func withTone(r rune, tone toneMark) rune {
	base, old := splitTone(unicode.ToLower(r))
	if old != 0 {
		return r
	}
	d := joinTone(base, tone)
	if unicode.IsUpper(r) {
		d = unicode.ToUpper(d)
	}
	return d
}

// FontEncoding returns the encoding in which text set in a font is stored, by the font's name as a PDF or Word file has
// it, with or without a subset prefix ("AAAAAA+.VnTimeH"). capitals tells that the font shows small letters as capitals,
// so that decoded text must be raised. It returns Unicode for fonts of no old family.
func FontEncoding(fontName string) (enc Encoding, capitals bool) {
	name := strings.TrimPrefix(fontName, "/")
	if prefix, rest, ok := strings.Cut(name, "+"); ok && len(prefix) == 6 && prefix == strings.ToUpper(prefix) {
		name = rest
	}
	family, _, _ := strings.Cut(strings.Replace(name, "#2E", ".", 1), ",")
	low := strings.ToLower(strings.NewReplacer("-", "", " ", "", "_", "").Replace(family))
	switch {
	case strings.HasPrefix(low, ".vn"), strings.HasPrefix(low, "vntime"), strings.HasPrefix(low, "vnarial"):
		for _, style := range []string{"bolditalic", "boldoblique", "bold", "italic", "regular", "normal", "roman", "mt"} {
			family = cutSuffixFold(strings.TrimRight(family, "- "), style)
		}
		return TCVN3, strings.HasSuffix(strings.TrimRight(family, "- "), "H")
	case strings.HasPrefix(low, "vni"):
		return VNI, false
	case strings.HasPrefix(low, "vps"):
		return VPS, false
	case strings.HasPrefix(low, "viscii"), strings.HasSuffix(low, "viscii"):
		return VISCII, false
	}
	return Unicode, false
}

func cutSuffixFold(s, suffix string) string {
	if n := len(s) - len(suffix); n >= 0 && strings.EqualFold(s[n:], suffix) {
		return s[:n]
	}
	return s
}
