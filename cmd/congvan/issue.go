package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// issueFlags are what a clerk may say at the command line about the document to issue.
type issueFlags struct {
	data, decisions, spool, as string
	answers                    string // the document that came in and is answered
	said                       said
	json, now                  bool
}

// A said is what a clerk typed about a document; the page has to say the same. Empty fields were not typed.
type said struct {
	Reference string `json:"reference,omitempty"`
	Date      string `json:"date,omitempty"` // ISO
	Abstract  string `json:"abstract,omitempty"`
	Issuer    string `json:"issuer,omitempty"` // code or name
	Kind      string `json:"type,omitempty"`
	Signer    string `json:"signer,omitempty"`
	Urgency   string `json:"urgency,omitempty"`
	Time      string `json:"time,omitempty"` // when it asks people to come; "không" for an invitation without a calendar
	At        string `json:"at,omitempty"`   // and where
}

func (v *said) fields() []*string {
	return []*string{&v.Reference, &v.Date, &v.Abstract, &v.Issuer, &v.Kind, &v.Signer, &v.Urgency, &v.Time, &v.At}
}

// over returns v with what w does not say.
func (v said) over(w said) said {
	of, older := v.fields(), w.fields()
	for i := range of {
		if *of[i] == "" {
			*of[i] = *older[i]
		}
	}
	return v
}

// clean decodes what was typed and brings the date to its one form.
func (v *said) clean() error {
	for _, s := range v.fields() {
		*s = clerkText(*s)
	}
	if v.Date == "" {
		return nil
	}
	date, ok := isoDate(v.Date)
	if !ok {
		return &usageError{fmt.Errorf("--date %q không phải là ngày", v.Date), "ghi 2009-03-18 hoặc 18/3/2009"}
	}
	v.Date = date
	return nil
}

// isoDate reads a civil date as people write it.
func isoDate(s string) (string, bool) {
	for _, layout := range []string{time.DateOnly, "2/1/2006", "2-1-2006", "2.1.2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}

const issueLong = `Phát hành một văn bản: đọc, đối chiếu, xác nhận, vào sổ, ký số và gửi thư tới mọi đơn vị có tên ở Nơi nhận.

Tệp thứ nhất là văn bản (PDF). Các tệp sau là tệp kèm theo của chính văn bản đó, đúng thứ tự: PDF, xlsx, docx, zip … Mỗi
PDF đều được ký số; tệp loại khác đi nguyên vẹn và được bảo đảm bằng danh mục đã ký số. Mọi nơi nhận đều nhận đủ các tệp.

Văn bản đã xong mọi việc còn chờ 30 giây rồi mới gửi: Ctrl-C, hoặc congvan undo, lấy lại được (hoàn tác). Hỏa tốc và --now gửi ngay.

Không có --json thì lệnh hỏi từng việc còn chờ văn thư; có --json thì không hỏi, những gì văn thư quyết định ghi trong tệp
của --decisions. Văn bản chưa đi được thì nằm chờ (congvan spool list), trừ văn bản mật: không lưu gì của nội dung.

Mã thoát: 0 đã phát hành; 1 chưa; 2 gõ sai lệnh.`

const issueExample = `  congvan issue van-ban.pdf
  congvan issue van-ban.pdf phu-luc-1.pdf bieu-mau.xlsx
  congvan issue van-ban.pdf --reference 145/STTTT-CNTT --date 18/3/2009 --abstract "Về việc triển khai chữ ký số"
  congvan issue van-ban.pdf --json --decisions quyet-dinh.toml
  congvan issue --spool 3kq7x2ma --decisions quyet-dinh.toml`

func issueCommand(s *streams) *cobra.Command {
	var f issueFlags
	c := &cobra.Command{
		Use:     "issue FILE [ANNEX…]",
		Short:   "Phát hành một văn bản cùng các tệp kèm theo",
		Long:    issueLong,
		Example: issueExample,
		RunE: func(c *cobra.Command, files []string) error {
			if err := f.check(files); err != nil {
				return err
			}
			return runIssue(c.Context(), s, f, files)
		},
	}
	dataFlag(c, &f.data, ".")
	c.Flags().StringVar(&f.decisions, "decisions", "", "tệp ghi các quyết định của văn thư (TOML)")
	c.Flags().StringVar(&f.spool, "spool", "", "phát hành văn bản đang chờ có mã này, thay cho FILE")
	c.Flags().StringVar(&f.said.Reference, "reference", "", "số, ký hiệu theo sổ; được đối chiếu với trang giấy")
	c.Flags().StringVar(&f.said.Date, "date", "", "ngày văn bản theo sổ (18/3/2009); được đối chiếu")
	c.Flags().StringVar(&f.said.Abstract, "abstract", "", "trích yếu theo sổ; được đối chiếu")
	c.Flags().StringVar(&f.said.Issuer, "issuer", "", "mã hoặc tên cơ quan ban hành; được đối chiếu")
	c.Flags().StringVar(&f.said.Kind, "type", "", "loại văn bản; được đối chiếu")
	c.Flags().StringVar(&f.said.Signer, "signer", "", "người ký; được đối chiếu")
	c.Flags().StringVar(&f.said.Urgency, "urgency", "", "độ khẩn; được đối chiếu")
	c.Flags().StringVar(&f.said.Time, "time", "", "thời gian họp để đưa vào lịch của nơi nhận, như \"8 giờ 00, ngày 25/11/2026\"; không: thư không kèm lịch")
	c.Flags().StringVar(&f.said.At, "at", "", "địa điểm họp")
	c.Flags().StringVar(&f.answers, "answers", "", "văn bản đến được trả lời bằng văn bản này: số, ký hiệu, hoặc địa chỉ trả lời trong thư; văn bản đến hoàn thành khi phát hành")
	c.Flags().StringVar(&f.as, "as", "", "ai phát hành; không ghi thì là người dùng của máy này")
	c.Flags().BoolVar(&f.json, "json", false, "không hỏi, không chờ; in một đối tượng JSON")
	c.Flags().BoolVar(&f.now, "now", false, "gửi ngay, không chờ 30 giây để còn hoàn tác")
	return c
}

func (f *issueFlags) check(files []string) error {
	const see = "xem: congvan issue --help"
	switch {
	case f.spool == "" && len(files) == 0:
		return &usageError{errors.New("chưa ghi tệp văn bản"), see}
	case f.spool != "" && len(files) > 0:
		return &usageError{errors.New("--spool đã chỉ ra văn bản, không ghi thêm tệp"), see}
	}
	f.as = clerkText(f.as)
	return f.said.clean()
}

func runIssue(ctx context.Context, s *streams, f issueFlags, files []string) error {
	d, err := openDesk(ctx, s, f)
	if err != nil {
		return err
	}
	defer d.in.close()
	res, err := d.take(ctx, files)
	return d.tell(res, err)
}

// openDesk opens the installation for a clerk who issues, and clears away what dead processes left in the spool.
func openDesk(ctx context.Context, s *streams, f issueFlags) (*desk, error) {
	cfg, err := loadConfig(absolute(f.data))
	if err != nil {
		return nil, err
	}
	written, err := loadDecisions(f.decisions)
	if err != nil {
		return nil, err
	}
	in, err := openInstallation(ctx, cfg, commandLog(s.err))
	if err != nil {
		return nil, err
	}
	if _, err := in.spool().sweep(); err != nil {
		in.close()
		return nil, fmt.Errorf("sweep the spool: %w", err)
	}
	if !f.json {
		in.keys.ask = s.pinAsker()
	}
	d := &desk{in: in, s: s, flags: f, said: written, ask: bufio.NewReader(s.in)}
	d.remindOld()
	return d, nil
}

// absolute is a folder's full path: what the installation names in it must not depend on who joins the names.
func absolute(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		return whole
	}
	return dir
}

// A desk is where one clerk issues documents.
type desk struct {
	in    *installation
	s     *streams
	flags issueFlags
	said  *decisions
	ask   *bufio.Reader

	// Set where nobody sits at the desk.
	by   func(agency recipients.UnitCode) exchange.Actor  // who issues; nil: the user of this machine
	gate func(context.Context, *candidate) error          // asked before anything is registered
	told func(context.Context, *issueResult, error) error // tells what came out, before the entry is erased or left waiting
}

func (d *desk) actor(agency recipients.UnitCode) exchange.Actor {
	if d.by != nil {
		return d.by(agency)
	}
	name := d.flags.as
	if name == "" {
		name = "congvan"
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	return exchange.Actor{Name: name, Unit: agency}
}

// take brings in what the command line names: files, or an entry of the spool.
func (d *desk) take(ctx context.Context, paths []string) (*issueResult, error) {
	if d.flags.spool != "" {
		e, err := d.in.spool().open(d.flags.spool)
		if err != nil {
			return &issueResult{File: d.flags.spool}, err
		}
		return d.work(ctx, e)
	}
	res := &issueResult{File: clerkName(paths[0])}
	files, err := readUploads(paths)
	if err != nil {
		return res, err
	}
	if known, err := d.resume(ctx, files, res); known || err != nil {
		return res, err
	}
	e, err := d.in.spool().put(files, d.flags.said, d.actor("").Name)
	if err != nil {
		return res, err
	}
	return d.work(ctx, e)
}

// work takes an upload as far as it goes. What is issued or secret leaves the spool, everything else waits there for the
// clerk with a note of what is missing.
func (d *desk) work(ctx context.Context, e *spoolEntry) (*issueResult, error) {
	res := &issueResult{File: clerkName(e.note.Files[0].Name)}
	files, err := e.files()
	if err != nil {
		return res, errors.Join(err, e.keep())
	}
	known, err := d.resume(ctx, files, res)
	if !known && err == nil {
		e.note.Said = d.flags.said.over(e.note.Said)
		err = d.issue(ctx, files, e.note.Said, res)
	}
	if err == nil {
		if err := d.tellAway(ctx, res, nil); err != nil {
			return res, errors.Join(err, e.lock.Close())
		}
		return res, e.erase()
	}
	if untold := d.tellAway(ctx, res, err); untold != nil {
		return res, errors.Join(untold, e.lock.Close())
	}
	if exchange.IsCode(err, exchange.CodeSecret) {
		// From here on the entry is gone, whatever happens to this process.
		return &issueResult{File: res.File}, errors.Join(err, e.condemn(), d.in.exchange.RefuseSecret(context.WithoutCancel(ctx), d.actor(res.agency), res.agency, res.secrecy), e.erase())
	}
	res.Spool = e.note.ID
	e.note.explain(res, err)
	return res, errors.Join(err, e.keep())
}

// tellAway tells whoever does not sit at the desk.
func (d *desk) tellAway(ctx context.Context, res *issueResult, err error) error {
	if d.told == nil {
		return nil
	}
	return d.told(ctx, res, err)
}

// resume goes on with a document that these bytes were registered as, so that a run that was cut short, or one run too
// many, asks nothing again. known is false when nobody has registered them.
func (d *desk) resume(ctx context.Context, files []uploaded, res *issueResult) (known bool, err error) {
	doc, err := d.in.exchange.ByOriginal(ctx, files[0].data)
	if err != nil || doc == nil {
		return false, err
	}
	res.Reference, res.Issuer, res.Again = doc.Reference, string(doc.Agency), doc.State == exchange.Issued
	if said := d.flags.said; said.Reference != "" && said.Reference != doc.Reference || said.Date != "" && said.Date != doc.IssuedOn {
		return true, &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeSameFile, Detail: string(doc.Agency) + " " + doc.Reference}
	}
	annexes := make([][]byte, len(files)-1)
	for i, f := range files[1:] {
		annexes[i] = f.data
	}
	if err := d.in.exchange.SameAnnexes(ctx, doc, annexes); err != nil {
		return true, err
	}
	return true, d.finish(ctx, d.actor(doc.Agency), doc, res)
}

// issue reads the document, has it decided, and sends it. Nothing of it is stored before the guard has passed over all its
// files and somebody has answered that it is not secret.
func (d *desk) issue(ctx context.Context, files []uploaded, typed said, res *issueResult) error {
	c, err := d.propose(ctx, files, typed)
	if c != nil {
		defer func() { res.take(c) }()
	}
	if err != nil {
		return err
	}
	p, by := c.p, d.actor(c.p.Agency)
	if p.Secrecy != "" {
		return p.Ready()
	}
	if p.Agency == "" {
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownIssuer, Detail: orElse(c.r.draft.Heading.Issuer, "không đọc được trên trang giấy")}
	}
	if err := c.apply(d.said, by); err != nil {
		return err
	}
	if !d.flags.json {
		if err := d.confirm(ctx, c, by); err != nil {
			return err
		}
	} else if d.gate != nil {
		if err := d.gate(ctx, c); err != nil {
			return err
		}
	}
	if err := d.send(ctx, by, p, files[0].data, res); err != nil {
		return err
	}
	d.learn(ctx, by, c)
	return nil
}

// send registers, seals and issues; each step is safe to repeat.
func (d *desk) send(ctx context.Context, by exchange.Actor, p *exchange.Proposal, data []byte, res *issueResult) error {
	doc, err := d.in.exchange.Register(ctx, by, p, data)
	if err != nil {
		return err
	}
	return d.finish(ctx, by, doc, res)
}

// finish seals and issues what is registered.
func (d *desk) finish(ctx context.Context, by exchange.Actor, doc *exchange.Document, res *issueResult) error {
	id := doc.ID
	if d.flags.answers != "" { // before it goes out: its issue completes what it answers
		if err := d.in.linkAnswer(ctx, by, clerkText(d.flags.answers), doc); err != nil {
			return err
		}
	}
	doc, err := d.in.exchange.Seal(ctx, by, id)
	if exchange.WaitsFor(err) != "" {
		res.State, res.Waiting = exchange.Registered, waitWords[exchange.WaitsFor(err)]
		return d.in.exchange.Await(ctx, by, id, err)
	}
	if err != nil {
		return err
	}
	if doc, err = d.letGo(ctx, by, doc.ID); err != nil {
		return err
	}
	st, err := d.in.exchange.Status(ctx, doc.ID)
	if err != nil {
		return err
	}
	res.State, res.Copies, res.document = doc.State, len(st.Dispatches), doc.ID
	return nil
}

// learn keeps the names that the clerk wants remembered. The document is out by then: what cannot be kept is told.
func (d *desk) learn(ctx context.Context, by exchange.Actor, c *candidate) {
	for _, l := range c.lessons {
		alias := aliasOf(l.text)
		if err := d.in.units.LearnAlias(ctx, l.code, alias, by.String()); err != nil {
			text, hint := explain(err)
			c.warnings = append(c.warnings, fmt.Sprintf("Chưa ghi nhớ được %q: %s. %s", alias, text, hint))
			continue
		}
		c.learnt = append(c.learnt, fmt.Sprintf("%s = %s", alias, l.code))
	}
}

// issueResult is the JSON of one document.
type issueResult struct {
	File        string                `json:"file"`
	Reference   string                `json:"reference,omitempty"`
	Issuer      string                `json:"issuer,omitempty"`
	State       exchange.State        `json:"state,omitempty"`
	Copies      int                   `json:"copies,omitempty"`
	Waiting     string                `json:"waiting,omitempty"` // for what the seal waits; serve seals and issues it then
	Again       bool                  `json:"again,omitempty"`   // it had been issued before this run
	Package     []packageFile         `json:"package,omitempty"`
	Annexes     []foundAnnex          `json:"annexes,omitempty"` // in the main file itself
	Lines       []exchange.StatusLine `json:"lines,omitempty"`
	Open        []string              `json:"open,omitempty"`
	Differences []exchange.Difference `json:"differences,omitempty"`
	Unread      []int                 `json:"unread,omitempty"`
	Suspects    []string              `json:"suspects,omitempty"`
	Warnings    []string              `json:"warnings,omitempty"`
	Learnt      []string              `json:"learnt,omitempty"`
	Spool       string                `json:"spool,omitempty"` // where it waits
	Error       string                `json:"error,omitempty"`
	Code        string                `json:"code,omitempty"`
	Hint        string                `json:"hint,omitempty"`

	document exchange.DocumentID
	agency   recipients.UnitCode
	secrecy  string
	read     *candidate // what was read; nil when nothing was
}

// take keeps what became of a candidate.
func (res *issueResult) take(c *candidate) {
	p := c.p
	res.agency, res.secrecy, res.read = p.Agency, p.Secrecy, c
	res.Reference, res.Issuer, res.Lines, res.Differences, res.Unread = p.Reference, string(p.Agency), nil, p.Differences, p.Unread
	res.Suspects, res.Warnings, res.Learnt, res.Open = p.Suspects, c.warnings, c.learnt, nil
	for _, l := range p.Lines {
		res.Lines = append(res.Lines, exchange.StatusLine{Line: l, Codes: append([]recipients.UnitCode{}, l.Codes()...)})
	}
	for _, l := range p.OpenLines() {
		res.Open = append(res.Open, l.Text)
	}
	res.Package, res.Annexes = packageOf(p), c.foundAnnexes()
}

// tell prints what became of a document and returns what the program ends with.
func (d *desk) tell(res *issueResult, err error) error {
	if err != nil {
		res.Error, res.Hint = explain(err)
		res.Code = codeOf(err)
	}
	if d.flags.json {
		writeJSON(d.s.out, res)
	} else if err != nil {
		d.tellFailure(res)
	} else {
		for _, w := range res.Warnings {
			fmt.Fprintf(d.s.err, "Lưu ý: %s\n", w)
		}
		for _, l := range res.Learnt {
			fmt.Fprintf(d.s.out, "Đã ghi nhớ: %s\n", l)
		}
		word := "Đã phát hành"
		if res.Again {
			word = "Đã phát hành từ trước"
		}
		if res.Waiting != "" {
			fmt.Fprintf(d.s.out, "%s đã vào sổ, chờ đóng dấu: %s. Hệ thống tự ký và phát hành khi được. Theo dõi: congvan status%s %s\n", res.Reference, res.Waiting, d.dataArg(), res.Reference)
			return nil
		}
		fmt.Fprintf(d.s.out, "%s %s: %d bản. Theo dõi: congvan status%s %s\n", word, res.Reference, res.Copies, d.dataArg(), res.Reference)
	}
	if err != nil {
		return &exitError{1}
	}
	return nil
}

func (d *desk) tellFailure(res *issueResult) {
	fmt.Fprintf(d.s.err, "%s: %s\n", res.File, res.Error)
	if res.Hint != "" {
		fmt.Fprintf(d.s.err, "  %s\n", res.Hint)
	}
	if res.Spool != "" {
		fmt.Fprintf(d.s.err, "  Văn bản nằm chờ, mã %s. Làm tiếp: congvan issue%s --spool %s; xem: congvan spool show%s %s; bỏ: congvan spool drop%s %s\n",
			res.Spool, d.dataArg(), res.Spool, d.dataArg(), res.Spool, d.dataArg(), res.Spool)
	}
}

// dataArg is --data as it has to be typed again.
func (d *desk) dataArg() string {
	if d.flags.data == "." {
		return ""
	}
	return " --data " + d.flags.data
}

// remindOld tells of documents that have waited for long.
func (d *desk) remindOld() {
	list, err := d.in.spool().list()
	if err != nil || d.flags.json {
		return
	}
	old := slices.DeleteFunc(list, func(n spoolNote) bool { return !n.old(time.Now()) })
	if len(old) > 0 {
		fmt.Fprintf(d.s.err, "Lưu ý: có %d văn bản nằm chờ quá %d ngày. Xem: congvan spool list%s\n", len(old), spoolDays, d.dataArg())
	}
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

// readUploads reads the files of one document; together they may be as large as one. What no decision can mend is told here,
// before anything lies in the spool.
func readUploads(paths []string) ([]uploaded, error) {
	if n := len(paths) - 1; n > exchange.MaxAnnexes {
		return nil, &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeTooManyFiles, Detail: fmt.Sprint(n)}
	}
	var out []uploaded
	left := int64(maxUpload)
	names := map[[sha256.Size]byte]string{}
	for _, path := range paths {
		if err := isFile(path); err != nil {
			return nil, err
		}
		data, err := readFile(path)
		if err != nil {
			return nil, err
		}
		if left -= int64(len(data)); left < 0 {
			return nil, &exchange.Error{Class: exchange.Invalid, Code: exchange.CodePackageTooLarge, Detail: fmt.Sprintf("hơn %d MB", maxUpload>>20)}
		}
		sum := sha256.Sum256(data)
		if other, ok := names[sum]; ok {
			return nil, &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeDoubleFile, Detail: clerkName(path) + " = " + other}
		}
		names[sum] = clerkName(path)
		out = append(out, uploaded{name: filepath.Base(path), data: data})
	}
	return out, nil
}

// isFile says what is wrong with a path before it is read: a pipe would never end.
func isFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &hintError{fmt.Errorf("không có tệp %s", clerkText(path)), "kiểm tra tên tệp và thư mục"}
	case err != nil:
		return &hintError{fmt.Errorf("không mở được tệp %s", clerkText(path)), "kiểm tra quyền đọc tệp và thư mục"}
	case !info.Mode().IsRegular():
		return &hintError{fmt.Errorf("%s không phải là tệp", clerkText(path)), "chọn tệp văn bản trong thư mục đó"}
	}
	return nil
}

// clerkName is a file's name as it is shown and sent: decoded from old encodings.
func clerkName(path string) string {
	name := clerkText(filepath.Base(path))
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
}
