package recipients

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/viettext"
)

// A CSVError says what is wrong in a file of the directory, in Vietnamese for those who keep it.
type CSVError struct {
	File   string // "đơn vị" or "nhóm"
	Line   int    // counted from 1, the header is line 1
	Column string // name of the column, "" when it is the whole line
	Text   string
}

func (e *CSVError) Error() string {
	at := fmt.Sprintf("tệp %s, dòng %d", e.File, e.Line)
	if e.Column != "" {
		at += ", cột " + e.Column
	}
	return at + ": " + e.Text
}

// ReadDirectory reads the directory from its two CSV files. units has the columns code, name, kind, parent, aliases and, if
// wanted, names, address, mailbox, valid_from, valid_to, successor; groups has code, member_kinds, member_codes and may be
// nil. Several values in one cell stand between "|"; a name or an alias may carry its days, "UBND thị xã Kon Tum
// [..2009-04-09]". Every error found is reported, each a *CSVError.
func ReadDirectory(units, groups io.Reader) (*Directory, error) {
	var r directoryReader
	us := r.units(units)
	var gs []Group
	if groups != nil {
		gs = r.groups(groups, us)
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	list := make([]Unit, len(us))
	for i, u := range us {
		list[i] = u.Unit
	}
	return newDirectory(list, gs), nil
}

// directoryReader collects the errors of both files, up to maxErrors.
type directoryReader struct{ errs []error }

const maxErrors = 50

func (r *directoryReader) bad(file string, line int, column, format string, args ...any) {
	if len(r.errs) < maxErrors {
		r.errs = append(r.errs, &CSVError{file, line, column, fmt.Sprintf(format, args...)})
	}
}

// A csvRow gives the cells of one line by the name of their column.
type csvRow struct {
	line  int
	cells map[string]string
}

// rows reads a file with a header line. Unknown columns are refused, so that a misspelt one is not lost in silence.
func (r *directoryReader) rows(file string, in io.Reader, must, may []string) []csvRow {
	cr := csv.NewReader(in)
	cr.FieldsPerRecord = -1
	header, err := cr.Read()
	if err != nil {
		r.bad(file, 1, "", "không đọc được dòng tiêu đề: %v", err)
		return nil
	}
	for i := range header {
		header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(header[i], "\ufeff")))
		if !slices.Contains(must, header[i]) && !slices.Contains(may, header[i]) {
			r.bad(file, 1, header[i], "không có cột này; các cột được dùng: %s", strings.Join(slices.Concat(must, may), ", "))
		}
	}
	for _, name := range must {
		if !slices.Contains(header, name) {
			r.bad(file, 1, name, "thiếu cột này")
		}
	}
	var rows []csvRow
	for {
		record, err := cr.Read()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			line := len(rows) + 2
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				line = pe.Line
			}
			r.bad(file, line, "", "sai định dạng CSV: %v", err)
			return rows
		}
		line, _ := cr.FieldPos(0)
		if len(record) == 1 && strings.TrimSpace(record[0]) == "" {
			continue
		}
		if len(record) > len(header) {
			r.bad(file, line, "", "có %d ô, nhiều hơn %d cột của tiêu đề; tên có dấu phẩy phải đặt trong ngoặc kép", len(record), len(header))
			continue
		}
		row := csvRow{line: line, cells: map[string]string{}}
		for i, cell := range record {
			row.cells[header[i]] = strings.Join(strings.Fields(viettext.NFC(cell)), " ")
		}
		rows = append(rows, row)
	}
}

// A unitRow is a unit and the line where it stands.
type unitRow struct {
	Unit
	line int
}

var codePattern = regexp.MustCompile(`^[a-z0-9]+(?:[.-][a-z0-9]+)*$`)

func (r *directoryReader) units(in io.Reader) []unitRow {
	const file = "đơn vị"
	var list []unitRow
	lines := map[UnitCode]int{}
	for _, row := range r.rows(file, in, []string{"code", "name", "kind", "parent", "aliases"},
		[]string{"names", "address", "mailbox", "valid_from", "valid_to", "successor"}) {
		u := r.unit(file, row)
		if at, ok := lines[u.Code]; ok {
			r.bad(file, row.line, "code", "mã “%s” đã có ở dòng %d", u.Code, at)
			continue
		}
		lines[u.Code] = row.line
		list = append(list, unitRow{u, row.line})
	}
	if len(list) == 0 && len(r.errs) == 0 {
		r.bad(file, 1, "", "không có đơn vị nào")
	}
	for _, u := range list {
		if _, ok := lines[u.Parent]; u.Parent != "" && !ok {
			r.bad(file, u.line, "parent", "không có đơn vị cấp trên “%s” trong danh bạ", u.Parent)
		}
		if _, ok := lines[u.Successor]; u.Successor != "" && !ok {
			r.bad(file, u.line, "successor", "không có đơn vị kế thừa “%s” trong danh bạ", u.Successor)
		}
	}
	r.loops(file, list)
	r.successors(file, list)
	r.namesakes(file, list)
	return list
}

// successors reports units whose mail can go to nobody after them.
func (r *directoryReader) successors(file string, list []unitRow) {
	at := map[UnitCode]*Unit{}
	for i := range list {
		at[list[i].Code] = &list[i].Unit
	}
	for _, u := range list {
		next := at[u.Successor]
		switch {
		case u.Successor == "" || next == nil:
		case u.Successor == u.Code:
			r.bad(file, u.line, "successor", "đơn vị không thể kế thừa chính nó")
		case u.To == "":
			r.bad(file, u.line, "valid_to", "có đơn vị kế thừa “%s” thì phải ghi ngày hết hiệu lực", u.Successor)
		case next.Kind == KindGroup:
			r.bad(file, u.line, "successor", "“%s” là nhóm nơi nhận, không kế thừa đơn vị được", u.Successor)
		case next.To != "" && next.To <= u.To:
			r.bad(file, u.line, "successor", "đơn vị kế thừa “%s” đã thôi từ ngày %s, trước đơn vị này", u.Successor, next.To)
		}
	}
}

// namesakes reports two units with the same official name on the same day.
func (r *directoryReader) namesakes(file string, list []unitRow) {
	type owned struct {
		unit *unitRow
		days DatedName
	}
	owners := map[string][]owned{}
	for i := range list {
		u := &list[i]
		for _, n := range u.officialNames() {
			key := viettext.Key(n.Text)
			if k := slices.IndexFunc(owners[key], func(o owned) bool { return o.unit != u && o.days.meets(n) }); k >= 0 {
				r.bad(file, u.line, "name", "tên “%s” cùng ngày là tên của “%s” ở dòng %d", n.Text, owners[key][k].unit.Code, owners[key][k].unit.line)
			}
			owners[key] = append(owners[key], owned{u, n})
		}
	}
}

// officialNames lists the official names of a unit on their days: that of today begins when the last one before it ends.
func (u *Unit) officialNames() []DatedName {
	today := DatedName{Text: u.Name}
	for _, n := range u.Names {
		if n.To != "" {
			today.From = max(today.From, dayAfter(n.To))
		}
	}
	names := []DatedName{today.within(u)}
	for _, n := range u.Names {
		names = append(names, n.within(u))
	}
	return names
}

// dayAfter is the civil date behind another.
func dayAfter(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

func (r *directoryReader) unit(file string, row csvRow) Unit {
	c := row.cells
	u := Unit{Code: UnitCode(c["code"]), Name: c["name"], Kind: c["kind"], Parent: UnitCode(c["parent"]), Address: c["address"],
		From: c["valid_from"], To: c["valid_to"], Successor: UnitCode(c["successor"])}
	switch {
	case u.Code == "":
		r.bad(file, row.line, "code", "chưa ghi mã đơn vị")
	case !codePattern.MatchString(string(u.Code)) || len(u.Code) > 60:
		r.bad(file, row.line, "code", "mã “%s” không dùng làm địa chỉ thư được: chỉ gồm chữ thường không dấu, số, dấu chấm, gạch nối", u.Code)
	}
	if len(foldWords(u.Name)) == 0 {
		r.bad(file, row.line, "name", "chưa ghi tên đơn vị")
	}
	if u.Kind == "" {
		r.bad(file, row.line, "kind", "chưa ghi loại đơn vị")
	}
	if u.Address != "" && !ValidAddress(u.Address) {
		r.bad(file, row.line, "address", "“%s” không phải là địa chỉ thư điện tử", u.Address)
	}
	for _, col := range []string{"valid_from", "valid_to"} {
		if !validDate(c[col]) {
			r.bad(file, row.line, col, "“%s” không phải là ngày dạng 2009-03-18", c[col])
		}
	}
	if u.From != "" && u.To != "" && u.From > u.To {
		r.bad(file, row.line, "valid_to", "ngày hết hiệu lực %s trước ngày có hiệu lực %s", u.To, u.From)
	}
	u.Mailbox = r.mailbox(file, row, u)
	u.Aliases = r.names(file, row, "aliases")
	for _, n := range r.names(file, row, "names") {
		switch {
		case n.Text == u.Name && n.To == "": // the name of today, and since when
		case n.Text == u.Name:
			r.bad(file, row.line, "names", "“%s” là tên hiện nay, không ghi thêm ngày hết hiệu lực", n.Text)
		case n.From == "" && n.To == "":
			if !slices.Contains(u.Aliases, n) {
				u.Aliases = append(u.Aliases, n) // a name of all days is an alias
			}
		default:
			u.Names = append(u.Names, n)
		}
	}
	r.lives(file, row.line, &u)
	return u
}

// lives reports names that are valid on days on which the unit does not exist, or beside another official name.
func (r *directoryReader) lives(file string, line int, u *Unit) {
	for _, list := range []struct {
		column string
		names  []DatedName
	}{{"names", u.Names}, {"aliases", u.Aliases}} {
		for _, n := range list.names {
			if u.To != "" && n.From > u.To || u.From != "" && n.To != "" && n.To < u.From {
				r.bad(file, line, list.column, "“%s” có hiệu lực (%s) khi đơn vị không hoạt động", n.Text, n.days())
			}
		}
	}
	for i, n := range u.Names {
		for _, o := range u.Names[:i] {
			if n.meets(o) {
				r.bad(file, line, "names", "hai tên chính thức “%s” và “%s” cùng có hiệu lực một ngày", o.Text, n.Text)
			}
		}
	}
}

// mailbox reads whether the unit has a mailbox here. Central bodies and group phrases have none unless the file says so.
func (r *directoryReader) mailbox(file string, row csvRow, u Unit) bool {
	switch strings.ToLower(row.cells["mailbox"]) {
	case "":
		return u.Kind != KindCentral && u.Kind != KindGroup && u.Address == ""
	case "có", "co", "1", "true", "yes", "x":
		if u.Kind == KindGroup {
			r.bad(file, row.line, "mailbox", "nhóm nơi nhận không có hộp thư")
		}
		return true
	case "không", "khong", "0", "false", "no":
		return false
	}
	r.bad(file, row.line, "mailbox", "ghi “có” hoặc “không”, không phải “%s”", row.cells["mailbox"])
	return false
}

var datedPattern = regexp.MustCompile(`^(.*\S)\s*\[([0-9-]*)\.\.([0-9-]*)\]$`)

func (r *directoryReader) names(file string, row csvRow, column string) []DatedName {
	var names []DatedName
	seen := map[string]DatedName{}
	for text := range strings.SplitSeq(row.cells[column], "|") {
		n := DatedName{Text: strings.TrimSpace(text)}
		if m := datedPattern.FindStringSubmatch(n.Text); m != nil {
			n = DatedName{m[1], m[2], m[3]}
			if !validDate(n.From) || !validDate(n.To) {
				r.bad(file, row.line, column, "khoảng ngày trong “%s” phải có dạng [2009-04-10..2010-12-31]", text)
			} else if n.From != "" && n.To != "" && n.From > n.To {
				r.bad(file, row.line, column, "khoảng ngày trong “%s” có ngày cuối trước ngày đầu", text)
			}
		}
		if n.Text == "" {
			continue
		}
		if len(foldWords(n.Text)) == 0 {
			r.bad(file, row.line, column, "“%s” không có chữ nào", n.Text)
			continue
		}
		if other, ok := seen[n.Text]; ok {
			if other != n {
				r.bad(file, row.line, column, "“%s” ghi hai lần với ngày khác nhau; chỉ ghi một khoảng ngày", n.Text)
			}
			continue
		}
		seen[n.Text] = n
		names = append(names, n)
	}
	return names
}

// loops reports units that are their own superior, over any number of steps.
func (r *directoryReader) loops(file string, list []unitRow) {
	parent := map[UnitCode]UnitCode{}
	for _, u := range list {
		parent[u.Code] = u.Parent
	}
	for _, u := range list {
		at := u.Parent
		for range list {
			if at == "" || at == u.Code {
				break
			}
			at = parent[at]
		}
		if at != "" {
			r.bad(file, u.line, "parent", "“%s” là cấp trên của chính nó", u.Code)
		}
	}
}

func (r *directoryReader) groups(in io.Reader, units []unitRow) []Group {
	const file = "nhóm"
	kinds := map[string]bool{}
	byCode := map[UnitCode]string{}
	for _, u := range units {
		byCode[u.Code] = u.Kind
		kinds[u.Kind] = u.Kind != KindGroup
	}
	var list []Group
	lines := map[UnitCode]int{}
	for _, row := range r.rows(file, in, []string{"code", "member_kinds", "member_codes"}, nil) {
		g := Group{Code: UnitCode(row.cells["code"])}
		if kind, ok := byCode[g.Code]; !ok || kind != KindGroup {
			r.bad(file, row.line, "code", "“%s” không phải là nhóm (loại %s) trong danh bạ", g.Code, KindGroup)
		}
		if at, ok := lines[g.Code]; ok {
			r.bad(file, row.line, "code", "nhóm “%s” đã có ở dòng %d", g.Code, at)
		}
		lines[g.Code] = row.line
		for _, n := range r.names(file, row, "member_kinds") {
			if !kinds[n.Text] {
				r.bad(file, row.line, "member_kinds", "danh bạ không có đơn vị loại “%s”", n.Text)
			}
			g.Members = append(g.Members, Member{Kind: n.Text, From: n.From, To: n.To})
		}
		for _, n := range r.names(file, row, "member_codes") {
			kind, ok := byCode[UnitCode(n.Text)]
			if !ok || kind == KindGroup {
				r.bad(file, row.line, "member_codes", "danh bạ không có đơn vị “%s”", n.Text)
			}
			g.Members = append(g.Members, Member{Code: UnitCode(n.Text), From: n.From, To: n.To})
		}
		list = append(list, g)
	}
	return list
}

// WriteCSV writes both files so that ReadDirectory gives the same directory again.
func (d *Directory) WriteCSV(units, groups io.Writer) error {
	w := csv.NewWriter(units)
	rows := [][]string{{"code", "name", "kind", "parent", "aliases", "names", "address", "mailbox", "valid_from", "valid_to", "successor"}}
	for _, u := range d.units {
		mailbox := "không"
		if u.Mailbox {
			mailbox = "có"
		}
		rows = append(rows, []string{string(u.Code), u.Name, u.Kind, string(u.Parent), datedCell(u.Aliases), datedCell(u.Names),
			u.Address, mailbox, u.From, u.To, string(u.Successor)})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write units: %w", err)
	}
	w = csv.NewWriter(groups)
	rows = [][]string{{"code", "member_kinds", "member_codes"}}
	for _, g := range d.groups {
		var kinds, codes []DatedName
		for _, m := range g.Members {
			if m.Kind != "" {
				kinds = append(kinds, DatedName{m.Kind, m.From, m.To})
			} else {
				codes = append(codes, DatedName{string(m.Code), m.From, m.To})
			}
		}
		rows = append(rows, []string{string(g.Code), datedCell(kinds), datedCell(codes)})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write groups: %w", err)
	}
	return nil
}

func datedCell(names []DatedName) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.Text
		if days := n.days(); days != "" {
			texts[i] += " [" + days + "]"
		}
	}
	return strings.Join(texts, "|")
}
