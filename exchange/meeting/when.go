package meeting

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is believed.
const (
	maxDays  = 31  // a meeting that lasts longer is none
	maxAhead = 366 // days from the document's date to the meeting
	earliest = 6   // an hour before it without a part of the day may be one of the afternoon
)

// When reads a passage that tells a time and nothing else. Every word of it counts.
func When(text, issued string) (*Meeting, error) {
	text = tidy(text)
	s := &scan{rest: strings.ToLower(strings.Join(strings.Fields(text), " ")), issued: issued}
	if strings.Trim(s.rest, " .,;:()-") == "" {
		return nil, ErrNone
	}
	for s.rest = strings.TrimSpace(s.rest); s.rest != ""; s.rest = strings.TrimSpace(s.rest) {
		if !s.step() || len(s.tokens) > 40 {
			return nil, ErrUnsure
		}
	}
	m := s.meeting()
	if m == nil {
		return nil, ErrUnsure
	}
	m.Words = strings.Trim(strings.Join(strings.Fields(text), " "), " .,;")
	return m, nil
}

// A token is one thing that a passage says.
type token struct {
	kind     byte // c clock, d days, p part, w weekday, n number of days, a all day, j "đến", o an end that nobody knows
	hour     int
	minute   int
	day, end time.Time // of days
	word     string
	n        int
}

type scan struct {
	rest   string
	issued string
	tokens []token
}

var (
	stop = `(?:[^\pL\d]|$)`

	clockText   = regexp.MustCompile(`^(\d{1,2}) ?(?:giờ|h|g)(?: ?(\d{2}))?(?: ?(?:phút|ph|['’′]))?`)
	halfText    = regexp.MustCompile(`^(\d{1,2}) giờ rưỡi` + stop)
	colonText   = regexp.MustCompile(`^(\d{1,2}):(\d{2})(?: ?(?:giờ|h))?`)
	wholeDate   = regexp.MustCompile(`^(?:ngày ?)?(\d{1,2}) ?([/.-]) ?(\d{1,2}) ?([/.-]) ?(\d{4})`)
	wordDate    = regexp.MustCompile(`^(?:ngày ?)?(\d{1,2}) tháng (\d{1,2})(?:,? ?năm (\d{4}))?`)
	shortDate   = regexp.MustCompile(`^(?:ngày ?)?(\d{1,2})/(\d{1,2})`)
	dayList     = regexp.MustCompile(`^(?:ngày ?)?((?:\d{1,2}(?: ?, ?| và )(?:ngày )?)+)(\d{1,2})(?:([/-])(\d{1,2})(?:([/-])(\d{4}))?| tháng (\d{1,2})(?:,? ?năm (\d{4}))?)`)
	digits      = regexp.MustCompile(`\d+`)
	daySpan     = regexp.MustCompile(`^(?:từ )?(?:ngày ?)?(\d{1,2})(?:/(\d{1,2}))?(?: ?[-–] ?| đến (?:hết )?)(?:ngày )?(\d{1,2})(?:([/-])(\d{1,2})(?:([/-])(\d{4}))?| tháng (\d{1,2})(?:,? ?năm (\d{4}))?)`)
	partText    = regexp.MustCompile(`^(?:vào )?(?:buổi )?(sáng|trưa|chiều|tối)` + stop)
	weekdayText = regexp.MustCompile(`^(?:thứ (hai|ba|tư|năm|sáu|bảy|bẩy|[2-7])|(chủ nhật))` + stop)
	countText   = regexp.MustCompile(`^(?:trong )?(?:thời gian )?(\d{1,2}|một|hai|ba|bốn|năm)(?: \((?:một|hai|ba|bốn|năm)\))? ngày` + stop)
	halfDay     = regexp.MustCompile(`^(?:trong )?(?:½|1/2|nửa|một buổi|01 buổi|1 buổi)(?: ngày)?` + stop)
	allDay      = regexp.MustCompile(`^(?:cả|nguyên|trọn) ngày` + stop)
	openEnd     = regexp.MustCompile(`^(?:cho )?đến khi (?:kết thúc|xong)(?: (?:cuộc họp|hội nghị|buổi làm việc))?` + stop)
	joiner      = regexp.MustCompile(`^(?:cho )?(?:đến|tới)(?: hết)?` + stop + `|^[-–]`)
	filler      = regexp.MustCompile(`^(?:(?:vào|lúc|hồi|bắt đầu từ|bắt đầu|khai mạc|từ|trong)` + stop + `|[,;.:()])`)
)

// step takes what the passage says next; false for what nobody understands.
func (s *scan) step() bool {
	for _, try := range []func() bool{s.clock, s.days, s.count, s.single} {
		if try() {
			return true
		}
	}
	if m := filler.FindString(s.rest); m != "" {
		if last := m[len(m)-1]; len(m) > 1 && last < 0x80 { // the stop belongs to what follows
			m = m[:len(m)-1]
		}
		s.rest = s.rest[len(m):]
		return true
	}
	return false
}

func (s *scan) take(n int, t token) bool {
	s.rest, s.tokens = s.rest[n:], append(s.tokens, t)
	return true
}

func (s *scan) clock() bool {
	if m := halfText.FindStringSubmatch(s.rest); m != nil {
		return s.take(len(m[1])+len(" giờ rưỡi"), token{kind: 'c', hour: number(m[1]), minute: 30})
	}
	m := colonText.FindStringSubmatch(s.rest)
	if m == nil {
		if m = clockText.FindStringSubmatch(s.rest); m == nil {
			return false
		}
	}
	n := len(m[0])
	after := s.rest[n:]
	if m[2] != "" && (strings.HasPrefix(after, "/") || strings.HasPrefix(after, ".") && startsDigit(after[1:])) {
		return false // "8 giờ 25/11": the number is the day's, which has to be told apart by a word
	}
	if startsDigit(after) || startsLetter(after) {
		return false
	}
	return s.take(n, token{kind: 'c', hour: number(m[1]), minute: number(m[2])})
}

func startsDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

func startsLetter(s string) bool {
	return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 0xC3 && s[0] < 0xE2)
}

// days takes a date, or the first and last of several days.
func (s *scan) days() bool {
	if m := wholeDate.FindStringSubmatch(s.rest); m != nil && m[2] == m[4] {
		day := s.date(m[1], m[3], m[5])
		return s.takeDays(m[0], day, day)
	}
	if m := dayList.FindStringSubmatch(s.rest); m != nil {
		if m[5] != "" && m[5] != m[3] {
			return false
		}
		month, year := m[4]+m[7], m[6]+m[8]
		last := s.date(m[2], month, year)
		first, before := last, 0
		for _, d := range digits.FindAllString(m[1], -1) {
			day := s.date(d, month, year)
			if before == 0 {
				first = day
			} else if number(d) != before+1 {
				return false
			}
			before = number(d)
		}
		if before+1 != last.Day() {
			return false
		}
		return s.takeDays(m[0], first, last)
	}
	if m := daySpan.FindStringSubmatch(s.rest); m != nil {
		if m[6] != "" && m[6] != m[4] {
			return false
		}
		month, year := m[5]+m[8], m[7]+m[9]
		from := month
		if m[2] != "" {
			from = m[2]
		}
		return s.takeDays(m[0], s.date(m[1], from, year), s.date(m[3], month, year))
	}
	if m := wordDate.FindStringSubmatch(s.rest); m != nil {
		day := s.date(m[1], m[2], m[3])
		return s.takeDays(m[0], day, day)
	}
	if m := shortDate.FindStringSubmatch(s.rest); m != nil {
		day := s.date(m[1], m[2], "")
		return s.takeDays(m[0], day, day)
	}
	return false
}

func (s *scan) takeDays(m string, first, last time.Time) bool {
	after := s.rest[len(m):]
	if first.IsZero() || last.IsZero() || last.Before(first) || last.Sub(first) > maxDays*24*time.Hour || startsDigit(after) || startsLetter(after) ||
		len(after) > 1 && strings.ContainsRune("/.-", rune(after[0])) && startsDigit(after[1:]) {
		return false
	}
	return s.take(len(m), token{kind: 'd', day: first, end: last})
}

// date is a day that may be meant: not before the document, and not a year after it. Zero for none.
func (s *scan) date(day, month, year string) time.Time {
	issued, err := time.Parse(time.DateOnly, s.issued)
	known := err == nil
	y := number(year)
	if year == "" {
		if !known {
			return time.Time{}
		}
		if y = issued.Year(); issued.Month() >= time.November && number(month) <= 2 {
			y++ // announced at the end of a year for the beginning of the next
		}
	}
	t, err := time.Parse(time.DateOnly, fmt.Sprintf("%04d-%02d-%02d", y, number(month), number(day)))
	if err != nil || known && (t.Before(issued) || t.Sub(issued) > maxAhead*24*time.Hour) {
		return time.Time{}
	}
	if year == "" && t.Sub(issued) > maxAhead/2*24*time.Hour {
		return time.Time{}
	}
	return t
}

var counts = map[string]int{"một": 1, "hai": 2, "ba": 3, "bốn": 4, "năm": 5}

func (s *scan) count() bool {
	m := countText.FindStringSubmatch(s.rest)
	if m == nil {
		return false
	}
	n := counts[m[1]]
	if n == 0 {
		n = number(m[1])
	}
	return s.take(strings.Index(m[0], "ngày")+len("ngày"), token{kind: 'n', n: n})
}

// single takes the words that stand alone.
func (s *scan) single() bool {
	for _, w := range []struct {
		re   *regexp.Regexp
		kind byte
	}{{partText, 'p'}, {weekdayText, 'w'}, {halfDay, 'h'}, {allDay, 'a'}, {openEnd, 'o'}, {joiner, 'j'}} {
		m := w.re.FindStringSubmatch(s.rest)
		if m == nil {
			continue
		}
		n := len(m[0])
		if n > 1 && n < len(s.rest)+1 && !startsLetter(m[0][n-1:]) && !startsDigit(m[0][n-1:]) && m[0][n-1] < 0x80 {
			n-- // the stop belongs to what follows
		}
		word := strings.Join(m[1:], "")
		return s.take(n, token{kind: w.kind, word: word})
	}
	return false
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

var weekdays = map[string]time.Weekday{"hai": 1, "ba": 2, "tư": 3, "năm": 4, "sáu": 5, "bảy": 6, "bẩy": 6, "2": 1, "3": 2, "4": 3, "5": 4, "6": 5, "7": 6, "chủ nhật": 0}

// shape is the order of clocks, days and joiners.
func (s *scan) shape() string {
	var b strings.Builder
	for _, t := range s.tokens {
		if strings.IndexByte("cdj", t.kind) >= 0 {
			b.WriteByte(t.kind)
		}
	}
	return b.String()
}

func (s *scan) of(kind byte) (all []token) {
	for _, t := range s.tokens {
		if t.kind == kind {
			all = append(all, t)
		}
	}
	return all
}

// meeting makes sense of all tokens together; nil where they do not.
func (s *scan) meeting() *Meeting {
	clocks, days, parts := s.of('c'), s.of('d'), s.of('p')
	switch s.shape() {
	case "d", "cd", "dc", "cjcd", "dcjc", "djd", "cdjd", "djdc", "cdjcd", "cdjc":
	default:
		return nil
	}
	first, last := days[0].day, days[len(days)-1].end
	if len(days) == 2 && (!days[0].day.Equal(days[0].end) || !days[1].day.Equal(days[1].end) || !last.After(first)) {
		return nil
	}
	if !s.agrees(first, last) || len(parts) > 1 || len(s.of('o')) > 1 || len(s.of('o')) > 0 && len(clocks) != 1 {
		return nil
	}
	m := &Meeting{Day: first.Format(time.DateOnly), Last: last.Format(time.DateOnly)}
	if len(parts) == 1 {
		m.Part = parts[0].word
	}
	if m.Day != m.Last && m.Part != "" {
		return nil
	}
	if len(s.of('h')) > 0 && (m.Part == "" && len(clocks) == 0 || m.Day != m.Last) || len(s.of('a')) > 0 && m.Part != "" {
		return nil
	}
	if !m.clocks(clocks) {
		return nil
	}
	return m
}

// agrees holds the number of days and the weekdays against the days themselves.
func (s *scan) agrees(first, last time.Time) bool {
	span := int(last.Sub(first).Hours()/24) + 1
	if span > maxDays {
		return false
	}
	for _, n := range s.of('n') {
		if n.n != span {
			return false
		}
	}
	if len(s.of('n')) > 1 || len(s.of('a')) > 1 || len(s.of('h')) > 1 || len(s.of('w')) > 2 {
		return false
	}
	want := []time.Time{first, last}
	for i, w := range s.of('w') {
		if day, ok := weekdays[w.word]; !ok || day != want[i].Weekday() && !(len(s.of('w')) == 1 && day == last.Weekday()) {
			return false
		}
	}
	return true
}

// clocks sets the hours, which must be possible and go with the part of the day.
func (m *Meeting) clocks(clocks []token) bool {
	for i := range clocks {
		if !inPart(&clocks[i], m.Part, i == 0) {
			return false
		}
	}
	switch {
	case len(clocks) == 0:
		return true
	case m.Day != m.Last && len(clocks) == 1:
		return true // each day or the first? the words say it
	}
	m.Part = ""
	m.At = clocks[0].text()
	if len(clocks) == 2 {
		m.Until = clocks[1].text()
	}
	return m.Until == "" || m.Day != m.Last || m.Until > m.At
}

func (t *token) text() string { return fmt.Sprintf("%02d:%02d", t.hour, t.minute) }

// inPart makes an hour one of 24 where the part of the day says which, and reports whether it can be meant. Only the first need lie in
// the part.
func inPart(t *token, part string, first bool) bool {
	if t.hour > 23 || t.minute > 59 {
		return false
	}
	switch {
	case part == "chiều" && t.hour >= 1 && t.hour <= 6:
		t.hour += 12
	case part == "tối" && t.hour >= 6 && t.hour <= 11:
		t.hour += 12
	case t.hour < earliest:
		return false
	}
	if !first {
		return true
	}
	switch part {
	case "sáng":
		return t.hour < 12
	case "trưa":
		return t.hour >= 11 && t.hour <= 13
	case "chiều":
		return t.hour >= 13 && t.hour <= 18
	case "tối":
		return t.hour >= 18
	}
	return true
}
