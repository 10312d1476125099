package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"congvan/signing"
)

func BenchmarkSeal(b *testing.B) {
	for _, kind := range []signing.KeyKind{signing.P256, signing.RSA3072} {
		for _, name := range []string{"letter.pdf", "scan.pdf"} {
			b.Run(string(kind)+"/"+name, func(b *testing.B) {
				in, s, opt := read(b, name), theIssuer().sealers[kind], marked()
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Seal(context.Background(), in, opt); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, seals := range map[string]int{"one": 1, "three": 3} {
		b.Run(name, func(b *testing.B) {
			file := read(b, "scan.pdf")
			for range seals {
				file = seal(b, theIssuer().sealers[signing.P256], file, marked())
			}
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				wantStatus(b, file, signing.Valid)
			}
		})
	}
}

func BenchmarkVerifyLevels(b *testing.B) {
	p := newPKI(b)
	s := p.sealer("unit", "signer", "rsa:3072")
	for _, level := range levels {
		b.Run(string(level), func(b *testing.B) {
			file := read(b, "scan.pdf")
			for range 5 {
				file = seal(b, s, file, p.options(level))
			}
			opt := p.offline()
			opt.Revocation = signing.RevocationIfKnown
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				judge(b, file, opt, signing.Valid)
			}
		})
	}
}

// BenchmarkSealBesideItsKey gives the seals a second of a file of 290 KB beside the bare operations of the same key on the
// same core, in processor time. The seal goes into the room behind the file, as exchange has it.
func BenchmarkSealBesideItsKey(b *testing.B) {
	in := read(b, "letter.pdf")
	in = slices.Concat(in, []byte("\n%"), bytes.Repeat([]byte("x"), max(0, 290<<10-len(in))), in[bytes.LastIndex(in, []byte("startxref")):])
	in[bytes.LastIndex(in, []byte("startxref"))-1] = '\n'
	in = must(signing.ReadFile(bytes.NewReader(in), int64(len(in))))
	for _, kind := range []signing.KeyKind{signing.P256, signing.RSA3072} {
		b.Run(string(kind), func(b *testing.B) {
			key, s, opt := theIssuer().ids[kind].Key, theIssuer().sealers[kind], marked()
			opt.InPlace = true
			digest := sha256.Sum256(in)
			var raw, all time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := processorTime()
				must(key.Sign(rand.Reader, digest[:], crypto.SHA256))
				raw += processorTime() - start
				start = processorTime()
				must(s.Seal(context.Background(), in, opt))
				all += processorTime() - start
			}
			b.ReportMetric(raw.Seconds()/all.Seconds(), "of-raw-rate")
			b.ReportMetric(1000*raw.Seconds()/float64(b.N), "ms-bare-signature")
			b.ReportMetric(1000*(all-raw).Seconds()/float64(b.N), "ms-beside-signature")
		})
	}
}

// BenchmarkVerifyTwentyPages verifies a file of twenty pages, each with a scan of its own, that five agencies have sealed,
// and gives the processor time.
func BenchmarkVerifyTwentyPages(b *testing.B) {
	file := twentyPages()
	for range 5 {
		file = seal(b, theIssuer().sealers[signing.RSA3072], file, marked())
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	start := processorTime()
	for b.Loop() {
		if r := wantStatus(b, file, signing.Valid); len(r.Signatures) != 5 {
			b.Fatalf("%d signatures", len(r.Signatures))
		}
	}
	b.ReportMetric(1000*(processorTime()-start).Seconds()/float64(b.N), "ms-processor")
}

// twentyPages is about 5 MB long.
func twentyPages() []byte {
	o := onePage("")
	var kids strings.Builder
	for i := range 20 {
		page, picture := 100+2*i, 101+2*i
		fmt.Fprintf(&kids, "%d 0 R ", page)
		o[page] = strings.Replace(o[3], "/Font <<", fmt.Sprintf("/XObject << /I %d 0 R >> /Font <<", picture), 1)
		noise := make([]byte, 250<<10)
		rand.Read(noise)
		o[picture] = fmt.Sprintf("<< /Type /XObject /Subtype /Image /Width 500 /Height 512 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length %d >>\nstream\n%s\nendstream", len(noise), noise)
	}
	o[2] = "<< /Type /Pages /Kids [" + kids.String() + "] /Count 20 >>"
	delete(o, 3)
	return build(o)
}

// processorTime is what this process has used of the processor: other processes do not count, its garbage collector does.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLargeFile seals and verifies a file of 100 MB in a process of its own and gives the most memory it had, in
// parts of the file's size: with the sealed file beside the file, and with the seal in place.
func BenchmarkLargeFile(b *testing.B) {
	if path := os.Getenv("LARGE_FILE"); path != "" {
		for b.Loop() {
			handleLarge(b, path, os.Getenv("LARGE_DO"))
		}
		status := string(must(os.ReadFile("/proc/self/status")))
		_, peak, _ := strings.Cut(status, "VmHWM:")
		fmt.Printf("peak %s\n", strings.Fields(peak)[0])
		return
	}
	path := largeFile(b)
	size := must(os.Stat(path)).Size()
	sealed := filepath.Join(b.TempDir(), "sealed.pdf")
	for _, do := range []string{"seal", "seal-in-place", "verify"} {
		b.Run(do, func(b *testing.B) {
			for b.Loop() {
				c := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkLargeFile$", "-test.benchtime=1x")
				c.Env = append(os.Environ(), "LARGE_FILE="+path, "LARGE_DO="+do, "LARGE_OUT="+sealed)
				out, err := c.CombinedOutput()
				// The kernel's account of a child's use of memory begins with its parent's, so the child says it itself.
				_, last, ok := strings.Cut(string(out), "peak ")
				if err != nil || !ok {
					b.Fatalf("%v: %s", err, out)
				}
				peak := must(strconv.ParseInt(strings.Fields(last)[0], 10, 64)) << 10
				b.ReportMetric(float64(peak)/float64(size), "peak/size")
			}
		})
	}
}

// handleLarge is what the process of its own does. Each benchmark runs once to find out how long it takes, so the file to
// verify, which another process has sealed, is made only when it is missing.
func handleLarge(b *testing.B, path, do string) {
	f := must(os.Open(path))
	defer f.Close()
	opt := marked()
	opt.InPlace = do == "seal-in-place"
	if do == "verify" {
		in := must(os.ReadFile(os.Getenv("LARGE_OUT")))
		report := must(signing.Verify(context.Background(), in, signing.VerifyOptions{}))
		if r := report.Signatures[0]; r.Intact.Answer != signing.Passed || r.Coverage.Code != "whole_file" {
			b.Fatalf("%+v", r)
		}
		return
	}
	in := must(signing.ReadFile(f, must(f.Stat()).Size()))
	out := must(theIssuer().sealers[signing.P256].Seal(context.Background(), in, opt))
	if err := os.WriteFile(os.Getenv("LARGE_OUT"), out, 0o600); err != nil {
		b.Fatal(err)
	}
}

// largeFile writes a file of nearly 100 MB, as a scanner makes them: pages of pictures.
func largeFile(b *testing.B) string {
	o := onePage("")
	o[3] = strings.Replace(o[3], "/Font <<", "/XObject << /I 10 0 R >> /Font <<", 1)
	for i := range 10 {
		noise := make([]byte, 99<<20/10)
		rand.Read(noise)
		o[10+i] = fmt.Sprintf("<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length %d >>\nstream\n%s\nendstream", len(noise), noise)
	}
	return write(b, "large.pdf", build(o))
}
