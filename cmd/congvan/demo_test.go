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
	for name, c := range map[string]struct {
		decisions string
		code      int
		want      string
	}{
		"settled":                  {settle145, 0, "145/STTTT-CNTT: 5 nơi nhận, 35 bản"},
		"left open, nobody spoke":  {"", 0, "Còn nơi nhận chưa xác định: Trung tâm CNTT&TT"},
		"spoken of and still open": {"[[document]]\nreference = \"145/STTTT-CNTT\"\nnot_secret = true\n", 1, "Còn nơi nhận chưa xác định: Trung tâm CNTT&TT"},
	} {
		data, said := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), filepath.Join(dir, "said.toml")
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
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", name, code, c.code, c.want, out, errOut)
		}
	}
}
