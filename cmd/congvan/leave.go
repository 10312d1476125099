package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/mailcore"

	"github.com/spf13/cobra"
)

// A leaveDesk closes accounts of who leaves.
type leaveDesk struct {
	s               *streams
	to, because, as string
	dry, tell       bool
	yes, json       bool
}

func leaveCommand(s *streams, command commandMaker) *cobra.Command {
	d := &leaveDesk{s: s}
	c := command("leave ĐỊACHỈ", "Thôi việc, chuyển đi, giải thể, sáp nhập (Điều 6): đóng hộp thư, giao việc đang làm cho người khác, trong một bước", cobra.ExactArgs(1), d.leave)
	c.Long = `Cho một CBCC thôi việc hoặc chuyển đi, hay một đơn vị giải thể, sáp nhập (QĐ 22/2009 Điều 6), trong một bước:
đóng hộp thư và ngắt ngay mọi phiên, mật khẩu ứng dụng, kết nối; chấm dứt ủy quyền và chức vụ trong danh bạ; việc đang làm giao cho
người ghi ở --to, không ghi thì về người đứng đầu đơn vị; văn bản đến của đơn vị chuyển cho đơn vị kế nhiệm. Thư cũ còn nguyên để lưu trữ,
địa chỉ không bao giờ cấp lại; ai gửi thư đến địa chỉ này được trả lời là đã thôi dùng, có --tell thì được chỉ đến địa chỉ ở --to.
--dry-run chỉ in ra những gì sẽ xảy ra. Không có --yes thì chỉ làm sau khi trả lời "có".`
	c.Example = `  congvan account leave nvan.stc@kontum.gov.vn --to ltbinh.stc@kontum.gov.vn --because "12/QĐ-STC ngày 20/11/2026" --dry-run
  congvan account leave dulich@kontum.gov.vn --to vhttdl@kontum.gov.vn --because "05/NQ-HĐND ngày 01/03/2026" --tell`
	f := c.Flags()
	f.StringVar(&d.to, "to", "", "ai nhận việc: CBCC cùng đơn vị, hoặc đơn vị kế nhiệm")
	f.StringVar(&d.because, "because", "", "số và ngày của quyết định hoặc văn bản đề nghị (Điều 6)")
	f.StringVar(&d.as, "as", "", "ai làm; không ghi thì là người dùng của máy này")
	f.BoolVar(&d.tell, "tell", false, "báo địa chỉ ở --to cho người còn gửi thư đến địa chỉ cũ")
	f.BoolVar(&d.dry, "dry-run", false, "chỉ in ra những gì sẽ xảy ra")
	f.BoolVar(&d.yes, "yes", false, "không hỏi lại")
	f.BoolVar(&d.json, "json", false, "in cho phần mềm")
	return c
}

func unlockCommand(s *streams, command commandMaker) *cobra.Command {
	d := &leaveDesk{s: s}
	c := command("unlock ĐỊACHỈ|IP", "Bỏ khóa vì nhập sai mật khẩu nhiều lần: của một tài khoản, hoặc của mọi người ở một địa chỉ IP", cobra.ExactArgs(1), d.lift)
	c.Flags().StringVar(&d.because, "because", "", "lý do, ghi vào nhật ký")
	c.Flags().StringVar(&d.as, "as", "", "ai làm; không ghi thì là người dùng của máy này")
	return c
}

func (d *leaveDesk) by() exchange.Actor {
	return (&desk{flags: issueFlags{as: clerkText(d.as)}}).actor("")
}

func (d *leaveDesk) lift(ctx context.Context, in *installation, args []string) error {
	held, err := in.exchange.Unlock(ctx, d.by(), strings.ToLower(args[0]), clerkText(d.because))
	if err != nil {
		return err
	}
	fmt.Fprintf(d.s.out, "%s đăng nhập lại được ngay (bỏ %d khóa đang có hiệu lực).\n", args[0], held)
	return nil
}

func (d *leaveDesk) leave(ctx context.Context, in *installation, args []string) error {
	o := exchange.LeaveOrder{Because: clerkText(d.because), Tell: d.tell}
	var err error
	if o.Address, err = mailcore.ParseAddress(args[0]); err != nil {
		return err
	}
	if d.to != "" {
		if o.To, err = mailcore.ParseAddress(d.to); err != nil {
			return err
		}
	}
	if d.tell && d.to == "" {
		return &usageError{fmt.Errorf("--tell không có --to"), "ghi địa chỉ mà người gửi được chỉ đến: --to ĐỊACHỈ"}
	}
	plan, err := in.exchange.PlanLeave(ctx, o)
	if err != nil {
		return err
	}
	if d.dry && d.json {
		return writeJSON(d.s.out, plan)
	}
	if !d.json {
		showLeave(d.s.out, plan)
	}
	if d.dry {
		fmt.Fprintln(d.s.out, "\nĐây là xem trước: chưa có gì thay đổi.")
		return nil
	}
	if plan.Obstacle == "" && !d.yes {
		ok, err := (&desk{s: d.s, ask: bufio.NewReader(d.s.in)}).yes(ctx, "Đóng hộp thư và giao việc ngay bây giờ")
		if err != nil || !ok {
			fmt.Fprintln(d.s.out, "Chưa thay đổi gì.")
			return err
		}
	}
	l, err := in.exchange.Leave(ctx, d.by(), o)
	if err != nil {
		return err
	}
	if d.json {
		return writeJSON(d.s.out, l)
	}
	fmt.Fprintf(d.s.out, "\nĐã đóng %s, giao %d việc, ngắt mọi kết nối (việc ghi ở nhật ký số %d).\n", l.Address, len(l.Tasks), l.Number)
	return nil
}

// showLeave prints what happens, or would.
func showLeave(out io.Writer, l *exchange.Leave) {
	fmt.Fprintf(out, "%s (%s), %s\n", l.Name, l.Address, l.UnitName)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what, text string) { fmt.Fprintf(w, "  %s\t%s\n", what, text) }
	if l.Because != "" {
		row("Theo", l.Because)
	}
	row("Thư còn lưu", fmt.Sprintf("%d thư, %s", l.Messages, sizeText(l.Bytes)))
	row("Ủy quyền chấm dứt", orNone(l.Ended))
	row("Chức vụ trong danh bạ chấm dứt", orNone(l.Posts))
	mail := "trả lại, báo là địa chỉ đã thôi dùng"
	if l.Told {
		mail += ", chỉ đến " + string(l.To)
	}
	row("Thư đến sau này", mail)
	w.Flush()
	if l.Obstacle != "" {
		fmt.Fprintf(out, "  CHƯA LÀM ĐƯỢC: %s\n", l.Obstacle)
	}
	if len(l.Tasks) == 0 {
		fmt.Fprintln(out, "  Không có việc nào đang làm.")
		return
	}
	fmt.Fprintln(w, "SỐ, KÝ HIỆU\tVAI TRÒ\tHẠN\tNGƯỜI NHẬN\tTRÍCH YẾU")
	for _, t := range l.Tasks {
		to := string(t.To)
		switch {
		case t.Returned:
			to = "trả lại cơ quan ban hành"
		case to == "":
			to = "(chưa có: đơn vị phân công)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Reference, t.RoleText(), t.DueOn, to, shorten(t.Abstract, 50))
	}
	w.Flush()
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "không có"
	}
	return strings.Join(list, "; ")
}
