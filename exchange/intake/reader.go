package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Options say how a Reader works. The zero value of a field means its default.
type Options struct {
	CacheDir    string        // where compiled code is kept between starts (22 MB); "" compiles anew each time, for seconds
	Workers     int           // documents read at once; default 2
	Parallel    int           // pages recognised at once, of all documents together; default Workers
	MaxBytes    int64         // largest file; default 50 MiB
	MaxPages    int           // most pages read in full; of longer files the first and last; default 100
	Timeout     time.Duration // for one document, unless its Call says another; default 3 minutes
	PageTimeout time.Duration // for the recognition of one page; default 60 s
	MemoryPages uint32        // memory of one instance in units of 64 KiB; default 8192 (512 MiB)
	Tesseract   string        // the program; default "tesseract" in PATH
	Language    string        // its model; default "vie"
	OCRMemory   int64         // bytes of memory for what was recognised; default 16 MiB, negative for none
	OCRDir      string        // folder that keeps it between starts; "" keeps it in memory only
	OCRDirBytes int64         // most bytes of that folder; default 256 MiB
	InProcess   bool          // keep PDFium in this process, which is slow but starts no other; so it is too where Child was not called
	Log         *slog.Logger  // is told when that folder cannot be written and when a child is lost; default slog.Default()
}

func (o Options) withDefaults() Options {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&o.Workers, 2)
	set(&o.Parallel, o.Workers)
	set(&o.MaxPages, 100)
	if o.OCRMemory == 0 {
		o.OCRMemory = 16 << 20
	}
	if o.OCRDirBytes <= 0 {
		o.OCRDirBytes = 256 << 20
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 50 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 3 * time.Minute
	}
	if o.PageTimeout <= 0 {
		o.PageTimeout = time.Minute
	}
	if o.MemoryPages == 0 {
		o.MemoryPages = 8192
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Tesseract == "" {
		o.Tesseract = "tesseract"
	}
	if o.Language == "" {
		o.Language = "vie"
	}
	return o
}

// A Reader reads document files. It is safe for concurrent use; opened once, it serves until Close.
type Reader struct {
	opt   Options
	files opener
	slots chan struct{} // one for each tesseract that may run
	memo  ocrCache

	mu       sync.Mutex
	closed   bool
	ocrReady bool
	busy     sync.WaitGroup
}

// An opener opens files in PDFium: an engine in this process, or children beside it. The file is open while work runs; when
// ctx ends, work is given up and PDFium is stopped wherever it is.
type opener interface {
	with(ctx context.Context, data []byte, work func(*document) error) error
	close() error
}

// ErrClosed is what Read returns after Close.
var ErrClosed = errors.New("intake: reader is closed")

// Open starts a Reader. Its children start when the first file needs them: with a filled cache in a fifth of a second, else in
// some seconds. A Reader without children is as slow itself.
func Open(ctx context.Context, opt Options) (*Reader, error) {
	opt = opt.withDefaults()
	r := &Reader{opt: opt, slots: make(chan struct{}, opt.Parallel), memo: ocrCache{limit: opt.OCRMemory, dir: opt.OCRDir, dirLimit: opt.OCRDirBytes}}
	if opt.OCRDir != "" {
		if err := os.MkdirAll(opt.OCRDir, 0o700); err != nil {
			return nil, fmt.Errorf("open folder of recognised text: %w", err)
		}
	}
	if opt.CacheDir != "" {
		if err := os.MkdirAll(opt.CacheDir, 0o755); err != nil {
			return nil, fmt.Errorf("open compilation cache: %w", err)
		}
	}
	if canStart() && !opt.InProcess {
		r.files = newChildren(opt)
		return r, nil
	}
	e, err := startEngine(ctx, engineOptions{cacheDir: opt.CacheDir, memoryPages: opt.MemoryPages, instances: opt.Workers, stoppable: true})
	if err != nil {
		return nil, err
	}
	r.files = e
	return r, nil
}

// Close waits for documents that are being read and frees everything.
func (r *Reader) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.busy.Wait()
	return r.files.close()
}

func (r *Reader) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.busy.Add(1)
	return nil
}

// ReadFrom reads a document from src; no more than the size limit is taken into memory.
func (r *Reader) ReadFrom(ctx context.Context, name string, src io.Reader) (*Draft, error) {
	data, err := io.ReadAll(io.LimitReader(src, r.opt.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	return r.Read(ctx, name, data)
}

// Read makes a draft of a document file. An error that is a *Problem is worded for the clerk; any other is ours. A file
// that can be read only in part gives a draft with Problems.
func (r *Reader) Read(ctx context.Context, name string, data []byte) (*Draft, error) {
	return r.ReadCall(ctx, name, data, Call{})
}

// ReadCall is Read with a time limit of its own, and tells how far it is.
func (r *Reader) ReadCall(ctx context.Context, name string, data []byte, call Call) (*Draft, error) {
	if int64(len(data)) > r.opt.MaxBytes {
		return nil, tooLarge(r.opt.MaxBytes)
	}
	if p := checkBytes(data); p != nil {
		return nil, p
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer r.busy.Done()
	if call.Timeout <= 0 {
		call.Timeout = r.opt.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, call.Timeout)
	defer cancel()
	j := &job{reader: r, call: call, draft: newDraft(name), key: cacheKey(data, r.opt.Language)}
	err := j.run(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, slow(ctx, err))
	}
	return j.draft, nil
}

// slow turns the end of the time limit into a problem for the clerk; a caller's own cancelling stays what it is.
func slow(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == context.DeadlineExceeded {
		return problem(TooSlow, err)
	}
	return err
}

// errWait says that there was no PDFium to open a file with, which is no fault of the file.
var errWait = errors.New("wait for pdfium")

// memory turns what PDFium says when it runs out of memory into a problem for the clerk.
func memory(err error) error {
	if errors.As(err, new(*Problem)) || errors.Is(err, errWait) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return problem(TooComplex, err)
}
