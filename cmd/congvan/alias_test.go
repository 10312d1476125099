package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAliasesAreLearnedListedAndTakenBack(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		alias := func(args ...string) (int, string, string) {
			return congvan(t, "", append(append([]string{"directory", "alias"}, args...), "--data", dir)...)
		}
		if code, out, _ := alias("list"); code != 0 || !strings.Contains(out, "Chưa ghi nhớ") {
			t.Errorf("exit %d: %s", code, out)
		}
		if code, out, errOut := alias("learn", "Nhà đèn  tỉnh", "--unit", "dienluc", "--as", "Trần Thị Bình"); code != 0 || !strings.Contains(out, "Đã ghi nhớ") {
			t.Fatalf("exit %d: %s%s", code, out, errOut)
		}
		row := `{"id":1,"date":"2009-02-02","issuer":"stc","kinh_gui":null,"noi_nhan":"Nơi nhận:\n- Nhà đèn tỉnh;\n- Lưu: VT.","body":null}` + "\n"
		if out := mustRun(t, row, "recipients", "resolve", "--jsonl", "--data", dir); !strings.Contains(out, `"units":["dienluc"]`) || !strings.Contains(out, "Trần Thị Bình") {
			t.Errorf("not resolved: %s", out)
		}
		if _, out, _ := alias("list"); !strings.Contains(out, "Nhà đèn tỉnh") || !strings.Contains(out, "Trần Thị Bình") || !strings.Contains(out, "Điện lực Kon Tum") {
			t.Errorf("list: %s", out)
		}
		var rec aliasRecord
		if _, out, _ := alias("list", "--json"); json.Unmarshal([]byte(out), &rec) != nil || rec.Unit != "dienluc" || rec.By != "Trần Thị Bình" || rec.At == "" {
			t.Errorf("list --json: %s", out)
		}
		for _, c := range []struct{ name, unit, want string }{
			{"nhà đèn tỉnh", "syt", "đã là của đơn vị dienluc"},
			{"UBND các huyện, thị xã", "syt", "đã là của nhóm nơi nhận nhom-huyen"},
			{"Các Sở", "syt", "không phải tên riêng"},
			{"Nhà máy nước", "khong-co", "danh bạ không có đơn vị này"},
		} {
			if code, _, errOut := alias("learn", c.name, "--unit", c.unit); code != 1 || !strings.Contains(errOut, c.want) || !strings.Contains(errOut, "hint:") {
				t.Errorf("%s for %s: exit %d: %s", c.name, c.unit, code, errOut)
			}
		}
		if code, _, errOut := alias("learn", "Nhà máy nước"); code != 2 || !strings.Contains(errOut, "chưa ghi đơn vị") {
			t.Errorf("without a unit: exit %d: %s", code, errOut)
		}
		mustRun(t, "", "directory", "import", "--data", dir, "testdata/demo/kontum-2009-units.csv", "--groups", "testdata/demo/kontum-2009-groups.csv")
		if code, out, errOut := alias("forget", "nhà đèn tỉnh"); code != 0 || !strings.Contains(out, "Đã bỏ") {
			t.Errorf("exit %d: %s%s", code, out, errOut)
		}
		if out := mustRun(t, row, "recipients", "resolve", "--jsonl", "--data", dir); !strings.Contains(out, `"unknown":["Nhà đèn tỉnh"]`) {
			t.Errorf("not forgotten: %s", out)
		}
		if code, _, errOut := alias("forget", "nhà đèn tỉnh"); code != 1 || !strings.Contains(errOut, "không có tên nào như vậy") {
			t.Errorf("twice: exit %d: %s", code, errOut)
		}
	})
}
