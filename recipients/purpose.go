package recipients

import (
	"regexp"
	"strings"
)

// purposeWords lists how clerks write the purposes that have a normal form, as patterns over the ASCII shadow. The order
// is the order of trial: longer phrases before those that begin like them.
var purposeWords = []struct {
	pattern *regexp.Regexp
	purpose string
}{
	{regexp.MustCompile(`^(?:bao ?cao|b ?[/.] ?c(?:ao)?|bc|b/c[ao]o|b/cc?|b/[?0e]|bi ?c|blc|b1c|bjc)(?:\b|$)`), "báo cáo"},
	{regexp.MustCompile(`^(?:thuc ?hien|th?[/.] ?h(?:ien)?|th ?/ ?hien|thien|thh|th?[il1j]h|th)\b`), "thực hiện"},
	{regexp.MustCompile(`^(?:phoi ?hop|ph?[/.] ?h(?:op)?|ph ?/ ?hop|phop|phh|ph?[il1j]h|ph)\b`), "phối hợp"},
	{regexp.MustCompile(`^(?:dang cong bao|dang cb)\b`), "đăng công báo"},
	{regexp.MustCompile(`^(?:dang tai|dang (?:tin|web|website|cong|trang|bao|len)\b.*)\b`), "đăng tải"},
	{regexp.MustCompile(`^(?:chi ?dao|c/d(?:ao)?|cd)\b`), "chỉ đạo"},
	{regexp.MustCompile(`^(?:kiem ?tra|k/t(?:ra)?|kt)\b`), "kiểm tra"},
	{regexp.MustCompile(`^(?:theo ?doi|th?/d(?:oi)?|tdoi|td)\b`), "theo dõi"},
	{regexp.MustCompile(`^(?:dua ?tin|d/t(?:in)?)\b`), "đưa tin"},
	{regexp.MustCompile(`^(?:tuyen ?truyen|t/t(?:ruyen)?)\b`), "tuyên truyền"},
	{regexp.MustCompile(`^(?:biet|d/b(?:iet)?|db|b/t)\b`), "biết"},
}

var (
	// purposeLead is the "để" before a purpose, also as OCR reads it, with "kính" and the like.
	purposeLead = regexp.MustCompile(`^(?:kinh |gui |de |dc )*de ?[:.]? +|^(?:xin )?kinh +|^thay +`)
	purposeGlue = regexp.MustCompile(`^(?:[\s,;/&+.-]+|va\b|de\b|cung\b)+`)
	// purposeVerbs begin a purpose that has no normal form and keeps its own words.
	purposeVerbs = regexp.MustCompile(`^(?:cap nhat|chuan bi|tong hop|tham dinh|tham tra|phuc vu|don doc|dang|giam sat|nghien cuu|tham muu|` +
		`trien khai|xu ly|giai quyet|xin y kien|phe duyet|quyet dinh|thong bao|niem yet|huong dan|cho y kien|gop y|du hop|tham du|` +
		`moi du|chi tra|thanh toan|quan ly|thuc thi|thi hanh|theo|lam can cu|pho bien|quan triet|cong khai|cong bo|luu|p/v|t/m|` +
		`tham gia|dong goi|ho tro|lien he|lap|ra soat|xem xet|dong chu tri|chu tri|cong tac|thuc|bao|dien|y/k|dua)\b`)
	// bareTail is a purpose that stands after the name without brackets.
	bareTail = regexp.MustCompile(`[\s,:-]+(?:(?:de|đe) (?:(?:b/c|bao cao|t/h|th/h|thuc hien|p/h|ph/h|phoi hop|biet|chi dao|theo doi|kiem tra|dang tai|dua tin|va)[\s,;]*)+|b/c|t/h|p/h)$`)
	// manner is a bracket that says how or by whose hand a copy goes: no purpose, and no part of the name.
	manner = regexp.MustCompile(`^(?:qua |gui qua|bang |ban (?:dien tu|giay|mem|chinh|pho to|photo|sao)|vbdt|file|ban dt|email|e-mail|` +
		`truc lien thong|ioffice|(?:gui )?kem|de nghi|d/c |dong chi |ong |ba |\d{1,4} ?b(?:an|o)?$|\d{1,4}$)`)
)

// stripPurpose takes the purpose of sending out of the text of an entry: "Sở Tài chính (để b/c)" is "Sở Tài chính" for
// "báo cáo". Sub-units in the same brackets stay with the name: "Bộ Công an (Cục A03 - để b/c)" is "Bộ Công an (Cục A03)".
// Brackets that are no purpose stay in the name; purpose is "" when none is written.
func stripPurpose(text string) (name, purpose string) {
	if len(text) > maxEntry {
		return strings.Trim(text, " ;,:-"), ""
	}
	var found []string
	var out strings.Builder
	rest := text
	for {
		open := strings.IndexByte(rest, '(')
		if open < 0 {
			break
		}
		inside, after := cutBracket(rest[open:])
		kept, p, ok := readBracket(inside)
		out.WriteString(strings.TrimRight(rest[:open], " "))
		if !ok {
			out.WriteString(rest[len(strings.TrimRight(rest[:open], " ")) : len(rest)-len(after)])
		} else {
			found = append(found, p)
			if kept != "" {
				out.WriteString(" (" + kept + ")")
			}
		}
		rest = after
	}
	out.WriteString(rest)
	name = out.String()
	if sh := newShadow(name); len(found) == 0 {
		if m := bareTail.FindStringIndex(sh.ascii); m != nil && m[0] > 0 {
			if p, ok := readPurpose(strings.Trim(sh.cut(m[0], len(sh.ascii)), " ,:-")); ok {
				found, name = append(found, p), sh.cut(0, m[0])
			}
		}
	}
	return strings.Trim(collapse(name), " ;,:-"), strings.Join(found, ", ")
}

// stripAnnotation takes everything out of the text of an entry that is no part of a name: the purpose, and brackets that
// say how a copy goes, how many, or by whose hand ("qua mạng", "02 bản", "đ/c Hải"). Sub-units and exceptions ("trừ …")
// stay. It returns the notes taken out, the purpose first.
func stripAnnotation(text string) (name string, notes []string) {
	name, purpose := stripPurpose(text)
	if purpose != "" {
		notes = append(notes, purpose)
	}
	var out strings.Builder
	rest := name
	for {
		open := strings.IndexByte(rest, '(')
		if open < 0 {
			break
		}
		inside, after := cutBracket(rest[open:])
		if manner.MatchString(plainOf(inside)) {
			notes = append(notes, inside)
			out.WriteString(strings.TrimRight(rest[:open], " "))
		} else {
			out.WriteString(rest[:len(rest)-len(after)])
		}
		rest = after
	}
	out.WriteString(rest)
	return strings.Trim(collapse(out.String()), " ;,:-"), notes
}

// cutBracket returns what stands inside the bracket that s begins with, and what follows it. A bracket that is never closed
// runs to the end.
func cutBracket(s string) (inside, after string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return strings.TrimSpace(s[1:i]), s[i+1:]
			}
		}
	}
	return strings.TrimSpace(s[1:]), ""
}

// readBracket says whether the inside of a bracket holds a purpose, which one, and what else it holds.
func readBracket(inside string) (kept, purpose string, ok bool) {
	if len(inside) == 0 || len(inside) > 200 {
		return "", "", false
	}
	if isAbbreviation(inside) && !strings.Contains(inside, "/") && startsUpper(inside) { // a code: (KTN), (TH)
		return "", "", false
	}
	if p, ok := readPurpose(inside); ok {
		return "", p, true
	}
	sh := newShadow(inside)
	if manner.MatchString(sh.ascii) {
		return "", "", false
	}
	for _, i := range wordStarts(sh.ascii) {
		if i == 0 || !isName(sh.cut(0, i)) {
			continue
		}
		if p, ok := normalPurpose(sh.ascii[i:]); ok && !strings.HasPrefix(sh.ascii[i:], "th ") {
			return strings.Trim(sh.cut(0, i), " -,;:"), p, true
		}
	}
	return "", "", false
}

// isName reports whether s, the beginning of a bracket, is the name of a sub-unit or a person.
func isName(s string) bool { return startsUpper(s) || personalLead.MatchString(plainOf(s)) }

var personalLead = regexp.MustCompile(`^(?:d/c|dong chi|ong|ba|phong|ban|cuc|vu|vp)\b`)

// wordStarts returns where the words of an ASCII shadow begin.
func wordStarts(s string) []int {
	var at []int
	for i := range s {
		if s[i] != ' ' && (i == 0 || s[i-1] == ' ') {
			at = append(at, i)
		}
	}
	return at
}

// readPurpose normalises words that are a purpose as a whole; ok is false when they are something else.
func readPurpose(words string) (purpose string, ok bool) {
	sh := newShadow(words)
	if p, ok := normalPurpose(sh.ascii); ok {
		return p, true
	}
	lead := purposeLead.FindString(sh.ascii)
	rest := sh.ascii[len(lead):]
	if rest == "" {
		return "", false
	}
	if p := misreadPurpose(rest); p != "" {
		return p, true
	}
	if strings.HasPrefix(lead, "de") || purposeVerbs.MatchString(rest) && !startsUpper(words) || halfPurpose(rest) && !startsUpper(words) {
		return strings.Trim(sh.cut(len(lead), len(sh.ascii)), " .,;:"), true
	}
	return "", false
}

// misreadPurpose returns the purpose that words are but for a letter that a scan got wrong: "báo sáo".
func misreadPurpose(ascii string) string {
	ascii = strings.Trim(ascii, " .,;:-")
	for _, w := range [][2]string{{"bao cao", "báo cáo"}, {"thuc hien", "thực hiện"}, {"phoi hop", "phối hợp"}, {"chi dao", "chỉ đạo"},
		{"kiem tra", "kiểm tra"}, {"theo doi", "theo dõi"}, {"dua tin", "đưa tin"}, {"tuyen truyen", "tuyên truyền"}, {"dang tai", "đăng tải"}} {
		if nearly(ascii, w[0], 1) {
			return w[1]
		}
	}
	return ""
}

// halfPurpose reports whether ascii begins with an abbreviated purpose that further words complete: "p/h thẩm định".
func halfPurpose(ascii string) bool {
	for _, w := range purposeWords {
		if m := w.pattern.FindString(ascii); len(m) > 2 {
			return true
		}
	}
	return false
}

// normalPurpose reads ascii as one or more purposes that all have a normal form.
func normalPurpose(ascii string) (string, bool) {
	var found []string
	rest := strings.Trim(ascii, " .,;:-")
	rest = rest[len(purposeLead.FindString(rest)):]
next:
	for rest != "" {
		for _, w := range purposeWords {
			if m := w.pattern.FindString(rest); m != "" {
				found = append(found, w.purpose)
				rest = rest[len(m):]
				rest = rest[len(purposeGlue.FindString(rest)):]
				continue next
			}
		}
		return "", false
	}
	return strings.Join(found, ", "), len(found) > 0
}
