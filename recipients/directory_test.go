package recipients_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"congvan/recipients"
)

func TestReadDirectorySaysWhereAndWhat(t *testing.T) {
	const head = "code,name,kind,parent,aliases,address,valid_from\n"
	const heads = "code,name,kind,parent,aliases,names,valid_from,valid_to,successor\n"
	for name, c := range map[string]struct {
		units, groups string
		line          int
		column, word  string
	}{
		"doubled code":       {units: head + "a,A,so,,,,\na,B,so,,,,\n", line: 3, column: "code", word: "dòng 2"},
		"unknown parent":     {units: head + "a,A,so,x,,,\n", line: 2, column: "parent", word: "“x”"},
		"own parent":         {units: head + "a,A,so,b,,,\nb,B,so,a,,,\n", line: 2, column: "parent", word: "chính nó"},
		"bad code":           {units: head + "Sở,A,so,,,,\n", line: 2, column: "code", word: "địa chỉ thư"},
		"alias of signs":     {units: head + "a,A,so,,A1|&,,\n", line: 2, column: "aliases", word: "không có chữ"},
		"no name":            {units: head + "a,,so,,,,\n", line: 2, column: "name", word: "tên"},
		"bad address":        {units: head + "a,A,trung-uong,,,khong-phai,\n", line: 2, column: "address", word: "khong-phai"},
		"bad date":           {units: head + "a,A,so,,,,18/3/2009\n", line: 2, column: "valid_from", word: "2009-03-18"},
		"unknown column":     {units: "code,name,kind,parent,alias\na,A,so,,\n", line: 1, column: "alias", word: "cột"},
		"comma unquoted":     {units: head + "a,Sở Văn hóa, Thể thao,so,,,,,\n", line: 2, word: "ngoặc kép"},
		"empty":              {units: "", line: 1, word: "tiêu đề"},
		"quote":              {units: head + "a,\"A,so,,,,\n", line: 2, word: "CSV"},
		"group not there":    {units: head + "a,A,so,,,,\n", groups: "code,member_kinds,member_codes\nnhom,so,\n", line: 2, column: "code", word: "nhom"},
		"member unknown":     {units: head + "n,Các A,nhom,,,,\na,A,so,,,,\n", groups: "code,member_kinds,member_codes\nn,xa,b\n", line: 2, column: "member_kinds", word: "xa"},
		"range turned round": {units: heads + "a,A,so,,A1 [2010-01-01..2009-01-01],,,,\n", line: 2, column: "aliases", word: "trước ngày đầu"},
		"range no date":      {units: heads + "a,A,so,,A1 [2010..],,,,\n", line: 2, column: "aliases", word: "dạng"},
		"alias twice":        {units: heads + "a,A,so,,A1 [..2009-01-01]|A1 [2010-01-01..],,,,\n", line: 2, column: "aliases", word: "hai lần"},
		"names overlap":      {units: heads + "a,A,so,,,A1 [..2009-01-01]|A2 [2008-01-01..2010-01-01],,,\n", line: 2, column: "names", word: "cùng có hiệu lực"},
		"today's name ended": {units: heads + "a,A,so,,,A [..2009-01-01],,,\n", line: 2, column: "names", word: "tên hiện nay"},
		"name before birth":  {units: heads + "a,A,so,,,A1 [..2009-01-01],2010-01-01,,\n", line: 2, column: "names", word: "không hoạt động"},
		"alias after death":  {units: heads + "a,A,so,,A1 [2011-01-01..],,,2010-01-01,\n", line: 2, column: "aliases", word: "không hoạt động"},
		"life turned round":  {units: heads + "a,A,so,,,,2010-01-01,2009-01-01,\n", line: 2, column: "valid_to", word: "trước ngày"},
		"own successor":      {units: heads + "a,A,so,,,,,2010-01-01,a\n", line: 2, column: "successor", word: "chính nó"},
		"successor, no end":  {units: heads + "a,A,so,,,,,,b\nb,B,so,,,,,,\n", line: 2, column: "valid_to", word: "ngày hết hiệu lực"},
		"successor gone":     {units: heads + "a,A,so,,,,,2010-01-01,b\nb,B,so,,,,,2009-01-01,\n", line: 2, column: "successor", word: "đã thôi"},
		"same name":          {units: heads + "a,Sở A,so,,,,,,\nb,SỞ A,so,,,,,,\n", line: 3, column: "name", word: "“a” ở dòng 2"},
		"same name one day":  {units: heads + "a,Sở A,so,,,Sở B [..2009-12-31],,,\nb,Sở B,so,,,,2009-12-31,,\n", line: 3, column: "name", word: "Sở B"},
		"group twice":        {units: heads + "n,Các A,nhom,,,,,,\na,A,so,,,,,,\n", groups: "code,member_kinds,member_codes\nn,so,\nn,,a\n", line: 3, column: "code", word: "dòng 2"},
		"member turned round": {units: heads + "n,Các A,nhom,,,,,,\na,A,so,,,,,,\n",
			groups: "code,member_kinds,member_codes\nn,,a [2010-01-01..2009-01-01]\n", line: 2, column: "member_codes", word: "trước ngày đầu"},
	} {
		t.Run(name, func(t *testing.T) {
			groups := c.groups
			if groups == "" {
				groups = "code,member_kinds,member_codes\n"
			}
			_, err := recipients.ReadDirectory(strings.NewReader(c.units), strings.NewReader(groups))
			var ce *recipients.CSVError
			if !errors.As(err, &ce) {
				t.Fatalf("error %v", err)
			}
			if ce.Line != c.line || ce.Column != c.column || !strings.Contains(ce.Error(), c.word) {
				t.Errorf("got %v (line %d, column %q), want line %d, column %q, word %q", ce, ce.Line, ce.Column, c.line, c.column, c.word)
			}
		})
	}
}

func TestAliasOfTwoUnitsIsAWarningAndResolvesToNobody(t *testing.T) {
	d, err := recipients.ReadDirectory(strings.NewReader("code,name,kind,parent,aliases\n"+
		"a,Ban Tuyên giáo Tỉnh ủy,dang,,BTG\nb,Ban Tôn giáo tỉnh,don-vi-thuoc,,BTG\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "BTG") {
		t.Errorf("warnings %q", d.Warnings)
	}
	lines := d.Resolve(recipients.Request{NoiNhan: "- BTG;"})
	if len(lines) != 1 || lines[0].Result != recipients.Open {
		t.Errorf("lines %+v", lines)
	}
}

func TestWriteCSVRoundTrips(t *testing.T) {
	d := kontum(t)
	var units, groups bytes.Buffer
	if err := d.WriteCSV(&units, &groups); err != nil {
		t.Fatal(err)
	}
	again, err := recipients.ReadDirectory(&units, &groups)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d.Units(), again.Units()) || !reflect.DeepEqual(d.Groups(), again.Groups()) {
		t.Error("the directory read back differs")
	}
	dated, err := recipients.ReadDirectory(strings.NewReader("code,name,kind,parent,aliases,names,valid_to\n"+
		"tx,UBND thành phố Kon Tum,huyen,,TX [..2009-04-09]|TP [2009-04-10..],UBND thị xã Kon Tum [..2009-04-09],2025-06-30\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	units.Reset()
	groups.Reset()
	if err := dated.WriteCSV(&units, &groups); err != nil {
		t.Fatal(err)
	}
	if again, err = recipients.ReadDirectory(&units, &groups); err != nil || !reflect.DeepEqual(dated.Units(), again.Units()) {
		t.Errorf("dated names: %v, %+v", err, again)
	}
}

func TestNamesAreThoseOfTheDay(t *testing.T) {
	d, err := recipients.ReadDirectory(strings.NewReader("code,name,kind,parent,aliases,names,valid_to\n"+
		"txkontum,UBND thành phố Kon Tum,huyen,,,UBND thị xã Kon Tum [..2009-04-09],2025-06-30\nsnv,Sở Nội vụ,so,,,,\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for date, want := range map[string]recipients.Result{"2009-03-18": recipients.Resolved, "2009-05-12": recipients.Open} {
		if l := d.Resolve(recipients.Request{Date: date, NoiNhan: "- UBND thị xã Kon Tum;"}); l[0].Result != want {
			t.Errorf("on %s: %+v", date, l[0])
		}
	}
	if _, ok := d.At("2025-07-01").Unit("txkontum"); ok {
		t.Error("a unit that has ended is still there")
	}
	if u, ok := d.At("2025-06-30").Unit("txkontum"); !ok || u.Name != "UBND thành phố Kon Tum" {
		t.Errorf("on its last day: %+v", u)
	}
}

func TestOfficerLocalpart(t *testing.T) {
	taken := map[string]bool{}
	for _, c := range []struct{ name, unit, want string }{
		{"Nguyễn Văn An", "snv", "nvan.snv"}, {"Nguyễn Vũ Ân", "snv", "nvan2.snv"}, {"Ngô Viết Ẩn", "snv", "nvan3.snv"},
		{"Trần Thị Bích Ngọc", "stttt", "ttbngoc.stttt"}, {"Đỗ Đình Đạt", "stc", "dddat.stc"}, {"Phạm Thị Thanh-Thủy", "syt", "pttthuy.syt"},
		{"Nguyễn Tôn Nữ Thị Ninh", "skhdt", "ntntninh.skhdt"}, {"A Hà", "bdt", "aha.bdt"}, {"Y H'Lim", "dakha", "yhlim.dakha"},
		{"A Ƀok", "bdt", "abok.bdt"}, {"Huệ", "syt", "hue.syt"}, {" – ", "syt", ""},
	} {
		got := recipients.OfficerLocalpart(c.name, recipients.UnitCode(c.unit), func(s string) bool { return taken[s] })
		if got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.name, c.unit, got, c.want)
		}
		taken[got] = got != ""
	}
}
