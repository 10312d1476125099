package intake

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"congvan/mailcore/viettext"
)

// positions are the words with which the title of a signer begins, in the form of viettext.Key. They keep their marks:
// Trưởng is a post, Trương is a family name.
var positions = func() []string {
	list := []string{"giám đốc", "phó ", "chủ tịch", "chánh ", "trưởng ", "bộ trưởng", "thứ trưởng", "cục trưởng", "tổng ", "viện trưởng",
		"hiệu trưởng", "thủ tướng", "bí thư", "chi cục", "tổ trưởng", "hạt trưởng", "đội trưởng", "ủy viên", "thường trực", "kế toán", "thư ký",
		"người ", "chỉ huy", "chính ủy", "tư lệnh", "tham mưu", "tm.", "tm ", "tim.", "kt.", "kt ", "tl.", "tl ", "tuq", "q.", "t/m", "k/t", "t/l",
		"thừa ", "thay mặt", "ký thay", "đại diện", "quyền ", "nơi nhận", "đã ký", "ký bởi", "ngày ký", "bộ ", "sở ", "ủy ban", "ban ", "hội đồng",
		"thanh tra", "vụ trưởng", "công ty", "sao y", "xác nhận", "thủ trưởng", "đoàn trưởng"}
	for i, p := range list {
		k := viettext.Key(p)
		if strings.HasSuffix(p, " ") {
			k += " "
		}
		list[i] = k
	}
	return list
}()

// A signature is the block of the signer (ô 7).
type signature struct {
	name  string
	above []string
	lines []line // of the name and what stands above it
	at    *line  // the name
}

// readSignature reads the column beside Nơi nhận: who signs for whom, in which post, and the full name.
func readSignature(right []line) signature {
	var s signature
	for _, l := range right {
		text := strings.TrimSpace(l.text())
		switch {
		case text == "" || ruleLine.MatchString(text) || isStampText(text):
			continue
		case personName(text):
			s.name = cutTitle(text)
			s.lines = append(s.lines, l)
			s.at = &l
			return s
		case len(s.above) < 6 && (signFor(text) || upperShare(text) > 0.7 || isPosition(text)):
			if len(s.above) == 0 || l.base-s.lines[len(s.lines)-1].base < 6*l.size || l.page != s.lines[len(s.lines)-1].page {
				s.above = append(s.above, text)
				s.lines = append(s.lines, l)
			}
		}
	}
	return s.capitalName()
}

// capitalName takes the last line of capitals for the name when there is no other and it stands apart from the post above.
func (s signature) capitalName() signature {
	n := len(s.above)
	if n < 2 {
		return s
	}
	last, before := s.lines[n-1], s.lines[n-2]
	words := len(strings.Fields(s.above[n-1]))
	if words < 2 || words > 5 || isPosition(s.above[n-1]) || last.page == before.page && last.base-before.base < 2.2*last.size {
		return s
	}
	s.name, s.at = s.above[n-1], &last
	s.above = s.above[:n-1]
	return s
}

func signFor(text string) bool {
	for _, p := range []string{"TM.", "KT.", "TL.", "TUQ.", "Q.", "T/M", "K/T", "T/L", "TM ", "KT ", "TL "} {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

func isPosition(text string) bool {
	f := viettext.Key(text) + " "
	return slices.ContainsFunc(positions, func(p string) bool { return strings.HasPrefix(f, p) })
}

// isStampText says whether a line is what a signing program shows beside the signature.
func isStampText(text string) bool {
	f := fold(text)
	for _, p := range []string{"nguoi ky", "ky boi", "ngay ky", "thoi gian ky", "da ky", "email", "co quan:", "signature", "digitally", "date:", "signed by", "chu ky",
		"ky, ", "(ky", "ky ten", "signed"} {
		if strings.HasPrefix(f, p) {
			return true
		}
	}
	return strings.ContainsAny(text, "@0123456789")
}

// personName says whether a line is a full name: two to six words, each beginning with a capital and going on in small
// letters, or one letter long ("A Đức", "Y Hoa").
func personName(text string) bool {
	words := strings.Fields(cutTitle(text))
	if len(words) < 2 || len(words) > 6 || isPosition(text) {
		return false
	}
	small := false
	for _, w := range words {
		for i, r := range []rune(strings.Trim(w, "-'’")) {
			switch {
			case !unicode.IsLetter(r) && r != '-' && r != '\'' && r != '’':
				return false
			case i == 0 && !unicode.IsUpper(r):
				return false
			case i > 0 && unicode.IsLower(r):
				small = true
			case i > 0 && unicode.IsUpper(r) && !strings.ContainsAny(w, "-'’"):
				return false
			}
		}
	}
	return small
}

// cutTitle drops an academic title before a name, which the rules do not allow but people print, and a rank.
func cutTitle(text string) string {
	words := strings.Fields(text)
	if len(words) > 3 && slices.Contains([]string{"thiếu", "trung", "thượng", "đại", "chuẩn"}, strings.ToLower(words[0])) &&
		slices.Contains([]string{"tướng", "tá", "úy", "uý"}, strings.ToLower(words[1])) {
		words = words[2:]
	}
	for len(words) > 2 {
		w := strings.ToLower(strings.TrimRight(words[0], ".,"))
		if !slices.Contains([]string{"ts", "ths", "gs", "pgs", "gs.ts", "pgs.ts", "bs", "ks", "cn", "ths.bs", "bsckii", "bscki", "ckii", "ông", "bà"}, w) {
			break
		}
		words = words[1:]
	}
	return strings.Join(words, " ")
}

// signatureAlone looks for a signer's block where there is no Nơi nhận: the last lines that begin with TM., KT. …, or the
// last post in capitals in the right half.
func signatureAlone(pages []page) signature {
	for i := len(pages) - 1; i >= 0; i-- {
		p := pages[i]
		rows := linesOf(p.words, p.number)
		for k := len(rows) - 1; k >= 0; k-- {
			for _, piece := range rows[k].pieces(0.85 * rows[k].size) {
				text := piece.text()
				if piece.middle() > 0.5*p.width && (signFor(text) || isPosition(text) && upperShare(text) > 0.95) {
					return readSignature(rightColumn(p, min(piece.x0, 0.45*p.width), firstOfBlock(rows, k, p)))
				}
			}
		}
	}
	return signature{}
}

// firstOfBlock goes up from the row of a post to the first row of the block it stands in.
func firstOfBlock(rows []line, k int, p page) float64 {
	top := rows[k].base
	for k > 0 && rows[k].base-rows[k-1].base < 2*rows[k].size {
		text := rows[k-1].text()
		if rows[k-1].x0 < 0.4*p.width || !signFor(text) && upperShare(text) < 0.9 {
			break
		}
		k--
		top = rows[k].base
	}
	return math.Nextafter(top, top-1) - 1
}
