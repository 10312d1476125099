package reply

import "strings"

var (
	receive   = phrases("tiep nhan|tiepnhan|tiep nhan va vao so|tiep nhan va vao so den|tiep nhan va dang ky")
	gotten    = phrases("nhan duoc|nhan dc|nhan roi|nhan duoc roi")
	got       = phrases("nhan|nhan du|nhan day du|nhan va vao so")
	booked    = phrases("vao so|vao so den|vao so van ban den|vao so cong van den|dang ky|vao so va dang ky")
	particles = phrases("roi|a|nhe|nha|em|anh|chi|day du|du|duoc|dc|ah|ok")
	numbered  = phrases("so den|sd|so van ban den|so cong van den|so vb den|so cv den|so den la|vao so den so|vao so so den|vao so so|va vao so so|so den so|den so")
)

// acceptance reads "đã tiếp nhận …" or a number of arrival by itself.
func (p *parser) acceptance() bool {
	p.out.Act = Accept
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
func (p *parser) numberTold(named bool) bool {
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
func (p *parser) arrivedOn() {
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
func (p *parser) when() bool {
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
func (p *parser) progress() bool {
	p.out.Act = InProgress
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
func (p *parser) completion() bool {
	p.out.Act = Complete
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
func (p *parser) refusal() bool {
	p.out.Act = Refuse
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
func (p *parser) negates() bool {
	return p.any(phrases("neu|hay|hoac|thi|la|khi nao|khong biet|se"))
}

// restOfLine returns the text from here to the end of the line, without closing words, as it was written.
func (p *parser) restOfLine() string {
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
func (p *parser) noOtherAct() bool {
	out := p.out
	defer func() { p.out = out }()
	for !p.done() {
		rest := &parser{words: p.words, at: p.at, sent: p.sent}
		if _, ok := rest.sentence(); ok {
			return false
		}
		p.skipTo("\n")
	}
	return true
}
