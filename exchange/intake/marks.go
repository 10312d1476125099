package intake

import "strings"

// secrecyMarks and urgencyMarks give the words of the stamps (ô 10a, 10b), squeezed, and what they stand for.
var (
	secrecyMarks = map[string]string{"mat": "Mật", "toimat": "Tối mật", "tuyetmat": "Tuyệt mật", "domatmat": "Mật", "domattoimat": "Tối mật",
		"domattuyetmat": "Tuyệt mật"}
	urgencyMarks = map[string]string{"khan": "Khẩn", "thuongkhan": "Thượng khẩn", "hoatoc": "Hỏa tốc", "dokhankhan": "Khẩn",
		"dokhanthuongkhan": "Thượng khẩn", "dokhanhoatoc": "Hỏa tốc", "hoatochengio": "Hỏa tốc hẹn giờ"}
)

// markOf reads a piece of text that stands alone as a mark. It must be in capitals: "mật" in a sentence or in a table is a
// word. old admits small letters, because capitals of old fonts are small letters in the file.
func markOf(text string, old bool) (secrecy, urgency string) {
	if secrecy, urgency = wholeMark(text, old); secrecy != "" || urgency != "" {
		return secrecy, urgency
	}
	var words []string // without what OCR makes of the frame: "Í MẬT |"
	for _, w := range strings.Fields(text) {
		if n := len(fold(w)); n > 1 {
			words = append(words, strings.Trim(w, "|[](){}!'\"“”.,:;-–—_"))
		}
	}
	if len(words) > 0 && len(words) <= 5 {
		return wholeMark(strings.Join(words, " "), old)
	}
	return "", ""
}

func wholeMark(text string, old bool) (secrecy, urgency string) {
	if len(text) > 60 || upperShare(strings.TrimPrefix(strings.TrimPrefix(text, "Độ mật"), "Độ khẩn")) < 0.99 && !old {
		return "", ""
	}
	key := strings.NewReplacer("[", "", "]", "", "(", "", ")", "", "|", "", ":", "", ".", "", "!", "", "'", "").Replace(squeeze(text))
	if s := secrecyMarks[key]; s != "" && !innocent(text) {
		return s, ""
	}
	if u := urgencyMarks[key]; u != "" {
		return "", u
	}
	if strings.HasPrefix(key, "hoatoc") && strings.Contains(key, "gio") {
		return "", "Hỏa tốc hẹn giờ"
	}
	return "", ""
}

// innocent says whether a word that folds like MẬT is another one: MẶT, MẮT, MÁT. MẠT, MẤT and MAT are what OCR makes of
// the stamp, and stay suspects.
func innocent(text string) bool {
	return strings.ContainsAny(text, "ẶẮẲẴẰặắ")
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
		for _, piece := range r.pieces(1.0 * r.size) {
			if s, u := markOf(piece.text(), old); (s != "" || u != "") && !h.hasMark(piece) {
				out = append(out, mark{piece, s, u})
			}
		}
	}
	return out
}

func (h head) hasMark(l line) bool {
	for _, m := range h.marks {
		if m.line.x0 < l.x1 && l.x0 < m.line.x1 && m.line.y0 < l.y1 && l.y0 < m.line.y1 {
			return true
		}
	}
	return false
}

// laterMarks finds marks at the top of a later page: each annex of a secret document bears its own.
func laterMarks(p page, old bool) []mark {
	var out []mark
	for _, r := range linesOf(p.words, p.number) {
		if r.base > 0.25*p.height {
			break
		}
		for _, piece := range r.pieces(1.0 * r.size) {
			if s, _ := markOf(piece.text(), old); s != "" {
				out = append(out, mark{piece, s, ""})
			}
		}
	}
	return out
}
