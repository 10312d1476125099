package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// A restoredDesk puts an installation right whose database is an old backup.
type restoredDesk struct {
	s                        *streams
	data, unit, book, series string
	year                     int
	declare, json            bool
}

func restoredCommand(s *streams) *cobra.Command {
	d := &restoredDesk{s: s}
	c := &cobra.Command{
		Use:   "restored",
		Short: "Sau khi khôi phục từ bản sao lưu: văn bản phải nhập lại, sổ chờ số cuối cùng",
		Long: `Mỗi lần khởi động, hệ thống so cơ sở dữ liệu với nhật ký ở đường dẫn thứ hai (journal trong congvan.toml) và tự biết khi cơ sở dữ liệu
là một bản sao lưu cũ: số đã cấp được giữ lại, bản có thể đã gửi thì chờ, hộp thư được đánh dấu lại. Lệnh này liệt kê những gì người còn
phải làm. Không có nhật ký thì phải khai báo bằng --declare: mọi bản chờ gửi coi như có thể đã gửi, và mỗi sổ do hệ thống cấp số chờ văn thư
cho biết số cuối cùng trên giấy.`,
		Example: "  congvan restored\n  congvan restored --declare\n  congvan restored last 215 --unit stttt --book di",
		Args:    cobra.NoArgs,
		RunE:    d.run(d.show),
	}
	dataFlag(c, &d.data, ".")
	c.Flags().BoolVar(&d.declare, "declare", false, "khai báo: cơ sở dữ liệu này vừa được khôi phục từ bản sao lưu, và không có nhật ký")
	c.Flags().BoolVar(&d.json, "json", false, "in cho phần mềm")
	last := &cobra.Command{Use: "last SỐ", Short: "Cho biết số cuối cùng trên sổ giấy; số hệ thống không biết được bỏ với lý do", Args: cobra.ExactArgs(1), RunE: d.run(d.last)}
	dataFlag(last, &d.data, ".")
	last.Flags().StringVar(&d.unit, "unit", "", "mã của cơ quan (bắt buộc)")
	last.Flags().StringVar(&d.book, "book", "di", "di: sổ văn bản đi; den: sổ văn bản đến")
	last.Flags().StringVar(&d.series, "series", "", "dãy số; bỏ trống là dãy chung")
	last.Flags().IntVar(&d.year, "year", 0, "năm của sổ; bỏ trống là năm nay")
	c.AddCommand(last)
	return c
}

func (d *restoredDesk) run(verb func(context.Context, *installation, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error { return verb(c.Context(), in, args) })
	}
}

// A restoredReport is what is still to be done.
type restoredReport struct {
	Documents []exchange.RestoredDocument `json:"documents"`
	Registers []exchange.Series           `json:"registers"`
}

func (d *restoredDesk) show(ctx context.Context, in *installation, _ []string) error {
	if d.declare {
		if in.journal != nil {
			return &usageError{fmt.Errorf("có nhật ký %s: khôi phục được nhận ra từ đó", in.cfg.Journal), "chạy congvan restored, không có --declare"}
		}
		done, err := in.exchange.Resume(ctx, nil, true)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.s.err, "Đã ghi: cơ sở dữ liệu là bản sao lưu; %d bản có thể đã gửi, %d sổ chờ số cuối cùng.\n", done.Doubtful, done.Blocked)
	}
	r := restoredReport{Documents: []exchange.RestoredDocument{}, Registers: []exchange.Series{}}
	documents, err := in.exchange.Restored(ctx)
	if err != nil {
		return err
	}
	registers, err := in.exchange.Blocked(ctx)
	if err != nil {
		return err
	}
	r.Documents, r.Registers = append(r.Documents, documents...), append(r.Registers, registers...)
	if d.json {
		return writeJSON(d.s.out, r)
	}
	showRestored(d.s.out, r)
	return nil
}

func showRestored(w io.Writer, r restoredReport) {
	if len(r.Documents)+len(r.Registers) == 0 {
		fmt.Fprintln(w, "Không còn gì phải làm sau khi khôi phục.")
		return
	}
	if len(r.Documents) > 0 {
		fmt.Fprintln(w, "Văn bản đã có từ sau bản sao lưu, phải nhập lại từ bản giấy (congvan issue TỆP); số và mã bản gửi được giữ:")
		for _, doc := range r.Documents {
			fmt.Fprintf(w, "  %s  %s\n", doc.Agency, doc.Reference)
		}
	}
	for _, sr := range r.Registers {
		book := map[exchange.Book]string{exchange.OutgoingBook: "di", exchange.IncomingBook: "den"}[sr.Book]
		line := fmt.Sprintf("congvan restored last SỐ --unit %s --book %s --year %d", sr.Agency, book, sr.Year)
		if sr.Name != "" {
			line += fmt.Sprintf(" --series %q", sr.Name)
		}
		fmt.Fprintf(w, "Sổ chờ số cuối cùng (hệ thống biết đến số %d): %s\n", sr.Last, line)
	}
}

func (d *restoredDesk) last(ctx context.Context, in *installation, args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	book, known := bookWords[d.book]
	if err != nil || n < 0 || !known || d.unit == "" {
		return &usageError{fmt.Errorf("số %q, sổ %q, cơ quan %q", args[0], d.book, d.unit), "congvan restored last 215 --unit stttt --book di"}
	}
	if d.year == 0 {
		d.year, _ = strconv.Atoi(exchange.CivilDate(in.db.Now())[:4])
	}
	code := recipients.UnitCode(d.unit)
	if err := in.exchange.TellLast(ctx, (&desk{}).actor(code), code, d.year, book, clerkText(d.series), n); err != nil {
		return err
	}
	fmt.Fprintf(d.s.out, "Đã ghi: số cuối cùng là %d; sổ cấp số tiếp được.\n", n)
	return nil
}
