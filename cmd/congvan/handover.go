package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// A handoverDesk changes the head of a unit.
type handoverDesk struct {
	s                               *streams
	data, as                        string
	from, to, address, phone, paper string
	pdf, csv                        string
	yes, json                       bool
}

func handoverCommand(s *streams) *cobra.Command {
	d := &handoverDesk{s: s}
	c := &cobra.Command{
		Use:   "handover MÃ-ĐƠN-VỊ",
		Short: "Bàn giao hộp thư của đơn vị cho thủ trưởng mới (Điều 8): kiểm kê, mật khẩu mới, biên bản",
		Long: `Bàn giao hộp thư điện tử của một đơn vị khi thay người đứng đầu (QĐ 22/2009 Điều 8), trong một bước:
kiểm kê mọi thư kèm mã băm, liệt kê văn bản còn phải xử lý, chấm dứt mật khẩu cũ, mật khẩu ứng dụng, phiên đang mở và mọi ủy quyền,
cấp mật khẩu mới phải đổi trước khi dùng, ghi người đứng đầu mới vào danh bạ, in biên bản để các bên ký.
Không có --yes thì chỉ bàn giao sau khi trả lời "có".`,
		Example: "  congvan handover stc --to \"Trần Thị Thử Nghiệm\" --request \"12/QĐ-UBND ngày 01/04/2009\" --pdf bien-ban.pdf --csv bang-ke.csv\n  congvan handover list\n  congvan handover print 3 --pdf bien-ban.pdf",
		Args:    cobra.ExactArgs(1),
		RunE:    d.run(d.handOver),
	}
	d.files(c)
	f := c.Flags()
	f.StringVar(&d.to, "to", "", "họ và tên người nhận, là người đứng đầu từ hôm nay (bắt buộc)")
	f.StringVar(&d.from, "from", "", "họ và tên người giao; không ghi thì theo danh bạ")
	f.StringVar(&d.address, "address", "", "địa chỉ thư riêng của người nhận, để nhắc việc")
	f.StringVar(&d.phone, "phone", "", "điện thoại của người nhận, để gọi khi đơn vị không kiểm tra hộp thư")
	f.StringVar(&d.paper, "request", "", "số và ngày của quyết định hoặc văn bản đề nghị (bắt buộc, Điều 6)")
	f.StringVar(&d.as, "as", "", "ai làm; không ghi thì là người dùng của máy này")
	f.BoolVar(&d.yes, "yes", false, "không hỏi lại")
	list := &cobra.Command{Use: "list [MÃ-ĐƠN-VỊ]", Short: "Liệt kê các lần bàn giao", Args: cobra.MaximumNArgs(1), RunE: d.run(d.list)}
	dataFlag(list, &d.data, ".")
	list.Flags().BoolVar(&d.json, "json", false, "in cho phần mềm, mỗi lần một dòng")
	reprint := &cobra.Command{Use: "print SỐ", Short: "In lại biên bản, bảng kê của một lần bàn giao (số lấy ở handover list)", Args: cobra.ExactArgs(1), RunE: d.run(d.reprint)}
	d.files(reprint)
	c.AddCommand(list, reprint)
	return c
}

func (d *handoverDesk) files(c *cobra.Command) {
	dataFlag(c, &d.data, ".")
	c.Flags().StringVar(&d.pdf, "pdf", "", "ghi biên bản bàn giao vào tệp này")
	c.Flags().StringVar(&d.csv, "csv", "", "ghi bảng kê từng thư vào tệp này")
	c.Flags().BoolVar(&d.json, "json", false, "in cho phần mềm")
}

func (d *handoverDesk) run(verb func(context.Context, *installation, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		for _, text := range []*string{&d.to, &d.from, &d.paper, &d.as} {
			*text = clerkText(*text)
		}
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error { return verb(c.Context(), in, args) })
	}
}

func (d *handoverDesk) handOver(ctx context.Context, in *installation, args []string) error {
	if d.to == "" || d.paper == "" {
		return &usageError{errors.New("thiếu --to hoặc --request"), "ghi người nhận và quyết định: --to \"họ tên\" --request \"số, ngày\""}
	}
	o := exchange.HandoverOrder{Unit: recipients.UnitCode(args[0]), From: d.from, To: d.to, Phone: d.phone, Request: d.paper, Password: newPassword()}
	if d.address != "" {
		a, err := mailcore.ParseAddress(d.address)
		if err != nil {
			return err
		}
		o.ToAddress = a
	}
	plan, err := in.exchange.PlanHandover(ctx, o)
	if err != nil {
		return err
	}
	if !d.json {
		showHandover(d.s.out, plan)
	}
	if ok, err := d.sure(ctx); err != nil || !ok {
		return err
	}
	h, err := in.exchange.HandOver(ctx, (&desk{flags: issueFlags{as: d.as}}).actor(""), o)
	if err != nil {
		return err
	}
	if d.json {
		return errors.Join(writeJSON(d.s.out, struct {
			*exchange.Handover
			Password string `json:"password"`
		}{h, o.Password}), d.write(ctx, in, h))
	}
	fmt.Fprintf(d.s.out, "\nĐã bàn giao %s cho %s (lần bàn giao số %d).\n%s  %s\n%s\n", h.Mailbox, h.To, h.Number, h.Mailbox, o.Password, changeText(in.cfg))
	return d.write(ctx, in, h)
}

// sure asks before anybody loses a password.
func (d *handoverDesk) sure(ctx context.Context) (bool, error) {
	if d.yes {
		return true, nil
	}
	ask := &desk{s: d.s, ask: bufio.NewReader(d.s.in)}
	ok, err := ask.yes(ctx, "Bàn giao ngay bây giờ")
	if err == nil && !ok {
		fmt.Fprintln(d.s.out, "Chưa bàn giao gì.")
	}
	return ok, err
}

func (d *handoverDesk) write(ctx context.Context, in *installation, h *exchange.Handover) error {
	_, inventory, err := in.exchange.Handover(ctx, h.Number)
	if err != nil {
		return err
	}
	if d.csv != "" {
		if err := os.WriteFile(d.csv, inventory, 0o640); err != nil {
			return err
		}
		fmt.Fprintln(d.s.err, "Bảng kê:", d.csv)
	}
	if d.pdf == "" {
		return nil
	}
	page, err := h.PDF()
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.pdf, page, 0o640); err != nil {
		return err
	}
	fmt.Fprintln(d.s.err, "Biên bản:", d.pdf)
	return nil
}

func showHandover(out io.Writer, h *exchange.Handover) {
	from := strings.Join(h.From, ", ")
	if from == "" {
		from = "(danh bạ chưa ghi)"
	}
	fmt.Fprintf(out, "%s (%s)\nBên giao: %s. Bên nhận: %s. Theo %s.\n\n", h.UnitName, h.Mailbox, from, h.To, h.Request)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "THƯ MỤC\tSỐ THƯ\tDUNG LƯỢNG")
	for _, f := range h.Folders {
		fmt.Fprintf(w, "%s\t%d\t%s\n", f.Name, f.Messages, sizeText(f.Bytes))
	}
	fmt.Fprintf(w, "Tổng\t%d\t%s\n", h.Messages, sizeText(h.Bytes))
	w.Flush()
	fmt.Fprintf(out, "\nVăn bản còn phải xử lý: %d\n", len(h.Duties))
	if len(h.Duties) == 0 {
		return
	}
	fmt.Fprintln(w, "SỐ, KÝ HIỆU\tSỐ ĐẾN\tTÌNH TRẠNG\tTRÍCH YẾU")
	for _, duty := range h.Duties {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", duty.Reference, duty.Arrival, duty.State(), shorten(duty.Abstract, 50))
	}
	w.Flush()
}

func (d *handoverDesk) list(ctx context.Context, in *installation, args []string) error {
	unit := recipients.UnitCode("")
	if len(args) > 0 {
		unit = recipients.UnitCode(args[0])
	}
	all, err := in.exchange.Handovers(ctx, unit)
	if err != nil {
		return err
	}
	if d.json {
		for _, h := range all {
			if err := writeJSON(d.s.out, h); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(d.s.out, "Chưa có lần bàn giao nào.")
		return nil
	}
	w := tabwriter.NewWriter(d.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SỐ\tNGÀY\tĐƠN VỊ\tBÊN GIAO\tBÊN NHẬN\tTHEO\tSỐ THƯ\tVIỆC CÒN")
	for _, h := range all {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", h.Number, exchange.CivilDate(h.At), h.UnitName, strings.Join(h.From, ", "), h.To, h.Request, h.Messages, len(h.Duties))
	}
	return w.Flush()
}

func (d *handoverDesk) reprint(ctx context.Context, in *installation, args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return &usageError{fmt.Errorf("%q không phải số thứ tự", args[0]), "xem congvan handover list"}
	}
	h, _, err := in.exchange.Handover(ctx, n)
	if err != nil {
		return err
	}
	if d.json {
		return errors.Join(writeJSON(d.s.out, h), d.write(ctx, in, h))
	}
	showHandover(d.s.out, h)
	return d.write(ctx, in, h)
}
