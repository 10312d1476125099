package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// An engine is PDFium, compiled and ready to give instances.
type engine struct {
	pool  pdfium.Pool
	cache wazero.CompilationCache
}

// How an engine is started. A stoppable one looks at every turn of every loop whether its time is over, which takes two
// thirds of the time of a text page: only where there is no process to be killed instead.
type engineOptions struct {
	cacheDir    string
	memoryPages uint32
	instances   int
	stoppable   bool
}

func startEngine(ctx context.Context, opt engineOptions) (*engine, error) {
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithCloseOnContextDone(opt.stoppable).WithMemoryLimitPages(opt.memoryPages)
	e := &engine{}
	if opt.cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(opt.cacheDir)
		if err != nil {
			return nil, fmt.Errorf("open compilation cache %s: %w", opt.cacheDir, err)
		}
		e.cache = cache
		config = config.WithCompilationCache(cache)
	}
	pool, err := webassembly.Init(webassembly.Config{Context: context.WithoutCancel(ctx), MaxIdle: opt.instances, MaxTotal: opt.instances,
		RuntimeConfig: config, FSConfig: sandbox(), Stdout: io.Discard, Stderr: io.Discard})
	if err != nil {
		if e.cache != nil {
			e.cache.Close(ctx)
		}
		return nil, fmt.Errorf("start pdfium: %w", err)
	}
	e.pool = pool
	return e, nil
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

func (e *engine) close() error {
	err := e.pool.Close()
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(context.Background()))
	}
	return err
}

// with opens a file in an instance of this process for work.
func (e *engine) with(ctx context.Context, data []byte, work func(*document) error) error {
	inst, err := e.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errWait, err)
	}
	return guard(ctx, inst, func() error {
		f, err := openPDF(inst, data)
		if err != nil {
			return err
		}
		return work(&document{pages: f.pages, ask: f.answer})
	})
}

// guard runs work on one instance and turns panics at the border into errors. When ctx ends first the instance is killed,
// which stops PDFium wherever it is.
func guard(ctx context.Context, pdf pdfium.Pdfium, work func() error) (err error) {
	done := make(chan error, 1)
	go func() { done <- caught(work) }()
	select {
	case err = <-done:
		if err == nil {
			pdf.Close()
			return nil
		}
	case <-ctx.Done():
		pdf.Kill()
		<-done
		return ctx.Err()
	}
	if !errors.As(err, new(*Problem)) {
		pdf.Kill() // after a trap the instance's memory is not to be trusted
		return err
	}
	pdf.Close()
	return err
}
