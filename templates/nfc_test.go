package templates_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// Everything that people read is UTF-8 NFC (TCVN 6909:2001).
func TestTemplatesAreComposed(t *testing.T) {
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if n++; err == nil && !norm.NFC.IsNormal(text) {
			t.Errorf("%s is not composed", path)
		}
		return err
	})
	if err != nil || n < 10 {
		t.Fatalf("%d files, %v", n, err)
	}
}
