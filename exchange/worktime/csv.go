package worktime

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/viettext"
)

// csvHeader names the columns of a calendar's file: day, kind, hours, the document that says so.
var csvHeader = []string{"ngày", "loại", "giờ", "căn cứ"}

// Kinds of lines that set office hours.
const (
	hoursLine  = "giờ làm việc"
	yearlyLine = "giờ làm việc hằng năm"
)

// Bounds of a calendar's file.
const (
	maxLines  = 20000
	maxErrors = 50
)

// A Change is what somebody changes in the calendar of working time, all of it or nothing.
type Change struct {
	Days  []Day   // a Kind of "" takes the day out of the table: the rules hold for it again
	Hours []Hours // office hours that begin on a day; those of the same day are replaced
}

// A FileError is what is wrong in a line of a calendar's file, in Vietnamese.
type FileError struct {
	Line int
	Text string
}

func (e *FileError) Error() string { return fmt.Sprintf("dòng %d: %s", e.Line, e.Text) }

// ReadCSV reads a calendar's file, as WriteCSV writes it: CSV with the columns ngày, loại, giờ, căn cứ, in this or another
// order, commas or semicolons between. Days are written 2026-02-16 or 16/02/2026. Errors are told by line, together.
func ReadCSV(in io.Reader) (Change, error) {
	buffered := bufio.NewReader(in)
	first, _ := buffered.Peek(512)
	head, _, _ := strings.Cut(string(first), "\n")
	cr := csv.NewReader(buffered)
	cr.FieldsPerRecord = -1
	if strings.Count(head, ";") > strings.Count(head, ",") {
		cr.Comma = ';'
	}
	r := &csvReader{seen: map[string]int{}}
	header, err := cr.Read()
	if err != nil {
		return r.ch, &FileError{1, "không đọc được dòng tiêu đề; cần các cột " + strings.Join(csvHeader, ", ")}
	}
	for i, name := range header {
		name = strings.ToLower(tidy(strings.TrimPrefix(name, "\ufeff")))
		if header[i] = name; !slices.Contains(csvHeader, name) {
			r.bad(1, "không có cột %q; các cột được dùng: %s", name, strings.Join(csvHeader, ", "))
		}
	}
	for _, name := range []string{"ngày", "loại"} {
		if !slices.Contains(header, name) {
			r.bad(1, "thiếu cột %q", name)
		}
	}
	for n := 0; len(r.errs) < maxErrors; n++ {
		record, err := cr.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			line := n + 2
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				line = pe.Line
			}
			r.bad(line, "sai định dạng CSV: %v", err)
			break
		}
		line, _ := cr.FieldPos(0)
		if n >= maxLines {
			r.bad(line, "tệp dài quá %d dòng", maxLines)
			break
		}
		cells := map[string]string{}
		for i, cell := range record {
			if i < len(header) {
				cells[header[i]] = tidy(cell)
			}
		}
		r.line(line, cells)
	}
	if len(r.errs) > 0 {
		return Change{}, errors.Join(r.errs...)
	}
	return r.ch, nil
}

func tidy(s string) string { return strings.Join(strings.Fields(viettext.NFC(s)), " ") }

type csvReader struct {
	ch   Change
	seen map[string]int // lines by what they speak of
	errs []error
}

func (r *csvReader) bad(line int, format string, args ...any) {
	r.errs = append(r.errs, &FileError{line, fmt.Sprintf(format, args...)})
}

func (r *csvReader) line(n int, cells map[string]string) {
	kind := strings.ToLower(cells["loại"])
	if cells["ngày"] == "" && kind == "" {
		return
	}
	day, err := parseDay(cells["ngày"])
	if err != nil {
		r.bad(n, "ngày %q không đúng; ghi như 16/02/2026", cells["ngày"])
		return
	}
	key := day
	if kind == hoursLine || kind == yearlyLine {
		key = day + kind
	}
	if was := r.seen[key]; was > 0 {
		r.bad(n, "ngày %s đã có ở dòng %d", shortDate(day), was)
		return
	}
	r.seen[key] = n
	source := cells["căn cứ"]
	if source == "" && kind != "bỏ" {
		r.bad(n, "thiếu căn cứ: ghi số, ngày của văn bản cho nghỉ hoặc làm bù")
	}
	switch kind {
	case hoursLine, yearlyLine:
		h, err := parseHours(cells["giờ"])
		if err != nil {
			r.bad(n, "giờ %q không đúng; ghi như: 07:30-11:30 13:30-17:00 nghỉ T7 CN", cells["giờ"])
			return
		}
		h.From, h.Yearly, h.Source = day, kind == yearlyLine, source
		r.ch.Hours = append(r.ch.Hours, h)
	case "bỏ":
		r.ch.Days = append(r.ch.Days, Day{Day: day})
	default:
		for _, k := range []DayKind{DayOff, DayWorking, DayHalf} {
			if kind == k.Vietnamese() {
				r.ch.Days = append(r.ch.Days, Day{Day: day, Kind: k, Source: source})
				return
			}
		}
		r.bad(n, "loại %q không đúng; ghi nghỉ, làm việc, nửa ngày, bỏ, %s hoặc %s", cells["loại"], hoursLine, yearlyLine)
	}
}

var (
	errDay   = errors.New("no day")
	errHours = errors.New("no office hours")
)

// parseDay reads a civil date as people write it: 2026-02-16, 16/02/2026 or 16-2-2026.
func parseDay(text string) (string, error) {
	for _, layout := range []string{time.DateOnly, "2/1/2006", "2-1-2006", "2.1.2006"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1900 && t.Year() <= 2200 {
			return t.Format(time.DateOnly), nil
		}
	}
	return "", errDay
}

var shortDays = [...]string{"CN", "T2", "T3", "T4", "T5", "T6", "T7"}

// parseHours reads "07:30-11:30 13:30-17:00 nghỉ T7 CN"; without the last words Saturday and Sunday are off.
func parseHours(text string) (h Hours, err error) {
	spans, off, named := strings.Cut(strings.ReplaceAll(text, ",", " "), "nghỉ")
	if !named {
		off = "T7 CN"
	}
	words := strings.Fields(spans)
	if len(words) < 1 || len(words) > 2 {
		return h, errHours
	}
	if h.Morning, err = ParseSpan(words[0]); err != nil {
		return h, err
	}
	if len(words) == 2 {
		if h.Afternoon, err = ParseSpan(words[1]); err != nil {
			return h, err
		}
	}
	for _, name := range strings.Fields(off) {
		i := slices.Index(shortDays[:], strings.ToUpper(name))
		if i < 0 {
			return h, errHours
		}
		h.DaysOff = append(h.DaysOff, time.Weekday(i))
	}
	return h, nil
}

// WriteCSV writes the table as a file that ReadCSV reads; what the rules propose stands only in the table's place.
func (c *Calendar) WriteCSV(w io.Writer) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(csvHeader); err != nil {
		return err
	}
	for _, h := range c.hours {
		kind := hoursLine
		if h.Yearly {
			kind = yearlyLine
		}
		text := strings.TrimSpace(h.Morning.String()+" "+h.Afternoon.String()) + " nghỉ"
		for _, d := range ParseWeekdays(h.DaysOff.String()) {
			text += " " + shortDays[d]
		}
		if err := cw.Write([]string{shortDate(h.From), kind, text, h.Source}); err != nil {
			return err
		}
	}
	for _, d := range c.Days() {
		if err := cw.Write([]string{shortDate(d.Day), d.Kind.Vietnamese(), "", d.Source}); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}
