package blob_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"

	"github.com/johannesboyne/gofakes3"
)

func openBucket(t *testing.T, opt blob.BucketOptions) *blob.Bucket {
	t.Helper()
	b, err := blob.OpenBucket(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, s blob.Store, d blob.Digest) string {
	t.Helper()
	f, err := s.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil || int64(len(data)) != f.Size() {
		t.Fatalf("%d bytes of %d, %v", len(data), f.Size(), err)
	}
	return string(data)
}

// What one node keeps another reads, of every size; each has a cache of its own.
func TestBucketIsSharedByNodes(t *testing.T) {
	server := mailtest.NewS3(t)
	one, two := openBucket(t, server.Options(t)), openBucket(t, server.Options(t))
	for _, size := range []int{0, 1, 100_000, 1 << 20, 20<<20 + 1} {
		data := strings.Repeat("Kon Tum ", size/8+1)[:size]
		digest, n, err := put(ctx, one, iotest.HalfReader(strings.NewReader(data)), int64(size))
		if err != nil || n != int64(size) || digest != blob.Of([]byte(data)) {
			t.Fatalf("%d bytes: %s, %d, %v", size, digest, n, err)
		}
		if got, err := two.Size(digest); err != nil || got != int64(size) {
			t.Errorf("size %d, %v", got, err)
		}
		if read(t, two, digest) != data || read(t, one, digest) != data {
			t.Errorf("%d bytes came back otherwise", size)
		}
	}
	seen := map[blob.Digest]int64{}
	if err := one.Walk(ctx, func(i blob.Info) error { seen[i.Digest] = i.Size; return nil }); err != nil || len(seen) != 5 {
		t.Errorf("walk: %v, %v", seen, err)
	}
}

func TestBucketKeepsNothingOfWhatFails(t *testing.T) {
	server := mailtest.NewS3(t)
	opt := server.Options(t)
	b := openBucket(t, opt)
	if _, _, err := put(ctx, b, strings.NewReader("123456"), 5); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	broken := errors.New("line broke")
	if _, _, err := put(ctx, b, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 0); !errors.Is(err, broken) {
		t.Errorf("broken reader: %v", err)
	}
	if _, err := b.Open(blob.Of([]byte("nothing"))); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("open of nothing: %v", err)
	}
	if _, err := b.Size(blob.Of([]byte("nothing"))); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("size of nothing: %v", err)
	}
	if err := b.Remove(blob.Of([]byte("nothing"))); err != nil {
		t.Errorf("remove nothing: %v", err)
	}
	server.Close()
	if _, err := putBytes(b, []byte("during an outage")); err == nil {
		t.Error("kept without a bucket")
	}
	if got := files(t, opt.Cache); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// Removed by one node, it must be put again by another that remembers it: what a cache holds proves nothing.
func TestRemovedElsewhereIsPutAgain(t *testing.T) {
	server := mailtest.NewS3(t)
	one, two := openBucket(t, server.Options(t)), openBucket(t, server.Options(t))
	digest, err := putBytes(one, []byte("again"))
	if err != nil {
		t.Fatal(err)
	}
	read(t, two, digest)
	if err := two.Remove(digest); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Size(digest); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("size after removal: %v", err)
	}
	if _, err := putBytes(one, []byte("again")); err != nil {
		t.Fatal(err)
	}
	if read(t, two, digest) != "again" {
		t.Error("not there")
	}
}

func TestChangedObjectIsNotShown(t *testing.T) {
	server := mailtest.NewS3(t)
	one, two := openBucket(t, server.Options(t)), openBucket(t, server.Options(t))
	digest, err := putBytes(one, []byte("văn bản thật"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Memory.PutObject("congvan", string(digest), map[string]string{}, bytes.NewReader([]byte("văn bản giả!")), int64(len("văn bản giả!")), &gofakes3.PutConditions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Open(digest); err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("open: %v", err)
	}
}

// The cache stays near its size, and what was evicted comes back, under many readers at the same time.
func TestCacheIsBounded(t *testing.T) {
	server := mailtest.NewS3(t)
	opt := server.Options(t)
	opt.CacheSize = 200_000
	b := openBucket(t, opt)
	var digests []blob.Digest
	for i := range 20 {
		digest, err := putBytes(b, bytes.Repeat([]byte{byte(i)}, 50_000))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	var wg sync.WaitGroup
	for r := range 8 {
		wg.Go(func() {
			for i := range digests {
				f, err := b.Open(digests[(i*7+r)%len(digests)])
				if err != nil {
					t.Error(err)
					continue
				}
				data, _ := io.ReadAll(f)
				f.Close()
				if len(data) != 50_000 {
					t.Errorf("%d bytes", len(data))
				}
			}
		})
	}
	wg.Wait()
	if _, err := putBytes(b, []byte("the last")); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, opt.Cache)); n > 8 {
		t.Errorf("%d files in the cache", n)
	}
}

func TestBucketThatIsNotThere(t *testing.T) {
	server := mailtest.NewS3(t)
	opt := server.Options(t)
	opt.Bucket = "khac"
	if _, err := blob.OpenBucket(ctx, opt); err == nil {
		t.Error("opened")
	}
	server.Close()
	if _, err := blob.OpenBucket(ctx, server.Options(t)); err == nil {
		t.Error("opened without a server")
	}
}
