package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"

	"github.com/spf13/cobra"
)

func (d *registerDesk) enterCommand() *cobra.Command {
	c := d.verb(&cobra.Command{Use: "enter", Args: cobra.NoArgs, RunE: d.run(d.enter),
		Short: "Vào sổ một văn bản chỉ có bản giấy; bản giấy và bản điện tử dùng chung một dãy số",
		Example: "  congvan register enter --unit stttt --reference 15/STTTT-VP --date 2026-03-18 --kind \"Công văn\" --abstract \"Về việc …\" --to \"Bộ Nội vụ\"\n" +
			"  congvan register enter --unit stttt --book den --author \"Bộ Nội vụ\" --document 20/BNV-VP --date 2026-03-10"}, "book")
	f, e := c.Flags(), &d.entry
	f.StringVar(&e.Reference, "reference", "", "sổ đi: số, ký hiệu trên giấy; sổ đến: số đến (bỏ trống: lấy số tiếp theo khi hệ thống cấp số)")
	f.StringVar(&e.Document, "document", "", "sổ đến: số, ký hiệu của văn bản")
	f.StringVar(&e.Author, "author", "", "sổ đến: tác giả, cơ quan ban hành")
	f.StringVar(&e.Kind, "kind", "", "tên loại văn bản")
	f.StringVar(&e.Abstract, "abstract", "", "trích yếu nội dung")
	f.StringVar(&e.DatedOn, "date", "", "ngày văn bản, 2026-03-18")
	f.StringVar(&e.EnteredOn, "on", "", "ngày đến, hoặc ngày chuyển; bỏ trống: hôm nay")
	f.StringVar(&e.Signer, "signer", "", "người ký")
	f.StringVar(&e.Recipients, "to", "", "sổ đi: nơi nhận; sổ đến: đơn vị hoặc người nhận")
	f.StringVar(&e.Filed, "filed", "", "sổ đi: đơn vị, người nhận bản lưu")
	f.Int64Var(&e.Copies, "copies", 0, "sổ đi: số lượng bản")
	f.StringVar(&e.DueOn, "due", "", "sổ đến: thời hạn giải quyết, 2026-03-31")
	f.StringVar(&e.Note, "note", "", "ghi chú")
	return c
}

func (d *registerDesk) enter(ctx context.Context, store *exchange.Store, _ []string) error {
	book, err := d.whichBook()
	if err != nil {
		return err
	}
	for _, f := range []*string{&d.entry.Reference, &d.entry.Document, &d.entry.Author, &d.entry.Kind, &d.entry.Abstract, &d.entry.Signer, &d.entry.Recipients, &d.entry.Filed, &d.entry.Note} {
		*f = clerkText(*f)
	}
	number, err := store.Enter(ctx, d.actor(), d.code(), book, d.entry)
	if err == nil {
		fmt.Fprintf(d.s.out, "Đã vào sổ: %s\n", number)
	}
	return err
}

func (d *registerDesk) printCommand() *cobra.Command {
	c := d.verb(&cobra.Command{Use: "print", Args: cobra.NoArgs, RunE: d.run(d.print),
		Short: "In sổ đủ các cột theo Phụ lục IV Nghị định 30/2020/NĐ-CP: ra màn hình, PDF hoặc Excel",
		Example: "  congvan register print --unit stttt --book di\n" +
			"  congvan register print --unit stttt --book den --from 2026-01-01 --to 2026-06-30 --pdf so-den.pdf --xlsx so-den.xlsx"})
	c.Flags().StringVar(&d.book, "book", "di", "di: sổ đăng ký văn bản đi; den: sổ đăng ký văn bản đến; theodoi: sổ theo dõi giải quyết văn bản đến")
	c.Flags().StringVar(&d.from, "from", "", "từ ngày, 2026-01-01; bỏ trống: đầu năm --year")
	c.Flags().StringVar(&d.to, "to", "", "đến ngày; bỏ trống: cuối năm --year")
	c.Flags().StringVar(&d.files[0], "xlsx", "", "ghi ra tệp Excel này")
	c.Flags().StringVar(&d.files[1], "pdf", "", "ghi ra tệp PDF này; sổ dày hơn 2.000 dòng thành nhiều quyển: TÊN-1.pdf, TÊN-2.pdf …")
	c.Flags().BoolVar(&d.json, "json", false, "mỗi dòng của sổ một dòng JSON")
	return c
}

func (d *registerDesk) print(ctx context.Context, store *exchange.Store, _ []string) error {
	book, ok := bookWords[d.book]
	if !ok {
		return &usageError{fmt.Errorf("no book %q", d.book), "di, den or theodoi"}
	}
	q := exchange.BookRange{Unit: d.code(), Book: book, From: d.from, To: d.to}
	if q.From == "" {
		q.From = fmt.Sprintf("%04d-01-01", d.year)
	}
	if q.To == "" {
		q.To = fmt.Sprintf("%04d-12-31", max(d.year, yearOf(q.From)))
	}
	if q.From > q.To {
		return &usageError{fmt.Errorf("--from %s is after --to %s", q.From, q.To), "the first day, then the last"}
	}
	if d.files[0] != "" {
		var rows int
		err := writeWhole(d.files[0], func(f *os.File) (err error) { rows, err = store.BookXLSX(ctx, q, f); return err })
		if err != nil {
			return err
		}
		fmt.Fprintf(d.s.err, "%s: %d dòng\n", d.files[0], rows)
	}
	if d.files[1] != "" {
		if err := d.printPDF(ctx, store, q); err != nil {
			return err
		}
	}
	switch {
	case d.json:
		return store.EachBookRow(ctx, q, func(r exchange.BookRow) error { return writeJSON(d.s.out, r) })
	case d.files[0] == "" && d.files[1] == "":
		return d.printTable(ctx, store, q)
	}
	return nil
}

func yearOf(date string) int {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return 0
	}
	return t.Year()
}

// printPDF writes each volume whole: under the name that was given, or, where there are several, with its number.
func (d *registerDesk) printPDF(ctx context.Context, store *exchange.Store, q exchange.BookRange) error {
	var names []string
	volumes, err := store.BookPDF(ctx, q, func(n int, last bool, pdf []byte) error {
		name := d.files[1]
		if n > 1 || !last {
			name = strings.TrimSuffix(name, filepath.Ext(name)) + fmt.Sprintf("-%d", n) + filepath.Ext(name)
		}
		names = append(names, name)
		return writeWhole(name, func(f *os.File) error { _, err := f.Write(pdf); return err })
	})
	if err != nil {
		return err
	}
	for i, v := range volumes {
		fmt.Fprintf(d.s.err, "%s: quyển số %d, %d trang, %d dòng\n", names[i], v.Number, v.Pages, v.Rows)
	}
	return nil
}

// printTable prints a book on a terminal: long cells are cut, all columns are there.
func (d *registerDesk) printTable(ctx context.Context, store *exchange.Store, q exchange.BookRange) error {
	columns := exchange.BookColumns(q.Book)
	fmt.Fprintf(d.s.out, "%s - %s\n\n", strings.ToUpper(exchange.BookTitle(q.Book)), q.Unit)
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = shorten(c.Title, max(10, int(c.Width)))
	}
	fmt.Fprintln(t, strings.Join(heads, "\t"))
	rows := 0
	err := store.EachBookRow(ctx, q, func(r exchange.BookRow) error {
		cells := make([]string, len(r.Cells))
		for i, c := range r.Cells {
			cells[i] = shorten(strings.Join(strings.Fields(c), " "), max(10, int(columns[i].Width)))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
		if rows++; rows%1000 == 0 {
			return t.Flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if rows == 0 {
		fmt.Fprintln(d.s.out, "Không có văn bản nào trong thời gian này.")
	}
	return nil
}

func (d *registerDesk) searchCommand() *cobra.Command {
	c := &cobra.Command{Use: "search WORDS…", Short: "Tìm trong các sổ theo mọi trường, gõ dấu hay không dấu đều được", RunE: d.search,
		Example: "  congvan register search nghỉ lễ\n  congvan register search \"chu ky so\" --unit stttt --book den --from 2026-01-01\n  congvan register search --kind \"quyết định\" 15/QĐ-UBND --json"}
	dataFlag(c, &d.data, ".")
	f, q := c.Flags(), &d.query
	f.StringVar(&d.unit, "unit", "", "chỉ trong sổ của cơ quan này; bỏ trống: văn bản đi của mọi cơ quan")
	f.StringVar(&d.searched, "book", "", "di: sổ văn bản đi; den: sổ văn bản đến; bỏ trống: cả hai")
	f.StringVar(&q.From, "from", "", "từ ngày, 2026-01-01")
	f.StringVar(&q.To, "to", "", "đến ngày")
	f.StringVar(&q.Kind, "kind", "", "tên loại văn bản")
	f.IntVar(&q.Limit, "limit", 100, "nhiều nhất bấy nhiêu văn bản, mới nhất trước")
	f.BoolVar(&d.json, "json", false, "mỗi văn bản một dòng JSON")
	return c
}

func (d *registerDesk) search(c *cobra.Command, args []string) error {
	q := d.query
	for _, w := range args {
		q.Words = append(q.Words, clerkText(w))
	}
	if len(q.Words) == 0 && q.Kind == "" && d.unit == "" && q.From == "" && q.To == "" {
		return &usageError{errors.New("nothing to look for"), "words, or one of --unit, --kind, --from, --to"}
	}
	q.Unit, q.Kind = d.code(), clerkText(q.Kind)
	if d.searched != "" {
		book, ok := bookWords[d.searched]
		if !ok || book == exchange.TrackingBook {
			return &usageError{fmt.Errorf("no book %q", d.searched), "di or den"}
		}
		q.Book = book
	}
	for _, day := range []string{q.From, q.To} {
		if day != "" && yearOf(day) == 0 {
			return &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeBadDate, Detail: day}
		}
	}
	return withInstallation(c.Context(), d.s, d.data, func(in *installation) error {
		hits, more, err := in.exchange.Search(c.Context(), q)
		if err != nil {
			return err
		}
		return d.showHits(hits, more)
	})
}

func (d *registerDesk) showHits(hits []exchange.Hit, more bool) error {
	if d.json {
		for _, h := range hits {
			if err := writeJSON(d.s.out, h); err != nil {
				return err
			}
		}
		return nil
	}
	if len(hits) == 0 {
		fmt.Fprintln(d.s.out, "Không tìm thấy văn bản nào. Thử ít từ hơn; mỗi từ được tìm từ đầu từ, dấu không bắt buộc.")
		return nil
	}
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Sổ\tCủa\tSố\tNgày\tSố, ký hiệu\tTác giả\tLoại\tTrạng thái\tTrích yếu")
	for _, h := range hits {
		word := map[exchange.Book]string{exchange.OutgoingBook: "đi", exchange.IncomingBook: "đến"}[h.Book]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", word, h.Unit, h.Number, h.On, h.Reference, shorten(h.Issuer, 24), h.Kind, hitState(h), shorten(h.Abstract, 60))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(d.s.out, "Còn nữa: chỉ in %d văn bản mới nhất. Thêm từ, hoặc --from, --to, --limit.\n", len(hits))
	}
	return nil
}

func hitState(h exchange.Hit) string {
	switch {
	case h.State == "paper":
		return "bản giấy"
	case h.Book == exchange.OutgoingBook:
		return stateWords[exchange.State(h.State)]
	default:
		return handlingWords[exchange.Handling(h.State)]
	}
}
