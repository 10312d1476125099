package exchange

import (
	"slices"
	"time"

	"congvan/exchange/worktime"
)

// A pace is how soon somebody must act on a document of one urgency, in working time.
type pace struct {
	look   time.Duration // on a copy that nobody has opened; 0: in the window of the next half-day
	accept time.Duration // on a copy that nobody has taken into the register; 0: before the day closes
	settle time.Duration // on a copy that is not known to have arrived; the issuer must
	relay  int           // working days for a word from the other side of a copy that left us
	handle int           // working days for handling, where nobody set a deadline; 0: before the day closes
	step   time.Duration // from rung to rung of the ladder; 0: the rungs are the bells
}

// paces by urgency as documents bear it. An hour that a "hỏa tốc hẹn giờ" names stands on its envelope: the strictest pace holds.
var paces = map[string]pace{
	"":                {settle: 4 * time.Hour, relay: 3, handle: 15},
	"Khẩn":            {look: time.Hour, accept: 2 * time.Hour, settle: time.Hour, relay: 1, handle: 3, step: time.Hour},
	"Thượng khẩn":     {look: 30 * time.Minute, accept: time.Hour, settle: 30 * time.Minute, handle: 1, step: 30 * time.Minute},
	"Hỏa tốc":         {look: 15 * time.Minute, accept: 30 * time.Minute, settle: 15 * time.Minute, step: 15 * time.Minute},
	"Hỏa tốc hẹn giờ": {look: 15 * time.Minute, accept: 30 * time.Minute, settle: 15 * time.Minute, step: 15 * time.Minute},
}

// lookWindow is how long after a half-day begins a unit may take to look into its mailbox (QĐ 22/2009 Điều 11: "đầu giờ").
const lookWindow = time.Hour

// doubtPatience is how long a copy stays uncertain before it is sent again, by the clock of servers, which know no holidays.
const doubtPatience = 4 * time.Hour

// rungs is how many steps the ladder has: the unit; its deputy and head; the call list of the issuing unit.
const rungs = 3

// duty sets the one owner and the one deadline that follow from the state, which is so since a time. Deadlines that the
// calendar gives are reckoned again when it changes.
func (d *Dispatch) duty(doc *Document, cal *worktime.Calendar, since time.Time) {
	d.Calendar, d.Alarm = cal.Version, 0
	if d.Closed() {
		d.Owner, d.Deadline = "", 0
		return
	}
	p, ok := paces[doc.Urgency]
	if !ok {
		p = paces[""]
	}
	d.Owner = string(doc.Agency)
	if d.Transport == Delivered && d.Way == ByMailbox && d.Unit != "" {
		d.Owner = string(d.Unit)
	}
	d.Deadline = d.deadline(p, cal, since).UnixMicro()
	steps := time.Duration(d.Rung) * p.step
	switch {
	case p.step == 0:
	case d.unopened() && d.Rung < rungs:
		d.Alarm = cal.Add(since, p.look+steps).UnixMicro()
	case d.Transport == Exception && d.Rung < rungs-1: // whom should one call?
		d.Alarm = cal.Add(since, p.settle+steps).UnixMicro()
	}
}

func (d *Dispatch) deadline(p pace, cal *worktime.Calendar, since time.Time) time.Time {
	switch {
	case d.Transport == Relayed:
		return cal.AfterDays(since, p.relay)
	case d.Transport != Delivered:
		return cal.Add(since, p.settle)
	case d.Handling != Received:
		if due, err := cal.Due(d.DueOn); err == nil {
			return due
		}
		return cal.AfterDays(since, p.handle)
	}
	ends := []time.Time{cal.Close(since)} // accepted the same day (NĐ 30/2020 Điều 21.2)
	if p.accept > 0 {
		ends = append(ends, cal.Add(since, p.accept))
	}
	if d.unopened() {
		look := cal.Add(since, p.look)
		if p.look == 0 {
			look = cal.Add(cal.Next(since).Start, lookWindow)
		}
		ends = append(ends, look)
	}
	return slices.MinFunc(ends, time.Time.Compare)
}

// unopened reports whether the copy lies in a mailbox of ours and nobody has opened it.
func (d *Dispatch) unopened() bool {
	return d.Transport == Delivered && d.Way == ByMailbox && d.Unit != "" && d.Handling == Received && d.OpenedAt == nil
}

// stage is what a deadline belongs to: a copy that is handled has one, however often its state tells of progress.
func (d *Dispatch) stage() string {
	switch d.Handling {
	case Accepted, Assigned, InProgress:
		return string(Accepted)
	case "":
		return string(d.Transport)
	}
	if d.Transport != Delivered {
		return string(d.Transport) // recalled, superseded
	}
	return string(d.Handling)
}
