package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore/viettext"
	"congvan/recipients"
	"congvan/signing"
)

// confirm shows what was read, asks about what is left to the clerk, and asks for the word.
func (d *desk) confirm(ctx context.Context, c *candidate, by exchange.Actor) error {
	showReading(d.s.out, c.r)
	if m, _ := c.r.meeting(); c.p.Meeting != nil && (m == nil || *m != *c.p.Meeting) {
		fmt.Fprintf(d.s.out, "  %-18s %s\n", "Theo văn thư", meetingText(c.p.Meeting, nil))
	}
	showPackage(d.s.out, c)
	for _, w := range c.warnings[min(len(c.r.draft.Warnings), len(c.warnings)):] { // the reading has shown its own
		fmt.Fprintf(d.s.out, "  Lưu ý: %s\n", w)
	}
	if err := d.askDifferences(ctx, c.p); err != nil {
		return err
	}
	for i := range c.p.Lines {
		if c.p.Lines[i].Outcome == exchange.Open {
			if err := d.askLine(ctx, c, by, c.p.Lines[i]); err != nil {
				return err
			}
		}
	}
	if err := d.askSeen(ctx, c.p); err != nil {
		return err
	}
	if err := d.askFlagged(ctx, c.p); err != nil {
		return err
	}
	if err := d.askSecrecy(ctx, c.p); err != nil {
		return err
	}
	fmt.Fprintln(d.s.out, "\nGửi tới:")
	showLines(d.s.out, c.p.Lines)
	u, _ := c.r.dir.Unit(c.p.Agency)
	fmt.Fprintf(d.s.out, "Dòng ký số trên trang 1: %s\n", signing.MarkText(d.in.cfg.Seal.agency(string(u.Code)).copyKind(), u.Name, time.Now()))
	ok, err := d.yes(ctx, "Ký số và phát hành")
	if err != nil || ok {
		return err
	}
	return &hintError{errors.New("đã dừng, chưa phát hành gì"), "chạy lại khi sẵn sàng"}
}

// yes asks a question that is answered by có or không.
func (d *desk) yes(ctx context.Context, text string) (bool, error) {
	answer, err := d.question(ctx, text+" (có/không)? ")
	return isYes(answer), err
}

// askDifferences shows each difference and asks whether the register shall have what was typed.
func (d *desk) askDifferences(ctx context.Context, p *exchange.Proposal) error {
	for i := range p.Differences {
		if p.Differences[i].Confirmed {
			continue
		}
		fmt.Fprintf(d.s.out, "\nKhác với trang giấy: %s\n", p.Differences[i].Message)
		ok, err := d.yes(ctx, "Đã xem trang giấy; vẫn ghi sổ như đã gõ")
		if err != nil {
			return err
		}
		if !ok {
			return &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeDiffers, Detail: p.Differences[i].Message}
		}
		p.Differences[i].Confirmed = true
	}
	return nil
}

// askSeen asks whether a person has looked at what no guard could read.
func (d *desk) askSeen(ctx context.Context, p *exchange.Proposal) error {
	if p.Seen || len(p.Unread) == 0 && len(p.Suspects) == 0 {
		return nil
	}
	if len(p.Unread) > 0 {
		fmt.Fprintf(d.s.out, "\nTrang %s máy chưa đọc được hoặc có thể có dấu mật.\n", exchange.Ranges(p.Unread))
	}
	for _, s := range p.Suspects {
		fmt.Fprintf(d.s.out, "\n%s\n", s)
	}
	ok, err := d.yes(ctx, "Đã xem, không có dấu mật")
	p.Seen = ok
	if err == nil && !ok {
		return p.Ready()
	}
	return err
}

// askFlagged asks about each file that could harm or be of no use to who gets it.
func (d *desk) askFlagged(ctx context.Context, p *exchange.Proposal) error {
	for _, f := range append([]*exchange.File{p.Main}, p.Annexes...) {
		doubts := f.Doubts()
		if len(doubts) == 0 || f.Accepted {
			continue
		}
		fmt.Fprintf(d.s.out, "\nTệp %s:\n", f.Info.Name)
		for _, text := range doubts {
			fmt.Fprintf(d.s.out, "  %s\n", text)
		}
		ok, err := d.yes(ctx, "Vẫn gửi tệp này")
		if err != nil {
			return err
		}
		if f.Accepted = ok; !ok {
			return &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeFlagged, Detail: f.Info.Name + ": " + strings.Join(doubts, " ")}
		}
	}
	return nil
}

func isYes(answer string) bool {
	a := strings.ToLower(viettext.NFC(answer))
	return a == "có" || a == "co" || a == "c"
}

// askSecrecy asks for độ mật until it gets one of the four answers.
func (d *desk) askSecrecy(ctx context.Context, p *exchange.Proposal) error {
	for !p.NotSecret {
		answer, err := d.question(ctx, "Độ mật của văn bản (không / mật / tối mật / tuyệt mật)? ")
		if err != nil {
			return err
		}
		switch viettext.Fold(answer) {
		case "khong", "k":
			p.NotSecret = true
		case "mat", "toi mat", "tuyet mat":
			p.Secrecy = answer
			return p.Ready()
		default:
			fmt.Fprintln(d.s.out, "Hãy trả lời một trong bốn từ: không, mật, tối mật, tuyệt mật.")
		}
	}
	return nil
}

// question reads one line; the end of the input is an error, so that nothing is ever answered by nobody. An interrupt ends
// the waiting at once.
func (d *desk) question(ctx context.Context, text string) (string, error) {
	fmt.Fprint(d.s.out, text)
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := d.ask.ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.s.out)
		return "", &hintError{errors.New("đã dừng, chưa phát hành gì"), "chạy lại khi sẵn sàng"}
	case a := <-got:
		if a.err != nil && a.line == "" {
			fmt.Fprintln(d.s.out)
			return "", &hintError{errors.New("không có câu trả lời"), "chạy trên màn hình dòng lệnh, hoặc ghi quyết định vào tệp: --json --decisions TỆP"}
		}
		return clerkText(a.line), nil
	}
}

func (d *desk) askLine(ctx context.Context, c *candidate, by exchange.Actor, l exchange.Line) error {
	for {
		fmt.Fprintf(d.s.out, "\nChưa rõ nơi nhận: %q\n  %s\n", l.Text, l.Why)
		for i, one := range l.Candidates {
			fmt.Fprintf(d.s.out, "  %d. %s [%s] %s\n", i+1, one.Name, one.Code, one.Why)
		}
		answer, err := d.question(ctx, "Số thứ tự; mã đơn vị (cách nhau dấu cách); \"ngoài TÊN <địa chỉ>\"; \"bỏ LÝ DO\": ")
		if err != nil {
			return err
		}
		decision, ok := parseAnswer(l, answer)
		if !ok {
			fmt.Fprintln(d.s.out, "Chưa hiểu câu trả lời.")
			continue
		}
		if err := c.p.Decide(c.r.dir, by, []exchange.Decision{decision}); err != nil {
			text, _ := explain(err)
			fmt.Fprintln(d.s.out, text)
			continue
		}
		return d.askLearn(ctx, c, decision)
	}
}

// askLearn asks whether the name shall mean this unit from now on, where it is the name of one unit.
func (d *desk) askLearn(ctx context.Context, c *candidate, decision exchange.Decision) error {
	alias := aliasOf(decision.Text)
	if len(decision.Units) != 1 || alias == "" {
		return nil
	}
	ok, err := d.yes(ctx, fmt.Sprintf("Ghi nhớ cho lần sau: %q là [%s]", alias, decision.Units[0]))
	if ok {
		c.lessons = append(c.lessons, lesson{decision.Text, decision.Units[0]})
	}
	return err
}

// parseAnswer reads what a clerk typed for an open line.
func parseAnswer(l exchange.Line, answer string) (exchange.Decision, bool) {
	out := exchange.Decision{Text: l.Text}
	word, rest, _ := strings.Cut(answer, " ")
	switch strings.ToLower(word) {
	case "":
		return out, false
	case "ngoài", "ngoai":
		out.OffSystem = strings.TrimSpace(rest)
		if i := strings.LastIndex(rest, "<"); i >= 0 && strings.HasSuffix(rest, ">") {
			out.OffSystem, out.Address = strings.TrimSpace(rest[:i]), rest[i+1:len(rest)-1]
		}
		return out, out.OffSystem != ""
	case "bỏ", "bo":
		out.Excused = strings.TrimSpace(rest)
		return out, out.Excused != ""
	}
	if n, err := strconv.Atoi(answer); err == nil {
		if n < 1 || n > len(l.Candidates) {
			return out, false
		}
		out.Units = []recipients.UnitCode{l.Candidates[n-1].Code}
		return out, true
	}
	for _, code := range strings.Fields(answer) {
		out.Units = append(out.Units, recipients.UnitCode(code))
	}
	return out, true
}

var outcomeWords = map[exchange.Outcome]string{exchange.Resolved: "gửi", exchange.OffSystem: "ngoài hệ thống", exchange.Excused: "không gửi", exchange.Open: "CHƯA RÕ"}

// showLines prints a table of lines and what they lead to.
func showLines(w io.Writer, lines []exchange.Line) {
	t := tabwriter.NewWriter(w, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "  Nơi nhận\tKết quả\tĐơn vị\tChắc\tCăn cứ")
	for _, l := range lines {
		to, sure := l.Units, ""
		if l.Outcome == exchange.Resolved {
			sure = fmt.Sprintf("%.0f%%", 100*l.Confidence)
		}
		if l.Outcome == exchange.Open && len(l.Candidates) > 0 {
			to = "có thể là"
			for _, c := range l.Candidates {
				to += " " + string(c.Code)
			}
		}
		if codes := l.Codes(); len(codes) > 6 {
			to = fmt.Sprintf("%s … (%d đơn vị)", strings.Join(strings.Fields(l.Units)[:5], " "), len(codes))
		}
		if l.Name != "" {
			to = strings.TrimSpace(l.Name + " " + l.Address)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", shorten(l.Text, 50), outcomeWords[l.Outcome], to, sure, shorten(l.Why, 44))
	}
	t.Flush()
}

// formatWords name formats for people.
var formatWords = map[intake.Format]string{intake.FormatPDF: "PDF", intake.FormatDOCX: "Word", intake.FormatDOCM: "Word có macro", intake.FormatDOC: "Word (cũ)",
	intake.FormatXLSX: "Excel", intake.FormatXLSM: "Excel có macro", intake.FormatXLSB: "Excel nhị phân", intake.FormatXLS: "Excel (cũ)",
	intake.FormatPPTX: "PowerPoint", intake.FormatPPTM: "PowerPoint có macro", intake.FormatPPT: "PowerPoint (cũ)", intake.FormatODT: "Writer",
	intake.FormatODS: "Calc", intake.FormatODP: "Impress", intake.FormatZIP: "gói ZIP", intake.FormatRAR: "gói RAR", intake.Format7Z: "gói 7z",
	intake.FormatGZIP: "gói GZIP", intake.FormatText: "văn bản trơn", intake.FormatHTML: "trang web", intake.FormatProgram: "CHƯƠNG TRÌNH",
	intake.FormatUnknown: "không rõ loại", intake.FormatOLE: "tệp ghép OLE", intake.FormatOOXML: "Office khác"}

func formatWord(f intake.Format) string {
	if w := formatWords[f]; w != "" {
		return w
	}
	return strings.ToUpper(string(f))
}

// showPackage lists the files of a package with what each is by its content, and what a clerk has to know about it.
func showPackage(w io.Writer, c *candidate) {
	list := packageOf(c.p)
	if len(list) < 2 && len(list[0].Findings) == 0 && len(c.annexes) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "  STT\tTệp\tLoại theo nội dung\tDung lượng\tTrang\tLưu ý")
	for i, f := range list {
		pages, note := "-", "-"
		if f.Pages > 0 {
			pages = fmt.Sprint(f.Pages)
		}
		if n := len(f.Findings); n > 0 || f.Unsealable != "" {
			note = "xem dưới"
		}
		fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%s\t%s\n", i+1, shorten(f.Name, 50), formatWord(f.Format), sizeWord(f.Size), pages, note)
		if i == 0 {
			for _, a := range c.foundAnnexes() {
				fmt.Fprintf(t, "  \t    %s\ttrong cùng tệp\t\t%s\t\n", shorten(strings.TrimSuffix(a.Name+": "+a.Title, ": "), 46), pageRange(a.Page, a.LastPage))
			}
		}
		for k, e := range f.Entries {
			if k == 20 {
				fmt.Fprintf(t, "  \t    … và %d tệp nữa\t\t\t\t\n", len(f.Entries)-k)
				break
			}
			fmt.Fprintf(t, "  \t    %s\t%s\t%s\t\t\n", shorten(e.Path, 46), formatWord(e.Format), sizeWord(e.Size))
		}
	}
	t.Flush()
	for _, f := range list {
		for _, found := range f.Findings {
			fmt.Fprintf(w, "  %s: %s\n", strings.TrimSuffix(f.Name+" » "+found.Path, " » "), found.Message)
		}
		if f.Unsealable != "" {
			fmt.Fprintf(w, "  %s: %s\n", f.Name, f.Unsealable)
		}
	}
}

func pageRange(first, last int) string {
	if last <= first {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// sizeWord writes a size as people do.
func sizeWord(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%d KB", (n+512)>>10)
	}
	return strings.Replace(fmt.Sprintf("%.1f MB", float64(n)/(1<<20)), ".", ",", 1)
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
