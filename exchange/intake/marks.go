package intake

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// secrecyMarks and urgencyMarks give the words of the stamps (ô 10a, 10b), squeezed, and what they stand for. A longer one
// comes before one that it begins with.
var (
	secrecyMarks = [][2]string{{"tuyetmat", "Tuyệt mật"}, {"toimat", "Tối mật"}, {"mat", "Mật"}}
	urgencyMarks = [][2]string{{"hoatochengio", "Hỏa tốc hẹn giờ"}, {"hoatoc", "Hỏa tốc"}, {"thuongkhan", "Thượng khẩn"}, {"khan", "Khẩn"}}
)

// markLabels may stand before a mark: "Độ mật: Tối mật", "TÀI LIỆU MẬT".
var markLabels = []string{"domat", "dokhan", "mucdomat", "mucdokhan", "tailieu", "vanban", "hoso", "congvan"}

// halfMarks are stamps that secret documents bear besides: they say that there is a secret, and not which.
var halfMarks = []string{"bimatnhanuoc", "tailieubimatnhanuoc", "bansaobimatnhanuoc", "tailieubimat", "tailieuthuhoi",
	"chinguoicotenmoiduocbocbi", "bimat"}

// A form says how a mark that stands alone is written.
type form int

const (
	capitals form = iota // MẬT: what the rules say; in running text nobody writes so
	title                // Mật, Tối mật: a word of a text may look so
	small                // mật
)

// formOf tells the form of a text. What stands behind a label counts: "Độ mật: Tối mật" is as good as capitals.
func formOf(text string) form {
	first, _ := cutMarkLabel(squeeze(text))
	labelled := first != "" && strings.Contains(text, ":")
	letters := strings.TrimLeftFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	switch {
	case labelled || upperShare(text) >= 0.99:
		return capitals
	case startsUpper(letters):
		return title
	}
	return small
}

func cutMarkLabel(key string) (label, rest string) {
	for _, l := range markLabels {
		if r, ok := strings.CutPrefix(key, l); ok && strings.TrimLeft(r, ":") != "" {
			return l, strings.TrimLeft(r, ":")
		}
	}
	return "", key
}

// markOf reads a piece of text that stands alone as a mark. It must be in capitals: "mật" in a sentence or in a table is a
// word. old admits small letters, because capitals of old fonts are small letters in the file.
func markOf(text string, old bool) (secrecy, urgency string) {
	if !old && formOf(text) != capitals {
		return "", ""
	}
	return anyMark(text)
}

// headMarkOf reads a line or piece of the page's head. There a mark may be in small letters behind a capital too.
func headMarkOf(text string, old bool) (secrecy, urgency string) {
	if !old && formOf(text) == small {
		return "", ""
	}
	return anyMark(text)
}

// anyMark reads a piece of text as marks in whatever letters.
func anyMark(text string) (secrecy, urgency string) {
	if secrecy, urgency = wholeMark(text); secrecy != "" || urgency != "" {
		return secrecy, urgency
	}
	var words []string // without what OCR makes of the frame: "Í MẬT |"
	for _, w := range strings.Fields(text) {
		if n := len(fold(w)); n > 1 {
			words = append(words, strings.Trim(w, "|[](){}!'\"“”.,:;-–—_"))
		}
	}
	if len(words) > 0 && len(words) <= 5 {
		return wholeMark(strings.Join(words, " "))
	}
	return "", ""
}

var frameSigns = strings.NewReplacer("[", "", "]", "", "(", "", ")", "", "|", "", ".", "", "!", "", "'", "", "-", "", "–", "", "/", "", ",", "", "*", "")

// wholeMark reads a text that consists of marks and nothing else: at most one of each kind, each with its label or without.
func wholeMark(text string) (secrecy, urgency string) {
	if len(text) > 80 || innocent(text) {
		return "", ""
	}
	key := frameSigns.Replace(squeeze(text))
	if strings.HasPrefix(key, "hoatoc") && strings.Contains(key, "gio") {
		return "", "Hỏa tốc hẹn giờ"
	}
	for key != "" {
		_, rest := cutMarkLabel(key)
		s, afterS := cutMark(rest, secrecyMarks)
		u, afterU := cutMark(rest, urgencyMarks)
		switch {
		case s != "" && secrecy == "":
			secrecy, key = s, strings.TrimLeft(afterS, ":;")
		case u != "" && urgency == "":
			urgency, key = u, strings.TrimLeft(afterU, ":;")
		default:
			return "", ""
		}
	}
	return secrecy, urgency
}

func cutMark(key string, marks [][2]string) (name, rest string) {
	for _, m := range marks {
		if r, ok := strings.CutPrefix(key, m[0]); ok {
			return m[1], r
		}
	}
	return "", key
}

// innocent says whether a word that folds like MẬT is another one: MẶT, MẮT. MẠT, MẤT and MAT are what OCR makes of the
// stamp, and stay suspects.
func innocent(text string) bool {
	return strings.ContainsAny(text, "ẶẮẲẴẰặắẳẵằ")
}

// halfMark says whether a text is nothing but a stamp that goes with secrets.
func halfMark(text string) bool {
	return formOf(text) == capitals && slices.Contains(halfMarks, frameSigns.Replace(squeeze(text)))
}

var gradeLine = regexp.MustCompile(`(?i)^((mức\s+)?độ\s+(mật|khẩn)\s*:)(.*)$`)

// gradeOf says whether a line of the head gives a grade in words ("Độ mật: không"), and whether they say that there is none.
func gradeOf(text string) (grade, none bool) {
	m := gradeLine.FindStringSubmatch(text)
	if m == nil {
		return false, false
	}
	value := fold(strings.Trim(m[4], "…. "))
	return true, slices.Contains([]string{"", "khong", "khong mat", "thuong", "binh thuong", "khong co"}, value) || strings.EqualFold(m[3], "khẩn")
}

// cornerMarks looks for marks that stand outside the left column: above the issuer, under the Quốc hiệu, at the margins
// and anywhere down to where the body begins.
func cornerMarks(rows []line, h head, old bool) []mark {
	var out []mark
	limit := h.bottom
	if len(h.rest) > 0 {
		limit = max(limit, h.rest[min(len(h.rest)-1, 4)].base)
	}
	for _, r := range rows {
		if r.base > limit {
			break
		}
		pieces := append(r.pieces(1.0*r.size), r)
		for i, piece := range pieces {
			s, u := markOf(piece.text(), old)
			if s == "" && u == "" && (r.base <= h.bottom || i == len(pieces)-1) && !h.holds(piece) {
				s, u = headMarkOf(piece.text(), old)
			}
			if s == "" && u == "" && halfMark(piece.text()) {
				out = append(out, mark{line: piece, doubt: true})
			}
			if (s != "" || u != "") && !h.hasMark(piece) {
				out = append(out, mark{line: piece, secrecy: s, urgency: u})
			}
		}
	}
	return out
}

// holds says whether a piece of the head is part of the V/v in the left column, whose last word may be "Mật".
func (h head) holds(l line) bool {
	return slices.ContainsFunc(h.about, func(a line) bool { return math.Abs(a.base-l.base) < 1 && a.x0 < l.x1 && l.x0 < a.x1 })
}

func (h head) hasMark(l line) bool {
	for _, m := range h.marks {
		if m.line.x0 < l.x1 && l.x0 < m.line.x1 && m.line.y0 < l.y1 && l.y0 < m.line.y1 {
			return true
		}
	}
	return false
}

// goesOnInAbout says whether the line after a line of V/v is more of its text, even if it looks like a mark: "V/v giải mật
// tài liệu Mật, / Tối mật", "V/v bảo vệ bí / mật".
func goesOnInAbout(before, text string) bool {
	if formOf(text) == capitals && upperShare(before) < 0.9 {
		return false
	}
	f := " " + fold(before)
	for _, w := range []string{" bi", " bao", " giai", " do", " va", " loai", " muc", " hoac", " tai lieu", " van ban", " tuyet", " toi", " ho so", " cua", " la"} {
		if strings.HasSuffix(f, w) {
			return true
		}
	}
	return strings.HasSuffix(strings.TrimSpace(before), ",")
}

// laterMarks finds marks on the rows of a page below the head: at the top of an annex, which bears the mark of its
// document, and anywhere as a line or box of its own. One that may also be a cell of a table or a word is in doubt.
func laterMarks(p page, rows []line, old bool) []mark {
	var out []mark
	left, right := textArea(p)
	typical := typicalSize(rows)
	for i, r := range rows {
		pieces := r.pieces(1.0 * r.size)
		for _, piece := range pieces {
			text := piece.text()
			s, _ := anyMark(text)
			half := s == "" && halfMark(text)
			if s == "" && !half {
				continue
			}
			f := formOf(text)
			big := piece.size > 1.25*typical
			alone := len(pieces) == 1
			centred := alone && math.Abs(piece.middle()-(left+right)/2) < 0.06*p.width
			edge := p.number > 1 && r.base < 0.25*p.height || r.base < 0.08*p.height || r.base > 0.93*p.height
			running := alone && !big && i > 0 && piece.x0 < left+0.08*p.width && !endsSentence(rows[i-1].text()) &&
				r.base-rows[i-1].base < 2*r.size
			switch {
			case f == small && !old || f == title && !big && !centred || running:
				continue
			case half:
				out = append(out, mark{line: piece, doubt: true})
			default:
				sure := big || f == capitals && (centred || edge)
				out = append(out, mark{line: piece, secrecy: s, doubt: !sure})
			}
		}
	}
	return out
}

func endsSentence(text string) bool {
	return strings.HasSuffix(text, ".") || strings.HasSuffix(text, ";") || strings.HasSuffix(text, ":")
}

// typicalSize is the font size of most letters.
func typicalSize(rows []line) float64 {
	var sizes []float64
	for _, r := range rows {
		for _, w := range r.words {
			sizes = append(sizes, w.size)
		}
	}
	if len(sizes) == 0 {
		return 14
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}

// turnedMarks finds marks among the characters that run across the lines of a page: stamps are set askew, watermarks too.
func turnedMarks(p page) []mark {
	var out []mark
	for _, t := range p.turned {
		for _, text := range t.readings {
			s, u := markOf(text, false)
			if s == "" && u == "" && !halfMark(text) {
				continue
			}
			l := line{words: []word{{text: text}}, x0: t.x0, y0: t.y0, x1: t.x1, y1: t.y1, page: p.number}
			out = append(out, mark{line: l, secrecy: s, urgency: u, doubt: s == "" && u == ""})
			break
		}
	}
	return out
}
