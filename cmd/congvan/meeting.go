package main

import (
	"fmt"

	"congvan/exchange"
	"congvan/exchange/meeting"
	"congvan/mailcore/viettext"
)

// meeting is when and where a giấy mời or lịch công tác asks people to come; nil and nil for every other document. With pages that
// nobody could read it is not sure.
func (r *reading) meeting() (*meeting.Meeting, error) {
	d := r.draft
	if !exchange.Invites(d.Heading.Type) || d.Secrecy != "" {
		return nil, nil
	}
	if len(d.Unread) > 0 {
		return nil, meeting.ErrUnsure
	}
	return meeting.Read(d.Body, d.Heading.Date)
}

// meetingText tells a clerk what the calendars of recipients will be told.
func meetingText(m *meeting.Meeting, err error) string {
	switch {
	case err != nil:
		return `chưa chắc, thư sẽ không kèm lịch; muốn kèm thì ghi --time "8 giờ 00, ngày 25/11/2026" --at "địa điểm"`
	case m == nil:
		return ""
	}
	text := civil(m.Day)
	if m.At != "" {
		text = m.At + ", " + text
	}
	switch {
	case m.Until != "" && m.Last == m.Day:
		text = m.At + " đến " + m.Until + ", " + civil(m.Day)
	case m.Until != "":
		text += " đến " + m.Until + ", " + civil(m.Last)
	case m.Last != m.Day:
		text += " đến " + civil(m.Last)
	}
	if m.Part != "" {
		text = "buổi " + m.Part + ", " + text
	}
	if m.Place != "" {
		text += "; tại " + m.Place
	}
	return text + " (kèm lịch trong thư)"
}

// setMeeting takes over what the clerk typed about the time and place. What differs from the page has to be confirmed.
func (c *candidate) setMeeting(typed said) error {
	p := c.p
	if typed.Time == "" {
		if p.Meeting != nil && typed.At != "" {
			p.Meeting.Place = typed.At
		}
		return nil
	}
	read := p.Meeting
	if viettext.Fold(typed.Time) == "khong" {
		p.Meeting = nil
		return nil
	}
	m, err := meeting.When(typed.Time, p.IssuedOn)
	if err != nil {
		return &usageError{fmt.Errorf("--time %q chưa rõ là lúc nào", typed.Time), `ghi như "8 giờ 00, ngày 25/11/2026" hoặc "từ 14h00 đến 16h30, ngày 25/11/2026"; không kèm lịch: --time không`}
	}
	if m.Place = typed.At; m.Place == "" && read != nil {
		m.Place = read.Place
	}
	p.Meeting = m
	if read != nil && (read.Day != m.Day || read.At != m.At || read.Last != m.Last || read.Until != m.Until) {
		p.Differences = append(p.Differences, exchange.Difference{Field: "time", Said: m.Words, Found: read.Words,
			Message: fmt.Sprintf("Thời gian họp đã gõ là %q, trang giấy ghi %q.", m.Words, read.Words)})
	}
	return nil
}
