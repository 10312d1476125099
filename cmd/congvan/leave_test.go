package main

import (
	"encoding/json"
	"strings"
	"testing"

	"congvan/exchange"
)

// An officer leaves at the command line: first a preview that changes nothing, then one step; the address is gone for good.
func TestOfficerLeaves(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		mustRun(t, "", "account", "add", "--data", dir, "--unit", "stttt")
		for _, name := range []string{"an", "binh"} {
			mustRun(t, "", "account", "add", "--data", dir, name+".stttt@kontum.test", "--unit", "stttt", "--name", "Cán bộ "+name)
		}
		leave := func(stdin string, more ...string) (int, string, string) {
			return congvan(t, stdin, append([]string{"account", "leave", "--data", dir, "AN.stttt@kontum.test", "--to", "binh.stttt@kontum.test", "--because", "12/QĐ-STTTT"}, more...)...)
		}
		if code, out, errOut := leave("", "--dry-run"); code != 0 || !strings.Contains(out, "chưa có gì thay đổi") || !strings.Contains(out, "Không có việc nào đang làm") {
			t.Errorf("exit %d\n%s%s", code, out, errOut)
		}
		if code, out, errOut := leave("không\n"); code != 0 || !strings.Contains(out, "Chưa thay đổi gì") {
			t.Errorf("exit %d\n%s%s", code, out, errOut)
		}
		if out := mustRun(t, "", "account", "list", "--data", dir); strings.Contains(out, "đã đóng") {
			t.Errorf("a preview closed something:\n%s", out)
		}
		code, out, errOut := leave("", "--yes", "--tell", "--json")
		var l exchange.Leave
		if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 || l.Number == 0 || !l.Told || l.To != "binh.stttt@kontum.test" {
			t.Fatalf("exit %d, %v\n%s%s", code, err, out, errOut)
		}
		if code, _, errOut := leave("", "--yes"); code != 1 || !strings.Contains(errOut, "đã đóng từ trước") {
			t.Errorf("exit %d, %s", code, errOut)
		}
		if code, _, errOut := congvan(t, "", "account", "add", "--data", dir, "an.stttt@kontum.test", "--unit", "stttt", "--name", "Người khác"); code != 1 || !strings.Contains(errOut, "không cấp lại (Điều 6)") {
			t.Errorf("exit %d, %s", code, errOut)
		}
		if code, _, errOut := congvan(t, "", "account", "leave", "--data", dir, "stttt@kontum.test", "--yes"); code != 1 || !strings.Contains(errOut, "binh.stttt@kontum.test") {
			t.Errorf("exit %d, %s", code, errOut)
		}
		mustRun(t, "", "check", "--data", dir)
	})
}

func TestUnlockAtTheCommandLine(t *testing.T) {
	dir := newInstallation(t)
	mustRun(t, "", "account", "add", "--data", dir, "--unit", "stttt")
	for _, who := range []string{"stttt@kontum.test", "192.0.2.7", "2001:db8::1"} {
		if out := mustRun(t, "", "account", "unlock", "--data", dir, who, "--because", "quên mật khẩu"); !strings.Contains(out, "đăng nhập lại được ngay") {
			t.Error(out)
		}
	}
	if code, _, errOut := congvan(t, "", "account", "unlock", "--data", dir, "ai@kontum.test"); code != 1 || !strings.Contains(errOut, "không có tài khoản này") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	mustRun(t, "", "check", "--data", dir)
}
