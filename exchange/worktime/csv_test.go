package worktime_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"congvan/exchange/worktime"
)

const calendarFile = "\ufeffNgày;Loại;Giờ;Căn cứ\r\n16/02/2026;nghỉ;;Thông báo 8/TB-BNV\r\n2026-02-28;Làm việc;;Thông báo 8/TB-BNV\r\n17/02/2026;nửa ngày;;Thông báo 9\r\n" +
	"16/4/2026;giờ làm việc hằng năm;07:00-11:30 13:30-17:00 nghỉ T7 CN;QĐ 5/QĐ-UBND\r\n18/02/2026;bỏ;;\r\n"

func TestCalendarFileRoundTrips(t *testing.T) {
	ch, err := worktime.ReadCSV(strings.NewReader(calendarFile))
	if err != nil || len(ch.Days) != 4 || len(ch.Hours) != 1 || !ch.Hours[0].Yearly || len(ch.Hours[0].DaysOff) != 2 {
		t.Fatalf("%+v, %v", ch, err)
	}
	c := worktime.New(ch.Days[:3], ch.Hours)
	var first, second bytes.Buffer
	if err := c.WriteCSV(&first); err != nil {
		t.Fatal(err)
	}
	again, err := worktime.ReadCSV(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatalf("%v in %s", err, first.String())
	}
	if err := worktime.New(again.Days, again.Hours).WriteCSV(&second); err != nil || first.String() != second.String() {
		t.Errorf("not the same: %v\n%s\n%s", err, first.String(), second.String())
	}
}

func TestCalendarFileSaysWhereAndWhat(t *testing.T) {
	for text, want := range map[string]string{
		"":            "dòng 1: không đọc được dòng tiêu đề",
		"ngày,kiểu\n": `dòng 1: không có cột "kiểu"`,
		"ngày,loại,căn cứ\n30/02/2026,nghỉ,TB 1\n":                  `dòng 2: ngày "30/02/2026" không đúng`,
		"ngày,loại,căn cứ\n16/02/2026,nghỉ,\n":                      "dòng 2: thiếu căn cứ",
		"ngày,loại,căn cứ\n16/02/2026,off,TB 1\n":                   `dòng 2: loại "off" không đúng`,
		"ngày,loại,căn cứ\n16/02/2026,nghỉ,a\n2026-02-16,nghỉ,b\n":  "dòng 3: ngày 16/02/2026 đã có ở dòng 2",
		"ngày,loại,giờ,căn cứ\n16/02/2026,giờ làm việc,7h-11h,QĐ\n": `dòng 2: giờ "7h-11h" không đúng`,
		"ngày,loại,giờ,căn cứ\n16/02/2026,giờ làm việc,,QĐ\n":       `dòng 2: giờ "" không đúng`,
		"ngày,loại,căn cứ\n16/02/2026,\"nghỉ,TB 1\n":                "sai định dạng CSV",
	} {
		_, err := worktime.ReadCSV(strings.NewReader(text))
		var e *worktime.FileError
		if err == nil || !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add(calendarFile)
	f.Fuzz(func(t *testing.T, text string) {
		ch, err := worktime.ReadCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		c := worktime.New(ch.Days, ch.Hours)
		if err := c.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
	})
}
