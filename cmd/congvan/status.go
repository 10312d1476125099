package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

func statusCommand(s *streams) *cobra.Command {
	var data, issuer, unit string
	var asJSON, late bool
	c := &cobra.Command{
		Use:   "status [REFERENCE]",
		Short: "Show documents, or one document's copies and what became of each",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := loadConfig(data)
			if err != nil {
				return err
			}
			in, err := openInstallation(c.Context(), cfg, commandLog(s.err))
			if err != nil {
				return err
			}
			defer in.close()
			switch {
			case late && len(args) > 0:
				return &usageError{errors.New("--late takes no reference"), "--late, or --late --unit CODE"}
			case late:
				return showLate(c.Context(), s, in, recipients.UnitCode(unit), asJSON)
			case unit != "":
				return &usageError{errors.New("--unit goes with --late"), "the issuer of a document: --issuer CODE"}
			}
			reference := ""
			if len(args) == 1 {
				reference = args[0]
			}
			return showStatus(c.Context(), s, in, recipients.UnitCode(issuer), reference, asJSON)
		},
	}
	dataFlag(c, &data, ".")
	c.Flags().StringVar(&issuer, "issuer", "", "code of the issuing agency, when several issued under this reference")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a document, or a late copy")
	c.Flags().BoolVar(&late, "late", false, "what is late, and whose it is")
	c.Flags().StringVar(&unit, "unit", "", "with --late: only what this unit must do")
	return c
}

func showStatus(ctx context.Context, s *streams, in *installation, issuer recipients.UnitCode, reference string, asJSON bool) error {
	docs, err := in.exchange.ListDocuments(ctx, issuer, reference)
	if err != nil {
		return err
	}
	if len(docs) == 0 && reference != "" {
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoDocument, Detail: reference}
	}
	var all []*exchange.Status
	for _, doc := range docs {
		st, err := in.exchange.Status(ctx, doc.ID)
		if err != nil {
			return err
		}
		all = append(all, st)
	}
	switch {
	case asJSON:
		for _, st := range all {
			if err := writeJSON(s.out, st); err != nil {
				return err
			}
		}
		return nil
	case reference == "":
		showList(s.out, all)
		return in.showEndings(ctx, s.out)
	}
	for _, st := range all {
		showDocument(s.out, st)
	}
	return nil
}

var stateWords = map[exchange.State]string{exchange.Draft: "nháp", exchange.Registered: "đã vào sổ", exchange.Sealed: "đã ký số",
	exchange.Issued: "đã phát hành", exchange.Withdrawn: "đã hủy"}

var transportWords = map[exchange.Transport]string{exchange.Queued: "đang gửi", exchange.Relayed: "máy chủ bên nhận đã lấy", exchange.Uncertain: "có thể đã đến",
	exchange.Exception: "CHƯA ĐẾN", exchange.Delivered: "đã đến", exchange.Settled: "đã giao cách khác", exchange.Undelivered: "không giao được",
	exchange.Cancelled: "đã hủy", exchange.Recalled: "đã thu hồi", exchange.Superseded: "đã thay thế"}

var handlingWords = map[exchange.Handling]string{exchange.Received: "chưa tiếp nhận", exchange.Accepted: "đã tiếp nhận", exchange.Refused: "từ chối",
	exchange.Assigned: "đã phân công", exchange.InProgress: "đang xử lý", exchange.Completed: "hoàn thành", exchange.Noted: "đã xem (để biết)",
	exchange.Forwarded: "đã chuyển tiếp"}

// showList prints a line for each document.
func showList(w io.Writer, all []*exchange.Status) {
	if len(all) == 0 {
		fmt.Fprintln(w, "Chưa có văn bản nào.")
		return
	}
	t := tabwriter.NewWriter(w, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Văn bản\tCơ quan\tNgày\tTrạng thái\tBản\tĐã đến\tĐã mở\tTiếp nhận\tTừ chối\tTrích yếu")
	for _, st := range all {
		n := countCopies(st)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", st.Reference, st.Issuer, st.Document.IssuedOn, stateWords[st.State], n.copies, n.delivered,
			n.opened, n.accepted, n.refused, shorten(st.Document.Abstract, 40))
	}
	t.Flush()
	for _, st := range all {
		if st.Waiting != nil {
			fmt.Fprintf(w, "%s: %s\n", st.Reference, waitLine(st.Waiting))
		}
	}
}

type counts struct{ copies, delivered, opened, accepted, refused, failed int }

func countCopies(st *exchange.Status) (n counts) {
	n.copies = len(st.Dispatches)
	for i := range st.Dispatches {
		d := &st.Dispatches[i]
		switch d.Transport {
		case exchange.Delivered, exchange.Settled, exchange.Relayed:
			n.delivered++
		case exchange.Exception, exchange.Undelivered:
			n.failed++
		}
		if d.Dispatch.OpenedAt != nil {
			n.opened++
		}
		switch d.Handling {
		case exchange.Accepted, exchange.Assigned, exchange.InProgress, exchange.Completed:
			n.accepted++
		case exchange.Refused:
			n.refused++
		}
	}
	return n
}

// showDocument prints a document's map: lines, then copies.
func showDocument(w io.Writer, st *exchange.Status) {
	d := st.Document
	fmt.Fprintf(w, "%s  %s, ngày %s  [%s]  %s\n%s\n", st.Reference, d.Kind, d.IssuedOn, st.Issuer, stateWords[st.State], d.Abstract)
	if st.DueAt != nil {
		fmt.Fprintf(w, "Chờ gửi lúc %s; hoàn tác: congvan undo %s\n", st.DueAt.Format("15:04:05"), st.Reference)
	}
	showSeal(w, st)
	lines := make([]exchange.Line, len(st.Lines))
	for i, l := range st.Lines {
		lines[i] = l.Line
	}
	showLines(w, lines)
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "  Nơi nhận\tĐường đi\tXử lý\tSố đến\tĐã mở\tViệc của\tHạn")
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		opened, deadline := "", ""
		if c.Happened(exchange.EventOpened) {
			opened = "✓"
		}
		if c.Deadline != nil {
			deadline = c.Deadline.Format("02/01 15:04")
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", shorten(c.Name, 60), transportWords[c.Transport], handlingWords[c.Handling], c.ArrivalNumber, opened, c.Owner, deadline)
		if c.Transport == exchange.Exception {
			fmt.Fprintf(t, "    %s\n", lastWords(c))
		}
		for _, line := range handlingLines(st, c) {
			fmt.Fprintf(t, "    %s\n", line)
		}
	}
	t.Flush()
	fmt.Fprintln(w)
}

// lastWords is what the other server said, or why there is no way.
func lastWords(c *exchange.StatusDispatch) string {
	for i := len(c.Events) - 1; i >= 0; i-- {
		var v struct {
			Text, Reason, Host string
			Code               int
		}
		if c.Events[i].Event == string(exchange.Exception) && json.Unmarshal([]byte(c.Events[i].Detail), &v) == nil {
			if v.Reason != "" {
				return "chưa có hộp thư: gửi giấy hoặc cho địa chỉ lấy văn bản"
			}
			return fmt.Sprintf("máy chủ %s trả lời: %s", v.Host, shorten(answerLine(v.Text, v.Code), 120))
		}
	}
	return ""
}

// answerLine finds in a dialogue the server's line with the code that ended it.
func answerLine(dialogue string, code int) string {
	lines := strings.Split(strings.TrimSpace(dialogue), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if text := strings.TrimSpace(strings.TrimPrefix(lines[i], "<")); text != lines[i] && strings.HasPrefix(text, fmt.Sprint(code)) {
			return text
		}
	}
	return lines[len(lines)-1]
}
