package dsn

import (
	"strings"
	"testing"
)

func TestReasonsAreNotCodes(t *testing.T) {
	for status, want := range map[string]string{"5.1.1": "địa chỉ không tồn tại", "5.1.10": "tên miền này không nhận thư", "5.2.2": "đầy", "4.2.2": "đầy",
		"5.7.26": "lý do an toàn", "5.9.9": "máy chủ bên nhận từ chối", "": "máy chủ bên nhận từ chối"} {
		if got := reasonOf(status); !strings.Contains(got, want) {
			t.Errorf("%s: %s", status, got)
		}
	}
}
