package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/signing"

	"golang.org/x/text/unicode/norm"
)

func (h *house) confirm(t testing.TB, id exchange.DocumentID, opt exchange.ExportOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := h.Confirm(context.Background(), &b, id, opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pdfText is what a reader can take out of a PDF, its white space made one.
func pdfText(t testing.TB, pdf []byte) string {
	t.Helper()
	if _, err := exec.LookPath("pdftotext"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("pdftotext is not here (Debian: poppler-utils)")
	}
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("CONFIRM_DIR"); dir != "" { // to look at
		os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.pdf", strings.ReplaceAll(t.Name(), "/", "-"), len(pdf))), pdf, 0o600)
	}
	out, err := exec.Command("pdftotext", "-raw", file, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// queueSays is the queue telling what became of an outside copy.
func (h *house) queueSays(t testing.TB, d *exchange.StatusDispatch, kind, detail string) {
	t.Helper()
	h.exec(t, `INSERT INTO mail_event (at, kind, ref, detail) VALUES ($1, $2, $3, $4)`, h.db.Now().UnixMicro(), kind,
		fmt.Sprintf("dispatch:%d", d.Dispatch.ID), detail)
	h.handle(t)
}

func TestConfirmationTellsWhatHappenedToEveryCopy(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		const long = "Ban Chỉ đạo phòng, chống thiên tai và tìm kiếm cứu nạn các huyện Đăk Glei, Ngọc Hồi, Tu Mơ Rông và Kon Plông"
		p := proposal("90/SNV-VP", "Sở Y tế, UBND=syt ubnd", "Sở Tài chính (để biết)=stc", "Hội NCT=giay", "Bộ Thử=bo",
			"A>"+long+" <vt@a.test>", "B>Trung tâm Nguyễn Trọng Nghĩa <vt@b.test>", "C>Trạm Ỷ La <vt@c.test>")
		p.Abstract = "Về việc triển khai, thực hiện Quyết định số 22/2009/QĐ-UBND của Ủy ban nhân dân tỉnh ban hành Quy định gửi, nhận văn bản"
		st := h.issue(t, p)
		h.move(t, "syt", "Đã tiếp nhận")
		h.reply(t, copyTo(t, st, "ubnd"), "ubnd", "Từ chối: gửi nhầm đơn vị, đề nghị chuyển Sở Xây dựng")
		h.queueSays(t, copyTo(t, st, "bo"), mailcore.EventRelayed, `{"host":"mx.bo.test","code":250,"text":"250 2.0.0 Ok"}`)
		h.queueSays(t, copyTo(t, st, long), mailcore.EventUncertain, `{"host":"mx.a.test"}`)
		h.queueSays(t, copyTo(t, st, "Trung tâm Nguyễn Trọng Nghĩa"), mailcore.EventFailed, `{"host":"mx.b.test","code":550,"text":"550 5.1.1 không có hộp thư"}`)
		sealed := h.confirm(t, st.Document.ID, exchange.ExportOptions{})
		if r, err := signing.Verify(context.Background(), sealed, signing.VerifyOptions{Roots: testRoots}); err != nil || r.Overall() != signing.Valid {
			t.Errorf("its seal: %v %+v", err, r)
		}
		text := pdfText(t, sealed)
		for _, want := range []string{"CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Độc lập - Tự do - Hạnh phúc", "ỦY BAN NHÂN DÂN TỈNH THỬ", "SỞ NỘI VỤ TỈNH THỬ",
			"GIẤY XÁC NHẬN", "Gửi, nhận văn bản điện tử", "Số, ký hiệu: 90/SNV-VP", "18/03/2009", p.Abstract, string(st.Document.SealedPDF),
			"8 bản gửi; 3 đã đến; 1 máy chủ bên nhận đã lấy; 1 có thể đã đến; 1 đang gửi; 2 chưa đến; 1 đã tiếp nhận; 1 bị từ chối.",
			"Đến, và căn cứ", "đã vào hộp thư của nơi nhận trong hệ thống", "ĐÃ TIẾP NHẬN, số đến 1, ngày đến", "tài khoản syt@tinh.test, trong hộp thư",
			"TỪ CHỐI, lý do: gửi nhầm đơn vị, đề nghị chuyển Sở Xây dựng", "bằng thư trả lời", "máy chủ bên nhận (mx.bo.test) đã lấy", "Chưa có báo phát.",
			"CÓ THỂ ĐÃ ĐẾN: mất kết nối với máy chủ bên nhận (mx.a.test)", "CHƯA ĐẾN: máy chủ bên nhận (mx.b.test) trả lời: 550 5.1.1 không có hộp thư",
			"CHƯA ĐẾN: nơi nhận không có hộp thư điện tử", "Không gửi bản điện tử", long, "Nguyễn Trọng Nghĩa", "Trạm Ỷ La", "+07:00", "Điểm chốt số",
			"congvan verify", "Điểm chốt không có dấu thời gian", "trang 1/", "Ký số: Sở Nội vụ tỉnh Thử"} {
			if !strings.Contains(text, norm.NFC.String(want)) {
				t.Errorf("%q is not in the text", want)
			}
		}
		one := pdfText(t, h.confirm(t, st.Document.ID, exchange.ExportOptions{Copy: copyTo(t, st, "syt").Dispatch.ID}))
		if strings.Contains(one, "ubnd@tinh.test") || !strings.Contains(one, "chỉ xác nhận bản gửi đến Sở Y tế tỉnh Thử") {
			t.Errorf("of one copy:\n%s", one)
		}
		h.issue(t, proposal("91/SNV-VP", "Sở Y tế=syt"))
		draft := h.register(t, "92/SNV-VP")
		if _, err := h.Confirm(context.Background(), &bytes.Buffer{}, draft, exchange.ExportOptions{}); !exchange.IsCode(err, exchange.CodeNotIssued) {
			t.Errorf("not issued: %v", err)
		}
	})
}

// register leaves a document registered, not issued.
func (h *house) register(t testing.TB, reference string) exchange.DocumentID {
	t.Helper()
	doc, err := h.Register(context.Background(), clerk, proposal(reference, "Sở Y tế=syt"), pdfOf(reference))
	if err != nil {
		t.Fatal(err)
	}
	return doc.ID
}

// A thousand copies: the head of the table on every page, every copy on one row, numbers of pages.
func TestConfirmationOfManyCopiesGoesOverManyPages(t *testing.T) {
	for _, n := range []int{1, 45, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			h := newHouseAt(t, sqldb.SQLite)
			var lines []string
			for i := range n {
				lines = append(lines, fmt.Sprintf("L%d>Ủy ban nhân dân xã Thử nghiệm số %d <ubnd%d@xa.test>", i, i, i))
			}
			st := h.issue(t, proposal("93/SNV-VP", lines...))
			text := pdfText(t, h.confirm(t, st.Document.ID, exchange.ExportOptions{}))
			pages := strings.Count(text, "Mã xác nhận ")
			heads := strings.Count(text, "STT Nơi nhận, địa chỉ")
			if pages < n/30 || heads < pages-2 || !strings.Contains(text, fmt.Sprintf("trang %d/%d", pages, pages)) {
				t.Errorf("%d pages, %d heads", pages, heads)
			}
			for i := range n {
				if got := strings.Count(text, fmt.Sprintf(" ubnd%d@xa.test ", i)); got != 1 {
					t.Errorf("copy %d is told %d times", i, got)
				}
			}
		})
	}
}

func TestBundleHoldsTheConfirmationAndComparesIt(t *testing.T) {
	h := newHouseAt(t, sqldb.SQLite)
	ctx := context.Background()
	st := h.issue(t, proposal("94/SNV-VP", "Sở Y tế, UBND=syt ubnd", "B>Trạm B <vt@b.test>"))
	h.move(t, "syt", "Hoàn thành")
	good := h.export(t, st.Document.ID, exchange.ExportOptions{Confirm: true})
	r := exchange.VerifyBundle(ctx, good, bundleTrust(t))
	if r.Status != signing.Valid || !hasCheck(r, "Giấy xác nhận") {
		t.Fatalf("%s: %v", r.Status, checks(r))
	}
	// A gateway that signs another page than its events tell: the page is what gives it away.
	h.move(t, "ubnd", "Đã tiếp nhận")
	later := h.export(t, st.Document.ID, exchange.ExportOptions{Confirm: true})
	for _, name := range []string{"GIAY-XAC-NHAN.pdf", "confirmation.json"} {
		bad := resigned(t, rewrite(t, later, name, func([]byte) []byte { return membersOf(t, good)[name] }))
		r := exchange.VerifyBundle(ctx, bad, bundleTrust(t))
		if r.Status != signing.Invalid || !strings.Contains(strings.Join(checks(r), " "), "Giấy xác nhận") {
			t.Errorf("%s of another time: %s %v", name, r.Status, checks(r))
		}
	}
}

func hasCheck(r *exchange.BundleReport, name string) bool {
	for _, c := range r.Checks {
		if c.Name == name && c.Answer == signing.Passed {
			return true
		}
	}
	return false
}
