package exchange_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore/sqldb"
	"congvan/signing"
)

func (h *house) export(t testing.TB, id exchange.DocumentID, opt exchange.ExportOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := h.Export(context.Background(), &b, id, opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bundleTrust(t testing.TB) exchange.Trust {
	t.Helper()
	key, err := testLogKey()
	if err != nil {
		t.Fatal(err)
	}
	return exchange.Trust{LogKeys: key.Known, Roots: testRoots}
}

// checks returns the answers that are not passed.
func checks(r *exchange.BundleReport) (out []string) {
	for _, c := range r.Checks {
		if c.Answer != signing.Passed {
			out = append(out, c.Name+": "+c.Reason)
		}
	}
	return out
}

func TestBundleProvesWhatHappenedAndIsTheSameAgain(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("80/SNV-VP", "Sở Y tế, Sở Tài chính=syt stc", "Trung tâm X>Trung tâm X <vt@x.test>"))
		h.log(t)
		h.move(t, "syt", "Đã tiếp nhận")
		h.reply(t, copyTo(t, st, "stc"), "stc", "Đã tiếp nhận, số đến 12")
		one := h.export(t, st.Document.ID, exchange.ExportOptions{})
		if two := h.export(t, st.Document.ID, exchange.ExportOptions{}); !bytes.Equal(one, two) {
			t.Error("exported again it is another file")
		}
		r := exchange.VerifyBundle(context.Background(), one, bundleTrust(t))
		if r.Status != signing.Valid || r.Reference != "80/SNV-VP" || len(r.Copies) != 3 || r.Copies[0].Handling != exchange.Accepted {
			t.Errorf("%s: %s %v %+v", r.Status, r.Reason, checks(r), r.Copies)
		}
		if bytes.Count(one, []byte(".eml")) < 3 {
			t.Error("the reply is not in it")
		}
		for _, d := range st.Dispatches {
			if bytes.Contains(one, []byte(d.Dispatch.Secret)) && d.Unit != "stc" { // a reply of its own quotes its token
				t.Errorf("the secret of %s is in it", d.Unit)
			}
		}
		part := exchange.VerifyBundle(context.Background(), h.export(t, st.Document.ID, exchange.ExportOptions{Unit: "syt"}), bundleTrust(t))
		if part.Status != signing.Valid || len(part.Copies) != 1 {
			t.Errorf("of one unit: %s %v", part.Status, checks(part))
		}
		for name, trust := range map[string]exchange.Trust{"nobody": {}, "seals alone": {Roots: testRoots}, "log alone": {LogKeys: bundleTrust(t).LogKeys}} {
			if r := exchange.VerifyBundle(context.Background(), one, trust); r.Status != signing.Indeterminate {
				t.Errorf("who trusts %s gets %s", name, r.Status)
			}
		}
	})
}

// Every byte of a bundle is looked after: one that is changed is never valid, and the member is named.
func TestEveryChangedByteOfABundleIsFound(t *testing.T) {
	h := newHouseAt(t, sqldb.SQLite)
	st := h.issue(t, proposal("81/SNV-VP", "Sở Y tế=syt"))
	h.move(t, "syt", "Đã tiếp nhận")
	good := h.export(t, st.Document.ID, exchange.ExportOptions{})
	trust := bundleTrust(t)
	for i := 0; i < len(good); i += 1 + i%53 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		r := exchange.VerifyBundle(context.Background(), bad, trust)
		if r.Status != signing.Invalid {
			t.Errorf("byte %d: %s", i, r.Status)
		}
	}
	for _, name := range []string{"record.json", "events.jsonl", "checkpoints.jsonl", "mail.json", "HUONG-DAN.txt", "MANIFEST"} {
		bad := rewrite(t, good, name, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		r := exchange.VerifyBundle(context.Background(), bad, trust)
		if r.Status != signing.Invalid || !strings.Contains(strings.Join(checks(r), " "), name) {
			t.Errorf("%s: %s %v", name, r.Status, checks(r))
		}
	}
	for name, bad := range map[string][]byte{"empty": {}, "text": []byte("MANIFEST"), "cut": good[:len(good)/2], "compressed": compress(t, good)} {
		if r := exchange.VerifyBundle(context.Background(), bad, trust); r.Status != signing.Invalid {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
}

// rewrite changes one member and writes a whole ZIP around it.
func rewrite(t testing.TB, bundle []byte, name string, change func([]byte) []byte) []byte {
	return rezip(t, bundle, zip.Store, func(n string, b []byte) []byte {
		if n == name {
			return change(b)
		}
		return b
	})
}

func compress(t *testing.T, bundle []byte) []byte {
	return rezip(t, bundle, zip.Deflate, func(_ string, b []byte) []byte { return b })
}

func rezip(t testing.TB, bundle []byte, method uint16, change func(string, []byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method, Modified: f.Modified})
		if err != nil {
			t.Fatal(err)
		}
		m.Write(change(f.Name, b))
	}
	w.Close()
	return out.Bytes()
}

// A program that shares nothing with ours, written from the comments on the formats, comes to the same verdict.
func TestAnIndependentVerifierAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("python3 is not here")
	}
	h := newHouseAt(t, sqldb.SQLite)
	for i := range 5 {
		h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", 300+i), "Sở Y tế, UBND=syt ubnd"))
		h.log(t)
	}
	st := h.issue(t, proposal("82/SNV-VP", "Sở Y tế, Sở Tài chính=syt stc"))
	h.log(t)
	h.move(t, "syt", "Hoàn thành")
	bundle := h.export(t, st.Document.ID, exchange.ExportOptions{})
	file := filepath.Join(t.TempDir(), "b.zip")
	judge := func(b []byte) (string, error) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, "testdata/verify_bundle.py", file, testLogPublic).CombinedOutput()
		return string(out), err
	}
	if out, err := judge(bundle); err != nil || !strings.HasPrefix(out, "valid") {
		t.Errorf("%v: %s", err, out)
	}
	bad := rewrite(t, bundle, "events.jsonl", func(b []byte) []byte { return bytes.Replace(b, []byte("completed"), []byte("conpleted"), 1) })
	if out, err := judge(bad); err == nil {
		t.Errorf("a changed event: %s", out)
	}
}

// BenchmarkExport makes the bundle of a document of 1,000 copies, and verifies it.
func BenchmarkExport(b *testing.B) {
	h := manyUnits(b, benchDB(b, sqldb.SQLite), 1000)
	h.prepareAndIssue(b, 1, 1000)
	docs, err := h.ListDocuments(context.Background(), "", "")
	if err != nil {
		b.Fatal(err)
	}
	var bundle []byte
	b.Run("export", func(b *testing.B) {
		for range b.N {
			bundle = h.export(b, docs[0].ID, exchange.ExportOptions{})
		}
		b.ReportMetric(float64(len(bundle)), "bytes")
	})
	b.Run("confirmation", func(b *testing.B) {
		for range b.N {
			bundle = h.export(b, docs[0].ID, exchange.ExportOptions{Confirm: true})
		}
		b.ReportMetric(float64(len(bundle)), "bytes")
	})
	b.Run("verify", func(b *testing.B) {
		for range b.N {
			if r := exchange.VerifyBundle(context.Background(), bundle, bundleTrust(b)); r.Status != signing.Valid {
				b.Fatal(checks(r))
			}
		}
	})
}

// BenchmarkCheck proves an installation of about 100,000 events.
func BenchmarkCheck(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			h := manyUnits(b, benchDB(b, dialect), 1000)
			for i := range 100 {
				h.prepareAndIssue(b, i, 1000)
			}
			h.log(b)
			b.ResetTimer()
			peak := heapPeak(func() {
				for range b.N {
					if found, err := h.Check(context.Background()); err != nil || len(found) > 0 {
						b.Error(err, found[:min(len(found), 3)])
					}
				}
			})
			b.ReportMetric(peak, "MB-heap")
			b.ReportMetric(float64(h.one(b, `SELECT count(*) FROM event`)), "events")
		})
	}
}

// heapPeak is how much the heap grew at most while fn ran, in MB.
func heapPeak(fn func()) float64 {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done, highest := make(chan struct{}), uint64(0)
	var watch sync.WaitGroup
	watch.Go(func() {
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				runtime.ReadMemStats(&now)
				highest = max(highest, now.HeapAlloc)
			}
		}
	})
	fn()
	close(done)
	watch.Wait()
	return float64(max(highest, before.HeapAlloc)-before.HeapAlloc) / 1e6
}

// A second reply changes nothing and is answered with what the first one did.
func TestADuplicateIsAnsweredWithTheFirstReceipt(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("83/SNV-VP", "Sở Tài chính=stc"))
		for range 2 {
			h.reply(t, copyTo(t, st, "stc"), "stc", "Đã tiếp nhận")
		}
		var receipts []string
		for _, s := range h.subjects(t, "stc") {
			if strings.HasPrefix(s, "Đã tiếp nhận") {
				receipts = append(receipts, s)
			}
		}
		if len(receipts) != 2 || receipts[0] != receipts[1] || receipts[0] != "Đã tiếp nhận, số đến 1: 83/SNV-VP" {
			t.Errorf("%q", receipts)
		}
		d := copyTo(t, h.status(t, st.Document.ID), "stc")
		last := d.Events[len(d.Events)-1]
		if last.Event != "accepted" || last.Actor != "stc@"+domain || !strings.Contains(last.Detail, string(st.Document.SealedPDF)) || !strings.Contains(last.Detail, `"eml"`) {
			t.Errorf("%+v", last)
		}
	})
}
