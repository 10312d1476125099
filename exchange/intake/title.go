package intake

import (
	"math"
	"strings"
	"unicode"
)

// documentTypes are the names of types that stand as a title: the 29 of NĐ 30/2020 Điều 7 without công văn and thư công,
// those of văn bản quy phạm pháp luật, and what offices issue besides.
var documentTypes = []string{"Nghị quyết", "Quyết định", "Chỉ thị", "Quy chế", "Quy định", "Thông cáo", "Thông báo", "Hướng dẫn",
	"Chương trình", "Kế hoạch", "Phương án", "Đề án", "Dự án", "Báo cáo", "Biên bản", "Tờ trình", "Hợp đồng", "Công điện", "Bản ghi nhớ",
	"Bản thỏa thuận", "Giấy ủy quyền", "Giấy mời", "Giấy giới thiệu", "Giấy nghỉ phép", "Phiếu gửi", "Phiếu chuyển", "Phiếu báo",
	"Luật", "Bộ luật", "Pháp lệnh", "Lệnh", "Nghị định", "Thông tư", "Thông tư liên tịch", "Nghị quyết liên tịch", "Sắc lệnh", "Hiến pháp",
	"Lịch công tác", "Lịch làm việc", "Lịch tiếp công dân", "Chương trình công tác", "Giấy triệu tập", "Giấy đi đường", "Giấy chứng nhận",
	"Giấy xác nhận", "Giấy phép", "Thư mời", "Thư ngỏ", "Thư khen", "Kết luận", "Thông tri", "Nội quy", "Điều lệ", "Danh sách", "Tuyên bố",
	"Lời kêu gọi", "Đề cương", "Phiếu trình", "Phiếu xin lỗi", "Phiếu giao việc", "Giấy biên nhận hồ sơ", "Báo cáo tóm tắt", "Văn bản hợp nhất",
	"Bản sao y", "Bản trích sao", "Bản sao lục", "Kháng nghị", "Kiến nghị", "Cáo trạng", "Đề nghị", "Tờ khai", "Quy trình", "Chiến lược", "Quy hoạch"}

var typeKeys = func() map[string]string {
	m := make(map[string]string, len(documentTypes))
	for _, t := range documentTypes {
		m[squeeze(t)] = t
	}
	m["qddinh"] = "Quyết định"
	return m
}()

// titleType reads a line as the title of a document. Some name the issuer too: "QUYẾT ĐỊNH CỦA ỦY BAN NHÂN DÂN TỈNH".
func titleType(text string, old bool) string {
	if upperShare(text) < 0.9 && !old {
		return ""
	}
	f := fold(text)
	if t := typeKeys[strings.ReplaceAll(f, " ", "")]; t != "" {
		return t
	}
	if one, ok := strings.CutSuffix(f, " lien tich"); ok { // issued together
		if t := typeKeys[strings.ReplaceAll(one, " ", "")]; t != "" {
			return t + " liên tịch"
		}
	}
	if i := strings.Index(f, " cua "); i > 0 {
		return typeKeys[strings.ReplaceAll(f[:i], " ", "")]
	}
	return ""
}

// readTitle takes the title and the lines of trích yếu below it out of the rest of the page.
func (h *head) readTitle(p page, old bool) {
	at, ok := h.findTitle(p, old)
	if !ok {
		return
	}
	h.title = h.rest[at : at+1]
	end := at + 1
	if strings.Contains(fold(h.rest[at].text()), " cua ") { // the issuer's name may go on below
		for end < len(h.rest) && upperShare(h.rest[end].text()) > 0.9 && end < at+3 && beginsName(h.rest[end].text()) {
			end++
		}
	}
	start := end
	for end < len(h.rest) && h.inSubject(p, start, end) {
		end++
	}
	for _, l := range h.rest[start:end] {
		if !ruleLine.MatchString(l.text()) {
			h.subject = append(h.subject, l)
		}
	}
	h.rest = h.rest[end:]
	if len(h.subject) > 0 {
		h.bottom = h.subject[len(h.subject)-1].base
	}
}

// findTitle looks for the title before the addressees and before the body.
func (h *head) findTitle(p page, old bool) (int, bool) {
	for i, l := range h.rest[:min(len(h.rest), 8)] {
		text := l.text()
		if isKinhGui(text) || startsBody(text) {
			return 0, false
		}
		if titleType(text, old) != "" {
			return i, true
		}
	}
	// a type nobody foresaw: a short line of capitals in the middle, where titles stand
	for i, l := range h.rest[:min(len(h.rest), 2)] {
		n := len(l.words)
		if upperShare(l.text()) > 0.98 && n >= 2 && n <= 5 && math.Abs(l.middle()-0.52*p.width) < 0.08*p.width && !loneMark(l) &&
			!isNumberLine(l.text()) && !strings.HasSuffix(l.text(), ".") {
			return i, true
		}
	}
	return 0, false
}

// inSubject says whether line i of the rest still belongs to the trích yếu that begins at start: in the middle under the
// title, bold where the title is, close to the line before, and no opening of a body.
func (h *head) inSubject(p page, start, i int) bool {
	l, title := h.rest[i], h.title[0]
	text := l.text()
	if ruleLine.MatchString(text) {
		return i == start || l.base-h.rest[i-1].base < 2*l.size
	}
	if isKinhGui(text) || articleRef.MatchString(text) || i-start >= 10 {
		return false
	}
	if first := h.rest[start]; first.bold() && !p.ocr {
		if !l.bold() {
			return false
		}
	} else if startsBody(text) && i > start {
		return false
	}
	above := title
	if i > start {
		above = h.rest[i-1]
	}
	if i > start && h.namesAuthority(start, i) {
		return false
	}
	if !p.ocr && len(l.pieces(2*l.size)) > 1 { // the head of a table
		return false
	}
	bold := l.bold() && !p.ocr
	if gap := (l.base - above.base) / max(l.size, above.size); !bold && gap > 2 || gap > 4 || i > start && gap > 2.6 {
		return false
	}
	if !bold && i == start && strings.HasSuffix(text, ":") {
		return false
	}
	off := math.Abs(l.middle() - title.middle())
	centred := off < 0.018*p.width
	if i == start && off < 0.05*p.width { // the first line of a paragraph that has an indent, and the second has none
		centred = centred || bold && title.bold() || aboutLine.MatchString(text)
	}
	if !centred && !(i > start && bold) {
		return false
	}
	return !h.fullWidth(p, l) || upperShare(text) > 0.9 || bold
}

// namesAuthority says whether line i names who decides, in capitals under the trích yếu: "CHỦ TỊCH ỦY BAN NHÂN DÂN TỈNH".
func (h *head) namesAuthority(start, i int) bool {
	l, before := h.rest[i], h.rest[i-1]
	text := l.text()
	if upperShare(text) < 0.95 || len(l.words) < 2 {
		return false
	}
	if upperShare(joinLines(h.rest[start:i])) < 0.6 {
		return true
	}
	pitch := 0.0
	if i-1 > start {
		pitch = before.base - h.rest[i-2].base
	}
	return (isPosition(text) || beginsName(text)) && l.base-before.base > max(1.15*pitch, 1.5*l.size)
}

// fullWidth says whether a line fills the text area as lines of the body do.
func (h *head) fullWidth(p page, l line) bool {
	left, right := textArea(p)
	return l.x0 < left+0.01*p.width && l.x1 > right-0.01*p.width
}

// textArea gives the left and right edges of the text of a page.
func textArea(p page) (left, right float64) {
	left, right = math.Inf(1), math.Inf(-1)
	for _, w := range p.words {
		left, right = min(left, w.x0), max(right, w.x1)
	}
	return left, right
}

// sentenceCase turns a title in capitals into the form in which types are stored: "LỊCH CÔNG TÁC" to "Lịch công tác".
func sentenceCase(s string) string {
	rs := []rune(strings.ToLower(s))
	if len(rs) > 0 {
		rs[0] = unicode.ToUpper(rs[0])
	}
	return string(rs)
}
