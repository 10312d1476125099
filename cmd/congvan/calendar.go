package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/exchange/worktime"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

const calendarLong = `Giờ hành chính, ngày nghỉ, nghỉ bù và ngày làm bù, để tính thời hạn và đổ chuông đầu buổi. Quy tắc (ngày lễ, âm lịch theo giờ
Việt Nam) chỉ đề xuất; bảng này quyết định. Mỗi năm khi có thông báo nghỉ Tết hoặc hoán đổi ngày làm việc, ghi vào một tệp CSV
với các cột ngày,loại,giờ,căn cứ rồi nạp vào. Loại: nghỉ, làm việc, nửa ngày, bỏ (trở lại theo đề xuất), giờ làm việc, giờ làm
việc hằng năm. Thời hạn của các văn bản còn mở được tính lại theo bảng mới.`

// A calendarDesk is an administrator's hand on working time.
type calendarDesk struct {
	s      *streams
	data   string
	as     string
	asJSON bool
}

func calendarCommand(s *streams) *cobra.Command {
	d := &calendarDesk{s: s}
	subs := []*cobra.Command{
		{Use: "import FILE.csv", Args: cobra.ExactArgs(1), RunE: d.run(d.load), Short: "Nạp ngày nghỉ, ngày làm bù, giờ làm việc từ tệp CSV",
			Example: "  congvan calendar import nghi-tet-2026.csv"},
		{Use: "export", Args: cobra.NoArgs, RunE: d.run(d.export), Short: "In bảng đang dùng thành CSV"},
		{Use: "list", Args: cobra.NoArgs, RunE: d.run(d.list), Short: "Các lần thay đổi bảng: ai, khi nào, đổi gì"},
		{Use: "show [NĂM]", Args: cobra.MaximumNArgs(1), RunE: d.run(d.show), Short: "Lịch làm việc của một năm: theo văn bản nào, ngày nào mới là đề xuất",
			Example: "  congvan calendar show 2026"},
	}
	for _, c := range subs {
		dataFlag(c, &d.data, ".")
		c.Flags().BoolVar(&d.asJSON, "json", false, "in JSON")
	}
	subs[0].Flags().StringVar(&d.as, "as", "", "ai thay đổi; không ghi thì là người dùng của máy này")
	c := parent("calendar", "Lịch làm việc của tỉnh", subs...)
	c.Long = calendarLong
	return c
}

func (d *calendarDesk) run(verb func(context.Context, *installation, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error { return verb(c.Context(), in, args) })
	}
}

func (d *calendarDesk) load(ctx context.Context, in *installation, args []string) error {
	file, err := readFile(args[0])
	if err != nil {
		return err
	}
	ch, err := worktime.ReadCSV(bytes.NewReader(file))
	if err != nil {
		return &hintError{fmt.Errorf("%s:\n%w", args[0], err), "sửa các dòng đó rồi nạp lại; chưa có gì được ghi"}
	}
	e, err := in.exchange.ChangeCalendar(ctx, (&desk{flags: issueFlags{as: d.as}}).actor(""), ch)
	if err != nil {
		return err
	}
	moved, err := in.exchange.Reckon(ctx)
	if err != nil {
		return err
	}
	if d.asJSON {
		return writeJSON(d.s.out, struct {
			*exchange.CalendarEntry
			Moved int `json:"moved"`
		}{e, moved})
	}
	if len(e.What) == 0 {
		fmt.Fprintln(d.s.out, "Bảng đã có đúng như vậy, không thay đổi gì.")
		return nil
	}
	for _, line := range e.What {
		fmt.Fprintln(d.s.out, line)
	}
	fmt.Fprintf(d.s.out, "Đã ghi %d thay đổi (lần %d). Thời hạn đổi theo: %d bản gửi.\n", len(e.What), e.Version, moved)
	return nil
}

func (d *calendarDesk) export(ctx context.Context, in *installation, _ []string) error {
	c, err := in.exchange.Calendar(ctx)
	if err != nil {
		return err
	}
	return c.WriteCSV(d.s.out)
}

func (d *calendarDesk) list(ctx context.Context, in *installation, _ []string) error {
	log, err := in.exchange.CalendarLog(ctx)
	if err != nil {
		return err
	}
	if d.asJSON {
		return writeJSON(d.s.out, log)
	}
	if len(log) == 0 {
		fmt.Fprintln(d.s.out, "Bảng chưa có gì: lịch đang theo quy tắc. Nạp thông báo nghỉ Tết, hoán đổi ngày làm việc bằng: congvan calendar import TỆP.csv")
	}
	for _, e := range log {
		fmt.Fprintf(d.s.out, "Lần %d, %s, %s:\n", e.Version, e.At.Format("15:04 02/01/2006"), e.By)
		for _, line := range e.What {
			fmt.Fprintln(d.s.out, "    "+line)
		}
	}
	return nil
}

func (d *calendarDesk) show(ctx context.Context, in *installation, args []string) error {
	year := time.Now().Year()
	if len(args) == 1 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1900 || n > 2200 {
			return &usageError{fmt.Errorf("năm %q không đúng", args[0]), "congvan calendar show 2026"}
		}
		year = n
	}
	c, err := in.exchange.Calendar(ctx)
	if err != nil {
		return err
	}
	days := c.ListDays(year)
	if d.asJSON {
		type dayRecord struct {
			Day      string           `json:"day"`
			Kind     worktime.DayKind `json:"kind"`
			Source   string           `json:"source"`
			Proposed bool             `json:"proposed"`
		}
		for _, x := range days {
			if err := writeJSON(d.s.out, dayRecord(x)); err != nil {
				return err
			}
		}
		return nil
	}
	first := fmt.Sprintf("%04d-01-01", year)
	fmt.Fprintf(d.s.out, "Lịch làm việc năm %d\n", year)
	printed := map[string]bool{}
	for _, day := range append([]string{first}, hourStarts(c, year)...) {
		if h := c.HoursOn(day); !printed[h.Vietnamese()] {
			printed[h.Vietnamese()] = true
			text := h.Vietnamese()
			if h.From < "1000" {
				text = "Giờ làm việc: " + text[strings.Index(text, ": ")+2:]
			}
			fmt.Fprintf(d.s.out, "%s (%s)\n", text, h.Source)
		}
	}
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Ngày\t\tLoại\tCăn cứ\t")
	proposed := 0
	for _, x := range days {
		mark := ""
		if x.Proposed {
			mark, proposed = "đề xuất", proposed+1
		}
		at, err := time.Parse(time.DateOnly, x.Day)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", at.Format("02/01/2006"), weekdays[at.Weekday()], x.Kind.Vietnamese(), x.Source, mark)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	halves := len(c.HalfDays(first, fmt.Sprintf("%04d-12-31", year)))
	fmt.Fprintf(d.s.out, "%d buổi làm việc.", halves)
	if proposed > 0 {
		fmt.Fprintf(d.s.out, " %d ngày mới là đề xuất của quy tắc: đối chiếu với thông báo của năm %d rồi nạp vào bảng.", proposed, year)
	}
	fmt.Fprintln(d.s.out)
	return nil
}

var weekdays = [...]string{"Chủ nhật", "thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy"}

// hourStarts lists the days of a year on which other office hours begin.
func hourStarts(c *worktime.Calendar, year int) (out []string) {
	for _, h := range c.Hours() {
		if day := fmt.Sprintf("%04d", year) + h.From[4:]; h.Yearly && day >= h.From || day == h.From {
			out = append(out, day)
		}
	}
	return out
}

// A callDesk is a clerk's hand on the list of those to be called by telephone.
type callDesk struct {
	s                         *streams
	data, unit, as            string
	note                      string
	reached, missed, jsonFlag bool
}

func callCommand(s *streams) *cobra.Command {
	d := &callDesk{s: s}
	list := &cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: d.run(d.list), Short: "Các nơi nhận cần gọi điện: chưa mở văn bản dù đã nhắc",
		Example: "  congvan call list --unit snv"}
	done := &cobra.Command{Use: "done SỐ-KÝ-HIỆU ĐƠN-VỊ", Args: cobra.ExactArgs(2), RunE: d.run(d.done), Short: "Ghi lại cuộc gọi: gặp được hay không gặp được",
		Example: "  congvan call done 09/CĐ-UBND htanuyen --reached --note \"văn thư mở ngay\"\n  congvan call done 09/CĐ-UBND htanuyen --not-reached --note \"máy bận\""}
	for _, c := range []*cobra.Command{list, done} {
		dataFlag(c, &d.data, ".")
		c.Flags().StringVar(&d.unit, "unit", "", "mã cơ quan ban hành; không ghi thì mọi cơ quan")
		c.Flags().BoolVar(&d.jsonFlag, "json", false, "in JSON")
	}
	done.Flags().BoolVar(&d.reached, "reached", false, "đã gọi, gặp được")
	done.Flags().BoolVar(&d.missed, "not-reached", false, "đã gọi, không gặp được")
	done.Flags().StringVar(&d.note, "note", "", "gặp ai, nói gì")
	done.Flags().StringVar(&d.as, "as", "", "ai gọi; không ghi thì là người dùng của máy này")
	return parent("call", "Danh sách cần gọi điện", list, done)
}

func (d *callDesk) run(verb func(context.Context, *installation, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error { return verb(c.Context(), in, args) })
	}
}

func (d *callDesk) list(ctx context.Context, in *installation, _ []string) error {
	items, err := in.exchange.CallList(ctx, recipients.UnitCode(d.unit))
	if err != nil {
		return err
	}
	if d.jsonFlag {
		for _, c := range items {
			if err := writeJSON(d.s.out, c); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 {
		fmt.Fprintln(d.s.out, "Không phải gọi điện cho nơi nào.")
		return nil
	}
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Cơ quan\tVăn bản\tNơi nhận\tMã\tĐến từ\tĐã gọi\tĐiện thoại")
	for _, c := range items {
		since, _, called := c.Times()
		calls := "chưa"
		if c.Calls > 0 {
			calls = fmt.Sprintf("%d lần, lần cuối %s", c.Calls, called.Format("15:04 02/01"))
		}
		reference := c.Reference
		if c.Urgency != "" {
			reference += " [" + c.Urgency + "]"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Agency, reference, c.Name, c.Unit, since.Format("15:04 02/01/2006"), calls, c.Phones)
	}
	return t.Flush()
}

func (d *callDesk) done(ctx context.Context, in *installation, args []string) error {
	if d.reached == d.missed {
		return &usageError{errors.New("ghi --reached hoặc --not-reached"), "congvan call done " + args[0] + " " + args[1] + " --reached --note \"gặp ai\""}
	}
	reference := clerkText(args[0])
	items, err := in.exchange.CallList(ctx, recipients.UnitCode(d.unit))
	if err != nil {
		return err
	}
	var found []exchange.CallItem
	for _, c := range items {
		if c.Reference == reference && string(c.Unit) == args[1] {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNotListed, Detail: reference + " gửi " + args[1]}
	case len(found) > 1:
		return &usageError{fmt.Errorf("nhiều cơ quan có văn bản %s", reference), "ghi thêm --unit MÃ của cơ quan ban hành"}
	}
	c := found[0]
	if _, err := in.exchange.Called(ctx, (&desk{flags: issueFlags{as: d.as}}).actor(c.Agency), c.Dispatch, d.reached, clerkText(d.note)); err != nil {
		return err
	}
	result := "không gặp được; vẫn còn trong danh sách"
	if d.reached {
		result = "gặp được"
	}
	if d.jsonFlag {
		return writeJSON(d.s.out, map[string]any{"dispatch": c.Dispatch, "reached": d.reached})
	}
	fmt.Fprintf(d.s.out, "Đã ghi: gọi %s về %s, %s.\n", c.Name, c.Reference, result)
	return nil
}

// postsCommand takes over and shows who leads the units.
func postsCommand(s *streams) *cobra.Command {
	var data, request string
	imp := &cobra.Command{Use: "import POSTS.csv", Args: cobra.ExactArgs(1), Short: "Nạp cấp trưởng, cấp phó, văn thư của các đơn vị: cột unit,role,name và, nếu có, address,phone,from,to",
		RunE: func(c *cobra.Command, args []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				file, err := readFile(args[0])
				if err != nil {
					return err
				}
				posts, err := recipients.ReadPosts(bytes.NewReader(file))
				if err != nil {
					return &hintError{fmt.Errorf("%s:\n%w", args[0], err), "sửa các dòng đó rồi nạp lại; chưa có gì được ghi"}
				}
				if err := in.units.ImportPosts(c.Context(), posts, (&desk{}).actor("").String(), request); err != nil {
					return err
				}
				fmt.Fprintf(s.out, "Danh bạ có %d chức vụ.\n", len(posts))
				return nil
			})
		}}
	imp.Flags().StringVar(&request, "request", "", "số, ngày của văn bản đề nghị (Điều 6)")
	list := &cobra.Command{Use: "list", Args: cobra.NoArgs, Short: "Cấp trưởng, cấp phó, văn thư của các đơn vị hôm nay",
		RunE: func(c *cobra.Command, _ []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				posts, err := in.units.Posts(c.Context(), "")
				if err != nil {
					return err
				}
				t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
				fmt.Fprintln(t, "Đơn vị\tChức vụ\tHọ tên\tHộp thư\tĐiện thoại")
				for _, p := range posts {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Unit, p.Role.Vietnamese(), p.Name, p.Address, p.Phone)
				}
				return t.Flush()
			})
		}}
	for _, c := range []*cobra.Command{imp, list} {
		dataFlag(c, &data, ".")
	}
	return parent("posts", "Ai đứng đầu các đơn vị, để nhắc khi hộp thư đơn vị không ai mở", imp, list)
}
