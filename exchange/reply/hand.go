package reply

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/viettext"
)

var (
	handing   = phrases("chuyen|chuyen tiep|chuyen giao|chuyen tiep van ban|chuyen van ban|chuyen cong van|chuyen van ban nay|chuyen tiep van ban nay")
	entrust   = phrases("giao|phan cong|giao viec|giao nhiem vu|phan cong nhiem vu|giao van ban|giao xu ly")
	toward    = phrases("cho|den|sang|toi|ve|qua|xuong|len|:")
	honorific = phrases("d/c|dc|dong chi|anh|chi|ong|ba|co|chu|a|c|cau|thay")
	// purposes may follow whom something is handed to, in any order.
	purposes = phrases("de|xu ly|giai quyet|tham muu|thuc hien|xem xet|chu tri|theo doi|nghien cuu|trien khai|phu trach|bao cao|tra loi|tham muu van ban tra loi|tham muu tra loi|theo tham quyen|theo quy dinh|" +
		"dung quy dinh|theo chuc nang|gap|khan truong|som|va|xem xet giai quyet|van ban nay|van ban|tham muu giai quyet|de thuc hien|de giai quyet|de xu ly|nhe|a|giup|bao cao lanh dao|bao cao ket qua|hoan thanh|xong")
	dueWords = phrases("han|thoi han|han xu ly|han giai quyet|han hoan thanh|thoi han xu ly|thoi han giai quyet|han cuoi|han chot|han tra loi|deadline|truoc|trong|den|cham nhat|cham nhat la|muon nhat|truoc khi het|het")
	dueMore  = phrases("la|den|het|truoc|trong|vao|vong|trong vong|cham nhat|tu|khoang|xong|cuoi|den het")
)

// officerForm is an officer's address by QĐ 22/2009 Điều 4, whole or before its "@"; mailForm any address.
var (
	officerForm = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-z][a-z0-9\-]*(?:@[a-z0-9.\-]+)?$`)
	mailForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9._\-]*@[a-z0-9\-]+(?:\.[a-z0-9\-]+)+$`)
	codeForm    = regexp.MustCompile(`^[a-z][a-z0-9\-]{1,24}$`)
)

// handOn reads "chuyển …" and "giao …". Handing to a person, or entrusting somebody of the house, is an assignment; handing to
// a unit is forwarding.
func (p *parser) handOn() bool {
	asked := p.any(phrases("de nghi|kinh de nghi|kinh|xin|xin kinh"))
	if p.at > 0 && p.words[p.at-1].in(past) {
		return false // done already, by other ways
	}
	forward := p.any(handing)
	if !forward && !p.any(entrust) {
		if !asked {
			return false
		}
		mark := p.at // "đề nghị đ/c Hà tham mưu": only with what to do
		if person, ok := p.target(); !ok || !person {
			return false
		}
		if purpose := p.at; p.words[mark].fold == "chi" || !p.any(purposes) || purpose == mark {
			return false
		}
		p.out.Act = Assign
		return p.due()
	}
	p.run(toward)
	if mark := p.at; p.team() {
		return true
	} else {
		p.at, p.out = mark, Reply{}
	}
	person, ok := p.target()
	if !ok {
		return false
	}
	p.out.Act = Assign
	if forward && !person && !p.room() {
		p.out.Act = Forward
	}
	return p.due()
}

var (
	past  = wordSet("đã|vừa")
	rooms = phrases("phong|bo phan|to|van phong so|van thu|chanh van phong")
	// families begin the names of people who are named without a title.
	families = wordSet("nguyễn|trần|lê|phạm|hoàng|huỳnh|phan|vũ|võ|đặng|bùi|đỗ|hồ|ngô|dương|lý|đinh|trương|đoàn|lương|mai|tô|trịnh|cao|tạ|hà|đào|lâm|phùng|thái|châu|quách|a|y")
)

// room reports whether what was named is a part of the house: handing on to it is an assignment.
func (p *parser) room() bool {
	q := &parser{words: cut([]string{p.out.To})}
	return q.any(rooms)
}

// fullName reads the name of a person without a title: capitals, and a family name first.
func (p *parser) fullName() bool {
	start := p.at
	return p.words[start].in(families) && p.name(5, true) && p.at-start > 1 &&
		!slices.ContainsFunc(p.words[start:p.at], func(w word) bool { return w.text == strings.ToLower(w.text) })
}

// target reads to whom: an address, a titled person, a unit.
func (p *parser) target() (person, ok bool) {
	if p.done() {
		return false, false
	}
	w := p.words[p.at]
	switch {
	case officerForm.MatchString(w.fold) && plainASCII(w.text):
		person = true
	case mailForm.MatchString(w.fold) && plainASCII(w.text):
	case codeForm.MatchString(w.fold) && plainASCII(w.text) && !viettext.IsSyllable(w.fold) && !p.startsName():
	case p.startsName():
		return false, w.text != "ban" && p.name(14, false) // "giao ban" is a meeting
	case w.text != "A" && w.text != "C" && p.any(honorific):
		p.sign(".")
		return true, p.name(5, true)
	case w.in(families):
		return true, p.fullName()
	default:
		return false, false
	}
	p.out.To = w.text
	p.at++
	return person, true
}

// startsName reports whether the name of a unit begins here.
func (p *parser) startsName() bool {
	mark := p.at
	defer func() { p.at = mark }()
	return p.any(unitStarts)
}

func plainASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

// inName are words that no name has: with them it is a sentence of another kind.
var inName = wordSet("lại|giúp|em|được|thì|nếu|không|chưa|nhưng|nhé|rồi|mà|cũng|sẽ|ai|nào|gì|đó|vì|hay|hoặc|bản|tệp|file|xem|cho|sáng|chiều|lúc|số|khoản")

// name reads the words of a name up to a purpose, a term or the end of the clause.
func (p *parser) name(most int, person bool) bool {
	start := p.at
	for !p.done() && p.at-start <= most {
		w := p.words[p.at]
		if w.isSign() && !(w.fold == "-" && p.at > start) && !p.nameGoesOn() {
			break
		}
		if person && p.at > start && (w.fold == "phong" || w.fold == "ban" || w.fold == "to") {
			return false // "An phòng TCHC": who that is, and where, is for a person to read
		}
		if p.at > start && p.purposeHere() {
			break
		}
		if w.in(inName) && p.at > start {
			return false
		}
		if w.fold == "va" && p.at+1 < len(p.words) && p.otherTarget(p.at+1) {
			return false // several: which of them is in charge, only a person can say
		}
		p.at++
	}
	for p.at > start && p.words[p.at-1].isSign() {
		p.at--
	}
	p.out.To = joinWords(p.words[start:p.at])
	return p.at > start && p.at-start <= most
}

// nameGoesOn: a few names of units have a comma.
func (p *parser) nameGoesOn() bool {
	if p.words[p.at].fold != "," || p.at+2 >= len(p.words) {
		return false
	}
	after := p.words[p.at+1].fold + " " + p.words[p.at+2].fold
	return after == "the thao" || after == "thuong binh" || after == "gia dinh"
}

// purposeHere reports whether a purpose or a term starts here and ends the name: "thực hiện" is one, the "thanh tra" of a
// name is not.
func (p *parser) purposeHere() bool {
	mark, out := p.at, p.out
	defer func() { p.at, p.out = mark, out }()
	if p.words[p.at].fold == "va" || p.words[p.at].fold == "a" && p.words[p.at].text == "A" {
		return false
	}
	if p.any(purposes) {
		return true
	}
	_, ok := p.term()
	return ok
}

func (p *parser) otherTarget(at int) bool {
	q := &parser{words: p.words, at: at, sent: p.sent}
	w := p.words[at]
	return officerForm.MatchString(w.fold) || q.any(honorific) || q.any(phrases("so|ubnd|ban|phong|huyen|cong an|thanh tra|chi cuc|don vi|cac|co quan|van phong|vp"))
}

// due reads purposes and a term to the end of the clause. A term that cannot be told from the words makes all of it doubtful.
func (p *parser) due() bool {
	for {
		p.run(purposes)
		mark := p.at
		p.signs()
		p.run(purposes)
		if t, ok := p.term(); ok {
			p.out.Deadline = t.Format(time.DateOnly)
			p.run(purposes)
			p.run(phrases("em|anh|chi|nhe|nha|a"))
			return p.end()
		}
		if p.any(dueWords) {
			return false
		}
		p.at = mark
		if !p.sign(",") || !p.any(purposes) {
			p.at = mark
			return p.end()
		}
	}
}

// term reads "hạn 20/11", "trước ngày 20 tháng 11", "trong ngày mai", "hết tháng".
func (p *parser) term() (time.Time, bool) {
	mark := p.at
	if !p.any(dueWords) {
		// "sáng mai", "chiều mai" stand by themselves
		if !p.match([]string{"sang"}) && !p.match([]string{"chieu"}) {
			return time.Time{}, false
		}
	} else {
		p.at-- // the last word of it may be the first of the date: "hết tháng", "trong tuần"
		if !p.any(phrases("het|trong|truoc|den")) {
			p.at++
		}
	}
	for p.sign(":") || p.any(dueMore) {
	}
	t, ok := p.day()
	if !ok || t.Before(p.sent) || t.After(p.sent.AddDate(2, 0, 0)) {
		p.at = mark
		return time.Time{}, false
	}
	return t, true
}
