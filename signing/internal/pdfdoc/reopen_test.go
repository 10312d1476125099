package pdfdoc

import (
	"bytes"
	"context"
	"crypto"
	_ "crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// added opens a file and puts an increment behind it, and returns the reading that Reopen takes.
func added(t *testing.T, data []byte, mark *Mark) (*Doc, []byte) {
	t.Helper()
	before, err := Open(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	u, err := before.AddSignature(SignatureField{Name: "Nghĩa", Reserve: 20, Mark: mark})
	if err != nil {
		t.Fatal(err)
	}
	u.Digest(crypto.SHA256)
	return before, u.Prepared()
}

// takenOver counts the objects that were not read again.
func takenOver(got, before *Doc) (n int) {
	for i, e := range got.x.Table {
		if e == before.x.Table[i] {
			n++
		}
	}
	return n
}

// sameAsOpen wants a reopened file to be what a stranger reads, and says whether it can be read at all.
func sameAsOpen(t *testing.T, got *Doc, gotErr error, file []byte) bool {
	t.Helper()
	want, err := Open(context.Background(), file)
	if (err == nil) != (gotErr == nil) {
		t.Fatalf("reopen: %v, open: %v", gotErr, err)
	}
	if err != nil {
		return false
	}
	sameObjects(t, got.x, want.x)
	if got.x.MaxObjNr != want.x.MaxObjNr || !reflect.DeepEqual(got.x.Size, want.x.Size) || !reflect.DeepEqual(got.x.Info, want.x.Info) {
		t.Errorf("last object %d, for a stranger %d", got.x.MaxObjNr, want.x.MaxObjNr)
	}
	signatures, err1 := want.Signatures()
	again, err2 := got.Signatures()
	if (err1 == nil) != (err2 == nil) || len(signatures) != len(again) {
		t.Fatalf("%d signatures (%v), for a stranger %d (%v)", len(again), err2, len(signatures), err1)
	}
	for i, s := range signatures {
		if (s.Malformed == nil) != (again[i].Malformed == nil) ||
			s.Malformed == nil && !bytes.Equal(got.Digest(again[i], crypto.SHA256), want.Digest(s, crypto.SHA256)) {
			t.Errorf("signature %+v, for a stranger %+v", again[i], s)
		}
	}
	return true
}

func TestReopenedFileReadsTheSame(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*.pdf")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.Contains(name, "password") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // seals upon seals
				before, file := added(t, data, &Mark{Text: "SAO Y", Size: 10})
				alone := before.x.Encrypt == nil && slices.Contains(before.x.Write.ObjNrs, before.x.Root.ObjectNumber.Value())
				got, err := Reopen(context.Background(), file, before)
				if !sameAsOpen(t, got, err, file) {
					t.Fatal(err)
				}
				if n := takenOver(got, before); alone != (n > 0) {
					t.Errorf("%d objects are taken over", n)
				}
				data = bytes.Clone(file)
			}
		})
	}
}

// An increment that is broken anywhere must not be covered up by what was read before it was written.
func TestBrokenIncrementIsReadAsAStrangerReadsIt(t *testing.T) {
	for _, name := range []string{"letter.pdf", "chromium-objstm.pdf"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("../../testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			data = slices.Clip(data)
			_, file := added(t, data, nil)
			broken, last := 0, 0
			defer func() {
				if t.Failed() {
					t.Logf("byte %d of %.80q", last-len(data), file[max(0, last-40):])
				}
			}()
			for at := len(data); at < len(file) && !t.Failed(); at++ {
				last = at
				before, bad := added(t, data, nil)
				bad[at] ^= 1 << (at % 7)
				got, err := Reopen(context.Background(), bad, before)
				if !sameAsOpen(t, got, err, bad) {
					broken++
				}
			}
			if broken == 0 || broken == len(file)-len(data) {
				t.Errorf("%d of %d changed bytes break the file", broken, len(file)-len(data))
			}
		})
	}
}

// Other bytes before the increment are not those that were read before.
func TestNothingIsTakenOverFromAnotherFile(t *testing.T) {
	data, err := os.ReadFile("../../testdata/letter.pdf")
	if err != nil {
		t.Fatal(err)
	}
	data = slices.Clip(data)
	for at := 0; at < len(data); at += 1999 {
		before, file := added(t, data, nil)
		file[at] ^= 1
		got, err := Reopen(context.Background(), file, before)
		if sameAsOpen(t, got, err, file) && takenOver(got, before) > 0 {
			t.Errorf("byte %d is changed, and %d objects are taken over", at, takenOver(got, before))
		}
	}
}
