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
	book, series                 string
	year                         int

	entry    exchange.Entry // of enter
	from, to string         // of print and search
	files    [2]string      // XLSX and PDF
	query    exchange.Query // of search
	searched string         // the book of search, "" for both
	json     bool
}

func registerCommand(s *streams) *cobra.Command {
	d := &registerDesk{s: s}
	mode := d.verb(&cobra.Command{Use: "mode here|paper", Args: cobra.ExactArgs(1), RunE: d.run(d.mode),
		Short: "Ai cấp số: hệ thống này (here), hay sổ giấy của cơ quan (paper, mặc định của sổ đi)"}, "book", "series")
	scheme := d.verb(&cobra.Command{Use: "scheme one|kind", Args: cobra.ExactArgs(1), RunE: d.run(d.scheme),
		Short: "Đánh số chung một dãy (one, mặc định) hay riêng từng loại văn bản (kind), từ năm --year"})
	take := d.verb(&cobra.Command{Use: "take SYMBOL", Args: cobra.ExactArgs(1), RunE: d.run(d.take),
		Short:   "Lấy số tiếp theo, trước khi đóng dấu (SYMBOL: ký hiệu, như QĐ-UBND)",
		Example: "  congvan register take STTTT-VP --unit stttt --abstract \"Về việc triển khai chữ ký số\""})
	take.Flags().StringVar(&d.abstract, "abstract", "", "trích yếu; được đối chiếu với trang giấy khi phát hành")
	void := d.verb(&cobra.Command{Use: "void REFERENCE", Args: cobra.ExactArgs(1), RunE: d.run(d.void),
		Short:   "Bỏ một số đã lấy hoặc còn thiếu; lý do nằm lại trong sổ",
		Example: "  congvan register void 02/STTTT-VP --unit stttt --reason \"in hỏng\"\n  congvan register void 17 --book den --unit stttt --reason \"nhảy số\""}, "book")
	void.Flags().StringVar(&d.reason, "reason", "", "lý do bỏ số (bắt buộc)")
	gaps := d.verb(&cobra.Command{Use: "gaps", Args: cobra.NoArgs, RunE: d.run(d.gaps),
		Short: "Các số còn thiếu (chưa vào sổ)"}, "book", "series")
	return parent("register", "Sổ đăng ký văn bản đi, văn bản đến của một cơ quan", mode, scheme, take, void, gaps, d.enterCommand(), d.printCommand(), d.searchCommand())
}

// verb adds the flags that every verb of the register has, and those of these names.
func (d *registerDesk) verb(c *cobra.Command, names ...string) *cobra.Command {
	dataFlag(c, &d.data, ".")
	c.Flags().StringVar(&d.unit, "unit", "", "mã của cơ quan (bắt buộc)")
	c.Flags().IntVar(&d.year, "year", time.Now().Year(), "năm của sổ")
	for _, name := range names {
		switch name {
		case "book":
			c.Flags().StringVar(&d.book, "book", "di", "di: sổ văn bản đi; den: sổ văn bản đến")
		case "series":
			c.Flags().StringVar(&d.series, "series", "", "dãy số: \"\" là dãy chung; QĐ, TB, CV … khi đánh số riêng từng loại; \"Bản sao\"; \"QĐ QPPL\"")
		}
	}
	return c
}

// run opens the installation for a verb of the register and makes sure that the agency exists.
func (d *registerDesk) run(verb func(context.Context, *exchange.Store, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if d.unit == "" {
			return &usageError{errors.New("--unit is missing"), "whose register? --unit CODE"}
		}
		return withInstallation(c.Context(), d.s, d.data, func(in *installation) error {
			if err := in.knownUnit(c.Context(), d.code()); err != nil {
				return err
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
	book, err := d.whichBook()
	if err != nil {
		return err
	}
	return store.SetMode(ctx, d.code(), d.year, book, clerkText(d.series), m)
}

// bookWords are the books as a clerk names them.
var bookWords = map[string]exchange.Book{"di": exchange.OutgoingBook, "den": exchange.IncomingBook, "theodoi": exchange.TrackingBook}

// whichBook is the book that --book names; numbers stand in two of them.
func (d *registerDesk) whichBook() (exchange.Book, error) {
	book, ok := bookWords[d.book]
	if !ok || book == exchange.TrackingBook {
		return "", &usageError{fmt.Errorf("no book %q", d.book), "di or den"}
	}
	return book, nil
}

func (d *registerDesk) scheme(ctx context.Context, store *exchange.Store, args []string) error {
	scheme := exchange.Scheme(args[0])
	if scheme != exchange.OneSeries && scheme != exchange.SeriesPerKind {
		return &usageError{fmt.Errorf("no scheme %q", args[0]), "one or kind"}
	}
	return store.SetScheme(ctx, d.actor(), d.code(), d.year, scheme)
}

func (d *registerDesk) take(ctx context.Context, store *exchange.Store, args []string) error {
	symbol := clerkText(args[0])
	series, err := store.SeriesFor(ctx, d.code(), d.year, symbol)
	if err != nil {
		return err
	}
	reference, err := store.TakeNumberFor(ctx, d.actor(), d.code(), d.year, series, symbol, clerkText(d.abstract))
	if err == nil {
		fmt.Fprintln(d.s.out, reference)
	}
	return err
}

func (d *registerDesk) void(ctx context.Context, store *exchange.Store, args []string) error {
	book, err := d.whichBook()
	if err != nil {
		return err
	}
	if book == exchange.IncomingBook {
		return store.VoidArrival(ctx, d.actor(), d.code(), d.year, clerkText(args[0]), clerkText(d.reason))
	}
	return store.VoidNumber(ctx, d.actor(), d.code(), d.year, "", clerkText(args[0]), clerkText(d.reason))
}

func (d *registerDesk) gaps(ctx context.Context, store *exchange.Store, _ []string) error {
	book, err := d.whichBook()
	if err != nil {
		return err
	}
	missing, err := store.Gaps(ctx, d.code(), d.year, book, clerkText(d.series))
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
