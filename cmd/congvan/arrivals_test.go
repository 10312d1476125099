package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Documents of other agencies are recognised by their head; an annex, an advertisement or a broken file is not.
func TestReadArrivalTellsDocumentsFromOrdinaryMail(t *testing.T) {
	h := newMailHouse(t, newInstallation(t))
	for _, c := range []struct {
		name string
		pdf  []byte
		want string
	}{
		{"a document", demoFile("02-cong-van-stttt.pdf"), "yes"},
		{"a scanned one", page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT."), "yes"},
		{"an advertisement", leaf(t, "KHUYẾN MẠI", "Giảm giá 50 %", "Số 12/3 đường Lê Lợi"), "no"},
		{"half a file", demoFile("02-cong-van-stttt.pdf")[:4000], "no"},
		{"no recipients", leaf(t, "Số: 77/TB-SNV", "Kon Tum, ngày 12 tháng 5 năm 2009"), "no"},
		{"a secret one", demoFile("08-cong-van-mat.pdf"), "secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := h.in.readArrival(t.Context(), "a.pdf", c.pdf)
			if err != nil {
				t.Fatal(err)
			}
			got := "no"
			switch {
			case d != nil && d.Secrecy != "":
				got = "secret"
				if text, _ := json.Marshal(d.Entry); strings.Contains(string(text), "/") {
					t.Errorf("it tells %s", text)
				}
			case d != nil:
				got = "yes"
				if d.Entry.Document == "" || d.Entry.Author == "" || len(d.Entry.DatedOn) != 10 || d.Verdict == "" || strings.Contains(d.Verdict, "hợp lệ.") && !strings.Contains(d.Verdict, "hưa") {
					t.Errorf("%+v", d)
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s: %+v", got, c.want, d)
			}
		})
	}
}
