package recipients_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"congvan/recipients"
)

// A province over twenty years: the town became a city, two departments became one, a district was parted, a board was renamed, the
// aliases went with them, and a member left a group.
const datedUnits = `code,name,kind,parent,aliases,names,valid_from,valid_to,successor
ubndtinh,Ủy ban nhân dân tỉnh Kon Tum,uy-ban-tinh,,UBND tỉnh,,,,
sct,Sở Công Thương tỉnh Kon Tum,so,ubndtinh,,,2008-04-01,,
scn,Sở Công nghiệp tỉnh Kon Tum,so,ubndtinh,SCN,,,2008-03-31,sct
stmdl,Sở Thương mại và Du lịch tỉnh Kon Tum,so,ubndtinh,,,,2008-03-31,sct
stttt,Sở Thông tin và Truyền thông tỉnh Kon Tum,so,ubndtinh,,"Sở Bưu chính, Viễn thông tỉnh Kon Tum [..2008-03-20]",,,
txkontum,Ủy ban nhân dân thành phố Kon Tum,huyen,ubndtinh,UBND TP Kon Tum [2009-04-10..]|UBND TX Kon Tum [..2009-04-09],Ủy ban nhân dân thị xã Kon Tum [..2009-04-09],,,
sathay,Ủy ban nhân dân huyện Sa Thầy,huyen,ubndtinh,,,,,
iahdrai,Ủy ban nhân dân huyện Ia H'Drai,huyen,ubndtinh,,,2015-03-11,,
mttq,Ủy ban Mặt trận Tổ quốc Việt Nam tỉnh Kon Tum,mat-tran,,MTTQ tỉnh,,,,
hoicd,Hội Cựu thanh niên tỉnh Kon Tum,hoi,,,,,,
nhom-so,"Các Sở, ban, ngành thuộc tỉnh",nhom,ubndtinh,"Các Sở, ban, ngành",,,,
nhom-huyen,"Ủy ban nhân dân các huyện, thành phố",nhom,ubndtinh,"UBND các huyện, thị xã|UBND các huyện, thành phố",,,,
nhom-dt,Các đoàn thể tỉnh,nhom,mttq,,,,,
`

const datedGroups = `code,member_kinds,member_codes
nhom-so,so,
nhom-huyen,huyen,
nhom-dt,mat-tran,hoicd [..2010-12-31]
`

func datedDirectory(t *testing.T) *recipients.Directory {
	t.Helper()
	d, err := recipients.ReadDirectory(strings.NewReader(datedUnits), strings.NewReader(datedGroups))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings) > 0 {
		t.Errorf("warnings %q", d.Warnings)
	}
	return d
}

func TestTheDateOfTheDocumentDecides(t *testing.T) {
	d := datedDirectory(t)
	for _, c := range []struct{ date, entry, want string }{
		{"2009-03-18", "UBND thị xã Kon Tum", "txkontum"},
		{"2009-04-09", "UBND thị xã Kon Tum", "txkontum"},
		{"2009-04-10", "UBND thị xã Kon Tum", "open"},
		{"2009-04-10", "UBND thành phố Kon Tum", "txkontum"},
		{"2009-04-09", "UBND thành phố Kon Tum", "open"},
		{"2009-04-09", "UBND TP Kon Tum", "open"},
		{"2009-03-18", "UBND TX. Kon Tum", "txkontum"},
		{"2011-01-01", "UBND TX. Kon Tum", "open"},
		{"2009-03-18", "UBND thị xã", "txkontum"},
		{"2011-01-01", "UBND thành phố", "txkontum"},
		{"2008-03-31", "Sở Công nghiệp", "scn"},
		{"2008-03-31", "Sở Công nghiệp, Sở Thương mại và Du lịch", "scn stmdl"},
		{"2008-04-01", "Sở Công nghiệp", "open"},
		{"2008-04-01", "Sở Công Thương", "sct"},
		{"2008-03-31", "Sở Công Thương", "open"},
		{"2008-03-31", "SCN", "scn"},
		{"2008-03-20", "Sở Bưu chính, Viễn thông", "stttt"},
		{"2008-03-20", "Sở Thông tin và Truyền thông", "open"},
		{"2008-03-21", "Sở TT&TT", "stttt"},
		{"2008-03-21", "Sở Bưu chính, Viễn thông", "open"},
		{"2008-03-01", "Các Sở, ban, ngành", "scn stmdl stttt"},
		{"2009-03-01", "Các Sở, ban, ngành", "sct stttt"},
		{"2015-03-10", "UBND các huyện, thành phố", "sathay txkontum"},
		{"2015-03-11", "UBND các huyện, thành phố", "iahdrai sathay txkontum"},
		{"2015-03-11", "UBND các huyện, thành phố (trừ huyện Ia H'Drai)", "sathay txkontum"},
		{"2015-03-10", "UBND huyện Ia H'Drai", "open"},
		{"2015-03-11", "UBND các huyện: Sa Thầy, Ia H'Drai", "iahdrai sathay"},
		{"2010-12-31", "Các đoàn thể tỉnh", "hoicd mttq"},
		{"2011-01-01", "Các đoàn thể tỉnh", "mttq"},
	} {
		lines := d.Resolve(recipients.Request{Date: c.date, Issuer: "ubndtinh", NoiNhan: "Nơi nhận:\n- " + c.entry + ";"})
		if got := outcomeOf(lines, c.entry); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.date, c.entry, got, c.want)
		}
	}
	if u, _ := d.At("2009-03-18").Unit("txkontum"); u.Name != "Ủy ban nhân dân thị xã Kon Tum" {
		t.Errorf("its name on that day is %q", u.Name)
	}
	if once, twice := d.At("2009-03-18"), d.At("2009-03-18").At("2009-03-18"); once == d || !reflect.DeepEqual(once.Units(), twice.Units()) {
		t.Error("the directory of a day is another on the same day")
	}
}

// TestOpenNamesOfOtherDaysHaveTheRightCandidate: the clerk is offered the unit that bore the name.
func TestOpenNamesOfOtherDaysHaveTheRightCandidate(t *testing.T) {
	d := datedDirectory(t)
	for entry, want := range map[string]recipients.UnitCode{"UBND thị xã Kon Tum": "txkontum", "Sở Công nghiệp": "sct"} {
		l := d.Resolve(recipients.Request{Date: "2011-01-01", Issuer: "ubndtinh", NoiNhan: "- " + entry + ";"})[0]
		if !slices.ContainsFunc(l.Candidates, func(c recipients.Candidate) bool { return c.Code == want }) {
			t.Errorf("%s: %+v", entry, l)
		}
	}
}

func TestDatedGroupsRoundTrip(t *testing.T) {
	d := datedDirectory(t)
	var units, groups bytes.Buffer
	if err := d.WriteCSV(&units, &groups); err != nil {
		t.Fatal(err)
	}
	again, err := recipients.ReadDirectory(&units, &groups)
	if err != nil || !reflect.DeepEqual(d.Groups(), again.Groups()) || !reflect.DeepEqual(d.Units(), again.Units()) {
		t.Errorf("read back: %v", err)
	}
}
