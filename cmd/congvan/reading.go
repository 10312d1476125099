package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/exchange/meeting"
	"congvan/mailcore/viettext"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// A reading is what was made of one document file: the draft, and its lines joined with the directory of its date.
type reading struct {
	draft    *intake.Draft
	dir      *recipients.Directory
	issuer   recipients.UnitCode // "" when the directory does not know the issuing agency
	resolved []recipients.Line
	scan     []intake.ScanWarning // how a scan falls short of NĐ 30/2020, and how to scan better
}

// readDocument reads a file and resolves its recipients. directory returns the directory of a civil date.
func readDocument(ctx context.Context, r *intake.Reader, directory func(context.Context, string) (*recipients.Directory, error), name string, data []byte, issuer recipients.UnitCode) (*reading, error) {
	return readWith(ctx, r, intake.Call{}, directory, name, data, issuer)
}

// readWith is readDocument that tells how far it is.
func readWith(ctx context.Context, r *intake.Reader, call intake.Call, directory func(context.Context, string) (*recipients.Directory, error), name string, data []byte, issuer recipients.UnitCode) (*reading, error) {
	draft, err := r.ReadCall(ctx, name, data, call)
	if err != nil {
		return nil, err
	}
	date := draft.Heading.Date
	if len(date) != len(time.DateOnly) {
		date = "" // day or month is blank on the page
	}
	dir, err := directory(ctx, date)
	if err != nil {
		return nil, err
	}
	out := &reading{draft: draft, dir: dir, issuer: dir.Issuer(draft.Heading.Issuer)}
	switch {
	case out.issuer == "":
		out.issuer = issuer
	case issuer != "" && issuer != out.issuer:
		return nil, &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeIssuerDiffers, Detail: draft.Heading.Issuer}
	}
	out.resolved = dir.Resolve(draft.Request(out.issuer))
	if draft.Scan {
		report, err := r.CheckScan(ctx, data)
		if err != nil {
			return nil, err
		}
		out.scan = report.Warnings
	}
	return out, nil
}

// units returns the codes that must get a copy, and the texts left to the clerk.
func (r *reading) units() (codes []recipients.UnitCode, unknown []string) {
	codes, unknown = []recipients.UnitCode{}, []string{}
	for _, l := range r.resolved {
		codes = append(codes, l.Codes...)
		if l.Result == recipients.Open {
			unknown = append(unknown, l.Text)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes), unknown
}

// proposal hands the reading to the exchange, which decides nothing by itself.
func (r *reading) proposal() *exchange.Proposal {
	h := r.draft.Heading
	p := &exchange.Proposal{Agency: r.issuer, Reference: h.Reference, Number: h.Number, Symbol: h.Symbol, Kind: h.Type, Abstract: h.Subject,
		IssuedOn: h.Date, Place: h.Place, Signer: r.draft.Signer, Urgency: r.draft.Urgency, Secrecy: r.draft.Secrecy, Pages: r.draft.Pages,
		FileName: filepath.Base(r.draft.Name), Unread: r.draft.Unread}
	if len(p.Unread) == 0 && r.draft.Problem(intake.MaybeSecret) != nil {
		p.Unread = []int{1} // something like a mark of secrecy: a person has to look
	}
	p.SetLines(r.resolved)
	p.Meeting, _ = r.meeting()
	return p
}

// A record is the object of "congvan read --json".
type record struct {
	intake.Record
	Problems []*intake.Problem    `json:"problems,omitempty"`
	Warnings []string             `json:"warnings,omitempty"`
	ScanGate []intake.ScanWarning `json:"scan_gate,omitempty"`
	Meeting  *meeting.Meeting     `json:"meeting,omitempty"` // of a giấy mời or lịch công tác, where it is sure
	*places
}

// places are what --places adds to a record.
type places struct {
	Fields       map[intake.FieldName]intake.Field `json:"fields"`
	KinhGuiLines []intake.BlockLine                `json:"kinh_gui_lines"`
	NoiNhanLines []intake.BlockLine                `json:"noi_nhan_lines"`
}

func (r *reading) places() *places {
	d := r.draft
	return &places{d.Fields, d.KinhGuiLines, d.NoiNhanLines}
}

func (r *reading) record() record {
	v := record{Record: r.draft.Record(), Problems: r.draft.Problems, Warnings: r.draft.Warnings, ScanGate: r.scan}
	v.File = filepath.Base(r.draft.Name)
	codes, unknown := r.units()
	if r.draft.Secrecy != "" {
		return v // nothing of it goes anywhere
	}
	v.Unknown = unknown
	m, err := r.meeting()
	if v.Meeting = m; err != nil {
		v.Warnings = append(slices.Clone(v.Warnings), "Thời gian họp: "+meetingText(nil, err)+".")
	}
	for _, c := range codes {
		v.Units = append(v.Units, string(c))
	}
	return v
}

// maxUpload bounds a file that is read whole.
const maxUpload = 100 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &hintError{fmt.Errorf("không mở được tệp: %w", err), "kiểm tra tên tệp và quyền đọc"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxUpload+1))
	if err != nil {
		return nil, fmt.Errorf("đọc tệp %s: %w", path, err)
	}
	if len(data) > maxUpload {
		return nil, &hintError{fmt.Errorf("tệp %s lớn hơn 100 MB", path), "quét lại ở 200-300 dpi, hoặc tách phụ lục ra tệp riêng"}
	}
	return data, nil
}

// readingTools opens what reading needs without changing anything: the directory of an installation, else the demo's. For one
// file alone no process is started beside this one: that takes longer than it saves on a letter of a page or two.
func readingTools(ctx context.Context, data string, alone bool) (*intake.Reader, func(context.Context, string) (*recipients.Directory, error), func(), error) {
	if data != "" {
		cfg, err := loadConfig(data)
		if err != nil {
			return nil, nil, nil, err
		}
		in, err := openInstallation(ctx, cfg, slog.Default())
		if err != nil {
			return nil, nil, nil, err
		}
		if in.reader, err = newReader(ctx, cfg.path("cache"), cfg.OCR.Parallel, alone); err != nil {
			in.close()
			return nil, nil, nil, err
		}
		return in.reader, in.units.Directory, func() { in.close() }, nil
	}
	dir, err := demoDirectory()
	if err != nil {
		return nil, nil, nil, err
	}
	r, err := newReader(ctx, "", 2, alone)
	if err != nil {
		return nil, nil, nil, err
	}
	return r, func(context.Context, string) (*recipients.Directory, error) { return dir, nil }, func() { r.Close() }, nil
}

// newReader starts the document reader, alone without processes beside this one. Compiled code is kept in cache, the user's
// own cache folder when it is "".
func newReader(ctx context.Context, cache string, parallel int, alone bool) (*intake.Reader, error) {
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			user = os.TempDir()
		}
		cache = filepath.Join(user, "congvan")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("cache of the reader: %w", err)
	}
	return intake.Open(ctx, intake.Options{CacheDir: cache, Workers: parallel, MaxBytes: maxUpload, InProcess: alone})
}

func readCommand(s *streams) *cobra.Command {
	var data, issuer string
	var asJSON, withPlaces bool
	c := &cobra.Command{
		Use:   "read FILE…",
		Short: "Show what is read from documents; nothing is stored",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			r, directory, done, err := readingTools(c.Context(), data, len(files) == 1)
			if err != nil {
				return err
			}
			defer done()
			failed := 0
			how := readFlags{recipients.UnitCode(issuer), asJSON || withPlaces, withPlaces}
			asJSON = how.json
			for _, file := range files {
				if err := readOne(c.Context(), s, r, directory, file, how); err != nil {
					failed++
					if !asJSON && len(files) == 1 {
						return err
					}
					text, hint := explain(err)
					if asJSON {
						writeJSON(s.out, map[string]any{"file": filepath.Base(file), "error": text, "hint": hint})
					} else {
						fmt.Fprintf(s.err, "%s: %s\n  %s\n", file, text, hint)
					}
				}
			}
			if failed > 0 {
				return &exitError{1}
			}
			return nil
		},
	}
	dataFlag(c, &data, "")
	c.Flags().StringVar(&issuer, "issuer", "", "code of the issuing agency, when the page does not tell it")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	c.Flags().BoolVar(&withPlaces, "places", false, "JSON with the place on the page and the confidence of every field and entry")
	return c
}

type readFlags struct {
	issuer       recipients.UnitCode
	json, places bool
}

func readOne(ctx context.Context, s *streams, r *intake.Reader, directory func(context.Context, string) (*recipients.Directory, error), file string, how readFlags) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	var call intake.Call
	if isTerminal(s.err) {
		call = showProgress(s.err)
	}
	v, err := readWith(ctx, r, call, directory, file, data, how.issuer)
	if isTerminal(s.err) {
		fmt.Fprint(s.err, clearLine)
	}
	if err != nil {
		return err
	}
	if how.json {
		rec := v.record()
		if how.places {
			rec.places = v.places()
		}
		return writeJSON(s.out, rec)
	}
	showReading(s.out, v)
	return nil
}

// clearLine takes the cursor of a terminal back to the start of its line and empties it.
const clearLine = "\r\x1b[K"

// showProgress tells on a terminal how far a reading is, and what the heading says before all pages are recognised.
func showProgress(w io.Writer) intake.Call {
	return intake.Call{
		Progress: func(p intake.Progress) { fmt.Fprintf(w, clearLine+"%s…", p) },
		Early: func(d *intake.Draft) {
			fmt.Fprintf(w, clearLine+"Đọc sơ bộ: %s %s, ngày %s, %d nơi nhận (chưa đọc hết %d trang, chưa kiểm xong dấu mật).\n",
				d.Heading.Type, d.Heading.Reference, d.Heading.Date, len(d.NoiNhan), d.Pages)
		},
	}
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// eachJSONLine runs fn over lines of JSON, which is how programs call the parsers.
func eachJSONLine[In any](s *streams, fn func(In) (any, error)) error {
	r := bufio.NewReaderSize(s.in, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var v In
			if err := json.Unmarshal(line, &v); err != nil {
				return &hintError{fmt.Errorf("line %d of the input is not the JSON expected: %w", n, err), "see --help for the keys"}
			}
			out, err := fn(v)
			if err != nil {
				return fmt.Errorf("line %d of the input: %w", n, err)
			}
			if err := writeJSON(s.out, out); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the input: %w", err)
		}
	}
}

func jsonlFlag(c *cobra.Command) {
	c.Flags().Bool("jsonl", true, "JSON lines in on standard input, JSON lines out (the only form)")
}

func headingCommand(s *streams) *cobra.Command {
	parse := &cobra.Command{
		Use:   "parse",
		Short: `Read heading fields: {"id","raw_header"} in, {"id","number","year",…} out`,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return eachJSONLine(s, func(v struct {
				ID     any    `json:"id"`
				Header string `json:"raw_header"`
			}) (any, error) {
				h := intake.ParseHeading(v.Header)
				return map[string]any{"id": v.ID, "number": orNil(h.Number), "year": orNil(h.Year), "symbol": orNil(h.Symbol), "place": orNil(h.Place),
					"date": orNil(h.Date), "type": orNil(h.Type), "subject": orNil(h.Subject), "issuer": orNil(h.IssuerName)}, nil
			})
		},
	}
	jsonlFlag(parse)
	return parent("heading", "Read the heading of a document", parse)
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func parent(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(subs...)
	return c
}

func recipientsCommand(s *streams) *cobra.Command {
	parse := &cobra.Command{
		Use:   "parse",
		Short: `Read blocks into entries: {"id","raw"} in, {"id","entries"} out`,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return eachJSONLine(s, func(v struct {
				ID  any    `json:"id"`
				Raw string `json:"raw"`
			}) (any, error) {
				entries := recipients.ParseBlock(v.Raw)
				for i := range entries {
					if entries[i].Units == nil {
						entries[i].Units = []string{}
					}
				}
				return map[string]any{"id": v.ID, "entries": append([]recipients.Entry{}, entries...)}, nil
			})
		},
	}
	var data string
	resolve := &cobra.Command{
		Use:   "resolve",
		Short: `Resolve blocks to units: {"id","date","issuer","kinh_gui","noi_nhan","body"} in, {"id","units","unknown","entries"} out`,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			directory, done, err := directoryTools(c.Context(), data)
			if err != nil {
				return err
			}
			defer done()
			return eachJSONLine(s, func(v resolveRow) (any, error) { return v.resolve(c.Context(), directory) })
		},
	}
	dataFlag(resolve, &data, "")
	jsonlFlag(parse)
	jsonlFlag(resolve)
	return parent("recipients", "Read and resolve blocks of recipients (Kính gửi, Nơi nhận)", parse, resolve)
}

func directoryTools(ctx context.Context, data string) (func(context.Context, string) (*recipients.Directory, error), func(), error) {
	if data == "" {
		dir, err := demoDirectory()
		return func(context.Context, string) (*recipients.Directory, error) { return dir, nil }, func() {}, err
	}
	cfg, err := loadConfig(data)
	if err != nil {
		return nil, nil, err
	}
	in, err := openInstallation(ctx, cfg, slog.Default())
	if err != nil {
		return nil, nil, err
	}
	return in.units.Directory, func() { in.close() }, nil
}

type resolveRow struct {
	ID      any     `json:"id"`
	Date    *string `json:"date"`
	Issuer  string  `json:"issuer"`
	KinhGui *string `json:"kinh_gui"`
	NoiNhan *string `json:"noi_nhan"`
	Body    *string `json:"body"`
}

func (v resolveRow) resolve(ctx context.Context, directory func(context.Context, string) (*recipients.Directory, error)) (any, error) {
	dir, err := directory(ctx, deref(v.Date))
	if err != nil {
		return nil, err
	}
	r := &reading{resolved: dir.Resolve(recipients.Request{Date: deref(v.Date), Issuer: recipients.UnitCode(v.Issuer), KinhGui: deref(v.KinhGui),
		NoiNhan: deref(v.NoiNhan), Body: deref(v.Body)})}
	entries := []map[string]any{}
	for _, l := range r.resolved {
		entries = append(entries, map[string]any{"text": l.Text, "kind": l.Kind, "purpose": l.Purpose, "result": l.Result,
			"codes": append([]recipients.UnitCode{}, l.Codes...), "why": l.Why, "confidence": l.Confidence,
			"candidates": append([]recipients.Candidate{}, l.Candidates...)})
	}
	codes, unknown := r.units()
	return map[string]any{"id": v.ID, "units": codes, "unknown": unknown, "entries": entries}, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func recodeCommand(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "recode [CHỮ…]",
		Short: `Chuyển chữ gõ bằng bảng mã cũ (TCVN3, VNI, VISCII …) sang Unicode`,
		Long: `Không có tham số: đọc từng dòng JSON {"id","text"} ở đầu vào chuẩn, in {"id","text","encoding"}.
Chữ đã là Unicode giữ nguyên.`,
		Example: "  congvan recode 'Céng hoµ x· héi chñ nghÜa ViÖt Nam'",
		RunE: func(_ *cobra.Command, args []string) error {
			for _, arg := range args {
				text, enc := viettext.Recode(arg)
				fmt.Fprintf(s.out, "%s\t(%s)\n", text, enc)
			}
			if len(args) > 0 {
				return nil
			}
			return eachJSONLine(s, func(v struct {
				ID   any    `json:"id"`
				Text string `json:"text"`
			}) (any, error) {
				text, enc := viettext.Recode(v.Text)
				return map[string]any{"id": v.ID, "text": text, "encoding": enc}, nil
			})
		},
	}
	jsonlFlag(c)
	return c
}

// showReading prints a reading for a person.
func showReading(w io.Writer, r *reading) {
	h := r.draft.Heading
	fmt.Fprintf(w, "%s\n", filepath.Base(r.draft.Name))
	for _, f := range []struct {
		label, value string
		name         intake.FieldName
	}{{"Cơ quan ban hành", withCode(h.Issuer, r.issuer), intake.FieldIssuer}, {"Loại văn bản", h.Type, intake.FieldType},
		{"Số, ký hiệu", h.Reference, intake.FieldNumber}, {"Ngày", h.Date, intake.FieldDate}, {"Trích yếu", h.Subject, intake.FieldSubject},
		{"Người ký", r.draft.Signer, intake.FieldSigner}, {"Độ mật", r.draft.Secrecy, intake.FieldSecrecy},
		{"Độ khẩn", r.draft.Urgency, intake.FieldUrgency}, {"Số trang", fmt.Sprint(r.draft.Pages), intake.FieldPages},
		{"Phụ lục", r.draft.Fields[intake.FieldAnnex].Value, intake.FieldAnnex}} {
		if f.value == "" {
			f.value = "-"
		}
		fmt.Fprintf(w, "  %-18s %s%s\n", f.label, f.value, toCheck(r.draft.Fields[f.name]))
	}
	for _, block := range [][]intake.BlockLine{r.draft.KinhGuiLines, r.draft.NoiNhanLines} {
		for _, l := range block {
			if l.Confidence < intake.Sure {
				fmt.Fprintf(w, "  Cần xem lại: «%s» (chắc %.0f%%).\n", l.Text, 100*l.Confidence)
			}
		}
	}
	if text := meetingText(r.meeting()); text != "" {
		fmt.Fprintf(w, "  %-18s %s\n", "Thời gian họp", text)
	}
	for _, warning := range r.draft.Warnings {
		fmt.Fprintf(w, "  Lưu ý: %s\n", warning)
	}
	for _, sw := range r.scan {
		fmt.Fprintf(w, "  Bản quét: %s %s\n", sw.Message, sw.Hint)
	}
	for _, p := range r.draft.Problems {
		fmt.Fprintf(w, "  Cần xem: %s %s\n", p.Message, p.Hint)
	}
	showLines(w, r.proposal().Lines)
}

// toCheck words that a field is not sure; "" when it is, or was not found.
func toCheck(f intake.Field) string {
	if f.Value == "" || f.Confidence >= intake.Sure {
		return ""
	}
	return strings.TrimRight(fmt.Sprintf("  [cần xem lại, chắc %.0f%%. %s", 100*f.Confidence, f.Doubt), " ") + "]"
}

func withCode(name string, code recipients.UnitCode) string {
	if code == "" {
		return strings.TrimSpace(name + " (không có trong danh bạ)")
	}
	return fmt.Sprintf("%s [%s]", name, code)
}
