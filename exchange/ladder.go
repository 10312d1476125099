package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/templates"
)

// leaders returns where a unit's head and deputies get mail, and who they are.
func (s *Store) leaders(ctx context.Context, unit recipients.UnitCode) (addresses []string, names string, err error) {
	if s.Posts == nil {
		return nil, "", nil
	}
	posts, err := s.Posts(ctx, unit)
	if err != nil {
		return nil, "", fmt.Errorf("posts of %s: %w", unit, err)
	}
	var who []string
	for _, p := range posts {
		if p.Role != recipients.ClerkRole && p.Address != "" {
			addresses, who = append(addresses, p.Address), append(who, p.Name)
		}
	}
	return addresses, strings.Join(who, ", "), nil
}

// tellLeaders is the second rung for copies that do not interrupt: the third bell that rings over an unopened copy is told to
// deputy and head too. Where the directory knows neither, the event says that nobody was told.
func (s *Store) tellLeaders(ctx context.Context, r *ringing, d *digest, u recipients.Unit) error {
	if !d.climbs {
		return nil
	}
	told, names, err := s.leaders(ctx, u.Code)
	if err != nil {
		return err
	}
	looked, err := s.lookedText(ctx, r, u.Code)
	if err != nil {
		return err
	}
	var p section
	for i := range d.ladder {
		c := &d.ladder[i]
		p.add(r.line(c) + "; đến từ " + clockDate(c.Since) + ".")
	}
	text, err := templates.Mail("leaders.txt", struct {
		To, Unit, Half, Looked string
		*section
	}{names, u.Name, r.HalfDay.String(), looked, &p})
	if err != nil {
		return err
	}
	_, err = s.remind(ctx, &reminder{Name: fmt.Sprintf("leaders:%s:%s:%s", u.Code, r.Day, r.Half), Kind: EventEscalated, Unit: string(u.Code), Told: told,
		Subject: fmt.Sprintf("%s: còn %d văn bản chưa mở", u.Name, p.Count), half: r.HalfDay, text: text}, nil)
	return err
}

// lookedText says in which of the last half-days the unit looked after its mail.
func (s *Store) lookedText(ctx context.Context, r *ringing, unit recipients.UnitCode) (string, error) {
	var halves []Check
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &halves, `SELECT b.day, b.half, COALESCE(c.how, '') AS how, COALESCE(c.at, 0) AS at, '' AS actor, '' AS unit
			FROM bell b LEFT JOIN checked c ON c.day = b.day AND c.half = b.half AND c.unit = $1 WHERE b.at < $2 ORDER BY b.at DESC LIMIT 2`, unit, r.bells[0])
	})
	if err != nil {
		return "", err
	}
	var lines []string
	for _, h := range halves {
		what := "không thấy ai xem hộp thư"
		switch {
		case h.How == CheckedLooked:
			what = "chỉ thấy phần mềm thư mở hộp thư khi không có thư mới"
		case h.How != "":
			what = "có xem hộp thư lúc " + time.UnixMicro(h.At).In(hanoi).Format("15:04")
		}
		lines = append(lines, worktime.HalfDay{Day: h.Day, Half: h.Half}.String()+": "+what)
	}
	if len(lines) == 0 {
		return "", nil
	}
	return "Buổi " + strings.Join(lines, "; buổi ") + ".", nil
}

// maxAlarms is how many urgent copies one look takes up the ladder; the next look comes in seconds.
const maxAlarms = 100

// climb takes urgent copies up the ladder in working time: the unit is told that nobody has opened one, then its deputy and
// head, then the issuing unit is asked to call. Copies of other documents wait for the bells.
func (s *Store) climb(ctx context.Context, cal *worktime.Calendar, h worktime.HalfDay) error {
	var due []dueCopy
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &due, `SELECT `+dueColumns+` FROM dispatch d JOIN document o ON o.id = d.document_id
			WHERE d.alarm > 0 AND d.alarm <= $1 ORDER BY d.alarm, d.id LIMIT $2`, tx.Now.UnixMicro(), maxAlarms)
	})
	if err != nil || len(due) == 0 {
		return err
	}
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return err
	}
	r := &ringing{HalfDay: h, cal: cal, dir: dir, now: s.db.Now()}
	var errs []error
	for i := range due {
		if err := s.climbOne(ctx, r, &due[i]); err != nil && !errors.Is(err, errLookAgain) {
			errs = append(errs, fmt.Errorf("remind of dispatch %d: %w", due[i].ID, err))
		}
	}
	return errors.Join(errs...)
}

// An urgentLetter is what a rung says.
type urgentLetter struct {
	To, Urgency, Line, Problem, Do string
}

func (s *Store) climbOne(ctx context.Context, r *ringing, c *dueCopy) error {
	rung := c.Rung + 1
	owner, _ := r.dir.Unit(recipients.UnitCode(c.Owner))
	if owner.Code == "" {
		owner = recipients.Unit{Code: recipients.UnitCode(c.Owner), Name: c.Owner}
	}
	v := urgentLetter{To: owner.Name, Urgency: c.Urgency, Line: r.line(c), Problem: "Đến từ " + clockDate(c.Since) + ", chưa ai mở.",
		Do: "Mở ngay và tiếp nhận; nếu gửi nhầm đơn vị thì trả lại với lý do."}
	told := []string{string(s.address(owner))}
	stuck := !c.unopened()
	if stuck {
		v.Problem, v.Do = "Từ "+clockDate(c.Since)+": "+r.trouble(c), "Bảo đảm văn bản đến nơi nhận ngay bằng cách khác, rồi ghi lại."
	}
	subject := fmt.Sprintf("%s: chưa mở %s", c.Urgency, c.Reference)
	if stuck {
		subject = fmt.Sprintf("%s: %s chưa đến %s", c.Urgency, c.Reference, c.Name)
	}
	switch {
	case rung == 2:
		addresses, names, err := s.leaders(ctx, owner.Code)
		if err != nil {
			return err
		}
		told, v.To = addresses, names
		v.Problem = strings.TrimSuffix(v.Problem, ".") + "; đơn vị đã được nhắc."
	case rung == 3:
		agency, ok := r.dir.Unit(c.Agency)
		if !ok {
			agency = recipients.Unit{Code: c.Agency, Name: string(c.Agency)}
		}
		told, v.To = []string{string(s.address(agency))}, agency.Name
		v.Line = c.Reference + " gửi " + c.Name
		v.Do = s.phoneText(ctx, c.Unit)
		subject = fmt.Sprintf("%s: gọi điện cho %s về %s", c.Urgency, c.Name, c.Reference)
	}
	text, err := templates.Mail("urgent.txt", v)
	if err != nil {
		return err
	}
	m := &reminder{Name: fmt.Sprintf("urgent:%d:%d:%d", c.ID, c.Since, rung), Kind: EventWarned, Unit: c.Owner, Told: told, Subject: subject, half: r.HalfDay, text: text}
	_, err = s.remind(ctx, m, func(ctx context.Context, tx *sqldb.Tx) (*Event, error) { return s.climbTx(ctx, tx, c, m, rung) })
	return err
}

// climbTx writes the rung into the copy and its journal; one that was opened meanwhile is left alone.
func (s *Store) climbTx(ctx context.Context, tx *sqldb.Tx, c *dueCopy, m *reminder, rung int64) (*Event, error) {
	now, err := receipt(ctx, tx, c.ID)
	if err != nil {
		return nil, err
	}
	d := now.Dispatch
	if d.Rung != rung-1 || d.Alarm == 0 || d.Since != c.Since {
		return nil, ErrStale
	}
	detail := map[string]any{"name": m.Name, "rung": rung, "told": m.Told, "subject": m.Subject}
	if err := now.act(ctx, tx, EventWarned, Gateway, detail, func(d *Dispatch) { d.Rung = rung }); err != nil {
		return nil, err
	}
	e := &Event{Chain: int64(d.ID), Ordinal: d.Events - 1}
	if rung == rungs && d.unopened() {
		return e, listCall(ctx, tx, now)
	}
	return e, nil
}
