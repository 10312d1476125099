package worktime

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// New returns the calendar of a table with these rows.
func New(days []Day, hours []Hours) *Calendar {
	c := &Calendar{days: map[string]Day{}, hours: slices.Clone(hours)}
	for _, d := range days {
		d.Proposed = false
		c.days[d.Day] = d
	}
	c.order()
	return c
}

// order sorts hours so that of two that begin on one day the one for this day alone wins over the yearly one.
func (c *Calendar) order() {
	slices.SortFunc(c.hours, func(a, b Hours) int {
		if a.Yearly != b.Yearly {
			return map[bool]int{true: -1, false: 1}[a.Yearly]
		}
		return cmp.Compare(a.From, b.From)
	})
}

// Digest covers every row of the table, and nothing that the rules say.
func (c *Calendar) Digest() string {
	sum := sha256.New()
	for _, d := range c.Days() {
		fmt.Fprintf(sum, "%q %q %q\n", d.Day, d.Kind, d.Source)
	}
	for _, h := range c.hours {
		fmt.Fprintf(sum, "%q %t %q %q %q %q\n", h.From, h.Yearly, h.Morning, h.Afternoon, h.DaysOff.String(), h.Source)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Days lists the rows of the table, in order.
func (c *Calendar) Days() []Day {
	out := make([]Day, 0, len(c.days))
	for _, d := range c.days {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Day) int { return cmp.Compare(a.Day, b.Day) })
	return out
}

// Hours lists the office hours that the table holds.
func (c *Calendar) Hours() []Hours { return slices.Clone(c.hours) }

// ParseSpan reads "07:30-11:30"; "" is no time at all.
func ParseSpan(text string) (s Span, err error) {
	if text == "" {
		return s, nil
	}
	from, to, ok := strings.Cut(strings.ReplaceAll(text, "–", "-"), "-")
	a, errA := time.Parse("15:04", strings.TrimSpace(from))
	b, errB := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || errA != nil || errB != nil || !a.Before(b) {
		return s, fmt.Errorf("%q is no time of the day", text)
	}
	return Span{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}, nil
}

// String writes the span as ParseSpan reads it.
func (s Span) String() string {
	if s.To <= s.From {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
}

// ParseWeekdays reads weekdays as Weekdays.String writes them; what is none is passed over.
func ParseWeekdays(digits string) (days Weekdays) {
	for _, r := range digits {
		if r >= '1' && r <= '7' {
			days = append(days, time.Weekday((r-'0')%7))
		}
	}
	return days
}

// String writes the days as digits in order, 1 for Monday to 7 for Sunday.
func (w Weekdays) String() string {
	out := ""
	for n, d := range [...]time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday} {
		if slices.Contains(w, d) {
			out += string(rune('1' + n))
		}
	}
	return out
}

// Vietnamese names the kind as the table is printed and imported.
func (k DayKind) Vietnamese() string {
	return map[DayKind]string{DayOff: "nghỉ", DayWorking: "làm việc", DayHalf: "nửa ngày"}[k]
}

// Vietnamese tells what the table says of the day; without a Kind, that the rules hold for it again.
func (d Day) Vietnamese() string {
	if d.Kind == "" {
		return shortDate(d.Day) + ": bỏ khỏi bảng, theo đề xuất của quy tắc"
	}
	return shortDate(d.Day) + ": " + d.Kind.Vietnamese() + " (" + d.Source + ")"
}

// Vietnamese tells the hours as people read them.
func (h Hours) Vietnamese() string {
	var off []string
	for _, d := range h.DaysOff {
		off = append(off, weekdayNames[d])
	}
	text := "Giờ làm việc từ " + shortDate(h.From)
	if h.Yearly {
		text += " (hằng năm)"
	}
	text += ": " + strings.Trim(h.Morning.String()+", "+h.Afternoon.String(), ", ")
	if len(off) > 0 {
		text += ", nghỉ " + strings.Join(off, ", ")
	}
	return text
}
