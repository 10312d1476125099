package intake_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

// testReader opens one reader for all tests of the package.
var testReader = sync.OnceValues(func() (*intake.Reader, error) {
	cache := filepath.Join(os.TempDir(), "congvan-test-wasm")
	return intake.Open(context.Background(), intake.Options{CacheDir: cache})
})

func openReader(t testing.TB) *intake.Reader {
	t.Helper()
	r, err := testReader()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readTruth reads the JSON file that says what must be found. Units and unknown lines are the resolver's.
func readTruth(t testing.TB, path string) intake.Record {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rec intake.Record
	if err := json.Unmarshal(b, &rec); err != nil {
		t.Fatal(err)
	}
	rec.Units, rec.Unknown = []string{}, []string{}
	return rec
}

func TestSamplesAreReadAsTheirTruthSays(t *testing.T) {
	r := openReader(t)
	files, err := filepath.Glob("testdata/samples/*.pdf")
	if err != nil || len(files) < 11 {
		t.Fatalf("samples: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := readTruth(t, file[:len(file)-len(".pdf")]+".json")
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
