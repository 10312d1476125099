package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// A recallOrder is what a command line says about an issued document.
type recallOrder struct {
	s                          *streams
	data, issuer, as, reason   string
	secret, mapOnly, json      bool
	unit, by, name, mail       string
	purpose                    string
	answered, agree, disagrees bool
}

// flags are those of every verb on a document.
func (o *recallOrder) flags(c *cobra.Command) {
	dataFlag(c, &o.data, ".")
	c.Flags().StringVar(&o.issuer, "issuer", "", "mã cơ quan ban hành, khi nhiều cơ quan có văn bản cùng số, ký hiệu")
	c.Flags().StringVar(&o.as, "as", "", "ai làm; không ghi thì là người dùng của máy này")
}

// run opens the installation and finds the document that the first argument names.
func (o *recallOrder) run(verb func(context.Context, *installation, *exchange.Document, exchange.Actor) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		o.reason = clerkText(o.reason)
		return withInstallation(c.Context(), o.s, o.data, func(in *installation) error {
			doc, err := in.oneDocument(c.Context(), recipients.UnitCode(o.issuer), clerkText(args[0]))
			if err != nil {
				return err
			}
			return verb(c.Context(), in, doc, (&desk{flags: issueFlags{as: clerkText(o.as)}}).actor(doc.Agency))
		})
	}
}

func (o *recallOrder) needReason() error {
	if strings.TrimSpace(o.reason) == "" {
		return &usageError{errors.New("chưa ghi lý do"), "thêm --reason \"lý do\""}
	}
	return nil
}

func recallCommand(s *streams) *cobra.Command {
	o := &recallOrder{s: s}
	c := &cobra.Command{
		Use:   "recall SỐ-KÝ-HIỆU",
		Short: "Thu hồi một văn bản đã phát hành, hoặc xem các bản gửi đang ở đâu (--map)",
		Long: `Thu hồi một văn bản đã phát hành. Mỗi bản gửi trả lời cho riêng nó: bản còn chờ gửi thì hủy; bản nằm trong hộp thư của hệ thống mà
chưa ai mở, chưa ai tải thì gỡ ngay và để lại thông báo; còn lại, mỗi nơi nhận được hỏi một lần bằng thư, trả lời "Đồng ý" hoặc
"Không đồng ý: lý do" (mã 13, 15, 16 của Quyết định 28/2018/QĐ-TTg). Bản đã chuyển tiếp cũng được tính. Chạy lại lệnh chỉ hỏi
thêm những nơi chưa hỏi.

--map không thu hồi gì, chỉ cho xem từng bản: chưa mở và chưa tải, đã tải, ai đã mở, vào sổ số mấy, đã chuyển đi đâu.
--answer ghi lại câu trả lời của nơi nhận ngoài hệ thống (qua điện thoại, công văn).`,
		Example: "  congvan recall 22/2009/QĐ-UBND --map\n  congvan recall 22/2009/QĐ-UBND --reason \"ban hành nhầm phụ lục\"\n" +
			"  congvan recall 22/2009/QĐ-UBND --secret --reason \"phụ lục 2 là tài liệu mật\"\n" +
			"  congvan recall 22/2009/QĐ-UBND --answer \"Công ty X\" --agree",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.answered = c.Flags().Changed("answer")
			switch {
			case o.answered && o.agree == o.disagrees:
				return &usageError{errors.New("--answer cần đúng một trong --agree và --disagree"), "xem: congvan recall --help"}
			case o.answered && o.disagrees || !o.answered && !o.mapOnly:
				if err := o.needReason(); err != nil {
					return err
				}
			}
			return o.run(o.recall)(c, args)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.reason, "reason", "", "lý do (bắt buộc khi thu hồi hoặc không đồng ý)")
	c.Flags().BoolVar(&o.secret, "secret", false, "văn bản hóa ra là tài liệu bí mật nhà nước")
	c.Flags().BoolVar(&o.mapOnly, "map", false, "chỉ xem, không thu hồi")
	c.Flags().StringVar(&o.unit, "answer", "", "ghi câu trả lời của nơi nhận này (mã đơn vị hoặc tên)")
	c.Flags().BoolVar(&o.agree, "agree", false, "với --answer: nơi nhận đồng ý")
	c.Flags().BoolVar(&o.disagrees, "disagree", false, "với --answer: nơi nhận không đồng ý")
	c.Flags().BoolVar(&o.json, "json", false, "in một đối tượng JSON")
	return c
}

func (o *recallOrder) recall(ctx context.Context, in *installation, doc *exchange.Document, by exchange.Actor) error {
	var m *exchange.RecallMap
	var err error
	switch {
	case o.answered:
		if m, err = in.exchange.RecallMap(ctx, doc.ID); err == nil {
			err = o.answer(ctx, in, m, by)
		}
		if err == nil {
			m, err = in.exchange.RecallMap(ctx, doc.ID)
		}
	case o.mapOnly:
		m, err = in.exchange.RecallMap(ctx, doc.ID)
	default:
		m, err = in.exchange.Recall(ctx, by, doc.ID, o.reason, o.secret)
	}
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.s.out, m)
	}
	showRecall(o.s.out, m)
	return nil
}

// answer records what a recipient outside said.
func (o *recallOrder) answer(ctx context.Context, in *installation, m *exchange.RecallMap, by exchange.Actor) error {
	who := clerkText(o.unit)
	found := false
	for _, c := range m.Copies {
		if c.Unit != who && c.Name != who {
			continue
		}
		found = true
		if _, err := in.exchange.AnswerRecall(ctx, by, c.ID, o.agree, o.reason); err != nil {
			return err
		}
	}
	if !found {
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoDispatch, Detail: who}
	}
	return nil
}

// showRecall prints the map as a table.
func showRecall(w io.Writer, m *exchange.RecallMap) {
	if m.Recalled {
		kind := "Đã thu hồi"
		if m.Secret {
			kind = "Đã thu hồi (tài liệu bí mật nhà nước)"
		}
		fmt.Fprintf(w, "%s %s, %s, %s. Lý do: %s\n", kind, m.Reference, m.At.Format("15:04 ngày 02/01/2006"), m.Actor, m.Reason)
	} else {
		fmt.Fprintf(w, "%s chưa thu hồi.\n", m.Reference)
	}
	names := map[exchange.DispatchID]string{}
	for _, c := range m.Copies {
		names[c.ID] = c.Name
	}
	t := tabwriter.NewWriter(w, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "  Nơi nhận\tĐường đi\tĐã xem\tSố đến\tĐã chuyển\tThu hồi")
	for i := range m.Copies {
		c := &m.Copies[i]
		name := shorten(c.Name, 40)
		if c.From != nil {
			name = "└ " + name + " (từ " + shorten(names[*c.From], 30) + ")"
		}
		var to []string
		for _, f := range c.Forwarded {
			to = append(to, shorten(f.Name, 30))
		}
		number := c.ArrivalNumber
		if number == "" && c.ArrivedOn != "" {
			number = "chờ số"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", name, transportWords[c.Transport], reachedWords(c), number, strings.Join(to, ", "), recallWords(c))
	}
	t.Flush()
}

// reachedWords tells how far a copy got to people.
func reachedWords(c *exchange.RecallCopy) string {
	for _, x := range []struct {
		acts []exchange.RecallAct
		what string
	}{{c.Opened, "mở"}, {c.Fetched, "lấy"}, {c.Downloaded, "đã tải"}} {
		if len(x.acts) > 0 {
			return fmt.Sprintf("%s %s, %s", x.what, x.acts[0].At.Format("15:04 02/01"), x.acts[0].Actor)
		}
	}
	if c.Way == exchange.ByMailbox {
		return "chưa mở, chưa tải"
	}
	return ""
}

func recallWords(c *exchange.RecallCopy) string {
	switch c.Answer {
	case exchange.RecallAsked:
		return "đã hỏi, chờ trả lời"
	case exchange.RecallAgreed:
		return "đồng ý"
	case exchange.RecallRefused:
		return "KHÔNG ĐỒNG Ý: " + shorten(c.AnswerReason, 60)
	}
	return map[string]string{exchange.TakenUnread: "đã gỡ khỏi hộp thư", exchange.TakenUnsent: "đã hủy, chưa gửi", exchange.TakenUndelivered: "chưa giao, đã hủy"}[c.How]
}

func replaceCommand(s *streams) *cobra.Command {
	o := &recallOrder{s: s}
	c := &cobra.Command{
		Use:     "replace SỐ-KÝ-HIỆU --by SỐ-KÝ-HIỆU-MỚI",
		Short:   "Thay thế một văn bản đã phát hành bằng văn bản khác đã phát hành",
		Long:    "Thay thế một văn bản đã phát hành bằng một văn bản khác, cũng đã phát hành: mọi bản gửi còn mở được đóng lại, nơi nào đã có bản cũ được báo văn bản nào thay văn bản nào.",
		Example: "  congvan replace 21/2009/QĐ-UBND --by 22/2009/QĐ-UBND --reason \"bổ sung Điều 5\"",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = o.linked(func(ctx context.Context, in *installation, doc, other *exchange.Document, by exchange.Actor) error {
		m, err := in.exchange.Replace(ctx, by, doc.ID, other.ID, o.reason)
		if err != nil {
			return err
		}
		closed := 0
		for _, copy := range m.Copies {
			if copy.Transport == exchange.Superseded {
				closed++
			}
		}
		fmt.Fprintf(s.out, "Đã thay %s bằng %s: đóng %d bản gửi.\n", doc.Reference, other.Reference, closed)
		return nil
	})
	o.linkFlags(c, "văn bản thay thế (bắt buộc)")
	return c
}

func correctCommand(s *streams) *cobra.Command {
	o := &recallOrder{s: s}
	c := &cobra.Command{
		Use:     "correct SỐ-KÝ-HIỆU --by SỐ-KÝ-HIỆU-ĐÍNH-CHÍNH",
		Short:   "Đính chính một văn bản đã phát hành bằng văn bản khác đã phát hành",
		Long:    "Đính chính: nối văn bản đính chính với văn bản được đính chính và báo cho mọi nơi đã có bản gửi. Không bản gửi nào bị đóng.",
		Example: "  congvan correct 21/2009/QĐ-UBND --by 23/QĐ-UBND --reason \"Điều 3: ngày 15 sửa thành ngày 16\"",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = o.linked(func(ctx context.Context, in *installation, doc, other *exchange.Document, by exchange.Actor) error {
		if err := in.exchange.Correct(ctx, by, doc.ID, other.ID, o.reason); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Đã đính chính %s bằng %s.\n", doc.Reference, other.Reference)
		return nil
	})
	o.linkFlags(c, "văn bản đính chính (bắt buộc)")
	return c
}

func (o *recallOrder) linkFlags(c *cobra.Command, by string) {
	o.flags(c)
	c.Flags().StringVar(&o.by, "by", "", by)
	c.Flags().StringVar(&o.reason, "reason", "", "lý do (bắt buộc)")
}

// linked runs a verb on two documents.
func (o *recallOrder) linked(verb func(context.Context, *installation, *exchange.Document, *exchange.Document, exchange.Actor) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if o.by == "" {
			return &usageError{errors.New("chưa ghi --by"), "ghi số, ký hiệu của văn bản kia: --by SỐ-KÝ-HIỆU"}
		}
		if err := o.needReason(); err != nil {
			return err
		}
		return o.run(func(ctx context.Context, in *installation, doc *exchange.Document, by exchange.Actor) error {
			other, err := in.oneDocument(ctx, doc.Agency, clerkText(o.by))
			if err != nil {
				return err
			}
			return verb(ctx, in, doc, other, by)
		})(c, args)
	}
}

func supplementCommand(s *streams) *cobra.Command {
	o := &recallOrder{s: s}
	c := &cobra.Command{
		Use:   "supplement SỐ-KÝ-HIỆU --to MÃ | --name TÊN [--mail ĐỊA-CHỈ]",
		Short: "Gửi bổ sung văn bản đã phát hành cho một nơi nhận bị bỏ sót",
		Long: `Gửi bổ sung văn bản đã phát hành cho một nơi nhận bị bỏ sót: đơn vị trong danh bạ (--to), hoặc nơi ngoài hệ thống (--name, có thể kèm
--mail). Danh sách nơi nhận đã ghi lúc phát hành không đổi; bản gửi thêm mang lý do và tên người gửi.`,
		Example: "  congvan supplement 22/2009/QĐ-UBND --to stttt --reason \"bỏ sót khi soạn\"\n" +
			"  congvan supplement 22/2009/QĐ-UBND --name \"Công ty X\" --mail vanthu@x.vn --reason \"có đề nghị\"",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (o.unit == "") == (o.name == "") {
				return &usageError{errors.New("cần đúng một trong --to và --name"), "xem: congvan supplement --help"}
			}
			if err := o.needReason(); err != nil {
				return err
			}
			return o.run(func(ctx context.Context, in *installation, doc *exchange.Document, by exchange.Actor) error {
				d, err := in.exchange.Supplement(ctx, by, doc.ID, exchange.Forgotten{Unit: recipients.UnitCode(o.unit), Name: clerkText(o.name),
					Address: o.mail, Purpose: clerkText(o.purpose)}, o.reason)
				if err != nil {
					return err
				}
				fmt.Fprintf(s.out, "Đã gửi bổ sung %s cho %s: %s.\n", doc.Reference, d.Name, transportWords[d.Transport])
				return nil
			})(c, args)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.unit, "to", "", "mã đơn vị trong danh bạ")
	c.Flags().StringVar(&o.name, "name", "", "tên nơi nhận ngoài hệ thống")
	c.Flags().StringVar(&o.mail, "mail", "", "địa chỉ thư của nơi nhận ngoài hệ thống")
	c.Flags().StringVar(&o.purpose, "purpose", "", "để làm gì: thực hiện, biết, phối hợp …")
	c.Flags().StringVar(&o.reason, "reason", "", "lý do (bắt buộc)")
	return c
}
