package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/mailcore"

	"github.com/spf13/cobra"
)

// reportFault takes what the owner of an account tells on its page.
func (in *installation) reportFault(ctx context.Context, account mailcore.Account, kind, words string) (string, error) {
	f, err := in.exchange.ReportFault(ctx, account, exchange.FaultKind(kind), "", words)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("SC-%d", f.ID), nil
}

// A faultDesk is the IT department's hand on what users tell.
type faultDesk struct {
	s              *streams
	data, text, by string
	all, json      bool
}

func faultCommand(s *streams) *cobra.Command {
	d := &faultDesk{s: s}
	list := d.verb(&cobra.Command{Use: "list", Short: "Những báo chưa trả lời, cũ nhất trước; --all: tất cả", Args: cobra.NoArgs, RunE: d.run(d.list)})
	list.Flags().BoolVar(&d.all, "all", false, "cả những báo đã trả lời, mới nhất trước")
	show := d.verb(&cobra.Command{Use: "show SỐ", Short: "Xem một báo", Args: cobra.ExactArgs(1), RunE: d.run(d.show)})
	start := d.verb(&cobra.Command{Use: "start SỐ", Short: "Ghi rằng đã có người xử lý", Args: cobra.ExactArgs(1), RunE: d.run(d.move(exchange.FaultInProgress))})
	answer := d.verb(&cobra.Command{Use: "answer SỐ --text CÂU", Short: "Trả lời người báo; trả lời lại được", Args: cobra.ExactArgs(1), RunE: d.run(d.move(exchange.FaultAnswered))})
	answer.Flags().StringVar(&d.text, "text", "", "câu trả lời, gửi vào hộp thư của người báo (bắt buộc)")
	for _, c := range []*cobra.Command{start, answer} {
		c.Flags().StringVar(&d.by, "as", "", "ai làm; không ghi thì là người dùng của máy này")
	}
	return parent("fault", "Sự cố, lộ mật khẩu, thư rác mà người dùng báo (Điều 7, 14): xem, trả lời", list, show, start, answer)
}

func (d *faultDesk) verb(c *cobra.Command) *cobra.Command {
	dataFlag(c, &d.data, ".")
	c.Flags().BoolVar(&d.json, "json", false, "in cho phần mềm, mỗi báo một dòng")
	return c
}

func (d *faultDesk) run(verb func(context.Context, *installation, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		d.text, d.by = clerkText(d.text), clerkText(d.by)
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error { return verb(c.Context(), in, args) })
	}
}

func (d *faultDesk) list(ctx context.Context, in *installation, _ []string) error {
	all, err := in.exchange.FaultReports(ctx, !d.all, 1000)
	if err != nil {
		return err
	}
	if d.json {
		for _, f := range all {
			if err := writeJSON(d.s.out, f); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(d.s.out, "Không có báo nào chưa trả lời.")
		return nil
	}
	w := tabwriter.NewWriter(d.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SỐ\tLÚC\tLOẠI\tNGƯỜI BÁO\tTÌNH TRẠNG\tVỀ VIỆC")
	for _, f := range all {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", f.ID, faultTime(f.At), f.Kind.Vietnamese(), f.Reporter, f.State.Vietnamese(), shorten(f.Subject, 50))
	}
	return w.Flush()
}

func faultTime(us int64) string {
	return time.UnixMicro(us).In(time.FixedZone("+07", 7*3600)).Format("15:04 02/01/2006")
}

func faultNumber(arg string) (int64, error) {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		return 0, &usageError{fmt.Errorf("%q không phải số", arg), "xem congvan fault list"}
	}
	return n, nil
}

func (d *faultDesk) show(ctx context.Context, in *installation, args []string) error {
	n, err := faultNumber(args[0])
	if err != nil {
		return err
	}
	f, err := in.exchange.FaultReport(ctx, n)
	if err != nil {
		return err
	}
	return d.tell(f)
}

func (d *faultDesk) tell(f *exchange.FaultReport) error {
	if d.json {
		return writeJSON(d.s.out, f)
	}
	fmt.Fprintf(d.s.out, "SC-%d, %s, %s: %s\nNgười báo: %s\nTình trạng: %s, %s, %s\n\n%s\n", f.ID, faultTime(f.At), f.Kind.Vietnamese(), f.Subject, f.Reporter,
		f.State.Vietnamese(), f.ChangedBy, faultTime(f.ChangedAt), f.Words)
	if f.Answer != "" {
		fmt.Fprintf(d.s.out, "\nTrả lời:\n%s\n", f.Answer)
	}
	return nil
}

func (d *faultDesk) move(to exchange.FaultState) func(context.Context, *installation, []string) error {
	return func(ctx context.Context, in *installation, args []string) error {
		n, err := faultNumber(args[0])
		if err != nil {
			return err
		}
		f, err := in.exchange.AnswerFault(ctx, (&desk{flags: issueFlags{as: d.by}}).actor(""), n, to, d.text)
		if err != nil {
			return err
		}
		return d.tell(f)
	}
}
