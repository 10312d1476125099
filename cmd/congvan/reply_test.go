package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReplyParseKeepsItsContract(t *testing.T) {
	in := `{"id":"a","text":"Giao nvan.stttt, hạn ngày mai","sent":"2026-12-31"}
{"id":2,"text":"Đã tiếp nhận, số đến 0123","sent":"2026-11-25T23:00:00+07:00"}

{"id":"c","text":"Từ chối: gửi nhầm <đơn vị>","sent":"2026-11-25"}
{"id":"d","text":"Chưa tiếp nhận","sent":"2026-11-25"}
`
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"reply", "parse", "--jsonl"}, strings.NewReader(in), &out, &errOut); code != 0 {
		t.Fatal(code, errOut.String())
	}
	want := `{"act":"assign","deadline":"2027-01-01","id":"a","number":null,"reason":null,"to":"nvan.stttt"}
{"act":"accept","deadline":null,"id":2,"number":"123","reason":null,"to":null}
{"act":"refuse","deadline":null,"id":"c","number":null,"reason":"gửi nhầm <đơn vị>","to":null}
{"act":"none","deadline":null,"id":"d","number":null,"reason":null,"to":null}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	if code := run(t.Context(), []string{"reply", "parse"}, strings.NewReader(`{"id":1,"text":"x","sent":"hôm qua"}`), &out, &errOut); code != 1 || !strings.Contains(errOut.String(), "hint:") {
		t.Error(code, errOut.String())
	}
}
