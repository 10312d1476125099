package intake

import (
	"regexp"
	"strings"
	"unicode"
)

// A reference is số, ký hiệu taken apart (NĐ 30/2020, Phụ lục I, phần I, mục II.3).
type reference struct {
	number, year, symbol string
	kind                 string // the type that the label names: "Luật số", "Nghị quyết số"
	party                bool   // hyphen first, slash second: 212-KL/TU
}

// String writes the reference as it is printed; "" when there is no symbol.
func (r reference) String() string {
	switch {
	case r.symbol == "" && r.year == "":
		return ""
	case r.party:
		return r.number + "-" + r.symbol
	case r.year == "":
		return r.number + "/" + r.symbol
	case r.symbol == "":
		return r.number + "/" + r.year
	}
	return r.number + "/" + r.year + "/" + r.symbol
}

var (
	// numberLabel finds "Số" as OCR spells it, at the start of a line or cell or after a word for the type.
	numberLabel = regexp.MustCompile(`(?:^|[\n\x1d\x01]|  )[^a-z0-9\n\x1d]{0,4}((?:bo luat|luat|phap lenh|nghi quyet|lenh|quyet dinh|nghi dinh|thong tu|chi thi) *)?[s5][o06edu]\b? ?([:;.,]{0,2}) *`)
	// inLabel finds it inside a line, where only the colon makes it sure.
	inLabel  = regexp.MustCompile(`\bs[o06] ?: *`)
	yearPart = regexp.MustCompile(`^ *((?:19|20) ?\d ?\d) *[/|-] *`)
)

// cutReference takes số, ký hiệu out and leaves a mark in its place.
func (t *headText) cutReference() reference {
	for _, m := range numberLabel.FindAllStringSubmatchIndex(t.low, 40) {
		kind := ""
		if m[2] >= 0 {
			kind = typeByKey[strings.TrimSpace(t.low[m[2]:m[3]])]
		}
		if ref, end := t.readReference(m[1]); end > 0 && (m[5] > m[4] || ref.symbol != "") {
			ref.kind = kind
			from := m[0]
			for from < m[1] && strings.IndexByte("\n\x1d\x01 ", t.low[from]) >= 0 {
				from++
			}
			t.take(from, end)
			t.raw[from] = refMark
			return ref
		}
	}
	for _, m := range inLabel.FindAllStringIndex(t.low, 40) {
		if ref, end := t.readReference(m[1]); end > 0 {
			t.take(m[0], end)
			t.raw[m[0]] = refMark
			return ref
		}
	}
	return reference{}
}

// readReference reads what follows the label at i, up to the end of the line. It returns 0 when that is no reference.
func (t *headText) readReference(i int) (reference, int) {
	end := i
	for end < len(t.low) && t.low[end] != '\n' && t.low[end] != hardBreak && t.low[end] != cut {
		end++
	}
	line := t.low[i:end]
	slash := strings.IndexByte(line, '/')
	about := aboutMark.FindStringIndex(line)
	if about != nil && (slash < 0 || slash >= about[0]) {
		slash = -1
		line = line[:about[0]]
	}
	if slash < 0 || slash > 24 {
		return t.slashless(i, line)
	}
	left := string(t.raw[i : i+slash])
	if ref, ok := partyNumber(left); ok {
		symbol, n := symbolAt(t.raw[i+slash+1 : end])
		if symbol == "" {
			return reference{}, 0
		}
		ref.symbol += "/" + symbol
		return ref, i + slash + 1 + n
	}
	ref := reference{number: cleanNumber(left)}
	at := i + slash + 1
	if m := yearPart.FindStringSubmatch(t.low[at:end]); m != nil {
		ref.year = strings.ReplaceAll(m[1], " ", "")
		at += len(m[0])
	}
	symbol, n := symbolAt(t.raw[at:end])
	ref.symbol = symbol
	if symbol == "" {
		return reference{}, 0
	}
	return ref, at + n
}

var lostSlash = regexp.MustCompile(`^[^a-zđ]{0,3}(\S{0,12}?) ?([Il|1!\]\\])(\p{Lu}{2,8}(?:-[\p{L}&.\d]+)+)`)

// noSlash finds a number and a type with nothing left between them ("2NQ-HĐND"). The number's last digit may have been the
// slash, or have been lost with it, so the number is not known.
var noSlash = regexp.MustCompile(`^ *\d{1,5} ?(\p{Lu}\p{L}{1,3})((?:-[\p{L}&\d]+)+)`)

// slashless reads a reference whose slash OCR took for a letter ("4489ITCT-TTKT"), and one that is only a number.
func (t *headText) slashless(i int, line string) (reference, int) {
	text := string(t.raw[i : i+len(line)])
	if m := noSlash.FindStringSubmatch(text); m != nil && symbolTypes[m[1]] != "" {
		return reference{symbol: cleanSymbol(m[1] + m[2])}, i + len([]rune(m[0]))
	}
	if m := lostSlash.FindStringSubmatch(strings.TrimRight(text, " ")); m != nil {
		left, symbol := m[1], m[3]
		for k, r := range symbol { // the last I that leaves a symbol is the slash
			if head, _, _ := strings.Cut(symbol, "-"); r == 'I' && k > 0 && len([]rune(head[k:])) > 2 {
				left, symbol = left+m[2]+symbol[:k], symbol[k+1:]
				break
			}
		}
		return reference{number: cleanNumber(left), symbol: cleanSymbol(symbol)}, i + len([]rune(m[0]))
	}
	fields := strings.Fields(text)
	if len(fields) > 0 {
		if ref, ok := partyNumber(fields[0]); ok {
			return ref, i + strings.Index(line, foldASCII(fields[0])) + len([]rune(fields[0]))
		}
	}
	if n := cleanNumber(strings.TrimSpace(text)); n != "" && len(fields) == 1 {
		return reference{number: n}, i + len(line)
	}
	return reference{}, 0
}

var partyForm = regexp.MustCompile(`^\W*(\d[\d ]{0,5}|[.…_ ]{0,8}) *[-–—] *(\p{Lu}\p{L}{1,6}(?:LT)?)\W*$`)

// partyNumber reads the number and type of a Party document, "212-KL", in front of its slash.
func partyNumber(left string) (reference, bool) {
	m := partyForm.FindStringSubmatch(left)
	if m == nil {
		return reference{}, false
	}
	return reference{number: cleanNumber(m[1]), symbol: cleanSymbol(m[2]), party: true}, true
}

// cleanNumber reads the digits of a number; look-alikes of digits count when there is a real one beside them. A number in
// which anything else stands is illegible and gives "". A small letter behind it stays (12a).
func cleanNumber(s string) string {
	s = strings.Trim(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '.' || r == cut }), ""), "…_-:;,'\"“”‘’()[]")
	var b strings.Builder
	real := 0
	rs := []rune(s)
	for i, r := range rs {
		switch {
		case r >= '0' && r <= '9':
			real++
			b.WriteRune(r)
		case i > 0 && i == len(rs)-1 && real > 0 && strings.ContainsRune("abcdđ", r):
			b.WriteRune(r)
		case strings.ContainsRune("Oo", r):
			b.WriteByte('0')
		case strings.ContainsRune("lI", r):
			b.WriteByte('1')
		default:
			return ""
		}
	}
	if real == 0 || 2*real < len(rs) || len(rs) > 7 {
		return ""
	}
	return b.String()
}

// symbolAt reads the symbol at the front of rs and how many runes it took: groups of letters, digits, "&" and "." joined by
// hyphens, spaces allowed around the hyphens and between letters that OCR set apart.
func symbolAt(rs []rune) (string, int) {
	var b strings.Builder
	i, end := 0, 0
	group := func() int {
		n := 0
		for i < len(rs) && (unicode.IsLetter(rs[i]) || unicode.IsDigit(rs[i]) || strings.ContainsRune("&.+_", rs[i]) && n > 0) {
			b.WriteRune(rs[i])
			i++
			n++
		}
		return n
	}
	skip := func() { // spaces
		for i < len(rs) && unicode.IsSpace(rs[i]) {
			i++
		}
	}
	skip()
	last := group()
	for last > 0 {
		end = i
		skip()
		switch {
		case i >= len(rs):
			return cleanSymbol(b.String()), end
		case strings.ContainsRune("-–—−=~", rs[i]):
			i++
			skip()
			mark := i
			if i < len(rs) && (unicode.IsLower(rs[i]) && i > end+1 || i-end > 4) { // a dash of the text, not of the symbol
				return cleanSymbol(b.String()), end
			}
			b.WriteByte('-')
			if last = group(); last == 0 || mark == i {
				return cleanSymbol(b.String()), end
			}
		case rs[i] == '/' && i == end && i+1 < len(rs) && unicode.IsUpper(rs[i+1]):
			b.WriteByte('/')
			i++
			last = group()
		case i > end && apart(rs, end, i, last):
			last = group()
		default:
			return cleanSymbol(b.String()), end
		}
	}
	return cleanSymbol(b.String()), end
}

// apart reports whether the letters at i go on with the group that ended at end: one of the two pieces is a single
// capital ("U B ND"), and what follows is capitals only, not the V of "V/v".
func apart(rs []rune, end, i, last int) bool {
	n := 0
	for j := i; j < len(rs) && !unicode.IsSpace(rs[j]) && rs[j] != '-'; j++ {
		if !unicode.IsUpper(rs[j]) {
			return false
		}
		n++
	}
	return n > 0 && i-end == 1 && (n == 1 || last == 1)
}

var wrongLetters = strings.NewReplacer("Ð", "Đ", "ð", "đ")

// cleanSymbol corrects what OCR does to the few abbreviations that cannot be anything else.
func cleanSymbol(s string) string {
	s = strings.Trim(wrongLetters.Replace(strings.ReplaceAll(s, "_", "-")), ".-&+")
	if s == strings.ToLower(s) { // an old font that shows small letters as capitals
		s = strings.ToUpper(s)
	}
	groups := strings.Split(s, "-")
	switch head := groups[0]; {
	case head == "QD" || head == "0Đ" || head == "OĐ" || head == "GĐ" && len(groups) > 1 && groups[1] == "UBND":
		groups[0] = "QĐ"
	case head == "0D" || head == "OD":
		groups[0] = "QĐ"
	case head == "ND" && len(groups) > 1 && groups[1] == "CP":
		groups[0] = "NĐ"
	case strings.EqualFold(head, "TTr") && len(groups) > 1 && head != "TTr":
		groups[0] = "TTr"
	case head == "TTTr":
		groups[0] = "TTr"
	case head == "QyD":
		groups[0] = "QyĐ"
	}
	for i, g := range groups {
		if g == "TTG" || g == "Ttg" {
			groups[i] = "TTg"
		}
		if g == "HDND" {
			groups[i] = "HĐND"
		}
	}
	return strings.Join(groups, "-")
}
