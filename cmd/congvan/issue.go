package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore/viettext"
	"congvan/recipients"
	"congvan/signing"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// issueFlags are what a clerk may say at the command line about the documents to issue.
type issueFlags struct {
	data, decisions, issuer, reference, date, as string
	json                                         bool
}

func issueCommand(s *streams) *cobra.Command {
	var f issueFlags
	c := &cobra.Command{
		Use:   "issue FILE…",
		Short: "Issue documents: read, confirm, register, seal, and mail a copy to every unit named",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, files []string) error { return issueFiles(c.Context(), s, f, files) },
	}
	dataFlag(c, &f.data, ".")
	c.Flags().StringVar(&f.decisions, "decisions", "", "file with the clerk's decisions for open lines (TOML)")
	c.Flags().StringVar(&f.issuer, "issuer", "", "code of the issuing agency, when the page does not tell it")
	c.Flags().StringVar(&f.reference, "reference", "", "số, ký hiệu, when the page does not tell it")
	c.Flags().StringVar(&f.date, "date", "", "date of the document (2009-03-18), when the page does not tell it")
	c.Flags().StringVar(&f.as, "as", "", "who issues; the user of this machine")
	c.Flags().BoolVar(&f.json, "json", false, "ask nothing, print one JSON object a file")
	return c
}

// issueResult is the JSON of one file.
type issueResult struct {
	File      string              `json:"file"`
	Reference string              `json:"reference,omitempty"`
	Issuer    string              `json:"issuer,omitempty"`
	State     exchange.State      `json:"state,omitempty"`
	Copies    int                 `json:"copies,omitempty"`
	Lines     []exchange.Line     `json:"lines,omitempty"`
	Open      []string            `json:"open,omitempty"`
	Error     string              `json:"error,omitempty"`
	Code      string              `json:"code,omitempty"`
	Hint      string              `json:"hint,omitempty"`
	document  exchange.DocumentID `json:"-"`
}

func issueFiles(ctx context.Context, s *streams, f issueFlags, files []string) error {
	if _, err := time.Parse(time.DateOnly, f.date); err != nil && f.date != "" {
		return &usageError{fmt.Errorf("--date %q is no date", f.date), "write it as 2009-03-18"}
	}
	cfg, err := loadConfig(f.data)
	if err != nil {
		return err
	}
	said, err := loadDecisions(f.decisions)
	if err != nil {
		return err
	}
	in, err := openInstallation(ctx, cfg, commandLog(s.err))
	if err != nil {
		return err
	}
	defer in.close()
	failed := 0
	desk := &desk{in: in, s: s, flags: f, said: said, ask: bufio.NewReader(s.in)}
	for _, file := range files {
		res, err := desk.issue(ctx, file)
		if err != nil {
			failed++
			res.Error, res.Hint = explain(err)
			var e *exchange.Error
			if errors.As(err, &e) {
				res.Code = e.Code
			}
		}
		switch {
		case f.json:
			writeJSON(s.out, res)
		case err != nil:
			fmt.Fprintf(s.err, "%s: %s\n", filepath.Base(file), res.Error)
			if res.Hint != "" {
				fmt.Fprintf(s.err, "  %s\n", res.Hint)
			}
		default:
			fmt.Fprintf(s.out, "Đã phát hành %s: %d bản. Theo dõi: congvan status --data %s %s\n", res.Reference, res.Copies, f.data, res.Reference)
		}
	}
	if failed > 0 {
		return &exitError{1}
	}
	return nil
}

// A desk is where one clerk issues documents.
type desk struct {
	in    *installation
	s     *streams
	flags issueFlags
	said  *decisions
	ask   *bufio.Reader
}

func (d *desk) actor(agency recipients.UnitCode) exchange.Actor {
	name := d.flags.as
	if name == "" {
		name = "congvan"
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	return exchange.Actor{Name: name, Unit: agency}
}

// issue takes one file all the way. The file itself stays where the clerk has it; nothing of it is stored before the guard
// has passed and somebody has answered that it is not secret.
func (d *desk) issue(ctx context.Context, file string) (*issueResult, error) {
	res := &issueResult{File: filepath.Base(file)}
	data, err := readFile(file)
	if err != nil {
		return res, err
	}
	r, err := d.read(ctx, file, data)
	if err != nil {
		return res, err
	}
	if p := r.draft.Problem(intake.NeedsManual); p != nil {
		return res, p
	}
	p := r.proposal()
	d.override(p)
	by := d.actor(p.Agency)
	res.Reference, res.Issuer = p.Reference, string(p.Agency)
	if p.Secrecy != "" {
		if err := d.in.exchange.RefuseSecret(ctx, by, p.Agency, p.Secrecy); err != nil {
			return res, err
		}
		return &issueResult{File: res.File}, p.Ready()
	}
	if p.Agency == "" {
		return res, &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownIssuer, Detail: r.draft.Heading.Issuer}
	}
	if err := d.said.apply(r.dir, by, p); err != nil {
		return res, err
	}
	if !d.flags.json {
		if err := d.confirm(ctx, r, p, by); err != nil {
			if p.Secrecy != "" { // the clerk said so
				err = errors.Join(d.in.exchange.RefuseSecret(ctx, by, p.Agency, p.Secrecy), err)
			}
			return res, err
		}
	}
	res.Lines = p.Lines
	for _, l := range p.OpenLines() {
		res.Open = append(res.Open, l.Text)
	}
	return res, d.send(ctx, by, p, data, res)
}

// send registers, seals and issues; each step is safe to repeat.
func (d *desk) send(ctx context.Context, by exchange.Actor, p *exchange.Proposal, data []byte, res *issueResult) error {
	doc, err := d.in.exchange.Register(ctx, by, p, data)
	if err != nil {
		return err
	}
	if doc, err = d.in.exchange.Seal(ctx, by, doc.ID); err != nil {
		return err
	}
	if doc, err = d.in.exchange.Issue(ctx, by, doc.ID); err != nil {
		return err
	}
	st, err := d.in.exchange.Status(ctx, doc.ID)
	if err != nil {
		return err
	}
	res.State, res.Copies, res.document = doc.State, len(st.Dispatches), doc.ID
	return nil
}

func (d *desk) read(ctx context.Context, file string, data []byte) (*reading, error) {
	done := d.busy("Đang đọc " + filepath.Base(file))
	defer done()
	r, err := d.in.intake(ctx)
	if err != nil {
		return nil, err
	}
	return readDocument(ctx, r, d.in.units.Directory, file, data, recipients.UnitCode(d.flags.issuer))
}

// busy shows on a terminal that work goes on.
func (d *desk) busy(what string) func() {
	if d.flags.json || !isTerminal(d.s.err) {
		return func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(d.s.err), progressbar.OptionSetDescription(what),
		progressbar.OptionSpinnerType(14), progressbar.OptionClearOnFinish())
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				bar.Finish()
				return
			case <-time.After(100 * time.Millisecond):
				bar.Add(1)
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (d *desk) override(p *exchange.Proposal) {
	if d.flags.reference != "" {
		p.Reference = d.flags.reference
		p.Number, p.Symbol, _ = strings.Cut(d.flags.reference, "/")
	}
	if d.flags.date != "" {
		p.IssuedOn = d.flags.date
	}
}

// differences compares what was typed at the command line with what the page says (tương ứng nội dung, Điều 10).
func (d *desk) differences(draft *intake.Draft) []intake.Difference {
	said := intake.Said{Reference: d.flags.reference, Date: d.flags.date, Secrecy: draft.Secrecy, Urgency: draft.Urgency}
	return intake.Alarms(intake.Compare(draft, said))
}

// confirm shows the fields and the lines with their units, asks about open lines and độ mật alone, shows the mark, and
// asks for the word.
func (d *desk) confirm(ctx context.Context, r *reading, p *exchange.Proposal, by exchange.Actor) error {
	showReading(d.s.out, r)
	for _, difference := range d.differences(r.draft) {
		fmt.Fprintf(d.s.out, "  Khác với trang giấy: %s\n", difference.Message)
	}
	for i := range p.Lines {
		if p.Lines[i].Outcome == exchange.Open {
			if err := d.askLine(ctx, r.dir, p, by, p.Lines[i]); err != nil {
				return err
			}
		}
	}
	if len(p.Unread) > 0 {
		answer, err := d.question(ctx, fmt.Sprintf("Trang %s máy chưa đọc được hoặc có thể có dấu mật. Đã xem, không có dấu mật (có/không)? ", strings.Trim(fmt.Sprint(p.Unread), "[]")))
		if err != nil {
			return err
		}
		p.Seen = isYes(answer)
	}
	if err := d.askSecrecy(ctx, p); err != nil {
		return err
	}
	fmt.Fprintln(d.s.out, "\nGửi tới:")
	showLines(d.s.out, p.Lines)
	u, _ := r.dir.Unit(p.Agency)
	fmt.Fprintf(d.s.out, "Dòng ký số trên trang 1: %s\n", signing.MarkText(signing.FullCopy, u.Name, time.Now()))
	answer, err := d.question(ctx, "Ký số và phát hành (có/không)? ")
	if err != nil {
		return err
	}
	if !isYes(answer) {
		return &hintError{errors.New("đã dừng, chưa phát hành gì"), "chạy lại khi sẵn sàng"}
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
			return "", &hintError{errors.New("không có câu trả lời"), "chạy trên màn hình dòng lệnh, hoặc dùng --json --decisions TỆP"}
		}
		return strings.TrimSpace(viettext.NFC(a.line)), nil
	}
}

func (d *desk) askLine(ctx context.Context, dir *recipients.Directory, p *exchange.Proposal, by exchange.Actor, l exchange.Line) error {
	for {
		fmt.Fprintf(d.s.out, "\nChưa rõ nơi nhận: %q\n  %s\n", l.Text, l.Why)
		for i, c := range l.Candidates {
			fmt.Fprintf(d.s.out, "  %d. %s [%s] %s\n", i+1, c.Name, c.Code, c.Why)
		}
		answer, err := d.question(ctx, "Số thứ tự; mã đơn vị (cách nhau dấu cách); \"ngoài TÊN <địa chỉ>\"; \"bỏ LÝ DO\": ")
		if err != nil {
			return err
		}
		decision, ok := parseAnswer(l, answer)
		if ok {
			if err := p.Decide(dir, by, []exchange.Decision{decision}); err == nil {
				return nil
			} else {
				text, _ := explain(err)
				fmt.Fprintln(d.s.out, text)
			}
			continue
		}
		fmt.Fprintln(d.s.out, "Chưa hiểu câu trả lời.")
	}
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
	fmt.Fprintln(t, "  Nơi nhận\tKết quả\tĐơn vị\tCăn cứ")
	for _, l := range lines {
		to := l.Units
		if codes := l.Codes(); len(codes) > 6 {
			to = fmt.Sprintf("%s … (%d đơn vị)", strings.Join(strings.Fields(l.Units)[:5], " "), len(codes))
		}
		if l.Name != "" {
			to = strings.TrimSpace(l.Name + " " + l.Address)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", shorten(l.Text, 50), outcomeWords[l.Outcome], to, shorten(l.Why, 44))
	}
	t.Flush()
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
