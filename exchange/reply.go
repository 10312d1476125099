package exchange

import (
	"regexp"
	"strings"

	"congvan/mailcore/viettext"
)

// A ReplyAct is what a reply by mail is understood to say.
type ReplyAct string

// Acts of a reply.
const (
	ReplyNone       ReplyAct = "none" // not understood: it changes nothing
	ReplyAccept     ReplyAct = "accept"
	ReplyRefuse     ReplyAct = "refuse"
	ReplyForward    ReplyAct = "forward" // to another unit, whose matter it is
	ReplyAssign     ReplyAct = "assign"  // to an officer of the unit
	ReplyInProgress ReplyAct = "in_progress"
	ReplyComplete   ReplyAct = "complete"
)

// A Reply is what the first line of a reply says.
type Reply struct {
	Act      ReplyAct
	Number   string // số đến, "" when none is told
	To       string // of a forward or an assignment, as written: an officer's or a unit's address, its part before @, or a name
	Deadline string // hạn giải quyết, a civil date as in "2009-11-20", "" when none is told
	Reason   string // of a refusal, as written
}

// Patterns work on folded text: without diacritics, lower case. Each must fit from the start of the line, so that "chưa
// tiếp nhận" or a sentence about something else is nobody's act.
var (
	acceptLine   = regexp.MustCompile(`^(?:da |xin |don vi da )?(?:tiep nhan|nhan(?: duoc)?(?: van ban)?|vao so(?: den)?)(?: van ban)?\b(.*)$`)
	numberLine   = regexp.MustCompile(`^so den\b(.*)$`)
	progressLine = regexp.MustCompile(`^(?:van ban )?dang (?:xu ly|giai quyet|thuc hien)\b`)
	completeLine = regexp.MustCompile(`^(?:da )?(?:hoan thanh|(?:xu ly|giai quyet|thuc hien) xong)\b`)
	refuseLine   = regexp.MustCompile(`^(?:xin |don vi )?(?:tu choi|tra lai|khong tiep nhan)(?: tiep nhan| nhan| van ban)*\b`)
	// arrivalTold is a số đến named as such, after nothing but what document it is; a number before "/" is a document's own.
	arrivalTold = regexp.MustCompile(`^[\s,;:.\-]*(?:(?:van ban|cong van|quyet dinh|thong bao|giay moi)\s*)?(?:so\s*[^\s,;]*/[^\s,;]+)?(?:\s+ngay\s+[0-9/.\-]+)?(?:\s+cua\s+[^,;:]{1,80})?[\s,;:.\-]*(?:(?:voi|vao)\s+)?so den\b[\s:]*(?:la |so )?([0-9]{1,6}[a-z]?)\b`)
	ownNumber   = regexp.MustCompile(`\bso\s*[^\s,;]*/[^\s,;]+`)
	numberTold  = regexp.MustCompile(`^[\s,;:.\-]*(?:(?:voi|vao) )?(?:so den|so)?[\s:]*(?:la |so )?([0-9]{1,6}[a-z]?)\b`)
	bareTail    = regexp.MustCompile(`^[\s,;:.!\-]*(?:van ban|cong van|thu|roi|ngay [0-9/.\-]+|a)?[\s.!]*$`)
	greeting    = regexp.MustCompile(`^(?:kinh gui|kinh thua|kinh chao|xin chao|chao|dear|thua)\b`)
	quoteHead   = regexp.MustCompile(`^(?:-+ ?(?:original message|thu goc|forwarded)|on .* wrote:|(?:vao|ngay) .* (?:da viet|viet):|_{5,})`)
)

// ParseReply reads what an officer wrote above the quoted text. It understands a few plain sentences, with or without
// diacritics, and nothing by halves: whatever is doubtful is ReplyNone.
func ParseReply(text string) Reply {
	line := firstLine(text)
	folded := viettext.Fold(line)
	if strings.Contains(folded, "?") {
		return Reply{Act: ReplyNone}
	}
	switch {
	case refuseLine.MatchString(folded):
		return Reply{Act: ReplyRefuse, Reason: afterWords(line, refuseLine.FindString(folded))}
	case progressLine.MatchString(folded):
		return Reply{Act: ReplyInProgress}
	case completeLine.MatchString(folded):
		return Reply{Act: ReplyComplete}
	}
	for _, p := range []*regexp.Regexp{acceptLine, numberLine} {
		m := p.FindStringSubmatch(folded)
		if m == nil {
			continue
		}
		tail := m[1]
		if p == numberLine {
			tail = "so den" + tail
		}
		if n := arrivalTold.FindStringSubmatch(tail); n != nil {
			return Reply{Act: ReplyAccept, Number: strings.TrimLeft(n[1], "0")}
		}
		tail = ownNumber.ReplaceAllString(tail, "")
		if n := numberTold.FindStringSubmatch(tail); n != nil {
			return Reply{Act: ReplyAccept, Number: strings.TrimLeft(n[1], "0")}
		}
		if p == acceptLine && bareTail.MatchString(tail) {
			return Reply{Act: ReplyAccept}
		}
	}
	return Reply{Act: ReplyNone}
}

// firstLine returns the first line that is neither empty, quoted nor a greeting; "" once quoted text begins.
func firstLine(text string) string {
	for line := range strings.Lines(viettext.NFC(text)) {
		line = strings.Join(strings.Fields(line), " ")
		folded := viettext.Fold(line)
		switch {
		case line == "", greeting.MatchString(folded):
			continue
		case strings.HasPrefix(line, ">"), quoteHead.MatchString(folded):
			return ""
		}
		return line
	}
	return ""
}

// afterWords returns what follows in the line after as many words as the folded match has, without the separator.
func afterWords(line, match string) string {
	words := strings.Fields(line)
	n := min(len(strings.Fields(match)), len(words))
	head, rest := words[n-1], strings.Join(words[n:], " ")
	if i := strings.IndexAny(head, ":,;-"); i >= 0 && i+1 < len(head) { // "chối:gửi nhầm"
		rest = head[i+1:] + " " + rest
	}
	rest = strings.TrimSpace(strings.Trim(rest, " :,;.-–"))
	for _, w := range []string{"vì ", "do ", "vi ", "lý do ", "ly do ", "lý do: "} {
		rest = strings.TrimPrefix(rest, w)
	}
	return strings.TrimSpace(strings.TrimLeft(rest, ": "))
}
