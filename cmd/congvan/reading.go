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
	draft, err := r.Read(ctx, name, data)
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
	return p
}

// A record is the object of "congvan read --json".
type record struct {
	intake.Record
	Problems []*intake.Problem    `json:"problems,omitempty"`
	Warnings []string             `json:"warnings,omitempty"`
	ScanGate []intake.ScanWarning `json:"scan_gate,omitempty"`
}

func (r *reading) record() record {
	v := record{r.draft.Record(), r.draft.Problems, r.draft.Warnings, r.scan}
	v.File = filepath.Base(r.draft.Name)
	codes, unknown := r.units()
	if r.draft.Secrecy != "" {
		return v // nothing of it goes anywhere
	}
	v.Unknown = unknown
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

// readingTools opens what reading needs without changing anything: the directory of an installation, else the demo's.
func readingTools(ctx context.Context, data string) (*intake.Reader, func(context.Context, string) (*recipients.Directory, error), func(), error) {
	if data != "" {
		cfg, err := loadConfig(data)
		if err != nil {
			return nil, nil, nil, err
		}
		in, err := openInstallation(ctx, cfg, slog.Default())
		if err != nil {
			return nil, nil, nil, err
		}
		r, err := in.intake(ctx)
		return r, in.units.Directory, func() { in.close() }, err
	}
	dir, err := demoDirectory()
	if err != nil {
		return nil, nil, nil, err
	}
	r, err := newReader(ctx, "", 2)
	if err != nil {
		return nil, nil, nil, err
	}
	return r, func(context.Context, string) (*recipients.Directory, error) { return dir, nil }, func() { r.Close() }, nil
}

// newReader starts the document reader. Compiled code is kept in cache, the user's own cache folder when it is "".
func newReader(ctx context.Context, cache string, parallel int) (*intake.Reader, error) {
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
	return intake.Open(ctx, intake.Options{CacheDir: cache, Workers: parallel, MaxBytes: maxUpload})
}

func readCommand(s *streams) *cobra.Command {
	var data, issuer string
	var asJSON bool
	c := &cobra.Command{
		Use:   "read FILE…",
		Short: "Show what is read from documents; nothing is stored",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			r, directory, done, err := readingTools(c.Context(), data)
			if err != nil {
				return err
			}
			defer done()
			failed := 0
			for _, file := range files {
				if err := readOne(c.Context(), s, r, directory, file, recipients.UnitCode(issuer), asJSON); err != nil {
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
	return c
}

func readOne(ctx context.Context, s *streams, r *intake.Reader, directory func(context.Context, string) (*recipients.Directory, error), file string, issuer recipients.UnitCode, asJSON bool) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	v, err := readDocument(ctx, r, directory, file, data, issuer)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, v.record())
	}
	showReading(s.out, v)
	return nil
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
		Use:   "recode",
		Short: `Old Vietnamese encodings to Unicode: {"id","text"} in, {"id","text","encoding"} out`,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
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
	for _, f := range [][2]string{{"Cơ quan ban hành", withCode(h.Issuer, r.issuer)}, {"Loại văn bản", h.Type}, {"Số, ký hiệu", h.Reference},
		{"Ngày", h.Date}, {"Trích yếu", h.Subject}, {"Người ký", r.draft.Signer}, {"Độ mật", r.draft.Secrecy}, {"Độ khẩn", r.draft.Urgency},
		{"Số trang", fmt.Sprint(r.draft.Pages)}} {
		if f[1] == "" {
			f[1] = "-"
		}
		fmt.Fprintf(w, "  %-18s %s\n", f[0], f[1])
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

func withCode(name string, code recipients.UnitCode) string {
	if code == "" {
		return strings.TrimSpace(name + " (không có trong danh bạ)")
	}
	return fmt.Sprintf("%s [%s]", name, code)
}
