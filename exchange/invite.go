package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/exchange/meeting"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"

	"github.com/emersion/go-ical"
)

// Invites reports whether a kind of document (loại văn bản) asks people to come somewhere, so that its mail carries the time for
// calendars.
func Invites(kind string) bool {
	return slices.Contains([]string{"giay moi", "lich cong tac", "lich lam viec", "giay trieu tap"}, viettext.Fold(kind))
}

// zone is where the province is (RFC 5545 §3.6.5): seven hours ahead of UTC all year.
const zone = "Asia/Ho_Chi_Minh"

// meets is what the row keeps of a meeting.
func meets(m *meeting.Meeting) (string, error) {
	if m == nil {
		return "", nil
	}
	text, err := json.Marshal(m)
	return string(text), err
}

// Meeting is when and where the document asks people to come, nil where it does not.
func (doc *Document) Meeting() *meeting.Meeting {
	m := &meeting.Meeting{}
	if doc.Meets == "" || json.Unmarshal([]byte(doc.Meets), m) != nil || m.Day == "" {
		return nil
	}
	return m
}

// invitation is the calendar that the mail of a document carries, none where it asks nobody to come. It is published (RFC 5546 §3.2.1):
// one body goes to everybody, also to units that join later, and what a recipient says is an act on its copy, not an answer to
// a calendar. Made from the row alone, so that composing again gives the same bytes.
func (s *Store) invitation(ctx context.Context, doc *Document, agency string, at time.Time) ([]attached, error) {
	m := doc.Meeting()
	if m == nil {
		return nil, nil
	}
	data, err := s.event(doc, m, agency, at, 0, "PUBLISH")
	if err != nil {
		return nil, err
	}
	return []attached{calendarFile(data, "PUBLISH")}, nil
}

func calendarFile(data []byte, method string) attached {
	return attached{"lich-hop.ics", "text/calendar", data, map[string]string{"charset": "utf-8", "method": method, "component": "VEVENT"}}
}

// event writes the event of a document. Whatever is said of it later has the same UID and a greater sequence.
func (s *Store) event(doc *Document, m *meeting.Meeting, agency string, at time.Time, sequence int, method string) ([]byte, error) {
	c := ical.NewCalendar()
	c.Props.SetText(ical.PropVersion, "2.0")
	c.Props.SetText(ical.PropProductID, "-//Cong Van//congvan//VI")
	c.Props.SetText(ical.PropMethod, method)
	e := ical.NewComponent(ical.CompEvent)
	e.Props.SetText(ical.PropUID, fmt.Sprintf("hop-%d@%s", doc.ID, s.Domain))
	e.Props.SetDateTime(ical.PropDateTimeStamp, at.UTC().Truncate(time.Second))
	e.Props.Set(&ical.Prop{Name: ical.PropSequence, Params: ical.Params{}, Value: fmt.Sprint(sequence)})
	e.Props.Set(person(ical.PropOrganizer, s.unitAddress(doc.Agency), agency))
	if m.At != "" {
		c.Children = append(c.Children, timezone())
	}
	span(e, m)
	status := "CONFIRMED"
	if method == "CANCEL" {
		status = "CANCELLED"
		e.Props.SetText(ical.PropSummary, "Hủy: "+doc.Kind+" "+doc.Reference) // the document may have turned out to be secret: no more of it
	} else {
		e.Props.SetText(ical.PropSummary, summary(doc))
		e.Props.SetText(ical.PropDescription, fmt.Sprintf("%s số %s %s của %s.\nThời gian: %s", doc.Kind, doc.Reference, vietnameseDate(doc.IssuedOn), agency, m.Words))
		if m.Place != "" {
			e.Props.SetText(ical.PropLocation, m.Place)
		}
	}
	e.Props.SetText(ical.PropStatus, status)
	c.Children = append(c.Children, e)
	var b bytes.Buffer
	if err := ical.NewEncoder(&b).Encode(c); err != nil {
		return nil, fmt.Errorf("invitation of document %d: %w", doc.ID, err)
	}
	return foldLines(b.Bytes()), nil
}

func summary(doc *Document) string {
	if doc.Abstract == "" {
		return doc.Kind + " " + doc.Reference
	}
	return doc.Abstract
}

// span sets when the event is: hours in the province's zone, or whole days, whose end is the day after (RFC 5545 §3.6.1). An end that
// nobody told is left out.
func span(e *ical.Component, m *meeting.Meeting) {
	if m.At != "" {
		e.Props.Set(local(ical.PropDateTimeStart, m.Day, m.At))
		if m.Until != "" {
			e.Props.Set(local(ical.PropDateTimeEnd, m.Last, m.Until))
		}
		return
	}
	first, err1 := time.Parse(time.DateOnly, m.Day)
	last, err2 := time.Parse(time.DateOnly, m.Last)
	if err1 != nil || err2 != nil {
		return // the encoder refuses an event without a start
	}
	e.Props.SetDate(ical.PropDateTimeStart, first)
	e.Props.SetDate(ical.PropDateTimeEnd, last.AddDate(0, 0, 1))
}

func local(name, day, at string) *ical.Prop {
	p := &ical.Prop{Name: name, Params: ical.Params{}, Value: strings.ReplaceAll(day, "-", "") + "T" + strings.ReplaceAll(at, ":", "") + "00"}
	p.Params.Set(ical.PropTimezoneID, zone)
	return p
}

func timezone() *ical.Component {
	z, standard := ical.NewComponent(ical.CompTimezone), ical.NewComponent(ical.CompTimezoneStandard)
	z.Props.SetText(ical.PropTimezoneID, zone)
	for name, value := range map[string]string{ical.PropDateTimeStart: "19700101T000000", ical.PropTimezoneOffsetFrom: "+0700", ical.PropTimezoneOffsetTo: "+0700", ical.PropTimezoneName: "+07"} {
		standard.Props.Set(&ical.Prop{Name: name, Params: ical.Params{}, Value: value})
	}
	z.Children = append(z.Children, standard)
	return z
}

// calledOff is what calendars are told when a document is taken back or replaced: its event is off. None where it had none.
func (s *Store) calledOff(ctx context.Context, doc *Document, agency string) ([]attached, error) {
	return s.laterEvent(ctx, doc, doc.Meeting(), agency, "CANCEL")
}

// changedTo is what calendars are told when another document corrects or replaces one: the same event at the other's time. Where the other
// tells no time nothing is known to have changed, and the calendar stays.
func (s *Store) changedTo(ctx context.Context, doc, other *Document, agency string) ([]attached, error) {
	return s.laterEvent(ctx, doc, other.Meeting(), agency, "PUBLISH")
}

func (s *Store) laterEvent(ctx context.Context, doc *Document, m *meeting.Meeting, agency, method string) ([]attached, error) {
	if doc.Meeting() == nil || m == nil {
		return nil, nil
	}
	sequence := 0
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &sequence, `SELECT count(*) FROM event WHERE chain = $1 AND kind IN ($2, $3, $4)`, doc.ID.chain(), EventRecalled, EventReplaced, EventCorrected)
	})
	if err != nil {
		return nil, fmt.Errorf("changes of document %d: %w", doc.ID, err)
	}
	data, err := s.event(doc, m, agency, s.db.Now(), sequence+1, method)
	if err != nil {
		return nil, err
	}
	return []attached{calendarFile(data, method)}, nil
}
