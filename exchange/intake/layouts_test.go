package intake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLayoutsOfTwoProducers reads documents set in other ways than the samples: blocks without hyphens, on one line, with
// annexes that have blocks of their own, over a page break; Party documents; marks in other corners. Each HTML file beside
// the PDFs is their source, printed by Chromium and by LibreOffice Writer.
func TestLayoutsOfTwoProducers(t *testing.T) {
	r := openReader(t)
	files, err := filepath.Glob("testdata/layouts/*.pdf")
	if err != nil || len(files) < 18 {
		t.Fatalf("layouts: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			name, _, _ := strings.Cut(filepath.Base(file), ".")
			want := readTruth(t, filepath.Join(filepath.Dir(file), name+".json"))
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := r.Read(t.Context(), filepath.Base(file), data)
			if err != nil {
				t.Fatal(err)
			}
			got := d.Record()
			got.File = ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("record differs (-want +got):\n%s", diff)
			}
		})
	}
}
