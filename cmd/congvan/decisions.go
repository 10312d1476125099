package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"congvan/exchange"
	"congvan/mailcore/viettext"
	"congvan/recipients"

	"github.com/BurntSushi/toml"
)

// decisions are what a clerk has written down about documents to be issued. The file is TOML, in UTF-8 or UTF-16; what was
// typed in an old encoding inside it is decoded:
//
//	[[document]]
//	reference  = "145/STTTT-CNTT"           # văn bản nào; hoặc file = "van-ban.pdf" khi trang giấy không đọc được số
//	not_secret = true                       # độ mật: không
//	seen_pages = true                       # đã xem các trang, các tệp máy không đọc được: không có dấu mật
//	abstract   = "Về việc …"                # trích yếu theo sổ; được đối chiếu với trang giấy. Cũng vậy: date, issuer
//	time       = "8 giờ 00, ngày 25/11/2026" # giấy mời: thời gian họp để đưa vào lịch; "không": không kèm lịch. Địa điểm: at
//	confirm_difference = true               # đã xem chỗ khác giữa sổ và trang giấy: ghi theo sổ; hoặc ["date", "subject"]
//	accept_flags = ["bieu-mau.xlsm"]        # vẫn gửi các tệp có macro, mật khẩu …; hoặc true: mọi tệp
//	[[document.line]]
//	text       = "Trung tâm CNTT&TT (để th/h)"
//	off_system = "Trung tâm Công nghệ thông tin và Truyền thông"
//	address    = "vanthu@ttcntt.test"       # "" hoặc bỏ: đến lấy tại nơi nhận, hoặc bản giấy
//	[[document.line]]
//	text       = "Các phòng, ban"
//	excused    = "phòng của chính cơ quan"
//	[[document.line]]
//	text       = "TT HĐND"
//	units      = ["tthdnd"]
//	learn      = true                       # ghi nhớ: lần sau tên này là đơn vị đó
//	[[document.line]]
//	text       = "Sở Y tế"
//	units      = ["syt"]
//	add        = true                       # nơi nhận có trên giấy mà máy không đọc được
type decisions struct {
	Document []decidedDocument `toml:"document"`
	path     string
}

type decidedDocument struct {
	Reference string        `toml:"reference"`
	File      string        `toml:"file"`
	Issuer    string        `toml:"issuer"`
	Date      string        `toml:"date"`
	Abstract  string        `toml:"abstract"`
	Kind      string        `toml:"type"`
	Signer    string        `toml:"signer"`
	Urgency   string        `toml:"urgency"`
	Time      string        `toml:"time"`
	At        string        `toml:"at"`
	NotSecret bool          `toml:"not_secret"`
	SeenPages bool          `toml:"seen_pages"`
	Confirm   consent       `toml:"confirm_difference"`
	Accept    consent       `toml:"accept_flags"`
	Line      []decidedLine `toml:"line"`
	row       int           // line in the file, 0 when it cannot be told
}

type decidedLine struct {
	Text      string                `toml:"text"`
	Units     []recipients.UnitCode `toml:"units"`
	OffSystem string                `toml:"off_system"`
	Address   string                `toml:"address"`
	Excused   string                `toml:"excused"`
	Learn     bool                  `toml:"learn"`
	Add       bool                  `toml:"add"`
	row       int
}

// A consent is true for everything, or a list of names.
type consent struct {
	all   bool
	names []string
}

var errConsent = errors.New("phải là true, false hoặc một danh sách như [\"a\", \"b\"]")

// UnmarshalTOML takes true, false or a list of texts.
func (c *consent) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case bool:
		c.all = v
		return nil
	case []any:
		for _, one := range v {
			name, ok := one.(string)
			if !ok {
				return errConsent
			}
			c.names = append(c.names, viettext.Key(clerkText(name)))
		}
		return nil
	}
	return errConsent
}

func (c consent) to(name string) bool {
	return c.all || slices.Contains(c.names, viettext.Key(name))
}

// maxDecisions bounds the file of decisions.
const maxDecisions = 1 << 20

func loadDecisions(path string) (*decisions, error) {
	if path == "" {
		return &decisions{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &hintError{fmt.Errorf("tệp quyết định %s: không mở được", path), "kiểm tra tên tệp và quyền đọc"}
	}
	if len(text) > maxDecisions {
		return nil, &hintError{fmt.Errorf("tệp quyết định %s: lớn hơn 1 MB", path), "có lẽ nhầm tệp"}
	}
	return parseDecisions(path, string(text))
}

func parseDecisions(name, text string) (*decisions, error) {
	text = string(unicodeFile([]byte(text)))
	d := &decisions{path: name}
	md, err := toml.Decode(text, d)
	if err := checkDecisions(name, text, md, err); err != nil {
		return nil, err
	}
	d.findRows(text)
	for i := range d.Document {
		if err := d.Document[i].clean(); err != nil {
			return nil, err.in(name)
		}
	}
	return d, nil
}

// A rowError is something wrong in one line of the decisions.
type rowError struct {
	path string
	row  int
	err  error
	hint string
}

func (e *rowError) in(path string) error { e.path = path; return e }

func (e *rowError) Error() string {
	text, _ := explain(e.err)
	if e.row == 0 {
		return fmt.Sprintf("tệp quyết định %s: %s", e.path, text)
	}
	return fmt.Sprintf("tệp quyết định %s, dòng %d: %s", e.path, e.row, text)
}

func (e *rowError) Unwrap() error { return e.err }

// clean decodes the texts of a document and says what in it cannot be meant.
func (doc *decidedDocument) clean() *rowError {
	for _, s := range []*string{&doc.Reference, &doc.File, &doc.Issuer, &doc.Date, &doc.Abstract, &doc.Kind, &doc.Signer, &doc.Urgency, &doc.Time, &doc.At} {
		*s = clerkText(*s)
	}
	if doc.Reference == "" && doc.File == "" {
		return &rowError{row: doc.row, err: errors.New("mục [[document]] chưa nói về văn bản nào"), hint: `thêm reference = "số, ký hiệu" hoặc file = "tên tệp"`}
	}
	if doc.Date != "" {
		date, ok := isoDate(doc.Date)
		if !ok {
			return &rowError{row: doc.row, err: fmt.Errorf("date = %q không phải là ngày", doc.Date), hint: `ghi date = "2009-03-18"`}
		}
		doc.Date = date
	}
	for i := range doc.Line {
		if err := doc.Line[i].clean(); err != nil {
			return err
		}
	}
	return nil
}

func (l *decidedLine) clean() *rowError {
	for _, s := range []*string{&l.Text, &l.OffSystem, &l.Address, &l.Excused} {
		*s = clerkText(*s)
	}
	said := 0
	for _, is := range []bool{len(l.Units) > 0, l.OffSystem != "", l.Excused != ""} {
		if is {
			said++
		}
	}
	switch {
	case l.Text == "":
		return &rowError{row: l.row, err: errors.New("mục [[document.line]] chưa nói về nơi nhận nào"), hint: `thêm text = "dòng nơi nhận", đúng như congvan read in ra`}
	case said > 1:
		return &rowError{row: l.row, err: fmt.Errorf("nơi nhận %q có nhiều quyết định", l.Text), hint: "chỉ ghi một trong ba khóa: units, off_system, excused"}
	case l.Learn && (len(l.Units) != 1 || aliasOf(l.Text) == ""):
		return &rowError{row: l.row, err: &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeNotLearnt, Detail: l.Text}, hint: clerkTexts[exchange.CodeNotLearnt][1]}
	}
	return nil
}

// said is what the file says about the document that the page has to say, too.
func (doc *decidedDocument) said() said {
	s := said{Issuer: doc.Issuer, Date: doc.Date, Abstract: doc.Abstract, Kind: doc.Kind, Signer: doc.Signer, Urgency: doc.Urgency, Time: doc.Time, At: doc.At}
	if doc.File != "" {
		s.Reference = doc.Reference
	}
	return s
}

var keysHint = "các khóa của [[document]]: reference, file, issuer, date, abstract, type, signer, urgency, time, at, not_secret, seen_pages, confirm_difference, accept_flags; " +
	"của [[document.line]]: text, units, off_system, address, excused, learn, add"

func checkDecisions(path, text string, md toml.MetaData, err error) error {
	var pe toml.ParseError
	switch {
	case errors.As(err, &pe) && pe.Message == errConsent.Error():
		return &rowError{path, pe.Position.Line, fmt.Errorf("%s %w", lastKey(pe.LastKey), errConsent), keysHint}
	case errors.As(err, &pe):
		return &rowError{path, pe.Position.Line, fmt.Errorf("không hiểu: %s", lineAt(text, pe.Position.Line)),
			"mỗi dòng là khóa = giá trị; chữ để trong dấu ngoặc kép \"…\", không đóng thiếu ngoặc, không ghi một khóa hai lần"}
	case err != nil:
		row, key := 0, ""
		if m := wrongKind.FindStringSubmatch(err.Error()); m != nil { // the library tells the place in words alone
			row, _ = strconv.Atoi(m[1])
			key = lastKey(m[2])
		}
		return &rowError{path, row, fmt.Errorf("giá trị của %s không đúng loại: %s", key, lineAt(text, row)),
			"not_secret, seen_pages, learn là true hoặc false; units là danh sách như [\"stc\"]; các khóa khác là chữ trong dấu ngoặc kép"}
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		key := unknown[0][len(unknown[0])-1]
		return &rowError{path, rowOfKey(text, key), fmt.Errorf("không có khóa %q", key), keysHint}
	}
	return nil
}

var wrongKind = regexp.MustCompile(`^toml: line (\d+) \(last key "([^"]*)"\)`)

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func lineAt(text string, n int) string {
	lines := strings.Split(text, "\n")
	if n < 1 || n > len(lines) {
		return "cuối tệp"
	}
	return shorten(strings.TrimSpace(lines[n-1]), 80)
}

func rowOfKey(text, key string) int {
	for i, line := range strings.Split(text, "\n") {
		name, _, _ := strings.Cut(line, "=")
		if strings.Trim(strings.TrimSpace(name), `"'[]`) == key || strings.HasSuffix(strings.Trim(strings.TrimSpace(line), "[]"), "."+key) {
			return i + 1
		}
	}
	return 0
}

var tableHeader = regexp.MustCompile(`^\s*\[\[\s*document\s*(\.\s*line\s*)?\]\]`)

// findRows notes on which line of the file each part stands. Where the file is not written in tables, nothing is noted.
func (d *decisions) findRows(text string) {
	var documents []int
	var lines [][]int
	for i, line := range strings.Split(text, "\n") {
		switch m := tableHeader.FindStringSubmatch(line); {
		case m == nil:
		case m[1] == "":
			documents, lines = append(documents, i+1), append(lines, nil)
		case len(lines) > 0:
			lines[len(lines)-1] = append(lines[len(lines)-1], i+1)
		}
	}
	if len(documents) != len(d.Document) {
		return
	}
	for i := range d.Document {
		d.Document[i].row = documents[i]
		if len(lines[i]) != len(d.Document[i].Line) {
			continue
		}
		for k := range lines[i] {
			d.Document[i].Line[k].row = lines[i][k]
		}
	}
}

func (d *decisions) empty() bool { return len(d.Document) == 0 }

// typed says whether the file gives recipients of its own, for a page that cannot be read.
func (doc *decidedDocument) typed() bool {
	return slices.ContainsFunc(doc.Line, func(l decidedLine) bool { return l.Add })
}

// names reports whether the decisions speak of the document.
func (d *decisions) names(reference string) bool {
	return slices.ContainsFunc(d.Document, func(doc decidedDocument) bool { return sameReference(doc.Reference, reference) })
}

func sameReference(a, b string) bool {
	bare := func(s string) string { return strings.ReplaceAll(viettext.Key(s), " ", "") }
	return a != "" && bare(a) == bare(b)
}

// about returns what the file says of a document, which it names by its file, or by the reference that stands on the page or
// was typed.
func (d *decisions) about(file string, references ...string) []decidedDocument {
	var out []decidedDocument
	for _, doc := range d.Document {
		if doc.File != "" && viettext.Key(doc.File) == viettext.Key(file) ||
			doc.File == "" && slices.ContainsFunc(references, func(r string) bool { return sameReference(doc.Reference, r) }) {
			out = append(out, doc)
		}
	}
	return out
}

// apply settles what the file says of a document.
func (doc *decidedDocument) apply(path string, dir *recipients.Directory, by exchange.Actor, p *exchange.Proposal) error {
	p.NotSecret, p.Seen = p.NotSecret || doc.NotSecret, p.Seen || doc.SeenPages
	for i := range p.Differences {
		p.Differences[i].Confirmed = p.Differences[i].Confirmed || doc.Confirm.to(p.Differences[i].Field)
	}
	for _, f := range append([]*exchange.File{p.Main}, p.Annexes...) {
		if f != nil {
			f.Accepted = f.Accepted || doc.Accept.to(f.Info.Name)
		}
	}
	for _, l := range doc.Line {
		var err error
		if l.Add {
			err = p.AddLine(l.Text)
		}
		if err == nil {
			err = p.Decide(dir, by, []exchange.Decision{{Text: l.Text, Units: l.Units, OffSystem: l.OffSystem, Address: l.Address, Excused: l.Excused}})
		}
		if err != nil {
			_, hint := explain(err)
			return &rowError{path, l.row, err, hint}
		}
	}
	return nil
}

// lessons are the texts that the clerk wants remembered as names of a unit.
func (doc *decidedDocument) lessons() (out []lesson) {
	for _, l := range doc.Line {
		if l.Learn {
			out = append(out, lesson{l.Text, l.Units[0]})
		}
	}
	return out
}

// A lesson is a text that stands for a unit.
type lesson struct {
	text string
	code recipients.UnitCode
}

// aliasOf is the name in a line of recipients, without its purpose; "" when the line names no single unit.
func aliasOf(text string) string {
	parts := []string{text}
	if i := strings.LastIndex(text, ": "); i >= 0 {
		parts = append(parts, text[i+2:])
	}
	for _, part := range parts {
		entries := recipients.ParseBlock("Nơi nhận:\n- " + part)
		if len(entries) == 1 && len(entries[0].Units) == 1 {
			return entries[0].Units[0]
		}
	}
	return ""
}
