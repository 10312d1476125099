package exchange_test

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/exchange/worktime"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

func subjectOf(t *testing.T, _ *province, s mailcore.Stored) string {
	t.Helper()
	if s.Summary == nil {
		t.Fatal("a mail without a summary")
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(s.Summary.Envelope.Subject)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(subject), " ")
}

// openCopy opens in a unit's inbox the mail of a document, and what the gateway wrote.
func (p *province) openCopy(t *testing.T, unit, reference string) bool {
	t.Helper()
	ctx := t.Context()
	a, box := p.account(t, unit)
	rows, _, err := p.mail.Rows(ctx, box.ID)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	var uids []mailcore.UID
	for _, r := range rows {
		if slices.Contains(r.Flags, `\Seen`) {
			continue
		}
		stored, err := p.mail.Load(ctx, box.ID, []mailcore.UID{r.UID})
		if err != nil || len(stored) != 1 {
			t.Fatal(err)
		}
		subject := subjectOf(t, p, stored[0])
		is := strings.Contains(subject, reference+": ")
		found = found || is
		if is || strings.HasPrefix(r.Ref, "duty:") {
			uids = append(uids, r.UID)
		}
	}
	if _, err := p.mail.ChangeFlags(ctx, a, box.ID, uids, mailcore.FlagsAdd, []string{`\Seen`}); err != nil {
		t.Fatal(err)
	}
	p.handle(t)
	return found
}

func (p *province) account(t *testing.T, unit string) (mailcore.Account, mailcore.Mailbox) {
	t.Helper()
	u, _ := p.dir.Unit(recipients.UnitCode(unit))
	address := mailcore.Address(unit + "@" + domain)
	if u.Address != "" {
		address = mailcore.Address(u.Address)
	}
	a, err := p.mail.Account(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	box, err := p.mail.Mailbox(t.Context(), a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return a, box
}

// A week plays a script and writes down who was reminded when.
type week struct {
	*province
	t     *testing.T
	docs  map[string]*exchange.Status
	out   strings.Builder
	day   string
	known map[string]bool
}

// A scripted week, read by a clerk: testdata/week/script.txt is what people do, golden.txt what comes of it.
func TestAWeekAroundTet(t *testing.T) {
	forEachProvince(t, "2010-02-10 07:00", func(t *testing.T, p *province) {
		w := &week{province: p, t: t, docs: map[string]*exchange.Status{}, known: map[string]bool{}}
		w.play(openTest(t, "script.txt"))
		w.summary()
		golden := filepath.Join("testdata", "week", "golden.txt")
		if flag.Lookup("update").Value.String() == "true" {
			if err := os.WriteFile(golden, []byte(w.out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != w.out.String() {
			got, lines := strings.Split(w.out.String(), "\n"), strings.Split(string(want), "\n")
			for i := range min(len(got), len(lines)) {
				if got[i] != lines[i] {
					t.Fatalf("line %d\n got %s\nwant %s\n(go test ./exchange -run AWeekAroundTet -update)", i+1, got[i], lines[i])
				}
			}
			t.Fatalf("%d lines, want %d", len(got), len(lines))
		}
		p.mustBeSound(t)
	})
}

func (w *week) play(script *os.File) {
	w.out.WriteString("Sổ trực của hệ thống, theo kịch bản script.txt. Dấu • là việc người ta làm, dấu → là thư nhắc của hệ thống.\n")
	lines := bufio.NewScanner(script)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		at, err := time.ParseInLocation("02/01/2006 15:04", text[:16], zone)
		if err != nil {
			w.t.Fatal(err)
		}
		w.run(at)
		w.note("•", text[17:])
		w.do(strings.Fields(text[17:]))
	}
}

// run lets time pass until then, in quarters of an hour.
func (w *week) run(until time.Time) {
	for w.clock.now().Before(until) {
		next := w.clock.now().Truncate(15 * time.Minute).Add(15 * time.Minute)
		if hour := next.In(zone).Hour(); hour >= 18 { // nights are long, and nothing is due in them
			next = time.Date(next.In(zone).Year(), next.In(zone).Month(), next.In(zone).Day()+1, 7, 0, 0, 0, zone)
		}
		if next.After(until) {
			next = until
		}
		w.tick(w.t, next, true)
		w.look()
	}
}

func (w *week) note(mark, text string) {
	at := w.clock.now().In(zone)
	if day := at.Format("02/01/2006"); day != w.day {
		w.day = day
		weekday := [...]string{"Chủ nhật", "Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy"}[at.Weekday()]
		cal, err := w.Calendar(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		what := ""
		if d, ok := cal.DayOn(at.Format(time.DateOnly)); ok {
			what = " (" + d.Kind.Vietnamese() + ": " + d.Source + ")"
		}
		fmt.Fprintf(&w.out, "\n%s, %s%s\n", weekday, day, what)
	}
	fmt.Fprintf(&w.out, "  %s  %s %s\n", at.Format("15:04"), mark, text)
}

// do does what one line of the script says.
func (w *week) do(words []string) {
	t, ctx := w.t, w.t.Context()
	text := strings.Join(words, " ")
	switch {
	case text == "hết":
	case strings.HasPrefix(text, "hệ thống ngừng đến "):
		at := w.clock.now().In(zone)
		end := local(t, at.Format("2006-01-02 ")+words[len(words)-1])
		w.tick(t, end, false)
		w.look()
	case words[0] == "lịch":
		day, rest, _ := strings.Cut(strings.TrimPrefix(text, "lịch "), " ")
		kind, source, _ := strings.Cut(rest, " theo ")
		d, err := time.Parse("02/01/2006", day)
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]worktime.DayKind{"nghỉ": worktime.DayOff, "nửa ngày": worktime.DayHalf, "làm việc": worktime.DayWorking}
		if _, err := w.ChangeCalendar(ctx, exchange.Actor{Name: "quản trị"}, worktime.Change{Days: []worktime.Day{{Day: d.Format(time.DateOnly), Kind: kinds[kind], Source: source}}}); err != nil {
			t.Fatal(err)
		}
	case words[1] == "phát":
		w.issueLine(words)
	case words[1] == "gọi":
		reference, rest := words[3], strings.Join(words[4:], " ")
		result, note, _ := strings.Cut(rest, ": ")
		if _, err := w.Called(ctx, exchange.Actor{Name: "văn thư", Unit: recipients.UnitCode(words[0])}, w.copyOf(words[2], reference), result == "gặp được", note); err != nil {
			t.Fatal(err)
		}
	default:
		w.units(words)
	}
}

func (w *week) issueLine(words []string) {
	i := slices.Index(words, "gửi")
	urgency := strings.Join(words[4:i], " ")
	units, purpose := words[i+1:], ""
	if n := len(units); n > 2 && units[n-1] == "biết" {
		units, purpose = units[:n-2], "biết"
	}
	w.docs[words[3]] = w.send(w.t, words[0], words[3], urgency, purpose, units...)
}

func (w *week) copyOf(unit, reference string) exchange.DispatchID {
	return copyTo(w.t, w.docs[reference], unit).Dispatch.ID
}

// units does what one unit does, or all that have a copy but some.
func (w *week) units(words []string) {
	t, ctx := w.t, w.t.Context()
	list, verb := words[:1], words[1:]
	if strings.HasPrefix(strings.Join(words, " "), "mọi đơn vị ") {
		verb = words[3:]
		list = nil
		for _, u := range w.dir.Units() {
			list = append(list, string(u.Code))
		}
	}
	if i := slices.Index(verb, "trừ"); i > 0 {
		list = slices.DeleteFunc(list, func(u string) bool { return slices.Contains(verb[i+1:], u) })
		verb = verb[:i]
	}
	reference := verb[len(verb)-1]
	for _, unit := range list {
		switch strings.Join(verb[:len(verb)-1], " ") {
		case "mở":
			w.openCopy(t, unit, reference)
		case "tiếp nhận", "hoàn thành":
			for _, d := range w.docs[reference].Dispatches {
				if d.Unit != unit {
					continue
				}
				by := exchange.Actor{Unit: recipients.UnitCode(unit)}
				if _, err := w.Accept(ctx, by, d.Dispatch.ID, ""); err != nil {
					t.Fatal(err)
				}
				if verb[0] == "hoàn" {
					if _, err := w.Advance(ctx, by, d.Dispatch.ID, exchange.Completed); err != nil {
						t.Fatal(err)
					}
				}
			}
		case "xem hộp": // thư
			w.lookInto(unit)
		default:
			t.Fatalf("script: %q", words)
		}
	}
}

// lookInto is what a mail client does in the morning; with nothing new it counts as a weak look.
func (w *week) lookInto(unit string) {
	a, box := w.account(w.t, unit)
	rows, _, err := w.mail.Rows(w.t.Context(), box.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if !slices.ContainsFunc(rows, func(r mailcore.Row) bool { return !slices.Contains(r.Flags, `\Seen`) }) {
		w.mail.NoteVisit(mailcore.Login{Account: a}, a.ID, mailcore.VisitLooked)
		if err := w.mail.FlushLogins(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// look writes down the reminders that came since the last look.
func (w *week) look() {
	var rows []struct {
		Name   string `db:"name"`
		Kind   string `db:"kind"`
		Unit   string `db:"unit"`
		Told   string `db:"told"`
		Detail string `db:"detail"`
	}
	err := w.db.Read(w.t.Context(), func(tx *sqldb.Tx) error {
		return tx.SelectContext(w.t.Context(), &rows, `SELECT r.name, r.kind, r.unit, r.told, e.detail FROM reminder r JOIN event e ON e.chain = r.chain AND e.ordinal = r.ordinal
			WHERE r.at >= $1 ORDER BY r.kind, r.unit, r.name`, w.clock.now().UnixMicro())
	})
	if err != nil {
		w.t.Fatal(err)
	}
	groups := map[string][]string{}
	for _, r := range rows {
		if w.known[r.Name] {
			continue
		}
		w.known[r.Name] = true
		subject := ""
		if _, rest, ok := strings.Cut(r.Detail, `"subject":"`); ok {
			subject, _, _ = strings.Cut(rest, `"`)
		}
		to := strings.ReplaceAll(r.Told, "@"+domain, "")
		switch {
		case strings.HasPrefix(r.Name, "warning:"):
			continue // its letter is the digest
		case to == "":
			to = "danh bạ chưa có cấp trưởng, cấp phó của " + r.Unit
		}
		groups[subject] = append(groups[subject], to)
	}
	for _, subject := range slices.Sorted(maps.Keys(groups)) {
		w.note("→", subject+"  ["+strings.Join(groups[subject], ", ")+"]")
	}
}

// summary tells who looked after its mail, half-day by half-day.
func (w *week) summary() {
	ctx, t := w.t.Context(), w.t
	cal, err := w.Calendar(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := w.ListChecks(ctx, "2010-02-10", "2010-02-27")
	if err != nil {
		t.Fatal(err)
	}
	outages, err := w.Outages(ctx, local(t, "2010-02-10 00:00"), local(t, "2010-02-28 00:00"))
	if err != nil {
		t.Fatal(err)
	}
	w.out.WriteString("\nXem hộp thư đơn vị theo từng buổi (43 đơn vị)\n")
	for _, h := range cal.HalfDays("2010-02-10", "2010-02-27") {
		seen, weak := 0, 0
		for _, c := range checks {
			if c.Day == h.Day && c.Half == h.Half {
				if seen++; c.Weak() {
					weak++
				}
			}
		}
		fmt.Fprintf(&w.out, "  %-28s có xem %d", h, seen)
		if weak > 0 {
			fmt.Fprintf(&w.out, ", trong đó %d chỉ thấy phần mềm thư mở hộp thư khi không có thư mới", weak)
		}
		if down := h.End.Sub(h.Start) - exchange.Uptime(h, outages); down > 0 {
			fmt.Fprintf(&w.out, "; hệ thống ngừng %d phút", int(down.Minutes()))
		}
		w.out.WriteString("\n")
	}
	list, err := w.CallList(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	w.out.WriteString("\nCòn phải gọi điện\n")
	for _, c := range list {
		fmt.Fprintf(&w.out, "  %s gọi %s về %s: %s\n", c.Agency, c.Name, c.Reference, c.Phones)
	}
}
