package worktime_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"congvan/exchange/worktime"
)

var zone = time.FixedZone("+07", 7*3600)

func local(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Oracle: days of Tết (lunar 1/1) and Giỗ Tổ (lunar 10/3) by Vietnamese time. The Chinese calendar has 4 days otherwise: Giỗ Tổ
// 2009, Tết 1985, 2007, 2030 and 2053.
func TestLunarHolidaysByVietnameseTime(t *testing.T) {
	for year, want := range map[int][2]string{1985: {"1985-01-21", ""}, 2007: {"2007-02-17", ""}, 2009: {"2009-01-26", "2009-04-04"}, 2010: {"2010-02-14", "2010-04-23"},
		2012: {"2012-01-23", "2012-03-31"}, 2020: {"2020-01-25", "2020-04-02"}, 2024: {"2024-02-10", "2024-04-18"}, 2025: {"2025-01-29", "2025-04-07"},
		2026: {"2026-02-17", "2026-04-26"}, 2027: {"2027-02-06", "2027-04-16"}, 2030: {"2030-02-02", "2030-04-12"}, 2053: {"2053-02-18", ""}} {
		first, kings := "", ""
		for _, d := range worktime.New(nil, nil).ListDays(year) {
			switch d.Source {
			case "Tết Nguyên đán, mùng 1":
				first = d.Day
			case "Giỗ Tổ Hùng Vương":
				kings = d.Day
			}
		}
		if first != want[0] || want[1] != "" && kings != want[1] {
			t.Errorf("%d: Tết %s, Giỗ Tổ %s, want %v", year, first, kings, want)
		}
	}
}

// Holidays by law, each counted on its own day: 9 in 2009, 10 from 2013, 11 from 2021, 12 from 2026.
func TestRulesProposeHolidaysAndDaysInLieu(t *testing.T) {
	c := worktime.New(nil, nil)
	for year, want := range map[int]int{2009: 9, 2012: 9, 2013: 10, 2020: 10, 2021: 11, 2025: 11, 2026: 12} {
		n := 0
		for _, d := range c.ListDays(year) {
			if d.Kind == worktime.DayOff && !strings.HasPrefix(d.Source, "Hoán đổi") && !strings.HasPrefix(d.Source, "Nghỉ bù") {
				n++
			}
		}
		if n != want {
			t.Errorf("%d has %d holidays, want %d", year, n, want)
		}
	}
	for day, works := range map[string]bool{
		"2009-04-06": false, "2009-04-07": true, // Giỗ Tổ on Saturday
		"2010-02-12": true, "2010-02-15": false, "2010-02-17": false, "2010-02-18": false, "2010-02-19": false, "2010-02-22": true, "2010-02-27": true,
		"2012-04-02": false,                                          // Giỗ Tổ on Saturday 31/3
		"2022-05-02": false, "2022-05-03": false, "2022-05-04": true, // 30/4 and 1/5 on Saturday and Sunday: two days on
		"2021-09-03": false, "2022-09-01": false, "2025-09-01": false, "2025-09-03": true,
		"2014-12-27": true, "2015-01-02": false, "2026-08-22": true, "2026-08-31": false,
	} {
		if got := len(c.HalfDays(day, day)) == 2; got != works {
			t.Errorf("%s: worked is %t", day, got)
		}
	}
}

func TestTableDecidesOverRules(t *testing.T) {
	c := worktime.New([]worktime.Day{{Day: "2026-02-16", Kind: worktime.DayHalf, Source: "TB 1"}, {Day: "2026-02-21", Kind: worktime.DayWorking, Source: "TB 2"},
		{Day: "2026-02-23", Kind: worktime.DayOff, Source: "TB 3"}}, nil)
	for day, want := range map[string]int{"2026-02-16": 1, "2026-02-21": 2, "2026-02-23": 0, "2026-02-24": 2, "2026-02-22": 0} {
		if got := len(c.HalfDays(day, day)); got != want {
			t.Errorf("%s has %d half-days, want %d", day, got, want)
		}
	}
}

// Seasons: summer hours every year from 16 April, back from 16 October; one year they begin later.
func TestSeasonsComeEveryYear(t *testing.T) {
	span := func(text string) worktime.Span {
		s, err := worktime.ParseSpan(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	weekend := []time.Weekday{time.Saturday, time.Sunday}
	c := worktime.New(nil, []worktime.Hours{
		{From: "2025-04-16", Yearly: true, Morning: span("07:00-11:30"), Afternoon: span("13:30-17:00"), DaysOff: weekend, Source: "QĐ hè"},
		{From: "2025-10-16", Yearly: true, Morning: span("07:30-11:30"), Afternoon: span("13:00-17:00"), DaysOff: weekend, Source: "QĐ đông"},
		{From: "2027-04-16", Morning: span("06:45-11:15"), Afternoon: span("13:30-17:00"), DaysOff: weekend, Source: "QĐ năm nóng"},
	})
	for day, want := range map[string]string{"2025-04-15": "07:30", "2025-04-16": "07:00", "2025-10-15": "07:00", "2025-10-16": "07:30", "2026-01-05": "07:30",
		"2026-04-16": "07:00", "2027-04-19": "06:45", "2027-10-18": "07:30", "2028-04-17": "07:00"} {
		halves := c.HalfDays(day, day)
		if len(halves) == 0 || halves[0].Start.Format("15:04") != want {
			t.Errorf("%s begins at %v, want %s", day, halves, want)
		}
	}
}

func TestAddAndClose(t *testing.T) {
	c := worktime.New(nil, nil)
	for _, x := range []struct {
		from string
		add  time.Duration
		want string
	}{
		{"2026-02-12 16:30", time.Hour, "2026-02-13 08:00"},
		{"2026-02-13 16:30", time.Hour, "2026-02-23 08:00"}, // over Tết
		{"2026-02-14 10:00", 0, "2026-02-23 07:30"},
		{"2026-03-02 07:00", 4 * time.Hour, "2026-03-02 11:30"},
		{"2026-03-02 11:00", time.Hour, "2026-03-02 14:00"},
	} {
		if got := c.Add(local(t, x.from), x.add).Format("2006-01-02 15:04"); got != x.want {
			t.Errorf("%s + %s = %s, want %s", x.from, x.add, got, x.want)
		}
	}
	for from, want := range map[string]string{"2026-03-02 06:00": "2026-03-02 17:00", "2026-03-02 16:59": "2026-03-02 17:00", "2026-03-02 17:00": "2026-03-03 17:00",
		"2026-03-06 18:00": "2026-03-09 17:00"} {
		if got := c.Close(local(t, from)).Format("2006-01-02 15:04"); got != want {
			t.Errorf("close after %s is %s, want %s", from, got, want)
		}
	}
	if due, err := c.Due("2026-02-18"); err != nil || due.Format("2006-01-02 15:04") != "2026-02-23 17:00" {
		t.Errorf("due on a holiday: %v, %v", due, err)
	}
	if _, err := c.Due("18/02/2026"); err == nil {
		t.Error("a day that is none has a deadline")
	}
}

// Working time is monotone and additive, what is added is what lies between, and nothing ends out of hours, in calendars of
// every make.
func TestWorkingTimeProperties(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2026))
	for round := range 60 {
		c, base := randomCalendar(rnd)
		for range 40 {
			a := base.Add(time.Duration(rnd.Int64N(int64(400 * 24 * time.Hour))))
			b := a.Add(time.Duration(rnd.Int64N(int64(20 * 24 * time.Hour))))
			d, e := time.Duration(rnd.Int64N(int64(40*time.Hour))), time.Duration(rnd.Int64N(int64(40*time.Hour)))
			say := func(format string, args ...any) {
				t.Errorf("round %d, from %s, %s and %s: %s", round, a, d, e, fmt.Sprintf(format, args...))
			}
			end := c.Add(a, d)
			if c.Add(b, d).Before(end) || c.Add(a, d+e).Before(end) || end.Before(a) {
				say("not monotone: ends %s", end)
			}
			if twice := c.Add(end, e); e > 0 && d > 0 && !twice.Equal(c.Add(a, d+e)) {
				say("not additive: %s and %s", twice, c.Add(a, d+e))
			}
			if got := c.Between(a, end); got != d {
				say("between says %s", got)
			}
			if got := c.Between(a, b) + c.Between(b, b.Add(e)); got != c.Between(a, b.Add(e)) {
				say("between is not additive")
			}
			if _, in := c.At(end); !in {
				if _, closing := c.At(end.Add(-time.Nanosecond)); !closing {
					say("ends out of hours: %s", end)
				}
			}
			if next := c.Next(a); next.Start.Before(a) || c.Between(a, next.Start) > 12*time.Hour {
				say("next half-day %v", next)
			}
		}
	}
}

func randomCalendar(rnd *rand.Rand) (*worktime.Calendar, time.Time) {
	base := time.Date(2005+rnd.IntN(40), 1, 1, 0, 0, 0, 0, zone)
	var days []worktime.Day
	for range rnd.IntN(30) {
		kind := []worktime.DayKind{worktime.DayOff, worktime.DayWorking, worktime.DayHalf}[rnd.IntN(3)]
		days = append(days, worktime.Day{Day: base.AddDate(0, 0, rnd.IntN(420)).Format(time.DateOnly), Kind: kind, Source: "thử"})
	}
	var hours []worktime.Hours
	for range rnd.IntN(4) {
		from := 6*60 + rnd.IntN(120)
		to := from + 60 + rnd.IntN(200)
		h := worktime.Hours{From: base.AddDate(0, 0, rnd.IntN(400)-200).Format(time.DateOnly), Yearly: rnd.IntN(2) == 0, Morning: worktime.Span{From: from, To: to}}
		if rnd.IntN(5) > 0 {
			h.Afternoon = worktime.Span{From: to + rnd.IntN(120), To: to + 150 + rnd.IntN(200)}
		}
		for _, d := range rnd.Perm(7)[:rnd.IntN(4)] {
			h.DaysOff = append(h.DaysOff, time.Weekday(d))
		}
		hours = append(hours, h)
	}
	return worktime.New(days, hours), base
}

func BenchmarkDeadlineInFifteenDays(b *testing.B) {
	c := worktime.New(nil, nil)
	at := local(b, "2026-02-10 09:00")
	for b.Loop() {
		c.AfterDays(at, 15)
	}
}
