package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// A registerDesk is a clerk's hand on an agency's register of outgoing documents.
type registerDesk struct {
	s                            *streams
	data, unit, reason, abstract string
	year                         int
}

func registerCommand(s *streams) *cobra.Command {
	d := &registerDesk{s: s}
	subs := []*cobra.Command{
		{Use: "mode here|paper", Args: cobra.ExactArgs(1), RunE: d.run(d.mode),
			Short: "Ai cấp số: hệ thống này (here), hay sổ giấy của cơ quan (paper, mặc định)"},
		{Use: "take SYMBOL", Args: cobra.ExactArgs(1), RunE: d.run(d.take),
			Short:   "Lấy số tiếp theo, trước khi đóng dấu (SYMBOL: ký hiệu, như QĐ-UBND)",
			Example: "  congvan register take STTTT-VP --unit stttt --abstract \"Về việc triển khai chữ ký số\""},
		{Use: "void REFERENCE", Args: cobra.ExactArgs(1), RunE: d.run(d.void),
			Short:   "Bỏ một số đã lấy hoặc còn thiếu; lý do nằm lại trong sổ",
			Example: "  congvan register void 02/STTTT-VP --unit stttt --reason \"in hỏng\""},
		{Use: "gaps", Args: cobra.NoArgs, RunE: d.run(d.gaps),
			Short: "Các số còn thiếu (chưa vào sổ)"},
	}
	for _, c := range subs {
		dataFlag(c, &d.data, ".")
		c.Flags().StringVar(&d.unit, "unit", "", "mã của cơ quan (bắt buộc)")
		c.Flags().IntVar(&d.year, "year", time.Now().Year(), "năm của sổ")
	}
	subs[1].Flags().StringVar(&d.abstract, "abstract", "", "trích yếu; được đối chiếu với trang giấy khi phát hành")
	subs[2].Flags().StringVar(&d.reason, "reason", "", "lý do bỏ số (bắt buộc)")
	return parent("register", "Sổ đăng ký văn bản đi của một cơ quan", subs...)
}

// run opens the installation for a verb of the register and makes sure that the agency exists.
func (d *registerDesk) run(verb func(context.Context, *exchange.Store, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if d.unit == "" {
			return &usageError{errors.New("--unit is missing"), "whose register? --unit CODE"}
		}
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error {
			dir, err := in.units.Directory(c.Context(), "")
			if err != nil {
				return err
			}
			if _, ok := dir.Unit(d.code()); !ok {
				return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: d.unit}
			}
			return verb(c.Context(), in.exchange, args)
		})
	}
}

func (d *registerDesk) code() recipients.UnitCode { return recipients.UnitCode(d.unit) }

func (d *registerDesk) actor() exchange.Actor { return (&desk{}).actor(d.code()) }

func (d *registerDesk) mode(ctx context.Context, store *exchange.Store, args []string) error {
	m, ok := map[string]exchange.Mode{"here": exchange.IssuedHere, "paper": exchange.TakenFromPaper}[args[0]]
	if !ok {
		return &usageError{fmt.Errorf("no mode %q", args[0]), "here or paper"}
	}
	return store.SetMode(ctx, d.code(), d.year, exchange.OutgoingBook, "", m)
}

func (d *registerDesk) take(ctx context.Context, store *exchange.Store, args []string) error {
	reference, err := store.TakeNumberFor(ctx, d.actor(), d.code(), d.year, "", clerkText(args[0]), clerkText(d.abstract))
	if err == nil {
		fmt.Fprintln(d.s.out, reference)
	}
	return err
}

func (d *registerDesk) void(ctx context.Context, store *exchange.Store, args []string) error {
	return store.VoidNumber(ctx, d.actor(), d.code(), d.year, "", clerkText(args[0]), clerkText(d.reason))
}

func (d *registerDesk) gaps(ctx context.Context, store *exchange.Store, _ []string) error {
	missing, err := store.Gaps(ctx, d.code(), d.year, exchange.OutgoingBook, "")
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		fmt.Fprintln(d.s.out, "Không thiếu số nào.")
		return nil
	}
	fmt.Fprintf(d.s.out, "Chưa vào sổ năm %d: %s\n", d.year, exchange.Ranges(missing))
	return nil
}
