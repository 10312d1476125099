package intake_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

// TestSamplesScanned reads samples again as scans: turned, noisy, grey, with light that falls off to one side.
func TestSamplesScanned(t *testing.T) {
	needOCR(t)
	r := openReader(t)
	fine := scanner{dpi: 300, degrees: 1.5, quality: 85, noise: 6}
	coarse := scanner{dpi: 200, degrees: -1.5, grey: true, quality: 80, noise: 8}
	shaded := scanner{dpi: 200, degrees: 1.2, light: side, quality: 75, noise: 8}
	for _, c := range []struct {
		name string
		how  scanner
	}{{"02-cong-van-stttt", fine}, {"08-cong-van-mat", coarse}, {"10-cong-van-nhieu-don-vi", coarse}, {"03-giay-moi-ubnd", shaded}} {
		t.Run(fmt.Sprintf("%s/%s", c.name, c.how), func(t *testing.T) {
			d, err := r.Read(t.Context(), c.name, c.how.scan(t, "testdata/samples/"+c.name+".pdf"))
			if err != nil {
				t.Fatal(err)
			}
			compareScan(t, readTruth(t, "testdata/samples/"+c.name+".json"), d)
		})
	}
}

func compareScan(t *testing.T, want intake.Record, d *intake.Draft) {
	t.Helper()
	got := d.Record()
	want.Scan, got.File = true, ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scan differs (-want +got):\n%s", diff)
	}
}
