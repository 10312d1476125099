package intake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

// countingOCR is tesseract behind a script that counts how often it was asked for a page.
func countingOCR(t *testing.T) (program string, count func() int) {
	t.Helper()
	needOCR(t)
	dir := t.TempDir()
	program, calls := filepath.Join(dir, "tesseract"), filepath.Join(dir, "calls")
	script := "#!/bin/sh\ncase $1 in stdin) echo >>" + calls + ";; esac\nexec tesseract \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return program, func() int {
		b, err := os.ReadFile(calls)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return len(b)
	}
}

func openWith(t *testing.T, opt intake.Options) *intake.Reader {
	t.Helper()
	opt.CacheDir, opt.Workers = filepath.Join(os.TempDir(), "congvan-test-wasm"), 1
	r, err := intake.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestAScanIsRecognisedOnce: the second reading asks for nothing, with the same reader and, from the folder, with the next.
func TestAScanIsRecognisedOnce(t *testing.T) {
	program, calls := countingOCR(t)
	folder := filepath.Join(t.TempDir(), "ocr")
	opt := intake.Options{Tesseract: program, OCRDir: folder}
	r, data := openWith(t, opt), sample(t, "06-thong-bao-scan")
	read := func(r *intake.Reader) *intake.Draft {
		d, err := r.Read(t.Context(), "06.pdf", data)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := read(r)
	asked := calls()
	if asked == 0 || first.Heading.Number == "" {
		t.Fatalf("tesseract was asked %d times for %+v", asked, first.Heading)
	}
	same := func(who string, d *intake.Draft) {
		t.Helper()
		if diff := cmp.Diff(first.Record(), d.Record()); diff != "" {
			t.Errorf("%s (-first +second):\n%s", who, diff)
		}
		if diff := cmp.Diff(first.Fields, d.Fields); diff != "" {
			t.Errorf("%s: fields (-first +second):\n%s", who, diff)
		}
		if calls() != asked {
			t.Errorf("%s: tesseract was asked %d times more", who, calls()-asked)
		}
	}
	same("the same reader", read(r))
	same("the next reader", read(openWith(t, opt)))
	files, _ := filepath.Glob(folder + "/*")
	if len(files) != 1 {
		t.Fatalf("folder has %v", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.WriteFile(files[0], []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := read(openWith(t, opt)); d.Heading.Number != first.Heading.Number || calls() == asked {
		t.Error("a spoilt file of the folder was taken for a reading")
	}
	if err := r.Forget(data); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(folder + "/*"); len(files) != 0 {
		t.Errorf("forgotten, but the folder has %v", files)
	}
}

// TestSecretScanLeavesNothing: neither memory nor the folder keeps a document that bears a mark of secrecy.
func TestSecretScanLeavesNothing(t *testing.T) {
	program, calls := countingOCR(t)
	folder := filepath.Join(t.TempDir(), "ocr")
	r := openWith(t, intake.Options{Tesseract: program, OCRDir: folder})
	data := scanner{dpi: 200, degrees: -1, grey: true, quality: 80, noise: 5}.scan(t, "testdata/samples/08-cong-van-mat.pdf")
	for range 2 {
		before := calls()
		d, err := r.Read(t.Context(), "08.pdf", data)
		if err != nil {
			t.Fatal(err)
		}
		if d.Secrecy == "" {
			t.Fatal("the mark was not read")
		}
		if calls() == before {
			t.Error("a secret document came from memory")
		}
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("folder has %v, %v", files, err)
	}
}

// TestEarlyDraftAndProgress: of five scanned pages the heading and the recipients are there before all are recognised.
func TestEarlyDraftAndProgress(t *testing.T) {
	needOCR(t)
	needTool(t, "qpdf", "qpdf")
	dir := t.TempDir()
	page, five := filepath.Join(dir, "scan.pdf"), filepath.Join(dir, "five.pdf")
	if err := os.WriteFile(page, scanner{dpi: 150, grey: true}.scan(t, "testdata/samples/02-cong-van-stttt.pdf"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "qpdf", "--empty", "--pages", page, "1", page, "1", page, "1", page, "1", page, "1", "--", five)
	data, err := os.ReadFile(five)
	if err != nil {
		t.Fatal(err)
	}
	var early *intake.Draft
	var last intake.Progress
	r := openWith(t, intake.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = r.ReadCall(ctx, "five.pdf", data, intake.Call{
		Progress: func(p intake.Progress) {
			if p.Phase == last.Phase && (p.Done < last.Done || p.Done > p.Total) {
				t.Errorf("%+v after %+v", p, last)
			}
			last = p
		},
		Early: func(d *intake.Draft) { early = d; cancel() }, // a clerk who saw it gives up
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if early == nil || early.Heading.Symbol == "" || len(early.NoiNhan) == 0 || len(early.Unread) == 0 || len(early.Unread) >= 5 {
		t.Fatalf("early draft %+v", early)
	}
	if last.Phase != intake.PhaseRecognise || last.Done == 0 || last.Total != 5 || !strings.Contains(last.String(), "trang") {
		t.Errorf("progress %+v", last)
	}
}
