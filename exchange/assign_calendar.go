package exchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/templates"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-message/mail"
)

// taskLetters are the mails of an assignment: to those who work on the copy the task for their calendar and, to those who did not
// until now, the document's own mail; to those who are released a mail that takes the task back.
func (s *Store) taskLetters(ctx context.Context, r *Receipt, a Assignment) ([]*parcel, error) {
	var have []Task
	version := 0
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		if have, err = tasksOf(ctx, tx, r.Dispatch.ID); err != nil {
			return err
		}
		return tx.GetContext(ctx, &version, `SELECT count(*) FROM event WHERE chain = $1 AND kind IN ($2, $3)`, r.Dispatch.ID, Assigned, EventReassigned)
	})
	if err != nil {
		return nil, err
	}
	if a.DueOn == "" {
		a.DueOn = r.Dispatch.DueOn
	}
	if sameTasks(have, a) || r.Dispatch.Closed() {
		return nil, nil
	}
	people := a.people()
	fresh, released := turnover(have, people)
	body, err := s.compose(ctx, r.Document)
	if err != nil {
		return nil, err
	}
	task := &taskMail{s: s, r: r, a: a, version: version}
	if err := task.names(ctx, append(slices.Clone(people), released...)); err != nil {
		return nil, err
	}
	prefix := s.replyHeader(r.Dispatch)
	out := []*parcel{}
	document, err := s.shown(ctx, body, prefix, fresh)
	if err != nil {
		return nil, err
	}
	out = append(out, document)
	for _, part := range []struct {
		cancel bool
		to     []mailcore.Address
	}{{false, people}, {true, released}} {
		if len(part.to) == 0 {
			continue
		}
		l, err := task.letter(part.cancel, part.to)
		if err != nil {
			return nil, err
		}
		p, err := s.parcel(ctx, l, prefix, part.to...)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// turnover says who of the people is new to a copy, and whom it has that is not among them.
func turnover(have []Task, people []mailcore.Address) (fresh, released []mailcore.Address) {
	fresh, released = []mailcore.Address{}, []mailcore.Address{}
	for _, p := range people {
		if !slices.ContainsFunc(have, func(t Task) bool { return t.Officer == p && t.State != TaskWithdrawn }) {
			fresh = append(fresh, p)
		}
	}
	for _, t := range have {
		if t.State != TaskWithdrawn && !slices.Contains(people, t.Officer) {
			released = append(released, t.Officer)
		}
	}
	return fresh, released
}

// people are all who work on the copy, the lead first.
func (a *Assignment) people() (all []mailcore.Address) {
	for _, t := range a.tasks() {
		all = append(all, t.Officer)
	}
	return all
}

// shown is a stored body for mailboxes: the document's mail is one body however many officers get it.
func (s *Store) shown(ctx context.Context, body *mailcore.Body, prefix []byte, to []mailcore.Address) (*parcel, error) {
	p := &parcel{body: body}
	for _, address := range to {
		a, err := s.Mail.Account(ctx, address)
		if err != nil {
			return nil, err
		}
		p.copies = append(p.copies, mailcore.Copy{Account: a.ID, Prefix: prefix})
	}
	return p, nil
}

// A taskMail writes the mails of one assignment.
type taskMail struct {
	s       *Store
	r       *Receipt
	a       Assignment
	version int // how often the copy was given out before
	people  map[mailcore.Address]string
}

func (t *taskMail) names(ctx context.Context, all []mailcore.Address) error {
	t.people = map[mailcore.Address]string{"": "chờ đơn vị phân công"}
	for _, p := range all {
		a, err := t.s.Mail.Account(ctx, p)
		if err != nil {
			return err
		}
		if t.people[p] = a.Name; a.Name == "" {
			t.people[p] = p.Local()
		}
	}
	return nil
}

// letter is a mail from the unit with the task as iCalendar (RFC 5545, RFC 5546, RFC 6047).
func (t *taskMail) letter(cancel bool, to []mailcore.Address) (*letter, error) {
	data := t.s.letterData(context.Background(), t.r)
	if data.Deadline, data.Reason = vietnameseDate(t.a.DueOn), t.a.Note; len(t.a.tasks()) > 0 || t.a.left != "" {
		data.To = t.people[t.a.Lead]
	}
	var support []string
	for _, p := range t.a.Support {
		support = append(support, t.people[p])
	}
	data.What, data.Text = strings.Join(support, ", "), t.r.Document.Abstract
	name, head, method, kind := "task.txt", "Phân công", "REQUEST", "viec"
	if cancel {
		name, head, method, kind = "untask.txt", "Thôi phân công", "CANCEL", "thoi"
	}
	text, err := templates.Mail(name, data)
	if err != nil {
		return nil, err
	}
	calendar, err := t.calendar(method, to)
	if err != nil {
		return nil, err
	}
	d := t.r.Dispatch
	return &letter{from: mail.Address{Name: d.Name, Address: d.Address}, to: "Cán bộ được phân công", subject: head + ": " + documentSubject(t.r.Document), text: text,
		id: t.s.actID(kind, d), inReplyTo: t.s.messageID(t.r.Document), urgency: t.r.Document.Urgency,
		files: []attached{{"cong-viec.ics", "text/calendar", calendar, map[string]string{"charset": "utf-8", "method": method, "component": "VTODO"}}}}, nil
}

// calendar writes the task. Its UID is the copy's, so that a later assignment changes the same task in every calendar.
func (t *taskMail) calendar(method string, to []mailcore.Address) ([]byte, error) {
	c := ical.NewCalendar()
	c.Props.SetText(ical.PropVersion, "2.0")
	c.Props.SetText(ical.PropProductID, "-//Cong Van//congvan//VI")
	c.Props.SetText(ical.PropMethod, method)
	d, doc, now := t.r.Dispatch, t.r.Document, t.s.db.Now()
	todo := ical.NewComponent(ical.CompToDo)
	todo.Props.SetText(ical.PropUID, fmt.Sprintf("viec-%d@%s", d.ID, t.s.Domain))
	todo.Props.SetDateTime(ical.PropDateTimeStamp, now.UTC().Truncate(time.Second))
	todo.Props.Set(&ical.Prop{Name: ical.PropSequence, Params: ical.Params{}, Value: fmt.Sprint(t.version)})
	todo.Props.SetText(ical.PropSummary, "Xử lý văn bản "+documentSubject(doc))
	todo.Props.SetText(ical.PropDescription, t.description())
	todo.Props.SetDate(ical.PropDateTimeStart, now.In(hanoi))
	if day, err := time.Parse(time.DateOnly, t.a.DueOn); err == nil {
		todo.Props.SetDate(ical.PropDue, day)
	}
	priority, status := "5", "NEEDS-ACTION"
	if doc.Urgency != "" {
		priority = "1"
	}
	if method == "CANCEL" {
		status = "CANCELLED"
	}
	todo.Props.Set(&ical.Prop{Name: ical.PropPriority, Params: ical.Params{}, Value: priority})
	todo.Props.SetText(ical.PropStatus, status)
	todo.Props.Set(person(ical.PropOrganizer, mailcore.Address(d.Address), d.Name))
	for _, p := range to {
		at := person(ical.PropAttendee, p, t.people[p])
		role := "REQ-PARTICIPANT"
		if p == t.a.Lead {
			role = "CHAIR"
		}
		at.Params.Set("ROLE", role)
		todo.Props.Add(at)
	}
	c.Children = append(c.Children, todo)
	var b bytes.Buffer
	if err := ical.NewEncoder(&b).Encode(c); err != nil {
		return nil, fmt.Errorf("task of dispatch %d: %w", d.ID, err)
	}
	return foldLines(b.Bytes()), nil
}

// foldLines breaks content lines after 75 octets, never inside a character (RFC 5545 §3.1): the library leaves them whole.
func foldLines(calendar []byte) []byte {
	const most = 75
	var out []byte
	for line := range bytes.Lines(calendar) {
		for room := most; len(bytes.TrimRight(line, "\r\n")) > room; room = most - 1 {
			cut := room
			for cut > 0 && !utf8.RuneStart(line[cut]) {
				cut--
			}
			out = append(append(out, line[:cut]...), "\r\n "...)
			line = line[cut:]
		}
		out = append(out, line...)
	}
	return out
}

func (t *taskMail) description() string {
	text := fmt.Sprintf("Chủ trì: %s.", t.people[t.a.Lead])
	var support []string
	for _, p := range t.a.Support {
		support = append(support, t.people[p])
	}
	if len(support) > 0 {
		text += " Phối hợp: " + strings.Join(support, ", ") + "."
	}
	if t.a.Note != "" {
		text += "\n" + t.a.Note
	}
	return text
}

// person is an ORGANIZER or ATTENDEE. A name may hold no quotation marks and no control characters (RFC 5545 §3.2).
func person(property string, address mailcore.Address, name string) *ical.Prop {
	p := &ical.Prop{Name: property, Params: ical.Params{}, Value: "mailto:" + string(address)}
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' {
			return ' '
		}
		return r
	}, name))
	if name != "" {
		p.Params.Set(ical.ParamCommonName, name)
	}
	return p
}
