package intake

import (
	"math"
	"regexp"
	"slices"
	"strings"
)

// A head is the top of the first page, cut into its cells.
type head struct {
	split    float64 // where the left column (issuer, number) ends and the right one (Quốc hiệu, date) begins
	superior []line
	issuer   []line
	number   *line
	about    []line // V/v under the number (ô 5b)
	date     *line
	title    []line // name of the type (ô 5a), and what belongs to it
	subject  []line // trích yếu under the title
	marks    []mark
	rest     []line // the lines of the page below all of that
	bottom   float64
}

// A mark is a stamp of độ mật or độ khẩn.
type mark struct {
	line    line
	secrecy string
	urgency string
	doubt   bool // it may be a word or a cell of a table
}

// readHead finds the cells of the page's top by their place: two columns, then the title in the middle.
func readHead(p page, old bool) head {
	rows := linesOf(p.words, p.number)
	var h head
	nation, motto, date := topRows(rows)
	h.split = columnSplit(p, rows, nation, motto, date)
	top := math.Inf(-1)
	if nation >= 0 {
		top = rows[nation].y0 - 5.5*rows[nation].size
	}
	h.date = rightPiece(rows, date, h.split)
	right := math.Inf(-1) // where the right column ends
	for _, i := range []int{nation, motto, date} {
		if i >= 0 {
			right = max(right, rows[i].base)
		}
	}
	left, below := leftColumn(p, rows, top, right, h.split)
	h.readLeft(left, old)
	h.bottom = right
	if n := len(left); n > 0 {
		h.bottom = max(right, left[n-1].base)
	}
	h.rest = below
	h.marks = append(h.marks, cornerMarks(rows, h, old)...)
	h.readTitle(p, old)
	return h
}

// topRows finds the lines of Quốc hiệu, Tiêu ngữ and the date; -1 where there is none.
func topRows(rows []line) (nation, motto, date int) {
	nation, motto, date = -1, -1, -1
	for i, r := range rows[:min(len(rows), 25)] {
		text := r.text()
		switch {
		case nation < 0 && isNation(text):
			nation = i
		case motto < 0 && isMotto(text):
			motto = i
		case date < 0 && datePhrase.MatchString(text) && !startsBody(text):
			date = i
		}
	}
	if date >= 0 && nation >= 0 && (date < nation || rows[date].base-rows[nation].base > 14*rows[nation].size) {
		date = -1
	}
	return nation, motto, date
}

// startsBody says whether a line is one of the phrases that open the body of a document.
func startsBody(text string) bool {
	f := fold(text)
	for _, s := range []string{"can cu ", "thuc hien ", "theo de nghi", "theo ", "xet ", "ngay ", "de ", "trong ", "sau khi ", "tiep theo ",
		"ke tu ", "phuc dap ", "tra loi ", "dieu 1", "hom nay", "nham ", "vua qua"} {
		if strings.HasPrefix(f, s) && len(f) > 24 {
			return true
		}
	}
	return false
}

// columnSplit is the x that parts the two columns of the head.
func columnSplit(p page, rows []line, nation, motto, date int) float64 {
	rightX := math.Inf(1)
	for _, i := range []int{nation, motto, date} {
		if i < 0 {
			continue
		}
		limit := math.Inf(-1) // a long place may begin left of Quốc hiệu, but not far
		if !math.IsInf(rightX, 1) {
			limit = rightX - 0.08*p.width
		}
		rightX = min(rightX, rightStart(rows[i], i == date, limit))
	}
	if math.IsInf(rightX, 1) {
		return 0.47 * p.width
	}
	return rightX - 2
}

// rightStart is the x at which the right column's text begins in a row: at its first known word, and for the date at the
// place before it.
func rightStart(r line, date bool, limit float64) float64 {
	at := anchor(r, [][2]string{{"cong", "hoa"}, {"doc", "lap"}, {"dang", "cong"}})
	if date {
		at = anchor(r, [][2]string{{"ngay", ""}})
	}
	for date && at > 0 && r.words[at].x0-r.words[at-1].x1 < 1.1*r.size && r.words[at-1].x0 > limit {
		at--
	}
	return r.words[at].x0
}

// anchor is the index of the first word of one of the pairs; of its first word alone, the last time it stands there, when
// OCR spoilt the second. "SỞ CÔNG THƯƠNG" in the other column has a word of Quốc hiệu, but no pair.
func anchor(r line, pairs [][2]string) int {
	single := len(r.words) - 1
	for i, w := range r.words {
		for _, p := range pairs {
			if fold(w.text) != p[0] {
				continue
			}
			if p[1] == "" || i+1 < len(r.words) && fold(r.words[i+1].text) == p[1] {
				return i
			}
			single = i
		}
	}
	return single
}

// rightPiece is the part of a row that stands in the right column.
func rightPiece(rows []line, i int, split float64) *line {
	if i < 0 {
		return nil
	}
	var words []word
	for _, w := range rows[i].words {
		if w.x0 > split-2 {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return nil
	}
	l := linesOf(words, rows[i].page)[0]
	return &l
}

// leftColumn gives the lines of the left column, and the rows below the head. The left column ends at the first row under
// the right one that reaches over the split.
func leftColumn(p page, rows []line, top, right, split float64) (left, below []line) {
	end := math.Inf(1)
	for _, r := range rows {
		text := r.text()
		if r.base > right+0.3*r.size && !loneMark(r) && !wideAbout(r, p) && (reaches(r, split) || isKinhGui(text) || titleType(text, false) != "") {
			end = r.base - 0.5*r.size
			break
		}
	}
	var words []word
	for _, r := range rows {
		limit := split
		if wideAbout(r, p) && r.base > right {
			limit = p.width
		}
		for _, w := range r.words {
			if w.base < end && w.base > top && (w.x0+w.x1)/2 < limit {
				words = append(words, w)
			}
		}
	}
	for _, r := range rows {
		if r.base >= end {
			below = append(below, r)
		}
	}
	return linesOf(words, p.number), below
}

// wideAbout says whether a row is a V/v that is wider than its column, but no wider than a cell may be.
func wideAbout(r line, p page) bool {
	return aboutLine.MatchString(r.text()) && r.x1 < 0.62*p.width
}

// reaches says whether a row has text on the right side of the split.
func reaches(r line, split float64) bool {
	return len(r.words) > 0 && r.x1 > split+0.5*r.size
}

func loneMark(r line) bool {
	s, u := headMarkOf(r.text(), false)
	return s != "" || u != ""
}

// readLeft tells the lines of the left column apart.
func (h *head) readLeft(lines []line, old bool) {
	var names []line
	for _, l := range lines {
		text := l.text()
		if ruleLine.MatchString(text) || l.sureness() < 60 && letters(l.words) < 5 {
			continue // rules, and what is left of the frame of a stamp
		}
		if s, u := headMarkOf(text, old); s != "" || u != "" {
			n := len(h.about)
			m := mark{line: l, secrecy: s, urgency: u, doubt: n > 0 && goesOnInAbout(h.about[n-1].text(), text)}
			h.marks = append(h.marks, m)
			if !m.doubt {
				continue
			}
		}
		if grade, none := gradeOf(text); grade {
			if !none {
				h.marks = append(h.marks, mark{line: l, doubt: true})
			}
			continue
		}
		switch {
		case h.number != nil && h.about == nil && goesOnInNumber(*h.number, l):
			h.number.extend(l)
		case h.number == nil && isNumberLine(text):
			h.number = &l
		case h.number == nil && h.about == nil && !aboutLine.MatchString(text):
			names = append(names, l)
		case len(h.about) > 0 || aboutLine.MatchString(text):
			h.about = append(h.about, l)
		}
	}
	h.superior, h.issuer = splitIssuer(names)
}

var restOfSymbol = regexp.MustCompile(`^[-–/]?[\p{Lu}\d][\p{L}\d&.]*([-–/][\p{L}\d&.]+)*$`)

// goesOnInNumber says whether a line is the rest of a symbol that broke at its hyphen or slash.
func goesOnInNumber(number, l line) bool {
	text, rest := strings.TrimSpace(number.text()), l.text()
	if !restOfSymbol.MatchString(rest) || upperShare(rest) < 0.6 || l.base-number.base > 2.2*number.size {
		return false
	}
	return strings.HasSuffix(text, "-") || strings.HasSuffix(text, "–") || strings.HasSuffix(text, "/") ||
		strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "/")
}

// extend adds the rest of a word that stands on the next line.
func (l *line) extend(next line) {
	words := slices.Clone(next.words)
	words[0].apart = false
	l.words = append(slices.Clone(l.words), words...)
	l.x0, l.x1 = min(l.x0, next.x0), max(l.x1, next.x1)
	l.y0, l.y1, l.base = min(l.y0, next.y0), max(l.y1, next.y1), next.base
}

func isNumberLine(text string) bool {
	f := fold(text)
	return numberLine.MatchString(f) || referenceText.MatchString(text) && strings.ContainsAny(text, "/")
}

// issuerHeads are the words with which the name of an agency begins.
var issuerHeads = []string{"uy ban", "ubnd", "hdnd", "hoi dong", "so ", "ban ", "bo ", "tong cuc", "cuc ", "chi cuc", "phong ", "trung tam",
	"truong ", "van phong", "vien ", "benh vien", "cong an", "cong ty", "tong cong ty", "tap doan", "thanh tra", "kho bac", "bao hiem",
	"ngan hang", "toa an", "vien kiem sat", "hoi ", "lien doan", "lien hiep", "doan ", "dang uy", "dang bo", "tinh uy", "huyen uy", "thanh uy",
	"thi uy", "dai ", "bao ", "quy ", "chinh phu", "thu tuong", "quoc hoi", "hoc vien", "dai hoc", "mat tran", "hat ", "tram ", "to ",
	"bch ", "ban chap hanh", "doi ", "lien minh", "nha xuat ban", "dang cong san", "cang vu", "vu "}

// splitIssuer parts the name of the superior agency from that of the issuer below it. The issuer is bold and the superior
// is not (NĐ 30/2020 Phụ lục I, I.2); where type does not tell, a line that begins another name does.
func splitIssuer(names []line) (superior, issuer []line) {
	if len(names) < 2 {
		return nil, names
	}
	cut := 0
	for i := 1; i < len(names); i++ {
		if names[i].bold() && !names[i-1].bold() {
			cut = i
		}
	}
	if cut > 0 {
		return names[:cut], names[cut:]
	}
	for i := len(names) - 1; i > 0; i-- {
		if beginsName(names[i].text()) && !opensName(names[i-1].text()) {
			return names[:i], names[i:]
		}
	}
	return nil, names
}

func beginsName(text string) bool {
	f := fold(text) + " "
	if strings.HasPrefix(f, "phong, ") || strings.HasPrefix(f, "bao ve ") || strings.HasPrefix(f, "vien thong") {
		return false
	}
	for _, p := range issuerHeads {
		if strings.HasPrefix(f, p) {
			return true
		}
	}
	return false
}

// opensName says whether a line needs the next one to be a name.
func opensName(text string) bool {
	f := fold(text)
	for _, s := range []string{" va", ",", " -", " cua", " thuoc", " cac", " ve"} {
		if strings.HasSuffix(f, s) {
			return true
		}
	}
	switch f {
	case "van phong", "ban chi huy", "ban chi dao", "bo chi huy", "ban quan ly", "thanh tra", "cong an", "hoi dong", "to", "ban", "trung tam",
		"ban chap hanh", "thuong truc", "co quan", "doan", "uy ban", "to cong tac", "ban thuong vu", "ban to chuc":
		return true
	}
	trimmed := strings.TrimSpace(text)
	return strings.HasSuffix(trimmed, ",") || strings.HasSuffix(trimmed, "-") || strings.HasSuffix(trimmed, "–")
}
