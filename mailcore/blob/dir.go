package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// tempPrefix begins the names of files that are still being written; no digest begins so.
const tempPrefix = ".tmp-"

// tempAge is when a temporary file must be a leftover of a crash: no upload takes a day.
const tempAge = 24 * time.Hour

// A Dir is a store in a folder. It is safe for concurrent use, by several processes too.
type Dir struct {
	root   string
	synced sync.Map      // folders that this process knows to be durable
	memory chan struct{} // holds a value for each upload that waits in memory

	fleeting bool // what is here is elsewhere, too: nothing need be synced

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
	if !st.dir.fleeting {
		if err := f.Sync(); err != nil {
			return err
		}
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
	if err := d.syncDir(filepath.Dir(name)); err != nil {
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
	if err := d.syncDir(d.root); err != nil {
		return err
	}
	d.synced.Store(dir, nil)
	return nil
}

func (d *Dir) syncDir(path string) error {
	if d.fleeting {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Open implements Store.
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
	return &File{source: f, size: info.Size(), path: name}, nil
}

// Size implements Store.
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

// Remove implements Store.
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

// Walk implements Store; it removes leftovers of crashes, too.
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
