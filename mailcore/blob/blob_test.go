package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"congvan/mailcore/blob"
)

var ctx = context.Background()

func open(t *testing.T) (*blob.Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blobs")
	d, err := blob.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d, path
}

// put stores what r gives.
func put(ctx context.Context, d blob.Store, r io.Reader, limit int64) (blob.Digest, int64, error) {
	st, err := d.Stage(ctx, r, limit)
	if err != nil {
		return "", 0, err
	}
	defer st.Discard()
	return st.Digest, st.Size, st.Keep()
}

func putBytes(d blob.Store, data []byte) (blob.Digest, error) {
	digest, _, err := put(ctx, d, bytes.NewReader(data), 0)
	return digest, err
}

// files returns the names of all files below a folder.
func files(t *testing.T, path string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(path, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPutThenOpenGivesTheBytes(t *testing.T) {
	d, path := open(t)
	want := []byte("Quyết định về việc ban hành Quy chế")
	digest, size, err := put(ctx, d, iotest.OneByteReader(bytes.NewReader(want)), int64(len(want)))
	if err != nil || size != int64(len(want)) || digest != blob.Of(want) {
		t.Fatalf("put: %s, %d, %v", digest, size, err)
	}
	f, err := d.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) || f.Size() != size {
		t.Errorf("read %q of %d bytes, %v", got, f.Size(), err)
	}
	part := make([]byte, 6)
	if _, err := f.ReadAt(part, 3); err != nil || !bytes.Equal(part, want[3:9]) {
		t.Errorf("at 3: %q, %v", part, err)
	}
	name := files(t, path)
	if len(name) != 1 || name[0] != filepath.Join(path, string(digest[:2]), string(digest)) {
		t.Errorf("files: %v", name)
	}
	if info, _ := os.Stat(name[0]); info.Mode().Perm()&0o222 != 0 {
		t.Errorf("file can be written: %v", info.Mode())
	}
}

func TestEqualBytesAreOneFile(t *testing.T) {
	d, path := open(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := putBytes(d, []byte("same")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := files(t, path); len(got) != 1 {
		t.Errorf("files: %v", got)
	}
}

// Small uploads wait in memory, as many as there is room for; the others and large ones wait in a file.
func TestUploadsOfEverySizeAtTheSameTime(t *testing.T) {
	d, path := open(t)
	var staged []*blob.Staged
	for i := range 200 {
		data := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, []int{1, 500, 512 << 10, 512<<10 + 1, 700 << 10}[i%5])
		st, err := d.Stage(ctx, iotest.HalfReader(bytes.NewReader(data)), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if st.Digest != blob.Of(data) || st.Size != int64(len(data)) {
			t.Fatalf("upload %d: %s, %d bytes", i, st.Digest, st.Size)
		}
		staged = append(staged, st)
	}
	if waiting := len(files(t, path)); waiting < 100 || waiting > 160 {
		t.Errorf("%d of 200 uploads wait in files", waiting)
	}
	for i, st := range staged {
		if i%2 == 0 {
			if err := st.Keep(); err != nil {
				t.Error(err)
			}
			got, err := d.Open(st.Digest)
			if err != nil {
				t.Fatal(err)
			}
			data, _ := io.ReadAll(got)
			got.Close()
			if blob.Of(data) != st.Digest {
				t.Errorf("upload %d: other bytes", i)
			}
		}
		st.Discard()
	}
	if n := len(files(t, path)); n != 100 {
		t.Errorf("%d files, want 100", n)
	}
}

func TestRemovedAndPutAgain(t *testing.T) {
	d, path := open(t)
	for range 3 {
		digest, err := putBytes(d, []byte("again"))
		if err != nil || len(files(t, path)) != 1 {
			t.Fatalf("%v, %v", files(t, path), err)
		}
		if err := d.Remove(digest); err != nil || len(files(t, path)) != 0 {
			t.Fatalf("%v, %v", files(t, path), err)
		}
	}
}

func TestPutThatFailsLeavesNothing(t *testing.T) {
	d, path := open(t)
	if _, _, err := put(ctx, d, strings.NewReader("123456"), 5); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, _, err := put(ctx, d, strings.NewReader("12345"), 5); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	broken := errors.New("line broke")
	if _, _, err := put(ctx, d, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 0); !errors.Is(err, broken) {
		t.Errorf("broken reader: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := put(gone, d, strings.NewReader("late"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := files(t, path); len(got) != 1 {
		t.Errorf("files: %v", got)
	}
}

// A crash between the write and the rename leaves a temporary file; a torn file under the right name has another size.
func TestLeftoversOfACrashAreNeitherReadNorKept(t *testing.T) {
	d, path := open(t)
	digest, err := putBytes(d, []byte("whole"))
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(path, ".tmp-1"), filepath.Join(path, ".tmp-2")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	var seen []blob.Digest
	if err := d.Walk(ctx, func(i blob.Info) error { seen = append(seen, i.Digest); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != digest {
		t.Errorf("walked over %v", seen)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("old leftover is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("an upload that may still run was removed: %v", err)
	}
	torn := filepath.Join(path, string(digest[:2]), string(digest))
	if err := os.Chmod(torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(torn, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := putBytes(d, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if size, err := d.Size(digest); err != nil || size != 5 {
		t.Errorf("torn file was not replaced: %d, %v", size, err)
	}
}

func TestOpenOfWhatIsNotThere(t *testing.T) {
	d, _ := open(t)
	if _, err := d.Open(blob.Of([]byte("x"))); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []blob.Digest{"", "abc", "../../../../etc/passwd", blob.Digest(strings.Repeat("Z", 64)), blob.Digest(strings.ToUpper(string(blob.Of(nil))))} {
		if _, err := d.Open(bad); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRemoveTwice(t *testing.T) {
	d, path := open(t)
	digest, err := putBytes(d, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Remove(digest); err != nil {
			t.Error(err)
		}
	}
	if got := files(t, path); len(got) != 0 {
		t.Errorf("files: %v", got)
	}
}

func TestDiscardedBytesAreNotKept(t *testing.T) {
	d, path := open(t)
	st, err := d.Stage(ctx, strings.NewReader("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if st.Digest != blob.Of([]byte("x")) || st.Size != 1 {
		t.Errorf("staged %+v", st)
	}
	if _, err := d.Open(st.Digest); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("open before Keep: %v", err)
	}
	st.Discard()
	st.Discard()
	if got := files(t, path); len(got) != 0 {
		t.Errorf("files: %v", got)
	}
}
