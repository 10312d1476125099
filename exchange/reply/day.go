package reply

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// civil is the midnight that begins the day of an instant in Vietnam (UTC+7), as a date without a zone.
func civil(t time.Time) time.Time {
	return t.UTC().Add(7 * time.Hour).Truncate(24 * time.Hour)
}

var (
	clockForm = regexp.MustCompile(`^([01]?[0-9]|2[0-4])(?:h|g|gio|:)([0-5][0-9])?(?:p|ph|phut)?$`)
	dateForm  = regexp.MustCompile(`^([0-3]?[0-9])([/.\-])([01]?[0-9])(?:([/.\-])([0-9]{4}|[0-9]{2}))?$`)
	isoForm   = regexp.MustCompile(`^([0-9]{4})-([0-9]{2})-([0-9]{2})$`)
	monthForm = regexp.MustCompile(`^([01]?[0-9])(?:/([0-9]{4}))?$`)
	numerals  = map[string]int{"mot": 1, "hai": 2, "ba": 3, "bon": 4, "tu": 4, "nam": 5, "lam": 5, "sau": 6, "bay": 7, "tam": 8, "chin": 9, "muoi": 10}
	weekdays  = map[string]time.Weekday{"hai": 1, "ba": 2, "tu": 3, "nam": 4, "sau": 5, "bay": 6, "2": 1, "3": 2, "4": 3, "5": 4, "6": 5, "7": 6,
		"t2": 1, "t3": 2, "t4": 3, "t5": 4, "t6": 5, "t7": 6, "cn": 0}
)

// day reads a day: written out, or told from the day of sending.
func (p *parser) day() (time.Time, bool) {
	mark := p.at
	p.clock()
	p.any(phrases("cuoi gio|dau gio"))
	for p.any(phrases("sang|chieu|trua|toi|buoi sang|buoi chieu")) {
	}
	for _, read := range []func() (time.Time, bool){p.dated, p.nearDay, p.span, p.weekday, p.stretch} {
		here := p.at
		if t, ok := read(); ok {
			return t, true
		}
		p.at = here
	}
	p.at = mark
	return time.Time{}, false
}

// clock passes over an hour: 17h, 17h00, 8:30, 17 giờ 30.
func (p *parser) clock() {
	switch {
	case p.done():
	case clockForm.MatchString(p.words[p.at].fold):
		p.at++
	case p.at+1 < len(p.words) && isNumber(p.words[p.at].fold) && p.words[p.at+1].fold == "gio":
		p.at += 2
		if !p.done() && isNumber(p.words[p.at].fold) {
			p.at++
			p.word("phut")
		}
	}
}

// nearDay reads days that are named from today.
func (p *parser) nearDay() (time.Time, bool) {
	switch {
	case p.any(phrases("ngay mai|mai|hom sau")):
		return p.sent.AddDate(0, 0, 1), true
	case p.any(phrases("ngay kia|ngay mot|mot kia|mot")) && !p.aheadUnit():
		return p.sent.AddDate(0, 0, 2), true
	case p.any(phrases("hom nay|ngay hom nay|trong ngay|ngay nay|nay")):
		return p.sent, true
	case p.at > 0 && p.words[p.at-1].fold == "trong" && p.word("ngay") && p.end(): // "hạn trong ngày"
		return p.sent, true
	}
	return time.Time{}, false
}

// aheadUnit: "một tuần" is no "mốt".
func (p *parser) aheadUnit() bool {
	return p.match([]string{"ngay"}) || p.match([]string{"tuan"}) || p.match([]string{"thang"})
}

// span reads a number of days or weeks from today: "3 ngày làm việc", "hai tuần".
func (p *parser) span() (time.Time, bool) {
	n, ok := p.number()
	if !ok || n < 1 || n > 366 {
		return time.Time{}, false
	}
	switch {
	case p.any(phrases("ngay lam viec")):
		t := p.sent
		for n > 0 {
			if t = t.AddDate(0, 0, 1); t.Weekday() != time.Saturday && t.Weekday() != time.Sunday {
				n--
			}
		}
		return t, p.fromToday()
	case p.any(phrases("ngay|hom")):
		return p.sent.AddDate(0, 0, n), p.fromToday()
	case p.any(phrases("tuan")):
		return p.sent.AddDate(0, 0, 7*n), p.fromToday()
	case p.any(phrases("thang")):
		return p.sent.AddDate(0, n, 0), p.fromToday()
	}
	return time.Time{}, false
}

// fromToday reads "kể từ hôm nay"; from any other day the span is not ours to count.
func (p *parser) fromToday() bool {
	p.any(phrases("nua|toi"))
	if !p.any(phrases("ke tu|tinh tu|tu")) {
		return true
	}
	return p.any(phrases("hom nay|nay|ngay hom nay|bay gio"))
}

func (p *parser) number() (int, bool) {
	if p.done() {
		return 0, false
	}
	w := p.words[p.at].fold
	if n, ok := numerals[w]; ok {
		p.at++
		return n, true
	}
	n, err := strconv.Atoi(w)
	if err != nil || !isNumber(w) {
		return 0, false
	}
	p.at++
	return n, true
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 4 && strings.Trim(s, "0123456789") == ""
}

// weekday reads "thứ sáu tuần này". By itself it is the next such day; today's own name alone would be ambiguous.
func (p *parser) weekday() (time.Time, bool) {
	p.word("ngay")
	var day time.Weekday
	switch {
	case p.any(phrases("chu nhat|cn")):
	case p.done():
		return time.Time{}, false
	default:
		named := p.word("thu")
		if p.done() {
			return time.Time{}, false
		}
		w, ok := weekdays[p.words[p.at].fold]
		if !ok || !named && !strings.HasPrefix(p.words[p.at].fold, "t") || !named && len(p.words[p.at].fold) != 2 {
			return time.Time{}, false
		}
		p.at++
		day = w
	}
	ahead := (int(day)+6)%7 - (int(p.sent.Weekday())+6)%7 // in the week from Monday to Sunday
	switch {
	case p.any(phrases("tuan nay|nay")):
	case p.any(phrases("tuan sau|tuan toi|sau|toi")):
		ahead += 7
	case p.match([]string{"tuan"}), ahead == 0:
		return time.Time{}, false
	case ahead < 0:
		ahead += 7
	}
	if p.sign("(") || p.sign(",") {
		if t, ok := p.dated(); ok && t.Equal(p.sent.AddDate(0, 0, ahead)) {
			p.sign(")")
			return t, true
		}
		p.at--
	}
	return p.sent.AddDate(0, 0, ahead), true
}

// stretch reads the end of a week, month or year. A week of an office ends on Friday.
func (p *parser) stretch() (time.Time, bool) {
	p.any(phrases("het|cuoi|trong|den het"))
	first := p.word("dau")
	switch {
	case p.word("tuan"):
		friday := p.sent.AddDate(0, 0, 4-(int(p.sent.Weekday())+6)%7)
		if first {
			friday = friday.AddDate(0, 0, -4)
		}
		switch {
		case p.any(phrases("sau|toi")):
			return friday.AddDate(0, 0, 7), true
		case p.match([]string{"truoc"}):
			return time.Time{}, false
		}
		p.word("nay")
		return friday, !first
	case first:
		return time.Time{}, false
	case p.word("thang"):
		return p.monthEnd()
	case p.any(phrases("nam nay|nam")):
		return time.Date(p.sent.Year(), 12, 31, 0, 0, 0, 0, time.UTC), true
	}
	return time.Time{}, false
}

func (p *parser) monthEnd() (time.Time, bool) {
	year, month := p.sent.Year(), p.sent.Month()
	switch {
	case p.any(phrases("sau|toi")):
		month++
	case p.any(phrases("nay")), p.done():
	default:
		if m := monthForm.FindStringSubmatch(p.words[p.at].fold); m != nil {
			p.at++
			n, _ := strconv.Atoi(m[1])
			if n < 1 || n > 12 {
				return time.Time{}, false
			}
			if month = time.Month(n); m[2] != "" {
				year, _ = strconv.Atoi(m[2])
			} else if month < p.sent.Month() {
				year++
			}
		}
	}
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC), true
}

// dated reads a date: 20/11, 20-11-2009, "ngày 20 tháng 11 năm 2009", "ngày 20". Without a year it is the next one, unless that
// is more than half a year away: then the date has passed and somebody mistyped it.
func (p *parser) dated() (time.Time, bool) {
	named := p.any(phrases("ngay|mung|mong|hom"))
	p.any(phrases("mung|mong"))
	if p.done() {
		return time.Time{}, false
	}
	w := p.words[p.at].fold
	if m := isoForm.FindStringSubmatch(w); m != nil {
		p.at++
		t, err := time.Parse(time.DateOnly, w)
		return t, err == nil
	}
	if m := dateForm.FindStringSubmatch(w); m != nil && (m[4] == "" || m[4] == m[2]) {
		p.at++
		if m[5] == "" && p.word("nam") && !p.done() {
			m[5] = p.words[p.at].fold
			p.at++
		}
		return p.date(m[1], m[3], m[5])
	}
	if !isNumber(w) || len(w) > 2 {
		return time.Time{}, false
	}
	p.at++
	if p.word("thang") && !p.done() {
		month, year := p.words[p.at].fold, ""
		p.at++
		if n, ok := numerals[month]; ok {
			month = strconv.Itoa(n)
		}
		if m := monthForm.FindStringSubmatch(month); m != nil {
			month, year = m[1], m[2]
		}
		if p.word("nam") && !p.done() {
			year = p.words[p.at].fold
			p.at++
		}
		return p.date(w, month, year)
	}
	if !named {
		return time.Time{}, false
	}
	return p.dayOfMonth(w)
}

// dayOfMonth is the next day with that number.
func (p *parser) dayOfMonth(number string) (time.Time, bool) {
	n, _ := strconv.Atoi(number)
	for month := p.sent.Month(); month <= p.sent.Month()+1; month++ {
		t := time.Date(p.sent.Year(), month, n, 0, 0, 0, 0, time.UTC)
		if t.Day() == n && !t.Before(p.sent) {
			return t, true
		}
	}
	return time.Time{}, false
}

func (p *parser) date(day, month, year string) (time.Time, bool) {
	d, errDay := strconv.Atoi(day)
	m, errMonth := strconv.Atoi(month)
	y, errYear := p.sent.Year(), error(nil)
	if year != "" {
		if y, errYear = strconv.Atoi(year); len(year) == 2 {
			y += 2000
		}
	}
	if errDay != nil || errMonth != nil || errYear != nil || m < 1 || m > 12 || y < 1990 || y > 2200 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Day() != d {
		return time.Time{}, false
	}
	if year != "" || !t.Before(p.sent) {
		return t, true
	}
	if next := t.AddDate(1, 0, 0); next.Day() == d && next.Sub(p.sent) < 183*24*time.Hour {
		return next, true
	}
	return t, true
}
