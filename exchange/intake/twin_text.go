package intake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"congvan/mailcore/viettext"
)

// oneLine is a text in NFC with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(viettext.NFC(s)), " ") }

const endSigns = " .,;:\"'“”‘’«»()/\\*_"

// plainKey keeps what makes two texts the same even to a careful reader: letters with their marks, wherever the tone is set
// in its syllable. Case, spaces, kinds of dashes and signs at the ends are gone, i and y are still two letters.
func plainKey(s string) string {
	var b strings.Builder
	var tones []rune
	flush := func() { // the tones of a word go behind it
		slices.Sort(tones)
		b.WriteString(string(tones))
		tones = tones[:0]
	}
	for _, r := range norm.NFD.String(strings.ToLower(strings.Trim(s, endSigns))) {
		switch {
		case strings.ContainsRune("\u0300\u0301\u0303\u0309\u0323", r):
			tones = append(tones, r)
		case unicode.Is(unicode.Mn, r) || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			flush()
			switch {
			case unicode.Is(unicode.Pd, r) || r == '\u2212':
				b.WriteByte('-')
			case unicode.IsSpace(r):
				if n := b.Len(); n > 0 && b.String()[n-1] != ' ' {
					b.WriteByte(' ')
				}
			case unicode.IsPrint(r):
				b.WriteRune(r)
			}
		}
	}
	flush()
	return spaceless.ReplaceAllString(b.String(), "$1")
}

// spaceless are the signs around which people set spaces or not.
var spaceless = regexp.MustCompile(`\s*([-/,;:.()&"“”])\s*`)

// sameText says whether two texts differ in nothing that a reader sees as a difference.
func sameText(a, b string) bool { return a == b || plainKey(a) == plainKey(b) }

// spelledAlike says whether two texts are the same by viettext.Key.
func spelledAlike(a, b string) bool { return spellingKey(a) == spellingKey(b) }

func spellingKey(s string) string {
	return spaceless.ReplaceAllString(viettext.Key(strings.Trim(s, endSigns)), "$1")
}

// unmarked says whether a text was typed without any Vietnamese marks.
func unmarked(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsLetter(r) }) < 0
}

// shortForms are the names that offices write short or in full as they like, in the form of spellingKey; longer ones first.
var shortForms = func() *strings.Replacer {
	var pairs []string
	for _, p := range [][2]string{{"ủy ban mặt trận tổ quốc", "ubmttq"}, {"mặt trận tổ quốc", "mttq"}, {"ủy ban nhân dân", "ubnd"}, {"hội đồng nhân dân", "hđnd"},
		{"thông tin và truyền thông", "tttt"}, {"tt&tt", "tttt"}, {"kế hoạch và đầu tư", "khđt"}, {"kh&đt", "khđt"}, {"giáo dục và đào tạo", "gdđt"},
		{"gd&đt", "gdđt"}, {"khoa học và công nghệ", "khcn"}, {"kh&cn", "khcn"}, {"tài nguyên và môi trường", "tnmt"}, {"tn&mt", "tnmt"},
		{"nông nghiệp và phát triển nông thôn", "nnptnt"}, {"nn&ptnt", "nnptnt"}, {"lao động-thương binh và xã hội", "lđtbxh"},
		{"lao động,thương binh và xã hội", "lđtbxh"}, {"lđ-tb&xh", "lđtbxh"}, {"lđtb&xh", "lđtbxh"}, {"lđ-tbxh", "lđtbxh"},
		{"văn hóa,thể thao và du lịch", "vhttdl"}, {"vh,tt&dl", "vhttdl"}, {"vhtt&dl", "vhttdl"}, {"giao thông vận tải", "gtvt"},
		{"phát thanh-truyền hình", "ptth"}, {"phát thanh và truyền hình", "ptth"}, {"pt-th", "ptth"}, {"pt&th", "ptth"},
		{"báo cáo", "b/c"}, {"thực hiện", "t/h"}, {"phối hợp", "p/h"}, {"chủ tịch", "ct"}, {"văn phòng", "vp"}, {"thành phố", "tp"}, {"tp.", "tp "},
		{"đoàn đại biểu quốc hội", "đđbqh"}, {"đoàn đbqh", "đđbqh"}, {"thường trực", "tt"}, {"văn thư", "vt"}, {"việt nam", "vn"}, {"đăk", "đắk"}, {"&", " và "}} {
		pairs = append(pairs, spellingKey(p[0]), spellingKey(p[1]))
		if p[0] == "&" || p[0] == "tp." {
			pairs[len(pairs)-2], pairs[len(pairs)-1] = p[0], p[1]
		}
	}
	return strings.NewReplacer(pairs...)
}()

// writtenShort is a key in which names written short and in full are the same.
func writtenShort(s string) string {
	return strings.Join(strings.Fields(shortForms.Replace(spellingKey(s))), " ")
}

var aboutPrefix = regexp.MustCompile(`(?i)^\(?\s*(v\s*/\s*v|v\.v\.?|về\s+việc|về|vv)\s*[:.]?\s+`)

// stripAbout drops the words with which a trích yếu begins on some papers: "V/v", "Về việc".
func stripAbout(s string) string {
	if cut := aboutPrefix.ReplaceAllString(s, ""); cut != "" {
		return cut
	}
	return s
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// nearly says whether two texts may be one that OCR misread: the same figures, and three letters in a hundred otherwise at
// most.
func nearly(a, b string) bool {
	if digitsOf(a) != digitsOf(b) {
		return false
	}
	x, y := []rune(spellingKey(a)), []rune(spellingKey(b))
	limit := max(1, 3*max(len(x), len(y))/100)
	return distance(x, y, limit) <= limit
}

// distance is the number of letters to change, add or drop between a and b, or more than limit. Only the band around the
// diagonal is computed, so long texts cost little.
func distance(a, b []rune, limit int) int {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > limit {
		return limit + 1
	}
	const far = 1 << 30
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
		if j > limit {
			row[j] = far
		}
	}
	for i := 1; i <= len(a); i++ {
		from, to := max(1, i-limit), min(len(b), i+limit)
		diagonal := row[from-1]
		if row[from-1] = far; from == 1 {
			row[0] = i
		}
		best := far
		for j := from; j <= to; j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			above := far
			if j < i+limit {
				above = row[j]
			}
			diagonal = row[j]
			row[j] = min(cost, above+1, row[j-1]+1)
			best = min(best, row[j])
		}
		if best > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}

var (
	writtenDate = regexp.MustCompile(`(?i)(\d{1,2})\s*tháng\s*(\d{1,2})\s*năm\s*(\d{4})`)
	dateFigures = regexp.MustCompile(`^(?:ngày\s+)?(\d{1,2})\s*[/.\-]\s*(\d{1,2})\s*[/.\-]\s*(\d{4})$`)
)

// civilDate reads a date as people type it; "" when it is none.
func civilDate(s string) string {
	if d, err := time.Parse(time.DateOnly, s); err == nil {
		return d.Format(time.DateOnly)
	}
	m := dateFigures.FindStringSubmatch(s)
	if m == nil {
		if m = writtenDate.FindStringSubmatch(s); m == nil {
			return ""
		}
	}
	d, err := time.Parse("2-1-2006", fmt.Sprintf("%s-%s-%s", m[1], m[2], m[3]))
	if err != nil {
		return ""
	}
	return d.Format(time.DateOnly)
}

// shownDate writes an ISO date, which may lack day or month, as people read it.
func shownDate(iso string) string {
	parts := strings.Split(iso, "-")
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}
