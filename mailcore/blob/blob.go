// Package blob keeps bytes by their digest in a folder. Equal bytes are one file, however often they are put.
//
// A file is written under a temporary name, synced, given its name and the folder synced, so that a name always stands for
// whole bytes: after a crash there is either the file or a leftover temporary file, which nothing reads and Walk removes once
// it is a day old. Files are read-only. Who needs a blob tells so in the database; this package
// deletes only what it is told to.
package blob

import (
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

// A Staged is bytes on their way into the store: written under a temporary name, with their digest known. Between Stage and
// Keep a caller can note that it needs them, so that nobody removes the file that Keep may find.
type Staged struct {
	Digest Digest
	Size   int64
	dir    *Dir
	file   *os.File
}

// Stage writes what r gives under a temporary name. limit bounds the size, 0 for none; more bytes give ErrTooLarge. A caller
// that goes away (ctx, or an error of r) leaves nothing behind. Discard must follow, after Keep or instead.
func (d *Dir) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	f, err := os.CreateTemp(d.root, tempPrefix)
	if err != nil {
		return nil, fmt.Errorf("store blob: %w", err)
	}
	st := &Staged{dir: d, file: f}
	if err := st.fill(ctx, r, limit); err != nil {
		st.Discard()
		return nil, err
	}
	return st, nil
}

func (st *Staged) fill(ctx context.Context, r io.Reader, limit int64) (err error) {
	hash := sha256.New()
	in := io.Reader(&reader{ctx, r})
	if limit > 0 {
		in = io.LimitReader(in, limit+1)
	}
	if st.Size, err = io.Copy(io.MultiWriter(st.file, hash), in); err != nil {
		return fmt.Errorf("store blob: %w", err)
	}
	if limit > 0 && st.Size > limit {
		return fmt.Errorf("store blob over %d bytes: %w", limit, ErrTooLarge)
	}
	st.Digest = Digest(hex.EncodeToString(hash.Sum(nil)))
	return nil
}

// Discard removes what is left of the temporary file; after Keep there is nothing left.
func (st *Staged) Discard() {
	if st.file != nil {
		st.file.Close()
		os.Remove(st.file.Name())
		st.file = nil
	}
}

// Keep makes the bytes durable under their digest, unless they are there already.
func (st *Staged) Keep() error {
	if err := st.keep(); err != nil {
		return fmt.Errorf("store blob %s: %w", st.Digest, err)
	}
	return nil
}

func (st *Staged) keep() error {
	name, err := st.dir.path(st.Digest)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == st.Size {
		// Whoever put it may have died between the rename and the sync of the folder.
		st.Discard()
		return syncDir(filepath.Dir(name))
	}
	f := st.file
	if err := f.Chmod(0o440); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := st.dir.makeFolders(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	st.file = nil
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
