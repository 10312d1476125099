package intake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

func TestMain(m *testing.M) {
	intake.Child() // a child of a test's Reader is this program too
	os.Exit(m.Run())
}

// newReader opens a Reader with children of its own.
func newReader(t testing.TB, opt intake.Options) *intake.Reader {
	t.Helper()
	opt.CacheDir = filepath.Join(os.TempDir(), "congvan-test-wasm")
	r, err := intake.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestReadingIsTheSameInThisProcess: what a child reads is what is read without one, to the last field.
func TestReadingIsTheSameInThisProcess(t *testing.T) {
	alone, beside := newReader(t, intake.Options{InProcess: true}), openReader(t)
	for _, name := range []string{"02-cong-van-stttt", "09-quyet-dinh-2024", "11-tcvn3-font-cu"} {
		data := sample(t, name)
		want, err1 := alone.Read(t.Context(), name, data)
		got, err2 := beside.Read(t.Context(), name, data)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for what, pair := range map[string][2]any{"record": {want.Record(), got.Record()}, "fields": {want.Fields, got.Fields},
			"body": {want.Body, got.Body}, "original": {want.Original, got.Original}, "places": {want.Places, got.Places}, "lines": {want.NoiNhanLines, got.NoiNhanLines}} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Errorf("%s: %s differs (-alone +beside):\n%s", name, what, diff)
			}
		}
		scan1, err1 := alone.CheckScan(t.Context(), data)
		scan2, err2 := beside.CheckScan(t.Context(), data)
		if diff := cmp.Diff(scan1, scan2, cmp.AllowUnexported(intake.ScanPage{})); diff != "" || err1 != nil || err2 != nil {
			t.Errorf("%s: scan gate differs: %v %v\n%s", name, err1, err2, diff)
		}
	}
}

// TestProblemsComeOverThePipe: the clerk is told the same, whichever process found it.
func TestProblemsComeOverThePipe(t *testing.T) {
	alone := newReader(t, intake.Options{InProcess: true})
	locked, err := os.ReadFile("testdata/broken/password.pdf")
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{locked, []byte("%PDF-1.4\nrác\n%%EOF\n"), writePDF([][]byte{[]byte("<</Type/Catalog/Pages 2 0 R>>"), []byte("<</Type/Pages/Count 0/Kids[]>>")})} {
		_, err1 := alone.Read(t.Context(), "x.pdf", data)
		_, err2 := openReader(t).Read(t.Context(), "x.pdf", data)
		var p1, p2 *intake.Problem
		if !errors.As(err1, &p1) || !errors.As(err2, &p2) || p1.Code != p2.Code || p1.Error() != p2.Error() {
			t.Errorf("alone: %v; beside: %v", err1, err2)
		}
	}
}

// TestALostChildIsTheErrorOfItsFile kills the child in the midst of a file, as the kernel does when memory is short.
func TestALostChildIsTheErrorOfItsFile(t *testing.T) {
	r := newReader(t, intake.Options{Workers: 1})
	killed := false
	_, err := r.ReadCall(t.Context(), "x.pdf", textPDF(3, plainText), intake.Call{Progress: func(p intake.Progress) {
		if p.Phase == intake.PhaseText && p.Done == 1 {
			killed = r.KillChildren() == 1
		}
	}})
	var p *intake.Problem
	if !killed || !errors.As(err, &p) || p.Code != intake.TooComplex {
		t.Fatalf("killed %t, error %v", killed, err)
	}
	if d, err := r.Read(t.Context(), "next.pdf", textPDF(2, plainText)); err != nil || d.Pages != 2 {
		t.Errorf("the next file: %v", err)
	}
}

// TestAChildThatDiedWhileIdleIsReplaced: nobody hears of it.
func TestAChildThatDiedWhileIdleIsReplaced(t *testing.T) {
	r := newReader(t, intake.Options{Workers: 1})
	for range 3 {
		if d, err := r.Read(t.Context(), "x.pdf", textPDF(1, plainText)); err != nil || d.Pages != 1 {
			t.Fatal(err)
		}
		r.KillChildren()
	}
}

// TestFilesAtOnce: each caller gets its own file, however many share the children, and one that gives up disturbs nobody.
func TestFilesAtOnce(t *testing.T) {
	r := newReader(t, intake.Options{Workers: 2})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			call := intake.Call{}
			if i%4 == 3 {
				call.Progress = func(p intake.Progress) {
					if p.Phase == intake.PhaseText {
						cancel()
					}
				}
			}
			d, err := r.ReadCall(ctx, "x.pdf", textPDF(i+1, plainText), call)
			switch {
			case i%4 == 3 && err != nil && !errors.Is(err, context.Canceled):
				t.Errorf("file %d, given up: %v", i, err)
			case i%4 != 3 && (err != nil || d.Pages != i+1):
				t.Errorf("file %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// TestAFileIsStoppedInTheMidstOfAPage: PDFium does not come back from a page of eight million pieces of text in time, and the
// child is killed wherever it is.
func TestAFileIsStoppedInTheMidstOfAPage(t *testing.T) {
	r := newReader(t, intake.Options{Workers: 1})
	if _, err := r.Read(t.Context(), "warm.pdf", textPDF(1, plainText)); err != nil {
		t.Fatal(err)
	}
	_, err := r.ReadCall(t.Context(), "x.pdf", endless(), intake.Call{Timeout: 50 * time.Millisecond})
	var p *intake.Problem
	if !errors.As(err, &p) || p.Code != intake.TooSlow {
		t.Errorf("error %v", err)
	}
	if d, err := r.Read(t.Context(), "next.pdf", textPDF(1, plainText)); err != nil || d.Pages != 1 {
		t.Errorf("the next file: %v", err)
	}
}

// endless is a page of eight million pieces of text, packed.
func endless() []byte {
	show := "BT /F 1 Tf " + strings.Repeat("1 0 0 1 9 9 Tm (Kinh gui anh em trong ban) Tj ", 20_000) + "ET\n"
	return onePage("", "/Resources<</Font<</F 3 0 R>>>>/Contents["+strings.Repeat("4 0 R ", 400)+"]",
		[]byte("<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>"), stream("/Filter/FlateDecode", deflated([]byte(show))))
}

// TestAChildThatCannotStartIsNoFaultOfTheFile: the clerk is not sent away with a good file.
func TestAChildThatCannotStartIsNoFaultOfTheFile(t *testing.T) {
	r := newReader(t, intake.Options{Workers: 1, MemoryPages: 1}) // less than PDFium itself needs
	for range 2 {
		_, err := r.Read(t.Context(), "x.pdf", textPDF(1, plainText))
		if err == nil || errors.As(err, new(*intake.Problem)) || !strings.Contains(err.Error(), "start") {
			t.Errorf("error %v", err)
		}
	}
}

// TestChildSeesNothingOfTheEnvironment: secrets of the server are often in it.
func TestChildSeesNothingOfTheEnvironment(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	t.Setenv("CONGVAN_SECRET", "mật khẩu")
	r := newReader(t, intake.Options{Workers: 1})
	if _, err := r.Read(t.Context(), "x.pdf", textPDF(1, plainText)); err != nil {
		t.Fatal(err)
	}
	env := r.ChildEnvironment(t)
	if strings.Contains(env, "SECRET") || len(strings.Split(strings.Trim(env, "\x00"), "\x00")) != 1 {
		t.Errorf("the child's environment is %q", env)
	}
}
