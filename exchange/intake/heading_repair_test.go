package intake

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestRepairMarks(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"tăng cường công tac thanh tra, kiêm tra", "tăng cường công tác thanh tra, kiểm tra"},
		{"quản lý thuế đổi với hộ, cá nhân kinh đoanh", "quản lý thuế đối với hộ, cá nhân kinh doanh"},
		{"TRIỀN KHAI THƯC HIỆN", "TRIỂN KHAI THỰC HIỆN"},
		{"huong dan thuc hien nhiem vu", "hướng dẫn thực hiện nhiệm vụ"},
		{"Phê duyêt Quy hoạch", "Phê duyệt Quy hoạch"},
		// other words, not misreadings
		{"cấp mới hộp thư điện tử", "cấp mới hộp thư điện tử"},
		{"trao đổi với hội", "trao đổi với hội"},
		{"", ""}, {"V/v  -", "V/v  -"},
	} {
		if got := repairMarks(c.in); got != c.want {
			t.Errorf("repairMarks(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestRepairMarksLeavesGoodTextAlone(t *testing.T) {
	data, err := os.ReadFile("testdata/headers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		var row struct{ Subject string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		n++
		if got := repairMarks(row.Subject); got != row.Subject {
			t.Errorf("%q became %q", row.Subject, got)
		}
	}
	if n < 40 {
		t.Errorf("%d rows", n)
	}
}
