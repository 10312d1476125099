package exchange

import (
	"strings"
	"time"

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
	ReplyAssign     ReplyAct = "assign"  // to an officer or a room of the unit
	ReplyInProgress ReplyAct = "in_progress"
	ReplyComplete   ReplyAct = "complete"
)

// A Reply is what a reply by mail says.
type Reply struct {
	Act       ReplyAct
	Number    string // số đến, "" when none is told
	To        string // of a forward or an assignment, as written: an officer's or a unit's address, its part before @, or a name
	Deadline  string // hạn giải quyết, a civil date as in "2009-11-20", "" when none is told
	Reason    string // of a refusal, as written
	Reference string // số, ký hiệu of the document that the reply says it is about, "" when it names none
}

// ParseReply reads what an officer wrote in a reply that was sent at the given time, above, below or without quoted text.
//
//	reply    = [ opening ] [ who ] act { clause }
//	act      = accept | refuse | hand on | progress | complete
//	accept   = "đã tiếp nhận" [ document ] [ when ] [ "số đến" number ] | "số đến" number
//	refuse   = "từ chối" [ document ] [ sign ] [ "lý do" | "vì" | "do" ] [ reason ]
//	hand on  = ( "chuyển" | "giao" | "phân công" ) to [ purpose ] [ "hạn" date ]
//	progress = "đang" ( "xử lý" | … ) [ document ]
//	complete = "hoàn thành" [ document ] | "đã xử lý" [ "xong" ] [ document ]
//
// Words are compared folded, so that diacritics do not count. A reply is understood as a whole or not at all: what follows
// an act may thank, promise or be a signature, but a "nhưng", a negation, a condition, a question or a second act makes
// all of it ReplyNone, which changes nothing and is passed on to people.
func ParseReply(text string, sent time.Time) Reply {
	p := &replyParser{words: replyWords(OwnLines(text)), sent: civil(sent)}
	for _, w := range p.words {
		if w.fold == "?" {
			return Reply{Act: ReplyNone}
		}
	}
	p.opening()
	if r, ok := p.sentence(); ok {
		return r
	}
	return Reply{Act: ReplyNone}
}

// firstLine returns the first line that somebody wrote himself and that is no greeting.
func firstLine(text string) string {
	for _, line := range OwnLines(text) {
		p := &replyParser{words: replyWords([]string{line})}
		if p.opening(); len(p.words) > 0 && !p.done() {
			return line
		}
	}
	return ""
}

// A replyParser reads the words of a reply from left to right. Each of its methods either reads what it is named after and
// says so, or leaves the parser where it was.
type replyParser struct {
	words []replyWord
	at    int
	sent  time.Time // midnight of the day
	out   Reply
}

// Words that stand before an act and change nothing.
var (
	salutations = phrases("kinh thua|thua|kinh chao|xin chao|chao|dear|hi|hello")
	polite      = phrases("da|vang|ok|oke|okay|xin|em|toi|minh|xin phep|xac nhan|thong bao|bao cao|kinh bao|hien|hien nay|hien tai|hom nay|sang nay|chieu nay|vua|cung|nay")
	// starts begin the name of a unit.
	unitStarts = phrases("so|ubnd|uy ban|huyen|thi xa|thanh pho|tp|xa|phuong|thi tran|tinh|bo|tong cuc|cuc|chi cuc|ban|van phong|vp|phong|thanh tra|cong an|trung tam|tt|hoi|doan|truong|mat tran|" +
		"lien minh|lien doan|kho bac|toa an|vien|bao|dai|bo chi huy|chi nhanh|ngan hang|hdnd|hoi dong|tinh uy|huyen uy|benh vien|bqt|bql|cong ty|buu dien|nha|bao hiem|to|bo phan|chanh van phong|pho giam doc")
	speakers = phrases("van thu|don vi|co quan|chung toi|chung em|ben em|ben toi|ben minh|em|toi|minh|bo phan van thu|lanh dao")
	verdicts = map[string]bool{"da": true, "dang": true, "xin": true, "tu": true, "khong": true, "tra": true, "nhan": true, "vua": true}
)

// opening passes over lines of address: "Kính gửi …" takes its line, "Thưa anh," ends at the comma.
func (p *replyParser) opening() {
	for {
		p.signs()
		switch {
		case p.word("kinh gui") || p.word("kg"):
			p.skipTo("\n")
		case p.any(salutations):
			p.skipTo("\n", ",", ".", "!")
		default:
			return
		}
	}
}

func (p *replyParser) skipTo(ends ...string) {
	for !p.done() && !p.sign(ends...) {
		p.at++
	}
}

// sentence reads polite words, then an act that may have a subject before it, then whatever may follow.
func (p *replyParser) sentence() (Reply, bool) {
	for p.at < len(p.words) {
		if r, ok := p.act(); ok {
			return r, true
		}
		if !p.any(polite) {
			break
		}
		p.sign(",", ":", ".")
	}
	start := p.at
	if !p.any(unitStarts) && !p.any(speakers) && !p.document() && !p.code() {
		return Reply{}, false
	}
	for ; p.at < len(p.words) && p.at-start < 16; p.at++ {
		w := p.words[p.at]
		if w.fold == "." && len(p.words[p.at-1].fold) <= 2 { // H. Đăk Hà, TX. Kon Tum
			continue
		}
		if w.isSign() && w.fold != "-" && w.fold != "," || isNumber(w.fold) || w.in(doubts) && w.fold != "khong" {
			return Reply{}, false
		}
		if verdicts[w.fold] {
			for mark := p.at; ; {
				if r, ok := p.act(); ok {
					return r, true
				}
				if !p.any(polite) {
					p.at = mark
					break
				}
			}
			if w.fold == "khong" {
				return Reply{}, false
			}
		}
	}
	return Reply{}, false
}

// act reads one act with everything that belongs to it, up to the end of the reply.
func (p *replyParser) act() (Reply, bool) {
	mark := p.at
	for _, try := range []func() bool{p.refusal, p.handOn, p.progress, p.completion, p.acceptance} {
		p.at, p.out = mark, Reply{}
		if try() && p.tail() {
			return p.out, true
		}
	}
	p.at, p.out = mark, Reply{}
	return Reply{}, false
}

var (
	receive   = phrases("tiep nhan|tiepnhan|tiep nhan va vao so|tiep nhan va vao so den|tiep nhan va dang ky")
	gotten    = phrases("nhan duoc|nhan dc|nhan roi|nhan duoc roi")
	got       = phrases("nhan|nhan du|nhan day du|nhan va vao so")
	booked    = phrases("vao so|vao so den|vao so van ban den|vao so cong van den|dang ky|vao so va dang ky")
	particles = phrases("roi|a|nhe|nha|em|anh|chi|day du|du|duoc|dc|ah|ok")
	numbered  = phrases("so den|sd|so van ban den|so cong van den|so vb den|so cv den|so den la|vao so den so|vao so so den|vao so so|va vao so so|so den so|den so")
)

// acceptance reads "đã tiếp nhận …" or a number of arrival by itself.
func (p *replyParser) acceptance() bool {
	p.out.Act = ReplyAccept
	told := p.any(phrases("da|da duoc|vua|duoc|em da|xin"))
	onlyBooked := false
	switch {
	case p.any(receive), p.any(gotten), told && p.typo("tiepnhan"):
	case told && p.any(got):
	case p.any(booked):
		onlyBooked = true
	case !told && p.numberTold(true):
		p.arrivedOn()
		mark := p.at
		if p.signs(); !p.word("da") || !p.any(receive) && !p.any(got) || !p.end() { // "số đến 12, đã tiếp nhận"
			p.at = mark
		}
		return p.end()
	default:
		return false
	}
	p.run(particles)
	p.document()
	p.run(particles)
	p.when()
	p.run(particles)
	mark := p.at
	p.signs()
	strong := p.at > mark && p.words[p.at-1].fold == "\n"
	if !p.numberTold(strong) {
		p.at = mark
		return !onlyBooked && p.end()
	}
	p.when()
	p.arrivedOn()
	return p.end()
}

// numberTold reads the number of arrival. A number before "/" is the document's own unless it is named as số đến; named says
// that a bare "số 12" would not be one here.
func (p *replyParser) numberTold(named bool) bool {
	mark := p.at
	p.any(phrases("voi|vao|la|va|cung|theo"))
	byName := p.any(numbered)
	if !byName && (named || !p.word("so")) {
		p.at = mark
		return false
	}
	p.sign(":")
	p.any(phrases("la|so|:"))
	p.sign(":")
	if p.done() {
		p.at = mark
		return false
	}
	number, rest, own := strings.Cut(p.words[p.at].fold, "/")
	if !arrivalNumberForm(number) || own && (!byName || strings.ContainsAny(rest, "0123456789")) {
		p.at = mark
		return false
	}
	p.at++
	p.out.Number = strings.TrimLeft(number, "0")
	p.run(phrases("roi|a|nhe|nha"))
	return p.out.Number != ""
}

// arrivalNumberForm accepts up to six digits, with a letter where a number was given twice: 12a.
func arrivalNumberForm(s string) bool {
	digits := strings.TrimRight(s, "abcdefgh")
	return digits != "" && len(digits) <= 6 && len(s)-len(digits) <= 1 && strings.Trim(digits, "0123456789") == ""
}

// arrivedOn reads the day of arrival, which the register knows better.
func (p *replyParser) arrivedOn() {
	mark := p.at
	p.signs()
	if p.any(phrases("ngay den|ngay")) {
		p.sign(":")
		if _, ok := p.day(); ok {
			return
		}
	}
	p.at = mark
}

// when reads a time that has passed: "lúc 8h30 ngày 16/11".
func (p *replyParser) when() bool {
	mark := p.at
	p.word("vao")
	lucky := p.word("luc")
	p.clock()
	if p.any(phrases("ngay|hom nay|sang nay|chieu nay")) && p.words[p.at-1].fold != "nay" {
		day, ok := p.day()
		if !ok || day.After(p.sent) {
			p.at = mark
			return false
		}
	}
	return lucky || p.at > mark
}

var (
	working  = phrases("xu ly|giai quyet|thuc hien|trien khai|trien khai thuc hien|xem xet xu ly|xem xet giai quyet|xem xet, giai quyet|nghien cuu xu ly|trong qua trinh xu ly|trong qua trinh giai quyet|trong qua trinh thuc hien|tien hanh xu ly")
	finished = phrases("hoan thanh|hoan tat|hoan thanh viec xu ly|hoan thanh xu ly|hoan thanh viec giai quyet|hoan thanh giai quyet|xu ly xong|giai quyet xong|thuc hien xong|xong|lam xong|hoan thanh viec thuc hien")
	dealt    = phrases("xu ly|giai quyet|thuc hien")
)

// progress reads "đang xử lý" and "đang được phòng … xử lý".
func (p *replyParser) progress() bool {
	p.out.Act = ReplyInProgress
	p.word("van")
	if !p.word("dang") {
		return false
	}
	if p.word("duoc") {
		for n := 0; n < 8 && !p.done() && !p.any(working); n++ {
			if p.sign(".", ",", "\n", ":", ";") {
				return false
			}
			p.at++
		}
		p.at -= min(p.at, 2)
	}
	if !p.any(working) {
		return false
	}
	p.document()
	p.run(phrases("roi|a|nhe|nha|day|khan truong|gap"))
	return p.end()
}

// completion reads "hoàn thành" and "đã xử lý xong". Done on a day to come is a wish, not an act.
func (p *replyParser) completion() bool {
	p.out.Act = ReplyComplete
	told := p.any(phrases("da|da duoc|duoc"))
	if !p.any(finished) && !(told && (p.typo("hoanthanh") || p.any(dealt))) {
		return false
	}
	p.run(phrases("roi|a|nhe|nha|xong"))
	p.document()
	p.run(phrases("roi|a|nhe|nha"))
	p.when()
	return p.end()
}

var (
	refusing = phrases("tu choi|tu choi nhan|tu choi tiep nhan|tra lai|khong tiep nhan|khong nhan|tu choi va tra lai|gui tra lai|hoan tra|xin tra lai|tuchoi")
	because  = phrases("vi|do|ly do|voi ly do|vi ly do|boi vi|li do|ly do la|do la|vi la")
)

// refusal reads a refusal with its reason: to the end of the line, or the sentence after.
func (p *replyParser) refusal() bool {
	p.out.Act = ReplyRefuse
	asked := p.word("de nghi") || p.word("kinh de nghi")
	p.any(phrases("xin|duoc|xin duoc|xin phep"))
	if !p.any(refusing) {
		return false
	}
	p.document()
	p.any(phrases("a|nhe"))
	signed := p.signs()
	if p.done() {
		return !asked
	}
	why := p.any(because)
	p.signs()
	if !signed && !why || asked && !why || p.done() {
		return false
	}
	if p.closing() {
		return p.tail()
	}
	if mark, out := p.at, p.out; !why {
		if _, ok := p.act(); ok || p.negates() {
			return false // a second act is no reason
		}
		p.at, p.out = mark, out
	}
	p.out.Reason = p.restOfLine()
	return p.out.Reason != "" && p.noOtherAct()
}

// negates reports a condition or an alternative where a reason should stand: "từ chối, nếu …".
func (p *replyParser) negates() bool {
	return p.any(phrases("neu|hay|hoac|thi|la|khi nao|khong biet|se"))
}

// restOfLine returns the text from here to the end of the line, without closing words, as it was written.
func (p *replyParser) restOfLine() string {
	start := p.at
	for !p.done() && p.words[p.at].fold != "\n" {
		if p.at > start && (p.words[p.at-1].fold == "." || p.words[p.at-1].fold == "!") && p.closing() {
			p.at--
			break
		}
		p.at++
	}
	end := p.at
	for end > start+1 && (p.words[end-1].text == "ạ" || p.words[end-1].text == "nhé") || end > start && p.words[end-1].isSign() && p.words[end-1].fold != ")" {
		end--
	}
	if end > start && p.words[end-1].fold == ")" && (start == 0 || p.words[start-1].fold == "(") {
		end--
	}
	text := joinWords(p.words[start:end])
	p.skipTo("\n")
	return text
}

// noOtherAct reports whether no later line says something else.
func (p *replyParser) noOtherAct() bool {
	out := p.out
	defer func() { p.out = out }()
	for !p.done() {
		rest := &replyParser{words: p.words, at: p.at, sent: p.sent}
		if _, ok := rest.sentence(); ok {
			return false
		}
		p.skipTo("\n")
	}
	return true
}

// doubts are words after which what was said before may not hold; acting are those of a second act.
var (
	doubts = wordSet("nhưng|tuy|song|chưa|không|ko|kg|chẳng|nếu|thiếu|nhầm|sai|hỏng|lỗi|hủy|huỷ|còn|mất|ngoài|trừ|hoặc|hay|chỉ|mâu|rút|dừng|đính|yêu|nghị|khi|lại|hỏi|chờ|xem|cần|phải|hãy|bị")
	acting = wordSet("chối|xong|chuyển|giao|đang|hạn|nhận|đến|phân|hoàn|gia|trả")
	future = phrases("se|du kien|khi xong|sau do se|va se|xin se|dang du kien")
	thanks = phrases("tran trong|xin tran trong|cam on|xin cam on|xin chan thanh cam on|chan thanh cam on|rat cam on|kinh bao|xin bao|bao de|bao cao de|thong bao de|chuc|kinh chuc|tks|thanks|thank|than men|than ai|kinh thu|best regards|regards|tt|xin thong bao|thong bao den")
)

// tail reports whether what follows an act takes nothing of it back: thanks, promises, a signature.
func (p *replyParser) tail() bool {
	for strong := false; ; {
		strong = p.sentenceEnd() || strong
		if p.done() {
			return true
		}
		clause := p.clause()
		c := &replyParser{words: clause}
		switch {
		case c.closing(), c.onlyParticles():
		case c.promises():
			if containsAny(clause, doubts) {
				return false
			}
		case !strong || containsAny(clause, doubts) || containsAny(clause, acting):
			return false
		}
	}
}

// sentenceEnd passes over signs and reports whether a sentence ended among them.
func (p *replyParser) sentenceEnd() (strong bool) {
	for !p.done() && p.words[p.at].isSign() {
		s := p.words[p.at].fold
		strong = strong || s == "." || s == "!" || s == "\n"
		p.at++
	}
	return strong || p.at == 0
}

func (p *replyParser) clause() []replyWord {
	start := p.at
	for !p.done() && !p.words[p.at].isSign() {
		p.at++
	}
	return p.words[start:p.at]
}

func (p *replyParser) onlyParticles() bool {
	p.run(particles)
	return p.done()
}

// code reads the code of a unit that speaks of itself: STTTT.
func (p *replyParser) code() bool {
	if p.done() || !codeForm.MatchString(p.words[p.at].fold) || viettext.IsSyllable(p.words[p.at].fold) {
		return false
	}
	p.at++
	return true
}

func (p *replyParser) closing() bool { return p.any(thanks) }

// promises reads "[đơn vị] sẽ …".
func (p *replyParser) promises() bool {
	if p.any(future) {
		return true
	}
	if !p.any(unitStarts) && !p.any(speakers) {
		return false
	}
	for n := 0; n < 8 && !p.done(); n++ {
		if p.any(future) {
			return true
		}
		p.at++
	}
	return false
}

var (
	kinds = phrases("van ban|vb|cong van|cv|quyet dinh|qd|thong bao|giay moi|to trinh|ke hoach|chi thi|cong dien|ban dien tu|van ban dien tu|van ban den|tai lieu|phu luc|tai lieu kem theo|van ban kem theo|tep dinh kem|" +
		"cong van den|cac tai lieu|du van ban|day du van ban")
	which = phrases("nay|tren|neu tren|noi tren|kem theo|dinh kem|ve viec nay|cua don vi|cua quy co quan|cua quy don vi|cua van phong|cua cac anh")
)

// document reads which document is meant: "văn bản số 74/UBND-TH ngày 12/11/2009 của UBND tỉnh".
func (p *replyParser) document() bool {
	if !p.any(kinds) {
		return false
	}
	for p.word("va") && p.any(kinds) {
	}
	p.any(which)
	mark := p.at
	if p.word("so"); !p.done() && isReference(p.words[p.at].fold) {
		p.out.Reference = p.words[p.at].text
		p.at++
	} else {
		p.at = mark
	}
	mark = p.at
	if p.word("ngay") {
		if _, ok := p.day(); !ok {
			p.at = mark
		}
	}
	if p.word("cua") {
		for n := 0; n < 10 && !p.done() && !p.words[p.at].isSign(); n++ {
			if p.words[p.at].fold == "da" || p.words[p.at].fold == "dang" || p.words[p.at].in(doubts) {
				break
			}
			p.at++
		}
	}
	p.any(which)
	return true
}

// isReference accepts a document's own number: 74/UBND-TH, 15/2009/QĐ-UBND.
func isReference(s string) bool {
	number, symbol, ok := strings.Cut(s, "/")
	return ok && number != "" && strings.Trim(number, "0123456789") == "" && strings.ContainsFunc(symbol, func(r rune) bool { return r >= 'a' && r <= 'z' })
}

// about reports whether the reply says nothing of another document than this.
func (r Reply) about(reference string) bool {
	return r.Reference == "" || referenceKey(r.Reference) == referenceKey(reference)
}

// referenceKey is what two ways to write a reference have in common.
func referenceKey(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '/' {
			return r
		}
		return -1
	}, strings.TrimLeft(viettext.Fold(s), "0"))
}
