package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An administrator takes over the announcements of a year, sees which days are only proposed, and finds a mistake by its line.
func TestCalendarIsImportedShownAndExported(t *testing.T) {
	dir := newInstallation(t)
	if out := mustRun(t, "", "calendar", "show", "--data", dir, "2010"); !strings.Contains(out, "14/02/2010") || !strings.Contains(out, "Nghỉ bù Tết Nguyên đán") ||
		!strings.Contains(out, "đề xuất") || !strings.Contains(out, "07:30-11:30, 13:30-17:00") {
		t.Errorf("the rules alone:\n%s", out)
	}
	file := filepath.Join(t.TempDir(), "lich.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ngày,loại,giờ,căn cứ\n12/02/2010,nửa ngày,,TB 3/TB-UBND\n20/02/2010,làm việc,,TB 3/TB-UBND\n16/04/2010,giờ làm việc hằng năm,07:00-11:30 13:30-16:30,QĐ 5/QĐ-UBND\n")
	if out := mustRun(t, "", "calendar", "import", "--data", dir, "--as", "Hà", file); !strings.Contains(out, "Đã ghi 3 thay đổi (lần 1)") {
		t.Error(out)
	}
	if out := mustRun(t, "", "calendar", "import", "--data", dir, file); !strings.Contains(out, "không thay đổi gì") {
		t.Error(out)
	}
	if out := mustRun(t, "", "calendar", "show", "--data", dir, "2011"); !strings.Contains(out, "07:00-11:30, 13:30-16:30") {
		t.Errorf("hours of the season:\n%s", out)
	}
	if out := mustRun(t, "", "calendar", "list", "--data", dir); !strings.Contains(out, "Lần 1") || !strings.Contains(out, "Hà") || !strings.Contains(out, "12/02/2010: nửa ngày (TB 3/TB-UBND)") {
		t.Error(out)
	}
	exported := mustRun(t, "", "calendar", "export", "--data", dir)
	write(exported)
	if out := mustRun(t, "", "calendar", "import", "--data", dir, file); !strings.Contains(out, "không thay đổi gì") {
		t.Errorf("what was exported is not what stands there: %s\n%s", out, exported)
	}
	write("ngày,loại,căn cứ\n12/02/2010,nghỉ,TB\n31/02/2010,nghỉ,TB\n")
	if code, _, errOut := congvan(t, "", "calendar", "import", "--data", dir, file); code != 1 || !strings.Contains(errOut, "dòng 3") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	if out := mustRun(t, "", "calendar", "export", "--data", dir); out != exported {
		t.Errorf("a bad file changed something:\n%s", out)
	}
	mustRun(t, "", "check", "--data", dir)
}

func TestPostsAndCallList(t *testing.T) {
	dir := newInstallation(t)
	file := filepath.Join(t.TempDir(), "chuc-vu.csv")
	if err := os.WriteFile(file, []byte("unit,role,name,phone\nstttt,cấp trưởng,Nguyễn Văn Thử,0600 3800\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "directory", "posts", "import", "--data", dir, "--request", "12/STTTT", file)
	if out := mustRun(t, "", "directory", "posts", "list", "--data", dir); !strings.Contains(out, "Nguyễn Văn Thử") {
		t.Error(out)
	}
	if err := os.WriteFile(file, []byte("unit,role,name\nstttt,sếp,Ai đó\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := congvan(t, "", "directory", "posts", "import", "--data", dir, file); code != 1 || !strings.Contains(errOut, "dòng 2") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	if out := mustRun(t, "", "call", "list", "--data", dir); !strings.Contains(out, "Không phải gọi điện") {
		t.Error(out)
	}
	for _, args := range [][]string{{"--reached"}, {}, {"--reached", "--not-reached"}} {
		code, _, errOut := congvan(t, "", append([]string{"call", "done", "--data", dir, "1/UBND", "stc"}, args...)...)
		if code == 0 || !strings.Contains(errOut, "call") {
			t.Errorf("%v: exit %d, %s", args, code, errOut)
		}
	}
}
