package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
)

func TestPapersAreEnteredFoundPrintedAndReported(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		reg := func(args ...string) string {
			t.Helper()
			return mustRun(t, "", append([]string{"register", args[0], "--data", dir}, args[1:]...)...)
		}
		reg("enter", "--unit", "snv", "--reference", "02/SNV-VP", "--date", "2026-03-18", "--kind", "Công văn", "--abstract", "Về việc nghỉ lễ", "--to", "Bộ Nội vụ", "--copies", "3")
		if out := reg("enter", "--unit", "snv", "--book", "den", "--author", "Bộ Nội vụ", "--document", "20/BNV-VP", "--on", "2026-03-19"); out != "Đã vào sổ: 1\n" {
			t.Errorf("entered as %q", out)
		}
		if out := reg("search", "nghi le"); !strings.Contains(out, "02/SNV-VP") || !strings.Contains(out, "bản giấy") {
			t.Errorf("search: %s", out)
		}
		var hit exchange.Hit
		if err := json.Unmarshal([]byte(reg("search", "--json", "--unit", "snv", "--book", "den", "bộ nội vụ")), &hit); err != nil || hit.Reference != "20/BNV-VP" || hit.Number != "1" {
			t.Errorf("%+v %v", hit, err)
		}
		if out := reg("print", "--unit", "snv", "--year", "2026"); !strings.Contains(out, "SỔ ĐĂNG KÝ VĂN BẢN ĐI") || !strings.Contains(out, "Chưa vào sổ") || !strings.Contains(out, "02/SNV-VP") {
			t.Errorf("printed: %s", out)
		}
		pdf, xlsx := filepath.Join(dir, "so.pdf"), filepath.Join(dir, "so.xlsx")
		for _, book := range []string{"di", "den", "theodoi"} {
			reg("print", "--unit", "snv", "--book", book, "--from", "2026-01-01", "--to", "2026-12-31", "--pdf", pdf, "--xlsx", xlsx)
			if a, _ := os.ReadFile(pdf); !strings.HasPrefix(string(a), "%PDF-") {
				t.Errorf("%s: no PDF", book)
			}
			if a, _ := os.ReadFile(xlsx); !strings.HasPrefix(string(a), "PK") {
				t.Errorf("%s: no workbook", book)
			}
		}
		if out := reg("scheme", "kind", "--unit", "snv", "--year", "2027") + reg("mode", "here", "--unit", "snv", "--year", "2027") + reg("take", "QĐ-SNV", "--unit", "snv", "--year", "2027") +
			reg("take", "SNV-VP", "--unit", "snv", "--year", "2027"); out != "01/QĐ-SNV\n01/SNV-VP\n" {
			t.Errorf("taken: %q", out)
		}
		for _, c := range []struct {
			says string
			code int
			args []string
		}{
			{"đã có số", 1, []string{"register", "scheme", "one", "--unit", "snv", "--year", "2027"}},
			{"đã cấp cho văn bản khác", 1, []string{"register", "enter", "--unit", "snv", "--reference", "02/SNV-VP", "--date", "2026-03-18"}},
			{"Không có ngày", 1, []string{"register", "print", "--unit", "snv", "--from", "2026-02-31", "--to", "2026-12-31"}},
			{"book", 2, []string{"register", "print", "--unit", "snv", "--book", "x"}},
			{"danh bạ", 1, []string{"register", "print", "--unit", "lạ"}},
			{"nothing to look for", 2, []string{"register", "search"}},
			{"--from", 2, []string{"report"}},
			{"Không có ngày", 1, []string{"report", "--from", "2026-02-31", "--to", "2026-12-31"}},
			{"danh bạ", 1, []string{"status", "--late", "--unit", "lạ"}},
		} {
			code, _, errOut := congvan(t, "", append(c.args, "--data", dir)...)
			if code != c.code || !strings.Contains(errOut, c.says) {
				t.Errorf("%v: exit %d, %s", c.args, code, errOut)
			}
		}
		if out := mustRun(t, "", "status", "--late", "--data", dir); !strings.Contains(out, "Không có văn bản nào quá hạn") {
			t.Errorf("late: %s", out)
		}
		mustRun(t, "", "check", "--data", dir)
	})
}
