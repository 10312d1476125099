package recipients_test

import (
	"os"
	"testing"

	"congvan/recipients"
)

func TestIssuerIsTheOneUnitOfThatName(t *testing.T) {
	units, err := os.Open("testdata/kontum-2009-units.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer units.Close()
	dir, err := recipients.ReadDirectory(units, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]recipients.UnitCode{
		"ỦY BAN NHÂN DÂN TỈNH KON TUM":   "ubndtinh",
		"UỶ BAN NHÂN DÂN HUYỆN ĐẮK TÔ":   "dakto",
		"SỞ THÔNG TIN VÀ TRUYỀN THÔNG":   "stttt",
		"SỞ NỘI VỤ":                      "snv",
		"VĂN PHÒNG ỦY BAN NHÂN DÂN TỈNH": "vpubnd",
		"ỦY BAN NHÂN DÂN XÃ LẠ":          "",
		"CÁC SỞ, BAN, NGÀNH":             "",
		"SỞ NỘI VỤ; SỞ TÀI CHÍNH":        "",
		"":                               "",
	} {
		if got := dir.Issuer(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
