package worktime

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// What the rules propose for a year (Bộ luật Lao động 2019 Điều 112 and the laws before it). The table decides: the block of
// Tết, the second day of Quốc khánh and every swapped Saturday are announced from year to year.

// A swap is a working day given up for a Saturday worked (hoán đổi ngày làm việc).
type swap struct{ off, worked string }

// swaps are those announced so far.
var swaps = []swap{
	{"2010-02-19", "2010-02-27"}, {"2012-01-27", "2012-02-04"}, {"2013-04-29", "2013-05-04"}, {"2014-05-02", "2014-04-26"},
	{"2014-09-01", "2014-09-06"}, {"2015-01-02", "2014-12-27"}, {"2015-02-16", "2015-02-14"}, {"2015-04-29", "2015-04-25"},
	{"2018-12-31", "2019-01-05"}, {"2019-04-29", "2019-05-04"}, {"2024-04-29", "2024-05-04"}, {"2025-05-02", "2025-04-26"},
	{"2026-01-02", "2026-01-10"}, {"2026-08-31", "2026-08-22"},
}

// A holiday is a day off by law.
type holiday struct{ day, name string }

// holidays lists a year's holidays by law, on whatever weekday they fall.
func holidays(year int) []holiday {
	on := func(month time.Month, day int) string {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	out := []holiday{{on(time.January, 1), "Tết Dương lịch"}}
	days := 4 // the eve and three days
	if year >= 2013 {
		days = 5
	}
	first := mustDayNumber(lunarDate(year, 1, 1))
	for i := range days {
		name := "Tết Nguyên đán, mùng " + string(rune('0'+i))
		if i == 0 {
			name = "Tết Nguyên đán, ngày cuối năm"
		}
		out = append(out, holiday{dayName(first - 1 + i), name})
	}
	if year >= 2007 {
		out = append(out, holiday{lunarDate(year, 3, 10), "Giỗ Tổ Hùng Vương"})
	}
	out = append(out, holiday{on(time.April, 30), "Ngày Chiến thắng"}, holiday{on(time.May, 1), "Quốc tế Lao động"},
		holiday{on(time.September, 2), "Quốc khánh"})
	if year >= 2021 {
		out = append(out, holiday{on(time.September, secondDay(year)), "Quốc khánh, ngày liền kề"})
	}
	if year >= 2026 {
		out = append(out, holiday{on(time.November, 24), "Ngày Văn hóa Việt Nam"})
	}
	slices.SortStableFunc(out, func(a, b holiday) int { return cmp.Compare(a.day, b.day) })
	return out
}

// secondDay is 1 or 3 September, whichever leaves no single working day between the holiday and the days off of its week.
func secondDay(year int) int {
	switch time.Date(year, time.September, 2, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Monday, time.Thursday, time.Sunday:
		return 3
	}
	return 1
}

func mustDayNumber(day string) int {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err) // lunarDate and Format made it
	}
	return dayNumber(t)
}

// proposal returns what the rules say about the days of a year.
func (c *Calendar) proposal(year int) map[string]Day {
	if year < 1900 || year > 2200 {
		return nil // positions of sun and moon are not good for that
	}
	if known, ok := c.years.Load(year); ok {
		return known.(map[string]Day)
	}
	days := c.propose(year)
	c.years.Store(year, days)
	return days
}

// propose works the rules out: holidays; a holiday on a weekly day off moves to the next working day, several in a row on and
// on (nghỉ bù); then the swaps that were announced.
func (c *Calendar) propose(year int) map[string]Day {
	days := map[string]Day{}
	var moved []holiday
	put := func(day string, kind DayKind, source string) { days[day] = Day{day, kind, source, true} }
	free := func(day string) bool {
		return slices.Contains(c.HoursOn(day).DaysOff, weekday(mustDayNumber(day)))
	}
	for _, h := range holidays(year) {
		put(h.day, DayOff, h.name)
		if free(h.day) {
			moved = append(moved, h)
		}
	}
	for _, h := range moved {
		n := mustDayNumber(h.day)
		for limit := n + 30; n < limit; n++ {
			day := dayName(n)
			if _, taken := days[day]; !taken && !free(day) {
				put(day, DayOff, "Nghỉ bù "+h.name)
				break
			}
		}
	}
	for _, s := range swaps {
		if _, taken := days[s.off]; yearOf(s.off) == year && !taken {
			put(s.off, DayOff, "Hoán đổi, làm bù "+shortDate(s.worked))
		}
		if yearOf(s.worked) == year {
			put(s.worked, DayWorking, "Làm bù cho "+shortDate(s.off))
		}
	}
	return days
}

// ListDays lists the days of a year that are not what their weekday would have them, as the table or the rules say.
func (c *Calendar) ListDays(year int) []Day {
	all := maps.Clone(c.proposal(year))
	if all == nil {
		all = map[string]Day{}
	}
	for day, d := range c.days {
		if yearOf(day) == year {
			all[day] = d
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Day) int { return cmp.Compare(a.Day, b.Day) })
}
