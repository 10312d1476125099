package intake_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkReadTenPages reads a born-digital document of ten pages with a reader that is warm. The goal is 150 ms.
func BenchmarkReadTenPages(b *testing.B) {
	needTool(b, "qpdf", "qpdf")
	sample, ten := "testdata/samples/01-quyet-dinh-22-2009.pdf", filepath.Join(b.TempDir(), "ten.pdf")
	if said, err := exec.Command("qpdf", "--empty", "--pages", sample, "1-7", sample, "4-6", "--", ten).CombinedOutput(); err != nil {
		b.Fatalf("qpdf: %v: %s", err, said)
	}
	data, err := os.ReadFile(ten)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkRead(b, data, 10)
}

// BenchmarkReadColourScan reads one page scanned in colours at 300 dpi, and tells the peak memory of this process
// and of its child; each tesseract beside them has some 100 MB.
func BenchmarkReadColourScan(b *testing.B) {
	needOCR(b)
	benchmarkRead(b, scanner{dpi: 300, degrees: 1, noise: 5}.scan(b, "testdata/samples/02-cong-van-stttt.pdf"), 1)
	b.ReportMetric(peakMemory(b), "peak-MB")
}

func benchmarkRead(b *testing.B, data []byte, pages int) {
	r := openReader(b)
	for range 2 { // warm
		if d, err := r.Read(b.Context(), "bench.pdf", data); err != nil || d.Pages != pages {
			b.Fatalf("%d pages, %v", d.Pages, err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Forget(data); err != nil { // else the second reading of a scan is free
			b.Fatal(err)
		}
		if _, err := r.Read(b.Context(), "bench.pdf", data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(r.ChildPeak(), "child-MB")
}

// peakMemory is the most memory this process has had, in MB.
func peakMemory(b testing.TB) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc")
	}
	for ln := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(ln, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
