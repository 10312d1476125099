package blob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/singleflight"
)

// How long one request may take that nobody's context bounds, and how large a part of an upload is.
const (
	askLimit  = 30 * time.Second
	moveLimit = 10 * time.Minute
	partSize  = 16 << 20
)

// BucketOptions say where a bucket is.
type BucketOptions struct {
	Endpoint  string // host:port
	Region    string
	Bucket    string
	Prefix    string // of every key
	AccessKey string
	SecretKey string
	Insecure  bool              // plain HTTP
	Transport http.RoundTripper // nil: minio's own

	Cache     string // a folder of this node
	CacheSize int64  // bytes that stay in the folder; 1 GiB when zero
}

// A Bucket is a store in S3.
type Bucket struct {
	opt    BucketOptions
	client *minio.Client
	cache  *Dir
	flight singleflight.Group

	held   atomic.Int64 // bytes in the cache, about
	evicts sync.Mutex
}

// OpenBucket connects to an existing bucket.
func OpenBucket(ctx context.Context, opt BucketOptions) (*Bucket, error) {
	if opt.CacheSize == 0 {
		opt.CacheSize = 1 << 30
	}
	client, err := minio.New(opt.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(opt.AccessKey, opt.SecretKey, ""), Secure: !opt.Insecure,
		Region: opt.Region, Transport: opt.Transport})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", opt.Bucket, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	there, err := client.BucketExists(ctx, opt.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s at %s: %w", opt.Bucket, opt.Endpoint, err)
	}
	if !there {
		return nil, fmt.Errorf("open bucket %s at %s: there is no such bucket", opt.Bucket, opt.Endpoint)
	}
	cache, err := OpenDir(opt.Cache)
	if err != nil {
		return nil, err
	}
	cache.fleeting = true
	b := &Bucket{opt: opt, client: client, cache: cache}
	err = cache.Walk(ctx, func(i Info) error { b.held.Add(i.Size); return nil })
	return b, err
}

func (b *Bucket) key(d Digest) string { return b.opt.Prefix + string(d) }

// Stage implements Store.
func (b *Bucket) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	st, err := b.cache.Stage(ctx, r, limit)
	if err != nil {
		return nil, err
	}
	st.before = func() error {
		if err := b.upload(ctx, st); err != nil {
			return err
		}
		if _, err := b.cache.Size(st.Digest); err != nil { // it will be new here
			b.remembered(st.Size)
		}
		return nil
	}
	return st, nil
}

// upload puts the bytes into the bucket unless they are there. What the cache holds proves nothing: another node may have removed
// the object.
func (b *Bucket) upload(ctx context.Context, st *Staged) error {
	if size, err := b.Size(st.Digest); err == nil && size == st.Size {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	_, err := b.client.PutObject(ctx, b.opt.Bucket, b.key(st.Digest), st.Content(), st.Size,
		minio.PutObjectOptions{PartSize: partSize, ContentType: "application/octet-stream"})
	return err
}

// Open implements Store.
func (b *Bucket) Open(digest Digest) (*File, error) {
	for try := 0; ; try++ {
		f, err := b.cache.Open(digest)
		if err == nil {
			os.Chtimes(f.path, time.Time{}, time.Now()) // read lately
			return f, nil
		}
		if !errors.Is(err, ErrNotFound) || try == 3 { // evicted three times while we fetched it
			return nil, err
		}
		if _, err, _ := b.flight.Do(string(digest), func() (any, error) { return nil, b.fetch(digest) }); err != nil {
			return nil, fmt.Errorf("fetch blob %s: %w", digest, err)
		}
	}
}

// fetch brings a blob into the cache, if its bytes are what its name says.
func (b *Bucket) fetch(digest Digest) error {
	ctx, cancel := context.WithTimeout(context.Background(), moveLimit)
	defer cancel()
	object, err := b.client.GetObject(ctx, b.opt.Bucket, b.key(digest), minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer object.Close()
	st, err := b.cache.Stage(ctx, object, 0)
	if err != nil {
		return missing(err)
	}
	defer st.Discard()
	if st.Digest != digest {
		return fmt.Errorf("the bucket holds other bytes, with digest %s", st.Digest)
	}
	if err := st.Keep(); err != nil {
		return err
	}
	b.remembered(st.Size)
	return nil
}

// missing names the error of an object that is not there as this package does.
func missing(err error) error {
	var said minio.ErrorResponse
	if errors.As(err, &said) && (said.Code == "NoSuchKey" || said.StatusCode == http.StatusNotFound) {
		return ErrNotFound
	}
	return err
}

// Size implements Store. It asks the bucket, whatever is remembered here.
func (b *Bucket) Size(digest Digest) (int64, error) {
	if _, err := ParseDigest(string(digest)); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	info, err := b.client.StatObject(ctx, b.opt.Bucket, b.key(digest), minio.StatObjectOptions{})
	if err != nil {
		return 0, fmt.Errorf("blob %s: %w", digest, missing(err))
	}
	return info.Size, nil
}

// Remove implements Store.
func (b *Bucket) Remove(digest Digest) error {
	if err := b.cache.Remove(digest); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	if err := b.client.RemoveObject(ctx, b.opt.Bucket, b.key(digest), minio.RemoveObjectOptions{}); err != nil && !errors.Is(missing(err), ErrNotFound) {
		return fmt.Errorf("remove blob %s: %w", digest, err)
	}
	return nil
}

// Walk implements Store.
func (b *Bucket) Walk(ctx context.Context, fn func(Info) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // also ends the listing
	for o := range b.client.ListObjects(ctx, b.opt.Bucket, minio.ListObjectsOptions{Prefix: b.opt.Prefix, Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("list bucket %s: %w", b.opt.Bucket, o.Err)
		}
		digest, err := ParseDigest(strings.TrimPrefix(o.Key, b.opt.Prefix))
		if err != nil {
			continue // not ours
		}
		if err := fn(Info{digest, o.Size, o.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// remembered counts what came into the cache and makes room when it is too much.
func (b *Bucket) remembered(size int64) {
	if b.held.Add(size) <= b.opt.CacheSize || !b.evicts.TryLock() {
		return
	}
	defer b.evicts.Unlock()
	var files []Info
	var total int64
	before := b.held.Load()
	err := b.cache.Walk(context.Background(), func(i Info) error {
		files = append(files, i)
		total += i.Size
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // the next one tries again
	}
	slices.SortFunc(files, func(x, y Info) int { return cmp.Or(x.Modified.Compare(y.Modified), cmp.Compare(x.Digest, y.Digest)) })
	for _, f := range files {
		if total <= b.opt.CacheSize*9/10 {
			break
		}
		if b.cache.Remove(f.Digest) == nil {
			total -= f.Size
		}
	}
	b.held.Add(total - before) // what came meanwhile stays counted
}
