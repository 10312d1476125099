// Package worktime is the calendar of working time of a province: office hours, holidays by law with their lunar days, days in
// lieu and swapped Saturdays. It is pure: rows of the table that decides over the rules come from the exchange, and so does what
// a deadline is. Days are civil dates such as 2026-02-16, at UTC+7.
package worktime

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A Half is one of the two halves of a working day (buổi).
type Half string

// The halves.
const (
	Morning   Half = "am"
	Afternoon Half = "pm"
)

// A Span is a time of the day in minutes since midnight, the end excluded. The empty one is no time at all.
type Span struct{ From, To int }

// Hours are the office hours from a day on (giờ làm việc). Yearly ones begin anew every year on that day of the year.
type Hours struct {
	From               string // civil date
	Yearly             bool
	Morning, Afternoon Span
	DaysOff            Weekdays // in every week
	Source             string   // what set them
}

// Weekdays are days of the week, each week.
type Weekdays []time.Weekday

// defaultHours hold until the table says otherwise.
var defaultHours = Hours{From: "0001-01-01", Morning: Span{7*60 + 30, 11*60 + 30}, Afternoon: Span{13*60 + 30, 17 * 60},
	DaysOff: []time.Weekday{time.Saturday, time.Sunday}, Source: "mặc định"}

// A DayKind says how a day differs from what its weekday would have it.
type DayKind string

// The kinds of days.
const (
	DayOff     DayKind = "off"
	DayWorking DayKind = "working"
	DayHalf    DayKind = "half" // the morning is worked
)

// A Day is a day that is not what its weekday would have it.
type Day struct {
	Day      string  `db:"day"`
	Kind     DayKind `db:"kind"`
	Source   string  `db:"source"`
	Proposed bool    `db:"-"` // by the rules; the table says nothing about it
}

// A Calendar is working time in one province: pure, and never changed once made. Its days are those of UTC+7.
type Calendar struct {
	Version int64 // number of the last change of the table, 0 for the rules alone
	hours   []Hours
	days    map[string]Day
	years   sync.Map // year to map[string]Day: what the rules say, once worked out
	worked  sync.Map // day number to []HalfDay, likewise
}

// A HalfDay is half a working day with the time that is worked in it.
type HalfDay struct {
	Day        string
	Half       Half
	Start, End time.Time
}

// String names it as people do.
func (h HalfDay) String() string {
	return map[Half]string{Morning: "sáng", Afternoon: "chiều"}[h.Half] + " " + weekdayName(h.Day) + ", " + shortDate(h.Day)
}

// Number counts half-days since 1970, days off too: those of one day follow each other, mornings are even.
func (h HalfDay) Number() int64 {
	n := int64(mustDayNumber(h.Day)) * 2
	if h.Half == Afternoon {
		n++
	}
	return n
}

// zone is the one of civil dates (UTC+7); it has no summer time.
var zone = time.FixedZone("+07", 7*3600)

// horizon is how many days are searched for working time: a calendar that has none for years is a mistake, and ends there.
const horizon = 3660

// HoursOn returns the office hours in force on a day: of those that have begun, the ones that began last.
func (c *Calendar) HoursOn(day string) Hours {
	best, began := defaultHours, ""
	for _, h := range c.hours {
		from := h.From
		if h.Yearly && from <= day && len(day) == len(from) {
			if from = day[:4] + h.From[4:]; from > day {
				from = fmt.Sprintf("%04d", yearOf(day)-1) + h.From[4:]
			}
			from = max(from, h.From)
		}
		if from <= day && from >= began {
			best, began = h, from
		}
	}
	return best
}

// DayOn returns what the table or the rules say about a day; false for an ordinary one.
func (c *Calendar) DayOn(day string) (Day, bool) {
	if d, ok := c.days[day]; ok {
		return d, true
	}
	d, ok := c.proposal(yearOf(day))[day]
	return d, ok
}

// halves returns the working time of a day, none to two halves.
func (c *Calendar) halves(number int) []HalfDay {
	if known, ok := c.worked.Load(number); ok {
		return known.([]HalfDay)
	}
	halves := c.workOut(number)
	c.worked.Store(number, halves)
	return halves
}

func (c *Calendar) workOut(number int) []HalfDay {
	day := dayName(number)
	hours := c.HoursOn(day)
	morning, afternoon := hours.Morning, hours.Afternoon
	d, special := c.DayOn(day)
	switch {
	case special && d.Kind == DayOff, !special && slices.Contains(hours.DaysOff, weekday(number)):
		return nil
	case special && d.Kind == DayHalf:
		afternoon = Span{}
	}
	var out []HalfDay
	for _, s := range []struct {
		half Half
		Span
	}{{Morning, morning}, {Afternoon, afternoon}} {
		if s.To > s.From {
			midnight := time.Unix(int64(number)*86400-7*3600, 0).In(zone)
			out = append(out, HalfDay{day, s.half, midnight.Add(time.Duration(s.From) * time.Minute), midnight.Add(time.Duration(s.To) * time.Minute)})
		}
	}
	return out
}

// walk calls fn for the half-days that have not ended at t, in order, until it returns false.
func (c *Calendar) walk(t time.Time, fn func(HalfDay) bool) {
	first := dayNumber(t)
	for n := first; n < first+horizon; n++ {
		for _, h := range c.halves(n) {
			if h.End.After(t) && !fn(h) {
				return
			}
		}
	}
}

// Add returns when working time of length d has passed since t. What begins out of hours begins with the next half-day, and
// nothing ends out of hours: a time that is used up just as a half-day closes ends there.
func (c *Calendar) Add(t time.Time, d time.Duration) time.Time {
	end := t.In(zone)
	c.walk(t, func(h HalfDay) bool {
		start := h.Start
		if t.After(start) {
			start = t
		}
		if left := h.End.Sub(start); d > left {
			d, end = d-left, h.End
			return true
		}
		end = start.Add(d)
		return false
	})
	return end
}

// Between returns the working time from a to b; 0 when b is not later.
func (c *Calendar) Between(a, b time.Time) (sum time.Duration) {
	c.walk(a, func(h HalfDay) bool {
		if !h.Start.Before(b) {
			return false
		}
		from, to := h.Start, h.End
		if a.After(from) {
			from = a
		}
		if b.Before(to) {
			to = b
		}
		sum += to.Sub(from)
		return true
	})
	return sum
}

// Next returns the first half-day that begins at t or later.
func (c *Calendar) Next(t time.Time) (next HalfDay) {
	c.walk(t, func(h HalfDay) bool {
		next = h
		return h.Start.Before(t)
	})
	return next
}

// At returns the half-day in whose working time t lies; false out of hours.
func (c *Calendar) At(t time.Time) (half HalfDay, ok bool) {
	c.walk(t, func(h HalfDay) bool {
		half, ok = h, !h.Start.After(t)
		return false
	})
	return half, ok
}

// Close returns the end of the working day that is t's: of the same day while it is still worked, else of the next one.
func (c *Calendar) Close(t time.Time) time.Time {
	end := t.In(zone)
	day := ""
	c.walk(t, func(h HalfDay) bool {
		if day != "" && h.Day != day {
			return false
		}
		day, end = h.Day, h.End
		return true
	})
	return end
}

// Due returns when a civil day's deadline ends: as working time of that day closes, or of the next day that is worked.
func (c *Calendar) Due(day string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("deadline %q: %w", day, err)
	}
	return c.Close(t), nil
}

// AfterDays returns when the n-th working day after that of t closes.
func (c *Calendar) AfterDays(t time.Time, n int) time.Time {
	end := c.Close(t)
	for range n {
		end = c.Close(end)
	}
	return end
}

// HalfDays lists the half-days of a time of civil days, both included.
func (c *Calendar) HalfDays(from, to string) (out []HalfDay) {
	a, errA := time.ParseInLocation(time.DateOnly, from, zone)
	b, errB := time.ParseInLocation(time.DateOnly, to, zone)
	if errA != nil || errB != nil {
		return nil
	}
	for n := dayNumber(a); n <= dayNumber(b); n++ {
		out = append(out, c.halves(n)...)
	}
	return out
}

// dayNumber is the local day of an instant, in days since 1970.
func dayNumber(t time.Time) int {
	s := t.Unix() + 7*3600
	n := s / 86400
	if s%86400 < 0 {
		n--
	}
	return int(n)
}

func dayName(number int) string {
	return time.Unix(int64(number)*86400, 0).UTC().Format(time.DateOnly)
}

func weekday(number int) time.Weekday { return time.Weekday(((number+4)%7 + 7) % 7) }

func weekdayName(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return weekdayNames[t.Weekday()]
}

var weekdayNames = [...]string{"Chủ nhật", "thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy"}

// shortDate writes a civil date as 16/02/2026.
func shortDate(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("02/01/2006")
}

func yearOf(day string) int {
	year, _ := strconv.Atoi(day[:min(4, len(day))])
	return year
}
