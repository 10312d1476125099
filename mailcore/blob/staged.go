package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
)

// Bytes that are on their way stay in memory up to this size, for as many uploads at the same time: what the store has
// already is then never written, and 1,000 copies of one document from outside cost no disk.
const (
	maxMemory   = 1 << 20
	maxInMemory = 64
)

// buffers are used again: to grow a new one to the size of a document costs more than to hash the document.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// A Staged is bytes on their way into the store, with their digest known: in memory, or under a temporary name. Between Stage
// and Keep a caller can note that it needs them, so that nobody removes the file that Keep may find.
type Staged struct {
	Digest Digest
	Size   int64
	dir    *Dir
	memory *bytes.Buffer // nil when there is a file
	file   *os.File      // nil when all bytes are in memory, or nothing is left
	before func() error  // puts the bytes where they have to be first; nil: nowhere else
}

// Stage implements Store.
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
	select {
	case st.dir.memory <- struct{}{}:
		st.memory = buffers.Get().(*bytes.Buffer)
		if st.Size, err = io.CopyN(st.memory, in, maxMemory); err != nil && err != io.EOF {
			return err
		}
	default:
	}
	if st.memory == nil || st.Size == maxMemory {
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
	if st.memory != nil {
		if _, err := st.file.Write(st.memory.Bytes()); err != nil {
			return err
		}
		st.leaveMemory()
	}
	n, err := io.Copy(st.file, more)
	st.Size += n
	return err
}

func (st *Staged) leaveMemory() {
	if st.memory == nil {
		return
	}
	st.memory.Reset()
	buffers.Put(st.memory)
	st.memory = nil
	<-st.dir.memory
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
	if st.before != nil {
		if err := st.before(); err != nil {
			return fmt.Errorf("store blob %s: %w", st.Digest, err)
		}
	}
	if err := st.keep(); err != nil {
		return fmt.Errorf("store blob %s: %w", st.Digest, err)
	}
	return nil
}

// Content reads what is staged from its start; it ends with Keep and Discard.
func (st *Staged) Content() io.Reader {
	if st.file != nil {
		return io.NewSectionReader(st.file, 0, st.Size)
	}
	if st.memory != nil {
		return bytes.NewReader(st.memory.Bytes())
	}
	return bytes.NewReader(nil)
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
