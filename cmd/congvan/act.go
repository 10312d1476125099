package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"
	"congvan/signing"

	"github.com/spf13/cobra"
)

const actLong = `Ghi việc đơn vị nhận đã làm với một văn bản đến: kiểm tra, tiếp nhận, từ chối, chuyển tiếp, phân công, báo tiến độ, hoàn thành, báo hỏng
tệp, trả lời bằng văn bản. Cũng những việc này làm được trong hộp thư: chuyển thư vào thư mục, hoặc trả lời thư.

VĂN-BẢN là số, ký hiệu (22/2009/QĐ-UBND), số của bản gửi, hay địa chỉ trả lời ghi trong thư (traloi+…@…). Ghi lại việc đã ghi thì
không có gì thay đổi.`

// An actDesk is a recipient's hand on its copies.
type actDesk struct {
	s                          *streams
	in                         *installation
	data, unit, issuer, as     string
	number, despite, reason    string
	to, lead, support          string
	due, note, officer, answer string
	json                       bool
}

func actCommand(s *streams) *cobra.Command {
	d := &actDesk{s: s}
	verb := func(use, short, example string, run actVerb) *cobra.Command {
		c := &cobra.Command{Use: use + " VĂN-BẢN", Args: cobra.ExactArgs(1), Short: short, RunE: d.run(run)}
		if example != "" {
			c.Example = "  congvan act " + example
		}
		dataFlag(c, &d.data, ".")
		c.Flags().StringVar(&d.unit, "unit", "", "mã đơn vị nhận")
		c.Flags().StringVar(&d.issuer, "issuer", "", "mã cơ quan ban hành, khi nhiều cơ quan có văn bản cùng số, ký hiệu")
		c.Flags().StringVar(&d.as, "as", "", "ai làm việc này; không ghi thì là người dùng của máy này")
		c.Flags().BoolVar(&d.json, "json", false, "in một đối tượng JSON")
		return c
	}
	check := verb("check", "Kiểm tra chữ ký số và mã kiểm tra của các tệp, trước khi tiếp nhận", "check 22/2009/QĐ-UBND --unit stc", d.check)
	accept := verb("accept", "Tiếp nhận, vào sổ văn bản đến", "accept 22/2009/QĐ-UBND --unit stc --number 123", d.accept)
	accept.Flags().StringVar(&d.number, "number", "", "số đến trong sổ của đơn vị; bỏ trống: hệ thống cấp số, hoặc chờ số")
	accept.Flags().StringVar(&d.despite, "despite", "", "vẫn tiếp nhận khi chữ ký số không hợp lệ: lý do")
	refuse := verb("refuse", "Từ chối, trả lại, cả khi đã tiếp nhận nhầm: số đến bị hủy và không dùng lại", "refuse 22/2009/QĐ-UBND --unit stc --reason misdirected", d.refuse)
	refuse.Flags().StringVar(&d.reason, "reason", "", "lý do: viết ra, hoặc một mã: "+refusalList())
	forward := verb("forward", "Chuyển tiếp đến đúng đơn vị", "forward 22/2009/QĐ-UBND --unit stc --to syt --reason \"việc của ngành y tế\"", d.forward)
	forward.Flags().StringVar(&d.to, "to", "", "đơn vị nhận: mã, địa chỉ hoặc tên (bắt buộc)")
	forward.Flags().StringVar(&d.reason, "reason", "", "lý do chuyển")
	assign := verb("assign", "Phân công cán bộ: một chủ trì, có thể nhiều phối hợp; ghi lại để đổi người, đổi hạn",
		"assign 22/2009/QĐ-UBND --unit stc --lead nvan.stc --support ltbinh.stc --due 20/11/2026", d.assign)
	assign.Flags().StringVar(&d.lead, "lead", "", "chủ trì: tài khoản hoặc họ tên (bắt buộc)")
	assign.Flags().StringVar(&d.support, "support", "", "phối hợp, cách nhau bằng dấu phẩy")
	assign.Flags().StringVar(&d.due, "due", "", "hạn giải quyết, 20/11/2026")
	assign.Flags().StringVar(&d.note, "note", "", "ý kiến chỉ đạo")
	progress := verb("progress", "Đang xử lý", "progress 22/2009/QĐ-UBND --unit stc", d.advance(exchange.InProgress))
	complete := verb("complete", "Hoàn thành", "complete 22/2009/QĐ-UBND --unit stc --officer nvan.stc@kontum.gov.vn", d.advance(exchange.Completed))
	for _, c := range []*cobra.Command{progress, complete} {
		c.Flags().StringVar(&d.officer, "officer", "", "địa chỉ của cán bộ: chỉ phần việc được phân công của người này (chủ trì xong là xong cả văn bản)")
	}
	damage := verb("damage", "Báo tệp hỏng: hệ thống đối chiếu bản lưu và gửi lại chính tệp đó", "damage 22/2009/QĐ-UBND --unit stc --reason \"không mở được\"", d.damage)
	damage.Flags().StringVar(&d.reason, "reason", "", "hỏng thế nào")
	answer := verb("answer", "Trả lời bằng văn bản của đơn vị đã vào sổ; văn bản đến hoàn thành khi văn bản trả lời phát hành", "answer 22/2009/QĐ-UBND --unit stc --by 15/STC-VP", d.answerBy)
	answer.Flags().StringVar(&d.answer, "by", "", "số, ký hiệu của văn bản trả lời (bắt buộc)")
	c := parent("act", "Xử lý văn bản đến của một đơn vị", check, accept, refuse, forward, assign, progress, complete, damage, answer)
	c.Long = actLong
	return c
}

func refusalList() string {
	var out []string
	for _, r := range exchange.Refusals {
		out = append(out, fmt.Sprintf("%s (%s)", r.Code, r.Text))
	}
	return strings.Join(out, ", ")
}

// An actVerb does one thing with a copy and says in Vietnamese what was done.
type actVerb func(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error)

// run finds the copy, does the verb and prints what is recorded by then.
func (d *actDesk) run(verb actVerb) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		for _, f := range []*string{&d.as, &d.number, &d.despite, &d.reason, &d.to, &d.lead, &d.support, &d.note, &d.answer} {
			*f = clerkText(*f)
		}
		ctx := c.Context()
		return withInstallation(ctx, d.s, d.data, func(in *installation) error {
			d.in = in
			st, copy, err := in.copyFor(ctx, recipients.UnitCode(d.issuer), clerkText(args[0]), recipients.UnitCode(d.unit))
			if err != nil {
				return err
			}
			by := (&desk{flags: issueFlags{as: d.as}}).actor(copy.Dispatch.Unit)
			if copy.Dispatch.Way != exchange.ByMailbox {
				by.Unit = st.Document.Agency // whoever has no mailbox here told the issuing agency
			}
			r, what, err := verb(ctx, by, copy)
			if err != nil {
				return err
			}
			return d.tell(ctx, r, what)
		})
	}
}

// copyFor finds the copy that is meant: of the unit where one is named, the open one where it got several.
func (in *installation) copyFor(ctx context.Context, issuer recipients.UnitCode, name string, unit recipients.UnitCode) (*exchange.Status, *exchange.StatusDispatch, error) {
	about, err := in.subject(ctx, issuer, name)
	if err != nil {
		return nil, nil, err
	}
	st, err := in.exchange.Status(ctx, about.doc.ID)
	if err != nil {
		return nil, nil, err
	}
	var found []*exchange.StatusDispatch
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		if (about.copy == 0 || c.Dispatch.ID == about.copy) && (unit == "" || c.Dispatch.Unit == unit || c.Name == string(unit)) {
			found = append(found, c)
		}
	}
	if open := slices.DeleteFunc(slices.Clone(found), func(c *exchange.StatusDispatch) bool { return c.Dispatch.Closed() }); len(open) > 0 && len(found) > 1 {
		found = open
	}
	switch {
	case len(found) == 0 && unit == "":
		return nil, nil, &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoDispatch, Detail: name}
	case len(found) == 0:
		return nil, nil, &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoDispatch, Detail: name + " gửi " + string(unit)}
	case len(found) > 1 && unit == "":
		return nil, nil, &usageError{fmt.Errorf("%s có %d bản gửi", name, len(found)), "chỉ rõ đơn vị nhận bằng --unit MÃ"}
	}
	return st, found[len(found)-1], nil
}

func (d *actDesk) check(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	in, r, err := d.in.exchange.Inspect(ctx, by, c.Dispatch.ID, "")
	if err != nil {
		return nil, "", err
	}
	d.show(in)
	return r, "đã kiểm tra", nil
}

// show prints what a copy's files are worth.
func (d *actDesk) show(in *exchange.Inspection) {
	out := d.s.out
	if d.json {
		out = io.Discard // the record has it
	}
	fmt.Fprintf(out, "Chữ ký số: %s. %s\n", in.Status.Text(), in.Reason)
	t := tabwriter.NewWriter(out, 2, 2, 2, ' ', 0)
	for _, f := range in.Files {
		intact := "khớp mã kiểm tra"
		if !f.Intact {
			intact = "KHÔNG KHỚP mã kiểm tra"
		}
		signed := ""
		if f.Status != "" {
			signed = f.Status.Text()
			if f.Signer != "" {
				signed += ", " + f.Signer
			}
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", f.Name, intact, signed, f.SHA256)
	}
	t.Flush()
}

// accept looks at the seal first: what does not verify is not taken into the register without a word.
func (d *actDesk) accept(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	if c.Handling == exchange.Received || c.Handling == "" {
		in, _, err := d.in.exchange.Inspect(ctx, by, c.Dispatch.ID, "")
		if err != nil {
			return nil, "", err
		}
		d.show(in)
		if in.Status == signing.Invalid && d.despite == "" {
			return nil, "", &hintError{fmt.Errorf("chữ ký số không hợp lệ: %s", in.Reason),
				"Từ chối (--reason bad_signature) hoặc báo hỏng tệp (congvan act damage); nếu vẫn tiếp nhận, ghi --despite \"lý do\"."}
		}
		if in.Status == signing.Invalid {
			if _, _, err := d.in.exchange.Inspect(ctx, by, c.Dispatch.ID, d.despite); err != nil {
				return nil, "", err
			}
		}
	}
	r, err := d.in.exchange.Accept(ctx, by, c.Dispatch.ID, d.number)
	return r, "tiếp nhận", err
}

func (d *actDesk) refuse(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	r, err := d.in.exchange.Refuse(ctx, by, c.Dispatch.ID, d.reason)
	if exchange.IsCode(err, exchange.CodeNoReason) {
		return nil, "", &usageError{errors.New("từ chối phải có lý do"), "--reason: viết ra, hoặc một mã: " + refusalList()}
	}
	return r, "từ chối, trả lại", err
}

func (d *actDesk) forward(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	_, to, err := d.in.exchange.Addressees(ctx, c.Dispatch.Unit, d.to)
	if err != nil && !exchange.IsCode(err, exchange.CodeNoOfficer) && !exchange.IsCode(err, exchange.CodeVague) && !exchange.IsCode(err, exchange.CodeNoLead) {
		return nil, "", err
	}
	if to == "" {
		return nil, "", &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: d.to}
	}
	r, err := d.in.exchange.Forward(ctx, by, c.Dispatch.ID, to, d.reason)
	return r, "chuyển tiếp đến " + string(to), err
}

func (d *actDesk) assign(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	text := d.lead
	if d.support != "" {
		text += ", phối hợp: " + d.support
	}
	a, to, err := d.in.exchange.Addressees(ctx, c.Dispatch.Unit, text)
	if err != nil {
		return nil, "", err
	}
	if to != "" {
		return nil, "", &usageError{fmt.Errorf("%s là một đơn vị", d.lead), "giao cho đơn vị khác: congvan act forward --to " + string(to)}
	}
	if a.Note = d.note; d.due != "" {
		due, ok := isoDate(d.due)
		if !ok {
			return nil, "", &usageError{fmt.Errorf("--due %q không phải là ngày", d.due), "ghi 2026-11-20 hoặc 20/11/2026"}
		}
		a.DueOn = due
	}
	r, err := d.in.exchange.Assign(ctx, by, c.Dispatch.ID, *a)
	return r, "phân công", err
}

func (d *actDesk) advance(to exchange.Handling) actVerb {
	return func(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
		if d.officer == "" {
			r, err := d.in.exchange.Advance(ctx, by, c.Dispatch.ID, to)
			return r, handlingWords[to], err
		}
		officer, err := mailcore.ParseAddress(d.officer)
		if err != nil {
			return nil, "", &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeBadAddress, Detail: d.officer}
		}
		r, err := d.in.exchange.AdvanceTask(ctx, exchange.Actor{Address: officer}, c.Dispatch.ID, to)
		return r, string(officer) + ": " + handlingWords[to], err
	}
}

func (d *actDesk) damage(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	if d.reason == "" {
		return nil, "", &usageError{errors.New("hỏng thế nào?"), "--reason \"không mở được tệp\""}
	}
	r, err := d.in.exchange.ReportDamage(ctx, by, c.Dispatch.ID, d.reason)
	return r, "báo hỏng tệp; đã gửi lại", err
}

func (d *actDesk) answerBy(ctx context.Context, by exchange.Actor, c *exchange.StatusDispatch) (*exchange.Receipt, string, error) {
	if d.answer == "" {
		return nil, "", &usageError{errors.New("trả lời bằng văn bản nào?"), "--by SỐ-KÝ-HIỆU"}
	}
	doc, err := d.in.oneDocument(ctx, c.Dispatch.Unit, d.answer)
	if err != nil {
		return nil, "", err
	}
	r, err := d.in.exchange.Answer(ctx, by, c.Dispatch.ID, doc.ID)
	return r, "trả lời bằng văn bản " + doc.Reference, err
}

// linkAnswer says that a registered document of an agency answers one that came to it.
func (in *installation) linkAnswer(ctx context.Context, by exchange.Actor, name string, doc *exchange.Document) error {
	_, c, err := in.copyFor(ctx, "", name, doc.Agency)
	if err != nil {
		return err
	}
	_, err = in.exchange.Answer(ctx, by, c.Dispatch.ID, doc.ID)
	return err
}
