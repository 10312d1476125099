// Package blob keeps bytes by their digest: in a folder, or in an S3 bucket that several nodes share. Equal bytes are one file or
// object, however often they are put.
//
// In a folder a file is written under a temporary name, synced, given its name and the folder synced, so that a name always stands
// for whole bytes: after a crash there is either the file or a leftover temporary file, which nothing reads and Walk removes once
// it is a day old. Files are read-only. A bucket has a folder on each node beside it that remembers what was read or written last;
// what comes from the bucket is checked against its digest before anybody sees it. Who needs a blob tells so in the database;
// this package deletes only what it is told to.
package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
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

// A Store keeps blobs: a Dir or a Bucket. It is safe for concurrent use, by several processes too.
type Store interface {
	// Stage takes what r gives. limit bounds the size, 0 for none; more bytes give ErrTooLarge. A caller that goes away (ctx, or an
	// error of r) leaves nothing behind. Discard must follow, after Keep or instead.
	Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error)
	// Open opens a blob for reading; ErrNotFound when it is not here.
	Open(digest Digest) (*File, error)
	// Size returns the size of a blob without opening it; ErrNotFound when it is not here.
	Size(digest Digest) (int64, error)
	// Remove deletes a blob; one that is not here is no error.
	Remove(digest Digest) error
	// Walk calls fn for every blob. fn may remove the blob.
	Walk(ctx context.Context, fn func(Info) error) error
}

// Info is what Walk tells of a blob.
type Info struct {
	Digest   Digest
	Size     int64
	Modified time.Time
}

// A File is an open blob: a reader that seeks and reads at offsets.
type File struct {
	source
	size int64
	path string
}

// A source is what a File reads from: a file, or memory.
type source interface {
	io.ReadSeekCloser
	io.ReaderAt
	io.WriterTo
}

// InMemory returns a File of bytes that the caller never changes again.
func InMemory(data []byte) *File {
	return &File{source: inMemory{bytes.NewReader(data)}, size: int64(len(data))}
}

type inMemory struct{ *bytes.Reader }

// Close implements io.Closer.
func (inMemory) Close() error { return nil }

// Path is the file that it lies in, "" when the bytes are in memory.
func (f *File) Path() string { return f.path }

// Size is the number of its bytes.
func (f *File) Size() int64 { return f.size }

// Copy puts a blob of one store into another, unless it is there in its whole size. Bytes of another digest are an error and are
// not kept.
func Copy(ctx context.Context, from, to Store, digest Digest) error {
	f, err := from.Open(digest)
	if err != nil {
		return err
	}
	defer f.Close()
	if size, err := to.Size(digest); err == nil && size == f.Size() {
		return nil
	}
	st, err := to.Stage(ctx, f, 0)
	if err != nil {
		return fmt.Errorf("copy blob %s: %w", digest, err)
	}
	defer st.Discard()
	if st.Digest != digest {
		return fmt.Errorf("copy blob %s: its bytes are damaged: their digest is %s", digest, st.Digest)
	}
	if err := st.Keep(); err != nil {
		return fmt.Errorf("copy blob %s: %w", digest, err)
	}
	return nil
}
