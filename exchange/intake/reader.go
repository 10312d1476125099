package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"congvan/mailcore/viettext"
)

// Options say how a Reader works. The zero value of a field means its default.
type Options struct {
	CacheDir    string        // where compiled code is kept between starts (22 MB); "" compiles anew each time, for seconds
	Workers     int           // documents read at once, and pages recognised at once; default 2
	MaxBytes    int64         // largest file; default 50 MiB
	MaxPages    int           // most pages read in full; of longer files the first and last; default 100
	Timeout     time.Duration // for one document; default 3 minutes
	PageTimeout time.Duration // for the recognition of one page; default 60 s
	MemoryPages uint32        // memory of one instance in units of 64 KiB; default 8192 (512 MiB)
	Tesseract   string        // the program; default "tesseract" in PATH
	Language    string        // its model; default "vie"
}

func (o Options) withDefaults() Options {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&o.Workers, 2)
	set(&o.MaxPages, 100)
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
	pool  pdfium.Pool
	cache wazero.CompilationCache
	slots chan struct{} // one for each tesseract that may run

	mu       sync.Mutex
	closed   bool
	ocrReady bool
	busy     sync.WaitGroup
}

// ErrClosed is what Read returns after Close.
var ErrClosed = errors.New("intake: reader is closed")

// Open starts a Reader. With a filled cache it takes a tenth of a second, else some seconds.
func Open(ctx context.Context, opt Options) (*Reader, error) {
	opt = opt.withDefaults()
	r := &Reader{opt: opt, slots: make(chan struct{}, opt.Workers)}
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithCloseOnContextDone(true).WithMemoryLimitPages(opt.MemoryPages)
	if opt.CacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(opt.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("open compilation cache %s: %w", opt.CacheDir, err)
		}
		r.cache = cache
		config = config.WithCompilationCache(cache)
	}
	pool, err := webassembly.Init(webassembly.Config{Context: context.WithoutCancel(ctx), MinIdle: 1, MaxIdle: opt.Workers, MaxTotal: opt.Workers,
		RuntimeConfig: config, FSConfig: sandbox(), Stdout: io.Discard, Stderr: io.Discard})
	if err != nil {
		if r.cache != nil {
			r.cache.Close(ctx)
		}
		return nil, fmt.Errorf("start pdfium: %w", err)
	}
	r.pool = pool
	return r, nil
}

// sandbox is what PDFium sees of the machine: its fonts, for files that embed none, and nothing else. The library's default
// would be the whole file system.
func sandbox() wazero.FSConfig {
	fs := wazero.NewFSConfig()
	if _, err := os.Stat("/usr/share/fonts"); err == nil {
		fs = fs.WithReadOnlyDirMount("/usr/share/fonts", "/usr/share/fonts")
	}
	return fs
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
	err := r.pool.Close()
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(context.Background()))
	}
	return err
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
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	d := &Draft{Name: viettext.NFC(name), Places: make(map[FieldName][]Place)}
	pages, err := r.readPages(ctx, d, data)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, slow(ctx, err))
	}
	assemble(d, pages)
	d.conclude(pages)
	return d, nil
}

// slow turns the end of the time limit into a problem for the clerk; a caller's own cancelling stays what it is.
func slow(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == context.DeadlineExceeded {
		return problem(TooSlow, err)
	}
	return err
}

// A job is one document on its way through PDFium and tesseract.
type job struct {
	reader *Reader
	draft  *Draft
	file   *pdfFile
	list   []int  // pages to read, from 0
	pages  []page // in the order of list
	scans  []int  // indices in list of pages without a usable text layer
	ready  bool   // every text layer has been read
	cause  error  // why pages stayed unread
	mu     sync.Mutex
}

// readPages gets the words of every page that is to be read. When the time limit ends while scans are recognised, the
// pages that are done count.
func (r *Reader) readPages(ctx context.Context, d *Draft, data []byte) ([]page, error) {
	inst, err := r.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for pdfium: %w", err)
	}
	j := &job{reader: r, draft: d}
	err = guard(ctx, inst, func() error {
		f, err := openPDF(inst, data)
		if err != nil {
			return err
		}
		d.Pages, j.file = f.pages, f
		j.list = choosePages(d, r.opt.MaxPages)
		if err := j.readText(ctx); err != nil {
			return err
		}
		if err := j.readStamps(ctx); err != nil {
			return err
		}
		return j.recognise(ctx)
	})
	if err != nil && !(j.ready && errors.Is(err, context.DeadlineExceeded)) {
		return nil, memory(err)
	}
	j.finish(err)
	return j.pages, nil
}

// readText reads the text layers, which are fast, and lists the pages that have none.
func (j *job) readText(ctx context.Context) error {
	j.pages = make([]page, len(j.list))
	block, found := true, false // block: the page before has the label, and the block may go on
	blank := true               // no page before shows anything
	for k, i := range j.list {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, scan, err := j.file.readPage(i, block || blank || !found && k == len(j.list)-1)
		if err != nil {
			return err
		}
		if blank && scan {
			j.draft.Scan = true
		}
		blank = blank && !scan && len(p.words) == 0
		block = findLabel([]page{p}) != nil || block && goesOver(p)
		found = found || block
		if scan {
			p.unread = true
			j.scans = append(j.scans, k)
		}
		if p.encoding != "" && j.draft.Encoding == "" {
			j.draft.Encoding = p.encoding
		}
		j.pages[k] = p
	}
	j.ready = true
	return nil
}

// recognise renders the scans one after the other, and has as many recognised at once as there are slots. The heading
// stands on the first page and the recipients on one of the last, so those come first.
func (j *job) recognise(ctx context.Context) error {
	if len(j.scans) == 0 {
		return nil
	}
	if err := j.reader.haveOCR(ctx); err != nil {
		j.cause = err
		return ctx.Err()
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, k := range outerFirst(j.scans) {
		select {
		case j.reader.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		img, dpi, err := j.file.picture(j.list[k])
		if err != nil {
			<-j.reader.slots
			j.fail(err)
			continue
		}
		running.Go(func() {
			defer func() { <-j.reader.slots }()
			p := page{number: j.pages[k].number, width: j.pages[k].width, height: j.pages[k].height}
			if err := j.reader.recognise(ctx, &p, img, dpi); err != nil {
				j.fail(err)
				return
			}
			j.pages[k] = p
		})
	}
	return nil
}

func (j *job) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cause = err
}

// outerFirst orders pages: the first, the last three from the end, then the others.
func outerFirst(scans []int) []int {
	n := len(scans)
	if n < 3 {
		return scans
	}
	tail := min(3, n-1)
	out := []int{scans[0]}
	for i := n - 1; i >= n-tail; i-- {
		out = append(out, scans[i])
	}
	return append(out, scans[1:n-tail]...)
}

// finish tells the draft which pages nobody has read, and why.
func (j *job) finish(err error) {
	var unread []int
	for _, p := range j.pages {
		if p.unread {
			unread = append(unread, p.number)
		}
	}
	if len(unread) == 0 {
		return
	}
	d := j.draft
	d.Unread = append(d.Unread, unread...)
	slices.Sort(d.Unread)
	cause := errors.Join(err, j.cause)
	switch {
	case errors.Is(cause, errNoOCR) && d.Scan:
		d.Problems = append(d.Problems, problem(NeedsManual, cause))
	case errors.Is(cause, errNoOCR):
		p := unreadPages(unread, cause)
		p.Hint = problemTexts[NeedsManual][1]
		d.Problems = append(d.Problems, p)
	default:
		d.Problems = append(d.Problems, unreadPages(unread, cause))
	}
}

// memory turns what PDFium says when it runs out of memory into a problem for the clerk.
func memory(err error) error {
	if errors.As(err, new(*Problem)) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return problem(TooComplex, err)
}

// choosePages lists the pages to read, from 0: all, or the first third and the last of what is allowed. The heading stands
// first, the block on the last pages before annexes.
func choosePages(d *Draft, limit int) []int {
	var list []int
	if d.Pages <= limit {
		for i := range d.Pages {
			list = append(list, i)
		}
		return list
	}
	first := (limit + 1) / 2
	last := limit - first
	for i := range d.Pages {
		if i < first || i >= d.Pages-last {
			list = append(list, i)
		} else {
			d.Unread = append(d.Unread, i+1)
		}
	}
	d.Problems = append(d.Problems, tooManyPages(d.Pages, first, last))
	return list
}

// conclude tells what is missing or doubtful.
func (d *Draft) conclude(pages []page) {
	if d.NoiNhan == nil && !d.NeedsManual() {
		d.Problems = append(d.Problems, problem(NoRecipients, nil))
	}
	warn := func(missing bool, text string) {
		if missing {
			d.Warnings = append(d.Warnings, text)
		}
	}
	warn(d.Heading.Issuer == "", "Chưa rõ cơ quan ban hành.")
	warn(d.Heading.Number == "", "Chưa rõ số văn bản.")
	warn(d.Heading.Date == "", "Chưa rõ ngày ban hành.")
	warn(d.Heading.Subject == "", "Chưa rõ trích yếu.")
	warn(d.Signer == "", "Chưa rõ người ký.")
}
