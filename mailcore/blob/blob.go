// Package blob keeps bytes by their digest in a folder. Equal bytes are one file, however often they are put.
//
// A file is written under a temporary name, synced, given its name and the folder synced, so that a name always stands for
// whole bytes: after a crash there is either the file or a leftover temporary file, which nothing reads
// and Walk removes once it is a day old. Files are read-only. Who needs a blob tells so in the database; this package
// deletes only what it is told to.
package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrTooLarge says that more bytes came than the limit allows; nothing of them is kept.
var ErrTooLarge = errors.New("too large")

// ErrNotFound says that no bytes have this digest here.
var ErrNotFound = errors.New("blob not found")

// A Digest is the SHA-256 of a blob's bytes in lower-case hex.
type Digest string

// ParseDigest checks that s is a digest.
func ParseDigest(s string) (Digest, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != sha256.Size || strings.ToLower(s) != s {
		return "", fmt.Errorf("digest %q is not a SHA-256 in lower-case hex", s)
	}
	return Digest(s), nil
}

// Of returns the digest of data.
func Of(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest(hex.EncodeToString(sum[:]))
}

// tempPrefix begins the names of files that are still being written; no digest begins so.
const tempPrefix = ".tmp-"

// tempAge is when a temporary file must be a leftover of a crash: no upload takes a day.
const tempAge = 24 * time.Hour

// A Dir is a store in a folder. It is safe for concurrent use, by several processes too.
type Dir struct {
	root   string
	synced sync.Map // folders that this process knows to be durable
}

// OpenDir makes the folder when it is missing.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	return &Dir{root: path}, nil
}

func (d *Dir) path(digest Digest) (string, error) {
	if _, err := ParseDigest(string(digest)); err != nil {
		return "", err
	}
	return filepath.Join(d.root, string(digest[:2]), string(digest[2:4]), string(digest)), nil
}

// Put stores what r gives and returns its digest and size after the bytes are durable. limit bounds the size, 0 for none;
// more bytes give ErrTooLarge. A caller that goes away (ctx, or an error of r) leaves nothing behind.
func (d *Dir) Put(ctx context.Context, r io.Reader, limit int64) (digest Digest, size int64, err error) {
	f, err := os.CreateTemp(d.root, tempPrefix)
	if err != nil {
		return "", 0, fmt.Errorf("store blob: %w", err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	hash := sha256.New()
	in := io.Reader(&reader{ctx, r})
	if limit > 0 {
		in = io.LimitReader(in, limit+1)
	}
	size, err = io.Copy(io.MultiWriter(f, hash), in)
	if err != nil {
		return "", 0, fmt.Errorf("store blob: %w", err)
	}
	if limit > 0 && size > limit {
		return "", 0, fmt.Errorf("store blob over %d bytes: %w", limit, ErrTooLarge)
	}
	digest = Digest(hex.EncodeToString(hash.Sum(nil)))
	if err := d.keep(f, digest, size); err != nil {
		return "", 0, fmt.Errorf("store blob %s: %w", digest, err)
	}
	return digest, size, nil
}

// PutBytes stores data.
func (d *Dir) PutBytes(ctx context.Context, data []byte) (Digest, error) {
	digest, _, err := d.Put(ctx, bytes.NewReader(data), 0)
	return digest, err
}

// keep gives the written file its name, unless its bytes are here already.
func (d *Dir) keep(f *os.File, digest Digest, size int64) error {
	name, err := d.path(digest)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == size {
		// Whoever put it may have died between the rename and the sync of the folder.
		if err := syncDir(filepath.Dir(name)); err != nil {
			return err
		}
		return os.Remove(f.Name())
	}
	if err := f.Chmod(0o440); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.makeFolders(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// makeFolders makes the two levels above a blob. A new folder is durable only after its parent is synced, and whoever made
// it may not have come to that.
func (d *Dir) makeFolders(dir string) error {
	for _, level := range []string{filepath.Dir(dir), dir} {
		if _, ok := d.synced.Load(level); ok {
			continue
		}
		if err := os.Mkdir(level, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := syncDir(filepath.Dir(level)); err != nil {
			return err
		}
		d.synced.Store(level, nil)
	}
	return nil
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// reader ends a copy when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// A File is an open blob: a reader that seeks and reads at offsets.
type File struct {
	*os.File
	size int64
}

// Size is the number of its bytes.
func (f *File) Size() int64 { return f.size }

// Open opens a blob for reading; ErrNotFound when it is not here.
func (d *Dir) Open(digest Digest) (*File, error) {
	name, err := d.path(digest)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open blob %s: %w", digest, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return &File{f, info.Size()}, nil
}

// Size returns the size of a blob without opening it; ErrNotFound when it is not here.
func (d *Dir) Size(digest Digest) (int64, error) {
	name, err := d.path(digest)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("blob %s: %w", digest, ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Remove deletes a blob; one that is not here is no error.
func (d *Dir) Remove(digest Digest) error {
	name, err := d.path(digest)
	if err != nil {
		return fmt.Errorf("remove blob: %w", err)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}

// Info is what Walk tells of a blob.
type Info struct {
	Digest   Digest
	Size     int64
	Modified time.Time
}

// Walk calls fn for every blob and removes leftovers of crashes. fn may remove the blob.
func (d *Dir) Walk(ctx context.Context, fn func(Info) error) error {
	return filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed, or renamed into place, since the folder was read
		}
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if time.Since(info.ModTime()) > tempAge {
				os.Remove(path)
			}
			return nil
		}
		digest, err := ParseDigest(e.Name())
		if err != nil {
			return nil // not ours
		}
		return fn(Info{digest, info.Size(), info.ModTime()})
	})
}
