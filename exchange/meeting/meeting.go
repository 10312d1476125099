// Package meeting reads when and where a giấy mời or lịch công tác asks people to come. It is pure: text in, an answer out.
//
// It answers as a whole or not at all. Every word of the passage that tells the time must be understood, the weekday must be that of the
// day, and nothing in the text may speak of another time; else there is no answer, and the clerk gives one. An hour that was not
// written is never made up: half a day without an hour is a day with a part, and a meeting whose end is not told has none.
package meeting

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// A Meeting (cuộc họp) is when and where. Days and hours are those of Việt Nam.
type Meeting struct {
	Day   string `json:"day"`             // civil: 2026-11-25
	At    string `json:"at,omitempty"`    // 08:00; "" for whole days
	Last  string `json:"last"`            // the last day, Day itself for one
	Until string `json:"until,omitempty"` // 11:30 of the last day; "" where nobody said
	Part  string `json:"part,omitempty"`  // sáng, trưa, chiều, tối: of a day without an hour
	Place string `json:"place,omitempty"`
	Words string `json:"words"` // as written
}

// Errors of Read.
var (
	ErrNone   = errors.New("no time is told")
	ErrUnsure = errors.New("the time is not told so that it can only mean one thing")
)

// maxText bounds what is looked at: an invitation tells the time on its first pages.
const maxText = 32 << 10

var (
	item  = `(?:[-–—+*•●]|\d{1,2}(?:\.\d)?[.)/]|[a-zđ][.)]|[IVX]{1,4}\.)`
	words = `(?:\s+(?:họp|làm việc|tổ chức|hội nghị|tiến hành|khai mạc|cuộc họp|buổi làm việc))?`
	// timeLabel begins the passage that tells the time; bothLabel one that tells time and place.
	timeLabel  = regexp.MustCompile(`(?im)(?:^|[.;]\s)[ \t]*(?:` + item + `[ \t]*)*(?:về\s+)?(thời\s+gian` + words + `)(\s*(?:,|và|-|–)\s*địa\s+điểm` + words + `)?\s*:`)
	placeLabel = regexp.MustCompile(`(?im)(?:^|[.;,]\s)[ \t]*(?:` + item + `[ \t]*)*(?:tại\s+)?(địa\s+điểm` + words + `|nơi\s+họp)\s*:`)
	// inSentence is where a sentence that invites tells the time.
	inSentence = regexp.MustCompile(`(?i)(?:\s|^)(vào\s+(?:lúc|hồi)|lúc)\s*:?\s+\d`)
	invites    = regexp.MustCompile(`(?i)(?:họp|dự|hội nghị|hội thảo|làm việc|tọa đàm|buổi lễ|lễ|tiếp|giao ban|tập huấn)(?:\P{L}|$)`)
	other      = regexp.MustCompile(`(?i)(?:gửi|trước|xuất phát|đăng ký|tập trung|đón|khởi hành|hoàn thành|báo cáo|nộp|sau|muộn nhất|chậm nhất)(?:\P{L}|$)`)
	// moved tells that a time no longer holds or may change.
	moved = regexp.MustCompile(`(?i)(?:hoãn|dời|lùi|thay\s+đổi|điều\s+chỉnh|chuyển\s+sang|thay\s+cho|hủy|huỷ|không\s+tổ\s+chức|dự\s+kiến)`)
	// passageEnds is where the passage about the time, or the place, is over.
	passageEnds = regexp.MustCompile(`(?i)(?:[.;,]?\s*\n\s*` + item + `\s)|(?:[.;,]|\n)\s*(?:địa\s+điểm|nơi\s+họp|địa\s+chỉ|thành\s+phần|nội\s+dung|chủ\s+trì|hình\s+thức|lý\s+do|trân\s+trọng|kính|đề\s+nghị|rất\s+mong|mời|ghi\s+chú|lưu\s+ý|tài\s+liệu|trang\s+phục)(?:\P{L}|$)|\n\s*\n`)
	sentence    = regexp.MustCompile(`[.;]\s+\p{Lu}|[.;]?\s*\n\s*\p{Lu}`)
	goesOn      = regexp.MustCompile(`(?i)^(?:thứ|chủ\s+nhật|ngày|sáng|chiều|tối|trưa|từ|đến|lúc|vào)(?:\P{L}|$)`)
)

// Read finds when and where a document asks people to come. issued is the document's civil date, "" when it is not known: then the
// year must be written. ErrNone: nothing tells a time. ErrUnsure: it may mean more than one thing.
func Read(text, issued string) (*Meeting, error) {
	text = tidy(text)
	if moved.MatchString(text) {
		return nil, ErrUnsure
	}
	passages, places := labelled(text)
	if len(passages) == 0 {
		passages, places = spoken(text)
	}
	if len(passages) == 0 {
		return nil, ErrNone
	}
	var found *Meeting
	for _, p := range passages {
		m, err := When(p, issued)
		if err != nil {
			return nil, err
		}
		if found != nil && !found.same(m) {
			return nil, ErrUnsure
		}
		found = m
	}
	found.Place = onePlace(places)
	return found, nil
}

func (m *Meeting) same(o *Meeting) bool {
	return m.Day == o.Day && m.At == o.At && m.Last == o.Last && m.Until == o.Until && m.Part == o.Part
}

func tidy(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	text = norm.NFC.String(strings.ToValidUTF8(text, " "))
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ", "\t", " ", "\u200b", "", "\ufeff", "").Replace(text)
}

// labelled returns the passages after labels of time, and those of places.
func labelled(text string) (times, places []string) {
	var both [][]int
	for _, at := range timeLabel.FindAllStringSubmatchIndex(text, -1) {
		rest := text[at[1]:]
		if at[4] >= 0 {
			both = append(both, at[:2])
		}
		if next := timeLabel.FindStringIndex(rest); next != nil && strings.TrimSpace(rest[:next[0]]) == "" {
			continue // a heading: the labels stand below it
		}
		when, where, ok := cutPlace(passage(rest))
		if ok {
			places = append(places, where)
		}
		times = append(times, when)
	}
	for _, at := range placeLabel.FindAllStringIndex(text, -1) {
		if !slices.ContainsFunc(both, func(b []int) bool { return at[0] < b[1] && at[1] > b[0] }) {
			places = append(places, placePassage(text[at[1]:]))
		}
	}
	return times, places
}

// placePassage is a passage that tells a place: names begin with capitals, so the next line belongs to it where it ends as a sentence.
func placePassage(text string) string {
	p := passage(text)
	if at := passageEnds.FindStringIndex(text); at != nil && at[0] <= len(p) {
		return p
	}
	next, _, _ := strings.Cut(strings.TrimPrefix(text[len(p):], "\n"), "\n")
	if next = strings.TrimSpace(next); next != "" && !strings.HasSuffix(strings.TrimSpace(p), ".") && strings.HasPrefix(text[len(p):], "\n") &&
		strings.ContainsAny(next[len(next)-1:], ".;") && len(next) < 100 {
		return p + " " + next
	}
	return p
}

var atPlace = regexp.MustCompile(`(?i)[\s,;)]\s*tại\s*:?\s+`)

// cutPlace parts a passage that tells the place after the time.
func cutPlace(p string) (when, where string, ok bool) {
	at := atPlace.FindStringIndex(p)
	if at == nil {
		return p, "", false
	}
	return p[:at[0]+1], p[at[1]:], true
}

// passage is the beginning of a text up to where the next thing begins.
func passage(text string) string {
	if at := passageEnds.FindStringIndex(text); at != nil && strings.TrimSpace(text[:at[0]]) != "" {
		text = text[:at[0]]
	}
	from := 0
	for {
		at := sentence.FindStringIndex(text[from:])
		if at == nil {
			break
		}
		upper := from + at[1]
		upper -= len(lastRune(text[:upper]))
		if strings.TrimSpace(text[:from+at[0]]) == "" || goesOn.MatchString(text[upper:]) {
			from = upper + 1
			for from < len(text) && !isStart(text[from]) {
				from++
			}
			continue
		}
		return text[:from+at[0]]
	}
	return text
}

func isStart(b byte) bool { return b&0xC0 != 0x80 }

func lastRune(s string) string {
	i := len(s) - 1
	for i > 0 && !isStart(s[i]) {
		i--
	}
	return s[i:]
}

// spoken finds the one sentence that invites and tells a time.
func spoken(text string) (times, places []string) {
	for _, at := range inSentence.FindAllStringSubmatchIndex(text, -1) {
		before := text[:at[2]]
		if i := strings.LastIndexAny(before, ".;:"); i >= 0 {
			before = before[i+1:]
		}
		if !invites.MatchString(before) || other.MatchString(before) {
			continue
		}
		when, where, _ := cutPlace(passage(text[at[3]:]))
		times, places = append(times, when), append(places, where)
	}
	if len(times) != 1 {
		return nil, nil
	}
	return times, places
}

// onePlace is the place where all say the same, "" else.
func onePlace(places []string) string {
	place := ""
	for _, p := range places {
		p = strings.Trim(strings.Join(strings.Fields(p), " "), " .,;:-–")
		switch {
		case p == "" || len(p) > 400:
		case place == "" || strings.EqualFold(place, p):
			place = p
		default:
			return ""
		}
	}
	return place
}
