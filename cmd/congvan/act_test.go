package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
)

// A unit's clerk does at the command line what a mail client can do: each verb is printed in Vietnamese and as JSON, and said
// again it changes nothing.
func TestRecipientActsAtTheCommandLine(t *testing.T) {
	dir := newInstallation(t)
	said := filepath.Join(t.TempDir(), "said.toml")
	if err := os.WriteFile(said, []byte(settle145), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"stc", "syt", "snv", "dakto"} {
		mustRun(t, "", "account", "add", "--data", dir, "--unit", unit)
	}
	for _, officer := range []string{"an=Nguyễn Thế An", "binh=Lê Bình"} {
		local, name, _ := strings.Cut(officer, "=")
		mustRun(t, "", "account", "add", local+".stc@kontum.test", "--data", dir, "--unit", "stc", "--name", name)
	}
	const doc = "145/STTTT-CNTT"
	mustRun(t, "", "issue", "--data", dir, "--json", "--decisions", said, "testdata/demo/02-cong-van-stttt.pdf")
	act := func(verb, unit string, more ...string) (rec actRecord) {
		t.Helper()
		args := append([]string{"act", verb, doc, "--data", dir, "--unit", unit, "--json", "--as", "văn thư"}, more...)
		for i := range 2 {
			var again actRecord
			if err := json.Unmarshal([]byte(mustRun(t, "", args...)), &again); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				rec = again
			} else if again.Changed || again.Handling != rec.Handling || len(again.Events) != len(rec.Events) {
				t.Errorf("%s said again: %+v", verb, again)
			}
		}
		return rec
	}
	if out := mustRun(t, "", "act", "check", doc, "--data", dir, "--unit", "stc"); !strings.Contains(out, "Chữ ký số: hợp lệ") && !strings.Contains(out, "Chữ ký số: Hợp lệ") || !strings.Contains(out, "khớp mã kiểm tra") {
		t.Error(out)
	}
	if out := mustRun(t, "", "act", "accept", doc, "--data", dir, "--unit", "stc", "--number", "77"); !strings.Contains(out, "Đã ghi: ") || !strings.Contains(out, "Số đến: 77") || !strings.Contains(out, "Chữ ký số") {
		t.Error(out)
	}
	if r := act("assign", "stc", "--lead", "an.stc", "--support", "Lê Bình", "--due", "20/11/2126", "--note", "làm sớm"); r.Handling != exchange.Assigned || len(r.Tasks) != 2 || r.DueOn != "2126-11-20" {
		t.Errorf("%+v", r)
	}
	if r := act("progress", "stc", "--officer", "an.stc@kontum.test"); r.Handling != exchange.InProgress {
		t.Errorf("%+v", r)
	}
	if r := act("damage", "stc", "--reason", "không mở được"); r.Handling != exchange.InProgress {
		t.Errorf("%+v", r)
	}
	if r := act("complete", "stc", "--officer", "an.stc@kontum.test"); r.Handling != exchange.Completed || r.Owner != "" {
		t.Errorf("%+v", r)
	}
	if r := act("accept", "syt"); r.ArrivalNumber != "1" {
		t.Errorf("%+v", r)
	}
	if r := act("refuse", "syt", "--reason", "misdirected"); r.Handling != exchange.Refused || !strings.Contains(r.Events[len(r.Events)-1].Detail, `"voided":"1"`) {
		t.Errorf("%+v", r)
	}
	if r := act("forward", "snv", "--to", "Ban Tôn giáo", "--reason", "thuộc lĩnh vực của Ban"); r.Handling != exchange.Forwarded || !slices.Equal(r.ForwardedTo, []string{"bantongiao"}) {
		t.Errorf("%+v", r)
	}
	status := mustRun(t, "", "status", doc, "--data", dir)
	for _, want := range []string{"Chủ trì: an.stc@kontum.test, hoàn thành, hạn 2126-11-20", "Phối hợp: binh.stc@kontum.test, chưa làm"} {
		if !strings.Contains(status, want) {
			t.Errorf("status does not say %q:\n%s", want, status)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"không cho phép việc này", []string{"forward", doc, "--unit", "stc", "--to", "syt"}},
		{"không có đơn vị", []string{"forward", doc, "--unit", "dakto", "--to", "ai đó"}},
		{"không phải tài khoản", []string{"assign", doc, "--unit", "dakto", "--lead", "an.stc"}},
		{"từ chối phải có lý do", []string{"refuse", doc, "--unit", "dakto"}},
		{"Không có văn bản", []string{"accept", "9/KHONG-CO", "--unit", "stc"}},
		{"không có bản gửi nào như vậy", []string{"accept", doc, "--unit", "khongco"}},
	} {
		if code, _, errOut := congvan(t, "", append([]string{"act"}, append(c.args, "--data", dir)...)...); code == 0 || !strings.Contains(strings.ToLower(errOut), strings.ToLower(c.want)) {
			t.Errorf("%v: exit %d, %s", c.args, code, errOut)
		}
	}
	if code, out, errOut := congvan(t, "", "check", "--data", dir); code != 0 {
		t.Errorf("check: %s%s", out, errOut)
	}
}

// A document that answers another completes it when it goes out.
func TestIssueThatAnswersCompletes(t *testing.T) {
	dir := newInstallation(t)
	said := filepath.Join(t.TempDir(), "said.toml")
	if err := os.WriteFile(said, []byte(settle145), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "account", "add", "--data", dir, "--all")
	mustRun(t, "", "issue", "--data", dir, "--json", "--decisions", said, "testdata/demo/02-cong-van-stttt.pdf")
	args := []string{"issue", "--data", dir, "--json", "--decisions", "testdata/demo/decisions.toml", "--answers", "145/STTTT-CNTT", "testdata/demo/05-bao-cao-ubnd-huyen.pdf"}
	var res issueResult
	for range 2 {
		if err := json.Unmarshal([]byte(mustRun(t, "", args...)), &res); err != nil {
			t.Fatal(err)
		}
	}
	var st exchange.Status
	if err := json.Unmarshal([]byte(mustRun(t, "", "status", "145/STTTT-CNTT", "--data", dir, "--json")), &st); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(st.Dispatches, func(d exchange.StatusDispatch) bool { return d.Unit == res.Issuer })
	if i < 0 || st.Dispatches[i].Handling != exchange.Completed || len(st.Dispatches[i].Answers) != 1 || st.Dispatches[i].Answers[0].Reference != res.Reference {
		t.Errorf("answered by %s %s: %+v", res.Issuer, res.Reference, st.Dispatches)
	}
}
