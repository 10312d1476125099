package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/exchange/worktime"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/templates"
)

// A dueCopy is an open copy with what a reminder says of its document.
type dueCopy struct {
	Dispatch
	Reference string              `db:"reference"`
	Abstract  string              `db:"abstract"`
	Agency    recipients.UnitCode `db:"agency"`
	Urgency   string              `db:"urgency"`
}

// dueColumns are those of a dueCopy in a join of dispatch d and document o.
var dueColumns = "d." + strings.Join(strings.Fields(dispatchColumns), " d.") + ", o.reference, o.abstract, o.agency, o.urgency"

// Bounds of a digest: a unit may have neglected thousands.
const (
	maxDue    = 1000 // copies looked at for one unit, the most pressing first
	maxListed = 20   // lines of one section
)

// A section is one part of a digest.
type section struct {
	Title, Do   string
	Count, More int
	Lines       []string

	tells bool // reason enough for a letter
}

func (p *section) add(line string) {
	if p.Count++; len(p.Lines) < maxListed {
		p.Lines = append(p.Lines, line)
	} else {
		p.More++
	}
}

// A digest is what one unit is told at the start of a half-day.
type digest struct {
	fresh, unopened, due, warned, late, stuck, calls section
	warnings                                         []warning
	ladder                                           []dueCopy // unopened for so long that deputy and head are told
	climbs                                           bool      // one of them only now: each is told of once
}

// A warning is that half or four fifths of the time for a copy have passed.
type warning struct {
	id    DispatchID
	name  string
	share int
}

// tellUnit sends the digest of a half-day to a unit, unless there is nothing to say, and takes its unopened copies up the
// ladder.
func (s *Store) tellUnit(ctx context.Context, r *ringing, unit recipients.UnitCode) error {
	copies, err := s.dueCopies(ctx, unit)
	if err != nil {
		return err
	}
	d := &digest{}
	for i := range copies {
		if err := s.sort(ctx, r, d, &copies[i]); err != nil {
			return err
		}
	}
	if err := s.callSection(ctx, r, d, unit); err != nil {
		return err
	}
	u, ok := r.dir.Unit(unit)
	if !ok {
		u.Code, u.Name = unit, string(unit)
	}
	if err := s.sendDigest(ctx, r, d, u); err != nil {
		return err
	}
	return s.tellLeaders(ctx, r, d, u)
}

func (s *Store) dueCopies(ctx context.Context, unit recipients.UnitCode) (copies []dueCopy, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &copies, `SELECT `+dueColumns+` FROM dispatch d JOIN document o ON o.id = d.document_id
			WHERE d.owner = $1 AND d.deadline > 0 ORDER BY d.deadline, d.id LIMIT $2`, unit, maxDue)
	})
	if err != nil {
		return nil, fmt.Errorf("open copies of %s: %w", unit, err)
	}
	return copies, nil
}

// sort puts a copy into the section of the digest where it belongs. What has been told before is told again each morning, and is
// no reason for a letter in the afternoon.
func (s *Store) sort(ctx context.Context, r *ringing, d *digest, c *dueCopy) error {
	deadline := time.UnixMicro(c.Deadline).In(hanoi)
	late := !deadline.After(r.now)
	switch {
	case c.unopened():
		switch n := r.heard(c.Since); {
		case n <= 1:
			d.fresh.add(r.line(c) + ".")
		default:
			d.unopened.add(r.line(c) + fmt.Sprintf("; đến từ %s, chưa mở.", clockDate(c.Since)))
			d.unopened.tells = d.unopened.tells || n == 2 || r.Half == worktime.Morning
			if n >= 3 && paces[c.Urgency].step == 0 {
				d.ladder, d.climbs = append(d.ladder, *c), d.climbs || n == 3
			}
		}
	case c.Transport != Delivered:
		d.stuck.put(r, c, r.trouble(c), late)
	case late:
		d.late.put(r, c, "hạn "+clockDate(c.Deadline)+".", true)
	case CivilDate(deadline) == r.Day:
		d.due.put(r, c, "hạn "+clockDate(c.Deadline)+".", true)
	case c.Handling != Received:
		w, err := s.warningOf(ctx, r, c)
		if err != nil || w == nil {
			return err
		}
		d.warnings = append(d.warnings, *w)
		d.warned.add(r.line(c) + fmt.Sprintf("; đã qua %d%% thời gian, hạn %s.", w.share, clockDate(c.Deadline)))
	}
	return nil
}

// put adds a copy. In the morning it is told each day; in the afternoon it is a reason for a letter only when it became so
// since the last bell.
func (p *section) put(r *ringing, c *dueCopy, what string, told bool) {
	p.add(r.line(c) + "; " + what)
	became := c.Since
	if told && c.Deadline < r.now.UnixMicro() {
		became = max(c.Since, c.Deadline)
	}
	if r.Half == worktime.Morning && told || len(r.bells) < 2 || became >= r.bells[1] {
		p.tells = true
	}
}

// line names a copy's document, and for its issuer to whom it goes.
func (r *ringing) line(c *dueCopy) string {
	text := c.Reference
	if c.Urgency != "" {
		text = "[" + c.Urgency + "] " + text
	}
	if c.Owner == string(c.Agency) && string(c.Unit) != c.Owner {
		return text + " gửi " + c.Name
	}
	if u, ok := r.dir.Unit(c.Agency); ok {
		text += " của " + u.Name
	}
	return text
}

func (r *ringing) trouble(c *dueCopy) string {
	switch c.Transport {
	case Exception:
		if c.Way == ByOther {
			return "đơn vị chưa có địa chỉ nhận: gửi bản giấy hoặc cách khác rồi ghi lại."
		}
		return "không chuyển được: kiểm tra địa chỉ, gửi lại hoặc gửi bản giấy."
	case Uncertain:
		return "có thể đã đến, chưa có xác nhận."
	case Relayed:
		return "đã chuyển đi, nơi nhận chưa xác nhận."
	}
	return "đang chờ chuyển đi."
}

// clockDate writes an instant as people read it.
func clockDate(us int64) string {
	return time.UnixMicro(us).In(hanoi).Format("15:04 ngày 02/01/2006")
}

// warningOf returns the warning that a copy in handling is due for and has not had: at a half, and at four fifths, of the
// working time until its deadline. Another deadline is warned of anew.
func (s *Store) warningOf(ctx context.Context, r *ringing, c *dueCopy) (*warning, error) {
	since, deadline := time.UnixMicro(c.Since), time.UnixMicro(c.Deadline)
	whole := r.cal.Between(since, deadline)
	passed := r.cal.Between(since, r.now)
	for _, share := range []int{80, 50} {
		if whole <= 0 || passed*100 < whole*time.Duration(share) {
			continue
		}
		w := &warning{c.ID, fmt.Sprintf("warning:%d:%d:%d", c.ID, share, c.Deadline), share}
		known, err := s.reminded(ctx, w.name)
		if err != nil || known {
			return nil, err
		}
		return w, nil
	}
	return nil, nil
}

func (s *Store) sendDigest(ctx context.Context, r *ringing, d *digest, u recipients.Unit) error {
	parts, short := d.sections()
	if len(parts) == 0 {
		return nil
	}
	text, err := templates.Mail("digest.txt", struct {
		Unit, Half string
		Sections   []*section
	}{u.Name, r.HalfDay.String(), parts})
	if err != nil {
		return err
	}
	m := &reminder{Name: fmt.Sprintf("digest:%s:%s:%s", u.Code, r.Day, r.Half), Kind: EventDigest, Unit: string(u.Code), Told: []string{string(s.address(u))},
		Subject: "Sổ trực " + r.HalfDay.String() + ": " + strings.Join(short, ", "), half: r.HalfDay, text: text}
	_, err = s.remind(ctx, m, func(ctx context.Context, tx *sqldb.Tx) (*Event, error) {
		for _, w := range d.warnings {
			if err := s.warn(ctx, tx, r.HalfDay, w); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return err
}

// warn notes on a copy that its owner was told how little time is left.
func (s *Store) warn(ctx context.Context, tx *sqldb.Tx, h worktime.HalfDay, w warning) error {
	c, err := receipt(ctx, tx, w.id)
	if err != nil || c.Dispatch.Closed() {
		return err
	}
	var known []string
	if err := tx.SelectContext(ctx, &known, `SELECT name FROM reminder WHERE name = $1`, w.name); err != nil || len(known) > 0 {
		return err
	}
	if err := c.act(ctx, tx, EventWarned, Gateway, map[string]any{"name": w.name, "share": w.share, "deadline": c.Dispatch.Deadline}, nil); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO reminder (name, kind, unit, day, half, told, at, chain, ordinal) VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8)`,
		w.name, EventWarned, c.Dispatch.Owner, h.Day, h.Half, tx.Now.UnixMicro(), int64(w.id), c.Dispatch.Events-1)
	return err
}

// A part is a section with its words, short ones for the subject.
type part struct {
	*section
	title, short, do string
}

// sections returns what the letter says, nothing when there is no reason for one.
func (d *digest) sections() (parts []*section, short []string) {
	d.fresh.tells, d.warned.tells = d.fresh.Count > 0, d.warned.Count > 0
	all := []part{
		{&d.fresh, "Văn bản mới", "%d mới", "Mở từng văn bản trong hộp thư và tiếp nhận trong ngày."},
		{&d.unopened, "Chưa mở từ các buổi trước", "%d chưa mở", "Mở ngay và tiếp nhận; nếu gửi nhầm đơn vị thì trả lại với lý do."},
		{&d.due, "Đến hạn hôm nay", "%d đến hạn hôm nay", "Tiếp nhận hoặc giải quyết xong trước khi hết giờ làm việc."},
		{&d.warned, "Sắp đến hạn", "%d sắp đến hạn", "Xem tiến độ; khi xong, chuyển thư vào thư mục Hoàn thành."},
		{&d.late, "Quá hạn", "%d quá hạn", "Làm ngay, hoặc trả lời cơ quan ban hành vì sao chưa xong."},
		{&d.stuck, "Bản gửi đi chưa chắc đã đến", "%d bản gửi đi cần xem", "Cơ quan ban hành chịu trách nhiệm để văn bản đến nơi."},
		{&d.calls, "Cần gọi điện cho nơi nhận", "%d cần gọi điện", "Gọi rồi ghi lại: congvan call done."},
	}
	if !slices.ContainsFunc(all, func(p part) bool { return p.tells }) {
		return nil, nil
	}
	for _, p := range all {
		if p.Count > 0 {
			p.Title, p.Do = p.title, p.do
			parts, short = append(parts, p.section), append(short, fmt.Sprintf(p.short, p.Count))
		}
	}
	return parts, short
}
