// Package reply understands what an officer writes back by mail: the words above the quoted text, read as an act of the
// recipient by a small grammar, as a whole or not at all. It is pure: it knows no database, no clock and nobody's rights. Who may
// act, and whether the act is possible, the exchange decides.
package reply

import (
	"strings"
	"time"

	"congvan/mailcore/viettext"
)

// An Act is what a reply by mail is understood to say.
type Act string

// Acts of a reply.
const (
	None       Act = "none" // not understood: it changes nothing
	Accept     Act = "accept"
	Refuse     Act = "refuse"
	Forward    Act = "forward" // to another unit, whose matter it is
	Assign     Act = "assign"  // to an officer or a room of the unit
	InProgress Act = "in_progress"
	Complete   Act = "complete"

	// Answers to a letter that asks for a document back; ParseRecall alone reads them.
	RecallAgree  Act = "recall_agree"
	RecallRefuse Act = "recall_refuse"
)

// A Reply is what a reply by mail says.
type Reply struct {
	Act       Act
	Number    string // số đến, "" when none is told
	To        string // of a forward or an assignment, as written: an officer's or a unit's address, its part before @, or a name
	Deadline  string // hạn giải quyết, a civil date as in "2009-11-20", "" when none is told
	Reason    string // of a refusal, as written
	Reference string // số, ký hiệu of the document that the reply says it is about, "" when it names none
}

// Parse reads what an officer wrote in a reply that was sent at the given time, above, below or without quoted text.
//
//	reply    = [ opening ] [ who ] act { clause }
//	act      = accept | refuse | hand on | progress | complete
//	accept   = "đã tiếp nhận" [ document ] [ when ] [ "số đến" number ] | "số đến" number
//	refuse   = "từ chối" [ document ] [ sign ] [ "lý do" | "vì" | "do" ] [ reason ]
//	hand on  = ( "chuyển" | "giao" | "phân công" ) to [ purpose ] [ "hạn" date ]
//	         | ( "giao" | … ) to "chủ trì" { to } "phối hợp" [ "hạn" date ]
//	progress = "đang" ( "xử lý" | … ) [ document ]
//	complete = "hoàn thành" [ document ] | "đã xử lý" [ "xong" ] [ document ]
//
// Words are compared folded, so that diacritics do not count. A reply is understood as a whole or not at all: what follows
// an act may thank, promise or be a signature, but a "nhưng", a negation, a condition, a question or a second act makes
// all of it None, which changes nothing and is passed on to people.
func Parse(text string, sent time.Time) Reply {
	p := &parser{words: cut(OwnLines(text)), sent: civil(sent)}
	for _, w := range p.words {
		if w.fold == "?" {
			return Reply{Act: None}
		}
	}
	p.opening()
	if r, ok := p.sentence(); ok {
		return r
	}
	return Reply{Act: None}
}

// FirstLine returns the first line that somebody wrote himself and that is no greeting.
func FirstLine(text string) string {
	for _, line := range OwnLines(text) {
		p := &parser{words: cut([]string{line})}
		if p.opening(); len(p.words) > 0 && !p.done() {
			return line
		}
	}
	return ""
}

// A parser reads the words of a reply from left to right. Each of its methods either reads what it is named after and
// says so, or leaves the parser where it was.
type parser struct {
	words []word
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
func (p *parser) opening() {
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

func (p *parser) skipTo(ends ...string) {
	for !p.done() && !p.sign(ends...) {
		p.at++
	}
}

// sentence reads polite words, then an act that may have a subject before it, then whatever may follow.
func (p *parser) sentence() (Reply, bool) {
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
func (p *parser) act() (Reply, bool) {
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

// doubts are words after which what was said before may not hold; acting are those of a second act.
var (
	doubts = wordSet("nhưng|tuy|song|chưa|không|ko|kg|chẳng|nếu|thiếu|nhầm|sai|hỏng|lỗi|hủy|huỷ|còn|mất|ngoài|trừ|hoặc|hay|chỉ|mâu|rút|dừng|đính|yêu|nghị|khi|lại|hỏi|chờ|xem|cần|phải|hãy|bị")
	acting = wordSet("chối|xong|chuyển|giao|đang|hạn|nhận|đến|phân|hoàn|gia|trả")
	future = phrases("se|du kien|khi xong|sau do se|va se|xin se|dang du kien")
	thanks = phrases("tran trong|xin tran trong|cam on|xin cam on|xin chan thanh cam on|chan thanh cam on|rat cam on|kinh bao|xin bao|bao de|bao cao de|thong bao de|chuc|kinh chuc|tks|thanks|thank|than men|than ai|kinh thu|best regards|regards|tt|xin thong bao|thong bao den")
)

// tail reports whether what follows an act takes nothing of it back: thanks, promises, a signature.
func (p *parser) tail() bool {
	for strong := false; ; {
		strong = p.sentenceEnd() || strong
		if p.done() {
			return true
		}
		clause := p.clause()
		c := &parser{words: clause}
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
func (p *parser) sentenceEnd() (strong bool) {
	for !p.done() && p.words[p.at].isSign() {
		s := p.words[p.at].fold
		strong = strong || s == "." || s == "!" || s == "\n"
		p.at++
	}
	return strong || p.at == 0
}

func (p *parser) clause() []word {
	start := p.at
	for !p.done() && !p.words[p.at].isSign() {
		p.at++
	}
	return p.words[start:p.at]
}

func (p *parser) onlyParticles() bool {
	p.run(particles)
	return p.done()
}

// code reads the code of a unit that speaks of itself: STTTT.
func (p *parser) code() bool {
	if p.done() || !codeForm.MatchString(p.words[p.at].fold) || viettext.IsSyllable(p.words[p.at].fold) {
		return false
	}
	p.at++
	return true
}

func (p *parser) closing() bool { return p.any(thanks) }

// promises reads "[đơn vị] sẽ …".
func (p *parser) promises() bool {
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
func (p *parser) document() bool {
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

// About reports whether the reply says nothing of another document than this.
func (r Reply) About(reference string) bool {
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
