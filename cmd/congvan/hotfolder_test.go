package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// names lists a folder.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// A scan is taken once it is whole, asked about by mail, and issued by the answer; what is none is told once and stays.
func TestHotFolderTakesWholeScansOnly(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		h := newMailHouse(t, dir)
		scans := t.TempDir()
		hot := newHotFolder(h.desk, scans, "snv")
		now := time.Now()
		look := func(later time.Duration) {
			t.Helper()
			now = now.Add(later)
			if err := hot.look(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			h.desk.pass(t.Context())
		}
		pdf := page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT.")
		path := put(t, scans, "quét 1.pdf", pdf[:len(pdf)/2])
		look(0)
		put(t, scans, "quét 1.pdf", pdf[:len(pdf)-200]) // the scanner goes on
		look(time.Minute)
		look(hotSettle) // quiet, but without an end
		if _, err := os.Stat(path); err != nil || len(h.letters(t, snvAddress)) > 0 {
			t.Fatal("half a scan was taken or told", err)
		}
		put(t, scans, "quét 1.pdf", pdf)
		put(t, scans, ".ẩn.pdf", pdf)
		put(t, scans, "đang ghi.pdf.part", pdf)
		look(time.Second)
		look(time.Second)
		if _, err := os.Stat(path); err != nil {
			t.Fatal("taken while it may still change", err)
		}
		look(hotSettle)
		if got := strings.Join(names(t, scans), " "); got != ".ẩn.pdf đang ghi.pdf.part" {
			t.Errorf("in the folder: %s", got)
		}
		asked := h.last(t, snvAddress, 1)
		asked.want(t, "Chờ xác nhận phát hành: 77/TB-SNV", "Sở Tài chính")

		put(t, scans, "quét 1.pdf", pdf) // died before the file was removed: the same scan
		look(time.Second)
		look(hotSettle)
		h.last(t, snvAddress, 1)

		put(t, scans, "ảnh.jpg", []byte("\xff\xd8\xff\xe0 ảnh"))
		put(t, scans, "dở.pdf", pdf[:len(pdf)/2])
		put(t, scans, "rỗng.pdf", nil)
		put(t, scans, "sở khác.pdf", page(t, "SỞ TÀI CHÍNH", "Nội dung.", "Nơi nhận:", "- Sở Y tế;", "- Lưu: VT."))
		look(time.Second)
		look(hotHalf)
		look(hotHalf)
		var all []string
		for _, l := range h.letters(t, snvAddress)[1:] {
			all = append(all, l.subject+"\n"+l.text)
		}
		text := strings.Join(all, "\n")
		for _, want := range []string{"ảnh.jpg", "Tệp không phải là PDF", "dở.pdf", "chưa được ghi hết", "rỗng.pdf", "nằm nguyên", hotBadName} {
			if !strings.Contains(text, want) {
				t.Errorf("nobody was told %q:\n%s", want, text)
			}
		}
		if len(all) != 4 {
			t.Errorf("%d letters:\n%s", len(all), text)
		}
		left := names(t, scans)
		for _, stays := range []string{"dở.pdf", "rỗng.pdf", "ảnh.jpg", ".ẩn.pdf", "đang ghi.pdf.part"} {
			if !slices.Contains(left, stays) {
				t.Errorf("%s is gone: %q", stays, left)
			}
		}
		if len(left) != 6 {
			t.Errorf("in the folder: %q", left)
		}
		if got := names(t, filepath.Join(scans, hotBadName)); len(got) != 1 || !strings.HasSuffix(got[0], "sở khác.pdf") {
			t.Errorf("put back: %q", got)
		}

		if err := h.send(t, snvAddress, asked.replyTo, "Phát hành"); err != nil {
			t.Fatal(err)
		}
		h.desk.pass(t.Context())
		if st := mustRun(t, "", "status", "--data", dir, "--json", "77/TB-SNV"); !strings.Contains(st, `"issued"`) {
			t.Errorf("status: %s", st)
		}
		mustRun(t, "", "check", "--data", dir)
	})
}

// A secret scan leaves neither folder nor spool with a trace.
func TestSecretScanIsErased(t *testing.T) {
	h := newMailHouse(t, newInstallation(t))
	scans := t.TempDir()
	hot := newHotFolder(h.desk, scans, "snv")
	put(t, scans, "a.pdf", demoFile("08-cong-van-mat.pdf"))
	now := time.Now()
	for range 2 {
		if err := hot.look(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(hotSettle)
	}
	h.desk.pass(t.Context())
	h.last(t, snvAddress, 1).want(t, "Không nhận văn bản mật")
	if got := names(t, scans); len(got) > 0 || len(spooled(t, h.dir)) > 0 {
		t.Errorf("left: %q, %v", got, spooled(t, h.dir))
	}
}

func TestHotfolderCommand(t *testing.T) {
	dir := newInstallation(t)
	scans := t.TempDir()
	if code, _, errOut := congvan(t, "", "hotfolder", scans, "--data", dir); code != 2 || !strings.Contains(errOut, "--unit") {
		t.Error(code, errOut)
	}
	if code, _, errOut := congvan(t, "", "hotfolder", scans, "--data", dir, "--unit", "snv", "--once"); code != 1 || !strings.Contains(errOut, "chưa có hộp thư") {
		t.Error(code, errOut)
	}
	mustRun(t, "", "account", "add", "--data", dir, "--unit", "snv")
	put(t, scans, "a.pdf", page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Sở Tài chính;", "- Lưu: VT."))
	mustRun(t, "", "hotfolder", scans, "--data", dir, "--unit", "snv", "--once")
	if notes := spooled(t, dir); len(notes) != 1 || notes[0].State != spoolWaiting || notes[0].Reference != "77/TB-SNV" {
		t.Errorf("waits: %+v", notes)
	}
	if got := names(t, scans); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}
