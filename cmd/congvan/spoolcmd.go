package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"

	"github.com/spf13/cobra"
)

const spoolLong = `Văn bản chưa phát hành được thì nằm chờ ở đây với ghi chú còn thiếu gì: nơi nhận chưa rõ, chưa trả lời độ mật, trang máy
không đọc được, chỗ khác với trang giấy, tệp có macro hoặc mật khẩu, tệp PDF hỏng … Chưa có gì của văn bản đó vào sổ, vào
kho hay cơ sở dữ liệu. Văn bản mật không nằm lại: tệp bị ghi đè rồi xóa.`

func spoolCommand(s *streams) *cobra.Command {
	var f issueFlags
	var asTOML, all bool
	with := func(c *cobra.Command, run func(context.Context, *desk, []string) error) *cobra.Command {
		c.RunE = func(c *cobra.Command, args []string) error {
			d, err := openDesk(c.Context(), s, f)
			if err != nil {
				return err
			}
			defer d.in.close()
			return run(c.Context(), d, args)
		}
		dataFlag(c, &f.data, ".")
		return c
	}
	list := with(&cobra.Command{Use: "list", Args: cobra.NoArgs, Short: "Các văn bản đang chờ, cũ nhất trước", Example: "  congvan spool list\n  congvan spool list --json"},
		func(_ context.Context, d *desk, _ []string) error { return d.listSpool() })
	show := with(&cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), Short: "Một văn bản đang chờ: còn thiếu gì, và mẫu tệp quyết định",
		Example: "  congvan spool show 3kq7x2ma\n  congvan spool show 3kq7x2ma --toml > quyet-dinh.toml"},
		func(_ context.Context, d *desk, args []string) error { return d.showSpool(args[0], asTOML) })
	drop := with(&cobra.Command{Use: "drop ID…", Args: cobra.MinimumNArgs(1), Short: "Bỏ văn bản đang chờ: ghi đè và xóa mọi tệp của nó", Example: "  congvan spool drop 3kq7x2ma"},
		func(_ context.Context, d *desk, args []string) error { return d.dropSpool(args) })
	retry := with(&cobra.Command{Use: "retry [ID…]", Short: "Phát hành lại văn bản đang chờ, chẳng hạn sau khi sửa danh bạ hoặc cài chương trình nhận dạng",
		Example: "  congvan spool retry 3kq7x2ma\n  congvan spool retry --all --json --decisions quyet-dinh.toml"},
		func(ctx context.Context, d *desk, args []string) error { return d.retrySpool(ctx, args, all) })
	list.Flags().BoolVar(&f.json, "json", false, "mỗi văn bản một dòng JSON")
	show.Flags().BoolVar(&f.json, "json", false, "một đối tượng JSON")
	show.Flags().BoolVar(&asTOML, "toml", false, "chỉ in mẫu tệp quyết định")
	retry.Flags().BoolVar(&f.json, "json", false, "không hỏi; mỗi văn bản một dòng JSON")
	retry.Flags().BoolVar(&all, "all", false, "mọi văn bản đang chờ")
	retry.Flags().StringVar(&f.decisions, "decisions", "", "tệp ghi các quyết định của văn thư (TOML)")
	retry.Flags().StringVar(&f.as, "as", "", "ai phát hành; không ghi thì là người dùng của máy này")
	c := parent("spool", "Các văn bản nằm chờ văn thư quyết định", list, show, drop, retry)
	c.Long = spoolLong
	return c
}

func (d *desk) listSpool() error {
	notes, err := d.in.spool().list()
	if err != nil {
		return err
	}
	if d.flags.json {
		for _, n := range notes {
			if err := writeJSON(d.s.out, n); err != nil {
				return err
			}
		}
		return nil
	}
	if len(notes) == 0 {
		fmt.Fprintln(d.s.out, "Không có văn bản nào đang chờ.")
		return nil
	}
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Mã\tNhận lúc\tNgười nạp\tVăn bản\tTệp\tCòn thiếu")
	for _, n := range notes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", n.ID, n.when(), cmp.Or(n.By, "-"), cmp.Or(n.Reference, "-"), n.names(), shorten(cmp.Or(n.Error, "đang được xử lý"), 70))
	}
	return t.Flush()
}

// when is the time of arrival, marked where it is long ago.
func (n *spoolNote) when() string {
	if n.At.IsZero() {
		return "-"
	}
	text := n.At.Local().Format("02/01/2006 15:04")
	if n.old(time.Now()) {
		text += fmt.Sprintf(" (%d ngày)", int(time.Since(n.At).Hours()/24))
	}
	return text
}

func (n *spoolNote) names() string {
	if len(n.Files) == 0 {
		return "-"
	}
	text := shorten(clerkName(n.Files[0].Name), 40)
	if k := len(n.Files) - 1; k > 0 {
		text += fmt.Sprintf(" và %d tệp kèm theo", k)
	}
	return text
}

func (d *desk) showSpool(id string, asTOML bool) error {
	n, err := d.in.spool().note(id)
	if err != nil {
		return err
	}
	switch {
	case d.flags.json:
		return writeJSON(d.s.out, n)
	case asTOML:
		fmt.Fprint(d.s.out, n.skeleton())
		return nil
	}
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	for _, f := range [][2]string{{"Mã", n.ID}, {"Nhận lúc", n.when()}, {"Người nạp", n.By}, {"Văn bản", n.Reference}, {"Cơ quan ban hành", n.Issuer},
		{"Còn thiếu", n.Error}, {"Cách làm", n.Hint}} {
		if f[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", f[0], f[1])
		}
	}
	t.Flush()
	fmt.Fprintln(t, "\nTệp\tDung lượng\tSHA-256")
	for _, f := range n.Files {
		fmt.Fprintf(t, "%s\t%s\t%s…\n", clerkName(f.Name), sizeWord(f.Size), f.SHA256[:min(16, len(f.SHA256))])
	}
	t.Flush()
	for _, part := range []struct {
		title string
		list  []string
	}{{"Nơi nhận chưa rõ", n.Open}, {"Khác với trang giấy", n.Messages}, {"Tệp phải xem", n.Suspects}, {"Tệp cần quyết định", n.Doubts}} {
		if len(part.list) > 0 {
			fmt.Fprintf(d.s.out, "\n%s:\n  %s\n", part.title, strings.Join(part.list, "\n  "))
		}
	}
	if len(n.Unread) > 0 {
		fmt.Fprintf(d.s.out, "\nTrang phải xem: %s\n", exchange.Ranges(n.Unread))
	}
	fmt.Fprintf(d.s.out, "\nMẫu tệp quyết định (congvan spool show%s %s --toml > quyet-dinh.toml), bỏ dấu # ở dòng đã quyết định:\n\n%s\nRồi: congvan issue%s --spool %s --decisions quyet-dinh.toml\n",
		d.dataArg(), n.ID, n.skeleton(), d.dataArg(), n.ID)
	return nil
}

// skeleton is a file of decisions for the entry in which every answer is still a comment: nothing is decided by copying it.
func (n *spoolNote) skeleton() string {
	var b strings.Builder
	q := func(s string) string { // a TOML basic string; JSON's escapes are among TOML's
		text, _ := json.Marshal(s)
		return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
	}
	fmt.Fprintln(&b, "[[document]]")
	if len(n.Files) > 0 {
		fmt.Fprintf(&b, "file = %s\n", q(clerkName(n.Files[0].Name)))
	}
	switch n.Code {
	case exchange.CodeUnknownIssuer:
		fmt.Fprintln(&b, "# issuer = \"mã đơn vị\"           # cơ quan ban hành")
	case exchange.CodeNoReference:
		fmt.Fprintln(&b, "# reference = \"số, ký hiệu\"\n# date = \"2009-03-18\"")
	case exchange.CodeNoRecipients, string(intake.NeedsManual):
		fmt.Fprintln(&b, "# reference = \"số, ký hiệu\"      # máy không đọc được trang giấy: gõ đủ như trên giấy\n# date = \"2009-03-18\"\n# issuer = \"mã đơn vị\"\n# type = \"Công văn\"\n# abstract = \"trích yếu\"")
	}
	fmt.Fprintln(&b, "# not_secret = true              # độ mật: không")
	if len(n.Unread) > 0 || len(n.Suspects) > 0 {
		fmt.Fprintln(&b, "# seen_pages = true              # đã xem các trang, các tệp nói trên: không có dấu mật")
	}
	if len(n.Differences) > 0 {
		fmt.Fprintf(&b, "# confirm_difference = %s  # đã xem trang giấy, vẫn ghi sổ như đã gõ\n", quoteAll(q, n.Differences))
	}
	if len(n.Flagged) > 0 {
		fmt.Fprintf(&b, "# accept_flags = %s  # vẫn gửi các tệp này\n", quoteAll(q, n.Flagged))
	}
	for _, l := range n.Open {
		fmt.Fprintf(&b, "[[document.line]]\ntext = %s\n# units = [\"mã đơn vị\"]          # hoặc off_system = \"tên\", address = \"địa chỉ\"; hoặc excused = \"lý do\"\n", q(l))
	}
	if n.Code == exchange.CodeNoRecipients || n.Code == string(intake.NeedsManual) {
		fmt.Fprintln(&b, "# [[document.line]]              # mỗi nơi nhận trên giấy một mục\n# text = \"Sở Y tế\"\n# units = [\"mã đơn vị\"]\n# add = true")
	}
	return b.String()
}

func quoteAll(q func(string) string, list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = q(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (d *desk) dropSpool(ids []string) error {
	for _, id := range ids {
		if err := d.in.spool().drop(id); err != nil {
			return err
		}
		fmt.Fprintf(d.s.out, "Đã xóa bản chờ %s.\n", id)
	}
	return nil
}

// retrySpool issues entries one after the other; one that stays does not keep the others.
func (d *desk) retrySpool(ctx context.Context, ids []string, all bool) error {
	if all == (len(ids) > 0) {
		return &usageError{errors.New("ghi mã các bản chờ, hoặc --all"), "xem: congvan spool retry --help"}
	}
	if all {
		notes, err := d.in.spool().list()
		if err != nil {
			return err
		}
		for _, n := range notes {
			ids = append(ids, n.ID)
		}
	}
	failed := false
	for _, id := range ids {
		d.flags.spool = id
		if err := d.tell(d.take(ctx, nil)); err != nil {
			failed = true
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed {
		return &exitError{1}
	}
	return nil
}

// note reads the note of an entry, which another process may be working on.
func (s spool) note(id string) (spoolNote, error) {
	dir, err := s.entry(id)
	if err != nil {
		return spoolNote{}, err
	}
	n, err := readNote(dir)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return n, noEntry(id)
		}
	}
	if err != nil {
		return n, &hintError{fmt.Errorf("bản chờ %s bị hỏng", id), "xóa bằng: congvan spool drop " + id}
	}
	return n, nil
}
