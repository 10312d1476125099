package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The demonstration's exit code tells whether what could be issued was: a document that the decisions speak of and that stays
// behind is a failure, one that waits for a clerk is none.
func TestDemoFailsForADocumentThatShouldHaveGone(t *testing.T) {
	dir := t.TempDir()
	file := "testdata/demo/02-cong-van-stttt.pdf"
	for _, c := range []struct {
		name      string
		decisions string
		code      int
		want      string
	}{
		{"settled", settle145, 0, "145/STTTT-CNTT: 5 nơi nhận, 35 bản"},
		{"left open, nobody spoke", "", 0, "Còn nơi nhận chưa xác định: Trung tâm CNTT&TT"},
		{"spoken of and still open", "[[document]]\nreference = \"145/STTTT-CNTT\"\nnot_secret = true\n", 1, "Còn nơi nhận chưa xác định: Trung tâm CNTT&TT"},
	} {
		data, said := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-")), filepath.Join(dir, "said.toml")
		if err := os.MkdirAll(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(sharedCache(t), filepath.Join(data, "cache")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(said, []byte(c.decisions), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errOut := congvan(t, "", "demo", "--once", "--data", data, "--pdf", file, "--decisions", said)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", c.name, code, c.code, c.want, out, errOut)
		}
	}
}

// What the demonstration leaves to the clerk waits in the spool, until a later run or the clerk lets it go.
func TestDemoLeavesDocumentsInTheSpool(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sharedCache(t), filepath.Join(dir, "cache")); err != nil {
		t.Fatal(err)
	}
	said := put(t, t.TempDir(), "a.toml", []byte(settle145))
	open, secret, bad := "testdata/demo/02-cong-van-stttt.pdf", "testdata/demo/08-cong-van-mat.pdf", put(t, t.TempDir(), "hong.pdf", []byte("%PDF-1.7 hỏng"))
	demo := func(more ...string) string {
		return mustRun(t, "", append([]string{"demo", "--once", "--data", dir, "--pdf", open, "--pdf", secret, "--pdf", bad}, more...)...)
	}
	if out := demo(); !strings.Contains(out, "2 văn bản nằm chờ văn thư: congvan spool list --data "+dir) {
		t.Error(out)
	}
	if left := spooled(t, dir); len(left) != 2 || left[0].Reference != "145/STTTT-CNTT" || len(left[0].Open) != 1 || left[1].Files[0].Name != "hong.pdf" {
		t.Errorf("%+v", left)
	}
	demo("--decisions", said)
	if left := spooled(t, dir); len(left) != 1 || left[0].Files[0].Name != "hong.pdf" {
		t.Errorf("%+v", left)
	}
}
