// Package blob keeps bytes by their digest in a folder. Equal bytes are one file, however often they are put.
//
// A file is written under a temporary name, synced, given its name and the folder synced, so that a name always stands for
// whole bytes: after a crash there is either the file or a leftover temporary file, which nothing reads and Walk removes once
// it is a day old. Files are read-only. Who needs a blob tells so in the database; this package
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
	"slices"
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
	synced sync.Map      // folders that this process knows to be durable
	memory chan struct{} // holds a value for each upload that waits in memory

	mu      sync.Mutex
	settled [32]Digest // the latest blobs whose names this process knows to be durable
	next    int        // of settled
}

// OpenDir makes the folder when it is missing.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	return &Dir{root: path, memory: make(chan struct{}, maxInMemory)}, nil
}

func (d *Dir) path(digest Digest) (string, error) {
	if _, err := ParseDigest(string(digest)); err != nil {
		return "", err
	}
	return filepath.Join(d.root, string(digest[:2]), string(digest)), nil
}

// Bytes that are on their way stay in memory up to this size, for as many uploads at the same time: what the store has
// already is then never written, and 1,000 copies of one document from outside cost no disk.
const (
	maxMemory   = 1 << 20
	maxInMemory = 64
)

// A Staged is bytes on their way into the store, with their digest known: in memory, or under a temporary name. Between Stage
// and Keep a caller can note that it needs them, so that nobody removes the file that Keep may find.
type Staged struct {
	Digest Digest
	Size   int64
	dir    *Dir
	bytes  []byte   // nil when there is a file
	file   *os.File // nil when all bytes are in memory, or nothing is left
	room   bool     // holds a value of dir.memory
}

// Stage takes what r gives. limit bounds the size, 0 for none; more bytes give ErrTooLarge. A caller that goes away (ctx, or an
// error of r) leaves nothing behind. Discard must follow, after Keep or instead.
func (d *Dir) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	st := &Staged{dir: d}
	if err := st.fill(ctx, r, limit); err != nil {
		st.Discard()
		return nil, fmt.Errorf("store blob: %w", err)
	}
	return st, nil
}

func (st *Staged) fill(ctx context.Context, r io.Reader, limit int64) (err error) {
	hash := sha256.New()
	in := io.Reader(&reader{ctx, r})
	if limit > 0 {
		in = io.LimitReader(in, limit+1)
	}
	in = io.TeeReader(in, hash)
	var start bytes.Buffer
	select {
	case st.dir.memory <- struct{}{}:
		st.room = true
		if st.Size, err = io.CopyN(&start, in, maxMemory); err != nil && err != io.EOF {
			return err
		}
	default:
	}
	if st.bytes = start.Bytes(); !st.room || st.Size == maxMemory {
		if err := st.spill(in); err != nil {
			return err
		}
	}
	if limit > 0 && st.Size > limit {
		return fmt.Errorf("over %d bytes: %w", limit, ErrTooLarge)
	}
	st.Digest = Digest(hex.EncodeToString(hash.Sum(nil)))
	return nil
}

// spill writes what is in memory and what more comes to a temporary file.
func (st *Staged) spill(more io.Reader) (err error) {
	if st.file, err = os.CreateTemp(st.dir.root, tempPrefix); err != nil {
		return err
	}
	if _, err := st.file.Write(st.bytes); err != nil {
		return err
	}
	st.leaveMemory()
	n, err := io.Copy(st.file, more)
	st.Size += n
	return err
}

func (st *Staged) leaveMemory() {
	if st.bytes = nil; st.room {
		<-st.dir.memory
		st.room = false
	}
}

// Discard removes what is left of the upload; after Keep there is nothing left.
func (st *Staged) Discard() {
	st.leaveMemory()
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
		st.Discard()
		return st.dir.settle(st.Digest, name)
	}
	if st.file == nil {
		if err := st.spill(bytes.NewReader(nil)); err != nil {
			return err
		}
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
	if err := st.dir.makeFolder(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	st.file = nil
	return st.dir.settle(st.Digest, name)
}

// settle makes the name of a blob durable: whoever put it may have died between the rename and the sync of the folder. What
// this process settled last it need not settle again, as when one document comes 1,000 times.
func (d *Dir) settle(digest Digest, name string) error {
	d.mu.Lock()
	done := slices.Contains(d.settled[:], digest)
	d.mu.Unlock()
	if done {
		return nil
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled[d.next], d.next = digest, (d.next+1)%len(d.settled)
	return nil
}

// makeFolder makes the folder of a blob. It is durable only after its parent is synced, and whoever made it may not have come
// to that.
func (d *Dir) makeFolder(dir string) error {
	if _, ok := d.synced.Load(dir); ok {
		return nil
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(d.root); err != nil {
		return err
	}
	d.synced.Store(dir, nil)
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.settled[:], digest); i >= 0 {
		d.settled[i] = ""
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
