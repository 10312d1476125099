package intake

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// symbolTypes gives the type that the first group of a symbol stands for. Case and Đ count: CTr is not CT, HD is not HĐ
// (NĐ 30/2020, Phụ lục III mục I); the last rows are those of 2009, of văn bản quy phạm pháp luật and of the Party.
var symbolTypes = map[string]string{
	"NQ": "Nghị quyết", "QĐ": "Quyết định", "CT": "Chỉ thị", "QC": "Quy chế", "QyĐ": "Quy định", "TC": "Thông cáo", "TB": "Thông báo",
	"HD": "Hướng dẫn", "CTr": "Chương trình", "KH": "Kế hoạch", "PA": "Phương án", "ĐA": "Đề án", "DA": "Dự án", "BC": "Báo cáo",
	"BB": "Biên bản", "TTr": "Tờ trình", "HĐ": "Hợp đồng", "CĐ": "Công điện", "BGN": "Bản ghi nhớ", "BTT": "Bản thỏa thuận",
	"GUQ": "Giấy ủy quyền", "GM": "Giấy mời", "GGT": "Giấy giới thiệu", "GNP": "Giấy nghỉ phép", "PG": "Phiếu gửi", "PC": "Phiếu chuyển",
	"PB": "Phiếu báo", "SY": "Bản sao y", "TrS": "Bản trích sao", "SL": "Bản sao lục", "GT": "Giấy giới thiệu", "NP": "Giấy nghỉ phép",
	"TS": "Bản trích sao", "NĐ": "Nghị định", "TT": "Thông tư", "TTLT": "Thông tư liên tịch", "NQLT": "Nghị quyết liên tịch", "PL": "Pháp lệnh",
	"L": "Lệnh", "VBHN": "Văn bản hợp nhất", "LCT": "Lịch công tác", "KL": "Kết luận", "QĐi": "Quy định", "TTr.": "Tờ trình", "CV": "Công văn",
	"TM": "Thư mời", "GCN": "Giấy chứng nhận", "GP": "Giấy phép",
}

// typeNames are the types that stand as a title. A longer name comes before one that it begins with.
var typeNames = []string{
	"Nghị quyết liên tịch", "Nghị quyết", "Quyết định", "Chỉ thị", "Quy chế", "Quy định", "Thông cáo", "Thông báo", "Hướng dẫn",
	"Chương trình công tác", "Chương trình", "Kế hoạch", "Phương án", "Đề án", "Dự án", "Báo cáo", "Biên bản", "Tờ trình", "Hợp đồng", "Công điện",
	"Bản ghi nhớ", "Bản thỏa thuận", "Giấy ủy quyền", "Giấy mời", "Giấy giới thiệu", "Giấy nghỉ phép", "Phiếu gửi", "Phiếu chuyển", "Phiếu báo",
	"Thông tư liên tịch", "Thông tư liên bộ", "Thông tư", "Nghị định", "Bộ luật", "Luật", "Pháp lệnh", "Lệnh", "Sắc lệnh", "Hiến pháp",
	"Văn bản hợp nhất", "Lịch công tác", "Lịch làm việc", "Lịch tiếp công dân", "Giấy triệu tập", "Giấy chứng nhận", "Giấy xác nhận", "Giấy phép",
	"Giấy đi đường", "Thư mời", "Thư công", "Thông tri", "Kết luận", "Nội quy", "Điều lệ", "Danh sách", "Bản sao y", "Bản trích sao", "Bản sao lục", "Công văn",
}

var typeByKey = func() map[string]string {
	m := make(map[string]string)
	for _, n := range typeNames {
		m[foldASCII(n)] = n
	}
	return m
}()

// typeSounds has the names in the order of typeNames, folded and without spaces.
var typeSounds = func() []string {
	keys := make([]string, len(typeNames))
	for i, n := range typeNames {
		keys[i] = sound(n)
	}
	return keys
}()

// A titleAt says where the title stands and what follows it on its line.
type titleAt struct {
	at   int    // index of the line, -1 when there is none
	kind string // the type
	rest string // trích yếu or issuer on the same line
}

// findTitle looks for the line that is, or begins with, the name of a type in capitals.
func findTitle(lines []headLine) titleAt {
	for i, l := range lines {
		if l.blank || l.numbered {
			continue
		}
		if kind, rest := titleOf(l.text); kind != "" {
			return titleAt{i, kind, rest}
		}
	}
	return titleAt{at: -1}
}

// titleOf reads one line as a title. The name must be in capitals, or be the whole line.
func titleOf(text string) (kind, rest string) {
	rs := []rune(strings.TrimLeft(text, ` "“'([:.-`))
	squeezed, at := squeezeRunes(rs)
	for i, n := range typeNames {
		key := typeSounds[i]
		if !strings.HasPrefix(squeezed, key) {
			continue
		}
		end := at[len(key)-1] + 1
		shown, tail := string(rs[:end]), strings.TrimLeft(string(rs[end:]), " .:*'`-–")
		whole := !strings.ContainsFunc(tail, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
		if end < len(rs) && unicode.IsLetter(rs[end]) {
			continue
		}
		if whole && (shown == strings.ToUpper(shown) || unicode.IsUpper(rs[0])) {
			return n, ""
		}
		if shown == strings.ToUpper(shown) && len(shown) > 4 {
			return n, tail
		}
	}
	if kind := nearTitle(squeezed, text); kind != "" {
		return kind, ""
	}
	return "", ""
}

// squeezeRunes folds the letters of rs and says at which rune each stood.
func squeezeRunes(rs []rune) (string, []int) {
	var b strings.Builder
	var at []int
	for i, r := range rs {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteByte(foldRune(r))
			at = append(at, i)
		}
	}
	return b.String(), at
}

// nearTitle accepts a line in capitals that is one wrong letter away from the name of a type of six letters or more.
func nearTitle(squeezed, text string) string {
	if text != strings.ToUpper(text) || len(squeezed) < 6 {
		return ""
	}
	for i, n := range typeNames {
		if key := typeSounds[i]; len(key) >= 6 && withinOne(squeezed, key) {
			return n
		}
	}
	return ""
}

// withinOne reports whether a becomes b by at most one letter changed, put in or left out.
func withinOne(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i >= len(a) || a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}

// aboutMark finds "V/v" as typists and OCR write it.
var aboutMark = regexp.MustCompile(`(?:^|[\s"'(\x01\x1d.,-])(?:v ?[/i|\\] ?[vywn]|v/ ?v/?|[wv]/[vy]|v\.v|vv|vw)\b ?[:;.,]{0,2} *`)

// spoiltAbout finds what OCR makes of "V/v" beyond recognition, where only the place tells: first under the reference, and
// small letters go on.
var spoiltAbout = regexp.MustCompile(`^[^a-z0-9]{0,3}v[a-z/|\\]{1,2} `)

// findAbout gives the line with "V/v", -1 when there is none.
func findAbout(lines []headLine) int {
	at := slices.IndexFunc(lines, func(l headLine) bool {
		m := aboutMark.FindStringIndex(l.low)
		return m != nil && m[0] < 40
	})
	if at >= 0 {
		return at
	}
	below := slices.IndexFunc(lines, func(l headLine) bool { return l.numbered }) + 1
	if below == 0 || below >= len(lines) || aboutOf(lines[below]) == nil {
		return -1
	}
	return below
}

// aboutOf gives where the mark of a line with "V/v" begins and ends, nil when it has none.
func aboutOf(l headLine) []int {
	if m := aboutMark.FindStringIndex(l.low); m != nil {
		return m
	}
	m := spoiltAbout.FindStringIndex(l.low)
	if m == nil {
		return nil
	}
	rs := []rune(l.text)
	mark := strings.TrimLeft(string(rs[:m[1]]), "'\"‘’“”.,-_ ")
	if viettext.IsSyllable(strings.ToLower(strings.TrimSpace(mark))) && strings.TrimSpace(mark) != strings.ToUpper(strings.TrimSpace(mark)) || !unicode.IsLower(rs[m[1]]) {
		return nil // "Về", "Và": a word
	}
	return m
}

// aboutSubject joins the trích yếu that begins after "V/v".
func aboutSubject(lines []headLine, at int) string {
	l := lines[at]
	m := aboutOf(l)
	first := strings.TrimSpace(string([]rune(l.text)[m[1]:]))
	parts := []string{first}
	if !l.hard {
		parts = append(parts, following(lines, at+1, first, true)...)
	}
	return joinSubject(parts)
}

var aboutAfterIssuer = regexp.MustCompile(`\b(ve viec|v/v|ve |ban hanh)`)

// subjectAfter joins the trích yếu under or beside a title.
func subjectAfter(lines []headLine, title titleAt) string {
	rest := title.rest
	low := foldASCII(rest)
	if strings.HasPrefix(low, "cua ") { // QUYẾT ĐỊNH CỦA ỦY BAN NHÂN DÂN: the issuer, not the subject
		rest = ""
		if m := aboutAfterIssuer.FindStringIndex(low); m != nil {
			rest = strings.TrimSpace(string([]rune(title.rest)[m[0]:]))
		}
	}
	var parts []string
	if rest != "" {
		parts = append(parts, rest)
	}
	parts = append(parts, following(lines, title.at+1, rest, false)...)
	return joinSubject(parts)
}

// looseSubject finds a trích yếu where neither a title nor "V/v" is left: a line that begins with "Về việc".
func looseSubject(lines []headLine) string {
	for i, l := range lines {
		if strings.HasPrefix(l.low, "ve viec ") {
			return joinSubject(append([]string{l.text}, following(lines, i+1, l.text, false)...))
		}
	}
	return ""
}

// bodyStart finds the lines with which addressees, grounds, authority or articles begin: there the trích yếu is over.
var bodyStart = regexp.MustCompile(`^[^a-z0-9]{0,4}(kinh ?g[uo]i|can cu|xet |theo de nghi|thuc hien (nghi|quyet|chi|thong|cong|ke hoach|chuong trinh)[a-z ]* so|dieu \d|chuong [ivx]+\b|phan [ivx]+\b|muc \d|noi nhan|quyet (dinh|nghi)\W*$|` +
	`[(]?(ban hanh |kem theo)|(bo truong|chu tich|thu tuong|tong cuc truong|giam doc|hieu truong|chanh (an|thanh tra|van phong)|vien truong|thong doc|cuc truong|quoc hoi|chinh phu|uy ban nhan dan|uy ban thuong vu|hoi dong nhan dan|hoi dong tham phan|ban chap hanh|ban bi thu)\b[^.]{0,90}$|[ivx]{1,4}[.] |1[.] |so\s*:|ngay \d)`)

// sentenceStart finds how reports, plans and calendars begin their first sentence; it ends a trích yếu only where a line
// begins with a capital.
var sentenceStart = regexp.MustCompile(`^(thu (hai|ba|tu|nam|sau|bay)\b|chu nhat\b|de |nham |trong thoi gian|thoi gian qua|hien nay|sau khi|nam \d{4},|tren co so|theo (ke hoach|quyet dinh|nghi quyet|chi dao)|tiep theo|thuc hien )`)

// following collects the lines from i on that belong to the trích yếu. After a blank line it goes on only when the text
// plainly does: the part before has not ended and the new one begins small, or both are in capitals.
func following(lines []headLine, i int, before string, about bool) []string {
	var parts []string
	blank := false
	for ; i < len(lines) && len(parts) < 12; i++ {
		l := lines[i]
		switch {
		case l.blank:
			blank = true
			continue
		case l.numbered:
			continue
		case endsSubject(l, before):
			return parts
		case before != "" && (blank || about && lines[i-1].hard) && !goesOn(before, l.text):
			return parts
		}
		parts = append(parts, l.text)
		before, blank = l.text, false
		if l.hard && about {
			return parts
		}
	}
	return parts
}

// endsSubject reports whether a line opens the part after the trích yếu. Words of authority end it only in capitals or at
// the start of a sentence, since a trích yếu may go over a line with "Chủ tịch" in it.
func endsSubject(l headLine, before string) bool {
	m := bodyStart.FindStringSubmatchIndex(l.low)
	if m == nil {
		return before != "" && unicode.IsUpper([]rune(l.text)[0]) && l.text != strings.ToUpper(l.text) &&
			(sentenceStart.MatchString(l.low) || strings.HasSuffix(before, "."))
	}
	authority := m[10] >= 0
	if !authority {
		return before != "" || !strings.HasPrefix(l.low, "ban hanh ") || strings.HasPrefix(l.text, "(")
	}
	if l.text != strings.ToUpper(l.text) {
		return false
	}
	return before == "" || before != strings.ToUpper(before) || strings.HasSuffix(strings.TrimSpace(l.text), ",") || shortName(l.low)
}

// shortName reports whether a line in capitals is a title and nothing more, as authorities are ("BỘ TRƯỞNG BỘ TÀI CHÍNH").
func shortName(low string) bool {
	return len(strings.Fields(low)) <= 9 && !strings.Contains(low, " ve ")
}

func goesOn(before, text string) bool {
	if strings.HasSuffix(before, ".") || text == "" {
		return false
	}
	first := []rune(text)[0]
	capitals := before == strings.ToUpper(before) && text == strings.ToUpper(text)
	return unicode.IsLower(first) || unicode.IsDigit(first) || capitals
}

// joinSubject makes one line of the parts.
func joinSubject(parts []string) string {
	s := viettext.NFC(strings.Join(strings.Fields(strings.Join(parts, " ")), " "))
	s = strings.TrimSpace(strings.TrimLeft(strings.TrimRight(s, " -–_*"), " :-–_*"))
	if first, rest := utf8.DecodeRuneInString(s); strings.ContainsRune("'`‘’´", first) && !strings.ContainsAny(s[rest:], "'`‘’´") {
		s = s[rest:] // a speck that OCR read as half a pair of quotation marks
	}
	return s
}
