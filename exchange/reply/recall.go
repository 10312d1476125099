package reply

import (
	"regexp"
	"strings"

	"congvan/mailcore/viettext"
)

// Folded, from the start of the line, as all patterns of replies. Agreeing takes nothing behind it but what cannot change its
// meaning: "đồng ý nếu …" is nobody's answer.
var (
	agreeLine = regexp.MustCompile(`^(?:xin |da |vang,? |kinh gui.*[,;:] )?(?:(?:don vi|co quan|chung toi|toi|so|phong|ban)(?: (?:da|xin))? )?(?:dong y|nhat tri|thong nhat)` +
		`(?: (?:voi|theo|cho|viec|de nghi|cho phep))*(?: (?:viec )?(?:thu hoi|tra lai|lay lai|go|huy))?(?: (?:van ban|cong van|quyet dinh|thong bao)(?: nay| tren)?)?` +
		`(?: so \S+)?(?: nay| tren)?(?: a)?[\s.!,;]*$`)
	refuseLine = regexp.MustCompile(`^(?:xin |rat tiec,? )?(?:(?:don vi|co quan|chung toi|toi|so|phong|ban)(?: xin)? )?(?:khong|chua) (?:dong y|nhat tri|thong nhat)\b` +
		`(?:,? ?(?:voi |cho |viec |de nghi )*(?:thu hoi|tra lai|lay lai)(?: van ban)?(?: nay| tren)?)?`)
)

// doubtful anywhere in what the recipient wrote makes agreeing nobody's answer.
var doubtful = regexp.MustCompile(`\?|\b(?:nhung|tuy nhien|neu|voi dieu kien|khong|chua|truoc khi|sau khi)\b`)

// ParseRecall reads what a recipient wrote above the letter that asks it for a document back: whether it agrees, or None. It counts
// only while the recipient is asked.
func ParseRecall(text string) Reply {
	line := FirstLine(text)
	folded := viettext.Fold(line)
	switch {
	case agreeLine.MatchString(folded) && !doubtful.MatchString(viettext.Fold(strings.Join(OwnLines(text), "\n"))):
		return Reply{Act: RecallAgree}
	case refuseLine.MatchString(folded):
		return Reply{Act: RecallRefuse, Reason: wordsAfter(line, refuseLine.FindString(folded))}
	}
	return Reply{Act: None}
}

// wordsAfter is what a line says after the words that a pattern took, without what leads up to a reason.
func wordsAfter(line, folded string) string {
	rest := line
	for n := len(strings.Fields(folded)); n > 0; n-- {
		rest = strings.TrimLeft(rest, " ")
		end := strings.IndexAny(rest, " ")
		if n == 1 { // the last word may have its sign and the reason behind it: "ý:đã"
			if i := strings.IndexAny(rest, " :,;-–"); i >= 0 {
				end = i
			}
		}
		if end < 0 {
			return ""
		}
		rest = rest[end:]
	}
	for _, lead := range []string{"lý do là", "ly do la", "với lý do", "voi ly do", "lý do", "ly do", "vì", "vi", "do"} {
		trimmed := strings.TrimLeft(rest, " :,;.-–")
		if len(trimmed) > len(lead) && strings.EqualFold(trimmed[:len(lead)], lead) && strings.ContainsRune(" :,", rune(trimmed[len(lead)])) {
			rest = trimmed[len(lead):]
		}
	}
	return strings.Trim(rest, " :,;.-–")
}
