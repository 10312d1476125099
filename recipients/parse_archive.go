package recipients

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	copyCount   = regexp.MustCompile(`\(\s*(?:[^()]{0,30}?[, -])?(\d{1,4})\s*\.?\s*(?:[bB]|bản|ban|bộ|bo)?\.?\s*\)`)
	anyCount    = regexp.MustCompile(`(?i)\(\s*(?:\.*\s*b(?:ản|an)?|[\d][^() ]{0,2}|b|[SOlI]{1,2}b|\.{2,}\s*(?:b|bản)?)\s*\)`)
	dotCount    = regexp.MustCompile(`\(\s*[^()]{1,30}?\.(\d{1,4})\s*b\.?\s*\)`) // "(V.05b)"
	openCount   = regexp.MustCompile(`\s(\d{1,3})\s*b?\)`)
	bareCount   = regexp.MustCompile(`([\pL\s(,])(\d{1,4})\s*(?:b|bản)(?:\s+[\pL\pN]{1,2})?$`)
	drafterMark = regexp.MustCompile(`^\s*[,.;]?\s*\p{Lu}[\pL]*(?:[ .]\p{Lu}[\pL]*)*\s*\.?$`)
)

// readArchive reads the archive line: its text without junk after the copy count, the codes of who keeps a copy, and how
// many copies.
func readArchive(text string) (string, []string, *int) {
	text = archiveSpecks.ReplaceAllString(cutSignerName(archiveJunk.ReplaceAllString(text, "")), "")
	text, copies := cutCount(text)
	list := archiveLead.ReplaceAllString(text, "")
	if list == text {
		sh := newShadow(text)
		if m := misreadArchive.FindStringSubmatchIndex(sh.ascii); m != nil {
			list = sh.cut(m[3], len(sh.ascii))
			list = strings.TrimLeft(list, " :;.,")
		}
	}
	if copies != nil || anyCount.MatchString(list) {
		list = codesBefore(list)
	}
	units := []string{}
	for _, p := range strings.FieldsFunc(maskBrackets(list), func(r rune) bool { return r == ',' || r == ';' }) {
		p = strings.Trim(strings.NewReplacer("\x01", ",", "\x02", ";").Replace(p), " .:;-")
		if m := clerkFirst.FindString(p); m != "" {
			units, p = append(units, strings.Trim(m, " .")), strings.TrimSpace(p[len(m):])
		}
		if code := archiveCode(p); code != "" {
			units = append(units, code)
		}
	}
	return text, units, copies
}

// isArchive reports whether a text is the archive line, also where a scan left little of its first word: "ưu: VT", "Lam: VT",
// "kưu:VT". Codes of văn thư or văn phòng must follow such a word.
func isArchive(text string) bool {
	f := plainOf(firstBytes(text, 60))
	if archiveHead.MatchString(f) || isSpacedArchive(text) {
		return true
	}
	m := misreadArchive.FindStringSubmatch(f)
	return m != nil && (m[1][0] == 'l' && startsUpper(text) || nearly(m[1], "luu", 1) ||
		strings.HasPrefix(strings.TrimLeft(f[len(m[1]):], " :;.,"), "vt") && !bodyHead.MatchString(m[1]) && !titleHead.MatchString(m[1]) && !memberLead.MatchString(m[1]))
}

var (
	misreadArchive = regexp.MustCompile(`^([a-z]{2,4})(?: ?[:;.,] ?| )(?:vt|vp|wt|vi|v\.t|vtlt|van thu|van phong|hs|hc)\b(?:[ ,.;:(-]|$)`)
	// archiveJunk is what a scan makes of the signature behind the line.
	archiveJunk = regexp.MustCompile("[ .,;]+[\"“”`´ˆ^_|~«»].*$")
)

// nearly reports whether two short ASCII words differ by at most n letters.
func nearly(a, b string, n int) bool {
	if len(a) > len(b)+n || len(b) > len(a)+n || len(a) > 64 {
		return false
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner + count(a[i] != b[j])
			corner = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)] <= n
}

// cutSignerName takes a full name off the end of an archive line: the signer's, from the column beside. A drafter signs
// with one name.
func cutSignerName(text string) string {
	starts := wordStarts(plainOf(text))
	sh := newShadow(text)
	for n := 4; n >= 2; n-- {
		if len(starts) <= n {
			continue
		}
		i := starts[len(starts)-n]
		stopped := i > 1 && strings.ContainsAny(sh.ascii[i-2:i-1], ".;")
		if (n > 2 || stopped) && isPerson(sh.cut(i, len(sh.ascii))) {
			return strings.TrimRight(sh.cut(0, i), " .,;")
		}
	}
	return text
}

// archiveSpecks are lone letters behind the stop that ends the line.
var archiveSpecks = regexp.MustCompile(`\.(?:[^\pL\pN()]+\pL?)+$`)

var archiveLead = regexp.MustCompile(`^[Ll]\s?[ưuƯUữứùú]\s?[uưnUƯ]?\s?(?:trữ)?\s*[:;.,]?\s*`)

// clerkFirst is the văn thư before a stop that stands for a comma: "VT. QLBVR".
var clerkFirst = regexp.MustCompile(`^(?:VT|VP|HC|HCTH|HC-TH)\.\s*`)

// codesBefore cuts a list of codes at its copy count.
func codesBefore(list string) string {
	for _, re := range []*regexp.Regexp{copyCount, dotCount, anyCount, openCount} {
		if m := re.FindStringSubmatchIndex(list); m != nil {
			return list[:m[0]]
		}
	}
	if m := bareCount.FindStringSubmatchIndex(list); m != nil {
		return list[:m[3]]
	}
	return list
}

// cutCount finds the copy count of an archive line and cuts junk after it; a drafter's mark after it stays.
func cutCount(text string) (string, *int) {
	for _, re := range []*regexp.Regexp{copyCount, dotCount, anyCount, openCount} {
		m := re.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		if !isDrafter(text[m[1]:]) {
			text = text[:m[1]]
		}
		if len(m) > 3 && m[2] >= 0 {
			return text, numberOf(text[m[2]:m[3]])
		}
		return text, nil
	}
	if m := bareCount.FindStringSubmatchIndex(text); m != nil {
		end := m[5] + strings.Index(text[m[5]:], "b") + 1
		if strings.HasPrefix(text[end:], "ản") {
			end += len("ản")
		}
		return text[:end], numberOf(text[m[4]:m[5]])
	}
	return text, nil
}

// isDrafter reports whether what follows the copy count is the drafter's mark, not junk. Vietnamese has no f, j, w and z.
func isDrafter(s string) bool {
	return s != "" && len(s) <= 40 && strings.ContainsAny(s[:1], ",.; ") && drafterMark.MatchString(s) && !strings.ContainsAny(s, "fFjJwWzZ")
}

// copiesOf returns the copies printed for an entry that is not archive: "Sở Tài chính (02 bản)".
func copiesOf(text string) *int {
	if len(text) > maxEntry {
		return nil
	}
	if m := copyWords.FindStringSubmatch(text); m != nil {
		return numberOf(m[1])
	}
	return nil
}

var copyWords = regexp.MustCompile(`\(\s*(\d{1,4})\s*(?:b|bản|ban|bộ)\.?\s*\)`)

func numberOf(s string) *int {
	n, err := strconv.Atoi(s)
	if err != nil || n == 0 {
		return nil
	}
	return &n
}

// maskBrackets hides the separators inside brackets.
func maskBrackets(s string) string {
	b := []byte(s)
	depth := depths(s)
	for i, c := range b {
		if depth[i] > 0 && c == ',' {
			b[i] = 1
		} else if depth[i] > 0 && c == ';' {
			b[i] = 2
		}
	}
	return string(b)
}

// archiveCode drops the drafter's mark after a stop ("TTHC.PHD") and a bracket around the whole code.
func archiveCode(p string) string {
	if strings.HasPrefix(p, "(") && strings.HasSuffix(p, ")") && strings.Count(p, "(") == 1 {
		p = strings.Trim(p, "() ")
		return p
	}
	if i := strings.IndexByte(p, '.'); i > 1 && !strings.Contains(p[:i], "(") && p[i+1:] != "" && !strings.HasPrefix(p, "P.") {
		p = p[:i]
	}
	if i := strings.IndexByte(p, '{'); i > 0 {
		p = p[:i]
	}
	if m := trailingNumber.FindStringIndex(p); m != nil {
		p = p[:m[0]]
	}
	return strings.TrimSpace(p)
}

var trailingNumber = regexp.MustCompile(` \d{1,4}$`)
