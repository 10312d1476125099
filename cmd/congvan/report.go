package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

const reportLong = `Báo cáo sáu tháng theo Điều 12 Quy định ban hành kèm theo Quyết định số 22/2009/QĐ-UBND: từng đơn vị phát hành, gửi điện tử,
tiếp nhận, kiểm tra hộp thư, quá hạn. Số liệu đếm từ nhật ký sự kiện: lập lại từ cùng nhật ký thì ra cùng mã số liệu.`

func reportCommand(s *streams) *cobra.Command {
	var data, unit, by, xlsx, pdf string
	var asJSON bool
	var q exchange.ReportQuery
	c := &cobra.Command{Use: "report", Args: cobra.NoArgs, Short: "Báo cáo tình hình sử dụng (Điều 12): bảng, PDF, Excel", Long: reportLong,
		Example: "  congvan report --from 2026-01-01 --to 2026-06-30\n  congvan report --from 2026-01-01 --to 2026-06-30 --pdf bao-cao.pdf --xlsx bao-cao.xlsx",
		RunE: func(c *cobra.Command, _ []string) error {
			if q.From == "" || q.To == "" {
				return &usageError{errors.New("--from and --to are missing"), "--from 2026-01-01 --to 2026-06-30"}
			}
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				q.Unit, q.By = recipients.UnitCode(unit), recipients.UnitCode(by)
				r, err := in.exchange.Report(c.Context(), q)
				if err != nil {
					return err
				}
				for _, f := range []struct {
					name  string
					write func(io.Writer) error
				}{{xlsx, r.XLSX}, {pdf, r.PDF}} {
					if f.name == "" {
						continue
					}
					if err := writeWhole(f.name, func(out *os.File) error { return f.write(out) }); err != nil {
						return err
					}
					fmt.Fprintf(s.err, "Đã ghi %s\n", f.name)
				}
				if asJSON {
					return writeJSON(s.out, r)
				}
				return printReport(s.out, r, xlsx == "" && pdf == "")
			})
		}}
	dataFlag(c, &data, ".")
	c.Flags().StringVar(&q.From, "from", "", "từ ngày, 2026-01-01 (bắt buộc)")
	c.Flags().StringVar(&q.To, "to", "", "đến ngày, 2026-06-30 (bắt buộc); sau hôm nay thì tính đến lúc này")
	c.Flags().StringVar(&unit, "unit", "", "chỉ báo cáo về đơn vị này; bỏ trống: mọi đơn vị có hộp thư")
	c.Flags().StringVar(&by, "by", "", "mã cơ quan báo cáo; bỏ trống: đơn vị đó, hoặc Sở Thông tin và Truyền thông")
	c.Flags().StringVar(&xlsx, "xlsx", "", "ghi ra tệp Excel này")
	c.Flags().StringVar(&pdf, "pdf", "", "ghi ra tệp PDF này")
	c.Flags().BoolVar(&asJSON, "json", false, "một đối tượng JSON")
	return c
}

// printReport prints the findings, and the tables unless files hold them.
func printReport(w io.Writer, r *exchange.Report, tables bool) error {
	title := r.Title()
	fmt.Fprintf(w, "BÁO CÁO %s\n%s - %s\n\n", strings.ToUpper(title[0]), title[1], r.Reporter.Name)
	for _, f := range r.Findings() {
		fmt.Fprintf(w, "- %s\n", f)
	}
	for _, table := range r.Tables() {
		if !tables {
			break
		}
		fmt.Fprintf(w, "\n%s\n", table.Title)
		t := tabwriter.NewWriter(w, 2, 2, 2, ' ', 0)
		names := make([]string, len(table.Columns))
		for i, c := range table.Columns {
			names[i] = c.Title
		}
		fmt.Fprintln(t, strings.Join(names, "\t"))
		for _, row := range table.Rows {
			cells := make([]string, len(row))
			for i, v := range row {
				cells[i] = shorten(fmt.Sprint(v), 48)
			}
			fmt.Fprintln(t, strings.Join(cells, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, o := range r.Outages {
		fmt.Fprintf(w, "Hệ thống ngừng từ %s đến %s\n", o.From, o.To)
	}
	_, err := fmt.Fprintf(w, "\nMã số liệu: %s\n", r.Digest)
	return err
}

// showLate prints what is late, by whose it is.
func showLate(ctx context.Context, s *streams, in *installation, unit recipients.UnitCode, asJSON bool) error {
	if err := in.knownUnit(ctx, unit); err != nil {
		return err
	}
	late, more, err := in.exchange.ListLate(ctx, unit)
	if err != nil {
		return err
	}
	if asJSON {
		for _, l := range late {
			if err := writeJSON(s.out, l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(late) == 0 {
		fmt.Fprintln(s.out, "Không có văn bản nào quá hạn.")
		return nil
	}
	owner := recipients.UnitCode("")
	t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
	for _, l := range late {
		if l.Owner != owner {
			t.Flush()
			owner = l.Owner
			fmt.Fprintf(s.out, "\nViệc của %s (%s)\n", l.OwnerName, l.Owner)
			fmt.Fprintln(t, "  Văn bản\tCủa\tNơi nhận\tĐộ khẩn\tPhải làm\tHạn\tQuá hạn\tTrích yếu")
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Reference, l.Issuer, shorten(l.Name, 40), l.Urgency, l.What, l.Deadline.Format("02/01/2006 15:04"),
			lateWords(l.LateHours), shorten(l.Abstract, 40))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nCộng: %d bản quá hạn.\n", len(late))
	if more {
		fmt.Fprintln(s.out, "Còn nữa: xem từng đơn vị bằng --unit.")
	}
	return nil
}

// lateWords is working time as people say it; a working day has some eight hours.
func lateWords(hours float64) string {
	if hours < 8 {
		return strings.Replace(fmt.Sprintf("%.1f giờ làm việc", hours), ".", ",", 1)
	}
	return fmt.Sprintf("%.0f ngày làm việc", hours/7.5)
}

// knownUnit says when the directory has no such unit; "" is no unit and fine.
func (in *installation) knownUnit(ctx context.Context, code recipients.UnitCode) error {
	if code == "" {
		return nil
	}
	dir, err := in.units.Directory(ctx, "")
	if err != nil {
		return err
	}
	if _, ok := dir.Unit(code); !ok {
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: string(code)}
	}
	return nil
}
